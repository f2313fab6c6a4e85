"""Profiles and the inventories made from them: every profile is whole, every mistake is one sentence, and what is made passes preflight."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.filter import init as filters
from ansible_collections.stratus.cloud.plugins.filter import placement
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
        {"hostname": "metal", "status": "Ready", "power_type": "ipmi", "boot_mac": "b", "boot_interface": "eno1", "mac_addresses": ["a", "b"]},
        {"hostname": "virtual", "status": "Ready", "power_type": "lxd", "mac_addresses": ["c"]},
    ]
    assert filters.machines_found(known, [{"address": "10.0.0.9", "reachable": True}]) == [
        {"hostname": "metal", "mac_addresses": ["b", "a"], "boot_interface": "eno1"}
    ]
    assert filters.machines_found([], [{"address": "10.0.0.9", "reachable": True}, {"address": "10.0.0.8", "reachable": False}]) == [
        {"bmc_address": "10.0.0.9"}
    ]


def test_machines_that_somebody_has_are_left_out_with_the_reason():
    states = {"a": "New", "b": "Ready", "c": "Deployed", "d": "Broken", "e": "Commissioning", "f": "Ready"}
    known = [{"hostname": name, "status": status, "power_type": "virsh" if name == "f" else "ipmi", "mac_addresses": [name]} for name, status in states.items()]
    known[2]["owner"] = "alice"
    assert [machine["hostname"] for machine in filters.machines_found(known)] == ["a", "b"]
    assert filters.machines_left_out(known) == ["c (Deployed, by alice)", "d (Broken)", "e (Commissioning)", "f (a virtual machine of virsh)"]
    assert [machine["hostname"] for machine in filters.machines_found(known, [], ["c", "f"])] == ["a", "b", "c", "f"]
    assert filters.machines_left_out(known, ["c", "f"]) == ["d (Broken)", "e (Commissioning)"]
    with pytest.raises(AnsibleFilterError, match="MAAS knows no machine z; it has a, b"):
        filters.machines_found(known, [], ["z"])


@pytest.mark.parametrize(("found", "used"), [(0, 1), (3, 3), (4, 4), (5, 4)])
def test_as_many_hypervisors_as_were_found_up_to_the_most_of_the_profile(found, used):
    hosts = yaml.safe_load(made("minimal", machines=machines(found))["hosts.yml"])["all"]["children"]
    assert len(hosts["compute"]["hosts"]) == used and len(hosts["spare"]["hosts"]) == max(0, found - used)


def own(tmp_path, name="minimal", **changes):
    """A profile file of one's own: one of the collection's with changes."""
    data = {**yaml.safe_load((ROOT / f"profiles/{name}.yml").read_text()), **changes}
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(data))
    return str(tmp_path / "mine.yml")


def test_dedicated_gives_ovn_the_second_interface_and_maas_makes_no_bridge(tmp_path):
    answers = {**ANSWERS, "machines": machines(1), "provider_interface": "enp2s0"}
    values = variables({entry["path"]: str(entry["text"]) for entry in filters.inventory_files(answers, own(tmp_path, network="dedicated"))})
    assert values["maas_compute_bridge"] == {}
    assert bundle_of(values)["applications"]["ovn-chassis"]["options"]["bridge-interface-mappings"] == "br-ex:enp2s0"


@pytest.mark.parametrize(
    ("network", "answers", "words"),
    [
        ("dedicated", {}, "second interface, which OVN gets for itself .network: dedicated.: name it"),
        ("dedicated", {"provider_interface": "enp1s0"}, "enp1s0 is the one that they boot from"),
        ("dedicated", {"provider_interface": "eno7", "compute_interface": "eno7"}, "eno7 is the one that they boot from"),
        ("dedicated", {"provider_interface": "eno1", "machines": [{**machines(1)[0], "boot_interface": "eno1"}]}, "eno1 is the one that they boot from"),
        ("shared", {"provider_interface": "eno1"}, "eno1 is for profiles with network: dedicated"),
    ],
)
def test_the_boot_interface_is_never_ovns_own(tmp_path, network, answers, words):
    [problem] = filters.inventory_problems({**ANSWERS, **answers}, own(tmp_path, network=network))
    assert problem.startswith("provider_interface") and re.search(words, problem)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"release": "2023.1"}, "mine: release is 2023.1, and the bundle bundles/minimal-jammy-2024.1.yaml has keystone from 2024.1/stable"),
        ({"base": "ubuntu@24.04"}, "mine: base is ubuntu@24.04, and the bundle bundles/minimal-jammy-2024.1.yaml is for ubuntu@22.04"),
        ({"storage": "ceph"}, "mine: storage is ceph, and the bundle with its overlays has no ceph-osd"),
        ({"overlays": ["bundles/overlays/2024.1/ceph.yaml"], "bundle": "bundles/jammy-2024.1.yaml"}, "mine: storage is none, and the bundle .* has ceph-osd"),
        ({"vips": ["nosuch"]}, "mine: vips names nosuch"),
        ({"variables": {"maas_chanel": "3.5/stable"}}, "mine: no role reads the variable maas_chanel; maas_channel is one"),
        ({"phases": {"clouds": 7}}, "mine: site.yml has no phase clouds, but preflight, controller"),
        ({"phases": {"cloud": "long"}}, "mine: phases.cloud is 'long': give the seconds"),
        ({"bundle": "nowhere.yaml"}, "nowhere.yaml cannot be read"),
        ({"variables": {"maas_channel": "2.9/stable"}}, "maas_channel = 2.9/stable: this release of maas is not known to work; use one of"),
    ],
)
def test_a_profile_that_does_not_fit_what_it_names_is_refused(tmp_path, changes, words):
    problems = filters.inventory_problems(ANSWERS, own(tmp_path, **changes))
    assert any(re.match(words, problem) for problem in problems), problems


@pytest.mark.parametrize("name", NAMES)
def test_the_profiles_of_the_collection_and_their_answers_are_without_problems(name):
    assert filters.inventory_problems(ANSWERS, name) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gateway": "10.7.13.9"}, "maas_gateway_ip = 10.7.13.9: DHCP could give this address to another machine"),
        ({"gateway": "10.7.8.5"}, "gateway, 10.7.8.5, is one of the addresses that are kept for the tenants"),
        ({"gateway": "10.7.0.0"}, "gateway 10.7.0.0 is no address of a host"),
        ({"compute": "0"}, "compute 0 is outside of what the profile is made for, 3 to 40"),
        ({"machines": [{**machine, "hostname": "node1"} for machine in machines(2)]}, "two machines are named node1"),
        ({"machines": [{**machines(1)[0], "hostname": "controller0"}]}, "machine name controller0 is a name that the inventory has for something else"),
        ({"machines": [machines(1)[0], machines(1)[0]]}, "compute1.mac_addresses.0. = 52:54:00:00:00:00: compute0 has the same MAC address"),
        ({"machines": [{"bmc_address": f"10.7.0.{number}"} for number in range(60, 96)]}, "the profile needs 6 virtual addresses, and of .* only 4 are free"),
    ],
)
def test_answers_that_contradict_each_other_are_refused(changes, words):
    problems = filters.inventory_problems({**ANSWERS, **changes}, "caracal-ha")
    assert any(re.match(words, problem) for problem in problems), problems
    with pytest.raises(AnsibleFilterError):
        filters.inventory_files({**ANSWERS, **changes}, "caracal-ha")


def test_virtual_addresses_and_guesses_keep_off_the_bmcs_that_are_there():
    known = [{"bmc_address": address} for address in ("10.7.0.60", "10.7.0.61", "10.7.0.22")]
    files = made("caracal-ha", machines=known, compute=4)
    vips = [about["options"]["vip"] for about in variables(files)["openstack_site_overlay"]["applications"].values() if "vip" in about.get("options", {})]
    assert sorted(vips) == [f"10.7.0.{number}" for number in range(62, 68)]
    bmcs = [host["bmc"]["address"] for host in yaml.safe_load(files["hosts.yml"])["all"]["children"]["compute"]["hosts"].values()]
    assert bmcs == ["10.7.0.60", "10.7.0.61", "10.7.0.22", "10.7.0.23"]


def test_a_host_name_that_yaml_would_take_for_a_number_is_quoted():
    assert list(yaml.safe_load(made("minimal", machines=[{**machines(1)[0], "hostname": "1e3"}])["hosts.yml"])["all"]["children"]["compute"]["hosts"]) == [
        "1e3"
    ]
    assert list(yaml.safe_load(made("minimal", machines=[{**machines(1)[0], "hostname": "12"}])["hosts.yml"])["all"]["children"]["compute"]["hosts"]) == ["12"]


def test_the_phases_of_a_profile_go_into_the_inventory(tmp_path):
    files = {entry["path"]: str(entry["text"]) for entry in filters.inventory_files(ANSWERS, own(tmp_path, phases={"cloud": 4000, "controller": 90.5}))}
    assert variables(files)["stratus_profile_phases"] == {"cloud": 4000, "controller": 90.5}
    before, after = files["group_vars/all/15-profile.yml"].split("stratus_profile_phases:")
    assert before.splitlines()[-1].startswith("# Seconds that phases of site.yml take")
    files = {entry["path"]: str(entry["text"]) for entry in filters.inventory_files(ANSWERS, own(tmp_path, phases={}))}
    assert "stratus_profile_phases" not in variables(files)


def test_no_inventory_speaks_of_another_ones_numbers():
    """A comment about one bundle's machines would be copied into the inventories of all."""
    text = (ROOT / "inventories/example/group_vars/all/10-cloud.yml").read_text()
    assert not re.search(r"^#.*\b\d+ cores", text, re.M)


def test_the_first_clouds_page_has_the_sizes_and_numbers_of_the_profiles():
    page, sizes = (ROOT / "docs/first-cloud.md").read_text(), {}
    for name in NAMES:
        _stem, chosen = filters.load(name)
        bundle = bundles.load(str(ROOT / chosen["bundle"]), [str(ROOT / overlay) for overlay in chosen["overlays"]])
        vms = placement.bundle_vms(bundles.machines(bundle))
        juju = yaml.safe_load((ROOT / "inventories/example/group_vars/all/50-juju.yml").read_text())["juju_vm"]
        cores, memory = (sum(vm[key] for vm in [*vms, juju]) for key in ("cores", "memory"))
        sizes[name] = (cores, memory // 1024, chosen["compute"]["least"])
    assert sizes["thesis-3-node"] == sizes["caracal-3-node"]
    (cores, memory, least), ha, small = (sizes[name] for name in ("thesis-3-node", "caracal-ha", "minimal"))
    assert f"have {cores} cores and {memory} GiB (`caracal-ha`: {ha[0]} and {ha[1]} GiB, `minimal`: {small[0]} and {small[1]} GiB)" in page
    assert f"| compute machines | {least} (`caracal-ha`: {ha[2]}, `minimal`: {small[2]})" in page


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


def test_the_playbook_tells_every_problem_in_a_line_and_writes_nothing(tmp_path):
    site = tmp_path / "site"
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "playbooks/init.yml", "-e", f"init_dest={site}"]
    answers = ["-e", f"init_profile={own(tmp_path, network='dedicated', vips=['nosuch'])}", "-e", "init_gateway=10.42.200.1", "-e", "init_compute=0"]
    run = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 180, "stdin": subprocess.DEVNULL}
    done = subprocess.run([*argv, *answers], **run)
    assert done.returncode != 0 and not site.exists()
    told = [line.strip() for line in done.stdout.splitlines()]
    for words in ("- 'mine: vips names nosuch", "- compute 0 is outside", "- 'provider_interface is the compute machines"):
        assert any(line.startswith(words) for line in told), done.stdout
