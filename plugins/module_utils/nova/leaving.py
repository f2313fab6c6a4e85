# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What it means when hosts leave the cloud: where their servers would go, what cannot go, and who takes over what they do. Reads only."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.nova import cloud, drain, rules, services
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NoHost, Refused

# Neutron binds these to no single host although they carry a host's name.
SPREAD = ("network:distributed", "network:router_interface_distributed", "network:floatingip_agent_gateway")


def network_duties(client, host):
    """[{owner, device, name}] of the ports by which a host serves others' networks: routers' gateways, DHCP. With OVN it is a gateway's chassis."""
    ports = client.ask("network", "GET", "/ports", "read the ports of the network", params={"binding:host_id": host})[0]["ports"]
    found = {}
    for port in ports:
        owner = port.get("device_owner") or ""
        if owner.startswith("network:") and owner not in SPREAD:
            found[owner, port["device_id"]] = {"owner": owner, "device": port["device_id"], "name": _router(client, port) or port["device_id"]}
    return [found[key] for key in sorted(found)]


def _router(client, port):
    if not port["device_owner"].startswith("network:router"):
        return None
    try:
        return client.ask("network", "GET", f"/routers/{port['device_id']}", "read a router")[0]["router"]["name"]
    except Refused as error:
        if error.status == 404:
            return None
        raise


def known(client, names):
    """({name as given: host}, names that have no compute service)."""
    there = [service["host"] for service in client.services()]
    hosts, absent = {}, []
    for name in names:
        try:
            hosts[name] = cloud.find_host(there, name)
        except NoHost:
            absent.append(name)
    return hosts, absent


def judge(snapshot, leaving):
    """(plan, unmovable, hosts that take servers afterwards) of a snapshot, which is changed by it."""
    for name in leaving:
        # As they will be: nothing is planned from one of them to another.
        snapshot.hosts[name].enabled, snapshot.hosts[name].reason = False, "it leaves as well"
    rest = sorted(name for name, host in snapshot.hosts.items() if host.enabled and host.up and host.known)
    servers = list(snapshot.servers.values())
    started = {server.id: server.host for server in servers}
    going, stuck = rules.foresee(snapshot, servers)
    plan = [drain.planned(snapshot.servers[one], started[one], going[one]) for one in going]
    unmovable = [{"server": one.name, "id": one.id, "from": started[one.id], "reason": stuck[one.id]} for one in servers if one.id in stuck]
    return plan, unmovable, rest


def work(module, client):
    options = module.params
    hosts, absent = known(client, options["hosts"])
    leaving = sorted(hosts.values())
    raws = [raw for host in leaving for raw in client.servers(host=host)]
    snapshot = cloud.read(client, raws)
    before = {service["host"]: services.summary(service) for service in client.services()}
    plan, unmovable, rest = judge(snapshot, leaving)
    duties = {host: network_duties(client, host) for host in leaving}
    left = {name: services.left_behind(client, hosts.get(name, name), before.get(hosts.get(name))) for name in options["hosts"]}
    return {
        "services": [before[host] for host in leaving],
        "absent": absent,
        "rest": rest,
        "plan": plan,
        "unmovable": unmovable,
        "network": duties,
        "left": left,
        "problems": list(problems(leaving, rest, unmovable, {} if options["accept_network"] else duties)),
    }


def problems(leaving, rest, unmovable, duties):
    """What prevents it, in sentences."""
    if leaving and not rest:
        yield f"No host that takes servers would be left without {', '.join(leaving)}: add another first, or enable one that is disabled."
    for one in unmovable:
        # Without any other host, all of them say the same.
        if rest or not one["reason"].startswith("no host can take it"):
            yield f"Server {one['server']} on {one['from']} cannot move: {one['reason']}."
    for host in sorted(duties):
        if duties[host]:
            named = ", ".join(f"{duty['name']} ({duty['owner']})" for duty in duties[host])
            yield f"{host} serves networks of the cloud: {named}. Have another host do that first, or accept that they are interrupted."
