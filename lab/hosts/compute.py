"""The compute machines' hosts: they exist from deployment to release, with the address that the region gave them."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from pathlib import Path

from lab.hosts import network, tree
from lab.hosts.nspawn import Host, HostError, Nic
from lab.paths import Paths

LOG = logging.getLogger(__name__)
NIC = "enp1s0"


class ComputeHosts:
    """Boots and throws away compute hosts; one thing at a time per host."""

    def __init__(self, paths: Paths, layers: list[Path] | None = None):
        self.paths = paths
        self._layers = layers
        self.hosts: dict[str, Host] = {}
        self.macs: dict[str, str] = {}
        """The NICs' addresses as the rack has them."""
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def _lock(self, hostname: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(hostname, threading.Lock())

    @property
    def layers(self) -> list[Path]:
        """Trees of a new host: with the OpenStack services' packages when the lab has them."""
        if self._layers:
            return self._layers
        base = self.paths.cache / "base"
        services = self.paths.cache / "openstack"
        return [services, base] if tree.stamp(services).exists() else [base]

    def host(self, hostname: str, address: str | None = None, gateway: str | None = None) -> Host:
        return Host(hostname, self.layers, [Nic(NIC, network.PRIVATE, address, gateway, self.macs.get(hostname))], self.paths)

    def boot(self, hostname: str, ip: str, prefix: int, gateway: str | None, ssh_keys: list[str], timeout: float = 90) -> Host:
        """The host of a machine that was just deployed: nothing of an earlier deployment is left in it. A running one stays as it is."""
        with self._lock(hostname):
            host = self.host(hostname, f"{ip}/{prefix}", gateway)
            mark = host.place / "address"
            if not (host.running() and mark.exists() and mark.read_text() == ip):
                host.destroy()
                # The address may have been this machine's own while nothing stood behind it.
                network.address_del(ip)
                host.prepare(ssh_keys)
                mark.write_text(ip)
                host.start()
            self.hosts[hostname] = host
            wait_banner(host, ip, timeout)
            return host

    def destroy(self, hostname: str) -> None:
        with self._lock(hostname):
            host = self.hosts.pop(hostname, None) or self.host(hostname)
            host.destroy()

    def public_keys(self, hostname: str) -> list[str]:
        host = self.hosts.get(hostname)
        return [path.read_text().strip() for path in sorted((host.upper / "etc/ssh").glob("ssh_host_*_key.pub"))] if host else []

    def running(self) -> list[str]:
        return [name for name, host in sorted(self.hosts.items()) if host.running()]

    def _known(self, hostname: str, ip: str) -> Host:
        prefix = ipaddress.ip_interface(network.ADDRESSES[network.PRIVATE]).network.prefixlen
        return self.host(hostname, f"{ip}/{prefix}")

    def adopt(self, hostname: str, ip: str) -> bool:
        """Know a running host again that an earlier daemon booted; whether there is one."""
        host = self._known(hostname, ip)
        if host.running():
            self.hosts[hostname] = host
        return host.running()

    def resume(self, hostname: str, ip: str, timeout: float = 90) -> None:
        """Start a deployed machine's host that was stopped; what it wrote is still there."""
        with self._lock(hostname):
            host = self._known(hostname, ip)
            if (host.place / "prepared").exists():
                host.start()
                self.hosts[hostname] = host
                wait_banner(host, ip, timeout)


def wait_banner(host: Host, ip: str, timeout: float) -> None:
    """Until its sshd speaks: the lab itself has no key for a deployed machine."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not host.running():
            raise HostError(f"{host.name} ended while booting, see {host.paths.log}/host-{host.name}.log")
        try:
            with socket.create_connection((ip, 22), timeout=2) as connection:
                if connection.recv(4).startswith(b"SSH"):
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise HostError(f"{host.name} has no sshd after {timeout:.0f} s")
