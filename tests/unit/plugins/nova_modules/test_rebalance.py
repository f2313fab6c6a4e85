"""Carrying out a plan: in its order, never more on a host than it has while servers are on both, in slices, and what stops it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova import rebalance
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault

from .fake import FakeCloud, Module

DEFAULTS = {
    "tolerance": 10, "resources": ["VCPU", "MEMORY_MB"], "hosts": None, "exclude_servers": [], "max_moves": None, "block_migration": "auto",
    "concurrency": 2, "max_failures": 1, "migration_timeout": None, "on_timeout": "abort", "wait": True, "wait_timeout": 600, "wait_interval": 2,
    "wait_slice": None, "wait_resume": None,
}  # fmt: skip


def even(cloud, check=False, **options):
    return rebalance.work(Module(check, **{**DEFAULTS, **options}), cloud, cloud.time.clock, cloud.time.sleep)


def full():
    """Four servers that fill one of two hosts."""
    cloud = FakeCloud("c0", "c1")
    for name in "abcd":
        cloud.add(name, "c0", vcpus=4)
    return cloud


def moves(cloud):
    return [(server.removeprefix("id-"), host) for kind, server, host in cloud.writes if kind == "migrate"]


def test_the_plan_of_check_mode_is_what_the_run_does_and_the_next_run_does_nothing():
    cloud = full()
    told = even(cloud, check=True)
    assert cloud.writes == []
    done = even(cloud)
    assert told["diff"] == done["diff"]
    assert moves(cloud) == [(one["server"], one["to"]) for one in told["plan"]] == [("a", "c1"), ("b", "c1")]
    assert (done["spread"]["before"], done["spread"]["after"]) == ({"nova": 100.0}, {"nova": 0.0})
    assert not even(cloud)["changed"]


def test_another_plan_than_the_one_that_was_shown_is_not_carried_out():
    cloud = full()
    shown = even(cloud, check=True)["plan"]
    cloud.add("new", "c1", vcpus=8)
    with pytest.raises(NovaFault, match="The cloud has changed since the plan was shown"):
        even(cloud, plan=shown)
    assert cloud.writes == []
    same = full()
    assert even(same, plan=even(same, check=True)["plan"])["changed"] and len(moves(same)) == 2


def test_a_locked_server_stays():
    cloud = FakeCloud("c0", "c1")
    for name in "abcd":
        cloud.add(name, "c0", vcpus=4, locked=name == "a")
    told = even(cloud, check=True)
    assert "a" not in [one["server"] for one in told["plan"]] and {"server": "a", "id": "id-a", "reason": "is locked"} in told["staying"]


def crossing():
    """A plan whose second move needs the room that the first one leaves."""
    cloud = FakeCloud("c0", "c1", "c2", room={"VCPU": (10, 1.0), "MEMORY_MB": (99999, 1.0)})
    cloud.add("a", "c0", vcpus=6)
    cloud.add("b", "c1", vcpus=8)
    found = {
        "plan": [
            {"server": "a", "id": "id-a", "from": "c0", "to": "c2", "needs": {}, "facts": []},
            {"server": "b", "id": "id-b", "from": "c1", "to": "c0", "needs": {}, "facts": []},
        ],
        "staying": [],
        "hosts": {"before": {}, "after": {}},
        "spread": {"before": {}, "after": {}},
    }
    return cloud, found


def given(cloud, found, monkeypatch):
    snapshot = rebalance.clouds.read(cloud)
    monkeypatch.setattr(rebalance, "survey", lambda *_arguments: (snapshot, found))


def test_a_move_that_needs_the_room_of_another_waits_for_it(monkeypatch):
    cloud, found = crossing()
    cloud.behave["a"] = {"seconds": 20}
    given(cloud, found, monkeypatch)
    when = {}
    original = cloud.live_migrate

    def note(server, host, block):
        when[server] = cloud.time.now
        return original(server, host, block)

    cloud.live_migrate = note
    even(cloud)
    assert when["id-b"] - when["id-a"] >= 20


def test_when_the_room_is_not_left_it_is_not_begun(monkeypatch):
    cloud, found = crossing()
    cloud.behave["a"] = {"end": "failed"}
    given(cloud, found, monkeypatch)
    with pytest.raises(NovaFault, match=r"a is failed .*not started: b \(the moves before it did not leave the room that it needs\)"):
        even(cloud, max_failures=None)
    assert moves(cloud) == [("a", "c2")]


def test_servers_of_one_group_move_one_after_the_other(monkeypatch):
    cloud = full()
    cloud.group("apart", "soft-anti-affinity", "a", "b")
    snapshot = rebalance.clouds.read(cloud)
    judge = rebalance.fits(snapshot)
    one, other = ({"id": f"id-{name}", "from": "c0", "asked": "c1", "state": state} for name, state in (("a", "waiting for its turn"), ("b", "running")))
    assert not judge(one, [one, other])
    assert judge(one, [one, {**other, "state": "completed"}])


def test_the_first_failure_ends_it():
    cloud = full()
    cloud.behave["a"] = {"end": "failed"}
    with pytest.raises(NovaFault, match=r"1 of 2 migrations failed: a is failed .*not started: b \(1 failed before it\)"):
        even(cloud, concurrency=1)
    assert moves(cloud) == [("a", "c1")]


def test_a_wait_in_slices_goes_on_with_the_plan_it_began_with():
    cloud = full()
    cloud.behave["a"] = {"seconds": 30}
    resume, slices = None, 0
    while True:
        done = even(cloud, concurrency=1, wait_slice=5, wait_resume=resume)
        slices += 1
        if not done.get("unfinished"):
            break
        resume = json.loads(json.dumps(done["resume"]))
    assert slices > 3
    assert moves(cloud) == [("a", "c1"), ("b", "c1")]
    assert [one["server"] for one in done["plan"]] == ["a", "b"]


def test_a_resource_class_that_no_host_has_is_named():
    with pytest.raises(NovaFault, match="No host has VGPU in Placement; there are DISK_GB, MEMORY_MB, VCPU"):
        even(full(), resources=["VCPU", "VGPU"])


def test_only_so_many_moves():
    cloud = full()
    assert [one["server"] for one in even(cloud, max_moves=1)["plan"]] == ["a"]
