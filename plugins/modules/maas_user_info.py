# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_user_info
short_description: What a MAAS region knows of users
version_added: 0.1.0
description:
  - Reads users, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  username:
    description: Only the user of this name.
    type: str
"""

EXAMPLES = r"""
- name: All users
  stratus.cloud.maas_user_info:
  register: found

- name: One of them
  stratus.cloud.maas_user_info:
    username: admin
"""

RETURN = r"""
users:
  description: The users, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"username": "admin", "email": "admin@example.com", "is_superuser": true}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(username=dict(type="str")), supports_check_mode=True)
    run(module, listing("users", "username"))


if __name__ == "__main__":
    main()
