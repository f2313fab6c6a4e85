"""Runs a module of the collection in this process, and a MAAS client that nobody here wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from requests_oauthlib import OAuth1Session

from tests.support.run_module import run_module


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


def run(module: str, options: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """Result of a module; Failed with its result when it fails. Secrets are removed as Ansible does it."""
    result = run_module(module, options, Path(), check=check)
    if result.failed:
        raise Failed(result)
    return result
