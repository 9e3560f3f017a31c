"""Realistic prompts, good and bad, and the findings that the checker must return for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mjcli.prompt.check import check
from mjcli.prompt.parameters import PARAMETERS
from mjcli.prompt.parse import parse
from mjcli.prompt.typography import repair

LINES = (Path(__file__).with_name("corpus.jsonl")).read_text(encoding="utf-8").split("\n")
CORPUS: list[dict[str, Any]] = [json.loads(line) for line in LINES if line]


@pytest.mark.parametrize(
    "case",
    CORPUS,
    ids=[
        f"{n} {case['prompt'][:40]}".encode("ascii", "replace").decode() for n, case in enumerate(CORPUS, 1)
    ],
)
def test_the_findings_match_the_expected_verdict(case: dict[str, Any]) -> None:
    findings = check(repair(case["prompt"])[0])
    severities = {each.severity for each in findings}
    verdict = "bad" if "error" in severities else "doubtful" if severities else "good"
    assert (verdict, sorted({each.code for each in findings})) == (case["verdict"], case["codes"])


def test_the_corpus_is_large_and_mixed() -> None:
    verdicts = [case["verdict"] for case in CORPUS]
    assert len(CORPUS) >= 150
    assert min(verdicts.count("good"), verdicts.count("bad")) >= 60
    spellings = {
        part.name.text[2:].lower()
        for case in CORPUS
        for part in parse(repair(case["prompt"])[0]).of("parameter")
        if case["verdict"] == "good"
    }
    assert {each for parameter in PARAMETERS for each in parameter.spellings} - spellings == set()
