"""Lines of a result on a terminal: short links that can be clicked, dim ids, actions in words.

What is printed elsewhere is the plain text of the same values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from mjcli.cli.output.table import clipped, display_width
from mjcli.cli.output.terminal import folded
from mjcli.cli.output.text import encode, visible

_DIM, _NAME, _PLACE = "2", "36", "1"
_NAME_COLUMNS = 16  # of the name at the end of a link, below which its host is left out
_LONGEST_LINK = 2083  # bytes; some terminals ignore longer ones
# Of a host, without a user's name, which could make it look like another one.
_HOST = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_ALLOWED = "%/:=&?~#+!$,;'@()*[]"  # in a link beside letters, digits and "_.-"

# What people call an action, in the order shown; other actions follow under their own names.
_WORDS: dict[str, dict[str, str]] = {
    "upscale": {
        **{f"{name}{n}": str(n) for name in ("upscale", "upsample") for n in range(1, 5)},
        "upscale_2x": "2x",
        "upscale_4x": "4x",
    },
    "vary": {
        **{f"variation{n}": str(n) for n in range(1, 5)},
        "variation_subtle": "subtle",
        "variation_strong": "strong",
        "variation_region": "region",
    },
    "reroll": {"reroll": ""},
    "zoom": {"zoom_out_1_5x": "1.5", "zoom_out_2x": "2"},
    "pan": {f"pan_{side}": side for side in ("left", "right", "up", "down")},
}


class Link(str):
    """The link of an image or a video."""

    __slots__ = ()


class Identifier(str):
    """An id, which people rarely read."""

    __slots__ = ()


class Actions(str):
    """The names of actions, separated by spaces."""

    __slots__ = ()


class Page(NamedTuple):
    """A terminal: width, encoding, whether it has colours and hyperlinks. `hide` masks the tokens in a text."""

    width: int
    encoding: str | None
    colour: bool
    links: bool
    hide: Callable[[str], str]

    def paint(self, text: str, code: str) -> str:
        """`text` in a colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def has(self, text: str) -> bool:
        """Whether the terminal's encoding has these characters."""
        return self.encoded(text) == text

    def encoded(self, text: str) -> str:
        """`text` as the terminal shows it, with escapes for what its encoding lacks."""
        return encode(text, self.encoding).decode(self.encoding or "utf-8")

    def short_link(self, url: str, room: int) -> str:
        """A link in at most `room` columns: the host and the end of its path, or of these what has room."""
        more = "…" if self.has("…") else "..."
        host, path = urlsplit(url)[1:3]
        name = path.rstrip("/").rpartition("/")[2]
        first, *rest = (
            self.encoded(visible(each)) for each in (host + path, f"{host}/{more}/{name}", f"{more}/{name}")
        )
        if display_width(first) <= room:
            return first
        enough = min(display_width(name), _NAME_COLUMNS)
        best = rest[0] if room - display_width(rest[0]) + display_width(name) >= enough else rest[1]
        return clipped(best, room, more)


def laid_out(lines: Iterable[tuple[str, str]], page: Page) -> str:
    """`name: value` lines as a block with the values below each other; values of one name are one group.

    All of it may come from outside: control characters are made visible.
    """
    rows = [(visible(name), value) for name, value in lines]
    indent = max((display_width(name) for name, _ in rows), default=0) + 2
    text, before = "", None
    for name, value in rows:
        label = "" if name == before else name
        before = name
        for row in _rows(name, value, page, indent):
            padding = " " * (indent - display_width(label))
            text += f"{page.paint(label, _NAME)}{padding}{row}\n"
            label = ""
    return text


def heading(place: str, text: str, page: Page) -> str:
    """The place of a job among several, such as `2/4`, and its prompt, in which links are short."""
    indent = len(place) + 2
    room = max(page.width - indent, 2)
    words = (page.short_link(each, room) if link_target(each) else visible(each) for each in text.split(" "))
    # Nothing here is for copying, so a long word, such as a sentence without spaces, may be broken.
    pieces = (piece for word in words for piece in _pieces(page.encoded(word), room))
    return f"{page.paint(place, _PLACE)}  {folded(' '.join(pieces), page.width, indent)}"


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in pieces of at most `room` columns."""
    while display_width(word) > room:
        piece = clipped(word, room, "")
        yield piece
        word = word[len(piece) :]
    yield word


def _rows(name: str, value: str, page: Page, indent: int) -> Iterator[str]:
    """The rows of one value."""
    room = page.width - indent
    if (
        isinstance(value, Link)
        and page.links
        and page.hide(value) == value
        and (target := link_target(value))
    ):
        yield f"\x1b]8;;{target}\x1b\\{page.short_link(value, room)}\x1b]8;;\x1b\\"
        return
    acts = isinstance(value, Actions)
    rows = _packed(grouped(value.split(" ")), room, page) if acts else [visible(value)]
    for row in rows:
        # A command is for copying, so it stays on one line.
        shown = row if name == "next" else folded(row, page.width, indent)
        yield page.paint(shown, _DIM) if isinstance(value, Identifier) else shown


def link_target(url: str) -> str | None:
    """The address as an OSC 8 hyperlink can carry it; None if it is not a plain http or https address.

    Nothing in it can end the sequence: all but printable ASCII is percent-encoded.
    """
    if visible(url) != url or any(map(str.isspace, url)):
        return None
    try:
        scheme, host, *_ = urlsplit(url)
        target = quote(url, safe=_ALLOWED)
    except ValueError:  # such as half of a surrogate pair
        return None
    plain = scheme.lower() in ("http", "https") and _HOST.fullmatch(host) and len(target) <= _LONGEST_LINK
    return target if plain else None


def grouped(names: Sequence[str]) -> list[str]:
    """Actions as people read them: `upscale 1-4`, `pan left right`; unknown ones as they are."""
    groups = []
    for verb, words in _WORDS.items():
        offered = {words[name] for name in names if name in words}
        values = [value for value in dict.fromkeys(words.values()) if value in offered]
        if values:
            groups.append(" ".join([verb, *_ranges(values)]).rstrip())
    known = {name for words in _WORDS.values() for name in words}
    return [*groups, *(visible(name) for name in dict.fromkeys(names) if name not in known)]


def _ranges(values: Sequence[str]) -> list[str]:
    """`1-4` for all four images of a grid, else the values."""
    every = ["1", "2", "3", "4"]
    return ["1-4", *values[4:]] if list(values[:4]) == every else list(values)


def _packed(groups: Sequence[str], room: int, page: Page) -> list[str]:
    """Groups in rows of at most `room` columns; one that is wider has a row of its own."""
    dot = "·" if page.has("·") else "|"
    rows: list[list[str]] = []
    used = 0
    for group in groups:
        width = display_width(page.encoded(group))
        if rows and used + 3 + width <= room:
            rows[-1].append(group)
            used += 3 + width
        else:
            rows.append([group])
            used = width
    return [f" {page.paint(dot, _DIM)} ".join(row) for row in rows]
