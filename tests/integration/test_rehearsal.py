"""`make rehearse`: the example goes through with a prediction, and what is wrong with an inventory is told before anything runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def able() -> bool:
    """Whether this user may have a network of its own."""
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "true"]
    return shutil.which("unshare") is not None and subprocess.run(alone, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not able(), reason="the kernel gives this user no network namespace (unshare --net)")


def rehearse(inventory, tmp_path):
    argv = [sys.executable, "-m", "lab.rehearsal", str(inventory)]
    environment = {**os.environ, "REHEARSAL_RESULT": str(tmp_path / "result.json"), "REHEARSAL_REPORT": str(tmp_path / "report.html")}
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, timeout=1500)
    found = json.loads((tmp_path / "result.json").read_text()) if (tmp_path / "result.json").exists() else None
    return done, found


@pytest.mark.long
def test_scripts_and_plugins_of_the_inventory_see_no_network_either(tmp_path):
    """They are read before the lab is there, and would ask the operator's own network."""
    site, seen = tmp_path / "site", tmp_path / "seen"
    shutil.copytree(ROOT / "inventories/example", site)
    (site / "more.sh").write_text(f'#!/bin/sh\n{{ readlink /proc/self/ns/net; tail -n +3 /proc/net/dev; }} >>{seen}\necho "{{}}"\n')
    (site / "more.sh").chmod(0o755)
    (site / "region.maas.yml").write_text("plugin: stratus.cloud.maas\nmaas_url: http://127.0.0.1:9/MAAS\nmaas_api_key: a:b:c\n")
    # With this the rehearsal ends as soon as the inventory was read.
    (site / "group_vars/all/99-wrong.yml").write_text("maas_subnet_cidr: 10.42.0.0/99\n")
    done, _found = rehearse(site, tmp_path)
    assert done.returncode == 1 and "maas_subnet_cidr cannot be used" in done.stderr, done.stdout + done.stderr
    [network, *devices] = seen.read_text().splitlines()
    assert network != str(Path("/proc/self/ns/net").readlink())
    assert [line.split(":")[0].strip() for line in devices if not re.match(r" *(tunl|sit|gre|erspan|ip_vti|ip6)", line)] == ["lo"], devices
    assert "Note: not read, as if it were not there: region.maas.yml" in done.stdout


@pytest.mark.long
def test_the_example_goes_through_and_its_times_are_predicted(tmp_path):
    """With one BMC in a network of its own."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "inventories/example", site)
    (site / "hosts.yml").write_text((site / "hosts.yml").read_text().replace("address: 10.42.0.21", "address: 172.31.9.21"))
    done, found = rehearse(site, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found["problems"] == [] and found["complete"]
    assert "hosts.yml: mac_addresses" in done.stdout, "what is left to fill in is told"
    assert "The rehearsal went through: 2 machines, bundles/thesis-jammy-2023.1.yaml" in done.stdout
    # The lab's durations are the thesis' (its Table 1 says 2:16:25 for the cloud, 3:11:35 in all), whatever the speed of this machine.
    assert 1.5 * 3600 < found["phases"]["cloud"] < 2.6 * 3600, found
    assert 2.2 * 3600 < found["total"] < 3.5 * 3600, found
    assert not list(Path("/tmp").glob(f"rehearsal-*/{os.getpid()}"))
    for words in ("  network", "  orchestrator, ", "  cloud, ", " units active"):
        assert words in done.stdout, "how far it is, is told"
    assert f"Report   {tmp_path / 'report.html'}" in done.stdout
    page, run = (tmp_path / "report.html").read_text(), json.loads((tmp_path / "report.json").read_text())
    assert {phase["name"]: phase["seconds"] for phase in run["phases"]} == found["phases"]
    assert run["states"]["application"]["keystone"][-1][1] == "active" and "nova-compute" in page and page.count("<rect") > 60


@pytest.mark.long
def test_what_is_wrong_is_told_with_remedies_and_nothing_is_run(tmp_path):
    site = tmp_path / "site"
    shutil.copytree(ROOT / "inventories/example", site)
    for file, old, new in (
        ("group_vars/all/30-maas.yml", "start: 10.42.191.255", "start: 10.99.0.1"),
        ("group_vars/all/60-openstack.yml", "openstack_bundle_overlays: []", "openstack_bundle_overlays: [{relations: [['keystone:nothing', 'nobody:x']]}]"),
        ("hosts.yml", "address: 10.42.0.21", "address: 10.42.0.20"),
    ):
        text = (site / file).read_text()
        assert old in text
        (site / file).write_text(text.replace(old, new))
    done, found = rehearse(site, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    told = {entry["variable"] for entry in found["problems"]}
    assert {"maas_dynamic_range.start", "compute1.bmc.address", "openstack_bundle_file"} <= told, found
    assert "nobody" in done.stdout and "10.99.0.1" in done.stdout
    assert not found["phases"]
