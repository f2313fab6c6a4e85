# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a host was before it was changed, as plain data.

The record: ``packages``, ``snaps``, ``users``, ``groups``, ``subuids``, ``subgids`` and ``directories`` are lists of what came;
``kept`` is {section: {name: value before}};
``installing`` is what was there when an installation began, until its end is noted.
"""

from __future__ import annotations

import os

INVENTORIES = ("packages", "snaps", "users", "groups", "subuids", "subgids")
INSTALLED = "installed"


def packages(listing):
    """Names of the installed packages in the output of ``dpkg-query -W -f='${binary:Package} ${db:Status-Status}\\n'``."""
    words = (line.split() for line in listing.splitlines())
    return sorted(name for name, *state in words if state == [INSTALLED])


def names(database):
    """The names in a file like /etc/passwd."""
    return sorted(line.split(":")[0] for line in database.splitlines() if line.strip())


def missing(wanted, installed):
    """Those of ``wanted`` that are not installed; a package of the host's own architecture may be listed with it (``libc6:amd64``)."""
    plain = {name.partition(":")[0] for name in installed} | set(installed)
    return [name for name in wanted if name not in plain]


def begin(record, now):
    """The record once an installation has begun. An earlier one whose end was never noted still counts from its own beginning."""
    return record if "installing" in record else {**record, "installing": now}


def end(record, now):
    """The record once it has ended: what has come since is the collection's; what has gone meanwhile is forgotten."""
    if "installing" not in record:
        return record
    result = {name: value for name, value in record.items() if name != "installing"}
    for kind in INVENTORIES:
        came = (set(record.get(kind, [])) | set(now[kind]) - set(record["installing"].get(kind, now[kind]))) & set(now[kind])
        result[kind] = sorted(came)
    return result


def keep(record, values):
    """The record with what was before: the first value of each name wins."""
    kept = {section: dict(found) for section, found in record.get("kept", {}).items()}
    for section, found in values.items():
        for name, value in (found or {}).items():
            kept.setdefault(section, {}).setdefault(name, value)
    return {**record, "kept": kept} if kept else record


def note_directories(record, paths, exists=os.path.lexists):
    """The record with the topmost missing directory of each path: it, and what is in it, will have come."""
    made = set(record.get("directories", []))
    for path in paths:
        top = None
        while path not in ("/", "") and not exists(path):
            top, path = path, os.path.dirname(path)
        if top:
            made.add(top)
    return {**record, "directories": sorted(made)} if made else record
