"""`python -m lab.hosts.standalone up|down SCENARIO`: hosts without a lab, for molecule's scenarios.

What hosts a scenario has is written in the ``platforms`` of its molecule.yml (see molecule/README.md). They are the lab's hosts (``nspawn.Host`` on
trees of ``.lab/cache``) on bridges and in a control group of their own, so that a lab may be up meanwhile. Whatever a scenario has on this machine
is found by its control group and its directory, however it was started and however that run ended.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from lab.__main__ import Stop, install_packages
from lab.hosts import cgroup, controller, network, tree
from lab.hosts.network import MOLECULE
from lab.hosts.nspawn import Host, HostError, Nic
from lab.hosts.openstack.effects import cloud_of
from lab.paths import CHECKOUT, Paths, held, locked

GROUP = f"{cgroup.LAB}-molecule"
ROOT = Paths().molecule
# Held while hosts or networks come or go. Not in ROOT, which goes with the last scenario.
LOCK = Paths().lab / ".molecule.lock"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def places(scenario: str) -> Paths:
    """Where a scenario keeps its things: ``.lab/molecule/SCENARIO``. Trees and logs are the checkout's."""
    paths = Paths(ROOT / scenario)
    paths.cache, paths.log, paths.forward = Paths().cache, Paths().log, Paths().forward
    return paths


def platforms(scenario: str) -> list[dict[str, Any]]:
    file = CHECKOUT / "molecule" / scenario / "molecule.yml"
    if not file.exists():
        raise Stop(f"there is no scenario {scenario}: {file.relative_to(CHECKOUT)} does not exist")
    return yaml.safe_load(file.read_text())["platforms"]


# -- trees and hosts ------------------------------------------------------------------------------------------------------
def lower_dirs(platform: dict[str, Any], paths: Paths) -> list[Path]:
    """The trees of a platform, topmost first; built when they are missing."""
    log = paths.log / "tree.log"
    kind = platform.get("tree", "base")
    if kind == "controller":
        lowers = controller.lower_dirs(paths, say)
    elif kind in ("base", "openstack"):
        lowers = [tree.build_base(paths.cache / "base", log=log, say=say)]
    else:
        raise Stop(f"platform {platform['name']}: there is no tree {kind}; known are base, controller, openstack")
    if kind == "openstack":
        cloud = cloud_of(paths)
        if not cloud.is_built():
            cloud.build(say)
        lowers = cloud.lower_dirs
    if layer := platform.get("layer"):
        path = paths.cache / f"molecule-{layer['name']}"
        lowers = [tree.build_layer(path, lowers, layer.get("packages", []), layer.get("script", ""), log, say), *lowers]
    return lowers


def nics(platform: dict[str, Any]) -> list[Nic]:
    """A NIC without ``network`` is on the one that reaches the outside, one with an address there has its gateway."""
    bridges = {"uplink": "stratus-mup", "private": "stratus-mpriv"}
    return [Nic(nic["name"], bridges[nic.get("network", "uplink")], nic.get("address"), nic.get("gateway")) for nic in platform["nics"]]


def hosts(scenario: str, build: bool = True) -> list[Host]:
    """The scenario's hosts. They know each other's names."""
    paths = places(scenario)
    wanted = platforms(scenario)
    names = [(nics(platform)[0].ip or "", platform["name"]) for platform in wanted]
    return [
        Host(
            # An underscore is no part of a machine's name.
            f"{scenario}-{platform['name']}".replace("_", "-"), lower_dirs(platform, paths) if build else [], nics(platform), paths,
            hostname=platform["name"], group=f"{GROUP}/{scenario}", aliases=[pair for pair in names if pair[1] != platform["name"]],
        )
        for platform in wanted
    ]  # fmt: skip


def instances(scenario: str) -> list[dict[str, Any]]:
    """What molecule has to know of the hosts (its instance_config.yml)."""
    key = str(places(scenario).key)
    return [
        {"instance": platform["name"], "address": nics(platform)[0].ip, "port": 22, "user": platform.get("user", "ubuntu"), "identity_file": key}
        for platform in platforms(scenario)
    ]


# -- up and down ----------------------------------------------------------------------------------------------------------
def up(scenario: str) -> None:
    """Boot the scenario's hosts; returns when all of them let Ansible in."""
    install_packages()
    with locked(LOCK):
        other = network.owner(MOLECULE)
        if other and other != str(ROOT):
            if held(Path(other).parent / LOCK.name) or cgroup.Group(GROUP).pids():
                raise Stop(f"molecule hosts of {Path(other).parent.parent} are up on this machine: `make molecule-down` there first.")
            sweep()
        if problem := network.conflict(plan=MOLECULE):
            raise Stop(problem)
    paths = places(scenario)
    # The lab's own lock: it builds the same trees.
    with locked(Paths().lab / ".lock"):
        wanted = hosts(scenario)
    with locked(LOCK):
        paths.make()
        controller.make_key(paths)
        network.up(ROOT, paths.forward, MOLECULE)
        for host, platform in zip(wanted, platforms(scenario), strict=True):
            host.prepare([paths.key.with_suffix(".pub").read_text()])
            if platform.get("tree") == "controller":
                controller.install_library(paths, host)
            host.start()
    for host in wanted:
        host.wait_ssh()


def down(scenario: str) -> None:
    """Kill the scenario's hosts and throw away what they wrote; the networks go with the last one."""
    cgroup.Group(f"{GROUP}/{scenario}").kill()
    if (ROOT / scenario).exists():
        for host in hosts(scenario, build=False):
            host.stop()
    tree.remove(ROOT / scenario)
    if not cgroup.Group(GROUP).pids():
        sweep()


def sweep() -> None:
    """Whatever scenarios leave on the machine: processes, networks, directories."""
    cgroup.Group(GROUP).kill()
    if network.traces(MOLECULE):
        network.end_sessions(MOLECULE)
        network.down(Paths().forward, MOLECULE)
    tree.remove(ROOT)


def left() -> list[str]:
    """What is left on the machine, of whatever scenario."""
    group = cgroup.Group(GROUP)
    found = network.traces(MOLECULE) + [f"control group {place}" for place in (group.path, group.old) if place and place.is_dir()]
    found += [f"mount {line.split(' ')[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split(" ")[4].startswith(f"{ROOT}/")]
    return found + ([str(ROOT)] if ROOT.exists() else [])


def take_away(scenarios: list[str]) -> None:
    """Take these scenarios down, or all, and prove that nothing is left unless another one is up."""
    # Until the proof is there: another scenario may be about to make its hosts.
    with locked(LOCK):
        for scenario in scenarios:
            down(scenario)
        if not scenarios:
            sweep()
        elif others := sorted(place.parent.name for place in ROOT.glob("*/hosts")):
            say(f"Other scenarios are still up: {', '.join(others)}.")
            return
        found = left()
    if found:
        raise Stop("Left behind:\n" + "\n".join(f"  {what}" for what in found))
    say("No molecule host is left. Checked: no control group, bridge, interface, mount or nft table of them.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.hosts.standalone", description="Hosts without a lab, for molecule's scenarios.")
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("scenarios", nargs="*", help="directories of molecule/; down without any: whatever is there")
    options = parser.parse_args()
    try:
        if os.geteuid() != 0:
            raise Stop("Molecule's hosts are made on this machine and need root.")
        if options.command == "down":
            take_away(options.scenarios)
        elif len(options.scenarios) == 1:
            up(options.scenarios[0])
            print(json.dumps(instances(options.scenarios[0])))
        else:
            parser.error("up needs one scenario")
    except (Stop, network.NetworkError, tree.TreeError, HostError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
