"""Action: enqueue, look up, list, cancel."""

from __future__ import annotations

from lab.faces.juju import views
from lab.faces.juju.facades.base import Facade, each, untag
from lab.world.juju import charms
from lab.world.juju.errors import JujuError, not_found


class Action(Facade):
    name = "Action"
    versions = (7,)

    def _wire(self, action: dict) -> dict:
        return {
            "action": {
                "tag": f"action-{action['id']}",
                "receiver": f"unit-{action['unit'].replace('/', '-')}",
                "name": action["name"],
                "parameters": action["parameters"],
            },
            "enqueued": views.date(action["enqueued"]),
            "started": views.date(action["started"]),
            "completed": views.date(action["completed"]),
            "status": action["status"],
            "message": action["message"],
            "output": action["output"] or None,
            "log": [{"timestamp": views.date(at), "message": text} for at, text in action["log"]],
        }

    def _get(self, tag: str) -> dict:
        identity = untag("action", tag)
        if identity not in self.model["actions"]:
            raise not_found("action", identity)
        return self.model["actions"][identity]

    def _enqueue(self, wanted: list[dict]) -> dict:
        operation = self.juju.actions.enqueue(self.model, wanted)
        rows = []
        for identity, error in zip(operation["actions"], operation["errors"], strict=True):
            rows.append({"error": error.wire()} if error else self._wire(self.model["actions"][identity]))
        return {"operation": f"operation-{operation['id']}", "actions": rows}

    def EnqueueOperation(self, params: dict) -> dict:
        return self._enqueue(params.get("actions") or [])

    def Run(self, params: dict) -> dict:
        """``juju exec`` on units and on all units of applications."""
        units = list(params.get("units") or [])
        for name in params.get("applications") or []:
            units += [u["name"] for u in self.juju.applications.units(self.model, name)]
        if params.get("machines") and not units:
            raise JujuError("running commands on machines is not supported by the lab", "not supported")
        given = {"command": params.get("commands", ""), "timeout": params.get("timeout", 0)}
        return self._enqueue([{"receiver": unit, "name": "juju-exec", "parameters": dict(given)} for unit in units])

    def Actions(self, params: dict) -> dict:
        return each(params.get("entities"), lambda entity: self._wire(self._get(entity.get("tag") or "")))

    def Cancel(self, params: dict) -> dict:
        return each(params.get("entities"), lambda entity: self._wire(self.juju.actions.cancel(self.model, untag("action", entity.get("tag") or ""))))

    def _operation(self, operation: dict) -> dict:
        actions = [self.model["actions"][a] for a in operation["actions"] if a and a in self.model["actions"]]
        statuses = [a["status"] for a in actions]
        order = ("running", "pending", "aborting", "failed", "aborted", "cancelled", "completed")
        current = next((s for s in order if s in statuses), "error" if not actions else "completed")
        done = [a["completed"] for a in actions]
        started = [a["started"] for a in actions if a["started"]]
        return {
            "operation": f"operation-{operation['id']}",
            "summary": operation["summary"],
            "fail": "; ".join(e for e in operation["errors"] if e),
            "enqueued": views.date(operation["enqueued"]),
            "started": views.date(min(started)) if started else None,
            "completed": views.date(max(done)) if done and all(done) else None,
            "status": current,
            "actions": [self._wire(a) for a in actions],
        }

    def Operations(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            identity = untag("operation", entity.get("tag") or "")
            if identity not in self.model["operations"]:
                raise not_found("operation", identity)
            return self._operation(self.model["operations"][identity])

        return each(params.get("entities"), one)

    def ListOperations(self, params: dict) -> dict:
        rows = [self._operation(o) for o in self.model["operations"].values()]
        for key, field in (("units", "receiver"), ("actions", "name")):
            wanted = set(params.get(key) or [])
            if wanted:
                wanted |= {f"unit-{w.replace('/', '-')}" for w in wanted} if key == "units" else set()
                rows = [r for r in rows if any(a["action"][field] in wanted for a in r["actions"])]
        if params.get("applications"):
            names = set(params["applications"])
            rows = [r for r in rows if any(a["action"]["receiver"][5:].rpartition("-")[0] in names for a in r["actions"])]
        if params.get("status"):
            rows = [r for r in rows if r["status"] in params["status"]]
        offset, limit = params.get("offset") or 0, params.get("limit") or 50
        return {"results": rows[offset : offset + limit], "truncated": len(rows) > offset + limit}

    def ApplicationsCharmsActions(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            app = self.juju.applications.get(self.model, untag("application", entity.get("tag")))
            declared = charms.charm(app["charm"]).get("actions") or {}
            return {"application-tag": entity["tag"], "actions": {name: specification(name, spec or {}) for name, spec in declared.items()}}

        return each(params.get("entities"), one)


def specification(name: str, parameters: dict) -> dict:
    """An action's parameters as a JSON schema."""
    properties = {key: {"type": spec["type"], **({"default": spec["default"]} if "default" in spec else {})} for key, spec in parameters.items()}
    schema: dict = {"type": "object", "title": name, "description": "", "properties": properties, "additionalProperties": False}
    required = [key for key, spec in parameters.items() if spec.get("required")]
    if required:
        schema["required"] = required
    return {"description": "", "params": schema}
