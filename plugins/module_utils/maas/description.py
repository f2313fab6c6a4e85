# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The region's description of its API: made small, aimed at the configured host, and kept on disk between module calls.

A real region's description is about 0.6 MB, nearly all of it prose, and names absolute URIs with the host that the first
caller happened to use. Stripped and relative it is 60 KB. The copy lies in a private directory (0700, ours) as a private
file (0600); anything else there is not trusted and not written. The copy belongs to one URL and carries the hash that
every answer of the region repeats (X-MAAS-API-Hash), so an upgraded region is noticed with its first answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile

LAYOUT = 1


def strip(description):
    """The parts of a description that calls need."""

    def handler(raw):
        if raw is None:
            return None
        return {
            "name": raw["name"],
            "path": raw["path"],
            "params": raw["params"],
            "doc": "",
            "actions": [{"name": a["name"], "method": a["method"], "op": a["op"], "restful": a["restful"], "doc": ""} for a in raw["actions"]],
        }

    resources = [{"name": r["name"], "anon": handler(r["anon"]), "auth": handler(r["auth"])} for r in description["resources"]]
    return {"hash": description.get("hash"), "resources": resources}


def aim(description, base):
    """Give every handler the URI at which *we* reach the region: scheme and host of ``base``, path as described."""
    for resource in description["resources"]:
        for side in ("anon", "auth"):
            if resource[side] is not None:
                resource[side]["uri"] = base + resource[side]["path"]
    return description


def default_directory(environ=None):
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "stratus.cloud", "maas")


def private_directory(path):
    """Make the directory, or say whether the one that is there is ours alone."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


class Cache:
    def __init__(self, url, directory=None):
        self.directory = directory or default_directory()
        self.path = os.path.join(self.directory, hashlib.sha256(url.encode()).hexdigest()[:32] + ".json")
        self.url = url

    def load(self):
        """The stored description, or None. Never raises: a cache that cannot be read is a cache that is empty."""
        if not private_directory(self.directory):
            return None
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(handle, encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                return None
            try:
                stored = json.load(file)
                if stored["layout"] == LAYOUT and stored["url"] == self.url and stored["description"]["resources"]:
                    return stored["description"]
            except (ValueError, KeyError, TypeError):
                return None
        return None

    def store(self, description):
        if not private_directory(self.directory):
            return
        try:
            handle, name = tempfile.mkstemp(dir=self.directory, prefix=".new-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"layout": LAYOUT, "url": self.url, "description": description}, file)
            os.replace(name, self.path)
        except OSError:
            return
