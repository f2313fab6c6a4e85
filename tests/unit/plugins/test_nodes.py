"""Compute machines that come and go: which are meant, where they stand, what prevents it."""

from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils import nodes
from ansible_collections.stratus.cloud.plugins.module_utils.juju import plan

GROUPS = {"all": ["controller0", "compute0", "compute2", "compute3"], "controller": ["controller0"], "spare": ["compute2", "compute3"], "empty": []}
BMC = {"type": "ipmi", "address": "10.0.0.22", "user": "root", "password": "pw"}
HOSTVARS = {name: {"mac_addresses": [f"52:54:00:10:0{name[-1]}:01"], "bmc": BMC} for name in GROUPS["all"][1:]} | {"controller0": {}}
WANTED = ["nova-compute"]
NOTHING = {"service": None, "servers": [], "agents": [], "providers": []}


def machine(name, status="Ready", **more):
    return {"hostname": name, "system_id": f"id-{name}", "status": status, "owner": None, "power_state": "off", **more}


def model(**machines):
    """A status with machines {number: (system_id, annotations)}."""
    rows = {number: {"instance_id": instance, "parent": None, "annotations": notes} for number, (instance, notes) in machines.items()}
    return {"machines": rows, "units": {}, "applications": {}}


def with_unit(status, name, number, principal=None):
    status["units"][name] = {"name": name, "application": name.rpartition("/")[0], "machine": number, "principal": principal}
    return status


def survey(status, *machines, hosts=("compute2",), wanted=WANTED):
    return nodes.survey(list(hosts), list(machines), status, wanted)


# -- which ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted, found",
    [
        ("compute2", ["compute2"]),
        ("compute3, compute2", ["compute3", "compute2"]),
        ("spare", ["compute2", "compute3"]),
        (["spare", "compute0", "compute2"], ["compute2", "compute3", "compute0"]),
        ("52:54:00:10:02:01", ["compute2"]),
        ("52:54:00:AA:00:01+52:54:00:10:03:01, compute2", ["compute3", "compute2"]),
    ],
)
def test_names_groups_and_mac_addresses(wanted, found):
    assert nodes.names(wanted, GROUPS, HOSTVARS) == found


@pytest.mark.parametrize(
    "wanted, words", [("", "-e node=NAME"), ("compute9,spare", "compute9"), ("empty", "no host in empty"), ("52:54:00:10:09:01", "52:54:00:10:09:01")]
)
def test_who_cannot_be_told_is_told(wanted, words):
    with pytest.raises(nodes.NodeError, match=words):
        nodes.names(wanted, GROUPS)


def metal(number, *applications, tags=("compute",)):
    return {"name": number, "tags": list(tags), "applications": list(applications)}


def test_what_belongs_on_a_compute_machine_is_what_all_of_the_bundles_have():
    machines = [
        metal("0", "keystone", tags=()),
        metal("11", "nova-compute", "ceph-osd", "ceph-mon"),
        metal("12", "ceph-osd", "nova-compute"),
        metal("13", "ovn-dedicated-chassis"),
    ]
    assert nodes.applications(machines, "nova-compute", "compute") == ["nova-compute", "ceph-osd"]
    assert nodes.applications(machines[:1], "nova-compute", "compute") == []


# -- where they stand -------------------------------------------------------------------------------------------------


def test_a_stranger_stands_nowhere():
    (found,) = survey(model())
    assert (found["maas"], found["machine"], found["missing"], found["serves"]) == (None, None, WANTED, False)


def test_one_with_its_units_serves_when_it_has_proven_to():
    status = with_unit(model(**{"13": ("id-compute2", {})}), "nova-compute/2", "13")
    with_unit(status, "ovn-chassis/2", "13", principal="nova-compute/2")
    (found,) = survey(status, machine("compute2", "Deployed"))
    assert (found["machine"], found["units"], found["others"], found["missing"]) == ("13", ["nova-compute/2"], [], [])
    assert not found["serves"]
    for note in (nodes.SERVES, plan.MARK):
        status["machines"]["13"]["annotations"] = {note: "x"}
        assert survey(status, machine("compute2", "Deployed"))[0]["serves"]


def test_a_machine_that_was_only_asked_for_is_known():
    """Juju's status tells the instance when it has started."""
    for instance in ("", "pending"):
        status = model(**{"12": (instance, {}), "13": (instance, {plan.PLACED: "id-compute2"})})
        assert survey(status, machine("compute2", "Deploying"))[0]["machine"] == "13"
        assert survey(status)[0]["machine"] is None


def test_a_missing_unit_is_seen_and_so_is_what_stands_in_a_container():
    status = with_unit(model(**{"13": ("id-compute2", {nodes.SERVES: "serves"})}), "ceph-osd/2", "13/lxd/0")
    (found,) = survey(status, machine("compute2", "Deployed"), wanted=["nova-compute", "ceph-osd"])
    assert found["missing"] == ["nova-compute", "ceph-osd"]
    assert found["others"] == ["ceph-osd/2"]
    assert not found["serves"]


# -- adding -----------------------------------------------------------------------------------------------------------


def against(found, hostvars=HOSTVARS, wanted=WANTED, **more):
    return nodes.add_problems(found, wanted, GROUPS, hostvars, "openstack", **more)


def test_nothing_speaks_against_a_free_machine():
    for status in (None, "New", "Ready", "Failed commissioning", "Commissioning"):
        assert against(survey(model(), *([machine("compute2", status)] if status else []))) == []


def test_what_is_somebody_elses_is_left_alone():
    (text,) = against(survey(model(), machine("compute2", "Deployed", owner="ana")))
    assert text == "compute2 is Deployed in MAAS (id-compute2, owner ana) and no machine of the model openstack: release it there, or choose another."
    status = with_unit(model(**{"5": ("id-compute2", {})}), "keystone/0", "5")
    (text,) = against(survey(status, machine("compute2", "Deployed")))
    assert "machine 5 of the model openstack and carries keystone/0" in text


def test_the_inventory_must_say_enough():
    (text,) = against(survey(model()), {"compute2": {"bmc": BMC}})
    assert "no mac_addresses" in text
    (text,) = against(survey(model()), {"compute2": {"mac_addresses": ["x"], "bmc": {**BMC, "password": "CHANGE-ME", "user": ""}}})
    assert "no user, password" in text
    # Without a BMC somebody switches it on by hand, as the role maas allows.
    assert against(survey(model()), {"compute2": {"mac_addresses": ["x"]}}) == []
    (text,) = against(survey(model(), hosts=["controller0"]))
    assert "is the controller" in text


def test_a_bmc_that_does_not_answer_is_told_and_one_that_serves_is_not_looked_at():
    silent = [{"name": "compute2", "address": "10.0.0.22", "error": "no answer within 5 s"}]
    (text,) = against(survey(model()), bmcs=silent)
    assert "10.0.0.22 cannot be used: no answer" in text
    status = with_unit(model(**{"13": ("id-compute2", {plan.MARK: "11"})}), "nova-compute/0", "13")
    assert against(survey(status, machine("compute2", "Deployed")), {}, bmcs=silent) == []


def test_a_bundle_without_hypervisors_is_told():
    assert "no hypervisor" in against([], wanted=[])[0]


# -- removing ---------------------------------------------------------------------------------------------------------


def test_only_a_machine_with_nothing_but_its_hypervisor_is_removed():
    status = with_unit(with_unit(model(**{"13": ("id-compute2", {})}), "nova-compute/2", "13"), "ceph-osd/2", "13")
    left = {"compute2": {**NOTHING, "service": "s"}}
    for wanted in (WANTED, ["nova-compute", "ceph-osd"]):
        (text,) = nodes.remove_problems(survey(status, machine("compute2", "Deployed"), wanted=wanted), "nova-compute", "openstack", left)
        assert "also carries ceph-osd/2" in text
    del status["units"]["ceph-osd/2"]
    assert nodes.remove_problems(survey(status, machine("compute2", "Deployed")), "nova-compute", "openstack", left) == []


@pytest.mark.parametrize("status", ["Allocated", "Deployed", "Deploying", "Failed deployment", "Reserved"])
def test_a_machine_that_serves_somebody_else_is_never_released(status):
    (text,) = nodes.remove_problems(survey(model(), machine("compute2", status)), "nova-compute", "openstack", {"compute2": NOTHING})
    assert f"compute2 is {status} in MAAS" in text and "not this cloud's to release" in text


def test_one_that_a_killed_run_held_to_erase_it_is_ours_unless_a_model_has_it():
    held = machine("compute2", "Allocated", tags=[nodes.ERASING])
    assert nodes.remove_problems(survey(model(), held), "nova-compute", "openstack", {"compute2": NOTHING}) == []
    juju = {**held, "owner_data": {"juju-model-uuid": "theirs"}}
    assert nodes.remove_problems(survey(model(), juju), "nova-compute", "openstack", {"compute2": NOTHING})


def test_who_was_taken_by_somebody_since():
    def now(status, about=None):
        return [{**machine("compute2", status), "owner_data": about or {}}]

    (node,) = survey(model(**{"13": ("id-compute2", {})}), {**machine("compute2", "Deployed"), "owner_data": {"juju-model-uuid": "ours"}})
    for status in ("Ready", "Releasing", "Disk erasing", "Releasing failed", "New"):
        assert nodes.taken([node], now(status)) == []
    assert nodes.taken([node], now("Deployed", {"juju-model-uuid": "ours"})) == []
    for status, about in (("Allocated", {}), ("Deploying", {}), ("Deployed", {"juju-model-uuid": "theirs"})):
        assert nodes.taken([node], now(status, about)) == ["compute2"]
    assert nodes.remains(survey(model(), machine("compute2", "Deployed")), "openstack", {"compute2": NOTHING}, ["compute2"]) == []


def test_who_is_still_part_of_the_cloud():
    gone = survey(model(), machine("compute2", "Ready"))
    assert nodes.going(gone, {"compute2": NOTHING}) == []
    assert nodes.going(gone, {"compute2": {**NOTHING, "providers": [{}]}}) == gone
    assert nodes.going(survey(model(), machine("compute2", "Releasing")), {"compute2": NOTHING})
    # Killed before its disks were erased.
    for status in ("Allocated", "Ready"):
        assert nodes.going(survey(model(), machine("compute2", status, tags=[nodes.ERASING])), {"compute2": NOTHING})
    assert nodes.going(survey(model(**{"13": ("id-compute2", {})}), machine("compute2", "Deployed")), {"compute2": NOTHING})


def test_what_remains_is_told():
    clean = survey(model(), machine("compute2", "Ready"))
    assert nodes.remains(clean, "openstack", {"compute2": NOTHING}) == []
    texts = nodes.remains(clean, "openstack", {"compute2": {**NOTHING, "service": "s", "providers": [{}]}})
    assert texts == ["The cloud still has service and providers of compute2."]
    still = survey(model(**{"13": ("id-compute2", {})}), machine("compute2", "Deployed"))
    assert len(nodes.remains(still, "openstack", {"compute2": NOTHING})) == 2
