"""Prompts that were copied from Discord, a document or a web page."""

from __future__ import annotations

import pytest

from mjcli.prompt.check import check
from mjcli.prompt.typography import repair

FOOTERS = [
    " - <@123> (fast)",
    " - Image #2 <@123> (fast)",
    " - Image #1 @user",
    " - Upscaled by <@123> (fast)",
    " - Upscaled (Subtle) by <@!123> (fast, stealth)",
    " - Variations (Strong) by <@123> (relaxed)",
    " - Pan Left by @some user (turbo)",
    " - Zoom Out by <@123> (Stopped)",
    " - Remix by @user",
    " - Remaster by <@123> (fast)",
    " - @user (42%) (fast)",
    "- Image #2 <@123> (fast)",
    " – <@123> (Waiting to start)",
]


@pytest.mark.parametrize("footer", FOOTERS)
@pytest.mark.parametrize("words", ["a cat", "a - b, c --ar 3:2", "a cat --no text, logo"])
def test_the_footer_of_discord_is_removed(words: str, footer: str) -> None:
    text, notices = repair(f"**{words}**{footer}")
    assert text == words
    assert len(notices) == 1
    assert " → " in notices[0]


@pytest.mark.parametrize("footer", [" - @user (fast)", " - Image #2 @user", " - Zoom Out by @user (relaxed)"])
def test_the_footer_is_removed_without_bold_words_too(footer: str) -> None:
    assert repair(f"a cat --ar 3:2{footer}")[0] == "a cat --ar 3:2"


@pytest.mark.parametrize("text", ["a landscape - pan by @kodak --ar 3:2", "a logo - vary - @bob"])
def test_words_like_a_footer_stay(text: str) -> None:
    assert repair(text) == (text, [])


@pytest.mark.parametrize(
    "before",
    [
        "/imagine prompt: ",
        "/imagine prompt:",
        "/imagine ",
        "/Imagine Prompt: ",
        "IMAGINE PROMPT: ",
        "prompt: ",
        "**/imagine prompt:** ",
        "**Prompt:** ",
        "\ufeff/imagine prompt：",
        "> /imagine prompt: ",
        "/imagine prompt:/imagine prompt: ",
    ],
)
def test_the_command_of_discord_is_removed(before: str) -> None:
    text, notices = repair(f"{before}a cat")
    assert text == "a cat"
    assert len(notices) == 1


@pytest.mark.parametrize(
    "link",
    [
        "<https://e/a.png>",
        '"https://e/a.png"',
        "'https://e/a.png'",
        "“https://e/a.png”",
        "(https://e/a.png)",
        "((https://e/a.png))",
        "`https://e/a.png`",
        "**https://e/a.png**",
        "< https://e/a.png >",
        "[a cat](https://e/a.png)",
        "![](https://e/a.png)",
        '[a](https://e/a.png "title")',
        "[![](https://e/a.png)](https://e/page)",
        "https://e/a.png,",
        "https://e/a.png.",
        "https://e/a.png)",
        "<https://e/a.png>,",
        "\u200bhttps://e/a.png\ufeff",
    ],
)
def test_a_link_is_bare_wherever_it_is(link: str) -> None:
    for before, after in (("", " a cat"), ("\n", "\na cat"), ("a cat --sref ", " --tile")):
        text, notices = repair(f"{before}{link}{after}")
        assert text == f"{before}https://e/a.png{after}"
        assert len(notices) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(https://e/b_(x).png) a", "https://e/b_(x).png a"),
        ("https://e/b_(x).png a", "https://e/b_(x).png a"),
        ("https://e/a.png::2 a", "https://e/a.png::2 a"),
        ("<https://e/a.png>::2 a", "https://e/a.png::2 a"),
        ("https://e/a.jpg?ex=66&is=65&hm=ab& a", "https://e/a.jpg?ex=66&is=65&hm=ab& a"),
        ("https://e/a.png,https://e/b.png a", "https://e/a.png https://e/b.png a"),
        ("https://e/w_200,h_100/a.png a", "https://e/w_200,h_100/a.png a"),
        ("https://e/a.png，一只猫", "https://e/a.png 一只猫"),
        ("<https://s.mj.run/x> **a cat** - @u (fast)", "https://s.mj.run/x a cat"),
        ("**a cat** - @user (fast) --ar 3:2", "a cat --ar 3:2"),
        ('"a cat --ar 16:9"', "a cat --ar 16:9"),
        ("```\na cat --ar 3:2\n```", "a cat --ar 3:2"),
    ],
)
def test_what_belongs_to_a_link_or_a_prompt_stays(text: str, expected: str) -> None:
    assert repair(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat —ar16:9", "a cat --ar 16:9"),
        ("a cat – ar 16:9", "a cat --ar 16:9"),
        ("a cat — ar16:9 – v 7", "a cat --ar 16:9 --v 7"),
        ("a cat −−ar 16:9", "a cat --ar 16:9"),
        ("a cat - -ar 16:9", "a cat --ar 16:9"),
        ("a cat -- ar 16:9", "a cat --ar 16:9"),
        ("a cat ーーar 16∶9", "a cat --ar 16:9"),
        ("a cat --ar 16:9--v 6", "a cat --ar 16:9 --v 6"),
        ("a cat --tile--raw--v 6", "a cat --tile --raw --v 6"),
        ("a cat --a\u200br 16:9", "a cat --ar 16:9"),
        ("a cat -\u00ad-ar\u00a016:9\u200e", "a cat --ar 16:9"),
        ("a cat\u200b--ar 16:9", "a cat --ar 16:9"),
        ("a cat --ar\u206016:9", "a cat --ar 16:9"),
        ("a cat --ar \u200b 16:9", "a cat --ar 16:9"),
        (
            "\ufeff/imagine prompt: **<https://e/a.png> a cat —ar16:9** - Image #2 <@1> (fast)",
            "https://e/a.png a cat --ar 16:9",
        ),
    ],
)
def test_dashes_and_invisible_characters_among_the_parameters_are_fixed_with_one_notice(
    text: str, expected: str
) -> None:
    fixed, notices = repair(text)
    assert (fixed, len(notices)) == (expected, 1)
    assert repair(fixed) == (expected, [])


@pytest.mark.parametrize(
    "text",
    [
        "👨\u200d👩\u200d👧 on a beach",
        "می\u200cخواهم",
        "« oui »\u00a0— non",
        "a cat — black, two — maybe three — dogs",
        "a room — no people",
        "a room — stop 50 metres ahead",
        "a cat - a dog (fast)",
        "**cat** and **dog**",
        "a cat - @last",
        "a photo - by the sea",
        "prompt engineering poster",
        "(detailed eyes:1.2), <lora:foo:0.8>",
        "a --no 👨\u200d👩\u200d👧, می\u200cخواهم",
    ],
)
def test_words_stay_byte_for_byte(text: str) -> None:
    assert repair(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("//cdn.example.com/a.png a cat", "no_scheme"),
        ("[cat](s.mj.run/x) a cat", "no_scheme"),
        ("<https://e/a.png a cat", "odd_link"),
        ("http:/e/a.png a cat", "odd_link"),
        ("htps://e/a.png a cat", "odd_link"),
        ("a cat — tile", "odd_dash"),
        ("a cat — chaos lots", "odd_dash"),
    ],
)
def test_what_cannot_be_fixed_is_a_warning(text: str, code: str) -> None:
    assert [each.code for each in check(repair(text)[0])] == [code]
