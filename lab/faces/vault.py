"""Vault's HTTP API, at port 8200 of the address of each vault unit whose service runs."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import uuid
from typing import Any

from aiohttp import web

from lab.errors import ApiError
from lab.world.vault import VERSION, refuse

LOG = logging.getLogger(__name__)
PORT = 8200


def stamp(at: float | None) -> str | None:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat() if at is not None else None


def envelope(data: dict | None = None, auth: dict | None = None) -> dict[str, Any]:
    """The form of most answers."""
    return {
        "request_id": str(uuid.uuid4()),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": auth,
    }


class Endpoint:
    """The API of one unit."""

    def __init__(self, world: Any, model: str, application: str, unit: str):
        self.world = world
        self.vault = world.vault
        self.engine = world.engine
        self.place = (model, application, unit)
        self.name = unit

    @property
    def cluster(self) -> dict[str, Any]:
        return self.vault.cluster(*self.place[:2])

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._errors])
        route = app.router.add_route
        route("GET", "/v1/sys/init", self.init_status)
        for method in ("PUT", "POST"):
            route(method, "/v1/sys/init", self.init)
            route(method, "/v1/sys/unseal", self.unseal)
            route(method, "/v1/sys/seal", self.seal)
            route(method, "/v1/auth/token/create", self.token_create)
            route(method, "/v1/auth/token/create-orphan", self.token_create)
            route(method, "/v1/auth/token/lookup", self.token_lookup)
            route(method, "/v1/auth/token/renew-self", self.token_renew)
            route(method, "/v1/auth/token/revoke", self.token_revoke)
            route(method, "/v1/auth/token/revoke-self", self.token_revoke_self)
        route("GET", "/v1/sys/seal-status", self.seal_status)
        route("GET", "/v1/sys/health", self.health)  # HEAD comes with it
        route("GET", "/v1/sys/leader", self.leader)
        route("GET", "/v1/auth/token/lookup-self", self.token_lookup_self)
        route("GET", "/v1/sys/mounts", self.mounts)
        route("GET", "/v1/sys/auth", self.methods)
        route("*", "/{rest:.*}", self.elsewhere)
        return app

    @web.middleware
    async def _errors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.engine.count("vault")
        where = {"path": request.path, "method": request.method, "unit": self.name}
        if self.engine.fault("vault_drop", **where):
            request.transport.abort()
            raise ConnectionResetError("dropped before the request was done")
        try:
            response = await handler(request)
        except ApiError as error:
            response = web.json_response(error.body, status=error.status)
        if self.engine.fault("vault_drop_after", **where):
            request.transport.abort()
        return response

    @staticmethod
    async def _body(request: web.Request) -> dict[str, Any]:
        text = await request.text()
        if not text:
            return {}
        try:
            body = json.loads(text)
        except ValueError as error:
            raise refuse(400, f"failed to parse JSON input: {error}") from None
        if not isinstance(body, dict):
            raise refuse(400, "failed to parse JSON input: expected an object")
        return body

    def _token(self, request: web.Request) -> str:
        """The client's token, when the unit can check it."""
        if not self.cluster["initialized"] or self.vault.unit(self.cluster, self.name)["sealed"]:
            raise refuse(503, "Vault is sealed")
        header = request.headers.get("Authorization", "")
        token = request.headers.get("X-Vault-Token") or (header[7:] if header.startswith("Bearer ") else "")
        self.vault.check_token(self.cluster, token)
        return token

    # -- sys ----------------------------------------------------------------------------------------------------------
    async def init_status(self, request: web.Request) -> web.Response:
        return web.json_response({"initialized": self.cluster["initialized"]})

    async def init(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        return web.json_response(self.vault.init(self.cluster, body.get("secret_shares"), body.get("secret_threshold")))

    async def seal_status(self, request: web.Request) -> web.Response:
        return web.json_response(self.vault.seal_status(self.cluster, self.name))

    async def unseal(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        return web.json_response(self.vault.unseal(self.cluster, self.name, body.get("key"), bool(body.get("reset"))))

    async def seal(self, request: web.Request) -> web.Response:
        token = self._token(request)
        if "root" not in self.cluster["tokens"][token]["policies"]:
            raise refuse(403, "permission denied")
        self.vault.seal(self.cluster, self.name)
        return web.Response(status=204)

    async def health(self, request: web.Request) -> web.Response:
        cluster, status = self.cluster, self.vault.seal_status(self.cluster, self.name)
        standby = not status["sealed"] and self.vault.leader(cluster) != self.name
        code = int(request.query.get("activecode", 200))
        if not status["initialized"]:
            code = int(request.query.get("uninitcode", 501))
        elif status["sealed"]:
            code = int(request.query.get("sealedcode", 503))
        elif standby and request.query.get("standbyok", "false") not in ("true", ""):
            code = int(request.query.get("standbycode", 429))
        body = {
            "initialized": status["initialized"],
            "sealed": status["sealed"],
            "standby": status["sealed"] or standby,
            "performance_standby": False,
            "replication_performance_mode": "unknown" if status["sealed"] else "disabled",
            "replication_dr_mode": "unknown" if status["sealed"] else "disabled",
            "server_time_utc": int(self.engine.now()),
            "version": VERSION,
        }
        if "cluster_id" in status:
            body.update(cluster_name=status["cluster_name"], cluster_id=status["cluster_id"])
        return web.json_response(body, status=code)

    async def leader(self, request: web.Request) -> web.Response:
        if self.vault.unit(self.cluster, self.name)["sealed"]:
            raise refuse(503, "Vault is sealed")
        return web.json_response(
            {
                "ha_enabled": True,
                "is_self": self.vault.leader(self.cluster) == self.name,
                "leader_address": "",
                "leader_cluster_address": "",
                "performance_standby": False,
            }
        )

    async def mounts(self, request: web.Request) -> web.Response:
        self._token(request)
        found = {"sys/": {"type": "system"}, "identity/": {"type": "identity"}, "cubbyhole/": {"type": "cubbyhole"}}
        if self.cluster["ca"]:
            found["charm-pki-local/"] = {"type": "pki"}
        return web.json_response({**envelope(found), **found})

    async def methods(self, request: web.Request) -> web.Response:
        self._token(request)
        found = {"token/": {"type": "token"}}
        if self.cluster["authorized"]:
            found["approle/"] = {"type": "approle"}
        return web.json_response({**envelope(found), **found})

    # -- tokens -------------------------------------------------------------------------------------------------------
    def _auth(self, token: str, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "client_token": token,
            "accessor": row["accessor"],
            "policies": row["policies"],
            "token_policies": row["policies"],
            "metadata": None,
            "lease_duration": int(row["ttl"]),
            "renewable": bool(row["ttl"]),
            "entity_id": "",
            "token_type": "service",
            "orphan": row["parent"] is None,
        }

    async def token_create(self, request: web.Request) -> web.Response:
        parent = self._token(request)
        body = await self._body(request)
        if request.path.endswith("orphan"):
            body["no_parent"] = True
        token, row = self.vault.create_token(self.cluster, parent, body)
        return web.json_response(envelope(auth=self._auth(token, row)))

    def _described(self, token: str) -> dict[str, Any]:
        row = self.cluster["tokens"][token]
        left = max(0, int(row["expires"] - self.engine.now())) if row["expires"] is not None else 0
        return {
            "id": token,
            "accessor": row["accessor"],
            "policies": row["policies"],
            "creation_time": int(row["created"]),
            "creation_ttl": int(row["ttl"]),
            "ttl": left,
            "expire_time": stamp(row["expires"]),
            "display_name": row["display_name"],
            "meta": None,
            "num_uses": 0,
            "orphan": row["parent"] is None,
            "path": "auth/token/root" if row["display_name"] == "root" else "auth/token/create",
            "type": "service",
            "entity_id": "",
            "explicit_max_ttl": 0,
            **({"renewable": True, "issue_time": stamp(row["created"])} if row["ttl"] else {}),
        }

    async def token_lookup_self(self, request: web.Request) -> web.Response:
        return web.json_response(envelope(self._described(self._token(request))))

    async def token_lookup(self, request: web.Request) -> web.Response:
        self._token(request)
        wanted = (await self._body(request)).get("token")
        if not wanted or not self.vault.valid(self.cluster, wanted):
            raise refuse(403, "bad token")
        return web.json_response(envelope(self._described(wanted)))

    async def token_renew(self, request: web.Request) -> web.Response:
        token = self._token(request)
        row = self.cluster["tokens"][token]
        if not row["ttl"]:
            raise refuse(400, "lease is not renewable")
        row["expires"] = self.engine.now() + row["ttl"]
        self.engine.touch()
        return web.json_response(envelope(auth=self._auth(token, row)))

    async def token_revoke(self, request: web.Request) -> web.Response:
        self._token(request)
        self.vault.revoke(self.cluster, (await self._body(request)).get("token", ""))
        return web.Response(status=204)

    async def token_revoke_self(self, request: web.Request) -> web.Response:
        self.vault.revoke(self.cluster, self._token(request))
        return web.Response(status=204)

    async def elsewhere(self, request: web.Request) -> web.Response:
        self._token(request)
        raise refuse(404, f"no handler for route '{request.path.removeprefix('/v1/')}'")


class VaultFace:
    """Starts and stops the listeners as vault units come, are paused, and go."""

    def __init__(self, world: Any, port: int = PORT):
        self.world = world
        self.port = port
        self.runners: dict[tuple, web.AppRunner] = {}
        self._task: asyncio.Task | None = None

    async def start(self) -> None:
        await self.reconcile()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for runner in list(self.runners.values()):
            await runner.cleanup()
        self.runners.clear()

    def _wanted(self) -> set[tuple]:
        return {(address, *place) for address, place in self.world.vault.serving().items()}

    async def _follow(self) -> None:
        while True:
            await self.world.engine.until(lambda: self._wanted() != set(self.runners))
            await self.reconcile()

    async def reconcile(self) -> None:
        wanted = self._wanted()
        for key in [k for k in self.runners if k not in wanted]:
            await self.runners.pop(key).cleanup()
        for key in wanted - set(self.runners):
            runner = web.AppRunner(Endpoint(self.world, *key[1:]).app(), access_log=None, shutdown_timeout=1)
            await runner.setup()
            try:
                await web.TCPSite(runner, key[0], self.port, reuse_address=True).start()
            except OSError as error:
                LOG.warning("cannot listen for vault at %s: %s", key[0], error)
                await runner.cleanup()
                await asyncio.sleep(1)
                continue
            self.runners[key] = runner
