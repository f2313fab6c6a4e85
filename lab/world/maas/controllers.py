"""The region controller and the one rack controller beside it, from starting up to being connected."""

from __future__ import annotations

import ipaddress

from lab.errors import missing
from lab.world.maas.base import Fields, Part, Row
from lab.world.maas.nodes import PENDING, REGION_AND_RACK, REGION_CONTROLLER
from lab.world.maas.states import DEPLOYED, NAMES

REGION_SERVICES = ["regiond", "temporal", "bind9", "proxy", "ntp_region", "reverse_proxy", "syslog_region", "temporal-worker"]
RACK_SERVICES = ["agent", "syslog_rack", "dhcpd", "dns_rack", "proxy_rack", "rackd", "dhcpd6", "http", "ntp_rack", "tftp"]


class Controllers(Part):
    """The controller's node: a region controller at first, a rack controller too once its rack has registered."""

    @property
    def node(self) -> Row | None:
        return self.maas.nodes.rows.get(self.state["region"]["controller"] or "")

    def add(self) -> None:
        node = self.maas.nodes.add(
            REGION_CONTROLLER,
            self.maas.rack.controller["hostname"],
            status=DEPLOYED,
            status_name=NAMES[DEPLOYED],
            commissioning_status=PENDING,
            architecture=None,
        )
        self.state["region"]["controller"] = node["system_id"]
        self.maas.results.new(node, "commissioning", [])

    def register_rack(self) -> None:
        """The rack controller reports its hardware and networks: fabrics and subnets come from there."""
        node = self.node
        controller = self.maas.rack.controller
        node.update(
            node_type=REGION_AND_RACK,
            architecture=f"{controller.get('arch', 'amd64')}/generic",
            osystem="ubuntu",
            distro_series="jammy",
            cpu_count=controller["cpu"],
            cpu_speed=controller.get("cpu_speed", 2100),
            memory=controller["memory"],
            hardware={"serial": controller.get("serial", "S1"), "virtual": False},
            hardware_uuid=controller.get("uuid", "200e3ba2-c331-5468-8683-ee8e5088f419"),
        )
        self.maas.tags.ensure("virtual")
        node["tags"] = ["virtual"]
        for spec in controller["nics"]:
            nic = self.maas.interfaces.new(
                spec["name"],
                "physical",
                spec["mac"].lower(),
                vendor="Intel Corporation",
                speed=10000,
                link_speed=10000,
                product="Ethernet Controller X550",
                firmware_version="0x80000aee",
            )
            node["interfaces"].append(nic)
            fabric = self.maas.fabrics.add()
            vlan = self.maas.vlans.default_of(fabric["id"])
            nic["vlan"] = vlan["id"]
            if spec.get("address"):
                interface = ipaddress.ip_interface(spec["address"])
                subnet = self.maas.subnets.add(str(interface.network), vlan["id"], gateway_ip=spec.get("gateway"))
                self.maas.interfaces.add_link(nic, "static", subnet["id"], str(interface.ip))

    def racks(self) -> list[Row]:
        node = self.node
        return [node] if node is not None and node["node_type"] == REGION_AND_RACK else []

    def rack_id(self) -> str:
        return self.node["system_id"] if self.node else ""

    def rack(self, system_id: str) -> Row:
        for row in self.racks():
            if row["system_id"] == system_id:
                return row
        raise missing("RackController")

    def region(self, system_id: str) -> Row:
        if self.node is None or self.node["system_id"] != system_id:
            raise missing("RegionController")
        return self.node

    def services(self, node: Row) -> list[dict[str, str]]:
        """Services of a controller; those of the rack follow its connection."""
        rows = [{"name": name, "status": "running", "status_info": ""} for name in REGION_SERVICES]
        if node["node_type"] == REGION_AND_RACK:
            state = "running" if self.maas.rack_connected() else "dead"
            info = "" if state == "running" else "Not connected to any region"
            rows += [{"name": name, "status": state, "status_info": info} for name in RACK_SERVICES]
            if state == "running" and not self.maas.serves_dhcp():
                next(row for row in rows if row["name"] == "dhcpd").update(status="dead", status_info="dhcpd failed to start")
        return rows

    def update(self, node: Row, fields: Fields) -> Row:
        for name in ("description",):
            if name in fields:
                node[name] = fields.text(name)
        if fields.get("zone"):
            node["zone"] = self.maas.zones.get(fields.text("zone"))["id"]
        self.engine.touch()
        return node
