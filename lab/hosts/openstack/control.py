"""The OpenStack host: start, stop, readiness; and nova-compute on the compute hosts."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.hosts import cgroup, tree
from lab.hosts.nspawn import Host, Nic
from lab.hosts.openstack.api import Api
from lab.hosts.openstack.layer import ADDRESS, TARGET, build, ingredients, secrets_of, services
from lab.paths import Paths

PREFIX = 16


class OpenStack:
    """The OpenStack of one lab: its tree, its host, and the keeper's access to its APIs."""

    def __init__(self, paths: Paths, base: Path, bridge: str, address: str = ADDRESS, group: str = cgroup.LAB):
        self.paths = paths
        self.base = base
        self.address = address
        self.tree = paths.cache / "openstack"
        self.host = Host("openstack", [self.tree, base], [Nic("eth0", bridge, f"{address}/{PREFIX}")], paths, group=group)
        self._api: Api | None = None

    @property
    def lower_dirs(self) -> list[Path]:
        """The trees of a compute host, topmost first."""
        return [self.tree, self.base]

    def is_built(self) -> bool:
        return tree.is_built(self.tree, ingredients(self.base, self.address))

    def build(self, say: Callable[[str], None] = print) -> None:
        """Make the tree unless it is there; minutes, blocking."""
        build(self.tree, self.base, self.address, self.paths.log / "build-openstack.log", say)

    def start(self, authorized_keys: Iterable[str] = ()) -> None:
        """Boot the host unless it runs; its services need some seconds more (``ready``)."""
        self.host.prepare(authorized_keys)
        link = self.host.upper / "etc/systemd/system/multi-user.target.wants" / TARGET
        if not link.is_symlink() and not self.host.running():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"/etc/systemd/system/{TARGET}")
        self.host.start()

    def stop(self) -> None:
        """Stop the host; what it wrote stays."""
        self.host.stop()

    def destroy(self) -> None:
        """Stop the host and forget all it wrote: users, servers, images. The tree stays."""
        self.host.destroy()

    def ports(self) -> list[int]:
        """Where the APIs listen on the OpenStack host that are always there."""
        return [service["catalog"]["port"] for service in services()["services"].values() if not service.get("on_demand")]

    def run_service(self, name: str, wanted: bool) -> None:
        """Let a service on demand run, now and after a restart of the host, or not; blocking. It listens some seconds later."""
        units = [f"{unit}.service" for unit in services()["services"][name]["units"]]
        self.host.run(["systemctl", "--quiet", "enable" if wanted else "disable", "--now", *units])

    def ready(self, timeout: float = 0.5) -> bool:
        """Whether every API listens."""
        for port in self.ports():
            try:
                socket.create_connection((self.address, port), timeout).close()
            except OSError:
                return False
        return True

    @property
    def api(self) -> Api:
        """The APIs as the keeper; only inside the event loop."""
        if self._api is None:
            known = secrets_of(self.tree)
            self._api = Api(self.address, known["keeper"], known["keeper_password"])
        return self._api


def compute_files(host: Host, vcpus: int | None = None, memory_mb: int | None = None, local_gb: int | None = None) -> None:
    """Tell nova-compute on ``host`` how big its machine is (what is None stays as the driver has it)."""
    size = {name: value for name, value in (("vcpus", vcpus), ("memory_mb", memory_mb), ("local_gb", local_gb)) if value}
    if size:
        host.put("/etc/nova/machine.json", json.dumps(size) + os.linesep)


def compute_start(host: Host, vcpus: int | None = None, memory_mb: int | None = None, local_gb: int | None = None) -> None:
    """Start nova-compute on a running compute host, now and at every boot; blocking. Nova finds it within ten seconds."""
    compute_files(host, vcpus, memory_mb, local_gb)
    host.run(["systemctl", "--quiet", "enable", "--now", "nova-compute.service"])


def compute_stop(host: Host) -> None:
    """Stop nova-compute there and keep it stopped; blocking. ``Api.remove_compute`` then makes Nova forget the host."""
    if host.running():
        host.run(["systemctl", "--quiet", "disable", "--now", "nova-compute.service"])
