"""Base trees of the hosts: Debian packages in a directory under ``.lab/cache``, built once and shared by overlays.

A tree is named after what it holds and carries a stamp of its ingredients: other ingredients, another build. What belongs to this machine (apt
sources, certificates, pip's configuration) goes into the tree, never into the repository.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

SUITE = "bookworm"

# What an Ubuntu server has from the start, in Debian's names; whatever a role should install stays out.
BASE_PACKAGES = [
    "systemd", "systemd-sysv", "systemd-timesyncd", "dbus", "libpam-systemd", "udev", "openssh-server", "openssh-client", "python3", "python3-apt",
    "python3-yaml", "sudo", "iproute2", "iputils-ping", "netplan.io", "procps", "kmod", "ca-certificates", "curl", "gnupg", "openssl", "acl", "less",
    "tzdata", "netbase", "bash-completion", "xz-utils", "apt-utils",
]  # fmt: skip

# The kernel.*, fs.* and vm.* settings of a guest are the machine's own: the distribution's defaults must not be applied a second time.
MASKED_SYSCTL = ["50-default.conf", "50-pid-max.conf", "99-protect-links.conf"]


class TreeError(Exception):
    """A base tree could not be built."""


def apt_sources(root: Path = Path("/")) -> str:
    """This machine's own apt sources of the suite, as deb822 text; empty when it has none (another distribution)."""
    stanzas = []
    for file in sorted((root / "etc/apt/sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            lines = [line for line in stanza.splitlines() if line.strip() and not line.startswith("#")]
            fields = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].split() for line in lines if re.match(r"[A-Za-z-]+:", line)}
            if any(suite.split("-")[0] == SUITE for suite in fields.get("suites", [])) and fields.get("enabled", ["yes"]) != ["no"]:
                stanzas.append("\n".join(lines))
    files = [root / "etc/apt/sources.list", *sorted((root / "etc/apt/sources.list.d").glob("*.list"))]
    for file in files:
        if not file.exists():
            continue
        for line in file.read_text().splitlines():
            match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*(?:#.*)?$", line)
            if not match or match[3].split("-")[0].split("/")[0] != SUITE:
                continue
            text = f"Types: deb\nURIs: {match[2]}\nSuites: {match[3]}\nComponents: {match[4]}"
            for option in (match[1] or "").split():
                key, value = option.split("=", 1)
                text += f"\n{ {'signed-by': 'Signed-By', 'arch': 'Architectures', 'trusted': 'Trusted'}.get(key.lower(), key) }: {value}"
            stanzas.append(text)
    return "\n\n".join(stanzas) + "\n" if stanzas else ""


def apt_settings() -> str:
    """How this machine's apt fetches (proxies, checks), as a configuration file."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=False).stdout
    keep = [line for line in dump.splitlines() if re.match(r"Acquire::[A-Za-z:/_.-]+ \"[^\"]+\";$", line) and "IndexTargets" not in line]
    keep = [line for line in keep if "::CompressionTypes" not in line and "::Languages" not in line]
    return "\n".join(keep) + "\n"


def stamp(path: Path) -> Path:
    return path.with_name(path.name + ".stamp")


def is_built(path: Path, ingredients: object) -> bool:
    mark = stamp(path)
    return path.is_dir() and mark.exists() and mark.read_text().strip() == digest(ingredients)


def digest(ingredients: object) -> str:
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()[:32]


def remove(path: Path) -> None:
    """Remove a tree; never through a mount."""
    if path.is_dir():
        subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True)


def machine_files(tree: Path) -> None:
    """Give a tree what this machine uses to reach packages: sources, settings, certificates, pip's configuration."""
    sources = apt_sources()
    if sources:
        for old in [tree / "etc/apt/sources.list", *(tree / "etc/apt/sources.list.d").glob("*")]:
            old.unlink(missing_ok=True)
        (tree / "etc/apt/sources.list.d/machine.sources").write_text(sources)
        for key in re.findall(r"(?m)^Signed-By:\s*(/\S+)", sources):
            if Path(key).exists() and not (tree / key.lstrip("/")).exists():
                (tree / key.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(key, tree / key.lstrip("/"))
    (tree / "etc/apt/apt.conf.d/90machine").write_text(apt_settings())
    for source in ("etc/apt/auth.conf.d", "etc/apt/keyrings", "usr/local/share/ca-certificates"):
        if (Path("/") / source).is_dir():
            shutil.copytree(Path("/") / source, tree / source, dirs_exist_ok=True)
    for source in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"):
        if source.exists():
            shutil.copy(source, tree / "etc/pip.conf")
            break


def finish(tree: Path) -> None:
    """What every tree needs at the end of its build, whatever was installed."""
    for name in ("var/lib/apt/lists", "var/cache/apt/archives"):
        subprocess.run(["find", str(tree / name), "-type", "f", "-delete"], check=False)
    # Fresh but empty lists would make the apt module believe in its cache_valid_time.
    for name in ("var/lib/apt/lists", "var/lib/apt/periodic/update-success-stamp"):
        if (tree / name).exists():
            os.utime(tree / name, (946684800, 946684800))
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (tree / "etc/machine-id").write_text("uninitialized\n")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (tree / "usr/sbin/policy-rc.d").unlink(missing_ok=True)


def build_base(path: Path, packages: Iterable[str] = (), log: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """The tree at ``path``: a Debian with systemd and sshd and ``packages``. Built when absent or made of other ingredients."""
    include = sorted({*BASE_PACKAGES, *packages})
    ingredients = ["base", 3, SUITE, include]
    if is_built(path, ingredients):
        return path
    say(f"building the base tree {path.name} ({len(include)} packages and what they need)")
    started = time.monotonic()
    stamp(path).unlink(missing_ok=True)
    remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
    work.chmod(0o755)
    tree = work / "tree"
    try:
        # In a mount namespace of its own: whoever kills the build leaves no mount of it.
        argv = ["unshare", "--mount", "--fork", "--kill-child", "--propagation", "private"]
        argv += ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(include)}", "--dpkgopt=path-exclude=/usr/share/man/*"]
        argv += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=force-unsafe-io"]
        settings = work / "apt.conf"
        settings.write_text(apt_settings())
        argv += [f"--aptopt={settings}", SUITE, str(tree)]
        sources = apt_sources()
        if sources:
            (work / "machine.sources").write_text(sources)
            argv.append(str(work / "machine.sources"))
        call(argv, log)
        machine_files(tree)
        for name in MASKED_SYSCTL:
            (tree / "etc/sysctl.d" / name).unlink(missing_ok=True)
            (tree / "etc/sysctl.d" / name).symlink_to("/dev/null")
        call(["chroot", str(tree), "update-ca-certificates"], log)
        call(["chroot", str(tree), "useradd", "--create-home", "--shell", "/bin/bash", "--groups", "sudo,adm", "ubuntu"], log)
        (tree / "etc/sudoers.d/90-cloud-init-users").write_text("ubuntu ALL=(ALL) NOPASSWD:ALL\n")
        (tree / "etc/sudoers.d/90-cloud-init-users").chmod(0o440)
        call(["chroot", str(tree), "systemctl", "enable", "systemd-networkd.service", "ssh.service"], log)
        # Nothing here has a console, and waiting for all links to be online only delays the boot.
        call(["chroot", str(tree), "systemctl", "mask", "console-getty.service", "systemd-networkd-wait-online.service", "getty.target"], log)
        finish(tree)
        tree.rename(path)
        stamp(path).write_text(digest(ingredients) + "\n")
    finally:
        remove(work)
    say(f"built {path.name} in {time.monotonic() - started:.0f} s")
    return path


def build_layer(
    path: Path,
    lower: list[Path],
    packages: Iterable[str] = (),
    script: str = "",
    log: Path | None = None,
    say: Callable[[str], None] = print,
    version: object = 1,
) -> Path:
    """A tree at ``path`` that only makes sense over ``lower`` (topmost first): what installing ``packages`` and running ``script`` there writes.

    Services are not started (policy-rc.d). ``script`` runs under ``sh -eu`` as root in the tree, after the packages. Use the result as the topmost
    of a host's lower directories: ``Host(..., lower_dirs=[layer, *lower])``.
    """
    packages = list(packages)
    ingredients = ["layer", version, [stamp(tree).read_text().strip() for tree in lower], packages, script]
    if is_built(path, ingredients):
        return path
    say(f"building the tree {path.name}")
    started = time.monotonic()
    stamp(path).unlink(missing_ok=True)
    remove(path)
    work = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
    work.chmod(0o755)
    try:
        for name in ("upper", "work", "merged"):
            (work / name).mkdir()
        text = "set -eu\nexport DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8\nprintf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n"
        text += "chmod 755 /usr/sbin/policy-rc.d\n"
        if packages:
            text += "apt-get -q update\napt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install " + " ".join(packages) + "\n"
        inner = text + script + "\nrm -f /usr/sbin/policy-rc.d\n"
        lowers = ":".join(str(tree) for tree in lower)
        outer = f"""set -eu
mount -t overlay overlay -o 'lowerdir={lowers},upperdir={work}/upper,workdir={work}/work' '{work}/merged'
mount -t proc proc '{work}/merged/proc'
mount --rbind /sys '{work}/merged/sys'
mount --rbind /dev '{work}/merged/dev'
mount -t tmpfs tmpfs '{work}/merged/run'
mount -t tmpfs tmpfs '{work}/merged/tmp'
touch '{work}/merged/run/resolv.conf'; [ -L '{work}/merged/etc/resolv.conf' ] || cat /etc/resolv.conf > '{work}/merged/etc/resolv.conf'
exec chroot '{work}/merged' /bin/sh -c "$LAYER_SCRIPT"
"""
        environment = {"LAYER_SCRIPT": inner, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        # Its own mounts and processes: both are gone with it, however it ends.
        call(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-c", outer], log, environment)
        upper = work / "upper"
        for name in ("var/lib/apt/lists", "var/cache/apt/archives"):
            if (upper / name).is_dir():
                subprocess.run(["find", str(upper / name), "-type", "f", "-delete"], check=False)
        if (upper / "var/lib/apt/lists").is_dir():
            os.utime(upper / "var/lib/apt/lists", (946684800, 946684800))
        upper.rename(path)
        stamp(path).write_text(digest(ingredients) + "\n")
    finally:
        remove(work)
    say(f"built {path.name} in {time.monotonic() - started:.0f} s")
    return path


def call(argv: list[str], log: Path | None = None, environment: dict[str, str] | None = None) -> None:
    """Run a command with its output in ``log``; a failure shows the output's end."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                            env=environment, check=False)  # fmt: skip
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as stream:
            stream.write(f"$ {' '.join(argv)[:400]}\n{result.stdout}\n")
    if result.returncode:
        tail = "\n".join(result.stdout.strip().splitlines()[-15:])
        raise TreeError(f"{argv[0]} failed with exit code {result.returncode}:\n{tail}")
