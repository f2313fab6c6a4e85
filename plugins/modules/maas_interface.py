# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_interface
short_description: Bridges, bonds, VLANs and links of MAAS machines
version_added: 0.1.0
description:
  - Creates, changes or deletes the same interface on a set of machines, and links it to subnets.
  - A bridge over a NIC takes its configuration away; until the bridge itself is linked to a subnet the machine cannot be deployed. Give O(links).
  - The region lets interfaces be changed only while a machine is New, Ready, Allocated, Broken or Failed testing.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  machines:
    description: Hostnames, FQDNs, system_ids or MAC addresses.
    type: list
    elements: str
    required: true
  type:
    description: Kind of interface.
    type: str
    choices: [bridge, bond, vlan, physical]
    required: true
  name:
    description: Name of the interface. A VLAN's is made of its parent and VID, and need not be given.
    type: str
  parent:
    description: Interface under a bridge or VLAN, by name or MAC, or V(boot) for the one that the machine boots from.
    type: str
  parents:
    description: Interfaces under a bond.
    type: list
    elements: str
  mac_address:
    description: MAC address, for a physical interface that MAAS does not know or does not call by this name.
    type: str
  bridge_type:
    description: Kind of bridge.
    type: str
    choices: [standard, ovs]
  bridge_stp:
    description: Spanning tree.
    type: bool
  bridge_fd:
    description: Forward delay in seconds.
    type: int
  bond_mode:
    description: Mode of a bond.
    type: str
    choices: [balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb]
  bond_miimon:
    description: Milliseconds between two looks at the links.
    type: int
  bond_lacp_rate:
    description: LACP rate.
    type: str
    choices: [fast, slow]
  bond_xmit_hash_policy:
    description: How packets are spread.
    type: str
    choices: [layer2, layer2+3, layer3+4, encap2+3, encap3+4]
  vlan_fabric:
    description: Fabric of the VLAN that the interface is on.
    type: str
  vlan_vid:
    description: VID of that VLAN. A VLAN interface needs it.
    type: int
  mtu:
    description: MTU.
    type: int
  accept_ra:
    description: Whether IPv6 router advertisements are accepted.
    type: bool
  tags:
    description: Exactly these tags.
    type: list
    elements: str
  links:
    description: Exactly these links to subnets. An empty list takes all configuration away; without the option links are left alone.
    type: list
    elements: dict
    suboptions:
      subnet:
        description: Subnet, by CIDR, name or id. Not for V(link_up).
        type: str
      mode:
        description:
          - V(auto) gets an address from MAAS when the machine is deployed, V(dhcp) by itself, V(static) now; V(link_up) has none.
        type: str
        choices: [auto, dhcp, static, link_up]
        default: auto
      ip_address:
        description: The address, for V(static); without one MAAS picks it.
        type: str
      default_gateway:
        description: Use the subnet's gateway as the machine's default gateway.
        type: bool
  state:
    description: Whether the interface is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: An Open vSwitch bridge over the NIC that each compute machine boots from
  stratus.cloud.maas_interface:
    machines: "{{ groups.compute }}"
    type: bridge
    name: br-ex
    parent: boot
    bridge_type: ovs
    links:
      - subnet: 10.42.0.0/16
        mode: auto

- name: Two NICs as one
  stratus.cloud.maas_interface:
    machines: [compute0]
    type: bond
    name: bond0
    parents: [enp1s0, enp2s0]
    bond_mode: 802.3ad
"""

RETURN = r"""
interfaces:
  description: The interface of each machine, by hostname.
  returned: success
  type: dict
  sample:
    compute0:
      id: 19
      name: br-ex
      type: bridge
      bridge_type: ovs
      parents: [enp1s0]
      links: [{"id": 24, "mode": "auto", "subnet": "10.42.0.0/16", "ip_address": null}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.interfaces import ensure
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import vlan_of
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def work(module, client):
    params = dict(module.params)
    if params["vlan_fabric"] is not None:
        vlan = vlan_of(client, fabric=params["vlan_fabric"], vid=params["vlan_vid"])[2]
        if vlan is None:
            raise MaasError(f"Fabric {params['vlan_fabric']} has no VLAN {params['vlan_vid']}; make it with maas_vlan first")
        params["vlan_id"] = vlan["id"]
    return ensure(client, params)


def main():
    link = dict(
        subnet=dict(type="str"),
        mode=dict(type="str", choices=["auto", "dhcp", "static", "link_up"], default="auto"),
        ip_address=dict(type="str"),
        default_gateway=dict(type="bool"),
    )
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str", required=True),
            type=dict(type="str", choices=["bridge", "bond", "vlan", "physical"], required=True),
            name=dict(type="str"),
            parent=dict(type="str"),
            parents=dict(type="list", elements="str"),
            mac_address=dict(type="str"),
            bridge_type=dict(type="str", choices=["standard", "ovs"]),
            bridge_stp=dict(type="bool"),
            bridge_fd=dict(type="int"),
            bond_mode=dict(type="str", choices=["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"]),
            bond_miimon=dict(type="int"),
            bond_lacp_rate=dict(type="str", choices=["fast", "slow"]),
            bond_xmit_hash_policy=dict(type="str", choices=["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"]),
            vlan_fabric=dict(type="str"),
            vlan_vid=dict(type="int"),
            mtu=dict(type="int"),
            accept_ra=dict(type="bool"),
            tags=dict(type="list", elements="str"),
            links=dict(type="list", elements="dict", options=link),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        mutually_exclusive=[("parent", "parents")],
        required_together=[("vlan_fabric", "vlan_vid")],
        required_if=[("type", "bridge", ["name"]), ("type", "bond", ["name"]), ("type", "vlan", ["vlan_fabric", "vlan_vid"])],
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
