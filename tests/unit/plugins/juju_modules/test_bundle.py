"""Bundles without a controller: reading, overlays, problems."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.filter import bundle as filters
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju import constraints
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault

from .fake import bundle

BUNDLES = Path(__file__).resolve().parents[4] / "bundles"


@pytest.mark.parametrize("name", ["thesis-jammy-2023.1.yaml", "jammy-2024.1.yaml"])
def test_our_own_bundles_are_whole(name):
    loaded = bundles.load(str(BUNDLES / name))
    assert bundles.problems(loaded) == []
    desired = bundles.normal(loaded)
    assert (len(desired["machines"]), len(desired["applications"]), len(desired["relations"])) == (13, 23, 50)
    assert sum(application["num_units"] for application in desired["applications"].values()) == 17
    # The word None is the charm's; it is text and stays text.
    assert desired["applications"]["cinder"]["options"] == {"block-device": "None", "glance-api-version": 2}
    assert desired["applications"]["nova-compute"]["placements"] == [{"container": None, "machine": "11"}, {"container": None, "machine": "12"}]


def test_the_two_bundles_differ_in_channels_and_in_what_runs_servers_only():
    one, other = (yaml.safe_load((BUNDLES / name).read_text()) for name in ("thesis-jammy-2023.1.yaml", "jammy-2024.1.yaml"))
    matrix = yaml.safe_load((BUNDLES / "versions.yml").read_text())["openstack"]
    family = {charm: name for name, charms in matrix["families"].items() for charm in charms}
    for release, loaded in (("2023.1", one), ("2024.1", other)):
        channels = matrix["releases"][release]["ubuntu@22.04"]
        for application in loaded["applications"].values():
            charm = bundles.charm(application["charm"])
            assert application.pop("channel") == channels[family.get(charm, "openstack")], charm
    # The thesis ran its servers in software emulation.
    assert [loaded["applications"]["nova-compute"]["options"].pop("virt-type") for loaded in (one, other)] == ["qemu", "kvm"]
    assert one == other


def test_machines_of_the_bundle():
    machines = filters.bundle_machines("bundles/thesis-jammy-2023.1.yaml")
    assert machines[0] == {"name": "0", "cores": 4, "memory": 6144, "disk": 20, "tags": [], "applications": ["mysql-innodb-cluster", "ovn-central"]}
    assert machines[10] == {"name": "10", "cores": 4, "memory": 4096, "disk": 20, "tags": [], "applications": ["cinder"]}
    assert [machine["tags"] for machine in machines[11:]] == [["compute"], ["compute"]]


def change(path, value):
    loaded = bundle()
    *parents, last = path
    target = loaded
    for key in parents:
        target = target[key]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return loaded


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["applications", "keystone", "to"], ["7"], "names machine 7"),
        (["applications", "keystone", "to"], ["lxd:7"], "names machine 7"),
        (["applications", "keystone", "to"], ["glance/0"], "names application glance"),
        (["applications", "vault", "to"], ["mysql/5"], "a unit that mysql does not have"),
        (["applications", "keystone", "to"], ["0", "1"], "2 placements for 1 units"),
        (["applications", "keystone", "to"], ["vm:1"], "unknown kind"),
        (["applications", "keystone", "num_unit"], 1, "unknown key 'num_unit'"),
        (["applications", "keystone", "num_units"], "two", "not a number of units"),
        (["applications", "keystone", "charm"], ..., "names no charm"),
        (["applications", "keystone", "charm"], "./keystone", "not the name of a charm"),
        (["applications", "keystone", "channel"], "2023.1/stabel", "not a channel"),
        (["applications", "keystone", "options"], {"region": ["a"]}, "option 'region' is a list"),
        (["applications", "keystone", "options"], "debug", "'options' is not a mapping"),
        (["applications", "keystone", "storage"], {"data": "cinder,lots"}, "storage data: 'cinder,lots' is not of the form POOL,SIZE,COUNT"),
        (["applications", "keystone", "storage"], {"data": "10G,20G"}, "is not of the form"),
        (["applications", "keystone", "devices"], {"gpu": "1,nvidia.com/gpu"}, "'devices' is not something"),
        (["machines", "0"], {"constraints": "mem 6G"}, "'mem' is not of the form key=value"),
        (["machines", "0"], {"constraints": "memory=6G"}, "'memory' is not a constraint"),
        (["machines", "0"], {"constraints": "mem=6Q"}, "'mem=6Q' has a value"),
        (["machines", "x"], {}, "its name is not a number"),
        (["machines", "9"], {}, "no placement names it"),
        (["relations", 0], ["keystone:shared-db", "glance:shared-db"], "no application glance"),
        (["relations", 0], ["keystone:shared-db"], "not a pair"),
        (["relations", 1], ["keystone-router:db-router", "mysql:db-router"], "it is there twice"),
        (["default-base"], "jammie", "neither a base"),
        (["saas"], {"x": {}}, "'saas' is not something"),
        (["nothing"], 1, "unknown key 'nothing'"),
    ],
)
def test_problems(path, value, words):
    found = bundles.problems(change(path, value))
    assert any(words in text for text in found), found
    with pytest.raises(BundleFault):
        bundles.normal(change(path, value))


def test_all_problems_are_told_together():
    loaded = bundle()
    loaded["applications"]["keystone"]["to"] = ["7"]
    loaded["relations"].append(["nobody:a", "mysql:db-router"])
    loaded["machines"]["0"] = {"constraints": "mem"}
    with pytest.raises(BundleFault) as error:
        bundles.normal(loaded)
    assert len(error.value.problems) == 3
    assert "3 problems" in str(error.value)


def test_placements_that_wait_for_each_other():
    loaded = bundle()
    loaded["applications"]["mysql"]["to"] = ["vault/0", "1"]
    assert any("wait for each other" in text for text in bundles.problems(loaded))


def test_placements_are_filled_up():
    assert bundles.placements({"num_units": 3, "to": ["1", "lxd:2"]})[2] == {"container": "lxd", "machine": "2"}
    assert bundles.placements({"num_units": 2}) == [{"container": None, "new": True}] * 2
    units = [place["unit"] for place in bundles.placements({"num_units": 3, "to": ["osd", "osd", "osd"]})]
    assert units == [0, 1, 2]


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("jammy", "ubuntu@22.04/stable"),
        ("ubuntu@24.04", "ubuntu@24.04/stable"),
        ("ubuntu@22.04/edge", "ubuntu@22.04/edge"),
    ],
)
def test_series_and_bases(given, base):
    assert bundles.base(given) == base
    loaded = bundle()
    del loaded["default-base"]
    loaded["series"] = given
    assert bundles.normal(loaded)["applications"]["keystone"]["base"] == base


def test_an_overlay_that_takes_the_last_unit_off_a_machine_takes_the_machine():
    text = (BUNDLES / "jammy-2024.1.yaml").read_text()
    plain = bundles.load(text)
    less = bundles.load(text, [{"applications": {"nova-compute": {"num_units": 1, "to": ["11"]}}}])
    assert set(plain["machines"]) - set(less["machines"]) == {"12"} and bundles.problems(less) == []
    # One that nothing was ever placed on is a slip of the pen still.
    stray = bundles.load(text, [{"machines": {"99": None}}])
    assert bundles.problems(stray) == ["machine 99: no placement names it"]


def test_overlays():
    overlay = """
applications:
  keystone: {options: {region: Other, debug: null}, channel: 2024.1/stable, to: ['0']}
  vault: null
machines:
  '3': {constraints: cores=8}
relations:
  - [nova-compute:image-service, keystone:identity-service]
"""
    merged = bundles.load(bundle(), [overlay])
    assert merged["applications"]["keystone"]["options"] == {"debug": None, "region": "Other"}
    assert merged["applications"]["keystone"]["channel"] == "2024.1/stable"
    assert merged["applications"]["keystone"]["num_units"] == 1
    assert "vault" not in merged["applications"]
    assert len(merged["relations"]) == 3
    assert "3" in merged["machines"]
    assert len(bundle()["relations"]) == 3, "the bundle itself is left as it was"


def test_a_file_with_several_documents_and_an_included_file(tmp_path):
    (tmp_path / "policy.txt").write_text("allow\n")
    (tmp_path / "bundle.yaml").write_text(
        "applications: {a: {charm: ch:a, options: {p: 'include-file://policy.txt', q: 'include-base64://policy.txt'}}}\n"
        "---\napplications: {a: {channel: edge}}\n"
    )
    loaded = bundles.load(str(tmp_path))
    assert loaded["applications"]["a"] == {"charm": "ch:a", "channel": "edge", "options": {"p": "allow\n", "q": "YWxsb3cK"}}


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / "b.yaml").write_text("a: [")
    for source in (str(tmp_path / "b.yaml"), str(tmp_path / "none.yaml")):
        with pytest.raises(BundleFault):
            bundles.load(source)
    assert len(filters.bundle_problems(str(tmp_path / "none.yaml"))) == 1


def test_constraints():
    parsed = constraints.parse("mem=3.5G cores=4 tags=a,b root-disk=512M zones=z")
    assert parsed == {"mem": 3584, "cores": 4, "tags": ["a", "b"], "root-disk": 512, "zones": ["z"]}
    assert constraints.text("tags=b mem=6144 cores=4") == "cores=4 mem=6G tags=b"
    assert constraints.same("tags=a,b", {"tags": ["b", "a"]})
    assert constraints.parse(None) == {}


def test_storage_as_the_controller_takes_it():
    wanted = {"osd-devices": "maas,10G", "osd-journals": "2,1.5GiB", "cache": "loop", "block": 3}
    found = bundles.normal(change(["applications", "keystone", "storage"], wanted))["applications"]["keystone"]["storage"]
    assert found == {
        "osd-devices": {"Pool": "maas", "Size": 10240, "Count": 1},
        "osd-journals": {"Size": 1536, "Count": 2},
        "cache": {"Pool": "loop", "Count": 1},
        "block": {"Count": 3},
    }
