"""One lab with hosts for the end-to-end tests: run playbooks on it, and read back with clients that nobody here wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from lab.__main__ import ask
from lab.paths import Paths
from tests.support.processes import kill

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
OUT = ROOT / ".lab" / "out"
SECRETS = ROOT / "inventories/lab/group_vars/all/90-secrets.yml"
BMC_PASSWORD = yaml.safe_load(SECRETS.read_text())["secret_bmc_password"]
KEYS = {"the key of LXD's client": OUT / "lxd/maas.key", "the site's ssh key": OUT / "ssh/id_ed25519"}
"""Files of private keys that a run makes, for their owner alone."""
BARE = ROOT / ".lab" / "state" / "bare-controller.json"
"""What the controller was like before anything was built on it; goes with the lab."""
TIMES: dict[str, float] = {}
"""Seconds of every run of a playbook, for the table at the end."""


def run(*argv: str, timeout: float = 1500, env: dict | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", **(env or {})}
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=environment, cwd=cwd, stdin=subprocess.DEVNULL)


def recap(output: str) -> dict[str, int]:
    """The sums of a playbook's recap over all hosts."""
    lines = output.rpartition("PLAY RECAP")[2]
    return {key: sum(int(n) for n in re.findall(rf"\b{key}=(\d+)", lines)) for key in ("ok", "changed", "unreachable", "failed")}


def play(*arguments: str, **options: Any) -> tuple[subprocess.CompletedProcess, dict[str, int]]:
    """Run ansible-playbook on the lab; the process and the sums of its recap."""
    began = time.monotonic()
    done = run("ansible-playbook", "-i", str(ROOT / "inventories/lab"), *arguments, **options)
    TIMES[f"ansible-playbook {' '.join(Path(a).name for a in arguments)}"] = time.monotonic() - began
    return done, recap(done.stdout)


def play_until(line: str, *arguments: str, timeout: float = 1500) -> str:
    """Run ansible-playbook on the lab and kill it, as a power cut does, when its output has ``line``. What it had printed."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    argv = ["ansible-playbook", "-i", str(ROOT / "inventories/lab"), *arguments]
    printed = ""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                          start_new_session=True) as process:  # fmt: skip
        watchdog = threading.Timer(timeout, kill, (process.pid,))
        watchdog.start()
        for text in process.stdout:
            printed += text
            if line in text:
                kill(process.pid)
                break
        watchdog.cancel()
    return printed


def explain(done: subprocess.CompletedProcess) -> str:
    return f"exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


def on_controller(program: str) -> str:
    """Run a program for Python on the controller, by plain ssh."""
    ssh = ROOT / ".lab" / "ssh"
    options = ["-i", str(ssh / "id_ed25519"), "-o", f"UserKnownHostsFile={ssh / 'known_hosts'}", "-o", "StrictHostKeyChecking=yes"]
    done = subprocess.run(["ssh", *options, "root@198.51.100.2", "python3", "-"], input=program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def openstack(*arguments: str, parsed: bool = True) -> Any:
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


def control(method: str, path: str, body: Any = None) -> Any:
    """The lab's own door: faults and the clock."""
    answer = ask(Paths(), method, path, body)
    assert answer is not None, "the lab does not answer"
    return answer


def maas(method: str, path: str, **options: Any) -> Any:
    """A request to the region by a plain OAuth1 client; ``path`` below /api/2.0/."""
    from requests_oauthlib import OAuth1Session

    about = json.loads((ROOT / ".lab/endpoints.json").read_text())["maas"]
    consumer, token, secret = about["api_key"].split(":")
    session = OAuth1Session(consumer, client_secret="", resource_owner_key=token, resource_owner_secret=secret, signature_method="PLAINTEXT")
    answer = session.request(method, f"{about['url'].rstrip('/')}/api/2.0/{path}", timeout=30, **options)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.text else None


def maas_machines() -> list[dict]:
    """The region's machines."""
    return maas("GET", "machines/")


def bmc_power(number: int) -> str:
    """Whether compute``number`` has power, as ipmitool learns it from its BMC: on or off."""
    done = run("ipmitool", "-I", "lanplus", "-H", f"10.42.0.{20 + number}", "-U", "root", "-P", BMC_PASSWORD, "power", "status")
    assert done.returncode == 0, explain(done)
    return done.stdout.strip().removeprefix("Chassis Power is ")


def secrets() -> list[str]:
    """The secret values of the lab's inventory and of what the run made; none may be seen in any output."""
    found = [value for value in yaml.safe_load(SECRETS.read_text()).values() if isinstance(value, str)]
    opened = OUT / "vault-keys.json"
    if opened.exists():
        vault = json.loads(opened.read_text())
        found += [*vault["keys"], *vault["keys_base64"], vault["root_token"]]
    clouds = OUT / "clouds.yaml"
    if clouds.exists():
        found += [cloud["auth"]["password"] for cloud in yaml.safe_load(clouds.read_text())["clouds"].values()]
    assert all(len(value) >= 8 for value in found), "a secret is too short to be told from other text"
    return found


def private_keys() -> dict[str, str]:
    """One line of each private key that the run made, by what it is: one in which the secret is. OpenSSH writes what is public first."""
    found = {}
    for what, path in KEYS.items():
        if path.exists():
            head, *body = path.read_text().splitlines()
            found[what] = body[3 if "OPENSSH" in head else 1]
    return found
