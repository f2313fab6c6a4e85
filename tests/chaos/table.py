"""The table of docs/faults.md, made from faults.yml (`python -m tests.chaos table` writes it)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

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


def last(found: dict[str, Any]) -> str:
    """What the last run found, in a sentence; ``found`` is build/chaos.json."""
    faults = found["faults"]
    otherwise = [f"`{name}`" for name, result in faults.items() if result != FAULTS[name]["expected"]]
    text = f"The last run ({time.strftime('%Y-%m-%d')}): {len(faults) - len(otherwise)} of {len(faults)} faults as the table says"
    text += f", otherwise {', '.join(otherwise)}" if otherwise else ""
    for kind, key in (("kills", "kills"), ("power cuts", "power_cuts")):
        counts = found[key]
        text += f"; {counts['identical']} of {counts['points']} {kind} came to the same world" if counts["points"] else f"; no {kind}"
        text += f" ({counts['inside']} struck while their task was under way)" if counts["points"] else ""
    return f"{text}."


def filled(text: str, found: dict[str, Any] | None = None) -> str:
    """The page with its table as the data say."""
    head, _begin, rest = text.partition(BEGIN)
    old, _end, tail = rest.partition(END)
    # The last line is the last run's.
    line = last(found) if found else old.strip().splitlines()[-1]
    return f"{head}{BEGIN}\n{rows()}\n\n{points()}\n\n{line}\n{END}{tail}"


def write(page: Path = PAGE, found: dict[str, Any] | None = None) -> None:
    page.write_text(filled(page.read_text(), found))
