"""Refuse chains of steps that can never work: only what is certain about the results counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

from mjcli.api.actions import GRID_ACTIONS, VERBS, modern, quadrant_of, short
from mjcli.cli.batch.steps import Step, read_action
from mjcli.cli.shell import quoted
from mjcli.errors import UsageError

Picture = Literal["grid", "single image"]

_ENLARGED = {"upscale_2x", "upscale_4x"}
_OF_A_GRID = {*GRID_ACTIONS} - {"reroll"}
# Others, such as square or upscale_subtle, may be offered anywhere.
_OF_ONE_IMAGE = {
    *_ENLARGED,
    "variation_subtle",
    "variation_strong",
    *VERBS["zoom"].values(),
    *VERBS["pan"].values(),
}
_FIRST = "upscale:1"  # what makes a single image of a grid


def check_chain(steps: Sequence[Step], action: str | None = None) -> None:
    """Refuse a step that the result before it never offers. Raises `UsageError`, whose hint is the right --then.

    `action` is that of the line which the steps follow, None for a prompt.
    """
    made: Picture | None = "grid" if action is None else _made_by(read_action(action)[0])
    before = "a prompt" if action is None else f'"{action}"'
    grid = 0 if made == "grid" else None  # the last step that follows a grid
    for number, step in enumerate(steps):
        needed = _needed_by(step.actions[0])
        if made is not None and needed not in (None, made):
            what, chain = _remedy(steps, number, needed == "grid", grid)
            hint = " ".join(f"--then {quoted(each)}" for each in chain)
            raise UsageError(
                f'Step "{step.text}" needs a {needed}, and {before} makes a {made}: {what}.',
                hint=f"use {hint}" if chain else None,
            )
        made, before = _made_by(step.actions[0]), f'"{step.text}"'
        grid = number + 1 if made == "grid" else grid


def _needed_by(action: str) -> Picture | None:
    """What an action can be applied to; None if that is not certain."""
    if modern(action) in _OF_A_GRID:
        return "grid"
    return "single image" if modern(action) in _OF_ONE_IMAGE else None


def _made_by(action: str) -> Picture | None:
    """What an action makes; None if that is not certain, as with zooms and pans."""
    if quadrant_of(action) is not None or modern(action) in _ENLARGED:
        return "single image"
    return "grid" if modern(action) in GRID_ACTIONS else None


def _remedy(
    steps: Sequence[Step], number: int, needs_grid: bool, grid: int | None
) -> tuple[str, Sequence[str]]:
    """What to do about a step that cannot follow, and the chain to type, empty if there is none."""
    texts = [each.text for each in steps]
    if not needs_grid:
        return f"put {_FIRST} before it", [*texts[:number], _FIRST, *texts[number:]]
    if grid is None:
        return "leave it out", []
    verb = _verb_for_grids(steps[number])
    same = list(takewhile(lambda each: _verb_for_grids(each) == verb, steps[grid:]))
    if grid + len(same) > number:
        words = dict.fromkeys(short(action)[1] for each in same for action in each.actions)
        together = f"{verb}:{','.join(words)}"
        return f'write "{together}" as one step', [*texts[:grid], together, *texts[grid + len(same) :]]
    return "apply it in a second run", [*texts[:grid], *texts[number:]]


def _verb_for_grids(step: Step) -> str | None:
    """The verb of a step that follows a grid; None for other steps."""
    action = step.actions[0]
    return short(action)[0] if modern(action) in _OF_A_GRID else None
