"""What the matrix of tests does with each writing module: options of the first run, how another client reads the effect, what has to be there before.

A case is data, so that a module without one is noticed (test_maas_modules.test_every_writing_module_has_a_case).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.lab import ssh_key

SUBNET = "10.42.0.0/16"
CIDR = "10.77.0.0/24"


@dataclass
class Case:
    module: str
    options: dict[str, Any]
    read: Callable[[Any], Any]  # other client -> what is there
    expect: Any
    before: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # modules that have to run first
    prepare: Callable[[Any], None] | None = None  # lab -> None
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.module


def named(items: Any, key: str, value: Any) -> Any:
    return next((item for item in items if item[key] == value), None)


def pick(thing: Any, *keys: str) -> Any:
    return None if thing is None else {key: thing[key] for key in keys}


def machine(api: Any, hostname: str) -> Any:
    return (api.get("machines/", hostname=hostname) or [None])[0]


def subnet(api: Any, cidr: str) -> Any:
    return named(api.get("subnets/"), "cidr", cidr)


def bridge(api: Any, hostname: str, name: str = "br-ex") -> Any:
    found = machine(api, hostname)
    interface = named(found["interface_set"], "name", name)
    if interface is None:
        return None
    return {
        "type": interface["type"],
        "bridge_type": interface["params"].get("bridge_type") if interface["params"] else None,
        "links": [(link["mode"], link["subnet"]["cidr"]) for link in interface["links"] if link.get("subnet")],
    }


def declared(*hostnames: str, ready: bool = False) -> Callable[[Any], None]:
    """Machines that are there before; with DHCP, so that commissioning finds their network."""

    def prepare(lab: Any) -> None:
        lab.call(lab.turn_dhcp_on)
        lab.declare(*hostnames, ready=ready)

    return prepare


def rack_entry(lab_rack: dict[str, Any], hostname: str) -> dict[str, Any]:
    spec = next(machine for machine in lab_rack["machines"] if machine["hostname"] == hostname)
    return {
        "hostname": hostname,
        "mac_addresses": [nic["mac"] for nic in spec["nics"]],
        "power_type": "ipmi",
        "power_parameters": {
            "power_address": spec["bmc"]["address"],
            "power_user": spec["bmc"]["user"],
            "power_pass": spec["bmc"]["password"],
        },
    }


def vlan_of(api: Any, cidr: str) -> Any:
    vlan = subnet(api, cidr)["vlan"]
    return api.get(f"fabrics/{vlan['fabric_id']}/vlans/{vlan['vid']}/")


RANGE = {"type": "dynamic", "subnet": SUBNET, "start_ip": "10.42.191.255", "end_ip": "10.42.255.254"}
HOST = {"name": "lxd-controller", "type": "lxd", "power_address": "https://10.42.0.1:8443", "project": "tst-project", "password": "trust"}
VM = {"hostname": "juju-machine", "cores": 2, "memory": 4096, "disks": ["50"], "tags": ["juju"]}
SOURCE = "http://mirror.example.com/ephemeral-v3/stable/"


def cases(rack: dict[str, Any]) -> list[Case]:
    compute0 = rack_entry(rack, "compute0")
    return [
        Case(
            "maas_config",
            {"settings": {"upstream_dns": ["8.8.8.8", "1.1.1.1"], "completed_intro": True}},
            lambda api: [api.get("maas/", op="get_config", name=name) for name in ("upstream_dns", "completed_intro")],
            ["8.8.8.8 1.1.1.1", True],
        ),
        Case(
            "maas_boot_selection",
            {"release": "focal", "arches": ["amd64"]},
            lambda api: pick(named(api.get("boot-sources/1/selections/"), "release", "focal"), "os", "arches"),
            {"os": "ubuntu", "arches": ["amd64"]},
        ),
        Case(
            "maas_boot_resources",
            {"releases": ["focal"], "wait_timeout": 60, "wait_interval": 0.2},
            lambda api: "ubuntu/focal" in {row["name"] for row in api.get("boot-resources/")},
            True,
            before=[("maas_boot_selection", {"release": "focal"})],
        ),
        Case(
            "maas_sshkey",
            {"key": ssh_key()},
            lambda api: [key["key"] for key in api.get("account/prefs/sshkeys/")],
            [ssh_key()],
        ),
        Case(
            "maas_subnet",
            {"cidr": SUBNET, "gateway_ip": "10.42.0.1", "dns_servers": ["10.42.0.1", "1.1.1.1"]},
            lambda api: pick(subnet(api, SUBNET), "gateway_ip", "dns_servers"),
            {"gateway_ip": "10.42.0.1", "dns_servers": ["10.42.0.1", "1.1.1.1"]},
        ),
        Case(
            "maas_subnet",
            {"cidr": CIDR, "name": "storage", "fabric": "fabric-1", "vid": 0},
            lambda api: pick(subnet(api, CIDR), "name"),
            {"name": "storage"},
            name="maas_subnet-new",
        ),
        Case(
            "maas_subnet",
            {"cidr": CIDR, "state": "absent"},
            lambda api: subnet(api, CIDR),
            None,
            before=[("maas_subnet", {"cidr": CIDR})],
            name="maas_subnet-absent",
        ),
        Case(
            "maas_ip_range",
            RANGE,
            lambda api: [pick(found, "type", "start_ip", "end_ip") for found in api.get("ipranges/")],
            [{"type": "dynamic", "start_ip": "10.42.191.255", "end_ip": "10.42.255.254"}],
        ),
        Case(
            "maas_ip_range", {**RANGE, "state": "absent"}, lambda api: api.get("ipranges/"), [], before=[("maas_ip_range", RANGE)], name="maas_ip_range-absent"
        ),
        Case(
            "maas_vlan",
            {"subnet": SUBNET, "dhcp_on": True},
            lambda api: vlan_of(api, SUBNET)["dhcp_on"] and vlan_of(api, SUBNET)["primary_rack"] is not None,
            True,
            before=[("maas_ip_range", RANGE)],
        ),
        Case(
            "maas_vlan",
            {"fabric": "fabric-1", "vid": 100, "name": "storage", "mtu": 9000},
            lambda api: pick(named(api.get(f"fabrics/{named(api.get('fabrics/'), 'name', 'fabric-1')['id']}/vlans/"), "vid", 100), "name", "mtu"),
            {"name": "storage", "mtu": 9000},
            name="maas_vlan-new",
        ),
        Case(
            "maas_machine",
            {"machines": [{**compute0, "tags": ["compute"]}, rack_entry(rack, "compute1")]},
            lambda api: [(m["hostname"], m["status_name"], m["power_type"], m["tag_names"]) for m in api.get("machines/")],
            [("compute0", "New", "ipmi", ["compute"]), ("compute1", "New", "ipmi", [])],
        ),
        Case(
            "maas_machine",
            {"machines": [{"hostname": "renamed", "mac_addresses": compute0["mac_addresses"], "description": "rack 1", "pool": "default"}]},
            lambda api: [pick(m, "hostname", "description") for m in api.get("machines/")],
            [{"hostname": "renamed", "description": "rack 1"}],
            prepare=declared("compute0"),
            name="maas_machine-adopted",
        ),
        Case(
            "maas_machine",
            {"machines": [{"hostname": "compute0", "power_parameters": {"power_pass": "new-password"}}]},
            lambda api: api.get(f"machines/{machine(api, 'compute0')['system_id']}/", op="power_parameters")["power_pass"],
            "new-password",
            prepare=declared("compute0"),
            name="maas_machine-password",
        ),
        Case(
            "maas_machine",
            {"machines": [{"hostname": "compute0"}], "state": "absent"},
            lambda api: [m["hostname"] for m in api.get("machines/")],
            ["compute1"],
            prepare=declared("compute0", "compute1"),
            name="maas_machine-absent",
        ),
        Case(
            "maas_machine_state",
            {"machines": ["compute0", "compute1"], "state": "ready", "wait_timeout": 60, "wait_interval": 1},
            lambda api: {m["status_name"] for m in api.get("machines/")},
            {"Ready"},
            prepare=declared("compute0", "compute1"),
        ),
        *[
            Case(
                "maas_machine_state",
                {"machines": ["compute0"], "state": state, "wait_timeout": 60, "wait_interval": 1},
                lambda api, state=state: machine(api, "compute0")["testing_status_name" if state == "tested" else "status_name"],
                status,
                before=[("maas_machine_state", {"machines": ["compute0"], "state": first, "wait_timeout": 60, "wait_interval": 1}) for first in firsts],
                prepare=declared("compute0", ready=True),
                name=f"maas_machine_state-{state}",
            )
            for state, status, firsts in (
                ("allocated", "Allocated", []),
                ("deployed", "Deployed", []),
                ("released", "Ready", ["deployed"]),
                ("broken", "Broken", []),
                ("fixed", "Ready", ["broken"]),
                ("rescue", "Rescue mode", ["deployed"]),
                ("rescued", "Deployed", ["deployed", "rescue"]),
                ("tested", "Passed", []),
            )
        ],
        Case(
            "maas_machine_state",
            {"machines": ["compute0"], "state": "locked"},
            lambda api: machine(api, "compute0")["locked"],
            True,
            before=[("maas_machine_state", {"machines": ["compute0"], "state": "deployed", "wait_timeout": 60})],
            prepare=declared("compute0", ready=True),
            name="maas_machine_state-locked",
        ),
        Case(
            "maas_interface",
            {
                "machines": ["compute0", "compute1"],
                "type": "bridge",
                "name": "br-ex",
                "parent": "boot",
                "bridge_type": "ovs",
                "links": [{"subnet": SUBNET, "mode": "auto"}],
            },
            lambda api: [bridge(api, name) for name in ("compute0", "compute1")],
            [{"type": "bridge", "bridge_type": "ovs", "links": [("auto", SUBNET)]}] * 2,
            prepare=declared("compute0", "compute1", ready=True),
        ),
        Case(
            "maas_interface",
            {"machines": ["compute0"], "type": "bridge", "name": "br-ex", "state": "absent"},
            lambda api: bridge(api, "compute0"),
            None,
            before=[("maas_interface", {"machines": ["compute0"], "type": "bridge", "name": "br-ex", "parent": "boot"})],
            prepare=declared("compute0", ready=True),
            name="maas_interface-absent",
        ),
        Case(
            "maas_interface",
            {"machines": ["compute0"], "type": "vlan", "parent": "boot", "vlan_fabric": "fabric-1", "vlan_vid": 100},
            lambda api: [i["vlan"]["vid"] for i in machine(api, "compute0")["interface_set"] if i["type"] == "vlan"],
            [100],
            before=[("maas_vlan", {"fabric": "fabric-1", "vid": 100})],
            prepare=declared("compute0", ready=True),
            name="maas_interface-vlan",
        ),
        Case(
            "maas_tag",
            {"name": "compute", "comment": "runs guests", "machines": ["compute0", "compute1"]},
            lambda api: (
                pick(named(api.get("tags/"), "name", "compute"), "comment"),
                sorted(m["hostname"] for m in api.get("machines/") if "compute" in m["tag_names"]),
            ),
            ({"comment": "runs guests"}, ["compute0", "compute1"]),
            prepare=declared("compute0", "compute1"),
        ),
        Case(
            "maas_tag",
            {"name": "compute", "state": "absent"},
            lambda api: named(api.get("tags/"), "name", "compute"),
            None,
            before=[("maas_tag", {"name": "compute"})],
            name="maas_tag-absent",
        ),
        Case(
            "maas_sshkey",
            {"key": ssh_key(), "state": "absent"},
            lambda api: api.get("account/prefs/sshkeys/"),
            [],
            before=[("maas_sshkey", {"key": ssh_key()})],
            name="maas_sshkey-absent",
        ),
        Case(
            "maas_vlan",
            {"subnet": SUBNET, "dhcp_on": False},
            lambda api: vlan_of(api, SUBNET)["dhcp_on"],
            False,
            before=[("maas_ip_range", RANGE), ("maas_vlan", {"subnet": SUBNET, "dhcp_on": True})],
            name="maas_vlan-dhcp_off",
        ),
        Case(
            "maas_machine_state",
            {"machines": ["compute0"], "state": "unlocked"},
            lambda api: machine(api, "compute0")["locked"],
            False,
            before=[
                ("maas_machine_state", {"machines": ["compute0"], "state": "deployed", "wait_timeout": 60}),
                ("maas_machine_state", {"machines": ["compute0"], "state": "locked"}),
            ],
            prepare=declared("compute0", ready=True),
            name="maas_machine_state-unlocked",
        ),
        Case(
            "maas_vm_host",
            {**HOST, "cpu_over_commit_ratio": 4.0, "tags": ["kvm"], "wait_timeout": 30, "wait_interval": 0.2},
            lambda api: [(h["name"], h["total"]["cores"] > 0, h["cpu_over_commit_ratio"], "kvm" in h["tags"]) for h in api.get("vm-hosts/")],
            [("lxd-controller", True, 4.0, True)],
        ),
        Case(
            "maas_vm_host",
            {"name": "lxd-controller", "state": "absent"},
            lambda api: api.get("vm-hosts/"),
            [],
            before=[("maas_vm_host", {**HOST, "wait_timeout": 30})],
            name="maas_vm_host-absent",
        ),
        Case(
            "maas_vm",
            {"vm_host": "lxd-controller", "vms": [VM, {"hostname": "os-0", "cores": 1, "memory": 2048}], "wait_timeout": 60, "wait_interval": 1},
            lambda api: sorted((m["hostname"], m["status_name"], "juju" in m["tag_names"], m["memory"]) for m in api.get("machines/")),
            [("juju-machine", "Ready", True, 4096), ("os-0", "Ready", False, 2048)],
            before=[("maas_vm_host", {**HOST, "wait_timeout": 30})],
            prepare=lambda lab: lab.call(lab.turn_dhcp_on),  # VMs boot over the network, too
        ),
        Case(
            "maas_boot_source",
            {"url": SOURCE, "keyring_filename": "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg"},
            lambda api: pick(named(api.get("boot-sources/"), "url", SOURCE), "keyring_filename"),
            {"keyring_filename": "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg"},
        ),
        Case(
            "maas_boot_source",
            {"url": SOURCE, "previous_url": "http://images.maas.io/ephemeral-v3/stable/"},
            lambda api: [source["url"] for source in api.get("boot-sources/")],
            [SOURCE],
            name="maas_boot_source-moved",
        ),
        Case(
            "maas_user",
            {"username": "ana", "email": "ana@example.com", "password": "very-s3cret"},
            lambda api: pick(named(api.get("users/"), "username", "ana"), "email", "is_superuser"),
            {"email": "ana@example.com", "is_superuser": False},
        ),
        Case(
            "maas_user",
            {"username": "ana", "state": "absent"},
            lambda api: named(api.get("users/"), "username", "ana"),
            None,
            before=[("maas_user", {"username": "ana", "email": "ana@example.com", "password": "very-s3cret"})],
            name="maas_user-absent",
        ),
        *[
            case
            for module, path, option in (
                ("maas_zone", "zones/", "description"),
                ("maas_resource_pool", "resourcepools/", "description"),
                ("maas_space", "spaces/", "description"),
                ("maas_fabric", "fabrics/", "class_type"),
            )
            for case in (
                Case(
                    module,
                    {"name": "made", option: "x"},
                    lambda api, path=path, option=option: pick(named(api.get(path), "name", "made"), option),
                    {option: "x"},
                ),
                Case(
                    module,
                    {"name": "made", option: "y"},
                    lambda api, path=path, option=option: pick(named(api.get(path), "name", "made"), option),
                    {option: "y"},
                    before=[(module, {"name": "made", option: "x"})],
                    name=f"{module}-changed",
                ),
                Case(
                    module,
                    {"name": "made", "state": "absent"},
                    lambda api, path=path: named(api.get(path), "name", "made"),
                    None,
                    before=[(module, {"name": "made"})],
                    name=f"{module}-absent",
                ),
            )
        ],
        Case(
            "maas_dns_resource",
            {"fqdn": "vip.maas", "ip_addresses": ["10.42.0.151", "10.42.0.150"]},
            lambda api: sorted(a["ip"] for r in api.get("dnsresources/") if r["fqdn"] == "vip.maas" for a in r["ip_addresses"]),
            ["10.42.0.150", "10.42.0.151"],
        ),
        Case(
            "maas_dns_resource",
            {"fqdn": "vip.maas", "state": "absent"},
            lambda api: [r["fqdn"] for r in api.get("dnsresources/") if r["fqdn"] == "vip.maas"],
            [],
            before=[("maas_dns_resource", {"fqdn": "vip.maas", "ip_addresses": ["10.42.0.150"]})],
            name="maas_dns_resource-absent",
        ),
        Case(
            "maas_machine_power",
            {"machines": ["compute0"], "state": "off", "wait_timeout": 30, "wait_interval": 0.5},
            lambda api: api.get(f"machines/{machine(api, 'compute0')['system_id']}/", op="query_power_state")["state"],
            "off",
            before=[("maas_machine_state", {"machines": ["compute0"], "state": "deployed", "wait_timeout": 60})],
            prepare=declared("compute0", ready=True),
        ),
        Case(
            "maas_machine_power",
            {"machines": ["compute0"], "state": "on", "wait_timeout": 30, "wait_interval": 0.5},
            lambda api: api.get(f"machines/{machine(api, 'compute0')['system_id']}/", op="query_power_state")["state"],
            "on",
            before=[
                ("maas_machine_state", {"machines": ["compute0"], "state": "deployed", "wait_timeout": 60}),
                ("maas_machine_power", {"machines": ["compute0"], "state": "off", "wait_timeout": 30}),
            ],
            prepare=declared("compute0", ready=True),
            name="maas_machine_power-on",
        ),
        *[
            Case(
                "maas_storage_layout",
                {"machines": ["compute0", "compute1"], "layout": layout},
                lambda api: (
                    [len(machine(api, name)["volume_groups"]) for name in ("compute0", "compute1")]
                    + [any(disk["partitions"] for disk in machine(api, "compute0")["blockdevice_set"])]
                ),
                expect,
                before=before,
                prepare=declared("compute0", "compute1", ready=True),
                name=f"maas_storage_layout-{layout}",
            )
            for layout, expect, before in (
                ("lvm", [1, 1, True], []),
                ("blank", [0, 0, False], []),
                ("flat", [0, 0, True], [("maas_storage_layout", {"machines": ["compute0", "compute1"], "layout": "blank"})]),
            )
        ],
    ]
