"""The plan a controller makes of a bundle: charms, applications, machines, relations, units, in an order that works.

As in the real controller, the plan knows nothing of what the model holds already; that is the client's affair.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from lab.world.juju import charms, constraints
from lab.world.juju.errors import JujuError

MODES = ("base", "series", "both")


class Plan:
    """Collects the changes; ids are ``method-number`` with one count for all."""

    def __init__(self, bundle: dict[str, Any], mode: str):
        self.bundle = bundle
        self.mode = mode
        self.changes: list[dict[str, Any]] = []
        self.charms: dict[tuple, str] = {}
        self.applications: dict[str, str] = {}
        self.machines: dict[str, str] = {}
        self.containers: dict[str, str] = {}
        self.units: dict[str, list[str]] = {}

    def add(self, method: str, args: dict[str, Any], requires: list[str], prefix: str | None = None) -> str:
        number = len(self.changes)
        identity = f"{prefix or method}-{number}"
        kept = {k: v for k, v in args.items() if v not in (None, "", {}, [])}
        self.changes.append({"id": identity, "method": method, "args": kept, "requires": requires})
        return identity

    def where(self, version: str | None) -> dict[str, str]:
        """The operating system as this controller's plan says it."""
        if not version:
            return {}
        found = {}
        if self.mode in ("base", "both"):
            found["base"] = f"ubuntu@{version}/stable"
        if self.mode in ("series", "both"):
            found["series"] = charms.NAMES.get(version, version)
        return found


def naturally(text: str) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(text))]


def documents(text: str) -> dict[str, Any]:
    """A bundle with its overlays (further documents) as one."""
    try:
        parts = [p for p in yaml.safe_load_all(text) if p]
    except yaml.YAMLError as error:
        raise JujuError(f"cannot read bundle YAML: {error}") from None
    if not parts or not all(isinstance(p, dict) for p in parts):
        raise JujuError("cannot read bundle YAML: expected mapping")
    bundle = parts[0]
    for overlay in parts[1:]:
        _overlay(bundle, overlay)
    return bundle


def _overlay(bundle: dict[str, Any], overlay: dict[str, Any]) -> None:
    for name, spec in (overlay.get("applications") or {}).items():
        mine = bundle.setdefault("applications", {})
        if spec is None:
            mine.pop(name, None)
            bundle["relations"] = [r for r in bundle.get("relations") or [] if name not in [str(e).split(":")[0] for e in r]]
        else:
            for key, value in spec.items():
                if key == "options" and isinstance(mine.get(name, {}).get("options"), dict):
                    mine[name]["options"].update(value)
                else:
                    mine.setdefault(name, {})[key] = value
    if overlay.get("machines"):
        bundle["machines"] = {**(bundle.get("machines") or {}), **overlay["machines"]}
    for relation in overlay.get("relations") or []:
        if relation not in (bundle.get("relations") or []):
            bundle.setdefault("relations", []).append(relation)
    for key in ("series", "default-base"):
        if key in overlay:
            bundle[key] = overlay[key]


def verify(bundle: dict[str, Any]) -> list[str]:
    """What is wrong with the bundle by itself, all of it."""
    errors = []
    applications = bundle.get("applications") or {}
    machines = {str(m) for m in bundle.get("machines") or {}}
    if not applications:
        errors.append("at least one application must be specified")
    used = set()
    for name in sorted(applications):
        spec = applications[name] or {}
        if not spec.get("charm"):
            errors.append(f'application "{name}" has no charm specified' if spec else f'empty charm path in application "{name}"')
        for to in _placements(spec):
            target = to.split(":")[-1]
            if target == "new":
                continue
            if re.fullmatch(r"\d+", target):
                used.add(target)
                if target not in machines:
                    errors.append(f'placement "{to}" refers to a machine not defined in this bundle')
            elif target.split("/")[0] not in applications:
                errors.append(f'placement "{to}" refers to non-existent application "{target.split("/")[0]}"')
        if spec.get("to") and len(_placements(spec)) > int(spec.get("num_units", 0) or 0):
            errors.append(f'too many units specified in unit placement for application "{name}"')
    errors.extend(f'machine "{name}" is not referred to by a placement directive' for name in sorted(machines - used, key=naturally))
    for relation in bundle.get("relations") or []:
        if not isinstance(relation, list) or len(relation) != 2 or not all(isinstance(e, str) for e in relation):
            errors.append(f"relation {relation} has {len(relation) if isinstance(relation, list) else 0} endpoint(s), not 2")
            continue
        pair = " ".join(f'"{e}"' for e in relation)
        for endpoint in relation:
            if endpoint.split(":")[0] not in applications:
                errors.append(f'relation [{pair}] refers to application "{endpoint.split(":")[0]}" not defined in this bundle')
    return errors


def _placements(spec: dict[str, Any]) -> list[str]:
    to = spec.get("to") or []
    return [str(t) for t in (to if isinstance(to, list) else [to])]


def changes(text: str, mode: str = "base") -> tuple[list[dict[str, Any]], list[str]]:
    """(changes, errors) for a bundle's text."""
    try:
        bundle = documents(text)
    except JujuError as error:
        return [], [error.message]
    errors = verify(bundle)
    for spec in list((bundle.get("applications") or {}).values()) + list((bundle.get("machines") or {}).values()):
        try:
            constraints.parse((spec or {}).get("constraints"))
        except JujuError as error:
            errors.append(f'invalid constraints "{spec["constraints"]}": {error.message}')
    if errors:
        return [], errors
    plan = Plan(bundle, mode)
    _applications(plan)
    _machines(plan)
    _relations(plan)
    _units(plan)
    return plan.changes, []


def _applications(plan: Plan) -> None:
    default = charms.base_version(plan.bundle.get("default-base") or plan.bundle.get("series"))
    for name in sorted(plan.bundle["applications"], key=naturally):
        spec = plan.bundle["applications"][name]
        version = charms.base_version(spec.get("base") or spec.get("series")) or default
        key = (spec["charm"], version, spec.get("channel"), spec.get("revision"))
        if key not in plan.charms:
            args = {"charm": spec["charm"], **plan.where(version), "channel": spec.get("channel"), "revision": spec.get("revision")}
            plan.charms[key] = plan.add("addCharm", args, [])
        charm = plan.charms[key]
        args = {
            "charm": f"${charm}",
            **plan.where(version),
            "application": name,
            "options": spec.get("options"),
            "constraints": spec.get("constraints"),
            "storage": spec.get("storage"),
            "endpoint-bindings": spec.get("bindings"),
            "resources": {k: v for k, v in (spec.get("resources") or {}).items() if isinstance(v, int)},
            "channel": spec.get("channel"),
        }
        plan.applications[name] = identity = plan.add("deploy", args, [charm])
        if spec.get("expose") or spec.get("exposed-endpoints"):
            plan.add("expose", {"application": f"${identity}", "exposed-endpoints": spec.get("exposed-endpoints")}, [identity])
        if spec.get("annotations"):
            plan.add("setAnnotations", {"id": f"${identity}", "entity-type": "application", "annotations": spec["annotations"]}, [identity])


def _machines(plan: Plan) -> None:
    default = charms.base_version(plan.bundle.get("default-base") or plan.bundle.get("series"))
    for name in sorted(plan.bundle.get("machines") or {}, key=naturally):
        spec = plan.bundle["machines"][name] or {}
        version = charms.base_version(spec.get("base") or spec.get("series")) or default
        identity = plan.add("addMachines", {**plan.where(version), "constraints": spec.get("constraints")}, [])
        plan.machines[str(name)] = identity
        if spec.get("annotations"):
            plan.add("setAnnotations", {"id": f"${identity}", "entity-type": "machine", "annotations": spec["annotations"]}, [identity])


def _relations(plan: Plan) -> None:
    for one, other in plan.bundle.get("relations") or []:
        ends, requires = [], []
        for endpoint in (one, other):
            application, colon, name = endpoint.partition(":")
            requires.append(plan.applications[application])
            ends.append(f"${plan.applications[application]}{colon}{name}")
        plan.add("addRelation", {"endpoint1": ends[0], "endpoint2": ends[1]}, requires)


def _units(plan: Plan) -> None:
    """Units placed on machines first; units placed beside other units after those."""
    waiting = []
    for name in sorted(plan.bundle["applications"], key=naturally):
        spec = plan.bundle["applications"][name]
        to = _placements(spec)
        for number in range(int(spec.get("num_units", 0) or 0)):
            # The last placement holds for the units that have none of their own, unless it is a unit.
            target = to[number] if number < len(to) else (to[-1] if to and re.fullmatch(r"(\w+:)?(\d+|new)", to[-1]) else None)
            if target and not re.fullmatch(r"(\w+:)?(\d+|new)", target):
                waiting.append((name, number, target))
            else:
                _unit(plan, name, target)
    for name, number, target in waiting:
        container, _colon, place = target.rpartition(":")
        application, _slash, index = place.partition("/")
        others = plan.units.get(application, [])
        position = int(index) if index else number
        if position >= len(others):
            _unit(plan, name, None)
        else:
            _beside(plan, name, others[position], container)


def _unit(plan: Plan, name: str, target: str | None) -> None:
    application = plan.applications[name]
    requires, to = [application], None
    version = charms.base_version(
        plan.bundle["applications"][name].get("base")
        or plan.bundle["applications"][name].get("series")
        or plan.bundle.get("default-base")
        or plan.bundle.get("series")
    )
    if target:
        container, _colon, place = target.rpartition(":")
        parent = plan.machines.get(place)
        if place == "new":
            parent = plan.add("addMachines", plan.where(version), [])
        if container:
            change = plan.add("addMachines", {"container-type": container, "parent-id": f"${parent}", **plan.where(version)}, [parent])
            parent = change
        requires.append(parent)
        to = f"${parent}"
    identity = plan.add("addUnit", {"application": f"${application}", "to": to}, requires)
    plan.units.setdefault(name, []).append(identity)


def _beside(plan: Plan, name: str, other: str, container: str) -> None:
    application = plan.applications[name]
    requires, to = [application, other], f"${other}"
    if container:
        change = plan.add("addMachines", {"container-type": container, "parent-id": f"${other}"}, [other])
        requires, to = [application, change], f"${change}"
    identity = plan.add("addUnit", {"application": f"${application}", "to": to}, requires)
    plan.units.setdefault(name, []).append(identity)
