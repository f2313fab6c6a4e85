# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a host was before it was changed, as plain data.

The record: ``packages``, ``snaps``, ``users``, ``groups``, ``subuids``, ``subgids`` and ``directories`` are lists of what came;
``kept`` is {section: {name: value before}};
``installing`` is what was there when an installation began, and what was ``asked`` for, until its end is noted.
"""

from __future__ import annotations

import os
import re

# How dpkg-query lists packages here: name, state, what it provides, what it needs or recommends.
FORMAT = "${binary:Package}\t${db:Status-Status}\t${Provides}\t${Pre-Depends}, ${Depends}, ${Recommends}\n"
INSTALLED = "installed"
ACCOUNTS = ("users", "groups", "subuids", "subgids")
# Below it are accounts that the system and its packages make for themselves (Debian's policy, 9.2.2). From it on are people's; the few others there stay.
PEOPLE = 1000
# Ansible's module for apt brings it by itself where it is missing.
HELPERS = {"python3-apt"}


def _plain(name):
    """A package's name without its architecture."""
    return name.partition(":")[0]


def _related(field):
    """The names in a field such as ``libc6 (>= 2.36), a | b:any``."""
    return {_plain(part.split()[0]) for part in re.split("[,|]", field) if part.strip()}


def packages(listing):
    """{name: (names that it provides, names that it needs or recommends)} of the installed packages, listed as ``FORMAT`` says."""
    words = (line.split("\t") for line in listing.splitlines())
    return {name: (_related(provides), _related(needs)) for name, state, provides, needs in words if state == INSTALLED}


def snap_needs(text):
    """What a snap.yaml says that its snap needs: its base, snaps that its content comes from, and snapd."""
    base = re.findall(r"^base: *[\"']?([a-z0-9-]+)", text, re.M)
    return {"snapd", *(base or ["core"]), *re.findall(r"^ +default-provider: *[\"']?([a-z0-9-]+)", text, re.M)}


def closure(wanted, installed):
    """What is installed of ``wanted``, of what that needs, and so on; ``installed`` is as ``packages`` returns it."""
    known = {}
    for name, (provides, _needs) in installed.items():
        for called in {_plain(name), *provides}:
            known.setdefault(called, set()).add(name)
    reached, called = set(), {_plain(name) for name in wanted}
    while called:
        new = set().union(*(known.get(name, ()) for name in called)) - reached
        reached |= new
        called = set().union(*(installed[name][1] for name in new))
    return reached


def accounts(database):
    """The names of the system's own accounts in a file like /etc/passwd."""
    rows = (line.split(":") for line in database.splitlines())
    return sorted(row[0] for row in rows if len(row) > 2 and row[2].isdigit() and int(row[2]) < PEOPLE)


def missing(wanted, installed):
    """Those of ``wanted`` that are not installed; a package of the host's own architecture may be listed with it (``libc6:amd64``)."""
    plain = {_plain(name) for name in installed} | set(installed)
    return [name for name in wanted if name not in plain]


def begin(record, now, asked):
    """The record once an installation has begun. An earlier one whose end was never noted still counts from its own beginning.

    ``asked``: {"packages": names, "snaps": names}.
    """
    window = record.get("installing", now)
    before = window.get("asked", {})
    return {**record, "installing": {**window, "asked": {kind: sorted({*before.get(kind, []), *names}) for kind, names in asked.items()}}}


def end(record, now, needs, manual=(), scripts=lambda _packages: ""):
    """The record once it has ended: what the installation has brought is the collection's; what has gone meanwhile is forgotten.

    Between a run that died and this one, others may have worked on the host. So of what has come, only this counts: packages and snaps that were asked
    for; what these need (``needs``: {kind: what is installed, for ``closure``}), but for packages that somebody asked for by name (``manual``); and
    accounts that the packages name in what they run when they are installed (``scripts`` gives its text), or that are called as a snap.
    """
    if "installing" not in record:
        return record
    window = record["installing"]
    asked = {kind: set(window.get("asked", {}).get(kind, [])) for kind in ("packages", "snaps")}
    result = {name: value for name, value in record.items() if name != "installing"}

    def claim(kind, ours):
        came = set(now[kind]) - set(window.get(kind, now[kind]))
        result[kind] = sorted((set(record.get(kind, [])) | came & ours) & set(now[kind]))

    wanted = asked["packages"] | HELPERS
    others = set(manual) - wanted
    claim("packages", {name for name in closure(wanted, needs["packages"]) if _plain(name) not in others})
    claim("snaps", closure(asked["snaps"], needs["snaps"]))
    named = {*result["snaps"], *re.findall(r"[a-z_][a-z0-9_-]*", scripts(result["packages"]))}
    for kind in ACCOUNTS:
        claim(kind, {entry for entry in now[kind] if _plain(entry) in named})
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
