"""What a short run leaves out is marked ``long``; STRATUS_FULL=1 in the environment runs it, too."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.environ.get("STRATUS_FULL") != "1":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long; STRATUS_FULL=1 runs it"))
