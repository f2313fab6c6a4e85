# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Storage layouts. The region applies one and forgets which; ``layout_of`` tells it from the disks."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import only, require
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import machine_status

OPTIONS = ("root_size", "boot_size", "vg_name", "lv_name", "lv_size", "cache_mode")
DEVICES = ("root_device", "cache_device")


def layout_of(machine):
    """flat, lvm, bcache, vmfs6, blank, or custom when it looks like none of these."""
    disks = machine.get("blockdevice_set") or []
    partitions = [partition for disk in disks for partition in disk.get("partitions") or []]
    holders = disks + partitions
    if machine.get("bcaches"):
        return "bcache"
    if machine.get("volume_groups"):
        return "lvm"
    if len(partitions) >= 7 and not any(_mounted(holder) for holder in holders):
        return "vmfs6"
    if not partitions and not any(holder.get("filesystem") for holder in disks):
        return "blank"
    if any(_mounted(partition) == "/" for partition in partitions):
        return "flat"
    return "custom"


def _mounted(holder):
    return (holder.get("filesystem") or {}).get("mount_point")


def device(machine, name):
    """Id of a disk that people name as the machine does."""
    for disk in machine.get("blockdevice_set") or []:
        if name in (disk["name"], str(disk["id"]), disk.get("id_path")):
            return disk["id"]
    known = ", ".join(disk["name"] for disk in machine.get("blockdevice_set") or []) or "none"
    raise MaasError(f"{machine['hostname']} has no disk {name}; it has: {known}")


def ensure_layout(client, params):
    machines = require(client, params["machines"], only("blockdevice_set", "bcaches", "volume_groups")).values()
    layouts = {machine["hostname"]: layout_of(machine) for machine in machines}
    wrong = [machine for machine in machines if params["force"] or layouts[machine["hostname"]] != params["layout"]]
    forms = {}
    for machine in wrong:
        form = {"storage_layout": params["layout"], **{name: params[name] for name in OPTIONS if params[name] is not None}}
        form.update({name: device(machine, params[name]) for name in DEVICES if params[name] is not None})
        forms[machine["system_id"]] = form
    busy = [f"{machine['hostname']} is {machine_status(machine)}" for machine in wrong if machine_status(machine) != "Ready"]
    if busy:
        raise MaasError(f"A storage layout can be changed only while a machine is Ready: {', '.join(busy)}", layouts=layouts)
    before = {machine["hostname"]: layouts[machine["hostname"]] for machine in wrong}
    after = dict.fromkeys(before, params["layout"])
    if not client.read_only:
        for machine in wrong:
            client.call(
                "Machine",
                "set_storage_layout",
                {"system_id": machine["system_id"]},
                forms[machine["system_id"]],
                what=f"give {machine['hostname']} the layout {params['layout']}",
                settled=lambda: None,
            )
    return dict(changed=bool(wrong), diff=dict(before=before, after=after), layouts={**layouts, **after})
