"""What parameters need of one another, as far as it is certain (api.md, "Prompt parameters")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mjcli.prompt.parameters import PARAMETERS

NEEDS = {"sw": "sref", "cw": "cref", "ow": "oref"}
EXCLUSIVE = (
    ("hd", "sd"),
    ("fast", "relax", "turbo"),
    ("stealth", "public"),
    ("version", "niji"),
)
_SPELLINGS = {f"--{spelling}": each.name for each in PARAMETERS for spelling in each.spellings}
_DASHES = "—–"


def named_in(words: str) -> set[str]:
    """The parameters that stand in the words of a prompt."""
    return {_SPELLINGS[word.lower()] for word in words.split() if word.lower() in _SPELLINGS}


def check_together(given: Mapping[str, Sequence[str]], words: str) -> None:
    """Raise `ValueError` with a sentence when the parameters given as options cannot go together.

    What they need may stand in the words as well; the words themselves are not judged.
    """
    present = given.keys() | named_in(words)
    for name, needed in NEEDS.items():
        if name in given and needed not in present:
            raise ValueError(f"--{name} weighs --{needed}, which is not given.")
    for group in EXCLUSIVE:
        chosen = [name for name in group if name in given]
        if len(chosen) > 1:
            raise ValueError(
                f"{' and '.join(f'--{name}' for name in chosen)} exclude one another; give one of them."
            )


def typographic_slips(words: str) -> list[str]:
    """Words that a program's typography made of a parameter, such as `—ar`; they are sent as words."""
    return [
        word
        for word in words.split()
        if word[:1] in _DASHES and f"--{word.lstrip(_DASHES).lower()}" in _SPELLINGS
    ]
