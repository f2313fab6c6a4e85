# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_subnet
short_description: Subnets of a MAAS region
version_added: 0.1.0
description:
  - Creates, changes or deletes a subnet. Subnets that a rack controller is connected to exist already and are found by their CIDR.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  cidr:
    description: The network, for example V(10.42.0.0/16).
    type: str
    required: true
  name:
    description: Name; the region uses the CIDR when there is none.
    type: str
  description:
    description: A description.
    type: str
  gateway_ip:
    description: Gateway. An empty text takes it away.
    type: str
  dns_servers:
    description: Name servers, in order.
    type: list
    elements: str
  managed:
    description: Whether MAAS gives out addresses of the subnet.
    type: bool
  allow_dns:
    description: Whether MAAS resolves names for the subnet.
    type: bool
  allow_proxy:
    description: Whether MAAS' proxy serves the subnet.
    type: bool
  active_discovery:
    description: Whether the subnet is scanned.
    type: bool
  rdns_mode:
    description: Reverse zones; V(0) none, V(1) for the subnet, V(2) with glue for small networks.
    type: int
    choices: [0, 1, 2]
  fabric:
    description: Fabric of the VLAN that the subnet is on, name or id.
    type: str
  vid:
    description: VID of that VLAN; V(0), the untagged one, when only O(fabric) is given.
    type: int
  state:
    description: Whether the subnet is there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: stratus.cloud.maas_ip_range
  - module: stratus.cloud.maas_vlan
"""

EXAMPLES = r"""
- name: Gateway and name servers of the machines' network
  stratus.cloud.maas_subnet:
    cidr: 10.42.0.0/16
    gateway_ip: 10.42.0.1
    dns_servers: [10.42.0.1]

- name: A storage network on a tagged VLAN
  stratus.cloud.maas_subnet:
    cidr: 10.50.0.0/24
    name: storage
    fabric: fabric-0
    vid: 100
"""

RETURN = r"""
subnet:
  description: The subnet as the region describes it.
  returned: success
  type: dict
  sample: {"id": 1, "cidr": "10.42.0.0/16", "gateway_ip": "10.42.0.1", "dns_servers": ["10.42.0.1"], "managed": true}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ensure_subnet
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            cidr=dict(type="str", required=True),
            name=dict(type="str"),
            description=dict(type="str"),
            gateway_ip=dict(type="str"),
            dns_servers=dict(type="list", elements="str"),
            managed=dict(type="bool"),
            allow_dns=dict(type="bool"),
            allow_proxy=dict(type="bool"),
            active_discovery=dict(type="bool"),
            rdns_mode=dict(type="int", choices=[0, 1, 2]),
            fabric=dict(type="str"),
            vid=dict(type="int"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        required_by={"vid": "fabric"},
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_subnet(client, module.params).exit("subnet"))


if __name__ == "__main__":
    main()
