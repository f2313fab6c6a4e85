"""The aiohttp application: from a request to a handler and back, with the region's answers to everything that goes wrong before that."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from aiohttp import web

from lab.errors import BARE_JSON, BARE_TEXT, TEXT, ApiError, bad, forbidden, invalid
from lab.faces.maas import handlers
from lab.faces.maas.body import JsonFields, Unreadable, collect, parse
from lab.faces.maas.call import Call, Reply
from lab.faces.maas.oauth import OAuth
from lab.faces.maas.registry import PREFIX, REGISTRY, Action, Handler
from lab.faces.maas.render import Render
from lab.world.maas.base import Fields

if TYPE_CHECKING:
    from lab.world import World

LOG = logging.getLogger(__name__)
HTML = "text/html; charset=utf-8"
METHODS = ("GET", "POST", "PUT", "DELETE")
BAD_LOGIN = {"__all__": ["Please enter a correct username and password. Note that both fields may be case-sensitive."]}
assert handlers.__all__


class Face:
    """One region's HTTP side. ``record`` (a list) gets an entry for each request."""

    def __init__(self, world: World, record: list[dict[str, Any]] | None = None):
        self.world = world
        self.maas = world.maas
        self.render = Render(world.maas)
        self.oauth = OAuth(world.maas)
        self.record = record

    # -- HTTP -------------------------------------------------------------------------------------------------------------------
    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.world.engine.count("maas")
        body = await request.read()
        # The raw path: aiohttp would decode it, and collapse nothing.
        raw = urlsplit(request.raw_path)
        path = re.sub(r"/{2,}", "/", raw.path)
        pairs = parse_qsl(raw.query, keep_blank_values=True)
        entry = {"method": request.method, "path": path, "query": collect(pairs), "body": {}, "status": None, "at": time.monotonic()}
        if self.record is not None:
            self.record.append(entry)
        try:
            await self._faults(request, path)
            reply = self._route(request, path, pairs, body, entry)
        except ApiError as error:
            reply = self._refusal(error)
        except Exception as error:
            LOG.exception("%s %s", request.method, path)
            reply = self._refusal(ApiError(500, str(error)))
        entry["status"] = reply.status
        if request.method == "HEAD":
            reply.body = b""
        return await self._lose(request, path, reply)

    async def _lose(self, request: web.Request, path: str, reply: web.Response) -> web.StreamResponse:
        """Faults after the work is done: the answer never arrives (http_lost), or only the first half of it (http_cut)."""
        where = {"method": request.method, "path": path, "op": request.query.get("op")}
        if self.world.engine.fault("http_lost", **where):
            request.transport.abort()
        elif self.world.engine.fault("http_cut", **where):
            half = web.StreamResponse(status=reply.status, headers={**reply.headers, "Content-Length": str(len(reply.body))})
            await half.prepare(request)
            await half.write(bytes(reply.body[: len(reply.body) // 2]))
            request.transport.abort()
            return half
        return reply

    async def _faults(self, request: web.Request, path: str) -> None:
        """Faults before anything is done: an answer that takes its time (http_slow), a dropped connection (http_reset), an error (http_error)."""
        engine = self.world.engine
        where = {"method": request.method, "path": path, "op": request.query.get("op")}
        slow = engine.fault("http_slow", **where)
        if slow:
            await asyncio.sleep(float(slow.get("seconds", 1)))
        if engine.fault("http_reset", **where):
            request.transport.abort()
            raise ApiError(500, "")
        fault = engine.fault("http_error", **where)
        if fault:
            headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
            raise ApiError(int(fault.get("status", 503)), fault.get("text", ""), fault.get("content_type", TEXT), headers)

    def _refusal(self, error: ApiError) -> web.Response:
        bare = error.content_type == BARE_TEXT
        headers = {"X-Frame-Options": "DENY", "Vary": "Authorization, Cookie" if bare else "Cookie", **error.headers}
        if bare:
            headers["X-MAAS-API-Hash"] = REGISTRY.hash(self.maas.personality)
        return self._response(error.status, error.body, error.content_type, {k: v for k, v in headers.items() if v is not None})

    @staticmethod
    def _response(status: int, body: Any, content_type: str, headers: dict[str, str]) -> web.Response:
        if isinstance(body, bytes):
            data = body
        elif content_type.startswith("application/json"):
            data = json.dumps(body, indent=4).encode()
        else:
            data = str(body).encode()
        return web.Response(status=status, body=data, headers={**headers, "Content-Type": content_type})

    # -- routing ----------------------------------------------------------------------------------------------------------------
    def _route(self, request: web.Request, path: str, pairs: list[tuple[str, str]], body: bytes, entry: dict[str, Any]) -> web.Response:
        if not self.maas.http_ready():
            page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1>\r\n</body>\r\n</html>\r\n"
            raise ApiError(502, page, "text/html")
        base = f"{request.headers.get('X-Forwarded-Proto', 'http')}://{request.headers.get('Host', 'localhost')}"
        if not path.startswith(PREFIX):
            return self._elsewhere(request, path, body)
        fields = self._fields(request, body, entry)
        if request.method == "GET" and path == f"{PREFIX}describe/":
            return self._response(200, REGISTRY.describe(base, self.maas.personality), BARE_JSON, {"X-Frame-Options": "DENY"})
        rest, op = self._split(path.removeprefix(PREFIX), collect(pairs).get("op", [None])[-1])
        found = REGISTRY.find(rest, self.maas.personality)
        if found is None:
            raise ApiError(404, f"Unknown API endpoint: {path}.", headers={"Vary": None})
        handler, params = found
        if request.method not in METHODS:
            raise self._not_allowed(handler)
        signed = [*pairs, *self._signed_body(request, fields)]
        user = self.oauth.user(request.headers.get("Authorization", ""), request.method, f"{base}{path}", signed)
        if op is None and request.method == "POST":
            op = fields.get("op")
        action = self._action(handler, request.method, op, user)
        self._format(pairs)
        call = Call(self.maas, self.render, user, params, Fields(collect([p for p in pairs if p[0] != "op"])), self._without_op(fields), base)
        if action.admin is not None and not call.admin:
            raise forbidden(action.admin)
        if isinstance(fields, Unreadable) and action.op is None:
            raise invalid({})
        return self._success(action.function(call))

    def _fields(self, request: web.Request, body: bytes, entry: dict[str, Any]) -> Fields:
        fields = parse(request.headers.get("Content-Type", ""), body)
        entry["body"] = dict(fields.values)
        return fields

    @staticmethod
    def _without_op(fields: Fields) -> Fields:
        if "op" not in fields:
            return fields
        return type(fields)({name: values for name, values in fields.values.items() if name != "op"})

    @staticmethod
    def _signed_body(request: web.Request, fields: Fields) -> list[tuple[str, str]]:
        """A URL-encoded body is part of an HMAC signature."""
        if not request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded") or isinstance(fields, JsonFields):
            return []
        return [(name, str(value)) for name, values in fields.values.items() for value in values]

    @staticmethod
    def _split(path: str, op: str | None) -> tuple[str, str | None]:
        """``users/op-whoami`` is another way to say ``users/?op=whoami``."""
        head, slash, tail = path.rpartition("/")
        if tail.startswith("op-"):
            return f"{head}{slash}", tail[3:]
        return path, op

    def _action(self, handler: Handler, method: str, op: str | None, user: str | None) -> Action:
        """The action for this method and operation; raises what the region answers when there is none, or not for this user."""
        unknown = bad(f"Unrecognised signature: method={method} op={op}")
        if user is None and not handler.open_to_all:
            if handler.anonymous is not None:
                action = handler.anonymous.actions.get((method, op))
                if action is None:
                    raise unknown
                return action
            if handler.locked:
                raise forbidden("User is not allowed access to this API.")
            raise ApiError(401, "Forbidden", BARE_TEXT)
        action = handler.actions.get((method, op))
        if action is not None:
            return action
        if method not in handler.methods() and method != "GET":
            raise self._not_allowed(handler)
        raise unknown

    def _not_allowed(self, handler: Handler) -> ApiError:
        """405 with the methods that there are."""
        headers = {"Allow": ", ".join(handler.methods()), "Vary": "Authorization, Cookie", "X-MAAS-API-Hash": REGISTRY.hash(self.maas.personality)}
        return ApiError(405, "", HTML, headers)

    @staticmethod
    def _format(pairs: list[tuple[str, str]]) -> None:
        wanted = dict(pairs).get("format", "json")
        if wanted not in ("json", "", "yaml"):
            raise ApiError(400, f"Invalid output format specified '{wanted}'.", BARE_TEXT)

    def _success(self, result: Any) -> web.Response:
        reply = Reply(status=204, content_type=BARE_TEXT) if result is None else result if isinstance(result, Reply) else Reply(result)
        headers = {"X-MAAS-API-Hash": REGISTRY.hash(self.maas.personality), "Vary": "Authorization, Cookie", "X-Frame-Options": "DENY", **reply.headers}
        return self._response(reply.status, reply.body, reply.content_type, headers)

    # -- beside the API ---------------------------------------------------------------------------------------------------------
    def _elsewhere(self, request: web.Request, path: str, body: bytes) -> web.Response:
        plain = {"X-Frame-Options": "DENY"}
        if path.startswith("/MAAS/api/1.0/"):
            return self._response(410, "The 1.0 API is no longer available. Please use API version 2.0.", BARE_TEXT, plain)
        if path == "/MAAS/accounts/authenticate/" and request.method == "POST":
            return self._authenticate(parse(request.headers.get("Content-Type", ""), body))
        if path == "/MAAS/accounts/login/" and request.method == "POST":
            form = parse(request.headers.get("Content-Type", ""), body)
            if not self.maas.users.check_password(form.text("username"), form.text("password")):
                return self._response(400, BAD_LOGIN, BARE_JSON, {**plain, "Vary": "Cookie"})
            return self._response(204, "", HTML, plain)
        if path == "/MAAS/rpc/":
            return self._response(200, {"eventloops": {}}, BARE_JSON, plain)
        if path == "/MAAS/metadata/latest/meta-data/":
            headers = {**plain, "Vary": "Authorization, Cookie", "X-MAAS-API-Hash": REGISTRY.hash(self.maas.personality)}
            return self._response(200, "instance-id\nlocal-hostname", BARE_TEXT, headers)
        if path.startswith("/MAAS/api/") or path in ("/", "/MAAS", "/MAAS/"):
            target = f"/MAAS/?next={quote(path, safe='')}" if path.startswith("/MAAS/api/") else "/MAAS/r/"
            return self._response(302, "", HTML, {"Location": target, "Vary": "Cookie"})
        return self._response(404, f"Unknown API endpoint: {path}.", TEXT, plain)

    def _authenticate(self, form: Fields) -> web.Response:
        """A login by password gives a key for the named consumer: the same one each time."""
        name, consumer = form.text("username"), form.text("consumer", "MAAS consumer")
        if not self.maas.users.check_password(name, form.text("password")):
            return self._response(403, "", HTML, {"X-Frame-Options": "DENY"})
        token = next((t for t in self.maas.users.tokens_of(name) if t["name"] == consumer), None) or self.maas.users.add_token(name, consumer)
        body = {"consumer_key": token["consumer"], "name": token["name"], "token_key": token["key"], "token_secret": token["secret"]}
        return self._response(200, body, BARE_JSON, {"X-Frame-Options": "DENY", "Vary": "Cookie"})


def make_app(world: World, record: list[dict[str, Any]] | None = None) -> web.Application:
    """The application that serves the region of ``world``."""
    face = Face(world, record)
    app = web.Application(client_max_size=64 * 1024 * 1024)

    async def every(request: web.Request) -> web.StreamResponse:
        return await face.handle(request)

    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] = every
    app.router.add_route("*", "/{tail:.*}", handler)
    return app
