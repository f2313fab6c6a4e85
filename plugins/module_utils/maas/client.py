# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The one place that talks to a MAAS region.

python-libmaas' lower layer (``maas.client.bones``) knows the described API, encodes the payload and signs the request;
raw dictionaries come back. The exchange itself is ours, over the standard library's ``http.client``, because libmaas'
own offers no CA file, no time-outs, no retries, no kept connection, and pulls in aiohttp and macaroonbakery, whose import
alone takes longer than a whole empty Ansible task. A module makes its calls one after the other (a region process is
serial: parallel reads only queue), so nothing is lost by not being asynchronous.
"""

from __future__ import annotations

import http.client
import importlib
import random
import ssl
import time
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.stratus.cloud.plugins.module_utils.deferred import deferred
from ansible_collections.stratus.cloud.plugins.module_utils.maas import description as api_description
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import (
    ApiError,
    LostAnswer,
    MaasError,
    NotFound,
    Unreachable,
    WriteInCheckMode,
    api_error,
    is_page,
    parse,
)

SAFE = frozenset(("GET", "HEAD"))
# Repeating these leads to the same end; a create or an operation may act twice.
REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE"))
GATEWAY = frozenset((502, 504))
# nginx in front of a region may stop at 8 KB.
URL_LIMIT = 7500


def load_bones():
    """python-libmaas' lower layer; ImportError when it is not there."""
    with deferred("aiohttp", "macaroonbakery", "macaroonbakery.httpbakery"):
        bones = importlib.import_module("maas.client.bones")
        creds = importlib.import_module("maas.client.utils.creds")
    return bones, creds


def normal_url(url):
    """(scheme://host:port, /path/api/2.0/) of whatever spelling of the region's address came."""
    text = (url or "").strip()
    if "://" not in text:
        text = "http://" + text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MaasError(f"maas_url {url!r} is no URL of a region; it looks like http://10.0.0.1:5240/MAAS")
    path = parts.path.rstrip("/")
    if path.endswith("/api/2.0"):
        path = path[: -len("/api/2.0")]
    if not path:
        path = "/MAAS"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}", f"{path}/api/2.0/"


def form(data):
    """Values as the region reads them: text, bool as true/false, lists as repeated keys, nothing as empty text."""

    def text(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None:
            return ""
        # A file is given as a function that opens it, for every attempt needs its own.
        if isinstance(value, bytes) or callable(value):
            return value
        return str(value)

    return {name: [text(v) for v in value] if isinstance(value, (list, tuple, set, frozenset)) else text(value) for name, value in data.items()}


class HttpTransport:
    """One kept connection. Answers are (status, headers in lower case, body); everything that is no answer is Unreachable."""

    def __init__(self, base, validate_certs=True, ca_path=None, connect_timeout=10.0):
        parts = urlsplit(base)
        self.base = base
        self.host, self.port, self.scheme = parts.hostname, parts.port, parts.scheme
        self.connect_timeout = connect_timeout
        self.context = self._context(validate_certs, ca_path) if parts.scheme == "https" else None
        self.connection = None

    @staticmethod
    def _context(validate_certs, ca_path):
        if not validate_certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        try:
            return ssl.create_default_context(cafile=ca_path) if ca_path else ssl.create_default_context()
        except (OSError, ssl.SSLError) as error:
            raise MaasError(f"ca_path {ca_path!r} cannot be read as a file of certificates: {error}") from error

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _connect(self):
        if self.scheme == "https":
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=self.connect_timeout, context=self.context)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.connect_timeout)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise MaasError(
                f"The certificate of {self.base} is not trusted: {error.verify_message}. Give the CA that signed it as ca_path, or set validate_certs to false."
            ) from error
        except ssl.SSLError as error:
            raise MaasError(f"{self.base} does not speak TLS as expected: {error.reason or error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.base} does not answer: {reason(error)}", sent=False) from error
        return connection

    def request(self, method, uri, body, headers, timeout):
        parts = urlsplit(uri)
        target = urlunsplit(("", "", parts.path, parts.query, ""))
        fresh = self.connection is None
        if fresh:
            self.connection = self._connect()
        self.connection.sock.settimeout(timeout)
        try:
            self.connection.request(method, target, body=body, headers=headers)
            response = self.connection.getresponse()
            content = response.read()
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError) as error:
            self.close()
            # The region closes idle connections: on a kept one nothing was read, and a safe call is simply sent again.
            if not fresh and method in SAFE:
                return self.request(method, uri, body, headers, timeout)
            raise Unreachable(f"{self.base} closed the connection without an answer: {reason(error)}", sent=True) from error
        except TimeoutError as error:
            self.close()
            raise Unreachable(f"{self.base} gave no answer within {timeout:.0f} s", sent=True) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{self.base} broke off its answer: {reason(error)}", sent=True) from error
        if response.will_close:
            self.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, content


def reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def retry_after(headers):
    """Seconds of a Retry-After header; None without one (the region sends seconds, never a date)."""
    value = headers.get("retry-after")
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None


class Client:
    """A region and a user of it.

    ``read_only``: under --check no request but GET leaves, whatever a module does.
    ``retry_for``: seconds within which a call that is safe to repeat is repeated after 409/503 with Retry-After, 502, 504,
    a proxy's own 503, and lost or refused connections. Everything else fails at once.
    """

    def __init__(
        self,
        url,
        api_key,
        validate_certs=True,
        ca_path=None,
        read_only=False,
        retry_for=60.0,
        timeout=300.0,
        transport=None,
        cache=None,
        clock=time.monotonic,
        sleep=time.sleep,
    ):
        self.base, self.path = normal_url(url)
        self.read_only = read_only
        self.retry_for = retry_for
        self.timeout = timeout
        self.clock = clock
        self.sleep = sleep
        self.transport = transport or HttpTransport(self.base, validate_certs, ca_path)
        self.cache = cache if cache is not None else api_description.Cache(self.base + self.path)
        self.bones, creds = load_bones()
        try:
            self.credentials = creds.Credentials.parse(api_key) if api_key else None
        except ValueError as error:
            raise MaasError("maas_api_key is not three parts separated by colons (consumer:token:secret), as `maas apikey` prints it") from error
        self.requests = 0
        self.writes = 0
        self.warnings = []
        self._session = None
        self._hash = None
        self._fresh = False

    # The description

    def _adopt(self, described):
        self._hash = described.get("hash")
        self._session = self.bones.SessionAPI(api_description.aim(described, self.base), self.credentials)
        self._session.scheme = urlsplit(self.base).scheme

    def _fetch_description(self):
        def once():
            status, headers, content = self._exchange("GET", self.base + self.path + "describe/", None, {"Accept": "application/json"}, self.timeout)
            body = parse(content, headers.get("content-type"))
            if status != 200 or not isinstance(body, dict) or "resources" not in body:
                if status in GATEWAY or status == 503:
                    raise Unreachable(f"{self.base} answers {status} to the request for its description", sent=True)
                raise MaasError(f"{self.base}{self.path} is no MAAS region: its description is missing (status {status}). Check maas_url.")
            return body

        described = api_description.strip(self._repeat(once, "GET", f"read the API description of {self.base}"))
        self.cache.store(described)
        self._adopt(described)
        self._fresh = True

    @property
    def session(self):
        if self._session is None:
            stored = self.cache.load()
            if stored:
                self._adopt(stored)
            else:
                self._fetch_description()
        return self._session

    def _notice_hash(self, headers):
        """A region that was upgraded tells so in each answer; the next call then uses a fresh description."""
        told = headers.get("x-maas-api-hash")
        if told and self._hash and told != self._hash and not self._fresh:
            self._session = None
            self._fetch_description()

    # Calls

    def offers(self, handler, action=None):
        found = getattr(self.session, handler, None)
        return found is not None and (action is None or hasattr(found, action))

    def _call_api(self, handler, action, params):
        def find():
            found = getattr(self.session, handler, None)
            return getattr(found, action, None) if found is not None else None

        found = find()
        if found is None and not self._fresh:
            self._fetch_description()
            found = find()
        if found is None:
            raise MaasError(f"This region's API has no {handler}.{action}; its version is too old or too new for what was asked")
        return found.bind(**{name: str(value) for name, value in params.items()})

    def _exchange(self, method, uri, body, headers, timeout):
        self.requests += 1
        if method not in SAFE:
            self.writes += 1
        return self.transport.request(method, uri, body, headers, timeout)

    def _once(self, call, data, what, timeout):
        # Prepared anew for every attempt: a nonce is good for one request only.
        uri, body, headers = call.prepare(form(data))
        headers = {**headers, "Accept": "application/json,*/*;q=0.9"}
        status, answered, content = self._exchange(call.action.method, uri, body, headers, timeout)
        body = parse(content, answered.get("content-type"))
        if 200 <= status < 300:
            self._notice_hash(answered)
            return body
        wait = retry_after(answered)
        # HAProxy answers 503 while none of its regions is up. One that the region itself gives has a reason that another try does not change.
        if status in GATEWAY or (status == 503 and wait is None and is_page(body)):
            raise Unreachable(f"the gateway before {self.base} answers {status}", sent=True, retry_after=wait)
        raise api_error(status, body, what, wait)

    def _repeat(self, attempt, method, what):
        """The retry contract. ``attempt`` makes one try."""
        end = self.clock() + self.retry_for
        pause, tries = 0.5, 0
        while True:
            tries += 1
            try:
                return attempt()
            except ApiError as error:
                # With Retry-After the region rolled its transaction back: any method may be sent again.
                if error.status == 404 and method == "DELETE" and tries > 1:
                    return None
                if error.status not in (409, 503) or error.retry_after is None:
                    raise
                wait = error.retry_after
                if self.clock() + wait > end:
                    error.args = (f"{error} (still so after {tries} tries)",)
                    raise
            except Unreachable as error:
                if error.sent and method not in REPEATABLE:
                    raise LostAnswer(f"Cannot tell whether the region did it: {what}: {error}") from error
                wait = max(pause, error.retry_after or 0.0)
                if self.clock() + wait > end:
                    raise Unreachable(f"Cannot {what}: {error} (after {tries} tries)", sent=error.sent) from error
            self.sleep(wait + random.uniform(0, min(1.0, wait / 4)))
            pause = min(pause * 2, 8.0)

    def call(self, handler, action, params=None, data=None, what=None, settled=None, timeout=None):
        """One operation of the described API; returns its answer as data.

        ``settled``: for a call that must not run twice. Called when an answer was lost; what it returns (not None) is the
        answer, None means that the region did nothing, and the call is sent again, within the time for repetitions.
        """
        what = what or f"{action.replace('_', ' ')} {handler}"
        call = self._call_api(handler, action, params or {})
        method = call.action.method
        if self.read_only and method not in SAFE:
            raise WriteInCheckMode(f"Stopped a write under check mode: {what}. This is a bug of the module.")
        timeout = timeout or self.timeout

        def attempt():
            return self._once(call, data or {}, what, timeout)

        # A region that restarts loses more than one answer.
        end, pause = self.clock() + self.retry_for, 0.0
        while True:
            try:
                return self._repeat(attempt, method, what)
            except LostAnswer:
                if settled is None:
                    raise
                found = settled()
                if found is not None:
                    return found
                if self.clock() + pause > end:
                    raise
            if pause:
                self.sleep(pause)
            pause = min(max(0.5, pause * 2), 8.0)

    def read(self, handler, params=None, what=None, **data):
        return self.call(handler, "read", params, data, what or f"read {handler}")

    def find(self, handler, params=None, what=None):
        """A thing by its URI, or None."""
        try:
            return self.call(handler, "read", params, {}, what or f"read {handler}")
        except NotFound:
            return None

    def close(self):
        self.transport.close()


def chunks(items, count=500, length=None, limit=URL_LIMIT):
    """Lists of at most ``count`` items whose URL parts stay below ``limit`` characters."""
    length = length or len
    batch, size = [], 0
    for item in items:
        cost = length(item)
        if batch and (len(batch) >= count or size + cost > limit):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += cost
    if batch:
        yield batch
