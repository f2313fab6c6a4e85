"""Machines of a model: MAAS machines that are allocated and deployed for it, and containers on them."""

from __future__ import annotations

import re
from typing import Any

from lab.errors import ApiError
from lab.world.juju import charms
from lab.world.juju import constraints as values
from lab.world.juju.errors import JujuError, invalid, not_found

DEPLOYED, DEPLOYING, FAILED_DEPLOYMENT = 6, 9, 11
POLL = 10
ATTEMPTS = 10


class Machines:
    """The machines of every model, and what they ask of MAAS."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self.engine.handler("juju.provision", self._provision)
        self.engine.handler("juju.machine", self._poll)
        self.engine.handler("juju.machine_started", self._started)
        self.engine.handler("juju.container", self._container)
        self.engine.handler("juju.machine_gone", self._gone)
        juju.world.maas.on_deployed(self._deployed)
        juju.world.rack.on_power(self.power)

    @property
    def maas(self) -> Any:
        return self.juju.world.maas

    # -- MAAS -----------------------------------------------------------------------------------------------------------
    def maas_machine(self, system_id: str | None) -> dict | None:
        return self.maas.machine(system_id) if system_id else None

    def allocate(self, owner: str, system_id: str | None, wanted: dict[str, Any], agent_name: str) -> dict:
        """A MAAS machine for the constraints; ApiError 409 when there is none."""
        found: dict[str, Any] = {"agent_name": agent_name}
        names = {"mem": "mem", "cores": "cpu_count", "arch": "arch", "tags": "tags", "zones": "zone"}
        for key, value in wanted.items():
            if key in names and value not in ([], ""):
                found[names[key]] = value
        if wanted.get("root-disk"):
            found["storage"] = f"root:{-(-wanted['root-disk'] // 1024)}"
        return self.maas.allocate(owner, system_id=system_id, constraints=found)

    def mark(self, system_id: str, controller: dict, model: dict) -> None:
        """Write on a machine of MAAS whose it is, as Juju does (its tags as MAAS' owner data); MAAS forgets it at the release."""
        about = {"juju-controller-uuid": controller["uuid"], "juju-model-uuid": model["uuid"]}
        if model["name"] == "controller":
            about["juju-is-controller"] = "true"
        if machine := self.maas.machine(system_id):
            machine.setdefault("owner_data", {}).update(about)

    def give_back(self, system_id: str) -> None:
        """Release the machine, whatever state it is in; a refusal is only logged, as Juju does."""
        try:
            self.maas.release(system_id)
        except ApiError as error:
            self.engine.log("juju.release_failed", system_id=system_id, error=str(error.body))

    def owner(self, model: dict) -> str | None:
        controller = self.juju.controllers.all[model["controller"]]
        return self.juju.controllers.owner(controller, *model["credential"])

    # -- adding ---------------------------------------------------------------------------------------------------------
    @staticmethod
    def version(base: Any) -> str:
        return charms.base_version(base) or "22.04"

    def default_base(self, model: dict) -> str:
        return charms.base_version(model["config"].get("default-base")) or "22.04"

    def get(self, model: dict, identity: str) -> dict[str, Any]:
        if identity not in model["machines"]:
            raise not_found("machine", identity)
        return model["machines"][identity]

    def add(
        self,
        model: dict,
        base: Any = None,
        constraints: dict | None = None,
        directive: str = "",
        container: str = "",
        parent: str | None = None,
    ) -> dict[str, Any]:
        """A machine, or a container (on ``parent``, or on a new machine when that is None)."""
        if model["life"] != "alive":
            raise JujuError(f'model "{model["name"]}" is no longer alive')
        version = charms.base_version(base) or self.default_base(model)
        if version not in charms.NAMES:
            raise invalid(f'base "ubuntu@{version}" not supported')
        if container:
            if container not in ("lxd", "kvm"):
                raise invalid(f'invalid container type "{container}"')
            if parent is None:
                parent = self.add(model, base, constraints)["id"]
            elif parent not in model["machines"]:
                raise JujuError(f"cannot add a new machine: machine {parent} not found", "not found")
            number = model["containers"].get(f"{parent}/{container}", 0)
            model["containers"][f"{parent}/{container}"] = number + 1
            identity = f"{parent}/{container}/{number}"
        else:
            placement = self._placement(directive)
            identity = str(model["next"]["machine"])
            model["next"]["machine"] += 1
        now = self.engine.now()
        machine = {
            "id": identity,
            "life": "alive",
            "base": version,
            "constraints": values.merged(model["constraints"], values.clean(constraints)),
            "directive": directive,
            "system_id": None,
            "wanted": None if container else placement,
            "parent": parent,
            "container": container,
            "created": now,
            "address": None,
            "hostname": "",
            "hardware": "",
            "attempts": 0,
            "agent": {"status": "pending", "message": "", "since": now},
            "instance": {"status": "pending", "message": "", "since": now},
        }
        model["machines"][identity] = machine
        if not container:
            self.engine.after(self.engine.duration("juju_machine_request"), "juju.provision", model=model["uuid"], machine=identity)
        elif model["machines"][parent]["agent"]["status"] == "started":
            self._start_container(model, machine)
        self.juju.changed(model)
        return machine

    def _placement(self, directive: str) -> dict[str, str]:
        """``system-id=x``, ``zone=x``, ``subnet=x`` or a machine's name; what MAAS does not know is refused at once."""
        if not directive:
            return {}
        key, equals, value = directive.partition("=")
        if not equals:
            found = self.maas.machine(directive.split(".")[0])
            return {"system_id": found["system_id"]} if found else {"hostname": directive}
        if key == "system-id":
            return {"system_id": value}
        if key in ("zone", "subnet"):
            return {key: value}
        raise JujuError(f"unknown placement directive: {directive}")

    def parse_target(self, model: dict, scope: str, directive: str) -> dict[str, Any]:
        """A placement from the wire as arguments of ``add``, or ``{"machine": id}`` for one that is there."""
        if scope in ("lxd", "kvm"):
            if directive and directive not in model["machines"]:
                raise JujuError(f"machine {directive} not found", "not found")
            return {"container": scope, "parent": directive or None}
        if scope == "#":
            if directive not in model["machines"]:
                raise JujuError(f"machine {directive} not found", "not found")
            return {"machine": directive}
        if scope in (model["uuid"], model["name"], ""):
            return {"directive": directive}
        raise invalid(f'invalid model name "{scope}"')

    def adopt(self, model: dict, system_id: str | None, address: str) -> dict[str, Any]:
        """The controller's own machine, running already."""
        now = self.engine.now()
        identity = str(model["next"]["machine"])
        model["next"]["machine"] += 1
        found = self.maas_machine(system_id) or {}
        model["machines"][identity] = {
            "id": identity, "life": "alive", "base": "22.04", "constraints": {}, "directive": "", "system_id": system_id, "wanted": {}, "parent": None,
            "container": "", "created": now, "address": address, "hostname": found.get("hostname", "juju-machine"), "hardware": "arch=amd64", "attempts": 0,
            "agent": {"status": "started", "message": "", "since": now}, "instance": {"status": "running", "message": "Deployed", "since": now},
        }  # fmt: skip
        self.juju.changed(model)
        return model["machines"][identity]

    # -- provisioning ---------------------------------------------------------------------------------------------------
    def _find(self, model: str, machine: str) -> tuple[dict, dict] | tuple[None, None]:
        found = self.juju.state["models"].get(model)
        row = found["machines"].get(machine) if found else None
        return (found, row) if row else (None, None)

    def _set(self, machine: dict, part: str, status: str, message: str = "") -> None:
        if (machine[part]["status"], machine[part]["message"]) != (status, message):
            machine[part] = {"status": status, "message": message, "since": self.engine.now()}

    def _provision(self, model: str, machine: str) -> None:
        found, row = self._find(model, machine)
        if not row or row["life"] != "alive" or row["system_id"]:
            return
        row["attempts"] += 1
        owner = self.owner(found)
        try:
            if owner is None:
                raise ApiError(401, "authorization failed: the credential is not valid")
            wanted = dict(row["wanted"])
            system_id = wanted.get("system_id")
            limits = {**row["constraints"], **({"zones": [wanted["zone"]]} if "zone" in wanted else {})}
            if "hostname" in wanted:
                raise ApiError(409, f"No available machine matches constraints: [('name', ['{wanted['hostname']}'])]")
            machine_row = self.allocate(owner, system_id, {} if system_id else limits, found["uuid"])
            row["system_id"] = machine_row["system_id"]
            row["hostname"] = machine_row["hostname"]
            self.maas.deploy(row["system_id"], owner, series=charms.NAMES[row["base"]])
            self.mark(row["system_id"], self.juju.controllers.all[found["controller"]], found)
        except ApiError as error:
            self._provision_failed(found, row, str(error.body))
            return
        self._set(row, "instance", "allocating", "Deploying")
        row["hardware"] = f"arch=amd64 cores={machine_row.get('cpu_count', 0)} mem={machine_row.get('memory', 0)}M"
        self.engine.log("juju.machine", model=found["name"], machine=machine, system_id=row["system_id"])
        self.engine.after(POLL, "juju.machine", model=model, machine=machine)
        self.juju.changed(found)

    def _provision_failed(self, model: dict, row: dict, text: str) -> None:
        if row["system_id"]:
            self.give_back(row["system_id"])
            row.update(system_id=None, hostname="")
        if row["attempts"] >= ATTEMPTS:
            self._set(row, "instance", "provisioning error", f"cannot run instances: {text}")
        else:
            left = ATTEMPTS - row["attempts"]
            delay = self.engine.duration("juju_provision_retry")
            self._set(row, "instance", "pending", f"failed to start machine {row['id']} ({text}), retrying in {delay:g}s ({left} more attempts)")
            self.engine.after(delay, "juju.provision", model=model["uuid"], machine=row["id"])
        self.juju.changed(model)

    def retry(self, model: dict, identity: str) -> None:
        """``juju retry-provisioning``: only what failed to provision."""
        row = self.get(model, identity)
        if row["instance"]["status"] != "provisioning error":
            raise JujuError(f'"machine {identity}" is not in an error state', "")
        if row["system_id"]:
            raise JujuError(f'machine "{identity}" has an instance already', "")
        row["attempts"] = 0
        self._set(row, "instance", "pending", "")
        self.engine.after(1, "juju.provision", model=model["uuid"], machine=identity)
        self.juju.changed(model)

    def _deployed(self, machine: dict) -> None:
        """MAAS says that a machine is deployed: no need to wait for the next poll."""
        for model in list(self.juju.state["models"].values()):
            for row in list(model["machines"].values()):
                if row["system_id"] == machine["system_id"] and row["instance"]["status"] == "allocating":
                    self.engine.cancel("juju.machine", model=model["uuid"], machine=row["id"])
                    self._poll(model["uuid"], row["id"])

    def _poll(self, model: str, machine: str) -> None:
        """The instance poller: what MAAS says of the machine now."""
        found, row = self._find(model, machine)
        if not row or not row["system_id"]:
            return
        state = self.maas_machine(row["system_id"])
        if state is None:
            self._set(row, "agent", "down", "agent is not communicating with the server")
            self._set(row, "instance", "unknown", "missing")
        elif state["status"] == DEPLOYED and state.get("ip"):
            row["address"] = state["ip"]
            self._set(row, "instance", "running", "Deployed")
            self.engine.after(self.engine.duration("juju_agent_start"), "juju.machine_started", model=model, machine=machine)
        elif state["status"] == FAILED_DEPLOYMENT:
            # Juju reports it and leaves it at that: it never tries such a machine again by itself.
            self._set(row, "agent", "down", "agent is not communicating with the server")
            self._set(row, "instance", "provisioning error", "Failed deployment")
            self.engine.after(POLL * 3, "juju.machine", model=model, machine=machine)
        else:
            self._set(row, "instance", "allocating", state.get("status_message") or "Deploying")
            self.engine.after(POLL, "juju.machine", model=model, machine=machine)
        self.juju.changed(found)

    def _started(self, model: str, machine: str) -> None:
        found, row = self._find(model, machine)
        if not row or row["life"] == "dead":
            return
        if self.engine.fault("machine_agent_lost", model=found["name"], machine=machine):
            self._set(row, "agent", "down", "agent is not communicating with the server")
            self.juju.changed(found)
            return
        self._set(row, "agent", "started", "")
        self.juju.units.machine_back(found, machine)
        for other in found["machines"].values():
            if other["parent"] == machine and other["instance"]["status"] == "pending":
                self._start_container(found, other)
        self.engine.log("juju.machine_started", model=found["name"], machine=machine)
        self.juju.changed(found)

    def _start_container(self, model: dict, machine: dict) -> None:
        self._set(machine, "instance", "allocating", "Creating container")
        self.engine.after(self.engine.duration("lxd_container"), "juju.container", model=model["uuid"], machine=machine["id"])

    def _container(self, model: str, machine: str) -> None:
        found, row = self._find(model, machine)
        if not row:
            return
        row["hostname"] = f"juju-{found['uuid'][-6:]}-{machine.replace('/', '-')}"
        parent = found["machines"][row["parent"]]
        row["address"] = self.maas.container_address(parent["system_id"], row["hostname"])
        self.engine.effects.address_add(row["address"])
        self._set(row, "instance", "running", "Container started")
        self.engine.after(self.engine.duration("juju_agent_start"), "juju.machine_started", model=model, machine=machine)
        self.juju.changed(found)

    # -- power ----------------------------------------------------------------------------------------------------------
    def power(self, hostname: str, state: str) -> None:
        """A machine that runs lost its power, or has it again: its agents go, and come back after a while."""
        for model in list(self.juju.state["models"].values()):
            for row in [m for m in model["machines"].values() if m["hostname"] == hostname and m["instance"]["status"] == "running"]:
                with self.juju.together(model):
                    for machine in [row, *(m for m in model["machines"].values() if m["parent"] == row["id"])]:
                        if state == "off" and machine["agent"]["status"] == "started":
                            self._set(machine, "agent", "down", "agent is not communicating with the server")
                            self.juju.units.machine_lost(model, machine["id"])
                        elif state == "on" and machine["agent"]["status"] == "down":
                            self.engine.after(self.engine.duration("juju_agent_start"), "juju.machine_started", model=model["uuid"], machine=machine["id"])

    # -- removing -------------------------------------------------------------------------------------------------------
    def remove(self, model: dict, identity: str, force: bool = False, keep: bool = False) -> dict[str, Any]:
        """Dying, then gone; with ``force`` also with units and containers on it. What goes with it, as the API tells."""
        row = self.get(model, identity)
        units = [u for u in model["units"].values() if u["machine"] == identity and u["principal"] is None]
        containers = [m for m in model["machines"].values() if m["parent"] == identity]
        if not force:
            if containers:
                raise JujuError(f'machine {identity} is hosting containers "{", ".join(c["id"] for c in containers)}"')
            if units:
                raise JujuError(f'machine {identity} has unit "{units[0]["name"]}" assigned')
        told = {"destroyed-units": [u["name"] for u in units], "destroyed-containers": [c["id"] for c in containers]}
        for container in containers:
            self.remove(model, container["id"], force=True)
        for unit in units:
            self.juju.applications.remove_unit(model, unit["name"], force=True)
        row["life"] = "dying"
        row["keep"] = keep
        self.engine.after(self.engine.duration("juju_machine_remove"), "juju.machine_gone", model=model["uuid"], machine=identity)
        self.juju.changed(model)
        return told

    def _gone(self, model: str, machine: str) -> None:
        found, row = self._find(model, machine)
        if not row:
            return
        busy = [u for u in found["units"].values() if u["machine"] == machine] or [m for m in found["machines"].values() if m["parent"] == machine]
        if busy:
            self.engine.after(5, "juju.machine_gone", model=model, machine=machine)
            return
        del found["machines"][machine]
        if row["container"]:
            if row["address"]:
                self.engine.effects.address_del(row["address"])
                self.maas.container_release(row["hostname"])
        elif row["system_id"] and not row.get("keep"):
            self.give_back(row["system_id"])
        self.engine.log("juju.machine_removed", model=found["name"], machine=machine)
        self.juju.changed(found)


def natural(identity: str) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", identity)]
