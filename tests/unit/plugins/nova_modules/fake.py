"""A cloud in a few lines: the reads and writes of the client, answered from dictionaries, with migrations that take fake time."""

from __future__ import annotations

import itertools

from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import Refused

ROOM = {"VCPU": (16, 1.0), "MEMORY_MB": (32768, 1.0), "DISK_GB": (500, 1.0)}


class Time:
    """A clock that only sleep moves."""

    def __init__(self):
        self.now = 1000.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += max(seconds, 0.01)


class Module:
    def __init__(self, check_mode=False, **params):
        self.params, self.check_mode = params, check_mode


class FakeCloud:
    """As the client is, with ``writes`` for what was sent. ``behave[server]``: seconds, and the end, of its migrations."""

    pins_known = False

    def __init__(self, *hosts, time=None, room=None):
        self.time = time or Time()
        self.retry_for = 60.0
        self.writes, self.requests = [], 0
        self.service_list = [
            {"id": f"svc-{name}", "binary": "nova-compute", "host": name, "zone": "nova", "status": "enabled", "state": "up",
             "disabled_reason": None, "forced_down": False, "updated_at": "2026-01-01T00:00:00"}
            for name in hosts
        ]  # fmt: skip
        self.room = {name: dict(room or ROOM) for name in hosts}
        self.server_list, self.groups, self.records, self.agent_list, self.orphans = [], [], [], [], []
        self.behave, self.actions = {}, {}
        self._ids = itertools.count(1)

    # -- setting up
    def add(self, name, host, vcpus=1, ram=1024, state="active", task=None, image="img", **more):
        needs = {"VCPU": vcpus, "MEMORY_MB": ram}
        raw = {
            "id": f"id-{name}", "name": name, "status": {"active": "ACTIVE", "stopped": "SHUTOFF"}.get(state, state.upper()),
            "OS-EXT-SRV-ATTR:host": host, "OS-EXT-STS:vm_state": state, "OS-EXT-STS:task_state": task, "OS-EXT-AZ:availability_zone": "nova",
            "flavor": {"vcpus": vcpus, "ram": ram, "disk": 0, "ephemeral": 0, "swap": 0, "extra_specs": {}}, "image": image and {"id": image},
            "config_drive": "", "locked": False, "tenant_id": "p1", "needs": needs, **more,
        }  # fmt: skip
        self.server_list.append(raw)
        return raw["id"]

    def group(self, name, policy, *servers, limit=1):
        self.groups.append(
            {"id": f"g-{name}", "name": name, "policy": policy, "rules": {"max_server_per_host": limit}, "members": [f"id-{s}" for s in servers]}
        )

    def service(self, host):
        return next(one for one in self.service_list if one["host"] == host)

    def host_of(self, name):
        return next(raw for raw in self.server_list if raw["name"] == name)["OS-EXT-SRV-ATTR:host"]

    # -- reading
    def services(self):
        self.requests += 1
        return [dict(one) for one in self.service_list]

    def hypervisors(self):
        return [{"id": f"rp-{name}", "hypervisor_hostname": name, "service": {"host": name}} for name in self.room]

    def inventories(self, provider):
        room = self.room[provider.removeprefix("rp-")]
        return {kind: {"total": total, "reserved": 0, "allocation_ratio": ratio, "max_unit": total} for kind, (total, ratio) in room.items()}

    def allocations(self, provider):
        host = provider.removeprefix("rp-")
        return {raw["id"]: {"resources": raw["needs"]} for raw in self.server_list if raw["OS-EXT-SRV-ATTR:host"] == host}

    def servers(self, host=None, name=None):
        found = [raw for raw in self.server_list if host is None or raw["OS-EXT-SRV-ATTR:host"] == host]
        return [dict(raw) for raw in found if name is None or raw["name"] == name.strip("^$")]

    def server(self, server):
        return next(dict(raw) for raw in self.server_list if raw["id"] == server)

    def server_groups(self):
        return self.groups

    def agents(self, host):
        return [agent for agent in self.agent_list if host in (None, agent["host"])]

    def providers(self, name):
        names = [*self.room, *self.orphans]
        return [{"uuid": f"rp-{one}", "name": one} for one in names if name in (None, one)]

    def now(self):
        return 1_700_000_000 + self.time.now

    def migrations(self, instance_uuid=None, **_filters):
        self.requests += 1
        self._live()
        return sorted((dict(one) for one in self.records if instance_uuid in (None, one["instance_uuid"])), key=lambda one: -one["id"])

    def action(self, server, request):
        return self.actions.get(request, {})

    def progress(self, server, migration):
        return {"memory_total_bytes": 1024 * 2**20, "memory_remaining_bytes": 100 * 2**20}

    # -- writing
    def update_service(self, service, **fields):
        self.writes.append(("update", service, fields))
        one = next(one for one in self.service_list if one["id"] == service)
        one.update(fields)
        if fields.get("status") == "enabled":
            one["disabled_reason"] = None
        return dict(one)

    def delete_service(self, service):
        self.writes.append(("delete service", service))
        host = service.removeprefix("svc-")
        self.service_list = [one for one in self.service_list if one["id"] != service]
        del self.room[host]

    def delete_agent(self, agent):
        self.writes.append(("delete agent", agent))
        self.agent_list = [one for one in self.agent_list if one["id"] != agent]

    def delete_provider(self, provider):
        self.writes.append(("delete provider", provider))
        if provider.removeprefix("rp-") not in self.orphans:
            raise Refused("no such provider", status=404)
        self.orphans.remove(provider.removeprefix("rp-"))

    def live_migrate(self, server, host, block_migration):
        self.writes.append(("migrate", server, host))
        raw = next(raw for raw in self.server_list if raw["id"] == server)
        how = self.behave.get(raw["name"], {})
        if "refuse" in how:
            raise Refused("no", status=how["refuse"], said="it is refused")
        request = f"req-{len(self.writes)}"
        if how.get("lost"):
            how["lost"](self, raw)
        target = host or next(one["host"] for one in self.service_list if one["host"] != raw["OS-EXT-SRV-ATTR:host"])
        self.records.append({
            "id": next(self._ids), "instance_uuid": server, "status": "accepted", "source_compute": raw["OS-EXT-SRV-ATTR:host"],
            "dest_compute": target, "ends": self.time.now + how.get("seconds", 5),
            "end": how.get("end", "completed"), "words": how.get("words"), "request": request,
        })  # fmt: skip
        return request

    def abort(self, server, migration):
        self.writes.append(("abort", server, migration))
        self._record(migration).update(ends=self.time.now, end="cancelled")

    def force_complete(self, server, migration):
        self.writes.append(("force", server, migration))
        self._record(migration).update(ends=self.time.now)

    def _record(self, number):
        return next(one for one in self.records if one["id"] == number)

    def _live(self):
        for record in self.records:
            if record["status"] not in ("accepted", "running"):
                continue
            record["status"] = "running"
            raw = next(raw for raw in self.server_list if raw["id"] == record["instance_uuid"])
            left = record["ends"] - self.time.now
            if left <= 1 and record["end"] == "completed":
                # As it is: the server is there already while the record still runs.
                raw["OS-EXT-SRV-ATTR:host"] = record["dest_compute"]
            if left <= 0:
                record["status"] = record["end"]
                if record["words"]:
                    event = {"result": "Error", "details": record["words"], "start_time": "1"}
                    self.actions[record["request"]] = {"message": "Error", "events": [event]}
