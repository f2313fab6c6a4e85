"""The daemon's own life."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FAILS = """
from lab import daemon

async def fails(self):
    await self.bmcs._run("none", self.paths.state / "nowhere")

daemon.Lab._start_bmcs = fails
daemon.main(False)
"""


def test_a_daemon_whose_start_fails_says_why_and_is_gone(tmp_path):
    """Its faces serve already then."""
    environment = {**os.environ, "LAB_DIR": str(tmp_path / "lab"), "LAB_HOSTS": "0"}
    done = subprocess.run([sys.executable, "-c", FAILS], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "FileNotFoundError" in done.stderr and "the lab ends" in done.stderr
