"""run_lock: one run at a time, whoever ended how. The last tests run real playbooks against this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import yaml
from ansible import context
from ansible.cli.playbook import PlaybookCLI
from ansible.utils.context_objects import CLIArgs
from ansible_collections.stratus.cloud.plugins.action import run_lock as action
from ansible_collections.stratus.cloud.plugins.module_utils import run_lock

from tests.support.processes import kill

ROOT = Path(__file__).resolve().parents[3]
ME = {"user": "a", "control": "here", "machine": "m1", "boot": "b1", "namespace": "pid:[1]", "pid": 10, "started": 100, "what": "site.yml", "since": "now"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "mine"),
        ({"pid": 11}, "alive"),
        ({"pid": 11, "started": 99}, "stale"),
        ({"pid": 12}, "stale"),
        ({"boot": "b0"}, "stale"),
        ({"control": "there"}, "elsewhere"),
        # Two control nodes that are both called ubuntu; and one of which nobody knows.
        ({"machine": "m2", "boot": "b0"}, "elsewhere"),
        ({"machine": "", "boot": "b0"}, "elsewhere"),
        ({"machine": None}, "elsewhere"),
        # Another container: its numbers of processes say nothing here.
        ({"namespace": "pid:[2]", "pid": 12}, "elsewhere"),
        ({"user": "b", "what": "teardown.yml"}, "mine"),
    ],
)
def test_verdict(change, expected):
    assert run_lock.verdict({**ME, **change}, ME, started={10: 100, 11: 100}.get) == expected


def test_containers_without_a_machine_id_know_each_other_by_name_until_the_next_boot():
    me = {**ME, "machine": ""}
    assert run_lock.verdict(me, me) == "mine"
    assert run_lock.verdict({**me, "boot": "b0"}, me) == "elsewhere"
    assert run_lock.verdict({**me, "boot": "b0", "machine": None}, me) == "elsewhere"
    assert run_lock.verdict({**me, "machine": None, "pid": 11, "started": 1}, me, started={10: 100}.get) == "stale"
    assert run_lock.verdict(ME, me) == "elsewhere"


def test_the_machine_id_is_told_by_its_hash_alone(tmp_path):
    file = tmp_path / "machine-id"
    assert run_lock.machine_of(str(file)) == ""
    for text in ("", "uninitialized\n"):
        file.write_text(text)
        assert run_lock.machine_of(str(file)) == ""
    known = set()
    for text in ("0" * 32, "1" * 32):
        file.write_text(f"{text}\n")
        known.add(run_lock.machine_of(str(file)))
        assert text not in known
    assert {len(one) for one in known} == {32} and len(known) == 2


def test_started_of_knows_this_process_and_no_other():
    assert run_lock.started_of(os.getpid()) > 0
    assert run_lock.started_of(2**22 + 1) is None
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert run_lock.started_of(zombie.pid) is None
    zombie.wait()


def test_a_run_of_another_user_lives_also_where_proc_does_not_show_it(tmp_path, monkeypatch):
    """Mounted with hidepid, /proc shows others' processes not at all, or lets nobody read in them. A signal of another user is refused there as elsewhere."""

    def kill_of(error):
        def kill(pid, signal):
            assert signal == 0
            if error:
                raise error

        return kill

    holder = {**ME, "pid": 11}
    hidden = partial(run_lock.started_of, proc=str(tmp_path))
    for error, expected in ((PermissionError(), "alive"), (ProcessLookupError(), "stale"), (None, "stale")):
        monkeypatch.setattr(run_lock.os, "kill", kill_of(error))
        assert run_lock.verdict(holder, ME, started=hidden) == expected
    # One that is shown is judged by what is shown, as before.
    (tmp_path / "11").mkdir()
    (tmp_path / "11/stat").write_text("11 (a) S " + "0 " * 18 + "99 0")
    monkeypatch.setattr(run_lock.os, "kill", kill_of(PermissionError()))
    assert run_lock.verdict(holder, ME, started=hidden) == "stale"


def test_no_process_has_what_is_no_number():
    for pid in (None, "unknown", 2**70):
        assert run_lock.started_of(pid) is None


def test_of_many_that_come_together_one_gets_it(tmp_path):
    path = str(tmp_path / "lock")
    everyone = [{**ME, "pid": number} for number in range(40)]
    with ThreadPoolExecutor(20) as pool:
        holders = list(pool.map(lambda me: run_lock.take(path, me), everyone))
    assert len({holder["pid"] for holder in holders}) == 1
    assert run_lock.read(path) == holders[0]


def test_only_the_named_holder_is_replaced(tmp_path):
    path = str(tmp_path / "lock")
    first, second, third = ({**ME, "pid": number} for number in (1, 2, 3))
    run_lock.take(path, first)
    assert run_lock.take(path, third, instead_of=second) == first
    assert run_lock.take(path, second, instead_of=first) == second
    assert run_lock.take(path, third, instead_of=first) == second


def test_check_mode_leaves_no_file(tmp_path):
    assert run_lock.take(str(tmp_path / "lock"), ME, write=False) == ME
    assert not list(tmp_path.iterdir())


def test_a_lock_is_given_back_by_its_owner_alone(tmp_path):
    path, other = str(tmp_path / "lock"), {**ME, "pid": 11}
    assert run_lock.give_back(path, ME) is None
    assert not list(tmp_path.iterdir()), "nothing was there, nothing is made"
    run_lock.take(path, ME)
    assert run_lock.give_back(path, other) == ME
    assert run_lock.give_back(path, ME, write=False) == ME
    assert run_lock.read(path) == ME
    assert run_lock.give_back(path, ME) is None
    assert run_lock.read(path) is None
    assert run_lock.take(path, other) == other


def test_a_part_gives_back_what_it_took_and_leaves_what_the_whole_run_took(tmp_path):
    path, cloud, network = str(tmp_path / "lock"), {**ME, "part": "cloud"}, {**ME, "part": "network"}
    run_lock.take(path, ME)
    assert run_lock.take(path, cloud) == run_lock.give_back(path, cloud) == ME
    assert run_lock.give_back(path, {**ME, "part": None}) is None
    run_lock.take(path, cloud)
    assert run_lock.take(path, network) == run_lock.give_back(path, network) == cloud
    assert run_lock.give_back(path, {**cloud, "pid": 11}) == cloud
    assert run_lock.give_back(path, cloud) is None and run_lock.read(path) is None


PARTS = ("controller", "network", "machines", "orchestrator", "cloud", "zun")
"""Of site.yml, those that write on the cloud."""


@pytest.mark.parametrize("part", PARTS)
def test_a_part_alone_takes_the_lock_before_all_else_and_gives_it_back_at_last(part):
    plays = [play for play in yaml.safe_load((ROOT / f"playbooks/{part}.yml").read_text()) if play["hosts"] != "localhost"]
    assert plays[0]["hosts"] == plays[-1]["hosts"] == "controller"
    for play, task, given in ((plays[0], plays[0]["tasks"][0], {"part": part}), (plays[-1], plays[-1]["tasks"][-1], {"part": part, "state": "absent"})):
        assert task["stratus.cloud.run_lock"] == given
        assert play.get("become") or task.get("become"), "/run is root's"
        assert "when" not in task


def test_every_playbook_that_takes_the_lock_gives_it_back():
    for path in (ROOT / "playbooks").glob("*.yml"):
        imported = [play.get("ansible.builtin.import_playbook") for play in yaml.safe_load(path.read_text())]
        for lock, unlock in (("lock.yml", "unlock.yml"), ("stratus.cloud.lock", "stratus.cloud.unlock")):
            assert (lock in imported[:1]) == (unlock in imported[-1:]) == (unlock in imported), path.name


def test_a_broken_lock_is_somebody_elses(tmp_path):
    (tmp_path / "lock").write_text("{")
    assert run_lock.verdict(run_lock.take(str(tmp_path / "lock"), ME), ME) == "elsewhere"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-i", "inventories/mine/hosts.yml", "playbooks/site.yml"], "site.yml"),
        (["-e", "@site-vars.yml", "teardown.yml"], "teardown.yml"),
        (["stratus.cloud.site", "-e", "@more.yml"], "stratus.cloud.site"),
        (["lock.yml", "playbooks/mine"], "lock.yml, mine"),
    ],
)
def test_the_playbook_is_told_from_what_is_given_with_it(monkeypatch, arguments, expected):
    line = PlaybookCLI(["ansible-playbook", *arguments])
    line.init_parser()
    monkeypatch.setattr(context, "CLIARGS", CLIArgs.from_options(line.parser.parse_args(line.args[1:])))
    assert action.playbook() == expected


def test_without_a_playbook_on_the_command_line_there_is_none(monkeypatch):
    for given in ({}, {"args": ()}, {"args": "localhost"}):
        monkeypatch.setattr(context, "CLIARGS", given)
        assert action.playbook() == "a playbook"


def start(tmp_path: Path, *arguments: str, seconds: int = 0, gives_back: bool = False) -> subprocess.Popen:
    playbook, lock = tmp_path / "site.yml", str(tmp_path / "lock")
    playbook.write_text(
        json.dumps(
            [
                {
                    "hosts": "localhost", "connection": "local", "gather_facts": False, "name": "Locked",
                    "vars": {"ansible_python_interpreter": sys.executable},
                    "tasks": [
                        {"name": "Lock", "stratus.cloud.run_lock": {"path": lock, "force": "{{ force | default(false) }}"}},
                        {"name": "Lock again", "stratus.cloud.run_lock": {"path": lock}},
                        {"name": "Work", "ansible.builtin.wait_for": {"timeout": seconds}, "when": bool(seconds)},
                        {"name": "Unlock", "stratus.cloud.run_lock": {"path": lock, "state": "absent"}, "when": gives_back},
                    ],
                }
            ]
        )
    )  # fmt: skip
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1"}
    more = tmp_path / "more.yml"
    more.write_text("more: true\n")
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-e", f"@{more}", str(playbook), *arguments]
    return subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def test_the_second_run_names_the_first_and_a_killed_one_is_taken_over(tmp_path):
    first = start(tmp_path, seconds=300)
    deadline = time.monotonic() + 60
    while not (tmp_path / "lock").exists():
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.1)
    try:
        looked = start(tmp_path, "--check")
        second = start(tmp_path)
        said = looked.communicate(timeout=120)[0]
        assert looked.returncode == 0, said
        assert f"process {first.pid}" in said
        said = second.communicate(timeout=120)[0]
        assert second.returncode != 0
        assert "Another run is at work on this cloud: site.yml by" in said and f"process {first.pid}" in said, said
    finally:
        kill(first.pid)
        first.wait()
    third = start(tmp_path)
    said = third.communicate(timeout=120)[0]
    assert third.returncode == 0, said
    assert "changed=0" in said
    held = json.loads((tmp_path / "lock").read_text())
    assert held["pid"] == third.pid

    (tmp_path / "lock").write_text(json.dumps({**held, "control": "elsewhere.example"}))
    refused = start(tmp_path)
    assert "stratus_lock_force" in refused.communicate(timeout=120)[0]
    forced = start(tmp_path, "-e", "force=true", gives_back=True)
    said = forced.communicate(timeout=120)[0]
    assert forced.returncode == 0, said
    assert "changed=0" in said
    assert not (tmp_path / "lock").exists(), "a run that is over left its lock"
    looked = start(tmp_path, "--check", gives_back=True)
    said = looked.communicate(timeout=120)[0]
    assert looked.returncode == 0 and "changed=0" in said, said
