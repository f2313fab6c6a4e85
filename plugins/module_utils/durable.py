# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that are whole at any time, also after a power cut."""

from __future__ import annotations

import os


def sync_directory(path):
    """What was renamed, made or removed in a directory is on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def part(path):
    """What a file is called until all of it is written."""
    return f"{path}.new"


def put(path, content, mode=0o600, owner=None):
    """Write a file (bytes): it is the old one or the new one, never a part. ``owner``: (uid, gid), without it the user's own; OSError."""
    fresh = part(path)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        if owner:
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    sync_directory(os.path.dirname(path))
