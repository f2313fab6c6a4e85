"""The tenant's view: verify.yml on the cloud that site.yml built, read back with openstackclient. Heat comes with its overlay first."""

from __future__ import annotations

import contextlib
import json
import re

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.support.site import OUT, explain, on_controller, openstack, play, run, world

NAME = "stratus-verify"
HEAT = json.dumps({"openstack_bundle_overlays": ["bundles/overlays/2023.1/heat.yaml"]})
STEPS = [
    "administrator", "project and user", "unscoped token", "projects", "scoped token", "catalog", "endpoints", "image", "flavor", "key pair",
    "network and subnet", "router", "security group", "server", "server on compute0", "server on compute1", "volume", "volume attached", "stack",
    "container", "clean up",
]  # fmt: skip


def report():
    return json.loads((OUT / "verify.json").read_text())


def states():
    return {step["step"]: step["state"] for step in report()["steps"]}


def left():
    """What is in the cloud of the tenant's name, and servers, volumes and routers of any project."""
    found = {}
    for kind, arguments in {
        "project": ["project", "list"], "user": ["user", "list"], "image": ["image", "list"], "flavor": ["flavor", "list", "--all"],
        "network": ["network", "list"], "security group": ["security", "group", "list"],
    }.items():  # fmt: skip
        found[kind] = [one["Name"] for one in openstack(*arguments) if one["Name"] == NAME]
    for kind, arguments in {
        "server": ["server", "list", "--all-projects"],
        "volume": ["volume", "list", "--all-projects"],
        "router": ["router", "list"],
    }.items():
        found[kind] = [one["Name"] for one in openstack(*arguments) if one["Name"].startswith(NAME)]
    return {kind: names for kind, names in found.items() if names}


@contextlib.contextmanager
def stopped(service):
    """A service of the lab's real OpenStack that does not run; it answers again when this is left, which takes it some seconds after its start."""
    on_host(f"systemctl stop {service}")
    try:
        yield
    finally:
        on_host(f"systemctl start {service}")
        (public,) = (one["URL"] for one in openstack("endpoint", "list", "--service", service.partition("-")[0], "--interface", "public"))
        with requests.Session() as session:
            again = Retry(total=120, backoff_factor=1, backoff_max=1, status_forcelist=[502, 503, 504])
            session.mount("https://", HTTPAdapter(max_retries=again))
            session.get(public, verify=str(OUT / "root-ca.pem"), timeout=30)


def on_host(command):
    ssh = ["ssh", "-i", str(OUT.parent / "ssh/id_ed25519"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "root@10.42.0.8"]
    done = run(*ssh, command)
    assert done.returncode == 0, explain(done)
    return done.stdout


def test_check_mode_says_what_would_be_tried_and_makes_nothing():
    done, sums = play("playbooks/verify.yml", "--check")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0
    assert "would be tried" in done.stdout and "Check mode: nothing was made" in done.stdout
    assert left() == {}


def test_a_broken_service_is_named_with_its_own_words_and_the_rest_is_tried_and_taken_away():
    with stopped("glance-api"):
        done, sums = play("playbooks/verify.yml")
    assert done.returncode != 0 and sums["failed"] == 1, explain(done)
    told = states()
    assert told["image"] == "failed" and told["network and subnet"] == told["volume"] == told["key pair"] == "passed", told
    assert told["server"] == "skipped" and report()["passed"] is False
    assert "Step 'image' (service image) failed. Upload the image" in done.stdout
    assert "503" in done.stdout and "Look next: juju status -m openstack glance" in done.stdout
    # Glance could not be asked what is left there, so the empty project stays to be found again; nothing else does.
    assert told["clean up"] == "failed" and left() == {"project": [NAME]}


def test_heat_comes_with_its_overlay_and_is_in_the_catalog():
    assert "orchestration" not in {service["Type"] for service in openstack("service", "list")}
    done, _sums = play("playbooks/cloud.yml", "-e", HEAT)
    assert done.returncode == 0, explain(done)
    assert on_controller("import os; print(os.path.exists('/run/stratus-cloud.lock'))").strip() == "False", "the phase alone kept the lock"
    units = {name: unit for model in world()["juju"]["models"].values() for name, unit in model["units"].items()}
    assert "heat/0" in units
    endpoints = {endpoint["Service Type"]: endpoint["URL"] for endpoint in openstack("endpoint", "list", "--interface", "public")}
    assert endpoints["orchestration"].startswith("https://") and endpoints["orchestration"].endswith(":8004/v1/%(project_id)s")


def test_a_tenant_is_served_and_nothing_is_left():
    done, sums = play("playbooks/verify.yml")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == sums["unreachable"] == 0
    told = states()
    assert list(told) == STEPS
    without_zun = told["container"] == "skipped"
    assert {name for name, state in told.items() if state != "passed"} == ({"container"} if without_zun else set()), told
    rows = {step["step"]: step for step in report()["steps"]}
    if without_zun:
        assert rows["container"]["message"] == "the cloud has no container service"
    # What the run before left behind was found.
    assert re.search(r"removed first what a killed run left: .*\bproject\b", rows["project and user"]["message"])
    assert all(rows[name]["seconds"] > 0 for name in STEPS if told[name] == "passed" and name != "catalog")
    assert all(endpoint["answers"] for endpoint in report()["endpoints"]) and len(report()["endpoints"]) >= 18
    assert "serves its tenants" in done.stdout and "server on compute1" in done.stdout
    assert (OUT / "verify.json").stat().st_mode & 0o077 == 0
    assert left() == {}
    # openstackclient knows Heat by another package only, so its database is asked.
    assert on_host("mariadb --skip-column-names --execute 'SELECT name, action FROM heat.stack WHERE deleted_at IS NULL'") == ""
    assert on_host("mariadb --skip-column-names --execute 'SELECT DISTINCT name FROM heat.stack'").strip() == NAME
