# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_init
short_description: Initialise a Vault, once for ever, and keep its keys
description:
  - Initialises Vault through one of its units and writes the keys and the root token to a file before anything else happens.
  - A Vault that is initialised, and whose keys file is there, is left alone. A keys file is never overwritten.
  - A run that ended between the request and the writing is recognised by the marker that it left, and explained.
  - Keys and tokens appear in no output.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  key_shares:
    description: Into how many keys the master key is split.
    type: int
    default: 5
  key_threshold:
    description: How many of them unseal Vault.
    type: int
    default: 3
  keys_file:
    description:
      - File that receives the keys, as JSON, with mode 0600, in a directory of mode 0700, on the host that the module runs on.
    type: path
    required: true
  keys_password:
    description: Encrypt the keys file in the format of C(ansible-vault) with this password.
    type: str
  sink_command:
    description:
      - A command that is given the keys as JSON on its standard input once the file is written, to hand them to a safe.
      - When it fails the task fails, the file stays, and the next run hands the keys over again, until the command has taken them.
    type: list
    elements: str
  remove_after_sink:
    description: Remove the keys file after O(sink_command) has taken the keys. The next run then needs O(require_keys=false).
    type: bool
    default: false
  require_keys:
    description: Whether a Vault that is initialised, and whose keys file is missing, is a failure.
    type: bool
    default: true
extends_documentation_fragment:
  - stratus.cloud.vault
"""

EXAMPLES = r"""
- name: Initialise Vault
  stratus.cloud.vault_init:
    vault_addr: http://10.0.0.9:8200
    keys_file: ~/.stratus/mycloud/vault-keys.json
    key_shares: 5
    key_threshold: 3
"""

RETURN = r"""
initialized:
  description: Whether Vault is initialised. False only in check mode.
  returned: success
  type: bool
recovered:
  description: Whether keys that an interrupted run had written, and had not put in place yet, were put in place.
  returned: success
  type: bool
keys_file:
  description: Where the keys are.
  returned: success
  type: str
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.vault import client, keys, steps
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import VaultFault


def sink(module, kept):
    command = module.params["sink_command"]
    if not command:
        return
    code, out, err = module.run_command(command, data=json.dumps(kept.read()), binary_data=False)
    if code:
        raise VaultFault(f"the keys are in {kept.path}, and {command[0]} did not take them: it ended with {code}", rc=code, changed=True)
    kept.settled()
    if module.params["remove_after_sink"]:
        os.unlink(kept.path)


def work(module):
    options = module.params
    kept = keys.KeysFile(options["keys_file"], options["keys_password"])
    unit = client.unit(options)
    there = kept.exists()
    found = steps.initialize(
        unit, kept, options["key_shares"], options["key_threshold"], module.check_mode, options["require_keys"], owe=bool(options["sink_command"])
    )
    before = {"initialized": there or found["recovered"] or not found["changed"], "keys_file": kept.path}
    if kept.owing() and options["sink_command"] and (kept.exists() or found["recovered"]):
        found["changed"] = True
        if not module.check_mode:
            sink(module, kept)
    return {**found, "keys_file": kept.path, "diff": {"before": before, "after": {"initialized": True, "keys_file": kept.path}}}


def main():
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION,
            "key_shares": {"type": "int", "default": 5, "no_log": False},
            "key_threshold": {"type": "int", "default": 3, "no_log": False},
            "keys_file": {"type": "path", "required": True, "no_log": False},
            "keys_password": {"type": "str", "no_log": True},
            "sink_command": {"type": "list", "elements": "str"},
            "remove_after_sink": {"type": "bool", "default": False},
            "require_keys": {"type": "bool", "default": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        answer = work(module)
    except VaultFault as error:
        plain.fail(module, str(error), error.result)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
