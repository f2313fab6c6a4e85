# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a record's times mean: bars with states, and the path that decided when the run ended. Pure: a record in, plain data out."""

from __future__ import annotations

from dataclasses import dataclass, field

# Words of MAAS and Juju for how a thing is doing, in five groups. What is not listed is under way.
GOOD = frozenset(("active", "Ready", "Deployed", "complete", "running", "done"))
WAITING = frozenset(("waiting", "New", "queued", "absent", "unknown", "Allocated", "not in the model", "allocating"))
BLOCKED = frozenset(("blocked", "terminated", "Rescue mode", "Locked"))
BAD = frozenset(("error", "lost", "Broken", "Missing", "Retired", "Releasing failed", "vanished", "provisioning error"))
MEANING = {"good": "ready", "busy": "at work", "wait": "waiting", "block": "asks for something", "bad": "failed"}
# A wait that is shorter decides nothing.
SHORTEST_WAIT = 1.0


def group(state):
    """good, busy, wait, block or bad."""
    text = str(state)
    if text in GOOD:
        return "good"
    if text in WAITING:
        return "wait"
    if text in BLOCKED:
        return "block"
    if text in BAD or text.startswith(("Failed", "stalled")):
        return "bad"
    return "busy"


@dataclass
class Segment:
    began: float
    ended: float
    label: str
    group: str
    note: str = ""

    @property
    def seconds(self):
        return self.ended - self.began


@dataclass
class Row:
    """One line of the timeline."""

    kind: str
    name: str
    segments: list = field(default_factory=list)
    # (began, ended) of what is on the critical path
    critical: list = field(default_factory=list)

    @property
    def began(self):
        return self.segments[0].began if self.segments else 0.0

    @property
    def ready(self):
        """When it came to its last good state, or None."""
        return self.segments[-1].began if self.segments and self.segments[-1].group == "good" else None


def lifeline(states, end):
    """Segments of one thing from its changes of state; neighbours in the same state are one, with their messages in order."""
    merged = []
    for at, state, message in states:
        if merged and merged[-1][1] == state:
            if message and message not in merged[-1][2]:
                merged[-1][2].append(message)
        else:
            merged.append([at, state, [message] if message else []])
    segments = []
    for number, (at, state, messages) in enumerate(merged):
        until = merged[number + 1][0] if number + 1 < len(merged) else end
        segments.append(Segment(at, max(at, until), state, group(state), "; ".join(messages[-3:])))
    return segments


def natural(name):
    """compute2 before compute10."""
    head = name.rstrip("0123456789")
    digits = name[len(head) :]
    return head, int(digits) if digits.isascii() and digits else -1


def rows(run):
    """{kind: [Row]}: job, image, machine, application; those that were ready first come first."""
    end = run["seconds"]
    found = {"job": [], "image": [], "machine": [], "application": []}
    for job in run.get("jobs") or []:
        until = job.get("ended")
        if until is None and run.get("result") == "ok":
            continue  # nobody waited for its end
        finished = [] if until is None else [Segment(until, until, "done", "good")]
        found["job"].append(Row("job", job["name"], [Segment(job["began"], end if until is None else until, "runs", "busy"), *finished]))
    for kind, things in (run.get("states") or {}).items():
        for name, states in things.items():
            found.setdefault(kind, []).append(Row(kind, name, lifeline(states, end)))
    for kind in found:
        found[kind].sort(key=lambda row: (row.ready is None, row.ready or row.began, natural(row.name)))
    return found


def strand(run):
    """Ansible's own line: every task, those that wait apart from those that work."""
    waits = {(wait["task"], round(wait["began"], 1)) for wait in run.get("waits") or [] if wait["waited"] >= SHORTEST_WAIT}
    segments = []
    for task in run.get("tasks") or []:
        waiting = (task["name"], round(task["began"], 1)) in waits
        segments.append(Segment(task["began"], task["began"] + task["seconds"], task["name"], "wait" if waiting else "busy", task["phase"]))
    return segments


def _activity(run, kind, name, wait):
    """When that began for which a wait waited: a job's start, or the first change in a row that the thing was under way."""
    if kind == "job":
        job = next((job for job in run.get("jobs") or [] if job["id"] == name), None)
        return (job["name"], job["began"]) if job else (name, wait["began"])
    states = [entry for entry in ((run.get("states") or {}).get(kind) or {}).get(name) or [] if entry[0] <= wait["ended"]]
    while len(states) > 1 and group(states[-1][1]) == "good":
        states.pop()
    began = wait["began"]
    for at, state, _message in reversed(states):
        if group(state) == "good":
            break
        began = at
    return name, began


def critical_path(run):
    """The pieces that follow on one another from the first second to the last, each the reason why the next could not be earlier.

    Seen backwards from the end: Ansible's own work counts as it comes; a wait is replaced by what it waited for last, from when
    that began. What Ansible did meanwhile decided nothing.
    """
    tasks = sorted(run.get("tasks") or [], key=lambda task: task["began"])
    waits = {(wait["task"], round(wait["began"], 1)): wait for wait in run.get("waits") or [] if wait["waited"] >= SHORTEST_WAIT and wait.get("for")}
    path, at = [], run["seconds"]
    while tasks:
        task = tasks.pop()
        if task["began"] >= at:
            continue
        wait = waits.get((task["name"], round(task["began"], 1)))
        if wait:
            kind, thing = wait["for"][0]
            name, began = _activity(run, kind, thing, wait)
            began = min(began, wait["began"])
            path.append({"kind": kind, "name": name, "began": began, "ended": at, "wait": task["name"], "phase": task["phase"]})
            at = began
        else:
            path.append({"kind": "task", "name": task["name"], "began": task["began"], "ended": at, "phase": task["phase"]})
            at = task["began"]
    if at > 0:
        path.append({"kind": "task", "name": "start of Ansible", "began": 0.0, "ended": at, "phase": path[-1]["phase"] if path else "other"})
    return _joined(reversed(path))


def _joined(path):
    """Tasks of one phase that follow on one another as one piece, which names the longest of them."""
    joined = []
    for piece in path:
        last = joined[-1] if joined else None
        if last and piece["kind"] == last["kind"] == "task" and piece["phase"] == last["phase"]:
            last["ended"] = piece["ended"]
            last["tasks"].append((piece["name"], piece["ended"] - piece["began"]))
        else:
            joined.append({**piece, "tasks": [(piece["name"], piece["ended"] - piece["began"])]})
    for piece in joined:
        piece["tasks"] = [name for name, _seconds in sorted(piece["tasks"], key=lambda pair: -pair[1])]
        piece["seconds"] = piece["ended"] - piece["began"]
    return joined


def mark(found, path):
    """Note on every row which part of it is on the path."""
    for piece in path:
        for row in found.get(piece["kind"]) or []:
            if row.name == piece["name"]:
                row.critical.append((piece["began"], piece["ended"]))


def ticks(seconds, wanted=8):
    """(step, [ticks]) of an axis: round numbers of seconds, minutes or hours."""
    for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400):
        if seconds / step <= wanted:
            break
    return step, list(range(0, int(seconds) + 1, step))


def compare(run, earlier):
    """[{name, seconds, earlier, delta, reference, scaled}] of all phases, and their sum at the end."""
    before = {phase["name"]: phase["seconds"] for phase in (earlier or {}).get("phases") or []}
    result = []
    for phase in run["phases"]:
        past = before.get(phase["name"])
        result.append(_compared(phase["name"], phase["seconds"], past, phase.get("reference_seconds"), phase.get("scaled_seconds")))
    result += [_compared(name, None, seconds, None, None) for name, seconds in before.items() if name not in {phase["name"] for phase in run["phases"]}]
    total = (earlier or {}).get("seconds")
    return [*result, _compared("total", run["seconds"], total, run.get("reference_seconds"), run.get("scaled_seconds"))]


def _compared(name, seconds, earlier, reference, scaled):
    delta = None if seconds is None or earlier is None else seconds - earlier
    return {"name": name, "seconds": seconds, "earlier": earlier, "delta": delta, "reference": reference, "scaled": scaled}
