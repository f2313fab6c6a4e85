"""A run of ansible-playbook that can be watched, killed whole, and outlived."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from pathlib import Path

from tests.support.processes import kill
from tests.support.site import BIN, ROOT

TASK = re.compile(r"^TASK \[(.*)\] \*+$")
# An item's or a host's result; a run's own lines (progress) begin otherwise.
RESULT = re.compile(r"^(ok|changed|fatal|failed): ")


class Run:
    """``arguments`` of ansible-playbook; ``printed`` is what it has said so far, ``code`` None while it runs."""

    def __init__(self, *arguments: str, log: Path | None = None, inventory: Path = ROOT / "inventories/lab", env: dict[str, str] | None = None):
        argv = [str(BIN / "ansible-playbook"), "-i", str(inventory), *arguments]
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1", **(env or {})}
        self.began = time.monotonic()
        self.lines: list[str] = []
        self.tasks: list[str] = []
        self.answered = False
        self._news = threading.Condition()
        self._log = log.open("a") if log else None
        self._process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment, cwd=ROOT, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        if self._log:
            self._log.write(f"===== {time.strftime('%H:%M:%S')} ansible-playbook {' '.join(arguments)}\n")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self.take(line)
                self._news.notify_all()
            if self._log:
                self._log.write(line)
                self._log.flush()
        with self._news:
            self._news.notify_all()

    def take(self, line: str) -> None:
        """Another line that it printed."""
        self.lines.append(line)
        if found := TASK.match(line):
            self.tasks.append(found[1])
            self.answered = False
        elif RESULT.match(line):
            self.answered = True

    @property
    def printed(self) -> str:
        return "".join(self.lines)

    def inside(self, task: str) -> bool:
        """Whether it is in that task, and nothing has come of it yet."""
        return bool(self.tasks) and task in self.tasks[-1] and not self.answered

    @property
    def code(self) -> int | None:
        return self._process.poll()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def reaches(self, task: str, nth: int = 1, timeout: float = 1500) -> bool:
        """Wait until a task of this name begins for the nth time; False when the run ends before."""
        deadline = time.monotonic() + timeout
        with self._news:
            while sum(task in name for name in self.tasks) < nth:
                if (self.code is not None and not self._reader.is_alive()) or time.monotonic() > deadline:
                    return False
                self._news.wait(0.5)
        return True

    def ends(self, timeout: float = 1500) -> int | None:
        """Wait for the end; the exit code, or None when the time is over (the run goes on)."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(10)
        return self.code

    def kill(self) -> None:
        """End it as a kill from outside does, with all its processes; nothing happens to one that has ended."""
        if self.code is None:
            kill(self._process.pid)
            self._process.wait(30)
            self._reader.join(10)
            if self._log:
                self._log.write(f"===== {time.strftime('%H:%M:%S')} killed\n")
                self._log.flush()
