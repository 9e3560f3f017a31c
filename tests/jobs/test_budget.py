"""What a job is expected to cost."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.jobs.budget import (
    CHARGED,
    LISTED,
    UNKNOWN,
    Charge,
    Estimate,
    PriceClass,
    amount,
    class_of,
    estimate_request,
    history_of,
    kind_of,
    repeats,
)

IMAGINE = "/midjourney/imagine"


@pytest.mark.parametrize(
    ("path", "body", "usd"),
    [
        (IMAGINE, {"action": "generate", "prompt": "a cat"}, 0.025),
        (IMAGINE, {"action": "variation1", "image_id": "i"}, 0.025),
        (IMAGINE, {"action": "upscale1", "image_id": "i"}, 0.005),
        (IMAGINE, {"action": "upsample1", "image_id": "i"}, 0.005),
        (IMAGINE, {"action": "generate", "prompt": "a cat", "mode": "relax"}, 0.025),
        ("/midjourney/edits", {"prompt": "a cat"}, 0.025),
        ("/midjourney/videos", {"prompt": "a cat"}, 0.10),
        ("/midjourney/describe", {"image_url": "https://h/cat.png"}, 0.005),
    ],
)
def test_without_charges_a_job_costs_its_list_price(path: str, body: dict[str, Any], usd: float) -> None:
    assert estimate_request(path, body, {}) == Estimate(usd, LISTED)


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a cat", "mode": "turbo"},
        {"prompt": "a cat --turbo"},
        {"prompt": "a cat —turbo"},
        {"prompt": "a cat --hd"},
        {"prompt": "a cat", "hd": True},
        {"prompt": "a cat --sref 123"},
        {"prompt": "a cat", "style_reference": True},
        {"prompt": "a cat --p abc m123"},
        {"prompt": "a cat", "moodboard": True},
    ],
)
def test_a_job_with_an_unpublished_price_costs_at_least_the_list_price(
    body: dict[str, Any],
) -> None:
    assert estimate_request(IMAGINE, body, {}) == Estimate(None, LISTED, at_least=0.025)


def test_the_price_of_text_that_is_not_on_the_list_is_not_known() -> None:
    assert estimate_request("/midjourney/translate", {"content": "x"}, {}) == Estimate(None, UNKNOWN)


def test_the_mode_in_the_prompt_counts() -> None:
    assert class_of(IMAGINE, {"prompt": "a cat --turbo --fast", "mode": "turbo"}) == PriceClass("image")


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("a cat", 1),
        ("a cat --repeat 4", 4),
        ("a cat --r 4 --ar 1:1", 4),
        ("a cat —r 4", 4),
        ("a cat --R 3 --repeat 4", 4),
        ("a cat --repeat 0", 1),
        ("a cat --repeat 99999999999", 40),
        ("a cat --repeat", 1),
        ("a --row of cats", 1),
    ],
)
def test_repeated_jobs_are_counted(prompt: str, count: int) -> None:
    assert repeats({"prompt": prompt}) == count


def test_each_repeated_job_is_expected_to_be_charged() -> None:
    assert estimate_request(IMAGINE, {"prompt": "a cat --repeat 4"}, {}).usd == pytest.approx(0.1)
    assert estimate_request(IMAGINE, {"prompt": "a cat --repeat 4 --turbo"}, {}).at_least == pytest.approx(
        0.1
    )


def test_charges_of_the_same_class_replace_the_list_price() -> None:
    body = {"prompt": "a cat --turbo"}
    history = history_of([Charge(IMAGINE, body, usd) for usd in (0.05, 0.05, 9.0)])
    assert estimate_request(IMAGINE, {"prompt": "a dog --turbo --repeat 2"}, history) == Estimate(
        0.1, CHARGED
    )
    assert estimate_request(IMAGINE, {"prompt": "a dog"}, history) == Estimate(0.025, LISTED)


def test_the_median_of_the_newest_charges_counts_for_one_job_each() -> None:
    plain: dict[str, Any] = {"prompt": "a cat"}
    charges = [Charge(IMAGINE, {"prompt": "a cat --repeat 2"}, 0.08), Charge(IMAGINE, plain, 0.0)]
    assert history_of(charges) == {PriceClass("image"): 0.04}
    newest = [Charge(IMAGINE, plain, 0.03)] * 20
    assert history_of([*newest, *[Charge(IMAGINE, plain, 1.0)] * 50]) == {PriceClass("image"): 0.03}
    assert history_of([Charge(IMAGINE, plain, 0.02), Charge(IMAGINE, plain, 0.04)])[
        PriceClass("image")
    ] == pytest.approx(0.03)


def test_an_unknown_action_is_an_image() -> None:
    assert kind_of(IMAGINE, {"action": "square"}) == "image"
    assert kind_of(IMAGINE, {"action": None}) == "image"


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "0.00 USD"), (0.025, "0.025 USD"), (0.1, "0.10 USD"), (12, "12.00 USD"), (0.12345, "0.1235 USD")],
)
def test_amounts_have_cents_and_more_digits_if_they_matter(usd: float, text: str) -> None:
    assert amount(usd) == text
