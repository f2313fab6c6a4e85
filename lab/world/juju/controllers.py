"""Controllers: bootstrap on a MAAS machine, users, clouds, credentials, and their end."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from lab.errors import ApiError
from lab.world import pki
from lab.world.juju import constraints as values
from lab.world.juju.errors import JujuError, exists, not_found

PORT = 17070
DEPLOYED, FAILED_DEPLOYMENT = 6, 11
POLL = 10


class Controllers:
    """``state["juju"]["controllers"]``: by name, one entry for each bootstrap tried."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self.engine.handler("juju.bootstrap", self._step)
        self.engine.handler("juju.destroy_controller", self._destroy)

    @property
    def all(self) -> dict[str, dict[str, Any]]:
        return self.juju.state["controllers"]

    def get(self, name: str) -> dict[str, Any]:
        if name not in self.all:
            raise not_found("controller", name)
        return self.all[name]

    # -- bootstrap ------------------------------------------------------------------------------------------------------
    def bootstrap(
        self,
        name: str,
        cloud: dict,
        credential: dict,
        system_id: str | None = None,
        constraints: str = "",
        base: str | None = None,
        config: dict | None = None,
    ) -> dict:
        """Begin. ``cloud``: ``{name, type, endpoint}``; ``credential``: ``{name, auth-type, attributes: {maas-oauth}}``.

        Goes on in the engine's queue; read it with ``bootstrap_state``.
        """
        if name in self.all and self.all[name]["state"] != "failed":
            raise exists(f'controller "{name}" already exists')
        ca_cert, ca_key = pki.authority("juju-ca", "juju")
        identity = str(uuid.uuid4())
        controller = {
            "name": name,
            "uuid": identity,
            "state": "running",
            "phase": "request",
            "lines": [
                f'Creating Juju controller "{name}" on {cloud["name"]}/default',
                f"Looking for packaged Juju agent version {self.juju.state['version']} for amd64",
            ],
            "started": self.engine.now(),
            "cloud": cloud["name"],
            "clouds": {cloud["name"]: self._cloud(cloud)},
            "credentials": {"admin": {cloud["name"]: {credential["name"]: self._credential(credential)}}},
            "ca_cert": ca_cert,
            "ca_key": ca_key,
            "cert": None,
            "key": None,
            "username": "admin",
            "password": secrets.token_hex(16),
            "users": {"admin": {"display-name": "admin", "created": self.engine.now(), "access": "superuser"}},
            "wanted": {"system_id": system_id, "constraints": constraints, "base": base, "credential": credential["name"]},
            "config": config or {},
            "machine": None,
            "address": None,
            "model": None,
        }
        self.all[name] = controller
        self.engine.log("juju.bootstrap", controller=name)
        self.engine.after(1, "juju.bootstrap", controller=name, uuid=identity)
        return controller

    def ready(self, name: str, cloud: dict, credential: dict, address: str, password: str | None = None, port: int = PORT, machine: dict | None = None) -> dict:
        """A controller that is there already (a lab without hosts, tests)."""
        controller = self.bootstrap(name, cloud, credential)
        self.engine.cancel("juju.bootstrap", controller=name)
        controller.update(machine=machine["system_id"] if machine else None, address=address, port=port)
        if password:
            controller["password"] = password
        self._finish(controller)
        return controller

    @staticmethod
    def _cloud(cloud: dict) -> dict[str, Any]:
        return {
            "type": cloud.get("type", "maas"),
            "auth-types": cloud.get("auth-types") or ["oauth1"],
            "endpoint": cloud.get("endpoint", ""),
            "regions": cloud.get("regions") or [{"name": "default", "endpoint": cloud.get("endpoint", "")}],
        }

    @staticmethod
    def _credential(credential: dict) -> dict[str, Any]:
        return {"auth-type": credential.get("auth-type", "oauth1"), "attributes": dict(credential.get("attributes") or credential.get("attrs") or {})}

    def _step(self, controller: str, uuid: str) -> None:
        row = self.all.get(controller)
        if not row or row["uuid"] != uuid or row["state"] != "running":
            return
        if self.engine.fault("bootstrap_cancelled", controller=controller, phase=row["phase"]):
            self._fail(row, "ERROR failed to bootstrap model: cancelled")
            return
        getattr(self, f"_phase_{row['phase']}")(row)

    def _again(self, controller: dict, seconds: float) -> None:
        self.engine.after(seconds, "juju.bootstrap", controller=controller["name"], uuid=controller["uuid"])

    def client_lost(self) -> None:
        """The host of the client stops, and every bootstrap with it: it is driven from there. What it took stays taken."""
        for controller in self.all.values():
            if controller["state"] == "running" and self.engine.cancel("juju.bootstrap", controller=controller["name"]):
                self.engine.log("juju.bootstrap_lost", controller=controller["name"])

    def _phase_request(self, controller: dict) -> None:
        wanted = controller["wanted"]
        owner = self.owner(controller, "admin", controller["cloud"], wanted["credential"])
        controller["lines"].append(f"Launching controller instance(s) on {controller['cloud']}/default...")
        if owner is None:
            self._fail(controller, "ERROR failed to bootstrap model: cannot start bootstrap instance: authentication failed (check credential)")
            return
        try:
            found = values.parse(wanted["constraints"])
            machine = self.juju.machines.allocate(owner, wanted["system_id"], found, controller["uuid"])
            controller["machine"] = machine["system_id"]
            self.juju.world.maas.deploy(machine["system_id"], owner, series="jammy" if "24.04" not in str(wanted["base"]) else "noble")
        except (ApiError, JujuError) as error:
            text = error.body if isinstance(error, ApiError) else error.message
            self._fail(controller, f"ERROR failed to bootstrap model: cannot start bootstrap instance in any availability zone (default): {text}")
            return
        controller["lines"].append(f" - {machine['system_id']} (arch=amd64)")
        controller["phase"] = "deploy"
        self._again(controller, POLL)

    def _phase_deploy(self, controller: dict) -> None:
        machine = self.juju.machines.maas_machine(controller["machine"])
        timeout = float(controller["config"].get("bootstrap-timeout", 1200))
        # The client counts from the machine's start; a deployment that takes its time is no failure yet.
        late = self.engine.now() - controller["started"] > timeout + self.engine.duration("juju_bootstrap")
        if machine is None or machine["status"] == FAILED_DEPLOYMENT:
            self._fail(controller, "ERROR failed to bootstrap model: bootstrap instance started but did not change to Deployed state: Failed deployment")
        elif machine["status"] == DEPLOYED and machine.get("ip"):
            controller["address"] = machine["ip"]
            controller["lines"] += [
                "Installing Juju agent on bootstrap instance",
                "Waiting for address",
                f"Attempting to connect to {machine['ip']}:22",
                f"Connected to {machine['ip']}",
                "Running machine configuration script...",
            ]
            controller["phase"] = "configure"
            spent = self.engine.now() - controller["started"]
            self._again(controller, max(60.0, self.engine.duration("juju_bootstrap") - spent))
        elif late:
            self._fail(controller, f"ERROR failed to bootstrap model: waited for {int(timeout / 60)}m0s without being able to connect")
        else:
            self._again(controller, POLL)

    def _phase_configure(self, controller: dict) -> None:
        self._finish(controller)

    def _finish(self, controller: dict) -> None:
        name, address = controller["name"], controller["address"]
        controller["cert"], controller["key"] = pki.leaf(
            controller["ca_cert"], controller["ca_key"], ["juju-apiserver", "localhost", "anything"], [address, "127.0.0.1"], common_name="juju-generated cert"
        )
        self.engine.effects.address_add(address)
        controller["lines"] += [
            "Bootstrap agent now started",
            f"Contacting Juju controller at {address} to verify accessibility...",
            "",
            f'Bootstrap complete, controller "{name}" is now available',
            'Controller machines are in the "controller" model',
            "Now you can run",
            "\tjuju add-model <model-name>",
            "to create a new model to deploy workloads.",
        ]
        model = self.juju.models.create(controller, "controller", "admin", controller["cloud"], controller["wanted"]["credential"], {})
        controller["model"] = model["uuid"]
        self.juju.machines.mark(controller["machine"], controller, model)
        self.juju.machines.adopt(model, controller["machine"], address)
        controller.update(state="done", phase="done", finished=self.engine.now())
        self.engine.log("juju.bootstrapped", controller=name)
        self.engine.touch()

    def _fail(self, controller: dict, line: str) -> None:
        """As the client does: say why, and give the machine back."""
        controller["lines"].append(line)
        controller.update(state="failed", phase="failed")
        if controller["machine"] and not controller["config"].get("keep-broken"):
            self.juju.machines.give_back(controller["machine"])
            controller["machine"] = None
        self.engine.log("juju.bootstrap_failed", controller=controller["name"], line=line)
        self.engine.touch()

    def bootstrap_state(self, name: str) -> dict[str, Any] | None:
        controller = self.all.get(name)
        if not controller:
            return None
        keys = ("state", "lines", "ca_cert", "uuid", "username", "password", "address", "machine", "cloud", "model")
        found = {key: controller[key] for key in keys}
        found["endpoint"] = self.endpoint(controller) if controller["state"] == "done" else None
        return found

    @staticmethod
    def endpoint(controller: dict) -> str:
        return f"{controller['address']}:{controller.get('port', PORT)}"

    def kill(self, name: str) -> None:
        controller = self.get(name)
        for model in [m for m in self.juju.state["models"].values() if m["controller"] == name and m["name"] != "controller"]:
            self.juju.models.erase(model)
        if controller["model"]:
            self.juju.state["models"].pop(controller["model"], None)
        if controller["machine"]:
            self.juju.machines.give_back(controller["machine"])
        if controller["address"]:
            self.engine.effects.address_del(controller["address"])
        del self.all[name]
        self.engine.log("juju.killed", controller=name)
        self.engine.touch()

    def _destroy(self, controller: str) -> None:
        if controller in self.all:
            self.kill(controller)

    # -- clouds and credentials -----------------------------------------------------------------------------------------
    def owner(self, controller: dict, user: str, cloud: str, credential: str) -> str | None:
        """The MAAS user whose key the credential holds; None when MAAS does not know the key."""
        found = self.credential(controller, user, cloud, credential)
        return self.juju.world.maas.check_api_key(found["attributes"].get("maas-oauth", ""))

    @staticmethod
    def credential(controller: dict, user: str, cloud: str, name: str) -> dict[str, Any]:
        found = controller["credentials"].get(user, {}).get(cloud, {}).get(name)
        if found is None:
            raise not_found("credential", name)
        return found

    def add_cloud(self, controller: dict, name: str, cloud: dict, force: bool = False) -> None:
        if name in controller["clouds"]:
            raise exists(f'cloud "{name}" already exists')
        controller["clouds"][name] = self._cloud(cloud)
        self.engine.touch()

    def update_cloud(self, controller: dict, name: str, cloud: dict) -> None:
        if name not in controller["clouds"]:
            raise not_found("cloud", name)
        controller["clouds"][name] = self._cloud(cloud)
        self.engine.touch()

    def remove_cloud(self, controller: dict, name: str) -> None:
        if name not in controller["clouds"]:
            raise not_found("cloud", name)
        used = [m["name"] for m in self.juju.state["models"].values() if m["controller"] == controller["name"] and m["cloud"] == name]
        if used:
            raise JujuError(f"cloud is used by {len(used)} model{'s' if len(used) > 1 else ''}")
        del controller["clouds"][name]
        self.engine.touch()

    def set_credential(self, controller: dict, user: str, cloud: str, name: str, credential: dict) -> list[dict]:
        """Add or replace; the models that use it, as the API tells."""
        if cloud not in controller["clouds"]:
            raise not_found("cloud", cloud)
        controller["credentials"].setdefault(user, {}).setdefault(cloud, {})[name] = self._credential(credential)
        self.engine.touch()
        return [m for m in self.juju.state["models"].values() if m["controller"] == controller["name"] and m["credential"] == [user, cloud, name]]

    def remove_credential(self, controller: dict, user: str, cloud: str, name: str, force: bool = False) -> None:
        self.credential(controller, user, cloud, name)
        used = [m for m in self.juju.state["models"].values() if m["controller"] == controller["name"] and m["credential"] == [user, cloud, name]]
        if used and not force:
            raise JujuError(f"cannot revoke credential cloudcred-{cloud}_{user}_{name}: it is still used by {len(used)} model{'s' if len(used) > 1 else ''}")
        del controller["credentials"][user][cloud][name]
        self.engine.touch()
