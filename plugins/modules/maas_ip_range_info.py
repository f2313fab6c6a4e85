# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_ip_range_info
short_description: What a MAAS region knows of address ranges
version_added: 0.1.0
description:
  - Reads address ranges, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  subnet:
    description: Only the ranges of the subnet with this CIDR.
    type: str
"""

EXAMPLES = r"""
- name: All address ranges
  stratus.cloud.maas_ip_range_info:
  register: found

- name: One of them
  stratus.cloud.maas_ip_range_info:
    subnet: 10.42.0.0/16
"""

RETURN = r"""
ip_ranges:
  description: The address ranges, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "type": "dynamic", "start_ip": "10.42.191.255", "end_ip": "10.42.255.254"}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(subnet=dict(type="str")), supports_check_mode=True)
    run(module, listing("ip_ranges", "subnet"))


if __name__ == "__main__":
    main()
