"""What has to happen in the lab between recorded exchanges: time passing, machines failing, keys that a request is sent with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FILES = ["01-fresh", "02-network-boot", "03-machine-create", "04-lifecycle", "05-ready-allocate-deploy", "06-deploy-release", "09-anonymous"]

# Keys other than the administrator's.
AUTH = {
    "01-fresh": {
        1: "none",
        5: "none",
        10: "wrong key",
        11: "wrong secret",
        12: "wrong token",
        13: "basic",
        14: "no token",
        15: "nonce",
        16: "nonce",
        17: "expired",
        18: "version 2.0",
        3: "none",
        95: "none",
        107: "none",
        108: "none",
        109: "none",
        110: "none",
        111: "none",
        112: "none",
    },
    "03-machine-create": {40: "none"},
    "06-deploy-release": dict.fromkeys((149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162), "bob"),
    "09-anonymous": {**dict.fromkeys(range(1, 27), "none"), 27: "wrong key"},
}

# Exchanges that are not replayed, and why.
LEFT_OUT: dict[str, dict[int, str]] = {}


class Steps:
    """Moves of the world, by file and the number of the exchange that they come before."""

    def __init__(self, lab: Any, replayer: Any):
        self.lab = lab
        self.replayer = replayer
        self.maas = lab.world.maas

    def before(self, file: str, number: int) -> None:
        move = MOVES.get((file, number))
        if move:
            move(self)

    def after(self, file: str, number: int) -> None:
        # The recorded region had done what it does after an answer by the time of the next request.
        self.lab.advance(2)
        if (file, number) == ("06-deploy-release", 146):
            self.replayer.keys["bob"] = self.lab.call(self.maas.api_key, "bob")

    def machine(self, hostname: str) -> dict[str, Any]:
        return self.maas.machine(hostname)

    def status(self, hostname: str, status: int) -> None:
        self.lab.until(lambda: self.machine(hostname)["status"] == status, step=1)

    def message(self, hostname: str, text: str) -> None:
        self.lab.until(lambda: (self.machine(hostname)["status_message"] or "").startswith(text), step=1)


def status(hostname: str, number: int) -> Callable[[Steps], None]:
    return lambda steps: steps.status(hostname, number)


def message(hostname: str, text: str) -> Callable[[Steps], None]:
    return lambda steps: steps.message(hostname, text)


def fault(name: str, **where: Any) -> Callable[[Steps], None]:
    return lambda steps: steps.lab.fault(name, **where)


def fail(name: str, hostname: str, number: int, **where: Any) -> Callable[[Steps], None]:
    """A machine fails, and time passes until it has."""

    def move(steps: Steps) -> None:
        steps.lab.fault(name, machine=hostname, **where)
        steps.status(hostname, number)

    return move


def both(*moves: Callable[[Steps], None]) -> Callable[[Steps], None]:
    def move(steps: Steps) -> None:
        for one in moves:
            one(steps)

    return move


def rack(steps: Steps) -> None:
    """The rack controller registers, and default images are selected."""
    steps.lab.call(steps.maas.settle)


def images(steps: Steps) -> None:
    steps.lab.call(steps.maas.images.finish_import)


def machine_status(hostname: str, key: str, value: Any) -> Callable[[Steps], None]:
    return lambda steps: steps.lab.until(lambda: steps.machine(hostname)[key] == value, step=1)


MOVES: dict[tuple[str, int], Callable[[Steps], None]] = {
    ("02-network-boot", 1): rack,
    ("03-machine-create", 2): images,
    # The recorded driver took every password; the lab's BMC takes one: from here on the new one.
    ("03-machine-create", 73): lambda steps: steps.maas.rack.machines["hw5"]["bmc"].update(password="new"),
    # Nobody ever powered this machine on.
    ("03-machine-create", 34): fault("commissioning_stuck", machine="node9"),
    ("03-machine-create", 35): lambda steps: steps.lab.call(steps.lab.engine.cancel, "maas.expire_step", system_id=steps.machine("node9")["system_id"]),
    ("04-lifecycle", 30): machine_status("node5", "commissioning_status", 1),
    ("04-lifecycle", 31): status("node5", 21),
    ("04-lifecycle", 32): message("node5", "Running test - smartctl-validate on sda"),
    ("04-lifecycle", 33): message("node5", "Running test - smartctl-validate on sdb"),
    ("04-lifecycle", 34): status("node5", 4),
    ("04-lifecycle", 40): fail("commissioning_failed", "cloud-1", 2, script="maas-lshw"),
    ("04-lifecycle", 45): status("cloud-1", 4),
    ("05-ready-allocate-deploy", 8): both(status("node2", 4), status("node3", 4), status("node4", 4)),
    ("06-deploy-release", 25): message("node3", "Configuring storage"),
    ("06-deploy-release", 27): message("node3", "Installing OS"),
    ("06-deploy-release", 28): message("node3", "Configuring OS"),
    ("06-deploy-release", 30): machine_status("node3", "netboot", False),
    ("06-deploy-release", 32): status("node3", 6),
    ("06-deploy-release", 55): status("node3", 16),
    ("06-deploy-release", 61): fail("deploy_failed", "node4", 11),
    ("06-deploy-release", 69): status("node4", 4),
    ("06-deploy-release", 74): status("node4", 6),
    ("06-deploy-release", 113): fail("testing_failed", "node2", 22),
    ("06-deploy-release", 118): fault("bmc_unreachable", machine="node5", times=3),
    ("06-deploy-release", 125): fault("rack_disconnected", times=-1),
    ("06-deploy-release", 128): lambda steps: steps.lab.clear_faults(),
}
