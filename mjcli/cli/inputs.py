"""What was typed or piped: words, standard input, and the names of image files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from mjcli.cli.hints import command
from mjcli.cli.output.text import visible
from mjcli.errors import UsageError
from mjcli.prompt.compose import words_of
from mjcli.prompt.parse import is_link

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
STDIN_LIMIT = 1024 * 1024  # bytes; no prompt and no list of ids comes near it


def read_stdin(stdin: TextIO, what: str) -> str:
    """All of standard input as UTF-8. Raises `UsageError` naming `what` was needed."""
    if stdin.isatty():
        raise UsageError(f"Standard input is a terminal; pass {what} as an argument or through a pipe.")
    data = stdin.buffer.read(STDIN_LIMIT + 1)
    if len(data) > STDIN_LIMIT:
        raise UsageError(f"Standard input is larger than {STDIN_LIMIT} bytes, the limit for {what}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"Cannot read {what}: standard input is not UTF-8 text.") from None


def expand(stdin: TextIO, arguments: Sequence[str], what: str) -> list[str]:
    """The arguments, with `-` replaced by the lines of standard input. Raises `UsageError` when none are left."""
    found: list[str] = []
    for argument in arguments:
        if argument == "-":
            lines = [line.strip() for line in read_stdin(stdin, f"the {what}").splitlines()]
            found += [line for line in lines if line]
        else:
            found.append(argument)
    if not found:
        raise UsageError(f"Standard input contains no {what}.")
    return found


def words_or_stdin(
    stdin: TextIO,
    words: Sequence[str],
    images: Sequence[str] = (),
    *,
    example: Sequence[str] = ("imagine",),
    what: str = "prompt",
) -> str:
    """The words typed, or standard input when there are none or only `-`.

    `images` alone make a prompt too, and may come from standard input instead. `example` is the command up to
    the words, for the hint. Raises `UsageError` when there is no `what`.
    """
    if words and list(words) != ["-"]:
        return words_of(words)
    if "-" in images:
        if words:
            raise UsageError(
                "Standard input can be read only once: use - for the words or the images, not both."
            )
        return ""
    hint = command(*example, "a cat on a table")
    if not words and stdin.isatty():
        if images:
            return ""
        raise UsageError(f"Missing {what}.", hint=f"{hint}\n{command(*example, '-')} < prompt.txt")
    text = read_stdin(stdin, f"the {what}").strip()
    if not text and not (images and not words):
        raise UsageError(f"The {what} is empty: standard input has no text.", hint=hint)
    return text


def names_image_file(text: str) -> bool:
    """Whether a word has the form of an image file's name, whether the file exists or not."""
    return not is_link(text) and not text.startswith("@") and Path(text).suffix.lower() in IMAGE_SUFFIXES


def is_file(text: str) -> bool:
    """Whether a word is a file on this machine, or has the form of an image file's name."""
    return not is_link(text) and (names_image_file(text) or Path(text).is_file())


def is_valid_link(text: str) -> bool:
    """Whether a link can be valid: it has a host, and a port that is a number."""
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def refuse_bad_link(text: str) -> None:
    """Refuse an address that cannot be the link of an image. Raises `UsageError`."""
    scheme, separator, _ = text.partition("://")
    if not separator or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme) is None:
        return  # with one letter, it is a drive of Windows
    if scheme.lower() not in ("http", "https"):
        raise UsageError(f'"{visible(text)}" is not a link: it must start with http:// or https://.')
    if not is_valid_link(text):
        raise UsageError(f'"{visible(text)}" is not a valid link. Nothing was sent.')
