# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_zone_info
short_description: What a MAAS region knows of zones
version_added: 0.1.0
description:
  - Reads zones, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  name:
    description: Only the zone of this name.
    type: str
"""

EXAMPLES = r"""
- name: All zones
  stratus.cloud.maas_zone_info:
  register: found

- name: One of them
  stratus.cloud.maas_zone_info:
    name: rack-a
"""

RETURN = r"""
zones:
  description: The zones, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "name": "default", "description": ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(name=dict(type="str")), supports_check_mode=True)
    run(module, listing("zones", "name"))


if __name__ == "__main__":
    main()
