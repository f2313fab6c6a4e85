# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_sshkey_info
short_description: What a MAAS region knows of SSH keys of the user of the API key
version_added: 0.1.0
description:
  - Reads SSH keys of the user of the API key, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  key:
    description: Only this key; its comment does not matter.
    type: str
"""

EXAMPLES = r"""
- name: All SSH keys of the user of the API key
  stratus.cloud.maas_sshkey_info:
  register: found

- name: One of them
  stratus.cloud.maas_sshkey_info:
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN
"""

RETURN = r"""
sshkeys:
  description: The SSH keys of the user of the API key, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "key": "ssh-ed25519 AAAAC3... ops@host"}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(key=dict(type="str", no_log=False)), supports_check_mode=True)
    run(module, listing("sshkeys", "key"))


if __name__ == "__main__":
    main()
