"""A controller in a dictionary: as much of a model as plans touch, with connections that break on command."""

from __future__ import annotations

import contextlib
import copy
import json

import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, Refused

UUID = "11111111-2222-3333-4444-555555555555"

ROUTER = {"provides": {"shared-db": "mysql-shared"}, "requires": {"db-router": "mysql-router", "juju-info": "juju-info"}, "subordinate": True}
CHARMS = {
    "mysql": {
        "provides": {"db-router": "mysql-router"},
        "requires": {"certificates": "tls-certificates"},
        "peers": {"cluster": "mysql-cluster"},
        "options": {"max-connections": "int", "tuning": "string", "debug": "boolean"},
    },
    "mysql-router": ROUTER,
    "keystone": {
        "provides": {"identity-service": "keystone", "website": "http"},
        "requires": {"shared-db": "mysql-shared", "certificates": "tls-certificates"},
        "options": {"debug": "boolean", "region": "string", "worker-multiplier": "float", "api-version": "int"},
        "resources": {"policyd-override": {"type": "file", "path": "policy.zip"}},
    },
    "vault": {"provides": {"certificates": "tls-certificates"}, "requires": {"shared-db": "mysql-shared"}, "options": {"vip": "string"}},
    "nova-compute": {"provides": {}, "requires": {"image-service": "glance"}, "options": {"enable-live-migration": "boolean"}},
}

BUNDLE = """
default-base: ubuntu@22.04/stable
machines:
  '0': {constraints: mem=6G cores=4 root-disk=20G}
  '1': {constraints: mem=6G cores=4 root-disk=20G}
  '2': {constraints: tags=compute}
applications:
  mysql: {charm: ch:mysql, channel: 8.0/stable, num_units: 2, to: ['0', '1'], options: {max-connections: 100, tuning: 'None'}}
  keystone-router: {charm: ch:mysql-router, channel: 8.0/stable}
  keystone: {charm: ch:keystone, channel: 2023.1/stable, num_units: 1, to: ['lxd:1'], options: {debug: true, region: RegionOne}, expose: true}
  vault: {charm: vault, channel: 1.8/stable, num_units: 1, to: [mysql/0]}
  nova-compute: {charm: ch:nova-compute, channel: 2023.1/stable, num_units: 1, to: ['2'], annotations: {gui-x: '1'}}
relations:
  - [keystone-router:db-router, mysql:db-router]
  - [keystone:shared-db, keystone-router:shared-db]
  - [vault, keystone:certificates]
"""


def bundle():
    return yaml.safe_load(BUNDLE)


class Time:
    """Time that passes by sleeping alone; ``then`` is [(when, what happens)]."""

    def __init__(self, *then):
        self.now, self.then = 0.0, list(then)

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        while self.then and self.then[0][0] <= self.now:
            self.then.pop(0)[1]()


class Model:
    """The world; it outlives the clients that look at it."""

    def __init__(self, charms=None):
        self.charms = charms or CHARMS
        self.machines, self.applications, self.units, self.relations = {}, {}, {}, []
        self.annotations, self.added_charms, self.serial, self.container = {}, set(), 0, {}
        self.writes = []

    # Every request that changes something, by name.
    def Annotations_Set(self, params):
        for item in params["annotations"]:
            kept = self.annotations.setdefault(item["entity"], {})
            for key, value in item["annotations"].items():
                if value:
                    kept[key] = value
                else:
                    kept.pop(key, None)
        return {"results": [{}]}

    def Charms_AddCharm(self, params):
        self.added_charms.add(params["url"])
        return {"charm-origin": params["charm-origin"]}

    def _new_machine(self, constraints, base, directive=""):
        name = str(self.serial)
        self.serial += 1
        self.machines[name] = {
            "constraints": constraints,
            "base": base,
            "containers": {},
            "instance": directive.removeprefix("system-id=") or f"sys{name}",
        }
        return name

    def MachineManager_AddMachines(self, params):
        made = []
        for wanted in params["params"]:
            assert set(wanted) <= {"jobs", "constraints", "base", "placement"}, wanted
            made.append({"machine": self._new_machine(wanted["constraints"], wanted.get("base"), (wanted.get("placement") or {}).get("directive", ""))})
        return {"machines": made}

    def MachineManager_DestroyMachineWithParams(self, params):
        for tag in params["machine-tags"]:
            name = tag.removeprefix("machine-")
            assert not [unit for unit, about in self.units.items() if about["machine"].split("/")[0] == name]
            del self.machines[name]
        return {"results": [{}]}

    def Application_Deploy(self, params):
        wanted = params["applications"][0]
        name = wanted["application"]
        if name in self.applications:
            raise Refused(f"application {name} already exists", "already exists")
        assert wanted["charm-url"] in self.added_charms, "the charm was not added"
        options = (yaml.safe_load(wanted["config-yaml"] or "{}") or {}).get(name, {})
        origin = wanted["charm-origin"]
        self.applications[name] = {
            "charm": wanted["charm-url"],
            "channel": wanted["channel"],
            "origin": origin,
            "options": dict(options),
            "constraints": wanted["constraints"],
            "exposed": False,
            "bindings": wanted["endpoint-bindings"],
            "resources": wanted["resources"],
            "serial": 0,
        }
        return {"results": [{}]}

    def Application_AddUnits(self, params):
        name, made = params["application"], []
        about = self.applications[name]
        for number in range(params["num-units"]):
            place = params["placement"][number] if number < len(params["placement"]) else None
            if place is None:
                machine = self._new_machine({}, None)
            elif place["scope"] == "#":
                assert place["directive"] in self.machines, place
                machine = place["directive"]
            else:
                host = place["directive"]
                assert host in self.machines, place
                count = len(self.machines[host]["containers"])
                machine = f"{host}/{place['scope']}/{count}"
                self.machines[host]["containers"][machine] = {}
            unit = f"{name}/{about['serial']}"
            about["serial"] += 1
            self.units[unit] = {"application": name, "machine": machine}
            made.append(unit)
        return {"units": made}

    def Application_AddRelation(self, params):
        ends = sorted(params["endpoints"])
        assert all(":" in end and end.split(":")[0] in self.applications for end in ends), ends
        if ends in self.relations:
            raise Refused("relation already exists", "already exists")
        self.relations.append(ends)
        return {}

    def Application_DestroyApplication(self, params):
        for item in params["applications"]:
            name = item["application-tag"].removeprefix("application-")
            if name not in self.applications:
                raise Refused(f"application {name} not found", "not found")
            assert not item["destroy-storage"] and not item["force"]
            del self.applications[name]
            self.units = {unit: about for unit, about in self.units.items() if about["application"] != name}
            self.relations = [ends for ends in self.relations if name not in {end.split(":")[0] for end in ends}]
        return {"results": [{}]}

    def Application_Expose(self, params):
        self.applications[params["application"]]["exposed"] = True
        return {}

    def Application_Unexpose(self, params):
        self.applications[params["application"]]["exposed"] = False
        return {}

    def Application_SetConfigs(self, params):
        for item in params["Args"]:
            assert all(isinstance(value, str) for value in item["config"].values())
            self.applications[item["application"]]["options"].update(item["config"])
        return {"results": [{}]}

    def Application_UnsetApplicationsConfig(self, params):
        for item in params["Args"]:
            for option in item["options"]:
                self.applications[item["application"]]["options"].pop(option, None)
        return {"results": [{}]}

    def Application_SetConstraints(self, params):
        self.applications[params["application"]]["constraints"] = params["constraints"]
        return {}

    def Application_MergeBindings(self, params):
        for item in params["args"]:
            self.applications[item["application-tag"].removeprefix("application-")]["bindings"].update(item["bindings"])
        return {"results": [{}]}

    def Application_SetCharm(self, params):
        assert params["charm-url"] in self.added_charms
        self.applications[params["application"]].update(charm=params["charm-url"], channel=params["channel"], origin=params["charm-origin"])
        return {}

    def Resources_AddPendingResources(self, params):
        return {"pending-ids": [f"pending-{item['name']}" for item in params["resources"]]}

    # What only reads.
    def read_Client_FullStatus(self, params):
        def unit(about):
            return {"machine": about["machine"], "workload-status": {"status": "active"}, "agent-status": {"status": "idle"}}

        return {
            "model": {"name": "openstack"},
            "machines": {
                name: {
                    "instance-id": about["instance"],
                    "constraints": " ".join(f"{key}={value}" for key, value in about["constraints"].items() if key != "tags"),
                    "containers": {inner: {"instance-id": inner} for inner in about["containers"]},
                }
                for name, about in self.machines.items()
            },
            "applications": {
                name: {
                    "charm": about["charm"],
                    "charm-channel": about["channel"],
                    "charm-rev": int(about["charm"].rpartition("-")[2]),
                    "base": about["origin"]["base"],
                    "exposed": about["exposed"],
                    "units": {key: unit(value) for key, value in self.units.items() if value["application"] == name},
                }
                for name, about in self.applications.items()
            },
            "relations": [
                {"id": number, "endpoints": [{"application": end.split(":")[0], "name": end.split(":")[1]} for end in ends]}
                for number, ends in enumerate(self.relations)
            ],
        }

    def read_Annotations_Get(self, params):
        return {"results": [{"entity": item["tag"], "annotations": dict(self.annotations.get(item["tag"], {}))} for item in params["entities"]]}

    def _typed(self, value, kind):
        text = str(value)
        return {"boolean": lambda: text.lower() == "true", "int": lambda: int(text), "float": lambda: float(text)}.get(kind, lambda: text)()

    def read_Application_Get(self, params):
        about = self.applications[params["application"]]
        kinds = self.charms[self._name(about["charm"])].get("options", {})
        config = {
            name: {"value": self._typed(about["options"][name], kind), "type": kind, "source": "user"}
            if name in about["options"]
            else {"value": None, "type": kind, "source": "unset"}
            for name, kind in kinds.items()
        }
        return {"config": config, "constraints": about["constraints"], "endpoint-bindings": about["bindings"], "application-config": {}}

    @staticmethod
    def _name(url):
        return url.rpartition("/")[2].rpartition("-")[0]

    def read_Charms_CharmInfo(self, params):
        # Told only of charms that the model has.
        if params["url"] not in {*self.added_charms, *(about["charm"] for about in self.applications.values())}:
            raise Refused(f"charm {params['url']!r} not found", "not found")
        about = self.charms[self._name(params["url"])]

        def ends(key):
            return {name: {"interface": interface, "scope": "global"} for name, interface in about.get(key, {}).items()}

        return {
            "url": params["url"],
            "meta": {
                "name": self._name(params["url"]),
                "provides": ends("provides"),
                "requires": ends("requires"),
                "peers": ends("peers"),
                "subordinate": about.get("subordinate", False),
                "resources": about.get("resources", {}),
            },
            "config": {name: {"type": kind} for name, kind in about.get("options", {}).items()},
        }

    def read_ModelConfig_ModelGet(self, params):
        return {"config": {"default-base": {"value": "ubuntu@22.04/stable"}}}

    def read_Charms_ResolveCharms(self, params):
        asked = params["resolve"][0]
        name = asked["reference"].removeprefix("ch:")
        if name not in self.charms or asked["charm-origin"]["track"] == "nowhere":
            raise Refused(f"no charm {name} in channel {asked['charm-origin']['track']}", "not found")
        revision = asked["charm-origin"].get("revision", 7)
        return {"Results": [{"url": f"ch:amd64/jammy/{name}-{revision}", "charm-origin": asked["charm-origin"], "supported-bases": []}]}

    def picture(self):
        """What is compared between two ways to the same end; numbers of machines are a matter of order."""
        mark = {name: self.annotations.get(f"machine-{name}", {}).get("stratus-bundle-machine", name) for name in self.machines}
        units = []
        for unit, about in sorted(self.units.items()):
            host, sign, container = about["machine"].partition("/")
            units.append((unit, mark[host] + sign + container))
        applications = {
            name: {key: value for key, value in about.items() if key not in ("serial", "resources")} for name, about in sorted(self.applications.items())
        }
        return copy.deepcopy(
            {
                "machines": sorted((mark[name], json.dumps(about["constraints"], sort_keys=True)) for name, about in self.machines.items()),
                "applications": applications,
                "units": units,
                "relations": sorted(self.relations),
            }
        )


class Client:
    """What modules see. `breaks` are numbers of changing requests whose answer is lost, after or before they took effect."""

    def __init__(self, model, breaks=None, before=False, dies=None):
        self.model, self.breaks, self.before, self.dies = model, set(breaks or ()), before, dies
        self.requests = self.writes = 0
        # Reads that fail after the first break: the controller is away.
        self.away = 0
        # (time, seconds): a request whose answer is lost takes effect that much later.
        self.late = None

    def uuid(self):
        return UUID

    def call(self, facade, request, params=None, **options):
        self.requests += 1
        read = getattr(self.model, f"read_{facade}_{request}", None)
        if read:
            if self.away and self.breaks and self.writes >= min(self.breaks):
                self.away -= 1
                raise ConnectionLost(f"no connection for {facade}.{request}")
            return copy.deepcopy(read(params))
        self.writes += 1
        if self.dies is not None and self.writes > self.dies:
            raise KeyboardInterrupt  # the process is killed
        lost = self.writes in self.breaks
        if lost and self.before:
            raise ConnectionLost(f"{facade}.{request}")
        self.model.writes.append(f"{facade}.{request}")
        if lost and self.late:
            time, seconds = self.late
            time.then.append((time.now + seconds, lambda: self._take_effect(facade, request, params)))
            raise ConnectionLost(f"{facade}.{request}")
        answer = copy.deepcopy(getattr(self.model, f"{facade}_{request}")(copy.deepcopy(params)))
        if lost:
            raise ConnectionLost(f"{facade}.{request}")
        return answer

    def _take_effect(self, facade, request, params):
        with contextlib.suppress(Refused):
            getattr(self.model, f"{facade}_{request}")(copy.deepcopy(params))
