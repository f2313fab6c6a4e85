"""From the machines of a bundle to those of MAAS."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.filter import bundle, placement

MACHINES = [
    {"name": "0", "cores": 4, "memory": 6144, "disk": 20, "tags": [], "applications": ["mysql"]},
    {"name": "1", "cores": None, "memory": None, "disk": None, "tags": ["ssd"], "applications": []},
    {"name": "2", "cores": None, "memory": None, "disk": None, "tags": ["compute"], "applications": ["nova-compute"]},
]
KNOWN = [{"hostname": "os-0", "system_id": "aaa"}, {"hostname": "os-1", "system_id": "bbb"}, {"hostname": "compute0", "system_id": "ccc"}]


def test_virtual_machines_take_the_bundle_s_sizes_or_the_default():
    assert placement.bundle_vms(MACHINES, default={"memory": 2048}) == [
        {"hostname": "os-0", "cores": 4, "memory": 6144, "disks": ["20"], "tags": []},
        {"hostname": "os-1", "cores": 2, "memory": 2048, "disks": ["20"], "tags": ["ssd"]},
    ]


def test_single_machines_get_other_disks():
    vms = placement.bundle_vms(MACHINES, disks={0: [20, 512]})
    assert [vm["disks"] for vm in vms] == [["20", "512"], ["20"]]
    with pytest.raises(AnsibleFilterError, match="machine 7"):
        placement.bundle_vms(MACHINES, disks={"7": [1]})


def test_the_map_takes_hosts_in_order_and_virtual_machines_by_name():
    assert placement.bundle_machine_map(MACHINES, KNOWN, ["compute0", "compute1"]) == {"0": "aaa", "1": "bbb", "2": "ccc"}


@pytest.mark.parametrize(
    ("known", "hosts", "told"),
    [(KNOWN[:1], ["compute0"], "machine 1 of the bundle should be os-1"), (KNOWN, [], "only 0 such hosts"), (KNOWN, ["compute9"], "should be compute9")],
)
def test_a_machine_without_counterpart_is_named(known, hosts, told):
    with pytest.raises(AnsibleFilterError, match=told):
        placement.bundle_machine_map(MACHINES, known, hosts)


def test_a_first_disk_below_the_root_disk_is_told():
    machines = [{"name": "0", "disk": 20}, {"name": "1", "disk": 30}, {"name": "2", "disk": None}]
    assert placement.bundle_disk_problems(machines, {"0": [20, 512], 1: [20, 512], "2": [8], "3": [1]}) == ["machine 1: 20 GB first, 30 GB asked for"]
    assert placement.bundle_disk_problems(machines) == []


def test_the_thesis_bundle_asks_for_eleven_virtual_and_two_metal_machines():
    machines = bundle.bundle_machines("bundles/thesis-jammy-2023.1.yaml")
    vms = placement.bundle_vms(machines)
    assert [vm["hostname"] for vm in vms] == [f"os-{number}" for number in range(11)]
    assert (vms[0]["memory"], vms[0]["cores"], vms[0]["disks"]) == (6144, 4, ["20"])
    assert (vms[10]["memory"], vms[10]["disks"]) == (4096, ["20"])
    assert len(machines) - len(vms) == 2


def test_a_machine_with_a_name_of_the_cloud_s_that_another_controller_or_model_has_is_somebodys():
    def row(**about):
        return {"hostname": "os-0", "system_id": "aaa", "owner_data": {f"juju-{key}-uuid": value for key, value in about.items()}}

    def ours(machine, ids=(), models=()):
        return placement.cloud_machines([machine], ids, ["os-0"], [], "mine", models) == [machine]

    assert ours(row()) and ours(row(controller="mine", model="gone"))
    assert not ours(row(controller="other", model="its"))
    assert not ours(row(controller="mine", model="staging"), models=["staging"])
    assert ours(row(controller="mine", model="m"), ids=["aaa"], models=None)
