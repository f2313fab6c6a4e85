"""Processes with all that descends from them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def tree(pid: int, proc: Path = Path("/proc")) -> list[int]:
    """A process and all that descends from it. Ansible's workers have sessions of their own, so a process group is not enough."""
    children: dict[int, list[int]] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill(pid: int) -> None:
    """SIGKILL to the whole tree. The top is stopped first, so that it starts nothing more."""
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for one in tree(pid):
            try:
                os.kill(one, signal_number)
            except ProcessLookupError:
                continue


def imports(statement: str, *names: str) -> list[str]:
    """Which of the modules ``names`` a fresh Python has loaded after ``statement``."""
    code = f"import sys; {statement}; print(*[name for name in {names!r} if name in sys.modules])"
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout.split()
