# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which declared machines a region has not seen yet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_machines
short_description: Host names of the declared machines that a region does not know by any of their MAC addresses
version_added: 0.1.0
description:
  - Compares declarations as C(stratus.cloud.maas_machine) takes them with machines as C(stratus.cloud.maas_machine_info) returns them.
positional: known
options:
  _input:
    description: Declared machines, each with C(hostname) and C(mac_addresses).
    type: list
    elements: dict
    required: true
  known:
    description: Machines of the region.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Wait until both machines have booted from the network
  stratus.cloud.maas_machine_info:
  register: region
  until: declared | stratus.cloud.unknown_machines(region.machines) | length == 0
"""

RETURN = r"""
_value:
  description: Host names, in the order of the declarations.
  type: list
  elements: str
"""


def addresses(machine):
    """Every MAC address of a machine, as the region returns it or as it was declared."""
    found = [*(machine.get("mac_addresses") or [])]
    for interface in [*(machine.get("interface_set") or []), machine.get("boot_interface") or {}]:
        found.append(interface.get("mac_address"))
    return {str(mac).lower().replace("-", ":") for mac in found if mac}


def unknown_machines(declared, known):
    seen = set().union(*(addresses(machine) for machine in known))
    return [machine["hostname"] for machine in declared if not addresses(machine) & seen]


class FilterModule:
    def filters(self):
        return {"unknown_machines": unknown_machines}
