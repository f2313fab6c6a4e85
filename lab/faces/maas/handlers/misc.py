"""Version, settings, events, and collections that a lab's region keeps empty or fixed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from lab.faces.maas.call import Call, Reply
from lab.faces.maas.registry import PREFIX, REGISTRY, RESERVED, Handler
from lab.world.maas import scripts as script_data

version = REGISTRY.add("VersionHandler", "version/", open_to_all=True)
maas = REGISTRY.add("MaasHandler", "maas/")
events = REGISTRY.add("EventsHandler", "events/")
scripts = REGISTRY.add("NodeScriptsHandler", "scripts/")
notifications = REGISTRY.add("NotificationsHandler", "notifications/")
repositories = REGISTRY.add("PackageRepositoriesHandler", "package-repositories/")
CAPABILITIES = [
    "networks-management",
    "static-ipaddresses",
    "ipv6-deployment-ubuntu",
    "devices-management",
    "storage-deployment-ubuntu",
    "network-deployment-ubuntu",
    "bridging-interface-ubuntu",
    "bridging-automatic-ubuntu",
    "authenticate-api",
]
EVENT_PARAMETERS = ("id", "hostname", "mac_address", "zone", "domain", "agent_name", "level", "limit")
ARCHIVES = (
    ("main_archive", "http://archive.ubuntu.com/ubuntu", ["amd64", "i386"]),
    ("ports_archive", "http://ports.ubuntu.com/ubuntu-ports", ["armhf", "arm64", "ppc64el", "s390x"]),
)


@version.read()
def read_version(call: Call) -> Any:
    return Reply({"capabilities": CAPABILITIES, "version": call.maas.version, "subversion": ""}, headers={"Vary": "Authorization"})


@maas.get("get_config")
def get_config(call: Call) -> Any:
    return Reply(call.maas.config.read(call.query), content_type="application/json")


@maas.post("set_config", admin=RESERVED)
def set_config(call: Call) -> Any:
    call.maas.config.set(call.data)
    return Reply("OK", content_type="text/plain")


@events.get("query")
def query_events(call: Call) -> Any:
    page = call.maas.events.query(call.query)
    rows = page["events"]
    kept = [(name, value) for name in EVENT_PARAMETERS if name in call.query for value in call.query.list(name)]

    def uri(**more: int) -> str:
        return f"{PREFIX}events/?{urlencode([('op', 'query'), *kept, *more.items()])}"

    after = call.query.get("after")
    following = uri(after=rows[0]["id"]) if rows else uri()
    previous = uri(before=rows[-1]["id"]) if rows else uri(before=int(after) + 1) if after else None
    return {"count": len(rows), "events": [call.render.event(row) for row in rows], "next_uri": following, "prev_uri": previous}


@scripts.read()
def list_scripts(call: Call) -> Any:
    kinds = {"commissioning": "commissioning", "testing": "testing", "test": "testing", "release": "release"}
    wanted = kinds.get(call.query.text("type"))
    return [call.render.script(number, script) for number, script in script_data.BY_NAME.values() if wanted in (None, script["kind"])]


@repositories.read()
def list_repositories(call: Call) -> Any:
    return [
        {
            "name": name,
            "url": url,
            "distributions": [],
            "disabled_pockets": [],
            "disabled_components": [],
            "disable_sources": True,
            "components": [],
            "arches": arches,
            "key": "",
            "enabled": True,
            "id": number,
            "resource_uri": f"{PREFIX}package-repositories/{number}/",
        }
        for number, (name, url, arches) in enumerate(ARCHIVES, 1)
    ]


@notifications.read()
def list_notifications(call: Call) -> Any:
    """3.7 announces what it will drop."""
    if call.maas.personality == "3.5":
        return []
    return [
        {
            "id": 1,
            "ident": "deprecation_vm_hosts",
            "user": None,
            "users": True,
            "admins": True,
            "message": "VM hosts are deprecated.",
            "context": {},
            "category": "warning",
            "dismissable": True,
            "resource_uri": f"{PREFIX}notifications/1/",
        }
    ]


def _empty(handler: Handler) -> None:
    """A collection that is read, and empty in the lab."""

    @handler.read()
    def read_nothing(call: Call) -> Any:
        return []


for _name, _path in (
    ("StaticRoutesHandler", "static-routes/"),
    ("IPAddressesHandler", "ipaddresses/"),
    ("DiscoveriesHandler", "discovery/"),
    ("LicenseKeysHandler", "license-keys/"),
    ("DNSResourceRecordsHandler", "dnsresourcerecords/"),
    ("DHCPSnippetsHandler", "dhcp-snippets/"),
    ("CommissioningScriptsHandler", "commissioning-scripts/"),
):
    _empty(REGISTRY.add(_name, _path))
anonymous_files = Handler("AnonFilesHandler", "files/")
_empty(REGISTRY.add("FilesHandler", "files/", anonymous=anonymous_files, hidden=True))
_empty(REGISTRY.add("ReservedIpsHandler", "reservedips/", since="3.7"))
