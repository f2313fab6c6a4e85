# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Finding machines by whatever name people have for them, and declaring them. Always for a whole set."""

from __future__ import annotations

import json
import re

from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import chunks
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import IN_USE, machine_status

MAC = re.compile(r"^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$", re.I)
SYSTEM_ID = re.compile(r"^[a-z0-9]{6}$")
BATCH = 500

# Every power parameter that the drivers of 3.5 to 3.7 describe, and which of them are secrets.
# fmt: off
POWER_PARAMETERS = (
    "blade_id", "certificate", "cipher_suite_id", "instance_name", "lpar", "mac_address", "node_id", "node_outlet",
    "nova_id", "os_authurl", "os_tenantname", "os_username", "outlet_id", "pdu_type", "power_address",
    "power_boot_type", "power_control", "power_driver", "power_hwaddress", "power_id", "power_off_mode",
    "power_off_regex", "power_off_uri", "power_on_delay", "power_on_regex", "power_on_uri", "power_partition_name",
    "power_port", "power_protocol", "power_query_uri", "power_token_name", "power_user", "power_uuid",
    "power_verify_ssl", "power_vm_name", "privilege_level", "project", "server_name", "system_id", "uuid",
)
# fmt: on
POWER_SECRETS = ("k_g", "key", "os_password", "password", "power_pass", "power_token", "power_token_secret")
HIDDEN = "VALUE HIDDEN"

# What a BMC's plain words are called by MAAS's power drivers; everything under 'parameters' of an inventory's bmc goes through as it is.
BMC_WORDS = {"address": "power_address", "user": "power_user", "password": "power_pass"}


def power_options():
    options = {name: dict(type="str", no_log=False) for name in POWER_PARAMETERS}
    options.update({name: dict(type="str", no_log=True) for name in POWER_SECRETS})
    options["workaround_flags"] = dict(type="list", elements="str", no_log=False)
    return options


def mac(value):
    return str(value).strip().lower().replace("-", ":")


def macs_of(machine):
    if "interface_set" not in machine:
        return set(machine.get("mac_addresses") or ())
    return {mac(interface["mac_address"]) for interface in machine.get("interface_set") or [] if interface.get("mac_address")}


def short(name):
    return str(name).split(".", 1)[0]


# Look-ups: a constant number of requests for a set, and never the whole region


def same(machine):
    return machine


def only(*names):
    """A slim view that keeps these of a machine's fields, beside what every look-up needs."""
    kept = {*names, "system_id", "hostname", "fqdn", "status", "status_name", "interface_set", "locked"}

    def slim(machine):
        return {name: value for name, value in machine.items() if name in kept}

    return slim


def _read(client, key, values, slim, **filters):
    """Machines whose ``key`` is one of the values. ``slim`` is applied batch by batch: a thousand whole machines fill the memory."""
    found = []
    for batch in chunks(sorted(set(values)), BATCH, lambda item: len(item) + len(key) + 2 + 2 * item.count(":")):
        found += [slim(machine) for machine in client.read("Machines", what=f"look machines up by {key}", **{key: batch}, **filters)]
    return found


def by_macs(client, macs, slim=same):
    return _read(client, "mac_address", macs, slim)


def by_hostnames(client, names, slim=same):
    return _read(client, "hostname", (short(name) for name in names), slim)


def by_ids(client, ids, slim=same, **filters):
    return _read(client, "id", ids, slim, **filters)


def lookup(client, names, slim=same):
    """{name: machine or None} for hostnames, FQDNs, MACs and system_ids; at most three requests for each 500 names."""
    names = [str(name) for name in names]
    macs = [mac(name) for name in names if MAC.match(name)]
    hosts = [name for name in names if not MAC.match(name)]
    machines = (by_hostnames(client, hosts, slim) if hosts else []) + (by_macs(client, macs, slim) if macs else [])
    index = _index(machines)
    ids = [name for name in hosts if name.lower() not in index and SYSTEM_ID.match(name)]
    if ids:
        index.update(_index(by_ids(client, ids, slim)))
    return {name: index.get(mac(name) if MAC.match(name) else name.lower()) for name in names}


def _index(machines):
    index = {}
    for machine in machines:
        for key in [machine["system_id"], machine["hostname"].lower(), (machine.get("fqdn") or machine["hostname"]).lower(), *macs_of(machine)]:
            index.setdefault(key, machine)
    return index


def require(client, names, slim=same):
    """As ``lookup``, but every name has to exist. Returns {name: machine} in the order given, each machine once."""
    found = lookup(client, names, slim)
    missing = [name for name, machine in found.items() if machine is None]
    if missing:
        raise MaasError(
            f"This region knows no machine {', '.join(missing)}. Declare it with maas_machine, or let it boot from the network so that MAAS enlists it.",
            missing=missing,
        )
    seen, result = set(), {}
    for name, machine in found.items():
        if machine["system_id"] not in seen:
            seen.add(machine["system_id"])
            result[name] = machine
    return result


# What people want to know of a machine


def summary(machine):
    if "interface_set" not in machine:
        return machine
    boot = machine.get("boot_interface") or {}
    return {
        "system_id": machine["system_id"],
        "hostname": machine["hostname"],
        "fqdn": machine.get("fqdn"),
        "status": machine_status(machine),
        "status_message": machine.get("status_message"),
        "power_state": machine.get("power_state"),
        "power_type": machine.get("power_type"),
        "architecture": machine.get("architecture"),
        "cpu_count": machine.get("cpu_count"),
        "memory": machine.get("memory"),
        "storage": machine.get("storage"),
        "pool": (machine.get("pool") or {}).get("name"),
        "zone": (machine.get("zone") or {}).get("name"),
        "domain": (machine.get("domain") or {}).get("name"),
        "tags": sorted(machine.get("tag_names") or []),
        "owner": machine.get("owner"),
        "owner_data": dict(machine.get("owner_data") or {}),
        "locked": machine.get("locked"),
        "testing_status": machine.get("testing_status"),
        "osystem": machine.get("osystem"),
        "distro_series": machine.get("distro_series"),
        "ip_addresses": machine.get("ip_addresses") or [],
        "mac_addresses": sorted(macs_of(machine)),
        "boot_interface": boot.get("name"),
        "boot_mac": mac(boot["mac_address"]) if boot.get("mac_address") else None,
        "interfaces": [interface_summary(interface) for interface in machine.get("interface_set") or []],
        "description": machine.get("description"),
    }


def interface_summary(interface):
    return {
        "id": interface["id"],
        "name": interface["name"],
        "type": interface["type"],
        "mac_address": interface.get("mac_address"),
        "parents": interface.get("parents") or [],
        "bridge_type": (interface.get("params") or {}).get("bridge_type") if isinstance(interface.get("params"), dict) else None,
        "vlan": (interface.get("vlan") or {}).get("id"),
        "links": [
            {"id": link["id"], "mode": link["mode"], "subnet": (link.get("subnet") or {}).get("cidr"), "ip_address": link.get("ip_address")}
            for link in interface.get("links") or []
        ],
    }


# Declaring


def architecture(value):
    return value if "/" in value else f"{value}/generic"


def check_entries(entries):
    """Mistakes that can be seen without asking the region, all together."""
    problems, owners = [], {}
    for number, entry in enumerate(entries, 1):
        called = entry.get("hostname") or entry.get("system_id") or f"entry {number}"
        macs = [mac(value) for value in entry.get("mac_addresses") or []]
        if not (entry.get("hostname") or entry.get("system_id") or macs):
            problems.append(f"entry {number} has neither hostname, system_id nor mac_addresses")
        for value in macs:
            if not MAC.match(value):
                problems.append(f"{called}: {value!r} is no MAC address")
            elif value in owners and owners[value] != number:
                problems.append(f"{called}: MAC {value} is also given to entry {owners[value]}")
            owners.setdefault(value, number)
        host = entry.get("hostname")
        if host and ("host", host.lower()) in owners:
            problems.append(f"hostname {host} is given twice")
        if host:
            owners[("host", host.lower())] = number
    if problems:
        raise MaasError("; ".join(problems), problems=problems)


def identify(entries, machines):
    """[(entry, machine or None)]: by system_id, then MAC, then hostname. Contradictions are errors, never guesses."""
    index = _index(machines)
    result, taken = [], {}
    for entry in entries:
        macs = [mac(value) for value in entry.get("mac_addresses") or []]
        by_id = index.get(entry["system_id"]) if entry.get("system_id") else None
        if entry.get("system_id") and by_id is None:
            raise MaasError(f"There is no machine with system_id {entry['system_id']}")
        mac_found = {index[value]["system_id"]: index[value] for value in macs if value in index}
        host = entry.get("hostname")
        by_host = index.get(host.lower()) if host else None
        if len(mac_found) > 1:
            known = ", ".join(f"{m['hostname']} ({m['system_id']})" for m in mac_found.values())
            raise MaasError(f"The MAC addresses of {host or macs[0]} belong to different machines: {known}")
        by_mac = next(iter(mac_found.values()), None)
        found = by_id or by_mac or by_host
        if by_mac is not None and found is not by_mac and by_mac["system_id"] != found["system_id"]:
            raise MaasError(f"{host or entry.get('system_id')}: system_id is {found['system_id']}, but its MAC belongs to {by_mac['hostname']}")
        if by_host is not None and found is not None and by_host["system_id"] != found["system_id"]:
            raise MaasError(
                f"{host}: the machine with its MAC is {found['hostname']} ({found['system_id']}), but another one, {by_host['system_id']}, has that hostname. "
                "Rename or delete one of them."
            )
        if found is by_host and found is not None and by_mac is None and by_id is None and macs and macs_of(found):
            raise MaasError(
                f"{host}: the machine of that name ({found['system_id']}) has the MAC addresses {', '.join(sorted(macs_of(found)))}, none of those given. "
                "Correct mac_addresses, or delete the old machine."
            )
        if found is not None:
            if found["system_id"] in taken:
                raise MaasError(f"{taken[found['system_id']]} and {host or macs[:1]} are the same machine, {found['system_id']}")
            taken[found["system_id"]] = host or found["hostname"]
        result.append((entry, found))
    return result


# What the declaration of a machine is compared with, and what its summary shows.
DECLARED = [
    "architecture",
    "boot_interface",
    "cpu_count",
    "description",
    "distro_series",
    "domain",
    "ip_addresses",
    "memory",
    "osystem",
    "owner",
    "pool",
    "power_state",
    "power_type",
    "status_message",
    "storage",
    "tag_names",
    "testing_status",
    "zone",
]


def known_machines(client, entries):
    """The machines that any of the entries may mean, each once."""
    macs = [mac(value) for entry in entries for value in entry.get("mac_addresses") or []]
    hosts = [entry["hostname"] for entry in entries if entry.get("hostname")]
    ids = [entry["system_id"] for entry in entries if entry.get("system_id")]
    slim = only(*DECLARED)
    found = by_macs(client, macs, slim) if macs else []
    # Each machine costs the region as much as a whole request: who is found by MAC is not asked for again under its name.
    known = {machine["hostname"].lower() for machine in found}
    hosts = [name for name in hosts if name.lower() not in known]
    found += (by_hostnames(client, hosts, slim) if hosts else []) + (by_ids(client, ids, slim) if ids else [])
    return list({machine["system_id"]: machine for machine in found}.values())


def power_parameters(client, ids):
    """{system_id: parameters} in clear text; one request for each 500 machines. Never shown to anybody."""
    found = {}
    for batch in chunks(sorted(set(ids)), BATCH, lambda item: len(item) + 4):
        found.update(client.call("Machines", "power_parameters", data={"id": batch}, what="read the power parameters of machines"))
    return found


def given_power(entry):
    return {name: value for name, value in (entry.get("power_parameters") or {}).items() if value is not None}


def power_type(entry, machine=None):
    """What was declared, or the default where the region knows nothing of the machine's power. None: it stays as it is."""
    return entry.get("power_type") or (None if machine and machine.get("power_type") else entry.get("default_power_type"))


def power_text(value):
    return [str(part) for part in value] if isinstance(value, (list, tuple)) else str(value)


def differences(entry, machine, power):
    """{field: (before, after)} between what was declared and what the region has."""
    changes = {}

    def compare(name, before, after):
        if before != after:
            changes[name] = (before, after)

    if entry.get("hostname"):
        compare("hostname", machine["hostname"], entry["hostname"])
    for name in ("domain", "pool", "zone"):
        if entry.get(name) is not None:
            compare(name, (machine.get(name) or {}).get("name"), entry[name])
    if entry.get("description") is not None:
        compare("description", machine.get("description") or "", entry["description"])
    if entry.get("architecture"):
        before, after = machine.get("architecture") or "", entry["architecture"]
        # "amd64" means any of its sub-architectures.
        if "/" in after:
            compare("architecture", before, after)
        elif before.split("/")[0] != after:
            changes["architecture"] = (before, architecture(after))
    if wanted := power_type(entry, machine):
        compare("power_type", machine.get("power_type") or "", wanted)
    for name, value in given_power(entry).items():
        before = power.get(name)
        if "power_type" in changes or before is None or power_text(before) != power_text(value):
            changes[f"power_parameters_{name}"] = (before, value)
    if entry.get("tags") is not None:
        missing = sorted(set(entry["tags"]) - set(machine.get("tag_names") or []))
        if missing:
            changes["tags"] = (sorted(machine.get("tag_names") or []), sorted(set(machine.get("tag_names") or []) | set(missing)))
    return changes


def masked(changes, side):
    """One side of a diff; secrets show only that they differ."""
    hidden = {f"power_parameters_{name}" for name in POWER_SECRETS}
    return {name: (HIDDEN if name in hidden and pair[side] not in (None, "") else pair[side]) for name, pair in changes.items()}


def create_form(entry):
    """The form of a create. ``commission`` is false always: an administrator's create would else begin at once."""
    form = {
        "commission": False,
        "architecture": architecture(entry.get("architecture") or "amd64"),
        "mac_addresses": [mac(value) for value in entry.get("mac_addresses") or []],
    }
    for name in ("hostname", "domain", "pool", "zone", "description"):
        if entry.get(name) is not None:
            form[name] = entry[name]
    if power_type(entry):
        form["power_type"] = power_type(entry)
    if given_power(entry):
        form["power_parameters"] = json.dumps({name: power_text(value) for name, value in given_power(entry).items()})
    return form


def declare(client, entries):
    """Bring a set of machines to what was declared. Returns (before, after, [machine], [created], [changed])."""
    check_entries(entries)
    pairs = identify(entries, known_machines(client, entries))
    asked = [machine["system_id"] for entry, machine in pairs if machine is not None and given_power(entry)]
    power = power_parameters(client, asked) if asked else {}
    before, after, machines, created, changed, tags = {}, {}, [], [], [], {}
    for entry, machine in pairs:
        name = entry.get("hostname") or (machine or {}).get("hostname") or (entry.get("mac_addresses") or ["?"])[0]
        if machine is None:
            machine, adopted = _create(client, entry, name)
            if not adopted:
                created.append(name)
                after[name] = masked({k: (None, v) for k, v in _declared(entry).items()}, 1)
                if machine is None:
                    machines.append(_imagined(entry))
                    continue
                # The create form does not take everything in every version: what is missing follows as an update, unreported.
                _update(client, machine, differences(entry, machine, given_power(entry)), tags)
                machines.append(machine)
                continue
            power.update(power_parameters(client, [machine["system_id"]]) if given_power(entry) else {})
        changes = differences(entry, machine, power.get(machine["system_id"]) or {})
        if changes:
            changed.append(name)
            before[name], after[name] = masked(changes, 0), masked(changes, 1)
            machine = _update(client, machine, changes, tags)
        machines.append(machine)
    put_tags(client, tags)
    return before, after, machines, created, changed


def _declared(entry):
    values = {**entry, "power_type": power_type(entry)}
    values = {name: value for name, value in values.items() if value is not None and name not in ("power_parameters", "default_power_type", "system_id")}
    values.update({f"power_parameters_{name}": value for name, value in given_power(entry).items()})
    return values


def _imagined(entry):
    """What check mode can say about a machine that does not exist yet."""
    return {
        "system_id": "",
        "hostname": entry.get("hostname") or "",
        "status": 0,
        "status_name": "New",
        "architecture": architecture(entry.get("architecture") or "amd64"),
        "power_type": power_type(entry) or "",
        "tag_names": list(entry.get("tags") or []),
        "interface_set": [
            {"id": 0, "name": f"eth{number}", "type": "physical", "mac_address": mac(value)} for number, value in enumerate(entry.get("mac_addresses") or [])
        ],
    }


def _create(client, entry, name):
    """(machine, whether it was there already). In check mode (None, False)."""
    if not entry.get("mac_addresses"):
        raise MaasError(f"There is no machine {name} yet, and without mac_addresses it cannot be declared")
    if client.read_only:
        return None, False

    def look():
        found = by_macs(client, [mac(value) for value in entry["mac_addresses"]])
        return found[0] if found else None

    try:
        return client.call("Machines", "create", data=create_form(entry), what=f"declare machine {name}", settled=look), False
    except ApiError as error:
        # It booted from the network and was enlisted between our look and our create.
        if "mac_addresses" in error.fields() and (found := look()) is not None:
            return found, True
        raise


def _update(client, machine, changes, tags):
    if "tags" in changes:
        for tag in set(changes["tags"][1]) - set(changes["tags"][0]):
            tags.setdefault(tag, []).append(machine["system_id"])
    form = {name: power_text(pair[1]) if name.startswith("power_parameters_") else pair[1] for name, pair in changes.items() if name != "tags"}
    if client.read_only:
        return {**machine, **{name: value for name, value in form.items() if name in ("hostname", "architecture", "power_type", "description")}}
    if not form:
        return machine
    return client.call("Machine", "update", {"system_id": machine["system_id"]}, form, what=f"update machine {machine['hostname']}")


def put_tags(client, tags):
    """Put machines on tags, creating those that do not exist; one request for each tag, whatever the number of machines."""
    if not tags or client.read_only:
        return
    known = {tag["name"] for tag in client.read("Tags", what="list tags")}
    for tag, ids in sorted(tags.items()):
        if tag not in known:
            client.call("Tags", "create", data={"name": tag}, what=f"create tag {tag}", settled=lambda tag=tag: client.find("Tag", {"name": tag}))
        client.call("Tag", "update_nodes", {"name": tag}, {"add": ids}, what=f"tag machines with {tag}", settled=lambda: None)


def remove(client, entries, force=False):
    """Delete the machines that the entries mean. Returns [machine] that were (or would be) deleted."""
    check_entries(entries)
    known = known_machines(client, entries)
    index = _index(known)
    doomed = {}
    for entry in entries:
        keys = [entry.get("system_id"), *[mac(value) for value in entry.get("mac_addresses") or []], (entry.get("hostname") or "").lower()]
        machine = next((index[key] for key in keys if key and key in index), None)
        if machine is not None:
            doomed[machine["system_id"]] = machine
    busy = [machine for machine in doomed.values() if machine_status(machine) in IN_USE or machine.get("locked")]
    if busy and not force:
        named = ", ".join(f"{machine['hostname']} ({'locked' if machine.get('locked') else machine_status(machine)})" for machine in busy)
        raise MaasError(f"Not deleted, because in use: {named}. Release (or unlock) them first with maas_machine_state, or set force to true.")
    if not client.read_only:
        for machine in doomed.values():
            if machine.get("locked"):
                _unlock(client, machine)
            client.call("Machine", "delete", {"system_id": machine["system_id"]}, what=f"delete machine {machine['hostname']}")
    return list(doomed.values())


def _unlock(client, machine):
    """A region deletes no locked machine, whoever asks."""
    where = {"system_id": machine["system_id"]}

    def settled():
        found = client.find("Machine", where)
        return machine if found is None or not found.get("locked") else None

    client.call("Machine", "unlock", where, what=f"unlock machine {machine['hostname']}", settled=settled)
