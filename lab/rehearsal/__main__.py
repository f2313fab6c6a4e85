"""`python -m lab.rehearsal INVENTORY`: what is wrong with an inventory, and how long its cloud would take.

All of it happens in a network of its own: the inventory is copied and read, and a lab on loopback gets a rack made of it, where every address of the
operator's private network is this machine's. So the inventory's own addresses are used, and nothing outside is touched or asked, by a script or a plugin
of the inventory neither. No secret is needed: stand-ins take their place.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lab.__main__ import Stop, ask, daemon_pid, say, start_daemon, stop_daemon
from lab.engine import DATA
from lab.paths import CHECKOUT, Paths
from lab.rehearsal.inventory import STAND_IN, Copy, elsewhere, rack
from lab.rehearsal.record import record

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhi3dBPbIVmMCm1F4a0ZWrQyKkTnIhqSCYDRY2vuc0X rehearsal"
PROFILE = yaml.safe_load((DATA / "profiles/thesis.yml").read_text())
TIMES = {
    "controller": sum(PROFILE[name] for name in ("snap_install_maas", "maas_init", "maas_http_ready", "maas_rack_ready")),
    "juju_client": PROFILE["snap_install_juju"],
    "bootstrap": PROFILE["juju_bootstrap"],
}
# The marks between which the phases lie.
MARKS = ("controller", "network", "machines", "orchestrator", "cloud", "end")
# Real seconds between two lines that say how far it is.
PATIENCE = 15


def ansible() -> dict[str, str]:
    """The environment in which the checkout's Ansible runs."""
    return {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}


def listed(place: Path, extra: Path) -> dict[str, Any]:
    """The inventory as Ansible reads it, values filled in."""
    argv = [str(BIN / "ansible-inventory"), "-i", str(place), "--list", "-e", f"@{extra}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=ansible(), cwd=CHECKOUT)
    if done.returncode:
        raise Stop(f"Ansible cannot read the inventory:\n{done.stderr.strip()}")
    unread = re.findall(rf"\bparse\b[^/]*{re.escape(str(place))}/([^\s'\":]+)", " ".join(done.stderr.split()))
    if unread:
        names = ", ".join(dict.fromkeys(unread))
        say(f"Note: not read, as if it were not there: {names}. What asks MAAS or another service for hosts has no network in a rehearsal.")
    return json.loads(done.stdout)


def resolved(value: Any, variables: dict[str, Any]) -> Any:
    """A value with the templates filled in that are no more than the name of a variable; ansible-inventory leaves them as they are."""
    if isinstance(value, dict):
        return {key: resolved(inner, variables) for key, inner in value.items()}
    name = re.fullmatch(r"{{\s*(\w+)\s*}}", value) if isinstance(value, str) else None
    return resolved(variables.get(name[1], STAND_IN), variables) if name and variables.get(name[1]) != value else value


def prepare(source: Path, place: Path) -> dict[str, Any]:
    """Copy the inventory, make the rack, and write what the run needs; returns what is to be told of it."""
    copy = Copy(source, place / "inventory").make()
    extra = {**copy.stand_ins(), "stratus_state_dir": str(place / "out"), "stratus_api_host": "localhost"}
    (place / "extra.json").write_text(json.dumps(extra))
    found = listed(place / "inventory", place / "extra.json")
    hosts = found["_meta"]["hostvars"]
    controllers = found.get("controller", {}).get("hosts") or []
    if len(controllers) != 1:
        raise Stop(f"The inventory has {len(controllers)} hosts in the group controller; one is needed.")
    variables = {name: resolved(value, hosts[controllers[0]]) for name, value in hosts[controllers[0]].items()}
    try:
        network = ipaddress.ip_network(variables.get("maas_subnet_cidr", ""))
    except ValueError as error:
        raise Stop(f"maas_subnet_cidr cannot be used: {error}. Nothing else can be tried before it is one network, as 10.42.0.0/16.") from None
    machines = [name for group in ("compute", "spare") for name in found.get(group, {}).get("hosts") or []]
    for name in machines:
        hosts[name]["bmc"] = resolved(hosts[name].get("bmc") or {}, hosts[name])
    made = rack(hosts, machines, variables)
    (place / "rack.yml").write_text(yaml.safe_dump(made, sort_keys=False))
    address = made["controller"]["nics"][0]["address"].partition("/")[0]
    url = urlsplit(str(variables.get("maas_url", "")))
    extra.update(
        ansible_connection="local",
        ansible_become=False,
        ansible_python_interpreter=sys.executable,
        rehearsal_dir=str(place),
        rehearsal_times=TIMES,
        rehearsal_powered=[row["hostname"] for row in made["machines"] if row.get("bmc")],
        rehearsal_has_bmcs=shutil.which("ipmi_sim") is not None,
        juju_cloud_name="maas-one",
        juju_credential_name="admin",
        juju_model_authorized_keys=[KEY],
        openstack_bundle_wait_interval=0.3,
    )
    notes = []
    if (url.hostname, url.port, url.scheme) != (address, 5240, "http"):
        extra["maas_url"] = f"http://{address}:5240/MAAS"
        notes.append(f"maas_url {variables.get('maas_url')} is answered by the lab at {extra['maas_url']}")
    if not shutil.which("ipmi_sim"):
        notes.append("no ipmi_sim on this machine (Debian's package openipmi): the BMCs' passwords were not tried")
    (place / "extra.json").write_text(json.dumps(extra))
    told = {"network": str(network), "machines": len(machines), "bundle": variables.get("openstack_bundle_file"), "variables": variables}
    return {"open": copy.open, "vaulted": copy.vaulted, "notes": notes, **told}


class Watch:
    """Whether that has happened until which time is to pass: ``until-vault`` (Vault asks to be opened), ``until-keystone`` (its units have certificates)."""

    def __init__(self) -> None:
        self.asked = False
        self.keystone: set[str] = set()
        self.certified: set[str] = set()

    def take(self, entry: dict[str, Any]) -> None:
        unit = entry.get("unit", "")
        if entry["kind"] == "juju.status" and unit.startswith("vault/") and entry["status"] == "blocked" and "init" in entry["message"]:
            self.asked = True
        if entry["kind"] == "juju.step" and unit.startswith("keystone/"):
            self.keystone.add(unit)
            if entry["step"].startswith("changed:certificates:"):
                self.certified.add(unit)

    def over(self, wanted: str) -> bool:
        return self.asked if wanted == "until-vault" else bool(self.keystone) and self.keystone == self.certified


def drive(paths: Paths, mode: Path, stop: threading.Event) -> None:
    """Let the lab's time pass only while the playbook waits: from one thing that happens to the next, however slow this machine is.

    The playbook writes into ``mode`` what it does: ``run`` while it waits for the end, ``until-...`` while it waits for what ``Watch`` knows.
    """
    watch = Watch()
    while not stop.wait(0.02):
        wanted = mode.read_text().strip() if mode.exists() else "stand"
        if wanted not in ("run", "until-vault", "until-keystone"):
            stop.wait(0.2)
            continue
        for entry in (ask(paths, "POST", "/clock", {"next": True}) or {}).get("log") or []:
            watch.take(entry)
        if wanted != "run" and watch.over(wanted):
            mode.write_text("stand")


def news(marks: dict[str, float], log: list[dict[str, Any]]) -> str:
    """One line: how late it is on the lab's clock, the phase, and how far machines and units are. Empty before the first phase."""
    reached = [name for name in MARKS if name in marks]
    if not reached or reached[-1] == "end":
        return ""
    now = max([marks[reached[-1]], *(entry["at"] for entry in log[-1:])])
    units = {entry["unit"]: entry["status"] for entry in log if entry["kind"] == "juju.status"}
    machines = {entry["machine"]: entry["status"] for entry in log if entry["kind"] == "status"}
    parts = [f"{clock(now - marks['controller']):>9}  {reached[-1]}"]
    if machines:
        parts.append(f"{sum(status in ('Ready', 'Deployed') for status in machines.values())} of {len(machines)} machines ready or deployed")
    if units:
        parts.append(f"{sum(status == 'active' for status in units.values())} of {len(units)} units active")
    return ", ".join(parts)


def announce(paths: Paths, place: Path, stop: threading.Event) -> None:
    """Say how far the rehearsal is: when a phase begins, and now and then in between."""
    log: list[dict[str, Any]] = []
    phase, said, last = None, time.monotonic(), ""
    while not stop.wait(1):
        if not (place / "marks.json").exists():
            continue
        marks = json.loads((place / "marks.json").read_text())
        reached = [name for name in MARKS if name in marks]
        # The newest entry comes twice; states are the same however often they are told.
        log += ask(paths, "GET", f"/log?since={log[-1]['at'] if log else 0}") or []
        line = news(marks, log)
        if line and line != last and (reached[-1] != phase or time.monotonic() - said > PATIENCE):
            say(line)
            phase, said, last = reached[-1], time.monotonic(), line


def run(place: Path) -> int:
    """The lab, and the playbook on it."""
    made = yaml.safe_load((place / "rack.yml").read_text())
    for argv in (["link", "set", "lo", "up"], *(["route", "add", "local", where, "dev", "lo"] for where in (made["network"], *elsewhere(made)))):
        subprocess.run(["ip", *argv], check=True)
    paths = Paths(place / "lab").make()
    os.environ.update(LAB_DIR=str(paths.lab), LAB_RACK=str(place / "rack.yml"), LAB_NETWORK=made["network"], LAB_SPEED="0.001", LAB_HOSTS="0")
    try:
        start_daemon(paths, hosts=False)
        endpoints = json.loads(paths.endpoints.read_text())
        extra = json.loads((place / "extra.json").read_text())
        extra.update(
            rehearsal_socket=str(paths.control),
            maas_api_key=endpoints["maas"]["api_key"],
            juju_connection={key: endpoints["juju"][key] for key in ("endpoint", "username", "password", "ca_cert")},
        )
        (place / "extra.json").write_text(json.dumps(extra))
        (place / "extra.json").chmod(0o600)
        argv = playbook(place, HERE / "play.yml")
        stop = threading.Event()
        threads = [threading.Thread(target=drive, args=(paths, place / "mode", stop)), threading.Thread(target=announce, args=(paths, place, stop))]
        for thread in threads:
            thread.daemon = True
            thread.start()
        with (place / "play.log").open("w") as log:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=CHECKOUT, env=ansible(), check=False)
        stop.set()
        for thread in threads:
            thread.join(10)
        world = ask(paths, "GET", "/log", timeout=60) or []
        (place / "log.json").write_text(json.dumps(world))
        return done.returncode
    finally:
        stop_daemon(paths)
        if daemon_pid(paths):
            say("The rehearsal's lab did not stop.")


def playbook(place: Path, path: Path) -> list[str]:
    """The command that runs a playbook with the copy of the inventory."""
    return [str(BIN / "ansible-playbook"), "-i", str(place / "inventory"), str(path), "-e", f"@{place / 'extra.json'}"]


def report(place: Path, about: dict[str, Any], times: dict[str, float], start: float, log: list[dict[str, Any]], finished: bool) -> Path | None:
    """Write the run's record and have playbooks/report.yml make a page of it; its path, or None with the reason said.

    They are put below ``build`` of the checkout, or where ``REHEARSAL_REPORT`` (a path that ends in .html) says.
    """
    page = Path(os.environ.get("REHEARSAL_REPORT") or CHECKOUT / f"build/rehearsal/{about['name']}.html").absolute()
    page.parent.mkdir(parents=True, exist_ok=True)
    found = record(times, start, log, about["variables"], finished, f"{about['name']}, a rehearsal")
    text = json.dumps(found, indent=1) + "\n"
    page.with_suffix(".json").write_text(text)
    (place / "out/runs").mkdir(parents=True, exist_ok=True)
    (place / "out/runs/0.json").write_text(text)
    extra = {"report_run": "0.json", "report_compare": "none", "report_file": str(page)}
    argv = [*playbook(place, CHECKOUT / "playbooks/report.yml"), "-e", json.dumps(extra)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=CHECKOUT, env=ansible(), check=False)
    if done.returncode:
        say(f"No report could be written: {(done.stdout + done.stderr)[-500:]}")
        return None
    return page


def clock(seconds: float) -> str:
    return f"{int(seconds + 0.5) // 3600}:{int(seconds + 0.5) // 60 % 60:02d}:{int(seconds + 0.5) % 60:02d}"


def predicted(marks: dict[str, float], log: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of each phase on the lab's clock. The cloud is done with its last change of state, not when somebody looked."""
    last = [entry["at"] for entry in log if entry["kind"] == "juju.status" and entry["at"] >= marks.get("cloud", 0)]
    ends = {**marks, "end": max(last)} if last and "end" in marks else marks
    return {phase: ends[end] - ends[phase] for phase, end in itertools.pairwise(MARKS) if phase in ends and end in ends}


def tell(place: Path, about: dict[str, Any], code: int) -> int:
    """Print what came out; 0 when nothing but placeholders is left to do."""
    problems = json.loads((place / "problems.json").read_text()) if (place / "problems.json").exists() else None
    marks = json.loads((place / "marks.json").read_text()) if (place / "marks.json").exists() else {}
    log = json.loads((place / "log.json").read_text()) if (place / "log.json").exists() else []
    times = predicted(marks, log) if log else {}
    for note in about["notes"]:
        say(f"Note: {note}.")
    if about["vaulted"]:
        say(f"Vaulted, and not needed here: {', '.join(about['vaulted'])}.")
    if about["open"]:
        say(f"Still to fill in ({len(about['open'])}; the rehearsal used stand-ins):")
        for entry in dict.fromkeys(about["open"]):
            say(f"  {entry}")
    for number, entry in enumerate(problems or [], 1):
        say(f"{number:3}. {entry['variable']} = {entry['value']}\n     {entry['problem']}\n     -> {entry['remedy']}  (check: {entry['check']})")
    if times:
        say("\nPredicted, by the lab's times of a rack like the thesis' (Ansible's own work, some minutes, comes on top):")
        for phase, seconds in times.items():
            say(f"  {phase:<13} {clock(seconds) if seconds >= 1 else 'meanwhile':>9}")
        say(f"  {'total':<13} {clock(sum(times.values())):>9}")
        if page := report(place, about, times, marks["controller"], log, not code):
            say(f"\nReport   {page}")
    result = {"problems": problems, "open": about["open"], "phases": times, "total": sum(times.values()), "complete": "cloud" in times}
    if problems:
        say(f"\n{len(problems)} problem{'s' if len(problems) > 1 else ''}: correct them and rehearse again.")
    elif code:
        output = place / "play.log"
        text = output.read_text() if output.exists() else "the lab did not start; what it said is above"
        fault = text[text.rfind("fatal:") :].split("PLAY RECAP")[0] if "fatal:" in text else text[-3000:]
        say(f"\nThe rehearsal stopped. What MAAS, Juju or a role said:\n{fault.strip()}\n")
    else:
        say(f"\nThe rehearsal went through: {about['machines']} machines, {about['bundle']}, network {about['network']}.")
    if where := os.environ.get("REHEARSAL_RESULT"):
        Path(where).write_text(json.dumps(result, indent=1) + "\n")
    return 1 if problems or code else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.rehearsal", description="Run an inventory against a lab that is made of it.")
    parser.add_argument("inventory", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inventory.exists():
        raise Stop(f"There is no inventory {options.inventory}.")
    if options.inside:
        return inside(options.inventory.resolve())
    if shutil.which("unshare") is None:
        raise Stop("A rehearsal needs unshare (Debian's package util-linux), for a network of its own.")
    # Before anything of the inventory is read: a script or a plugin in it would ask the operator's network.
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.execvp(alone[0], [*alone, sys.executable, "-m", "lab.rehearsal", "--inside", str(options.inventory)])


def inside(inventory: Path) -> int:
    """In the network of its own: the whole rehearsal."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        place = Path(folder)
        about = {**prepare(inventory, place), "name": inventory.stem}
        say(f"Rehearsing {inventory} on a rack made of it ({about['machines']} machines, network {about['network']}); some minutes.")
        return tell(place, about, run(place))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop as stop:
        sys.exit(str(stop))
