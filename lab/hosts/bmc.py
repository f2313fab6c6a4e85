"""The rack's BMCs: one ipmi_sim per machine, on its own address, whose chassis power is the world's."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from pathlib import Path

from lab.hosts.bmc_door import Door, free_port, open_door
from lab.paths import Paths

LOG = logging.getLogger(__name__)
POWER = Path(__file__).with_name("bmc_power.py")

EMULATOR = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x0002a2 0x0100 persist_sdr
mc_enable 0x20
"""


def lan_conf(name: str, address: str, port: int, user: str, password: str, command: str) -> str:
    """ipmi_sim's configuration of one BMC."""
    guid = name.encode().hex()[:32].ljust(32, "0")
    return f"""name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {guid}
  endlan
  chassis_control "{command}"
  user 1 false "" "" user 10 none
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""


class Bmcs:
    """Runs the simulators and starts one again that ended."""

    def __init__(self, paths: Paths):
        self.paths = paths
        self.entries: list[dict] = []
        self._tasks: list[asyncio.Task] = []
        self._doors: list[Door] = []

    @staticmethod
    def available() -> bool:
        return shutil.which("ipmi_sim") is not None and shutil.which("setpriv") is not None

    async def add(self, name: str, address: str, port: int, user: str, password: str) -> None:
        place = self.paths.state / "bmc"
        place.mkdir(parents=True, exist_ok=True)
        # Shell words: the simulator runs this line with "get power", "set power 1" and the like behind it.
        command = f"{sys.executable} -I -S {POWER} {self.paths.control} {name}"
        inside = free_port()
        (place / f"{name}.conf").write_text(lan_conf(name, "127.0.0.1", inside, user, password, command))
        (place / f"{name}.emu").write_text(EMULATOR)
        self.entries.append({"machine": name, "host": address, "port": port, "user": user, "password": password})
        self._doors.append(await open_door(address, port, inside))
        self._tasks.append(asyncio.create_task(self._run(name, place)))

    async def _run(self, name: str, place: Path) -> None:
        (place / f"{name}.d").mkdir(exist_ok=True)
        argv = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "ipmi_sim",
            "-n",
            "-c",
            str(place / f"{name}.conf"),
            "-f",
            str(place / f"{name}.emu"),
            "-s",
            str(place / f"{name}.d"),
        ]
        while True:
            with (self.paths.log / "bmc.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
            LOG.warning("the BMC of %s ended with %s", name, code)
            await asyncio.sleep(2)

    async def stop(self) -> None:
        for door in self._doors:
            door.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
