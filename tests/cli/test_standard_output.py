"""Standard output and standard error that are closed, full, or not UTF-8."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import Mj
from tests.support.service import Service, fixture_lines
from tests.support.systems import posix
from tests.support.terminal import ASCII

linux = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

LINES = fixture_lines("stream.ndjson")
TASK = json.loads(LINES[-1])["task_id"]


# -- closed and full standard output -------------------------------------------------------------------


def closed_pipe(online: Mj, *arguments: str) -> tuple[int, str]:
    """Run with a closed standard output; returns the status and standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with online.start(*arguments, stdout=writer) as process:
            _, err = process.communicate(timeout=60)
    finally:
        os.close(writer)
    assert b"Traceback" not in err
    assert b"Exception" not in err
    return process.returncode, err.decode()


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    "options", [[], ["--json"], ["--field", "image_id"], ["--json", "--stream"], ["--no-stream"], ["-q"]]
)
def test_a_closed_output_exits_with_141_and_reports_the_task(
    online: Mj, service: Service, options: list[str]
) -> None:
    if "--no-stream" in options:
        service.answer(json.loads(LINES[-1]))
    else:
        service.stream(LINES)
    status, err = closed_pipe(online, "imagine", "a cat", *options)
    assert status == 141
    assert TASK in err
    assert len(service.posts()) == 1


@pytest.mark.slow
@posix
def test_a_closed_output_exits_with_141_after_a_failure(online: Mj, service: Service) -> None:
    service.answer({"error": {"code": "forbidden", "message": "no"}}, 403)
    assert closed_pipe(online, "imagine", "a cat", "--json")[0] == 141


@posix
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["imagine", "--help"], ["--version"], ["config", "list"], ["imagine", "x", "--dry-run"]],
)
def test_a_closed_output_exits_with_141_for_other_commands(online: Mj, arguments: list[str]) -> None:
    status, err = closed_pipe(online, *arguments)
    assert status == 141
    assert err == ""


@pytest.mark.slow
@linux
@pytest.mark.parametrize(
    "arguments",
    [
        ["imagine", "a cat"],
        ["imagine", "a cat", "--json"],
        ["imagine", "a cat", "--json", "--stream"],
        ["imagine", "a cat", "-q"],
        ["imagine", "a cat", "--field", "image_id"],
        ["imagine", "a cat", "--timeout", "1", "--json", "--mode", "slow"],
        ["imagine", "a cat", "--dry-run"],
        ["--help"],
        ["imagine", "--help"],
        ["--version"],
        ["--version", "--json"],
        ["config", "list"],
    ],
)
def test_a_full_output_is_reported_as_a_failure(online: Mj, service: Service, arguments: list[str]) -> None:
    service.stream(LINES)
    with Path("/dev/full").open("wb") as full, online.start(*arguments, stdout=full) as process:
        _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    assert b"Exception" not in err
    assert process.returncode not in (0, 141)
    assert b"mj: " in err


@pytest.mark.slow
@posix
@pytest.mark.parametrize("stream", ["stdout", "stderr", "stdin"])
def test_a_stream_closed_before_the_start_is_not_an_error(online: Mj, service: Service, stream: str) -> None:
    service.stream(LINES)
    number = {"stdin": 0, "stdout": 1, "stderr": 2}[stream]
    shell = " ".join(
        ["exec", *map(repr, online.command("imagine", "a cat")), f"{number}{'<' if number == 0 else '>'}&-"]
    )
    done = subprocess.run(
        ["sh", "-c", shell], env=online.environment(), cwd=online.cwd, capture_output=True, timeout=60
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    assert len(service.posts()) == 1


@pytest.mark.slow
@linux
def test_a_full_standard_error_does_not_lose_the_result(online: Mj, service: Service) -> None:
    service.stream(LINES)
    with (
        Path("/dev/full").open("wb") as full,
        online.start("imagine", "a cat", "--json", stderr=full) as process,
    ):
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["task_id"] == TASK


# -- an ASCII locale -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_json_is_utf8_in_an_ascii_locale(online: Mj, service: Service) -> None:
    service.answer(service.result(text="été 森 🐈", lone="\ud83d"))
    result = online("imagine", "a cat", "--json", env=ASCII)
    assert "été 森 🐈".encode() in result.stdout
    assert result.answer["text"] == "été 森 🐈"
    assert result.answer["lone"] == "\ud83d"
    assert online("imagine", "a cat", "--field", "text", env=ASCII).stdout == "été 森 🐈\n".encode()


@pytest.mark.slow
def test_an_ascii_locale_shows_escapes(online: Mj, service: Service) -> None:
    service.answer({"error": {"code": "bad_request", "message": "été 森"}}, 400)
    result = online("imagine", "a cat", env=ASCII, check=4)
    result.stderr.decode("ascii")
    service.answer(service.result(image_id="été 森 🐈"))
    result = online("imagine", "a cat", env=ASCII)
    result.stdout.decode("ascii")
    assert "id: " in result.out


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["imagine", "--", "été 森"], ["imagine"]])
def test_the_prompt_is_utf8_in_an_ascii_locale(online: Mj, service: Service, arguments: list[str]) -> None:
    service.answer(service.result())
    online(*arguments, env=ASCII, stdin="été 森")
    assert service.posts()[0].body["prompt"] == "été 森"


# -- events into a pipe that is full or slow -----------------------------------------------------------


@pytest.mark.slow
@linux
def test_events_into_a_full_disk_do_not_end_the_job(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png(1000)
    service.stream([*LINES[:-1], service.result()])
    with Path("/dev/full").open("wb") as full:
        done = online.start("imagine", "a cat", "--json", "--stream", "-d", "-o", "cat.png", stdout=full)
        _, err = done.communicate(timeout=60)
    assert done.returncode == 8
    assert b"Cannot write to standard output" in err
    assert (online.cwd / "cat.png").read_bytes() == png(1000)
    assert rows(online, "state, files_due") == [("done", 0)]


def wait_until_full(pipe: int) -> None:
    """Wait until a pipe of 64 kB is nearly full."""
    import fcntl
    import termios

    deadline = time.monotonic() + 30
    waiting = bytearray(4)
    while int.from_bytes(waiting, sys.byteorder) < 50_000 and time.monotonic() < deadline:
        select.select([pipe], [], [], 1)
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)


@pytest.mark.slow
@posix
def test_events_wait_for_the_reader_of_a_non_blocking_pipe(online: Mj, service: Service) -> None:
    event = {**json.loads(LINES[0]), "padding": "x" * 10_000}
    service.stream([*[json.dumps(event).encode() for _ in range(50)], service.result()])
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = online.start("imagine", "a cat", "--json", "--stream", stdout=writer)
    os.close(writer)
    wait_until_full(reader)
    with process, os.fdopen(reader, "rb") as pipe:
        lines = pipe.read().splitlines()
        process.wait(60)
    assert process.returncode == 0
    assert len(lines) == 51
    assert json.loads(lines[-1])["files"] == []
