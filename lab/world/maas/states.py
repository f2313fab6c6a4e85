"""Machine states, and which operation is allowed in which one: the region's rules as tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.errors import ApiError, conflict, invalid

# Number, constant (what ``?status=`` takes), name.
STATUSES = [
    (0, "new", "New"),
    (1, "commissioning", "Commissioning"),
    (2, "failed_commissioning", "Failed commissioning"),
    (3, "missing", "Missing"),
    (4, "ready", "Ready"),
    (5, "reserved", "Reserved"),
    (6, "deployed", "Deployed"),
    (7, "retired", "Retired"),
    (8, "broken", "Broken"),
    (9, "deploying", "Deploying"),
    (10, "allocated", "Allocated"),
    (11, "failed_deployment", "Failed deployment"),
    (12, "releasing", "Releasing"),
    (13, "failed_releasing", "Releasing failed"),
    (14, "disk_erasing", "Disk erasing"),
    (15, "failed_disk_erasing", "Failed disk erasing"),
    (16, "rescue_mode", "Rescue mode"),
    (17, "entering_rescue_mode", "Entering rescue mode"),
    (18, "failed_entering_rescue_mode", "Failed to enter rescue mode"),
    (19, "exiting_rescue_mode", "Exiting rescue mode"),
    (20, "failed_exiting_rescue_mode", "Failed to exit rescue mode"),
    (21, "testing", "Testing"),
    (22, "failed_testing", "Failed testing"),
]
NUMBERS = {constant: number for number, constant, _name in STATUSES}
NAMES = {number: name for number, _constant, name in STATUSES}

(
    NEW,
    COMMISSIONING,
    FAILED_COMMISSIONING,
    MISSING,
    READY,
    RESERVED,
    DEPLOYED,
    RETIRED,
    BROKEN,
    DEPLOYING,
    ALLOCATED,
    FAILED_DEPLOYMENT,
    RELEASING,
    FAILED_RELEASING,
    DISK_ERASING,
    FAILED_DISK_ERASING,
    RESCUE_MODE,
    ENTERING_RESCUE_MODE,
    FAILED_ENTERING_RESCUE_MODE,
    EXITING_RESCUE_MODE,
    FAILED_EXITING_RESCUE_MODE,
    TESTING,
    FAILED_TESTING,
) = range(23)
ALL = frozenset(range(23))
RESCUES = frozenset({RESCUE_MODE, ENTERING_RESCUE_MODE, FAILED_ENTERING_RESCUE_MODE, EXITING_RESCUE_MODE, FAILED_EXITING_RESCUE_MODE})

# Parts of a machine's status_action of a failed one, and where a failure in a state leads to.
FAILURES = {
    COMMISSIONING: FAILED_COMMISSIONING,
    DEPLOYING: FAILED_DEPLOYMENT,
    RELEASING: FAILED_RELEASING,
    DISK_ERASING: FAILED_DISK_ERASING,
    ENTERING_RESCUE_MODE: FAILED_ENTERING_RESCUE_MODE,
    EXITING_RESCUE_MODE: FAILED_EXITING_RESCUE_MODE,
    TESTING: FAILED_TESTING,
}


@dataclass(frozen=True)
class Rule:
    """States in which an operation is allowed, and what the refusal says (``{state}`` and ``{id}`` are filled in)."""

    allowed: frozenset[int]
    text: str
    status: int = 409
    form: bool = field(default=False)


def _form(op: str, allowed: set[int]) -> Rule:
    return Rule(frozenset(allowed), f"{op} is not available because of the current state of the node.", 400, True)


RULES = {
    "commission": _form("Commission", {NEW, FAILED_COMMISSIONING, READY, BROKEN}),
    "test": _form("Test", set(ALL - {COMMISSIONING, DEPLOYING, RELEASING, DISK_ERASING, ENTERING_RESCUE_MODE, EXITING_RESCUE_MODE, TESTING})),
    "abort": Rule(frozenset({COMMISSIONING, DEPLOYING, DISK_ERASING, TESTING}), "Cannot abort in current state: node {id} is in state {state}."),
    "deploy": Rule(frozenset({READY, ALLOCATED}), "Can't deploy a machine that is in the '{state}' state"),
    "release": Rule(
        frozenset({READY, RESERVED, DEPLOYED, BROKEN, DEPLOYING, ALLOCATED, FAILED_DEPLOYMENT, RELEASING, FAILED_RELEASING, FAILED_DISK_ERASING}),
        "Machine cannot be released in its current state ('{state}').",
    ),
    "mark_fixed": Rule(frozenset({BROKEN}), "Can't mark a non-broken node as 'Ready'."),
    "lock": Rule(frozenset({DEPLOYED, DEPLOYING}), "Can't lock, node is not deployed or deploying"),
    "rescue_mode": Rule(
        frozenset(
            {
                NEW,
                FAILED_COMMISSIONING,
                MISSING,
                READY,
                RESERVED,
                DEPLOYED,
                RETIRED,
                BROKEN,
                ALLOCATED,
                FAILED_DEPLOYMENT,
                FAILED_DISK_ERASING,
                ENTERING_RESCUE_MODE,
                FAILED_ENTERING_RESCUE_MODE,
                FAILED_TESTING,
            }
        ),
        "Invalid transition: {state} -> Entering rescue mode.",
    ),
    "exit_rescue_mode": Rule(RESCUES, "Invalid transition: {state} -> Exiting rescue mode."),
    "override_failed_testing": Rule(frozenset({FAILED_TESTING}), "Unable to override node status. Node is not in 'Failed testing' status."),
    "set_storage_layout": Rule(frozenset({READY}), "Cannot change the storage layout on a machine that is not Ready."),
    "restore_default_configuration": Rule(
        frozenset({READY, FAILED_TESTING}),
        "Machine must be in a ready or failed testing state to restore default networking and storage configuration.",
    ),
    "restore_networking_configuration": Rule(
        frozenset({READY, FAILED_TESTING}),
        "Machine must be in a ready or failed testing state to restore networking configuration",
    ),
    "restore_storage_configuration": Rule(
        frozenset({READY, FAILED_TESTING}),
        "Machine must be in a ready or failed testing state to restore storage configuration.",
    ),
}
# States of a machine that was given to someone: it shows the filesystems of its owner, which acquiring made.
GIVEN = (
    frozenset({ALLOCATED, DEPLOYING, DEPLOYED, FAILED_DEPLOYMENT, RELEASING, FAILED_RELEASING, DISK_ERASING, FAILED_DISK_ERASING, TESTING, FAILED_TESTING})
    | RESCUES
)
# Changes of interfaces, by the words of the refusal.
NETWORK = frozenset({NEW, READY, ALLOCATED, BROKEN, FAILED_TESTING})
# Changes of disks.
STORAGE = frozenset({READY, ALLOCATED, FAILED_TESTING})
# States in which a machine belongs to someone who may start it.
POWERABLE = frozenset(ALL - {NEW, FAILED_COMMISSIONING, MISSING, READY, RESERVED, RETIRED, BROKEN})


def check(op: str, machine: dict) -> None:
    """Refuse ``op`` when the machine's state does not allow it."""
    rule = RULES[op]
    if machine["status"] in rule.allowed:
        return
    # The region lower-cases nothing here: it quotes the state's name, and the name of the target of mark_fixed.
    text = rule.text.format(state=NAMES[machine["status"]], id=machine["system_id"])
    if rule.form:
        raise invalid({"__all__": text})
    raise ApiError(rule.status, text)


def check_network(machine: dict, change: str) -> None:
    if machine["status"] not in NETWORK:
        raise conflict(f"Cannot {change} interface because the machine is not New, Ready, Allocated, or Broken.")


def check_storage(machine: dict, change: str) -> None:
    if machine["status"] not in STORAGE:
        raise conflict(f"Cannot {change} block device because the machine is not Ready.")
