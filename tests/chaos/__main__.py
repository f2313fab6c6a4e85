"""`python -m tests.chaos [NAME ...]`: the faults, kills and power cuts of docs/faults.md; writes build/chaos.json and the page. Without names: all.

Names: a fault of faults.yml, a chain of chains.yml, or `faults` and `kills` for all of one kind. `table` writes the page's table alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.chaos import chains, matrix, snapshots, table
from tests.chaos.chains import say
from tests.support.site import ROOT

RESULT = ROOT / "build" / "chaos.json"


def written(faults: dict[str, str] | None = None, counts: dict[str, dict[str, dict[str, int]]] | None = None) -> None:
    """Results by fault and by chain; what this run did not try stays as an earlier one found it, as long as that was of the same sources."""
    before = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    sources = snapshots.sources()
    if before.get("sources") != sources:
        before = {}
    tried = {**before.get("chains", {}), **(counts or {})}
    result: dict[str, Any] = {"faults": {**before.get("faults", {}), **(faults or {})}}
    for kind in ("kills", "power_cuts"):
        result[kind] = {key: sum(one[kind][key] for one in tried.values()) for key in ("points", "identical", "inside")}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({**result, "chains": tried, "sources": sources}, indent=1) + "\n")
    table.write(found=result)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="*")
    names = parser.parse_args().names
    if names == ["table"]:
        table.write()
        return 0
    kinds = {"faults": list(matrix.FAULTS), "kills": list(chains.CHAINS)}
    wanted = {one for name in names or kinds for one in kinds.get(name, [name])}
    if unknown := wanted - {*matrix.FAULTS, *chains.CHAINS}:
        say(f"There is no {', '.join(sorted(unknown))}.")
        return 2
    failed = 0
    if faults := [name for name in matrix.FAULTS if name in wanted]:
        results = matrix.all_of(faults, lambda name, result: written({name: result}))
        failed += list(results.values()).count("failed")
    if wanted & set(chains.CHAINS):
        counts, problems = chains.all_of(wanted & set(chains.CHAINS))
        written(counts=counts)
        failed += problems
    say(f"{RESULT.relative_to(ROOT)}: {RESULT.read_text()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
