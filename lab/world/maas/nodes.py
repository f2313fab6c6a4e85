"""Rows of nodes (machines and controllers), and what they are made of."""

from __future__ import annotations

import uuid
from typing import Any

from lab.world.maas import names
from lab.world.maas.base import Part, Row
from lab.world.maas.states import NAMES, NEW

MACHINE, REGION_CONTROLLER, REGION_AND_RACK = 0, 3, 4
UNKNOWN, PENDING, RUNNING, PASSED, FAILED, TIMED_OUT, ABORTED, SKIPPED = -1, 0, 1, 2, 3, 4, 7, 9
RESULT_NAMES = {
    UNKNOWN: "Unknown",
    PENDING: "Pending",
    RUNNING: "Running",
    PASSED: "Passed",
    FAILED: "Failed",
    TIMED_OUT: "Timed out",
    ABORTED: "Aborted",
    SKIPPED: "Skipped",
}


class Nodes(Part):
    """All nodes by system id."""

    @property
    def rows(self) -> dict[str, Row]:
        return self.state["nodes"]

    def add(self, node_type: int, hostname: str, **values: Any) -> Row:
        node: Row = {
            "system_id": names.system_id(self.maas.random, self.rows),
            "node_type": node_type,
            "hostname": hostname,
            "domain": self.maas.domains.default["id"],
            "architecture": "amd64/generic",
            "description": "",
            "pool": 0,
            "zone": 1,
            "tags": [],
            "power_type": "",
            "power_parameters": {},
            "power_state": "unknown",
            "powered": "off",
            "status": NEW,
            "status_name": NAMES[NEW],
            "previous_status": NEW,
            "status_message": None,
            "status_action": None,
            "owner": None,
            "owner_data": {},
            "agent_name": "",
            "osystem": "",
            "distro_series": "",
            "hwe_kernel": None,
            "min_hwe_kernel": "",
            "netboot": True,
            "locked": False,
            "acquired": False,
            "error_description": "",
            "ephemeral_deploy": False,
            "enable_hw_sync": False,
            "cpu_count": 0,
            "cpu_speed": 0,
            "memory": 0,
            "swap_size": None,
            "hardware": None,
            "hardware_uuid": None,
            "interfaces": [],
            "boot_interface": None,
            "gateway_link": None,
            "disks": [],
            "boot_disk": None,
            "volume_groups": [],
            "layout": None,
            "commissioning_status": UNKNOWN,
            "testing_status": UNKNOWN,
            "storage_test_status": UNKNOWN,
            "results": {"commissioning": None, "testing": None, "installation": None},
            "run": 0,
            "enable_ssh": False,
            "ip": None,
            "rack": None,
            "bmc": None,
            "vm_host": None,
            "vm_id": None,
            "created": self.engine.now(),
        }
        node.update(values)
        self.rows[node["system_id"]] = node
        self.engine.touch()
        return node

    # -- hardware -------------------------------------------------------------------------------------------------------
    def hardware_of(self, node: Row) -> Row:
        """The simulated hardware that a node's inspection finds: a VM's own, the rack's, or a plain one."""
        if node.get("virtual"):
            return node["virtual"]
        for nic in node["interfaces"]:
            found = self.maas.rack.by_mac(nic["mac"])
            if found:
                return found
        return self.maas.rack.plain(node["hostname"])

    def inspect(self, node: Row, hardware: Row) -> None:
        """Write down what commissioning scripts find: processors, memory, NICs, disks, vendor data. Disks that were known keep their ids."""
        node["cpu_count"] = hardware["cpu"]
        node["cpu_speed"] = hardware["cpu_speed"]
        node["memory"] = hardware["memory"]
        serial = hardware.get("serial") or f"SN{node['system_id'].upper()}"
        node["hardware"] = {"serial": serial, "virtual": bool(hardware.get("virtual")) and hardware.get("vendor") != "server"}
        node["hardware_uuid"] = str(uuid.uuid5(uuid.NAMESPACE_DNS, node["hardware"]["serial"]))
        self._inspect_nics(node, hardware.get("nics") or [])
        self._inspect_disks(node, hardware["disks"])
        if hardware.get("virtual"):
            self.maas.tags.ensure("virtual")
            if "virtual" not in node["tags"]:
                node["tags"].append("virtual")

    def _inspect_nics(self, node: Row, nics: list[Row]) -> None:
        by_mac = {nic["mac"]: nic for nic in node["interfaces"] if nic["type"] == "physical"}
        for spec in nics:
            nic = by_mac.get(spec["mac"].lower())
            if nic is None:
                nic = self.maas.interfaces.new(spec["name"], "physical", spec["mac"].lower())
                node["interfaces"].append(nic)
            elif node["commissioning_status"] != PASSED or nic["vendor"] is None:
                nic["name"] = spec["name"]
            nic.update(
                vendor="Intel Corporation", product="Ethernet Controller X550", firmware_version="0x80000aee", link_connected=spec.get("connected", True)
            )
            nic["speed"] = 10000
            nic["link_speed"] = 10000 if nic["link_connected"] else 0
        for nic in node["interfaces"]:
            if nic["type"] == "physical" and nic["vendor"] is None:
                nic.update(vendor="Intel Corporation", product="Ethernet Controller X550", firmware_version="0x80000aee", speed=10000, link_speed=10000)

    def _inspect_disks(self, node: Row, disks: list[Row]) -> None:
        known = {disk["serial"]: disk for disk in node["disks"] if disk["type"] == "physical"}
        found = []
        for number, spec in enumerate(disks):
            serial = spec.get("serial") or f"{node['hardware']['serial']}{chr(65 + number)}"
            disk = known.get(serial) or self.maas.storage.new(spec["name"], spec["size"], serial, spec.get("model", "SSD"), spec.get("tags", ["ssd"]))
            found.append(disk)
        node["disks"] = found
        node["boot_disk"] = found[0]["id"] if found else None
