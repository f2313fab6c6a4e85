# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Is the region really ready? Its API answers long before it can serve anybody."""

from __future__ import annotations

import time

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, PENDING, Waiter

READY = "ready"
# Without these nobody boots, resolves a name, or is powered on. The rest may be off on purpose (DHCP before a range, a proxy).
ESSENTIAL = frozenset(("regiond", "rackd", "bind9", "dns_rack", "http", "tftp"))
FINE = frozenset(("running", "off"))


def services(controller):
    return {service["name"]: service.get("status") for service in controller.get("service_set") or []}


def view(controller):
    return {
        "system_id": controller["system_id"],
        "hostname": controller["hostname"],
        "version": controller.get("version"),
        "ip_addresses": controller.get("ip_addresses") or [],
        "services": services(controller),
        "interfaces": [
            {
                "name": interface["name"],
                "mac_address": interface.get("mac_address"),
                "vlan": (interface.get("vlan") or {}).get("id"),
                "fabric": (interface.get("vlan") or {}).get("fabric"),
                "subnets": [(link.get("subnet") or {}).get("cidr") for link in interface.get("links") or [] if link.get("subnet")],
            }
            for interface in controller.get("interface_set") or []
        ],
    }


def lacking(info):
    """What keeps a region from being ready, in words; empty when nothing does."""
    reasons = []
    if not info["regions"]:
        reasons.append("no region controller is registered yet")
    if not info["racks"]:
        reasons.append("no rack controller is registered yet")
    for controller in info["regions"] + info["racks"]:
        told = controller["services"]
        bad = [f"{name} is {status}" for name, status in sorted(told.items()) if (name in ESSENTIAL and status not in FINE) or status == "dead"]
        # The region tells the services of rack controllers only; one that is both has them all there.
        if not told and controller in info["racks"]:
            bad.append("its services are unknown")
        reasons += [f"{controller['hostname']}: {text}" for text in bad]
    if info["racks"] and not any(rack["services"].get("rackd") == "running" for rack in info["racks"]):
        reasons.append("no rack controller is connected")
    return list(dict.fromkeys(reasons))


def gather(client):
    version = client.read("Version", what="read the region's version")
    info = {
        "version": version["version"],
        "subversion": version.get("subversion"),
        "capabilities": version.get("capabilities") or [],
        "regions": [view(controller) for controller in client.read("RegionControllers", what="list region controllers")],
        "racks": [view(controller) for controller in client.read("RackControllers", what="list rack controllers")],
    }
    info["not_ready_because"] = lacking(info)
    info["ready"] = not info["not_ready_because"]
    return info


def wait_ready(client, params, clock=time.monotonic, sleep=time.sleep, emit=None):
    """Until the region was ready several times in a row: services flap while a controller starts."""
    client.retry_for = 0.0
    last = {}
    resume = params.get("wait_resume") or {}

    def poll():
        try:
            last.update(gather(client))
        except Unreachable:
            return {"region": "no answer"}
        except ApiError as error:
            if error.status in (401, 403):
                raise
            return {"region": f"answers {error.status}"}
        except MaasError as error:
            return {"region": str(error)}
        return {"region": READY if last["ready"] else "; ".join(last["not_ready_because"])}

    waiter = Waiter(
        params["wait_timeout"],
        interval=params["wait_interval"],
        first=min(1.0, params["wait_interval"]),
        successes=params["successes"],
        goal=READY,
        clock=clock,
        sleep=sleep,
        emit=emit,
        elapsed=resume.get("elapsed", 0.0),
        slice_seconds=params.get("wait_slice"),
        remedy="Look at `maas status`, `snap logs maas` and the region's log on the region controller",
    )
    outcome = waiter.run(["region"], poll, lambda name, state: DONE if state == READY else PENDING)
    if not outcome.finished:
        return dict(unfinished=True, resume=dict(elapsed=outcome.waited, line=outcome.line), progress=outcome.lines, changed=False)
    return dict(last, changed=False, waited=round(outcome.waited, 1), progress=outcome.lines)
