"""A region behind TLS, as most have it: its own authority, validate_certs and ca_path, in modules and in the inventory plugin."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.maas_runner import Failed, run
from tests.integration.test_inventory_of_maas import inventory
from tests.support.lab import MaasLab


def certificate(name, signer=None, authority=False, address=None):
    """(certificate, key): signed by ``signer``, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = (signer[0].subject, signer[1]) if signer else (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if address:
        made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
    return made.sign(signing, hashes.SHA256()), key


def pem(cert, key=None):
    text = cert.public_bytes(serialization.Encoding.PEM)
    if key is not None:
        text += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return text


class Front:
    """Ends TLS and passes the bytes on to a region that speaks plain HTTP."""

    def __init__(self, port, chain):
        self.target = ("127.0.0.1", port)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.socket.getsockname()[1]}/MAAS"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with suppress(OSError):
            while True:
                client, _address = self.socket.accept()
                threading.Thread(target=self.serve_one, args=(client,), daemon=True).start()

    def serve_one(self, raw):
        # A client that does not trust us hangs up in the middle of the handshake.
        with suppress(OSError), raw, self.context.wrap_socket(raw, server_side=True) as client, socket.create_connection(self.target) as region:
            threading.Thread(target=self.pump, args=(region, client), daemon=True).start()
            self.pump(client, region)

    @staticmethod
    def pump(source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def front(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # What the machine that runs the tests trusts is not asked.
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    authority = certificate("authority of the test", authority=True)
    (tmp_path / "ca.pem").write_bytes(pem(authority[0]))
    (tmp_path / "other.pem").write_bytes(pem(certificate("another authority", authority=True)[0]))
    for name, address in (("region", "127.0.0.1"), ("elsewhere", "192.0.2.1")):
        (tmp_path / f"{name}.pem").write_bytes(pem(*certificate(name, authority, address=address)))
    with MaasLab() as lab:
        monkeypatch.setenv("MAAS_API_KEY", lab.api_key)
        made = Front(lab.port, tmp_path / "region.pem")
        made.lab = lab
        monkeypatch.setenv("MAAS_URL", made.url)
        yield made
        made.socket.close()


def test_the_authority_that_is_given_is_trusted(front, tmp_path):
    options = {"name": "a", "ca_path": str(tmp_path / "ca.pem")}
    assert run("maas_zone", options)["changed"]
    assert not run("maas_zone", options)["changed"]
    assert run("maas_zone", {**options, "state": "absent"})["changed"]


def test_nothing_is_sent_to_one_that_is_not_trusted(front, tmp_path):
    front.lab.forget()
    for options in ({}, {"ca_path": str(tmp_path / "other.pem")}):
        with pytest.raises(Failed, match=r"is not trusted: .*ca_path, or set validate_certs to false"):
            run("maas_zone", {"name": "a", **options})
    assert front.lab.requests == []


def test_a_certificate_of_another_host_is_refused(front, tmp_path):
    wrong = Front(front.lab.port, tmp_path / "elsewhere.pem")
    front.lab.forget()
    with pytest.raises(Failed, match=r"is not trusted: .*IP address mismatch"):
        run("maas_zone", {"name": "a", "maas_url": wrong.url, "ca_path": str(tmp_path / "ca.pem")})
    assert front.lab.requests == []
    wrong.socket.close()


def test_verification_can_be_turned_off(front):
    assert run("maas_zone", {"name": "a", "validate_certs": False})["changed"]


def test_faults_of_the_address_are_told(front, tmp_path):
    with pytest.raises(Failed, match="cannot be read as a file of certificates"):
        run("maas_zone", {"name": "a", "ca_path": str(tmp_path / "nowhere.pem")})
    with pytest.raises(Failed, match="does not speak TLS as expected"):
        run("maas_zone", {"name": "a", "maas_url": front.lab.url.replace("http:", "https:")})


def test_the_inventory_plugin_verifies_too(front, tmp_path):
    front.lab.declare("compute0")
    _done, found = inventory(tmp_path, f"ca_path: {tmp_path}/ca.pem\n")
    assert list(found["_meta"]["hostvars"]) == ["compute0"]
    done, _found = inventory(tmp_path, "")
    assert done.returncode != 0
    assert "is not trusted" in done.stderr
