"""The lab's engine: order, restart, faults; no real time passes."""

from __future__ import annotations

import asyncio

import pytest

from lab.engine import Clock, Engine


@pytest.fixture
def engine(tmp_path):
    return Engine(Clock(start=1000.0, speed=0), path=tmp_path / "world.json")


def test_things_happen_in_order_at_the_time_they_were_due(engine):
    seen = []
    engine.handler("note", lambda what: seen.append((what, engine.now())))
    engine.after(20, "note", what="late")
    engine.after(10, "note", what="early")
    engine.clock.advance(15)
    assert engine.run_due() == 1
    engine.clock.advance(15)
    engine.run_due()
    assert seen == [("early", 1010.0), ("late", 1020.0)]


def test_a_chain_does_not_drift_when_the_queue_is_served_late(engine):
    times = []

    def step(left):
        times.append(engine.now())
        if left:
            engine.after(10, "step", left=left - 1)

    engine.handler("step", step)
    engine.after(10, "step", left=2)
    engine.clock.advance(500)
    engine.run_due()
    assert times == [1010.0, 1020.0, 1030.0]


def test_a_restart_goes_on_where_it_stopped(engine):
    engine.after(30, "ring", bell=3)
    engine.clock.advance(10)
    engine.save()
    again = Engine(path=engine.path)
    again.clock.speed = 0
    rung = []
    again.handler("ring", lambda bell: rung.append(bell))
    again.clock.advance(19)
    again.run_due()
    assert rung == []
    again.clock.advance(2)
    again.run_due()
    assert rung == [3]


def test_a_failing_handler_does_not_stop_the_world(engine):
    seen = []
    engine.handler("bad", lambda: 1 / 0)
    engine.handler("good", lambda: seen.append(1))
    engine.after(1, "bad")
    engine.after(2, "good")
    engine.clock.advance(3)
    engine.run_due()
    assert seen == [1]


def test_cancel_drops_only_what_matches(engine):
    engine.after(1, "x", machine="a")
    engine.after(1, "x", machine="b")
    assert engine.cancel("x", machine="a") == 1
    assert [q[3] for q in engine.state["queue"]] == [{"machine": "b"}]


def test_a_fault_is_used_up_and_fits_only_what_it_names(engine):
    engine.state["faults"].append({"name": "broken", "machine": "compute0", "times": 1})
    assert engine.fault("broken", machine="compute1") is None
    assert engine.fault("broken", machine="compute0")
    assert engine.fault("broken", machine="compute0") is None


async def test_until_wakes_on_a_change_and_gives_up_in_time(engine):
    waiter = asyncio.create_task(engine.until(lambda: engine.state.get("flag"), timeout=5))
    await asyncio.sleep(0)
    engine.state["flag"] = "up"
    engine.touch()
    assert await waiter == "up"
    assert await engine.until(lambda: False, timeout=0.01) is None
