"""What is looked at after a power cut, and before certificates end."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.stratus.cloud.plugins.filter import recovery

DOWN = ("blocked", "Cluster is inaccessible from this instance. Please check logs for details.", "idle")
UP = ("active", "Unit is ready: Mode: R/O", "idle")
LOST = ("unknown", "agent lost, see 'juju show-status-log db/2'", "lost")


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([DOWN, DOWN, DOWN], ["db"]),
        ([DOWN, DOWN, LOST], ["db"]),
        ([DOWN, LOST, LOST], ["db"]),
        ([UP, DOWN, LOST], []),
        ([LOST, LOST, LOST], []),
    ],
)
def test_a_cluster_is_down_when_all_say_so_that_can_say_something(units, expected):
    keys = ("workload", "message", "agent")
    status = {"units": {f"db/{number}": {"application": "db", **dict(zip(keys, unit, strict=True))} for number, unit in enumerate(units)}}
    assert recovery.juju_outages(status) == expected


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
