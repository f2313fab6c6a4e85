"""What a Juju controller refuses with: a message and a code, as ``params.Error`` on the wire."""

from __future__ import annotations


class JujuError(Exception):
    """A refusal. ``code`` is one of the API's codes; empty when the server gives none."""

    def __init__(self, message: str, code: str = "", info: dict | None = None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.info = info

    def wire(self) -> dict:
        error = {"message": self.message, "code": self.code}
        if self.info:
            error["info"] = self.info
        return error


def not_found(kind: str, name: str) -> JujuError:
    return JujuError(f'{kind} "{name}" not found', "not found")


def exists(message: str) -> JujuError:
    return JujuError(message, "already exists")


def invalid(message: str) -> JujuError:
    return JujuError(message, "not valid")


def unauthorized(message: str = "permission denied") -> JujuError:
    return JujuError(message, "unauthorized access")


def unsupported(message: str) -> JujuError:
    return JujuError(message, "not supported")
