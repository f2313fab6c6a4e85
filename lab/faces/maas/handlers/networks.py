"""Fabrics, VLANs, subnets, spaces, address ranges."""

from __future__ import annotations

from typing import Any

from lab.errors import BARE_TEXT, ApiError, forbidden
from lab.faces.maas.call import Call
from lab.faces.maas.registry import REGISTRY

fabrics = REGISTRY.add("FabricsHandler", "fabrics/")
fabric = REGISTRY.add("FabricHandler", "fabrics/{id}/")
vlans = REGISTRY.add("VlansHandler", "fabrics/{fabric_id}/vlans/")
vlan = REGISTRY.add("VlanHandler", "fabrics/{fabric_id}/vlans/{vid}/")
vlan_by_id = REGISTRY.add("VlanHandler", "vlans/{id}/", hidden=True)
subnets = REGISTRY.add("SubnetsHandler", "subnets/")
subnet = REGISTRY.add("SubnetHandler", "subnets/{id}/")
spaces = REGISTRY.add("SpacesHandler", "spaces/")
space = REGISTRY.add("SpaceHandler", "spaces/{id}/")
ranges = REGISTRY.add("IPRangesHandler", "ipranges/")
iprange = REGISTRY.add("IPRangeHandler", "ipranges/{id}/")
UNDEFINED = ("undefined", "-1")


@fabrics.read()
def list_fabrics(call: Call) -> Any:
    return [call.render.fabric(row) for row in call.maas.fabrics.table]


@fabrics.create(admin="")
def create_fabric(call: Call) -> Any:
    return call.render.fabric(call.maas.fabrics.create(call.data))


@fabric.read()
def read_fabric(call: Call) -> Any:
    return call.render.fabric(call.maas.fabrics.table.get(call.params["id"]))


@fabric.update(admin="")
def update_fabric(call: Call) -> Any:
    return call.render.fabric(call.maas.fabrics.update(call.maas.fabrics.table.get(call.params["id"]), call.data))


@fabric.delete(admin="")
def delete_fabric(call: Call) -> None:
    call.maas.fabrics.delete(call.maas.fabrics.table.get(call.params["id"]))


def _vlan(call: Call) -> Any:
    return call.maas.vlans.at(call.params["fabric_id"], call.params["vid"])


@vlans.read()
def list_vlans(call: Call) -> Any:
    fabric_row = call.maas.fabrics.table.get(call.params["fabric_id"])
    return [call.render.vlan(row) for row in call.maas.vlans.table.where(fabric=fabric_row["id"])]


@vlans.create(admin="")
def create_vlan(call: Call) -> Any:
    return call.render.vlan(call.maas.vlans.create(call.params["fabric_id"], call.data))


@vlan.read()
def read_vlan(call: Call) -> Any:
    return call.render.vlan(_vlan(call))


@vlan.update(admin="")
def update_vlan(call: Call) -> Any:
    return call.render.vlan(call.maas.vlans.update(_vlan(call), call.data))


@vlan.delete(admin="")
def delete_vlan(call: Call) -> None:
    call.maas.vlans.delete(_vlan(call))


def _as_sent(call: Call, row: Any) -> Any:
    """A subnet as a form leaves it: no gateway is an empty text there, and null in reads."""
    body = call.render.subnet(row)
    body["gateway_ip"] = body["gateway_ip"] or ""
    return body


def _vlan_by_id(call: Call) -> Any:
    row = call.maas.vlans.table.find(call.params["id"])
    if row is None:
        raise ApiError(404, "VLAN with specified ID does not exist.", BARE_TEXT)
    return row


@vlan_by_id.read()
def read_vlan_by_id(call: Call) -> Any:
    return call.render.vlan(_vlan_by_id(call))


@vlan_by_id.update(admin="")
def update_vlan_by_id(call: Call) -> Any:
    return call.render.vlan(call.maas.vlans.update(_vlan_by_id(call), call.data))


@vlan_by_id.delete(admin="")
def delete_vlan_by_id(call: Call) -> None:
    call.maas.vlans.delete(_vlan_by_id(call))


@subnets.read()
def list_subnets(call: Call) -> Any:
    return [call.render.subnet(row) for row in call.maas.subnets.table]


@subnets.create(admin="")
def create_subnet(call: Call) -> Any:
    return _as_sent(call, call.maas.subnets.create(call.data))


@subnet.read()
def read_subnet(call: Call) -> Any:
    return call.render.subnet(call.maas.subnets.get(call.params["id"]))


@subnet.update(admin="")
def update_subnet(call: Call) -> Any:
    return _as_sent(call, call.maas.subnets.update(call.maas.subnets.get(call.params["id"]), call.data))


@subnet.delete(admin="")
def delete_subnet(call: Call) -> None:
    call.maas.subnets.delete(call.maas.subnets.get(call.params["id"]))


@subnet.get("reserved_ip_ranges")
def reserved_ip_ranges(call: Call) -> Any:
    return call.maas.subnets.reserved_ranges(call.maas.subnets.get(call.params["id"]))


@subnet.get("unreserved_ip_ranges")
def unreserved_ip_ranges(call: Call) -> Any:
    return call.maas.subnets.unreserved_ranges(call.maas.subnets.get(call.params["id"]))


@subnet.get("statistics")
def statistics(call: Call) -> Any:
    return call.maas.subnets.statistics(call.maas.subnets.get(call.params["id"]))


@subnet.get("ip_addresses")
def ip_addresses(call: Call) -> Any:
    return call.render.subnet_addresses(call.maas.subnets.get(call.params["id"]))


@spaces.read()
def list_spaces(call: Call) -> Any:
    rows: list[Any] = list(call.maas.spaces.table)
    if any(row["space"] is None for row in call.maas.vlans.table):
        rows.append(None)
    return [call.render.space(row) for row in rows]


@spaces.create(admin="")
def create_space(call: Call) -> Any:
    return call.render.space(call.maas.spaces.create(call.data))


@space.read()
def read_space(call: Call) -> Any:
    if call.params["id"] in UNDEFINED:
        return call.render.space(None)
    return call.render.space(call.maas.spaces.table.get(call.params["id"]))


@space.update(admin="")
def update_space(call: Call) -> Any:
    return call.render.space(call.maas.spaces.update(call.maas.spaces.table.get(call.params["id"]), call.data))


@space.delete(admin="")
def delete_space(call: Call) -> None:
    call.maas.spaces.delete(call.maas.spaces.table.get(call.params["id"]))


def _own_range(call: Call) -> Any:
    row = call.maas.ranges.table.get(call.params["id"])
    if not call.admin and row["user"] != call.user:
        raise forbidden("Unable to modify IP range. You don't have the appropriate permissions.")
    return row


@ranges.read()
def list_ranges(call: Call) -> Any:
    return [call.render.iprange(row) for row in call.maas.ranges.table]


@ranges.create()
def create_range(call: Call) -> Any:
    return call.render.iprange(call.maas.ranges.create(call.data, call.user))


@iprange.read()
def read_range(call: Call) -> Any:
    return call.render.iprange(call.maas.ranges.table.get(call.params["id"]))


@iprange.update()
def update_range(call: Call) -> Any:
    return call.render.iprange(call.maas.ranges.update(_own_range(call), call.data))


@iprange.delete()
def delete_range(call: Call) -> None:
    call.maas.ranges.table.remove(_own_range(call))
