from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.maas import controllers
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import WaitTimeout
from maas_fakes import FakeClient, Time

RUNNING = {"regiond": "running", "rackd": "running", "bind9": "running", "dns_rack": "running", "http": "running", "tftp": "running", "dhcpd": "off"}
PARAMS = {"wait_timeout": 300, "wait_interval": 5, "successes": 3}


def controller(services):
    return {"system_id": "abcdef", "hostname": "controller", "service_set": [{"name": name, "status": status} for name, status in services.items()]}


def region(racks, version=None):
    return FakeClient(
        {
            "Version.read": version or {"version": "3.5.13"},
            "RegionControllers.read": [{"system_id": "abcdef", "hostname": "controller"}],
            "RackControllers.read": racks,
        }
    )


@pytest.mark.parametrize(
    ("racks", "lacking"),
    [
        ([controller(RUNNING)], None),
        ([], "no rack controller is registered yet"),
        ([controller({**RUNNING, "tftp": "dead"})], "controller: tftp is dead"),
        ([controller({**RUNNING, "ntp_rack": "dead"})], "controller: ntp_rack is dead"),
        ([controller({**RUNNING, "rackd": "unknown"})], "no rack controller is connected"),
        ([controller({})], "its services are unknown"),
    ],
)
def test_ready_or_why_not(racks, lacking):
    info = controllers.gather(region(racks))
    assert info["ready"] is (lacking is None)
    assert lacking is None or any(lacking in reason for reason in info["not_ready_because"])


def test_it_has_to_be_ready_several_times_in_a_row():
    time = Time()
    seen = []

    def racks(params, data):
        seen.append(time.now)
        return [controller(RUNNING)] if len(seen) in (2, 3) or len(seen) > 4 else []

    result = controllers.wait_ready(region(racks), PARAMS, clock=time.clock, sleep=time.sleep)
    assert len(seen) == 7
    assert result["ready"]


def test_it_does_not_answer_yet():
    time = Time()

    def version(params, data):
        if time.now < 1040:
            raise Unreachable("refused")
        if time.now < 1060:
            raise ApiError("starting", 502)
        return {"version": "3.5.13"}

    result = controllers.wait_ready(region([controller(RUNNING)], version), PARAMS, clock=time.clock, sleep=time.sleep)
    assert result["waited"] >= 60


def test_a_wrong_key_is_told_at_once():
    def version(params, data):
        raise ApiError("no", 401)

    with pytest.raises(ApiError):
        controllers.wait_ready(region([], version), PARAMS, clock=Time().clock, sleep=Time().sleep)


def test_the_deadline_says_what_lacks():
    time = Time()
    with pytest.raises(WaitTimeout, match="region is no rack controller is registered yet.*snap logs maas"):
        controllers.wait_ready(region([]), PARAMS, clock=time.clock, sleep=time.sleep)
