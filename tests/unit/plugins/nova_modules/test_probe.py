"""A server on each host, and nothing left of it: whatever happens."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova import probe
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused

from .fake import Module, Time


class Api:
    """Nova, Glance and Neutron as far as the probe needs them. ``fate[host]``: seconds until a server there is active, a fault, or another host."""

    def __init__(self, *hosts):
        self.time, self.fate, self.busy = Time(), {}, 0
        self.hosts, self.sent, self.ids = hosts, [], itertools.count(1)
        self.things = {"servers": {}, "flavors": {"f1": {"id": "f1", "name": "m1.tiny"}}, "images": {}, "networks": {}, "subnets": {}}
        self.seen = []

    def services(self):
        return [{"host": host} for host in self.hosts]

    def ask(self, service, method, path, what, params=None, body=None, data=None):
        kind = path.split("/")[1]
        if method == "GET":
            found = [self.shown(kind, one) for one in self.things[kind].values()]
            return {kind: [one for one in found if kind == "servers" or (params or {}).get("name") in (None, one["name"])]}, {}
        self.sent.append((method, path.split("/")[1]))
        if method == "POST":
            one = dict(body.get(kind[:-1], body), id=f"{kind}-{next(self.ids)}", born=self.time.now)
            self.things[kind][one["id"]] = one
            return ({kind[:-1]: one} if kind != "images" else one), {}
        if method == "PUT":
            self.things[kind][path.split("/")[2]]["size"] = len(data)
        elif kind == "networks" and self.busy:
            self.busy -= 1
            raise Refused("in use", status=409)
        else:
            self.things[kind].pop(path.split("/")[2])
        return {}, {}

    def shown(self, kind, one):
        if kind != "servers":
            return one
        fate = self.fate.get(one["host"], 5)
        if isinstance(fate, str) and fate in self.hosts:
            return {**one, "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": fate}
        if isinstance(fate, str):
            return {**one, "status": "ERROR", "fault": {"message": fate}}
        return {**one, "status": "ACTIVE" if self.time.now - one["born"] >= fate else "BUILD", "OS-EXT-SRV-ATTR:host": one["host"]}

    def left(self):
        return {kind: sorted(one["name"] for one in found.values()) for kind, found in self.things.items() if found and kind != "subnets"}


CLEAN = {"flavors": ["m1.tiny"]}
DEFAULTS = {"migrate": False, "image": None, "flavor": None, "network": None, "wait_timeout": 60, "wait_interval": 2}


def prove(api, *hosts, check=False, **options):
    return probe.work(Module(check, **{**DEFAULTS, "hosts": list(hosts), **options}), api, clock=api.time.clock, sleep=api.time.sleep)


def test_all_hosts_are_proven_at_once_and_nothing_stays():
    api = Api("c0.maas", "c1.maas")
    api.fate = {"c0.maas": 3, "c1.maas": 12}
    began = api.time.now
    found = prove(api, "c0", "c1")
    assert [one["host"] for one in found["servers"]] == ["c0.maas", "c1.maas"]
    assert found["servers"][0]["seconds"] < 6 < found["servers"][1]["seconds"]
    assert api.time.now - began < 20
    assert not found["changed"]
    assert api.left() == CLEAN
    assert api.sent.count(("POST", "servers")) == 2


def test_check_mode_sends_nothing():
    api = Api("c0")
    assert prove(api, "c0", check=True)["hosts"] == ["c0"]
    assert api.sent == []
    with pytest.raises(NovaFault, match="no compute service on a host c7"):
        prove(api, "c7", check=True)


@pytest.mark.parametrize(
    "fate, words",
    [("No valid host was found.", "c1: No valid host was found"), ("c0", "c1: the server came up on c0"), (1000, "c1: BUILD")],
)
def test_a_host_that_does_not_serve_is_named_with_novas_words_and_nothing_stays(fate, words):
    api = Api("c0", "c1")
    api.fate["c1"] = fate
    with pytest.raises(NovaFault, match=words) as caught:
        prove(api, "c0", "c1")
    assert list(caught.value.result["faults"]) == ["c1"]
    assert api.left() == CLEAN


def test_what_a_killed_run_left_is_taken_away_first():
    api = Api("c0")
    with pytest.raises(KeyboardInterrupt):
        things = probe.Things(api)
        probe.boot(things, ["c0"], DEFAULTS, api.time.clock, lambda _seconds: (_ for _ in ()).throw(KeyboardInterrupt))
    assert set(api.left()) == {"servers", "flavors", "images", "networks"}
    api.busy = 2
    prove(api, "c0")
    assert api.left() == CLEAN


def test_what_the_operator_names_is_used_and_stays():
    api = Api("c0")
    api.things["images"]["i1"] = {"id": "i1", "name": "ubuntu"}
    api.things["networks"]["n1"] = {"id": "n1", "name": "lan"}
    prove(api, "c0", image="ubuntu", flavor="m1.tiny", network="n1")
    assert {kind for method, kind in api.sent if method == "POST"} == {"servers"}
    assert api.left() == {"flavors": ["m1.tiny"], "images": ["ubuntu"], "networks": ["lan"]}
    with pytest.raises(NovaFault, match="There is no image fedora"):
        prove(api, "c0", image="fedora")


def test_the_image_is_one_that_nobody_has_to_fetch():
    api = Api("c0")
    sizes = []
    ask = api.ask

    def heard(service, method, path, what, **more):
        if method == "PUT":
            sizes.append(len(more["data"]))
        return ask(service, method, path, what, **more)

    api.ask = heard
    prove(api, "c0")
    assert sizes == [1 << 20]


class Moving(Api):
    """Where servers migrate, in five seconds. ``words[host]``: why none arrives there."""

    def __init__(self, *hosts, **words):
        super().__init__(*hosts)
        self.records, self.words, self.moves, self.retry_for = [], words, [], 60.0

    def now(self):
        return 1_700_000_000 + self.time.now

    def live_migrate(self, server, host, block_migration):
        source = self.things["servers"][server]["host"]
        self.moves.append((source, host))
        self.records.append({"id": len(self.moves), "instance_uuid": server, "status": "running", "dest_compute": host, "ends": self.time.now + 5})
        return f"req-{host}"

    def migrations(self, **_filters):
        for record in self.records:
            if record["status"] == "running" and self.time.now >= record["ends"]:
                record["status"] = "failed" if record["dest_compute"] in self.words else "completed"
                if record["status"] == "completed":
                    self.things["servers"][record["instance_uuid"]]["host"] = record["dest_compute"]
        return self.records

    def action(self, server, request):
        return {"events": [{"result": "Error", "details": self.words[request.removeprefix("req-")]}]}


def test_one_server_goes_round_all_hosts_and_back():
    api = Moving("c0", "c1", "c2")
    found = prove(api, "c0", "c1", "c2", migrate=True)
    assert api.moves == [("c0", "c1"), ("c1", "c2"), ("c2", "c0")]
    assert [(one["from"], one["to"], one["state"]) for one in found["migrations"]] == [(*pair, "completed") for pair in api.moves]
    assert all(5 <= one["seconds"] < 10 for one in found["migrations"])
    assert api.sent.count(("POST", "servers")) == 1
    assert not found["changed"]
    assert api.left() == CLEAN


def test_a_migration_that_fails_is_named_with_novas_words_and_nothing_stays():
    api = Moving("c0", "c1", c0="Unable to access credentials")
    with pytest.raises(NovaFault, match="does not move from c1 to c0: .*Unable to access credentials") as caught:
        prove(api, "c0", "c1", migrate=True)
    assert [one["state"] for one in caught.value.result["migrations"]] == ["completed", "failed"]
    assert api.left() == CLEAN


def test_one_host_is_too_few_to_migrate():
    api = Moving("c0")
    with pytest.raises(NovaFault, match="two that are different"):
        prove(api, "c0", migrate=True, check=True)
    assert api.sent == api.moves == []
