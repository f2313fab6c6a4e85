"""The role maas against the region alone: a proxy that the images need, and a machine that nobody but a person switches on."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.integration.test_chaos_sample import Site
from tests.integration.test_role_leftovers import Played
from tests.support.role_play import RolePlay, told


@pytest.mark.long
def test_images_behind_a_proxy_and_a_machine_without_a_bmc(tmp_path):
    # Half an hour in which somebody has to switch a machine on is half a minute here.
    with Site(tmp_path, speed=60) as site:
        maas = site.lab.world.maas
        inventory = yaml.safe_load(site.inventory.read_text())
        del inventory["all"]["children"]["compute"]["hosts"]["compute1"]["bmc"]
        proxy = {"http_proxy": "http://10.42.0.9:3128", "default_min_hwe_kernel": "ga-22.04"}
        inventory["all"]["vars"].update(maas_settings=proxy, maas_images=[{"os": "ubuntu", "release": "jammy"}, {"os": "ubuntu", "release": "noble"}])
        site.inventory.write_text(yaml.safe_dump(inventory))

        def begin() -> None:
            del maas.rack.machines["compute1"]["bmc"]
            maas.images.sources.get(1)["unread"] = True
            maas.rack.set_power("compute1", "on")

        site.lab.call(begin)
        run = site.run()
        assert run.reaches("Say which of them somebody has to switch on", timeout=300), run.printed[-4000:]
        site.lab.call(maas.rack.set_power, "compute1", "on")
        assert run.ends(400) == 0, run.printed[-4000:]
        assert "MAAS cannot switch on compute1: do it within half an hour" in run.printed
        rows = {row["hostname"]: row for row in maas.machines()}
        assert {name: (row["status_name"], row["power_type"]) for name, row in rows.items()} == {"compute0": ("Ready", "ipmi"), "compute1": ("Ready", "manual")}
        # The BMC of the inventory is its own still.
        assert rows["compute0"]["power_parameters"]["power_user"] == inventory["all"]["children"]["compute"]["hosts"]["compute0"]["bmc"]["user"]
        assert maas.images.releases() == ["jammy", "noble"] and maas.config.get("default_min_hwe_kernel") == "ga-22.04"

        again = site.run()
        assert again.ends(400) == 0, again.printed[-4000:]
        assert re.search(r"controller0 .*changed=0 ", again.printed), again.printed[-4000:]
        assert "MAAS cannot switch on" not in again.printed


class Maas(RolePlay):
    role = "maas"
    stubbed = ("maas_machine_info", "maas_machine_state", "maas_interface")


def test_check_mode_says_nothing_of_bridges_that_a_run_waits_for(tmp_path):
    """A run that was killed while machines were commissioned: looking at the next one is no failure, as that one waits first."""
    site = Maas(tmp_path)
    rows = [{"hostname": name, "system_id": name, "status": status} for name, status in (("compute0", "Commissioning"), ("compute1", "Ready"))]
    site.answers = {"maas_machine_info": {"machines": rows, "missing": []}, "maas_machine_state": {"machines": rows, "failed_machines": {}}}
    given = {"maas_machines": [{"hostname": row["hostname"]} for row in rows], "maas_compute_bridge": {"name": "br-ex"}}
    given |= {"ansible_become": False, "postgres_password": "p", "maas_admin_password": "p", "maas_subnet_cidr": "10.42.0.0/16"}
    given |= {"maas_gateway_ip": "10.42.0.1", "maas_dynamic_range": {"start": "10.42.1.1", "end": "10.42.1.9"}}
    for arguments, bridged in ((["--check"], ["compute1"]), ([], ["compute0", "compute1"])):
        done, _changed, asked = site.play("machines_finish", arguments=arguments, **given)
        assert done.returncode == 0, told(done)
        assert [sorted(one["machines"]) for one in asked if one["module"] == "maas_interface"] == [bridged]
        assert ("Nothing is said about the bridge of compute0: a run waits" in done.stdout) == bool(arguments)


class Region(Played):
    role = "maas"


MAAS = """#!/bin/sh
# Stands for maas: notes what it is told to do, and what was typed; only the end of init writes the mode.
echo "$1" >> {folder}/done
case $1 in init) cat > {folder}/typed; echo region+rack > {folder}/snap_mode;; esac
"""


@pytest.fixture
def region(tmp_path):
    command = tmp_path / "maas"
    command.write_text(MAAS.format(folder=tmp_path))
    command.chmod(0o755)
    return Region(tmp_path, {"/snap/bin/maas": command, "/var/snap/maas/common/snap_mode": tmp_path / "snap_mode", "/run/stratus-maas": tmp_path / "job"}, [])


def initialised(region):
    given = {"ansible_become": False, "postgres_password": "s3cret", "maas_admin_password": "p"}
    done, changed, _asked = region.play("init", **given)
    assert done.returncode == 0, told(done)
    return changed


def test_an_init_that_was_cut_short_is_completed(region, tmp_path):
    """Tables without a mode: the second init makes no migrations, so they are asked for by their own command."""
    assert initialised(region) == 2, "the private place, the region"
    assert (tmp_path / "done").read_text().split() == ["init", "migrate"] and "s3cret" in (tmp_path / "typed").read_text()
    assert initialised(region) == 0
    assert (tmp_path / "done").read_text().split() == ["init", "migrate"]


def test_an_init_that_a_killed_run_left_at_work_is_waited_for(region, tmp_path):
    (tmp_path / "job").mkdir(mode=0o700)
    goes_on = f"touch {tmp_path}/begun; sleep 6; echo region+rack > {tmp_path}/snap_mode"
    with subprocess.Popen(["flock", f"{tmp_path}/job/init.lock", "sh", "-c", goes_on]) as left:
        while not (tmp_path / "begun").exists():
            assert left.poll() is None
        initialised(region)
        assert left.wait() == 0
    assert not (tmp_path / "done").exists()
