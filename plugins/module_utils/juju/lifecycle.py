# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Models from their making to their end."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju import constraints as limits
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused
from ansible_collections.stratus.cloud.plugins.module_utils.juju.plan import plain

# From the first to before the last: whatever leaves a model is deleted from MAAS when it is a virtual machine, also one that Juju did not make. It came
# with change 22285 and was mended by 22700 (juju/juju, docs/releasenotes/juju_3.6.x.md). The preflight's row in bundles/versions.yml is held to this.
LOSES_MACHINES = ((3, 6, 24), (3, 6, 25))
# Keys that the controller takes and never shows again.
UNSHOWN = ("authorized-keys",)


def _version(text):
    numbers = []
    for part in str(text).replace("-", ".").split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _user(tag):
    return str(tag or "").removeprefix("user-").split("@")[0]


def plain_model(summary):
    return {
        "name": summary.get("name"),
        "uuid": summary.get("uuid"),
        "owner": _user(summary.get("owner-tag")),
        "cloud": str(summary.get("cloud-tag") or "").removeprefix("cloud-"),
        "region": summary.get("cloud-region") or "",
        "credential": str(summary.get("cloud-credential-tag") or "").rpartition("_")[2],
        "life": summary.get("life") or "alive",
        "status": (summary.get("status") or {}).get("status") or "",
    }


def _same(key, wanted, value):
    if key in ("default-base",):
        try:
            return bundles.base(wanted) == bundles.base(value)
        except ValueError:
            return wanted == value
    if isinstance(value, bool) or isinstance(wanted, bool):
        return plain(wanted).lower() == plain(value).lower()
    if isinstance(value, (int, float)) and not isinstance(wanted, bool):
        return plain(wanted) == plain(value)
    return str(wanted).strip() == str(value if value is not None else "").strip()


def config_changes(wanted, present):
    """({key: value} to set, [keys] to put back, {key: value} before). `present` is what ModelGet shows."""
    to_set, reset, before = {}, [], {}
    for key, value in wanted.items():
        shown = present.get(key)
        if value is None:
            if shown and shown.get("source") == "model":
                reset.append(key)
                before[key] = shown.get("value")
        elif shown is None:
            if key not in UNSHOWN:
                to_set[key], before[key] = value, None
        elif not _same(key, value, shown.get("value")):
            to_set[key], before[key] = value, shown.get("value")
    return to_set, reset, before


def _cloud(client, name):
    """The cloud's name; the controller's own when none was asked for."""
    answer = client.controller("Cloud", "Clouds", {}, repeat=True)
    clouds = answer.get("clouds") or {}
    known = {tag.removeprefix("cloud-"): about for tag, about in clouds.items()}
    if name:
        if name not in known:
            raise JujuFault(f"the controller has no cloud {name} (it has {', '.join(sorted(known)) or 'none'})")
        return name
    own = [cloud for cloud, about in known.items() if (about or {}).get("is-controller-cloud")]
    if own or len(known) == 1:
        return (own or list(known))[0]
    raise JujuFault(f"the controller has several clouds ({', '.join(sorted(known))}): name one in 'cloud'")


def _owner(options, client):
    owner, sign, name = options["name"].rpartition("/")
    return options["owner"] or owner or _user(client.identity_tag), name


def present(module, client):
    options = module.params
    owner, name = _owner(options, client)
    summary = client.find_model(options["name"] if "/" in options["name"] else f"{owner}/{name}")
    if summary is not None and (summary.get("life") or "alive") != "alive":
        raise JujuFault(f"model {name} is being destroyed: run again when it is gone", model=plain_model(summary))
    if summary is None:
        return _create(module, client, owner, name)
    found = plain_model(summary)
    if options["cloud"] and found["cloud"] != options["cloud"]:
        raise JujuFault(f"model {name} is on cloud {found['cloud']}, and a model cannot be moved to {options['cloud']}", model=found)
    shown = client.request("ModelConfig", "ModelGet", {}, uuid=found["uuid"], repeat=True).get("config") or {}
    to_set, reset, before = config_changes(options["config"], shown)
    after = {**to_set, **dict.fromkeys(reset)}
    old = new = None
    if options["constraints"] is not None:
        old = client.request("ModelConfig", "GetModelConstraints", {}, uuid=found["uuid"], repeat=True).get("constraints") or {}
        old = {key: value for key, value in old.items() if value not in (None, "", [])}
        try:
            new = limits.parse(options["constraints"])
        except ValueError as error:
            raise JujuFault(f"constraints: {error}") from None
        if limits.same(old, new):
            old = new = None
        else:
            before["constraints"], after["constraints"] = limits.text(old), limits.text(new)
    if not module.check_mode:
        if to_set:
            client.request("ModelConfig", "ModelSet", {"config": to_set}, uuid=found["uuid"], repeat=True)
        if reset:
            client.request("ModelConfig", "ModelUnset", {"keys": reset}, uuid=found["uuid"], repeat=True)
        if new is not None:
            client.request("ModelConfig", "SetModelConstraints", {"application": "", "constraints": new}, uuid=found["uuid"], repeat=True)
    return {"changed": bool(after), "model": found, "diff": {"before": before, "after": after}}


def _create(module, client, owner, name):
    options = module.params
    cloud = _cloud(client, options["cloud"])
    config = {key: value for key, value in options["config"].items() if value is not None}
    shown = {key: value for key, value in config.items() if key not in UNSHOWN}
    diff = {"before": {}, "after": {"name": name, "owner": owner, "cloud": cloud, "config": shown}}
    if module.check_mode:
        return {"changed": True, "model": {"name": name, "owner": owner, "cloud": cloud}, "diff": diff}
    asked = {"name": name, "owner-tag": f"user-{owner}", "cloud-tag": f"cloud-{cloud}", "config": config}
    if options["region"]:
        asked["region"] = options["region"]
    if options["credential"]:
        asked["credential"] = f"cloudcred-{cloud}_{owner}_{options['credential']}"
    try:
        client.controller("ModelManager", "CreateModel", asked)
    except ConnectionLost:
        # The answer was lost; the model may be there.
        if client.find_model(f"{owner}/{name}") is None:
            client.controller("ModelManager", "CreateModel", asked)
    except Refused as error:
        if not error.exists:
            raise
    summary = client.find_model(f"{owner}/{name}")
    if summary is None:
        raise JujuFault(f"model {name} was made, and the controller does not list it")
    if options["constraints"]:
        try:
            wanted = limits.parse(options["constraints"])
        except ValueError as error:
            raise JujuFault(f"constraints: {error}") from None
        client.request("ModelConfig", "SetModelConstraints", {"application": "", "constraints": wanted}, uuid=summary["uuid"], repeat=True)
    return {"changed": True, "model": plain_model(summary), "diff": diff}


# --- the end ---------------------------------------------------------------------------------------------------------


def ladder(destroy_storage, force):
    """[(name, parameters, share of the time)]: each rung waits before the next one is tried."""
    rungs = [("gracefully", {}, 1.0)]
    if destroy_storage:
        rungs = [("with its storage", {"destroy-storage": True}, 1.0)]
    if force:
        rungs = [(*rungs[0][:2], 0.5)]
        rungs.append(("by force", {**rungs[0][1], "force": True}, 0.3))
        rungs.append(("by force, without waiting", {**rungs[0][1], "force": True, "max-wait": 0}, 0.2))
    return rungs


def _gone(client, uuid, seconds, interval, clock, sleep):
    """Waits for a model to disappear: (whether it did, its last state)."""
    began, pause, last = clock(), 0.5, {}
    while True:
        try:
            found = [summary for summary in client.models() if summary.get("uuid") == uuid]
            if not found:
                return True, last
            last = plain_model(found[0])
        except ConnectionLost:
            pass  # the client makes the connection anew
        left = seconds - (clock() - began)
        if left <= 0:
            return False, last
        sleep(max(0.05, min(pause, left)))
        pause = min(pause * 1.5, interval)


def loses_machines(version):
    first, mended = LOSES_MACHINES
    return first <= _version(version) < mended


def _keep_machines(options, client):
    """Raised where any way out of the model would cost machines, the graceful one as well."""
    if not options["accept_machine_loss"] and loses_machines(client.version):
        mended = ".".join(map(str, LOSES_MACHINES[1]))
        raise JujuFault(
            f"model {options['name']} is left as it is: the controller runs Juju {client.version}, which deletes virtual machines from MAAS that leave a "
            f"model, also those that Juju did not make; upgrade the controller to {mended} or later, or set accept_machine_loss"
        )


def absent(module, client, clock=time.monotonic, sleep=time.sleep):
    options = module.params
    began = clock()
    summary = client.find_model(options["name"])
    if summary is None:
        return {"changed": False, "rungs": [], "waited": 0.0}
    if summary.get("is-controller") or summary.get("name") == "controller":
        raise JujuFault("this is the controller's own model: it goes with the controller only")
    _keep_machines(options, client)
    found = plain_model(summary)
    # A model that is on its way out already changes only when it is pushed harder.
    alive = found["life"] == "alive"
    diff = {"before": found, "after": {}}
    if module.check_mode or not (alive or options["wait"]):
        return {"changed": alive, "model": found, "rungs": [], "waited": 0.0, "diff": diff if alive else {"before": {}, "after": {}}}
    tried = []
    for name, parameters, share in ladder(options["destroy_storage"], options["force"]):
        asked = {"model-tag": f"model-{found['uuid']}", "destroy-storage": None, "force": None, "max-wait": None, "timeout": None, **parameters}
        if not options["destroy_storage"] and not options["force"]:
            asked["destroy-storage"] = False
        try:
            client.controller("ModelManager", "DestroyModels", {"models": [asked]}, repeat=True)
        except Refused as error:
            if error.absent:
                break
            if "storage" in str(error).lower() and not options["destroy_storage"]:
                raise JujuFault(f"model {found['name']} has storage, which goes with it only when destroy_storage is set: {error}", model=found) from None
            raise
        tried.append(name)
        if not options["wait"]:
            return {"changed": True, "rungs": tried, "waited": 0.0, "diff": diff}
        gone, last = _gone(client, found["uuid"], options["wait_timeout"] * share, options["wait_interval"], clock, sleep)
        if gone:
            return {"changed": alive or len(tried) > 1, "rungs": tried, "waited": round(clock() - began, 1), "diff": diff}
        found = last or found
    if client.find_model(found["uuid"]) is None:
        return {"changed": True, "rungs": tried, "waited": round(clock() - began, 1), "diff": diff}
    more = "" if options["force"] else "; setting force lets the next rungs be tried"
    raise JujuFault(
        f"model {found['name']} is still {found['life']} ({found['status'] or 'no state'}) {options['wait_timeout']:.0f} s after it was destroyed "
        f"{' and '.join(tried)}{more}",
        model=found,
        rungs=tried,
        changed=True,
    )
