# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible hands to plugins, as Python's own."""

from __future__ import annotations

from collections.abc import Mapping


def opened(value):
    """A value with C(!vault) as text: before ansible-core 2.19 it is an object, and is decrypted when it is made one. Any other as it is."""
    return str(value) if getattr(value, "__ENCRYPTED__", False) else value


def plain(value):
    """Containers that Ansible may hand over lazily, as plain ones with text for keys; what cannot be evaluated raises."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return opened(value)
