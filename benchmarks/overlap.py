"""What a run on the lab needed at least: operations read from the lab's event log, what each of them waits for, and the longest chain.

Pure functions over plain data (tests/unit/test_benchmarks.py). An operation is something the lab took virtual time for, by its own durations: a snap's
installation, the import, a machine's commissioning, a hook of a unit. What it has to wait for is found in two ways:

- What the lab begins by itself begins at the very moment at which something else ends (its clock does not drift): the rack after the region, a VM's
  commissioning after its composing, a hook after the unit's hook before. Those ends are what it needs; a hook that takes up what a relation's other side
  gives needs that as well: what makes it give is told by the lab's own table of charms (`offers` in lab/data/charms.yml).
- What somebody has to begin (site.yml, a person) may begin late. ``needed`` says what it really needs, and nothing more:

  | begun by somebody | needs |
  | --- | --- |
  | snap maas, snap juju | nothing: they are downloads |
  | maas init | snap maas |
  | import of the images, VM host | the rack's connection |
  | composing a VM | the VM host |
  | commissioning | the images (machines boot from them) |
  | bootstrap | snap juju, and its VM Ready |
  | asking for the model's machines | the bootstrap |
  | deploying a machine | that machine Ready |
  | initialising Vault | its unit's database; then, one after the other: unsealing, authorising, the root certificate |

Whatever else would have to wait, and is not said here, can only make the chain longer: it is a lower bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

# What ends here and begins there is one moment: the log has milliseconds.
MOMENT = 0.005
STATES = {"Commissioning": ("commission", "Ready"), "Deploying": ("deploy", "Deployed")}
HOOKS = {"agent": "juju_unit_agent", "start": "charm_start", "config": "charm_config", "upgrade": "charm_config", "joined": "charm_hook"}
# Of the actions only those that the cloud waits for; and what each needs.
VAULT = {"authorize-charm": "unseal Vault", "generate-root-ca": "action authorize-charm"}


@dataclass
class Operation:
    """Virtual seconds ``start`` to ``end``; ``needs``: names of operations. ``asked``: somebody has to begin it. ``unit``: whose hook it is."""

    name: str
    start: float
    end: float
    needs: set[str] = field(default_factory=set)
    asked: bool = False
    unit: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start


# -- from the log -------------------------------------------------------------------------------------------------------------
Seconds = Callable[[str], float]
Behaviour = Callable[[str], dict[str, Any]]


def operations(log: list[dict[str, Any]], seconds: Seconds, behaviour: Behaviour) -> list[Operation]:
    """The operations of a fresh build, by their start, with what they need.

    ``seconds(name)`` is a duration of the lab's profile, ``behaviour(application)`` what lab/data/charms.yml says of an application's charm.
    """
    found = _simple(log, seconds) + _machines(log) + _hooks(log, seconds, behaviour)
    found.sort(key=lambda operation: (operation.start, operation.end))
    _causes(found)
    _given(found, log, behaviour)
    _needed(found)
    return found


def _simple(log: list[dict[str, Any]], seconds: Callable[[str], float]) -> list[Operation]:
    """What the log tells by its end, or by its beginning and its end."""
    found, began = [], {}
    ends = {"started": None, "finished": "import the images"}
    for entry in log:
        at, kind = entry["at"], entry["kind"]
        if kind == "snap_install":
            found.append(Operation(f"snap {entry['snap']}", at - seconds(f"snap_install_{entry['snap']}"), at, asked=True))
        elif kind == "maas_init" and entry["fresh"]:
            found.append(Operation("maas init", at - seconds("maas_init"), at, asked=True))
        elif kind == "region" and entry["state"] == "up":
            found.append(Operation("start the region", at - seconds("maas_http_ready"), at))
        elif kind == "region":
            found.append(Operation("connect the rack", at - seconds("maas_rack_ready"), at))
        elif kind == "import" and ends.get(entry["state"]) and "import" in began:
            found.append(Operation(ends[entry["state"]], began.pop("import"), at, asked=True))
        elif kind == "import":
            began["import"] = at
        elif kind == "vm_host":
            found.append(Operation("VM host", at - seconds("vm_host_create"), at, asked=True))
        elif kind == "juju.bootstrap":
            began["bootstrap"] = at
        elif kind == "juju.bootstrapped" and "bootstrap" in began:
            found.append(Operation("bootstrap", began.pop("bootstrap"), at, asked=True))
        elif kind == "vault.initialized":
            found.append(Operation("initialise Vault", at, at, asked=True))
        elif kind == "vault.unsealed":
            found.append(Operation("unseal Vault", at, at, asked=True))
        elif kind == "juju.action" and entry["status"] == "completed" and entry["action"] in VAULT:
            name = "juju_action_long" if entry["action"] == "generate-root-ca" else "juju_action"
            found.append(Operation(f"action {entry['action']}", at - seconds(name), at, asked=True))
    return found


def _machines(log: list[dict[str, Any]]) -> list[Operation]:
    """Composing, commissioning and deploying: the first of each for each machine."""
    found: dict[str, Operation] = {}
    began: dict[tuple[str, str], float] = {}
    for entry in log:
        if entry["kind"] == "machine" and entry["state"] == "composed":
            began["compose", entry["machine"]] = entry["at"]
        if entry["kind"] != "status":
            continue
        machine, status = entry["machine"], entry["status"]
        over = [what for what, end in STATES.values() if end == status] + (["compose"] if status == "Commissioning" else [])
        for what in over:
            if (what, machine) in began:
                name = f"{what} {machine}"
                found.setdefault(name, Operation(name, began.pop((what, machine)), entry["at"], asked=True))
        if status in STATES:
            began[STATES[status][0], machine] = entry["at"]
    return list(found.values())


def hook_duration(step: str, behaviour: dict[str, Any]) -> str:
    """The name in the profile of how long a unit's step takes; as lab/world/juju/units.py has it."""
    kind, _colon, rest = step.partition("@")[0].partition(":")
    if kind == "changed":
        return (behaviour.get("hooks") or {}).get(rest.partition(":")[0], "charm_hook")
    by_charm = {"install": behaviour.get("install"), "cluster": (behaviour.get("cluster") or {}).get("takes")}
    return by_charm.get(kind) or HOOKS[kind]


def _hooks(log: list[dict[str, Any]], seconds: Seconds, behaviour: Behaviour) -> list[Operation]:
    found = []
    for entry in log:
        at = entry["at"]
        if entry["kind"] == "juju.machine":
            found.append(Operation(f"request machine {entry['machine']}", at - seconds("juju_machine_request"), at, asked=True))
        elif entry["kind"] == "juju.machine_started":
            found.append(Operation(f"agent of machine {entry['machine']}", at - seconds("juju_agent_start"), at))
        elif entry["kind"] == "juju.step":
            unit, step = entry["unit"], entry["step"]
            took = seconds(hook_duration(step, behaviour(unit.partition("/")[0])))
            found.append(Operation(f"{unit} {step}", at - took, at, unit=unit))
    return found


def _causes(found: list[Operation]) -> None:
    """What ended when an operation began. Of a unit's hooks the one before is cause enough."""
    last: dict[str, Operation] = {}
    for operation in found:
        causes = [other for other in found if other is not operation and abs(other.end - operation.start) <= MOMENT and other.start < operation.start]
        before = last.get(operation.unit) if operation.unit else None
        if before is not None and before in causes:
            causes = [before]
        elif before is not None and not causes:
            # Somebody began it, late perhaps: the units' relations are made one after the other.
            causes = [before]
        operation.needs |= {cause.name for cause in causes}
        if operation.unit:
            last[operation.unit] = operation


def _given(found: list[Operation], log: list[dict[str, Any]], behaviour: Behaviour) -> None:
    """What a hook takes up was given by a step of the other side, the first of its units that could."""
    ends = {entry["id"]: [end.split(":") for end in entry["key"].split()] for entry in log if entry["kind"] == "juju.relation"}
    active: dict[str, float] = {}
    for entry in log:
        if entry["kind"] == "juju.status" and entry["status"] == "active":
            active.setdefault(entry["unit"].partition("/")[0], entry["at"])
    by_application: dict[str, list[Operation]] = {}
    for operation in found:
        if operation.unit:
            by_application.setdefault(operation.unit.partition("/")[0], []).append(operation)

    def first(application: str, step: str, at: float | None = None) -> set[str]:
        """The earliest step of an application that begins like this (and ends then)."""
        steps = [o for o in by_application.get(application, []) if o.name.partition(" ")[2].startswith(step) and (at is None or abs(o.end - at) <= MOMENT)]
        return {min(steps, key=lambda operation: operation.end).name} if steps else set()

    for operation in found:
        match = re.search(r" changed:([\w-]+):(\d+)@(\d+)$", operation.name)
        if not match or int(match[2]) not in ends:
            continue
        mine = [operation.unit.partition("/")[0], match[1]]
        other, endpoint = next(end for end in ends[int(match[2])] if end != mine)
        rule = (behaviour(other).get("offers") or {}).get(endpoint, "installed")
        if rule == "ready" and other in active:
            operation.needs |= first(other, "", active[other])
        elif rule == "cluster":
            operation.needs |= first(other, "cluster")
        elif isinstance(rule, list):
            for needed in rule:
                operation.needs |= first(other, f"changed:{needed}:")
        elif rule == "installed":
            operation.needs |= first(other, "start")
        if int(match[3]) > 1:
            # Renewed: Keystone's endpoints once it has its certificate.
            operation.needs |= first(other, "changed:certificates:")


def _needed(found: list[Operation]) -> None:
    """What operations need that somebody has to begin (see the table above); it stands instead of what happened to end just then."""
    names = {operation.name for operation in found}
    for operation in found:
        if not operation.asked:
            continue
        what, _space, rest = operation.name.partition(" ")
        wanted: set[str] = set()
        if operation.name == "maas init":
            wanted = {"snap maas"}
        elif operation.name in ("import the images", "VM host"):
            wanted = {"connect the rack"}
        elif what == "compose":
            wanted = {"VM host"}
        elif what == "commission":
            wanted = {"import the images", f"compose {rest}"}
        elif what == "deploy":
            wanted = {f"commission {rest}"} | {need for need in operation.needs if need.startswith("request machine")}
        elif operation.name == "bootstrap":
            inside = [other for other in found if other.name.startswith("deploy ") and operation.start <= other.start <= operation.end]
            wanted = {"snap juju", *(f"commission {other.name.partition(' ')[2]}" for other in inside[:1])}
        elif what == "request":
            wanted = {"bootstrap"}
        elif operation.name == "initialise Vault":
            ready = [
                other for other in found if other.unit.startswith("vault/") and re.search(r" changed:shared-db:", other.name) and other.end <= operation.start
            ]
            wanted = {other.name for other in ready[-1:]}
        elif operation.name == "unseal Vault":
            wanted = {"initialise Vault"}
        elif what == "action":
            wanted = {VAULT[rest]}
        operation.needs = wanted & names


# -- the chain ----------------------------------------------------------------------------------------------------------------
def earliest(found: Iterable[Operation]) -> dict[str, tuple[float, str]]:
    """By name: the earliest end of each operation, counted from nothing, and which of its needs is the last to be there ("" for none)."""
    ends: dict[str, tuple[float, str]] = {}
    for operation in found:
        last = max(operation.needs, key=lambda name: ends[name][0], default="")
        ends[operation.name] = ((ends[last][0] if last else 0.0) + operation.seconds, last)
    return ends


def longest_chain(found: list[Operation]) -> tuple[float, list[str]]:
    """Seconds of the longest chain, and its operations in their order."""
    ends = earliest(found)
    name = max(ends, key=lambda name: ends[name][0])
    seconds, chain = ends[name][0], []
    while name:
        chain.append(name)
        name = ends[name][1]
    return seconds, chain[::-1]


# -- what nobody waited for ---------------------------------------------------------------------------------------------------
def idle(found: Iterable[Operation], start: float, end: float) -> list[tuple[float, float]]:
    """The times between ``start`` and ``end`` in which no operation was in progress."""
    gaps, reached = [], start
    for operation in sorted(found, key=lambda operation: operation.start):
        if operation.start > reached:
            gaps.append((reached, min(operation.start, end)))
        reached = max(reached, operation.end)
        if reached >= end:
            break
    if reached < end:
        gaps.append((reached, end))
    return [gap for gap in gaps if gap[1] > gap[0]]


def spent(tasks: Iterable[tuple[str, float, float]], gaps: list[tuple[float, float]]) -> dict[str, float]:
    """How much of the gaps each task filled, the most first. ``tasks``: (name, start, end); those of one name are added up."""
    found: dict[str, float] = {}
    for name, start, end in tasks:
        within = sum(max(0.0, min(end, gap[1]) - max(start, gap[0])) for gap in gaps)
        if within > 0:
            found[name] = found.get(name, 0.0) + within
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def late(found: list[Operation], chain: list[str]) -> dict[str, float]:
    """Of the longest chain: how long after what it needs each operation began in the run. Nothing, where nothing was lost."""
    by_name = {operation.name: operation for operation in found}
    lost = {}
    for before, name in zip(["", *chain], chain, strict=False):
        began = by_name[before].end if before else by_name[name].start
        if by_name[name].start - began > MOMENT:
            lost[name] = by_name[name].start - began
    return lost
