"""OpenStack's face without OpenStack: what it plans from the model's units, how its proxies forward, and whether the service data hang together."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web

from lab.effects import Effects
from lab.faces.openstack import OpenStackFace, Plan, Proxy, context
from lab.hosts.openstack import layer
from lab.world import pki
from tests.support.juju_lab import JujuLab

MODEL = "d1"
THESIS = (Path(__file__).parents[3] / "bundles" / "thesis-jammy-2023.1.yaml").read_text()


class Cloud:
    """A model with units, a Vault, and the effects that the face asks for."""

    def __init__(self):
        self.units: dict[str, dict] = {}
        self.authority = pki.authority("Test root")
        self.has_ca = True
        state = {"models": {MODEL: {"units": {}}}}
        self.juju = SimpleNamespace(state=state, units_of=lambda _model: list(self.units.values()))
        self.vault = SimpleNamespace(
            ca=lambda _model: {"cert": self.authority[0], "key": self.authority[1], "chain": self.authority[0]} if self.has_ca else None
        )
        self.engine = SimpleNamespace(state={}, touch=lambda: None)
        self.rack = SimpleNamespace(machines={"compute0": {"cpu": 16, "memory": 65536, "disks": [{"size": 480 * 1000**3}, {"size": 10**9}]}})
        self.face = OpenStackFace(self, Effects())
        self.face.catalog = {name: service["catalog"] for name, service in layer.services()["services"].items()}

    def unit(self, name: str, charm: str, workload: str = "active", message: str = "Unit is ready", **more):
        found = {"name": name, "charm": charm, "workload": workload, "message": message, "life": "alive", "leader": name.endswith("/0"), "hostname": None,
                 "address": "10.42.0.120", "certificate": 1, "virtual": None, **more}  # fmt: skip
        self.units[name] = found
        self.juju.state["models"][MODEL]["units"].setdefault(name, {"state": {}})


@pytest.fixture
def cloud():
    return Cloud()


def test_nothing_is_shown_before_a_unit_is_active(cloud):
    cloud.unit("keystone/0", "keystone", "waiting", "Incomplete relations: database")
    plan = cloud.face.plan()
    assert plan.cloud and not plan.proxies and not plan.endpoints


def test_nothing_is_shown_before_vault_has_a_ca(cloud):
    cloud.has_ca = False
    cloud.unit("keystone/0", "keystone")
    assert not cloud.face.plan().proxies


def test_an_active_unit_is_shown_at_its_address(cloud):
    cloud.unit("keystone/0", "keystone")
    cloud.unit("nova-cloud-controller/0", "nova-cloud-controller", address="10.42.0.121")
    plan = cloud.face.plan()
    assert plan.proxies[("10.42.0.120", 5000)][0] == plan.proxies[("10.42.0.120", 35357)][0] == 5000
    assert plan.endpoints[("identity", "public")] == "https://10.42.0.120:5000/v3"
    assert plan.endpoints[("identity", "admin")] == "https://10.42.0.120:35357/v3"
    assert plan.endpoints[("compute", "public")] == plan.endpoints[("compute", "admin")] == "https://10.42.0.121:8774/v2.1"


def test_a_unit_that_took_a_new_certificate_is_shown_anew(cloud):
    cloud.unit("keystone/0", "keystone")
    before = cloud.face.plan().proxies
    cloud.unit("keystone/0", "keystone", certificate=2)
    after = cloud.face.plan().proxies
    assert set(before) == set(after) and all(before[key] != after[key] for key in before)


def test_of_several_units_the_leader_is_in_the_catalog_and_all_listen(cloud):
    cloud.unit("glance/1", "glance", leader=True, address="10.42.0.131")
    cloud.unit("glance/0", "glance", leader=False, address="10.42.0.130")
    plan = cloud.face.plan()
    assert plan.endpoints[("image", "public")] == "https://10.42.0.131:9292"
    assert set(plan.proxies) == {("10.42.0.130", 9292), ("10.42.0.131", 9292)}


def test_the_dashboard_has_a_certificate_and_no_endpoint(cloud):
    cloud.unit("openstack-dashboard/0", "openstack-dashboard", address="10.42.0.150")
    plan = cloud.face.plan()
    assert {key: row[0] for key, row in plan.proxies.items()} == {("10.42.0.150", 443): None}
    assert plan.endpoints == {}


async def test_a_virtual_address_is_held_once_and_is_what_the_catalog_names(cloud):
    for number in range(2):
        cloud.unit(f"glance/{number}", "glance", address=f"10.42.0.13{number}", virtual="10.42.0.200")
    plan = cloud.face.plan()
    assert plan.endpoints[("image", "public")] == "https://10.42.0.200:9292"
    assert set(plan.proxies) == {("10.42.0.130", 9292), ("10.42.0.131", 9292), ("10.42.0.200", 9292)}
    done = []
    cloud.face.effects.address_add = lambda address: done.append(("add", address))
    cloud.face.effects.address_del = lambda address: done.append(("del", address))
    for wanted in (plan.virtual, plan.virtual, set(), set()):
        cloud.face._hold(wanted)
    assert done == [("add", "10.42.0.200"), ("del", "10.42.0.200")]


def test_a_service_on_demand_runs_from_the_moment_its_unit_is_there(cloud):
    cloud.face.on_demand = {"heat"}
    cloud.unit("keystone/0", "keystone")
    assert cloud.face.plan().services == set()
    cloud.unit("heat/0", "heat", "waiting", "Incomplete relations: database", address="10.42.0.140")
    plan = cloud.face.plan()
    assert plan.services == {"heat"}
    assert not any(kind == "orchestration" for kind, _interface in plan.endpoints)
    cloud.unit("heat/0", "heat", address="10.42.0.140")
    assert cloud.face.plan().endpoints[("orchestration", "public")] == "https://10.42.0.140:8004/v1/%(project_id)s"


async def test_services_on_demand_are_started_and_stopped_once(cloud):
    asked = []
    cloud.face._endpoints = {}
    cloud.face.on_demand = {"heat"}
    cloud.face.effects.openstack_service = lambda *what: asked.append(what)
    await cloud.face.apply(Plan())
    assert asked == [("heat", False)]
    for _again in range(2):
        await cloud.face.apply(Plan(services={"heat"}))
    assert asked == [("heat", False), ("heat", True)]


def test_what_runs_on_demand_starts_with_nothing_else_and_is_not_waited_for():
    data = layer.services()["services"]
    assert not {"heat-api", "heat-engine"} & set(layer.always(data))
    assert {"keystone", "cinder-volume"} <= set(layer.always(data))


def test_a_unit_that_was_active_goes_on_serving_until_it_is_paused_or_gone(cloud):
    cloud.unit("glance/0", "glance")
    cloud.face.plan()
    cloud.unit("glance/0", "glance", "blocked", "Services not running that should be: glance-api")
    assert cloud.face.plan().proxies
    cloud.unit("glance/0", "glance", "maintenance", "Paused. Use 'resume' action to resume normal service.")
    assert not cloud.face.plan().proxies
    cloud.unit("glance/0", "glance", "waiting", "Incomplete relations: database")
    assert not cloud.face.plan().proxies
    cloud.unit("glance/0", "glance", life="dead")
    assert not cloud.face.plan().cloud


def test_compute_hosts_follow_their_charm(cloud):
    cloud.unit("nova-compute/0", "nova-compute", "waiting", "Incomplete relations: messaging", hostname="compute0")
    assert cloud.face.plan().computes == {}
    cloud.unit("nova-compute/0", "nova-compute", hostname="compute0")
    assert cloud.face.plan().computes == {"compute0": "running"}
    cloud.juju.state["models"][MODEL]["units"]["nova-compute/0"]["state"]["disabled"] = True
    assert cloud.face.plan().computes == {"compute0": "disabled"}
    cloud.unit("nova-compute/0", "nova-compute", "maintenance", "Paused. Use 'resume' action to resume normal service.", hostname="compute0")
    assert cloud.face.plan().computes == {"compute0": "stopped"}
    cloud.juju.state["models"][MODEL]["units"]["nova-compute/0"]["state"]["removed"] = 0.0
    cloud.unit("nova-compute/0", "nova-compute", "blocked", "Services not running that should be: nova-compute", hostname="compute0")
    assert cloud.face.plan().computes == {}


def test_a_host_is_as_big_as_its_machine(cloud):
    assert cloud.face._size("compute0") == {"vcpus": 16, "memory_mb": 65536, "local_gb": 480}
    assert cloud.face._size("elsewhere") == {}


async def test_without_hosts_there_is_nothing_to_do(cloud):
    await cloud.face.start()
    await cloud.face.stop()


async def test_a_proxy_ends_tls_and_passes_everything_on(cloud):
    seen = {}

    async def service(request: web.Request) -> web.StreamResponse:
        seen.update(headers=dict(request.headers), path=request.raw_path, body=await request.read())
        return web.Response(status=300, body=b"x" * 200000, headers={"X-Subject-Token": "t"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", service)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    certificate, key = cloud.authority
    proxy = Proxy("127.0.0.1", free_port(), f"http://127.0.0.1:{port}")
    await proxy.start(context(*pki.leaf(certificate, key, [], ["127.0.0.1"]), certificate))
    try:
        trust = ssl.create_default_context(cadata=certificate)
        async with aiohttp.ClientSession() as session:
            url = f"https://127.0.0.1:{proxy.port}/v3/a%2Fb?name=x%20y"
            async with session.put(url, data=b"image" * 50000, ssl=trust, allow_redirects=False, headers={"X-Auth-Token": "me"}) as answer:
                assert answer.status == 300 and answer.headers["X-Subject-Token"] == "t" and len(await answer.read()) == 200000
            assert seen["path"] == "/v3/a%2Fb?name=x%20y" and seen["body"] == b"image" * 50000
            assert seen["headers"]["X-Forwarded-Proto"] == "https" and seen["headers"]["X-Auth-Token"] == "me"
            assert seen["headers"]["Host"] == f"127.0.0.1:{proxy.port}"
            await runner.cleanup()
            async with session.get(url, ssl=trust) as answer:
                assert answer.status == 503
    finally:
        await proxy.stop()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_every_template_gets_what_it_names():
    data = layer.services()["services"]
    setup = {"address": "10.42.0.8", "services": data, "secret": "0123", **{f"{name}_password": f"{name}-secret" for name in ("service", "database", "rabbit")}}
    for file in sorted((layer.GUEST / "etc").rglob("*")):
        name = str(file.relative_to(layer.GUEST))
        if file.is_file() and name.split("/")[1] in data:
            text = layer.template(name, layer.settings(setup, name.split("/")[1]))
            assert "${" not in text
            # A section twice would be two halves of which one is easily overlooked.
            sections = re.findall(r"(?m)^\[(.+)\]$", text)
            assert len(sections) == len(set(sections)), name


def test_services_are_complete():
    data = layer.services()
    ports = [service["catalog"]["port"] for service in data["services"].values()]
    assert len(ports) == len(set(ports))
    for name, service in data["services"].items():
        assert service["packages"] and service["units"] and service["prepare"], name
        assert (layer.GUEST / "etc" / name).is_dir(), name
    assert "nova-compute" in data["compute"]


async def test_the_thesis_bundle_becomes_a_whole_cloud_when_vault_has_its_ca():
    async with JujuLab() as lab:
        face = OpenStackFace(lab.world, Effects())
        face.catalog = {name: service["catalog"] for name, service in layer.services()["services"].items()}
        for name in ("compute0", "compute1"):
            lab.world.maas.machine(name)["tags"] = ["compute"]
        model = lab.model("openstack")
        lab.deploy(model, THESIS)
        lab.settle()
        assert not face.plan().proxies
        lab.open_vault(model)
        lab.settle()
        plan = face.plan()
        assert {kind for kind, _interface in plan.endpoints} == {"identity", "image", "compute", "placement", "network", "volumev3"}
        assert plan.computes == {"compute0": "running", "compute1": "running"}
        addresses = {unit["address"] for unit in lab.world.juju.units_of(model["uuid"])}
        assert {address for address, _port in plan.proxies} <= addresses
        trust = ssl.create_default_context(cadata=plan.authority)
        address, port = next(iter(plan.proxies))
        proxy = Proxy(address, port, "http://127.0.0.1:9")
        await proxy.start(context(*lab.world.vault.issue([], [address], model["uuid"])))
        try:
            async with aiohttp.ClientSession() as session, session.get(f"https://{address}:{port}/", ssl=trust) as answer:
                assert answer.status == 503
        finally:
            await proxy.stop()
