# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can go wrong with a cloud, and its services' answers as one sentence."""

from __future__ import annotations


class NovaFault(Exception):
    """A fault with a sentence for the operator; `result` goes into the module's answer."""

    def __init__(self, message, /, **result):
        super().__init__(message)
        self.result = result


class Unreachable(NovaFault):
    """No answer, or one that passes (429, 5xx). `sent` tells whether the service may have acted."""

    def __init__(self, message, /, sent=False, **result):
        super().__init__(message, **result)
        self.sent = sent


class Refused(NovaFault):
    """The service answered, and the answer is no."""

    def __init__(self, message, /, status=0, said="", **result):
        super().__init__(message, status=status, **result)
        self.status = status
        self.said = said


class NoHost(NovaFault):
    """Nova has no compute service of that name."""


class WriteInCheckMode(NovaFault):
    """A write was about to leave under --check. It does not: this is the client's last line of defence."""


def sentence(body, limit=600):
    """The words in an error body. Nova wraps them by kind, Placement in a list, Neutron in NeutronError, a proxy answers HTML."""
    if isinstance(body, dict):
        if isinstance(body.get("errors"), list):
            text = "; ".join(str(error.get("detail") or error.get("title") or error) for error in body["errors"])
        else:
            inner = next((value for value in body.values() if isinstance(value, dict) and "message" in value), body)
            text = str(inner.get("message") or inner)
    else:
        text = str(body or "")
        if "<html" in text.lower():
            text = ""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


HINTS = {
    401: "the credentials are not accepted: look at the cloud's entry in clouds.yaml",
    403: "the user may not do that: it takes an administrator of the cloud",
    406: "this release of the service is too old: nova of Yoga (microversion 2.90) or newer is needed",
}


def explain(status, body, what):
    """One sentence for an answer that is not 2xx; `what` says what was tried."""
    said = sentence(body)
    hint = HINTS.get(status)
    words = ": ".join(part for part in (hint, said) if part) or f"the service answered {status}"
    return f"Cannot {what}: {words}"
