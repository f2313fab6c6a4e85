"""The controller host: a bare server with two networks, and the stand-ins for what comes from the snap store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from lab.engine import DATA
from lab.hosts import network, tree
from lab.hosts.nspawn import Host, Nic
from lab.paths import Paths

IMAGE = Path(__file__).with_name("image")
# scramp 1.5 no longer has what pg8000 calls.
LIBRARY_PACKAGES = ["pg8000==1.31.2", "scramp<1.5"]

# The stand-in comes as the package it stands in for, so that a role that installs snapd finds it installed.
SNAPD = r"""
mkdir -p /tmp/snapd/DEBIAN /tmp/snapd/usr/bin /tmp/snapd/snap/bin /tmp/snapd/etc/profile.d
cat >/tmp/snapd/DEBIAN/control <<'END'
Package: snapd
Version: 2.99+lab
Architecture: all
Maintainer: The lab
Depends: python3
Description: The snap command of the lab
END
cat >/tmp/snapd/usr/bin/snap <<'END'
#!/usr/bin/python3 -I
# The snap command of the lab.
import sys
sys.path.insert(0, '/opt/lab/lib')
import lab_snap
sys.exit(lab_snap.main(sys.argv[1:]))
END
cat >/tmp/snapd/etc/profile.d/apps-bin-path.sh <<'END'
case ":$PATH:" in *:/snap/bin:*) ;; *) PATH=$PATH:/snap/bin ;; esac
END
chmod 755 /tmp/snapd/usr/bin/snap
dpkg-deb --root-owner-group -b /tmp/snapd /tmp/snapd.deb >/dev/null
dpkg -i /tmp/snapd.deb
# As on Ubuntu: every session and sudo find the snaps' commands.
echo 'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"' >/etc/environment
sed -i 's,^Defaults\tsecure_path=.*,Defaults\tsecure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin",' /etc/sudoers
"""


def nics() -> list[Nic]:
    """From the rack file: the uplink's bridge and the private one."""
    found = []
    for nic in yaml.safe_load((DATA / "racks/thesis.yml").read_text())["controller"]["nics"]:
        bridge = network.UPLINK if nic.get("gateway") else network.PRIVATE
        found.append(Nic(nic["name"], bridge, nic["address"], nic.get("gateway"), nic["mac"]))
    return found


def library(paths: Paths) -> Path:
    """What the stand-ins import, in a directory: fetched once."""
    target = paths.cache / "lib"
    if not tree.is_built(target, LIBRARY_PACKAGES):
        tree.stamp(target).unlink(missing_ok=True)
        tree.remove(target)
        tree.call([sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(target), *LIBRARY_PACKAGES], paths.log / "tree.log",
                  environment=None)  # fmt: skip
        tree.stamp(target).write_text(tree.digest(LIBRARY_PACKAGES) + "\n")
    return target


def lower_dirs(paths: Paths, say: Callable[[str], None]) -> list[Path]:
    base = tree.build_base(paths.cache / "base", log=paths.log / "tree.log", say=say)
    layer = tree.build_layer(paths.cache / "controller", [base], script=SNAPD, log=paths.log / "tree.log", say=say)
    return [layer, base]


def host(paths: Paths, lowers: list[Path] | None = None) -> Host:
    return Host(
        "controller", lowers or [paths.cache / "controller", paths.cache / "base"], nics(), paths, binds=[(paths.run, "/opt/lab/run", False)],
    )  # fmt: skip


def trees(lowers: list[Path]) -> str:
    return " ".join(tree.stamp(lower).read_text().strip() for lower in lowers)


def usable(paths: Paths, lowers: list[Path]) -> bool:
    """Whether there is a controller already, made from these trees."""
    mark = paths.hosts / "controller" / "trees"
    return mark.exists() and mark.read_text() == trees(lowers)


def prepare(paths: Paths, lowers: list[Path]) -> Host:
    """The controller, ready to start."""
    controller = host(paths, lowers)
    controller.prepare([paths.key.with_suffix(".pub").read_text()])
    (controller.place / "trees").write_text(trees(lowers))
    install_library(paths, controller)
    return controller


def install_library(paths: Paths, controller: Host) -> None:
    """Copy the stand-ins' library in, as it is now (a running host gets it, too)."""
    leader = controller.leader()
    target = (Path(f"/proc/{leader}/root") if leader else controller.upper) / "opt/lab/lib"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(library(paths), target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "bin"))
    for module in IMAGE.glob("*.py"):
        shutil.copy(module, target / module.name)


def make_key(paths: Paths) -> None:
    if not paths.key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stratus-lab", "-f", str(paths.key)], check=True)
