"""What a short run leaves out."""

from __future__ import annotations

import os

import pytest

long = pytest.mark.skipif(os.environ.get("STRATUS_FULL") != "1", reason="long; STRATUS_FULL=1 runs it")
