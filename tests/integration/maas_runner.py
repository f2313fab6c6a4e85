"""Runs a module of the collection in this process, and a MAAS client that nobody here wrote."""

from __future__ import annotations

import importlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any

from ansible.module_utils.testing import patch_module_args
from requests_oauthlib import OAuth1Session


class Api:
    """The independent client: requests and requests-oauthlib."""

    def __init__(self, url: str, key: str):
        consumer, token, secret = key.split(":")
        self.base = f"{url}/api/2.0/"
        self.session = OAuth1Session(consumer, resource_owner_key=token, resource_owner_secret=secret, signature_method="PLAINTEXT")

    def get(self, path: str, **query: Any) -> Any:
        answer = self.session.get(self.base + path, params=query)
        answer.raise_for_status()
        return answer.json()


class Failed(AssertionError):
    def __init__(self, result: dict[str, Any]):
        super().__init__(result.get("msg"))
        self.result = result


def run(module: str, options: dict[str, Any], check: bool = False, diff: bool = True) -> dict[str, Any]:
    """Result of a module; Failed with its result when it fails. Secrets are removed as Ansible does it."""
    args = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    out = io.StringIO()
    code = importlib.import_module(f"ansible_collections.stratus.cloud.plugins.modules.{module}")
    with patch_module_args(args), redirect_stdout(out), redirect_stderr(io.StringIO()), suppress(SystemExit):
        code.main()
    result = json.loads(out.getvalue())
    if result.get("failed"):
        raise Failed(result)
    return result
