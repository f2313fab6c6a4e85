from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.maas import kinds
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError, NotFound
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import ensure
from maas_fakes import FakeClient, machine

ZONES = [{"name": "default", "id": 1, "description": ""}, {"name": "rack-a", "id": 2, "description": "d"}]
SUBNETS = [
    {
        "id": 1,
        "cidr": "10.42.0.0/16",
        "name": "10.42.0.0/16",
        "gateway_ip": None,
        "dns_servers": [],
        "managed": True,
        "vlan": {"id": 5001, "vid": 0, "fabric_id": 0},
    },
    {
        "id": 2,
        "cidr": "10.50.0.0/24",
        "name": "storage",
        "gateway_ip": "10.50.0.1",
        "dns_servers": ["1.1.1.1"],
        "vlan": {"id": 5002, "vid": 100, "fabric_id": 0},
    },
]


def zones(read_only=False):
    return FakeClient(
        {
            "Zones.read": ZONES,
            "Zones.create": lambda params, data: {**data, "id": 3},
            "Zone.update": lambda params, data: {**ZONES[1], **data},
            "Zone.delete": None,
        },
        read_only,
    )


@pytest.mark.parametrize(
    ("wanted", "state", "write", "before", "after"),
    [
        ({"name": "new", "description": "x"}, "present", "Zones.create", {}, {"name": "new", "description": "x"}),
        ({"name": "rack-a", "description": "d"}, "present", None, {}, {}),
        ({"name": "rack-a", "description": None}, "present", None, {}, {}),
        ({"name": "rack-a", "description": "e"}, "present", "Zone.update", {"description": "d"}, {"description": "e"}),
        ({"name": "rack-a", "description": None}, "absent", "Zone.delete", {"name": "rack-a", "description": "d"}, {}),
        ({"name": "gone", "description": None}, "absent", None, {}, {}),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_one_mechanism(wanted, state, write, before, after, check):
    client = zones(check)
    result = ensure(client, kinds.ZONE, wanted, state)
    assert result.changed is (write is not None)
    assert (result.before, result.after) == (before, after)
    assert [name for name, *rest in client.writes()] == ([write] if write and not check else [])


def test_only_what_differs_is_sent():
    client = zones()
    ensure(client, kinds.ZONE, {"name": "rack-a", "description": "e"})
    assert client.writes() == [("Zone.update", {"name": "rack-a"}, {"description": "e"})]


def test_subnet_by_any_spelling():
    client = FakeClient({"Subnets.read": SUBNETS})
    assert [kinds.subnet_of(client, key)["id"] for key in ("10.42.0.0/16", "10.42.9.9/16", "storage", "2")] == [1, 1, 2, 2]
    with pytest.raises(NotFound, match=r"no subnet 10\.1\.0\.0/16.*It knows: 10\.42\.0\.0/16, 10\.50\.0\.0/24"):
        kinds.subnet_of(client, "10.1.0.0/16")


def subnet_params(**given):
    names = [*kinds.SUBNET.fields, "fabric", "vid"]
    return {**dict.fromkeys(names), "state": "present", **given}


def test_subnet_dns_servers_keep_their_order_and_go_as_text():
    client = FakeClient({"Subnets.read": SUBNETS, "Subnet.update": lambda params, data: {**SUBNETS[1], **data}})
    assert not kinds.ensure_subnet(client, subnet_params(cidr="10.50.0.0/24", dns_servers=["1.1.1.1"], gateway_ip="10.50.0.1")).changed
    result = kinds.ensure_subnet(client, subnet_params(cidr="10.50.0.0/24", dns_servers=["8.8.8.8", "1.1.1.1"], gateway_ip=""))
    assert client.writes()[0][2] == {"dns_servers": "8.8.8.8 1.1.1.1", "gateway_ip": ""}
    assert result.before == {"gateway_ip": "10.50.0.1", "dns_servers": ["1.1.1.1"]}


RANGES = [{"id": 4, "type": "reserved", "start_ip": "10.42.0.1", "end_ip": "10.42.0.99", "comment": "", "subnet": {"id": 1}}]


@pytest.mark.parametrize(
    ("given", "write"),
    [
        ({"type": "reserved", "start_ip": "10.42.0.1", "end_ip": "10.42.0.99"}, None),
        ({"type": "reserved", "start_ip": "10.42.0.1", "end_ip": "10.42.0.120"}, ("IPRange.update", {"id": 4}, {"end_ip": "10.42.0.120"})),
        ({"type": "reserved", "start_ip": "10.42.0.1", "end_ip": "10.42.0.120", "state": "absent"}, None),
        ({"type": "reserved", "start_ip": "10.42.0.1", "end_ip": "10.42.0.99", "state": "absent"}, ("IPRange.delete", {"id": 4}, {})),
        (
            {"type": "dynamic", "start_ip": "10.42.0.1", "end_ip": "10.42.0.99"},
            ("IPRanges.create", {}, {"type": "dynamic", "start_ip": "10.42.0.1", "end_ip": "10.42.0.99", "subnet": 1}),
        ),
    ],
)
def test_ranges_move_but_only_whole_ones_are_deleted(given, write):
    client = FakeClient({"Subnets.read": SUBNETS, "IPRanges.read": RANGES, "IPRanges.create": {"id": 5}, "IPRange.update": RANGES[0], "IPRange.delete": None})
    kinds.ensure_ip_range(client, {"subnet": "10.42.0.0/16", "comment": None, "state": "present", **given})
    assert client.writes() == ([write] if write else [])


VLAN = {"id": 5001, "vid": 0, "fabric_id": 0, "name": "untagged", "mtu": 1500, "dhcp_on": False, "primary_rack": None, "relay_vlan": None, "space": "undefined"}
RACKS = [
    {"system_id": "other1", "hostname": "far", "interface_set": [{"vlan": {"id": 9}}]},
    {"system_id": "ybacfr", "hostname": "near", "interface_set": [{"vlan": None}, {"vlan": {"id": 5001}}]},
]


def vlan_client(vlan, racks, read_only=False):
    subnet = {**SUBNETS[0], "vlan": vlan}
    return FakeClient({"Subnets.read": [subnet], "Vlans.read": [vlan], "RackControllers.read": racks, "Vlan.update": lambda p, d: {**vlan, **d}}, read_only)


def vlan_params(**given):
    names = ("subnet", "fabric", "vid", "name", "description", "mtu", "space", "dhcp_on", "primary_rack", "secondary_rack", "relay_vlan")
    return {**dict.fromkeys(names), "state": "present", **given}


def test_dhcp_is_served_by_the_rack_that_sits_on_the_vlan():
    client = vlan_client(VLAN, RACKS)
    kinds.ensure_vlan(client, vlan_params(subnet="10.42.0.0/16", dhcp_on=True))
    assert client.writes() == [("Vlan.update", {"fabric_id": 0, "vid": 0}, {"dhcp_on": True, "primary_rack": "ybacfr"})]


def test_dhcp_that_is_on_stays_with_its_rack():
    client = vlan_client({**VLAN, "dhcp_on": True, "primary_rack": "other1"}, RACKS)
    assert not kinds.ensure_vlan(client, vlan_params(subnet="10.42.0.0/16", dhcp_on=True)).changed


def test_no_rack_on_the_vlan_is_told():
    with pytest.raises(MaasError, match="none of the 2 rack controllers"):
        kinds.ensure_vlan(vlan_client(VLAN, [RACKS[0], RACKS[0]]), vlan_params(subnet="10.42.0.0/16", dhcp_on=True))


def test_settings_compare_as_the_region_stores_them():
    stored = {"upstream_dns": "8.8.8.8 1.1.1.1", "completed_intro": True, "node_timeout": 30, "kernel_opts": None}
    client = FakeClient({"MAAS.get_config": lambda params, data: stored[data["name"]], "MAAS.set_config": "OK"})
    same = {"upstream_dns": ["8.8.8.8", "1.1.1.1"], "completed_intro": "True", "node_timeout": "30", "kernel_opts": ""}
    assert kinds.ensure_config(client, same) == ({}, {})
    before, after = kinds.ensure_config(client, {"completed_intro": False, "upstream_dns": ["9.9.9.9"]})
    assert before == {"completed_intro": True, "upstream_dns": "8.8.8.8 1.1.1.1"}
    assert [data for name, params, data in client.writes()] == [
        {"name": "completed_intro", "value": "false"},
        {"name": "upstream_dns", "value": "9.9.9.9"},
    ]


def test_ssh_keys_compare_without_their_comment():
    client = FakeClient({"SSHKeys.read": [{"id": 1, "key": "ssh-ed25519 AAAA ops@host"}], "SSHKeys.create": {"id": 2}})
    assert not ensure(client, kinds.SSHKEY, {"key": "ssh-ed25519 AAAA me@there"}).changed
    ensure(client, kinds.SSHKEY, {"key": "ssh-ed25519 BBBB me@there"})
    assert client.writes() == [("SSHKeys.create", {}, {"key": "ssh-ed25519 BBBB me@there"})]


def tag_client(read_only=False):
    tagged = [machine("aaaaaa", "a")]
    return FakeClient(
        {
            "Tags.read": [{"name": "compute", "comment": "", "definition": "", "kernel_opts": ""}],
            "Tags.create": {"name": "new"},
            "Tag.update_nodes": {"added": 1, "removed": 0},
            "Tag.machines": [*tagged, machine("cccccc", "c")],
            "Machines.read": lambda params, data: [m for m in tagged if m["system_id"] in data["id"]],
        },
        read_only,
    )


def tag_params(**given):
    return {"name": "compute", "comment": None, "definition": None, "kernel_opts": None, "state": "present", **given}


def test_a_tag_goes_to_a_set_with_one_write():
    client = tag_client()
    result = kinds.ensure_tag(client, tag_params(), ["aaaaaa", "bbbbbb"])
    assert client.writes() == [("Tag.update_nodes", {"name": "compute"}, {"add": ["bbbbbb"]})]
    assert result.members == (["bbbbbb"], [])
    assert not kinds.ensure_tag(tag_client(), tag_params(), ["aaaaaa"]).changed


def test_an_exclusive_tag_leaves_the_others():
    client = tag_client()
    kinds.ensure_tag(client, tag_params(exclusive=True), ["aaaaaa"])
    assert client.writes() == [("Tag.update_nodes", {"name": "compute"}, {"remove": ["cccccc"]})]


def test_a_new_tag_under_check_mode_writes_nothing():
    client = tag_client(read_only=True)
    result = kinds.ensure_tag(client, tag_params(name="new"), ["aaaaaa"])
    assert result.changed
    assert result.after["machines"] == ["aaaaaa"]
    assert client.writes() == []
