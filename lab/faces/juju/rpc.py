"""One connection to a controller: messages in, answers out, who is logged in, and the watchers it holds."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any

from lab.errors import ApiError
from lab.world.juju.errors import JujuError

LOG = logging.getLogger(__name__)


class Connection:
    """A websocket at ``/api`` (``uuid`` None) or at a model's. Every message is handled in a task of its own: ``Next`` may take for ever."""

    def __init__(self, world: Any, controller: dict[str, Any], socket: Any, uuid: str | None, transport: Any):
        self.world = world
        self.controller = controller
        self.uuid = uuid
        self.user: str | None = None
        self.watchers: dict[str, Any] = {}
        self._socket = socket
        self._transport = transport
        self._tasks: set[asyncio.Task] = set()

    @property
    def model(self) -> dict[str, Any]:
        return self.world.juju.models.get(self.uuid or "", self.controller)

    def receive(self, message: dict[str, Any]) -> None:
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.watchers.clear()

    def cut(self) -> None:
        """Lose the connection as a cable does."""
        if self._transport:
            self._transport.abort()

    async def _answer(self, message: dict[str, Any]) -> None:
        name, request = message.get("type", ""), message.get("request", "")
        self.world.engine.state.setdefault("juju_requests", {})
        counts = self.world.engine.state["juju_requests"]
        counts[f"{name}.{request}"] = counts.get(f"{name}.{request}", 0) + 1
        if self.world.engine.fault("juju_drop", facade=name, request=request):
            self.cut()
            return
        reply: dict[str, Any] = {"request-id": message.get("request-id"), "response": {}}
        try:
            reply["response"] = await self._call(message)
        except JujuError as error:
            reply.update({"error": error.message, "error-code": error.code})
            if error.info:
                reply["error-info"] = error.info
        except ApiError as error:
            reply.update({"error": str(error.body), "error-code": ""})
        except asyncio.CancelledError:
            raise
        except Exception as error:
            LOG.exception("%s.%s failed", name, request)
            reply.update({"error": f"the lab failed: {error!r}", "error-code": ""})
        if self.world.engine.fault("juju_drop_after", facade=name, request=request):
            self.cut()
            return
        try:
            await self._socket.send_json(reply)
        except (ConnectionError, RuntimeError):
            LOG.debug("connection lost before the answer to %s.%s", name, request)

    async def _call(self, message: dict[str, Any]) -> dict[str, Any]:
        from lab.faces.juju.facades import find

        name, request = message.get("type", ""), message.get("request", "")
        facade = find(self, name, message.get("version", 0))
        if self.user is None and name != "Admin":
            raise JujuError(f'unknown facade type "{name}"', "not implemented")
        method = getattr(facade, request, None)
        if request.startswith("_") or not callable(method) or not request[:1].isupper():
            raise JujuError(f"no such request - method {name}({message.get('version', 0)}).{request} is not implemented", "not implemented")
        facade.identity = message.get("id") or message.get("Id") or ""
        result = method(message.get("params") or {})
        if inspect.isawaitable(result):
            result = await result
        return result or {}
