# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The controller's FullStatus made into plain data: one request tells everything about a model."""

from __future__ import annotations

import datetime

from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import Refused


def _detail(status):
    status = status or {}
    return {"status": status.get("status") or "", "message": status.get("info") or "", "since": status.get("since") or ""}


def lasted(since, now):
    """Seconds between two dates of the controller, by its own clock; None when it did not tell both."""
    try:
        began, ended = (datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")) for text in (since, now))
        return max(0.0, (ended - began).total_seconds())
    except (TypeError, ValueError):
        return None


def _base(given):
    given = given or {}
    if not given.get("name"):
        return None
    channel = str(given.get("channel") or "")
    return f"{given['name']}@{channel if '/' in channel else channel + '/stable'}"


def unit_order(name):
    application, dummy, number = name.rpartition("/")
    return application, int(number) if number.isdigit() else 0


def machine_order(name):
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in str(name).split("/"))


def _unit(name, given, application, machine=None, principal=None):
    workload, agent = _detail(given.get("workload-status")), _detail(given.get("agent-status"))
    return {
        "name": name,
        "application": application,
        "machine": given.get("machine") or machine or "",
        "principal": principal,
        "leader": bool(given.get("leader")),
        "address": given.get("public-address") or given.get("address") or "",
        "workload": workload["status"],
        "message": workload["message"],
        "workload_since": workload["since"],
        "agent": agent["status"],
        "agent_message": agent["message"],
        "agent_since": agent["since"],
        "ports": list(given.get("opened-ports") or []),
        "subordinates": sorted(given.get("subordinates") or {}, key=unit_order),
    }


def _machine(name, given, parent=None):
    instance, agent = _detail(given.get("instance-status")), _detail(given.get("agent-status"))
    addresses = list(given.get("ip-addresses") or [])
    row = {
        "id": name,
        "parent": parent,
        "instance_id": given.get("instance-id") or "",
        "hostname": given.get("hostname") or given.get("display-name") or "",
        "address": given.get("dns-name") or (addresses[0] if addresses else ""),
        "addresses": addresses,
        "base": _base(given.get("base")),
        "constraints": given.get("constraints") or "",
        "hardware": given.get("hardware") or "",
        "agent": agent["status"],
        "agent_message": agent["message"],
        "instance": instance["status"],
        "instance_message": instance["message"],
        "since": agent["since"],
        "life": (given.get("agent-status") or {}).get("life") or "alive",
        "containers": sorted(given.get("containers") or {}, key=machine_order),
    }
    return {**row, "uninstalled": uninstalled(row)}


def uninstalled(machine):
    """Whether a machine could not be had or installed, which Juju does not try again by itself in every case: its agent never came, so nothing ran on it."""
    if machine.get("agent") == "started":
        return False
    said = f"{machine.get('instance')} {machine.get('instance_message')}".lower()
    return machine.get("instance") == "provisioning error" or (machine.get("agent") in ("pending", "down") and "failed deployment" in said)


def _machines(found, given, parent=None):
    for name, machine in (given or {}).items():
        found[name] = _machine(name, machine, parent)
        _machines(found, machine.get("containers"), name)


# How bad a unit's status is for its application, the worst first: Juju's own order.
SEVERITY = ("error", "blocked", "waiting", "maintenance", "terminated", "active", "unknown")
# What Juju calls an instance's states, in the words of MAAS.
INSTANCES = {"allocating": "Deploying", "running": "Deployed", "provisioning error": "Failed deployment"}


def _severity(unit):
    return SEVERITY.index(unit["workload"]) if unit["workload"] in SEVERITY else len(SEVERITY)


def sights(status):
    """(kind, name, state, message) of every application and every machine: an application is as its worst unit is."""
    for name, application in status["applications"].items():
        units = [status["units"][unit] for unit in application["units"]]
        if units:
            worst = min(units, key=_severity)
            yield "application", name, worst["workload"], worst["message"]
    for machine in status["machines"].values():
        if machine["hostname"] and not machine["parent"] and machine["instance"] in INSTANCES:
            yield "machine", machine["hostname"], INSTANCES[machine["instance"]], ""


def simplify(full):
    """{model, read, machines, applications, units, relations}, each by name, containers and subordinates beside the rest."""
    machines, units, applications = {}, {}, {}
    _machines(machines, full.get("machines"))
    for name, given in (full.get("applications") or {}).items():
        detail = _detail(given.get("status"))
        applications[name] = {
            "name": name,
            "charm": given.get("charm") or "",
            "channel": given.get("charm-channel") or "",
            "revision": given.get("charm-rev"),
            "version": given.get("workload-version") or "",
            "base": _base(given.get("base")),
            "exposed": bool(given.get("exposed")),
            "exposed_endpoints": given.get("exposed-endpoints") or {},
            "bindings": given.get("endpoint-bindings") or {},
            "subordinate_to": sorted(given.get("subordinate-to") or []),
            "life": given.get("life") or "alive",
            "status": detail["status"],
            "message": detail["message"],
            "units": [],
        }
        for unit, data in (given.get("units") or {}).items():
            units[unit] = _unit(unit, data, name)
            for lower, more in (data.get("subordinates") or {}).items():
                units[lower] = _unit(lower, more, lower.rpartition("/")[0], units[unit]["machine"], unit)
    for unit in sorted(units, key=unit_order):
        owner = applications.get(units[unit]["application"])
        if owner is not None:
            owner["units"].append(unit)
    relations = []
    for given in full.get("relations") or []:
        ends = sorted((end.get("application") or "", end.get("name") or "") for end in given.get("endpoints") or [])
        relations.append(
            {
                "id": given.get("id"),
                "key": given.get("key") or "",
                "interface": given.get("interface") or "",
                "endpoints": [f"{application}:{name}" for application, name in ends],
                "status": _detail(given.get("status"))["status"],
            }
        )
    about = full.get("model") or {}
    model = {
        "name": about.get("name") or "",
        "cloud": str(about.get("cloud-tag") or "").removeprefix("cloud-"),
        "region": about.get("region") or "",
        "version": about.get("version") or "",
        "status": _detail(about.get("model-status"))["status"],
    }
    return {
        "model": model,
        "read": full.get("controller-timestamp") or "",
        "machines": {name: machines[name] for name in sorted(machines, key=machine_order)},
        "applications": {name: applications[name] for name in sorted(applications)},
        "units": {name: units[name] for name in sorted(units, key=unit_order)},
        "relations": sorted(relations, key=lambda item: item["endpoints"]),
    }


def read(client, timeout=None):
    return simplify(client.call("Client", "FullStatus", {"patterns": []}, timeout=timeout, repeat=True))


def leader(status, application):
    """The leader's name, or None."""
    for name in (status["applications"].get(application) or {}).get("units", []):
        if status["units"][name]["leader"]:
            return name
    return None


def target(status, name):
    """A unit out of 'vault/0', 'vault/leader' or 'vault' (its leader, else its only unit)."""
    application, sign, number = name.partition("/")
    if application not in status["applications"]:
        raise Refused(f"the model has no application {application}", "not found", applications=sorted(status["applications"]))
    if sign and number != "leader":
        if name not in status["units"]:
            raise Refused(f"the model has no unit {name}", "not found", units=status["applications"][application]["units"])
        return name
    found = leader(status, application)
    units = status["applications"][application]["units"]
    if found is None and len(units) == 1:
        found = units[0]
    if found is None:
        raise Refused(f"{application} has no leader yet", "no leader", units=units)
    return found
