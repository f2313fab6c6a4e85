"""Operation x status: what the recorded region allows in each of the 23 states, and what it says otherwise (matrix-3.5.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from lab.world.maas import states
from lab.world.maas.base import Fields
from lab.world.rack import load
from tests.contract.replayer import HERE
from tests.support.lab import MaasLab

CONSTANTS = {constant.upper(): number for number, constant, _name in states.STATUSES}
# The recorded machine belonged to somebody in these states only (mark_broken and power_on look at that).
OWNED = frozenset(states.ALL - {states.NEW, states.FAILED_COMMISSIONING, states.MISSING, states.READY, states.RESERVED, states.RETIRED, states.BROKEN})


def parse() -> Iterator[tuple[str, int, int, str | None, int | None]]:
    """Cases: operation, state, status code, text of the refusal, state after (None: not compared)."""
    op = ""
    for line in (HERE / "matrix-3.5.md").read_text().splitlines():
        head = re.match(r"\*\*(\w+)\*\* 200: (.*)", line)
        if head:
            op, seen = head[1], set()
            for word in head[2].split(", "):
                match = re.match(r"(\w+)(?:→(\w+)| \(stays\))", word)
                if match:
                    state = CONSTANTS[match[1]]
                    seen.add(state)
                    yield op, state, 200, None, CONSTANTS[match[2] or match[1]]
            continue
        refusal = re.match(r"- (\d+) `(.*)` ⇐ (.*)", line)
        if refusal:
            named = [CONSTANTS[name] for name in refusal[3].split(", ")] if refusal[3] != "all others" else sorted(states.ALL - seen)
            for state in named:
                yield op, state, int(refusal[1]), refusal[2], None


CASES = list(parse())


def test_every_cell_is_there() -> None:
    operations = {case[0] for case in CASES}
    assert len(CASES) == len({case[:2] for case in CASES}) == len(operations) * 23 == 20 * 23


class Bench:
    """One machine that is put into one state after the other."""

    def __init__(self, lab: MaasLab):
        self.lab = lab
        consumer, token, secret = lab.api_key.split(":")
        self.auth = OAuth1(consumer, "", token, secret, signature_method="PLAINTEXT")
        maas = lab.world.maas
        self.machine = lab.call(
            maas.machines.create,
            Fields(hostname="m", architecture="amd64", mac_addresses="52:54:00:99:00:01", power_type="manual", commission="false"),
            "admin",
        )
        lab.call(maas.lifecycle.commission, self.machine, Fields(testing_scripts="none"), "admin")
        lab.until(lambda: self.machine["status"] == states.READY, step=30)
        self.subnet = lab.call(maas.subnets.get, "10.42.0.0/16")["id"]

    def put(self, op: str, state: int) -> None:
        """The machine in a state, without having lived through the way there."""
        node = self.machine
        node.update(status=state, status_name=states.NAMES[state], locked=False, acquired=False, osystem="", power_state="unknown")
        node["owner"] = "admin" if state in OWNED else None
        # A rescued machine was deployed before, every other Ready.
        node["previous_status"] = states.DEPLOYED if state in states.RESCUES else states.READY
        if op == "abort" and state == states.COMMISSIONING:
            node["previous_status"] = states.NEW
        for nic in node["interfaces"]:
            nic["links"] = [{"id": 1, "mode": "auto", "subnet": self.subnet, "ip": None}]
        self.lab.world.maas.storage.apply(node, "flat")
        # Whatever the previous state began is over.
        node["run"] += 1

    def send(self, op: str) -> requests.Response:
        base = f"{self.lab.url}/api/2.0/"
        system_id = self.machine["system_id"]
        if op == "ALLOCATE":
            return requests.post(f"{base}machines/?op=allocate", data={"system_id": system_id}, auth=self.auth, timeout=10)
        if op == "LINK":
            nic = self.machine["interfaces"][0]["id"]
            url = f"{base}nodes/{system_id}/interfaces/{nic}/?op=link_subnet"
            return requests.post(url, data={"mode": "AUTO", "subnet": self.subnet}, auth=self.auth, timeout=10)
        if op == "PUT":
            return requests.put(f"{base}machines/{system_id}/", data={"description": "x"}, auth=self.auth, timeout=10)
        data = {"storage_layout": "flat"} if op == "set_storage_layout" else {}
        return requests.post(f"{base}machines/{system_id}/?op={op}", data=data, auth=self.auth, timeout=10)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with MaasLab(rack={**load("thesis"), "attended": True}, dhcp=True) as lab:
        yield Bench(lab)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_cell(bench: Bench, case: tuple[str, int, int, str | None, int | None]) -> None:
    op, state, status, text, after = case
    bench.lab.call(bench.put, op, state)
    response = bench.send(op)
    assert response.status_code == status, response.text
    if text is not None:
        expected: Any = text.replace("hqe4sm", bench.machine["system_id"]).replace("<State>", states.NAMES[state])
        assert re.sub(r"\s+", " ", response.text).replace("{ ", "{").replace(" }", "}").replace("[ ", "[").replace(" ]", "]") == expected
        assert bench.machine["status"] == state
    else:
        assert states.NAMES[bench.machine["status"]] == states.NAMES[after]
