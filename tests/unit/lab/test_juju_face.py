"""The Juju face with the official client: what libjuju calls is answered as it expects, and as a 3.6 controller would."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest
import websockets
from juju.client import client
from juju.client.connection import Connection
from juju.controller import Controller
from juju.errors import JujuAPIError, JujuConnectionError, JujuError
from juju.model import Model

from lab.errors import ApiError
from lab.faces.control import Control
from tests.support.addresses import listens
from tests.support.juju_lab import CLOUD, CREDENTIAL, JujuLab

BUNDLES = Path(__file__).parents[3] / "bundles"
SMALL = """
series: jammy
machines:
  '0': {constraints: mem=4G cores=2}
  '1': {}
applications:
  keystone: {charm: keystone, channel: 2023.1/stable, num_units: 1, to: ['lxd:0'], options: {debug: true, token-expiration: 7200}}
  keystone-mysql-router: {charm: mysql-router, channel: 8.0/stable}
  rabbitmq-server: {charm: rabbitmq-server, channel: 3.9/stable, num_units: 1, to: ['1'], expose: true}
relations:
  - ['keystone:shared-db', 'keystone-mysql-router:shared-db']
"""

# What libjuju's SetCharm wants to be given though it means nothing.
UNCHANGED = {
    "config_settings": {}, "config_settings_yaml": "", "endpoint_bindings": {}, "force": False, "force_base": False, "force_units": False,
    "generation": "", "resource_ids": {}, "storage_constraints": {},
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("juju").setLevel(logging.ERROR)


@pytest.fixture
async def lab():
    async with JujuLab() as lab:
        yield lab


def account(lab):
    return {"endpoint": lab.endpoint, "username": lab.username, "password": lab.password, "cacert": lab.ca_cert}


async def soon(holds, seconds=30):
    """Until what the lab did has reached a client in the same loop."""
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        assert asyncio.get_running_loop().time() < end, "it did not come"
        await asyncio.sleep(0.02)


async def connect_model(lab, uuid):
    model = Model()
    await asyncio.wait_for(model.connect(uuid=uuid, **account(lab)), 10)
    return model


async def raw(lab, uuid=None, **more):
    return await asyncio.wait_for(Connection.connect(uuid=uuid, retries=0, **{**account(lab), **more}), 10)


# -- connection ------------------------------------------------------------------------------------------------------------
async def test_controller_connects_and_makes_a_model(lab):
    controller = Controller()
    await controller.connect(**account(lab))
    try:
        assert await controller.list_models() == ["controller"]
        config = {"authorized-keys": "ssh-ed25519 AAAA ops@lab", "default-base": "ubuntu@22.04/stable"}
        model = await controller.add_model("openstack", cloud_name=CLOUD["name"], credential_name=CREDENTIAL["name"], config=config)
        try:
            assert sorted(await controller.list_models()) == ["controller", "openstack"]
            assert (await model.get_config())["default-base"].value == "ubuntu@22.04/stable"
            await model.set_config({"update-status-hook-interval": "1m"})
            assert (await model.get_config())["update-status-hook-interval"].value == "1m"
            await model.set_constraints({"arch": "amd64"})
            assert (await model.get_constraints())["arch"] == "amd64"
        finally:
            await model.disconnect()
        await controller.destroy_models("openstack")
        lab.settle()
        assert await controller.list_models() == ["controller"]
    finally:
        await controller.disconnect()


async def test_wrong_password_says_so(lab):
    with pytest.raises(JujuAPIError, match="invalid entity name or password") as caught:
        await raw(lab, password="wrong")
    assert caught.value.error_code == "unauthorized access"


async def test_model_that_is_not_there(lab):
    with pytest.raises(JujuAPIError, match="unknown model") as caught:
        await raw(lab, uuid="00000000-0000-0000-0000-000000000000")
    assert caught.value.error_code == "model not found"


async def test_other_major_version_is_refused_by_the_client():
    async with JujuLab(version="4.0.0") as lab:
        with pytest.raises(JujuConnectionError, match="not supported"):
            await Controller().connect(**account(lab))


async def test_certificate_passes_strict_checks(lab):
    context = ssl.create_default_context(cadata=lab.ca_cert)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    host, port = lab.endpoint.rsplit(":", 1)
    _reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
    writer.close()


async def test_requests_that_the_server_does_not_know(lab):
    connection = await raw(lab, uuid=lab.model()["uuid"])
    try:
        for message, text in (
            ({"type": "Nonsense", "version": 1, "request": "Go"}, "unknown facade type"),
            ({"type": "Application", "version": 99, "request": "Get"}, "unknown version 99"),
            ({"type": "Application", "version": 20, "request": "Nothing"}, "no such request"),
            ({"type": "ModelManager", "version": 10, "request": "ListModels"}, "not supported for model API connection"),
        ):
            with pytest.raises(JujuAPIError, match=text):
                await connection.rpc(message)
    finally:
        await connection.close()


async def test_killed_controller_stops_listening(lab):
    connection = await raw(lab)
    await connection.close()
    lab.world.juju.kill_controller("maas-controller")
    host, port = lab.endpoint.split(":")
    await soon(lambda: not listens(host, int(port)))
    with pytest.raises((JujuConnectionError, OSError)):
        await Connection.connect(endpoint=lab.endpoint, username="admin", password="x", cacert=lab.ca_cert, retries=0)


async def test_the_command_that_destroys_a_controller_wants_its_models_named_and_waits_for_them(lab):
    class Asked:
        can_read_body = True

        def __init__(self, **body):
            self.body = body

        async def json(self):
            return self.body

    lab.model()
    control = Control(SimpleNamespace(world=lab.world))
    with pytest.raises(ApiError) as refused:
        await control.juju_destroy(Asked(name="maas-controller", models=False))
    assert refused.value.status == 409 and lab.world.juju.controllers.all
    async with lab.running(speed=600):
        await asyncio.wait_for(control.juju_destroy(Asked(name="maas-controller", models=True)), 20)
    assert not lab.world.juju.controllers.all and not lab.world.juju.models.all


# -- machines, applications ------------------------------------------------------------------------------------------------
async def test_machine_by_system_id_goes_through_maas(lab):
    model = await connect_model(lab, lab.model()["uuid"])
    try:
        machine = await asyncio.wait_for(model.add_machine(f"{model.uuid}:system-id=m00002"), 10)
        assert lab.world.maas.rows["m00002"]["status"] == 4
        lab.advance(30)
        assert lab.world.maas.rows["m00002"]["status"] == 9
        status = (await model.get_status()).machines[machine.id]
        assert (status.agent_status.status, status.instance_status.status, status.instance_id) == ("pending", "allocating", "m00002")
        lab.settle()
        status = (await model.get_status()).machines[machine.id]
        assert (status.agent_status.status, status.instance_status.status) == ("started", "running")
        assert status.dns_name == lab.world.maas.rows["m00002"]["ip"]
        container = await asyncio.wait_for(model.add_machine("lxd:0"), 10)
        assert container.id == "0/lxd/0"
        lab.settle()
        assert (await model.get_status()).machines["0"].containers["0/lxd/0"].agent_status.status == "started"
        with pytest.raises(Exception, match="machine 7 not found"):
            await model.add_machine("lxd:7")
        async with lab.running(speed=2000):
            await asyncio.wait_for(machine.destroy(force=True), 10)
        assert (await model.get_status()).machines == {}
        assert lab.world.maas.rows["m00002"]["status"] == 4
    finally:
        await model.disconnect()


async def test_failed_deployment_is_told_and_left(lab):
    model = lab.model()
    lab.fault("deploy_failed", system_id="m00000")
    lab.world.juju.machines.add(model, directive="system-id=m00000")
    lab.advance(1200)
    machine = model["machines"]["0"]
    assert (machine["agent"]["status"], machine["instance"]["status"], machine["instance"]["message"]) == ("down", "provisioning error", "Failed deployment")


async def test_nothing_to_allocate_is_retried_then_given_up(lab):
    model = lab.model()
    lab.world.juju.machines.add(model, constraints={"tags": ["nowhere"]})
    lab.advance(30)
    assert "retrying" in model["machines"]["0"]["instance"]["message"]
    lab.settle()
    assert model["machines"]["0"]["instance"]["status"] == "provisioning error"
    lab.world.maas.add("late", tags=("nowhere",))
    lab.world.juju.machines.retry(model, "0")
    lab.settle()
    assert model["machines"]["0"]["agent"]["status"] == "started"


@pytest.mark.parametrize("plan", ["series", "both"])
async def test_bundle_by_libjuju(plan, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    async with JujuLab(plan=plan) as lab:
        model = await connect_model(lab, lab.model()["uuid"])
        try:
            await asyncio.wait_for(model.deploy(str(path)), 60)
            held = lab.world.juju.models.get(model.uuid)
            assert sorted(held["applications"]) == ["keystone", "keystone-mysql-router", "rabbitmq-server"]
            assert held["units"]["keystone/0"]["machine"] == "0/lxd/0"
            assert held["applications"]["keystone"]["config"] == {"debug": True, "token-expiration": 7200}
            assert held["applications"]["rabbitmq-server"]["exposed"]
            assert held["machines"]["0"]["constraints"]["mem"] == 4096
            lab.settle()
            await asyncio.wait_for(model.wait_for_idle(apps=["rabbitmq-server"], status="active", idle_period=0.2, timeout=20), 30)
            assert model.units["keystone-mysql-router/0"].principal_unit == "keystone/0"
            assert model.units["keystone/0"].workload_status_message == "Incomplete relations: database"
        finally:
            await model.disconnect()


async def test_bundle_in_base_mode_meets_libjujus_own_limit(lab, tmp_path):
    """A 3.6 controller plans with bases; libjuju reads only series of machines. The lab must not be kinder than the real thing."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    model = await connect_model(lab, lab.model()["uuid"])
    try:
        with pytest.raises(JujuError, match="Unknown series"):
            await asyncio.wait_for(model.deploy(str(path)), 60)
    finally:
        await model.disconnect()


async def test_unit_operations_by_libjuju(lab):
    held = lab.model()
    lab.deploy(held, SMALL)
    lab.settle()
    model = await connect_model(lab, held["uuid"])
    try:
        app = model.applications["rabbitmq-server"]
        (unit,) = await asyncio.wait_for(app.add_unit(1, to="lxd:1"), 10)
        assert unit.name == "rabbitmq-server/1"
        lab.settle()
        await soon(lambda: unit.workload_status_message == "Unit is ready and clustered")
        await app.set_config({"management_plugin": "true"})
        assert (await app.get_config())["management_plugin"]["value"] is True
        with pytest.raises(JujuError, match='unknown option "nothing"'):
            await app.set_config({"nothing": "x"})
        with pytest.raises(JujuError, match="expected boolean"):
            await app.set_config({"management_plugin": "perhaps"})
        assert await unit.is_leader_from_status() is False
        action = await asyncio.wait_for(unit.run_action("cluster-status"), 10)
        lab.settle()
        await asyncio.wait_for(action.wait(), 10)
        assert (action.status, action.results["return-code"]) == ("completed", 0)
        with pytest.raises(ValueError, match="not found on"):
            await unit.run_action("no-such-action")
        await unit.destroy()
        lab.settle()
        await soon(lambda: "rabbitmq-server/1" not in model.units)
    finally:
        await model.disconnect()


async def test_annotations_and_deploy_from_repository(lab):
    held = lab.model()
    connection = await raw(lab, uuid=held["uuid"])
    try:
        app = client.ApplicationFacade.from_connection(connection)
        result = await app.DeployFromRepository([client.DeployFromRepositoryArg(charmname="memcached", applicationname="cache", num_units=2)])
        assert not result.results[0].errors
        assert sorted(held["units"]) == ["cache/0", "cache/1"]
        notes = client.AnnotationsFacade.from_connection(connection)
        await notes.Set(annotations=[client.EntityAnnotations(entity="machine-0", annotations={"stratus-machine": "7"})])
        got = await notes.Get(entities=[{"tag": "machine-0"}])
        assert got.results[0].annotations == {"stratus-machine": "7"}
    finally:
        await connection.close()


async def test_watcher_waits_and_tells_only_what_changed(lab):
    held = lab.model()
    connection = await raw(lab, uuid=held["uuid"])
    try:
        watcher = client.AllWatcherFacade.from_connection(connection)
        first = await asyncio.wait_for(watcher.Next(), 5)
        assert [d.entity for d in first.deltas] == ["model"]
        waiting = asyncio.create_task(watcher.Next())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        lab.world.juju.machines.add(held)
        deltas = (await asyncio.wait_for(waiting, 5)).deltas
        assert [(d.entity, d.type, d.data["id"]) for d in deltas] == [("machine", "change", "0")]
        lab.world.juju.machines.remove(held, "0")
        lab.settle()
        kinds = {(d.entity, d.type) for d in (await asyncio.wait_for(watcher.Next(), 5)).deltas}
        assert ("machine", "remove") in kinds
        await watcher.Stop()
    finally:
        await connection.close()


async def test_definitions_of_libjuju_know_every_field(lab):
    """Nothing in the status that the client's generated types do not have."""
    held = lab.model()
    lab.deploy(held, SMALL)
    lab.settle()
    connection = await raw(lab, uuid=held["uuid"])
    try:
        status = await client.ClientFacade.from_connection(connection).FullStatus(patterns=None)
        app = status.applications["keystone"]
        for part in (status, status.model, app, app.units["keystone/0"], status.machines["0"], status.machines["0"].containers["0/lxd/0"], status.relations[0]):
            assert part.unknown_fields == {}
        assert app.units["keystone/0"].subordinates["keystone-mysql-router/0"].workload_status.status == "blocked"
        assert status.applications["keystone-mysql-router"].subordinate_to == ["keystone"]
    finally:
        await connection.close()


async def test_cut_connection(lab):
    connection = await raw(lab, uuid=lab.model()["uuid"])
    lab.fault("juju_drop", facade="Client", request="FullStatus")
    # libjuju either raises or, when the cut comes between its send and its wait, waits for ever.
    with pytest.raises((websockets.ConnectionClosed, asyncio.TimeoutError)):
        await asyncio.wait_for(client.ClientFacade.from_connection(connection).FullStatus(patterns=None), 2)
    await connection.close()


async def test_clouds_and_credentials_by_libjuju(lab):
    controller = Controller()
    await controller.connect(**account(lab))
    try:
        await controller.add_cloud("other", client.Cloud(type_="maas", auth_types=["oauth1"], endpoint="http://127.0.0.1:5241/MAAS"))
        clouds = (await controller.clouds()).clouds
        assert sorted(clouds) == ["cloud-maas-one", "cloud-other"]
        with pytest.raises(JujuAPIError, match="already exists"):
            await controller.add_cloud("other", client.Cloud(type_="maas", auth_types=["oauth1"]))
        credential = client.CloudCredential(auth_type="oauth1", attrs={"maas-oauth": "a:b:c"})
        await controller.add_credential("key", credential=credential, cloud="other", owner="user-admin")
        assert lab.controller["credentials"]["admin"]["other"]["key"]["attributes"] == {"maas-oauth": "a:b:c"}
        await controller.remove_cloud("other")
        with pytest.raises(JujuError, match="still used|used by"):
            await controller.remove_cloud(CLOUD["name"])
    finally:
        await controller.disconnect()


async def test_refresh_and_relations_by_libjuju(lab):
    held = lab.model()
    lab.deploy(held, SMALL)
    lab.settle()
    model = await connect_model(lab, held["uuid"])
    try:
        app = model.applications["keystone"]
        # libjuju's own refresh asks Charmhub from the client; the requests are these.
        origin = {"source": "charm-hub", "track": "2024.1", "risk": "stable", "architecture": "amd64", "base": {"name": "ubuntu", "channel": "22.04/stable"}}
        catalogue = client.CharmsFacade.from_connection(model.connection())
        found = (await catalogue.ResolveCharms(resolve=[{"reference": "ch:keystone", "charm-origin": origin}])).results[0]
        await catalogue.AddCharm(charm_origin=found.charm_origin, url=found.url, force=False)
        facade = client.ApplicationFacade.from_connection(model.connection())
        await facade.SetCharm(application="keystone", charm_url=found.url, charm_origin=found.charm_origin, channel="2024.1/stable", **UNCHANGED)
        assert (held["applications"]["keystone"]["channel"], held["applications"]["keystone"]["revision"]) == ("2024.1/stable", 655)
        lab.settle()
        assert "upgrade@1" in held["units"]["keystone/0"]["done"]
        await app.destroy_relation("shared-db", "keystone-mysql-router:shared-db")
        lab.settle()
        await soon(lambda: "keystone-mysql-router/0" not in model.units)
        with pytest.raises(JujuAPIError, match='application "vault" not found'):
            await model.integrate("keystone:certificates", "vault:certificates")
        await app.set_constraints({"mem": 8192})
        assert (await app.get_constraints())["mem"] == 8192
        await app.expose()
        assert held["applications"]["keystone"]["exposed"]
        await app.unexpose()
        assert not held["applications"]["keystone"]["exposed"]
        async with lab.running(speed=2000):
            await asyncio.wait_for(model.remove_application("keystone", block_until_done=True, timeout=20), 30)
        assert "keystone" not in held["applications"]
    finally:
        await model.disconnect()
