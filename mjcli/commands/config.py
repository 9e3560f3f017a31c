"""`mj config`: what is set, where it comes from, and the file that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.errors import UsageError
from mjcli.options import MjCommand, new_app

if TYPE_CHECKING:
    from mjcli.config import Setting
    from mjcli.context import Runtime

app = new_app("Show and change the settings.")

_HIDDEN = "********"
_GIVEN_ELSEWHERE = {
    "profile": "the profile is chosen by --profile or MJ_PROFILE",
    "sandbox": "the sandbox is turned on by --sandbox or MJ_SANDBOX",
    "data_dir": "the data directory is chosen by MJ_DATA_DIR",
}


@app.command("path", cls=MjCommand, epilog="mj config path")
def path(ctx: typer.Context) -> None:
    """Print the path of the config file, whether it exists or not."""
    from mjcli import paths

    runtime: Runtime = ctx.obj
    file = str(paths.config_file(runtime.environ))
    if runtime.output.json:
        runtime.output.answer({"path": file}, [])
    else:
        runtime.output.text(f"{file}\n")


@app.command("list", cls=MjCommand, epilog="mj config list\nmj config list --json")
def list_(ctx: typer.Context) -> None:
    """Print every setting, its value and where the value comes from.

    An option wins over the environment, that over the config file, and that over the default. Tokens are
    shown as asterisks.
    """
    runtime: Runtime = ctx.obj
    for key, setting in runtime.settings.items():
        runtime.output.answer(*_shown(key, setting))


@app.command(
    "get",
    cls=MjCommand,
    epilog="""mj config get base_url
# What another profile has in the file
mj config get profiles.work.base_url""",
)
def get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key of mj config list.")],
) -> None:
    """Print the value of one setting, as it applies here and now.

    A token is never printed.
    """
    from mjcli import config

    runtime: Runtime = ctx.obj
    last = key.rpartition(".")[2]
    if last in config.SECRETS and (last == key or key.startswith("profiles.")):
        raise UsageError("The token is never shown.", hint="mj auth status")
    settings = runtime.settings
    found = dict(settings.items()).get(key)
    if found is None:
        value = config.file_value(settings.config_file, key)
        found = config.Setting(value, f"{key.rpartition('.')[0]} in {settings.config_file}")
    if found.value is None:
        raise UsageError(f"{key} is not set.", hint=f"mj config set {key} VALUE")
    text = _text(found.value)
    if runtime.output.json:
        runtime.output.answer(_document(key, found), [])
    else:
        runtime.output.text(f"{text}\n")


@app.command(
    "set",
    cls=MjCommand,
    # A preset's suffix starts with -- and is no option of ours.
    context_settings={"ignore_unknown_options": True},
    epilog="""mj config set defaults.output ~/Pictures/mj
mj config set defaults.download true
mj config set presets.poster.suffix "--ar 2:3 --style raw"
# A key without dots belongs to the profile in use
mj config set token_in query --profile work""",
)
def set_(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The setting, such as defaults.mode.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")],
) -> None:
    """Change one setting in the config file.

    The keys are base_url, token_in and files_url, which belong to the profile in use; defaults.mode,
    defaults.output, defaults.download and defaults.suffix; presets.NAME.suffix; and profiles.NAME.base_url,
    profiles.NAME.token_in and profiles.NAME.files_url. Tokens are set by mj auth login. Comments in the file
    stay.
    """
    from mjcli import config, paths

    runtime: Runtime = ctx.obj
    _not_in_the_sandbox(runtime)
    _refuse_what_no_file_holds(key)
    profile = config.profile_in_use(runtime.environ, profile=runtime.flags.profile).value
    file = paths.config_file(runtime.environ)
    output = runtime.output
    typed = config.set_value(file, key, value, profile=profile)
    if variable := config.overriding_variable(runtime.environ, key):
        output.warning(f"{variable} in the environment wins over the {key} that was saved.")
    output.answer({"key": key, "value": typed, "config_file": str(file)}, [(key, _text(typed))], [])


@app.command(
    "unset", cls=MjCommand, epilog="mj config unset defaults.mode\nmj config unset presets.poster.suffix"
)
def unset(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The setting, such as defaults.mode.")],
) -> None:
    """Remove one setting from the config file.

    What is not there is no mistake. Tokens are removed by mj auth logout.
    """
    from mjcli import config, paths

    runtime: Runtime = ctx.obj
    _not_in_the_sandbox(runtime)
    _refuse_what_no_file_holds(key)
    profile = config.profile_in_use(runtime.environ, profile=runtime.flags.profile)
    file = paths.config_file(runtime.environ)
    output = runtime.output
    config.require_profile(file, profile)
    removed = config.unset_value(file, key, profile=profile.value)
    said = f"removed from {file}" if removed else f"was not in {file}"
    output.answer({"key": key, "removed": removed, "config_file": str(file)}, [(key, said)], [])


def _shown(key: str, setting: Setting) -> tuple[dict[str, Any], list[tuple[str, str]], list[str]]:
    document = _document(key, setting)
    if setting.value is None:
        return document, [(key, "not set" if setting.source == "default" else f"({setting.source})")], []
    value = _text(document["value"])
    return document, [(key, f"{value} ({setting.source})")], [f"{key}={value}"]


def _document(key: str, setting: Setting) -> dict[str, Any]:
    from mjcli.config import SECRETS

    value = setting.value
    if key in SECRETS:
        value = _HIDDEN if value else None
    elif not isinstance(value, bool | None):
        value = str(value)
    return {"key": key, "value": value, "source": setting.source}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _not_in_the_sandbox(runtime: Runtime) -> None:
    from mjcli.config import sandbox_in_use

    if sandbox_in_use(runtime.environ, option=runtime.flags.sandbox).value:
        raise UsageError(
            "The sandbox has no settings; leave out --sandbox and MJ_SANDBOX to change the real ones."
        )


def _refuse_what_no_file_holds(key: str) -> None:
    if key in _GIVEN_ELSEWHERE:
        raise UsageError(f"{key} is not kept in the config file: {_GIVEN_ELSEWHERE[key]}.")
