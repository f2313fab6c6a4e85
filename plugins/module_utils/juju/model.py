# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a model has, read as plans want it, and the single requests that change it."""

from __future__ import annotations

import contextlib
import json
import re
import time

from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju import charms as offers
from ansible_collections.stratus.cloud.plugins.module_utils.juju import status as statuses
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault, Refused
from ansible_collections.stratus.cloud.plugins.module_utils.juju.plan import INTENT, newcomers, plain

EMPTY = {"model": {}, "machines": {}, "applications": {}, "units": {}, "relations": [], "intent": None}


def charm_name(url):
    """'nova-compute' out of 'ch:amd64/jammy/nova-compute-650'."""
    last = str(url or "").rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"-\d+$", "", last)


def as_base(text):
    """'ubuntu@22.04/stable' as the wire has it."""
    if not text:
        return None
    name, dummy, channel = text.partition("@")
    return {"name": name, "channel": channel}


def only(results, what):
    """The single result of a bulk call that was made for one thing."""
    results = results or []
    if len(results) != 1:
        raise JujuFault(f"the controller gave {len(results)} answers to {what} where one was expected")
    error = (results[0] or {}).get("error")
    if error:
        raise Refused(f"{what}: {error.get('message')}", error.get("code"))
    return results[0]


# --- reading ---------------------------------------------------------------------------------------------------------


def annotations(client, tags):
    """{tag: {key: value}}, in one request."""
    if not tags:
        return {}
    answer = client.call("Annotations", "Get", {"entities": [{"tag": tag} for tag in tags]}, repeat=True)
    return {item.get("entity"): item.get("annotations") or {} for item in answer.get("results") or []}


def host_keys(client, machines):
    """{machine: [public ssh host keys]}, as their agents told the controller (juju/juju, apiserver/facades/client/sshclient). None for one that has not yet."""

    def ask(names):
        answer = client.call("SSHClient", "PublicKeys", {"entities": [{"tag": tag("machine", name)} for name in names]}, repeat=True)
        return {name: item.get("public-keys") or [] for name, item in zip(names, answer.get("results") or [], strict=True)}

    try:
        return ask(list(machines)) if machines else {}
    except Refused:
        # One that has no keys spoils the answer about all.
        found = {}
        for name in machines:
            with contextlib.suppress(Refused):
                found |= ask([name])
        return found


def application(client, name):
    """Options, constraints and bindings of one application."""
    answer = client.call("Application", "Get", {"application": name, "branch": "master"}, repeat=True)
    trust = ((answer.get("application-config") or {}).get("trust") or {}).get("value")
    return {
        "options": answer.get("config") or {},
        "constraints": {key: value for key, value in (answer.get("constraints") or {}).items() if value not in (None, [], "")},
        "bindings": answer.get("endpoint-bindings") or {},
        "trust": str(trust).lower() == "true",
    }


def charm_info(client, url):
    return offers.simplify(client.call("Charms", "CharmInfo", {"url": url}, repeat=True))


def read_noted(client, applications=()):
    """The status with the annotations of machines and of these ``applications``, and what was last asked for without a known answer."""
    actual = statuses.read(client)
    uuid = client.uuid()
    noted = [name for name in applications if name in actual["applications"]]
    tops = [name for name in actual["machines"] if "/" not in name]
    tags = [f"model-{uuid}", *(f"machine-{name}" for name in tops), *(f"application-{name}" for name in noted)]
    found = annotations(client, tags)
    for name in tops:
        actual["machines"][name]["annotations"] = found.get(f"machine-{name}", {})
    for name in noted:
        actual["applications"][name]["annotations"] = found.get(f"application-{name}", {})
    try:
        actual["intent"] = json.loads(found.get(f"model-{uuid}", {}).get(INTENT) or "null")
    except ValueError:
        actual["intent"] = None
    return actual


def read(client, desired):
    """The model as plans want it: the status, and what it does not tell about the applications that the bundle names."""
    noted = [name for name in desired["applications"] if desired["applications"][name]["annotations"]]
    actual = read_noted(client, noted)
    for name in desired["applications"]:
        if name in actual["applications"]:
            actual["applications"][name].update(application(client, name))
    for about in actual["applications"].values():
        about["charm_name"] = charm_name(about["charm"])
    return actual


def calm(read, sleep=time.sleep, pause=5, looks=60):
    """read() once three readings in a row, ``pause`` seconds apart, tell the same machines, applications and units.

    The controller goes on with a request whose answer was lost, and does not show what comes of it before its end.
    """
    found, same = read(), 0
    for _look in range(looks):
        sleep(pause)
        before, found = found, read()
        same = same + 1 if all(before[kind].keys() == found[kind].keys() for kind in ("machines", "applications", "units")) else 0
        if same == 2:
            break
    return found


# --- charms ----------------------------------------------------------------------------------------------------------


def origin(charm, architecture="amd64"):
    """Where a charm shall come from; `charm` has channel, revision and base."""
    parts = charm["channel"].split("/")
    made = {
        "source": "charm-hub",
        "type": "charm",
        "architecture": architecture,
        "track": parts[0],
        "risk": parts[1],
        "base": as_base(charm["base"]),
    }
    if len(parts) > 2:
        made["branch"] = parts[2]
    if charm["revision"] is not None:
        made["revision"] = charm["revision"]
    return made


def default_base(client):
    """The model's own base, which a charm gets when nothing else is said; asked for once."""
    if not hasattr(client, "default_base"):
        about = (client.call("ModelConfig", "ModelGet", {}, repeat=True).get("config") or {}).get("default-base") or {}
        client.default_base = bundles.base(about.get("value"))
    return client.default_base


def resolve(client, charm, architecture="amd64", switch=False):
    """(url, origin) of a charm as the controller finds it on Charmhub. Changes nothing."""
    if not charm["base"] and default_base(client):
        try:
            return resolve(client, {**charm, "base": default_base(client)}, architecture, switch)
        except Refused:
            pass  # the charm is not made for it, and brings a base of its own
    asked = {"reference": f"ch:{charm['charm']}", "charm-origin": origin(charm, architecture)}
    if switch:
        asked["switch-charm"] = True
    answer = client.call("Charms", "ResolveCharms", {"resolve": [asked]}, repeat=True)
    # With a capital, unlike every other answer: juju/rpc/params, ResolveCharmWithChannelResults.
    result = only(answer.get("Results"), f"charm {charm['charm']} ({charm['channel']})")
    found = dict(result.get("charm-origin") or {})
    # Charms 6 tells series, 7 bases. Old charms have series that nobody asks for any more, and those of other systems.
    offered = result.get("supported-bases") or [as_base(bundles.base(series)) for series in result.get("supported-series") or [] if series in bundles.SERIES]
    if charm["base"]:
        wanted = as_base(charm["base"])
        # The controller answers with another base where the channel has none for the one that was asked for
        # (juju/core/charm/repository, retryResolveWithPreferredChannel).
        if (found.get("base") or wanted) != wanted and wanted not in offered:
            raise Refused(f"charm {charm['charm']} has no release for {_short(wanted)} in {charm['channel']}, but one for {_short(found['base'])}", "not found")
        found["base"] = wanted
    elif not (found.get("base") or {}).get("name") and offered:
        found["base"] = offered[0]
    return result["url"], found


def _short(base):
    return f"{base['name']}@{base['channel'].split('/', maxsplit=1)[0]}"


def add_charm(client, url, found):
    """Has the controller fetch a charm; harmless when it has it. Returns the origin to deploy with."""
    answer = client.call("Charms", "AddCharm", {"url": url, "charm-origin": found, "force": False}, repeat=True)
    if answer.get("error"):
        raise Refused(f"charm {url}: {answer['error'].get('message')}", answer["error"].get("code"))
    given = answer.get("charm-origin") or {}
    # What the controller leaves out of its answer is what it was asked for.
    return {**found, **{key: value for key, value in given.items() if value not in (None, "", {})}}


def pending_resources(client, name, url, found, charm, revisions):
    """{resource: pending id}; resources without a revision of their own come with the charm."""
    if not charm["resources"]:
        return {}
    wanted = [
        {
            "name": resource,
            "type": about["type"],
            "path": about["path"],
            "description": about["description"],
            "origin": "store",
            "revision": revisions.get(resource, -1),
            "fingerprint": "",
            "size": 0,
        }
        for resource, about in sorted(charm["resources"].items())
    ]
    answer = client.call(
        "Resources",
        "AddPendingResources",
        {
            "tag": f"application-{name}",
            "url": url,
            "charm-origin": found,
            "resources": wanted,
        },
    )
    if answer.get("error"):
        raise Refused(f"resources of {name}: {answer['error'].get('message')}", answer["error"].get("code"))
    return dict(zip((item["name"] for item in wanted), answer.get("pending-ids") or [], strict=False))


# --- changing --------------------------------------------------------------------------------------------------------


def options_text(name, options):
    """Options as the YAML that Deploy takes; JSON is YAML, and keeps every type."""
    return json.dumps({name: options}) if options else ""


def deploy(client, name, url, found, channel, options=None, constraints=None, bindings=None, resources=None, storage=None, count=0, placement=None):
    given = {key: value for key, value in (options or {}).items() if value is not None}
    client.call(
        "Application",
        "Deploy",
        {
            "applications": [
                {
                    "application": name,
                    "charm-url": url,
                    "charm-origin": found,
                    "channel": channel,
                    "num-units": count,
                    "placement": placement or [],
                    "config-yaml": options_text(name, given),
                    "constraints": constraints or {},
                    "endpoint-bindings": bindings or {},
                    "resources": resources or {},
                    "storage": storage or {},
                    "devices": {},
                    "attach-storage": [],
                    "policy": "",
                    "Force": False,
                }
            ]
        },
    )


def set_charm(client, name, url, found, channel, resources=None, force=False):
    client.call(
        "Application",
        "SetCharm",
        {
            "application": name,
            "charm-url": url,
            "charm-origin": found,
            "channel": channel,
            "resource-ids": resources or {},
            "force": force,
            "force-units": False,
            "force-base": False,
            "generation": "master",
        },
    )


def set_options(client, name, options):
    if options:
        config = {key: plain(value) for key, value in options.items()}
        client.call("Application", "SetConfigs", {"Args": [{"application": name, "config": config, "config-yaml": "", "generation": "master"}]})


def reset_options(client, name, options):
    if options:
        client.call("Application", "UnsetApplicationsConfig", {"Args": [{"application": name, "options": list(options), "branch": "master"}]})


def set_constraints(client, name, constraints):
    client.call("Application", "SetConstraints", {"application": name, "constraints": constraints})


def bind(client, name, bindings):
    client.call("Application", "MergeBindings", {"args": [{"application-tag": f"application-{name}", "bindings": bindings, "force": False}]})


def add_units(client, name, count, placement=None):
    answer = client.call(
        "Application",
        "AddUnits",
        {
            "application": name,
            "num-units": count,
            "placement": placement or [],
            "attach-storage": [],
            "policy": "",
        },
    )
    return list(answer.get("units") or [])


def relate(client, endpoints):
    try:
        client.call("Application", "AddRelation", {"endpoints": list(endpoints), "via-cidrs": []})
    except Refused as error:
        if not error.exists:
            raise


def unrelate(client, endpoints, force=False):
    client.call("Application", "DestroyRelation", {"endpoints": list(endpoints), "force": force})


def expose(client, name, endpoints=None):
    exposed = {}
    for end, about in (endpoints or {}).items():
        about = about or {}
        exposed[end] = {"expose-to-spaces": about.get("expose-to-spaces") or [], "expose-to-cidrs": about.get("expose-to-cidrs") or []}
    client.call("Application", "Expose", {"application": name, "exposed-endpoints": exposed})


def unexpose(client, name):
    client.call("Application", "Unexpose", {"application": name, "exposed-endpoints": []})


def annotate(client, entities):
    """{tag: {key: value}}; an empty value removes the key."""
    wanted = [{"entity": tag, "annotations": values} for tag, values in entities.items()]
    client.call("Annotations", "Set", {"annotations": wanted}, repeat=True)


def machine_params(uuid, constraints=None, base=None, system_id=None, directive=None, container=None, parent=None):
    params = {"jobs": ["JobHostUnits"], "constraints": constraints or {}}
    if base:
        params["base"] = as_base(base)
    if system_id:
        directive = f"system-id={system_id}"
    if directive:
        # A directive of the provider is scoped to the model; the library's own parser does not know that.
        params["placement"] = {"scope": uuid, "directive": directive}
    if container:
        params["container-type"] = container
        if parent:
            params["parent-id"] = parent
    return params


def add_machine(client, **wanted):
    answer = client.call("MachineManager", "AddMachines", {"params": [machine_params(client.uuid(), **wanted)]})
    return only(answer.get("machines"), "add machine")["machine"]


def add_noted_machine(client, note, known, again=False, **wanted):
    """Adds a machine and notes with it whose it is (``{annotation: value}``), so that a lost answer can be told from a request that never arrived.

    ``again``: an earlier request for it has no known answer.
    """
    annotate(client, {f"model-{client.uuid()}": {INTENT: json.dumps({"note": note, "known": sorted(known)})}})
    machine = add_machine(client, **wanted)
    if again and note:
        machine = _only_one(client, note, machine)
    note_machine(client, machine, note)
    return machine


def _only_one(client, note, machine):
    """The earlier request came to its end after all: its machine is kept, and the second one, which is this run's for certain, is taken back."""
    now = read_noted(client)
    alike = [name for name in newcomers(now, note) if name != machine and _alike(now["machines"][name], now["machines"].get(machine))]
    if not alike:
        return machine
    remove_machine(client, machine, force=True)
    return alike[0]


def _alike(one, other):
    return other is not None and (one["constraints"], one["base"]) == (other["constraints"], other["base"])


def note_machine(client, machine, note):
    annotate(client, {f"machine-{machine}": note, f"model-{client.uuid()}": {INTENT: ""}})


def remove_application(client, name, destroy_storage=False, force=False):
    asked = {"application-tag": tag("application", name), "destroy-storage": destroy_storage, "force": force, "max-wait": 0 if force else None}
    try:
        client.call("Application", "DestroyApplication", {"applications": [asked]}, repeat=True)
    except Refused as error:
        # Gone meanwhile, or by a request whose answer was lost.
        if not error.absent:
            raise


def remove_machine(client, machine, force=False, keep=False):
    client.call("MachineManager", "DestroyMachineWithParams", {"machine-tags": [tag("machine", machine)], "force": force, "keep": keep})


def tag(kind, name):
    return f"{kind}-{str(name).replace('/', '-')}"
