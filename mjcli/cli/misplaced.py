"""Files, references and links among the words of a prompt, which people type where an option was meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mjcli.cli import shell
from mjcli.cli.hints import command
from mjcli.cli.inputs import is_regular_file, names_image_file
from mjcli.cli.meant import reference
from mjcli.prompt.check import ERROR, WARNING, Finding
from mjcli.prompt.compose import TYPED
from mjcli.prompt.parameters import quoted
from mjcli.prompt.parse import parse

if TYPE_CHECKING:
    from mjcli.prompt.compose import Composed

# A host with a top-level domain, and a path: `example.com/cat.png`.
_HOST = r"(?i)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}(?::[0-9]+)?/[^\s/]\S*"

_PUNCTUATION = "\"'`“”‘’«»()[]{}<>,.;:!?"

# Where a command takes images instead, by the command's name; {} is the image.
_IMAGES = {
    "imagine": "--image {} makes it an image prompt",
    "batch": 'images go into the field "image"',
    "blend": "put {} before the words",
    "action": "put {} before the words",
    "shorten": "mj shorten takes only words",
    "edit": "mj edit takes one image, before the words",
    "video": "--image {} makes it the first frame, --end-image {} the last",
}
# The arguments before the text of a file.
_TEXTS = {
    "imagine": ["imagine", "-"],
    "edit": ["edit", "IMAGE", "-"],
    "video": ["video", "--image", "IMAGE", "-"],
}


def misplaced(prompt: Composed, name: str) -> list[Finding]:
    """Files, references and links among the typed words; `name` is a key of `_IMAGES`."""
    parts = parse(prompt.text).parts
    words = [token for part in parts if part.kind == "words" for token in part.tokens]
    excluded = [
        token for part in parts if part.parameter and part.parameter.name == "no" for token in part.values
    ]
    found = []
    if [token.text for token in words] in (["PROMPT"], ["WORDS"]):  # pasted from a suggestion
        message = f'"{words[0].text}" stands for your words: type them instead.'
        found.append(Finding(ERROR, "placeholder", message, words[0].start, words[0].end))
    for token in [*words, *(each for each in excluded if _reference(each.text))]:
        if prompt.origin(token.start) == TYPED:
            for severity, code, message in _problem(token.text, name):
                found.append(Finding(severity, code, message, token.start, token.end))
    return found


def _reference(word: str) -> str | None:
    """The reference that a word is, whatever its weight and the punctuation around it; None for other words."""
    bare = word.partition("::")[0].strip(_PUNCTUATION)
    return reference(bare) if bare.startswith("@") else None


def _problem(word: str, name: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong with one word: the severity, the code and the message; nothing for most words."""
    bare = _bare(word)
    place = _IMAGES[name]
    if meant := _reference(word):
        yield ERROR, "reference", f"{quoted(word)} is a reference: {place.replace('{}', meant)}."
    if meant or bare.startswith("@"):
        return
    path = os.path.expanduser(bare) if bare.startswith("~") else bare  # noqa: PTH111 - it never raises
    shown = shell.quoted(bare) if shell.can_be_typed(bare) else "FILE"
    if is_regular_file(path):
        use = place.replace("{}", shown) if names_image_file(bare) else _text(path, name)
        yield ERROR, "file", f"{quoted(word)} is a file: {use}."
    elif (
        not re.fullmatch(_HOST, bare)
        and names_image_file(bare)
        and len(bare.rpartition(".")[0].strip("./\\~")) > 0
    ):
        yield WARNING, "file", f"{quoted(word)} looks like a file: {place.replace('{}', shown)}."


def _bare(word: str) -> str:
    """A word without its weight; the name of an image file also without the punctuation around it."""
    bare = word.partition("::")[0]
    name = bare.lstrip(_PUNCTUATION.replace(".", "")).rstrip(_PUNCTUATION)
    return name if names_image_file(name) and not is_regular_file(bare) else bare


def _text(path: str, name: str) -> str:
    """How to use the text of a file as the prompt."""
    if name not in _TEXTS or not shell.can_be_typed(path):
        return "words are expected, not the name of a file"
    return f"{command(*_TEXTS[name])} < {shell.quoted(path)} reads its text"
