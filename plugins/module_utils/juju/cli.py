# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The juju command and the files of its client: for what no library does (bootstrap, the client's clouds and credentials)."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import ssl

from ansible_collections.stratus.cloud.plugins.module_utils import run_lock
from ansible_collections.stratus.cloud.plugins.module_utils.juju import yamls
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault

OPTIONS = {
    "juju_command": {"type": "str", "default": "juju"},
    "juju_data": {"type": "path"},
}

# Under the client's directory, which the confined command can read: what a command is given and nobody else may see. The role juju removes it by this name.
PRIVATE = "stratus-private"


def data_directory(given=None):
    return os.path.expanduser(given or os.environ.get("JUJU_DATA") or "~/.local/share/juju")


def store(directory, name):
    """One of the client's files as a dictionary; empty when there is none."""
    try:
        with open(os.path.join(directory, f"{name}.yaml"), encoding="utf-8") as stream:
            return yamls.load(stream) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yamls.Malformed) as error:
        raise JujuFault(f"the juju client's {name}.yaml cannot be read: {' '.join(str(error).split())}") from None


def controller(directory, name=None):
    """What the client knows of a controller, with the account to log in with; None when it knows nothing."""
    known = store(directory, "controllers")
    name = name or known.get("current-controller")
    about = (known.get("controllers") or {}).get(name)
    if not about:
        return None
    account = (store(directory, "accounts").get("controllers") or {}).get(name) or {}
    return {
        "name": name,
        "uuid": about.get("uuid") or "",
        "endpoint": [str(end) for end in about.get("api-endpoints") or []],
        "ca_cert": about.get("ca-cert") or "",
        "cloud": about.get("cloud") or "",
        "region": about.get("region") or "",
        "version": about.get("agent-version") or "",
        "username": account.get("user") or "",
        "password": account.get("password") or "",
    }


def answers(about, timeout=15):
    """Whether something with the controller's own certificate listens at one of its addresses. One that has much to do takes its seconds for that."""
    for endpoint in about["endpoint"]:
        host, dummy, port = endpoint.rpartition(":")
        try:
            context = ssl.create_default_context(cadata=about["ca_cert"] or None)
            # The certificate is for names of Juju's own; the authority is the controller's alone.
            context.check_hostname = False
            with socket.create_connection((host.strip("[]"), int(port)), timeout) as raw, context.wrap_socket(raw):
                return True
        except (OSError, ValueError):
            continue
    return False


class Command:
    """The juju command, with the client's directory and without anything secret in its arguments."""

    def __init__(self, module):
        self.module = module
        self.directory = data_directory(module.params.get("juju_data"))
        name = module.params["juju_command"]
        self.path = name if "/" in name else module.get_bin_path(name, opt_dirs=["/snap/bin"])
        self.environment = {"JUJU_DATA": self.directory} if module.params.get("juju_data") else {}
        if not module.check_mode:
            sweep(self.directory)

    def need(self):
        if not self.path:
            raise JujuFault("the juju command is not installed on this host; the juju role installs it, or name it in juju_command")
        # The confined command cannot make its own directory.
        if not self.module.check_mode:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)

    def run(self, *arguments, check=True):
        """(code, out, err). A failure tells the command's last words."""
        self.need()
        code, out, err = self.module.run_command([self.path, *arguments], environ_update=self.environment)
        if check and code:
            raise JujuFault(f"juju {arguments[0]} failed: {last_words(err or out)}", rc=code)
        return code, out, err

    def version(self):
        """'3.6.12'; refuses a client of another major version."""
        text = self.run("version")[1].strip()
        match = re.match(r"(\d+)\.[0-9a-z.-]+", text)
        if not match:
            raise JujuFault(f"'{text}' is not a version of juju")
        if match.group(1) != "3":
            raise JujuFault(f"the juju command is version {text}, and this collection works with Juju 3 only")
        return re.match(r"[0-9]+\.[0-9]+(\.[0-9]+)?", text).group(0)


@contextlib.contextmanager
def private_file(directory, content):
    """A YAML file that only the user reads, under the client's directory; gone afterwards. That of a process that was killed goes with the next ``sweep``."""
    folder, pid = os.path.join(directory, PRIVATE), os.getpid()
    for needed in (directory, folder):
        os.makedirs(needed, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{pid}-{run_lock.started_of(pid)}-{secrets.token_hex(8)}.yaml")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content if isinstance(content, str) else yamls.dump(content))
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def sweep(directory):
    """Remove the private files of processes that are no more: there may be keys in them."""
    folder = os.path.join(directory, PRIVATE)
    # There are none, or they are another user's, whose part this is.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            pid, started = [*name.split("-"), ""][:2]
            if str(run_lock.started_of(pid)) != started:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name))


def last_words(text, limit=3):
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return " | ".join((errors or lines)[-limit:]) or "it said nothing"
