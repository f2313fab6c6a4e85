"""The role zun where no host is needed: what the precheck finds, and the accounts made on the leaders of the charms.

The leaders' commands are run for real by a shell, with small stand-ins for mysql, rabbitmqctl and leader-get beside them. Everything else of the role
is tried on real hosts by the molecule scenario zun.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils import account_hashes

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {name: f"{name}'s $ecret" for name in ("zun_password", "zun_kuryr_password", "zun_database_password", "zun_message_queue_password")}

# Runs what the leader is asked to run, and notes it.
ACTION = """
import os, subprocess
from ansible.module_utils.basic import AnsibleModule, _load_params
given = _load_params()
module = AnsibleModule({key: {"type": "raw"} for key in given if not key.startswith("_ansible")}, supports_check_mode=True)
if module.check_mode:
    module.exit_json(changed=False)
command = {**module.params["params"], **(module.params.get("secret_params") or {})}["command"]
with open("@FOLDER@/commands", "a") as stream:
    stream.write(command)
done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env={**os.environ, "PATH": "@FOLDER@/bin:/usr/bin:/bin"})
if done.returncode:
    module.fail_json(msg=done.stderr)
module.exit_json(changed=False, output={"stdout": done.stdout})
"""
STATUS = """
from ansible.module_utils.basic import AnsibleModule, _load_params
module = AnsibleModule({key: {"type": "raw"} for key in _load_params() if not key.startswith("_ansible")}, supports_check_mode=True)
units = {f"rabbitmq-server/{n}": {"application": "rabbitmq-server", "address": f"10.42.0.{n}"} for n in (7, 6)}
module.exit_json(changed=False, status={"units": units})
"""
# MySQL as far as it is asked: a cluster whose primary is another member; only clusteruser may write there.
MYSQL = """#!@PYTHON@
import json, os, pathlib, re, sys
place = pathlib.Path("@FOLDER@/mysql.json")
state = json.loads(place.read_text()) if place.exists() else {"databases": [], "users": {}, "grants": []}
options = dict(zip(sys.argv[1:], sys.argv[2:]))
for statement in options["--execute"].split("; "):
    if "replication_group_members" in statement:
        print("10.42.0.5")
        continue
    if (options.get("--host"), options.get("--user"), os.environ.get("MYSQL_PWD")) != ("10.42.0.5", "clusteruser", "c secret"):
        sys.exit("ERROR 1290 (HY000): the server is running with the --super-read-only option")
    if found := re.fullmatch(r"SHOW DATABASES LIKE '(\\w+)'", statement):
        print("\\n".join(name for name in state["databases"] if name == found[1]))
    elif found := re.fullmatch(r"CREATE DATABASE (\\w+) CHARACTER SET utf8mb3", statement):
        state["databases"].append(found[1])
    elif found := re.fullmatch(r"SELECT authentication_string FROM mysql.user WHERE user = '(\\w+)' AND host = '%'", statement):
        print(state["users"].get(found[1], ""))
    elif found := re.fullmatch(r"SELECT 1 FROM mysql.user WHERE user = '(\\w+)'", statement):
        print("1" if found[1] in state["users"] else "")
    elif found := re.fullmatch(r"(CREATE|ALTER) USER '(\\w+)'@'%' IDENTIFIED WITH mysql_native_password AS '(\\*[0-9A-F]{40})'", statement):
        if (found[2] in state["users"]) == (found[1] == "CREATE"):
            sys.exit("ERROR 1396 (HY000): Operation failed")
        state["users"][found[2]] = found[3]
    elif found := re.fullmatch(r"GRANT ALL ON (\\w+)\\.\\* TO '(\\w+)'@'%'", statement):
        state["grants"].append([found[1], found[2]])
    elif found := re.fullmatch(r"DROP DATABASE IF EXISTS (\\w+)", statement):
        state["databases"].remove(found[1])
    elif found := re.fullmatch(r"DROP USER IF EXISTS '(\\w+)'@'%'", statement):
        del state["users"][found[1]]
    else:
        sys.exit("ERROR 1064 (42000): You have an error in your SQL syntax near " + statement)
place.write_text(json.dumps(state))
"""
RABBIT = """#!@PYTHON@
import json, pathlib, sys
place = pathlib.Path("@FOLDER@/rabbit.json")
state = json.loads(place.read_text()) if place.exists() else {"users": {"openstack": ""}, "vhosts": ["/", "openstack"], "permissions": []}
words = [word for word in sys.argv[1:] if not word.startswith("--")]
if words[0] == "list_users":
    print("\\n".join(f"{name}\\t[]" for name in state["users"]))
elif words[0] == "list_vhosts":
    print("\\n".join(state["vhosts"]))
elif words[0] == "import_definitions":
    new = json.loads(pathlib.Path(words[1]).read_text())
    state["users"].update({user["name"]: user["password_hash"] for user in new["users"]})
    state["vhosts"] += [vhost["name"] for vhost in new["vhosts"] if vhost["name"] not in state["vhosts"]]
    state["permissions"] += new["permissions"]
elif words[0] == "delete_user":
    del state["users"][words[1]]
elif words[0] == "delete_vhost":
    state["vhosts"].remove(words[1])
else:
    sys.exit(f"unknown command {words[0]}")
place.write_text(json.dumps(state))
"""


class Site:
    def __init__(self, folder):
        self.folder = folder
        collection = folder / "collections/ansible_collections/stratus/cloud"
        for part in ("plugins", "roles", "meta", "bundles"):
            shutil.copytree(ROOT / part, collection / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "galaxy.yml", collection)
        (folder / "bin").mkdir()
        for place, text in (
            (collection / "plugins/modules/juju_action.py", ACTION),
            (collection / "plugins/modules/juju_status_info.py", STATUS),
            (folder / "bin/mysql", MYSQL),
            (folder / "bin/rabbitmqctl", RABBIT),
            (folder / "bin/leader-get", "#!/bin/sh\n[ $1 = cluster-password ] && echo 'c secret'\n"),
        ):
            place.write_text(text.replace("@FOLDER@", str(folder)).replace("@PYTHON@", sys.executable))
            place.chmod(0o755)
        (folder / "hosts").write_text("[zun_api]\napi ansible_connection=local\n[zun_compute]\ncn ansible_connection=local\n[controller]\napi\n")

    def play(self, entry, *show, hosts="api", check=False, **variables):
        """Run a part of the role; ({variable: value} of what is asked for, changed, everything that was printed)."""
        tasks = [
            {"name": "Role", "ansible.builtin.include_role": {"name": "stratus.cloud.zun", "tasks_from": entry, "public": True}},
            {"name": "Show", "ansible.builtin.copy": {"content": "{{ shown | to_json }}", "dest": str(self.folder / "shown")},
             "vars": {"shown": {name: "{{ " + name + " | default(none) }}" for name in show}}, "check_mode": False, "changed_when": False},
        ]  # fmt: skip
        play = {"name": "Role", "hosts": hosts, "gather_facts": True, "gather_subset": ["!all", "network"], "tasks": tasks}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        variables = {"ansible_python_interpreter": sys.executable, "ansible_become": False, "juju_connection": {
            "endpoint": ["127.0.0.1:17070"], "username": "admin", "password": "p", "ca_cert": "c"}, **variables}  # fmt: skip
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.folder / "hosts"), "-e", json.dumps(variables), "-v"]
        (self.folder / "ansible.cfg").touch()
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": f"{self.folder}/collections:{ROOT}/.venv/collections",
        }
        argv += ["--check"] if check else []
        done = subprocess.run([*argv, str(self.folder / "play.yml")], capture_output=True, text=True, env=environment, timeout=180, stdin=subprocess.DEVNULL)
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
        return json.loads((self.folder / "shown").read_text()), int(done.stdout.rpartition("changed=")[2].split()[0]), told

    def state(self, name):
        place = self.folder / f"{name}.json"
        return json.loads(place.read_text()) if place.exists() else None


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_accounts_on_the_leaders_of_the_charms(site):
    shown, changed, told = site.play("accounts_juju", "zun_places", **PASSWORDS)
    assert changed == 1
    assert shown["zun_places"] == {"database": "10.42.0.5", "message_queue": ["10.42.0.6", "10.42.0.7"]}
    hashed = account_hashes.mysql_native(PASSWORDS["zun_database_password"])
    assert site.state("mysql") == {"databases": ["zun"], "users": {"zun": hashed}, "grants": [["zun", "zun"]]}
    rabbit = site.state("rabbit")
    assert set(rabbit["users"]) == {"openstack", "zun"} and "zun" in rabbit["vhosts"]
    assert rabbit["permissions"] == [{"user": "zun", "vhost": "zun", "configure": ".*", "write": ".*", "read": ".*"}]
    # Juju keeps the commands of actions: no password is in them, nor in what was printed.
    written = (site.folder / "commands").read_text() + told
    assert not [name for name, password in PASSWORDS.items() if password in written]

    again, changed, _told = site.play("accounts_juju", "zun_places", **PASSWORDS)
    assert (again, changed) == (shown, 0)
    assert site.state("rabbit") == rabbit

    # The database's server tells what it keeps, so a new password is seen; the message queue's does not.
    new = {name: f"new {name}" for name in PASSWORDS}
    assert site.play("accounts_juju", **new)[1] == 1
    assert site.state("mysql")["users"]["zun"] == account_hashes.mysql_native(new["zun_database_password"])
    assert site.state("rabbit") == rabbit
    assert site.play("accounts_juju", zun_update_passwords=True, **new)[1] == 1
    assert site.state("rabbit")["users"]["zun"] != rabbit["users"]["zun"]

    assert site.play("teardown_accounts_juju")[1] == 1
    assert site.state("mysql")["databases"] == [] and site.state("mysql")["users"] == {}
    assert site.state("rabbit")["users"] == {"openstack": ""} and site.state("rabbit")["vhosts"] == ["/", "openstack"]
    assert site.play("teardown_accounts_juju")[1] == 0


def test_check_mode_asks_no_leader(site):
    assert site.play("accounts_juju", check=True, **PASSWORDS)[1] == 0
    assert site.state("mysql") is None and not (site.folder / "commands").exists()


def problems(site, **variables):
    return {problem["variable"]: problem for problem in site.play("precheck", "zun_problems", **variables)[0]["zun_problems"]}


def test_precheck_says_which_release_is_tested(site):
    found = problems(site, zun_release="2025.1", zun_address="127.0.0.1", **PASSWORDS)
    assert "16.0.0 is untried" in found["zun_release"]["problem"] and found["zun_release"]["remedy"] == "use one of 2024.1, 2026.1"
    assert "no such release" in problems(site, zun_release="2019.1", **PASSWORDS)["zun_release"]["problem"]


def test_precheck_finds_what_is_missing(site):
    found = problems(site, zun_accounts_through="direct", zun_address="192.0.2.1", zun_kuryr_password="one")
    assert set(found) == {"zun_password, zun_database_password, zun_message_queue_password", "zun_accounts_through", "zun_address"}
    assert {*found["zun_address"]} == {"check", "variable", "value", "problem", "remedy"}


def test_precheck_looks_at_the_docker_of_a_compute_host(site):
    dockerd = site.folder / "bin/dockerd"
    for version, good in (("20.10.24+dfsg1", True), ("28.5.1", True), ("29.0.0", False), ("19.03.1", False)):
        dockerd.write_text(f"#!/bin/sh\necho 'Docker version {version}, build 1'\n")
        dockerd.chmod(0o755)
        os.environ["PATH"], before = f"{site.folder}/bin:{os.environ['PATH']}", os.environ["PATH"]
        try:
            shown = site.play("precheck", "zun_problems", hosts="cn", zun_address="127.0.0.1", **PASSWORDS)[0]["zun_problems"]
        finally:
            os.environ["PATH"] = before
        assert ("zun_docker_package" not in [problem["variable"] for problem in shown]) == good, (version, shown)


def test_nothing_is_wrong_on_a_host_of_the_api(site):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    matrix = yaml.safe_load((ROOT / "bundles/versions.yml").read_text())["zun"]
    address = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    found = problems(site, zun_address=address[0] if address else "127.0.0.1", **PASSWORDS)
    assert set(found) <= ({"zun_release"} if version not in matrix["releases"]["2024.1"]["python"] else set()) | (set() if address else {"zun_address"})
