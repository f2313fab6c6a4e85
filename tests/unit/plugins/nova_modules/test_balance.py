"""The planner: what holds for every plan (hypothesis), and how far it is from the best plan there is (an exhaustive search)."""

from __future__ import annotations

import copy
import random
import time
from collections import Counter

from ansible_collections.stratus.cloud.plugins.module_utils.nova import balance, rules
from ansible_collections.stratus.cloud.plugins.module_utils.nova.cloud import Cloud, Group, Host, Server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KINDS = ("VCPU", "MEMORY_MB")
FLAVORS = ({"VCPU": 1, "MEMORY_MB": 2}, {"VCPU": 2, "MEMORY_MB": 2}, {"VCPU": 2, "MEMORY_MB": 8}, {"VCPU": 4, "MEMORY_MB": 8}, {"VCPU": 8, "MEMORY_MB": 8})


def build(rooms, servers, groups=(), zones=()):
    """rooms: {host: (VCPU, MEMORY_MB)}; servers: [(host, needs)]; groups: [(policy, numbers of servers)]."""
    cloud = Cloud()
    for number, (name, (cpus, memory)) in enumerate(rooms.items()):
        zone = zones[number] if zones else "nova"
        cloud.hosts[name] = Host(name, zone=zone, room={"VCPU": cpus, "MEMORY_MB": memory}, most={"VCPU": cpus, "MEMORY_MB": memory})
    for number, (host, needs) in enumerate(servers):
        server = Server(id=f"s{number}", name=f"s{number}", host=host, needs=dict(needs))
        cloud.servers[server.id] = server
        rules.place(cloud, server, host)
    for number, (policy, members) in enumerate(groups):
        cloud.groups.append(Group(f"g{number}", f"g{number}", policy, frozenset(f"s{member}" for member in members)))
    return cloud


def moved(cloud, moves):
    after = copy.deepcopy(cloud)
    for server, _source, target in moves:
        rules.place(after, after.servers[server], target)
    return after


def violations(cloud):
    """How often the policies of groups are broken."""
    broken = 0
    for group in cloud.groups:
        hosts = Counter(cloud.where[member] for member in group.members)
        broken += sum(number - 1 for number in hosts.values() if number > 1) if "anti" in group.policy else len(hosts) - 1
    return broken


def spread(cloud):
    loads = [rules.load(host, KINDS) for host in cloud.hosts.values() if host.enabled and host.up]
    return max(loads) - min(loads)


@st.composite
def clouds(draw, hosts=5, most=24):
    rooms = {f"h{n}": (draw(st.sampled_from((8, 16, 24))), draw(st.sampled_from((16, 32, 64)))) for n in range(draw(st.integers(2, hosts)))}
    free = {name: list(room) for name, room in rooms.items()}
    servers = []
    for _number in range(draw(st.integers(0, most))):
        name, needs = draw(st.sampled_from(sorted(rooms))), draw(st.sampled_from(FLAVORS))
        if needs["VCPU"] <= free[name][0] and needs["MEMORY_MB"] <= free[name][1]:
            free[name][0] -= needs["VCPU"]
            free[name][1] -= needs["MEMORY_MB"]
            servers.append((name, needs))
    numbers = list(range(len(servers)))
    groups = []
    if len(numbers) >= 2:
        for policy in draw(st.lists(st.sampled_from(("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")), max_size=2)):
            groups.append((policy, draw(st.lists(st.sampled_from(numbers), min_size=2, max_size=4, unique=True))))
    zones = draw(st.sampled_from(((), ("z1", "z2") * len(rooms))))
    cloud = build(rooms, servers, groups, zones)
    for host in cloud.hosts.values():
        host.enabled, host.up = draw(st.sampled_from((True,) * 5 + (False,))), draw(st.sampled_from((True,) * 8 + (False,)))
    for server in cloud.servers.values():
        server.vm_state = draw(st.sampled_from(("active",) * 8 + ("stopped", "paused")))
    return cloud


TRIES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@TRIES
@given(clouds(), st.sampled_from((0.0, 5.0, 10.0, 25.0)))
def test_every_plan_keeps_the_rules_at_every_step(cloud, tolerance):
    made = balance.plan(cloud, KINDS, tolerance)
    now = copy.deepcopy(cloud)
    for server, source, target in made["moves"]:
        one, host = now.servers[server], now.hosts[target]
        assert now.where[server] == source != target
        assert one.vm_state in ("active", "paused")
        assert host.enabled and host.up and now.hosts[source].enabled and now.hosts[source].up
        assert host.zone == now.hosts[source].zone
        broken = violations(now)
        rules.place(now, one, target)
        assert all(host.used[kind] <= host.room[kind] for kind in KINDS)
        assert violations(now) <= broken


@TRIES
@given(clouds(), st.sampled_from((0.0, 5.0, 10.0, 25.0)))
def test_no_plan_makes_it_less_even_and_the_second_plan_is_empty(cloud, tolerance):
    made = balance.plan(cloud, KINDS, tolerance)
    before, after = balance.spread(made["before"]), balance.spread(made["after"])
    for zone in before:
        assert after[zone] <= before[zone] + 1e-6
    changed = {zone for zone in before if after[zone] < before[zone]}
    assert bool(made["moves"]) == bool(changed)
    assert len({server for server, _source, _target in made["moves"]}) <= len(cloud.servers)
    assert balance.plan(moved(cloud, made["moves"]), KINDS, tolerance)["moves"] == []


@TRIES
@given(clouds(), st.integers(0, 3))
def test_no_more_moves_than_asked_for(cloud, limit):
    assert len(balance.plan(cloud, KINDS, 0.0, max_moves=limit)["moves"]) <= limit


# -- against the best plan --------------------------------------------------------------------------------------------


def best(cloud, tolerance):
    """(the least spread that can be had, or the tolerance; the fewest moves to it), by trying everything."""
    board = balance.Board(cloud, sorted(cloud.hosts), dict(cloud.servers), KINDS)
    seen, layer, depth = set(), [board.start()], 0
    found = (max(spread(cloud), tolerance), 0)
    while layer:
        further = []
        for state in layer:
            found = min(found, (max(round(state.spread, 9), tolerance), depth))
            for server in cloud.servers:
                for target in cloud.hosts:
                    if target != state.where[server] and board.allowed(state, server, target):
                        after = board.after(state, server, state.where[server], target)
                        signature = board.signature(after)
                        if signature not in seen:
                            seen.add(signature)
                            further.append(after)
        if found[0] <= tolerance:
            break
        layer, depth = further, depth + 1
    return found


def small(seed):
    rng = random.Random(seed)
    rooms = {f"h{n}": (rng.choice((8, 16)), rng.choice((16, 32))) for n in range(rng.choice((2, 3)))}
    servers = []
    cloud = build(rooms, [])
    for _number in range(rng.randint(3, 6)):
        needs = rng.choice(FLAVORS)
        able = [name for name in rooms if not rules.short_of(cloud.hosts[name], needs)]
        if able:
            servers.append((rng.choice(able[:1] * 2 + able), needs))
            cloud = build(rooms, servers)
    groups = [("anti-affinity", rng.sample(range(len(servers)), 2))] if len(servers) > 2 and rng.random() < 0.4 else []
    return build(rooms, servers, groups)


def test_small_clouds_are_planned_as_well_as_can_be():
    """In 200 small clouds: never below the optimum, and hardly ever less even than it or with more moves."""
    uneven = more = 0
    for seed in range(200):
        cloud, tolerance = small(seed), (0.05, 0.1, 0.2)[seed % 3]
        least, fewest = best(cloud, tolerance)
        made = balance.plan(cloud, KINDS, tolerance * 100)
        reached = max(round(spread(moved(cloud, made["moves"])), 9), tolerance)
        assert reached >= least - 1e-9
        uneven += reached > least + 1e-9
        more += reached <= least + 1e-9 and len(made["moves"]) > fewest
    assert uneven <= 2 and more <= 3, f"{uneven} less even than possible, {more} with more moves than needed"


# -- single cases -----------------------------------------------------------------------------------------------------


def test_two_moves_even_four_servers():
    cloud = build({"a": (16, 64), "b": (16, 64)}, [("a", FLAVORS[3])] * 4)
    made = balance.plan(cloud, KINDS, 10)
    assert [move[1:] for move in made["moves"]] == [("a", "b")] * 2
    assert (made["before"]["a"]["load"], made["after"]["a"]["load"]) == (100.0, 50.0)


def test_a_large_one_and_a_small_one_change_places_when_that_is_what_it_takes():
    cloud = build({"a": (10, 100), "b": (10, 100)}, [("a", {"VCPU": 4}), ("a", {"VCPU": 4}), ("b", {"VCPU": 2})])
    made = balance.plan(cloud, KINDS, 20)
    after = moved(cloud, made["moves"])
    assert spread(after) <= 0.2 + 1e-9


def test_the_scarcest_resource_counts():
    cloud = build({"a": (100, 100), "b": (100, 100)}, [("a", {"VCPU": 1, "MEMORY_MB": 40}), ("a", {"VCPU": 1, "MEMORY_MB": 40}), ("b", {"VCPU": 2})])
    assert len(balance.plan(cloud, KINDS, 10)["moves"]) == 1
    assert balance.plan(cloud, ("VCPU",), 10)["moves"] == []


def test_hosts_of_another_size_get_their_share():
    cloud = build({"small": (8, 80), "large": (32, 320)}, [("small", {"VCPU": 2, "MEMORY_MB": 2})] * 4)
    made = balance.plan(cloud, KINDS, 10)
    after = moved(cloud, made["moves"])
    assert after.hosts["large"].used["VCPU"] > after.hosts["small"].used["VCPU"]


def test_an_empty_host_that_is_disabled_stays_empty():
    cloud = build({"a": (16, 64), "b": (16, 64)}, [("a", FLAVORS[3])] * 4)
    cloud.hosts["b"].enabled = False
    assert balance.plan(cloud, KINDS, 10)["moves"] == []


def test_who_stays_and_why():
    cloud = build({"a": (16, 64), "b": (16, 64)}, [("a", FLAVORS[0])] * 6, [("affinity", (4, 5))])
    cloud.servers["s0"].vm_state = "stopped"
    cloud.servers["s1"].task_state = "resize_prep"
    cloud.servers["s2"].special = "trait:CUSTOM_SSD"
    made = balance.plan(cloud, KINDS, 0, leave=["s3"])
    assert made["moves"] == []
    for server, words in {"s0": "stopped", "s1": "busy", "s2": "trait:CUSTOM_SSD", "s3": "left alone", "s4": "stays together", "s5": "stays together"}.items():
        assert words in made["staying"][server]


def test_only_the_hosts_that_were_named():
    cloud = build({"a": (16, 64), "b": (16, 64), "c": (16, 64)}, [("a", FLAVORS[3])] * 4)
    assert {move[2] for move in balance.plan(cloud, KINDS, 10, hosts=["a", "c"])["moves"]} == {"c"}


def test_a_rack_is_planned_in_seconds():
    hosts, servers = 12, 150
    rng = random.Random(7)
    cloud = build({f"h{n:02d}": (256, 1024) for n in range(hosts)}, [(f"h{rng.randrange(hosts // 2):02d}", rng.choice(FLAVORS)) for _n in range(servers)])
    began = time.process_time()
    made = balance.plan(cloud, KINDS, 10)
    assert spread(moved(cloud, made["moves"])) <= 0.1
    assert time.process_time() - began < 15
