"""`python -m lab.hosts.check`: ask a running lab with hosts whether everything around its hosts works. Changes nothing but a spare machine's power."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from lab.__main__ import ask
from lab.hosts import controller, network
from lab.paths import Paths


def output(*argv: str) -> str:
    result = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    if result.returncode:
        raise AssertionError(f"{argv[0]} ended with {result.returncode}: {(result.stderr or result.stdout).strip()[-300:]}")
    return result.stdout.strip()


class Checks:
    def __init__(self, paths: Paths):
        self.paths = paths
        self.endpoints = json.loads(paths.endpoints.read_text())
        self.host = controller.host(paths)

    def ssh(self, command: str, user: str = "root") -> str:
        return output(*self.host.ssh_argv(user), command)

    def ssh_as_root_and_ubuntu(self) -> None:
        assert self.ssh("hostname") == "controller"
        assert self.ssh("sudo -n id -u", "ubuntu") == "0"

    def the_controller_is_a_healthy_server(self) -> None:
        assert self.ssh("systemctl is-system-running") == "running"
        assert "198.51.100.2" in self.ssh("ip -4 -o address show dev eno2")

    def packages_can_be_fetched(self) -> None:
        self.ssh("apt-get -qq update")

    def the_private_network_is_shared(self) -> None:
        own = network.ADDRESSES[network.PRIVATE].split("/")[0]
        self.ssh(f"ping -c1 -W2 {own}")
        with socket.create_connection(("10.42.0.1", 22), 5) as connection:
            assert connection.recv(4) == b"SSH-"

    def snap_answers(self) -> None:
        assert self.ssh("snap version").startswith("snap ")
        assert "3.5/stable" in self.ssh("snap info maas")

    def bmcs_tell_and_switch_power(self) -> None:
        bmc = self.endpoints["bmc"][-1]

        def power(word: str) -> str:
            return output("ipmitool", "-I", "lanplus", "-H", bmc["host"], "-p", str(bmc["port"]), "-U", bmc["user"], "-P", bmc["password"], "power", word)

        before = ask(self.paths, "GET", f"/bmc/{bmc['machine']}/power")["power"]
        assert power("status").endswith(before)
        if before == "off":
            power("on")
            assert ask(self.paths, "GET", f"/bmc/{bmc['machine']}/power")["power"] == "on"
            power("off")
        assert power("status").endswith(before)

    def the_region_answers_where_it_should(self) -> None:
        url = self.endpoints["maas"]["url"]
        if url:
            assert '"version"' in output("curl", "-sf", f"{url}/api/2.0/version/")
            assert '"version"' in self.ssh(f"curl -sf {url}/api/2.0/version/")

    def compute_hosts_are_where_the_region_says(self) -> None:
        for host in self.endpoints["hosts"]:
            with socket.create_connection((host["address"], 22), 5) as connection:
                assert connection.recv(4) == b"SSH-"


def main() -> int:
    paths = Paths()
    if not paths.endpoints.exists():
        print("The lab is down.")
        return 1
    checks = Checks(paths)
    failed = 0
    for name, function in vars(Checks).items():
        if name.startswith("_") or name == "ssh":
            continue
        started = time.monotonic()
        run: Callable[[], None] = function.__get__(checks)
        try:
            run()
            verdict = "ok"
        except (AssertionError, OSError, subprocess.TimeoutExpired, TypeError, KeyError) as error:
            failed += 1
            verdict = f"FAILED: {error or 'not as it should be'}"
        print(f"{name.replace('_', ' '):<45} {time.monotonic() - started:5.1f} s  {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
