"""Users, boot sources, power, storage layouts, lists and events."""

from __future__ import annotations

import base64
import re

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.maas import images, info, kinds, power, storage
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.maas.transitions import BMC_PAUSES
from maas_fakes import FakeClient, Time, machine

USERS = [{"username": "admin", "email": "admin@example.com", "is_superuser": True}]


def user(client, **given):
    params = {"username": "ana", "email": None, "password": None, "is_superuser": None, "transfer_resources_to": None, "state": "present", **given}
    return kinds.ensure_user(client, params)


def users(read_only=False):
    return FakeClient({"Users.read": USERS, "Users.create": lambda p, d: d, "User.delete": None}, read_only)


def test_a_user_is_made_once_and_the_password_shown_never():
    client = users()
    result = user(client, email="ana@example.com", password="s3cret")
    assert client.writes() == [("Users.create", {}, {"username": "ana", "email": "ana@example.com", "password": "s3cret", "is_superuser": "0"})]
    assert "s3cret" not in str(result.after)
    assert not user(users(), username="admin", email="ADMIN@example.com", password="other").changed


def test_a_user_who_differs_or_lacks_something():
    with pytest.raises(MaasError, match="is_superuser is True, not False"):
        user(users(), username="admin", is_superuser=False)
    with pytest.raises(MaasError, match="password is needed"):
        user(users(), email="ana@example.com")


def test_a_users_things_go_to_somebody():
    client = users()
    user(client, username="admin", state="absent", transfer_resources_to="bob")
    assert client.writes() == [("User.delete", {"username": "admin"}, {"transfer_resources_to": "bob"})]


SOURCES = [{"id": 1, "url": "http://one/stable/", "keyring_filename": "/k", "keyring_data": ""}]


def sources(**given):
    client = FakeClient({"BootSources.read": SOURCES, "BootSources.create": lambda p, d: {"id": 2, **d}, "BootSource.update": lambda p, d: {**SOURCES[0], **d}})
    params = {"url": "http://two/stable/", "previous_url": None, "keyring_filename": None, "keyring_data": None, "state": "present", **given}
    return client, images.ensure_source(client, params)


def test_a_boot_source_moves_with_its_selections():
    client, result = sources(previous_url="http://one/stable")
    assert client.writes() == [("BootSource.update", {"id": 1}, {"url": "http://two/stable/"})]
    assert "keyring_data" not in result.thing


def test_a_keyring_is_sent_as_a_file_for_every_attempt():
    client, _result = sources(keyring_data=base64.b64encode(b"ring").decode())
    sent = client.writes()[0][2]["keyring_data"]
    assert [sent().read(), sent().read()] == [b"ring", b"ring"]


def test_a_boot_source_without_a_keyring():
    with pytest.raises(MaasError, match="keyring_filename or keyring_data is needed"):
        sources()
    assert not sources(url="http://one/stable")[1].changed


NOT_READ = ApiError("no", 400, body={"os": ["OS ubuntu with release noble has no available images for download"]})


def selection(time, answer):
    client = FakeClient({"BootSources.read": SOURCES, "BootSourceSelections.read": [], "BootSourceSelections.create": answer})
    params = {"os": "ubuntu", "release": "noble", "arches": ["amd64"], "subarches": ["*"], "labels": ["*"], "boot_source_url": None, "state": "present"}
    return client, lambda: images.ensure_selection(client, params, clock=time.clock, sleep=time.sleep)


def raises(error):
    raise error


def test_a_region_that_has_not_read_its_image_source_yet_is_waited_for():
    time = Time()
    client, select = selection(time, lambda p, d: {"id": 2, **d} if time.now >= 1045 else raises(NOT_READ))
    assert select().changed
    assert (len(client.writes()), time.now) == (6, 1050.0)


def test_a_region_that_cannot_read_its_image_source():
    time = Time()
    _client, select = selection(time, lambda p, d: raises(NOT_READ))
    with pytest.raises(MaasError, match="After 300 s the region knows no images of ubuntu noble.*http://one/stable/.*behind a proxy set http_proxy"):
        select()
    assert time.now == 1000 + images.CATALOGUE_WAIT


@pytest.mark.parametrize("error", [ApiError("no", 400, body={"arches": ["No available images to download for ['riscv64']"]}), ApiError("no", 403, body="")])
def test_other_refusals_of_a_selection_are_told_at_once(error):
    time = Time()
    _client, select = selection(time, lambda p, d: raises(error))
    with pytest.raises(ApiError):
        select()
    assert time.slept == []


def powered(state, answers, **given):
    time = Time()
    left = list(answers)
    client = FakeClient(
        {
            "Machines.read": [machine("aaaaaa", "a", 6, power_type="ipmi")],
            "Machine.query_power_state": lambda p, d: _answer(left),
            "Machine.power_on": {},
            "Machine.power_off": {},
        }
    )
    client.READS = re.compile(r"read$|query_power_state$")
    params = {"machines": ["a"], "state": state, "stop_mode": "hard", "wait": True, "wait_timeout": 60, "wait_interval": 5, **given}
    return client, power.ensure_power(client, params, clock=time.clock, sleep=time.sleep)


def _answer(left):
    answer = left.pop(0) if len(left) > 1 else left[0]
    if isinstance(answer, Exception):
        raise answer
    return {"state": answer}


def test_power_is_asked_of_the_bmc_and_waited_for():
    client, result = powered("off", ["on", "on", "off"])
    assert client.writes() == [("Machine.power_off", {"system_id": "aaaaaa"}, {"stop_mode": "hard"})]
    assert (result["changed"], result["power"]) == (True, {"a": "off"})
    client, result = powered("on", ["on"])
    assert (result["changed"], client.writes()) == (False, [])


def test_power_that_nobody_controls():
    with pytest.raises(MaasError, match="MAAS has no control over its power"):
        powered("on", ["unknown"])
    with pytest.raises(MaasError, match="BMC is dead"):
        powered("on", [ApiError("BMC is dead", 503)])


AWAY = ApiError("Cannot ask the BMC: the region failed (500): Power on for the node failed: Could not contact node's BMC: Connection timed out", 500)


def powered_set(answers, state="on", switching=None, read_only=False, **given):
    """Machines a, b, ... by the answers of their BMCs, the last of which stays; ``switching``: what becomes of the operation, by system_id."""
    time, left = Time(), {f"id-{name}": list(said) for name, said in answers.items()}
    client = FakeClient(
        {
            "Machines.read": [machine(f"id-{name}", name, 6, power_type="ipmi", macs=[f"52:54:00:00:00:{number:02x}"]) for number, name in enumerate(answers)],
            "Machine.query_power_state": lambda p, d: _answer(left[p["system_id"]]),
            f"Machine.power_{state}": lambda p, d: raises(found) if isinstance(found := _next(switching, p["system_id"]), Exception) else found,
        },
        read_only=read_only,
    )
    client.READS = re.compile(r"read$|query_power_state$")
    params = {"machines": list(answers), "state": state, "stop_mode": "hard", "wait": True, "wait_timeout": 60, "wait_interval": 5, **given}

    def run():
        return power.ensure_power(client, params, clock=time.clock, sleep=time.sleep)

    return client, time, run


def _next(switching, system_id):
    said = (switching or {}).get(system_id) or [{}]
    return said.pop(0) if len(said) > 1 else said[0]


def switched(client):
    return [params["system_id"] for name, params, _data in client.writes()]


def test_a_bmc_that_is_away_keeps_no_other_machine_off_and_is_asked_again():
    client, time, run = powered_set({"a": ["off", "on"], "b": [AWAY, AWAY, "off", "on"], "c": ["off", "on"], "d": ["on"]})
    result = run()
    assert switched(client) == ["id-a", "id-c", "id-b"]
    assert time.slept[:2] == list(BMC_PAUSES)
    assert (result["changed"], result["switched"]) == (True, ["a", "c", "b"])
    assert set(result["power"].values()) == {"on"} and set(result["diff"]["before"]) == {"a", "b", "c"}


def test_a_bmc_that_stays_away_is_named_and_so_are_those_that_were_switched():
    client, time, run = powered_set({"a": ["off"], "b": [AWAY], "c": ["unknown"], "d": ["off"]})
    with pytest.raises(MaasError) as caught:
        run()
    assert switched(client) == ["id-a", "id-d"] and time.slept == list(BMC_PAUSES)
    said = str(caught.value)
    assert said.startswith("2 of 4 machines cannot be powered on: b: Cannot ask the BMC") and said.endswith("Powered on: a, d")
    assert "c: MAAS has no control over its power (power type 'ipmi')" in said
    result = caught.value.result
    assert (result["changed"], result["switched"], list(result["failed_machines"])) == (True, ["a", "d"], ["b", "c"])
    client, _time, run = powered_set({"a": ["on"], "b": [AWAY]})
    with pytest.raises(MaasError) as caught:
        run()
    assert (caught.value.result["changed"], switched(client)) == (False, [])


def test_check_mode_switches_nothing_and_tells_the_same():
    client, _time, run = powered_set({"a": ["off"], "b": [AWAY, "off"]}, read_only=True)
    result = run()
    assert (result["changed"], result["switched"], result["power"]) == (True, ["a", "b"], {"a": "on", "b": "on"})
    assert client.writes() == []


def test_a_machine_that_refuses_to_be_switched_keeps_no_other_off():
    refused = ApiError("Cannot power on a: Can't start node: it hasn't been allocated.", 409)
    client, time, run = powered_set({"a": ["off"], "b": ["off"], "c": ["off"]}, switching={"id-a": [refused], "id-b": [AWAY, {}]})
    with pytest.raises(MaasError, match=r"1 of 3 machines cannot be powered on: a: .*hasn't been allocated\. Powered on: c, b") as caught:
        run()
    assert switched(client) == ["id-a", "id-b", "id-c", "id-b"] and time.slept == list(BMC_PAUSES[:1])
    assert caught.value.result["switched"] == ["c", "b"]


def test_a_region_that_is_lost_under_way_takes_nothing_back_from_the_result():
    client, _time, run = powered_set({"a": ["off"], "b": [AWAY, Unreachable("the region does not answer")]})
    with pytest.raises(Unreachable) as caught:
        run()
    assert caught.value.result == {"changed": True, "switched": ["a"]}
    assert client.retry_for == 60.0


def disks(*parts, **more):
    return {"blockdevice_set": [{"id": 9, "name": "sda", "partitions": list(parts), "filesystem": None}], "bcaches": [], "volume_groups": [], **more}


ROOT = {"filesystem": {"mount_point": "/"}}


@pytest.mark.parametrize(
    ("found", "layout"),
    [
        (disks(ROOT), "flat"),
        (disks({"filesystem": None}, volume_groups=[{"id": 1}]), "lvm"),
        (disks({"filesystem": None}, bcaches=[{"id": 1}]), "bcache"),
        (disks(), "blank"),
        (disks(*[{"filesystem": None}] * 8), "vmfs6"),
        (disks({"filesystem": {"mount_point": "/srv"}}), "custom"),
    ],
)
def test_layouts_are_told_from_the_disks(found, layout):
    assert storage.layout_of(found) == layout


def test_a_layout_for_those_that_need_it():
    known = [machine("aaaaaa", "a", 4, **disks(ROOT)), machine("bbbbbb", "b", 4, macs=["52:54:00:00:00:02"], **disks(volume_groups=[{"id": 1}]))]
    client = FakeClient({"Machines.read": known, "Machine.set_storage_layout": {}})
    params = {**dict.fromkeys((*storage.OPTIONS, *storage.DEVICES)), "machines": ["a", "b"], "layout": "lvm", "force": False, "root_device": "sda"}
    result = storage.ensure_layout(client, params)
    assert client.writes() == [("Machine.set_storage_layout", {"system_id": "aaaaaa"}, {"storage_layout": "lvm", "root_device": 9})]
    assert result["diff"] == {"before": {"a": "flat"}, "after": {"a": "lvm"}}
    known[0]["status"] = 6
    with pytest.raises(MaasError, match="a is Deployed"):
        storage.ensure_layout(client, params)


class Module:
    def __init__(self, **params):
        self.params = params


def test_lists_of_things():
    client = FakeClient({"Subnets.read": [{"cidr": "10.42.0.0/16"}, {"cidr": "10.50.0.0/24"}]})
    work = info.listing("subnets", "cidr")
    assert len(work(Module(cidr=None), client)["subnets"]) == 2
    assert work(Module(cidr="10.42.1.1/16"), client)["subnets"] == [{"cidr": "10.42.0.0/16"}]
    assert set(info.LISTS)


@pytest.mark.parametrize(
    ("after", "limit", "expected"), [(None, 3, [2498, 2499, 2500]), (None, 2300, [201, 2500]), (10, 5, [11, 15]), (10, 5000, [11, 2500]), (2500, 5, [])]
)
def test_events_over_several_pages(after, limit, expected):
    stored = [{"id": number} for number in range(1, 2501)]

    def query(params, data):
        assert data["limit"] <= 1000
        found = [e for e in stored if e["id"] > data.get("after", 0) and e["id"] < data.get("before", 1e9)]
        return {"events": found[: data["limit"]] if "after" in data else found[-data["limit"] :]}

    result = info.events(FakeClient({"Events.query": query}), {"machines": None, "level": "DEBUG", "after": after, "limit": limit})
    ids = [event["id"] for event in result["events"]]
    assert ids == sorted(set(ids))
    assert (ids[:1] + ids[-1:] if len(expected) == 2 else ids) == expected
    assert result["last_id"] == (ids[-1] if ids else after)
