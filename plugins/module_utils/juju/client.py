# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The one place that knows libjuju: a synchronous client over its Connection and the controller's raw facades.

libjuju is asynchronous, and its connection answers keep-alives only while its loop runs. The loop therefore runs in a
thread of its own (one asyncio.run for each client), and modules call plain functions: call(facade, request, params).
Every call has a deadline; a lost connection is made anew by this client, because the library's own attempts never
look at the network again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import re
import threading
import time
import traceback
import warnings

from ansible_collections.stratus.cloud.plugins.module_utils.deferred import deferred
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import ConnectionLost, JujuFault, Refused

MAJOR = 3
CALL_TIMEOUT = 120
REPEAT_TIMEOUT = 60
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

try:
    with warnings.catch_warnings(), deferred("macaroonbakery", "macaroonbakery.bakery", "macaroonbakery.httpbakery"):
        # libjuju names a class of websockets that is on its way out.
        warnings.simplefilter("ignore")
        import websockets

        from juju import errors as juju_errors
        from juju.client.connection import Connection
    JUJU_IMPORT_ERROR = None
except ImportError:
    JUJU_IMPORT_ERROR = traceback.format_exc()


class _NoBakery:
    """In the place of the library's client for macaroons, whose import is a third of all the library's. They are for external users, who have no password."""

    cookies = ()

    def handle_error(self, *unused):
        raise JujuFault("the controller asks for a login by macaroon, and this collection logs in with a password")


async def _stay_lost():
    """In the place of the library's own way to reconnect."""


async def _rpc(connection, message):
    """One request. The library's receiver may end without a word when the connection is cut; whoever waits must notice by himself."""
    call = asyncio.ensure_future(connection.rpc(message))
    cut = asyncio.ensure_future(connection._ws.wait_closed())
    try:
        await asyncio.wait({call, cut}, return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            # The answer may have come with the end.
            await asyncio.wait({call}, timeout=0.2)
        if not call.done():
            raise ConnectionResetError("the connection was closed")
        return call.result()
    finally:
        for task in (call, cut):
            task.cancel()


class _Loop:
    """An event loop in a thread, and a way to run coroutines on it from outside."""

    def __init__(self):
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="juju", daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _main(self):
        self._loop = asyncio.get_running_loop()
        # What a closing connection leaves behind is told to nobody: standard error is the module's.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()

    def run(self, coroutine, timeout):
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, timeout), self._loop)
        try:
            # The inner limit speaks first; the outer one is for a loop that is stuck.
            return future.result(timeout + 10)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TimeoutError from None

    def close(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)


def _past_proxies(endpoints):
    """A controller stands on the private network: a proxy of the environment must not be asked for it."""
    hosts = [endpoint.rsplit(":", 1)[0].strip("[]") for endpoint in endpoints]
    for name in ("no_proxy", "NO_PROXY"):
        known = [part for part in os.environ.get(name, "").split(",") if part]
        os.environ[name] = ",".join(known + [host for host in hosts if host not in known])


class Client:
    """One controller, by any of its endpoints. `model` (name, owner/name or uuid) is what calls go to by default."""

    def __init__(self, endpoint, username, password, ca_cert=None, model=None, timeout=60, clock=time.monotonic, sleep=time.sleep):
        if JUJU_IMPORT_ERROR:
            raise JujuFault("the python library 'juju' is missing", exception=JUJU_IMPORT_ERROR)
        self.endpoints = [part.strip() for part in endpoint.split(",")] if isinstance(endpoint, str) else list(endpoint)
        self.endpoints = [part for part in self.endpoints if part]
        if not self.endpoints or not username or not password:
            raise JujuFault("endpoint, username and password of the controller are needed")
        self.username, self._password, self._ca = username, password, ca_cert or None
        self.model = model
        self.timeout = timeout
        self.requests = 0
        self._clock, self._sleep = clock, sleep
        self._loop = None
        self._connections = {}
        self._uuids = {}
        # Its debug lines hold passwords; nothing of it goes anywhere.
        for name in ("juju", "websockets", "asyncio"):
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False
        _past_proxies(self.endpoints)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # --- connections ---

    async def _open(self, uuid):
        connection = await Connection.connect(
            endpoint=self.endpoints,
            uuid=uuid,
            username=self.username,
            password=self._password,
            cacert=self._ca,
            retries=0,
            bakery_client=_NoBakery(),
        )
        # The library would open a lost connection anew by itself and leave whoever waits for an answer waiting for ever.
        connection.reconnect = _stay_lost
        version = str((connection.info or {}).get("server-version", ""))
        if version.split(".", maxsplit=1)[0] != str(MAJOR):
            await connection.close()
            raise JujuFault(f"the controller runs Juju {version or 'of an unknown version'}, and this collection speaks to Juju {MAJOR} only")
        return connection

    def _connection(self, uuid, timeout):
        """An open connection; tries until the deadline, since a controller may be restarting."""
        if uuid in self._connections:
            return self._connections[uuid]
        if self._loop is None:
            self._loop = _Loop()
        deadline = self._clock() + timeout
        pause, last = 0.5, None
        while True:
            left = deadline - self._clock()
            try:
                self._connections[uuid] = self._loop.run(self._open(uuid), max(min(30, left), 1))
                return self._connections[uuid]
            except JujuFault:
                raise
            except juju_errors.JujuAPIError as error:
                raise _refused(error, "log in") from None
            except (OSError, TimeoutError, juju_errors.JujuError, websockets.WebSocketException) as error:
                last = error
                text = str(error)
                if "certificate verify failed" in text:
                    raise JujuFault(f"the controller at {', '.join(self.endpoints)} does not show a certificate of the given ca_cert: {text}") from None
            if self._clock() + pause >= deadline:
                reason = str(last) or type(last).__name__
                raise ConnectionLost(f"no connection to the controller at {', '.join(self.endpoints)} within {timeout:.0f} s: {reason}") from None
            self._sleep(pause)
            pause = min(pause * 2, 5)

    def drop(self, uuid=None, everything=False):
        """Forget connections; the next call makes new ones."""
        for key in list(self._connections) if everything else [uuid]:
            connection = self._connections.pop(key, None)
            if connection is None:
                continue
            # It is being thrown away: how it goes is of no interest.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                self._loop.run(connection.close(), 5)

    def close(self):
        self.drop(everything=True)
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    # --- calls ---

    @property
    def version(self):
        return str(self._connection(None, self.timeout).info.get("server-version", ""))

    @property
    def identity(self):
        """user-admin, as the controller calls who is logged in."""
        return (self._connection(None, self.timeout).info.get("user-info") or {}).get("identity") or f"user-{self.username}"

    def request(self, facade, request, params=None, uuid=None, timeout=None, repeat=False):
        """One request to the controller (uuid None) or to a model. `repeat` says that it may be sent twice."""
        timeout = timeout or CALL_TIMEOUT
        deadline = self._clock() + timeout
        while True:
            connection = self._connection(uuid, min(self.timeout, max(deadline - self._clock(), 1)))
            if facade not in connection.facades:
                raise JujuFault(f"the controller does not offer {facade} in a version that this collection knows")
            message = {"type": facade, "request": request, "version": connection.facades[facade], "params": params or {}}
            self.requests += 1
            try:
                # What may be sent again is not waited for until the end.
                patience = min(timeout, REPEAT_TIMEOUT) if repeat else timeout
                answer = self._loop.run(_rpc(connection, message), max(min(patience, deadline - self._clock()), 1))
                return answer.get("response") or {}
            except juju_errors.JujuAPIError as error:
                raise _refused(error, f"{facade}.{request}") from None
            except (websockets.WebSocketException, OSError, TimeoutError) as error:
                self.drop(uuid)
                reason = str(error) or type(error).__name__
                if not repeat or self._clock() + 1 >= deadline:
                    raise ConnectionLost(f"the connection to the controller broke during {facade}.{request}: {reason}") from None
                self._sleep(0.2)
            except juju_errors.JujuError as error:
                raise _refused(error, f"{facade}.{request}") from None

    def call(self, facade, request, params=None, **options):
        """A request to the model."""
        return self.request(facade, request, params, uuid=self.uuid(), **options)

    def controller(self, facade, request, params=None, **options):
        """A request to the controller itself."""
        return self.request(facade, request, params, uuid=None, **options)

    # --- models ---

    def models(self):
        """[{name, owner, uuid, life, ...}] of every model that the user can see."""
        answer = self.controller("ModelManager", "ListModelSummaries", {"user-tag": self.identity_tag, "all": True}, repeat=True)
        found = []
        for item in answer.get("results") or []:
            summary = item.get("result")
            if summary:
                found.append(summary)
        return found

    @property
    def identity_tag(self):
        identity = self.identity
        return identity if identity.startswith("user-") else f"user-{identity}"

    def find_model(self, name, among=None):
        """The summary of a model by name, owner/name or uuid, or None; ``among``: summaries that are known already."""
        owner, sign, bare = str(name).rpartition("/")
        matches = []
        for summary in self.models() if among is None else among:
            if summary.get("uuid") == name:
                return summary
            if summary.get("name") == bare and (not sign or summary.get("owner-tag", "").removeprefix("user-").split("@")[0] == owner):
                matches.append(summary)
        if len(matches) > 1:
            owners = ", ".join(sorted(summary["owner-tag"].removeprefix("user-") for summary in matches))
            raise JujuFault(f"several models are called {bare} (of {owners}): name it owner/{bare}")
        return matches[0] if matches else None

    def uuid(self):
        """Of the model that the client is for."""
        if not self.model:
            raise JujuFault("no model was named")
        if UUID.fullmatch(self.model):
            return self.model
        if self.model not in self._uuids:
            there = self.models()
            summary = self.find_model(self.model, there)
            if summary is None:
                known = ", ".join(sorted(about["name"] for about in there)) or "none"
                remedy = "the module juju_model makes it, as the playbook orchestrator.yml does"
                raise JujuFault(f"the controller has no model {self.model} (it has {known}): {remedy}", models=[about["uuid"] for about in there])
            self._uuids[self.model] = summary["uuid"]
        return self._uuids[self.model]


def _refused(error, what):
    code = getattr(error, "error_code", None)
    message = "; ".join(str(part) for part in getattr(error, "errors", []) or []) or str(error)
    if what == "log in":
        return Refused(f"the controller refuses the login: {message}", code)
    return Refused(f"{what}: {message}", code)
