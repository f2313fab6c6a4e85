"""All files here share one lab with hosts, in the order of their names: the cloud is built first, lived in, torn down, and the lab is taken away.

``LAB_KEEP=1`` leaves the lab up; a single file can be run on a lab whose cloud is built already.
"""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.support import host_state
from tests.support.site import BARE, TIMES, explain, on_controller, run


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.hosts)
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="makes hosts on this machine: needs root"))


def remember_bare_controller():
    """What the controller is like while nothing is built on it: that is what teardown.yml has to bring back."""
    if BARE.exists():
        return
    found = host_state.read(on_controller)
    if not {"/var/lib/stratus", "/snap/maas"} & set(found["files"]):
        BARE.write_text(json.dumps(found))


@pytest.fixture(scope="session", autouse=True)
def lab():
    """A lab of this checkout, as it is if it is up already, else brought up here and taken down by the last test."""
    began = time.monotonic()
    done = run("make", "lab-up")
    assert done.returncode == 0, explain(done)
    TIMES["make lab-up"] = time.monotonic() - began
    remember_bare_controller()
    yield
    print("\n" + "\n".join(f"{seconds:7.1f} s  {what}" for what, seconds in TIMES.items()))
    if not os.environ.get("LAB_KEEP"):
        run("make", "lab-down")
