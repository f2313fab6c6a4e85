"""Keystone's and Nova's APIs as the lab's keeper uses them: accounts, catalog, compute services. Plain HTTP to the OpenStack host."""

from __future__ import annotations

import time
from typing import Any

import aiohttp

from lab.hosts.openstack.layer import REGION, services

TIMEOUT = aiohttp.ClientTimeout(total=30)


class CloudError(Exception):
    """An API refused, or is not there."""

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class Api:
    """The APIs at ``address``, as the user ``keeper`` (an administrator that nobody else knows)."""

    def __init__(self, address: str, keeper: str, password: str):
        self.address = address
        self.keeper = keeper
        self.password = password
        self._token: str | None = None
        self._until = 0.0
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self._session

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def _request(self, method: str, port: int, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        url = f"http://{self.address}:{port}{path}"
        try:
            async with self.session.request(method, url, json=body, headers=headers) as answer:
                content = await answer.json(content_type=None) if answer.content_type == "application/json" else await answer.text()
                return answer.status, dict(answer.headers), content
        except (TimeoutError, aiohttp.ClientError) as error:
            raise CloudError(f"{method} {url}: {error or type(error).__name__}") from error

    async def token(self) -> str:
        if self._token is None or time.monotonic() > self._until:
            domain = {"id": "default"}
            password = {"user": {"name": self.keeper, "password": self.password, "domain": domain}}
            scope = {"project": {"name": "admin", "domain": domain}}
            body = {"auth": {"identity": {"methods": ["password"], "password": password}, "scope": scope}}
            status, headers, content = await self._request("POST", 5000, "/v3/auth/tokens", body, {})
            if status != 201:
                raise CloudError(f"no token for {self.keeper}: {status} {content}", status)
            self._token, self._until = headers["X-Subject-Token"], time.monotonic() + 3600
        return self._token

    async def call(self, method: str, path: str, body: Any = None, port: int = 5000, headers: dict[str, str] | None = None) -> Any:
        """One call; the body of the answer. CloudError (with ``status``) for anything but success."""
        for attempt in (1, 2):
            status, _headers, content = await self._request(method, port, path, body, {"X-Auth-Token": await self.token(), **(headers or {})})
            if status == 401 and attempt == 1:
                # The host may have been made anew.
                self._token = None
                continue
            break
        if status >= 400:
            raise CloudError(f"{method} {path}: {status} {content}", status)
        return content

    # -- Keystone -----------------------------------------------------------------------------------------------------
    async def set_admin_password(self, password: str) -> None:
        """Give the user ``admin`` of the domain ``admin_domain`` its password."""
        domain = (await self.call("GET", "/v3/domains?name=admin_domain"))["domains"][0]["id"]
        user = (await self.call("GET", f"/v3/users?name=admin&domain_id={domain}"))["users"][0]["id"]
        await self.call("PATCH", f"/v3/users/{user}", {"user": {"password": password}})

    async def set_endpoints(self, wanted: dict[tuple[str, str], str]) -> None:
        """Let the public and admin endpoints of the lab's services be exactly ``wanted`` ({(service type, interface): URL}); others stay."""
        await self._set_services({kind for kind, _interface in wanted})
        own = {service["catalog"]["type"] for service in services()["services"].values() if "catalog" in service}
        types = {s["id"]: s["type"] for s in (await self.call("GET", "/v3/services"))["services"]}
        numbers = {kind: number for number, kind in types.items()}
        left = dict(wanted)
        for endpoint in (await self.call("GET", "/v3/endpoints"))["endpoints"]:
            key = (types.get(endpoint["service_id"]), endpoint["interface"])
            if key[1] == "internal" or key[0] not in own:
                continue
            url = left.pop(key, None)
            if url is None:
                await self.call("DELETE", f"/v3/endpoints/{endpoint['id']}")
            elif url != endpoint["url"]:
                await self.call("PATCH", f"/v3/endpoints/{endpoint['id']}", {"endpoint": {"url": url}})
        for (kind, interface), url in left.items():
            body = {"service_id": numbers[kind], "interface": interface, "url": url, "region_id": REGION}
            await self.call("POST", "/v3/endpoints", {"endpoint": body})

    async def _set_services(self, wanted: set[str]) -> None:
        """Let the catalog have those of the services on demand whose type is in ``wanted``, with their internal endpoint."""
        known = {s["type"]: s["id"] for s in (await self.call("GET", "/v3/services"))["services"]}
        for name, service in services()["services"].items():
            catalog = service.get("catalog", {})
            kind = catalog.get("type")
            if not service.get("on_demand") or (kind in known) == (kind in wanted):
                continue
            if kind in known:
                # Its endpoints go with it.
                await self.call("DELETE", f"/v3/services/{known[kind]}")
                continue
            made = await self.call("POST", "/v3/services", {"service": {"type": kind, "name": catalog.get("name", name)}})
            url = f"http://{self.address}:{catalog['port']}{catalog['path']}"
            body = {"service_id": made["service"]["id"], "interface": "internal", "url": url, "region_id": REGION}
            await self.call("POST", "/v3/endpoints", {"endpoint": body})

    # -- Nova ---------------------------------------------------------------------------------------------------------
    async def compute_services(self) -> list[dict[str, Any]]:
        """nova-compute's entries: id, host, state, status."""
        answer = await self.call("GET", "/v2.1/os-services?binary=nova-compute", port=8774, headers={"X-OpenStack-Nova-API-Version": "2.53"})
        return answer["services"]

    async def enable_compute(self, host: str, enabled: bool) -> bool:
        """Let new servers be placed on ``host``, or not; whether Nova knows the host."""
        found = False
        for service in await self.compute_services():
            if service["host"] == host:
                body = {"status": "enabled" if enabled else "disabled"}
                await self.call("PUT", f"/v2.1/os-services/{service['id']}", body, port=8774, headers={"X-OpenStack-Nova-API-Version": "2.53"})
                found = True
        return found

    async def remove_compute(self, host: str) -> bool:
        """Forget a compute host: its service, its cell mapping, its resource provider. Whether there was one."""
        found = False
        for service in await self.compute_services():
            if service["host"] == host:
                await self.call("DELETE", f"/v2.1/os-services/{service['id']}", port=8774, headers={"X-OpenStack-Nova-API-Version": "2.53"})
                found = True
        return found

    async def servers_on(self, host: str) -> int:
        """How many servers Nova has on a compute host, of all projects."""
        return len((await self.call("GET", f"/v2.1/servers?all_tenants=1&host={host}", port=8774))["servers"])
