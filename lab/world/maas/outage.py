"""What the controller takes along when it stops: the region's services, and the virtual machines that live on it.

The region's data are in its database and stay. A virtual machine that runs when its host loses power is started again by LXD when the host is back; one
that was booting from the network boots anew then, and the scripts that have passed are not run again.
"""

from __future__ import annotations

from typing import Any

from lab.world.maas import states
from lab.world.maas.base import Part, Row
from lab.world.maas.lifecycle import BOOT_SHARE

BOOTING = {states.COMMISSIONING: "commission", states.DEPLOYING: "deploy"}


class Outage(Part):
    """``restart`` is the region's services alone; ``power`` the whole host."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.engine.handler("maas.rack_ready", self._rack_ready)

    # -- the region's services ------------------------------------------------------------------------------------------
    def restart(self) -> None:
        """The services stop and start: 502 for a while, then no rack for a while. An import that ran is begun anew."""
        self._stop()
        self._start()

    def _stop(self) -> None:
        region = self.state["region"]
        if region["state"] != "up":
            return
        importing = self.maas.images.is_importing() or region.get("importing", False)
        self.maas.images.stop_import()
        for name in ("maas.http_ready", "maas.rack_ready"):
            self.engine.cancel(name)
        region.update(state="stopped", rack=False, importing=importing)
        self.engine.log("region", state="stopped")
        self.engine.touch()

    def _start(self) -> None:
        if self.state["region"]["state"] == "stopped":
            self.state["region"]["state"] = "starting"
            self.engine.after(self.engine.duration("maas_http_ready"), "maas.http_ready")

    def _rack_ready(self) -> None:
        region = self.state["region"]
        if not self.maas.controllers.racks():
            # The first time, or it had not registered before it was stopped.
            self.maas.rack_ready()
            return
        region["rack"] = True
        self.engine.log("region", state="rack connected")
        if region.pop("importing", False):
            self.maas.images.start_import()
        self.maas.pxe_again()

    # -- the host -------------------------------------------------------------------------------------------------------
    def power(self, state: str) -> None:
        """The controller's host loses its power, or has it again."""
        if state == "off":
            self._stop()
            for machine in self._virtual("on"):
                self._lose(machine)
            self.maas.world.juju.controllers.client_lost()
        else:
            self._start()
            for machine in self._virtual("off"):
                if machine.pop("ran", False):
                    self._have(machine)
        self.engine.log("controller", power=state)
        self.engine.touch()

    def _virtual(self, power: str) -> list[Row]:
        return [machine for machine in self.maas.machines() if machine["vm_host"] and machine["powered"] == power]

    def _lose(self, machine: Row) -> None:
        self.maas.power.set_virtual(machine, "off")
        machine["ran"] = True
        kind = BOOTING.get(machine["status"])
        if kind:
            machine["at"] = self._pending(machine, kind)
            for name in ("boot", kind):
                self.engine.cancel(f"maas.{name}_step", system_id=machine["system_id"])

    def _have(self, machine: Row) -> None:
        self.maas.power.set_virtual(machine, "on")
        at: dict[str, Any] | None = machine.pop("at", None)
        if at is None:
            return
        if machine["status"] == states.COMMISSIONING:
            # A script that was running starts again.
            index = at["index"] - at["index"] % 2
            boot = self.engine.duration("vm_commissioning") * BOOT_SHARE
            self.maas.lifecycle.resume("commission", machine, boot + at["pace"], index=index, pace=at["pace"])
        else:
            # The installation begins with empty disks; one that was complete only starts what it installed.
            index = at["index"] if at["index"] == 6 else min(at["index"], 0)
            self.maas.lifecycle.resume("deploy", machine, machine["deploy_seconds"] * 0.3, index=index)

    def _pending(self, machine: Row, kind: str) -> dict[str, Any] | None:
        """The arguments of the step that would come next."""
        for _at, _number, name, args in self.engine.state["queue"]:
            if name == f"maas.{kind}_step" and args["system_id"] == machine["system_id"] and args["run"] == machine["run"]:
                return dict(args)
        return None
