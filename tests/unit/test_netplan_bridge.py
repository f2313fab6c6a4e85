"""The module netplan_bridge: what it makes of netplan's files, and that the original comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.netplan import NetplanError, dump, load, plan, with_bridge
from ansible_collections.stratus.cloud.plugins.modules import netplan_bridge

from tests.support.run_module import COLLECTIONS

BEFORE = {
    "network": {
        "version": 2,
        "ethernets": {"eno2": {"dhcp4": True}, "eno3": {"addresses": ["10.42.0.1/16"], "mtu": 9000, "nameservers": {"addresses": ["10.42.0.1"]}}},
    }
}


def test_the_bridge_takes_the_addresses_and_leaves_the_rest():
    path, after = plan({"/etc/netplan/50.yaml": BEFORE, "/etc/netplan/60.yaml": {}}, "eno3", "br0")
    assert path == "/etc/netplan/50.yaml"
    assert after["network"]["ethernets"]["eno3"] == {"mtu": 9000, "dhcp4": False, "dhcp6": False}
    assert after["network"]["bridges"]["br0"] == {
        "interfaces": ["eno3"],
        "addresses": ["10.42.0.1/16"],
        "nameservers": {"addresses": ["10.42.0.1"]},
        "parameters": {"stp": False, "forward-delay": 0},
    }
    assert after["network"]["ethernets"]["eno2"] == {"dhcp4": True}
    assert "bridges" not in BEFORE["network"]
    assert with_bridge(after, "eno3", "br0") == after
    assert plan({path: after}, "", "br0") == (path, None)


def test_files_that_do_not_allow_it():
    with pytest.raises(NetplanError, match="eno9; they know eno2, eno3"):
        plan({"a.yaml": BEFORE}, "eno9", "br0")
    with pytest.raises(NetplanError, match="they know none"):
        plan({}, "eno3", "br0")
    with pytest.raises(NetplanError, match="spread over a.yaml, b.yaml"):
        plan({"a.yaml": BEFORE, "b.yaml": BEFORE}, "eno3", "br0")


# What YAML 1.1 would read as numbers to the base of 60, of 8 and of 16, as a fraction and as a date.
TEXTS = {"macaddress": "52:54:00:12:34:56", "route": "10:20.5", "id": "0600", "mark": "0x10", "version": "1.10", "day": "2026-10-01", "many": "1_000"}


def test_what_only_looks_like_a_number_stays_text():
    text = "".join(f"{key}: {value}\n" for key, value in TEXTS.items()) + "mtu: 9000\nmetric: 0\nless: -1\ndhcp4: true\nempty:\n"
    content = load(text)
    assert content == {**TEXTS, "mtu": 9000, "metric": 0, "less": -1, "dhcp4": True, "empty": None}
    assert load(dump(content)) == content
    # Nor does anybody else read it as one afterwards.
    assert yaml.safe_load(dump(content)) == content
    assert yaml.safe_load(text)["macaddress"] == 41135085296, "what the loader is for"


def module(tmp_path, check=False, **arguments):
    arguments |= {"directory": str(tmp_path / "netplan"), "backup_dir": str(tmp_path / "backup"), "bridge": "br0"}
    arguments |= {"_ansible_check_mode": check, "_ansible_remote_tmp": str(tmp_path), "_ansible_diff": True}
    done = subprocess.run(
        [sys.executable, "-m", "ansible_collections.stratus.cloud.plugins.modules.netplan_bridge"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        cwd=COLLECTIONS,
    )
    return json.loads(done.stdout)


def test_check_run_again_and_back(tmp_path):
    (tmp_path / "netplan").mkdir()
    file = tmp_path / "netplan" / "50-cloud-init.yaml"
    original = "# made by hand\n" + yaml.safe_dump(BEFORE).replace("mtu: 9000", "mtu: 9000\n      macaddress: 52:54:00:12:34:56")
    file.write_text(original)
    file.chmod(0o600)

    assert module(tmp_path, check=True, interface="eno3")["changed"] is True
    assert file.read_text() == original

    done = module(tmp_path, interface="eno3")
    assert done["changed"] is True
    assert done["diff"]["before"] == original
    network = yaml.safe_load(file.read_text())["network"]
    assert "br0" in network["bridges"] and network["ethernets"]["eno3"]["macaddress"] == "52:54:00:12:34:56"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backup" / file.name).read_text() == original

    assert module(tmp_path, interface="eno3")["changed"] is False
    assert module(tmp_path, state="absent", check=True)["changed"] is True
    assert module(tmp_path, state="absent")["changed"] is True
    assert file.read_text() == original
    assert not (tmp_path / "backup").exists()
    assert module(tmp_path, state="absent")["changed"] is False


class Cut(BaseException):
    """The end of a run, or of the power."""


def played(tmp_path, state, check=False):
    """The module's work in this process, where it can be cut off."""
    given = SimpleNamespace(params={"bridge": "br0", "interface": "eno3"}, check_mode=check)
    files = netplan_bridge.read(str(tmp_path / "netplan"))
    return {"present": netplan_bridge.present, "absent": netplan_bridge.absent}[state](given, files, str(tmp_path / "backup"))


# What has reached the disk after each of these is what a run finds that comes after a cut.
CALLS = ("open", "fchown", "fchmod", "fsync", "replace", "close", "unlink", "rmdir")


@pytest.mark.parametrize("again", [True, False], ids=["made again", "taken out at once"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_cut_at_every_step_the_original_comes_back(tmp_path, monkeypatch, state, again):
    original = "# made by hand\n" + yaml.safe_dump(BEFORE)
    for number in range(40):
        place = tmp_path / str(number)
        (place / "netplan").mkdir(parents=True)
        file = place / "netplan" / "50.yaml"
        file.write_text(original)
        file.chmod(0o640)
        if state == "absent":
            played(place, "present")
        made, whole = [0], set()

        def counted(name, call, *arguments, __made=made, __whole=whole, __number=number, __place=place, **more):
            if __made[0] == __number:
                raise Cut
            __made[0] += 1
            if name == "replace":
                # A name that stands for data which are not on the disk yet may stand for nothing after a power cut.
                assert str(arguments[0]) in __whole, "renamed before it was written through"
            result = call(*arguments, **more)
            if name == "fsync":
                __whole.add(str(Path(f"/proc/self/fd/{arguments[0]}").readlink()))
            return result

        with monkeypatch.context() as patched:
            for name in CALLS:
                patched.setattr(netplan_bridge.os, name, partial(counted, name, getattr(os, name)))
            try:
                played(place, state)
                over = True
            except Cut:
                over = False
        for kept in [*(place / "netplan").glob("*.yaml"), *(place / "backup").glob("*.yaml")]:
            assert netplan_bridge.netplan.load(kept.read_text())["network"]["version"] == 2, f"{kept} is not whole after {number} steps"
            assert kept.stat().st_mode & 0o777 == 0o640
        if over:
            assert {str(place / "netplan"), str(place / "backup")} & whole, "the directory is written through, too"
            break
        if again:
            played(place, "present")
        played(place, "absent")
        assert file.read_text() == original and not (place / "backup").exists()
        assert played(place, "absent")["changed"] is False
    assert over and number > 8


@pytest.fixture
def rolled_back(tmp_path):
    """(the file, what is kept of it): the timer has copied what is kept over the file, and it stays."""
    (tmp_path / "netplan").mkdir()
    file, kept = tmp_path / "netplan" / "50-cloud-init.yaml", tmp_path / "backup" / "50-cloud-init.yaml"
    file.write_text(yaml.safe_dump(BEFORE))
    module(tmp_path, interface="eno3")
    file.write_bytes(kept.read_bytes())
    return file, kept


def test_a_file_that_was_corrected_after_a_change_over_was_rolled_back_is_the_original(tmp_path, rolled_back):
    file, kept = rolled_back
    corrected = yaml.safe_dump(BEFORE).replace("10.42.0.1/16", "10.42.0.2/16")
    file.write_text(corrected)

    done = module(tmp_path, interface="eno3", check=True)
    assert done["changed"] is True and kept.read_text() == yaml.safe_dump(BEFORE)
    done = module(tmp_path, interface="eno3")
    assert done["changed"] is True and done["backup"] == str(kept) and kept.read_text() == corrected
    assert module(tmp_path, state="absent")["changed"] is True
    assert file.read_text() == corrected and not kept.parent.exists()


def test_what_is_kept_goes_where_it_is_in_its_place_already(tmp_path, rolled_back):
    file, kept = rolled_back
    done = module(tmp_path, state="absent", check=True)
    assert done["changed"] is True and kept.exists()
    # What the file does not say any more may be all that somebody has.
    file.write_text("# changed\n" + file.read_text())
    assert module(tmp_path, state="absent")["changed"] is False and kept.exists()
    file.write_bytes(kept.read_bytes())
    done = module(tmp_path, state="absent")
    assert (done["changed"], done["path"], done["backup"]) == (True, "", "")
    assert file.read_text() == yaml.safe_dump(BEFORE) and not kept.parent.exists()


def test_a_file_that_somebody_else_changed_is_not_brought_back(tmp_path):
    (tmp_path / "netplan").mkdir()
    file = tmp_path / "netplan" / "50-cloud-init.yaml"
    file.write_text(yaml.safe_dump(BEFORE))
    module(tmp_path, interface="eno3")
    changed = yaml.safe_load(file.read_text())
    changed["network"]["ethernets"]["eno2"] = {"dhcp4": False}
    file.write_text(yaml.safe_dump(changed))
    done = module(tmp_path, state="absent")
    assert "cannot be taken out" in done["msg"] and "changed by somebody else" in done["msg"] and str(tmp_path / "backup" / file.name) in done["msg"]
    assert yaml.safe_load(file.read_text()) == changed


def test_a_refusal_is_a_sentence(tmp_path):
    (tmp_path / "netplan").mkdir()
    assert "no file of netplan is about the interface eno3" in module(tmp_path, interface="eno3")["msg"]
    (tmp_path / "netplan" / "x.yaml").write_text("network: [")
    assert "cannot be used" in module(tmp_path, interface="eno3")["msg"]
