"""The steps that follow a job of a batch: `upscale:all`, `vary:2`, `upscale_2x`, `zoom:1.5`, …"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from mjcli.api.actions import ACTIONS, ALL, QUADRANTS, VERBS, modern, nearest, read, spelling
from mjcli.errors import UsageError
from mjcli.prompt.parameters import either, quoted

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.jobs.order import Order

REGION_ACTION = "variation_region"
_EXAMPLES = "upscale:all, vary:2, zoom:1.5, pan:left, reroll or upscale_2x"
_INHERITED = ("mode", "split_images")  # fields of the request that the jobs of a step have, too
_SLIP = 0.9  # similarity from which an unknown name is a slip of the finger


@dataclass(frozen=True)
class Step:
    """Actions that are applied to the result of the step before; `text` is as typed."""

    text: str
    actions: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many jobs it makes at most, for each result of the step before."""
        return len(self.actions)

    def orders(self, result: Result, parent: Order) -> list[tuple[str, Order]]:
        """The next jobs from the result of `parent`, each with the current name of its action.

        Raises `UsageError` if the result does not offer one of the actions; none of them is then to be sent.
        """
        image, offered = result.image_id, result.actions
        if image is None:
            raise UsageError(f'Step "{self.text}" needs an image, and the result has none.')
        known = set(map(modern, offered))
        missing = next((each for each in self.actions if modern(each) not in known), None)
        if missing is not None:
            those = f"it offers {', '.join(offered)}" if offered else "it offers no actions"
            raise UsageError(f'Image {image} does not offer "{missing}" (step "{self.text}"); {those}.')
        return [(modern(each), _order(spelling(each, offered), image, parent)) for each in self.actions]


def parse_steps(texts: Iterable[str]) -> tuple[Step, ...]:
    """The steps of `--then` or of the field `then`, in order. Raises `UsageError`."""
    return tuple(map(_step, texts))


def most_jobs(steps: Iterable[Step]) -> int:
    """How many jobs a line with these steps makes at most, its own included."""
    counts = [each.count for each in steps]
    return sum(math.prod(counts[:n]) for n in range(len(counts) + 1))


def read_action(text: str) -> tuple[str, ...]:
    """The actions that a text names, such as `upscale:1,3` or `U1`, or a name of the future. Raises `UsageError`."""
    verb, colon, words = text.strip().partition(":")
    words = re.sub(r"\s*,\s*", ",", words.strip())
    actions = read(f"{verb} {words}" if colon else text)
    if colon and verb.strip().lower() in VERBS and not all(modern(each) in ACTIONS for each in actions):
        actions = ()
    if not actions and not colon and _may_be_new(text.strip()):
        actions = (text.strip(),)
    if not actions:
        raise UsageError(_problem(text, verb.strip().lower() if colon else ""))
    if REGION_ACTION in actions:
        raise UsageError(f"{REGION_ACTION} needs a mask, which a batch cannot give.")
    return actions


def _step(text: str) -> Step:
    return Step(text.strip(), read_action(text))


def _may_be_new(name: str) -> bool:
    """Whether a name may be an action that this version does not know: `upscale_8x`, but not `upscal_2x`."""
    if re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)+", name) is None:
        return False
    digits = re.sub("[^0-9]", "", name)
    return not any(
        re.sub("[^0-9]", "", each) == digits and SequenceMatcher(None, name, each).ratio() >= _SLIP
        for each in ACTIONS
    )


def _problem(text: str, verb: str) -> str:
    """What is wrong with a text that names no action; `verb` is what it has before a colon."""
    if verb in VERBS and "" not in VERBS[verb]:
        words = [*VERBS[verb], *([ALL] if QUADRANTS[0] in VERBS[verb] else [])]
        return f"{quoted(text)} is not an action: {verb} takes {either(words)}."
    near = nearest(text.replace(":", "_"))
    meant = f"Did you mean {near[0]}?" if near else f"Actions are {_EXAMPLES}."
    return f"{quoted(text)} is not an action. {meant}"


def _order(action: str, image: str, parent: Order) -> Order:
    from mjcli.jobs.order import Order

    body: dict[str, Any] = {"action": action, "image_id": image}
    for name in _INHERITED:
        if name in parent.body and not (name == "split_images" and modern(action).startswith("upscale")):
            body[name] = parent.body[name]
    return Order("action", "imagine", body, parent.subject, image)
