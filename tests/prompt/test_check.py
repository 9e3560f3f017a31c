"""The messages of the checker."""

from __future__ import annotations

import pytest

from mjcli.prompt.check import check

LINK = "https://e/a.png"
LONG = "https://cdn.example.com/attachments/1/2/a-very-long-name.png"


@pytest.mark.parametrize(
    ("prompt", "code", "message"),
    [
        ("", "empty", "The prompt is empty."),
        ("--ar 16:9", "empty", "The prompt has only parameters: add words or an image."),
        (f"{LINK} " * 6 + "a cat", "too_many_images", "The prompt has 6 images: remove all but 5."),
        (f"a cat {LINK}", "image_behind", f'Put the image link "{LINK}" before all words.'),
        (
            f"a cat {LONG}",
            "image_behind",
            'Put the image link "https://cdn.example…-very-long-name.png" before all words.',
        ),
        ("a --tile —foo", "odd_dash", '"—foo" is not a parameter: parameters start with two hyphens ("--").'),
        ("--ar 16:9 a cat", "words_behind", "Put all words before the first parameter."),
        ("a cat -ar 16:9", "single_dash", 'Type "--ar" instead of "-ar".'),
        (
            "a cat -x",
            "single_dash",
            'Remove "-x": the service would read it as an unknown parameter.',
        ),
        (
            "a cat--ar 1:1",
            "no_space",
            'Put a space before "--ar"; otherwise it is read as part of the words.',
        ),
        (
            "a -- cat",
            "dash_alone",
            '"--" is not a parameter: add a name to it, or type "—" for a dash.',
        ),
        ("a --ar16:9", "unknown_parameter", 'Separate --ar and "16:9" with a space.'),
        ("a --ar=16:9", "unknown_parameter", 'Separate --ar and "16:9" with a space.'),
        ("a ---tile", "unknown_parameter", 'Type "--tile" instead of "---tile".'),
        (
            "a --stylise 5",
            "unknown_parameter",
            'Unknown parameter "--stylise". Did you mean --stylize (--s)?',
        ),
        ("a --xyz", "unknown_parameter", 'Unknown parameter "--xyz".'),
        ("a --ar", "missing_value", "--ar needs a value: W:H in whole numbers, such as 16:9."),
        ("a --no", "missing_value", '--no needs a value: words, such as "text, logo".'),
        ("a --niji", "bare_niji", "--niji has no version, so the service chooses one."),
        ("a --v 5.1", "unknown_version", "Version 5.1 is old; the service may not support it."),
        ("a --ar 16:9,", "bad_value", 'Remove the comma after "16:9".'),
        ("a --s 250.", "bad_value", 'Remove the full stop after "250".'),
        ("a --s 250.,", "bad_value", 'Remove the punctuation after "250".'),
        ("a --chaos 101", "bad_value", '"101" is out of range: --chaos takes 0 to 100.'),
        ("a --c -1", "bad_value", '"-1" is out of range: --c takes 0 to 100.'),
        ("a --c 1.5", "bad_value", '"1.5" is not a whole number: --c takes 0 to 100.'),
        (f"{LINK} a --iw x", "bad_value", '"x" is not a number: --iw takes 0 to 3.'),
        (
            "a --ar wide",
            "bad_value",
            '"wide" is not an aspect ratio: --ar takes W:H in whole numbers, such as 16:9.',
        ),
        ("a --style photo", "bad_value", '"photo" is not valid: --style takes '
         "raw, cute, scenic, expressive or original."),
        (
            "a --sref red",
            "bad_value",
            '"red" is not a style reference: --sref takes an image link, a code of digits, or random.',
        ),
        ("a --repeat 3", "repeat_costs", "--repeat 3 starts 3 jobs, each billed separately."),
        ("a --ar 1:1 --aspect 2:1", "repeated", "--aspect is given twice: remove one."),
        ("a --sref 1 --sref 2", "repeated", "--sref is given twice: list all values after the first one."),
        ("a --hd --sd", "conflict", "--hd and --sd cannot be combined."),
        ("a --sw 5", "missing_companion", "--sw needs --sref."),
        ("a --style cute", "missing_companion", "--style cute needs --niji."),
        ("a --v 8.1 --turbo", "version", "--turbo does not exist in version 8.1."),
        (f"a --v 6 --oref {LINK}", "version", "--oref needs version 7 or later, not 6."),
        (f"a --v 6.1 --cref {LINK}", "version", "--cref probably needs version 6 or niji 6, not 6.1."),
        (
            "a --v 6.1 --q 4",
            "version_value",
            '"4" is probably not valid: --q takes .25, .5 or 1 in version 6.1.',
        ),
    ],
)  # fmt: skip
def test_each_mistake_has_a_message_of_its_own(prompt: str, code: str, message: str) -> None:
    assert [(each.code, each.message) for each in check(prompt)] == [(code, message)]
