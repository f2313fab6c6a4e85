"""keystone_service on a Keystone in a few lines: what it makes, what a second run does, what it refuses."""

from __future__ import annotations

import itertools
import json

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.keystone import registration
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault

from tests.support.run_module import run_module

URL = "http://192.0.2.10:9517/v1"


class Keystone:
    """The identity API as far as it is used, over lists of dictionaries. ``writes`` is what was sent."""

    def __init__(self, roles=("Admin",)):
        self.numbers = itertools.count(1)
        self.things = {kind: [] for kind in ("services", "endpoints", "users", "roles")}
        self.things["domains"] = [{"id": "d1", "name": "service_domain"}, {"id": "d2", "name": "other"}]
        self.things["projects"] = [{"id": "p1", "name": "services", "domain_id": "d1"}]
        self.grants, self.writes = set(), []
        for name in roles:
            self.make("roles", {"name": name})

    def make(self, kind, thing):
        made = {"region_id": None, **thing, "id": f"{kind[0]}-{next(self.numbers)}"}
        self.things[kind].append(made)
        return made

    def ask(self, service, method, path, what, params=None, body=None):
        assert service == "identity" and path.startswith("/")
        parts = path[1:].split("/")
        if method != "GET":
            self.writes.append((method, path, body))
        if method == "GET":
            return {parts[0]: self.listing(parts[0], params or {})}, {}
        if method == "POST":
            kind, thing = next(iter(body.items()))
            return {kind: self.make(parts[0], thing)}, {}
        if method == "PUT":
            project, user, role = parts[1], parts[3], parts[5]
            assert project == "p1" and {user, role} <= {thing["id"] for kind in ("users", "roles") for thing in self.things[kind]}
            self.grants.add((user, role))
            return {}, {}
        thing = next(thing for thing in self.things[parts[0]] if thing["id"] == parts[1])
        if method == "PATCH":
            thing.update(next(iter(body.values())))
        else:
            self.things[parts[0]].remove(thing)
            self.things["endpoints"] = [e for e in self.things["endpoints"] if e["service_id"] != thing["id"]]
        return {}, {}

    def listing(self, kind, filters):
        if kind == "role_assignments":
            return [{"role": {"id": role}} for user, role in sorted(self.grants) if user == filters["user.id"]]
        return [thing for thing in self.things[kind] if all(thing.get(key) == value for key, value in filters.items())]


class Module:
    def __init__(self, check_mode=False, **more):
        self.check_mode = check_mode
        self.params = {
            "name": "zun", "type": "container", "description": "Containers", "region": "RegionOne",
            "endpoints": dict.fromkeys(("public", "internal", "admin"), URL),
            "users": [{"name": "zun", "password": "{service}"}, {"name": "kuryr", "password": "k"}],
            "domain": "service_domain", "project": "services", "roles": ["admin", "service"], "update_passwords": False, "state": "present", **more,
        }  # fmt: skip


def run(keystone, check_mode=False, **more):
    return registration.work(Module(check_mode, **more), keystone)


def test_makes_everything_and_then_nothing():
    keystone = Keystone()
    first = run(keystone)
    assert first["changed"] and len(first["steps"]) == 11
    assert [s["name"] for s in keystone.things["services"]] == ["zun"]
    service = keystone.things["services"][0]["id"]
    assert [(e["service_id"], e["interface"], e["url"]) for e in keystone.things["endpoints"]] == [(service, i, URL) for i in ("admin", "internal", "public")]
    # The charms' own role was taken, only the other one was made.
    assert [role["name"] for role in keystone.things["roles"]] == ["Admin", "service"]
    assert len(keystone.grants) == 4
    keystone.writes.clear()
    assert run(keystone) == {"changed": False, "steps": [], "diff": {"before": "", "after": ""}}
    assert keystone.writes == []


def test_a_password_is_sent_as_it_is_and_shown_nowhere():
    keystone = Keystone()
    assert "{service}" not in json.dumps(run(keystone))
    assert keystone.things["users"][0]["password"] == "{service}"


def test_nor_is_it_in_what_ansible_repeats_of_the_options(tmp_path, monkeypatch):
    monkeypatch.setattr("ansible_collections.stratus.cloud.plugins.module_utils.nova.client.RETRY_FOR", 0.0)
    auth = {"auth_url": "http://127.0.0.1:9/v3", "username": "admin", "password": "hush-hush", "project_name": "admin"}
    options = {**Module().params, "users": [{"name": "zun", "password": "a whisper"}], "auth": auth}
    answer = run_module("keystone_service", options, tmp_path)
    assert answer.failed and "a whisper" not in answer.text and "hush-hush" not in answer.text
    assert answer["invocation"]["module_args"]["auth"]["username"] == "admin"


def test_check_mode_says_the_same_and_sends_nothing():
    keystone = Keystone()
    said = run(keystone, check_mode=True)
    assert keystone.writes == []
    assert said["steps"] == run(keystone)["steps"]
    assert "public endpoint of zun in RegionOne: " + URL in said["diff"]["after"]


def test_mends_what_differs_and_leaves_the_rest():
    keystone = Keystone()
    run(keystone)
    keystone.things["endpoints"][0]["url"] = "http://192.0.2.99/"
    keystone.make("endpoints", {"service_id": keystone.things["services"][0]["id"], "interface": "public", "url": "http://other/", "region_id": "Two"})
    keystone.grants.pop()
    keystone.writes.clear()
    assert [method for method, *_rest in (run(keystone) and keystone.writes)] == ["PATCH", "PUT"]
    assert keystone.things["endpoints"][0]["url"] == URL
    assert keystone.things["endpoints"][-1]["url"] == "http://other/"


def test_new_passwords_only_when_they_are_asked_for():
    keystone = Keystone()
    run(keystone)
    keystone.writes.clear()
    users = [{"name": "zun", "password": "another"}]
    assert not run(keystone, users=users)["changed"]
    said = run(keystone, users=users, update_passwords=True)
    assert said["changed"] and "another" not in json.dumps(said)
    assert keystone.things["users"][0]["password"] == "another"


@pytest.mark.parametrize("name", ["zun", "magnum", None])
def test_a_second_service_of_the_type_is_refused_by_name(name):
    keystone = Keystone()
    run(keystone)
    second = keystone.make("services", {"name": name, "type": "container"})
    keystone.writes.clear()
    for state in ("present", "absent"):
        with pytest.raises(NovaFault, match=second["id"]):
            run(keystone, state=state)
    assert keystone.writes == []


def test_a_second_endpoint_is_refused():
    keystone = Keystone()
    run(keystone)
    keystone.make("endpoints", {**keystone.things["endpoints"][0]})
    with pytest.raises(NovaFault, match="2 times"):
        run(keystone)


def test_a_domain_that_is_not_there_is_named():
    with pytest.raises(NovaFault, match="no domain nowhere"):
        run(Keystone(), domain="nowhere")


def test_absent_removes_service_and_users_once():
    keystone = Keystone()
    run(keystone)
    gone = run(keystone, state="absent", endpoints={})
    endpoints = [f"{interface} endpoint of zun in RegionOne: {URL}" for interface in ("admin", "internal", "public")]
    assert gone["steps"] == [*endpoints, "service zun", "user kuryr", "user zun"] and gone["kept_for"] == []
    assert gone["diff"]["before"].splitlines() == gone["steps"]
    assert keystone.things["services"] == keystone.things["endpoints"] == keystone.things["users"] == []
    assert not run(keystone, state="absent")["changed"]


def test_absent_leaves_other_regions_what_they_have():
    """The service and its users are one thing for all regions: the last region takes them along."""
    keystone = Keystone()
    run(keystone)
    run(keystone, region="Two")
    gone = run(keystone, state="absent", check_mode=True)
    assert run(keystone, state="absent") == gone
    assert len(gone["steps"]) == 3 and gone["kept_for"] == ["Two"]
    assert [e["region_id"] for e in keystone.things["endpoints"]] == ["Two"] * 3
    assert len(keystone.things["services"]) == 1 and len(keystone.things["users"]) == 2
    assert not run(keystone, state="absent")["changed"]
    assert len(run(keystone, state="absent", region="Two")["steps"]) == 6
    assert keystone.things["services"] == keystone.things["endpoints"] == keystone.things["users"] == []
