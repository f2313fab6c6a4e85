"""The fault matrix: each fault of faults.yml on its own lab, from where its phase begins."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lab.hosts import controller
from lab.paths import Paths
from tests.chaos import essence as worlds
from tests.chaos import snapshots
from tests.chaos.runs import Run
from tests.support.site import ROOT, control, world

FAULTS: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("faults.yml").read_text())
LOGS = ROOT / "build" / "chaos"
SETTLED = 60.0
"""Seconds that what a run has started may take to come to its end (images, units), before worlds are compared."""


def act(what: dict[str, Any]) -> None:
    """Do what a row says: ask the lab, or run something on the controller."""
    if "ask" in what:
        method, path, body = what["ask"]
        control(method, path, body)
    else:
        controller.host(Paths()).run(what["shell"])


def strike(row: dict[str, Any], run: Run) -> list[str]:
    """Whatever happens after a task began; what kept it from striking."""
    at = row.get("at")
    if not at:
        return []
    if not run.reaches(at["task"]):
        return [f"{at['task']} was not reached"]
    time.sleep(at.get("after", 0))
    over = run.code is not None
    act(at)
    return ["the run was over before it was struck"] if over else []


def missed(faults: list[dict[str, Any]]) -> list[str]:
    """Those of the lab's faults that nothing ran into: then the row shows nothing."""
    return [f"nothing ran into { ({k: v for k, v in fault.items() if k != 'times'}) }" for fault in faults if not fault.get("struck")]


def clear(row: dict[str, Any]) -> None:
    control("DELETE", "/faults")
    if "clear" in row:
        controller.host(Paths()).run(row["clear"])


def settled(expected: dict[str, Any]) -> list[str]:
    """The differences of the worlds, once what goes on by itself had its time."""
    deadline = time.monotonic() + SETTLED
    while (found := worlds.differences(expected, worlds.essence(world()))) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def unlike(row: dict[str, Any], run: Run, code: int | None) -> list[str]:
    """What of a run with a fault is not as the row says."""
    limit = row.get("seconds", 600)
    found = []
    if code is None:
        found.append(f"it went on after {limit} s")
    elif (code == 0) != (row["expected"] == "recovered"):
        found.append(f"it ended with {code}")
    if row["expected"] == "stopped":
        message = failure(run)
        found += [f"the message does not say {words}" for words in row["says"] if not re.search(words, message, re.I | re.S)]
    if "Traceback (most recent call last)" in run.printed:
        found.append("it shows a traceback")
    return found


def failure(run: Run) -> str:
    """What the operator is told in the end."""
    text = run.printed
    start = max(text.rfind("\n[ERROR]: Task failed"), text.rfind("fatal:"))
    # The message is broken into lines that are indented.
    return re.sub(r"\s+", " ", text[start:]) if start > 0 else ""


def tried(name: str) -> str:
    """Run one fault; recovered, stopped or failed."""
    row = FAULTS[name]
    problems: list[str] = []
    log = LOGS / f"fault-{name}.log"
    log.unlink(missing_ok=True)
    arguments = [f"playbooks/{row['phase']}.yml", "-e", json.dumps(row.get("vars", {}))]
    earlier = row.get("from", [])
    snapshots.lay([*earlier, row["phase"]][0], row.get("speed", 60))
    if "before" in row:
        act(row["before"])
    control("POST", "/faults", row.get("faults", []))
    # The fault strikes what an earlier phase starts.
    for phase in earlier:
        Run(f"playbooks/{phase}.yml", log=log).ends()
    run = Run(*arguments, log=log)
    problems += strike(row, run)
    code = run.ends(row.get("seconds", 600))
    took = run.seconds
    run.kill()
    problems += unlike(row, run, code) + missed(control("GET", "/faults"))
    clear(row)
    began = time.monotonic()
    for phase in row.get("again", [row["phase"]]):
        again = Run(f"playbooks/{phase}.yml", log=log)
        if (code := again.ends()) != 0:
            again.kill()
            problems.append(f"without the fault {phase}.yml ended with {code}: {failure(again)[:600]}")
    repeated = time.monotonic() - began
    problems += [f"in the end: {line}" for line in settled(snapshots.whole(row["phase"]))[:8]]
    (LOGS / f"fault-{name}.json").write_text(json.dumps({"seconds": took, "problems": problems, "message": failure(run)}, indent=1) + "\n")
    result = "failed" if problems else row["expected"]
    print(
        f"{time.strftime('%H:%M:%S')} {name}: {result} ({took:.0f} s, again {repeated:.0f} s){''.join(f'{chr(10)}    {p}' for p in problems)}",
        flush=True,
    )
    return result


def all_of(names: list[str], tell: Callable[[str, str], None]) -> dict[str, str]:
    """Try the faults and ``tell`` each result; the labs that they begin from are built when they are not there."""
    LOGS.mkdir(parents=True, exist_ok=True)
    last = max((FAULTS[name]["phase"] for name in names), key=snapshots.PHASES.index)
    snapshots.prepare(last)
    order = sorted(names, key=lambda name: snapshots.PHASES.index(FAULTS[name]["phase"]))
    results = {}
    for name in order:
        results[name] = tried(name)
        tell(name, results[name])
    return results
