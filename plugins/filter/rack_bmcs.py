# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""BMCs of the inventory's machines in the form that bmc_info takes."""

from __future__ import annotations

from collections.abc import Mapping

DOCUMENTATION = r"""
name: rack_bmcs
short_description: BMCs of the inventory's machines as stratus.cloud.bmc_info takes them
version_added: 0.1.0
description:
  - Takes the host variable C(bmc) of every host. BMCs that speak something else than IPMI are left out, and so are those whose variables are not
    complete; M(stratus.cloud.preflight) tells what is missing there.
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
- name: Ask the BMCs of the compute machines
  stratus.cloud.bmc_info:
    bmcs: "{{ groups['compute'] | stratus.cloud.rack_bmcs(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One entry for each BMC, in the order of the hosts.
  type: list
  elements: dict
"""

PLACEHOLDER = "CHANGE-ME"


def rack_bmcs(hosts, hostvars):
    found = []
    for host in hosts:
        bmc = hostvars[host].get("bmc")
        if not isinstance(bmc, Mapping) or bmc.get("type", "ipmi") != "ipmi":
            continue
        entry = {key: str(bmc.get(key) or "") for key in ("address", "user", "password")}
        if all(entry.values()) and PLACEHOLDER not in entry.values():
            found.append({"name": host, **entry, **({"port": int(bmc["port"])} if str(bmc.get("port", "")).isdigit() else {})})
    return found


class FilterModule:
    def filters(self):
        return {"rack_bmcs": rack_bmcs}
