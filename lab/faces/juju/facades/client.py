"""Client (status), AllWatcher (changes) and Pinger."""

from __future__ import annotations

from lab.faces.juju import views
from lab.faces.juju.facades.base import Facade, each, untag
from lab.world.juju.errors import JujuError, not_found


class Watch:
    """What one client was told of a model, so that it is told the differences."""

    def __init__(self):
        self.told: dict[tuple[str, str], dict] | None = None
        self.revision = -1
        self.stopped = False

    def differences(self, now: dict[tuple[str, str], dict]) -> list[list]:
        before = self.told or {}
        deltas = [[kind, "change", entity] for (kind, identity), entity in now.items() if before.get((kind, identity)) != entity]
        deltas += [[kind, "remove", entity] for (kind, identity), entity in before.items() if (kind, identity) not in now]
        self.told = now
        return deltas


class Client(Facade):
    name = "Client"
    versions = (6, 7, 8)

    def FullStatus(self, params: dict) -> dict:
        return views.full_status(self.world, self.controller, self.model, params.get("patterns"))

    def WatchAll(self, params: dict) -> dict:
        identity = str(self.engine.number("juju_watcher"))
        self.connection.watchers[identity] = Watch()
        return {"watcher-id": identity}

    def StatusHistory(self, params: dict) -> dict:
        """The statuses of a unit that the lab noted."""

        def one(request: dict) -> dict:
            unit = untag("unit", request.get("tag"))
            if unit not in self.model["units"]:
                raise not_found("unit", unit)
            size = (request.get("filter") or {}).get("size") or 20
            rows = [e for e in self.engine.state["log"] if e["kind"] == "juju.status" and e["unit"] == unit][-size:]
            return {
                "history": {
                    "statuses": [
                        {"status": r["status"], "info": r["message"], "data": {}, "since": views.date(r["at"]), "kind": "workload", "version": "", "life": ""}
                        for r in rows
                    ]
                }
            }

        return each(params.get("requests"), one)

    def FindTools(self, params: dict) -> dict:
        return {"list": [{"version": f"{self.juju.state['version']}-ubuntu-amd64", "url": "", "size": 0}]}


class AllWatcher(Facade):
    name = "AllWatcher"
    versions = (3,)

    @property
    def watch(self) -> Watch:
        watch = self.connection.watchers.get(self.identity)
        if watch is None:
            raise JujuError("unknown watcher id", "not found")
        return watch

    async def Next(self, params: dict) -> dict:
        """The first answer is everything, at once; later ones wait until something is different."""
        watch = self.watch
        if watch.stopped:
            raise JujuError("watcher was stopped", "stopped")
        uuid = self.connection.uuid or ""
        while True:
            model = self.juju.state["models"].get(uuid)
            if model is None:
                raise JujuError("watcher was stopped", "stopped")
            watch.revision = self.juju.revisions.get(uuid, 0)
            deltas = watch.differences(views.entities(self.world, self.controller, model))
            if deltas:
                return {"deltas": deltas}
            await self.engine.until(lambda: watch.stopped or uuid not in self.juju.state["models"] or self.juju.revisions.get(uuid, 0) != watch.revision)
            if watch.stopped:
                raise JujuError("watcher was stopped", "stopped")

    def Stop(self, params: dict) -> dict:
        self.watch.stopped = True
        self.connection.watchers.pop(self.identity, None)
        self.engine.touch()
        return {}


class Pinger(Facade):
    name = "Pinger"
    versions = (1,)
    on = "both"

    def Ping(self, params: dict) -> dict:
        return {}

    def Stop(self, params: dict) -> dict:
        return {}
