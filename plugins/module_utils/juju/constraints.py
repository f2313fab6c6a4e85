# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Constraints as Juju writes them in bundles ("mem=6G cores=4 tags=compute"), read into what the controller takes."""

from __future__ import annotations

import re

SIZES = {"M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}
STORAGE = re.compile(r"(?P<Count>\d+)|(?P<Size>\d+(?:\.\d+)?[MGTP])(?:i?B)?|(?P<Pool>[A-Za-z][\w-]*)", re.ASCII)
SIZED = {"mem", "root-disk"}
WHOLE = {"cores", "cpu-power"}
LISTS = {"tags", "spaces", "zones"}
WORDS = {"arch", "container", "image-id", "instance-role", "instance-type", "root-disk-source", "virt-type"}
FLAGS = {"allocate-public-ip"}
ALIASES = {"cpu-cores": "cores"}
KEYS = SIZED | WHOLE | LISTS | WORDS | FLAGS


def _megabytes(text):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MGTP]?)", text)
    if not match:
        raise ValueError
    number = float(match.group(1)) * SIZES[match.group(2) or "M"]
    return int(-(-number // 1))


def _value(key, text):
    if key in SIZED:
        return _megabytes(text)
    if key in WHOLE:
        return int(text)
    if key in LISTS:
        return [part for part in text.split(",") if part]
    if key in FLAGS:
        return {"true": True, "false": False}[text.lower()]
    return text


def parse(constraints):
    """{'mem': 6144, 'cores': 4, ...}; sizes in MiB. ValueError names what is malformed."""
    if not constraints:
        return {}
    if isinstance(constraints, dict):
        pairs = [(str(key), value) for key, value in constraints.items() if value is not None]
    elif isinstance(constraints, str):
        pairs = []
        for word in constraints.split():
            key, sign, value = word.partition("=")
            if not sign or not key:
                raise ValueError(f"'{word}' is not of the form key=value")
            pairs.append((key, value))
    else:
        raise ValueError(f"{constraints!r} is neither text nor a dictionary")
    found = {}
    for key, value in pairs:
        key = ALIASES.get(key.replace("_", "-"), key.replace("_", "-"))
        if key not in KEYS:
            raise ValueError(f"'{key}' is not a constraint that Juju knows")
        if isinstance(value, (list, tuple)):
            value = ",".join(str(part) for part in value)
        elif isinstance(value, bool):
            value = "true" if value else "false"
        if value == "":
            continue  # "mem=" lifts a constraint
        try:
            found[key] = _value(key, str(value))
        except (ValueError, KeyError):
            raise ValueError(f"'{key}={value}' has a value that Juju cannot read") from None
    return found


def text(constraints):
    """The other way round, in a stable order: for messages and comparisons."""
    words = []
    for key, value in sorted(parse(constraints).items()):
        if key in LISTS:
            value = ",".join(value)
        elif key in SIZED:
            value = f"{value // 1024}G" if value % 1024 == 0 else f"{value}M"
        elif isinstance(value, bool):
            value = str(value).lower()
        words.append(f"{key}={value}")
    return " ".join(words)


def same(left, right):
    """Lists are compared as sets: Juju keeps no order of tags."""

    def plain(constraints):
        return {key: sorted(value) if isinstance(value, list) else value for key, value in parse(constraints).items()}

    return plain(left) == plain(right)


def storage(wanted):
    """Storage as bundles write it (``ebs,10G,2``: pool, size and count in any order, each at most once) as the controller takes it; the size in MiB.

    ValueError names what is malformed. Source: juju/storage, ParseConstraints, which the controller leaves to its clients.
    """
    found = {}
    for part in str(wanted).split(","):
        match = STORAGE.fullmatch(part)
        if not match or match.lastgroup in found:
            raise ValueError(f"'{wanted}' is not of the form POOL,SIZE,COUNT, as in cinder,10G,2")
        found[match.lastgroup] = match[0] if match.lastgroup == "Pool" else int(part) if match.lastgroup == "Count" else _megabytes(match["Size"])
    return {"Count": 1, **found}
