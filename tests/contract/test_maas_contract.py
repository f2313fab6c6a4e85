"""The lab's MAAS face answers as the recorded regions did: see README.md here for what was recorded and what is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from lab.effects import Effects
from lab.world.maas.images import STREAMS
from lab.world.rack import load
from tests.contract.replayer import HERE, Replayer, exchanges, target
from tests.contract.steps import AUTH, FILES, LEFT_OUT, Steps
from tests.support.lab import MaasLab

LOADERS = ("grub-efi-signed/uefi", "pxelinux/pxe")
BUILD = HERE.parent.parent / "build"


class NoServers(Effects):
    """Where the recordings were made there was no LXD server."""

    def lxd_probe(self, url: str, certificate: str, key: str, password: str | None = None) -> dict[str, Any] | None:
        return None


def replay() -> dict[str, dict[str, Any]]:
    """All files, one after the other, on one region: they were recorded so."""
    report: dict[str, dict[str, Any]] = {}
    lab = MaasLab(rack=load(str(HERE / "rack.yml")), images=False, ready=False, effects=NoServers())
    with lab:
        maas = lab.world.maas
        lab.call(maas.init, lab.url)
        lab.call(maas.http_up)
        lab.call(maas.create_admin, "admin", "admin", "admin@example.com")
        lab.api_key = lab.call(maas.api_key, "admin")
        # Durations that are long here were nothing there: power drivers were stood in for.
        lab.engine.profile.update(power_poll=10**6)
        replayer = Replayer(lab)
        steps = Steps(lab, replayer)
        for file in FILES:
            entry: dict[str, Any] = {"exchanges": 0, "matched": 0, "left_out": 0, "differences": {}, "reasons": {}}
            report[file] = entry
            for exchange in exchanges(file):
                number = exchange["n"]
                entry["exchanges"] += 1
                steps.before(file, number)
                differences = replayer.play(exchange, AUTH.get(file, {}).get(number, "admin"))
                steps.after(file, number)
                if number in LEFT_OUT.get(file, {}):
                    entry["left_out"] += 1
                    entry["reasons"][number] = LEFT_OUT[file][number]
                elif differences:
                    entry["differences"][number] = {"label": exchange["label"], "request": target(exchange), "found": differences[:8]}
                else:
                    entry["matched"] += 1
    return report


@pytest.fixture(scope="module")
def report() -> dict[str, dict[str, Any]]:
    # The recorded region's image server offered less than a real one.
    small = {"kernels": ["ga-{}", "hwe-{}"], "bootloaders": [loader for loader in STREAMS["bootloaders"] if loader["name"] in LOADERS]}
    with mock.patch.dict(STREAMS, small):
        found = replay()
    BUILD.mkdir(exist_ok=True)
    for entry in found.values():
        entry["percent"] = round(100 * entry["matched"] / (entry["exchanges"] - entry["left_out"]), 1)
    Path(BUILD / "contract.json").write_text(json.dumps({"files": found}, indent=2))
    return found


@pytest.mark.parametrize("file", FILES)
def test_file(report: dict[str, dict[str, Any]], file: str) -> None:
    entry = report[file]
    listed = "\n".join(f"{n} {d['label']} [{d['request']}]: {'; '.join(d['found'])}" for n, d in entry["differences"].items())
    assert not entry["differences"], f"{entry['percent']} % of {file}\n{listed}"
