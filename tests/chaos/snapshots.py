"""Labs that stand where a phase of site.yml begins, kept as copies of their files: laid back in a moment, brought up in some seconds."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from lab.__main__ import stop_daemon
from lab.hosts import cgroup, tree
from lab.paths import Paths
from tests.chaos import essence as worlds
from tests.chaos.runs import Run
from tests.support.site import ROOT, explain, run, world

# All of site.yml but the lock, the preflight and what is not in it by default.
PHASES = ("controller", "network", "machines", "orchestrator", "cloud", "access")
PARTS = ("state", "hosts", "log", "ssh", "out", "run")
PLACE = Paths().lab / "chaos"
SETTLE = 10.0
"""Seconds of quiet after a phase, for what it has started: images reach the rack within them."""


def halt() -> None:
    """Stop the lab as a power cut does, and keep its files."""
    stop_daemon(Paths())
    cgroup.Group(cgroup.LAB).kill()


def up(speed: float = 60) -> None:
    done = run("make", "lab-up", env={"LAB_SPEED": str(speed)})
    if done.returncode:
        raise SystemExit(f"The lab does not come up: {explain(done)}")


def keep(name: str) -> None:
    """Keep the lab as it is under a name; it is halted."""
    halt()
    remove(PLACE / name)
    (PLACE / name).mkdir(parents=True)
    for part in PARTS:
        if (Paths().lab / part).exists():
            subprocess.run(["cp", "-a", str(Paths().lab / part), str(PLACE / name)], check=True)


def lay(name: str, speed: float = 60) -> None:
    """The lab as it was kept under this name, running."""
    halt()
    for part in PARTS:
        remove(Paths().lab / part)
        if (PLACE / name / part).exists():
            subprocess.run(["cp", "-a", str(PLACE / name / part), str(Paths().lab)], check=True)
    up(speed)


def remove(place: Path) -> None:
    if place.exists():
        tree.remove(place)


def sources() -> str:
    """A digest of what builds a cloud and of the lab: labs that others have built are of no use."""
    found = hashlib.sha256()
    for folder in ("lab", "playbooks", "roles", "plugins", "bundles", "inventories/lab"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return found.hexdigest()


def prepare(through: str) -> None:
    """Build phase by phase until this one is done, from as far as it is kept: what the lab is before each, and what the world amounts to after.

    With CHAOS_KEEP=1 kept labs are used whatever has changed since.
    """
    mark = PLACE / "sources"
    if not (mark.exists() and (mark.read_text() == sources() or os.environ.get("CHAOS_KEEP") == "1")):
        remove(PLACE)
        PLACE.mkdir(parents=True)
        mark.write_text(sources())
    if not (PLACE / PHASES[0]).exists():
        for target in ("lab-down", "lab-up"):
            done = run("make", target)
            if done.returncode:
                raise SystemExit(f"make {target}: {explain(done)}")
        keep(PHASES[0])
    for phase, following in itertools.pairwise((*PHASES, "end")):
        if not there(phase):
            lay(phase, 240 if phase == "cloud" else 60)
            one = Run(f"playbooks/{phase}.yml", log=PLACE / "prepare.log")
            if one.ends() != 0:
                raise SystemExit(f"playbooks/{phase}.yml failed without any fault:\n{one.printed[-3000:]}")
            # What it has started comes to its end.
            time.sleep(SETTLE)
            found = worlds.essence(world())
            keep(following)
            (PLACE / phase / "whole.json").write_text(json.dumps(found))
        if phase == through:
            return


def whole(phase: str) -> dict[str, Any]:
    """What the world amounts to when this phase is done."""
    return json.loads((PLACE / phase / "whole.json").read_text())


def there(phase: str) -> bool:
    return (PLACE / phase / "whole.json").exists()
