"""What an operator gets to see at -vvv with --diff: no key, no BMC's password, no password of a user, also when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lab import MaasLab

ROOT = Path(__file__).parents[2]
SECRET = "very-s3cret"


def playbook(folder, lab, key, tasks, check=False, callback="default"):
    connection = {"maas_url": lab.url, "maas_api_key": key}
    made = [{module: {**connection, **options}, "ignore_errors": True} for module, options in tasks]
    (folder / "play.yml").write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": made}]))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "--diff", "-i", "localhost,"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", *(["--check"] if check else []), "play.yml"]
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    log = folder / "ansible.log"
    cached = "".join(path.read_text() for path in (folder / "cache").rglob("*.json"))
    return done.stdout + done.stderr + (log.read_text() if log.exists() else "") + cached


@pytest.mark.parametrize("check", [True, False])
def test_nothing_secret_is_shown(tmp_path, check):
    bmc = {"power_address": "10.42.0.20", "power_user": "root", "power_pass": SECRET + "-bmc"}
    entry = {"hostname": "compute0", "mac_addresses": ["52:54:00:10:00:01"], "power_type": "ipmi", "power_parameters": bmc}
    changed = {**entry, "power_parameters": {**bmc, "power_pass": SECRET + "-other"}}
    tasks = [
        ("stratus.cloud.maas_machine", {"machines": [entry]}),
        ("stratus.cloud.maas_machine", {"machines": [changed]}),
        ("stratus.cloud.maas_machine", {"machines": [{**changed, "architecture": "no/such"}]}),
        ("stratus.cloud.maas_machine_info", {"machines": ["compute0"], "full": True}),
        ("stratus.cloud.maas_user", {"username": "ana", "email": "ana@example.com", "password": SECRET + "-user"}),
        ("stratus.cloud.maas_user", {"username": "admin", "email": "wrong@example.com", "password": SECRET + "-admin"}),
    ]
    for word in ("one", "two"):
        settings = {"vcenter_password": f"{SECRET}-{word}", "http_proxy": f"http://ana:{SECRET}-{word}@10.42.0.1:3128/", "upstream_dns": ["10.42.0.53"]}
        tasks.append(("stratus.cloud.maas_config", {"settings": settings}))
    with MaasLab() as lab:
        text = playbook(tmp_path, lab, lab.api_key, tasks, check)
        assert "10.42.0.53" in text and "http://ana:" in text
        assert ("compute0" in [machine["hostname"] for machine in lab.world.maas.machines.all()]) is not check
        assert "PLAY RECAP" in text
        assert SECRET not in text
        assert lab.api_key.split(":")[2] not in text


def test_a_wrong_key_shows_neither_key(tmp_path):
    with MaasLab() as lab:
        consumer, token, secret = lab.api_key.split(":")
        tasks = [("stratus.cloud.maas_zone_info", {}), ("stratus.cloud.maas_machine_wait", {"machines": ["compute0"]})]
        text = playbook(tmp_path, lab, f"{consumer}:{token}:{SECRET}", tasks)
        assert text.count("does not accept the API key") >= 2
        assert secret not in text
        assert SECRET not in text
