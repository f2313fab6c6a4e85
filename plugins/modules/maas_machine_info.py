# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_machine_info
short_description: What MAAS knows of machines
version_added: 0.1.0
description:
  - Reads machines, by name or by filter. A look-up by name never reads the whole region.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  machines:
    description: Hostnames, FQDNs, system_ids or MAC addresses. Names that the region does not know are listed in RV(missing).
    type: list
    elements: str
  status:
    description: Only machines in one of these statuses, for example V(Ready).
    type: list
    elements: str
  pool:
    description: Only machines of this resource pool.
    type: str
  zone:
    description: Only machines of this zone.
    type: str
  tags:
    description: Only machines with all of these tags.
    type: list
    elements: str
  full:
    description: Return machines whole, as the region describes them (13 KB each), instead of a summary.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Two machines
  stratus.cloud.maas_machine_info:
    machines: [compute0, compute1]
  register: computes

- name: Everything that is ready for use in a pool
  stratus.cloud.maas_machine_info:
    pool: openstack
    status: [Ready]
"""

RETURN = r"""
machines:
  description: The machines; in the order of O(machines) when that was given.
  returned: success
  type: list
  elements: dict
  sample:
    - hostname: compute0
      system_id: hqe4sm
      status: Ready
      power_state: "off"
      cpu_count: 16
      memory: 65536
      tags: [compute]
      boot_interface: enp1s0
      interfaces: [{"id": 5, "name": "enp1s0", "type": "physical", "links": [{"mode": "auto", "subnet": "10.42.0.0/16"}]}]
by_hostname:
  description: The same machines by hostname.
  returned: success
  type: dict
missing:
  description: Names that the region does not know.
  returned: success
  type: list
  elements: str
counts:
  description: How many machines are in which status.
  returned: success
  type: dict
  sample: {"Ready": 2}
"""

from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import lookup, same, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import CONSTANTS, machine_status, status_name


def work(module, client):
    params = module.params
    slim = same if params["full"] else summary
    statuses = [status_name(status) for status in params["status"] or []]
    missing = []
    if params["machines"] is not None:
        found = lookup(client, params["machines"], slim)
        missing = [name for name, machine in found.items() if machine is None]
        machines = list({machine["system_id"]: machine for machine in found.values() if machine is not None}.values())
        machines = [machine for machine in machines if _fits(machine, params, statuses)]
    else:
        filters = {name: params[name] for name in ("pool", "zone", "tags") if params[name]}
        if statuses:
            filters["status"] = [CONSTANTS.get(status, status) for status in statuses]
        machines = [slim(machine) for machine in client.read("Machines", what="list machines", **filters)]
    return dict(
        changed=False,
        machines=machines,
        by_hostname={machine["hostname"]: machine for machine in machines},
        missing=missing,
        counts=dict(Counter(machine_status(machine) for machine in machines)),
    )


def _fits(machine, params, statuses):
    def name(value):
        return value.get("name") if isinstance(value, dict) else value

    tags = machine.get("tags") or machine.get("tag_names") or []
    return (
        (not statuses or machine_status(machine) in statuses)
        and (not params["pool"] or name(machine.get("pool")) == params["pool"])
        and (not params["zone"] or name(machine.get("zone")) == params["zone"])
        and set(params["tags"] or []) <= set(tags)
    )


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str"),
            status=dict(type="list", elements="str"),
            pool=dict(type="str"),
            zone=dict(type="str"),
            tags=dict(type="list", elements="str"),
            full=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
