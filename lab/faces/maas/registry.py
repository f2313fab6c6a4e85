"""The table of handlers: one entry for each resource of the API, from which requests are routed and the API describes itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

PREFIX = "/MAAS/api/2.0/"
# Keys that may hold slashes (a subnet is also found by its CIDR).
WIDE = {"subnets/{id}/": "id"}


@dataclass(frozen=True)
class Action:
    """An operation: ``op`` is None for the four that HTTP methods name."""

    name: str
    method: str
    op: str | None
    function: Callable[..., Any]
    admin: str | None
    """What a user without rights is told: None lets everybody in."""

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "method": self.method, "op": self.op, "restful": self.op is None, "doc": (self.function.__doc__ or "").strip()}


RESERVED = "This method is reserved for admin users."


class Handler:
    """A resource: its name in the description, its path, and its actions."""

    def __init__(
        self, name: str, path: str, anonymous: Handler | None = None, open_to_all: bool = False, since: str = "3.5", locked: bool = False, hidden: bool = False
    ):
        self.name = name
        self.path = path
        self.anonymous = anonymous
        self.open_to_all = open_to_all
        self.since = since
        self.hidden = hidden
        """Whether the description keeps silent about it."""
        self.locked = locked
        """Whether anonymous requests get 403 and not 401 (one handler of the region is like that)."""
        self.params = re.findall(r"{(\w+)}", path)
        self.actions: dict[tuple[str, str | None], Action] = {}
        wide = WIDE.get(path)
        pattern = re.sub(r"{(\w+)}", lambda m: f"(?P<{m[1]}>{'.+?' if m[1] == wide else '[^/]+'})", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
        self.pattern = re.compile(rf"\A{pattern}\Z")

    def _add(self, name: str, method: str, op: str | None, admin: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.actions[method, op] = Action(name, method, op, function, admin)
            return function

        return register

    def create(self, admin: str | None = None) -> Callable[..., Any]:
        return self._add("create", "POST", None, admin)

    def read(self, admin: str | None = None) -> Callable[..., Any]:
        return self._add("read", "GET", None, admin)

    def update(self, admin: str | None = None) -> Callable[..., Any]:
        return self._add("update", "PUT", None, admin)

    def delete(self, admin: str | None = None) -> Callable[..., Any]:
        return self._add("delete", "DELETE", None, admin)

    def get(self, op: str, admin: str | None = None) -> Callable[..., Any]:
        """An operation that only reads."""
        return self._add(op, "GET", op, admin)

    def post(self, op: str, admin: str | None = None) -> Callable[..., Any]:
        return self._add(op, "POST", op, admin)

    def methods(self) -> list[str]:
        """HTTP methods with at least one action (GET always answers, if only to refuse)."""
        return sorted({method for method, _op in self.actions})

    def describe(self, base: str) -> dict[str, Any]:
        path = f"{PREFIX}{self.path}"
        actions = sorted((action.describe() for action in self.actions.values()), key=lambda action: action["name"])
        return {"name": self.name, "doc": "", "path": path, "uri": f"{base}{path}", "params": self.params, "actions": actions}


class Registry:
    """All handlers of the API."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []

    def add(self, name: str, path: str, **options: Any) -> Handler:
        handler = Handler(name, path, **options)
        self.handlers.append(handler)
        return handler

    def available(self, personality: str) -> Iterator[Handler]:
        return (handler for handler in self.handlers if handler.since <= personality)

    def find(self, path: str, personality: str) -> tuple[Handler, dict[str, str]] | None:
        for handler in self.available(personality):
            match = handler.pattern.match(path)
            if match:
                return handler, match.groupdict()
        return None

    def describe(self, base: str, personality: str) -> dict[str, Any]:
        """The description that clients build themselves from."""
        resources, anonymous, authenticated = [], [], []
        for handler in sorted(self.available(personality), key=lambda handler: handler.name):
            if handler.hidden:
                continue
            own = handler.describe(base)
            auth, anon = (None, own) if handler.open_to_all else (own, None)
            if handler.anonymous is not None:
                anon = handler.anonymous.describe(base)
            resources.append({"name": handler.name, "auth": auth, "anon": anon})
            authenticated += [auth] if auth else []
            anonymous += [anon] if anon else []
        return {"doc": "MAAS API", "hash": self.hash(personality), "handlers": anonymous + authenticated, "resources": resources}

    def hash(self, personality: str) -> str:
        """The same for everybody until the API changes."""
        text = json.dumps([[h.name, h.path, sorted(f"{m}{o}" for m, o in h.actions)] for h in self.available(personality)])
        return hashlib.sha1(f"{personality}{text}".encode()).hexdigest()


REGISTRY = Registry()
