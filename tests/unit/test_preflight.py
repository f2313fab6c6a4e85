"""What preflight finds in plain data: every kind of bad input, together, and no secret among the findings."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.action.preflight import ActionModule
from ansible_collections.stratus.cloud.plugins.module_utils import preflight
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.preflight import Site, site_problems
from ansible_collections.stratus.cloud.plugins.plugin_utils import collection

from tests.support.run_module import run_module

ROOT = Path(__file__).resolve().parents[2]
SPECS = collection.options()


def inventory(name: str) -> dict:
    variables = {}
    for path in sorted((ROOT / "inventories" / name / "group_vars/all").glob("*.yml")):
        variables |= yaml.safe_load(path.read_text())
    return variables


@pytest.fixture
def site() -> Site:
    groups = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())["all"]["children"]
    return Site(
        variables=inventory("lab"),
        machines=copy.deepcopy({**groups["compute"]["hosts"], **groups["spare"]["hosts"]}),
        compute=list(groups["compute"]["hosts"]),
        controller={
            "distribution": "Debian",
            "distribution_version": "12.15",
            "codename": "bookworm",
            "architecture": "x86_64",
            "memory_mb": 24000,
            "disk_gb": 100,
            "postgres": [],
        },
        matrix=yaml.safe_load((ROOT / "bundles/versions.yml").read_text()),
        specs=SPECS,
    )


def laid(bundle: str, *overlays) -> dict:
    """One of our bundles with overlays: names of ours (release/name), or dictionaries."""
    return bundles.load(str(ROOT / "bundles" / bundle), [o if isinstance(o, dict) else str(ROOT / f"bundles/overlays/{o}.yaml") for o in overlays])


def found(site: Site, **options) -> dict[str, dict]:
    return {entry["variable"]: entry for entry in site_problems(site, **options)}


def test_the_lab_has_no_problem(site):
    assert site_problems(site) == []


def test_libraries_are_those_of_the_requirements(site):
    site.requirements = ["python-libmaas==0.6.8", "hvac>=2.1,<3", "openstacksdk>=4,<4.15", "juju==3.6.1.3"]
    site.libraries = {"python": "/usr/bin/python3", "packages": {"python-libmaas": "0.6.8", "hvac": "2.4.0", "openstacksdk": "4.15.1"}}
    [entry] = site_problems(site)
    assert entry["check"] == "libraries" and entry["variable"] == "stratus_api_host" and "/usr/bin/python3 -m pip install" in entry["remedy"]
    assert entry["problem"].endswith("openstacksdk>=4,<4.15 (4.15.1 there), juju==3.6.1.3 (none there)")
    assert not site_problems(site, skip=["libraries"])


def test_python_packages_info_tells_what_this_interpreter_has(tmp_path):
    told = run_module("python_packages_info", {}, tmp_path)
    assert not told["changed"] and told["packages"]["python-libmaas"] and told["packages"]["pytest"] == pytest.__version__ and told["python"]


def test_the_example_is_refused_for_its_placeholders_only(site):
    site.variables = inventory("example")
    problems = site_problems(site)
    assert {entry["check"] for entry in problems} == {"placeholders"}
    assert {"postgres_password", "maas_admin_password", "maas_admin_email"} <= {entry["variable"] for entry in problems}


def test_every_problem_is_there_at_once_with_variable_value_and_remedy(site):
    site.variables |= {
        "maas_dynamic_range": {"start": "10.99.0.1", "end": "10.42.255.254"},
        "maas_gateway_ip": "10.43.0.1",
        "juju_channel": "4.0/stable",
        "maas_url": "",
    }
    site.machines["compute1"]["mac_addresses"] = list(site.machines["compute0"]["mac_addresses"])
    site.machines["compute1"]["bmc"]["address"] = "10.42.0.20"
    problems = found(site)
    assert set(problems) == {
        "maas_dynamic_range.start",
        "maas_gateway_ip",
        "juju_channel",
        "maas_url",
        "compute1.mac_addresses[0]",
        "compute1.bmc.address",
    }
    assert problems["maas_dynamic_range.start"]["value"] == "10.99.0.1"
    assert all(entry["problem"] and entry["remedy"] for entry in problems.values())


@pytest.mark.parametrize(
    ("value", "variable", "words"),
    [
        ({"start": "10.42.200.0", "end": "10.42.100.0"}, "maas_dynamic_range", "before its start"),
        ({"start": "10.42.0.50", "end": "10.42.1.0"}, "maas_reserved_ranges[0]", "overlaps maas_dynamic_range"),
        ({"start": "10.42.191.255", "end": "10.42.255.255"}, "maas_dynamic_range.end", "usable addresses"),
        ({"start": "ten", "end": "10.42.255.254"}, "maas_dynamic_range.start", "no IP address"),
        ("10.42.191.255-10.42.255.254", "maas_dynamic_range", "no mapping"),
    ],
)
def test_ranges(site, value, variable, words):
    site.variables["maas_dynamic_range"] = value
    assert words in found(site)[variable]["problem"]


def test_an_address_that_dhcp_could_give_away(site):
    site.machines["compute0"]["bmc"]["address"] = "10.42.200.1"
    assert "DHCP" in found(site)["compute0.bmc.address"]["problem"]


def test_names_that_collide(site):
    site.machines["juju-machine"] = {}
    site.machines["os-3"] = {}
    site.machines["Under_Score"] = {}
    problems = found(site)
    assert "same name" in problems["juju_vm.hostname"]["problem"]
    assert "virtual machines" in problems["os-3"]["problem"]
    assert "no host name" in problems["Under_Score"]["problem"]


@pytest.mark.parametrize("name", ["os_", "-os", "OS-", "o" * 62])
def test_virtual_machines_have_host_names(site, name):
    site.variables["juju_vm"] = {**site.variables["juju_vm"], "hostname": f"{name}0-"}
    site.variables["openstack_bundle_vm_prefix"] = name
    problems = found(site)
    assert "no host name" in problems["juju_vm.hostname"]["problem"]
    assert f"virtual machine {name}10 would have no host name" in problems["openstack_bundle_vm_prefix"]["problem"]


def test_machines_need_a_mac_address_and_a_whole_bmc(site):
    site.machines["compute0"] = {"bmc": {"type": "ipmi", "address": "10.42.0.20", "user": "root"}}
    problems = found(site)
    assert problems["compute0.mac_addresses"]["value"] == "(not set)"
    assert problems["compute0.bmc.password"]["value"] == "(not set)"


def test_a_key_that_a_bmc_does_not_have_is_told_without_its_value(site):
    site.machines["compute0"]["bmc"] |= {"power_type": "redfish"}
    entry = found(site)["compute0.bmc.power_type"]
    assert entry["value"] == "(hidden)" and "no such key" in entry["problem"] and "type" in entry["problem"]


def test_there_is_an_image_for_every_base(site):
    site.bases = ["ubuntu@22.04/stable", "ubuntu@24.04", "", None, "ubuntu@20.04"]
    assert "ubuntu@24.04" in found(site)["maas_images"]["problem"]
    assert "release: noble" in found(site)["maas_images"]["remedy"]
    site.variables["maas_images"].append({"os": "ubuntu", "release": "24.04", "arches": ["amd64"]})
    assert site_problems(site) == []


def test_versions(site):
    site.variables |= {"maas_channel": "3.7/stable"}
    assert "needs PostgreSQL 16" in found(site)["postgres_version"]["problem"]
    site.controller["postgres"] = [16]
    assert "postgres_version" not in found(site)
    site.variables |= {"maas_channel": "3.3/stable", "juju_channel": "2.9/stable", "postgres_version": "13"}
    problems = found(site)
    assert "not known" in problems["maas_channel"]["problem"]
    assert "Juju 2" in problems["juju_channel"]["problem"]
    assert "packages version 15" in problems["postgres_version"]["problem"]


@pytest.mark.parametrize(
    ("version", "expression", "met"),
    [("3.6.13", ">=3.6.13,<=3.6.14", True), ("3.6.15", ">=3.6.13,<=3.6.14", False), ("4", ">=4.0", True), ("3.6", "==3.6.24", False), ("2.9", "<3.0", True)],
)
def test_comparisons_of_versions(version, expression, met):
    assert preflight._matches(preflight._version(version), expression) is met


def test_known_faults_of_what_is_installed_and_of_whole_tracks(site):
    assert preflight.warnings(site) == []
    site.variables |= {"juju_channel": "3.6/stable", "maas_channel": "3.6/stable"}
    site.controller["postgres"] = [16]
    assert preflight.warnings(site) == [], "which patch release the channel brings is not known"
    site.controller["snaps"] = {"juju": "3.6.14", "maas": "3.6.2-17583-g.7c9b8a4cb", "lxd": "5.21.3-c5ae129"}
    juju, maas = sorted(preflight.warnings(site))
    assert juju.startswith("juju_channel = juju 3.6.14, installed: bootstrap fails") and "21683" in juju
    assert "use 3.6.5 or later" in maas and preflight.warnings(site, ["versions"]) == []
    site.controller["snaps"] = {"juju": "3.6.24", "maas": "3.6.5"}
    assert "22691" not in found(site)["juju_channel"]["problem"] and "3.6.25" in found(site)["juju_channel"]["remedy"]
    assert preflight.warnings(site) == []
    site.controller["snaps"] = {}
    site.variables |= {"maas_channel": "3.4/stable", "lxd_channel": "6.1/stable"}
    assert [warning.partition(" = ")[0] for warning in preflight.warnings(site)] == ["maas_channel", "lxd_channel"]
    site.variables |= {"maas_channel": "4.0/edge"}
    assert "410 Gone" in found(site)["maas_channel"]["problem"]


@pytest.mark.parametrize(
    ("product", "version", "tracked", "asked", "remedy"),
    [
        ("maas", "3.7.3-17926-g.4d2f3bbd7", "3.7/stable", "3.5/stable", "set maas_channel to 3.7/stable"),
        (
            "maas",
            "3.5.13-16408-g.0ae4c2f6b",
            "3.5/stable",
            "3.6/stable",
            "set maas_channel to 3.5/stable, or back its data up and run `snap refresh --channel=3.6/stable maas` there",
        ),
        ("maas", "3.6.5", "latest/stable", "3.6/stable", "back its data up and run `snap refresh --channel=3.6/stable maas` there"),
        ("maas", "3.6.5", "-", "3.6/stable", "run `snap switch --channel=3.6/stable maas` there if it is of that release"),
        ("lxd", "5.0.4-497bdb3", "5.0/stable/…", "5.21/stable", "set lxd_channel to 5.0/stable, or back its data up"),
        ("lxd", "6.5-8b3a9d2", "6/stable", "5.21/stable", "lxd does not go back with its data"),
        ("lxd", "6.5-8b3a9d2", "6/stable", "6/stable", "lxd does not go back with its data"),
        ("juju", "4.0.1", "4.0/stable", "3.6/stable", "juju does not go back with its data"),
    ],
)
def test_a_snap_that_is_there_keeps_its_track(site, product, version, tracked, asked, remedy):
    site.controller |= {"distribution": "Ubuntu", "distribution_version": "24.04", "snaps": {product: version}, "channels": {product: tracked}}
    site.variables |= {f"{product}_channel": asked}
    if product == "maas":
        site.variables["postgres_version"] = "16"
        site.controller["postgres"] = [16]
    entry = [entry for entry in site_problems(site) if entry["variable"] == f"{product}_channel"][0]
    assert entry["check"] == "versions" and entry["remedy"].startswith(remedy)
    assert tracked == asked or ("no channel" if tracked == "-" else tracked) in entry["problem"]
    assert not found(site, skip=["versions"])


def test_another_risk_of_the_same_track_is_taken_and_a_snap_that_is_not_used_does_not_matter(site):
    site.controller["channels"] = {"maas": "3.5/edge", "juju": "3.6/stable/…", "lxd": "6/stable"}
    assert site_problems(site) == [], "on Debian LXD comes as a package"
    site.variables["juju_channel"] = "stable"
    assert "tracks" not in found(site)["juju_channel"]["problem"]


def test_the_controller_holds_the_virtual_machines(site):
    site.controller |= {"cores": "8", "memory_mb": "63000", "disk_size_gb": "400", "kvm": True}
    # 33 cores of 32 that may be promised; 65,536 MiB installed are 63,000 or so to the kernel; one disk that does not fit.
    site.vms = [{"hostname": "os-0", "cores": 31, "memory": 61440, "disks": [390, 404]}, {"hostname": "juju", "cores": "2", "memory": 4096, "disks": []}]
    problems = found(site)
    assert set(problems) == {"controller's cores", "controller's disk_size_gb"}
    assert "ask for 33 cores, and MAAS lets it promise 32" in problems["controller's cores"]["problem"]
    site.variables |= {"lxd_cpu_over_commit_ratio": 5, "lxd_storage_driver": "zfs"}
    assert site_problems(site) == []
    site.vms[0]["memory"] = 64000
    site.controller["kvm"] = False
    assert set(found(site)) == {"controller's memory_mb", "controller's /dev/kvm"}
    assert found(site, skip=["vms"]) == {}
    site.vms[0] |= {"cores": "four", "disks": ["20.5", "20G"]}
    assert {"os-0's cores", "os-0's disks"} < set(found(site))
    site.variables["lxd_memory_over_commit_ratio"] = "much"
    assert "controller's memory_mb" in found(site)
    site.vms = []
    assert set(found(site)) == {"lxd_memory_over_commit_ratio"}


def test_the_controller(site):
    del site.variables["stratus_preflight_minimum"]
    # Before ansible-core 2.19 a fact comes as text.
    site.controller |= {"memory_mb": "8000", "disk_gb": "900"}
    assert "8192" in found(site)["controller's memory_mb"]["problem"]
    site.variables["stratus_preflight_minimum"] = {"memory_mb": 8192, "disk_gb": 40}
    site.controller |= {"distribution": "Fedora", "memory_mb": 2048, "disk_gb": 5, "architecture": "aarch64"}
    assert len(site_problems(site)) == 4
    site.variables["stratus_preflight_minimum"] = {"memory_mb": "8G"}
    assert found(site)["stratus_preflight_minimum.memory_mb"]["value"] == "8G"


@pytest.mark.parametrize(
    ("name", "value", "variable", "words"),
    [
        ("juju_vm", "big", "juju_vm", "no mapping"),
        ("juju_vm", {"hostname": "juju", "cores": "two"}, "juju_vm.cores", "no whole number"),
        ("lxd_vm_host", {"nme": "a"}, "lxd_vm_host.nme", "no such key"),
        ("lxd_vm_host", {"nme": "a"}, "lxd_vm_host.name", "does not have it"),
        ("maas_compute_bridge", {"nme": "br"}, "maas_compute_bridge.nme", "no such key"),
        ("openstack_bundle_vm_disks", [20], "openstack_bundle_vm_disks", "no mapping"),
        ("openstack_bundle_vm_disks", None, "openstack_bundle_vm_disks", "no value"),
        ("openstack_bundle_overlays", "mine.yaml", "openstack_bundle_overlays", "no list"),
        ("maas_images", [{"relase": "jammy"}], "maas_images[0].relase", "no such key"),
        ("maas_enlist", "guess", "maas_enlist", "no such choice"),
        ("live_migration_kinds", ["block", "blok"], "live_migration_kinds", "no such choice"),
        ("maas_images_timeout", "long", "maas_images_timeout", "no whole number"),
        ("juju_nat_enabled", "perhaps", "juju_nat_enabled", "no truth value"),
        ("lxd_bridge", ["br0"], "lxd_bridge", "no text"),
    ],
)
def test_variables_are_held_against_the_argument_specs_of_the_roles(site, name, value, variable, words):
    site.variables[name] = value
    entry = found(site)[variable]
    assert entry["check"] == "types" and words in entry["problem"] and entry["remedy"]
    assert {entry["check"] for entry in site_problems(site, only=["types"])} == {"types"}
    assert "types" not in {entry["check"] for entry in site_problems(site, skip=["types"])}


def test_values_of_a_list_are_held_against_the_choices_one_by_one(site):
    site.variables["live_migration_kinds"] = ["block", "volume", "shared"]
    assert not found(site)


def test_a_wrong_type_is_told_once_and_shows_no_secret(site):
    site.variables |= {
        "maas_dynamic_range": "all",
        "maas_admin_password": {"secret": "hidden-word"},
        "openstack_bundle_vault_keys_password": ["hidden-word"],
        "maas_settings": [{"password": "hidden-word"}],
    }
    problems = site_problems(site)
    assert sorted(entry["variable"] for entry in problems) == sorted(name for name in site.variables if name in {entry["variable"] for entry in problems})
    assert len(problems) == 4 and "hidden-word" not in preflight.render(problems)


def test_what_ansible_converts_and_what_may_be_empty_is_taken(site):
    site.variables |= {
        "lxd_bridge_interface": None,
        "maas_images_timeout": "600",
        "juju_nat_enabled": "yes",
        "postgres_version": 15,
        "maas_admin_email": "CHANGE-ME",
    }
    assert [entry["check"] for entry in site_problems(site)] == ["placeholders"]


@pytest.mark.parametrize(
    ("name", "value", "variable", "words"),
    [
        ("maas_upstream_dns", ["192.0.2.1", "nonsense"], "maas_upstream_dns[1]", "no IP address"),
        ("maas_gateway_ip", "10.42.0.0", "maas_gateway_ip", "first address"),
        ("maas_gateway_ip", "10.42.255.255", "maas_gateway_ip", "last address"),
        ("juju_nat", {"source": "10.43.0.0/16", "interface": "eno2"}, "juju_nat.source", "no way out"),
        ("juju_nat", {"source": "10.42.0.1/16", "interface": "eno2"}, "juju_nat.source", "no network address"),
        ("maas_commissioning_series", "focal", "maas_commissioning_series", "no image"),
        ("stratus_cloud_name", "my cloud/../x", "stratus_cloud_name", "cannot have"),
        ("juju_model_name", "My_Model", "juju_model_name", "cannot have"),
        ("lxd_bridge", "a-bridge-with-a-long-name", "lxd_bridge", "cannot have"),
    ],
)
def test_values_that_somebody_would_refuse_later(site, name, value, variable, words):
    site.variables[name] = value
    [entry] = site_problems(site)
    assert entry["variable"] == variable and words in entry["problem"] and entry["remedy"]


def test_a_bmc_has_an_address_and_a_password_that_is_text(site):
    site.machines["compute0"]["bmc"] |= {"address": "not-an-ip", "password": 12345678}
    site.machines["compute1"]["bmc"] = {"type": "redfish", "address": "bmc1.example.org", "user": "root", "password": "word"}
    problems = found(site)
    assert set(problems) == {"compute0.bmc.address", "compute0.bmc.password"}
    assert problems["compute0.bmc.password"]["value"] == "(hidden)" and "in quotes" in problems["compute0.bmc.password"]["remedy"]


def test_virtual_addresses(site):
    site.bundle = laid("jammy-2024.1.yaml", "2024.1/ha")
    clustered = {f"{name}.options.vip" for name in ("keystone", "glance", "neutron-api", "placement", "nova-cloud-controller", "openstack-dashboard")}
    assert set(found(site)) == clustered and all("needs a virtual address" in entry["problem"] for entry in site_problems(site))
    bmc = site.machines["compute0"]["bmc"]["address"]
    given = {
        "keystone": "10.42.0.60",
        "glance": "10.42.0.60",
        "neutron-api": bmc,
        "placement": "somewhere",
        "nova-cloud-controller": "10.42.200.1",
        "openstack-dashboard": "10.42.0.61 10.43.0.61",
    }
    site.bundle = laid("jammy-2024.1.yaml", "2024.1/ha", {"applications": {name: {"options": {"vip": vip}} for name, vip in given.items()}})
    problems = found(site)
    # Of two with one address the second is told.
    assert set(problems) == clustered - {"glance.options.vip", "openstack-dashboard.options.vip"}
    assert "glance.options.vip has the same address" in problems["keystone.options.vip"]["problem"]
    assert "compute0.bmc.address has the same address" in problems["neutron-api.options.vip"]["problem"]
    assert "no IP address" in problems["placement.options.vip"]["problem"] and "DHCP" in problems["nova-cloud-controller.options.vip"]["problem"]
    assert not found(site, skip=["vips"])


EVERY = ("heat", "barbican", "ceph", "designate", "octavia", "telemetry", "magnum")


@pytest.mark.parametrize(
    ("bundle", "release"), [("thesis-jammy-2023.1.yaml", "2023.1"), ("jammy-2024.1.yaml", "2024.1"), ("minimal-jammy-2024.1.yaml", "2024.1")]
)
def test_our_bundles_and_overlays_are_of_one_release(site, bundle, release):
    site.bundle = laid(bundle, *([] if "minimal" in bundle else [f"{release}/{name}" for name in EVERY]))
    assert site_problems(site) == []
    # Another risk is the site's choice, and so are charms that no release of OpenStack has.
    site.bundle["applications"]["keystone"]["channel"] = f"{release}/candidate"
    site.bundle["applications"]["ntp"] = {"charm": "ntp", "channel": "latest/stable"}
    site.bundle["applications"]["postgresql"] = {"charm": "ch:postgresql", "channel": "14/stable", "base": "ubuntu@22.04"}
    assert site_problems(site) == []


def test_channels_that_no_single_release_has(site):
    site.bundle = laid(
        "jammy-2024.1.yaml", "2023.1/heat", {"applications": {"keystone": {"channel": "2025.1/stable"}, "mysql-innodb-cluster": {"channel": "9.9/edge"}}}
    )
    problems = {entry["value"]: entry for entry in site_problems(site)}
    assert set(problems) == {"2023.1/stable", "2025.1/stable", "9.9/edge"} and {entry["check"] for entry in problems.values()} == {"releases"}
    assert "heat" in problems["2023.1/stable"]["variable"] and "use 2024.1/stable" in problems["2023.1/stable"]["remedy"]
    assert "use 8.0/stable" in problems["9.9/edge"]["remedy"]
    assert not found(site, skip=["releases"])


def test_a_release_on_a_base_that_it_is_not_known_on(site):
    site.bundle = laid("thesis-jammy-2023.1.yaml", {"default-base": "ubuntu@24.04"})
    entry = found(site)["openstack_bundle_file"]
    assert "on ubuntu@24.04" in entry["problem"] and "known there: 2024.1" in entry["remedy"]
    site.bundle = laid("thesis-jammy-2023.1.yaml", {"applications": {"keystone": {"base": "ubuntu@24.04"}}})
    entry = found(site)["channel of keystone"]
    assert "2023.1, which is not known on ubuntu@24.04" in entry["problem"] and "ubuntu@22.04" in entry["remedy"]


def test_what_a_release_of_maas_is_not_made_for_is_a_warning(site):
    site.controller |= {"distribution": "Ubuntu", "distribution_version": "22.04", "codename": "jammy"}
    assert preflight.warnings(site) == []
    site.variables |= {"maas_channel": "3.6/stable", "lxd_channel": "5.0/stable", "juju_bootstrap_base": "ubuntu@20.04"}
    told = preflight.warnings(site)
    assert [warning.partition(" = ")[0] for warning in told] == ["maas_channel", "postgres_version", "lxd_channel", "juju_bootstrap_base"]
    assert "made for Ubuntu 24.04" in told[0] and "PostgreSQL 16 is recommended" in told[1] and "made for LXD 5.21" in told[2]
    assert site_problems(site) == [] and preflight.warnings(site, ["versions"]) == []
    site.controller |= {"distribution_version": "24.04", "codename": "noble"}
    site.variables |= {"maas_channel": "3.8/edge", "lxd_channel": "5.21/stable", "juju_bootstrap_base": "ubuntu@24.04/stable"}
    assert [warning for warning in preflight.warnings(site) if "is a beta" in warning] == preflight.warnings(site) != []


def test_the_control_node(site):
    site.control = {"ansible_core": "2.19.4", "python": "3.12.1", "collections": {"openstack.cloud": ("2.5.0", ">=2.4.0")}, "wanted": {"openstack.cloud"}}
    assert site_problems(site) == [] and preflight.warnings(site) == []
    site.control |= {"ansible_core": "2.16.3", "python": "3.10.12", "collections": {"openstack.cloud": ("2.2.0", ">=2.4.0"), "a.b": (None, ">=1")}}
    assert set(found(site)) == {"ansible-core of the control node", "Python of the control node", "collection openstack.cloud of the control node"}
    site.control |= {"ansible_core": "2.30.0", "python": "3.12.1", "wanted": {"a.b"}}
    assert set(found(site)) == {"collection a.b of the control node"}
    newer, later = preflight.warnings(site)
    assert "2.30.0" in newer and "openstack.cloud" in later and "2.2.0" in later
    assert not found(site, skip=["control"]) and not preflight.warnings(site, ["control"])


def test_the_control_node_is_read():
    control = ActionModule._control({"verify": "yes"})
    assert control["ansible_core"].startswith("2.") and control["wanted"] == set(control["collections"]) >= {"openstack.cloud"}
    there, asked = control["collections"]["openstack.cloud"]
    # The package ansible 10, which brings ansible-core 2.17, has an older one (README): then that is what is told.
    old = control["ansible_core"].startswith("2.17.")
    assert asked == ">=2.4.0" and preflight._matches(preflight._version(there), asked) != old
    assert ActionModule._control({})["wanted"] == control["wanted"] - {"openstack.cloud"}


def test_secrets_are_never_shown(site):
    site.variables |= {"postgres_password": "top\nsecret", "maas_admin_password": 12345678}
    text = preflight.render(site_problems(site))
    assert "postgres_password = (hidden)" in text
    assert "top" not in text and "12345678" not in text


def test_a_variable_that_cannot_be_evaluated(site):
    del site.variables["maas_url"]
    site.broken["maas_url"] = "'nowhere' is undefined"
    assert "'nowhere' is undefined" in found(site)["maas_url"]["problem"]


def test_what_only_follows_from_another_problem_is_not_told(site):
    del site.variables["maas_url"], site.variables["stratus_state_dir"]
    site.broken |= {
        "stratus_state_dir": "'nowhere' is undefined",
        "maas_ssh_key_path": "'nowhere' is undefined",
        "lxd_maas_url": "'maas_url' is undefined",
        "maas_machines": "the filter failed",
        "lxd_bridge_rollback": "'other' is undefined",
    }
    assert set(found(site)) == {"maas_url", "stratus_state_dir", "lxd_bridge_rollback"}


def test_checks_are_left_out_by_name(site):
    site.variables |= {"maas_gateway_ip": "10.43.0.1", "juju_channel": "4.0/stable"}
    assert set(found(site, skip=["network"])) == {"juju_channel"}
    host = {"check": "bmc", "variable": "compute0.bmc", "value": "10.42.0.20", "problem": "no answer", "remedy": "plug it in"}
    assert set(found(site, skip=["network", "versions"], found=[host])) == {"compute0.bmc"}
    assert not found(site, skip=["network", "versions", "bmc"], found=[host])


def test_nothing_at_all_is_a_list_of_problems_not_a_crash():
    problems = site_problems(Site())
    assert {"maas_url", "groups.compute"} <= {entry["variable"] for entry in problems}


@pytest.mark.parametrize("value", [None, 7, "x", [], ["x"], {"x": 1}, [{"start": 1}]])
@pytest.mark.parametrize("name", preflight.REQUIRED + ("maas_reserved_ranges", "stratus_preflight_minimum", "postgres_version", "lxd_channel"))
def test_wrong_types_never_crash(site, name, value):
    site.variables[name] = value
    site_problems(site)


def test_the_result_is_written_for_programs_too(tmp_path):
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "name": "Check",
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars": {"maas_gateway_ip": "nowhere", "maas_admin_password": "a\nsecret"},
                    "tasks": [{"name": "Check", "stratus.cloud.preflight": {"skip": ["required"], "report": str(tmp_path / "found.json")}}],
                }
            ]
        )
    )
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")]
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, timeout=120, stdin=subprocess.DEVNULL
    )
    assert done.returncode != 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["skipped"] == ["required"]
    assert {entry["variable"] for entry in found["problems"]} >= {"maas_gateway_ip", "maas_admin_password"}
    assert "secret" not in (tmp_path / "found.json").read_text().replace("secrets", "")
    assert (tmp_path / "found.json").stat().st_mode & 0o777 == 0o600
