# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_rebalance
short_description: Even the load over compute hosts with the fewest moves
version_added: "0.1.0"
description:
  - Plans the fewest live migrations after which the hosts' loads differ by no more than O(tolerance), and carries them out.
  - The load of a host is the allocated share of what may be allocated there, by Placement and its ratios, of the scarcest of O(resources).
  - The plan never asks a host for more than it has, keeps servers of (anti-)affinity groups apart and together (soft policies as
    well), leaves availability zones to themselves, and neither gives to nor takes from hosts that are disabled or down.
  - Servers that are stopped, busy, locked or in error stay, and those whose flavor asks for more than amounts (traits, pinned CPUs, devices, aggregates).
  - In check mode it returns the plan; the diff shows the load of each host before and after.
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  tolerance:
    description: Percent points by which the loads of the hosts of a zone may differ.
    type: float
    default: 10
  resources:
    description: The resource classes that count for the load.
    type: list
    elements: str
    default: [VCPU, MEMORY_MB]
  hosts:
    description: Only these hosts give and take.
    type: list
    elements: str
  exclude_servers:
    description: Servers that stay where they are, by name or id.
    type: list
    elements: str
    default: []
  max_moves:
    description: So many moves at most. The plan then evens as much as it can with these.
    type: int
  plan:
    description: >-
      The plan that was agreed to, as RV(plan) of an earlier call has it. When another one is due by now, for servers that came or went, the module
      fails and moves nothing.
    type: list
    elements: dict
  max_failures:
    description: After so many failed moves no other is begun; those under way end.
    type: int
    default: 1
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.writes
  - stratus.cloud.nova.migrates
  - stratus.cloud.wait
seealso:
  - module: stratus.cloud.nova_live_migration
"""

EXAMPLES = r"""
- name: What would be moved
  stratus.cloud.nova_rebalance:
    cloud: stratus
  check_mode: true
  diff: true
  register: rebalance

- name: Move it, one at a time
  stratus.cloud.nova_rebalance:
    cloud: stratus
    concurrency: 1
    exclude_servers: [db-1]
"""

RETURN = r"""
plan:
  description: The moves, in their order.
  returned: always
  type: list
  elements: dict
  sample: [{"server": "web-1", "id": "6f70...", "from": "compute0", "to": "compute1", "needs": {"VCPU": 2, "MEMORY_MB": 4096}, "facts": []}]
hosts:
  description: The load of each host before the plan, and after it when all goes well.
  returned: always
  type: dict
  sample: {"before": {"compute0": {"load": 80.0, "zone": "nova", "servers": 4, "resources": {"VCPU": [8, 10]}}}, "after": {}}
spread:
  description: For each availability zone the percentage points between its most and its least loaded host, before and after.
  returned: always
  type: dict
  sample: {"before": {"nova": 80.0}, "after": {"nova": 0.0}}
staying:
  description: Servers that the plan leaves where they are whatever the load, and why.
  returned: always
  type: list
  elements: dict
migrations:
  description: What came of each move.
  returned: when something was asked for
  type: list
  elements: dict
  sample: [{"server": "web-1", "id": "6f70...", "from": "compute0", "to": "compute1", "state": "completed", "reason": "", "seconds": 5.1}]
waited:
  description: Seconds that were waited.
  returned: always
  type: float
progress:
  description: The changes of state that were seen.
  returned: when something was asked for
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova
from ansible_collections.stratus.cloud.plugins.module_utils.nova import rebalance


def main():
    module = nova.module(
        {
            "tolerance": {"type": "float", "default": 10},
            "resources": {"type": "list", "elements": "str", "default": ["VCPU", "MEMORY_MB"]},
            "hosts": {"type": "list", "elements": "str"},
            "exclude_servers": {"type": "list", "elements": "str", "default": []},
            "max_moves": {"type": "int"},
            "plan": {"type": "list", "elements": "dict"},
            "max_failures": {"type": "int", "default": 1},
            **nova.MIGRATES,
        }
    )
    nova.run(module, rebalance.work)


if __name__ == "__main__":
    main()
