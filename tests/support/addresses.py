"""Loopback addresses that no other test of this machine uses: of another worker, or of another checkout's run."""

from __future__ import annotations

import ipaddress
import os
import socket

# A port on the network's last address, held as long as this process lives, says that the network is taken.
HOLD = 17069
_held: list[socket.socket] = []


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def network() -> ipaddress.IPv4Network:
    """A /24 of 127.0.0.0/8 of one's own."""
    for step in range(60 * 256):
        number = (os.getpid() * 256 + len(_held) + step) % (60 * 256)
        found = ipaddress.ip_network(f"127.{100 + number // 256 % 60}.{number % 256}.0/24")
        hold = socket.socket()
        try:
            hold.bind((str(found.broadcast_address - 1), HOLD))
        except OSError:
            hold.close()
            continue
        _held.append(hold)
        return found
    raise OSError("every network of 127.100.0.0 to 127.159.255.0 is in use")
