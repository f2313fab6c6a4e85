# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Texts that others wrote (a machine's description, a unit's message), without what a terminal would obey.

Ansible prints messages, warnings and diffs as they are. The data of an answer stays as it was read: whatever prints that, escapes it.
"""

from __future__ import annotations

import re

# Control characters of both sets, and those that turn the direction of writing.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def line(text):
    """One line."""
    return UNSAFE.sub("?", str(text))


def lines(text):
    """Lines, kept apart."""
    return "\n".join(line(one) for one in str(text).split("\n"))


def _diff(value):
    if isinstance(value, dict):
        return {key: _diff(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_diff(inner) for inner in value]
    return lines(value) if isinstance(value, str) else value


def answer(result):
    """A module's answer with a message and a diff that can be printed."""
    given = {"msg": lines, "diff": _diff}
    return {key: given[key](value) if key in given else value for key, value in result.items()}


def fail(module, message, result):
    """End the module with a failure: ``result``, with a message that can be printed."""
    module.fail_json(**answer({**result, "msg": message}))
