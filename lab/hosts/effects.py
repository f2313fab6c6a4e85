"""What the world does to this machine when the lab has hosts."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import ssl
import tempfile
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.effects import Effects
from lab.hosts import network
from lab.hosts.compute import ComputeHosts
from lab.hosts.openstack.effects import OpenStackEffects
from lab.paths import Paths

LOG = logging.getLogger(__name__)


class HostEffects(OpenStackEffects, Effects):
    """Real addresses, real hosts, a real LXD, a real OpenStack."""

    hosts = True

    def __init__(self, paths: Paths, loop: asyncio.AbstractEventLoop | None = None):
        self.paths = paths
        self.loop = loop
        self.computes = ComputeHosts(paths)

    # -- addresses ------------------------------------------------------------------------------------------------------
    def address_add(self, ip: str) -> None:
        network.address_add(ip)

    def address_del(self, ip: str) -> None:
        network.address_del(ip)

    # -- hosts ----------------------------------------------------------------------------------------------------------
    def host_boot(
        self,
        hostname: str,
        ip: str,
        prefix: int,
        gateway: str | None,
        ssh_keys: list[str],
        done: Callable[[bool, str], None] | None = None,
    ) -> None:
        def boot() -> tuple[bool, str]:
            self.computes.boot(hostname, ip, prefix, gateway, ssh_keys)
            return True, ""

        self._thread(f"boot {hostname}", boot, done)

    def host_resume(self, hostname: str, ip: str) -> None:
        """After a restart of the lab: know a deployed machine's host again, and start it when it does not run."""
        if not self.computes.adopt(hostname, ip):
            self._thread(f"start {hostname}", lambda: (self.computes.resume(hostname, ip), (True, ""))[1], None)

    def host_stop(self, hostname: str) -> None:
        self._thread(f"stop {hostname}", lambda: (self.computes.destroy(hostname), (True, ""))[1], None)

    def host_keys(self, hostname: str) -> list[str]:
        return self.computes.public_keys(hostname)

    def _thread(self, what: str, work: Callable[[], tuple[bool, str]], done: Callable[[bool, str], None] | None) -> None:
        """Do something slow beside the event loop, and report in it."""

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                LOG.exception("%s failed", what)
                result = (False, str(error))
            if done and self.loop:
                self.loop.call_soon_threadsafe(done, *result)

        threading.Thread(target=run, name=what, daemon=True).start()

    # -- LXD ------------------------------------------------------------------------------------------------------------
    def lxd_probe(self, url: str, certificate: str, key: str, password: str | None = None) -> dict[str, Any] | None:
        """Really ask LXD. With a password, an unknown certificate is added to its trust store first, as MAAS does."""
        found = lxd_get(url, certificate, key, "/1.0")
        if found and found.get("auth") == "untrusted" and password:
            lxd_get(url, certificate, key, "/1.0/certificates", {"type": "client", "password": password})
            found = lxd_get(url, certificate, key, "/1.0")
        if found is None:
            return None
        answer = {
            "auth": found.get("auth", "untrusted"),
            "api_version": found.get("api_version"),
            "server_version": (found.get("environment") or {}).get("server_version"),
            "api_extensions": found.get("api_extensions") or [],
            "projects": [],
        }
        if answer["auth"] == "trusted":
            projects = lxd_get(url, certificate, key, "/1.0/projects") or []
            answer["projects"] = [str(project).rsplit("/", 1)[-1] for project in projects]
            answer["storage_pools"] = [str(pool).rsplit("/", 1)[-1] for pool in lxd_get(url, certificate, key, "/1.0/storage-pools") or []]
        return answer


def lxd_get(url: str, certificate: str, key: str, path: str, body: dict | None = None) -> Any:
    """The metadata of LXD's answer to a request with a client certificate; None when nobody answers as LXD does."""
    parts = urllib.parse.urlsplit(url if "//" in url else f"https://{url}")
    # LXD has a certificate of its own making; MAAS trusts it at first sight, too.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    handle, name = tempfile.mkstemp(prefix="lxd.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(f"{certificate.strip()}\n{key.strip()}\n")
        context.load_cert_chain(name)
    except (ssl.SSLError, ValueError) as error:
        LOG.info("the certificate for LXD cannot be used: %s", error)
        return None
    finally:
        Path(name).unlink()
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 8443, timeout=5, context=context)
    try:
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        LOG.info("%s does not answer as LXD does: %s", url, error)
        return None
    finally:
        connection.close()
    return answer.get("metadata") if answer.get("type") in ("sync", "async") else None
