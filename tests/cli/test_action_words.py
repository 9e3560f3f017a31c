"""`mj upscale`, `vary`, `reroll`, `zoom` and `pan`: actions in Midjourney's own words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.program import Mj
from tests.support.service import Service, fixture
from tests.support.systems import posix
from tests.support.terminal import at_a_terminal

pytestmark = pytest.mark.slow

SINGLE = fixture("upscale4.json")["actions"]


@pytest.fixture
def grid(online: Mj, service: Service) -> Service:
    """A service that has made a grid, which is @last, and finishes every job at once."""
    service.answer(service.result(image_id="grid-1"))
    online("imagine", "a cat")
    return service


def sent(service: Service) -> list[Any]:
    """The bodies of the jobs after the first one."""
    return [each.body for each in service.posts()[1:]]


def make_single(online: Mj, service: Service) -> None:
    service.answer({**service.result(image_id="single-1"), "actions": SINGLE})
    online("upscale", "1")


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        (["upscale", "2"], "upscale2"),
        (["upscale", "U3"], "upscale3"),
        (["upscale", "@last", "4"], "upscale4"),
        (["vary", "1", "@1"], "variation1"),
        (["vary", "v2"], "variation2"),
        (["reroll"], "reroll"),
        (["action", "u1"], "upscale1"),
        (["action", "@last", "upscale", "1"], "upscale1"),
    ],
)
def test_an_action_of_a_grid_applies_to_the_newest_image(
    online: Mj, grid: Service, arguments: list[str], action: str
) -> None:
    online(*arguments)
    assert sent(grid) == [{"action": action, "image_id": "grid-1"}]


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        (["upscale", "2x"], "upscale_2x"),
        (["upscale", "4x", "@last"], "upscale_4x"),
        (["vary", "subtle"], "variation_subtle"),
        (["vary", "@last", "strong"], "variation_strong"),
        (["zoom", "2"], "zoom_out_2x"),
        (["zoom", "1.5"], "zoom_out_1_5x"),
        (["pan", "left"], "pan_left"),
        (["action", "zoom-out-2x", "@last"], "zoom_out_2x"),
    ],
)
def test_an_action_of_a_single_image_is_sent(
    online: Mj, grid: Service, arguments: list[str], action: str
) -> None:
    make_single(online, grid)
    online(*arguments)
    assert sent(grid)[1:] == [{"action": action, "image_id": "single-1"}]


def test_the_image_is_named_if_it_was_not_typed(online: Mj, grid: Service) -> None:
    assert "Using image grid-1 (@last)." in online("upscale", "1").err
    assert "Using image" not in online("upscale", "1", "@2").err


def test_all_means_the_four_images_in_order(online: Mj, grid: Service) -> None:
    grid.imagine(lambda request, reply: reply.json(grid.result(image_id=f"of-{request.body['action']}")))
    result = online("upscale", "all", "--json")
    assert [each["image_id"] for each in result.json] == [f"of-upscale{n}" for n in range(1, 5)]


def test_several_images_are_several_jobs_in_the_order_typed(online: Mj, service: Service) -> None:
    service.imagine(
        lambda request, reply: reply.json(
            service.result(image_id=f"{request.body['image_id']} {request.body['action']}")
        )
    )
    result = online("upscale", "1,3", "12345", "67890", "--json")
    expected = ["12345 upscale1", "12345 upscale3", "67890 upscale1", "67890 upscale3"]
    assert [each["image_id"] for each in result.json] == expected
    assert len(service.posts()) == 4


@posix
@pytest.mark.parametrize(("answer", "jobs"), [(b"y\r", 4), (b"n\r", 0)])
def test_on_a_terminal_several_jobs_are_confirmed(
    online: Mj, grid: Service, answer: bytes, jobs: int
) -> None:
    status, shown = at_a_terminal(online, answer, "upscale", "all")
    assert "Start 4 jobs for about 0.02 USD" in shown
    assert len(sent(grid)) == jobs
    assert (status == 0) == bool(jobs)


def test_more_than_40_jobs_need_yes(online: Mj, service: Service) -> None:
    ids = "\n".join(str(number) for number in range(1000, 1011))
    result = online("vary", "all", "-", stdin=ids, check=2)
    assert "44 jobs" in result.err
    assert service.received == []


def test_a_key_names_one_job_only(online: Mj, grid: Service) -> None:
    assert "--key names one job" in online("upscale", "all", "--key", "k", check=2).err
    online("upscale", "1", "@last", "--key", "k")
    online("action", "U1", "@last", "--key", "k")
    assert len(sent(grid)) == 1


def test_an_image_that_does_not_offer_the_action_is_refused_with_what_does(online: Mj, grid: Service) -> None:
    make_single(online, grid)
    result = online("vary", "2", check=2)
    assert "it offers upscale_2x, " in result.err
    assert "next: mj vary 2 @2\n" in result.err
    assert len(sent(grid)) == 1


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (["vary", "strong", "@last", "at night"], "at night"),
        (["vary", "strong", "@last", "at", "night"], "at night"),
        (["vary", "strong", "at night"], "at night"),
        (["vary", "subtle", "@last", "strong", "wind"], "strong wind"),
        (["zoom", "2", "a wide field", "@last"], "a wide field"),
        (["pan", "left", "@last", "--prompt", "a river"], "a river"),
        (["action", "variation_strong", "@last", "at night"], "at night"),
    ],
)
def test_new_words_are_sent_as_the_prompt_and_may_be_refused(
    online: Mj, grid: Service, arguments: list[str], prompt: str
) -> None:
    make_single(online, grid)
    assert "the service may refuse them" in online(*arguments).err
    assert sent(grid)[-1]["prompt"] == prompt
    assert sent(grid)[-1]["image_id"] == "single-1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--v", "7", "2", "@last"],
        ["2", "--v", "7", "@last"],
        ["2", "@last", "--version=7"],
        ["2", "--v", "7"],
    ],
)
def test_the_version_is_a_field_wherever_it_stands(online: Mj, grid: Service, arguments: list[str]) -> None:
    online("upscale", *arguments)
    assert sent(grid) == [{"action": "upscale2", "image_id": "grid-1", "version": "7"}]


def test_with_new_words_the_parameters_end_the_prompt(online: Mj, grid: Service) -> None:
    online("vary", "1", "@last", "at night", "--v", "8", "--hd", "--q", "4", "--no", "stars,", "moon")
    assert sent(grid) == [
        {
            "action": "variation1",
            "image_id": "grid-1",
            "prompt": "at night --no stars, moon --v 8 --hd --q 4",
            "version": "8",
            "hd": True,
            "quality": "4",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["upscale", "5"], '"5" is not valid: mj upscale takes 1-4, all, 2x'),
        (["upscale", "v1"], "mj vary 1 @last"),
        (["upscale"], "mj upscale 4"),
        (["upscale", "@last"], "Missing action"),
        (["upscale", "1", "3"], "mj upscale 1,3"),
        (["upscale", "1", "last"], "mj upscale 1 @last"),
        (["upscale", "1", "u2"], "one action at a time"),
        (["pan", "left", "up", "@last"], "one action at a time"),
        (["zoom", "2", "1.5"], "one action at a time"),
        (["vary", "strong", "@last", "subtle"], "one action at a time"),
        (["vary", "strong", "@last", "last"], "may be an image or a new word"),
        (["vary", "strong", "@1", "3"], "mj vary 3 @1"),
        (["pan", "left", "right", "@1"], "mj pan right @1"),
        (["upscale", "2x", "@1", "4x"], "mj upscale 4x @1"),
        (["upscale", "1", "2", "@1"], "mj upscale 1,2 @1"),
        (["zoom", "2", "2", "dogs"], "mj zoom 2 @2 dogs"),
        (["upscale", "1", "@1", "last", "@3"], "takes no new words"),
        (["upscale", "1", "@last", "again"], "takes no new words"),
        (["upscale", "1", "--ar", "3:2"], "needs new words"),
        (["upscale", "1", "--v", "99"], "--force sends it anyway"),
        (["upscale", "1", "--prompt", "a dog"], "--prompt"),
        (["reroll", "@last", "again"], "takes no new words"),
        (["zoom", "3"], "mj zoom takes 1.5 or 2"),
        (["zoom", "1", "5"], "mj zoom takes 1.5 or 2"),
        (["pan", "sideways"], "left, right, up or down"),
        (["vary", "1", "night"], "mj vary 1 @last night"),
        (["vary", "1", "last", "at night"], "mj vary 1 @last"),
        (["vary", "1", "@last", "2026"], "--prompt 2026"),
        (["vary", "1", "meet", "@last", "there"], "among the new words"),
        (["vary", "1", "@last", "at night", "--prompt", "by day"], "twice"),
        (["vary", "a", "cat", "with", "2", "heads"], 'mj vary 2 @last "WORDS"'),
        (["vary", "the", "3", "cats", "@last"], "may be the action or one of the new words"),
        (["action", "a", "mountain", "pan", "left"], 'mj action pan left @last "WORDS"'),
        (["vary", "1", "a cat and @last"], '"@last" is a reference'),
        (["vary", "1", "a cat", "--no", "text", "@1"], '"@1" is a reference'),
        (["upscale", "1", "@last", "grid-1"], '"@last" and "grid-1" are the same image'),
        (["upscale", "1", "grid-1", "grid-1"], '"grid-1" is given twice'),
        (["vary", "1", "my cat.png", "a dog", "house"], '"my cat.png" does not exist'),
        (["upscale", "-1"], '"-1" is not valid'),
        (["upscale", "1", "-o", "--dry-run"], "-o needs a value"),
        (["upscale", "--", "1", "@last", "--dry-run"], '"--dry-run" is not an image id'),
        (["vary", "region"], "--mask"),
        (["action", "frobnicate"], "Unknown action"),
    ],
)
def test_what_is_not_clear_is_refused_before_anything_is_sent(
    online: Mj, grid: Service, arguments: list[str], told: str
) -> None:
    assert told in online(*arguments, check=2).err
    assert sent(grid) == []


def test_a_word_that_may_be_a_second_image_is_refused(online: Mj, service: Service) -> None:
    for name in ("1234567", "7654321"):
        service.answer(service.result(image_id=name, task_id=f"task-{name}"))
        online("imagine", "a cat")
    assert (
        '--prompt "7654 a red cat"' in online("vary", "1", "1234567", "7654", "a", "red", "cat", check=2).err
    )
    assert len(service.posts()) == 2


def test_an_image_of_another_host_is_refused(online: Mj, grid: Service) -> None:
    elsewhere = {"MJ_BASE_URL": "http://127.0.0.1:9"}
    assert "was sent to" in online("upscale", "1", env=elsewhere, check=2).err


def test_force_sends_a_name_of_the_future_for_several_images(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("action", "brand_new", "12345", "67890", "--force")
    assert sorted(each.body["image_id"] for each in service.posts()) == ["12345", "67890"]


def test_the_sandbox_goes_from_a_grid_to_a_panned_image(mj: Mj) -> None:
    mj("--sandbox", "imagine", "a cat")
    mj("--sandbox", "upscale", "2")
    mj("--sandbox", "vary", "subtle")
    mj("--sandbox", "upscale", "1")
    mj("--sandbox", "zoom", "2")
    mj("--sandbox", "upscale", "3")
    mj("--sandbox", "pan", "left", "@last", "a river")
    assert mj("--sandbox", "history", "--json").json[0]["action"] == "pan_left"
