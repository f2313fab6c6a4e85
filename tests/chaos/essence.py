"""What a world amounts to: everything that a build makes, by name, without what differs from build to build (numbers, keys, addresses, times).

Two builds that came to the same have the same essence, and at no time does a build that was interrupted have anything that the whole one has not.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

World = dict[str, Any]
# What goes on by itself, and what no build makes.
ASIDE_CONFIG = {"completed_intro"}


def essence(world: World) -> dict[str, Any]:
    """The essence of the lab's dump: a dictionary of dictionaries, names to facts."""
    return {**_region(world["maas"]), **_juju(world), **_vault(world), "power": {n: s for n, s in world.get("rack", {}).get("power", {}).items() if s == "on"}}


def _region(maas: World) -> dict[str, Any]:
    # A table is there once something was in it.
    tables, nodes = collections.defaultdict(dict, maas["tables"]), [node for node in maas["nodes"].values() if node["node_type"] == 0]
    subnets = {row["id"]: row["cidr"] for row in tables["subnets"].values()}
    return {
        "machines": _named((node["hostname"], _machine(node)) for node in nodes),
        "users": _named((name, {"administrator": user["is_superuser"]}) for name, user in maas["users"].items()),
        "API keys": dict(collections.Counter(token["username"] for token in maas["tokens"])),
        "SSH keys": dict(collections.Counter(row["username"] for row in tables["sshkeys"].values())),
        "ranges": _named((f"{row['start_ip']}-{row['end_ip']}", [row["type"], subnets[row["subnet"]]]) for row in tables["ipranges"].values()),
        "subnets": _named((row["cidr"], [row["gateway_ip"], row["dns_servers"]]) for row in tables["subnets"].values()),
        "VLANs": _named((f"{row['fabric']}/{row['vid']}", {"dhcp": row["dhcp_on"]}) for row in tables["vlans"].values()),
        "images": _named((f"{row['name']} {row['architecture']}", {"on the rack": row["rack"]}) for row in tables["boot_resources"].values()),
        "selections": _named((f"{row['os']}/{row['release']}", row["arches"]) for row in tables["boot_selections"].values()),
        "VM hosts": _named((row["name"], [row["type"], row["parameters"].get("project")]) for row in tables["vm_hosts"].values()),
        **{what: _named((row["name"], 1) for row in tables[what].values()) for what in ("tags", "pools", "zones", "domains", "fabrics")},
        "settings": {name: value for name, value in maas["config"].items() if name not in ASIDE_CONFIG},
    }


def _machine(node: World) -> dict[str, Any]:
    virtual = node["vm_host"] is not None
    return {
        "macs": None if virtual else sorted(nic["mac"] for nic in node["interfaces"]),
        "status": node["status_name"],
        "power": node["power_type"],
        "tags": sorted(node["tags"]),
        "size": [node["cpu_count"], node["memory"], [disk["size"] for disk in node["disks"]]],
        "interfaces": sorted([nic["name"], nic["type"], nic["params"].get("bridge_type") or "", _modes(nic)] for nic in node["interfaces"]),
    }


def _modes(nic: World) -> list[str]:
    return sorted(link["mode"] for link in nic["links"])


def _juju(world: World) -> dict[str, Any]:
    hostnames = {node["system_id"]: node["hostname"] for node in world["maas"]["nodes"].values()}

    def awaited(system_id: str | None) -> str | None:
        """The name of a machine that is being provisioned, which does not tell it yet."""
        return hostnames.get(system_id, system_id)

    juju, found = world["juju"], {"controllers": {}, "models": {}, "model machines": {}, "applications": {}, "units": {}, "relations": {}}
    for controller in juju["controllers"].values():
        accounts = {user: sorted(names) for user, clouds in controller["credentials"].items() for names in clouds.values()}
        found["controllers"][controller["name"]] = [controller["state"], sorted(controller["users"]), sorted(controller["clouds"]), accounts]
    for model in juju["models"].values():
        name = model["name"]
        _add(found["models"], name, [model["life"], len(model["keys"])])
        places = {number: machine["hostname"] or awaited(machine["wanted"].get("system_id")) for number, machine in model["machines"].items()}
        for number, machine in model["machines"].items():
            _add(found["model machines"], f"{name}: {places[number]}{machine['container'] and ' container'}", 1)
        for app in model["applications"].values():
            _add(found["applications"], f"{name}: {app['name']}", [app["charm"], app["channel"], app["config"], app["exposed"]])
        for unit in model["units"].values():
            place = unit["machine"] if unit["principal"] is None else model["units"].get(unit["principal"], {}).get("machine")
            _add(found["units"], f"{name}: {unit['app']} on {places.get(place)}", unit["workload"]["status"])
        for relation in model["relations"].values() if isinstance(model["relations"], dict) else model["relations"]:
            ends = sorted(f"{end['app']}:{end['name']}" for end in relation["endpoints"])
            _add(found["relations"], f"{name}: {' '.join(ends)}", 1)
    return found


def _vault(world: World) -> dict[str, Any]:
    models = {uuid: model["name"] for uuid, model in world["juju"]["models"].items()}
    found = {}
    for row in world["vault"]["clusters"].values():
        if row["model"] in models:
            sealed = sorted(unit["sealed"] for unit in row["units"].values())
            found[f"{models[row['model']]}: {row['application']}"] = {
                "initialised": row["initialized"],
                "authorised": row["authorized"],
                "CA": bool(row["ca"]),
                "sealed": sealed,
            }
    return {"Vault": found}


def _named(rows: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, facts in rows:
        _add(found, name, facts)
    return found


def _add(found: dict[str, Any], name: str, facts: Any) -> None:
    """A name that is there twice gets a second entry, so that it cannot hide."""
    found[name if name not in found else f"{name} (twice)"] = facts


def differences(whole: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """One line for each thing that is not in both, or not alike."""
    lines = []
    for part in whole:
        for name in sorted(set(whole[part]) | set(found[part])):
            expected, got = whole[part].get(name), found[part].get(name)
            if name not in found[part]:
                lines.append(f"{part}: {name} is missing")
            elif name not in whole[part]:
                lines.append(f"{part}: {name} is too much")
            elif expected != got:
                lines.append(f"{part}: {name} is {got}, not {expected}")
    return lines


def beyond(whole: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What an unfinished world has that the finished one has not: made twice, or under another name."""
    lines = []
    for part in set(whole) - {"power"}:
        lines += [f"{part}: {name} is too much" for name in sorted(set(found[part]) - set(whole[part]))]
    for part in ("API keys", "SSH keys"):
        lines += [f"{part}: {number} of {name}, not {whole[part][name]}" for name, number in found[part].items() if number > whole[part].get(name, number)]
    return lines


def initialisations(world: World) -> int:
    """How often Vault was initialised, of those clusters whose model is there."""
    return sum(1 for entry in world["log"] if entry["kind"] == "vault.initialized")
