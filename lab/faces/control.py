"""The lab's own door: HTTP and JSON over a unix socket, for the stand-in commands on the controller, the BMCs, the tests and the operator of the lab.

Nothing of the product may use it. What a stand-in asks takes as long here as the real thing takes (virtual time).
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from lab.engine import DATA
from lab.errors import ApiError
from lab.world.juju.errors import JujuError

LOG = logging.getLogger(__name__)
OTHER_SNAP = 20.0
# What comes by itself, of no consequence as a rule: nothing is under way for it.
ASIDE = frozenset(("maas.power_poll", "maas.expire_step"))


class Control:
    """The handlers. ``lab`` is the daemon (it knows the hosts), ``lab.world`` the world."""

    def __init__(self, lab: Any):
        self.lab = lab
        self.world = lab.world
        self.engine = lab.world.engine
        self.snaps: dict[str, dict] = yaml.safe_load((DATA / "snaps.yml").read_text())

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._errors], client_max_size=64 << 20)
        routes: list[tuple[str, str, Callable[[web.Request], Awaitable[Any]]]] = [
            ("GET", "/status", self.status), ("GET", "/world", self.dump), ("GET", "/log", self.log),
            ("GET", "/clock", self.clock), ("POST", "/clock", self.clock),
            ("GET", "/faults", self.faults), ("POST", "/faults", self.add_fault), ("DELETE", "/faults", self.clear_faults),
            ("GET", "/snap/{name}", self.snap), ("POST", "/snap/install", self.snap_install), ("POST", "/snap/remove", self.snap_remove),
            ("POST", "/maas/init", self.maas_init), ("POST", "/maas/createadmin", self.maas_createadmin),
            ("POST", "/maas/apikey", self.maas_apikey), ("POST", "/maas/status", self.maas_status),
            ("POST", "/juju/bootstrap", self.juju_bootstrap), ("GET", "/juju/bootstrap/{name}", self.juju_state),
            ("POST", "/juju/kill-controller", self.juju_kill), ("POST", "/juju/destroy-controller", self.juju_destroy),
            ("POST", "/region/restart", self.region_restart), ("POST", "/power", self.power),
            ("POST", "/juju/restart", self.juju_restart), ("POST", "/vault/seal", self.vault_seal),
            ("GET", "/bmc/{name}/power", self.bmc), ("POST", "/bmc/{name}/power", self.bmc_power),
        ]  # fmt: skip
        for method, path, handler in routes:
            app.router.add_route(method, path, self._json(handler))
        return app

    @staticmethod
    def _json(handler: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def respond(request: web.Request) -> web.StreamResponse:
            return web.json_response(await handler(request))

        return respond

    @web.middleware
    async def _errors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            return web.json_response({"error": str(error)}, status=error.status)
        except JujuError as error:
            return web.json_response({"error": error.message}, status=404 if error.code == "not found" else 400)
        except (KeyError, ValueError, TypeError, json.JSONDecodeError) as error:
            LOG.info("%s %s: %r", request.method, request.path, error)
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    @staticmethod
    async def _body(request: web.Request) -> dict[str, Any]:
        return await request.json() if request.can_read_body else {}

    async def _pass(self, seconds: float) -> None:
        """Let virtual seconds pass, whatever happens to the clock's speed meanwhile."""
        end = self.engine.clock.now() + seconds
        while (left := end - self.engine.clock.now()) > 0:
            real = self.engine.clock.real(left)
            await asyncio.sleep(0.2 if math.isinf(real) else min(max(real, 0.01), 0.5))

    def _duration(self, name: str, default: float) -> float:
        try:
            return self.engine.duration(name)
        except KeyError:
            return default

    # -- the lab itself -------------------------------------------------------------------------------------------------
    async def status(self, _request: web.Request) -> dict:
        return self.lab.status()

    async def dump(self, _request: web.Request) -> dict:
        return self.engine.state

    async def log(self, request: web.Request) -> list:
        since = float(request.query.get("since", 0))
        return [entry for entry in self.engine.state["log"] if entry["at"] >= since]

    async def clock(self, request: web.Request) -> dict:
        """Read the clock; ``speed`` sets how fast it runs, ``advance`` lets it jump by virtual seconds, ``next`` to the next thing that is under way.

        With ``next`` the answer also has what happened then, as ``log``.
        """
        clock = self.engine.clock
        if request.method == "POST":
            body = await self._body(request)
            if "speed" in body:
                now = clock.now()
                clock.speed = float(body["speed"])
                clock.advance(now - clock.now())
            if "advance" in body:
                clock.advance(float(body["advance"]))
            self.engine.touch()
            if body.get("next"):
                known = len(self.engine.state["log"])
                due = [at for at, _number, name, _args in self.engine.state["queue"] if name not in ASIDE]
                if due:
                    clock.advance(max(0.0, min(due) - clock.now()))
                    self.engine.run_due()
                return {"now": clock.now(), "speed": clock.speed, "log": self.engine.state["log"][known:]}
        return {"now": clock.now(), "speed": clock.speed}

    async def faults(self, _request: web.Request) -> list:
        return self.engine.state["faults"]

    async def add_fault(self, request: web.Request) -> list:
        """One fault, or a list: ``{"name", "times" (default 1, -1 for ever), ...}``; further keys narrow where it strikes."""
        body = await request.json()
        for fault in body if isinstance(body, list) else [body]:
            if "name" not in fault:
                raise ValueError("a fault needs a name")
            self.engine.state["faults"].append(fault)
        self.engine.touch()
        return self.engine.state["faults"]

    async def clear_faults(self, _request: web.Request) -> list:
        self.engine.state["faults"].clear()
        self.engine.touch()
        return []

    # -- snap -----------------------------------------------------------------------------------------------------------
    async def snap(self, request: web.Request) -> dict:
        """What the store knows of a snap."""
        name = request.match_info["name"]
        if self.engine.fault("snap_store", snap=name):
            raise ApiError(503, "store unreachable")
        if name not in self.snaps:
            raise ApiError(404, f'snap "{name}" not found')
        return {"name": name, **self.snaps[name]}

    async def snap_install(self, request: web.Request) -> dict:
        """Download and mount: only the time that takes (what is installed is known to the host's own file system)."""
        body = await self._body(request)
        entry = self.snaps.get(body["name"])
        if entry is None:
            raise ApiError(404, f'snap "{body["name"]}" not found')
        await self._pass(self._duration(entry["duration"], OTHER_SNAP))
        if self.engine.fault("snap_install", snap=body["name"]):
            raise ApiError(500, "fetch failed")
        self.engine.log("snap_install", snap=body["name"], channel=body.get("channel"))
        return {}

    async def snap_remove(self, request: web.Request) -> dict:
        """A removed region is gone with its data (the snap's database is elsewhere, but nobody serves it any more)."""
        body = await self._body(request)
        await self._pass(3)
        if body["name"] == "maas":
            self.lab.forget_region()
        self.engine.log("snap_remove", snap=body["name"])
        return {}

    # -- faults that are no answer to anybody -------------------------------------------------------------------------------
    async def region_restart(self, _request: web.Request) -> dict:
        self.world.maas.outage.restart()
        return {}

    async def juju_restart(self, request: web.Request) -> dict:
        """The controllers' agents restart; it takes real ``seconds``."""
        await self.lab.juju.restart(float((await self._body(request)).get("seconds", 5)))
        return {}

    async def vault_seal(self, _request: web.Request) -> dict:
        """Every Vault's service restarts, which seals it."""
        for model in self.world.juju.state["models"].values():
            for unit in model["units"].values():
                if model["applications"][unit["app"]]["charm"] == "vault":
                    self.world.vault.restart(model, unit)
        return {}

    async def power(self, request: web.Request) -> dict:
        """The controller's power: what of the world goes ``off`` with it, and comes back ``on``. Its host is started and killed elsewhere."""
        body = await self._body(request)
        if body["state"] not in ("on", "off"):
            raise ValueError("state is on or off")
        self.world.maas.outage.power(body["state"])
        return {"power": body["state"]}

    # -- maas -----------------------------------------------------------------------------------------------------------
    async def maas_init(self, request: web.Request) -> dict:
        """Migrate the database and start the region. ``fresh`` says that the database had nothing in it."""
        body = await self._body(request)
        if body.get("fresh"):
            self.lab.forget_region()
            await self._pass(self.engine.duration("maas_init"))
        else:
            await self._pass(10)
        version = str(body.get("version") or "")
        if body.get("fresh"):
            # The older personality for everything that came before 3.6.
            self.world.maas.state["region"]["personality"] = "3.7" if version.startswith(("3.6", "3.7")) else "3.5"
        self.world.maas.init(body["url"])
        self.engine.log("maas_init", url=body["url"], fresh=bool(body.get("fresh")))
        return {}

    async def maas_createadmin(self, request: web.Request) -> dict:
        body = await self._body(request)
        self.world.maas.create_admin(body["username"], body["password"], body["email"])
        self.lab.note_admin(body["username"], body["password"])
        self.engine.touch()
        return {}

    async def maas_apikey(self, request: web.Request) -> dict:
        body = await self._body(request)
        key = self.world.maas.api_key(body["username"])
        self.engine.touch()
        return {"keys": [key]}

    async def maas_status(self, _request: web.Request) -> dict:
        return {"services": ["agent", "bind9", "dhcpd", "http", "ntp", "proxy", "rackd", "regiond", "syslog", "temporal", "temporal-worker"]}

    # -- juju -----------------------------------------------------------------------------------------------------------
    async def juju_bootstrap(self, request: web.Request) -> dict:
        body = await self._body(request)
        earlier = self.world.juju.bootstrap_state(body["name"])
        if earlier and earlier["state"] != "failed":
            # The client asks only for names it does not know: whoever began this one was killed, and nobody can ever log in there.
            self.engine.log("juju_orphan", controller=body["name"])
            self.world.juju.kill_controller(body["name"])
        self.world.juju.bootstrap(
            body["name"], body["cloud"], body["credential"], system_id=body.get("system_id"), constraints=body.get("constraints", ""),
            base=body.get("base"), config=body.get("config") or {},
        )  # fmt: skip
        return {"id": body["name"]}

    async def juju_state(self, request: web.Request) -> dict:
        """Where a bootstrap stands; ``lines=N`` waits until there are more than N lines or it is over (at most 20 s)."""
        name = request.match_info["name"]
        known = int(request.query.get("lines", -1))

        def state() -> dict | None:
            found = self.world.juju.bootstrap_state(name)
            if found is None:
                raise ApiError(404, f"no bootstrap of {name}")
            return found if found["state"] != "running" or len(found["lines"]) > known else None

        return await self.engine.until(state, 20) or self.world.juju.bootstrap_state(name)

    async def juju_kill(self, request: web.Request) -> dict:
        body = await self._body(request)
        await self._pass(self._duration("juju_kill_controller", 60))
        self.world.juju.kill_controller(body["name"])
        return {}

    async def juju_destroy(self, request: web.Request) -> dict:
        """Models first, in their own time, then the controller. 409 while there are models that were not named; it waits as long as they take."""
        body = await self._body(request)
        controller = self.world.juju.controllers.get(body["name"])

        def hosted() -> list[dict]:
            return [model for model in self.world.juju.models.of(controller) if model["name"] != "controller"]

        if hosted() and not body.get("models"):
            raise ApiError(409, "the controller has live models")
        for model in hosted():
            self.world.juju.models.destroy(model, force=bool(body.get("force")))
        while hosted():
            await self._pass(5)
        await self._pass(self._duration("juju_kill_controller", 60))
        self.world.juju.kill_controller(body["name"])
        return {}

    # -- BMCs -----------------------------------------------------------------------------------------------------------
    async def bmc(self, request: web.Request) -> dict:
        return {"power": self.world.maas.bmc_state(request.match_info["name"])}

    async def bmc_power(self, request: web.Request) -> dict:
        body = await self._body(request)
        if body["state"] not in ("on", "off"):
            raise ValueError("state is on or off")
        self.world.maas.bmc_power(request.match_info["name"], body["state"])
        return {"power": body["state"]}


async def serve(lab: Any, socket: Path) -> web.AppRunner:
    """Listen on ``socket``. It has to answer every user of the controller host, as snapd's and the region's sockets do."""
    runner = web.AppRunner(Control(lab).app(), access_log=None)
    await runner.setup()
    socket.unlink(missing_ok=True)
    await web.UnixSite(runner, str(socket)).start()
    socket.chmod(0o666)
    return runner
