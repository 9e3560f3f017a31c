"""How people write the actions, and which ones they mean."""

from __future__ import annotations

import pytest

from mjcli.api.actions import ACTIONS, Found, find, nearest, read, short, spelling


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("U1", ["upscale1"]),
        ("u4", ["upscale4"]),
        ("V2", ["variation2"]),
        ("vary 3", ["variation3"]),
        ("upscale all", ["upscale1", "upscale2", "upscale3", "upscale4"]),
        ("vary all", ["variation1", "variation2", "variation3", "variation4"]),
        ("upscale 3,1,3", ["upscale3", "upscale1"]),
        ("Upscale (Subtle)", ["upscale_subtle"]),
        ("upscale 2x", ["upscale_2x"]),
        ("Vary (Strong)", ["variation_strong"]),
        ("zoom-out-2x", ["zoom_out_2x"]),
        ("zoom_out 2", ["zoom_out_2x"]),
        ("Zoom Out 1.5x", ["zoom_out_1_5x"]),
        ("zoom 1.5", ["zoom_out_1_5x"]),
        ("pan LEFT", ["pan_left"]),
        ("Reroll", ["reroll"]),
        ("upsample1", ["upsample1"]),
        ("upscale 5", []),
        ("u5", []),
        ("upscale 1,5", []),
        ("zoom 3", []),
        ("zoom all", []),
        ("pan", []),
        ("panleft", []),
        ("", []),
        ("-", []),
        ("@last", []),
    ],
)
def test_an_action_is_understood_as_people_write_it(text: str, actions: list[str]) -> None:
    assert list(read(text)) == actions


@pytest.mark.parametrize("action", ACTIONS)
def test_the_short_form_of_an_action_means_that_action(action: str) -> None:
    verb, *words = short(action)
    found = find(words, "" if verb == "action" else verb)
    assert found is not None
    assert found.actions == (action,)


@pytest.mark.parametrize(
    ("arguments", "verb", "found"),
    [
        (["2", "@last"], "upscale", Found(("upscale2",), 0, 1)),
        (["@last", "2"], "upscale", Found(("upscale2",), 1, 1)),
        (["u2"], "upscale", Found(("upscale2",), 0, 1)),
        (["v2"], "upscale", None),
        (["out", "2"], "zoom", Found(("zoom_out_2x",), 0, 2)),
        (["1", "5"], "zoom", None),
        (["zoom", "out", "2", "@2"], "", Found(("zoom_out_2x",), 0, 3)),
        (["@2", "upscale", "2x"], "", Found(("upscale_2x",), 1, 2)),
        (["@2", "a strong wind", "strong"], "vary", None),
        ([], "upscale", None),
        ([], "reroll", Found(("reroll",), 0, 0)),
    ],
)
def test_an_action_is_found_before_and_after_its_images(
    arguments: list[str], verb: str, found: Found | None
) -> None:
    assert find(arguments, verb) == found


def test_the_spelling_that_the_image_offers_is_sent() -> None:
    assert spelling("upscale1", ["upsample1"]) == "upsample1"
    assert spelling("upsample1", ["upscale1"]) == "upscale1"
    assert spelling("upsample1", []) == "upsample1"


def test_a_mistyped_action_has_similar_ones() -> None:
    assert nearest("varation2")[0] == "variation2"
