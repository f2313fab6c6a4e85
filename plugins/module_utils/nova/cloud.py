# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What counts for moving servers, read once and kept as plain data: hosts with their room, servers with their needs, groups.

Room and needs are those of Placement, with its ratios: (total - reserved) * allocation_ratio. They differ by release and by
operator (16.0 and 1.5 in Zed, 4.0 and 1.0 from 2024.1 on, when nova.conf says nothing), so nothing here assumes any.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NoHost, NovaFault, Refused

# Flavors that ask for more than amounts: only nova's scheduler can weigh these.
# https://docs.openstack.org/nova/latest/configuration/extra-specs.html
SPECIAL = ("aggregate_instance_extra_specs:", "trait:", "resources", "pci_passthrough:", "hw:cpu_policy", "hw:numa_", "hw:mem_page_size", "hw:pmem", "accel:")


@dataclass
class Host:
    name: str
    service: str = ""
    zone: str = "nova"
    enabled: bool = True
    up: bool = True
    reason: str = ""
    # Of each resource class: what may be allocated, the most that one server may have, and what is allocated.
    room: dict = field(default_factory=dict)
    most: dict = field(default_factory=dict)
    used: dict = field(default_factory=dict)
    known: bool = True


@dataclass
class Server:
    id: str
    name: str
    host: str | None
    needs: dict = field(default_factory=dict)
    status: str = "ACTIVE"
    vm_state: str = "active"
    task_state: str | None = None
    zone: str = "nova"
    # The zone that it was asked into; None when any will do, or when this nova does not tell (then `pin_known` is false).
    pin: str | None = None
    pin_known: bool = False
    local_disk: bool = False
    config_drive: bool = False
    locked: bool = False
    special: str = ""
    project: str = ""


@dataclass
class Group:
    id: str
    name: str
    policy: str
    members: frozenset
    limit: int = 1


@dataclass
class Cloud:
    hosts: dict = field(default_factory=dict)
    servers: dict = field(default_factory=dict)
    groups: list = field(default_factory=list)
    # Where every server is that holds an allocation, also those that were not read in full.
    where: dict = field(default_factory=dict)


# -- from the API's dictionaries --------------------------------------------------------------------------------------


def host_of(service):
    return Host(
        name=service["host"],
        service=service["id"],
        zone=service.get("zone") or "nova",
        enabled=service["status"] == "enabled",
        up=service["state"] == "up",
        reason=service.get("disabled_reason") or "",
    )


def room_of(inventories):
    """({class: what may be allocated}, {class: the most for one server}) of a provider's inventories."""
    room = {name: int((one["total"] - one["reserved"]) * one["allocation_ratio"]) for name, one in inventories.items()}
    return room, {name: one["max_unit"] for name, one in inventories.items()}


def server_of(raw, pins_known=False, needs=None):
    flavor = raw.get("flavor") or {}
    specs = flavor.get("extra_specs") or {}
    return Server(
        id=raw["id"],
        name=raw["name"],
        host=raw.get("OS-EXT-SRV-ATTR:host"),
        needs=needs if needs is not None else flavor_needs(raw),
        status=raw["status"],
        vm_state=raw.get("OS-EXT-STS:vm_state") or "",
        task_state=raw.get("OS-EXT-STS:task_state"),
        zone=raw.get("OS-EXT-AZ:availability_zone") or "",
        pin=raw.get("pinned_availability_zone"),
        pin_known=pins_known,
        local_disk=has_local_disk(raw),
        config_drive=raw.get("config_drive") in (True, "True"),
        locked=bool(raw.get("locked")),
        special=next((name for name in sorted(specs) if name.startswith(SPECIAL)), ""),
        project=raw.get("tenant_id") or "",
    )


def has_local_disk(raw):
    """Whether something of a server lies on its host: its root unless it boots from a volume, an ephemeral disk, swap."""
    flavor = raw.get("flavor") or {}
    return bool(raw.get("image")) or bool(flavor.get("ephemeral")) or bool(flavor.get("swap"))


def flavor_needs(raw):
    """What a server takes by its flavor, for one whose allocation is not seen."""
    flavor = raw.get("flavor") or {}
    disk = (flavor.get("disk") or 0) if raw.get("image") else 0
    needs = {"VCPU": flavor.get("vcpus") or 0, "MEMORY_MB": flavor.get("ram") or 0, "DISK_GB": disk + (flavor.get("ephemeral") or 0)}
    return {name: amount for name, amount in needs.items() if amount}


def group_of(raw):
    # Policies are as 2.64 gives them; before that they were a list.
    rules = raw.get("rules") or {}
    policy = raw.get("policy") or next(iter(raw.get("policies") or []), "")
    return Group(raw["id"], raw["name"], policy, frozenset(raw.get("members") or ()), int(rules.get("max_server_per_host", 1)))


def read(client, servers=None):
    """The snapshot. ``servers``: raw servers to know in full; None reads all of the cloud's."""
    cloud = Cloud(hosts={service["host"]: host_of(service) for service in client.services()})
    needs = {}
    known = set()
    for hypervisor in client.hypervisors():
        host = cloud.hosts.get((hypervisor.get("service") or {}).get("host"))
        if host is None:
            continue
        known.add(host.name)
        room, most = room_of(client.inventories(hypervisor["id"]))
        for name, amount in room.items():
            # A bare-metal host has many providers; amounts of one host are added up.
            host.room[name] = host.room.get(name, 0) + amount
            host.most[name] = max(most[name], host.most.get(name, 0))
        for consumer, allocation in client.allocations(hypervisor["id"]).items():
            cloud.where[consumer] = host.name
            needs[consumer] = allocation["resources"]
            for name, amount in allocation["resources"].items():
                host.used[name] = host.used.get(name, 0) + amount
    for host in cloud.hosts.values():
        host.known = host.name in known
    for raw in client.servers() if servers is None else servers:
        server = server_of(raw, client.pins_known, needs.get(raw["id"]))
        cloud.servers[server.id] = server
        if server.host:
            cloud.where[server.id] = server.host
    cloud.groups = [group_of(raw) for raw in client.server_groups()]
    return cloud


def saved(cloud, servers):
    """As plain data, with these servers only."""
    return {
        "hosts": {name: asdict(host) for name, host in cloud.hosts.items()},
        "servers": {server: asdict(cloud.servers[server]) for server in servers},
        "groups": [{**asdict(group), "members": sorted(group.members)} for group in cloud.groups if group.members & set(servers)],
    }


def restored(data):
    return Cloud(
        hosts={name: Host(**host) for name, host in data["hosts"].items()},
        servers={name: Server(**server) for name, server in data["servers"].items()},
        groups=[Group(**{**group, "members": frozenset(group["members"])}) for group in data["groups"]],
    )


# -- naming things ----------------------------------------------------------------------------------------------------


def find_host(names, wanted):
    """The name of a compute service for a name that people use: itself, or the only one with that short name."""
    names = sorted(names)
    if wanted in names:
        return wanted
    alike = [name for name in names if name.split(".", 1)[0] == wanted.split(".", 1)[0]]
    if any("." not in wanted or "." not in name for name in alike):
        if len(alike) == 1:
            return alike[0]
        # Not the same as none: one of them may have servers.
        raise NovaFault(
            f"{wanted} may be any of {', '.join(alike)} in nova: give the whole name, or take out those that are no more (nova_compute_service, state=absent)",
            hosts=alike,
        )
    raise NoHost(f"There is no compute service on a host {wanted}; there are {', '.join(names) or 'none'}", hosts=names)


UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.I)


def find_servers(client, wanted):
    """Raw servers for ids and names, each once, in the order given."""
    found, problems = {}, []
    for name in wanted:
        alike = _by_id(client, name) if UUID.match(name) else _by_name(client, name)
        if len(alike) == 1:
            found[alike[0]["id"]] = alike[0]
        elif alike:
            problems.append(f"{name} is the name of {len(alike)} servers ({', '.join(sorted(raw['id'] for raw in alike))}): give the id")
        else:
            problems.append(f"there is no server {name}")
    if problems:
        raise NovaFault("; ".join(problems), problems=problems)
    return list(found.values())


def _by_id(client, server):
    try:
        return [client.server(server)]
    except Refused as error:
        if error.status == 404:
            return []
        raise


def _by_name(client, name):
    # Nova takes a regular expression of its database; what could mean something in it becomes any letter.
    pattern = "".join(letter if letter.isalnum() or letter in "-_ " else "." for letter in name)
    return [raw for raw in client.servers(name=f"^{pattern}$") if raw["name"] == name]
