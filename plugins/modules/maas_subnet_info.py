# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_subnet_info
short_description: What a MAAS region knows of subnets
version_added: 0.1.0
description:
  - Reads subnets, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  cidr:
    description: Only the subnet with this CIDR.
    type: str
"""

EXAMPLES = r"""
- name: All subnets
  stratus.cloud.maas_subnet_info:
  register: found

- name: One of them
  stratus.cloud.maas_subnet_info:
    cidr: 10.42.0.0/16
"""

RETURN = r"""
subnets:
  description: The subnets, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "cidr": "10.42.0.0/16", "gateway_ip": "10.42.0.1", "managed": true}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(cidr=dict(type="str")), supports_check_mode=True)
    run(module, listing("subnets", "cidr"))


if __name__ == "__main__":
    main()
