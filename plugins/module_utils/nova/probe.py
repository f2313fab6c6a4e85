# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A server on each of some hosts, or one that migrates from host to host, to prove that they serve. What it needs goes again with it.

Everything is named ``stratus-probe``, so that what a run left that was killed is found and taken away by the next.
"""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.nova import cloud, migrations
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import ABSENT, DONE, FAILED, PENDING, Waiter, WaitError

NAME = "stratus-probe"
# An empty disk: the server gets as far as its firmware, which is all that is asked of it, and nothing has to be fetched.
EMPTY = bytes(1 << 20)
# Set aside for tests of networks (RFC 2544), so no site uses it; nobody routes to it anyway.
SUBNET = "198.18.0.0/20"
# Seconds for servers to go; networks can be deleted a little after the last server on them.
CLEARING = 120.0


class Things:
    """What the probe makes, by the plain requests for it."""

    def __init__(self, client):
        self.client = client

    def get(self, service, path, key, what, **params):
        return self.client.ask(service, "GET", path, what, params=params)[0][key]

    def post(self, service, path, key, body, what):
        answer = self.client.ask(service, "POST", path, what, body=body)[0]
        return answer[key] if key else answer

    def delete(self, service, path, what):
        try:
            self.client.ask(service, "DELETE", path, what)
        except Refused as error:
            if error.status != 404:
                raise

    # -- finding ------------------------------------------------------------------------------------------------------
    def servers(self):
        found = self.get("compute", "/servers/detail", "servers", "read the probe's servers", name=f"^{NAME}-")
        return {server["id"]: server for server in found if server["name"].startswith(f"{NAME}-")}

    def flavors(self):
        return [one["id"] for one in self.get("compute", "/flavors", "flavors", "read the flavors", is_public="None") if one["name"] == NAME]

    def images(self):
        return [one["id"] for one in self.get("image", "/images", "images", "read the probe's images", name=NAME)]

    def networks(self):
        return [one["id"] for one in self.get("network", "/networks", "networks", "read the probe's networks", name=NAME)]

    def called(self, service, path, key, name):
        """The id of something that the operator named."""
        every = {"is_public": "None"} if key == "flavors" else {}
        found = [one["id"] for one in self.get(service, path, key, f"read the {key}", **every) if name in (one["id"], one["name"])]
        if len(found) != 1:
            raise NovaFault(f"There {'are several' if found else 'is no'} {key.removesuffix('s')} {name}: give the id of one that exists")
        return found[0]

    # -- making -------------------------------------------------------------------------------------------------------
    def flavor(self):
        body = {"name": NAME, "vcpus": 1, "ram": 64, "disk": 1, "os-flavor-access:is_public": False}
        return self.post("compute", "/flavors", "flavor", {"flavor": body}, "make a flavor for the probe")["id"]

    def image(self):
        body = {"name": NAME, "disk_format": "raw", "container_format": "bare", "visibility": "private"}
        made = self.post("image", "/images", None, body, "make an image for the probe")["id"]
        self.client.ask("image", "PUT", f"/images/{made}/file", "fill the probe's image", data=EMPTY)
        return made

    def network(self):
        made = self.post("network", "/networks", "network", {"network": {"name": NAME}}, "make a network for the probe")["id"]
        body = {"name": NAME, "network_id": made, "ip_version": 4, "cidr": SUBNET, "gateway_ip": None, "enable_dhcp": False}
        self.post("network", "/subnets", "subnet", {"subnet": body}, "make a subnet for the probe")
        return made

    def server(self, host, image, flavor, network):
        body = {"name": f"{NAME}-{host.split('.')[0]}", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}], "host": host}
        return self.post("compute", "/servers", "server", {"server": body}, f"boot a server on {host}")["id"]


def hosts_of(client, wanted):
    """Names of compute services for the names given; all that have none are told together."""
    known = [service["host"] for service in client.services()]
    found, problems = [], []
    for name in wanted:
        try:
            found.append(cloud.find_host(known, name))
        except NovaFault as error:
            problems.append(str(error))
    if problems:
        raise NovaFault("; ".join(problems))
    return found


def work(module, client, clock=time.monotonic, sleep=time.sleep):
    options = module.params
    hosts = hosts_of(client, options["hosts"])
    answer = {"changed": False, "hosts": hosts, "servers": [], "migrations": [], "waited": 0.0}
    if options["migrate"] and len(set(hosts)) < 2:
        raise NovaFault(f"A server cannot move among {', '.join(hosts) or 'no hosts'}: two that are different are needed")
    if module.check_mode:
        return answer
    things = Things(client)
    times = {"clock": clock, "sleep": sleep}
    clear(things, **times)
    try:
        answer["servers"], answer["waited"] = boot(things, hosts[:1] if options["migrate"] else hosts, options, **times)
        if options["migrate"]:
            answer["migrations"] = go_round(client, answer["servers"][0]["id"], hosts, options, **times)
    finally:
        clear(things, **times)
    return answer


def boot(things, hosts, options, clock, sleep):
    """([{host, id, seconds}], seconds waited) of a server on each host; NovaFault tells which host failed, in nova's words."""
    image = things.called("image", "/images", "images", options["image"]) if options["image"] else things.image()
    flavor = things.called("compute", "/flavors", "flavors", options["flavor"]) if options["flavor"] else things.flavor()
    network = things.called("network", "/networks", "networks", options["network"]) if options["network"] else things.network()
    began, booted, seconds = clock(), {}, {}
    for host in hosts:
        booted[things.server(host, image, flavor, network)] = host
    faults = {}

    def poll():
        states = {}
        for identity, server in things.servers().items():
            if identity in booted:
                states[booted[identity]] = state(server, booted[identity], faults)
        for host, text in states.items():
            if text == "ACTIVE":
                seconds.setdefault(host, round(clock() - began, 1))
        return {host: states.get(host, ABSENT) for host in hosts}

    waiter = Waiter(options["wait_timeout"], options["wait_interval"], tolerate=(Unreachable,), goal="ACTIVE", clock=clock, sleep=sleep)
    try:
        outcome = waiter.run(hosts, poll, judge)
    except WaitError as error:
        told = {host: faults.get(host) or error.outcome.states[host] for host in error.outcome.failed + error.outcome.pending}
        said = "; ".join(f"{host}: {words}" for host, words in told.items())
        raise NovaFault(f"A server does not come up where it should: {said}. Look at nova-compute there, and at nova's scheduler", faults=told) from None
    return [{"host": host, "id": identity, "seconds": seconds[host]} for identity, host in booted.items()], round(outcome.waited, 1)


def go_round(client, server, hosts, options, clock, sleep):
    """The reports of its migrations from the first host to each of the others and back; NovaFault tells which failed and why."""
    done = []
    for source, target in zip(hosts, [*hosts[1:], hosts[0]], strict=True):
        moves = migrations.Moves(client, [migrations.job(server, NAME, source, target)], wait_timeout=options["wait_timeout"], clock=clock)
        try:
            done += migrations.carry_out(moves, options, clock, sleep)["migrations"]
        except NovaFault as error:
            raise NovaFault(f"The probe's server does not move from {source} to {target}: {error}", migrations=done + error.result["migrations"]) from None
    return done


def state(server, host, faults):
    if server["status"] == "ERROR":
        faults[host] = (server.get("fault") or {}).get("message") or "nova gives no reason"
    where = server.get("OS-EXT-SRV-ATTR:host")
    if server["status"] == "ACTIVE" and where != host:
        faults[host] = f"the server came up on {where}"
        return "ERROR"
    return server["status"]


def judge(_host, text):
    return {"ACTIVE": DONE, "ERROR": FAILED}.get(text, PENDING)


def clear(things, clock, sleep):
    """Take away all that is named as the probe's. What stays is told."""
    servers = things.servers()
    for identity in servers:
        things.delete("compute", f"/servers/{identity}", "delete the probe's server")
    waiter = Waiter(CLEARING, 5, tolerate=(Unreachable,), goal="gone", clock=clock, sleep=sleep)
    try:
        if servers:
            waiter.run(list(servers), lambda: dict.fromkeys(servers, "there") | dict.fromkeys(set(servers) - set(things.servers()), "gone"), _gone)
        _drop_networks(things, clock, sleep)
    except WaitError as error:
        raise NovaFault(f"The probe's servers do not go ({error}): delete what is named {NAME} by hand") from None
    for identity in things.flavors():
        things.delete("compute", f"/flavors/{identity}", "delete the probe's flavor")
    for identity in things.images():
        things.delete("image", f"/images/{identity}", "delete the probe's image")


def _gone(_name, text):
    return DONE if text == "gone" else PENDING


def _drop_networks(things, clock, sleep):
    """Neutron refuses a network for as long as a port of a deleted server is on it."""
    until = clock() + CLEARING
    for identity in things.networks():
        while True:
            try:
                things.delete("network", f"/networks/{identity}", "delete the probe's network")
                break
            except Refused as error:
                if error.status != 409 or clock() > until:
                    raise
            sleep(1)
