# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Actions: asking for one, waiting for its end, and knowing when there is nothing left to do."""

from __future__ import annotations

import contextlib
import re
import time

from ansible_collections.stratus.cloud.plugins.module_utils.juju import model as models
from ansible_collections.stratus.cloud.plugins.module_utils.juju import status as statuses
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused

ENDED = ("completed", "failed", "cancelled", "aborted", "error")


class ActionFailed(JujuFault):
    pass


def _number(tag):
    return str(tag or "").removeprefix("action-")


def _known(client, unit, action):
    """Numbers of the actions of that name that the unit has had or has still to run."""
    answer = client.call(
        "Action",
        "ListOperations",
        {
            "applications": [],
            "units": [unit],
            "machines": [],
            "actions": [action],
            "status": [],
            "offset": 0,
            # The controller tells the oldest first, and caps nothing that is asked for: with few it would keep the newest back.
            "limit": 1_000_000,
        },
        repeat=True,
    )
    found = set()
    for operation in answer.get("results") or []:
        for item in operation.get("actions") or []:
            if _number((item.get("action") or {}).get("tag")):
                found.add(_number(item["action"]["tag"]))
    return found


def start(client, unit, action, params=None):
    """Asks for an action and returns its number. A lost answer is looked for before it is given up."""
    asked = {"actions": [{"receiver": models.tag("unit", unit), "name": action, "parameters": params or {}}]}
    before = None
    # Only needed when the connection breaks.
    with contextlib.suppress(Refused):
        before = _known(client, unit, action)
    try:
        answer = client.call("Action", "EnqueueOperation", asked)
    except ConnectionLost as error:
        new = sorted(_known(client, unit, action) - before, key=int) if before is not None else []
        if not new:
            if before is None:
                raise ConnectionLost(f"{error}; whether {action} runs on {unit} is not known: juju operations -m {client.model} --units {unit}") from None
            answer = client.call("Action", "EnqueueOperation", asked)
        else:
            return new[0]
    result = models.only(answer.get("actions"), f"action {action} on {unit}")
    return _number((result.get("action") or {}).get("tag"))


def look(client, number):
    answer = client.call("Action", "Actions", {"entities": [{"tag": f"action-{number}"}]}, repeat=True)
    return models.only(answer.get("results"), f"action {number}")


def finish(client, number, timeout, interval=5, clock=time.monotonic, sleep=time.sleep):
    """Waits for the end; every way to end is an end. Connections that drop are made anew."""
    began, pause, last = clock(), 0.5, "pending"
    while True:
        left = timeout - (clock() - began)
        try:
            found = look(client, number)
            last = found.get("status") or last
            if last in ENDED:
                found["waited"] = clock() - began
                return found
        except ConnectionLost:
            if left <= 0:
                raise
        if left <= 0:
            look_on = f"juju show-operation -m {client.model} {number}"
            raise JujuFault(f"action {number} is still {last} after {timeout:.0f} s; it goes on: {look_on}", id=number, status=last)
        sleep(max(0.05, min(pause, left)))
        pause = min(pause * 1.5, interval)


def run(client, unit, action, params=None, timeout=600, interval=5, clock=time.monotonic, sleep=time.sleep):
    """Runs an action to its end: {id, status, message, results, waited}. ActionFailed when it did not complete."""
    number = start(client, unit, action, params)
    found = finish(client, number, timeout, interval, clock, sleep)
    output = dict(found.get("output") or {})
    message = found.get("message") or ""
    answer = {
        "id": number,
        "status": found["status"],
        "message": message,
        "results": output,
        "waited": round(found["waited"], 1),
        "unit": unit,
    }
    ended = found["status"]
    # Juju calls a command completed whatever came of it; its code alone tells.
    if ended == "completed" and action == "juju-exec" and str(output.get("return-code", 0)) != "0":
        ended = f"ended with code {output['return-code']}"
    if ended != "completed":
        why = message or output.get("stderr") or "no message"
        where = f"juju show-task -m {client.model} {number}; juju debug-log -m {client.model} --replay --include {unit}"
        raise ActionFailed(f"action {action} on {unit} {ended}: {why}. Look further with: {where}; then run again", **_plain(answer))
    return answer


def matches(results, patterns):
    return all(name in results and re.search(str(pattern), str(results[name])) for name, pattern in (patterns or {}).items())


def _settled(about, rule):
    if rule["workload"] and about["workload"] not in rule["workload"]:
        return False
    return not rule["matches"] or bool(re.search(rule["matches"], about["message"]))


def _plain(answer):
    """What the module returns. A key `results` belongs to loops: Ansible renames it where a module returns one that is no list."""
    return {("output" if key == "results" else key): value for key, value in answer.items()}


def work(module, client):
    options = module.params
    action = options["action"]
    now = statuses.read(client)
    try:
        unit = statuses.target(now, options["unit"])
    except Refused:
        if module.check_mode:
            return {"changed": not options["read_only"], "unit": options["unit"], "waited": 0.0}
        raise
    if options["unless_status"] and _settled(now["units"][unit], options["unless_status"]):
        return {"changed": False, "unit": unit, "waited": 0.0, "skipped_because": "status"}
    diff = {"before": "", "after": f"{action} on {unit}\n"} if not options["read_only"] else None
    changed = not options["read_only"]
    if module.check_mode:
        return {"changed": changed, "unit": unit, "waited": 0.0, **({"diff": diff} if diff else {})}
    guard = options["unless_action"]
    if guard:
        try:
            found = run(client, unit, guard["action"], guard["params"], options["wait_timeout"], options["wait_interval"])
            if matches(found["results"], guard["results"]):
                return {**_plain(found), "changed": False, "skipped_because": guard["action"]}
        except ActionFailed:
            pass
    params = {**options["params"], **options["secret_params"]}
    if not options["wait"]:
        answer = {"id": start(client, unit, action, params), "unit": unit, "status": "pending", "waited": 0.0, "results": {}}
    else:
        answer = run(client, unit, action, params, options["wait_timeout"], options["wait_interval"])
    return {**_plain(answer), "changed": changed, **({"diff": diff} if diff else {})}
