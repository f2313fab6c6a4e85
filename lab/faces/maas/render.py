"""Rows of the model as the API shows them: every key, every type."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lab.faces.maas.registry import PREFIX
from lab.world.maas import scripts
from lab.world.maas.base import Row
from lab.world.maas.events import event_date, result_date
from lab.world.maas.nodes import MACHINE, PENDING, REGION_AND_RACK, REGION_CONTROLLER, RESULT_NAMES
from lab.world.maas.storage import available, used

if TYPE_CHECKING:
    from lab.world.maas import MaasWorld

NODE_TYPES = {MACHINE: "Machine", REGION_CONTROLLER: "Region controller", REGION_AND_RACK: "Region and rack controller"}
HARDWARE_KEYS = (
    "system_vendor",
    "system_product",
    "system_family",
    "system_version",
    "system_sku",
    "system_serial",
    "cpu_model",
    "mainboard_vendor",
    "mainboard_product",
    "mainboard_serial",
    "mainboard_version",
    "mainboard_firmware_vendor",
    "mainboard_firmware_date",
    "mainboard_firmware_version",
    "chassis_vendor",
    "chassis_type",
    "chassis_serial",
    "chassis_version",
)
SERVER = {
    "system_vendor": "Dell Inc.",
    "system_product": "PowerEdge R640",
    "system_family": "PowerEdge",
    "system_sku": "SKU=0716;ModelName=PowerEdge R640",
    "cpu_model": "Intel(R) Xeon(R) Silver 4208 CPU",
    "mainboard_vendor": "Dell Inc.",
    "mainboard_product": "0H28RR",
    "mainboard_version": "A02",
    "mainboard_firmware_vendor": "Dell Inc.",
    "mainboard_firmware_date": "04/20/2024",
    "mainboard_firmware_version": "2.21.2",
    "chassis_vendor": "Dell Inc.",
    "chassis_type": "Rack Mount Chassis",
}
VIRTUAL = {
    "system_vendor": "QEMU",
    "system_product": "Standard PC (Q35 + ICH9, 2009)",
    "system_version": "pc-q35-8.2",
    "cpu_model": "QEMU Virtual CPU",
    "mainboard_vendor": "Canonical Ltd.",
    "mainboard_product": "LXD",
    "chassis_vendor": "QEMU",
    "chassis_type": "Other",
}
TESTS = ("cpu", "memory", "network", "storage", "interface", "other")


def iso_date(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}"


class Render:
    """Renders for one region."""

    def __init__(self, maas: MaasWorld):
        self.maas = maas

    # -- users ------------------------------------------------------------------------------------------------------------------
    def user(self, row: Row) -> Row:
        return {
            "is_superuser": row["is_superuser"],
            "username": row["username"],
            "email": row["email"],
            "is_local": row["is_local"],
            "resource_uri": f"{PREFIX}users/{row['username']}/",
        }

    def sshkey(self, row: Row) -> Row:
        return {"id": row["id"], "key": row["key"], "keysource": row["keysource"], "resource_uri": f"{PREFIX}account/prefs/sshkeys/{row['id']}/"}

    # -- groups -----------------------------------------------------------------------------------------------------------------
    def zone(self, row: Row) -> Row:
        return {"name": row["name"], "description": row["description"], "id": row["id"], "resource_uri": f"{PREFIX}zones/{row['name']}/"}

    def pool(self, row: Row) -> Row:
        return {"name": row["name"], "description": row["description"], "id": row["id"], "resource_uri": f"{PREFIX}resourcepool/{row['id']}/"}

    def tag(self, row: Row) -> Row:
        return {
            "name": row["name"],
            "definition": row["definition"],
            "comment": row["comment"],
            "kernel_opts": row["kernel_opts"],
            "resource_uri": f"{PREFIX}tags/{row['name']}/",
        }

    def domain(self, row: Row) -> Row:
        count = sum(1 for record in self.maas.dnsresources.table if record["domain"] == row["id"])
        return {
            "authoritative": row["authoritative"],
            "ttl": row["ttl"],
            "name": row["name"],
            "resource_record_count": count,
            "id": row["id"],
            "is_default": row["is_default"],
            "resource_uri": f"{PREFIX}domains/{row['id']}/",
        }

    def dnsresource(self, row: Row) -> Row:
        domain = self.maas.domains.table.get(row["domain"])
        addresses = [
            {
                "id": number,
                "ip": ip,
                "alloc_type": 4,
                "alloc_type_name": "User reserved",
                "subnet": None,
                "created": "",
                "owner": None,
                "interface_set": [],
                "resource_uri": f"{PREFIX}ipaddresses/",
            }
            for number, ip in enumerate(row["ip_addresses"], 1)
        ]
        return {
            "id": row["id"],
            "fqdn": f"{row['name']}.{domain['name']}",
            "address_ttl": row["address_ttl"],
            "ip_addresses": addresses,
            "resource_records": [],
            "resource_uri": f"{PREFIX}dnsresources/{row['id']}/",
        }

    # -- networks ---------------------------------------------------------------------------------------------------------------
    def vlan(self, row: Row) -> Row:
        return {
            "vid": row["vid"],
            "mtu": row["mtu"],
            "dhcp_on": row["dhcp_on"],
            "external_dhcp": None,
            "relay_vlan": None if row["relay_vlan"] is None else {"id": row["relay_vlan"], "__incomplete__": True},
            "secondary_rack": row["secondary_rack"],
            "name": self.maas.vlans.name(row),
            "id": row["id"],
            "fabric": self.maas.fabrics.table.get(row["fabric"])["name"],
            "space": self.maas.spaces.name(row["space"]),
            "primary_rack": row["primary_rack"],
            "fabric_id": row["fabric"],
            "resource_uri": f"{PREFIX}vlans/{row['id']}/",
        }

    def vlan_by_id(self, vlan_id: int | None) -> Row | None:
        return None if vlan_id is None else self.vlan(self.maas.vlans.table.get(vlan_id))

    def fabric(self, row: Row) -> Row:
        vlans = [self.vlan(vlan) for vlan in self.maas.vlans.table.where(fabric=row["id"])]
        return {"class_type": row["class_type"], "id": row["id"], "name": row["name"], "vlans": vlans, "resource_uri": f"{PREFIX}fabrics/{row['id']}/"}

    def subnet(self, row: Row) -> Row:
        vlan = self.maas.vlans.table.get(row["vlan"])
        return {
            "name": row["name"],
            "description": row["description"],
            "vlan": self.vlan(vlan),
            "cidr": row["cidr"],
            "rdns_mode": row["rdns_mode"],
            "gateway_ip": row["gateway_ip"],
            "dns_servers": list(row["dns_servers"]),
            "allow_dns": row["allow_dns"],
            "allow_proxy": row["allow_proxy"],
            "active_discovery": row["active_discovery"],
            "managed": row["managed"],
            "disabled_boot_architectures": [],
            "id": row["id"],
            "space": self.maas.spaces.name(vlan["space"]),
            "resource_uri": f"{PREFIX}subnets/{row['id']}/",
        }

    def subnet_addresses(self, row: Row) -> list[Row]:
        """Who uses which address of a subnet."""
        rows = []
        for ip, (node, nic, link) in self.maas.subnets.used(row).items():
            kind = {"auto": 0, "static": 1, "dhcp": 5}.get(link["mode"], 1)
            rows.append(
                {
                    "ip": ip,
                    "alloc_type": kind,
                    "created": event_date(node["created"]),
                    "updated": event_date(node["created"]),
                    "node_summary": {
                        "system_id": node["system_id"],
                        "node_type": node["node_type"],
                        "fqdn": self.maas.machines.fqdn(node),
                        "hostname": node["hostname"],
                        "is_container": False,
                        "via": nic["name"],
                    },
                    "user": node["owner"] or "MAAS",
                }
            )
        return rows

    def space(self, row: Row | None) -> Row:
        """A space, or the one that stands for VLANs without any (None)."""
        space_id = row["id"] if row else None
        vlans = [vlan for vlan in self.maas.vlans.table if vlan["space"] == space_id]
        ids = {vlan["id"] for vlan in vlans}
        subnets = [self.subnet(subnet) for subnet in self.maas.subnets.table if subnet["vlan"] in ids]
        if row is None:
            about = {"description": "Stands for everything that is in no space.", "name": "undefined", "resource_uri": f"{PREFIX}spaces/undefined/", "id": -1}
        else:
            about = {"description": row["description"], "name": row["name"], "resource_uri": f"{PREFIX}spaces/{row['id']}/", "id": row["id"]}
        return {**about, "subnets": subnets, "vlans": [self.vlan(vlan) for vlan in vlans]}

    def iprange(self, row: Row) -> Row:
        return {
            "subnet": self.subnet(self.maas.subnets.table.get(row["subnet"])),
            "type": row["type"],
            "start_ip": row["start_ip"],
            "end_ip": row["end_ip"],
            "user": self.user(self.maas.users.get(row["user"])),
            "comment": row["comment"],
            "id": row["id"],
            "resource_uri": f"{PREFIX}ipranges/{row['id']}/",
        }

    # -- images -----------------------------------------------------------------------------------------------------------------
    def boot_source(self, row: Row) -> Row:
        return {
            "created": iso_date(row["created"]),
            "updated": iso_date(row["updated"]),
            "url": row["url"],
            "keyring_filename": row["keyring_filename"],
            "id": row["id"],
            "keyring_data": row["keyring_data"],
            "resource_uri": f"{PREFIX}boot-sources/{row['id']}/",
        }

    def boot_selection(self, row: Row) -> Row:
        return {
            **{name: row[name] for name in ("os", "release", "arches", "subarches", "labels", "id", "boot_source_id")},
            "resource_uri": f"{PREFIX}boot-sources/{row['boot_source_id']}/selections/{row['id']}/",
        }

    def boot_resource(self, row: Row, whole: bool = False) -> Row:
        body = {
            "id": row["id"],
            "type": row["type"],
            "name": row["name"],
            "architecture": row["architecture"],
            "resource_uri": f"{PREFIX}boot-resources/{row['id']}/",
            "last_deployed": row["last_deployed"],
        }
        subarches = self.maas.images.subarches(row)
        if subarches is not None:
            body["subarches"] = subarches
        if whole:
            body["sets"] = self.maas.images.sets(row)
        return body

    # -- events and results -----------------------------------------------------------------------------------------------------
    def event(self, row: Row) -> Row:
        return {
            "username": row["username"],
            "node": row["node"],
            "hostname": row["hostname"],
            "id": row["id"],
            "level": row["level"],
            "created": event_date(row["at"]),
            "type": row["type"],
            "description": row["description"],
        }

    def result_set(self, row: Row) -> Row:
        results = [self.result(result) for result in row["results"]]
        status = self.maas.results.status(row)
        started = [r["started"] for r in row["results"] if r["started"]]
        ended = [r["ended"] for r in row["results"] if r["ended"]]
        done = bool(ended) and len(ended) == len(row["results"])
        number, type_name = scripts.KINDS[row["kind"]]
        return {
            "id": row["id"],
            "system_id": row["node"],
            "type": number,
            "type_name": type_name.removesuffix(" script"),
            "status": status,
            "status_name": RESULT_NAMES[status],
            "started": result_date(min(started)) if started else "",
            "ended": result_date(max(ended)) if done else "",
            "last_ping": result_date(max(started)) if started else "",
            "runtime": self._runtime(min(started), max(ended)) if done else "",
            "results": results,
            "resource_uri": f"{PREFIX}nodes/{row['node']}/results/{row['id']}/",
        }

    @staticmethod
    def _runtime(start: float, end: float) -> str:
        seconds = int(end - start)
        return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"

    def result(self, row: Row) -> Row:
        number = scripts.BY_NAME[row["name"]][0] if row["name"] in scripts.BY_NAME else None
        ended = row["ended"] is not None
        runtime = self._runtime(row["started"], row["ended"]) if ended and row["started"] else ""
        return {
            "id": row["id"],
            "created": result_date(row["created"]),
            "updated": result_date(row["updated"]),
            "name": row["name"],
            "status": row["status"],
            "status_name": RESULT_NAMES[row["status"]],
            "exit_status": row["exit"],
            "started": result_date(row["started"]) if row["started"] else "",
            "ended": result_date(row["ended"]) if ended else "",
            "runtime": runtime,
            "starttime": row["started"] or "",
            "endtime": row["ended"] or "",
            "estimated_runtime": runtime or "Unknown",
            "parameters": row["parameters"],
            "script_id": number,
            "script_revision_id": number,
            "suppressed": row["suppressed"],
        }

    def script(self, number: int, script: Row) -> Row:
        kind, hardware = scripts.KINDS[script["kind"]], scripts.HARDWARE[script["hardware"]]
        title = script["name"].replace("-", " ")
        return {
            "name": script["name"],
            "title": title,
            "description": title,
            "tags": script["tags"],
            "hardware_type": hardware[0],
            "parallel": script["parallel"],
            "results": {name: {"title": name, "description": name} for name in script.get("results", [])},
            "parameters": script.get("parameters", {}),
            "packages": {"apt": script["apt"]} if "apt" in script else {},
            "timeout": script["timeout"],
            "destructive": script.get("destructive", False),
            "default": True,
            "for_hardware": [],
            "may_reboot": False,
            "recommission": False,
            "apply_configured_networking": script.get("apply_configured_networking", False),
            "type_name": kind[1],
            "hardware_type_name": hardware[1],
            "parallel_name": scripts.PARALLEL[script["parallel"]],
            "type": kind[0],
            "id": number,
            "history": [{"id": number, "comment": "", "created": result_date(0)}],
            "resource_uri": f"{PREFIX}scripts/{script['name']}",
        }

    # -- nodes ------------------------------------------------------------------------------------------------------------------
    def interface(self, node: Row, nic: Row) -> Row:
        parents = [other["name"] for other in node["interfaces"] if other["id"] in nic["parents"]]
        children = [other["name"] for other in node["interfaces"] if nic["id"] in other["parents"]]
        links = []
        for link in nic["links"]:
            entry: Row = {"id": link["id"], "mode": link["mode"]}
            if link["ip"]:
                entry["ip_address"] = link["ip"]
            if link["subnet"] is not None:
                entry["subnet"] = self.subnet(self.maas.subnets.table.get(link["subnet"]))
            links.append(entry)
        discovered = None
        if nic["discovered"]:
            discovered = [{"subnet": self.subnet(self.maas.subnets.table.get(d["subnet"])), "ip_address": d["ip"]} for d in nic["discovered"]]
        vlan = self.vlan_by_id(nic["vlan"])
        return {
            "vlan": vlan,
            "name": nic["name"],
            "type": nic["type"],
            "tags": list(nic["tags"]),
            "system_id": node["system_id"],
            "parents": parents,
            "firmware_version": nic["firmware_version"],
            "params": dict(nic["params"]),
            "numa_node": nic["numa_node"],
            "vendor": nic["vendor"],
            "link_connected": nic["link_connected"],
            "effective_mtu": nic["params"].get("mtu") or (vlan["mtu"] if vlan else 1500),
            "children": children,
            "enabled": nic["enabled"],
            "sriov_max_vf": 0,
            "links": links,
            "product": nic["product"],
            "mac_address": nic["mac"],
            "discovered": discovered,
            "id": nic["id"],
            "interface_speed": nic["speed"],
            "link_speed": nic["link_speed"],
            "resource_uri": f"{PREFIX}nodes/{node['system_id']}/interfaces/{nic['id']}/",
        }

    def partition(self, node: Row, disk: Row, row: Row) -> Row:
        return {
            "uuid": row["uuid"],
            "size": row["size"],
            "bootable": row["bootable"],
            "tags": list(row["tags"]),
            "id": row["id"],
            "type": "partition",
            "filesystem": self.maas.storage.shown(node, row),
            "used_for": self._used_for(node, row),
            "device_id": disk["id"],
            "path": f"/dev/disk/by-dname/{disk['name']}-part{row['index']}",
            "system_id": node["system_id"],
            "resource_uri": f"{PREFIX}nodes/{node['system_id']}/blockdevices/{disk['id']}/partition/{row['id']}",
        }

    def _used_for(self, node: Row, row: Row) -> str:
        filesystem = self.maas.storage.shown(node, row)
        if filesystem and filesystem["fstype"] != "lvm-pv":
            at = f" mounted at {filesystem['mount_point']}" if filesystem["mount_point"] else ""
            return f"{filesystem['fstype']} formatted filesystem{at}"
        if row.get("group") and "bootable" in row:
            return f"LVM volume for {row['group']}"
        count = len(row.get("partitions", []))
        return f"{row['table']} partitioned with {count} partition{'s' if count > 1 else ''}" if count else "Unused"

    def disk(self, node: Row, row: Row) -> Row:
        physical = row["type"] == "physical"
        body: Row = {"firmware_version": "1.0"} if physical else {}
        return {
            **body,
            "name": row["name"],
            "model": row["model"],
            "type": row["type"],
            "used_for": self._used_for(node, row),
            "tags": list(row["tags"]),
            "system_id": node["system_id"],
            "numa_node": 0 if physical else None,
            "storage_pool": None,
            "uuid": row["uuid"],
            "used_size": used(row),
            "partitions": [self.partition(node, row, partition) for partition in row["partitions"]],
            "filesystem": self.maas.storage.shown(node, row),
            "serial": row["serial"],
            "size": row["size"],
            "block_size": row["block_size"],
            "id": row["id"],
            "id_path": f"/dev/disk/by-id/{row['wwn']}" if row["wwn"] else None,
            "partition_table_type": row["table"],
            "path": f"/dev/disk/by-dname/{row['name']}",
            "available_size": available(row),
            "resource_uri": f"{PREFIX}nodes/{node['system_id']}/blockdevices/{row['id']}/",
        }

    def hardware_info(self, node: Row) -> Row:
        info = dict.fromkeys(HARDWARE_KEYS, "Unknown")
        hardware = node["hardware"]
        if hardware:
            serial = hardware["serial"]
            info.update(VIRTUAL if hardware["virtual"] else SERVER)
            info.update(system_serial=serial, mainboard_serial=f".{serial}.", chassis_serial=serial)
        return info

    def _common(self, node: Row) -> Row:
        """Keys that machines and controllers share."""
        body: Row = {}
        for name in TESTS:
            status = node["storage_test_status"] if name == "storage" else -1
            body[f"{name}_test_status"], body[f"{name}_test_status_name"] = status, RESULT_NAMES[status]
        for name in ("commissioning", "testing"):
            body[f"{name}_status"], body[f"{name}_status_name"] = node[f"{name}_status"], RESULT_NAMES[node[f"{name}_status"]]
        for name in ("commissioning", "testing", "installation"):
            body[f"current_{name}_result_id"] = node["results"][name]
        for name in (
            "system_id",
            "hostname",
            "architecture",
            "description",
            "cpu_count",
            "cpu_speed",
            "memory",
            "power_type",
            "power_state",
            "osystem",
            "distro_series",
            "swap_size",
            "status_action",
            "hardware_uuid",
            "node_type",
        ):
            body[name] = node[name]
        body.update(
            fqdn=self.maas.machines.fqdn(node),
            node_type_name=NODE_TYPES[node["node_type"]],
            tag_names=list(node["tags"]),
            hardware_info=self.hardware_info(node),
            zone=self.zone(self.maas.zones.table.get(node["zone"])),
            domain=self.domain(self.maas.domains.table.get(node["domain"])),
            ip_addresses=self._addresses(node),
            interface_set=[self.interface(node, nic) for nic in node["interfaces"]],
        )
        return body

    def _addresses(self, node: Row) -> list[str]:
        held = [link["ip"] for nic in node["interfaces"] for link in nic["links"] if link["ip"]]
        return held or [found["ip"] for nic in node["interfaces"] for found in nic["discovered"] or []]

    def machine(self, node: Row, **shown: Any) -> Row:
        """A machine; ``shown`` overrides keys (some replies still show what an operation is about to change)."""
        if node["node_type"] != MACHINE:
            return self.controller(node)
        disks = [self.disk(node, disk) for disk in node["disks"]]
        physical = [disk for disk in disks if disk["type"] == "physical"]
        boot = self.maas.interfaces.boot(node)
        body = self._common(node)
        interfaces = {nic["id"]: nic for nic in body["interface_set"]}
        host = self.maas.vm_hosts.table.find(node["vm_host"]) if node["vm_host"] is not None else None
        body.update(
            {
                name: node[name]
                for name in (
                    "owner",
                    "owner_data",
                    "netboot",
                    "locked",
                    "error_description",
                    "ephemeral_deploy",
                    "enable_hw_sync",
                    "hwe_kernel",
                    "min_hwe_kernel",
                    "status",
                    "status_name",
                    "status_message",
                )
            },
            workload_annotations=dict(node["owner_data"]),
            pool=self.pool(self.maas.pools.table.get(node["pool"])),
            boot_interface=interfaces[boot["id"]] if boot else None,
            boot_disk=next((d for d in disks if d["id"] == node["boot_disk"]), None),
            blockdevice_set=disks,
            physicalblockdevice_set=physical,
            virtualblockdevice_set=[d for d in disks if d["type"] == "virtual"],
            volume_groups=[{"system_id": node["system_id"], "id": group["id"], "__incomplete__": True} for group in node["volume_groups"]],
            storage=sum(disk["size"] for disk in physical) / 10**6,
            default_gateways=self._gateways(node),
            numanode_set=[{"index": 0, "memory": node["memory"], "cores": list(range(node["cpu_count"])), "hugepages_set": []}],
            pod=None if host is None else {"id": host["id"], "name": host["name"], "resource_uri": f"{PREFIX}pods/{host['id']}/"},
            virtualmachine_id=node["vm_id"],
            resource_uri=f"{PREFIX}machines/{node['system_id']}/",
            # Things that machines of the lab never have.
            address_ttl=None,
            bcaches=[],
            bios_boot_method=None,
            cache_sets=[],
            disable_ipv4=False,
            last_sync=None,
            next_sync=None,
            parent=None,
            raids=[],
            special_filesystems=[],
            sync_interval=None,
        )
        if self.maas.personality == "3.7":
            body.update(enable_kernel_crash_dump=False, is_dpu=False)
        body.update(shown)
        return body

    def _gateways(self, node: Row) -> Row:
        gateway, link_id = None, None
        links = [link for nic in node["interfaces"] for link in nic["links"]]
        for link in links:
            if link["subnet"] is None or link["mode"] not in ("auto", "static", "dhcp"):
                continue
            ip = self.maas.subnets.table.get(link["subnet"])["gateway_ip"]
            if ip and (link["id"] == node["gateway_link"] or gateway is None):
                gateway = ip
                link_id = node["gateway_link"] if link["id"] == node["gateway_link"] else link_id
        return {"ipv4": {"gateway_ip": gateway, "link_id": link_id}, "ipv6": {"gateway_ip": None, "link_id": None}}

    def enlisted(self, node: Row) -> Row:
        """What a machine that enlists itself is told about itself."""
        zone = self.zone(self.maas.zones.table.get(node["zone"]))
        domain = self.domain(self.maas.domains.table.get(node["domain"]))
        del zone["resource_uri"], domain["resource_uri"]
        keys = ("power_state", "architecture", "status_message", "hostname", "system_id", "node_type", "status", "power_type", "status_action", "status_name")
        return {
            **{name: node[name] for name in keys},
            "zone": zone,
            "domain": domain,
            "fqdn": self.maas.machines.fqdn(node),
            "resource_uri": f"{PREFIX}machines/{node['system_id']}/",
        }

    def controller(self, node: Row, kind: str = "rackcontrollers") -> Row:
        body = self._common(node)
        body.update(
            version=self.maas.version,
            commissioning_status=PENDING,
            commissioning_status_name=RESULT_NAMES[PENDING],
            resource_uri=f"{PREFIX}{kind}/{node['system_id']}/",
        )
        if kind == "rackcontrollers":
            body["service_set"] = self.maas.controllers.services(node)
        return body

    # -- VM hosts ---------------------------------------------------------------------------------------------------------------
    def vm_host(self, row: Row, path: str = "vm-hosts") -> Row:
        size = row["size"]
        totals = self.maas.vm_hosts.totals(row)
        pools = []
        for pool in size["pools"] if size else []:
            taken = totals["used"]["local_storage"] if pool is size["pools"][0] else 0
            pools.append(
                {
                    "id": pool["id"],
                    "name": pool["name"],
                    "type": pool["type"],
                    "path": f"/var/lib/lxd/storage-pools/{pool['name']}",
                    "total": pool["size"],
                    "used": taken,
                    "available": pool["size"] - taken,
                    "default": pool is size["pools"][0],
                }
            )
        return {
            "total": totals["total"],
            "used": totals["used"],
            "available": totals["available"],
            "name": row["name"],
            "pool": self.pool(self.maas.pools.table.get(row["pool"])),
            "zone": self.zone(self.maas.zones.table.get(row["zone"])),
            "host": {"system_id": row["host"], "__incomplete__": True},
            "id": row["id"],
            "tags": list(row["tags"]),
            "architectures": row["architectures"],
            "type": row["type"],
            "version": row["version"],
            "default_macvlan_mode": row["default_macvlan_mode"],
            "storage_pools": pools,
            "capabilities": row["capabilities"],
            "cpu_over_commit_ratio": row["cpu_over_commit_ratio"],
            "memory_over_commit_ratio": row["memory_over_commit_ratio"],
            "resource_uri": f"{PREFIX}{path}/{row['id']}/",
        }
