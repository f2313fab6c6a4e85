"""A recorded run as data for tests: small, but with everything in it that a record can hold."""

from __future__ import annotations

import copy
from typing import Any

RUN: dict[str, Any] = {
    "format": 1,
    "playbook": "site.yml",
    "started": "2026-05-01T10:00:00+00:00",
    "cloud": "test-cloud",
    "result": "ok",
    "changed": 12,
    "check": False,
    "versions": {"collection": "0.1.0", "ansible-core": "2.19.0", "python": "3.11.7"},
    "site": {"maas_url": "http://10.42.0.1:5240/MAAS", "maas_subnet_cidr": "10.42.0.0/16", "lxd_bridge": "br0", "lxd_bridge_interface": "eno3"},
    "access": {"auth_url": "https://10.42.0.105:5000/v3", "dashboard_url": "https://10.42.0.109/horizon"},
    "phases": [
        {
            "name": name,
            "seconds": seconds,
            "changed": changed,
            "reference_steps": [f"Step {name}"],
            "reference_seconds": None,
            "plays": [{"name": f"Play {name}", "began": began, "seconds": seconds}],
            "slowest_tasks": [],
            "stopped_here": False,
            "scaled_seconds": seconds * 60,
        }
        for name, began, seconds, changed in (("machines", 0, 20, 2), ("orchestrator", 20, 40, 4), ("cloud", 60, 40, 6))
    ],
    "seconds": 100,
    "time_scale": 60,
    "scaled_seconds": 6000,
    "reference": "Table 1",
    "reference_seconds": None,
    "tasks": [
        {"phase": "machines", "name": "Commission", "began": 0, "seconds": 20},
        {"phase": "orchestrator", "name": "Start the bootstrap", "began": 20, "seconds": 2},
        {"phase": "orchestrator", "name": "Compose", "began": 22, "seconds": 8},
        {"phase": "orchestrator", "name": "Wait until ready", "began": 30, "seconds": 10},
        {"phase": "orchestrator", "name": "Wait for the bootstrap", "began": 40, "seconds": 20},
        {"phase": "cloud", "name": "Apply", "began": 60, "seconds": 5},
        {"phase": "cloud", "name": "Settle", "began": 65, "seconds": 30},
        {"phase": "cloud", "name": "Access", "began": 95, "seconds": 5},
    ],
    "waits": [
        {
            "task": "Wait until ready",
            "phase": "orchestrator",
            "host": "c",
            "began": 30,
            "ended": 40,
            "waited": 10,
            "for": [["machine", "compute1"], ["machine", "compute0"]],
        },
        {"task": "Wait for the bootstrap", "phase": "orchestrator", "host": "c", "began": 40, "ended": 60, "waited": 20, "for": [["job", "j1"]]},
        {"task": "Settle", "phase": "cloud", "host": "c", "began": 65, "ended": 95, "waited": 30, "requests": 40, "for": [["application", "keystone"]]},
    ],
    "jobs": [{"id": "j1", "name": "The bootstrap", "began": 20, "ended": 60}],
    "states": {
        "machine": {
            "compute0": [[1, "New", ""], [2, "Commissioning", ""], [35, "Ready", ""]],
            "compute1": [[1, "New", ""], [2, "Commissioning", ""], [39, "Ready", ""]],
        },
        "application": {
            "keystone": [[65, "waiting", "waiting for machine"], [75, "maintenance", "installing"], [94, "active", "Unit is ready"]],
            "vault": [[65, "blocked", "Vault needs to be initialized"], [70, "active", ""]],
        },
        "image": {"ubuntu/jammy amd64": [[0, "queued", ""], [10, "complete", ""]]},
    },
    "facts": {
        "machines": {
            "compute0": {
                "hostname": "compute0",
                "status": "Deployed",
                "power_type": "ipmi",
                "ip_addresses": ["10.42.0.110"],
                "cpu_count": 16,
                "memory": 65536,
                "interfaces": [{"name": "br-ex", "type": "bridge", "bridge_type": "ovs", "parents": ["enp1s0"], "addresses": ["10.42.0.110"]}],
            },
            "os-0": {"hostname": "os-0", "status": "Deployed", "power_type": "lxd", "ip_addresses": ["10.42.0.111"], "interfaces": []},
        },
        "controllers": {"controller": {"hostname": "controller", "version": "3.5.13"}},
        "vm_hosts": {"lxd-controller": {"name": "lxd-controller", "type": "lxd", "version": "5.21"}},
        "maas_version": "3.5.13",
        "model": {
            "name": "openstack",
            "version": "3.6.9",
            "machines": [
                {"id": "0", "hostname": "os-0", "address": "10.42.0.111"},
                {"id": "0/lxd/0", "hostname": "juju-1", "parent": "0"},
                {"id": "1", "hostname": "compute0", "address": "10.42.0.110"},
            ],
            "applications": {"keystone": {"charm": "ch:amd64/keystone-1", "channel": "2023.1/stable", "revision": 1, "version": "23.0"}, "vault": {}},
            "units": {
                "keystone/0": {"application": "keystone", "machine": "0/lxd/0", "workload": "active", "message": "Unit is ready"},
                "keystone-mysql-router/0": {"application": "keystone-mysql-router", "machine": "0/lxd/0", "principal": "keystone/0", "workload": "active"},
                "vault/0": {"application": "vault", "machine": "0", "workload": "active"},
            },
            "relations": [["keystone", "vault"]],
        },
    },
    "requests": 40,
    "failures": [],
}


def run(**changes: Any) -> dict[str, Any]:
    """A fresh copy of the run with some of its entries changed."""
    return {**copy.deepcopy(RUN), **changes}
