# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Power of machines. Their BMCs are asked, one after the other; what the region remembers may be minutes old."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable, passing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import require, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.transitions import BMC_AWAY, BMC_PAUSES
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


BMC_ERROR = "its BMC answers with an error"
# What may be otherwise some seconds later.
PASSING = (BMC_AWAY, BMC_ERROR)


def why(machine, state):
    """Why a machine whose BMC told this state cannot be switched, as one clause."""
    if state == "unknown":
        return f"MAAS has no control over its power (power type {machine['power_type']!r})"
    return BMC_ERROR if state == "error" else state


def tell(client, machine, params):
    """Tell one machine to switch; why it cannot be, or None. Nothing is sent in check mode."""
    wanted = params["state"]
    data = {"stop_mode": params["stop_mode"]} if wanted == "off" else {}
    if client.read_only:
        return None
    try:
        what = f"power {wanted} {machine['hostname']}"
        client.call("Machine", f"power_{wanted}", {"system_id": machine["system_id"]}, data, what=what, settled=lambda: None)
    except ApiError as error:
        if error.retry_after is not None:
            # What was waited for in vain once is waited for no more: the other machines find it as it is.
            client.retry_for = 0.0
        return str(error)
    return None


def switch(client, machines, params, sleep):
    """Tell all machines that are not there yet to switch: ({name: power before that}, the module's result so far).

    A BMC that is away keeps no other machine from it: it is asked again after those were told, together with all that are away.
    MaasError: not all could be told. Its result says which were all the same (``switched``), and of the rest why not (``failed_machines``).
    """
    wanted, patience = params["state"], client.retry_for
    states, switched, failed, todo = {}, [], {}, list(machines)
    try:
        for pause in (0.0, *BMC_PAUSES):
            if pause and todo:
                sleep(pause)
            states.update({name: query(client, machines[name]) for name in todo})
            for name in todo:
                failed.pop(name, None)
                if states[name] == wanted:
                    continue
                problem = tell(client, machines[name], params) if states[name] in ("on", "off") else why(machines[name], states[name])
                if problem:
                    failed[name] = problem
                else:
                    switched.append(name)
            todo = [name for name in todo if any(sign in failed.get(name, "") for sign in PASSING)]
        if failed:
            failed = {name: failed[name] for name in machines if name in failed}
            told = "; ".join(f"{name}: {problem.rstrip('.')}" for name, problem in failed.items())
            done = f". Powered {wanted}: {', '.join(switched)}" if switched else ""
            raise MaasError(f"{len(failed)} of {len(machines)} machines cannot be powered {wanted}: {told}{done}", power=states, failed_machines=failed)
    except MaasError as error:
        # Also when the region was lost under way.
        error.result.update(changed=bool(switched), switched=switched)
        raise
    finally:
        client.retry_for = patience
    diff = dict(before={name: states[name] for name in switched}, after=dict.fromkeys(switched, wanted))
    return states, dict(changed=bool(switched), switched=switched, diff=diff)


def ensure_power(client, params, clock=None, sleep=None, emit=None):
    wanted = params["state"]
    resume = params.get("wait_resume") or {}
    machines = {machine["hostname"]: machine for machine in require(client, params["machines"], summary).values()}
    if resume:
        # A later slice of a wait: all were told in the first.
        states, result = {name: query(client, machine) for name, machine in machines.items()}, resume["result"]
    else:
        states, result = switch(client, machines, params, sleep or time.sleep)
    if client.read_only:
        return dict(result, power={**states, **result["diff"]["after"]}, waited=0.0)
    moving = [name for name, state in states.items() if state != wanted]
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
