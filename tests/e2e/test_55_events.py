"""A machine is plugged in and the cloud grows by itself: ansible-rulebook, the event source and the rulebook as docs/automation.md runs them.

ansible-rulebook is the real one, with its rule engine in Java. It is not among the checkout's packages: without it or without Java the test is left out
(`pip install ansible-rulebook` in .venv, and a JRE 17).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time

import pytest

from tests.support.processes import kill
from tests.support.site import BIN, BMC_PASSWORD, ROOT, maas_machines, openstack, run

MAC = "52:54:00:10:04:01"
NODE = "compute4"
LACKS = [name for name in ("java", "ansible-rulebook") if not shutil.which(name, path=f"{BIN}:{os.environ['PATH']}")]
pytestmark = pytest.mark.skipif(bool(LACKS), reason=f"this machine has no {' and no '.join(LACKS)}")


@pytest.fixture
def rulebook(tmp_path):
    """ansible-rulebook with the collection's rulebook; its output's file and the event source's memory."""
    about = json.loads((ROOT / ".lab/endpoints.json").read_text())["maas"]
    seen, log = tmp_path / "seen.json", tmp_path / "rulebook.log"
    # ansible-rulebook runs on a copy of the inventory: paths relative to it would lead nowhere (docs/automation.md).
    inventory = shutil.copytree(ROOT / "inventories/lab", tmp_path / "inventory")
    place = inventory / "group_vars/all/10-cloud.yml"
    text, found = re.subn(r"(?m)^stratus_lab_dir: .*$", f"stratus_lab_dir: {ROOT}/.lab", place.read_text())
    assert found == 1 and "inventory_dir" not in text
    place.write_text(text)
    environment = {
        **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "MAAS_URL": about["url"], "MAAS_API_KEY": about["api_key"], "STRATUS_EDA_STATE": str(seen),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_NOCOLOR": "1",
    }  # fmt: skip
    argv = ["ansible-rulebook", "--rulebook", "stratus.cloud.grow", "--inventory", str(inventory),
            "--env-vars", "MAAS_URL,MAAS_API_KEY,STRATUS_EDA_STATE", "--verbose"]  # fmt: skip
    with log.open("w") as stream:
        process = subprocess.Popen(
            argv, stdout=stream, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield process, log, seen
    finally:
        if process.poll() is None:
            kill(process.pid)
            process.wait(20)


def test_a_machine_that_is_plugged_in_joins_the_cloud(rulebook):
    process, log, seen = rulebook

    def until(what: str, met, seconds: float):
        deadline = time.monotonic() + seconds
        while not met():
            assert process.poll() is None and time.monotonic() < deadline, f"{what}\n{log.read_text()[-6000:]}"
            time.sleep(1)

    assert NODE not in {machine["hostname"] for machine in maas_machines()}
    until("the event source has not looked at the region", seen.exists, 90)
    done = run("ipmitool", "-I", "lanplus", "-H", "10.42.0.24", "-U", "root", "-P", BMC_PASSWORD, "power", "on")
    assert done.returncode == 0, done.stderr

    def up():
        return any(row["Hypervisor Hostname"] == NODE and row["State"] == "up" for row in openstack("hypervisor", "list"))

    # The playbook runs below ansible-runner: its recap is in the log.
    recap = re.compile(r"^controller0 +: ok=\d+ +changed=[1-9]\d* +unreachable=0 +failed=0", re.M)
    until("the machine does not join", lambda: recap.search(log.read_text()) and up(), 900)
    (machine,) = [one for one in maas_machines() if MAC in json.dumps(one["interface_set"])]
    assert (machine["hostname"], machine["status_name"]) == (NODE, "Deployed")
    assert machine["system_id"] in json.loads(seen.read_text())
