"""The README's promise, whole: from a bare controller to credentials, again without a change, from the tarball, and away without a trace.

The tests run in the order of this file on one lab with hosts. What the playbooks did is read back with other clients: openstackclient,
ipmitool, psql, the lab's own world.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
OUT = ROOT / ".lab" / "out"
TIMES: dict[str, float] = {}
pytestmark = [pytest.mark.hosts, pytest.mark.skipif(os.geteuid() != 0, reason="makes hosts on this machine: needs root")]


def run(*argv: str, timeout: float = 1500, env: dict | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", **(env or {})}
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=environment, cwd=cwd, stdin=subprocess.DEVNULL)


def play(*arguments: str, **options) -> tuple[subprocess.CompletedProcess, dict[str, int]]:
    """Run ansible-playbook on the lab; the process and the sums of its recap."""
    began = time.monotonic()
    done = run("ansible-playbook", "-i", str(ROOT / "inventories/lab"), *arguments, **options)
    TIMES[f"ansible-playbook {' '.join(Path(a).name for a in arguments)}"] = time.monotonic() - began
    recap = done.stdout.rpartition("PLAY RECAP")[2]
    sums = {key: sum(int(n) for n in re.findall(rf"\b{key}=(\d+)", recap)) for key in ("ok", "changed", "unreachable", "failed")}
    return done, sums


def explain(done: subprocess.CompletedProcess) -> str:
    return f"exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


def openstack(*arguments: str, parsed: bool = True):
    """openstackclient with the access files that the report names, and nothing else."""
    done = run(
        "openstack", "--os-cloud", "stratus-lab", *arguments, *(["-f", "json"] if parsed else []), env={"OS_CLIENT_CONFIG_FILE": str(OUT / "clouds.yaml")}
    )
    assert done.returncode == 0, explain(done)
    return json.loads(done.stdout) if parsed else done.stdout


def world() -> dict:
    """The lab's own account of what is there."""
    done = run(sys.executable, "-m", "lab", "dump")
    assert done.returncode == 0, explain(done)
    return json.loads(done.stdout)


def secrets() -> list[str]:
    """The secret values of the lab's inventory and of what the run made; none may be seen in any output."""
    found = []
    for path in (ROOT / "inventories/lab").rglob("*secret*.yml"):
        found += [str(v) for v in yaml.safe_load(path.read_text()).values() if isinstance(v, str)]
    for path in OUT.rglob("*"):
        if path.is_file() and "vault" in path.name:
            found += re.findall(r"hvs?\.[A-Za-z0-9]{8,}|\b[0-9a-f]{64}\b|\b[A-Za-z0-9+/]{43}=", path.read_text())
    clouds = OUT / "clouds.yaml"
    if clouds.exists():
        found += [cloud["auth"]["password"] for cloud in yaml.safe_load(clouds.read_text())["clouds"].values()]
    return [value for value in found if len(value) >= 8]


@pytest.fixture(scope="module", autouse=True)
def lab():
    """A lab of this checkout, as it is if it is up already, else brought up here and taken down by the last test."""
    began = time.monotonic()
    done = run("make", "lab-up")
    assert done.returncode == 0, explain(done)
    TIMES["make lab-up"] = time.monotonic() - began
    yield
    print("\n" + "\n".join(f"{seconds:7.1f} s  {what}" for what, seconds in TIMES.items()))
    if not os.environ.get("LAB_KEEP"):
        run("make", "lab-down")


def test_bad_input_stops_before_the_first_change_with_all_problems_together():
    before = world()
    done, _sums = play(
        "playbooks/site.yml",
        "-e",
        json.dumps(
            {
                "maas_dynamic_range": {"start": "10.99.0.1", "end": "10.42.255.254"},
                "maas_admin_password": "CHANGE-ME",
                "openstack_bundle_file": "no-such-bundle.yaml",
            }
        ),
    )
    assert done.returncode != 0
    for name in ("maas_dynamic_range", "10.99.0.1", "maas_admin_password", "openstack_bundle_file", "no-such-bundle.yaml"):
        assert name in done.stdout + done.stderr, f"{name} is not named\n{explain(done)}"
    after = world()
    for state in (before, after):
        for volatile in ("now", "log", "queue", "next"):
            state.pop(volatile, None)
    assert before.get("maas") == after.get("maas")
    assert before.get("juju") == after.get("juju")


def test_site_builds_the_cloud():
    done, sums = play("playbooks/site.yml")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == sums["unreachable"] == 0
    assert "clouds.yaml" in done.stdout
    assert "https://" in done.stdout
    assert (OUT / "clouds.yaml").stat().st_mode & 0o077 == 0
    for secret in secrets():
        assert secret not in done.stdout + done.stderr, "a secret is printed"


def test_the_same_command_again_changes_nothing():
    done, sums = play("playbooks/site.yml")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)
    assert "already" in done.stdout


def test_the_installed_tarball_does_the_same():
    build = ROOT / "build" / "e2e"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    # None of the checkout's settings, so that only what is in the tarball can be found.
    (build / "ansible.cfg").write_text("[defaults]\n")
    alone = {"ANSIBLE_CONFIG": str(build / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(build / "collections")}
    done = run("ansible-galaxy", "collection", "build", "--output-path", str(build), str(ROOT), env=alone, cwd=build)
    assert done.returncode == 0, explain(done)
    (tarball,) = build.glob("stratus-cloud-*.tar.gz")
    done = run("ansible-galaxy", "collection", "install", "--offline", "--no-deps", str(tarball), env=alone, cwd=build)
    assert done.returncode == 0, explain(done)
    assert (build / "collections/ansible_collections/stratus/cloud/playbooks/site.yml").is_file()
    done, sums = play("stratus.cloud.site", env=alone, cwd=build)
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)


def test_a_client_nobody_here_wrote_uses_the_cloud():
    assert openstack("token", "issue")["id"]
    services = openstack("compute", "service", "list", "--service", "nova-compute")
    up = {service["Host"].split(".")[0] for service in services if service["State"] == "up"}
    assert {"compute0", "compute1"} <= up
    assert all(service["State"] == "up" for service in services)
    endpoints = {endpoint["Service Type"]: endpoint["URL"] for endpoint in openstack("endpoint", "list", "--interface", "public")}
    assert {"identity", "compute", "image", "network", "placement"} <= set(endpoints)
    assert all(url.startswith("https://") for url in endpoints.values())


def test_the_spare_machines_were_left_alone():
    machines = {machine["hostname"] for machine in run_maas_list()}
    assert {"compute0", "compute1"} <= machines
    assert not {"compute2", "compute3", "compute4"} & machines
    for number in (0, 2):
        done = run("ipmitool", "-I", "lanplus", "-H", f"10.42.0.{20 + number}", "-U", "root", "-P", "root", "power", "status")
        assert done.stdout.strip() == f"Chassis Power is {'on' if number == 0 else 'off'}", explain(done)


def run_maas_list() -> list[dict]:
    """The region's machines by a plain OAuth1 client."""
    from requests_oauthlib import OAuth1Session

    maas = json.loads((ROOT / ".lab/endpoints.json").read_text())["maas"]
    consumer, token, secret = maas["api_key"].split(":")
    session = OAuth1Session(consumer, client_secret="", resource_owner_key=token, resource_owner_secret=secret, signature_method="PLAINTEXT")
    return session.get(maas["url"].rstrip("/") + "/api/2.0/machines/", timeout=30).json()


def test_the_lab_goes_without_a_trace():
    if os.environ.get("LAB_KEEP"):
        pytest.skip("LAB_KEEP is set")
    done = run("make", "lab-down")
    assert done.returncode == 0, explain(done)
    links = run("ip", "-br", "link").stdout
    assert "stratus-" not in links
    assert str(ROOT / ".lab") not in Path("/proc/mounts").read_text()
    assert "stratus" not in run("nft", "list", "tables").stdout
    here = str(ROOT / ".lab")
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            assert here not in command, f"{line.parent.name} is left: {command}"
