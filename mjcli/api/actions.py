"""The actions known by name. The list is open: what an image offers is in its `actions`."""

from __future__ import annotations

from collections.abc import Sequence

GRID_ACTIONS = (*(f"{verb}{n}" for verb in ("upscale", "variation") for n in range(1, 5)), "reroll")
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


def modern(name: str) -> str:
    """The current name of an action: older responses use `upsample1` for `upscale1`."""
    return f"upscale{name.removeprefix('upsample')}" if name.startswith("upsample") else name


def spelling(name: str, offered: Sequence[str]) -> str:
    """The name to send: the one that the image offered, if it is known."""
    return next((each for each in offered if modern(each) == modern(name)), modern(name))


def nearest(name: str) -> list[str]:
    """At most three known actions whose names are similar to a mistyped one."""
    from difflib import get_close_matches

    return get_close_matches(modern(name.lower().replace("-", "_")), ACTIONS, n=3, cutoff=0.5)
