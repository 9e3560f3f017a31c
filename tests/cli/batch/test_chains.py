"""Chains of steps that can never work are refused before anything is paid."""

from __future__ import annotations

import pytest

from mjcli.cli.batch.chains import check_chain
from mjcli.cli.batch.steps import parse_steps
from mjcli.errors import UsageError
from tests.support.batches import Batch, Midjourney


@pytest.mark.parametrize(
    ("steps", "message", "hint"),
    [
        (
            "zoom:2",
            'Step "zoom:2" needs a single image, and a prompt makes a grid: put upscale:1 before it.',
            "--then upscale:1 --then zoom:2",
        ),
        (
            "vary:2 pan:left",
            'Step "pan:left" needs a single image, and "vary:2" makes a grid: put upscale:1 before it.',
            "--then vary:2 --then upscale:1 --then pan:left",
        ),
        (
            "upscale:1 upscale:3",
            'Step "upscale:3" needs a grid, and "upscale:1" makes a single image: write "upscale:1,3" as one step.',
            "--then upscale:1,3",
        ),
        (
            "reroll U1 upsample2 upscale:2,4 zoom:2",
            'Step "upsample2" needs a grid, and "U1" makes a single image: write "upscale:1,2,4" as one step.',
            "--then reroll --then upscale:1,2,4 --then zoom:2",
        ),
        (
            "upscale:1 vary:2 upscale:3",
            'Step "vary:2" needs a grid, and "upscale:1" makes a single image: apply it in a second run.',
            "--then vary:2 --then upscale:3",
        ),
        (
            "upscale:1 upscale_2x upscale:3",
            'Step "upscale:3" needs a grid, and "upscale_2x" makes a single image: apply it in a second run.',
            "--then upscale:3",
        ),
    ],
)
def test_a_chain_that_can_never_work_is_refused(steps: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_chain(parse_steps(steps.split()))
    assert refused.value.message == message
    assert refused.value.hint == f"use {hint}"


@pytest.mark.parametrize(
    "steps",
    [
        "upscale:all zoom:2",
        "upscale:1,3 upscale_2x",
        "vary:1 reroll upscale:2",
        "upscale:1 reroll",  # from here on, what is offered is not certain
        "upscale:1 zoom:2 upscale:1",
        "upscale:1 pan:left pan:left",
        "upscale:1 variation_strong upscale:4",
        "upscale_subtle",
        "square",
        "upscale:1 upscale_8x upscale:2",
        "enhance_draft zoom:2",
    ],
)
def test_a_chain_that_may_work_is_left_alone(steps: str) -> None:
    check_chain(parse_steps(steps.split()))


@pytest.mark.parametrize("steps", ["zoom:2", "upscale:1 upscale:3", "upscale:2 vary:2", "vary:2 zoom:2"])
def test_the_chain_of_the_hint_is_accepted(steps: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_chain(parse_steps(steps.split()))
    words = str(refused.value.hint).removeprefix("use --then ").split(" --then ")
    check_chain(parse_steps(words))


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_then_is_refused_before_anything_is_paid(
    batch: Batch, midjourney: Midjourney, options: list[str]
) -> None:
    refused = batch("--then", "zoom:2", *options, check=2)
    assert 'Step "zoom:2" needs a single image' in refused.err
    assert "--then upscale:1 --then zoom:2" in refused.err
    assert midjourney.service.received == []
    assert "left: 6" in batch("--then", "zoom:2", "--status").out


def test_the_steps_of_a_line_are_refused_with_its_number(batch: Batch, midjourney: Midjourney) -> None:
    batch.name = "prompts.csv"
    batch.write("prompt,then", "a cat,upscale:1;upscale:2", "a dog,upscale:1", "a fox,zoom:2")
    refused = batch(check=2).err
    assert 'prompts.csv:2: Step "upscale:2" needs a grid' in refused
    assert 'write "upscale:1,2" as one step' in refused
    assert 'prompts.csv:4: Step "zoom:2" needs a single image' in refused
    assert midjourney.service.received == []


def test_then_is_refused_for_the_lines_that_it_cannot_follow(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    batch()
    batch.name = "actions.csv"
    batch.write("action,image", "vary:1,image-1", "upscale:2,image-1")
    refused = batch("--then", "upscale:1", check=2).err
    assert (
        'actions.csv:3: Step "upscale:1" needs a grid, and "upscale:2" makes a single image: leave' in refused
    )
    assert midjourney.jobs == ["a cat"]
