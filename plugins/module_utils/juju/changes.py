# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Single applications, units, relations and machines: what a bundle does for many, done for one."""

from __future__ import annotations

import contextlib
import time

from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.juju import apply as applies
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju import charms as offers
from ansible_collections.stratus.cloud.plugins.module_utils.juju import constraints as limits
from ansible_collections.stratus.cloud.plugins.module_utils.juju import model as models
from ansible_collections.stratus.cloud.plugins.module_utils.juju import plan as plans
from ansible_collections.stratus.cloud.plugins.module_utils.juju import status as statuses
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault, ConnectionLost, JujuFault, Refused


def parsed(function, value, label):
    try:
        return function(value)
    except ValueError as error:
        raise JujuFault(f"{label}: {error}") from None


def until(client, done, what, timeout, interval, changed, clock=time.monotonic, sleep=time.sleep):
    """Reads the status until done(status) is true; its value. Seconds are returned beside it. ``changed``: whether something was, for a fault to tell."""
    began, pause, last = clock(), 0.5, None
    while True:
        try:
            now = statuses.read(client)
            last, value = now, done(now)
            if value:
                return value, round(clock() - began, 1)
        except ConnectionLost:
            pass  # the client makes the connection anew
        left = timeout - (clock() - began)
        if left <= 0:
            raise JujuFault(f"{what} did not happen within {timeout:.0f} s", changed=changed, **(_last(last) if last else {}))
        sleep(max(0.05, min(pause, left)))
        pause = min(pause * 1.5, interval)


@contextlib.contextmanager
def telling(done):
    """A fault within says that something was changed when ``done``, which grows meanwhile, is not empty."""
    try:
        yield
    except JujuFault as error:
        if done:
            error.result["changed"] = True
        raise


def _last(now):
    return {"last_units": {name: f"{unit['workload']}: {unit['message']}" for name, unit in now["units"].items() if unit["workload"] != "active"}}


# --- applications ----------------------------------------------------------------------------------------------------


def desired_application(options, present):
    """A bundle of one application, in plain form."""
    name = options["name"]
    count = options["num_units"]
    if count is None:
        # What is not said is left alone; a new application gets one unit, or one for each placement.
        count = len([unit for unit in present["units"] if not unit.get("principal")]) if present else max(1, len(options["to"] or []))
    given = {
        "charm": options["charm"],
        "channel": options["channel"],
        "revision": options["revision"],
        "base": options["base"],
        "num_units": count,
        "to": (options["to"] or [])[:count] if count else [],
        "options": options["options"],
        "constraints": options["constraints"],
        "bindings": options["bindings"],
        "resources": options["resources"],
        "trust": options["trust"],
    }
    if options["expose"] is not None:
        given["expose"] = options["expose"]
    found = [text for text in bundles.problems({"applications": {name: {**given, "to": []}}}) if text]
    places = [parsed(bundles.place, directive, f"application {name}") for directive in given["to"]]
    if found:
        raise BundleFault(found)
    wanted = bundles.normal({"applications": {name: {**given, "to": []}}})
    wanted["applications"][name]["placements"] = (places + [dict((places or [{"container": None, "new": True}])[-1]) for dummy in range(count)])[:count]
    return wanted


def application_present(module, client):
    options = module.params
    name = options["name"]
    now = statuses.read(client)
    about = now["applications"].get(name)
    charm = options["charm"] or (models.charm_name(about["charm"]) if about else None)
    if charm is None:
        raise JujuFault(f"the model has no application {name}: 'charm' says what to deploy")
    settings = {**options, "charm": charm, "channel": options["channel"] or (about["channel"] if about else None)}
    mine = {"units": [now["units"][unit] for unit in about["units"]]} if about else None
    subordinate = bool(about and about["subordinate_to"]) or (not about and _is_subordinate(client, settings, fetch=not module.check_mode))
    if subordinate:
        settings["num_units"], settings["to"] = 0, []
    wanted = desired_application(settings, mine)
    actual = models.read(client, wanted)
    for text in _unknown_machines(wanted["applications"][name], actual):
        raise JujuFault(f"application {name}: {text}")
    job = applies.Application(client, wanted, timeout=options["wait_timeout"], own_machines=True)
    made = job.plan(actual) if module.check_mode else job.apply(actual)
    if module.check_mode:
        job.look_up(made)
    lines = [step["text"] for step in made["steps"]]
    extra = []
    if options["num_units"] is not None and about and not subordinate and len(about["units"]) > options["num_units"]:
        extra = about["units"][options["num_units"] :]
        if options["scale_down"]:
            lines.append(f"remove {', '.join(extra)}")
            if not module.check_mode:
                with telling(job.done):
                    destroy_units(client, extra, options["destroy_storage"], False)
                job.done.append(lines[-1])
    changed = bool(lines)
    after = (job.patiently(lambda: statuses.read(client)) if changed and not module.check_mode else now)["applications"].get(name)
    # What only a whole bundle could say of the rest of the model.
    notes = [note for note in made["notes"] if not note.startswith("the model also has") and "does not place" not in note]
    if extra and not options["scale_down"]:
        notes.append(f"{name} has {len(extra)} more units than asked for ({', '.join(extra)}); they are removed with scale_down only")
    return {"changed": changed, "plan": lines, "notes": notes, "application": after, "diff": _diff(lines)}


def _is_subordinate(client, settings, fetch):
    """Whether a charm is a subordinate; only the controller can tell, and only when the model has the charm. ``fetch``: have it fetched for that."""
    try:
        step = {
            "charm": parsed(bundles.charm, settings["charm"], "charm"),
            "channel": parsed(bundles.channel, settings["channel"], "channel") or "latest/stable",
            "revision": settings["revision"],
            "base": parsed(bundles.base, settings["base"], "base"),
        }
        url, origin = models.resolve(client, step)
    except Refused:
        # What is wrong is told when the application is deployed.
        return False
    with contextlib.suppress(Refused):
        return models.charm_info(client, url)["subordinate"]
    if not fetch:
        return False
    models.add_charm(client, url, origin)
    return models.charm_info(client, url)["subordinate"]


def _unknown_machines(wanted, actual):
    for place in wanted["placements"]:
        if "machine" in place and place["machine"] not in actual["machines"]:
            known = ", ".join(actual["machines"]) or "none"
            yield f"the model has no machine {place['machine']} (it has {known})"
        if "application" in place and place["application"] not in actual["applications"]:
            yield f"the model has no application {place['application']} to be placed beside"


def _diff(lines):
    return {"before": "", "after": "".join(f"{line}\n" for line in lines)}


def application_absent(module, client):
    options = module.params
    name = options["name"]
    now = statuses.read(client)
    about = now["applications"].get(name)
    if about is None:
        return {"changed": False, "plan": [], "waited": 0.0, "diff": _diff([])}
    line = f"remove application {name} with {len(about['units'])} units" + (" by force" if options["force"] else "")
    alive = about["life"] == "alive"
    answer = {"changed": alive, "plan": [line], "waited": 0.0, "diff": _diff([line] if alive else [])}
    if module.check_mode:
        return answer
    if alive or options["force"]:
        models.remove_application(client, name, options["destroy_storage"], options["force"])
        answer["changed"] = True
    if options["wait"]:
        gone = f"the end of application {name}"
        answer["waited"] = until(
            client, lambda found: name not in found["applications"], gone, options["wait_timeout"], options["wait_interval"], answer["changed"]
        )[1]
    return answer


# --- units -----------------------------------------------------------------------------------------------------------


def destroy_units(client, units, destroy_storage, force):
    asked = [{"unit-tag": models.tag("unit", unit), "destroy-storage": destroy_storage, "force": force, "max-wait": 0 if force else None} for unit in units]
    client.call("Application", "DestroyUnit", {"units": asked}, repeat=True)


def unit_present(module, client):
    """A unit at each placement; units that stand there already are the ones that were asked for."""
    options = module.params
    name = options["application"]
    now = models.read_noted(client)
    about = now["applications"].get(name)
    if about is None:
        raise JujuFault(f"the model has no application {name} (it has {', '.join(now['applications']) or 'none'})")
    if about["subordinate_to"]:
        raise JujuFault(f"{name} is a subordinate: its units come with those of {', '.join(about['subordinate_to'])}")
    places = [parsed(bundles.place, directive, f"units of {name}") for directive in options["to"]]
    for text in _unknown_machines({"placements": places}, now):
        raise JujuFault(f"units of {name}: {text}")
    mapping = {machine: machine for machine in now["machines"]}
    # As many as there are, and one more for each placement that none of them fills.
    room = {"placements": places, "num_units": len(about["units"]) + len(places)}
    missing, _others = plans.missing_units(room, about, mapping, now)
    lines = [f"add a unit of {name} on {plans._where(place)}" for place in missing]
    added = []
    if missing and not module.check_mode:
        job = applies.Application(client, {"applications": {}, "machines": {}, "relations": []}, own_machines=True)
        with telling(added):
            for place in missing:
                directive = _of_maas(client, place, about) or job._placement(place, mapping)
                added += _add_unit(client, name, directive, about["units"] + added)
    answer = {"changed": bool(missing), "plan": lines, "units": [], "waited": 0.0, "diff": _diff(lines)}
    if module.check_mode:
        return answer

    def settled(found):
        if not options["wait"]:
            return found
        mine = [found["units"][unit] for unit in added if unit in found["units"]]
        return found if len(mine) == len(added) and all(unit["machine"] for unit in mine) else None

    found, answer["waited"] = until(client, settled, f"a machine for {', '.join(added)}", options["wait_timeout"], options["wait_interval"], bool(added))
    machines = {machine: machine for machine in found["machines"]}
    for machine, seen in now["machines"].items():
        found["machines"].get(machine, {}).setdefault("annotations", seen.get("annotations"))
    answer["units"] = [
        unit
        for unit in found["applications"][name]["units"]
        if unit in added or any(plans._stands(place, found["units"][unit], machines, found) for place in places)
    ]
    return answer


def _of_maas(client, place, about):
    """A place on a certain machine of MAAS as one on the model's machine, which is asked for first: a second run finds that by its annotation.

    As the wire has it; None for all other places.
    """
    kind, _sign, system_id = place.get("directive", "").partition("=")
    if kind != "system-id":
        return None
    now = models.read_noted(client)
    name = plans.placed(now, system_id) or added_machine(
        client, now, {plans.PLACED: system_id}, {"base": parsed(bundles.base, about["base"], "base"), "system_id": system_id}
    )
    return {"scope": "#", "directive": name}


def _add_unit(client, name, directive, known, sleep=time.sleep):
    """One unit; a lost answer is looked for in the model before the request is sent again."""
    try:
        return models.add_units(client, name, 1, [directive] if directive else None)
    except ConnectionLost:
        with telling(["perhaps"]):
            there = models.calm(lambda: statuses.read(client), sleep)["applications"][name]["units"]
            new = [unit for unit in there if unit not in known]
            return new[:1] or models.add_units(client, name, 1, [directive] if directive else None)


def unit_absent(module, client):
    options = module.params
    now = statuses.read(client)
    there = [unit for unit in options["units"] if unit in now["units"]]
    for unit in there:
        if now["units"][unit]["principal"]:
            raise JujuFault(f"{unit} is a subordinate of {now['units'][unit]['principal']} and goes with it")
    lines = [f"remove unit {unit}" for unit in there]
    answer = {"changed": bool(there), "plan": lines, "units": there, "waited": 0.0, "diff": _diff(lines)}
    if not there or module.check_mode:
        return answer
    destroy_units(client, there, options["destroy_storage"], options["force"])
    if options["wait"]:
        gone = f"the end of {', '.join(there)}"
        answer["waited"] = until(
            client, lambda found: not set(there) & set(found["units"]), gone, options["wait_timeout"], options["wait_interval"], answer["changed"]
        )[1]
    return answer


# --- relations -------------------------------------------------------------------------------------------------------


def relation(module, client):
    options = module.params
    pair = tuple(bundles.endpoint(end) for end in options["endpoints"])
    now = statuses.read(client)
    for name, _end in pair:
        if name not in now["applications"]:
            if options["state"] == "absent":
                return {"changed": False, "endpoints": options["endpoints"], "diff": _diff([])}
            raise JujuFault(f"the model has no application {name} (it has {', '.join(now['applications']) or 'none'})")
    if all(end for _name, end in pair) and options["state"] == "absent":
        there, resolved = plans._related(pair, now, {})
    else:
        known = {name: models.charm_info(client, now["applications"][name]["charm"]) for name, _end in pair}
        try:
            resolved = offers.resolve(pair, known)
        except ValueError as error:
            raise JujuFault(f"relation {' - '.join(options['endpoints'])}: {error}") from None
        there, resolved = plans._related(resolved, now, known)
    ends = [f"{name}:{end}" for name, end in resolved]
    wanted = options["state"] == "present"
    changed = there != wanted
    line = f"{'relate' if wanted else 'end the relation of'} {ends[0]} and {ends[1]}"
    if changed and not module.check_mode:
        if wanted:
            models.relate(client, ends)
        else:
            models.unrelate(client, ends, options["force"])
    answer = {"changed": changed, "endpoints": ends, "waited": 0.0, "diff": _diff([line] if changed else [])}
    if changed and not module.check_mode and options["wait"]:
        answer["waited"] = until(
            client,
            lambda found: plans._related(resolved, found, {})[0] == wanted,
            line,
            options["wait_timeout"],
            options["wait_interval"],
            changed,
        )[1]
    return answer


# --- machines --------------------------------------------------------------------------------------------------------


def _note(options):
    """What tells a machine that was asked for from all others: the annotation that it gets."""
    if options["mark"]:
        return {plans.MARK: options["mark"]}
    return {plans.PLACED: options["system_id"]} if options["system_id"] else {}


def find_machine(options, now):
    """The machine that was meant: by its number, its mark, or the MAAS machine that it is or will be."""
    if options["id"]:
        return options["id"] if options["id"] in now["machines"] else None
    if options["mark"]:
        for name, about in now["machines"].items():
            if about.get("annotations", {}).get(plans.MARK) == options["mark"] and about["life"] == "alive":
                return name
    return (plans.placed(now, options["system_id"]) if options["system_id"] else None) or plans.requested(now, _note(options))


def machine_present(module, client):
    options = module.params
    now = models.read_noted(client)
    name = find_machine(options, now)
    if options["id"] and name is None:
        raise JujuFault(f"the model has no machine {options['id']}, and numbers are the controller's to give (it has {', '.join(now['machines']) or 'none'})")
    lines, replaced = [], None
    if name is not None and statuses.uninstalled(now["machines"][name]):
        why = now["machines"][name]["instance_message"] or now["machines"][name]["instance"]
        if not options["replace_failed"]:
            raise JujuFault(f"machine {name} could not be provisioned ({why}); replace_failed has it replaced", machine=now["machines"][name])
        lines.append(f"remove machine {name}, which could not be provisioned ({why})")
        replaced = name
    fresh = name is None or replaced
    if fresh:
        where = f" on {options['system_id']}" if options["system_id"] else ""
        lines.append(f"add a machine{where}")
    noted = {} if fresh else now["machines"][name].get("annotations", {})
    # One that runs is known by its instance.
    pending = not fresh and (now["machines"][name]["instance_id"] or "") in plans.NO_INSTANCE
    record = not fresh and (options["mark"] or pending) and any(noted.get(key) != value for key, value in _note(options).items())
    if record:
        for text in plans.beside(now, _note(options), name):
            module.warn(plain.lines(text))
        lines.append(f"record machine {name} as " + (f"the bundle's machine {options['mark']}" if options["mark"] else f"MAAS's {options['system_id']}"))
    notes = {key: str(value) for key, value in options["annotations"].items()}
    notes = {key: value for key, value in notes.items() if noted.get(key, "") != value}
    lines += [f"note {key}={value} with the machine" if value else f"take {key} from the machine" for key, value in sorted(notes.items())]
    answer = {"changed": bool(lines), "plan": lines, "replaced": replaced, "machine": now["machines"].get(name), "waited": 0.0, "diff": _diff(lines)}
    if module.check_mode:
        return answer
    written = []
    with telling(written):
        if replaced:
            models.remove_machine(client, replaced, force=True)
            written.append(replaced)
        if fresh:
            name = _new_machine(client, options, now)
            written.append(name)
        elif record:
            models.note_machine(client, name, _note(options))
            written.append(name)
        if notes:
            models.annotate(client, {models.tag("machine", name): notes})
    return _arrived(client, options, name, answer)


def _new_machine(client, options, now):
    wanted = {
        "constraints": parsed(limits.parse, options["constraints"], "constraints"),
        "base": parsed(bundles.base, options["base"], "base"),
        "system_id": options["system_id"],
        "directive": f"zone={options['zone']}" if options["zone"] else None,
    }
    return added_machine(client, now, _note(options), wanted)


def added_machine(client, now, note, wanted, sleep=time.sleep):
    """Asks for one machine; a lost answer is looked for in the model before the request is sent again."""
    known = {machine for machine in now["machines"] if "/" not in machine}
    again = (now.get("intent") or {}).get("note") == note
    try:
        return models.add_noted_machine(client, note, known, again, **wanted)
    except ConnectionLost:
        with telling(["perhaps"]):
            found = models.calm(lambda: statuses.read(client), sleep)["machines"]
            # Numbers are given in order: a machine that was not there before is the one that was asked for.
            new = [machine for machine, about in found.items() if "/" not in machine and machine not in known and about["life"] == "alive"]
            if not new:
                return models.add_noted_machine(client, note, known, again=True, **wanted)
            models.note_machine(client, new[0], note)
            return new[0]


def _arrived(client, options, name, answer):
    def started(found):
        about = found["machines"].get(name)
        if about is None:
            raise JujuFault(f"machine {name} is gone from the model", changed=answer["changed"])
        if not options["wait"]:
            return about
        if statuses.uninstalled(about):
            raise JujuFault(
                f"machine {name} could not be provisioned: {about['instance_message'] or about['instance']}. Run again with replace_failed, or on another one",
                machine=about,
                changed=answer["changed"],
            )
        return about if about["agent"] == "started" else None

    answer["machine"], answer["waited"] = until(
        client, started, f"the start of machine {name}", options["wait_timeout"], options["wait_interval"], answer["changed"]
    )
    return answer


def machine_absent(module, client):
    options = module.params
    now = models.read_noted(client)
    name = find_machine(options, now)
    if name is None:
        return {"changed": False, "plan": [], "machine": None, "waited": 0.0, "diff": _diff([])}
    about = now["machines"][name]
    units = sorted(unit for unit, found in now["units"].items() if found["machine"].split("/")[0] == name and not found["principal"])
    if units and not options["force"]:
        raise JujuFault(f"machine {name} carries {', '.join(units)}: remove them first, or use force", units=units, machine=about)
    line = f"remove machine {name} ({about['instance_id'] or 'not provisioned'})" + (f" with {', '.join(units)}" if units else "")
    alive = about["life"] == "alive"
    answer = {"changed": alive, "plan": [line], "machine": about, "waited": 0.0, "diff": _diff([line] if alive else [])}
    if module.check_mode:
        return answer
    if alive:
        models.remove_machine(client, name, options["force"], options["keep_instance"])
    if options["wait"]:
        gone = f"the end of machine {name}"
        answer["waited"] = until(
            client, lambda found: name not in found["machines"], gone, options["wait_timeout"], options["wait_interval"], answer["changed"]
        )[1]
    return answer
