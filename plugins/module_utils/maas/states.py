# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine's statuses, and what each means to somebody who waits. Tables only."""

from __future__ import annotations

# number: (name as MAAS shows it, constant as ?status= takes it)
STATUS = {
    0: ("New", "new"),
    1: ("Commissioning", "commissioning"),
    2: ("Failed commissioning", "failed_commissioning"),
    3: ("Missing", "missing"),
    4: ("Ready", "ready"),
    5: ("Reserved", "reserved"),
    6: ("Deployed", "deployed"),
    7: ("Retired", "retired"),
    8: ("Broken", "broken"),
    9: ("Deploying", "deploying"),
    10: ("Allocated", "allocated"),
    11: ("Failed deployment", "failed_deployment"),
    12: ("Releasing", "releasing"),
    13: ("Releasing failed", "failed_releasing"),
    14: ("Disk erasing", "disk_erasing"),
    15: ("Failed disk erasing", "failed_disk_erasing"),
    16: ("Rescue mode", "rescue_mode"),
    17: ("Entering rescue mode", "entering_rescue_mode"),
    18: ("Failed to enter rescue mode", "failed_entering_rescue_mode"),
    19: ("Exiting rescue mode", "exiting_rescue_mode"),
    20: ("Failed to exit rescue mode", "failed_exiting_rescue_mode"),
    21: ("Testing", "testing"),
    22: ("Failed testing", "failed_testing"),
}

NAMES = {number: name for number, (name, constant) in STATUS.items()}
CONSTANTS = dict(STATUS.values())
BY_CONSTANT = {constant: name for name, constant in STATUS.values()}

TRANSITIONAL = frozenset(("Commissioning", "Testing", "Deploying", "Releasing", "Disk erasing", "Entering rescue mode", "Exiting rescue mode"))

FAILED = frozenset(
    (
        "Failed commissioning",
        "Failed testing",
        "Failed deployment",
        "Releasing failed",
        "Failed disk erasing",
        "Failed to enter rescue mode",
        "Failed to exit rescue mode",
        "Broken",
        "Missing",
        "Retired",
    )
)

# A machine that somebody works with: commissioning it would be refused, and nobody wants it.
IN_USE = frozenset(("Allocated", "Reserved", "Deploying", "Deployed", "Rescue mode", "Entering rescue mode", "Exiting rescue mode"))

# What the state module's words mean: where a machine has to arrive.
GOALS = {
    "ready": frozenset(("Ready",)),
    "commissioned": frozenset(("Ready",)),
    "tested": frozenset(("Ready", "Deployed", "Allocated")),
    "allocated": frozenset(("Allocated",)),
    "deployed": frozenset(("Deployed",)),
    "released": frozenset(("Ready",)),
    "broken": frozenset(("Broken",)),
    "fixed": frozenset(("Ready",)),
    "rescue": frozenset(("Rescue mode",)),
    "rescued": frozenset(("Deployed", "Ready", "Allocated", "Broken", "New")),
}

# Seconds that a machine may stay in one transitional status before it counts as stuck. Generous: the region's own
# limits are shorter where it has any (node_timeout is 30 minutes for deploying).
STUCK_AFTER = {
    "Commissioning": 2400,
    "Testing": 7200,
    "Deploying": 3600,
    "Releasing": 900,
    "Disk erasing": 86400,
    "Entering rescue mode": 1200,
    "Exiting rescue mode": 1200,
}

# The usual length of a status, for a poll that is slow in the middle and quick near the end.
USUAL = {
    "Commissioning": 480,
    "Testing": 110,
    "Deploying": 600,
    "Releasing": 30,
    "Entering rescue mode": 240,
    "Exiting rescue mode": 240,
}


def status_name(value):
    """The name of a status, whatever spelling came: number, name in any case, or constant."""
    if isinstance(value, int) and not isinstance(value, bool):
        return NAMES.get(value, f"unknown status {value}")
    text = str(value).strip()
    if text.isdigit():
        return status_name(int(text))
    constant = text.lower().replace("-", "_").replace(" ", "_")
    if constant in BY_CONSTANT:
        return BY_CONSTANT[constant]
    for name in CONSTANTS:
        if name.lower() == text.lower():
            return name
    return text


def known(name):
    return name in CONSTANTS


def juju_model(machine):
    """UUID of the Juju model that has a machine, or "": Juju writes it when it deploys (juju/juju, provider/maas), MAAS forgets it at the release."""
    return (machine.get("owner_data") or {}).get("juju-model-uuid") or ""


def machine_status(machine):
    """Status of a machine as the API describes it. ``status`` decides; the name is for numbers that are not in the table."""
    number = machine.get("status")
    if isinstance(number, str):
        return number
    if number in NAMES:
        return NAMES[number]
    return machine.get("status_name") or f"unknown status {number}"
