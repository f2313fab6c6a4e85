"""Charms and Resources: what Charmhub has, seen through the controller."""

from __future__ import annotations

import uuid

from lab.faces.juju.facades.action import specification
from lab.faces.juju.facades.base import Facade, each
from lab.world.juju import charms
from lab.world.juju.errors import JujuError, not_found

FIELDS = {"required": "requires", "provided": "provides", "peer": "peers"}


def resolve(url: str, origin: dict | None, base: str | None = None) -> dict:
    """A charm for a URL and an origin of the wire."""
    origin = origin or {}
    parts = charms.parse_url(url)
    if parts["schema"] != "ch":
        raise JujuError("the lab has no local charms", "not supported")
    wanted = base or charms.base_version(origin.get("base")) or charms.SERIES.get(parts["series"] or "")
    channel = "/".join(p for p in (origin.get("track"), origin.get("risk")) if p)
    revision = origin.get("revision") if origin.get("revision") not in (None, -1) else parts["revision"]
    return charms.resolve(parts["name"], channel, wanted, revision, origin.get("architecture") or parts["arch"] or "amd64")


def origin_of(found: dict, wanted: dict | None, base: str | None) -> dict:
    wanted = wanted or {}
    return {
        "source": "charm-hub",
        "type": "charm",
        "id": f"{uuid.uuid5(uuid.NAMESPACE_URL, found['name']).hex}",
        "hash": "",
        "risk": found["risk"],
        "revision": found["revision"],
        "track": found["track"],
        "branch": None,
        "architecture": wanted.get("architecture") or "amd64",
        "base": charms.wire_base(base or found["bases"][-1]),
        "instance-key": "",
    }


class Charms(Facade):
    name = "Charms"
    versions = (5, 6, 7)

    def ResolveCharms(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            origin = wanted.get("charm-origin") or {}
            first = charms.base_version(origin.get("base"))
            try:
                found = resolve(wanted.get("reference") or "", origin)
            except charms.OtherBase:
                # The controller asks again with a base that the channel has: juju/core/charm/repository, retryResolveWithPreferredChannel.
                found = resolve(wanted.get("reference") or "", {**origin, "base": None})
                first = found["bases"][0]
            # Oldest first, the wanted one last: libjuju takes the last of the list.
            bases = sorted(found["bases"], key=lambda b: (b == first, b))
            return {
                "url": found["url"],
                "charm-origin": origin_of(found, origin, first or bases[-1]),
                "supported-bases": [charms.wire_base(b) for b in bases],
                "supported-series": [charms.NAMES[b] for b in bases],
            }

        return each(params.get("resolve"), one, key="Results")

    def AddCharm(self, params: dict) -> dict:
        origin = params.get("charm-origin") or {}
        found = resolve(params.get("url") or "", origin)
        self.model["charms"][found["url"]] = {"name": found["name"], "revision": found["revision"]}
        return {"charm-origin": origin_of(found, origin, charms.base_version(origin.get("base")))}

    def CharmInfo(self, params: dict) -> dict:
        parts = charms.parse_url(params.get("url") or "")
        declared = charms.charm(parts["name"])
        # A controller tells only of charms that its model has: juju/apiserver/facades/client/charms, backendState.Charm.
        known = {(charm["name"], charm["revision"]) for charm in self.model["charms"].values()}
        if (parts["name"], parts["revision"]) not in known:
            raise not_found("charm", params.get("url") or "")
        return {
            "revision": parts["revision"],
            "url": params["url"],
            "config": {
                key: {"type": spec["type"], "description": "", **({"default": spec["default"]} if "default" in spec else {})}
                for key, spec in (declared.get("options") or {}).items()
            },
            "meta": self._meta(parts["name"], declared),
            "actions": {"specs": {name: specification(name, spec or {}) for name, spec in (declared.get("actions") or {}).items()}},
            "manifest": {
                "bases": [
                    {"name": "ubuntu", "channel": f"{b}/stable", "architectures": ["amd64"]}
                    for b in charms.resolve(parts["name"], None, None, parts["revision"])["bases"]
                ]
            },
            "lxd-profile": {},
        }

    @staticmethod
    def _meta(name: str, declared: dict) -> dict:
        ends = charms.endpoints(name)

        def of(role: str, plural: str) -> dict:
            return {key: dict(end) for key, end in ends.items() if end["role"] == role and key in (declared.get(plural) or {})}

        return {
            "name": name,
            "summary": declared.get("summary", ""),
            "description": declared.get("summary", ""),
            "subordinate": bool(declared.get("subordinate")),
            "provides": of("provider", "provides"),
            "requires": of("requirer", "requires"),
            "peers": of("peer", "peers"),
            "extra-bindings": dict.fromkeys(declared.get("extra-bindings") or []),
            "categories": [],
            "tags": ["openstack"],
            "storage": {},
            "devices": {},
            "payload-classes": {},
            "resources": {
                key: {"name": key, "type": spec["type"], "path": spec["filename"], "description": ""} for key, spec in (declared.get("resources") or {}).items()
            },
            "terms": [],
            "min-juju-version": "2.9.0",
            "series": [],
            "assumes-expr": None,
            "charm-user": "default",
        }

    def List(self, params: dict) -> dict:
        return {"charm-urls": sorted(self.model["charms"])}

    def IsMetered(self, params: dict) -> dict:
        return {"metered": False}

    def CheckCharmPlacement(self, params: dict) -> dict:
        return each(params.get("placements"), lambda one: {})

    def ListCharmResources(self, params: dict) -> dict:
        def one(entity: dict) -> list:
            name = charms.parse_url(entity.get("url") or "")["name"]
            return [
                {"name": key, "type": spec["type"], "path": spec["filename"], "origin": "store", "revision": 0}
                for key, spec in (charms.charm(name).get("resources") or {}).items()
            ]

        return each(params.get("entities"), one)

    def GetDownloadInfos(self, params: dict) -> dict:
        raise JujuError("the lab has no charm archives", "not supported")


class Resources(Facade):
    name = "Resources"
    versions = (3,)

    def AddPendingResources(self, params: dict) -> dict:
        ids = []
        for resource in params.get("resources") or []:
            identity = str(uuid.uuid4())
            name = resource.get("name") if isinstance(resource, dict) else ""
            self.model["pending_resources"][identity] = {"application": params.get("tag"), "name": name}
            ids.append(identity)
        return {"pending-ids": ids}

    def ListResources(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            name = (entity.get("tag") or "").removeprefix("application-")
            app = self.juju.applications.get(self.model, name)
            rows = [
                {
                    "name": key,
                    "type": spec["type"],
                    "path": spec["filename"],
                    "origin": "store",
                    "revision": 0,
                    "application": name,
                    "id": f"{name}/{key}",
                    "size": 0,
                    "username": "admin",
                    "description": "",
                }
                for key, spec in (charms.charm(app["charm"]).get("resources") or {}).items()
            ]
            return {"resources": rows, "charm-store-resources": rows, "unit-resources": []}

        return each(params.get("entities"), one)
