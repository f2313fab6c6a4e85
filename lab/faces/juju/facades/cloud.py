"""Cloud: the controller's clouds and credentials."""

from __future__ import annotations

from lab.faces.juju.facades.base import Facade, credential_parts, each, superuser, untag, user_name
from lab.world.juju.errors import JujuError, not_found


class Cloud(Facade):
    name = "Cloud"
    versions = (7,)
    on = "controller"

    def _wire(self, name: str) -> dict:
        cloud = self.controller["clouds"][name]
        return {
            "type": cloud["type"],
            "auth-types": cloud["auth-types"],
            "endpoint": cloud["endpoint"],
            "regions": [{"name": r["name"], "endpoint": r.get("endpoint", "")} for r in cloud["regions"]],
            "is-controller-cloud": name == self.controller["cloud"],
        }

    def Clouds(self, params: dict) -> dict:
        return {"clouds": {f"cloud-{name}": self._wire(name) for name in sorted(self.controller["clouds"])}}

    def Cloud(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            name = untag("cloud", entity.get("tag"))
            if name not in self.controller["clouds"]:
                raise not_found("cloud", name)
            return {"cloud": self._wire(name)}

        return each(params.get("entities"), one)

    def CloudInfo(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            name = untag("cloud", entity.get("tag"))
            if name not in self.controller["clouds"]:
                raise not_found("cloud", name)
            return {"result": {**self._wire(name), "users": [{"username": "admin", "display-name": "admin", "access": "admin"}]}}

        return each(params.get("entities"), one)

    def ListCloudInfo(self, params: dict) -> dict:
        return {"results": [{"result": {**self._wire(name), "user-access": "admin"}} for name in sorted(self.controller["clouds"])]}

    def AddCloud(self, params: dict) -> dict:
        superuser(self)
        cloud = params.get("cloud") or {}
        if cloud.get("type") not in ("maas", "lxd", "manual", "openstack"):
            raise JujuError(f'cloud type "{cloud.get("type")}" not supported', "not valid")
        self.juju.controllers.add_cloud(self.controller, params.get("name") or "", cloud, bool(params.get("force")))
        return {}

    def UpdateCloud(self, params: dict) -> dict:
        superuser(self)

        def one(wanted: dict) -> dict:
            self.juju.controllers.update_cloud(self.controller, wanted.get("name") or "", wanted.get("cloud") or {})
            return {}

        return each(params.get("clouds"), one)

    def RemoveClouds(self, params: dict) -> dict:
        superuser(self)

        def one(entity: dict) -> dict:
            self.juju.controllers.remove_cloud(self.controller, untag("cloud", entity.get("tag")))
            return {}

        return each(params.get("entities"), one)

    def ModifyCloudAccess(self, params: dict) -> dict:
        return each(params.get("changes"), lambda change: {})

    # -- credentials --------------------------------------------------------------------------------------------------------
    def UserCredentials(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            user, cloud = user_name(wanted.get("user-tag") or ""), untag("cloud", wanted.get("cloud-tag"))
            held = self.controller["credentials"].get(user, {}).get(cloud, {})
            return {"result": [f"cloudcred-{cloud}_{user}_{name}" for name in sorted(held)]}

        return each(params.get("user-clouds"), one)

    def Credential(self, params: dict) -> dict:
        """What is not secret of credentials."""

        def one(entity: dict) -> dict:
            cloud, user, name = credential_parts(entity.get("tag") or "")
            found = self.juju.controllers.credential(self.controller, user, cloud, name)
            return {"result": {"auth-type": found["auth-type"], "attrs": {}, "redacted": sorted(found["attributes"])}}

        return each(params.get("entities"), one)

    def CredentialContents(self, params: dict) -> dict:
        wanted = params.get("credentials") or [
            {"cloud-name": cloud, "credential-name": name}
            for cloud, held in self.controller["credentials"].get(self.connection.user, {}).items()
            for name in held
        ]

        def one(row: dict) -> dict:
            cloud, name = row.get("cloud-name"), row.get("credential-name")
            found = self.juju.controllers.credential(self.controller, self.connection.user, cloud, name)
            models = [
                {"model": m["name"], "access": "admin"} for m in self.juju.models.of(self.controller) if m["credential"] == [self.connection.user, cloud, name]
            ]
            attributes = found["attributes"] if params.get("include-secrets") else {}
            return {
                "result": {"content": {"name": name, "cloud": cloud, "auth-type": found["auth-type"], "attrs": attributes, "valid": True}, "models": models}
            }

        return each(wanted, one)

    def _update(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            cloud, user, name = credential_parts(wanted.get("tag") or "")
            content = wanted.get("credential") or {}
            used = self.juju.controllers.set_credential(
                self.controller, user, cloud, name, {"auth-type": content.get("auth-type"), "attributes": content.get("attrs")}
            )
            return {"tag": wanted["tag"], "models": [{"uuid": m["uuid"], "name": m["name"], "errors": []} for m in used]}

        return each(params.get("credentials"), one)

    def AddCredentials(self, params: dict) -> dict:
        return self._update(params)

    def UpdateCredentialsCheckModels(self, params: dict) -> dict:
        return self._update(params)

    def UpdateCredentials(self, params: dict) -> dict:
        return self._update(params)

    def CheckCredentialsModels(self, params: dict) -> dict:
        return each(params.get("credentials"), lambda wanted: {"tag": wanted.get("tag"), "models": []})

    def RevokeCredentialsCheckModels(self, params: dict) -> dict:
        def one(wanted: dict) -> dict:
            cloud, user, name = credential_parts(wanted.get("tag") or "")
            self.juju.controllers.remove_credential(self.controller, user, cloud, name, bool(wanted.get("force")))
            return {}

        return each(params.get("credentials"), one)
