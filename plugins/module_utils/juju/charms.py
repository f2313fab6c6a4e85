# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What charms offer: endpoints, options, resources. Known from the model, from the controller, or from nowhere yet."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault

# Every charm provides it without saying so; Juju adds it on its own.
IMPLICIT = {"juju-info": {"interface": "juju-info", "role": "provider", "scope": "global"}}
TYPES = {
    "boolean": (bool,),
    "int": (int,),
    "float": (int, float),
    "string": (str,),
    "secret": (str,),
}


def simplify(info):
    """A charm as Charms.CharmInfo tells it, in plain form."""
    meta = info.get("meta") or {}
    endpoints = {}
    for role, key in (("provider", "provides"), ("requirer", "requires"), ("peer", "peers")):
        for name, relation in (meta.get(key) or {}).items():
            endpoints[name] = {"interface": relation.get("interface"), "role": role, "scope": relation.get("scope") or "global"}
    options = {name: {"type": option.get("type") or "string", "default": option.get("default")} for name, option in (info.get("config") or {}).items()}
    return {
        "name": meta.get("name") or "",
        "url": info.get("url") or "",
        "subordinate": bool(meta.get("subordinate")),
        "endpoints": endpoints,
        "bindings": sorted({*endpoints, *(meta.get("extra-bindings") or {})}),
        "options": options,
        "resources": {
            name: {"type": resource.get("type") or "file", "path": resource.get("path") or "", "description": resource.get("description") or ""}
            for name, resource in (meta.get("resources") or {}).items()
        },
    }


def endpoints(charm):
    return {**IMPLICIT, **charm["endpoints"]}


def _fits(one, other):
    return one["interface"] == other["interface"] and {one["role"], other["role"]} == {"provider", "requirer"}


def _candidates(charm, name):
    known = endpoints(charm)
    if name is not None:
        return {name: known[name]} if name in known else {}
    return known


def resolve(pair, charms):
    """The relation with both endpoints named. ValueError says why no charm offers it."""
    (left, left_end), (right, right_end) = pair
    one, other = charms.get(left), charms.get(right)
    if one is None or other is None:
        if left_end is None or right_end is None:
            return None  # nothing is known yet; the controller will have told before anything is made
        for name, end, charm in ((left, left_end, one), (right, right_end, other)):
            if charm is not None and end not in endpoints(charm):
                raise ValueError(f"the charm of {name} has no endpoint {end}")
        return pair
    for name, end, charm in ((left, left_end, one), (right, right_end, other)):
        if end is not None and end not in endpoints(charm):
            known = ", ".join(sorted(charm["endpoints"])) or "none"
            raise ValueError(f"the charm of {name} has no endpoint {end} (it has {known})")
    fitting = [
        ((left, a), (right, b))
        for a, first in _candidates(one, left_end).items()
        for b, second in _candidates(other, right_end).items()
        if _fits(first, second)
    ]
    explicit = [found for found in fitting if found[0][1] not in IMPLICIT and found[1][1] not in IMPLICIT]
    fitting = explicit or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        choices = " or ".join(f"{a[0]}:{a[1]} {b[0]}:{b[1]}" for a, b in fitting)
        raise ValueError(f"more than one pair of endpoints fits: {choices}")
    if left_end and right_end:
        first, second = endpoints(one)[left_end], endpoints(other)[right_end]
        raise ValueError(
            f"{left}:{left_end} ({first['role']} of {first['interface']}) and {right}:{right_end} ({second['role']} of {second['interface']}) do not fit"
        )
    raise ValueError(f"no endpoints of {left} and {right} fit")


def _option_problem(name, value, option):
    if value is None:
        return None  # null means the charm's default
    kind = option["type"]
    if isinstance(value, bool) and kind != "boolean":
        return f"{value!r} is a boolean, and the charm wants {kind}"
    if isinstance(value, TYPES.get(kind, (str,))):
        return None
    text = str(value)
    try:
        if kind == "boolean" and text.lower() in ("true", "false"):
            return None
        if kind == "int":
            int(text)
            return None
        if kind == "float":
            float(text)
            return None
    except ValueError:
        pass
    if kind == "string" and isinstance(value, (int, float)):
        return None  # Juju takes 2 for "2"
    return f"{value!r} is not {'an' if kind == 'int' else 'a'} {kind}"


def problems(desired, charms):
    """What the charms say against a bundle in plain form; applications whose charm is not known are passed over."""
    found = []
    for name, application in desired["applications"].items():
        charm = charms.get(name)
        if charm is None:
            continue
        for option, value in application["options"].items():
            if option == "trust":
                continue
            if option not in charm["options"]:
                if charm["options"]:
                    found.append(f"application {name}: its charm has no option '{option}'")
                continue
            why = _option_problem(option, value, charm["options"][option])
            if why:
                found.append(f"application {name}, option '{option}': {why}")
        for resource in application["resources"]:
            if resource not in charm["resources"]:
                found.append(f"application {name}: its charm has no resource '{resource}'")
        for binding in application["bindings"]:
            if binding and binding not in charm["bindings"]:
                found.append(f"application {name}: its charm has no endpoint '{binding}' to bind")
        if charm["subordinate"] and application["num_units"]:
            found.append(f"application {name}: its charm is a subordinate, which has no units of its own")
    for pair in desired["relations"]:
        try:
            resolve(pair, charms)
        except ValueError as error:
            ends = " - ".join(f"{name}:{end}" if end else name for name, end in pair)
            found.append(f"relation {ends}: {error}")
    return found


def check(desired, charms):
    found = problems(desired, charms)
    if found:
        raise BundleFault(found)
