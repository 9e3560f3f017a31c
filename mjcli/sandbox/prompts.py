"""What the sandbox understands of a prompt: images, words, `--ar`, `--seed`, and unknown parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = (
    "aspect ar chaos c stylize s weird w seed stop repeat r quality q iw sref sw sv cref cw oref ow exp "
    "version v niji profile p no style raw tile draft hd sd video fast relax turbo stealth public "
    "motion loop end bs"
)
_KNOWN = frozenset(_NAMES.split())
_NAMED = re.compile(r"--?[a-z][\w-]*", re.IGNORECASE)
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_ASPECT = re.compile(r"(\d{1,4}):(\d{1,4})")
MAX_IMAGES = 5


@dataclass(frozen=True)
class Prompt:
    """The parts of a prompt."""

    images: tuple[str, ...]
    text: str
    aspect: tuple[int, int] | None
    seed: int | None
    refusal: str
    """Why the service would refuse it; empty if it would not."""


def read(prompt: str) -> Prompt:
    """Split a prompt into its parts; never raises."""
    words = prompt.split()
    count = next((i for i, word in enumerate(words) if not _URL.fullmatch(word)), len(words))
    images, words = tuple(words[:count]), words[count:]
    text: list[str] = []
    unknown: list[str] = []
    given: dict[str, str] = {}
    target: list[str] | None = text
    name = ""
    for word in words:
        if _starts_parameter(word):
            name = word.lstrip("-").lower()
            known = word.startswith("--") and name in _KNOWN
            if known:
                given[name], target = "", None
            else:
                unknown.append(word)
                target = unknown
        elif target is None:
            given[name] = f"{given[name]} {word}".strip()
        else:
            target.append(word)
    refusal = f"Unrecognized argument(s): {', '.join(f'`{word}`' for word in unknown)}" if unknown else ""
    aspect, seed = None, None
    if (value := given.get("ar", given.get("aspect"))) is not None:
        match = _ASPECT.fullmatch(value)
        aspect = (int(match[1]), int(match[2])) if match else None
        if aspect is None or 0 in aspect:
            aspect, refusal = None, refusal or f"Invalid value for --ar: `{value}`, expected W:H"
    if (value := given.get("seed")) is not None:
        if value.isascii() and value.isdigit() and len(value) <= 10 and int(value) < 2**32:
            seed = int(value)
        else:
            refusal = refusal or f"Invalid value for --seed: `{value}`, expected 0 to 4294967295"
    return Prompt(images, " ".join(text), aspect, seed, refusal)


def _starts_parameter(word: str) -> bool:
    if not _NAMED.fullmatch(word):
        return False
    # `-c` and `-ar` are misspellings of `--c` and `--ar`; other words may start with a dash.
    return word.startswith("--") or len(word) == 2 or word[1:].lower() in _KNOWN
