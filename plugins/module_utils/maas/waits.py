# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The work of maas_machine_wait."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import lookup, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import known, status_name
from ansible_collections.stratus.cloud.plugins.module_utils.maas.watch import Watch, explain, failures_for, wait_for


def statuses(values):
    names = [status_name(value) for value in values]
    unknown = [name for name in names if not known(name)]
    if unknown:
        raise MaasError(f"MAAS has no status {', '.join(map(repr, unknown))}")
    return frozenset(names)


def wait_for_machines(client, params, clock=None, sleep=None, emit=None):
    times = {name: value for name, value in (("clock", clock), ("sleep", sleep)) if value}
    goal = statuses(params["status"])
    failing = failures_for(goal) if params.get("fail_status") is None else statuses(params["fail_status"])
    watch = Watch(client, goal | failing, interval=params["wait_interval"], **({"clock": clock} if clock else {}))
    resume = params.get("wait_resume")
    if resume:
        watch.restore(resume["watch"])
    else:
        watch.start()
        for name, machine in lookup(client, params["machines"], summary).items():
            if machine is not None:
                watch.add(machine["hostname"], machine)
            else:
                watch.expect(name)
        if watch.wanted and not params["appear"]:
            raise MaasError(
                f"This region knows no machine {', '.join(watch.wanted)}. Declare it with maas_machine, or set appear to true to wait until it boots.",
                missing=sorted(watch.wanted),
            )
    if not params["wait"] or (client.read_only and not resume):
        machines = list(watch.machines.values())
        arrived = [machine["hostname"] for machine in machines if machine["status"] in goal]
        return dict(changed=False, machines=machines, ready=arrived, failed_machines={}, waited=0.0, progress=[], timeline=[])
    bound = dict(params)
    if params.get("on_failure") == "continue" and params.get("min_ready") is None:
        bound["min_ready"] = 0
    outcome = wait_for(client, watch, goal, bound, emit=emit, failing=failing, **times)
    result = dict(
        changed=False,
        waited=round(outcome.waited, 1),
        progress=outcome.lines,
        timeline=outcome.timeline(),
        ready=list(outcome.done),
        failed_machines={},
    )
    if not outcome.finished:
        return dict(result, unfinished=True, resume=outcome.resume)
    lost = outcome.failed + outcome.pending
    if lost:
        result["failed_machines"] = {detail["machine"]: detail for detail in explain(client, watch, lost)[0]}
    result["machines"] = list(watch.machines.values())
    return result
