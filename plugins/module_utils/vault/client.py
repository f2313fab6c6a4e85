# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One unit of Vault, by hvac. No error of the library goes further: its words may hold what was sent."""

from __future__ import annotations

import time
import traceback

from ansible.module_utils.basic import env_fallback, missing_required_lib
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import Unreachable, VaultFault

try:
    import hvac
    import requests

    HVAC_IMPORT_ERROR = None
except ImportError:
    HVAC_IMPORT_ERROR = traceback.format_exc()

CONNECTION = {
    "vault_addr": {"type": "str", "required": True, "fallback": (env_fallback, ["VAULT_ADDR"])},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "vault_timeout": {"type": "float", "default": 30},
}


class Unit:
    """A unit at its own address."""

    def __init__(self, address, validate_certs=True, ca_path=None, timeout=30, token=None, clock=time.monotonic, sleep=time.sleep):
        if HVAC_IMPORT_ERROR:
            raise VaultFault(missing_required_lib("hvac"), exception=HVAC_IMPORT_ERROR)
        self.address = address.rstrip("/")
        self.timeout = timeout
        session = requests.Session()
        # Vault stands on the private network; a proxy of the environment has no business here.
        session.trust_env = False
        session.verify = (ca_path or True) if validate_certs else False
        self._client = hvac.Client(url=self.address, token=token, verify=session.verify, timeout=timeout, session=session)
        self._clock, self._sleep = clock, sleep

    def close(self):
        self._client.adapter.close()

    def _ask(self, what, function, repeat):
        """One request; `repeat` says that it may be sent again until the deadline."""
        began = self._clock()
        while True:
            try:
                return function()
            except requests.exceptions.SSLError as error:
                reason = "its certificate is not trusted" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "TLS failed"
                raise VaultFault(f"Vault at {self.address}: {reason}; give the authority's certificate in ca_path") from None
            except requests.exceptions.RequestException as error:
                if not repeat or self._clock() - began >= self.timeout:
                    raise Unreachable(f"Vault at {self.address} does not answer ({what}): {type(error).__name__}") from None
            except hvac.exceptions.VaultError as error:
                status = _status(error)
                if not (repeat and status in (429, 500, 502, 503, 504)) or self._clock() - began >= self.timeout:
                    words = "; ".join(str(word) for word in getattr(error, "errors", None) or []) or type(error).__name__
                    raise VaultFault(f"Vault at {self.address} refuses ({what}): {words}", status=status) from None
            self._sleep(1)

    def initialized(self):
        return bool(self._ask("whether it is initialised", self._client.sys.is_initialized, True))

    def seal(self):
        """{sealed, initialized, threshold, shares, progress, version, cluster}."""
        found = self._ask("seal status", self._client.sys.read_seal_status, True)
        return {
            "sealed": bool(found.get("sealed")),
            "initialized": bool(found.get("initialized", True)),
            "threshold": found.get("t") or 0,
            "shares": found.get("n") or 0,
            "progress": found.get("progress") or 0,
            "version": found.get("version") or "",
            "cluster": found.get("cluster_name") or "",
        }

    def initialize(self, shares, threshold):
        """The one request that is never repeated blindly. Returns what must be kept."""
        return self._ask("initialisation", lambda: self._client.sys.initialize(secret_shares=shares, secret_threshold=threshold), False)

    def unseal(self, key):
        found = self._ask("unsealing", lambda: self._client.sys.submit_unseal_key(key=key), False)
        return bool(found.get("sealed"))

    def forget_progress(self):
        self._ask("unsealing", lambda: self._client.sys.submit_unseal_key(reset=True), True)

    def token(self, ttl, renewable=False):
        """A token that lives for a short time. Waits for the unit to become active."""
        found = self._ask("a short-lived token", lambda: self._client.auth.token.create(ttl=ttl, renewable=renewable), True)
        return found["auth"]["client_token"]

    def revoke(self, token):
        self._ask("revoking a token", lambda: self._client.auth.token.revoke(token), True)


def _status(error):
    kinds = {
        "InvalidRequest": 400,
        "Unauthorized": 401,
        "Forbidden": 403,
        "InvalidPath": 404,
        "UnsupportedOperation": 405,
        "RateLimitExceeded": 429,
        "InternalServerError": 500,
        "VaultNotInitialized": 501,
        "BadGateway": 502,
        "VaultDown": 503,
    }
    return kinds.get(type(error).__name__, 0)


def unit(options, token=None):
    return Unit(options["vault_addr"], options["validate_certs"], options["ca_path"], options["vault_timeout"], token)
