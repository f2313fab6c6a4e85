# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_boot_source
short_description: Where a MAAS region takes its images from
version_added: 0.1.0
description:
  - Adds, changes or removes a boot source.
  - With O(previous_url) an existing source is pointed elsewhere, for example from the public one to a mirror; its selections stay.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  url:
    description: URL of the image stream.
    type: str
    required: true
  previous_url:
    description: URL of a source that shall have O(url) from now on.
    type: str
  keyring_filename:
    description: Keyring on the region controller that the stream is signed with.
    type: path
  keyring_data:
    description: The keyring itself, encoded as base64.
    type: str
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: stratus.cloud.maas_boot_selection
"""

EXAMPLES = r"""
- name: From the mirror in the house
  stratus.cloud.maas_boot_source:
    url: http://mirror.example.com/ephemeral-v3/stable/
    previous_url: http://images.maas.io/ephemeral-v3/stable/
    keyring_filename: /usr/share/keyrings/ubuntu-cloudimage-keyring.gpg
"""

RETURN = r"""
boot_source:
  description: The boot source as the region describes it.
  returned: success
  type: dict
  sample: {"id": 1, "url": "http://mirror.example.com/ephemeral-v3/stable/", "keyring_filename": "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.images import ensure_source
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            url=dict(type="str", required=True),
            previous_url=dict(type="str"),
            keyring_filename=dict(type="path"),
            keyring_data=dict(type="str", no_log=False),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        mutually_exclusive=[("keyring_filename", "keyring_data")],
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_source(client, module.params).exit("boot_source"))


if __name__ == "__main__":
    main()
