"""What machines and controllers share: nodes, their interfaces, disks and script results; devices."""

from __future__ import annotations

from typing import Any

from lab.errors import missing
from lab.faces.maas.call import Call, Reply
from lab.faces.maas.registry import REGISTRY, Handler
from lab.world.maas.interfaces import MAC
from lab.world.maas.nodes import MACHINE

anonymous_nodes = Handler("AnonNodesHandler", "nodes/")
nodes = REGISTRY.add("NodesHandler", "nodes/", anonymous=anonymous_nodes)
node = REGISTRY.add("NodeHandler", "nodes/{system_id}/")
devices = REGISTRY.add("DevicesHandler", "devices/", anonymous=anonymous_nodes)
interfaces = REGISTRY.add("InterfacesHandler", "nodes/{system_id}/interfaces/")
interface = REGISTRY.add("InterfaceHandler", "nodes/{system_id}/interfaces/{id}/")
disks = REGISTRY.add("BlockDevicesHandler", "nodes/{system_id}/blockdevices/")
disk = REGISTRY.add("BlockDeviceHandler", "nodes/{system_id}/blockdevices/{id}/")
partitions = REGISTRY.add("PartitionsHandler", "nodes/{system_id}/blockdevices/{device_id}/partitions/")
partition = REGISTRY.add("PartitionHandler", "nodes/{system_id}/blockdevices/{device_id}/partition/{id}")
results = REGISTRY.add("NodeScriptResultsHandler", "nodes/{system_id}/results/")
result = REGISTRY.add("NodeScriptResultHandler", "nodes/{system_id}/results/{id}/")
# An empty document with the two keys that `details` has, as BSON.
NO_DETAILS = b"\x11\x00\x00\x00\nlldp\x00\nlshw\x00\x00"


def any_node(call: Call) -> Any:
    """The node of the path, of whatever kind."""
    row = call.maas.nodes.rows.get(call.params["system_id"])
    if row is None:
        raise missing("Node")
    return row


def registered(call: Call) -> Any:
    """Whether a MAC address belongs to a node."""
    mac = call.query.text("mac_address").lower()
    return bool(MAC.match(mac)) and call.maas.interfaces.owner_of_mac(mac) is not None


def in_progress(call: Call) -> Any:
    mac = call.query.text("mac_address").lower()
    owner = call.maas.interfaces.owner_of_mac(mac)
    return owner is not None and owner[0]["status"] in (1, 9, 12, 14, 17, 19, 21)


anonymous_nodes.get("is_registered")(registered)
anonymous_nodes.get("is_action_in_progress")(in_progress)
nodes.get("is_registered")(registered)
devices.get("is_registered")(registered)


@nodes.read()
def list_nodes(call: Call) -> Any:
    rows = call.maas.selecting.filtered(list(call.maas.nodes.rows.values()), call.query)
    if not call.admin:
        rows = [row for row in rows if row["node_type"] == MACHINE]
    return [call.render.machine(row) if row["node_type"] == MACHINE else call.render.controller(row, "regioncontrollers") for row in rows]


@nodes.post("set_zone", admin="")
def set_zone(call: Call) -> Any:
    call.maas.machines.set_zone(call.data)
    return Reply("OK", content_type="text/plain")


devices.post("set_zone", admin="")(set_zone)


@devices.read()
def list_devices(call: Call) -> Any:
    return []


@node.read()
def read_node(call: Call) -> Any:
    return call.render.machine(any_node(call))


@node.delete(admin="")
def delete_node(call: Call) -> None:
    call.maas.machines.delete(call.node)


@node.get("details")
def details(call: Call) -> Any:
    any_node(call)
    return Reply(NO_DETAILS, content_type="application/bson")


@node.get("power_parameters", admin="")
def power_parameters(call: Call) -> Any:
    return dict(any_node(call)["power_parameters"])


# -- interfaces ---------------------------------------------------------------------------------------------------------------------
def _nic(call: Call) -> tuple[Any, Any]:
    row = any_node(call)
    return row, call.maas.interfaces.find(row, call.params["id"])


@interfaces.read()
def list_interfaces(call: Call) -> Any:
    row = any_node(call)
    return [call.render.interface(row, nic) for nic in row["interfaces"]]


def _creator(kind: str) -> None:
    @interfaces.post(f"create_{kind}", admin="")
    def create(call: Call) -> Any:
        row = call.node
        return call.render.interface(row, call.maas.interfaces.create(row, kind, call.data))


for _kind in ("physical", "bond", "vlan", "bridge"):
    _creator(_kind)


@interface.read()
def read_interface(call: Call) -> Any:
    return call.render.interface(*_nic(call))


@interface.update(admin="")
def update_interface(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.update(row, nic, call.data))


@interface.delete(admin="")
def delete_interface(call: Call) -> None:
    call.maas.interfaces.delete(*_nic(call))


@interface.post("link_subnet", admin="")
def link_subnet(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.link(row, nic, call.data))


@interface.post("unlink_subnet", admin="")
def unlink_subnet(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.unlink(row, nic, call.data))


@interface.post("disconnect", admin="")
def disconnect(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.disconnect(row, nic))


@interface.post("set_default_gateway", admin="")
def set_default_gateway(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.set_default_gateway(row, nic, call.data))


@interface.post("add_tag", admin="")
def add_interface_tag(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.add_tag(nic, call.data.text("tag")))


@interface.post("remove_tag", admin="")
def remove_interface_tag(call: Call) -> Any:
    row, nic = _nic(call)
    return call.render.interface(row, call.maas.interfaces.remove_tag(nic, call.data.text("tag")))


# -- disks ----------------------------------------------------------------------------------------------------------------------------
def _disk(call: Call, key: str = "id") -> tuple[Any, Any]:
    row = any_node(call)
    return row, call.maas.storage.find(row, call.params[key])


@disks.read()
def list_disks(call: Call) -> Any:
    row = any_node(call)
    shown = [call.render.disk(row, entry) for entry in row["disks"]]
    # The list has a key less than everything else that shows a disk.
    return [{name: value for name, value in entry.items() if name != "firmware_version"} for entry in shown]


@disk.read()
def read_disk(call: Call) -> Any:
    return call.render.disk(*_disk(call))


@disk.update(admin="")
def update_disk(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.update(row, entry, call.data))


@disk.delete(admin="")
def delete_disk(call: Call) -> None:
    call.maas.storage.delete(*_disk(call))


@disk.post("add_tag", admin="")
def add_disk_tag(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.add_tag(entry, call.data.text("tag")))


@disk.post("remove_tag", admin="")
def remove_disk_tag(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.remove_tag(entry, call.data.text("tag")))


@disk.post("format", admin="")
def format_disk(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.format(row, entry, call.data))


@disk.post("unformat", admin="")
def unformat_disk(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.unformat(row, entry))


@disk.post("mount", admin="")
def mount_disk(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.mount(row, entry, call.data))


@disk.post("unmount", admin="")
def unmount_disk(call: Call) -> Any:
    row, entry = _disk(call)
    return call.render.disk(row, call.maas.storage.unmount(row, entry))


@disk.post("set_boot_disk", admin="")
def set_boot_disk(call: Call) -> Any:
    call.maas.storage.set_boot_disk(*_disk(call))
    return Reply("OK", content_type="text/plain")


def _partition(call: Call) -> tuple[Any, Any, Any]:
    row, entry = _disk(call, "device_id")
    return row, entry, call.maas.storage.partition(entry, call.params["id"])


@partitions.read()
def list_partitions(call: Call) -> Any:
    row, entry = _disk(call, "device_id")
    return [call.render.partition(row, entry, part) for part in entry["partitions"]]


@partitions.create(admin="")
def create_partition(call: Call) -> Any:
    row, entry = _disk(call, "device_id")
    return call.render.partition(row, entry, call.maas.storage.create_partition(row, entry, call.data))


@partition.read()
def read_partition(call: Call) -> Any:
    return call.render.partition(*_partition(call))


@partition.delete(admin="")
def delete_partition(call: Call) -> None:
    call.maas.storage.delete_partition(*_partition(call))


@partition.post("format", admin="")
def format_partition(call: Call) -> Any:
    row, entry, part = _partition(call)
    return call.render.partition(row, entry, call.maas.storage.format(row, part, call.data))


@partition.post("unformat", admin="")
def unformat_partition(call: Call) -> Any:
    row, entry, part = _partition(call)
    return call.render.partition(row, entry, call.maas.storage.unformat(row, part))


@partition.post("mount", admin="")
def mount_partition(call: Call) -> Any:
    row, entry, part = _partition(call)
    return call.render.partition(row, entry, call.maas.storage.mount(row, part, call.data))


@partition.post("unmount", admin="")
def unmount_partition(call: Call) -> Any:
    row, entry, part = _partition(call)
    return call.render.partition(row, entry, call.maas.storage.unmount(row, part))


@partition.post("add_tag", admin="")
def add_partition_tag(call: Call) -> Any:
    row, entry, part = _partition(call)
    return call.render.partition(row, entry, call.maas.storage.add_tag(part, call.data.text("tag")))


@partition.post("remove_tag", admin="")
def remove_partition_tag(call: Call) -> Any:
    row, entry, part = _partition(call)
    return call.render.partition(row, entry, call.maas.storage.remove_tag(part, call.data.text("tag")))


# -- results --------------------------------------------------------------------------------------------------------------------------
@results.read()
def list_results(call: Call) -> Any:
    rows = call.maas.results.of(any_node(call))
    if call.query.get("type"):
        rows = [row for row in rows if row["kind"] == call.query.text("type")]
    return [call.render.result_set(row) for row in rows]


@result.read()
def read_result(call: Call) -> Any:
    return call.render.result_set(call.maas.results.get(any_node(call), call.params["id"]))


@result.get("download")
def download_result(call: Call) -> Any:
    """What the scripts said, one after the other, as text."""
    row = call.maas.results.get(any_node(call), call.params["id"])
    parts = [f"# {entry['name']}\n{entry['output']}\n" for entry in row["results"]]
    return Reply("".join(parts), content_type="text/plain")
