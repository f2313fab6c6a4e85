"""Bundle: plans."""

from __future__ import annotations

import yaml

from lab.faces.juju.facades.base import Facade
from lab.world.juju import bundles, constraints


class Bundle(Facade):
    name = "Bundle"
    versions = (6,)
    on = "both"

    def GetChangesMapArgs(self, params: dict) -> dict:
        changes, errors = bundles.changes(params.get("yaml") or "", self.juju.state.get("plan_mode", "base"))
        return {"changes": changes, "errors": errors}

    def GetChanges(self, params: dict) -> dict:
        changes, errors = bundles.changes(params.get("yaml") or "", self.juju.state.get("plan_mode", "base"))
        return {"changes": [{**c, "args": list(c["args"].values())} for c in changes], "errors": errors}

    def ExportBundle(self, params: dict) -> dict:
        """The model as a bundle."""
        model = self.model
        base = self.juju.machines.default_base(model)
        found: dict = {"default-base": f"ubuntu@{base}/stable", "applications": {}, "machines": {}, "relations": []}
        for name, app in sorted(model["applications"].items()):
            spec: dict = {"charm": app["charm"], "channel": app["channel"], "revision": app["revision"]}
            units = [] if app["subordinate"] else self.juju.applications.units(model, name)
            if units:
                spec.update(num_units=len(units), to=[self._place(u["machine"]) for u in units])
            if app["config"]:
                spec["options"] = dict(app["config"])
            if app["constraints"]:
                spec["constraints"] = constraints.text(app["constraints"])
            if app["exposed"]:
                spec["expose"] = True
            found["applications"][name] = spec
        for identity, machine in model["machines"].items():
            if not machine["parent"]:
                found["machines"][identity] = {"constraints": constraints.text(machine["constraints"])} if machine["constraints"] else {}
        found["relations"] = [[f"{e['app']}:{e['name']}" for e in r["endpoints"]] for r in model["relations"].values() if len(r["endpoints"]) == 2]
        return {"result": yaml.safe_dump(found, sort_keys=False)}

    @staticmethod
    def _place(machine: str) -> str:
        parent, slash, _number = machine.rpartition("/")
        return f"lxd:{parent.split('/')[0]}" if slash else machine
