# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long each phase of a deployment took, beside a reference: plain data in, lines and dictionaries out."""

from __future__ import annotations

import os
import textwrap

SLOWEST_TASKS = 5
WIDTH = 140


class TableError(Exception):
    """The reference table contradicts itself."""


def check_table(data):
    """Return the reference table, or say which part of it is wrong."""
    steps = (data or {}).get("steps") or {}
    phases = (data or {}).get("phases") or []
    seen = {}
    for phase in phases:
        for step in phase.get("steps") or []:
            if step not in steps:
                raise TableError(f"phase {phase['name']!r} names the step {step!r}, which 'steps' does not have")
            if step in seen:
                raise TableError(f"step {step!r} is in two phases, {seen[step]!r} and {phase['name']!r}")
            seen[step] = phase["name"]
    missing = sorted(set(steps) - set(seen))
    if missing:
        raise TableError(f"no phase has the step {missing[0]!r}")
    return {"source": data.get("source", "reference"), "total": data.get("total", sum(steps.values())), "steps": steps, "phases": phases}


def phase_of(table, tags, path):
    """The phase of a play: one of its tags, or the name of its playbook; None for a play that is not ours."""
    names = [phase["name"] for phase in table["phases"]]
    for tag in tags or ():
        if tag in names:
            return tag
    stem = os.path.splitext(os.path.basename((path or "").rsplit(":", 1)[0]))[0]
    return stem if stem in names else None


def clock(seconds):
    """Seconds as h:mm:ss, to the nearest second."""
    whole = int(seconds + 0.5)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class PhaseLog:
    """Collects the beginnings of plays and tasks; the time between two of them belongs to the first."""

    def __init__(self, table, now):
        self.table = table
        self.now = now
        self.began = now()
        self.plays = []
        self._task = None

    def play(self, phase, name):
        self._close_task()
        self._close_play()
        self.plays.append({"phase": phase, "name": name, "began": self._elapsed(), "seconds": None, "tasks": []})

    def task(self, name):
        self._close_task()
        if self.plays:
            self._task = (name, self._elapsed())

    def _elapsed(self):
        return round(self.now() - self.began, 3)

    def phase(self):
        """The phase of the play that runs."""
        return self.plays[-1]["phase"] or "other" if self.plays else None

    def task_began(self):
        return self._task[1] if self._task else self._elapsed()

    def tasks(self):
        """All tasks in order, each with its phase; of the one that runs its time so far."""
        found = [{"phase": play["phase"] or "other", **task} for play in self.plays for task in play["tasks"]]
        if self._task:
            name, began = self._task
            found.append({"phase": self.phase(), "name": name, "began": began, "seconds": round(self._elapsed() - began, 3)})
        return found

    def end(self):
        self._close_task()
        self._close_play()

    def _close_task(self):
        if self._task:
            name, began = self._task
            self.plays[-1]["tasks"].append({"name": name, "began": began, "seconds": round(self._elapsed() - began, 3)})
            self._task = None

    def _close_play(self):
        if self.plays and self.plays[-1]["seconds"] is None:
            self.plays[-1]["seconds"] = round(self._elapsed() - self.plays[-1]["began"], 3)

    def _seconds(self, play):
        """The time of a play; of the one that runs its time so far."""
        return round(self._elapsed() - play["began"], 3) if play["seconds"] is None else play["seconds"]

    def ours(self):
        return any(play["phase"] for play in self.plays)

    def report(self, scale=None, failed=False):
        """The run as a dictionary: phases in the order of the table, then others as they came, then what belongs to none."""
        last = next((play["phase"] or "other" for play in reversed(self.plays)), None)
        phases = []
        others = [play["phase"] for play in self.plays if play["phase"]]
        for name in dict.fromkeys([phase["name"] for phase in self.table["phases"]] + others + ["other"]):
            plays = [play for play in self.plays if (play["phase"] or "other") == name]
            if not plays:
                continue
            steps = next((phase.get("steps") or [] for phase in self.table["phases"] if phase["name"] == name), [])
            tasks = sorted((task for play in plays for task in play["tasks"]), key=lambda task: -task["seconds"])
            phases.append(
                {
                    "name": name,
                    "seconds": round(sum(self._seconds(play) for play in plays), 3),
                    "reference_steps": steps,
                    "reference_seconds": sum(self.table["steps"][step] for step in steps) if steps else None,
                    "plays": [{"name": play["name"], "began": play["began"], "seconds": self._seconds(play)} for play in plays],
                    "slowest_tasks": [{"name": task["name"], "seconds": task["seconds"]} for task in tasks[:SLOWEST_TASKS]],
                    "stopped_here": bool(failed and name == last),
                }
            )
        total = round(self.now() - self.began, 3)
        run = {"phases": phases, "seconds": total, "time_scale": scale, "reference": self.table["source"]}
        # Only a run that did every phase of the table may be set against the table's sum.
        whole = {phase["name"] for phase in phases} >= {phase["name"] for phase in self.table["phases"] if phase.get("steps")}
        run["reference_seconds"] = self.table["total"] if whole else None
        if scale:
            run["scaled_seconds"] = round(total * scale, 1)
            for phase in phases:
                phase["scaled_seconds"] = round(phase["seconds"] * scale, 1)
        return run


def _wrap(text, width):
    """A list of names in lines, broken between names only."""
    held = textwrap.wrap(", ".join(name.replace(" ", "\xa0") for name in text.split(", ")), width) or [""]
    return [line.replace("\xa0", " ") for line in held]


def lines(run, width=WIDTH):
    """The report as text: one row for each phase, and the sum."""
    scale = run.get("time_scale")
    head = ["Phase", "Time", run["reference"], "its steps"]
    if scale:
        head.insert(2, f"x{scale:g}")
    rows = [head]
    for phase in run["phases"]:
        reference = "-" if phase["reference_seconds"] is None else clock(phase["reference_seconds"])
        name = phase["name"] + (" (stopped here)" if phase["stopped_here"] else "")
        row = [name, clock(phase["seconds"]), reference, ", ".join(phase["reference_steps"])]
        if scale:
            row.insert(2, clock(phase["scaled_seconds"]))
        rows.append(row)
    total = ["total", clock(run["seconds"]), "-" if run["reference_seconds"] is None else clock(run["reference_seconds"]), ""]
    if scale:
        total.insert(2, clock(run["scaled_seconds"]))
    rows.append(total)

    sizes = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    indent = sum(sizes) + 2 * len(sizes)
    text = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(sizes[0])] + [cell.rjust(size) for cell, size in zip(row[1:-1], sizes[1:], strict=True)]
        wrapped = _wrap(row[-1], max(20, width - indent))
        text.append(("  ".join(cells) + "  " + wrapped[0]).rstrip())
        text.extend(" " * indent + more for more in wrapped[1:])
        if number in (0, len(rows) - 2):
            text.append("-" * (indent - 2))
    if scale:
        text.append(f"x{scale:g}: the clock of this rack runs {scale:g} times faster than a real one;")
        text.append("the column multiplies the time beside it, Ansible's own share included.")
    return text
