"""The hosts' networks on this machine: bridges, outward NAT, and the alias that says whose they are."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.nspawn import mac_of

UPLINK = "stratus-up"
PRIVATE = "stratus-priv"
ADDRESSES = {UPLINK: "198.51.100.1/24", PRIVATE: "10.42.0.9/16"}
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Plan:
    """Bridges with this machine's address on each; hosts reach the outside through the first one."""

    addresses: dict[str, str]
    table: str
    alias: str

    @property
    def uplink(self) -> str:
        return next(iter(self.addresses))

    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_interface(address).network for address in self.addresses.values()]


LAB = Plan(ADDRESSES, "stratus_lab", "stratus.cloud lab of ")
# The hosts of molecule's scenarios have networks of their own, so that a lab may be up meanwhile.
MOLECULE = Plan({"stratus-mup": "10.43.1.1/24", "stratus-mpriv": "10.43.0.1/24"}, "stratus_molecule", "stratus.cloud molecule hosts of ")
PLANS = (LAB, MOLECULE)


class NetworkError(Exception):
    """The networks cannot be made here; the message is for the user."""


def ip(*argv: str, check: bool = True) -> str:
    result = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise NetworkError(f"ip {' '.join(argv)}: {result.stderr.strip()}")
    return result.stdout


def links() -> list[dict]:
    return json.loads(ip("-json", "address", "show") or "[]")


def owner(plan: Plan = LAB) -> str | None:
    """The directory whose hosts have the bridges, None when there are none."""
    # Addresses and aliases are never in one answer.
    for link in json.loads(ip("-json", "link", "show") or "[]"):
        if link.get("ifname") in plan.addresses and str(link.get("ifalias", "")).startswith(plan.alias):
            return link["ifalias"][len(plan.alias) :]
    return None


def conflict(found: list[dict] | None = None, plan: Plan = LAB) -> str | None:
    """Another interface of this machine that already has one of the plan's networks, as a sentence."""
    for link in links() if found is None else found:
        if link.get("ifname") in plan.addresses:
            continue
        for address in link.get("addr_info", []):
            if address.get("family") != "inet" or address.get("local", "").startswith("127."):
                continue
            own = ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network
            for wanted in plan.networks():
                if own.overlaps(wanted):
                    return f"{link['ifname']} of this machine already uses {own}, which the lab needs ({wanted})"
    return None


def ruleset(plan: Plan = LAB) -> str:
    return f"""
table ip {plan.table}
delete table ip {plan.table}
table ip {plan.table} {{
    chain outward {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {plan.networks()[0]} oifname != "{plan.uplink}" masquerade
    }}
}}
"""


def up(lab: Path, memory: Path, plan: Plan = LAB) -> None:
    """Make bridges and NAT, or adopt what a killed run of the same ``lab`` left. ``memory`` keeps what has to be put back."""
    existing = {link["ifname"]: link for link in links()}
    for bridge, address in plan.addresses.items():
        if bridge not in existing:
            # A bridge without an address of its own takes the lowest of its ports', another one when a host comes: its neighbours would look for it in vain.
            ip("link", "add", bridge, "address", mac_of(bridge), "type", "bridge", "forward_delay", "0")
        ip("link", "set", bridge, "alias", f"{plan.alias}{lab}")
        ip("address", "replace", address, "dev", bridge)
        ip("link", "set", bridge, "up")
    if FORWARD.read_text().strip() != "1":
        memory.write_text(FORWARD.read_text())
        FORWARD.write_text("1")
    result = subprocess.run(["nft", "-f", "-"], input=ruleset(plan), capture_output=True, text=True, check=False)
    if result.returncode:
        raise NetworkError(f"nft: {result.stderr.strip()}")


def ports(plan: Plan = LAB, found: list[dict] | None = None) -> list[str]:
    """The hosts' interfaces on this machine."""
    return [link["ifname"] for link in (links() if found is None else found) if link.get("master") in plan.addresses]


def down(memory: Path, plan: Plan = LAB) -> None:
    # They go with their hosts' namespaces, but in the kernel's own time: once, not within minutes.
    for port in ports(plan):
        ip("link", "del", port, check=False)
    # A bridge stays with what could not be taken away: without it nobody would know whose that is.
    if not ports(plan):
        for bridge in plan.addresses:
            ip("link", "del", bridge, check=False)
    subprocess.run(["nft", "delete", "table", "ip", plan.table], capture_output=True, check=False)
    # Whoever is up still needs the forwarding; the last one puts it back.
    if memory.exists() and not any(traces(other) for other in PLANS):
        FORWARD.write_text(memory.read_text())
        memory.unlink()


def end_sessions(plan: Plan = LAB) -> None:
    """Ansible keeps ssh connections to hosts open for a while; those into the plan's networks end with the hosts."""
    if shutil.which("ss") is None:
        return
    wanted = " or ".join(f"dst {network}" for network in plan.networks()).split()
    listing = subprocess.run(["ss", "-Htnp", *wanted], capture_output=True, text=True, check=False).stdout
    for line in listing.splitlines():
        for part in line.split('("ssh",pid=')[1:]:
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(part.split(",")[0]), signal.SIGTERM)


def address_add(address: str) -> None:
    """Own one more address of the private network."""
    ip("address", "replace", f"{address}/32", "dev", PRIVATE)


def address_del(address: str) -> None:
    ip("address", "del", f"{address}/32", "dev", PRIVATE, check=False)


def traces(plan: Plan = LAB) -> list[str]:
    """What of the networks is still there."""
    found = links()
    left = [f"bridge {link['ifname']}" for link in found if link.get("ifname") in plan.addresses]
    left += [f"interface {port}" for port in ports(plan, found)]
    if subprocess.run(["nft", "list", "table", "ip", plan.table], capture_output=True, check=False).returncode == 0:
        left.append(f"nft table ip {plan.table}")
    return left
