# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_user
short_description: Users of a MAAS region
version_added: 0.1.0
description:
  - Creates or deletes a user.
  - The region's API cannot change a user. Another O(email) or O(is_superuser) than the user has is an error, and O(password) is only for creation.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  username:
    description: Name of the user.
    type: str
    required: true
  email:
    description: Address; needed to create the user.
    type: str
  password:
    description: Password; needed to create the user, and not compared afterwards.
    type: str
  is_superuser:
    description: Whether the user is an administrator. A new one is not, unless it is said.
    type: bool
  transfer_resources_to:
    description: With O(state=absent), the user who gets the machines and addresses of the one that is deleted.
    type: str
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: A colleague
  stratus.cloud.maas_user:
    username: ana
    email: ana@example.com
    password: "{{ vault_ana_password }}"
"""

RETURN = r"""
user:
  description: The user as the region describes it.
  returned: success
  type: dict
  sample: {"username": "ana", "email": "ana@example.com", "is_superuser": false, "is_local": true}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ensure_user
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            username=dict(type="str", required=True),
            email=dict(type="str"),
            password=dict(type="str", no_log=True),
            is_superuser=dict(type="bool"),
            transfer_resources_to=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_user(client, module.params).exit("user"))


if __name__ == "__main__":
    main()
