"""The world behind the faces: one rack, one region, one set of Juju controllers and vaults, in one engine."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from lab.effects import Effects
from lab.engine import Engine
from lab.world.maas import MaasWorld
from lab.world.rack import Rack


class World:
    """Everything that exists in one lab. The parts keep their data in ``engine.state``, under their own keys."""

    def __init__(self, engine: Engine, rack: dict[str, Any], network: str | None = None, personality: str = "3.5"):
        self.engine = engine
        if engine.effects is None:
            engine.effects = Effects()
        self.effects = engine.effects
        self.rack = Rack(engine, rack, network)
        self.maas = MaasWorld(self, personality)
        self.juju = self._part("juju", "JujuWorld")
        self.vault = self._part("vault", "VaultWorld")

    def _part(self, module: str, name: str) -> Any:
        """A part of the world whose module may not be there (each part can be run and tested alone)."""
        if importlib.util.find_spec(f"{__name__}.{module}") is None:
            return None
        return getattr(importlib.import_module(f"{__name__}.{module}"), name)(self)
