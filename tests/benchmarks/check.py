"""The time to check a prompt: `python -m tests.benchmarks.check`.

A prompt of 2,000 characters is repaired, parsed, checked and composed again, as before a job.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from mjcli.prompt.check import check
from mjcli.prompt.compose import compose
from mjcli.prompt.typography import repair

BUDGET = 2.0  # milliseconds
PARAMETERS = " --ar 16:9 --stylize 250 --no text, logo --sref 123 --sw 10 --v 7"
PROMPTS = {
    "plain": "a lighthouse in a storm, dramatic light, " * 60,
    "not ASCII": "“ein Leuchtturm” im Sturm — 灯台、嵐の中で, " * 60,
    "hyphens": "well-known -5 half-timbered 3/4-view " * 60,
}


def main() -> int:
    """Measure each kind of prompt; exit status 1 if a median exceeds the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    held = True
    for name, words in PROMPTS.items():
        text = words[: 2000 - len(PARAMETERS)] + PARAMETERS
        times = []
        for _ in range(runs):
            begun = time.perf_counter()
            check(compose([], repair(text)[0], {}).text)
            times.append((time.perf_counter() - begun) * 1000)
        median = statistics.median(times)
        held = held and median <= BUDGET
        sys.stdout.write(
            f"{name:10} {len(text)} characters: {median:.2f} ms median, {max(times):.2f} ms at most\n"
        )
    sys.stdout.write(f"budget {BUDGET:g} ms: {'held' if held else 'OVER'}\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
