"""Network interfaces of nodes: physical ones, bridges, bonds, VLANs, and their links to subnets."""

from __future__ import annotations

import re
from typing import Any

from lab.errors import ApiError, invalid, missing
from lab.world.maas.base import Fields, Part, Row, whole
from lab.world.maas.config import choices
from lab.world.maas.networks import NO_CHOICE, REQUIRED, parse_ip
from lab.world.maas.states import check_network

MAC = re.compile(r"\A([0-9a-f]{2}:){5}[0-9a-f]{2}\Z", re.IGNORECASE)
MODES = ["auto", "dhcp", "static", "link_up"]
BRIDGE_TYPES = ["standard", "ovs"]
BOND_MODES = ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"]
BLANK_MAC = "This field cannot be blank."


class Interfaces(Part):
    """Interfaces live in their node; ids are the region's."""

    def new(self, name: str, kind: str, mac: str, **values: Any) -> Row:
        nic: Row = {
            "id": self.engine.number("maas.interfaces"),
            "name": name,
            "type": kind,
            "mac": mac,
            "vlan": None,
            "parents": [],
            "enabled": True,
            "tags": [],
            "params": {},
            "links": [],
            "discovered": None,
            "link_connected": True,
            "speed": 0,
            "link_speed": 0,
            "vendor": None,
            "product": None,
            "firmware_version": None,
            "numa_node": 0 if kind == "physical" else None,
        }
        nic.update(values)
        return nic

    @staticmethod
    def find(node: Row, text: str) -> Row:
        for nic in node["interfaces"]:
            if str(nic["id"]) == text or nic["name"] == text:
                return nic
        raise missing("Interface")

    @staticmethod
    def children(node: Row, nic: Row) -> list[Row]:
        return [other for other in node["interfaces"] if nic["id"] in other["parents"]]

    def owner_of_mac(self, mac: str) -> tuple[Row, Row] | None:
        for node in self.maas.nodes.rows.values():
            for nic in node["interfaces"]:
                if nic["mac"] == mac and nic["type"] == "physical":
                    return node, nic
        return None

    # -- making -----------------------------------------------------------------------------------------------------------
    def create(self, node: Row, kind: str, fields: Fields) -> Row:
        check_network(node, f"create {kind}")
        errors: dict[str, Any] = {}
        nic = getattr(self, f"_{kind}")(node, fields, errors)
        if errors:
            raise invalid(errors)
        self._options(nic, fields)
        node["interfaces"].append(nic)
        if kind in ("bridge", "bond"):
            for parent in nic["parents"]:
                self._clear(node, self.find(node, str(parent)))
        if kind != "physical":
            self._link_up(nic)
        self.engine.touch()
        return nic

    def _bridge(self, node: Row, fields: Fields, errors: dict[str, Any]) -> Row:
        parents = self._parents(node, fields.list("parent"), errors, "parent")
        mac = fields.text("mac_address").lower()
        if "bridge_type" in fields and fields.text("bridge_type") not in BRIDGE_TYPES:
            errors["bridge_type"] = choices(fields.text("bridge_type"), "bridge_type", BRIDGE_TYPES)
        self._name(node, fields, errors, "parent" in errors)
        if "parent" not in errors:
            if len(parents) != 1:
                errors["parent"] = "A bridge interface must have exactly one parent."
            elif any(child["type"] in ("bridge", "bond") for child in self.children(node, parents[0])):
                errors["parent"] = "A bridge interface can't have a parent that is already in a bond or a bridge."
        if "parent" in errors and not mac:
            errors["mac_address"] = BLANK_MAC
        if errors:
            return {}
        params: Row = {
            "bridge_type": fields.text("bridge_type", "standard"),
            "bridge_stp": fields.flag("bridge_stp"),
            "bridge_fd": whole(fields.text("bridge_fd", "15")),
        }
        parent = parents[0]
        return self.new(fields.text("name"), "bridge", mac or parent["mac"], parents=[parent["id"]], vlan=parent["vlan"], params=params, link_connected=False)

    def _bond(self, node: Row, fields: Fields, errors: dict[str, Any]) -> Row:
        parents = self._parents(node, fields.list("parents"), errors, "parents")
        mac = fields.text("mac_address").lower()
        mode = fields.text("bond_mode", "balance-rr")
        if mode not in BOND_MODES:
            errors["bond_mode"] = choices(mode, "bond_mode", BOND_MODES)
        self._name(node, fields, errors, "parents" in errors)
        if "parents" not in errors:
            if not parents:
                errors["parents"] = "A bond interface must have one or more parents."
            elif any(self.children(node, parent) for parent in parents):
                taken = ", ".join(p["name"] for p in parents if self.children(node, p))
                errors["parents"] = f"Interfaces already in-use: {taken}."
            elif len({parent["vlan"] for parent in parents}) > 1:
                errors["parents"] = "All parents must belong to the same VLAN."
        if not parents and not mac:
            errors["mac_address"] = BLANK_MAC
        if errors:
            return {}
        params = {
            "bond_mode": mode,
            "bond_miimon": whole(fields.text("bond_miimon", "100")),
            "bond_downdelay": whole(fields.text("bond_downdelay", "0")),
            "bond_updelay": whole(fields.text("bond_updelay", "0")),
            "bond_lacp_rate": fields.text("bond_lacp_rate", "fast"),
            "bond_xmit_hash_policy": fields.text("bond_xmit_hash_policy", "layer2"),
            "bond_num_grat_arp": whole(fields.text("bond_num_grat_arp", "1")),
        }
        return self.new(fields.text("name"), "bond", mac or parents[0]["mac"], parents=[p["id"] for p in parents], vlan=parents[0]["vlan"], params=params)

    def _vlan(self, node: Row, fields: Fields, errors: dict[str, Any]) -> Row:
        parents = self._parents(node, fields.list("parent"), errors, "parent")
        vlan = self.maas.vlans.table.find(fields.text("vlan")) if fields.get("vlan") else None
        if vlan is None:
            errors["vlan"] = NO_CHOICE if fields.get("vlan") else "A VLAN interface must be connected to a tagged VLAN."
        elif vlan["vid"] == 0:
            errors["vlan"] = "A VLAN interface can only belong to a tagged VLAN."
        if "parent" not in errors and len(parents) != 1:
            errors["parent"] = "A VLAN interface must have exactly one parent."
        if errors:
            return {}
        name = f"{parents[0]['name']}.{vlan['vid']}"
        if any(nic["name"] == name for nic in node["interfaces"]):
            errors["name"] = f"Node {node['system_id']} ({node['hostname']}) already has an interface named '{name}'."
            return {}
        return self.new(name, "vlan", parents[0]["mac"], parents=[parents[0]["id"]], vlan=vlan["id"], link_connected=False)

    def _physical(self, node: Row, fields: Fields, errors: dict[str, Any]) -> Row:
        mac = fields.text("mac_address").lower()
        self._mac(mac, None, errors)
        vlan = None
        if fields.get("vlan"):
            row = self.maas.vlans.table.find(fields.text("vlan"))
            if row is None:
                errors["vlan"] = NO_CHOICE
            vlan = row["id"] if row else None
        if fields.get("name"):
            self._name(node, fields, errors, False)
        if errors:
            return {}
        number = sum(1 for nic in node["interfaces"] if nic["type"] == "physical")
        return self.new(fields.text("name", f"eth{number}"), "physical", mac, vlan=vlan, link_connected=fields.flag("link_connected", False))

    def _parents(self, node: Row, texts: list[str], errors: dict[str, Any], field: str) -> list[Row]:
        parents = []
        for text in texts:
            found = next((nic for nic in node["interfaces"] if str(nic["id"]) == text), None)
            if found is None:
                errors[field] = f"Select a valid choice. {text} is not one of the available choices."
            else:
                parents.append(found)
        return parents

    def _name(self, node: Row, fields: Fields, errors: dict[str, Any], parents_wrong: bool) -> None:
        name = fields.text("name")
        if not name:
            errors["name"] = REQUIRED
        elif self.maas.personality == "3.7" and not 1 <= len(name) <= 15:
            errors["name"] = "Interface names must be 1-15 characters long."
        elif not parents_wrong and any(nic["name"] == name for nic in node["interfaces"]) and not self._parent_busy(node, fields):
            errors["name"] = f"Node {node['system_id']} ({node['hostname']}) already has an interface named '{name}'."

    def _parent_busy(self, node: Row, fields: Fields) -> bool:
        """A parent in use is complained about instead of a name in use."""
        ids = set(fields.list("parent") + fields.list("parents"))
        return any(str(nic["id"]) in ids and self.children(node, nic) for nic in node["interfaces"])

    def _mac(self, mac: str, own: Row | None, errors: dict[str, Any]) -> None:
        if not mac:
            errors["mac_address"] = REQUIRED
        elif not MAC.match(mac):
            errors["mac_address"] = f"'{mac}' is not a valid MAC address."
        else:
            other = self.owner_of_mac(mac)
            if other is not None and other[1] is not own:
                text = f"This MAC address is already in use by {other[1]['name']} ({other[1]['type']}) on {other[0]['hostname']}."
                errors["mac_address"] = text

    # -- changing ---------------------------------------------------------------------------------------------------------
    def update(self, node: Row, nic: Row, fields: Fields) -> Row:
        check_network(node, "update")
        errors: dict[str, Any] = {}
        values: dict[str, Any] = {}
        if fields.get("name") and fields.get("name") != nic["name"]:
            if any(other["name"] == fields.get("name") for other in node["interfaces"]):
                errors["name"] = f"Node {node['system_id']} ({node['hostname']}) already has an interface named '{fields.get('name')}'."
            values["name"] = fields.get("name")
        if fields.get("mac_address"):
            self._mac(fields.text("mac_address").lower(), nic, errors)
            values["mac"] = fields.text("mac_address").lower()
        if "vlan" in fields:
            row = self.maas.vlans.table.find(fields.text("vlan")) if fields.get("vlan") else None
            if fields.get("vlan") and row is None:
                errors["vlan"] = NO_CHOICE
            if not any(child["type"] in ("bridge", "bond") for child in self.children(node, nic)):
                # Below a bridge or a bond the VLAN is that one's.
                values["vlan"] = row["id"] if row else None
        field = "parents" if nic["type"] == "bond" else "parent"
        if field in fields and nic["type"] != "physical":
            parents = self._parents(node, fields.list(field), errors, field)
            values["parents"] = [parent["id"] for parent in parents]
        if "bridge_type" in fields and fields.text("bridge_type") not in BRIDGE_TYPES:
            errors["bridge_type"] = choices(fields.text("bridge_type"), "bridge_type", BRIDGE_TYPES)
        if errors:
            raise invalid(errors)
        if "vlan" in values and values["vlan"] != nic["vlan"]:
            # Links to subnets of the other VLAN cannot stay.
            nic["links"] = [link for link in nic["links"] if link["subnet"] is None or self.maas.subnets.table.get(link["subnet"])["vlan"] == values["vlan"]]
        nic.update(values)
        if nic["type"] == "bridge":
            for name in ("bridge_type", "bridge_stp", "bridge_fd"):
                if name in fields:
                    clean = {"bridge_type": fields.text, "bridge_stp": fields.flag, "bridge_fd": lambda n: whole(fields.get(n))}[name]
                    nic["params"][name] = clean(name)
        if nic["type"] == "bond":
            for name in [name for name in fields if name.startswith("bond_")]:
                number = whole(fields.get(name))
                nic["params"][name] = fields.get(name) if number is None else number
        self._options(nic, fields)
        self.engine.touch()
        return nic

    @staticmethod
    def _options(nic: Row, fields: Fields) -> None:
        if fields.get("mtu"):
            nic["params"]["mtu"] = whole(fields.get("mtu"))
        if "tags" in fields:
            nic["tags"] = [tag for text in fields.list("tags") for tag in text.split(",") if tag]
        if "enabled" in fields:
            nic["enabled"] = fields.flag("enabled")
        if "link_connected" in fields:
            nic["link_connected"] = fields.flag("link_connected")

    def delete(self, node: Row, nic: Row) -> None:
        check_network(node, "delete")
        for child in self.children(node, nic):
            child["parents"].remove(nic["id"])
            if not child["parents"] and child["type"] != "bridge":
                node["interfaces"].remove(child)
        node["interfaces"].remove(nic)
        self.engine.touch()

    def add_tag(self, nic: Row, tag: str) -> Row:
        if tag and tag not in nic["tags"]:
            nic["tags"].append(tag)
            self.engine.touch()
        return nic

    def remove_tag(self, nic: Row, tag: str) -> Row:
        if tag in nic["tags"]:
            nic["tags"].remove(tag)
            self.engine.touch()
        return nic

    # -- links --------------------------------------------------------------------------------------------------------------
    def add_link(self, nic: Row, mode: str, subnet: int | None = None, ip: str | None = None) -> Row:
        link = {"id": self.engine.number("maas.links"), "mode": mode, "subnet": subnet, "ip": ip}
        nic["links"].append(link)
        return link

    def _link_up(self, nic: Row) -> None:
        if not nic["links"]:
            self.add_link(nic, "link_up")

    def _clear(self, node: Row, nic: Row) -> None:
        nic["links"] = []
        if node["gateway_link"] is not None and not any(link["id"] == node["gateway_link"] for n in node["interfaces"] for link in n["links"]):
            node["gateway_link"] = None

    def link(self, node: Row, nic: Row, fields: Fields) -> Row:
        check_network(node, "link subnet")
        mode = fields.text("mode").lower()
        errors: dict[str, Any] = {}
        if mode not in MODES:
            raise invalid({"mode": choices(mode, "mode", MODES) if mode else REQUIRED})
        subnet = None
        if fields.get("subnet"):
            subnet = self.maas.subnets.by(fields.text("subnet"))
            if subnet is not None and nic["vlan"] is not None and subnet["vlan"] != nic["vlan"]:
                subnet = None
            if subnet is None:
                errors["subnet"] = [f"None found with id={fields.get('subnet')}."]
                if mode != "link_up":
                    errors["subnet"].append(REQUIRED)
        elif mode in ("auto", "static"):
            errors["subnet"] = REQUIRED
        real = [link for link in nic["links"] if link["mode"] != "link_up" or link["subnet"] is not None]
        if mode == "link_up" and real and not fields.flag("force"):
            errors["mode"] = (
                "Cannot configure interface to link up (with no IP address) while other links are already configured. "
                "Specify force=True to override this behavior and delete all links."
            )
        ip = fields.get("ip_address") or None
        if mode == "static" and subnet is not None and not errors:
            ip = self._static(subnet, ip, errors)
        if errors:
            raise invalid(errors)
        if fields.flag("force"):
            nic["links"] = []
        if mode != "link_up":
            nic["links"] = [link for link in nic["links"] if link["mode"] != "link_up"]
        else:
            nic["links"] = []
        link = self.add_link(nic, mode, subnet["id"] if subnet else None, ip if mode == "static" else None)
        if subnet is not None and nic["vlan"] is None:
            nic["vlan"] = subnet["vlan"]
        if fields.flag("default_gateway") and subnet is not None and subnet["gateway_ip"]:
            node["gateway_link"] = link["id"]
        self.engine.touch()
        return nic

    def _static(self, subnet: Row, ip: str | None, errors: dict[str, Any]) -> str | None:
        if ip is None:
            return self.maas.subnets.free_address(subnet)
        if parse_ip(ip) is None:
            errors["ip_address"] = "Enter a valid IPv4 or IPv6 address."
            return None
        holder = self.maas.subnets.holding(ip)
        if holder is not subnet:
            vlan = self.maas.vlans.table.get(subnet["vlan"])
            errors["ip_address"] = f"IP address is not in the given subnet '{subnet['name']}:{subnet['cidr']}(vid={vlan['vid']})'."
            return None
        dynamic = self.maas.ranges.dynamic_at(subnet, ip)
        if dynamic is not None:
            errors["ip_address"] = f"IP address is inside a dynamic range {dynamic['start_ip']} to {dynamic['end_ip']}."
            return None
        if ip in self.maas.subnets.used(subnet):
            raise ApiError(404, "IP address is already in use.")
        return ip

    def unlink(self, node: Row, nic: Row, fields: Fields) -> Row:
        check_network(node, "unlink subnet")
        ids = [str(link["id"]) for link in nic["links"]]
        if not fields.get("id"):
            raise invalid({"id": REQUIRED})
        if fields.get("id") not in ids:
            raise invalid({"id": choices(fields.text("id"), "id", ids)})
        nic["links"] = [link for link in nic["links"] if str(link["id"]) != fields.get("id")]
        if node["gateway_link"] == whole(fields.get("id")):
            node["gateway_link"] = None
        self._link_up(nic)
        self.engine.touch()
        return nic

    def disconnect(self, node: Row, nic: Row) -> Row:
        check_network(node, "disconnect")
        self._clear(node, nic)
        nic["vlan"] = None
        if nic["type"] == "bridge":
            for parent in nic["parents"]:
                self.find(node, str(parent))["vlan"] = None
        self.engine.touch()
        return nic

    def set_default_gateway(self, node: Row, nic: Row, fields: Fields) -> Row:
        check_network(node, "set default gateway")
        usable = [link for link in nic["links"] if link["subnet"] and self.maas.subnets.table.get(link["subnet"])["gateway_ip"]]
        if fields.get("link_id"):
            usable = [link for link in usable if str(link["id"]) == fields.get("link_id")]
        if not usable:
            raise invalid({"__all__": "This interface has no usable gateways."})
        node["gateway_link"] = usable[0]["id"]
        self.engine.touch()
        return nic

    # -- whole nodes ----------------------------------------------------------------------------------------------------------
    def boot(self, node: Row) -> Row | None:
        """The NIC that the node boots from."""
        for nic in node["interfaces"]:
            if nic["id"] == node["boot_interface"]:
                return nic
        return next((nic for nic in node["interfaces"] if nic["type"] == "physical"), None)

    def forget_links(self, node: Row) -> None:
        """A commissioning starts with unconfigured NICs."""
        for nic in node["interfaces"]:
            nic["links"] = []
        node["gateway_link"] = None

    def discover(self, node: Row, hardware: Row) -> None:
        """Initial configuration after commissioning: NICs land on the subnets where they got an address; the boot NIC gets an AUTO link."""
        boot = self.boot(node)
        specs = {spec["mac"].lower(): spec for spec in hardware.get("nics") or []}
        node["interfaces"] = [nic for nic in node["interfaces"] if nic["type"] == "physical"]
        for nic in node["interfaces"]:
            spec = specs.get(nic["mac"], {})
            subnet = self.maas.subnets.by(spec["subnet"]) if spec.get("subnet") else (self.pxe_subnet() if nic is boot else None)
            nic["links"] = []
            if not nic["link_connected"]:
                continue
            if subnet is None:
                if nic["vlan"] is None:
                    nic["vlan"] = self.maas.vlans.default_of(self.maas.fabrics.add()["id"])["id"]
                self.add_link(nic, "link_up")
                continue
            nic["vlan"] = subnet["vlan"]
            ip = self.maas.subnets.lease(subnet, nic["mac"]) or spec.get("ip")
            nic["discovered"] = [{"subnet": subnet["id"], "ip": ip}] if ip else None
            if nic is boot:
                self.add_link(nic, "auto", subnet["id"])
            else:
                self.add_link(nic, "link_up", subnet["id"])

    def pxe_subnet(self) -> Row | None:
        """The subnet that machines boot on: the first with DHCP served by a rack."""
        for subnet in self.maas.subnets.table:
            vlan = self.maas.vlans.table.find(subnet["vlan"])
            if vlan and vlan["dhcp_on"] and self.maas.ranges.table.one(subnet=subnet["id"], type="dynamic"):
                return subnet
        return None

    def assign(self, node: Row) -> None:
        """Give every AUTO link its address, as a deployment does first; the boot address becomes the machine's."""
        for nic in node["interfaces"]:
            for link in nic["links"]:
                if link["mode"] == "auto" and not link["ip"] and link["subnet"] is not None:
                    link["ip"] = self.maas.subnets.free_address(self.maas.subnets.table.get(link["subnet"]))
        node["ip"] = self.address(node)

    def unassign(self, node: Row) -> None:
        for nic in node["interfaces"]:
            for link in nic["links"]:
                if link["mode"] == "auto":
                    link["ip"] = None
        node["ip"] = None

    def address(self, node: Row) -> str | None:
        """The address that the node is reached at: of the boot NIC or of what was built over it, else of any link, else its lease."""
        boot = self.boot(node)
        order = sorted(node["interfaces"], key=lambda nic: nic is not boot and (boot is None or boot["id"] not in nic["parents"]))
        for nic in order:
            for link in nic["links"]:
                if link["ip"]:
                    return link["ip"]
        for nic in order:
            for found in nic["discovered"] or []:
                return found["ip"]
        return None

    def addressed(self, node: Row) -> bool:
        """Whether the node's configuration gives it an address that the region can talk to."""
        return any(link["mode"] in ("auto", "static", "dhcp") for nic in node["interfaces"] for link in nic["links"])
