"""The callback in real runs of ansible-playbook: what it prints, what it records, and what it never does."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ansible.release import __version__ as ansible_version
from ansible_collections.stratus.cloud.plugins.module_utils import phases
from ansible_collections.stratus.cloud.plugins.plugin_utils import progress

ROOT = Path(__file__).resolve().parents[3]
OLD = tuple(map(int, ansible_version.split(".")[:2])) < (2, 19)
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
HELLO = [{"name": "Say hello", "ansible.builtin.debug": {"msg": "hello"}}]
CHANGE = [{"name": "Change something", "ansible.builtin.command": "true"}]
TABLE = str(ROOT / "playbooks/vars/table1.yml")
SECRET = "correct-horse-battery"
VARIABLES = {
    "stratus_cloud_name": "test",
    "stratus_state_dir": "{{ inventory_dir }}/out",
    "stratus_time_scale": 60,
    "maas_admin_password": SECRET,
    "juju_connection": {"endpoint": "10.42.0.9:17070", "password": SECRET + "-of-juju"},
    "maas_subnet_cidr": "10.42.0.0/16",
}


@pytest.fixture
def site(tmp_path):
    """Runs a small site of two phases; returns the process."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts").write_text(f"[controller]\nhere ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    (tmp_path / "group_vars/all.yml").write_text(yaml.safe_dump(VARIABLES))

    def run(tasks, *arguments, env=None, runner=subprocess.run, last=HELLO):
        plays = [("First", "controller", tasks), ("Second", "controller", HELLO), ("Last", "access", last)]
        text = yaml.safe_dump([{"name": name, "hosts": "controller", "gather_facts": False, "tags": [tag], "tasks": todo} for name, tag, todo in plays])
        (tmp_path / "site.yml").write_text(text)
        # A table that is named is for playbooks of others, too.
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "STRATUS_PHASES_TABLE": TABLE, **(env or {})}
        argv = [PLAYBOOK, "-i", str(tmp_path / "hosts"), str(tmp_path / "site.yml"), *arguments]
        if runner is not subprocess.run:
            return runner(argv, environment)
        return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, stdin=subprocess.DEVNULL)

    return run


def records(tmp_path):
    return [json.loads(path.read_text()) for path in sorted((tmp_path / "out/runs").glob("*.json"))]


def test_a_run_is_announced_timed_and_recorded(site, tmp_path):
    done = site(HELLO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[1/2] controller, 0:00:00 so far; takes about 0:00:03, and 0:00:03 to the end (Table 1 of the thesis)" in done.stdout
    assert done.stdout.count("[1/2]") == 1, "a phase of two plays is announced once"
    assert "[2/2] access" in done.stdout
    table = done.stdout.rpartition("PHASES")[2]
    assert "controller" in table and "0:02:57" in table and "x60" in table
    assert "the cloud test is already there" in table
    assert "\x1b" not in done.stdout, "no terminal, no escapes"
    (run,) = records(tmp_path)
    assert (run["result"], run["changed"], run["time_scale"], run["cloud"], run["playbook"]) == ("ok", 0, 60, "test", "site.yml")
    assert [phase["name"] for phase in run["phases"]] == ["controller", "access"]
    assert [play["name"] for play in run["phases"][0]["plays"]] == ["First", "Second"]
    assert run["site"]["maas_subnet_cidr"] == "10.42.0.0/16"
    assert re.match(r"2\.\d+", run["versions"]["ansible-core"]) and run["versions"]["collection"] == "0.1.0"
    folder = tmp_path / "out/runs"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


def test_the_next_run_expects_what_the_last_build_took(site, tmp_path):
    assert "last time" not in site(CHANGE).stdout
    assert "(last time)" in site(HELLO).stdout
    assert len(records(tmp_path)) == 2


def test_a_failed_run_says_where_and_why(site, tmp_path):
    done = site([{"name": "Stumble", "ansible.builtin.fail": {"msg": f"the password is {SECRET}"}}])
    assert done.returncode != 0
    assert "controller (stopped here)" in done.stdout
    assert "already there" not in done.stdout
    (run,) = records(tmp_path)
    assert run["result"] == "failed"
    assert [(failure["task"], failure["host"], failure["message"]) for failure in run["failures"]] == [("Stumble", "here", "the password is (hidden)")]


LONG = [*CHANGE, {"name": "Take long", "ansible.builtin.command": "sleep 20"}]


def killed_by(number):
    """A runner that sends a run a signal when its second phase is at work; returns its code and what it printed."""

    def run(argv, environment):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if "TASK [Take long]" in line:
                    time.sleep(1)
                    process.send_signal(number)
                    if number == signal.SIGKILL:
                        break
        finally:
            # Only Ansible itself: a killed one leaves its worker, which ends by itself.
            process.kill()
            process.wait(20)
            process.stdout.close()
        return process.returncode, printed

    return run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 99), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_run_leaves_a_record_that_says_so(site, tmp_path, number, code):
    returned, printed = site(CHANGE, last=LONG, runner=killed_by(number))
    assert returned == code, printed
    (run,) = records(tmp_path)
    assert (run["result"], run["playbook"], run["cloud"]) == ("interrupted", "site.yml", "test")
    assert [(phase["name"], phase["changed"], phase["stopped_here"]) for phase in run["phases"]][0] == ("controller", 1, False)
    assert run["phases"][-1]["name"] == "access" and run["phases"][-1]["stopped_here"]
    (path,) = (tmp_path / "out/runs").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    if number == signal.SIGINT:
        assert "access (stopped here)" in printed.rpartition("PHASES")[2], printed
        assert run["changed"] == 2 and run["tasks"][-1]["name"] == "Take long" and run["tasks"][-1]["seconds"] >= 1
    assert "last time" not in site(HELLO).stdout


def test_what_a_long_phase_did_is_kept_meanwhile(monkeypatch):
    """Between two tasks, and not at each of them."""
    from ansible_collections.stratus.cloud.plugins.callback import progress as module

    class Task:
        name = "Task"

        def get_name(self):
            return self.name

    callback, kept, now = module.CallbackModule(), [], [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    callback.log = phases.PhaseLog(phases.check_table(yaml.safe_load(Path(TABLE).read_text())), module.time.monotonic)
    monkeypatch.setattr(callback, "_keep", lambda: (kept.append(now[0]), setattr(callback, "_kept", now[0])))
    callback.log.play("cloud", "Play")
    for now[0] in (1000.0, 1010.0, 1031.0, 1040.0, 1062.0):
        callback.v2_playbook_on_task_start(Task(), False)
    callback.log = None
    assert kept == [1000.0, 1031.0, 1062.0]


def test_a_secret_that_a_command_tells_is_not_asked_for_at_each_record(site, tmp_path):
    """It may be a call of a vault, or a person's time: once for all that is written meanwhile, once at the end."""
    asked = tmp_path / "asked"
    secret = f"{{{{ lookup('ansible.builtin.pipe', 'echo x >> {asked}; echo of-the-vault') }}}}"
    (tmp_path / "group_vars/all.yml").write_text(yaml.safe_dump({**VARIABLES, "a_password": secret}))
    site([{"name": "Say it", "ansible.builtin.debug": {"msg": "of-the-vault"}}])
    assert len(asked.read_text().splitlines()) == 2, "at the first of two phases, and at the end"
    (run,) = records(tmp_path)
    assert "of-the-vault" not in json.dumps(run)


def test_check_mode_records_nothing(site, tmp_path):
    assert "already there" in site(HELLO, "--check").stdout
    assert not (tmp_path / "out").exists()


def test_what_modules_saw_is_in_the_record_and_secrets_are_not(site, tmp_path):
    tasks = [
        {"name": "Name it", "ansible.builtin.set_fact": {"a_token": f"{SECRET}-by-a-fact"}},
        # Long enough for the record, which leaves out what takes no time.
        {"name": f"Use {SECRET}", "ansible.builtin.command": "sh -c 'sleep 0.2; echo {{ a_token }}'"},
        {"name": "Hide it", "ansible.builtin.fail": {"msg": "{{ a_token }}"}, "no_log": True, "ignore_errors": True},
        {"name": "Start", "ansible.builtin.command": "sleep 1", "async": 30, "poll": 0, "register": "started"},
        {"name": "Wait", "stratus.cloud.job_wait": {"jid": "{{ started.ansible_job_id }}", "name": "The sleeper"}},
    ]
    done = site(tasks)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = records(tmp_path)
    assert SECRET not in json.dumps(run)
    assert "Use (hidden)" in [task["name"] for task in run["tasks"]], run["tasks"]
    (job,) = run["jobs"]
    assert job["name"] == "The sleeper" and job["ended"] - job["began"] >= 1
    (wait,) = run["waits"]
    assert wait["task"] == "Wait" and wait["for"] == [["job", job["id"]]] and wait["phase"] == "controller"


def test_no_secret_of_a_host_that_the_last_play_is_not_for_is_recorded(site, tmp_path):
    (tmp_path / "hosts").write_text((tmp_path / "hosts").read_text() + f"[compute]\nnode bmc_password={SECRET}-of-a-bmc\n")
    assert site([{"name": f"Power on with {SECRET}-of-a-bmc", "ansible.builtin.command": "sleep 0.1"}]).returncode == 0
    (run,) = records(tmp_path)
    assert "-of-a-bmc" not in json.dumps(run) and any("(hidden)" in task["name"] for task in run["tasks"])


def test_a_cloud_without_hosts_is_not_called_there(site, tmp_path):
    (tmp_path / "hosts").write_text("[kontroller]\nhere ansible_connection=local\n")
    assert "already there" not in site(HELLO).stdout


def test_a_cloud_that_was_not_looked_at_is_not_called_there(site):
    assert "already there" not in site(HELLO, "--tags", "controller").stdout


def whole_site(tmp_path, variables, *arguments):
    """The real site.yml, with every task left out."""
    (tmp_path / "hosts").write_text(f"[controller]\nhere ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(yaml.safe_dump({"stratus_cloud_name": "test", "stratus_state_dir": str(tmp_path / "out"), **variables}))
    tags = "always,preflight,controller,network,machines,orchestrator,cloud,access,zun,verify"
    argv = [PLAYBOOK, "-i", str(tmp_path / "hosts"), str(ROOT / "playbooks/site.yml"), "--skip-tags", tags, *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if re.match(r"\[.+/.+\] ", line)]


def test_the_first_run_of_the_whole_site_knows_its_time_to_the_end_by_its_profile(tmp_path):
    told = whole_site(tmp_path, {"stratus_profile": "minimal"})
    if OLD:
        # What is switched off by the `when` of its import is told there; its time is none.
        told = [line.replace("/9]", "/7]") for line in told if "zun" not in line and "verify" not in line]
    assert len(told) == 7 and not any("zun" in line or "verify" in line for line in told), told
    assert re.fullmatch(r"\[5/7\] orchestrator, 0:00:\d\d so far; takes about 0:35:02, and 2:34:58 to the end \(the profile minimal\)", told[4]), told
    assert told[0].endswith("2:42:51 to the end (the profile minimal)")


def test_what_is_switched_on_is_counted_and_what_the_inventory_says_of_its_phases_holds(tmp_path):
    profile = {"stratus_profile": "mine", "stratus_profile_phases": {"controller": 60, "network": 60, "machines": 60, "orchestrator": 60, "cloud": 3600}}
    told = whole_site(tmp_path, {**profile, "zun_enabled": True}, "-e", "verify=yes")
    assert told[0].startswith("[1/9] preflight") and told[0].endswith("1:04:00 to the end (the profile mine)")
    assert [line.partition(",")[0] for line in told[6:]] == ["[7/9] access", "[8/9] zun", "[9/9] verify"]


def test_phases_of_an_inventory_that_are_none_are_not_used(tmp_path):
    told = whole_site(tmp_path, {"stratus_profile": "minimal", "stratus_profile_phases": {"cloud": "long"}})
    assert told[0].endswith("(the profile minimal)")


@pytest.mark.parametrize("env", [{"STRATUS_PROGRESS": "0"}, {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}])
def test_silence_where_it_is_asked_for(site, tmp_path, env):
    done = site(HELLO, env=env)
    assert "[1/2]" not in done.stdout
    if "ANSIBLE_STDOUT_CALLBACK" in env:
        assert json.loads(done.stdout)["stats"]["here"]["failures"] == 0
    assert len(records(tmp_path)) == 1


def test_it_warns_of_nothing(site):
    done = site(HELLO, env={"ANSIBLE_DEPRECATION_WARNINGS": "1"})
    assert "WARNING" not in done.stderr + done.stdout and "DEPRECATION" not in done.stderr + done.stdout


def test_the_callback_may_come_from_elsewhere_than_the_playbook(tmp_path):
    """As in an execution environment: the callback is the installed collection's, the playbook the project's."""
    for name in ("stratus", "others"):
        (tmp_path / name / "playbooks").mkdir(parents=True)
        (tmp_path / name / "galaxy.yml").write_text(f"namespace: {name}\nname: cloud\nversion: 1.0.0\n")
        play = {"name": "Look", "hosts": "localhost", "gather_facts": False, "tags": ["machines"], "tasks": HELLO}
        (tmp_path / name / "playbooks/machines.yml").write_text(yaml.safe_dump([play]))
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "STRATUS_RUNS_DIR": str(tmp_path / "runs" / name)}
        argv = [PLAYBOOK, "-i", "localhost,", "-c", "local", str(tmp_path / name / "playbooks/machines.yml")]
        assert subprocess.run(argv, capture_output=True, cwd=ROOT, env=environment, timeout=60).returncode == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["stratus"]


def test_giving_the_lock_back_is_no_phase_of_its_own(tmp_path):
    looks = tmp_path / "stratus/playbooks"
    looks.mkdir(parents=True)
    (tmp_path / "stratus/galaxy.yml").write_text("namespace: stratus\nname: cloud\nversion: 1.0.0\n")
    play = {"name": "Look", "hosts": "localhost", "gather_facts": False, "tasks": HELLO}
    for name in ("access", "unlock"):
        (looks / f"{name}.yml").write_text(yaml.safe_dump([play]))
    (looks / "whole.yml").write_text(yaml.safe_dump([{"ansible.builtin.import_playbook": f"{name}.yml"} for name in ("access", "unlock")]))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "STRATUS_RUNS_DIR": str(tmp_path / "out/runs")}
    argv = [PLAYBOOK, "-i", "localhost,", "-c", "local", str(looks / "whole.yml")]
    assert subprocess.run(argv, capture_output=True, cwd=ROOT, env=environment, timeout=60).returncode == 0
    (run,) = records(tmp_path)
    assert [(phase["name"], len(phase["plays"])) for phase in run["phases"]] == [("access", 2)]


def test_playbooks_of_others_are_left_alone(tmp_path):
    play = {"name": "Other", "hosts": "localhost", "gather_facts": False, "tags": ["machines"], "tasks": HELLO}
    (tmp_path / "cloud.yml").write_text(yaml.safe_dump([play]))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "STRATUS_RUNS_DIR": str(tmp_path / "runs")}
    done = subprocess.run(
        [PLAYBOOK, "-i", "localhost,", "-c", "local", str(tmp_path / "cloud.yml")], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60
    )
    assert done.returncode == 0
    assert "PHASES" not in done.stdout
    assert not (tmp_path / "runs").exists()


def on_a_terminal(argv, environment):
    """Run under a pseudo terminal of 100 columns and 30 rows; everything that was written to it."""
    import fcntl
    import struct
    import termios

    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.chdir(ROOT)
        os.execvpe(argv[0], argv, {**environment, "TERM": "xterm"})
    written = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.waitpid(pid, 0)
    os.close(master)
    return written.decode()


def test_the_last_line_of_a_terminal_is_the_status_and_is_given_back(site):
    job = [
        {"name": "Start", "ansible.builtin.command": "sleep 8", "async": 30, "poll": 0, "register": "started"},
        {"name": "Wait", "stratus.cloud.job_wait": {"jid": "{{ started.ansible_job_id }}", "name": "The sleeper", "wait_timeout": 30}},
    ]
    written = site(job, runner=on_a_terminal)
    assert "\x1b[1;29r" in written, "the last of 30 lines is kept from scrolling"
    lines = re.findall(r"\x1b7\x1b\[30;1H\x1b\[2K\x1b\[7m (.*?) \x1b\[0m\x1b8", written)
    assert any("[1/2] controller" in line and "The sleeper runs" in line for line in lines), lines
    assert max(map(len, lines)) <= 98
    assert written.index("PHASES") > written.rindex("\x1b[r"), "given back before the table"
    assert "The sleeper still runs" not in written


AWX = """
from ansible.plugins.callback.default import CallbackModule as Default
DOCUMENTATION = '''
name: awx_display
type: stdout
short_description: Stands for the one of ansible-runner
extends_documentation_fragment: [default_callback]
'''
class CallbackModule(Default):
    CALLBACK_NAME = "awx_display"
"""


def test_a_job_of_awx_has_the_lines_and_no_line_at_the_foot(site, tmp_path):
    (tmp_path / "awx").mkdir()
    (tmp_path / "awx/awx_display.py").write_text(AWX)
    written = site(HELLO, env={"ANSIBLE_STDOUT_CALLBACK": "awx_display", "ANSIBLE_CALLBACK_PLUGINS": str(tmp_path / "awx")}, runner=on_a_terminal)
    assert "[1/2] controller" in written and "PHASES" in written
    assert "\x1b[1;29r" not in written and "\x1b7" not in written


def test_the_callback_of_ansible_runner_is_for_whom_the_one_is_that_it_wraps(monkeypatch):
    assert progress.wanted({}, "awx_display", {})
    monkeypatch.setenv("ORIGINAL_STDOUT_CALLBACK", "ansible.posix.json")
    assert not progress.wanted({}, "awx_display", {})


def test_what_others_call_their_machines_cannot_move_the_cursor():
    now = iter(range(0, 1000))
    status = progress.Status(["one", "two"], {"one": 10, "two": 20}, lambda: next(now))
    status.enter("one")
    line = status.line("evil\x1b[2J\r\n\u202ename")
    assert "evil?[2J???name" in line
    assert line.split(" · ")[1:3] == ["[1/2] one", "0:00:01 of about 0:00:10"]


def test_what_is_left_is_told_when_any_of_it_is_known():
    status = progress.Status(["one", "two"], {"one": 10}, lambda: 0)
    status.enter("one")
    assert status.left() == 10
    status.enter("two")
    assert status.left() is None and "left" not in status.line() and "━" not in status.line()
    status = progress.Status(["one", "two"], {"one": 0}, lambda: 0)
    status.enter("one")
    assert status.left() is None, "nothing but a phase that takes no time is known"
    status = progress.Status(["one", "two"], {"one": 10, "two": 20}, lambda: 0)
    status.enter("one")
    assert status.left() == 30
    status.enter("two")
    assert status.left() == 20
    status.enter("stranger")
    assert status.left() is None and status.place() == "[-/2] stranger"


def test_states_are_counted_by_kind():
    timeline = [[0, "machine", "a", "New"], [0, "machine", "b", "New"], [4, "machine", "a", "Ready"], [4, "application", "k", "active", "Unit is ready"]]
    assert progress.counted(timeline) == "machines: 1 Ready, 1 New; applications: 1 active"


def test_time_of_day_is_the_clock_of_the_table():
    assert progress.clock is phases.clock
