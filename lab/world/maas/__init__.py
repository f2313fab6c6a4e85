"""A MAAS region as a model: parts by subject, one JSON state (``engine.state["maas"]``), no HTTP."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.errors import ApiError, forbidden
from lab.world.maas import states
from lab.world.maas.base import Fields, Row
from lab.world.maas.config import Config
from lab.world.maas.controllers import Controllers
from lab.world.maas.events import Events
from lab.world.maas.groups import DNSResources, Domains, Pools, Tags, Zones
from lab.world.maas.images import Images
from lab.world.maas.interfaces import Interfaces
from lab.world.maas.lifecycle import Lifecycle
from lab.world.maas.machines import Machines
from lab.world.maas.networks import Fabrics, Ranges, Spaces, Subnets, Vlans
from lab.world.maas.nodes import Nodes
from lab.world.maas.outage import Outage
from lab.world.maas.power import Power
from lab.world.maas.scripts import Results
from lab.world.maas.selecting import Selecting
from lab.world.maas.storage import Storage
from lab.world.maas.users import SYSTEM_USER, SSHKeys, Users, token_text
from lab.world.maas.vmhosts import VmHosts

if TYPE_CHECKING:
    from lab.world import World

VERSIONS = {"3.5": "3.5.13", "3.7": "3.7.3"}


def empty(personality: str) -> Row:
    """The state of a region that does not exist yet."""
    return {
        "region": {"state": "absent", "url": None, "rack": False, "controller": None, "personality": personality},
        "tables": {},
        "users": {},
        "tokens": [],
        "config": {},
        "nodes": {},
        "events": [],
        "script_sets": {},
        "import": None,
        "leases": {},
        "hosts": {},
    }


class MaasWorld:
    """The region: its parts, and what the rest of the lab asks of it."""

    def __init__(self, world: World, personality: str = "3.5"):
        self.world = world
        self.engine = world.engine
        self.rack = world.rack
        self.state: Row = self.engine.state.setdefault("maas", empty(personality))
        # Not the engine's: after a restart that one begins anew, and keys, ids and MAC addresses would come twice.
        self.random = random.SystemRandom()
        self.switching: str | None = None
        self._booting: set[tuple[str, int]] = set()
        self._callbacks: dict[str, list[Callable[[Row], None]]] = {"deployed": [], "released": []}
        for name, part in (
            ("users", Users),
            ("sshkeys", SSHKeys),
            ("config", Config),
            ("events", Events),
            ("domains", Domains),
            ("zones", Zones),
            ("pools", Pools),
            ("tags", Tags),
            ("dnsresources", DNSResources),
            ("fabrics", Fabrics),
            ("vlans", Vlans),
            ("spaces", Spaces),
            ("subnets", Subnets),
            ("ranges", Ranges),
            ("images", Images),
            ("nodes", Nodes),
            ("machines", Machines),
            ("interfaces", Interfaces),
            ("storage", Storage),
            ("results", Results),
            ("power", Power),
            ("controllers", Controllers),
            ("lifecycle", Lifecycle),
            ("outage", Outage),
            ("vm_hosts", VmHosts),
            ("selecting", Selecting),
        ):
            setattr(self, name, part(self))
        self.engine.handler("maas.http_ready", self._http_ready)
        self.engine.handler("maas.pxe", self._pxe)
        self.engine.handler("maas.enlist", self._enlist)
        self.rack.on_power(self._power_changed)

    # -- the region itself ----------------------------------------------------------------------------------------------------
    @property
    def personality(self) -> str:
        return self.state["region"]["personality"]

    @property
    def version(self) -> str:
        return VERSIONS[self.personality]

    def initialised(self) -> bool:
        return self.state["region"]["state"] != "absent"

    def http_ready(self) -> bool:
        return self.state["region"]["state"] == "up"

    def rack_connected(self) -> bool:
        return self.state["region"]["rack"] and not self.engine.fault("rack_disconnected")

    def reset(self) -> None:
        """No region any more, and nothing that it knew."""
        for queued in [q for q in self.engine.state["queue"] if q[2].startswith("maas.")]:
            self.engine.cancel(queued[2])
        for machine in self.machines():
            if machine["status"] == states.DEPLOYED:
                self.tell("released", machine)
        personality = self.personality
        self.state.clear()
        self.state.update(empty(personality))
        self.engine.state["next"] = {k: v for k, v in self.engine.state["next"].items() if not k.startswith("maas.")}
        self.engine.touch()

    def init(self, url: str) -> None:
        """What ``maas init`` leaves: an empty database, and services that are about to answer."""
        if self.initialised():
            self.state["region"]["url"] = url
            return
        self.state["region"].update(state="starting", url=url)
        self.domains.table.add(name="maas", authoritative=True, ttl=None, is_default=True)
        self.zones.table.add(name="default", description="")
        self.pools.table.add(name="default", description="Default pool")
        self.users.add(SYSTEM_USER, "maas@localhost", is_superuser=True)
        self.controllers.add()
        self.engine.after(self.engine.duration("maas_http_ready"), "maas.http_ready")

    def _http_ready(self) -> None:
        self.state["region"]["state"] = "up"
        self.engine.log("region", state="up")
        self.engine.after(self.engine.duration("maas_rack_ready"), "maas.rack_ready")

    def rack_ready(self) -> None:
        self.controllers.register_rack()
        self.state["region"]["rack"] = True
        self.images.add_default_source()
        self.engine.log("region", state="rack connected")
        if self.rack.controller.get("auto_import") and self.config.get("boot_images_auto_import"):
            self.images.start_import()

    def http_up(self) -> None:
        """The region answers at once; its rack is still away."""
        if self.engine.cancel("maas.http_ready"):
            self._http_ready()
            self.engine.cancel("maas.rack_ready")

    def settle(self) -> None:
        """Everything that a region does after ``init``, at once."""
        self.http_up()
        if not self.state["region"]["rack"]:
            self.rack_ready()
        if self.engine.cancel("maas.catalogue"):
            self.images.read_catalogues()

    # -- users ----------------------------------------------------------------------------------------------------------------
    def create_admin(self, username: str, password: str, email: str) -> None:
        if username in self.users.rows:
            raise ApiError(409, f"A user with the username '{username}' already exists.")
        self.users.add(username, email, password, is_superuser=True)

    def api_key(self, username: str) -> str:
        """The user's first API key; made when there is none."""
        self.users.get(username)
        tokens = self.users.tokens_of(username)
        return token_text(tokens[0] if tokens else self.users.add_token(username))

    def check_api_key(self, key: str) -> str | None:
        for token in self.users.tokens:
            if token_text(token) == key:
                return token["username"]
        return None

    # -- machines, for the rest of the lab ------------------------------------------------------------------------------------
    def machine(self, text: str) -> Row | None:
        """By system id or host name."""
        return self.machines.find(text)

    def allocate(self, owner: str, system_id: str | None = None, constraints: dict[str, Any] | None = None) -> Row:
        values = dict(constraints or {})
        if system_id:
            values["system_id"] = system_id
        return self.selecting.allocate(Fields(values), owner)

    def deploy(self, system_id: str, owner: str, series: str = "jammy") -> Row:
        machine = self.machines.get(system_id)
        self.lifecycle.deploy(machine, Fields({"distro_series": series}), owner)
        return machine

    def release(self, system_id: str, erase: bool = False) -> Row:
        machine = self.machines.get(system_id)
        owner = machine["owner"]
        if owner is None and machine["status"] != states.READY:
            raise forbidden()
        self.lifecycle.release(machine, Fields({"erase": erase}), owner or SYSTEM_USER)
        return machine

    def compose(self, vm_host_id: int | str, hostname: str, cores: int, memory: int, disks: list[int | str]) -> Row:
        """Compose a VM; ``disks`` are sizes in GB."""
        host = self.vm_hosts.table.get(vm_host_id)
        storage = ",".join(f"disk{number}:{size}" for number, size in enumerate(disks))
        fields = Fields({"hostname": hostname, "cores": cores, "memory": memory, "storage": storage})
        return self.vm_hosts.compose(host, fields, host["created_by"])

    def container_address(self, system_id: str, hostname: str) -> str:
        """An address beside the machine's own for a container on it (what Juju registers as a device)."""
        subnet = self.subnets.holding(self.machines.get(system_id)["ip"])
        held = self.state.setdefault("containers", {})
        held[hostname] = held.get(hostname) or self.subnets.free_address(subnet)
        self.engine.touch()
        return held[hostname]

    def container_release(self, hostname: str) -> None:
        self.state.setdefault("containers", {}).pop(hostname, None)

    def on_deployed(self, callback: Callable[[Row], None]) -> None:
        self._callbacks["deployed"].append(callback)

    def on_released(self, callback: Callable[[Row], None]) -> None:
        self._callbacks["released"].append(callback)

    def tell(self, what: str, machine: Row) -> None:
        """Let the real machine follow (addresses, hosts), then whoever asked to be told."""
        if what == "released":
            self._stop(machine)
        elif machine["ip"] and not self.is_real_host(machine):
            self.world.effects.address_add(machine["ip"])
        for callback in self._callbacks[what]:
            callback(machine)

    # -- real hosts behind compute machines -----------------------------------------------------------------------------------
    def is_real_host(self, machine: Row) -> bool:
        return bool(machine["rack"]) and self.world.effects.hosts

    def boot_host(self, machine: Row) -> None:
        """Begin to boot what stands for an installed compute machine; ``host_state`` says how that went."""
        system_id, run = machine["system_id"], machine["run"]

        def done(ok: bool, message: str) -> None:
            if self.nodes.rows.get(system_id) is machine and machine["run"] == run:
                machine["host"] = {"ok": ok, "message": message}
                self.engine.touch()

        machine["host"] = None
        self._booting.add((system_id, run))
        network = ipaddress.ip_network(self.subnets.holding(machine["ip"])["cidr"])
        gateway = self.subnets.holding(machine["ip"])["gateway_ip"]
        keys = [row["key"] for row in self.sshkeys.of(machine["owner"])]
        self.world.effects.host_boot(machine["hostname"], machine["ip"], network.prefixlen, gateway, keys, done)

    def restore(self) -> None:
        """After a restart of the lab: addresses of deployed virtual machines are there again (hosts are another's to adopt)."""
        for machine in self.machines():
            if machine["status"] == states.DEPLOYED and machine["ip"] and not self.is_real_host(machine):
                self.world.effects.address_add(machine["ip"])

    def host_ready(self, machine: Row) -> bool | None:
        """Whether the real host is there; None while it boots (it is booted anew when a restarted lab does not know of it)."""
        if not self.is_real_host(machine):
            return True
        if (machine["system_id"], machine["run"]) not in self._booting:
            self.boot_host(machine)
        return machine["host"]["ok"] if machine["host"] else None

    def _stop(self, machine: Row) -> None:
        if self.is_real_host(machine):
            self.world.effects.host_stop(machine["hostname"])
        elif machine["ip"]:
            self.world.effects.address_del(machine["ip"])

    # -- BMCs and network boot -----------------------------------------------------------------------------------------------
    def bmc_state(self, hostname: str) -> str:
        return self.rack.power(hostname)

    def bmc_power(self, hostname: str, state: str) -> None:
        """Somebody switches a machine at its BMC."""
        self.rack.set_power(hostname, state)

    def _power_changed(self, hostname: str, state: str) -> None:
        self.engine.cancel("maas.pxe", hostname=hostname)
        self.engine.cancel("maas.enlist", hostname=hostname)
        if self.switching is not None:
            return
        machine = self.known(hostname)
        if machine is not None:
            self.engine.after(self.engine.duration("power_poll"), "maas.power_poll", system_id=machine["system_id"])
            if state == "on":
                self.lifecycle.switched_on(machine)
        elif state == "on":
            self.engine.after(self.engine.duration("pxe_boot"), "maas.pxe", hostname=hostname)

    def known(self, hostname: str) -> Row | None:
        """The region's machine for one of the rack, recognised by its NICs."""
        for nic in self.rack.machines[hostname]["nics"]:
            found = self.interfaces.owner_of_mac(nic["mac"].lower())
            if found is not None:
                return found[0]
        return None

    def serves_dhcp(self) -> bool:
        """Whether the rack's DHCP server runs (whether it has a network to serve is another matter)."""
        return not self.engine.fault("dhcp_dead")

    def network_boot(self) -> bool:
        """Whether a machine that asks the network gets something to boot: DHCP on its way, and images on the rack."""
        return bool(self.serves_dhcp() and self.http_ready() and self.rack_connected() and self.interfaces.pxe_subnet() and self.images.bootable())

    def _pxe(self, hostname: str) -> None:
        """A machine that boots over the network: without DHCP or images it gets nowhere and tries again."""
        if self.known(hostname) is not None or self.rack.power(hostname) != "on":
            return
        if not self.network_boot():
            return
        self.engine.after(self.engine.duration("enlist"), "maas.enlist", hostname=hostname)

    def pxe_again(self) -> None:
        """Network boot became possible: machines that sit at their boot prompt try again."""
        for hostname in self.rack.machines:
            if self.rack.power(hostname) == "on" and self.initialised() and self.known(hostname) is None:
                self.engine.cancel("maas.pxe", hostname=hostname)
                self.engine.after(self.engine.duration("pxe_retry"), "maas.pxe", hostname=hostname)

    def _enlist(self, hostname: str) -> None:
        if self.known(hostname) is None and self.rack.power(hostname) == "on":
            node = self.machines.enlist(self.rack.machines[hostname])
            self.power.cut(node)
