# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The reading twins: lists of things, and events."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.maas import kinds, vmhosts
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import require, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import same

# Result's name: (handler of the collection, how the option's value is read from a thing, how both are compared).
LISTS = {
    "zones": ("Zones", "name", same),
    "resource_pools": ("ResourcePools", "name", same),
    "spaces": ("Spaces", "name", same),
    "fabrics": ("Fabrics", "name", same),
    "tags": ("Tags", "name", same),
    "subnets": ("Subnets", "cidr", kinds.network),
    "ip_ranges": ("IPRanges", lambda found: (found.get("subnet") or {}).get("cidr"), kinds.network),
    "users": ("Users", "username", same),
    "sshkeys": ("SSHKeys", "key", kinds.key_body),
    "boot_sources": ("BootSources", "url", kinds.BOOT_SOURCE.fields["url"].norm),
    "boot_resources": ("BootResources", "name", same),
    "vm_hosts": ("VmHosts", "name", same),
    "dns_resources": ("DNSResources", "fqdn", str.lower),
}


def listing(result, option):
    """A module's work: read a collection, and leave what does not match."""
    handler, read, norm = LISTS[result]

    def value(thing):
        return read(thing) if callable(read) else thing.get(read)

    def work(module, client):
        found = client.read(handler, what=f"list {result.replace('_', ' ')}")
        wanted = module.params[option]
        if wanted is not None:
            found = [thing for thing in found if value(thing) is not None and norm(value(thing)) == norm(wanted)]
        return {"changed": False, result: finish(client, result, found)}

    return work


def finish(client, result, things):
    if result == "vm_hosts":
        return [vmhosts.summary(host) for host in things]
    if result == "boot_sources":
        return [
            # The keyring is long and nobody reads it.
            {
                **{name: value for name, value in source.items() if name != "keyring_data"},
                "selections": client.read("BootSourceSelections", {"boot_source_id": source["id"]}, what="list boot source selections"),
            }
            for source in things
        ]
    return things


def events(client, params):
    """Events of machines, newest last, over as many requests as the region's limit of 1,000 needs."""
    query = {"level": params["level"]}
    if params["machines"] is not None:
        query["id"] = [machine["system_id"] for machine in require(client, params["machines"], summary).values()]
    if params["limit"] < 1:
        raise MaasError("limit has to be at least 1")
    found, mark = [], {"after": params["after"]} if params["after"] is not None else {}
    while len(found) < params["limit"]:
        limit = min(1000, params["limit"] - len(found))
        page = client.call("Events", "query", data={**query, **mark, "limit": limit}, what="read events").get("events") or []
        found += page
        if len(page) < limit:
            break
        ids = [event["id"] for event in page]
        mark = {"after": max(ids)} if params["after"] is not None else {"before": min(ids)}
    found.sort(key=lambda event: event["id"])
    return dict(changed=False, events=found, last_id=found[-1]["id"] if found else params["after"])
