# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A lock with an owner's name on it: who works on this cloud, and whether that run is still alive.

A holder is a dictionary: ``user``, ``control`` (host name of the control node), ``machine`` (which of all that have this name, see ``machine_of``), ``boot``
(its boot id), ``namespace`` (where its numbers of processes hold: each container has its own, pid_namespaces(7)), ``pid`` and ``started`` (clock ticks after
boot, field 22 of proc_pid_stat(5)) of the ansible-playbook process, ``what`` (its playbook), ``since`` (UTC, ISO 8601), ``part`` (which of its parts took it
first; None: the whole of it).
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os

IDENTITY = ("control", "machine", "boot", "namespace", "pid", "started")
"""What tells one run from every other, even after numbers of processes came round."""


def machine_of(path="/etc/machine-id"):
    """What tells this control node from others that are called ubuntu, too; empty in a container that has no such file.

    Hashed, as machine-id(5) asks: on the controller everybody may read the lock.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            known = file.read().strip()
    except OSError:
        return ""
    # systemd writes this word into an image that no machine was made of yet.
    return "" if known in ("", "uninitialized") else hmac.new(known.encode(), b"stratus.cloud.run_lock", "sha256").hexdigest()[:32]


HIDDEN = "hidden"
"""Of a process that is there, and about which another user learns nothing more (hidepid, proc(5))."""


def started_of(pid, proc="/proc"):
    """When a process was started; None when there is none, HIDDEN when only that is known of it."""
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return HIDDEN if _is_somebody_elses(pid) else None
    # A zombie has ended, its parent just did not ask yet.
    return None if fields[0] == "Z" else int(fields[19])


def _is_somebody_elses(pid):
    """Whether there is such a process of another user. A signal tells, also where /proc does not."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, TypeError, OverflowError):
        # No such process, or no number of one.
        return False
    return False


def same(one, other):
    return all(one.get(key) == other.get(key) for key in IDENTITY)


def verdict(holder, me, started=started_of):
    """ "mine", "stale" (its run is over), "alive", or "elsewhere": held from another control node, where nobody here can look."""
    if same(holder, me):
        return "mine"
    # Two of the same name are two, and one that nobody can tell from the other may be another.
    if holder.get("control") != me["control"] or (holder.get("machine") or "") != (me.get("machine") or ""):
        return "elsewhere"
    if holder.get("boot") != me["boot"]:
        # Without a machine id two hosts have only their names, and another boot may be the other host's.
        return "stale" if me.get("machine") else "elsewhere"
    if holder.get("namespace") != me.get("namespace"):
        return "elsewhere"
    if started(holder.get("pid")) not in (holder.get("started"), HIDDEN):
        return "stale"
    return "alive"


def describe(holder):
    return f"{holder.get('what')} by {holder.get('user')} on {holder.get('control')} (process {holder.get('pid')}, since {holder.get('since')})"


def read(path):
    """The holder; None when there is no lock. A file that is no lock reads as a holder that nobody knows."""
    try:
        with open(path, encoding="utf-8") as file:
            holder = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        holder = None
    return holder if isinstance(holder, dict) else dict.fromkeys((*IDENTITY, "what", "user", "since"), "unknown")


@contextlib.contextmanager
def _guarded(path):
    """Nobody else reads or writes the lock meanwhile."""
    handle = os.open(f"{path}.guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def take(path, me, instead_of=None, write=True):
    """Take the lock when nobody has it, or ``instead_of`` has it; returns who has it then. Two that come together never both get it."""
    if not write:
        return read(path) or me
    with _guarded(path):
        holder = read(path)
        if holder is not None and not (instead_of and same(holder, instead_of)):
            return holder
        fresh = f"{path}.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w") as file:
            json.dump(me, file)
        os.replace(fresh, path)
        return me


def give_back(path, me, write=True):
    """Remove the lock when ``me`` has it, a part of it when that part took it; returns who has it then."""
    if not write or not os.path.lexists(path):
        return read(path)
    with _guarded(path):
        holder = read(path)
        if holder is None or not same(holder, me) or me.get("part") not in (None, holder.get("part")):
            return holder
        os.unlink(path)
        return None
