"""The stand-in commands' way to the lab, and what they share. Runs on the controller host with nothing but Python."""

import http.client
import json
import os
import socket
import sys

SOCKET = "/opt/lab/run/control.sock"


class LabError(Exception):
    """The lab refused: ``status`` as in HTTP, ``message`` says why."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


class _Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def ask(method, path, body=None):
    """One request to the lab; what takes the real thing long takes long here."""
    connection = _Connection("lab")
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = json.loads(response.read() or b"null")
    except OSError as error:
        raise LabError(0, f"the lab does not answer: {error}") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise LabError(response.status, (data or {}).get("error", "") if isinstance(data, dict) else str(data))
    return data


def fail(message, code=1):
    print(message, file=sys.stderr)
    raise SystemExit(code)


def is_root():
    return os.geteuid() == 0


def unicode_out():
    """Whether the caller's locale has more than ASCII (the real commands look, too)."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if os.environ.get(name):
            return "UTF-8" in os.environ[name].upper() or "UTF8" in os.environ[name].upper()
    return False


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)
