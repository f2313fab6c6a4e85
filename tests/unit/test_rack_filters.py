"""The inventory's machines as the modules want them."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.filter.rack_bmcs import rack_bmcs
from ansible_collections.stratus.cloud.plugins.filter.rack_machines import rack_machines


def test_machines_with_and_without_bmc():
    hostvars = {
        "a": {"mac_addresses": ["52:54:00:00:00:01"], "bmc": {"address": "10.0.0.1", "user": "u", "password": 1234, "parameters": {"cipher_suite_id": "3"}}},
        "b": {"mac_addresses": "52:54:00:00:00:02", "machine_zone": "rack2"},
    }
    first, second = rack_machines(["a", "b"], hostvars)
    assert first["power_type"] == "ipmi"
    assert first["power_parameters"] == {"power_address": "10.0.0.1", "power_user": "u", "power_pass": "1234", "cipher_suite_id": "3"}
    plain = {"hostname": "b", "mac_addresses": ["52:54:00:00:00:02"], "architecture": "amd64/generic", "zone": "rack2"}
    assert second == {**plain, "default_power_type": "manual"}


def test_bmcs_that_can_be_asked():
    whole = {"address": "10.0.0.1", "user": "u", "password": 1234}
    hostvars = {
        "a": {"bmc": whole},
        "b": {},
        "c": {"bmc": "nonsense"},
        "d": {"bmc": {**whole, "password": "CHANGE-ME"}},
        "e": {"bmc": {**whole, "type": "redfish"}},
    }
    assert rack_bmcs(list("abcde"), hostvars) == [{"name": "a", "address": "10.0.0.1", "user": "u", "password": "1234"}]
