# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_fabric
short_description: Fabrics of a MAAS region
version_added: 0.1.0
description:
  - Creates, changes or deletes a fabric.
  - A fabric that has subnets, and the default one, cannot be deleted.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  name:
    description: Name.
    type: str
    required: true
  description:
    description: A description. The region takes it when the fabric is created and never tells it again, so it is not compared.
    type: str
  class_type:
    description: Class of the fabric, for example V(10g).
    type: str
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: The storage switches
  stratus.cloud.maas_fabric:
    name: storage
    class_type: 10g
"""

RETURN = r"""
fabric:
  description: The fabric as the region describes it.
  returned: success
  type: dict
  sample: {"id": 2, "name": "storage", "class_type": "10g", "vlans": []}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import FABRIC
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import ensure_module


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            name=dict(type="str", required=True),
            description=dict(type="str"),
            class_type=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, ensure_module(FABRIC, "fabric"))


if __name__ == "__main__":
    main()
