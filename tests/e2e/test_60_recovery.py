"""The power goes in the whole rack, and comes back; a year goes by. Read back with other clients: Vault's own API, openstackclient, openssl."""

from __future__ import annotations

import json
import socket
import ssl
import time
import urllib.request

from tests.support.site import OUT, ROOT, control, explain, maas, maas_machines, openstack, play, world


def sealed() -> bool | None:
    """Whether Vault is sealed, by its own word; None where it does not run."""
    url = json.loads((ROOT / ".lab/endpoints.json").read_text())["vault"]["url"]
    if url is None:
        return None
    with urllib.request.urlopen(f"{url}/v1/sys/seal-status", timeout=10) as answer:
        return json.load(answer)["sealed"]


def deployed() -> list[dict]:
    return [row for row in maas_machines() if row["status_name"] == "Deployed"]


def model() -> dict:
    return next(model for model in world()["juju"]["models"].values() if model["name"] == "openstack")


def outage() -> bool:
    return any(app["state"].get("outage") for app in model()["applications"].values())


def serial(url: str) -> int:
    """The serial number of the certificate that a service shows."""
    from cryptography import x509

    host, port = url.split("/")[2].split(":")
    context = ssl.create_default_context(cafile=str(OUT / "root-ca.pem"))
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain, server_hostname=host) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True)).serial_number


def test_after_a_power_cut_one_command_brings_the_cloud_back():
    keys = (OUT / "vault-keys.json").read_bytes()
    done, sums = play("playbooks/recover.yml")
    assert done.returncode == 0 and sums["changed"] == 0, f"a cloud that runs is left alone\n{explain(done)}"

    rows = deployed()
    assert len(rows) >= 14
    for row in rows:
        maas("POST", f"machines/{row['system_id']}/", params={"op": "power_off"}, data={"stop_mode": "hard"})
    deadline = time.monotonic() + 60
    while not (outage() and {row["power_state"] for row in deployed()} == {"off"}):
        assert time.monotonic() < deadline, "the power does not go"
        time.sleep(1)

    # One BMC has not come back; somebody pushes the machine's button.
    by_hand = next(row for row in deployed() if row["hostname"] == "compute1")
    maas("POST", f"machines/{by_hand['system_id']}/", params={"op": "power_on"})
    control("POST", "/faults", {"name": "bmc_unreachable", "machine": "compute1", "times": -1})
    done, sums = play("playbooks/recover.yml")
    assert done.returncode != 0 and "compute1" in done.stdout and sealed() is None, explain(done)
    assert {row["power_state"] for row in deployed()} == {"on"}, "one BMC keeps no other machine off"

    done, sums = play("playbooks/recover.yml", "-e", '{"openstack_bundle_recover_without": ["compute1"]}')
    control("DELETE", "/faults")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] >= 2, "the database, Vault"
    # With its database away Vault has given up, and was started again.
    assert "vault/0" in [row["unit"] for row in model()["actions"].values() if row["name"] == "restart"]
    assert sealed() is False and not outage()
    assert (OUT / "vault-keys.json").read_bytes() == keys, "Vault is initialised once for ever"
    assert openstack("token", "issue")["id"]
    assert {row["power_state"] for row in deployed()} == {"on"}


def test_certificates_are_reported_and_renewed_in_time():
    auth_url = next(row["URL"] for row in openstack("endpoint", "list", "--interface", "public") if row["Service Type"] == "identity")
    before = serial(auth_url)
    done, sums = play("playbooks/certs.yml")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0 and serial(auth_url) == before
    assert auth_url.rsplit("/v3")[0] in done.stdout and "the authority" in done.stdout

    # They are made for a year less an hour, so now is in time.
    early = ("playbooks/certs.yml", "-e", "openstack_bundle_certificates_renew_days=366")
    done, sums = play(*early, "--check")
    assert done.returncode == 0 and serial(auth_url) == before, explain(done)
    done, sums = play(*early)
    assert done.returncode == 0 and sums["changed"] == 1, explain(done)
    assert serial(auth_url) != before
    assert openstack("token", "issue")["id"]
