# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute machines that come and go while the cloud runs: which are meant, where each stands, and what prevents it.

Pure functions over the inventory's variables, what MAAS says of machines (maas_machine_info) and a model's status
(juju_status_info with annotations).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ansible_collections.stratus.cloud.plugins.module_utils.juju.plan import MARK, instance_of
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import juju_model

# The note that add-node leaves with a machine of the model when it has proven to serve.
SERVES = "stratus-node"
# The tag in MAAS of a machine that leaves, from before it leaves the model until its disks are erased.
ERASING = "stratus-erasing"
# Statuses in which a machine that is none of the model's serves somebody else.
OTHERS_USE = ("Allocated", "Deployed", "Deploying", "Failed deployment", "Reserved")
PLACEHOLDER = "CHANGE-ME"
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
# Statuses of MAAS from which a machine that belongs to nobody comes to Ready by itself or by commissioning.
FREE = frozenset(("New", "Commissioning", "Testing", "Failed commissioning", "Failed testing", "Ready", "Releasing", "Disk erasing"))


class NodeError(Exception):
    """It cannot be told which machines are meant."""


# -- which ------------------------------------------------------------------------------------------------------------


def names(wanted, groups, hostvars=None):
    """Host names for what an operator wrote, as a list or with commas; each once, in order.

    A word is a host or a group of the inventory, or a machine's MAC addresses with ``+`` between them: the host that has one of them in
    its ``mac_addresses`` (``hostvars``).
    """
    words = wanted if isinstance(wanted, (list, tuple)) else str(wanted or "").split(",")
    words = [str(word).strip() for word in words if str(word).strip()]
    if not words:
        raise NodeError("Say which machine is meant: -e node=NAME, several with commas, or a group of the inventory.")
    known = set(groups.get("all", ()))
    found, strangers = [], []
    for word in words:
        if word in known:
            found.append(word)
        elif word in groups:
            found += groups[word]
        elif all(MAC.fullmatch(part) for part in word.split("+")):
            found.append(_with_mac(word, groups, hostvars or {}))
        else:
            strangers.append(word)
    if strangers:
        raise NodeError(f"The inventory has neither a host nor a group {', '.join(strangers)}: add it there with mac_addresses and bmc.")
    if not found:
        raise NodeError(f"There is no host in {', '.join(words)}.")
    return list(dict.fromkeys(found))


def _with_mac(word, groups, hostvars):
    wanted = set(word.lower().split("+"))
    hosts = [name for name in groups.get("all", ()) if wanted & {str(mac).lower() for mac in hostvars.get(name, {}).get("mac_addresses") or ()}]
    if len(hosts) == 1:
        return hosts[0]
    if hosts:
        raise NodeError(f"The hosts {', '.join(hosts)} of the inventory share the MAC addresses {word}: correct their mac_addresses.")
    raise NodeError(f"No host of the inventory has the MAC address {word.replace('+', ' or ')} in its mac_addresses: add the host there.")


def applications(machines, application, tag):
    """What a bundle puts on each of its compute machines: those that are tagged as bare metal and carry the application.

    Its applications come first to last by name, the hypervisor before the others. What stands on some of these machines only, or in a
    container, is none of it.
    """
    carriers = [set(machine["applications"]) for machine in machines if tag in (machine.get("tags") or []) and application in machine["applications"]]
    common = set.intersection(*carriers) if carriers else set()
    return sorted(common, key=lambda name: (name != application, name))


# -- where they stand -------------------------------------------------------------------------------------------------


def survey(hosts, machines, status, wanted):
    """One entry for each host, in order: {name, system_id, maas, owner, held, power, erasing, machine, units, others, missing, serves}.

    ``machines``: of MAAS; ``status``: the model; ``wanted``: the applications that belong on a compute machine. ``units`` are those of
    these applications, ``others`` all further ones, ``missing`` the applications that have none yet; ``held``: UUID of the model that has it.
    """
    in_maas = {machine["hostname"]: machine for machine in machines}
    of_instance = {instance_of(about): name for name, about in status["machines"].items() if instance_of(about) and not about["parent"]}
    found = []
    for name in hosts:
        machine = in_maas.get(name) or {}
        number = of_instance.get(machine.get("system_id"))
        units = [unit for unit in status["units"].values() if number is not None and not unit["principal"] and unit["machine"].split("/")[0] == number]
        own = [unit["name"] for unit in units if unit["application"] in wanted and "/" not in unit["machine"]]
        noted = (status["machines"].get(number) or {}).get("annotations") or {}
        missing = [application for application in wanted if not any(unit["application"] == application and unit["name"] in own for unit in units)]
        found.append(
            {
                "name": name,
                "system_id": machine.get("system_id"),
                "maas": machine.get("status"),
                "owner": machine.get("owner"),
                "held": juju_model(machine),
                "power": machine.get("power_state"),
                "erasing": ERASING in (machine.get("tags") or []),
                "machine": number,
                "units": own,
                "others": [unit["name"] for unit in units if unit["name"] not in own],
                "missing": missing,
                "serves": number is not None and not missing and (SERVES in noted or MARK in noted),
            }
        )
    return found


# -- what prevents it -------------------------------------------------------------------------------------------------


def _of_inventory(name, groups, values) -> Iterator[str]:
    """What the inventory lacks for a machine to be added."""
    if name in groups.get("controller", ()):
        yield f"{name} is the controller of this inventory, and cannot serve as a compute machine at the same time."
        return
    if not values.get("mac_addresses"):
        yield f"{name} has no mac_addresses in the inventory: MAAS finds a machine by them."
    bmc = values.get("bmc")
    if bmc is None:
        return
    if not isinstance(bmc, Mapping):
        yield f"{name}.bmc is not a dictionary: give it type, address, user and password."
        return
    lacking = [key for key in ("address", "user", "password") if bmc.get(key) in (None, "", PLACEHOLDER)]
    if bmc.get("type", "ipmi") == "ipmi" and lacking:
        yield f"{name}.bmc has no {', '.join(lacking)}: without them nobody can switch the machine on."


def _of_world(node, model) -> Iterator[str]:
    """What a machine is already that keeps it from becoming a compute machine."""
    name = node["name"]
    if node["machine"] is None and node["maas"] is not None and node["maas"] not in FREE:
        owner = f", owner {node['owner']}" if node["owner"] else ""
        yield f"{name} is {node['maas']} in MAAS ({node['system_id']}{owner}) and no machine of the model {model}: release it there, or choose another."
    if node["machine"] is not None and node["others"]:
        yield f"{name} is machine {node['machine']} of the model {model} and carries {', '.join(node['others'])}: it serves for something else."


def add_problems(nodes, wanted, groups, hostvars, model, bmcs=()):
    """Sentences; empty when all nodes can be added. ``bmcs``: what bmc_info returned."""
    found = []
    if not wanted:
        found.append("The bundle puts no hypervisor on bare metal: there is nothing to add a machine for.")
    silent = {bmc["name"]: bmc for bmc in bmcs if bmc.get("error")}
    for node in nodes:
        if node["serves"]:
            continue
        found += _of_inventory(node["name"], groups, hostvars[node["name"]])
        found += _of_world(node, model)
        if node["name"] in silent:
            bmc = silent[node["name"]]
            found.append(f"The BMC of {node['name']} at {bmc['address']} cannot be used: {bmc['error']}.")
    return found


# -- leaving ----------------------------------------------------------------------------------------------------------


def _known_to_cloud(left):
    return bool(left["service"] or left["agents"] or left["providers"])


def going(nodes, left):
    """Those of the nodes that are still part of the cloud in some way. ``left``: of nova_drain_info."""
    return [
        node
        for node in nodes
        if node["machine"] is not None or _known_to_cloud(left[node["name"]]) or node["erasing"] or node["maas"] in ("Releasing", "Disk erasing")
    ]


def remove_problems(nodes, application, model, left):
    """Sentences; empty when all nodes can be taken out of the model."""
    found = []
    for node in nodes:
        name = node["name"]
        # What has data or duties of its own that nobody here moves away: storage, control services, containers.
        others = node["others"] + [unit for unit in node["units"] if unit.rpartition("/")[0] != application]
        if node["machine"] is not None and others:
            found.append(f"{name} (machine {node['machine']} of the model {model}) also carries {', '.join(others)}: empty and remove that first.")
        if _others(node):
            known = " although nova knows it" if _known_to_cloud(left[name]) else ""
            found.append(
                f"{name} is {node['maas']} in MAAS ({node['system_id']}) and no machine of the model {model}{known}: it is not this cloud's to release."
            )
    return found


def _others(node):
    """Whether a machine that has left the model serves somebody else. One that is Allocated to be erased is held by a run that was killed."""
    return node["machine"] is None and node["maas"] in OTHERS_USE and not (node["maas"] == "Allocated" and node["erasing"] and not node["held"])


def taken(nodes, machines):
    """Names of those of the nodes (as they were in the model) that somebody else has in MAAS by now (``machines``). One that Juju left behind is not."""
    now = {machine["hostname"]: machine for machine in machines}
    found = []
    for node in nodes:
        machine = now.get(node["name"])
        if machine is None:
            continue
        left_behind = bool(node["held"]) and node["held"] == juju_model(machine)
        if not left_behind and _others({**node, "machine": None, "maas": machine["status"], "held": juju_model(machine)}):
            found.append(node["name"])
    return found


def remains(nodes, model, left, taken=()):
    """What is left of nodes that should be gone, in sentences. ``taken``: those that somebody else has by now."""
    found = []
    for node in nodes:
        name, cloud = node["name"], left[node["name"]]
        if node["machine"] is not None:
            found.append(f"{name} is still machine {node['machine']} of the model {model}.")
        if node["maas"] not in (None, "Ready", "New") and name not in taken:
            found.append(f"{name} is {node['maas']} in MAAS.")
        parts = [part for part in ("service", "agents", "providers") if cloud[part]]
        if parts:
            found.append(f"The cloud still has {' and '.join(parts)} of {name}.")
    return found
