"""teardown.yml: it shows and asks, goes as far as it is told, comes back from the middle, and leaves the controller as it was.

What is gone is read back by other means: the lab's own world, the region's API by a plain OAuth1 client, ipmitool, and the host itself by
plain commands (tests/support/host_state.py), against what was read before site.yml.
"""

from __future__ import annotations

import json

import pytest

from tests.support import host_state
from tests.support.site import BARE, OUT, bmc_power, control, explain, maas_machines, on_controller, openstack, play, play_until, world

PLAYBOOK = "playbooks/teardown.yml"
YES = ("-e", "confirm=yes")


def models() -> set[str]:
    return {model["name"] for model in world()["juju"]["models"].values()}


def unchanging(state: dict) -> str:
    """What a run that writes nothing leaves as it is: not the clock, and not what the lab does by itself."""
    juju = {uuid: [sorted(model["machines"]), sorted(model["applications"]), model["life"]] for uuid, model in state["juju"]["models"].items()}
    return json.dumps([juju, sorted(state["juju"]["controllers"]), sorted(node["hostname"] for node in state["maas"]["nodes"].values())])


def test_check_mode_shows_what_would_be_lost_and_writes_nothing():
    before, files = world(), {path: path.read_bytes() for path in OUT.rglob("*") if path.is_file()}
    host = host_state.read(on_controller)
    done, sums = play(PLAYBOOK, "--check")
    assert done.returncode == 0, explain(done)
    for words in (
        "Model",
        "openstack, with ",
        "compute0",
        "os-0",
        "Vault's keys",
        "maas-controller",
        "juju-machine",
        "MAAS",
        "postgresql",
        "br0",
        "check mode",
    ):
        assert words in done.stdout, f"{words!r} is not shown\n{explain(done)}"
    assert sums["changed"] > 5, "check mode tells what would be done"
    assert unchanging(world()) == unchanging(before)
    assert {path: path.read_bytes() for path in OUT.rglob("*") if path.is_file()} == files
    assert host_state.differences(host, host_state.read(on_controller)) == []


def test_without_a_yes_nothing_is_touched():
    before = world()
    for arguments in ((), ("-e", "confirm=no")):
        done, sums = play(PLAYBOOK, *arguments)
        assert done.returncode != 0 and sums["changed"] == 0, explain(done)
        assert "Nothing was touched" in done.stdout and "-e confirm=yes" in done.stdout
    done, _sums = play(PLAYBOOK, *YES, "-e", "level=everything")
    assert done.returncode != 0 and "set level to cloud, orchestrator or all" in done.stdout, explain(done)
    assert unchanging(world()) == unchanging(before)


def test_the_level_cloud_gives_every_machine_back_as_it_was():
    before = {machine["hostname"]: machine for machine in maas_machines()}
    served = {name for name, machine in before.items() if name.startswith("compute") and machine["status_name"] == "Deployed"}
    assert served
    # Juju releases it once and leaves it at that: its BMC does not answer then.
    control("POST", "/faults", {"name": "release_failed", "machine": "compute1"})
    done, _sums = play(PLAYBOOK, *YES, "-e", "level=cloud")
    assert done.returncode == 0, explain(done)
    after = {machine["hostname"]: machine for machine in maas_machines()}
    assert set(before) - set(after) == {name for name in before if name.startswith("os-")}
    assert {name: machine["system_id"] for name, machine in after.items()} == {name: before[name]["system_id"] for name in after}
    assert {after[name]["status_name"] for name in served} == {"Ready"}
    assert {bmc_power(int(name.removeprefix("compute"))) for name in served} == {"off"}
    assert models() == {"controller"}
    for name in ("vault-keys.json", "clouds.yaml", "openrc", "root-ca.pem"):
        assert not (OUT / name).exists(), name


def test_site_builds_the_cloud_again():
    done, sums = play("playbooks/site.yml")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == 0
    up = [service for service in openstack("compute", "service", "list", "--service", "nova-compute") if service["State"] == "up"]
    assert len(up) >= 2


def test_killed_in_the_middle_it_goes_on_to_a_controller_as_it_was_before_site():
    if not BARE.exists():
        pytest.skip("nobody read the bare controller: the cloud was there before these tests")
    printed = play_until("TASK [stratus.cloud.postgres : Drop the database]", PLAYBOOK, *YES)
    assert "Drop the database" in printed, printed[-6000:]
    done, sums = play(PLAYBOOK, *YES)
    assert done.returncode == 0 and sums["changed"] > 0, explain(done)
    assert host_state.differences(json.loads(BARE.read_text()), host_state.read(on_controller)) == []
    assert not world()["juju"]["controllers"]
    assert {bmc_power(number) for number in range(3)} == {"off"}
    assert not {"vault-keys.json", "clouds.yaml", "openrc", "root-ca.pem", "ssh", "lxd"} & {path.name for path in OUT.iterdir()}


def test_on_a_bare_controller_it_changes_nothing():
    done, sums = play(PLAYBOOK)
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)
    assert "nothing to tear down" in done.stdout
