"""Single changes: what a fault after them tells."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.juju import apply, bundle, changes, model, plan
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused
from ansible_collections.stratus.cloud.plugins.modules import juju_bundle

from . import fake

WAITED = {"wait": True, "wait_timeout": 0, "wait_interval": 1}


def module(**params):
    return SimpleNamespace(params={**WAITED, **params}, check_mode=False)


@pytest.fixture
def world():
    made, wanted = fake.Model(), bundle.normal(fake.bundle())
    link = fake.Client(made)
    apply.Application(link, wanted).apply(model.read(link, wanted))
    made.Application_DestroyApplication = made.Application_DestroyUnit = made.Application_DestroyRelation = lambda params: {}
    made.MachineManager_DestroyMachineWithParams = lambda params: {}
    return made


MACHINE = {
    "id": None, "mark": None, "system_id": None, "constraints": None, "base": None, "zone": None, "annotations": {},
    "replace_failed": False, "force": False, "keep_instance": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("work", "options", "words"),
    [
        (changes.machine_present, MACHINE, "the start of machine 3"),
        (changes.machine_absent, {**MACHINE, "id": "0", "force": True}, "the end of machine 0"),
        (changes.application_absent, {"name": "vault", "destroy_storage": False, "force": False}, "the end of application vault"),
        (changes.unit_absent, {"units": ["vault/0"], "destroy_storage": False, "force": False}, "the end of vault/0"),
        (changes.relation, {"endpoints": ["vault:certificates", "keystone:certificates"], "state": "absent", "force": False}, "end the relation"),
    ],
)
def test_what_was_changed_and_did_not_come_in_time_is_a_change(world, work, options, words):
    with pytest.raises(JujuFault, match=f"{words}.* did not happen within 0 s") as error:
        work(module(**options), fake.Client(world))
    assert error.value.result["changed"] is True


def test_a_wait_for_what_was_there_is_no_change(world):
    with pytest.raises(JujuFault, match="the start of machine 0") as error:
        changes.machine_present(module(**{**MACHINE, "id": "0"}), fake.Client(world))
    assert error.value.result["changed"] is False


def test_a_unit_that_gets_no_machine_in_time_is_a_change(world):
    link, told = fake.Client(world), fake.Client.call

    def call(facade, request, params=None, **options):
        answer = told(link, facade, request, params, **options)
        if request == "FullStatus" and "vault/1" in world.units:
            answer["applications"]["vault"]["units"]["vault/1"]["machine"] = ""
        return answer

    link.call = call
    with pytest.raises(JujuFault, match="a machine for vault/1 did not happen") as error:
        changes.unit_present(module(application="vault", to=["2"]), link)
    assert error.value.result["changed"] is True


def test_the_second_unit_that_is_refused_leaves_the_first_told(world):
    add = world.Application_AddUnits

    def refuse(params):
        if "vault/1" in world.units:
            raise Refused("quota exceeded")
        return add(params)

    world.Application_AddUnits = refuse
    with pytest.raises(Refused) as error:
        changes.unit_present(module(application="vault", to=["1", "2"]), fake.Client(world))
    assert error.value.result["changed"] is True


def test_a_machine_whose_note_is_refused_was_added_all_the_same(world):
    link, told = fake.Client(world), fake.Client.call

    def call(facade, request, params=None, **options):
        if request == "Set" and {"site": "b"} in [item["annotations"] for item in params["annotations"]]:
            raise ConnectionLost("gone")
        return told(link, facade, request, params, **options)

    link.call = call
    with pytest.raises(ConnectionLost) as error:
        changes.machine_present(module(**{**MACHINE, "annotations": {"site": "b"}}), link)
    assert error.value.result["changed"] is True and "3" in world.machines


def once_away(link, when):
    """The first reading of the status for which when() is true finds no controller."""
    told, left = link.call, [1]

    def call(facade, request, params=None, **options):
        if request == "FullStatus" and left and when():
            left.clear()
            raise ConnectionLost("no connection")
        return told(facade, request, params, **options)

    link.call = call
    return left


APPLICATION = {
    "name": "vault", "charm": "vault", "channel": "1.8/stable", "revision": None, "base": None, "num_units": None, "scale_down": False, "to": None,
    "options": {"vip": "10.0.0.9"}, "constraints": None, "bindings": {}, "resources": {}, "expose": None, "trust": False, "destroy_storage": False,
}  # fmt: skip


def test_a_last_reading_that_fails_is_made_again(world, monkeypatch):
    monkeypatch.setattr(apply, "AWAY", 0)
    link = fake.Client(world)
    left = once_away(link, lambda: link.writes)
    answer = changes.application_present(module(**{**APPLICATION, "wait_timeout": 60}), link)
    assert answer["changed"] and answer["application"]["name"] == "vault" and not left

    link = fake.Client(fake.Model())
    left = once_away(link, lambda: link.model.applications.get("keystone", {}).get("exposed"))
    given = {"bundle": fake.bundle(), "overlays": [], "machine_map": {}, "prune": False, "later": [], "apply_timeout": 60, "model": "openstack"}
    answer = juju_bundle.work(SimpleNamespace(params=given, check_mode=False, _diff=False, no_log_values=set()), link)
    assert answer["changed"] and answer["machines"] == {"0": "0", "1": "1", "2": "2"} and not left


def test_units_that_are_not_removed_after_an_option_was_set_leave_a_change(world):
    world.Application_AddUnits({"application": "vault", "num-units": 1, "placement": []})
    world.Application_DestroyUnit = lambda params: (_ for _ in ()).throw(Refused("no"))
    with pytest.raises(Refused) as error:
        changes.application_present(module(**{**APPLICATION, "num_units": 1, "scale_down": True, "wait_timeout": 60}), fake.Client(world))
    assert error.value.result["changed"] is True


@pytest.mark.parametrize("seconds", [None, 3, 8])
def test_a_machine_and_a_unit_whose_answer_is_lost_are_there_once(world, seconds):
    """None: the requests never arrive."""
    time = fake.Time()
    # The second write follows the intent.
    link = fake.Client(world, breaks={2}, before=seconds is None)
    link.late = (time, seconds)
    wanted = {"constraints": {"mem": 4096}, "base": None, "system_id": None, "directive": None}
    assert changes.added_machine(link, model.read_noted(link), {plan.MARK: "9"}, wanted, time.sleep) == "3"
    time.sleep(60)
    assert len(world.machines) == 4 and world.annotations["machine-3"] == {plan.MARK: "9"}

    link = fake.Client(world, breaks={1}, before=seconds is None)
    link.late = (time, seconds)
    assert changes._add_unit(link, "vault", {"scope": "#", "directive": "3"}, ["vault/0"], time.sleep) == ["vault/1"]
    time.sleep(60)
    assert sorted(unit for unit in world.units if unit.startswith("vault")) == ["vault/0", "vault/1"]


def test_an_earlier_run_s_machine_that_comes_with_this_run_s_is_kept(world):
    link, note = fake.Client(world), {plan.MARK: "9"}
    del world.MachineManager_DestroyMachineWithParams
    model.annotate(link, {f"model-{fake.UUID}": {plan.INTENT: json.dumps({"note": note, "known": list(world.machines)})}})
    add = world.MachineManager_AddMachines
    world.MachineManager_AddMachines = lambda params: (add(params), add(params))[1]
    wanted = {"constraints": {"mem": 4096}, "base": None, "system_id": None, "directive": None}
    assert changes.added_machine(link, model.read_noted(link), note, wanted) == "3"
    assert set(world.machines) == {"0", "1", "2", "3"} and world.annotations["machine-3"] == note


def test_an_answer_that_is_lost_for_good_is_perhaps_a_change(world):
    link = fake.Client(world, breaks={1})
    link.away = 9
    with pytest.raises(ConnectionLost) as error:
        changes._add_unit(link, "vault", None, ["vault/0"], fake.Time().sleep)
    assert error.value.result["changed"] is True


def test_two_machines_that_came_after_one_intent_are_told(world):
    link, note, told = fake.Client(world), {plan.MARK: "9"}, []
    model.annotate(link, {f"model-{fake.UUID}": {plan.INTENT: json.dumps({"note": note, "known": list(world.machines)})}})
    for _ in range(2):
        world._new_machine({}, None)
    job = module(**{**MACHINE, "mark": "9", "wait": False})
    job.warn = told.append
    assert changes.machine_present(job, link)["plan"] == ["record machine 3 as the bundle's machine 9"]
    assert len(told) == 1 and "machine 4 came beside machine 3" in told[0] and told[0].endswith("juju remove-machine -m openstack 4")
