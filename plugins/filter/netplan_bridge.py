# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bridge that takes over an interface, in a netplan file."""

from __future__ import annotations

import copy

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: netplan_bridge
short_description: A netplan file in which a bridge has taken over an interface
version_added: 0.1.0
description:
  - Moves addresses, routes and name servers of an ethernet interface to a bridge that has the interface as its port.
  - What belongs to the interface itself (matching, name, MTU, MAC address) stays with it. A file that has the bridge already comes back as it is.
positional: interface, bridge
options:
  _input:
    description: Content of the file, parsed.
    type: dict
    required: true
  interface:
    description: Name of the interface under C(network.ethernets).
    type: str
    required: true
  bridge:
    description: Name of the bridge.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the file with the bridge
  ansible.builtin.debug:
    msg: "{{ netplan | stratus.cloud.netplan_bridge('eno3', 'br0') | ansible.builtin.to_nice_yaml }}"
  vars:
    netplan: {network: {version: 2, ethernets: {eno3: {addresses: [10.42.0.1/16]}}}}
"""

RETURN = r"""
_value:
  description: Content of the file with the bridge.
  type: dict
"""

# Settings that stay with the interface when a bridge takes over its addresses.
OWN = {"match", "set-name", "mtu", "wakeonlan", "renderer", "optional", "macaddress", "ignore-carrier"}


def netplan_bridge(config, interface, bridge):
    result = copy.deepcopy(dict(config))
    try:
        network = result["network"]
        if bridge in (network.get("bridges") or {}):
            return result
        ethernet = network["ethernets"][interface] or {}
    except (KeyError, TypeError) as problem:
        raise AnsibleFilterError(f"netplan_bridge: the file has no ethernet interface {interface}") from problem
    moved = {key: value for key, value in ethernet.items() if key not in OWN}
    network["ethernets"][interface] = {**{key: value for key, value in ethernet.items() if key in OWN}, "dhcp4": False, "dhcp6": False}
    # No spanning tree: a port that listens for half a minute first makes machines miss their DHCP answer.
    network.setdefault("bridges", {})[bridge] = {"interfaces": [interface], **moved, "parameters": {"stp": False, "forward-delay": 0}}
    return result


class FilterModule:
    def filters(self):
        return {"netplan_bridge": netplan_bridge}
