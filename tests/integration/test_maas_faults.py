"""The retry contract and the ends of waits, on a region that misbehaves."""

from __future__ import annotations

import socket
import threading

import pytest

from lab.world.maas.base import Fields
from tests.integration.maas_matrix import declared
from tests.integration.maas_runner import Api, Failed, run
from tests.support.lab import MaasLab


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with MaasLab(speed=600) as made:
        # The region itself gives a machine up after half an hour, which would be three seconds here.
        made.call(made.world.maas.config.set, Fields(name="node_timeout", value="10000"))
        monkeypatch.setenv("MAAS_URL", made.url)
        monkeypatch.setenv("MAAS_API_KEY", made.api_key)
        yield made


@pytest.fixture
def api(lab):
    return Api(lab.url, lab.api_key)


def zones(api):
    return sorted(zone["name"] for zone in api.get("zones/"))


class Losing:
    """A gateway before the region that takes every request there, and loses the answers to the first writes."""

    def __init__(self, lab, lose=1):
        self.target = ("127.0.0.1", lab.port)
        self.left = lose
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/MAAS"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _address = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client):
        with client, socket.create_connection(self.target) as region:
            while True:
                request = self.message(client)
                if not request:
                    return
                region.sendall(request)
                answer = self.message(region)
                if self.left and not request.startswith(b"GET"):
                    self.left -= 1
                    return
                client.sendall(answer)

    @staticmethod
    def message(source):
        data = b""
        while b"\r\n\r\n" not in data:
            part = source.recv(65536)
            if not part:
                return data
            data += part
        head, _blank, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += source.recv(65536)
        return head + b"\r\n\r\n" + body


def test_busy_answers_are_waited_out(lab, api):
    lab.fault("http_error", method="POST", path="/MAAS/api/2.0/zones/", status=503, retry_after=1, times=1)
    lab.fault("http_error", method="GET", path="/MAAS/api/2.0/zones/", status=502, times=2)
    assert run("maas_zone", {"name": "a"})["changed"]
    assert zones(api) == ["a", "default"]


def test_a_connection_that_is_cut_before_anything_was_done(lab, api):
    lab.fault("http_reset", method="POST", path="/MAAS/api/2.0/zones/", times=1)
    assert run("maas_zone", {"name": "a"})["changed"]
    assert zones(api) == ["a", "default"]


def test_a_create_whose_answer_is_lost_happens_once(lab, api):
    lost = Losing(lab)
    lab.forget()
    assert run("maas_zone", {"maas_url": lost.url, "name": "a"})["changed"]
    assert zones(api) == ["a", "default"]
    assert len(lab.writes()) == 1
    lost.left = 1
    entry = {"hostname": "compute0", "mac_addresses": ["52:54:00:10:00:01"], "power_type": "manual"}
    lab.forget()
    assert run("maas_machine", {"maas_url": lost.url, "machines": [entry]})["created"] == ["compute0"]
    assert [(m["hostname"], m["status_name"]) for m in api.get("machines/")] == [("compute0", "New")]
    assert len(lab.writes()) == 1


def test_a_commission_whose_answer_is_lost_happens_once(lab, api):
    declared("compute0")(lab)
    lost = Losing(lab)
    lab.forget()
    result = run("maas_machine_state", {"maas_url": lost.url, "machines": ["compute0"], "state": "ready", "wait_timeout": 60, "wait_interval": 1})
    assert result["ready"] == ["compute0"]
    assert len(lab.writes()) == 1


def test_failed_commissioning_says_which_script_and_what_next(lab):
    declared("compute0", "compute1")(lab)
    lab.fault("commissioning_failed", machine="compute0", times=1)
    with pytest.raises(Failed) as caught:
        run("maas_machine_state", {"machines": ["compute0", "compute1"], "state": "ready", "wait_timeout": 60, "wait_interval": 1})
    text = caught.value.result["msg"]
    assert "compute0" in text
    assert "Failed commissioning" in text
    assert "failed scripts: " in text
    assert "next: run it again" in text
    assert caught.value.result["ready"] == ["compute1"]


def test_retry_gets_a_machine_through(lab, api):
    declared("compute0", "compute1")(lab)
    lab.fault("commissioning_failed", machine="compute0", times=1)
    result = run(
        "maas_machine_state",
        {"machines": ["compute0", "compute1"], "state": "ready", "on_failure": "retry", "wait_timeout": 90, "wait_interval": 1},
    )
    assert result["retried"] == {"compute0": 1}
    assert {m["status_name"] for m in api.get("machines/")} == {"Ready"}


def test_a_failed_deployment_is_released_and_deployed_again(lab, api):
    """The machine is on, so that its release takes a while, and a region deploys none that is being released."""
    declared("compute0", "compute1", ready=True)(lab)
    lab.fault("deploy_failed", machine="compute0", times=1)
    options = {"machines": ["compute0", "compute1"], "state": "deployed", "wait_timeout": 60, "wait_interval": 1}
    with pytest.raises(Failed, match="compute0 is Failed deployment"):
        run("maas_machine_state", options)
    with pytest.raises(Failed, match="release it first"):
        run("maas_machine_state", options)
    result = run("maas_machine_state", {**options, "redeploy": True})
    assert result["ready"] == ["compute1", "compute0"]
    assert {m["status_name"] for m in api.get("machines/")} == {"Deployed"}


def test_a_commissioning_that_is_refused_is_no_success(lab, api):
    declared("compute0", ready=True)(lab)
    options = {"machines": ["compute0"], "state": "ready", "wait_timeout": 60, "wait_interval": 1}
    with pytest.raises(Failed, match="Select a valid choice") as caught:
        run("maas_machine_state", {**options, "force": True, "commissioning_scripts": ["no-such-script"]})
    assert caught.value.result["ready"] == []
    lab.fault("commissioning_failed", machine="compute0", times=1)
    with pytest.raises(Failed, match="Failed commissioning"):
        run("maas_machine_state", {**options, "force": True})


def test_a_locked_machine_is_deleted_only_by_force(lab, api):
    declared("compute0", ready=True)(lab)
    for state in ("deployed", "locked"):
        run("maas_machine_state", {"machines": ["compute0"], "state": state, "wait_timeout": 60, "wait_interval": 1})
    options = {"machines": [{"hostname": "compute0"}], "state": "absent"}
    with pytest.raises(Failed, match=r"compute0 \(locked\)"):
        run("maas_machine", options)
    assert run("maas_machine", {**options, "force": True}, check=True)["changed"]
    assert run("maas_machine", {**options, "force": True})["changed"]
    assert api.get("machines/") == []


def test_one_that_is_stuck_is_stopped_and_started_over(lab, api):
    declared("compute0")(lab)
    lab.fault("commissioning_stuck", machine="compute0", times=1)
    result = run(
        "maas_machine_state",
        {"machines": ["compute0"], "state": "ready", "on_failure": "retry", "stuck_after": 2, "wait_timeout": 90, "wait_interval": 1},
    )
    assert result["retried"] == {"compute0": 1}
    assert result["ready"] == ["compute0"]
    assert [entry["query"]["op"] for entry in lab.writes()] == [["commission"], ["abort"], ["power_off"], ["commission"]]


def test_the_deadline_is_kept(lab):
    declared("compute0")(lab)
    lab.fault("commissioning_stuck", machine="compute0", times=1)
    with pytest.raises(Failed, match="Not Ready within 00:02: compute0 is Commissioning"):
        run("maas_machine_state", {"machines": ["compute0"], "state": "ready", "wait_timeout": 2, "wait_interval": 1})


@pytest.mark.parametrize(
    "after, words",
    [
        ({}, "nothing was seen of it on the network, neither DHCP nor PXE"),
        ({"after": "Performing PXE boot"}, "it asked for its boot files by PXE and did not come up with them"),
        ({"after": "Loading ephemeral"}, "it loaded its system and never spoke to the region from there"),
    ],
)
def test_a_commissioning_that_comes_to_nothing_says_how_far_it_came(lab, after, words):
    declared("compute0")(lab)
    lab.fault("commissioning_stuck", machine="compute0", times=1, **after)
    with pytest.raises(Failed) as caught:
        run("maas_machine_state", {"machines": ["compute0"], "state": "ready", "wait_timeout": 5, "wait_interval": 1})
    assert words in caught.value.result["msg"]


def test_some_may_fail(lab):
    declared("compute0", "compute1", "compute2")(lab)
    lab.fault("commissioning_failed", machine="compute0", times=1)
    options = {"machines": ["compute0", "compute1", "compute2"], "state": "ready", "wait_timeout": 60, "wait_interval": 1}
    assert run("maas_machine_state", {**options, "min_ready": 2})["ready"] == ["compute1", "compute2"]


def test_an_import_that_stalls_is_started_again(lab, api):
    run("maas_boot_selection", {"release": "noble"})
    lab.fault("image_stalled", times=1)
    result = run("maas_boot_resources", {"releases": ["noble"], "stall_after": 2, "wait_timeout": 60, "wait_interval": 0.5})
    assert set(result["images"].values()) == {"complete"}
    assert any("noble" in row["name"] for row in api.get("boot-resources/"))
