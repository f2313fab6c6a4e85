"""The record of a run: what is kept of results, what never is, and how records are found again."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils import phases
from ansible_collections.stratus.cloud.plugins.plugin_utils import record
from ansible_collections.stratus.cloud.plugins.plugin_utils.containers import plain

from tests.support.runs import run

TABLE = phases.check_table({"source": "a table", "steps": {"A": 60}, "phases": [{"name": "one", "steps": ["A"]}]})


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def recorder():
    clock = Clock()
    log = phases.PhaseLog(TABLE, clock)
    log.play("one", "Play")
    log.task("Task")
    recorder = record.Recorder(log)
    recorder.clock = clock
    return recorder


def test_a_timeline_counts_from_the_beginning_of_its_task(recorder):
    recorder.clock.now += 5
    recorder.log.task("Wait")
    recorder.clock.now += 40
    timeline = [[0, "machine", "a", "New"], [12.5, "machine", "a", "Ready"], [99, "application", "k", "active", "Unit is ready"]]
    recorder.result("host", "Wait", True, {"waited": 40, "requests": 7, "timeline": timeline})
    assert recorder.seen.states["machine"]["a"] == [[5, "New", ""], [17.5, "Ready", ""]]
    assert recorder.seen.states["application"]["k"] == [[45, "active", "Unit is ready"]], "nothing was seen after the end of the task"
    assert recorder.requests == 7
    assert recorder.waits[0]["for"] == [["application", "k"], ["machine", "a"]], "the last to change first"


def test_only_changes_are_kept(recorder):
    for state in ("New", "New", "Ready", "Ready", "New"):
        recorder.seen.note(1, "machine", "a", state)
    assert [entry[1] for entry in recorder.seen.states["machine"]["a"]] == ["New", "Ready", "New"]


def test_machines_of_any_result_are_facts_and_only_named_fields_are_kept(recorder):
    machine = {"system_id": "x", "hostname": "a", "status": "Ready", "power_parameters": {"power_pass": "secret"}, "description": "hello", "interfaces": [
        {"name": "br-ex", "type": "bridge", "parents": ["eno1"], "links": [{"ip_address": "10.0.0.1"}, {"ip_address": None}], "params": {"x": 1}},
    ]}  # fmt: skip
    recorder.result("host", "Read", True, {"machines": [machine]})
    facts = recorder.seen.facts["machines"]["a"]
    assert facts["interfaces"] == [{"name": "br-ex", "type": "bridge", "parents": ["eno1"], "addresses": ["10.0.0.1"]}]
    assert set(facts) == {"hostname", "status", "interfaces"}


def test_modules_of_others_tell_nothing(recorder):
    recorder.result("host", "Task", False, {"machines": [{"system_id": "x", "hostname": "a", "status": "Ready"}], "waited": 3, "requests": 5})
    assert not recorder.seen.states and not recorder.waits and not recorder.requests


def test_items_of_a_loop_are_results(recorder):
    recorder.result("host", "Task", True, {"results": [{"waited": 2, "timeline": [[0, "machine", name, "Ready"]]} for name in "ab"] + ["odd"]})
    assert sorted(recorder.seen.states["machine"]) == ["a", "b"]
    assert len(recorder.waits) == 2


@pytest.mark.parametrize("odd", [{"machines": None}, {"machines": {"a": 1}}, {"timeline": None}, {"images": []}, {"status": "running"}, {"regions": "x"}])
def test_results_of_another_shape_do_no_harm(recorder, odd):
    recorder.result("host", "Task", True, odd)
    assert not recorder.seen.states


def test_a_job_lasts_from_its_start_to_the_end_of_its_wait(recorder):
    recorder.result("host", "Start", False, {"ansible_job_id": "j1", "finished": 0, "started": 1})
    recorder.clock.now += 30
    recorder.result("host", "Wait", True, {"ansible_job_id": "j1", "job_name": "The job", "finished": 1, "waited": 20})
    job = recorder.run({"phases": []})["jobs"][0]
    assert (job["name"], job["began"], job["ended"]) == ("The job", 0, 30)


def test_changes_are_counted_by_phase_and_failures_are_none(recorder):
    for changed, failed in ((True, False), (True, False), (False, False), (True, True)):
        recorder.result("host", "Task", False, {"changed": changed}, failed)
    assert recorder.run(recorder.log.report())["phases"][0]["changed"] == 2


def test_a_record_of_a_run_that_goes_on_has_its_times_so_far(recorder):
    recorder.clock.now += 7
    found = recorder.run(recorder.log.report(failed=True))
    assert (found["seconds"], found["phases"][0]["seconds"], found["phases"][0]["plays"][0]["seconds"]) == (7, 7, 7)
    assert found["tasks"] == [{"phase": "one", "name": "Task", "began": 0, "seconds": 7}]


def test_secrets_are_found_by_the_names_of_their_variables_however_deep():
    data = {
        "maas_admin_password": "password-one",
        "bmc": {"type": "ipmi", "password": "password-two"},
        "things": [{"api_key": {"value": ["password-three"], "unit": "keystone/0"}}],
        "short_password": "abc",
        "reference_password": "{{ other }}",
        "plain": "not a secret",
    }
    assert set(record.secret_values(data)) == {"password-one", "password-two", "password-three"}


class Vaulted:
    """What ansible-core makes of C(!vault) before 2.19: no text until it is asked for as one."""

    __ENCRYPTED__ = True

    def __init__(self, text):
        self.text = text

    def __str__(self):
        if self.text is None:
            raise ValueError("no vault secret opens it")
        return self.text


def test_a_value_of_an_older_vault_is_its_text():
    assert plain({"maas_admin_password": Vaulted("s3cretInline")}) == {"maas_admin_password": "s3cretInline"}
    assert list(record.secret_values([{"bmc": {"password": Vaulted("s3cretInline")}, "other_password": Vaulted(None)}])) == ["s3cretInline"]


def test_scrubbed_data_has_none_left_and_is_plain():
    class Text(str):
        pass

    data = {"a-password-one-b": [Text("x password-one y"), {"k": ("password-one-and-more", 1, None)}]}
    clean = record.scrub(data, ["password-one", "password-one-and-more"])
    assert clean == {"a-(hidden)-b": ["x (hidden) y", {"k": ["(hidden)", 1, None]}]}
    assert type(clean["a-(hidden)-b"][0]) is str
    assert record.scrub(Text("nothing"), []) == "nothing"


def test_records_are_private_named_by_time_and_the_oldest_go(tmp_path):
    folder = tmp_path / "site/state/runs"
    os.umask(0o022)
    for minute in range(record.KEPT + 3):
        path = record.save(folder, run(started=f"2026-05-01T10:{minute:02d}:00+00:00", playbook="Odd ../name.yml"))
    assert path.name == "20260501T105200-name.json"
    assert path.stat().st_mode & 0o777 == 0o600 and {place.stat().st_mode & 0o777 for place in (folder, *folder.parents[:2])} == {0o700}
    kept = record.paths(folder)
    assert len(kept) == record.KEPT and kept[0] == path
    assert not list(folder.glob(".*")), "nothing half-written is left"


def test_the_last_build_is_what_the_next_one_expects(tmp_path):
    assert record.expected(tmp_path / "none", "site.yml", TABLE, 60) == ({"one": 1.0}, "a table")
    assert record.expected(tmp_path / "none", "site.yml", TABLE, 60, ("thin", {})) == ({"one": 1.0}, "a table")
    assert record.expected(tmp_path / "none", "site.yml", TABLE, 2, ("thin", {"two": 30})) == ({"one": 30.0, "two": 15.0}, "the profile thin")
    record.save(tmp_path, run(started="2026-05-01T10:00:00+00:00"))
    record.save(tmp_path, run(started="2026-05-01T11:00:00+00:00", changed=0))
    record.save(tmp_path, run(started="2026-05-01T12:00:00+00:00", result="failed"))
    record.save(tmp_path, run(started="2026-05-01T13:00:00+00:00", playbook="teardown.yml"))
    (tmp_path / "20260501T140000-site.json").write_text("no json")
    assert record.expected(tmp_path, "site.yml", TABLE) == ({"machines": 20, "orchestrator": 40, "cloud": 40}, "last time")


def test_one_change_on_a_cloud_that_is_there_is_no_build(tmp_path):
    """Three builds of an hour, three runs of half a minute that changed one thing."""
    still = {kind: {name: states[-1:] for name, states in things.items()} for kind, things in run()["states"].items()}
    for hour in range(3):
        build = run(started=f"2026-05-01T1{hour}:00:00+00:00")
        record.save(tmp_path, {**build, "phases": [{**phase, "seconds": 1200} for phase in build["phases"]]})
        again = run(started=f"2026-05-02T1{hour}:00:00+00:00", changed=1, states=still)
        record.save(tmp_path, {**again, "phases": [{**phase, "seconds": 10, "changed": int(phase["name"] == "cloud")} for phase in again["phases"]]})
    assert record.expected(tmp_path, "site.yml", TABLE) == ({"machines": 1200, "orchestrator": 1200, "cloud": 1200}, "last time")


def test_what_a_build_is():
    phases_of = run()["phases"]
    still = {kind: {name: states[-1:] for name, states in things.items()} for kind, things in run()["states"].items()}
    assert record.built(run()) and record.built(run(states={})), "a controller has no machines yet"
    assert record.built(run(phases=[*phases_of, {"name": "verify", "changed": 0, "reference_steps": []}])), "what the reference does not time may be idle"
    assert not record.built(run(states=still)), "nothing became another state"
    assert not record.built(run(phases=[{**phase, "changed": 0 if phase["name"] == "machines" else 9} for phase in phases_of])), "a phase had been done before"
    assert not any(record.built(run(result=result)) for result in ("failed", "interrupted"))


def test_a_record_of_another_format_is_none(tmp_path):
    path = tmp_path / "20260501T100000-site.json"
    path.write_text(json.dumps(run(format=99)))
    assert record.load(path) is None
