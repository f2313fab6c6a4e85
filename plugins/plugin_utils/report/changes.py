# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is different in a cloud since an earlier run. Pure: two records in, plain rows out."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import unit_order
from ansible_collections.stratus.cloud.plugins.plugin_utils.report.timeline import natural


def charm(application):
    """Where an application's software comes from, in one text."""
    parts = [str(application.get("charm") or "").rpartition(":")[2], application.get("channel")]
    parts.append(f"revision {application['revision']}" if application.get("revision") not in (None, "") else None)
    parts.append(f"version {application['version']}" if application.get("version") else None)
    return ", ".join(str(part) for part in parts if part) or "there"


def versions(run):
    """{what: version or channel}. What runs and what was asked for are apart: only like is compared with like."""
    facts, site, told = run.get("facts") or {}, run.get("site") or {}, run.get("versions") or {}
    hosts = (facts.get("vm_hosts") or {}).values()
    bundle = [site.get("openstack_bundle_file"), *(site.get("openstack_bundle_overlays") or [])]
    return {
        "stratus.cloud": told.get("collection"),
        "ansible-core": told.get("ansible-core"),
        "Python": told.get("python"),
        "PostgreSQL": site.get("postgres_version"),
        "MAAS": facts.get("maas_version"),
        "MAAS's channel": site.get("maas_channel"),
        "LXD": ", ".join(sorted({str(host["version"]) for host in hosts if host.get("version")})),
        "LXD's channel": site.get("lxd_channel"),
        "Juju": (facts.get("model") or {}).get("version"),
        "Juju's channel": site.get("juju_channel"),
        "Bundle": " + ".join(str(part) for part in bundle if part),
    }


def machines(run):
    """{host name: "there"} of bare metal and virtual machines, without the containers on them."""
    facts = run.get("facts") or {}
    model = (facts.get("model") or {}).get("machines") or []
    names = {*(facts.get("machines") or {}), *(machine["hostname"] for machine in model if machine.get("hostname") and not machine.get("parent"))}
    return dict.fromkeys(sorted(names, key=natural), "there")


def units(run, applications):
    """{unit: where it is}, of these applications; subordinates go with their principals."""
    found = ((run.get("facts") or {}).get("model") or {}).get("units") or {}
    mine = {name: unit for name, unit in found.items() if unit.get("application") in applications and not unit.get("principal")}
    return {name: f"on {mine[name].get('machine', '-')}" for name in sorted(mine, key=unit_order)}


def _rows(title, before, now, gone, came):
    """What is different; what only one of them has counts as gone or as new where the other looked at everything."""
    for name in dict.fromkeys((*now, *before)):
        past, present = before.get(name), now.get(name)
        if past == present or (name not in now and not gone) or (name not in before and not came):
            continue
        yield title.format(name), past, present


def compare(run, earlier):
    """[(what, earlier, now)] of versions, charms, machines and units that differ; None for what is gone or new.

    Of things that a run did not look at nothing is said, and a run that did not come to its end may not have seen all of them.
    """
    gone, came = run.get("result") == "ok", earlier.get("result") == "ok"
    old, new = versions(earlier), versions(run)
    rows = list(_rows("{}", *({name: side[name] for name in new if old[name] and new[name]} for side in (old, new)), gone, came))
    if machines(earlier) and machines(run):
        rows += _rows("Machine {}", machines(earlier), machines(run), gone, came)
    before, now = (((side.get("facts") or {}).get("model") or {}).get("applications") or {} for side in (earlier, run))
    if before and now:
        rows += _rows("Application {}", *({name: charm(about) for name, about in side.items()} for side in (before, now)), gone, came)
        both = set(before) & set(now)
        rows += _rows("Unit {}", units(earlier, both), units(run, both), gone, came)
    return rows
