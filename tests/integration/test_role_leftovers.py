"""What a run that was killed leaves on the controller host: the roles wireguard and juju, played on this machine in a folder instead of /etc and the home."""

from __future__ import annotations

import os
import stat

from tests.support.role_play import RolePlay, told


class Played(RolePlay):
    """Nothing of the role's reaches this machine: its paths are in a folder, and what it has the role host do is left out."""

    def __init__(self, folder, paths, left_out):
        super().__init__(folder)
        roles = folder / "collections/ansible_collections/stratus/cloud/roles"
        for name in left_out:
            (roles / f"host/tasks/{name}.yml").write_text("---\n[]\n")
        for path in (roles / self.role).rglob("*.yml"):
            text = path.read_text()
            for old, new in paths.items():
                text = text.replace(old, str(new))
            path.write_text(text)


class Wireguard(Played):
    role = "wireguard"


class Juju(Played):
    role = "juju"
    stubbed = ("host_record",)


WG = """#!/bin/sh
# Stands for wg: the first time, the run that asked for a key is killed meanwhile.
if [ ! -e {folder}/cut ]; then touch {folder}/cut; kill -9 $PPID; exit 1; fi
echo kept
"""


def test_a_key_that_was_cut_off_is_made_anew(tmp_path, monkeypatch):
    etc, programs = tmp_path / "wireguard", tmp_path / "bin"
    etc.mkdir()
    programs.mkdir()
    (programs / "wg").write_text(WG.format(folder=tmp_path))
    (programs / "wg").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    site = Wireguard(tmp_path, {"/etc/wireguard": etc, "owner: root": "", "group: root": ""}, ["service_on"])
    given = {"ansible_become": False, "wireguard_networks": ["10.42.0.0/16"]}
    done, _changed, _asked = site.play("tunnels", **given)
    assert done.returncode != 0 and (tmp_path / "cut").exists(), told(done)
    key = etc / "wg-stratus.key"
    assert not key.exists()
    for changed in (True, False):
        done, count, _asked = site.play("tunnels", **given)
        assert done.returncode == 0 and bool(count) == changed, told(done)
        assert key.read_text() == "kept\n" and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert sorted(path.name for path in etc.iterdir()) == ["wg-stratus.conf", "wg-stratus.key"]


def test_the_end_takes_what_a_killed_command_of_juju_was_given(tmp_path):
    """Also where the client's directory was there before the role, and stays."""
    data = tmp_path / "juju"
    (data / "stratus-private").mkdir(parents=True)
    (data / "stratus-private/1-2-3.yaml").write_text("maas-oauth: a:b:c")
    (data / "controllers.yaml").touch()
    paths = {"~{{ juju_user | quote }}/.local/share/juju": data, "/etc/sysctl.d": tmp_path}
    site = Juju(tmp_path, paths, ["rules_absent", "snap_absent"])
    site.answers["host_record"] = {"record": {"directories": []}}
    for arguments, left in ((["--check"], ["controllers.yaml", "stratus-private"]), ([], ["controllers.yaml"])):
        done, _changed, _asked = site.play("teardown_host", arguments=arguments, ansible_become=False)
        assert done.returncode == 0, told(done)
        assert sorted(path.name for path in data.iterdir()) == left
