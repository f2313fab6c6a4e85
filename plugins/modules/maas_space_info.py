# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_space_info
short_description: What a MAAS region knows of spaces
version_added: 0.1.0
description:
  - Reads spaces, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  name:
    description: Only the space of this name.
    type: str
"""

EXAMPLES = r"""
- name: All spaces
  stratus.cloud.maas_space_info:
  register: found

- name: One of them
  stratus.cloud.maas_space_info:
    name: internal
"""

RETURN = r"""
spaces:
  description: The spaces, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "name": "internal"}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(name=dict(type="str")), supports_check_mode=True)
    run(module, listing("spaces", "name"))


if __name__ == "__main__":
    main()
