"""VM hosts, and pods, as they were called before."""

from __future__ import annotations

from typing import Any

from lab.errors import ApiError
from lab.faces.maas.call import Call
from lab.faces.maas.registry import PREFIX, REGISTRY, Handler


def _host(call: Call) -> Any:
    return call.maas.vm_hosts.table.get(call.params["id"])


def _collection(handler: Handler, path: str) -> None:
    @handler.read()
    def list_hosts(call: Call) -> Any:
        return [call.render.vm_host(row, path) for row in call.maas.vm_hosts.table]

    @handler.create(admin="")
    def create_host(call: Call) -> Any:
        return call.render.vm_host(call.maas.vm_hosts.create(call.data, call.user), path)


def _single(handler: Handler, path: str) -> None:
    @handler.read()
    def read_host(call: Call) -> Any:
        row = call.maas.vm_hosts.table.find(call.params["id"])
        if row is None:
            raise ApiError(404, "Not Found", "text/plain")
        return call.render.vm_host(row, path)

    @handler.update(admin="")
    def update_host(call: Call) -> Any:
        return call.render.vm_host(call.maas.vm_hosts.update(_host(call), call.data), path)

    @handler.delete(admin="")
    def delete_host(call: Call) -> None:
        call.maas.vm_hosts.delete(_host(call), call.data if "decompose" in call.data else call.query)

    @handler.post("refresh", admin="")
    def refresh(call: Call) -> Any:
        return call.render.vm_host(call.maas.vm_hosts.refresh(_host(call)), path)

    @handler.get("parameters", admin="")
    def parameters(call: Call) -> Any:
        return dict(_host(call)["parameters"])

    @handler.post("compose", admin="")
    def compose(call: Call) -> Any:
        machine = call.maas.vm_hosts.compose(_host(call), call.data, call.user)
        return {"system_id": machine["system_id"], "resource_uri": f"{PREFIX}machines/{machine['system_id']}/"}

    @handler.post("add_tag", admin="")
    def add_tag(call: Call) -> Any:
        row = _host(call)
        if call.data.get("tag") and call.data.get("tag") not in row["tags"]:
            row["tags"].append(call.data.get("tag"))
        return call.render.vm_host(row, path)

    @handler.post("remove_tag", admin="")
    def remove_tag(call: Call) -> Any:
        row = _host(call)
        if call.data.get("tag") in row["tags"]:
            row["tags"].remove(call.data.get("tag"))
        return call.render.vm_host(row, path)


_collection(REGISTRY.add("VmHostsHandler", "vm-hosts/"), "vm-hosts")
_single(REGISTRY.add("VmHostHandler", "vm-hosts/{id}/"), "vm-hosts")
_collection(REGISTRY.add("PodsHandler", "pods/"), "pods")
_single(REGISTRY.add("PodHandler", "pods/{id}/"), "pods")
