"""Region and rack controllers."""

from __future__ import annotations

from typing import Any

from lab.faces.maas.call import Call, Reply
from lab.faces.maas.handlers.nodes import anonymous_nodes, details, power_parameters, registered, set_zone
from lab.faces.maas.registry import REGISTRY
from lab.world.maas.power import described

racks = REGISTRY.add("RackControllersHandler", "rackcontrollers/", anonymous=anonymous_nodes)
rack = REGISTRY.add("RackControllerHandler", "rackcontrollers/{system_id}/")
regions = REGISTRY.add("RegionControllersHandler", "regioncontrollers/", anonymous=anonymous_nodes)
region = REGISTRY.add("RegionControllerHandler", "regioncontrollers/{system_id}/")


for _collection in (racks, regions):
    _collection.get("is_registered")(registered)
    _collection.post("set_zone", admin="")(set_zone)
for _single in (rack, region):
    _single.get("details")(details)
    _single.get("power_parameters", admin="")(power_parameters)


def _rack(call: Call) -> Any:
    return call.maas.controllers.rack(call.params["system_id"])


@racks.read()
def list_racks(call: Call) -> Any:
    """Rack controllers; nobody but administrators sees them."""
    if not call.admin:
        return []
    rows = call.maas.selecting.filtered(call.maas.controllers.racks(), call.query)
    return [call.render.controller(row) for row in rows]


@racks.get("describe_power_types")
def describe_power_types(call: Call) -> Any:
    return described()


@racks.post("import_boot_images", admin="")
def import_all(call: Call) -> Any:
    return Reply("Import of boot images started on all rack controllers", status=202, content_type="text/plain; charset=utf-8")


@rack.read()
def read_rack(call: Call) -> Any:
    call.need_admin()
    return call.render.controller(_rack(call))


@rack.update(admin="")
def update_rack(call: Call) -> Any:
    return call.render.controller(call.maas.controllers.update(_rack(call), call.data))


@rack.get("list_boot_images", admin="")
def list_boot_images(call: Call) -> Any:
    _rack(call)
    return call.maas.images.rack_images()


@rack.post("import_boot_images", admin="")
def import_boot_images(call: Call) -> Any:
    _rack(call)
    return Reply(f"Import of boot images started on {call.params['system_id']}", status=202, content_type="text/plain; charset=utf-8")


@rack.get("query_power_state")
def query_power_state(call: Call) -> Any:
    _rack(call)
    return {"state": "unknown"}


@regions.read()
def list_regions(call: Call) -> Any:
    if not call.admin:
        return []
    node = call.maas.controllers.node
    return [call.render.controller(row, "regioncontrollers") for row in call.maas.selecting.filtered([node] if node else [], call.query)]


@region.read()
def read_region(call: Call) -> Any:
    call.need_admin()
    return call.render.controller(call.maas.controllers.region(call.params["system_id"]), "regioncontrollers")


@region.update(admin="")
def update_region(call: Call) -> Any:
    return call.render.controller(call.maas.controllers.update(call.maas.controllers.region(call.params["system_id"]), call.data), "regioncontrollers")
