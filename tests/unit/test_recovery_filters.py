"""What is looked at after a power cut, and before certificates end."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.stratus.cloud.plugins.filter import recovery

DOWN = ("blocked", "Cluster is inaccessible from this instance. Please check logs for details.", "idle")
UP = ("active", "Unit is ready: Mode: R/O", "idle")
LOST = ("unknown", "agent lost, see 'juju show-status-log db/2'", "lost")
STOPPED = ("blocked", "MySQL is down on this instance", "idle")
BROKEN = ("error", 'hook failed: "start"', "idle")
ILL = ("blocked", "MySQL InnoDB Cluster not healthy: Cluster has no quorum as visible from '10.0.0.1:3306'", "idle")
DENIED = ("blocked", "Units not allowed to replicate with this unit: db/2. See update-unit-acls action.", "idle")


def model(*units, leader=0):
    keys = ("workload", "message", "agent")
    rows = {}
    for number, unit in enumerate(units):
        name = f"db/{number}"
        rows[name] = {"name": name, "application": "db", "leader": number == leader, **dict(zip(keys, unit, strict=True))}
    rows["vault/0"] = {"name": "vault/0", "application": "vault", "leader": True, **dict(zip(keys, DOWN, strict=True))}
    return {"applications": {"db": {"charm": "ch:amd64/mysql-innodb-cluster-107"}, "vault": {"charm": "ch:amd64/vault-240"}}, "units": rows}


@pytest.mark.parametrize(
    ("units", "members", "others"),
    [
        ([DOWN, DOWN, DOWN], ["db/0", "db/1", "db/2"], []),
        ([DOWN, DOWN, LOST], ["db/0", "db/1"], ["db/2"]),
        ([DOWN, LOST, LOST], ["db/0"], ["db/1", "db/2"]),
        ([DOWN, DOWN, STOPPED], ["db/0", "db/1"], ["db/2"]),
        ([STOPPED, DOWN, BROKEN], ["db/1"], ["db/0", "db/2"]),
        ([UP, DOWN, LOST], [], []),
        ([ILL, DOWN, LOST], [], []),
        ([DENIED, DOWN, DOWN], [], []),
        ([STOPPED, STOPPED, BROKEN], [], []),
        ([LOST, LOST, LOST], [], []),
    ],
)
def test_a_cluster_is_down_when_one_cannot_reach_it_and_none_says_that_it_works(units, members, others):
    expected = [{"application": "db", "members": members, "others": others}] if members else []
    assert recovery.juju_outages(model(*units)) == expected


def test_the_leader_is_the_first_to_be_asked_if_it_runs():
    assert recovery.juju_outages(model(DOWN, DOWN, DOWN, leader=2))[0]["members"] == ["db/2", "db/0", "db/1"]


def test_units_that_say_that_their_cluster_works_are_asked_again_unless_all_is_active():
    assert recovery.database_claims(model(UP, DOWN, ILL)) == ["db/0", "db/2"]
    running = model(UP, UP, UP)
    running["units"]["vault/0"]["workload"] = "active"
    assert recovery.database_claims(running) == []


def test_of_a_cluster_that_does_not_work_each_unit_is_told_with_what_it_says():
    assert recovery.database_troubles(model(UP, STOPPED, BROKEN)) == []
    said = recovery.database_troubles(model(STOPPED, BROKEN, LOST))
    assert said[:2] == ["db/0 blocked (MySQL is down on this instance)", 'db/1 error (hook failed: "start")'] and said[2].startswith("db/2 unknown/lost")


def test_a_unit_has_every_address_of_its_machine_and_none_of_its_host():
    def unit(name, address, machine, agent="idle"):
        return {"name": name, "application": name.partition("/")[0], "address": address, "machine": machine, "agent": agent}

    rows = [unit("db/0", "10.0.0.1", "0/lxd/0"), unit("db/1", "10.0.0.2", "1"), unit("db/2", "10.0.0.3", "2", "lost"), unit("web/0", "10.0.0.2", "1")]
    machines = {"0": {"addresses": ["10.1.0.9"]}, "0/lxd/0": {"addresses": ["10.0.0.1", "10.1.0.1"]}, "2": {"addresses": ["10.1.0.3"]}}
    status = {"units": {row["name"]: row for row in rows}, "machines": machines}
    found = [recovery.units_at(status, "db", address) for address in ("10.1.0.1", "10.0.0.2", "10.1.0.9", "10.1.0.3", "")]
    assert found == [["db/0"], ["db/1"], [], [], []]


def test_endpoints_are_looked_at_once_whatever_their_path_and_interface():
    urls = [
        "https://10.0.0.5:5000/v3",
        "https://10.0.0.5:5000/v3/",
        "https://10.0.0.6/horizon",
        "https://10.0.0.6:443",
        "http://10.0.0.7",
        "https://[fd00::1]:9292",
    ]
    assert recovery.tls_endpoints(urls) == ["https://10.0.0.5:5000", "https://10.0.0.6:443", "https://[fd00::1]:9292"]


def test_an_address_that_leads_nowhere_keeps_nobody_from_the_others():
    bad = ["https:///v3", "https://10.0.0.5:port/v3", "https://10.0.0.5:99999/", "https://[fd00::1:9292/"]
    assert recovery.tls_endpoints([*bad, "https://10.0.0.5:5000", "http://[10.0.0.7/"]) == ["https://10.0.0.5:5000"]
    assert recovery.malformed_endpoints([*bad, "https://10.0.0.5:5000", "http://[10.0.0.7/"]) == sorted(bad)


def test_due_are_those_with_fewer_days_and_not_those_that_do_not_answer():
    now = datetime.datetime(2026, 1, 1, 12)
    read = [
        {"item": "a", "not_after": "20260111120000Z", "serial_number": 1},
        {"item": "b", "not_after": "20260121120000Z", "serial_number": 2},
        {"item": "c", "not_after": "20261231120000Z", "serial_number": 3},
        {"item": "d", "msg": "Failed to get cert"},
    ]
    assert recovery.certificates_due(read, 30, now) == {"a": 1, "b": 2}
    assert recovery.certificates_due(read, 20, now) == {"a": 1}


def test_old_are_those_that_end_soon_and_are_not_new():
    now = datetime.datetime(2026, 1, 1, 12)
    made, past = "20260101112930Z", "20250111000000Z"
    read = [
        {"item": "same", "not_before": past, "not_after": "20260111120000Z", "serial_number": 1},
        {"item": "another unit's", "not_before": past, "not_after": "20260121120000Z", "serial_number": 9},
        {"item": "new, and short", "not_before": made, "not_after": "20260121120000Z", "serial_number": 8},
        {"item": "new", "not_before": made, "not_after": "20261231120000Z", "serial_number": 7},
        {"item": "not seen before", "not_before": past, "not_after": "20251231120000Z", "serial_number": 6},
        {"item": "ended", "not_before": made, "not_after": "20260101113500Z", "serial_number": 5, "expired": True},
        {"item": "silent", "msg": "Failed to get cert"},
    ]
    before = {"same": 1, "another unit's": 2, "new, and short": 3, "new": 4, "ended": 4}
    assert recovery.certificates_old(read, 30, now, before, "20260101113000Z") == {"same": 1, "another unit's": 9, "not seen before": 6, "ended": 5}


def test_of_several_units_each_has_its_own_certificate():
    def unit(application, address, agent="idle", principal=None):
        return {"application": application, "address": address, "agent": agent, "principal": principal}

    units = {
        "keystone/0": unit("keystone", "10.0.0.11"),
        "keystone/1": unit("keystone", "fd00::12"),
        "keystone/2": unit("keystone", "10.0.0.13", "lost"),
        "hacluster/0": unit("hacluster", "10.0.0.11", principal="keystone/0"),
        "hacluster/1": unit("hacluster", "10.0.0.14", principal="glance/0"),
        "glance/0": unit("glance", "10.0.0.14"),
    }
    status = {"applications": {"keystone": {}, "hacluster": {}, "glance": {}}, "units": units}
    bundle = {"keystone": {"options": {"vip": "10.0.0.5 10.1.0.5"}}, "glance": {}}
    own = ["https://10.0.0.11:4990", "https://[fd00::12]:4990"]
    assert recovery.unit_endpoints(["https://10.1.0.5:5000"], status, bundle) == own
    assert recovery.unit_endpoints(["https://10.0.0.11:5000"], status, bundle) == own
    assert recovery.unit_endpoints(["https://10.0.0.14:9292", "https://keystone.example.org:5000"], status, bundle) == []
