"""Applications and their units: deploy, configure, scale, expose, refresh, remove."""

from __future__ import annotations

import re
from typing import Any

from lab.world.juju import charms
from lab.world.juju import constraints as values
from lab.world.juju.errors import JujuError, exists, invalid, not_found

NAME = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z0-9]*[a-z][a-z0-9]*)*$")
SETTINGS = {"trust": False}


class Applications:
    """The applications and units of every model."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self.engine.handler("juju.unit_gone", self._unit_gone)
        self.engine.handler("juju.application_gone", self._gone)

    def get(self, model: dict, name: str) -> dict[str, Any]:
        if name not in model["applications"]:
            raise not_found("application", name)
        return model["applications"][name]

    def unit(self, model: dict, name: str) -> dict[str, Any]:
        if name not in model["units"]:
            raise not_found("unit", name)
        return model["units"][name]

    def units(self, model: dict, name: str) -> list[dict[str, Any]]:
        return sorted((u for u in model["units"].values() if u["app"] == name), key=lambda u: u["number"])

    # -- deploy ---------------------------------------------------------------------------------------------------------
    def deploy(
        self,
        model: dict,
        name: str,
        found: dict[str, Any],
        base: str,
        channel: str,
        config: dict[str, Any] | None = None,
        constraints: dict | None = None,
        num_units: int = 0,
        placement: list[dict] | None = None,
        bindings: dict | None = None,
        resources: dict | None = None,
        trust: bool = False,
    ) -> dict[str, Any]:
        """``found``: what ``charms.resolve`` gave. Everything is checked before anything is made."""
        if model["life"] != "alive":
            raise JujuError(f'cannot add application "{name}": model "{model["name"]}" is no longer alive')
        if not NAME.match(name or ""):
            raise invalid(f'application name "{name}" not valid')
        if name in model["applications"]:
            raise exists(f'cannot add application "{name}": application already exists')
        charm = charms.charm(found["name"])
        if base not in found["bases"]:
            raise invalid(f'base "ubuntu@{base}" is not supported by the charm, supported bases are: {", ".join(f"ubuntu@{b}" for b in found["bases"])}')
        changed, app_config = self._options(found["name"], config or {})
        if trust:
            app_config["trust"] = True
        if charm.get("subordinate") and num_units:
            raise invalid("subordinate application must be deployed without units")
        if charm.get("subordinate") and values.clean(constraints):
            raise invalid("subordinate application must be deployed without constraints")
        known = set(charms.endpoints(found["name"])) | set(charm.get("extra-bindings") or []) | {""}
        for endpoint in bindings or {}:
            if endpoint not in known:
                raise invalid(f'unknown endpoint "{endpoint}" in bindings')
        for place in placement or []:
            self.juju.machines.parse_target(model, place.get("scope", ""), place.get("directive", ""))
        model["applications"][name] = app = {
            "name": name,
            "charm": found["name"],
            "revision": found["revision"],
            "url": found["url"],
            "channel": channel or f"{found['track']}/{found['risk']}",
            "base": base,
            "subordinate": bool(charm.get("subordinate")),
            "life": "alive",
            "created": self.engine.now(),
            "config": changed,
            "app_config": app_config,
            "constraints": values.clean(constraints),
            "exposed": False,
            "exposed_endpoints": {},
            "bindings": {**dict.fromkeys(charms.endpoints(found["name"]), "alpha"), **(bindings or {}), "": (bindings or {}).get("", "alpha")},
            "resources": resources or {},
            "leader": None,
            "state": {},
        }
        self.juju.relations.add_peers(model, app)
        self.engine.log("juju.application", model=model["name"], application=name)
        if num_units:
            self.add_units(model, name, num_units, placement)
        self.juju.changed(model)
        return app

    @staticmethod
    def _options(charm: str, config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Charm options by type, and the application's own settings."""
        changed, own = {}, {}
        for key, value in config.items():
            if key in SETTINGS:
                own[key] = charms._boolean(value)
            elif value is not None:
                changed[key] = charms.coerce(charm, key, value)
        return changed, own

    # -- units ----------------------------------------------------------------------------------------------------------
    def add_units(self, model: dict, name: str, count: int, placement: list[dict] | None = None) -> list[str]:
        app = self.get(model, name)
        if app["subordinate"]:
            raise invalid(f'cannot add unit 1/{count} to application "{name}": application is a subordinate')
        if count < 1:
            raise invalid("must add at least one unit")
        if app["life"] != "alive":
            raise JujuError(f'cannot add unit 1/{count} to application "{name}": application is not found or not alive')
        places = list(placement or [])
        targets = [self.juju.machines.parse_target(model, p.get("scope") or "", p.get("directive") or "") for p in places]
        added = []
        for number in range(count):
            target = targets[number] if number < len(targets) else {}
            machine = target.get("machine")
            if machine is None:
                wanted = values.merged(app["constraints"])
                row = self.juju.machines.add(model, charms.wire_base(app["base"]), wanted, **target)
                machine = row["id"]
            elif model["machines"][machine]["base"] != app["base"]:
                there = model["machines"][machine]["base"]
                raise JujuError(
                    f'cannot add unit {number + 1}/{count} to application "{name}": base does not match: '
                    f'unit has "ubuntu@{app["base"]}", machine has "ubuntu@{there}"'
                )
            added.append(self._new_unit(model, app, machine, None)["name"])
        self.juju.changed(model)
        return added

    def _new_unit(self, model: dict, app: dict, machine: str, principal: str | None) -> dict[str, Any]:
        number = model["unit_numbers"].get(app["name"], 0)
        model["unit_numbers"][app["name"]] = number + 1
        now = self.engine.now()
        unit = {
            "name": f"{app['name']}/{number}",
            "app": app["name"],
            "number": number,
            "machine": machine,
            "principal": principal,
            "life": "alive",
            "created": now,
            "done": {},
            "task": None,
            "error": None,
            "lost_until": None,
            "state": {},
            "workload": {"status": "waiting", "message": "waiting for machine", "since": now},
            "agent": {"status": "allocating", "message": "", "since": now},
        }
        model["units"][unit["name"]] = unit
        if app["leader"] is None:
            app["leader"] = unit["name"]
        return unit

    def ensure_subordinates(self, model: dict) -> None:
        """A unit of each subordinate beside each unit of the principal that it is related to within the container."""
        for relation in list(model["relations"].values()):
            if relation["scope"] != "container" or len(relation["endpoints"]) != 2:
                continue
            for end, other in (relation["endpoints"], relation["endpoints"][::-1]):
                app = model["applications"].get(end["app"])
                if not app or not app["subordinate"] or app["life"] != "alive" or model["applications"][other["app"]]["subordinate"]:
                    continue
                for principal in self.units(model, other["app"]):
                    if principal["life"] != "alive" or "start" not in principal["done"]:
                        continue
                    beside = [u for u in self.units(model, app["name"]) if u["principal"] == principal["name"] and u["life"] == "alive"]
                    if not beside:
                        self._new_unit(model, app, principal["machine"], principal["name"])

    def remove_unit(self, model: dict, name: str, force: bool = False) -> dict[str, Any]:
        unit = self.unit(model, name)
        if unit["principal"] and unit["life"] == "alive" and not force:
            raise invalid(f'unit "{name}" is a subordinate, to remove use remove-relation. Note: this will remove all units of "{unit["app"]}"')
        unit["life"] = "dying"
        for other in list(model["units"].values()):
            if other["principal"] == name and other["life"] == "alive":
                self.remove_unit(model, other["name"], force=True)
        self.engine.cancel("juju.unit_gone", model=model["uuid"], unit=name)
        # A unit in error stays until it is resolved or removed by force; a busy one finishes its hook first.
        if not unit["error"] or force:
            self.engine.after(self.engine.duration("juju_unit_remove"), "juju.unit_gone", model=model["uuid"], unit=name)
        self.juju.changed(model)
        return {}

    def _unit_gone(self, model: str, unit: str) -> None:
        found = self.juju.state["models"].get(model)
        row = found["units"].get(unit) if found else None
        if not row:
            return
        if any(u["principal"] == unit for u in found["units"].values()):
            self.engine.after(5, "juju.unit_gone", model=model, unit=unit)
            return
        self._drop(found, row)
        machine = found["machines"].get(row["machine"])
        app = found["applications"].get(row["app"])
        self.engine.log("juju.unit_removed", model=found["name"], unit=unit)
        if app and app["life"] == "dying" and not self.units(found, app["name"]):
            self._gone(model, app["name"])
        # A machine that was only there for units goes with the last of them.
        if machine and row["principal"] is None and machine["life"] == "alive":
            left = [u for u in found["units"].values() if u["machine"] == machine["id"]] or [
                m for m in found["machines"].values() if m["parent"] == machine["id"]
            ]
            if not left and found["life"] == "alive":
                self.juju.machines.remove(found, machine["id"])
        self.juju.changed(found)

    def _drop(self, model: dict, unit: dict) -> None:
        del model["units"][unit["name"]]
        unit["life"] = "dead"
        self.juju.world.vault.unit_removed(model["uuid"], unit)
        app = model["applications"].get(unit["app"])
        if app and app["leader"] == unit["name"]:
            rest = [u["name"] for u in self.units(model, app["name"]) if u["life"] == "alive"]
            app["leader"] = rest[0] if rest else None
        self.juju.unit_changed(model, unit)

    # -- changes --------------------------------------------------------------------------------------------------------
    def set_config(self, model: dict, name: str, config: dict[str, Any]) -> None:
        app = self.get(model, name)
        changed, own = self._options(app["charm"], config)
        app["config"].update(changed)
        app["app_config"].update(own)
        self._config_changed(model, app)

    def unset_config(self, model: dict, name: str, keys: list[str]) -> None:
        app = self.get(model, name)
        for key in keys:
            if key not in charms.options(app["charm"]) and key not in SETTINGS:
                raise charms.not_found_option(key)
            app["config"].pop(key, None)
            app["app_config"].pop(key, None)
        self._config_changed(model, app)

    def _config_changed(self, model: dict, app: dict) -> None:
        app["state"]["config"] = app["state"].get("config", 0) + 1
        self.juju.changed(model)

    def set_constraints(self, model: dict, name: str, wanted: dict[str, Any]) -> None:
        app = self.get(model, name)
        if app["subordinate"]:
            raise invalid("cannot set constraints on a subordinate application")
        app["constraints"] = values.clean(wanted)
        self.juju.changed(model)

    def expose(self, model: dict, name: str, exposed: bool, endpoints: dict | None = None) -> None:
        app = self.get(model, name)
        app["exposed"] = exposed
        app["exposed_endpoints"] = (endpoints or {"": {"expose-to-cidrs": ["0.0.0.0/0", "::/0"]}}) if exposed else {}
        self.juju.changed(model)

    def set_charm(self, model: dict, name: str, found: dict[str, Any], channel: str, config: dict | None = None) -> None:
        """Refresh: another revision or channel of the same charm (another charm only by ``--switch``, which the lab does not have)."""
        app = self.get(model, name)
        if found["name"] != app["charm"]:
            raise invalid(f'cannot upgrade application "{name}" to charm "{found["name"]}": relations or endpoints would be lost')
        different = app["revision"] != found["revision"]
        app.update(revision=found["revision"], url=found["url"], channel=channel or f"{found['track']}/{found['risk']}")
        if config:
            changed, own = self._options(app["charm"], config)
            app["config"].update(changed)
            app["app_config"].update(own)
        if different:
            app["state"]["upgrade"] = app["state"].get("upgrade", 0) + 1
        self.juju.changed(model)

    def set_base(self, model: dict, name: str, base: str) -> None:
        app = self.get(model, name)
        supported = charms.resolve(app["charm"], app["channel"])["bases"]
        if base not in supported:
            raise invalid(f'base "ubuntu@{base}" not supported by charm "{app["charm"]}", supported bases are: {", ".join(supported)}')
        app["base"] = base
        self.juju.changed(model)

    def resolve(self, model: dict, name: str, retry: bool) -> None:
        """``juju resolve``: the failed hook again, or (without retry) as if it had succeeded."""
        unit = self.unit(model, name)
        if not unit["error"]:
            raise JujuError(f'unit "{name}" is not in an error state')
        self.juju.units.resolve(model, unit, retry)

    # -- the end --------------------------------------------------------------------------------------------------------
    def remove(self, model: dict, name: str, force: bool = False) -> dict[str, Any]:
        app = self.get(model, name)
        units = self.units(model, name)
        with self.juju.together(model):
            app["life"] = "dying"
            for relation in self.juju.relations.of(model, name):
                if len(relation["endpoints"]) == 2:
                    self.juju.relations.remove(model, relation)
            for unit in units:
                self.remove_unit(model, unit["name"], force=force or app["subordinate"])
            if not units:
                self.engine.after(2, "juju.application_gone", model=model["uuid"], application=name)
        return {"destroyed-units": [u["name"] for u in units]}

    def _gone(self, model: str, application: str) -> None:
        found = self.juju.state["models"].get(model)
        if not found or application not in found["applications"] or self.units(found, application):
            return
        for relation in self.juju.relations.of(found, application):
            self.juju.relations.remove(found, relation)
        del found["applications"][application]
        found["annotations"].pop(f"application-{application}", None)
        self.juju.world.vault.application_removed(model, application)
        self.engine.log("juju.application_removed", model=found["name"], application=application)
        self.juju.changed(found)
