"""The lab's two networks on this machine: bridges, outward NAT, and the lock that says whose they are."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path

UPLINK = "stratus-up"
PRIVATE = "stratus-priv"
ADDRESSES = {UPLINK: "198.51.100.1/24", PRIVATE: "10.42.0.9/16"}
TABLE = "stratus_lab"
ALIAS = "stratus.cloud lab of "
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


class NetworkError(Exception):
    """The networks cannot be made here; the message is for the user."""


def ip(*argv: str, check: bool = True) -> str:
    result = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise NetworkError(f"ip {' '.join(argv)}: {result.stderr.strip()}")
    return result.stdout


def links() -> list[dict]:
    return json.loads(ip("-json", "address", "show") or "[]")


def owner() -> str | None:
    """The directory of the lab that has the bridges, None when there are none."""
    # Addresses and aliases are never in one answer.
    for link in json.loads(ip("-json", "link", "show") or "[]"):
        if link.get("ifname") in ADDRESSES and str(link.get("ifalias", "")).startswith(ALIAS):
            return link["ifalias"][len(ALIAS) :]
    return None


def conflict(found: list[dict] | None = None) -> str | None:
    """Another interface of this machine that already has one of the lab's networks, as a sentence."""
    for link in links() if found is None else found:
        if link.get("ifname") in ADDRESSES:
            continue
        for address in link.get("addr_info", []):
            if address.get("family") != "inet" or address.get("local", "").startswith("127."):
                continue
            own = ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network
            for wanted in ADDRESSES.values():
                if own.overlaps(ipaddress.ip_interface(wanted).network):
                    return f"{link['ifname']} of this machine already uses {own}, which the lab needs ({ipaddress.ip_interface(wanted).network})"
    return None


def ruleset() -> str:
    uplink = ipaddress.ip_interface(ADDRESSES[UPLINK]).network
    return f"""
table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
    chain outward {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {uplink} oifname != "{UPLINK}" masquerade
    }}
}}
"""


def up(lab: Path, memory: Path) -> None:
    """Make bridges and NAT, or adopt what a killed run of the same lab left. ``memory`` keeps what has to be put back."""
    existing = {link["ifname"]: link for link in links()}
    for bridge, address in ADDRESSES.items():
        if bridge not in existing:
            ip("link", "add", bridge, "type", "bridge", "forward_delay", "0")
        ip("link", "set", bridge, "alias", f"{ALIAS}{lab}")
        ip("address", "replace", address, "dev", bridge)
        ip("link", "set", bridge, "up")
    if FORWARD.read_text().strip() != "1":
        memory.write_text(FORWARD.read_text())
        FORWARD.write_text("1")
    result = subprocess.run(["nft", "-f", "-"], input=ruleset(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise NetworkError(f"nft: {result.stderr.strip()}")


def down(memory: Path) -> None:
    for bridge in ADDRESSES:
        ip("link", "del", bridge, check=False)
    subprocess.run(["nft", "delete", "table", "ip", TABLE], capture_output=True, check=False)
    if memory.exists():
        FORWARD.write_text(memory.read_text())
        memory.unlink()


def address_add(address: str) -> None:
    """Own one more address of the private network."""
    ip("address", "replace", f"{address}/32", "dev", PRIVATE)


def address_del(address: str) -> None:
    ip("address", "del", f"{address}/32", "dev", PRIVATE, check=False)


def extra_addresses() -> list[str]:
    """The simulated machines' addresses that this machine owns now."""
    found = [link for link in links() if link.get("ifname") == PRIVATE]
    return [a["local"] for link in found for a in link.get("addr_info", []) if a.get("family") == "inet" and a.get("prefixlen") == 32]


def traces() -> list[str]:
    """What of the networks is still there."""
    left = [f"bridge {link['ifname']}" for link in links() if link.get("ifname") in ADDRESSES]
    if subprocess.run(["nft", "list", "table", "ip", TABLE], capture_output=True, check=False).returncode == 0:
        left.append(f"nft table ip {TABLE}")
    return left
