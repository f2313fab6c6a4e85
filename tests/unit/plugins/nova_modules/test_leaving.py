"""What prevents hosts that leave: nowhere to go, servers that cannot move, networks that they serve."""

from __future__ import annotations

import re

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova import leaving
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault

from .fake import FakeCloud, Module


class Cloud(FakeCloud):
    """With Neutron's ports."""

    ports = ()

    def ask(self, service, method, path, what, params=None, body=None):
        assert (service, method) == ("network", "GET"), "it only reads"
        if path == "/ports":
            return {"ports": [port for port in self.ports if port["binding:host_id"] == params["binding:host_id"]]}, {}
        return {"router": {"name": f"router-{path.rpartition('/')[2]}"}}, {}


@pytest.fixture
def cloud():
    return Cloud("c0", "c1", "c2", room={"VCPU": (4, 1.0), "MEMORY_MB": (8192, 1.0)})


def look(cloud, *hosts, accept=False):
    found = leaving.work(Module(hosts=list(hosts), accept_network=accept), cloud)
    assert cloud.writes == []
    return found


def test_an_empty_host_may_go(cloud):
    found = look(cloud, "c2")
    assert found["problems"] == []
    assert found["rest"] == ["c0", "c1"]
    assert found["left"]["c2"]["service"] == "svc-c2"


def test_a_short_name_of_two_hosts_is_not_taken_for_none():
    """A stale record beside the live one: its servers must not be forgotten."""
    cloud = Cloud("compute2.old", "compute2.maas", "c0")
    cloud.add("a", "compute2.maas")
    with pytest.raises(NovaFault, match="compute2 may be any of compute2.maas, compute2.old in nova: give the whole name, or take out"):
        look(cloud, "compute2")
    assert look(cloud, "compute9")["absent"] == ["compute9"]


def test_servers_are_planned_onto_the_others_and_never_onto_one_that_leaves_too(cloud):
    for name in ("a", "b"):
        cloud.add(name, "c1")
        cloud.add(f"{name}2", "c2")
    found = look(cloud, "c1", "c2")
    assert found["problems"] == []
    assert {move["to"] for move in found["plan"]} == {"c0"}
    assert sorted(move["server"] for move in found["plan"]) == ["a", "a2", "b", "b2"]


def test_the_room_of_the_rest_counts_with_placements_ratios(cloud):
    for number in range(3):
        cloud.add(f"s{number}", "c2", vcpus=3)
    texts = look(cloud, "c2")["problems"]
    assert len(texts) == 1
    assert re.search("Server s. on c2 cannot move: no host can take it: c0 1 of 3 VCPU free", texts[0])
    for host in ("c0", "c1"):
        cloud.room[host]["VCPU"] = (4, 2.0)
    assert look(cloud, "c2")["problems"] == []


def test_a_stopped_server_is_named_with_what_to_do(cloud):
    cloud.add("db", "c2", state="stopped")
    (text,) = look(cloud, "c2")["problems"]
    assert text.startswith("Server db on c2 cannot move: is stopped")


def test_a_group_with_anti_affinity_has_nowhere_to_go(cloud):
    for number, host in enumerate(("c0", "c1", "c2")):
        cloud.add(f"m{number}", host)
    cloud.group("quorum", "anti-affinity", "m0", "m1", "m2")
    (text,) = look(cloud, "c2")["problems"]
    assert "m2 on c2 cannot move" in text
    assert "anti-affinity group quorum" in text


def test_the_last_hosts_stay(cloud):
    cloud.service("c0")["status"] = "disabled"
    cloud.service("c1")["state"] = "down"
    cloud.add("a", "c2")
    (text,) = look(cloud, "c2")["problems"]
    assert "No host that takes servers would be left without c2" in text


def test_gateways_are_told_unless_they_are_accepted(cloud):
    cloud.ports = [
        {"binding:host_id": "c2", "device_owner": "network:router_gateway", "device_id": "r1"},
        {"binding:host_id": "c2", "device_owner": "network:dhcp", "device_id": "d1"},
        {"binding:host_id": "c2", "device_owner": "network:distributed", "device_id": "x"},
        {"binding:host_id": "c2", "device_owner": "compute:nova", "device_id": "s"},
        {"binding:host_id": "c1", "device_owner": "network:router_gateway", "device_id": "r2"},
    ]
    (text,) = look(cloud, "c2")["problems"]
    assert "c2 serves networks of the cloud: d1 (network:dhcp), router-r1 (network:router_gateway)" in text
    assert look(cloud, "c2", accept=True)["problems"] == []


def test_a_host_that_is_gone_is_no_error_and_what_is_left_of_it_is_told(cloud):
    cloud.orphans.append("c9")
    found = look(cloud, "c9", "c2")
    assert found["absent"] == ["c9"]
    assert found["left"]["c9"] == {"service": None, "servers": [], "agents": [], "providers": [{"uuid": "rp-c9", "name": "c9"}]}
    assert found["problems"] == []


def test_what_is_left_of_a_host_without_its_service_is_found_by_its_short_name(cloud):
    cloud.orphans += ["c9.maas", "c99.maas"]
    cloud.agent_list += [{"id": "a9", "agent_type": "OVN Controller agent", "alive": False, "host": "c9.maas"}]
    left = look(cloud, "c9")["left"]["c9"]
    assert [provider["name"] for provider in left["providers"]] == ["c9.maas"]
    assert [agent["id"] for agent in left["agents"]] == ["a9"]
    assert look(cloud, "c9.elsewhere")["left"]["c9.elsewhere"]["providers"] == []
