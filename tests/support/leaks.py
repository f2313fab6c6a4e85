"""Where the secrets of a run may be seen: in arguments of processes, in files, in what was printed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.support.site import KEYS, on_controller, private_keys, secrets, world

# Runs on the controller. Files that anybody may read, outside of what the operating system brings, and what the journal kept.
SEARCH = """
import json, os, subprocess
found = []
for top in ("/etc", "/var", "/root", "/home", "/tmp", "/opt", "/srv", "/run", "/snap"):
    for folder, below, names in os.walk(top):
        # Whoever may not pass a directory reads nothing in it.
        if not os.stat(folder).st_mode & 0o001:
            below.clear()
            continue
        below[:] = [name for name in below if not os.path.islink(os.path.join(folder, name))]
        for name in names:
            path = os.path.join(folder, name)
            try:
                state = os.lstat(path)
                if not os.path.isfile(path) or os.path.islink(path) or not state.st_mode & 0o004 or state.st_size > 20_000_000:
                    continue
                with open(path, "rb") as stream:
                    content = stream.read()
            except OSError:
                continue
            found += [[path, number] for number, secret in enumerate(SECRETS) if secret.encode() in content]
journal = subprocess.run(["journalctl", "--no-pager", "--output", "cat"], capture_output=True, text=True, errors="replace").stdout
found += [["the journal", number] for number, secret in enumerate(SECRETS) if secret in journal]
print(json.dumps(found))
"""


class Arguments(threading.Thread):
    """The arguments of all processes of this machine and of the hosts on it, looked at many times a second, from ``start`` to ``end``."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.1):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        self.seen.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                    except OSError:
                        continue

    def end(self) -> set[str]:
        self._over.set()
        self.join()
        return self.seen


def of_a_run() -> dict[str, str]:
    """The secrets of a cloud that stands, by what they are: its inventory's, Vault's, MAAS's keys, Juju's passwords, the access, private keys."""
    found = {f"a secret of the inventory, of Vault or of the access ({number})": secret for number, secret in enumerate(secrets())}
    found |= private_keys()
    for token in world()["maas"]["tokens"]:
        found[f"the API key of {token['username']}"] = token["secret"]
    accounts = yaml.safe_load(on_controller("import glob\nfor path in glob.glob('/root/.local/share/juju/accounts.yaml'): print(open(path).read())"))
    for name, account in ((accounts or {}).get("controllers") or {}).items():
        found[f"Juju's password of {account['user']} on {name}"] = account["password"]
    assert len(found) > 5
    return found


def among(known: dict[str, str], where: str, texts: Iterable[str]) -> list[str]:
    """One line for each secret that is in one of the texts."""
    texts = list(texts)
    return [f"{what} is in {where}: {_near(text, secret)}" for what, secret in known.items() for text in texts if secret in text]


def _near(text: str, secret: str) -> str:
    place = text.index(secret)
    return text[max(0, place - 100) : place].strip() + "***"


def in_files(known: dict[str, str], top: Path, meant: Iterable[str], since: float = 0) -> list[str]:
    """Secrets in files below ``top`` that were written since then, but for those of the names ``meant``, which nobody else may read."""
    found = []
    for path in (path for path in top.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since):
        there = [what for what, secret in known.items() if secret.encode() in path.read_bytes()]
        if path.name not in meant and path not in KEYS.values():
            found += [f"{what} is in {path}" for what in there]
        elif there and path.stat().st_mode & 0o077:
            found.append(f"{path} may be read by others")
    return found


def on_the_controller(known: dict[str, str]) -> list[str]:
    """Secrets in the controller's files that anybody may read, and in its journal."""
    names = list(known)
    hits = json.loads(on_controller(f"SECRETS = {[known[name] for name in names]!r}\n{SEARCH}"))
    return [f"{names[number]} is in {where} on the controller" for where, number in hits]


def of_ansible(known: dict[str, str], since: float) -> list[str]:
    """Secrets in what a run that began then leaves behind on this machine (facts that Ansible keeps, modules that it did not remove).

    Runs that were killed have left modules there, for their user alone: other tests do that.
    """
    return in_files(known, Path.home() / ".ansible", (), since) if (Path.home() / ".ansible").is_dir() else []
