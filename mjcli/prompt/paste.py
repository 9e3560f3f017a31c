"""Remove what other programs put around prompts and links: Discord's command and footer, Markdown, quotes.

Words stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from mjcli.prompt.parameters import DASHES, known
from mjcli.prompt.parse import IMAGE_SUFFIXES, is_link

#: Characters without a width that software leaves in copied text, for a set in a regular expression.
INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
_LONGEST = 60  # characters of a text in a notice

_BLANK = rf"[\s{INVISIBLE}]*"
_MARKUP = r"[*_`>\s]*"
_COMMAND = re.compile(
    rf"(?i){_BLANK}(?:>\s+)?(?P<open>[\"“'‘`]?)(?P<marks>[*_`]{{0,3}})"
    rf"(?:[/／]\s?imagine\b(?:{_BLANK}prompt(?!\w))?|(?:imagine\s+)?prompt(?={_MARKUP}[:：]))"
    rf"(?:{_BLANK}(?P<close>[*_`]{{0,3}})[:：](?P<late>[*_`]{{0,3}}(?=\s))?)?{_BLANK}"
)
_CLOSING = {'"': '"', "“": "”", "'": "'", "‘": "’", "`": "`"}

_MODE = (
    r"\((?:fast|relax(?:ed)?|turbo|stealth|public|stopped|paused|edited|waiting to start|open on[^()]*|\d{1,3}\s?%)"
    r"(?:,[^()]*)?\)"
)
_VERB = (
    r"(?:image #\s?\d+|(?:upscal|variation|vary|make|remix|zoom|custom zoom|pan|inpaint|animat|reroll|blend|square)"
    r"[^<>@*]{0,40}?)"
)
_USER = r"(?:<@[!&]?\d+>|@(?!(?:last|\d+)\b)[^\s@()][^@()\n]{0,40}?)"
_FOOTER = re.compile(
    rf"(?is)(?:[\s{INVISIBLE}]+[-{DASHES}]\s+|(?<=[*_])\s*[-{DASHES}]\s*)"
    rf"(?P<verb>{_VERB}\s*(?P<by>\bby)?|(?P<other>[^<>@*]{{1,40}}?\bby))?\s*(?P<user>{_USER})?"
    rf"(?P<modes>(?:\s*{_MODE})*){_BLANK}(?P<more>\s--?[A-Za-z].*|\s[{DASHES}]+\s?[A-Za-z].*)?$"
)
_HAS_PARAMETER = re.compile(rf"(?:^|\s)(?:--|[{DASHES}])[A-Za-z]")
_MARKED = re.compile(
    r"(?s)((?:\s*https?://\S+(?=\s))*\s*)(\*{1,3}|__|`{1,3})(?=[^\s*`])(?P<text>(?:(?!\2).)+)(?<=\S)\2(?P<rest>.*)"
)
_FENCED = re.compile(r"(?s)\s*```(?:[a-z]+\n|\n)?(.+?)\s*```\s*")

_LINK = r"(?i:https?)://(?:[^\s()]|\([^\s()]*\))+?"  # parentheses in it are in pairs
_IMAGE_IN_LINK = rf"\[\s*!\[[^\]]*\]\(\s*<?({_LINK})>?\s*\)\s*\]\([^)\s]*\)"
_MARKDOWN = rf"!?\[[^\]\[]*\]\(\s*<?({_LINK})>?(?:\s+[\"'][^\"']*[\"'])?\s*\)"
_PAIRS = [
    "<>",
    "＜＞",
    "()",
    "（）",
    "[]",
    '""',
    "''",
    "``",
    "“”",
    "„“",
    "‘’",
    "«»",
    "「」",
    "『』",
    "【】",
    "《》",
    "〈〉",
    "**",
    "__",
    "||",
]
_OPENING = re.escape("".join(dict.fromkeys(pair[0] for pair in _PAIRS)))
_WORD = re.compile(r"\S+")
_SUFFIX = "|".join(map(re.escape, IMAGE_SUFFIXES))
_AFTER_IMAGE = re.compile(rf"(?i)({_SUFFIX})[\u200b\u2060\ufeff]+(?=\S)")
_IMAGE_AND_NAME = re.compile(rf"(?i)({_SUFFIX})(?:--|[-{DASHES}]*[{DASHES}]+)([a-z]+)")
_WIDE_STOPS = "，。、；！？"
_STOPS = f",.;!?\"'”’»>`*|{_WIDE_STOPS}：）」』】》〉"
_ZERO_WIDTH = re.compile(f"[{INVISIBLE}]+")
_JOINERS = "\u200c\u200d"  # which change the letters beside them


def change(before: str, after: str) -> str:
    """A change for a notice: invisible characters are escapes, and the middle of a long text is left out."""
    return f"{_shown(before)} → {_shown(after) or 'nothing'}"


def notice(changes: Iterable[str]) -> list[str]:
    """One notice for all changes; none if there are none."""
    different = list(dict.fromkeys(changes))
    return [f"Fixed: {'; '.join(different)}"] if different else []


def without_invisible(word: str) -> str:
    """A word without invisible characters, except the joiners between two letters of other scripts, or emoji."""

    def kept(found: re.Match[str]) -> str:
        before, after = word[: found.start()][-1:], word[found.end() :][:1]
        joins = found[0] in _JOINERS and bool(before and after) and not (before + after).isascii()
        return found[0] if joins else ""

    return _ZERO_WIDTH.sub(kept, word)


def unwrap(text: str) -> tuple[str, list[str]]:
    """The prompt without what was copied with it, and the change that this is, if any."""
    bare = _without_quotes(_without_command(text))
    while (stripped := _without_marks(_without_footer(bare))) != bare:
        bare = stripped
    return (text, []) if bare == text else (bare, [change(text.strip(), bare.strip())])


@cache
def _wrappings() -> tuple[re.Pattern[str], ...]:
    """What may be around a link; compiled when a prompt has one."""
    after = r"(?=$|::|[\s,.;:!?>\]})\"'”’»*|，。、；：！？])"
    return (
        re.compile(_IMAGE_IN_LINK),
        re.compile(_MARKDOWN),
        *(
            re.compile(
                rf"(?<![^\s{_OPENING}]){re.escape(pair[0])}+\s*({_LINK})\s*{re.escape(pair[1])}+{after}"
            )
            for pair in _PAIRS
        ),
    )


def unwrap_links(text: str, changes: list[str]) -> str:
    """The prompt with its links bare, for the service reads anything around them as words; adds to `changes`."""
    if "://" not in text:
        return text

    def bare(found: re.Match[str]) -> str:
        link = found[1]
        changes.append(change(found[0], link))
        return link

    before = ""
    while text != before:
        before = text
        for pattern in _wrappings():
            text = pattern.sub(bare, text)

    def clean(found: re.Match[str]) -> str:
        link = _clean_link(found[0])
        if link != found[0]:
            changes.append(change(found[0], link))
        return link

    return _WORD.sub(clean, text)


def _shown(text: str) -> str:
    if len(text) > _LONGEST:
        half = (_LONGEST - 1) // 2
        text = f"{text[:half].rstrip()}…{text[-half:].lstrip()}"
    text = " ".join(text.split(" "))
    text = re.sub(f"[{INVISIBLE}]", lambda found: f"\\u{ord(found[0]):04x}", text)
    text = re.sub(r"[^\S \n\t]", lambda found: f"\\u{ord(found[0]):04x}", text)
    return f'"{text}"' if any(map(str.isspace, text)) else text


# -- Discord -------------------------------------------------------------------------------------------


def _without_command(text: str) -> str:
    """The prompt without `/imagine prompt:` before it, whatever marks that in bold or quotes both."""
    found = _COMMAND.match(text)
    if found is None:
        return text
    rest = text[found.end() :]
    closing = _CLOSING.get(found["open"])
    if closing and rest.rstrip().endswith(closing):
        rest = rest.rstrip()[: -len(closing)]
    marks = found["marks"]
    # Marks that are closed after the command belong to it; else they are around the whole prompt.
    if marks and not (found["close"] or found["late"]):
        rest = rest[len(marks) :].lstrip() if rest.startswith(marks) else f"{marks}{rest}"
    return rest


def _without_footer(text: str) -> str:
    """The prompt without ` - Image #2 <@123> (fast)` after it."""
    for found in _FOOTER.finditer(text):
        words = text[: found.start()]
        bold = words.rstrip().endswith(("*", "__"))
        verb, user, modes = found["verb"], found["user"], found["modes"]
        if found["other"] and not bold:
            continue
        certain = bold or _HAS_PARAMETER.search(words)
        if user and " " in user.strip() and not (bold or modes):
            continue
        if verb and verb[0].islower() and not (bold or modes):
            continue  # Discord writes `Pan Left by @john`; these are words
        if (user and (verb or modes or certain or user.startswith("<"))) or (
            certain and (modes or (verb and (bold or found["by"] or "#" in verb)))
        ):
            return words + (found["more"] or "")
    return text


def _without_marks(text: str) -> str:
    """The prompt without Markdown around all of it, or around all of its words."""
    fenced = _FENCED.fullmatch(text)
    if fenced:
        return fenced[1]
    found = _MARKED.fullmatch(text)
    if found and (not found["rest"].strip() or re.match(rf"\s+(?:--|[{DASHES}])[A-Za-z]", found["rest"])):
        return found[1] + found["text"] + found["rest"]
    return text


def _without_quotes(text: str) -> str:
    """The prompt without quotes around all of it, if its parameters show that they are not part of the words."""
    bare = text.strip()
    closing = _CLOSING.get(bare[:1])
    inner = bare[1:-1]
    if closing and len(bare) > 1 and bare.endswith(closing) and _HAS_PARAMETER.search(inner):
        return text if bare[0] in inner or closing in inner else inner
    return text


# -- links ---------------------------------------------------------------------------------------------


def _clean_link(word: str) -> str:
    """A link without the punctuation after it; other words as they are."""
    if not is_link(_ZERO_WIDTH.sub("", word[:40])):
        return word
    link = without_invisible(_AFTER_IMAGE.sub(r"\1 ", word))
    link = re.sub(r"(?i)[,;|]+(?=https?://)", " ", link)
    link = re.sub(f"[{_WIDE_STOPS}]+(?=[^\\s{_WIDE_STOPS}])", " ", link)
    link = _IMAGE_AND_NAME.sub(
        lambda found: f"{found[1]} --{found[2]}" if known(found[2]) else found[0], link
    )
    head, *others = link.split(" ")
    return " ".join(
        [_without_stops(head), *(_without_stops(each) if is_link(each) else each for each in others)]
    )


def _without_stops(link: str) -> str:
    while link:
        last, rest = link[-1], link[:-1]
        opening = {")": "(", "]": "["}.get(last)
        single_colon = last == ":" and not rest.endswith(":")
        unbalanced = opening is not None and link.count(opening) < link.count(last)
        if not is_link(rest) or not (last in _STOPS or single_colon or unbalanced):
            break
        link = rest
    return link
