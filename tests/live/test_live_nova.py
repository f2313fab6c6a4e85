"""The modules of compute on a cloud that somebody has: `make live OS_CLOUD=...`, as an administrator.

A project of its own with one server, which is moved there and back; everything is removed at the end, also after a failure. Servers of
others are never moved, and no host's state is changed. What a cloud cannot do is skipped by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.run_module import Ran, run_module

CLOUD = os.environ.get("OS_CLOUD")
pytestmark = pytest.mark.skipif(not CLOUD, reason="set OS_CLOUD to a cloud whose administrator you are")


@pytest.fixture(scope="module")
def tenant() -> Iterator:
    import openstack

    from tests.support.tenant import Tenant

    made = Tenant(openstack.connect(cloud=CLOUD))
    print(f"\nproject {made.prefix} on {CLOUD}")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def pair(tenant) -> list[str]:
    """Two hosts of one zone that take servers."""
    services = [one for one in tenant.admin.compute.services(binary="nova-compute") if (one.status, one.state) == ("enabled", "up")]
    zones: dict[str, list[str]] = {}
    for service in services:
        zones.setdefault(service.availability_zone, []).append(service.host)
    hosts = max(zones.values(), key=len, default=[])
    if len(hosts) < 2:
        pytest.skip("nova_live_migration: it takes two hosts of one zone that are enabled and up")
    return sorted(hosts)[:2]


@pytest.fixture(scope="module")
def server(tenant, pair) -> str:
    return tenant.servers("one", host=pair[0])[0]


def run(name: str, tmp_path, check: bool = False, **options) -> Ran:
    return run_module(name, {"cloud": CLOUD, **options}, tmp_path, check=check)


def test_looking_at_hosts(tenant, tmp_path):
    found = run("nova_compute_service_info", tmp_path)
    assert not found.failed, found.get("msg")
    assert {one["host"] for one in found["services"]} == {one.host for one in tenant.admin.compute.services(binary="nova-compute")}


def test_a_host_that_is_as_wanted_is_left_alone(tenant, pair, tmp_path):
    before = [one.to_dict() for one in tenant.admin.compute.services(binary="nova-compute", host=pair[0])]
    assert not run("nova_compute_service", tmp_path, hosts=[pair[0]], state="enabled")["changed"]
    assert run("nova_compute_service", tmp_path, check=True, hosts=[pair[0]], state="disabled", disabled_reason="never written")["changed"]
    after = [one.to_dict() for one in tenant.admin.compute.services(binary="nova-compute", host=pair[0])]
    for state in (*before, *after):
        state.pop("updated_at")
    assert before == after
    told = run("nova_compute_service", tmp_path, check=True, hosts=[pair[0]], state="absent")
    assert "would register again" in told["msg"] or "still has" in told["msg"]


def test_a_server_moves_there_and_back(tenant, pair, server, tmp_path):
    first, second = pair
    told = run("nova_live_migration", tmp_path, check=True, servers=[server], host=second)
    assert (told.get("changed"), tenant.host(server)) == (True, first), told.get("msg")
    moved = run("nova_live_migration", tmp_path, servers=[server], host=second, migration_timeout=300)
    assert not moved.failed, moved.get("msg")
    assert tenant.host(server) == second
    assert not run("nova_live_migration", tmp_path, servers=[server], host=second)["changed"]
    back = run("nova_live_migration", tmp_path, servers=[tenant.find(server).id], from_host=second, host=first, migration_timeout=300)
    assert not back.failed, back.get("msg")
    assert tenant.host(server) == first


def test_one_that_is_stopped_is_refused_with_the_reason(tenant, pair, server, tmp_path):
    tenant.own.compute.stop_server(tenant.find(server))
    tenant.until(lambda: tenant.find(server).status == "SHUTOFF", "the server is stopped")
    refused = run("nova_live_migration", tmp_path, servers=[server], host=pair[1])
    assert "nothing was begun" in refused["msg"]
    assert "is stopped" in refused["unmovable"][0]["reason"]


def test_a_plan_for_evenness_moves_nothing(tenant, tmp_path):
    def places() -> dict[str, str]:
        return {one.id: one.compute_host for one in tenant.admin.compute.servers(all_projects=True)}

    before = places()
    plan = run("nova_rebalance", tmp_path, check=True, tolerance=5)
    assert not plan.failed, plan.get("msg")
    assert all(plan["spread"]["after"][zone] <= spread for zone, spread in plan["spread"]["before"].items())
    assert places() == before


@pytest.mark.parametrize("what", ["nova_rebalance: carrying out a plan moves servers of others", "nova_compute_service: disabling a host takes it from others"])
def test_left_out(what):
    pytest.skip(what)
