"""Last of all: the lab goes, and leaves no trace on this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from tests.support.site import ROOT, explain, run


def test_the_lab_goes_without_a_trace():
    if os.environ.get("LAB_KEEP"):
        pytest.skip("LAB_KEEP is set")
    done = run("make", "lab-down")
    assert done.returncode == 0, explain(done)
    # Molecule's hosts are of this checkout, too, and may still be at work.
    here, others = str(ROOT / ".lab"), str(ROOT / ".lab/molecule")
    links = run("ip", "-br", "link").stdout
    assert "stratus-up" not in links and "stratus-priv" not in links
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if here in line and others not in line]
    assert "stratus_lab" not in run("nft", "list", "tables").stdout
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            assert here not in command or others in command, f"{line.parent.name} is left: {command}"
