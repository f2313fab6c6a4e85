"""ModelManager and ModelConfig."""

from __future__ import annotations

from lab.faces.juju import views
from lab.faces.juju.facades.base import Facade, credential_parts, each, superuser, untag, user_name
from lab.world.juju import charms
from lab.world.juju.errors import JujuError, invalid, unauthorized
from lab.world.juju.machines import natural


class ModelManager(Facade):
    name = "ModelManager"
    versions = (9, 10)
    on = "controller"

    def _model(self, tag: str) -> dict:
        return self.juju.models.get(untag("model", tag), self.controller)

    def CreateModel(self, params: dict) -> dict:
        superuser(self)
        cloud = untag("cloud", params["cloud-tag"]) if params.get("cloud-tag") else self.controller["cloud"]
        owner = user_name(params.get("owner-tag") or f"user-{self.connection.user}")
        credential = None
        if params.get("credential"):
            of_cloud, user, credential = credential_parts(params["credential"])
            if of_cloud != cloud:
                raise invalid(f'credential "{credential}" is for another cloud than "{cloud}"')
            self.juju.controllers.credential(self.controller, user, cloud, credential)
        model = self.juju.models.create(self.controller, params.get("name") or "", owner, cloud, credential, params.get("config") or {})
        return self._info(model)

    def _info(self, model: dict) -> dict:
        cloud, owner = model["cloud"], model["owner"]
        machines = sorted((m for m in model["machines"].values() if not m["parent"]), key=lambda m: natural(m["id"]))
        base = self.juju.machines.default_base(model)
        return {
            "name": model["name"],
            "type": "iaas",
            "uuid": model["uuid"],
            "controller-uuid": self.controller["uuid"],
            "is-controller": model["name"] == "controller",
            "provider-type": self.controller["clouds"].get(cloud, {}).get("type", "maas"),
            "default-base": f"ubuntu@{base}/stable",
            "default-series": charms.NAMES.get(base, ""),
            "cloud-tag": f"cloud-{cloud}",
            "cloud-region": model["region"],
            "cloud-credential-tag": f"cloudcred-{cloud}_{model['credential'][0]}_{model['credential'][2]}",
            "cloud-credential-validity": True,
            "owner-tag": f"user-{owner}",
            "life": model["life"],
            "status": {"status": model["status"]["current"], "info": model["status"]["message"], "data": {}, "since": views.date(model["status"]["since"])},
            "users": [{"model-tag": f"model-{model['uuid']}", "user": owner, "display-name": owner, "last-connection": None, "access": "admin"}],
            "machines": [
                {
                    "id": m["id"],
                    "instance-id": views.instance_id(m),
                    "display-name": m["hostname"],
                    "status": m["agent"]["status"],
                    "message": "",
                    "hardware": {},
                }
                for m in machines
            ],
            "secret-backends": [],
            "migration": None,
            "sla": {"level": "unsupported", "owner": ""},
            "agent-version": self.juju.state["version"],
            "supported-features": [{"name": "juju", "description": "", "version": self.juju.state["version"]}],
        }

    def _visible(self) -> list[dict]:
        return self.juju.models.of(self.controller)

    def ListModels(self, params: dict) -> dict:
        rows = [
            {"model": {"name": m["name"], "uuid": m["uuid"], "type": "iaas", "owner-tag": f"user-{m['owner']}"}, "last-connection": None}
            for m in self._visible()
        ]
        return {"user-models": rows}

    def ListModelSummaries(self, params: dict) -> dict:
        rows = []
        for model in self._visible():
            info = self._info(model)
            counts = [{"entity": "machines", "count": len(model["machines"])}, {"entity": "units", "count": len(model["units"])}]
            keep = (
                "name", "type", "uuid", "controller-uuid", "is-controller", "provider-type", "default-base", "default-series", "cloud-tag", "cloud-region",
                "cloud-credential-tag", "owner-tag", "life", "status", "migration", "sla", "agent-version",
            )  # fmt: skip
            rows.append({"result": {**{key: info[key] for key in keep}, "user-access": "admin", "last-connection": None, "counts": counts}})
        return {"results": rows}

    def ModelInfo(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            # A model that is not there and one that is not yours look alike.
            uuid = untag("model", entity.get("tag"))
            if uuid not in self.juju.state["models"]:
                raise unauthorized()
            return {"result": self._info(self._model(entity["tag"]))}

        return each(params.get("entities"), one)

    def ModelStatus(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            model = self._model(entity.get("tag"))
            return {
                "model-tag": entity["tag"],
                "life": model["life"],
                "type": "iaas",
                "hosted-machine-count": len(model["machines"]),
                "application-count": len(model["applications"]),
                "unit-count": len(model["units"]),
                "owner-tag": f"user-{model['owner']}",
                "applications": [{"name": name} for name in sorted(model["applications"])],
                "machines": self._info(model)["machines"],
                "volumes": [],
                "filesystems": [],
            }

        return each(params.get("entities"), one)

    def DestroyModels(self, params: dict) -> dict:
        superuser(self)

        def one(wanted: dict) -> dict:
            model = self._model(wanted.get("model-tag"))
            if model["name"] == "controller":
                raise JujuError("cannot destroy controller model with this request", "operation is blocked")
            self.juju.models.destroy(model, bool(wanted.get("force")))
            return {}

        return each(params.get("models"), one)

    def ModifyModelAccess(self, params: dict) -> dict:
        return each(params.get("changes"), lambda change: {})

    def ModelDefaultsForClouds(self, params: dict) -> dict:
        from lab.world.juju.models import DEFAULTS

        return each(params.get("entities"), lambda entity: {"config": {k: {"default": v} for k, v in DEFAULTS.items()}})


class ModelConfig(Facade):
    name = "ModelConfig"
    versions = (3,)

    def ModelGet(self, params: dict) -> dict:
        found = self.juju.models.config(self.model)
        found["authorized-keys"] = {"value": "\n".join(self.model["keys"]), "source": "model"}
        return {"config": found}

    def ModelSet(self, params: dict) -> dict:
        self.juju.models.set_config(self.alive, params.get("config") or {})
        return {}

    def ModelUnset(self, params: dict) -> dict:
        self.juju.models.unset_config(self.alive, params.get("keys") or [])
        return {}

    def GetModelConstraints(self, params: dict) -> dict:
        return {"constraints": dict(self.model["constraints"])}

    def SetModelConstraints(self, params: dict) -> dict:
        self.juju.models.set_constraints(self.alive, params.get("constraints") or {})
        return {}

    def SLALevel(self, params: dict) -> dict:
        return {"result": "unsupported"}

    def Sequences(self, params: dict) -> dict:
        model = self.model
        found = {"machine": model["next"]["machine"], **{f"application-{name}": number for name, number in model["unit_numbers"].items()}}
        return {"sequences": found}
