"""How near site.yml comes to the critical path: `make bench-site` (root, no lab of this checkout up, about half an hour).

    python benchmarks/site.py [--speed 10] [--parts sequence site rerun]

(a) The thesis' sequence of steps, one after the other (benchmarks/sequence.py), on a lab on loopback, and at the same time (b) site.yml from a bare
controller, on a lab with hosts at the same speed. (c) The lower bound: the longest chain of the lab's own durations, from the event log of (b)
(benchmarks/overlap.py says what waits for what). (d) Ansible's own overhead: the time in which nothing in the lab was in progress, and what filled it.
(e) The run that changes nothing: seconds, tasks and requests, with 3 and with 100 machines in the inventory; site.yml commissions those, the bundle uses two.

build/bench/site.json has the figures of all this, in virtual seconds but for the reruns' real ones; both ratios are without the overhead, which stands apart:
a real rack is slower by the speed, Ansible is not, so there it is `overhead_s / speed` seconds. build/bench/site-parts.json has what they were made of.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Without this file's own directory: in there `juju` and `site` are other files.
sys.path[:] = [str(ROOT), str(ROOT / ".venv/collections"), *(path for path in sys.path if path != str(ROOT / "benchmarks"))]

import yaml  # noqa: E402

from benchmarks import overlap  # noqa: E402
from lab.__main__ import ask, daemon_pid  # noqa: E402
from lab.engine import DATA  # noqa: E402
from lab.paths import Paths  # noqa: E402
from lab.world.juju import charms  # noqa: E402
from lab.world.rack import load  # noqa: E402

OUT, PARTS = ROOT / "build/bench/site.json", ROOT / "build/bench/site-parts.json"
TABLE = ROOT / "playbooks/vars/table1.yml"
BUNDLE = ROOT / "bundles/thesis-jammy-2023.1.yaml"
BIN = Path(sys.executable).parent
# A second of Ansible weighs as much as so many of the lab. At the lab's usual 60 it would hide the overlap that is measured here; at 10 the sequence's
# three and a half hours take twenty minutes, and the tasks between two waits some tens of virtual seconds.
SPEED = 10.0
# For what is of no interest here: a hundred machines' commissioning.
FAST = 600.0
SIZES = (3, 100)
GOALS = {"ratio_sequence": 0.72, "ratio_bound": 1.05}
PACKAGES = "stratus.cloud.host : Install"


# -- the rack -----------------------------------------------------------------------------------------------------------------
def rack_of(size: int) -> dict[str, Any]:
    """The thesis' rack with ``size`` machines: its own, and copies of the first."""
    rack = load("thesis")
    first = rack["machines"][0]
    for number in range(len(rack["machines"]), size):
        rack["machines"].append(
            {
                **first,
                "hostname": f"compute{number}",
                "serial": f"CZ{number:04d}",
                "nics": [{"name": "enp1s0", "mac": f"52:54:00:11:{number // 256:02x}:{number % 256:02x}"}],
                "bmc": {**first["bmc"], "address": f"10.42.{1 + number // 250}.{1 + number % 250}"},
            }
        )
    return rack


def inventory_of(rack: dict[str, Any], size: int) -> dict[str, Any]:
    """The first machines of a rack in the group ``compute``, as an inventory beside the lab's."""
    hosts = {m["hostname"]: {"mac_addresses": [nic["mac"] for nic in m["nics"]], "bmc": {"type": "ipmi", **m["bmc"]}} for m in rack["machines"][:size]}
    return {"all": {"children": {"compute": {"hosts": hosts}}}}


# -- the lab and the runs -----------------------------------------------------------------------------------------------------
class Bench:
    """One lab with hosts, and runs of site.yml on it."""

    def __init__(self, place: Path):
        self.place, self.paths = place, Paths()
        self.rack = rack_of(max(SIZES))
        place.mkdir(parents=True, exist_ok=True)
        (place / "rack.yml").write_text(yaml.safe_dump(self.rack, sort_keys=False))
        for size in SIZES:
            (place / f"machines-{size}.yml").write_text(yaml.safe_dump(inventory_of(self.rack, size), sort_keys=False))

    def lab(self, verb: str, speed: float = SPEED) -> None:
        environment = {**os.environ, "LAB_SPEED": str(speed), "LAB_RACK": str(self.place / "rack.yml")}
        subprocess.run([sys.executable, "-m", "lab", verb], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)

    def speed(self, value: float) -> None:
        ask(self.paths, "POST", "/clock", {"speed": value})

    def now(self) -> float:
        return ask(self.paths, "GET", "/clock")["now"]

    def requests(self) -> dict[str, int]:
        """How many came to each face since the lab began."""
        world = ask(self.paths, "GET", "/world", timeout=120)
        # Juju's face counts by kind of request.
        return {**world.get("requests", {}), "juju": sum(world.get("juju_requests", {}).values())}

    def play(self, name: str, speed: float, inventory: Path | None = None) -> dict[str, Any]:
        """Run site.yml: its record, and the lab's clock before and after."""
        argv = [str(BIN / "ansible-playbook"), "-i", "inventories/lab", *(["-i", str(inventory)] if inventory else []), "playbooks/site.yml"]
        environment = {**os.environ, "LAB_SPEED": str(speed), "ANSIBLE_NOCOLOR": "1"}
        runs = self.paths.lab / "out/runs"
        known = set(runs.glob("*.json"))
        start = self.now()
        with (self.place / f"{name}.log").open("w") as log:
            done = subprocess.run(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False)
        end = self.now()
        if done.returncode:
            raise SystemExit(f"site.yml ended with {done.returncode}: see {self.place}/{name}.log")
        (record,) = set(runs.glob("*.json")) - known
        tasks = tasks_run((self.place / f"{name}.log").read_text())
        return {"start": start, "end": end, "tasks": tasks, "record": json.loads(record.read_text())}

    def fresh(self, speed: float) -> dict[str, Any]:
        run = self.play("site", speed)
        log = [entry for entry in ask(self.paths, "GET", "/log", timeout=120) if run["start"] <= entry["at"] <= run["end"]]
        return {"speed": speed, "log": log, **run}

    def again(self, size: int) -> dict[str, Any]:
        """The run that changes nothing, with that many machines: made ready first, then measured."""
        inventory = self.place / f"machines-{size}.yml"
        self.speed(FAST)
        self.play(f"grow-{size}", FAST, inventory)
        self.speed(60)
        before = self.requests()
        began = time.monotonic()
        run = self.play(f"rerun-{size}", 60, inventory)
        seconds, record = time.monotonic() - began, run["record"]
        if record["changed"]:
            raise SystemExit(f"the second run with {size} machines changed {record['changed']} things: see {self.place}/rerun-{size}.log")
        requests = {face: count - before.get(face, 0) for face, count in self.requests().items()}
        return {"seconds": round(seconds, 1), "tasks": run["tasks"], "requests": requests, "record": record}


def tasks_run(output: str) -> int:
    """How many tasks a playbook ran, skipped ones not counted, by its recap."""
    return sum(int(count) for count in re.findall(r"^\S+\s+: ok=(\d+)", output, re.MULTILINE))


# -- figures ------------------------------------------------------------------------------------------------------------------
def read_operations(log: list[dict[str, Any]]) -> list[overlap.Operation]:
    profile = yaml.safe_load((DATA / "profiles/thesis.yml").read_text())
    applications = yaml.safe_load(BUNDLE.read_text())["applications"]
    return overlap.operations(log, profile.__getitem__, lambda name: charms.behaviour(applications[name]["charm"].removeprefix("ch:")))


def tasks_of(run: dict[str, Any]) -> list[tuple[str, float, float]]:
    """The tasks of a run on the lab's clock. The record's zero is when the first play began; its end is the run's."""
    record, speed = run["record"], run["speed"]
    zero = run["end"] - record["seconds"] * speed
    return [(task["name"], zero + task["began"] * speed, zero + (task["began"] + task["seconds"]) * speed) for task in record["tasks"]]


def judged(run: dict[str, Any]) -> dict[str, Any]:
    """What a fresh run says: the bound and its chain, what of it was lost where, the overhead and the tasks that filled it."""
    found = read_operations(run["log"])
    bound, chain = overlap.longest_chain(found)
    gaps = overlap.idle(found, run["start"], run["end"])
    return {
        "site_s": run["end"] - run["start"],
        "bound_s": bound,
        "overhead_s": sum(end - start for start, end in gaps),
        "chain": chain,
        "late": overlap.late(found, chain),
        "overhead_tasks": overlap.spent(tasks_of(run), gaps),
    }


def summary(sequence: dict[str, float], site: dict[str, Any], rerun: dict[str, Any]) -> dict[str, Any]:
    total = sum(sequence.values())
    busy = site["site_s"] - site["overhead_s"]
    return {
        "sequence_s": round(total),
        "site_s": round(site["site_s"]),
        "bound_s": round(site["bound_s"]),
        "ratio_sequence": round(busy / total, 3),
        "ratio_bound": round(busy / site["bound_s"], 3),
        "overhead_s": round(site["overhead_s"]),
        "rerun": {size: {"seconds": run["seconds"], "tasks": run["tasks"], "requests": sum(run["requests"].values())} for size, run in rerun.items()},
    }


def table(result: dict[str, Any], site: dict[str, Any], speed: float, rerun: dict[str, Any]) -> Iterable[str]:
    """What is printed: the figures in a table as the documentation has it, and where the time went."""
    busy = result["site_s"] - result["overhead_s"]
    real = result["overhead_s"] / speed
    yield f"| lab at {speed:g} times real time | virtual seconds | ratio | goal |"
    yield "| --- | --- | --- | --- |"
    yield f"| the thesis' steps, one after the other | {result['sequence_s']} | | |"
    yield f"| `site.yml` without Ansible's own overhead | {busy} | {result['ratio_sequence']:.2f} of the sequence | {GOALS['ratio_sequence']} |"
    yield f"| the longest chain of the lab's own durations | {result['bound_s']} | {result['ratio_bound']:.2f} of it | {GOALS['ratio_bound']} |"
    yield f"| Ansible's overhead: nothing in the lab in progress | {result['overhead_s']} ({real:.0f} s of real time) | | |"
    yield f"| `site.yml` as on a rack, the overhead in real time | {busy + real:.0f} | {(busy + real) / result['sequence_s']:.2f} of the sequence | |"
    yield ""
    yield "| nothing to change | seconds | tasks | requests (MAAS, Juju, Vault) |"
    yield "| --- | --- | --- | --- |"
    for size, run in rerun.items():
        counts = ", ".join(str(run["requests"].get(face, 0)) for face in ("maas", "juju", "vault"))
        yield f"| {size} machines | {run['seconds']} | {run['tasks']} | {result['rerun'][size]['requests']} ({counts}) |"
    yield ""
    yield f"Lost on the longest chain (virtual seconds): {', '.join(f'{name} {seconds:.0f}' for name, seconds in site['late'].items()) or 'nothing'}."
    packages = site["overhead_tasks"].get(PACKAGES, 0.0) / speed
    yield f"Of the overhead {packages:.0f} s (real) are apt's, which really installs on the hosts. The tasks that fill the rest:"
    for name, seconds in [row for row in site["overhead_tasks"].items() if row[0] != PACKAGES][:10]:
        yield f"  {seconds / speed:6.1f} s  {name}"


def missed(result: dict[str, Any]) -> list[str]:
    return [f"{name} is {result[name]}, the goal is {goal}" for name, goal in GOALS.items() if result[name] > goal]


# -- main ---------------------------------------------------------------------------------------------------------------------
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", type=float, default=SPEED, help="virtual seconds in a real one")
    parser.add_argument(
        "--parts", nargs="+", choices=("sequence", "site", "rerun"), default=("sequence", "site", "rerun"), help="the others are taken from the last run"
    )
    options = parser.parse_args()
    if "site" in options.parts and daemon_pid(Paths()):
        raise SystemExit("The lab of this checkout is up, and the benchmark begins with a bare one: take it down first (make lab-down).")
    bench = Bench(OUT.parent / "site")
    parts: dict[str, Any] = json.loads(PARTS.read_text()) if PARTS.exists() else {}
    steps = bench.place / "sequence.json"
    sequence = None
    if "sequence" in options.parts:
        argv = [sys.executable, str(ROOT / "benchmarks/sequence.py"), "--speed", str(options.speed), "--out", str(steps)]
        sequence = subprocess.Popen(argv, cwd=ROOT, stdout=(bench.place / "sequence.log").open("w"), stderr=subprocess.STDOUT)
    try:
        if "site" in options.parts:
            bench.lab("up", options.speed)
            print("site.yml from a bare controller ...", flush=True)
            parts["site"] = {"speed": options.speed, **judged(bench.fresh(options.speed))}
        if "rerun" in options.parts:
            bench.lab("up", 60)
            for size in SIZES:
                print(f"the run that changes nothing, with {size} machines ...", flush=True)
                parts.setdefault("rerun", {})[str(size)] = bench.again(size)
        if sequence:
            print("the sequence of steps ...", flush=True)
            if sequence.wait():
                raise SystemExit(f"the sequence did not end: see {bench.place}/sequence.log")
            parts["sequence"] = json.loads(steps.read_text())
    finally:
        PARTS.write_text(json.dumps(parts, indent=1) + "\n")
        if sequence and sequence.poll() is None:
            sequence.terminate()
            sequence.wait()
        if "rerun" in options.parts:
            bench.lab("down")
    if len(parts) < 3:
        return 0
    result = summary(parts["sequence"], parts["site"], parts["rerun"])
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(["", *table(result, parts["site"], parts["site"]["speed"], parts["rerun"])]))
    short = missed(result)
    print("\n".join(["", *short, f"written to {OUT.relative_to(ROOT)}"]))
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
