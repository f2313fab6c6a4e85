"""`python -m lab up|down|status|serve|dump`: the lab as a command."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.paths import Paths, held, locked

# command -> the Debian package that brings it
NEEDED = {
    "mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nft": "nftables", "ip": "iproute2", "ssh": "openssh-client",
    "ssh-keygen": "openssh-client", "ipmi_sim": "openipmi", "ipmitool": "ipmitool", "unshare": "util-linux", "setpriv": "util-linux", "ss": "iproute2",
}  # fmt: skip


class Stop(Exception):
    """One clear sentence for the user."""


def say(text: str) -> None:
    print(text, flush=True)


def with_hosts() -> bool:
    return os.environ.get("LAB_HOSTS", "1") != "0"


# -- the daemon -------------------------------------------------------------------------------------------------------------
class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float):
        super().__init__("lab", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(paths: Paths, method: str, path: str, body: Any = None, timeout: float = 10) -> Any:
    """A request to the control face; None when nobody answers."""
    connection = _Connection(paths.control, timeout)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def daemon_pid(paths: Paths) -> int | None:
    """The process that holds the daemon's lock."""
    path = paths.run / "labd.lock"
    if not held(path):
        return None
    text = path.read_text().strip()
    return int(text) if text else None


def start_daemon(paths: Paths, hosts: bool) -> int:
    """Start the daemon unless it runs; returns its number as soon as it answers."""
    pid = daemon_pid(paths)
    if pid is None:
        for stale in (paths.control, paths.maas, paths.endpoints):
            stale.unlink(missing_ok=True)
        group = ""
        if hosts:
            from lab.hosts import cgroup

            place = cgroup.Group(f"{cgroup.LAB}/labd")
            place.kill()
            place.make()
            group = " ".join(str(file) for file in place.procs_files())
        argv = [sys.executable, "-m", "lab", "serve"]
        with (paths.log / "labd.log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", 'for procs in $CGROUPS; do echo $$ >"$procs" || exit 1; done; exec "$@"', "start", *argv],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=paths.checkout,
                env={**os.environ, "CGROUPS": group, "LAB_HOSTS": "1" if hosts else "0", "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        for _ in range(600):
            if process.poll() is not None:
                tail = "\n".join((paths.log / "labd.log").read_text(errors="replace").splitlines()[-15:])
                raise Stop(f"the lab's daemon ended at once ({paths.log}/labd.log):\n{tail}")
            if ask(paths, "GET", "/status", timeout=2):
                break
            time.sleep(0.1)
        else:
            stop_daemon(paths)
            raise Stop(f"the lab's daemon does not answer, see {paths.log}/labd.log")
        pid = process.pid
    elif os.environ.get("LAB_SPEED"):
        ask(paths, "POST", "/clock", {"speed": float(os.environ["LAB_SPEED"])})
    for _ in range(100):
        if paths.endpoints.exists():
            break
        time.sleep(0.1)
    return pid


def stop_daemon(paths: Paths) -> None:
    pid = daemon_pid(paths)
    if pid is None:
        return
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            # The lock is given up a moment before the process is gone.
            if daemon_pid(paths) is None and not alive(pid):
                return
            time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# -- up ---------------------------------------------------------------------------------------------------------------------
def install_packages() -> None:
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = sorted({package for command, package in NEEDED.items() if shutil.which(command) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise Stop(f"the lab needs these Debian packages: {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    script = "apt-get -qq update && apt-get -qq -y --no-install-recommends install " + " ".join(missing)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False)
    if result.returncode:
        raise Stop("apt could not install what the lab needs:\n" + "\n".join(result.stdout.splitlines()[-10:]))


def running_mode(paths: Paths) -> str | None:
    status = ask(paths, "GET", "/status") if daemon_pid(paths) else None
    return status["mode"] if status else None


def up(paths: Paths) -> int:
    hosts = with_hosts()
    if hosts and os.geteuid() != 0:
        raise Stop("The lab makes hosts and bridges on this machine and needs root. Without root, LAB_HOSTS=0 brings up its network faces alone.")
    paths.make()
    mode = running_mode(paths)
    if mode and mode != ("hosts" if hosts else "loopback"):
        raise Stop(f"The lab of this checkout is up in {mode} mode: take it down first (python -m lab down).")
    if len(str(paths.control)) > 100:
        raise Stop(f"The path of {paths.lab} is too long for a socket in it: use a shorter one (LAB_DIR=...).")
    with alone(paths):
        started = time.monotonic()
        (up_hosts if hosts else up_loopback)(paths)
        say(f"The lab is up ({time.monotonic() - started:.0f} s).")
    show(paths)
    return 0


def alone(paths: Paths) -> contextlib.AbstractContextManager[None]:
    """One `up` or `down` at a time; molecule's hosts take the lock while they build the same trees."""
    return locked(paths.lab / ".lock", lambda: say("waiting for another `up` or `down` of this checkout"))


def up_loopback(paths: Paths) -> None:
    start_daemon(paths, hosts=False)


def up_hosts(paths: Paths) -> None:
    install_packages()
    from lab.hosts import controller, network, tree
    from lab.hosts.nspawn import HostError

    try:
        other = network.owner()
        if other and other != str(paths.lab):
            theirs = Paths(Path(other))
            if at_work(theirs):
                raise Stop(
                    f"The lab of {Path(other).parent} is up on this machine, which has room for one with hosts: take it down there, or use LAB_HOSTS=0 here."
                )
            say(f"taking over what the lab in {other}, which runs no more, left behind")
            sweep(network, theirs)
        problem = network.conflict()
        if problem:
            raise Stop(problem)
        for leftover in paths.cache.glob("*.????????"):
            if leftover.is_dir() and not leftover.name.endswith(".stamp"):
                tree.remove(leftover)
        controller.make_key(paths)
        lowers = controller.lower_dirs(paths, say)
        if not controller.usable(paths, lowers):
            # World and hosts belong together: a new controller finds a new world.
            if paths.world.exists():
                say("the saved world has no controller made from these trees: a new one")
            new_world(paths)
        host = controller.prepare(paths, lowers)
        network.up(paths.lab, paths.forward)
        host.start()
        prepare_openstack(paths)
        start_daemon(paths, hosts=True)
        host.wait_ssh()
    except (network.NetworkError, tree.TreeError, HostError) as error:
        raise Stop(str(error)) from error


def new_world(paths: Paths) -> None:
    """Forget the saved world, and with it every host it had."""
    from lab.hosts import cgroup, tree

    stop_daemon(paths)
    cgroup.Group(cgroup.LAB).kill()
    for place in paths.hosts.iterdir():
        tree.remove(place)
    shutil.rmtree(paths.state, ignore_errors=True)
    for file in (paths.known_hosts, paths.endpoints):
        file.unlink(missing_ok=True)
    paths.make()


def prepare_openstack(paths: Paths) -> None:
    """The OpenStack services' tree, and their host under way (nobody waits for it here)."""
    from lab.hosts.openstack.effects import bring_up

    if os.environ.get("LAB_OPENSTACK") == "0":
        return
    bring_up(paths, say)


def at_work(paths: Paths) -> bool:
    """Whether a lab with hosts runs, or is on its way up or down; not so when its `up` was killed, or its directory is gone."""
    from lab.hosts import cgroup

    return held(paths.lab / ".lock") or bool(daemon_pid(paths) or cgroup.Group(cgroup.LAB).pids())


def sweep(network: Any, paths: Paths) -> None:
    """Whatever a lab with hosts leaves on the machine: its processes and its networks."""
    from lab.hosts import cgroup

    network.end_sessions()
    cgroup.Group(cgroup.LAB).kill()
    network.down(paths.forward)


# -- down -------------------------------------------------------------------------------------------------------------------
def down(paths: Paths) -> int:
    if not paths.lab.exists():
        say("There is no lab here.")
        return 0
    with alone(paths):
        return take_down(paths)


def take_down(paths: Paths) -> int:
    owned = owns_hosts(paths)
    if owned and os.geteuid() != 0:
        raise Stop("This lab has hosts: taking it down needs root, too.")
    stop_daemon(paths)
    if owned:
        from lab.hosts import network, tree

        sweep(network, paths)
        if paths.hosts.exists():
            for place in paths.hosts.iterdir():
                tree.remove(place)
    for directory in (paths.state, paths.run, paths.hosts, paths.lab / "out"):
        shutil.rmtree(directory, ignore_errors=True)
    for file in (paths.endpoints, paths.known_hosts):
        file.unlink(missing_ok=True)
    left = host_traces(paths, owned)
    pid = daemon_pid(paths)
    left += [f"process {pid} (labd)"] if pid else []
    left += [f"process {number}: {command}" for number, command in own_processes(paths)]
    left += [str(directory) for directory in (paths.state, paths.run, paths.hosts) if directory.exists()]
    if left:
        say("Left behind:\n" + "\n".join(f"  {what}" for what in left))
        return 1
    kept = [f".lab/{path.name}" for path in sorted(paths.lab.glob("[a-z]*"))]
    say(
        "The lab is down. Checked: no process, control group, bridge, interface, mount or nft table of it is left."
        + (f" Kept: {', '.join(kept)}." if kept else "")
    )
    return 0


def owns_hosts(paths: Paths) -> bool:
    """Whether hosts and networks of a lab on this machine are this lab's: the bridges say so, or without bridges, that it has had hosts."""
    if shutil.which("ip") is None:
        return False
    from lab.hosts import network

    other = network.owner()
    return other == str(paths.lab) or (other is None and paths.hosts.exists() and any(paths.hosts.iterdir()))


def host_traces(paths: Paths, owned: bool) -> list[str]:
    """What this lab has on the machine outside its directory; ``owned``: networks and control groups are its own."""
    left = []
    if owned:
        from lab.hosts import cgroup, network

        left += network.traces()
        if cgroup.unified():
            group = cgroup.Group(cgroup.LAB)
            left += [f"{len(pids)} processes in control group {cgroup.LAB}"] if (pids := group.pids()) else []
            left += [f"control group {place}" for place in (group.path, group.old) if place and place.is_dir()]
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split(" ")[4]
        if point.startswith(f"{paths.lab}/") and not point.startswith(f"{paths.molecule}/"):
            left.append(f"mount {point}")
    return left


def own_processes(paths: Paths) -> list[tuple[int, str]]:
    """Processes whose command line names this lab's directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(f"{directory}/" in command for directory in (paths.hosts, paths.run, paths.state)):
            found.append((int(entry.name), command[:120]))
    return found


# -- status -----------------------------------------------------------------------------------------------------------------
def show(paths: Paths) -> None:
    """Where everything is."""
    endpoints = json.loads(paths.endpoints.read_text())
    rows = (
        [("controller", f"ssh -i {short(paths.key)} -o UserKnownHostsFile={short(paths.known_hosts)} root@198.51.100.2")]
        if endpoints["mode"] == "hosts"
        else []
    )
    rows.append(("MAAS", endpoints["maas"]["url"] or "not yet (the roles install it)"))
    rows.append(
        ("Juju", ", ".join(endpoints["juju"]["endpoint"]) if isinstance(endpoints["juju"]["endpoint"], list) else endpoints["juju"]["endpoint"] or "not yet")
    )
    rows.append(("Vault", endpoints["vault"].get("url") or "not yet"))
    rows.append(("OpenStack", endpoints["openstack"].get("auth_url") or "not yet"))
    rows.append(("BMCs", ", ".join(f"{bmc['machine']} {bmc['host']}:{bmc['port']}" for bmc in endpoints["bmc"]) or "none (no ipmi_sim here)"))
    rows.append(("control", short(paths.control)))
    rows.append(("logs", short(paths.log)))
    rows.append(("addresses", short(paths.endpoints)))
    for name, text in rows:
        say(f"  {name:<11} {text}")


def short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def status(paths: Paths) -> int:
    found = ask(paths, "GET", "/status") if daemon_pid(paths) else None
    if not found:
        left = host_traces(paths, owns_hosts(paths))
        say("The lab is down." + (" Left behind: " + "; ".join(left) if left else ""))
        return 3
    clock = found["clock"]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(clock["now"]))
    say(f"The lab is up: {found['mode']}, network {found['network']}, daemon {found['pid']}, for {(time.time() - found['started']) / 60:.0f} min.")
    say(f"  clock       {when} (virtual), speed {clock['speed']:g}, {clock['queue']} things to come")
    show(paths)
    if found["endpoints"]["hosts"]:
        from lab.hosts import cgroup

        say("\n  host         address          state")
        for host in found["endpoints"]["hosts"]:
            state = "running" if cgroup.Group(f"{cgroup.LAB}/{host['name']}").pids() else "stopped"
            say(f"  {host['name']:<12} {host['address']:<16} {state}")
    say("\n  rack         power")
    for machine in found["rack"]:
        say(f"  {machine['hostname']:<12} {machine['power']}")
    if found["machines"]:
        say("\n  machine      system id  status           power    address")
        for machine in found["machines"]:
            state = machine["status_name"]
            say(f"  {machine['hostname']:<12} {machine['system_id']:<10} {state:<16} {machine['power_state'] or '-':<8} {machine['ip'] or '-'}")
    return 0


def dump(paths: Paths) -> int:
    world = ask(paths, "GET", "/world", timeout=60)
    if world is None:
        raise Stop("The lab is down.")
    json.dump(world, sys.stdout, indent=1)
    return 0


def serve(_paths: Paths) -> int:
    from lab import daemon

    return daemon.main(with_hosts())


def main() -> int:
    commands: dict[str, Callable[[Paths], int]] = {"up": up, "down": down, "status": status, "serve": serve, "dump": dump}
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("command", choices=commands)
    options = parser.parse_args()
    try:
        return commands[options.command](Paths())
    except Stop as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
