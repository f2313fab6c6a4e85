"""MachineManager."""

from __future__ import annotations

from lab.faces.juju.facades.base import Facade, each, untag
from lab.world.juju import constraints as values
from lab.world.juju.errors import JujuError


class MachineManager(Facade):
    name = "MachineManager"
    versions = (9, 10)

    def AddMachines(self, params: dict) -> dict:
        return each(params.get("params"), self._add, key="machines")

    def _add(self, wanted: dict) -> dict:
        model = self.alive
        placement = wanted.get("placement") or {}
        target = self.juju.machines.parse_target(model, placement.get("scope") or "", placement.get("directive") or "") if placement else {}
        if "machine" in target:
            raise JujuError("machine placement is not allowed for a new machine", "bad request")
        container = wanted.get("container-type") or target.get("container", "")
        parent = wanted.get("parent-id") or target.get("parent")
        if wanted.get("instance-id"):
            raise JujuError("cannot add a machine with an instance id: the lab provisions through MAAS only", "not supported")
        row = self.juju.machines.add(
            model,
            wanted.get("base") or None,
            values.clean(wanted.get("constraints")),
            directive=target.get("directive", ""),
            container=container or "",
            parent=parent or None,
        )
        return {"machine": row["id"]}

    def DestroyMachineWithParams(self, params: dict) -> dict:
        model = self.model

        def one(tag: str) -> dict:
            identity = untag("machine", tag)
            row = self.juju.machines.get(model, identity)
            if params.get("dry-run"):
                units = [u["name"] for u in model["units"].values() if u["machine"] == identity]
                told = {"destroyed-units": units, "destroyed-containers": [m["id"] for m in model["machines"].values() if m["parent"] == identity]}
            else:
                told = self.juju.machines.remove(model, row["id"], force=bool(params.get("force")), keep=bool(params.get("keep")))
            units = [{"tag": f"unit-{u.replace('/', '-')}"} for u in told["destroyed-units"]]
            containers = [{"info": {"machine-id": c}} for c in told["destroyed-containers"]]
            return {
                "info": {"machine-id": identity, "destroyed-units": units, "destroyed-containers": containers, "destroyed-storage": [], "detached-storage": []}
            }

        return each(params.get("machine-tags"), one)

    def RetryProvisioning(self, params: dict) -> dict:
        model = self.model
        tags = params.get("machines") or []
        if params.get("all"):
            tags = [
                f"machine-{m['id'].replace('/', '-')}"
                for m in model["machines"].values()
                if m["instance"]["status"] == "provisioning error" and not m["system_id"]
            ]
        return each(tags, lambda tag: self.juju.machines.retry(model, untag("machine", tag)))

    def InstanceTypes(self, params: dict) -> dict:
        return each(params.get("constraints"), lambda one: {"error": {"message": "InstanceTypes not supported on MAAS", "code": "not supported"}})

    def ProvisioningScript(self, params: dict) -> dict:
        raise JujuError("provisioning by script is not supported", "not supported")
