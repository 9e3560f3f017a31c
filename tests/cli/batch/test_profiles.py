"""A batch that is spread over several accounts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.batches import Batch, Midjourney, refuse, rows
from tests.support.program import Mj
from tests.support.service import Service, serve


@pytest.fixture
def services() -> Iterator[tuple[Service, Service]]:
    """Two services, so that it shows which account a request came from."""
    one, two = serve(), serve()
    yield next(one), next(two)
    for each in (one, two):
        each.close()  # type: ignore[attr-defined]


@pytest.fixture
def midjourneys(services: tuple[Service, Service]) -> tuple[Midjourney, Midjourney]:
    one, two = services
    return Midjourney(one, "task-a"), Midjourney(two, "task-b")


@pytest.fixture
def batch(mj: Mj, services: tuple[Service, Service]) -> Batch:
    for name, token, service in zip("ab", ("secret-token-a", "secret-token-b"), services, strict=True):
        mj("auth", "login", "--profile", name, "--no-check", stdin=token, check=None)
        mj("config", "set", "base_url", service.base_url, "--profile", name)
    batch = Batch(mj)
    batch.write(*(f"cat {number}" for number in range(8)))
    return batch


@pytest.mark.slow
def test_the_jobs_are_spread_and_each_account_has_its_own_limits(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    one, two = midjourneys
    for each in midjourneys:
        each.held = {"*"}
    process = batch.mj.start(*batch.arguments("--profiles", "a,b", "--jobs", 2, "--json"))
    for each in midjourneys:
        each.wait_for(2)
    assert len(one.accepted) == len(two.accepted) == 2
    for each in midjourneys:
        each.release()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, (out + err).decode()
    assert sorted(one.jobs + two.jobs) == [f"cat {number}" for number in range(8)]
    assert {each.headers["authorization"] for each in one.accepted} == {"Bearer secret-token-a"}
    assert {each.headers["authorization"] for each in two.accepted} == {"Bearer secret-token-b"}


@pytest.mark.slow
def test_the_steps_of_a_grid_go_to_the_account_that_made_it(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    batch("--profiles", "a,b", "--then", "upscale:1", "--jobs", 1, "--yes")
    for each, letter in zip(midjourneys, "ab", strict=True):
        grids = [body for body in (request.body for request in each.accepted) if "image_id" not in body]
        steps = [request.body for request in each.accepted if "image_id" in request.body]
        assert len(grids) == len(steps) > 0
        assert {body["image_id"].rpartition("-")[0] for body in steps} == {f"image-{letter}"}


@pytest.mark.slow
def test_run_again_with_one_of_them_it_sends_nothing(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    batch("--profiles", "a,b")
    batch("--profile", "a")
    batch("--profiles", "b")
    assert sum(len(each.accepted) for each in midjourneys) == 8


def test_a_step_that_is_added_with_another_profile_goes_to_the_owner_of_the_grid(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    one, two = midjourneys
    batch.write("a cat")
    batch("--profile", "a")
    batch("--profile", "b", "--then", "upscale:1")
    assert one.jobs == ["a cat", "upscale1 image-a-1"]
    assert two.accepted == []


@pytest.mark.slow
def test_jobs_in_flight_of_another_profile_are_followed_there(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    one, two = midjourneys
    one.held = {"*"}
    process = batch.mj.start(*batch.arguments("--profile", "a", "--jobs", 2))
    one.wait_for(2)
    process.kill()
    process.communicate()
    one.release()
    _, summary = batch.json("--profile", "b")
    assert (summary["done"], summary["left"], summary["total"]) == (8, 0, 8)
    assert len(one.accepted) == 2
    assert len(two.accepted) == 6


@pytest.mark.slow
def test_two_runs_at_once_with_both_profiles_send_each_line_once(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    batch.write(*(f"cat {number}" for number in range(16)))
    for each in midjourneys:
        each.held = {"*"}
    arguments = batch.arguments("--profiles", "a,b", "--jobs", 8, "--json")
    processes = [batch.mj.start(*arguments) for _ in range(2)]
    for each in midjourneys:
        each.wait_for(4)
        each.release()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out + err).decode()
    assert sorted(midjourneys[0].jobs + midjourneys[1].jobs) == sorted(f"cat {n}" for n in range(16))


@pytest.mark.slow
def test_an_account_without_balance_leaves_its_jobs_to_the_other(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    one, two = midjourneys
    one.faults = {f"cat {number}": refuse("used_up", 403) for number in range(8)}
    result = batch("--profiles", "a,b", "--jobs", 1)
    assert sorted(two.jobs) == [f"cat {number}" for number in range(8)]
    assert "done: 8 of 8 jobs" in result.out
    assert result.err.count('Profile "a" sends nothing more (used_up)') == 1


def test_two_profiles_with_one_token_are_one_account(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney], services: tuple[Service, Service]
) -> None:
    batch.mj("auth", "login", "--profile", "c", "--no-check", stdin="secret-token-a")
    batch.mj("config", "set", "base_url", services[0].base_url, "--profile", "c")
    refused = batch("--profiles", "a,c", check=2)
    assert 'Profiles "a" and "c" have the same token, so they are one account.' in refused.err
    assert midjourneys[0].service.received == []


@pytest.mark.parametrize("profiles", ["a,nobody", "nobody"])
def test_an_unknown_profile_is_refused(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney], profiles: str
) -> None:
    assert '"nobody"' in batch("--profiles", profiles, check=2).err
    assert midjourneys[0].service.received == []


@pytest.mark.slow
def test_mj_resume_follows_the_jobs_of_each_profile(
    batch: Batch, midjourneys: tuple[Midjourney, Midjourney]
) -> None:
    for each in midjourneys:
        each.held = {"*"}
    process = batch.mj.start(*batch.arguments("--profiles", "a,b", "--jobs", 2, "-o", "out/"))
    for each in midjourneys:
        each.wait_for(2)
    process.kill()
    process.communicate()
    for each in midjourneys:
        each.release()
    for name in "ab":
        batch.mj("resume", "--profile", name)
    assert {state for (state,) in rows(batch.mj, "state")} == {"done"}
    assert len(list((batch.mj.cwd / "out").iterdir())) == 4
    batch("--profiles", "a,b", "-o", "out/")
    assert sum(len(each.accepted) for each in midjourneys) == 8
