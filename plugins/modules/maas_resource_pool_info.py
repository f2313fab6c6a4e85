# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_resource_pool_info
short_description: What a MAAS region knows of resource pools
version_added: 0.1.0
description:
  - Reads resource pools, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  name:
    description: Only the pool of this name.
    type: str
"""

EXAMPLES = r"""
- name: All resource pools
  stratus.cloud.maas_resource_pool_info:
  register: found

- name: One of them
  stratus.cloud.maas_resource_pool_info:
    name: openstack
"""

RETURN = r"""
resource_pools:
  description: The resource pools, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 0, "name": "default", "description": "Default pool"}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(name=dict(type="str")), supports_check_mode=True)
    run(module, listing("resource_pools", "name"))


if __name__ == "__main__":
    main()
