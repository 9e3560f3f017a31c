"""`mj auth`: save, check and remove the token of a profile. The token is never shown."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from mjcli.cli.help.facts import CONSOLE_URL
from mjcli.cli.hints import command, log_in
from mjcli.cli.output.terminal import in_foreground
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import ConfigError, Interrupted, MjError, TokenRefused, UsageError, without_stop

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.output.sink import Output
    from mjcli.cli.token_check import TokenCheck
    from mjcli.settings.load import Settings

app = new_app("Log in, log out, and show where the token comes from.")

_MAX_LINE = 1 << 16  # characters
_FILES_TOKEN, _PLATFORM_TOKEN = "files_token", "platform_token"  # keys of settings
_PROMPTS = {
    "token": "Token",
    _FILES_TOKEN: "Token for the file endpoint",
    _PLATFORM_TOKEN: "Platform token",
}
_OPTIONS = {_FILES_TOKEN: ["--files"], _PLATFORM_TOKEN: ["--platform"]}


class TokenPlace(StrEnum):
    """The part of a request that carries the token."""

    HEADER = "header"
    QUERY = "query"


@app.command(
    "login",
    cls=MjCommand,
    epilog="""# Prompt for the token without showing it
mj auth login
# Read the token from another program
pass show acedata | mj auth login
# Add a second account
mj auth login --profile work
# Save a token where there is no network
mj auth login --no-check
# Save a separate token for the file endpoint
mj auth login --files
# Save a platform token, for mj balance and mj spend
mj auth login --platform""",
)
def login(
    ctx: typer.Context,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="API address, saved in the profile.")
    ] = None,
    token_in: Annotated[
        TokenPlace | None,
        typer.Option("--token-in", help="Location of the token in requests, saved in the profile."),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Save the token for the file endpoint instead.")
    ] = False,
    platform: Annotated[
        bool, typer.Option("--platform", help="Save a platform token, for costs and balance, instead.")
    ] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Save the token without contacting the service.")
    ] = False,
) -> None:
    """Save a token in the active profile.

    Tokens, and the free quota of a new account, are at https://platform.acedata.cloud.

    On a terminal, mj prompts for the token without showing it; otherwise it reads one line from standard
    input. No option takes the token, because other users can read the arguments of a running program. It is
    saved in the config file, which only you can read.

    The token is first checked with a free query. A token that the service refuses is not saved (exit status 3);
    if the service cannot be reached, the token is saved with a warning.

    With --files, mj saves a token for uploads of local images to a file endpoint that does not accept the API
    token: the one of files_url, by default the service's platform. This token is not checked.

    With --platform, mj saves a platform token, which begins with platform- and is created in the console of the
    service. mj balance and mj spend use it. It is checked with a query of the balance.
    """
    from mjcli.settings import file, load, paths, schema

    key = _key(files=files, platform=platform)

    context: Context = ctx.obj
    _not_in_the_sandbox(context)
    path = paths.config_file(context.environ)
    profile = load.profile_in_use(context.environ, profile=context.flags.profile).value
    again = _same_command(key, base_url=base_url, token_in=token_in, no_check=no_check)
    if base_url is not None:
        try:
            base_url = schema.check_base_url(base_url)
        except ValueError as error:
            raise UsageError(f"--base-url {error}.") from None
    output = context.output
    token = _read_token(context, again, key, named=base_url is None)
    pasted_header = "bearer" in token.lower() and "bearer" not in schema.bare_token(token).lower()
    try:
        token = schema.check_token(token)
    except ValueError as error:
        raise UsageError(f"The token {error}; nothing was saved.") from None
    place = token_in.value if token_in else None
    check = None
    if key != _FILES_TOKEN and not no_check:
        check = _checked(context, token, base_url, place, key)
        if isinstance(check.error, MjError) and check.refused:
            raise _refused(check.error, again)
    file.set_token(path, token, profile=profile, base_url=base_url, token_in=place, key=key)
    if pasted_header:
        output.notice('Removed "Bearer", which is not part of the token.')
    for each in (key, "base_url") if base_url is not None else (key,):
        _warn_of_environment(context, each)
    people = [("profile", profile), (key, f"saved in {path}")]
    if check is not None:
        people.append(("check", _finding(context, check)))
    state = "skipped" if check is None else "accepted" if check.accepted else "failed"
    output.answer({"profile": profile, key: True, "config_file": str(path), "check": state}, people, [])


def _checked(
    context: Context, token: str, base_url: str | None, token_in: str | None, key: str
) -> TokenCheck:
    """Check a new token with the service that it will be used for."""
    from mjcli.api import Client, Platform
    from mjcli.cli.output.redact import Secret
    from mjcli.cli.token_check import TokenCheck, check_platform_token, check_token
    from mjcli.settings.load import load_settings

    output = context.output
    # The service may repeat it in an error.
    output.secret = Secret(*output.secret.tokens, token)
    environ = {**context.environ, "MJ_TOKEN": token}
    if base_url is not None:
        environ["MJ_BASE_URL"] = base_url
    try:
        settings = load_settings(environ, profile=context.flags.profile, new_profile=True)
        if key == _PLATFORM_TOKEN:
            with Platform(
                token,
                base_url=settings.platform_url.value,
                retries=0,
                use_environment=not settings.platform_is_local,
            ) as platform:
                return check_platform_token(platform)
        client = Client(
            token,
            base_url=settings.base_url.value,
            token_in=token_in or settings.token_in.value,
            use_environment=not settings.api_is_local,
        )
        try:
            return check_token(client)
        finally:
            client.close()
    except ConfigError as error:  # saving reports a file that cannot be used
        return TokenCheck(error, None)
    except Interrupted as stop:
        stop.sentence = "Interrupted. No token was saved."
        raise


def _refused(error: MjError, again: str) -> TokenRefused:
    return TokenRefused(
        f"The service refused the token, so it was not saved ({error.code}): {error.message}",
        code=error.code,
        trace_id=error.trace_id,
        hint=f"copy the whole token from {CONSOLE_URL}, then log in again\n{again}",
    )


def _finding(context: Context, check: TokenCheck) -> str:
    """What the check of a saved token found, in a few words; warns of what is not as it should be."""
    if check.without_balance:
        context.output.warning(f"The account has no balance left; top it up at {CONSOLE_URL}.")
    elif check.error is not None:
        reason = without_stop(check.error.message)
        context.output.warning(
            f"The token was saved, but could not be checked: {reason}.", following=command("doctor")
        )
    return "the service accepted the token" if check.accepted else "not possible"


@app.command(
    "status",
    cls=MjCommand,
    epilog="""mj auth status
# Log in only if there is no token
mj auth status --quiet || mj auth login""",
)
def status(ctx: typer.Context) -> None:
    """Show the active profile and where its token comes from.

    The token itself is not shown, and the service is not contacted; mj doctor checks the token. The exit status
    is 0 if there is a token and 3 if there is none. The output includes the address that local images are
    uploaded to and which token is sent there, if any.
    """
    context: Context = ctx.obj
    settings = context.settings
    settings.require_token()
    profile, token = settings.profile.value, settings.token
    base_url, files_token = settings.base_url.value, settings.token_for_files
    platform_token = settings.token_for_platform
    in_sandbox = "assigned when the sandbox starts"
    document = {
        "profile": profile,
        "base_url": base_url,
        "token_in": settings.token_in.value,
        "token": True,
        "token_source": token.source,
        "files_url": settings.files_url.value,
        "files_token": bool(files_token.value),
        "files_token_source": files_token.source if files_token.value else None,
        "platform_url": settings.platform_url.value,
        "platform_token": bool(platform_token.value),
        "platform_token_source": platform_token.source if platform_token.value else None,
    }
    people = [
        ("profile", profile),
        ("base_url", base_url if base_url is not None else in_sandbox),
        ("token", f"set ({token.source})"),
        ("token_in", settings.token_in.value),
        ("files_url", settings.files_url.value or in_sandbox),
        ("files_token", _files_token_state(settings)),
        ("platform_url", settings.platform_url.value or in_sandbox),
        (
            "platform_token",
            f"set ({platform_token.source})"
            if platform_token.value
            else f"not set; mj spend shows estimates only ({log_in(platform=True)} saves one)",
        ),
    ]
    context.output.answer(document, people, [])


@app.command("logout", cls=MjCommand, epilog="mj auth logout\nmj auth logout --profile work")
def logout(
    ctx: typer.Context,
    files: Annotated[
        bool, typer.Option("--files", help="Remove the token for the file endpoint instead.")
    ] = False,
    platform: Annotated[bool, typer.Option("--platform", help="Remove the platform token instead.")] = False,
) -> None:
    """Remove a token from the active profile.

    The other settings of the profile stay, including its other tokens. With --files, the token for the file
    endpoint is removed and the API token stays; with --platform, the platform token is. A token from the
    environment is not affected.
    """
    from mjcli.settings import file, load, paths

    context: Context = ctx.obj
    _not_in_the_sandbox(context)
    path = paths.config_file(context.environ)
    profile = load.profile_in_use(context.environ, profile=context.flags.profile)
    file.require_profile(path, profile)
    key = _key(files=files, platform=platform)
    removed = file.remove_token(path, profile=profile.value, key=key)
    if variable := load.overriding_variable(context.environ, key):
        context.output.warning(f"{variable} is still set in the environment and provides a token.")
    document = {"profile": profile.value, "removed": removed, "config_file": str(path)}
    state = f"removed from {path}" if removed else f"not set in {path}"
    context.output.answer(document, [("profile", profile.value), (key, state)], [])


def _files_token_state(settings: Settings) -> str:
    """Which token uploads carry, without showing it."""
    files_token = settings.token_for_files
    if not files_token.value:
        return f"not set; the API token is sent to its own host only ({log_in(files=True)} saves one for this host)"
    if settings.files_token.value:
        return f"set ({files_token.source})"
    return "the API token (same host)"


def _not_in_the_sandbox(context: Context) -> None:
    from mjcli.settings.load import sandbox_in_use

    if sandbox_in_use(context.environ, option=context.flags.sandbox).value:
        raise UsageError(
            "The sandbox needs no token; to change the real one, omit --sandbox and unset MJ_SANDBOX."
        )


def _key(*, files: bool, platform: bool) -> str:
    """The setting of the token that the options name. Raises `UsageError`."""
    if files and platform:
        raise UsageError("--files cannot be combined with --platform.")
    return _FILES_TOKEN if files else _PLATFORM_TOKEN if platform else "token"


def _same_command(key: str, *, base_url: str | None, token_in: TokenPlace | None, no_check: bool) -> str:
    """The command as typed: without its options, the token could be saved for another service."""
    options = list(_OPTIONS.get(key, []))
    if base_url is not None:
        options += ["--base-url", base_url]
    if token_in is not None:
        options += ["--token-in", token_in.value]
    if no_check:
        options.append("--no-check")
    return command("auth", "login", *options)


def _read_token(context: Context, again: str, key: str, *, named: bool) -> str:
    """The token as typed or piped, without its line ending. Raises `UsageError` if there is none.

    `again` is the command to type when there is none; with `named`, say where tokens come from.
    """
    if context.streams.stdin.isatty():
        if named and in_foreground(context.output.stdin):
            context.output.notice(f"Tokens and the free quota of a new account are at {CONSOLE_URL}")
        return _prompt_for_token(context, again, key)
    line = _line(context.streams.stdin).removeprefix("\ufeff")
    if not line:
        raise UsageError(
            "No token on standard input; nothing was saved.",
            hint="run it in a terminal, or pipe the token in\n"
            f"pass show acedata | {context.output.next_command(again)}"
            + (f"\ntokens and the free quota of a new account are at {CONSOLE_URL}" if named else ""),
        )
    return line


def _line(stdin: TextIO) -> str:
    """One line of standard input without its ending. Raises `UsageError`, `ConfigError`."""
    try:
        line = stdin.readline(_MAX_LINE)
    except UnicodeDecodeError:
        raise UsageError("Standard input is not valid text; nothing was saved.") from None
    except OSError as error:
        raise ConfigError(f"Cannot read standard input: {error.strerror}.") from None
    if len(line) == _MAX_LINE:
        raise UsageError("Standard input is too long for a token; nothing was saved.")
    return line.removesuffix("\n").removesuffix("\r")


def _prompt_for_token(context: Context, again: str, key: str) -> str:
    output = context.output
    if not in_foreground(output.stdin):
        raise UsageError(
            "Cannot prompt for the token in the background; nothing was saved.",
            hint=f"run it in the foreground, or pipe the token in\n{output.next_command(again)}",
        )
    try:
        token = _hidden_line(output, f"{_PROMPTS[key]} (not shown): ")
    except Interrupted as stop:
        stop.sentence = "Interrupted. No token was saved."
        raise
    if token is None:
        raise UsageError(
            f"This terminal cannot hide the token; pipe it into {output.next_command(again)} instead."
        )
    if not token:
        raise UsageError("No token was entered; nothing was saved.", hint=again)
    return token


def _hidden_line(output: Output, text: str) -> str | None:
    """A line typed at a prompt without echo; None if the terminal cannot hide it."""
    if sys.platform == "win32":
        from getpass import getpass

        return getpass(text)
    from mjcli.cli.output.prompt import Prompt

    with contextlib.ExitStack() as opened:
        shown = output.stderr
        if not shown.isatty():
            with contextlib.suppress(OSError):
                shown = opened.enter_context(Path("/dev/tty").open("w"))
        try:
            return Prompt(text, output.stdin, shown, hidden=True).read(lambda: _line(output.stdin))
        except OSError:
            return None


def _warn_of_environment(context: Context, key: str) -> None:
    from mjcli.settings.load import override_warning

    if warning := override_warning(context.environ, key):
        context.output.warning(warning)
