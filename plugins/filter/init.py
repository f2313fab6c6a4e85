# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What playbooks/init.yml makes an inventory with: a profile, answers, and the machines that somebody knows already."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path

import yaml
from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault
from ansible_collections.stratus.cloud.plugins.plugin_utils import collection, profiles

ROOT = Path(__file__).resolve().parents[2]
# What the playbooks and the callback read beside the roles.
PLAYBOOKS = frozenset(("stratus_preflight_report", "stratus_progress", "stratus_time_scale", "stratus_lock_force"))
# Whatever else a machine is doing, somebody has it, or has to see to it first.
FREE = ("New", "Ready")
VIRTUAL = ("lxd", "virsh")


def _yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def names():
    return sorted(path.stem for path in (ROOT / "profiles").glob("*.yml") if path.stem != "schema")


def load(name):
    """(name, profile): one of the collection's, or a file of one's own."""
    path = ROOT / "profiles" / f"{name}.yml" if name in names() else Path(name).expanduser()
    if not path.is_file():
        raise profiles.ProfileError([f"there is no profile {name}: the collection has {', '.join(names())}; a file of your own will do, too"])
    try:
        data = _yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise profiles.ProfileError([f"{path} is no readable YAML: {' '.join(str(error).split())}"]) from error
    return path.stem, profiles.profile(data, _yaml(ROOT / "profiles/schema.yml"), _yaml(ROOT / "bundles/versions.yml"), path.stem)


def variables():
    """Names of all variables that an inventory may set: those of the roles' argument specs, of the example, and of the playbooks."""
    found = {*PLAYBOOKS, *collection.options()}
    for path in (ROOT / "inventories/example/group_vars/all").glob("*.yml"):
        found |= set(_yaml(path))
    return found


def _made(given, profile):
    """{path: text} of the inventory; ProfileError or BundleFault with every problem."""
    name, chosen = load(profile)
    there = [str(ROOT / path) if (ROOT / path).is_file() else os.path.expanduser(path) for path in [chosen["bundle"], *chosen["overlays"]]]
    bundle = bundles.load(there[0], there[1:])
    if faults := bundles.problems(bundle):
        raise BundleFault(faults)
    matrix = _yaml(ROOT / "bundles/versions.yml")
    phases = [phase["name"] for phase in _yaml(ROOT / "playbooks/vars/table1.yml")["phases"]]
    problems = profiles.contradictions(chosen, name, bundle, matrix, variables(), phases)
    example = ROOT / "inventories/example"
    texts = {str(path.relative_to(example)): path.read_text(encoding="utf-8") for path in sorted(example.rglob("*.yml"))}
    try:
        made = profiles.files(chosen, name, {key: value for key, value in given.items() if value not in (None, "")}, texts, bundle, matrix)
    except profiles.ProfileError as error:
        problems += error.problems
    if problems:
        raise profiles.ProfileError(problems)
    return made


def inventory_files(given, profile):
    try:
        made = _made(given, profile)
    except (profiles.ProfileError, BundleFault) as error:
        raise AnsibleFilterError(str(error)) from error
    # The texts hold templates of their own, which are not to be filled in here; older Ansible versions would.
    return wrap_var([{"path": path, "text": text} for path, text in made.items()])


def inventory_problems(given, profile):
    try:
        _made(given, profile)
    except (profiles.ProfileError, BundleFault) as error:
        return wrap_var(list(error.problems))
    return []


def machines_found(known, bmcs=None, take=()):
    """Machines for the answers: free bare metal that MAAS knows and what is named, else one for each BMC that answers."""
    names = {machine["hostname"] for machine in known or []}
    if unknown := [name for name in take if name not in names]:
        raise AnsibleFilterError(f"MAAS knows no machine {', '.join(unknown)}; it has {', '.join(sorted(names)) or 'none'}. Correct init_take.")
    metal = [machine for machine in known or [] if not _reason(machine, take)]
    if metal:
        return [{"hostname": m["hostname"], "mac_addresses": _boot_first(m), "boot_interface": m.get("boot_interface")} for m in metal]
    return [{"bmc_address": bmc["address"]} for bmc in bmcs or [] if bmc.get("reachable")]


def machines_left_out(known, take=()):
    """ "node7 (Deployed, by alice)" for each machine of MAAS that ``machines_found`` does not take."""
    return [f"{machine['hostname']} ({reason})" for machine in known or [] if (reason := _reason(machine, take))]


def _reason(machine, take):
    """Why a machine is nobody's to take; empty when it is free, or named."""
    if machine["hostname"] in take:
        return ""
    if machine.get("power_type") in VIRTUAL:
        return f"a virtual machine of {machine['power_type']}"
    if machine.get("status") not in FREE:
        return str(machine.get("status")) + (f", by {machine['owner']}" if machine.get("owner") else "")
    return ""


def _boot_first(machine):
    macs = list(machine.get("mac_addresses") or [])
    return sorted(macs, key=lambda mac: mac != machine.get("boot_mac"))


def address_range(text, most=256):
    """Every address of 10.0.0.5-10.0.0.9."""
    first, _dash, last = str(text).partition("-")
    try:
        low, high = (int(ipaddress.IPv4Address(part.strip())) for part in (first, last or first))
    except ValueError as error:
        raise AnsibleFilterError(f"{text} is no range of addresses ({error}); write it as 10.42.0.20-10.42.0.30") from error
    if not 0 <= high - low < most:
        raise AnsibleFilterError(f"{text} is no range of 1 to {most} addresses")
    return [str(ipaddress.IPv4Address(number)) for number in range(low, high + 1)]


def neighbours(told, network):
    """ "10.42.0.33 (52:54:00:10:00:01)" for each neighbour in a network, out of what `ip -json neighbour show` prints."""
    inside = ipaddress.ip_network(network, strict=False)
    found = [(ipaddress.ip_address(entry["dst"]), entry["lladdr"]) for entry in json.loads(told or "[]") if entry.get("lladdr")]
    return [f"{address} ({mac})" for address, mac in sorted(found) if address in inside]


class FilterModule:
    def filters(self):
        return {
            "inventory_files": inventory_files,
            "inventory_problems": inventory_problems,
            "machines_found": machines_found,
            "machines_left_out": machines_left_out,
            "address_range": address_range,
            "neighbours": neighbours,
        }
