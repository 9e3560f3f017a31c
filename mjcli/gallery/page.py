"""The page itself: one HTML file with the data, and the scripts and styles beside it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, NamedTuple

from mjcli.gallery.entries import Entry

#: The files of the page beside `index.html`, and their types.
STATIC = {
    "gallery.css": "text/css; charset=utf-8",
    "text.js": "text/javascript; charset=utf-8",
    "filters.js": "text/javascript; charset=utf-8",
    "wall.js": "text/javascript; charset=utf-8",
    "tree.js": "text/javascript; charset=utf-8",
    "lightbox.js": "text/javascript; charset=utf-8",
    "actions.js": "text/javascript; charset=utf-8",
    "gallery.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

#: Nothing from elsewhere, no inline script or style, and no way from text to markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


class Page(NamedTuple):
    """What the page is about; `live` means that a server shows changes and runs actions."""

    title: str
    entries: list[Entry]
    version: int = 0
    live: bool = False
    more: int = 0
    """How many older jobs are not shown."""


def static(name: str) -> bytes:
    """A file of `STATIC`."""
    return files("mjcli.gallery").joinpath("static", name).read_bytes()


def html(page: Page) -> bytes:
    """The HTML file."""
    data: dict[str, Any] = page._asdict()
    template = static("index.html").decode()
    for name, text in {
        "POLICY": POLICY.replace("'", "&#39;"),
        "TITLE": _escaped(page.title),
        "DATA": json_for_html(data),
    }.items():
        template = template.replace(f"<!--{name}-->", text)
    return template.encode()


def json_for_html(document: object) -> str:
    """JSON in ASCII that no HTML parser can take for markup, whatever is in it."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _escaped(text: str) -> str:
    for character, entity in {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}.items():
        text = text.replace(character, entity)
    return "".join(each if each.isprintable() else " " for each in text)
