"""The region's event log, and what a machine's status message shows of it."""

from __future__ import annotations

import email.utils
import time
from typing import Any

from lab.errors import bad
from lab.world.maas.base import Fields, Part, Row

LEVELS = {"AUDIT": 0, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
LIMIT = 1000


def event_date(at: float) -> str:
    """As events show it: with a dot after the month's short name."""
    moment = time.gmtime(at)
    month = time.strftime("%b", moment)
    dot = "" if month == "May" else "."
    return time.strftime(f"%a, %d %b{dot} %Y %H:%M:%S", moment)


def result_date(at: float) -> str:
    return email.utils.formatdate(at)


class Events(Part):
    """Events in the order of their ids."""

    @property
    def rows(self) -> list[Row]:
        return self.state["events"]

    def add(self, node: Row, kind: str, description: str = "", level: str = "INFO", username: str = "unknown", action: str | None = "") -> Row:
        """Log an event; from INFO on it also becomes the node's status message."""
        row = {
            "id": self.engine.number("maas.events"),
            "node": node["system_id"],
            "hostname": node["hostname"],
            "level": level,
            "at": self.engine.now(),
            "type": kind,
            "description": description,
            "username": username,
        }
        self.rows.append(row)
        if LEVELS[level] >= LEVELS["INFO"]:
            node["status_message"] = f"{kind} - {description}" if description else kind
            node["status_action"] = action
        self.engine.touch()
        return row

    def of(self, system_id: str, limit: int = 10) -> list[Row]:
        return [row for row in reversed(self.rows) if row["node"] == system_id][:limit]

    def query(self, fields: Fields) -> dict[str, Any]:
        """A page of events, newest first: the filters, and the ids that the next and previous page start from."""
        level = fields.text("level", "INFO")
        if level not in LEVELS:
            raise bad(f"Unrecognised log level: {level}")
        limit = int(fields.text("limit", "100"))
        if limit > LIMIT:
            raise bad(f"Requested number of events {limit} is greater than limit: {LIMIT}")
        after, before = fields.get("after"), fields.get("before")
        wanted = self._nodes(fields)
        found = []
        rows = self.rows
        if after is not None:
            # The page right after an id: the oldest of the newer ones.
            for row in rows[self._position(int(after)) :]:
                if self._fits(row, wanted, level):
                    found.append(row)
                    if len(found) == limit:
                        break
            found.reverse()
        else:
            end = len(rows) if before is None else self._position(int(before) - 1)
            for row in reversed(rows[:end]):
                if self._fits(row, wanted, level):
                    found.append(row)
                    if len(found) == limit:
                        break
        return {"events": found, "limit": limit}

    def _position(self, event_id: int) -> int:
        """Index of the first event newer than ``event_id``."""
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            if self.rows[middle]["id"] <= event_id:
                low = middle + 1
            else:
                high = middle
        return low

    def _nodes(self, fields: Fields) -> set[str] | None:
        """System ids that the filters leave; None when there is no filter."""
        wanted: set[str] | None = None
        tests = {
            "id": lambda m, v: m["system_id"] in v,
            "hostname": lambda m, v: m["hostname"] in v,
            "mac_address": lambda m, v: any(i["mac"] in v for i in m["interfaces"]),
            "zone": lambda m, v: self.maas.zones.table.get(m["zone"])["name"] in v,
            "domain": lambda m, v: self.maas.domains.table.get(m["domain"])["name"] in v,
            "agent_name": lambda m, v: m.get("agent_name", "") in v,
        }
        for name, test in tests.items():
            if name in fields:
                values = set(fields.list(name))
                chosen = values if name == "id" else {m["system_id"] for m in self.maas.nodes.rows.values() if test(m, values)}
                wanted = chosen if wanted is None else wanted & chosen
        return wanted

    @staticmethod
    def _fits(row: Row, wanted: set[str] | None, level: str) -> bool:
        if wanted is not None and row["node"] not in wanted:
            return False
        if level == "AUDIT":
            return row["level"] == "AUDIT"
        return LEVELS[row["level"]] >= LEVELS[level]

    def forget(self, system_id: str) -> None:
        """A deleted machine takes its events along."""
        self.state["events"] = [row for row in self.rows if row["node"] != system_id]
