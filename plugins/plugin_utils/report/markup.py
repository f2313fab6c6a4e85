# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""HTML and SVG from small functions. Text is escaped where it goes in, so that nothing that an API says can become markup."""

from __future__ import annotations

import html
from urllib.parse import urlsplit

from ansible_collections.stratus.cloud.plugins.module_utils.plain import line as harmless

VOID = frozenset(("meta", "br", "input", "hr", "rect", "line", "path", "circle"))


class Markup(str):
    """Text that is markup already; only ``el``, ``join`` and ``constant`` make it."""

    __slots__ = ()


def escape(value):
    """Text for between tags and for within quotes of attributes, without control characters."""
    return value if isinstance(value, Markup) else Markup(html.escape(harmless(value), quote=True))


def join(parts):
    return Markup("".join(escape(part) for part in parts if part is not None))


def constant(text):
    """Markup that this collection wrote itself; never anything that was read."""
    return Markup(text)


def el(tag, *children, **attributes):
    """An element. Attribute names: ``class_`` for class, other underscores are dashes; None and False leave an attribute out."""
    text = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    inner = join(children)
    if tag in VOID and not inner:
        return Markup(f"<{tag}{text}/>" if tag in ("rect", "line", "path", "circle") else f"<{tag}{text}>")
    return Markup(f"<{tag}{text}>{inner}</{tag}>")


def link(url):
    """A link for an address that a browser may follow, else its text."""
    try:
        safe = urlsplit(str(url)).scheme in ("http", "https")
    except ValueError:
        safe = False
    return el("a", url, href=url, rel="noopener noreferrer") if safe else escape(url)


def table(head, rows, **attributes):
    """A table; a cell that is a tuple is (content, class). The first cell of a row is its heading."""

    def cell(content, tag, **more):
        text, name = content if isinstance(content, tuple) else (content, None)
        return el(tag, text, class_=name, **more)

    body = [el("tr", cell(row[0], "th", scope="row"), *(cell(content, "td") for content in row[1:])) for row in rows]
    return el(
        "div",
        el("table", el("thead", el("tr", *(cell(content, "th", scope="col") for content in head))), el("tbody", *body), **attributes),
        class_="scroll",
        tabindex="0",
    )
