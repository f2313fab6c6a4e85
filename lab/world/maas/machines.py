"""Machines: declaring, enlisting, changing, deleting, finding them."""

from __future__ import annotations

import re
from typing import Any

from lab.errors import ApiError, bad, conflict, forbidden, invalid, missing
from lab.world.maas import names, states
from lab.world.maas.base import Fields, Part, Row
from lab.world.maas.config import choices
from lab.world.maas.interfaces import MAC
from lab.world.maas.networks import NO_CHOICE, REQUIRED
from lab.world.maas.nodes import MACHINE
from lab.world.maas.power import PREFIX, TYPES

LABEL = re.compile(r"\A[a-zA-Z0-9-]*\Z")


def hostname_problem(hostname: str) -> str | None:
    """What keeps ``hostname``, with or without a domain, from naming a machine (MAAS's validate_hostname)."""
    labels = hostname.split(".")
    if len(hostname) > 255:
        return "Hostname is too long.  Maximum allowed is 255 characters."
    if "_" in labels[0]:
        return f"Host label cannot contain underscore: {labels[0]!r}."
    for label in labels:
        if not label:
            return "DNS name contains an empty label."
        if len(label) > 63:
            return f"Label is too long: {label!r}.  Maximum allowed is 63 characters."
        if label.startswith("-") or label.endswith("-"):
            return f"Label cannot start or end with hyphen: {label!r}."
        if not LABEL.match(label):
            return f"Label contains disallowed characters: {label!r}."
    return None


class Machines(Part):
    """The machines among the nodes. Called, it gives them all (rows of the state, to be read only)."""

    def __call__(self) -> list[Row]:
        return self.all()

    def all(self) -> list[Row]:
        return [node for node in self.maas.nodes.rows.values() if node["node_type"] == MACHINE]

    def get(self, system_id: str) -> Row:
        node = self.maas.nodes.rows.get(system_id)
        if node is None or node["node_type"] != MACHINE:
            raise missing("Machine")
        return node

    def find(self, text: str) -> Row | None:
        """By system id or host name."""
        node = self.maas.nodes.rows.get(text)
        if node is not None:
            return node if node["node_type"] == MACHINE else None
        return next((m for m in self.all() if m["hostname"] == text), None)

    def fqdn(self, node: Row) -> str:
        return f"{node['hostname']}.{self.maas.domains.table.get(node['domain'])['name']}"

    # -- declaring ----------------------------------------------------------------------------------------------------------
    def create(self, fields: Fields, user: str | None) -> Row:
        """Declare a machine. Without a user: it enlists itself."""
        errors: dict[str, Any] = {}
        deployed = fields.flag("deployed")
        values = self._clean(fields, None, errors)
        macs = [mac.strip().lower() for mac in fields.list("mac_addresses") if mac.strip()]
        self._macs(macs, fields.text("power_type"), errors)
        if not deployed:
            self._architecture(fields, errors, required=True, values=values)
        power_type = fields.text("power_type")
        if power_type and power_type not in TYPES:
            errors["power_type"] = f"Select a valid choice. {power_type} is not one of the available choices."
        elif power_type == "manual" and "mac_addresses" in errors:
            errors["power_type"] = "Can't set power type to manual without network interfaces"
        elif power_type:
            values["power_parameters"] = self.maas.power.parse(fields, power_type, None, errors)
        if errors:
            raise invalid(errors)
        values["power_type"] = power_type
        hostname = values.pop("hostname", None) or self._free_name()
        node = self.maas.nodes.add(MACHINE, hostname, **values)
        for number, mac in enumerate(macs):
            node["interfaces"].append(self.maas.interfaces.new(f"eth{number}", "physical", mac))
        node["boot_interface"] = node["interfaces"][0]["id"] if node["interfaces"] else None
        self.link_rack(node)
        self.engine.log("machine", machine=hostname, state="declared")
        if user is None:
            return node
        if deployed:
            self.maas.lifecycle.adopt_deployed(node, user)
        elif self.maas.users.get(user)["is_superuser"] and fields.flag("commission", True):
            options = Fields({k: v for k, v in fields.values.items() if k in COMMISSION_OPTIONS})
            try:
                self.maas.lifecycle.commission(node, options, user)
            except ApiError:
                self.remove(node)
                raise
        return node

    def link_rack(self, node: Row) -> None:
        """Remember which machine of the rack this is, by its MAC addresses."""
        for nic in node["interfaces"]:
            found = self.maas.rack.by_mac(nic["mac"])
            if found:
                node["rack"] = node["bmc"] = found["hostname"]
                return

    def _free_name(self) -> str:
        return names.petname(self.maas.random, {node["hostname"] for node in self.maas.nodes.rows.values()})

    def _macs(self, macs: list[str], power_type: str, errors: dict[str, Any]) -> None:
        if not macs:
            if power_type != "ipmi":
                errors["mac_addresses"] = REQUIRED
            return
        # A list in one field is no list here; the real region stumbles over it.
        if any("," in mac for mac in macs):
            raise ApiError(500, "'ValidationError' object has no attribute 'message'")
        problems = []
        for mac in macs:
            if not MAC.match(mac):
                problems.append(f"'{mac}' is not a valid MAC address.")
                continue
            other = self.maas.interfaces.owner_of_mac(mac)
            if other is not None:
                problems.append(f"MAC address {mac} already in use on {other[0]['hostname']}.")
        if problems:
            errors["mac_addresses"] = problems

    def _architecture(self, fields: Fields, errors: dict[str, Any], required: bool, values: dict[str, Any], current: str = "") -> None:
        text = fields.text("architecture") or current
        if not text:
            if required:
                errors["architecture"] = REQUIRED
            return
        if "/" not in text:
            text += "/generic"
        allowed = self.maas.images.architectures()
        if text not in allowed:
            errors["architecture"] = choices(text, "architecture", allowed or [""])
        values["architecture"] = text

    def _clean(self, fields: Fields, node: Row | None, errors: dict[str, Any]) -> dict[str, Any]:
        """Values of the fields that create and update share."""
        values: dict[str, Any] = {}
        hostname = fields.text("hostname")
        if hostname:
            label, _dot, domain_name = hostname.partition(".")
            problem = hostname_problem(hostname)
            if problem:
                errors["hostname"] = problem
            elif any(other["hostname"] == label and other is not node for other in self.maas.nodes.rows.values()):
                errors["hostname"] = "Node with this Hostname already exists."
            values["hostname"] = label
            if domain_name and "domain" not in fields:
                found = self.maas.domains.by(domain_name)
                if found:
                    values["domain"] = found["id"]
        if fields.get("domain"):
            domain = self.maas.domains.by(fields.text("domain"))
            if domain is None:
                errors["domain"] = f"Unable to find domain {fields.get('domain')}"
            else:
                values["domain"] = domain["id"]
        for name, table in (("zone", self.maas.zones.table), ("pool", self.maas.pools.table)):
            if fields.get(name):
                row = table.one(name=fields.text(name)) or (table.find(fields.text(name)) if name == "pool" else None)
                if row is None:
                    errors[name] = NO_CHOICE
                else:
                    values[name] = row["id"]
        if "description" in fields:
            values["description"] = fields.text("description")
        if "min_hwe_kernel" in fields:
            kernel = fields.text("min_hwe_kernel")
            if kernel and kernel not in self.maas.images.kernels():
                errors["min_hwe_kernel"] = f'No kernel matches ">={kernel}" requirement.'
            values["min_hwe_kernel"] = kernel
        if fields.get("swap_size"):
            values["swap_size"] = int(fields.text("swap_size")) if fields.text("swap_size").isdigit() else None
        return values

    def update(self, node: Row, fields: Fields) -> Row:
        errors: dict[str, Any] = {}
        values = self._clean(fields, node, errors)
        self._architecture(fields, errors, required=False, values=values, current=node["architecture"] if node["status"] != states.DEPLOYED else "")
        power_type = fields.text("power_type") or node["power_type"]
        touched = "power_type" in fields or "power_parameters" in fields or any(name.startswith(PREFIX) for name in fields)
        if touched and power_type:
            if power_type not in TYPES:
                errors["power_type"] = f"Select a valid choice. {power_type} is not one of the available choices."
            else:
                old = node["power_parameters"] if power_type == node["power_type"] else None
                values["power_parameters"] = self.maas.power.parse(fields, power_type, old, errors)
                values["power_type"] = power_type
        if errors:
            raise invalid(errors)
        if values.get("power_type", node["power_type"]) != node["power_type"]:
            values["power_state"] = "unknown"
        node.update(values)
        self.engine.touch()
        return node

    def delete(self, node: Row) -> None:
        if node["locked"]:
            raise forbidden()
        self.remove(node)

    def remove(self, node: Row) -> None:
        """Forget a machine; a composed one goes with its VM."""
        if node["vm_host"] is not None:
            self.maas.vm_hosts.release_resources(node)
        if node["status"] == states.DEPLOYED:
            self.maas.tell("released", node)
        self.maas.results.forget(node["system_id"])
        self.maas.events.forget(node["system_id"])
        del self.maas.nodes.rows[node["system_id"]]
        self.engine.log("machine", machine=node["hostname"], state="deleted")
        self.engine.touch()

    def set_owner_data(self, node: Row, fields: Fields, user: str) -> Row:
        if node["owner"] != user and not self.maas.users.get(user)["is_superuser"]:
            raise forbidden()
        for name in fields.without("op"):
            if fields.text(name):
                node["owner_data"][name] = fields.text(name)
            else:
                node["owner_data"].pop(name, None)
        self.engine.touch()
        return node

    def set_zone(self, fields: Fields) -> None:
        zone = self.maas.zones.get(fields.text("zone"))
        for system_id in fields.list("nodes"):
            node = self.maas.nodes.rows.get(system_id)
            if node is not None:
                node["zone"] = zone["id"]
        self.engine.touch()

    # -- enlisting ------------------------------------------------------------------------------------------------------------
    def enlist(self, rack_machine: Row) -> Row:
        """A machine of the rack that booted by itself is put down as New, with what the enlistment found."""
        node = self.maas.nodes.add(MACHINE, self._free_name(), architecture=f"{rack_machine.get('arch', 'amd64')}/generic")
        for number, spec in enumerate(rack_machine["nics"]):
            node["interfaces"].append(self.maas.interfaces.new(spec.get("name", f"eth{number}"), "physical", spec["mac"].lower()))
        node["boot_interface"] = node["interfaces"][0]["id"]
        self.link_rack(node)
        self.maas.power.take_over(node)
        if self.maas.config.get("enlist_commissioning"):
            hardware = self.maas.nodes.hardware_of(node)
            self.maas.nodes.inspect(node, hardware)
            subnet = self.maas.interfaces.pxe_subnet()
            boot = self.maas.interfaces.boot(node)
            if subnet is not None:
                boot["vlan"] = subnet["vlan"]
                ip = self.maas.subnets.lease(subnet, boot["mac"])
                boot["discovered"] = [{"subnet": subnet["id"], "ip": ip}] if ip else None
        node["power_state"] = "on" if node["power_type"] else "unknown"
        self.engine.log("machine", machine=node["hostname"], rack=rack_machine["hostname"], state="enlisted")
        return node

    # -- many at once -----------------------------------------------------------------------------------------------------------
    def release_many(self, fields: Fields, user: str) -> list[str]:
        wanted = fields.list("machines")
        unknown = sorted(set(wanted) - {m["system_id"] for m in self.all()})
        if unknown:
            raise bad(f"Unknown machine(s): {', '.join(unknown)}.")
        rows = [self.get(system_id) for system_id in dict.fromkeys(wanted)]
        admin = self.maas.users.get(user)["is_superuser"]
        barred = sorted(m["system_id"] for m in rows if m["locked"] or (m["owner"] not in (None, user) and not admin))
        if barred:
            raise forbidden(f"You don't have the required permission to release the following machine(s): {', '.join(barred)}.")
        stuck = [m for m in rows if m["status"] not in states.RULES["release"].allowed]
        if stuck:
            listed = ", ".join(f"{m['system_id']} ('{states.NAMES[m['status']]}')" for m in stuck)
            raise conflict(f"Machine(s) cannot be released in their current state: {listed}.")
        released = []
        for machine in rows:
            if machine["status"] not in (states.READY, states.RELEASING):
                self.maas.lifecycle.release(machine, fields.without("machines"), user)
                released.append(machine["system_id"])
        return released

    def accept_many(self, system_ids: list[str] | None, user: str) -> list[Row]:
        """Commission New machines: those named, or all of them."""
        rows = [self.get(i) for i in system_ids] if system_ids is not None else [m for m in self.all() if m["status"] == states.NEW]
        for machine in rows:
            self.maas.lifecycle.commission(machine, Fields(), user)
        return rows


COMMISSION_OPTIONS = {"enable_ssh", "skip_bmc_config", "skip_networking", "skip_storage", "commissioning_scripts", "testing_scripts"}
