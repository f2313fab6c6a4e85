"""The overlays of this collection: laid over both bundles, one by one and all together, and held against what the charms declare."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju import charms

from lab.world.juju import charms as facts

ROOT = Path(__file__).parents[4]
MATRIX = yaml.safe_load((ROOT / "bundles/versions.yml").read_text())["openstack"]
RELEASES = ("2023.1", "2024.1")
NAMES = ("barbican", "ceph", "designate", "ha", "heat", "magnum", "octavia", "telemetry")
NEEDS = {"telemetry": ["ceph"], "magnum": ["heat", "barbican"]}
"""What an overlay says has to come before it."""
EACH = [(release, [*NEEDS.get(name, []), name]) for release in RELEASES for name in NAMES]
TOGETHER = [(release, ["heat", "barbican", "ceph", "designate", "octavia", "telemetry", "magnum", "ha"]) for release in RELEASES]


def overlay(release, name):
    return str(ROOT / "bundles/overlays" / release / f"{name}.yaml")


def loaded(release, names):
    return bundles.load(str(ROOT / MATRIX["bundles"][release]), [overlay(release, name) for name in names])


def declared(name):
    """A charm as the controller would tell it, from the lab's facts of the real ones."""
    known = facts.charm(name)
    meta = {key: known.get(key) for key in ("provides", "requires", "peers", "subordinate", "resources")}
    return charms.simplify({"meta": {**meta, "name": name, "extra-bindings": dict.fromkeys(known.get("extra-bindings", []))}, "config": known.get("options")})


def test_every_overlay_is_known_here():
    for release in RELEASES:
        assert sorted(path.stem for path in (ROOT / "bundles/overlays" / release).iterdir()) == sorted(NAMES)


@pytest.mark.parametrize(("release", "names"), EACH + TOGETHER, ids=lambda value: value if isinstance(value, str) else "+".join(value))
def test_the_bundle_with_it_is_whole_and_the_charms_take_it(release, names):
    bundle = loaded(release, names)
    assert bundles.problems(bundle) == []
    desired = bundles.normal(bundle)
    known = {name: declared(application["charm"]) for name, application in desired["applications"].items()}
    assert charms.problems(desired, known) == []
    for name, application in desired["applications"].items():
        assert known[name]["options"] or not application["options"], f"the facts about the charm of {name} have no options to check these against"


@pytest.mark.parametrize(("release", "names"), TOGETHER, ids=RELEASES)
def test_channels_are_those_of_the_release(release, names):
    family = {charm: name for name, members in MATRIX["families"].items() for charm in members}
    channels = MATRIX["releases"][release]["ubuntu@22.04"]
    for name, application in bundles.normal(loaded(release, names))["applications"].items():
        assert application["channel"] == channels[family.get(application["charm"], "openstack")], name


@pytest.mark.parametrize("name", NAMES)
def test_the_two_releases_differ_in_channels_only(name):
    one, other = (yaml.safe_load(Path(overlay(release, name)).read_text()) for release in RELEASES)
    for part in (one, other):
        for application in filter(None, part["applications"].values()):
            application.pop("channel", None)
    assert one == other


@pytest.mark.parametrize("name", NAMES)
def test_an_overlay_takes_no_machine_of_the_bundle_or_of_another_overlay(name):
    """Machines stay free for each other; memcached's is shared, and the same in both."""
    mine = yaml.safe_load(Path(overlay("2024.1", name)).read_text())["machines"]
    taken = dict(bundles.load(str(ROOT / MATRIX["bundles"]["2024.1"]))["machines"])
    for other in set(NAMES) - {name}:
        taken.update({key: value for key, value in yaml.safe_load(Path(overlay("2024.1", other)).read_text())["machines"].items() if key != "17"})
    assert not set(mine) & set(taken)


def test_relations_that_a_charm_does_not_offer_would_be_found():
    """The check of these tests can fail."""
    bundle = loaded("2024.1", ["heat"])
    bundle["relations"].append(["heat:amqp", "vault:certificates"])
    bundle["applications"]["heat"]["options"] = {"no-such-option": 1}
    desired = bundles.normal(bundle)
    known = {name: declared(application["charm"]) for name, application in desired["applications"].items()}
    assert len(charms.problems(desired, known)) == 2
