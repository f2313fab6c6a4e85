"""A region in a few lines for unit tests: a described API, a transport that answers from a table, and a client without HTTP."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import Client
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import NotFound, WriteInCheckMode

KEY = "consumer:token:secret"


class Time:
    """A clock that only sleep moves."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += max(seconds, 0.001)


def action(name, method, op=None):
    return {"name": name, "method": method, "op": op, "restful": op is None, "doc": "prose"}


def resource(name, path, params=(), *actions, host="http://other.example:5240"):
    path = f"/MAAS/api/2.0/{path}"
    handler = {"name": name, "path": path, "uri": host + path, "params": list(params), "doc": "prose", "actions": list(actions)}
    return {"name": name, "anon": None, "auth": handler}


CRUD = (action("read", "GET"), action("update", "PUT"), action("delete", "DELETE"))
DESCRIPTION = {
    "doc": "prose",
    "hash": "h1",
    "resources": [
        resource("ZonesHandler", "zones/", (), action("read", "GET"), action("create", "POST")),
        resource("ZoneHandler", "zones/{name}/", ("name",), *CRUD),
        resource("MachinesHandler", "machines/", (), action("read", "GET"), action("create", "POST"), action("allocate", "POST", "allocate")),
        resource("MachineHandler", "machines/{system_id}/", ("system_id",), *CRUD, action("commission", "POST", "commission")),
    ],
}


class Transport:
    """Answers from a list: each a (status, body, headers) or an exception. The last one repeats for descriptions."""

    def __init__(self, *answers, hash="h1"):
        self.answers = list(answers)
        self.hash = hash
        self.seen = []

    def request(self, method, uri, body, headers, timeout):
        self.seen.append((method, uri, body, headers))
        if urlsplit(uri).path.endswith("/describe/"):
            return 200, {"content-type": "application/json"}, json.dumps({**DESCRIPTION, "hash": self.hash}).encode()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, content, more = (*answer, {}, {})[:3] if len(answer) < 3 else answer
        kind = "application/json" if not isinstance(content, str) else "text/plain"
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        return status, {"content-type": kind, "x-maas-api-hash": self.hash, **{k.lower(): v for k, v in (more or {}).items()}}, body

    def close(self):
        pass

    def calls(self):
        return [(method, urlsplit(uri).path.removeprefix("/MAAS/api/2.0"), dict(parse_qsl(urlsplit(uri).query))) for method, uri, body, headers in self.seen]


class NoCache:
    def load(self):
        return None

    def store(self, description):
        pass


def client(*answers, read_only=False, time=None, cache=None, **options):
    time = time or Time()
    transport = Transport(*answers)
    made = Client(
        "http://region:5240/MAAS",
        KEY,
        transport=transport,
        cache=cache or NoCache(),
        clock=time.clock,
        sleep=time.sleep,
        read_only=read_only,
        **options,
    )
    made.time = time
    return made


class FakeClient:
    """Handlers as Python functions: {"Zones.read": function(params, data)}. Records every call, refuses writes when read-only."""

    READS = re.compile(r"read$|query$|power_parameters$|get_config$|is_importing$|machines$|list_boot_images$|parameters$")

    def __init__(self, handlers=None, read_only=False):
        self.handlers = handlers or {}
        self.read_only = read_only
        self.calls = []
        self.retry_for = 60.0
        self.timeout = 300.0
        self.warnings = []

    def call(self, handler, action, params=None, data=None, what=None, settled=None, timeout=None):
        name = f"{handler}.{action}"
        if self.read_only and not self.READS.search(action):
            raise WriteInCheckMode(name)
        self.calls.append((name, params or {}, data or {}))
        if name not in self.handlers:
            raise AssertionError(f"nobody expected {name} {params} {data}")
        answer = self.handlers[name]
        return answer(params or {}, data or {}) if callable(answer) else answer

    def read(self, handler, params=None, what=None, **data):
        return self.call(handler, "read", params, data, what)

    def find(self, handler, params=None, what=None):
        try:
            return self.call(handler, "read", params, {})
        except NotFound:
            return None

    def writes(self):
        return [call for call in self.calls if not self.READS.search(call[0])]


class Region:
    """Machines with statuses that change at given times, events of it, and the filters that a wait uses."""

    def __init__(self, time, hostnames, status=0):
        self.time = time
        self.machines = {f"id{number:04d}": machine(f"id{number:04d}", name, status) for number, name in enumerate(hostnames)}
        self.ids = {found["hostname"]: system_id for system_id, found in self.machines.items()}
        self.events = []
        self.script = []  # (at, system_id, status)
        self.returned = 0
        self.client = FakeClient(
            {
                "Machines.read": self.list,
                "Machine.read": lambda params, data: self.get(params["system_id"]),
                "Events.query": self.query,
                "NodeScriptResults.read": [{"results": [{"name": "smartctl-validate", "status": 3}, {"name": "lshw", "status": 2}]}],
                "Machine.commission": lambda params, data: self.begin(params["system_id"], 1),
                # As a real region, which answers before the change.
                "Machine.abort": lambda params, data: (self.get(params["system_id"]), self.begin(params["system_id"], 0))[0],
                "Machine.power_off": lambda params, data: self.get(params["system_id"]),
            }
        )

    def at(self, seconds, hostname, status):
        self.script.append((self.time.now + seconds, self.ids[hostname], status))
        self.script.sort()

    def begin(self, system_id, status):
        self.change(system_id, status)
        return self.get(system_id)

    def change(self, system_id, status):
        from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import NAMES

        before = self.machines[system_id]["status"]
        self.machines[system_id]["status"] = status
        self.events.append(
            {
                "id": len(self.events) + 1,
                "node": system_id,
                "type": "Node changed status",
                "level": "DEBUG",
                "description": f"From '{NAMES[before]}' to '{NAMES[status]}'",
            }
        )

    def play(self):
        while self.script and self.script[0][0] <= self.time.now:
            _at, system_id, status = self.script.pop(0)
            if status is None:
                self.machines.pop(system_id)
            elif system_id in self.machines:
                self.change(system_id, status)

    def get(self, system_id):
        self.play()
        if system_id not in self.machines:
            raise NotFound("No Machine matches the given query.", 404)
        self.returned += 1
        return dict(self.machines[system_id])

    def list(self, params, data):
        from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import STATUS

        self.play()
        found = []
        for candidate in self.machines.values():
            if "id" in data and candidate["system_id"] not in data["id"]:
                continue
            if "hostname" in data and candidate["hostname"] not in data["hostname"]:
                continue
            if "mac_address" in data and not {i["mac_address"] for i in candidate["interface_set"]} & set(data["mac_address"]):
                continue
            if "not_status" in data and STATUS[candidate["status"]][1] in data["not_status"]:
                continue
            found.append(dict(candidate))
        self.returned += len(found)
        return found

    def query(self, params, data):
        self.play()
        events = [event for event in self.events if event["id"] > data.get("after", 0) and ("id" not in data or event["node"] in data["id"])]
        if data.get("level") == "INFO":
            events = [event for event in events if event["level"] != "DEBUG"]
        events = events[: data["limit"]] if "after" in data else events[-data["limit"] :]
        return {"count": len(events), "events": list(reversed(events))}


def machine(system_id, hostname, status=0, macs=("52:54:00:00:00:01",), **more):
    interfaces = [
        {
            "id": number + 10,
            "name": f"eth{number}",
            "type": "physical",
            "mac_address": mac,
            "parents": [],
            "links": [],
            "params": {},
            "tags": [],
            "vlan": {"id": 1},
        }
        for number, mac in enumerate(macs)
    ]
    return {
        "system_id": system_id,
        "hostname": hostname,
        "fqdn": f"{hostname}.maas",
        "status": status,
        "status_name": "",
        "interface_set": interfaces,
        "boot_interface": {"id": 10, "name": "eth0", "mac_address": macs[0]} if macs else None,
        "pool": {"name": "default"},
        "zone": {"name": "default"},
        "domain": {"name": "maas"},
        "tag_names": [],
        "architecture": "amd64/generic",
        "power_type": "",
        "description": "",
        "locked": False,
        "testing_status": -1,
        **more,
    }
