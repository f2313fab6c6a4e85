"""openstack_project_purge against a cloud of dictionaries: order, waiting, what stays, and that check mode sends no write."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.openstack import purge

MARK = "made by a test"


class Cloud:
    """Things by kind; ``slow``: looks until one is gone; ``held``: {kind: kind} whose presence makes a deletion a conflict; ``down``: services."""

    def __init__(self, **things):
        self.things = {kind.name: dict.fromkeys(things.get(kind.name.replace(" ", "_"), [])) for kind in purge.KINDS}
        self.projects = [{"id": "p1", "name": "lab", "description": MARK}]
        self.users = [{"id": "u1", "name": "lab"}]
        self.pairs, self.flavors = ["key"], [{"id": "f1", "name": "lab"}, {"id": "f2", "name": "other"}]
        self.slow, self.held, self.down, self.absent = {}, {}, set(), set()
        self.deleting, self.calls, self.outside, self.page, self.forbidden = {}, [], False, 1000, set()

    def has(self, service):
        return service not in self.absent

    def inside(self, project):
        assert project["id"] == "p1"
        if self.outside:
            raise Refused("no role", status=401)
        return self

    def grant_self(self, project):
        self.calls.append(("PUT", f"grant {project}"))

    def all(self, service, path, key, what, **filters):
        return self.ask(service, "GET", path, what, params=filters)[key]

    def ask(self, service, method, path, what, params=None, body=None):
        self.calls.append((method, path))
        if service in self.down:
            raise Unreachable(f"Cannot {what}: 503")
        path = path.partition("?")[0]
        for key, found in (("domains", [{"id": "default", "name": "Default"}]), ("projects", self.projects), ("users", self.users), ("flavors", self.flavors)):
            if path == f"/{key}":
                return {key: [one for one in found if "name" not in (params or {}) or one["name"] == params["name"]]}
            if method == "DELETE" and path.startswith(f"/{key}/"):
                found[:] = [one for one in found if one["id"] != path.rsplit("/", 1)[1]]
                return {}
        if path.startswith("/os-keypairs"):
            if method == "DELETE":
                self.pairs.remove(path.rsplit("/", 1)[1])
            return {"keypairs": [{"keypair": {"name": name}} for name in self.pairs]}
        return self.kinds(method, path)

    def kinds(self, method, path):
        for kind in purge.KINDS:
            mine = self.things[kind.name]
            if path == kind.listing:
                return {kind.key: [{kind.id: name, "id": name, "name": name, "stack_name": name} for name in list(mine)[: self.page]]}
            for name in list(mine):
                if path == kind.path.format(id=name, uuid=name, stack_name=name):
                    return self.one(kind, method, name)
        raise Refused("not found", status=404)

    def one(self, kind, method, name):
        if method == "DELETE":
            if name in self.forbidden:
                raise Refused(f"{name} is protected", status=403)
            if self.things.get(self.held.get(kind.name)):
                raise Refused(f"{name} is in use", status=409)
            self.deleting[name] = self.slow.get(kind.name, 0)
        if name in self.deleting:
            if self.deleting[name] <= 0:
                del self.things[kind.name][name]
                if method == "GET":
                    raise Refused("not found", status=404)
            self.deleting[name] -= 1
        return {}

    @property
    def writes(self):
        return [call for call in self.calls if call[0] != "GET"]


def work(cloud, check_mode=False, **options):
    given = {"project": "lab", "domain": "default", "description": MARK, "users": ["lab"], "flavors": ["lab"], "wait_timeout": 60.0, **options}
    now = [0.0]

    def sleep(seconds):
        now[0] += max(seconds, 0.1)

    return purge.work(SimpleNamespace(params=given, check_mode=check_mode), cloud, clock=lambda: now[0], sleep=sleep)


def full():
    return Cloud(stack=["st"], server=["s1", "s2"], volume=["v"], router=["r"], port=["po"], network=["n"], security_group=["default", "sg"], image=["i"])


def test_everything_goes_what_depends_on_others_first():
    cloud = full()
    answer = work(cloud)
    kinds = [one["kind"] for one in answer["removed"]]
    assert kinds == [
        "stack",
        "server",
        "server",
        "volume",
        "router",
        "port",
        "network",
        "security group",
        "security group",
        "image",
        "key pair",
        "user",
        "flavor",
        "project",
    ]
    assert answer["changed"] and not answer["left"]
    assert not any(cloud.things.values()) and not cloud.projects and not cloud.users and not cloud.pairs
    assert cloud.flavors == [{"id": "f2", "name": "other"}]


def test_a_second_time_there_is_nothing_to_do():
    cloud = full()
    work(cloud)
    cloud.calls.clear()
    answer = work(cloud)
    assert not answer["changed"] and not answer["removed"] and not cloud.writes


def test_check_mode_tells_the_same_and_sends_no_write():
    cloud = full()
    answer = work(cloud, check_mode=True)
    assert not cloud.writes
    assert [one["kind"] for one in answer["removed"]] == [one["kind"] for one in work(full())["removed"]]


def test_check_mode_takes_no_role_to_look_inside():
    cloud = full()
    cloud.outside = True
    assert [one["kind"] for one in work(cloud, check_mode=True)["removed"]] == ["key pair", "user", "flavor", "project"]
    assert not cloud.writes
    with pytest.raises(Refused):
        work(cloud)


def test_deletions_are_waited_for_and_conflicts_pass():
    cloud = full()
    cloud.slow = {"server": 4, "stack": 2}
    cloud.held = {"volume": "server", "network": "port"}
    assert not work(cloud)["left"]
    # Once accepted, a deletion is not asked for again.
    assert [call for call in cloud.calls if call == ("DELETE", "/servers/s1")] == [("DELETE", "/servers/s1")]


def test_what_stays_is_told_and_the_project_stays_with_it():
    cloud = full()
    cloud.held = {"network": "network"}
    with pytest.raises(NovaFault, match=r"network n: n is in use") as caught:
        work(cloud)
    assert [(one["kind"], one["name"]) for one in caught.value.result["left"]] == [("network", "n")]
    assert cloud.projects and not cloud.users and not cloud.things["image"]


def test_a_listing_may_be_one_page_of_many():
    cloud = Cloud(image=[f"i{number}" for number in range(7)])
    cloud.page = 3
    answer = work(cloud)
    assert len([one for one in answer["removed"] if one["kind"] == "image"]) == 7
    assert not cloud.things["image"] and not cloud.projects


def test_neutron_makes_a_default_security_group_for_whoever_looks():
    class Neutron(Cloud):
        def kinds(self, method, path):
            if path == "/security-groups" and not self.things["security group"]:
                self.things["security group"][f"default-{len(self.calls)}"] = None
            return super().kinds(method, path)

    cloud = Neutron(security_group=["default"])
    assert len([one for one in work(cloud)["removed"] if one["kind"] == "security group"]) == 1
    assert not cloud.projects


def test_what_is_forbidden_is_told_at_once_and_the_rest_goes():
    cloud = Cloud(image=["i1", "i2"], volume=["v"])
    cloud.forbidden = {"i1"}
    with pytest.raises(NovaFault, match="image i1: it may not be deleted: i1 is protected") as told:
        work(cloud)
    assert {one["name"] for one in told.value.result["removed"]} >= {"i2", "v"}
    assert cloud.projects


def test_a_service_that_is_down_holds_back_nothing_but_the_project():
    cloud = full()
    cloud.down = {"image"}
    with pytest.raises(NovaFault, match="the project stays, to be found again. images: Cannot read the images: 503"):
        work(cloud)
    assert cloud.projects and not cloud.users and not cloud.things["server"]
    cloud.down = set()
    assert [one["kind"] for one in work(cloud)["removed"]][-2:] == ["image", "project"]
    assert not cloud.projects


def test_a_service_that_the_cloud_does_not_have_is_not_asked():
    cloud = full()
    cloud.absent = {"orchestration", "container"}
    work(cloud)
    assert not [path for _method, path in cloud.calls if path.startswith(("/stacks", "/containers"))]


def test_somebody_elses_project_is_left_alone():
    cloud = full()
    cloud.projects[0]["description"] = "production"
    with pytest.raises(NovaFault, match="somebody else's: its description is 'production'"):
        work(cloud)
    assert not cloud.writes


def test_without_the_project_its_user_and_flavor_go():
    cloud = Cloud()
    cloud.projects = []
    assert [one["kind"] for one in work(cloud)["removed"]] == ["key pair", "user", "flavor"]


def test_an_unknown_domain_is_told():
    cloud = Cloud()
    with pytest.raises(NovaFault, match="There is no domain nowhere"):
        work(cloud, domain="nowhere")
