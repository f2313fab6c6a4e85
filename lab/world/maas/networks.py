"""Fabrics, VLANs, subnets, spaces, address ranges, and who uses which address."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from lab.errors import BARE_JSON, ApiError, bad, invalid, missing
from lab.world.maas.base import Fields, Part, Row, Table, named, whole

NO_CHOICE = "Select a valid choice. That choice is not one of the available choices."
REQUIRED = "This field is required."
FABRIC_NAME = re.compile(r"\A[ \w-]+\Z")
UNTAGGED = "untagged"


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class Fabrics(Part):
    """Fabrics: each is made with an untagged VLAN, which belongs to it for good."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "fabrics", "Fabric", start=0)

    def add(self, name: str | None = None, class_type: str | None = None) -> Row:
        row = self.table.add(name=name, class_type=class_type)
        row["name"] = name or f"fabric-{row['id']}"
        self.maas.vlans.add(row["id"], 0)
        return row

    def create(self, fields: Fields) -> Row:
        name = None
        if fields.get("name"):
            name = named(self.table, fields, "Fabric", pattern=FABRIC_NAME, bad="Invalid fabric name: {}.")
        return self.add(name, fields.get("class_type"))

    def update(self, row: Row, fields: Fields) -> Row:
        row["name"] = named(self.table, fields, "Fabric", row, FABRIC_NAME, "Invalid fabric name: {}.")
        if "class_type" in fields:
            row["class_type"] = fields.get("class_type")
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        if row["id"] == 0:
            raise bad("This fabric is the default fabric, it cannot be deleted.")
        vlans = self.maas.vlans.table.where(fabric=row["id"])
        ids = {vlan["id"] for vlan in vlans}
        if any(subnet["vlan"] in ids for subnet in self.maas.subnets.table):
            raise bad(
                "Can't delete fabric; the following subnets are still present: " + ", ".join(s["name"] for s in self.maas.subnets.table if s["vlan"] in ids)
            )
        if any(nic["vlan"] in ids for node in self.maas.nodes.rows.values() for nic in node["interfaces"]):
            raise bad("Can't delete fabric; interfaces are connected to it.")
        for vlan in vlans:
            self.maas.vlans.table.remove(vlan)
        self.table.remove(row)

    def by(self, text: str) -> Row | None:
        return self.table.find(text) or self.table.one(name=text)


class Vlans(Part):
    """VLANs, addressed by fabric and VID."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "vlans", "VLAN", start=5001 if maas.personality == "3.7" else 1)

    def add(self, fabric: int, vid: int, name: str | None = None, mtu: int = 1500, space: int | None = None) -> Row:
        return self.table.add(fabric=fabric, vid=vid, name=name, mtu=mtu, space=space, dhcp_on=False, primary_rack=None, secondary_rack=None, relay_vlan=None)

    def at(self, fabric: str, vid: str) -> Row:
        fabric_row = self.maas.fabrics.table.get(fabric)
        row = self.table.one(fabric=fabric_row["id"], vid=whole(vid))
        if row is None:
            raise missing("VLAN")
        return row

    def default_of(self, fabric_id: int) -> Row:
        return self.table.one(fabric=fabric_id, vid=0)

    def name(self, row: Row) -> str:
        return UNTAGGED if row["vid"] == 0 and not row["name"] else row["name"] or str(row["vid"])

    def create(self, fabric: str, fields: Fields) -> Row:
        fabric_row = self.maas.fabrics.table.get(fabric)
        errors, values = self._clean(fields)
        if "vid" not in values and "vid" not in errors:
            errors["vid"] = [REQUIRED, "VID must be between 0 and 4094."]
        if errors:
            raise invalid(errors)
        self._taken(fabric_row["id"], values["vid"])
        row = self.add(fabric_row["id"], values["vid"])
        row.update(values)
        return row

    def update(self, row: Row, fields: Fields) -> Row:
        errors, values = self._clean(fields)
        racks = {rack["system_id"] for rack in self.maas.controllers.racks()}
        for field in ("primary_rack", "secondary_rack"):
            if fields.get(field):
                if fields.get(field) in racks:
                    values[field] = fields.get(field)
                else:
                    errors[field] = f"Select a valid choice. {fields.get(field)} is not one of the available choices."
            elif field in fields:
                values[field] = None
        if "dhcp_on" in fields:
            values["dhcp_on"] = fields.flag("dhcp_on")
            problem = self._dhcp_problem(row, values, "primary_rack" in errors)
            if problem:
                errors["dhcp_on"] = problem
        if "relay_vlan" in fields:
            relay = self.table.find(fields.text("relay_vlan")) if fields.get("relay_vlan") else None
            if fields.get("relay_vlan") and relay is None:
                errors["relay_vlan"] = NO_CHOICE
            elif relay is not None and values.get("dhcp_on", row["dhcp_on"]):
                errors["relay_vlan"] = "'relay_vlan' cannot be set when dhcp is on."
            values["relay_vlan"] = relay["id"] if relay else None
        if errors:
            raise invalid(errors)
        if values.get("vid", row["vid"]) != row["vid"]:
            self._taken(row["fabric"], values["vid"])
        row.update(values)
        self.engine.touch()
        if row["dhcp_on"]:
            self.maas.pxe_again()
        return row

    def delete(self, row: Row) -> None:
        if row["vid"] == 0:
            raise bad("This VLAN is the default VLAN in the fabric, it cannot be deleted.")
        default = self.default_of(row["fabric"])
        for subnet in self.maas.subnets.table.where(vlan=row["id"]):
            subnet["vlan"] = default["id"]
        for node in self.maas.nodes.rows.values():
            for nic in node["interfaces"]:
                if nic["vlan"] == row["id"]:
                    nic["vlan"] = None
        self.table.remove(row)

    def _dhcp_problem(self, row: Row, values: dict[str, Any], rack_wrong: bool) -> str | None:
        if not values["dhcp_on"]:
            return None
        subnets = {subnet["id"] for subnet in self.maas.subnets.table.where(vlan=row["id"])}
        if not any(r["type"] == "dynamic" and r["subnet"] in subnets for r in self.maas.ranges.table):
            return "dhcp can only be turned on when a dynamic IP range is defined."
        if not rack_wrong and not values.get("primary_rack", row["primary_rack"]):
            return "dhcp can only be turned on when a primary rack controller is set."
        return None

    def _taken(self, fabric_id: int, vid: int) -> None:
        if self.table.one(fabric=fabric_id, vid=vid):
            raise invalid({"__all__": "A VLAN with the specified VID already exists in the destination fabric."}, BARE_JSON)

    def _clean(self, fields: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
        """Errors and values of the fields that create and update share."""
        errors: dict[str, Any] = {}
        values: dict[str, Any] = {}
        if fields.get("vid"):
            vid = whole(fields.get("vid"))
            if vid is None:
                errors["vid"] = ["Enter a whole number.", "VID must be between 0 and 4094."]
            elif not 0 <= vid <= 4094:
                errors["vid"] = "VID must be between 0 and 4094."
            else:
                values["vid"] = vid
        if fields.get("mtu"):
            mtu = whole(fields.get("mtu"))
            if mtu is None:
                errors["mtu"] = "Enter a whole number."
            elif mtu < 552:
                errors["mtu"] = "Ensure this value is greater than or equal to 552."
            elif mtu > 65535:
                errors["mtu"] = "Ensure this value is less than or equal to 65535."
            else:
                values["mtu"] = mtu
        if "name" in fields:
            values["name"] = fields.get("name") or None
        if "space" in fields:
            space = self.maas.spaces.by(fields.text("space"))
            if fields.get("space") and space is None:
                errors["space"] = NO_CHOICE
            values["space"] = space["id"] if space else None
        return errors, values


class Spaces(Part):
    """Spaces: names over VLANs."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "spaces", "Space")

    def by(self, text: str) -> Row | None:
        return self.table.find(text) or self.table.one(name=text)

    def name(self, space_id: int | None) -> str:
        row = self.table.find(space_id) if space_id is not None else None
        return row["name"] if row else "undefined"

    def create(self, fields: Fields) -> Row:
        name = named(self.table, fields, "Space", pattern=FABRIC_NAME, bad="Invalid space name: {}.")
        return self.table.add(name=name, description=fields.text("description"))

    def update(self, row: Row, fields: Fields) -> Row:
        row["name"] = named(self.table, fields, "Space", row, FABRIC_NAME, "Invalid space name: {}.")
        row["description"] = fields.text("description") if "description" in fields else row["description"]
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        for vlan in self.maas.vlans.table.where(space=row["id"]):
            vlan["space"] = None
        self.table.remove(row)


class Subnets(Part):
    """Subnets, and the book of their addresses."""

    FLAGS = ("managed", "allow_proxy", "allow_dns", "active_discovery")

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "subnets", "Subnet")

    def add(self, cidr: str, vlan: int, name: str | None = None, gateway_ip: str | None = None) -> Row:
        return self.table.add(
            cidr=cidr,
            name=name or cidr,
            description="",
            vlan=vlan,
            gateway_ip=gateway_ip,
            dns_servers=[],
            rdns_mode=2,
            managed=True,
            allow_proxy=True,
            allow_dns=True,
            active_discovery=False,
        )

    def get(self, text: str) -> Row:
        """By id, CIDR or name, plain or with the kind in front (``cidr:10.0.0.0/8``)."""
        row = self.by(text)
        if row is None:
            raise missing("Subnet")
        return row

    def by(self, text: str) -> Row | None:
        kind, colon, rest = text.partition(":")
        if colon and kind in ("cidr", "name", "id", "ip"):
            text = rest
            if kind == "ip":
                return self.holding(text)
        return self.table.find(text) or self.table.one(cidr=text) or self.table.one(name=text)

    def holding(self, ip: str) -> Row | None:
        """The narrowest subnet with this address in it."""
        address = parse_ip(ip)
        if address is None:
            return None
        fits = [row for row in self.table if address in ipaddress.ip_network(row["cidr"])]
        return max(fits, key=lambda row: ipaddress.ip_network(row["cidr"]).prefixlen, default=None)

    def create(self, fields: Fields) -> Row:
        errors: dict[str, Any] = {}
        network = self._network(fields, errors)
        vlan = self._vlan(fields, errors)
        values = self._clean(fields, network, errors)
        if network is not None and not errors:
            if self.table.one(cidr=str(network)):
                errors["cidr"] = "Subnet with this Cidr already exists."
            if self.maas.personality == "3.7":
                overlaps = [row for row in self.table if ipaddress.ip_network(row["cidr"]).overlaps(network)]
                if overlaps:
                    errors["__all__"] = f"Subnet {network} would overlap with existing subnets."
        if errors:
            raise invalid(errors)
        row = self.add(str(network), vlan["id"], fields.get("name") or fields.text("cidr"))
        row.update(values)
        return row

    def update(self, row: Row, fields: Fields) -> Row:
        errors: dict[str, Any] = {}
        network = self._network(fields, errors) if "cidr" in fields else ipaddress.ip_network(row["cidr"])
        values = self._clean(fields, network, errors)
        if "vlan" in fields or "vid" in fields:
            vlan = self._vlan(fields, errors)
            values["vlan"] = vlan["id"] if vlan else row["vlan"]
        if fields.get("name"):
            values["name"] = fields.text("name")
        if errors:
            raise invalid(errors)
        row.update(values, cidr=str(network))
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        for node in self.maas.nodes.rows.values():
            for nic in node["interfaces"]:
                nic["links"] = [link for link in nic["links"] if link["subnet"] != row["id"]]
                nic["discovered"] = [d for d in nic["discovered"] or [] if d["subnet"] != row["id"]] or None
        for range_ in self.maas.ranges.table.where(subnet=row["id"]):
            self.maas.ranges.table.remove(range_)
        self.table.remove(row)

    def _network(self, fields: Fields, errors: dict[str, Any]) -> Any:
        text = fields.text("cidr")
        if not text:
            errors["cidr"] = REQUIRED
            return None
        try:
            if "/" not in text:
                raise ValueError
            return ipaddress.ip_network(text, strict=False)
        except ValueError:
            errors["cidr"] = "Required format: <network>/<prefixlen>."
            return None

    def _vlan(self, fields: Fields, errors: dict[str, Any]) -> Row | None:
        if fields.get("vlan"):
            row = self.maas.vlans.table.find(fields.text("vlan"))
            if row is None:
                errors["vlan"] = NO_CHOICE
            return row
        fabric = self.maas.fabrics.table.find(fields.text("fabric", "0"))
        if fabric is None:
            errors["fabric"] = NO_CHOICE
            return None
        row = self.maas.vlans.table.one(fabric=fabric["id"], vid=whole(fields.text("vid", "0")))
        if row is None:
            errors["vid"] = f"No VLAN with vid {fields.get('vid')} in fabric {fabric['name']}."
        return row

    def _clean(self, fields: Fields, network: Any, errors: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if "gateway_ip" in fields:
            text = fields.text("gateway_ip")
            address = parse_ip(text)
            if text and address is None:
                errors["gateway_ip"] = "Enter a valid IPv4 or IPv6 address."
            elif text and network is not None and address not in network:
                errors["gateway_ip"] = "Gateway IP must be within CIDR range."
            values["gateway_ip"] = text or None
        if "dns_servers" in fields:
            servers = " ".join(fields.list("dns_servers")).replace(",", " ").split()
            wrong = [word for word in servers if parse_ip(word) is None]
            if wrong:
                errors["dns_servers"] = f"Invalid IP address: {wrong[0]}; provide a list of space-separated IP addresses"
            values["dns_servers"] = servers
        if "description" in fields:
            values["description"] = fields.text("description")
        if "rdns_mode" in fields:
            mode = whole(fields.get("rdns_mode"))
            if mode not in (0, 1, 2):
                errors["rdns_mode"] = f"Select a valid choice. {fields.get('rdns_mode')} is not one of the available choices."
            values["rdns_mode"] = mode
        for flag in self.FLAGS:
            if flag in fields:
                values[flag] = fields.flag(flag)
        return values

    # -- addresses ------------------------------------------------------------------------------------------------------
    def used(self, row: Row) -> dict[str, tuple[Row, Row, Row]]:
        """Addresses that links of nodes hold, with node, interface and link."""
        found = {}
        for node in self.maas.nodes.rows.values():
            for nic in node["interfaces"]:
                for link in nic["links"]:
                    if link["subnet"] == row["id"] and link["ip"]:
                        found[link["ip"]] = (node, nic, link)
        return found

    def taken(self, row: Row) -> set[int]:
        """Numbers of all single addresses that cannot be given to a machine."""
        taken = {int(ipaddress.ip_address(ip)) for ip in self.used(row)}
        if row["gateway_ip"]:
            taken.add(int(ipaddress.ip_address(row["gateway_ip"])))
        network = ipaddress.ip_network(row["cidr"])
        taken |= {int(ip) for ip in map(ipaddress.ip_address, row["dns_servers"]) if ip in network}
        taken |= {int(ipaddress.ip_address(ip)) for ip in self.state.get("containers", {}).values()}
        return taken

    def blocks(self, row: Row) -> list[tuple[int, int, str]]:
        """Address ranges of the subnet as numbers, with their type."""
        return sorted(
            (int(ipaddress.ip_address(r["start_ip"])), int(ipaddress.ip_address(r["end_ip"])), r["type"])
            for r in self.maas.ranges.table.where(subnet=row["id"])
        )

    def free_address(self, row: Row) -> str:
        """The lowest address that nobody has, outside of all ranges."""
        network = ipaddress.ip_network(row["cidr"])
        taken, blocks = self.taken(row), self.blocks(row)
        number, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
        while number <= last:
            block = next((b for b in blocks if b[0] <= number <= b[1]), None)
            if block is not None:
                number = block[1] + 1
            elif number in taken:
                number += 1
            else:
                return str(ipaddress.ip_address(number))
        raise ApiError(404, f"No more IPs available in subnet: {row['cidr']}.")

    def lease(self, row: Row, mac: str) -> str | None:
        """The DHCP lease of a MAC address: the same one every time, from the dynamic ranges; None when they are full or missing."""
        leases = self.state["leases"].setdefault(str(row["id"]), {})
        if mac in leases:
            return leases[mac]
        held = set(leases.values())
        dynamic = [(start, end) for start, end, kind in self.blocks(row) if kind == "dynamic"]
        for start, end in sorted(dynamic, key=lambda block: block[0] - block[1]):
            # The first address of the range stays free: a DHCP server's probes skip it in the recordings too.
            number = start + 1 if end > start else start
            for candidate in range(min(number + len(held), end), end + 1):
                ip = str(ipaddress.ip_address(candidate))
                if ip not in held:
                    leases[mac] = ip
                    return ip
        return None

    def reserved_ranges(self, row: Row) -> list[Row]:
        spans: dict[tuple[int, int], set[str]] = {}
        if row["gateway_ip"]:
            number = int(ipaddress.ip_address(row["gateway_ip"]))
            spans.setdefault((number, number), set()).add("gateway-ip")
        network = ipaddress.ip_network(row["cidr"])
        for ip in map(ipaddress.ip_address, row["dns_servers"]):
            if ip in network:
                spans.setdefault((int(ip), int(ip)), set()).add("dns-server")
        for ip in self.used(row):
            number = int(ipaddress.ip_address(ip))
            if (number, number) not in spans:
                spans[number, number] = {"assigned-ip"}
        for start, end, kind in self.blocks(row):
            spans.setdefault((start, end), set()).add(kind)
        return [self._span(start, end, sorted(purposes)) for (start, end), purposes in sorted(spans.items())]

    def unreserved_ranges(self, row: Row) -> list[Row]:
        network = ipaddress.ip_network(row["cidr"])
        number, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
        free = []
        for span in self.reserved_ranges(row):
            start = int(ipaddress.ip_address(span["start"]))
            if start > number:
                free.append(self._span(number, start - 1))
            number = max(number, int(ipaddress.ip_address(span["end"])) + 1)
        if number <= last:
            free.append(self._span(number, last))
        return free

    @staticmethod
    def _span(start: int, end: int, purpose: list[str] | None = None) -> Row:
        span: Row = {"start": str(ipaddress.ip_address(start)), "end": str(ipaddress.ip_address(end)), "num_addresses": end - start + 1}
        if purpose is not None:
            span["purpose"] = purpose
        return span

    def statistics(self, row: Row) -> Row:
        network = ipaddress.ip_network(row["cidr"])
        total = max(network.num_addresses - 2, 1)
        free = self.unreserved_ranges(row)
        available = sum(span["num_addresses"] for span in free)
        usage = (total - available) / total
        return {
            "num_available": available,
            "largest_available": max((span["num_addresses"] for span in free), default=0),
            "num_unavailable": total - available,
            "total_addresses": total,
            "usage": usage,
            "usage_string": f"{usage:.0%}",
            "available_string": f"{available / total:.0%}",
            "first_address": str(network.network_address + 1),
            "last_address": str(network.broadcast_address - 1),
            "ip_version": network.version,
        }


class Ranges(Part):
    """Dynamic and reserved address ranges."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "ipranges", "IPRange")

    def create(self, fields: Fields, user: str) -> Row:
        if self.maas.personality == "3.7" and not any(fields.get(n) for n in ("subnet", "start_ip", "end_ip")):
            raise ApiError(500, "'subnet'")
        admin = self.maas.users.get(user)["is_superuser"]
        if fields.get("type") == "dynamic" and not admin:
            raise ApiError(403, "Unable to create dynamic IP range. You don't have sufficient privileges.")
        errors: dict[str, Any] = {}
        kind = fields.text("type")
        if kind not in ("dynamic", "reserved"):
            errors["type"] = f"Select a valid choice. {kind} is not one of the available choices." if kind else REQUIRED
        subnet = self.maas.subnets.by(fields.text("subnet")) if fields.get("subnet") else self.maas.subnets.holding(fields.text("start_ip"))
        if subnet is None:
            errors["subnet"] = NO_CHOICE if fields.get("subnet") else REQUIRED
        self._ends(fields, subnet, kind, errors)
        if errors:
            raise invalid(errors)
        return self.table.add(
            type=kind, subnet=subnet["id"], start_ip=fields.text("start_ip"), end_ip=fields.text("end_ip"), comment=fields.text("comment"), user=user
        )

    def update(self, row: Row, fields: Fields) -> Row:
        merged = Fields({"start_ip": row["start_ip"], "end_ip": row["end_ip"], **dict(fields.values.items())})
        errors: dict[str, Any] = {}
        self._ends(merged, self.maas.subnets.table.get(row["subnet"]), row["type"], errors, row)
        if errors:
            raise invalid(errors)
        row["start_ip"], row["end_ip"] = merged.text("start_ip"), merged.text("end_ip")
        if "comment" in fields:
            row["comment"] = fields.text("comment")
        self.engine.touch()
        return row

    def _ends(self, fields: Fields, subnet: Row | None, kind: str, errors: dict[str, Any], row: Row | None = None) -> None:
        """What is wrong with the two ends of a range."""
        start_text, end_text = fields.text("start_ip"), fields.text("end_ip")
        for name, text in (("start_ip", start_text), ("end_ip", end_text)):
            if text and parse_ip(text) is None:
                errors[name] = ["Enter a valid IPv4 or IPv6 address."]
            elif not text:
                errors[name] = [REQUIRED]
        if "start_ip" in errors or "end_ip" in errors:
            for name in ("start_ip", "end_ip"):
                errors.setdefault(name, []).append("Start IP address and end IP address are both required.")
            return
        start, end = ipaddress.ip_address(start_text), ipaddress.ip_address(end_text)
        if int(end) < int(start):
            errors["end_ip"] = "End IP address must not be less than Start IP address."
            return
        if subnet is None or errors:
            return
        network = ipaddress.ip_network(subnet["cidr"])
        if start not in network or end not in network:
            errors["start_ip"] = errors["end_ip"] = f"IP addresses must be within subnet: {subnet['cidr']}."
        elif end == network.broadcast_address:
            errors["end_ip"] = "Broadcast address cannot be included in IP range."
        elif start == network.network_address:
            errors["start_ip"] = "Reserved network address cannot be included in IP range."
        else:
            problem = self._conflict(subnet, int(start), int(end), kind, row)
            if problem:
                errors["start_ip"] = errors["end_ip"] = problem

    def _conflict(self, subnet: Row, start: int, end: int, kind: str, row: Row | None) -> str | None:
        others = [r for r in self.table.where(subnet=subnet["id"]) if r is not row]
        overlap = any(int(ipaddress.ip_address(r["start_ip"])) <= end and start <= int(ipaddress.ip_address(r["end_ip"])) for r in others)
        if kind == "dynamic":
            if overlap or any(start <= number <= end for number in self.maas.subnets.taken(subnet)):
                return "Requested dynamic range conflicts with an existing IP address or range."
        elif overlap:
            return "Requested reserved range conflicts with an existing range."
        return None

    def dynamic_at(self, subnet: Row, ip: str) -> Row | None:
        """The dynamic range that holds this address."""
        number = int(ipaddress.ip_address(ip))
        for row in self.table.where(subnet=subnet["id"], type="dynamic"):
            if int(ipaddress.ip_address(row["start_ip"])) <= number <= int(ipaddress.ip_address(row["end_ip"])):
                return row
        return None
