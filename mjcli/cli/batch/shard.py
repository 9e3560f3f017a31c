"""The part of a batch that this process runs, and what engines for many processes say about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mjcli.errors import UsageError

_NUMBER = "0*([0-9]{1,9})"
_FORMS = "use --shard 2/5, --shard auto in a Slurm array, or --shard auto/5 in Kubernetes or GNU parallel"
_KUBERNETES, _PARALLEL = "JOB_COMPLETION_INDEX", "PARALLEL_SEQ"


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of a batch; `index` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, base: str) -> bool:
        """Whether the line with this identity belongs to the part; `base` is the same for equal lines.

        The hash may never change: machines with different versions would run the same line.
        """
        digest = hashlib.sha256(base.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1


def parse_shard(text: str, environ: Mapping[str, str]) -> Shard:
    """Return the shard that --shard stands for. Raises `UsageError`."""
    text = text.strip()
    if text == "auto":
        return _slurm(environ)
    if found := re.fullmatch(f"auto/{_NUMBER}", text):
        return _of_variable(int(found[1]), environ)
    if not (found := re.fullmatch(f"{_NUMBER}/{_NUMBER}", text)):
        raise UsageError(f'"{text[:80]}" is not a shard.', hint=_FORMS)
    index, count = int(found[1]), int(found[2])
    if not 1 <= index <= count:
        raise UsageError(
            f'There is no shard "{text}"; the shards of {count} are 1/{count} to {count}/{count}.'
            if count
            else f'"{text}" is not a shard; there must be at least one.',
            hint=_FORMS,
        )
    return Shard(index, count)


def _slurm(environ: Mapping[str, str]) -> Shard:
    if not environ.get("SLURM_ARRAY_TASK_ID"):
        others = [name for name in (_KUBERNETES, _PARALLEL) if environ.get(name)]
        hint = f"{others[0]} is set: use --shard auto/N with the number of shards" if others else _FORMS
        raise UsageError(
            "--shard auto works only in a Slurm array, and SLURM_ARRAY_TASK_ID is not set.", hint=hint
        )
    task, first, step, count = (
        _number(environ, f"SLURM_ARRAY_TASK_{name}") for name in ("ID", "MIN", "STEP", "COUNT")
    )
    last = first + (count - 1) * step
    given = _number(environ, "SLURM_ARRAY_TASK_MAX") if environ.get("SLURM_ARRAY_TASK_MAX") else last
    index, rest = divmod(task - first, step) if step else (0, 1)
    # A list such as 1,5,7 reports step 1, so the position of a task in it is unknown.
    if rest or last != given or not 0 <= index < count:
        raise UsageError(
            "--shard auto needs a Slurm array with equal steps.",
            hint="use sbatch --array=0-4, or --shard K/N with a K of your own",
        )
    return Shard(index + 1, count)


def _of_variable(count: int, environ: Mapping[str, str]) -> Shard:
    names = [name for name in (_KUBERNETES, _PARALLEL) if environ.get(name)]
    if len(names) != 1:
        problem = "both are set" if names else "neither is set"
        slurm = not names and environ.get("SLURM_ARRAY_TASK_ID")
        raise UsageError(
            f"--shard auto/{count} needs {_KUBERNETES} or {_PARALLEL}, and {problem}.",
            hint="use --shard auto in a Slurm array"
            if slurm
            else f"use --shard K/{count} with a K of your own",
        )
    number = _number(environ, names[0])
    index = number + 1 if names[0] == _KUBERNETES else number
    if not 1 <= index <= count:
        raise UsageError(
            f'{names[0]} is "{number}", which is none of {count} shards.',
            hint="give --shard auto/N the number of shards that the engine starts",
        )
    return Shard(index, count)


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "")
    if not re.fullmatch(_NUMBER, text):
        raise UsageError(f'{name} is "{text[:80]}", which is not a number.', hint="use --shard K/N instead")
    return int(text)
