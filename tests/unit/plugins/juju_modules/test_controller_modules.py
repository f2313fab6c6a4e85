"""juju_controller and juju_controller_info as Ansible runs them: a juju command on PATH, a client's directory, a listener with a certificate."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bootstrap
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault

from lab.world import pki
from tests.support.run_module import run_module

PASSWORD = "nobody may read this"
SECRET = "consumer:token:secret"
NAME = "maas-controller"

COMMAND = """#!{python} -IS
# Stands for the juju command: notes its arguments, keeps the client's files, and fails as many bootstraps as it is told.
import json, os, sys
from pathlib import Path

data = Path(os.environ["JUJU_DATA"])
arguments = sys.argv[1:]
about = json.loads(Path({about!r}).read_text())
with open(data / "calls", "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
store = data / "controllers.yaml"
if arguments[0] == "version":
    print("3.6.12-genericlinux-amd64")
elif arguments[0] == "bootstrap":
    cloud, name = arguments[1:3]
    if "--config" in arguments:
        config = Path(arguments[arguments.index("--config") + 1])
        (data / "config").write_text(config.read_text())
        (data / "mode").write_text(oct(config.stat().st_mode))
    left = about["failures"] - sum(json.loads(line)[0] == "bootstrap" for line in (data / "calls").read_text().splitlines())
    known = {{"uuid": "u", "api-endpoints": [about["endpoint"]], "ca-cert": about["ca"], "cloud": cloud}}
    if left >= 0:
        # A bootstrap that fails leaves a name without an address.
        store.write_text(json.dumps({{"controllers": {{name: dict(known, **{{"api-endpoints": []}})}}}}))
        sys.exit("ERROR failed to bootstrap model: machine did not deploy")
    store.write_text(json.dumps({{"controllers": {{name: known}}, "current-controller": name}}))
    (data / "accounts.yaml").write_text(json.dumps({{"controllers": {{name: {{"user": "admin", "password": about["password"]}}}}}}))
elif arguments[0] == "kill-controller":
    store.write_text("{{}}")
"""


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """Something at an address with a certificate of the controller's own authority: (endpoint, the authority, a stranger's authority)."""
    ca, key = pki.authority("juju-ca")
    certificate, own = pki.leaf(ca, key, ["juju-apiserver"], [])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = tmp_path_factory.mktemp("listener") / "certificate.pem"
    path.write_text(own + certificate)
    context.load_cert_chain(path)
    door = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                guest, _address = door.accept()
            except OSError:
                return
            try:
                context.wrap_socket(guest, server_side=True).close()
            except OSError:
                guest.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{door.getsockname()[1]}", ca, pki.authority("stranger")[0]
    door.shutdown(socket.SHUT_RDWR)
    door.close()


@pytest.fixture
def client(tmp_path, listener, monkeypatch):
    """The client's directory and command; `failures` bootstraps fail before one goes well."""
    data, programs = tmp_path / "data", tmp_path / "bin"
    data.mkdir()
    programs.mkdir()
    about = tmp_path / "about.json"
    command = programs / "juju"
    command.write_text(COMMAND.format(python=sys.executable, about=str(about)))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(name, content):
        (data / f"{name}.yaml").write_text(yaml.safe_dump(content))

    def failures(number):
        about.write_text(json.dumps({"failures": number, "endpoint": listener[0], "ca": listener[1], "password": PASSWORD}))

    def known(**more):
        kept = {"uuid": "u", "api-endpoints": [listener[0]], "ca-cert": listener[1], "cloud": "maas-one", "agent-version": "3.6.12", **more}
        write("controllers", {"controllers": {NAME: kept}, "current-controller": NAME})
        write("accounts", {"controllers": {NAME: {"user": "admin", "password": PASSWORD}}})

    def calls(first=None):
        made = [json.loads(line) for line in (data / "calls").read_text().splitlines()] if (data / "calls").exists() else []
        return [call for call in made if first in (None, call[0])]

    def info(**options):
        return run_module("juju_controller_info", {"juju_data": str(data), **options}, tmp_path)

    def controller(check=False, **options):
        given = {"name": NAME, "cloud": "maas-one", "credential": "admin", "juju_data": str(data), "answer_timeout": 0, **options}
        return run_module("juju_controller", given, tmp_path, check=check)

    failures(0)
    write("clouds", {"clouds": {"maas-one": {"type": "maas"}}})
    write("credentials", {"credentials": {"maas-one": {"admin": {"auth-type": "oauth1"}}}})
    return SimpleNamespace(data=data, failures=failures, known=known, calls=calls, info=info, controller=controller)


# --- juju_controller_info ---


def test_info_of_a_client_that_knows_nothing(client):
    for options in ({}, {"name": NAME}, {"juju_data": str(client.data / "nowhere")}):
        answer = client.info(**options)
        assert not answer.failed and not answer["changed"] and not answer["exists"] and answer["controller"] is None and "answers" not in answer


def test_info_tells_what_a_login_needs(client, listener):
    client.known()
    answer = client.info()
    assert answer["exists"] and answer["answers"] and not answer["changed"]
    about = answer["controller"]
    assert about == {
        "name": NAME,
        "uuid": "u",
        "endpoint": [listener[0]],
        "ca_cert": listener[1],
        "cloud": "maas-one",
        "region": "",
        "version": "3.6.12",
        "username": "admin",
        "password": PASSWORD,
    }
    assert client.info(name=NAME)["controller"] == about
    assert not client.info(name="another")["exists"]
    assert not client.calls()


@pytest.mark.parametrize("wrong", ["stranger", "nobody listens", "no certificate"])
def test_info_says_that_a_controller_does_not_answer(client, listener, wrong):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = f"127.0.0.1:{closed.getsockname()[1]}"
    client.known(**{"stranger": {"ca-cert": listener[2]}, "nobody listens": {"api-endpoints": [free]}, "no certificate": {"ca-cert": ""}}[wrong])
    answer = client.info()
    assert answer["exists"] and not answer["answers"]
    assert "answers" not in client.info(probe=False)


def test_info_of_files_that_cannot_be_read(client):
    (client.data / "controllers.yaml").write_text("controllers: [")
    answer = client.info()
    assert answer.failed and "controllers.yaml cannot be read" in answer["msg"]


# --- juju_controller ---


def test_check_mode_says_what_would_come_and_sends_nothing(client):
    answer = client.controller(check=True)
    assert answer["changed"] and answer["tries"] == 0
    assert answer["diff"] == {"before": {"exists": False}, "after": {"exists": True, "name": NAME, "cloud": "maas-one"}}
    assert not client.calls() and not client.info()["exists"]
    assert not [path for path in client.data.iterdir() if path.name not in ("clouds.yaml", "credentials.yaml")]


def test_bootstrap_and_then_nothing_to_do(client, listener, tmp_path):
    first = client.controller(system_id="abc", bootstrap_base="ubuntu@22.04", config={"admin-secret": SECRET})
    assert first["changed"] and first["tries"] == 1 and not first["cleaned"]
    assert first["controller"]["endpoint"] == [listener[0]] and PASSWORD not in first.text
    [call] = client.calls("bootstrap")
    assert call[:3] == ["bootstrap", "maas-one", NAME] and call[call.index("--to") + 1] == "system-id=abc"
    # What may be secret is in a file that only its owner reads, and that is gone now.
    assert SECRET not in json.dumps(client.calls()) and SECRET not in first.text
    assert yaml.safe_load((client.data / "config").read_text()) == {"admin-secret": SECRET}
    assert (client.data / "mode").read_text().endswith("600") and not list((client.data / "stratus-private").iterdir())
    assert client.info()["answers"]
    made = len(client.calls())
    for check in (False, True):
        again = client.controller(check)
        assert not again["changed"] and not again.failed and again["tries"] == 0
        assert again["diff"]["before"] == again["diff"]["after"]
    assert len(client.calls()) == made


def test_a_controller_that_is_there_and_answers_is_left_alone(client):
    client.known()
    answer = client.controller()
    assert not answer["changed"] and not answer.failed and answer["controller"]["version"] == "3.6.12"
    assert PASSWORD not in answer.text and not client.calls()


def test_one_that_is_known_and_silent_is_not_bootstrapped_again(client, listener):
    client.known(**{"ca-cert": listener[2]})
    answer = client.controller()
    assert answer.failed and "not bootstrapped again" in answer["msg"] and NAME in answer["msg"]
    assert not client.calls()


def test_nor_is_one_whose_password_the_client_has_lost(client):
    """`juju change-user-password` and `juju logout` do that to a controller that is somebody's cloud."""
    client.known()
    (client.data / "accounts.yaml").write_text("controllers: {}")
    for check in (True, False):
        answer = client.controller(check)
        assert answer.failed and "has no password for it" in answer["msg"] and not client.calls()


NONE_FREE = "ERROR failed to bootstrap model: cannot start bootstrap instance in any availability zone (default): No machine with system ID abc available."


class Juju:
    """A juju command of the tests' own time: each bootstrap prints the next of ``words`` (None: goes well)."""

    leaves = True
    """Whether a bootstrap that fails leaves a name with the client."""

    def __init__(self, directory, *words):
        self.directory, self.words, self.now, self.calls = str(directory), list(words), 0.0, []
        self.store = directory / "controllers.yaml"

    def run(self, verb, *arguments, check=True):
        self.calls.append(verb)
        self.now += 60 if verb == "bootstrap" else 0
        if verb != "bootstrap":
            self.store.write_text("controllers: {}")
            return 0, "", ""
        words = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        if words and not self.leaves:
            return 1, "", words
        known = {"uuid": "u", "api-endpoints": [] if words else ["10.0.0.1:17070"], "ca-cert": "", "cloud": "maas-one"}
        self.store.write_text(yaml.safe_dump({"controllers": {NAME: known}}))
        (self.store.parent / "accounts.yaml").write_text(yaml.safe_dump({"controllers": {NAME: {"user": "admin", "password": PASSWORD}}}))
        return (1, "", words) if words else (0, "", "")

    def made(self, **options):
        given = dict.fromkeys(("region", "credential", "bootstrap_base", "constraints", "agent_version", "system_id", "placement", "config"))
        given.update({"name": NAME, "cloud": "maas-one", "retries": 1, "release_timeout": 300, **options})
        return bootstrap._until_made(self, given, sleep=lambda seconds: setattr(self, "now", self.now + seconds), clock=lambda: self.now)


@pytest.mark.parametrize("leaves", [True, False])
def test_the_next_try_waits_for_the_machine_that_maas_releases(tmp_path, leaves):
    juju = Juju(tmp_path, "ERROR failed to bootstrap model: cancelled", NONE_FREE, NONE_FREE, None)
    juju.leaves = leaves
    about, tries, cleaned = juju.made()
    assert about["endpoint"] == ["10.0.0.1:17070"] and tries == 2 and cleaned is leaves
    assert juju.calls.count("bootstrap") == 4


def test_that_wait_ends(tmp_path):
    juju = Juju(tmp_path, "ERROR failed to bootstrap model: cancelled", NONE_FREE)
    with pytest.raises(JujuFault, match="failed 2 times, and what it left was cleaned up: .*No machine with system ID abc available"):
        juju.made()
    assert 300 <= juju.now < 500


def test_a_machine_that_was_never_free_is_told_soon(tmp_path):
    juju = Juju(tmp_path, NONE_FREE)
    with pytest.raises(JujuFault, match="No machine with system ID abc available"):
        juju.made()
    assert juju.now < 150


def test_a_failed_try_is_cleaned_up_and_made_once_more(client):
    client.failures(1)
    answer = client.controller()
    assert answer["changed"] and answer["tries"] == 2 and answer["cleaned"]
    assert [call[0] for call in client.calls()] == ["version", "bootstrap", "kill-controller", "bootstrap"]
    assert client.info()["answers"]


@pytest.mark.parametrize("retries", [0, 1])
def test_one_that_fails_every_time_leaves_nothing(client, retries):
    client.failures(9)
    answer = client.controller(retries=retries)
    assert answer.failed and answer["changed"] and answer["tries"] == retries + 1
    assert "what it left was cleaned up: ERROR failed to bootstrap model: machine did not deploy" in answer["msg"]
    assert len(client.calls("kill-controller")) == retries + 1 and not client.info(name=NAME)["exists"]


def test_remains_of_an_interrupted_bootstrap_are_cleaned_first(client):
    client.known(**{"api-endpoints": []})
    checked = client.controller(check=True)
    assert checked["changed"] and checked["cleaned"] and not client.calls()
    answer = client.controller()
    assert answer["cleaned"] and answer["tries"] == 1
    assert [call[0] for call in client.calls()] == ["version", "kill-controller", "bootstrap"]


@pytest.mark.parametrize("options", [{"cloud": "elsewhere"}, {"credential": "nobody"}])
def test_what_the_client_does_not_know_is_told_before_anything_is_asked(client, options):
    answer = client.controller(**options)
    assert answer.failed and next(iter(options.values())) in answer["msg"]
    assert not client.calls("bootstrap")


def test_without_the_command_it_says_so(client):
    answer = client.controller(juju_command="juju-that-is-not-installed")
    assert answer.failed and "is not installed on this host" in answer["msg"]


def test_absent_destroys_it_once(client):
    client.known()
    assert client.controller(check=True, state="absent")["changed"] and not client.calls()
    assert client.controller(state="absent")["changed"]
    assert [call[0] for call in client.calls()] == ["kill-controller"]
    assert not client.controller(state="absent")["changed"]


def test_options_that_do_not_go_together(client):
    assert client.controller(system_id="abc", placement="zone=default").failed
    assert client.controller(cloud=None).failed
    assert not client.calls()
