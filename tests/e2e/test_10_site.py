"""The README's promise: from a bare controller to credentials, and again without a change.

What the playbooks did is read back with other clients: openstackclient, ipmitool, the lab's own world.
"""

from __future__ import annotations

import json
import time

import pytest

from tests.support import leaks
from tests.support.site import OUT, ROOT, bmc_power, explain, maas_machines, on_controller, openstack, play, run, world

# What is written to hold secrets, for its owner alone.
MEANT = {"clouds.yaml", "openrc", "vault-keys.json"}


def test_bad_input_stops_before_the_first_change_with_all_problems_together():
    before = world()
    done, _sums = play(
        "playbooks/site.yml",
        "-e",
        json.dumps(
            {
                "maas_dynamic_range": {"start": "10.99.0.1", "end": "10.42.255.254"},
                "maas_admin_password": "CHANGE-ME",
                "openstack_bundle_file": "no-such-bundle.yaml",
            }
        ),
    )
    assert done.returncode != 0
    for name in ("maas_dynamic_range", "10.99.0.1", "maas_admin_password", "openstack_bundle_file", "no-such-bundle.yaml"):
        assert name in done.stdout + done.stderr, f"{name} is not named\n{explain(done)}"
    after = world()
    for state in (before, after):
        for volatile in ("now", "log", "queue", "next"):
            state.pop(volatile, None)
    assert before.get("maas") == after.get("maas")
    assert before.get("juju") == after.get("juju")


def test_site_builds_the_cloud():
    """As talkative as can be, so that the search for secrets has all there is to look at."""
    arguments, began = leaks.Arguments(), time.time()
    arguments.start()
    done, sums = play("playbooks/site.yml", "-vvv", "--diff")
    seen = arguments.end()
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == sums["unreachable"] == 0
    assert "clouds.yaml" in done.stdout
    assert "https://" in done.stdout
    assert (OUT / "clouds.yaml").stat().st_mode & 0o077 == 0
    known = leaks.of_a_run()
    found = leaks.among(known, "the output", done.stdout.splitlines() + done.stderr.splitlines()) + leaks.among(known, "a process' arguments", seen)
    found += leaks.in_files(known, OUT, meant=MEANT) + leaks.of_ansible(known, began) + leaks.on_the_controller(known)
    assert len(done.stdout) > 200_000 and len(seen) > 200, "there was little to look at"
    assert not found, "\n".join(found)


# test_50_day2 runs it again, too, with two machines more: that will do for a short run.
@pytest.mark.long
def test_the_same_command_again_changes_nothing():
    done, sums = play("playbooks/site.yml")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)
    assert "already" in done.stdout


def test_a_phase_alone_stops_for_a_run_that_is_at_work():
    holder = {"what": "add-node.yml", "user": "ops", "control": "bastion", "pid": 4711, "since": "now"}
    on_controller(f"open('/run/stratus-cloud.lock', 'x').write({json.dumps(holder)!r})")
    done, sums = play("playbooks/machines.yml")
    on_controller("import os; os.unlink('/run/stratus-cloud.lock')")
    assert done.returncode != 0 and sums["changed"] == 0, explain(done)
    assert "add-node.yml by ops on bastion (process 4711, since now)" in " ".join((done.stdout + done.stderr).split()), explain(done)
    assert sums["ok"] == 0, "something was done before"


def test_ssh_to_a_machine_knows_its_keys_from_juju(tmp_path):
    about = json.loads((ROOT / ".lab/endpoints.json").read_text())["juju"]
    source = tmp_path / "cloud.juju.yml"
    source.write_text(
        f"plugin: stratus.cloud.juju\nmodel: openstack\nhosts: [machines]\nknown_hosts: {tmp_path}/known_hosts\n"
        f"ssh_private_key_file: {OUT}/ssh/id_ed25519\ngroups: {{metal: \"juju_hostname == 'compute0'\"}}\n"
    )
    account = {
        "JUJU_ENDPOINT": about["endpoint"],
        "JUJU_USERNAME": about["username"],
        "JUJU_PASSWORD": about["password"],
        "JUJU_CA_CERT": about["ca_cert"],
    }
    done = run("ansible", "-i", str(source), "metal", "-m", "ansible.builtin.command", "-a", "hostname", env=account)
    assert done.returncode == 0 and "compute0" in done.stdout, explain(done)
    assert "Permanently added" not in done.stdout + done.stderr
    [machine] = [row for row in maas_machines() if row["hostname"] == "compute0"]
    assert set(machine["ip_addresses"]) & {line.split()[0] for line in (tmp_path / "known_hosts").read_text().splitlines()}


def test_a_client_nobody_here_wrote_uses_the_cloud():
    assert openstack("token", "issue")["id"]
    services = openstack("compute", "service", "list", "--service", "nova-compute")
    up = {service["Host"].split(".")[0] for service in services if service["State"] == "up"}
    assert {"compute0", "compute1"} <= up
    assert all(service["State"] == "up" for service in services)
    endpoints = {endpoint["Service Type"]: endpoint["URL"] for endpoint in openstack("endpoint", "list", "--interface", "public")}
    assert {"identity", "compute", "image", "network", "placement"} <= set(endpoints)
    assert all(url.startswith("https://") for url in endpoints.values())


def test_the_spare_machines_were_left_alone():
    machines = {machine["hostname"] for machine in maas_machines()}
    assert {"compute0", "compute1"} <= machines
    assert not {"compute2", "compute3", "compute4"} & machines
    assert bmc_power(0) == "on"
    assert bmc_power(2) == "off"
