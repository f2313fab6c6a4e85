"""The lab's log of a rehearsal as what a run of site.yml leaves behind: a record that playbooks/report.yml makes a page of."""

from __future__ import annotations

import datetime
from typing import Any

import yaml

from lab.paths import CHECKOUT

# How bad a unit's status is for its application, the worst first: Juju's order.
SEVERITY = ("error", "blocked", "waiting", "maintenance", "terminated", "active", "unknown")
SHOWN = ("maas_channel", "maas_subnet_cidr", "maas_gateway_ip", "lxd_bridge", "lxd_bridge_interface", "lxd_channel", "juju_channel", "openstack_bundle_file")


def states(log: list[dict[str, Any]], start: float) -> dict[str, dict[str, list[list[Any]]]]:
    """{kind: {name: [[seconds since the start, state, message], ...]}}, changes only; an application is as its worst unit is."""
    found: dict[str, dict[str, list[list[Any]]]] = {"image": {}, "machine": {}, "application": {}}
    units: dict[str, tuple[str, str]] = {}
    for entry in log:
        kind, message = entry["kind"], ""
        if kind == "status":
            kind, name, state = "machine", entry["machine"], entry["status"]
        elif kind == "import":
            kind, name, state = "image", "images", "complete" if entry["state"] == "finished" else "importing"
        elif kind == "juju.status":
            units[entry["unit"]] = (entry["status"], entry["message"])
            kind, name = "application", entry["unit"].partition("/")[0]
            own = [unit for key, unit in units.items() if key.partition("/")[0] == name]
            state, message = min(own, key=lambda unit: SEVERITY.index(unit[0]) if unit[0] in SEVERITY else len(SEVERITY))
        else:
            continue
        line = found[kind].setdefault(name, [])
        if not line or line[-1][1:] != [state, message]:
            line.append([round(max(0.0, entry["at"] - start), 1), state, message])
    return found


def record(times: dict[str, float], start: float, log: list[dict[str, Any]], variables: dict[str, Any], finished: bool, cloud: str) -> dict[str, Any]:
    """The record. ``times``: seconds of each phase, in order; ``start``: when the first began, on the lab's clock, as ``log`` has it."""
    table = yaml.safe_load((CHECKOUT / "playbooks/vars/table1.yml").read_text())
    reference = {phase["name"]: sum(table["steps"][step] for step in phase["steps"]) for phase in table["phases"]}
    seen, began, phases, tasks = states(log, start), 0.0, [], []
    for name, seconds in times.items():
        plays = [{"name": name, "began": began, "seconds": seconds}]
        phases.append({"name": name, "seconds": seconds, "reference_seconds": reference.get(name), "plays": plays, "slowest_tasks": []})
        tasks.append({"name": f"all of {name}", "phase": name, "began": began, "seconds": seconds})
        began += seconds
    last = max(seen["application"], key=lambda name: seen["application"][name][-1][0], default=None)
    waits = []
    if finished and last and tasks[-1]["phase"] == "cloud":
        wait = {"task": tasks[-1]["name"], "phase": "cloud", "host": "lab", "began": tasks[-1]["began"], "ended": began, "waited": tasks[-1]["seconds"]}
        waits = [{**wait, "for": [["application", last]]}]
    return {
        "format": 1,
        "playbook": "rehearsal",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cloud": cloud,
        "result": "ok" if finished else "failed",
        "changed": len(log),
        "check": False,
        "phases": phases,
        "seconds": began,
        "reference": table["source"],
        "tasks": tasks,
        "waits": waits,
        "jobs": [],
        "states": seen,
        "facts": {},
        "requests": 0,
        "failures": [],
        "versions": {},
        "site": {name: variables[name] for name in SHOWN if isinstance(variables.get(name), str)},
        "access": {},
    }
