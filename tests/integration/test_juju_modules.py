"""The juju_* and vault_* modules against the lab's controller and Vault: check, run, run again, and what an independent look shows.

The looks are libjuju's own Model and the lab's world, neither of which the modules use.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import hvac
import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.vault.keys import KeysFile

from tests.support.juju_lab import API_KEY, CLOUD, CREDENTIAL, JujuLabThread
from tests.support.run_module import run_module

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = {name: ROOT / "bundles" / f"{name}.yaml" for name in ("thesis-jammy-2023.1", "jammy-2024.1")}
# What these facades do changes something; everything else only reads.
READS = {
    "Login",
    "Ping",
    "FullStatus",
    "Get",
    "ModelGet",
    "ModelInfo",
    "ListModelSummaries",
    "CharmInfo",
    "ResolveCharms",
    "Clouds",
    "Actions",
    "ListOperations",
    "GetModelConstraints",
    "ControllerAPIInfoForModels",
    "CredentialContents",
    "Stop",
    "Next",
    "WatchAll",
    "GetCharmURLOrigin",
    "ListResources",
    "ListModels",
    "ApplicationsInfo",
    "Leader",
    "ModelStatus",
}
BEFORE_VAULT = [
    {"application": "vault", "workload": ["blocked"], "matches": "needs to be initialized"},
    {"workload": ["waiting", "blocked"], "matches": "certificates"},
]


class Site:
    """A lab, and modules that speak to it."""

    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder
        self.connection = {"endpoint": [lab.endpoint], "username": lab.username, "password": lab.password, "ca_cert": lab.ca_cert}
        for number in range(2):
            lab.call(lambda host: lab.world.maas.machine(host).update(tags=["compute"]), f"compute{number}")

    def module(self, name, /, check=False, model="openstack", **options):
        given = {**self.connection, **({"model": model} if model else {}), **options}
        answer = run_module(name, given, self.folder, check=check)
        assert self.lab.password not in answer.text, "the password is in the output"
        return answer

    def good(self, name, /, **options):
        answer = self.module(name, **options)
        assert not answer.failed, answer.get("msg")
        return answer

    def writes(self):
        return {name: count for name, count in self.lab.requests.items() if name.partition(".")[2] not in READS}

    def three(self, name, /, **options):
        """Check sends no write, the run changes, the next one does not. Returns the answers."""
        before = self.writes()
        checked = self.good(name, check=True, **options)
        assert self.writes() == before, "check mode wrote"
        ran = self.good(name, **options)
        between = self.writes()
        again = self.good(name, **options)
        assert (checked["changed"], ran["changed"], again["changed"]) == (True, True, False)
        assert self.writes() == between, "the second run wrote"
        return checked, ran, again

    def look(self, function, model="openstack"):
        """function(juju.model.Model) by libjuju itself."""
        from juju.controller import Controller

        async def inside():
            controller = Controller()
            await controller.connect(endpoint=self.lab.endpoint, username=self.lab.username, password=self.lab.password, cacert=self.lab.ca_cert)
            try:
                found = await asyncio.wait_for(controller.get_model(model), 20)
                try:
                    result = function(found)
                    return await result if asyncio.iscoroutine(result) else result
                finally:
                    await found.disconnect()
            finally:
                await controller.disconnect()

        return asyncio.run(inside())


@pytest.fixture
def site(tmp_path):
    with JujuLabThread(speed=0) as lab:
        yield Site(lab, tmp_path)


@pytest.fixture
def model(site):
    site.lab.call(site.lab.model, "openstack")
    return site


def test_juju_model(site):
    options = {
        "name": "openstack",
        "cloud": CLOUD["name"],
        "credential": CREDENTIAL["name"],
        "model": None,
        "config": {"default-base": "ubuntu@22.04/stable", "authorized-keys": "ssh-ed25519 AAAA ops"},
    }
    _, ran, _ = site.three("juju_model", **options)
    assert ran["diff"]["after"]["config"] == {"default-base": "ubuntu@22.04/stable"}
    assert site.look(lambda found: found.info.uuid) == ran["model"]["uuid"]
    changed = {**options, "config": {"update-status-hook-interval": "9m"}}
    site.three("juju_model", **changed)
    assert site.look(lambda found: found.get_config())["update-status-hook-interval"].value == "9m"
    _, gone, again = site.three("juju_model", name="openstack", state="absent", model=None, destroy_storage=True, wait=False)
    site.lab.call(site.lab.settle)
    assert "openstack" not in {about["name"] for about in site.lab.world.juju.models.all.values()}


def test_juju_model_waits_until_it_is_gone(tmp_path):
    with JujuLabThread(speed=600) as lab:
        site = Site(lab, tmp_path)
        lab.call(lab.model, "openstack")
        answer = site.good("juju_model", name="openstack", state="absent", model=None, wait_interval=0.5, wait_timeout=60)
        assert answer["changed"] and answer["rungs"] == ["gracefully"]
        assert not site.good("juju_model", name="openstack", state="absent", model=None)["changed"]


def test_credential_and_cloud_on_the_controller(site):
    cloud = {"name": "second", "cloud_endpoint": "http://127.0.0.1:5241/MAAS", "scope": "controller", "model": None}
    site.three("juju_cloud", **cloud)
    credential = {"cloud": "second", "name": "ops", "maas_oauth": "a:b:c", "scope": "controller", "model": None}
    _, ran, _ = site.three("juju_credential", **credential)
    assert "a:b:c" not in ran.text
    site.three("juju_credential", **{**credential, "maas_oauth": "x:y:z"})
    site.three("juju_credential", **{**credential, "state": "absent"})
    site.three("juju_cloud", **{**cloud, "state": "absent"})


@pytest.mark.parametrize("name", BUNDLES)
def test_juju_bundle(model, name):
    content = yaml.safe_load(BUNDLES[name].read_text())
    spare = [row["system_id"] for row in (model.lab.call(model.lab.world.maas.add, f"os-{number}", 4, 6144) for number in range(11))]
    mapped = {str(number): system_id for number, system_id in enumerate(spare)}
    checked, ran, _ = model.three("juju_bundle", bundle=str(BUNDLES[name]), machine_map=mapped)
    assert checked["plan"] == ran["plan"] and len(ran["plan"]) == 114
    assert checked["diff"]["after"].splitlines()[0].lstrip().startswith("1. fetch charm")
    model.lab.call(model.lab.settle)

    async def seen(found):
        config = {application: await found.applications[application].get_config() for application in ("cinder", "nova-compute")}
        return {
            "applications": set(found.applications),
            "machines": {number: machine.safe_data["instance-id"] for number, machine in found.machines.items()},
            "relations": len(found.relations),
            "units": {unit.name: unit.machine.id for unit in found.units.values()},
            "none": config["cinder"]["block-device"]["value"],
            "live": config["nova-compute"]["enable-live-migration"]["value"],
        }

    found = model.look(seen)
    assert found["applications"] == set(content["applications"])
    assert found["relations"] >= len(content["relations"])
    assert {found["machines"][number] for number in found["machines"]} >= set(spare)
    assert found["machines"][ran["machines"]["4"]] == mapped["4"] and found["units"]["keystone/0"] == ran["machines"]["4"]
    assert (found["none"], found["live"]) == ("None", True)
    again = model.good("juju_bundle", bundle=str(BUNDLES[name]), machine_map=mapped)
    assert not again["changed"] and again["notes"] == []


def test_juju_bundle_from_a_dictionary_with_an_overlay_and_bad_input(model):
    content = yaml.safe_load(BUNDLES["jammy-2024.1"].read_text())
    overlay = {"applications": {"keystone": {"options": {"no-such-option": 1}}}}
    answer = model.module("juju_bundle", bundle=content, overlays=[overlay])
    assert answer.failed and any("no option 'no-such-option'" in text for text in answer["problems"])
    overlay = {"applications": {"glance": {"to": ["44"]}}, "relations": [["nobody:nothing", "keystone:identity-service"]]}
    answer = model.module("juju_bundle", bundle=content, overlays=[overlay])
    # The machine that glance left goes from the bundle, and is no problem.
    assert answer.failed and len(answer["problems"]) == 2 and not answer["changed"]
    assert not model.look(lambda found: set(found.applications) | set(found.machines))


def test_a_subordinate_that_no_model_has_seen(model):
    """Whether a charm is a subordinate the controller tells only when the model has it."""
    options = {"name": "keystone-mysql-router", "charm": "ch:mysql-router", "channel": "8.0/stable", "wait": False}
    model.good("juju_application", check=True, **options)
    answer = model.good("juju_application", **options)
    assert answer["changed"] and not answer["application"]["units"]
    assert not model.good("juju_application", **options)["changed"]


def test_juju_bundle_before_the_model_is_made(site):
    answer = site.good("juju_bundle", check=True, bundle=str(BUNDLES["jammy-2024.1"]))
    assert answer["changed"] and len(answer["plan"]) == 114


def settled(site, name="thesis-jammy-2023.1"):
    site.lab.call(site.lab.model, "openstack")
    site.good("juju_bundle", bundle=str(BUNDLES[name]))
    site.lab.call(site.lab.settle)


def test_waiting_opening_vault_and_waiting_again(site):
    settled(site)
    keys = site.folder / "keys" / "vault.json"
    early = site.module("juju_wait", wait_timeout=2, wait_interval=0.5)
    assert early.failed and "Vault needs to be initialized" in early["held_up_by"]["vault/0"]
    first = site.good("juju_wait", normal_now=BEFORE_VAULT, wait_timeout=20, wait_interval=0.5)
    assert first["pending"] == [] and not first["changed"]

    address = site.good("juju_status_info", applications=["vault"])["status"]["units"]["vault/0"]["address"]
    assert first["addresses"]["vault/0"] == address
    vault = {"vault_addr": f"http://{address}:8200", "vault_timeout": 10}

    def vault_module(name, check=False, **options):
        answer = run_module(name, {**vault, **options}, site.folder, check=check)
        assert not answer.failed, answer.get("msg")
        return answer

    client = hvac.Client(url=vault["vault_addr"])
    given = {"keys_file": str(keys), "key_shares": 5, "key_threshold": 3}
    assert vault_module("vault_init", check=True, **given)["changed"] and not keys.exists() and not client.sys.is_initialized()
    ran = vault_module("vault_init", **given)
    kept = json.loads(keys.read_text())
    secrets = [*kept["keys"], *kept["keys_base64"], kept["root_token"]]
    assert ran["changed"] and client.sys.is_initialized() and len(kept["keys_base64"]) == 5
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600 and stat.S_IMODE(keys.parent.stat().st_mode) == 0o700
    again = vault_module("vault_init", **given)
    assert not again["changed"]

    assert vault_module("vault_unseal", check=True, keys_file=str(keys))["changed"] and client.sys.is_sealed()
    unsealed = vault_module("vault_unseal", keys_file=str(keys))
    assert unsealed["changed"] and not client.sys.is_sealed()
    assert not vault_module("vault_unseal", keys_file=str(keys))["changed"]

    site.lab.call(site.lab.settle)
    before = site.writes()
    assert site.good("vault_charm_authorize", check=True, **vault, keys_file=str(keys))["changed"] and site.writes() == before
    with site.lab.time_passes():
        authorized = site.good("vault_charm_authorize", **vault, keys_file=str(keys))
    assert authorized["changed"] and authorized["ca"].startswith("-----BEGIN CERTIFICATE-----")
    before = site.writes()
    with site.lab.time_passes():
        repeated = site.good("vault_charm_authorize", **vault, keys_file=str(keys))
    assert not repeated["changed"] and repeated["ca"] == authorized["ca"]
    # It asks the charm for its certificate, by an action, and does no more.
    assert site.writes() == {**before, "Action.EnqueueOperation": before["Action.EnqueueOperation"] + 1}
    for answer in (ran, again, unsealed, authorized, repeated):
        assert not [secret for secret in secrets if secret in answer.text]

    site.lab.call(site.lab.settle)
    last = site.good("juju_wait", wait_timeout=20, wait_interval=0.5)
    assert last["pending"] == [] and last["requests"] <= 6
    states = site.look(lambda found: {unit.name: unit.workload_status for unit in found.units.values()})
    assert set(states.values()) == {"active"} and len(states) > 17

    # Sealed again after a restart: the same task opens it.
    client.token = kept["root_token"]
    client.sys.seal()
    assert vault_module("vault_unseal", keys_file=str(keys))["was_sealed"] and not client.sys.is_sealed()


def test_juju_action(site):
    settled(site)
    with site.lab.time_passes():
        answer = site.good("juju_action", unit="keystone/leader", action="get-admin-password", read_only=True)
        assert not answer["changed"] and answer["status"] == "completed" and answer["output"]["password"]
        checked = site.good("juju_action", check=True, unit="keystone", action="pause")
        assert checked["changed"]
        assert site.look(lambda found: found.units["keystone/0"].workload_status) != "maintenance"
        bad = site.module("juju_action", unit="keystone/leader", action="no-such-action")
        assert bad.failed and "no-such-action" in bad["msg"]
        bad = site.module("juju_action", unit="nobody/0", action="pause")
        assert bad.failed and "no application nobody" in bad["msg"]


def test_a_connection_that_is_cut_while_waiting(tmp_path):
    with JujuLabThread(speed=0) as lab:
        site = Site(lab, tmp_path)
        settled(site)
        lab.call(lab.fault, "juju_drop", times=3)
        answer = site.good("juju_wait", normal_now=BEFORE_VAULT, wait_timeout=30, wait_interval=0.5)
        assert answer["pending"] == []


@pytest.mark.parametrize("version", ["4.0.5", "2.9.51"])
def test_other_majors_are_refused_with_one_sentence(tmp_path, version):
    with JujuLabThread(speed=0, version=version) as lab:
        answer = Site(lab, tmp_path).module("juju_status_info", model="controller")
        assert answer.failed
        assert answer["msg"] == f"the controller runs Juju {version}, and this collection speaks to Juju 3 only"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "wrong"}, "refuses the login"),
        ({"endpoint": ["127.0.0.1:1"], "connect_timeout": 2}, "no connection to the controller at 127.0.0.1:1 within 2 s"),
        ({"model": "nothing"}, "has no model nothing (it has controller): the module juju_model makes it, as the playbook orchestrator.yml does"),
    ],
)
def test_what_is_wrong_is_one_sentence(site, wrong, words):
    answer = site.module("juju_status_info", **wrong)
    assert answer.failed and words in answer["msg"] and "\n" not in answer["msg"]


def test_the_api_key_of_the_lab_is_never_shown(site):
    options = {**site.connection, "cloud": CLOUD["name"], "name": CREDENTIAL["name"], "maas_oauth": API_KEY, "scope": "controller"}
    answer = run_module("juju_credential", options, site.folder, check=True, apart=True)
    assert not answer.failed and API_KEY not in answer.text and site.lab.password not in answer.text


JUJU = """#!/bin/sh
# Stands for the command: says its version, and refuses to bootstrap.
echo "$@" >> "$JUJU_DATA/calls"
case "$1" in
  version) echo 3.6.14-genericlinux-amd64 ;;
  bootstrap) echo "ERROR failed to bootstrap model: cancelled" >&2; exit 1 ;;
esac
"""


def test_juju_controller_and_its_info(site):
    data = site.folder / "client"
    data.mkdir(mode=0o700)
    about = {"uuid": "u", "api-endpoints": [site.lab.endpoint], "ca-cert": site.lab.ca_cert, "cloud": CLOUD["name"]}
    (data / "controllers.yaml").write_text(yaml.safe_dump({"controllers": {"maas-controller": about}, "current-controller": "maas-controller"}))
    (data / "accounts.yaml").write_text(yaml.safe_dump({"controllers": {"maas-controller": {"user": "admin", "password": site.lab.password}}}))
    (data / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {CLOUD["name"]: {"type": "maas"}}}))
    command = site.folder / "juju"
    command.write_text(JUJU)
    command.chmod(0o755)
    own = {"juju_data": str(data)}

    found = run_module("juju_controller_info", own, site.folder)
    assert found["exists"] and found["answers"] and found["controller"]["endpoint"] == [site.lab.endpoint]
    assert not run_module("juju_controller_info", {**own, "name": "nobody"}, site.folder)["exists"]

    options = {**own, "juju_command": str(command), "cloud": CLOUD["name"], "name": "maas-controller"}
    there = run_module("juju_controller", options, site.folder)
    assert not there["changed"] and not there.failed and site.lab.password not in there.text
    other = {**options, "name": "second"}
    assert run_module("juju_controller", other, site.folder, check=True)["changed"] and not (data / "calls").exists()
    failed = run_module("juju_controller", other, site.folder)
    assert failed.failed and "failed 2 times" in failed["msg"] and "cancelled" in failed["msg"]
    assert (data / "calls").read_text().splitlines() == ["version", f"bootstrap {CLOUD['name']} second", f"bootstrap {CLOUD['name']} second"]


def test_no_secret_of_vault_in_what_ansible_writes(site):
    """The whole way through ansible-playbook, as loud as it goes, with a log and a diff."""
    settled(site)
    address = site.good("juju_status_info", applications=["vault"])["status"]["units"]["vault/0"]["address"]
    keys = site.folder / "keys" / "vault.json"
    safe = {"vault_addr": f"http://{address}:8200", "keys_file": str(keys), "keys_password": "a pass phrase"}
    tasks = [
        {"stratus.cloud.vault_init": {**safe, "sink_command": ["sh", "-c", "cat > /dev/null"]}},
        {"stratus.cloud.vault_unseal": safe},
        {"stratus.cloud.vault_charm_authorize": {**safe, **site.connection, "model": "openstack"}},
        {"stratus.cloud.vault_init": safe},
    ]
    play = site.folder / "play.yml"
    play.write_text(yaml.safe_dump([{"name": "Open Vault", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-vvvvv", "--diff", str(play)]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    log = site.folder / "log"
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_LOG_PATH": str(log)}
    with site.lab.time_passes():
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=site.folder, timeout=180, check=False)
    told = done.stdout + done.stderr + log.read_text()
    assert done.returncode == 0, done.stdout[-2000:]
    kept = KeysFile(str(keys), "a pass phrase").read()
    actions = [action for model in site.lab.world.juju.models.all.values() for action in model["actions"].values()]
    tokens = [action["parameters"]["token"] for action in actions if action["name"] == "authorize-charm"]
    assert tokens and "hvs." not in told
    for secret in (*kept["keys"], *kept["keys_base64"], kept["root_token"], *tokens, "a pass phrase", site.lab.password):
        assert secret not in told
