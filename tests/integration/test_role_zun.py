"""The role zun where no host is needed: what the precheck finds, and the accounts made on the leaders of the charms.

The leaders' commands are run for real by a shell, with small stand-ins for mysql, rabbitmqctl and leader-get beside them. Everything else of the role
is tried on real hosts by the molecule scenario zun.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils import account_hashes

from tests.support.role_play import RolePlay

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {name: f"{name}'s $ecret" for name in ("zun_password", "zun_kuryr_password", "zun_database_password", "zun_message_queue_password")}

# In the place of the connection to Juju's controller: runs what a leader is asked to run, notes it, and ends as Juju does: completed, whatever the code.
CLIENT = """
import os, subprocess
JUJU_IMPORT_ERROR = None
class Client:
    model = "openstack"
    def __init__(self, *given, **more):
        self.done = {}
    def __enter__(self):
        return self
    def __exit__(self, *unused):
        pass
    def call(self, facade, request, params=None, **options):
        if request == "FullStatus":
            leader = {"mysql-innodb-cluster/0": {"leader": True}}
            units = {f"rabbitmq-server/{n}": {"leader": n == 7, "public-address": f"10.42.0.{n}"} for n in (7, 6)}
            return {"applications": {"mysql-innodb-cluster": {"units": leader}, "rabbitmq-server": {"units": units}}}
        if request == "ListOperations":
            return {"results": []}
        if request == "EnqueueOperation":
            (asked,) = params["actions"]
            assert asked["name"] == "juju-exec", asked
            command = asked["parameters"]["command"]
            with open("@FOLDER@/commands", "a") as stream:
                stream.write(command)
            ran = subprocess.run(["bash", "-s"], input=command, capture_output=True, text=True, env={**os.environ, "PATH": "@FOLDER@/bin:/usr/bin:/bin"})
            told = {key: text for key, text in (("stdout", ran.stdout), ("stderr", ran.stderr)) if text}
            self.done["action-1"] = {"status": "completed", "output": {"return-code": ran.returncode, **told}}
            return {"actions": [{"action": {"tag": "action-1"}}]}
        assert request == "Actions", request
        return {"results": [self.done[params["entities"][0]["tag"]]]}
"""
# MySQL as far as it is asked: a cluster whose primary is another member; only clusteruser may write there.
MYSQL = """#!@PYTHON@
import json, os, pathlib, re, sys
place = pathlib.Path("@FOLDER@/mysql.json")
state = json.loads(place.read_text()) if place.exists() else {"databases": [], "users": {}, "grants": []}
options = dict(zip(sys.argv[1:], sys.argv[2:]))
for statement in options["--execute"].split("; "):
    if "replication_group_members" in statement:
        print(state.get("primary", "10.42.0.5"))
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
    elif found := re.fullmatch(r"SELECT 1 FROM mysql.db WHERE user = '(\\w+)' AND host = '%' AND db = '(\\w+)'", statement):
        print("1" if [found[2], found[1]] in state["grants"] else "")
    elif found := re.fullmatch(r"DROP DATABASE IF EXISTS (\\w+)", statement):
        state["databases"].remove(found[1])
    elif found := re.fullmatch(r"DROP USER IF EXISTS '(\\w+)'@'%'", statement):
        del state["users"][found[1]]
        state["grants"] = [grant for grant in state["grants"] if grant[1] != found[1]]
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
elif words[0] == "list_permissions" and words[1] in state["vhosts"]:
    print("\\n".join(f"{one['user']}\\t.*\\t.*\\t.*" for one in state["permissions"] if one["vhost"] == words[1]))
elif words[0] == "import_definitions":
    new = json.loads(pathlib.Path(words[1]).read_text())
    state["users"].update({user["name"]: user["password_hash"] for user in new["users"]})
    state["vhosts"] += [vhost["name"] for vhost in new["vhosts"] if vhost["name"] not in state["vhosts"]]
    state["permissions"] = [one for one in state["permissions"] if one not in new["permissions"]] + new["permissions"]
elif words[0] == "delete_user":
    del state["users"][words[1]]
elif words[0] == "delete_vhost":
    state["vhosts"].remove(words[1])
    state["permissions"] = [one for one in state["permissions"] if one["vhost"] != words[1]]
else:
    sys.exit(f"cannot do {words}")
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
            (collection / "plugins/module_utils/juju/client.py", CLIENT),
            (folder / "bin/mysql", MYSQL),
            (folder / "bin/rabbitmqctl", RABBIT),
            (folder / "bin/chgrp", "#!/bin/sh\n[ $1 = rabbitmq ]\n"),
            (folder / "bin/leader-get", "#!/bin/sh\n[ $1 = cluster-password ] && echo 'c secret'\n"),
        ):
            place.write_text(text.replace("@FOLDER@", str(folder)).replace("@PYTHON@", sys.executable))
            place.chmod(0o755)
        (folder / "hosts").write_text("[zun_api]\napi ansible_connection=local\n[zun_compute]\ncn ansible_connection=local\n[controller]\napi\n")

    def play(self, entry, *show, hosts="api", check=False, fails=False, **variables):
        """Run a part of the role; ({variable: value} of what is asked for, changed, everything that was printed). ``fails``: the last alone, of a failure."""
        tasks = [
            {"name": "Role", "ansible.builtin.include_role": {"name": "stratus.cloud.zun", "tasks_from": entry, "public": True}},
            {"name": "Show", "ansible.builtin.copy": {"content": "{{ shown | to_json }}", "dest": str(self.folder / "shown")},
             "vars": {"shown": {name: "{{ " + name + " | default(none) }}" for name in show}}, "check_mode": False, "changed_when": False},
        ]  # fmt: skip
        play = {"name": "Role", "hosts": hosts, "gather_facts": True, "gather_subset": ["!all", "network"], "tasks": tasks}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        variables = {"ansible_python_interpreter": sys.executable, "ansible_become": False, "juju_connection": {
            "endpoint": ["127.0.0.1:17070"], "username": "admin", "password": "juju's secret", "ca_cert": "c"}, **variables}  # fmt: skip
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.folder / "hosts"), "-e", json.dumps(variables), "-v"]
        (self.folder / "ansible.cfg").touch()
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": f"{self.folder}/collections:{ROOT}/.venv/collections",
        }
        argv += ["--check"] if check else []
        done = subprocess.run([*argv, str(self.folder / "play.yml")], capture_output=True, text=True, env=environment, timeout=180, stdin=subprocess.DEVNULL)
        told = done.stdout + done.stderr
        assert (done.returncode == 0) != fails, told
        if fails:
            return told
        return json.loads((self.folder / "shown").read_text()), int(done.stdout.rpartition("changed=")[2].split()[0]), told

    def program(self, name, *lines):
        place = self.folder / "bin" / name
        place.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        place.chmod(0o755)

    def put(self, name, state):
        (self.folder / f"{name}.json").write_text(json.dumps(state))

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

    # An account that is there gets another password only when that is asked for.
    new = {name: f"new {name}" for name in PASSWORDS}
    assert site.play("accounts_juju", **new)[1] == 0
    assert site.state("mysql")["users"]["zun"] == hashed and site.state("rabbit") == rabbit
    assert site.play("accounts_juju", zun_update_passwords=True, **new)[1] == 1
    assert site.state("mysql")["users"]["zun"] == account_hashes.mysql_native(new["zun_database_password"])
    assert site.state("rabbit")["users"]["zun"] != rabbit["users"]["zun"]

    assert site.play("teardown_accounts_juju")[1] == 1
    assert site.state("mysql")["databases"] == [] and site.state("mysql")["users"] == {}
    assert site.state("rabbit")["users"] == {"openstack": ""} and site.state("rabbit")["vhosts"] == ["/", "openstack"]
    assert site.play("teardown_accounts_juju")[1] == 0


def test_a_run_that_was_cut_short_is_made_good(site):
    """Between the user and its rights."""
    site.play("accounts_juju", **PASSWORDS)
    whole = site.state("mysql"), site.state("rabbit")
    site.put("mysql", {**whole[0], "grants": []})
    site.put("rabbit", {**whole[1], "permissions": []})
    assert site.play("accounts_juju", **PASSWORDS)[1] == 1
    assert site.state("mysql") == whole[0] and site.state("rabbit")["permissions"] == whole[1]["permissions"]
    assert site.play("accounts_juju", **PASSWORDS)[1] == 0


def test_a_leader_that_fails_ends_the_run(site):
    site.put("mysql", {"databases": [], "users": {}, "grants": [], "primary": ""})
    told = site.play("accounts_juju", fails=True, **PASSWORDS)
    assert "mysql-innodb-cluster/0 ended with code 1: the database's cluster has no primary" in told
    site.put("mysql", {"databases": [], "users": {}, "grants": [], "primary": "10.42.0.4"})
    told += site.play("accounts_juju", fails=True, **PASSWORDS)
    assert "--super-read-only" in told
    assert not [name for name, password in PASSWORDS.items() if password in told or account_hashes.mysql_native(password) in told]


def test_check_mode_asks_no_leader(site):
    shown, changed, _told = site.play("accounts_juju", "zun_places", check=True, **PASSWORDS)
    assert (changed, shown["zun_places"]["database"]) == (0, "unknown")
    assert site.state("mysql") is None and not (site.folder / "commands").exists()
    # On a host that has Zun the database is where its configuration has it, so that nothing looks changed.
    conf = site.folder / "zun.conf"
    conf.write_text("[DEFAULT]\nhost = a\n\n[database]\nconnection = mysql+pymysql://zun:p%40%2F@10.42.0.9:3306/zun?charset=utf8\n")
    shown, changed, told = site.play("accounts_juju", "zun_places", check=True, __zun_conf_file=str(conf), **PASSWORDS)
    assert (changed, shown["zun_places"]["database"]) == (0, "10.42.0.9") and "p%40%2F" not in told


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


@pytest.mark.parametrize(
    ("version", "good"),
    [
        pytest.param("20.10.24+dfsg1", True, marks=pytest.mark.long),
        ("28.5.1", True),
        ("29.0.0", False),
        pytest.param("19.03.1", False, marks=pytest.mark.long),
    ],
)
def test_precheck_looks_at_the_docker_of_a_compute_host(site, version, good):
    site.program("dockerd", f"echo 'Docker version {version}, build 1'")
    shown = site.play("precheck", "zun_problems", hosts="cn", zun_address="127.0.0.1", **PASSWORDS)[0]["zun_problems"]
    assert ("zun_docker_package" not in [problem["variable"] for problem in shown]) == good, shown


def test_nothing_is_wrong_on_a_host_of_the_api(site):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    matrix = yaml.safe_load((ROOT / "bundles/versions.yml").read_text())["zun"]
    address = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    found = problems(site, zun_address=address[0] if address else "127.0.0.1", **PASSWORDS)
    assert set(found) <= ({"zun_release"} if version not in matrix["releases"]["2024.1"]["python"] else set()) | (set() if address else {"zun_address"})


def test_precheck_finds_names_that_are_not_plain(site):
    names = {"zun_database_name": "zun-db", "zun_message_queue_user": "zun'; rm", "zun_message_queue_vhost": "a-b_c", "zun_address": "127.0.0.1"}
    (found,) = [row for row in problems(site, **names, **PASSWORDS).values() if "plain" in row["remedy"]]
    assert (found["variable"], found["value"]) == ("zun_database_name, zun_message_queue_user", "zun-db, zun'; rm")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param('{"log-level": "warn", "exec-root": "/var/run/docker"}', None, marks=pytest.mark.long),
        ('{"hosts": [], "tls": true, "containerd": "c", "bridge": "none", "exec-root": "/run/d"}', "bridge, containerd, hosts, tls, exec-root"),
        ('{"hosts": [}', "Expecting value: line 1 column 12 (char 11)"),
        pytest.param('["hosts"]', "", marks=pytest.mark.long),
    ],
)
def test_precheck_reads_the_settings_of_docker(site, text, named):
    place = site.folder / "daemon.json"
    place.write_text(text)
    (task,) = [task for task in yaml.safe_load((ROOT / "roles/zun/tasks/precheck_compute.yml").read_text()) if task.get("register") == "__zun_daemon_file"]
    ran = subprocess.run(
        [part.replace("/etc/docker/daemon.json", str(place)) for part in task["ansible.builtin.command"]["argv"]], capture_output=True, text=True
    )
    given = {"rc": ran.returncode, "stdout": ran.stdout.strip(), "stderr": ran.stderr.strip()}
    shown = site.play("precheck", "zun_problems", hosts="cn", zun_address="127.0.0.1", __zun_daemon_file=given, **PASSWORDS)[0]["zun_problems"]
    found = [row for row in shown if row["variable"] == "/etc/docker/daemon.json"]
    assert [row["value"] for row in found] == ([] if named is None else [named])
    if given["rc"] == 0 and named:
        assert f"has {named} there" in found[0]["problem"] and found[0]["remedy"] == f"take {named} out of that file"


def test_containers_of_others_are_not_cut_off_without_consent(site):
    conf = site.folder / "stratus-zun.conf"
    given = {"hosts": "cn", "zun_address": "127.0.0.1", "__zun_docker_conf_file": str(conf), **PASSWORDS}
    wanted = f"lookup('ansible.builtin.template', '{ROOT}/roles/zun/templates/docker.conf.j2')"

    def refusals(**more):
        shown = site.play("precheck", "zun_problems", wanted, **given, **more)[0]
        return [row["problem"] for row in shown["zun_problems"] if row["variable"] == "zun_docker_accept_outage"], shown[wanted]

    site.program("dockerd", "echo 'Docker version 28.5.1, build 1'")
    site.program("docker", "[ $1 = ps ] && printf 'web\\nzun-4b8a\\nmy-zun-db\\n'")
    (told,), options = refusals()
    assert told.startswith("Docker on cn runs containers that are not Zun's (my-zun-db, web)")
    assert refusals(zun_docker_accept_outage=True)[0] == []
    # Where its options are those already, nothing is restarted.
    conf.write_text(options)
    assert refusals()[0] == []
    conf.write_text(options.replace("2375", "2376"))
    assert len(refusals()[0]) == 1
    site.program("docker", "[ $1 = ps ] && echo zun-4b8a")
    assert refusals()[0] == []
    site.program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert refusals()[0] == []


# Docker as far as teardown asks it: names anchored as the daemon does it, and containers that can be removed.
DOCKER = """#!@PYTHON@
import json, pathlib, re, sys
place = pathlib.Path("@FOLDER@/docker.json")
names = json.loads(place.read_text())
match sys.argv[1:]:
    case ["ps", *options]:
        pattern = next((one.partition("=")[2] for one in options if one.startswith("name=")), "")
        print("\\n".join(name for name in names if re.search(pattern, name) or re.search(pattern, "/" + name)))
    case ["rm", "--force", name]:
        place.write_text(json.dumps([one for one in names if one != name]))
    case ["network", "ls", *_]:
        pass
    case other:
        sys.exit(f"cannot do {other}")
"""


def test_teardown_takes_containers_of_zun_alone_and_leaves_docker_to_others(site):
    mark = site.folder / "mark"
    mark.write_text("stratus-no-such-package\n")
    given = {"zun_teardown_containers": True, "__zun_docker_mark": str(mark), "__zun_docker_conf_file": str(site.folder / "conf")}
    site.program("dockerd", "echo Docker version 20.10")
    docker = site.folder / "bin/docker"
    docker.write_text(DOCKER.replace("@FOLDER@", str(site.folder)).replace("@PYTHON@", sys.executable))
    docker.chmod(0o755)
    # Those of Zun alone stop it.
    site.put("docker", ["web", "my-zun-db"])
    site.play("teardown_look", hosts="cn")
    site.put("docker", ["web", "my-zun-db", "zun-4b8a"])
    assert "1 container(s) of Zun" in site.play("teardown_look", hosts="cn", fails=True)
    # What removes them names them in the same way.
    assert not [path for path in (ROOT / "roles/zun/tasks").iterdir() if "name=" in path.read_text()]

    def docker_goes(told):
        removal = told.partition("Remove it when it did]")[2].partition("TASK")[0]
        assert removal
        return "skipping: [cn]" not in removal

    told = site.play("teardown_docker", hosts="cn", check=True, __zun_dockerd={"rc": 0}, **given)[2]
    assert "Docker stays on cn, as it has containers that are not of Zun (my-zun-db, web)" in told and not docker_goes(told)
    site.put("docker", ["zun-4b8a"])
    told = site.play("teardown_docker", hosts="cn", check=True, __zun_dockerd={"rc": 0}, **given)[2]
    assert docker_goes(told) and "Docker stays" not in told
    site.program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    told = site.play("teardown_docker", hosts="cn", check=True, __zun_dockerd={"rc": 0}, **given)[2]
    assert "it does not tell which containers it has (Cannot connect to the Docker daemon)" in told and not docker_goes(told)
    # What a killed run has taken away already can have no containers.
    assert docker_goes(site.play("teardown_docker", hosts="cn", check=True, __zun_dockerd={"rc": 2}, **given)[2])


def test_the_clouds_own_overcommit_stays(site):
    """The charm writes initial ratios, and the plain ones only where nova-compute's options set them."""
    nova = site.folder / "nova.conf"
    nova.write_text(
        "[DEFAULT]\ninitial_cpu_allocation_ratio = 2.0\ninitial_ram_allocation_ratio=0.98\ninitial_disk_allocation_ratio = None\n"
        "ram_allocation_ratio = 1.2\nreserved_host_memory_mb = 2048\n"
    )
    ours = f"lookup('ansible.builtin.template', '{ROOT}/roles/zun/templates/nova.conf.j2')"
    shown = site.play("shared", "__zun_shared", ours, hosts="cn", zun_nova_config_files=[str(nova), str(site.folder / "none")])[0]
    assert {name: float(value) for name, value in shown["__zun_shared"].items()} == {
        "reserved_host_cpus": 0,
        "reserved_host_memory_mb": 2048,
        "reserved_host_disk_mb": 0,
        "cpu_allocation_ratio": 2.0,
        "ram_allocation_ratio": 1.2,
        "disk_allocation_ratio": 1.0,
    }
    # Nova hears in its addition what its own file leaves open, and nothing else.
    added = dict(line.split(" = ") for line in shown[ours].splitlines() if " = " in line)
    assert added == {"reserved_host_cpus": "0", "reserved_host_disk_mb": "0", "cpu_allocation_ratio": "2.0", "disk_allocation_ratio": "1.0"}


def test_teardown_asks_whether_a_host_has_containers(site):
    def look(**variables):
        return site.play("teardown_look", hosts="cn", **variables)

    look()
    site.program("dockerd", "echo Docker version 20.10")
    site.program("docker", "[ $1 = ps ]")
    look()
    site.program("docker", "echo 0123456789ab")
    assert "1 container(s) of Zun are on cn. Have their owners delete them" in look(fails=True)
    # A Docker that says nothing has not said that there are none.
    site.program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    told = look(fails=True)
    assert "cn does not tell which containers of Zun it has (Cannot connect to the Docker daemon). Start it (systemctl start docker), or set zun_teard" in told
    look(zun_teardown_containers=True)


class Stubbed(RolePlay):
    role = "zun"
    stubbed = ("keystone_service", "juju_status_info", "juju_action")


def test_teardown_unregisters_its_own_region(tmp_path):
    play = Stubbed(tmp_path)
    access = {"clouds": {"stratus": {"auth": {"auth_url": "http://127.0.0.1/v3"}, "region_name": "RegionTwo"}}}
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(access))
    play.answers = {"keystone_service": {"kept_for": ["RegionOne"]}}
    done, _changed, asked = play.play(
        "teardown_accounts", zun_clouds_file=str(tmp_path / "clouds.yaml"), zun_cloud="stratus", zun_client_host="here", **PASSWORDS
    )
    assert done.returncode == 0, done.stdout
    (call,) = [call for call in asked if call["module"] == "keystone_service"]
    assert (call["state"], call["region"]) == ("absent", "RegionTwo")
    assert "Keystone keeps the service zun and the users zun and kuryr, for Zun has endpoints in RegionOne." in done.stdout


class Cloud(http.server.BaseHTTPRequestHandler):
    """Keystone and Zun, as far as they are asked; ``containers``: those that there are, and whether Zun may delete them."""

    containers: ClassVar[dict] = {}
    asked: ClassVar[list] = []

    def log_message(self, *unused):
        pass

    def answer(self, status, body=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() if body is not None else b"")

    def do_POST(self):
        identity = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]["identity"]["password"]["user"]
        if identity["password"] != PASSWORDS[{"zun": "zun_password", "kuryr": "zun_kuryr_password"}[identity["name"]]]:
            return self.answer(401, {})
        return self.answer(201, {"token": {}}, **{"X-Subject-Token": "the-token"})

    def do_GET(self):
        self.asked.append(self.path)
        if self.headers["X-Auth-Token"] != "the-token":
            return self.answer(401, {})
        return self.answer(200, {"containers": [{"uuid": uuid, "name": f"name of {uuid}"} for uuid in self.containers]})

    def do_DELETE(self):
        self.asked.append(f"{self.path} {self.headers['OpenStack-API-Version']}")
        uuid = self.path.partition("?")[0].rpartition("/")[2]
        good = self.containers[uuid]
        if good:
            del self.containers[uuid]
        self.answer(204 if good else 409)


@pytest.fixture
def cloud(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"stratus": {"auth": {"auth_url": f"{url}/v3"}}}}))
        Cloud.asked.clear()
        yield {
            "zun_clouds_file": str(tmp_path / "clouds.yaml"),
            "zun_cloud": "stratus",
            "zun_endpoint_url": f"{url}/v1",
            "zun_timeout": 6,
            "zun_client_host": "api",
        }
        server.shutdown()


def test_zun_itself_removes_the_containers(site, cloud):
    Cloud.containers = {"u1": True, "u2": True}
    told = site.play("teardown_containers", hosts="cn:api", **cloud, **PASSWORDS)[2]
    wanted = [f"/v1/containers/{uuid}?force=true&all_projects=true container 1.20" for uuid in ("u1", "u2")]
    assert Cloud.asked == ["/v1/containers?all_projects=1", *wanted, "/v1/containers?all_projects=1"] and "Placement" not in told
    assert "the-token" not in told and PASSWORDS["zun_password"] not in told


def test_what_zun_does_not_remove_is_told_and_left_to_docker(site, cloud):
    Cloud.containers = {"u1": True, "u2": False}
    told = site.play("teardown_containers", hosts="cn:api", **cloud, **PASSWORDS)[2]
    assert "Zun has not removed u2. Docker removes" in told
    told = site.play("teardown_containers", hosts="cn:api", **cloud, **{**PASSWORDS, "zun_password": "another one"})[2]
    assert "Zun does not tell which containers there are" in told
    assert Cloud.containers == {"u2": False}


def test_verify_proves_the_password_of_each_account(tmp_path, cloud):
    play = Stubbed(tmp_path)
    play.answers = {"keystone_service": {"steps": []}}
    here = {**cloud, "zun_client_host": "here", "zun_api_hosts": ["here"], "zun_compute_hosts": [], "ansible_become": False}
    assert play.play("cloud", "verify_api", **here, **PASSWORDS)[0].returncode == 0
    for user, name in (("zun", "zun_password"), ("kuryr", "zun_kuryr_password")):
        done, *_rest = play.play("cloud", "verify_api", **here, **{**PASSWORDS, name: "another one"})
        assert done.returncode != 0 and f"Keystone gives the user {user} no token (401" in done.stdout, done.stdout
        assert "another one" not in done.stdout.replace("password is another one", "")
