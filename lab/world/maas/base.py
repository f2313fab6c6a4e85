"""Common ground of the region's parts: tables in the engine's state, and the fields a client sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lab.errors import invalid, missing

if TYPE_CHECKING:
    from lab.world.maas import MaasWorld

Row = dict[str, Any]
TRUE = {"1", "on", "true", "yes", "t", "y"}
NAME = re.compile(r"\A[\w-]+\Z")


class Fields:
    """What a client sent: a name may come several times; values are text, or JSON values from a JSON body."""

    def __init__(self, values: Mapping[str, Any] | None = None, **more: Any):
        self.values: dict[str, list[Any]] = {}
        for name, value in {**(values or {}), **more}.items():
            self.values[name] = list(value) if isinstance(value, (list, tuple)) else [value]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The last value as text."""
        values = self.values.get(name)
        if not values or values[-1] is None:
            return default
        return str(values[-1])

    def text(self, name: str, default: str = "") -> str:
        return self.get(name) or default

    def list(self, name: str) -> list[str]:
        return [str(value) for value in self.values.get(name, [])]

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.get(name)
        return default if value in (None, "") else value.lower() in TRUE

    def without(self, *names: str) -> Fields:
        return Fields({k: v for k, v in self.values.items() if k not in names})


class Part:
    """One subject of the region: knows the region, the engine and its own tables."""

    def __init__(self, maas: MaasWorld):
        self.maas = maas
        self.engine = maas.engine

    @property
    def state(self) -> Row:
        return self.maas.state


class Table:
    """Rows of one model, by id, in the state; ids come from a counter of the table and are never used again."""

    def __init__(self, maas: MaasWorld, name: str, model: str, start: int = 1):
        self.maas = maas
        self.name = name
        self.model = model
        self.start = start

    @property
    def rows(self) -> dict[str, Row]:
        return self.maas.state["tables"].setdefault(self.name, {})

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self.rows.values()))

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, **row: Any) -> Row:
        row = {"id": self.next_id(), **row}
        self.rows[str(row["id"])] = row
        self.maas.engine.touch()
        return row

    def next_id(self) -> int:
        return self.maas.engine.number(f"maas.{self.name}", self.start)

    def find(self, key: Any) -> Row | None:
        return self.rows.get(str(key))

    def get(self, key: Any) -> Row:
        row = self.find(key)
        if row is None:
            raise missing(self.model)
        return row

    def one(self, **match: Any) -> Row | None:
        """The first row with these values."""
        for row in self.rows.values():
            if all(row.get(k) == v for k, v in match.items()):
                return row
        return None

    def where(self, **match: Any) -> list[Row]:
        return [row for row in self.rows.values() if all(row.get(k) == v for k, v in match.items())]

    def remove(self, row: Row) -> None:
        del self.rows[str(row["id"])]
        self.maas.engine.touch()


def named(table: Table, fields: Fields, label: str, row: Row | None = None, pattern: re.Pattern[str] = NAME, bad: str = "") -> str:
    """The name a client gives to ``row`` (None: to a new one): required, well formed, not taken."""
    if row is not None and "name" not in fields:
        return row["name"]
    name = fields.text("name")
    if not name:
        raise invalid({"name": "This field is required."})
    if not pattern.match(name):
        raise invalid({"name": bad.format(name) if bad else "Enter a valid value."})
    other = table.one(name=name)
    if other is not None and other is not row:
        raise invalid({"name": f"{label} with this Name already exists."})
    return name


def whole(text: str | None) -> int | None:
    """A whole number, or None for what is not one."""
    try:
        return int(str(text))
    except ValueError:
        return None
