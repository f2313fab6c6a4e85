"""What the README and the pages of docs/ say to type on a cloud that stands is typed here as it is written, on the lab's.

Commands that take something away or add something have tests of their own, with what must have changed (40 to 90); those that only look are here.
"""

from __future__ import annotations

import re

import pytest

from tests.chaos.essence import essence
from tests.support.docs import ALL, TYPED
from tests.support.site import BIN, ROOT, explain, openstack, run, world


def test_there_are_commands_to_type():
    assert len(TYPED) >= 10
    assert {"teardown", "verify", "report", "certs", "recover", "rebalance", "live_migration", "zun"} <= set(re.findall(r"[\w-]+", " ".join(TYPED)))


def typed(line):
    """As the reader has it: .venv activated, the lab's access file named."""
    known = {"ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.venv/collections", "OS_CLIENT_CONFIG_FILE": str(ROOT / ".lab/out/clouds.yaml")}
    return run("bash", "-c", f". {BIN}/activate && {line}", env=known)


def test_the_tenants_way_out():
    """The commands of docs/first-cloud.md, for the lab's cloud; what they make is taken away again."""
    commands = [command for page, command in ALL if page.name == "first-cloud.md" and command.startswith("openstack")]
    assert len(commands) == 2
    try:
        for command in commands:
            done = typed(command.replace("--os-cloud stratus ", "--os-cloud stratus-lab "))
            assert done.returncode == 0, explain(done)
        [subnet] = openstack("subnet", "list", "--network", "outside", "--long")
        assert (subnet["Subnet"], subnet["Allocation Pools"]) == ("10.42.0.0/16", [{"start": "10.42.128.0", "end": "10.42.128.255"}])
        assert openstack("network", "show", "outside")["router:external"]
    finally:
        typed("openstack --os-cloud stratus-lab network delete outside")


@pytest.mark.parametrize("command", TYPED)
def test_command(command):
    """From the checkout, with .venv activated, as the README has it; the reader's inventory is the lab's."""
    before = essence(world())
    line = re.sub(r"\bINVENTORY\b|\binventories/mine\b", "inventories/lab", command)
    done = typed(line)
    assert done.returncode == 0, explain(done)
    assert essence(world()) == before
