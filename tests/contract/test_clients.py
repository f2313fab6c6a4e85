"""Clients that nobody here wrote work against the lab's region: python-libmaas, and any OAuth1 client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from tests.support.lab import MaasLab


@pytest.fixture(scope="module")
def lab() -> Iterator[MaasLab]:
    with MaasLab(dhcp=True) as running:
        yield running


@pytest.mark.parametrize("method", ["PLAINTEXT", "HMAC-SHA1"])
def test_oauth1(lab: MaasLab, method: str) -> None:
    consumer, token, secret = lab.api_key.split(":")
    auth = OAuth1(consumer, "", token, secret, signature_method=method)
    base = f"{lab.url}/api/2.0/"
    whoami = requests.get(f"{base}users/", params={"op": "whoami"}, auth=auth, timeout=10)
    assert whoami.json()["username"] == "admin"
    name = f"by-{method.lower()}"
    made = requests.post(f"{base}tags/", data={"name": name, "comment": "a b/c&d=é"}, auth=auth, timeout=10)
    assert made.status_code == 200
    read = requests.get(f"{base}tags/{name}/", auth=auth, timeout=10).json()
    assert read["comment"] == "a b/c&d=é"


def test_a_wrong_signature_is_refused(lab: MaasLab) -> None:
    consumer, token, _secret = lab.api_key.split(":")
    auth = OAuth1(consumer, "", token, "wrong", signature_method="HMAC-SHA1")
    assert requests.get(f"{lab.url}/api/2.0/users/?op=whoami", auth=auth, timeout=10).status_code == 401


async def libmaas(lab: MaasLab) -> dict[str, Any]:
    """A machine's way from declared to deployed, by python-libmaas alone."""
    from maas.client import connect
    from maas.client.enum import InterfaceType, LinkMode, NodeStatus

    client = await connect(lab.url, apikey=lab.api_key)
    found: dict[str, Any] = {"version": (await client.version.get()).version, "user": (await client.users.whoami()).username}
    await client.maas.set_upstream_dns(["8.8.8.8"])
    found["dns"] = await client.maas.get_upstream_dns()
    found["racks"] = [rack.hostname for rack in await client.rack_controllers.list()]
    subnet = next(s for s in await client.subnets.list() if s.cidr == "10.42.0.0/16")
    fabric = await client.fabrics.get(subnet.vlan.fabric.id)
    found["dhcp"] = fabric.vlans[0].dhcp_on
    found["ranges"] = sorted(row.type.value for row in await client.ip_ranges.list())
    found["images"] = sorted({resource.name for resource in await client._origin.BootResources.read()})
    bmc = {f"power_{name}": lab.rack["machines"][0]["bmc"][key] for name, key in (("address", "address"), ("user", "user"), ("pass", "password"))}
    handler = client._origin.Machines._handler
    body = await handler.create(
        hostname="compute0",
        architecture="amd64/generic",
        mac_addresses=["52:54:00:10:00:01"],
        power_type="ipmi",
        commission=False,
        power_parameters_power_address=bmc["power_address"],
        power_parameters_power_user=bmc["power_user"],
        power_parameters_power_pass=bmc["power_pass"],
    )
    machine = await client.machines.get(body["system_id"])
    assert machine.status == NodeStatus.NEW
    await machine.commission(wait=False)
    lab.until(lambda: lab.world.maas.machine("compute0")["status"] == 4, step=30)
    await machine.refresh()
    found["ready"] = machine.status_name
    nic = machine.interfaces[0]
    bridge = await machine.interfaces.create(InterfaceType.BRIDGE, name="br-ex", parent=nic)
    await bridge.links.create(LinkMode.AUTO, subnet=subnet)
    tag = await client.tags.create("compute", comment="c")
    await machine.tags.add(tag)
    allocated = await client.machines.allocate(hostname="compute0")
    await allocated.deploy(distro_series="jammy", wait=False)
    lab.until(lambda: lab.world.maas.machine("compute0")["status"] == 6, step=30)
    await allocated.refresh()
    found["deployed"] = (allocated.status_name, allocated.ip_addresses, [row.name for row in allocated.tags])
    events = await client.events.query(hostnames=["compute0"], level="INFO", limit=5)
    found["event"] = next(iter(events)).event_type
    await allocated.release(wait=False)
    lab.until(lambda: lab.world.maas.machine("compute0")["status"] == 4, step=5)
    host = await client.pods.create(type="lxd", power_address="10.42.0.1:8443", name="lxd-controller")
    found["pod"] = host.type
    return found


def test_libmaas(lab: MaasLab) -> None:
    found = asyncio.run(libmaas(lab))
    assert found["version"] == "3.5.13"
    assert found["user"] == "admin"
    assert found["dns"] == ["8.8.8.8"]
    assert found["racks"] == ["controller"]
    assert found["dhcp"] is True
    assert found["ranges"] == ["dynamic", "reserved"]
    assert "ubuntu/jammy" in found["images"]
    assert found["ready"] == "Ready"
    assert found["deployed"] == ("Deployed", ["10.42.0.100"], ["compute"])
    assert found["event"] == "Deployed"
    assert found["pod"] == "lxd"


def test_libmaas_login(lab: MaasLab) -> None:
    from maas.client import login

    async def go() -> str:
        client = await login(lab.url, username=lab.username, password=lab.password)
        return (await client.users.whoami()).username

    assert asyncio.run(go()) == "admin"
