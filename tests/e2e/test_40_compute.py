"""Servers really move between the lab's hypervisors: one by one, off a host, evened out; and when they cannot, the reason is told.

What the modules did is read back with openstackclient. The hypervisors are simulated; their migrations take as long, and fail,
as a server's metadata asks (lab/hosts/openstack/guest/plugins/nova_virt_lab.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack as sdk
import pytest

from tests.support.run_module import run_module
from tests.support.site import OUT, explain, openstack, play
from tests.support.tenant import Tenant

ACCESS = {"cloud": "stratus-lab", "clouds_file": str(OUT / "clouds.yaml"), "wait_interval": 1}
# So much memory that a server is 4 to 9 percent of a host of the lab's.
RAM = 4096


def connection() -> sdk.connection.Connection:
    return sdk.connection.Connection(config=sdk.config.OpenStackConfig(config_files=[str(OUT / "clouds.yaml")]).get_one(cloud="stratus-lab"))


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    made = Tenant(connection(), ram=RAM)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def web(tenant: Tenant) -> list[str]:
    """Four servers on compute0."""
    return tenant.servers("0", "1", "2", "3", host="compute0")


def module(name: str, tmp_path: Path, check: bool = False, **options: Any) -> dict:
    given = {key: value for key, value in {**ACCESS, **options}.items() if not (key == "wait_interval" and name.endswith("_info"))}
    return run_module(name, given, tmp_path, check=check)


def hosts(names: list[str]) -> dict[str, str]:
    """Where the servers are, as openstackclient sees it."""
    listed = openstack("server", "list", "--all-projects", "--long")
    return {server["Name"]: server["Host"] for server in listed if server["Name"] in names}


def test_hosts_can_be_looked_at_and_taken_out_of_scheduling(tmp_path):
    seen = module("nova_compute_service_info", tmp_path)["services"]
    assert {service["host"] for service in seen} >= {"compute0", "compute1"}
    options = {"hosts": ["compute1"], "state": "disabled", "disabled_reason": "a test"}
    assert module("nova_compute_service", tmp_path, check=True, **options)["changed"]
    try:
        assert module("nova_compute_service", tmp_path, **options)["changed"]
        assert not module("nova_compute_service", tmp_path, **options)["changed"]
        listed = {service["Host"]: service for service in openstack("compute", "service", "list", "--service", "nova-compute", "--long")}
        assert (listed["compute1"]["Status"], listed["compute1"]["Disabled Reason"]) == ("disabled", "a test")
        assert listed["compute0"]["Status"] == "enabled"
    finally:
        back = module("nova_compute_service", tmp_path, hosts=["compute1"], state="enabled")
    assert (back["changed"], back["services"][0]["state"]) == (True, "up")
    refused = module("nova_compute_service", tmp_path, hosts=["compute1"], state="absent")
    assert "nova-compute on compute1 is up, and would register again" in refused["msg"]


def test_the_playbook_evens_the_load(web):
    options = ("playbooks/rebalance.yml", "-e", "rebalance_tolerance=5")
    done, sums = play(*options, "--check", "--diff")
    assert done.returncode == 0, explain(done)
    assert "2 moves even the load" in done.stdout
    done, sums = play(*options)
    assert done.returncode != 0
    assert "Nothing was begun" in done.stdout
    assert set(hosts(web).values()) == {"compute0"}
    done, sums = play(*options, "-e", "confirm=yes")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 1
    assert sorted(hosts(web).values()) == ["compute0", "compute0", "compute1", "compute1"]
    done, sums = play(*options, "-e", "confirm=yes")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0
    assert "There is nothing to do" in done.stdout


def test_everything_leaves_a_host_and_the_records_say_so(web, tmp_path):
    told = module("nova_live_migration", tmp_path, check=True, servers=web, from_host="compute1")
    assert [one["to"] for one in told["plan"]] == ["compute0", "compute0"]
    done = module("nova_live_migration", tmp_path, servers=web, from_host="compute1")
    assert not done.failed, done
    assert done["diff"] == told["diff"]
    assert set(hosts(web).values()) == {"compute0"}
    records = openstack("server", "migration", "list", "--type", "live-migration", "--host", "compute1")
    ids = {one["id"] for one in done["migrations"]}
    assert {record["Status"] for record in records if record["Server UUID"] in ids} == {"completed"}
    assert not module("nova_live_migration", tmp_path, servers=web, from_host="compute1")["changed"]


def test_why_it_failed_is_told_in_novas_own_words(tenant, web, tmp_path):
    first, second = web[:2]
    tenant.metadata(first, lm_precheck="fail")
    tenant.metadata(second, lm_result="fail")
    failed = module("nova_live_migration", tmp_path, servers=[first, second], host="compute1")
    assert "2 of 2 migrations failed" in failed["msg"]
    reasons = {one["server"]: (one["state"], one["reason"]) for one in failed["migrations"]}
    assert reasons[first][0] == "error"
    assert "Migration pre-check error" in reasons[first][1]
    assert reasons[second] == ("failed", "nova gives no reason; the log of nova-compute on compute0 may")
    assert set(hosts([first, second]).values()) == {"compute0"}
    tenant.metadata(first)
    tenant.metadata(second)


def test_one_that_takes_too_long_is_aborted_or_forced(tenant, web, tmp_path):
    tenant.metadata(web[2], lm_seconds="600")
    options = {"servers": [web[2]], "host": "compute1", "migration_timeout": 5}
    failed = module("nova_live_migration", tmp_path, **options)
    assert failed["migrations"][0]["state"] == "cancelled", failed
    assert "aborted after" in failed["msg"]
    assert hosts([web[2]]) == {web[2]: "compute0"}
    done = module("nova_live_migration", tmp_path, **options, on_timeout="force_complete")
    assert "forced to its end" in done["migrations"][0]["reason"], done
    assert hosts([web[2]]) == {web[2]: "compute1"}
    tenant.metadata(web[2])


def test_who_cannot_move_is_told_before_anything_is_begun(tenant, web, tmp_path):
    tenant.own.compute.stop_server(tenant.find(web[3]))
    tenant.until(lambda: tenant.find(web[3]).status == "SHUTOFF", "the server is stopped")
    group = tenant.group("anti-affinity")
    (here,) = tenant.servers("apart-0", host="compute0", group=group)
    (there,) = tenant.servers("apart-1", host="compute1", group=group)
    before = hosts([*web, here, there])
    failed = module("nova_live_migration", tmp_path, servers=[web[0], web[3], here], host="compute1")
    assert "2 of 3 servers cannot move, and nothing was begun" in failed["msg"]
    reasons = {one["server"]: one["reason"] for one in failed["unmovable"]}
    assert "is stopped" in reasons[web[3]]
    assert "compute1 holds 1 of the anti-affinity group" in reasons[here]
    assert hosts([*web, here, there]) == before
