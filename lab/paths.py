"""Where a checkout's lab keeps its things: all of it below ``.lab``."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


class Paths:
    """The places of one lab. ``LAB_DIR`` moves them elsewhere (tests do that)."""

    def __init__(self, lab: Path | None = None):
        self.checkout = CHECKOUT
        self.lab = Path(lab or os.environ.get("LAB_DIR") or CHECKOUT / ".lab").resolve()
        self.cache = self.lab / "cache"
        self.state = self.lab / "state"
        self.run = self.lab / "run"
        self.log = self.lab / "log"
        self.hosts = self.lab / "hosts"
        self.molecule = self.lab / "molecule"
        """Hosts of molecule's scenarios, which come and go without the lab."""
        self.ssh = self.lab / "ssh"
        self.endpoints = self.lab / "endpoints.json"
        self.world = self.state / "world.json"
        self.control = self.run / "control.sock"
        self.maas = self.run / "maas.sock"
        self.key = self.ssh / "id_ed25519"
        self.known_hosts = self.ssh / "known_hosts"
        self.forward = self.lab / "ip_forward"
        """What the machine's forwarding was before hosts needed it."""

    def make(self) -> Paths:
        for directory in (self.cache, self.state, self.run, self.log, self.hosts, self.ssh):
            directory.mkdir(parents=True, exist_ok=True)
        self.ssh.chmod(0o700)
        return self


def held(lock: Path) -> bool:
    """Whether a process has the lock of this file now; not so when there is no file that could be locked."""
    try:
        with lock.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def locked(lock: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have the lock of this file; ``waits`` is called when another process has it still."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
