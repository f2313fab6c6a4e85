from __future__ import annotations

import json
import types
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.stratus.cloud.plugins.action import maas_machine_wait as action
from ansible_collections.stratus.cloud.plugins.plugin_utils import progress

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(monkeypatch):
    """Runs the action with scripted slices; returns (result, arguments of each slice, lines printed)."""

    def run(results, args=None, check=False, async_val=0, task_vars=None):
        plugin = action.ActionModule.__new__(action.ActionModule)
        lines, calls, queue = [], [], list(results)
        plugin._task = types.SimpleNamespace(args={"machines": ["a"], **(args or {})}, check_mode=check, async_val=async_val)
        plugin._display = types.SimpleNamespace(display=lines.append)
        monkeypatch.setattr(action.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})

        def execute(module_args=None, task_vars=None, wrap_async=False):
            calls.append((dict(module_args), wrap_async))
            found = queue.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        plugin._execute_module = execute
        return plugin.run(task_vars=task_vars or {}), calls, lines

    return run


def part(number, **more):
    return {"changed": False, "unfinished": True, "resume": {"elapsed": number, "line": f"0/1 Ready; {number}"}, "progress": [f"line {number}"], **more}


INVOCATION = {"module_args": {"wait_slice": 5, "wait_resume": {}, "machines": ["a"]}}
LAST = {"changed": False, "progress": ["a: Testing -> Ready (00:40)"], "waited": 40.0, "invocation": INVOCATION}


def test_slices_are_joined_to_one_result(run):
    result, calls, lines = run([part(1, changed=True), part(2), dict(LAST)])
    assert [args.get("wait_resume", {}).get("elapsed") for args, wrap in calls] == [None, 1, 2]
    assert [args["wait_slice"] for args, wrap in calls] == [5, 10, 15]
    assert result["changed"]
    assert result["progress"] == ["line 1", "line 2", "a: Testing -> Ready (00:40)"]
    assert "unfinished" not in result
    assert result["invocation"]["module_args"] == {"machines": ["a"]}
    assert lines == ["  line 1", "  line 2", "  a: Testing -> Ready (00:40)"]


def test_a_failure_ends_it_and_keeps_what_was_changed(run):
    result, calls, _lines = run([part(1, changed=True), {"failed": True, "msg": "a is Broken"}])
    assert (result["failed"], result["changed"], len(calls)) == (True, True, 2)


@pytest.mark.parametrize("how", [{"check": True}, {"async_val": 60}, {"args": {"wait": False}}, {"args": {"wait": "no"}}, {"args": {"wait_slice": 3}}])
def test_no_slices_where_there_is_nothing_to_print(run, how):
    result, calls, lines = run([{"changed": True}], **how)
    assert len(calls) == 1
    assert calls[0][0].get("wait_slice") == how.get("args", {}).get("wait_slice")
    assert calls[0][1] is bool(how.get("async_val"))
    assert lines == []


def test_silence(run):
    assert run([part(1), dict(LAST)], task_vars={"stratus_progress": False})[2] == []


def test_a_connection_that_is_lost_between_two_slices_costs_its_time_and_no_more(run, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(action.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(action.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    away = AnsibleConnectionFailure("no route to host")
    result, calls, _lines = run([part(10, changed=True), away, away, dict(LAST)])
    assert [args.get("wait_resume", {}).get("elapsed") for args, _wrap in calls] == [None, 10, 15, 20]
    assert result["changed"] and not result.get("failed")

    result, calls, _lines = run([part(10, changed=True), *[away] * 9], {"wait_timeout": 30})
    assert (result["failed"], result["changed"], result["waited"], len(calls)) == (True, True, 30, 5)
    assert "no route to host" in result["msg"] and "0/1 Ready; 10" in result["msg"]
    with pytest.raises(AnsibleConnectionFailure):
        run([away])


def test_heartbeat(run, monkeypatch):
    now = iter(range(0, 10_000, 40))
    monkeypatch.setattr(action.time, "monotonic", lambda: next(now))
    quiet = [{**part(number), "progress": []} for number in range(1, 5)]
    lines = run([*quiet, dict(LAST, progress=[])])[2]
    assert lines
    assert all(line.startswith("  0/1 Ready") for line in lines)


@pytest.mark.parametrize(
    ("callback", "variables", "environ", "expected"),
    [
        ("default", {}, {}, True),
        ("ansible.builtin.default", {}, {}, True),
        ("ansible.posix.json", {}, {}, False),
        ("json", {"stratus_progress": True}, {}, False),
        ("oneline", {}, {}, False),
        ("default", {}, {"STRATUS_PROGRESS": "0"}, False),
        ("default", {"stratus_progress": "false"}, {}, False),
    ],
)
def test_who_reads_it(callback, variables, environ, expected):
    assert progress.wanted(variables, callback, environ) is expected


def test_every_waiting_module_runs_through_it():
    routed = {name for name, spec in yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["plugin_routing"]["modules"].items() if "action_plugin" in spec}
    waiting = {path.stem for path in (ROOT / "plugins/modules").glob("maas_*.py") if "- stratus.cloud.wait" in path.read_text()}
    assert routed | {"maas_machine_wait"} >= waiting


def test_resume_is_plain_data():
    json.dumps(part(1))
