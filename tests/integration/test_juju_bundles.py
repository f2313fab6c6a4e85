"""Bundles on the lab's controller: broken after every step and continued, changed and applied again, and the official client's word for it.

Each of the two long tests takes one of the bundles, half a minute each; with STRATUS_FULL=1 in the environment each takes both.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.juju import apply, bundle, client, model, status

from tests.support.juju_lab import JujuLabThread

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = {name: ROOT / "bundles" / f"{name}.yaml" for name in ("thesis-jammy-2023.1", "jammy-2024.1")}


@pytest.fixture
def lab():
    with JujuLabThread(speed=0, plan="series") as found:
        for number in range(4):
            found.call(lambda host: found.world.maas.machine(host).update(tags=["compute"]), f"compute{number}")
        yield found


def connect(lab, name="openstack"):
    return client.Client(lab.endpoint, lab.username, lab.password, lab.ca_cert, model=name)


def picture(link):
    """A model without what differs from one model to the next (addresses, MAAS machines, times)."""
    found = status.read(link)
    applications = {}
    for name, about in found["applications"].items():
        more = model.application(link, name)
        applications[name] = {
            **{key: about[key] for key in ("charm", "channel", "revision", "base", "exposed", "units", "subordinate_to")},
            "options": {key: option["value"] for key, option in more["options"].items() if option.get("source") == "user"},
            "constraints": more["constraints"], "bindings": more["bindings"],
        }  # fmt: skip
    return {
        "machines": {name: (about["base"], about["constraints"]) for name, about in found["machines"].items()},
        "units": {name: (about["machine"], about["principal"]) for name, about in found["units"].items()},
        "relations": sorted(relation["endpoints"] for relation in found["relations"]),
        "applications": applications,
    }


class Killed(BaseException):
    pass


class Steps(list):
    """Lets so many steps be done, then the process dies."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def append(self, text):
        super().append(text)
        if not text.startswith("fetch charm"):
            self.limit -= 1
            if self.limit == 0:
                raise Killed


def run(link, desired, steps=None):
    job = apply.Application(link, desired, sleep=lambda seconds: None)
    if steps:
        job.done = Steps(steps)
    return job.apply(model.read(link, desired)), job


def planned(link, desired):
    return apply.Application(link, desired).plan(model.read(link, desired))


def texts(plan):
    return [step["text"] for step in plan["steps"] if step["action"] != "charm"]


@pytest.mark.parametrize("name", [pytest.param("thesis-jammy-2023.1", marks=pytest.mark.long), "jammy-2024.1"])
def test_broken_after_every_step_and_continued(lab, name):
    desired = bundle.normal(bundle.load(str(BUNDLES[name])))
    lab.call(lab.model, "whole")
    lab.call(lab.model, "broken")
    with connect(lab, "whole") as link:
        whole, _ = run(link, desired)
        wanted = picture(link)
    left = texts(whole)
    while left:
        # Each turn is a process of its own that dies after one more step.
        with connect(lab, "broken") as link, pytest.raises(Killed):
            plan = planned(link, desired)
            assert texts(plan) == left
            run(link, desired, steps=1)
        left = left[1:]
    with connect(lab, "broken") as link:
        assert planned(link, desired)["steps"] == []
        assert picture(link) == wanted


@pytest.mark.parametrize("fault", ["juju_drop", "juju_drop_after"])
def test_a_connection_that_is_lost_in_every_kind_of_request(lab, fault):
    desired = bundle.normal(bundle.load(str(BUNDLES["thesis-jammy-2023.1"])))
    lab.call(lab.model, "whole")
    with connect(lab, "whole") as link:
        run(link, desired)
        wanted = picture(link)
    lab.call(lab.model, "cut")
    requests = [
        "Annotations.Set", "MachineManager.AddMachines", "Charms.AddCharm", "Charms.ResolveCharms", "Application.Deploy", "Application.AddUnits",
        "Application.AddRelation", "Client.FullStatus", "Application.Get",
    ]  # fmt: skip
    for facade, request in (name.split(".") for name in requests):
        lab.call(lab.fault, fault, facade=facade, request=request, times=2)
    with connect(lab, "cut") as link:
        run(link, desired)
        assert planned(link, desired)["steps"] == []
        assert picture(link) == wanted


def test_changed_and_applied_again(lab):
    content = bundle.load(str(BUNDLES["thesis-jammy-2023.1"]))
    lab.call(lab.model, "openstack")
    with connect(lab) as link:
        run(link, bundle.normal(content))
        lab.call(lab.settle)
        overlay = {
            "applications": {
                "keystone": {"options": {"debug": True}},
                "glance": {"num_units": 2, "to": ["3", "lxd:4"]},
                "placement": {"channel": "2024.1/stable"},
                "nova-compute": {"options": {"virt-type": "kvm", "enable-resize": None}},
                "openstack-dashboard": {"expose": True},
            },
            "relations": [["nova-compute:cloud-credentials", "keystone:identity-credentials"]],
        }
        desired = bundle.normal(bundle.load(content, [overlay]))
        plan, job = run(link, desired)
        assert [text.split(", revision")[0] for text in texts(plan)] == [
            "set options of keystone: debug: false -> true",
            "refresh placement: 2023.1/stable",
            "set options of nova-compute: virt-type: qemu -> kvm, enable-resize -> the charm's default",
            "add 1 unit of glance on lxd:4",
            "relate nova-compute:cloud-credentials and keystone:identity-credentials",
            "expose openstack-dashboard",
        ]
        assert [text for text in job.done if not text.startswith("fetch charm")] == texts(plan)
        assert planned(link, desired)["steps"] == []
        found = picture(link)
        assert found["applications"]["placement"]["channel"] == "2024.1/stable"
        options = found["applications"]["nova-compute"]["options"]
        assert options["virt-type"] == "kvm" and "enable-resize" not in options
        assert found["applications"]["openstack-dashboard"]["exposed"]
        assert found["units"]["glance/1"][0].startswith("4/lxd/")


def test_pruned_to_what_the_bundle_names(lab):
    content = bundle.load(str(BUNDLES["thesis-jammy-2023.1"]))
    lab.call(lab.model, "openstack")
    with connect(lab) as link:
        run(link, bundle.normal(content))
        lab.call(lab.settle)
        before = picture(link)
        less = bundle.load(content, [{"applications": {"openstack-dashboard": None, "dashboard-mysql-router": None}}])
        # With what stood on it the machine goes from the bundle.
        assert set(content["machines"]) - set(less["machines"]) == {"8"}
        desired = bundle.normal(less)
        assert planned(link, desired)["steps"] == [] and planned(link, desired)["unnamed"] == ["dashboard-mysql-router", "openstack-dashboard"]
        job = apply.Application(link, desired, prune=True)
        assert texts(job.apply(model.read(link, desired))) == [
            "remove dashboard-mysql-router with 1 unit, which the bundle does not name",
            "remove openstack-dashboard with 1 unit, which the bundle does not name",
        ]
        again = apply.Application(link, desired, prune=True)
        assert again.plan(model.read(link, desired))["steps"] == [], "what is on its way out is not removed twice"
        lab.call(lab.settle)
        after = picture(link)
        assert set(before["applications"]) - set(after["applications"]) == {"dashboard-mysql-router", "openstack-dashboard"}
        # Juju gives a machine back with its only unit; nothing else goes.
        gone = set(before["machines"]) - set(after["machines"])
        assert gone == {before["units"]["openstack-dashboard/0"][0]} | {name for name in before["machines"] if name.startswith("8")}


@pytest.mark.parametrize("name", ["thesis-jammy-2023.1", pytest.param("jammy-2024.1", marks=pytest.mark.long)])
def test_the_official_client_agrees(lab, name):
    """libjuju deploys the same bundle by itself; both models must be the same."""
    from juju.model import Model

    ours, official = lab.call(lab.model, "ours"), lab.call(lab.model, "official")
    with connect(lab, "ours") as link:
        run(link, bundle.normal(bundle.load(str(BUNDLES[name]))))

    async def deploy():
        found = Model()
        await found.connect(endpoint=lab.endpoint, uuid=official["uuid"], username=lab.username, password=lab.password, cacert=lab.ca_cert)
        try:
            await asyncio.wait_for(found.deploy(str(BUNDLES[name])), 240)
        finally:
            await found.disconnect()

    asyncio.run(deploy())
    assert ours["uuid"] != official["uuid"]
    with connect(lab, "ours") as link:
        mine = picture(link)
    with connect(lab, "official") as link:
        theirs = picture(link)
    # The official client hands out machines in another order: what stands together is what counts, not a machine's number.
    assert grouped(mine) == grouped(theirs)
    assert mine["relations"] == theirs["relations"] and mine["applications"] == theirs["applications"]
    assert sorted(mine["machines"].values()) == sorted(theirs["machines"].values())
    assert set(mine["applications"]) == set(yaml.safe_load(BUNDLES[name].read_text())["applications"])


def grouped(found):
    hosts = {}
    for unit, (machine, _principal) in found["units"].items():
        hosts.setdefault(machine, set()).add(unit.rpartition("/")[0])
    return sorted((sorted(tenants), found["machines"][machine]) for machine, tenants in hosts.items())
