"""One host: a systemd-nspawn container on an overlay, with a cgroup, a network namespace and a mount namespace of its own.

Whatever belongs to a running host hangs on its processes (mounts and interfaces live in namespaces), and every process is in its cgroup. So a
host is stopped, however it was started and by whoever, by killing the cgroup.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shlex
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.hosts import cgroup, tree
from lab.paths import Paths

LOG = logging.getLogger(__name__)
SUPERVISE = Path(__file__).with_name("supervise.sh")
DEVICES = ["/dev/net/tun", "/dev/fuse", "/dev/loop-control", *(f"/dev/loop{number}" for number in range(8))]
CAPABILITIES_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class HostError(Exception):
    """A host could not be started or asked."""


# Hosts come and go side by side; each writes the one file.
KNOWN_HOSTS = threading.Lock()


@dataclass
class Nic:
    """An interface of a host: its name inside, the bridge outside, its address (with prefix), and the route that goes over it."""

    name: str
    bridge: str
    address: str | None = None
    gateway: str | None = None
    mac: str | None = None
    dns: list[str] = field(default_factory=list)

    @property
    def ip(self) -> str | None:
        return self.address.split("/")[0] if self.address else None


def mac_of(*what: str) -> str:
    """A stable, locally administered MAC of something's name."""
    return "52:54:" + ":".join(re.findall("..", tree.digest(list(what))[:8]))


def netplan(nics: Iterable[Nic]) -> str:
    """The netplan file of a host with static addresses, as cloud-init writes it on an Ubuntu server."""
    lines = ["network:", "    version: 2", "    renderer: networkd", "    ethernets:"]
    for nic in nics:
        lines += [f"        {nic.name}:", "            dhcp4: false", "            dhcp6: false"]
        if nic.address:
            lines += ["            addresses:", f"            - {nic.address}"]
        if nic.gateway:
            lines += ["            routes:", "            -   to: default", f"                via: {nic.gateway}"]
        if nic.dns:
            lines += ["            nameservers:", "                addresses:", *(f"                - {server}" for server in nic.dns)]
    return "\n".join(lines) + "\n"


def resolv_conf() -> str:
    """This machine's name servers, as a host beside it can reach them (not the stub on loopback)."""
    for source in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if source.exists():
            return "".join(line + "\n" for line in source.read_text().splitlines() if re.match(r"\s*(nameserver|search|options)\s", line))
    return ""


def veth_name(host: str, nic: str) -> str:
    """The machine's end of an interface: at most 15 characters, readable when it can be."""
    name = f"{host}.{nic}"
    return name if len(name) <= 15 else f"sl{tree.digest([host, nic])[:6]}.{nic}"[:15]


class Host:
    """``name`` is unique on the machine; ``lower_dirs`` are base trees, topmost first; ``binds`` are (outside, inside, read-only)."""

    def __init__(
        self,
        name: str,
        lower_dirs: list[Path],
        nics: list[Nic],
        paths: Paths,
        *,
        hostname: str | None = None,
        group: str = cgroup.LAB,
        binds: Iterable[tuple[Path | str, str, bool]] = (),
        aliases: Iterable[tuple[str, str]] = (),
    ):
        self.name = name
        self.hostname = hostname or name
        self.lower_dirs = lower_dirs
        self.nics = nics
        self.paths = paths
        self.binds = list(binds)
        self.aliases = list(aliases)
        self.place = paths.hosts / name
        self.upper = self.place / "upper"
        self.cgroup = cgroup.Group(f"{group}/{name}")
        self._process: subprocess.Popen | None = None

    # -- what is written before the start -------------------------------------------------------------------------------
    def prepare(self, authorized_keys: Iterable[str] = ()) -> Host:
        """Make the overlay if it is not there: names, identity, ssh keys, addresses. A prepared host is left as it is."""
        for directory in ("upper", "work", "root"):
            (self.place / directory).mkdir(parents=True, exist_ok=True)
        if (self.place / "prepared").exists():
            return self
        self.put("/etc/hostname", self.hostname + "\n")
        self.put("/etc/machine-id", secrets.token_hex(16) + "\n", 0o444)
        own = [f"127.0.1.1 {self.hostname}", *(f"{address} {name}" for address, name in self.aliases)]
        self.put("/etc/hosts", "127.0.0.1 localhost\n" + "\n".join(own) + "\n::1 localhost ip6-localhost ip6-loopback\n")
        self.put("/etc/resolv.conf", resolv_conf())
        self.put("/etc/netplan/50-cloud-init.yaml", netplan(self.nics), 0o600)
        self._host_keys()
        self.authorize(authorized_keys)
        (self.place / "prepared").touch()
        return self

    def _host_keys(self) -> None:
        """Keys of the host's own, made here, so that whoever connects can know them before."""
        (self.upper / "etc/ssh").mkdir(parents=True, exist_ok=True)
        for kind in ("ed25519", "ecdsa"):
            target = self.upper / f"etc/ssh/ssh_host_{kind}_key"
            target.unlink(missing_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{self.hostname}", "-f", str(target)], check=True, capture_output=True)
        self.forget()
        names = ",".join([*(nic.ip for nic in self.nics if nic.ip), self.name])
        with KNOWN_HOSTS, self.paths.known_hosts.open("a") as stream:
            for kind in ("ed25519", "ecdsa"):
                public = (self.upper / f"etc/ssh/ssh_host_{kind}_key.pub").read_text().split()
                stream.write(f"{names} {public[0]} {public[1]}\n")

    def forget(self) -> None:
        """Take the host out of known_hosts (a thrown-away host comes back with other keys)."""
        own = {nic.ip for nic in self.nics if nic.ip} | {self.name}
        with KNOWN_HOSTS:
            if not self.paths.known_hosts.exists():
                return
            keep = [line for line in self.paths.known_hosts.read_text().splitlines() if not own & set(line.split(" ")[0].split(","))]
            # Ansible reads it at any moment: it is there whole, before and after.
            fresh = self.paths.known_hosts.with_suffix(".new")
            fresh.write_text("".join(line + "\n" for line in keep))
            fresh.replace(self.paths.known_hosts)

    def authorize(self, keys: Iterable[str]) -> None:
        """Let ``keys`` log in as root and as ubuntu."""
        text = "".join(key.strip() + "\n" for key in keys)
        self.put("/root/.ssh/authorized_keys", text, 0o600)
        self.put("/home/ubuntu/.ssh/authorized_keys", text, 0o600, owner=self._ubuntu())

    def _ubuntu(self) -> tuple[int, int]:
        for root in (self.upper, *self.lower_dirs):
            if (root / "etc/passwd").exists():
                for line in (root / "etc/passwd").read_text().splitlines():
                    if line.startswith("ubuntu:"):
                        return int(line.split(":")[2]), int(line.split(":")[3])
        return 0, 0

    def put(self, path: str, text: str | bytes, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
        """Write a file of the host, running or not. Directories made on the way belong to ``owner`` below its home only."""
        leader = self.leader()
        root = Path(f"/proc/{leader}/root") if leader else self.upper
        target = root / path.lstrip("/")
        missing = [parent for parent in target.parents if parent != root and root in parent.parents and not parent.exists()]
        for directory in reversed(missing):
            directory.mkdir()
            below = "/" + str(directory.relative_to(root))
            like = next((tree_ / below.lstrip("/") for tree_ in self.lower_dirs if (tree_ / below.lstrip("/")).is_dir()), None)
            if like is not None and not leader:
                # A directory in the upper layer hides the owner and mode of the one below.
                status = like.stat()
                os.chown(directory, status.st_uid, status.st_gid)
                directory.chmod(status.st_mode & 0o7777)
            else:
                os.chown(directory, *owner)
                directory.chmod(0o700 if below.endswith("/.ssh") else 0o755)
        data = text.encode() if isinstance(text, str) else text
        target.unlink(missing_ok=True)
        target.write_bytes(data)
        target.chmod(mode)
        os.chown(target, *owner)

    # -- life -----------------------------------------------------------------------------------------------------------
    def start(self) -> Host:
        """Boot the host unless it runs. Returns when its interfaces are there; ``wait_ssh`` waits for the rest."""
        if self.running():
            return self
        self.cgroup.kill()
        self.cgroup.make()
        argv = ["unshare", "--net", "--mount", "--propagation", "private", "sh", str(SUPERVISE), self.name]
        argv += [":".join(str(lower) for lower in self.lower_dirs), str(self.place), f"--hostname={self.hostname}"]
        argv += [f"--bind={device}" for device in DEVICES if Path(device).exists()]
        for outside, inside, read_only in self.binds:
            argv.append(f"--bind{'-ro' if read_only else ''}={outside}:{inside}")
        self.paths.log.mkdir(parents=True, exist_ok=True)
        with (self.paths.log / f"host-{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", 'for procs in $CGROUPS; do echo $$ >"$procs" || exit 1; done; unset CGROUPS; exec "$@"', "start", *argv],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env={**CAPABILITIES_ENV, "CGROUPS": " ".join(str(file) for file in self.cgroup.procs_files())},
            )  # fmt: skip
        assert self._process.stdin
        try:
            self._wait_namespace(self._process.pid)
            for nic in self.nics:
                self._plug(nic, self._process.pid)
            self._process.stdin.write(b"go\n")
            self._process.stdin.close()
        except (OSError, subprocess.CalledProcessError, HostError) as error:
            self.stop()
            output = getattr(error, "stderr", b"") or b""
            raise HostError(f"{self.name} could not be started: {error} {output.decode(errors='replace')}".strip()) from error
        return self

    def _wait_namespace(self, pid: int) -> None:
        """unshare makes the namespace a moment after the process starts."""
        own = Path("/proc/self/ns/net").readlink()
        for _ in range(500):
            try:
                if Path(f"/proc/{pid}/ns/net").readlink() != own:
                    return
            except OSError as error:
                raise HostError(f"its supervisor ended at once, see {self.paths.log}/host-{self.name}.log") from error
            time.sleep(0.01)
        raise HostError("it got no network namespace")

    def _plug(self, nic: Nic, pid: int) -> None:
        outside = veth_name(self.name, nic.name)
        mac = nic.mac or mac_of(self.name, nic.name)
        subprocess.run(["ip", "link", "del", outside], capture_output=True, check=False)
        # A port of the bridge from its first moment: that is how one that is left behind is known.
        ip = ["ip", "link", "add", outside, "master", nic.bridge, "up", "type", "veth", "peer", "name", nic.name, "address", mac, "netns", str(pid)]
        subprocess.run(ip, check=True, capture_output=True)

    def running(self) -> bool:
        return bool(self.cgroup.pids())

    def leader(self) -> int | None:
        """The host's own PID 1, seen from outside."""
        for pid in self.cgroup.pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            spaces = re.search(r"(?m)^NSpid:\s+(.*)$", status)
            if spaces and len(spaces[1].split()) > 1 and spaces[1].split()[-1] == "1" and re.search(r"(?m)^Name:\s+(systemd|init)$", status):
                return pid
        return None

    def stop(self) -> None:
        """Kill everything of the host at once; its overlay stays."""
        self.cgroup.kill()
        for nic in self.nics:
            # The kernel takes a namespace apart in its own time; a new start must not meet the old interface.
            subprocess.run(["ip", "link", "del", veth_name(self.name, nic.name)], capture_output=True, check=False)
        if self._process:
            self._process.wait(10)
            if self._process.stdin and not self._process.stdin.closed:
                self._process.stdin.close()
            self._process = None

    def shutdown(self, timeout: float = 20) -> None:
        """Ask the host to power off, as an operator would; kill it when it does not."""
        leader = self.leader()
        if leader:
            subprocess.run(["nsenter", "-t", str(leader), "-m", "-p", "-u", "-i", "-n", "systemctl", "poweroff"], capture_output=True, check=False)
            deadline = time.monotonic() + timeout
            while self.running() and time.monotonic() < deadline:
                time.sleep(0.1)
        self.stop()

    def destroy(self) -> None:
        """Stop the host and throw its overlay away."""
        self.stop()
        self.forget()
        tree.remove(self.place)

    # -- asking ---------------------------------------------------------------------------------------------------------
    def run(self, argv: list[str] | str, *, check: bool = True, input: str | None = None, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command (a list, or a line for the shell) as root in the running host."""
        leader = self.leader()
        if not leader:
            raise HostError(f"{self.name} is not running")
        command = ["sh", "-c", argv] if isinstance(argv, str) else argv
        enter = ["nsenter", "-t", str(leader), "-m", "-p", "-u", "-i", "-n", "--root", "--wd"]
        environment = {**CAPABILITIES_ENV, "HOME": "/root", "USER": "root"}
        result = subprocess.run([*enter, *command], input=input, stdin=None if input is not None else subprocess.DEVNULL, capture_output=True,
                                text=True, errors="replace", timeout=timeout, env=environment, check=False)  # fmt: skip
        if check and result.returncode:
            shown = argv if isinstance(argv, str) else shlex.join(argv)
            raise HostError(f"{self.name}: {shown[:200]} ended with {result.returncode}: {(result.stderr or result.stdout).strip()[-2000:]}")
        return result

    def ssh_argv(self, user: str = "root") -> list[str]:
        address = next((nic.ip for nic in self.nics if nic.ip), self.name)
        options = [f"UserKnownHostsFile={self.paths.known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=3"]
        return ["ssh", "-i", str(self.paths.key), *(word for option in options for word in ("-o", option)), f"{user}@{address}"]

    def wait_ssh(self, timeout: float = 60) -> None:
        """Until root can log in over the network and the boot is over as far as logins are concerned."""
        deadline = time.monotonic() + timeout
        message = ""
        while time.monotonic() < deadline:
            if not self.running():
                raise HostError(f"{self.name} ended while booting, see {self.paths.log}/host-{self.name}.log")
            result = subprocess.run([*self.ssh_argv(), "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if result.returncode == 0:
                return
            message = result.stderr.strip()
            time.sleep(0.2)
        raise HostError(f"{self.name} does not let anyone log in after {timeout:.0f} s: {message}")
