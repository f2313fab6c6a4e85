"""Juju's world without a protocol: refusals, hooks over time, faults, actions, the thesis' bundle in the thesis' time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.engine import Clock, Engine
from lab.world.juju import bundles, charms, constraints
from lab.world.juju.errors import JujuError
from tests.support.juju_lab import CLOUD, CREDENTIAL, FakeWorld, JujuLab

THESIS = (Path(__file__).parents[3] / "bundles" / "thesis-jammy-2023.1.yaml").read_text()


class Lab(JujuLab):
    """The lab without its faces."""

    def __init__(self):
        super().__init__()
        self.controller = self.world.juju.controllers.ready("maas-controller", CLOUD, CREDENTIAL, "127.0.0.1")


@pytest.fixture
def lab():
    return Lab()


@pytest.fixture
def model(lab):
    return lab.model()


def deploy(lab, model, name, charm=None, units=1, channel="2023.1/stable", **more):
    found = charms.resolve(charm or name, channel, "22.04")
    return lab.world.juju.applications.deploy(model, name, found, "22.04", channel, num_units=units, **more)


# -- data ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", charms.names())
def test_every_charm_is_complete(lab, name):
    behaviour, ends = charms.behaviour(name), charms.endpoints(name)
    needs = behaviour.get("needs") or []
    wanted = list(needs) if isinstance(needs, list) else [e for group in needs.values() for e in group]
    wanted += [e for group in (behaviour.get("optional") or {}).values() for e in group]
    wanted += list(behaviour.get("hooks") or {}) + list(behaviour.get("offers") or {})
    wanted += [behaviour["cluster"]["peer"]] if "cluster" in behaviour else []
    assert set(wanted) <= set(ends), name
    durations = [behaviour["install"], *(behaviour.get("hooks") or {}).values()] + ([behaviour["cluster"]["takes"]] if "cluster" in behaviour else [])
    assert all(lab.engine.duration(d) > 0 for d in durations)
    for key, spec in charms.options(name).items():
        if "default" in spec:
            assert charms.coerce(name, key, spec["default"]) == spec["default"]
    assert charms.resolve(name)["revision"] > 0


def test_every_bundle_of_the_collection_names_what_its_charms_have():
    for path in sorted((Path(__file__).parents[3] / "bundles").glob("*.yaml")):
        bundle = bundles.documents(path.read_text())
        for spec in bundle["applications"].values():
            charm = charms.parse_url(spec["charm"])["name"]
            charms.resolve(charm, spec.get("channel"), charms.base_version(bundle.get("default-base") or bundle.get("series")))
            for key, value in (spec.get("options") or {}).items():
                charms.coerce(charm, key, value)
        changes, errors = bundles.changes(path.read_text())
        assert changes and not errors, path.name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ch:amd64/jammy/keystone-595", ("amd64", "jammy", "keystone", 595)),
        ("ch:amd64/mysql-router-200", ("amd64", None, "mysql-router", 200)),
        ("ch:keystone", (None, None, "keystone", None)),
        ("neutron-api-plugin-ovn", (None, None, "neutron-api-plugin-ovn", None)),
    ],
)
def test_charm_urls(text, parts):
    found = charms.parse_url(text)
    assert (found["arch"], found["series"], found["name"], found["revision"]) == parts


def test_channels():
    assert charms.resolve("keystone", "2023.1/stable", "22.04")["track"] == "2023.1"
    assert charms.resolve("keystone")["track"] == "yoga"
    with pytest.raises(JujuError, match="not found for channel"):
        charms.resolve("keystone", "2023.1/stable", "24.04")
    with pytest.raises(JujuError, match="not found for channel"):
        charms.resolve("keystone", "latest/stable")
    with pytest.raises(JujuError, match="not found"):
        charms.resolve("no-such-charm")


def test_options_have_types():
    assert charms.coerce("cinder", "glance-api-version", "2") == 2
    assert charms.coerce("neutron-api", "neutron-security-groups", "True") is True
    assert charms.coerce("cinder", "block-device", "None") == "None"
    for charm, key, value in (("cinder", "block-device", 2), ("cinder", "glance-api-version", "two"), ("neutron-api", "neutron-security-groups", "maybe")):
        with pytest.raises(JujuError, match=f'option "{key}" expected'):
            charms.coerce(charm, key, value)


def test_constraints():
    assert constraints.parse("mem=6G cores=4 root-disk=532G tags=a,b") == {"mem": 6144, "cores": 4, "root-disk": 544768, "tags": ["a", "b"]}
    assert constraints.text(constraints.parse("mem=6G cores=4")) == "cores=4 mem=6144M"
    with pytest.raises(JujuError, match="unknown constraint"):
        constraints.parse("memory=6G")


@pytest.mark.parametrize(
    ("bundle", "error"),
    [
        ("applications: {a: {charm: keystone, num_units: 1, to: ['7']}}", "machine not defined"),
        ("applications: {a: {charm: keystone, num_units: 1, to: ['lxd:b']}}", "non-existent application"),
        ("applications: {a: {charm: keystone}}\nrelations: [['a:x', 'b:y']]", "not defined in this bundle"),
        ("applications: {a: {charm: keystone}}\nmachines: {'0': {}}", "not referred to"),
        ("applications: {a: {charm: keystone, constraints: mem=x}}", "invalid constraints"),
        ("applications: [", "cannot read bundle YAML"),
    ],
)
def test_bundles_that_do_not_fit(bundle, error):
    changes, errors = bundles.changes(bundle)
    assert not changes and any(error in e for e in errors)


def test_plan_says_the_base_as_the_mode_wants():
    assert [c["args"].get("base") for c in bundles.changes(THESIS, "base")[0] if c["method"] == "addMachines"][0] == "ubuntu@22.04/stable"
    assert [c["args"].get("series") for c in bundles.changes(THESIS, "series")[0] if c["method"] == "addMachines"][0] == "jammy"


# -- refusals --------------------------------------------------------------------------------------------------------------
def test_applications_that_cannot_be(lab, model):
    deploy(lab, model, "keystone")
    for more, text in (
        ({"name": "keystone"}, "application already exists"),
        ({"name": "other", "charm": "keystone", "config": {"nope": 1}}, 'unknown option "nope"'),
        ({"name": "other", "charm": "keystone", "placement": [{"scope": "#", "directive": "9"}]}, "machine 9 not found"),
        ({"name": "Other", "charm": "keystone"}, "not valid"),
        ({"name": "router", "charm": "mysql-router", "channel": "8.0/stable"}, "subordinate application must be deployed without units"),
    ):
        with pytest.raises(JujuError, match=text):
            deploy(lab, model, **more)
    assert list(model["applications"]) == ["keystone"]


def test_relations_that_cannot_be(lab, model):
    for name in ("keystone", "glance", "nova-cloud-controller"):
        deploy(lab, model, name)
    deploy(lab, model, "rabbitmq-server", channel="3.9/stable")
    deploy(lab, model, "vault", channel="1.8/stable")
    add = lab.world.juju.relations.add
    assert add(model, ["glance", "keystone"])["key"] == "glance:identity-service keystone:identity-service"
    for texts, text in (
        (["glance:identity-service", "keystone:identity-service"], "already exists"),
        (["glance:nothing", "keystone"], 'application "glance" has no "nothing" relation'),
        (["glance:amqp", "keystone:identity-service"], "no relations found"),
        (["glance", "nobody"], 'application "nobody" not found'),
        (["nova-cloud-controller", "rabbitmq-server"], "ambiguous relation"),
        (["glance", "vault:shared-db"], "no relations found"),
    ):
        with pytest.raises(JujuError, match=text):
            add(model, texts)
    assert add(model, ["nova-cloud-controller:amqp", "rabbitmq-server:amqp"])


def test_subordinates_follow_their_principal(lab, model):
    juju = lab.world.juju
    deploy(lab, model, "keystone", units=2)
    deploy(lab, model, "router", "mysql-router", units=0, channel="8.0/stable")
    assert not juju.applications.units(model, "router")
    relation = juju.relations.add(model, ["router:shared-db", "keystone:shared-db"])
    lab.settle()
    assert [(u["name"], u["principal"]) for u in juju.applications.units(model, "router")] == [("router/0", "keystone/0"), ("router/1", "keystone/1")]
    juju.applications.remove_unit(model, "keystone/1")
    lab.settle()
    assert [u["name"] for u in juju.applications.units(model, "router")] == ["router/0"]
    assert list(model["machines"]) == ["0"]
    juju.relations.remove(model, relation)
    lab.settle()
    assert not juju.applications.units(model, "router")
    assert "router" in model["applications"]


# -- time ------------------------------------------------------------------------------------------------------------------
def test_a_unit_goes_through_its_states(lab, model):
    deploy(lab, model, "rabbitmq-server", channel="3.9/stable")
    lab.settle()
    seen = [(e["status"], e["message"]) for e in lab.engine.state["log"] if e["kind"] == "juju.status"]
    assert seen == [
        ("waiting", "installing agent"),
        ("waiting", "agent initialising"),
        ("maintenance", "installing charm software"),
        ("maintenance", "Installation complete"),
        ("active", "Unit is ready"),
    ]


def test_the_thesis_bundle_settles_before_vault_and_after(lab, model):
    for machine in lab.world.maas.machines():
        machine["tags"] = ["compute"]
    began = lab.engine.clock.now()
    machines = lab.deploy(model, THESIS)
    assert sorted(machines, key=int) == [str(n) for n in range(13)]
    lab.settle()
    minutes = (max(max(u["done"].values()) for u in model["units"].values()) - began) / 60
    assert 110 < minutes < 120
    statuses = lab.statuses(model)
    assert {s[2] for s in statuses.values()} == {"idle"}
    expected = {
        "vault/0": ("blocked", "Vault needs to be initialized"),
        "neutron-api-plugin-ovn/0": ("waiting", "'certificates' awaiting server certificate data, 'ovsdb-cms' incomplete"),
        **{f"ovn-central/{n}": ("waiting", "'ovsdb-peer' incomplete, 'certificates' awaiting server certificate data") for n in range(3)},
        **{f"ovn-chassis/{n}": ("waiting", "'certificates' awaiting server certificate data, 'ovsdb' incomplete") for n in range(2)},
    }
    assert {name: s[:2] for name, s in statuses.items() if s[0] != "active"} == expected
    began = lab.engine.clock.now()
    assert lab.open_vault(model).startswith("-----BEGIN CERTIFICATE-----")
    lab.settle()
    assert {s[0] for s in lab.statuses(model).values()} == {"active"}
    minutes = (max(max(u["done"].values()) for u in model["units"].values()) - began) / 60
    assert 19 < minutes < 23


def test_everything_survives_a_restart_of_the_lab(lab, model):
    deploy(lab, model, "keystone")
    lab.advance(400)
    state = json.loads(json.dumps(lab.engine.state))
    engine = Engine(Clock(start=lab.engine.clock.now(), speed=0))
    engine.state = state
    world = FakeWorld.__new__(FakeWorld)
    world.engine, world.effects, world.rack = engine, lab.world.effects, lab.world.rack
    world.maas = lab.world.maas
    world.maas.engine = engine
    engine.handler("fake.deployed", world.maas._deployed)
    from lab.world.juju import JujuWorld
    from lab.world.vault import VaultWorld

    world.juju, world.vault = JujuWorld(world), None
    world.vault = VaultWorld(world)
    lab.engine, lab.world = engine, world
    lab.settle()
    assert lab.statuses(engine.state["juju"]["models"][model["uuid"]])["keystone/0"][:2] == ("blocked", "Missing relations: database")


# -- faults ----------------------------------------------------------------------------------------------------------------
def test_a_failed_hook_is_an_error_until_it_is_tried_again(lab, model):
    model["config"]["automatically-retry-hooks"] = False
    lab.fault("hook_error", app="keystone", hook="install")
    deploy(lab, model, "keystone")
    lab.settle()
    assert lab.statuses(model)["keystone/0"] == ("error", 'hook failed: "install"', "idle")
    with pytest.raises(JujuError, match="not in an error state"):
        deploy(lab, model, "rabbitmq-server", channel="3.9/stable")
        lab.world.juju.applications.resolve(model, "rabbitmq-server/0", True)
    lab.world.juju.applications.resolve(model, "keystone/0", retry=True)
    lab.settle()
    assert lab.statuses(model)["keystone/0"][0] == "blocked"


def test_a_lost_agent_comes_back(lab, model):
    lab.fault("agent_lost", unit="keystone/0", hook="start", seconds=600)
    deploy(lab, model, "keystone")
    lab.advance(15 + 300 + 75 + 20 + lab.engine.duration("charm_install_api") + 60)
    assert lab.statuses(model)["keystone/0"][::2] == ("unknown", "lost")
    lab.settle()
    assert lab.statuses(model)["keystone/0"][::2] == ("blocked", "idle")


def test_bootstrap_and_its_failures(lab):
    juju = lab.world.juju
    lab.world.maas.add("juju-machine", tags=("juju",))
    lab.fault("bootstrap_cancelled", phase="deploy")
    juju.bootstrap("second", CLOUD, CREDENTIAL, constraints="tags=juju")
    lab.settle()
    state = juju.bootstrap_state("second")
    assert (state["state"], state["lines"][-1]) == ("failed", "ERROR failed to bootstrap model: cancelled")
    assert lab.world.maas.machine("juju-machine")["status"] == 4
    began = lab.engine.clock.now()
    juju.bootstrap("second", CLOUD, CREDENTIAL, constraints="tags=juju")
    with pytest.raises(JujuError, match="already exists"):
        juju.bootstrap("second", CLOUD, CREDENTIAL)
    lab.settle()
    state = juju.bootstrap_state("second")
    assert state["state"] == "done" and state["endpoint"].endswith(":17070") and state["ca_cert"].startswith("-----BEGIN")
    assert lab.engine.clock.now() - began == pytest.approx(lab.engine.duration("juju_bootstrap"), abs=20)
    juju.kill_controller("second")
    assert juju.bootstrap_state("second") is None and lab.world.maas.machine("juju-machine")["status"] == 4


def test_bootstrap_without_a_machine_or_a_key(lab):
    juju = lab.world.juju
    juju.bootstrap("third", CLOUD, CREDENTIAL, constraints="tags=nowhere")
    juju.bootstrap("fourth", CLOUD, {**CREDENTIAL, "attributes": {"maas-oauth": "a:b:c"}})
    lab.settle()
    assert "No available machine" in juju.bootstrap_state("third")["lines"][-1]
    assert "authentication failed" in juju.bootstrap_state("fourth")["lines"][-1]


# -- actions and the end ---------------------------------------------------------------------------------------------------
def test_actions(lab, model):
    deploy(lab, model, "keystone", units=2)
    lab.settle()
    assert lab.act(model, "keystone/leader", "get-admin-password")["output"] == {"password": lab.world.effects.openstack_password(), "return-code": 0}
    failed = lab.act(model, "keystone/1", "get-admin-password")
    assert failed["status"] == "failed" and "leader" in failed["message"]
    for receiver, name, parameters, text in (
        ("keystone/0", "nothing", {}, "not defined"),
        ("keystone/9", "pause", {}, "not found"),
        ("keystone/0", "pause", {"now": True}, "not allowed"),
    ):
        with pytest.raises(JujuError, match=text):
            lab.act(model, receiver, name, **parameters)
    lab.act(model, "keystone/0", "pause")
    assert lab.statuses(model)["keystone/0"][0] == "maintenance"
    lab.act(model, "keystone/0", "resume")
    assert lab.statuses(model)["keystone/0"][0] == "blocked"


def test_actions_about_hypervisors_say_what_the_charms_say(lab, model):
    deploy(lab, model, "nova-compute", units=2)
    deploy(lab, model, "nova-cloud-controller")
    lab.settle()
    addresses = {name: model["machines"][model["units"][name]["machine"]]["address"] for name in ("nova-compute/0", "nova-compute/1")}

    def cleared(**target):
        return lab.act(model, "nova-cloud-controller/leader", "clear-unit-knownhost-cache", **target)["output"]["units-updated"]

    assert cleared() == cleared(target="nova-compute") == str([{name: address} for name, address in addresses.items()])
    assert cleared(target="nova-compute/1") == str([{"nova-compute/1": addresses["nova-compute/1"]}])
    assert cleared(target="nothing") == "[]"
    lab.world.effects.compute_servers = lambda _hostname, done: done(2)
    assert lab.act(model, "nova-compute/1", "instance-count")["output"]["instance-count"] == "2"
    refused = lab.act(model, "nova-compute/1", "remove-from-cloud")
    assert refused["status"] == "failed"
    assert "still running VMs" in refused["message"]
    lab.world.effects.compute_servers = lambda _hostname, done: done(0)
    assert lab.act(model, "nova-compute/1", "remove-from-cloud")["status"] == "completed"
    assert lab.statuses(model)["nova-compute/1"][:2] == ("blocked", "Unit was removed from the cloud")
    # The next update-status writes that anew, and the action does not work twice.
    lab.settle()
    assert lab.statuses(model)["nova-compute/1"][:2] == ("blocked", "Services not running that should be: nova-compute")
    for name in ("remove-from-cloud", "instance-count"):
        again = lab.act(model, "nova-compute/1", name)
        assert again["status"] == "failed" and "not found in the list of hypervisors" in again["message"]


def test_a_database_without_power_names_the_unit_to_start_with(lab, model):
    deploy(lab, model, "mysql-innodb-cluster", units=3, channel="8.0/stable")
    lab.settle()
    assert "R/W" in lab.statuses(model)["mysql-innodb-cluster/0"][1]
    model["applications"]["mysql-innodb-cluster"]["state"]["outage"] = "mysql-innodb-cluster/2"
    wrong = lab.act(model, "mysql-innodb-cluster/leader", "reboot-cluster-from-complete-outage")
    address = model["machines"][model["units"]["mysql-innodb-cluster/2"]["machine"]]["address"]
    assert wrong["status"] == "failed" and f"'{address}:3306'" in wrong["output"]["output"] and address not in wrong["message"]
    assert lab.act(model, "mysql-innodb-cluster/2", "reboot-cluster-from-complete-outage")["status"] == "completed"
    assert lab.statuses(model)["mysql-innodb-cluster/0"][0] == "active"


def test_a_destroyed_model_gives_its_machines_back(lab, model):
    told = []
    lab.world.juju.on_unit_change(lambda uuid, unit: told.append((unit["name"], unit["life"])))
    lab.deploy(model, THESIS.replace("tags=compute", "mem=4G"))
    lab.settle()
    lab.world.juju.models.destroy(model)
    lab.settle()
    assert model["uuid"] not in lab.world.juju.state["models"]
    assert {m["status"] for m in lab.world.maas.machines()} == {4}
    assert ("keystone/0", "dead") in told


def test_a_power_cut_seals_vault_and_stops_the_database(lab, model):
    deploy(lab, model, "mysql-innodb-cluster", units=3, channel="8.0/stable")
    deploy(lab, model, "vault", channel="1.8/stable")
    lab.settle()
    lab.open_vault(model)
    assert lab.statuses(model)["vault/0"][0] == "active"
    hosts = [m["hostname"] for m in model["machines"].values()]
    for host in hosts:
        lab.world.juju.machines.power(host, "off")
    assert {s[::2] for s in lab.statuses(model).values()} == {("unknown", "lost")}
    for host in hosts:
        lab.world.juju.machines.power(host, "on")
    lab.settle()
    statuses = lab.statuses(model)
    assert statuses["vault/0"][:2] == ("blocked", "Unit is sealed")
    assert statuses["mysql-innodb-cluster/1"][1].startswith("Cluster is inaccessible")
    assert lab.act(model, "mysql-innodb-cluster/2", "reboot-cluster-from-complete-outage")["status"] == "completed"
    assert lab.statuses(model)["mysql-innodb-cluster/1"][0] == "active"


def test_vault_gives_up_where_its_database_is_away_and_only_its_charm_starts_it_again(lab, model):
    """charm-vault, src/templates/vault.service.j2: Restart=always, which ends after five quick exits."""
    deploy(lab, model, "mysql-innodb-cluster", units=3, channel="8.0/stable")
    deploy(lab, model, "vault-mysql-router", "mysql-router", units=0, channel="8.0/stable")
    deploy(lab, model, "vault", channel="1.8/stable")
    for ends in (["vault-mysql-router:db-router", "mysql-innodb-cluster:db-router"], ["vault:shared-db", "vault-mysql-router:shared-db"]):
        lab.world.juju.relations.add(model, ends)
    lab.settle()
    lab.open_vault(model)
    machines = lab.world.juju.machines
    alone = model["machines"][model["units"]["vault/0"]["machine"]]["hostname"]
    machines.power(alone, "off")
    assert not lab.world.vault.serving()
    machines.power(alone, "on")
    lab.settle()
    assert lab.statuses(model)["vault/0"][:2] == ("blocked", "Unit is sealed") and lab.world.vault.serving()

    hosts = [m["hostname"] for m in model["machines"].values()]
    for state in ("off", "on"):
        for host in hosts:
            machines.power(host, state)
    lab.settle()
    stopped = ("blocked", "Vault service not running")
    assert lab.statuses(model)["vault/0"][:2] == stopped and not lab.world.vault.serving()
    assert lab.act(model, "vault/0", "restart")["status"] == "completed"
    assert lab.statuses(model)["vault/0"][:2] == stopped, "its database is still away"
    newest = model["applications"]["mysql-innodb-cluster"]["state"]["outage"]
    assert lab.act(model, newest, "reboot-cluster-from-complete-outage")["status"] == "completed"
    lab.settle()
    assert lab.statuses(model)["vault/0"][:2] == stopped, "nothing starts it"
    lab.act(model, "vault/0", "restart")
    assert lab.statuses(model)["vault/0"][:2] == ("blocked", "Unit is sealed") and lab.world.vault.serving()
