"""The command that a message names to type next is the right one for the same profile, sandbox and place."""

from __future__ import annotations

from tests.cli.conftest import Mj
from tests.service import Service


def waiting(service: Service) -> None:
    """A job that outlives every wait."""

    def script(_request: object, reply: object) -> None:
        reply.head(200)  # type: ignore[attr-defined]
        reply.send(b'{"task_id": "task-1", "progress": 10}\r\n')  # type: ignore[attr-defined]
        service.over.wait(30)

    service.imagine(script)


def next_of(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("  next: ")]
    return line.removeprefix("  next: ")


def test_a_profile_and_a_place_with_spaces_are_quoted(mj: Mj, service: Service) -> None:
    mj("auth", "login", "--profile", "my-work", "--base-url", service.base_url, stdin="a-token-of-mine\n")
    waiting(service)
    result = mj("--profile", "my-work", "imagine", "x", "--timeout", "0.5", "-o", "my cats/", check=7)
    assert next_of(result.err) == "mj --profile my-work resume task-1"
    result = mj(
        "--profile", "my-work", "imagine", "x", "--timeout", "0.5", "-o", "my cats/", "--no-ledger", check=7
    )
    wanted = "mj --profile my-work describe-task task-1 --wait --download -o 'my cats/'"
    assert next_of(result.err) == wanted


def test_an_unknown_profile_is_named_once(mj: Mj) -> None:
    assert next_of(mj("--profile", "work", "imagine", "x", check=2).err) == "mj auth login --profile work"


def test_the_sandbox_is_said_also_where_only_the_environment_says_it(mj: Mj) -> None:
    out = mj("imagine", "a cat", "--no-wait", env={"MJ_SANDBOX": "1"}).out
    assert "next: mj --sandbox resume " in out


def test_a_mistake_in_a_command_names_the_help_of_that_command(online: Mj) -> None:
    assert next_of(online("imagine", "a cat", "--output", check=2).err) == "mj imagine --help"
