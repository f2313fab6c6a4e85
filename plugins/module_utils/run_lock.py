# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A lock with an owner's name on it: who works on this cloud, and whether that run is still alive.

A holder is a dictionary: ``user``, ``control`` (host name of the control node), ``boot`` (its boot id), ``namespace`` (where its numbers of processes hold:
each container has its own, pid_namespaces(7)), ``pid`` and ``started`` (clock ticks after boot, field 22 of proc_pid_stat(5)) of the ansible-playbook process,
``what`` (its playbook), ``since`` (UTC, ISO 8601).
"""

from __future__ import annotations

import fcntl
import json
import os

IDENTITY = ("control", "boot", "namespace", "pid", "started")
"""What tells one run from every other, even after numbers of processes came round."""


def started_of(pid, proc="/proc"):
    """When a process was started; None when there is none."""
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie has ended, its parent just did not ask yet.
    return None if fields[0] == "Z" else int(fields[19])


def same(one, other):
    return all(one.get(key) == other.get(key) for key in IDENTITY)


def verdict(holder, me, started=started_of):
    """ "mine", "stale" (its run is over), "alive", or "elsewhere": held from another control node, where nobody here can look."""
    if same(holder, me):
        return "mine"
    if holder.get("control") != me["control"]:
        return "elsewhere"
    if holder.get("boot") != me["boot"]:
        return "stale"
    if holder.get("namespace") != me.get("namespace"):
        return "elsewhere"
    if started(holder.get("pid")) != holder.get("started"):
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


def take(path, me, instead_of=None, write=True):
    """Take the lock when nobody has it, or ``instead_of`` has it; returns who has it then. Two that come together never both get it."""
    if not write:
        return read(path) or me
    handle = os.open(f"{path}.guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        holder = read(path)
        if holder is not None and not (instead_of and same(holder, instead_of)):
            return holder
        fresh = f"{path}.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w") as file:
            json.dump(me, file)
        os.replace(fresh, path)
        return me
    finally:
        os.close(handle)
