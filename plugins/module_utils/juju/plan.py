# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From what a bundle asks for and what a model has to the list of steps between them. Pure functions over plain data.

A step is a dictionary with `action`, `text` (the line that the operator reads) and what carrying it out needs. Steps refer
to the bundle's machines by the bundle's names: which machine of the model that is may only be known once it was added.
"""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils import secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.juju import charms as offers
from ansible_collections.stratus.cloud.plugins.module_utils.juju import constraints as limits
from ansible_collections.stratus.cloud.plugins.module_utils.juju.bundle import channel as full_channel
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault
from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import machine_order, uninstalled, unit_order

MARK = "stratus-bundle-machine"
INTENT = "stratus-bundle-intent"
PLACED = "stratus-maas-machine"
"""Annotation of a machine that was asked for as a certain one of MAAS: until it has started there, its status does not tell which."""
NO_INSTANCE = ("", "pending")


# --- machines --------------------------------------------------------------------------------------------------------


def _recorded(actual):
    found = {}
    for name in sorted(actual["machines"], key=machine_order):
        machine = actual["machines"][name]
        mark = (machine.get("annotations") or {}).get(MARK)
        if mark and machine.get("life", "alive") == "alive":
            found.setdefault(str(mark), name)
    return found


def _tenants(actual):
    """Machine -> the applications with a unit on it."""
    found = {}
    for unit in actual["units"].values():
        if not unit.get("principal"):
            found.setdefault(unit["machine"], set()).add(unit["application"])
    return found


def placed(actual, system_id):
    """The model's machine that is this one of MAAS, or will be; None without one."""
    for name, machine in actual["machines"].items():
        if machine.get("life", "alive") == "alive" and "/" not in name and instance_of(machine) == system_id:
            return name
    return requested(actual, {PLACED: system_id})


def requested(actual, note):
    """The machine that was asked for and is still to be noted so; None without one."""
    return next(iter(newcomers(actual, note)), None)


def instance_of(machine):
    """The machine of MAAS that this one of the model is, or is going to be; None where it cannot be told yet."""
    instance = machine.get("instance_id") or ""
    return (machine.get("annotations") or {}).get(PLACED) if instance in NO_INSTANCE else instance


def newcomers(actual, note, taken=()):
    """The machines that may be that of a request whose answer was lost: they came after the intent to ``note`` it so, hold no unit and are nobody's."""
    intent = actual.get("intent") or {}
    if intent.get("note") != note:
        return []
    known, tenants = {*(intent.get("known") or []), *taken}, _tenants(actual)
    return [
        name
        for name in sorted(actual["machines"], key=machine_order)
        if name not in known
        and "/" not in name
        and not {MARK, PLACED} & set(actual["machines"][name].get("annotations") or {})
        and not tenants.get(name)
        and actual["machines"][name].get("life", "alive") == "alive"
    ]


def beside(actual, note, machine, taken=()):
    """What is told of the others that came with ``machine``, which is going to be noted so: which of them are this collection's cannot be known."""
    model = actual["model"].get("name")
    return [
        f"machine {other} came beside machine {machine} after a request whose answer was lost, and holds nothing; "
        f"unless somebody wants it: juju remove-machine -m {model} {other}"
        for other in newcomers(actual, note, {machine, *taken})
    ]


def _by_units(desired, actual, mapping):
    """For a model that something else deployed: where the units of the bundle's applications stand tells the machines."""
    guesses = {}
    for name, application in desired["applications"].items():
        units = [actual["units"][unit] for unit in (actual["applications"].get(name) or {}).get("units", [])]
        units = sorted((unit for unit in units if not unit.get("principal")), key=lambda unit: unit_order(unit["name"]))
        for where, unit in zip(application["placements"], units, strict=False):
            if "machine" in where and unit["machine"]:
                host = unit["machine"].split("/")[0]
                if bool(where["container"]) == ("/" in unit["machine"]):
                    guesses.setdefault(where["machine"], set()).add(host)
    taken = set(mapping.values())
    found = {}
    for name, hosts in guesses.items():
        if name in mapping or len(hosts) != 1:
            continue
        host = next(iter(hosts))
        marked = (actual["machines"].get(host) or {}).get("annotations") or {}
        if host in actual["machines"] and host not in taken and host not in found.values() and not marked.get(MARK):
            found[name] = host
    return found


def match_machines(desired, actual, machine_map=None):
    """({bundle machine: model machine}, names to record anew, problems)."""
    machine_map = {str(key): value for key, value in (machine_map or {}).items()}
    found = []
    for name in machine_map:
        if name not in desired["machines"]:
            found.append(f"machine_map names machine {name}, which the bundle does not have")
    doubles = {value for value in machine_map.values() if list(machine_map.values()).count(value) > 1}
    for value in sorted(doubles):
        names = ", ".join(name for name in machine_map if machine_map[name] == value)
        found.append(f"machine_map gives {value} to the machines {names} at once")
    mapping = {name: machine for name, machine in _recorded(actual).items() if name in desired["machines"]}
    fresh = {}
    for name in desired["machines"]:
        wanted = machine_map.get(name)
        if name in mapping:
            instance = actual["machines"][mapping[name]].get("instance_id") or ""
            if wanted and instance not in NO_INSTANCE and instance != wanted:
                found.append(
                    f"machine {mapping[name]} of the model is recorded as the bundle's machine {name} and is {instance}, but machine_map wants {wanted}"
                )
            continue
        taken = {*mapping.values(), *fresh.values()}
        if wanted:
            marked = {machine for machine, about in actual["machines"].items() if (about.get("annotations") or {}).get(MARK)}
            for machine, about in actual["machines"].items():
                if instance_of(about) == wanted and machine not in taken:
                    if machine in marked:
                        mark = about["annotations"][MARK]
                        found.append(f"{wanted} is machine {machine} of the model, recorded as the bundle's machine {mark}, but machine_map wants it as {name}")
                    fresh[name] = machine
        if name not in fresh:
            new = newcomers(actual, {MARK: name}, taken)
            if new:
                fresh[name] = new[0]
    mapping_so_far = {**mapping, **fresh}
    for name, machine in _by_units(desired, actual, mapping_so_far).items():
        wanted = machine_map.get(name)
        if not wanted or actual["machines"][machine].get("instance_id") in (*NO_INSTANCE, wanted):
            fresh[name] = machine
    return {**mapping, **fresh}, fresh, found


# --- units -----------------------------------------------------------------------------------------------------------


def _where(place):
    """A placement as the bundle writes it."""
    if place.get("new"):
        target = "new"
    elif "directive" in place:
        target = place["directive"]
    elif "machine" in place:
        target = place["machine"]
    else:
        target = f"{place['application']}/{place['unit']}"
    return f"{place['container']}:{target}" if place["container"] else target


def _stands(place, unit, mapping, actual):
    """Whether a unit stands where a placement wants one."""
    machine = unit["machine"]
    if place.get("new"):
        return bool(place["container"]) == ("/" in machine)
    if "directive" in place:
        kind, _sign, value = place["directive"].partition("=")
        return kind == "system-id" and instance_of(actual["machines"].get(machine) or {}) == value
    if "machine" in place:
        host = mapping.get(place["machine"])
        if host is None:
            return False
    else:
        others = (actual["applications"].get(place["application"]) or {}).get("units", [])
        if place["unit"] >= len(others):
            return False
        host = actual["units"][others[place["unit"]]]["machine"]
        if place["container"]:
            host = host.split("/")[0]
    if place["container"]:
        return machine.startswith(f"{host}/{place['container']}/")
    return machine == host


def missing_units(application, actual_application, mapping, actual):
    """(placements that still want a unit, units that stand elsewhere)."""
    units = [actual["units"][unit] for unit in actual_application["units"]] if actual_application else []
    free = [unit for unit in units if not unit.get("principal")]
    open_places = []
    for place in sorted(application["placements"], key=lambda item: bool(item.get("new"))):
        for unit in free:
            if _stands(place, unit, mapping, actual):
                free.remove(unit)
                break
        else:
            open_places.append(place)
    short = max(0, application["num_units"] - len(units))
    return open_places[:short], [(unit["name"], unit["machine"]) for unit in free]


# --- options ---------------------------------------------------------------------------------------------------------


def plain(value):
    """An option's value as the controller takes it: text that keeps its type, so that true is never 'True'."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _same(wanted, option):
    value, kind = option.get("value"), option.get("type") or "string"
    if value is None:
        return kind == "string" and wanted == "" and option.get("source") != "user"
    if kind == "boolean":
        return str(wanted).lower() == str(value).lower()
    if kind in ("int", "float"):
        try:
            return float(wanted) == float(value)
        except (TypeError, ValueError):
            return False
    return plain(wanted) == plain(value)


def option_changes(wanted, present):
    """({option: value} to set, [options] to put back to the charm's default)."""
    to_set, reset = {}, []
    for name, value in wanted.items():
        option = present.get(name, {})
        if value is None:
            if option.get("source") == "user":
                reset.append(name)
        elif not _same(value, option):
            to_set[name] = value
    return to_set, reset


def _shown(option, value, limit=60):
    if value is None:
        return "unset"
    text = plain(secrecy.shown(option, value))
    text = text if text and "\n" not in text and len(text) <= limit else repr(text[:limit] + ("..." if len(text) > limit else ""))
    return text or "''"


# --- the plan --------------------------------------------------------------------------------------------------------


def _order(applications):
    """Applications so that the ones whose units others are placed beside come first."""
    left, ordered = dict(applications), []
    while left:
        free = [
            name
            for name, application in left.items()
            if not {where["application"] for where in application["placements"] if "application" in where} & (set(left) - {name})
        ]
        for name in free or list(left):
            ordered.append(name)
            left.pop(name)
    return ordered


def _charm_step(application):
    release = f"revision {application['revision']}" if application["revision"] is not None else application["channel"]
    return {
        "action": "charm",
        "charm": application["charm"],
        "channel": application["channel"],
        "revision": application["revision"],
        "base": application["base"],
        "text": f"fetch charm {application['charm']} ({release})",
    }


def _deploy_step(name, application):
    parts = [f"deploy {name} ({application['charm']}, {application['channel']})"]
    if application["options"]:
        parts.append("with " + ", ".join(f"{key}={_shown(key, value)}" for key, value in application["options"].items() if value is not None))
    return {"action": "deploy", "application": name, "wanted": application, "text": " ".join(parts)}


def _annotation_changes(wanted, present):
    return {key: value for key, value in wanted.items() if (present or {}).get(key) != value}


def _existing(name, application, present, steps, notes):
    """The steps that bring an application of the model to what the bundle says."""
    charm_steps, changes = [], []
    wanted_channel = application["channel"]
    refresh = application["revision"] is not None and present.get("revision") is not None and application["revision"] != present["revision"]
    if full_channel(present.get("channel")) != wanted_channel and present.get("channel"):
        refresh = True
    if refresh:
        charm_steps.append(_charm_step(application))
        before = f"{present['channel']}, revision {present['revision']}"
        after = wanted_channel if application["revision"] is None else f"{wanted_channel}, revision {application['revision']}"
        changes.append({"action": "refresh", "application": name, "wanted": application, "text": f"refresh {name}: {before} -> {after}"})
    to_set, reset = option_changes({key: value for key, value in application["options"].items() if key != "trust"}, present.get("options") or {})
    if application["trust"] and not present.get("trust"):
        to_set["trust"] = True
    if to_set or reset:
        words = [f"{key}: {_shown(key, (present.get('options') or {}).get(key, {}).get('value'))} -> {_shown(key, value)}" for key, value in to_set.items()]
        words += [f"{key} -> the charm's default" for key in reset]
        changes.append({"action": "options", "application": name, "set": to_set, "reset": reset, "text": f"set options of {name}: {', '.join(words)}"})
    if application["constraints"] is not None and not limits.same(application["constraints"], present.get("constraints")):
        before, after = (limits.text(given) or "none" for given in (present.get("constraints"), application["constraints"]))
        changes.append(
            {
                "action": "constraints",
                "application": name,
                "constraints": application["constraints"],
                "text": f"set constraints of {name}: {before} -> {after}",
            }
        )
    moved = {key: value for key, value in application["bindings"].items() if (present.get("bindings") or {}).get(key) != value}
    if moved:
        words = ", ".join(f"{key or 'default'} to {value}" for key, value in moved.items())
        changes.append({"action": "bind", "application": name, "bindings": moved, "text": f"bind endpoints of {name}: {words}"})
    if application["base"] and present.get("base") and application["base"] != present["base"]:
        notes.append(f"{name} runs on {present['base']}, the bundle says {application['base']}: a running application's base is left alone")
    steps["charms"] += charm_steps
    steps["changes"] += changes


def _exposure(name, application, present):
    if application["exposed"] is None:
        return []
    now = bool(present and present.get("exposed"))
    if application["exposed"] and not now:
        return [{"action": "expose", "application": name, "endpoints": application["exposed_endpoints"], "text": f"expose {name}"}]
    if not application["exposed"] and now:
        return [{"action": "unexpose", "application": name, "text": f"stop exposing {name}"}]
    return []


def _machine_step(name, wanted, system_id):
    words = [limits.text(wanted["constraints"])] if wanted["constraints"] else []
    if system_id:
        words.append(f"on {system_id}")
    text = f"add machine {name}" + (f" ({', '.join(words)})" if words else "")
    return {"action": "machine", "machine": name, "wanted": wanted, "system_id": system_id, "text": text}


def _joined(pair):
    return frozenset(f"{name}:{end}" for name, end in pair)


def _related(pair, actual, charms):
    """Whether the model has the relation already, and the relation with its endpoints named as far as is known."""
    present = {frozenset(relation["endpoints"]) for relation in actual["relations"]}
    if all(end for _name, end in pair):
        return _joined(pair) in present, pair
    resolved = offers.resolve(pair, charms)
    if resolved is not None:
        return _joined(resolved) in present, resolved
    names = {name for name, _end in pair}
    for relation in present:
        if {end.partition(":")[0] for end in relation} == names and all(end is None or f"{name}:{end}" in relation for name, end in pair):
            return True, pair
    return False, pair


def make(desired, actual, machine_map=None, charms=None, own_machines=False, prune=False, later=()):
    """{steps, notes, doubles, machines, unnamed, later}; BundleFault when the two cannot be brought together.

    With `own_machines` placements name the model's machines, not a bundle's. With `prune` applications that the bundle does
    not name are removed, last of all. Relations of the endpoints in `later` (application:endpoint) are not made: those that are missing are told.
    """
    charms = charms or {}
    if own_machines:
        mapping, fresh, found = {name: name for name in actual["machines"]}, {}, []
    else:
        mapping, fresh, found = match_machines(desired, actual, machine_map)
    machine_map = {str(key): value for key, value in (machine_map or {}).items()}
    notes, doubles = [], []
    steps = {"charms": [], "machines": [], "deploys": [], "changes": [], "units": [], "relations": [], "exposure": [], "annotations": [], "removals": []}
    for name, wanted in desired["machines"].items():
        if name in fresh:
            machine = fresh[name]
            steps["machines"].append({"action": "record", "machine": name, "id": machine, "text": f"record machine {machine} as the bundle's machine {name}"})
            doubles += beside(actual, {MARK: name}, machine, mapping.values())
        elif name not in mapping:
            steps["machines"].append(_machine_step(name, wanted, machine_map.get(name)))
        if name in mapping:
            about = actual["machines"][mapping[name]]
            if uninstalled(about):
                notes.append(f"machine {mapping[name]} (the bundle's {name}) could not be provisioned: {about.get('instance_message') or 'no reason given'}")
            if wanted["constraints"] and about.get("constraints") is not None and not _kept(wanted["constraints"], about["constraints"]):
                notes.append(
                    f"machine {mapping[name]} (the bundle's {name}) was made with '{about['constraints']}', "
                    f"the bundle says '{limits.text(wanted['constraints'])}'"
                )
        fields = _annotation_changes(wanted["annotations"], (actual["machines"].get(mapping.get(name)) or {}).get("annotations"))
        if fields:
            steps["annotations"].append({"action": "annotate", "kind": "machine", "name": name, "annotations": fields, "text": f"annotate machine {name}"})
    for name in _order(desired["applications"]):
        application, present = desired["applications"][name], actual["applications"].get(name)
        if present and present.get("life", "alive") != "alive":
            found.append(f"application {name} is being removed from the model: run again when it is gone")
            continue
        if present and present.get("charm_name") and present["charm_name"] != application["charm"]:
            found.append(f"application {name} runs the charm {present['charm_name']}, the bundle says {application['charm']}")
            continue
        if present:
            _existing(name, application, present, steps, notes)
        else:
            steps["charms"].append(_charm_step(application))
            steps["deploys"].append(_deploy_step(name, application))
        places, elsewhere = missing_units(application, present, mapping, actual)
        if places:
            where = ", ".join(_where(place) for place in places)
            count = f"{len(places)} unit{'s' if len(places) > 1 else ''}"
            steps["units"].append({"action": "units", "application": name, "placements": places, "text": f"add {count} of {name} on {where}"})
        for unit, machine in elsewhere:
            notes.append(f"{unit} is on machine {machine or '(none yet)'}, where the bundle does not place it: it is left there")
        steps["exposure"] += _exposure(name, application, present)
        fields = _annotation_changes(application["annotations"], (present or {}).get("annotations"))
        if fields:
            steps["annotations"].append({"action": "annotate", "kind": "application", "name": name, "annotations": fields, "text": f"annotate {name}"})
    postponed = []
    for pair in desired["relations"]:
        try:
            there, resolved = _related(pair, actual, charms)
        except ValueError as error:
            found.append(str(error))
            continue
        if there:
            continue
        ends = [f"{name}:{end}" if end else name for name, end in resolved]
        if set(ends) & set(later):
            postponed.append(ends)
        else:
            steps["relations"].append({"action": "relate", "endpoints": ends, "text": f"relate {ends[0]} and {ends[1]}"})
    if found:
        raise BundleFault(found)
    extra = sorted(set(actual["applications"]) - set(desired["applications"]))
    if extra and not prune:
        notes.append(f"the model also has {', '.join(extra)}, which the bundle does not name: left alone")
    for name in extra if prune else ():
        if actual["applications"][name].get("life", "alive") == "alive":
            count = len(actual["applications"][name].get("units") or [])
            text = f"remove {name} with {count} unit{'' if count == 1 else 's'}, which the bundle does not name"
            steps["removals"].append({"action": "remove", "application": name, "text": text})
        else:
            notes.append(f"{name}, which the bundle does not name, is being removed from the model")
    return {"steps": _numbered(steps), "notes": notes + doubles, "doubles": doubles, "machines": mapping, "unnamed": extra, "later": postponed}


def _kept(wanted, present):
    """Whether a machine was made with what is wanted; Juju may have added constraints of its own."""
    try:
        present = limits.parse(present)
    except ValueError:
        return True
    return all(
        key in present and (sorted(present[key]) if isinstance(value, list) else present[key]) == (sorted(value) if isinstance(value, list) else value)
        for key, value in wanted.items()
    )


def _numbered(groups):
    ordered, charms = [], set()
    for step in groups["charms"]:
        key = (step["charm"], step["channel"], step["revision"], step["base"])
        if key not in charms:
            charms.add(key)
            ordered.append(step)
    for group in ("machines", "deploys", "changes", "units", "relations", "exposure", "annotations", "removals"):
        ordered += groups[group]
    for number, step in enumerate(ordered, 1):
        step["number"] = number
    return ordered


def lines(plan):
    """The plan as the operator reads it."""
    width = len(str(len(plan["steps"])))
    return [f"{step['number']:>{width}}. {step['text']}" for step in plan["steps"]]
