"""What happens to machines over time: commissioning, testing, deploying, releasing, rescue mode, and their failures.

Each run of an operation has a number (``run``): a step that is due after its run was aborted finds another number and does nothing.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Any

from lab.errors import NAKED, ApiError, conflict, forbidden, invalid
from lab.world.maas import scripts, states
from lab.world.maas.base import Fields, Part, Row
from lab.world.maas.config import SETTINGS, choices
from lab.world.maas.nodes import FAILED, PASSED, PENDING, RUNNING, SKIPPED, UNKNOWN
from lab.world.maas.scripts import chosen

# Parts of an installation: share of the time at which it begins, status action, INFO event, DEBUG texts.
INSTALL: list[tuple[float, str | None, str | None, list[str]]] = [
    (0.30, "", None, ["'curtin' curtin command install", "'cloudinit' searching for local datasources"]),
    (0.35, "cmd-install/stage-partitioning", "Configuring storage", ["'curtin' curtin command install: configuring storage"]),
    (0.50, "cmd-install/stage-extract", "Installing OS", ["'curtin' curtin command install: writing install sources to disk"]),
    (0.68, None, None, ["'curtin' curtin command install: configuring network"]),
    (0.70, "cmd-install/stage-curthooks", "Configuring OS", ["'curtin' curtin command install: configuring installed system"]),
    (0.85, None, None, []),
    (1.00, "", "Deployed", []),
]
NO_ADDRESS = "Node has no address family in common with the server"
NO_ROOT = "Mount the root '/' filesystem to be able to deploy this node."
INSTALL_FAILED = "Installation failed (refer to the installation log for more information)."
BMC_CONFIG = "30-maas-01-bmc-config"
HOST_POLL = 10
BOOT_SHARE = 0.4
"""Part of a commissioning that is booting; the scripts share the rest."""
BOOT = [(0.3, "Performing PXE boot"), (0.8, "Loading ephemeral"), (1.0, "Gathering information")]
"""What the region sees of a machine that boots for its commissioning, and at which share of that time."""


class Lifecycle(Part):
    """Operations on machines and the steps that follow."""

    def __init__(self, maas: object):
        super().__init__(maas)
        for name in ("boot", "commission", "test", "deploy", "release", "erase", "rescue", "exit_rescue", "expire"):
            self.engine.handler(f"maas.{name}_step", getattr(self, f"_{name}_step"))

    # -- common -----------------------------------------------------------------------------------------------------------
    def set_status(self, machine: Row, status: int, note: str = "") -> None:
        before = machine["status"]
        machine["status"], machine["status_name"] = status, states.NAMES[status]
        if before != status:
            text = f"From '{states.NAMES[before]}' to '{states.NAMES[status]}'"
            self.maas.events.add(machine, "Node changed status", f"{text} {note}".rstrip(), "DEBUG")
            self.engine.log("status", machine=machine["hostname"], status=states.NAMES[status])

    def _by(self, machine: Row, what: str, user: str, comment: str | None) -> None:
        text = f"({user}) - {comment}" if comment else f"({user})"
        self.maas.events.add(machine, f"User {what}", text, "DEBUG", username=user)

    def _begin(self, machine: Row) -> int:
        machine["run"] = self.engine.number("maas.runs")
        return machine["run"]

    def _run(self, system_id: str, run: int) -> Row | None:
        """The machine whose run this still is."""
        machine = self.maas.nodes.rows.get(system_id)
        return machine if machine is not None and machine["run"] == run else None

    def _step(self, name: str, machine: Row, seconds: float, **args: Any) -> None:
        self.engine.after(seconds, f"maas.{name}_step", system_id=machine["system_id"], run=machine["run"], **args)

    def resume(self, name: str, machine: Row, seconds: float, **args: Any) -> None:
        """Go on with an operation that a power cut interrupted; the region's time-out goes on, too."""
        self._step(name, machine, seconds, **args)

    def _expect(self, machine: Row) -> None:
        """A machine that never reports is failed after the region's time-out."""
        self._step("expire", machine, self.maas.config.get("node_timeout") * 60, status=machine["status"])

    def _expire_step(self, system_id: str, run: int, status: int) -> None:
        machine = self._run(system_id, run)
        if machine is not None and machine["status"] == status:
            minutes = self.maas.config.get("node_timeout")
            self.fail(machine, f"Node operation '{states.NAMES[status]}' timed out after {minutes} minutes.")

    def fail(self, machine: Row, why: str) -> None:
        """The region marks a machine's operation failed."""
        failed = states.FAILURES[machine["status"]]
        self._begin(machine)
        for kind in ("commissioning", "testing"):
            if machine[f"{kind}_status"] in (PENDING, RUNNING) and failed in (states.FAILED_COMMISSIONING, states.FAILED_TESTING):
                machine[f"{kind}_status"] = FAILED
        machine["error_description"] = why
        self.maas.events.add(machine, "Marking node failed", why, "ERROR", action="mark_failed")
        self.set_status(machine, failed)

    # -- commissioning ------------------------------------------------------------------------------------------------------
    def commission(self, machine: Row, fields: Fields, user: str) -> None:
        states.check("commission", machine)
        words = self._words(fields, "commissioning_scripts")
        tests = self._scripts(fields, "testing_scripts", "testing", [scripts.DEFAULT_TAG])
        wanted = self._scripts(fields, "commissioning_scripts", "commissioning", None) if words else scripts.names("commissioning")
        if not machine["power_type"]:
            raise ApiError(500, "Unconfigured power type. Please configure the power type and try again.")
        before = (machine["status"], machine["owner"])
        self._by(machine, "starting node commissioning", user, fields.get("comment"))
        skip_bmc = fields.flag("skip_bmc_config") or machine["power_type"] == "manual"
        self.maas.results.new(machine, "commissioning", [(name, self._parameters(name)) for name in sorted(wanted)])
        machine.update(commissioning_status=PENDING, owner=user, previous_status=machine["status"], enable_ssh=fields.flag("enable_ssh"), error_description="")
        self._pend_tests(machine, tests)
        if not fields.flag("skip_networking"):
            self.maas.interfaces.forget_links(machine)
        if not fields.flag("skip_storage"):
            self.maas.storage.clear(machine)
        machine["keep"] = {"networking": fields.flag("skip_networking"), "storage": fields.flag("skip_storage")}
        self._begin(machine)
        self.maas.events.add(machine, "Commissioning")
        if skip_bmc:
            self._skip_bmc(machine)
        self.set_status(machine, states.COMMISSIONING)
        try:
            self.maas.power.driver(machine)
        except ApiError as error:
            self._revert(machine, user, *before)
            if error.status == 503:
                machine["power_state"] = "unknown"
            # The region finds out when it has answered already, so to speak: this one lacks the usual headers.
            error.headers.update(NAKED)
            raise
        self.maas.power.switch(machine, "on")
        self._expect(machine)
        self._start(machine)

    def _start(self, machine: Row) -> None:
        """The machine boots and does what its status asks for; with manual power, once somebody has switched it on."""
        if machine["power_type"] == "manual" and not self.maas.rack.attended:
            machine["awaits_hand"] = machine["run"]
        elif self._boots(machine):
            self._started(machine)

    def switched_on(self, machine: Row) -> None:
        """Somebody has given a machine power at its switch or BMC."""
        if machine.get("awaits_hand") == machine["run"] and self._boots(machine):
            machine["awaits_hand"] = None
            # What is heard of the machine extends the time-out.
            self.engine.cancel("maas.expire_step", system_id=machine["system_id"])
            self._expect(machine)
            self._started(machine)

    def _started(self, machine: Row) -> None:
        if machine["status"] == states.DEPLOYING:
            self._step("deploy", machine, 0.5, index=-1)
        else:
            self._start_commissioning(machine)

    def _start_commissioning(self, machine: Row) -> None:
        seconds = self.engine.duration("vm_commissioning" if machine["vm_host"] else "commissioning")
        stuck = self.engine.fault("commissioning_stuck", machine=machine["hostname"])
        self._boot(machine, seconds * BOOT_SHARE, stuck)
        if stuck:
            return
        count = len(self.maas.results.current(machine, "commissioning")["results"])
        pace = seconds * (1 - BOOT_SHARE) / (2 * count)
        self._step("commission", machine, seconds * BOOT_SHARE + pace, index=0, pace=pace)

    def _parameters(self, name: str) -> dict[str, Any]:
        """What a script is started with: the settings of the same names, where they have a value."""
        found = {}
        for parameter, spec in scripts.BY_NAME[name][1].get("parameters", {}).items():
            value = self.maas.config.get(parameter) if parameter in SETTINGS else None
            if value:
                found[parameter] = {**spec, "value": value}
        return found

    def _boots(self, machine: Row) -> bool:
        """Whether the network would boot it now; if not, nothing comes but the time-out."""
        if self.maas.network_boot():
            return True
        self.engine.log("no network boot", machine=machine["hostname"])
        return False

    def _words(self, fields: Fields, name: str) -> list[str]:
        return [word for text in fields.list(name) for word in text.split(",") if word]

    def _scripts(self, fields: Fields, name: str, kind: str, default: list[str] | None) -> list[str]:
        words = self._words(fields, name)
        if words == ["none"]:
            return []
        try:
            return chosen(kind, words or default or [])
        except KeyError as error:
            raise invalid({name: f"Select a valid choice. {error.args[0]} is not one of the available choices."}) from None

    def _skip_bmc(self, machine: Row) -> None:
        for result in self.maas.results.current(machine, "commissioning")["results"]:
            if result["name"] == BMC_CONFIG and machine["power_type"] != "manual":
                self.maas.results.move(machine, result, SKIPPED)

    def _pend_tests(self, machine: Row, names: list[str]) -> None:
        """Results for tests to come: for each disk that is known, or for disks still to be found."""
        if not names:
            # What earlier tests found stands.
            return
        machine.update(testing_status=PENDING, storage_test_status=UNKNOWN)
        entries: list[tuple[str, dict[str, Any]]] = []
        for name in names:
            if scripts.BY_NAME[name][1]["hardware"] == "storage":
                machine["storage_test_status"] = PENDING
                entries += [(name, self._disk(disk)) for disk in machine["disks"] if disk["type"] == "physical"] or [(name, {})]
            else:
                entries.append((name, {}))
        self.maas.results.new(machine, "testing", entries)

    @staticmethod
    def _disk(disk: Row) -> dict[str, Any]:
        value = {"id": disk["id"], "name": disk["name"], "model": disk["model"], "serial": disk["serial"], "id_path": f"/dev/disk/by-id/{disk['wwn']}"}
        return {"storage": {"type": "storage", "value": value, "argument_format": "{path}"}}

    def _revert(self, machine: Row, user: str, status: int, owner: str | None) -> None:
        """A commissioning whose machine cannot be powered is taken back; what it already threw away stays thrown away."""
        self._begin(machine)
        text = (
            f"({user}) - Aborting COMMISSIONING and reverting to {states.NAMES[status].upper()}. "
            "Unable to power control the node. Please check power credentials."
        )
        self.maas.events.add(machine, "Failed to query node's BMC", text, "WARNING")
        machine["commissioning_status"] = UNKNOWN
        if machine["testing_status"] == PENDING:
            machine.update(testing_status=UNKNOWN, storage_test_status=UNKNOWN)
        self.set_status(machine, status)

    def _boot(self, machine: Row, seconds: float, stuck: dict | None) -> None:
        """The events of a boot from the network, or those up to the one that a stuck machine stops after."""
        seen = [text for _share, text in BOOT] if self.maas.rack.boots_seen else []
        if stuck:
            seen = seen[: seen.index(stuck["after"]) + 1] if stuck.get("after") else []
        for share, text in BOOT[: len(seen)]:
            self._step("boot", machine, seconds * share, text=text)

    def _boot_step(self, system_id: str, run: int, text: str) -> None:
        machine = self._run(system_id, run)
        if machine is not None:
            self.maas.events.add(machine, text)

    def _commission_step(self, system_id: str, run: int, index: int, pace: float) -> None:
        machine = self._run(system_id, run)
        if machine is None:
            return
        results = self.maas.results.current(machine, "commissioning")["results"]
        result = results[index // 2]
        if index == 0:
            machine["commissioning_status"] = RUNNING
        if result["status"] != SKIPPED:
            if index % 2 == 0:
                self.maas.results.move(machine, result, RUNNING)
            else:
                fault = self._script_fault("commissioning_failed", machine, result)
                self.maas.results.move(machine, result, FAILED if fault else PASSED, (fault or {}).get("output", ""))
                if result["name"] == BMC_CONFIG and not fault and machine["rack"] and machine["power_type"] == "ipmi":
                    self.maas.power.take_over(machine)
        if index + 1 < 2 * len(results):
            self._step("commission", machine, pace, index=index + 1, pace=pace)
            return
        self._commissioned(machine)

    def _script_fault(self, name: str, machine: Row, result: Row) -> dict | None:
        return self.engine.fault(name, machine=machine["hostname"], script=result["name"])

    def _commissioned(self, machine: Row) -> None:
        """All scripts ran: the machine's hardware is known, its network and disks get their first configuration."""
        hardware = self.maas.nodes.hardware_of(machine)
        self.maas.nodes.inspect(machine, hardware)
        if not machine["keep"]["networking"]:
            self.maas.interfaces.discover(machine, hardware)
        if not machine["keep"]["storage"]:
            self.maas.storage.apply(machine, self.maas.config.get("default_storage_layout"))
        if self.maas.results.failed(machine, "commissioning"):
            self._begin(machine)
            machine["commissioning_status"] = FAILED
            self.maas.events.add(machine, "Failed commissioning", level="ERROR")
            self.set_status(machine, states.FAILED_COMMISSIONING)
            self.maas.power.cut(machine)
            return
        machine["commissioning_status"] = PASSED
        if machine["testing_status"] == PENDING:
            tests = sorted({result["name"] for result in self.maas.results.current(machine, "testing")["results"]})
            row = self.maas.results.sets.pop(str(machine["results"]["testing"]))
            self._pend_tests(machine, tests)
            # The set keeps its number: only now the disks are known that its tests run on.
            renewed = self.maas.results.sets.pop(str(machine["results"]["testing"]))
            renewed["id"] = row["id"]
            self.maas.results.sets[str(row["id"])] = renewed
            machine["results"]["testing"] = row["id"]
            self.set_status(machine, states.TESTING)
            self._start_tests(machine, self.engine.duration("testing"))
            return
        self._ready(machine)

    def _ready(self, machine: Row) -> None:
        self._begin(machine)
        machine["owner"] = None
        self.maas.events.add(machine, "Ready")
        self.set_status(machine, states.READY)
        if not machine["enable_ssh"]:
            self.maas.power.cut(machine)

    # -- testing ------------------------------------------------------------------------------------------------------------
    def test(self, machine: Row, fields: Fields, user: str) -> None:
        states.check("test", machine)
        tests = self._scripts(fields, "testing_scripts", "testing", [scripts.DEFAULT_TAG])
        self.maas.power.driver(machine)
        self._by(machine, "starting node testing", user, fields.get("comment"))
        machine.update(previous_status=machine["status"], enable_ssh=fields.flag("enable_ssh"))
        machine["owner"] = machine["owner"] or user
        self._pend_tests(machine, tests)
        self._begin(machine)
        self.maas.events.add(machine, "Testing")
        self.set_status(machine, states.TESTING)
        self.maas.power.switch(machine, "on")
        self._expect(machine)
        self._start_tests(machine, self.engine.duration("testing"), self.engine.duration("test_boot"))

    def _start_tests(self, machine: Row, seconds: float, boot: float = 0) -> None:
        row = self.maas.results.current(machine, "testing")
        count = len(row["results"])
        self._step("test", machine, boot + seconds / (2 * count), index=0, pace=seconds / (2 * count))

    def _test_step(self, system_id: str, run: int, index: int, pace: float) -> None:
        machine = self._run(system_id, run)
        if machine is None:
            return
        results = self.maas.results.current(machine, "testing")["results"]
        result = results[index // 2]
        storage = "storage" in result["parameters"]
        if index % 2 == 0:
            machine["testing_status"] = RUNNING
            if storage:
                machine["storage_test_status"] = RUNNING
            # The machine's word for it comes before the region's.
            self.maas.events.add(machine, "Running test", self.maas.results.label(result))
            result["status"], result["started"] = RUNNING, self.engine.now()
        else:
            fault = self._script_fault("testing_failed", machine, result)
            self.maas.results.move(machine, result, FAILED if fault else PASSED, (fault or {}).get("output", ""))
        if index + 1 < 2 * len(results):
            self._step("test", machine, pace, index=index + 1, pace=pace)
            return
        self._tested(machine)

    def _tested(self, machine: Row) -> None:
        failed = self.maas.results.failed(machine, "testing")
        outcome = FAILED if failed else PASSED
        machine["testing_status"] = outcome
        if machine["storage_test_status"] != UNKNOWN:
            machine["storage_test_status"] = outcome
        if failed:
            self._begin(machine)
            self.maas.events.add(machine, "Failed testing", level="ERROR")
            self.set_status(machine, states.FAILED_TESTING)
            self.maas.power.cut(machine)
        elif machine["previous_status"] == states.DEPLOYED:
            self._begin(machine)
            self.set_status(machine, states.DEPLOYED)
        else:
            self._ready(machine)

    def override(self, machine: Row, fields: Fields, user: str) -> None:
        states.check("override_failed_testing", machine)
        self._by(machine, "overrode 'Failed testing' status", user, fields.get("comment"))
        back = states.DEPLOYED if machine["osystem"] else states.READY
        if back == states.READY:
            machine["owner"] = None
        self.set_status(machine, back)

    # -- abort --------------------------------------------------------------------------------------------------------------
    def abort(self, machine: Row, fields: Fields, user: str) -> None:
        states.check("abort", machine)
        status = machine["status"]
        words = {states.COMMISSIONING: "commissioning", states.DEPLOYING: "deployment", states.DISK_ERASING: "disk erasing", states.TESTING: "testing"}[status]
        self._by(machine, f"aborting {words}", user, fields.get("comment"))
        self._begin(machine)
        self.maas.events.add(machine, f"Aborted {words}")
        if status == states.DEPLOYING:
            machine["netboot"] = True
            self.set_status(machine, states.ALLOCATED, f"(to {machine['owner']})")
        elif status == states.DISK_ERASING:
            self.set_status(machine, states.FAILED_DISK_ERASING)
        else:
            for kind in ("commissioning", "testing"):
                self.maas.results.abort(machine, kind)
            if status == states.COMMISSIONING:
                machine["commissioning_status"] = UNKNOWN
            machine.update(testing_status=UNKNOWN, storage_test_status=UNKNOWN)
            back = machine["previous_status"]
            if back not in (states.DEPLOYED, states.ALLOCATED):
                machine["owner"] = None
            self.set_status(machine, back)
        self._power(machine, "off")

    def _power(self, machine: Row, state: str) -> None:
        """Switch as well as it goes: a driver in trouble does not keep the region from changing its mind."""
        try:
            self.maas.power.driver(machine)
        except ApiError:
            return
        self.maas.power.switch(machine, state)

    # -- allocation and deployment ---------------------------------------------------------------------------------------------
    def acquire(self, machine: Row, user: str, agent_name: str = "", comment: str | None = None) -> None:
        self._by(machine, "acquiring node", user, comment)
        machine.update(owner=user, agent_name=agent_name, acquired=True)
        self.set_status(machine, states.ALLOCATED, f"(to {user})")

    def deploy(self, machine: Row, fields: Fields, user: str) -> None:
        states.check("deploy", machine)
        if machine["status"] == states.ALLOCATED and machine["owner"] != user and not self.maas.users.get(user)["is_superuser"]:
            raise forbidden()
        osystem, series = self._series(fields)
        kernel = self._kernel(machine, fields, osystem, series)
        self._check_configuration(machine)
        if fields.get("user_data"):
            with contextlib.suppress(binascii.Error):
                base64.b64decode(fields.text("user_data"))
        self.maas.power.driver(machine)
        if machine["status"] == states.READY:
            self.acquire(machine, user, fields.text("agent_name"))
        machine.update(
            osystem=osystem,
            distro_series=series,
            hwe_kernel=kernel,
            user_data=fields.text("user_data"),
            netboot=True,
            ephemeral_deploy=fields.flag("ephemeral_deploy"),
            enable_hw_sync=fields.flag("enable_hw_sync"),
        )
        self._by(machine, "starting deployment", user, fields.get("comment"))
        self.maas.results.new(machine, "installation", [("/tmp/install.log", {})])
        self._begin(machine)
        self.set_status(machine, states.DEPLOYING)
        self.maas.events.add(machine, "Deploying")
        self.maas.power.switch(machine, "on")
        self._expect(machine)
        machine["deploy_seconds"] = self.engine.duration("vm_deploy" if machine["vm_host"] else "machine_deploy")
        self._start(machine)

    def _series(self, fields: Fields) -> tuple[str, str]:
        releases = self.maas.images.releases()
        text = fields.text("distro_series") or self.maas.config.get("default_distro_series")
        osystem, _slash, series = text.rpartition("/")
        if series not in releases or osystem not in ("", "ubuntu"):
            raise invalid({"distro_series": choices(text, "distro_series", ["", *[f"ubuntu/{name}" for name in releases]])})
        return "ubuntu", series

    def _kernel(self, machine: Row, fields: Fields, osystem: str, series: str) -> str:
        arch = machine["architecture"].split("/")[0]
        kernels = self.maas.images.kernels_of(series, arch)
        wanted = fields.text("hwe_kernel") or machine["min_hwe_kernel"] or self.maas.config.get("default_min_hwe_kernel")
        if not wanted:
            return next((kernel for kernel in kernels if kernel.startswith("ga-")), "")
        if wanted not in kernels:
            raise invalid({"hwe_kernel": f"{wanted} is not available for {osystem}/{series} on {machine['architecture']}."})
        return wanted

    def _check_configuration(self, machine: Row) -> None:
        """What the region wants of a machine before it installs one."""
        if not self.maas.storage.has_root(machine):
            raise invalid({"storage": NO_ROOT})
        if not self.maas.interfaces.addressed(machine):
            raise invalid({"network": NO_ADDRESS}, "application/json")

    def _deploy_step(self, system_id: str, run: int, index: int) -> None:
        machine = self._run(system_id, run)
        if machine is None:
            return
        if index < 0:
            self.maas.interfaces.assign(machine)
        else:
            self._install(machine, index)
            if machine["run"] != run:
                return
        if index + 1 < len(INSTALL):
            if self.engine.fault("deploy_stuck", machine=machine["hostname"]):
                return
            last = INSTALL[index][0] if index >= 0 else 0
            self._step("deploy", machine, machine["deploy_seconds"] * (INSTALL[index + 1][0] - last), index=index + 1)

    def _install(self, machine: Row, index: int) -> None:
        _share, action, info, debug = INSTALL[index]
        result = self.maas.results.current(machine, "installation")["results"][0]
        if info == "Deployed":
            ready = self.maas.host_ready(machine)
            if ready is None:
                self._step("deploy", machine, HOST_POLL, index=index)
                return
            if not ready:
                self.fail(machine, f"{INSTALL_FAILED} {machine['host']['message']}")
                return
            self.maas.events.add(machine, "Image Deployed", f"deployed {machine['osystem']}/{machine['distro_series']}/{machine['architecture']}")
            self._begin(machine)
            self.set_status(machine, states.DEPLOYED)
            self.maas.events.add(machine, "Deployed")
            self.engine.log("deployed", machine=machine["hostname"], ip=machine["ip"])
            self.maas.tell("deployed", machine)
            return
        if info:
            self.maas.events.add(machine, info, action=action)
        for number, text in enumerate(debug):
            self.maas.events.add(machine, "Node installation", text, "DEBUG")
            if index == number == 0:
                self.maas.results.move(machine, result, RUNNING)
        if info == "Installing OS":
            fault = self.engine.fault("deploy_failed", machine=machine["hostname"])
            if fault:
                self.maas.results.move(machine, result, FAILED, fault.get("output", ""))
                self.fail(machine, INSTALL_FAILED)
                return
        if info is None and not debug:
            machine["netboot"] = False
            self.maas.host_ready(machine)
            self.maas.results.move(machine, result, PASSED)
            self.maas.events.add(machine, "Installation complete", "Node disabled netboot", "DEBUG")

    def adopt_deployed(self, machine: Row, user: str) -> None:
        """A machine that runs already is declared as deployed."""
        machine.update(owner=user, acquired=True, commissioning_status=PENDING)
        self.maas.results.new(machine, "commissioning", [])
        self.set_status(machine, states.DEPLOYED)

    # -- release ------------------------------------------------------------------------------------------------------------
    def release(self, machine: Row, fields: Fields, user: str) -> None:
        if machine["locked"]:
            raise forbidden()
        states.check("release", machine)
        if machine["owner"] not in (None, user) and not self.maas.users.get(user)["is_superuser"]:
            raise forbidden()
        if machine["status"] in (states.READY, states.RELEASING):
            return
        if machine["status"] == states.BROKEN:
            self.set_status(machine, states.READY)
            return
        self._by(machine, "releasing node", user, fields.get("comment"))
        erase = fields.flag("erase", self.maas.config.get("enable_disk_erasing_on_release"))
        installed = machine["status"] in (states.DEPLOYED, states.FAILED_DEPLOYMENT, states.DEPLOYING)
        if installed:
            self.maas.tell("released", machine)
        self._begin(machine)
        if erase:
            self.set_status(machine, states.DISK_ERASING)
            self._power(machine, "on")
            self._step("erase", machine, self.engine.duration("quick_erase" if fields.flag("quick_erase") else "disk_erase"))
            return
        self._let_go(machine)

    def _erase_step(self, system_id: str, run: int) -> None:
        machine = self._run(system_id, run)
        if machine is None:
            return
        if self.engine.fault("erase_failed", machine=machine["hostname"]):
            self.fail(machine, "Failed to erase disks.")
            return
        self._let_go(machine)

    def _let_go(self, machine: Row) -> None:
        """Power off, then the machine is ready for the next."""
        machine.update(osystem="", distro_series="", hwe_kernel=None, agent_name="", netboot=True, user_data="", owner_data={}, ephemeral_deploy=False)
        machine["results"]["installation"] = None
        machine["acquired"] = False
        seconds = self.engine.duration("releasing")
        self.maas.events.add(machine, "Releasing")
        if machine["power_type"] == "manual":
            machine["power_state"] = "unknown"
        if machine["power_state"] != "on" or not seconds:
            # Nothing runs that would have to be switched off first.
            self._released(machine)
            return
        self.set_status(machine, states.RELEASING)
        self._power(machine, "off")
        self._step("release", machine, seconds)

    def _release_step(self, system_id: str, run: int) -> None:
        machine = self._run(system_id, run)
        if machine is None:
            return
        if self.engine.fault("release_failed", machine=machine["hostname"]):
            self.fail(machine, "Could not contact node's BMC")
            return
        self._released(machine)

    def _released(self, machine: Row) -> None:
        self._begin(machine)
        self.maas.interfaces.unassign(machine)
        machine["owner"] = None
        self.maas.events.add(machine, "Released")
        self.set_status(machine, states.READY)
        if machine.get("dynamic"):
            self.maas.vm_hosts.decompose(machine)

    # -- broken and locked -----------------------------------------------------------------------------------------------------
    def mark_broken(self, machine: Row, fields: Fields, user: str) -> None:
        if machine["locked"] or machine["owner"] != user:
            raise forbidden()
        self._by(machine, "marking node broken", user, fields.get("comment"))
        self._begin(machine)
        if machine["status"] in (states.DEPLOYED, states.DEPLOYING):
            self.maas.tell("released", machine)
        machine.update(
            owner=None,
            acquired=False,
            error_description=fields.text("comment") or fields.text("error_description"),
            osystem="",
            distro_series="",
            hwe_kernel=None,
        )
        self.maas.interfaces.unassign(machine)
        self.set_status(machine, states.BROKEN)
        self._power(machine, "off")

    def mark_fixed(self, machine: Row, fields: Fields, user: str) -> None:
        states.check("mark_fixed", machine)
        self._by(machine, "marking node fixed", user, fields.get("comment"))
        machine["error_description"] = ""
        self.set_status(machine, states.READY)

    def lock(self, machine: Row, fields: Fields, user: str) -> None:
        if machine["locked"]:
            raise conflict("Machine is already locked")
        states.check("lock", machine)
        self._by(machine, "locking node", user, fields.get("comment"))
        machine["locked"] = True
        self.engine.touch()

    def unlock(self, machine: Row, fields: Fields, user: str) -> None:
        if not machine["locked"]:
            raise conflict("Machine is not locked")
        self._by(machine, "unlocking node", user, fields.get("comment"))
        machine["locked"] = False
        self.engine.touch()

    # -- rescue mode ------------------------------------------------------------------------------------------------------------
    def rescue(self, machine: Row, user: str) -> None:
        states.check("rescue_mode", machine)
        self.maas.power.driver(machine)
        self._by(machine, "starting rescue mode", user, None)
        if machine["status"] not in states.RESCUES:
            machine["previous_status"] = machine["status"]
        machine["owner"] = machine["owner"] or user
        self._begin(machine)
        self.maas.events.add(machine, "Entering rescue mode")
        self.set_status(machine, states.ENTERING_RESCUE_MODE)
        self.maas.power.switch(machine, "on", by_hand=True)
        self._expect(machine)
        self._step("rescue", machine, self.engine.duration("rescue"))

    def _rescue_step(self, system_id: str, run: int) -> None:
        machine = self._run(system_id, run)
        if machine is None:
            return
        if self.engine.fault("rescue_failed", machine=machine["hostname"]):
            self.fail(machine, "Failed to enter rescue mode.")
            return
        self._begin(machine)
        self.maas.events.add(machine, "Rescue mode")
        self.set_status(machine, states.RESCUE_MODE)

    def exit_rescue(self, machine: Row, user: str) -> None:
        states.check("exit_rescue_mode", machine)
        self._by(machine, "stopping rescue mode", user, None)
        self._begin(machine)
        if machine["power_type"] in ("", "manual"):
            self._left_rescue(machine)
            return
        self.maas.events.add(machine, "Exiting rescue mode")
        self.set_status(machine, states.EXITING_RESCUE_MODE)
        self._power(machine, "on" if machine["previous_status"] == states.DEPLOYED else "off")
        self._step("exit_rescue", machine, self.engine.duration("exit_rescue"))

    def _exit_rescue_step(self, system_id: str, run: int) -> None:
        machine = self._run(system_id, run)
        if machine is not None:
            self._left_rescue(machine)

    def _left_rescue(self, machine: Row) -> None:
        back = machine["previous_status"]
        self._begin(machine)
        if back not in (states.DEPLOYED, states.ALLOCATED, states.FAILED_DEPLOYMENT):
            machine["owner"] = None
        self.set_status(machine, back)

    # -- power by hand ------------------------------------------------------------------------------------------------------------
    def power_on(self, machine: Row, fields: Fields, user: str) -> None:
        if machine["status"] == states.ALLOCATED:
            self.deploy(machine, fields, user)
            return
        if machine["owner"] is None or machine["status"] not in states.POWERABLE:
            if machine["owner"] is not None and machine["status"] == states.READY:
                # What a reverted commissioning leaves: an owner, and no network to boot with.
                raise invalid({"network": NO_ADDRESS}, "application/json")
            raise conflict("Can't start node: it hasn't been allocated.")
        self.maas.power.driver(machine)
        self.maas.power.switch(machine, "on")

    def power_off(self, machine: Row) -> Row | None:
        """None when nothing can be switched: the API says null then."""
        if machine["power_type"] in ("", "manual"):
            return None
        self.maas.power.driver(machine)
        self.maas.power.switch(machine, "off")
        return machine
