# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_sshkey
short_description: SSH keys of the MAAS user
version_added: 0.1.0
description:
  - Adds a public SSH key to the user of the API key, or removes it. Machines that this user deploys accept it.
  - Keys are compared by type and key; the comment does not matter.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  key:
    description: The public key, as in a C(.pub) file.
    type: str
    required: true
  state:
    description: Whether the key is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: The operator's key
  stratus.cloud.maas_sshkey:
    key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
"""

RETURN = r"""
sshkey:
  description: The key as the region describes it.
  returned: success
  type: dict
  sample: {"id": 1, "key": "ssh-ed25519 AAAAC3... ops@host", "keysource": null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import SSHKEY
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import ensure


def work(module, client):
    return ensure(client, SSHKEY, {"key": module.params["key"].strip()}, module.params["state"]).exit("sshkey")


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            # A public key: nothing in it is secret.
            key=dict(type="str", required=True, no_log=False),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
