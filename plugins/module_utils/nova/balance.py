# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The fewest moves that even the load over hypervisors. Pure: plans on a snapshot (see cloud.py), asks nothing, moves nothing.

The load of a host is the allocated share of the scarcest resource class that is looked at. Hosts are even when their loads
differ by no more than the tolerance. Each availability zone is evened by itself: to leave one is for an operator to decide.
Hosts that are disabled or down neither give nor take, and do not count.

Moves are searched breadth first: all plans of one move, of two, and so on, of which the most promising so many (by the sum of
the squares of the loads) are carried on. The first plan that gets there is of the fewest moves that this search can find;
tests hold it against a search without that limit. When no plan gets there, the one that evens the most is taken.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from ansible_collections.stratus.cloud.plugins.module_utils.nova import rules

# So many plans of each length are carried on.
WIDTH = 24
# When so many moves more even nothing more, no plan will.
PATIENCE = 3
TINY = 1e-9


@dataclass(frozen=True)
class State:
    """Where the servers are after some moves."""

    used: dict  # host -> {class: amount}
    where: dict  # server id -> host
    loads: dict  # host -> share
    moves: tuple = ()  # (server id, from, to)

    @property
    def spread(self):
        return max(self.loads.values()) - min(self.loads.values())

    @property
    def unevenness(self):
        return sum(share * share for share in self.loads.values())


class Board:
    """One availability zone: its hosts, and the servers that may be moved among them."""

    def __init__(self, cloud, hosts, movable, kinds):
        self.cloud, self.kinds = cloud, kinds
        self.hosts = {name: cloud.hosts[name] for name in hosts}
        self.movable = movable
        self.groups = {server: [group for group in cloud.groups if server in group.members] for server in movable}
        # Servers that are alike in all that counts: one of them on a host stands for the others there.
        self.kind = {server: (tuple(sorted(one.needs.items())), tuple(sorted(group.id for group in self.groups[server]))) for server, one in movable.items()}
        # Of those alike the cheapest to move first: without a disk to copy, then by name.
        self.order = sorted(movable, key=lambda server: (movable[server].local_disk, movable[server].name, server))

    def start(self):
        used = {name: dict(host.used) for name, host in self.hosts.items()}
        return State(used, dict(self.cloud.where), {name: rules.load(host, self.kinds) for name, host in self.hosts.items()})

    def allowed(self, state, server, name):
        """Whether a server fits on a host as things are, and its groups do not mind."""
        needs, host, used = self.movable[server].needs, self.hosts[name], state.used[name]
        for kind, amount in needs.items():
            if amount > host.room.get(kind, 0) - used.get(kind, 0) or amount > host.most.get(kind, amount):
                return False
        return not any(rules.group_refuses(group, server, name, state.where, soft=True) for group in self.groups[server])

    def options(self, state):
        """Moves to any host but the fullest, from any but the emptiest, those of alike servers once."""
        least, most = min(state.loads.values()), max(state.loads.values())
        takers = [name for name in sorted(state.loads) if state.loads[name] < most]
        seen = set()
        for server in self.order:
            source = state.where[server]
            if state.loads[source] <= least or (source, self.kind[server]) in seen:
                continue
            seen.add((source, self.kind[server]))
            for target in takers:
                if target != source and self.allowed(state, server, target):
                    yield server, source, target

    def share(self, state, server, name, sign):
        """The load of a host with a server more or less."""
        used = state.used[name]
        return rules.load(self.hosts[name], self.kinds, {kind: used.get(kind, 0) + sign * self.movable[server].needs.get(kind, 0) for kind in self.kinds})

    def after(self, state, server, source, target):
        needs = self.movable[server].needs
        used = dict(state.used)
        for name, sign in ((source, -1), (target, 1)):
            used[name] = {**used[name], **{kind: used[name].get(kind, 0) + sign * amount for kind, amount in needs.items()}}
        loads = {**state.loads, source: self.share(state, server, source, -1), target: self.share(state, server, target, 1)}
        return State(used, {**state.where, server: target}, loads, (*state.moves, (server, source, target)))

    def signature(self, state):
        """States in which alike servers have changed places are the same."""
        return tuple(sorted((state.where[server], self.kind[server]) for server in self.movable))

    def replay(self, moves):
        """The state after these moves, or None when one of them is not allowed in its turn."""
        state = self.start()
        for server, source, target in moves:
            if state.where[server] != source or not self.allowed(state, server, target):
                return None
            state = self.after(state, server, source, target)
        return state


def search(board, start, tolerance, limit):
    """The first state that is even enough, else the most even one; ``start`` when nothing is more even than that."""
    best, beam, least, idle = start, [start], start.unevenness, 0
    seen = {board.signature(start)}
    for _depth in range(limit):
        if best.spread <= tolerance or idle >= PATIENCE:
            break
        beam = _next(board, beam, seen)
        if not beam:
            break
        found = min(beam, key=lambda state: (max(state.spread, tolerance), state.unevenness))
        if found.spread < best.spread - TINY:
            best = found
        # Many hosts may have to be emptied or filled before the most and the least loaded one come closer: that is progress, too.
        idle = 0 if beam[0].unevenness < least - TINY else idle + 1
        least = min(least, beam[0].unevenness)
    return best


def _next(board, beam, seen):
    """The most promising states that are one move further than these."""
    ranked = []
    for number, state in enumerate(beam):
        whole = state.unevenness
        for server, source, target in board.options(state):
            old = state.loads[source] ** 2 + state.loads[target] ** 2
            new = board.share(state, server, source, -1) ** 2 + board.share(state, server, target, 1) ** 2
            ranked.append((whole - old + new, number, server, source, target))
    heapq.heapify(ranked)
    further = []
    while ranked and len(further) < WIDTH:
        _rank, number, server, source, target = heapq.heappop(ranked)
        state = board.after(beam[number], server, source, target)
        signature = board.signature(state)
        if signature not in seen:
            seen.add(signature)
            further.append(state)
    return further


def shorten(board, moves):
    """The same end with fewer moves: a server that moves twice goes straight there, as far as there is room for that."""
    for first, (server, source, _via) in enumerate(moves):
        for second in range(first + 1, len(moves)):
            if moves[second][0] != server:
                continue
            end = moves[second][2]
            straight = [] if end == source else [(server, source, end)]
            shorter = [*moves[:first], *moves[first + 1 : second], *straight, *moves[second + 1 :]]
            if board.replay(shorter) is not None:
                return shorten(board, shorter)
    return list(moves)


def plan_zone(board, tolerance, limit):
    """Searched again from where it ended until nothing more comes, so that a second plan is always empty."""
    state = board.start()
    while len(state.moves) < limit:
        further = search(board, state, tolerance, limit - len(state.moves))
        if further is state:
            break
        state = further
    return shorten(board, list(state.moves))


# -- the whole cloud --------------------------------------------------------------------------------------------------


def boards(cloud, kinds, hosts=None, leave=()):
    """A board for each availability zone, and {server id: why it stays}."""
    counted = [
        host for host in cloud.hosts.values() if host.enabled and host.up and rules.load(host, kinds) is not None and (hosts is None or host.name in hosts)
    ]
    names = {host.name for host in counted}
    movable, staying = {}, {}
    for server in cloud.servers.values():
        if cloud.where.get(server.id) not in names:
            continue
        reason = "was asked to be left alone" if server.id in leave or server.name in leave else why_stays(cloud, server)
        if reason:
            staying[server.id] = reason
        else:
            movable[server.id] = server
    zones = {}
    for host in counted:
        zones.setdefault(host.zone, []).append(host.name)
    made = []
    for zone in sorted(zones):
        here = {server: one for server, one in movable.items() if cloud.where[server] in zones[zone]}
        made.append(Board(cloud, sorted(zones[zone]), here, kinds))
    return made, staying


def why_stays(cloud, server):
    """Why a server is not moved for the sake of evenness; empty when it may be."""
    reason = rules.obstacle(server)
    if reason:
        return reason
    if server.locked:
        return "is locked"
    if server.special:
        return f"its flavor asks for {server.special}: only nova's scheduler knows where it fits"
    for group in cloud.groups:
        together = server.id in group.members and group.policy.endswith("affinity") and "anti" not in group.policy
        if together and any(cloud.where.get(member) for member in group.members if member != server.id):
            return f"belongs to the {group.policy} group {group.name}, which stays together"
    return ""


def plan(cloud, kinds=rules.WEIGHED, tolerance=10.0, hosts=None, leave=(), max_moves=None):
    """{moves, staying, before, after}; loads in percent. ``tolerance``: percentage points by which loads may differ."""
    made, staying = boards(cloud, kinds, hosts, leave)
    moves, before, after = [], {}, {}
    for board in made:
        limit = len(board.movable) * 2 if max_moves is None else max_moves - len(moves)
        steps = plan_zone(board, tolerance / 100, limit)
        moves += steps
        before.update(described(board, board.start()))
        after.update(described(board, board.replay(steps)))
    return {"moves": moves, "staying": staying, "before": before, "after": after}


def described(board, state):
    """{host: {load, zone, servers, and of each class what is used and what there is}}."""
    counts = list(state.where.values())
    return {
        name: {
            "load": round(100 * state.loads[name], 1),
            "zone": host.zone,
            "servers": counts.count(name),
            "resources": {kind: [state.used[name].get(kind, 0), host.room[kind]] for kind in board.kinds if host.room.get(kind)},
        }
        for name, host in board.hosts.items()
    }


def spread(loads):
    """{zone: percentage points between its most and its least loaded host}."""
    zones = {}
    for about in loads.values():
        zones.setdefault(about["zone"], []).append(about["load"])
    return {zone: round(max(shares) - min(shares), 1) for zone, shares in zones.items()}
