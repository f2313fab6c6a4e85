# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the files of a collection say, installed or a checkout."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def about(folder):
    """Version, dependencies and the rest of a collection: of a built one its manifest tells them, of a checkout its galaxy.yml; empty where there is none."""
    try:
        manifest = folder / "MANIFEST.json"
        if manifest.exists():
            return dict(yaml.load(manifest.read_text(encoding="utf-8"), LOADER)["collection_info"])
        return dict(yaml.load((folder / "galaxy.yml").read_text(encoding="utf-8"), LOADER))
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return {}


def options():
    """{variable: its option} out of the argument specs of all entry points of all roles, the main one's first."""
    found = {}
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        entry_points = yaml.load(path.read_text(encoding="utf-8"), LOADER)["argument_specs"]
        for entry in (entry_points["main"], *entry_points.values()):
            for name, option in (entry.get("options") or {}).items():
                found.setdefault(name, option)
    return found
