"""`mj auth`: the token of a profile, kept in the config file and shown to nobody."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import ConfigError, NoTokenError, UsageError
from mjcli.options import MjCommand, new_app

if TYPE_CHECKING:
    from typing import TextIO

    from mjcli.config import Settings
    from mjcli.context import Runtime

app = new_app("Log in, log out, and see whose token is in use.")

_LONGEST_LINE = 1 << 16
_FILES_TOKEN = "files_token"  # noqa: S105 - the key of a setting


class TokenPlace(StrEnum):
    """Where a request carries the token."""

    HEADER = "header"
    QUERY = "query"


@app.command(
    "login",
    cls=MjCommand,
    epilog="""# Ask for the token without showing it
mj auth login
# Take it from another program
pass show acedata | mj auth login
# Keep a second account beside the first
mj auth login --profile work
# The token that the file endpoint wants, where it is not the same
mj auth login --files""",
)
def login(
    ctx: typer.Context,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Also keep this address of the API.")
    ] = None,
    token_in: Annotated[
        TokenPlace | None, typer.Option("--token-in", help="Also keep where requests carry the token.")
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Save the token of the file endpoint, for uploads alone.")
    ] = False,
) -> None:
    """Save the token of a profile.

    On a terminal the token is asked for and not shown; otherwise one line is read from standard input.
    There is no option for it, since others can read the arguments of a running program. It is saved in
    the config file, which only you can read, in the profile in use; the service is not called.

    With --files it is the token for uploads of local pictures. It is needed only where the address that
    they go to (files_url) wants another one than the API.
    """
    from mjcli import config, paths

    runtime: Runtime = ctx.obj
    _not_in_the_sandbox(runtime)
    path = paths.config_file(runtime.environ)
    profile = config.profile_in_use(runtime.environ, profile=runtime.flags.profile).value
    if base_url is not None:
        try:
            base_url = config.check_base_url(base_url)
        except ValueError as error:
            raise UsageError(f"--base-url {error}.") from None
    output = runtime.output
    key = _FILES_TOKEN if files else "token"
    token = _asked(runtime.stdin, key)
    pasted_header = token[:7].lower() == "bearer "
    if pasted_header:
        token = token[7:].lstrip(" ")
    try:
        config.check_token(token)
    except ValueError as error:
        raise UsageError(f"The token {error}; nothing was saved.") from None
    config.set_token(
        path,
        token,
        profile=profile,
        base_url=base_url,
        token_in=token_in.value if token_in else None,
        key=key,
    )
    if pasted_header:
        output.notice("The word Bearer is no part of the token and was left out.")
    for each in (key, "base_url") if base_url is not None else (key,):
        _warn_of_environment(runtime, each)
    document = {"profile": profile, key: True, "config_file": str(path)}
    output.answer(document, [("profile", profile), (key, f"saved in {path}")], [])


@app.command(
    "status",
    cls=MjCommand,
    epilog="""mj auth status
# Is there a token? The exit status says it
mj auth status --quiet || mj auth login""",
)
def status(ctx: typer.Context) -> None:
    """Say which profile is in use and where its token comes from.

    The token itself is not shown, and the service is not asked whether it is valid. The exit status is 0
    when there is a token and 3 when there is none. It also says where local pictures are uploaded to, and
    which token goes there, if any.
    """
    from mjcli.config import login_command

    runtime: Runtime = ctx.obj
    settings = runtime.settings
    profile, token = settings.profile.value, settings.token
    if not token.value:
        raise NoTokenError(f"There is no token for the profile {profile}.", hint=login_command(profile))
    base_url, uploading = settings.base_url.value, settings.token_for_files
    in_sandbox = "the sandbox of each run"
    document = {
        "profile": profile,
        "base_url": base_url,
        "token_in": settings.token_in.value,
        "token": True,
        "token_source": token.source,
        "files_url": settings.files_url.value,
        "files_token": bool(uploading.value),
        "files_token_source": uploading.source if uploading.value else None,
    }
    people = [
        ("profile", profile),
        ("base_url", base_url if base_url is not None else in_sandbox),
        ("token", f"set ({token.source})"),
        ("token_in", settings.token_in.value),
        ("files_url", settings.files_url.value or in_sandbox),
        ("files_token", _uploading_with(settings)),
    ]
    runtime.output.answer(document, people, [])


@app.command("logout", cls=MjCommand, epilog="mj auth logout\nmj auth logout --profile work")
def logout(
    ctx: typer.Context,
    files: Annotated[
        bool, typer.Option("--files", help="Remove the token of the file endpoint, and no other.")
    ] = False,
) -> None:
    """Remove the token of a profile.

    The other settings of the profile stay, the token of the file endpoint too: --files removes that. A token
    that the environment gives is not affected.
    """
    from mjcli import config, paths

    runtime: Runtime = ctx.obj
    _not_in_the_sandbox(runtime)
    path = paths.config_file(runtime.environ)
    profile = config.profile_in_use(runtime.environ, profile=runtime.flags.profile)
    config.require_profile(path, profile)
    key = _FILES_TOKEN if files else "token"
    removed = config.remove_token(path, profile=profile.value, key=key)
    if variable := config.overriding_variable(runtime.environ, key):
        runtime.output.warning(f"{variable} in the environment still gives a token.")
    document = {"profile": profile.value, "removed": removed, "config_file": str(path)}
    said = f"removed from {path}" if removed else f"none was in {path}"
    runtime.output.answer(document, [("profile", profile.value), (key, said)], [])


def _uploading_with(settings: Settings) -> str:
    """Which token uploads carry, in words that do not show it."""
    uploading = settings.token_for_files
    if not uploading.value:
        return (
            "none: the API's token goes to its own host only; mj auth login --files saves one for this host"
        )
    if settings.files_token.value:
        return f"set ({uploading.source})"
    return "the API's token, since it is the same host"


def _not_in_the_sandbox(runtime: Runtime) -> None:
    from mjcli.config import sandbox_in_use

    if sandbox_in_use(runtime.environ, option=runtime.flags.sandbox).value:
        raise UsageError(
            "The sandbox needs no token; leave out --sandbox and MJ_SANDBOX to change the real one."
        )


def _asked(stdin: TextIO, key: str) -> str:
    """The token as typed or piped, without its line ending. Raises `UsageError` when there is none."""
    from mjcli.config import SECRETS

    if stdin.isatty():
        return _asked_on_terminal(key)
    try:
        line = stdin.readline(_LONGEST_LINE)
    except UnicodeDecodeError:
        raise UsageError("Standard input is not text; nothing was saved.") from None
    except OSError as error:
        raise ConfigError(f"Standard input cannot be read: {error.strerror}.") from None
    if len(line) == _LONGEST_LINE:
        raise UsageError("Standard input holds too long a line for a token; nothing was saved.")
    line = line.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
    if not line:
        raise UsageError("No token came from standard input; nothing was saved.", hint=SECRETS[key])
    return line


def _asked_on_terminal(key: str) -> str:
    import warnings
    from getpass import GetPassWarning, getpass

    from mjcli.config import SECRETS

    whose = " of the file endpoint" if key == _FILES_TOKEN else ""

    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            token = getpass(f"Token{whose} (not shown): ")
        except GetPassWarning:
            raise UsageError(
                f"This terminal would show the token; pipe it into {SECRETS[key]} instead."
            ) from None
        except EOFError:
            token = ""
    if not token:
        raise UsageError("No token was typed; nothing was saved.", hint=SECRETS[key])
    return token


def _warn_of_environment(runtime: Runtime, key: str) -> None:
    from mjcli.config import overriding_variable

    if variable := overriding_variable(runtime.environ, key):
        runtime.output.warning(f"{variable} in the environment wins over the {key} that was saved.")
