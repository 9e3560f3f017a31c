"""The lines of a result on a terminal."""

from __future__ import annotations

import re

import pytest

from mjcli.cli.output.screen import Actions, Identifier, Link, Page, grouped, heading, laid_out, link_target
from mjcli.cli.output.table import display_width
from tests.support.terminal import EVIL, harmless

LONG = "https://cdn.example.com/a/0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e/f00d/0_0.png?ex=66&is=66&hm=ca9be5&"


def page(width: int = 80, *, encoding: str = "utf-8", colour: bool = False, links: bool = True) -> Page:
    return Page(width, encoding, colour, links, lambda text: text.replace("secret-token", "********"))


def hyperlinks(text: str) -> list[tuple[str, str]]:
    """The target and the text of each hyperlink."""
    return re.findall(r"\x1b\]8;;([^\x1b]+)\x1b\\([^\x1b]*)\x1b\]8;;\x1b\\", text)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            "upscale1 upscale2 upscale3 upscale4 reroll variation1 variation2 variation3 variation4",
            ["upscale 1-4", "vary 1-4", "reroll"],
        ),
        (
            "upscale_2x upscale_4x variation_subtle variation_strong zoom_out_2x zoom_out_1_5x "
            "pan_left pan_right pan_up pan_down",
            ["upscale 2x 4x", "vary subtle strong", "zoom 1.5 2", "pan left right up down"],
        ),
        ("upsample1 upsample2 upsample3 upsample4", ["upscale 1-4"]),
        ("upscale4 upscale1 upscale1", ["upscale 1 4"]),
        ("pan_up", ["pan up"]),
        (
            "square reroll upscale_creative new_action9 square",
            ["reroll", "square", "upscale_creative", "new_action9"],
        ),
        ("variation_region", ["vary region"]),
    ],
)
def test_actions_are_grouped_and_unknown_ones_are_listed_as_they_are(names: str, expected: list[str]) -> None:
    assert grouped(names.split()) == expected


def test_groups_stay_together_on_a_narrow_terminal() -> None:
    names = Actions("upscale1 upscale2 upscale3 upscale4 variation1 variation2 variation3 variation4 reroll")
    assert laid_out([("actions", names)], page(30)) == ("actions  upscale 1-4\n         vary 1-4 · reroll\n")


def test_the_dot_between_groups_is_ascii_where_the_terminal_has_no_other() -> None:
    assert laid_out([("actions", Actions("reroll pan_up"))], page(encoding="ascii")) == (
        "actions  reroll | pan up\n"
    )


def test_a_link_is_short_and_leads_to_the_whole_address() -> None:
    assert hyperlinks(laid_out([("link", Link(LONG))], page(50))) == [(LONG, "cdn.example.com/…/0_0.png")]


@pytest.mark.parametrize("width", [80, 50, 30, 20, 12, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_short_link_fits_its_row(width: int, encoding: str) -> None:
    text = laid_out([("link", Link(LONG.replace("0_0", "0_0" * 40)))], page(width, encoding=encoding))
    ((_, shown),) = hyperlinks(text) if width > 6 else [("", "")]
    assert display_width(shown) <= max(width - 6, 0)


def test_the_name_of_a_file_is_more_important_than_the_host() -> None:
    assert hyperlinks(laid_out([("part", Link(LONG))], page(24))) == [(LONG, "…/0_0.png")]


def test_a_link_is_whole_where_hyperlinks_are_not_supported() -> None:
    assert laid_out([("link", Link(LONG))], page(30, links=False)) == f"link  {LONG}\n"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "https://",
        "//example.com/a.png",
        "https://cdn.example.com@evil.example/a.png",
        "https://evil.example\\@cdn.example.com/a.png",
        "https://exämple.com/a.png",
        "https://example.com:x/a.png",
        "https://[::1/a.png",
        "https://example.com/a b.png",
        "https://example.com/\u3000a.png",
        "https://example.com/\udc80.png",
        "https://example.com/" + "a" * 3000,
        *(f"https://example.com/{each}.png" for each in EVIL.values()),
        *(f"https://example.com{each}/a.png" for each in EVIL.values()),
    ],
)
def test_an_odd_address_is_shown_whole_and_is_no_hyperlink(url: str) -> None:
    assert link_target(url) is None
    shown = laid_out([("link", Link(url))], page())
    assert "\x1b" not in shown
    harmless(shown)


def test_other_characters_of_an_address_are_percent_encoded() -> None:
    url = 'https://example.com/猫/a"<>`{|}^\\%20.png?q=é&x=[1]#f'
    target = link_target(url)
    assert target == "https://example.com/%E7%8C%AB/a%22%3C%3E%60%7B%7C%7D%5E%5C%20.png?q=%C3%A9&x=[1]#f"
    assert target.isascii()


def test_a_link_that_contains_a_token_is_no_hyperlink() -> None:
    url = "https://example.com/secret-token/a.png"
    assert "\x1b" not in laid_out([("link", Link(url))], page())


def test_ids_are_dim_and_only_with_colours() -> None:
    lines = [("id", Identifier("1234"))]
    assert laid_out(lines, page(colour=True)) == "\x1b[36mid\x1b[0m  \x1b[2m1234\x1b[0m\n"
    assert laid_out(lines, page()) == "id  1234\n"


def test_values_of_one_name_are_one_block() -> None:
    lines = [("video", Link(f"https://a.example/{n}.mp4")) for n in range(3)]
    assert laid_out([*lines, ("id", "1")], page(links=False)) == (
        "video  https://a.example/0.mp4\n"
        "       https://a.example/1.mp4\n"
        "       https://a.example/2.mp4\n"
        "id     1\n"
    )


def test_control_characters_are_visible_wherever_they_come_from() -> None:
    for each in EVIL.values():
        lines = [
            ("1", each),
            ("link", Link(each)),
            ("id", Identifier(each)),
            ("actions", Actions(f"reroll {each}")),
            ("next", each),
        ]
        harmless(laid_out(lines, page()))
        harmless(heading("1/2", f"a cat {each} https://example.com/{each}", page()))


@pytest.mark.parametrize("width", [80, 50, 30, 10])
def test_the_heading_of_a_job_fits_the_terminal(width: int) -> None:
    text = f"{LONG} a red 猫がテーブルの上に座っている猫がテーブルの上に座っている bird, " + "very " * 20
    lines = heading("12/40", text.strip(), page(width)).split("\n")
    assert lines[0].startswith("12/40  ")
    assert all(line.startswith(" " * 7) for line in lines[1:])
    assert max(map(display_width, lines)) <= width
