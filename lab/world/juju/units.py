"""Units over time: which hook a unit runs next, and what its status is. Hooks run one at a time in each unit.

What a unit has behind it is ``unit["done"]``: steps by name with the time they ended. Steps are ``agent``, ``install``, ``start``, ``cluster``,
``joined:ENDPOINT:RELATION@1``, ``changed:ENDPOINT:RELATION@GENERATION``, ``config@N``, ``upgrade@N``. Everything else follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.world.juju import charms, special

HOOKS = {"install": "install", "start": "start", "cluster": "update-status", "config": "config-changed", "upgrade": "upgrade-charm"}


@dataclass
class Step:
    """Something a unit can do now: its name, the hook's name as Juju shows it, and how long it takes (a name of the profile)."""

    name: str
    hook: str
    duration: str
    remote: str = ""


def renewed(unit: dict[str, Any], endpoint: str) -> int:
    """Which generation of the endpoint's data the unit has; 0 while it has none."""
    return max((int(step.split("@")[1]) for step in unit["done"] if step.startswith(f"changed:{endpoint}:")), default=0)


class View:
    """One unit as its charm sees it."""

    def __init__(self, juju: Any, model: dict, unit: dict):
        self.juju = juju
        self.model = model
        self.unit = unit
        self.app: dict[str, Any] = model["applications"][unit["app"]]
        self.charm: str = self.app["charm"]
        self.behaviour = charms.behaviour(self.charm)
        self.done: dict[str, float] = unit["done"]

    @property
    def leader(self) -> bool:
        return self.app["leader"] == self.unit["name"]

    @property
    def optional(self) -> set[str]:
        """Endpoints that the unit can do without."""
        return {e for group in (self.behaviour.get("optional") or {}).values() for e in group}

    @property
    def started(self) -> bool:
        return "start" in self.done

    def option(self, key: str) -> Any:
        return charms.settings(self.charm, self.app["config"]).get(key)

    def relations(self, endpoint: str | None = None) -> list[tuple[dict, dict, dict]]:
        """(relation, own end, other end) of the unit's application."""
        found = self.juju.relations.by_application(self.model).get(self.app["name"], [])
        return found if endpoint is None else [row for row in found if row[1]["name"] == endpoint]

    def related(self, endpoint: str) -> bool:
        return endpoint in (charms.charm(self.charm).get("peers") or {}) or bool(self.relations(endpoint))

    def complete(self, endpoint: str) -> bool:
        """Whether the unit has what it needs from (one of) the other sides of the endpoint."""
        cluster = self.behaviour.get("cluster")
        if cluster and cluster["peer"] == endpoint:
            return "cluster" in self.done
        return any(step.startswith(f"changed:{endpoint}:") for step in self.done)

    def generation(self, endpoint: str) -> int:
        """How often the endpoint's data was renewed."""
        return renewed(self.unit, endpoint)

    def peers(self) -> list[View]:
        return [View(self.juju, self.model, u) for u in self.juju.applications.units(self.model, self.app["name"]) if u["life"] == "alive"]

    def active(self) -> bool:
        return self.started and special.assess(self)[0] == "active"


class Units:
    """Steps and statuses of the units of every model."""

    def __init__(self, juju: Any):
        self.juju = juju
        self.engine = juju.engine
        self.engine.handler("juju.step", self._step_done)
        self.engine.handler("juju.retry_hook", self._retry)
        self.engine.handler("juju.recompute", self._later)
        self._busy = False

    def view(self, model: dict, unit: dict) -> View:
        return View(self.juju, model, unit)

    def public(self, model: dict, unit: dict) -> dict[str, Any]:
        """The unit as others of the lab see it."""
        machine = model["machines"].get(unit["machine"]) or {}
        app = model["applications"].get(unit["app"]) or {}
        return {
            "name": unit["name"],
            "app": unit["app"],
            "charm": app.get("charm"),
            "machine": unit["machine"],
            "system_id": machine.get("system_id"),
            "hostname": machine.get("hostname"),
            "address": machine.get("address"),
            "principal": unit["principal"],
            "leader": app.get("leader") == unit["name"],
            "life": unit["life"],
            "workload": unit["workload"]["status"],
            "message": unit["workload"]["message"],
            "agent": unit["agent"]["status"],
            "certificate": renewed(unit, "certificates"),
            "virtual": self._virtual(model, app),
        }

    def _virtual(self, model: dict, app: dict) -> str | None:
        """The address that an application with an hacluster shows in place of its units'; of several (one a network) the first."""
        vips = str((app.get("config") or {}).get("vip") or "").split()
        related = any(mine["name"] == "ha" for _relation, mine, _other in self.juju.relations.by_application(model).get(app["name"], [])) if vips else False
        return vips[0] if related else None

    # -- the round --------------------------------------------------------------------------------------------------------
    def recompute(self, model: dict) -> None:
        """Work out every unit's status and start what can start."""
        if self._busy:
            return
        self._busy = True
        try:
            for unit in list(model["units"].values()):
                self._tell(model, unit)
            self.juju.applications.ensure_subordinates(model)
            for unit in list(model["units"].values()):
                if self._idle(unit):
                    self._begin(model, unit)
                self._tell(model, unit)
        finally:
            self._busy = False

    def _later(self, model: str) -> None:
        found = self.juju.state["models"].get(model)
        if found:
            self.juju.changed(found)

    def _idle(self, unit: dict) -> bool:
        lost = unit["lost_until"] is not None and unit["lost_until"] > self.engine.now()
        return unit["life"] == "alive" and not unit["task"] and not unit["error"] and not lost

    # -- steps ------------------------------------------------------------------------------------------------------------
    def _begin(self, model: dict, unit: dict) -> None:
        view = self.view(model, unit)
        step = next(self.steps(view), None)
        if step is None:
            return
        if step.name != "agent":
            if self._lose(model, unit, step):
                return
            if self.engine.fault("hook_error", unit=unit["name"], app=unit["app"], charm=view.charm, hook=step.hook):
                self._fail(model, unit, step)
                return
        unit["task"] = {"name": step.name, "hook": step.hook, "remote": step.remote, "since": self.engine.now()}
        seconds = self.engine.duration(step.duration)
        self.engine.after(seconds, "juju.step", model=model["uuid"], unit=unit["name"], step=step.name)

    def steps(self, view: View) -> Iterator[Step]:
        """What the unit could do now, in the order in which Juju would."""
        model, unit, done = view.model, view.unit, view.done
        machine = model["machines"].get(unit["machine"])
        if "agent" not in done:
            if machine and machine["agent"]["status"] == "started" and self._principal_ready(model, unit):
                yield Step("agent", "", "juju_unit_agent")
            return
        if "install" not in done:
            yield Step("install", "install", view.behaviour["install"])
            return
        if "start" not in done:
            yield Step("start", "start", "charm_start")
            return
        for kind, duration in (("upgrade", "charm_config"), ("config", "charm_config")):
            wanted = view.app["state"].get(kind, 0)
            if unit["state"].get(kind, wanted) < wanted:
                yield Step(f"{kind}@{wanted}", HOOKS[kind], duration)
        yield from self._joins(view)
        cluster = view.behaviour.get("cluster")
        if cluster and "cluster" not in done and self._can_cluster(view, cluster):
            yield Step("cluster", f"{cluster['peer']}-relation-changed", cluster["takes"])
        yield from self._changes(view)

    @staticmethod
    def _principal_ready(model: dict, unit: dict) -> bool:
        principal = model["units"].get(unit["principal"]) if unit["principal"] else None
        return unit["principal"] is None or bool(principal and "start" in principal["done"])

    def _started_units(self, view: View, other: dict, scope: str) -> list[View]:
        """The other side's units that take part: with container scope only the one beside."""
        found = []
        for unit in self.juju.applications.units(view.model, other["app"]):
            beside = unit["name"] == view.unit["principal"] or unit["principal"] == view.unit["name"]
            if unit["life"] == "alive" and "start" in unit["done"] and (scope == "global" or beside):
                found.append(self.view(view.model, unit))
        return found

    def _joins(self, view: View) -> Iterator[Step]:
        for relation, mine, other in view.relations():
            name = f"joined:{mine['name']}:{relation['id']}@1"
            remote = self._started_units(view, other, relation["scope"])
            if name not in view.done and remote:
                yield Step(name, f"{mine['name']}-relation-joined", "charm_hook", remote[0].unit["name"])

    def _changes(self, view: View) -> Iterator[Step]:
        for relation, mine, other in view.relations():
            remote = self._started_units(view, other, relation["scope"])
            generation = self._offered(other["name"], remote) if remote else None
            if generation is None:
                continue
            name = f"changed:{mine['name']}:{relation['id']}@{generation}"
            if name not in view.done:
                duration = (view.behaviour.get("hooks") or {}).get(mine["name"], "charm_hook")
                yield Step(name, f"{mine['name']}-relation-changed", duration, remote[0].unit["name"])

    def _offered(self, endpoint: str, remote: list[View]) -> int | None:
        """Which generation of its data the other side has given; None while it has given none."""
        first = remote[0]
        if first.charm == "vault" and endpoint == "certificates":
            return self.juju.world.vault.generation(first.model["uuid"], first.app["name"])
        rule = (first.behaviour.get("offers") or {}).get(endpoint, "installed")
        if rule == "installed":
            return 1
        if rule == "ready":
            given = [v for v in remote if v.active()]
        elif rule == "cluster":
            given = [v for v in remote if "cluster" in v.done]
        else:
            given = [v for v in remote if all(v.complete(e) or (e in v.optional and not v.related(e)) for e in rule)]
        if not given:
            return None
        # Keystone's endpoints change when it gets its certificate: its clients hear of it.
        return 1 + (given[0].generation("certificates") if endpoint == "identity-service" else 0)

    def _can_cluster(self, view: View, cluster: dict) -> bool:
        least = int(view.option(cluster["option"]) or cluster["least"]) if "option" in cluster else cluster["least"]
        ready = [p for p in view.peers() if p.started and ("after" not in cluster or p.complete(cluster["after"]))]
        return len(ready) >= least and any(p.unit["name"] == view.unit["name"] for p in ready)

    def _step_done(self, model: str, unit: str, step: str) -> None:
        found = self.juju.state["models"].get(model)
        row = found["units"].get(unit) if found else None
        if not row or not row["task"] or row["task"]["name"] != step:
            return
        row["task"] = None
        row["done"][step] = self.engine.now()
        kind, _at, number = step.partition("@")
        app = found["applications"].get(row["app"])
        if step == "install" and app:
            # What is set before the install hook ends is part of it.
            for other in ("config", "upgrade"):
                row["state"][other] = app["state"].get(other, 0)
        if kind in ("config", "upgrade"):
            row["state"][kind] = int(number)
            if kind == "upgrade" and app:
                self.juju.world.vault.unit_upgraded(found, row)
            if kind == "upgrade" and app and app["charm"] == "ceilometer" and app["leader"] == unit and self.view(found, row).related("metric-service"):
                # Its hook has no way to know, and takes the action for done.
                app["state"]["upgraded"] = True
        self.engine.log("juju.step", unit=unit, step=step)
        self.juju.changed(found)

    # -- faults -----------------------------------------------------------------------------------------------------------
    def _lose(self, model: dict, unit: dict, step: Step) -> bool:
        fault = self.engine.fault("agent_lost", unit=unit["name"], app=unit["app"], hook=step.hook)
        if not fault:
            return False
        seconds = float(fault.get("seconds", 10**9))
        unit["lost_until"] = self.engine.now() + seconds
        self.engine.after(seconds, "juju.recompute", model=model["uuid"])
        return True

    def _fail(self, model: dict, unit: dict, step: Step) -> None:
        unit["error"] = {"step": step.name, "hook": step.hook, "at": self.engine.now()}
        self.engine.log("juju.hook_failed", unit=unit["name"], hook=step.hook)
        if model["config"].get("automatically-retry-hooks", True) in (True, "true", "True"):
            self.engine.after(self.engine.duration("juju_hook_retry"), "juju.retry_hook", model=model["uuid"], unit=unit["name"])

    def _retry(self, model: str, unit: str) -> None:
        found = self.juju.state["models"].get(model)
        row = found["units"].get(unit) if found else None
        if row and row["error"]:
            row["error"] = None
            self.juju.changed(found)

    def machine_lost(self, model: dict, machine: str) -> None:
        """What a power cut does to the units of a machine: Vault is sealed; a database cluster with nobody left needs help to start.

        A message queue that all have left waits for the one that went last (https://www.rabbitmq.com/docs/clustering#restarting).
        """
        for unit in [u for u in model["units"].values() if u["machine"] == machine]:
            app = model["applications"][unit["app"]]
            if app["charm"] == "vault":
                self.juju.world.vault.restart(model, unit)
            others = self.juju.applications.units(model, unit["app"])
            nobody = all((model["machines"].get(u["machine"]) or {}).get("agent", {}).get("status") == "down" for u in others)
            if app["charm"] == "mysql-innodb-cluster" and "cluster" in unit["done"] and nobody:
                app["state"]["outage"] = unit["name"]
            if app["charm"] == "rabbitmq-server" and "start" in unit["done"] and nobody and len(others) > 1:
                app["state"]["queue_last"] = unit["name"]

    def machine_back(self, model: dict, machine: str) -> None:
        """What starts by itself with a machine that has power again."""
        for unit in [u for u in model["units"].values() if u["machine"] == machine and "start" in u["done"]]:
            app = model["applications"][unit["app"]]
            if app["charm"] == "vault":
                self.juju.world.vault.restart(model, unit)
            if app["state"].get("queue_last") == unit["name"]:
                app["state"].pop("queue_last")

    def resolve(self, model: dict, unit: dict, retry: bool) -> None:
        if not retry and unit["error"]:
            unit["done"][unit["error"]["step"]] = self.engine.now()
        unit["error"] = None
        self.engine.cancel("juju.retry_hook", model=model["uuid"], unit=unit["name"])
        if unit["life"] == "dying":
            self.juju.applications.remove_unit(model, unit["name"], force=True)
        self.juju.changed(model)

    # -- status -----------------------------------------------------------------------------------------------------------
    def _tell(self, model: dict, unit: dict) -> None:
        """Write the unit's statuses down if they are others than before."""
        before = (unit["workload"]["status"], unit["workload"]["message"], unit["agent"]["status"], unit["agent"]["message"], unit.get("told"))
        for part, (status, message) in (("workload", self.workload(model, unit)), ("agent", self.agent(model, unit))):
            if (unit[part]["status"], unit[part]["message"]) != (status, message):
                unit[part] = {"status": status, "message": message, "since": self.engine.now()}
        address = (model["machines"].get(unit["machine"]) or {}).get("address")
        after = (unit["workload"]["status"], unit["workload"]["message"], unit["agent"]["status"], unit["agent"]["message"], address)
        if before != after:
            unit["told"] = address
            if before[0] != after[0] or before[1] != after[1]:
                self.engine.log("juju.status", unit=unit["name"], status=after[0], message=after[1])
            self.juju.unit_changed(model, unit)

    def lost(self, model: dict, unit: dict) -> bool:
        machine = model["machines"].get(unit["machine"])
        away = unit["lost_until"] is not None and unit["lost_until"] > self.engine.now()
        return away or ("agent" in unit["done"] and bool(machine) and machine["agent"]["status"] == "down")

    def workload(self, model: dict, unit: dict) -> tuple[str, str]:
        done = unit["done"]
        if self.lost(model, unit):
            return "unknown", f"agent lost, see 'juju show-status-log {unit['name']}'"
        if unit["error"]:
            return "error", f'hook failed: "{unit["error"]["hook"]}"'
        if "agent" not in done:
            machine = model["machines"].get(unit["machine"])
            return "waiting", "installing agent" if machine and machine["agent"]["status"] == "started" else "waiting for machine"
        if "install" not in done:
            return ("maintenance", "installing charm software") if unit["task"] else ("waiting", "agent initialising")
        if "start" not in done:
            return "maintenance", "Installation complete"
        return special.assess(self.view(model, unit))

    def agent(self, model: dict, unit: dict) -> tuple[str, str]:
        if self.lost(model, unit):
            return "lost", "agent is not communicating with the server"
        if "agent" not in unit["done"]:
            return "allocating", ""
        if unit["error"]:
            return "idle", ""
        task = unit["task"]
        if not task:
            return "idle", ""
        return "executing", f"running {task['hook']} hook" + (f" for {task['remote']}" if task["remote"] else "")
