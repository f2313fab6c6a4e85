"""What `make live` does on a region that somebody has, done on the lab's: it passes, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.maas_runner import Api
from tests.support.lab import MaasLab

ROOT = Path(__file__).parents[2]
PATHS = ("zones/", "resourcepools/", "spaces/", "fabrics/", "subnets/", "ipranges/", "tags/", "account/prefs/sshkeys/", "users/", "dnsresources/", "machines/")


@pytest.mark.parametrize("personality", ["3.5", "3.7"])
def test_live_matrix(tmp_path, personality):
    with MaasLab(speed=60, personality=personality) as lab:
        api = Api(lab.url, lab.api_key)

        def seen():
            return {path: sorted(str(thing.get("id", thing.get("name", thing.get("username")))) for thing in api.get(path)) for path in PATHS}

        before = seen()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "tests/live", "-q", "-rs", "--no-header"],
            cwd=ROOT,
            env={**os.environ, "MAAS_URL": lab.url, "MAAS_API_KEY": lab.api_key, "XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        assert "maas_vm_host: needs an LXD host" in done.stdout
        assert seen() == before
