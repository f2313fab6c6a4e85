"""The client: filters go to the service as they are, pages, what is repeated and what never is, and answers as sentences."""

from __future__ import annotations

import json
import socket
import threading
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


@pytest.mark.parametrize("fault", [Answer(429), Answer(500), Answer(503), keystone.ConnectFailure("refused"), keystone.InternalServerError("of Keystone")])
def test_reads_are_repeated_while_the_fault_passes(services, fault):
    services.compute.answers = [fault, fault, Answer(body={"services": []})]
    assert client().services() == []
    assert len(services.compute.seen) == 3


def test_a_fault_of_nova_itself_refuses_a_write(services):
    services.compute.answers = [Answer(500, {"computeFault": {"message": "Unexpected API Error"}})]
    with pytest.raises(Refused, match="Unexpected API Error"):
        client().live_migrate("s1", None, "auto")
    assert len(services.compute.seen) == 1


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
    services.compute.answers = [keystone.ConnectFailure("nobody knows of what kind")]
    with pytest.raises(Unreachable) as caught:
        client().live_migrate("s1", None, "auto")
    assert caught.value.sent


class Deaf(threading.Thread):
    """A nova that tells its versions, reads a write to its end, and closes without an answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listening, self.writes = socket.create_server(("127.0.0.1", 0)), []
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/v2.1"

    def run(self):
        while True:
            try:
                one, _address = self.listening.accept()
            except OSError:
                return
            with one, one.makefile("rb") as read:
                line, length = read.readline(), 0
                while (header := read.readline()) not in (b"\r\n", b""):
                    length = int(header.split(b":")[1]) if header.lower().startswith(b"content-length:") else length
                body = read.read(length)
                if line.startswith(b"GET"):
                    about = {"id": "v2.1", "status": "CURRENT", "version": "2.90", "min_version": "2.1", "links": [{"rel": "self", "href": self.url}]}
                    told = json.dumps({"version": about}).encode()
                    one.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
                else:
                    self.writes.append(body)

    def stop(self):
        if self.is_alive():
            self.listening.shutdown(socket.SHUT_RDWR)
            self.join()
            self.listening.close()


@pytest.fixture
def deaf():
    made = Deaf()
    made.start()
    yield made
    made.stop()


def lost_write(deaf, fault=lambda: None):
    one = clients.Client({"cloud": {"auth_type": "none", "auth": {"endpoint": deaf.url}}})
    try:
        assert not one.pins_known
        fault()
        with pytest.raises(Unreachable, match="Cannot live-migrate it") as caught:
            one.live_migrate("s1", None, "auto")
    finally:
        one.close()
    return caught.value


def test_a_write_that_was_read_and_not_answered_may_have_been_done_and_is_sent_once(deaf):
    assert lost_write(deaf).sent
    assert [json.loads(body) for body in deaf.writes] == [{"os-migrateLive": {"host": None, "block_migration": "auto"}}]


def test_a_write_to_where_nobody_listens_was_not_sent(deaf):
    assert not lost_write(deaf, deaf.stop).sent


@pytest.mark.parametrize("fault", [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), TimeoutError("timed out")])
def test_nor_was_one_for_which_no_connection_came_about(deaf, monkeypatch, fault):
    def fail(*_arguments, **_options):
        raise fault

    assert not lost_write(deaf, lambda: monkeypatch.setattr(socket, "getaddrinfo", fail)).sent
    assert deaf.writes == []


def test_a_cell_that_does_not_answer_is_told_with_what_is_in_it(services):
    whole = {"id": "u0", "binary": "nova-compute", "host": "c0", "status": "enabled", "state": "up"}
    services.compute.answers = [Answer(body={"services": [whole, {"binary": "nova-compute", "host": "c1", "status": "UNKNOWN"}]})]
    with pytest.raises(NovaFault, match="^The cell of compute host c1 does not answer: .*database .*message queue .*nova-manage cell_v2 list_cells"):
        client().services()
    part = {"id": "s1", "status": "UNKNOWN", "tenant_id": "p1", "created": "2026-01-01T00:00:00Z", "links": []}
    services.compute.answers = [Answer(body={"servers": [{"id": "s0", "name": "a"}, part, {**part, "id": "s2"}]})]
    with pytest.raises(NovaFault, match="^The cell of servers s1, s2 does not answer"):
        client().servers()
    services.compute.answers = [Answer(body={"server": part})]
    with pytest.raises(NovaFault, match="^The cell of server s1 does not answer"):
        client().server("s1")


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
