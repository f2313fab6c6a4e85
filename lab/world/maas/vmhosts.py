"""VM hosts: LXD servers that compose machines."""

from __future__ import annotations

import re
from typing import Any

from lab.errors import ApiError, bad, invalid
from lab.world.maas import names
from lab.world.maas.base import Fields, Part, Row, Table, whole
from lab.world.maas.machines import hostname_problem
from lab.world.maas.networks import NO_CHOICE, REQUIRED
from lab.world.maas.nodes import MACHINE

GIGABYTE = 10**9
DEFAULT_CORES, DEFAULT_MEMORY, DEFAULT_DISK = 1, 2048, 8
TYPES = ("lxd", "virsh")


class VmHosts(Part):
    """Known VM hosts. A host without resources is one that nobody could reach."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "vm_hosts", "Pod")
        self.engine.handler("maas.vm_host_probed", self._probed)
        self.engine.handler("maas.composed", self._composed)

    def create(self, fields: Fields, user: str) -> Row:
        errors: dict[str, Any] = {}
        kind = fields.text("type")
        if not kind:
            errors["type"] = REQUIRED
        elif kind not in TYPES:
            errors["type"] = f"Select a valid choice. {kind} is not one of the available choices."
        elif not fields.get("power_address"):
            errors["power_address"] = REQUIRED
        values = self._clean(fields, None, errors)
        if errors:
            raise invalid(errors)
        fault = self.engine.fault("vm_host_5xx")
        if fault:
            raise ApiError(int(fault.get("status", 503)), fault.get("text", "Unable to communicate with LXD."))
        parameters: Row = {"power_address": fields.text("power_address")}
        if kind == "lxd":
            parameters["project"] = fields.text("project", "default")
            for name in ("certificate", "key", "password"):
                if fields.get(name):
                    parameters[name] = fields.text(name)
        taken = {row["name"] for row in self.table}
        row = self.table.add(
            type=kind,
            parameters=parameters,
            tags=["pod-console-logging"],
            cpu_over_commit_ratio=1.0,
            memory_over_commit_ratio=1.0,
            default_macvlan_mode=None,
            zone=1,
            pool=0,
            name=names.petname(self.maas.random, taken),
            version="",
            size=None,
            host=None,
            architectures=[],
            capabilities=[],
            created_by=user,
        )
        row.update(values)
        self._probe(row)
        return row

    def _clean(self, fields: Fields, row: Row | None, errors: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if fields.get("name"):
            values["name"] = fields.text("name")
            other = self.table.one(name=values["name"])
            if other is not None and other is not row:
                errors["name"] = "Pod with this Name already exists."
        for name, table in (("zone", self.maas.zones.table), ("pool", self.maas.pools.table)):
            if fields.get(name):
                found = table.one(name=fields.text(name))
                if found is None:
                    errors[name] = NO_CHOICE
                else:
                    values[name] = found["id"]
        for name in ("cpu_over_commit_ratio", "memory_over_commit_ratio"):
            if fields.get(name):
                try:
                    values[name] = float(fields.text(name))
                    if not 0 < values[name] <= 10:
                        errors[name] = "Ensure this value is less than or equal to 10."
                except ValueError:
                    errors[name] = "Enter a number."
        if "tags" in fields:
            values["tags"] = [tag for text in fields.list("tags") for tag in text.split(",") if tag]
        if fields.get("default_macvlan_mode"):
            values["default_macvlan_mode"] = fields.text("default_macvlan_mode")
        return values

    def update(self, row: Row, fields: Fields) -> Row:
        errors: dict[str, Any] = {}
        values = self._clean(fields, row, errors)
        if errors:
            raise invalid(errors)
        row.update(values)
        for name in ("power_address", "project", "certificate", "key"):
            if fields.get(name):
                row["parameters"][name] = fields.text(name)
        self.engine.touch()
        return row

    def delete(self, row: Row, fields: Fields) -> None:
        """Forget a host; its machines go too when they are told to (decompose), else they keep their VM."""
        for machine in [m for m in self.maas.machines.all() if m["vm_host"] == row["id"]]:
            if fields.flag("decompose"):
                self.maas.machines.remove(machine)
            else:
                machine["vm_host"] = None
        self.table.remove(row)

    # -- resources ------------------------------------------------------------------------------------------------------------
    def refresh(self, row: Row) -> Row:
        self._probe(row)
        return row

    def _probe(self, row: Row) -> None:
        """Ask the server who it is; what it has appears when the region has read it all."""
        parameters = row["parameters"]
        if row["type"] != "lxd":
            return
        found = self.maas.world.effects.lxd_probe(
            self.url(parameters["power_address"]), parameters.get("certificate", ""), parameters.get("key", ""), parameters.get("password")
        )
        # One without a storage pool is not read at all (MAAS' drivers/pod/lxd.py, _discover).
        if found is None or found.get("auth") != "trusted" or not found.get("storage_pools"):
            return
        row["version"] = found.get("server_version", "")
        row["probe"] = {"server_version": row["version"]}
        if row["size"] is None:
            self.engine.after(self.engine.duration("vm_host_create"), "maas.vm_host_probed", host_id=row["id"])

    @staticmethod
    def url(address: str) -> str:
        bare = address.removeprefix("https://")
        return f"https://{bare}" if re.search(r":\d+\Z", bare) else f"https://{bare}:8443"

    def _probed(self, host_id: int) -> None:
        row = self.table.find(host_id)
        if row is None:
            return
        spec = self.maas.rack.controller["vm_host"]
        row["size"] = {
            "cores": spec["cores"],
            "memory": spec["memory"],
            "cpu_speed": spec.get("cpu_speed", 2600),
            "pools": [{"id": f"{row['id']}-{pool['name']}", **pool} for pool in spec["pools"]],
        }
        row["architectures"] = ["amd64/generic"]
        row["capabilities"] = ["composable", "dynamic_local_storage", "over_commit", "storage_pools"]
        row["host"] = self.maas.controllers.rack_id() or None
        self.engine.log("vm_host", name=row["name"], state="ready")
        self.engine.touch()

    def machines_of(self, row: Row) -> list[Row]:
        return [m for m in self.maas.machines.all() if m["vm_host"] == row["id"]]

    def totals(self, row: Row) -> dict[str, dict[str, int]]:
        """Total, used and available cores, memory (MiB) and storage (bytes)."""
        size = row["size"]
        if size is None:
            empty = {"cores": 0, "memory": 0, "local_storage": 0}
            return {"total": dict(empty), "used": dict(empty), "available": dict(empty)}
        machines = self.machines_of(row)
        total = {"cores": size["cores"], "memory": size["memory"], "local_storage": sum(pool["size"] for pool in size["pools"])}
        used = {
            "cores": sum(m["virtual"]["cpu"] for m in machines),
            "memory": sum(m["virtual"]["memory"] for m in machines),
            "local_storage": sum(d["size"] for m in machines for d in m["virtual"]["disks"]),
        }
        over = {"cores": row["cpu_over_commit_ratio"], "memory": row["memory_over_commit_ratio"], "local_storage": 1}
        return {"total": total, "used": used, "available": {name: int(total[name] * over[name]) - used[name] for name in total}}

    # -- composing ------------------------------------------------------------------------------------------------------------
    def compose(self, row: Row, fields: Fields, user: str) -> Row:
        errors: dict[str, Any] = {}
        if row["size"] is None:
            raise bad("VM host does not support composability.")
        request = self._request(row, fields, errors)
        places = self._places(fields, errors)
        hostname = fields.text("hostname")
        problem = hostname_problem(hostname) if hostname else None
        if any(node["hostname"] == hostname for node in self.maas.nodes.rows.values()):
            problem = f'Node with hostname "{hostname}" already exists'
        if problem:
            errors["hostname"] = problem
        if errors:
            raise invalid(errors)
        problem = self._room(row, request)
        if problem:
            raise bad(f"Unable to compose KVM instance in '{row['name']}'. {problem}")
        fault = self.engine.fault("compose_failed", hostname=hostname)
        if fault:
            text = f"Failed talking to VM host: {fault.get('text', 'Unable to compose machine because: Failed creating instance')}"
            raise ApiError(int(fault.get("status", 503)), text)
        machine = self._new(row, request, hostname, places)
        if not fields.flag("skip_commissioning"):
            self.engine.after(self.engine.duration("vm_compose"), "maas.composed", system_id=machine["system_id"], user=user)
        return machine

    def _places(self, fields: Fields, errors: dict[str, Any]) -> dict[str, int]:
        """Zone, pool and domain that are asked for: this form takes them by id only."""
        places = {}
        for name, table in (("zone", self.maas.zones.table), ("pool", self.maas.pools.table), ("domain", self.maas.domains.table)):
            if fields.get(name):
                found = table.find(fields.text(name))
                if found is None:
                    errors[name] = NO_CHOICE
                else:
                    places[name] = found["id"]
        return places

    def _request(self, row: Row, fields: Fields, errors: dict[str, Any]) -> Row:
        """Cores, memory and disks that are asked for."""
        request: Row = {}
        for name, default in (("cores", DEFAULT_CORES), ("memory", DEFAULT_MEMORY)):
            value = whole(fields.text(name, str(default)))
            if value is None:
                errors[name] = "Enter a whole number."
            elif value < (1 if name == "cores" else 1024):
                errors[name] = f"Ensure this value is greater than or equal to {1 if name == 'cores' else 1024}."
            request[name] = value or default
        pinned = [word for word in fields.text("pinned_cores").split(",") if word]
        if pinned:
            request["cores"] = len(pinned)
        request["disks"] = []
        for part in re.split(r",(?![^(]*\))", fields.text("storage", str(DEFAULT_DISK))):
            match = re.match(r"\A(?:([\w-]+):)?(\d+(?:\.\d+)?)(?:\(([^)]*)\))?\Z", part.strip())
            if not match:
                errors["storage"] = f'Malformed storage constraint, "{fields.get("storage")}".'
                break
            request["disks"].append({"size": int(float(match[2]) * GIGABYTE), "pool": match[3] or row["size"]["pools"][0]["name"]})
        return request

    def _room(self, row: Row, request: Row) -> str | None:
        free = self.totals(row)["available"]
        if request["cores"] > free["cores"]:
            return f"CPU overcommit ratio is {row['cpu_over_commit_ratio']} and there are {free['cores']} available resources; {request['cores']} requested."
        if request["memory"] > free["memory"]:
            return (
                f"Memory overcommit ratio is {row['memory_over_commit_ratio']} and there are {free['memory']} available resources; "
                f"{request['memory']} requested."
            )
        if sum(disk["size"] for disk in request["disks"]) > free["local_storage"]:
            return "Not enough space for disks."
        return None

    def _new(self, row: Row, request: Row, hostname: str, places: dict[str, int]) -> Row:
        taken = {node["hostname"] for node in self.maas.nodes.rows.values()}
        name = hostname or names.petname(self.maas.random, taken)
        mac = names.mac_address(self.maas.random)
        virtual = {
            "cpu": request["cores"],
            "cpu_speed": row["size"]["cpu_speed"],
            "memory": request["memory"],
            "virtual": True,
            "nics": [{"name": "enp5s0", "mac": mac}],
            "disks": [
                {
                    "name": f"sd{chr(97 + n)}",
                    "size": disk["size"],
                    "model": "QEMU HARDDISK",
                    "serial": f"lxd_{'root' if not n else f'disk{n}'}",
                    "tags": ["ssd"],
                }
                for n, disk in enumerate(request["disks"])
            ],
        }
        parameters = {"power_address": row["parameters"]["power_address"], "instance_name": name, "project": row["parameters"].get("project", "default")}
        machine = self.maas.nodes.add(
            MACHINE,
            name,
            power_type=row["type"],
            power_parameters=parameters,
            power_state="off",
            virtual=virtual,
            vm_host=row["id"],
            vm_id=self.engine.number("maas.vms"),
            cpu_count=request["cores"],
            memory=request["memory"],
            **{"zone": row["zone"], "pool": row["pool"], **places},
        )
        nic = self.maas.interfaces.new("enp5s0", "physical", mac)
        machine["interfaces"].append(nic)
        machine["boot_interface"] = nic["id"]
        subnet = self.maas.interfaces.pxe_subnet()
        if subnet is not None:
            nic["vlan"] = subnet["vlan"]
        for spec in virtual["disks"]:
            machine["disks"].append(self.maas.storage.new(spec["name"], spec["size"], spec["serial"], spec["model"], spec["tags"]))
        machine["boot_disk"] = machine["disks"][0]["id"] if machine["disks"] else None
        for tag in row["tags"]:
            self.maas.tags.ensure(tag)
            machine["tags"].append(tag)
        self.engine.log("machine", machine=name, state="composed")
        return machine

    def _composed(self, system_id: str, user: str) -> None:
        """The VM exists; it is commissioned without being asked."""
        machine = self.maas.nodes.rows.get(system_id)
        if machine is not None:
            self.maas.lifecycle.commission(machine, Fields({"testing_scripts": "none"}), user)

    def compose_for(self, fields: Fields) -> Row | None:
        """A machine composed to serve an allocation, Ready at once; None when no host has the room (or tags, zones exclude it)."""
        if {"tags", "subnets", "interfaces", "fabrics", "storage_label"} & set(fields):
            return None
        wanted = {"cores": fields.text("cpu_count"), "memory": fields.text("mem"), "storage": fields.text("storage")}
        request_fields = Fields({name: str(int(float(value))) if name != "storage" else value for name, value in wanted.items() if value})
        for row in self.table:
            zone = self.maas.zones.table.get(row["zone"])["name"]
            if row["size"] is None or (fields.get("pod") and row["name"] not in fields.list("pod")) or fields.get("zone", zone) != zone:
                continue
            errors: dict[str, Any] = {}
            request = self._request(row, request_fields, errors)
            if errors or self._room(row, request) or self.engine.fault("compose_failed", hostname=""):
                continue
            machine = self._new(row, request, "", {})
            machine["dynamic"] = True
            hardware = machine["virtual"]
            self.maas.nodes.inspect(machine, hardware)
            self.maas.interfaces.discover(machine, hardware)
            self.maas.storage.apply(machine, self.maas.config.get("default_storage_layout"))
            self.maas.lifecycle.set_status(machine, 4)
            return machine
        return None

    def decompose(self, machine: Row) -> None:
        """A machine that was composed for an allocation disappears when it is released."""
        self.maas.machines.remove(machine)

    def release_resources(self, machine: Row) -> None:
        self.engine.log("machine", machine=machine["hostname"], state="decomposed")
