"""The actions known by name, and how people write them. The list is open: what an image offers is in its `actions`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

QUADRANTS = ("1", "2", "3", "4")
PLACES = ("top left", "top right", "bottom left", "bottom right")  # of the quadrants of a grid

GRID_ACTIONS = (*(f"{verb}{n}" for verb in ("upscale", "variation") for n in QUADRANTS), "reroll")
SINGLE_ACTIONS = (
    "upscale_2x",
    "upscale_4x",
    "upscale_subtle",
    "upscale_creative",
    "redo_upscale_2x",
    "redo_upscale_4x",
    "redo_upscale_subtle",
    "redo_upscale_creative",
    "variation_subtle",
    "variation_strong",
    "variation_region",
    "zoom_out_2x",
    "zoom_out_1_5x",
    "pan_left",
    "pan_right",
    "pan_up",
    "pan_down",
    "square",
)
ACTIONS = (*GRID_ACTIONS, *SINGLE_ACTIONS)

ALL = "all"

# The words after the command of each verb, and the action that they mean.
VERBS: dict[str, dict[str, str]] = {
    "upscale": {
        **{n: f"upscale{n}" for n in QUADRANTS},
        **{each: f"upscale_{each}" for each in ("2x", "4x", "subtle", "creative")},
    },
    "vary": {
        **{n: f"variation{n}" for n in QUADRANTS},
        **{each: f"variation_{each}" for each in ("subtle", "strong", "region")},
    },
    "reroll": {"": "reroll"},
    "zoom": {"1.5": "zoom_out_1_5x", "2": "zoom_out_2x"},
    "pan": {each: f"pan_{each}" for each in ("left", "right", "up", "down")},
}

_SYNONYMS = {"upscale": ("upscale", "u"), "vary": ("vary", "variation", "v"), "zoom": ("zoom", "zoom_out")}
_LONGEST = 3  # words of an action: `zoom out 2`


class Found(NamedTuple):
    """The actions that arguments name, and which of the arguments do."""

    actions: tuple[str, ...]
    start: int
    length: int


def notes() -> dict[str, str]:
    """What the words of the actions mean, in a few words: `1` after its verb, or `upscale1` by itself."""
    places = dict(zip(QUADRANTS, PLACES, strict=True))
    single = {
        "2x": "twice as large",
        "4x": "four times as large",
        "subtle": "slight changes",
        "strong": "strong changes",
        "region": "redraw what --mask or --region selects",
        ALL: "all four, each billed",
        "reroll": "a new grid from the same prompt",
    }
    grid = {f"{verb}{n}": place for verb in ("upscale", "variation") for n, place in places.items()}
    return {**places, **grid, **single}


def modern(name: str) -> str:
    """The current name of an action: older responses use `upsample1` for `upscale1`."""
    return f"upscale{name.removeprefix('upsample')}" if name.startswith("upsample") else name


def quadrant_of(name: str) -> int | None:
    """Which image of a grid (1 to 4) an upscale takes out of it; None for any other action."""
    found = re.fullmatch(r"upscale([1-4])", modern(name))
    return int(found[1]) if found else None


def spelling(name: str, offered: Sequence[str]) -> str:
    """The name to send: the one that the image offered; as it is if that is not known."""
    return next((each for each in offered if modern(each) == modern(name)), name)


def nearest(name: str) -> list[str]:
    """At most three known actions whose names are similar to a mistyped one."""
    from difflib import get_close_matches

    return get_close_matches(modern(_normalised(name)), ACTIONS, n=3, cutoff=0.5)


def short(name: str) -> tuple[str, ...]:
    """The shortest command for an action: `("upscale", "1")`, or `("action", NAME)` if it has no verb."""
    for verb, words in VERBS.items():
        for word, action in words.items():
            if action == modern(name):
                return (verb, word) if word else (verb,)
    return ("action", name)


def takes_words(name: str) -> bool:
    """Whether the action can have a prompt of its own."""
    return name.startswith(("variation", "zoom_out", "pan_"))


def read(text: str) -> tuple[str, ...]:
    """The actions that a text means, such as `upscale1`, `U1`, `vary strong` or `upscale 1,3`; none if unknown."""
    name = _normalised(text)
    if modern(name) in ACTIONS:
        return (name,)
    several = re.fullmatch(r"(upscale|u|vary|variation|v)_?([1-4](?:,[1-4])+)", name)
    if several is None:
        return _spellings().get(name, ())
    verb = "upscale" if several[1].startswith("u") else "variation"
    return tuple(dict.fromkeys(f"{verb}{n}" for n in several[2].split(",")))


def find(arguments: Sequence[str], verb: str = "") -> Found | None:
    """The first action among arguments: `verb` (a key of `VERBS`) stands before it, or is part of it.

    The arguments before an action can only be names of images, which contain no spaces.
    """
    if verb and "" in VERBS[verb]:
        return Found((VERBS[verb][""],), 0, 0)
    for start, argument in enumerate(arguments):
        for count in range(min(_LONGEST, len(arguments) - start), 0, -1):
            words = arguments[start : start + count]
            if words[-1].startswith("-"):
                continue  # an option, not `1` or `left`
            if all(re.fullmatch(r"[A-Za-z_-]+", each) for each in words[:-1]):
                actions = _meant(" ".join(words), verb)
                if actions:
                    return Found(actions, start, count)
        if any(map(str.isspace, argument)):
            return None
    return None


def _meant(words: str, verb: str) -> tuple[str, ...]:
    """The actions of words that follow a verb, or name an action of that verb themselves."""
    actions = read(f"{verb} {words}") or read(words)
    family = ACTIONS if not verb else tuple(VERBS[verb].values())
    return actions if all(modern(each) in family for each in actions) else ()


def _normalised(text: str) -> str:
    """A text as names are written: `Vary (Strong)` is `vary_strong`, `zoom-out 1.5x` is `zoom_out_1_5x`."""
    return re.sub(r"[\s_.-]+", "_", re.sub(r"[()]", " ", text).strip().lower())


def _spellings() -> dict[str, tuple[str, ...]]:
    """What people write for actions, normalised."""
    found: dict[str, tuple[str, ...]] = {}
    for verb, words in VERBS.items():
        for synonym in _SYNONYMS.get(verb, (verb,)):
            for word, action in words.items():
                found |= dict.fromkeys(_written(synonym, word), (action,))
            if set(QUADRANTS) <= set(words):
                found[f"{synonym}_{ALL}"] = tuple(words[n] for n in QUADRANTS)
    return found


def _written(verb: str, word: str) -> Iterable[str]:
    yield _normalised(f"{verb} {word}")
    if word in QUADRANTS and not verb.startswith("zoom"):
        yield f"{verb}{word}"
    elif verb.startswith("zoom"):
        yield _normalised(f"{verb} {word}x")
