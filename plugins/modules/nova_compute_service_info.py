# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_compute_service_info
short_description: Compute hosts, their state, room and servers
version_added: "0.1.0"
description:
  - Reads the compute services with what Placement says of the hosts' room.
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  hosts:
    description: Only these, by the names of their compute services or by short names. Hosts that nova does not know are in RV(missing).
    type: list
    elements: str
    aliases: [host]
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.reads
"""

EXAMPLES = r"""
- name: Look at all hosts
  stratus.cloud.nova_compute_service_info:
    cloud: stratus
  register: nova
- name: Show those that are not up
  ansible.builtin.debug:
    msg: "{{ nova.services | rejectattr('state', 'eq', 'up') | map(attribute='host') }}"
"""

RETURN = r"""
services:
  description: The services.
  returned: success
  type: list
  elements: dict
  contains:
    host: {description: Name of the host., type: str}
    id: {description: Id of the service., type: str}
    zone: {description: Its availability zone., type: str}
    status: {description: V(enabled) or V(disabled)., type: str}
    state: {description: V(up) or V(down)., type: str}
    disabled_reason: {description: Why it is disabled., type: str}
    forced_down: {description: Whether somebody said that it is down., type: bool}
    room: {description: "What may be allocated of each resource class, by Placement and its ratios.", type: dict}
    used: {description: What is allocated of it., type: dict}
    load: {description: "The allocated share, in percent, of VCPU or MEMORY_MB, whichever is more.", type: float}
    servers: {description: Ids of what holds an allocation on it., type: list}
missing:
  description: Names among O(hosts) that no compute service has.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova
from ansible_collections.stratus.cloud.plugins.module_utils.nova import services


def main():
    module = nova.module({"hosts": {"type": "list", "elements": "str", "aliases": ["host"]}})
    nova.run(module, services.look)


if __name__ == "__main__":
    main()
