"""A batch on a real terminal: the question, the board, and Ctrl-C."""

from __future__ import annotations

import pytest

from tests.support.batches import Batch, Midjourney, refuse
from tests.support.pane import Pane, missing
from tests.support.program import Mj
from tests.support.terminal import at_a_terminal, plain

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason="needs tmux")]


@pytest.fixture
def batch(online: Mj, midjourney: Midjourney) -> Batch:
    batch = Batch(online)
    batch.write(*(f"a cat with {number} kittens" for number in range(5)))
    return batch


def test_it_asks_before_it_sends_anything(batch: Batch, midjourney: Midjourney) -> None:
    status, shown = at_a_terminal(batch.mj, b"n\n", *map(str, batch.arguments("-o", "out/")))
    assert status == 2
    text = plain(shown)
    assert "line 1: out/a-cat-with-0-kittens_{image_id}.{ext}\n" in text
    assert "… and 2 more\n" in text
    assert "Start 5 jobs for about 0.125 USD (list prices of " in text
    assert "Cancelled; nothing was sent." in text
    assert midjourney.service.received == []


def test_it_says_that_nothing_is_saved(batch: Batch) -> None:
    _, shown = at_a_terminal(batch.mj, b"n\n", *map(str, batch.arguments()))
    assert "The images are not saved; --output DIR saves them." in plain(shown)


def test_one_job_is_asked_about_too(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    status, shown = at_a_terminal(batch.mj, b"y\n", *map(str, batch.arguments()))
    assert status == 0
    assert "Start 1 job for about 0.025 USD" in plain(shown)
    assert midjourney.jobs == ["a cat"]


@pytest.mark.parametrize(
    ("columns", "numbers"),
    [
        (80, "3 done · 2 running · ~0.075 USD"),
        (50, "3 done · 2 running · ~0.075 USD"),
        (24, "3 done · ~0.075 USD"),
    ],
)
def test_the_board_and_ctrl_c(batch: Batch, midjourney: Midjourney, columns: int, numbers: str) -> None:
    midjourney.held = {"a cat with 3 kittens", "a cat with 4 kittens"}
    with Pane(batch.mj, columns=columns) as pane:
        pane.run("mj batch prompts.txt --rate 1000 -o out/ -y; echo status $?")
        pane.wait_for(numbers)
        # A job is done before its files are saved and its line is printed.
        screen = pane.wait(lambda: pane.screen().count("\nline ") == 3).split("\n")
        assert screen[-1] == numbers
        assert screen[-2].endswith(" 3/5")
        pane.press("C-c")
        pane.wait_for("Nothing more")
        midjourney.release()
        screen = pane.wait_for("status 130").split("\n")
        assert not any("━" in line or "~" in line for line in screen)
        assert any(line.split()[:2] == ["done", "5"] for line in screen)
        assert pane.cursor_is_shown
    assert len(midjourney.accepted) == 5


def test_the_second_ctrl_c_leaves_a_clean_terminal(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"*"}
    with Pane(batch.mj, columns=80) as pane:
        pane.run("mj batch prompts.txt --rate 1000 --jobs 2 -y; echo status $?")
        midjourney.wait_for(2)
        pane.wait_for("2 running")
        pane.press("C-c")
        pane.wait_for("Waiting for 2 jobs in flight; Ctrl-C again exits.")
        pane.press("C-c")
        screen = pane.wait_for("status 130")
        assert "Jobs in flight continue at the service and are billed if they succeed." in screen.replace(
            "\n  ", " "
        )
        assert "next: mj batch prompts.txt --rate 1000 --jobs 2 -y" in screen
        assert "━" not in screen
        assert pane.cursor_is_shown


def test_a_failure_is_shown_above_the_board(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a cat with 1 kittens"] = refuse("forbidden", 403, "The prompt is not allowed.")
    midjourney.held = {"a cat with 4 kittens"}
    with Pane(batch.mj, columns=80) as pane:
        pane.run("mj batch prompts.txt --rate 1000 -y")
        pane.wait_for("3 done · 1 running · 1 failed")
        midjourney.release()
        screen = pane.wait_for("next ")
        assert "1 (line 2): The prompt is not allowed. (forbidden)" in screen
        assert "next    mj batch prompts.txt --rate 1000 -y --retry-failed" in screen
