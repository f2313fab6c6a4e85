# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_unseal
short_description: Unseal a unit of Vault
description:
  - Unseals one unit, at its own address, when it is sealed. Run it for each unit, and again after every restart.
  - Keys appear in no output.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  keys_file:
    description: The file that M(stratus.cloud.vault_init) wrote. One of O(keys_file) and O(keys) is needed.
    type: path
  keys_password:
    description: Password of a keys file that is encrypted.
    type: str
  keys:
    description: The keys themselves, in hexadecimal or base64.
    type: list
    elements: str
extends_documentation_fragment:
  - stratus.cloud.vault
"""

EXAMPLES = r"""
- name: Unseal every unit
  stratus.cloud.vault_unseal:
    vault_addr: "http://{{ item.address }}:8200"
    keys_file: ~/.stratus/mycloud/vault-keys.json
  loop: "{{ vault_units }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
sealed:
  description: Whether the unit is sealed. True only in check mode.
  returned: success
  type: bool
was_sealed:
  description: Whether it was.
  returned: success
  type: bool
threshold:
  description: How many keys it takes.
  returned: success
  type: int
version:
  description: Version of Vault.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.vault import client, keys, steps
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import VaultFault


def main():
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION,
            "keys_file": {"type": "path", "no_log": False},
            "keys_password": {"type": "str", "no_log": True},
            "keys": {"type": "list", "elements": "str", "no_log": True},
        },
        required_one_of=[("keys_file", "keys")],
        mutually_exclusive=[("keys_file", "keys")],
        supports_check_mode=True,
    )
    options = module.params

    def given():
        return options["keys"] or keys.KeysFile(options["keys_file"], options["keys_password"]).read()["keys_base64"]

    try:
        answer = steps.unseal(client.unit(options), given, module.check_mode)
    except VaultFault as error:
        plain.fail(module, str(error), error.result)
    module.exit_json(**answer, diff={"before": {"sealed": answer["was_sealed"]}, "after": {"sealed": False}})


if __name__ == "__main__":
    main()
