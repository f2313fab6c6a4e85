"""The table of docs/faults.md, made from faults.yml (`python -m tests.chaos table` writes it)."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import chains
from tests.chaos.matrix import FAULTS
from tests.support.site import ROOT

PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- from tests/chaos/faults.yml -->", "<!-- to here -->"


def rows() -> str:
    lines = ["| fault | strikes in | what `site.yml` does | |", "| --- | --- | --- | --- |"]
    for name, row in FAULTS.items():
        result = "recovers" if row["expected"] == "recovered" else "stops"
        lines.append(f"| {row['title']} (`{name}`) | {row['phase']} | {row['does']} | {result} |")
    return "\n".join(lines)


def points() -> str:
    kinds: dict[bool, int] = {False: 0, True: 0}
    for name in chains.CHAINS:
        for point in chains.points(name):
            kinds[point.power] += 1
    each = ", ".join(f"{sum(not p.power for p in chains.points(name))} in `{name}`" for name in chains.CHAINS)
    return f"Kills: {kinds[False]} points ({each}). Power cuts of the controller host: {kinds[True]} points in `site`."


def filled(text: str) -> str:
    """The page with its table as the data say."""
    head, _begin, rest = text.partition(BEGIN)
    _old, _end, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{rows()}\n\n{points()}\n{END}{tail}"


def write(page: Path = PAGE) -> None:
    page.write_text(filled(page.read_text()))
