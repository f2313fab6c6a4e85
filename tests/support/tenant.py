"""A project of its own on a real cloud, with what servers need, by openstacksdk; all of it is removed at the end."""

from __future__ import annotations

import secrets
import time
from typing import Any

import openstack


class Tenant:
    """Made with an administrator's access: a project, an image without a system in it, a flavor, a network, a role for us there."""

    def __init__(self, admin: openstack.connection.Connection, ram: int = 64) -> None:
        self.admin = admin
        self.prefix = f"stratus-test-{secrets.token_hex(3)}"
        self.project = self.image = self.flavor = self.network = None
        self.groups: list[Any] = []
        try:
            self._make(ram)
        except BaseException:
            self.remove()
            raise

    def _make(self, ram: int) -> None:
        auth = self.admin.session.auth.get_access(self.admin.session)
        self.project = self.admin.identity.create_project(name=self.prefix, domain_id=auth.project_domain_id, description="made by a test, removed after it")
        role = next(role for role in self.admin.identity.roles() if role.name.lower() == "admin")
        self.admin.identity.assign_project_role_to_user(self.project.id, auth.user_id, role.id)
        self.own = self.admin.connect_as_project({"id": self.project.id})
        # A virtual machine needs no system to run, and to be moved.
        self.image = self.own.image.create_image(name=self.prefix, container_format="bare", disk_format="raw", visibility="private", data=b"\0" * 2**20)
        self.flavor = self.admin.compute.create_flavor(name=self.prefix, vcpus=1, ram=ram, disk=1, is_public=False)
        self.admin.compute.flavor_add_tenant_access(self.flavor.id, self.project.id)
        self.network = self.own.network.create_network(name=self.prefix)
        self.own.network.create_subnet(network_id=self.network.id, name=self.prefix, cidr="192.168.203.0/24", ip_version=4, enable_dhcp=False, gateway_ip=None)

    def servers(self, *names: str, host: str, metadata: dict[str, str] | None = None, group: str | None = None) -> list[str]:
        """Their names, once all of them run on the host."""
        zone = next(service.availability_zone for service in self.admin.compute.services(binary="nova-compute") if service.host == host)
        full = [f"{self.prefix}-{name}" for name in names]
        for name in full:
            hints = {"scheduler_hints": {"group": group}} if group else {}
            self.own.compute.create_server(
                name=name, image_id=self.image.id, flavor_id=self.flavor.id, networks=[{"uuid": self.network.id}], metadata=metadata or {},
                availability_zone=f"{zone}:{host}", **hints,
            )  # fmt: skip
        self.until(lambda: all(self.find(name).status != "BUILD" for name in full), "the servers are built")
        for name in full:
            server = self.find(name)
            assert server.status == "ACTIVE", f"{name} is {server.status}: {server.fault}"
        return full

    def group(self, policy: str) -> str:
        made = self.own.compute.create_server_group(name=f"{self.prefix}-{policy}", policy=policy)
        self.groups.append(made)
        return made.id

    def find(self, name: str) -> Any:
        return next(server for server in self.own.compute.servers() if server.name == name)

    def host(self, name: str) -> str:
        return self.find(name).compute_host

    def metadata(self, name: str, **values: str) -> None:
        server = self.find(name)
        self.own.compute.delete_server_metadata(server, list(server.metadata))
        if values:
            self.own.compute.set_server_metadata(server, **values)

    def until(self, done: Any, what: str, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(1)

    def remove(self) -> None:
        """Everything, in the opposite order; what went wrong is told at the end."""
        problems: list[str] = []

        def attempt(step: Any, *arguments: Any) -> None:
            try:
                step(*arguments)
            except Exception as error:  # whatever it is, the rest has to go
                problems.append(f"{step.__name__}: {error}")

        if self.project is not None and getattr(self, "own", None):
            for server in list(self.own.compute.servers()):
                attempt(self.own.compute.delete_server, server.id, True)
            attempt(self.until, lambda: not list(self.own.compute.servers()), "the servers are gone")
            for group in self.groups:
                attempt(self.own.compute.delete_server_group, group.id)
            if self.network:
                for port in list(self.own.network.ports(network_id=self.network.id)):
                    attempt(self.own.network.delete_port, port.id)
                attempt(self.own.network.delete_network, self.network.id)
            if self.image:
                attempt(self.own.image.delete_image, self.image.id)
        if self.flavor:
            attempt(self.admin.compute.delete_flavor, self.flavor.id)
        if self.project:
            attempt(self.admin.identity.delete_project, self.project.id)
        assert not problems, "left behind: " + "; ".join(problems)
