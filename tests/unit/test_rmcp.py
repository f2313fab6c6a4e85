"""The module bmc_info's handshake, against a BMC of our own making and, where it is installed, against ipmi_sim."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils import rmcp


class Bmc(threading.Thread):
    """Answers the first half of the RMCP+ handshake with one suite, one user, one password."""

    def __init__(self, suite=17, user="root", password="right", deaf=0):
        super().__init__(daemon=True)
        self.suite, self.user, self.password, self.deaf = suite, user, password, deaf
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        managed, answer, guid, console = b"\x0a\x0b\x0c\x0d", b"r" * 16, b"g" * 16, b""
        while True:
            packet, peer = self.socket.recvfrom(2048)
            if self.deaf:
                self.deaf -= 1
                continue
            kind, payload = rmcp.unframe(packet)
            if kind == 0x10:
                console = payload[4:8]
                offered = payload[12]
                status = 0 if offered == rmcp.SUITES[self.suite][0] else 0x04
                self.socket.sendto(rmcp.frame(0x11, bytes((payload[0], status, 4, 0)) + console + managed), peer)
            elif kind == 0x12:
                nonce, name = payload[8:24], payload[28 : 28 + payload[27]].decode()
                if name != self.user:
                    self.socket.sendto(rmcp.frame(0x13, bytes((payload[0], 0x0D, 0, 0)) + console), peer)
                    continue
                code = rmcp.expected_code(self.suite, self.password, name, console, managed, nonce, answer, guid)
                self.socket.sendto(rmcp.frame(0x13, bytes((payload[0], 0, 0, 0)) + console + answer + guid + code), peer)


@pytest.mark.parametrize("suite", [17, 3])
def test_user_and_password(suite):
    bmc = Bmc(suite)
    assert rmcp.probe("127.0.0.1", "root", "right", bmc.port) == {"reachable": True, "authenticated": True, "error": ""}
    wrong = rmcp.probe("127.0.0.1", "root", "wrong", bmc.port)
    assert (wrong["reachable"], wrong["authenticated"]) == (True, False)
    assert "password" in wrong["error"]
    assert "user" in rmcp.probe("127.0.0.1", "nobody", "right", bmc.port)["error"]


def test_a_lost_packet_is_sent_again():
    assert rmcp.probe("127.0.0.1", "root", "right", Bmc(deaf=1).port, timeout=0.1)["authenticated"]


def test_silence_and_noise():
    silent = rmcp.probe("127.0.0.1", "root", "right", Bmc(deaf=99).port, timeout=0.05, tries=2)
    assert silent["reachable"] is False and "no answer" in silent["error"]
    assert rmcp.unframe(b"noise") == (-1, b"")
    assert rmcp.probe("no.such.host.invalid", "root", "right")["error"]


@pytest.mark.skipif(not shutil.which("ipmi_sim"), reason="ipmi_sim is not installed")
def test_ipmi_sim(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    methods = "".join(f"  allowed_auths_{level} none md2 md5 straight\n" for level in ("callback", "user", "operator", "admin"))
    guid = "  guid a123456789abcdefa123456789abcdef\n"
    user = 'user 2 true "root" "right" admin 10 none md2 md5 straight\n'
    (tmp_path / "lan.conf").write_text(f'name "t"\nset_working_mc 0x20\nstartlan 1\n  addr 127.0.0.1 {port}\n  priv_limit admin\n{methods}{guid}endlan\n{user}')
    (tmp_path / "t.emu").write_text("mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n")
    process = subprocess.Popen(
        ["ipmi_sim", "-c", tmp_path / "lan.conf", "-f", tmp_path / "t.emu", "-n", "-s", tmp_path / "state"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        for _attempt in range(50):
            if rmcp.probe("127.0.0.1", "root", "right", port, timeout=0.2, tries=1)["authenticated"]:
                break
            time.sleep(0.1)
        else:
            pytest.fail("ipmi_sim never accepted the login")
        assert rmcp.probe("127.0.0.1", "root", "wrong", port)["authenticated"] is False
        assert "user" in rmcp.probe("127.0.0.1", "nobody", "right", port)["error"]
    finally:
        process.kill()
        process.wait()
