# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Compute services: on, off, said to be down, and gone with what they leave behind."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.nova import cloud, rules
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NoHost, NovaFault, Refused, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import ABSENT, DONE, PENDING, Waiter, WaitTimeout


def summary(service):
    return {
        "id": service["id"],
        "host": service["host"],
        "zone": service.get("zone"),
        "status": service["status"],
        "state": service["state"],
        "disabled_reason": service.get("disabled_reason"),
        "forced_down": bool(service.get("forced_down")),
        "updated_at": service.get("updated_at"),
    }


SHOWN = ("status", "disabled_reason", "forced_down")
UNMAPPED = "up, its hypervisor not yet in a cell"


def wanted_fields(service, options):
    """What has to be written so that the service is as the options say; empty when it is."""
    fields = {}
    status, reason, forced = options["state"], options["disabled_reason"], options["forced_down"]
    if status is not None and (service["status"] != status or (status == "disabled" and reason is not None and reason != service["disabled_reason"])):
        fields["status"] = status
        if status == "disabled" and (reason or service["disabled_reason"]):
            fields["disabled_reason"] = reason or service["disabled_reason"]
    if forced is not None and forced != service["forced_down"]:
        fields["forced_down"] = forced
    return fields


def foretold(service, fields):
    """The service as it will be."""
    after = {**service, **fields}
    if after["status"] == "enabled":
        after["disabled_reason"] = None
    return after


def chosen(client, hosts):
    return pick({service["host"]: summary(service) for service in client.services()}, hosts)


def pick(known, hosts):
    """(the services of these hosts by name, [(name, why there is none)])."""
    found, missing = {}, []
    for name in hosts:
        try:
            host = cloud.find_host(known, name)
            found[host] = known[host]
        except NoHost as error:
            missing.append((name, str(error)))
    return found, missing


def look(module, client):
    """The services with their hosts' room, for nova_compute_service_info."""
    snapshot = cloud.read(client, servers=[])
    known = {service["host"]: summary(service) for service in client.services()}
    found, missing = (known, []) if module.params["hosts"] is None else pick(known, module.params["hosts"])
    for host, service in found.items():
        about = snapshot.hosts[host]
        share = rules.load(about, rules.WEIGHED)
        service.update(
            room=about.room,
            used=about.used,
            load=None if share is None else round(100 * share, 1),
            servers=sorted(consumer for consumer, where in snapshot.where.items() if where == host),
        )
    return {"services": list(found.values()), "missing": [name for name, _reason in missing]}


def work(module, client):
    options = module.params
    if options["state"] == "absent":
        return remove(module, client)
    # A host that is new registers by itself, within its first report.
    found, missing = _appeared(client, options) if options["wait"] and not module.check_mode else chosen(client, options["hosts"])
    if missing:
        raise NovaFault("; ".join(reason for _name, reason in missing), missing=[name for name, _reason in missing])
    before = {host: dict(service) for host, service in found.items()}
    plan = {host: wanted_fields(service, options) for host, service in found.items()}
    for host, fields in plan.items():
        found[host] = foretold(found[host], fields) if module.check_mode else _written(client, host, found[host], fields)
    answer = {"changed": any(plan.values()), "diff": diff(before, {host: foretold(before[host], plan[host]) for host in before}), "waited": 0.0}
    if options["state"] == "enabled" and options["wait"] and not module.check_mode and not options["forced_down"]:
        outcome = _until_up(client, found, options)
        found, answer["waited"] = {host: outcome.states[host] for host in found}, round(outcome.waited, 1)
    return {**answer, "services": list(found.values())}


def diff(before, after):
    return {
        "before": {host: {key: service[key] for key in SHOWN} for host, service in before.items()},
        "after": {host: {key: service[key] for key in SHOWN} for host, service in after.items()},
    }


def _written(client, host, service, fields):
    """Status and forced_down are written apart: nova takes one of them in a request."""
    for part in (("forced_down",), ("status", "disabled_reason")):
        body = {key: fields[key] for key in part if key in fields}
        if not body:
            continue
        try:
            service = {**service, **summary({**service, **client.update_service(service["id"], **body)})}
        except Refused as error:
            raise NovaFault(f"The compute service on {host} cannot be changed: {error.said or error}{_hint(error)}", **error.result) from None
    return service


def _hint(error):
    if "forced_down" in error.said or "evacuat" in error.said or "restart" in error.said:
        return ". Servers were evacuated from it: start nova-compute there first, so that it cleans up what was theirs"
    return ""


def _appeared(client, options):
    state = {}

    def poll():
        state["found"], state["missing"] = chosen(client, options["hosts"])
        absent = {name for name, _reason in state["missing"]}
        return {name: ABSENT if name in absent else "there" for name in options["hosts"]}

    try:
        _waiter(options, "registered with nova").run(options["hosts"], poll, lambda _name, one: DONE if one == "there" else PENDING)
    except WaitTimeout as error:
        missing = [name for name, _reason in state.get("missing", ())]
        raise NovaFault(f"{error}. Look at nova-compute there: `systemctl status nova-compute`, /var/log/nova/nova-compute.log", missing=missing) from None
    return state["found"], state["missing"]


def _until_up(client, found, options):
    """Up, and mapped to a cell: before that nova does not list the hypervisor and refuses to boot on the host (Nova's API, os-hypervisors)."""
    mapped = set()

    def poll():
        known = {service["host"]: summary(service) for service in client.services()}
        states = {host: known[host] for host in found if host in known}
        if not mapped.issuperset(host for host, one in states.items() if one["state"] == "up"):
            mapped.update((one.get("service") or {}).get("host") for one in client.hypervisors())
        return {host: one if one["state"] != "up" or host in mapped else {**one, "state": UNMAPPED} for host, one in states.items()}

    try:
        waiter = _waiter(options, "up", show=lambda one: one["state"] if isinstance(one, dict) else str(one))
        return waiter.run(list(found), poll, lambda _name, one: DONE if isinstance(one, dict) and one["state"] == "up" else PENDING)
    except WaitTimeout as error:
        services = [one for one in error.outcome.states.values() if isinstance(one, dict)]
        raise NovaFault(f"{error}. Look at nova-compute there: `systemctl status nova-compute`, /var/log/nova/nova-compute.log", services=services) from None


def _waiter(options, goal, **more):
    return Waiter(options["wait_timeout"], options["wait_interval"], tolerate=(Unreachable,), goal=goal, **more)


# -- gone -------------------------------------------------------------------------------------------------------------


def left_behind(client, host, service):
    """What there is of a host: {services, servers, agents, providers}. Nova names the provider as the hypervisor is named."""
    if service is None:
        return _remains(client, host)
    names = {host} | {one["hypervisor_hostname"] for one in client.hypervisors() if (one.get("service") or {}).get("host") == host}
    return {
        "service": service["id"],
        "servers": [{"id": raw["id"], "name": raw["name"]} for raw in client.servers(host=host)],
        "agents": [_agent(agent) for agent in client.agents(host)],
        "providers": [provider for name in sorted(names) for provider in client.providers(name)],
    }


def _agent(agent):
    return {"id": agent["id"], "type": agent["agent_type"], "alive": agent["alive"]}


def _remains(client, host):
    """Without its service only names tell what was a host's: itself, or the same short name when one of the two is short."""

    def same(name):
        return name == host or (name.split(".")[0] == host.split(".")[0] and ("." not in name or "." not in host))

    known = {one["host"] for one in client.services()}
    return {
        "service": None,
        "servers": [],
        "agents": [_agent(agent) for agent in client.agents(None) if same(agent["host"]) and agent["host"] not in known],
        "providers": [provider for provider in client.providers(None) if same(provider["name"]) and provider["name"] not in known],
    }


def remove(module, client):
    """Deregister hosts. Everything is looked at before the first thing goes."""
    options = module.params
    found, missing = chosen(client, options["hosts"])
    hosts = {**found, **{name: None for name, _reason in missing}}
    before = {host: left_behind(client, host, service) for host, service in hosts.items()}
    problems = [problem for host, service in hosts.items() for problem in _guards(host, service, before[host], options["force"])]
    if problems:
        raise NovaFault(". ".join(problems), left=before)
    changed = any(left["service"] or left["agents"] or left["providers"] for left in before.values())
    if changed and not module.check_mode:
        for host, left in before.items():
            _removed(client, host, left)
    gone = {host: {"service": None, "servers": [], "agents": [], "providers": []} for host in before}
    return {"changed": changed, "services": [], "removed": before, "waited": 0.0, "diff": {"before": _named(before), "after": _named(gone)}}


def _named(found):
    return {
        host: {
            "service": left["service"],
            "agents": [agent["type"] for agent in left["agents"]],
            "providers": [provider["name"] for provider in left["providers"]],
        }
        for host, left in found.items()
    }


def _guards(host, service, left, force):
    if left["servers"]:
        names = ", ".join(server["name"] for server in left["servers"][:10])
        yield f"{host} still has {len(left['servers'])} servers ({names}): move them with nova_live_migration from_host={host}, or delete them"
    alive = [agent["type"] for agent in left["agents"] if agent["alive"]]
    if not force and service and service["state"] == "up" and not service["forced_down"]:
        yield f"nova-compute on {host} is up, and would register again: stop it first (or force=true)"
    elif not force and alive:
        yield f"agents on {host} are alive, and would register again ({', '.join(alive)}): stop them first (or force=true)"


def _removed(client, host, left):
    """Nova takes the provider along when it can; what it leaves is taken after it."""
    try:
        if left["service"]:
            client.delete_service(left["service"])
        for agent in left["agents"]:
            _unless_gone(client.delete_agent, agent["id"])
        for provider in left["providers"]:
            _unless_gone(client.delete_provider, provider["uuid"])
    except Refused as error:
        raise NovaFault(f"{host} is not removed entirely: {error}. Run again when the cause is gone", left=left, **error.result) from None


def _unless_gone(delete, identity):
    try:
        delete(identity)
    except Refused as error:
        if error.status != 404:
            raise
