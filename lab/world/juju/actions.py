"""Actions: queued, run one by one in virtual time, with honest results. What an action does is in ``results``."""

from __future__ import annotations

from typing import Any

from lab.world.juju import charms, results
from lab.world.juju.errors import JujuError, invalid

TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict, "int": int}


class Actions:
    """Operations and actions of every model. An operation holds one action for each receiver."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self.engine.handler("juju.action_start", self._start)
        self.engine.handler("juju.action_end", self._end)

    def _number(self, model: dict) -> str:
        value = model["next"]["action"]
        model["next"]["action"] += 1
        return str(value)

    def receiver(self, model: dict, text: str) -> dict[str, Any]:
        """A unit for ``unit-keystone-0``, ``keystone/0`` or ``keystone/leader``."""
        name = text
        if text.startswith("unit-"):
            application, _dash, number = text[len("unit-") :].rpartition("-")
            name = f"{application}/{number}"
        if name.endswith("/leader"):
            application = self.juju.applications.get(model, name[: -len("/leader")])
            if not application["leader"]:
                raise JujuError(f'could not determine leader for "{application["name"]}"')
            name = application["leader"]
        return self.juju.applications.unit(model, name)

    def enqueue(self, model: dict, wanted: list[dict[str, Any]]) -> dict[str, Any]:
        """``wanted``: ``[{receiver, name, parameters}]``. The operation with, for each, its action or its error."""
        operation = {"id": self._number(model), "summary": "", "enqueued": self.engine.now(), "actions": [], "errors": []}
        for one in wanted:
            try:
                unit = self.receiver(model, one.get("receiver") or "")
                parameters = self._validated(model, unit, one.get("name") or "", dict(one.get("parameters") or {}))
            except JujuError as error:
                operation["errors"].append(error)
                operation["actions"].append(None)
                continue
            action = {
                "id": self._number(model),
                "operation": operation["id"],
                "unit": unit["name"],
                "name": one["name"],
                "parameters": parameters,
                "status": "pending",
                "message": "",
                "output": {},
                "log": [],
                "enqueued": self.engine.now(),
                "started": None,
                "completed": None,
            }
            model["actions"][action["id"]] = action
            operation["actions"].append(action["id"])
            operation["errors"].append(None)
            self.engine.after(1, "juju.action_start", model=model["uuid"], action=action["id"])
        names = ",".join(sorted({one.get("name") or "" for one in wanted}))
        operation["summary"] = f"{names} run on {','.join(str(one.get('receiver')) for one in wanted)}"
        kept = {**operation, "errors": [e.message if e else None for e in operation["errors"]]}
        model["operations"][operation["id"]] = kept
        self.juju.changed(model)
        return operation

    def _validated(self, model: dict, unit: dict, name: str, given: dict[str, Any]) -> dict[str, Any]:
        if name == "juju-run" or name == "juju-exec":
            return given
        charm = model["applications"][unit["app"]]["charm"]
        try:
            known = charms.action(charm, name)
        except JujuError:
            raise JujuError(f'action "{name}" not defined on unit "{unit["name"]}"', "not found") from None
        problems = []
        for key, spec in known.items():
            if spec.get("required") and key not in given:
                problems.append(f'(root) : "{key}" property is missing and required, given {sorted(given)}')
            elif key in given and given[key] is not None:
                expected = TYPES.get(spec["type"], object)
                wrong = not isinstance(given[key], expected) or (isinstance(given[key], bool) and expected is not bool and expected is not object)
                if wrong:
                    problems.append(f"(root).{key} : must be of type {spec['type']}, given {given[key]!r}")
        problems += [f'(root) : additional property "{key}" is not allowed' for key in given if key not in known]
        if problems:
            raise invalid(f"validation failed: {'; '.join(problems)}")
        return {**{k: s["default"] for k, s in known.items() if "default" in s}, **given}

    def _find(self, model: str, action: str) -> tuple[dict, dict] | tuple[None, None]:
        found = self.juju.state["models"].get(model)
        row = found["actions"].get(action) if found else None
        return (found, row) if row else (None, None)

    def _start(self, model: str, action: str) -> None:
        found, row = self._find(model, action)
        if not row or row["status"] != "pending":
            return
        unit = found["units"].get(row["unit"])
        if unit and unit["life"] != "dead" and ("start" not in unit["done"] or unit["task"] or self.juju.units.lost(found, unit)):
            # Actions wait for the hook that runs, and for the unit's agent.
            self.engine.after(2, "juju.action_start", model=model, action=action)
            return
        row.update(status="running", started=self.engine.now())
        charm = found["applications"][unit["app"]]["charm"] if unit else ""
        if results.asks_nova(charm, row["name"]):
            unit["state"].pop("servers", None)
            self._ask_nova(found, unit)
        self.engine.after(self.engine.duration(results.duration(charm, row["name"])), "juju.action_end", model=model, action=action)
        self.juju.changed(found)

    def _ask_nova(self, model: dict, unit: dict) -> None:
        """Have the servers on the unit's host counted; the end of the action waits for it."""
        machine = model["machines"].get(unit["machine"]) or {}
        self.engine.effects.compute_servers(machine.get("hostname", ""), lambda count: unit["state"].update(servers=count))

    def _end(self, model: str, action: str) -> None:
        found, row = self._find(model, action)
        if not row or row["status"] != "running":
            return
        unit = found["units"].get(row["unit"])
        if unit and results.asks_nova(found["applications"][unit["app"]]["charm"], row["name"]) and "servers" not in unit["state"]:
            # Not answered yet, or asked by a lab that was stopped meanwhile.
            self._ask_nova(found, unit)
            self.engine.after(60, "juju.action_end", model=model, action=action)
            return
        fault = self.engine.fault("action_failed", action=row["name"], unit=row["unit"])
        if unit is None or fault:
            row.update(status="failed", message=(fault or {}).get("message", "action terminated"))
        else:
            try:
                output = results.run(self.juju.units.view(found, unit), row["name"], row["parameters"])
                row.update(status="completed", output={**output, "return-code": 0})
            except results.Failed as error:
                row.update(status="failed", message=str(error), output={**error.output, "return-code": 0})
        row["completed"] = self.engine.now()
        self.engine.log("juju.action", unit=row["unit"], action=row["name"], status=row["status"])
        self.juju.changed(found)

    def cancel(self, model: dict, identity: str) -> dict[str, Any]:
        if identity not in model["actions"]:
            raise JujuError(f'action "{identity}" not found', "not found")
        row = model["actions"][identity]
        if row["status"] in ("pending", "running"):
            row.update(status="cancelled" if row["status"] == "pending" else "aborting", completed=self.engine.now())
            if row["status"] == "aborting":
                row["status"] = "aborted"
            self.juju.changed(model)
        return row
