"""The lab's engine: a virtual clock, a queue of things to come, one JSON state, and the waiters of the faces.

The whole world lives in ``Engine.state`` (JSON types only), so that a restart of the lab goes on where it stopped:
whatever shall happen later is an entry of the queue (a handler's name and its arguments), never a task or a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

LOG = logging.getLogger(__name__)
DATA = Path(__file__).parent / "data"


class Clock:
    """Virtual seconds since the epoch. ``speed`` virtual seconds pass in a real one; speed 0 stands still until ``advance``."""

    def __init__(self, start: float | None = None, speed: float = 60.0):
        self.speed = speed
        self._base = time.time() if start is None else start
        self._real = time.monotonic()

    def now(self) -> float:
        return self._base + (time.monotonic() - self._real) * self.speed

    def advance(self, seconds: float) -> None:
        self._base += seconds

    def real(self, virtual: float) -> float:
        """Real seconds that ``virtual`` seconds take; infinite when the clock stands."""
        return virtual / self.speed if self.speed else float("inf")


class Engine:
    """State, queue and log of one lab.

    ``state`` keys owned here: ``queue`` [[at, number, handler, args]], ``log`` [{at, kind, ...}], ``faults`` [{name, times, ...}],
    ``next`` (counters), ``requests`` (how many came, by face), ``now`` (virtual time of the last save). Everything else belongs to the world's modules.
    """

    def __init__(self, clock: Clock | None = None, path: Path | None = None, profile: str = "thesis", effects: Any = None):
        self.path = path
        self.state: dict[str, Any] = {"queue": [], "log": [], "faults": [], "next": {}, "now": None}
        if path and path.exists():
            self.state = json.loads(path.read_text())
        self.clock = clock or Clock(start=self.state["now"])
        self.profile: dict[str, float] = yaml.safe_load((DATA / "profiles" / f"{profile}.yml").read_text())
        self.effects = effects
        self.random = random.Random(self.state.setdefault("seed", 7))
        self.revision = 0
        self._handlers: dict[str, Callable[..., None]] = {}
        self._waiters: set[asyncio.Event] = set()
        self._wake = asyncio.Event()
        self._due: float | None = None

    # -- time ---------------------------------------------------------------------------------------------------------
    def now(self) -> float:
        """Virtual time; while a queued thing happens, the time it was due at (so chains do not drift)."""
        return self._due if self._due is not None else self.clock.now()

    def duration(self, name: str) -> float:
        """Virtual seconds of ``name`` in the profile file; a KeyError names what the profile lacks."""
        return float(self.profile[name])

    def handler(self, name: str, function: Callable[..., None]) -> None:
        """Register what ``after(..., name)`` calls. Functions are registered at start, so names survive a restart."""
        self._handlers[name] = function

    def after(self, seconds: float, name: str, **args: Any) -> None:
        """Let handler ``name`` be called with ``args`` (JSON types) ``seconds`` virtual seconds from now."""
        heapq.heappush(self.state["queue"], [self.now() + seconds, self.number("queue"), name, args])
        self.touch()

    def cancel(self, name: str, **match: Any) -> int:
        """Drop queued calls of ``name`` whose arguments contain ``match``; the number dropped."""
        keep = [q for q in self.state["queue"] if not (q[2] == name and all(q[3].get(k) == v for k, v in match.items()))]
        dropped = len(self.state["queue"]) - len(keep)
        heapq.heapify(keep)
        self.state["queue"] = keep
        return dropped

    def run_due(self) -> int:
        """Do everything that is due, in order; how many things happened."""
        done = 0
        while self.state["queue"] and self.state["queue"][0][0] <= self.clock.now():
            at, _number, name, args = heapq.heappop(self.state["queue"])
            self._due = at
            try:
                self._handlers[name](**args)
            except Exception:
                LOG.exception("%s(%s) failed", name, args)
            finally:
                self._due = None
            self.touch()
            done += 1
        return done

    async def run(self) -> None:
        """Serve the queue for ever and save the state when it changed, at most twice a second."""
        saved = -1
        while True:
            self.run_due()
            if saved != self.revision:
                saved = self.revision
                self.save()
            pause = 0.5
            if self.state["queue"]:
                pause = min(pause, max(0.0, self.clock.real(self.state["queue"][0][0] - self.clock.now())))
            self._wake.clear()
            # asyncio.wait_for of Python 3.11 may swallow a cancellation that comes as the event is set; a timeout does not.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0.005)):
                    await self._wake.wait()
            await asyncio.sleep(0)

    # -- state --------------------------------------------------------------------------------------------------------
    def number(self, series: str, start: int = 1) -> int:
        """The next number of a series (ids)."""
        value = self.state["next"].get(series, start)
        self.state["next"][series] = value + 1
        return value

    def log(self, kind: str, **what: Any) -> None:
        """Note something that happened, for timelines and tests."""
        self.state["log"].append({"at": round(self.now(), 3), "kind": kind, **what})

    def count(self, face: str) -> None:
        """One more request came to a face (``requests`` of the state, by face)."""
        requests = self.state.setdefault("requests", {})
        requests[face] = requests.get(face, 0) + 1

    def touch(self) -> None:
        """Say that the state changed: wakes long polls and the saver."""
        self.revision += 1
        for waiter in self._waiters:
            waiter.set()
        self._wake.set()

    def save(self) -> None:
        if self.path:
            self.state["now"] = self.clock.now()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(self.state))
            temporary.replace(self.path)

    async def until(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait (real ``timeout`` seconds) until ``predicate`` is truthy after some change; its value, or None on time-out."""
        deadline = None if timeout is None else time.monotonic() + timeout
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            while not (value := predicate()):
                event.clear()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                try:
                    async with asyncio.timeout(left):
                        await event.wait()
                except TimeoutError:
                    return None
            return value
        finally:
            self._waiters.discard(event)

    # -- faults -------------------------------------------------------------------------------------------------------
    def fault(self, name: str, **where: Any) -> dict | None:
        """The injected fault ``name`` that fits ``where`` (keys the fault does not name fit anything), used up once; else None."""
        for fault in self.state["faults"]:
            fits = all(k not in fault or fault[k] == v for k, v in where.items())
            if fault["name"] == name and fits and fault.get("times", 1) != 0:
                if fault.get("times", 1) > 0:
                    fault["times"] = fault.get("times", 1) - 1
                fault["struck"] = fault.get("struck", 0) + 1
                self.log("fault", name=name, **where)
                return fault
        return None
