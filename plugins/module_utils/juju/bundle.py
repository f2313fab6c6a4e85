# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Bundles: reading them with overlays, finding what is wrong with them, and the plain form that plans are made from.

Nothing here needs a controller, so that a preflight can use all of it.
"""

from __future__ import annotations

import base64
import copy
import math
import os
import re

from ansible_collections.stratus.cloud.plugins.module_utils.juju import constraints as limits
from ansible_collections.stratus.cloud.plugins.module_utils.juju import yamls
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault

SERIES = {"focal": "20.04", "jammy": "22.04", "noble": "24.04", "bionic": "18.04", "resolute": "26.04"}
RISKS = ("stable", "candidate", "beta", "edge")
CONTAINERS = ("lxd", "kvm")

BUNDLE_KEYS = {
    "applications",
    "machines",
    "relations",
    "series",
    "default-base",
    "description",
    "name",
    "type",
    "tags",
    "docs",
    "website",
    "source",
    "issues",
    "variables",
    "saas",
    "bundle",
    "x-stratus",
}
APPLICATION_KEYS = {
    "charm",
    "channel",
    "revision",
    "series",
    "base",
    "num_units",
    "to",
    "options",
    "constraints",
    "bindings",
    "expose",
    "exposed-endpoints",
    "resources",
    "storage",
    "devices",
    "trust",
    "annotations",
    "offers",
    "plan",
    "scale",
    "placement",
    "attach-storage",
}
MACHINE_KEYS = {"constraints", "series", "base", "annotations"}
# What Juju merges key by key when an overlay speaks of an application; everything else is replaced.
MERGED = ("options", "annotations", "resources", "storage", "devices", "bindings")


# --- reading ---------------------------------------------------------------------------------------------------------


def _documents(source, where):
    try:
        found = [part for part in yamls.load_all(source) if part is not None]
    except yamls.Malformed as error:
        raise BundleFault(f"{where} is not readable YAML: {' '.join(str(error).split())}") from None
    for part in found:
        if not isinstance(part, dict):
            raise BundleFault(f"{where} is not a mapping")
    return found


def _include(value, folder):
    """`include-file://` and `include-base64://` take an option's value from a file beside the bundle."""
    if not isinstance(value, str):
        return value
    for mark in ("include-file://", "include-base64://"):
        if value.startswith(mark):
            path = os.path.join(folder or ".", value[len(mark) :])
            try:
                with open(path, "rb") as stream:
                    content = stream.read()
            except OSError as error:
                raise BundleFault(f"an option includes {path}, which cannot be read: {error.strerror}") from None
            if mark == "include-base64://":
                return base64.b64encode(content).decode()
            return content.decode()
    return value


def _shaped(part):
    """A document whose parts are mappings and lists where overlays and plans count on it, names as text; BundleFault says which are not."""
    found = []
    for key in ("applications", "machines"):
        given = part.get(key)
        if given is None:
            continue
        if not isinstance(given, dict):
            found.append(f"{key} is not a mapping")
            continue
        part[key] = {str(name): value for name, value in given.items()}
        found += [f"{key[:-1]} {name}: it is not a mapping" for name, value in part[key].items() if value is not None and not isinstance(value, dict)]
    if not isinstance(part.get("relations"), (list, type(None))):
        found.append("relations is not a list")
    if found:
        raise BundleFault(found)
    return part


def _included(part, folder):
    for application in (_shaped(part).get("applications") or {}).values():
        if isinstance(application, dict) and isinstance(application.get("options"), dict):
            application["options"] = {key: _include(value, folder) for key, value in application["options"].items()}
    return part


def read(source):
    """The documents of one bundle or overlay, given as a path, as YAML text or as a dictionary."""
    if isinstance(source, dict):
        return [_included(copy.deepcopy(source), None)]
    text = str(source)
    if "\n" in text:
        return [_included(part, None) for part in _documents(text, "the bundle")]
    if "\0" in text:
        raise BundleFault(f"{text!r} is neither a file's name nor a bundle: a null character is in it")
    path = os.path.join(text, "bundle.yaml") if os.path.isdir(text) else text
    try:
        with open(path, encoding="utf-8") as stream:
            content = stream.read()
    except OSError as error:
        raise BundleFault(f"{path} cannot be read: {error.strerror}") from None
    return [_included(part, os.path.dirname(os.path.abspath(path))) for part in _documents(content, path)]


def _named(relation):
    """The applications that a relation joins."""
    return {str(end).partition(":")[0] for end in relation} if isinstance(relation, (list, tuple)) else set()


def overlaid(bundle, overlay):
    """The bundle with an overlay laid over it, as the juju client does it: null removes an application and its relations."""
    result = copy.deepcopy(bundle)
    for key, value in overlay.items():
        if key == "applications":
            for name, changes in (value or {}).items():
                applications = result.setdefault("applications", {})
                if changes is None:
                    applications.pop(name, None)
                    result["relations"] = [pair for pair in result.get("relations") or [] if name not in _named(pair)]
                    continue
                target = applications.setdefault(name, {})
                for field, wanted in changes.items():
                    if field in MERGED and isinstance(target.get(field), dict) and isinstance(wanted, dict):
                        target[field].update(wanted)
                    else:
                        target[field] = copy.deepcopy(wanted)
        elif key == "machines":
            machines = result.setdefault("machines", {})
            machines.update({str(name): copy.deepcopy(changes) for name, changes in (value or {}).items()})
        elif key == "relations":
            known = [frozenset(pair) for pair in result.setdefault("relations", []) if isinstance(pair, list)]
            result["relations"].extend(pair for pair in value or [] if not isinstance(pair, list) or frozenset(pair) not in known)
        else:
            result[key] = copy.deepcopy(value)
    return result


def load(source, overlays=()):
    """One dictionary out of a bundle (path, YAML text or dictionary) and its overlays, the bundle's own documents first."""
    documents = read(source)
    if not documents:
        raise BundleFault("the bundle is empty")
    for overlay in overlays or ():
        documents += read(overlay)
    result = documents[0]
    if isinstance(result.get("machines"), dict):
        result["machines"] = {str(name): value for name, value in result["machines"].items()}
    placed = _machines_placed_on(result)
    for part in documents[1:]:
        result = overlaid(result, part)
        placed |= _machines_placed_on(result)
    # Juju's overlays cannot take a machine out (null is one without constraints): with the last that was placed on it, it goes.
    for name in placed - _machines_placed_on(result):
        (result.get("machines") or {}).pop(name, None)
    return result


def _machines_placed_on(bundle):
    """The machines that placements name, as far as these can be read."""
    found = set()
    for application in (bundle.get("applications") or {}).values() if isinstance(bundle.get("applications"), dict) else ():
        given = application.get("to") if isinstance(application, dict) else None
        for directive in given if isinstance(given, list) else [given or "new"]:
            try:
                found.add(place(directive).get("machine"))
            except ValueError:
                continue
    return found - {None}


# --- small languages -------------------------------------------------------------------------------------------------


def base(value):
    """'ubuntu@22.04/stable', whether a base or a series was given; None for nothing."""
    if not value:
        return None
    text = str(value)
    if text in SERIES:
        return f"ubuntu@{SERIES[text]}/stable"
    match = re.fullmatch(r"([a-z]+)[@/](\d+(?:\.\d+)?)(?:/(stable|candidate|beta|edge))?", text)
    if not match:
        raise ValueError(f"'{text}' is neither a base such as ubuntu@22.04 nor a series that is known")
    return f"{match.group(1)}@{match.group(2)}/{match.group(3) or 'stable'}"


def channel(value):
    """'2023.1/stable' for '2023.1/stable' and '2023.1', 'latest/stable' for 'stable'; None for nothing."""
    if not value:
        return None
    parts = str(value).split("/")
    if len(parts) == 1:
        parts = ["latest", parts[0]] if parts[0] in RISKS else [parts[0], "stable"]
    elif len(parts) == 2 and parts[0] in RISKS:
        parts = ["latest", *parts]
    if len(parts) not in (2, 3) or not all(parts) or parts[1] not in RISKS:
        raise ValueError(f"'{value}' is not a channel of the form track/risk")
    return "/".join(parts)


def charm(reference):
    """The name that Charmhub knows the charm by; ValueError for what does not come from there."""
    text = str(reference or "")
    name = text[3:] if text.startswith("ch:") else text
    if text.startswith(("local:", "cs:", "./", "/", "../")) or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*", name):
        raise ValueError(f"'{text}' is not the name of a charm on Charmhub")
    return name


def place(directive):
    """What a placement means: {'container', 'machine' | 'application' + 'unit' | 'new'}."""
    text = str(directive)
    if re.fullmatch(r"(system-id|zone|subnet)=\S+", text):
        # Not for bundles, whose machines say where they are; for units that are placed one by one.
        return {"container": None, "directive": text}
    container, sign, target = text.partition(":")
    if not sign:
        container, target = (None, text) if text not in CONTAINERS else (text, "new")
    container = "lxd" if container == "lxc" else container
    if container is not None and container not in CONTAINERS:
        raise ValueError(f"'{text}' asks for a container of an unknown kind, '{container}'")
    if target == "new":
        return {"container": container, "new": True}
    if re.fullmatch(r"\d+(/[a-z]+/\d+)*", target):
        return {"container": container, "machine": target}
    match = re.fullmatch(r"([a-z][a-z0-9-]*)(?:/(\d+))?", target)
    if not match:
        raise ValueError(f"'{text}' is not a placement")
    return {"container": container, "application": match.group(1), "unit": None if match.group(2) is None else int(match.group(2))}


def placements(application):
    """One placement for each unit: the last one given is repeated, none given means a new machine for each."""
    count = application.get("num_units") or 0
    given = application.get("to") or []
    given = [given] if isinstance(given, (str, int)) else given
    places = [place(item) for item in given] or [{"container": None, "new": True}]
    places = (places + [dict(places[-1]) for dummy in range(count)])[:count]
    seen = {}
    for where in places:
        # An application without a unit number stands for its next unit.
        if "application" in where:
            name = where["application"]
            if where["unit"] is None:
                where["unit"] = seen.get(name, -1) + 1
            seen[name] = where["unit"]
    return places


def endpoint(text):
    """('keystone', 'shared-db'), or ('keystone', None)."""
    name, dummy, end = str(text).partition(":")
    return name, end or None


# --- problems --------------------------------------------------------------------------------------------------------


def _attempt(found, label, function, value):
    try:
        return function(value)
    except ValueError as error:
        found.append(f"{label}: {error}")
        return None


def _machine_problems(machines, found):
    if not isinstance(machines, dict):
        found.append("machines is not a mapping of machine numbers")
        return {}
    for name, machine in machines.items():
        label = f"machine {name}"
        if not re.fullmatch(r"0|[1-9]\d*", str(name)):
            found.append(f"{label}: its name is not a number")
        if machine is None:
            continue
        if not isinstance(machine, dict):
            found.append(f"{label}: it is not a mapping")
            continue
        for key in sorted(set(machine) - MACHINE_KEYS, key=str):
            found.append(f"{label}: unknown key '{key}'")
        _attempt(found, f"{label}, constraints", limits.parse, machine.get("constraints"))
        _attempt(found, label, base, machine.get("base") or machine.get("series"))
    return machines


def _application_problems(name, application, machines, applications, found):
    label = f"application {name}"
    if not isinstance(application, dict):
        found.append(f"{label}: it is not a mapping")
        return set()
    for key in sorted(set(application) - APPLICATION_KEYS, key=str):
        found.append(f"{label}: unknown key '{key}'")
    for key in ("offers", "plan", "scale", "placement", "attach-storage", "devices"):
        if application.get(key):
            found.append(f"{label}: '{key}' is not something that this collection applies")
    if not application.get("charm"):
        found.append(f"{label}: it names no charm")
    else:
        _attempt(found, label, charm, application["charm"])
    _attempt(found, label, channel, application.get("channel"))
    _attempt(found, label, base, application.get("base") or application.get("series"))
    _attempt(found, f"{label}, constraints", limits.parse, application.get("constraints"))
    for key in ("options", "bindings", "resources", "storage", "annotations", "exposed-endpoints"):
        if application.get(key) is not None and not isinstance(application[key], dict):
            found.append(f"{label}: '{key}' is not a mapping")
    for key, value in application["storage"].items() if isinstance(application.get("storage"), dict) else ():
        _attempt(found, f"{label}, storage {key}", limits.storage, value)
    if isinstance(application.get("options"), dict):
        for key, value in application["options"].items():
            if isinstance(value, (dict, list)):
                found.append(f"{label}: the option '{key}' is a {type(value).__name__}, charms take text, numbers and booleans")
    revision = application.get("revision")
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int) or revision < 0):
        found.append(f"{label}: revision {revision!r} is not a number")
    count = application.get("num_units")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        found.append(f"{label}: num_units {count!r} is not a number of units")
        return set()
    given = application.get("to") or []
    given = [given] if isinstance(given, (str, int)) else given
    if not isinstance(given, list):
        found.append(f"{label}: 'to' is not a list")
        return set()
    if len(given) > (count or 0):
        found.append(f"{label}: it has {len(given)} placements for {count or 0} units")
    used = set()
    for directive in given:
        where = _attempt(found, label, place, directive)
        if where is None:
            continue
        if "directive" in where:
            found.append(f"{label}: its placement '{directive}' is for single units, a bundle places units on its machines")
        elif "machine" in where:
            used.add(where["machine"])
            if where["machine"] not in machines:
                known = ", ".join(sorted(machines, key=lambda text: (len(text), text))) or "none"
                found.append(f"{label}: its placement '{directive}' names machine {where['machine']}, which the bundle does not have (it has {known})")
        elif "application" in where:
            other = where["application"]
            if other not in applications:
                found.append(f"{label}: its placement '{directive}' names application {other}, which the bundle does not have")
            elif isinstance(applications[other], dict) and where["unit"] is not None and where["unit"] >= (applications[other].get("num_units") or 0):
                found.append(f"{label}: its placement '{directive}' names a unit that {other} does not have")
    return used


def _circles(applications):
    """Applications whose placements wait for each other."""
    waits = {}
    for name, application in applications.items():
        try:
            waits[name] = {where["application"] for where in placements(application) if "application" in where}
        except (ValueError, TypeError, AttributeError):
            waits[name] = set()
    left = dict(waits)
    while True:
        free = [name for name, others in left.items() if not (others & set(left)) - {name}]
        if not free:
            return sorted(left)
        for name in free:
            left.pop(name)


def _relation_problems(relations, applications, found):
    if not isinstance(relations, list):
        found.append("relations is not a list")
        return
    seen = set()
    for pair in relations:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(end, str) and end for end in pair):
            found.append(f"relation {pair!r}: it is not a pair of application:endpoint")
            continue
        label = f"relation {pair[0]} - {pair[1]}"
        for end in pair:
            if endpoint(end)[0] not in applications:
                found.append(f"{label}: the bundle has no application {endpoint(end)[0]}")
        if frozenset(pair) in seen:
            found.append(f"{label}: it is there twice")
        elif len(set(pair)) == 1:
            found.append(f"{label}: it joins an endpoint with itself")
        seen.add(frozenset(pair))


def problems(bundle):
    """Everything that is wrong with a bundle by itself, one sentence each; an empty list when nothing is."""
    found = []
    if not isinstance(bundle, dict):
        return ["the bundle is not a mapping"]
    for key in sorted(set(bundle) - BUNDLE_KEYS, key=str):
        found.append(f"unknown key '{key}' at the top of the bundle")
    if bundle.get("saas"):
        found.append("'saas' is not something that this collection applies")
    if bundle.get("bundle") not in (None, "machine"):
        found.append(f"the bundle is of the kind '{bundle['bundle']}', only machine models are supported")
    _attempt(found, "default-base", base, bundle.get("default-base"))
    _attempt(found, "series", base, bundle.get("series"))
    applications = bundle.get("applications")
    if not isinstance(applications, dict) or not applications:
        return [*found, "the bundle has no applications"]
    machines = _machine_problems(
        {str(key): value for key, value in (bundle.get("machines") or {}).items()} if isinstance(bundle.get("machines") or {}, dict) else bundle["machines"],
        found,
    )
    used = set()
    for name, application in applications.items():
        used |= _application_problems(name, application, machines, applications, found)
    for name in machines:
        if str(name) not in used:
            found.append(f"machine {name}: no placement names it")
    stuck = _circles(applications)
    if stuck:
        found.append(f"the placements of {', '.join(stuck)} wait for each other")
    _relation_problems(bundle.get("relations") or [], applications, found)
    return found


# --- the plain form --------------------------------------------------------------------------------------------------


def normal(bundle):
    """What plans are made from: every default filled in, every small language read. BundleFault lists the problems."""
    found = problems(bundle)
    if found:
        raise BundleFault(found)
    default = base(bundle.get("default-base")) or base(bundle.get("series"))
    applications = {}
    for name, given in bundle["applications"].items():
        expose = bool(given.get("expose")) or bool(given.get("exposed-endpoints"))
        applications[name] = {
            "charm": charm(given["charm"]),
            "channel": channel(given.get("channel")) or "latest/stable",
            "revision": given.get("revision"),
            "base": base(given.get("base") or given.get("series")) or default,
            "num_units": given.get("num_units") or 0,
            "placements": placements(given),
            "options": dict(given.get("options") or {}),
            "constraints": limits.parse(given.get("constraints")) if given.get("constraints") is not None else None,
            "bindings": {str(key): str(value) for key, value in (given.get("bindings") or {}).items()},
            "exposed": expose if ("expose" in given or "exposed-endpoints" in given) else None,
            "exposed_endpoints": given.get("exposed-endpoints") or {},
            "resources": dict(given.get("resources") or {}),
            "storage": {str(key): limits.storage(value) for key, value in (given.get("storage") or {}).items()},
            "trust": bool(given.get("trust")),
            "annotations": {str(key): str(value) for key, value in (given.get("annotations") or {}).items()},
        }
    machines = {}
    for name, given in sorted((bundle.get("machines") or {}).items(), key=lambda item: int(item[0])):
        given = given or {}
        machines[str(name)] = {
            "constraints": limits.parse(given.get("constraints")),
            "base": base(given.get("base") or given.get("series")) or default,
            "annotations": {str(key): str(value) for key, value in (given.get("annotations") or {}).items()},
        }
    relations = [tuple(endpoint(end) for end in pair) for pair in bundle.get("relations") or []]
    return {"base": default, "machines": machines, "applications": applications, "relations": relations}


def machines(bundle):
    """[{name, cores, memory (MiB), disk (GB), tags, applications}]: what to compose or to find for each machine.

    A size that the bundle does not ask for is None.
    """
    tenants = {}
    for name, application in (bundle.get("applications") or {}).items():
        for where in placements(application or {}):
            if "machine" in where and name not in tenants.setdefault(where["machine"], []):
                tenants[where["machine"]].append(name)
    result = []
    for name, given in sorted((bundle.get("machines") or {}).items(), key=lambda item: int(item[0])):
        asked = limits.parse((given or {}).get("constraints"))
        result.append(
            {
                "name": str(name),
                "cores": asked.get("cores"),
                "memory": asked.get("mem"),
                "disk": math.ceil(asked["root-disk"] / 1024) if asked.get("root-disk") else None,
                "tags": asked.get("tags", []),
                "applications": sorted(tenants.get(str(name), [])),
            }
        )
    return result
