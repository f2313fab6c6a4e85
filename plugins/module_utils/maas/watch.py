# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Watching a set of machines without burdening the region.

A region pays 20-28 ms for every machine that it returns and has no way to return less of one; an event query costs 30 ms
whatever the number of machines. So, for the whole set:

- every tick asks for the events after the last one seen (level DEBUG: a change of status is written nowhere else);
- when events say that machines have arrived, the region is asked which of these are *not* in that status: the answer is
  empty as a rule, and costs the same for one and for five hundred. A few are simply read, which tells more. Neither happens
  more often than ``interval``, unless few are waited for or all of them have rung;
- machines that arrived are read for their details in small batches while others are still waited for, and at the end; of
  a set of more than five hundred only when somebody asked for them;
- now and then a read of all pending ids, filtered by ``not_status`` so that only those that left come back, for events that
  were lost or whose text is not understood;
- rarely an unfiltered read of the machines that showed no sign of life, twenty at most: a deleted machine is in no filtered
  answer and in no event, but it delays nobody while others are still under way.

The more are pending, the longer a pause may be without anybody noticing: a region starts and hears machines one after the
other, so that a thousand never arrive within the same ten seconds, and the first to arrive makes the pauses short again.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, Unreachable, passing, patience
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import by_ids, lookup, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import CONSTANTS, FAILED, STUCK_AFTER, TRANSITIONAL, USUAL, machine_status
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, PENDING, Waiter, WaitFailed, WaitTimeout
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import FAILED as VERDICT_FAILED

CHANGE = re.compile(r"to '([^']+)'\s*$")
EVENT_LIMIT = 1000
# Above this many machines the ids are left out of the event query: other machines' events cost less than a second request.
ID_LIMIT = 500
# So many machines are read without a second thought: half a second of a region.
FEW = 20
# For so many seconds after its usual length a status is still looked at often.
OVERDUE = 15.0
# The bell is cheap: this pause keeps the reaction short, whatever the interval of the reads is.
BELL = 1.5
# Pending machines for each second of a pause: a region needs over 0.1 s to start one, so their ends are ten times that far apart.
PER_SECOND = 100
VANISHED = "vanished"
ABSENT = "absent"
# Script results that count as a failure: failed, timed out, aborted, degraded, and failures to install or to apply.
FAILED_SCRIPTS = frozenset((3, 4, 5, 6, 8, 11))


class Watch:
    """What is known of each machine, kept up to date by ``poll``."""

    def __init__(self, client, ends, interval=10.0, sweep=60.0, silence=300.0, rest=50, clock=time.monotonic):
        """``ends``: status names at which a machine is done or lost, as far as this wait is concerned."""
        self.client = client
        self.ends = frozenset(ends)
        self.interval = interval
        self.sweep = max(sweep, interval)
        self.silence = silence
        self.rest = rest
        self.clock = clock
        self.status = {}  # system_id -> status
        self.names = {}  # system_id -> what people call it
        self.machines = {}  # system_id -> summary of the machine as last read
        self.details = False  # somebody asked for the details of all of them
        self.wanted = {}  # name -> None: names that no machine has yet
        self.last_event = None
        self.rung = {}  # system_id -> status that an event told, or None when its text was not understood
        self.stale = set()  # arrived, but not read since
        self.alive = {}
        self.next_read = self.next_sweep = self.next_absent = self.next_silent = self.next_details = 0.0

    def add(self, name, machine):
        system_id = machine["system_id"]
        self.names[system_id] = name
        self.machines[system_id] = summary(machine)
        self.status[system_id] = machine_status(machine)
        self.alive[system_id] = self.clock()

    def expect(self, name):
        """A machine that does not exist yet."""
        self.wanted[name] = None

    def start(self):
        """Where the events stand; to be called before the statuses are read, so that no change falls between."""
        try:
            answer = self.client.call("Events", "query", data={"level": "DEBUG", "limit": 1}, what="read events")
        except ApiError:
            # Without events the sweep has to do all the work.
            self.last_event = None
            return
        events = answer.get("events") or []
        self.last_event = max((event["id"] for event in events), default=0)

    def save(self):
        """Everything that a later slice of the wait needs, as plain data."""
        now = self.clock()
        return {
            "last_event": self.last_event,
            # Slices are shorter than what these wait for: a later one has to go on counting.
            "quiet": {system_id: now - heard for system_id, heard in self.alive.items()},
            "due": [self.next_sweep - now, self.next_silent - now],
            "wanted": sorted(self.wanted),
            "rung": self.rung,
            "stale": sorted(self.stale),
            "machines": [[name, self.status[system_id], self.machines[system_id]] for system_id, name in self.names.items()],
        }

    def restore(self, saved):
        self.last_event = saved.get("last_event")
        self.wanted = dict.fromkeys(saved.get("wanted") or ())
        for name, status, machine in saved.get("machines") or ():
            self.add(name, machine)
            self.status[machine["system_id"]] = status
        self.rung = dict(saved.get("rung") or {})
        self.stale = set(saved.get("stale") or ())
        now = self.clock()
        self.alive.update({system_id: now - age for system_id, age in (saved.get("quiet") or {}).items()})
        self.next_sweep, self.next_silent = (now + left for left in saved.get("due") or (0.0, 0.0))

    def known(self):
        return {**{self.names[system_id]: status for system_id, status in self.status.items()}, **dict.fromkeys(self.wanted, ABSENT)}

    def pending(self):
        return [system_id for system_id, status in self.status.items() if status not in self.ends and status != VANISHED]

    def poll(self):
        """{name: status} of whatever is new."""
        now = self.clock()
        before = dict(self.status)
        if self.wanted and now >= self.next_absent:
            self._appear()
            self.next_absent = self.clock() + min(self.interval, 5.0)
        pending = self.pending()
        if pending or self.rung:
            bell = self._listen(pending)
            urgent = len(pending) <= FEW or set(pending) <= set(self.rung)
            if self.rung and (urgent or now >= self.next_read):
                self._confirm()
                self.next_read = self.clock() + self.interval
            pending = self.pending()
            if pending and (not bell or now >= self.next_sweep):
                self._sweep(pending)
                self.next_sweep = self.clock() + (self._gap(pending) if bell else self.interval)
            pending = self.pending()
            self._look_for_silent(pending)
            if self.stale and pending and now >= self.next_details and (self.details or len(self.status) <= ID_LIMIT):
                self._read(sorted(self.stale)[: self.rest])
                self.next_details = self.clock() + self.interval
        return {self.names[system_id]: status for system_id, status in self.status.items() if before.get(system_id) != status}

    def _gap(self, pending):
        """A sweep that takes twice the requests comes half as often."""
        return self.sweep * max(1, -(-len(pending) // ID_LIMIT))

    def _appear(self):
        for name, machine in lookup(self.client, list(self.wanted), summary).items():
            if machine is not None:
                del self.wanted[name]
                self.add(name, machine)

    def _listen(self, pending):
        """Take the events since the last one. False when the region tells none."""
        if self.last_event is None:
            return False
        query = {"level": "DEBUG", "limit": EVENT_LIMIT}
        if 0 < len(pending) <= ID_LIMIT:
            query["id"] = sorted(set(pending) | set(self.rung))
        while True:
            events = self.client.call("Events", "query", data={**query, "after": self.last_event}, what="read events").get("events") or []
            for event in sorted(events, key=lambda event: event["id"]):
                self.last_event = max(self.last_event, event["id"])
                self._hear(event)
            if len(events) < EVENT_LIMIT:
                return True

    def _hear(self, event):
        system_id = event.get("node")
        if system_id not in self.status:
            return
        self.alive[system_id] = self.clock()
        if event.get("type") != "Node changed status":
            return
        told = CHANGE.search(event.get("description") or "")
        status = told.group(1) if told else None
        if status in TRANSITIONAL and status not in self.ends:
            # On the way, whatever it was before: worth a line, not a read.
            self.status[system_id] = status
            self.rung.pop(system_id, None)
        else:
            self.rung[system_id] = status if status in CONSTANTS else None

    def _take(self, machine):
        system_id = machine["system_id"]
        self.status[system_id] = machine_status(machine)
        self.machines[system_id] = summary(machine)
        self.alive[system_id] = self.clock()
        self.stale.discard(system_id)

    def _confirm(self):
        """Is it true what the events say of those that rang?"""
        rung, self.rung = self.rung, {}
        told = {system_id: status for system_id, status in rung.items() if status is not None}
        if len(rung) <= FEW:
            return self._read(list(rung))
        self._read([system_id for system_id in rung if system_id not in told])
        contradicted = by_ids(self.client, list(told), summary, not_status=sorted({CONSTANTS[status] for status in told.values()}))
        for machine in contradicted:
            self._take(machine)
        for system_id in set(told) - {machine["system_id"] for machine in contradicted}:
            self.status[system_id] = told[system_id]
            self.machines[system_id] = {**self.machines[system_id], "status": told[system_id]}
            self.stale.add(system_id)
        return None

    def finish(self):
        """Read what is not read yet, unless that would take the region long and nobody asked for it."""
        if self.stale and (self.details or len(self.stale) <= FEW):
            with suppress(ApiError, Unreachable):
                self._read(sorted(self.stale))

    def _read(self, ids):
        if not ids:
            return
        found = by_ids(self.client, ids, summary)
        for machine in found:
            self._take(machine)
        for system_id in set(ids) - {machine["system_id"] for machine in found}:
            self.status[system_id] = VANISHED

    def _sweep(self, pending):
        waiting = sorted({CONSTANTS[status] for status in (set(CONSTANTS) - self.ends)})
        for machine in by_ids(self.client, pending, summary, not_status=waiting):
            self._take(machine)

    def _look_for_silent(self, pending):
        now = self.clock()
        if now < self.next_silent:
            return
        silent = sorted((system_id for system_id in pending if now - self.alive[system_id] >= self.silence), key=self.alive.get)
        if silent:
            self.next_silent = now + self._gap(pending)
            self._read(silent[:FEW])


def failures_for(goal):
    """Statuses from which a machine does not reach the goal by itself."""
    return FAILED - frozenset(goal)


def judge_for(goal, clock, stuck_after=None, failing=None):
    """The predicate of a wait: (name, status) -> verdict. Knows since when a machine is in its status, and when that is too long."""
    goal = frozenset(goal)
    failing = failures_for(goal) if failing is None else frozenset(failing) - goal
    since = {}

    def judge(name, status):
        before = since.get(name)
        if before is None or before[0] != status:
            since[name] = before = (status, clock())
        if status in goal:
            return DONE
        if status in failing or status == VANISHED:
            return VERDICT_FAILED
        limit = stuck_after if stuck_after else STUCK_AFTER.get(status)
        if status in TRANSITIONAL and limit and clock() - before[1] >= limit:
            return VERDICT_FAILED
        return PENDING

    judge.since = since
    return judge


def due(judge, clock):
    """Seconds till the first of some machines is usually through with its status, as long as that is ahead or just past.

    None for many machines: among them one is always due, and their arrivals set the pace themselves.
    """

    def expected(names):
        if len(names) > FEW:
            return None
        ages = (judge.since.get(name, (None, 0.0)) for name in names)
        left = [start + USUAL[status] - clock() for status, start in ages if status in USUAL]
        near = [seconds for seconds in left if seconds >= -OVERDUE]
        return max(min(near), 0.0) if near else None

    return expected


def events_of(client, system_id, limit=20):
    """A machine's last events of interest, the newest last; None when the region does not tell."""
    try:
        answer = client.call("Events", "query", data={"id": system_id, "level": "INFO", "limit": limit}, what="read events")
    except ApiError:
        return None
    return sorted(answer.get("events") or [], key=lambda event: event["id"])


# What a region notes of a machine that boots from the network (provisioningserver/events.py of MAAS), the last of them first, and what it
# means when nothing came after it.
BOOT_STAGES = (
    ("Gathering information", "it ran the scripts of the region, and never told how they ended: see that it keeps reaching the region's address"),
    ("Loading ephemeral", "it loaded its system and never spoke to the region from there: see that it reaches the region's address, and its console"),
    ("Performing PXE boot", "it asked for its boot files by PXE and did not come up with them: see its firmware's boot mode, and TFTP and HTTP of the rack"),
)
NEVER_SEEN = "nothing was seen of it on the network, neither DHCP nor PXE: see its power, its cable, its boot order, and DHCP on its VLAN"
COMMISSIONING = ("Commissioning", "Failed commissioning")


def stage_of(status, scripts, events):
    """At which stage a commissioning stopped, in words; empty where the scripts that failed tell it, or nothing does."""
    types = [event["type"] for event in events or []]
    if scripts or status not in COMMISSIONING or COMMISSIONING[0] not in types:
        return ""
    since = types[len(types) - 1 - types[::-1].index(COMMISSIONING[0]) :]
    return next((words for kind, words in BOOT_STAGES if kind in since), NEVER_SEEN)


def failed_scripts(client, system_id):
    """Names of the scripts that failed in the machine's last runs."""
    try:
        runs = client.read("NodeScriptResults", {"system_id": system_id}, what="read script results")
    except ApiError:
        return []
    return sorted({result["name"] for run in runs or [] for result in run.get("results") or [] if result.get("status") in FAILED_SCRIPTS})


REMEDY = {
    "Failed commissioning": "run it again with maas_machine_state state=ready (add enable_ssh to look at the machine)",
    "Failed testing": "replace the part that failed, or accept it with maas_machine_state state=ready override_failed_testing=true",
    "Failed deployment": "release it and deploy again; its installation log is in MAAS",
    "Releasing failed": "release it again",
    "Failed disk erasing": "release it again without erase, or replace the disk",
    "Broken": "repair it, then maas_machine_state state=fixed",
    "Missing": "declare it again with maas_machine",
    "Retired": "take it out of the list of machines",
    "Commissioning": "look at its console; maas_machine_state state=aborted stops it",
    "Testing": "wait longer with wait_timeout, or abort it",
    "Deploying": "look at its console; maas_machine_state state=released stops it",
    VANISHED: "somebody deleted it from MAAS while it was waited for; declare it again with maas_machine",
    ABSENT: "it has not booted from the network yet: check its power, its boot order and DHCP",
}


def _why(client, detail):
    """Put into the detail what the region knows of a machine; False when it does not answer."""
    try:
        # It only adds to an error.
        with patience(client, 0.0, 15.0):
            events = events_of(client, detail["system_id"])
            detail["failed_scripts"] = failed_scripts(client, detail["system_id"])
    except Unreachable:
        return False
    detail["stage"] = stage_of(detail["status"], detail["failed_scripts"], events)
    detail["events"] = [f"{event['type']} {event['description']}".strip() for event in (events or [])[-4:]]
    return True


def explain(client, watch, names, limit=10):
    """[{machine, system_id, status, stage, failed_scripts, events, next, text}] and a text of all, for the machines that did not arrive."""
    ids = {name: system_id for system_id, name in watch.names.items()}
    details, answers = [], True
    for number, name in enumerate(names):
        system_id = ids.get(name)
        status = watch.status.get(system_id, ABSENT)
        detail = {"machine": name, "system_id": system_id, "status": status, "stage": "", "failed_scripts": [], "events": []}
        if answers and system_id and status != VANISHED and number < limit:
            # The deadline is over: a region that does not answer for one is not asked for the next.
            answers = _why(client, detail)
        detail["next"] = REMEDY.get(status, "look at it in MAAS")
        details.append(detail)
    texts = []
    for number, detail in enumerate(details):
        text = f"{detail['machine']}{' (' + detail['system_id'] + ')' if detail['system_id'] else ''} is {detail['status']}"
        if detail["stage"]:
            text += f", {detail['stage']}"
        if detail["failed_scripts"]:
            text += f", failed scripts: {', '.join(detail['failed_scripts'])}"
        if detail["events"]:
            text += f", last events: {' | '.join(detail['events'])}"
        detail["text"] = f"{text}; next: {detail['next']}"
        if number < limit:
            texts.append(detail["text"])
    if len(names) > limit:
        texts.append(f"and {len(names) - limit} more")
    return details, ". ".join(texts)


def _ages(judge, clock):
    """{name: [status, seconds in it]}, as plain data."""
    now = clock()
    return {name: [status, now - start] for name, (status, start) in judge.since.items()}


def wait_for(client, watch, goal, params, clock=time.monotonic, sleep=time.sleep, emit=None, failing=None, rng=None):
    """Run the waiter over a watch. Returns the outcome; the errors of the waiter pass, with ``watch`` attached."""
    resume = params.get("wait_resume") or {}
    judge = judge_for(goal, clock, params.get("stuck_after"), failing)
    for name, (status, age) in (resume.get("since") or {}).items():
        judge.since[name] = (status, clock() - age)
    names = [watch.names[system_id] for system_id in watch.names] + list(watch.wanted)
    options = {"rng": rng} if rng else {}
    watch.details = bool(params.get("details"))
    waiter = Waiter(
        params["wait_timeout"],
        interval=min(BELL, params["wait_interval"]),
        bound=lambda pending: min(params["wait_interval"], max(BELL, len(pending) / PER_SECOND)),
        first=min(1.0, params["wait_interval"]),
        min_done=params.get("min_ready"),
        tolerate=(Unreachable,),
        expected=due(judge, clock),
        goal=" or ".join(sorted(goal)),
        fail_fast=bool(params.get("fail_fast")),
        clock=clock,
        sleep=sleep,
        elapsed=resume.get("elapsed", 0.0),
        slice_seconds=params.get("wait_slice"),
        heartbeat=params.get("heartbeat", 30.0),
        emit=emit,
        kind="machine",
        **options,
    )
    try:
        outcome = waiter.run(names, passing(client, watch.poll), judge, watch.known())
        if outcome.finished:
            watch.finish()
    except (WaitFailed, WaitTimeout) as error:
        outcome = error.outcome
        enough = params.get("min_ready")
        if isinstance(error, WaitTimeout) and enough is not None and len(outcome.done) >= enough:
            return outcome
        details, text = explain(client, watch, outcome.failed + outcome.pending)
        error.args = (f"{error}. {text}",)
        error.details = details
        error.since = _ages(judge, clock)
        raise
    if not outcome.finished:
        outcome.resume = {
            "elapsed": outcome.waited,
            "line": outcome.line,
            "watch": watch.save(),
            "since": _ages(judge, clock),
        }
    return outcome
