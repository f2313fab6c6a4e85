"""The stand-in commands of the controller's image, with the lab and the file system replaced."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
STORE = yaml.safe_load((ROOT / "lab/data/snaps.yml").read_text())


@pytest.fixture
def image(monkeypatch):
    """The modules as they are imported on the controller: by their own directory."""
    monkeypatch.syspath_prepend(str(ROOT / "lab/hosts/image"))
    found = {name: importlib.import_module(name) for name in ("lab_control", "lab_snap", "lab_maas", "lab_juju")}
    yield found
    for name in found:
        sys.modules.pop(name, None)


# -- snap ----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def snap(image, monkeypatch, tmp_path):
    module, lab = image["lab_snap"], image["lab_control"]
    asked = []

    def ask(method, path, body=None):
        asked.append((method, path, body))
        if method == "GET":
            name = path.rsplit("/", 1)[1]
            if name not in STORE:
                raise lab.LabError(404, "not found")
            return {"name": name, **STORE[name]}
        return {}

    monkeypatch.setattr(lab, "ask", ask)
    monkeypatch.setattr(lab, "is_root", lambda: True)
    monkeypatch.setattr(module, "place", lambda name, release, entry: asked.append(("place", name, release["revision"])))
    monkeypatch.setattr(module, "take_away", lambda name, entry, purge: asked.append(("take away", name, purge)))
    monkeypatch.setattr(module, "units", lambda name: [])
    monkeypatch.setattr(module.installed, "__defaults__", (str(tmp_path / "state.json"),))
    monkeypatch.setattr(module.save, "__defaults__", (str(tmp_path / "state.json"),))
    monkeypatch.setattr(module, "CHANGES", str(tmp_path / "changes"))
    # In this process, where what is asked is written down.
    monkeypatch.setattr(module, "apart", lambda work: work() or 0)
    monkeypatch.setenv("LC_ALL", "C")
    module.asked = asked
    return module


def run(module, *words):
    try:
        return module.main(list(words))
    except SystemExit as error:
        return error.code


def test_install_list_and_again(snap, capsys):
    assert run(snap, "list") == 0
    assert capsys.readouterr() == ("", "No snaps are installed yet. Try 'snap install hello-world'.\n")
    assert run(snap, "install", "--channel", "3.5/stable", "maas") == 0
    version = STORE["maas"]["channels"]["3.5/stable"]["version"]
    assert capsys.readouterr().out == f"maas (3.5/stable) {version} from Canonical** installed\n"
    assert run(snap, "list") == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["Name", "Version", "Rev", "Tracking", "Publisher", "Notes"]
    assert line.split() == ["maas", version, str(STORE["maas"]["channels"]["3.5/stable"]["revision"]), "3.5/stable", "canonical**", "-"]
    count = len(snap.asked)
    assert run(snap, "install", "maas") == 0
    assert "already installed" in capsys.readouterr().err
    assert len(snap.asked) == count


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, "latest/stable"),
        ("stable", "latest/stable"),
        ("3.5", "3.5/stable"),
        ("3.5/stable", "3.5/stable"),
        ("edge", "latest/edge"),
        ("3.6/candidate", "3.6/candidate"),
    ],
)
def test_names_of_channels(snap, given, meant):
    assert snap.full_channel(given) == meant


def test_an_unknown_channel_names_those_that_exist(snap, capsys):
    assert run(snap, "install", "--channel=9.9/stable", "maas") == 1
    said = capsys.readouterr().err
    assert said.startswith('error: snap "maas" is not available on 9.9/stable') and "3.6/stable" in said
    assert run(snap, "install", "nosuch") == 1
    assert capsys.readouterr().err == 'error: snap "nosuch" not found\n'


def test_classic_has_to_be_asked_for(snap, capsys):
    assert run(snap, "install", "--channel=2.9/stable", "juju") == 1
    assert capsys.readouterr().err.startswith('error: This revision of snap "juju" was published using classic confinement')
    assert run(snap, "install", "--classic", "--channel=2.9/stable", "juju") == 0
    assert run(snap, "list", "juju") == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "classic"


def test_refresh_to_another_channel(snap, capsys):
    run(snap, "install", "--channel=3.5/stable", "maas")
    capsys.readouterr()
    assert run(snap, "refresh", "maas") == 0
    assert capsys.readouterr().err == 'snap "maas" has no updates available\n'
    assert run(snap, "refresh", "--channel=3.6/stable", "maas") == 0
    assert "maas (3.6/stable)" in capsys.readouterr().out
    assert snap.installed()["maas"]["channel"] == "3.6/stable"
    assert run(snap, "refresh", "juju") == 1


def test_remove_with_purge(snap, capsys):
    run(snap, "install", "maas")
    capsys.readouterr()
    assert run(snap, "remove", "--purge", "maas") == 0
    assert capsys.readouterr().out == "maas removed\n"
    assert ("POST", "/snap/remove", {"name": "maas", "purge": True}) in snap.asked and ("take away", "maas", True) in snap.asked
    assert snap.installed() == {}
    assert run(snap, "remove", "maas") == 0
    assert "not installed" in capsys.readouterr().err


def test_a_snap_has_one_change_at_a_time(snap, capsys, monkeypatch, image):
    def ask(method, path, body=None, ask=image["lab_control"].ask):
        if body:
            assert run(snap, "changes", "maas") == 0
            assert capsys.readouterr().out.splitlines()[-2].split()[:2] == ["2", "Doing"]
            assert run(snap, "install", "maas") == 1
            assert capsys.readouterr().err == 'error: snap "maas" has "install-snap" change in progress\n'
        return ask(method, path, body)

    assert run(snap, "changes") == 1
    assert capsys.readouterr().err == "error: no changes found\n"
    run(snap, "install", "juju")
    monkeypatch.setattr(image["lab_control"], "ask", ask)
    run(snap, "install", "--channel=3.5/stable", "maas")
    capsys.readouterr()
    assert run(snap, "changes", "maas") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["ID", "Status", "Spawn", "Ready", "Summary"] and rows[1].split()[:2] == ["2", "Done"]
    assert rows[1].endswith('Install "maas" snap from "3.5/stable" channel')
    run(snap, "changes")
    assert len(capsys.readouterr().out.split("\n\n")[0].splitlines()) == 3


def test_a_change_outlives_the_command_that_asked_for_it(image, tmp_path):
    """Also one that fails tells its command so."""
    snap, mark = image["lab_snap"], tmp_path / "mark"
    assert snap.apart(lambda: mark.write_text("done")) == 0 and mark.read_text() == "done"
    assert snap.apart(lambda: snap.lab.fail("no")) == 1
    asked = os.fork()
    if not asked:
        snap.apart(lambda: (time.sleep(0.5), mark.write_text("again")))
        os._exit(0)
    time.sleep(0.2)
    os.kill(asked, signal.SIGKILL)
    os.waitpid(asked, 0)
    assert mark.read_text() == "done"
    deadline = time.monotonic() + 20
    while mark.read_text() != "again" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert mark.read_text() == "again"


def test_options_and_disabling(snap, capsys):
    run(snap, "install", "maas")
    assert run(snap, "set", "maas", "a.b=1", "c=text") == 0
    capsys.readouterr()
    assert run(snap, "get", "-d", "maas") == 0
    assert json.loads(capsys.readouterr().out) == {"a.b": 1, "c": "text"}
    assert run(snap, "disable", "maas") == 0
    capsys.readouterr()
    run(snap, "list", "maas")
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "disabled"


def test_only_root_installs(snap, monkeypatch, capsys, image):
    monkeypatch.setattr(image["lab_control"], "is_root", lambda: False)
    assert run(snap, "install", "maas") == 1
    assert capsys.readouterr().err == "error: access denied (try with sudo)\n"


def test_every_snap_of_the_store_has_a_default_channel():
    for name, entry in STORE.items():
        assert "latest/stable" in entry["channels"], name
        revisions = [release["revision"] for release in entry["channels"].values()]
        assert all(isinstance(revision, int) for revision in revisions), name


# -- maas ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("postgres://maas:p%40ss@db.example:5433/region", {"host": "db.example", "name": "region", "user": "maas", "password": "p@ss", "port": 5433}),
        ("postgres://maas@localhost", {"host": "localhost", "name": "maas", "user": "maas", "password": None, "port": 5432}),
        ("postgres:///region?host=/run/postgresql&user=maas", {"host": "/run/postgresql", "name": "region", "user": "maas", "password": None, "port": 5432}),
    ],
)
def test_database_uri(image, uri, parts):
    assert image["lab_maas"].database_settings(uri) == parts


@pytest.mark.parametrize(
    ("uri", "said"),
    [("mysql://x", "needs to be either"), ("postgres://localhost/x", "No user found"), ("postgres://u@h/x?sslmode=require", "Unsupported parameters: sslmode")],
)
def test_bad_database_uri(image, uri, said):
    with pytest.raises(image["lab_maas"].CommandError, match=said):
        image["lab_maas"].database_settings(uri)


@pytest.fixture
def maas(image, monkeypatch, tmp_path):
    module, lab = image["lab_maas"], image["lab_control"]
    for name, value in (("COMMON", tmp_path), ("DATA", tmp_path), ("MODE", tmp_path / "snap_mode"), ("CONFIG", str(tmp_path / "regiond.conf"))):
        monkeypatch.setattr(module, name, str(value))
    monkeypatch.setattr(module.read_config, "__defaults__", (str(tmp_path / "regiond.conf"),))
    monkeypatch.setattr(lab, "is_root", lambda: True)
    monkeypatch.setattr(module, "start_services", lambda: None)
    monkeypatch.setattr(module, "stop_services", lambda: None)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    module.asked = []
    monkeypatch.setattr(lab, "ask", lambda method, path, body=None: module.asked.append((path, body)) or {})
    return module


def test_init_takes_the_uri_from_stdin(maas, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("postgres://maas:secret@localhost/maas\n"))
    monkeypatch.setattr(maas, "need_init", lambda settings: True)
    monkeypatch.setattr(maas, "migrate", lambda settings: None)
    assert run(maas, "init", "region+rack", "--maas-url", "http://10.42.0.1:5240/MAAS") == 0
    said = capsys.readouterr().out
    assert said.startswith("Database URI: ") and "MAAS has been set up." in said
    assert maas.asked == [("/maas/init", {"url": "http://10.42.0.1:5240/MAAS", "mode": "region+rack", "fresh": True, "version": maas.snap_version()})]
    assert maas.current_mode() == "region+rack" and maas.saved_database()["password"] == "secret"
    assert run(maas, "config") == 0
    assert "database_pass=(hidden)" in capsys.readouterr().out


def test_init_again_asks(maas, monkeypatch, capsys):
    Path(maas.MODE).write_text("region+rack")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert run(maas, "init", "region+rack", "--database-uri", "postgres://a@b/c", "--maas-url", "http://x") == 0
    assert "already been initialized" in capsys.readouterr().out and maas.asked == []


def test_init_without_a_database_fails_and_leaves_no_mode(maas, monkeypatch, capsys):
    monkeypatch.setattr(maas, "need_init", lambda settings: True)
    monkeypatch.setattr(maas, "migrate", lambda settings: 'connection to server at "h" (192.0.2.1), port 5432 failed: FATAL:  password authentication failed')
    assert run(maas, "init", "region+rack", "--database-uri", "postgres://a:secret@h/c", "--maas-url", "http://x") == 1
    out, err = capsys.readouterr()
    assert "Performing database migrations" in out and "OperationalError" in err and "returned non-zero exit status 1" in err
    assert "secret" not in out + err
    assert maas.current_mode() == "none" and maas.asked == []


def test_end_of_input_does_not_hang_for_ever(maas, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run(maas, "init", "region+rack", "--maas-url", "http://x") == 1


def test_migrate_is_a_regions(maas, monkeypatch, capsys):
    assert run(maas, "migrate") == 1 and capsys.readouterr().out == "MAAS is not configured\n"
    Path(maas.MODE).write_text("region+rack")
    Path(maas.CONFIG).write_text("database_host: h\ndatabase_name: c\ndatabase_user: a\ndatabase_pass: secret\n")
    asked = []
    monkeypatch.setattr(maas, "migrate", asked.append)
    assert run(maas, "migrate") == 0 and asked[0]["host"] == "h"


def test_createadmin_asks_for_what_is_missing(maas, monkeypatch, capsys):
    monkeypatch.setattr(maas, "region_only", lambda: None)
    answers = iter(["one", "two"])
    monkeypatch.setattr(maas.getpass, "getpass", lambda prompt: next(answers))
    assert run(maas, "createadmin", "--username", "admin", "--email", "a@b.example") == 2
    assert "Passwords do not match" in capsys.readouterr().err
    monkeypatch.setattr(maas.getpass, "getpass", lambda prompt: "same")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert run(maas, "createadmin", "--username", "admin", "--email", "a@b.example") == 0
    assert maas.asked == [("/maas/createadmin", {"username": "admin", "password": "same", "email": "a@b.example"})]


def test_createadmin_of_a_known_user(maas, monkeypatch, capsys, image):
    def refuse(method, path, body=None):
        raise image["lab_control"].LabError(409, "exists")

    monkeypatch.setattr(maas, "region_only", lambda: None)
    monkeypatch.setattr(image["lab_control"], "ask", refuse)
    assert run(maas, "createadmin", "--username", "admin", "--password", "x", "--email", "a@b.example") == 2
    assert "A user with the email a@b.example already exists." in capsys.readouterr().err


def test_status_of_nothing(maas, capsys):
    assert run(maas, "status") == 1
    assert capsys.readouterr().out == "MAAS is not configured\n"


# -- juju ----------------------------------------------------------------------------------------------------------------
CLOUD = {"clouds": {"maas-one": {"type": "maas", "auth-types": ["oauth1"], "endpoint": "http://10.42.0.1:5240/MAAS"}}}
CREDENTIAL = {"credentials": {"maas-one": {"admin": {"auth-type": "oauth1", "maas-oauth": "a:b:c"}}}}


@pytest.fixture
def juju(image, monkeypatch, tmp_path):
    module = image["lab_juju"]
    monkeypatch.setenv("JUJU_DATA", str(tmp_path / "juju"))
    (tmp_path / "juju").mkdir()
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump(CLOUD))
    (tmp_path / "credential.yaml").write_text(yaml.safe_dump(CREDENTIAL))
    module.place = tmp_path
    return module


def known(juju):
    assert run(juju, "add-cloud", "maas-one", "--client", "-f", str(juju.place / "cloud.yaml")) == 0
    assert run(juju, "add-credential", "maas-one", "--client", "-f", str(juju.place / "credential.yaml")) == 0


def test_clouds_and_credentials(juju, capsys):
    known(juju)
    assert run(juju, "add-cloud", "maas-one", "--client", "-f", str(juju.place / "cloud.yaml")) == 1
    assert "already exists" in capsys.readouterr().err
    assert run(juju, "clouds", "--client", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["maas-one"]["endpoint"] == "http://10.42.0.1:5240/MAAS"
    assert run(juju, "credentials", "--client", "--format", "json") == 0
    shown = capsys.readouterr().out
    assert "a:b:c" not in shown and "admin" in shown
    assert (juju.place / "juju/credentials.yaml").stat().st_mode & 0o777 == 0o600
    assert run(juju, "remove-credential", "maas-one", "admin", "--client") == 0
    assert run(juju, "remove-cloud", "maas-one", "--client") == 0
    assert juju.personal_clouds() == {} and juju.all_credentials() == {}


def test_a_cloud_or_credential_that_cannot_be(juju, capsys):
    (juju.place / "cloud.yaml").write_text("clouds: {maas-one: {type: maas}}")
    assert run(juju, "add-cloud", "maas-one", "--client", "-f", str(juju.place / "cloud.yaml")) == 1
    assert "lacks an endpoint" in capsys.readouterr().err
    assert run(juju, "add-credential", "maas-one", "--client", "-f", str(juju.place / "credential.yaml")) == 1
    assert run(juju, "add-cloud", "maas-one", "--client", "-f", "/no/such/file") == 1
    assert "no such file" in capsys.readouterr().err


def test_bootstrap_needs_cloud_and_credential(juju, capsys):
    assert run(juju, "bootstrap", "maas-one", "main") == 1
    assert "cloud maas-one not found" in capsys.readouterr().err
    run(juju, "add-cloud", "maas-one", "--client", "-f", str(juju.place / "cloud.yaml"))
    assert run(juju, "bootstrap", "maas-one", "main") == 1
    assert "no credentials found" in capsys.readouterr().err


def test_bootstrap_writes_what_clients_read(juju, image, monkeypatch, capsys):
    known(juju)
    sent = []
    states = iter([
        {"state": "running", "lines": ["Creating Juju controller"]},
        {"state": "done", "lines": ["Creating Juju controller", "Bootstrap complete"], "endpoint": "10.42.0.100:17070", "ca_cert": "PEM", "uuid": "u-1",
         "username": "admin", "password": "pw", "model": "m-1"},
    ])  # fmt: skip
    monkeypatch.setattr(image["lab_control"], "ask", lambda method, path, body=None: sent.append(body) or {} if method == "POST" else next(states))
    words = ["--bootstrap-constraints", "tags=juju", "--to", "system-id=abc", "--bootstrap-base", "ubuntu@22.04", "--config", "bootstrap-timeout=1800"]
    assert run(juju, "bootstrap", *words, "maas-one", "main") == 0
    assert capsys.readouterr().err.splitlines()[-2:] == ["Creating Juju controller", "Bootstrap complete"]
    assert sent[0]["system_id"] == "abc" and sent[0]["constraints"] == "tags=juju" and sent[0]["config"] == {"bootstrap-timeout": 1800}
    assert sent[0]["credential"]["attributes"] == {"maas-oauth": "a:b:c"} and sent[0]["cloud"]["name"] == "maas-one"
    controllers = yaml.safe_load((juju.place / "juju/controllers.yaml").read_text())
    assert controllers["current-controller"] == "main" and controllers["controllers"]["main"]["api-endpoints"] == ["10.42.0.100:17070"]
    assert yaml.safe_load((juju.place / "juju/accounts.yaml").read_text())["controllers"]["main"]["password"] == "pw"
    assert (juju.place / "juju/cookies/main.json").exists()
    assert run(juju, "bootstrap", "maas-one", "main") == 1
    assert "already exists" in capsys.readouterr().err
    assert run(juju, "unregister", "main", "--no-prompt") == 0
    assert juju.known_controllers() == {} and not (juju.place / "juju/cookies/main.json").exists()


def test_a_failed_bootstrap_is_remembered_nowhere(juju, image, monkeypatch):
    known(juju)
    state = {"state": "failed", "lines": ["ERROR failed to bootstrap model: no"]}
    monkeypatch.setattr(image["lab_control"], "ask", lambda method, path, body=None: {} if method == "POST" else state)
    assert run(juju, "bootstrap", "maas-one", "main") == 1
    assert juju.known_controllers() == {}


def test_a_controller_is_destroyed_with_its_models_only_when_they_are_named(juju, image, monkeypatch, capsys):
    lab, sent = image["lab_control"], []
    (juju.place / "juju/controllers.yaml").write_text(yaml.safe_dump({"controllers": {"main": {"api-endpoints": ["10.42.0.100:17070"]}}}))

    def ask(method, path, body=None):
        sent.append((path, body))
        if not body["models"]:
            raise lab.LabError(409, "the controller has live models")
        return {}

    monkeypatch.setattr(lab, "ask", ask)
    assert run(juju, "destroy-controller", "main", "--no-prompt") == 1
    assert "--destroy-all-models" in capsys.readouterr().err and "main" in juju.known_controllers()
    assert run(juju, "destroy-controller", "main", "--no-prompt", "--destroy-all-models") == 0
    assert sent[-1] == ("/juju/destroy-controller", {"name": "main", "models": True, "force": False})
    assert juju.known_controllers() == {}


def test_a_controller_that_is_gone_can_be_killed_and_not_destroyed(juju, image, monkeypatch, capsys):
    lab = image["lab_control"]
    (juju.place / "juju/controllers.yaml").write_text(yaml.safe_dump({"controllers": {"main": {"api-endpoints": ["10.42.0.100:17070"]}}}))

    def ask(method, path, body=None):
        raise lab.LabError(404, 'controller "main" not found')

    monkeypatch.setattr(lab, "ask", ask)
    assert run(juju, "destroy-controller", "main", "--no-prompt") == 1
    assert "cannot connect to API" in capsys.readouterr().err and "main" in juju.known_controllers()
    assert run(juju, "kill-controller", "main", "--no-prompt") == 0
    assert juju.known_controllers() == {}
