# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""VM hosts, and virtual machines composed on them."""

from __future__ import annotations

import time
from contextlib import suppress

from ansible_collections.stratus.cloud.plugins.module_utils.maas import machines as sets
from ansible_collections.stratus.cloud.plugins.module_utils.maas import transitions
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable, passing
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, PENDING, Waiter, WaitTimeout

# Options that a VM host's own object tells.
COMPARED = ("pool", "zone", "cpu_over_commit_ratio", "memory_over_commit_ratio", "default_macvlan_mode")
CREATE = ("name", "type", "power_address", "power_user", "power_pass", "project", "certificate", "key", "password", *COMPARED)
SECRETS = ("key", "password", "power_pass")
EMPTY = "empty"
DISCOVERED = "discovered"


def host_state(host):
    """Whether the region knows what the VM host has: it saves one also when it could not reach it."""
    total = host.get("total") or {}
    if (total.get("cores") or 0) > 0 and host.get("storage_pools"):
        return DISCOVERED
    if (total.get("cores") or 0) > 0:
        return "without storage pools"
    return EMPTY


def summary(host):
    return {
        "id": host["id"],
        "name": host["name"],
        "type": host.get("type"),
        "version": host.get("version"),
        "pool": (host.get("pool") or {}).get("name"),
        "zone": (host.get("zone") or {}).get("name"),
        "tags": sorted(host.get("tags") or []),
        "system_id": (host.get("host") or {}).get("system_id"),
        "cpu_over_commit_ratio": host.get("cpu_over_commit_ratio"),
        "memory_over_commit_ratio": host.get("memory_over_commit_ratio"),
        "total": host.get("total"),
        "used": host.get("used"),
        "available": host.get("available"),
        "storage_pools": [{"name": pool.get("name"), "driver": pool.get("driver"), "total": pool.get("total")} for pool in host.get("storage_pools") or []],
        "state": host_state(host),
    }


def bare_address(value):
    """An LXD address without scheme and default port, to compare."""
    text = str(value or "").strip().removeprefix("https://").rstrip("/")
    return text.removesuffix(":8443")


def pem(value):
    return "\n".join(line.strip() for line in str(value or "").strip().splitlines())


def find_host(client, params):
    """(host, its connection parameters or None): by name, else by address and project."""
    hosts = client.read("VmHosts", what="list VM hosts")
    host = next((host for host in hosts if host["name"] == params["name"] or str(host["id"]) == params["name"]), None)
    if host is not None or not params.get("power_address"):
        return host, None
    for candidate in hosts:
        if params.get("type") and candidate.get("type") != params["type"]:
            continue
        told = client.call("VmHost", "parameters", {"id": candidate["id"]}, what=f"read the connection of VM host {candidate['name']}")
        if bare_address(told.get("power_address")) == bare_address(params["power_address"]) and (told.get("project") or "default") == (
            params.get("project") or "default"
        ):
            return candidate, told
    return None, None


def differences(params, host, told):
    """{option: (before, after)}; ``told``: the host's connection parameters, when they had to be read."""
    changes = {}
    if host["name"] != params["name"] and str(host["id"]) != params["name"]:
        changes["name"] = (host["name"], params["name"])
    for name in COMPARED:
        if params.get(name) is None:
            continue
        before = host.get(name)
        before = before.get("name") if isinstance(before, dict) else before
        if before != params[name]:
            changes[name] = (before, params[name])
    if told is not None:
        if params.get("power_address") and bare_address(told.get("power_address")) != bare_address(params["power_address"]):
            changes["power_address"] = (told.get("power_address"), params["power_address"])
        if params.get("certificate") and pem(told.get("certificate")) != pem(params["certificate"]):
            changes["certificate"] = ("another certificate", "the given certificate")
    missing = sorted(set(params.get("tags") or []) - set(host.get("tags") or []))
    if missing:
        changes["tags"] = (sorted(host.get("tags") or []), sorted(set(host.get("tags") or []) | set(missing)))
    return changes


def ensure_host(client, params, clock=time.monotonic, sleep=time.sleep, emit=None):
    host, told = find_host(client, params)
    called = params["name"]
    if params.get("wait_resume"):
        return _found(client, params, host, params["wait_resume"]["result"], clock, sleep, emit, fresh=False)
    if params["state"] == "absent":
        if host is not None and not client.read_only:
            data = {"decompose": True} if params.get("decompose") else {}
            client.call("VmHost", "delete", {"id": host["id"]}, data, what=f"delete VM host {called}")
        before = summary(host) if host else {}
        return dict(changed=host is not None, diff=dict(before=before, after={}), vm_host=before, waited=0.0)
    if host is None:
        after = {name: params[name] for name in CREATE if params.get(name) is not None and name not in SECRETS}
        for needed in ("type", "power_address"):
            if not params.get(needed):
                raise MaasError(f"There is no VM host {called} yet; to make it, {needed} is needed")
        if client.read_only:
            return dict(changed=True, diff=dict(before={}, after=after), vm_host=dict(name=called, state=EMPTY), waited=0.0)
        host = _create(client, params, sleep)
        _tag(client, host, params)
        return _found(client, params, host, dict(changed=True, diff=dict(before={}, after=after)), clock, sleep, emit, fresh=True)
    if told is None and (params.get("certificate") or params.get("power_address")):
        told = client.call("VmHost", "parameters", {"id": host["id"]}, what=f"read the connection of VM host {called}")
    changes = differences(params, host, told)
    before = {name: pair[0] for name, pair in changes.items()}
    after = {name: pair[1] for name, pair in changes.items()}
    empty = host_state(host) != DISCOVERED
    if empty:
        before["state"], after["state"] = host_state(host), DISCOVERED
    result = dict(changed=bool(changes) or empty, diff=dict(before=before, after=after))
    if not client.read_only:
        form = {name: params[name] for name in changes if name != "tags"}
        if "certificate" in changes:
            form["key"] = params.get("key")
        if form:
            host = client.call("VmHost", "update", {"id": host["id"]}, form, what=f"update VM host {called}")
        _tag(client, host, params)
        if empty:
            return _found(client, params, host, result, clock, sleep, emit, fresh=False)
    return dict(result, vm_host=summary(host), waited=0.0)


def _found(client, params, host, result, clock, sleep, emit, fresh):
    """The module's result once the region has read the VM host."""
    if not params.get("wait", True):
        return dict(result, vm_host=summary(host), waited=0.0)
    host, outcome = _discover(client, params, host, clock, sleep, emit, fresh)
    result = dict(result, vm_host=summary(host), waited=round(outcome.waited, 1), progress=outcome.lines)
    if not outcome.finished:
        kept = {name: result[name] for name in ("changed", "diff")}
        result.update(unfinished=True, resume=dict(elapsed=outcome.waited, line=outcome.line, recreated=outcome.recreated, result=kept))
    return result


# A region that speaks to LXD for the first time, or a busy LXD, fails (5xx) and succeeds a little later. Seconds before the next tries.
PAUSES = (5.0, 15.0)


def persist(make, look, sleep):
    """``make``, again when the region fails; ``look`` finds what a try that failed has made after all."""
    for pause in PAUSES:
        try:
            return make()
        except ApiError as error:
            if error.status < 500:
                raise
        sleep(pause)
        found = look()
        if found is not None:
            return found
    return make()


def _create(client, params, sleep):
    form = {name: params[name] for name in CREATE if params.get(name) is not None}

    def look():
        return next((host for host in client.read("VmHosts") if host["name"] == params["name"]), None)

    return persist(lambda: client.call("VmHosts", "create", data=form, what=f"make VM host {params['name']}", settled=look), look, sleep)


def _tag(client, host, params):
    for tag in sorted(set(params.get("tags") or []) - set(host.get("tags") or [])):
        client.call("VmHost", "add_tag", {"id": host["id"]}, {"tag": tag}, what=f"tag VM host {host['name']} with {tag}", settled=lambda: None)


def _discover(client, params, host, clock, sleep, emit, fresh):
    """Wait until the region has read the VM host; ask it to refresh, and make an empty one anew when that does not help."""
    resume = params.get("wait_resume") or {}
    seen = {
        "host": host,
        "refreshed": clock() if fresh else float("-inf"),
        "made": clock() - resume.get("elapsed", 0.0),
        "recreated": bool(resume.get("recreated")),
        "fault": None,
    }

    def poll():
        seen["host"] = client.read("VmHost", {"id": seen["host"]["id"]}, what=f"read VM host {params['name']}")
        if host_state(seen["host"]) == DISCOVERED:
            return {params["name"]: DISCOVERED}
        now = clock()
        if now - seen["refreshed"] >= 10.0:
            seen["refreshed"] = now
            try:
                told = client.call("VmHost", "refresh", {"id": seen["host"]["id"]}, what=f"refresh VM host {params['name']}", settled=lambda: None)
                if isinstance(told, dict) and "id" in told:
                    seen["host"] = told
            except ApiError as error:
                seen["fault"] = str(error)
        may = params.get("certificate") or params.get("password")
        used = (seen["host"].get("used") or {}).get("cores") or 0
        if host_state(seen["host"]) == EMPTY and not seen["recreated"] and now - seen["made"] >= 45.0 and may and not used:
            seen["recreated"] = True
            client.call("VmHost", "delete", {"id": seen["host"]["id"]}, what=f"delete the empty VM host {params['name']}")
            seen["host"] = _create(client, params, sleep)
            _tag(client, seen["host"], params)
        return {params["name"]: host_state(seen["host"])}

    waiter = Waiter(
        params["wait_timeout"],
        interval=params["wait_interval"],
        first=min(1.0, params["wait_interval"]),
        tolerate=(Unreachable,),
        goal=DISCOVERED,
        clock=clock,
        sleep=sleep,
        emit=emit,
        elapsed=resume.get("elapsed", 0.0),
        slice_seconds=params.get("wait_slice"),
        remedy=(
            f"The region could not read it. Check that {params.get('power_address') or 'its address'} answers from the rack controller (port 8443), "
            "that LXD trusts the certificate (lxc config trust list), and that the project exists (lxc project list)"
        ),
    )
    try:
        outcome = waiter.run([params["name"]], passing(client, poll), lambda name, state: DONE if state == DISCOVERED else PENDING)
    except WaitTimeout as error:
        if seen["fault"]:
            error.args = (f"{error}. {seen['fault']}",)
        raise
    outcome.recreated = seen["recreated"]
    return seen["host"], outcome


# Virtual machines


def storage(disks):
    """Disks as the compose operation takes them: "root:50(pool),disk1:20", sizes in GB."""
    parts = []
    for number, disk in enumerate(disks):
        disk = disk if isinstance(disk, dict) else {"size": disk}
        label = "root" if number == 0 else f"disk{number}"
        tags = [tag for tag in (disk.get("pool"), *(disk.get("tags") or [])) if tag]
        parts.append(f"{label}:{disk['size']}{'(' + ','.join(tags) + ')' if tags else ''}")
    return ",".join(parts)


# What is given by name and composed by id: the handler that lists them, and the module that makes one (none makes domains).
PLACES = {"pool": ("ResourcePools", "resource pool", "maas_resource_pool"), "zone": ("Zones", "zone", "maas_zone"), "domain": ("Domains", "domain", None)}


def placed(client, vms):
    """The VMs with the ids of their pools, zones and domains, which are all that the compose operation takes."""
    ids, problems = {}, []
    for option, (handler, what, module) in PLACES.items():
        names = {str(vm[option]) for vm in vms if vm.get(option)}
        if not names:
            continue
        there = client.read(handler, what=f"list {what}s")
        # As an id it may be given, too; a name goes before.
        ids[option] = {**{str(thing["id"]): thing["id"] for thing in there}, **{thing["name"]: thing["id"] for thing in there}}
        known = ", ".join(sorted(thing["name"] for thing in there))
        for name in sorted(names - set(ids[option])):
            users = ", ".join(vm["hostname"] for vm in vms if str(vm.get(option)) == name)
            make = f", or create it with {module}" if module else ""
            problems.append(f"There is no {what} {name!r}, which {users} would be in: use one that the region knows ({known}){make}")
    if problems:
        raise MaasError("; ".join(problems), problems=problems)
    return [{**vm, **{option: known[str(vm[option])] for option, known in ids.items() if vm.get(option)}} for vm in vms]


def compose_form(vm):
    form = {"hostname": vm["hostname"], "cores": vm["cores"], "memory": vm["memory"]}
    if vm.get("disks"):
        form["storage"] = storage(vm["disks"])
    for name in ("pool", "zone", "domain", "interfaces"):
        # The default pool's id is 0.
        if vm.get(name) not in (None, ""):
            form[name] = vm[name]
    return form


def vm_summary(vm):
    return {
        "hostname": vm["hostname"],
        "cores": vm["cores"],
        "memory": vm["memory"],
        "disks": [str(disk["size"]) if isinstance(disk, dict) else str(disk) for disk in vm.get("disks") or []],
        "tags": sorted(vm.get("tags") or []),
    }


def check_vms(vms):
    problems = []
    names = [vm["hostname"] for vm in vms]
    problems += [f"hostname {name} is given {names.count(name)} times" for name in sorted({n for n in names if names.count(n) > 1})]
    for vm in vms:
        for disk in vm.get("disks") or []:
            size = disk["size"] if isinstance(disk, dict) else disk
            if not str(size).isdigit() or int(size) <= 0:
                problems.append(f"{vm['hostname']}: disk size {size!r} is no whole number of GB")
    if problems:
        raise MaasError("; ".join(problems), problems=problems)


def normal_disks(disks):
    """["20", {"size": "20", "pool": "p"}] in one shape."""
    result = []
    for disk in disks or []:
        if isinstance(disk, dict):
            unknown = sorted(set(disk) - {"size", "pool", "tags"})
            if unknown or "size" not in disk:
                raise MaasError(f"A disk has size, pool and tags, not {', '.join(unknown) or 'nothing'}: {disk}")
            result.append(dict(disk, size=str(disk["size"])))
        else:
            result.append({"size": str(disk)})
    return result


def ensure_vms(client, params, clock=None, sleep=None, emit=None):
    """Compose the VMs that do not exist yet, tag all, wait until they are Ready."""
    vms = [dict(vm, disks=normal_disks(vm.get("disks"))) for vm in params["vms"]]
    check_vms(vms)
    if params.get("wait_resume"):
        result = params["wait_resume"]["outer"]
        return _wait_vms(client, params, vms, result, clock, sleep, emit)
    names = [vm["hostname"] for vm in vms]
    found = sets.lookup(client, names, sets.summary)
    if params["state"] == "absent":
        doomed = sets.remove(client, [{"hostname": name} for name in names if found[name]], params.get("force", False))
        before = {machine["hostname"]: {"system_id": machine["system_id"]} for machine in doomed}
        return dict(changed=bool(doomed), diff=dict(before=before, after={}), machines=[], composed=[], waited=0.0)
    missing = [vm for vm in vms if found[vm["hostname"]] is None]
    host = None
    if missing:
        host, dummy = find_host(client, {"name": params["vm_host"]})
        if host is None and not client.read_only:
            raise MaasError(f"There is no VM host {params['vm_host']}; make it with maas_vm_host first")
        if host is not None and host_state(host) == EMPTY:
            raise MaasError(
                f"The region has not read VM host {params['vm_host']} yet, so nothing can be composed on it; maas_vm_host waits until it has, or says why not"
            )
    before, after, tags = {}, {vm["hostname"]: vm_summary(vm) for vm in missing}, {}
    if not client.read_only:
        for vm in placed(client, missing):
            found[vm["hostname"]] = _compose(client, host, vm, sleep or time.sleep)
    for vm in vms:
        machine = found[vm["hostname"]]
        lacking = sorted(set(vm.get("tags") or []) - set((machine or {}).get("tags") or []))
        if lacking and machine is not None:
            if vm not in missing:
                before[vm["hostname"]] = {"tags": machine["tags"]}
                after[vm["hostname"]] = {"tags": sorted(set(machine["tags"]) | set(lacking))}
            for tag in lacking:
                tags.setdefault(tag, []).append(machine["system_id"])
    sets.put_tags(client, tags)
    result = dict(
        changed=bool(after),
        diff=dict(before=before, after=after),
        composed=[vm["hostname"] for vm in missing],
        machines=[found[name] or vm_summary(vm) for name, vm in zip(names, vms, strict=True)],
        waited=0.0,
    )
    if not params.get("wait", True) or client.read_only:
        return result
    return _wait_vms(client, params, vms, result, clock, sleep, emit)


# A composed machine is New until its host has made it, and MAAS then commissions it by itself.
COMPOSING = 90.0


def _settle(client, names, clock, sleep):
    """Give MAAS the time to begin commissioning what was composed; doing it too would be one too many."""
    fresh = {machine["system_id"]: name for name, machine in sets.lookup(client, names, sets.summary).items() if machine and machine["status"] == "New"}

    def poll():
        return {fresh[machine["system_id"]]: machine["status"] for machine in sets.by_ids(client, list(fresh), sets.summary, not_status="new")}

    times = {name: value for name, value in (("clock", clock), ("sleep", sleep)) if value}
    waiter = Waiter(COMPOSING, interval=5.0, first=0.5, tolerate=(Unreachable,), goal="under way", heartbeat=0, **times)

    def judge(name, state):
        return PENDING if state in ("New", "absent") else DONE

    with suppress(WaitTimeout):
        waiter.run(list(fresh.values()), passing(client, poll), judge, dict.fromkeys(fresh.values(), "New"))


def _wait_vms(client, params, vms, result, clock, sleep, emit):
    """All of them to Ready; one that failed its commissioning is commissioned again, one in use is left alone."""
    if not params.get("wait_resume"):
        _settle(client, [vm["hostname"] for vm in vms], clock, sleep)
    request = {
        **{name: params.get(name) for name in ("wait", "wait_timeout", "wait_interval", "wait_slice", "on_failure", "retries", "min_ready")},
        "state": "ready",
        "machines": [vm["hostname"] for vm in vms],
        "wait_resume": (params.get("wait_resume") or {}).get("inner"),
    }
    brought = transitions.bring(client, request, clock, sleep, emit)
    if brought.get("unfinished"):
        return dict(
            result,
            unfinished=True,
            progress=brought["progress"],
            timeline=brought["timeline"],
            resume=dict(inner=brought["resume"], outer=result, **{name: brought["resume"].get(name) for name in ("line", "elapsed")}),
        )
    composed = set(result["composed"])
    others = {name: text for name, text in brought["diff"]["after"].items() if name not in composed}
    if others:
        result["changed"] = True
        for name, text in others.items():
            result["diff"]["before"].setdefault(name, {})["status"] = brought["diff"]["before"].get(name)
            result["diff"]["after"].setdefault(name, {})["status"] = text
    result.update({name: brought[name] for name in ("waited", "progress", "timeline", "ready", "left_alone", "failed_machines")})
    order = {vm["hostname"]: number for number, vm in enumerate(vms)}
    result["machines"] = sorted(brought["machines"], key=lambda machine: order.get(machine["hostname"], len(order)))
    return result


def _compose(client, host, vm, sleep):
    def look():
        return sets.lookup(client, [vm["hostname"]])[vm["hostname"]]

    def make():
        what = f"compose {vm['hostname']} on {host['name']}"
        return client.call("VmHost", "compose", {"id": host["id"]}, compose_form(vm), what=what, settled=look)

    told = persist(make, look, sleep)
    return sets.summary(client.read("Machine", {"system_id": told["system_id"]}, what=f"read {vm['hostname']}"))
