# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Boot sources, what is selected from them, and images that arrive: on the region, then on every rack."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable, passing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import BOOT_SELECTION, BOOT_SOURCE
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import Result, compare, encoded, ensure, find
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, PENDING, Waiter
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import FAILED as VERDICT_FAILED

COMPLETE = "complete"
STALLED = "stalled"

# A region takes a selection once it has read what its image source offers, over the network, some time after it started or got a proxy. Seconds
# until it must have, and between two tries.
CATALOGUE_WAIT = 300.0
CATALOGUE_PAUSE = 10.0
NOT_OFFERED = "has no available images for download"


def source_of(client, url=None):
    """The boot source with this URL; without one the first, which is what a fresh region has. None when there is none."""
    sources = sorted(client.read("BootSources", what="list boot sources"), key=lambda source: source["id"])
    if url is None:
        return sources[0] if sources else None
    norm = BOOT_SOURCE.fields["url"].norm
    return next((source for source in sources if norm(source["url"]) == norm(url)), None)


def ensure_source(client, params):
    """A boot source; one with ``previous_url`` is pointed to the new URL instead of being joined by another."""
    wanted = {name: params[name] for name in ("url", "keyring_filename", "keyring_data")}
    there = source_of(client, params["url"])
    if params["state"] == "present" and there is None and params["previous_url"]:
        old = source_of(client, params["previous_url"])
        if old is not None:
            changes = compare(BOOT_SOURCE, old, wanted)
            before = {name: pair[0] for name, pair in changes.items()}
            after = {name: pair[1] for name, pair in changes.items()}
            thing = {**old, "url": params["url"]}
            if not client.read_only:
                thing = client.call(
                    "BootSource", "update", {"id": old["id"]}, encoded(BOOT_SOURCE, wanted, changes), what=f"point boot source {old['url']} to {params['url']}"
                )
            return Result(True, before, after, _without_keyring(thing), changes)
    if params["state"] == "present" and there is None and not (params["keyring_filename"] or params["keyring_data"]):
        raise MaasError(f"There is no boot source {params['url']} yet; to make one, keyring_filename or keyring_data is needed")
    result = ensure(client, BOOT_SOURCE, wanted, params["state"])
    result.thing = _without_keyring(result.thing)
    return result


def _without_keyring(source):
    return source and {name: value for name, value in source.items() if name != "keyring_data"}


def ensure_selection(client, params, clock=time.monotonic, sleep=time.sleep):
    source = source_of(client, params["boot_source_url"])
    if source is None:
        if params["state"] == "absent":
            return None
        missing = f"no boot source {params['boot_source_url']}" if params["boot_source_url"] else "no boot source yet"
        raise MaasError(f"This region has {missing}; create it with maas_boot_source, or wait until the region is ready (maas_controller_info)")
    wanted = {name: params[name] for name in ("os", "release", "arches", "subarches", "labels")}
    wanted["boot_source_id"] = source["id"]
    if params["state"] == "absent":
        found = find(client, BOOT_SELECTION, wanted)
        wanted = {**wanted, **({} if found is None else {"arches": None, "subarches": None, "labels": None})}
    end = clock() + CATALOGUE_WAIT
    while True:
        try:
            return ensure(client, BOOT_SELECTION, wanted, params["state"])
        except ApiError as error:
            if error.status != 400 or NOT_OFFERED not in str(error.fields().get("os")):
                raise
            if clock() + CATALOGUE_PAUSE > end:
                raise MaasError(
                    f"After {CATALOGUE_WAIT:.0f} s the region knows no images of {wanted['os']} {wanted['release']}: it has not read its image source "
                    f"{source['url']}, or cannot reach it, or that offers no such release. Correct the release, or let the region out: behind a proxy "
                    "set http_proxy with maas_config (maas_settings of the role maas)"
                ) from error
        sleep(CATALOGUE_PAUSE)


def rows_of(client, os, releases, arches):
    """{"ubuntu/jammy amd64": [rows]} of the images asked for."""
    wanted = {f"{os}/{release} {arch}": [] for release in releases for arch in arches}
    for row in client.read("BootResources", what="list images"):
        key = f"{row['name']} {row['architecture'].split('/')[0]}"
        if key in wanted:
            wanted[key].append(row)
    return wanted


def completeness(client, row):
    """(complete, share of its bytes) of one image; a list never tells, so it is read."""
    read = client.find("BootResource", {"id": row["id"]})
    sets = (read or {}).get("sets") or {}
    if not sets:
        return False, 0.0
    newest = sets[max(sets)]
    # Per cent in every version, while that of the single files was something else before 3.5.
    return (True, 1.0) if newest.get("complete") else (False, (newest.get("progress") or 0.0) / 100)


def racks_state(client, os, releases):
    """{hostname: state} of the rack controllers: "complete" when they have every release."""
    states = {}
    for rack in client.read("RackControllers", what="list rack controllers"):
        try:
            told = client.call("RackController", "list_boot_images", {"system_id": rack["system_id"]}, what=f"list the images of rack {rack['hostname']}")
        except ApiError as error:
            states[f"rack {rack['hostname']}"] = f"does not tell ({error.status})"
            continue
        names = {image.get("name", "").split("/")[-1] for image in told.get("images") or [] if image.get("name", "").split("/")[0] in (os, image.get("name"))}
        missing = [release for release in releases if release not in names]
        if told.get("status") == "synced" and (not missing or not told.get("images")) or not missing and told.get("status") != "syncing":
            states[f"rack {rack['hostname']}"] = COMPLETE
        else:
            states[f"rack {rack['hostname']}"] = told.get("status") or "waiting"
    return states


class Images:
    """The state of the images asked for; knows what is complete already and does not read it again."""

    def __init__(self, client, os, releases, arches):
        self.client, self.os, self.releases, self.arches = client, os, releases, arches
        self.done = set()
        self.importing = None
        self.share = {}

    def poll(self):
        self.importing = bool(self.client.call("BootResources", "is_importing", what="ask whether images are being imported"))
        states = {}
        for key, rows in rows_of(self.client, self.os, self.releases, self.arches).items():
            if key in self.done:
                states[key] = COMPLETE
                continue
            results = [completeness(self.client, row) for row in rows]
            if rows and all(complete for complete, share in results):
                self.done.add(key)
                states[key] = COMPLETE
                continue
            self.share[key] = sum(share for complete, share in results) / len(results) if results else 0.0
            if not rows:
                states[key] = "queued" if self.importing else "absent"
            else:
                states[key] = f"{10 * int(self.share[key] * 10)} %"
        if all(state == COMPLETE for state in states.values()):
            states.update(racks_state(self.client, self.os, self.releases))
        return states

    def complete(self, states):
        return not self.importing and all(state == COMPLETE for state in states.values()) and any(name.startswith("rack ") for name in states)


def ensure_imported(client, params, clock=time.monotonic, sleep=time.sleep, emit=None):
    """Start an import when something is missing, and wait until the region and the racks have everything."""
    images = Images(client, params["os"], params["releases"], params["arches"])
    resume = params.get("wait_resume") or {}
    states = images.poll()
    have = all(states.get(f"{images.os}/{release} {arch}") == COMPLETE for release in images.releases for arch in images.arches)
    started = bool(resume.get("started"))
    start = not have and not images.importing and not resume
    before = dict(states)
    if start and not client.read_only:
        client.call("BootResources", "import", what="start the import of images", settled=lambda: images.poll() and images.importing or None)
        started = True
    result = dict(
        changed=start or started,
        diff=resume.get("diff") or dict(before=before if start else {}, after=dict.fromkeys(states, COMPLETE) if start else {}),
        importing=bool(images.importing or started),
        images=states,
        waited=0.0,
    )
    if not params["wait"] or client.read_only:
        result["resources"] = resources(client, images)
        return result
    watchdog = Watchdog(images, params["stall_after"], params["stall_retries"], clock)
    watchdog.restore(resume.get("watchdog"))
    names = list(states) + [f"rack {rack['hostname']}" for rack in client.read("RackControllers", what="list rack controllers")]

    def poll():
        seen = images.poll()
        return watchdog.look(seen)

    def judge(name, state):
        if state == COMPLETE:
            # An import that still runs may be replacing what is there.
            return PENDING if images.importing else DONE
        return VERDICT_FAILED if state.startswith(STALLED) else PENDING

    waiter = Waiter(
        params["wait_timeout"],
        interval=params["wait_interval"],
        first=min(2.0, params["wait_interval"]),
        tolerate=(Unreachable,),
        goal=COMPLETE,
        fail_fast=True,
        emit=emit,
        clock=clock,
        sleep=sleep,
        elapsed=resume.get("elapsed", 0.0),
        slice_seconds=params.get("wait_slice"),
        kind="image",
        remedy="Look at the region's images page and its log (regiond.log); check that the region reaches the boot source",
    )
    outcome = waiter.run(dict.fromkeys(names), passing(client, poll), judge, states)
    result.update(
        waited=round(outcome.waited, 1), progress=outcome.lines, timeline=outcome.timeline(), images=dict(outcome.states), importing=bool(images.importing)
    )
    if not outcome.finished:
        result["unfinished"] = True
        result["resume"] = dict(line=outcome.line, elapsed=outcome.waited, started=started, diff=result["diff"], watchdog=watchdog.save())
        return result
    result["resources"] = resources(client, images)
    return result


def resources(client, images):
    rows = rows_of(client, images.os, images.releases, images.arches)
    return [{"name": row["name"], "architecture": row["architecture"], "type": row.get("type"), "id": row["id"]} for group in rows.values() for row in group]


class Watchdog:
    """An import that does not move for too long is stopped and started again; when that does not help either, it has stalled."""

    def __init__(self, images, after, retries, clock):
        self.images, self.after, self.retries, self.clock = images, after, retries, clock
        self.last, self.since, self.restarts = None, clock(), 0

    def save(self):
        return {"last": self.last, "idle": self.clock() - self.since, "restarts": self.restarts}

    def restore(self, saved):
        if saved:
            self.last, self.since, self.restarts = saved["last"], self.clock() - saved["idle"], saved["restarts"]

    def look(self, states):
        mark = [dict(self.images.share), dict(states)]
        if mark != self.last:
            self.last, self.since = mark, self.clock()
        missing = [name for name, state in states.items() if state != COMPLETE]
        idle = self.clock() - self.since
        # Between the request and the start of an import a region needs a moment; without an import nothing will come at all.
        limit = self.after if self.images.importing else min(self.after, 120.0)
        if missing and idle >= limit:
            if self.restarts >= self.retries:
                # What hangs is not left behind: the next run starts anew at once.
                self._stop()
                return {**states, **{name: f"{STALLED} at {states[name]} for {idle:.0f} s" for name in missing}}
            self.restarts += 1
            self.since = self.clock()
            self._stop()
            self.images.client.call("BootResources", "import", what="start the import again", settled=lambda: None)
        return states

    def _stop(self):
        if self.images.importing:
            self.images.client.call("BootResources", "stop_import", what="stop an import that does not move", settled=lambda: None)
