"""Boot sources, selections and boot resources."""

from __future__ import annotations

from typing import Any

from lab.errors import TEXT
from lab.faces.maas.call import Call, Reply
from lab.faces.maas.registry import REGISTRY, RESERVED

sources = REGISTRY.add("BootSourcesHandler", "boot-sources/", locked=True)
source = REGISTRY.add("BootSourceHandler", "boot-sources/{id}/", locked=True)
selections = REGISTRY.add("BootSourceSelectionsHandler", "boot-sources/{boot_source_id}/selections/", locked=True)
selection = REGISTRY.add("BootSourceSelectionHandler", "boot-sources/{boot_source_id}/selections/{id}/", locked=True)
resources = REGISTRY.add("BootResourcesHandler", "boot-resources/")
resource = REGISTRY.add("BootResourceHandler", "boot-resources/{id}/")


@sources.read()
def list_sources(call: Call) -> Any:
    return [call.render.boot_source(row) for row in call.maas.images.sources]


@sources.create(admin="")
def create_source(call: Call) -> Any:
    return Reply(call.render.boot_source(call.maas.images.create_source(call.data)), 201)


@source.read()
def read_source(call: Call) -> Any:
    return call.render.boot_source(call.maas.images.sources.get(call.params["id"]))


@source.update(admin="")
def update_source(call: Call) -> Any:
    return call.render.boot_source(call.maas.images.update_source(call.maas.images.sources.get(call.params["id"]), call.data))


@source.delete(admin="")
def delete_source(call: Call) -> None:
    call.maas.images.delete_source(call.maas.images.sources.get(call.params["id"]))


def _selection(call: Call) -> Any:
    return call.maas.images.selection(call.params["boot_source_id"], call.params["id"])


@selections.read()
def list_selections(call: Call) -> Any:
    source_row = call.maas.images.sources.get(call.params["boot_source_id"])
    return [call.render.boot_selection(row) for row in call.maas.images.selections.where(boot_source_id=source_row["id"])]


@selections.create(admin="")
def create_selection(call: Call) -> Any:
    return call.render.boot_selection(call.maas.images.create_selection(call.params["boot_source_id"], call.data))


@selection.read()
def read_selection(call: Call) -> Any:
    return call.render.boot_selection(_selection(call))


@selection.update(admin="")
def update_selection(call: Call) -> Any:
    return call.render.boot_selection(call.maas.images.update_selection(_selection(call), call.data))


@selection.delete(admin="")
def delete_selection(call: Call) -> None:
    call.maas.images.selections.remove(_selection(call))


@resources.read()
def list_resources(call: Call) -> Any:
    return [call.render.boot_resource(row) for row in call.maas.images.listed(call.query)]


@resources.post("import", admin=RESERVED)
def start_import(call: Call) -> Any:
    call.maas.images.start_import()
    return Reply("Import of boot resources started", content_type=TEXT)


@resources.post("stop_import", admin=RESERVED)
def stop_import(call: Call) -> Any:
    call.maas.images.stop_import()
    return Reply("Import of boot resources is being stopped", content_type=TEXT)


@resources.get("is_importing")
def is_importing(call: Call) -> Any:
    return call.maas.images.is_importing()


@resource.read()
def read_resource(call: Call) -> Any:
    return call.render.boot_resource(call.maas.images.resources.get(call.params["id"]), whole=True)


@resource.delete(admin="")
def delete_resource(call: Call) -> None:
    call.maas.images.resources.remove(call.maas.images.resources.get(call.params["id"]))
