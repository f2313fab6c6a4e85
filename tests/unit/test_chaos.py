"""The tools of `make chaos`: what tells two worlds apart, what kills a tree of processes, and data that name what is there."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from lab.world.maas.base import Fields
from tests.chaos import chains, essence, matrix, table
from tests.chaos.runs import Run
from tests.chaos.snapshots import PHASES
from tests.support.processes import kill, tree
from tests.unit.lab.test_maas_world import ADMIN, Site

ROOT = Path(__file__).resolve().parents[2]
TASKS = "".join(path.read_text() for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml"))
INJECTED = set(re.findall(r'fault\(\s*"(\w+)"', "".join(path.read_text() for path in (ROOT / "lab").rglob("*.py"))))
INJECTED |= set(re.findall(r'_script_fault\("(\w+)"', (ROOT / "lab/world/maas/lifecycle.py").read_text()))


# -- what a world amounts to --------------------------------------------------------------------------------------------------------
def built() -> Site:
    site = Site()
    site.ready("compute0")
    site.vm_host()
    return site


def test_two_builds_with_other_numbers_are_alike():
    one, other = built(), Site()
    other.vm_host()
    other.maas.machines.delete(other.ready("compute1"))
    other.ready("compute0")
    assert essence.differences(essence.essence(one.engine.state), essence.essence(other.engine.state)) == []


def test_what_is_missing_or_otherwise_is_told():
    whole, part = essence.essence(built().engine.state), Site()
    lines = essence.differences(whole, essence.essence(part.engine.state))
    assert "machines: compute0 is missing" in lines and "VM hosts: lxd-controller is missing" in lines
    part.vm_host()
    part.declare("compute0")
    (line,) = [line for line in essence.differences(whole, essence.essence(part.engine.state)) if line.startswith("machines")]
    assert "'New'" in line and "not" in line and "'Ready'" in line


def test_nothing_can_be_there_twice_unseen():
    site = built()
    whole = essence.essence(site.engine.state)
    assert essence.beyond(whole, essence.essence(Site().engine.state)) == []
    again = site.declare("compute1")
    again["hostname"] = "compute0"
    site.maas.users.add_token(ADMIN)
    site.maas.tags.ensure("stray")
    lines = essence.beyond({**whole, "API keys": {ADMIN: 0}}, essence.essence(site.engine.state))
    assert "machines: compute0 (twice) is too much" in lines
    assert "tags: stray is too much" in lines
    assert f"API keys: 1 of {ADMIN}, not 0" in lines


# -- killing --------------------------------------------------------------------------------------------------------------------------
def test_a_process_with_a_session_of_its_own_is_killed_with_its_tree():
    process = subprocess.Popen(["sh", "-c", "setsid sleep 300 & wait"])
    try:
        deadline = time.monotonic() + 10
        while len(tree(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        parts = tree(process.pid)
        assert len(parts) >= 2
    finally:
        kill(process.pid)
        process.wait(10)

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    deadline = time.monotonic() + 10
    while any(runs(pid) for pid in parts) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in parts if runs(pid)]
    assert os.getpid() not in parts


def test_whether_a_run_is_inside_a_task(tmp_path):
    play = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: First
      ansible.builtin.debug: {msg: "x"}
    - name: Second
      ansible.builtin.command: sleep 60
"""
    (tmp_path / "play.yml").write_text(play)
    (tmp_path / "hosts").write_text("localhost ansible_connection=local\n")
    run = Run(str(tmp_path / "play.yml"), inventory=tmp_path / "hosts")
    try:
        assert run.reaches("Second", timeout=60)
        assert run.inside("Second") and not run.inside("First")
    finally:
        run.kill()
    run.take("changed: [localhost]\n")
    assert not run.inside("Second")


# -- the data -------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", matrix.FAULTS)
def test_fault(name):
    row = matrix.FAULTS[name]
    assert {row["phase"], *row.get("from", [])} <= {*PHASES}
    assert row["expected"] in ("recovered", "stopped")
    assert row["title"] and row["does"]
    assert row.get("faults") or row.get("at") or row.get("before"), "it injects nothing"
    assert {fault["name"] for fault in row.get("faults", [])} <= INJECTED
    if row["expected"] == "stopped":
        assert row["says"], "a run that stops has to say why"
        assert row["seconds"] <= 300, "within its deadline"
    if "at" in row:
        assert f"name: {row['at']['task']}" in TASKS


@pytest.mark.parametrize(("chain", "point"), [(name, point) for name in chains.CHAINS for point in chains.points(name)], ids=str)
def test_point(chain, point):
    assert f"name: {point.task.rpartition(' : ')[2]}" in TASKS
    assert (ROOT / chains.CHAINS[chain]["command"][0]).is_file()


def test_enough_points():
    points = [point for name in chains.CHAINS for point in chains.points(name)]
    assert sum(not point.power for point in points) >= 40
    assert sum(point.power for point in points) >= 5


def test_the_page_has_the_table_of_the_data():
    text = table.PAGE.read_text()
    assert table.filled(text) == text, "python -m tests.chaos table"


# -- what the controller takes along, in the lab ----------------------------------------------------------------------------------------
def test_a_region_that_restarts_keeps_what_it_knows_and_begins_its_import_anew():
    site = Site()
    maas = site.maas
    machine = site.ready("compute0")
    maas.images.selections.add(boot_source_id=1, os="ubuntu", release="noble", arches=["amd64"], subarches=["*"], labels=["*"])
    maas.images.start_import()
    maas.outage.restart()
    assert not maas.http_ready() and not maas.rack_connected() and not maas.images.is_importing()
    site.advance(15)
    assert maas.http_ready() and not maas.rack_connected()
    site.advance(25)
    assert maas.rack_connected() and maas.images.is_importing()
    assert maas.machines.find("compute0") is machine
    assert sorted(row["cidr"] for row in maas.subnets.table) == ["10.42.0.0/16", "198.51.100.0/24"]
    site.advance(300)
    assert "noble" in maas.images.releases()


def test_a_region_that_was_stopped_before_its_rack_came_gets_it_later():
    site = Site(ready=False)
    site.maas.init("http://10.42.0.1:5240/MAAS")
    site.advance(15)
    site.maas.outage.power("off")
    site.advance(60)
    assert not site.maas.http_ready()
    site.maas.outage.power("on")
    site.advance(60)
    assert site.maas.rack_connected() and len(site.maas.controllers.racks()) == 1


def test_virtual_machines_go_with_their_host_and_go_on_when_it_is_back():
    site = built()
    host = site.maas.vm_hosts.table.one(name="lxd-controller")
    machine = site.maas.compose(host["id"], "os-0", 2, 4096, [20])
    site.advance(250)
    assert machine["status_name"] == "Commissioning" and machine["powered"] == "on"
    site.maas.outage.power("off")
    site.advance(600)
    assert machine["status_name"] == "Commissioning" and machine["powered"] == "off"
    site.maas.outage.power("on")
    site.advance(300)
    assert machine["status_name"] == "Ready"
    site.maas.lifecycle.deploy(machine, Fields(), ADMIN)
    site.advance(200)
    site.maas.outage.power("off")
    site.advance(600)
    assert machine["status_name"] == "Deploying"
    site.maas.outage.power("on")
    site.advance(400)
    assert machine["status_name"] == "Deployed"
