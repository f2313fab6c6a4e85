"""What every facade has: the connection's world, controller and model, and the shape of bulk answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lab.errors import ApiError
from lab.world.juju.errors import JujuError, invalid, unauthorized


class Facade:
    """Methods are named as the requests of the API and take the ``params`` of the message."""

    name = ""
    versions: tuple[int, ...] = (1,)
    on = "model"
    """Where the facade is served: ``model``, ``controller`` or ``both``."""

    def __init__(self, connection: Any):
        self.connection = connection
        self.world = connection.world
        self.juju = connection.world.juju
        self.engine = connection.world.engine
        self.controller = connection.controller
        self.identity = ""

    @property
    def model(self) -> dict[str, Any]:
        return self.connection.model

    @property
    def alive(self) -> dict[str, Any]:
        """The model, for what changes it."""
        return self.model


def each(items: Iterable[Any] | None, function: Callable[[Any], dict | None], key: str = "results") -> dict[str, Any]:
    """Bulk call: one result or error for each item."""
    found = []
    for item in items or []:
        try:
            found.append(function(item) or {})
        except JujuError as error:
            found.append({"error": error.wire()})
        except ApiError as error:
            found.append({"error": {"message": str(error.body), "code": ""}})
    return {key: found}


def untag(kind: str, tag: str | None) -> str:
    """``keystone`` of ``application-keystone``; ``0/lxd/1`` of ``machine-0-lxd-1``; ``keystone/0`` of ``unit-keystone-0``."""
    prefix = f"{kind}-"
    if not tag or not tag.startswith(prefix):
        raise invalid(f'"{tag}" is not a valid {kind} tag')
    text = tag[len(prefix) :]
    if kind == "unit":
        application, _dash, number = text.rpartition("-")
        return f"{application}/{number}"
    return text.replace("-", "/") if kind == "machine" else text


def credential_parts(tag: str) -> tuple[str, str, str]:
    """(cloud, user, name) of ``cloudcred-CLOUD_USER_NAME``."""
    parts = untag("cloudcred", tag).split("_", 2)
    if len(parts) != 3:
        raise invalid(f'"{tag}" is not a valid cloudcred tag')
    return parts[0], user_name(parts[1]), parts[2]


def user_name(text: str) -> str:
    """``admin`` of ``user-admin``, ``admin@local``, ``admin``."""
    name = text[len("user-") :] if text.startswith("user-") else text
    return name[: -len("@local")] if name.endswith("@local") else name


def superuser(facade: Facade) -> None:
    user = facade.controller["users"].get(facade.connection.user or "")
    if not user or user["access"] != "superuser":
        raise unauthorized()
