# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_dns_resource
short_description: Names in the DNS of a MAAS region
version_added: 0.1.0
description:
  - Creates, changes or deletes a name with addresses in a domain that MAAS serves.
  - Names of machines are made by MAAS itself.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  fqdn:
    description: Name with its domain, for example V(vip.maas).
    type: str
    required: true
  ip_addresses:
    description: Exactly these addresses.
    type: list
    elements: str
  address_ttl:
    description: Time to live of the address records, in seconds.
    type: int
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: A name for the dashboard
  stratus.cloud.maas_dns_resource:
    fqdn: dashboard.maas
    ip_addresses: [10.42.0.150]
"""

RETURN = r"""
dns_resource:
  description: The name as the region describes it.
  returned: success
  type: dict
  sample: {"id": 4, "fqdn": "dashboard.maas", "ip_addresses": [{"ip": "10.42.0.150"}], "address_ttl": null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import DNS_RESOURCE
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import ensure_module


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            fqdn=dict(type="str", required=True),
            ip_addresses=dict(type="list", elements="str"),
            address_ttl=dict(type="int"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, ensure_module(DNS_RESOURCE, "dns_resource"))


if __name__ == "__main__":
    main()
