# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: keystone_service
short_description: A service in Keystone's catalog, with its endpoints and its accounts
version_added: "0.1.0"
description:
  - Makes or removes the entry of a service, its endpoints in one region, and the users that it works as, with their roles.
  - Keystone lets anybody make a second service of the same type, and clients then take either. So a service is looked for by its type. One with
    another name, or a second one, is an error that names them.
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  name:
    description: Name of the service.
    type: str
    required: true
  type:
    description: Its type, by which clients find it.
    type: str
    required: true
  description:
    description: What it is; only used when the service is made.
    type: str
    default: ""
  region:
    description: Region of the endpoints. It must exist.
    type: str
    default: RegionOne
  endpoints:
    description: URLs by interface (V(public), V(internal), V(admin)). An interface that is not named is left alone.
    type: dict
    default: {}
  users:
    description: Users that the service works as.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Password of the user; needed to make one.
        type: str
  domain:
    description: Domain of the users and of the project.
    type: str
    default: service_domain
  project:
    description: Project in which the users get their roles.
    type: str
    default: services
  roles:
    description: These roles, in any case. One that Keystone does not have is made.
    type: list
    elements: str
    default: [admin, service]
  update_passwords:
    description: Whether users that exist already get the passwords of O(users). Keystone shows no password, so this is always a change.
    type: bool
    default: false
  state:
    description:
      - Whether there shall be a service, its endpoints in O(region) and its users.
      - With V(absent) the region's endpoints go, and with the last region's the service and the users.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.writes
"""

EXAMPLES = r"""
- name: Zun in the catalog
  stratus.cloud.keystone_service:
    cloud: stratus
    name: zun
    type: container
    description: Containers
    endpoints:
      public: http://192.0.2.10:9517/v1
      internal: http://192.0.2.10:9517/v1
    users:
      - name: zun
        password: "{{ zun_password }}"
"""

RETURN = r"""
steps:
  description: What was made, changed or removed, or would be.
  returned: success
  type: list
  elements: str
kept_for:
  description: Other regions that have endpoints of the service, for which it and its users stay.
  returned: when O(state=absent)
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.keystone import registration
from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova


def main():
    module = nova.module(
        {
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "region": {"type": "str", "default": "RegionOne"},
            "endpoints": {"type": "dict", "default": {}},
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}},
            },
            "domain": {"type": "str", "default": "service_domain"},
            "project": {"type": "str", "default": "services"},
            "roles": {"type": "list", "elements": "str", "default": ["admin", "service"]},
            "update_passwords": {"type": "bool", "default": False, "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
    nova.run(module, registration.work)


if __name__ == "__main__":
    main()
