from __future__ import annotations

import json
import re

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.maas import interfaces, machines, states, transitions, vmhosts
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, LostAnswer, MaasError
from maas_fakes import FakeClient, machine

MAC_A, MAC_B = "52:54:00:00:00:0a", "52:54:00:00:00:0b"
BMC = {"power_address": "10.42.0.20", "power_user": "admin", "power_pass": "s3cret"}


def region(*known, power=None, read_only=False, **handlers):
    def read(params, data):
        def fits(candidate):
            macs = {i["mac_address"] for i in candidate["interface_set"]} & set(data.get("mac_address", ()))
            return (
                candidate["system_id"] in data.get("id", ())
                or candidate["hostname"] in data.get("hostname", ())
                or bool(macs & set(data.get("mac_address", ())))
            )

        return [dict(candidate) for candidate in known if fits(candidate)]

    def update(params, data):
        found = next(candidate for candidate in known if candidate["system_id"] == params["system_id"])
        return {**found, **{k: v for k, v in data.items() if k in ("hostname", "power_type")}}

    table = {
        "Machines.read": read,
        "Machines.create": lambda params, data: machine("newnew", data.get("hostname", "x"), 0, data["mac_addresses"], power_type=data.get("power_type", "")),
        "Machines.power_parameters": lambda params, data: {system_id: (power or {}).get(system_id, {}) for system_id in data["id"]},
        "Machine.update": update,
        "Machine.delete": None,
        "Tags.read": [{"name": "virtual"}],
        "Tags.create": lambda params, data: data,
        "Tag.update_nodes": {"added": 1},
        **handlers,
    }
    return FakeClient(table, read_only)


# Looking up


def test_names_of_all_kinds_with_few_requests():
    known = [machine("aaaaaa", "one", macs=[MAC_A]), machine("bbbbbb", "two", macs=[MAC_B]), machine("cccccc", "three", macs=["52:54:00:00:00:0c"])]
    client = region(*known)
    found = machines.lookup(client, ["one", "two.maas", "52-54-00-00-00-0C", "bbbbbb", "no-such-node"])
    assert {name: found[name] and found[name]["system_id"] for name in found} == {
        "one": "aaaaaa",
        "two.maas": "bbbbbb",
        "52-54-00-00-00-0C": "cccccc",
        "bbbbbb": "bbbbbb",
        "no-such-node": None,
    }
    assert len(client.calls) == 2  # hostnames, MACs; the id was among what they brought


def test_the_whole_region_is_never_listed():
    client = region()
    machines.lookup(client, [f"node{number}" for number in range(1200)])
    assert len(client.calls) <= 4
    assert all("hostname" in data or "id" in data for name, params, data in client.calls)


def test_unknown_machines_are_all_named():
    with pytest.raises(MaasError, match="knows no machine b, c"):
        machines.require(region(machine("aaaaaa", "a")), ["a", "b", "c"])


# Declaring


def entry(**given):
    return {"hostname": "compute0", "mac_addresses": [MAC_A], "power_type": "ipmi", "power_parameters": BMC, **given}


def test_a_new_machine_is_created_without_commissioning():
    client = region()
    before, after, found, created, changed = machines.declare(client, [entry(tags=["compute"])])
    name, params, form = client.writes()[0]
    assert name == "Machines.create"
    assert form["commission"] is False
    assert form["mac_addresses"] == [MAC_A]
    assert json.loads(form["power_parameters"]) == BMC
    assert (created, changed) == (["compute0"], [])
    assert "s3cret" not in json.dumps([before, after])
    assert [call[0] for call in client.writes()[1:]] == ["Tags.create", "Tag.update_nodes"]


def test_check_mode_creates_nothing_and_says_what_it_would():
    client = region(read_only=True)
    _before, after, found, created, _changed = machines.declare(client, [entry()])
    assert created == ["compute0"]
    assert after["compute0"]["power_parameters_power_pass"] == machines.HIDDEN
    assert found[0]["hostname"] == "compute0"
    assert machines.summary(found[0])["status"] == "New"
    assert client.writes() == []


def test_second_run_is_quiet():
    known = machine("aaaaaa", "compute0", macs=[MAC_A], power_type="ipmi")
    client = region(known, power={"aaaaaa": {**BMC, "cipher_suite_id": "3", "workaround_flags": ["opensesspriv"]}})
    assert machines.declare(client, [entry(mac_addresses=[MAC_A.upper().replace(":", "-")], architecture="amd64")])[3:] == ([], [])
    assert client.writes() == []


def test_an_enlisted_machine_is_adopted_by_mac_and_renamed():
    client = region(machine("aaaaaa", "quick-fox", macs=[MAC_A, MAC_B], power_type=""))
    before, after, _found, created, changed = machines.declare(client, [entry(tags=["compute"])])
    assert (created, changed) == ([], ["compute0"])
    name, params, form = client.writes()[0]
    assert (name, params) == ("Machine.update", {"system_id": "aaaaaa"})
    assert form == {"hostname": "compute0", "power_type": "ipmi", **{f"power_parameters_{key}": value for key, value in BMC.items()}}
    assert before["compute0"]["hostname"] == "quick-fox"
    assert after["compute0"]["power_parameters_power_pass"] == machines.HIDDEN


def test_only_the_changed_power_parameter_is_sent():
    client = region(machine("aaaaaa", "compute0", macs=[MAC_A], power_type="ipmi"), power={"aaaaaa": {**BMC, "power_pass": "old"}})
    before, _after, *_rest = machines.declare(client, [entry()])
    assert client.writes() == [("Machine.update", {"system_id": "aaaaaa"}, {"power_parameters_power_pass": "s3cret"})]
    assert before == {"compute0": {"power_parameters_power_pass": machines.HIDDEN}}


@pytest.mark.parametrize(("known", "sent"), [("", "manual"), ("ipmi", None), ("manual", None)])
def test_a_machine_whose_power_nobody_knows_is_switched_by_hand(known, sent):
    client = region(machine("aaaaaa", "a", macs=[MAC_A], power_type=known))
    changed = machines.declare(client, [{"hostname": "a", "mac_addresses": [MAC_A], "default_power_type": "manual"}])[-1]
    assert client.writes() == ([("Machine.update", {"system_id": "aaaaaa"}, {"power_type": sent})] if sent else [])
    assert changed == (["a"] if sent else [])


def test_a_new_machine_without_a_power_type():
    for read_only in (False, True):
        client = region(read_only=read_only)
        _before, after, found, *_rest = machines.declare(client, [{"hostname": "a", "mac_addresses": [MAC_A], "default_power_type": "manual"}])
        assert (after["a"]["power_type"], found[0]["power_type"]) == ("manual", "manual")
        assert "default_power_type" not in after["a"]


def test_it_was_enlisted_while_we_declared_it():
    late = machine("aaaaaa", "quick-fox", macs=[MAC_A])
    asked = []

    def read(params, data):
        asked.append(data)
        return [late] if len(asked) > 2 else []

    def create(params, data):
        raise ApiError("in use", 400, body={"mac_addresses": [f"MAC address {MAC_A} already in use on quick-fox."]})

    client = region(late, **{"Machines.read": read, "Machines.create": create})
    assert machines.declare(client, [entry()])[3:] == ([], ["compute0"])
    assert client.writes()[-1][0] == "Machine.update"


@pytest.mark.parametrize(
    ("entries", "known", "told"),
    [
        ([entry(), entry(hostname="b")], [], "is also given to entry 1"),
        ([entry(), entry(mac_addresses=[MAC_B])], [], "hostname compute0 is given twice"),
        ([{"architecture": "amd64"}], [], "entry 1 has neither"),
        ([entry(mac_addresses=["zz"])], [], "'zz' is no MAC address"),
        ([entry()], [machine("aaaaaa", "x", macs=[MAC_A]), machine("bbbbbb", "compute0", macs=[MAC_B])], "another one, bbbbbb, has that hostname"),
        ([entry()], [machine("bbbbbb", "compute0", macs=[MAC_B])], "none of those given"),
        ([entry(mac_addresses=[MAC_A, MAC_B])], [machine("aaaaaa", "x", macs=[MAC_A]), machine("bbbbbb", "y", macs=[MAC_B])], "different machines"),
        ([entry(hostname="a"), {"system_id": "aaaaaa"}], [machine("aaaaaa", "x", macs=[MAC_A])], "are the same machine"),
        ([{"system_id": "zzzzzz"}], [], "no machine with system_id zzzzzz"),
        ([{"hostname": "compute0"}], [], "without mac_addresses"),
    ],
)
def test_contradictions_are_errors_before_any_write(entries, known, told):
    client = region(*known)
    with pytest.raises(MaasError, match=told):
        machines.declare(client, entries)
    assert client.writes() == []


def test_mistakes_are_told_together():
    with pytest.raises(MaasError) as caught:
        machines.check_entries([entry(mac_addresses=["zz"]), entry(mac_addresses=["yy"])])
    assert len(caught.value.result["problems"]) == 3


def test_a_machine_in_use_is_not_deleted_without_force():
    client = region(machine("aaaaaa", "compute0", 6, macs=[MAC_A]))
    with pytest.raises(MaasError, match=r"compute0 \(Deployed\)"):
        machines.remove(client, [entry()])
    machines.remove(client, [entry()], force=True)
    assert client.writes() == [("Machine.delete", {"system_id": "aaaaaa"}, {})]


def test_a_locked_machine_is_unlocked_before_it_is_deleted():
    known = [machine("aaaaaa", "compute0", 6, macs=[MAC_A], locked=True), machine("bbbbbb", "compute1", 6, macs=[MAC_B])]
    entries = [entry(), {"hostname": "compute1"}]
    client = region(*known, **{"Machine.unlock": known[0]})
    with pytest.raises(MaasError, match=r"compute0 \(locked\), compute1 \(Deployed\)"):
        machines.remove(client, entries)
    assert len(machines.remove(client, entries, force=True)) == 2
    assert [(name, params["system_id"]) for name, params, data in client.writes()] == [
        ("Machine.unlock", "aaaaaa"),
        ("Machine.delete", "aaaaaa"),
        ("Machine.delete", "bbbbbb"),
    ]
    client = region(*known, read_only=True)
    assert len(machines.remove(client, entries, force=True)) == 2
    assert client.writes() == []


def test_every_secret_of_a_power_driver_is_no_log():
    options = machines.power_options()
    assert {name for name, spec in options.items() if spec["no_log"]} == set(machines.POWER_SECRETS)


# From status to status


def test_every_status_has_an_answer_for_every_state():
    for state in transitions.STATES:
        for number in states.STATUS:
            step = transitions.plan(state, machine("aaaaaa", "a", number))
            assert (
                step.ops
                or step.wait
                or step.alone
                or step.refuse
                or states.NAMES[number] in states.GOALS.get(state, ())
                or state in ("locked", "unlocked", "released")
            )


# operation x status of a real region: in these statuses the operation is accepted.
ACCEPTED = {
    "commission": {0, 2, 4, 8},
    "abort": {1, 9, 14, 21},
    "deploy": {4, 10},
    "allocate": {4},
    "release": {4, 5, 6, 8, 9, 10, 11, 12, 13, 15},
    "mark_fixed": {8},
    "lock": {6, 9},
    "rescue_mode": {0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 15, 17, 18, 22},
    "exit_rescue_mode": {16, 17, 18, 19, 20},
    "test": {0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 15, 16, 18, 20, 22},
    "override_failed_testing": {22},
}


def test_no_operation_is_planned_that_a_region_would_refuse():
    for state in transitions.STATES:
        for number in states.STATUS:
            for options in ({}, {"fix_broken": True, "override_failed_testing": True, "redeploy": True, "force": True}):
                step = transitions.plan(state, machine("aaaaaa", "a", number), options)
                if step.ops and step.ops[0] in ACCEPTED:
                    assert number in ACCEPTED[step.ops[0]], (state, states.NAMES[number], step.ops)


@pytest.mark.parametrize(
    ("state", "status", "options", "ops"),
    [
        ("ready", "New", {}, ["commission"]),
        ("ready", "Failed testing", {}, ["test"]),
        ("ready", "Failed testing", {"override_failed_testing": True}, ["override_failed_testing"]),
        ("ready", "Broken", {"fix_broken": True}, ["commission"]),
        ("ready", "Ready", {"force": True}, ["commission"]),
        ("deployed", "Failed deployment", {"redeploy": True}, ["release", "deploy"]),
        ("broken", "Ready", {}, ["allocate", "mark_broken"]),
    ],
)
def test_operations(state, status, options, ops):
    number = next(n for n, name in states.NAMES.items() if name == status)
    assert transitions.plan(state, machine("aaaaaa", "a", number), options).ops == ops


def test_locked_machines_are_released_only_when_asked():
    locked = machine("aaaaaa", "a", 6, locked=True)
    assert "locked" in transitions.plan("released", locked).refuse
    assert transitions.plan("released", locked, {"unlock": True}).ops == ["unlock", "release"]
    assert transitions.plan("locked", locked).ops == []
    assert transitions.plan("unlocked", locked).ops == ["unlock"]


def test_a_failed_deployment_of_jujus_is_left_to_juju():
    """Otherwise the run that takes it out of the model would never come so far."""
    failed = machine("aaaaaa", "a", 11)
    assert "release it first" in transitions.plan("ready", failed).refuse
    step = transitions.plan("ready", {**failed, "owner_data": {"juju-model-uuid": "m", "juju-controller-uuid": "c"}})
    assert (step.alone, step.ops, step.wait, step.refuse) == ("Juju has it, and its deployment failed", [], False, None)


def test_forms_of_operations():
    params = {"enable_ssh": True, "skip_bmc_config": False, "testing_scripts": [], "commissioning_scripts": ["a", "b"], "erase": True}
    assert transitions.form_of("commission", params) == {"enable_ssh": 1, "commissioning_scripts": "a,b", "testing_scripts": "none"}
    assert transitions.form_of("release", params) == {"erase": True}


def test_the_bmcs_of_some_are_left_alone():
    client = region(machine("aaaaaa", "a", 0), machine("bbbbbb", "b", 0), **{"Machine.commission": lambda p, d: machine(p["system_id"], "x", 1)})
    transitions.bring(client, {"state": "ready", "machines": ["a", "b"], "wait": False, "skip_bmc_config_of": ["b", "c"]})
    assert [(params["system_id"], form) for name, params, form in client.writes()] == [("aaaaaa", {}), ("bbbbbb", {"skip_bmc_config": 1})]


def test_refusals_come_before_the_first_operation_and_all_together():
    known = [machine("aaaaaa", "a", 0), machine("bbbbbb", "b", 8), machine("cccccc", "c", 11)]
    client = region(*known, **{"Events.query": {"events": []}})
    with pytest.raises(MaasError) as caught:
        transitions.bring(client, {"state": "ready", "machines": ["a", "b", "c"], "wait": True, "wait_interval": 10})
    assert "b: it is Broken; repair it and set fix_broken to true" in str(caught.value)
    assert "c: it is Failed deployment; release it first" in str(caught.value)
    assert client.writes() == []


class Losing(FakeClient):
    """Loses the answer to every operation; what the machine is afterwards tells whether it was done."""

    def call(self, handler, action, params=None, data=None, what=None, settled=None, timeout=None):
        if action == "read":
            return super().call(handler, action, params, data, what, settled, timeout)
        found = settled()
        if found is None:
            raise LostAnswer("lost")
        return found


@pytest.mark.parametrize(
    ("op", "before", "after", "done"),
    [
        ("commission", 0, 1, True),
        ("commission", 0, 0, False),
        ("commission", 0, 4, True),
        # Ready before and Ready after: nothing was commissioned.
        ("commission", 4, 4, False),
        ("commission", 4, 21, True),
        ("abort", 1, 0, True),
        ("abort", 1, 1, False),
        ("abort", 1, 21, False),
        ("abort", 9, 10, True),
        ("abort", 14, 15, True),
    ],
)
def test_an_operation_whose_answer_is_lost_is_looked_at_not_repeated(op, before, after, done):
    client = Losing({"Machine.read": machine("aaaaaa", "a", after)})
    if done:
        assert transitions.operate(client, op, machine("aaaaaa", "a", before), {})["status"] == after
    else:
        with pytest.raises(LostAnswer):
            transitions.operate(client, op, machine("aaaaaa", "a", before), {})


@pytest.mark.parametrize(("before", "after", "done"), [(0, 1, True), (4, 4, False), (0, 0, False)])
def test_a_refused_commissioning_counts_only_when_the_region_commissions_by_itself(before, after, done):
    def refuse(params, data):
        raise ApiError("Select a valid choice", 400)

    client = FakeClient({"Machine.read": machine("aaaaaa", "a", after), "Machine.commission": refuse})
    if done:
        assert transitions.operate(client, "commission", machine("aaaaaa", "a", before), {})["status"] == after
    else:
        with pytest.raises(ApiError):
            transitions.operate(client, "commission", machine("aaaaaa", "a", before), {})


def test_status_names_of_all_spellings():
    assert {states.status_name(value) for value in ("ready", "Ready", "READY", 4, "4")} == {"Ready"}
    assert states.status_name("failed-commissioning") == "Failed commissioning"
    assert states.machine_status({"status": 77, "status_name": "Melting"}) == "Melting"
    assert len(states.STATUS) == 23
    assert all(re.fullmatch("[a-z_]+", constant) for constant in states.CONSTANTS.values())


# Interfaces

SUBNET = {"id": 1, "cidr": "10.42.0.0/16"}
AUTO = [{"mode": "auto", "subnet": SUBNET, "ip_address": None, "default_gateway": None}]


def bridge(**more):
    return {
        "id": 19,
        "name": "br-ex",
        "type": "bridge",
        "mac_address": MAC_A,
        "parents": ["eth0"],
        "params": {"bridge_type": "ovs", "bridge_stp": False, "bridge_fd": 15},
        "links": [{"id": 5, "mode": "auto", "subnet": SUBNET, "ip_address": None}],
        "tags": [],
        "vlan": {"id": 1},
        **more,
    }


def with_bridge(**more):
    found = machine("aaaaaa", "a", 4)
    found["interface_set"].append(bridge(**more))
    return found


WANTED = {"type": "bridge", "name": "br-ex", "parents": ["boot"], "bridge_type": "ovs"}


def test_a_bridge_over_the_boot_nic():
    found, steps = interfaces.plan(machine("aaaaaa", "a", 4), WANTED, AUTO)
    assert found is None
    assert steps.create == {"bridge_type": "ovs", "name": "br-ex", "parent": 10}
    assert steps.link == [{"mode": "AUTO", "subnet": 1}]


def test_a_bridge_that_is_there():
    assert not interfaces.plan(with_bridge(), WANTED, AUTO)[1]


@pytest.mark.parametrize(
    ("there", "links", "unlink", "link"),
    [
        ([{"id": 5, "mode": "link_up", "subnet": None}], AUTO, [], [{"mode": "AUTO", "subnet": 1}]),
        ([{"id": 5, "mode": "dhcp", "subnet": SUBNET}], AUTO, [5], [{"mode": "AUTO", "subnet": 1}]),
        ([{"id": 5, "mode": "auto", "subnet": SUBNET}, {"id": 6, "mode": "dhcp", "subnet": {"id": 2}}], AUTO, [6], []),
        ([{"id": 5, "mode": "auto", "subnet": SUBNET}], [], [5], []),
        ([{"id": 5, "mode": "link_up", "subnet": None}], [], [], []),
        (
            [{"id": 5, "mode": "static", "subnet": SUBNET, "ip_address": "10.42.0.7"}],
            [{"mode": "static", "subnet": SUBNET, "ip_address": "10.42.0.8"}],
            [5],
            [{"mode": "STATIC", "subnet": 1, "ip_address": "10.42.0.8"}],
        ),
        ([{"id": 5, "mode": "static", "subnet": SUBNET, "ip_address": "10.42.0.7"}], [{"mode": "static", "subnet": SUBNET, "ip_address": None}], [], []),
    ],
)
def test_links(there, links, unlink, link):
    steps = interfaces.plan(with_bridge(links=there), WANTED, links)[1]
    assert (steps.unlink, steps.link) == (unlink, link)


def test_a_bridge_of_another_kind_is_changed():
    steps = interfaces.plan(with_bridge(params={"bridge_type": "standard"}), WANTED, None)[1]
    assert steps.update == {"bridge_type": "ovs"}


def test_an_interface_of_another_type_is_told():
    with pytest.raises(MaasError, match="eth0 is a physical interface, not a bridge"):
        interfaces.plan(machine("aaaaaa", "a", 4), {**WANTED, "name": "eth0"})
    with pytest.raises(MaasError, match="has no interface 'eth7'; it has: eth0"):
        interfaces.plan(machine("aaaaaa", "a", 4), {**WANTED, "parents": ["eth7"]})


def test_interfaces_of_a_deployed_machine_are_refused_before_any_write():
    client = region(machine("aaaaaa", "a", 6), **{"Subnets.read": [SUBNET]})
    params = {**WANTED, "machines": ["a"], "state": "present", "links": [{"subnet": "10.42.0.0/16", "mode": "auto"}], "parent": "boot"}
    with pytest.raises(MaasError, match="a is Deployed"):
        interfaces.ensure(client, params)
    assert client.writes() == []


# Virtual machines


def test_disks_as_compose_takes_them():
    assert vmhosts.storage(vmhosts.normal_disks(["50", {"size": 20, "pool": "fast", "tags": ["ssd"]}])) == "root:50,disk1:20(fast,ssd)"
    with pytest.raises(MaasError, match="A disk has size"):
        vmhosts.normal_disks([{"sice": 5}])
    with pytest.raises(MaasError, match="no whole number of GB"):
        vmhosts.check_vms([{"hostname": "a", "disks": [{"size": "5G"}]}])


def test_addresses_of_lxd_compare():
    assert vmhosts.bare_address("https://10.0.0.1:8443/") == vmhosts.bare_address("10.0.0.1")


def places(*vms, **handlers):
    table = {
        "ResourcePools.read": [{"id": 0, "name": "default"}, {"id": 3, "name": "gold"}],
        "Zones.read": [{"id": 1, "name": "default"}],
        "Domains.read": [{"id": 0, "name": "maas"}],
    }
    return vmhosts.placed(FakeClient({**table, **handlers}), [{"hostname": f"vm{number}", "cores": 1, "memory": 2048, **vm} for number, vm in enumerate(vms)])


def test_places_are_composed_by_id():
    first, second = places({"pool": "gold", "domain": "maas"}, {"pool": "default"})
    assert vmhosts.compose_form(first) == {"hostname": "vm0", "cores": 1, "memory": 2048, "pool": 3, "domain": 0}
    assert vmhosts.compose_form(second)["pool"] == 0
    assert places({"pool": "3"})[0]["pool"] == 3
    # Who names none asks for none.
    assert places({}, **{"ResourcePools.read": lambda p, d: 1 / 0}) == [{"hostname": "vm0", "cores": 1, "memory": 2048}]


def test_unknown_places_are_told_all_together():
    with pytest.raises(MaasError) as caught:
        places({"pool": "golf"}, {"pool": "golf", "domain": "lab"})
    assert caught.value.result["problems"] == [
        "There is no resource pool 'golf', which vm0, vm1 would be in: use one that the region knows (default, gold), or create it with maas_resource_pool",
        "There is no domain 'lab', which vm1 would be in: use one that the region knows (maas)",
    ]
