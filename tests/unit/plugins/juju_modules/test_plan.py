"""Plans, and carrying them out with a connection that breaks at every place where it can."""

from __future__ import annotations

import json

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.juju import apply, bundle, model, plan
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault, ConnectionLost, JujuFault, Refused

from . import fake


def desired(change=None):
    loaded = fake.bundle()
    if change:
        change(loaded)
    return bundle.normal(loaded)


def run(world, wanted=None, machine_map=None, time=None, **client):
    wanted, time = wanted or desired(), time or fake.Time()
    link = fake.Client(world, **client)
    job = apply.Application(link, wanted, machine_map, clock=time.clock, sleep=time.sleep)
    made = job.apply(model.read(link, wanted))
    return made, job, link


def planned(world, wanted=None, machine_map=None):
    wanted = wanted or desired()
    link = fake.Client(world)
    made = apply.Application(link, wanted, machine_map).plan(model.read(link, wanted))
    assert link.writes == 0, "planning changes nothing"
    return made


def texts(made):
    return [step["text"] for step in made["steps"]]


def test_the_plan_of_an_empty_model():
    made = planned(fake.Model())
    assert [step["number"] for step in made["steps"]] == list(range(1, len(made["steps"]) + 1))
    kinds = [step["action"] for step in made["steps"]]
    assert kinds == ["charm"] * 5 + ["machine"] * 3 + ["deploy"] * 5 + ["units"] * 4 + ["relate"] * 3 + ["expose", "annotate"]
    assert plan.lines(made)[0] == " 1. fetch charm mysql (8.0/stable)"
    assert "add machine 0 (cores=4 mem=6G root-disk=20G)" in texts(made)
    assert "add 2 units of mysql on 0, 1" in texts(made)
    assert "add 1 unit of keystone on lxd:1" in texts(made)


def test_the_run_and_then_nothing():
    world = fake.Model()
    made, job, _ = run(world)
    assert job.done == texts(made)
    assert planned(world)["steps"] == []
    assert world.relations[2] == ["keystone:certificates", "vault:certificates"], "the endpoint that was not named is found"
    assert world.units["keystone/0"]["machine"] == "1/lxd/0"
    assert world.units["vault/0"]["machine"] == world.units["mysql/0"]["machine"]
    assert world.applications["keystone"]["options"] == {"debug": True, "region": "RegionOne"}
    assert world.applications["mysql"]["options"] == {"max-connections": 100, "tuning": "None"}
    assert world.applications["keystone"]["resources"] == {"policyd-override": "pending-policyd-override"}
    assert not world.annotations.get(f"model-{fake.UUID}"), "no intent is left"
    again, _, link = run(world)
    assert not again["steps"] and link.writes == 0


def test_machine_map_places_machines():
    world = fake.Model()
    run(world, machine_map={"0": "abc", "2": "def"})
    assert {about["instance"] for about in world.machines.values()} >= {"abc", "def"}
    assert planned(world, machine_map={"0": "abc", "2": "def"})["steps"] == []


def test_a_machine_that_is_not_the_recorded_one_is_told():
    world = fake.Model()
    run(world, machine_map={"0": "abc"})
    with pytest.raises(BundleFault, match="is abc, but machine_map wants other"):
        planned(world, machine_map={"0": "other"})


def test_machine_map_names_are_checked():
    with pytest.raises(BundleFault, match="machine_map names machine 9"):
        planned(fake.Model(), machine_map={"9": "abc"})
    with pytest.raises(BundleFault, match="gives abc to the machines 0, 1"):
        planned(fake.Model(), machine_map={"0": "abc", "1": "abc"})


def reference():
    world = fake.Model()
    _, _, link = run(world)
    return world.picture(), link.writes


@pytest.mark.parametrize("before", [False, True], ids=["answer lost", "request lost"])
def test_a_connection_that_breaks_anywhere_within_a_run(before):
    wanted, writes = reference()
    for number in range(1, writes + 1):
        world = fake.Model()
        run(world, breaks={number}, before=before)
        assert world.picture() == wanted, f"broken at request {number}"
        assert planned(world)["steps"] == []


def test_a_run_that_is_killed_anywhere_is_finished_by_the_next():
    wanted, writes = reference()
    for number in range(writes):
        world = fake.Model()
        with pytest.raises(KeyboardInterrupt):
            run(world, dies=number)
        left = planned(world)
        made, _, _ = run(world)
        assert [step["action"] for step in made["steps"]] == [step["action"] for step in left["steps"]]
        assert world.picture() == wanted, f"killed after request {number}"
        assert planned(world)["steps"] == []


def test_a_run_killed_after_the_answer_of_a_machine_was_lost():
    world = fake.Model()
    wanted = desired()
    link = fake.Client(world)
    model.annotate(link, {f"model-{fake.UUID}": {plan.INTENT: json.dumps({"note": {plan.MARK: "0"}, "known": []})}})
    world._new_machine({}, None)
    made = planned(world, wanted)
    assert "record machine 0 as the bundle's machine 0" in texts(made)
    assert sum(step["action"] == "machine" for step in made["steps"]) == 2


def test_a_model_that_something_else_deployed_is_recognised():
    world = fake.Model()
    run(world)
    for marks in world.annotations.values():
        marks.pop(plan.MARK, None)
    made = planned(world)
    assert [step["action"] for step in made["steps"]] == ["record"] * 3
    run(world)
    assert len(world.machines) == 3


def changed(change):
    world = fake.Model()
    run(world)
    wanted = desired(change)
    made = planned(world, wanted)
    run(world, wanted)
    assert planned(world, wanted)["steps"] == []
    return texts(made), world


def test_an_option_a_unit_a_relation_a_channel():
    def change(loaded):
        loaded["applications"]["keystone"]["options"] = {"debug": False, "region": None, "worker-multiplier": 0.5}
        loaded["applications"]["keystone"]["channel"] = "2024.1/stable"
        loaded["applications"]["mysql"].update(num_units=3, to=["0", "1", "2"])
        loaded["relations"].append(["vault:certificates", "mysql:certificates"])
        loaded["applications"]["keystone"]["expose"] = False
        loaded["applications"]["vault"].update(constraints="mem=4G", bindings={"": "alpha"})

    lines, world = changed(change)
    assert lines == [
        "fetch charm keystone (2024.1/stable)",
        "refresh keystone: 2023.1/stable, revision 7 -> 2024.1/stable",
        "set options of keystone: debug: true -> false, worker-multiplier: unset -> 0.5, region -> the charm's default",
        "set constraints of vault: none -> mem=4G",
        "bind endpoints of vault: default to alpha",
        "add 1 unit of mysql on 2",
        "relate vault:certificates and mysql:certificates",
        "stop exposing keystone",
    ]
    assert world.applications["keystone"]["options"] == {"debug": "false", "worker-multiplier": "0.5"}


def test_types_of_options_are_kept_in_comparison():
    lines, _ = changed(lambda loaded: loaded["applications"]["mysql"]["options"].update({"max-connections": "100", "tuning": None, "debug": "false"}))
    assert lines == ["set options of mysql: debug: unset -> false, tuning -> the charm's default"]


def test_what_the_bundle_does_not_name_is_left_and_told():
    world = fake.Model()
    run(world)
    wanted = desired(lambda loaded: (loaded["applications"].pop("vault"), loaded["relations"].pop()))
    made = planned(world, wanted)
    assert made["steps"] == [] and made["unnamed"] == ["vault"]
    assert any("also has vault" in note for note in made["notes"])


def test_what_the_bundle_does_not_name_is_removed_when_asked():
    wanted = desired(lambda loaded: (loaded["applications"].pop("vault"), loaded["relations"].pop()))
    for breaks in ({}, {"breaks": {1}}, {"breaks": {1}, "before": True}):
        world = fake.Model()
        run(world)
        link = fake.Client(world, **breaks)
        job = apply.Application(link, wanted, prune=True, sleep=fake.Time().sleep)
        made = job.apply(model.read(link, wanted))
        assert texts(made) == ["remove vault with 1 unit, which the bundle does not name"] and made["unnamed"] == ["vault"]
        assert "vault" not in world.applications and len(world.machines) == 3
        again = apply.Application(link, wanted, prune=True).plan(model.read(link, wanted))
        assert again["steps"] == [] and again["unnamed"] == [] and not [note for note in again["notes"] if "vault" in note]


@pytest.mark.parametrize("end", ["keystone:certificates", "vault:certificates"])
def test_relations_that_are_to_come_later_are_told_until_they_are_made(end):
    wanted = desired()
    for breaks in ({}, {"breaks": {3}}, {"breaks": {9}, "before": True}):
        world = fake.Model()
        link = fake.Client(world, **breaks)
        made = apply.Application(link, wanted, later=[end], sleep=fake.Time().sleep).apply(model.read(link, wanted))
        assert len(world.relations) == 2 and [set(pair) for pair in made["later"]] == [{"vault:certificates", "keystone:certificates"}]
        again = apply.Application(link, wanted, later=[end]).plan(model.read(link, wanted))
        assert again["steps"] == [] and len(again["later"]) == 1
        rest = apply.Application(link, wanted).apply(model.read(link, wanted))
        assert texts(rest) == ["relate vault:certificates and keystone:certificates"] and rest["later"] == []
        assert apply.Application(link, wanted, later=[end]).plan(model.read(link, wanted))["later"] == []


def test_a_unit_that_was_moved_is_left_and_told():
    world = fake.Model()
    run(world)
    world.units["keystone/0"]["machine"] = "2"
    made = planned(world)
    assert made["steps"] == []
    assert any("keystone/0 is on machine 2" in note for note in made["notes"])


def test_a_machine_that_was_removed_is_added_again():
    world = fake.Model()
    run(world)
    del world.machines["2"], world.units["nova-compute/0"], world.annotations["machine-2"]
    made = planned(world)
    assert texts(made) == ["add machine 2 (tags=compute)", "add 1 unit of nova-compute on 2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b["relations"].append(["vault:nothing", "mysql:db-router"]), "vault has no endpoint nothing"),
        (lambda b: b["relations"].append(["vault:certificates", "mysql:db-router"]), "do not fit"),
        (lambda b: b["relations"].append(["vault", "nova-compute"]), "no endpoints of vault and nova-compute fit"),
        (lambda b: b["applications"]["keystone"]["options"].update(bogus=1), "no option 'bogus'"),
        (lambda b: b["applications"]["keystone"]["options"].update({"api-version": "three"}), "is not an int"),
        (lambda b: b["applications"]["keystone"]["options"].update({"region": True}), "wants string"),
        (lambda b: b["applications"]["keystone"].update(resources={"image": 3}), "no resource 'image'"),
        (lambda b: b["applications"]["keystone"].update(bindings={"nowhere": "alpha"}), "no endpoint 'nowhere' to bind"),
        (lambda b: b["applications"]["keystone-router"].update(num_units=1, to=["0"]), "is a subordinate"),
        (lambda b: b["applications"]["keystone"].update(channel="nowhere/stable"), "no charm keystone in channel nowhere"),
        (lambda b: b["applications"]["keystone"].update(charm="ch:unheard-of"), "no charm unheard-of"),
    ],
)
def test_what_charms_do_not_offer_is_found_before_the_first_change(change, words):
    world = fake.Model()
    with pytest.raises(BundleFault, match=words):
        run(world, desired(change))
    assert not world.machines and not world.applications
    assert set(world.writes) <= {"Charms.AddCharm"}


def test_a_charm_that_is_another_one():
    world = fake.Model()
    run(world)
    with pytest.raises(BundleFault, match="runs the charm vault, the bundle says mysql"):
        planned(world, desired(lambda loaded: (loaded["applications"]["vault"].update(charm="mysql"), loaded["relations"].pop())))


def test_a_refusal_tells_what_was_done():
    world = fake.Model()
    world.Application_AddRelation = lambda params: (_ for _ in ()).throw(JujuFault("quota exceeded"))
    with pytest.raises(JujuFault, match="quota exceeded") as error:
        run(world)
    assert error.value.result["changed"] is True
    assert error.value.result["steps_done"][-1].startswith("add 1 unit")


def test_the_deadline_is_kept():
    world = fake.Model()
    link = fake.Client(world)
    wanted = desired()
    ticks = iter(range(1000))
    job = apply.Application(link, wanted, timeout=8, clock=lambda: next(ticks))
    with pytest.raises(JujuFault, match="not finished within 8 s; the next step was"):
        job.apply(model.read(link, wanted))


@pytest.mark.parametrize("seconds", [3, 8])
def test_a_request_that_takes_effect_after_its_connection_broke_is_not_made_again(seconds):
    wanted, writes = reference()
    for number in range(1, writes + 1):
        world, time = fake.Model(), fake.Time()
        link = fake.Client(world, breaks={number})
        link.late = (time, seconds)
        apply.Application(link, desired(), clock=time.clock, sleep=time.sleep).apply(model.read(link, desired()))
        assert time.now <= 20
        time.sleep(60)
        assert world.picture() == wanted, f"broken at request {number}"


def late_machine(world, first):
    """The first AddMachines is lost and takes effect with the second one, before it or after."""
    add, asked = world.MachineManager_AddMachines, []

    def lost(params):
        asked.append(params)
        if len(asked) == 1:
            raise ConnectionLost("gone")
        if len(asked) > 2:
            return add(params)
        if first:
            add(asked[0])
        answer = add(params)
        if not first:
            add(asked[0])
        return answer

    world.MachineManager_AddMachines = lost


@pytest.mark.parametrize("first", [True, False])
def test_of_two_machines_for_one_the_earlier_request_s_is_kept(first):
    wanted, _ = reference()
    world = fake.Model()
    late_machine(world, first)
    run(world)
    assert world.picture() == wanted and len(world.machines) == 3
    assert world.writes.count("MachineManager.DestroyMachineWithParams") == 1 and not world.annotations[f"model-{fake.UUID}"]
    assert planned(world)["steps"] == []


def test_a_machine_that_somebody_else_adds_meanwhile_is_not_taken():
    world = fake.Model()
    add, asked = world.MachineManager_AddMachines, []

    def lost(params):
        asked.append(params)
        if len(asked) == 1:
            raise ConnectionLost("gone")
        if len(asked) == 2:
            world._new_machine({"mem": 1024}, None)
        return add(params)

    world.MachineManager_AddMachines = lost
    run(world)
    assert len(world.machines) == 4 and "MachineManager.DestroyMachineWithParams" not in world.writes
    assert not world.annotations.get("machine-0")


def test_two_machines_that_came_after_one_intent_are_told():
    world = fake.Model()
    link = fake.Client(world)
    model.annotate(link, {f"model-{fake.UUID}": {plan.INTENT: json.dumps({"note": {plan.MARK: "0"}, "known": []})}})
    world._new_machine({}, None)
    world._new_machine({}, None)
    # Also when the run loses its connection meanwhile.
    made, _, _ = run(world, breaks={12})
    assert [note for note in made["notes"] if "machine 1 came beside machine 0" in note and "juju remove-machine -m openstack 1" in note]


def test_a_controller_that_is_away_in_between_is_waited_for():
    wanted, writes = reference()
    world, time, link = fake.Model(), fake.Time(), None
    link = fake.Client(world, breaks={writes // 2})
    link.away = 40
    job = apply.Application(link, desired(), clock=time.clock, sleep=time.sleep)
    job.apply(model.read(link, desired()))
    assert world.picture() == wanted and not link.away and time.now >= 200


@pytest.mark.parametrize("number", [6, 7, 20])
def test_a_controller_that_stays_away_ends_the_run_at_its_deadline_with_what_was_done(number):
    """The sixth write is the first after the charms; whether it took effect is not known."""
    world, time = fake.Model(), fake.Time()
    link = fake.Client(world, breaks={number})
    link.away = 10**6
    job = apply.Application(link, desired(), timeout=300, clock=time.clock, sleep=time.sleep)
    actual = model.read(link, desired())
    with pytest.raises(JujuFault, match="no connection") as error:
        job.apply(actual)
    assert error.value.result["changed"] is True and error.value.result["steps_done"] == job.done
    assert 300 <= time.now < 310


def test_what_the_second_plan_finds_wrong_is_told_with_what_was_done():
    world = fake.Model()
    link = fake.Client(world, breaks={20})
    job = apply.Application(link, desired(), sleep=fake.Time().sleep)
    actual, told = model.read(link, desired()), link.call

    def call(facade, request, params=None, **options):
        if link.writes >= 20 and request == "FullStatus":
            raise Refused("the model is gone", "not found")
        return told(facade, request, params, **options)

    link.call = call
    with pytest.raises(Refused) as error:
        job.apply(actual)
    assert error.value.result == {"changed": True, "steps_done": job.done} and job.done
