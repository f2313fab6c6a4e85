"""The reckoning of `make bench-site`: operations from a log, the longest chain, what nobody waited for. The benchmark itself needs a lab with hosts."""

from __future__ import annotations

import pytest

from benchmarks import overlap, sequence, site
from benchmarks.overlap import Operation

SECONDS = {
    "snap_install_maas": 50, "snap_install_juju": 150, "maas_init": 100, "maas_http_ready": 10, "maas_rack_ready": 20, "vm_host_create": 30,
    "juju_machine_request": 15, "juju_agent_start": 75, "juju_unit_agent": 20, "charm_start": 25,
    "install": 600, "database": 400, "charm_tls": 180, "charm_hook": 8,
    "juju_action": 3, "juju_action_long": 20,
}  # fmt: skip
VAULT = {"install": "install", "hooks": {"shared-db": "database", "certificates": "charm_tls"}}


KEYSTONE = {"install": "install", "hooks": {"shared-db": "database"}, "offers": {"identity-service": "ready"}}
ROUTER = {"install": "install", "offers": {"shared-db": ["db-router"]}}
CHARMS = {"vault": VAULT, "keystone": KEYSTONE, "router": ROUTER}


def seconds(name: str) -> float:
    return SECONDS[name]


def behaviour(application: str) -> dict:
    return CHARMS.get(application, {})


def entry(at: float, kind: str, **what: object) -> dict:
    return {"at": at, "kind": kind, **what}


def status(at: float, machine: str, name: str) -> dict:
    return entry(at, "status", machine=machine, status=name)


# A build by somebody slow: maas init 10 s late, the VM 107 s after the images, the bootstrap 40 s after the VM, Vault 90 s after it asked.
LOG = [
    entry(1050, "snap_install", snap="maas"),
    entry(1160, "maas_init", fresh=True),
    entry(1170, "region", state="up"),
    entry(1190, "region", state="rack connected"),
    entry(1190, "import", state="started"),
    entry(1300, "vm_host", name="lxd", state="ready"),
    entry(1440, "import", state="finished"),
    entry(1500, "snap_install", snap="juju"),
    entry(1547, "machine", machine="juju-machine", state="composed"),
    status(1607, "juju-machine", "Commissioning"),
    status(1847, "juju-machine", "Ready"),
    entry(1887, "juju.bootstrap", controller="c"),
    status(1888, "juju-machine", "Deploying"),
    status(2188, "juju-machine", "Deployed"),
    entry(3097, "juju.bootstrapped", controller="c"),
    entry(3117, "juju.machine", machine="0"),
    status(3117, "os-0", "Deploying"),
    status(3417, "os-0", "Deployed"),
    entry(3492, "juju.machine_started", machine="0"),
    entry(3512, "juju.step", unit="vault/0", step="agent"),
    entry(4112, "juju.step", unit="vault/0", step="install"),
    entry(4137, "juju.step", unit="vault/0", step="start"),
    entry(4537, "juju.step", unit="vault/0", step="changed:shared-db:3@1"),
    entry(4627, "vault.initialized", application="vault"),
    entry(4630, "vault.unsealed", unit="vault/0"),
    entry(4633, "juju.action", unit="vault/0", action="get-root-ca", status="failed"),
    entry(4640, "juju.action", unit="vault/0", action="authorize-charm", status="completed"),
    entry(4660, "juju.action", unit="vault/0", action="generate-root-ca", status="completed"),
    entry(4840, "juju.step", unit="vault/0", step="changed:certificates:5@1"),
]


@pytest.fixture
def found() -> list[Operation]:
    return overlap.operations(LOG, seconds, behaviour)


def needs(found: list[Operation]) -> dict[str, set[str]]:
    return {operation.name: operation.needs for operation in found}


def test_what_the_lab_begins_by_itself_needs_what_ended_just_then(found):
    read = needs(found)
    assert read["start the region"] == {"maas init"} and read["connect the rack"] == {"start the region"}
    assert read["agent of machine 0"] == {"deploy os-0"}
    assert read["vault/0 agent"] == {"agent of machine 0"} and read["vault/0 install"] == {"vault/0 agent"}
    assert read["vault/0 changed:certificates:5@1"] == {"action generate-root-ca"}


def test_what_somebody_begins_needs_what_the_table_says(found):
    read = needs(found)
    assert read["snap juju"] == set() and read["maas init"] == {"snap maas"}
    assert read["compose juju-machine"] == {"VM host"}
    assert read["commission juju-machine"] == {"import the images", "compose juju-machine"}
    assert read["bootstrap"] == {"snap juju", "commission juju-machine"}
    assert read["request machine 0"] == {"bootstrap"}
    assert read["initialise Vault"] == {"vault/0 changed:shared-db:3@1"}
    assert "action get-root-ca" not in read


def test_the_longest_chain_leaves_out_what_was_late(found):
    seconds, chain = overlap.longest_chain(found)
    assert chain[:7] == ["snap maas", "maas init", "start the region", "connect the rack", "import the images", "commission juju-machine", "bootstrap"]
    assert chain[-1] == "vault/0 changed:certificates:5@1"
    # Region and images; the VM and the bootstrap; machine, agent and unit; Vault's actions and the certificate.
    assert seconds == pytest.approx(50 + 100 + 30 + 250 + 240 + 1210 + 15 + 300 + 75 + 20 + 600 + 25 + 400 + 3 + 20 + 180)
    lost = overlap.late(found, chain)
    assert lost["maas init"] == pytest.approx(10) and lost["bootstrap"] == pytest.approx(40) and lost["initialise Vault"] == pytest.approx(90)
    assert sum(lost.values()) + seconds == pytest.approx(4840 - 1000)


def test_a_hook_after_an_idle_time_needs_what_ended_just_then():
    log = [
        entry(25, "juju.step", unit="a/0", step="start"),
        entry(125, "juju.step", unit="b/0", step="start"),
        entry(133, "juju.step", unit="a/0", step="joined:x:1@1"),
        entry(141, "juju.step", unit="a/0", step="changed:x:1@1"),
    ]
    read = needs(overlap.operations(log, seconds, behaviour))
    assert read["a/0 joined:x:1@1"] == {"b/0 start"}
    assert read["a/0 changed:x:1@1"] == {"a/0 joined:x:1@1"}


def test_a_hook_needs_what_the_other_side_gives_even_if_the_unit_was_busy_then():
    log = [
        entry(0, "juju.relation", id=1, key="glance:identity-service keystone:identity-service"),
        entry(0, "juju.relation", id=2, key="keystone:shared-db router:shared-db"),
        entry(100, "juju.step", unit="router/0", step="changed:db-router:3@1"),
        entry(500, "juju.step", unit="keystone/0", step="changed:shared-db:2@1"),
        entry(500, "juju.status", unit="keystone/0", status="active"),
        entry(508, "juju.step", unit="glance/0", step="joined:image-service:9@1"),
        entry(516, "juju.step", unit="glance/0", step="changed:identity-service:1@1"),
        entry(680, "juju.step", unit="keystone/0", step="changed:certificates:4@1"),
        entry(688, "juju.step", unit="glance/0", step="changed:identity-service:1@2"),
    ]
    read = needs(overlap.operations(log, seconds, behaviour))
    assert read["keystone/0 changed:shared-db:2@1"] == {"router/0 changed:db-router:3@1"}
    assert read["glance/0 changed:identity-service:1@1"] == {"glance/0 joined:image-service:9@1", "keystone/0 changed:shared-db:2@1"}
    assert "keystone/0 changed:certificates:4@1" in read["glance/0 changed:identity-service:1@2"]


@pytest.mark.parametrize(
    ("step", "name"),
    [("agent", "juju_unit_agent"), ("install", "install"), ("joined:shared-db:3@1", "charm_hook"), ("changed:shared-db:3@2", "database"),
     ("changed:other:4@1", "charm_hook"), ("config@2", "charm_config")],
)  # fmt: skip
def test_steps_have_the_durations_of_their_charm(step, name):
    assert overlap.hook_duration(step, VAULT) == name


def test_idle_is_what_no_operation_covers():
    found = [Operation("a", 10, 20), Operation("b", 15, 30), Operation("c", 40, 50)]
    assert overlap.idle(found, 0, 60) == [(0, 10), (30, 40), (50, 60)]
    assert overlap.idle(found, 12, 45) == [(30, 40)]
    assert overlap.idle([], 0, 5) == [(0, 5)]


def test_tasks_share_the_idle_time_by_name():
    tasks = [("x", 5, 15), ("y", 15, 35), ("x", 35, 60)]
    assert overlap.spent(tasks, [(0, 10), (30, 40)]) == {"x": 10, "y": 5}


def test_a_bundle_without_its_bare_metal_has_neither_its_machines_nor_its_relations():
    whole = {
        "applications": {"nova-compute": {"to": ["1"]}, "glance": {"to": ["0"]}, "ovn-chassis": {}},
        "machines": {"0": {}, "1": {}},
        "relations": [["nova-compute:image-service", "glance:image-service"], ["glance:amqp", "rabbitmq:amqp"]],
    }
    assert sequence.without(whole, sequence.METAL) == {
        "applications": {"glance": {"to": ["0"]}}, "machines": {"0": {}}, "relations": [["glance:amqp", "rabbitmq:amqp"]],
    }  # fmt: skip
    assert sequence.without(whole, relations=sequence.METAL)["applications"] == whole["applications"]


def test_every_step_of_the_script_is_one_of_table_1():
    table = sequence.yaml.safe_load(sequence.TABLE.read_text())["steps"]
    assert not set(sequence.STEPS) - set(table)


def test_a_rack_of_a_hundred_has_as_many_addresses_and_an_inventory():
    rack = site.rack_of(100)
    assert len({m["bmc"]["address"] for m in rack["machines"]}) == len({m["nics"][0]["mac"] for m in rack["machines"]}) == 100
    hosts = site.inventory_of(rack, 3)["all"]["children"]["compute"]["hosts"]
    assert list(hosts) == ["compute0", "compute1", "compute2"]
    assert hosts["compute2"]["bmc"] == {"type": "ipmi", "address": "10.42.0.22", "user": "root", "password": rack["machines"][0]["bmc"]["password"]}


def test_tasks_are_counted_by_the_recap():
    recap = "PLAY RECAP ***\ncontroller0                : ok=224  changed=0    unreachable=0    failed=0    skipped=79\n"
    assert site.tasks_run(f"TASK [x : ok=3]\n{recap}") == 224


def test_both_ratios_are_without_the_overhead():
    run = {"site_s": 11000.0, "overhead_s": 1000.0, "bound_s": 9800.0}
    rerun = {"3": {"seconds": 60.0, "tasks": 150, "requests": {"maas": 40, "juju": 8}}}
    result = site.summary({"a": 10000.0, "b": 4000.0}, run, rerun)
    assert result == {
        "sequence_s": 14000, "site_s": 11000, "bound_s": 9800, "ratio_sequence": 0.714, "ratio_bound": 1.02, "overhead_s": 1000,
        "rerun": {"3": {"seconds": 60.0, "tasks": 150, "requests": 48}},
    }  # fmt: skip
    assert site.missed(result) == []
    assert site.missed({**result, "ratio_bound": 1.06}) == ["ratio_bound is 1.06, the goal is 1.05"]
