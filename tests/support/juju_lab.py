"""A Juju controller (and its Vaults) on loopback for tests: real protocol, real TLS, virtual time.

    async with JujuLab() as lab:                      # the clock stands: time passes by lab.advance(), or lab.running()
        lab.endpoint, lab.username, lab.password, lab.ca_cert, lab.world
        lab.advance(600)                              # ten virtual minutes, at once
        model = lab.model("openstack")                # a new model without a client
        async with lab.running(speed=600): ...        # time passes by itself meanwhile (for clients that wait)

    with JujuLabThread(speed=600) as lab: ...         # the same in a thread of its own, for code that blocks or runs asyncio itself

MAAS behind it is ``FakeMaas``: machines by the dozen, deployed after the profile's time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from lab.effects import Effects
from lab.engine import Clock, Engine
from lab.errors import ApiError, conflict
from lab.faces.juju import JujuFace
from lab.faces.vault import VaultFace
from lab.world.juju import JujuWorld, bundles, charms, constraints
from lab.world.vault import VaultWorld
from tests.support.addresses import network

READY, DEPLOYED, DEPLOYING, ALLOCATED, FAILED_DEPLOYMENT = 4, 6, 9, 10, 11
API_KEY = "consumer:token:secret"
CLOUD = {"name": "maas-one", "type": "maas", "endpoint": "http://127.0.0.1:5240/MAAS"}
CREDENTIAL = {"name": "maas-credential", "auth-type": "oauth1", "attributes": {"maas-oauth": API_KEY}}


class FakeMaas:
    """As much of ``world.maas`` as Juju needs. ``machines_[system_id]`` may be changed by tests."""

    def __init__(self, world: Any):
        self.world = world
        self.engine = world.engine
        self.rows: dict[str, dict[str, Any]] = {}
        self._callbacks: list = []
        self._hosts = world.rack.network.hosts()
        self.engine.handler("fake.deployed", self._deployed)
        for number in range(4):
            self.add(f"compute{number}", cores=16, memory=65536)

    def add(self, hostname: str, cores: int = 4, memory: int = 6144, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        system_id = f"m{len(self.rows):05d}"
        row = {
            "system_id": system_id, "hostname": hostname, "status": READY, "status_message": "", "ip": None, "power_state": "off", "owner": None,
            "tags": list(tags), "cpu_count": cores, "memory": memory, "bmc": None,
        }  # fmt: skip
        self.rows[system_id] = row
        return row

    def check_api_key(self, key: str) -> str | None:
        return "admin" if key == API_KEY else None

    def machine(self, name: str) -> dict | None:
        return self.rows.get(name) or next((m for m in self.rows.values() if m["hostname"] == name), None)

    def machines(self) -> list[dict]:
        return list(self.rows.values())

    def allocate(self, owner: str, system_id: str | None = None, constraints: dict | None = None) -> dict:
        wanted = constraints or {}
        if system_id:
            row = self.rows.get(system_id)
            if row is None or row["status"] != READY:
                raise conflict(f"No machine with system ID {system_id} available.")
        else:
            if wanted.get("tags"):
                free = [m for m in self.rows.values() if m["status"] == READY and set(wanted["tags"]) <= set(m["tags"])]
                if not free:
                    raise conflict(f"No available machine matches constraints: [('tags', {wanted['tags']})]")
                row = free[0]
            else:
                row = self.add(f"vm{len(self.rows)}", int(wanted.get("cpu_count") or 1), int(wanted.get("mem") or 2048))
        row.update(status=ALLOCATED, owner=owner)
        return row

    def deploy(self, system_id: str, owner: str, series: str = "jammy") -> None:
        self.rows[system_id]["status"] = DEPLOYING
        self.engine.after(self.engine.duration("vm_deploy"), "fake.deployed", system_id=system_id)

    def _deployed(self, system_id: str) -> None:
        row = self.rows[system_id]
        if row["status"] != DEPLOYING:
            return
        if self.engine.fault("deploy_failed", machine=row["hostname"], system_id=system_id):
            row.update(status=FAILED_DEPLOYMENT)
            return
        row.update(status=DEPLOYED, ip=str(next(self._hosts)), power_state="on")
        for callback in self._callbacks:
            callback(row)

    def release(self, system_id: str, erase: bool = False) -> None:
        if system_id not in self.rows:
            raise ApiError(404, "not found")
        self.rows[system_id].update(status=READY, owner=None, ip=None, power_state="off")

    def container_address(self, system_id: str, hostname: str) -> str:
        return str(next(self._hosts))

    def container_release(self, hostname: str) -> None:
        pass

    def on_deployed(self, callback: Any) -> None:
        self._callbacks.append(callback)

    def on_released(self, callback: Any) -> None:
        pass


class FakeRack:
    """Only the network, and power switches that tests press: ``world.juju.machines.power(hostname, "off")``."""

    def __init__(self):
        self.network = network()

    def on_power(self, callback: Any) -> None:
        pass


class FakeWorld:
    """A world with Juju and Vault only."""

    def __init__(self, engine: Engine):
        self.engine = engine
        if engine.effects is None:
            engine.effects = Effects()
        self.effects = engine.effects
        self.rack = FakeRack()
        self.maas = FakeMaas(self)
        self.juju = JujuWorld(self)
        self.vault = VaultWorld(self)


class JujuLab:
    """See the module's text. ``plan``: what a plan of a bundle says, ``base`` (as 3.6) or ``series`` or ``both``; ``version``: the server's."""

    def __init__(self, plan: str = "base", version: str | None = None, speed: float = 0.0):
        self.engine = Engine(Clock(start=1_700_000_000.0, speed=speed))
        self.world = FakeWorld(self.engine)
        self.world.juju.state["plan_mode"] = plan
        if version:
            self.world.juju.state["version"] = version
        self.face = JujuFace(self.world)
        self.vaults = VaultFace(self.world)
        self._task: asyncio.Task | None = None

    async def __aenter__(self) -> JujuLab:
        machine = self.world.maas.allocate("admin", constraints={"mem": 4096, "cpu_count": 2})
        self.world.maas.deploy(machine["system_id"], "admin")
        self.engine.clock.advance(self.engine.duration("vm_deploy") + 1)
        self.engine.run_due()
        self.controller = self.world.juju.controllers.ready("maas-controller", CLOUD, CREDENTIAL, machine["ip"], machine=machine)
        await self.face.start()
        await self.vaults.start()
        if self.engine.clock.speed:
            self._task = asyncio.create_task(self.engine.run())
        return self

    async def __aexit__(self, *exception: Any) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.vaults.stop()
        await self.face.stop()

    @property
    def endpoint(self) -> str:
        return self.world.juju.controllers.endpoint(self.controller)

    @property
    def username(self) -> str:
        return self.controller["username"]

    @property
    def password(self) -> str:
        return self.controller["password"]

    @property
    def ca_cert(self) -> str:
        return self.controller["ca_cert"]

    @property
    def requests(self) -> dict[str, int]:
        """How often each request came, by ``Facade.Request``."""
        return self.engine.state.setdefault("juju_requests", {})

    def model(self, name: str = "openstack", config: dict | None = None) -> dict[str, Any]:
        return self.world.juju.models.create(
            self.controller, name, "admin", CLOUD["name"], CREDENTIAL["name"], config or {"default-base": "ubuntu@22.04/stable"}
        )

    def deploy(self, model: dict[str, Any], text: str) -> dict[str, str]:
        """Put a bundle into the model without a client, as its plan says; the machines by the bundle's names."""
        changes, errors = bundles.changes(text, "base")
        assert not errors, errors
        juju, made, machines = self.world.juju, {}, {}
        names = iter(sorted(bundles.documents(text).get("machines") or {}, key=bundles.naturally))

        def real(reference: str) -> str:
            key, colon, rest = reference.partition(":")
            return made[key[1:]] + colon + rest if key.startswith("$") else reference

        for change in changes:
            args, result = change["args"], None
            if change["method"] == "addCharm":
                result = charms.resolve(charms.parse_url(args["charm"])["name"], args.get("channel"), charms.base_version(args.get("base")))
            elif change["method"] == "deploy":
                found, base = made[args["charm"][1:]], charms.base_version(args.get("base")) or "22.04"
                limits = constraints.parse(args.get("constraints"))
                juju.applications.deploy(model, args["application"], found, base, args.get("channel", ""), args.get("options"), limits)
                result = args["application"]
            elif change["method"] == "addMachines":
                parent = real(args["parent-id"]) if "parent-id" in args else None
                parent = model["units"][parent]["machine"] if parent in model["units"] else parent
                limits = constraints.parse(args.get("constraints"))
                result = juju.machines.add(model, args.get("base"), limits, container=args.get("container-type", ""), parent=parent)["id"]
                if parent is None:
                    machines[next(names, result)] = result
            elif change["method"] == "addRelation":
                juju.relations.add(model, [real(args["endpoint1"]), real(args["endpoint2"])])
            elif change["method"] == "addUnit":
                place = real(args["to"]) if "to" in args else None
                place = model["units"][place]["machine"] if place in model["units"] else place
                result = juju.applications.add_units(model, real(args["application"]), 1, [{"scope": "#", "directive": place}] if place else None)[0]
            elif change["method"] == "expose":
                juju.applications.expose(model, real(args["application"]), True)
            made[change["id"]] = result
        return machines

    def act(self, model: dict[str, Any], receiver: str, name: str, **parameters: Any) -> dict[str, Any]:
        """Run an action to its end, at once; the action's record."""
        operation = self.world.juju.actions.enqueue(model, [{"receiver": receiver, "name": name, "parameters": parameters}])
        if operation["errors"][0]:
            raise operation["errors"][0]
        action = model["actions"][operation["actions"][0]]
        while action["status"] in ("pending", "running"):
            self.advance(1)
        return action

    def open_vault(self, model: dict[str, Any], application: str = "vault") -> str:
        """Initialise, unseal and authorise the model's Vault, make its root CA; the CA's certificate."""
        vault = self.world.vault
        cluster = vault.cluster(model["uuid"], application)
        answer = vault.init(cluster, 1, 1)
        for unit in self.world.juju.applications.units(model, application):
            vault.unseal(cluster, unit["name"], answer["keys"][0])
        token, _row = vault.create_token(cluster, answer["root_token"], {"ttl": "10m"})
        assert self.act(model, f"{application}/leader", "authorize-charm", token=token)["status"] == "completed"
        return self.act(model, f"{application}/leader", "generate-root-ca")["output"]["output"]

    def statuses(self, model: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
        """(workload, message, agent) of each unit."""
        return {u["name"]: (u["workload"]["status"], u["workload"]["message"], u["agent"]["status"]) for u in model["units"].values()}

    def advance(self, seconds: float) -> None:
        """Let virtual time pass at once; everything due in it happens in its order."""
        end = self.engine.clock.now() + seconds
        while self.engine.state["queue"] and self.engine.state["queue"][0][0] <= end:
            self.engine.clock.advance(max(0.0, self.engine.state["queue"][0][0] - self.engine.clock.now()))
            self.engine.run_due()
        self.engine.clock.advance(max(0.0, end - self.engine.clock.now()))
        self.engine.touch()

    def settle(self, limit: float = 24 * 3600) -> float:
        """Let time pass until nothing is left to come; the virtual seconds that took."""
        began = self.engine.clock.now()
        while self.engine.state["queue"]:
            due = self.engine.state["queue"][0][0]
            if due - began > limit:
                break
            self.advance(max(0.0, due - self.engine.clock.now()) + 0.001)
        return self.engine.clock.now() - began

    def fault(self, name: str, **where: Any) -> None:
        self.engine.state["faults"].append({"name": name, **where})

    @contextlib.asynccontextmanager
    async def running(self, speed: float = 600.0, tick: float = 0.02):
        """Let virtual time pass by itself, ``speed`` times as fast as real time."""

        async def go() -> None:
            while True:
                await asyncio.sleep(tick)
                self.advance(tick * speed)

        task = asyncio.create_task(go())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class JujuLabThread:
    """A JujuLab in a thread with its own loop; ``speed`` virtual seconds pass in a real one. ``call`` runs a function over there."""

    def __init__(self, speed: float = 600.0, **options: Any):
        self.speed = speed
        self.options = options
        self.lab: JujuLab
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def __enter__(self) -> JujuLabThread:
        self._thread.start()

        async def start() -> None:
            self.lab = JujuLab(**self.options)
            await self.lab.__aenter__()
            if self.speed:
                self._pace = self.lab.running(self.speed)
                await self._pace.__aenter__()

        self._run(start())
        return self

    def __exit__(self, *exception: Any) -> None:
        async def stop() -> None:
            if self.speed:
                await self._pace.__aexit__(None, None, None)
            await self.lab.__aexit__(None, None, None)

        self._run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @contextlib.contextmanager
    def time_passes(self, speed: float = 600.0) -> Iterator[None]:
        """By itself meanwhile, for what waits, on a lab that was made with ``speed=0``."""
        pace = self.lab.running(speed)
        self._run(pace.__aenter__())
        try:
            yield
        finally:
            self._run(pace.__aexit__(None, None, None))

    def call(self, function: Any, *arguments: Any, **more: Any) -> Any:
        async def inside() -> Any:
            return function(*arguments, **more)

        return self._run(inside())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lab, name)
