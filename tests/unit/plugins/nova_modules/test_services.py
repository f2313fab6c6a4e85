"""Compute services: enabled, disabled, down, registered late, and gone with everything of theirs."""

from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils import waiter
from ansible_collections.stratus.cloud.plugins.module_utils.nova import services
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused

from .fake import FakeCloud, Module

DEFAULTS = {"state": None, "disabled_reason": None, "forced_down": None, "force": False, "wait": True, "wait_timeout": 60, "wait_interval": 2}


def change(cloud, *hosts, check=False, **options):
    return services.work(Module(check, **{**DEFAULTS, "hosts": list(hosts), **options}), cloud)


@pytest.fixture(autouse=True)
def fake_time(monkeypatch):
    """The waiter's own clock and sleep are bound when it is defined; hand in others where services make one."""
    clouds = []

    def made(*arguments, **options):
        return waiter.Waiter(*arguments, clock=clouds[-1].time.clock, sleep=clouds[-1].time.sleep, **options)

    monkeypatch.setattr(services, "Waiter", made)
    return clouds.append


@pytest.fixture
def cloud(fake_time):
    made = FakeCloud("c0.maas", "c1.maas")
    fake_time(made)
    return made


def test_disabled_with_a_reason_and_again_nothing(cloud):
    told = change(cloud, "c1", check=True, state="disabled", disabled_reason="a fan")
    assert cloud.writes == []
    done = change(cloud, "c1", state="disabled", disabled_reason="a fan")
    assert told["diff"] == done["diff"]
    assert told["services"] == done["services"]
    assert done["changed"]
    assert cloud.service("c1.maas")["disabled_reason"] == "a fan"
    assert cloud.service("c0.maas")["status"] == "enabled"
    assert not change(cloud, "c1", state="disabled", disabled_reason="a fan")["changed"]
    assert not change(cloud, "c1", state="disabled")["changed"]
    assert change(cloud, "c1", state="disabled", disabled_reason="a disk")["changed"]
    assert change(cloud, "c1", state="enabled")["services"][0]["disabled_reason"] is None


def test_forced_down_is_written_apart(cloud):
    change(cloud, "c1", state="disabled", disabled_reason="gone", forced_down=True)
    assert [fields for _update, _service, fields in cloud.writes] == [{"forced_down": True}, {"status": "disabled", "disabled_reason": "gone"}]


def test_back_from_forced_down_after_an_evacuation_says_what_to_do(cloud):
    cloud.service("c1.maas")["forced_down"] = True

    def refuse(*_arguments, **_fields):
        raise Refused("no", status=400, said="Unable to update service as there are in-progress evacuations; forced_down cannot be unset")

    cloud.update_service = refuse
    with pytest.raises(NovaFault, match="start nova-compute there first"):
        change(cloud, "c1", forced_down=False)


def test_enabled_waits_until_it_is_up(cloud):
    cloud.service("c1.maas")["state"] = "down"
    original = cloud.services

    def later():
        if cloud.time.now > 1020:
            cloud.service("c1.maas")["state"] = "up"
        return original()

    cloud.services = later
    done = change(cloud, "c1", state="enabled")
    assert not done["changed"]
    assert done["services"][0]["state"] == "up"
    assert done["waited"] >= 20


def test_a_host_that_does_not_come_up_is_named(cloud):
    cloud.service("c1.maas")["state"] = "down"
    with pytest.raises(NovaFault, match="Not up within 01:00: c1.maas is down; 1 of 2 are up.*systemctl status nova-compute"):
        change(cloud, "c0", "c1", state="enabled")


def test_a_host_is_waited_for_until_its_hypervisor_is_in_a_cell(cloud):
    original = cloud.hypervisors
    cloud.hypervisors = lambda: [one for one in original() if cloud.time.now > 1020 or one["service"]["host"] != "c1.maas"]
    done = change(cloud, "c0", "c1", state="enabled")
    assert cloud.time.now > 1020 and {one["state"] for one in done["services"]} == {"up"}
    cloud.hypervisors = lambda: [one for one in original() if one["service"]["host"] != "c1.maas"]
    with pytest.raises(NovaFault, match="c1.maas is up, its hypervisor not yet in a cell"):
        change(cloud, "c0", "c1", state="enabled")


def test_a_host_that_registers_late_is_waited_for(cloud):
    late = cloud.service_list.pop()
    original = cloud.services

    def appear():
        if cloud.time.now > 1030 and late not in cloud.service_list:
            cloud.service_list.append(late)
        return original()

    cloud.services = appear
    assert change(cloud, "c1", state="enabled")["services"][0]["host"] == "c1.maas"
    assert cloud.time.now > 1030


def test_a_host_that_never_registers_is_named(cloud):
    with pytest.raises(NovaFault, match="Not registered with nova within 01:00: c7 is absent"):
        change(cloud, "c7", state="enabled")
    with pytest.raises(NovaFault, match="There is no compute service on a host c7; there are c0.maas, c1.maas"):
        change(cloud, "c7", state="enabled", wait=False)


def gone_host(cloud):
    cloud.service("c1.maas")["state"] = "down"
    cloud.agent_list = [{"id": "a1", "agent_type": "Open vSwitch agent", "host": "c1.maas", "alive": False}]
    return cloud


def test_absent_takes_service_agents_and_provider_along(cloud):
    gone_host(cloud).orphans = ["c1.maas"]
    told = change(cloud, "c1.maas", check=True, state="absent")
    assert cloud.writes == []
    done = change(cloud, "c1.maas", state="absent")
    assert told["diff"] == done["diff"]
    assert [write[0] for write in cloud.writes] == ["delete service", "delete agent", "delete provider", "delete provider"]
    assert cloud.orphans == []
    assert [one["host"] for one in cloud.service_list] == ["c0.maas"]
    assert not change(cloud, "c1.maas", state="absent")["changed"]


def test_absent_is_refused_with_servers_and_while_it_lives(cloud):
    gone_host(cloud).add("web", "c1.maas")
    with pytest.raises(NovaFault, match=r"c1.maas still has 1 servers \(web\)"):
        change(cloud, "c1", state="absent", force=True)
    cloud.server_list.clear()
    cloud.service("c1.maas")["state"] = "up"
    with pytest.raises(NovaFault, match="is up, and would register again: stop it first"):
        change(cloud, "c1", state="absent")
    assert cloud.writes == []
    assert change(cloud, "c1", state="absent", force=True)["changed"]


def test_looking_shows_room_and_load(cloud):
    cloud.add("web", "c1.maas", vcpus=4)
    found = services.look(Module(hosts=["c1", "c7"]), cloud)
    assert found["missing"] == ["c7"]
    (one,) = found["services"]
    assert (one["load"], one["used"]["VCPU"], one["room"]["VCPU"], one["servers"]) == (25.0, 4, 16, ["id-web"])
