# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Errors, and the region's answers in plain words.

The region answers in five formats (form errors as JSON, bare text, empty, HTML, an exception's text). ``explain`` turns
each into one sentence. A 401 is the exception: its body may hold the secret that the region expected, so that body is
looked at and never repeated.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager


class MaasError(Exception):
    """Something an operator should read. ``result`` goes into the module's result beside ``msg``."""

    def __init__(self, message, **result):
        super().__init__(message)
        self.result = result


class ApiError(MaasError):
    """The region answered, and the answer is no."""

    def __init__(self, message, status, body=None, retry_after=None, **result):
        super().__init__(message, status=status, **result)
        self.status = status
        self.body = body
        self.retry_after = retry_after

    def fields(self):
        """Form errors by field; empty when the answer was no form error."""
        return self.body if isinstance(self.body, dict) else {}


class NotFound(ApiError):
    """404: there is no such thing."""


class Unreachable(MaasError):
    """No answer: refused, reset, cut off, timed out, or a gateway that says so. ``sent`` tells whether the region may have acted."""

    def __init__(self, message, sent=False, retry_after=None, **result):
        super().__init__(message, **result)
        self.sent = sent
        self.retry_after = retry_after


class LostAnswer(MaasError):
    """A write that is not safe to repeat was sent, and its answer never came."""


class WriteInCheckMode(MaasError):
    """A write was about to leave under --check. It does not: this is the client's last line of defence."""


TAGS = re.compile(r"<[^>]+>")
TITLE = re.compile(r"<title>(.*?)</title>", re.S | re.I)


def parse(body, content_type):
    """Body as data: JSON when it says so (or looks so), else text."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    kind = (content_type or "").split(";")[0].strip().lower()
    if kind.endswith("json"):
        try:
            return json.loads(body) if body else None
        except ValueError:
            return body
    return body


def is_page(body):
    """Whether the body is a page: that is how a proxy says that no region is up. The region's own words about a 503 are bare text."""
    return isinstance(body, str) and body.lstrip().startswith("<")


def sentence(body, limit=600):
    """An error body as one line for people."""
    if body is None or body == "" or body == {}:
        return ""
    if isinstance(body, dict):
        parts = []
        for field, messages in body.items():
            messages = messages if isinstance(messages, list) else [messages]
            # The region repeats a message under several fields; "__all__" is no field of the user's.
            text = " ".join(str(message).strip() for message in messages)
            parts.append(text if field == "__all__" else f"{field}: {text}")
        return "; ".join(parts)[:limit]
    if isinstance(body, (list, tuple)):
        return "; ".join(str(part) for part in body)[:limit]
    text = str(body)
    title = TITLE.search(text)
    if title:
        text = title.group(1)
    text = " ".join(TAGS.sub(" ", text).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def unauthorised(body):
    """What a 401 means, without a word of its body."""
    text = body if isinstance(body, str) else json.dumps(body)
    if "Expired timestamp" in text:
        return "the region refuses the request's time stamp: the clocks of this machine and of the region differ by more than five minutes; set both by NTP"
    if "Nonce already used" in text:
        return "the region has seen this request before; run the task again"
    if "signature" in text or "access token" in text or "API key" in text:
        return (
            "the region does not accept the API key (maas_api_key, or MAAS_API_KEY); "
            "get a valid one with `maas apikey --username NAME` on the region controller"
        )
    return "the region does not know who asks: give an API key as maas_api_key or MAAS_API_KEY"


# What to do about answers that say only what is wrong.
HINTS = {
    "no address family in common": "None of its interfaces has an address: link its bridge or NIC to a subnet with maas_interface, or commission it again",
    "is not a valid architecture": "The images of that architecture have to be imported first (maas_boot_resources)",
    "is not a valid commissioning_distro_series": "The image of that release has to be imported first (maas_boot_resources)",
    "dhcp can only be turned on when a dynamic IP range is defined": "Create one with maas_ip_range first",
    "Unable to connect to any rack controller": "Look at the rack controller: `snap services maas`, `maas status`",
    "Could not authenticate with node's BMC": "Check power_user and power_pass",
    "Could not contact node's BMC": "Check power_address and that the rack controller reaches it",
    "Unable to communicate with LXD": "Check on the VM host that LXD answers on port 8443 and trusts the certificate: `lxc config trust list`",
    "Failed talking to VM host": "Look on the VM host: `lxc list --all-projects`, `lxc operation list`, `journalctl -u snap.lxd.daemon`",
    "Unconfigured power type": "Give power_type and power_parameters with maas_machine; power_type is manual where somebody switches it on",
    "Mount the root '/' filesystem": "Give it a storage layout with maas_storage_layout, or commission it again",
}


def hint(text):
    found = next((remedy for fragment, remedy in HINTS.items() if fragment in text), None)
    return f". {found}" if found else ""


def explain(status, body, what):
    """One sentence for an answer that is not 2xx. ``what`` says what was tried, for example ``commission machine node1``."""
    if status == 401:
        return f"Cannot {what}: {unauthorised(body)}."
    text = sentence(body)
    if status == 403:
        guess = "the user of this API key may not do that; or the machine is locked, or belongs to somebody else"
        return f"Cannot {what}: the region forbids it: {text or guess}"
    if status == 404:
        return f"Cannot {what}: {text or 'not found'}"
    if status == 410:
        return f"Cannot {what}: this version of MAAS no longer offers it{': ' + text if text else ''}"
    if status >= 500:
        return f"Cannot {what}: the region failed ({status}): {text.rstrip('.') or 'no explanation'}{hint(text)}"
    return f"Cannot {what}: {text.rstrip('.') or f'the region answered {status}'}{hint(text)}"


def api_error(status, body, what, retry_after=None):
    message = explain(status, body, what)
    kept = None if status == 401 else body
    cls = NotFound if status == 404 else ApiError
    return cls(message, status, body=kept, retry_after=retry_after)


@contextmanager
def patience(client, retry_for, timeout=None):
    """Calls within are repeated for ``retry_for`` seconds at most, and an answer is waited for ``timeout`` seconds at most; None: as ever."""
    before = client.retry_for, client.timeout
    client.retry_for, client.timeout = min(client.retry_for, retry_for), min(client.timeout, timeout or client.timeout)
    try:
        yield
    finally:
        client.retry_for, client.timeout = before


def passing(client, poll):
    """``poll`` for a wait: a region that fails for a moment is a fault that passes, and the wait's own deadline is what counts."""

    def once():
        try:
            with patience(client, 5.0):
                return poll()
        except ApiError as error:
            if error.status >= 500 or (error.status == 409 and error.retry_after is not None):
                raise Unreachable(str(error)) from error
            raise

    return once
