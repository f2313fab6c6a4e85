from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, FAILED, PENDING, Pace, Waiter, WaitFailed, WaitTimeout, duration, heartbeat_line
from maas_fakes import Time


class Fault(Exception):
    pass


def judge(_name, state):
    return {"Ready": DONE, "Broken": FAILED}.get(state, PENDING)


def run(polls, names=("a",), time=None, **options):
    time = time or Time()
    queue = list(polls)

    def poll():
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    waiter = Waiter(options.pop("timeout", 100), clock=time.clock, sleep=time.sleep, rng=lambda: 0.0, tolerate=(Fault,), goal="Ready", **options)
    return waiter.run(names, poll, judge)


def test_returns_at_once_when_everything_is_there():
    outcome = run([{"a": "Ready"}])
    assert (outcome.done, outcome.polls, outcome.waited) == (["a"], 1, 0)


def test_an_answer_may_leave_out_what_did_not_change():
    outcome = run([{"a": "New", "b": "New"}, {}, {"b": "Ready"}, {"a": "Ready"}], names=("a", "b"))
    assert outcome.done == ["a", "b"]
    assert [line.rsplit(" (", 1)[0] for line in outcome.lines] == ["b: New -> Ready", "a: New -> Ready"]


def test_deadline_names_every_last_state():
    with pytest.raises(WaitTimeout) as caught:
        run([{"a": "Ready", "b": "Testing"}], names=("a", "b"), timeout=30, remedy="Look at its console")
    text = str(caught.value)
    assert "Not Ready within 00:30: b is Testing" in text
    assert "1 of 2 are Ready" in text
    assert text.endswith("Look at its console")
    assert caught.value.outcome.waited >= 30


def test_failure_waits_for_the_others_then_tells():
    time = Time()
    with pytest.raises(WaitFailed) as caught:
        run([{"a": "Broken", "b": "New"}, {}, {}, {"b": "Ready"}], names=("a", "b"), time=time)
    assert caught.value.outcome.done == ["b"]
    assert "1 of 2 failed" in str(caught.value)
    assert "a is Broken" in str(caught.value)


def test_fail_fast_does_not():
    with pytest.raises(WaitFailed) as caught:
        run([{"a": "Broken", "b": "New"}], names=("a", "b"), fail_fast=True)
    assert caught.value.outcome.pending == ["b"]
    assert "still under way: b is New" in str(caught.value)


def test_some_may_fail_when_enough_are_done():
    assert run([{"a": "Broken", "b": "Ready"}], names=("a", "b"), min_done=1).failed == ["a"]


def test_debounce_wants_it_several_times_in_a_row():
    outcome = run([{"a": "Ready"}, {"a": "New"}, {"a": "Ready"}, {"a": "Ready"}, {"a": "Ready"}], successes=3)
    assert outcome.polls == 5


def test_faults_pass_and_do_not_count_as_a_success():
    outcome = run([{"a": "Ready"}, Fault("503"), {"a": "Ready"}, {"a": "Ready"}], successes=3)
    assert (outcome.polls, outcome.faults, outcome.last_fault) == (4, 1, "503")


def test_faults_until_the_deadline_are_in_the_error():
    with pytest.raises(WaitTimeout, match="last fault of .*: connection refused"):
        run([Fault("connection refused")], timeout=20)


def test_other_exceptions_are_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        run([ZeroDivisionError()])


def test_pauses_grow_and_stay_below_their_bound():
    time = Time()
    with pytest.raises(WaitTimeout):
        run([{"a": "New"}], time=time, timeout=200, interval=10)
    assert time.slept[0] == 1.0
    assert max(time.slept) <= 10
    assert sorted(time.slept[:6]) == time.slept[:6]


def test_a_change_makes_it_look_often_again():
    time = Time()
    run([{"a": "New"}] + [{}] * 8 + [{"a": "Testing"}, {"a": "Ready"}], time=time)
    assert time.slept[8] > 5
    assert time.slept[9] == 1.0


def test_near_the_expected_end_it_looks_often():
    pace = Pace(bound=10, first=1, rng=lambda: 0.0)
    for _ in range(10):
        pace.next(1000)
    assert pace.next(1000, expected=300) == 10
    assert pace.next(1000, expected=7) == 7
    assert pace.next(1000, expected=2) == 1
    assert pace.next(0.5, expected=300) == 0.5


def test_jitter_only_shortens():
    assert 0.9 <= Pace(bound=10, first=1).next(100) <= 1.0


def test_heartbeat():
    lines = []
    with pytest.raises(WaitTimeout):
        run([{"a": "Testing"}], timeout=200, heartbeat=60, emit=lines.append)
    assert lines[0].startswith("0/1 Ready, 1 Testing; 01:")
    assert lines[0].endswith("of 03:20")
    states = {f"m{number}": "Ready" if number < 12 else "Commissioning" if number < 38 else "Testing" for number in range(40)}
    done = {name for name, state in states.items() if state == "Ready"}
    assert heartbeat_line(states, done, 40, 370, 1800, "Ready") == "12/40 Ready, 26 Commissioning, 2 Testing; 06:10 of 30:00"


def test_slices_share_one_deadline():
    time = Time()
    outcome = run([{"a": "New"}], time=time, timeout=100, slice_seconds=30)
    assert not outcome.finished
    assert 30 <= outcome.waited < 42
    with pytest.raises(WaitTimeout):
        run([{"a": "New"}], time=time, timeout=100, slice_seconds=90, elapsed=outcome.waited)
    assert time.now - 1000 < 115


def test_duration():
    assert [duration(value) for value in (0, 370, 3599.6, 7322)] == ["00:00", "06:10", "1:00:00", "2:02:02"]
