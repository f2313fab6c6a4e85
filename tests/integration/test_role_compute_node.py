"""The role compute_node against modules that answer from a script: what it does where a machine does not come, and where an action was done before."""

from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import simplify

from tests.support.role_play import RolePlay, told

SLOW = {"failed": True, "msg": "the start of machine 5 did not happen within 3600 s"}
PROVISIONING = {"status": "provisioning error", "info": "Failed deployment"}
BROKEN = {
    "failed": True,
    "msg": "machine 5 could not be provisioned: Failed deployment",
    "machine": simplify({"machines": {"5": {"agent-status": {"status": "down"}, "instance-status": PROVISIONING}}})["machines"]["5"],
}


def maas(name, status="Ready", power_type="ipmi"):
    return {"hostname": name, "system_id": f"s-{name}", "status": status, "owner": None, "power_state": "on", "power_type": power_type}


class Site(RolePlay):
    role = "compute_node"
    stubbed = ("juju_machine", "juju_unit", "juju_action", "juju_wait", "juju_status_info", "maas_machine_info", "maas_machine_state", "maas_tag")
    hosts = "[controller]\nhere ansible_connection=local\n[spare]\ncompute2\ncompute3\n"
    absent: tuple[str, ...] = ()

    def model(self, **machines):
        """The status of a model whose machines are MAAS' so-and-so, each with a hypervisor."""
        units = {
            f"nova-compute/{number}": {
                "name": f"nova-compute/{number}", "application": "nova-compute", "machine": number[1:], "principal": None, "workload": "active",
            }
            for number in machines
        }  # fmt: skip
        return {
            "status": {
                "applications": {"nova-compute": {"name": "nova-compute", "base": "ubuntu@22.04/stable", "units": list(units), "subordinate_to": []}},
                "units": units,
                "machines": {
                    number[1:]: {"id": number[1:], "parent": None, "instance_id": instance, "instance": "allocating", "annotations": {}}
                    for number, instance in machines.items()
                },
            }
        }

    def asked_of(self, asked, module, **options):
        return [call for call in asked if call["module"] == module and all(call.get(key) == value for key, value in options.items())]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


FAILED = {"ansible.builtin.set_fact": {"compute_node_failed": {}}}
TELL = {"ansible.builtin.debug": {"var": "compute_node_failed"}}


def adding(site, answer, **variables):
    site.answers = {
        "maas_machine_info": {"machines": [maas("compute2"), maas("compute3", power_type="manual")]},
        "juju_status_info": site.model(),
        "juju_machine": [
            ({"system_id": "s-compute2", "wait_timeout": 3600}, answer),
            ({"system_id": "s-compute2"}, {"changed": True, "machine": {"id": "5"}}),
            ({"system_id": "s-compute3"}, {"changed": True, "machine": {"id": "6"}}),
        ],
    }
    return site.play("survey", "add_units", first=[FAILED], then=[TELL], compute_node_names="compute2,compute3", **variables)


def test_a_machine_that_maas_could_not_install_is_taken_out_again(site):
    done, _changed, asked = adding(site, BROKEN)
    assert done.returncode == 0, told(done)
    assert [call["system_id"] for call in site.asked_of(asked, "juju_machine", state="absent", force=True)] == ["s-compute2"]
    assert "machine 5 could not be provisioned" in done.stdout.rpartition("compute_node_failed")[2]
    assert "MAAS cannot switch on compute3: do it within half an hour" in done.stdout


@pytest.mark.parametrize("lost", [False, True])
def test_a_machine_that_is_slow_or_a_controller_that_is_gone_costs_nothing(site, lost):
    """Whatever the wait ended by, only the machine's own word that it cannot be installed removes it."""
    answer = {"failed": True, "msg": "no controller answers at 127.0.0.1:17070"} if lost else SLOW
    done, _changed, asked = adding(site, answer)
    assert done.returncode != 0
    assert not site.asked_of(asked, "juju_machine", state="absent")
    said = " ".join(told(done).split())
    assert "compute2 is not deployed yet (machine 5, " in said and answer["msg"] in said and "Nothing was removed: run the same command again." in said
    assert "compute3 is not" not in said


GONE = {"failed": True, "msg": "Nova compute node 'compute3.maas' not found in the list of hypervisors. Is the unit already removed from the cloud?"}
FULL = {"failed": True, "msg": "This unit can not be removed from the cloud because it's still running VMs."}


def leaving(site, answer=GONE, **variables):
    site.answers = {"maas_machine_info": {"machines": [maas("compute2", "Deployed"), maas("compute3", "Deployed")]}}
    site.answers["juju_status_info"] = site.model(m5="s-compute2", m6="s-compute3")
    site.answers["juju_action"] = [({"unit": "nova-compute/m6"}, answer), ({}, {"changed": True})]
    drained = {"ansible.builtin.set_fact": {"compute_node_drain": {"absent": ["compute3"]}}}
    return site.play("survey", "remove_units", first=[drained], compute_node_names="compute2,compute3", **variables)


@pytest.mark.parametrize("check", [False, True])
def test_a_hypervisor_that_nova_has_forgotten_goes_when_its_charm_says_so_too(site, check):
    """The charm's status says so for some minutes only, and the action fails on a host that is not registered."""
    done, _changed, asked = leaving(site, arguments=["--check"] if check else [])
    assert done.returncode == 0, told(done)
    assert [call["unit"] for call in site.asked_of(asked, "juju_action", action="remove-from-cloud")] == ["nova-compute/m5", "nova-compute/m6"]
    (units,) = site.asked_of(asked, "juju_unit", state="absent")
    assert units["units"] == ["nova-compute/m5", "nova-compute/m6"]
    assert len(site.asked_of(asked, "juju_machine", state="absent")) == (0 if check else 2)


def test_a_hypervisor_that_nova_calls_otherwise_stays_while_its_charm_sees_servers(site):
    """Nova has no service by the machine's name, so nothing was moved; only the charm knows the host's own name."""
    done, _changed, asked = leaving(site, FULL)
    assert done.returncode != 0 and "still running VMs" in told(done)
    assert not site.asked_of(asked, "juju_unit") and not site.asked_of(asked, "juju_machine")


def test_the_charm_of_a_dead_host_is_not_asked(site):
    model = site.model(m5="s-compute2", m6="s-compute3")
    model["status"]["units"]["nova-compute/m6"]["agent"] = "lost"
    site.model = lambda **machines: model
    done, _changed, asked = leaving(site)
    assert done.returncode == 0, told(done)
    assert [call["unit"] for call in site.asked_of(asked, "juju_action")] == ["nova-compute/m5"]


OURS = {"juju-model-uuid": "ours"}


def released(site, *now, got=(), **variables):
    """``now``: what MAAS says when the machines have left the model. ``got``: those that it lets have for the erasing."""
    site.answers = {"maas_machine_info": {"machines": [{**one, "tags": []} for one in now]}}
    allocated = {"changed": True, "diff": {"before": {}, "after": dict.fromkeys(got, "allocated")}}
    site.answers["maas_machine_state"] = [({"state": "allocated"}, allocated), ({}, {})]
    going = [{"name": one["hostname"], "system_id": one["system_id"], "machine": "5", "held": "ours", "erasing": False} for one in now]
    first = {"ansible.builtin.set_fact": {"compute_node_going": going}}
    then = {"ansible.builtin.debug": {"msg": "TAKEN {{ compute_node_taken | join(' ') }}"}}
    done, _changed, asked = site.play("remove_release", first=[first], then=[then], compute_node_names="x", **variables)
    assert done.returncode == 0, told(done)
    states = [(one["state"], one["machines"], one.get("erase", False)) for one in site.asked_of(asked, "maas_machine_state")]
    return states, done.stdout.rpartition("TAKEN ")[2].partition('"')[0].split()


def test_a_machine_that_somebody_has_taken_since_is_neither_released_nor_erased(site):
    mine, theirs = maas("compute2"), {**maas("compute3", "Deployed"), "owner_data": {"juju-model-uuid": "theirs"}}
    states, taken = released(site, mine, theirs, got=["compute2"], compute_node_erase="quick")
    assert states == [("released", ["compute2"], False), ("allocated", ["compute2"], False), ("released", ["compute2"], True)]
    assert taken == ["compute3"]


def test_one_that_somebody_gets_first_is_not_erased(site):
    states, taken = released(site, maas("compute2"), maas("compute3"), got=["compute2"], compute_node_erase="quick")
    assert states[-1] == ("released", ["compute2"], True) and taken == ["compute3"]


def test_one_that_juju_left_behind_is_released(site):
    states, taken = released(site, {**maas("compute2", "Deployed"), "owner_data": OURS}, compute_node_erase="none")
    assert states == [("released", ["compute2"], False)] and taken == []
