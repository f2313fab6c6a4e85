# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines of the inventory in the form that maas_machine takes."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import BMC_WORDS

DOCUMENTATION = r"""
name: rack_machines
short_description: Machines of the inventory as stratus.cloud.maas_machine takes them
version_added: 0.1.0
description:
  - Turns host names into declarations of machines, from the host variables C(mac_addresses), C(bmc), C(architecture), and from C(machine_zone),
    C(machine_pool), C(machine_domain) and C(machine_description) where they exist.
  - A machine without C(bmc) is one that somebody switches on, unless MAAS finds its BMC by itself.
positional: hostvars
options:
  _input:
    description: Host names.
    type: list
    elements: str
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Declare the compute machines
  stratus.cloud.maas_machine:
    machines: "{{ groups['compute'] | stratus.cloud.rack_machines(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One declaration for each host, in the order given.
  type: list
  elements: dict
"""


def rack_machines(hosts, hostvars):
    machines = []
    for host in hosts:
        values = hostvars[host]
        macs = values.get("mac_addresses") or []
        machine = {
            "hostname": host,
            "mac_addresses": [macs] if isinstance(macs, str) else list(macs),
            "architecture": values.get("architecture", "amd64/generic"),
        }
        if bmc := values.get("bmc"):
            machine["power_type"] = bmc.get("type", "ipmi")
            plain = {name: str(bmc[word]) for word, name in BMC_WORDS.items() if bmc.get(word) is not None}
            machine["power_parameters"] = {**plain, **bmc.get("parameters", {})}
        else:
            # Unless MAAS finds a BMC by itself, somebody switches it on.
            machine["default_power_type"] = "manual"
        for key in ("zone", "pool", "domain", "description"):
            if values.get(f"machine_{key}"):
                machine[key] = values[f"machine_{key}"]
        machines.append(machine)
    return machines


class FilterModule:
    def filters(self):
        return {"rack_machines": rack_machines}
