"""The snaps of the role host, played on this machine in a folder: the lab's snap command stands for snapd's, which goes on when a run is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.stratus.cloud.plugins.modules.host_record import PARTS

from tests.support.role_play import ROOT, RolePlay, told

# The lab's own, but for its store, which waits for a file, and for where things lie.
SNAP = """#!{python}
import os, sys, time
sys.path[:0] = ["{root}/lab/hosts/image"]
import lab_control as lab, lab_snap as snap, yaml

def ask(method, path, body=None):
    if method == "GET":
        return dict(yaml.safe_load(open("{root}/lab/data/snaps.yml"))[path.rsplit("/", 1)[1]])
    while not os.path.exists("{folder}/go"):
        time.sleep(0.05)

lab.ask, lab.is_root, snap.units, snap.CHANGES = ask, lambda: True, lambda name: [], "{folder}/changes"
snap.installed.__defaults__ = snap.save.__defaults__ = ("{folder}/state.json",)
snap.place = lambda name, release, entry: os.makedirs("{folder}/snap/" + name + "/current")
snap.take_away = lambda name, entry, purge: os.removedirs("{folder}/snap/" + name + "/current")
sys.exit(snap.main(sys.argv[1:]))
"""


# Snapd where others have brought snaps of their own, in its words and lines: of what was asked for it removes what ``needed`` does not name.
REFUSES = """#!{python}
import os, sys
name, needed = sys.argv[-1], {needed}
open("{folder}/removed", "a").write(" ".join(sys.argv[1:]) + "\\n")
if needed.get(name):
    sys.exit('error: cannot remove "' + name + '": ' + needed[name])
os.removedirs("{folder}/snap/" + name + "/current")
"""
BASE = 'snap "core22" is not removable: snap is being\n       used by snap lxd.'
OWN = 'snap "snapd" is not removable: remove all other\n       snaps first'


class Host(RolePlay):
    role = "host"
    stubbed = ("host_record",)

    def __init__(self, folder, script):
        super().__init__(folder)
        programs = folder / "bin"
        programs.mkdir()
        self.snap = programs / "snap"
        self.snap.write_text(script)
        self.snap.chmod(0o755)
        self.installed = folder / "snap"
        for path in (folder / "collections/ansible_collections/stratus/cloud/roles/host/tasks").glob("*.yml"):
            path.write_text(path.read_text().replace("/usr/bin/snap", str(self.snap)).replace('"/snap/', f'"{self.installed}/'))
        self.record(snaps=["maas"])

    def record(self, **parts):
        self.answers["host_record"] = {"missing": [], "record": {**PARTS, **parts}}

    def run(self, entry, **more):
        return self.play(entry, ansible_become=False, host_snap="maas", host_snap_channel="3.5/stable", **more)

    @contextmanager
    def killed(self, *words):
        """A command of snap's that was killed, of which snapd goes on with what it asked for until the file ``go`` is there."""
        command = subprocess.Popen([self.snap, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while "Doing" not in self.said("changes", "maas") and time.monotonic() < deadline:
                time.sleep(0.1)
            command.send_signal(signal.SIGKILL)
            command.wait()
            yield
        finally:
            (self.folder / "go").touch()
            while "Doing" in self.said("changes", "maas"):
                time.sleep(0.1)

    def said(self, *words):
        return subprocess.run([self.snap, *words], capture_output=True, text=True).stdout


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return Host(tmp_path, SNAP.format(python=sys.executable, root=ROOT, folder=tmp_path))


def soon(folder):
    """A moment after the play has begun to wait."""
    return subprocess.Popen(["sh", "-c", f"sleep 8; touch {folder}/go"])


def test_what_a_killed_run_asked_snapd_for_is_waited_for(host, tmp_path):
    with host.killed("install", "--channel=3.5/stable", "maas"):
        done, changed, _asked = host.run("snap", arguments=["--check"])
        assert done.returncode == 0 and changed == 1, told(done)
        ends = soon(tmp_path)
        done, changed, _asked = host.run("snap")
        ends.wait()
    assert done.returncode == 0, told(done)
    assert changed == 0 and "RETRYING: [here]: Install the snap" not in told(done), "it came by the killed run"
    assert "3.5/stable" in host.said("list", "maas")

    (tmp_path / "go").unlink()
    with host.killed("remove", "--purge", "maas"):
        ends = soon(tmp_path)
        done, changed, _asked = host.run("snap_absent")
        ends.wait()
    assert done.returncode == 0, told(done)
    assert changed == 0 and not list(host.installed.glob("*"))


def test_the_track_is_that_of_what_a_killed_run_asked_for(host, tmp_path):
    with host.killed("install", "--channel=3.6/stable", "maas"):
        ends = soon(tmp_path)
        done, _changed, _asked = host.run("snap")
        ends.wait()
    assert done.returncode != 0 and "tracks 3.6/stable, and maas_channel asks for 3.5/stable" in " ".join(told(done).split())
    assert "3.6/stable" in host.said("list", "maas")


def test_snapd_that_does_not_come_to_an_end_is_named_with_what_to_do(host):
    with host.killed("install", "--channel=3.5/stable", "maas"):
        done, _changed, _asked = host.run("snap", host_snap_timeout=5)
    said = " ".join(told(done).split())
    assert done.returncode != 0 and "Snapd on here is not done with the snap maas after 5 s: 1 Doing" in said
    assert "`snap abort 1` ends it" in said and "Ooops" not in said


def test_check_mode_counts_a_setting_of_the_kernel_that_would_be_put_back(host, tmp_path):
    (tmp_path / "bin/sysctl").write_text(f"#!/bin/sh\necho $@ >>{tmp_path}/set\n")
    (tmp_path / "bin/sysctl").chmod(0o755)
    kernel = Path("/proc/sys/kernel/ostype").read_text().strip()
    for value, arguments, changed, written in (("Other", ["--check"], 1, ""), ("Other", [], 1, "--write kernel.ostype=Other\n"), (kernel, [], 0, "")):
        (tmp_path / "set").write_text("")
        host.record(kept={"sysctl": {"kernel.ostype": value}})
        done, count, _asked = host.run("teardown", arguments=arguments)
        assert done.returncode == 0, told(done)
        assert count == changed and (tmp_path / "set").read_text() == written


@pytest.mark.parametrize(("needed", "stays"), [({}, []), ({"core22": BASE, "snapd": OWN}, ["core22", "snapd"])])
def test_snaps_that_others_need_stay_and_those_of_ours_go_snapd_at_last(tmp_path, needed, stays):
    host = Host(tmp_path, REFUSES.format(python=sys.executable, folder=tmp_path, needed=needed))
    names = ["core22", "gnome-42-2204", "snapd", "themes"]
    host.record(snaps=names)
    for name in [*names, "lxd"]:
        (host.installed / name / "current").mkdir(parents=True)
    done, changed, _asked = host.run("teardown")
    assert done.returncode == 0, told(done)
    assert (tmp_path / "removed").read_text().splitlines() == [f"remove --purge {name}" for name in ["gnome-42-2204", "themes", "core22", "snapd"]]
    assert sorted(path.name for path in host.installed.iterdir()) == sorted([*stays, "lxd"]) and changed == 1


def test_a_snap_that_cannot_be_removed_for_another_reason_ends_the_run(tmp_path):
    host = Host(tmp_path, REFUSES.format(python=sys.executable, folder=tmp_path, needed={"core22": "too early for operation, device not yet seeded"}))
    host.record(snaps=["core22"])
    (host.installed / "core22/current").mkdir(parents=True)
    done, _changed, _asked = host.run("teardown")
    assert done.returncode != 0 and "not yet seeded" in told(done)


def test_what_an_installation_that_was_cut_short_has_brought_goes_as_well(tmp_path):
    """A run that is killed between an installation and its note leaves it open; nobody may come to close it before the teardown."""
    host = Host(tmp_path, REFUSES.format(python=sys.executable, folder=tmp_path, needed={}))
    closed = {"missing": [], "record": {**PARTS, "snaps": ["maas"]}}
    host.answers["host_record"] = [({"state": "installed"}, closed), ({}, {"missing": [], "record": PARTS})]
    (host.installed / "maas/current").mkdir(parents=True)
    done, _changed, _asked = host.run("losses", then=[{"ansible.builtin.debug": {"var": "host_losses"}}])
    assert done.returncode == 0 and "'of': 'maas'" in done.stdout.replace('"', "'"), told(done)
    done, _changed, _asked = host.run("teardown")
    assert done.returncode == 0 and not (host.installed / "maas").exists(), told(done)
