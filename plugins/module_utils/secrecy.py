# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is secret by its name in data that others define: options of charms, settings of a region, ways into a cloud."""

from __future__ import annotations

import re

HIDDEN = "VALUE HIDDEN"
_NAME = re.compile(
    r"(?<!by)pass(word|phrase|code|wd)?s?$|secret|token|credentials?$|(access|api|bmc|corosync|encryption|pacemaker|private|ssl)[-_]?keys?$", re.IGNORECASE
)
_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)(?=@)")


def is_secret(name):
    """Whether an option, setting or parameter of this name holds what nobody may read."""
    return bool(_NAME.search(str(name)))


def shown(name, value):
    """The value as it may be shown: itself, hidden, or an address without the password in it."""
    if is_secret(name) and isinstance(value, str) and value:
        return HIDDEN
    return _IN_URL.sub(rf"\1:{HIDDEN}", value) if isinstance(value, str) else value


def inside(value, name=""):
    """{text} of what is secret inside, by the names in it, as Ansible notes what is to be hidden."""
    if isinstance(value, dict):
        return set().union(*(inside(inner, key) for key, inner in value.items()))
    if isinstance(value, (list, tuple)):
        return set().union(*(inside(inner, name) for inner in value))
    if not isinstance(value, str):
        return set()
    found = {match.group(2) for match in _IN_URL.finditer(value)}
    if is_secret(name):
        # A key of several lines is also hidden where it is indented, as in a bundle's text.
        found |= {value, *(line for line in map(str.strip, value.split("\n")) if len(line) > 15)}
    return found - {""}


def _texts(value):
    if isinstance(value, (dict, list, tuple)):
        return set().union(*map(_texts, value.values() if isinstance(value, dict) else value))
    return {str(value)}


def hide(module, names):
    """Hide in a module's answer, of these options, the secrets alone.

    Their specs say ``no_log``, so that the journal has nothing of them; the rest of what they hold tells an operator something.
    """
    others = [module.params[name] for name, spec in module.argument_spec.items() if spec.get("no_log") is True and name not in names]
    module.no_log_values -= _texts([module.params[name] for name in names])
    module.no_log_values |= (_texts(others) - {"", "None"}) | inside(module.params)
