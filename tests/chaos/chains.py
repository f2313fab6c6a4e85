"""Chains of kills: a run is killed at a point, started again, killed at the next point, and so on to the end.

A point counts as identical when the world has nothing twice and nothing foreign after the run that followed it, Vault's keys are byte for byte what they
were, and the end of its chain is what an unbroken run comes to.
"""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from lab.hosts import controller
from lab.paths import Paths
from tests.chaos import essence as worlds
from tests.chaos.runs import Run
from tests.support import host_state
from tests.support.site import OUT, ROOT, control, on_controller, openstack, world
from tests.support.site import run as shell

CHAINS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("chains.yml").read_text())
LOGS = ROOT / "build" / "chaos"
NOTICE = 5.0
"""Seconds that a run may take to notice a power cut, once the host is back; one that outlives it is killed then, before it has done the next points' work."""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@dataclass
class Point:
    """Where a run is interrupted: ``after`` seconds after ``task`` began for the ``nth`` time; ``power``: the controller loses its power, too.

    ``playbook``: the part of site.yml that is run; by default the whole command of the chain. ``inside``: the task was under way when it was killed, and had
    answered nothing yet; else the run was between it and a later one.
    """

    task: str
    nth: int = 1
    after: float | None = None
    power: bool = False
    playbook: str | None = None
    problems: list[str] = field(default_factory=list)
    reached: bool = False
    inside: bool = False

    def pause(self, chance: random.Random) -> float:
        return chance.uniform(0.05, 1.5) if self.after is None else self.after


def points(name: str) -> list[Point]:
    """The points of a chain; a plain name in the data file is a task."""
    return [Point(**row) if isinstance(row, dict) else Point(row) for row in CHAINS[name]["points"]]


class Keys:
    """Vault's keys: from the moment that they are there they stay, byte for byte."""

    def __init__(self) -> None:
        self.file = OUT / "vault-keys.json"
        self.known = self._read()

    def _read(self) -> bytes | None:
        return self.file.read_bytes() if self.file.exists() else None

    def problems(self) -> list[str]:
        before, self.known = self.known, self._read()
        if before is None or self.known == before:
            return []
        return ["Vault's keys are gone" if self.known is None else "Vault's keys are others than before"]


def cut_power() -> None:
    """All processes of the controller host are killed, its virtual machines with it; it is started again, and they are, as LXD does it."""
    host = controller.host(Paths())
    control("POST", "/power", {"state": "off"})
    host.stop()
    time.sleep(2)
    host.start()
    host.wait_ssh()
    control("POST", "/power", {"state": "on"})


class Chain:
    """``arguments`` is the command that is repeated; ``whole`` the essence that nothing may go beyond."""

    def __init__(self, name: str, whole: dict[str, Any], arguments: list[str] | None = None, building: bool = True):
        self.name = name
        self.whole = whole
        self.arguments = arguments or CHAINS[name]["command"]
        self.building = building
        # A sample on a busy day: CHAOS_EVERY=5 leaves four of five points out. What they would have done is to do still, so the whole command is run.
        every = int(os.environ.get("CHAOS_EVERY", "1"))
        self.points = [replace(point, playbook=point.playbook if every == 1 else None) for point in points(name)[::every]]
        self.chance = random.Random(7)
        self.log = LOGS / f"{name}.log"
        self.initialised = worlds.initialisations(world())

    def run(self) -> list[Point]:
        """Go through all points and to the end."""
        keys = Keys()
        previous: Point | None = None
        stopped = 0
        for point in self.points:
            run = Run(*([f"playbooks/{point.playbook}.yml"] if point.playbook else self.arguments), log=self.log)
            point.reached = run.reaches(point.task, point.nth)
            if point.reached:
                time.sleep(point.pause(self.chance))
                point.reached = run.code is None
                point.inside = point.reached and run.inside(point.task)
            if point.power and point.reached:
                cut_power()
                ended = run.ends(NOTICE)
                say(f"    the run {'goes on' if ended is None else f'ended with {ended}'} after the power cut")
            run.kill()
            self._look(previous, keys)
            if not point.reached and run.code == 0 and not point.playbook:
                # What is done cannot be interrupted any more: the points that are left would show nothing, and count as failed.
                missed = self.points[self.points.index(point) :]
                say(f"{self.name}: the run went to its end before {point.task}; {len(missed)} points were not reached")
                for one in missed:
                    one.problems.append("the run went to its end before it")
                break
            if not point.reached:
                point.problems.append(f"the run stopped with {run.code} before it came there: {tail(run)}")
                stopped += 1
                if stopped == 3:
                    self.fail(f"three runs stopped by themselves, the last before {point.task}")
                    break
            say(f"{self.name}: {'power cut' if point.power else 'killed'} in {point.task} after {run.seconds:.0f} s{self._shown(previous)}")
            previous = point
        run = Run(*self.arguments, log=self.log)
        code = run.ends()
        if code is None:
            run.kill()
        self._look(previous, keys)
        if code != 0:
            self.fail(f"the last run ended with {code}: {tail(run)}")
        say(f"{self.name}: the last run ended with {code} after {run.seconds:.0f} s")
        return self.points

    def _look(self, point: Point | None, keys: Keys) -> None:
        """What the run after a point has left."""
        if point is None:
            return
        now = world()
        point.problems += worlds.beyond(self.whole, worlds.essence(now))
        if self.building:
            point.problems += keys.problems()
            if worlds.initialisations(now) - self.initialised > 1:
                point.problems.append("Vault was initialised twice")

    @staticmethod
    def _shown(point: Point | None) -> str:
        return f"; after the point before: {'; '.join(point.problems)}" if point and point.problems else ""

    def fail(self, problem: str) -> None:
        """The end is not what it should be: that counts for every point of the chain."""
        for point in self.points:
            point.problems.append(problem)

    def compare(self, expected: dict[str, Any], found: dict[str, Any]) -> None:
        for line in worlds.differences(expected, found):
            self.fail(f"in the end: {line}")


def tail(run: Run) -> str:
    text = run.printed
    return text[text.rfind("fatal:") :][:1500] if "fatal:" in text else text[-1500:]


def counted(chain: list[Point]) -> dict[str, dict[str, int]]:
    """Points that were reached, how many of them came to the same, and how many struck while their task was under way; kills and power cuts apart."""
    found = {}
    for kind, power in (("kills", False), ("power_cuts", True)):
        rows = [point for point in chain if point.power == power and point.reached]
        found[kind] = {
            "points": len(rows),
            "identical": sum(not point.problems for point in rows),
            "inside": sum(point.inside for point in rows),
        }
    return found


def kept(chain: Chain) -> list[Point]:
    """Write down what each point came to."""
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / f"{chain.name}.json").write_text(json.dumps([vars(point) for point in chain.points], indent=1) + "\n")
    for point in chain.points:
        if point.problems or not point.reached:
            say(f"{chain.name}: {point.task}: {'; '.join(point.problems) or 'not reached'}")
    return chain.points


# -- the whole test ---------------------------------------------------------------------------------------------------------------
def whole_run(*arguments: str, log: str) -> None:
    """A run that nobody interrupts, for comparison."""
    run = Run(*arguments, log=LOGS / f"{log}.log")
    if run.ends() != 0:
        raise SystemExit(f"The unbroken run of {arguments[0]} failed:\n{tail(run)}")
    say(f"unbroken: {' '.join(arguments)}: {run.seconds:.0f} s")


def fresh() -> dict[str, Any]:
    """A new lab; what its controller is like while it is bare."""
    for target in ("lab-down", "lab-up"):
        done = shell("make", target, timeout=900)
        if done.returncode:
            raise SystemExit(f"make {target} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    say("a fresh lab is up")
    return host_state.read(on_controller)


def renamed(found: dict[str, Any], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """The same with other names in it."""
    text = json.dumps(found)
    for old, new in pairs:
        text = text.replace(old, new)
    return json.loads(text)


def grown() -> dict[str, Any]:
    """Add another machine without interruption; the essence that the interrupted addition has to come to."""
    whole_run("playbooks/add-node.yml", "-e", "node=compute3", log="unbroken")
    found = worlds.essence(world())
    twin = renamed(found, [("compute3", "compute2"), ("52:54:00:10:03:", "52:54:00:10:02:")])
    return {part: {**twin[part], **found[part]} for part in found}


def probes() -> list[str]:
    """What the proof of a hypervisor left in the cloud."""
    found = []
    for what in (["server", "list", "--all-projects"], ["image", "list"], ["network", "list"], ["flavor", "list", "--all"]):
        found += [f"the cloud: {one['Name']} is left in {what[0]} list" for one in openstack(*what) if one["Name"].startswith("stratus-probe")]
    return found


def all_of(wanted: set[str]) -> tuple[dict[str, dict[str, dict[str, int]]], int]:
    """Run the chains on one fresh lab; the counts of each and the number of points with problems."""
    LOGS.mkdir(parents=True, exist_ok=True)
    bare = fresh()
    nothing = worlds.essence(world())
    whole_run("playbooks/site.yml", log="unbroken")
    whole = worlds.essence(world())
    built = host_state.read(on_controller)
    done: dict[str, list[Point]] = {}
    if "add-node" in wanted:
        done["add-node"] = add_node(grown())
    if "teardown" in wanted:
        done["teardown"] = teardown(nothing, bare)
    else:
        whole_run("playbooks/teardown.yml", "-e", "confirm=yes", log="unbroken")
    if "site" in wanted:
        done["site"] = site(whole, built, nothing, bare)
    return {name: counted(points) for name, points in done.items()}, sum(bool(point.problems) for points in done.values() for point in points)


def add_node(expected: dict[str, Any]) -> list[Point]:
    chain = Chain("add-node", expected)
    chain.run()
    chain.compare(expected, worlds.essence(world()))
    for line in probes():
        chain.fail(line)
    return kept(chain)


def teardown(nothing: dict[str, Any], bare: dict[str, Any] | None) -> list[Point]:
    chain = Chain("teardown", worlds.essence(world()), building=False)
    chain.run()
    chain.compare(nothing, worlds.essence(world()))
    for line in host_state.differences(bare, host_state.read(on_controller)) if bare else []:
        chain.fail(f"the controller: {line}")
    return kept(chain)


def site(whole: dict[str, Any], built: dict[str, Any], nothing: dict[str, Any], bare: dict[str, Any]) -> list[Point]:
    chain = Chain("site", whole)
    chain.run()
    chain.compare(whole, worlds.essence(world()))
    now = host_state.read(on_controller)
    (LOGS / "controller.json").write_text(json.dumps({"unbroken": built, "killed": now}))
    for line in host_state.differences(host_state.shape(built), host_state.shape(now)):
        chain.fail(f"the controller: {line}")
    # What the killed runs left behind is no part of the record that the teardown goes by.
    whole_run("playbooks/teardown.yml", "-e", "confirm=yes", log="unbroken")
    chain.compare(nothing, worlds.essence(world()))
    for line in host_state.differences(bare, host_state.read(on_controller)):
        chain.fail(f"after the teardown, the controller: {line}")
    return kept(chain)
