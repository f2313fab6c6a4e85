"""playbooks/init.yml with a region: who is free comes into the inventory, who is somebody's is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.maas_matrix import declared
from tests.integration.maas_runner import run
from tests.support.lab import MaasLab

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lab(monkeypatch):
    with MaasLab(speed=600) as made:
        monkeypatch.setenv("MAAS_URL", made.url)
        monkeypatch.setenv("MAAS_API_KEY", made.api_key)
        yield made


def made(site, *arguments):
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "playbooks/init.yml", "-e", f"init_dest={site}", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, yaml.safe_load((site / "hosts.yml").read_text())["all"]["children"]["compute"]["hosts"]


@pytest.mark.long
def test_a_machine_that_serves_somebody_is_left_out_unless_it_is_named(lab, tmp_path):
    declared("compute0", "compute1", ready=True)(lab)
    run("maas_machine_state", {"machines": ["compute1"], "state": "deployed", "wait_timeout": 60})
    told, hosts = made(tmp_path / "free", "-e", "init_profile=minimal")
    assert list(hosts) == ["compute0"] and hosts["compute0"]["mac_addresses"] == ["52:54:00:10:00:01"]
    assert "takes one all the same): compute1 (Deployed, by " in told
    told, hosts = made(tmp_path / "named", "-e", "init_profile=minimal", "-e", "init_take=compute1")
    assert list(hosts) == ["compute0", "compute1"]
    assert "Left out" not in told
