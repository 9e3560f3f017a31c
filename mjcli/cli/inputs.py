"""What was typed or piped: words, standard input, times, and the names of image files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from mjcli.cli.hints import command
from mjcli.cli.output.text import visible
from mjcli.errors import UsageError, reason_of
from mjcli.prompt.parse import is_link, is_name

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
UNLIKE_A_WORD = 8  # characters of an id prefix that is hardly a word
# Pages of Midjourney and messages of Discord, whose links people copy instead of the image's.
_PAGE = (
    r"(?i)https?://((www|ptb|canary|alpha)\.)?"
    r"(discord(app)?\.com/channels/|midjourney\.com/(jobs|app|imagine|explore|showcase|archive)([/?#]|$))"
)
VIDEO_SUFFIXES = (".mp4", ".webm", ".mov")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
STDIN_LIMIT = 1024 * 1024  # bytes; no prompt and no list of ids comes near it


def decoded(argument: str) -> str:
    """An argument as UTF-8 text: in a locale without UTF-8 its bytes arrive as surrogates."""
    try:
        return os.fsencode(argument).decode("utf-8") if not argument.isascii() else argument
    except UnicodeError:
        shown = argument.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f'The argument "{shown}" is not UTF-8 text. Nothing was sent.') from None


def read_stdin(stdin: TextIO, what: str) -> str:
    """All of standard input as UTF-8. Raises `UsageError` naming `what` was needed."""
    if stdin.isatty():
        raise UsageError(f"Standard input is a terminal; pass {what} as an argument or through a pipe.")
    try:
        data = stdin.buffer.read(STDIN_LIMIT + 1)
    except OSError as error:  # open for writing only, or the terminal of another session
        raise UsageError(f"Cannot read {what}: standard input cannot be read ({reason_of(error)}).") from None
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
    optional: bool = False,
) -> str:
    """The words typed; `-` as the first or the last of them stands for standard input.

    Without words and images, standard input is read too, if it is one line. With either it may be the list of
    a shell's loop. With `optional`, images alone make a prompt. `example` is the command up to the words, for
    the hint. Raises `UsageError` when there is no `what`.
    """
    hint = command(*example, "a cat on a table")
    if not words and images and optional:
        return ""
    if not words and (images or stdin.isatty()):
        raise UsageError(f"Missing {what}.", hint=f"{hint}\n{command(*example, '-')} < prompt.txt")
    if words and "-" not in (words[0], words[-1]):
        _refuse_spaced_file(words, example)
        return " ".join(words)
    if "-" in images:
        raise UsageError("Standard input can be read only once: use - for the words or the images, not both.")
    text = read_stdin(stdin, f"the {what}").strip()
    if not text:
        raise UsageError(f"The {what} is empty: standard input has no text.", hint=hint)
    lines = sum(not line.isspace() and line != "" for line in text.split("\n"))
    if not words and lines > 1:
        raise UsageError(
            f"Standard input has {lines} lines, but a {what} is one line.",
            hint=f"{command(*example, '-')} reads them all as one {what}",
        )
    before, after = words[:-1] if words[-1:] == ["-"] else (), words[1:] if words[:1] == ["-"] else ()
    return " ".join([*before, text, *after])


def _refuse_spaced_file(words: Sequence[str], example: Sequence[str]) -> None:
    """Refuse a word that is a file with spaces in its name; the others are found in the prompt."""
    for word in words:
        if any(map(str.isspace, word)) and names_image_file(word) and is_regular_file(word):
            how = command(*example, "--image", word) if example == ("imagine",) else ""
            raise UsageError(f'"{visible(word)}" is a file, not words. Nothing was sent.', hint=how or None)


def names_image_file(text: str) -> bool:
    """Whether a text has the form of an image file's name, whether the file exists or not; a prompt has not."""
    words = text.split()
    if is_link(words[-1] if words else "") or any(map(is_name, words[1:])):
        return False  # a prompt that ends with a reference
    return not text.startswith("@") and Path(text).suffix.lower() in IMAGE_SUFFIXES


def is_whole_id(text: str) -> bool:
    """Whether a text has the form of an image's id (digits), or of a task's or job's (a UUID)."""
    if text.isascii() and text.isdecimal():
        return len(text) >= 17
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def names_media_file(text: str) -> bool:
    """Whether a word has the form of the name of an image or video file, whether the file exists or not."""
    is_video = not is_link(text) and not text.startswith("@") and Path(text).suffix.lower() in VIDEO_SUFFIXES
    return is_video or names_image_file(text)


def is_file(text: str) -> bool:
    """Whether a word is a file on this machine, or has the form of an image file's name."""
    return not is_link(text) and (names_image_file(text) or is_regular_file(text))


def is_regular_file(name: str) -> bool:
    """Whether a file of this name exists; a text that no file can have as its name is none."""
    return os.path.isfile(name)  # noqa: PTH113 - unlike `Path.is_file`, it never raises


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
    if re.match(_PAGE, text) and not names_image_file(urlsplit(text).path):
        raise UsageError(
            f'"{visible(text)}" is a page that shows images, not an image. Nothing was sent.',
            hint="pass the link of the image itself, which the page opens",
        )


def moment(option: str, text: str) -> float:
    """A point in time as Unix seconds. Raises `UsageError`."""
    from datetime import datetime

    from mjcli.cli.output.times import UNITS

    if span := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        return time.time() - int(span[1]) * UNITS[span[2]]
    if re.fullmatch(_DATE, text):
        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            pass  # such as the 30th of February
    raise UsageError(
        f'"{visible(text)[:80]}" is not a time for {option}.',
        hint="use a time back from now (30m, 2h, 3d, 1w), 2026-11-01, or 2026-11-01T10:00",
    )
