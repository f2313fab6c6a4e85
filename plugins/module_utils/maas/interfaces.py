# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Interfaces of machines: bridges, bonds, VLANs, NICs and their links. ``plan`` is pure: it says which operations are needed."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import address, subnet_of
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import interface_summary, mac, only, require
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import machine_status

# Statuses in which the region lets interfaces be changed.
CHANGEABLE = frozenset(("New", "Ready", "Allocated", "Broken", "Failed testing"))
PARAMS = {
    "bridge": ("bridge_type", "bridge_stp", "bridge_fd", "mtu", "accept_ra"),
    "bond": ("bond_mode", "bond_miimon", "bond_lacp_rate", "bond_xmit_hash_policy", "mtu", "accept_ra"),
    "vlan": ("mtu", "accept_ra"),
    "physical": ("mtu", "accept_ra"),
}
CREATE = {"bridge": "create_bridge", "bond": "create_bond", "vlan": "create_vlan", "physical": "create_physical"}
# What a created interface has when nothing was said.
DEFAULTS = {"bridge": {"bridge_type": "standard"}}


@dataclass
class Plan:
    create: dict | None = None  # form of the create, without names resolved
    update: dict = field(default_factory=dict)
    unlink: list = field(default_factory=list)  # link ids
    link: list = field(default_factory=list)  # forms
    gateway: bool = False
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)

    def __bool__(self):
        return bool(self.create is not None or self.update or self.unlink or self.link)


def by_name(machine, name):
    return next((interface for interface in machine.get("interface_set") or [] if interface["name"] == name), None)


def nic(machine, reference):
    """An interface of a machine: "boot" (the one it boots from), a name, or a MAC."""
    interfaces = machine.get("interface_set") or []
    if reference == "boot":
        boot = machine.get("boot_interface") or {}
        found = next((interface for interface in interfaces if interface["id"] == boot.get("id")), None) or boot or None
    else:
        found = next((i for i in interfaces if i["name"] == reference or (i["type"] == "physical" and mac(i.get("mac_address") or "") == mac(reference))), None)
    if not found:
        names = ", ".join(interface["name"] for interface in interfaces) or "none"
        raise MaasError(f"{machine['hostname']} has no interface {reference!r}; it has: {names}")
    return found


def find(machine, wanted):
    """The interface that is meant. A physical one also by its MAC; a VLAN also by parent and VLAN id."""
    found = by_name(machine, wanted["name"]) if wanted.get("name") else None
    if found is None and wanted["type"] == "physical" and wanted.get("mac_address"):
        found = next(
            (
                interface
                for interface in machine.get("interface_set") or []
                if interface["type"] == "physical" and mac(interface["mac_address"]) == mac(wanted["mac_address"])
            ),
            None,
        )
    if found is None and wanted["type"] == "vlan" and wanted.get("vlan_id") is not None and wanted.get("parents"):
        parent = nic(machine, wanted["parents"][0])["name"]
        found = next(
            (
                interface
                for interface in machine.get("interface_set") or []
                if interface["type"] == "vlan" and parent in interface["parents"] and (interface.get("vlan") or {}).get("id") == wanted["vlan_id"]
            ),
            None,
        )
    if found is not None and found["type"] != wanted["type"]:
        raise MaasError(f"{machine['hostname']}: {found['name']} is a {found['type']} interface, not a {wanted['type']}")
    return found


def plan(machine, wanted, links=None):
    """What has to be done on one machine. ``links``: [{subnet: object or None, mode, ip_address, default_gateway}] or None (left alone)."""
    found = find(machine, wanted)
    result = Plan()
    params = {name: wanted[name] for name in PARAMS[wanted["type"]] if wanted.get(name) is not None}
    if found is None:
        result.create = _create_form(machine, wanted, params)
        result.after = {"name": wanted.get("name"), "type": wanted["type"], **params}
        if wanted.get("parents"):
            result.after["parents"] = [nic(machine, parent)["name"] for parent in wanted["parents"]]
        current = []
    else:
        result.update = _update_form(machine, found, wanted, params, result)
        current = found.get("links") or []
    if links is not None:
        _plan_links(result, current, links, created=found is None)
    return found, result


def _create_form(machine, wanted, params):
    form = dict(params)
    if wanted.get("name"):
        form["name"] = wanted["name"]
    if wanted.get("mac_address"):
        form["mac_address"] = mac(wanted["mac_address"])
    if wanted.get("tags"):
        form["tags"] = ",".join(wanted["tags"])
    if wanted.get("vlan_id") is not None:
        form["vlan"] = wanted["vlan_id"]
    parents = [nic(machine, parent)["id"] for parent in wanted.get("parents") or []]
    if wanted["type"] == "bond":
        form["parents"] = parents
    elif wanted["type"] in ("bridge", "vlan"):
        if len(parents) != 1:
            raise MaasError(f"A {wanted['type']} interface has exactly one parent; give parent, for example 'boot'")
        form["parent"] = parents[0]
    elif not wanted.get("mac_address"):
        raise MaasError(f"{machine['hostname']} has no interface {wanted.get('name')!r}; to add a physical one its mac_address is needed")
    return form


def _update_form(machine, found, wanted, params, result):
    form = {}
    now = found.get("params") if isinstance(found.get("params"), dict) else {}
    for name, value in params.items():
        before = now.get(name, DEFAULTS.get(wanted["type"], {}).get(name))
        if name == "mtu" and before is None:
            before = found.get("effective_mtu")
        if before != value:
            form[name] = value
            result.before[name], result.after[name] = before, value
    if wanted.get("name") and found["name"] != wanted["name"]:
        form["name"] = wanted["name"]
        result.before["name"], result.after["name"] = found["name"], wanted["name"]
    if wanted.get("tags") is not None and sorted(found.get("tags") or []) != sorted(wanted["tags"]):
        form["tags"] = ",".join(wanted["tags"])
        result.before["tags"], result.after["tags"] = sorted(found.get("tags") or []), sorted(wanted["tags"])
    if wanted.get("vlan_id") is not None and (found.get("vlan") or {}).get("id") != wanted["vlan_id"]:
        form["vlan"] = wanted["vlan_id"]
        result.before["vlan"], result.after["vlan"] = (found.get("vlan") or {}).get("id"), wanted["vlan_id"]
    if wanted.get("parents") and wanted["type"] in ("bridge", "bond"):
        parents = [nic(machine, parent) for parent in wanted["parents"]]
        # "boot" means the bridge itself once the boot interface lies under it.
        names = [parent["name"] for parent in parents if parent["id"] != found["id"]]
        if names and sorted(names) != sorted(found["parents"]):
            ids = [parent["id"] for parent in parents]
            form.update({"parents": ids} if wanted["type"] == "bond" else {"parent": ids[0]})
            result.before["parents"], result.after["parents"] = sorted(found["parents"]), sorted(names)
    return form


def _told(link):
    subnet = link.get("subnet") or {}
    return {"mode": link["mode"].lower(), "subnet": subnet.get("cidr"), **({"ip_address": link["ip_address"]} if link.get("ip_address") else {})}


def _matches(link, want):
    mode = want["mode"].lower()
    if link["mode"].lower() != mode:
        return False
    if (link.get("subnet") or {}).get("id") != (want.get("subnet") or {}).get("id"):
        # link_up stands for no configuration at all; the region sometimes still names the subnet.
        return mode == "link_up" and want.get("subnet") is None
    return not want.get("ip_address") or address(link.get("ip_address")) == address(want["ip_address"])


def _plan_links(result, current, links, created):
    """Links that are wanted and missing are made, those that are there and not wanted are taken away."""
    left = list(current)
    missing = []
    for want in links:
        found = next((link for link in left if _matches(link, want)), None)
        if found is not None:
            left.remove(found)
        else:
            missing.append(want)
    if created:
        # A new interface is up without configuration already.
        missing = [want for want in missing if want["mode"].lower() != "link_up"]
        if not missing:
            return
    # A link without configuration goes by itself when another one comes.
    obsolete = [link for link in left if not (link["mode"].lower() == "link_up" and missing)]
    if not missing and not obsolete:
        return
    if not links and all(link["mode"].lower() == "link_up" for link in current):
        return
    result.unlink = [link["id"] for link in obsolete]
    for want in missing:
        form = {"mode": want["mode"].upper()}
        if want.get("subnet"):
            form["subnet"] = want["subnet"]["id"]
        if want.get("ip_address"):
            form["ip_address"] = want["ip_address"]
        if want.get("default_gateway"):
            form["default_gateway"] = True
        result.link.append(form)
    if current:
        result.before["links"] = [_told(link) for link in current]
    result.after["links"] = [_told({"mode": want["mode"], "subnet": want.get("subnet"), "ip_address": want.get("ip_address")}) for want in links]


def resolve_links(client, links):
    """The subnets that links name, looked up once for the whole set."""
    if links is None:
        return None
    subnets = {}
    resolved = []
    for link in links:
        mode = link["mode"].lower()
        subnet = None
        if link.get("subnet"):
            if link["subnet"] not in subnets:
                subnets[link["subnet"]] = subnet_of(client, link["subnet"])
            subnet = subnets[link["subnet"]]
        elif mode != "link_up":
            raise MaasError(f"A link of mode {mode} needs a subnet")
        if link.get("ip_address") and mode != "static":
            raise MaasError(f"ip_address belongs to mode static, not to {mode}")
        resolved.append({"mode": mode, "subnet": subnet, "ip_address": link.get("ip_address"), "default_gateway": link.get("default_gateway")})
    return resolved


def ensure(client, params):
    """One interface on a set of machines. Returns the module's result."""
    machines = require(client, params["machines"], only("boot_interface"))
    links = resolve_links(client, params.get("links"))
    wanted = dict(params, parents=[params["parent"]] if params.get("parent") else params.get("parents"))
    before, after, interfaces = {}, {}, {}
    plans = []
    for machine in machines.values():
        called = machine["hostname"]
        if params["state"] == "absent":
            found = find(machine, wanted)
            if found is not None:
                before[called], after[called] = interface_summary(found), {}
                plans.append((machine, found, None))
            continue
        found, steps = plan(machine, wanted, links)
        if found is not None:
            interfaces[called] = interface_summary(found)
        if steps:
            before[called], after[called] = steps.before, steps.after
            plans.append((machine, found, steps))
    stuck = [f"{m['hostname']} is {machine_status(m)}" for m, found, steps in plans if machine_status(m) not in CHANGEABLE]
    if stuck:
        raise MaasError(
            f"Interfaces can be changed only while a machine is New, Ready, Allocated, Broken or Failed testing: {', '.join(stuck)}. "
            "Wait for the end of what runs there, or release the machine.",
            changed=False,
        )
    for machine, found, steps in plans:
        if client.read_only:
            if steps is not None:
                known = interfaces.get(machine["hostname"], {"type": params["type"], "name": params.get("name")})
                interfaces[machine["hostname"]] = {**known, **steps.after}
            continue
        done = remove(client, machine, found) if steps is None else carry_out(client, machine, found, steps, params["type"])
        if done is not None:
            interfaces[machine["hostname"]] = interface_summary(done)
    return dict(changed=bool(plans), diff=dict(before=before, after=after), interfaces=interfaces)


def remove(client, machine, found):
    where = {"system_id": machine["system_id"], "id": found["id"]}
    if found["type"] == "physical":
        raise MaasError(f"{machine['hostname']}: {found['name']} is a NIC of the machine; the module removes only bridges, bonds and VLANs")
    client.call("Interface", "delete", where, what=f"delete {found['name']} of {machine['hostname']}")


def carry_out(client, machine, found, steps, kind):
    """Do what was planned, on one machine."""
    called, system_id = machine["hostname"], machine["system_id"]
    if steps.create is not None:
        name = steps.create.get("name")

        def look():
            for interface in client.read("Interfaces", {"system_id": system_id}):
                if name and interface["name"] == name:
                    return interface
            return None

        found = client.call(
            "Interfaces",
            CREATE[kind],
            {"system_id": system_id},
            steps.create,
            what=f"create {kind} {name or ''} on {called}",
            settled=look if name else None,
        )
    where = {"system_id": system_id, "id": found["id"]}
    if steps.update:
        found = client.call("Interface", "update", where, steps.update, what=f"update {found['name']} of {called}")
    for number in steps.unlink:
        found = client.call("Interface", "unlink_subnet", where, {"id": number}, what=f"unlink {found['name']} of {called}", settled=lambda: None)
    for form in steps.link:

        def linked(form=form):
            interface = client.read("Interface", where)
            want = {"mode": form["mode"], "subnet": {"id": form.get("subnet")}, "ip_address": form.get("ip_address")}
            return interface if any(_matches(link, want) for link in interface.get("links") or []) else None

        found = client.call("Interface", "link_subnet", where, form, what=f"link {found['name']} of {called}", settled=linked)
    return found
