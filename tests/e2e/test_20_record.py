"""What a build leaves behind: its record, the page made of it, and an inventory that init.yml makes for this rack."""

from __future__ import annotations

import json
import os
import re

import pytest
import yaml

from tests.support import leaks
from tests.support.site import BMC_PASSWORD, OUT, ROOT, explain, play, run, world

PHASES = ["preflight", "controller", "network", "machines", "orchestrator", "cloud", "access"]


@pytest.fixture(scope="module")
def build() -> dict:
    """The record of the run that built the cloud."""
    runs = [json.loads(path.read_text()) for path in sorted((OUT / "runs").glob("*.json"))]
    built = [found for found in runs if found["result"] == "ok" and found["changed"] and found["playbook"].startswith("site")]
    if not built:
        pytest.skip("no record of a build: the cloud of this lab was not built by this checkout")
    return built[0]


def test_the_record_has_every_phase_and_what_was_waited_for(build):
    assert [phase["name"] for phase in build["phases"]][: len(PHASES)] == PHASES
    assert abs(sum(phase["seconds"] for phase in build["phases"]) - build["seconds"]) < 10
    assert any(job["name"].startswith("The bootstrap of") and job["ended"] > job["began"] for job in build["jobs"])
    assert {wait["phase"] for wait in build["waits"]} >= {"orchestrator", "cloud"}
    assert build["requests"] > 10


def test_the_states_are_those_of_the_world(build):
    """The lab's own log says when a machine became ready; the run saw it, in the same order."""
    truth = [entry["machine"] for entry in world()["log"] if entry["kind"] == "status" and entry.get("status") == "Ready"]
    machines = build["states"]["machine"]
    assert set(truth) >= {"compute0", "compute1"}
    for name in ("compute0", "compute1"):
        states = [state for _at, state, _message in machines[name]]
        assert states.index("Ready") > 0 and states[-1] == "Deployed", states
    applications = build["states"]["application"]
    assert {"keystone", "vault", "nova-compute"} <= set(applications)
    for name, states in applications.items():
        assert states[-1][1] == "active", (name, states)
    assert "blocked" in [state for _at, state, _message in applications["vault"]], "Vault asked to be opened"


def test_the_record_knows_the_cloud_and_no_secret(build):
    units = build["facts"]["model"]["units"]
    assert {"keystone/0", "nova-compute/0", "nova-compute/1"} <= set(units)
    assert build["facts"]["machines"]["compute0"]["power_type"] == "ipmi"
    assert build["access"]["auth_url"].startswith("https://")
    known = leaks.of_a_run()
    for path in (OUT / "runs").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert leaks.among(known, path.name, [path.read_text()]) == []


def test_the_report_is_a_page_of_it(build):
    done, sums = play("playbooks/report.yml", "-e", "report_run=build")
    assert done.returncode == 0, explain(done)
    page = (OUT / "report.html").read_text()
    for name in ("compute0", "nova-compute/1", "10.42.0.0/16", "What the end waited for", build["access"]["dashboard_url"]):
        assert name in page
    assert page.count("<rect") > 60
    assert not re.search(r"<script|<link|<img|src=", page)
    assert leaks.among(leaks.of_a_run(), "the page", [page]) == []
    done, sums = play("playbooks/report.yml", "-e", "report_run=build")
    assert sums["changed"] == 0, explain(done)


# A short run has init.yml and preflight.yml each for itself, in tests/integration.
@pytest.mark.long
def test_an_inventory_made_for_this_rack_passes_preflight(tmp_path):
    """The machines come from the region; names, ranges, BMCs and bundle then stand before the real hosts."""
    site = tmp_path / "site"
    maas = json.loads((ROOT / ".lab/endpoints.json").read_text())["maas"]
    answers = {
        "init_profile": "thesis-3-node", "init_name": "made", "init_dest": str(site), "init_controller_address": "198.51.100.2", "init_controller_user": "root",
        "init_email": "ops@made.example", "init_dns": "198.51.100.1", "init_bmc_password": BMC_PASSWORD,
        # They serve a cloud already, which this inventory only describes anew.
        "init_take": "compute0,compute1",
    }  # fmt: skip
    known = {"MAAS_URL": maas["url"], "MAAS_API_KEY": maas["api_key"]}
    done = run("ansible-playbook", "-i", "localhost,", "playbooks/init.yml", "-e", json.dumps(answers), env=known)
    assert done.returncode == 0, explain(done)
    hosts = yaml.safe_load((site / "hosts.yml").read_text())["all"]["children"]
    assert hosts["compute"]["hosts"]["compute0"]["mac_addresses"][0] == "52:54:00:10:00:01"
    assert sorted(hosts["compute"]["hosts"]) == ["compute0", "compute1"]
    # How to reach the lab's controller, which no operator's inventory says: as the lab's own does.
    connection = yaml.safe_load((ROOT / "inventories/lab/group_vars/controller/10-connection.yml").read_text())
    connection |= {"stratus_lab_dir": str(ROOT / ".lab"), "stratus_preflight_minimum": {"memory_mb": 2048, "disk_gb": 2}, "stratus_preflight_skip": ["vms"]}
    (site / "group_vars/controller").mkdir()
    (site / "group_vars/controller/10-connection.yml").write_text(yaml.safe_dump(connection))
    report = f"stratus_preflight_report={tmp_path / 'found.json'}"
    done = run("ansible-playbook", "-i", str(site), "playbooks/preflight.yml", "-e", report, env={"ANSIBLE_SSH_CONTROL_PATH_DIR": os.fspath(tmp_path)})
    assert done.returncode == 0, explain(done)
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["problems"], found["skipped"]) == ([], ["vms"])
    # What the lab plays as installed is a version that versions.yml knows a fault of: said, and no more than that.
    [warning] = found["warnings"]
    assert warning.startswith("juju_channel = juju 3.6.14, installed: ") and "21683" in warning
