# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The plan that evens the load, and its execution: the work of nova_rebalance."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.nova import balance, migrations, rules
from ansible_collections.stratus.cloud.plugins.module_utils.nova import cloud as clouds
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault


def survey(client, options):
    """(the snapshot, the plan as it is returned)."""
    snapshot = clouds.read(client)
    hosts = None if options["hosts"] is None else [clouds.find_host(snapshot.hosts, name) for name in options["hosts"]]
    absent = [kind for kind in options["resources"] if not any(kind in host.room for host in snapshot.hosts.values())]
    if absent:
        known = sorted({kind for host in snapshot.hosts.values() for kind in host.room})
        raise NovaFault(f"No host has {', '.join(absent)} in Placement; there are {', '.join(known) or 'no resource classes'}")
    made = balance.plan(snapshot, tuple(options["resources"]), options["tolerance"], hosts, options["exclude_servers"], options["max_moves"])
    servers = snapshot.servers
    return snapshot, {
        "plan": [
            {"server": servers[one].name, "id": one, "from": source, "to": target, "needs": servers[one].needs, "facts": rules.facts(servers[one])}
            for one, source, target in made["moves"]
        ],
        "staying": [{"server": servers[one].name, "id": one, "reason": reason} for one, reason in sorted(made["staying"].items())],
        "hosts": {"before": made["before"], "after": made["after"]},
        "spread": {"before": balance.spread(made["before"]), "after": balance.spread(made["after"])},
    }


def diff(found):
    """The load of each host, and the moves, as lines to be read."""
    lines = [f"{number}. {one['server']}: {one['from']} -> {one['to']}" for number, one in enumerate(found["plan"], 1)]
    before, after = (
        {name: f"{about['load']:.1f} % ({amounts(about)}; {about['servers']} servers)" for name, about in sorted(found["hosts"][side].items())}
        for side in ("before", "after")
    )
    return {"before": {"hosts": before, "moves": []}, "after": {"hosts": after, "moves": lines}}


def moves(plan):
    """What makes two plans the same."""
    return [(one["id"], one["from"], one["to"]) for one in plan]


def amounts(about):
    return ", ".join(f"{kind} {used}/{room}" for kind, (used, room) in about["resources"].items())


def fits(snapshot):
    """fits(job, jobs): whether a move's host has room while others are under way. What is under way takes room on both its hosts."""

    def judge(one, jobs):
        host = snapshot.hosts[one["asked"]]
        used = dict(host.used)
        for other in jobs:
            going = other["state"] not in migrations.ENDED and other["state"] != migrations.QUEUED
            done = other["state"] in migrations.GOOD
            if going and any({one["id"], other["id"]} <= group.members for group in snapshot.groups):
                return False
            sign = (other["asked"] == host.name and (going or done)) - (other["from"] == host.name and done)
            for kind, amount in snapshot.servers[other["id"]].needs.items():
                used[kind] = used.get(kind, 0) + sign * amount
        needs = snapshot.servers[one["id"]].needs
        return all(used.get(kind, 0) + amount <= host.room.get(kind, 0) for kind, amount in needs.items())

    return judge


def work(module, client, clock=time.monotonic, sleep=time.sleep):
    options = module.params
    resume = options["wait_resume"]
    # A later slice goes on with what the plan was made of: the cloud has changed since, by its moves.
    snapshot, found = (clouds.restored(resume["snapshot"]), resume["found"]) if resume else survey(client, options)
    answer = {"changed": bool(found["plan"]), "diff": diff(found), "waited": 0.0, **found}
    shown = options.get("plan")
    if shown is not None and not resume and moves(shown) != moves(found["plan"]):
        raise NovaFault(
            f"The cloud has changed since the plan was shown: {len(found['plan'])} other moves would even it now. Nothing was begun; "
            "look at the new plan and run again",
            **found,
        )
    if module.check_mode or not found["plan"]:
        return answer
    jobs = [migrations.job(one["id"], one["server"], one["from"], one["to"]) for one in found["plan"]]
    asked = migrations.of(client, jobs, options, clock, fits=fits(snapshot))
    if not options["wait"]:
        return {**answer, "migrations": asked.ask_all()}
    try:
        done = migrations.carry_out(asked, options, clock, sleep)
    except NovaFault as error:
        raise NovaFault(str(error), **{**found, **error.result}) from None
    if done.get("unfinished"):
        done["resume"].update(found=found, snapshot=clouds.saved(snapshot, [one["id"] for one in found["plan"]]))
    return {**answer, **done}
