"""Application: deploy, units, relations, options, exposure, removal."""

from __future__ import annotations

import yaml

from lab.faces.juju.facades.base import Facade, each, untag
from lab.faces.juju.facades.charms import origin_of, resolve
from lab.world.juju import charms
from lab.world.juju import constraints as values
from lab.world.juju.errors import JujuError, invalid


class Application(Facade):
    name = "Application"
    versions = (15, 16, 17, 18, 19, 20)

    def _apps(self):
        return self.juju.applications

    # -- deploy -----------------------------------------------------------------------------------------------------------
    @staticmethod
    def _options(name: str, text: str | None, given: dict | None) -> dict:
        """Options from YAML (below the application's name) and from plain pairs; the pairs win."""
        found: dict = {}
        if text:
            try:
                parsed = yaml.safe_load(text) or {}
            except yaml.YAMLError as error:
                raise invalid(f"cannot parse settings data: {error}") from None
            if not isinstance(parsed, dict):
                raise invalid("cannot parse settings data: expected a mapping")
            section = parsed.get(name, {}) if name in parsed or any(isinstance(v, dict) for v in parsed.values()) else parsed
            found.update(section or {})
        found.update(given or {})
        return found

    def Deploy(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            name = wanted.get("application") or ""
            origin = wanted.get("charm-origin") or {}
            found = resolve(wanted.get("charm-url") or "", origin)
            if found["url"] not in self.model["charms"]:
                # The charm has to be in the model first (AddCharm).
                raise JujuError(f'cannot deploy application "{name}": charm "{wanted.get("charm-url")}" not found', "not found")
            if any(not isinstance(value, dict) for value in (wanted.get("storage") or {}).values()):
                raise JujuError("json: cannot unmarshal string into Go struct field ApplicationDeploy.applications.storage of type storage.Constraints", "")
            base = charms.base_version(origin.get("base")) or charms.base_version(wanted.get("series")) or found["bases"][0]
            self._apps().deploy(
                self.alive,
                name,
                found,
                base,
                wanted.get("channel") or "",
                config=self._options(name, wanted.get("config-yaml"), wanted.get("config")),
                constraints=wanted.get("constraints"),
                num_units=wanted.get("num-units") or 0,
                placement=wanted.get("placement"),
                bindings=wanted.get("endpoint-bindings"),
                resources=wanted.get("resources"),
            )
            return {}

        return each(params.get("applications"), one)

    def DeployFromRepository(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            get = {k.lower().replace("-", "").replace("_", ""): v for k, v in wanted.items()}.get
            reference = get("charmname") or ""
            try:
                parts = charms.parse_url(reference)
                name = get("applicationname") or parts["name"]
                revision = get("revision")
                base = charms.base_version(get("base"))
                default = charms.base_version(self.model["config"].get("default-base"))
                found = self._best(
                    parts["name"], get("channel"), [base] if base else [default, "22.04", None], parts["revision"] if revision in (None, -1) else revision
                )
                chosen = base or (default if default in found["bases"] else ("22.04" if "22.04" in found["bases"] else found["bases"][-1]))
                info = {
                    "architecture": "amd64",
                    "base": charms.wire_base(chosen),
                    "channel": f"{found['track']}/{found['risk']}",
                    "effective-channel": None,
                    "name": name,
                    "revision": found["revision"],
                }
                if get("dryrun"):
                    return {"Errors": [], "Info": info, "PendingResourceUploads": []}
                subordinate = charms.charm(parts["name"]).get("subordinate")
                number = get("numunits")
                self._apps().deploy(
                    self.alive,
                    name,
                    found,
                    chosen,
                    info["channel"],
                    config=self._options(name, get("configyaml"), None),
                    constraints=get("cons"),
                    num_units=(0 if subordinate and number in (None, 1) else (1 if number is None else number)),
                    placement=get("placement"),
                    bindings=get("endpointbindings"),
                    trust=bool(get("trust")),
                )
                self.model["charms"][found["url"]] = {"name": found["name"], "revision": found["revision"]}
            except JujuError as error:
                return {"Errors": [error.wire()], "Info": {}, "PendingResourceUploads": []}
            return {"Errors": [], "Info": info, "PendingResourceUploads": []}

        return each(params.get("Args") or params.get("args"), one)

    @staticmethod
    def _best(name: str, channel: str | None, bases: list[str | None], revision: int | None) -> dict:
        error: JujuError | None = None
        for base in bases:
            try:
                return charms.resolve(name, channel, base, revision)
            except JujuError as refusal:
                error = refusal
        raise error or invalid("no base")

    def SetCharm(self, params: dict) -> dict:
        name = params.get("application") or ""
        origin = params.get("charm-origin") or {}
        app = self._apps().get(self.model, name)
        origin = {**origin, "base": origin.get("base") or charms.wire_base(app["base"])}
        found = resolve(params.get("charm-url") or "", origin)
        if found["url"] not in self.model["charms"] and found["url"] != app["url"]:
            raise JujuError(f'charm "{params.get("charm-url")}" not found', "not found")
        settings = self._options(name, params.get("config-settings-yaml"), params.get("config-settings"))
        self._apps().set_charm(self.alive, name, found, params.get("channel") or "", settings)
        return {}

    def UpdateApplicationBase(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            name = untag("application", (wanted.get("tag") or {}).get("tag"))
            self._apps().set_base(self.alive, name, (wanted.get("channel") or "").split("/")[0])
            return {}

        return each(params.get("args"), one)

    # -- units ------------------------------------------------------------------------------------------------------------
    def AddUnits(self, params: dict) -> dict:
        if params.get("attach-storage") and params.get("num-units", 1) != 1:
            raise invalid("AttachStorage is non-empty, but NumUnits is not 1")
        return {"units": self._apps().add_units(self.alive, params.get("application") or "", params.get("num-units") or 0, params.get("placement"))}

    def DestroyUnit(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            name = untag("unit", wanted.get("unit-tag"))
            unit = self._apps().unit(self.model, name)
            if unit["principal"]:
                raise JujuError(f'unit "{name}" is a subordinate, to remove use remove-relation. Note: this will remove all units of "{unit["app"]}"', "")
            if not wanted.get("dry-run"):
                self._apps().remove_unit(self.model, name, force=bool(wanted.get("force")))
            return {"info": {"destroyed-storage": [], "detached-storage": []}}

        return each(params.get("units"), one)

    def DestroyApplication(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            name = untag("application", wanted.get("application-tag"))
            units = [u["name"] for u in self._apps().units(self.model, self._apps().get(self.model, name)["name"])]
            if not wanted.get("dry-run"):
                self._apps().remove(self.model, name, force=bool(wanted.get("force")))
            return {"info": {"destroyed-units": [{"tag": f"unit-{u.replace('/', '-')}"} for u in units], "destroyed-storage": [], "detached-storage": []}}

        return each(params.get("applications"), one)

    def ResolveUnitErrors(self, params: dict) -> dict:
        tags = [e.get("tag") for e in (params.get("tags") or {}).get("entities") or []]
        if params.get("all"):
            tags = [f"unit-{u['name'].replace('/', '-')}" for u in self.model["units"].values() if u["error"]]

        def one(tag: str) -> dict:
            self._apps().resolve(self.model, untag("unit", tag), bool(params.get("retry")))
            return {}

        return each(tags, one)

    def UnitsInfo(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            name = untag("unit", entity.get("tag"))
            unit = self._apps().unit(self.model, name)
            app = self.model["applications"][unit["app"]]
            machine = self.model["machines"].get(unit["machine"]) or {}
            address = machine.get("address") or ""
            return {
                "result": {
                    "tag": entity["tag"],
                    "workload-version": "",
                    "machine": unit["machine"],
                    "opened-ports": [],
                    "public-address": address,
                    "address": address,
                    "charm": app["url"],
                    "leader": app["leader"] == name,
                    "life": unit["life"],
                    "relation-data": [],
                }
            }

        return each(params.get("entities"), one)

    def Leader(self, params: dict) -> dict:
        app = self._apps().get(self.model, untag("application", params.get("tag")))
        if not app["leader"]:
            raise JujuError(f'"{app["name"]}" leader not found', "not found")
        return {"result": app["leader"]}

    # -- relations --------------------------------------------------------------------------------------------------------
    def AddRelation(self, params: dict) -> dict:
        relation = self.juju.relations.add(self.alive, params.get("endpoints") or [])
        return {
            "endpoints": {
                e["app"]: {
                    "name": e["name"],
                    "role": e["role"],
                    "interface": e["interface"],
                    "optional": False,
                    "limit": e["limit"],
                    "scope": relation["scope"],
                }
                for e in relation["endpoints"]
            }
        }

    def DestroyRelation(self, params: dict) -> dict:
        if params.get("endpoints"):
            relation = self.juju.relations.find(self.model, params["endpoints"])
        else:
            relation = self.juju.relations.by_id(self.model, params.get("relation-id"))
        self.juju.relations.remove(self.model, relation)
        return {}

    def SetRelationsSuspended(self, params: dict) -> dict:
        raise JujuError("only relations to offers can be suspended", "not supported")

    def CharmRelations(self, params: dict) -> dict:
        app = self._apps().get(self.model, params.get("application") or "")
        return {"charm-relations": sorted(charms.endpoints(app["charm"]))}

    # -- options ------------------------------------------------------------------------------------------------------------
    def Get(self, params: dict) -> dict:
        name = params.get("application") or ""
        app = self._apps().get(self.model, name)
        return {
            "application": name,
            "charm": app["charm"],
            "config": self._described(app),
            "application-config": {
                "trust": {
                    "default": False,
                    "description": "Does this application have access to trusted credentials",
                    "source": "user" if "trust" in app["app_config"] else "default",
                    "type": "bool",
                    "value": app["app_config"].get("trust", False),
                }
            },
            "constraints": {"arch": "amd64", **app["constraints"]} if app["constraints"] else {"arch": "amd64"},
            "base": charms.wire_base(app["base"]),
            "channel": app["channel"],
            "endpoint-bindings": app["bindings"],
        }

    @staticmethod
    def _described(app: dict) -> dict:
        found = {}
        for key, spec in charms.options(app["charm"]).items():
            entry: dict = {"description": "", "type": spec["type"], "source": "unset"}
            if "default" in spec:
                entry.update(default=spec["default"], value=spec["default"], source="default")
            if key in app["config"]:
                entry.update(value=app["config"][key], source="user")
            found[key] = entry
        return found

    def GetConfig(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            return {"config": self._described(self._apps().get(self.model, untag("application", entity.get("tag"))))}

        return each(params.get("entities"), one)

    def CharmConfig(self, params: dict) -> dict:
        return each(params.get("args"), lambda wanted: {"config": self._described(self._apps().get(self.model, wanted.get("application") or ""))})

    def SetConfigs(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            name = wanted.get("application") or ""
            app = self._apps().get(self.model, name)
            given = self._options(name, wanted.get("config-yaml"), wanted.get("config"))
            # Plain pairs come as text; an empty text of an option that is no text takes the value away.
            empty = [k for k, v in given.items() if v == "" and charms.options(app["charm"]).get(k, {}).get("type") not in ("string", None)]
            self._apps().set_config(self.alive, name, {k: v for k, v in given.items() if k not in empty})
            if empty:
                self._apps().unset_config(self.alive, name, empty)
            return {}

        return each(params.get("Args") or params.get("args"), one)

    def UnsetApplicationsConfig(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            self._apps().unset_config(self.alive, wanted.get("application") or "", wanted.get("options") or [])
            return {}

        return each(params.get("Args") or params.get("args"), one)

    def GetConstraints(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            return {"constraints": dict(self._apps().get(self.model, untag("application", entity.get("tag")))["constraints"])}

        return each(params.get("entities"), one)

    def SetConstraints(self, params: dict) -> dict:
        self._apps().set_constraints(self.alive, params.get("application") or "", params.get("constraints") or {})
        return {}

    def Expose(self, params: dict) -> dict:
        self._apps().expose(self.alive, params.get("application") or "", True, params.get("exposed-endpoints"))
        return {}

    def Unexpose(self, params: dict) -> dict:
        self._apps().expose(self.alive, params.get("application") or "", False)
        return {}

    def MergeBindings(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            app = self._apps().get(self.alive, untag("application", wanted.get("application-tag")))
            known = set(app["bindings"])
            for endpoint in wanted.get("bindings") or {}:
                if endpoint not in known:
                    raise invalid(f'endpoint "{endpoint}" not found')
            app["bindings"].update(wanted.get("bindings") or {})
            self.juju.changed(self.model)
            return {}

        return each(params.get("args"), one)

    # -- looking ------------------------------------------------------------------------------------------------------------
    def ApplicationsInfo(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            app = self._apps().get(self.model, untag("application", entity.get("tag")))
            return {
                "result": {
                    "tag": entity["tag"],
                    "charm": app["charm"],
                    "base": charms.wire_base(app["base"]),
                    "channel": app["channel"],
                    "constraints": dict(app["constraints"]),
                    "principal": not app["subordinate"],
                    "exposed": app["exposed"],
                    "remote": False,
                    "life": app["life"],
                    "endpoint-bindings": app["bindings"],
                    "exposed-endpoints": app["exposed_endpoints"],
                }
            }

        return each(params.get("entities"), one)

    def GetCharmURLOrigin(self, params: dict) -> dict:
        app = self._apps().get(self.model, params.get("application") or "")
        found = charms.resolve(app["charm"], app["channel"], app["base"], app["revision"])
        return {"url": app["url"], "charm-origin": origin_of(found, {}, app["base"])}

    def ScaleApplications(self, params: dict) -> dict:
        raise JujuError("scaling applications on a non-container model", "not supported")

    def Consume(self, params: dict) -> dict:
        raise JujuError("the lab has no offers", "not supported")

    def UpdateConstraints(self, params: dict) -> dict:
        return self.SetConstraints({**params, "constraints": values.clean(params.get("constraints"))})
