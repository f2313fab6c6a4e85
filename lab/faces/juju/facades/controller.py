"""Controller and UserManager."""

from __future__ import annotations

import secrets

from lab.faces.juju import views
from lab.faces.juju.facades.base import Facade, each, superuser, untag, user_name
from lab.world.juju.errors import JujuError, exists, not_found


class Controller(Facade):
    name = "Controller"
    versions = (11, 12)
    on = "both"

    def ControllerAPIInfoForModels(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            self.juju.models.get(untag("model", entity.get("tag")), self.controller)
            return {"addresses": [self.juju.controllers.endpoint(self.controller)], "cacert": self.controller["ca_cert"]}

        return each(params.get("entities"), one)

    def ControllerConfig(self, params: dict) -> dict:
        fixed = {
            "api-port": 17070,
            "ca-cert": self.controller["ca_cert"],
            "controller-name": self.controller["name"],
            "controller-uuid": self.controller["uuid"],
            "set-numa-control-policy": False,
            "state-port": 37017,
        }
        return {"config": {**fixed, **self.controller["config"]}}

    def ControllerVersion(self, params: dict) -> dict:
        return {"version": self.juju.state["version"], "git-commit": ""}

    def AllModels(self, params: dict) -> dict:
        superuser(self)
        return {
            "user-models": [
                {"model": {"name": m["name"], "uuid": m["uuid"], "type": "iaas", "owner-tag": f"user-{m['owner']}"}, "last-connection": None}
                for m in self.juju.models.of(self.controller)
            ]
        }

    def ModelConfig(self, params: dict) -> dict:
        model = self.juju.models.get(self.controller["model"], self.controller)
        return {"config": self.juju.models.config(model)}

    def ModelStatus(self, params: dict) -> dict:
        from lab.faces.juju.facades.model import ModelManager

        return ModelManager(self.connection).ModelStatus(params)

    def HostedModelConfigs(self, params: dict) -> dict:
        rows = []
        for model in self.juju.models.of(self.controller):
            if model["name"] != "controller":
                config = {key: entry["value"] for key, entry in self.juju.models.config(model).items()}
                rows.append({"name": model["name"], "owner": f"user-{model['owner']}", "config": config})
        return {"models": rows}

    def GetControllerAccess(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            user = user_name(entity.get("tag") or "")
            if user not in self.controller["users"]:
                raise not_found("user", user)
            return {"result": {"user-tag": f"user-{user}", "access": self.controller["users"][user]["access"]}}

        return each(params.get("entities"), one)

    def ModifyControllerAccess(self, params: dict) -> dict:
        superuser(self)

        def one(change: dict) -> dict:
            user = user_name(change.get("user-tag") or "")
            if user not in self.controller["users"]:
                raise not_found("user", user)
            self.controller["users"][user]["access"] = change.get("access", "login") if change.get("action") == "grant" else "login"
            return {}

        return each(params.get("changes"), one)

    def ConfigSet(self, params: dict) -> dict:
        superuser(self)
        self.controller["config"].update(params.get("config") or {})
        self.engine.touch()
        return {}

    def DestroyController(self, params: dict) -> dict:
        """Refused while it has models, unless they are to go too."""
        superuser(self)
        models = [m for m in self.juju.models.of(self.controller) if m["name"] != "controller"]
        if models and not params.get("destroy-models"):
            raise JujuError(f"failed to destroy model: hosting {len(models)} other model{'s' if len(models) > 1 else ''}", "operation is blocked")
        name = self.controller["name"]
        self.engine.after(30, "juju.destroy_controller", controller=name)
        return {}

    def ListBlockedModels(self, params: dict) -> dict:
        return {"models": []}

    def MongoVersion(self, params: dict) -> dict:
        return {"result": "4.4.30"}

    def IdentityProviderURL(self, params: dict) -> dict:
        return {"result": ""}


class UserManager(Facade):
    name = "UserManager"
    versions = (3,)
    on = "controller"

    def UserInfo(self, params: dict) -> dict:
        entities = params.get("entities") or [{"tag": f"user-{name}"} for name in sorted(self.controller["users"])]

        def one(entity: dict) -> dict:
            name = user_name(entity.get("tag") or "")
            if name not in self.controller["users"]:
                raise not_found("user", name)
            user = self.controller["users"][name]
            return {
                "result": {
                    "username": name,
                    "display-name": user.get("display-name", name),
                    "access": user["access"],
                    "created-by": "admin",
                    "date-created": views.date(user["created"]),
                    "last-connection": views.date(user.get("last")),
                    "disabled": False,
                }
            }

        return each(entities, one)

    def AddUser(self, params: dict) -> dict:
        superuser(self)

        def one(wanted: dict) -> dict:
            name = wanted.get("username") or ""
            if name in self.controller["users"]:
                raise exists(f'failed to create user: username "{name}" already exists')
            password = wanted.get("password") or secrets.token_hex(12)
            self.controller["users"][name] = {
                "display-name": wanted.get("display-name") or name,
                "created": self.engine.now(),
                "access": "login",
                "password": password,
            }
            self.engine.touch()
            return {"tag": f"user-{name}"}

        return each(params.get("users"), one)

    def SetPassword(self, params: dict) -> dict:
        def one(change: dict) -> dict:
            name = user_name(change.get("tag") or "")
            if name not in self.controller["users"]:
                raise not_found("user", name)
            if name == self.controller["username"]:
                self.controller["password"] = change["password"]
            else:
                self.controller["users"][name]["password"] = change["password"]
            self.engine.touch()
            return {}

        return each(params.get("changes"), one)

    def RemoveUser(self, params: dict) -> dict:
        superuser(self)

        def one(entity: dict) -> dict:
            name = user_name(entity.get("tag") or "")
            if name not in self.controller["users"] or name == self.controller["username"]:
                raise not_found("user", name)
            del self.controller["users"][name]
            return {}

        return each(params.get("entities"), one)
