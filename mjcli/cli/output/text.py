"""Make untrusted text safe to print: visible escapes for people, JSON escapes for scripts."""

from __future__ import annotations

import json
from typing import Any

# Everything that can drive a terminal or reorder what it shows: C0, DEL, C1, the line and paragraph
# separators, bidirectional and other invisible controls, the byte order mark.
_CONTROLS = (
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    0x200E,
    0x200F,
    0x180E,
    *range(0x2028, 0x202F),
    *range(0x2066, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
)
_VISIBLE = {code: (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}") for code in _CONTROLS}
_VISIBLE.update({0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"})
# In valid JSON these characters occur only inside strings.
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in _CONTROLS if code >= 0x7F}


def visible(text: object) -> str:
    """`text` on one line, with control characters shown as escapes such as `\\x1b`."""
    return str(text).translate(_VISIBLE)


def shortened(value: object) -> str:
    """A value of a request for people; long ones, such as masks, are cut."""
    text = value if isinstance(value, str) else json_line(value)
    return text if len(text) <= 500 else f"{text[:500]}… ({len(text)} characters)"


def json_line(document: object) -> str:
    """`document` as one line of JSON: non-ASCII text is kept, control characters are escaped."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).translate(_JSON_ESCAPES)


def raw_json_line(line: bytes) -> bytes | None:
    """One line of valid JSON, unchanged except that control characters are escaped; None if it is not one.

    Below U+0020, valid JSON has only white space, between its values. NaN and Infinity are not JSON.
    """
    if (
        b"\r" in line
        or b"\t" in line
        or (b"N" in line and b"NaN" in line)
        or (b"I" in line and b"Infinity" in line)
    ):
        return None
    if line.isascii() and b"\x7f" not in line:
        return line
    return line.decode("utf-8").translate(_JSON_ESCAPES).encode("utf-8")


def visible_lines(text: str) -> str:
    """`text` with control characters shown as escapes, except for its line ends."""
    return "\n".join(map(visible, text.split("\n")))


def encode_exactly(text: str, encoding: str | None) -> bytes:
    """`text` in a stream's encoding, with the bytes of a file name that are not text; else as `encode`."""
    try:
        return text.encode(encoding or "utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return encode(text, encoding)


def encode(text: str, encoding: str | None) -> bytes:
    """`text` in a stream's encoding; other characters become backslash escapes (never an error)."""
    return text.encode(encoding or "utf-8", "backslashreplace")


def encode_json(text: str) -> bytes:
    """JSON text as UTF-8 in any locale; lone surrogates, which UTF-8 cannot encode, become JSON escapes."""
    # backslashreplace writes a lone surrogate as \\udXXX, which is also JSON's escape for it.
    return text.encode("utf-8", "backslashreplace")


def parse_field(path: str) -> list[str | int]:
    """The steps of a `--field` path: `files[0]`, `files.0` and `.error.code` are all valid.

    Raises `ValueError` with a sentence for an invalid path.
    """
    import re

    steps: list[str | int] = []
    for part in path.removeprefix(".").split("."):
        # A path may begin with an index; a name has no spaces, commas or other punctuation.
        found = re.fullmatch(r"((?:[\w$@][\w$@-]*|-?[0-9]+)?)((?:\[-?[0-9]{1,9}\])*)", part)
        if found is None or not (found[1] or (found[2] and not steps)):
            raise ValueError(
                f'"{visible(path)}" is not a path for --field, which takes one, such as raw_image_url or files[0].'
            )
        if found[1]:
            steps.append(int(found[1]) if re.fullmatch("-?[0-9]{1,9}", found[1]) else found[1])
        steps += map(int, found[2][1:-1].split("][") if found[2] else ())
    return steps


def select_field(document: Any, steps: list[str | int]) -> Any:
    """The value at a path in a JSON value; None if there is none, as in jq."""
    for step in steps:
        if isinstance(document, dict):
            document = document.get(str(step))
        elif isinstance(document, list) and isinstance(step, int) and -len(document) <= step < len(document):
            document = document[step]
        else:
            return None
    return document


def count_of_jobs(count: int) -> str:
    """A number of jobs for people: `1 job`, `2 jobs`."""
    return "1 job" if count == 1 else f"{count} jobs"


def raw_value(value: Any) -> str:
    """A JSON value as `jq -r` prints it: strings bare, the rest as indented JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2).translate(_JSON_ESCAPES)
