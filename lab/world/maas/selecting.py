"""Filtering machines for lists, and choosing one to allocate."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lab.errors import ApiError, conflict, invalid, missing
from lab.world.maas import states
from lab.world.maas.base import Fields, Part, Row
from lab.world.maas.interfaces import MAC

# Constraints that the region knows and the lab takes without looking at them.
IGNORED = {"not_arch", "fabric_classes", "not_fabric_classes", "devices", "system_type", "storage_label", "deployment_target", "ephemeral_deploy"}
OPTIONS = {"op", "agent_name", "comment", "verbose", "dry_run", "bridge_all", "bridge_type", "bridge_stp", "bridge_fd"}


class Selecting(Part):
    """The constraint languages of ``machines/`` and of ``op=allocate``."""

    # -- lists --------------------------------------------------------------------------------------------------------------
    def filtered(self, rows: list[Row], fields: Fields) -> list[Row]:
        """Rows that pass every filter; an unknown filter or value is refused as the region does."""
        if "simple_status" in fields:
            raise ApiError(500, "Cannot resolve keyword 'simple_status' into field.")
        errors: dict[str, Any] = {}
        tests = []
        for name in fields:
            if name in ("op", "format"):
                continue
            maker = getattr(self, f"_list_{name}", None)
            if maker is None:
                errors[name] = "No such constraint."
                continue
            values = [value for text in fields.list(name) for value in ([text] if name in ("mac_address",) else text.split(","))]
            tests.append(maker(values, errors))
        if errors:
            raise invalid(errors)
        return [row for row in rows if all(test(row) for test in tests)]

    def _list_id(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = set(values)
        return lambda row: row["system_id"] in wanted

    def _list_hostname(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = set(values)
        return lambda row: row["hostname"] in wanted

    def _list_mac_address(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        for value in values:
            if not MAC.match(value):
                errors["mac_address"] = f"'{value}' is not a valid MAC address."
        wanted = {value.lower() for value in values}
        return lambda row: any(nic["mac"] in wanted for nic in row["interfaces"])

    def _list_domain(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = {row["id"] for row in self.maas.domains.table if row["name"] in values}
        return lambda row: row["domain"] in wanted

    def _list_agent_name(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        return lambda row: row["agent_name"] in values

    def _statuses(self, name: str, values: list[str], errors: dict) -> set[int]:
        for value in values:
            if value not in states.NUMBERS:
                errors[name] = f"Select a valid choice. {value} is not one of the available choices."
        return {states.NUMBERS[value] for value in values if value in states.NUMBERS}

    def _list_status(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = self._statuses("status", values, errors)
        return lambda row: row["status"] in wanted

    def _list_not_status(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        unwanted = self._statuses("not_status", values, errors)
        return lambda row: row["status"] not in unwanted

    def _named(self, name: str, label: str, table: Any, values: list[str], errors: dict) -> set[int]:
        unknown = [value for value in values if not table.one(name=value)]
        if unknown:
            errors[name] = f"No such {label}(s): {', '.join(unknown)}."
        return {row["id"] for row in table if row["name"] in values}

    def _list_zone(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = self._named("zone", "zone", self.maas.zones.table, values, errors)
        return lambda row: row["zone"] in wanted

    def _list_not_in_zone(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        unwanted = self._named("not_in_zone", "zone", self.maas.zones.table, values, errors)
        return lambda row: row["zone"] not in unwanted

    def _list_pool(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = self._named("pool", "pool", self.maas.pools.table, values, errors)
        return lambda row: row["pool"] in wanted

    def _list_not_in_pool(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        unwanted = self._named("not_in_pool", "pool", self.maas.pools.table, values, errors)
        return lambda row: row["pool"] not in unwanted

    def _tag_names(self, name: str, values: list[str], errors: dict) -> set[str]:
        unknown = [value for value in values if not self.maas.tags.table.one(name=value)]
        if unknown:
            errors[name] = "No such tag(s): " + ", ".join(f"'{value}'" for value in unknown) + "."
        return set(values)

    def _list_tags(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = self._tag_names("tags", values, errors)
        return lambda row: wanted <= set(row["tags"])

    def _list_not_tags(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        unwanted = self._tag_names("not_tags", values, errors)
        return lambda row: not unwanted & set(row["tags"])

    def _list_arch(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        return lambda row: any(row["architecture"] == v or row["architecture"].split("/")[0] == v for v in values)

    def _list_cpu_count(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        least = self._number("cpu_count", "CPU count", values, errors)
        return lambda row: row["cpu_count"] >= least

    def _list_mem(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        least = self._number("mem", "memory", values, errors)
        return lambda row: row["memory"] >= least

    def _list_pod(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = {host["id"] for host in self.maas.vm_hosts.table if host["name"] in values}
        return lambda row: row["vm_host"] in wanted

    def _list_pod_type(self, values: list[str], errors: dict) -> Callable[[Row], bool]:
        wanted = {host["id"] for host in self.maas.vm_hosts.table if host["type"] in values}
        return lambda row: row["vm_host"] in wanted

    @staticmethod
    def _number(name: str, label: str, values: list[str], errors: dict) -> float:
        try:
            return float(values[-1])
        except ValueError:
            errors[name] = f"Invalid {label}: number required."
            return 0.0

    # -- allocating ------------------------------------------------------------------------------------------------------------
    def allocate(self, fields: Fields, user: str) -> Row:
        """A Ready machine that fits, now the user's; a new VM when none fits and a VM host has room."""
        constraints = [name for name in fields if name not in OPTIONS]
        tests, resolved = self._constraints(fields, constraints)
        ready = [m for m in self.maas.machines.all() if m["status"] == states.READY and m["owner"] is None]
        fits = [m for m in ready if all(test(m) for test in tests)]
        machine = min(fits, key=lambda m: (m["cpu_count"], m["memory"], m["created"]), default=None)
        if machine is None and not {"system_id", "name"} & set(constraints):
            machine = self.maas.vm_hosts.compose_for(fields)
        if machine is None:
            raise self._none(fields, constraints, resolved)
        if not fields.flag("dry_run"):
            self.maas.lifecycle.acquire(machine, user, fields.text("agent_name"), fields.get("comment"))
        return machine

    def _none(self, fields: Fields, constraints: list[str], resolved: dict[str, str]) -> ApiError:
        if not constraints:
            return conflict("No machine available.")
        if "system_id" in constraints:
            return conflict(f"No machine with system ID {fields.get('system_id')} available.")
        given = [(name, fields.list(name)) for name in constraints]
        text = " ".join(f"{name}={value}" for name, value in sorted(resolved.items()))
        return conflict(f'No available machine matches constraints: {given} (resolved to "{text}")')

    def _constraints(self, fields: Fields, names: list[str]) -> tuple[list[Callable[[Row], bool]], dict[str, str]]:
        errors: dict[str, Any] = {}
        tests: list[Callable[[Row], bool]] = []
        resolved: dict[str, str] = {}
        for name in names:
            values = [value for text in fields.list(name) for value in re.split(r"[,\s]+", text.strip()) if value]
            if not values:
                continue
            resolved[name] = ",".join(values)
            if name in ("subnets", "not_subnets"):
                tests.append(self._subnets(name, values))
            elif name == "system_id":
                tests.append(lambda row, v=values: row["system_id"] in v)
            elif name == "name":
                tests.append(lambda row, v=values: row["hostname"] in v or self.maas.machines.fqdn(row) in v)
            elif name in ("storage", "interfaces"):
                tests.append(self._storage(values) if name == "storage" else self._interfaces(fields.text(name)))
            elif name in ("fabrics", "not_fabrics"):
                tests.append(self._fabrics(name, values))
            elif name in ("mem", "cpu_count"):
                test = getattr(self, f"_list_{name}")(values, errors)
                if name not in errors:
                    resolved[name] = str(float(values[-1]))
                tests.append(test)
            elif name in ("tags", "not_tags", "zone", "not_in_zone", "pool", "not_in_pool", "arch", "pod", "pod_type"):
                tests.append(getattr(self, f"_list_{name}")(values, errors))
            elif name in ("not_pod", "not_pod_type"):
                inner = getattr(self, f"_list_{name[4:]}")(values, errors)
                tests.append(lambda row, t=inner: not t(row))
            elif name == "not_id":
                tests.append(lambda row, v=values: row["system_id"] not in v)
            elif name not in IGNORED:
                errors[name] = "No such constraint."
        if errors:
            raise invalid(errors)
        return tests, resolved

    def _subnets(self, name: str, values: list[str]) -> Callable[[Row], bool]:
        ids: set[int] = set()
        for value in values:
            kind, colon, rest = value.partition(":")
            if colon and kind == "space":
                space = self.maas.spaces.by(rest)
                if space is None:
                    raise missing("Space")
                vlans = {vlan["id"] for vlan in self.maas.vlans.table.where(space=space["id"])}
                ids |= {subnet["id"] for subnet in self.maas.subnets.table if subnet["vlan"] in vlans}
            else:
                ids.add(self.maas.subnets.get(value)["id"])

        def has(row: Row) -> bool:
            return any(link["subnet"] in ids for nic in row["interfaces"] for link in nic["links"])

        return has if name == "subnets" else lambda row: not has(row)

    def _fabrics(self, name: str, values: list[str]) -> Callable[[Row], bool]:
        fabrics = {row["id"] for row in self.maas.fabrics.table if row["name"] in values or str(row["id"]) in values}
        vlans = {vlan["id"] for vlan in self.maas.vlans.table if vlan["fabric"] in fabrics}

        def has(row: Row) -> bool:
            return any(nic["vlan"] in vlans for nic in row["interfaces"])

        return has if name == "fabrics" else lambda row: not has(row)

    @staticmethod
    def _storage(values: list[str]) -> Callable[[Row], bool]:
        """Disks of at least these sizes (GB), with these tags: ``label:size(tag,...)``."""
        wanted = []
        for value in values:
            match = re.match(r"(?:[\w-]+:)?(\d+)(?:\(([^)]*)\))?", value)
            if match:
                wanted.append((int(match[1]) * 10**9, set((match[2] or "").split(",")) - {""}))

        def fits(row: Row) -> bool:
            disks = sorted((d for d in row["disks"] if d["type"] == "physical"), key=lambda d: d["size"])
            for size, tags in wanted:
                found = next((d for d in disks if d["size"] >= size and tags <= set(d["tags"])), None)
                if found is None:
                    return False
                disks.remove(found)
            return True

        return fits

    def _interfaces(self, text: str) -> Callable[[Row], bool]:
        """Interfaces with properties: ``label:space=x,mode=y;...``; of the properties the lab looks at spaces, subnets and fabrics."""
        wanted = []
        for part in text.split(";"):
            properties = dict(pair.split("=", 1) for pair in part.partition(":")[2].split(",") if "=" in pair)
            wanted.append(properties)

        def fits(row: Row) -> bool:
            return all(any(self._nic_fits(nic, properties) for nic in row["interfaces"]) for properties in wanted)

        return fits

    def _nic_fits(self, nic: Row, properties: dict[str, str]) -> bool:
        if nic["vlan"] is None:
            return not properties
        vlan = self.maas.vlans.table.get(nic["vlan"])
        if "space" in properties and self.maas.spaces.name(vlan["space"]) != properties["space"]:
            return False
        if "fabric" in properties and self.maas.fabrics.table.get(vlan["fabric"])["name"] != properties["fabric"]:
            return False
        if "subnet" in properties or "subnet_cidr" in properties:
            subnet = self.maas.subnets.by(properties.get("subnet") or properties["subnet_cidr"])
            return subnet is not None and any(link["subnet"] == subnet["id"] for link in nic["links"])
        return True
