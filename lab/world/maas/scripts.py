"""Commissioning and testing scripts, and the results that machines leave."""

from __future__ import annotations

from typing import Any

import yaml

from lab.engine import DATA
from lab.errors import missing
from lab.world.maas.base import Part, Row
from lab.world.maas.nodes import ABORTED, FAILED, PASSED, PENDING, RESULT_NAMES, RUNNING, SKIPPED, TIMED_OUT

SCRIPTS: list[dict[str, Any]] = yaml.safe_load((DATA / "maas" / "scripts.yml").read_text())
BY_NAME = {script["name"]: (number, script) for number, script in enumerate(SCRIPTS, 1)}
KINDS = {
    "commissioning": (0, "Commissioning script"),
    "installation": (1, "Installation script"),
    "testing": (2, "Testing script"),
    "release": (3, "Release script"),
}
HARDWARE = {"node": (0, "Node"), "cpu": (1, "CPU"), "memory": (2, "Memory"), "storage": (3, "Storage"), "network": (4, "Network")}
PARALLEL = ["Disabled", "Run along other instances of this script", "Run along any other script."]
DEFAULT_TAG = "commissioning"


def names(kind: str) -> list[str]:
    return [script["name"] for script in SCRIPTS if script["kind"] == kind]


def chosen(kind: str, words: list[str]) -> list[str]:
    """Scripts of a kind that a list of names and tags means; raises KeyError with the first word that means none."""
    found = []
    for word in words:
        hits = [s["name"] for s in SCRIPTS if s["kind"] == kind and (word == s["name"] or word in s["tags"])]
        if not hits:
            raise KeyError(word)
        found += [name for name in hits if name not in found]
    return found


class Results(Part):
    """Sets of results: one for each commissioning, testing or installation of a machine."""

    @property
    def sets(self) -> dict[str, Row]:
        return self.state["script_sets"]

    def new(self, node: Row, kind: str, entries: list[tuple[str, dict[str, Any]]]) -> Row:
        """A set of pending results; entries are script names with parameters (a disk for storage tests)."""
        now = self.engine.now()
        row: Row = {
            "id": self.engine.number("maas.script_sets"),
            "kind": kind,
            "node": node["system_id"],
            "results": [
                {
                    "id": self.engine.number("maas.results"),
                    "name": name,
                    "status": PENDING,
                    "exit": None,
                    "started": None,
                    "ended": None,
                    "parameters": parameters,
                    "created": now,
                    "updated": now,
                    "suppressed": False,
                    "output": "",
                }
                for name, parameters in entries
            ],
        }
        self.sets[str(row["id"])] = row
        node["results"][kind] = row["id"]
        return row

    def current(self, node: Row, kind: str) -> Row | None:
        return self.sets.get(str(node["results"][kind]))

    def of(self, node: Row) -> list[Row]:
        return [row for row in self.sets.values() if row["node"] == node["system_id"]]

    def get(self, node: Row, text: str) -> Row:
        if text in ("current-commissioning", "current-testing", "current-installation"):
            row = self.current(node, text.removeprefix("current-"))
        else:
            row = self.sets.get(text)
        if row is None or row["node"] != node["system_id"]:
            raise missing("ScriptSet")
        return row

    def move(self, node: Row, result: Row, status: int, output: str = "") -> None:
        """Give a result its next status, with the event that tells of it."""
        before, now = result["status"], self.engine.now()
        result["status"], result["updated"] = status, now
        if status == RUNNING:
            result["started"] = now
        else:
            result["started"] = result["started"] or now
            result["ended"] = now
            result["exit"] = 0 if status in (PASSED, SKIPPED) else 1
            result["output"] = output
        text = f"{self.label(result)} changed status from '{RESULT_NAMES[before]}' to '{RESULT_NAMES[status]}'"
        self.maas.events.add(node, "Script result", text, "DEBUG")

    @staticmethod
    def label(result: Row) -> str:
        disk = result["parameters"].get("storage")
        return f"{result['name']} on {disk['value']['name']}" if disk else result["name"]

    def abort(self, node: Row, kind: str) -> None:
        row = self.current(node, kind)
        for result in row["results"] if row else []:
            if result["status"] in (PENDING, RUNNING):
                result["status"], result["ended"] = ABORTED, self.engine.now()

    def failed(self, node: Row, kind: str) -> list[str]:
        row = self.current(node, kind)
        return [self.label(r) for r in row["results"] if r["status"] in (FAILED, TIMED_OUT)] if row else []

    def forget(self, system_id: str) -> None:
        for key in [key for key, row in self.sets.items() if row["node"] == system_id]:
            del self.sets[key]

    @staticmethod
    def status(row: Row) -> int:
        """The status of a whole set."""
        statuses = {result["status"] for result in row["results"]}
        for status in (RUNNING, FAILED, TIMED_OUT, ABORTED, PENDING):
            if status in statuses:
                return status
        return PASSED
