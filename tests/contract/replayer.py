"""Replays recorded exchanges against the lab's region and compares the answers.

A recorded id (of a machine, a NIC, a subnet ...) is not the lab's: the two are paired whenever two answers are compared, and later requests are
sent with the lab's ids. What is compared: status, content type, for successes the shape of the body (keys, JSON types, lengths of lists), for
refusals the body itself with paired ids and times made equal.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests

HERE = Path(__file__).parent
API = "/MAAS/api/2.0/"
# Headers that belong to the contract: there as in the recorded answer, or not.
HEADERS = ("Allow", "WWW-Authenticate", "Location", "Retry-After", "Vary", "X-Frame-Options")
# Lists of things whose order is nobody's promise are paired by one of these keys.
NAMES = ("mac_address", "hostname", "cidr", "username", "name", "ip", "start_ip", "url")
# Fields of forms that hold ids: which kind.
ID_FIELDS = {
    "parent": "interfaces",
    "parents": "interfaces",
    "subnet": "subnets",
    "vlan": "vlans",
    "id": "links",
    "system_id": "nodes",
    "add": "nodes",
    "remove": "nodes",
    "machines": "nodes",
    "primary_rack": "nodes",
}
# Values that differ from run to run (ids, times, secrets, random names), or that the lab words for itself (descriptions of scripts and drivers).
UNFORESEEN = {
    "id",
    "device_id",
    "link_id",
    "script_id",
    "script_revision_id",
    "current_commissioning_result_id",
    "current_testing_result_id",
    "current_installation_result_id",
    "resource_uri",
    "next_uri",
    "prev_uri",
    "uuid",
    "hardware_uuid",
    "id_path",
    "created",
    "updated",
    "started",
    "ended",
    "last_ping",
    "runtime",
    "starttime",
    "endtime",
    "estimated_runtime",
    "consumer_key",
    "token_key",
    "token_secret",
    "token",
    "title",
    "sha256",
    "filename_on_disk",
}
# The same for single resources and operations: texts and sizes that are the lab's own ("" is a whole body).
WORDED = {"scripts/": {"description", "comment"}, "spaces/": {"description"}, "boot-resources/5/": {"size"}, "op=get_curtin_config": {""}}
# Exchanges in which the region makes up a name.
NAMED = {"create no hostname", "machine create lxd vm-host no rack", "vm-host lxd unreachable", "vm-host virsh unreachable"}
EVENT_QUERY = ("after", "before")
# What differs between two runs of one region: times, nonces, secrets.
NORMAL = [
    (re.compile(r"\b1[56789]\d{8}\b"), "<time>"),
    (re.compile(r"(?<=Nonce already used: )\w+"), "<nonce>"),
    (re.compile(r"(?<=signature base string: &)\w+"), "<secret>"),
]


def exchanges(name: str) -> list[dict[str, Any]]:
    with gzip.open(HERE / "transcripts" / f"{name}.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def kind(value: Any) -> str:
    for name, types in (("bool", bool), ("null", type(None)), ("int", int), ("float", float), ("str", str), ("list", list), ("object", dict)):
        if isinstance(value, types):
            return name
    return "?"


class Ids:
    """Recorded ids and the lab's, by kind."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], Any] = {}

    def learn(self, kind_: str, recorded: Any, ours: Any) -> None:
        self.pairs[kind_, str(recorded)] = ours

    def ours(self, kind_: str, recorded: Any) -> Any:
        return self.pairs.get((kind_, str(recorded)), recorded)

    def nodes(self) -> dict[str, str]:
        return {recorded: ours for (kind_, recorded), ours in self.pairs.items() if kind_ == "nodes"}

    @staticmethod
    def kind_of(row: dict[str, Any], place: str) -> str | None:
        """What sort of thing an object with an ``id`` is: by its address, else by the list that it stands in."""
        uri = row.get("resource_uri", "")
        match = re.search(r"/([\w-]+)/[\w-]+/?$", uri)
        if match:
            return match[1]
        return place if place in ("links", "results", "events") else None


class Comparison:
    """Differences between a recorded body and ours."""

    def __init__(self, ids: Ids, free: set[str] | None = None, named: bool = False):
        self.ids = ids
        self.free = UNFORESEEN | (free or set())
        self.named = named
        self.differences: list[str] = []

    def shape(self, recorded: Any, ours: Any, where: str = "$", place: str = "") -> None:
        """Keys and JSON types of ``ours`` are those of ``recorded``."""
        if kind(recorded) != kind(ours):
            self.differences.append(f"{where}: {kind(recorded)} expected, {kind(ours)} found")
        elif isinstance(recorded, dict):
            self._object(recorded, ours, where, place)
        elif not isinstance(recorded, list):
            self._value(recorded, ours, where, place)
        elif isinstance(recorded, list):
            self._list(recorded, ours, where, place)

    def _value(self, recorded: Any, ours: Any, where: str, place: str) -> None:
        """Values are the same, too, but for those that nobody could foretell (ids are paired, not compared)."""
        if self.named and place in ("hostname", "fqdn", "name"):
            self.ids.learn("names", recorded, ours)
        if place in self.free or recorded == ours or ours in (self.ids.ours("names", recorded), self.ids.ours("nodes", recorded)):
            return
        self.differences.append(f"{where}: {str(recorded)[:80]!r} expected, {str(ours)[:80]!r} found")

    def _object(self, recorded: dict[str, Any], ours: dict[str, Any], where: str, place: str) -> None:
        if isinstance(recorded.get("system_id"), str) and isinstance(ours.get("system_id"), str):
            self.ids.learn("nodes", recorded["system_id"], ours["system_id"])
        what = Ids.kind_of(recorded, place)
        if what and "id" in recorded and "id" in ours:
            self.ids.learn(what, recorded["id"], ours["id"])
        nodes = self.ids.nodes()
        expected = {nodes.get(key, key): key for key in recorded}
        for key in sorted(set(expected) - set(ours)):
            self.differences.append(f"{where}.{key}: missing")
        for key in sorted(set(ours) - set(expected)):
            self.differences.append(f"{where}.{key}: not expected")
        for key in sorted(set(ours) & set(expected)):
            self.shape(recorded[expected[key]], ours[key], f"{where}.{key}", key)

    def _list(self, recorded: list[Any], ours: list[Any], where: str, place: str) -> None:
        if len(recorded) != len(ours):
            self.differences.append(f"{where}: {len(recorded)} entries expected, {len(ours)} found")
            return
        known = [{**row, **{k: self.ids.ours("names", row[k]) for k in ("name", "hostname") if k in row}} if isinstance(row, dict) else row for row in recorded]
        for number, (left, right) in enumerate(zip(self._ordered(known, place), self._ordered(ours, place), strict=True)):
            self.shape(left, right, f"{where}[{number}]", place)

    @staticmethod
    def _ordered(rows: list[Any], place: str) -> list[Any]:
        if place == "ip_addresses":
            return sorted(rows)
        if place == "events" or not all(isinstance(row, dict) for row in rows):
            return rows
        if place == "links":
            return sorted(rows, key=lambda row: (row.get("ip_address", ""), row["mode"]))
        for name in NAMES:
            values = [row.get(name) for row in rows]
            if rows and all(isinstance(value, str) for value in values) and len(set(values)) == len(values):
                return sorted(rows, key=lambda row: row[name])
        for names in (("name", "architecture"), ("fabric", "vid")):
            if all(set(names) <= set(row) for row in rows):
                return sorted(rows, key=lambda row: [row[name] for name in names])
        return rows

    def exact(self, recorded: Any, ours: Any) -> None:
        left, right = self._normal(recorded), self._normal(ours)
        for theirs, own in self.ids.nodes().items():
            left = left.replace(theirs, own)
        for (what, theirs), own in self.ids.pairs.items():
            if what == "links":
                left = left.replace(f"one of: '{theirs}'.", f"one of: '{own}'.")
        if left != right:
            self.differences.append(f"body: {left[:300]} expected, {right[:300]} found")

    @staticmethod
    def _normal(body: Any) -> str:
        text = body if isinstance(body, str) else json.dumps(body, sort_keys=True)
        for pattern, replacement in NORMAL:
            text = pattern.sub(replacement, text)
        return text


class Replayer:
    """Sends one recorded request after the other to a lab."""

    def __init__(self, lab: Any, personality: str = "3.5"):
        self.lab = lab
        self.personality = personality
        self.ids = Ids()
        self.keys = {"admin": lab.api_key}
        self.session = requests.Session()
        self.nonce = ""

    # -- one exchange -----------------------------------------------------------------------------------------------------------
    def play(self, exchange: dict[str, Any], auth: str = "admin") -> list[str]:
        """Send it; the differences between the recorded answer and ours."""
        response = self.send(exchange, auth)
        return self.compare(exchange, response)

    def send(self, exchange: dict[str, Any], auth: str) -> requests.Response:
        path = self._path(exchange["path"])
        query = self._query(exchange, path)
        base = f"http://127.0.0.1:{self.lab.port}"
        headers = {"Authorization": header} if (header := self._authorization(auth)) else {}
        if "accept xml" in exchange["label"]:
            headers["Accept"] = "application/xml"
        request = requests.Request(exchange["method"], f"{base}{path}{'?' + query if query else ''}", headers=headers, **self._payload(exchange, path))
        prepared = self.session.prepare_request(request)
        prepared.url = f"{base}{path}{'?' + query if query else ''}"
        if not self._has_body(exchange) and exchange["request_content_type"] and exchange["method"] != "GET":
            prepared.headers["Content-Type"] = exchange["request_content_type"]
        return self.session.send(prepared, allow_redirects=False, timeout=60)

    def compare(self, exchange: dict[str, Any], response: requests.Response) -> list[str]:
        comparison = Comparison(self.ids, WORDED.get(exchange["path"].removeprefix(API)) or WORDED.get(exchange["query"]), exchange["label"] in NAMED)
        differences = comparison.differences
        if response.status_code != exchange["status"]:
            differences.append(f"status: {exchange['status']} expected, {response.status_code} found ({response.text[:200]})")
        recorded = exchange["headers"]
        if response.headers.get("Content-Type") != recorded.get("Content-Type"):
            differences.append(f"content type: {recorded.get('Content-Type')} expected, {response.headers.get('Content-Type')} found")
        for name in HEADERS:
            if response.headers.get(name) != recorded.get(name):
                differences.append(f"{name}: {recorded.get(name)} expected, {response.headers.get(name)} found")
        if ("X-MAAS-API-Hash" in response.headers) != ("X-Maas-Api-Hash" in recorded):
            differences.append(f"X-MAAS-API-Hash: {'X-Maas-Api-Hash' in recorded} expected")
        body = exchange["body"]
        ours = self._body(response)
        if isinstance(body, dict) and set(body) == {"see"}:
            body = json.loads(gzip.decompress((HERE / "describe" / f"{body['see']}.gz").read_bytes()))
            ours = ours if isinstance(ours, dict) else {}
            comparison.shape(sorted(set(body) | {"doc"}), sorted(ours))
        elif exchange["status"] >= 400:
            comparison.exact(body, ours)
        else:
            comparison.shape(body, ours)
        return differences

    @staticmethod
    def _body(response: requests.Response) -> Any:
        if response.headers.get("Content-Type", "").startswith("application/json"):
            try:
                return response.json()
            except ValueError:
                return response.text
        return response.text

    # -- requests ---------------------------------------------------------------------------------------------------------------
    def _path(self, path: str) -> str:
        nodes = self.ids.nodes()
        parts = path.split("/")
        for index, part in enumerate(parts):
            if part in nodes:
                parts[index] = nodes[part]
            elif index and part.isdigit():
                owner = parts[index - 1]
                owner = {"vlans": "vids"}.get(owner, owner)
                parts[index] = str(self.ids.ours(owner, part))
        return "/".join(parts)

    def _query(self, exchange: dict[str, Any], path: str) -> str:
        if not exchange["query"]:
            return ""
        nodes = self.ids.nodes()
        pairs = []
        for name, value in parse_qsl(exchange["query"], keep_blank_values=True):
            if name in EVENT_QUERY and "/events/" in path:
                value = str(self.ids.ours("events", value))
            pairs.append((name, nodes.get(value, value)))
        return urlencode(pairs)

    @staticmethod
    def _has_body(exchange: dict[str, Any]) -> bool:
        return bool(exchange["form"]) or exchange["json_body"] is not None

    def _payload(self, exchange: dict[str, Any], path: str) -> dict[str, Any]:
        if exchange["json_body"] is not None:
            return {"json": exchange["json_body"]}
        if exchange["label"] == "tag create bad JSON":
            return {"data": "{bad"}
        if exchange["label"] == "tag create text/plain body":
            return {"data": "name=x"}
        form = exchange["form"]
        if not form:
            return {}
        pairs = list(form.items()) if isinstance(form, dict) else [tuple(pair) for pair in form]
        flat = [(name, self._field(name, str(value), path)) for name, values in pairs for value in (values if isinstance(values, list) else [values])]
        if exchange["encoding"] == "multipart":
            return {"files": [(name, (None, value)) for name, value in flat]}
        return {"data": flat}

    def _field(self, name: str, value: str, path: str) -> str:
        what = ID_FIELDS.get(name)
        if what is None:
            return value
        return str(self.ids.ours(what, value))

    # -- keys -------------------------------------------------------------------------------------------------------------------
    def _authorization(self, auth: str) -> str:
        """The Authorization header: of a user, or one of the ways in which it can be wrong."""
        if auth in ("none", ""):
            return ""
        if auth == "basic":
            return "Basic " + base64.b64encode(b"admin:admin").decode()
        consumer, token, secret = self.keys.get(auth, self.keys["admin"]).split(":")
        parts = {
            "oauth_consumer_key": consumer,
            "oauth_token": token,
            "oauth_signature_method": "PLAINTEXT",
            "oauth_signature": f"&{secret}",
            "oauth_timestamp": str(int(time.time())),
            "oauth_nonce": secrets.token_hex(16),
            "oauth_version": "1.0",
        }
        if auth == "wrong key":
            parts.update(oauth_consumer_key="a" * 18, oauth_token="b" * 18)
        elif auth == "wrong secret":
            parts["oauth_signature"] = "&" + "c" * 32
        elif auth == "wrong token":
            parts["oauth_token"] = "b" * 18
        elif auth == "no token":
            del parts["oauth_token"]
        elif auth == "nonce":
            parts["oauth_nonce"] = self.nonce = self.nonce or secrets.token_hex(16)
        elif auth == "expired":
            parts["oauth_timestamp"] = "1600000000"
        elif auth == "version 2.0":
            parts["oauth_version"] = "2.0"
        return 'OAuth realm="", ' + ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in parts.items())


def target(exchange: dict[str, Any]) -> str:
    """Method and path, for reports."""
    return f"{exchange['method']} {urlsplit(exchange['path']).path.removeprefix(API)} {exchange['query'] or ''}".strip()
