"""Kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/)."""

from __future__ import annotations

from base64 import b64encode

_CHUNK = 4096  # characters of a piece
_PLACEHOLDER = "\U0010eeee"
# The marks that say which row of a picture a placeholder shows, in the order of kitty's table.
_ROWS = "".join(
    map(
        chr,
        (
            *(0x305, 0x30D, 0x30E, 0x310, 0x312, 0x33D, 0x33E, 0x33F, 0x346, 0x34A, 0x34B, 0x34C, 0x350),
            *(0x351, 0x352, 0x357, 0x35B, *range(0x363, 0x370), 0x483, 0x484, 0x485, 0x486, 0x487, 0x592),
            *(0x593, 0x594, 0x595, 0x597, 0x598, 0x599, 0x59C, 0x59D, 0x59E, 0x59F, 0x5A0, 0x5A1, 0x5A8),
            *(0x5A9, 0x5AB, 0x5AC, 0x5AF, 0x5C4, *range(0x610, 0x618), 0x657, 0x658),
        ),
    )
)
MAX_ROWS = len(_ROWS)
MAX_ID = 0xFFFFFF  # an id is also a colour of 24 bits


def show(png: bytes, columns: int, rows: int, number: int) -> str:
    """Show a PNG file at the cursor, in so many cells, under a number by which `erase` finds it."""
    return _send(png, f"a=T,f=100,C=1,c={columns},r={rows},i={number},p=1,q=2")


def load(png: bytes, columns: int, rows: int, number: int) -> str:
    """Give the terminal a picture that `placeholders` show; also through tmux."""
    return _send(png, f"a=T,U=1,f=100,c={columns},r={rows},i={number},q=2")


def placeholders(columns: int, rows: int, number: int) -> list[str]:
    """Rows of text that the terminal replaces by a picture; a multiplexer moves and removes them as it does text."""
    colour = f"\x1b[38;2;{number >> 16};{number >> 8 & 255};{number & 255}m"
    # A cell without marks continues the one before it.
    return [
        f"{colour}{_PLACEHOLDER}{mark}{_ROWS[0]}{_PLACEHOLDER * (columns - 1)}\x1b[39m"
        for mark in _ROWS[:rows]
    ]


def erase(number: int) -> str:
    """Remove a picture and free its memory."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


def _send(png: bytes, keys: str) -> str:
    text = b64encode(png).decode()
    pieces = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    sent = []
    for index, piece in enumerate(pieces):
        more = int(index + 1 < len(pieces))
        sent.append(f"\x1b_G{keys + ',' if index == 0 else 'q=2,'}m={more};{piece}\x1b\\")
    return "".join(sent)
