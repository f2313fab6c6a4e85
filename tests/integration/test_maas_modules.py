"""Every writing MAAS module on a region: --check writes nothing, the run changes, the second run does not, another client reads the effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.world.maas.base import Fields
from lab.world.rack import load
from tests.integration.maas_matrix import HOST, SUBNET, VM, Case, cases, declared, rack_entry
from tests.integration.maas_runner import Api, Failed, run
from tests.support.lab import MaasLab, ssh_key

RACK = load("thesis")
CASES = cases(RACK)
ROOT = Path(__file__).parents[2]
MODULES = ROOT / "plugins/modules"


PERSONALITIES = ("3.5", "3.7")


@pytest.fixture
def lab(tmp_path, monkeypatch, request):
    """A region of version 3.5, or of the one that the test is parametrised with."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with MaasLab(speed=600, personality=getattr(request, "param", PERSONALITIES[0])) as made:
        monkeypatch.setenv("MAAS_URL", made.url)
        monkeypatch.setenv("MAAS_API_KEY", made.api_key)
        yield made


@pytest.fixture
def api(lab):
    return Api(lab.url, lab.api_key)


def test_every_writing_module_has_a_case():
    texts = {path.stem: path.read_text() for path in MODULES.glob("maas_*.py")}
    assert {name for name, text in texts.items() if "stratus.cloud.maas.writes" in text} == {case.module for case in CASES}
    readers = {name for name, text in texts.items() if "stratus.cloud.maas.reads" in text}
    assert readers == {*INFOS, "maas_config_info", "maas_controller_info", "maas_events", "maas_machine_info", "maas_machine_wait"}


@pytest.mark.parametrize("lab", PERSONALITIES, indirect=True)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_matrix(lab, api, case: Case):
    if case.prepare:
        case.prepare(lab)
    for module, options in case.before:
        run(module, options)
    assert case.read(api) != case.expect, "the case proves nothing: the effect is there already"

    lab.forget()
    checked = run(case.module, case.options, check=True)
    assert [(entry["method"], entry["path"]) for entry in lab.writes()] == []
    assert checked["changed"]

    done = run(case.module, case.options)
    assert done["changed"]
    assert lab.writes()
    assert case.read(api) == case.expect

    lab.forget()
    again = run(case.module, case.options)
    assert not again["changed"], again["diff"]
    assert [(entry["method"], entry["path"]) for entry in lab.writes()] == []
    assert again["diff"] == {"before": {}, "after": {}}
    # What check mode promised is what was done.
    assert checked["diff"] == done["diff"]


def test_secrets_stay_inside(lab, api):
    entry = rack_entry(RACK, "compute0")
    entry["power_parameters"]["power_pass"] = "very-s3cret-bmc"
    results = [run("maas_machine", {"machines": [entry]}), run("maas_machine", {"machines": [entry]})]
    entry["power_parameters"]["power_pass"] = "other-s3cret-bmc"
    results.append(run("maas_machine", {"machines": [entry]}))
    results.append(run("maas_machine_info", {"machines": ["compute0"], "full": True}))
    text = json.dumps(results)
    assert "s3cret" not in text
    assert lab.api_key.split(":")[2] not in text
    assert results[2]["changed"]


def test_a_wrong_secret_is_told_without_the_right_one(lab):
    wrong = lab.api_key.rsplit(":", 1)[0] + ":wrongwrong"
    with pytest.raises(Failed, match="does not accept the API key") as caught:
        run("maas_machine_info", {"maas_api_key": wrong})
    assert lab.api_key.split(":")[2] not in json.dumps(caught.value.result)


def test_nobody_there(monkeypatch, lab):
    monkeypatch.setattr("ansible_collections.stratus.cloud.plugins.module_utils.maas.module.RETRY_FOR", 1.0)
    with pytest.raises(Failed, match="Check that the region runs"):
        run("maas_machine_info", {"maas_url": "http://127.0.0.1:1/MAAS"})


def test_unknown_machines_are_named(lab):
    with pytest.raises(Failed, match="knows no machine compute7, compute8"):
        run("maas_machine_state", {"machines": ["compute7", "compute8"], "state": "ready"})


def test_a_machine_that_booted_by_itself_is_adopted(lab, api):
    lab.call(lab.turn_dhcp_on)
    lab.call(lab.world.maas.bmc_power, "compute0", "on")
    mac = rack_entry(RACK, "compute0")["mac_addresses"][0]
    run("maas_machine_wait", {"machines": [mac], "status": ["New"], "appear": True, "wait_timeout": 30, "wait_interval": 1})
    before = api.get("machines/", mac_address=mac)[0]
    assert before["hostname"] != "compute0"
    result = run("maas_machine", {"machines": [rack_entry(RACK, "compute0")]})
    assert result["updated"] == ["compute0"]
    after = api.get("machines/")
    assert [(m["system_id"], m["hostname"], m["power_type"]) for m in after] == [(before["system_id"], "compute0", "ipmi")]


@pytest.mark.parametrize(("bmc", "power_type"), [(True, "ipmi"), (False, "manual")])
def test_a_machine_that_enlists_can_be_commissioned(lab, api, bmc, power_type):
    """MAAS commissions none whose power it knows nothing of."""
    if not bmc:
        lab.call(lab.world.rack.machines["compute0"].pop, "bmc")
    lab.call(lab.turn_dhcp_on)
    lab.call(lab.world.rack.set_power, "compute0", "on")
    mac = rack_entry(RACK, "compute0")["mac_addresses"][0]
    run("maas_machine_wait", {"machines": [mac], "status": ["New"], "appear": True, "wait_timeout": 30, "wait_interval": 1})
    entry = {"hostname": "compute0", "mac_addresses": [mac], "default_power_type": "manual"}
    run("maas_machine", {"machines": [entry]})
    assert api.get("machines/")[0]["power_type"] == power_type
    assert run("maas_machine", {"machines": [entry]})["changed"] is False
    started = run("maas_machine_state", {"machines": ["compute0"], "state": "ready", "wait": False})
    assert [(machine["power_type"], machine["status"]) for machine in started["machines"]] == [(power_type, "Commissioning")]


def test_a_bmc_of_the_inventory_stays_as_it_is(lab, api):
    """Commissioning would put a user of MAAS's on it, and the next declaration the inventory's back."""
    lab.call(lab.turn_dhcp_on)
    entries = [rack_entry(RACK, name) for name in ("compute0", "compute1")]
    run("maas_machine", {"machines": entries})
    ready = {"machines": ["compute0", "compute1"], "state": "ready", "skip_bmc_config_of": ["compute0"], "wait_timeout": 60}
    run("maas_machine_state", ready)
    assert run("maas_machine", {"machines": entries})["updated"] == ["compute1"]


def test_vms_are_composed_into_pools_and_zones_by_name(lab, api):
    lab.call(lab.turn_dhcp_on)
    run("maas_vm_host", {**HOST, "wait_timeout": 30})
    run("maas_resource_pool", {"name": "gold"})
    run("maas_zone", {"name": "rack2"})
    vms = [{**VM, "pool": "gold", "zone": "rack2", "domain": "maas"}]
    lab.forget()
    with pytest.raises(Failed, match="There is no zone 'rack3', which juju-machine, second would be in: use one that the region knows \\(default, rack2\\)"):
        run("maas_vm", {"vm_host": "lxd-controller", "vms": [{**vms[0], "zone": "rack3"}, {**VM, "hostname": "second", "zone": "rack3"}]})
    assert lab.writes() == []
    run("maas_vm", {"vm_host": "lxd-controller", "vms": vms, "wait": False})
    made = api.get("machines/")[0]
    assert [made[name]["name"] for name in ("pool", "zone", "domain")] == ["gold", "rack2", "maas"]


def test_images_are_selected_once_the_region_has_read_its_source(lab, api, monkeypatch):
    lab.fault("image_source")
    lab.call(lab.world.maas.images.create_source, Fields(url="http://mirror.example.com/stable/", keyring_filename="/k"))
    monkeypatch.setattr("ansible_collections.stratus.cloud.plugins.module_utils.maas.images.CATALOGUE_PAUSE", 0.1)
    monkeypatch.setattr("ansible_collections.stratus.cloud.plugins.module_utils.maas.images.CATALOGUE_WAIT", 1)
    mirror = {"release": "noble", "boot_source_url": "http://mirror.example.com/stable/"}
    with pytest.raises(Failed, match="After 1 s the region knows no images of ubuntu noble"):
        run("maas_boot_selection", mirror)
    run("maas_config", {"settings": {"http_proxy": "http://10.42.0.9:3128"}})
    assert run("maas_boot_selection", mirror)["changed"]
    assert [row["release"] for row in api.get("boot-sources/2/selections/")] == ["noble"]


def test_what_is_in_use_is_left_alone(lab):
    declared("compute0", "compute1", ready=True)(lab)
    run("maas_machine_state", {"machines": ["compute0"], "state": "deployed", "wait_timeout": 60})
    result = run("maas_machine_state", {"machines": ["compute0", "compute1"], "state": "ready"})
    assert not result["changed"]
    assert result["left_alone"] == {"compute0": "it is Deployed"}
    assert sorted(result["ready"]) == ["compute0", "compute1"]


def test_an_empty_vm_host_is_told_when_vms_are_wanted(lab):
    lab.call(lab.turn_dhcp_on)
    with pytest.raises(Failed, match="There is no VM host nowhere"):
        run("maas_vm", {"vm_host": "nowhere", "vms": [VM]})
    run("maas_vm_host", {**HOST, "wait_timeout": 30})
    run("maas_vm", {"vm_host": "lxd-controller", "vms": [VM], "wait": False})
    assert not run("maas_vm", {"vm_host": "lxd-controller", "vms": [VM], "wait_timeout": 60})["changed"]


def test_controllers(lab):
    result = run("maas_controller_info", {"wait": True, "successes": 2, "wait_timeout": 30, "wait_interval": 0.1})
    assert result["ready"]
    assert result["version"].startswith("3.5")
    assert result["racks"][0]["services"]["rackd"] == "running"


def test_links_follow_what_is_asked_for(lab, api):
    declared("compute0", ready=True)(lab)
    options = {"machines": ["compute0"], "type": "bridge", "name": "br-ex", "parent": "boot", "bridge_type": "ovs"}
    for links in (
        [{"subnet": SUBNET, "mode": "auto"}],
        [{"subnet": SUBNET, "mode": "dhcp"}],
        [{"subnet": SUBNET, "mode": "static", "ip_address": "10.42.3.4"}],
        [],
    ):
        assert run("maas_interface", {**options, "links": links})["changed"]
        assert not run("maas_interface", {**options, "links": links})["changed"], links
        machine = api.get("machines/", hostname="compute0")[0]
        found = next(i for i in machine["interface_set"] if i["name"] == "br-ex")["links"]
        assert [link["mode"] for link in found if link["mode"] != "link_up"] == [link["mode"] for link in links]


INFOS = {
    "maas_zone_info": ("zones", "name", "default"),
    "maas_resource_pool_info": ("resource_pools", "name", "default"),
    "maas_space_info": ("spaces", "name", "internal"),
    "maas_fabric_info": ("fabrics", "name", "fabric-1"),
    "maas_tag_info": ("tags", "name", "compute"),
    "maas_subnet_info": ("subnets", "cidr", SUBNET),
    "maas_ip_range_info": ("ip_ranges", "subnet", SUBNET),
    "maas_user_info": ("users", "username", "admin"),
    "maas_sshkey_info": ("sshkeys", "key", ssh_key()),
    "maas_boot_source_info": ("boot_sources", "url", "http://images.maas.io/ephemeral-v3/stable"),
    "maas_boot_resources_info": ("boot_resources", "name", "ubuntu/jammy"),
    "maas_vm_host_info": ("vm_hosts", "name", "lxd-controller"),
    "maas_dns_resource_info": ("dns_resources", "fqdn", "vip.maas"),
}


@pytest.mark.parametrize("lab", PERSONALITIES, indirect=True)
def test_the_reading_twins(lab):
    lab.call(lab.turn_dhcp_on)
    run("maas_space", {"name": "internal"})
    run("maas_tag", {"name": "compute"})
    run("maas_sshkey", {"key": ssh_key()})
    run("maas_vm_host", {**HOST, "wait_timeout": 30})
    run("maas_dns_resource", {"fqdn": "vip.maas", "ip_addresses": ["10.42.0.150"]})
    lab.forget()
    for module, (result, option, value) in INFOS.items():
        everything = run(module, {})
        if module == "maas_boot_resources_info":
            # Which release a fresh region has differs by its version.
            value = everything[result][0]["name"]
        one = run(module, {option: value})
        assert not everything["changed"]
        assert 1 <= len(one[result]) <= len(everything[result]), module
        assert all(thing in everything[result] for thing in one[result]), module
        assert run(module, {option: "10.99.0.0/16" if option in ("cidr", "subnet") else "no such thing"})[result] == []
    settings = run("maas_config_info", {"names": ["commissioning_distro_series", "completed_intro"]})["settings"]
    assert set(settings) == {"commissioning_distro_series", "completed_intro"}
    assert lab.writes() == []


def test_events(lab):
    declared("compute0", "compute1", ready=True)(lab)
    found = run("maas_events", {"machines": ["compute0"], "level": "DEBUG", "limit": 5000})
    assert {event["hostname"] for event in found["events"]} == {"compute0"}
    ids = [event["id"] for event in found["events"]]
    assert ids == sorted(ids)
    assert any(event["type"] == "Node changed status" for event in found["events"])
    assert run("maas_events", {"machines": ["compute0"], "level": "DEBUG", "after": found["last_id"]})["events"] == []
    assert [event["id"] for event in run("maas_events", {"level": "DEBUG", "limit": 3})["events"]][-1] >= found["last_id"]


def test_a_user_that_differs_cannot_be_changed(lab):
    with pytest.raises(Failed, match="email is 'admin@example.com', not 'other@example.com'"):
        run("maas_user", {"username": "admin", "email": "other@example.com"})
    with pytest.raises(Failed, match="email and password is needed"):
        run("maas_user", {"username": "new"})


def test_the_docs_list_the_matrix():
    """docs/maas.md says, for each writing module, what was tried; regenerate the rows from this message when it fails."""
    rows = {}
    for case in CASES:
        rows.setdefault(case.module, []).append(str(case).removeprefix(case.module).removeprefix("-") or "present")
    table = [f"| `{module}` | {', '.join(names)} |" for module, names in sorted(rows.items())]
    assert [line for line in (ROOT / "docs/maas.md").read_text().splitlines() if line in table] == table, "\n".join(table)
