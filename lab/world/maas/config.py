"""The region's settings."""

from __future__ import annotations

import ipaddress
from typing import Any

import yaml

from lab.engine import DATA
from lab.errors import BARE_JSON, bad, invalid
from lab.world.maas.base import TRUE, Fields, Part

SETTINGS: dict[str, list[Any]] = yaml.safe_load((DATA / "maas" / "config.yml").read_text())
LAYOUTS = ["bcache", "flat", "lvm", "blank", "vmfs6", "custom", "vmfs7"]


def choices(value: str, what: str, allowed: list[str]) -> str:
    """The region's sentence about a value that is none of those allowed."""
    listed = ", ".join(f"'{name}'" for name in allowed)
    return f"'{value}' is not a valid {what}.  It should be one of: {listed}."


class Config(Part):
    """Settings: the defaults of the data file, and what differs in the state."""

    def known(self, name: str) -> None:
        if name not in SETTINGS:
            valid = ", ".join(SETTINGS)
            raise invalid({name: f"{name} is not a valid config setting (valid settings are: {valid})."}, BARE_JSON)

    def get(self, name: str) -> Any:
        self.known(name)
        if name == "maas_name":
            return self.state["config"].get(name, self.maas.rack.controller["hostname"])
        default = SETTINGS[name][1]
        if self.maas.personality == "3.7" and name in ("default_distro_series", "commissioning_distro_series"):
            default = "noble"
        return self.state["config"].get(name, default)

    def read(self, fields: Fields) -> Any:
        name = fields.get("name")
        if name is None:
            raise bad("No provided name!")
        return self.get(name)

    def set(self, fields: Fields) -> None:
        name, value = fields.get("name"), fields.get("value")
        if name is None:
            raise bad("No provided name!")
        if value is None:
            raise bad("No provided value!")
        self.known(name)
        self.state["config"][name] = self._clean(name, SETTINGS[name][0], value)
        if name in ("http_proxy", "enable_http_proxy"):
            self.maas.images.read_soon()
        self.engine.touch()

    def _clean(self, name: str, kind: Any, value: str) -> Any:
        """``value`` as the setting keeps it; raises the form's complaint."""
        if isinstance(kind, list):
            return self._choice(name, name, value, kind)
        if kind == "bool":
            return value.lower() in TRUE
        if kind == "int":
            try:
                return int(value)
            except ValueError:
                raise invalid({name: "Enter a whole number."}) from None
        if kind == "ips":
            self._addresses(name, value)
        elif kind == "osystem":
            return self._choice(name, "osystem", value, self.maas.images.osystems() or ["---"])
        elif kind == "release":
            return self._choice(name, "release", value, self.maas.images.releases() or ["---"])
        elif kind == "series":
            return self._choice(name, name, value, self.maas.images.releases() or ["---"])
        elif kind == "layout":
            return self._choice(name, "storage layout", value, LAYOUTS)
        elif kind == "kernel":
            return self._choice(name, name, value, ["", *self.maas.images.kernels()])
        return value

    @staticmethod
    def _choice(name: str, what: str, value: str, allowed: list[str]) -> str:
        if value not in allowed or value == "---":
            raise invalid({name: choices(value, what, allowed)})
        return value

    @staticmethod
    def _addresses(name: str, value: str) -> None:
        for word in value.split():
            try:
                ipaddress.ip_address(word)
            except ValueError:
                text = f"Invalid IP address: {word}; provide a list of space-separated IP addresses"
                raise invalid({name: text}) from None
