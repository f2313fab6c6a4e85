"""The HTTP side of the lab's region: bodies, readiness, faults of the transport, the 3.7 personality, and a thousand machines."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from lab.faces.maas.render import Render
from tests.support.lab import MaasLab, rack_of, ssh_key


class Client:
    """Plain requests with a key; only what these tests need."""

    def __init__(self, lab: MaasLab):
        consumer, token, secret = lab.api_key.split(":")
        self.base = f"{lab.url}/api/2.0/"
        self.auth = OAuth1(consumer, "", token, secret, signature_method="PLAINTEXT")

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, f"{self.base}{path}", auth=self.auth, timeout=30, **options)


@pytest.fixture(scope="module")
def lab() -> Iterator[MaasLab]:
    with MaasLab(dhcp=True) as running:
        yield running


@pytest.fixture
def send(lab: MaasLab) -> Iterator[Client]:
    yield Client(lab)
    lab.clear_faults()


# -- bodies -----------------------------------------------------------------------------------------------------------------------------
def multipart(fields: dict[str, str]) -> dict[str, Any]:
    """As python-libmaas and the command line send it: each part in base64."""
    parts = [
        f'--b0\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{base64.b64encode(value.encode()).decode()}\r\n'
        for name, value in fields.items()
    ]
    return {"data": ("".join(parts) + "--b0--\r\n").encode(), "headers": {"Content-Type": 'multipart/form-data; boundary="b0"'}}


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"name": "t-form", "comment": "ünï"}},
        {"json": {"name": "t-json", "comment": "ünï"}},
        {"files": {"name": (None, "t-files"), "comment": (None, "ünï")}},
        multipart({"name": "t-base64", "comment": "ünï"}),
    ],
    ids=["urlencoded", "json", "multipart", "base64"],
)
def test_bodies(send: Client, body: dict[str, Any]) -> None:
    answer = send("POST", "tags/", **body)
    assert answer.status_code == 200 and answer.json()["comment"] == "ünï"


def test_an_empty_multipart_is_a_form_without_fields(lab: MaasLab, send: Client) -> None:
    answer = send("POST", "boot-resources/?op=import", data=b"--b0--\r\n", headers={"Content-Type": 'multipart/form-data; boundary="b0"'})
    assert answer.text == "Import of boot resources started"


def test_requests_are_recorded(lab: MaasLab, send: Client) -> None:
    lab.forget()
    send("GET", "zones/?x=1")
    send("POST", "tags/", data={"name": "recorded"})
    assert [(e["method"], e["path"], e["query"], e["body"], e["status"]) for e in lab.requests] == [
        ("GET", "/MAAS/api/2.0/zones/", {"x": ["1"]}, {}, 200),
        ("POST", "/MAAS/api/2.0/tags/", {}, {"name": ["recorded"]}, 200),
    ]
    assert len(lab.writes()) == 1


def test_headers(send: Client) -> None:
    answer = send("GET", "zones/")
    assert answer.headers["Vary"] == "Authorization, Cookie" and answer.headers["X-Frame-Options"] == "DENY"
    assert len(answer.headers["X-MAAS-API-Hash"]) == 40
    assert answer.text.startswith("[\n    {")
    refused = send("GET", "subnets/99/")
    assert refused.status_code == 404 and "X-MAAS-API-Hash" in refused.headers
    assert "X-MAAS-API-Hash" not in send("POST", "tags/", data={}).headers


# -- readiness ----------------------------------------------------------------------------------------------------------------------------
def test_before_it_is_ready() -> None:
    with MaasLab(ready=False) as lab:
        url = f"{lab.url}/api/2.0/version/"
        assert requests.get(url, timeout=10).status_code == 502
        maas = lab.world.maas
        lab.call(maas.init, lab.url)
        assert requests.get(url, timeout=10).status_code == 502
        lab.advance(15)
        assert requests.get(url, timeout=10).json()["version"] == "3.5.13"
        lab.call(maas.create_admin, "admin", "pw", "a@b.c")
        lab.api_key = lab.call(maas.api_key, "admin")
        send = Client(lab)
        assert send("GET", "rackcontrollers/").json() == [] and send("GET", "subnets/").json() == []
        lab.advance(25)
        (rack,) = send("GET", "rackcontrollers/").json()
        assert {service["status"] for service in rack["service_set"]} == {"running"}
        assert len(send("GET", "subnets/").json()) == 2


def test_a_rack_that_lost_its_connection(lab: MaasLab, send: Client) -> None:
    machine = lab.declare("compute4")[0]
    lab.fault("rack_disconnected", times=-1)
    answer = send("POST", f"machines/{machine['system_id']}/?op=commission")
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "10"
    assert "dead" in {service["status"] for service in send("GET", "rackcontrollers/").json()[0]["service_set"]}


# -- faults of the transport ----------------------------------------------------------------------------------------------------------------
def test_an_error_is_answered_as_often_as_told(lab: MaasLab, send: Client) -> None:
    lab.fault("http_error", status=503, text="busy", retry_after=3, method="GET", path="/MAAS/api/2.0/zones/", times=2)
    assert send("GET", "pods/").status_code == 200
    answers = [send("GET", "zones/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200] and answers[0].headers["Retry-After"] == "3"


def test_a_dropped_connection_did_nothing(lab: MaasLab, send: Client) -> None:
    lab.fault("http_reset", method="POST")
    with pytest.raises(requests.ConnectionError):
        send("POST", "tags/", data={"name": "never"})
    assert send("GET", "tags/never/").status_code == 404


@pytest.mark.parametrize("fault", ["http_lost", "http_cut"])
def test_a_lost_answer_hides_what_was_done(lab: MaasLab, send: Client, fault: str) -> None:
    lab.fault(fault, method="POST")
    with pytest.raises(requests.RequestException):
        send("POST", "tags/", data={"name": fault})
    assert send("GET", f"tags/{fault}/").status_code == 200


# -- operations that have no recording --------------------------------------------------------------------------------------------------------
def test_a_composed_machine(lab: MaasLab, send: Client) -> None:
    host = send("POST", "vm-hosts/", data={"type": "lxd", "power_address": "10.42.0.1", "name": "lxd-controller", "project": "tst"}).json()
    assert host["total"]["cores"] == 0
    lab.advance(31)
    host = send("GET", f"vm-hosts/{host['id']}/").json()
    assert host["total"] == {"cores": 32, "memory": 131072, "local_storage": 4 * 10**12} and host["storage_pools"][0]["name"] == "default"
    made = send("POST", f"vm-hosts/{host['id']}/?op=compose", data={"hostname": "os-0", "cores": "4", "memory": "16384", "storage": "root:40(default),ceph:20"})
    lab.advance(60)
    lab.advance(250)
    machine = send("GET", f"machines/{made.json()['system_id']}/").json()
    assert machine["status_name"] == "Ready" and machine["power_type"] == "lxd" and machine["pod"]["name"] == "lxd-controller"
    assert [disk["size"] for disk in machine["blockdevice_set"]] == [40 * 10**9, 20 * 10**9] and machine["virtualmachine_id"]
    assert machine["hardware_info"]["system_vendor"] == "QEMU"
    assert send("DELETE", f"vm-hosts/{host['id']}/", params={"decompose": "true"}).status_code == 204
    assert send("GET", f"machines/{machine['system_id']}/").status_code == 404


def test_images_of_the_rack(lab: MaasLab, send: Client) -> None:
    rack = send("GET", "rackcontrollers/").json()[0]["system_id"]
    images = send("GET", f"rackcontrollers/{rack}/?op=list_boot_images").json()
    assert images["connected"] and images["status"] == "synced" and {image["name"] for image in images["images"]} == {"jammy"}
    for row in send("GET", "boot-resources/").json():
        assert all(version["complete"] for version in send("GET", f"boot-resources/{row['id']}/").json()["sets"].values())


# -- 3.7 ----------------------------------------------------------------------------------------------------------------------------------------
def test_the_other_personality() -> None:
    with MaasLab(personality="3.7") as lab:
        send = Client(lab)
        assert send("GET", "version/").json()["version"] == "3.7.3"
        assert send("GET", "maas/?op=get_config&name=default_distro_series").json() == "noble"
        assert send("GET", "reservedips/").json() == [] and send("GET", "fabrics/0/vlans/").json()[0]["id"] == 5001
        machine = send(
            "POST",
            "machines/",
            data={"hostname": "m", "architecture": "amd64", "mac_addresses": "52:54:00:99:00:01", "power_type": "manual", "commission": "false"},
        ).json()
        assert machine["enable_kernel_crash_dump"] is False and machine["is_dpu"] is False
        key = send("POST", "account/prefs/sshkeys/", data={"key": ssh_key()})
        assert key.status_code == 201 and set(key.json()) == {"id", "key"}
        assert send("POST", "account/prefs/sshkeys/", data={"key": "garbage"}).json() == {"key": ["Invalid SSH public key: Invalid value."]}
        assert send("POST", "ipranges/", data={"type": "dynamic"}).text == "'subnet'"
        assert send("GET", "notifications/").json()[0]["category"] == "warning"
        nic = machine["interface_set"][0]["id"]
        answer = send("POST", f"nodes/{machine['system_id']}/interfaces/?op=create_bridge", data={"name": "b" * 16, "parent": nic})
        assert answer.status_code == 400 and "name" in answer.json()
    with MaasLab() as lab:
        assert Client(lab)("GET", "reservedips/").status_code == 404


# -- without a BMC --------------------------------------------------------------------------------------------------------------------------------
def test_a_machine_with_manual_power_waits_for_somebody_to_switch_it_on() -> None:
    rack = rack_of(2)
    with MaasLab(rack=rack, dhcp=True) as lab:
        send, maas = Client(lab), lab.world.maas

        def declared(number: int) -> tuple[dict[str, Any], Callable[[str], None]]:
            mac = rack["machines"][number]["nics"][0]["mac"]
            data = {"hostname": f"m{number}", "architecture": "amd64", "mac_addresses": mac, "power_type": "manual", "commission": "true"}
            assert send("POST", "machines/", data=data).json()["status_name"] == "Commissioning"
            return maas.machine(f"m{number}"), lambda state: lab.call(maas.rack.set_power, f"node{number:04d}", state)

        machine, switch = declared(0)
        lab.advance(1200)
        assert machine["status_name"] == "Commissioning" and machine["power_state"] == "unknown"
        switch("on")
        lab.until(lambda: machine["status_name"] == "Ready", step=30, limit=600)
        # It switches itself off in the end; to be installed it is waited for again.
        assert maas.rack.power("node0000") == "off"
        assert send("POST", f"machines/{machine['system_id']}/?op=deploy", data={}).json()["status_name"] == "Deploying"
        lab.advance(1200)
        assert machine["status_name"] == "Deploying"
        switch("on")
        lab.until(lambda: machine["status_name"] == "Deployed", step=30, limit=1200)

        machine, _switch = declared(1)
        lab.until(lambda: machine["status_name"] == "Failed commissioning", step=60, limit=1900)


# -- size ------------------------------------------------------------------------------------------------------------------------------------------
def test_a_filtered_list_of_a_thousand_serialises_only_what_it_returns(monkeypatch) -> None:
    rendered = []
    with MaasLab(rack=rack_of(1000), dhcp=True) as lab:
        rows = lab.declare()
        send = Client(lab)
        renders = Render.machine
        monkeypatch.setattr(Render, "machine", lambda self, node, **shown: rendered.append(node["hostname"]) or renders(self, node, **shown))
        query = [("id", row["system_id"]) for row in rows[:500]] + [("not_status", "new")]
        assert send("GET", "machines/", params=query).json() == []
        assert [m["hostname"] for m in send("GET", "machines/?hostname=node0500").json()] == ["node0500"]
        assert rendered == ["node0500"]
