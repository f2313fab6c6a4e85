# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a run leaves behind: one JSON file with its phases, tasks, waits, jobs, and what was seen of machines and applications.

Times are seconds since the run began. Everything that is kept is named here; of results nothing else is, and no secret: what
variables with such names hold is taken out of every text once more before it is written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import sights
from ansible_collections.stratus.cloud.plugins.module_utils.secrecy import is_secret
from ansible_collections.stratus.cloud.plugins.plugin_utils.containers import opened

FORMAT = 1
KEPT = 50
HIDDEN = "(hidden)"
SHORTEST_SECRET = 6
# Keys of results that hold what was asked for; beside them are names and states, which are no secrets.
CARRIERS = frozenset(("stdout", "stdout_lines", "output", "value", "content", "keys"))
# A message of a failure or a status may be a whole log.
LONGEST = 600

# What is kept of the machines, the controllers, the VM hosts and the model, as modules of this collection return them.
MACHINE = (
    "hostname", "status", "power_type", "power_state", "ip_addresses", "tags", "cpu_count", "memory", "storage", "pool", "osystem", "distro_series",
)  # fmt: skip
INTERFACE = ("name", "type", "mac_address", "bridge_type", "parents")
CONTROLLER = ("hostname", "version")
VM_HOST = ("name", "type", "version")
MODEL_MACHINE = ("id", "hostname", "parent", "address", "base")
APPLICATION = ("charm", "channel", "revision", "version", "status", "exposed", "subordinate_to")
UNIT = ("application", "machine", "principal", "leader", "address", "workload", "message")


def pick(data, names):
    return {name: data[name] for name in names if data.get(name) not in (None, "", [], {})}


def machine_facts(machine):
    facts = pick(machine, MACHINE)
    facts["interfaces"] = [
        {**pick(interface, INTERFACE), "addresses": [link["ip_address"] for link in interface.get("links") or [] if link.get("ip_address")]}
        for interface in machine.get("interfaces") or []
    ]
    return facts


def model_facts(status):
    """A model as M(stratus.cloud.juju_status_info) returns it, without what a picture of it does not need."""
    return {
        "name": status["model"].get("name"),
        "version": status["model"].get("version"),
        "machines": [pick(machine, MODEL_MACHINE) for machine in status["machines"].values()],
        "applications": {name: pick(application, APPLICATION) for name, application in status["applications"].items()},
        "units": {name: pick(unit, UNIT) for name, unit in status["units"].items()},
        "relations": sorted({tuple(sorted({end.partition(":")[0] for end in relation["endpoints"]})) for relation in status["relations"]}),
    }


def _dicts(value):
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


class Sightings:
    """States over time: {kind: {name: [[seconds, state, message], ...]}}, changes only, and the last facts of everything."""

    def __init__(self):
        self.states, self.facts = {}, {"machines": {}, "controllers": {}, "vm_hosts": {}, "model": None, "maas_version": None}

    def note(self, seconds, kind, name, state, message=""):
        line = self.states.setdefault(kind, {}).setdefault(str(name), [])
        entry = [round(float(seconds), 1), str(state), str(message or "")]
        if not line or line[-1][1:] != entry[1:]:
            line.append(entry)

    def take(self, result, began, ended):
        """Whatever one result of a module of this collection tells."""
        for seconds, kind, name, state, *message in result.get("timeline") or []:
            self.note(min(began + seconds, ended), kind, name, state, *message)
        for machine in _dicts(result.get("machines")):
            if machine.get("hostname") and machine.get("status") and "system_id" in machine:
                self.note(ended, "machine", machine["hostname"], machine["status"])
                self.facts["machines"][machine["hostname"]] = machine_facts(machine)
        if isinstance(result.get("images"), dict):
            for name, state in result["images"].items():
                self.note(ended, "image", name, state)
        for kind in ("regions", "racks"):
            for controller in _dicts(result.get(kind)):
                self.facts["controllers"][controller.get("hostname")] = pick(controller, CONTROLLER)
                self.facts["maas_version"] = controller.get("version") or self.facts["maas_version"]
        if isinstance(result.get("vm_host"), dict) and result["vm_host"].get("name"):
            self.facts["vm_hosts"][result["vm_host"]["name"]] = pick(result["vm_host"], VM_HOST)
        status = result.get("status")
        if isinstance(status, dict) and {"model", "applications", "units", "relations"} <= set(status):
            for sight in sights(status):
                self.note(ended, *sight)
            if not self.facts["model"] or len(status["applications"]) >= len(self.facts["model"]["applications"]):
                self.facts["model"] = model_facts(status)


class Recorder:
    """Collects what the callback hears. ``log`` is the PhaseLog that times plays and tasks."""

    def __init__(self, log):
        self.log = log
        self.seen = Sightings()
        self.jobs, self.waits, self.failures = {}, [], []
        self.requests = 0
        self.changed = Counter()

    def _now(self):
        return round(self.log.now() - self.log.began, 3)

    def result(self, host, task, ours, result, failed=False):
        """One result of a host; of a loop, each of its items. Only modules of this collection are asked what they saw."""
        began, ended = self.log.task_began(), self._now()
        for part in [result, *_dicts(result.get("results"))]:
            self._job(task, part, began, ended)
            if ours:
                self.seen.take(part, began, ended)
                if part.get("waited"):
                    self._wait(host, task, part, began, ended)
                self.requests += int(part.get("requests") or 0)
        self.changed[self.log.phase()] += bool(result.get("changed")) and not failed
        if failed:
            text = str(result.get("msg") or result.get("censored") or "no message")
            self.failures.append({"at": ended, "task": task, "host": host, "message": text})

    def _job(self, task, part, began, ended):
        job = part.get("ansible_job_id")
        if not job:
            return
        if "job_name" in part:
            self.jobs.setdefault(job, {"began": began}).update(name=part["job_name"], ended=ended)
        elif job not in self.jobs:
            self.jobs[job] = {"name": task, "began": began, "ended": ended if part.get("finished") else None}
        elif part.get("finished"):
            self.jobs[job]["ended"] = ended

    def _wait(self, host, task, part, began, ended):
        wait = {"task": task, "phase": self.log.phase(), "host": host, "began": began, "ended": ended, "waited": part["waited"]}
        wait.update(pick(part, ("requests",)))
        if part.get("ansible_job_id"):
            wait["for"] = [["job", part["ansible_job_id"]]]
        else:
            # The last to change are the ones that it waited for. A wait for some applications sees the others, too.
            asked = part.get("applications")
            named = {
                (kind, name): seconds
                for seconds, kind, name, *_state in part.get("timeline") or []
                if not isinstance(asked, dict) or (kind == "application" and name in asked)
            }
            wait["for"] = [list(key) for key, _seconds in sorted(named.items(), key=lambda item: -item[1])]
        self.waits.append(wait)

    def run(self, report, **about):
        """The whole record."""
        jobs = [{"id": key, **job} for key, job in self.jobs.items()]
        return {
            "format": FORMAT,
            **about,
            **report,
            "phases": [{**phase, "changed": self.changed[phase["name"]]} for phase in report["phases"]],
            "tasks": [task for task in self.log.tasks() if task["seconds"] >= 0.05],
            "waits": self.waits,
            "jobs": jobs,
            "states": self.seen.states,
            "facts": self.seen.facts,
            "requests": self.requests,
            "failures": self.failures,
        }


# Secrets


def secret_values(data, under_secret=False):
    """The texts below keys that name secrets, of data however deep."""
    if under_secret:
        # What no password opens is of no use to the run either.
        with contextlib.suppress(Exception):
            data = opened(data)
    if isinstance(data, dict):
        for key, value in data.items():
            yield from secret_values(value, is_secret(key) or (under_secret and str(key) in CARRIERS))
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from secret_values(value, under_secret)
    elif under_secret and isinstance(data, str) and len(data) >= SHORTEST_SECRET and "{{" not in data:
        yield data


def scrub(data, secrets):
    """The same data, plain throughout, with every one of the texts taken out, of keys too; no text of it is longer than LONGEST."""
    longest_first = sorted(map(str, set(secrets)), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def clean(value):
        if isinstance(value, str):
            # Cut afterwards: half a secret would not be known for one.
            return pattern.sub(HIDDEN, str(value))[:LONGEST]
        if isinstance(value, dict):
            return {clean(key): clean(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(inner) for inner in value]
        return value

    return clean(data)


# Files


def save(directory, run):
    """Write a record (0600, its directory and those above it that are missing 0700), forget the oldest ones, and return its path.

    A record of the same run that is there already is replaced, at once.
    """
    folder = Path(directory).expanduser()
    # Of several missing ones mkdir() itself would make all but the last as the umask has it.
    for missing in (*reversed(folder.parents), folder):
        missing.mkdir(mode=0o700, exist_ok=True)
    text = json.dumps(run, indent=1)
    name = f"{re.sub(r'[^0-9T]', '', run['started'][:19])}-{re.sub(r'[^a-z0-9_-]+', '-', Path(run['playbook']).stem.lower())}.json"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".", delete=False) as stream:
        stream.write(f"{text}\n")
    os.replace(stream.name, folder / name)
    for old in paths(folder)[KEPT:]:
        with contextlib.suppress(OSError):
            old.unlink()
    return folder / name


def paths(directory):
    """The records of a directory, the newest first."""
    folder = Path(directory).expanduser()
    return sorted((path for path in folder.glob("[0-9]*.json")), key=lambda path: path.name, reverse=True) if folder.is_dir() else []


def load(path):
    """A record, or None when the file is none."""
    try:
        run = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return run if isinstance(run, dict) and run.get("format") == FORMAT else None


def find(directory, test=lambda run: True):
    """(path, record) of the newest one that passes, or (None, None)."""
    for path in paths(directory):
        run = load(path)
        if run and test(run):
            return path, run
    return None, None


def built(run):
    """Whether a run made a cloud, or whatever its playbook makes, and came to its end: such runs are worth comparing with.

    Each phase that has steps in the reference changed something, so none was left out, or had been done by an earlier run. And of the
    machines and applications that were seen, if any, one ended in another state than it began in. One change on a cloud that is there
    already is no build.
    """
    if run.get("result") != "ok" or not run.get("changed") or run.get("check"):
        return False
    if not all(phase.get("changed") for phase in run.get("phases") or [] if phase.get("reference_steps")):
        return False
    seen = [states for kind, things in (run.get("states") or {}).items() if kind in ("machine", "application") for states in things.values() if states]
    return not seen or any(states[0][1] != states[-1][1] for states in seen)


def expected(directory, playbook, table, scale=None, profile=None):
    """({phase: seconds}, where that is from): the last run of this playbook that built something, else the profile, else the reference table.

    profile: (its name, {phase: seconds} that it says).
    """
    _path, run = find(directory, lambda run: built(run) and run.get("playbook") == playbook) if directory else (None, None)
    if run:
        return {phase["name"]: phase["seconds"] for phase in run["phases"]}, "last time"
    steps = {phase["name"]: sum(table["steps"][step] for step in phase.get("steps") or []) for phase in table["phases"]}
    name, own = profile or (None, {})
    source = f"the profile {name}" if own else table["source"]
    return {phase: seconds / (scale or 1) for phase, seconds in {**steps, **own}.items()}, source
