"""The timing of phases: what belongs to which phase, and the table."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils import phases

ROOT = Path(__file__).resolve().parents[3]
TABLE = yaml.safe_load((ROOT / "playbooks/vars/table1.yml").read_text())


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def table():
    return phases.check_table(
        {
            "source": "by hand",
            "steps": {"A": 60, "B": 30, "C": 10},
            "phases": [{"name": "one", "steps": ["A", "B"]}, {"name": "two", "steps": ["C"]}, {"name": "end"}],
        }
    )


def ran(table, *plays):
    clock = Clock()
    record = phases.PhaseLog(table, clock)
    for phase, name, seconds in plays:
        record.play(phase, name)
        record.task("first")
        clock.now += seconds * 0.75
        record.task("second")
        clock.now += seconds * 0.25
    record.end()
    return record


def test_the_reference_is_the_whole_table_of_the_thesis():
    table = phases.check_table(TABLE)
    assert len(table["steps"]) == 25
    assert abs(sum(table["steps"].values()) - table["total"]) <= 1
    assert table["total"] == 3 * 3600 + 11 * 60 + 35


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"steps": {}, "phases": [{"name": "one", "steps": ["A"]}]}, "'A'"),
        ({"steps": {"A": 1}, "phases": [{"name": "one", "steps": ["A"]}, {"name": "two", "steps": ["A"]}]}, "two phases"),
        ({"steps": {"A": 1}, "phases": []}, "no phase"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(data, told):
    with pytest.raises(phases.TableError, match=told):
        phases.check_table(data)


def test_a_play_belongs_to_the_phase_of_its_tag_then_of_its_playbook(table):
    assert phases.phase_of(table, ["x", "two"], "/somewhere/one.yml:3") == "two"
    assert phases.phase_of(table, [], "/somewhere/one.yml:3") == "one"
    assert phases.phase_of(table, [], "/somewhere/other.yml:3") is None
    assert phases.phase_of(table, None, None) is None


def test_times_are_summed_by_phase_in_the_order_of_the_table(table):
    run = ran(table, ("two", "b", 4), ("one", "a", 8), ("two", "c", 2), (None, "stranger", 1)).report()
    assert [(phase["name"], phase["seconds"]) for phase in run["phases"]] == [("one", 8), ("two", 6), ("other", 1)]
    assert run["seconds"] == 15
    assert [phase["reference_seconds"] for phase in run["phases"]] == [90, 10, None]
    assert run["phases"][1]["slowest_tasks"][0] == {"name": "first", "seconds": 3}


def test_only_a_whole_run_is_set_against_the_sum(table):
    assert ran(table, ("one", "a", 1)).report()["reference_seconds"] is None
    assert ran(table, ("one", "a", 1), ("two", "b", 1)).report()["reference_seconds"] == 100


def test_the_phase_that_failed_is_marked(table):
    run = ran(table, ("one", "a", 1), ("two", "b", 1)).report(failed=True)
    assert [phase["stopped_here"] for phase in run["phases"]] == [False, True]
    assert any("two (stopped here)" in line for line in phases.lines(run))


def test_the_table_shows_real_and_scaled_times_beside_the_reference(table):
    run = ran(table, ("one", "a", 2), ("two", "b", 61)).report(scale=60)
    text = phases.lines(run)
    assert text[0].split() == ["Phase", "Time", "x60", "by", "hand", "its", "steps"]
    assert text[2].split() == ["one", "0:00:02", "0:02:00", "0:01:30", "A,", "B"]
    assert text[3].split() == ["two", "0:01:01", "1:01:00", "0:00:10", "C"]
    assert text[5].split() == ["total", "0:01:03", "1:03:00", "0:01:40"]
    assert "60 times faster" in text[-2]
    assert "x60" not in "\n".join(phases.lines(ran(table, ("one", "a", 2)).report()))


def test_long_lists_of_steps_are_wrapped():
    table = phases.check_table(TABLE)
    text = phases.lines(ran(table, ("machines", "a", 1)).report(), width=100)
    assert max(map(len, text)) <= 100
    assert "Node Commissioning" in "\n".join(text)
