# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_boot_selection
short_description: Which images a MAAS region takes from a boot source
version_added: 0.1.0
description:
  - Selects a release and its architectures from a boot source, or takes the selection away.
  - What is selected arrives with the next import, see M(stratus.cloud.maas_boot_resources).
  - A region takes a selection only once it has read what the boot source offers, some time after its start; the module tries again for up to five minutes.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  os:
    description: Operating system.
    type: str
    default: ubuntu
  release:
    description: Release, for example V(jammy).
    type: str
    required: true
  arches:
    description: Architectures.
    type: list
    elements: str
    default: [amd64]
  subarches:
    description: Kernels and platforms; V(*) for all.
    type: list
    elements: str
    default: ["*"]
  labels:
    description: Labels of images; V(*) for all.
    type: list
    elements: str
    default: ["*"]
  boot_source_url:
    description: The boot source; without it the first one, which is what a fresh region has.
    type: str
  state:
    description: Whether the selection is there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: stratus.cloud.maas_boot_resources
  - module: stratus.cloud.maas_boot_source
"""

EXAMPLES = r"""
- name: Ubuntu 22.04 for amd64
  stratus.cloud.maas_boot_selection:
    release: jammy

- name: Two architectures from a mirror
  stratus.cloud.maas_boot_selection:
    release: noble
    arches: [amd64, arm64]
    boot_source_url: http://mirror.example.com/ephemeral-v3/stable/
"""

RETURN = r"""
selection:
  description: The selection as the region describes it.
  returned: success
  type: dict
  sample: {"id": 2, "os": "ubuntu", "release": "noble", "arches": ["amd64"], "subarches": ["*"], "labels": ["*"], "boot_source_id": 1}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.images import ensure_selection
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def work(module, client):
    result = ensure_selection(client, module.params)
    return result.exit("selection") if result else dict(changed=False, diff=dict(before={}, after={}), selection={})


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            os=dict(type="str", default="ubuntu"),
            release=dict(type="str", required=True),
            arches=dict(type="list", elements="str", default=["amd64"]),
            subarches=dict(type="list", elements="str", default=["*"]),
            labels=dict(type="list", elements="str", default=["*"]),
            boot_source_url=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
