"""The lab's OpenStack: real services from Debian packages on one host, and a real nova-compute on every compute host.

What runs is data: ``services.yml`` (packages, databases, units, catalog) and the templates below ``guest/etc``. ``layer`` makes the tree, an
overlay layer over the hosts' base tree that holds the packages, the configuration and the prepared databases; ``control`` starts the host
and talks to its Keystone and Nova; ``lab.faces.openstack`` shows the APIs at the addresses of the model's units.

Zed as Debian 12 has it; servers exist in nova's database only (``guest/plugins/nova_virt_lab.py``), ports are bound by a mechanism driver of
our own (``guest/plugins/neutron_lab.py``), volumes are cinder's logging fake. Everything else is what an operator's cloud runs: tokens, policies,
scheduling, placement, cells, live migration's state machine, quotas, catalogs.
"""

from lab.hosts.openstack.api import Api, CloudError
from lab.hosts.openstack.control import OpenStack, compute_files, compute_start, compute_stop
from lab.hosts.openstack.layer import ADDRESS, build, ingredients, secrets_of, services

__all__ = [
    "ADDRESS",
    "Api",
    "CloudError",
    "OpenStack",
    "build",
    "compute_files",
    "compute_start",
    "compute_stop",
    "ingredients",
    "secrets_of",
    "services",
]
