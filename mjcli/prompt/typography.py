"""Fix what software and input methods turn parameters into: dashes, quotes, spaces, full-width characters.

Words are left alone: changes begin at the first parameter. Only links, weights, invisible characters and what was
copied with a prompt are fixed before it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mjcli.prompt.parameters import DASHES, Parameter, fits, known, nearest
from mjcli.prompt.parse import GLUED, is_link, is_name, single_dash
from mjcli.prompt.paste import INVISIBLE, change, notice, unwrap, unwrap_links, without_invisible

# Letters and lines that input methods type for two hyphens.
_LIKE_DASHES = "\u30fc\u3161\u2500\u2501"
_DASHES_AND_NAME = re.compile(f"([-{DASHES}]+|[{_LIKE_DASHES}]{{2,}})(.+)", re.DOTALL)
_ONLY_DASHES = re.compile(f"[-{DASHES}]{{1,3}}")
_INNER_NAME = re.compile(f"(.*[^-{DASHES}])(--|[-{DASHES}]*[{DASHES}]+)([A-Za-z]+)", re.DOTALL)
_QUOTES = {**dict.fromkeys(map(ord, "“”„‟«»"), '"'), **dict.fromkeys(map(ord, "‘’‚‛"), "'")}
_COLONS = dict.fromkeys((0x2236, 0xA789, 0xFE55), ord(":"))
_FULL_WIDTH = {**{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}, **_COLONS}
_PLAIN_SPACES = " \t\n\r\v\f"
_TOKEN = re.compile(r"(\s*)(\S+)")
# An invisible character in place of a space: before the dashes of a parameter, or after its name.
_BEFORE_NAME = re.compile(f"(?<=\\S)[{INVISIBLE}]+(?=(?:--|[{DASHES}]{{1,2}})[{INVISIBLE}]*([A-Za-z]+))")
_AFTER_NAME = re.compile(f"((?:--|[{DASHES}]{{1,2}})([A-Za-z]+))[{INVISIBLE}]+(?=[0-9.])")

_WIDE_WEIGHT = re.compile(r"：：(?=-?[0-9.]|$)")
# Hyphens and dashes as Markdown and HTML write them, and what may be the name of a parameter.
_ESCAPED = re.compile(
    r"(?<!\S)((?:\\?-|&(?:[mn]dash|minus|hyphen|#(?:45|821[12]|8722)|#[xX](?:201[34]|2212|2[dD]));){1,2})([A-Za-z]+)"
)


class _Fix(NamedTuple):
    """A parameter as it must be typed, and how many words it stands for."""

    text: str
    words: int = 1


def repair(text: str) -> tuple[str, list[str]]:
    """The prompt as it must be typed, and one notice of all changes, each as `before → after`; none if unchanged."""
    text, changes = repaired(text)
    return text, notice(changes)


def repaired(text: str) -> tuple[str, list[str]]:
    """The prompt as `repair` returns it, and each change."""
    before, changes = "", list[str]()
    while text != before:  # one fix may reveal another
        before = text
        text, unwrapped = unwrap(text)
        changes += unwrapped
        text = _separate(_unescape(unwrap_links(text, changes), changes), changes)
        text = _repair_parameters(text, changes)
    return text, changes


def _repair_parameters(text: str, changes: list[str]) -> str:
    """The prompt with all from the first parameter on as it must be typed; adds to `changes`."""
    tokens = [(each[1], each[2]) for each in _TOKEN.finditer(text)]
    words = [word for _, word in tokens]
    tail = text[sum(len(space) + len(word) for space, word in tokens) :]
    first = next((n for n in range(len(words)) if _starts_parameter(words, n)), len(words))
    pieces = ["".join(space + _clean_word(word, changes) for space, word in tokens[:first])]
    if first == len(words):
        return "".join([*pieces, tail])
    at = first
    while at < len(tokens):
        fix = _fix_at(words, at)
        if fix is None:
            word = _fix_word(words[at], changes)
        else:
            word = _split_names(fix.text)
            before = " ".join(words[at : at + fix.words])
            if word != before:
                changes.append(change(before, word))
        if word:
            pieces.append(_fix_space(tokens[at][0], changes) + word)
        at += fix.words if fix is not None else 1
    return "".join([*pieces, _fix_space(tail, changes)])


def _unescape(text: str, changes: list[str]) -> str:
    """The prompt with two hyphens where the dashes before the name of a parameter are escaped."""

    def plain(found: re.Match[str]) -> str:
        if found[1].strip("-") == "" or not known(found[2]):
            return found[0]
        changes.append(change(found[0], f"--{found[2]}"))
        return f"--{found[2]}"

    return _ESCAPED.sub(plain, text)


def _separate(text: str, changes: list[str]) -> str:
    """The prompt with a space where only an invisible character separates a parameter."""

    def before(found: re.Match[str]) -> str:
        return " " if known(found[1]) else found[0]

    def after(found: re.Match[str]) -> str:
        return f"{found[1]} " if known(found[2]) else found[0]

    separate = _AFTER_NAME.sub(after, _BEFORE_NAME.sub(before, text))
    if separate != text:
        changes.append("invisible characters → spaces")
    return separate


def _starts_parameter(words: list[str], at: int) -> bool:
    return is_name(words[at]) or _fix_at(words, at) is not None


def _fix_at(words: list[str], at: int) -> _Fix | None:
    """The parameter at this place as it must be typed, if it is one with other dashes, spaces or characters."""
    word = without_invisible(words[at])
    if _ONLY_DASHES.fullmatch(word):
        return _after_space(words, at)
    name = _as_name(word, words[at + 1 :])
    if name is None and word != words[at] and is_name(word):
        name = word
    return None if name is None else _Fix(name)


def _as_name(word: str, following: list[str]) -> str | None:
    """A parameter as it must be typed, for a word that has it after other dashes than two hyphens; else None."""
    found = _DASHES_AND_NAME.fullmatch(word)
    if found is None or found[1].isascii():
        return None
    name = _plain(found[2])
    # Two full-width hyphens always start a parameter, even an unknown one.
    if known(name) or found[1] == "\uff0d\uff0d" or _is_misspelled(name, following):
        return f"--{name}"
    inner = _split_names(f"--{name}")
    return _separated(f"--{name}") or (inner if known(inner.split(" ")[0][2:]) else None)


def _separated(name: str) -> str | None:
    """`--ar 16:9` for `--ar16:9`; None if it is not a name and a value."""
    glued = GLUED.fullmatch(name)
    parameter = known(glued[1]) if glued else None
    if glued is None or parameter is None or not fits(parameter, glued[2]):
        return None
    return f"--{glued[1]} {glued[2]}"


def _is_misspelled(name: str, following: list[str]) -> bool:
    """Whether an unknown name is most likely a parameter's: it has a value that fits, and no words after it."""
    glued = GLUED.fullmatch(f"--{name}")
    if glued is not None:
        name, following = glued[1], [glued[2], *following]
    parameter = nearest(name, cutoff=0.75)
    return len(name) > 2 and parameter is not None and _has_value(parameter, following)


def _after_space(words: list[str], at: int) -> _Fix | None:
    """A parameter whose name and dashes have a space between them: only with a value that fits, and no words after."""
    if at + 1 == len(words):
        return None
    name = _plain(without_invisible(words[at + 1]))
    if is_name(name):
        return None
    name = name.lstrip(f"-{DASHES}")
    parameter = known(name)
    if parameter is not None and _has_value(parameter, words[at + 2 :]):
        return _Fix(f"--{name}", 2)
    separated = _separated(f"--{name}")
    if separated is not None and _ends(words[at + 2 :]):
        return _Fix(separated, 2)
    return None


def _has_value(parameter: Parameter, following: list[str]) -> bool:
    """Whether the words that follow are values of the parameter and nothing else, up to the next dash."""
    if parameter.flag or parameter.form == "CODE" or parameter.name == "no":
        return False
    count = 0
    for word in following[: None if parameter.many else 1]:
        if not fits(parameter, _plain(_split_names(without_invisible(word)).split(" ")[0])):
            break
        count += 1
    return count > 0 and _ends(following[count:])


def _ends(following: list[str]) -> bool:
    """Whether no words follow: the prompt ends, or a parameter starts."""
    return not following or without_invisible(following[0])[:1] in (*DASHES, *_LIKE_DASHES, "-", "")


def _split_names(word: str) -> str:
    """A word with a space before each parameter in it: `16:9 --v` for `16:9--v`."""
    found = _INNER_NAME.fullmatch(word)
    if found is None or not known(found[3]):
        return word
    before, dashes = found[1], found[2]
    if is_link(before) or (dashes != "--" and not before[-1].isdigit() and not known(before.lstrip("-"))):
        return word
    return f"{_split_names(before)} --{found[3]}"


def _plain(word: str) -> str:
    return word.translate(_FULL_WIDTH).translate(_QUOTES)


def _fix_word(word: str, changes: list[str]) -> str:
    if is_link(word):
        return word
    seen = without_invisible(word)
    narrow = seen.translate(_FULL_WIDTH)
    if narrow != seen:
        changes.append("full-width characters → ASCII characters")
    straight = narrow.translate(_QUOTES)
    if straight != narrow:
        changes.append("curly quotes → straight quotes")
    separate = _split_names(straight) if single_dash(straight) is None else straight
    if separate != straight or seen != word:
        changes.append(change(word, separate))
    return separate


def _clean_word(word: str, changes: list[str]) -> str:
    """A word before the parameters without invisible characters, and with the colons of its weight as they must be."""
    if is_link(word):
        return word
    seen = without_invisible(word)
    if seen != word:
        changes.append("invisible characters → nothing")
    weighted = _WIDE_WEIGHT.sub("::", seen)
    if weighted != seen:
        changes.append("full-width characters → ASCII characters")
    return weighted


def _fix_space(space: str, changes: list[str]) -> str:
    if all(each in _PLAIN_SPACES for each in space):
        return space
    changes.append("special spaces → plain spaces")
    return "".join(each if each in _PLAIN_SPACES else " " for each in space)
