"""`mj doctor`: what works on this machine, without changing anything or showing a token."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest

from tests.support.program import Mj, Result
from tests.support.service import Script, Service

SECRET = "sk-very-secret-0123456789"
CHECKS = (
    *("version", "config", "proxy", "certificates", "network", "token", "platform", "clock"),
    *("ledger", "output", "terminal", "completion", "pillow"),
)
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")


def found(result: Result) -> dict[str, Any]:
    """The findings by check, checked to be complete and without the token."""
    assert "very-secret" not in result.out + result.err
    assert [each["check"] for each in result.json] == list(CHECKS)
    return {each["check"]: each for each in result.json}


def states(result: Result) -> dict[str, str]:
    """The checks that are not ok."""
    return {name: each["status"] for name, each in found(result).items() if each["status"] != "ok"}


def tasks(service: Service, *, status: int = 200, code: str = "", ahead: float = 0) -> None:
    """Respond to queries with no tasks or an error, from a clock that is ahead by some seconds."""

    def script(_request: Any, reply: Any) -> None:
        document: Any = {"error": {"code": code, "message": f"No {SECRET}."}} if code else {"items": []}
        body = json.dumps(document).encode()
        date = formatdate(time() + ahead, usegmt=True)
        reply.raw(
            f"HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        )

    service.scripts[service.TASKS] = script


@pytest.fixture
def account(mj: Mj, service: Service) -> Mj:
    mj.env |= {"MJ_TOKEN": SECRET, "MJ_BASE_URL": service.base_url}
    tasks(service)
    return mj


def test_everything_that_works_is_ok_and_only_one_free_query_is_sent(account: Mj, service: Service) -> None:
    result = account("doctor", "--json")
    assert states(result) == {}
    assert result.err == ""
    (query,) = service.received
    assert (query.path, query.body["limit"]) == (service.TASKS, 1)
    assert not Path(account.env["MJ_DATA_DIR"]).exists()
    assert not Path(account.env["MJ_CONFIG"]).exists()


def test_each_check_is_one_line_for_people(account: Mj) -> None:
    lines = account("doctor").out.splitlines()
    checks = [line for line in lines if not line.startswith(" ")]
    assert [line.split()[1] for line in checks] == [f"{name}:" for name in CHECKS]
    assert {line.split()[0] for line in checks} == {"ok"}
    assert all(line.split()[0] in ("next:", "hint:") for line in lines if line not in checks)


def test_without_a_config_a_token_and_a_network(mj: Mj) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = mj("doctor", "--json", env={"MJ_BASE_URL": url}, check=6)
    assert states(result) == {"network": "problem", "token": "problem", "clock": "warning"}
    assert "mj auth login" in found(result)["token"]["next"]


def test_without_a_token_the_network_is_checked_all_the_same(mj: Mj, service: Service) -> None:
    tasks(service, status=401, code="invalid_token")
    result = mj("doctor", "--json", env={"MJ_BASE_URL": service.base_url}, check=3)
    assert states(result) == {"token": "problem"}


@pytest.mark.parametrize(
    ("status", "code", "expected", "exit_status"),
    [
        (401, "invalid_token", "problem", 3),
        (403, "disabled", "problem", 3),
        (403, "used_up", "problem", 5),
        (500, "api_error", "warning", 0),
        (429, "too_many_requests", "warning", 0),
    ],
)
def test_what_the_service_says_about_the_token(
    account: Mj, service: Service, status: int, code: str, expected: str, exit_status: int
) -> None:
    tasks(service, status=status, code=code)
    assert states(account("doctor", "--json", check=exit_status)) == {"token": expected}
    assert len(service.received) == 1


def test_a_refused_token_names_what_replaces_it(account: Mj, service: Service) -> None:
    tasks(service, status=401, code="invalid_token")
    token = found(account("doctor", "--json", check=3))["token"]
    # A saved token would not be used while the variable is set.
    assert token["next"] == []
    assert token["hints"][0].startswith("set MJ_TOKEN to a valid token, or unset it")
    account("auth", "login", "--no-check", stdin=SECRET)
    token = found(account("doctor", "--json", env={"MJ_TOKEN": None}, check=3))["token"]
    assert token["next"] == ["mj auth login"]


@pytest.mark.parametrize("ahead", [-3600.0, 120.0])
def test_a_clock_that_differs_is_a_warning(account: Mj, service: Service, ahead: float) -> None:
    tasks(service, ahead=ahead)
    result = account("doctor", "--json")
    assert states(result) == {"clock": "warning"}
    assert ("behind" if ahead > 0 else "ahead of") in found(result)["clock"]["message"]


@pytest.mark.parametrize(
    "script",
    [
        lambda _request, reply: reply.whole(b"<html>Sign in</html>"),
        lambda _request, reply: reply.json({}, 302, {"location": "https://portal.example/"}),
        lambda _request, reply: reply.reset(),
        lambda _request, reply: reply.json({"error": {"code": "no_api", "message": "none"}}, 404),
    ],
)
def test_an_address_that_is_not_the_api_is_a_problem_of_the_network(
    account: Mj, service: Service, script: Script
) -> None:
    service.scripts[service.TASKS] = script
    result = account("doctor", "--json", check=6)
    assert found(result)["network"]["status"] == "problem"
    assert found(result)["token"]["status"] == "warning"


@pytest.mark.parametrize("text", ["token =", "[profiles.default]\ntoken = 1\n", "[nonsense]\nx = 1\n"])
def test_a_broken_config_file_is_the_first_problem_and_its_token_stays_here(
    account: Mj, service: Service, text: str
) -> None:
    file = Path(account.env["MJ_CONFIG"])
    file.parent.mkdir()
    file.write_text(text)
    result = account("doctor", "--json", check=2)
    assert states(result)["config"] == "problem"
    assert states(result)["token"] == "warning"
    # The file may have named another host for the token.
    assert all(SECRET not in str(each.headers) for each in service.received)


@pytest.mark.parametrize("name", ["MJ_BASE_URL", "MJ_PROFILE", "MJ_SANDBOX", "MJ_DATA_DIR"])
def test_a_variable_that_cannot_be_used_is_a_problem_and_no_crash(account: Mj, name: str) -> None:
    result = account("doctor", "--json", env={name: "~nobody-of-this-name/ x"}, check=2)
    assert "problem" in states(result).values()
    assert "Internal error" not in result.out


@posix
def test_a_config_file_that_others_can_read_is_a_warning(account: Mj) -> None:
    file = Path(account.env["MJ_CONFIG"])
    file.parent.mkdir()
    file.write_text(f'[profiles.default]\ntoken = "{SECRET}"\n')
    file.chmod(0o644)
    result = account("doctor", "--json")
    assert states(result) == {"config": "warning"}
    assert found(result)["config"]["next"] == [f"chmod 600 {file}"]


def test_the_proxy_is_shown_without_its_password(mj: Mj) -> None:
    env: dict[str, str | None] = {"HTTPS_PROXY": f"http://me:{SECRET}@127.0.0.1:9"}
    result = mj("doctor", "--json", env=env, check=6)
    assert found(result)["proxy"]["message"] == "http://127.0.0.1:9 (HTTPS_PROXY)"
    assert "me:" not in result.out + result.err


@pytest.mark.parametrize(
    ("env", "check"),
    [({"HTTPS_PROXY": "gopher://x"}, "proxy"), ({"SSL_CERT_FILE": "/nothing.pem"}, "certificates")],
)
def test_a_proxy_or_certificates_that_cannot_be_used_are_one_problem(
    mj: Mj, env: dict[str, str | None], check: str
) -> None:
    result = mj("doctor", "--json", env={"MJ_TOKEN": SECRET, **env}, check=2)
    assert [name for name, state in states(result).items() if state == "problem"] == [check]
    assert states(result)["network"] == "warning"


def test_a_damaged_ledger_is_a_problem_and_stays_where_it_is(account: Mj) -> None:
    file = Path(account.env["MJ_DATA_DIR"]) / "ledger.db"
    file.parent.mkdir()
    file.write_bytes(b"not a database" * 1000)
    result = account("doctor", "--json", check=2)
    assert states(result) == {"ledger": "problem"}
    assert file.read_bytes() == b"not a database" * 1000
    assert list(file.parent.iterdir()) == [file]


def test_a_ledger_of_a_newer_version_is_a_problem(account: Mj) -> None:
    file = Path(account.env["MJ_DATA_DIR"]) / "ledger.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert states(account("doctor", "--json", check=2)) == {"ledger": "problem"}


def test_the_ledger_counts_the_jobs_and_names_resume_for_unfinished_ones(
    account: Mj, service: Service
) -> None:
    service.answer({"task_id": "t-1"})
    account("imagine", "a cat", "--no-wait", "--no-check")
    ledger = found(account("doctor", "--json"))["ledger"]
    assert '1 job in profile "default", 1 unfinished' in ledger["message"]
    assert ledger["next"] == ["mj resume"]


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_directories_that_cannot_be_written_are_problems(account: Mj, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0o500)
    env: dict[str, str | None] = {"MJ_DATA_DIR": str(locked), "MJ_OUTPUT_DIR": str(locked / "deep")}
    assert states(account("doctor", "--json", env=env, check=2)) == {"ledger": "problem", "output": "problem"}


def test_a_file_in_place_of_a_directory_is_a_problem(account: Mj, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    env: dict[str, str | None] = {"MJ_OUTPUT_DIR": str(file / "deep")}
    assert states(account("doctor", "--json", env=env, check=2)) == {"output": "problem"}


def test_in_the_sandbox_nothing_is_needed(mj: Mj) -> None:
    result = mj(
        "--sandbox", "doctor", "--json", env={"MJ_TOKEN": SECRET, "HTTPS_PROXY": "http://127.0.0.1:9"}
    )
    assert states(result) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        (200, None, "token accepted (environment MJ_PLATFORM_TOKEN)"),
        (401, "warning", "token refused: No ******** (invalid_token)"),
        (500, "warning", "but not checked"),
    ],
)
def test_the_platform_token_is_checked_but_is_never_a_problem(
    account: Mj, service: Service, status: int, state: str | None, message: str
) -> None:
    token = f"platform-{SECRET}"
    documents: dict[int, Any] = {
        200: {"items": []},
        401: {"error": {"code": "invalid_token", "message": f"No {token}."}},
        500: {"error": {"code": "api_error", "message": "down"}},
    }
    service.files["/api/v1/applications/"] = lambda _request, reply: reply.json(documents[status], status)
    result = account("doctor", "--json", env={"MJ_PLATFORM_TOKEN": token})
    assert states(result) == ({"platform": state} if state else {})
    assert message in found(result)["platform"]["message"]
    assert found(result)["platform"]["next"] == (["mj auth login --platform"] if status == 401 else [])


def test_a_terminal_that_cannot_show_every_character_is_a_warning(account: Mj) -> None:
    result = account("doctor", "--json", env={"PYTHONIOENCODING": "ascii"})
    assert states(result) == {"terminal": "warning"}


@pytest.mark.parametrize(
    ("shell", "file", "text"),
    [
        ("/bin/bash", ".bashrc", "source <(mj completion bash)\n"),
        ("/usr/bin/zsh", ".zshrc", "x=1\nsource <(mj completion zsh)\n"),
        ("/usr/bin/fish", ".config/fish/completions/mj.fish", ""),
    ],
)
def test_completion_is_found_where_the_help_says_to_install_it(
    account: Mj, shell: str, file: str, text: str
) -> None:
    before = found(account("doctor", "--json", env={"SHELL": shell}))["completion"]
    assert "not installed" in before["message"]
    assert Path(file).name in before["next"][0]
    path = account.home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    after = found(account("doctor", "--json", env={"SHELL": shell}))["completion"]
    assert after["message"] == f"installed for {Path(shell).name}"
    assert after["next"] == []


def test_quiet_prints_only_problems(account: Mj, service: Service) -> None:
    assert account("doctor", "-q").out == ""
    tasks(service, status=401, code="invalid_token")
    assert account("doctor", "-q", check=3).out.startswith("problem  token: ")
