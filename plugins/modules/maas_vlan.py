# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_vlan
short_description: VLANs of a MAAS region, and DHCP on them
version_added: 0.1.0
description:
  - Creates, changes or deletes a VLAN; turns DHCP on or off, or relays it.
  - The VLAN is given by a subnet on it (the usual case), or by fabric and VID.
  - When DHCP is turned on and no rack controller is named, the one with an interface on the VLAN serves it.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  subnet:
    description: A subnet on the VLAN, by CIDR, name or id.
    type: str
  fabric:
    description: The VLAN's fabric, name or id.
    type: str
  vid:
    description: The VLAN's VID; V(0) is the untagged one.
    type: int
  name:
    description: Name.
    type: str
  description:
    description: A description. The region takes it when the VLAN is created and never tells it again, so it is not compared.
    type: str
  mtu:
    description: MTU.
    type: int
  space:
    description: Space. An empty text takes the VLAN out of its space.
    type: str
  dhcp_on:
    description: Whether a rack controller serves DHCP. A dynamic range is needed, see M(stratus.cloud.maas_ip_range).
    type: bool
  primary_rack:
    description: The rack controller that serves DHCP, by hostname or system_id.
    type: str
  secondary_rack:
    description: A second one, by system_id.
    type: str
  relay_vlan:
    description:
      - VLAN to which DHCP requests are relayed, by a subnet on it, or as V(fabric:vid).
      - An empty text ends it.
    type: str
  state:
    description: Whether the VLAN is there. The untagged VLAN of a fabric cannot be deleted.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Machines on this network boot from it
  stratus.cloud.maas_vlan:
    subnet: 10.42.0.0/16
    dhcp_on: true

- name: A tagged VLAN for storage
  stratus.cloud.maas_vlan:
    fabric: fabric-0
    vid: 100
    name: storage
    mtu: 9000
"""

RETURN = r"""
vlan:
  description: The VLAN as the region describes it.
  returned: success
  type: dict
  sample: {"id": 1, "vid": 0, "fabric": "fabric-0", "dhcp_on": true, "primary_rack": "ybacfr", "mtu": 1500, "space": "undefined"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ensure_vlan
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            subnet=dict(type="str"),
            fabric=dict(type="str"),
            vid=dict(type="int"),
            name=dict(type="str"),
            description=dict(type="str"),
            mtu=dict(type="int"),
            space=dict(type="str"),
            dhcp_on=dict(type="bool"),
            primary_rack=dict(type="str"),
            secondary_rack=dict(type="str"),
            relay_vlan=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        mutually_exclusive=[("subnet", "fabric")],
        required_one_of=[("subnet", "fabric")],
        required_by={"fabric": "vid"},
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_vlan(client, module.params).exit("vlan"))


if __name__ == "__main__":
    main()
