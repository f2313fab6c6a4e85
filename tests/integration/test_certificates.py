"""certs.yml's part of the role openstack_bundle, against endpoints that serve real certificates: what is read, renewed, waited for and named."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
import yaml

from lab.world import pki
from tests.support.addresses import network
from tests.support.role_play import STUB, RolePlay, told

ADDRESS, FIRST, SECOND = (str(address) for address in list(network().hosts())[:3])
KEYSTONE, GLANCE, NOVA_ADMIN, DEAD = 5000, 9292, 8774, 9696


class Endpoint:
    """Serves a certificate with ``days`` left, and another one from its ``renewals``-th connection on after Vault was asked; never, if that is None."""

    def __init__(self, folder: Path, asked: Path, port: int, days: float, renewals: int | None = 1, address: str = ADDRESS):
        self.asked, self.renewals, self.seen = asked, renewals, 0
        ca, key = pki.authority("authority")[:2]
        self.contexts = [self.context(folder, f"{address}-{port}-{days}", *pki.leaf(ca, key, [], [address], days)) for days in (days, 365)]
        self.server = socket.create_server((address, port))
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def context(folder: Path, name: str, cert: str, key: str) -> ssl.SSLContext:
        path = folder / f"{name}.pem"
        path.write_text(cert + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def renewed(self) -> bool:
        self.seen += self.asked.exists() and "reissue-certificates" in self.asked.read_text()
        return self.renewals is not None and self.seen >= self.renewals

    def serve(self) -> None:
        while True:
            try:
                connection, _peer = self.server.accept()
            except OSError:
                return
            try:
                self.contexts[self.renewed()].wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()


class Site(RolePlay):
    role = "openstack_bundle"
    stubbed = ("juju_status_info", "juju_action", "juju_wait")

    def __init__(self, folder: Path):
        super().__init__(folder)
        modules = folder / "collections/ansible_collections/openstack/cloud/plugins/modules"
        modules.mkdir(parents=True)
        (modules / "resources.py").write_text(STUB.replace("@NAME@", "resources").replace("@FOLDER@", str(folder)))
        self.catalogue("public", KEYSTONE)
        self.answers["juju_status_info"] = {"status": {"applications": {}, "units": {}}}
        self.out.mkdir()
        (self.out / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"trial": {"auth": {"auth_url": f"https://{ADDRESS}:{KEYSTONE}/v3"}}}}))
        self.open: list[Endpoint] = []

    def catalogue(self, *rows: str | int) -> None:
        """Interfaces and ports in turn; the stub narrows the answer to one interface as Keystone would."""
        every = [{"interface": name, "url": f"https://{ADDRESS}:{port}/v2"} for name, port in zip(rows[::2], rows[1::2], strict=True)]
        public = [row for row in every if row["interface"] == "public"]
        self.answers["resources"] = [({"parameters": {"interface": "public"}}, {"resources": public}), ({}, {"resources": every})]

    def serve(self, port: int, days: float, renewals: int | None = 1, address: str = ADDRESS) -> None:
        self.open.append(Endpoint(self.folder, self.folder / "asked.jsonl", port, days, renewals, address))

    def certificates(self, **given):
        soon = {"openstack_bundle_certificates_timeout": 4, "openstack_bundle_wait_interval": 1}
        done, changed, asked = self.play("certificates", **{**soon, **given})
        self.waits = [call for call in asked if call["module"] == "juju_wait"]
        return " ".join(told(done).split()), done.returncode, [call["action"] for call in asked if call["module"] == "juju_action"]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    for endpoint in site.open:
        endpoint.server.shutdown(socket.SHUT_RDWR)
        endpoint.server.close()


def test_one_that_keeps_its_old_certificate_is_named_although_others_end_sooner(site):
    """Before, 10 and 20 days; after, 365 and still 20: the smallest number has grown."""
    site.catalogue("public", KEYSTONE, "public", GLANCE)
    site.serve(KEYSTONE, 10)
    site.serve(GLANCE, 20, None)
    said, code, actions = site.certificates()
    assert code != 0 and actions == ["reissue-certificates"]
    assert f"https://{ADDRESS}:{GLANCE} still shows the old one" in said and f"{KEYSTONE} still" not in said


@pytest.mark.long
def test_a_service_that_is_slow_to_change_is_waited_for(site):
    site.serve(KEYSTONE, 10, 3)
    said, code, actions = site.certificates(openstack_bundle_certificates_timeout=60)
    assert code == 0 and actions == ["reissue-certificates"], said
    assert "364 20" in said


def test_all_interfaces_are_read_and_the_silent_one_keeps_nobody_from_a_new_certificate(site):
    site.catalogue("public", KEYSTONE, "internal", KEYSTONE, "public", DEAD, "admin", NOVA_ADMIN)
    site.serve(KEYSTONE, 200)
    site.serve(NOVA_ADMIN, 5)
    said, code, actions = site.certificates()
    assert actions == ["reissue-certificates"], said
    assert code != 0 and f"https://{ADDRESS}:{DEAD} does not answer" in said and "still shows" not in said
    assert f"? does not answer https://{ADDRESS}:{DEAD}" in said
    report = said.partition("Days left")[2].partition("They are renewed")[0]
    assert report.count(f":{KEYSTONE}") == 1 and report.count(f":{NOVA_ADMIN}") == 1


def test_a_keystone_that_does_not_answer_is_a_row_of_the_report(site):
    said, code, actions = site.certificates()
    assert code != 0 and actions == [] and f"https://{ADDRESS}:{KEYSTONE} does not answer, so nobody knows" in said


def test_a_keystone_that_refuses_to_tell_its_catalogue_is_told_at_the_end(site):
    site.answers["resources"] = {"failed": True, "msg": "HTTP 503"}
    site.serve(KEYSTONE, 5)
    said, code, actions = site.certificates()
    assert actions == ["reissue-certificates"]
    assert code != 0 and "Keystone does not tell where the services answer (HTTP 503)" in said


@pytest.mark.long
def test_new_certificates_that_have_fewer_days_than_wanted_are_new(site):
    site.serve(KEYSTONE, 10)
    said, code, actions = site.certificates(openstack_bundle_certificates_renew_days=366)
    assert code == 0 and actions == ["reissue-certificates"], said


def test_each_unit_behind_a_virtual_address_is_looked_at(site):
    """The address shows one of them, here always the one with its new certificate."""
    row = {"application": "keystone", "agent": "idle", "principal": None, "workload": "active", "message": "", "machine": "0", "leader": False}
    units = {f"keystone/{number}": {**row, "name": f"keystone/{number}", "address": address} for number, address in enumerate((FIRST, SECOND))}
    site.answers["juju_status_info"] = {"status": {"applications": {"keystone": {}}, "units": units}}
    site.serve(KEYSTONE, 10)
    site.serve(KEYSTONE - 10, 10, address=FIRST)
    site.serve(KEYSTONE - 10, 5, None, address=SECOND)
    overlays = [{"applications": {"keystone": {"options": {"vip": ADDRESS}}}}]
    said, code, actions = site.certificates(openstack_bundle_overlays=overlays)
    assert code != 0 and actions == ["reissue-certificates"]
    assert f"https://{SECOND}:{KEYSTONE - 10} still shows the old one" in said, said
    report = said.partition("Days left")[2]
    assert "364 20" in report and f"https://{FIRST}:{KEYSTONE - 10}" in report


def test_what_only_a_renewed_keystone_could_name_is_judged_too(site):
    """Its certificate has ended, so nobody could ask it for the others; one of them does not change, one does late."""
    site.catalogue("public", KEYSTONE, "public", GLANCE, "public", NOVA_ADMIN)
    site.serve(KEYSTONE, -3)
    site.serve(GLANCE, -2, None)
    site.serve(NOVA_ADMIN, -2, 3)
    said, code, actions = site.certificates(openstack_bundle_certificates_timeout=15)
    assert code != 0 and actions == ["reissue-certificates"]
    assert f"https://{ADDRESS}:{GLANCE} still shows the old one" in said, said
    assert f"{NOVA_ADMIN} still" not in said and "does not answer" not in said


@pytest.mark.long
def test_the_wait_lets_pass_what_a_recovery_lets_pass(site):
    """Paused units, and a queue that misses the node of a dead machine."""
    lost = {"name": "rabbitmq-server/1", "application": "rabbitmq-server", "agent": "lost", "principal": None, "workload": "unknown", "message": ""}
    site.answers["juju_status_info"] = {"status": {"applications": {}, "units": {"rabbitmq-server/1": lost}}}
    site.serve(KEYSTONE, 10)
    said, code, _actions = site.certificates(openstack_bundle_recover_without=["dead"])
    assert code == 0, said
    assert site.waits[0]["lost_machines"] == ["dead"]
    paused, apart = site.waits[0]["normal_now"]
    assert paused == {"workload": ["maintenance"], "matches": "^Paused"}
    assert apart["application"] == "rabbitmq-server" and apart["matches"] == "in the cluster but not running"


def test_an_address_of_the_catalogue_that_is_none_is_named_and_the_others_are_renewed(site):
    site.catalogue("public", KEYSTONE, "public", "port")
    site.serve(KEYSTONE, 10)
    said, code, actions = site.certificates()
    assert code != 0 and actions == ["reissue-certificates"], said
    assert f"? no address https://{ADDRESS}:port/v2" in said and f"https://{ADDRESS}:port/v2 is in Keystone's catalogue" in said


def test_without_an_access_file_the_way_to_one_is_told(site):
    (site.out / "clouds.yaml").unlink()
    said, code, actions = site.certificates()
    assert code != 0 and actions == []
    assert "clouds.yaml, which says where Keystone answers, is not there: write it with access.yml" in said and "censored" not in said, said


def test_check_mode_goes_through_where_juju_does_not_answer(site):
    said, code, _actions = site.certificates(arguments=["--check"], juju_connection=...)
    assert code == 0 and "failed=0" in said, said


@pytest.mark.parametrize("days", [20, 400])
def test_an_authority_that_ends_soon_fails_the_run_with_what_renews_it(site, days):
    site.answers["juju_status_info"] = {"status": {"applications": {"vault": {}}, "units": {}}}
    (site.out / "root-ca.pem").write_text(pki.authority("root", days=days)[0])
    site.serve(KEYSTONE, 200)
    said, code, actions = site.certificates()
    assert actions == [] and (code != 0) == (days == 20), said
    assert ("has 19 days left" in said and "disable-pki, then the same with generate-root-ca" in said) == (days == 20)
