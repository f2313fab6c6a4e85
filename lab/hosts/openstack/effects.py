"""What the world does to the real OpenStack: the part of the hosts' effects that ``lab.faces.openstack`` calls."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from lab.hosts import network, tree
from lab.hosts.compute import ComputeHosts
from lab.hosts.openstack.api import CloudError
from lab.hosts.openstack.control import OpenStack, compute_start, compute_stop
from lab.paths import Paths

LOG = logging.getLogger(__name__)


def cloud_of(paths: Paths) -> OpenStack:
    """The OpenStack of the lab in ``paths``."""
    return OpenStack(paths, paths.cache / "base", network.PRIVATE)


def bring_up(paths: Paths, say: Callable[[str], None] = print) -> None:
    """Build the tree unless it is there and start the host; one that belongs to another world or other trees is made anew. Does not wait for it."""
    cloud = cloud_of(paths)
    mark = paths.state / "openstack"
    if not cloud.is_built():
        cloud.host.stop()
        cloud.build(say)
    built = tree.stamp(cloud.tree).read_text()
    if not mark.exists() or mark.read_text() != built:
        cloud.destroy()
        mark.write_text(built)
    cloud.start([paths.key.with_suffix(".pub").read_text()] if paths.key.exists() else [])


class OpenStackEffects:
    """Mixed into ``HostEffects``, which has ``paths`` and ``computes``. Whatever takes long says so: call it beside the event loop."""

    paths: Paths
    computes: ComputeHosts
    loop: asyncio.AbstractEventLoop | None
    _cloud: OpenStack | None = None
    _shown: dict[str, Any] | None = None
    _counting: asyncio.Task | None = None

    @property
    def openstack(self) -> OpenStack | None:
        """The cloud behind the model; None when its tree is not there."""
        if self._cloud is None and tree.stamp(self.paths.cache / "openstack").exists():
            self._cloud = cloud_of(self.paths)
        return self._cloud

    def openstack_password(self) -> str:
        file = self.paths.state / "openstack-password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(18))
        return file.read_text()

    def openstack_ready(self) -> bool:
        """Slow (some seconds at most)."""
        return self.openstack is not None and self.openstack.ready()

    def openstack_service(self, name: str, wanted: bool) -> None:
        """Let a service on demand run or not. Slow."""
        if self.openstack:
            self.openstack.run_service(name, wanted)

    def openstack_reset(self) -> None:
        """Throw away what the services know and start them again: the model they stood for is gone. Slow."""
        cloud = self.openstack
        if cloud:
            cloud.destroy()
            cloud.start([self.paths.key.with_suffix(".pub").read_text()] if self.paths.key.exists() else [])

    def openstack_reload(self) -> None:
        """Look again at what is there: the host may be another one, with other passwords."""
        self._cloud = None

    def openstack_show(self, info: dict[str, Any] | None) -> None:
        """Remember where and as whom the cloud is reached, for endpoints.json."""
        self._shown = info

    def openstack_info(self) -> dict[str, Any] | None:
        return self._shown

    def compute_start(self, hostname: str, size: dict[str, int]) -> bool:
        """Start nova-compute on a host (size: vcpus, memory_mb, local_gb); False while there is no such host. Slow."""
        host = self.computes.hosts.get(hostname)
        if not host or not host.running():
            return False
        compute_start(host, **size)
        return True

    def compute_stop(self, hostname: str) -> None:
        """Stop nova-compute on a host, if it is there. Slow."""
        host = self.computes.hosts.get(hostname)
        if host:
            compute_stop(host)

    def compute_servers(self, hostname: str, done: Callable[[int | None], None]) -> None:
        cloud, loop = self.openstack, self.loop
        if cloud is None or loop is None:
            done(0)
            return

        async def count() -> None:
            try:
                done(await cloud.api.servers_on(hostname))
            except CloudError as error:
                LOG.warning("servers on %s: %s", hostname, error)
                done(None)

        self._counting = loop.create_task(count())
