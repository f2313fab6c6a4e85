"""The inventory plugin through real ansible-inventory on a region."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.maas_matrix import declared
from tests.integration.maas_runner import run
from tests.support.lab import MaasLab

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with MaasLab(speed=600) as made:
        monkeypatch.setenv("MAAS_URL", made.url)
        monkeypatch.setenv("MAAS_API_KEY", made.api_key)
        yield made


def inventory(tmp_path, text, name="rack.maas.yml"):
    file = tmp_path / name
    file.write_text("plugin: stratus.cloud.maas\n" + text)
    done = subprocess.run(
        [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(file), "--list"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true"},
        capture_output=True,
        text=True,
    )
    # Text that came from a region is no template: ansible-core says so in its listing.
    plain = {"object_hook": lambda found: found.get("__ansible_unsafe", found)}
    return done, json.loads(done.stdout, **plain) if done.returncode == 0 else None


def test_machines_become_hosts(lab, tmp_path):
    declared("compute0", "compute1", ready=True)(lab)
    run("maas_tag", {"name": "kvm", "machines": ["compute1"]})
    run("maas_machine_state", {"machines": ["compute1"], "state": "deployed", "wait_timeout": 60})
    _done, found = inventory(tmp_path, "networks: [10.42.0.0/16]\ncompose:\n  ansible_user: \"'ubuntu'\"\ngroups:\n  many: maas_cpu_count >= 1\n")
    assert sorted(found["_meta"]["hostvars"]) == ["compute0", "compute1"]
    assert found["status_deployed"]["hosts"] == ["compute1"]
    assert found["status_ready"]["hosts"] == ["compute0"]
    assert found["tag_kvm"]["hosts"] == ["compute1"]
    assert sorted(found["many"]["hosts"]) == sorted(found["pool_default"]["hosts"]) == ["compute0", "compute1"]
    variables = found["_meta"]["hostvars"]["compute1"]
    assert variables["ansible_host"].startswith("10.42.")
    assert variables["ansible_user"] == "ubuntu"
    assert variables["maas_status"] == "Deployed"
    assert lab.api_key not in json.dumps(found)

    # The cache answers without the region, and filters are asked of the region.
    cached = f"status: [Deployed]\ncache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {tmp_path}/facts\n"
    assert list(inventory(tmp_path, cached)[1]["_meta"]["hostvars"]) == ["compute1"]
    lab.forget()
    assert list(inventory(tmp_path, cached)[1]["_meta"]["hostvars"]) == ["compute1"]
    assert lab.requests == []


def test_faults_are_told_without_a_traceback(lab, tmp_path):
    done, _found = inventory(tmp_path, "maas_api_key: a:b:c\n")
    assert done.returncode != 0
    assert "does not accept the API key" in done.stderr
    assert "Traceback" not in done.stderr
