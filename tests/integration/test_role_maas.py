"""The role maas against the region alone: a proxy that the images need, and a machine that nobody but a person switches on."""

from __future__ import annotations

import re

import yaml

from tests.integration.test_chaos_sample import Site


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
