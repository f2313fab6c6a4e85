# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible hands to plugins, as Python's own."""

from __future__ import annotations

from collections.abc import Mapping


def plain(value):
    """Containers that Ansible may hand over lazily, as plain ones with text for keys; what cannot be evaluated raises.

    Before ansible-core 2.19 a value with C(!vault) is an object that is no text, and is decrypted when it is made one.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    return value
