"""Reading what a request carries: URL-encoded forms, multipart forms (base64 parts too), JSON."""

from __future__ import annotations

import email.parser
import email.policy
import json
from typing import Any
from urllib.parse import parse_qsl

from lab.errors import BARE_TEXT, ApiError
from lab.world.maas.base import Fields


class JsonFields(Fields):
    """Fields of a JSON body, which some operations of the region cannot read."""


class Unreadable(Fields):
    """A body of a kind that no form reads."""


def parse(content_type: str, body: bytes) -> Fields:
    """The fields of a body; text and unknown kinds carry none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return Fields(collect(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)))
    if kind == "multipart/form-data":
        return Fields(collect(multipart(content_type, body)))
    if kind == "application/json" and body:
        try:
            data = json.loads(body)
        except ValueError:
            raise ApiError(400, "Bad Request", BARE_TEXT) from None
        return JsonFields(data if isinstance(data, dict) else {})
    return Unreadable() if body and kind else Fields()


def collect(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Names and texts of the parts. A body without parts is a form without fields."""
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"Content-Type: " + content_type.encode() + b"\r\nMIME-Version: 1.0\r\n\r\n" + body)
    if not message.is_multipart():
        return []
    pairs = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if name is None:
            continue
        payload: Any = part.get_payload(decode=True) or b""
        pairs.append((str(name), payload.decode(errors="replace")))
    return pairs
