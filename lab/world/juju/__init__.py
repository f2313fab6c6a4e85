"""Juju of the lab: controllers, models, machines, applications, units. Data in ``engine.state["juju"]``; no protocol here.

The parts: ``controllers`` (bootstrap, clouds, credentials), ``models``, ``machines`` (through MAAS), ``applications`` (and relations),
``units`` (hooks over time), ``actions``. ``charms``, ``special`` and ``bundles`` are functions over data.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from lab.world.juju.actions import Actions
from lab.world.juju.applications import Applications
from lab.world.juju.controllers import Controllers
from lab.world.juju.machines import Machines
from lab.world.juju.models import Models
from lab.world.juju.relations import Relations
from lab.world.juju.units import Units

VERSION = "3.6.14"


class JujuWorld:
    """Everything Juju. Names stable for others: bootstrap, bootstrap_state, kill_controller, on_unit_change, controllers, models."""

    def __init__(self, world: Any):
        self.world = world
        self.engine = world.engine
        self.state: dict[str, Any] = self.engine.state.setdefault("juju", {"controllers": {}, "models": {}, "plan_mode": "base", "version": VERSION})
        self.revisions: dict[str, int] = {}
        self._held = 0
        self._unit_callbacks: list[Callable[[str, dict[str, Any]], None]] = []
        self.controllers = Controllers(self)
        self.models = Models(self)
        self.machines = Machines(self)
        self.applications = Applications(self)
        self.relations = Relations(self)
        self.units = Units(self)
        self.actions = Actions(self)

    # -- what the other faces use -----------------------------------------------------------------------------------------
    def bootstrap(self, name: str, cloud: dict, credential: dict, **options: Any) -> dict:
        """Start a bootstrap; see Controllers.bootstrap."""
        return self.controllers.bootstrap(name, cloud, credential, **options)

    def bootstrap_state(self, name: str) -> dict[str, Any] | None:
        """``{"state": "running|done|failed", "lines", "endpoint", "ca_cert", "uuid", "username", "password"}``; None if unknown."""
        return self.controllers.bootstrap_state(name)

    def kill_controller(self, name: str) -> None:
        """Destroy the controller with all its models, as ``juju kill-controller`` does."""
        self.controllers.kill(name)

    def on_unit_change(self, callback: Callable[[str, dict[str, Any]], None]) -> None:
        """Call ``callback(model_uuid, unit)`` when a unit's status or address changes, appears or goes (then ``life`` is ``dead``)."""
        self._unit_callbacks.append(callback)

    def units_of(self, model_uuid: str) -> list[dict[str, Any]]:
        """Every unit of a model in the form of ``on_unit_change``."""
        model = self.state["models"].get(model_uuid)
        return [self.units.public(model, unit) for unit in model["units"].values()] if model else []

    # -- for the parts --------------------------------------------------------------------------------------------------
    def unit_changed(self, model: dict, unit: dict) -> None:
        for callback in self._unit_callbacks:
            callback(model["uuid"], self.units.public(model, unit))

    @contextlib.contextmanager
    def together(self, model: dict) -> Iterator[None]:
        """Several changes of a model as one: their consequences are worked out once, at the end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        self.changed(model)

    def changed(self, model: dict) -> None:
        """Something in the model is different: work the consequences out, wake the watchers."""
        if self._held:
            return
        self.units.recompute(model)
        self.revisions[model["uuid"]] = self.revisions.get(model["uuid"], 0) + 1
        self.engine.touch()
