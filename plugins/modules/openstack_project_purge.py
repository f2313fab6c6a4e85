#!/usr/bin/python
# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_project_purge
short_description: Remove a project with everything in it
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
description:
  - Removes a project's stacks, containers, servers, volumes, floating addresses, routers, ports, networks, security groups and images, in the order in which
    they can go, and waits until each is gone. Then the key pairs of O(users), these users, O(flavors), and the project itself.
  - What is not there is no fault, so that the same task cleans up before and after.
  - When something cannot be removed, or a service does not tell what the project has there, the rest is removed all the same. The project then stays,
    so that what is left in it can be found, and the module fails and says what is left and why.
  - The administrator of the connection gets the roles of its token in the project; they go with it.
options:
  project:
    description: Name of the project.
    type: str
    required: true
  domain:
    description: Name or id of the domain of the project and of O(users).
    type: str
    default: default
  description:
    description: What the project's description must be. A project with another one belongs to somebody else; then nothing is removed, and the module fails.
    type: str
  users:
    description: Names of users of O(domain) to remove with it, with their key pairs.
    type: list
    elements: str
    default: []
  flavors:
    description: Names of flavors to remove with it.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds within which the things of each kind must be gone.
    type: float
    default: 180
attributes:
  check_mode:
    support: full
    description: Says what would be removed. What is in a project is told as far as the administrator has a role in it already.
  diff_mode:
    support: full
    description: Shows what is removed.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.openstack) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.openstack
extends_documentation_fragment:
  - stratus.cloud.nova
seealso:
  - name: openstack project cleanup
    description: The client's command, which leaves images, key pairs and users.
    link: https://docs.openstack.org/python-openstackclient/latest/cli/command-objects/project-cleanup.html
"""

EXAMPLES = r"""
- name: Take away a project that was made for a test
  stratus.cloud.openstack_project_purge:
    cloud: mycloud
    project: test-1
    users: [test-1]
    description: Made by the test
"""

RETURN = r"""
removed:
  description: What was removed, or would be.
  returned: always
  type: list
  elements: dict
  contains:
    kind: {description: What it was., type: str}
    id: {description: Its id., type: str}
    name: {description: Its name., type: str}
left:
  description: What is still there, and why.
  returned: always
  type: list
  elements: dict
  contains:
    kind: {description: What it is., type: str}
    id: {description: Its id; empty when a service did not tell what there is., type: str}
    name: {description: Its name., type: str}
    why: {description: What the service said., type: str}
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova
from ansible_collections.stratus.cloud.plugins.module_utils.openstack import purge


def work(module, client):
    # A service that is down for longer is told in `left`.
    client.retry_for = 10.0
    return purge.work(module, purge.Cloud(client))


def main():
    module = nova.module(
        {
            "project": {"type": "str", "required": True},
            "domain": {"type": "str", "default": "default"},
            "description": {"type": "str"},
            "users": {"type": "list", "elements": "str", "default": []},
            "flavors": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "float", "default": 180},
        }
    )
    nova.run(module, work)


if __name__ == "__main__":
    main()
