from __future__ import annotations

import json

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.maas import images, states, transitions, vmhosts, waits, watch
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import WaitFailed, WaitTimeout
from maas_fakes import FakeClient, Region, Time, machine

NEW, COMMISSIONING, FAILED, READY, BROKEN, TESTING = 0, 1, 2, 4, 8, 21


def setup(*hostnames, status=COMMISSIONING):
    time = Time()
    return time, Region(time, hostnames, status)


def wait(time, region, machines, **given):
    params = {"status": ["Ready"], "appear": False, "wait": True, "wait_timeout": 1000, "wait_interval": 10, "min_ready": None, **given}
    return waits.wait_for_machines(region.client, {"machines": machines, **params}, clock=time.clock, sleep=time.sleep)


def counts(region, name):
    return sum(call[0] == name for call in region.client.calls)


def test_a_set_is_waited_for_together():
    time, region = setup("a", "b", "c")
    for number, name in enumerate("abc"):
        region.at(100 + number, name, TESTING)
        region.at(200 + 50 * number, name, READY)
    result = wait(time, region, ["a", "b", "c"])
    assert result["ready"] == ["a", "b", "c"]
    assert 300 <= result["waited"] <= 303
    assert [machine["status"] for machine in result["machines"]] == ["Ready"] * 3
    assert any(line.startswith("b: Testing -> Ready") for line in result["progress"])


def test_what_is_there_is_not_waited_for():
    time, region = setup("a", status=READY)
    assert wait(time, region, ["a"])["waited"] == 0


def test_a_thousand_cost_about_what_ten_do():
    cost = {}
    for size in (10, 1000):
        time, region = setup(*[f"n{number}" for number in range(size)])
        for number in range(size):
            region.at(480 + number % 20, f"n{number}", TESTING)
            region.at(580 + number % 25, f"n{number}", READY)
        result = wait(time, region, [f"n{number}" for number in range(size)])
        assert len(result["ready"]) == size
        assert result["waited"] <= 580 + 25 + 2
        cost[size] = len(region.client.calls)
        # The look-up, the read after its event, and little else.
        assert region.returned <= 2.3 * size + 10
    assert cost[1000] <= cost[10] * 1.3 + 20


def test_what_a_thousand_cost_a_region():
    """The cost model of a real region: 0.25 s for a list and 24 ms for each machine in it, 30 ms for a look at the events."""
    time, region = setup(*[f"n{number}" for number in range(1000)])
    for number in range(1000):
        region.at(430 + number % 60, f"n{number}", TESTING)
        region.at(530 + number % 60, f"n{number}", READY)
    result = wait(time, region, [f"n{number}" for number in range(1000)])
    seconds = 0.25 * counts(region, "Machines.read") + 0.024 * region.returned + 0.03 * counts(region, "Events.query")
    assert seconds / result["waited"] < 0.06
    # Long pauses in the middle are nobody's loss at the end.
    assert 589 <= result["waited"] <= 591


def test_details_of_a_large_set_are_read_when_asked_for():
    names = [f"n{number}" for number in range(600)]
    for details, least, most in ((False, 600, 660), (True, 1200, 1300)):
        time, region = setup(*names)
        for number, name in enumerate(names):
            region.at(30 + number % 60, name, READY)
        assert len(wait(time, region, names, details=details)["ready"]) == 600
        assert least <= region.returned <= most


def test_the_last_one_is_noticed_within_two_seconds():
    time, region = setup("a", "b")
    region.at(50, "a", READY)
    region.at(333, "b", READY)
    assert 333 <= wait(time, region, ["a", "b"], wait_interval=60)["waited"] <= 335.1


def test_a_failed_machine_is_explained():
    time, region = setup("a", "b")
    region.at(60, "a", FAILED)
    region.at(90, "b", READY)
    with pytest.raises(WaitFailed) as caught:
        wait(time, region, ["a", "b"])
    text = str(caught.value)
    assert "a is Failed commissioning" in text
    assert "failed scripts: smartctl-validate" in text
    assert "next: run it again with maas_machine_state" in text
    assert caught.value.outcome.done == ["b"]


@pytest.mark.parametrize(
    "seen, words",
    [
        ([], "neither DHCP nor PXE"),
        (["Performing PXE boot"], "asked for its boot files by PXE"),
        (["Performing PXE boot", "Loading ephemeral"], "never spoke to the region"),
        (["Performing PXE boot", "Loading ephemeral", "Gathering information"], "never told how they ended"),
    ],
)
def test_where_a_commissioning_stopped_is_told_from_its_events(seen, words):
    # What an earlier commissioning saw does not count.
    types = ["Commissioning", "Performing PXE boot", "Ready", "Commissioning", *seen, "Marking node failed"]
    events = [{"type": kind} for kind in types]
    assert words in watch.stage_of("Failed commissioning", [], events)
    assert watch.stage_of("Failed commissioning", ["smartctl-validate"], events) == ""
    assert watch.stage_of("Failed testing", [], events) == ""
    assert watch.stage_of("Failed commissioning", [], None) == ""


def test_enough_is_enough():
    time, region = setup("a", "b")
    region.at(60, "a", FAILED)
    region.at(90, "b", READY)
    result = wait(time, region, ["a", "b"], min_ready=1)
    assert result["failed_machines"]["a"]["status"] == "Failed commissioning"


def test_enough_at_the_deadline_is_enough_too():
    time, region = setup("a", "b")
    region.at(60, "a", READY)
    assert wait(time, region, ["a", "b"], min_ready=1, wait_timeout=200)["ready"] == ["a"]


def test_failures_may_be_only_reported():
    time, region = setup("a")
    region.at(60, "a", BROKEN)
    assert list(wait(time, region, ["a"], on_failure="continue")["failed_machines"]) == ["a"]


def test_a_deleted_machine_is_noticed():
    time, region = setup("a", "b")
    region.at(50, "b", READY)
    region.at(100, "a", None)
    with pytest.raises(WaitFailed, match="a is vanished.*somebody deleted it"):
        wait(time, region, ["a", "b"])
    assert time.now - 1000 < 450


def test_stuck_in_one_status():
    time, region = setup("a")
    with pytest.raises(WaitFailed, match="a is Commissioning"):
        wait(time, region, ["a"], stuck_after=300)
    assert 300 <= time.now - 1000 < 310


def test_the_deadline_says_what_to_do():
    time, region = setup("a")
    with pytest.raises(WaitTimeout, match="Not Ready within 05:00: a is Commissioning.*look at its console"):
        wait(time, region, ["a"], wait_timeout=300)


def test_a_region_that_does_not_answer_at_the_deadline_is_asked_for_one_reason_only():
    """Each question may take minutes, and the deadline is over."""
    time, region = setup("a", "b", "c")
    asked = []

    def silent(params, data):
        asked.append((region.client.retry_for, region.client.timeout))
        raise Unreachable("no answer", sent=True)

    for name in ("Events.query", "NodeScriptResults.read"):
        region.client.handlers[name] = lambda params, data: silent(params, data) if time.now - 1000 >= 300 else {"events": []}
    with pytest.raises(WaitTimeout, match="a \\(id0000\\) is Commissioning; next: .*c \\(id0002\\) is Commissioning; next: "):
        wait(time, region, ["a", "b", "c"], wait_timeout=300)
    assert [one for one in asked if one[0] == 0.0] == [(0.0, 15.0)]
    assert (region.client.retry_for, region.client.timeout) == (60.0, 300.0)


def test_details_that_cannot_be_read_fail_no_wait_that_succeeded(monkeypatch):
    _time, region = setup("a")
    found = watch.Watch(region.client, {"Ready"})
    found.stale = {"id0000"}

    def overloaded(ids):
        raise ApiError("overloaded", 503)

    monkeypatch.setattr(found, "_read", overloaded)
    found.finish()


def test_lost_events_are_made_up_for():
    time, region = setup("a")
    region.at(100, "a", READY)
    region.client.handlers["Events.query"] = {"events": []}
    assert wait(time, region, ["a"])["waited"] <= 165


def test_a_region_that_goes_away_for_a_while():
    time, region = setup("a")
    region.at(100, "a", READY)
    query = region.query

    def flaky(params, data):
        if 60 < time.now - 1000 < 160:
            raise Unreachable("502", sent=True)
        return query(params, data)

    region.client.handlers["Events.query"] = flaky
    assert 160 <= wait(time, region, ["a"])["waited"] <= 165


def test_a_region_that_fails_for_a_while_and_says_so():
    time, region = setup("a")
    region.at(100, "a", READY)
    query = region.query

    def failing(params, data):
        if 60 < time.now - 1000 < 160:
            raise ApiError("Unable to connect to any rack controller", 503, retry_after=10.0)
        return query(params, data)

    region.client.handlers["Events.query"] = failing
    assert 160 <= wait(time, region, ["a"])["waited"] <= 165
    assert region.client.retry_for == 60.0


def test_a_key_that_is_revoked_meanwhile_ends_the_wait():
    time, region = setup("a")
    query = region.query

    def refusing(params, data):
        if time.now - 1000 > 60:
            raise ApiError("no", 401)
        return query(params, data)

    region.client.handlers["Events.query"] = refusing
    with pytest.raises(ApiError):
        wait(time, region, ["a"])


def test_machines_that_do_not_exist_yet():
    time, region = setup("a", status=READY)
    with pytest.raises(MaasError, match="knows no machine b"):
        wait(time, region, ["a", "b"])
    late = machine("late00", "b", NEW, macs=["52:54:00:00:00:99"])
    listing = region.client.handlers["Machines.read"]

    def list_later(params, data):
        if time.now - 1000 > 120:
            region.machines["late00"] = late
        return listing(params, data)

    region.client.handlers["Machines.read"] = list_later
    result = wait(time, region, ["a", "52:54:00:00:00:99"], status=["New", "Ready"], appear=True)
    assert result["ready"] == ["a", "52:54:00:00:00:99"]
    assert [machine["hostname"] for machine in result["machines"]] == ["a", "b"]
    assert 120 <= result["waited"] <= 130


def test_a_status_that_maas_does_not_have():
    time, region = setup("a")
    with pytest.raises(MaasError, match="no status 'Melted'"):
        wait(time, region, ["a"], status=["Melted"])


def test_slices_go_on_where_the_last_one_ended():
    time, region = setup("a", "b")
    region.at(100, "a", READY)
    region.at(150, "b", READY)
    result, slices = {}, 0
    while True:
        result = wait(time, region, ["a", "b"], wait_slice=30, wait_resume=result.get("resume"))
        slices += 1
        if not result.get("unfinished"):
            break
    assert slices >= 4
    assert result["ready"] == ["a", "b"]
    assert [machine["status"] for machine in result["machines"]] == ["Ready", "Ready"]
    assert 150 <= result["waited"] <= 155
    # One look-up for both, one read for each: a slice reads nothing anew.
    assert region.returned == 4


def sliced(time, region, machines, **given):
    """As the action plugin runs it: slices shorter than anything that the backstops wait for."""
    result = {}
    while True:
        result = wait(time, region, machines, wait_slice=20, wait_resume=json.loads(json.dumps(result.get("resume"))), **given)
        if not result.get("unfinished"):
            return result


def test_slices_notice_a_deleted_machine():
    time, region = setup("a", "b")
    region.at(50, "b", READY)
    region.at(100, "a", None)
    with pytest.raises(WaitFailed, match="a is vanished"):
        sliced(time, region, ["a", "b"])
    assert time.now - 1000 < 450


def test_slices_make_up_for_lost_events():
    time, region = setup("a")
    region.at(100, "a", READY)
    region.client.handlers["Events.query"] = {"events": []}
    assert sliced(time, region, ["a"])["waited"] <= 185


def test_slices_end_at_the_deadline():
    time, region = setup("a")
    resume = None
    with pytest.raises(WaitTimeout):
        for _number in range(100):
            resume = wait(time, region, ["a"], wait_slice=30, wait_resume=resume, wait_timeout=200)["resume"]
    assert time.now - 1000 < 215


# Bringing machines to a state


def bring(time, region, machines, state="ready", **given):
    params = {"wait": True, "wait_timeout": 2000, "wait_interval": 10, "on_failure": "fail", "retries": 1, "min_ready": None, **given}
    return transitions.bring(region.client, {"machines": machines, "state": state, **params}, clock=time.clock, sleep=time.sleep)


def commissioning(region, seconds, *ends):
    """Each commissioning ends after some seconds, in the given statuses one after the other (the last one for all that follow)."""
    ends = list(ends)

    def start(params, data):
        answer = region.begin(params["system_id"], COMMISSIONING)
        end = ends.pop(0) if len(ends) > 1 else ends[0]
        if end is not None:
            region.at(seconds, region.machines[params["system_id"]]["hostname"], end)
        return answer

    region.client.handlers["Machine.commission"] = start


def test_new_machines_are_commissioned_and_the_rest_left_alone():
    time, region = setup("new", "ready", "used", status=NEW)
    region.machines[region.ids["ready"]]["status"] = READY
    region.machines[region.ids["used"]]["status"] = 6
    commissioning(region, 300, READY)
    result = bring(time, region, ["new", "ready", "used"])
    assert [call[1]["system_id"] for call in region.client.writes()] == [region.ids["new"]]
    assert result["changed"]
    assert result["left_alone"] == {"used": "it is Deployed"}
    assert sorted(result["ready"]) == ["new", "ready", "used"]
    assert result["diff"] == {"before": {"new": "New"}, "after": {"new": "ready (by commission)"}}
    assert not bring(time, region, ["new", "ready", "used"])["changed"]


def test_check_mode_says_and_does_not():
    time, region = setup("a", status=NEW)
    region.client.read_only = True
    result = bring(time, region, ["a"])
    assert result["changed"]
    assert result["waited"] == 0
    assert region.client.writes() == []


def test_one_that_is_under_way_is_waited_for_without_a_change():
    time, region = setup("a", status=COMMISSIONING)
    region.at(80, "a", READY)
    result = bring(time, region, ["a"])
    assert not result["changed"]
    assert result["waited"] >= 80


def away(region, times, operation="Machine.commission"):
    """The BMCs of these machines are away for so many operations; the region takes the operation back."""
    begin = region.client.handlers[operation]

    def start(params, data):
        name = region.machines[params["system_id"]]["hostname"]
        if times.get(name, 0) > 0:
            times[name] -= 1
            raise ApiError("Power on for the node failed: Could not contact node's BMC: Connection timed out", 500)
        return begin(params, data)

    region.client.handlers[operation] = start


def test_bmcs_that_are_away_for_a_moment_are_asked_again_all_together():
    time, region = setup("a", "b", "c", status=NEW)
    commissioning(region, 100, READY)
    away(region, {"a": 1, "b": 2})
    result = bring(time, region, ["a", "b", "c"])
    assert sorted(result["ready"]) == ["a", "b", "c"] and not result["failed_machines"]
    assert time.slept[:2] == list(transitions.BMC_PAUSES)
    assert len([call for call in region.client.writes() if call[0] == "Machine.commission"]) == 6


def test_a_bmc_that_stays_away_fails_its_machine_and_no_other():
    time, region = setup("a", "b", status=NEW)
    commissioning(region, 100, READY)
    away(region, {"a": 99})
    with pytest.raises(MaasError, match="a: .*Could not contact node's BMC") as caught:
        bring(time, region, ["a", "b"])
    assert caught.value.result["ready"] == ["b"]
    assert len([call for call in region.client.writes() if call[1]["system_id"] == region.ids["a"]]) == 1 + len(transitions.BMC_PAUSES)


def test_a_region_that_was_waited_for_in_vain_is_not_waited_for_by_every_machine():
    time, region = setup("a", "b", "c", status=NEW)
    patience = []

    def refuse(params, data):
        patience.append(region.client.retry_for)
        raise ApiError("Unable to connect to any rack controller", 503, retry_after=10.0)

    region.client.handlers["Machine.commission"] = refuse
    with pytest.raises(MaasError, match="a: .*; b: .*; c: .*rack controller"):
        bring(time, region, ["a", "b", "c"])
    assert patience == [60.0, 0.0, 0.0] and region.client.retry_for == 60.0


def test_retry_tries_again_and_gives_up():
    time, region = setup("a", "b", status=NEW)
    commissioning(region, 100, FAILED, READY, READY)
    result = bring(time, region, ["a", "b"], on_failure="retry")
    assert result["retried"] == {"a": 1}
    assert sorted(result["ready"]) == ["a", "b"]
    time, region = setup("a", status=NEW)
    commissioning(region, 100, FAILED)
    with pytest.raises(WaitFailed, match="a is Failed commissioning"):
        bring(time, region, ["a"], on_failure="retry", retries=2)
    assert counts(region, "Machine.commission") == 3
    assert counts(region, "Machine.power_off") == 2


def test_retry_aborts_one_that_is_stuck():
    time, region = setup("a", status=NEW)
    commissioning(region, 100, None, READY)
    result = bring(time, region, ["a"], on_failure="retry", stuck_after=400)
    assert counts(region, "Machine.abort") == 1
    assert result["ready"] == ["a"]


def test_a_retry_of_one_gives_no_other_more_time():
    time, region = setup("a", "b", status=NEW)
    commissioning(region, 100, FAILED, None)
    with pytest.raises(WaitFailed, match="a is Commissioning"):
        bring(time, region, ["a", "b"], on_failure="retry", stuck_after=300)
    # b was stuck at 300 s, and started over, whatever a did at 100 s.
    assert counts(region, "Machine.abort") == 1


def refusing(region, error):
    """A region that refuses every commissioning."""

    def refuse(params, data):
        raise error

    region.client.handlers["Machine.commission"] = refuse


NO_SCRIPT = ApiError("Cannot commission machine a: commissioning_scripts: Select a valid choice. typo is not one of the available choices", 400)


def test_a_ready_machine_whose_commissioning_is_refused_is_not_reported_ready():
    time, region = setup("a", status=READY)
    refusing(region, NO_SCRIPT)
    with pytest.raises(MaasError, match="a: .*Select a valid choice") as caught:
        bring(time, region, ["a"], force=True, commissioning_scripts=["typo"])
    assert caught.value.result["ready"] == []
    with pytest.raises(MaasError, match="0 machines are ready"):
        bring(time, region, ["a"], force=True, min_ready=1)
    assert bring(time, region, ["a"], force=True, on_failure="continue")["ready"] == []


def test_a_broken_machine_whose_commissioning_is_refused_stays_broken():
    time, region = setup("a", status=BROKEN)
    refusing(region, NO_SCRIPT)
    with pytest.raises(MaasError, match="Select a valid choice"):
        bring(time, region, ["a"], fix_broken=True)
    with pytest.raises(MaasError, match="it is Broken"):
        bring(time, region, ["a"])


def test_what_was_done_before_a_bmc_went_away_is_not_done_again_and_the_rest_is():
    time, region = setup("a", "b", status=DEPLOY_FAILED)
    deployments(region, DEPLOYED)
    away(region, {"a": 1, "b": 99}, "Machine.deploy")
    with pytest.raises(MaasError, match="b: .*Could not contact node's BMC.*Done before that: release") as caught:
        bring(time, region, ["a", "b"], "deployed", redeploy=True)
    assert caught.value.result["ready"] == ["a"]
    assert (counts(region, "Machine.release"), counts(region, "Machine.deploy")) == (2, 2 + 1 + len(transitions.BMC_PAUSES))


@pytest.mark.parametrize(("status", "ready"), [(COMMISSIONING, True), (11, False), (None, False)])
def test_what_became_of_a_machine_while_its_bmc_was_away(status, ready):
    """The region commissions it by itself; somebody deploys it in vain; somebody deletes it."""
    time, region = setup("a", "b", status=NEW)
    commissioning(region, 100, READY)
    away(region, {"a": 99})
    region.at(3, "a", status)
    if ready:
        region.at(200, "a", READY)
    result = bring(time, region, ["a", "b"], on_failure="continue")
    assert sorted(result["ready"]) == (["a", "b"] if ready else ["b"])
    assert list(result["failed_machines"]) == ([] if ready else ["a"])
    assert counts(region, "Machine.commission") == 2


DEPLOYED, DEPLOYING, ALLOCATED, DEPLOY_FAILED, RELEASING, RELEASE_FAILED = 6, 9, 10, 11, 12, 13


def deployments(region, *ends, releasing=30, released=READY):
    """Machines are released in some seconds, and deployed in 300; a deployment is refused where a real region refuses it."""
    ends = list(ends)

    def hostname(params):
        return region.machines[params["system_id"]]["hostname"]

    def release(params, data):
        region.at(releasing, hostname(params), released)
        return region.begin(params["system_id"], RELEASING)

    def deploy(params, data):
        status = region.get(params["system_id"])["status"]
        if status not in (READY, ALLOCATED):
            raise ApiError(f"Can't deploy a machine that is in the '{states.NAMES[status]}' state", 409)
        end = ends.pop(0) if len(ends) > 1 else ends[0]
        if end is not None:
            region.at(300, hostname(params), end)
        return region.begin(params["system_id"], DEPLOYING)

    region.client.handlers.update({"Machine.release": release, "Machine.deploy": deploy})


def test_failed_deployments_are_released_all_together_and_deployed_when_that_is_through():
    names = [f"n{number}" for number in range(10)]
    time, region = setup(*names, status=DEPLOY_FAILED)
    deployments(region, DEPLOYED)
    result = bring(time, region, names, "deployed", redeploy=True)
    assert sorted(result["ready"]) == names and not result["failed_machines"]
    # One release after the other would have taken ten times as long.
    assert 330 <= time.now - 1000 <= 350
    assert result["diff"]["after"]["n0"] == "deployed (by release, deploy)"


@pytest.mark.parametrize(("released", "words"), [(RELEASE_FAILED, "'Releasing failed' state"), (RELEASING, "'Releasing' state")])
def test_a_release_that_fails_or_never_ends_fails_the_machine(released, words):
    time, region = setup("a", status=DEPLOY_FAILED)
    deployments(region, DEPLOYED, released=released)
    with pytest.raises(MaasError, match=f"a: .*{words}.*Done before that: release"):
        bring(time, region, ["a"], "deployed", redeploy=True)
    assert time.now - 1000 <= states.STUCK_AFTER["Releasing"] + 10


def test_a_failed_deployment_is_tried_again():
    time, region = setup("a", "b", status=READY)
    deployments(region, DEPLOY_FAILED, DEPLOYED)
    result = bring(time, region, ["a", "b"], "deployed", on_failure="retry")
    assert result["retried"] == {"a": 1}
    assert sorted(result["ready"]) == ["a", "b"]
    # What a retry takes counts as waited.
    assert result["waited"] == pytest.approx(time.now - 1000, abs=1)


def test_one_that_arrives_at_the_last_moment_is_left_alone():
    time, region = setup("a", status=READY)
    deployments(region, None)

    def abort(params, data):
        region.change(params["system_id"], DEPLOYED)
        raise ApiError("Cannot abort in current state: node is in state Deployed.", 409)

    region.client.handlers["Machine.abort"] = abort
    assert bring(time, region, ["a"], "deployed", on_failure="retry", stuck_after=400)["ready"] == ["a"]
    assert counts(region, "Machine.power_off") == 0


def test_one_that_goes_back_to_ready_when_it_is_stopped_is_commissioned_again():
    time, region = setup("a", status=READY)
    region.client.handlers["Machine.abort"] = lambda params, data: region.begin(params["system_id"], READY)
    commissioning(region, 100, None, READY)
    assert bring(time, region, ["a"], force=True, on_failure="retry", stuck_after=400)["ready"] == ["a"]
    assert counts(region, "Machine.commission") == 2


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ("allocated", RELEASING, "it is Releasing; wait until it is Ready .state=released does."),
        ("deployed", 14, "it is Disk erasing; wait until it is Ready .state=released does."),
        ("deployed", TESTING, "it is Testing; .*or stop it"),
    ],
)
def test_one_that_is_on_its_way_elsewhere_is_refused_with_a_remedy_that_works(state, status, words):
    time, region = setup("a", status=status)
    with pytest.raises(MaasError, match=words):
        bring(time, region, ["a"], state)
    assert time.slept == [] and region.client.writes() == []


def test_somebody_stopped_it():
    time, region = setup("a", status=NEW)
    commissioning(region, 100, NEW)
    with pytest.raises(WaitFailed, match="a is New"):
        bring(time, region, ["a"])


def test_on_failure_continue_reports_and_goes_on():
    time, region = setup("a", "b", status=NEW)
    commissioning(region, 100, FAILED, READY)
    result = bring(time, region, ["a", "b"], on_failure="continue")
    assert result["ready"] == ["b"]
    assert result["failed_machines"]["a"]["failed_scripts"] == ["smartctl-validate"]


def test_what_the_region_refused_is_no_change():
    time, region = setup("a", "b", status=READY)
    allocate = region.client.handlers.get("Machines.allocate")

    def refuse(params, data):
        if data["system_id"] == region.ids["a"]:
            raise ApiError("You are not allowed to", 403)
        return allocate(params, data) if allocate else region.machines[region.ids["b"]]

    region.client.handlers["Machines.allocate"] = refuse
    result = bring(time, region, ["a"], state="allocated", on_failure="continue")
    assert (result["changed"], result["diff"], list(result["failed_machines"])) == (False, {"before": {}, "after": {}}, ["a"])
    result = bring(time, region, ["a", "b"], state="allocated", on_failure="continue")
    assert (result["changed"], list(result["diff"]["after"])) == (True, ["b"])


def test_min_ready_counts_those_in_use():
    time, region = setup("a", "b", "c", status=NEW)
    region.machines[region.ids["c"]]["status"] = 6
    commissioning(region, 100, FAILED, READY)
    assert bring(time, region, ["a", "b", "c"], min_ready=2)["ready"] == ["c", "b"]
    time, region = setup("a", "b", status=NEW)
    commissioning(region, 100, FAILED)
    with pytest.raises((MaasError, WaitFailed)):
        bring(time, region, ["a", "b"], min_ready=1)


def test_slices_of_a_state():
    time, region = setup("a", status=NEW)
    commissioning(region, 100, READY)
    result = {}
    for _number in range(20):
        result = bring(time, region, ["a"], wait_slice=30, wait_resume=result.get("resume"))
        if not result.get("unfinished"):
            break
    assert result["changed"]
    assert result["ready"] == ["a"]
    assert result["diff"]["before"] == {"a": "New"}
    assert counts(region, "Machine.commission") == 1


# VM hosts and images


def host(cores=0, pools=(), **more):
    return {
        "id": 1,
        "name": "h",
        "type": "lxd",
        "total": {"cores": cores},
        "used": {"cores": 0},
        "storage_pools": list(pools),
        "pool": {"name": "default"},
        "zone": {"name": "default"},
        "tags": [],
        **more,
    }


FULL = host(32, [{"name": "default"}])


def host_params(**given):
    names = ["type", "power_address", "power_user", "power_pass", "project", "certificate", "key", "password", *vmhosts.COMPARED, "tags"]
    return {**dict.fromkeys(names), "name": "h", "state": "present", "wait": True, "wait_timeout": 300, "wait_interval": 5, **given}


def ensure_host(client, time, **given):
    return vmhosts.ensure_host(client, host_params(**given), clock=time.clock, sleep=time.sleep)


def test_an_empty_vm_host_is_refreshed_until_it_is_read():
    time = Time()
    client = FakeClient({"VmHosts.read": [host()], "VmHost.read": lambda p, d: FULL if time.now > 1025 else host(), "VmHost.refresh": lambda p, d: host()})
    result = ensure_host(client, time)
    assert result["changed"]
    assert result["diff"]["before"] == {"state": "empty"}
    assert result["vm_host"]["state"] == "discovered"
    assert {name for name, *rest in client.writes()} == {"VmHost.refresh"}


def test_an_empty_vm_host_is_made_anew_when_refreshing_does_not_help():
    time = Time()
    made = []
    client = FakeClient(
        {
            "VmHosts.read": [host()],
            "VmHost.read": lambda p, d: FULL if made else host(),
            "VmHost.parameters": {"power_address": "https://10.42.0.1:8443", "certificate": "C"},
            "VmHost.refresh": lambda p, d: host(),
            "VmHost.delete": None,
            "VmHosts.create": lambda p, d: made.append(d) or host(),
        }
    )
    ensure_host(client, time, type="lxd", power_address="10.42.0.1", certificate="C", key="K")
    assert [name for name, *rest in client.writes() if not name.endswith("refresh")] == ["VmHost.delete", "VmHosts.create"]


class Unstable:
    """A region whose answer to a create is an error for so many times; with ``made`` the first of them has made it all the same."""

    def __init__(self, times, made=False):
        self.times, self.made, self.hosts = times, made, []

    def create(self, params, data):
        if self.times:
            self.times -= 1
            self.hosts += [FULL] if self.made else []
            raise ApiError("Cannot make VM host h: the region failed (503): Unable to communicate with LXD", 503)
        self.hosts.append(FULL)
        return FULL

    def client(self):
        return FakeClient({"VmHosts.read": lambda p, d: list(self.hosts), "VmHost.read": FULL, "VmHosts.create": self.create})


@pytest.mark.parametrize(("times", "made", "tries"), [(1, False, 2), (2, False, 3), (1, True, 1)])
def test_a_vm_host_is_made_once_by_a_region_that_fails_now_and_then(times, made, tries):
    time, region = Time(), Unstable(times, made)
    client = region.client()
    assert ensure_host(client, time, type="lxd", power_address="10.42.0.1")["vm_host"]["state"] == "discovered"
    assert len(region.hosts) == 1
    assert [name for name, *rest in client.writes()] == ["VmHosts.create"] * tries


def test_a_region_that_goes_on_failing_is_quoted():
    time, region = Time(), Unstable(99)
    with pytest.raises(ApiError, match="Unable to communicate with LXD"):
        ensure_host(region.client(), time, type="lxd", power_address="10.42.0.1")
    assert time.slept == list(vmhosts.PAUSES)


def test_what_is_wrong_with_the_request_is_not_tried_again():
    time = Time()

    def refuse(params, data):
        raise ApiError("Cannot make VM host h: power_address: This field is required.", 400)

    with pytest.raises(ApiError, match="required"):
        ensure_host(FakeClient({"VmHosts.read": [], "VmHosts.create": refuse}), time, type="lxd", power_address="10.42.0.1")
    assert time.slept == []


def test_a_vm_host_that_nobody_can_read_is_explained():
    time = Time()
    client = FakeClient({"VmHosts.read": [host()], "VmHost.read": host(), "VmHost.refresh": host()})
    with pytest.raises(WaitTimeout, match="h is empty.*lxc config trust list"):
        ensure_host(client, time)


def test_a_vm_host_that_is_there():
    client = FakeClient({"VmHosts.read": [FULL]})
    assert not ensure_host(client, Time())["changed"]
    assert client.writes() == []


IMAGE = {"id": 1, "name": "ubuntu/jammy", "architecture": "amd64/ga-22.04"}


def image_client(time, arrives, importing=lambda now: False):
    def read(params, data):
        done = time.now >= arrives
        return {**IMAGE, "sets": {"2026": {"complete": done, "progress": min(90.0, (time.now - 1000) / 10), "files": {}}}}

    def on_rack(params, data):
        there = time.now >= arrives + 20
        return {"images": [{"name": "jammy"}] if there else [], "status": "synced" if there else "syncing"}

    return FakeClient(
        {
            "BootResources.read": [IMAGE],
            "BootResource.read": read,
            "BootResources.is_importing": lambda p, d: importing(time.now),
            "BootResources.import": "Import of boot resources started",
            "BootResources.stop_import": "stopping",
            "RackControllers.read": [{"system_id": "rack01", "hostname": "controller"}],
            "RackController.list_boot_images": on_rack,
        }
    )


def imported(client, time, **given):
    params = {
        "os": "ubuntu",
        "releases": ["jammy"],
        "arches": ["amd64"],
        "wait": True,
        "wait_timeout": 2000,
        "wait_interval": 10,
        "stall_after": 300,
        "stall_retries": 1,
        **given,
    }
    return images.ensure_imported(client, params, clock=time.clock, sleep=time.sleep)


def test_images_are_waited_for_on_the_region_and_on_the_rack():
    time = Time()
    client = image_client(time, 1240, importing=lambda now: now < 1250)
    client.handlers["BootResources.is_importing"] = lambda p, d: bool(client.writes()) and time.now < 1250
    result = imported(client, time)
    assert result["changed"]
    assert set(result["images"].values()) == {"complete"}
    assert 260 <= result["waited"] <= 275
    assert [name for name, *rest in client.writes()] == ["BootResources.import"]


def test_complete_images_change_nothing():
    time = Time()
    client = image_client(time, 900)
    result = imported(client, time)
    assert (result["changed"], result["waited"]) == (False, 0)
    assert client.writes() == []


def test_an_import_that_does_not_move_is_started_again_once():
    time = Time()
    client = image_client(time, 10_000, importing=lambda now: True)
    client.handlers["BootResource.read"] = {"sets": {"1": {"complete": False, "progress": 40.0, "files": {}}}}
    with pytest.raises(WaitFailed, match="ubuntu/jammy amd64 is stalled at 40 %"):
        imported(client, time)
    # What hangs is stopped at the end, too, so that the next run begins anew.
    assert [name for name, *rest in client.writes()] == ["BootResources.stop_import", "BootResources.import", "BootResources.stop_import"]


def test_events_of_many_are_checked_with_one_cheap_question():
    time, region = setup(*[f"n{number}" for number in range(60)])
    for number in range(60):
        region.at(100, f"n{number}", READY)
    result = wait(time, region, [f"n{number}" for number in range(60)])
    assert [machine["status"] for machine in result["machines"]] == ["Ready"] * 60
    # Each was returned once, by the look-up; nobody asked for details.
    assert region.returned == 60
    time, region = setup(*[f"n{number}" for number in range(60)])
    for number in range(60):
        region.at(100, f"n{number}", READY)
    wait(time, region, [f"n{number}" for number in range(60)], details=True)
    assert region.returned == 120


def test_an_event_that_is_not_true_any_more():
    time, region = setup(*[f"n{number}" for number in range(60)])
    for number in range(60):
        region.at(100, f"n{number}", READY)
    query = region.query

    def late(params, data):
        answer = query(params, data)
        if answer["events"] and region.machines[region.ids["n7"]]["status"] == READY and time.now < 1200:
            region.machines[region.ids["n7"]]["status"] = BROKEN
        return answer

    region.client.handlers["Events.query"] = late
    with pytest.raises(WaitFailed, match="1 of 60 failed.*n7 is Broken"):
        wait(time, region, [f"n{number}" for number in range(60)])


def test_near_a_usual_end_it_is_due_and_long_past_it_is_not():
    now = [1000.0]
    judge = watch.judge_for({"Ready"}, lambda: now[0])
    expected = watch.due(judge, lambda: now[0])
    judge("n1", "Commissioning")
    assert expected(["n1"]) == states.USUAL["Commissioning"]
    now[0] += states.USUAL["Commissioning"] + 5
    assert expected(["n1"]) == 0
    now[0] += 60
    assert expected(["n1"]) is None
    assert expected([f"n{number}" for number in range(21)]) is None
