"""Tags, resource pools, zones, domains, DNS resources."""

from __future__ import annotations

from typing import Any

from lab.errors import TEXT, ApiError
from lab.faces.maas.call import Call, Reply
from lab.faces.maas.registry import REGISTRY
from lab.world.maas.nodes import MACHINE

tags = REGISTRY.add("TagsHandler", "tags/")
tag = REGISTRY.add("TagHandler", "tags/{name}/")
pools = REGISTRY.add("ResourcePoolsHandler", "resourcepools/")
pool = REGISTRY.add("ResourcePoolHandler", "resourcepool/{id}/")
zones = REGISTRY.add("ZonesHandler", "zones/")
zone = REGISTRY.add("ZoneHandler", "zones/{name}/")
domains = REGISTRY.add("DomainsHandler", "domains/")
domain = REGISTRY.add("DomainHandler", "domains/{id}/")
dnsresources = REGISTRY.add("DNSResourcesHandler", "dnsresources/")
dnsresource = REGISTRY.add("DNSResourceHandler", "dnsresources/{id}/")


@tags.read()
def list_tags(call: Call) -> Any:
    return [call.render.tag(row) for row in call.maas.tags.table]


@tags.create(admin="")
def create_tag(call: Call) -> Any:
    return call.render.tag(call.maas.tags.create(call.data))


@tag.read()
def read_tag(call: Call) -> Any:
    return call.render.tag(call.maas.tags.get(call.params["name"]))


@tag.update(admin="")
def update_tag(call: Call) -> Any:
    return call.render.tag(call.maas.tags.update(call.maas.tags.get(call.params["name"]), call.data))


@tag.delete(admin="")
def delete_tag(call: Call) -> None:
    call.maas.tags.delete(call.maas.tags.get(call.params["name"]))


@tag.post("update_nodes", admin="")
def update_nodes(call: Call) -> Any:
    row = call.maas.tags.get(call.params["name"])
    try:
        return call.maas.tags.update_nodes(row, call.data)
    except ApiError as error:
        # An answer of the handler itself, with the headers of a success.
        return Reply(error.body, error.status, TEXT)


@tag.post("rebuild", admin="")
def rebuild(call: Call) -> Any:
    return {"rebuilding": call.maas.tags.get(call.params["name"])["name"]}


def _tagged(call: Call, machines: bool = True, controllers: bool = False) -> list[Any]:
    name = call.maas.tags.get(call.params["name"])["name"]
    rows = [row for row in call.maas.nodes.rows.values() if name in row["tags"]]
    return [call.render.machine(row) for row in rows if (row["node_type"] == MACHINE and machines) or (row["node_type"] != MACHINE and controllers)]


@tag.get("machines")
def tagged_machines(call: Call) -> Any:
    return _tagged(call)


@tag.get("nodes")
def tagged_nodes(call: Call) -> Any:
    return _tagged(call, controllers=True)


@tag.get("devices")
def tagged_devices(call: Call) -> Any:
    return _tagged(call, machines=False)


@tag.get("rack_controllers")
def tagged_racks(call: Call) -> Any:
    return _tagged(call, machines=False, controllers=True)


@tag.get("region_controllers")
def tagged_regions(call: Call) -> Any:
    return _tagged(call, machines=False, controllers=True)


@pools.read()
def list_pools(call: Call) -> Any:
    return [call.render.pool(row) for row in call.maas.pools.table]


@pools.create(admin="")
def create_pool(call: Call) -> Any:
    return call.render.pool(call.maas.pools.create(call.data))


@pool.read()
def read_pool(call: Call) -> Any:
    return call.render.pool(call.maas.pools.table.get(call.params["id"]))


@pool.update(admin="")
def update_pool(call: Call) -> Any:
    return call.render.pool(call.maas.pools.update(call.maas.pools.table.get(call.params["id"]), call.data))


@pool.delete(admin="")
def delete_pool(call: Call) -> None:
    call.maas.pools.delete(call.maas.pools.table.get(call.params["id"]))


@zones.read()
def list_zones(call: Call) -> Any:
    return [call.render.zone(row) for row in call.maas.zones.table]


@zones.create(admin="")
def create_zone(call: Call) -> Any:
    return call.render.zone(call.maas.zones.create(call.data))


@zone.read()
def read_zone(call: Call) -> Any:
    return call.render.zone(call.maas.zones.get(call.params["name"]))


@zone.update(admin="")
def update_zone(call: Call) -> Any:
    return call.render.zone(call.maas.zones.update(call.maas.zones.get(call.params["name"]), call.data))


@zone.delete(admin="")
def delete_zone(call: Call) -> None:
    call.maas.zones.delete(call.maas.zones.get(call.params["name"]))


@domains.read()
def list_domains(call: Call) -> Any:
    return [call.render.domain(row) for row in call.maas.domains.table]


@domains.create(admin="")
def create_domain(call: Call) -> Any:
    return call.render.domain(call.maas.domains.create(call.data))


@domains.post("set_serial", admin="")
def set_serial(call: Call) -> None:
    """The lab serves no DNS: a serial is taken and forgotten."""


@domain.read()
def read_domain(call: Call) -> Any:
    return call.render.domain(call.maas.domains.table.get(call.params["id"]))


@domain.update(admin="")
def update_domain(call: Call) -> Any:
    return call.render.domain(call.maas.domains.update(call.maas.domains.table.get(call.params["id"]), call.data))


@domain.post("set_default", admin="")
def set_default(call: Call) -> Any:
    return call.render.domain(call.maas.domains.set_default(call.maas.domains.table.get(call.params["id"])))


@domain.delete(admin="")
def delete_domain(call: Call) -> None:
    call.maas.domains.delete(call.maas.domains.table.get(call.params["id"]))


@dnsresources.read()
def list_dnsresources(call: Call) -> Any:
    return [call.render.dnsresource(row) for row in call.maas.dnsresources.table]


@dnsresources.create(admin="")
def create_dnsresource(call: Call) -> Any:
    return call.render.dnsresource(call.maas.dnsresources.create(call.data))


@dnsresource.read()
def read_dnsresource(call: Call) -> Any:
    return call.render.dnsresource(call.maas.dnsresources.table.get(call.params["id"]))


@dnsresource.update(admin="")
def update_dnsresource(call: Call) -> Any:
    return call.render.dnsresource(call.maas.dnsresources.update(call.maas.dnsresources.table.get(call.params["id"]), call.data))


@dnsresource.delete(admin="")
def delete_dnsresource(call: Call) -> None:
    call.maas.dnsresources.table.remove(call.maas.dnsresources.table.get(call.params["id"]))
