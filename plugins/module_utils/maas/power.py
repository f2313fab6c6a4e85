# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Power of machines. Their BMCs are asked, one after the other; what the region remembers may be minutes old."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable, passing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import require, summary
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, PENDING, Waiter


def query(client, machine):
    """ "on", "off", or why nobody knows."""
    try:
        answer = client.call(
            "Machine", "query_power_state", {"system_id": machine["system_id"]}, what=f"ask the BMC of {machine['hostname']} for its power state"
        )
    except ApiError as error:
        if error.status < 500:
            raise
        return str(error)
    return answer.get("state") or "unknown"


def ensure_power(client, params, clock=None, sleep=None, emit=None):
    wanted = params["state"]
    resume = params.get("wait_resume") or {}
    machines = {machine["hostname"]: machine for machine in require(client, params["machines"], summary).values()}
    states = {name: query(client, machine) for name, machine in machines.items()}
    lost = {name: state for name, state in states.items() if state not in ("on", "off")}
    if lost and not resume:
        told = "; ".join(
            f"{name}: {'MAAS has no control over its power (power type ' + repr(machines[name]['power_type']) + ')' if state == 'unknown' else state}"
            for name, state in lost.items()
        )
        raise MaasError(f"The power of {len(lost)} of {len(machines)} machines cannot be controlled: {told}", power=states)
    acting = [] if resume else [name for name, state in states.items() if state != wanted]
    result = resume.get("result") or dict(changed=bool(acting), diff=dict(before={name: states[name] for name in acting}, after=dict.fromkeys(acting, wanted)))
    if client.read_only:
        return dict(result, power={**states, **dict.fromkeys(acting, wanted)}, waited=0.0)
    for name in acting:
        data = {"stop_mode": params["stop_mode"]} if wanted == "off" else {}
        client.call("Machine", f"power_{wanted}", {"system_id": machines[name]["system_id"]}, data, what=f"power {wanted} {name}", settled=lambda: None)
    moving = acting or [name for name, state in states.items() if state != wanted]
    if not moving or not params["wait"]:
        return dict(result, power=states, waited=0.0)

    def poll():
        # Only those that are not there yet are asked again.
        for name in moving:
            if states[name] != wanted:
                states[name] = query(client, machines[name])
        return {name: states[name] for name in moving}

    times = {name: value for name, value in (("clock", clock), ("sleep", sleep)) if value}
    waiter = Waiter(
        params["wait_timeout"],
        interval=params["wait_interval"],
        tolerate=(Unreachable,),
        goal=wanted,
        emit=emit,
        elapsed=resume.get("elapsed", 0.0),
        slice_seconds=params.get("wait_slice"),
        remedy="A soft stop needs an operating system that listens: try stop_mode hard" if params["stop_mode"] == "soft" else "Look at the BMC",
        **times,
    )
    outcome = waiter.run(moving, passing(client, poll), lambda name, state: DONE if state == wanted else PENDING, {name: states[name] for name in moving})
    done = dict(result, power=states, waited=round(outcome.waited, 1), progress=outcome.lines)
    if not outcome.finished:
        done.update(unfinished=True, resume=dict(elapsed=outcome.waited, line=outcome.line, result=result))
    return done
