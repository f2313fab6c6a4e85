#!/usr/bin/python
# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_drain_info
short_description: What prevents taking compute hosts out of the cloud
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
description:
  - Judges what would happen if hosts left; where their servers could go, with the room that Placement gives the others and its ratios,
    which servers cannot move and why, and which networks the hosts serve.
  - No server is planned from one of these hosts to another of them, whether they are disabled yet or not.
  - Says also what the cloud still knows of hosts that are gone.
options:
  hosts:
    description: The hosts, by the names of their compute services; a short name does where it is the only one. One that has none is no error.
    type: list
    elements: str
    required: true
  accept_network:
    description: Whether hosts may leave that serve networks (gateways of routers, DHCP); RV(problems) says nothing of these then.
    type: bool
    default: false
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.reads
seealso:
  - module: stratus.cloud.nova_live_migration
  - module: stratus.cloud.nova_compute_service
"""

EXAMPLES = r"""
- name: Look for what prevents it
  stratus.cloud.nova_drain_info:
    cloud: mycloud
    hosts: [compute2]
  register: leaving

- name: Stop then
  ansible.builtin.assert:
    that: leaving.problems == []
    fail_msg: "{{ leaving.problems | join(' ') }}"
"""

RETURN = r"""
problems:
  description: What prevents it, one sentence each; empty when nothing does.
  returned: success
  type: list
  elements: str
  sample: ["Server db1 on compute2 cannot move: is stopped, and only what runs is migrated live: start it, or migrate it cold."]
services:
  description: The compute services of those of the hosts that have one, as M(stratus.cloud.nova_compute_service_info) has them.
  returned: success
  type: list
  elements: dict
absent:
  description: Those of the hosts that nova does not know.
  returned: success
  type: list
  elements: str
rest:
  description: The hosts that take servers afterwards.
  returned: success
  type: list
  elements: str
plan:
  description: The servers that can move, with where each would probably go, what it needs, and what to know of it.
  returned: success
  type: list
  elements: dict
unmovable:
  description: The servers that cannot, each with its reason.
  returned: success
  type: list
  elements: dict
network:
  description: For each host what it does for networks of the cloud.
  returned: success
  type: dict
left:
  description: For each name what nova, Placement and Neutron know of it.
  returned: success
  type: dict
  sample: {"compute2": {"service": null, "servers": [], "agents": [], "providers": []}}
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import leaving
from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova


def main():
    options = {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "accept_network": {"type": "bool", "default": False},
    }
    nova.run(nova.module(options), leaving.work)


if __name__ == "__main__":
    main()
