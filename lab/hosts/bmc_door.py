"""The UDP door of a BMC: hands packets to its simulator, and answers the one question that the simulator leaves unanswered.

ipmitool asks for the cipher suites before every session and waits ten seconds for an answer that openipmi's simulator never gives.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

HEADER = bytes.fromhex("0600ff07 0600 00000000 00000000")
APP_REQUEST, APP_RESPONSE = 0x06 << 2, 0x07 << 2
GET_CIPHER_SUITES = 0x54
# Suite 3: HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128, as the simulator has it.
SUITES = bytes([0xC0, 3, 0x01, 0x41, 0x81])
IDLE = 120.0


def checksum(data: bytes) -> int:
    return -sum(data) & 0xFF


def cipher_suites(packet: bytes) -> bytes | None:
    """The answer to a sessionless Get Channel Cipher Suites; None for any other packet."""
    # RMCP, then an IPMI 2.0 header: plain IPMI payload, no session, no sequence number, length.
    if len(packet) < 26 or packet[:14] != HEADER:
        return None
    message = packet[16 : 16 + int.from_bytes(packet[14:16], "little")]
    if message[1] & 0xFC != APP_REQUEST or message[5] != GET_CIPHER_SUITES:
        return None
    to, function, _sum, sender, sequence, command, channel, _payload, index = message[:9]
    part = SUITES[(index & 0x3F) * 16 :][:16]
    head = bytes([sender, APP_RESPONSE | function & 3])
    body = bytes([to, sequence, command, 0, channel & 0x0F or 1]) + part
    answer = head + bytes([checksum(head)]) + body + bytes([checksum(body)])
    return HEADER + len(answer).to_bytes(2, "little") + answer


class _Inside(asyncio.DatagramProtocol):
    """One client's packets to and from the simulator."""

    def __init__(self, door: Door, client: tuple):
        self.door = door
        self.client = client
        self.used = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        self.door.transport.sendto(data, self.client)

    def error_received(self, exc: Exception) -> None:
        """The simulator is being started again; the client asks again, too."""


class Door(asyncio.DatagramProtocol):
    """Listens at a BMC's address; ``inside`` is the simulator's port on loopback."""

    def __init__(self, inside: int):
        self.inside = inside
        self.clients: dict[tuple, asyncio.Task[_Inside]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        answer = cipher_suites(data)
        if answer:
            self.transport.sendto(answer, addr)
            return
        if addr not in self.clients:
            self.clients[addr] = asyncio.create_task(self._connect(addr))
        task = self.clients[addr]
        if task.done():
            self._pass(task, data)
        else:
            task.add_done_callback(lambda done: self._pass(done, data))

    async def _connect(self, client: tuple) -> _Inside:
        await self._tidy()
        _transport, inside = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Inside(self, client), remote_addr=("127.0.0.1", self.inside))
        return inside

    @staticmethod
    def _pass(task: asyncio.Task[_Inside], data: bytes) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            inside = task.result()
            inside.used = time.monotonic()
            inside.transport.sendto(data)

    async def _tidy(self) -> None:
        for client, task in list(self.clients.items()):
            if task.done() and time.monotonic() - task.result().used > IDLE:
                task.result().transport.close()
                del self.clients[client]

    def close(self) -> None:
        self.transport.close()
        for task in self.clients.values():
            if task.done() and not task.cancelled() and not task.exception():
                task.result().transport.close()


async def open_door(address: str, port: int, inside: int) -> Door:
    _transport, door = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Door(inside), local_addr=(address, port))
    return door


def free_port() -> int:
    """A UDP port on loopback that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
