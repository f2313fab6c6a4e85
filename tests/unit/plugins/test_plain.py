"""Texts of others, made fit to be printed."""

from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils import plain


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x9b", "\u202e", "\u2066"])
def test_nothing_is_left_that_a_terminal_obeys(char):
    assert plain.line(f"a{char}b") == "a?b"
    assert plain.lines(f"a{char}b\nc") == "a?b\nc"


def test_words_of_any_language_stay():
    text = "São Paulo, Ελλάδα, 日本 – »so«\n  und so"
    assert plain.lines(text) == text and plain.line(text) == text.replace("\n", "?")


def test_of_an_answer_only_what_is_printed_is_changed():
    given = {"msg": "\x1b[31m", "diff": {"before": {"a": ["\x1b", 1, None]}, "after": "\x1b\n"}, "description": "\x1b", "changed": True}
    assert plain.answer(given) == {"msg": "?[31m", "diff": {"before": {"a": ["?", 1, None]}, "after": "?\n"}, "description": "\x1b", "changed": True}
