"""A model in the words of the API: FullStatus, the watcher's entities, summaries. Only reading."""

from __future__ import annotations

import datetime
from typing import Any

from lab.world.juju import charms, constraints
from lab.world.juju.machines import natural


def date(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def status(entry: dict[str, Any], version: str = "", kind: str = "", life: str = "") -> dict[str, Any]:
    """A ``DetailedStatus``."""
    return {
        "status": entry.get("status", entry.get("current", "")),
        "info": entry.get("message", ""),
        "data": entry.get("data", {}),
        "since": date(entry["since"]),
        "kind": kind,
        "version": version,
        "life": "" if life == "alive" else life,
    }


def base(version: str) -> dict[str, str]:
    return {"name": "ubuntu", "channel": f"{version}/stable"}


ORDER = ("error", "blocked", "maintenance", "waiting", "active", "terminated", "unknown")


def application_status(juju: Any, model: dict, app: dict) -> dict[str, Any]:
    """The worst of its units' workloads."""
    units = juju.applications.units(model, app["name"])
    if not units:
        return {
            "status": "unknown" if app["subordinate"] else "waiting",
            "message": "" if app["subordinate"] else "waiting for machine",
            "since": app["created"],
        }
    worst = min(units, key=lambda u: ORDER.index(u["workload"]["status"]) if u["workload"]["status"] in ORDER else len(ORDER))
    return worst["workload"]


def hardware(machine: dict) -> str:
    return machine["hardware"]


def instance_id(machine: dict) -> str:
    if machine["container"]:
        return machine["hostname"] or "pending"
    return machine["system_id"] or "pending"


# -- FullStatus -----------------------------------------------------------------------------------------------------------
def full_status(world: Any, controller: dict, model: dict, patterns: list[str] | None = None) -> dict[str, Any]:
    juju = world.juju
    apps = {name: _application(juju, model, app) for name, app in sorted(model["applications"].items())}
    machines = {m["id"]: _machine(juju, model, m) for m in sorted(model["machines"].values(), key=lambda m: natural(m["id"])) if not m["parent"]}
    if patterns:
        apps, machines = _filtered(model, apps, machines, patterns)
    return {
        "model": {
            "name": model["name"],
            "type": "iaas",
            "cloud-tag": f"cloud-{model['cloud']}",
            "region": model["region"],
            "version": juju.state["version"],
            "available-version": "",
            "model-status": status(model["status"], life=model["life"], kind="model"),
            "meter-status": {"color": "", "message": ""},
            "sla": "unsupported",
        },
        "machines": machines,
        "applications": apps,
        "remote-applications": {},
        "offers": {},
        "relations": [relation_status(model, r) for r in model["relations"].values() if not patterns or any(e["app"] in apps for e in r["endpoints"])],
        "controller-timestamp": date(world.engine.now()),
        "branches": {},
        "storage": [],
        "filesystems": [],
        "volumes": [],
    }


def _filtered(model: dict, apps: dict, machines: dict, patterns: list[str]) -> tuple[dict, dict]:
    """Applications, units or machines named (``*`` allowed); machines that their units are on stay."""
    from fnmatch import fnmatch

    chosen, places = {}, set()
    for name, app in apps.items():
        whole = any(fnmatch(name, p) for p in patterns)
        units = {n: u for n, u in (app["units"] or {}).items() if whole or any(fnmatch(n, p) for p in patterns)}
        if whole or units:
            chosen[name] = {**app, "units": units}
            places |= {u["machine"].split("/")[0] for u in units.values()}
    kept = {i: m for i, m in machines.items() if i in places or any(fnmatch(i, p) for p in patterns)}
    return chosen, kept


def relation_status(model: dict, relation: dict) -> dict[str, Any]:
    first = relation["endpoints"][0]
    ends = [
        {"application": e["app"], "name": e["name"], "role": e["role"], "subordinate": model["applications"].get(e["app"], {}).get("subordinate", False)}
        for e in relation["endpoints"]
    ]
    state = {"status": "joined", "message": "", "since": relation["created"]}
    return {
        "id": relation["id"],
        "key": relation["key"],
        "interface": first["interface"],
        "scope": relation["scope"],
        "endpoints": ends,
        "status": status(state),
    }


def _application(juju: Any, model: dict, app: dict) -> dict[str, Any]:
    relations: dict[str, list[str]] = {}
    principals = set()
    for relation in model["relations"].values():
        for index, end in enumerate(relation["endpoints"]):
            if end["app"] == app["name"]:
                other = relation["endpoints"][1 - index]["app"] if len(relation["endpoints"]) == 2 else app["name"]
                relations.setdefault(end["name"], []).append(other)
                if app["subordinate"] and relation["scope"] == "container":
                    principals.add(other)
    units = {} if app["subordinate"] else {u["name"]: _unit(juju, model, u) for u in juju.applications.units(model, app["name"])}
    newest = charms.resolve(app["charm"], app["channel"])
    return {
        "charm": app["url"],
        "charm-version": "",
        "charm-profile": "",
        "charm-channel": app["channel"],
        "charm-rev": app["revision"],
        "base": base(app["base"]),
        "exposed": app["exposed"],
        "exposed-endpoints": {k: dict(v or {}) for k, v in app["exposed_endpoints"].items()},
        "life": "" if app["life"] == "alive" else app["life"],
        "relations": {k: sorted(v) for k, v in sorted(relations.items())},
        "can-upgrade-to": newest["url"] if newest["revision"] > app["revision"] else "",
        "subordinate-to": sorted(principals),
        "units": units,
        "meter-statuses": None,
        "status": status(application_status(juju, model, app)),
        "workload-version": _version(juju, model, app),
        "endpoint-bindings": app["bindings"],
        "int": None,
        "provider-id": "",
        "public-address": "",
    }


def _version(juju: Any, model: dict, app: dict) -> str:
    installed = any("start" in u["done"] for u in juju.applications.units(model, app["name"]))
    return charms.version_of(app["charm"], app["channel"]) if installed else ""


def _unit(juju: Any, model: dict, unit: dict) -> dict[str, Any]:
    app = model["applications"][unit["app"]]
    machine = model["machines"].get(unit["machine"]) or {}
    below = {u["name"]: _unit(juju, model, u) for u in model["units"].values() if u["principal"] == unit["name"]}
    version = juju.state["version"] if "agent" in unit["done"] else ""
    found = {
        "agent-status": status(unit["agent"], version=version, life=unit["life"]),
        "workload-status": status(unit["workload"]),
        "workload-version": charms.version_of(app["charm"], app["channel"]) if "start" in unit["done"] else "",
        "machine": "" if unit["principal"] else unit["machine"],
        "opened-ports": [],
        "public-address": machine.get("address") or "",
        "charm": "",
        "subordinates": below or None,
        "leader": app["leader"] == unit["name"] and "agent" in unit["done"],
    }
    if not found["leader"]:
        del found["leader"]
    return found


def _machine(juju: Any, model: dict, machine: dict) -> dict[str, Any]:
    addresses = [machine["address"]] if machine["address"] else []
    containers = {m["id"]: _machine(juju, model, m) for m in sorted(model["machines"].values(), key=lambda m: natural(m["id"])) if m["parent"] == machine["id"]}
    version = juju.state["version"] if machine["agent"]["status"] == "started" else ""
    interfaces = {}
    if addresses:
        interfaces["enp5s0"] = {"ip-addresses": addresses, "mac-address": "", "is-up": True, "gateway": "", "dns-nameservers": [], "space": "alpha"}
    found = {
        "agent-status": status(machine["agent"], version=version, life=machine["life"]),
        "instance-status": status(machine["instance"]),
        "modification-status": status({"status": "applied" if machine["container"] else "idle", "message": "", "since": machine["created"]}),
        "hostname": machine["hostname"],
        "dns-name": machine["address"] or "",
        "ip-addresses": addresses,
        "instance-id": instance_id(machine),
        "display-name": machine["hostname"],
        "base": base(machine["base"]),
        "id": machine["id"],
        "network-interfaces": interfaces,
        "containers": containers,
        "constraints": constraints.text(machine["constraints"]),
        "hardware": hardware(machine),
        "jobs": ["JobHostUnits"],
        "has-vote": False,
        "wants-vote": False,
    }
    return found


# -- the watcher's entities -------------------------------------------------------------------------------------------------
def small_status(entry: dict[str, Any], version: str = "") -> dict[str, Any]:
    return {
        "current": entry.get("status", entry.get("current", "")),
        "message": entry.get("message", ""),
        "since": date(entry["since"]),
        "version": version,
        "data": {},
    }


def entities(world: Any, controller: dict, model: dict) -> dict[tuple[str, str], dict[str, Any]]:
    """Everything that the AllWatcher tells of a model, by (kind, id)."""
    juju = world.juju
    found: dict[tuple[str, str], dict[str, Any]] = {("model", model["uuid"]): model_entity(juju, controller, model)}
    for machine in model["machines"].values():
        found["machine", machine["id"]] = machine_entity(juju, model, machine)
    for app in model["applications"].values():
        found["application", app["name"]] = application_entity(juju, model, app)
        found["charm", app["url"]] = {
            "model-uuid": model["uuid"],
            "charm-url": app["url"],
            "charm-version": "",
            "life": "alive",
            "profile": None,
            "config": charms.settings(app["charm"], {}),
        }
    for unit in model["units"].values():
        found["unit", unit["name"]] = unit_entity(juju, model, unit)
    for relation in model["relations"].values():
        found["relation", relation["key"]] = relation_entity(model, relation)
    for action in model["actions"].values():
        found["action", action["id"]] = action_entity(model, action)
    for tag, values in model["annotations"].items():
        if values:
            found["annotation", tag] = {"model-uuid": model["uuid"], "tag": tag, "annotations": dict(values)}
    return found


def model_entity(juju: Any, controller: dict, model: dict) -> dict[str, Any]:
    return {
        "model-uuid": model["uuid"],
        "name": model["name"],
        "life": model["life"],
        "owner": model["owner"],
        "controller-uuid": controller["uuid"],
        "is-controller": model["name"] == "controller",
        "cloud": model["cloud"],
        "cloud-region": model["region"],
        "cloud-credential": "/".join([model["credential"][1], model["credential"][0], model["credential"][2]]),
        "config": {key: entry["value"] for key, entry in juju.models.config(model).items()},
        "status": small_status(model["status"]),
        "constraints": dict(model["constraints"]),
        "sla": {"level": "unsupported", "owner": ""},
        "type": "iaas",
        "version": juju.state["version"],
    }


def machine_entity(juju: Any, model: dict, machine: dict) -> dict[str, Any]:
    addresses = [{"value": machine["address"], "type": "ipv4", "scope": "local-cloud", "space-id": "0"}] if machine["address"] else []
    version = juju.state["version"] if machine["agent"]["status"] == "started" else ""
    return {
        "model-uuid": model["uuid"],
        "id": machine["id"],
        "instance-id": "" if instance_id(machine) == "pending" else instance_id(machine),
        "agent-status": small_status(machine["agent"], version),
        "instance-status": small_status(machine["instance"]),
        "life": machine["life"],
        "series": charms.NAMES.get(machine["base"], ""),
        "base": f"ubuntu@{machine['base']}",
        "container-type": machine["container"],
        "is-manual": False,
        "supported-containers": ["lxd"],
        "supported-containers-known": True,
        "hardware-characteristics": {"arch": "amd64"},
        "jobs": ["JobHostUnits"],
        "addresses": addresses,
        "has-vote": False,
        "wants-vote": False,
        "hostname": machine["hostname"],
    }


def application_entity(juju: Any, model: dict, app: dict) -> dict[str, Any]:
    return {
        "model-uuid": model["uuid"],
        "name": app["name"],
        "exposed": app["exposed"],
        "charm-url": app["url"],
        "owner-tag": "",
        "life": app["life"],
        "min-units": 0,
        "constraints": dict(app["constraints"]),
        "config": {k: v for k, v in charms.settings(app["charm"], app["config"]).items() if v is not None},
        "subordinate": app["subordinate"],
        "status": small_status(application_status(juju, model, app)),
        "workload-version": _version(juju, model, app),
    }


def unit_entity(juju: Any, model: dict, unit: dict) -> dict[str, Any]:
    app = model["applications"].get(unit["app"]) or {}
    machine = model["machines"].get(unit["machine"]) or {}
    address = machine.get("address") or ""
    return {
        "model-uuid": model["uuid"],
        "name": unit["name"],
        "application": unit["app"],
        "series": charms.NAMES.get(app.get("base", ""), ""),
        "base": f"ubuntu@{app.get('base', '')}",
        "charm-url": app.get("url", ""),
        "life": unit["life"],
        "public-address": address,
        "private-address": address,
        "machine-id": unit["machine"],
        "ports": [],
        "port-ranges": [],
        "principal": unit["principal"] or "",
        "subordinate": bool(unit["principal"]),
        "workload-status": small_status(unit["workload"]),
        "agent-status": small_status(unit["agent"], juju.state["version"] if "agent" in unit["done"] else ""),
    }


def relation_entity(model: dict, relation: dict) -> dict[str, Any]:
    ends = [
        {
            "application-name": e["app"],
            "relation": {
                "name": e["name"],
                "role": e["role"],
                "interface": e["interface"],
                "optional": False,
                "limit": e.get("limit", 0),
                "scope": relation["scope"],
            },
        }
        for e in relation["endpoints"]
    ]
    return {"model-uuid": model["uuid"], "key": relation["key"], "id": relation["id"], "endpoints": ends}


def action_entity(model: dict, action: dict) -> dict[str, Any]:
    return {
        "model-uuid": model["uuid"],
        "id": action["id"],
        "receiver": action["unit"],
        "name": action["name"],
        "status": action["status"],
        "message": action["message"],
        "enqueued": date(action["enqueued"]),
        "started": date(action["started"]),
        "completed": date(action["completed"]),
    }
