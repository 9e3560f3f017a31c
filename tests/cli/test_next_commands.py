"""Suggested commands use the same profile, sandbox and output directory."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.support.program import Mj, next_command
from tests.support.service import Service


def never_finish(service: Service) -> None:
    """A job that never finishes."""

    def script(_request: object, reply: object) -> None:
        reply.head(200)  # type: ignore[attr-defined]
        reply.send(b'{"task_id": "task-1", "progress": 10}\r\n')  # type: ignore[attr-defined]
        service.over.wait(30)

    service.imagine(script)


@pytest.mark.slow
def test_a_profile_and_a_path_with_spaces_are_quoted(mj: Mj, service: Service) -> None:
    mj(
        "auth",
        "login",
        "--no-check",
        "--profile",
        "my-work",
        "--base-url",
        service.base_url,
        stdin="a-token-of-mine\n",
    )
    never_finish(service)
    result = mj("--profile", "my-work", "imagine", "x", "--timeout", "1", "-o", "my cats/", check=7)
    assert next_command(result.err) == "mj --profile my-work resume task-1"
    result = mj(
        "--profile", "my-work", "imagine", "x", "--timeout", "1", "-o", "my cats/", "--no-ledger", check=7
    )
    expected = 'mj --profile my-work describe-task task-1 --wait --download -o "my cats/"'
    assert next_command(result.err) == expected


def test_an_unknown_profile_is_named_once(mj: Mj) -> None:
    assert (
        next_command(mj("--profile", "work", "imagine", "x", check=2).err) == "mj auth login --profile work"
    )


def test_the_sandbox_option_is_added_even_if_only_the_environment_sets_it(mj: Mj) -> None:
    out = mj("imagine", "a cat", "--no-wait", env={"MJ_SANDBOX": "1"}).out
    assert "next: mj --sandbox resume " in out


@pytest.mark.parametrize("last", ["-o", "--output", "-do", "--key", "--timeout", "--mode", "--image"])
def test_a_last_option_without_its_value_sends_nothing(online: Mj, service: Service, last: str) -> None:
    result = online("imagine", "a cat", last, check=2)
    assert f"{last} needs a value." in result.err
    assert next_command(result.err) == "mj imagine --help"
    assert not service.received


def test_a_mistake_in_a_command_names_the_help_of_that_command(online: Mj) -> None:
    assert next_command(online("imagine", "a cat", "--output", check=2).err) == "mj imagine --help"


def test_defining_a_preset_is_suggested_outside_the_sandbox_which_has_no_settings(mj: Mj) -> None:
    preset = ["imagine", "a cat", "--preset", "poster"]
    line = 'mj config set presets.poster.suffix "--ar 2:3"'
    assert next_command(mj("--sandbox", *preset, check=2).err) == line
    result = mj(*preset, env={"MJ_SANDBOX": "1"}, check=2)
    assert next_command(result.err) == f"MJ_SANDBOX=0 {line}"


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["download"], "mj download @last"),
        (["seed"], "mj seed @last"),
        (["action"], "mj action upscale4 @last --download"),
        (["describe"], "mj describe photo.jpg"),
        (["video", "it moves"], 'mj video "the cat turns its head" --image @last --download'),
    ],
)
def test_a_missing_argument_is_answered_with_an_example(mj: Mj, arguments: list[str], example: str) -> None:
    result = mj(*arguments, check=2)
    assert "Missing " in result.err
    assert next_command(result.err) == example


@pytest.mark.slow
@pytest.mark.parametrize(
    "shell",
    [["bash", "--norc", "-i"], ["zsh", "-fi"], ["fish", "--no-config", "-i"], ["dash", "-i"]],
    ids="".join,
)
def test_everything_after_the_colon_can_be_pasted_into_an_interactive_shell(
    mj: Mj, service: Service, shell: list[str]
) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    mj("auth", "login", "--no-check", "--base-url", service.base_url, stdin="a-token-of-mine\n")
    service.imagine(lambda _, reply: reply.whole(b"<html>", 502))
    err = mj("imagine", "x", check=9).err
    lines = [line.partition(": ")[2] for line in err.splitlines() if line.startswith("  next: ")]
    assert len(lines) == 3
    (mj.cwd / "bin").mkdir()
    (mj.cwd / "bin" / "mj").write_text('#!/bin/sh\necho "$#: $*" >>pasted\n')
    (mj.cwd / "bin" / "mj").chmod(0o755)
    environ = {"PATH": f"{mj.cwd / 'bin'}:{os.defpath}", "HOME": str(mj.cwd), "TERM": "dumb"}
    pasted = "\n".join([*lines, "exit", ""]).encode()
    # A session of its own, so that the shell cannot take the terminal of the test.
    subprocess.run(
        shell,
        input=pasted,
        env=environ,
        cwd=mj.cwd,
        capture_output=True,
        timeout=30,
        check=False,
        start_new_session=True,
    )
    expected = [line.removeprefix("mj ") for line in lines]
    assert (mj.cwd / "pasted").read_text().splitlines() == [f"{len(e.split())}: {e}" for e in expected]
