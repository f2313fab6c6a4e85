# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_boot_resources
short_description: Import images into a MAAS region, and wait for them
version_added: 0.1.0
description:
  - Starts the import of images when one of the releases asked for is not complete and no import runs.
  - Waits until the region has the images and every rack controller has them too; machines can boot from the network only then.
  - An import that does not move is stopped and started again, O(stall_retries) times, before the module gives up.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
  - stratus.cloud.wait
options:
  os:
    description: Operating system.
    type: str
    default: ubuntu
  releases:
    description: Releases that have to be complete. They have to be selected, see M(stratus.cloud.maas_boot_selection).
    type: list
    elements: str
    required: true
  arches:
    description: Architectures that have to be complete for each release.
    type: list
    elements: str
    default: [amd64]
    aliases: [arch]
  state:
    description: V(imported) is the only one.
    type: str
    choices: [imported]
    default: imported
  stall_after:
    description: Seconds without any progress after which an import counts as stalled.
    type: float
    default: 900
  stall_retries:
    description: How often a stalled import is started anew.
    type: int
    default: 1
  wait_timeout:
    default: 7200
seealso:
  - module: stratus.cloud.maas_boot_selection
"""

EXAMPLES = r"""
- name: Start the import, and do other things meanwhile
  stratus.cloud.maas_boot_resources:
    releases: [jammy]
    wait: false

- name: Now the images are needed
  stratus.cloud.maas_boot_resources:
    releases: [jammy]
    wait_timeout: 3600
"""

RETURN = r"""
resources:
  description: The images asked for, one for each kernel.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "name": "ubuntu/jammy", "architecture": "amd64/ga-22.04", "type": "Synced"}]
images:
  description: State of each image and of each rack controller, V(complete) or how far it is.
  returned: success
  type: dict
  sample: {"ubuntu/jammy amd64": "complete", "rack controller": "complete"}
importing:
  description: Whether an import is running.
  returned: success
  type: bool
waited:
  description: Seconds spent waiting.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.images import ensure_imported
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run, wait_spec


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            os=dict(type="str", default="ubuntu"),
            releases=dict(type="list", elements="str", required=True),
            arches=dict(type="list", elements="str", default=["amd64"], aliases=["arch"]),
            state=dict(type="str", choices=["imported"], default="imported"),
            stall_after=dict(type="float", default=900),
            stall_retries=dict(type="int", default=1),
            **wait_spec(7200),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_imported(client, module.params))


if __name__ == "__main__":
    main()
