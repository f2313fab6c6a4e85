# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Netplan's files as data: which one is about an interface, and what it says once a bridge has taken the interface over."""

from __future__ import annotations

import copy
import re

try:
    import yaml
except ImportError:
    yaml = None

# Settings that stay with the interface when a bridge takes over its addresses.
OWN = {"match", "set-name", "mtu", "wakeonlan", "renderer", "optional", "macaddress", "ignore-carrier"}


class NetplanError(Exception):
    """What the files say does not allow it; the message is for the operator."""


if yaml:

    class Loader(yaml.SafeLoader):
        """Netplan takes a value as the text that it is. YAML 1.1 makes a number of a MAC address without letters (52:54:00:12:34:56), to the base of 60."""

        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("int", "float", "timestamp")]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"(0|-?[1-9][0-9]*)$"), list("-0123456789"))


def load(text: str):
    """The content of a file."""
    return yaml.load(text, Loader=Loader)


def dump(content) -> str:
    """The text of a file; what others could read as a number is in quotes."""
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=False)


def _section(config, section):
    network = (config or {}).get("network") if isinstance(config, dict) else None
    return (network or {}).get(section) or {}


def find(files: dict, section: str, name: str) -> str:
    """Path of the last file that says something about an interface (the last one wins in netplan too), or ""."""
    return next((path for path in sorted(files, reverse=True) if name in _section(files[path], section)), "")


def with_bridge(config: dict, interface: str, bridge: str) -> dict:
    """The file's content after the bridge took the interface's addresses; as it is if it has the bridge."""
    if bridge in _section(config, "bridges"):
        return config
    if interface not in _section(config, "ethernets"):
        raise NetplanError(f"the file has no ethernet interface {interface}")
    result = copy.deepcopy(config)
    network = result["network"]
    ethernet = network["ethernets"][interface] or {}
    network["ethernets"][interface] = {**{key: value for key, value in ethernet.items() if key in OWN}, "dhcp4": False, "dhcp6": False}
    moved = {key: value for key, value in ethernet.items() if key not in OWN}
    # No spanning tree: a port that listens for half a minute first makes machines miss their DHCP answer.
    network["bridges"] = {**(network.get("bridges") or {}), bridge: {"interfaces": [interface], **moved, "parameters": {"stp": False, "forward-delay": 0}}}
    return result


def is_ours(original: dict, config: dict, bridge: str) -> bool:
    """Whether a file still says what the bridge made of the original, and nothing else."""
    ports = (_section(config, "bridges").get(bridge) or {}).get("interfaces") or []
    try:
        return len(ports) == 1 and with_bridge(original, ports[0], bridge) == config
    except NetplanError:
        return False


def plan(files: dict, interface: str, bridge: str) -> tuple[str, dict | None]:
    """Which file to write and its new content; None when a file has the bridge already."""
    if path := find(files, "bridges", bridge):
        return path, None
    path = find(files, "ethernets", interface)
    if not path:
        known = sorted({name for config in files.values() for name in _section(config, "ethernets")})
        raise NetplanError(f"no file of netplan is about the interface {interface}; they know {', '.join(known) or 'none'}")
    others = [other for other in sorted(files) if other != path and interface in _section(files[other], "ethernets")]
    if others:
        raise NetplanError(f"{interface} is spread over {', '.join([*others, path])}: netplan would merge them; put it into one file")
    return path, with_bridge(files[path], interface, bridge)
