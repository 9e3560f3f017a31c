"""The shards of a batch: what is typed, what engines set, and which lines belong to which."""

from __future__ import annotations

import pytest

from mjcli.cli.batch.shard import Shard, parse_shard
from mjcli.errors import UsageError

# Other machines may run another version, so these numbers are part of the contract.
GOLDEN = {"a cat": 4, "a dog": 6, "": 2, "kočka": 4, "猫 --ar 3:2": 6, "a\udc80": 3}


def slurm(array: range, task: int, **changes: str) -> dict[str, str]:
    """What Slurm sets for one task of an array."""
    values = {"ID": task, "MIN": array[0], "MAX": array[-1], "STEP": array.step, "COUNT": len(array)}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()} | changes


def test_a_shard_is_typed_with_numbers_from_1() -> None:
    assert parse_shard("2/5", {}) == Shard(2, 5)
    assert parse_shard(" 1/1 ", {}) == Shard(1, 1)
    assert str(parse_shard("02/05", {})) == "2/5"


@pytest.mark.parametrize(
    "text",
    ["", "2", "0/3", "4/3", "0/0", "-1/3", "1/3/5", "a/b", "1.5/3", "auto/", "auto/x", "Auto", "١/٣", "1/ 3"],
)
def test_what_is_not_a_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard(text, {"PARALLEL_SEQ": "1", "SLURM_ARRAY_TASK_ID": ""})
    assert text in caught.value.message
    assert "--shard" in str(caught.value.hint)


@pytest.mark.parametrize("array", [range(4), range(1, 5), range(3, 16, 4), range(3, 15, 5), range(7, 8)])
def test_the_tasks_of_a_slurm_array_are_its_shards(array: range) -> None:
    found = [parse_shard("auto", slurm(array, task)) for task in array]
    assert found == [Shard(number, len(array)) for number in range(1, len(array) + 1)]


def test_slurm_without_the_last_number_is_enough() -> None:
    assert parse_shard("auto", slurm(range(3, 16, 4), 11, SLURM_ARRAY_TASK_MAX="")) == Shard(3, 4)


@pytest.mark.parametrize("task", [1, 2, 7])
def test_a_slurm_list_without_equal_steps_is_refused_by_each_of_its_tasks(task: int) -> None:
    listed = slurm(range(1, 4), task, SLURM_ARRAY_TASK_MAX="7")  # --array=1,2,7
    with pytest.raises(UsageError, match="equal steps"):
        parse_shard("auto", listed)


@pytest.mark.parametrize("name", ["MIN", "STEP", "COUNT"])
@pytest.mark.parametrize("value", ["", "x", "-1", "0x1"])
def test_a_slurm_variable_that_is_not_a_number_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f'SLURM_ARRAY_TASK_{name} is "{value}"'):
        parse_shard("auto", slurm(range(4), 2, **{f"SLURM_ARRAY_TASK_{name}": value}))


def test_a_slurm_step_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="equal steps"):
        parse_shard("auto", slurm(range(4), 2, SLURM_ARRAY_TASK_STEP="0"))


def test_auto_outside_slurm_says_what_to_type() -> None:
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID is not set"):
        parse_shard("auto", {})
    with pytest.raises(UsageError) as caught:
        parse_shard("auto", {"JOB_COMPLETION_INDEX": "0"})
    assert "--shard auto/N" in str(caught.value.hint)


def test_kubernetes_counts_from_0_and_gnu_parallel_from_1() -> None:
    assert parse_shard("auto/3", {"JOB_COMPLETION_INDEX": "0"}) == Shard(1, 3)
    assert parse_shard("auto/3", {"JOB_COMPLETION_INDEX": "2"}) == Shard(3, 3)
    assert parse_shard("auto/3", {"PARALLEL_SEQ": "1"}) == Shard(1, 3)
    assert parse_shard("auto/3", {"PARALLEL_SEQ": "3"}) == Shard(3, 3)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "neither is set"),
        ({"JOB_COMPLETION_INDEX": "1", "PARALLEL_SEQ": "1"}, "both are set"),
        ({"JOB_COMPLETION_INDEX": "3"}, "none of 3 shards"),
        ({"PARALLEL_SEQ": "4"}, "none of 3 shards"),
        ({"PARALLEL_SEQ": "0"}, "none of 3 shards"),
        ({"PARALLEL_SEQ": "one"}, "not a number"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_shard("auto/3", environ)


def test_auto_with_a_number_in_a_slurm_array_says_to_leave_the_number_out() -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard("auto/4", slurm(range(4), 1))
    assert caught.value.hint == "use --shard auto in a Slurm array"


def test_the_shard_of_a_line_never_changes() -> None:
    assert {base: next(n for n in range(1, 8) if Shard(n, 7).holds(base)) for base in GOLDEN} == GOLDEN


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_each_line_belongs_to_one_shard(count: int) -> None:
    for line in range(50):
        assert [Shard(n, count).holds(f"line {line}") for n in range(1, count + 1)].count(True) == 1


def test_shards_have_about_equal_numbers_of_lines() -> None:
    sizes = [sum(Shard(n, 4).holds(f"line {line}") for line in range(4000)) for n in range(1, 5)]
    assert min(sizes) > 900
