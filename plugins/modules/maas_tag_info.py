# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_tag_info
short_description: What a MAAS region knows of tags
version_added: 0.1.0
description:
  - Reads tags, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  name:
    description: Only the tag of this name.
    type: str
"""

EXAMPLES = r"""
- name: All tags
  stratus.cloud.maas_tag_info:
  register: found

- name: One of them
  stratus.cloud.maas_tag_info:
    name: compute
"""

RETURN = r"""
tags:
  description: The tags, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "compute", "comment": "", "definition": "", "kernel_opts": ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(name=dict(type="str")), supports_check_mode=True)
    run(module, listing("tags", "name"))


if __name__ == "__main__":
    main()
