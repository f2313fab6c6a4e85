# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Carrying out a plan, step by step, in a way that a run broken anywhere can be followed by another one."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.juju import charms as offers
from ansible_collections.stratus.cloud.plugins.module_utils.juju import model as models
from ansible_collections.stratus.cloud.plugins.module_utils.juju import plan as plans
from ansible_collections.stratus.cloud.plugins.module_utils.juju import status as statuses
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault, ConnectionLost, JujuFault, Refused

# Seconds between two looks at a controller that is away.
AWAY = 5
# Steps that would make a thing twice.
ONCE = ("machine", "deploy", "units")


class Application:
    """One bundle brought to one model."""

    def __init__(self, client, desired, machine_map=None, timeout=1800, clock=time.monotonic, own_machines=False, prune=False, later=(), sleep=time.sleep):
        self.client, self.desired, self.machine_map, self.own_machines = client, desired, machine_map, own_machines
        self.prune, self.later = prune, later
        self.deadline = clock() + timeout
        self.timeout, self.clock, self.sleep = timeout, clock, sleep
        self.done = []
        # The last step whose answer was lost, or None: it may have taken effect.
        self._lost = None
        self._intent = None
        self._resolved, self._infos, self._fetched = {}, {}, {}

    # --- planning ---

    def plan(self, actual):
        """The plan, made with as much as is known about the charms without changing anything."""
        made = plans.make(self.desired, actual, self.machine_map, own_machines=self.own_machines, prune=self.prune, later=self.later)
        if not made["steps"]:
            return made
        known = {}
        for name in self.desired["applications"]:
            step = self._charm(self.desired["applications"][name])
            about = actual["applications"].get(name)
            if step in self._fetched:
                known[name] = self._fetched[step]["info"]
            elif about and about.get("charm") and ":" in about["charm"]:
                known[name] = self._info(about["charm"])
        offers.check(self.desired, known)
        return plans.make(self.desired, actual, self.machine_map, known, self.own_machines, self.prune, self.later)

    def _info(self, url):
        if url not in self._infos:
            self._infos[url] = models.charm_info(self.client, url)
        return self._infos[url]

    @staticmethod
    def _charm(wanted):
        return wanted["charm"], wanted["channel"], wanted["revision"], wanted["base"]

    def look_up(self, plan):
        """Ask for every charm of the plan before anything is changed; all that do not exist are told together."""
        found = []
        for step in plan["steps"]:
            if step["action"] == "charm" and self._charm(step) not in self._resolved:
                try:
                    self._resolved[self._charm(step)] = models.resolve(self.client, step)
                except Refused as error:
                    found.append(str(error))
        if found:
            raise BundleFault(found)

    # --- doing ---

    def apply(self, actual):
        """Carries out what is missing. Returns the first plan, with what is left for later; self.done holds the lines of the steps that were carried out."""
        first = plan = self.plan(actual)
        notes = first["notes"]
        losses = 0
        while plan["steps"]:
            try:
                self._carry_out(plan, actual)
                break
            except ConnectionLost as error:
                losses += 1
                if losses > 20 or self.clock() >= self.deadline:
                    raise self._stopped(error) from None
            except JujuFault as error:
                raise self._stopped(error) from None
            # What took effect is in the model, not in this process: read it again and go on with the rest.
            actual = self.patiently(self._read_again)
            plan = self.patiently(lambda actual=actual: self.plan(actual))
            notes = list(dict.fromkeys(notes + plan["doubles"]))
        return {**first, "later": plan["later"], "notes": notes}

    def _read_again(self):
        if self._lost in ONCE:
            models.calm(lambda: statuses.read(self.client), self.sleep)
        return models.read(self.client, self.desired)

    def patiently(self, look):
        """look(), which changes nothing, again and again until the deadline while the controller is away."""
        while True:
            try:
                return look()
            except ConnectionLost as error:
                if self.clock() >= self.deadline:
                    raise self._stopped(error) from None
            except JujuFault as error:
                raise self._stopped(error) from None
            self.sleep(AWAY)

    def _stopped(self, error):
        if isinstance(error, BundleFault) and not self.changed:
            return error
        error.result.setdefault("steps_done", list(self.done))
        error.result["changed"] = self.changed
        return error

    @property
    def changed(self):
        return bool(self.done or self._lost)

    def _carry_out(self, plan, actual):
        self.look_up(plan)
        steps = plan["steps"]
        fetching = [step for step in steps if step["action"] == "charm"]
        for step in fetching:
            self._do_charm(step)
        if fetching:
            # Now the charms' own words are known: what they do not offer is found before the first machine is asked for.
            known = {
                name: self._fetched[self._charm(wanted)]["info"]
                for name, wanted in self.desired["applications"].items()
                if self._charm(wanted) in self._fetched
            }
            for name, about in actual["applications"].items():
                if name in self.desired["applications"] and name not in known:
                    known[name] = self._info(about["charm"])
            offers.check(self.desired, known)
            # The same steps, with the endpoints that the bundle left open.
            named = plans.make(self.desired, actual, self.machine_map, known, self.own_machines, self.prune, self.later)
            plan.update(steps=named["steps"], later=named["later"])
            steps = plan["steps"]
        machines = dict(plan["machines"])
        self._intent = (actual.get("intent") or {}).get("note")
        known_machines = {name for name in actual["machines"] if "/" not in name}
        for step in steps:
            if self.clock() >= self.deadline:
                raise JujuFault(f"not finished within {self.timeout:.0f} s; the next step was: {step['text']}")
            if step["action"] == "charm":
                self.done.append(step["text"])
                continue
            try:
                getattr(self, f"_do_{step['action']}")(step, machines, known_machines)
            except ConnectionLost:
                self._lost = step["action"]
                raise
            self.done.append(step["text"])

    def _do_charm(self, step):
        key = self._charm(step)
        if key in self._fetched:
            return
        url, origin = self._resolved[key]
        origin = models.add_charm(self.client, url, origin)
        self._fetched[key] = {"url": url, "origin": origin, "info": self._info(url)}

    def _do_record(self, step, machines, known):
        models.note_machine(self.client, step["id"], {plans.MARK: step["machine"]})
        machines[step["machine"]] = step["id"]

    def _do_machine(self, step, machines, known):
        wanted = step["wanted"]
        note = {plans.MARK: step["machine"]}
        machine = models.add_noted_machine(
            self.client,
            note,
            known,
            again=self._intent == note,
            constraints=wanted["constraints"],
            base=wanted["base"],
            system_id=step["system_id"],
        )
        machines[step["machine"]] = machine
        known.add(machine)

    def _do_deploy(self, step, machines, known):
        name, wanted = step["application"], step["wanted"]
        fetched = self._fetched[self._charm(wanted)]
        pending = models.pending_resources(self.client, name, fetched["url"], fetched["origin"], fetched["info"], wanted["resources"])
        options = {**wanted["options"], "trust": "true"} if wanted["trust"] else wanted["options"]
        models.deploy(
            self.client,
            name,
            fetched["url"],
            fetched["origin"],
            wanted["channel"],
            options=options,
            constraints=wanted["constraints"],
            bindings=wanted["bindings"],
            resources=pending,
            storage=wanted["storage"],
        )

    def _do_refresh(self, step, machines, known):
        name, wanted = step["application"], step["wanted"]
        fetched = self._fetched[self._charm(wanted)]
        pending = models.pending_resources(self.client, name, fetched["url"], fetched["origin"], fetched["info"], wanted["resources"])
        models.set_charm(self.client, name, fetched["url"], fetched["origin"], wanted["channel"], pending)

    def _do_options(self, step, machines, known):
        models.set_options(self.client, step["application"], step["set"])
        models.reset_options(self.client, step["application"], step["reset"])

    def _do_constraints(self, step, machines, known):
        models.set_constraints(self.client, step["application"], step["constraints"])

    def _do_bind(self, step, machines, known):
        models.bind(self.client, step["application"], step["bindings"])

    def _do_units(self, step, machines, known):
        directed, free = [], 0
        for place in step["placements"]:
            directive = self._placement(place, machines)
            if directive is None:
                free += 1
            else:
                directed.append(directive)
        if directed:
            models.add_units(self.client, step["application"], len(directed), directed)
        if free:
            models.add_units(self.client, step["application"], free)

    def _placement(self, place, machines):
        """As the wire has it; None lets the controller take a new machine."""
        container = place["container"]
        if place.get("new"):
            return {"scope": container, "directive": ""} if container else None
        if "directive" in place:
            return {"scope": self.client.uuid(), "directive": place["directive"]}
        if "machine" in place:
            host = machines[place["machine"]]
        else:
            now = statuses.read(self.client)
            units = (now["applications"].get(place["application"]) or {}).get("units", [])
            if place["unit"] >= len(units) or not now["units"][units[place["unit"]]]["machine"]:
                raise JujuFault(f"{place['application']} has no unit {place['unit']} on a machine yet, which another unit is to be placed beside: run again")
            host = now["units"][units[place["unit"]]]["machine"]
            if container:
                host = host.split("/")[0]
        return {"scope": container or "#", "directive": host}

    def _do_relate(self, step, machines, known):
        models.relate(self.client, step["endpoints"])

    def _do_expose(self, step, machines, known):
        models.expose(self.client, step["application"], step["endpoints"])

    def _do_unexpose(self, step, machines, known):
        models.unexpose(self.client, step["application"])

    def _do_annotate(self, step, machines, known):
        name = machines[step["name"]] if step["kind"] == "machine" else step["name"]
        models.annotate(self.client, {models.tag(step["kind"], name): step["annotations"]})

    def _do_remove(self, step, machines, known):
        models.remove_application(self.client, step["application"])
