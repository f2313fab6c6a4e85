"""Moving servers: what is judged beforehand, how many at a time, what is waited for, deadlines, and words for failures."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova import drain
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable

from .fake import FakeCloud, Module

DEFAULTS = {
    "servers": None, "from_host": None, "host": None, "block_migration": "auto", "concurrency": 2, "on_unmovable": "fail", "max_failures": None,
    "migration_timeout": None, "on_timeout": "abort", "wait": True, "wait_timeout": 600, "wait_interval": 2, "wait_slice": None, "wait_resume": None,
}  # fmt: skip


def cloud_with(*servers, hosts=("c0", "c1")):
    cloud = FakeCloud(*hosts)
    for name in servers:
        cloud.add(name, "c0")
    return cloud


def migrate(cloud, check=False, **options):
    return drain.work(Module(check, **{**DEFAULTS, **options}), cloud, cloud.time.clock, cloud.time.sleep)


def asked(cloud):
    return [write[1].removeprefix("id-") for write in cloud.writes if write[0] == "migrate"]


def test_everything_leaves_a_host():
    cloud = cloud_with("a", "b", "c")
    cloud.add("d", "c1")
    done = migrate(cloud, from_host="c0")
    assert {cloud.host_of(name) for name in "abcd"} == {"c1"}
    assert done["changed"]
    assert {one["state"] for one in done["migrations"]} == {"completed"}
    assert done["diff"] == {"before": {"a": "c0", "b": "c0", "c": "c0"}, "after": {"a": "c1", "b": "c1", "c": "c1"}}
    assert not migrate(cloud, from_host="c0")["changed"]
    assert len(asked(cloud)) == 3


def test_it_is_the_record_that_is_waited_for_not_the_host():
    cloud = cloud_with("a")
    cloud.behave["a"] = {"seconds": 30}
    migrate(cloud, from_host="c0")
    assert cloud.records[0]["status"] == "completed"
    assert cloud.time.now >= 1030


def test_only_so_many_at_a_time():
    cloud = cloud_with(*"abcdef")
    most = []
    original = cloud.migrations

    def count(**filters):
        found = original(**filters)
        most.append(sum(record["status"] in ("accepted", "running") for record in cloud.records))
        return found

    cloud.migrations = count
    migrate(cloud, from_host="c0", concurrency=3)
    assert max(most) == 3
    assert len(asked(cloud)) == 6


def test_check_mode_tells_the_same_and_asks_for_nothing():
    cloud = cloud_with("a", "b")
    told = migrate(cloud, check=True, from_host="c0")
    assert cloud.writes == []
    done = migrate(cloud, from_host="c0")
    assert told["diff"] == done["diff"]
    assert [(one["server"], one["to"]) for one in told["plan"]] == [("a", "c1"), ("b", "c1")]


def test_named_servers_that_are_there_already_are_left_alone():
    cloud = cloud_with("a")
    cloud.add("b", "c1")
    done = migrate(cloud, servers=["a", "b"], host="c1")
    assert asked(cloud) == ["a"]
    assert done["already"] == ["b"]
    assert migrate(cloud, servers=["b"], from_host="c0")["already"] == ["b"]


def test_of_two_with_one_name_the_one_on_the_host_moves():
    cloud = cloud_with("web")
    cloud.server_list[0]["id"] = "11111111-1111-1111-1111-111111111111"
    cloud.add("web", "c1")
    cloud.server_list[1]["id"] = "22222222-2222-2222-2222-222222222222"
    done = migrate(cloud, servers=[raw["id"] for raw in cloud.server_list], from_host="c0")
    assert asked(cloud) == ["11111111-1111-1111-1111-111111111111"]
    assert (done["changed"], done["already"]) == (True, ["web"])


def test_one_that_cannot_move_keeps_all_where_they_are():
    cloud = cloud_with("a")
    cloud.add("off", "c0", state="stopped")
    cloud.add("broken", "c0", state="error")
    cloud.add("busy", "c0", task="image_snapshot")
    with pytest.raises(NovaFault, match="3 of 4 servers cannot move, and nothing was begun") as caught:
        migrate(cloud, from_host="c0")
    for words in ("off is stopped", "broken is in error", "busy is busy (image_snapshot)"):
        assert words in str(caught.value)
    assert cloud.writes == []
    done = migrate(cloud, from_host="c0", on_unmovable="skip")
    assert asked(cloud) == ["a"]
    assert sorted(one["server"] for one in done["unmovable"]) == ["broken", "busy", "off"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cloud: cloud.service("c1").update(status="disabled", disabled_reason="a fan"), r"c1 is disabled \(a fan\)"),
        (lambda cloud: cloud.service("c1").update(state="down"), "c1 is down"),
        (lambda cloud: cloud.service("c0").update(state="down"), "a is on c0, which is down: evacuate it instead"),
        (lambda cloud: cloud.room["c1"].update(VCPU=(0, 1.0)), "c1 0 of 1 VCPU free"),
        (lambda cloud: cloud.group("apart", "anti-affinity", "a", "other"), "c1 holds 1 of the anti-affinity group apart already"),
        (lambda cloud: cloud.group("together", "affinity", "a", "mate"), "c1 holds none of the affinity group together, whose others are on c0"),
    ],
)
def test_why_no_host_can_take_it(change, words):
    cloud = cloud_with("a")
    cloud.add("other", "c1")
    cloud.add("mate", "c0")
    change(cloud)
    with pytest.raises(NovaFault, match=words):
        migrate(cloud, servers=["a"])
    assert cloud.writes == []


def test_room_counts_what_came_before():
    cloud = cloud_with()
    for number in range(3):
        cloud.add(f"big{number}", "c0", vcpus=6)
    found, _target = drain.survey(cloud, {**DEFAULTS, "from_host": "c0"})
    assert (len(found["plan"]), [one["server"] for one in found["unmovable"]]) == (2, ["big2"])


def test_the_words_of_what_failed_are_told():
    cloud = cloud_with("a", "b")
    cloud.behave["a"] = {"end": "error", "words": "Migration pre-check error: Unacceptable CPU info"}
    with pytest.raises(NovaFault, match="1 of 2 migrations failed: a is error .Migration pre-check error: Unacceptable CPU info.. 1 of 2 moved") as caught:
        migrate(cloud, from_host="c0")
    assert caught.value.result["changed"]
    assert caught.value.result["diff"]["after"] == {"a": "c0", "b": "c1"}


def test_failed_without_a_word_says_where_to_look():
    cloud = cloud_with("a")
    cloud.behave["a"] = {"end": "failed"}
    with pytest.raises(NovaFault, match="nova gives no reason; the log of nova-compute on c0 may"):
        migrate(cloud, from_host="c0")


def test_after_enough_failures_no_other_is_begun():
    cloud = cloud_with(*"abcd")
    cloud.behave["a"] = {"end": "failed"}
    with pytest.raises(NovaFault, match=r"not started: b \(1 failed before it\); c"):
        migrate(cloud, from_host="c0", concurrency=1, max_failures=1)
    assert asked(cloud) == ["a"]


def test_one_that_takes_too_long_is_aborted_and_the_others_go_on():
    cloud = cloud_with("a", "b")
    cloud.behave["a"] = {"seconds": 10_000}
    with pytest.raises(NovaFault, match=r"a is cancelled \(aborted after 01:\d\d with 100 of 1024 MiB of memory still to copy\)"):
        migrate(cloud, from_host="c0", migration_timeout=60)
    assert cloud.host_of("a") == "c0"
    assert cloud.host_of("b") == "c1"


@pytest.mark.parametrize(
    ("status", "tries", "words"), [(409, 3, "aborted after"), (500, 3, "aborted after"), (400, 1, "could not be aborted after .*: no such thing")]
)
def test_an_abort_that_is_refused(status, tries, words):
    cloud = cloud_with("a")
    cloud.behave["a"] = {"seconds": 90 if status == 400 else 10_000}
    original, seen = cloud.abort, []

    def refuse(*arguments):
        seen.append(arguments)
        if len(seen) < 3:
            raise Refused("no", status=status, said="no such thing")
        original(*arguments)

    cloud.abort = refuse
    try:
        reason = migrate(cloud, from_host="c0", migration_timeout=60)["migrations"][0]["reason"]
    except NovaFault as error:
        reason = error.result["migrations"][0]["reason"]
    assert len(seen) == tries
    assert re.search(words, reason)


def test_or_is_forced_to_its_end():
    cloud = cloud_with("a")
    cloud.behave["a"] = {"seconds": 10_000}
    done = migrate(cloud, from_host="c0", migration_timeout=60, on_timeout="force_complete")
    assert cloud.host_of("a") == "c1"
    assert "forced to its end" in done["migrations"][0]["reason"]


def test_at_the_deadline_of_all_what_runs_is_dealt_with_and_nothing_is_begun():
    cloud = cloud_with("a", "b")
    cloud.behave["a"] = {"seconds": 10_000}
    with pytest.raises(NovaFault, match="not started: b .its turn did not come within 02:00."):
        migrate(cloud, from_host="c0", concurrency=1, wait_timeout=120)
    assert ("abort", "id-a", 1) in cloud.writes
    assert asked(cloud) == ["a"]


def test_leave_lets_it_go_on_and_says_so():
    cloud = cloud_with("a")
    cloud.behave["a"] = {"seconds": 10_000}
    with pytest.raises(NovaFault, match="not ended within .*: a is running"):
        migrate(cloud, from_host="c0", wait_timeout=120, on_timeout="leave")
    assert asked(cloud) == ["a"]
    assert len(cloud.writes) == 1


def test_refused_at_once_is_told_in_its_words():
    cloud = cloud_with("a")
    cloud.behave["a"] = {"refuse": 400}
    with pytest.raises(NovaFault, match="a is refused .it is refused."):
        migrate(cloud, from_host="c0")


def test_one_that_is_under_way_already_is_waited_for():
    cloud = cloud_with("a")
    cloud.live_migrate("id-a", "c1", "auto")
    cloud.behave["a"] = {"refuse": 409}
    done = migrate(cloud, from_host="c0")
    assert done["migrations"][0]["state"] == "completed"
    assert cloud.host_of("a") == "c1"


def test_a_request_whose_answer_was_lost_is_found_by_its_record():
    cloud = cloud_with("a")
    original = cloud.live_migrate

    def lossy(*arguments):
        original(*arguments)
        raise Unreachable("the connection was cut", sent=True)

    cloud.live_migrate = lossy
    assert migrate(cloud, from_host="c0")["migrations"][0]["state"] == "completed"
    assert len(asked(cloud)) == 1


def test_a_request_that_never_arrived_is_no_migration():
    cloud = cloud_with("a")

    def deaf(*_arguments):
        raise Unreachable("the connection was cut", sent=True)

    cloud.live_migrate = deaf
    with pytest.raises(NovaFault, match="a is error .the connection was cut."):
        migrate(cloud, from_host="c0")


def test_faults_that_pass_do_not_end_the_wait():
    cloud = cloud_with("a")
    original, calls = cloud.migrations, []

    def flaky(**filters):
        calls.append(filters)
        if len(calls) in (2, 3):
            raise Unreachable("503")
        return original(**filters)

    cloud.migrations = flaky
    assert migrate(cloud, from_host="c0")["migrations"][0]["state"] == "completed"


def test_a_fault_that_does_not_pass_tells_what_moved_and_what_nobody_watches():
    cloud = cloud_with("a", "b", "c")
    cloud.behave["b"] = {"seconds": 1000}
    original = cloud.migrations

    def forbidden(**filters):
        if cloud.time.now > 1060:
            raise Refused("Cannot read the records of migrations: it takes an administrator", status=403)
        return original(**filters)

    cloud.migrations = forbidden
    with pytest.raises(NovaFault, match="takes an administrator. 2 of 3 moved before that. Nobody watches what is under way: b is running$") as caught:
        migrate(cloud, from_host="c0")
    result = caught.value.result
    assert result["changed"]
    assert {one["server"]: one["state"] for one in result["migrations"]} == {"a": "completed", "b": "running", "c": "completed"}
    assert result["diff"]["after"] == {"a": "c1", "b": "c0", "c": "c1"}
    assert cloud.retry_for == 60


def test_words_that_cannot_be_read_do_not_hide_what_moved():
    cloud = cloud_with("a", "b")
    cloud.behave["a"] = {"end": "failed"}

    def silent(*_arguments):
        raise Unreachable("500")

    cloud.action = silent
    with pytest.raises(NovaFault, match="1 of 2 migrations failed: a is failed .nova gives no reason.*1 of 2 moved") as caught:
        migrate(cloud, from_host="c0")
    assert caught.value.result["changed"]


def test_without_waiting_a_fault_tells_what_was_asked_for():
    cloud = cloud_with("a", "b")
    original, calls = cloud.migrations, []

    def second(**filters):
        calls.append(filters)
        if len(calls) == 2:
            raise Unreachable("500")
        return original(**filters)

    cloud.migrations = second
    with pytest.raises(NovaFault) as caught:
        migrate(cloud, from_host="c0", wait=False)
    assert caught.value.result["changed"]
    assert [one["state"] for one in caught.value.result["migrations"]] == ["asked for", "waiting for its turn"]


def test_a_wait_in_slices_is_one_wait():
    cloud = cloud_with("a", "b", "c")
    cloud.behave["b"] = {"seconds": 40}
    slices, resume = 0, None
    while True:
        done = migrate(cloud, from_host="c0", concurrency=1, wait_slice=5, wait_resume=resume)
        slices += 1
        if not done.get("unfinished"):
            break
        resume = json.loads(json.dumps(done["resume"]))
    assert slices > 4
    assert asked(cloud) == ["a", "b", "c"]
    assert [one["state"] for one in done["migrations"]] == ["completed"] * 3
    assert done["waited"] >= 50


def test_without_waiting_all_are_asked_for_at_once():
    cloud = cloud_with("a", "b", "c")
    done = migrate(cloud, from_host="c0", wait=False)
    assert asked(cloud) == ["a", "b", "c"]
    assert {one["state"] for one in done["migrations"]} == {"asked for"}
    assert cloud.time.now == 1000


def test_one_request_for_each_look_whatever_the_number():
    cloud = cloud_with(*"abcdefgh")
    for name in "abcdefgh":
        cloud.behave[name] = {"seconds": 100}
    migrate(cloud, from_host="c0", concurrency=8)
    # A look each two seconds at most, one request for each start.
    assert cloud.requests < 8 + 100 / 2 + 25


def test_names_that_are_not_there_or_not_enough():
    cloud = cloud_with("a")
    cloud.server_list.append({**cloud.server_list[0], "id": "id-twin"})
    with pytest.raises(NovaFault, match="a is the name of 2 servers .*; there is no server nobody"):
        migrate(cloud, servers=["a", "nobody"])
    with pytest.raises(NovaFault, match="There is no compute service on a host c9; there are c0, c1"):
        migrate(cloud, from_host="c9")
    with pytest.raises(NovaFault, match="are the same"):
        migrate(cloud, from_host="c0", host="c0")
