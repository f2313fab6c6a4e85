"""What machines are sorted into: tags, resource pools, zones, DNS domains; and the DNS resources of domains."""

from __future__ import annotations

import re

from lab.errors import bad, conflict, invalid, missing
from lab.world.maas.base import Fields, Part, Row, Table, named


class Tags(Part):
    """Tags by name; which machines carry one is kept with the machines."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "tags", "Tag")

    def get(self, name: str) -> Row:
        row = self.table.one(name=name)
        if row is None:
            raise missing("Tag")
        return row

    def ensure(self, name: str) -> Row:
        return self.table.one(name=name) or self.table.add(name=name, definition="", comment="", kernel_opts="")

    def create(self, fields: Fields) -> Row:
        self._definition(fields)
        name = named(self.table, fields, "Tag")
        return self.table.add(name=name, definition=fields.text("definition"), comment=fields.text("comment"), kernel_opts=fields.text("kernel_opts"))

    def update(self, row: Row, fields: Fields) -> Row:
        self._definition(fields)
        name = named(self.table, fields, "Tag", row)
        if name != row["name"]:
            for node in self.maas.nodes.rows.values():
                node["tags"] = [name if tag == row["name"] else tag for tag in node["tags"]]
            row["name"] = name
        for field in ("definition", "comment", "kernel_opts"):
            if field in fields:
                row[field] = fields.text(field)
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        for node in self.maas.nodes.rows.values():
            if row["name"] in node["tags"]:
                node["tags"].remove(row["name"])
        self.table.remove(row)

    def update_nodes(self, row: Row, fields: Fields) -> dict[str, int]:
        """Tag and untag; unknown ids are passed over."""
        definition = fields.get("definition")
        if definition is not None and definition != row["definition"]:
            raise conflict(f"Definition supplied '{definition}' doesn't match current definition '{row['definition']}'")
        changed = {"added": 0, "removed": 0}
        for system_id in fields.list("add"):
            node = self.maas.nodes.rows.get(system_id)
            if node is not None:
                changed["added"] += 1
                if row["name"] not in node["tags"]:
                    node["tags"].append(row["name"])
        for system_id in fields.list("remove"):
            node = self.maas.nodes.rows.get(system_id)
            if node is not None:
                changed["removed"] += 1
                if row["name"] in node["tags"]:
                    node["tags"].remove(row["name"])
        self.engine.touch()
        return changed

    @staticmethod
    def _definition(fields: Fields) -> None:
        text = fields.text("definition")
        if text.count("[") != text.count("]") or text.count("(") != text.count(")"):
            raise invalid({"definition": "Invalid xpath expression: Invalid expression"})


class Pools(Part):
    """Resource pools; the default one has id 0."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "pools", "ResourcePool", start=0)

    def create(self, fields: Fields) -> Row:
        return self.table.add(name=named(self.table, fields, "Resource pool"), description=fields.text("description"))

    def update(self, row: Row, fields: Fields) -> Row:
        row["name"] = named(self.table, fields, "Resource pool", row)
        row["description"] = fields.text("description") if "description" in fields else row["description"]
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        if row["id"] == 0:
            raise bad("This is the default pool, it cannot be deleted.")
        if any(node["pool"] == row["id"] for node in self.maas.machines.all()):
            raise bad("Can't delete a pool that contains machines.")
        self.table.remove(row)


class Zones(Part):
    """Physical zones; the default one has id 1."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "zones", "Zone")

    def get(self, name: str) -> Row:
        row = self.table.one(name=name)
        if row is None:
            raise missing("Zone")
        return row

    def create(self, fields: Fields) -> Row:
        return self.table.add(name=named(self.table, fields, "Physical zone"), description=fields.text("description"))

    def update(self, row: Row, fields: Fields) -> Row:
        row["name"] = named(self.table, fields, "Physical zone", row)
        row["description"] = fields.text("description") if "description" in fields else row["description"]
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        if row["id"] == 1:
            raise bad("This zone is the default zone, it cannot be deleted.")
        for node in self.maas.nodes.rows.values():
            if node["zone"] == row["id"]:
                node["zone"] = 1
        self.table.remove(row)


class Domains(Part):
    """DNS domains; the default one has id 0."""

    NAME = re.compile(r"\A[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?\Z")

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "domains", "Domain", start=0)

    @property
    def default(self) -> Row:
        return next(row for row in self.table if row["is_default"])

    def by(self, text: str) -> Row | None:
        return self.table.one(name=text) or self.table.find(text)

    def create(self, fields: Fields) -> Row:
        name = named(self.table, fields, "Domain", pattern=self.NAME)
        authoritative = fields.flag("authoritative", True)
        return self.table.add(name=name, authoritative=authoritative, ttl=self._ttl(fields), is_default=False)

    def update(self, row: Row, fields: Fields) -> Row:
        row["name"] = named(self.table, fields, "Domain", row, pattern=self.NAME)
        row["authoritative"] = fields.flag("authoritative", row["authoritative"])
        if "ttl" in fields:
            row["ttl"] = self._ttl(fields)
        self.engine.touch()
        return row

    def set_default(self, row: Row) -> Row:
        for other in self.table:
            other["is_default"] = other is row
        self.engine.touch()
        return row

    def delete(self, row: Row) -> None:
        if row["is_default"]:
            raise bad("This domain is the default domain, it cannot be deleted.")
        self.table.remove(row)

    @staticmethod
    def _ttl(fields: Fields) -> int | None:
        return int(fields.text("ttl")) if fields.text("ttl").isdigit() else None


class DNSResources(Part):
    """Names with addresses in a domain."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "dnsresources", "DNSResource")

    def create(self, fields: Fields) -> Row:
        name, domain = fields.text("name"), fields.text("domain")
        if fields.get("fqdn"):
            name, _dot, domain = fields.text("fqdn").partition(".")
        errors = {}
        if not name:
            errors["name"] = "This field is required."
        row = self.maas.domains.by(domain) if domain else None
        if row is None:
            errors["domain"] = "Select a valid choice. That choice is not one of the available choices." if domain else "This field is required."
        addresses = self._addresses(fields)
        if not addresses:
            errors["ip_addresses"] = "This field is required."
        if errors:
            raise invalid(errors)
        if self.table.one(name=name, domain=row["id"]):
            raise invalid({"__all__": "Labels must be unique within their zone."})
        return self.table.add(name=name, domain=row["id"], address_ttl=self._ttl(fields), ip_addresses=addresses)

    def update(self, row: Row, fields: Fields) -> Row:
        row["name"] = fields.text("name", row["name"])
        if "domain" in fields:
            domain = self.maas.domains.by(fields.text("domain"))
            if domain is None:
                raise invalid({"domain": "Select a valid choice. That choice is not one of the available choices."})
            row["domain"] = domain["id"]
        if "ip_addresses" in fields:
            row["ip_addresses"] = self._addresses(fields)
        if "address_ttl" in fields:
            row["address_ttl"] = self._ttl(fields)
        self.engine.touch()
        return row

    @staticmethod
    def _addresses(fields: Fields) -> list[str]:
        return " ".join(fields.list("ip_addresses")).replace(",", " ").split()

    @staticmethod
    def _ttl(fields: Fields) -> int | None:
        return int(fields.text("address_ttl")) if fields.text("address_ttl").isdigit() else None
