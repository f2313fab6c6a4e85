# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: maas
short_description: Hosts from a MAAS region
version_added: 0.1.0
description:
  - Makes a host of each machine of a MAAS region, in groups by pool, zone, tag and status.
  - The file's name has to end in C(maas.yml) or C(maas.yaml).
  - What the region says is never taken for a template. What belongs into no host's name becomes an underscore there.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - python-libmaas >= 0.6.8
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [stratus.cloud.maas]
  maas_url:
    description: Address of the region, for example V(http://10.42.0.1:5240/MAAS). May be a template.
    type: str
    required: true
    env:
      - name: MAAS_URL
  maas_api_key:
    description: API key of a MAAS user. May be a template, for example a look-up of a vault.
    type: str
    required: true
    env:
      - name: MAAS_API_KEY
  validate_certs:
    description: Whether the region's certificate is verified.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authorities to trust.
    type: path
  pool:
    description: Only machines of these resource pools.
    type: list
    elements: str
    default: []
  zone:
    description: Only machines of these zones.
    type: list
    elements: str
    default: []
  tags:
    description: Only machines with all of these tags.
    type: list
    elements: str
    default: []
  status:
    description: Only machines in these statuses, for example V(Deployed).
    type: list
    elements: str
    default: []
  networks:
    description:
      - Networks in which C(ansible_host) is looked for, the best first. Without any, or when nothing fits, it is the first address of the machine.
      - A machine without an address has no C(ansible_host).
    type: list
    elements: str
    default: []
  hostname:
    description: What a host is called.
    type: str
    choices: [hostname, fqdn, system_id]
    default: hostname
  group_by:
    description: What groups are made of. Their names begin with the word and an underscore, for example C(tag_compute), C(status_deployed).
    type: list
    elements: str
    choices: [pool, zone, tag, status]
    default: [pool, zone, tag, status]
"""

EXAMPLES = r"""
# rack.maas.yml: every deployed machine, reached over the machines' network
plugin: stratus.cloud.maas
maas_url: http://10.42.0.1:5240/MAAS
status: [Deployed]
networks: [10.42.0.0/16]
compose:
  ansible_user: "'ubuntu'"
groups:
  big: maas_cpu_count >= 32
keyed_groups:
  - key: maas_distro_series
    prefix: series
cache: true
cache_plugin: ansible.builtin.jsonfile
"""

import ipaddress

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import Client
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import CONSTANTS, status_name
from ansible_collections.stratus.cloud.plugins.plugin_utils.names import name_of

GROUPS = {"pool": "pool", "zone": "zone", "tag": "tags", "status": "status"}


def filters(pool, zone, tags, status):
    """The region's own filters: it shall not return what nobody wants."""
    query = {name: value for name, value in (("pool", pool), ("zone", zone), ("tags", tags)) if value}
    if status:
        names = [status_name(value) for value in status]
        unknown = [name for name in names if name not in CONSTANTS]
        if unknown:
            raise MaasError(f"MAAS has no status {', '.join(map(repr, unknown))}")
        query["status"] = [CONSTANTS[name] for name in names]
    return query


def best_address(addresses, networks):
    """The first address in the first network that has one."""
    found = [ipaddress.ip_address(address) for address in addresses if address]
    for network in networks:
        wanted = ipaddress.ip_network(network, strict=False)
        for address in found:
            if address.version == wanted.version and address in wanted:
                return str(address)
    return str(found[0]) if found else None


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "stratus.cloud.maas"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("maas.yml", "maas.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        try:
            for machine in self._machines(path, cache):
                self._add(machine)
        except ImportError as error:
            raise AnsibleParserError(f"The inventory plugin stratus.cloud.maas needs python-libmaas on the control node: {error}") from error
        except (MaasError, ValueError) as error:
            raise AnsibleParserError(f"{path}: {error}") from error

    def _machines(self, path, cache):
        key = self.get_cache_key(path)
        use = cache and self.get_option("cache")
        if use:
            try:
                return self._cache[key]
            except KeyError:
                pass
        machines = self._fetch()
        if self.get_option("cache"):
            self._cache[key] = machines
        return machines

    def _option(self, name):
        value = self.get_option(name)
        return self.templar.template(value) if isinstance(value, str) else value

    def _fetch(self):
        client = Client(
            self._option("maas_url"),
            self._option("maas_api_key"),
            validate_certs=self.get_option("validate_certs"),
            ca_path=self.get_option("ca_path"),
            read_only=True,
        )
        try:
            query = filters(*(self.get_option(name) for name in ("pool", "zone", "tags", "status")))
            return [summary(machine) for machine in client.read("Machines", what="list machines", **query)]
        finally:
            client.close()

    def _add(self, machine):
        host = self.inventory.add_host(name_of(machine[self.get_option("hostname")]))
        address = best_address(machine["ip_addresses"], self.get_option("networks"))
        if address:
            self.inventory.set_variable(host, "ansible_host", address)
        # What the region says is no template; ansible-core before 2.19 would take it for one.
        variables = {f"maas_{name}": wrap_var(value) for name, value in machine.items()}
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        for kind in self.get_option("group_by"):
            values = machine[GROUPS[kind]]
            for value in values if isinstance(values, list) else [values]:
                if value:
                    group = self._sanitize_group_name(f"{kind}_{value}".lower().replace(" ", "_"))
                    self.inventory.add_child(self.inventory.add_group(group), host)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
