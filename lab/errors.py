"""What a simulated service answers when it refuses: the domain functions raise these, the faces turn them into replies."""

from __future__ import annotations

import json
from typing import Any

JSON = "application/json; charset=utf-8"
BARE_JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BARE_TEXT = "text/plain"
# Headers of an answer that did not pass the region's usual way out: None takes away what the others have.
NAKED: dict[str, str | None] = {"Vary": None, "X-Frame-Options": None}


class ApiError(Exception):
    """An answer that is not a success: status, body (text, or JSON data when ``content_type`` says so), headers."""

    def __init__(self, status: int, body: Any = "", content_type: str = TEXT, headers: dict[str, str | None] | None = None):
        super().__init__(body if isinstance(body, str) else json.dumps(body))
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers or {}


def invalid(errors: dict[str, str | list[str]], content_type: str = JSON) -> ApiError:
    """400 with messages by field, as a form rejects what it was given."""
    return ApiError(400, {field: [text] if isinstance(text, str) else text for field, text in errors.items()}, content_type)


def bad(text: str) -> ApiError:
    return ApiError(400, text)


def forbidden(text: str = "") -> ApiError:
    return ApiError(403, text)


def conflict(text: str) -> ApiError:
    return ApiError(409, text)


def missing(model: str) -> ApiError:
    """404 of a look-up that found nothing."""
    return ApiError(404, f"No {model} matches the given query.", BARE_TEXT)


def unavailable(text: str) -> ApiError:
    """503 of a region that reaches no rack controller; clients come back after the given time."""
    return ApiError(503, text, TEXT, {"Retry-After": "10"})
