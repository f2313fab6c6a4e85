"""Listeners of the Juju face: one TLS server for each bootstrapped controller, websockets at ``/api`` and ``/model/UUID/api``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from lab.faces.juju.rpc import Connection

LOG = logging.getLogger(__name__)
MAX_FRAME = 64 * 1024 * 1024


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """A server context from PEM texts (``ssl`` only reads files)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "server.pem"
        path.touch(mode=0o600)
        path.write_text(cert + key)
        context.load_cert_chain(path)
    return context


class Listener:
    """The server of one controller."""

    def __init__(self, world: Any, controller: dict[str, Any]):
        self.world = world
        self.controller = controller
        self.connections: set[Connection] = set()
        self.runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=MAX_FRAME)
        app.router.add_get("/", self._plain)
        app.router.add_get("/api", self._websocket)
        app.router.add_get("/model/{uuid}/api", self._websocket)
        app.router.add_route("*", "/{rest:.*}", self._elsewhere)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self.runner.setup()
        port = self.controller.get("port", 17070)
        site = web.TCPSite(
            self.runner, self.controller["address"], port, ssl_context=tls_context(self.controller["cert"], self.controller["key"]), reuse_address=True
        )
        await site.start()
        if port == 0:
            self.controller["port"] = self.runner.addresses[0][1]
        LOG.info("juju controller %s at %s:%s", self.controller["name"], self.controller["address"], self.controller.get("port", 17070))

    async def stop(self) -> None:
        await self.drop()
        if self.runner:
            await self.runner.cleanup()

    async def drop(self) -> int:
        """Cut every connection, without a word."""
        connections = list(self.connections)
        for connection in connections:
            connection.cut()
        return len(connections)

    async def _plain(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        return web.Response(status=404, text="404 page not found\n")

    async def _elsewhere(self, request: web.Request) -> web.Response:
        """Charm and resource uploads, logs: nothing the lab has."""
        body = {"error": f"the lab does not serve {request.path}", "error-code": "not supported"}
        return web.json_response(body, status=501)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=MAX_FRAME, autoping=True)
        await socket.prepare(request)
        connection = Connection(self.world, self.controller, socket, request.match_info.get("uuid"), request.transport)
        self.connections.add(connection)
        try:
            async for message in socket:
                if message.type != WSMsgType.TEXT:
                    break
                try:
                    connection.receive(json.loads(message.data))
                except ValueError:
                    break
        finally:
            self.connections.discard(connection)
            connection.close()
        return socket


class JujuFace:
    """Starts and stops listeners as controllers come and go."""

    def __init__(self, world: Any):
        self.world = world
        self.listeners: dict[str, Listener] = {}
        self._task: asyncio.Task | None = None

    async def start(self) -> None:
        await self.reconcile()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for listener in list(self.listeners.values()):
            await listener.stop()
        self.listeners.clear()

    def _wanted(self) -> dict[str, dict[str, Any]]:
        return {c["uuid"]: c for c in self.world.juju.controllers.all.values() if c["state"] == "done"}

    async def _follow(self) -> None:
        while True:
            await self.world.engine.until(lambda: set(self._wanted()) != set(self.listeners))
            await self.reconcile()

    async def reconcile(self) -> None:
        wanted = self._wanted()
        for uuid in [u for u in self.listeners if u not in wanted]:
            await self.listeners.pop(uuid).stop()
        for uuid in [u for u in wanted if u not in self.listeners]:
            listener = Listener(self.world, wanted[uuid])
            try:
                await listener.start()
            except OSError as error:
                # The address may come a moment later; do not spin on it.
                LOG.warning("cannot listen for controller %s: %s", wanted[uuid]["name"], error)
                await asyncio.sleep(1)
                continue
            self.listeners[uuid] = listener

    async def restart(self, seconds: float) -> None:
        """The controllers' agents stop, and listen again after real ``seconds``; nobody is told."""
        for listener in list(self.listeners.values()):
            await listener.stop()
        await asyncio.sleep(seconds)
        for listener in list(self.listeners.values()):
            await listener.start()

    async def drop(self, controller: str | None = None) -> int:
        """Cut the connections of all controllers or of one; how many (a fault for tests)."""
        count = 0
        for listener in self.listeners.values():
            if controller in (None, listener.controller["name"]):
                count += await listener.drop()
        return count
