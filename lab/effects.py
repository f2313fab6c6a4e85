"""What the simulated world does to the real machine: addresses, hosts, connections.

``Effects`` does nothing and is what tests and ``LAB_HOSTS=0`` use; ``lab.hosts.effects.HostEffects`` really does it. The world calls
these from handlers of the engine's queue, so none of them may block: an implementation that takes long starts a thread and reports by
the callback it was given. Everything is told by value (names, addresses), so that a restarted lab can call it again: each is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Effects:
    """No effects at all."""

    hosts = False
    """Whether machines become real hosts."""

    def address_add(self, ip: str) -> None:
        """Let this machine own ``ip`` (a simulated machine's address), so that faces can listen on it."""

    def address_del(self, ip: str) -> None:
        """Give ``ip`` up again."""

    def host_boot(
        self,
        hostname: str,
        ip: str,
        prefix: int,
        gateway: str | None,
        ssh_keys: list[str],
        done: Callable[[bool, str], None] | None = None,
    ) -> None:
        """Boot a real host for a deployed compute machine. ``done(ok, message)`` comes later, from the event loop's thread."""
        if done:
            done(True, "")

    def host_stop(self, hostname: str) -> None:
        """Stop that host and throw away what it wrote."""

    def host_keys(self, hostname: str) -> list[str]:
        """The public ssh host keys of that host; none while there is none."""
        return []

    def bmc_changed(self, hostname: str, state: str) -> None:
        """The world switched a rack machine ``on`` or ``off`` (its BMC asks the world by itself when it is asked)."""

    def lxd_probe(self, url: str, certificate: str, key: str, password: str | None = None) -> dict[str, Any] | None:
        """Ask the LXD server at ``url`` who it is, with a client certificate (PEM).

        None when it cannot be reached; else ``{"auth": "trusted"|"untrusted", "api_version", "server_version", "api_extensions": [...]}``, and of one that
        trusts us ``projects`` and ``storage_pools``. Here: a server that trusts everyone.
        """
        return {
            "auth": "trusted", "api_version": "1.0", "server_version": "5.0.2", "api_extensions": ["projects", "resources"],
            "projects": ["default"], "storage_pools": ["default"],
        }  # fmt: skip

    def openstack_password(self) -> str:
        """The admin password of the OpenStack services behind the model."""
        return "lab-openstack-admin"

    def openstack_ready(self) -> bool:
        """Whether real OpenStack services run behind the addresses that Juju reports."""
        return False

    def compute_servers(self, hostname: str, done: Callable[[int | None], None]) -> None:
        """Count the servers on a compute host. ``done(count)`` comes later, from the event loop's thread; None when nobody can tell."""
        done(0)

    def openstack_info(self) -> dict[str, Any] | None:
        """Where and as whom the cloud is reached (auth_url, username, password...); None while it is not."""
        return None
