"""No item of a batch is accepted twice, whenever its processes end: killed at every step, and in random order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from mjcli.jobs.claims import WAIT_SECONDS
from tests.jobs.claims_world import Killed, Turns, World, run

ITEMS = ("cat", "dog", "cow")


def check(world: World, states: dict[str, str], items: tuple[str, ...]) -> None:
    """Each item was accepted at most once, and is done if it was; what is not known is not called done."""
    for item in items:
        accepted = [number for (each, _), number in world.accepted.items() if each == item]
        assert sum(accepted) <= 1, (item, world.accepted)
        assert states[item] == ("done" if accepted else "unknown"), (item, states, world.accepted)


def kill_at(world: World, number: int) -> None:
    """End the process at one of the steps from now on."""
    steps: Iterator[int] = iter(range(number))

    def step() -> None:
        if next(steps, None) is None:
            world.step = lambda: None
            raise Killed

    world.step = step


def test_a_process_that_is_killed_at_any_step_is_continued_by_another() -> None:
    number, killed = 0, True
    while killed:
        world, chance = World(), random.Random(1)
        kill_at(world, number)
        try:
            run(world, ITEMS, chance)
            killed = False
        except Killed:
            pass
        world.step = lambda: None
        check(world, run(world, ITEMS, chance), ITEMS)
        number += 1
    assert number > 20


def test_processes_that_are_killed_at_any_two_steps_are_continued_by_a_third() -> None:
    for first in range(0, 40):
        for second in range(0, 40, 3):
            world, chance = World(), random.Random(first)
            for number in (first, second):
                kill_at(world, number)
                try:
                    run(world, ITEMS[:2], chance)
                except Killed:
                    pass
            world.step = lambda: None
            check(world, run(world, ITEMS[:2], chance), ITEMS[:2])


def together(seed: int, items: tuple[str, ...]) -> tuple[World, random.Random]:
    """Three processes at a time share all items, until none is killed."""
    chance, world = random.Random(seed), World()
    turns = Turns(chance, kills=0.02)
    world.step = turns.step
    generations = 0
    while turns.run([lambda: run(world, items, random.Random(chance.random()))] * 3):
        generations += 1
        assert generations < 100
    assert not turns.errors, turns.errors
    world.step = lambda: None
    return world, chance


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(150))
def test_processes_that_run_at_once_and_are_killed_at_random_send_each_item_once(seed: int) -> None:
    world, chance = together(seed, ITEMS)
    check(world, run(world, ITEMS, chance), ITEMS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_equal_items_are_sent_once_each(seed: int) -> None:
    items = ("cat", "cat#2", "cat#3", "dog")
    world, chance = together(seed, items)
    states = run(world, items, chance)
    accepted: Counter[str] = Counter()
    for (item, _), number in world.accepted.items():
        accepted[item] += number
    assert max(accepted.values()) == 1
    assert all(states[item] in ("done", "unknown") for item in items)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_a_retry_of_unknown_items_by_several_processes_sends_each_once_more(seed: int) -> None:
    world, chance = together(seed, ITEMS)
    before = run(world, ITEMS, chance)
    sent = Counter(item for item, _ in world.accepted)
    world.clock.sleep(WAIT_SECONDS + 1)
    turns = Turns(chance, kills=0.0)
    world.step = turns.step
    retry = [lambda: run(world, ITEMS, random.Random(chance.random()), ("unknown", "failed"))] * 3
    assert turns.run(retry) == 0
    assert not turns.errors, turns.errors
    assert max(world.accepted.values()) == 1  # for one generation of an item
    for item in ITEMS:
        assert Counter(each for each, _ in world.accepted)[item] == sent[item] + (before[item] == "unknown")
