"""The model of the region, without HTTP: what happens over time, what faults do, what a restart leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lab.effects import Effects
from lab.engine import Clock, Engine
from lab.errors import ApiError
from lab.paths import CHECKOUT
from lab.world import World
from lab.world.maas import states
from lab.world.maas.base import Fields
from lab.world.rack import load

ADMIN = "admin"


class Told(Effects):
    """Effects that remember what they were told; hosts boot when the test says so."""

    hosts = True

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.done: dict[str, Any] = {}

    def address_add(self, ip: str) -> None:
        self.calls.append(("address_add", ip))

    def address_del(self, ip: str) -> None:
        self.calls.append(("address_del", ip))

    def host_boot(self, hostname: str, ip: str, prefix: int, gateway: str | None, ssh_keys: list[str], done: Any = None) -> None:
        self.calls.append(("host_boot", hostname, ip, prefix, gateway, len(ssh_keys)))
        self.done[hostname] = done

    def host_stop(self, hostname: str) -> None:
        self.calls.append(("host_stop", hostname))

    def bmc_changed(self, hostname: str, state: str) -> None:
        self.calls.append(("bmc", hostname, state))


class Site:
    """A world whose time the test moves."""

    def __init__(self, effects: Effects | None = None, state: dict | None = None, personality: str = "3.5", ready: bool = True):
        self.engine = Engine(Clock(start=1_800_000_000, speed=0), effects=effects or Effects())
        if state is not None:
            self.engine.state = state
            self.engine.clock = Clock(start=state["now"], speed=0)
        rack = load("thesis")
        rack["controller"]["auto_import"] = False
        self.world = World(self.engine, rack, personality=personality)
        self.maas = self.world.maas
        if state is None and ready:
            self.maas.init("http://10.42.0.1:5240/MAAS")
            self.maas.settle()
            self.maas.create_admin(ADMIN, "pw", "a@b.c")
            self.maas.images.finish_import()
            self.dhcp()

    def dhcp(self) -> None:
        row = self.maas.subnets.get("10.42.0.0/16")
        row["gateway_ip"] = "10.42.0.1"
        self.maas.ranges.create(Fields(type="reserved", subnet=row["id"], start_ip="10.42.0.1", end_ip="10.42.0.99"), ADMIN)
        self.maas.ranges.create(Fields(type="dynamic", subnet=row["id"], start_ip="10.42.191.255", end_ip="10.42.255.254"), ADMIN)
        vlan = self.maas.vlans.table.get(row["vlan"])
        self.maas.vlans.update(vlan, Fields(dhcp_on="true", primary_rack=self.maas.controllers.rack_id()))

    def advance(self, seconds: float, step: float = 5) -> None:
        while seconds > 0:
            self.engine.clock.advance(min(step, seconds))
            self.engine.run_due()
            seconds -= step

    def declare(self, name: str, password: str | None = None, **more: Any) -> dict[str, Any]:
        spec = self.world.rack.machines[name]
        return self.maas.machines.create(
            Fields(
                {
                    "hostname": name,
                    "architecture": "amd64",
                    "mac_addresses": [nic["mac"] for nic in spec["nics"]],
                    "power_type": "ipmi",
                    "power_parameters": json.dumps(
                        {"power_address": spec["bmc"]["address"], "power_user": spec["bmc"]["user"], "power_pass": password or spec["bmc"]["password"]}
                    ),
                    "commission": "false",
                    **more,
                }
            ),
            ADMIN,
        )

    def ready(self, hostname: str) -> dict[str, Any]:
        machine = self.declare(hostname)
        self.maas.lifecycle.commission(machine, Fields(testing_scripts="none"), ADMIN)
        self.advance(600)
        assert machine["status"] == states.READY
        return machine

    def vm_host(self) -> dict[str, Any]:
        host = self.maas.vm_hosts.create(Fields(type="lxd", power_address="10.42.0.1", name="lxd-controller", project="tst"), ADMIN)
        self.advance(40)
        return host

    def fault(self, name: str, **where: Any) -> None:
        self.engine.state["faults"].append({"name": name, **where})

    def reasons(self, machine: dict[str, Any]) -> list[str]:
        return [f"{event['type']} {event['description']}".strip() for event in self.maas.events.of(machine["system_id"], 50)]


@pytest.fixture
def site() -> Site:
    return Site()


# -- the region -----------------------------------------------------------------------------------------------------------------------
def test_a_region_starts_in_steps() -> None:
    site = Site(ready=False)
    maas = site.maas
    assert not maas.initialised()
    maas.init("http://10.42.0.1:5240/MAAS")
    assert maas.initialised() and not maas.http_ready()
    site.advance(15)
    assert maas.http_ready() and not maas.rack_connected() and not maas.controllers.racks() and len(maas.subnets.table) == 0
    site.advance(25)
    assert maas.rack_connected()
    assert sorted(row["cidr"] for row in maas.subnets.table) == ["10.42.0.0/16", "198.51.100.0/24"]
    assert [row["release"] for row in maas.images.selections] == ["jammy"]


def test_a_removed_region_is_gone(site: Site) -> None:
    site.ready("compute0")
    site.maas.reset()
    assert not site.maas.initialised() and site.maas.machines() == []
    site.maas.init("http://10.42.0.1:5240/MAAS")
    site.maas.settle()
    assert [row["id"] for row in site.maas.subnets.table] == [1, 2]


def test_images_arrive_on_the_region_and_then_on_the_rack(site: Site) -> None:
    images = site.maas.images
    images.create_selection("1", Fields(os="ubuntu", release="noble", arches="amd64", subarches="*", labels="*"))
    images.start_import()
    noble = images.resources.one(name="ubuntu/noble")
    assert images.is_importing() and noble["progress"] == 0
    site.advance(120)
    assert 0.3 < noble["progress"] < 0.9 and images.releases() == ["jammy"]
    assert images.rack_images()["status"] == "region-importing"
    site.advance(120, step=1)
    assert noble["progress"] == 1 and not noble["rack"] and images.is_importing()
    site.advance(20)
    assert noble["rack"] and not images.is_importing() and images.releases() == ["jammy", "noble"]
    assert images.rack_images()["status"] == "synced"


NOBLE = {"os": "ubuntu", "release": "noble", "arches": "amd64", "subarches": "*", "labels": "*"}


def test_nothing_is_selected_from_a_source_that_was_not_read() -> None:
    site = Site(ready=False)
    site.maas.init("http://10.42.0.1:5240/MAAS")
    site.fault("image_source")
    site.advance(35)
    images = site.maas.images
    assert len(images.sources) == 1
    for seconds in (0, 60):
        # The only try is lost.
        site.advance(seconds)
        with pytest.raises(ApiError, match="has no available images for download"):
            images.create_selection("1", Fields(NOBLE))
    site.maas.config.set(Fields(name="http_proxy", value="http://10.42.0.9:3128"))
    site.advance(15)
    with pytest.raises(ApiError, match="has no available images for download"):
        images.update_selection(images.selections.get(1), Fields(release="noble"))
    site.advance(10)
    assert images.create_selection("1", Fields(NOBLE))["release"] == "noble"


def test_an_import_from_a_source_that_nobody_reaches_brings_nothing() -> None:
    site = Site(ready=False)
    site.maas.init("http://10.42.0.1:5240/MAAS")
    site.fault("image_source", times=2)
    site.advance(60)
    site.maas.images.start_import()
    site.advance(300)
    assert not site.maas.images.is_importing() and len(site.maas.images.resources) == 0
    site.maas.images.start_import()
    site.advance(300)
    assert site.maas.images.releases() == ["jammy"]


def test_a_stalled_import_ends_when_it_is_stopped_and_begun_again(site: Site) -> None:
    images = site.maas.images
    images.create_selection("1", Fields(os="ubuntu", release="noble", arches="amd64", subarches="*", labels="*"))
    site.fault("image_stalled")
    images.start_import()
    site.advance(2000)
    assert images.is_importing() and images.resources.one(name="ubuntu/noble")["progress"] < 0.5
    images.stop_import()
    images.start_import()
    site.advance(300)
    assert not images.is_importing() and images.releases() == ["jammy", "noble"]


def test_an_import_with_nothing_to_fetch_is_short(site: Site) -> None:
    site.maas.images.start_import()
    site.advance(20)
    assert not site.maas.images.is_importing()


# -- machines that come by themselves ---------------------------------------------------------------------------------------------------
def test_power_makes_an_unknown_machine_enlist(site: Site) -> None:
    site.maas.bmc_power("compute3", "on")
    site.advance(214 + 25)
    assert site.maas.machines() == []
    site.advance(10)
    (machine,) = site.maas.machines()
    assert machine["status"] == states.NEW and machine["bmc"] == "compute3" and machine["power_type"] == "ipmi"
    assert machine["power_parameters"]["power_address"] == "10.42.0.23" and machine["power_parameters"]["power_user"] == "maas"
    assert site.maas.bmc_state("compute3") == "off"
    # The login that enlisting made is one that the BMC takes.
    site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    site.advance(600)
    assert machine["status"] == states.READY


def test_a_machine_without_a_bmc_enlists_without_a_power_type(site: Site) -> None:
    del site.world.rack.machines["compute3"]["bmc"]
    site.maas.bmc_power("compute3", "on")
    site.advance(300)
    (machine,) = site.maas.machines()
    assert (machine["power_type"], machine["power_state"]) == ("", "unknown")
    with pytest.raises(ApiError, match="Unconfigured power type"):
        site.maas.lifecycle.commission(machine, Fields(), ADMIN)


def test_without_dhcp_nothing_enlists_until_there_is(site: Site) -> None:
    vlan = site.maas.vlans.table.get(site.maas.subnets.get("10.42.0.0/16")["vlan"])
    site.maas.vlans.update(vlan, Fields(dhcp_on="false"))
    site.maas.bmc_power("compute3", "on")
    site.advance(1000)
    assert site.maas.machines() == []
    site.maas.vlans.update(vlan, Fields(dhcp_on="true"))
    site.advance(100)
    assert len(site.maas.machines()) == 1


def test_a_declared_machine_is_not_enlisted_again(site: Site) -> None:
    site.declare("compute3")
    site.maas.bmc_power("compute3", "on")
    site.advance(1000)
    assert [machine["hostname"] for machine in site.maas.machines()] == ["compute3"]
    with pytest.raises(ApiError, match="already in use on compute3"):
        site.declare("compute3", hostname="other")


# -- commissioning ------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("given", "user"), [({}, "maas"), ({"skip_bmc_config": "1"}, "root")])
def test_commissioning_takes_the_bmc_over_unless_told_not_to(site: Site, given: dict[str, str], user: str) -> None:
    machine = site.declare("compute0")
    site.maas.lifecycle.commission(machine, Fields(given), ADMIN)
    site.advance(600)
    assert machine["status"] == states.READY and machine["power_parameters"]["power_user"] == user
    assert site.maas.power.problem(machine) is None


def test_commissioning_takes_the_profile_s_time(site: Site) -> None:
    machine = site.declare("compute0")
    site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    site.advance(3)
    assert machine["power_state"] == "on" and site.maas.bmc_state("compute0") == "on"
    site.advance(480)
    assert machine["status"] == states.COMMISSIONING and machine["memory"] == 0
    site.advance(20)
    assert machine["status"] == states.TESTING and machine["memory"] == 65536
    site.advance(85)
    assert machine["status"] == states.TESTING
    site.advance(10)
    assert machine["status"] == states.READY and machine["owner"] is None and site.maas.bmc_state("compute0") == "off"
    assert machine["power_state"] == "on"
    site.advance(310)
    assert machine["power_state"] == "off"


@pytest.mark.parametrize(
    "fault,status,failed",
    [
        ({"name": "commissioning_failed", "script": "maas-lshw"}, states.FAILED_COMMISSIONING, "maas-lshw"),
        ({"name": "testing_failed"}, states.FAILED_TESTING, "smartctl-validate on sda"),
    ],
)
def test_scripts_fail(site: Site, fault: dict[str, Any], status: int, failed: str) -> None:
    machine = site.declare("compute0")
    site.fault(**fault, machine="compute0", output="it broke")
    site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    site.advance(700)
    assert machine["status"] == status
    kind = "commissioning" if status == states.FAILED_COMMISSIONING else "testing"
    assert site.maas.results.failed(machine, kind) == [failed]
    if kind == "commissioning":
        site.maas.lifecycle.commission(machine, Fields(testing_scripts="none"), ADMIN)
        site.advance(700)
    else:
        site.maas.lifecycle.override(machine, Fields(), ADMIN)
    assert machine["status"] == states.READY


def test_a_machine_that_never_reports_fails_after_the_region_s_time_out(site: Site) -> None:
    machine = site.declare("compute0")
    site.fault("commissioning_stuck", machine="compute0")
    site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    site.advance(29 * 60)
    assert machine["status"] == states.COMMISSIONING
    site.advance(2 * 60)
    assert machine["status"] == states.FAILED_COMMISSIONING and "timed out after 30 minutes" in machine["status_message"]


def test_a_wrong_bmc_login_is_an_error_and_changes_nothing_but_the_event(site: Site) -> None:
    machine = site.declare("compute0", password="wrong")
    with pytest.raises(ApiError) as error:
        site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    assert error.value.status == 500 and "Incorrect password" in str(error.value)
    assert machine["status"] == states.NEW and site.maas.bmc_state("compute0") == "off"
    assert any("Unable to power control the node" in reason for reason in site.reasons(machine))


def test_the_labs_inventory_has_its_racks_password_and_it_can_be_searched_for() -> None:
    secrets = yaml.safe_load((CHECKOUT / "inventories/lab/group_vars/all/90-secrets.yml").read_text())
    assert {machine["bmc"]["password"] for machine in load("thesis")["machines"]} == {secrets["secret_bmc_password"]}
    assert 8 <= len(secrets["secret_bmc_password"]) <= 16, "IPMI 1.5 keeps 16 characters"


def test_an_aborted_run_s_steps_are_forgotten(site: Site) -> None:
    machine = site.declare("compute0")
    site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    site.advance(300)
    site.maas.lifecycle.abort(machine, Fields(), ADMIN)
    assert machine["status"] == states.NEW
    site.advance(3600)
    assert machine["status"] == states.NEW and site.maas.bmc_state("compute0") == "off"


# -- deployment ---------------------------------------------------------------------------------------------------------------------------
def test_deploy_and_release(site: Site) -> None:
    told: list[str] = []
    site.maas.on_deployed(lambda machine: told.append(f"deployed {machine['hostname']} {machine['ip']}"))
    site.maas.on_released(lambda machine: told.append(f"released {machine['hostname']} {machine['ip']}"))
    machine = site.ready("compute0")
    assert site.maas.allocate(ADMIN, constraints={"tags": "", "mem": "1024"})["hostname"] == "compute0"
    site.maas.deploy(machine["system_id"], ADMIN, "jammy")
    site.advance(590)
    assert machine["status"] == states.DEPLOYING and machine["ip"] == "10.42.0.100"
    site.advance(20)
    assert machine["status"] == states.DEPLOYED and told == ["deployed compute0 10.42.0.100"]
    site.maas.release(machine["system_id"])
    assert machine["status"] == states.RELEASING
    site.advance(25)
    assert machine["status"] == states.READY and machine["ip"] is None and site.maas.bmc_state("compute0") == "off"
    assert told[1:] == ["released compute0 10.42.0.100"]


def test_a_machine_that_is_only_held_is_erased_as_well(site: Site) -> None:
    machine = site.ready("compute0")
    site.maas.allocate(ADMIN, system_id=machine["system_id"])
    site.maas.lifecycle.release(machine, Fields(erase="true", quick_erase="true"), ADMIN)
    site.advance(5)
    assert machine["status"] == states.DISK_ERASING
    assert site.maas.bmc_state("compute0") == "on"
    site.advance(150)
    assert machine["status"] == states.READY
    assert site.maas.bmc_state("compute0") == "off"


def test_a_commissioning_is_seen_to_boot_from_the_network(site: Site) -> None:
    machine = site.ready("compute0")
    seen = [row["type"] for row in site.maas.events.rows if row["node"] == machine["system_id"]]
    boot = [kind for kind in seen if kind in ("Commissioning", "Performing PXE boot", "Loading ephemeral", "Gathering information")]
    assert boot == ["Commissioning", "Performing PXE boot", "Loading ephemeral", "Gathering information"]


def test_a_bridge_without_link_keeps_a_machine_from_deploying(site: Site) -> None:
    machine = site.ready("compute0")
    nic = machine["interfaces"][0]
    bridge = site.maas.interfaces.create(machine, "bridge", Fields(name="br-ex", parent=str(nic["id"]), bridge_type="ovs"))
    with pytest.raises(ApiError, match="no address family in common"):
        site.maas.deploy(machine["system_id"], ADMIN)
    site.maas.interfaces.link(machine, bridge, Fields(mode="AUTO", subnet="10.42.0.0/16"))
    site.maas.deploy(machine["system_id"], ADMIN)
    site.advance(610)
    assert machine["status"] == states.DEPLOYED and machine["ip"] == "10.42.0.100"


@pytest.mark.parametrize(
    "fault,seconds,status",
    [
        ("deploy_failed", 400, states.FAILED_DEPLOYMENT),
        ("deploy_stuck", 1000, states.DEPLOYING),
        ("deploy_stuck", 1900, states.FAILED_DEPLOYMENT),
    ],
)
def test_deployments_that_fail(site: Site, fault: str, seconds: float, status: int) -> None:
    machine = site.ready("compute0")
    site.fault(fault, machine="compute0")
    site.maas.deploy(machine["system_id"], ADMIN)
    site.advance(seconds)
    assert machine["status"] == status


def test_a_real_host_boots_before_its_machine_is_deployed() -> None:
    effects = Told()
    site = Site(effects)
    machine = site.ready("compute0")
    effects.calls.clear()
    site.maas.deploy(machine["system_id"], ADMIN)
    site.advance(800)
    assert ("host_boot", "compute0", "10.42.0.100", 16, "10.42.0.1", 0) in effects.calls and ("bmc", "compute0", "on") in effects.calls
    assert machine["status"] == states.DEPLOYING
    effects.done["compute0"](True, "")
    site.advance(15)
    assert machine["status"] == states.DEPLOYED
    site.maas.release(machine["system_id"])
    assert ("host_stop", "compute0") in effects.calls


def test_a_host_that_does_not_boot_fails_its_deployment() -> None:
    effects = Told()
    site = Site(effects)
    machine = site.ready("compute0")
    site.maas.deploy(machine["system_id"], ADMIN)
    site.advance(700)
    effects.done["compute0"](False, "no space left")
    site.advance(15)
    assert machine["status"] == states.FAILED_DEPLOYMENT and "no space left" in machine["error_description"]


# -- VM hosts -----------------------------------------------------------------------------------------------------------------------------
def test_a_composed_machine_becomes_ready_by_itself(site: Site) -> None:
    host = site.vm_host()
    machine = site.maas.compose(host["id"], "juju-machine", 2, 4096, [50])
    assert machine["status"] == states.NEW
    site.advance(70)
    assert machine["status"] == states.COMMISSIONING
    site.advance(240)
    assert machine["status"] == states.READY and machine["cpu_count"] == 2 and machine["disks"][0]["size"] == 50 * 10**9
    assert site.maas.vm_hosts.totals(host)["used"] == {"cores": 2, "memory": 4096, "local_storage": 50 * 10**9}
    site.maas.machines.delete(machine)
    assert site.maas.vm_hosts.totals(host)["used"]["cores"] == 0


def test_more_than_a_host_has_is_refused(site: Site) -> None:
    host = site.vm_host()
    with pytest.raises(ApiError, match="CPU overcommit ratio"):
        site.maas.compose(host["id"], "big", 64, 4096, [50])
    site.maas.vm_hosts.update(host, Fields(cpu_over_commit_ratio="4"))
    assert site.maas.compose(host["id"], "big", 64, 4096, [50])["hostname"] == "big"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"hostname": "os_0"}, "Host label cannot contain underscore: 'os_0'."),
        ({"hostname": "os-"}, "Label cannot start or end with hyphen: 'os-'."),
        ({"hostname": "os!0"}, "Label contains disallowed characters: 'os!0'."),
        ({"hostname": "o" * 64}, "Maximum allowed is 63 characters."),
        ({"hostname": "os..maas"}, "DNS name contains an empty label."),
        ({"pool": "default"}, "That choice is not one of the available choices."),
        ({"zone": "default"}, "That choice is not one of the available choices."),
        ({"domain": "maas"}, "That choice is not one of the available choices."),
    ],
)
def test_what_a_vm_host_composes_not(site: Site, fields: dict[str, str], text: str) -> None:
    with pytest.raises(ApiError) as error:
        site.maas.vm_hosts.compose(site.vm_host(), Fields(fields), ADMIN)
    assert error.value.status == 400 and text in str(error.value.body)


def test_a_machine_is_composed_where_its_ids_say(site: Site) -> None:
    pool = site.maas.pools.create(Fields(name="gold"))
    machine = site.maas.vm_hosts.compose(site.vm_host(), Fields(hostname="os-0", pool=pool["id"], domain="0"), ADMIN)
    assert (machine["pool"], machine["domain"], machine["zone"]) == (pool["id"], 0, 1)


def test_compose_fails_when_told_to(site: Site) -> None:
    host = site.vm_host()
    site.fault("compose_failed", hostname="os-0")
    with pytest.raises(ApiError) as error:
        site.maas.compose(host["id"], "os-0", 2, 4096, [50])
    assert error.value.status == 503 and site.maas.machine("os-0") is None
    assert site.maas.compose(host["id"], "os-0", 2, 4096, [50])["hostname"] == "os-0"


def test_an_allocation_that_nothing_fits_composes_a_machine_which_goes_with_its_release(site: Site) -> None:
    site.vm_host()
    machine = site.maas.allocate(ADMIN, constraints={"mem": "8192", "cpu_count": "4"})
    assert machine["status"] == states.ALLOCATED and machine["memory"] == 8192 and machine["cpu_count"] == 4
    site.maas.release(machine["system_id"])
    site.advance(30)
    assert site.maas.machines() == []


@pytest.mark.parametrize("answer", [None, {"auth": "untrusted"}, {"auth": "trusted", "server_version": "5.0.2", "storage_pools": []}])
def test_a_vm_host_that_cannot_be_read_is_saved_empty(answer: dict[str, Any] | None) -> None:
    class NoLxd(Effects):
        def lxd_probe(self, url: str, certificate: str, key: str, password: str | None = None) -> dict[str, Any] | None:
            return answer

    site = Site(NoLxd())
    host = site.vm_host()
    assert host["version"] == "" and site.maas.vm_hosts.totals(host)["total"]["cores"] == 0


# -- the rest -----------------------------------------------------------------------------------------------------------------------------
def test_a_restart_goes_on_where_it_stopped(site: Site) -> None:
    machine = site.declare("compute0")
    site.maas.lifecycle.commission(machine, Fields(), ADMIN)
    site.advance(400)
    state = json.loads(json.dumps(site.engine.state))
    state["now"] = site.engine.clock.now()
    again = Site(state=state)
    machine = again.maas.machine("compute0")
    assert machine["status"] == states.COMMISSIONING
    again.advance(250)
    assert machine["status"] == states.READY
    other = again.declare("compute1")
    assert other["system_id"] != machine["system_id"] and other["interfaces"][0]["id"] not in {nic["id"] for nic in machine["interfaces"]}


def test_a_rack_on_another_network_moves_its_addresses() -> None:
    engine = Engine(Clock(start=1_800_000_000, speed=0))
    world = World(engine, load("thesis"), "127.43.0.0/16")
    assert world.rack.machines["compute4"]["bmc"]["address"] == "127.43.0.24"
    world.maas.init("http://127.43.0.1:5240/MAAS")
    world.maas.settle()
    assert "127.43.0.0/16" in {row["cidr"] for row in world.maas.subnets.table}


def test_keys(site: Site) -> None:
    key = site.maas.api_key(ADMIN)
    assert key == site.maas.api_key(ADMIN) and site.maas.check_api_key(key) == ADMIN and site.maas.check_api_key("a:b:c") is None


def test_3_7_differs() -> None:
    site = Site(personality="3.7")
    assert site.maas.version == "3.7.3" and min(row["id"] for row in site.maas.vlans.table) == 5001
    assert [row["release"] for row in site.maas.images.selections] == ["noble"]
    with pytest.raises(ApiError, match="overlap"):
        site.maas.subnets.create(Fields(cidr="10.42.8.0/24"))
    with pytest.raises(ApiError) as error:
        site.maas.ranges.create(Fields(type="reserved"), ADMIN)
    assert error.value.status == 500
