"""Machines and everything that is done to them."""

from __future__ import annotations

from typing import Any

from lab.errors import ApiError, bad, forbidden
from lab.faces.maas.call import Call, Reply
from lab.faces.maas.handlers.nodes import details, in_progress, power_parameters, registered, set_zone
from lab.faces.maas.registry import REGISTRY, Handler
from lab.world.maas import states

anonymous = Handler("AnonMachinesHandler", "machines/")
machines = REGISTRY.add("MachinesHandler", "machines/", anonymous=anonymous)
machine = REGISTRY.add("MachineHandler", "machines/{system_id}/")

anonymous.get("is_registered")(registered)
anonymous.get("is_action_in_progress")(in_progress)
machines.get("is_registered")(registered)
machines.post("set_zone", admin="")(set_zone)
machine.get("details")(details)
machine.get("power_parameters", admin="")(power_parameters)


@anonymous.create()
def enlist(call: Call) -> Any:
    """A machine reports itself."""
    return call.render.enlisted(call.maas.machines.create(call.data, None))


@anonymous.post("accept")
def accept_anonymously(call: Call) -> Any:
    raise forbidden()


@machines.read()
def list_machines(call: Call) -> Any:
    """All machines that pass the filters; only those are rendered."""
    rows = call.maas.machines()
    if not call.admin:
        rows = [row for row in rows if row["owner"] in (None, call.user)]
    return [call.render.machine(row) for row in call.maas.selecting.filtered(rows, call.query)]


@machines.create()
def create_machine(call: Call) -> Any:
    return call.render.machine(call.maas.machines.create(call.data, call.user))


@machines.post("allocate")
def allocate(call: Call) -> Any:
    if call.json_body:
        raise ApiError(500, "'dict' object has no attribute 'lists'")
    row = call.maas.selecting.allocate(call.data, call.user)
    verbose = {"verbose_storage": {}, "verbose_interfaces": {}} if call.data.flag("verbose") else {}
    return call.render.machine(row, constraints_by_type=verbose)


@machines.post("release")
def release_many(call: Call) -> Any:
    return call.maas.machines.release_many(call.data, call.user)


@machines.post("accept", admin="")
def accept(call: Call) -> Any:
    return [call.render.machine(row) for row in call.maas.machines.accept_many(call.data.list("machines"), call.user)]


@machines.post("accept_all", admin="")
def accept_all(call: Call) -> Any:
    return [call.render.machine(row) for row in call.maas.machines.accept_many(None, call.user)]


@machines.get("list_allocated")
def list_allocated(call: Call) -> Any:
    rows = [row for row in call.maas.machines() if row["owner"] == call.user and row["status"] == states.ALLOCATED]
    wanted = set(call.query.list("id"))
    return [call.render.machine(row) for row in rows if not wanted or row["system_id"] in wanted]


@machines.get("power_parameters", admin="")
def many_power_parameters(call: Call) -> Any:
    wanted = call.query.list("id")
    rows = [row for row in call.maas.machines() if not wanted or row["system_id"] in wanted]
    return {row["system_id"]: dict(row["power_parameters"]) for row in rows}


@machine.read()
def read_machine(call: Call) -> Any:
    return call.render.machine(call.node)


@machine.update(admin="")
def update_machine(call: Call) -> Any:
    return call.render.machine(call.maas.machines.update(call.node, call.data))


@machine.delete(admin="")
def delete_machine(call: Call) -> None:
    call.maas.machines.delete(call.node)


def _before(row: Any) -> dict[str, Any]:
    """Keys that a reply still shows as they were: the change comes after the answer."""
    shown = {name: row[name] for name in ("status", "status_name", "commissioning_status", "testing_status", "storage_test_status")}
    if row["status"] == states.TESTING:
        shown["owner"] = row["owner"]
    return shown


@machine.post("commission", admin="")
def commission(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.commission(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("test", admin="")
def test(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.test(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("abort", admin="")
def abort(call: Call) -> Any:
    row = call.node
    before = _before(row)
    call.maas.lifecycle.abort(row, call.data, call.user)
    return call.render.machine({**row, **before})


@machine.post("deploy")
def deploy(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.deploy(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("release")
def release(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.release(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("mark_broken")
def mark_broken(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.mark_broken(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("mark_fixed", admin="")
def mark_fixed(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.mark_fixed(row, call.data, call.user)
    return call.render.machine(row)


def _need_owner(call: Call, row: Any) -> None:
    if not call.admin and row["owner"] != call.user:
        raise forbidden()


@machine.post("lock")
def lock(call: Call) -> Any:
    row = call.node
    _need_owner(call, row)
    call.maas.lifecycle.lock(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("unlock")
def unlock(call: Call) -> Any:
    row = call.node
    _need_owner(call, row)
    call.maas.lifecycle.unlock(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("rescue_mode", admin="")
def rescue_mode(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.rescue(row, call.user)
    return call.render.machine(row)


@machine.post("exit_rescue_mode", admin="")
def exit_rescue_mode(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.exit_rescue(row, call.user)
    return call.render.machine(row)


@machine.post("override_failed_testing", admin="")
def override_failed_testing(call: Call) -> Any:
    row = call.node
    call.maas.lifecycle.override(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("power_on")
def power_on(call: Call) -> Any:
    row = call.node
    _need_owner(call, row)
    call.maas.lifecycle.power_on(row, call.data, call.user)
    return call.render.machine(row)


@machine.post("power_off")
def power_off(call: Call) -> Any:
    row = call.node
    _need_owner(call, row)
    return call.render.machine(row) if call.maas.lifecycle.power_off(row) else Reply(None)


@machine.get("query_power_state")
def query_power_state(call: Call) -> Any:
    return {"state": call.maas.power.query(call.node)}


@machine.post("set_storage_layout", admin="")
def set_storage_layout(call: Call) -> Any:
    row = call.node
    call.maas.storage.set_layout(row, call.data)
    return call.render.machine(row)


@machine.post("clear_default_gateways", admin="")
def clear_default_gateways(call: Call) -> Any:
    row = call.node
    row["gateway_link"] = None
    return call.render.machine(row)


def _restore(op: str, network: bool, storage: bool) -> None:
    @machine.post(op, admin="")
    def restore(call: Call) -> Any:
        row = call.node
        states.check(op, row)
        if network:
            call.maas.interfaces.discover(row, call.maas.nodes.hardware_of(row))
        if storage:
            call.maas.storage.apply(row, call.maas.config.get("default_storage_layout"))
        return call.render.machine(row)


_restore("restore_default_configuration", True, True)
_restore("restore_networking_configuration", True, False)
_restore("restore_storage_configuration", False, True)


@machine.post("set_owner_data")
def set_owner_data(call: Call) -> Any:
    return call.render.machine(call.maas.machines.set_owner_data(call.node, call.data, call.user))


@machine.post("set_workload_annotations")
def set_workload_annotations(call: Call) -> Any:
    return call.render.machine(call.maas.machines.set_owner_data(call.node, call.data, call.user))


@machine.get("get_token")
def get_token(call: Call) -> Any:
    """The key of the machine's own agent: only one that runs something for the region has one."""
    row = call.node
    if row["run"] == 0:
        return Reply(None)
    token = row.setdefault(
        "token", {"token_key": call.maas.users.secret(18), "token_secret": call.maas.users.secret(32), "consumer_key": call.maas.users.secret(18)}
    )
    return dict(token)


@machine.get("get_curtin_config")
def get_curtin_config(call: Call) -> Any:
    """A much shorter installer configuration than the real one: what is installed, and where."""
    row = call.node
    if row["status"] not in (states.DEPLOYING, states.DEPLOYED):
        raise bad(f"Machine {row['hostname']} is not in a deployment state.")
    text = f"install:\n  log_file: /tmp/install.log\nnetwork: {{config: [], version: 1}}\nrelease: {row['distro_series']}\n"
    return Reply(text, content_type="text/plain")
