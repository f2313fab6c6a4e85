"""What openstack_catalog_info makes of Keystone's answers, with a Keystone of a few lines."""

from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault
from ansible_collections.stratus.cloud.plugins.module_utils.openstack import catalog

AUTH = {
    "auth_url": "https://k:5000/v3",
    "username": "demo",
    "password": "secret",
    "user_domain_id": "default",
    "project_name": "lab",
    "project_domain_id": "default",
}
URLS = {"identity": "https://k:5000/v3", "image": "https://g:9292", "volumev3": "https://c:8776/v3/p1"}
CATALOG = [
    {
        "type": kind,
        "name": kind,
        "endpoints": [
            {"interface": "internal", "region_id": "One", "url": url.replace("https", "http")},
            {"interface": "public", "region_id": "One", "url": url},
            {"interface": "public", "region_id": "Two", "url": "https://elsewhere"},
        ],
    }
    for kind, url in URLS.items()
]


class Keystone:
    """Answers as Keystone does, and for the endpoints as ``doors`` says: {url: (status, content)}."""

    def __init__(self, doors=(), refuse=None):
        self.doors, self.refuse, self.seen = dict(doors), refuse, []

    def __call__(self, method, url, token=None, body=None):
        self.seen.append((method, url, token, body))
        if url.startswith("https://k:5000/v3/auth"):
            return self.keystone(method, url, token, body)
        answer = self.doors.get(url, (200, {"versions": [{"id": "v2"}]}))
        if isinstance(answer, NovaFault):
            raise answer
        return answer[0], {}, answer[1]

    def keystone(self, method, url, token, body):
        if self.refuse and self.refuse(method, url, body):
            return 401, {}, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        if method == "GET":
            assert token == "unscoped-token"
            return 200, {}, {"projects": [{"name": "other"}, {"name": "lab"}]}
        told = {"user": {"name": "demo"}, "expires_at": "later"}
        if body["auth"]["scope"] == "unscoped":
            return 201, {"X-Subject-Token": "unscoped-token"}, {"token": told}
        told |= {"project": {"id": "p1", "name": "lab"}, "roles": [{"name": "member"}], "catalog": CATALOG}
        return 201, {"X-Subject-Token": "scoped-token"}, {"token": told}


def clock():
    ticks = iter(range(1000))
    return lambda: float(next(ticks))


def look(keystone, **more):
    return catalog.look(keystone, AUTH, "One", clock=clock(), **more)


def test_tokens_projects_and_catalog_in_a_clients_order():
    keystone = Keystone()
    told = look(keystone, probe=False)
    assert (told["unscoped"]["status"], told["unscoped"]["roles"], told["unscoped"]["services"], told["unscoped"]["project"]) == (201, [], 0, None)
    assert told["projects"]["names"] == ["lab", "other"]
    assert (told["scoped"]["project"], told["scoped"]["roles"], told["scoped"]["services"]) == ("lab", ["member"], 3)
    assert told["endpoints"] == []
    assert [(method, url) for method, url, _token, _body in keystone.seen] == [
        ("POST", "https://k:5000/v3/auth/tokens"), ("GET", "https://k:5000/v3/auth/projects"), ("POST", "https://k:5000/v3/auth/tokens"),
    ]  # fmt: skip
    assert keystone.seen[2][3]["auth"]["identity"] == {"methods": ["token"], "token": {"id": "unscoped-token"}}
    assert all(told[part]["seconds"] > 0 for part in ("unscoped", "projects", "scoped"))


def test_no_token_is_returned():
    assert "-token" not in str(look(Keystone()))
    assert "secret" not in str(look(Keystone()))


def test_only_the_region_and_the_interfaces_that_are_wanted():
    told = look(Keystone(), interfaces=("public",), probe=False)
    assert [(service["type"], [one["url"] for one in service["endpoints"]]) for service in told["catalog"]] == sorted((k, [u]) for k, u in URLS.items())


def test_every_endpoint_is_asked_with_the_token_of_the_project():
    keystone = Keystone()
    told = look(keystone)
    assert len(told["endpoints"]) == 6
    assert all(endpoint["answers"] for endpoint in told["endpoints"])
    assert {token for _method, url, token, _body in keystone.seen if "/auth/" not in url} == {"scoped-token"}


@pytest.mark.parametrize(
    ("answer", "answers"),
    [((200, {}), True), ((300, {}), True), ((401, {}), True), ((403, {}), True), ((404, {}), False), ((500, {}), False), ((503, "down"), False)],
)
def test_what_counts_as_an_answer(answer, answers):
    told = look(Keystone({"https://g:9292/": answer}))
    (image,) = [one for one in told["endpoints"] if one["url"] == "https://g:9292"]
    assert (image["answers"], bool(image["error"])) == (answers, not answers)
    assert image["status"] == answer[0]


def test_silence_is_told_and_the_other_endpoints_are_asked_all_the_same():
    told = look(Keystone({"https://g:9292/": NovaFault("https://g:9292/ does not answer: refused")}))
    (image,) = [one for one in told["endpoints"] if not one["answers"]]
    assert image["status"] is None
    assert image["error"] == "Cannot reach the public endpoint of image: https://g:9292/ does not answer: refused"


def test_the_version_document_is_looked_for_level_by_level():
    assert catalog.candidates("https://c:8776/v3/p1", "p1") == ["https://c:8776/v3", "https://c:8776/"]
    assert catalog.candidates("https://s/swift/v1/AUTH_p1", "p1") == ["https://s/swift/v1", "https://s/swift", "https://s/"]
    told = look(Keystone({"https://c:8776/v3": (404, {}), "https://c:8776/": (300, {"versions": [{"id": "v3.0"}]})}))
    (volume,) = [one for one in told["endpoints"] if one["type"] == "volumev3" and one["interface"] == "public"]
    assert (volume["probed"], volume["answers"], volume["versions"]) == ("https://c:8776/", True, ["v3.0"])


def test_versions_of_each_shape():
    assert catalog.versions({"versions": {"values": [{"id": "v3.14"}]}}) == ["v3.14"]
    assert catalog.versions({"version": {"id": "v2.1"}}) == ["v2.1"]
    assert catalog.versions("<html>") == []


def test_a_refusal_is_told_and_what_comes_after_it_is_left_out():
    told = look(Keystone(refuse=lambda *_what: True))
    assert told["unscoped"]["status"] == 401 and "requires authentication" in told["unscoped"]["error"]
    assert told["projects"] == told["scoped"] == {} and told["endpoints"] == []
    told = look(Keystone(refuse=lambda _method, _url, body: bool(body) and body["auth"]["scope"] != "unscoped"))
    assert told["projects"]["names"] == ["lab", "other"]
    assert "token for the project" in told["scoped"]["error"] and told["catalog"] == []


def test_an_entry_without_a_password_is_refused_with_a_sentence():
    with pytest.raises(NovaFault, match="no password"):
        catalog.look(Keystone(), {"auth_url": "https://k:5000"})


def test_an_entry_without_a_project_ends_with_the_projects():
    told = catalog.look(Keystone(), {**AUTH, "project_name": None}, clock=clock())
    assert told["projects"]["names"] and told["scoped"] == {}
