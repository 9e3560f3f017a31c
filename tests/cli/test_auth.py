"""`mj auth`: the token is written to the config file and nowhere else."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import TOKEN as PLATFORM_TOKEN
from tests.support.platform import Account
from tests.support.program import Mj, Result
from tests.support.service import Script, Service

SECRET = "sk-very-secret-0123456789"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes and terminals")


def saved(mj: Mj) -> Any:
    return tomllib.loads(Path(mj.env["MJ_CONFIG"]).read_text(encoding="utf-8"))


def without_token(result: Result) -> Result:
    """The result, checked to contain no part of the token."""
    assert "secret" not in result.out + result.err
    return result


@pytest.mark.parametrize(
    "line", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"{SECRET}\nmore\n", f"\ufeff{SECRET}\n"]
)
def test_login_reads_one_line_from_standard_input(mj: Mj, line: str) -> None:
    result = without_token(mj("auth", "login", "--no-check", stdin=line))
    assert saved(mj) == {"profiles": {"default": {"token": SECRET}}}
    assert result.out == f"profile: default\ntoken: saved in {mj.env['MJ_CONFIG']}\n"
    assert result.err == ""


@posix
def test_login_makes_the_file_accessible_to_its_owner_only(mj: Mj) -> None:
    mj("auth", "login", "--no-check", stdin=SECRET)
    file = Path(mj.env["MJ_CONFIG"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_login_with_json_prints_one_object(mj: Mj) -> None:
    result = without_token(mj("auth", "login", "--no-check", "--json", stdin=SECRET))
    assert result.answer == {
        "profile": "default",
        "token": True,
        "config_file": mj.env["MJ_CONFIG"],
        "check": "skipped",
    }


def test_login_with_quiet_prints_nothing(mj: Mj) -> None:
    result = mj("auth", "login", "--no-check", "-q", stdin=f"Bearer {SECRET}", env={"MJ_TOKEN": "x"})
    assert (result.out, result.err) == ("", "")


def test_login_creates_the_profile_and_saves_address_and_token_place(mj: Mj) -> None:
    arguments = ["--profile", "work", "--base-url", "https://h/", "--token-in", "query"]
    mj("auth", "login", "--no-check", *arguments, stdin=SECRET)
    mj("--profile", "home", "auth", "login", "--no-check", stdin="other")
    assert saved(mj)["profiles"] == {
        "work": {"token": SECRET, "base_url": "https://h", "token_in": "query"},
        "home": {"token": "other"},
    }


@pytest.mark.parametrize("text", ['"{}"\r\n', " {}\t", "\ufeff\u201c{}\u201d\n", "'{}'", "{}\r\n\n"])
def test_login_saves_a_token_without_what_surrounds_it(mj: Mj, text: str) -> None:
    result = mj("auth", "login", "--no-check", stdin=text.format(SECRET))
    assert saved(mj)["profiles"]["default"]["token"] == SECRET
    assert "Bearer" not in result.err


def test_login_removes_the_word_bearer_with_a_notice(mj: Mj) -> None:
    result = mj("auth", "login", "--no-check", stdin=f"Bearer {SECRET}\n")
    assert saved(mj)["profiles"]["default"]["token"] == SECRET
    assert 'Removed "Bearer"' in result.err


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "Bearer ",
        f"{SECRET} x",
        '""',
        f"{SECRET}é",
        f"{SECRET}\x1b[0m",
        f"{SECRET}\x00",
        SECRET * 5000,
    ],
)
def test_login_refuses_an_invalid_token_without_echoing_it(mj: Mj, line: str) -> None:
    result = without_token(mj("auth", "login", "--json", stdin=line, check=2))
    assert result.answer["error"]["code"] == "usage"
    assert result.err.startswith("mj: ")
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def test_login_refuses_bytes_that_are_not_text(mj: Mj) -> None:
    without_token(mj("auth", "login", stdin=SECRET.encode() + b"\xff\xfe\n", check=2))


def test_login_without_input_fails_immediately(mj: Mj) -> None:
    assert "No token on standard input" in mj("auth", "login", check=2).err


@pytest.mark.parametrize("url", ["http://example.com", "example.com", "https://u:secret@h"])
def test_login_refuses_an_address_that_would_expose_the_token(mj: Mj, url: str) -> None:
    result = without_token(mj("auth", "login", "--base-url", url, stdin=SECRET, check=2))
    assert "--base-url must" in result.err
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def test_login_warns_if_the_environment_overrides_what_was_saved(mj: Mj) -> None:
    env: dict[str, str | None] = {"ACEDATACLOUD_API_TOKEN": "x", "MJ_BASE_URL": "https://x"}
    result = mj("auth", "login", "--no-check", "--base-url", "https://h", stdin=SECRET, env=env)
    assert "ACEDATACLOUD_API_TOKEN in the environment overrides the saved token" in result.err
    assert "MJ_BASE_URL in the environment overrides the saved base_url" in result.err


def test_there_is_no_option_for_the_token(mj: Mj) -> None:
    mj("auth", "login", "--token", SECRET, stdin="", check=2)
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def test_login_replaces_an_invalid_token_in_the_file(mj: Mj) -> None:
    mj("auth", "login", "--no-check", stdin="x")
    file = Path(mj.env["MJ_CONFIG"])
    file.write_text('[profiles.default]\ntoken = "two words"\n')
    mj("auth", "status", check=2)
    mj("auth", "login", "--no-check", stdin=SECRET)
    assert saved(mj)["profiles"]["default"]["token"] == SECRET


@posix
@pytest.mark.parametrize("typed", [f"{SECRET}\n", f"Bearer {SECRET}\r", "\n", "\x04"])
def test_on_a_terminal_login_prompts_without_showing_the_token(mj: Mj, typed: str) -> None:
    status, shown = on_terminal(mj, ["auth", "login", "--no-check"], typed)
    assert "Token (not shown): " in shown
    assert "secret" not in shown
    assert "Traceback" not in shown
    if SECRET in typed:
        assert status == 0, shown
        assert saved(mj)["profiles"]["default"]["token"] == SECRET
    else:
        assert status == 2, shown
        assert "No token was entered" in shown


@posix
def test_interrupting_the_prompt_saves_nothing_and_restores_the_echo(mj: Mj) -> None:
    status, shown = on_terminal(mj, ["auth", "login", "--no-check"], "sk-sec\x03")
    assert status == 130, shown
    assert "sk-sec" not in shown
    assert "Traceback" not in shown
    lines = shown.replace("\r", "").split("\n")
    assert any(line.endswith("Interrupted. No token was saved.") and "Token" not in line for line in lines), (
        shown
    )
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def on_terminal(mj: Mj, arguments: list[str], typed: str) -> tuple[int, str]:
    """Run `mj` on a new terminal and type at its prompt; its exit status and everything that it showed."""
    import fcntl
    import pty
    import select
    import termios

    parent, child = pty.openpty()
    try:
        process = subprocess.Popen(
            mj.command(*arguments),
            env=mj.environment({"TERM": "xterm"}),
            cwd=mj.cwd,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        shown = b""
        answered = False
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            if select.select([parent], [], [], 0 if ended else 0.05)[0]:
                shown += os.read(parent, 65536)
            elif ended:
                break
            if not answered and b"(not shown): " in shown and not termios.tcgetattr(child)[3] & termios.ECHO:
                os.write(parent, typed.encode())
                answered = True
        else:
            process.kill()
        status = process.wait()
        assert termios.tcgetattr(child)[3] & termios.ECHO
        return status, shown.decode()
    finally:
        os.close(parent)
        os.close(child)


def test_status_without_a_token_exits_with_3_and_suggests_login(mj: Mj) -> None:
    result = mj("auth", "status", "--json", check=3)
    assert result.answer["error"]["code"] == "no_token"
    assert 'No token for profile "default"' in result.err
    assert "next: mj auth login\n" in result.err


def test_status_shows_where_the_token_comes_from_but_not_the_token(mj: Mj) -> None:
    mj("auth", "login", "--no-check", "--profile", "work", stdin=SECRET)
    result = without_token(mj("auth", "status", "--profile", "work"))
    place = f"profile work in {mj.env['MJ_CONFIG']}"
    assert f"token: set ({place})\n" in result.out
    result = without_token(mj("auth", "status", "--json", env={"MJ_PROFILE": "work"}))
    assert result.answer == {
        "profile": "work",
        "base_url": "https://api.acedata.cloud",
        "token_in": "header",
        "token": True,
        "token_source": place,
        "files_url": "https://api.acedata.cloud/files/upload",
        "files_token": True,
        "files_token_source": place,
        "platform_url": "https://platform.acedata.cloud/api/v1",
        "platform_token": False,
        "platform_token_source": None,
    }
    result = without_token(mj("auth", "status", "--field", "token_source", env={"MJ_TOKEN": SECRET}))
    assert result.out == "environment MJ_TOKEN\n"


def test_the_token_for_the_file_endpoint_is_saved_beside_the_api_token(mj: Mj) -> None:
    mj("auth", "login", "--no-check", stdin="api-token-0123")
    result = without_token(mj("auth", "login", "--no-check", "--files", stdin=f"Bearer {SECRET}\n"))
    assert result.out == f"profile: default\nfiles_token: saved in {mj.env['MJ_CONFIG']}\n"
    assert "Bearer" in result.err
    assert saved(mj)["profiles"]["default"] == {"token": "api-token-0123", "files_token": SECRET}
    result = without_token(
        mj("auth", "login", "--no-check", "--files", "--json", stdin=SECRET, env={"MJ_FILES_TOKEN": "x"})
    )
    assert result.answer == {
        "profile": "default",
        "files_token": True,
        "config_file": mj.env["MJ_CONFIG"],
        "check": "skipped",
    }
    assert "MJ_FILES_TOKEN in the environment overrides the saved files_token" in result.err
    result = without_token(mj("auth", "logout", "--files"))
    assert f"files_token: removed from {mj.env['MJ_CONFIG']}\n" in result.out
    assert saved(mj)["profiles"]["default"] == {"token": "api-token-0123"}


def test_login_without_a_token_suggests_to_pipe_one_into_the_same_command(mj: Mj) -> None:
    result = mj("auth", "login", stdin="", check=2)
    assert "hint: run it in a terminal, or pipe the token in\n" in result.err
    assert "hint: pass show acedata | mj auth login\n" in result.err
    assert "next:" not in result.err  # which would fail again
    assert "| mj auth login --files\n" in mj("auth", "login", "--files", stdin="", check=2).err
    options = ["--base-url", "https://api.other.example", "--token-in", "query"]
    result = mj("auth", "login", "--profile", "old", *options, stdin="", check=2)
    # Without them, the token would be sent to another service.
    assert f"| mj --profile old auth login {' '.join(options)}\n" in result.err


@posix
def test_login_without_a_typed_token_repeats_its_options(mj: Mj) -> None:
    options = ["--base-url", "https://h.example", "--token-in", "query"]
    status, shown = on_terminal(mj, ["auth", "login", *options], "\n")
    assert status == 2, shown
    assert f"next: mj auth login {' '.join(options)}" in shown


@posix
def test_login_prompts_for_the_token_for_the_file_endpoint_without_showing_it(mj: Mj) -> None:
    status, shown = on_terminal(mj, ["auth", "login", "--no-check", "--files"], f"{SECRET}\n")
    assert status == 0, shown
    assert "Token for the file endpoint (not shown): " in shown
    assert "secret" not in shown
    assert saved(mj)["profiles"]["default"] == {"files_token": SECRET}


@pytest.mark.parametrize(
    ("env", "state", "source"),
    [
        (
            {"MJ_FILES_URL": "https://h"},
            "not set; the API token is sent to its own host only (mj auth login --files saves",
            None,
        ),
        ({"MJ_FILES_TOKEN": SECRET}, "set (environment MJ_FILES_TOKEN)", "environment MJ_FILES_TOKEN"),
        ({}, "the API token (same host)", "environment MJ_TOKEN"),
        ({"MJ_BASE_URL": "https://h"}, "the API token (same host)", "environment MJ_TOKEN"),
    ],
)
def test_status_shows_which_token_uploads_carry_but_not_the_token(
    mj: Mj, env: dict[str, str | None], state: str, source: str | None
) -> None:
    env = {"MJ_TOKEN": SECRET, **env}
    assert f"files_token: {state}" in without_token(mj("auth", "status", env=env)).out
    answer = without_token(mj("auth", "status", "--json", env=env)).answer
    assert (answer["files_token"], answer["files_token_source"]) == (source is not None, source)


def test_status_reports_a_malformed_token_without_echoing_it(mj: Mj) -> None:
    result = without_token(mj("auth", "status", "-v", env={"MJ_TOKEN": f"{SECRET}\nX: y"}, check=2))
    assert "MJ_TOKEN must not contain a line break" in result.err


@posix
def test_a_token_that_other_users_can_read_causes_one_warning(mj: Mj) -> None:
    mj("auth", "login", "--no-check", stdin=SECRET)
    Path(mj.env["MJ_CONFIG"]).chmod(0o644)
    assert without_token(mj("auth", "status")).err.count("chmod 600") == 1
    mj("auth", "login", "--no-check", stdin=SECRET)
    assert mj("auth", "status").err == ""


def test_status_in_the_sandbox_needs_no_account(mj: Mj) -> None:
    result = without_token(mj("--sandbox", "auth", "status", "--json", env={"MJ_TOKEN": SECRET}))
    assert result.answer["profile"] == "sandbox"
    assert result.answer["token_source"] == "sandbox"


def test_logout_removes_the_token_and_keeps_the_rest(mj: Mj) -> None:
    mj("auth", "login", "--no-check", "--base-url", "https://h", stdin=SECRET)
    result = without_token(mj("auth", "logout"))
    assert "removed from" in result.out
    assert saved(mj) == {"profiles": {"default": {"base_url": "https://h"}}}
    mj("auth", "status", check=3)
    result = mj("auth", "logout", "--json")
    assert result.answer == {"profile": "default", "removed": False, "config_file": mj.env["MJ_CONFIG"]}


def test_logout_without_a_file_creates_none(mj: Mj) -> None:
    assert "not set in" in mj("auth", "logout").out
    assert not Path(mj.env["MJ_CONFIG"]).parent.exists()


def test_logout_warns_if_the_environment_still_provides_a_token(mj: Mj) -> None:
    result = without_token(mj("auth", "logout", env={"MJ_TOKEN": SECRET}))
    assert "MJ_TOKEN is still set in the environment and provides a token" in result.err


def test_logout_from_an_unknown_profile_lists_the_existing_ones(mj: Mj) -> None:
    mj("auth", "login", "--no-check", "--profile", "work", stdin=SECRET)
    assert "it has work" in mj("auth", "logout", "--profile", "wrok", check=2).err


@pytest.mark.parametrize("command", ["login", "logout"])
@pytest.mark.parametrize(("option", "env"), [(["--sandbox"], {}), ([], {"MJ_SANDBOX": "1"})])
def test_the_sandbox_has_no_token_to_change(
    mj: Mj, command: str, option: list[str], env: dict[str, str]
) -> None:
    assert "sandbox" in mj("auth", command, *option, stdin=SECRET, env=dict(env), check=2).err
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def refusing(code: str, status: int, message: str = "No.") -> Script:
    """A tasks endpoint that refuses every query."""
    error = {"error": {"code": code, "message": message}, "trace_id": "trace-1"}
    return lambda _request, reply: reply.json(error, status)


def queries(service: Service) -> list[tuple[str, Any, str]]:
    return [(each.path, each.body, each.headers.get("authorization", "")) for each in service.received]


def test_login_checks_the_token_with_one_free_query(mj: Mj, service: Service) -> None:
    service.scripts[service.TASKS] = lambda _request, reply: reply.json({"items": [], "count": 0})
    result = without_token(mj("auth", "login", "--base-url", service.base_url, stdin=SECRET))
    assert result.out.endswith("check: the service accepted the token\n")
    assert result.err == ""
    body = {"action": "retrieve_batch", "offset": 0, "limit": 1}
    assert queries(service) == [(service.TASKS, body, f"Bearer {SECRET}")]
    assert saved(mj)["profiles"]["default"]["token"] == SECRET


def test_the_platform_token_is_saved_beside_the_others(mj: Mj) -> None:
    mj("auth", "login", "--no-check", stdin="api-token-0123")
    mj("auth", "login", "--no-check", "--files", stdin="files-token-0123")
    result = without_token(mj("auth", "login", "--no-check", "--platform", stdin=f"Bearer {SECRET}\n"))
    assert result.out == f"profile: default\nplatform_token: saved in {mj.env['MJ_CONFIG']}\n"
    tokens = {"token": "api-token-0123", "files_token": "files-token-0123", "platform_token": SECRET}
    assert saved(mj)["profiles"]["default"] == tokens
    place = f"profile default in {mj.env['MJ_CONFIG']}"
    status = without_token(mj("auth", "status", "--json")).answer
    assert (status["platform_token"], status["platform_token_source"]) == (True, place)
    assert f"platform_token: set ({place})\n" in without_token(mj("auth", "status")).out
    result = mj("auth", "logout", "--platform", env={"MJ_PLATFORM_TOKEN": "x"})
    assert f"platform_token: removed from {mj.env['MJ_CONFIG']}\n" in result.out
    assert "MJ_PLATFORM_TOKEN is still set in the environment" in result.err
    assert "platform_token" not in saved(mj)["profiles"]["default"]
    assert (
        "--files cannot be combined with --platform"
        in mj("auth", "login", "--files", "--platform", stdin=SECRET, check=2).err
    )


@posix
def test_a_platform_token_is_in_a_private_file_like_the_api_token(mj: Mj) -> None:
    file = Path(mj.env["MJ_CONFIG"])
    mj("auth", "login", "--no-check", "--platform", stdin=SECRET)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    assert "Other users can read the token" in mj("config", "list").err


def test_the_platform_token_is_checked_with_the_balance(mj: Mj, service: Service) -> None:
    mj("auth", "login", "--no-check", "--base-url", service.base_url, stdin="api-token-0123")
    Account(service)
    result = without_token(mj("auth", "login", "--platform", "--json", stdin=SECRET, check=3))
    assert result.answer["error"]["code"] == "invalid_token"
    assert "it was not saved" in result.err
    assert "mj auth login --platform" in result.err
    assert "platform_token" not in saved(mj)["profiles"]["default"]
    assert [each.path for each in service.received] == ["/api/v1/applications/"]
    result = mj("auth", "login", "--platform", "--json", stdin=PLATFORM_TOKEN)
    assert result.answer["check"] == "accepted"
    assert PLATFORM_TOKEN not in result.out + result.err
    assert saved(mj)["profiles"]["default"]["platform_token"] == PLATFORM_TOKEN


@pytest.mark.parametrize(
    "code", ["invalid_token", "token_expired", "token_mismatched", "disabled", "no_token"]
)
@pytest.mark.parametrize("status", [400, 401, 403, 200])
def test_login_does_not_save_a_token_that_the_service_refuses(
    mj: Mj, service: Service, code: str, status: int
) -> None:
    service.scripts[service.TASKS] = refusing(code, status, f"The token {SECRET} is not valid.")
    options = ["--base-url", service.base_url]
    result = without_token(mj("auth", "login", "--json", *options, stdin=SECRET, check=3))
    assert result.answer["error"]["code"] == code
    assert result.answer["trace_id"] == "trace-1"
    assert "it was not saved" in result.err
    assert "platform.acedata.cloud" in result.err
    assert f"next: mj auth login --base-url {service.base_url}\n" in result.err
    assert len(service.received) == 1
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def test_a_refused_token_leaves_the_saved_one(mj: Mj, service: Service) -> None:
    mj("auth", "login", "--no-check", "--base-url", service.base_url, stdin="an-older-token")
    service.scripts[service.TASKS] = refusing("invalid_token", 401)
    mj("auth", "login", stdin=SECRET, check=3)
    assert saved(mj)["profiles"]["default"]["token"] == "an-older-token"
    assert queries(service)[-1][2] == f"Bearer {SECRET}"
    mj("auth", "login", "--no-check", stdin=SECRET)
    assert saved(mj)["profiles"]["default"]["token"] == SECRET
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "script",
    [
        refusing("api_error", 500),
        refusing("too_many_requests", 429),
        refusing("forbidden", 403),
        refusing("no_api", 404),
        lambda _request, reply: reply.whole(b"<html>Sign in to this network</html>"),
        lambda _request, reply: reply.json({}, 302, {"location": "https://portal.example/"}),
        lambda _request, reply: reply.reset(),
    ],
)
def test_login_saves_a_token_that_cannot_be_checked_with_a_warning(
    mj: Mj, service: Service, script: Script
) -> None:
    service.scripts[service.TASKS] = script
    result = without_token(mj("auth", "login", "--json", "--base-url", service.base_url, stdin=SECRET))
    assert result.answer["check"] == "failed"
    assert "warning: The token was saved, but could not be checked: " in result.err
    assert "next: mj doctor\n" in result.err
    assert len(service.received) == 1
    assert saved(mj)["profiles"]["default"]["token"] == SECRET


def test_login_without_a_network_saves_the_token_with_a_warning(mj: Mj) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = without_token(mj("auth", "login", "--base-url", url, stdin=SECRET))
    assert "could not be checked: " in result.err
    assert saved(mj)["profiles"]["default"]["token"] == SECRET


def test_login_accepts_the_token_of_an_account_without_balance_and_says_so(mj: Mj, service: Service) -> None:
    service.scripts[service.TASKS] = refusing("used_up", 403)
    result = without_token(mj("auth", "login", "--json", "--base-url", service.base_url, stdin=SECRET))
    assert result.answer["check"] == "accepted"
    assert "no balance left" in result.err


def test_login_checks_the_token_where_the_profile_will_use_it(mj: Mj, service: Service) -> None:
    service.scripts[service.TASKS] = lambda _request, reply: reply.json({"items": []})
    mj("config", "set", "base_url", service.base_url)
    mj("auth", "login", "--token-in", "query", stdin=SECRET)
    assert service.received[0].query == {"token": SECRET}
    assert "authorization" not in service.received[0].headers


@pytest.mark.slow
@posix
def test_on_a_terminal_login_says_where_tokens_come_from(mj: Mj, service: Service) -> None:
    mj("config", "set", "base_url", service.base_url)
    service.scripts[service.TASKS] = refusing("invalid_token", 401)
    status, shown = on_terminal(mj, ["auth", "login"], f"{SECRET}\n")
    assert status == 3, shown
    assert "https://platform.acedata.cloud" in shown.partition("(not shown)")[0]
    assert "The service refused the token" in shown
    assert "secret" not in shown


def test_login_without_input_says_where_tokens_come_from(mj: Mj) -> None:
    assert "https://platform.acedata.cloud" in mj("auth", "login", stdin="", check=2).err
