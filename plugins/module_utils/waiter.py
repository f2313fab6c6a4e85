# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Waiting for a set of things. Pure: no Ansible, no network; clock and sleep are handed in.

Five parts: a deadline on a monotonic clock, a predicate of success, a predicate of failure, debounce, and the last state
of everything in the error. Faults that pass are tolerated until the deadline. The interval between polls starts small,
grows while nothing changes, shrinks again when something does, and never exceeds its bound.

``poll()`` returns {name: state}: everything, or only what it learnt anew; what it leaves out keeps its last state.
``judge(name, state)`` returns one of PENDING, DONE, FAILED. A state may be any value; ``show`` makes text of it.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

PENDING = "pending"
DONE = "done"
FAILED = "failed"

ABSENT = "absent"


class WaitError(Exception):
    """A wait that did not end well. ``outcome`` holds everything that is known."""

    def __init__(self, message, outcome):
        super().__init__(message)
        self.outcome = outcome


class WaitFailed(WaitError):
    """Something reached a state from which it does not come back by itself."""


class WaitTimeout(WaitError):
    """The deadline passed."""


@dataclass
class Outcome:
    states: dict = field(default_factory=dict)
    done: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    pending: list = field(default_factory=list)
    waited: float = 0.0
    polls: int = 0
    faults: int = 0
    last_fault: str | None = None
    # False when a slice of the wait ended and the wait itself did not.
    finished: bool = True
    line: str = ""
    lines: list = field(default_factory=list)
    # What was seen when: [seconds since the wait began, name, state as text], the first look included.
    history: list = field(default_factory=list)
    kind: str = "thing"

    def timeline(self):
        """The history as results carry it: [seconds, kind, name, state]."""
        return [[round(seconds, 1), self.kind, name, state] for seconds, name, state in self.history]

    def counts(self):
        return dict(Counter(str(state) for state in self.states.values()))


def duration(seconds):
    seconds = int(round(seconds))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def heartbeat_line(states, done, total, elapsed, timeout, goal="done"):
    """ "12/40 Ready, 26 Commissioning, 2 Testing; 06:10 of 30:00"."""
    counts = Counter(text for name, text in states.items() if name not in done)
    parts = [f"{len(done)}/{total} {goal}"] + [f"{number} {text}" for text, number in counts.most_common()]
    return f"{', '.join(parts)}; {duration(elapsed)} of {duration(timeout)}"


class Pace:
    """When to look again. ``bound`` is the longest pause, ``first`` the shortest."""

    def __init__(self, bound=10.0, first=1.0, growth=1.5, jitter=0.1, rng=random.random):
        self.bound = max(0.01, float(bound))
        self.first = min(float(first), self.bound)
        self.growth = growth
        self.jitter = jitter
        self.rng = rng
        self.now = self.first

    def changed(self):
        self.now = self.first

    def next(self, left, expected=None):
        """The pause before the next poll; ``left`` till the deadline, ``expected`` seconds till something is due, if known."""
        pause = min(self.now, self.bound)
        self.now = min(self.now * self.growth, self.bound)
        if expected is not None and expected >= 0:
            # Sleep towards the expected end, then look often around it.
            pause = self.first if expected <= self.bound / 2 else min(pause, expected)
        pause -= pause * self.jitter * self.rng()
        return max(0.0, min(pause, left))


class Waiter:
    def __init__(
        self,
        timeout,
        interval=10.0,
        first=1.0,
        successes=1,
        min_done=None,
        tolerate=(),
        heartbeat=60.0,
        show=str,
        emit=None,
        goal="done",
        fail_fast=False,
        clock=time.monotonic,
        sleep=time.sleep,
        rng=random.random,
        elapsed=0.0,
        slice_seconds=None,
        expected=None,
        bound=None,
        remedy="",
        kind="thing",
    ):
        """
        ``successes``: how many polls in a row must say DONE before a thing counts as done (things flap).
        ``min_done``: this many are enough, once nothing is pending any more; without it all are needed.
        ``tolerate``: exceptions of ``poll`` that pass by themselves.
        ``fail_fast``: end with the first failure; otherwise wait for the rest and then tell.
        ``elapsed``, ``slice_seconds``: a long wait may be run in slices; the deadline counts from the first one.
        ``expected(names)``: seconds till the next of them is due, or None.
        ``bound(names)``: the longest pause while these are pending, where ``interval`` is not it.
        ``kind``: what the names are names of, for the timeline.
        """
        self.timeout = float(timeout)
        self.successes = max(1, int(successes))
        self.min_done = min_done
        self.tolerate = tuple(tolerate)
        self.heartbeat = heartbeat
        self.show = show
        self.emit = emit
        self.goal = goal
        self.fail_fast = fail_fast
        self.clock = clock
        self.sleep = sleep
        self.pace = Pace(interval, first, rng=rng)
        self.elapsed_before = float(elapsed)
        self.slice_seconds = slice_seconds
        self.expected = expected
        self.bound = bound
        self.remedy = remedy
        self.kind = kind

    def run(self, names, poll, judge, known=None):
        """Wait until every name is done or failed. Returns the outcome; raises WaitFailed or WaitTimeout."""
        names = list(names)
        start = self.clock() - self.elapsed_before
        slice_end = None if self.slice_seconds is None else self.clock() + self.slice_seconds
        outcome = Outcome(states=dict.fromkeys(names, ABSENT), kind=self.kind)
        outcome.states.update({name: state for name, state in (known or {}).items() if name in outcome.states})
        outcome.history += [[self.elapsed_before, name, self.show(state)] for name, state in outcome.states.items() if state != ABSENT]
        streak = Counter()
        verdicts = dict.fromkeys(names, PENDING)
        told = self.clock()
        while True:
            news, fault = self._poll(poll, outcome)
            elapsed = self.clock() - start
            changed = self._take(outcome, news, elapsed)
            if not fault:
                self._judge(names, outcome, judge, verdicts, streak)
            outcome.done = [name for name in names if verdicts[name] == DONE]
            outcome.failed = [name for name in names if verdicts[name] == FAILED]
            outcome.pending = [name for name in names if verdicts[name] == PENDING]
            outcome.waited = elapsed
            if not outcome.pending or (self.fail_fast and outcome.failed):
                return self._end(names, outcome)
            if elapsed >= self.timeout:
                raise WaitTimeout(self._timeout_text(names, outcome), outcome)
            if slice_end is not None and self.clock() >= slice_end:
                outcome.finished = False
                outcome.line = heartbeat_line(self._texts(outcome), set(outcome.done), len(names), elapsed, self.timeout, self.goal)
                return outcome
            if changed:
                self.pace.changed()
                told = self.clock()
            elif self.heartbeat and self.clock() - told >= self.heartbeat:
                told = self.clock()
                self._line(outcome, heartbeat_line(self._texts(outcome), set(outcome.done), len(names), elapsed, self.timeout, self.goal))
            left = self.timeout - elapsed
            if slice_end is not None:
                left = min(left, slice_end - self.clock())
            # Something is nearly there and only has to be seen again: no reason to let it wait.
            if any(streak[name] for name in outcome.pending):
                self.pace.changed()
            if self.bound:
                self.pace.bound = max(0.01, self.bound(outcome.pending))
            self.sleep(self.pace.next(max(0.0, left), self.expected(outcome.pending) if self.expected else None))

    def _poll(self, poll, outcome):
        outcome.polls += 1
        try:
            return poll() or {}, False
        except self.tolerate as error:
            outcome.faults += 1
            outcome.last_fault = str(error)
            return {}, True

    def _take(self, outcome, news, elapsed):
        changed = False
        for name, state in news.items():
            before = outcome.states.get(name, ABSENT)
            if name in outcome.states and self.show(before) != self.show(state):
                changed = True
                outcome.history.append([elapsed, name, self.show(state)])
                # What a thing is at the first look is no change.
                if outcome.polls > 1 or before != ABSENT:
                    self._line(outcome, f"{name}: {self.show(before)} -> {self.show(state)} ({duration(elapsed)})")
            outcome.states[name] = state
        return changed

    def _judge(self, names, outcome, judge, verdicts, streak):
        for name in names:
            verdict = judge(name, outcome.states[name])
            if verdict == DONE:
                streak[name] += 1
                verdicts[name] = DONE if streak[name] >= self.successes else PENDING
            else:
                streak[name] = 0
                verdicts[name] = verdict

    def _texts(self, outcome):
        return {name: self.show(state) for name, state in outcome.states.items()}

    def _line(self, outcome, text):
        outcome.lines.append(text)
        if self.emit:
            self.emit(text)

    def _end(self, names, outcome):
        enough = len(names) if self.min_done is None else min(self.min_done, len(names))
        if len(outcome.done) >= enough:
            return outcome
        raise WaitFailed(self._failed_text(names, outcome), outcome)

    def _last(self, outcome, names, limit=20):
        listed = [f"{name} is {self.show(outcome.states[name])}" for name in names[:limit]]
        more = len(names) - limit
        return ", ".join(listed) + (f" and {more} more" if more > 0 else "")

    def _failed_text(self, names, outcome):
        text = f"{len(outcome.failed)} of {len(names)} failed after {duration(outcome.waited)}: {self._last(outcome, outcome.failed)}"
        if outcome.pending:
            text += f"; still under way: {self._last(outcome, outcome.pending)}"
        return text + (f". {self.remedy}" if self.remedy else "")

    def _timeout_text(self, names, outcome):
        text = f"Not {self.goal} within {duration(self.timeout)}: {self._last(outcome, outcome.pending)}"
        if outcome.failed:
            text += f"; failed: {self._last(outcome, outcome.failed)}"
        text += f"; {len(outcome.done)} of {len(names)} are {self.goal}"
        if outcome.last_fault:
            text += f"; last fault of {outcome.faults}: {outcome.last_fault}"
        return text + (f". {self.remedy}" if self.remedy else "")
