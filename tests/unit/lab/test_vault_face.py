"""Vault's face with hvac, as a charmed Vault goes from nothing to a CA; and what it refuses."""

from __future__ import annotations

import base64
import time
from urllib.parse import urlsplit

import hvac
import pytest
import requests
from cryptography import x509

from lab.world import pki
from tests.support.addresses import listens
from tests.support.juju_lab import JujuLabThread

BUNDLE = """
default-base: ubuntu@22.04/stable
machines: {'0': {}, '1': {}, '2': {}}
applications:
  vault: {charm: vault, channel: 1.8/stable, num_units: 2, to: ['0', '1']}
  rabbitmq-server: {charm: rabbitmq-server, channel: 3.9/stable, num_units: 1, to: ['2']}
relations:
  - ['vault:certificates', 'rabbitmq-server:certificates']
"""


class Vaults:
    """A lab in a thread with two vault units (raft: no database), and their addresses."""

    def __init__(self, lab):
        self.lab = lab
        self.model = lab.call(lab.lab.model)
        lab.call(lab.lab.deploy, self.model, BUNDLE)
        self.settle()
        self.urls = [f"http://{self.model['machines'][n]['address']}:8200" for n in ("0", "1")]
        self.until(lambda: self.listens(0) and self.listens(1))

    def listens(self, unit):
        return listens(urlsplit(self.urls[unit]).hostname, 8200)

    @staticmethod
    def until(holds, seconds=30):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not come"
            time.sleep(0.02)

    def settle(self):
        self.lab.call(self.lab.lab.settle)

    def status(self, unit):
        return self.lab.call(self.lab.lab.statuses, self.model)[unit][:2]

    def act(self, receiver, name, **parameters):
        return self.lab.call(self.lab.lab.act, self.model, receiver, name, **parameters)

    def client(self, number=0, token=None):
        return hvac.Client(url=self.urls[number], token=token)

    def open(self, shares=1, threshold=1):
        """Initialised, and both units unsealed: (keys, root token)."""
        answer = self.client().sys.initialize(secret_shares=shares, secret_threshold=threshold)
        for number in (0, 1):
            self.client(number).sys.submit_unseal_keys(answer["keys"][:threshold])
        return answer["keys"], answer["root_token"]


@pytest.fixture
def vaults():
    with JujuLabThread(speed=0) as lab:
        yield Vaults(lab)


def test_from_nothing_to_a_ca(vaults):
    client = vaults.client()
    assert vaults.status("vault/0") == ("blocked", "Vault needs to be initialized")
    assert client.sys.is_initialized() is False
    answer = client.sys.initialize(secret_shares=3, secret_threshold=2)
    assert len(set(answer["keys"])) == 3 and base64.b64decode(answer["keys_base64"][0]).hex() == answer["keys"][0]
    assert vaults.status("vault/0") == ("blocked", "Unit is sealed")
    assert client.sys.is_sealed()
    first = client.sys.submit_unseal_key(answer["keys"][0])
    assert (first["sealed"], first["progress"], first["t"], first["n"]) == (True, 1, 2, 3)
    assert client.sys.submit_unseal_key(answer["keys"][2])["sealed"] is False
    # Each unit has a seal of its own.
    assert vaults.status("vault/1") == ("blocked", "Unit is sealed")
    vaults.client(1).sys.submit_unseal_keys(answer["keys"][:2])
    assert vaults.status("vault/0") == ("blocked", "Vault charm not yet authorized: run authorize-charm action.")
    token = vaults.client(0, answer["root_token"]).auth.token.create(ttl="10m")["auth"]["client_token"]
    assert vaults.act("vault/leader", "authorize-charm", token=token)["status"] == "completed"
    assert vaults.status("vault/0") == ("blocked", "Missing CA cert")
    pem = vaults.act("vault/leader", "generate-root-ca")["output"]["output"]
    assert vaults.act("vault/1", "get-root-ca")["output"]["output"] == pem
    assert vaults.status("vault/0") == ("active", "Unit is ready (active: true, mlock: enabled)")
    assert vaults.status("vault/1") == ("active", "Unit is ready (active: false, mlock: enabled)")
    authority = x509.load_pem_x509_certificate(pem.encode())
    cert, key, chain = vaults.lab.call(vaults.lab.world.vault.issue, ["keystone.lab"], ["10.42.0.100"])
    leaf = x509.load_pem_x509_certificate(cert.encode())
    leaf.verify_directly_issued_by(authority)
    assert pki.matches(cert, key) and chain == pem
    again = vaults.act("vault/leader", "generate-root-ca")
    assert again["status"] == "failed" and "already" in again["message"]
    vaults.settle()
    done = vaults.model["units"]["rabbitmq-server/0"]["done"]
    assert any(step.startswith("changed:certificates") and step.endswith("@1") for step in done)
    vaults.act("vault/leader", "reissue-certificates")
    vaults.settle()
    assert any(step.startswith("changed:certificates") and step.endswith("@2") for step in done)


def test_initialising_is_once_for_ever(vaults):
    vaults.client().sys.initialize(secret_shares=1, secret_threshold=1)
    with pytest.raises(hvac.exceptions.InvalidRequest, match="already initialized"):
        vaults.client(1).sys.initialize(secret_shares=1, secret_threshold=1)


@pytest.mark.parametrize(("shares", "threshold"), [(0, 0), (1, 2), (5, 1)])
def test_seals_that_cannot_be(vaults, shares, threshold):
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid seal configuration"):
        vaults.client().sys.initialize(secret_shares=shares, secret_threshold=threshold)
    assert vaults.client().sys.is_initialized() is False


def test_wrong_keys(vaults):
    answer = vaults.client().sys.initialize(secret_shares=3, secret_threshold=2)
    client = vaults.client()
    for key, text in (("00" * 8, "shorter"), ("not a key!", "valid hex or base64")):
        with pytest.raises(hvac.exceptions.InvalidRequest, match=text):
            client.sys.submit_unseal_key(key)
    client.sys.submit_unseal_key(answer["keys"][0])
    # The same share twice is one share.
    assert client.sys.submit_unseal_key(answer["keys"][0])["progress"] == 1
    with pytest.raises(hvac.exceptions.InvalidRequest, match="authentication failed"):
        client.sys.submit_unseal_key("ab" * 33)
    assert client.sys.read_seal_status()["progress"] == 0
    client.sys.submit_unseal_key(answer["keys"][0])
    assert client.sys.submit_unseal_key(reset=True)["progress"] == 0


def test_sealed_and_unknown_tokens(vaults):
    with pytest.raises(hvac.exceptions.VaultDown):
        vaults.client(0, "s.x").auth.token.lookup_self()
    _keys, root = vaults.open()
    with pytest.raises(hvac.exceptions.Forbidden):
        vaults.client(0, "s.wrong").auth.token.lookup_self()
    assert requests.get(f"{vaults.urls[0]}/v1/auth/token/lookup-self", timeout=5).status_code == 400
    assert vaults.client(1, root).auth.token.lookup_self()["data"]["policies"] == ["root"]
    vaults.client(0, root).sys.seal()
    assert vaults.client().sys.is_sealed()
    assert vaults.client(1).sys.is_sealed() is False


def test_health_tells_by_its_status(vaults):
    def code(number, **query):
        return requests.get(f"{vaults.urls[number]}/v1/sys/health", params=query, timeout=5).status_code

    assert code(0) == 501
    vaults.client().sys.initialize(secret_shares=1, secret_threshold=1)
    assert (code(0), code(0, sealedcode=200)) == (503, 200)
    keys = vaults.lab.call(lambda: next(iter(vaults.lab.world.vault.state["clusters"].values()))["shares"])
    for number in (0, 1):
        vaults.client(number).sys.submit_unseal_key(keys[0])
    assert (code(0), code(1), code(1, standbyok="true")) == (200, 429, 200)


def test_a_short_token_ends(vaults):
    _keys, root = vaults.open()
    token = vaults.client(0, root).auth.token.create(ttl="10m")["auth"]["client_token"]
    assert 0 < vaults.client(0, token).auth.token.lookup_self()["data"]["ttl"] <= 600
    vaults.lab.call(vaults.lab.lab.advance, 601)
    failed = vaults.act("vault/leader", "authorize-charm", token=token)
    assert failed["status"] == "failed" and "permission denied" in failed["message"]
    other = vaults.client(0, root).auth.token.create(ttl="10m")["auth"]["client_token"]
    vaults.client(0, other).auth.token.revoke_self()
    with pytest.raises(hvac.exceptions.Forbidden):
        vaults.client(0, other).auth.token.lookup_self()


def test_actions_belong_to_the_leader_and_to_an_open_vault(vaults):
    assert "not initialized" in vaults.act("vault/leader", "authorize-charm", token="s.x")["message"]
    _keys, root = vaults.open()
    assert vaults.act("vault/1", "authorize-charm", token=root)["message"] == "Please run action on lead unit"
    assert "not authorized" in vaults.act("vault/leader", "generate-root-ca")["message"]


def test_a_restart_seals_the_unit_only(vaults):
    keys, root = vaults.open()
    vaults.act("vault/leader", "authorize-charm", token=root)
    vaults.act("vault/leader", "generate-root-ca")
    vaults.act("vault/0", "restart")
    assert vaults.status("vault/0") == ("blocked", "Unit is sealed")
    assert vaults.status("vault/1")[1].startswith("Unit is ready (active: true")
    vaults.client().sys.submit_unseal_key(keys[0])
    assert vaults.status("vault/0")[0] == "active"


def test_an_intermediate_ca(vaults):
    _keys, root = vaults.open()
    vaults.act("vault/leader", "authorize-charm", token=root)
    csr = vaults.act("vault/leader", "get-csr", **{"common-name": "Lab Intermediate"})["output"]["output"]
    assert x509.load_pem_x509_csr(csr.encode()).is_signature_valid
    other, _key = pki.authority("Other")
    wrong = vaults.act("vault/leader", "upload-signed-csr", pem=base64.b64encode(other.encode()).decode())
    assert wrong["status"] == "failed" and "does not belong" in wrong["message"]


def test_a_connection_lost_after_init_has_initialised(vaults):
    vaults.lab.call(vaults.lab.lab.fault, "vault_drop_after", path="/v1/sys/init", method="PUT")
    with pytest.raises(requests.ConnectionError):
        vaults.client().sys.initialize(secret_shares=1, secret_threshold=1)
    assert vaults.client().sys.is_initialized() is True


def test_a_paused_unit_does_not_listen(vaults):
    vaults.act("vault/0", "pause")
    vaults.until(lambda: not vaults.listens(0))
    with pytest.raises(requests.ConnectionError):
        vaults.client().sys.is_initialized()
