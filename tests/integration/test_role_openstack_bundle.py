"""The role openstack_bundle against modules that answer from a script: what it asks for, what it writes, what a second run does.

The whole chain with the lab's servers is tested end to end elsewhere; here every branch of the access files is cheap to reach.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.98.0.1"
PASSWORD = "lab's own $ecret"

# Stands for every module that speaks to MAAS, Juju or Vault: notes what it is asked for, and answers from a file.
STUB = """
import json, os, sys
from ansible.module_utils.basic import AnsibleModule, _load_params
import ansible.module_utils.basic as basic

basic._ANSIBLE_ARGS = basic._ANSIBLE_ARGS or None
given = _load_params()
options = {key: {"type": "raw"} for key in given if not key.startswith("_ansible")}
module = AnsibleModule(argument_spec=options, supports_check_mode=True)
folder = "@FOLDER@"
with open(os.path.join(folder, "asked.jsonl"), "a") as stream:
    stream.write(json.dumps({"module": "@NAME@", **{key: module.params[key] for key in options}}) + "\\n")
with open(os.path.join(folder, "answers.json")) as stream:
    answers = json.load(stream)
if answers.get("@NAME@:" + str(module.params.get("action"))) == "fail":
    module.fail_json(msg="no such action")
answer = answers.get("@NAME@:" + str(module.params.get("action")), answers.get("@NAME@", {}))
module.exit_json(**{"changed": False, **answer})
"""
STUBBED = ("juju_status_info", "juju_action", "juju_wait", "juju_bundle", "maas_vm", "maas_machine_info", "vault_init", "vault_unseal", "vault_charm_authorize")


def unit(application, address):
    return {"application": application, "address": address}


class Keystone(BaseHTTPRequestHandler):
    accepts = {PASSWORD}

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = asked["auth"]["identity"]["password"]["user"]["password"] in self.accepts
        self.send_response(201 if good else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def keystone():
    server = ThreadingHTTPServer((ADDRESS, 5000), Keystone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Keystone
    server.shutdown()


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.out = folder / "out"
        self.answers = {
            "maas_vm": {"machines": [{"hostname": f"os-{number}", "system_id": f"vm{number}"} for number in range(11)]},
            "maas_machine_info": {"machines": [{"hostname": f"compute{number}", "system_id": f"metal{number}"} for number in range(2)]},
            "juju_bundle": {"changed": True, "plan": ["1. something"]},
            "juju_status_info": {
                "status": {
                    "applications": {"keystone": {}, "openstack-dashboard": {}},
                    "units": {"keystone/0": unit("keystone", ADDRESS), "openstack-dashboard/0": unit("openstack-dashboard", "127.98.0.2")},
                }
            },
            "juju_action:get-admin-password": {"output": {"admin-password": PASSWORD}},
        }
        collection = folder / "collections/ansible_collections/stratus/cloud"
        for part in ("plugins", "roles", "meta", "bundles"):
            shutil.copytree(ROOT / part, collection / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "galaxy.yml", collection)
        for name in STUBBED:
            (collection / f"plugins/modules/{name}.py").write_text(STUB.replace("@NAME@", name).replace("@FOLDER@", str(folder)))
            (collection / f"plugins/action/{name}.py").unlink(missing_ok=True)
        (folder / "ansible.cfg").write_text("")
        (folder / "hosts").write_text("[controller]\nhere ansible_connection=local\n[compute]\ncompute0\ncompute1\n")

    def play(self, *entry_points, arguments=(), **variables):
        """Run entry points of the role; (process, sums of the recap, what the modules were asked for)."""
        (self.folder / "answers.json").write_text(json.dumps(self.answers))
        (self.folder / "asked.jsonl").write_text("")
        tasks = [{"name": entry, "ansible.builtin.include_role": {"name": "stratus.cloud.openstack_bundle", "tasks_from": entry}} for entry in entry_points]
        (self.folder / "play.yml").write_text(yaml.safe_dump([{"name": "Role", "hosts": "controller", "gather_facts": False, "tasks": tasks}]))
        variables = {
            "ansible_python_interpreter": sys.executable,
            "stratus_cloud_name": "trial",
            "stratus_state_dir": str(self.out),
            "maas_url": "http://127.0.0.1/MAAS",
            "maas_api_key": "a:b:c",
            "juju_connection": {"endpoint": ["127.0.0.1:17070"], "username": "admin", "password": "p", "ca_cert": "c"},
            **variables,
        }
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                "-i",
                str(self.folder / "hosts"),
                "-e",
                json.dumps(variables),
                *arguments,
                str(self.folder / "play.yml"),
            ],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=180,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_COLLECTIONS_PATH": f"{self.folder}/collections:{ROOT}/.venv/collections",
            },
        )
        asked = [json.loads(line) for line in (self.folder / "asked.jsonl").read_text().splitlines()]
        changed = int((done.stdout.rpartition("changed=")[2].split() or ["-1"])[0])
        return done, changed, asked

    def cloud(self):
        return yaml.safe_load((self.out / "clouds.yaml").read_text())["clouds"]["trial"]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def told(done):
    return done.stdout + done.stderr


def test_access_is_written_once_and_no_secret_is_printed(site, keystone):
    done, changed, asked = site.play("access", "report", arguments=["-vvv", "--diff"])
    assert done.returncode == 0, told(done)
    assert changed > 0
    cloud = site.cloud()
    assert cloud["auth"]["password"] == PASSWORD
    assert cloud["auth"]["auth_url"] == f"http://{ADDRESS}:5000/v3"
    assert "cacert" not in cloud
    for name in ("clouds.yaml", "openrc"):
        assert (site.out / name).stat().st_mode & 0o777 == 0o600
    assert site.out.stat().st_mode & 0o777 == 0o700
    shell = subprocess.run(["sh", "-c", f". {site.out}/openrc && printenv OS_PASSWORD"], capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == PASSWORD
    assert PASSWORD not in told(done).replace(str(site.answers), "")
    assert "The cloud trial is ready." in done.stdout
    assert [call["module"] for call in asked] == ["juju_status_info", "juju_action"]

    before = {path.name: path.read_bytes() for path in site.out.iterdir()}
    done, changed, asked = site.play("access", "report")
    assert done.returncode == 0, told(done)
    assert changed == 0, told(done)
    assert [call["module"] for call in asked] == ["juju_status_info"], "the password is asked for again"
    assert "already there" in done.stdout
    assert before == {path.name: path.read_bytes() for path in site.out.iterdir()}

    done, changed, asked = site.play("access", "report", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed == 0, told(done)


def test_check_mode_says_that_access_would_be_written_and_writes_nothing(site, keystone):
    done, changed, asked = site.play("access", "report", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed > 0
    assert [call["module"] for call in asked] == ["juju_status_info"]
    assert not site.out.exists()


def test_other_clouds_stay_and_a_password_that_keystone_refuses_is_replaced(site, keystone):
    site.out.mkdir()
    old = {"clouds": {"other": {"auth": {"auth_url": "x"}}, "trial": {"auth": {"auth_url": f"http://{ADDRESS}:5000/v3", "password": "stale"}}}}
    (site.out / "clouds.yaml").write_text(yaml.safe_dump(old))
    done, changed, _asked = site.play("access")
    assert done.returncode == 0, told(done)
    assert changed > 0
    assert site.cloud()["auth"]["password"] == PASSWORD
    assert yaml.safe_load((site.out / "clouds.yaml").read_text())["clouds"]["other"] == {"auth": {"auth_url": "x"}}


def test_an_older_charm_without_the_action_is_asked_in_another_way(site):
    site.answers["juju_action:get-admin-password"] = "fail"
    site.answers["juju_action:juju-exec"] = {"output": {"stdout": "old one\n", "return-code": 0}}
    done, _changed, _asked = site.play("access")
    assert done.returncode == 0, told(done)
    assert site.cloud()["auth"]["password"] == "old one"


def test_a_keystone_that_does_not_answer_leaves_the_password_alone(site):
    site.answers["juju_status_info"]["status"]["units"]["keystone/0"]["address"] = "127.98.0.9"
    site.out.mkdir()
    kept = {"auth_url": "http://127.98.0.9:5000/v3", "password": "kept"}
    (site.out / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"trial": {"auth": kept}}}))
    done, _changed, asked = site.play("access")
    assert done.returncode == 0, told(done)
    assert site.cloud()["auth"]["password"] == "kept"
    assert [call["module"] for call in asked] == ["juju_status_info"]


def test_vault_is_opened_unit_by_unit_and_its_authority_is_kept(site):
    units = site.answers["juju_status_info"]["status"]["units"]
    units.update(
        {"vault/0": unit("vault", "127.98.1.1"), "vault/1": unit("vault", "127.98.1.2"), "vault-mysql-router/0": unit("vault-mysql-router", "127.98.1.1")}
    )
    site.answers["juju_status_info"]["status"]["applications"]["vault"] = {}
    site.answers["vault_charm_authorize"] = {"ca": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"}
    done, _changed, asked = site.play("vault", "access", vault_key_shares=3, vault_key_threshold=2)
    assert done.returncode == 0, told(done)
    by_module = {}
    for call in asked:
        by_module.setdefault(call["module"], []).append(call)
    assert by_module["juju_wait"][0]["applications"] == ["vault"]
    (init,) = by_module["vault_init"]
    assert (init["vault_addr"], init["key_shares"], init["key_threshold"]) == ("http://127.98.1.1:8200", 3, 2)
    assert init["keys_file"] == str(site.out / "vault-keys.json")
    assert [call["vault_addr"] for call in by_module["vault_unseal"]] == ["http://127.98.1.1:8200", "http://127.98.1.2:8200"]
    assert (site.out / "root-ca.pem").read_text().startswith("-----BEGIN")
    assert (site.out / "root-ca.pem").stat().st_mode & 0o777 == 0o600
    assert site.cloud()["auth"]["auth_url"].startswith("https://")
    assert site.cloud()["cacert"] == str(site.out / "root-ca.pem")


@pytest.mark.parametrize("unsecure", [False, True])
def test_vault_opens_by_itself_only_when_that_is_asked_for_by_its_name(site, unsecure):
    given = {"openstack_bundle_vault_totally_unsecure_auto_unlock": True} if unsecure else {}
    site.answers["juju_status_info"]["status"]["units"] = {"vault/0": unit("vault", "127.98.0.7")}
    site.answers["vault_charm_authorize"] = {"ca": "certificate"}
    done, _changed, asked = site.play("compose", "deploy", "vault", **given)
    assert done.returncode == 0, told(done)
    options = next(call for call in asked if call["module"] == "juju_bundle")["bundle"]["applications"]["vault"].get("options", {})
    assert (options.get("totally-unsecure-auto-unlock") is True) == unsecure == (options.get("auto-generate-root-ca-cert") is True)
    assert ("vault_init" in {call["module"] for call in asked}) != unsecure


def test_the_bundle_gets_its_machines(site):
    done, _changed, asked = site.play("compose", "deploy")
    assert done.returncode == 0, told(done)
    (vms,) = [call for call in asked if call["module"] == "maas_vm"]
    assert [vm["hostname"] for vm in vms["vms"]] == [f"os-{number}" for number in range(11)]
    (bundle,) = [call for call in asked if call["module"] == "juju_bundle"]
    assert bundle["machine_map"]["10"] == "vm10"
    assert bundle["machine_map"]["11"] == "metal0"
    assert "vault" in bundle["bundle"]["applications"]


def test_check_mode_on_a_bare_controller_says_so_and_goes_through(site):
    done, changed, asked = site.play("compose", "deploy", "vault", "settle", "report", arguments=["--check"], juju_connection=None, maas_api_key="")
    assert done.returncode == 0, told(done)
    assert asked == [] and changed == 0
    assert "is not there yet" in done.stdout


def test_check_mode_on_a_cloud_that_would_change_stops_after_the_plan(site):
    done, changed, asked = site.play("compose", "deploy", "vault", "settle", "access", "report", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed == 1
    assert [call["module"] for call in asked] == ["maas_vm", "maas_machine_info", "juju_bundle"]
