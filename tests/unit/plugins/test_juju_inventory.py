from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.inventory.juju import InventoryModule, name_of

from tests.unit.plugins.test_maas_inventory import hostile, plugin, shown, trusted


def model(text="", unit="keystone/0", address="10.42.0.100"):
    """A status as module_utils/juju/status.py makes it, with a text wherever a controller may put one."""
    about = {"application": "keystone", "machine": "0", "leader": True, "address": address, "workload": text, "message": text, "agent": text, "principal": None}
    machine = {"address": address, "instance_id": text, "hostname": text, "base": text, "agent": text, "parent": None}
    return {"model": {"name": "openstack"}, "units": {unit: about}, "machines": {"0": machine}}


def filled(found, **options):
    made = plugin(InventoryModule, ssh_user="ubuntu", hosts=["units", "machines"], host_prefix="", **options)
    made._fill(found)
    return made.inventory


def test_texts_of_a_controller_are_no_templates(tmp_path):
    text = hostile(tmp_path / "canary")
    inventory = filled(
        model(text),
        compose={"one": trusted("juju_message | default('-')"), "joined": trusted("'<' ~ juju_agent ~ '>'")},
        groups={"leaders": trusted("juju_leader | default(false)")}, keyed_groups=[{"key": trusted("juju_agent"), "prefix": "agent"}],
    )  # fmt: skip
    unit, machine = shown(inventory, "keystone-0"), shown(inventory, "machine-0")
    assert not (tmp_path / "canary").exists(), "it was executed"
    assert [unit[f"juju_{name}"] for name in ("workload", "message", "agent")] == [text] * 3
    assert [machine[f"juju_{name}"] for name in ("system_id", "hostname", "base", "agent")] == [text] * 4
    assert (unit["one"], unit["joined"], machine["one"]) == (text, f"<{text}>", "-")
    assert unit["juju_leader"] is True and unit["juju_principal"] is None and machine["juju_applications"] == ["keystone"]
    assert {"juju_leaders", "leaders", "keystone"} <= set(unit["group_names"])
    assert all(name.isidentifier() for name in unit["group_names"]), "no group's name is more than a name"


def test_what_the_operator_says_of_the_way_stays():
    found = shown(filled(model(), ssh_private_key_file="/keys/id"), "keystone-0")
    assert (found["ansible_user"], found["ansible_ssh_private_key_file"], found["ansible_host"]) == ("ubuntu", "/keys/id", "10.42.0.100")


def test_no_name_and_no_address_is_more_than_that():
    found = shown(filled(model(unit="x\x1b/0; {{ 1 }}", address="-oProxyCommand=touch canary")), "x_-0_____1___")
    assert found["ansible_host"] == "_oProxyCommand_touch_canary"


@pytest.mark.parametrize("text", ["10.42.0.100", "fd00::1", "juju-1-lxd-0.maas", ""])
def test_an_address_stays_as_it_is(text):
    assert name_of(text, colons=True) == text
