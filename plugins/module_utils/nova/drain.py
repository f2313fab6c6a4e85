# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which servers are to move, whether they can, and off they go: the work of nova_live_migration."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.nova import cloud as clouds
from ansible_collections.stratus.cloud.plugins.module_utils.nova import migrations, rules
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault


def subjects(client, options):
    """The raw servers that are meant."""
    names = [service["host"] for service in client.services()]
    source = clouds.find_host(names, options["from_host"]) if options["from_host"] else None
    target = clouds.find_host(names, options["host"]) if options["host"] else None
    if source and source == target:
        raise NovaFault(f"from_host and host are the same, {source}")
    if options["servers"]:
        found = clouds.find_servers(client, options["servers"])
        # By their ids: several may have one name.
        away = {raw["id"]: raw["name"] for raw in found if source and raw["OS-EXT-SRV-ATTR:host"] != source}
        return [raw for raw in found if raw["id"] not in away], list(away.values()), target
    return client.servers(host=source), [], target


def survey(client, options):
    """{plan, unmovable, already} and the host that was asked for, with nothing done."""
    raws, already, target = subjects(client, options)
    snapshot = clouds.read(client, raws)
    servers = list(snapshot.servers.values())
    started = {server.id: server.host for server in servers}
    going, stuck = rules.foresee(snapshot, servers, target)
    already += [server.name for server in servers if target and started[server.id] == target]
    return {
        "plan": [planned(snapshot.servers[server], started[server], going[server]) for server in going],
        "unmovable": unmovable(servers, started, stuck),
        "already": sorted(already),
    }, target


def planned(server, source, target):
    return {"server": server.name, "id": server.id, "from": source, "to": target, "needs": server.needs, "facts": rules.facts(server)}


def unmovable(servers, started, stuck):
    return [{"server": one.name, "id": one.id, "from": started[one.id], "reason": stuck[one.id]} for one in servers if one.id in stuck]


def diff(found):
    return {"before": {one["server"]: one["from"] for one in found["plan"]}, "after": {one["server"]: one["to"] for one in found["plan"]}}


def refusal(found):
    listed = "; ".join(f"{one['server']} {one['reason']}" for one in found["unmovable"])
    return f"{len(found['unmovable'])} of {len(found['plan']) + len(found['unmovable'])} servers cannot move, and nothing was begun: {listed}"


def work(module, client, clock=time.monotonic, sleep=time.sleep):
    options = module.params
    if options["wait_resume"]:
        found, jobs = options["wait_resume"]["found"], []
    else:
        found, target = survey(client, options)
        if found["unmovable"] and options["on_unmovable"] == "fail":
            raise NovaFault(refusal(found), **found)
        jobs = [migrations.job(one["id"], one["server"], one["from"], target) for one in found["plan"]]
    answer = {"changed": bool(found["plan"]), "diff": diff(found), "waited": 0.0, **found}
    if module.check_mode or not found["plan"]:
        return answer
    moves = migrations.of(client, jobs, options, clock)
    if not options["wait"]:
        return {**answer, "migrations": moves.ask_all()}
    try:
        done = migrations.carry_out(moves, options, clock, sleep)
    except NovaFault as error:
        raise NovaFault(str(error), **{**found, **error.result, "diff": migrations.diff(moves)}) from None
    if done.get("unfinished"):
        done["resume"]["found"] = found
        return {**answer, **done}
    return {**answer, **done, "diff": migrations.diff(moves)}
