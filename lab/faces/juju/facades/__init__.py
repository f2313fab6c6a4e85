"""The facades, each in the file that its name suggests; ``find`` picks one for a request."""

from __future__ import annotations

from typing import Any

from lab.faces.juju.facades.action import Action
from lab.faces.juju.facades.admin import Admin
from lab.faces.juju.facades.annotations import Annotations
from lab.faces.juju.facades.application import Application
from lab.faces.juju.facades.base import Facade
from lab.faces.juju.facades.bundle import Bundle
from lab.faces.juju.facades.charms import Charms, Resources
from lab.faces.juju.facades.client import AllWatcher, Client, Pinger
from lab.faces.juju.facades.cloud import Cloud
from lab.faces.juju.facades.controller import Controller, UserManager
from lab.faces.juju.facades.machine import MachineManager
from lab.faces.juju.facades.minor import MINOR
from lab.faces.juju.facades.model import ModelConfig, ModelManager
from lab.world.juju.errors import JujuError, unsupported

ALL: dict[str, type[Facade]] = {
    cls.name: cls
    for cls in (
        Action,
        Admin,
        AllWatcher,
        Annotations,
        Application,
        Bundle,
        Charms,
        Client,
        Cloud,
        Controller,
        MachineManager,
        ModelConfig,
        ModelManager,
        Pinger,
        Resources,
        UserManager,
        *MINOR,
    )
}


def served(connection: Any) -> list[dict[str, Any]]:
    """What a login answers as facades."""
    place = "model" if connection.uuid else "controller"
    return [{"name": name, "versions": list(cls.versions)} for name, cls in sorted(ALL.items()) if cls.on in (place, "both")]


def find(connection: Any, name: str, version: int) -> Facade:
    cls = ALL.get(name)
    if cls is None:
        raise JujuError(f'unknown facade type "{name}"', "not implemented")
    place = "model" if connection.uuid else "controller"
    if cls.on not in (place, "both"):
        raise unsupported(f'facade "{name}" not supported for {place} API connection')
    if version not in cls.versions:
        raise JujuError(f'unknown version {version} for facade type "{name}"', "not implemented")
    return cls(connection)
