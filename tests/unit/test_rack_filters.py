"""The inventory's machines and the controller's bridge, as modules and netplan want them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.filter.netplan_bridge import netplan_bridge
from ansible_collections.stratus.cloud.plugins.filter.rack_machines import rack_machines


def test_machines_with_and_without_bmc():
    hostvars = {
        "a": {"mac_addresses": ["52:54:00:00:00:01"], "bmc": {"address": "10.0.0.1", "user": "u", "password": 1234, "parameters": {"cipher_suite_id": "3"}}},
        "b": {"mac_addresses": "52:54:00:00:00:02", "machine_zone": "rack2"},
    }
    first, second = rack_machines(["a", "b"], hostvars)
    assert first["power_type"] == "ipmi"
    assert first["power_parameters"] == {"power_address": "10.0.0.1", "power_user": "u", "power_pass": "1234", "cipher_suite_id": "3"}
    assert second == {"hostname": "b", "mac_addresses": ["52:54:00:00:00:02"], "architecture": "amd64/generic", "zone": "rack2"}


def test_the_bridge_takes_the_addresses_and_leaves_the_rest():
    before = {
        "network": {
            "version": 2,
            "ethernets": {"eno2": {"dhcp4": True}, "eno3": {"addresses": ["10.42.0.1/16"], "mtu": 9000, "nameservers": {"addresses": ["10.42.0.1"]}}},
        }
    }
    after = netplan_bridge(before, "eno3", "br0")
    assert after["network"]["ethernets"]["eno3"] == {"mtu": 9000, "dhcp4": False, "dhcp6": False}
    assert after["network"]["bridges"]["br0"]["addresses"] == ["10.42.0.1/16"]
    assert after["network"]["bridges"]["br0"]["interfaces"] == ["eno3"]
    assert after["network"]["ethernets"]["eno2"] == {"dhcp4": True}
    assert "bridges" not in before["network"]
    assert netplan_bridge(after, "eno3", "br0") == after


def test_an_interface_that_is_not_there():
    with pytest.raises(AnsibleFilterError, match="eno9"):
        netplan_bridge({"network": {"ethernets": {}}}, "eno9", "br0")
