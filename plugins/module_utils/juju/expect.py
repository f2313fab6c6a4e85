# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is expected of a model, what is normal on the way, and what is a failure. Pure: status and time come in, verdicts go out."""

from __future__ import annotations

import re

from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import uninstalled, unit_order

PENDING, DONE, FAILED = "pending", "done", "failed"
# Juju waits up to five minutes, and a random part of that, before it tries a failed hook again (its apiserver/facades/agent/retrystrategy).
ERROR_GRACE = 600


def _texts(value, default):
    if value is None:
        return list(default)
    return [value] if isinstance(value, str) else list(value)


class Rules:
    """Expectations in the form of juju_wait's options, compiled once so that a bad pattern is told before the wait."""

    def __init__(
        self, applications=None, expect=None, normal_now=None, error_grace=ERROR_GRACE, lost_grace=600, fail_on=None, machines=True, lost_machines=None
    ):
        self.applications = list(applications) if applications else None
        self.expect = {name: self._expectation(given or {}) for name, given in (expect or {}).items()}
        self.normal_now = [self._normal(given) for given in normal_now or []]
        self.fail_on = [self._normal(given) for given in fail_on or []]
        self.error_grace, self.lost_grace = error_grace, lost_grace
        self.machines = machines
        self.lost_machines = list(lost_machines or [])

    @staticmethod
    def _expectation(given):
        return {
            "workload": _texts(given.get("workload"), ["active"]),
            "agent": _texts(given.get("agent"), ["idle"]),
            "matches": re.compile(given["matches"]) if given.get("matches") else None,
            "units": given.get("units"),
        }

    @staticmethod
    def _normal(given):
        return {
            "application": given.get("application") or "*",
            "workload": _texts(given.get("workload"), []),
            "agent": _texts(given.get("agent"), []),
            "matches": re.compile(given["matches"]) if given.get("matches") else None,
        }

    def names(self, status):
        """Which applications are waited for."""
        named = [*(self.applications or status["applications"]), *self.expect]
        return sorted(dict.fromkeys(named))

    def expected(self, application):
        return self.expect.get(application) or self._expectation({})


def _applies(rule, unit):
    if rule["application"] not in ("*", unit["application"]):
        return False
    if rule["workload"] and unit["workload"] not in rule["workload"]:
        return False
    if rule["agent"] and unit["agent"] not in rule["agent"]:
        return False
    return not rule["matches"] or bool(rule["matches"].search(unit["message"]))


def describe(unit):
    text = unit["workload"] or "unknown"
    if unit["agent"] not in ("idle", ""):
        text += f"/{unit['agent']}"
    return f"{text} ({unit['message']})" if unit["message"] else text


def unprovisioned(unit, status):
    """The unit's machine when MAAS failed to install it; else None."""
    machine = status["machines"].get(unit["machine"])
    return machine if machine and uninstalled(machine) else None


def away(unit, status, hostnames):
    """Whether the unit's agent is lost with a machine of one of these names; a container is lost with the machine that it is on."""
    machine = status["machines"].get(unit["machine"].partition("/")[0])
    return unit["agent"] == "lost" and machine is not None and machine["hostname"] in hostnames


class Judge:
    """Verdicts over successive readings; it remembers since when each unit has been in trouble."""

    def __init__(self, rules, clock):
        self.rules, self.clock = rules, clock
        self._since = {}

    def _for(self, key, present, now):
        """Seconds that a trouble has lasted; forgets it when it is gone."""
        if not present:
            self._since.pop(key, None)
            return 0.0
        return now - self._since.setdefault(key, now)

    def _trouble(self, unit, now):
        broken = unit["workload"] == "error" or unit["agent"] == "error"
        # Juju tries a failed hook again by itself; while it does, the error is not seen, and not over either.
        retried = unit["agent"] == "executing" and (unit["name"], "error") in self._since
        lasted = self._for((unit["name"], "error"), broken or retried, now)
        if broken and lasted >= self.rules.error_grace:
            return f"in error for {lasted:.0f} s"
        lost = unit["agent"] in ("lost", "failed")
        lasted = self._for((unit["name"], "lost"), lost, now)
        if lost and lasted >= self.rules.lost_grace:
            return f"its agent has been lost for {lasted:.0f} s"
        for rule in self.rules.fail_on:
            if _applies(rule, unit):
                return "in a state that was named as a failure"
        return None

    def application(self, name, status):
        """{verdict, text, units: {unit: text} that hold it up, failed: {unit: why}}."""
        now = self.clock()
        found = status["applications"].get(name)
        wanted = self.rules.expected(name)
        if found is None:
            return {"verdict": PENDING, "text": "not in the model", "units": {}, "failed": {}}
        every = [status["units"][unit] for unit in sorted(found["units"], key=unit_order)]
        gone = [unit["name"] for unit in every if away(unit, status, self.rules.lost_machines)]
        units = [unit for unit in every if unit["name"] not in gone]
        held, failed = {}, {}
        for unit in units:
            why = self._trouble(unit, now)
            if why is None:
                why = self._machine_trouble(unit, status)
            if why:
                failed[unit["name"]] = why
                continue
            good = unit["workload"] in wanted["workload"] and unit["agent"] in wanted["agent"]
            if good and wanted["matches"]:
                good = bool(wanted["matches"].search(unit["message"]))
            if not good and unit["agent"] in ("idle", ""):
                good = any(_applies(rule, unit) for rule in self.rules.normal_now)
            if not good:
                held[unit["name"]] = describe(unit)
        if failed:
            verdict = FAILED
        elif held or wanted["units"] is not None and len(units) < wanted["units"]:
            verdict = PENDING
        else:
            verdict = DONE
        return {"verdict": verdict, "text": self._text(units, wanted, held, failed, gone), "units": held, "failed": failed}

    def _machine_trouble(self, unit, status):
        machine = unprovisioned(unit, status) if self.rules.machines else None
        return f"machine {machine['id']} could not be provisioned: {machine['instance_message'] or machine['instance']}" if machine else None

    @staticmethod
    def _text(units, wanted, held, failed, gone):
        if gone and not units:
            return f"{', '.join(gone)} away"
        if not units:
            return "no units" if not wanted["units"] else f"0 of {wanted['units']} units"
        good = len(units) - len(held) - len(failed)
        total = max(len(units), wanted["units"] or 0)
        parts = [f"{good}/{total}"]
        parts += [f"{name} {why}" for name, why in failed.items()]
        by_text = {}
        for name, text in held.items():
            by_text.setdefault(text, []).append(name)
        parts += [f"{', '.join(names)} {text}" for text, names in by_text.items()]
        if good and not held and not failed:
            states = sorted({describe(unit) for unit in units})
            parts.append(states[0] if len(states) == 1 else f"{len(states)} states")
        if gone:
            parts.append(f"{', '.join(gone)} away")
        return "; ".join(parts)
