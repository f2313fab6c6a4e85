"""Labs that stand where a phase of site.yml begins, kept as copies of their files: laid back in a moment, brought up in some seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lab.__main__ import stop_daemon
from lab.hosts import cgroup, tree
from lab.paths import Paths
from tests.chaos import essence as worlds
from tests.chaos.runs import Run
from tests.support.site import explain, run, world

# All of site.yml but the lock, the preflight and what is not in it by default.
PHASES = ("controller", "network", "machines", "orchestrator", "cloud", "access")
PARTS = ("state", "hosts", "log", "ssh", "out", "run")
PLACE = Paths().lab / "chaos"


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


def prepare(through: str, speed: float = 60) -> None:
    """Build phase by phase from a fresh lab until this one is done; what the lab is before each, and what the world amounts to after, is kept."""
    for target in ("lab-down", "lab-up"):
        done = run("make", target, env={"LAB_SPEED": str(speed)})
        if done.returncode:
            raise SystemExit(f"make {target}: {explain(done)}")
    shutil.rmtree(PLACE, ignore_errors=True)
    for phase in PHASES:
        keep(phase)
        up(240 if phase == "cloud" else speed)
        one = Run(f"playbooks/{phase}.yml", log=PLACE / "prepare.log")
        if one.ends() != 0:
            raise SystemExit(f"playbooks/{phase}.yml failed without any fault:\n{one.printed[-3000:]}")
        (PLACE / phase / "whole.json").write_text(json.dumps(worlds.essence(world())))
        if phase == through:
            return


def whole(phase: str) -> dict[str, Any]:
    """What the world amounts to when this phase is done."""
    return json.loads((PLACE / phase / "whole.json").read_text())


def there(phase: str) -> bool:
    return (PLACE / phase / "whole.json").exists() and os.access(PLACE / phase, os.R_OK)
