"""What actions of charms do and answer. A function takes the unit's view and the parameters; ``Failed`` is the charm's refusal."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from lab.world import pki
from lab.world.juju import special

Function = Callable[[Any, dict[str, Any]], dict[str, Any]]


class Failed(Exception):
    """The action failed; the text is its message, ``output`` what it had set by then."""

    def __init__(self, message: str, output: dict | None = None):
        super().__init__(message)
        self.output = output or {}


def duration(charm: str, name: str) -> str:
    """The profile's name for the action's duration."""
    return "juju_action_long" if name in LONG else "juju_action"


def asks_nova(charm: str, name: str) -> bool:
    """Whether the action's outcome depends on the servers of the unit's host."""
    return charm == "nova-compute" and name in ("instance-count", "remove-from-cloud")


def run(view: Any, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    function = ACTIONS.get((view.charm, name)) or COMMON.get(name)
    if function is None:
        raise Failed(f"the lab does not simulate the action {name} of {view.charm}")
    return function(view, parameters)


# -- every charm --------------------------------------------------------------------------------------------------------
def pause(view: Any, parameters: dict) -> dict:
    view.unit["state"]["paused"] = True
    return {}


def resume(view: Any, parameters: dict) -> dict:
    view.unit["state"].pop("paused", None)
    return {}


def shell(view: Any, parameters: dict) -> dict:
    """``juju exec``: the few commands that mean something here."""
    command = str(parameters.get("command", "")).strip()
    if command.startswith("leader-get") and view.charm == "keystone" and "admin_passwd" in command:
        return {"stdout": _password(view) + "\n", "stderr": ""}
    if command == "hooks/update-status":
        view.unit["state"].pop("unseen", None)
    if command.startswith("hooks/") or command == "true" or not command:
        return {"stdout": "", "stderr": ""}
    if command == "hostname":
        machine = view.model["machines"].get(view.unit["machine"]) or {}
        return {"stdout": f"{machine.get('hostname', '')}\n", "stderr": ""}
    if command.startswith("echo "):
        return {"stdout": command[5:].strip("'\"") + "\n", "stderr": ""}
    raise Failed(f"the lab has no shell for: {command.split()[0]}")


# -- vault --------------------------------------------------------------------------------------------------------------
def _vault(function: str, lead: bool = True) -> Callable[..., Any]:
    """Call the world's Vault for the unit; its refusals become the action's."""

    def call(view: Any, *arguments: Any) -> Any:
        if lead and not view.leader:
            raise Failed("Please run action on lead unit")
        try:
            return getattr(view.juju.world.vault, function)(view.model, view.app["name"], view.unit["name"], *arguments)
        except ValueError as error:
            raise Failed(str(error)) from None

    return call


def _decoded(text: str, name: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Failed(f"binascii.Error: {name} is not valid base64") from None


def vault_authorize(view: Any, parameters: dict) -> dict:
    _vault("authorize")(view, parameters["token"])
    return {}


def vault_generate_root(view: Any, parameters: dict) -> dict:
    return {"output": _vault("generate_root_ca")(view)}


def vault_get_root(view: Any, parameters: dict) -> dict:
    return {"output": _vault("root_ca", lead=False)(view)}


def vault_csr(view: Any, parameters: dict) -> dict:
    return {"output": _vault("request_csr")(view, parameters)}


def vault_upload(view: Any, parameters: dict) -> dict:
    root = parameters.get("root-ca")
    _vault("upload_csr")(view, _decoded(parameters["pem"], "pem"), _decoded(root, "root-ca") if root else None)
    return {}


def vault_reissue(view: Any, parameters: dict) -> dict:
    _vault("reissue", lead=False)(view)
    return {}


def vault_disable(view: Any, parameters: dict) -> dict:
    _vault("disable_pki")(view)
    return {}


def vault_certificate(view: Any, parameters: dict) -> dict:
    chain = _vault("root_ca")(view)
    name = parameters.get("common-name") or "server"
    ca = view.juju.world.vault.ca(view.model["uuid"])
    cert, key = pki.leaf(ca["cert"], ca["key"], [name, *str(parameters.get("sans") or "").split()], [])
    return {"output": json.dumps({"certificate": cert, "private_key": key, "issuing_ca": chain})}


def vault_restart(view: Any, parameters: dict) -> dict:
    view.juju.world.vault.restart(view.model, view.unit)
    return {}


def vault_pause(view: Any, parameters: dict) -> dict:
    vault_restart(view, parameters)
    return pause(view, parameters)


def vault_resume(view: Any, parameters: dict) -> dict:
    vault_restart(view, parameters)
    return resume(view, parameters)


# -- OpenStack ----------------------------------------------------------------------------------------------------------
def _password(view: Any) -> str:
    return view.juju.engine.effects.openstack_password()


def keystone_password(view: Any, parameters: dict) -> dict:
    if not view.leader:
        raise Failed("This action must be run on the leader unit")
    return {"password": _password(view)}


def keystone_users(view: Any, parameters: dict) -> dict:
    return {"usernames": ",".join(sorted(a for a in view.model["applications"] if a != "keystone"))}


def nova_clear_cache(view: Any, parameters: dict) -> dict:
    """The units whose host keys are looked up anew: all hypervisors, those of an application, or one; nothing is said of a target that fits none."""
    target = str(parameters.get("target") or "")
    fitting = [u for u in _hypervisors(view) if target in ("", u["name"], u["app"])]
    addresses = {u["name"]: (view.model["machines"].get(u["machine"]) or {}).get("address") for u in fitting}
    return {"units-updated": str([{name: address} for name, address in addresses.items() if address])}


def _hypervisors(view: Any) -> list[dict]:
    return [u for u in view.model["units"].values() if view.model["applications"][u["app"]]["charm"] == "nova-compute"]


def nova_sync_zones(view: Any, parameters: dict) -> dict:
    return {"output": ""}


def _compute_name(view: Any) -> str:
    return (view.model["machines"].get(view.unit["machine"]) or {}).get("hostname", "")


def _compute_state(key: str, value: bool) -> Function:
    def change(view: Any, parameters: dict) -> dict:
        view.unit["state"][key] = value
        return {}

    return change


def _running(view: Any, name: str) -> int:
    """How many servers Nova has on the unit's host, as it was asked when the action began (charm-nova-compute, lib/nova_compute/cloud_utils.py)."""
    count = view.unit["state"].pop("servers", 0)
    if "removed" in view.unit["state"]:
        raise Failed(
            f"Action {name} failed: Nova compute node '{_compute_name(view)}.maas' not found in the list of hypervisors. "
            "Is the unit already removed from the cloud?"
        )
    if count is None:
        raise Failed(f"Action {name} failed: Unable to establish connection to the compute service")
    return int(count)


def compute_remove(view: Any, parameters: dict) -> dict:
    if _running(view, "remove-from-cloud"):
        raise Failed(
            "Action remove-from-cloud failed: This unit can not be removed from the cloud because it's still running VMs. "
            "Please remove these VMs or migrate them to another nova-compute unit"
        )
    view.unit["state"]["removed"] = view.juju.engine.now()
    view.juju.engine.after(special.UPDATE_STATUS, "juju.recompute", model=view.model["uuid"])
    return {"message": "Unit was removed from the cloud"}


def compute_register(view: Any, parameters: dict) -> dict:
    view.unit["state"].pop("removed", None)
    return {"output": "Nova compute service started"}


def compute_instances(view: Any, parameters: dict) -> dict:
    return {"instance-count": str(_running(view, "instance-count"))}


def compute_name(view: Any, parameters: dict) -> dict:
    return {"node-name": f"{_compute_name(view)}.maas"}


def compute_list(view: Any, parameters: dict) -> dict:
    hosts = [(view.model["machines"].get(u["machine"]) or {}).get("hostname", "") for u in _hypervisors(view) if "start" in u["done"]]
    return {"compute-nodes": json.dumps([{"id": n + 1, "host": h, "state": "up", "status": "enabled"} for n, h in enumerate(hosts)])}


def ceilometer_upgrade(view: Any, parameters: dict) -> dict:
    if not (view.complete("metric-service") and view.complete("identity-credentials")):
        raise Failed("The identity-credentials and or metric-service relations are not complete. ceilometer-upgrade cannot be run until they are ready.")
    if not view.leader:
        command = "Command '['leader-set', 'ceilometer_upgrade_run=True']' returned non-zero exit status 1."
        raise Failed(f"ceilometer-upgrade resulted in an unexpected error: {command}", {"outcome": "ceilometer-upgrade failed, see traceback."})
    view.app["state"]["upgraded"] = True
    return {"outcome": "success, ceilometer-upgrade completed."}


# -- databases and brokers ----------------------------------------------------------------------------------------------
def mysql_status(view: Any, parameters: dict) -> dict:
    members = {}
    for number, peer in enumerate(sorted((p for p in view.peers() if "cluster" in p.done), key=lambda p: p.unit["number"])):
        address = (view.model["machines"].get(peer.unit["machine"]) or {}).get("address")
        members[f"{address}:3306"] = {
            "address": f"{address}:3306",
            "memberRole": "SECONDARY" if number else "PRIMARY",
            "mode": "R/O" if number else "R/W",
            "status": "ONLINE",
            "version": "8.0.39",
        }
    if not members or view.app["state"].get("outage"):
        raise Failed("Cluster status failed: the cluster is not available")
    tolerated = (len(members) - 1) // 2
    text = f"Cluster is ONLINE and can tolerate up to {'ONE failure' if tolerated == 1 else f'{tolerated} failures'}."
    replica_set = {
        "name": "default",
        "primary": next(iter(members)),
        "ssl": "REQUIRED",
        "status": "OK" if tolerated else "OK_NO_TOLERANCE",
        "statusText": text,
        "topology": members,
        "topologyMode": "Single-Primary",
    }
    return {"cluster-status": json.dumps({"clusterName": "jujuCluster", "defaultReplicaSet": replica_set})}


def _refused(text: str) -> Failed:
    """As the charm tells of it (charm-mysql-innodb-cluster, src/actions/actions.py): mysqlsh's own words are in the results, not in the message."""
    return Failed("Reboot cluster from complete outage failed.", {"output": text, "traceback": "Traceback (most recent call last): ..."})


def mysql_reboot(view: Any, parameters: dict) -> dict:
    """After an outage only the unit with the newest data may start the cluster; the refusal names it."""
    outage = view.app["state"].get("outage")
    if not outage:
        raise _refused("Dba.rebootClusterFromCompleteOutage: The Cluster is ONLINE")
    newest = outage if isinstance(outage, str) else view.app["leader"]
    if view.unit["name"] != newest:
        machine = view.model["machines"].get(view.model["units"][newest]["machine"]) or {}
        address = machine.get("address")
        raise _refused(
            "Dba.rebootClusterFromCompleteOutage: The active session instance isn't the most updated in comparison with the ONLINE "
            f"instances of the Cluster's metadata. Please use the most up to date instance: '{address}:3306'."
        )
    view.app["state"].pop("outage", None)
    for peer in view.peers():
        peer.unit["state"].pop("down", None)
    return {"outcome": "Success", "output": "The Cluster was successfully rebooted."}


def rabbit_status(view: Any, parameters: dict) -> dict:
    nodes = [special.queue_node(peer) for peer in view.peers() if peer.started]
    return {"output": f"Running Nodes\n\n{chr(10).join(nodes)}\n"}


def rabbit_force_boot(view: Any, parameters: dict) -> dict:
    """The broker starts without the one that was the cluster's last, and the others find one to join."""
    view.app["state"].pop("queue_last", None)
    return {"output": f"Forcing boot for Mnesia dir /var/lib/rabbitmq/mnesia/{special.queue_node(view)} ...\n"}


def ovn_status(view: Any, parameters: dict) -> dict:
    state = {"status": "cluster member", "role": "leader" if view.leader else "follower", "servers": len(view.peers())}
    return {"ovnnb": json.dumps(state), "ovnsb": json.dumps(state)}


LONG = {"reboot-cluster-from-complete-outage", "mysqldump", "openstack-upgrade", "package-upgrade", "generate-root-ca", "authorize-charm", "ceilometer-upgrade"}

COMMON: dict[str, Function] = {"pause": pause, "resume": resume, "juju-run": shell, "juju-exec": shell}

ACTIONS: dict[tuple[str, str], Function] = {
    ("vault", "authorize-charm"): vault_authorize,
    ("vault", "generate-root-ca"): vault_generate_root,
    ("vault", "get-root-ca"): vault_get_root,
    ("vault", "get-csr"): vault_csr,
    ("vault", "regenerate-intermediate-ca"): vault_csr,
    ("vault", "upload-signed-csr"): vault_upload,
    ("vault", "reissue-certificates"): vault_reissue,
    ("vault", "disable-pki"): vault_disable,
    ("vault", "generate-certificate"): vault_certificate,
    ("vault", "restart"): vault_restart,
    ("vault", "pause"): vault_pause,
    ("vault", "resume"): vault_resume,
    ("keystone", "get-admin-password"): keystone_password,
    ("keystone", "list-service-usernames"): keystone_users,
    ("nova-cloud-controller", "clear-unit-knownhost-cache"): nova_clear_cache,
    ("nova-cloud-controller", "sync-compute-availability-zones"): nova_sync_zones,
    ("nova-compute", "disable"): _compute_state("disabled", True),
    ("nova-compute", "enable"): _compute_state("disabled", False),
    ("nova-compute", "remove-from-cloud"): compute_remove,
    ("nova-compute", "register-to-cloud"): compute_register,
    ("nova-compute", "instance-count"): compute_instances,
    ("nova-compute", "node-name"): compute_name,
    ("nova-compute", "list-compute-nodes"): compute_list,
    ("ceilometer", "ceilometer-upgrade"): ceilometer_upgrade,
    ("mysql-innodb-cluster", "cluster-status"): mysql_status,
    ("mysql-innodb-cluster", "reboot-cluster-from-complete-outage"): mysql_reboot,
    ("rabbitmq-server", "cluster-status"): rabbit_status,
    ("rabbitmq-server", "force-boot"): rabbit_force_boot,
    ("ovn-central", "cluster-status"): ovn_status,
}
