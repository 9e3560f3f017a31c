"""Suggested commands use the same profile, sandbox and output directory."""

from __future__ import annotations

from tests.support.program import Mj, next_command
from tests.support.service import Service


def never_finish(service: Service) -> None:
    """A job that never finishes."""

    def script(_request: object, reply: object) -> None:
        reply.head(200)  # type: ignore[attr-defined]
        reply.send(b'{"task_id": "task-1", "progress": 10}\r\n')  # type: ignore[attr-defined]
        service.over.wait(30)

    service.imagine(script)


def test_a_profile_and_a_path_with_spaces_are_quoted(mj: Mj, service: Service) -> None:
    mj("auth", "login", "--profile", "my-work", "--base-url", service.base_url, stdin="a-token-of-mine\n")
    never_finish(service)
    result = mj("--profile", "my-work", "imagine", "x", "--timeout", "0.5", "-o", "my cats/", check=7)
    assert next_command(result.err) == "mj --profile my-work resume task-1"
    result = mj(
        "--profile", "my-work", "imagine", "x", "--timeout", "0.5", "-o", "my cats/", "--no-ledger", check=7
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


def test_a_mistake_in_a_command_names_the_help_of_that_command(online: Mj) -> None:
    assert next_command(online("imagine", "a cat", "--output", check=2).err) == "mj imagine --help"
