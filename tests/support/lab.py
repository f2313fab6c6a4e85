"""A region for tests: the MAAS face in a thread, on a free loopback port, already initialised.

with MaasLab() as lab:              # clock by hand: lab.advance(600); MaasLab(speed=600) lets time pass
    lab.url, lab.api_key            # what a module is given
    lab.world                       # the model itself: the oracle of a test (change it through lab.call(...))
    lab.requests                    # what came in: dictionaries with method, path, query, body, status
    lab.writes()                    # only requests that could change something
"""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web

from lab.effects import Effects
from lab.engine import Clock, Engine
from lab.faces.maas import make_app
from lab.world import World
from lab.world.rack import load

ADMIN = ("admin", "admin-password", "admin@example.com")


def ssh_key(comment: str = "ops@test") -> str:
    """A well-formed public key that differs by its comment."""
    kind = b"ssh-ed25519"
    blob = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + hashlib.sha256(comment.encode()).digest()
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}"


def rack_of(count: int, network: str = "10.42.0.0/16") -> dict[str, Any]:
    """The thesis' controller with ``count`` machines (node0000 ...), each with one NIC and a BMC."""
    rack = copy.deepcopy(load("thesis"))
    rack["machines"] = [
        {
            "hostname": f"node{n:04d}",
            "serial": f"N{n:04d}",
            "cpu": 8,
            "memory": 32768,
            "nics": [{"name": "enp1s0", "mac": f"52:54:00:20:{n // 256:02x}:{n % 256:02x}"}],
            "disks": [{"name": "sda", "size": 480103981056, "tags": ["ssd"]}],
            "bmc": {"address": f"10.42.{8 + n // 250}.{1 + n % 250}", "user": "root", "password": "root"},
        }
        for n in range(count)
    ]
    return rack


class MaasLab:
    """One region. ``images`` and ``dhcp`` start it further on (images on the rack, DHCP with the thesis' range)."""

    def __init__(
        self,
        rack: dict[str, Any] | None = None,
        speed: float = 0,
        images: bool = True,
        dhcp: bool = False,
        personality: str = "3.5",
        auto_import: bool = False,
        ready: bool = True,
        effects: Effects | None = None,
        clock: float | None = None,
    ):
        self.rack = copy.deepcopy(rack) if rack else load("thesis")
        self.rack["controller"]["auto_import"] = auto_import
        self.options = {"images": images, "dhcp": dhcp, "ready": ready}
        self.engine = Engine(Clock(start=clock, speed=speed), effects=effects or Effects())
        self.world = World(self.engine, self.rack, personality=personality)
        self.requests: list[dict[str, Any]] = []
        self.username = ADMIN[0]
        self.password = ADMIN[1]
        self.api_key = ""
        self.url = ""

    # -- life -------------------------------------------------------------------------------------------------------------------
    def start(self) -> MaasLab:
        maas = self.world.maas
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="maas-lab", daemon=True)
        self._thread.start()
        self._started.wait(10)
        self.url = f"http://127.0.0.1:{self.port}/MAAS"
        if self.options["ready"]:
            self.call(maas.init, self.url)
            self.call(maas.settle)
            self.call(maas.create_admin, *ADMIN)
            self.api_key = self.call(maas.api_key, ADMIN[0])
            if self.options["images"]:
                self.call(maas.images.finish_import)
            if self.options["dhcp"]:
                self.call(self.turn_dhcp_on)
        return self

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        runner = web.AppRunner(make_app(self.world, self.requests), access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        queue = asyncio.create_task(self.engine.run())
        self._started.set()
        await self._stop.wait()
        # Python 3.11's wait_for may swallow a cancellation that comes together with what it waits for.
        while not queue.done():
            queue.cancel()
            await asyncio.wait([queue], timeout=0.1)
        await runner.cleanup()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def __enter__(self) -> MaasLab:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    # -- driving ----------------------------------------------------------------------------------------------------------------
    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run something in the lab's own thread, where the world may be changed."""

        async def run() -> Any:
            return function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, and everything happen that falls into it."""

        def move() -> None:
            self.engine.clock.advance(seconds)
            self.engine.run_due()
            self.engine.touch()

        self.call(move)

    def until(self, predicate: Callable[[], Any], step: float = 5, limit: float = 36000) -> Any:
        """Let virtual time pass until something holds; the virtual seconds are limited."""
        passed = 0.0
        while not (value := self.call(predicate)):
            if passed > limit:
                raise AssertionError(f"did not happen within {limit} virtual seconds")
            self.advance(step)
            passed += step
        return value

    def fault(self, name: str, **where: Any) -> None:
        """Inject a fault (``times`` says how often, -1 for ever)."""
        self.call(self.engine.state["faults"].append, {"name": name, **where})

    def clear_faults(self) -> None:
        self.call(self.engine.state["faults"].clear)

    # -- looking ----------------------------------------------------------------------------------------------------------------
    def writes(self) -> list[dict[str, Any]]:
        return [entry for entry in self.requests if entry["method"] != "GET"]

    def forget(self) -> None:
        """Drop what was recorded so far."""
        self.requests.clear()

    # -- getting further --------------------------------------------------------------------------------------------------------
    def turn_dhcp_on(self, subnet: str = "10.42.0.0/16", start: str = "10.42.191.255", end: str = "10.42.255.254") -> None:
        from lab.world.maas.base import Fields

        maas = self.world.maas
        row = maas.subnets.get(subnet)
        row["gateway_ip"] = "10.42.0.1"
        maas.ranges.create(Fields(type="reserved", subnet=row["id"], start_ip="10.42.0.1", end_ip="10.42.0.99"), ADMIN[0])
        maas.ranges.create(Fields(type="dynamic", subnet=row["id"], start_ip=start, end_ip=end), ADMIN[0])
        maas.vlans.update(maas.vlans.table.get(row["vlan"]), Fields(dhcp_on="true", primary_rack=maas.controllers.rack_id()))

    def declare(self, *hostnames: str, ready: bool = False) -> list[dict[str, Any]]:
        """Declare machines of the rack (all without names) with their BMCs; Ready at once if told so."""
        from lab.world.maas.base import Fields

        maas = self.world.maas

        def make() -> list[dict[str, Any]]:
            rows = []
            for hostname in hostnames or tuple(maas.rack.machines):
                spec = maas.rack.machines[hostname]
                bmc = spec["bmc"]
                rows.append(
                    maas.machines.create(
                        Fields(
                            hostname=hostname,
                            architecture="amd64/generic",
                            mac_addresses=[nic["mac"] for nic in spec["nics"]],
                            power_type="ipmi",
                            power_parameters_power_address=bmc["address"],
                            power_parameters_power_user=bmc["user"],
                            power_parameters_power_pass=bmc["password"],
                            commission="false",
                        ),
                        ADMIN[0],
                    )
                )
            return rows

        rows = self.call(make)
        if ready:
            self.call(lambda: [maas.lifecycle.commission(row, Fields(testing_scripts="none"), ADMIN[0]) for row in rows])
            self.until(lambda: all(row["status"] == 4 for row in rows), step=60)
        return rows
