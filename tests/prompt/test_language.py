"""Which prompts are in a language that the service understands less well than English."""

from __future__ import annotations

import pytest

from mjcli.prompt.language import may_need_translation


@pytest.mark.parametrize(
    "prompt",
    [
        "一只猫 --ar 16:9",
        "森の中の猫, 8k",
        "고양이",
        "кошка на столе",
        "قطة على الطاولة",
        "γάτα",
        "https://e/a.png 一只猫",
    ],
)
def test_other_scripts_may_need_a_translation(prompt: str) -> None:
    assert may_need_translation(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat",
        "Café Zürich, Łódź at night, señor, naïve",
        "a portrait of 宮崎駿 in his studio",
        'a sign that says "こんにちは世界、ようこそ"',
        "https://e/猫の写真.png a cat",
        "a cat --no 文字，标志，水印，人物",
        "🦊🦊🦊",
        "",
    ],
)
def test_english_with_names_accents_and_quoted_text_does_not(prompt: str) -> None:
    assert not may_need_translation(prompt)
