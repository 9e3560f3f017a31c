"""Fixing what software and input methods turn parameters into."""

from __future__ import annotations

import pytest

from mjcli.prompt.typography import repair


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("a cat —ar 16:9", "a cat --ar 16:9"),
        ("a cat –iw 2 ―tile −v 7", "a cat --iw 2 --tile --v 7"),
        ("a cat —-AR 16:9", "a cat --AR 16:9"),
        ("猫　－－ａｒ　１６：９", "猫 --ar 16:9"),
        ("猫，白　－－ｎｏ　文字，標識", "猫，白 --no 文字,標識"),
        ("a cat\u00a0--ar\u00a016:9\u3000", "a cat --ar 16:9 "),
        ("“a cat” --no “text”, ‘logo’", "“a cat” --no \"text\", 'logo'"),
        ("a cat --sref https://e/“a”.png", "a cat --sref https://e/“a”.png"),
        ("a cat － － --ar １：１", "a cat － － --ar 1:1"),
        ("a －－ｆｏｏ", "a --foo"),
        (r"a cat \-\-ar 3:2 \--v 7", "a cat --ar 3:2 --v 7"),
        ("a cat &mdash;ar 3:2 &#8211;tile", "a cat --ar 3:2 --tile"),
        ("猫：：2 dog：：-.5 bird：：", "猫::2 dog::-.5 bird::"),
        ("\ufeffa c\u00adat\u200b in\u2060 oil", "a cat in oil"),
        ("\ufeffa c\u00adat --tile", "a cat --tile"),
    ],
)
def test_parameters_are_fixed_with_a_notice(text: str, repaired: str) -> None:
    found, notices = repair(text)
    assert found == repaired
    assert bool(notices) == (repaired != text)
    assert repair(found) == (repaired, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a cat — black",
        "“a cat”",
        "猫　黒い，大きい　１２",
        "a —cat –dog",
        "a\u00a0cat",
        "👩\u200d🎨 paints",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "Q：：A",
        r"R\&D \-tree &mdash;tree &amp;",
    ],
)
def test_words_never_change(text: str) -> None:
    assert repair(text) == (text, [])
