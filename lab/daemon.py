"""labd: the process in which the world lives. It runs the clock and serves every face."""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import json
import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.effects import Effects
from lab.engine import Clock, Engine
from lab.faces import control
from lab.faces.juju import JujuFace
from lab.faces.maas import make_app
from lab.faces.openstack import OpenStackFace
from lab.faces.vault import VaultFace
from lab.hosts.bmc import Bmcs
from lab.paths import Paths
from lab.world import World
from lab.world.rack import load

LOG = logging.getLogger(__name__)
MAAS_PORT = 5240
HOSTS_NETWORK = "10.42.0.0/16"
LOOPBACK_ADMIN = ("admin", "lab-admin", "admin@stratus.example")


def free_network(chosen: str | None = None) -> str:
    """A loopback network nobody serves a region on: the one chosen before, else 127.42.0.0/16 and onwards."""
    candidates = ([chosen] if chosen else []) + [f"127.{number}.0.0/16" for number in [*range(42, 128), *range(2, 42)]]
    for candidate in candidates:
        address = str(ipaddress.ip_network(candidate).network_address + 1)
        with socket.socket() as probe:
            try:
                probe.bind((address, MAAS_PORT))
                return candidate
            except OSError:
                continue
    raise OSError("every loopback network has a lab already")


class Lab:
    """One lab: its world, its faces, and the file that says where they are."""

    def __init__(self, paths: Paths, hosts: bool):
        self.paths = paths
        self.hosts = hosts
        self.started = time.time()
        self.settings_file = paths.state / "lab.json"
        self.settings: dict[str, Any] = json.loads(self.settings_file.read_text()) if self.settings_file.exists() else {}
        # LAB_NETWORK: addresses that are this machine's by other means (a rehearsal's network of its own), with the rack's own ports.
        self.own = None if hosts else os.environ.get("LAB_NETWORK")
        self.network = HOSTS_NETWORK if hosts else self.own or free_network(self.settings.get("network"))
        self.settings["network"] = self.network
        self.settings["hosts"] = hosts
        self.world: World
        self.bmcs = Bmcs(paths)
        self._runners: list[web.AppRunner] = []
        self._written = ""

    def _save_settings(self) -> None:
        self.settings_file.write_text(json.dumps(self.settings))
        self.settings_file.chmod(0o600)

    def note_admin(self, username: str, password: str) -> None:
        """Remember who the region's first administrator is (the region itself keeps only what it needs)."""
        self.settings["admin"] = {"username": username, "password": password}
        self._save_settings()

    def forget_region(self) -> None:
        """The region's database is gone, and its administrator with it."""
        self.world.maas.reset()
        self.settings.pop("admin", None)
        self._save_settings()

    def _address(self, number: int) -> str:
        return str(ipaddress.ip_network(self.network).network_address + number)

    @property
    def controller_ip(self) -> str:
        if self.own:
            return self.world.rack.controller["nics"][-1]["address"].partition("/")[0]
        return self._address(1)

    # -- life -----------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        effects = Effects()
        if self.hosts:
            from lab.hosts.effects import HostEffects

            effects = HostEffects(self.paths, asyncio.get_running_loop())
        speed = float(os.environ.get("LAB_SPEED") or 60)
        state = json.loads(self.paths.world.read_text()) if self.paths.world.exists() else {}
        engine = Engine(Clock(start=state.get("now"), speed=speed), path=self.paths.world, effects=effects)
        rack = load(os.environ.get("LAB_RACK") or "thesis")
        self.world = World(engine, rack, self.network)
        if self.hosts:
            effects.computes.macs.update({name: machine["nics"][0]["mac"] for name, machine in self.world.rack.machines.items()})
            self._restore()
        await self._serve_maas()
        self.juju = JujuFace(self.world)
        await self.juju.start()
        self.vault = VaultFace(self.world)
        await self.vault.start()
        self.openstack = OpenStackFace(self.world, self.world.effects)
        await self.openstack.start()
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        tasks = [asyncio.create_task(engine.run())]
        if not self.hosts:
            await self._initialise()
        self._save_settings()
        await self._start_bmcs()
        # Last: whoever finds the control socket finds everything else, too.
        self._runners.append(await control.serve(self, self.paths.control))
        tasks.append(asyncio.create_task(self._keep_endpoints()))
        LOG.info("the lab is up: %s, network %s, speed %s", "hosts" if self.hosts else "loopback", self.network, speed)
        stopping = asyncio.create_task(stop.wait())
        done, _pending = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
        LOG.info("stopping")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.openstack.stop()
        await self.bmcs.stop()
        for runner in self._runners:
            await runner.cleanup()
        engine.save()

    async def _serve_maas(self) -> None:
        runner = web.AppRunner(make_app(self.world), access_log=None)
        await runner.setup()
        if self.hosts:
            # The region listens where its host does: a socket proxy of the controller host leads here.
            self.paths.maas.unlink(missing_ok=True)
            await web.UnixSite(runner, str(self.paths.maas)).start()
            self.paths.maas.chmod(0o666)
        else:
            await web.TCPSite(runner, self.controller_ip, MAAS_PORT).start()
        self._runners.append(runner)

    async def _initialise(self) -> None:
        """What the roles would have done, for a lab without hosts: an initialised region with an administrator, and a Juju controller."""
        if self.settings.get("initialised"):
            return
        maas, juju = self.world.maas, self.world.juju
        maas.init(f"http://{self.controller_ip}:{MAAS_PORT}/MAAS")
        maas.create_admin(*LOOPBACK_ADMIN)
        self.note_admin(*LOOPBACK_ADMIN[:2])
        maas.settle()
        key = maas.api_key(LOOPBACK_ADMIN[0])
        cloud = {"name": "maas-one", "type": "maas", "endpoint": f"http://{self.controller_ip}:{MAAS_PORT}/MAAS"}
        credential = {"name": LOOPBACK_ADMIN[0], "auth-type": "oauth1", "attributes": {"maas-oauth": key}}
        juju.controllers.ready("maas-controller", cloud, credential, self._address(10))
        self.settings["initialised"] = True

    def _restore(self) -> None:
        """After a restart: this machine owns the simulated machines' addresses again, and the hosts of deployed ones run."""
        effects = self.world.effects
        addresses = {controller["address"] for controller in self.world.juju.state["controllers"].values()}
        for model in self.world.juju.state["models"].values():
            addresses |= {row.get("address") for row in model["machines"].values()}
        for machine in self.world.maas.machines():
            if not machine.get("ip"):
                continue
            if self.world.maas.is_real_host(machine):
                effects.host_resume(machine["hostname"], machine["ip"])
            else:
                addresses.add(machine["ip"])
        real = {machine["ip"] for machine in self.world.maas.machines() if machine.get("ip") and self.world.maas.is_real_host(machine)}
        for address in sorted(addresses - real - {None}):
            effects.address_add(address)

    async def _start_bmcs(self) -> None:
        if not self.bmcs.available():
            LOG.warning("no ipmi_sim on this machine: the lab has no BMCs")
            return
        for number, machine in enumerate(self.world.rack.machines.values()):
            bmc = machine.get("bmc")
            if not bmc:
                continue
            if self.hosts:
                self.world.effects.address_add(bmc["address"])
            await self.bmcs.add(machine["hostname"], bmc["address"], 623 if self.hosts or self.own else 6230 + number, bmc["user"], bmc["password"])

    # -- what there is --------------------------------------------------------------------------------------------------
    def status(self) -> dict[str, Any]:
        engine = self.world.engine
        return {
            "pid": os.getpid(), "mode": "hosts" if self.hosts else "loopback", "network": self.network, "started": self.started,
            "clock": {"now": engine.clock.now(), "speed": engine.clock.speed, "queue": len(engine.state["queue"])},
            "machines": [
                {key: machine.get(key) for key in ("system_id", "hostname", "status_name", "power_state", "ip")} for machine in self.world.maas.machines()
            ],
            "rack": [{"hostname": name, "power": self.world.rack.power(name)} for name in self.world.rack.machines],
            "endpoints": self.endpoints(),
        }  # fmt: skip

    def endpoints(self) -> dict[str, Any]:
        """Where every face is; None for what does not exist yet."""
        hosts = []
        if self.hosts:
            hosts = [{"name": "controller", "address": "198.51.100.2"}]
            cloud = self.world.effects.openstack
            if cloud:
                hosts.append({"name": cloud.host.name, "address": cloud.address})
            hosts += [{"name": name, "address": host.nics[0].ip} for name, host in sorted(self.world.effects.computes.hosts.items())]
        return {
            "mode": "hosts" if self.hosts else "loopback",
            "maas": self._maas_endpoint(),
            "juju": self._juju_endpoint(),
            "vault": {"url": next((f"http://{address}:8200" for address in self.world.vault.serving()), None)},
            "openstack": self._openstack_endpoint(),
            "bmc": self.bmcs.entries,
            "hosts": hosts,
            "network": self.network,
            "control": str(self.paths.control),
        }

    def _maas_endpoint(self) -> dict[str, Any]:
        admin = self.settings.get("admin") or {}
        key = None
        if admin and self.world.maas.initialised():
            key = self.world.maas.api_key(admin["username"])
        if key is None:
            return dict.fromkeys(["url", "api_key", "username", "password"])
        return {"url": f"http://{self.controller_ip}:{MAAS_PORT}/MAAS", "api_key": key, **admin}

    def _juju_endpoint(self) -> dict[str, Any]:
        """The first controller that is there."""
        for name in self.world.juju.controllers.all:
            state = self.world.juju.bootstrap_state(name)
            if state and state["state"] == "done":
                return {"controller": name, **{key: state[key] for key in ("endpoint", "username", "password", "ca_cert")}}
        return dict.fromkeys(["controller", "endpoint", "username", "password", "ca_cert"])

    def _openstack_endpoint(self) -> dict[str, Any]:
        return self.world.effects.openstack_info() or {"auth_url": None}

    async def _keep_endpoints(self) -> None:
        """Write .lab/endpoints.json whenever something in it changed."""
        engine = self.world.engine
        seen = -1
        while True:
            if engine.revision != seen:
                seen = engine.revision
                text = json.dumps(self.endpoints(), indent=2) + "\n"
                if text != self._written:
                    temporary = self.paths.endpoints.with_suffix(".new")
                    temporary.touch(mode=0o600)
                    temporary.write_text(text)
                    temporary.replace(self.paths.endpoints)
                    self._written = text
            await asyncio.sleep(0.3)
            await engine.until(lambda known=seen: engine.revision != known, 30)


def lock(paths: Paths) -> int | None:
    """Be the one daemon of this checkout; None when another one is."""
    handle = os.open(paths.run / "labd.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())
    return handle


def owner(paths: Paths) -> int | None:
    """The number of the running daemon, if there is one."""
    path: Path = paths.run / "labd.lock"
    if not path.exists():
        return None
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        text = os.read(handle, 32).decode().strip()
        return int(text) if text else None
    else:
        return None
    finally:
        os.close(handle)


async def to_the_end(lab: Lab) -> None:
    """The life of a lab. One that fails takes its BMCs along and is gone: tasks of its faces must not keep a process that nobody answers for."""
    try:
        await lab.run()
    except Exception:
        LOG.exception("the lab ends")
        await lab.bmcs.stop()
        logging.shutdown()
        os._exit(1)


def main(hosts: bool) -> int:
    paths = Paths().make()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if lock(paths) is None:
        LOG.error("the lab of this checkout runs already (process %s)", owner(paths))
        return 1
    asyncio.run(to_the_end(Lab(paths, hosts)))
    return 0
