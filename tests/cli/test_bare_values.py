"""`--field` and `config get` are exact in a pipe and harmless on a terminal; JSON has no raw controls in either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.program import Mj
from tests.support.service import Service
from tests.support.systems import posix
from tests.support.terminal import CONTROL, EVIL, Screen, harmless

TYPED = {name: evil.replace("\x00", "") for name, evil in EVIL.items()}


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", [name for name in TYPED if TYPED[name]])
def test_a_path_is_exact_in_a_pipe_and_harmless_on_a_terminal(
    online: Mj, service: Service, name: str
) -> None:
    config = str(Path(f"{online.home}/x{TYPED[name]}y/config.toml"))
    env: dict[str, str | None] = {"MJ_CONFIG": config, "MJ_OUTPUT_DIR": f"/o{TYPED[name]}"}
    assert online("config", "path", env=env).out == f"{config}\n"
    for arguments in (
        ["config", "path"],
        ["config", "path", "--json"],
        ["config", "path", "--field", "path"],
    ):
        harmless(on_a_terminal(online, *arguments, env=env))


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", EVIL)
def test_a_field_is_exact_in_a_pipe_and_harmless_on_a_terminal(
    online: Mj, service: Service, name: str
) -> None:
    evil = EVIL[name]
    service.answer(service.result(note=evil, image_id=f"i{evil}", raw_image_url=f"https://e/{evil}"))
    assert online("imagine", "a cat", "--field", "note").stdout == f"{evil}\n".encode()
    for arguments in (["imagine", "a cat", "--field", "note"], ["imagine", "a cat", "-q"], ["history", "-q"]):
        harmless(on_a_terminal(online, *arguments))


@pytest.mark.parametrize(
    "line",
    [
        b'{"progress":\r5, "x": "\\r"}',
        b'\t{"progress":\t5}',
        b'{"progress": 5, "x": "\xc2\x9b\x7f\xe2\x80\xa8\xe2\x80\xae"}',
    ],
)
def test_an_event_is_one_line_without_raw_control_characters(
    online: Mj, service: Service, line: bytes
) -> None:
    service.stream([line, service.result()])
    result = online("imagine", "a cat", "--json", "--stream")
    first, last = result.out.removesuffix("\n").split("\n")
    assert not CONTROL.search(first)
    assert "\t" not in first
    assert json.loads(first) == json.loads(line)
    assert json.loads(last)["files"] == []


def on_a_terminal(mj: Mj, *arguments: str, env: dict[str, str | None] | None = None) -> str:
    """What a run shows on a terminal, without the line ends that the terminal makes."""
    screen = Screen(200)
    try:
        with mj.start(
            *arguments,
            env={"TERM": "dumb", **(env or {})},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, None)
        assert process.returncode == 0
        return screen.shown.decode().replace("\r\n", "\n")
    finally:
        screen.close()
