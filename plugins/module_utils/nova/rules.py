# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What may move, and where to. Pure: judges a snapshot (see cloud.py) and never asks the cloud.

These are the rules of nova's API and of the filters that its scheduler applies unless told otherwise. The scheduler has the
last word: what is refused here would be refused there, too; what is allowed here it may still refuse, and says so only in
the record of the migration.
"""

from __future__ import annotations

# A live migration moves what runs (nova.compute.api.API.live_migrate); everything else is answered with 409.
RUNNING = ("active", "paused")
INSTEAD = {
    "stopped": "is stopped, and only what runs is migrated live: start it, or migrate it cold",
    "suspended": "is suspended: resume it first",
    "error": "is in error: look at `openstack server show`, reset its state or delete it",
    "resized": "waits for its resize or cold migration to be confirmed or reverted",
    "rescued": "is in rescue mode: unrescue it first",
    "shelved": "is shelved: unshelve it, or offload it",
    "building": "is still being built",
    "soft-delete": "is deleted and can still be restored: delete it for good, or restore it",
}
# What a host's load is measured by, unless somebody says otherwise.
WEIGHED = ("VCPU", "MEMORY_MB")
HARD = {"anti-affinity", "affinity"}


def obstacle(server):
    """Why a server cannot be migrated live, wherever to; empty when it can."""
    if server.vm_state not in RUNNING:
        return INSTEAD.get(server.vm_state, f"is {server.status}, and only what runs is migrated live")
    if server.task_state:
        return f"is busy ({server.task_state}): wait for the end of that"
    return ""


def stranded(cloud, server):
    """Why a server cannot leave its host; empty when it can."""
    host = cloud.hosts.get(cloud.where.get(server.id))
    if host is not None and not host.up:
        return f"is on {host.name}, which is down: evacuate it instead (`openstack server evacuate`)"
    return ""


def why_not(cloud, server, name, soft=False, same_zone=False):
    """Why a server cannot go to the host of that name; empty when it can. `soft`: soft policies of groups count as hard ones."""
    host = cloud.hosts[name]
    if name == cloud.where.get(server.id):
        return "is where it is"
    if not host.enabled:
        return f"is disabled{f' ({host.reason})' if host.reason else ''}"
    if not host.up:
        return "is down"
    if not host.known:
        return "has no hypervisor that nova knows"
    zone = server.zone if same_zone else server.pin
    if zone and host.zone != zone:
        return f"is in availability zone {host.zone}, not in {zone}"
    return short_of(host, server.needs) or group_against(cloud, server, name, soft)


def short_of(host, needs):
    """What a host lacks for these needs; empty when nothing."""
    missing = []
    for kind, amount in sorted(needs.items()):
        free = max(0, host.room.get(kind, 0) - host.used.get(kind, 0))
        if amount > free:
            missing.append(f"{free} of {amount} {kind} free")
        elif amount > host.most.get(kind, amount):
            missing.append(f"gives at most {host.most[kind]} {kind} to one server, not {amount}")
    return ", ".join(missing)


def group_against(cloud, server, name, soft=False):
    """Why a server's groups do not want it on that host; empty when they do not mind."""
    return next((reason for group in cloud.groups if (reason := group_refuses(group, server.id, name, cloud.where, soft))), "")


def group_refuses(group, server, name, where, soft=False):
    """The same for one group, with the servers where they are in ``where``."""
    policy = group.policy.removeprefix("soft-") if soft else group.policy
    if server not in group.members or policy not in HARD:
        return ""
    others = [where[member] for member in group.members if member != server and where.get(member)]
    if policy == "anti-affinity" and others.count(name) >= group.limit:
        return f"holds {others.count(name)} of the {group.policy} group {group.name} already"
    if policy == "affinity" and others and name not in others:
        return f"holds none of the {group.policy} group {group.name}, whose others are on {', '.join(sorted(set(others)))}"
    return ""


def facts(server):
    """What to know of a server's move beforehand."""
    found = []
    if server.local_disk:
        disk = server.needs.get("DISK_GB")
        found.append(f"local disk{f' of {disk} GB' if disk else ''}: copied over the network unless the hosts share their storage")
    if server.config_drive:
        found.append("config drive: copied between the hosts by ssh")
    if server.special:
        found.append(f"its flavor asks for {server.special}: only nova's scheduler knows where it fits")
    if server.vm_state == "paused":
        found.append("paused: stays so")
    if server.locked:
        found.append("locked: moved all the same, as an administrator may")
    return found


def load(host, kinds, used=None):
    """The share of a host's room that is allocated, of the scarcest of these resource classes; None when it has none of them."""
    used = host.used if used is None else used
    shares = [used.get(kind, 0) / host.room[kind] for kind in kinds if host.room.get(kind)]
    return max(shares) if shares else None


def place(cloud, server, name):
    """Move a server within the snapshot."""
    for host, sign in ((cloud.where.get(server.id), -1), (name, 1)):
        if host in cloud.hosts:
            used = cloud.hosts[host].used
            for kind, amount in server.needs.items():
                used[kind] = used.get(kind, 0) + sign * amount
    cloud.where[server.id] = name


def foresee(cloud, servers, host=None, kinds=WEIGHED):
    """({server id: host}, {server id: why it cannot move}): the largest first, each to the emptiest host that takes it.

    Changes the snapshot. Servers that are on ``host`` already are in neither.
    """
    going, stuck = {}, {}
    for server in sorted(servers, key=lambda server: ([-server.needs.get(kind, 0) for kind in kinds], server.name)):
        if host and cloud.where.get(server.id) == host:
            continue
        reason = obstacle(server) or stranded(cloud, server)
        if reason:
            stuck[server.id] = reason
            continue
        candidates = [host] if host else sorted(cloud.hosts)
        against = {name: why_not(cloud, server, name) for name in candidates if name != cloud.where.get(server.id)}
        able = [name for name, reason in against.items() if not reason]
        if not able:
            listed = "; ".join(f"{name} {reason}" for name, reason in against.items()) or "there is no other"
            stuck[server.id] = f"no host can take it: {listed}"
            continue
        chosen = min(able, key=lambda name: (cloud.hosts[name].zone != server.zone, load(cloud.hosts[name], kinds) or 0, name))
        place(cloud, server, chosen)
        going[server.id] = chosen
    return going, stuck
