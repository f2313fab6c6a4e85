"""What is settled, what is normal for now and what is a failure; waits in fake time."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.juju import expect, status, watch
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused


class Time:
    def __init__(self):
        self.now = 1000.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += max(seconds, 0.001)


def unit(workload="active", agent="idle", message="", machine="0", **more):
    return {"machine": machine, "workload-status": {"status": workload, "info": message}, "agent-status": {"status": agent}, **more}


def full(applications, machines=None):
    return {
        "model": {"name": "m"},
        "machines": machines or {"0": {"instance-id": "a", "instance-status": {"status": "running"}}},
        "applications": {name: {"charm": f"ch:{name}-1", "units": units} for name, units in applications.items()},
        "relations": [],
    }


class Controller:
    """Answers with one reading after another; the last one stays. An exception among them is raised."""

    def __init__(self, time, readings, every=10):
        self.time, self.readings, self.start, self.every = time, readings, time.now, every
        self.requests, self.resolved, self.refuses = 0, [], {}

    def call(self, facade, request, params=None, **options):
        self.requests += 1
        if request == "ResolveUnitErrors":
            tags = [item["tag"] for item in params["tags"]["entities"]]
            for tag in tags:
                if self.refuses.get(tag):
                    raise self.refuses[tag].pop(0)
            self.resolved += tags
            return {"results": [{}]}
        assert (facade, request) == ("Client", "FullStatus")
        reading = self.readings[min(int((self.time.now - self.start) / self.every), len(self.readings) - 1)]
        if isinstance(reading, Exception):
            raise reading
        return reading


def wait(readings, time=None, options=None, resume=None, every=10, refuses=None, **rules):
    time = time or Time()
    link = Controller(time, readings, every)
    link.refuses = refuses or {}
    options = {"model": "m", "wait_timeout": 600, "wait_interval": 10, "successes": 3, "fail_fast": True, "wait_resume": resume, **(options or {})}
    resolve = rules.pop("resolve", [])
    watcher = watch.Watch(link, expect.Rules(**rules), resolve, time.clock, (resume or {}).get("watch"))
    answer = watch.wait(link, watcher, options, time.clock, time.sleep)
    return answer, link, time


SETTLED = full({"keystone": {"keystone/0": unit()}, "vault": {"vault/0": unit()}})
LOCKED = full(
    {
        "keystone": {"keystone/0": unit("waiting", message="'certificates' awaiting server certificate data")},
        "vault": {"vault/0": unit("blocked", message="Vault needs to be initialized")},
    }
)
BUSY = full({"keystone": {"keystone/0": unit("maintenance", "executing", "installing")}, "vault": {"vault/0": unit()}})
BEFORE_VAULT = [
    {"application": "vault", "workload": ["blocked"], "matches": "needs to be initialized"},
    {"workload": ["waiting", "blocked"], "matches": "certificates"},
]


def test_a_settled_model_is_read_three_times():
    answer, link, _ = wait([SETTLED])
    assert answer["pending"] == [] and link.requests == 3


def test_it_waits_for_the_last_unit():
    answer, link, time = wait([BUSY, BUSY, SETTLED])
    assert answer["waited"] >= 20
    assert any("keystone" in line and "installing" in line for line in answer["progress"])


def test_the_addresses_of_those_waited_for_come_with_the_answer():
    found = full({"keystone": {"keystone/0": unit(**{"public-address": "10.0.0.8"})}, "vault": {"vault/0": unit(**{"public-address": "10.0.0.9"})}})
    answer, _, _ = wait([found], applications=["vault"])
    assert answer["addresses"] == {"vault/0": "10.0.0.9"}


def test_flapping_starts_the_count_anew():
    answer, _, _ = wait([SETTLED, SETTLED, BUSY, SETTLED], options={"successes": 4}, every=1)
    assert answer["waited"] >= 5


def test_states_that_are_normal_before_vault():
    answer, _, _ = wait([BUSY, LOCKED], normal_now=BEFORE_VAULT)
    assert answer["pending"] == []
    with pytest.raises(JujuFault) as error:
        wait([LOCKED], options={"wait_timeout": 60})
    assert error.value.result["held_up_by"] == {
        "keystone/0": "waiting ('certificates' awaiting server certificate data)",
        "vault/0": "blocked (Vault needs to be initialized)",
    }
    assert "juju show-status-log -m m" in str(error.value)


def test_a_normal_state_counts_only_when_the_agent_is_idle():
    working = full({"vault": {"vault/0": unit("blocked", "executing", "Vault needs to be initialized")}})
    with pytest.raises(JujuFault, match="timed out"):
        wait([working], normal_now=BEFORE_VAULT, options={"wait_timeout": 50})


def test_an_error_within_its_grace_passes():
    broken = full({"vault": {"vault/0": unit("error", message='hook failed: "install"')}})
    fine = full({"vault": {"vault/0": unit()}})
    answer, _, _ = wait([broken, broken, fine], error_grace=60)
    assert answer["pending"] == []


def test_an_error_may_last_for_two_of_jujus_longest_pauses():
    """It waits for up to five minutes and a random part of that before it tries a failed hook again."""
    broken = full({"vault": {"vault/0": unit("error", message='hook failed: "install"')}})
    with pytest.raises(JujuFault, match="failed") as error:
        wait([broken], options={"wait_timeout": 3600})
    assert 600 <= error.value.result["waited"] < 660


def test_an_error_that_juju_goes_on_retrying_is_a_failure_all_the_same():
    broken = full({"vault": {"vault/0": unit("error", message='hook failed: "install"')}})
    tried = full({"vault": {"vault/0": unit("maintenance", "executing", "installing")}})
    with pytest.raises(JujuFault, match="failed") as error:
        wait([broken, tried] * 20, error_grace=60)
    assert error.value.result["waited"] < 120


def test_an_error_that_a_retry_has_mended_is_forgotten():
    broken = full({"vault": {"vault/0": unit("error", message='hook failed: "install"')}})
    tried = full({"vault": {"vault/0": unit("maintenance", "executing", "installing")}})
    waiting = full({"vault": {"vault/0": unit("waiting", "idle", "for its database")}})
    answer, _, _ = wait([broken, tried, waiting, broken, tried, waiting, broken, full({"vault": {"vault/0": unit()}})], error_grace=30)
    assert answer["pending"] == []


def test_the_command_to_look_further_names_the_unit_at_fault():
    reading = full({"cinder": {"cinder/0": unit("waiting", message="image")}, "glance": {"glance/0": unit("error", message='hook failed: "install"')}})
    with pytest.raises(JujuFault, match="debug-log -m m --replay --include glance/0"):
        wait([reading], options={"wait_timeout": 30}, error_grace=900)


def test_an_error_beyond_its_grace_is_a_failure():
    broken = full({"vault": {"vault/0": unit("error", message='hook failed: "install"')}, "keystone": {"keystone/0": unit()}})
    with pytest.raises(JujuFault, match="failed") as error:
        wait([broken], error_grace=60)
    assert error.value.result["failed_units"] == {"vault/0": error.value.result["failed_units"]["vault/0"]}
    assert "in error for" in error.value.result["failed_units"]["vault/0"]
    assert error.value.result["waited"] < 90


def test_a_lost_agent_and_a_machine_that_failed():
    lost = full({"vault": {"vault/0": unit("unknown", "lost")}})
    with pytest.raises(JujuFault) as error:
        wait([lost], lost_grace=30)
    assert "lost for" in error.value.result["failed_units"]["vault/0"]
    machine = {"instance-status": {"status": "provisioning error", "info": "Failed deployment"}}
    dead = full({"vault": {"vault/0": unit("waiting", "allocating")}}, {"0": machine})
    with pytest.raises(JujuFault) as error:
        wait([dead])
    assert error.value.result["failed_units"]["vault/0"] == "machine 0 could not be provisioned: Failed deployment"
    assert "cloud.yml (or site.yml) takes it out" in str(error.value)
    assert str(error.value).endswith("By hand: juju remove-machine -m m --force 0")


def test_a_container_that_failed_is_left_to_a_hand():
    container = {"instance-status": {"status": "provisioning error", "info": "no space"}}
    with pytest.raises(JujuFault) as error:
        wait([full({"vault": {"vault/0": unit("waiting", "allocating", machine="0/lxd/1")}}, {"0": {"containers": {"0/lxd/1": container}}})])
    assert "site.yml" not in str(error.value) and str(error.value).endswith("By hand: juju remove-machine -m m --force 0/lxd/1")


@pytest.mark.parametrize(
    ("agent", "instance", "message", "failed"),
    [
        ("pending", "provisioning error", "no machine with these constraints", True),
        # Juju shows the agent as down once the instance is in error.
        ("down", "provisioning error", "Failed deployment", True),
        ("down", "unknown", "Failed deployment", True),
        ("started", "provisioning error", "Failed deployment", False),
        ("down", "running", "Deployed", False),
        ("pending", "allocating", "Deploying", False),
    ],
)
def test_what_counts_as_not_installed(agent, instance, message, failed):
    row = {"agent-status": {"status": agent}, "instance-status": {"status": instance, "info": message}}
    assert status.simplify(full({}, {"0": row}))["machines"]["0"]["uninstalled"] is failed


def test_a_named_failure():
    with pytest.raises(JujuFault, match="failed"):
        wait([full({"a": {"a/0": unit("blocked", message="quota exceeded")}})], fail_on=[{"matches": "quota"}])


def test_failed_hooks_are_tried_again_so_many_times():
    broken = full({"rabbitmq": {"rabbitmq/0": unit("error", message='hook failed: "install"')}})
    fine = full({"rabbitmq": {"rabbitmq/0": unit()}})
    answer, link, _ = wait([broken, broken, fine], resolve=[{"application": "*", "matches": "hook failed", "times": 1}])
    assert link.resolved == ["unit-rabbitmq-0"] and answer["resolved"] == ["rabbitmq/0"]
    with pytest.raises(JujuFault):
        _, link, _ = wait(
            [broken, full({"rabbitmq": {"rabbitmq/0": unit("maintenance")}}), broken],
            error_grace=30,
            resolve=[{"application": "rabbitmq", "matches": "hook failed", "times": 1}],
        )


def test_a_unit_that_stays_in_error_uses_up_one_try_however_many_slices_see_it():
    time, resume = Time(), None
    broken = full({"rabbitmq": {"rabbitmq/0": unit("error", message='hook failed: "install"')}})
    rule = [{"application": "*", "matches": "hook failed", "times": 3}]
    asked = []
    for _ in range(3):
        answer, link, _ = wait([broken], time, {"wait_slice": 20}, resume, resolve=rule)
        asked += link.resolved
        resume = json.loads(json.dumps(answer["resume"]))
    assert asked == ["unit-rabbitmq-0"] and answer["resolved"] == ["rabbitmq/0"]
    fine = full({"rabbitmq": {"rabbitmq/0": unit("maintenance")}})
    _, link, _ = wait([fine, broken], time, {"wait_slice": 20}, resume, resolve=rule)
    assert link.resolved == ["unit-rabbitmq-0"], "it failed once more"


@pytest.mark.parametrize("fault", [Refused("not now"), ConnectionLost("gone")])
def test_a_try_that_the_controller_did_not_take_counts_as_none(fault):
    broken = full({name: {f"{name}/0": unit("error", message="hook failed")} for name in ("one", "two")})
    rule = [{"application": "*", "matches": "hook failed", "times": 1}]
    answer, link, _ = wait([broken], options={"wait_slice": 1}, refuses={"unit-one-0": [fault] * 9}, resolve=rule)
    assert answer["resolved"] == ["two/0"] and link.resolved == ["unit-two-0"]
    answer, link, _ = wait([broken], options={"wait_slice": 20}, refuses={"unit-one-0": [fault]}, resolve=rule)
    assert answer["resolved"] == ["two/0", "one/0"] and link.resolved == ["unit-two-0", "unit-one-0"], "the next look asks again"


def test_a_wait_that_fails_says_that_it_had_a_hook_tried_again():
    broken = full({"a": {"a/0": unit("error", message="hook failed")}})
    for rules, changed in (([{"application": "*", "matches": "hook failed", "times": 1}], True), ([], False)):
        with pytest.raises(JujuFault) as error:
            wait([broken], error_grace=30, resolve=rules)
        assert error.value.result["changed"] is changed


def test_a_failure_says_who_holds_it_up_for_how_long_and_where_to_look():
    def at(minutes):
        return f"2026-01-01T10:{minutes:02d}:00.123456789Z"

    reading = full(
        {"keystone": {"keystone/0": unit("waiting", message="database")}, "vault": {"vault/0": unit("blocked", message="sealed")}, "a": {"a/0": unit()}}
    )
    reading["controller-timestamp"] = at(30)
    for name, minutes in (("keystone", 25), ("vault", 4)):
        reading["applications"][name]["units"][f"{name}/0"]["workload-status"]["since"] = at(minutes)
    with pytest.raises(JujuFault) as error:
        wait([reading], options={"wait_timeout": 30})
    assert error.value.result["held_up_by"] == {"keystone/0": "waiting (database) for 05:00", "vault/0": "blocked (sealed) for 26:00"}
    text = str(error.value)
    assert "vault is 0/1; vault/0 blocked (sealed)" in text and "In that state: vault/0 for 26:00, keystone/0 for 05:00. " in text
    assert text.endswith("Look further with: juju show-status-log -m m vault/0; juju debug-log -m m --replay --include vault/0")


def test_a_connection_that_drops_is_passed_over():
    answer, _, _ = wait([ConnectionLost("gone"), BUSY, ConnectionLost("gone"), SETTLED])
    assert answer["pending"] == []


def test_a_connection_that_stays_away_ends_the_wait():
    with pytest.raises(JujuFault):
        wait([BUSY, ConnectionLost("gone")], options={"wait_timeout": 60})


def test_expectations_by_application():
    reading = full({"ubuntu": {"ubuntu/0": unit("unknown")}, "a": {"a/0": unit(message="Unit is ready")}})
    answer, _, _ = wait([reading], expect={"ubuntu": {"workload": ["unknown"]}, "a": {"matches": "ready", "units": 1}})
    assert answer["pending"] == []
    with pytest.raises(JujuFault):
        wait([reading], expect={"ubuntu": {"workload": ["unknown"]}, "a": {"units": 2}}, options={"wait_timeout": 30})


def test_an_application_that_is_not_there_yet():
    answer, _, _ = wait([full({}), SETTLED], applications=["vault"])
    assert answer["applications"].keys() == {"vault"}


def test_applications_that_appear_meanwhile_belong_to_the_model():
    later = full({"vault": {"vault/0": unit()}, "late": {"late/0": unit("maintenance")}})
    end = full({"vault": {"vault/0": unit()}, "late": {"late/0": unit()}})
    answer, _, _ = wait([full({"vault": {"vault/0": unit("maintenance")}}), later, later, end], options={"successes": 1})
    assert set(answer["applications"]) == {"vault", "late"} and answer["pending"] == []


def test_subordinates_without_units_are_settled_and_units_are_counted():
    reading = full({"router": {}, "vault": {"vault/0": unit(subordinates={"router/0": unit(machine="")})}})
    found = status.simplify(reading)
    assert found["units"]["router/0"]["principal"] == "vault/0" and found["units"]["router/0"]["machine"] == "0"
    answer, _, _ = wait([reading])
    assert answer["applications"]["router"] == "1/1; active"


def test_a_wait_in_slices_remembers():
    time = Time()
    broken = full({"vault": {"vault/0": unit("error", message="hook failed")}})
    answer, _, _ = wait([broken], time, {"wait_slice": 30}, error_grace=50)
    assert answer["unfinished"] and answer["resume"]["elapsed"] >= 29
    with pytest.raises(JujuFault) as error:
        wait([broken], time, {"wait_slice": 600}, resume=answer["resume"], error_grace=50)
    assert error.value.result["waited"] < 70


def away(time, options, resume=None):
    """A controller that is away: each look takes the connection's minute."""
    link = Controller(time, [ConnectionLost("no connection to the controller within 60 s")])
    answers = link.call

    def call(*request, **more):
        time.sleep(60)
        return answers(*request, **more)

    link.call = call
    options = {"model": "m", "wait_timeout": 5400, "wait_interval": 10, "successes": 3, "fail_fast": True, "wait_resume": resume, **options}
    watcher = watch.Watch(link, expect.Rules(), (), time.clock, (resume or {}).get("watch"))
    return watch.wait(link, watcher, options, time.clock, time.sleep)


def test_a_controller_that_is_away_ends_a_slice_and_the_deadline_goes_on():
    time = Time()
    answer, _, _ = wait([LOCKED], time, {"wait_slice": 30, "wait_timeout": 5400})
    resume = {**json.loads(json.dumps(answer["resume"])), "elapsed": 5100.0}
    began = time.now
    answer = away(time, {"wait_slice": 30}, resume)
    assert answer["unfinished"] and time.now - began <= 60
    assert answer["resume"]["elapsed"] == 5100 + (time.now - began) and answer["resume"]["states"] == resume["states"]
    assert answer["pending"] == ["keystone", "vault"] and answer["held_up_by"]["vault/0"] == "blocked (Vault needs to be initialized)"
    back, _, _ = wait([SETTLED], time, {"wait_slice": 30, "wait_timeout": 5400}, answer["resume"])
    assert back["pending"] == [] and back["waited"] < 5200


def test_a_controller_that_is_away_at_the_deadline_leaves_the_last_states_to_tell():
    time = Time()
    reading = full({"a": {"a/0": unit()}, "vault": {"vault/0": unit("blocked", message="Vault is sealed")}})
    answer, _, _ = wait([reading], time, {"wait_slice": 30, "wait_timeout": 5400})
    resume, began = {**json.loads(json.dumps(answer["resume"])), "elapsed": 5300.0}, time.now
    with pytest.raises(JujuFault) as error:
        away(time, {"wait_slice": 600}, resume)
    assert time.now - began <= 130
    text = str(error.value)
    assert "timed out. Not settled within 1:30:00: vault is 0/1; vault/0 blocked (Vault is sealed), a is" in text
    assert "no connection to the controller" in text and "juju show-status-log -m m vault/0" in text
    assert error.value.result["held_up_by"] == {"vault/0": "blocked (Vault is sealed)"} and error.value.result["pending"] == ["vault"]


def test_a_controller_that_never_answered_is_told_as_such():
    time = Time()
    answer = away(time, {"wait_slice": 30})
    assert answer["unfinished"] and answer["applications"] == {}
    with pytest.raises(JujuFault, match="the model is not read yet; .*no connection to the controller.* juju status -m m") as error:
        away(time, {"wait_timeout": 300}, json.loads(json.dumps(answer["resume"])))
    assert error.value.result["applications"] == {} and error.value.result["waited"] < 370


def test_a_model_without_applications_is_told_so_and_they_may_still_come():
    with pytest.raises(JujuFault, match="the model is without applications; 0 of 1"):
        wait([full({})], options={"wait_timeout": 30})
    answer, _, _ = wait([full({}), SETTLED])
    assert answer["pending"] == [] and set(answer["applications"]) == {"keystone", "vault"} and answer["waited"] < 60


def test_applications_that_appear_do_not_make_a_slice_longer():
    time = Time()
    began = time.now
    late = full({"vault": {"vault/0": unit()}, "late": {"late/0": unit("maintenance")}})
    answer, _, _ = wait([full({"vault": {"vault/0": unit("maintenance")}}), late], time, {"wait_slice": 20, "successes": 1})
    assert answer["unfinished"] and answer["pending"] == ["late"] and time.now - began <= 21


def test_leaders_and_targets():
    found = status.simplify(full({"vault": {"vault/0": unit(), "vault/1": unit(leader=True)}, "solo": {"solo/3": unit()}}))
    assert status.leader(found, "vault") == "vault/1"
    assert [status.target(found, name) for name in ("vault/leader", "vault", "vault/0", "solo")] == ["vault/1", "vault/1", "vault/0", "solo/3"]
    for name in ("none", "vault/9"):
        with pytest.raises(JujuFault, match=re.escape(name)):
            status.target(found, name)


def test_units_that_are_lost_with_a_named_machine_are_not_waited_for():
    machines = {
        "0": {"hostname": "os-0", "instance-status": {"status": "running"}},
        "1": {"hostname": "os-1", "instance-status": {"status": "running"}, "containers": {"1/lxd/0": {"hostname": "juju-1-lxd-0"}}},
    }
    below = {"router/1": unit("unknown", "lost", machine=None)}
    lost = {
        "vault": {
            "vault/0": unit(**{"public-address": "10.0.0.7"}),
            "vault/1": unit("unknown", "lost", machine="1/lxd/0", subordinates=below, **{"public-address": "10.0.0.8"}),
        },
        "router": {},
        "alone": {"alone/0": unit("error", "lost", "hook failed", machine="1")},
    }
    answer, link, _ = wait([full(lost, machines)], lost_machines=["os-1"])
    assert link.requests == 3 and answer["pending"] == [] and "vault/1 away" in answer["applications"]["vault"]
    assert answer["addresses"] == {"vault/0": "10.0.0.7"}
    with pytest.raises(JujuFault) as error:
        wait([full(lost, machines)], lost_machines=["os-0"], lost_grace=30)
    assert set(error.value.result["failed_units"]) >= {"vault/1", "router/1"}

    # Its agent is back: it counts as every other.
    lost["vault"]["vault/1"] = unit("blocked", message="Vault is sealed", machine="1/lxd/0")
    with pytest.raises(JujuFault, match="vault/1"):
        wait([full(lost, machines)], lost_machines=["os-1"], options={"wait_timeout": 60})
