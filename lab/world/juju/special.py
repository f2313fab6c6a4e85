"""What a charm's status says of a unit: functions of what the unit has behind it, in the words of the real charms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Status = tuple[str, str]
UPDATE_STATUS = 300.0
"""Virtual seconds between two hooks update-status; each writes anew what an action has left as the status."""

PAUSED = ("maintenance", "Paused. Use 'resume' action to resume normal service.")


def assess(view: Any) -> Status:
    """(workload status, message) of a unit whose start hook is behind it."""
    function = SPECIAL.get(view.behaviour.get("special", ""), generic)
    # Vault's charm does not look whether it was paused (charm-vault, src/reactive/vault_handlers.py, _assess_status).
    if view.unit["state"].get("paused") and function is not vault:
        return PAUSED
    return function(view)


def generic(view: Any) -> Status:
    return requirements(view) or ("active", view.behaviour.get("ready", "Unit is ready"))


def requirements(view: Any) -> Status | None:
    """What is missing or incomplete, as the two generations of charms say it; None when nothing is."""
    needs = view.behaviour.get("needs") or []
    return _reactive(view, needs) if isinstance(needs, list) else _groups(view, needs)


def _groups(view: Any, needs: dict[str, list[str]]) -> Status | None:
    groups = dict(needs)
    for name, endpoints in (view.behaviour.get("optional") or {}).items():
        if any(view.related(e) for e in endpoints):
            groups[name] = endpoints
    missing = [g for g, endpoints in groups.items() if not any(view.related(e) for e in endpoints)]
    if missing:
        return "blocked", f"Missing relations: {', '.join(sorted(missing))}"
    incomplete = [g for g, endpoints in groups.items() if not any(view.complete(e) for e in endpoints)]
    if incomplete:
        return "waiting", f"Incomplete relations: {', '.join(sorted(incomplete))}"
    return None


def _reactive(view: Any, needs: list[str]) -> Status | None:
    missing = [f"'{e}' missing" for e in needs if not view.related(e)]
    incomplete = [f"'{e}' {waiting_for(e)}" for e in needs if view.related(e) and not view.complete(e)]
    if missing:
        return "blocked", ", ".join(missing + incomplete)
    return ("waiting", ", ".join(incomplete)) if incomplete else None


def waiting_for(endpoint: str) -> str:
    return "awaiting server certificate data" if endpoint == "certificates" else "incomplete"


def mysql_innodb_cluster(view: Any) -> Status:
    """``unseen`` is what a unit said before a power cut, until its charm looks again."""
    peers = view.peers()
    if view.unit["state"].get("unseen"):
        return view.unit["state"]["unseen"]
    if view.unit["state"].get("stopped"):
        return "blocked", "MySQL is down on this instance"
    if view.unit["state"].get("down") or view.app["state"].get("outage"):
        return "blocked", "Cluster is inaccessible from this instance. Please check logs for details."
    if "cluster" not in view.done:
        if len([p for p in peers if p.started]) < view.behaviour["cluster"]["least"]:
            return "waiting", "Cluster jujuCluster not yet created by leader, Not all instances configured for clustering, Instance not yet in the cluster"
        return "waiting", "Instance not yet in the cluster, Not all instances clustered"
    if view.unit["life"] != "alive":
        return "waiting", "This unit is departing. Shutting down."
    clustered = sorted((p for p in peers if "cluster" in p.done), key=lambda p: p.unit["number"])
    mode = "R/W" if clustered[0].unit["name"] == view.unit["name"] else "R/O"
    tolerated = (len(clustered) - 1) // 2
    text = f"Cluster is ONLINE and can tolerate up to {'ONE failure' if tolerated == 1 else f'{tolerated} failures'}."
    return "active", f"Unit is ready: Mode: {mode}, {text}"


def mysql_router(view: Any) -> Status:
    found = requirements(view)
    if found and found[0] == "waiting":
        return "waiting", f"{found[1]}, MySQL Router not yet bootstrapped"
    if view.unit["state"].get("stopped"):
        return "blocked", "Failed to connect to MySQL"
    return found or ("active", "Unit is ready")


def queue_node(view: Any) -> str:
    return f"rabbit@{(view.model['machines'].get(view.unit['machine']) or {}).get('hostname', '')}"


def rabbitmq_server(view: Any) -> Status:
    """As the charm's assess_cluster_status words it (its hooks/rabbit_utils.py)."""
    peers = view.peers()
    if len(peers) == 1:
        return "active", "Unit is ready"
    if view.app["state"].get("queue_last") not in (None, view.unit["name"]):
        return "waiting", "Unit has peers, but RabbitMQ not clustered"
    away = [queue_node(peer) for peer in peers if view.juju.units.lost(view.model, peer.unit)]
    if away:
        return "blocked", f"Node {away[0]} in the cluster but not running. If it is a departed node, remove with `forget-cluster-node` action"
    return "active", "Unit is ready and clustered"


def vault(view: Any) -> Status:
    waiting = [e for e in ("shared-db", "db", "etcd") if view.related(e) and not view.complete(e)]
    if waiting or view.unit["state"].get("gave_up") or view.unit["state"].get("paused"):
        return "blocked", "Vault service not running"
    return view.juju.world.vault.assess(view)


def ovn_central(view: Any) -> Status:
    found = requirements(view)
    if found:
        return found
    first = min((p.unit["number"] for p in view.peers() if "cluster" in p.done), default=None)
    leads = first == view.unit["number"]
    return "active", "Unit is ready (leader: ovnnb_db, ovnsb_db northd: active)" if leads else "Unit is ready"


def nova_compute(view: Any) -> Status:
    removed = view.unit["state"].get("removed")
    if removed is None:
        return generic(view)
    if view.juju.engine.now() - removed < UPDATE_STATUS:
        return "blocked", "Unit was removed from the cloud"
    # The hook knows nothing of the action: it finds a service that does not run.
    return "blocked", "Services not running that should be: nova-compute"


def ceilometer(view: Any) -> Status:
    """charm-ceilometer, lib/ceilometer_utils.py: what is missing and the call for its action come together."""
    found = requirements(view)
    if not view.related("metric-service") or view.app["state"].get("upgraded"):
        return found or ("active", "Unit is ready")
    asks = "Run the ceilometer-upgrade action on the leader to initialize ceilometer and gnocchi"
    return "blocked", f"{found[1]}, {asks}" if found else asks


def ceph_mon(view: Any) -> Status:
    wanted = int(view.option("monitor-count") or 3)
    if len(view.peers()) < wanted:
        return "blocked", f"Insufficient peer units to bootstrap cluster (require {wanted})"
    if "cluster" not in view.done:
        return "waiting", "Peer units detected, waiting for addresses"
    if not any(view.complete(e) for e in ("osd",)):
        return "waiting", "Monitor bootstrapped but waiting for number of OSDs to reach expected-osd-count"
    return "active", "Unit is ready and clustered"


def ceph_osd(view: Any) -> Status:
    if not view.related("mon"):
        return "blocked", "Missing relation: monitor"
    if not view.complete("mon"):
        return "waiting", "Incomplete relation: monitor"
    devices = str(view.option("osd-devices") or "").split()
    if not devices:
        return "blocked", "No block devices detected using current configuration"
    return "active", f"Unit is ready ({len(devices)} OSD)"


SPECIAL: dict[str, Callable[[Any], Status]] = {
    "mysql-innodb-cluster": mysql_innodb_cluster,
    "mysql-router": mysql_router,
    "rabbitmq-server": rabbitmq_server,
    "vault": vault,
    "ovn-central": ovn_central,
    "nova-compute": nova_compute,
    "ceilometer": ceilometer,
    "ceph-mon": ceph_mon,
    "ceph-osd": ceph_osd,
}
