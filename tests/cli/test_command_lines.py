"""Command lines as people type and paste them, with the requests or the message that they must lead to.

Each line of the data has a `line` (a shell's line, or its words) and what is expected: the `prompt` or (fields
of) the `body` of the only request, or the `bodies` of several, or the exit `status` of a refusal; what the
message `says`; and what it must not say (`silent`). LINK, GRID, SINGLE and OUT stand for an image's link, the
ids of a grid (the newest job) and of a single image, and a directory.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service, fixture

pytestmark = pytest.mark.slow

LINES = (Path(__file__).with_name("command_lines.jsonl")).read_text(encoding="utf-8").split("\n")
CASES: list[dict[str, Any]] = [json.loads(line) for line in LINES if line]
GRID, SINGLE = "1234197197067915365", "1234197197067915366"


def named(case: dict[str, Any]) -> str:
    line = case["line"]
    text = line if isinstance(line, str) else shlex.join(line)
    return text.encode("ascii", "backslashreplace").decode()[:70]


@pytest.fixture
def used(online: Mj, service: Service) -> Service:
    """A service for someone who has made a single image and then a grid, and has files in the directory."""
    service.files |= {"/files/cat.png": png(1000), "/a.png": png(1000), "/b.png": png(1000)}
    for name, actions in (
        (SINGLE, fixture("upscale4.json")["actions"]),
        (GRID, fixture("imagine.json")["actions"]),
    ):
        service.answer(service.result(image_id=name, task_id=f"task-{name}", actions=actions))
        online("imagine", "a bear")
    service.received.clear()
    for name in ("cat.png", "my cat.png"):
        (online.cwd / name).write_bytes(png())
    (online.cwd / "s.sh").write_text("#!/bin/sh\n")
    (online.cwd / "prompt.txt").write_text("a cat\n")
    return service


def filled(value: Any, service: Service) -> Any:
    """The value with the names of the data replaced by what they stand for."""
    if isinstance(value, dict):
        return {name: filled(each, service) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, service) for each in value]
    if not isinstance(value, str):
        return value
    links = {"LINK2": f"{service.base_url}/b.png", "LINK": f"{service.base_url}/a.png"}
    for name, text in {**links, "GRID": GRID, "SINGLE": SINGLE, "OUT": "out"}.items():
        value = value.replace(name, text)
    return value


@pytest.mark.parametrize("case", CASES, ids=map(named, CASES))
def test_a_command_line_does_what_was_meant(online: Mj, used: Service, case: dict[str, Any]) -> None:
    case = filled(case, used)
    line = case["line"]
    words = line if isinstance(line, list) else shlex.split(line)
    result = online(*words[1:], check=case.get("status", 0))
    bodies = [post.body for post in used.received if post.method == "POST" and "tasks" not in post.path]
    expected = case.get("bodies") or [case["body"]] if {"body", "bodies"} & {*case} else None
    if "prompt" in case:
        expected = [{"prompt": case["prompt"]}]
    if expected is None:
        assert not bodies, "nothing was to be sent"
    else:
        assert len(bodies) == len(expected)
        for fields in expected:  # the jobs of one command are sent at the same time
            found = next((each for each in bodies if fields.items() <= each.items()), None)
            assert found is not None, f"{fields} is not among {bodies}"
            bodies.remove(found)
    assert case.get("says", "") in result.err
    assert case.get("silent", "\0") not in result.err


def test_the_command_lines_are_many() -> None:
    assert len(CASES) >= 120
    assert len({named(case) for case in CASES}) > 0.95 * len(CASES)
