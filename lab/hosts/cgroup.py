"""Control groups of the hosts: to find every process of a host, and to kill them all at once."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

SYS = Path("/sys/fs/cgroup")
# Everything of a lab is below this group. A second lab on a machine lives in a network namespace of its own and needs another name here.
LAB = os.environ.get("LAB_GROUP", "stratus-lab")


def unified() -> Path | None:
    """The cgroup2 hierarchy: the only one, or the one beside the old ones (hybrid)."""
    for place in (SYS, SYS / "unified"):
        if (place / "cgroup.procs").exists() and (place / "cgroup.controllers").exists():
            return place
    return None


def named() -> Path | None:
    """systemd's own old hierarchy on a hybrid machine: nspawn looks there for the group it is in."""
    place = SYS / "systemd"
    return place if (place / "cgroup.procs").exists() and not (place / "cgroup.controllers").exists() else None


class Group:
    """The group ``name`` (a relative path) in every hierarchy that matters."""

    def __init__(self, name: str):
        self.name = name
        base = unified()
        if base is None:
            raise RuntimeError("this machine has no cgroup2 hierarchy below /sys/fs/cgroup, which the hosts need")
        self.path = base / name
        old = named()
        self.old = old / name if old else None

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if self.old:
            self.old.mkdir(parents=True, exist_ok=True)

    def procs_files(self) -> list[Path]:
        """Where a process writes its number to be in the group."""
        return [place / "cgroup.procs" for place in (self.path, self.old) if place]

    def _all(self) -> list[Path]:
        """This group and those below, deepest first, in all hierarchies."""
        found = []
        for place in (self.path, self.old):
            if place and place.is_dir():
                found += [Path(directory) for directory, _names, _files in os.walk(place, topdown=False)]
        return found

    def pids(self) -> list[int]:
        pids: set[int] = set()
        for place in self._all():
            try:
                pids.update(int(line) for line in (place / "cgroup.procs").read_text().split())
            except OSError:
                continue
        pids.discard(0)
        return sorted(pids)

    def kill(self, timeout: float = 10) -> None:
        """Kill every process of the group and remove it."""
        deadline = time.monotonic() + timeout
        while True:
            if (self.path / "cgroup.kill").exists():
                with contextlib.suppress(OSError):
                    (self.path / "cgroup.kill").write_text("1")
            pids = self.pids()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self.remove(deadline)

    def remove(self, deadline: float = 0) -> bool:
        """Remove the empty group; whether nothing is left of it."""
        while True:
            left = False
            for place in self._all():
                try:
                    place.rmdir()
                except OSError:
                    left = True
            if not left or time.monotonic() > deadline:
                return not left
            time.sleep(0.02)
