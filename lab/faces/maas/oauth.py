"""OAuth 1.0 as the region checks it: PLAINTEXT and HMAC-SHA1 with an empty consumer secret, nonces that serve once, a time window."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from lab.errors import ApiError

if TYPE_CHECKING:
    from lab.world.maas import MaasWorld

WINDOW = 300
PARTS = ("oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_signature_method", "oauth_timestamp", "oauth_nonce")


def parse_header(header: str) -> dict[str, str] | None:
    """The parameters of an OAuth Authorization header; None for any other header."""
    scheme, _space, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return None
    parameters = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if equals and name != "realm":
            parameters[name] = unquote(value.strip().strip('"'))
    return parameters


def refused(text: str) -> ApiError:
    return ApiError(401, f"Authorization Error: {text}", "text/html; charset=utf-8", {"WWW-Authenticate": 'OAuth realm="OAuth"'})


def escape(text: str) -> str:
    return quote(text, safe="~-._")


def base_string(method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    pairs = "&".join(f"{name}={value}" for name, value in sorted((escape(n), escape(v)) for n, v in parameters if n != "oauth_signature"))
    return "&".join(escape(part) for part in (method.upper(), url, pairs))


class OAuth:
    """Checks requests against the region's tokens. Nonces are remembered for the length of the window."""

    def __init__(self, maas: MaasWorld):
        self.maas = maas
        self._nonces: dict[tuple[str, str], float] = {}

    def user(self, header: str, method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str | None:
        """The user whose key signed this request; None for an anonymous one; raises for a bad key."""
        oauth = parse_header(header) if header else None
        if oauth is None or any(not oauth.get(part) for part in PARTS):
            return None
        version = oauth.get("oauth_version", "1.0")
        if version != "1.0":
            raise refused(f"'OAuth version {version} not supported.'")
        consumer, key = oauth["oauth_consumer_key"], oauth["oauth_token"]
        tokens = [token for token in self.maas.users.tokens if token["consumer"] == consumer]
        if not tokens:
            raise refused("Invalid API key.")
        token = next((token for token in tokens if token["key"] == key), None)
        if token is None:
            raise refused(f"'Invalid access token: {key}'")
        self._fresh(oauth, consumer)
        self._signed(oauth, token["secret"], method, url, parameters)
        return token["username"]

    def _fresh(self, oauth: dict[str, str], consumer: str) -> None:
        skew = self.maas.engine.fault("region_clock") or {}
        now = int(time.time() + skew.get("seconds", 3600 if skew else 0))
        try:
            stamp = int(oauth["oauth_timestamp"])
        except ValueError:
            raise refused("'Timestamp is not a number'") from None
        if abs(now - stamp) > WINDOW:
            raise refused(f"'Expired timestamp: given {stamp} and now {now} has a greater difference than threshold {WINDOW}'")
        nonce = (consumer, oauth["oauth_nonce"])
        if nonce in self._nonces:
            raise refused(f"'Nonce already used: {nonce[1]}'")
        if len(self._nonces) > 10000:
            self._nonces = {used: at for used, at in self._nonces.items() if now - at < 2 * WINDOW}
        self._nonces[nonce] = now

    @staticmethod
    def _signed(oauth: dict[str, str], secret: str, method: str, url: str, parameters: Iterable[tuple[str, str]]) -> None:
        kind = oauth["oauth_signature_method"]
        if kind == "PLAINTEXT":
            expected = base = f"&{secret}"
        elif kind == "HMAC-SHA1":
            base = base_string(method, url, [*parameters, *oauth.items()])
            expected = base64.b64encode(hmac.new(f"&{secret}".encode(), base.encode(), hashlib.sha1).digest()).decode()
        else:
            raise refused(f"'Signature method {kind} not supported try one of the following: HMAC-SHA1, PLAINTEXT'")
        if not hmac.compare_digest(expected, oauth["oauth_signature"]):
            # The real region tells the expected base string, with PLAINTEXT the secret itself: clients must never print this body.
            raise refused(f"'Invalid signature. Expected signature base string: {base}'")
