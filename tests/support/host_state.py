"""What a host is like: packages, files, units, rules, settings, addresses, accounts. Read by plain commands over ssh, and compared.

The oracle of the teardown: it shares nothing with the roles, which never see it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

# Below these, every file with its mode, owner and content (or target).
TREES = ("/etc", "/usr/local", "/root", "/opt", "/var/lib", "/var/snap", "/snap", "/home", "/srv")

# What may differ, and why. Patterns match whole paths.
ALLOWED = {
    "the lab's own commands, bound in from outside": [r"/opt/lab(/.*)?"],
    "apt's lists and its notes of when it fetched them": [r"/var/lib/apt/(lists|periodic|mirrors)(/.*)?", r"/var/lib/apt/extended_states"],
    "dpkg's own bookkeeping; what it says is compared as packages": [r"/var/lib/dpkg(/.*)?"],
    "the linker's cache, made anew at each installation in another order": [r"/etc/ld\.so\.cache"],
    "backups that shadow's tools make of what they edit": [r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-", r"/etc/\.pwd\.lock"],
    "clocks and seeds of systemd": [r"/var/lib/systemd/(timers/.*|timesync/clock|random-seed|credential\.secret|timesync)"],
    "Ansible's own working directories": [r"/root/\.ansible(/.*)?"],
    "snapd's own state, which it keeps with or without snaps": [r"/var/lib/snapd(/.*)?", r"/var/snap", r"/snap", r"/snap/bin"],
    "the numbered backups that ucf keeps of its register": [r"/var/lib/ucf/(hashfile|registry)\.\d"],
}  # fmt: skip

# Where two builds of the same have files with other names, numbers and owners.
VOLATILE = [r"/var/lib/postgresql/.*", r"/var/lib/lxd/.*", r"/var/lib/systemd/.*", r"/etc/(rc\d|ssl/certs)\.?d?/.*"]

SCRIPT = r"""
import hashlib, json, os, pwd, stat, subprocess, sys

def out(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.stdout.splitlines()

def about(path):
    facts = os.lstat(path)
    kind = stat.S_IFMT(facts.st_mode)
    what = f"{stat.filemode(facts.st_mode)} {facts.st_uid}:{facts.st_gid}"
    if kind == stat.S_IFLNK:
        return f"{what} -> {os.readlink(path)}"
    if kind == stat.S_IFREG:
        with open(path, "rb") as stream:
            return f"{what} {hashlib.sha256(stream.read()).hexdigest()[:16]}"
    return what

files = {}
for top in TREES:
    for folder, folders, names in os.walk(top):
        for name in [*folders, *names]:
            path = os.path.join(folder, name)
            try:
                files[path] = about(path)
            except OSError:
                pass

addresses = {}
for link in json.loads("".join(out("ip", "-json", "address")) or "[]"):
    shown = [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])]
    addresses[link["ifname"]] = [link.get("operstate"), link.get("master"), sorted(shown)]

print(json.dumps({
    "packages": dict(line.split("\t") for line in out("dpkg-query", "-W", "-f=${Package}:${Architecture}\t${Version} ${db:Status-Status}\n")),
    "files": files,
    "unit files": dict(line.split()[:2] for line in out("systemctl", "list-unit-files", "--no-legend", "--no-pager") if " transient" not in line),
    "active units": {line.split()[0]: line.split()[3] for line in out("systemctl", "list-units", "--no-legend", "--plain", "--no-pager",
                     "--type=service,socket,timer,mount,path", "--state=active")},
    "failed units": {line.split()[0]: "" for line in out("systemctl", "list-units", "--no-legend", "--plain", "--no-pager", "--state=failed")},
    "nftables": {"ruleset": out("sh", "-c", "command -v nft >/dev/null && nft list ruleset")},
    "sysctl": dict(line.split(" = ", 1) for line in out("sysctl", "-a") if line.startswith(SETTINGS) and " = " in line),
    "addresses": addresses,
    "routes": {line.strip(): "" for line in out("ip", "route") + out("ip", "-6", "route")},
    "users": dict(line.split(":", 1) for line in out("getent", "passwd")),
    "groups": dict(line.split(":", 1) for line in out("getent", "group")),
}))
"""

# Settings that a role or a package may change; counters and what follows the links is left out.
SETTINGS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.", "net.ipv4.conf.default.", "net.ipv6.conf.all.", "net.ipv6.conf.default.", "net.bridge.",
            "kernel.keys.", "kernel.pid_max", "fs.inotify.", "vm.max_map_count", "kernel.dmesg_restrict")  # fmt: skip


def read(ssh: Callable[[str], str]) -> dict[str, dict]:
    """``ssh`` runs a program for Python (on its standard input) on the host and gives what it printed."""
    return json.loads(ssh(f"TREES = {TREES!r}\nSETTINGS = {SETTINGS!r}\n{SCRIPT}"))


def allowed(part: str, name: str) -> bool:
    return part == "files" and any(re.fullmatch(pattern, name) for patterns in ALLOWED.values() for pattern in patterns)


def shape(found: dict[str, dict]) -> dict[str, dict]:
    """What two builds of the same have alike: of files only that they are there, with which modes and owners."""
    files = {name: " ".join(about.split()[:2]) for name, about in found["files"].items() if not any(re.fullmatch(pattern, name) for pattern in VOLATILE)}
    return {**found, "files": files}


def differences(before: dict[str, dict], after: dict[str, dict]) -> list[str]:
    """One line for each thing that is not as it was."""
    found = []
    for part in before:
        for name in sorted(set(before[part]) | set(after[part])):
            was, now = before[part].get(name), after[part].get(name)
            if was != now and not allowed(part, name):
                found.append(f"{part}: {name}: {was or 'not there'} -> {now or 'gone' if was is not None else now}")
    return found
