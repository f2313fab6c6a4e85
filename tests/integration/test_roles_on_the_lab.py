"""Entry points of the role openstack_bundle with the collection's own modules, against the lab's controller and its Vault: after a power cut, and telemetry."""

from __future__ import annotations

import pytest
import yaml

from tests.support.juju_lab import JujuLabThread
from tests.support.role_play import RolePlay, told

STOPPED = ("blocked", "Vault service not running")
DATABASE = {
    "mysql-innodb-cluster": {"charm": "ch:mysql-innodb-cluster", "channel": "8.0/stable", "num_units": 3},
    "vault-mysql-router": {"charm": "ch:mysql-router", "channel": "8.0/stable"},
    "vault": {"charm": "ch:vault", "channel": "1.8/stable", "num_units": 2},
    "memcached": {"charm": "ch:memcached", "channel": "latest/stable", "num_units": 1},
}
DATABASE_RELATIONS = [["vault-mysql-router:db-router", "mysql-innodb-cluster:db-router"], ["vault:shared-db", "vault-mysql-router:shared-db"]]


class Site(RolePlay):
    role = "openstack_bundle"

    def __init__(self, lab, folder, applications, relations):
        super().__init__(folder)
        self.lab = lab
        bundle = {"default-base": "ubuntu@22.04", "applications": applications, "relations": relations}
        self.bundle = folder / "bundle.yaml"
        self.bundle.write_text(yaml.safe_dump(bundle))
        self.model = lab.call(lab.model, "openstack")
        lab.call(lab.deploy, self.model, self.bundle.read_text())
        lab.call(lab.settle)

    def run(self, *entry_points, **more):
        """While time passes by itself."""
        connection = {"endpoint": [self.lab.endpoint], "username": self.lab.username, "password": self.lab.password, "ca_cert": self.lab.ca_cert}
        soon = {"openstack_bundle_wait_interval": 0.3, "openstack_bundle_timeout": 90, "openstack_bundle_vault_timeout": 60}
        with self.lab.time_passes():
            return self.play(*entry_points, juju_connection=connection, openstack_bundle_file=str(self.bundle), **soon, **more)

    def recover_without_vault(self, patience, **where):
        """Vault has given up, and its charm does not get it started (``where``): (process, what was said)."""
        for unit in ("vault/0", "vault/1"):
            self.lab.call(self.model["units"][unit]["state"].update, gave_up=True)
        self.lab.call(self.lab.fault, "action_failed", action="restart", times=-1, **where)
        done, _changed, _asked = self.run("recover", __openstack_bundle_vault_patience=patience)
        return done, " ".join(told(done).split())

    def status(self, unit):
        return self.lab.call(self.lab.statuses, self.model)[unit][:2]

    def power(self, state):
        for row in list(self.model["machines"].values()):
            self.lab.call(self.lab.world.juju.machines.power, row["hostname"], state)

    def actions(self):
        return [(row["unit"], row["name"]) for row in self.model["actions"].values()]


@pytest.fixture
def lab():
    with JujuLabThread(speed=0) as lab:
        yield lab


# tests/e2e/test_60_recovery.py does most of it on hosts.
@pytest.mark.long
def test_after_a_power_cut_vault_is_started_and_opened_and_failed_hooks_are_tried_again(lab, tmp_path):
    site = Site(lab, tmp_path, DATABASE, DATABASE_RELATIONS)
    done, _changed, _asked = site.run("vault")
    assert done.returncode == 0, told(done)
    keys = (site.out / "vault-keys.json").read_bytes()
    lab.call(lab.settle)
    assert site.status("vault/0")[0] == site.status("vault/1")[0] == "active"

    # A hook that nobody tries again but by hand.
    lab.call(lab.world.juju.models.set_config, site.model, {"automatically-retry-hooks": False})
    lab.call(lab.fault, "hook_error", app="memcached", times=1)
    lab.call(lab.world.juju.applications.set_config, site.model, "memcached", {"size": 512})
    site.power("off")
    site.power("on")
    lab.call(lab.settle)
    assert site.status("vault/0") == site.status("vault/1") == STOPPED and site.status("memcached/0")[0] == "error"

    done, changed, _asked = site.run("recover", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert "would be started" in told(done) and changed == 0 and site.status("vault/0") == STOPPED
    done, changed, _asked = site.run("recover")
    assert done.returncode == 0, told(done)
    assert {site.status(unit)[0] for unit in site.model["units"]} == {"active"}
    assert {("vault/0", "restart"), ("vault/1", "restart")} <= set(site.actions())
    assert (site.out / "vault-keys.json").read_bytes() == keys, "Vault is initialised once for ever"

    before = site.actions()
    done, changed, _asked = site.run("recover")
    assert done.returncode == 0, told(done)
    assert changed == 0 and [name for _unit, name in site.actions()[len(before) :]] == ["get-root-ca"], "a cloud that runs is left alone"


def test_a_vault_that_does_not_start_is_named_with_where_to_look(lab, tmp_path):
    site = Site(lab, tmp_path, DATABASE, DATABASE_RELATIONS)
    done, _changed, _asked = site.run("vault")
    assert done.returncode == 0, told(done)
    done, said = site.recover_without_vault(2, unit="vault/0")
    assert done.returncode != 0
    assert "vault/0 does not answer at port 8200" in said and "juju ssh -m openstack vault/0 journalctl -u vault" in said


@pytest.mark.long
def test_a_vault_without_a_database_is_not_what_is_blamed(lab, tmp_path):
    site = Site(lab, tmp_path, DATABASE, DATABASE_RELATIONS)
    for number in range(3):
        lab.call(site.model["units"][f"mysql-innodb-cluster/{number}"]["state"].update, stopped=True)
    done, said = site.recover_without_vault(1, app="vault")
    assert done.returncode != 0
    assert "of that no unit works: mysql-innodb-cluster/0 blocked (MySQL is down on this instance)" in said and "journalctl -u vault" not in said


def test_one_that_says_what_it_said_before_and_one_whose_hook_failed_do_not_hide_an_outage(lab, tmp_path):
    site = Site(lab, tmp_path, {name: DATABASE[name] for name in ("mysql-innodb-cluster", "memcached")}, [])
    before = site.status("mysql-innodb-cluster/0")
    assert before[0] == "active"
    site.power("off")
    site.power("on")
    lab.call(lab.settle)
    units = site.model["units"]
    lab.call(units["mysql-innodb-cluster/0"]["state"].update, unseen=before)
    lab.call(units["mysql-innodb-cluster/1"].update, error={"step": "start", "hook": "start", "at": 0})
    lab.call(lab.world.juju.changed, site.model)
    assert [site.status(f"mysql-innodb-cluster/{number}")[0] for number in range(3)] == ["active", "error", "blocked"]
    done, _changed, _asked = site.run("recover")
    assert done.returncode == 0, told(done)
    assert "reboot-cluster-from-complete-outage" in [name for _unit, name in site.actions()]
    assert {site.status(unit)[0] for unit in site.model["units"]} == {"active"}


def test_applications_that_the_bundle_has_got_since_are_not_waited_for(lab, tmp_path):
    site = Site(lab, tmp_path, {name: DATABASE[name] for name in ("vault", "memcached")}, [])
    done, _changed, _asked = site.run("vault")
    assert done.returncode == 0, told(done)
    more = {"ceilometer": {"charm": "ch:ceilometer", "channel": "2024.1/stable", "num_units": 1}}
    done, _changed, _asked = site.run("recover", openstack_bundle_overlays=[{"applications": more}])
    assert done.returncode == 0, told(done)


@pytest.mark.long
def test_a_paused_vault_is_resumed_when_that_is_asked_for(lab, tmp_path):
    site = Site(lab, tmp_path, {"vault": DATABASE["vault"]}, [])
    done, _changed, _asked = site.run("vault")
    assert done.returncode == 0, told(done)
    lab.call(site.model["units"]["vault/0"]["state"].update, paused=True)
    lab.call(lab.world.juju.changed, site.model)
    assert site.status("vault/0") == STOPPED
    done, _changed, _asked = site.run("recover", __openstack_bundle_vault_patience=1)
    assert done.returncode != 0 and "-e openstack_bundle_recover_resume=true when it was paused" in " ".join(told(done).split()), told(done)
    done, _changed, _asked = site.run("recover", openstack_bundle_recover_resume=True)
    assert done.returncode == 0, told(done)
    assert site.actions()[-1] != ("vault/0", "restart") and {site.status(unit)[0] for unit in ("vault/0", "vault/1")} == {"active"}


def mysql(name):
    return {name: {"charm": "ch:mysql-router", "channel": "8.0/stable"}}


TELEMETRY = {
    "mysql-innodb-cluster": DATABASE["mysql-innodb-cluster"],
    "rabbitmq-server": {"charm": "ch:rabbitmq-server", "channel": "3.9/stable", "num_units": 1},
    "memcached": DATABASE["memcached"],
    "keystone": {"charm": "ch:keystone", "channel": "2024.1/stable", "num_units": 1},
    **mysql("keystone-mysql-router"),
    "ceph-mon": {"charm": "ch:ceph-mon", "channel": "squid/stable", "num_units": 1, "options": {"monitor-count": 1}},
    "ceph-osd": {"charm": "ch:ceph-osd", "channel": "squid/stable", "num_units": 1, "options": {"osd-devices": "/dev/sdb"}},
    "gnocchi": {"charm": "ch:gnocchi", "channel": "2024.1/stable", "num_units": 1},
    **mysql("gnocchi-mysql-router"),
    "ceilometer": {"charm": "ch:ceilometer", "channel": "2024.1/stable", "num_units": 2},
}
TELEMETRY_RELATIONS = [
    ["keystone-mysql-router:db-router", "mysql-innodb-cluster:db-router"],
    ["keystone:shared-db", "keystone-mysql-router:shared-db"],
    ["gnocchi-mysql-router:db-router", "mysql-innodb-cluster:db-router"],
    ["gnocchi:shared-db", "gnocchi-mysql-router:shared-db"],
    ["gnocchi:identity-service", "keystone:identity-service"],
    ["gnocchi:coordinator-memcached", "memcached:cache"],
    ["gnocchi:storage-ceph", "ceph-mon:client"],
    ["ceph-osd:mon", "ceph-mon:osd"],
    ["ceilometer:amqp", "rabbitmq-server:amqp"],
    ["ceilometer:identity-credentials", "keystone:identity-credentials"],
    ["ceilometer:metric-service", "gnocchi:metric-service"],
]


def test_telemetry_is_set_up_once_when_all_else_is_settled(lab, tmp_path):
    site = Site(lab, tmp_path, TELEMETRY, TELEMETRY_RELATIONS)
    others = {site.status(unit)[0] for unit, about in site.model["units"].items() if about["app"] != "ceilometer"}
    assert others == {"active"} and site.status("ceilometer/0")[1].startswith("Run the ceilometer-upgrade action on the leader")
    done, changed, _asked = site.run("settle", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed == 1 and not site.actions()
    done, changed, _asked = site.run("settle")
    assert done.returncode == 0, told(done)
    assert changed == 1 and site.actions() == [("ceilometer/0", "ceilometer-upgrade")]
    assert {site.status(unit)[0] for unit in ("ceilometer/0", "ceilometer/1")} == {"active"}
    for arguments in ([], ["--check"]):
        done, changed, _asked = site.run("settle", arguments=arguments)
        assert done.returncode == 0, told(done)
        assert changed == 0 and len(site.actions()) == 1


@pytest.mark.long
def test_a_cloud_comes_back_without_a_machine_that_stays_dead(lab, tmp_path):
    """The first of three database machines stays dead; it had the leader, which Juju knows still."""
    queue = {"rabbitmq-server": {"charm": "ch:rabbitmq-server", "channel": "3.9/stable", "num_units": 2}}
    site = Site(lab, tmp_path, {**DATABASE, **queue}, DATABASE_RELATIONS)
    done, _changed, _asked = site.run("vault")
    assert done.returncode == 0, told(done)
    lab.call(lab.settle)
    hosts = {unit: site.model["machines"][about["machine"]]["hostname"] for unit, about in site.model["units"].items() if about["machine"]}
    site.power("off")
    last = site.model["applications"]["rabbitmq-server"]["state"]["queue_last"]
    dead = [hosts["mysql-innodb-cluster/0"], hosts["vault/1"], hosts[last]]
    for row in list(site.model["machines"].values()):
        if row["hostname"] not in dead:
            lab.call(lab.world.juju.machines.power, row["hostname"], "on")
    lab.call(lab.settle)
    assert site.model["applications"]["mysql-innodb-cluster"]["leader"] == "mysql-innodb-cluster/0"

    done, _changed, _asked = site.run("recover", openstack_bundle_recover_timeout=5)
    assert done.returncode != 0 and "mysql-innodb-cluster/0" in told(done)
    assert not [name for _unit, name in site.actions() if name == "reboot-cluster-from-complete-outage"]

    # The queue waits for the one that was its last; to go on without its messages is somebody's decision.
    (other,) = {"rabbitmq-server/0", "rabbitmq-server/1"} - {last}
    assert site.status(other) == ("waiting", "Unit has peers, but RabbitMQ not clustered")
    without = {"openstack_bundle_recover_without": dead, "openstack_bundle_recover_force_boot": True}
    done, _changed, _asked = site.run("recover", openstack_bundle_recover_timeout=60, **without)
    assert done.returncode == 0, told(done)
    assert (other, "force-boot") in site.actions() and "in the cluster but not running" in site.status(other)[1]
    assert {site.status(unit)[0] for unit, host in hosts.items() if host not in dead and unit != other} == {"active"}
    reboots = [unit for unit, name in site.actions() if name == "reboot-cluster-from-complete-outage"]
    assert reboots and "mysql-innodb-cluster/0" not in reboots
    assert f"Not there, and not waited for: mysql-innodb-cluster/0, {last}, vault/1" in " ".join(told(done).split())

    for host in dead:
        lab.call(lab.world.juju.machines.power, host, "on")
    done, _changed, _asked = site.run("recover")
    assert done.returncode == 0, told(done)
    assert {site.status(unit)[0] for unit in site.model["units"]} == {"active"} and "Not there" not in told(done)
