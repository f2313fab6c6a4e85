# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask a BMC over RMCP+ whether it is there and takes a user's password, with nothing but Python.

The first half of the IPMI 2.0 session handshake is enough: the BMC's second RAKP message carries a code that only one who knows
the password can make. No session is opened and nothing is written, so a bare controller can ask before any package is installed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
import time

# Cipher suite -> (authentication, integrity, confidentiality, digest); the suites that BMCs offer today, best first.
SUITES = {17: (3, 4, 1, hashlib.sha256), 3: (1, 1, 1, hashlib.sha1)}
ADMINISTRATOR = 0x04
NAME_ONLY = 0x10

STATUS = {
    0x01: "it has no resources for another session",
    0x09: "the user may not act as administrator",
    0x0C: "the user may not act as administrator",
    0x0D: "it does not know the user",
}


class BmcError(Exception):
    """The BMC answered, and refused."""


def frame(payload_type: int, payload: bytes) -> bytes:
    """An RMCP+ packet outside any session."""
    return b"\x06\x00\xff\x07" + struct.pack("<BBIIH", 0x06, payload_type, 0, 0, len(payload)) + payload


def unframe(packet: bytes) -> tuple[int, bytes]:
    """Payload type and payload of a packet; (-1, b"") for what is no RMCP+ packet."""
    if len(packet) < 16 or packet[3] != 0x07 or packet[4] != 0x06:
        return -1, b""
    kind, _session, _sequence, length = struct.unpack("<BIIH", packet[5:16])
    return kind & 0x3F, packet[16 : 16 + length]


def open_request(tag: int, console: bytes, suite: int) -> bytes:
    authentication, integrity, confidentiality, _digest = SUITES[suite]
    algorithms = b"".join(bytes((kind, 0, 0, 8, number, 0, 0, 0)) for kind, number in enumerate((authentication, integrity, confidentiality)))
    return bytes((tag, ADMINISTRATOR, 0, 0)) + console + algorithms


def rakp1(tag: int, managed: bytes, nonce: bytes, user: str) -> bytes:
    name = user.encode()
    return bytes((tag, 0, 0, 0)) + managed + nonce + bytes((NAME_ONLY | ADMINISTRATOR, 0, 0, len(name))) + name


def expected_code(suite: int, password: str, user: str, console: bytes, managed: bytes, nonce: bytes, answer: bytes, guid: bytes) -> bytes:
    """What the BMC's second message must end with when both sides hold the same password."""
    name = user.encode()
    text = console + managed + nonce + answer + guid + bytes((NAME_ONLY | ADMINISTRATOR, len(name))) + name
    return hmac.new(password.encode(), text, SUITES[suite][3]).digest()


def _ask(sock: socket.socket, kind: int, payload: bytes, timeout: float, tries: int) -> bytes:
    """Send until an answer of the next kind with the same tag comes back."""
    for _attempt in range(tries):
        sock.send(frame(kind, payload))
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                answered, answer = unframe(sock.recv(2048))
            except TimeoutError:
                break
            if answered == kind + 1 and len(answer) >= 2 and answer[0] == payload[0]:
                return answer
    raise TimeoutError


def _handshake(sock: socket.socket, suite: int, user: str, password: str, timeout: float, tries: int) -> bool | None:
    console, nonce = os.urandom(4), os.urandom(16)
    opened = _ask(sock, 0x10, open_request(1, console, suite), timeout, tries)
    if opened[1] == 0x01:
        raise BmcError(STATUS[0x01])
    if opened[1] or len(opened) < 12:
        return None
    managed = opened[8:12]
    second = _ask(sock, 0x12, rakp1(2, managed, nonce, user), timeout, tries)
    if second[1] or len(second) < 40:
        raise BmcError(STATUS.get(second[1], f"it refused the login with status {second[1]:#04x}"))
    wanted = expected_code(suite, password, user, console, managed, nonce, second[8:24], second[24:40])
    # Tell it that nobody comes back, so that its session slot is free at once.
    sock.send(frame(0x14, bytes((3, 0x0F, 0, 0)) + managed))
    return hmac.compare_digest(second[40 : 40 + len(wanted)], wanted)


def probe(address: str, user: str, password: str, port: int = 623, timeout: float = 2.0, tries: int = 3) -> dict:
    """``reachable``, ``authenticated`` (None: it offers no suite known here) and ``error`` ("" when all is well)."""
    result = {"reachable": False, "authenticated": None, "error": ""}
    try:
        family, kind, proto, _name, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as sock:
            sock.connect(target)
            for suite in SUITES:
                result["authenticated"] = _handshake(sock, suite, user, password, timeout, tries)
                result["reachable"] = True
                if result["authenticated"] is not None:
                    break
            if result["authenticated"] is False:
                result["error"] = "it does not accept the password"
    except BmcError as refusal:
        result.update(reachable=True, authenticated=False, error=str(refusal))
    except TimeoutError:
        result["error"] = "it stopped answering" if result["reachable"] else f"no answer on UDP port {port}"
    except OSError as problem:
        result["error"] = problem.strerror or str(problem)
    return result
