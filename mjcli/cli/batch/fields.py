"""The fields of a batch file: their names, the types of their values, and the identity of a line."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mjcli.prompt.parameters import BY_SPELLING, Parameter, check_value, either, fits, quoted
from mjcli.prompt.parse import is_name, names_image

MODES = ("fast", "relax", "turbo")
SWITCHES = ("translation", "split_images", "style_reference", "moodboard")  # true or false in the request
PROMPT_ONLY = ("translation", "style_reference", "moodboard")  # fields that actions do not have
LONGEST_KEY = 200  # characters

# Fields that people may expect and that a file from elsewhere must not set.
_FORBIDDEN = frozenset(
    (
        *("callback_url", "callback", "webhook", "timeout", "async", "stream", "wait", "no_wait", "retries"),
        *("token", "base_url", "proxy", "host", "ledger", "no_ledger", "data_dir", "force", "exec"),
    )
)
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_NAMES = re.compile(r'"([^"]*)"|(\S+)')  # with spaces between; one that contains spaces is in quotes
_IDENTITY_LENGTH = 32  # hexadecimal digits

Value = str | bool | tuple[str, ...] | None  # None: not given
Digest = Callable[[str], str | None]


class Number(str):
    """A number of a JSON file, as it is written there."""


class Pairs(list[tuple[str, Any]]):
    """An object of a JSON file, with its names in order, repeated ones included."""


# -- names -----------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """Text with white space folded and Unicode normalised."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def name_of(text: str) -> str:
    """The name of a field as it is typed in a header: `--AR` is `ar`, `Split Images` is `split_images`."""
    return re.sub(r"[\s_-]+", "_", folded(text).lower().removeprefix("--"))


def meaning_of(name: str) -> str:
    """What two names of one field have in common: `ar` is `aspect`."""
    parameter = BY_SPELLING.get(name)
    return parameter.name if parameter is not None else name


def problem_of_name(name: str, typed: str, what: str = "field") -> str | None:
    """What is wrong with the name of a field (`what`: or a column), as a sentence; None for a known one."""
    if name in READERS:
        return None
    if name == "profile":
        return f'The {what} "profile" is unclear: name it "p" for a personalisation code; accounts go into --profile.'
    if name in _FORBIDDEN:
        return f"A batch file cannot set {quoted(typed)}."
    from difflib import get_close_matches

    near = get_close_matches(name, READERS, n=1)
    return f"Unknown {what} {quoted(typed)}." + (f' Did you mean "{near[0]}"?' if near else "")


# -- values ----------------------------------------------------------------------------------------


def read_value(name: str, raw: Any) -> Value:
    """The value of a known field; an empty one is not given. Raises `ValueError` with a sentence."""
    if raw is None or raw == [] or (isinstance(raw, str) and not raw.strip()):
        return None
    if isinstance(raw, Pairs):
        raise ValueError(f"{name} cannot be an object.")
    return READERS[name](name, raw)


def _shown(raw: Any) -> str:
    """A value that has the wrong type, for a message."""
    if isinstance(raw, list):
        return "a list"
    if isinstance(raw, bool):
        return str(raw).lower()
    return raw if isinstance(raw, Number) else quoted(raw)


def _read_text(name: str, raw: Any, *, numbers: bool = False) -> str:
    if not isinstance(raw, str) or (isinstance(raw, Number) and not numbers):
        raise ValueError(f"{name} takes text, not {_shown(raw)}.")
    return raw.strip()


def _read_key(name: str, raw: Any) -> str:
    key = folded(_read_text(name, raw, numbers=True))
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise ValueError(f"key takes 1 to {LONGEST_KEY} printable characters.")
    return key


def _read_mode(name: str, raw: Any) -> str:
    mode = _read_text(name, raw).lower()
    if mode not in MODES:
        raise ValueError(f"{quoted(mode)} is not valid: mode takes {either(MODES)}.")
    return mode


def _read_switch(name: str, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(f"{name} takes true or false, not {_shown(raw)}.")
    return word in _TRUE


def _read_steps(name: str, raw: Any) -> tuple[str, ...]:
    texts = raw if isinstance(raw, list) else _read_text(name, raw).split(";")
    if not all(isinstance(each, str) for each in texts):
        raise ValueError(f"{name} takes steps with semicolons between them, or a list of steps.")
    return tuple(each.strip() for each in texts if each.strip())


def _read_names(name: str, raw: Any) -> tuple[str, ...]:
    """Names with spaces between them, or a list of names."""
    if isinstance(raw, list):
        if not all(isinstance(each, str) for each in raw):
            raise ValueError(f"{name} takes a list of text.")
        return tuple(each.strip() for each in raw if each.strip())
    if not isinstance(raw, str):
        raise ValueError(f"{name} takes text or a list of text, not {_shown(raw)}.")
    return tuple(each[1] if each[2] is None else each[2] for each in _NAMES.finditer(raw))


def _read_images(name: str, raw: Any) -> tuple[str, ...]:
    images = _read_names(name, raw)
    for each in images:
        if each.startswith("@"):
            raise ValueError(f"{quoted(each)} changes with every job: {name} takes ids, links and files.")
        if each == "-" or not each:
            raise ValueError(f"{quoted(each)} is not an image: {name} takes ids, links and files.")
    return images


def _read_flag(parameter: Parameter, name: str, raw: Any) -> Value:
    return _read_switch(name, raw) or None


def _read_parameter(parameter: Parameter, name: str, raw: Any) -> Value:
    """The value of a prompt parameter; `true` is none at all, where it may have none."""
    word = str(raw).strip().lower()
    if isinstance(raw, bool) or (parameter.alone and word in ("true", "false")):
        if not parameter.alone:
            raise ValueError(f"{name} takes {parameter.takes}, not {word}.")
        return word == "true" or None
    if isinstance(raw, list) and not parameter.many:
        raise ValueError(f"{name} takes one value, not a list.")
    if parameter.form in ("REF", "URL"):
        images = _read_images(name, raw)
        if not parameter.many and len(images) > 1:
            raise ValueError(f"{name} takes one value, not {len(images)}.")
        for each in images:
            if not names_image(each):
                _check(parameter, each, name)
        return images
    if isinstance(raw, list):
        raw = (", " if parameter.name == "no" else " ").join(_read_names(name, raw))
    value = folded(raw)
    values = [value] if not parameter.many or parameter.name == "no" else value.split()
    for each in values:
        _check(parameter, each, name)
    if dashed := next(filter(is_name, value.split()), None):
        raise ValueError(f"{quoted(dashed)} cannot be part of {name}: it has a field of its own.")
    return value


def _check(parameter: Parameter, value: str, name: str) -> None:
    if not fits(parameter, value):
        check_value(parameter, value, name)


Reader = Callable[[str, Any], Value]

READERS: Mapping[str, Reader] = {
    "prompt": _read_text,
    "action": _read_text,
    "image": _read_images,
    "key": _read_key,
    "output": partial(_read_text, numbers=True),
    "then": _read_steps,
    "mode": _read_mode,
    **dict.fromkeys(SWITCHES, _read_switch),
    **{
        spelling: partial(_read_flag if each.flag else _read_parameter, each)
        for spelling, each in BY_SPELLING.items()
        if spelling != "profile"
    },
}


# -- what a line is --------------------------------------------------------------------------------


def arguments_of(fields: Mapping[str, Any]) -> Iterator[str]:
    """The prompt parameters among the fields, as the arguments that end a prompt."""
    for name, value in fields.items():
        if name in BY_SPELLING:
            yield f"--{name}"
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple):
                yield from value


def identity_of(fields: Mapping[str, Any], digest: Digest | None = None) -> str:
    """What identifies a line, from its fields as typed; files count by content, as far as `digest` knows it.

    It must stay the same in every later version: a line that gets another identity is paid for again.
    """
    typed = {name: _identifying(value, digest) for name, value in fields.items()}
    text = json.dumps(typed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_IDENTITY_LENGTH]


def _identifying(value: Any, digest: Digest | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return folded(value)
    names = []
    for name in value:
        content = digest(name) if digest is not None else None
        spaced = any(map(str.isspace, name))
        names.append(f"sha256:{content}" if content else f'"{folded(name)}"' if spaced else folded(name))
    return " ".join(names)
