"""The rack: what hardware stands there, which BMC controls which machine, and whether a machine has power.

Addresses in the rack file belong to its ``network``; a lab on another network (loopback) gets them shifted into that one.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lab.engine import DATA, Engine

# Hardware of a machine that somebody declares without standing in the rack file.
PLAIN_MACHINE = {
    "cpu": 4,
    "cpu_speed": 2100,
    "memory": 16384,
    "arch": "amd64",
    "nics": [],
    "disks": [{"name": "sda", "size": 480_000_000_000, "model": "SSD", "tags": ["ssd"]}],
}
UNKNOWN_BMC = "no such BMC"
WRONG_USER = "wrong user"
WRONG_PASSWORD = "wrong password"


def load(name: str) -> dict[str, Any]:
    """The rack file ``name`` (a path, or a name under lab/data/racks)."""
    path = Path(name)
    if not path.suffix:
        path = DATA / "racks" / f"{name}.yml"
    return yaml.safe_load(path.read_text())


class Rack:
    """Machines and controller of a rack file; power states live in the engine's state under ``rack``."""

    def __init__(self, engine: Engine, data: dict[str, Any], network: str | None = None):
        self.engine = engine
        data = copy.deepcopy(data)
        self.home = ipaddress.ip_network(data.get("network", "10.42.0.0/16"))
        self.network = ipaddress.ip_network(network) if network else self.home
        self.controller: dict[str, Any] = data["controller"]
        self.boots_seen: bool = data.get("boots_seen", True)
        """Whether the region sees its machines load what they boot from the network."""
        self.attended: bool = data.get("attended", False)
        """Whether somebody stands beside the rack who switches on at once what no BMC can (otherwise: ``POST /bmc/NAME/power``)."""
        for nic in self.controller.get("nics", []):
            nic["address"] = self.shift(nic.get("address"))
            nic["gateway"] = self.shift(nic.get("gateway"))
        self.machines: dict[str, dict[str, Any]] = {}
        for machine in data.get("machines") or []:
            if machine.get("bmc"):
                machine["bmc"]["address"] = self.shift(machine["bmc"]["address"])
            self.machines[machine["hostname"]] = {**PLAIN_MACHINE, **machine}
        self._by_mac = {nic["mac"].lower(): m for m in self.machines.values() for nic in m["nics"]}
        self._by_bmc = {m["bmc"]["address"]: m for m in self.machines.values() if m.get("bmc")}
        self._listeners: list[Callable[[str, str], None]] = []

    def shift(self, address: str | None) -> str | None:
        """``address`` (with or without a prefix length) moved from the rack file's network into this lab's."""
        if not address or self.network == self.home:
            return address
        bare, _slash, length = address.partition("/")
        ip = ipaddress.ip_address(bare)
        if ip not in self.home:
            return address
        moved = self.network.network_address + (int(ip) - int(self.home.network_address))
        return f"{moved}/{self.network.prefixlen}" if length else str(moved)

    def by_mac(self, mac: str) -> dict[str, Any] | None:
        return self._by_mac.get(mac.lower())

    def plain(self, hostname: str) -> dict[str, Any]:
        """Hardware of a machine that is not in the rack file."""
        return {**PLAIN_MACHINE, "hostname": hostname}

    # -- power ----------------------------------------------------------------------------------------------------------
    @property
    def _state(self) -> dict[str, Any]:
        return self.engine.state.setdefault("rack", {"power": {}, "logins": {}})

    def power(self, hostname: str) -> str:
        return self._state["power"].get(hostname, "off")

    def set_power(self, hostname: str, state: str) -> None:
        """Give a machine power, or take it; whoever listens hears of changes only."""
        if hostname not in self.machines:
            raise KeyError(hostname)
        if self.power(hostname) == state:
            return
        self._state["power"][hostname] = state
        self.engine.log("power", machine=hostname, state=state)
        self.engine.touch()
        for listener in self._listeners:
            listener(hostname, state)

    def on_power(self, listener: Callable[[str, str], None]) -> None:
        self._listeners.append(listener)

    # -- BMCs -----------------------------------------------------------------------------------------------------------
    def add_login(self, hostname: str, user: str, password: str) -> None:
        """A further BMC user, as MAAS makes one while a machine enlists."""
        self._state["logins"].setdefault(hostname, {})[user] = password

    def bmc(self, address: str, user: str, password: str) -> tuple[dict[str, Any] | None, str | None]:
        """The machine behind a BMC and None, or what a driver finds wrong with the address or the login."""
        machine = self._by_bmc.get(address.removeprefix("[").split("]")[0].split(":")[0])
        if machine is None:
            return None, UNKNOWN_BMC
        logins = {machine["bmc"]["user"]: machine["bmc"]["password"], **self._state["logins"].get(machine["hostname"], {})}
        if user not in logins:
            return machine, WRONG_USER
        if logins[user] != password:
            return machine, WRONG_PASSWORD
        return machine, None
