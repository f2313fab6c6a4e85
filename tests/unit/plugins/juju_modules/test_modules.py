"""The smaller pieces behind the modules: models, actions, clouds, credentials, bootstraps; and what reaches a command line."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.juju import actions, arguments, bootstrap, charms, cli, client, clouds, lifecycle
from ansible_collections.stratus.cloud.plugins.module_utils.juju import model as models
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused

from tests.support.processes import imports
from tests.support.run_module import COLLECTIONS, run_module

SECRET = "consumer:token:secret"


# --- the client's command and files ---


class FakeCommand(cli.Command):
    """Stands in for the juju command: keeps the client's files as the real one does, and what it was called with."""

    def __init__(self, directory, check_mode=False, bootstraps=(True,)):
        self.module, self.directory, self.path = SimpleNamespace(check_mode=check_mode), str(directory), "juju"
        self.calls, self.files, self.bootstraps = [], [], list(bootstraps)

    def write(self, name, content):
        (Path(self.directory) / f"{name}.yaml").write_text(yaml.safe_dump(content))

    def run(self, *arguments, check=True):
        self.calls.append(list(arguments))
        for argument in arguments:
            if str(argument).endswith(".yaml") and Path(argument).exists():
                path = Path(argument)
                self.files.append((path, stat.S_IMODE(path.stat().st_mode), yaml.safe_load(path.read_text())))
        code, out = 0, ""
        if arguments[0] == "version":
            out = "3.6.12-genericlinux-amd64\n"
        elif arguments[0] in ("add-cloud", "update-cloud"):
            self.write("clouds", self.files[-1][2])
        elif arguments[0] in ("add-credential", "update-credential"):
            self.write("credentials", self.files[-1][2])
        elif arguments[0] == "bootstrap":
            good = self.bootstraps.pop(0)
            about = {"uuid": "u", "api-endpoints": ["10.0.0.5:17070"] if good else [], "ca-cert": "PEM", "cloud": "maas-one"}
            self.write("controllers", {"controllers": {arguments[2]: about}})
            if good:
                self.write("accounts", {"controllers": {arguments[2]: {"user": "admin", "password": SECRET}}})
            code, out = (0, "") if good else (1, "ERROR failed to bootstrap model: cancelled")
        elif arguments[0] in ("kill-controller", "unregister"):
            self.write("controllers", {"controllers": {}})
        if check and code:
            raise JujuFault(out, rc=code)
        return code, out, ""


def module(check_mode=False, **params):
    return SimpleNamespace(params=params, check_mode=check_mode, _diff=True)


CLOUD = {
    "name": "maas-one",
    "state": "present",
    "type": "maas",
    "cloud_endpoint": "http://10.0.0.1:5240/MAAS/",
    "auth_types": ["oauth1"],
    "regions": {},
    "ca_certificates": [],
    "config": {},
}
CREDENTIAL = {"cloud": "maas-one", "name": "admin", "state": "present", "auth_type": "oauth1", "maas_oauth": SECRET, "attributes": {}, "owner": None}
BOOTSTRAP = {
    "name": "maas-controller",
    "cloud": "maas-one",
    "region": None,
    "credential": "admin",
    "system_id": "abc",
    "placement": None,
    "bootstrap_base": "ubuntu@22.04",
    "constraints": "tags=juju",
    "agent_version": None,
    "config": {"admin-secret": SECRET},
    "retries": 1,
    "answer_timeout": 0,
}


def test_a_cloud_on_the_client_check_run_again(tmp_path):
    command = FakeCommand(tmp_path)
    assert clouds.client_side(module(True, **CLOUD), FakeCommand(tmp_path, True))["changed"]
    assert not (tmp_path / "clouds.yaml").exists()
    assert clouds.client_side(module(**CLOUD), command)["changed"]
    assert not clouds.client_side(module(**CLOUD), command)["changed"]
    assert command.calls == [["add-cloud", "maas-one", "--client", "-f", command.calls[0][-1]]]
    changed = {**CLOUD, "cloud_endpoint": "https://10.0.0.1:5443/MAAS"}
    answer = clouds.client_side(module(**changed), command)
    assert answer["changed"] and answer["diff"]["before"]["endpoint"] == "http://10.0.0.1:5240/MAAS"
    assert command.calls[-1][0] == "update-cloud"
    assert clouds.client_side(module(**{**CLOUD, "state": "absent"}), command)["changed"]


def test_a_credential_never_shows_its_secret(tmp_path):
    command = FakeCommand(tmp_path)
    answer = clouds.credential_client_side(module(**CREDENTIAL), command)
    assert answer["changed"] and SECRET not in json.dumps(answer) and SECRET not in json.dumps(command.calls)
    path, mode, content = command.files[0]
    assert mode == 0o600 and not path.exists() and path.parent == tmp_path / cli.PRIVATE and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert content["credentials"]["maas-one"]["admin"] == {"auth-type": "oauth1", "maas-oauth": SECRET}
    assert not clouds.credential_client_side(module(**CREDENTIAL), command)["changed"]
    other = {**CREDENTIAL, "maas_oauth": "another:to:ken"}
    answer = clouds.credential_client_side(module(**other), command)
    assert answer["changed"] and answer["diff"]["before"] != answer["diff"]["after"] and "another" not in json.dumps(answer)


def test_the_private_file_goes_even_when_the_command_fails(tmp_path):
    with pytest.raises(JujuFault), cli.private_file(str(tmp_path / "data"), {"a": 1}) as path:
        kept = Path(path)
        assert kept.exists()
        raise JujuFault("failed")
    assert not kept.exists() and stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


HELD = """
import sys, time
from ansible_collections.stratus.cloud.plugins.module_utils.juju import cli
with cli.private_file(sys.argv[1], {"maas-oauth": sys.argv[2]}):
    print("there", flush=True)
    time.sleep(120)
"""


def test_the_private_file_of_a_killed_run_goes_with_the_next(tmp_path):
    def command(check=False):
        given = {"juju_command": "/bin/true", "juju_data": str(tmp_path)}
        return cli.Command(SimpleNamespace(params=given, check_mode=check))

    folder = tmp_path / cli.PRIVATE
    with subprocess.Popen([sys.executable, "-c", HELD, str(tmp_path), SECRET], stdout=subprocess.PIPE, cwd=COLLECTIONS) as run:
        run.stdout.readline()
        command()
        [left] = folder.iterdir()
        assert SECRET in left.read_text(), "that of a run that lives stays"
        run.kill()
    # Another process has got its number since.
    other = folder / f"{os.getpid()}-1-0123456789abcdef.yaml"
    other.touch()
    command(check=True)
    assert left.exists()
    command()
    assert not list(folder.iterdir())


def prepared(tmp_path, **more):
    command = FakeCommand(tmp_path, **more)
    command.write("clouds", {"clouds": {"maas-one": {}}})
    command.write("credentials", {"credentials": {"maas-one": {"admin": {}}}})
    return command


def test_bootstrap_and_then_nothing(tmp_path, monkeypatch):
    command = prepared(tmp_path)
    answer = bootstrap.present(module(**BOOTSTRAP), command)
    assert answer["changed"] and answer["tries"] == 1 and not answer["cleaned"]
    call = next(call for call in command.calls if call[0] == "bootstrap")
    assert call[1:3] == ["maas-one", "maas-controller"]
    for option, value in (("--to", "system-id=abc"), ("--bootstrap-base", "ubuntu@22.04"), ("--bootstrap-constraints", "tags=juju"), ("--credential", "admin")):
        assert call[call.index(option) + 1] == value
    assert SECRET not in json.dumps(command.calls) and SECRET not in json.dumps(answer)
    assert command.files[-1][2] == {"admin-secret": SECRET}
    monkeypatch.setattr(cli, "answers", lambda about: True)
    assert not bootstrap.present(module(**BOOTSTRAP), command)["changed"]


def test_a_failed_bootstrap_is_cleaned_up_and_tried_once_more(tmp_path):
    command = prepared(tmp_path, bootstraps=[False, True])
    answer = bootstrap.present(module(**BOOTSTRAP), command)
    assert (answer["tries"], answer["cleaned"]) == (2, True)
    assert [call[0] for call in command.calls] == ["version", "bootstrap", "kill-controller", "bootstrap"]


def test_a_bootstrap_that_fails_twice_leaves_nothing(tmp_path):
    command = prepared(tmp_path, bootstraps=[False, False])
    with pytest.raises(JujuFault, match="failed 2 times, and what it left was cleaned up: ERROR failed to bootstrap model: cancelled"):
        bootstrap.present(module(**BOOTSTRAP), command)
    assert cli.controller(str(tmp_path), "maas-controller") is None


def test_remains_of_an_interrupted_bootstrap_are_cleaned_first(tmp_path):
    command = prepared(tmp_path)
    command.write("controllers", {"controllers": {"maas-controller": {"uuid": "u", "api-endpoints": []}}})
    assert bootstrap.present(module(**BOOTSTRAP), command)["cleaned"]
    assert [call[0] for call in command.calls] == ["version", "kill-controller", "bootstrap"]


def test_a_silent_controller_is_not_bootstrapped_again(tmp_path):
    command = prepared(tmp_path)
    bootstrap.present(module(**BOOTSTRAP), command)
    with pytest.raises(JujuFault, match="does not answer with its own certificate"):
        bootstrap.present(module(**BOOTSTRAP), command)
    assert sum(call[0] == "bootstrap" for call in command.calls) == 1


@pytest.mark.parametrize(("missing", "words"), [("clouds", "knows no cloud maas-one"), ("credentials", "knows no credential admin")])
def test_what_the_bootstrap_needs_is_told_first(tmp_path, missing, words):
    command = prepared(tmp_path)
    (tmp_path / f"{missing}.yaml").unlink()
    with pytest.raises(JujuFault, match=words):
        bootstrap.present(module(**BOOTSTRAP), command)


def test_the_command_of_another_major_is_refused(tmp_path):
    command = FakeCommand(tmp_path)
    command.run = lambda *arguments, **options: (0, "4.0.5-ubuntu-amd64\n", "")
    with pytest.raises(JujuFault, match="works with Juju 3 only"):
        command.version()


# --- actions ---


class Actions:
    """A unit whose actions end as told; `lose` makes answers to the enqueueing get lost, after or before it took effect."""

    def __init__(self, outcomes, lose=None):
        self.outcomes, self.lose, self.started, self.model = dict(outcomes), lose, [], "openstack"

    def call(self, facade, request, params=None, **options):
        if request == "FullStatus":
            units = {"vault/0": {"workload-status": {"status": "blocked", "info": "Missing CA cert"}, "agent-status": {"status": "idle"}, "leader": True}}
            return {"applications": {"vault": {"units": units}}}
        if request == "ListOperations":
            return {"results": [{"actions": [{"action": {"tag": f"action-{number}"}} for number, name, _ in self.started if name in params["actions"]]}]}
        if request == "EnqueueOperation":
            asked = params["actions"][0]
            lost, self.lose = self.lose, None
            if lost == "before":
                raise ConnectionLost("gone")
            self.started.append((str(len(self.started) + 1), asked["name"], asked["parameters"]))
            if lost == "after":
                raise ConnectionLost("gone")
            return {"actions": [{"action": {"tag": f"action-{self.started[-1][0]}"}}]}
        assert request == "Actions"
        number = params["entities"][0]["tag"].removeprefix("action-")
        outcome = self.outcomes[self.started[int(number) - 1][1]]
        if isinstance(outcome, list):
            outcome = outcome.pop(0) if len(outcome) > 1 else outcome[0]
        if isinstance(outcome, Exception):
            raise outcome
        return {"results": [outcome]}


ACTION = {
    "unit": "vault/leader",
    "action": "generate-root-ca",
    "params": {},
    "secret_params": {},
    "read_only": False,
    "unless_action": None,
    "unless_status": None,
    "wait": True,
    "wait_timeout": 5,
    "wait_interval": 0.05,
}
DONE = {"status": "completed", "output": {"output": "PEM"}}


def test_an_action_and_its_results():
    link = Actions({"generate-root-ca": [{"status": "pending"}, ConnectionLost("gone"), {"status": "running"}, DONE]})
    answer = actions.work(module(**ACTION), link)
    assert answer["changed"] and answer["output"] == {"output": "PEM"} and answer["unit"] == "vault/0"


def test_check_mode_runs_no_action():
    link = Actions({})
    assert actions.work(module(True, **ACTION), link)["changed"] and not link.started


@pytest.mark.parametrize(
    ("guard", "runs"),
    [
        ({"status": "completed", "output": {"output": "BEGIN CERTIFICATE"}}, False),
        ({"status": "completed", "output": {"output": ""}}, True),
        ({"status": "failed"}, True),
    ],
)
def test_an_action_that_is_not_needed(guard, runs):
    link = Actions({"generate-root-ca": DONE, "get-root-ca": guard})
    rule = {"action": "get-root-ca", "params": {}, "results": {"output": "BEGIN CERT"}}
    assert actions.work(module(**{**ACTION, "unless_action": rule}), link)["changed"] is runs
    assert len(link.started) == (2 if runs else 1)


def test_a_state_in_which_an_action_is_not_needed():
    link = Actions({"generate-root-ca": DONE})
    assert actions.work(module(**{**ACTION, "unless_status": {"workload": ["active"], "matches": None}}), link)["changed"]
    assert not actions.work(module(**{**ACTION, "unless_status": {"workload": [], "matches": "Missing CA"}}), link)["changed"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_action_whose_answer_is_lost_is_run_once(when):
    link = Actions({"generate-root-ca": DONE}, lose=when)
    actions.work(module(**ACTION), link)
    assert len(link.started) == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "aborted"])
def test_every_end_is_an_end(status):
    with pytest.raises(actions.ActionFailed, match=f"generate-root-ca on vault/0 {status}: no space"):
        actions.work(module(**ACTION), Actions({"generate-root-ca": {"status": status, "message": "no space"}}))


def test_a_command_ends_as_its_code_says(monkeypatch, tmp_path):
    """Juju calls it completed in any case, and leaves an empty output out."""
    good, bad = ({"status": "completed", "output": {"return-code": code, "stderr": f"no access: {SECRET}\n"}} for code in (0, 1))
    command = {**ACTION, "action": "juju-exec", "secret_params": {"command": SECRET}}
    assert actions.work(module(**command), Actions({"juju-exec": good}))["changed"]
    # Any other action may call a result so.
    assert actions.work(module(**ACTION), Actions({"generate-root-ca": bad}))["changed"]
    with pytest.raises(actions.ActionFailed, match="juju-exec on vault/0 ended with code 1: no access"):
        actions.work(module(**command), Actions({"juju-exec": bad}))

    monkeypatch.setattr(arguments, "client", lambda _module: contextlib.nullcontext(Actions({"juju-exec": bad})))
    told = run_module("juju_action", {**command, "endpoint": "127.0.0.1:1", "username": "admin", "password": "p", "model": "openstack"}, tmp_path)
    assert told.failed and "ended with code 1: no access" in told["msg"] and SECRET not in told.text


def test_a_base_is_one_of_the_series_that_a_charm_tells():
    """What is asked for counts where the charm has it, whichever of its bases the controller names."""
    told = {"url": "ch:amd64/vault-1", "charm-origin": {"base": {"name": "ubuntu", "channel": "22.04/stable"}}}
    told["supported-series"] = ["xenial", "centos7", "jammy", "noble"]
    client = SimpleNamespace(call=lambda *_request, **_options: {"Results": [told]})
    wanted = {"charm": "vault", "channel": "1.8/stable", "revision": None}
    for base in ("ubuntu@22.04/stable", "ubuntu@24.04/stable"):
        assert models.resolve(client, {**wanted, "base": base})[1]["base"] == models.as_base(base)
    with pytest.raises(Refused, match="vault has no release for ubuntu@20.04 in 1.8/stable, but one for ubuntu@22.04"):
        models.resolve(client, {**wanted, "base": "ubuntu@20.04/stable"})


def test_an_action_that_does_not_end():
    with pytest.raises(JujuFault, match="still running after 0 s; it goes on: juju show-operation -m openstack 1"):
        actions.work(module(**{**ACTION, "wait_timeout": 0.2}), Actions({"generate-root-ca": {"status": "running"}}))


# --- models ---


class Controller:
    version, identity_tag = "3.6.25", "user-admin"

    def __init__(self, stubborn=0):
        self.known, self.config, self.calls, self.stubborn = {}, {}, [], stubborn

    def models(self):
        return list(self.known.values())

    def find_model(self, name):
        return next((about for about in self.known.values() if name in (about["uuid"], about["name"], f"admin/{about['name']}")), None)

    def request(self, facade, request, params=None, uuid=None, **options):
        self.calls.append((request, params))
        if request == "ModelGet":
            return {"config": {key: {"value": value, "source": "model"} for key, value in self.config.items() if key != "authorized-keys"}}
        if request == "ModelSet":
            self.config.update(params["config"])
        elif request == "ModelUnset":
            for key in params["keys"]:
                self.config.pop(key)
        elif request == "GetModelConstraints":
            return {"constraints": {"arch": "amd64"}}
        elif request == "Clouds":
            return {"clouds": {"cloud-maas-one": {}}}
        elif request == "CreateModel":
            self.config = dict(params["config"])
            self.known["u1"] = {"uuid": "u1", "name": params["name"], "owner-tag": params["owner-tag"], "cloud-tag": params["cloud-tag"], "life": "alive"}
        elif request == "DestroyModels":
            if self.stubborn:
                self.stubborn -= 1
                self.known["u1"]["life"] = "dying"
            else:
                self.known.clear()
        return {}

    def controller(self, facade, request, params=None, **options):
        return self.request(facade, request, params)


MODEL = {
    "name": "openstack",
    "state": "present",
    "cloud": "maas-one",
    "region": None,
    "credential": "admin",
    "owner": None,
    "constraints": None,
    "config": {"default-base": "ubuntu@22.04", "authorized-keys": "ssh-ed25519 AAAA"},
    "destroy_storage": True,
    "force": False,
    "accept_machine_loss": False,
    "wait": True,
    "wait_timeout": 10,
    "wait_interval": 1,
}


def fake_time():
    now = [0.0]
    return {"clock": lambda: now[0], "sleep": lambda seconds: now.__setitem__(0, now[0] + seconds)}


def test_a_model_check_run_again_change():
    link = Controller()
    assert lifecycle.present(module(True, **MODEL), link)["changed"] and not link.known
    answer = lifecycle.present(module(**MODEL), link)
    assert answer["changed"] and answer["model"]["uuid"] == "u1" and "AAAA" not in json.dumps(answer["diff"])
    made = next(params for request, params in link.calls if request == "CreateModel")
    assert made["credential"] == "cloudcred-maas-one_admin_admin" and made["config"]["authorized-keys"]
    assert not lifecycle.present(module(**MODEL), link)["changed"]
    changed = {**MODEL, "config": {"default-base": None, "logging-config": "<root>=INFO"}, "constraints": "arch=amd64"}
    answer = lifecycle.present(module(**changed), link)
    assert answer["diff"]["before"] == {"default-base": "ubuntu@22.04", "logging-config": None}
    assert answer["diff"]["after"] == {"default-base": None, "logging-config": "<root>=INFO"}


def test_a_cloud_that_is_not_there_or_another_one():
    with pytest.raises(JujuFault, match="has no cloud other"):
        lifecycle.present(module(**{**MODEL, "cloud": "other"}), Controller())
    link = Controller()
    lifecycle.present(module(**MODEL), link)
    with pytest.raises(JujuFault, match="cannot be moved to other"):
        lifecycle.present(module(**{**MODEL, "cloud": "other"}), link)


def test_the_ladder_is_climbed_only_as_far_as_needed():
    for stubborn, force, rungs in ((0, True, 1), (1, True, 2), (2, True, 3)):
        link = Controller(stubborn)
        lifecycle.present(module(**MODEL), link)
        answer = lifecycle.absent(module(**{**MODEL, "force": force}), link, **fake_time())
        assert len(answer["rungs"]) == rungs
    link = Controller(1)
    lifecycle.present(module(**MODEL), link)
    with pytest.raises(JujuFault, match="is still dying .*setting force lets the next rungs be tried"):
        lifecycle.absent(module(**MODEL), link, **fake_time())
    assert not lifecycle.absent(module(**MODEL), Controller())["changed"]


@pytest.mark.parametrize("version", ["3.6.24", "3.6.24.1"])
@pytest.mark.parametrize("options", [{}, {"force": True}, {"wait": False}])
@pytest.mark.parametrize("check", [False, True])
def test_a_model_is_not_destroyed_where_that_loses_machines(version, options, check):
    """By no means: what leaves a model is deleted, however it leaves."""
    link = Controller()
    lifecycle.present(module(**MODEL), link)
    link.version = version
    with pytest.raises(JujuFault, match=f"is left as it is: the controller runs Juju {version}, .*; upgrade the controller to 3.6.25 or later, or"):
        lifecycle.absent(module(check, **{**MODEL, **options}), link, **fake_time())
    assert link.known and "DestroyModels" not in [request for request, _params in link.calls]
    assert lifecycle.absent(module(check, **{**MODEL, **options, "accept_machine_loss": True}), link, **fake_time())["changed"]
    # Nothing that could be lost.
    assert not lifecycle.absent(module(**MODEL), Controller())["changed"]


@pytest.mark.parametrize("version", ["3.4.6", "3.5.7", "3.6.0", "3.6.23", "3.6.25", "3.6-rc1.2"])
def test_force_is_no_matter_of_the_version(version):
    link = Controller(1)
    lifecycle.present(module(**MODEL), link)
    link.version = version
    assert lifecycle.absent(module(**{**MODEL, "force": True}), link, **fake_time())["rungs"] == ["with its storage", "by force"]


def test_the_preflight_refuses_the_releases_that_lose_machines():
    known = yaml.safe_load((Path(__file__).parents[4] / "bundles/versions.yml").read_text())["known_bad"]
    (row,) = [row for row in known if row["product"] == "juju" and "MAAS" in row["reason"]]
    first, mended = (".".join(map(str, version)) for version in lifecycle.LOSES_MACHINES)
    assert (row["match"], row["severity"]) == (f">={first},<{mended}", "refuse") and mended in row["remedy"]


# --- charms ---


def charm(name, subordinate=False, **ends):
    meta = {"name": name, "subordinate": subordinate}
    for role, relations in ends.items():
        meta[role] = {end: {"interface": interface} for end, interface in relations.items()}
    return charms.simplify({"meta": meta})


def test_endpoints_that_are_not_named_are_found_or_ambiguous():
    known = {
        "app": charm("app", requires={"db": "sql", "spare": "sql"}),
        "sql": charm("sql", provides={"db": "sql"}),
        "sub": charm("sub", requires={"host": "juju-info"}),
    }
    assert charms.resolve((("app", "db"), ("sql", None)), known) == (("app", "db"), ("sql", "db"))
    with pytest.raises(ValueError, match="more than one pair of endpoints fits"):
        charms.resolve((("app", None), ("sql", None)), known)
    assert charms.resolve((("sub", None), ("sql", None)), known) == (("sub", "host"), ("sql", "juju-info"))


def test_refusals_keep_their_code():
    assert Refused("x", "not found").absent and Refused("relation already exists").exists
    assert client.UUID.fullmatch("11111111-2222-3333-4444-555555555555")


def test_libjuju_comes_without_what_only_external_users_need():
    statement = "from ansible_collections.stratus.cloud.plugins.module_utils.juju import client; assert client.JUJU_IMPORT_ERROR is None"
    assert imports(statement, "macaroonbakery", "pymacaroons", "nacl", "requests") == []
