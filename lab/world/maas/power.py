"""Power drivers: checking power parameters, and driving the rack's BMCs as the region does through its rack controller."""

from __future__ import annotations

import json
from typing import Any

import yaml

from lab.engine import DATA
from lab.errors import ApiError, unavailable
from lab.world.maas.base import Fields, Part, Row
from lab.world.rack import UNKNOWN_BMC, WRONG_PASSWORD, WRONG_USER

TYPES: dict[str, Any] = yaml.safe_load((DATA / "maas" / "power_types.yml").read_text())
PREFIX = "power_parameters_"
# What the driver's failure reads like once the region has wrapped it.
FAILED = "Power on for the node failed: {}"
TIMEOUT = "Could not contact node's BMC: Connection timed out while performing power action.  Check BMC configuration and connectivity and try again."
LOGIN = "Could not authenticate with node's BMC: Incorrect {}.  Check BMC configuration and try again."
PROBLEMS = {UNKNOWN_BMC: TIMEOUT, WRONG_USER: LOGIN.format("username"), WRONG_PASSWORD: LOGIN.format("password")}


def described() -> list[dict[str, Any]]:
    """The drivers as the API describes them."""
    drivers = []
    for name, driver in TYPES.items():
        about = driver["about"]
        fields = [
            {
                "name": f["name"],
                "label": f["label"],
                "required": f["required"],
                "field_type": f["kind"],
                "choices": f.get("choices", []),
                "default": f["default"],
                "scope": f["scope"],
                "secret": f["kind"] == "password",
            }
            for f in driver["fields"]
        ]
        row = {
            "driver_type": about["kind"],
            "name": name,
            "description": about["description"],
            "fields": fields,
            "missing_packages": [],
            "chassis": about["chassis"],
            "can_probe": about["can_probe"],
            "queryable": about["queryable"],
        }
        if about["kind"] == "pod":
            row["defaults"] = {"cores": 1, "memory": 2048, "storage": 8}
        drivers.append(row)
    return drivers


class Power(Part):
    """Power of machines. A machine of the rack is switched through its BMC; others only remember their state."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.engine.handler("maas.power_done", self._done)
        self.engine.handler("maas.power_poll", self._poll)

    # -- parameters -----------------------------------------------------------------------------------------------------
    def parse(self, fields: Fields, power_type: str, old: dict[str, Any] | None, errors: dict[str, Any]) -> dict[str, Any]:
        """Power parameters from a JSON field or prefixed fields, over ``old`` ones, with the driver's defaults."""
        given: dict[str, Any] = {}
        text = fields.get("power_parameters")
        if isinstance(fields.values.get("power_parameters", [None])[-1], dict):
            given.update(fields.values["power_parameters"][-1])
        elif text:
            try:
                given.update(json.loads(text))
            except ValueError:
                errors["power_parameters"] = "Failed to parse JSON power_parameters"
                return dict(old or {})
        for name in fields:
            if name.startswith(PREFIX) and name != f"{PREFIX}skip_check":
                given[name[len(PREFIX) :]] = fields.get(name)
        specs = TYPES[power_type]["fields"]
        if fields.flag(f"{PREFIX}skip_check"):
            return {**(old or {}), **given}
        values: dict[str, Any] = {}
        problems = []
        for spec in specs:
            name = spec["name"]
            value = given.get(name, (old or {}).get(name))
            if value in (None, ""):
                value = spec["default"]
            if spec["required"] and value in (None, ""):
                problems.append(f"{spec['label']}: This field is required." if given or old else "This field is required.")
            if name in given or spec["default"] != "" or value not in (None, "") or name == "k_g":
                values[name] = value
        if problems:
            errors["power_parameters"] = problems[:1] if not (given or old) else problems
        address = str(values.get("power_address", ""))
        if power_type == "redfish" and "://" in address and not errors:
            raise ApiError(500, "IPAddress() does not support netmasks or subnet prefixes! See documentation for details.")
        return values

    def take_over(self, node: Row) -> None:
        """What 30-maas-01-bmc-config finds on a machine of the rack, and does: a BMC user of MAAS's own, which the region works with from then on."""
        bmc = self.maas.rack.machines[node["rack"]].get("bmc")
        if not bmc:
            return
        user, password = self.maas.config.get("maas_auto_ipmi_user"), self.maas.users.secret(13)
        self.maas.rack.add_login(node["rack"], user, password)
        given = Fields({"power_parameters": json.dumps({"power_address": bmc["address"], "power_user": user, "power_pass": password})})
        node["power_type"] = "ipmi"
        node["power_parameters"] = self.parse(given, "ipmi", None, {})
        node["power_parameters"]["privilege_level"] = self.maas.config.get("maas_auto_ipmi_user_privilege_level")

    # -- driving --------------------------------------------------------------------------------------------------------
    def driver(self, machine: Row) -> str:
        """The driver that can switch this machine; raises what the region answers when there is none to reach."""
        if not machine["power_type"]:
            raise ApiError(500, "Unconfigured power type. Please configure the power type and try again.")
        if machine["power_type"] == "manual":
            return "manual"
        if not self.maas.rack_connected():
            rack = self.maas.controllers.rack_id()
            raise unavailable(f"Unable to connect to any rack controller {rack}; no connections available.")
        problem = self.problem(machine)
        if problem:
            raise ApiError(500, FAILED.format(problem))
        return machine["power_type"]

    def problem(self, machine: Row) -> str | None:
        """What keeps the driver from switching the machine."""
        fault = self.engine.fault("bmc_unreachable", machine=machine["hostname"])
        if fault:
            return TIMEOUT
        if self.engine.fault("bmc_login", machine=machine["hostname"]):
            return LOGIN.format("password")
        if machine["power_type"] != "ipmi":
            return None
        parameters = machine["power_parameters"]
        _machine, wrong = self.maas.rack.bmc(
            str(parameters.get("power_address", "")), str(parameters.get("power_user", "")), str(parameters.get("power_pass", ""))
        )
        return PROBLEMS[wrong] if wrong else None

    def rack_of(self, machine: Row) -> str | None:
        """The rack machine that the driver really switches: the one behind the BMC, or the one with the machine's NIC."""
        if machine["power_type"] == "ipmi":
            parameters = machine["power_parameters"]
            found, wrong = self.maas.rack.bmc(
                str(parameters.get("power_address", "")), str(parameters.get("power_user", "")), str(parameters.get("power_pass", ""))
            )
            return found["hostname"] if found and wrong is None else None
        return machine["rack"] if machine["power_type"] else None

    def switch(self, machine: Row, state: str, by_hand: bool = False) -> None:
        """Switch a machine whose driver was checked; the region learns the new state a moment later.

        A manual one is switched by a person; only rescue mode believes that this person is quick (``by_hand``).
        """
        if machine["power_type"] == "manual" and not by_hand:
            return
        self.engine.after(1, "maas.power_done", system_id=machine["system_id"], state=state)

    def _done(self, system_id: str, state: str) -> None:
        machine = self.maas.nodes.rows.get(system_id)
        if machine is None:
            return
        rack = self.rack_of(machine)
        changed = machine["powered"] != state
        if rack:
            self._flip(machine, rack, state)
        elif changed:
            self.set_virtual(machine, state)
        machine["powered"] = state
        machine["power_state"] = state
        self.engine.touch()

    def set_virtual(self, machine: Row, state: str) -> None:
        """A virtual machine has no place in the rack; what runs on it comes and goes with it all the same."""
        self.maas.world.juju.machines.power(machine["hostname"], state)
        machine["powered"] = state

    def _flip(self, machine: Row, rack: str, state: str) -> None:
        """Power of the real thing, changed by the region (not by somebody at the BMC)."""
        self.maas.switching = machine["system_id"]
        try:
            self.maas.rack.set_power(rack, state)
        finally:
            self.maas.switching = None
        self.maas.world.effects.bmc_changed(rack, state)

    def cut(self, machine: Row) -> None:
        """The machine switches itself off (commissioning and releasing end so); the region notices at its next poll."""
        rack = machine["rack"]
        machine["powered"] = "off"
        if rack:
            self._flip(machine, rack, "off")
        if machine["power_type"] not in ("", "manual"):
            self.engine.after(self.engine.duration("power_poll"), "maas.power_poll", system_id=machine["system_id"])

    def _poll(self, system_id: str) -> None:
        machine = self.maas.nodes.rows.get(system_id)
        if machine is not None:
            machine["power_state"] = self.actual(machine)
            self.engine.touch()

    def actual(self, machine: Row) -> str:
        """Whether the machine has power, as its driver sees it."""
        if machine["power_type"] in ("", "manual"):
            return "unknown"
        rack = self.rack_of(machine)
        return self.maas.rack.power(rack) if rack else machine["powered"]

    def query(self, machine: Row) -> str:
        """``query_power_state``: asks the driver, and remembers the answer."""
        if not machine["power_type"]:
            raise ApiError(503, "No BMC is defined.  Cannot power control node.")
        if machine["power_type"] == "manual":
            return "unknown"
        self.driver(machine)
        machine["power_state"] = self.actual(machine)
        self.engine.touch()
        return machine["power_state"]
