"""Applications, units, relations and machines one by one, the inventory plugin, and machines that fail, on the lab's controller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.juju_lab import JujuLabThread
from tests.support.run_module import ROOT, run_module


class Site:
    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder
        self.connection = {"endpoint": [lab.endpoint], "username": lab.username, "password": lab.password, "ca_cert": lab.ca_cert, "model": "openstack"}
        lab.call(lab.model, "openstack")

    def module(self, name, /, check=False, **options):
        return run_module(name, {**self.connection, **options}, self.folder, check=check)

    def good(self, name, /, **options):
        answer = self.module(name, **options)
        assert not answer.failed, answer.get("msg")
        return answer

    def three(self, name, /, **options):
        before = self.world()
        checked = self.good(name, check=True, **options)
        assert self.world() == before, "check mode changed the world"
        ran = self.good(name, **options)
        again = self.good(name, **options)
        assert (checked["changed"], ran["changed"], again["changed"]) == (True, True, False)
        return ran

    def world(self):
        """What the lab's model holds, by its own word."""

        def told():
            (model,) = (row for row in self.lab.world.juju.state["models"].values() if row["name"] == "openstack")
            return json.dumps({part: model[part] for part in ("machines", "applications", "units", "relations", "config", "constraints")}, sort_keys=True)

        return self.lab.call(told)

    def status(self):
        return self.good("juju_status_info")["status"]

    def settle(self):
        self.lab.call(self.lab.settle)


@pytest.fixture
def site(tmp_path):
    with JujuLabThread(speed=0) as lab:
        yield Site(lab, tmp_path)


def test_an_application_from_deployment_to_removal(site):
    ran = site.three("juju_application", name="keystone", charm="keystone", channel="2024.1/stable", base="ubuntu@22.04", options={"debug": True})
    assert ran["plan"][-1] == "add 1 unit of keystone on new" and ran["application"]["units"] == ["keystone/0"]
    site.settle()
    site.three("juju_application", name="keystone", options={"debug": False, "region": "North"}, expose=True)
    site.three("juju_application", name="keystone", num_units=2, to=["0", "lxd:0"])
    site.settle()
    assert site.status()["units"]["keystone/1"]["machine"] == "0/lxd/0"
    kept = site.good("juju_application", name="keystone", num_units=1)
    assert not kept["changed"] and "scale_down" in kept["notes"][0]
    site.good("juju_application", name="keystone", num_units=1, scale_down=True)
    site.settle()
    assert site.status()["applications"]["keystone"]["units"] == ["keystone/0"]
    site.three("juju_application", name="keystone", channel="2023.1/stable")
    assert site.status()["applications"]["keystone"]["channel"] == "2023.1/stable"
    assert site.good("juju_application", name="keystone", state="absent", wait=False)["changed"]
    site.settle()
    assert not site.status()["applications"] and not site.good("juju_application", name="keystone", state="absent")["changed"]


def test_a_base_that_the_channel_does_not_have(site):
    """The controller itself answers with another base then, and takes whatever it is told to deploy."""
    wanted = {"name": "queue", "charm": "rabbitmq-server", "channel": "3.9/stable", "base": "ubuntu@24.04"}
    for check in (True, False):
        refused = site.module("juju_application", check=check, **wanted)
        assert refused.failed and "rabbitmq-server has no release for ubuntu@24.04 in 3.9/stable, but one for ubuntu@22.04" in refused["msg"]
    assert not site.status()["applications"]


def test_secret_options_are_not_shown(site):
    """An option is secret by its name, and a password by its place in an address."""
    secrets = ("the old key 1234", "the new key 5678", "pass4word")
    given = {"name": "dashboard", "charm": "openstack-dashboard", "channel": "2024.1/stable"}
    for key in secrets[:2]:
        for check in (True, False):
            told = site.good("juju_application", check=check, options={"ssl_key": key, "default-domain": f"http://me:{secrets[2]}@proxy"}, **given)
            assert "ssl_key" in str(told["plan"]) and "VALUE HIDDEN" in str(told["plan"]), told["plan"]
            assert not [secret for secret in secrets if secret in told.text]


def test_a_subordinate_and_its_relation(site):
    site.good("juju_application", name="mysql", charm="mysql-innodb-cluster", channel="8.0/stable", num_units=3)
    site.three("juju_application", name="router", charm="mysql-router", channel="8.0/stable")
    site.good("juju_application", name="keystone", charm="keystone", channel="2024.1/stable")
    assert site.three("juju_relation", endpoints=["router:db-router", "mysql"])["endpoints"] == ["router:db-router", "mysql:db-router"]
    site.three("juju_relation", endpoints=["keystone:shared-db", "router:shared-db"])
    site.settle()
    assert site.status()["units"]["router/0"]["principal"] == "keystone/0"
    bad = site.module("juju_relation", endpoints=["keystone:shared-db", "mysql:db-router"])
    assert bad.failed and "do not fit" in bad["msg"]
    bad = site.module("juju_relation", endpoints=["keystone:nothing", "mysql:db-router"])
    assert bad.failed and "no endpoint nothing" in bad["msg"]
    assert site.good("juju_relation", endpoints=["keystone:shared-db", "router:shared-db"], state="absent", wait=False)["changed"]
    site.settle()
    assert not site.good("juju_relation", endpoints=["keystone:shared-db", "router:shared-db"], state="absent")["changed"]


def test_a_machine_and_a_unit_on_it(site):
    spare = site.lab.call(site.lab.world.maas.machine, "compute2")["system_id"]
    with site.lab.time_passes():
        ran = site.three("juju_machine", system_id=spare, wait_interval=0.3, wait_timeout=60)
    number = ran["machine"]["id"]
    assert ran["machine"]["instance_id"] == spare and ran["machine"]["agent"] == "started"
    noted = site.three("juju_machine", system_id=spare, annotations={"rack-shelf": "7"})
    assert noted["plan"] == ["note rack-shelf=7 with the machine"]
    assert site.good("juju_status_info", annotations=True)["status"]["machines"][number]["annotations"]["rack-shelf"] == "7"
    assert site.good("juju_machine", system_id=spare, annotations={"rack-shelf": ""})["plan"] == ["take rack-shelf from the machine"]
    assert "rack-shelf" not in site.good("juju_status_info", annotations=True)["status"]["machines"][number]["annotations"]
    site.good("juju_application", name="nova-compute", charm="nova-compute", channel="2024.1/stable", num_units=0)
    assert site.three("juju_unit", application="nova-compute", to=[number], wait=False)["units"] == ["nova-compute/0"]
    bad = site.module("juju_unit", application="nova-compute", to=["99"])
    assert bad.failed and "has no machine 99" in bad["msg"]
    bad = site.module("juju_machine", id=number, state="absent")
    assert bad.failed and "carries nova-compute/0" in bad["msg"]
    site.settle()
    assert site.good("juju_unit", units=["nova-compute/0"], state="absent", wait=False)["changed"]
    site.settle()
    assert not site.good("juju_unit", units=["nova-compute/0"], state="absent")["changed"]
    if number in site.status()["machines"]:
        with site.lab.time_passes():
            site.three("juju_machine", system_id=spare, state="absent", wait_interval=0.3, wait_timeout=60)
    site.settle()
    assert site.lab.call(site.lab.world.maas.machine, "compute2")["owner"] is None


def test_a_machine_that_was_asked_for_is_known_before_maas_has_begun_with_it(site):
    """Until then the status says no more of it than "pending": asked again, after a kill or by the wait that follows, Juju must not take a second one."""
    spare = site.lab.call(site.lab.world.maas.machine, "compute2")["system_id"]
    first = site.good("juju_machine", system_id=spare, base="ubuntu@22.04", wait=False)["machine"]
    assert first["instance_id"] in ("", "pending")
    assert not site.good("juju_machine", system_id=spare, base="ubuntu@22.04", wait=False)["changed"]
    unit = site.good("juju_application", name="nova-compute", charm="nova-compute", channel="2023.1/stable", base="ubuntu@22.04", to=["0"])
    assert unit["changed"] and not site.good("juju_unit", application="nova-compute", to=[f"system-id={spare}"], wait=False)["changed"]
    site.settle()
    assert {name: about["instance_id"] for name, about in site.status()["machines"].items()} == {first["id"]: spare}
    # It goes by that name while it is pending, too.
    other = site.lab.call(site.lab.world.maas.machine, "compute3")["system_id"]
    site.good("juju_unit", application="nova-compute", to=[f"system-id={other}"], wait=False)
    assert not site.good("juju_unit", application="nova-compute", to=[f"system-id={other}"], wait=False)["changed"]
    assert len(site.status()["machines"]) == 2 and len(site.status()["applications"]["nova-compute"]["units"]) == 2
    site.good("juju_machine", system_id=other, state="absent", force=True, wait=False)
    site.settle()
    assert list(site.status()["machines"]) == [first["id"]]


def test_a_machine_that_failed_is_replaced(site):
    first, other = (site.lab.call(site.lab.world.maas.machine, name)["system_id"] for name in ("compute2", "compute3"))
    site.lab.call(site.lab.fault, "deploy_failed", machine="compute2", times=1)
    with site.lab.time_passes():
        failed = site.module("juju_machine", mark="11", system_id=first, wait_interval=0.3, wait_timeout=90)
        assert failed.failed and "could not be provisioned" in failed["msg"]
        told = site.module("juju_machine", mark="11", system_id=other, wait_interval=0.3)
        assert told.failed and "replace_failed has it replaced" in told["msg"]
        answer = site.good("juju_machine", mark="11", system_id=other, replace_failed=True, wait_interval=0.3, wait_timeout=90)
    assert answer["replaced"] is not None and answer["machine"]["instance_id"] == other
    assert not site.good("juju_machine", mark="11", system_id=other, replace_failed=True)["changed"]


def test_the_inventory_plugin(site, tmp_path):
    site.good("juju_application", name="keystone", charm="keystone", channel="2024.1/stable", num_units=2)
    site.settle()
    source = tmp_path / "cloud.juju.yml"
    known = tmp_path / "ssh/known_hosts"
    machines = site.status()["machines"]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhi3dBPbIVmMCm1F4a0ZWrQyKkTnIhqSCYDRY2vuc0X"
    # The second machine's agent has not told its keys yet; a line that is none is left out.
    site.lab.world.effects.host_keys = lambda hostname: [f"{key} root@it", "evil $(touch x) key"] if hostname == machines["0"]["hostname"] else []
    source.write_text(
        f"plugin: stratus.cloud.juju\nmodel: openstack\nssh_through: ubuntu@198.51.100.2\nknown_hosts: {known}\n"
        "keyed_groups: [{key: juju_workload, prefix: workload}]\n"
        "compose: {inventory_note: \"juju_application ~ '!'\"}\n"
    )
    account = {"JUJU_ENDPOINT": site.lab.endpoint, "JUJU_USERNAME": site.lab.username, "JUJU_PASSWORD": site.lab.password, "JUJU_CA_CERT": site.lab.ca_cert}
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(source), "--list"]
    environment = {**os.environ, **account, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # ansible-core marks what comes from outside.
    found = json.loads(done.stdout, object_hook=lambda about: about.get("__ansible_unsafe", about))
    assert sorted(found["keystone"]["hosts"]) == ["keystone-0", "keystone-1"]
    assert found["juju_leaders"]["hosts"] == ["keystone-0"] and sorted(found["juju_machines"]["hosts"]) == ["machine-0", "machine-1"]
    about = found["_meta"]["hostvars"]["keystone-0"]
    assert about["ansible_host"] == site.status()["units"]["keystone/0"]["address"] and about["ansible_ssh_common_args"] == (
        f"-o ProxyJump=ubuntu@198.51.100.2 -o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes"
    )
    assert known.read_text() == f"{machines['0']['address']} {key}\n" and known.stat().st_mode & 0o777 == 0o600
    assert about["juju_leader"] is True and about["inventory_note"] == "keystone!"
    assert site.lab.password not in done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["juju_drop", "juju_drop_after"])
def test_a_connection_that_is_cut_in_every_wait(site, fault):
    spare = site.lab.call(site.lab.world.maas.machine, "compute2")["system_id"]
    soon = {"wait_interval": 0.3, "wait_timeout": 90}

    def cut(name, /, request="Client.FullStatus", **options):
        facade, _dot, what = request.partition(".")
        site.lab.call(site.lab.fault, fault, facade=facade, request=what, times=2)
        answer = site.good(name, **options, **soon)
        left = [about for about in site.lab.engine.state["faults"] if about["name"] == fault and about.get("times", 1) > 0]
        assert not left, "the connection was not cut"
        return answer

    with site.lab.time_passes():
        number = cut("juju_machine", system_id=spare)["machine"]["id"]
        site.good("juju_application", name="keystone", charm="keystone", channel="2024.1/stable", num_units=1, to=[number])
        site.good("juju_application", name="vault", charm="vault", channel="1.8/stable", num_units=1)
        assert cut("juju_unit", application="keystone", to=[f"lxd:{number}"])["units"] == ["keystone/1"]
        ends = ["keystone:certificates", "vault:certificates"]
        assert cut("juju_relation", endpoints=ends)["changed"]
        assert cut("juju_wait", applications=["keystone"], expect={"keystone": {"workload": ["active", "waiting", "blocked"]}})["pending"] == []
        assert cut("juju_action", request="Action.Actions", unit="keystone/leader", action="pause")["status"] == "completed"
        assert cut("juju_relation", endpoints=ends, state="absent")["changed"]
        assert cut("juju_unit", units=["keystone/1"], state="absent")["changed"]
        assert cut("juju_application", name="vault", state="absent")["changed"]
        assert cut("juju_application", name="keystone", state="absent")["changed"]
        assert cut("juju_model", request="ModelManager.ListModelSummaries", name="openstack", state="absent", model=None)["changed"]
