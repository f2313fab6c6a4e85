"""Models: create, configure, destroy."""

from __future__ import annotations

import re
import uuid
from typing import Any

from lab.world.juju import constraints as values
from lab.world.juju.errors import JujuError, exists, invalid, not_found

NAME = re.compile(r"^[a-z0-9]+[a-z0-9-]*$")
IMMUTABLE = ("name", "uuid", "type", "agent-version", "authorized-keys-path", "charmhub-url")

DEFAULTS: dict[str, Any] = {
    "agent-metadata-url": "",
    "agent-stream": "released",
    "apt-ftp-proxy": "",
    "apt-http-proxy": "",
    "apt-https-proxy": "",
    "apt-mirror": "",
    "apt-no-proxy": "",
    "authorized-keys": "",
    "automatically-retry-hooks": True,
    "backup-dir": "",
    "charmhub-url": "https://charmhub.invalid",
    "cloudinit-userdata": "",
    "container-image-metadata-url": "",
    "container-image-stream": "released",
    "container-inherit-properties": "",
    "container-networking-method": "provider",
    "default-base": "",
    "default-space": "",
    "development": False,
    "disable-network-management": False,
    "disable-telemetry": False,
    "egress-subnets": "",
    "enable-os-refresh-update": True,
    "enable-os-upgrade": True,
    "fan-config": "",
    "firewall-mode": "instance",
    "ftp-proxy": "",
    "http-proxy": "",
    "https-proxy": "",
    "ignore-machine-addresses": False,
    "image-metadata-url": "",
    "image-stream": "released",
    "juju-ftp-proxy": "",
    "juju-http-proxy": "",
    "juju-https-proxy": "",
    "juju-no-proxy": "127.0.0.1,localhost,::1",
    "logging-config": "<root>=INFO",
    "logging-output": "",
    "lxd-snap-channel": "5.0/stable",
    "max-action-results-age": "336h",
    "max-action-results-size": "5G",
    "max-status-history-age": "336h",
    "max-status-history-size": "5G",
    "mode": "requires-prompts",
    "net-bond-reconfigure-delay": 17,
    "no-proxy": "127.0.0.1,localhost,::1",
    "num-container-provision-workers": 4,
    "num-provision-workers": 16,
    "provisioner-harvest-mode": "destroyed",
    "proxy-ssh": False,
    "resource-tags": "",
    "saas-ingress-allow": "0.0.0.0/0,::/0",
    "secret-backend": "auto",
    "snap-http-proxy": "",
    "snap-https-proxy": "",
    "snap-store-assertions": "",
    "snap-store-proxy": "",
    "snap-store-proxy-url": "",
    "ssh-allow": "0.0.0.0/0,::/0",
    "ssl-hostname-verification": True,
    "storage-default-block-source": "loop",
    "storage-default-filesystem-source": "rootfs",
    "test-mode": False,
    "transmit-vendor-metrics": True,
    "update-status-hook-interval": "5m",
}


class Models:
    """``state["juju"]["models"]`` by uuid."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self.engine.handler("juju.model", self._dying)

    @property
    def all(self) -> dict[str, dict[str, Any]]:
        return self.juju.state["models"]

    def of(self, controller: dict) -> list[dict[str, Any]]:
        return [m for m in self.all.values() if m["controller"] == controller["name"]]

    def get(self, model_uuid: str, controller: dict | None = None) -> dict[str, Any]:
        model = self.all.get(model_uuid)
        if model is None or (controller and model["controller"] != controller["name"]):
            raise JujuError(f'model "{model_uuid}" not found', "not found")
        return model

    def create(self, controller: dict, name: str, owner: str, cloud: str, credential: str | None, config: dict[str, Any]) -> dict[str, Any]:
        if not NAME.match(name or ""):
            raise invalid(f'"{name}" is not a valid name: model names may only contain lowercase letters, digits and hyphens')
        if any(m["name"] == name and m["owner"] == owner for m in self.of(controller)):
            raise exists(f'failed to create new model: model "{name}" for {owner} already exists')
        if cloud not in controller["clouds"]:
            raise not_found("cloud", cloud)
        if credential is None:
            own = controller["credentials"].get(owner, {}).get(cloud, {})
            if len(own) != 1:
                raise JujuError("no credential specified" if not own else "more than one credential is available", "not valid")
            credential = next(iter(own))
        self.juju.controllers.credential(controller, owner, cloud, credential)
        identity = str(uuid.uuid4())
        model: dict[str, Any] = {
            "uuid": identity,
            "controller": controller["name"],
            "name": name,
            "owner": owner,
            "cloud": cloud,
            "region": "default",
            "credential": [owner, cloud, credential],
            "life": "alive",
            "created": self.engine.now(),
            "status": {"current": "available", "message": "", "since": self.engine.now()},
            "config": {},
            "constraints": {},
            "machines": {},
            "applications": {},
            "relations": {},
            "units": {},
            "actions": {},
            "operations": {},
            "annotations": {},
            "charms": {},
            "pending_resources": {},
            "keys": [],
            "next": {"machine": 0, "relation": 0, "action": 1},
            "containers": {},
            "unit_numbers": {},
        }
        for key, value in (config or {}).items():
            if key == "authorized-keys":
                model["keys"] = [line for line in str(value).splitlines() if line.strip()]
            if key == "default-series" and value:
                key, value = "default-base", f"ubuntu@{self.juju.machines.version(value)}"
            model["config"][key] = value
        self.all[identity] = model
        self.engine.log("juju.model", model=name, uuid=identity)
        self.juju.changed(model)
        return model

    # -- config and constraints -----------------------------------------------------------------------------------------
    def config(self, model: dict) -> dict[str, dict[str, Any]]:
        """Every key with value and source."""
        found = {key: {"value": value, "source": "default"} for key, value in DEFAULTS.items()}
        fixed = {"name": model["name"], "uuid": model["uuid"], "type": "maas", "agent-version": self.juju.state["version"]}
        for key, value in {**fixed, **model["config"]}.items():
            found[key] = {"value": value, "source": "model"}
        return found

    def set_config(self, model: dict, config: dict[str, Any]) -> None:
        for key, value in config.items():
            if key in IMMUTABLE and value != self.config(model).get(key, {}).get("value"):
                raise invalid(f'cannot change {key} from "{self.config(model).get(key, {}).get("value")}" to "{value}"')
        model["config"].update(config)
        self.juju.changed(model)

    def unset_config(self, model: dict, keys: list[str]) -> None:
        for key in keys:
            model["config"].pop(key, None)
        self.juju.changed(model)

    def set_constraints(self, model: dict, wanted: dict[str, Any]) -> None:
        model["constraints"] = values.clean(wanted)
        self.juju.changed(model)

    # -- the end --------------------------------------------------------------------------------------------------------
    def destroy(self, model: dict, force: bool = False) -> None:
        """Dying: everything in it is removed in the queue's time, its MAAS machines are released, then it is gone."""
        if model["name"] == "controller":
            raise JujuError("cannot destroy the controller's model while it runs", "operation is blocked")
        model["life"] = "dying"
        model["force"] = bool(force) or model.get("force", False)
        model["status"] = {"current": "destroying", "message": "attempt 1 to destroy model", "since": self.engine.now()}
        with self.juju.together(model):
            for name in list(model["applications"]):
                self.juju.applications.remove(model, name, force=model["force"])
            for identity in list(model["machines"]):
                if identity in model["machines"]:
                    self.juju.machines.remove(model, identity, force=True)
        self.engine.cancel("juju.model", model=model["uuid"])
        self.engine.after(self.engine.duration("juju_model_remove"), "juju.model", model=model["uuid"])
        self.juju.changed(model)

    def _dying(self, model: str) -> None:
        found = self.all.get(model)
        if not found:
            return
        if self.engine.fault("model_destroy_stuck", model=found["name"]) and not found.get("force"):
            self.engine.after(30, "juju.model", model=model)
            return
        if found["machines"] or found["applications"]:
            found["status"]["message"] = f"attempt 1 to destroy model: {len(found['machines'])} machine(s), {len(found['applications'])} application(s) left"
            self.engine.after(10, "juju.model", model=model)
            return
        self.erase(found)

    def erase(self, model: dict) -> None:
        """Gone at once; whatever it still holds in MAAS goes back."""
        for machine in model["machines"].values():
            if machine.get("system_id"):
                self.juju.machines.give_back(machine["system_id"])
        for unit in model["units"].values():
            unit["life"] = "dead"
            self.juju.unit_changed(model, unit)
        self.juju.world.vault.forget(model["uuid"])
        self.all.pop(model["uuid"], None)
        self.juju.revisions.pop(model["uuid"], None)
        self.engine.log("juju.model_removed", model=model["name"], uuid=model["uuid"])
        self.engine.touch()
