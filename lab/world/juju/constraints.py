"""Constraints: the text of bundles and command lines, and the values on the wire."""

from __future__ import annotations

import re
from typing import Any

from lab.world.juju.errors import invalid

UNITS = {"": 1, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}
SIZES = ("mem", "root-disk")
NUMBERS = ("cores", "cpu-power")
LISTS = ("tags", "spaces", "zones")
TEXTS = ("arch", "container", "instance-type", "instance-role", "virt-type", "root-disk-source", "image-id")
ALIASES = {"cpu-cores": "cores"}


def parse(text: str | None) -> dict[str, Any]:
    """``mem=6G cores=4 tags=a,b`` as values (sizes in MiB)."""
    found: dict[str, Any] = {}
    for word in (text or "").split():
        key, equals, value = word.partition("=")
        key = ALIASES.get(key, key)
        if not equals:
            raise invalid(f'malformed constraint "{word}"')
        if key in SIZES:
            match = re.fullmatch(r"(\d+(?:\.\d+)?)([MGTP]?)B?", value)
            if not match and value:
                raise invalid(f'bad "{key}" constraint: must be a non-negative float with optional M/G/T/P suffix')
            found[key] = int(float(match[1]) * UNITS[match[2]]) if match else 0
        elif key in NUMBERS:
            if not value.isdigit():
                raise invalid(f'bad "{key}" constraint: must be a non-negative integer')
            found[key] = int(value)
        elif key in LISTS:
            found[key] = [v for v in value.split(",") if v]
        elif key == "allocate-public-ip":
            found[key] = value == "true"
        elif key in TEXTS:
            found[key] = value
        else:
            raise invalid(f'unknown constraint "{key}"')
    return found


def clean(values: dict[str, Any] | None) -> dict[str, Any]:
    """Values from the wire without the empty ones (clients send nulls for all they do not mean)."""
    kept = {}
    for key, value in (values or {}).items():
        key = ALIASES.get(key, key)
        if value is None or value == "" or (value == [] and key != "tags"):
            continue
        if key in SIZES + NUMBERS + LISTS + TEXTS + ("allocate-public-ip",):
            kept[key] = value
    return kept


def merged(*levels: dict[str, Any] | None) -> dict[str, Any]:
    """Later levels win (model, application, machine)."""
    found: dict[str, Any] = {}
    for level in levels:
        found.update(level or {})
    return found


def text(values: dict[str, Any] | None) -> str:
    """The values as Juju prints them."""
    words = []
    for key in sorted(values or {}):
        value = values[key]
        if key in SIZES:
            words.append(f"{key}={value}M")
        elif isinstance(value, list):
            words.append(f"{key}={','.join(value)}")
        elif isinstance(value, bool):
            words.append(f"{key}={str(value).lower()}")
        else:
            words.append(f"{key}={value}")
    return " ".join(words)
