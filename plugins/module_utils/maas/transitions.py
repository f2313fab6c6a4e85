# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From a machine's status to a desired one: which operations, in which order, or why not. ``plan`` is pure; ``bring`` acts."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import by_ids, require, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import CONSTANTS, GOALS, IN_USE, STUCK_AFTER, TRANSITIONAL, juju_model, machine_status
from ansible_collections.stratus.cloud.plugins.module_utils.maas.watch import REMEDY, VANISHED, Watch, explain, failures_for, wait_for
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import Pace, WaitFailed

STATES = (
    "ready",
    "commissioned",
    "tested",
    "allocated",
    "deployed",
    "released",
    "broken",
    "fixed",
    "locked",
    "unlocked",
    "rescue",
    "rescued",
    "aborted",
)


@dataclass
class Step:
    """What to do with one machine. ``ops``: operations in order; ``wait``: whether its status still has to arrive."""

    ops: list = field(default_factory=list)
    wait: bool = False
    alone: str | None = None  # why it is left as it is
    refuse: str | None = None  # why it cannot be done


RELEASING = ("Releasing", "Disk erasing")
ABORTABLE = ("Commissioning", "Deploying", "Disk erasing", "Testing")

# state -> {status: Step arguments}. What is not listed is refused. "!" before a status stands for nothing: plain names only.
TABLE = {
    "ready": {
        "New": {"ops": ["commission"], "wait": True},
        "Failed commissioning": {"ops": ["commission"], "wait": True},
        "Failed testing": {"ops": ["test"], "wait": True},
        "Commissioning": {"wait": True},
        "Testing": {"wait": True},
        "Releasing": {"wait": True},
        "Disk erasing": {"wait": True},
        "Ready": {},
    },
    "tested": {
        **{status: {"ops": ["test"], "wait": True} for status in ("Ready", "Allocated", "Deployed", "Failed testing")},
        "Testing": {"wait": True},
    },
    "allocated": {"Ready": {"ops": ["allocate"]}, "Allocated": {}},
    "deployed": {
        "Ready": {"ops": ["deploy"], "wait": True},
        "Allocated": {"ops": ["deploy"], "wait": True},
        "Deploying": {"wait": True},
        "Deployed": {},
    },
    "released": {
        **{
            status: {"ops": ["release"], "wait": True}
            for status in (
                "Reserved",
                "Deployed",
                "Broken",
                "Deploying",
                "Allocated",
                "Failed deployment",
                "Releasing failed",
                "Failed disk erasing",
            )
        },
        "Releasing": {"wait": True},
        "Disk erasing": {"wait": True},
        "Ready": {},
        "New": {},
    },
    "broken": {
        "Broken": {},
        "Ready": {"ops": ["allocate", "mark_broken"]},
        **{
            status: {"ops": ["mark_broken"]}
            for status in (
                "Commissioning",
                "Deployed",
                "Deploying",
                "Allocated",
                "Failed deployment",
                "Releasing",
                "Releasing failed",
                "Disk erasing",
                "Failed disk erasing",
                "Rescue mode",
                "Failed to enter rescue mode",
                "Failed to exit rescue mode",
                "Testing",
                "Failed testing",
            )
        },
    },
    "fixed": {"Broken": {"ops": ["mark_fixed"]}},
    "rescue": {
        **{
            status: {"ops": ["rescue_mode"], "wait": True}
            for status in (
                "New",
                "Failed commissioning",
                "Missing",
                "Ready",
                "Reserved",
                "Deployed",
                "Retired",
                "Broken",
                "Allocated",
                "Failed deployment",
                "Failed disk erasing",
                "Failed to enter rescue mode",
                "Failed testing",
            )
        },
        "Entering rescue mode": {"wait": True},
        "Rescue mode": {},
    },
    "rescued": {
        **{
            status: {"ops": ["exit_rescue_mode"], "wait": True}
            for status in ("Rescue mode", "Entering rescue mode", "Failed to enter rescue mode", "Failed to exit rescue mode")
        },
        "Exiting rescue mode": {"wait": True},
    },
    "aborted": {status: {"ops": ["abort"]} for status in ABORTABLE},
}
TABLE["commissioned"] = TABLE["ready"]

# Already beyond what was asked for: nothing to do, but say so.
BEYOND = {
    "ready": IN_USE,
    "commissioned": IN_USE,
    "allocated": frozenset(("Deploying", "Deployed")),
    "fixed": frozenset(("Ready", "Allocated", "Deployed", "New", "Commissioning", "Testing", "Deploying", "Releasing", "Disk erasing")),
}


def plan(state, machine, params=None):
    """The step for one machine. ``params``: fix_broken, override_failed_testing, force, unlock."""
    params = params or {}
    status = machine_status(machine)
    if state in ("locked", "unlocked"):
        return _lock(state, status, bool(machine.get("locked")))
    prefix = []
    if machine.get("locked") and state in ("released", "broken"):
        if not params.get("unlock"):
            return Step(refuse="it is locked; unlock it first (state=unlocked), or set unlock to true")
        prefix = ["unlock"]
    if state in ("ready", "commissioned"):
        if status == "Broken" and params.get("fix_broken"):
            # Not mark_fixed before it: the machine would be Ready for whoever looks next, should the commissioning be refused.
            return Step(["commission"], True)
        if status == "Failed testing" and params.get("override_failed_testing"):
            return Step(["override_failed_testing"], True)
        if status == "Ready" and params.get("force"):
            return Step(["commission"], True)
        if status == "Failed deployment" and juju_model(machine):
            # Juju's until it is taken out of the model, which releases it.
            return Step(alone="Juju has it, and its deployment failed")
    if state == "tested" and status == "Ready" and machine.get("testing_status") == 2 and not params.get("force"):
        return Step(alone="it passed its tests already")
    if state == "deployed" and status == "Failed deployment" and params.get("redeploy"):
        return Step(["release", "deploy"], True)
    found = TABLE[state].get(status)
    if found is not None:
        step = Step(prefix + list(found.get("ops", [])), found.get("wait", False))
        return step if step.ops else Step(wait=step.wait)
    if status in BEYOND.get(state, ()):
        return Step(alone=f"it is {status}")
    if state in ("aborted", "rescued") and status not in TRANSITIONAL:
        return Step(alone=f"it is {status}")
    return Step(refuse=f"it is {status}; {_remedy(state, status)}")


def _lock(state, status, locked):
    if state == "unlocked":
        return Step(["unlock"] if locked else [])
    if locked:
        return Step()
    if status in ("Deployed", "Deploying"):
        return Step(["lock"])
    return Step(refuse=f"it is {status}, and only a machine that is Deployed or Deploying can be locked")


def _remedy(state, status):
    if status == "Broken" and state in ("ready", "commissioned"):
        return "repair it and set fix_broken to true"
    if status in IN_USE or status in ("Failed deployment", "Releasing failed", "Failed disk erasing"):
        return "release it first (state=released)"
    if status in RELEASING:
        return "wait until it is Ready (state=released does)"
    if status in ABORTABLE:
        return "wait for the end of that (maas_machine_wait), or stop it (state=aborted)"
    if status in ("New", "Failed commissioning", "Failed testing"):
        return "bring it to Ready first (state=ready)"
    return REMEDY.get(status, "look at it in MAAS")


# Options of the operations, from the module's options

OPTIONS = {
    "commission": (
        "enable_ssh",
        "skip_bmc_config",
        "skip_networking",
        "skip_storage",
        "commissioning_scripts",
        "testing_scripts",
    ),
    "test": ("enable_ssh", "testing_scripts"),
    "deploy": (
        "distro_series",
        "hwe_kernel",
        "user_data",
        "install_kvm",
        "register_vmhost",
        "ephemeral_deploy",
        "enable_hw_sync",
        "agent_name",
        "comment",
    ),
    "allocate": ("agent_name", "comment"),
    "release": ("erase", "secure_erase", "quick_erase", "comment"),
    "mark_broken": ("comment",),
    "mark_fixed": ("comment",),
    "lock": ("comment",),
    "unlock": ("comment",),
    "abort": ("comment",),
    "override_failed_testing": ("comment",),
    "rescue_mode": (),
    "exit_rescue_mode": (),
}
FLAGS_AS_NUMBER = frozenset(("enable_ssh", "skip_bmc_config", "skip_networking", "skip_storage"))


def form_of(op, params):
    """The form of an operation. Script lists are one field with commas; an empty list means none of them."""
    form = {}
    for name in OPTIONS[op]:
        value = params.get(name)
        if value is None or (value is False and name in FLAGS_AS_NUMBER):
            continue
        if name in FLAGS_AS_NUMBER:
            value = 1
        elif name in ("commissioning_scripts", "testing_scripts"):
            value = ",".join(value) or "none"
        form[name] = value
    return form


# What an operation leaves behind at once: tells whether a lost answer was a done deed. The status that the machine had before tells nothing.
LEADS_TO = {
    "commission": ("Commissioning", "Testing", "Ready"),
    "test": ("Testing",),
    "deploy": ("Deploying", "Deployed"),
    "allocate": ("Allocated",),
    "release": ("Releasing", "Disk erasing", "Ready"),
    "mark_broken": ("Broken",),
    "mark_fixed": ("Ready",),
    "rescue_mode": ("Entering rescue mode", "Rescue mode"),
    "exit_rescue_mode": ("Exiting rescue mode",),
    "override_failed_testing": ("Ready", "Deployed"),
    # Back to where it began, which the region knows. One that came to its end meanwhile has nothing left to stop either.
    "abort": tuple(status for status in CONSTANTS if status not in TRANSITIONAL),
}


# Releasing a machine that is powered on takes its time, and meanwhile the region refuses these operations.
NOT_WHILE_RELEASING = frozenset(("commission", "test", "allocate", "deploy"))

# A BMC that is busy or restarts is away for some seconds; the region takes the operation back each time. Seconds before the next tries.
BMC_AWAY = "Could not contact node's BMC"
BMC_PAUSES = (5.0, 15.0)


def act(client, machines, steps, params, clock, sleep):
    """The operations of all steps; ({name: machine as it is now}, {name: why it failed}, {name: operations that were done}).

    BMCs that are away are asked again, all together.

    The first operation of all machines comes before the second of any: what takes its time after the first takes it for all at once.
    When the region was waited for in vain once, it is waited for no more: the next machine's operation would find it as it is.
    """
    left = {name: list(steps[name].ops) for name in machines if steps[name].ops}
    done, did, failed, patience = {name: machines[name] for name in left}, {name: [] for name in left}, {}, client.retry_for
    todo = list(left)
    try:
        for pause in (0.0, *BMC_PAUSES):
            if pause and todo:
                sleep(pause)
                todo = _look_again(client, params, todo, done, left, failed)
            busy = [name for name in todo if left[name]]
            while busy:
                since = clock()
                for name in busy:
                    done[name], error = _perform(client, left[name][0], done[name], params, since, clock, sleep)
                    if error is None:
                        did[name].append(left[name].pop(0))
                        continue
                    failed[name] = str(error)
                    if isinstance(error, Unreachable) or error.retry_after is not None:
                        client.retry_for = 0.0
                busy = [name for name in busy if left[name] and name not in failed]
            todo = [name for name in todo if BMC_AWAY in failed.get(name, "")]
    finally:
        client.retry_for = patience
    return done, {name: _told(why, did[name], left[name], machine_status(done[name])) for name, why in failed.items()}, did


def _look_again(client, params, todo, done, left, failed):
    """The names of those whose BMC was away and that can be tried again; ``left`` then says with what. The others stay failed."""
    found = {machine["system_id"]: machine for machine in by_ids(client, [done[name]["system_id"] for name in todo], summary)}
    again = []
    for name in todo:
        machine = found.get(done[name]["system_id"])
        if machine is None:
            continue
        before, done[name] = machine_status(done[name]), machine
        if machine_status(machine) != before:
            # The region or somebody else went on with it meanwhile.
            step = plan(params["state"], machine, params)
            if step.refuse or step.alone:
                continue
            left[name] = list(step.ops)
        del failed[name]
        again.append(name)
    return again


def _perform(client, op, machine, params, since, clock, sleep):
    """One operation; the machine after it, and what went wrong."""
    try:
        if op in NOT_WHILE_RELEASING:
            machine = _released(client, machine, params, since, clock, sleep)
        return summary(operate(client, op, machine, params)), None
    except (ApiError, Unreachable) as error:
        return machine, error


def _released(client, machine, params, since, clock, sleep):
    """The machine once its release is through. One that stays in it for too long is left to the region, which refuses what comes next."""
    pace = Pace(params.get("wait_interval") or 10.0)
    while (status := machine_status(machine)) in RELEASING:
        left = since + min(STUCK_AFTER[status], params.get("wait_timeout") or STUCK_AFTER[status]) - clock()
        if left <= 0:
            break
        sleep(pace.next(left))
        machine = summary(client.read("Machine", {"system_id": machine["system_id"]}, what=f"read machine {machine['hostname']}"))
    return machine


def _told(why, did, left, status):
    """Why a machine failed, and where that leaves it when only a part was done."""
    if not did:
        return why
    force = " (with force, because it is Ready)" if (left[0], status) == ("commission", "Ready") else ""
    return f"{why.rstrip('.')}. Done before that: {', '.join(did)}. It is {status} now, and still to do is: {', '.join(left)}{force}"


def operate(client, op, machine, params):
    """One operation on one machine; returns the machine as the region then describes it."""
    system_id, called = machine["system_id"], machine["hostname"]
    form = form_of(op, {**params, "skip_bmc_config": params.get("skip_bmc_config") or called in (params.get("skip_bmc_config_of") or ())})
    # A machine that still is what it was says nothing of the operation: one that was Ready before it was commissioned is Ready after a refusal.
    leads_to = set(LEADS_TO.get(op, ())) - {machine_status(machine)}

    def settled():
        found = client.find("Machine", {"system_id": system_id})
        if found is None:
            return machine
        if op in ("lock", "unlock"):
            return found if bool(found.get("locked")) == (op == "lock") else None
        return found if machine_status(found) in leads_to else None

    what = f"{op.replace('_', ' ')} machine {called}"
    if op == "allocate":
        return client.call("Machines", "allocate", data={"system_id": system_id, **form}, what=what, settled=settled)
    try:
        answer = client.call("Machine", op, {"system_id": system_id}, form, what=what, settled=settled)
    except ApiError as error:
        # The region commissions new machines by itself: between our look and our word it may have done what we ask for.
        answer = settled() if error.status in (400, 409) else None
        if answer is None or answer is machine:
            raise
    # The answer to an abort still tells of the machine before it.
    told = op != "abort" and isinstance(answer, dict) and "system_id" in answer
    return answer if told else client.read("Machine", {"system_id": system_id})


def bring(client, params, clock=None, sleep=None, emit=None):
    """The work of maas_machine_state. Returns the module's result."""
    times = {name: value for name, value in (("clock", clock), ("sleep", sleep)) if value}
    state, resume = params["state"], params.get("wait_resume") or {}
    goal = GOALS.get(state, frozenset())
    watch = Watch(client, set(goal) | failures_for(goal) | {"New"}, interval=params.get("wait_interval", 10.0), **({"clock": clock} if clock else {}))
    will_wait = bool(params.get("wait", True) and goal and not client.read_only)
    if resume:
        # A later slice of a wait: everything but the wait was done in the first.
        result = resume["result"]
        watch.restore(resume["watch"])
        _wait(client, params, watch, goal, result, resume, times, emit)
        return _finish(params, result, list(watch.machines.values()), goal, will_wait)
    if will_wait:
        watch.start()
    machines = require(client, params["machines"], summary)
    steps = {name: plan(state, machine, params) for name, machine in machines.items()}
    refused = {machines[name]["hostname"]: step.refuse for name, step in steps.items() if step.refuse}
    tolerant = (params.get("on_failure") or "fail") == "continue"
    if refused and not tolerant:
        told = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise MaasError(f"Cannot bring {len(refused)} of {len(machines)} machines to {state}: {told}", refused=refused, changed=False)
    acting = {name: step.ops for name, step in steps.items() if step.ops}
    done, failed = {}, {}
    if not client.read_only:
        done, failed, did = act(client, machines, steps, params, clock or time.monotonic, sleep or time.sleep)
        acting = {name: ops for name, ops in did.items() if ops}
    result = dict(
        changed=bool(acting),
        diff=dict(
            before={machines[name]["hostname"]: _state_text(machines[name]) for name in acting},
            after={machines[name]["hostname"]: f"{state} (by {', '.join(ops)})" for name, ops in acting.items()},
        ),
        left_alone={machines[name]["hostname"]: step.alone for name, step in steps.items() if step.alone},
        failed_machines=dict(refused),
        waited=0.0,
        progress=[],
        timeline=[],
        settled=[],
    )
    for name, machine in {**machines, **done}.items():
        if name in failed:
            result["failed_machines"][machine["hostname"]] = failed[name]
            result["settled"].append(machine)
        elif will_wait and steps[name].wait:
            watch.add(machine["hostname"], machine)
        else:
            result["settled"].append(machine)
    if watch.names:
        _wait(client, params, watch, goal, result, {}, times, emit)
    return _finish(params, result, list(watch.machines.values()), goal, will_wait)


def _finish(params, result, machines, goal, waited):
    """The result of the module, and whether it is a success after all."""
    if result.get("unfinished"):
        return result
    machines = result.pop("settled") + machines
    result["machines"] = machines
    result["ready"] = [machine["hostname"] for machine in _there(result, machines, goal)]
    lost = result["failed_machines"]
    texts = [f"{name}: {why if isinstance(why, str) else why['text']}" for name, why in lost.items()]
    if params.get("min_ready") is not None and waited:
        if len(result["ready"]) < params["min_ready"]:
            needed = f"{len(result['ready'])} machines are {params['state']}, and at least {params['min_ready']} have to be"
            raise MaasError("; ".join([needed, *texts]), **result)
    elif texts and params.get("on_failure") != "continue":
        raise MaasError("; ".join(texts), **result)
    return result


def _there(result, machines, goal):
    """Those that are where they shall be, or beyond. One whose operation failed is not, though its status may be the right one."""
    found = [machine for machine in machines if machine["status"] in goal or machine["hostname"] in result["left_alone"]]
    return [machine for machine in found if machine["hostname"] not in result["failed_machines"]]


def _state_text(machine):
    return machine_status(machine) + (" (locked)" if machine.get("locked") else "")


def _wait(client, params, watch, goal, result, resume, times, emit):
    """Wait for the set, retrying what failed as often as was asked for."""
    on_failure = params.get("on_failure") or "fail"
    left = dict(resume.get("retries") or {})
    bound = dict(params, fail_fast=on_failure == "retry")
    if params.get("min_ready") is not None:
        # Those that were there already count too.
        bound["min_ready"] = max(0, params["min_ready"] - len(_there(result, result["settled"], goal)))
    elif on_failure == "continue":
        bound["min_ready"] = 0
    failing = failures_for(goal) | ({"New"} if params["state"] in ("ready", "commissioned") else set())
    clock, sleep = times.get("clock", time.monotonic), times.get("sleep", time.sleep)
    while True:
        try:
            outcome = wait_for(client, watch, goal, bound, emit=emit, failing=failing, **times)
            break
        except WaitFailed as error:
            lost = list(error.outcome.failed)
            if on_failure != "retry" or any(left.get(name, 0) >= params.get("retries", 1) for name in lost):
                raise
            began = clock()
            for name in lost:
                left[name] = left.get(name, 0) + 1
                result.setdefault("retried", {})[name] = left[name]
                watch.add(name, retry(client, params, watch_id(watch, name), name, clock, sleep))
            result["progress"] += error.outcome.lines
            result["timeline"] += error.outcome.timeline()
            # The others have been in their statuses for as long as they have, and the time that the retries took is nobody's gift.
            spent = clock() - began
            others = {name: [status, age + spent] for name, (status, age) in error.since.items() if name not in lost}
            bound["wait_resume"] = {"elapsed": error.outcome.waited + spent, "since": others}
    result["waited"] = round(outcome.waited, 1)
    result["progress"] += outcome.lines
    result["timeline"] += outcome.timeline()
    if not outcome.finished:
        result["unfinished"] = True
        kept = {name: value for name, value in result.items() if name not in ("unfinished", "resume")}
        result["resume"] = {**outcome.resume, "retries": left, "result": dict(kept, progress=[], timeline=[])}
        return
    result.pop("unfinished", None)
    lost = outcome.failed + outcome.pending
    if lost:
        for detail in explain(client, watch, lost)[0]:
            result["failed_machines"][detail["machine"]] = detail


def watch_id(watch, name):
    return next(system_id for system_id, called in watch.names.items() if called == name)


def retry(client, params, system_id, name, clock, sleep):
    """Try a machine again that failed or is stuck: stop what runs, power it off, start over."""
    machine = client.find("Machine", {"system_id": system_id})
    if machine is None:
        raise MaasError(f"{name} cannot be tried again: it is {VANISHED} from MAAS")
    status = machine_status(machine)
    if status in GOALS.get(params["state"], ()):
        # It arrived after all, between the verdict and this look.
        return machine
    if status in ABORTABLE:
        machine = operate(client, "abort", machine, {})
    # What was stopped is back where it began, Ready perhaps: without force that would pass for the end of it.
    step = plan(params["state"], machine, dict(params, fix_broken=True, redeploy=True, force=True))
    if step.refuse:
        raise MaasError(f"{name} cannot be tried again: {step.refuse}")
    if not (step.ops or step.wait):
        return machine
    # A BMC that does not answer now may answer the next operation, and that one will say so if not.
    with suppress(ApiError):
        client.call("Machine", "power_off", {"system_id": system_id}, {"stop_mode": "hard"}, what=f"power off machine {name}", settled=lambda: None)
    for op in step.ops:
        machine, error = _perform(client, op, machine, params, clock(), clock, sleep)
        if error is not None:
            raise error
    return machine
