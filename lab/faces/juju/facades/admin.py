"""Admin: the login."""

from __future__ import annotations

from lab.faces.juju import views
from lab.faces.juju.facades.base import Facade, user_name
from lab.world.juju.errors import JujuError, unauthorized


class Admin(Facade):
    name = "Admin"
    versions = (3,)
    on = "both"

    def Login(self, params: dict) -> dict:
        from lab.faces.juju.facades import served

        tag = params.get("auth-tag") or ""
        if not tag.startswith("user-"):
            raise unauthorized("no credentials provided" if not tag else "invalid entity name or password")
        user = user_name(tag)
        known = self.controller["users"].get(user)
        password = (known or {}).get("password") or (self.controller["password"] if user == self.controller["username"] else None)
        if self.engine.fault("juju_login", controller=self.controller["name"]) or not known or not password or params.get("credentials") != password:
            raise unauthorized("invalid entity name or password")
        if self.connection.uuid:
            if self.connection.uuid not in self.juju.state["models"] or self.model["controller"] != self.controller["name"]:
                raise JujuError(f'unknown model: "{self.connection.uuid}"', "model not found")
            if known["access"] != "superuser" and self.model["owner"] != user:
                raise unauthorized()
        self.connection.user = user
        known["last"] = self.engine.now()
        address, _colon, port = self.juju.controllers.endpoint(self.controller).rpartition(":")
        answer = {
            "controller-tag": f"controller-{self.controller['uuid']}",
            "servers": [[{"value": address, "type": "ipv4", "scope": "local-cloud", "port": int(port)}]],
            "server-version": self.juju.state["version"],
            "user-info": {
                "display-name": known.get("display-name", user),
                "identity": f"user-{user}",
                "last-connection": views.date(known["last"]),
                "controller-access": known["access"],
                "model-access": "admin" if self.connection.uuid else "",
            },
            "facades": served(self.connection),
        }
        if self.connection.uuid:
            answer["model-tag"] = f"model-{self.connection.uuid}"
        return answer

    def RedirectInfo(self, params: dict) -> dict:
        raise JujuError("not redirected", "")
