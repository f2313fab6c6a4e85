"""Profiles and the inventories made from them: every profile is whole, every mistake is one sentence, and what is made passes preflight."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.filter import init as filters
from ansible_collections.stratus.cloud.plugins.module_utils import preflight
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.plugin_utils import profiles

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = yaml.safe_load((ROOT / "profiles/schema.yml").read_text())
MATRIX = yaml.safe_load((ROOT / "bundles/versions.yml").read_text())
NAMES = filters.names()
CONTROLLER = {
    "distribution": "Ubuntu", "distribution_version": "24.04", "codename": "noble", "architecture": "x86_64", "memory_mb": 99000, "disk_gb": 900,
}  # fmt: skip
ANSWERS = {
    "name": "north",
    "controller_address": "192.0.2.7",
    "network": "10.7.0.0/20",
    "dns": ["192.0.2.53"],
    "email": "ops@north.example",
    "bmc_password": "a BMC's password",
    "secrets": {"postgres_password": "0123456789", "maas_admin_password": "abcdefghij"},
}


def machines(count):
    return [{"mac_addresses": [f"52:54:00:00:00:{number:02x}"], "bmc_address": f"10.7.0.{20 + number}"} for number in range(count)]


def made(name, **changes):
    count = profiles.profile(yaml.safe_load((ROOT / f"profiles/{name}.yml").read_text()), SCHEMA, MATRIX)["compute"]["count"]
    return {entry["path"]: str(entry["text"]) for entry in filters.inventory_files({**ANSWERS, "machines": machines(count), **changes}, name)}


def variables(files):
    found = {}
    for path, text in sorted(files.items()):
        if path.startswith("group_vars"):
            found |= yaml.safe_load(text)
    return found


def bundle_of(values):
    overlays = [
        values["openstack_site_overlay"] if overlay == "{{ openstack_site_overlay }}" else str(ROOT / overlay)
        for overlay in values["openstack_bundle_overlays"]
    ]
    return bundles.load(str(ROOT / values["openstack_bundle_file"]), overlays)


def metal(bundle):
    return [name for name, about in bundle["machines"].items() if about and "tags=compute" in about.get("constraints", "")]


def test_there_are_profiles():
    assert NAMES == ["caracal-3-node", "caracal-ha", "minimal", "thesis-3-node"]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_says_what_its_bundle_is(name):
    chosen = profiles.profile(yaml.safe_load((ROOT / f"profiles/{name}.yml").read_text()), SCHEMA, MATRIX, name)
    bundle = bundles.load(str(ROOT / chosen["bundle"]), [str(ROOT / overlay) for overlay in chosen["overlays"]])
    channels = MATRIX["openstack"]["releases"][chosen["release"]][chosen["base"]]
    assert bundle["applications"]["keystone"]["channel"] == channels["openstack"]
    assert bundles.base(bundle["default-base"]) == f"{chosen['base']}/stable"
    stored = {"cinder-lvm": "lvm", "ceph-osd": "ceph"}
    assert [kind for application, kind in stored.items() if application in bundle["applications"]] == (
        [] if chosen["storage"] == "none" else [chosen["storage"]]
    )
    assert set(chosen["vips"]) == {name.removesuffix("-hacluster") for name in bundle["applications"] if name.endswith("-hacluster")}
    assert len(metal(bundle)) <= chosen["compute"]["least"]


@pytest.mark.parametrize("name", NAMES)
def test_the_inventory_of_a_profile_has_no_problem(name):
    files = made(name)
    hosts = yaml.safe_load(files["hosts.yml"])["all"]["children"]
    values = variables(files)
    site = preflight.Site(variables=values, machines=hosts["compute"]["hosts"], compute=list(hosts["compute"]["hosts"]), controller=CONTROLLER, matrix=MATRIX)
    assert preflight.site_problems(site) == []
    bundle = bundle_of(values)
    assert bundles.problems(bundle) == []
    assert len(metal(bundle)) == len(hosts["compute"]["hosts"])
    assert len(bundle["applications"]["nova-compute"]["to"]) == bundle["applications"]["nova-compute"]["num_units"] == len(metal(bundle))


def test_it_explains_as_much_as_the_example_does():
    files = made("thesis-3-node")
    for path, text in files.items():
        example = ROOT / "inventories/example" / path
        comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
        if example.exists() and path != "hosts.yml":
            assert comments == [line for line in example.read_text().splitlines() if line.lstrip().startswith("#")], path
        assert path == "hosts.yml" or yaml.safe_load(text) is not None
    assert "CHANGE-ME" not in "".join(line for text in files.values() for line in text.splitlines() if not line.startswith("#"))


def test_every_variable_of_the_example_is_there():
    example = {}
    for path in (ROOT / "inventories/example/group_vars/all").glob("*.yml"):
        example |= yaml.safe_load(path.read_text())
    assert set(example) <= set(variables(made("caracal-ha")))


def test_what_is_not_known_is_left_to_be_filled_in_and_preflight_says_so():
    files = {entry["path"]: str(entry["text"]) for entry in filters.inventory_files({"name": "bare"}, "caracal-3-node")}
    hosts = yaml.safe_load(files["hosts.yml"])["all"]["children"]
    site = preflight.Site(
        variables=variables(files), machines=hosts["compute"]["hosts"], compute=list(hosts["compute"]["hosts"]), controller=CONTROLLER, matrix=MATRIX
    )
    problems = preflight.site_problems(site)
    assert {entry["check"] for entry in problems} == {"placeholders"}
    assert {"maas_admin_email", "maas_admin_password", "compute0.mac_addresses[0]"} <= {entry["variable"] for entry in problems}


@pytest.mark.parametrize("name", NAMES)
def test_disks_are_for_machines_that_the_bundle_has(name):
    values = variables(made(name))
    assert set(values["openstack_bundle_vm_disks"]) <= set(bundle_of(values)["machines"])
    assert bool(values["openstack_bundle_vm_disks"]) == (name in ("caracal-3-node", "thesis-3-node"))


def test_more_hypervisors_than_the_bundle_has():
    files = made("caracal-ha", compute=5, machines=machines(5))
    bundle = bundle_of(variables(files))
    assert len(metal(bundle)) == 5
    assert bundle["applications"]["ceph-osd"]["num_units"] == 5
    assert bundle["applications"]["ceph-mon"]["options"]["expected-osd-count"] == 5
    copies = {name: (about.get("options") or {}).get("ceph-osd-replication-count") for name, about in bundle["applications"].items()}
    assert {name: number for name, number in copies.items() if number} == dict.fromkeys(("ceph-radosgw", "cinder-ceph", "glance", "nova-compute"), 3)
    vips = [bundle["applications"][name]["options"]["vip"] for name in ("keystone", "placement")]
    assert len(set(vips)) == 2 and all(vip.startswith("10.7.0.6") for vip in vips)


@pytest.mark.parametrize(("network", "count"), [("10.7.0.0/25", 3), ("10.7.0.0/24", 14), ("10.7.0.0/20", 40)])
def test_a_guessed_bmc_has_no_virtual_address(network, count):
    files = made("caracal-ha", network=network, compute=count, machines=[])
    vips = [about["options"]["vip"] for about in variables(files)["openstack_site_overlay"]["applications"].values() if "vip" in about.get("options", {})]
    hosts = yaml.safe_load(files["hosts.yml"])["all"]["children"]["compute"]["hosts"]
    assert len(vips) >= 6 and len(hosts) == count
    assert not {host["bmc"]["address"] for host in hosts.values()} & set(vips)


def test_machines_that_were_found_beyond_the_number_asked_for_are_spare():
    hosts = yaml.safe_load(made("thesis-3-node", compute=2, machines=machines(3))["hosts.yml"])["all"]["children"]
    assert list(hosts["compute"]["hosts"]) == ["compute0", "compute1"] and list(hosts["spare"]["hosts"]) == ["compute2"]


def test_an_interface_of_another_name_goes_into_the_bundle():
    bundle = bundle_of(variables(made("minimal", compute_interface="eno7")))
    assert bundle["applications"]["ovn-chassis"]["options"]["bridge-interface-mappings"] == "br-ex:eno7"


def test_a_password_of_bmcs_with_braces_is_taken_as_it_is():
    text = made("minimal", bmc_password="a{{ 1 }}'\"b")["group_vars/all/90-secrets.yml"]
    [line] = [line for line in text.splitlines() if line.startswith("secret_bmc_password")]
    assert line == 'secret_bmc_password: !unsafe "a{{ 1 }}\'\\"b"'


@pytest.mark.parametrize("network", ["10.7.0.0/20", "192.168.4.0/24", "172.16.9.64/26", "10.0.0.0/8"])
def test_ranges_keep_out_of_each_others_way(network):
    [reserved, *_floating], dynamic = profiles.ranges(network)
    files = made("caracal-ha", network=network, machines=[])
    site = preflight.Site(variables={**variables(files), "maas_admin_email": "a@b.example"}, controller=CONTROLLER, matrix=MATRIX)
    assert list(preflight.network(site)) == []
    assert reserved["start"] != dynamic["start"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"storage": "tape"}, "storage must be one of"),
        ({"compute": {"count": 9, "least": 1, "most": 2}}, "compute.count has to lie between"),
        ({"compute": {"count": 1}}, "missing required arguments"),
        ({"release": "folsom"}, "release folsom is none of yoga"),
        ({"base": "ubuntu@16.04"}, "is not published for ubuntu@16.04"),
        ({"colour": "blue"}, "colour"),
        ({"bundle": None}, "bundle"),
    ],
)
def test_what_is_wrong_with_a_profile_is_one_sentence(changes, words):
    data = {**yaml.safe_load((ROOT / "profiles/minimal.yml").read_text()), **changes}
    with pytest.raises(profiles.ProfileError, match=words) as caught:
        profiles.profile({key: value for key, value in data.items() if value is not None}, SCHEMA, MATRIX, "mine")
    assert all(problem.startswith("mine") for problem in caught.value.problems)


def test_all_that_is_wrong_with_the_answers_is_told_at_once():
    with pytest.raises(AnsibleFilterError) as caught:
        filters.inventory_files(
            {"name": "No Good", "network": "10.7.0.0/28", "gateway": "10.9.0.1", "compute": 99, "machines": [{"mac_addresses": ["x"]}]}, "minimal"
        )
    for words in ("'No Good'", "10.7.0.0/28 is too small", "10.9.0.1 is not in the network", "compute 99 is outside", "x is no MAC address"):
        assert words in str(caught.value)


def test_an_unknown_profile_names_those_that_there_are():
    with pytest.raises(AnsibleFilterError, match="no profile nothing.*thesis-3-node"):
        filters.inventory_files({}, "nothing")


@pytest.mark.parametrize(
    "value", ["52:54:00:10:00:01", "3.5/stable", "yes", "1e3", "a: b", "#x", "{{ x }}", "it's", "", "null", "10.42.0.1", "http://10.0.0.1:5240/MAAS", "[a"]
)
def test_whatever_is_written_is_read_back_the_same(value):
    assert yaml.safe_load(f"key: {profiles.flow({'a': [value, 1, True, None]})}") == {"key": {"a": [value, 1, True, None]}}


def test_machines_of_maas_come_first_with_the_address_that_they_boot_from():
    known = [
        {"hostname": "metal", "power_type": "ipmi", "boot_mac": "b", "mac_addresses": ["a", "b"]},
        {"hostname": "virtual", "power_type": "lxd", "mac_addresses": ["c"]},
    ]
    assert filters.machines_found(known, [{"address": "10.0.0.9", "reachable": True}]) == [{"hostname": "metal", "mac_addresses": ["b", "a"]}]
    assert filters.machines_found([], [{"address": "10.0.0.9", "reachable": True}, {"address": "10.0.0.8", "reachable": False}]) == [
        {"bmc_address": "10.0.0.9"}
    ]


def test_ranges_of_addresses():
    assert filters.address_range("10.0.0.254-10.0.1.1") == ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]
    for odd in ("10.0.0.9-10.0.0.1", "10.0.0.0-10.1.0.0", "nothing"):
        with pytest.raises(AnsibleFilterError):
            filters.address_range(odd)


def test_neighbours_of_a_network():
    told = '[{"dst": "10.0.0.9", "lladdr": "aa:bb"}, {"dst": "10.0.0.2", "lladdr": "cc:dd"}, {"dst": "192.0.2.1", "lladdr": "ee:ff"}, {"dst": "10.0.0.3"}]'
    assert filters.neighbours(told, "10.0.0.0/24") == ["10.0.0.2 (cc:dd)", "10.0.0.9 (aa:bb)"]


def test_the_playbook_writes_it_and_never_over_another(tmp_path):
    site = tmp_path / "site"
    argv = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "localhost,",
        "playbooks/init.yml",
        "-e",
        f"init_dest={site}",
        "-e",
        "init_profile=minimal",
    ]
    run = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 180, "stdin": subprocess.DEVNULL}
    done = subprocess.run([*argv, "-e", "init_name=small"], **run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Values marked CHANGE-ME are left in" in done.stdout
    secrets = yaml.safe_load((site / "group_vars/all/90-secrets.yml").read_text())
    assert len(secrets["postgres_password"]) == 24 and secrets["postgres_password"] not in done.stdout
    assert all(path.stat().st_mode & 0o077 == 0 for path in site.rglob("*"))
    listed = subprocess.run([str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(site), "--host", "compute0"], **run)
    assert secrets["secret_bmc_password"] in listed.stdout and '"stratus_cloud_name": "small"' in listed.stdout
    again = subprocess.run(argv, **run)
    assert again.returncode != 0 and "is there already" in again.stdout + again.stderr
