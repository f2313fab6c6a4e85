"""OpenStack as the model's units show it: TLS at their addresses, in front of the real services; nova-compute where its charm runs.

Nothing listens before a charm's unit is active and Vault has a CA; then the unit's address answers at the API's ports with a certificate
of that CA, and Keystone's catalog names it. The services themselves speak plain HTTP to each other (the catalog's internal endpoints).
Everything is worked out from the model's units again and again, so it does not matter what was missed: a restart, a unit that went, a new CA.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

LOG = logging.getLogger(__name__)
HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}
PAUSED = "Paused."
CHUNK = 1 << 16
LOOK = 2.0
# It has a certificate as the others, and no endpoint in the catalog. There is nothing behind it here.
DASHBOARD = "openstack-dashboard"


def context(certificate: str, key: str, chain: str) -> ssl.SSLContext:
    """TLS with a certificate given as text."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(part.strip() for part in (certificate, chain, key)) + "\n")
        file.flush()
        made.load_cert_chain(file.name)
    return made


class Proxy:
    """One port of one unit: ends TLS and hands every request to the service, with what it needs to name itself in its answers."""

    def __init__(self, address: str, port: int, target: str | None, engine: Any = None):
        self.address = address
        self.port = port
        self.target = target
        self.engine = engine
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    async def start(self, tls: ssl.SSLContext) -> None:
        # No limit: uploads of images pass as they come. Nothing is unpacked or followed on the way.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        self._client = aiohttp.ClientSession(
            auto_decompress=False, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.forward)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, self.port, ssl_context=tls, shutdown_timeout=1).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._client:
            await self._client.close()

    async def forward(self, request: web.Request) -> web.StreamResponse:
        assert self._client
        where = {"address": self.address, "port": self.port, "method": request.method, "path": request.path}
        if slow := self.engine and self.engine.fault("openstack_slow", **where):
            await asyncio.sleep(float(slow.get("seconds", 1)))
        if fault := self.engine and self.engine.fault("openstack_error", **where):
            return web.Response(status=fault.get("status", 503), text=fault.get("text", "503 Service Unavailable\n"))
        if self.target is None:
            return web.Response(text="The lab has no dashboard: only its address and its certificate are there.\n")
        headers = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP)
        headers["X-Forwarded-Proto"] = "https"
        headers["X-Forwarded-For"] = request.remote or ""
        url = URL(f"{self.target}{request.raw_path}", encoded=True)
        body = request.content if request.can_read_body else None
        skip = () if "Content-Type" in headers else ("Content-Type",)
        try:
            answer = await self._client.request(request.method, url, headers=headers, data=body, allow_redirects=False, skip_auto_headers=skip)
        except aiohttp.ClientConnectionError as error:
            LOG.info("%s %s: %s", request.method, url, error)
            return web.Response(status=503, text="503 Service Unavailable: no server is available to handle this request.\n")
        async with answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    response.headers.add(name, value)
            await response.prepare(request)
            if request.method != "HEAD":
                async for chunk in answer.content.iter_chunked(CHUNK):
                    await response.write(chunk)
            await response.write_eof()
            return response


@dataclass
class Plan:
    """What should be, worked out from the models."""

    proxies: dict[tuple[str, int], tuple[int | None, str, str, int]] = field(default_factory=dict)
    """(address, port): (port of the service, None where there is none behind; hostname, model, generation of the unit's certificate)."""
    endpoints: dict[tuple[str, str], str] = field(default_factory=dict)
    virtual: set[str] = field(default_factory=set)
    """Addresses of applications with an hacluster, beside their units'."""
    computes: dict[str, str] = field(default_factory=dict)
    """hostname: running, disabled (running, but gets no new servers), stopped."""
    services: set[str] = field(default_factory=set)
    """Services on demand that a unit stands for, whatever its state: they run by the time it is active."""
    cloud: bool = False
    """Whether any model has an API's unit."""
    authority: str | None = None


class OpenStackFace:
    """Keeps the real services in step with the model. ``effects`` without hosts: nothing to do."""

    def __init__(self, world: Any, effects: Any):
        self.world = world
        self.engine = world.engine
        self.effects = effects
        self.state: dict[str, Any] = self.engine.state.setdefault("openstack", {"shown": [], "computes": {}, "used": False})
        self._services: set[str] | None = None
        self._proxies: dict[tuple[str, int], tuple[Proxy, tuple]] = {}
        self._computes: dict[str, str] = {}
        self._virtual: set[str] = set()
        self._endpoints: dict[tuple[str, str], str] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task | None = None
        self.catalog: dict[str, dict[str, Any]] = {}
        self.on_demand: set[str] = set()

    @property
    def cloud(self) -> Any:
        """The services behind the model; None while they are not built."""
        return self.effects.openstack

    async def start(self) -> None:
        if not self.effects.hosts:
            return
        from lab.hosts.openstack import services

        known = services()["services"]
        self.catalog = {name: service["catalog"] for name, service in known.items() if "catalog" in service}
        self.on_demand = {name for name, service in known.items() if service.get("on_demand")}
        self.world.juju.on_unit_change(lambda _model, _unit: self._wake.set())
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if not self._task:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for key in list(self._proxies):
            await self._close(key)
        if self.cloud:
            await self.cloud.api.close()

    # -- the loop -----------------------------------------------------------------------------------------------------
    async def _run(self) -> None:
        from lab.hosts.openstack import CloudError

        prepared = False
        while True:
            try:
                if not prepared:
                    await self._prepare()
                    prepared = True
                plan = self.plan()
                if self.state["used"] and not plan.cloud:
                    await self._reset()
                    prepared = False
                    continue
                await self.apply(plan)
            except CloudError as error:
                # Stopped, or made anew by another lab-up: begin again.
                LOG.warning("OpenStack: %s", error)
                prepared = False
                await self._reload()
            except Exception:
                LOG.exception("OpenStack could not be brought in step with the model")
            self._wake.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK)
            # Changes come in swarms.
            await asyncio.sleep(0.1)

    async def _beside(self, function: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function, *args)

    async def _reload(self) -> None:
        if self.cloud:
            await self.cloud.api.close()
        self.effects.openstack_reload()

    async def _prepare(self) -> None:
        while self.cloud is None:
            await asyncio.sleep(LOOK)
        while not await self._beside(self.effects.openstack_ready):
            await asyncio.sleep(1)
        await self.cloud.api.set_admin_password(self.effects.openstack_password())
        self._endpoints = self._services = None
        LOG.info("the OpenStack services answer at %s", self.cloud.address)

    async def _reset(self) -> None:
        """The model is gone: what a new one finds must be new, too."""
        LOG.info("no unit of OpenStack is left: the services are made anew")
        for key in list(self._proxies):
            await self._close(key)
        self._hold(set())
        self.effects.openstack_show(None)
        for hostname in self.state["computes"]:
            await self._beside(self.effects.compute_stop, hostname)
        self.state.update(shown=[], computes={}, used=False)
        self._computes.clear()
        self.engine.touch()
        await self._beside(self.effects.openstack_reset)
        await self._reload()

    # -- what should be -----------------------------------------------------------------------------------------------
    def plan(self) -> Plan:
        plan = Plan()
        shown: list[str] = []
        charms = {catalog["charm"]: name for name, catalog in self.catalog.items()}
        for uuid, model in sorted(self.world.juju.state["models"].items()):
            authority = self.world.vault.ca(uuid)
            for unit in sorted(self.world.juju.units_of(uuid), key=lambda u: (not u["leader"], u["name"])):
                if unit["life"] == "dead":
                    continue
                if unit["charm"] == "nova-compute":
                    self._plan_compute(plan, model, unit)
                    continue
                service = charms.get(unit["charm"])
                if service is None and unit["charm"] != DASHBOARD:
                    continue
                catalog = self.catalog[service] if service else {"port": None, "public": 443}
                plan.cloud = True
                if service in self.on_demand:
                    plan.services.add(service)
                key = f"{uuid}:{unit['name']}"
                # A unit that was active once goes on serving while its charm says something else, unless it was paused.
                serving = unit["workload"] == "active" or (key in self.state["shown"] and not unit["message"].startswith(PAUSED))
                if not (serving and authority and unit["address"]):
                    continue
                shown.append(key)
                plan.authority = authority["chain"]
                # The first of the units holds the virtual address; the catalog names that one alone.
                held = {unit["virtual"]} - {None} - plan.virtual
                plan.virtual |= held
                for interface in ("public", "admin"):
                    port = catalog.get(interface, catalog["public"])
                    for address in (unit["address"], *held):
                        plan.proxies.setdefault((address, port), (catalog["port"], unit["hostname"] or "", uuid, unit["certificate"]))
                    if service:
                        plan.endpoints.setdefault((catalog["type"], interface), f"https://{unit['virtual'] or unit['address']}:{port}{catalog['path']}")
        if shown != self.state["shown"]:
            self.state["shown"] = shown
            self.engine.touch()
        return plan

    def _plan_compute(self, plan: Plan, model: dict, unit: dict) -> None:
        hostname = unit["hostname"]
        own = (model["units"].get(unit["name"]) or {}).get("state") or {}
        if not hostname or "removed" in own:
            return
        if unit["message"].startswith(PAUSED):
            plan.computes[hostname] = "stopped"
        elif unit["workload"] == "active" or hostname in self.state["computes"]:
            plan.computes[hostname] = "disabled" if own.get("disabled") else "running"

    # -- making it so -------------------------------------------------------------------------------------------------
    async def apply(self, plan: Plan) -> None:
        if plan.services != self._services:
            for name in sorted(self.on_demand):
                await self._beside(self.effects.openstack_service, name, name in plan.services)
            self._services = set(plan.services)
        for key in [key for key in self._proxies if key not in plan.proxies]:
            await self._close(key)
        self._hold(plan.virtual)
        certificates: dict[tuple[str, str], ssl.SSLContext] = {}
        for key, row in plan.proxies.items():
            target, hostname, model, _generation = row
            wanted = (*row, plan.authority)
            if key in self._proxies and self._proxies[key][1] == wanted:
                continue
            if key in self._proxies:
                await self._close(key)
            address = key[0]
            if (address, model) not in certificates:
                certificates[address, model] = context(*self.world.vault.issue([hostname] if hostname else [], [address], model))
            proxy = Proxy(*key, f"http://{self.cloud.address}:{target}" if target else None, self.engine)
            try:
                await proxy.start(certificates[address, model])
            except OSError as error:
                await proxy.stop()
                LOG.warning("%s:%s: %s", *key, error)
                continue
            self._proxies[key] = (proxy, wanted)
            LOG.info("https://%s:%s is open", *key)
        if plan.endpoints != self._endpoints:
            await self.cloud.api.set_endpoints(plan.endpoints)
            self._endpoints = dict(plan.endpoints)
            self.state["used"] = self.state["used"] or bool(plan.endpoints)
            self._show(plan)
        for hostname in sorted(set(plan.computes) | set(self.state["computes"])):
            await self._compute(hostname, plan.computes.get(hostname))

    def _hold(self, virtual: set[str]) -> None:
        """Own the virtual addresses; after a restart once more."""
        for address in sorted(virtual - self._virtual):
            self.effects.address_add(address)
        for address in sorted(set(self.state.get("virtual", [])) - virtual):
            self.effects.address_del(address)
        self._virtual = set(virtual)
        if sorted(virtual) != self.state.get("virtual", []):
            self.state["virtual"] = sorted(virtual)
            self.engine.touch()

    def _show(self, plan: Plan) -> None:
        url = plan.endpoints.get(("identity", "public"))
        info = None
        if url:
            info = {"auth_url": url, "username": "admin", "password": self.effects.openstack_password(), "project_name": "admin"}
            info.update(user_domain_name="admin_domain", project_domain_name="admin_domain", region_name="RegionOne", ca_cert=plan.authority)
        self.effects.openstack_show(info)
        self.engine.touch()

    async def _close(self, key: tuple[str, int]) -> None:
        proxy, _wanted = self._proxies.pop(key)
        await proxy.stop()
        LOG.info("https://%s:%s is closed", *key)

    # -- compute hosts ------------------------------------------------------------------------------------------------
    async def _compute(self, hostname: str, wanted: str | None) -> None:
        """Bring nova-compute on one host to ``wanted`` (None: it is no part of the cloud any more)."""
        applied, known = self._computes.get(hostname), self.state["computes"]
        if wanted is None:
            await self._beside(self.effects.compute_stop, hostname)
            await self._forget(hostname)
            self._computes.pop(hostname, None)
            known.pop(hostname, None)
            LOG.info("nova-compute on %s is gone", hostname)
            self.engine.touch()
            return
        if applied == wanted:
            return
        if wanted == "stopped":
            await self._beside(self.effects.compute_stop, hostname)
        else:
            if applied in (None, "stopped"):
                if not await self._beside(self.effects.compute_start, hostname, self._size(hostname)):
                    return
                self._computes[hostname] = "started"
                LOG.info("nova-compute on %s was started", hostname)
            # What the charm's actions enable and disable said; a host that has not reported yet is seen to in the next round.
            if "disabled" in (wanted, known.get(hostname)) and not await self.cloud.api.enable_compute(hostname, wanted == "running"):
                known.setdefault(hostname, "running")
                return
        self._computes[hostname] = known[hostname] = wanted
        self.engine.touch()

    async def _forget(self, hostname: str) -> None:
        from lab.hosts.openstack import CloudError

        try:
            await self.cloud.api.remove_compute(hostname)
        except CloudError as error:
            if error.status != 409:
                raise
            # Servers are still there: Nova keeps the host, down, as a real one does.
            LOG.warning("%s stays in Nova: %s", hostname, error)

    def _size(self, hostname: str) -> dict[str, int]:
        """The machine's size as the region knows it."""
        machine = self.world.rack.machines.get(hostname)
        if not machine:
            return {}
        disk = max((disk["size"] for disk in machine.get("disks") or []), default=0)
        size = {"vcpus": machine.get("cpu"), "memory_mb": machine.get("memory"), "local_gb": disk // 1000**3}
        return {name: int(value) for name, value in size.items() if value}
