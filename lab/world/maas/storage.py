"""Disks of nodes: physical ones, partitions, and the storage layouts that MAAS lays over them."""

from __future__ import annotations

import re
import uuid
from typing import Any

from lab.errors import invalid, missing
from lab.world.maas.base import Fields, Part, Row
from lab.world.maas.config import LAYOUTS, choices
from lab.world.maas.networks import REQUIRED
from lab.world.maas.states import GIVEN, check, check_storage

MIB = 1024 * 1024
BLOCK = 4 * MIB
# A GPT takes three MiB at the front and two at the end; MAAS counts six as used with the first partition.
TABLE_SPACE, TABLE_USED = 5 * MIB, 6 * MIB
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
FILESYSTEMS = ["btrfs", "ext2", "ext4", "fat32", "ramfs", "swap", "tmpfs", "vfat", "xfs", "zfsroot"]


def parse_size(text: str) -> int | None:
    match = re.match(r"\A(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:B|iB)?\Z", text.strip(), re.IGNORECASE)
    return int(float(match[1]) * UNITS[match[2].upper()]) if match else None


def usable(size: int) -> int:
    """Bytes of a disk that partitions can have."""
    return max(0, (size - TABLE_SPACE) // BLOCK * BLOCK)


def used(disk: Row) -> int:
    if disk["partitions"]:
        return sum(p["size"] for p in disk["partitions"]) + TABLE_USED
    return disk["size"] if disk["filesystem"] else 0


def available(disk: Row) -> int:
    if disk["filesystem"]:
        return 0
    return max(0, usable(disk["size"]) - sum(p["size"] for p in disk["partitions"]))


class Storage(Part):
    """Disks live in their node; ids are the region's."""

    def new(self, name: str, size: int, serial: str | None, model: str | None, tags: list[str], kind: str = "physical", **values: Any) -> Row:
        disk: Row = {
            "id": self.engine.number("maas.disks"),
            "name": name,
            "type": kind,
            "size": size,
            "serial": serial,
            "model": model,
            "tags": list(tags),
            "block_size": 512,
            "partitions": [],
            "table": None,
            "filesystem": None,
            "uuid": None,
            "group": None,
            "wwn": f"wwn-0x5000c500{self.maas.random.randrange(16**8):08x}" if kind == "physical" else None,
        }
        disk.update(values)
        return disk

    @staticmethod
    def find(node: Row, text: str) -> Row:
        for disk in node["disks"]:
            if str(disk["id"]) == text or disk["name"] == text:
                return disk
        raise missing("BlockDevice")

    @staticmethod
    def partition(disk: Row, text: str) -> Row:
        for partition in disk["partitions"]:
            if str(partition["id"]) == text:
                return partition
        raise missing("Partition")

    def boot(self, node: Row) -> Row | None:
        return next((disk for disk in node["disks"] if disk["id"] == node["boot_disk"]), None)

    @staticmethod
    def shown(node: Row, holder: Row) -> Row | None:
        """The filesystem of a disk or partition as it counts in the machine's state."""
        return None if node["status"] in GIVEN and not node["acquired"] else holder["filesystem"]

    def has_root(self, node: Row) -> bool:
        holders = list(node["disks"]) + [p for disk in node["disks"] for p in disk["partitions"]]
        if node["status"] in GIVEN and not node["acquired"]:
            return False
        return any(h["filesystem"] and h["filesystem"]["mount_point"] == "/" for h in holders)

    # -- layouts ----------------------------------------------------------------------------------------------------------
    def clear(self, node: Row) -> None:
        """All disks blank."""
        node["disks"] = [disk for disk in node["disks"] if disk["type"] == "physical"]
        node["volume_groups"] = []
        node["layout"] = None
        for disk in node["disks"]:
            disk.update(partitions=[], table=None, filesystem=None)

    def set_layout(self, node: Row, fields: Fields) -> None:
        check("set_storage_layout", node)
        layout = fields.text("storage_layout")
        if not layout:
            raise invalid({"storage_layout": REQUIRED})
        if layout not in LAYOUTS:
            raise invalid({"storage_layout": choices(layout, "storage_layout", LAYOUTS)})
        self.apply(node, layout)

    def apply(self, node: Row, layout: str) -> None:
        self.clear(node)
        boot = self.boot(node)
        node["layout"] = layout
        if boot is None or layout in ("blank", "custom"):
            self.engine.touch()
            return
        root = {"fstype": "ext4", "label": "root", "uuid": self._uuid(), "mount_point": "/", "mount_options": None}
        partition = self._partition(boot, usable(boot["size"]))
        if layout == "lvm":
            group = {"id": self.engine.number("maas.volume_groups"), "name": "vgroot", "uuid": self._uuid()}
            node["volume_groups"].append(group)
            partition["group"] = group["name"]
            partition["filesystem"] = {"fstype": "lvm-pv", "label": None, "uuid": self._uuid(), "mount_point": None, "mount_options": None}
            node["disks"].append(
                self.new(
                    "vgroot-lvroot",
                    partition["size"] - BLOCK,
                    None,
                    None,
                    [],
                    "virtual",
                    block_size=4096,
                    filesystem=root,
                    uuid=self._uuid(),
                    group=group["id"],
                )
            )
        else:
            partition["filesystem"] = root
        self.engine.touch()

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.maas.random.getrandbits(128), version=4))

    # -- partitions ---------------------------------------------------------------------------------------------------------
    def _partition(self, disk: Row, size: int, bootable: bool = False) -> Row:
        partition: Row = {
            "id": self.engine.number("maas.partitions"),
            "size": size,
            "uuid": self._uuid(),
            "bootable": bootable,
            "tags": [],
            "filesystem": None,
            "group": None,
            "index": len(disk["partitions"]) + 2,
        }
        disk["partitions"].append(partition)
        disk["table"] = disk["table"] or "GPT"
        return partition

    def create_partition(self, node: Row, disk: Row, fields: Fields) -> Row:
        check_storage(node, "create")
        size = parse_size(fields.text("size")) if fields.get("size") else available(disk)
        if size is None:
            raise invalid({"size": "Enter a valid value."})
        if size > disk["size"]:
            raise invalid({"size": f"Ensure this value is less than or equal to {disk['size']}."})
        size = min(size // BLOCK * BLOCK, available(disk))
        if size <= 0:
            raise invalid({"size": "There is not enough space on the disk."})
        partition = self._partition(disk, size, fields.flag("bootable"))
        node["layout"] = "custom"
        self.engine.touch()
        return partition

    def delete_partition(self, node: Row, disk: Row, partition: Row) -> None:
        check_storage(node, "delete")
        disk["partitions"].remove(partition)
        if not disk["partitions"]:
            disk["table"] = None
        self.engine.touch()

    def format(self, node: Row, target: Row, fields: Fields) -> Row:
        """Put a filesystem on a disk or a partition."""
        check_storage(node, "format")
        fstype = fields.text("fstype")
        if fstype not in FILESYSTEMS:
            raise invalid({"fstype": f"Select a valid choice. {fstype} is not one of the available choices." if fstype else REQUIRED})
        target["filesystem"] = {
            "fstype": fstype,
            "label": fields.text("label"),
            "uuid": fields.get("uuid") or self._uuid(),
            "mount_point": None,
            "mount_options": None,
        }
        self.engine.touch()
        return target

    def unformat(self, node: Row, target: Row) -> Row:
        check_storage(node, "unformat")
        target["filesystem"] = None
        self.engine.touch()
        return target

    def mount(self, node: Row, target: Row, fields: Fields) -> Row:
        check_storage(node, "mount")
        if not target["filesystem"]:
            raise invalid({"__all__": "Cannot mount an unformatted device."})
        if not fields.get("mount_point"):
            raise invalid({"mount_point": REQUIRED})
        target["filesystem"].update(mount_point=fields.text("mount_point"), mount_options=fields.get("mount_options"))
        self.engine.touch()
        return target

    def unmount(self, node: Row, target: Row) -> Row:
        check_storage(node, "unmount")
        if target["filesystem"]:
            target["filesystem"].update(mount_point=None, mount_options=None)
        self.engine.touch()
        return target

    # -- disks --------------------------------------------------------------------------------------------------------------
    def update(self, node: Row, disk: Row, fields: Fields) -> Row:
        check_storage(node, "update")
        for name in ("name", "model", "serial"):
            if fields.get(name):
                disk[name] = fields.text(name)
        self.engine.touch()
        return disk

    def delete(self, node: Row, disk: Row) -> None:
        check_storage(node, "delete")
        node["disks"].remove(disk)
        self.engine.touch()

    def add_tag(self, target: Row, tag: str) -> Row:
        if tag and tag not in target["tags"]:
            target["tags"].append(tag)
            self.engine.touch()
        return target

    def remove_tag(self, target: Row, tag: str) -> Row:
        if tag in target["tags"]:
            target["tags"].remove(tag)
            self.engine.touch()
        return target

    def set_boot_disk(self, node: Row, disk: Row) -> None:
        check_storage(node, "set boot disk of")
        node["boot_disk"] = disk["id"]
        self.engine.touch()
