# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Waiting for a model: one FullStatus for each look, verdicts for each application, failures that are tried again where told."""

from __future__ import annotations

import contextlib
import re
import time

from ansible_collections.stratus.cloud.plugins.module_utils import waiter
from ansible_collections.stratus.cloud.plugins.module_utils.juju import expect
from ansible_collections.stratus.cloud.plugins.module_utils.juju import model as models
from ansible_collections.stratus.cloud.plugins.module_utils.juju import status as statuses
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused

ALL = "the model"
UNREAD, EMPTY = "not read yet", "without applications"
FINAL = {expect.PENDING: waiter.PENDING, expect.DONE: waiter.DONE, expect.FAILED: waiter.FAILED}


class Watch:
    """The readings of one wait, over however many slices."""

    def __init__(self, client, rules, resolve=(), clock=time.monotonic, resume=None):
        self.client, self.rules, self.clock = client, rules, clock
        self.judge = expect.Judge(rules, clock)
        self.resolve = [{**rule, "pattern": re.compile(rule["matches"])} for rule in resolve]
        resume = resume or {}
        self.resolved = list(resume.get("resolved") or [])
        self.requests_before = resume.get("requests") or 0
        self._attempts = dict(resume.get("attempts") or {})
        self._in_error = set(resume.get("in_error") or [])
        now = clock()
        for name, kind, lasted in resume.get("troubles") or []:
            self.judge._since[(name, kind)] = now - lasted
        self.status = None
        self.found = {}
        self.began = now
        self.elapsed_before = 0.0
        self.timeline = []
        self._shown = {}

    def resume(self):
        now = self.clock()
        return {
            "resolved": self.resolved,
            "requests": self.requests_before + self.client.requests,
            "attempts": self._attempts,
            "in_error": sorted(self._in_error),
            "troubles": [[name, kind, now - since] for (name, kind), since in self.judge._since.items()],
        }

    def poll(self):
        self.status = statuses.read(self.client)
        self._note()
        self._resolve()
        self.found = {name: self.judge.application(name, self.status) for name in self.rules.names(self.status)}
        return self.found

    def _note(self):
        """What is new of every application and machine, also of those that are not waited for: who watches one sees them all."""
        seconds = round(self.elapsed_before + self.clock() - self.began, 1)
        for kind, name, state, message in statuses.sights(self.status):
            if self._shown.get((kind, name)) != (state, message):
                self._shown[(kind, name)] = (state, message)
                self.timeline.append([seconds, kind, name, state, message])

    def _resolve(self):
        for name, unit in self.status["units"].items():
            if unit["workload"] != "error":
                self._in_error.discard(name)
                continue
            if name in self._in_error:
                continue  # was told to try again, and has not left the error yet
            rule = next((rule for rule in self.resolve if rule["application"] in ("*", unit["application"]) and rule["pattern"].search(unit["message"])), None)
            if rule and self._attempts.get(name, 0) < rule["times"]:
                self._try_again(name)

    def _try_again(self, name):
        """One request for each unit: the refusal of one must not hide that the others took effect."""
        # When this fails the unit's own retries go on, and the next look asks again.
        with contextlib.suppress(ConnectionLost, Refused):
            asked = {"all": False, "retry": True, "tags": {"entities": [{"tag": models.tag("unit", name)}]}}
            self.client.call("Application", "ResolveUnitErrors", asked)
            self._attempts[name] = self._attempts.get(name, 0) + 1
            self._in_error.add(name)
            self.resolved.append(name)


def _names(watch):
    return sorted(watch.found) or [ALL]


def _units(watch):
    """As they were read last; none while the controller is away from the beginning."""
    return watch.status["units"] if watch.status else {}


def _lasting(watch, names):
    """{unit: seconds that it has been in its state}, the longest first, as far as the controller tells."""
    found, units = {}, _units(watch)
    for unit in (units[name] for name in names if name in units):
        # A unit at work has changed its agent's state last; any other is held up by its workload's.
        since = unit["agent_since"] if unit["workload"] == "active" else unit["workload_since"]
        seconds = statuses.lasted(since, watch.status["read"])
        if seconds is not None:
            found[unit["name"]] = seconds
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _held(watch):
    return {unit: text for about in watch.found.values() for unit, text in about["units"].items()}


def _answer(watch, outcome, client):
    """What is returned in every case."""
    failed, held = {}, _held(watch)
    for about in watch.found.values():
        failed.update(about["failed"])
    for unit, seconds in _lasting(watch, held).items():
        held[unit] += f" for {waiter.duration(seconds)}"
    return {
        "applications": {name: about["text"] for name, about in watch.found.items()},
        "addresses": _addresses(watch),
        "pending": sorted(name for name, about in watch.found.items() if about["verdict"] != expect.DONE),
        "failed_units": failed,
        "held_up_by": held,
        "resolved": watch.resolved,
        "waited": round(outcome.waited, 1) if outcome else 0.0,
        "requests": watch.requests_before + client.requests,
        "progress": outcome.lines if outcome else [],
        "timeline": watch.timeline,
    }


def _addresses(watch):
    """{unit: address} of the units that were waited for."""
    status, lost = watch.status, watch.rules.lost_machines
    return {name: unit["address"] for name, unit in _units(watch).items() if unit["application"] in watch.found and not expect.away(unit, status, lost)}


def _at_fault(watch, units):
    """Those of the units that hold the others up, most likely: in error, or without their agent."""
    seen = _units(watch)
    return [name for name in units if name in seen and (seen[name]["workload"] == "error" or seen[name]["agent"] in ("lost", "failed"))]


def _remedy(watch, model, limit=5):
    broken = sorted({unit["machine"] for unit in _units(watch).values() if expect.unprovisioned(unit, watch.status)}, key=statuses.machine_order)
    if broken:
        # Juju itself never tries such a machine again; without it, the next run places its units anew. Containers are left to a hand.
        by_itself = "cloud.yml (or site.yml) takes it out of the model and asks for it anew. " if not any("/" in name for name in broken) else ""
        return f"Look at the machine in MAAS. {by_itself}By hand: juju remove-machine -m {model} --force {' '.join(broken)}"
    held = _held(watch)
    lasting = _lasting(watch, held)
    units = [unit for about in watch.found.values() for unit in about["failed"]] + [*_at_fault(watch, held), *lasting, *held]
    if not units:
        return f"Look further with: juju status -m {model}"
    long = ", ".join(f"{unit} for {waiter.duration(seconds)}" for unit, seconds in list(lasting.items())[:limit])
    return (f"In that state: {long}. " if long else "") + (
        f"Look further with: juju show-status-log -m {model} {units[0]}; juju debug-log -m {model} --replay --include {units[0]}"
    )


def work(module, client, clock=time.monotonic, sleep=time.sleep):
    options = module.params
    try:
        rules = expect.Rules(
            options["applications"],
            options["expect"],
            options["normal_now"],
            options["error_grace"],
            options["lost_grace"],
            options["fail_on"],
            lost_machines=options["lost_machines"],
        )
        watch = Watch(client, rules, options["resolve"], clock, (options["wait_resume"] or {}).get("watch"))
    except re.error as error:
        raise JujuFault(f"'{error.pattern}' is not a regular expression: {error}") from None
    if module.check_mode or not options["wait"]:
        if module.check_mode and client.find_model(options["model"]) is None:
            return {**_answer(watch, None, client), "changed": False}
        watch.resolve = []
        watch.poll()
        return {**_answer(watch, None, client), "changed": False}
    answer = wait(client, watch, options, clock, sleep)
    return {**answer, "changed": bool(watch.resolved)}


def wait(client, watch, options, clock=time.monotonic, sleep=time.sleep):
    resume = options.get("wait_resume") or {}
    watch.elapsed_before = resume.get("elapsed", 0.0)
    known = resume.get("states") or {ALL: UNREAD}
    # What is told while the controller is away.
    watch.found = {name: state for name, state in known.items() if isinstance(state, dict)}
    runner = waiter.Waiter(
        options["wait_timeout"],
        options["wait_interval"],
        successes=options["successes"],
        tolerate=(ConnectionLost,),
        goal="settled",
        fail_fast=options["fail_fast"],
        show=lambda state: state["text"] if isinstance(state, dict) else str(state),
        clock=clock,
        sleep=sleep,
        elapsed=watch.elapsed_before,
        slice_seconds=options.get("wait_slice"),
    )

    def run(names, poll, judge):
        """One part of the wait: its outcome, and the slice's answer where the slice ended with it."""
        try:
            outcome = runner.run(names, poll, judge, known=known)
        except waiter.WaitError as error:
            found = {**_answer(watch, error.outcome, client), "changed": bool(watch.resolved)}
            kind = "failed" if isinstance(error, waiter.WaitFailed) else "timed out"
            raise JujuFault(f"waiting for model {options['model']} {kind}. {error}. {_remedy(watch, options['model'])}", **found) from None
        if not outcome.finished:
            go_on = {"line": outcome.line, "elapsed": outcome.waited, "states": outcome.states, "watch": watch.resume()}
            return outcome, {**_answer(watch, outcome, client), "unfinished": True, "resume": go_on}
        runner.elapsed_before = outcome.waited
        return outcome, None

    # The first reading tells which applications there are; those known from before stand in for them until then.
    runner.successes = 1
    unsettled_first = sorted(known, key=lambda name: (_verdict(known[name]) == waiter.DONE, name))
    _outcome, answer = run(unsettled_first, watch.poll, lambda name, state: waiter.DONE if watch.status else waiter.PENDING)
    runner.successes = max(1, options["successes"])
    # From here, so that a slow reading leaves time for the others that must agree with it.
    slice_end = None if runner.slice_seconds is None else clock() + runner.slice_seconds
    while not answer:
        if slice_end is not None:
            runner.slice_seconds = max(0.0, slice_end - clock())
        names = _names(watch)
        # That reading is not made twice.
        outcome, answer = run(names, _beginning(watch.found, watch.poll), lambda name, state: waiter.DONE if name == ALL and watch.found else _verdict(state))
        if not answer and _names(watch) == names:
            return _answer(watch, outcome, client)
        # Applications appeared meanwhile: they belong to the model too.
    return answer


def _beginning(reading, poll):
    """``poll``, after a reading that was made already."""
    made = [reading]
    return lambda: (made.pop() if made else poll()) or {ALL: EMPTY}


def _verdict(state):
    return FINAL.get(state["verdict"], waiter.PENDING) if isinstance(state, dict) else waiter.PENDING
