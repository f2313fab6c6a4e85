"""The cloud grows and shrinks while it runs: machines are added, servers spread over them, and one leaves with its servers moved away.

Effects are read back with openstackclient, ipmitool, the region by a plain client, and the lab's own world. Modules that only these
playbooks use have their integration case here: nova_host_probe and nova_drain_info.
"""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.support.site import ROOT, bmc_power, control, explain, maas, maas_machines, openstack, play, run, world

ADD, REMOVE = "playbooks/add-node.yml", "playbooks/remove-node.yml"


def statuses() -> dict[str, str]:
    return {machine["hostname"]: machine["status_name"] for machine in maas_machines()}


def hypervisors() -> dict[str, str]:
    return {one["Hypervisor Hostname"]: one["State"] for one in openstack("hypervisor", "list")}


def serving() -> dict[str, dict]:
    """All that the lab's own account holds of what serves: machines of the region and of the model, units, applications, each by name."""
    found = world()
    (model,) = [model for model in found["juju"]["models"].values() if model["name"] == "openstack"]
    return {
        "machines of the region": {row["hostname"]: row for row in found["maas"]["nodes"].values()},
        "machines of the model": model["machines"],
        "units": {name: {key: unit[key] for key in ("machine", "life", "principal", "state")} for name, unit in model["units"].items()},
        "applications": {name: {key: app[key] for key in ("revision", "config", "constraints", "exposed")} for name, app in model["applications"].items()},
    }


def kept(before: dict, after: dict) -> None:
    """What served before is after as it was, in every part of the world."""
    for part, rows in before.items():
        for name, row in rows.items():
            assert after[part].get(name) == row, f"{part} {name} was touched"


def test_check_mode_says_what_would_be_done_and_writes_nothing():
    before = serving()
    done, sums = play(ADD, "-e", "node=compute2", "--check")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == 0
    assert "compute2: add nova-compute on it" in done.stdout
    assert serving() == before
    assert bmc_power(2) == "off"


def test_a_machine_is_added_and_those_that_serve_are_not_touched():
    before = serving()
    done, sums = play(ADD, "-e", "node=compute2")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == 0
    assert "compute2 serves: machine" in done.stdout
    assert hypervisors() == {"compute0": "up", "compute1": "up", "compute2": "up"}
    assert statuses()["compute2"] == "Deployed"
    assert bmc_power(2) == "on"
    kept(before, serving())
    # What proved it is gone again.
    for what in (["server", "list", "--all-projects"], ["image", "list"], ["network", "list"], ["flavor", "list", "--all"]):
        assert not [one["Name"] for one in openstack(*what) if one["Name"].startswith("stratus-probe")], what


def test_adding_it_again_changes_nothing():
    before = serving()
    done, sums = play(ADD, "-e", "node=compute2")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)
    assert "compute2 serves already" in done.stdout
    assert serving() == before


def test_a_machine_that_fails_leaves_the_cloud_as_it_was_and_the_other_comes():
    # Every time: where it failed before the wait for it began, it is commissioned once more.
    control("POST", "/faults", {"name": "commissioning_failed", "machine": "compute4", "script": "50-maas-01-commissioning", "times": -1})
    before = serving()
    done, sums = play(ADD, "-e", "node=compute3,compute4")
    control("DELETE", "/faults")
    assert done.returncode != 0
    assert sums["failed"] == 1
    assert "compute3 serves: machine" in done.stdout
    assert "compute4 was not added" in done.stdout
    assert "failed scripts: 50-maas-01-commissioning" in done.stdout + done.stderr, explain(done)
    assert hypervisors() == {f"compute{number}": "up" for number in range(4)}
    assert statuses()["compute4"] == "Failed commissioning"
    assert "compute4" not in json.dumps(serving()["machines of the model"])
    kept(before, serving())
    (failed,) = [machine for machine in maas_machines() if machine["hostname"] == "compute4"]
    maas("DELETE", f"machines/{failed['system_id']}/")


@pytest.fixture(scope="module")
def permanent(tmp_path_factory):
    """Arguments for an inventory in which compute3 has been moved into the group compute."""
    file = tmp_path_factory.mktemp("inventory") / "permanent.yml"
    file.write_text("all: {children: {compute: {hosts: {compute3: {}}}}}\n")
    return ["-i", str(file)]


def test_site_of_the_installed_tarball_keeps_them_and_changes_nothing(permanent):
    build = ROOT / "build" / "e2e"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    # None of the checkout's settings, so that only what is in the tarball can be found.
    (build / "ansible.cfg").write_text("[defaults]\n")
    alone = {"ANSIBLE_CONFIG": str(build / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(build / "collections")}
    done = run("ansible-galaxy", "collection", "build", "--output-path", str(build), str(ROOT), env=alone, cwd=build)
    assert done.returncode == 0, explain(done)
    (tarball,) = build.glob("stratus-cloud-*.tar.gz")
    done = run("ansible-galaxy", "collection", "install", "--offline", "--no-deps", str(tarball), env=alone, cwd=build)
    assert done.returncode == 0, explain(done)
    assert (build / "collections/ansible_collections/stratus/cloud/playbooks/site.yml").is_file()
    done, sums = play("stratus.cloud.site", *permanent, env=alone, cwd=build)
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)
    assert "The cloud stratus-lab is already there" in done.stdout
    assert {"compute2", "compute3"} <= set(hypervisors())


def test_the_bundle_takes_one_that_is_to_stay(permanent, tmp_path):
    overlay = tmp_path / "overlay.yml"
    # 13 is the machine of Heat's overlay, which test_30_verify has applied.
    application = {"num_units": 3, "to": ["11", "12", "20"]}
    overlay.write_text(json.dumps({"machines": {"20": {"constraints": "tags=compute"}}, "applications": {"nova-compute": application}}))
    done, _sums = play("playbooks/cloud.yml", *permanent, "-e", json.dumps({"openstack_bundle_overlays": [str(overlay)]}), "--check", "--diff")
    assert done.returncode == 0, explain(done)
    plan = [line for line in done.stdout.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(plan) == 1, explain(done)
    assert re.search(r"1\. record machine \d+ as the bundle's machine 20", plan[0])


@pytest.fixture(scope="module")
def servers():
    """Three servers of a user's kind on compute2."""
    empty = ROOT / ".lab" / "out" / "empty.raw"
    empty.write_bytes(bytes(1 << 20))
    openstack("image", "create", "--file", str(empty), "--disk-format", "raw", "day2")
    openstack("flavor", "create", "--ram", "256", "--vcpus", "1", "--disk", "1", "day2")
    openstack("network", "create", "day2")
    openstack("subnet", "create", "--network", "day2", "--subnet-range", "192.168.66.0/24", "day2")
    names = [f"day2-{number}" for number in range(3)]
    for name in names:
        booted = ["--host", "compute2", "--image", "day2", "--flavor", "day2", "--network", "day2"]
        openstack("--os-compute-api-version", "2.90", "server", "create", *booted, "--wait", name)
    yield names
    for name in names:
        openstack("server", "delete", "--wait", name, parsed=False)
    openstack("network", "delete", "day2", parsed=False)
    openstack("flavor", "delete", "day2", parsed=False)
    openstack("image", "delete", "day2", parsed=False)


def places(names) -> dict[str, str]:
    found = openstack("server", "list", "--long", "-c", "Name", "-c", "Host", "-c", "Status")
    assert {one["Status"] for one in found} == {"ACTIVE"}
    return {one["Name"]: one["Host"] for one in found if one["Name"] in names}


def test_a_stopped_server_keeps_its_host_in_the_cloud(servers):
    openstack("server", "stop", servers[0], parsed=False)
    done, sums = play(REMOVE, "-e", "node=compute2", "-e", "confirm=yes")
    assert done.returncode != 0
    assert sums["changed"] == 0
    assert f"Server {servers[0]} on compute2 cannot move: is stopped" in " ".join((done.stdout + done.stderr).split())
    openstack("server", "start", servers[0], parsed=False)
    (service,) = openstack("compute", "service", "list", "--host", "compute2")
    assert service["Status"] == "enabled"


def test_nobody_is_removed_without_a_yes(servers):
    done, sums = play(REMOVE, "-e", "node=compute2")
    assert done.returncode != 0
    assert sums["changed"] == 0
    assert "move day2-1 to" in done.stdout
    assert "-e confirm=yes" in done.stdout + done.stderr


@pytest.mark.long
def test_what_was_begun_is_undone_when_a_server_does_not_arrive(servers):
    # Of the lab's driver: this server's migration fails at its end.
    openstack("server", "set", "--property", "lm_result=fail", servers[0], parsed=False)
    done, _sums = play(REMOVE, "-e", "node=compute2", "-e", "confirm=yes")
    openstack("server", "unset", "--property", "lm_result", servers[0], parsed=False)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "compute2 takes servers again as before" in said, explain(done)
    assert servers[0] in said.partition("migrations failed")[2]
    (service,) = openstack("compute", "service", "list", "--host", "compute2")
    assert service["Status"] == "enabled"
    assert places(servers)[servers[0]] == "compute2"
    assert statuses()["compute2"] == "Deployed"


def test_one_leaves_with_its_servers_moved_away(servers):
    # In a long run these are the rest: it goes on where the run before ended.
    assert "compute2" in places(servers).values()
    ids = {one["Name"]: one["ID"] for one in openstack("server", "list")}
    done, sums = play(REMOVE, "-e", "node=compute2", "-e", "confirm=yes")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == 0
    assert "compute2 has left the cloud: Ready in MAAS" in done.stdout
    assert set(places(servers).values()) <= {"compute0", "compute1", "compute3"}
    assert {one["Name"]: one["ID"] for one in openstack("server", "list")} == ids
    assert set(hypervisors()) == {"compute0", "compute1", "compute3"}
    assert openstack("compute", "service", "list", "--host", "compute2") == []
    assert openstack("network", "agent", "list", "--host", "compute2") == []
    assert statuses()["compute2"] == "Ready"
    assert bmc_power(2) == "off"
    assert "compute2" not in json.dumps(serving()["machines of the model"])


def test_removing_it_again_changes_nothing():
    done, sums = play(REMOVE, "-e", "node=compute2", "-e", "confirm=yes")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)
    assert "compute2: not part of the cloud" in done.stdout
