# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_dns_resource_info
short_description: What a MAAS region knows of names in the DNS
version_added: 0.1.0
description:
  - Reads names in the DNS, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  fqdn:
    description: Only this name.
    type: str
"""

EXAMPLES = r"""
- name: All names in the DNS
  stratus.cloud.maas_dns_resource_info:
  register: found

- name: One of them
  stratus.cloud.maas_dns_resource_info:
    fqdn: dashboard.maas
"""

RETURN = r"""
dns_resources:
  description: The names in the DNS, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 4, "fqdn": "dashboard.maas", "ip_addresses": [{"ip": "10.42.0.150"}]}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(fqdn=dict(type="str")), supports_check_mode=True)
    run(module, listing("dns_resources", "fqdn"))


if __name__ == "__main__":
    main()
