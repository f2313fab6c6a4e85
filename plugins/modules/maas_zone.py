# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_zone
short_description: Zones of a MAAS region
version_added: 0.1.0
description:
  - Creates, changes or deletes a zone.
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
    description: A description.
    type: str
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: One zone for each rack
  stratus.cloud.maas_zone:
    name: rack-a
    description: Left of the door
"""

RETURN = r"""
zone:
  description: The zone as the region describes it.
  returned: success
  type: dict
  sample: {"id": 2, "name": "rack-a", "description": "Left of the door"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ZONE
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import ensure_module


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            name=dict(type="str", required=True),
            description=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, ensure_module(ZONE, "zone"))


if __name__ == "__main__":
    main()
