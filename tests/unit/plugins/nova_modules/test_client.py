"""The client: filters go to the service as they are, pages, what is repeated and what never is, and answers as sentences."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova import client as clients
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable, WriteInCheckMode
from keystoneauth1 import exceptions as keystone

from .fake import Time

DATE = "Thu, 26 Nov 2026 08:00:00 GMT"


class Answer:
    def __init__(self, status=200, body=None, headers=None):
        self.status_code, self.headers = status, {"Date": DATE, **(headers or {})}
        self.content = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.text = self.content.decode()

    def json(self):
        return json.loads(self.content)


class Service:
    """Answers in their order; an exception among them is raised. The last one repeats."""

    def __init__(self, newest=(2, 93)):
        self.answers, self.seen, self.newest = [], [], newest

    def get_endpoint_data(self):
        return SimpleNamespace(max_microversion=self.newest)

    def request(self, path, method, **more):
        self.seen.append((method, path, more))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def services(monkeypatch):
    made = SimpleNamespace(compute=Service(), placement=Service(), network=Service(), close=lambda: None)
    monkeypatch.setattr(clients, "_connect", lambda options: made)
    return made


def client(**more):
    time = Time()
    return clients.Client({}, clock=time.clock, sleep=time.sleep, **more)


def test_filters_go_to_nova_as_they_are(services):
    services.compute.answers = [Answer(body={"servers": [{"id": "1", "name": "a"}]})]
    assert client().servers(host="c0") == [{"id": "1", "name": "a"}]
    _method, path, more = services.compute.seen[0]
    assert (path, more["params"]) == ("/servers/detail", {"limit": 500, "all_tenants": 1, "host": "c0"})


@pytest.mark.parametrize(("newest", "asked", "pins"), [((2, 90), "2.90", False), ((2, 93), "2.93", False), ((2, 97), "2.96", True), ((2, 60), "2.90", False)])
def test_the_microversion_is_the_newest_that_is_needed(services, newest, asked, pins):
    services.compute.newest = newest
    services.compute.answers = [Answer(body={"services": []})]
    one = client()
    one.services()
    assert services.compute.seen[0][2]["microversion"] == asked
    assert one.pins_known is pins


def test_listings_are_read_to_their_end(services, monkeypatch):
    monkeypatch.setattr(clients, "PAGE", 2)
    services.compute.answers = [
        Answer(body={"migrations": [{"id": 9, "uuid": "u9"}, {"id": 8, "uuid": "u8"}]}),
        Answer(body={"migrations": [{"id": 7, "uuid": "u7"}]}),
    ]
    assert [one["id"] for one in client().migrations()] == [9, 8, 7]
    assert services.compute.seen[1][2]["params"]["marker"] == "u8"
    groups = [{"server_groups": [{"id": 1}, {"id": 2}]}, {"server_groups": []}]
    services.compute.answers = [Answer(body=one) for one in groups]
    assert len(client().server_groups()) == 2
    assert services.compute.seen[-1][2]["params"]["offset"] == 2


def test_reads_are_repeated_while_the_fault_passes(services):
    services.compute.answers = [Answer(503), keystone.ConnectFailure("refused"), Answer(body={"services": []})]
    assert client().services() == []
    assert len(services.compute.seen) == 3


def test_but_not_for_ever(services):
    services.compute.answers = [Answer(502, "<html><body>Bad gateway</body></html>")]
    with pytest.raises(Unreachable, match="Cannot read the compute services: the service answered 502"):
        client().services()
    assert 20 < len(services.compute.seen) < 40


def test_a_write_is_never_repeated(services):
    services.compute.answers = [Answer(503)]
    with pytest.raises(Unreachable) as caught:
        client().live_migrate("s1", None, "auto")
    assert caught.value.sent
    assert len(services.compute.seen) == 1
    services.compute.answers = [keystone.ConnectFailure("refused")]
    with pytest.raises(Unreachable) as caught:
        client().live_migrate("s1", None, "auto")
    assert not caught.value.sent


def test_check_mode_sends_no_write(services):
    one = client(read_only=True)
    for write in (lambda: one.live_migrate("s1", None, "auto"), lambda: one.delete_service("x"), lambda: one.delete_agent("x"), lambda: one.abort("s1", 1)):
        with pytest.raises(WriteInCheckMode):
            write()
    assert services.compute.seen == services.network.seen == []


def test_a_migration_gives_the_id_that_its_words_are_found_by(services):
    services.compute.answers = [Answer(202, headers={"x-openstack-request-id": "req-1"})]
    assert client().live_migrate("s1", "c1", True) == "req-1"
    assert services.compute.seen[0][2]["json"] == {"os-migrateLive": {"host": "c1", "block_migration": True}}


@pytest.mark.parametrize(
    ("service", "status", "body", "words"),
    [
        ("compute", 400, {"badRequest": {"code": 400, "message": "Compute host c9 could not be found."}}, "Compute host c9 could not be found."),
        ("compute", 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow it"}}, "it takes an administrator of the cloud: Policy doesn't allow it"),
        ("compute", 406, {"computeFault": {"message": "Version 2.90 is not supported"}}, "too old: nova of Yoga"),
        ("placement", 404, {"errors": [{"detail": "No resource provider with uuid x found"}]}, "No resource provider with uuid x found"),
        ("network", 409, {"NeutronError": {"type": "AgentInUse", "message": "Agent is in use"}}, "Agent is in use"),
    ],
)
def test_answers_are_told_in_their_words(services, service, status, body, words):
    getattr(services, service).answers = [Answer(status, body)]
    reads = {"compute": lambda: client().services(), "placement": lambda: client().inventories("x"), "network": lambda: client().agents("c0")}
    with pytest.raises(Refused, match=words) as caught:
        reads[service]()
    assert caught.value.status == status


def test_a_certificate_that_is_not_trusted_is_no_passing_fault(services):
    services.compute.answers = [keystone.SSLError("self-signed certificate")]
    with pytest.raises(NovaFault, match="not trusted; give its authority's in ca_cert"):
        client().services()
    assert len(services.compute.seen) == 1


def test_what_is_gone_is_empty(services):
    services.compute.answers = [Answer(404, {"itemNotFound": {"message": "gone"}})]
    assert client().action("s1", "req-1") == {}
    assert client().progress("s1", 7) == {}


def test_the_clouds_own_time(services):
    services.compute.answers = [Answer(body={"services": []})]
    one = client()
    assert one.now() is None
    one.services()
    assert one.now() == 1795680000.0
