"""A sample of `make chaos` that needs no host: the roles against the region alone, killed again and again, and with answers that are lost."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.chaos import essence as worlds
from tests.chaos.runs import Run
from tests.support.lab import MaasLab
from tests.support.site import ROOT

PLAY = "tests/chaos/sample.yml"
KILLS = [
    ("Select the images", 0.7),
    ("Gateway and name servers of the subnet", 0.5),
    ("Addresses that MAAS must not give away", 0.6),
    ("Declare the machines", 0.6),
]
FAULTS = [
    {"name": "http_error", "method": "GET", "status": 502, "times": 2},
    {"name": "http_error", "method": "POST", "status": 503, "retry_after": 1, "times": 1},
    {"name": "http_reset", "times": 1},
    {"name": "http_cut", "method": "POST", "times": 1},
    {"name": "http_lost", "method": "POST", "times": 3},
    {"name": "http_lost", "method": "PUT", "times": 1},
    {"name": "bmc_unreachable", "machine": "compute0", "times": 1},
    {"name": "commissioning_failed", "machine": "compute1", "times": 1},
]


class Site:
    """A region with nothing in it, and an inventory of the lab's rack that leads to it."""

    def __init__(self, place: Path, speed: float = 300):
        self.place = place
        self.lab = MaasLab(speed=speed, images=False)

    def __enter__(self) -> Site:
        self.lab.start()
        lab = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())["all"]["children"]
        variables = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/30-maas.yml").read_text())
        variables |= yaml.safe_load((ROOT / "inventories/lab/group_vars/all/90-secrets.yml").read_text())
        variables.update(
            maas_url=self.lab.url, maas_api_key=self.lab.api_key, stratus_api_host="localhost", stratus_state_dir=str(self.place), lxd_bridge="br0",
            ansible_python_interpreter=sys.executable, maas_admin_password="unused", postgres_password="unused",
        )  # fmt: skip
        groups = {"controller": {"hosts": {"controller0": {}}}, "compute": lab["compute"]}
        self.inventory = self.place / "inventory.yml"
        self.inventory.write_text(yaml.safe_dump({"all": {"children": groups, "vars": variables}}))
        return self

    def __exit__(self, *_exception: object) -> None:
        self.lab.stop()

    def run(self) -> Run:
        # A killed run leaves modules with their arguments behind; another test looks for secrets where Ansible keeps them.
        own = {name: str(self.place / "ansible") for name in ("ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP")}
        return Run(PLAY, inventory=self.inventory, env={"STRATUS_PROGRESS": "0", "ANSIBLE_LOCALHOST_WARNING": "0", **own})

    def essence(self) -> dict:
        return self.lab.call(lambda: worlds.essence(json.loads(json.dumps(self.lab.engine.state))))

    def completes(self) -> dict:
        run = self.run()
        assert run.ends(400) == 0, run.printed[-4000:]
        return self.essence()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("whole")) as site:
        found = site.completes()
    assert {"compute0", "compute1"} == set(found["machines"]) and len(found["ranges"]) == 2 and found["SSH keys"] == {"admin": 1}
    return found


def test_killed_again_and_again_it_comes_to_the_same(whole, tmp_path):
    with Site(tmp_path) as site:
        for task, seconds in KILLS:
            run = site.run()
            assert run.reaches(task, timeout=200), run.printed[-2000:]
            time.sleep(seconds)
            run.kill()
            assert worlds.beyond(whole, site.essence()) == [], task
        assert worlds.differences(whole, site.completes()) == []


def test_with_answers_lost_and_machines_that_fail_once_it_comes_to_the_same(whole, tmp_path):
    with Site(tmp_path) as site:
        for fault in FAULTS:
            site.lab.fault(**fault)
        assert worlds.differences(whole, site.completes()) == []
        assert {fault["times"] for fault in site.lab.engine.state["faults"]} == {0}, "all of them struck"
