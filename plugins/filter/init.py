# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What playbooks/init.yml makes an inventory with: a profile, answers, and the machines that somebody knows already."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import yaml
from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault
from ansible_collections.stratus.cloud.plugins.plugin_utils import profiles

ROOT = Path(__file__).resolve().parents[2]


def _yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def names():
    return sorted(path.stem for path in (ROOT / "profiles").glob("*.yml") if path.stem != "schema")


def load(name):
    """(name, profile): one of the collection's, or a file of one's own."""
    path = ROOT / "profiles" / f"{name}.yml" if name in names() else Path(name).expanduser()
    if not path.is_file():
        raise AnsibleFilterError(f"There is no profile {name}. The collection has {', '.join(names())}; a file of your own will do, too.")
    return path.stem, profiles.profile(_yaml(path), _yaml(ROOT / "profiles/schema.yml"), _yaml(ROOT / "bundles/versions.yml"), path.stem)


def inventory_files(given, profile):
    try:
        name, chosen = load(profile)
        there = [str(ROOT / path) if (ROOT / path).is_file() else path for path in [chosen["bundle"], *chosen["overlays"]]]
        bundle = bundles.load(there[0], there[1:])
        example = ROOT / "inventories/example"
        texts = {str(path.relative_to(example)): path.read_text(encoding="utf-8") for path in sorted(example.rglob("*.yml"))}
        made = profiles.files(chosen, name, {key: value for key, value in given.items() if value not in (None, "")}, texts, bundle)
    except (profiles.ProfileError, BundleFault) as error:
        raise AnsibleFilterError(str(error)) from error
    # The texts hold templates of their own, which are not to be filled in here; older Ansible versions would.
    return wrap_var([{"path": path, "text": text} for path, text in made.items()])


def machines_found(known, bmcs=None):
    """Machines for the answers: bare metal that MAAS knows, else one for each BMC that answers."""
    metal = [machine for machine in known or [] if machine.get("power_type") != "lxd"]
    if metal:
        return [{"hostname": machine["hostname"], "mac_addresses": _boot_first(machine)} for machine in metal]
    return [{"bmc_address": bmc["address"]} for bmc in bmcs or [] if bmc.get("reachable")]


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
        return {"inventory_files": inventory_files, "machines_found": machines_found, "address_range": address_range, "neighbours": neighbours}
