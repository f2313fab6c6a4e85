"""Relations: which endpoints fit, what the server refuses, and what each side sees of the other."""

from __future__ import annotations

from typing import Any

from lab.world.juju import charms
from lab.world.juju.errors import JujuError, exists, invalid, not_found

COUNTERPART = {"provider": "requirer", "requirer": "provider"}


class Relations:
    """The relations of every model. One: ``{id, key, endpoints: [{app, name, role, interface, scope}], scope}``; peers have one endpoint."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self._index: dict[str, tuple] = {}

    def of(self, model: dict, application: str) -> list[dict[str, Any]]:
        return [r for r in model["relations"].values() if any(e["app"] == application for e in r["endpoints"])]

    def by_application(self, model: dict) -> dict[str, list[tuple[dict, dict, dict]]]:
        """(relation, own end, other end) for each application; peers are left out. Kept until a relation comes or goes."""
        mark = (len(model["relations"]), model["next"]["relation"])
        held = self._index.get(model["uuid"])
        if held is None or held[0] != mark:
            found: dict[str, list[tuple[dict, dict, dict]]] = {}
            for relation in model["relations"].values():
                ends = relation["endpoints"]
                if len(ends) == 2:
                    for mine, other in (ends, ends[::-1]):
                        found.setdefault(mine["app"], []).append((relation, mine, other))
            self._index[model["uuid"]] = held = (mark, found)
        return held[1]

    def infer(self, model: dict, texts: list[str]) -> list[dict[str, Any]]:
        """The two endpoints meant by ``application[:endpoint]`` twice; the server's refusals otherwise."""
        if len(texts) != 2:
            raise invalid("a relation must involve two applications")
        sides = [self._candidates(model, text) for text in texts]
        pairs = [(a, b) for a in sides[0] for b in sides[1] if self._fits(a, b)]
        if not pairs:
            raise JujuError("no relations found" if all(":" not in t for t in texts) else self._mismatch(texts), "not found")
        if len(pairs) > 1:
            # An implicit endpoint only counts when there is nothing else.
            explicit = [p for p in pairs if not any(self._implicit(model, e) for e in p)]
            pairs = explicit or pairs
        if len(pairs) > 1:
            shown = "; ".join(sorted(f'"{self.key(pair)}"' for pair in pairs))
            raise JujuError(f'ambiguous relation: "{texts[0]} {texts[1]}" could refer to {shown}')
        return list(pairs[0])

    @staticmethod
    def _mismatch(texts: list[str]) -> str:
        return f"no relations found between {texts[0]} and {texts[1]}"

    def _candidates(self, model: dict, text: str) -> list[dict[str, Any]]:
        name, colon, endpoint = text.partition(":")
        app = self.juju.applications.get(model, name)
        known = {k: e for k, e in charms.endpoints(app["charm"]).items() if e["role"] != "peer"}
        if colon and endpoint not in known:
            raise JujuError(f'application "{name}" has no "{endpoint}" relation', "not found")
        chosen = [known[endpoint]] if colon else list(known.values())
        return [{"app": name, **e} for e in chosen]

    @staticmethod
    def _fits(one: dict, other: dict) -> bool:
        return one["app"] != other["app"] and one["interface"] == other["interface"] and COUNTERPART.get(one["role"]) == other["role"]

    @staticmethod
    def _implicit(model: dict, end: dict) -> bool:
        declared = charms.charm(model["applications"][end["app"]]["charm"]).get("provides") or {}
        return end["name"] == "juju-info" and end["role"] == "provider" and "juju-info" not in declared

    @staticmethod
    def key(ends: Any) -> str:
        """``requirer:endpoint provider:endpoint``, the order of Juju's keys."""
        ordered = sorted(ends, key=lambda e: {"requirer": 0, "peer": 1, "provider": 2}[e["role"]])
        return " ".join(f"{e['app']}:{e['name']}" for e in ordered)

    def add(self, model: dict, texts: list[str]) -> dict[str, Any]:
        ends = self.infer(model, texts)
        key = self.key(ends)
        if any(r["key"] == key for r in model["relations"].values()):
            raise exists(f'cannot add relation "{key}": relation {key} already exists')
        for end in ends:
            app = model["applications"][end["app"]]
            if app["life"] != "alive":
                raise JujuError(f'cannot add relation "{key}": application {app["name"]} is not alive')
            held = [r for r in self.of(model, app["name"]) if any(e["app"] == app["name"] and e["name"] == end["name"] for e in r["endpoints"])]
            if end["limit"] and len(held) >= end["limit"]:
                raise JujuError(
                    f'cannot add relation "{key}": establishing a new relation for {app["name"]}:{end["name"]} '
                    f"would exceed its maximum relation limit of {end['limit']}",
                    "quota limit exceeded",
                )
        scope = "container" if any(e["scope"] == "container" for e in ends) else "global"
        subordinates = [model["applications"][e["app"]]["subordinate"] for e in ends]
        if scope == "container" and not any(subordinates):
            raise JujuError(f'cannot add relation "{key}": container scoped relation requires at least one subordinate application')
        if scope == "container" and not all(subordinates):
            principal, subordinate = (model["applications"][e["app"]] for e in (ends if subordinates[1] else ends[::-1]))
            if principal["base"] != subordinate["base"]:
                raise JujuError(f'cannot add relation "{key}": principal and subordinate applications\' bases must match')
        relation = self._new(model, key, ends, scope)
        self.engine.log("juju.relation", model=model["name"], key=key, id=relation["id"])
        self.juju.changed(model)
        return relation

    def add_peers(self, model: dict, app: dict) -> None:
        """A relation with itself for each peer endpoint; it lives as long as the application."""
        for end in charms.endpoints(app["charm"]).values():
            if end["role"] == "peer":
                self._new(model, f"{app['name']}:{end['name']}", [{"app": app["name"], **end}], end["scope"])

    def _new(self, model: dict, key: str, ends: list[dict], scope: str) -> dict[str, Any]:
        identity = model["next"]["relation"]
        model["next"]["relation"] += 1
        relation = {"id": identity, "key": key, "endpoints": ends, "scope": scope, "created": self.engine.now()}
        model["relations"][str(identity)] = relation
        return relation

    def find(self, model: dict, texts: list[str]) -> dict[str, Any]:
        key = self.key(self.infer(model, texts))
        for relation in model["relations"].values():
            if relation["key"] == key:
                return relation
        raise not_found("relation", key)

    def by_id(self, model: dict, identity: int) -> dict[str, Any]:
        if str(identity) not in model["relations"]:
            raise not_found("relation", str(identity))
        return model["relations"][str(identity)]

    def remove(self, model: dict, relation: dict) -> None:
        """Gone at once; the units forget it, and subordinate units that lived by it go."""
        model["relations"].pop(str(relation["id"]), None)
        suffix = f":{relation['id']}"
        for unit in model["units"].values():
            for step in [s for s in unit["done"] if s.split("@")[0].endswith(suffix)]:
                del unit["done"][step]
        if relation["scope"] == "container" and len(relation["endpoints"]) == 2:
            for end, other in (relation["endpoints"], relation["endpoints"][::-1]):
                app = model["applications"].get(end["app"])
                if app and app["subordinate"]:
                    for unit in self.juju.applications.units(model, app["name"]):
                        if unit["principal"] and unit["principal"].split("/")[0] == other["app"] and unit["life"] == "alive":
                            self.juju.applications.remove_unit(model, unit["name"], force=True)
        self.engine.log("juju.relation_removed", model=model["name"], key=relation["key"])
        self.juju.changed(model)
