# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_host_capacity_info
short_description: Whether the other hosts can take what is on some
version_added: "0.1.0"
description:
  - Judges every server on the given hosts as M(stratus.cloud.nova_live_migration) does before it begins, and finds a place for each on
    the hosts that stay, by what Placement says with its ratios.
  - The places are a forecast, the largest servers first. Where it finds none, nova's scheduler may still find one by moving in another order.
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  hosts:
    description: The hosts that are to be emptied, by the names of their compute services or by short names.
    type: list
    elements: str
    required: true
    aliases: [host]
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.reads
seealso:
  - module: stratus.cloud.nova_live_migration
"""

EXAMPLES = r"""
- name: Can compute2 go
  stratus.cloud.nova_host_capacity_info:
    cloud: stratus
    hosts: compute2
  register: without
- name: Stop when it cannot
  ansible.builtin.assert:
    that: without.fits
    fail_msg: "{{ without.reason or without.unmovable }}"
"""

RETURN = r"""
fits:
  description: Whether there is another host, and a place for every server.
  returned: success
  type: bool
reason:
  description: Why no server can go at all; empty when some can.
  returned: success
  type: str
plan:
  description: The servers that have a place, and which.
  returned: success
  type: list
  elements: dict
  sample: [{"server": "web-1", "id": "6f70...", "from": "compute2", "to": "compute1", "needs": {"VCPU": 2, "MEMORY_MB": 4096}, "facts": []}]
unmovable:
  description: The servers that have none or cannot be moved live, and why.
  returned: success
  type: list
  elements: dict
  sample: [{"server": "db-1", "id": "c1d2...", "from": "compute2", "reason": "no host can take it: compute1 2 of 4 VCPU free"}]
remaining:
  description: The hosts that stay and are enabled and up.
  returned: success
  type: list
  elements: str
loads:
  description: The allocated share of the hosts that stay, in percent, C(before) and C(after).
  returned: success
  type: dict
  sample: {"before": {"compute1": 25.0}, "after": {"compute1": 50.0}}
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import drain
from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova


def main():
    module = nova.module({"hosts": {"type": "list", "elements": "str", "required": True, "aliases": ["host"]}})
    nova.run(module, drain.capacity)


if __name__ == "__main__":
    main()
