"""`mj config`: show and change the settings, and show where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from mjcli.cli.hints import command
from mjcli.cli.output.redact import MASK
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import UsageError
from mjcli.settings.schema import SETTABLE_KEYS

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.settings.schema import Setting


class KeyCommand(MjCommand):
    """A command for a key of the config file."""

    completion_words: ClassVar[dict[str, list[str]]] = {
        "key": [key for key in SETTABLE_KEYS if "NAME" not in key]
    }


app = new_app("Show and change the settings.")

# Settings that the file cannot have, with what sets them.
_NOT_IN_FILE = {
    "profile": "--profile or MJ_PROFILE",
    "sandbox": "--sandbox or MJ_SANDBOX",
    "data_dir": "MJ_DATA_DIR",
}


@app.command("path", cls=MjCommand, epilog="mj config path")
def path(ctx: typer.Context) -> None:
    """Print the path of the config file, even if it is missing."""
    from mjcli.settings import paths

    context: Context = ctx.obj
    file = str(paths.config_file(context.environ))
    if context.output.json:
        context.output.answer({"path": file}, [])
    else:
        context.output.value(file)


@app.command("list", cls=MjCommand, epilog="mj config list\nmj config list --json")
def list_(ctx: typer.Context) -> None:
    """Show every setting with its value and its source.

    An option overrides the environment, which overrides the config file, which overrides the default. Tokens
    are shown as asterisks.
    """
    context: Context = ctx.obj
    for key, setting in context.settings.items():
        context.output.answer(*_shown(key, setting))


@app.command(
    "get",
    cls=KeyCommand,
    epilog="""mj config get base_url
# Another profile's value in the config file
mj config get profiles.work.base_url""",
)
def get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key from mj config list.")],
) -> None:
    """Print the value of a setting.

    This is the value in effect, from an option, the environment, the config file or the default. A key such
    as profiles.work.base_url is looked up in the config file only. Tokens are never printed.
    """
    from mjcli.settings import file, schema

    context: Context = ctx.obj
    file.refuse_secret(key)
    settings = context.settings
    found = dict(settings.items()).get(key)
    if found is None:
        value = file.file_value(settings.config_file, key)
        found = schema.Setting(value, f"{key.rpartition('.')[0]} in {settings.config_file}")
    if found.value is None:
        raise UsageError(f"{key} is not set.", hint=command("config", "set", key, "VALUE"))
    text = _text(found.value)
    if context.output.json:
        context.output.answer(_document(key, found), [])
    else:
        context.output.value(text)


@app.command(
    "set",
    cls=KeyCommand,
    # A preset's suffix starts with --, but is not an option.
    context_settings={"ignore_unknown_options": True},
    epilog="""mj config set defaults.output ~/Pictures/mj
mj config set defaults.download true
# Send no job that would make the day cost more than 5 USD
mj config set defaults.max_cost_per_day 5
mj config set presets.poster.suffix "--ar 2:3 --style raw"
# A key without dots belongs to the active profile
mj config set token_in query --profile work""",
)
def set_(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key of the setting, such as defaults.mode.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="New value.")],
) -> None:
    """Change a setting in the config file.

    The keys are base_url, token_in, files_url and platform_url, which belong to the active profile; defaults.mode,
    defaults.output, defaults.download, defaults.suffix, defaults.preview and defaults.max_cost_per_day;
    presets.NAME.suffix; and profiles.NAME.base_url, .token_in, .files_url and .platform_url. To set a token, use
    mj auth login. Comments in the file are preserved. The sandbox uses the same defaults and presets, and no profile.
    """
    from mjcli.settings import file, load, paths

    context: Context = ctx.obj
    _refuse_not_in_file(key)
    _refuse_of_a_profile(context, key)
    profile = load.profile_in_use(context.environ, profile=context.flags.profile).value
    path = paths.config_file(context.environ)
    output = context.output
    typed = file.set_value(path, key, value, profile=profile)
    if warning := load.override_warning(context.environ, key):
        output.warning(warning)
    _note_that_it_is_shared(context)
    output.answer({"key": key, "value": typed, "config_file": str(path)}, [(key, _text(typed))], [])


@app.command(
    "unset", cls=KeyCommand, epilog="mj config unset defaults.mode\nmj config unset presets.poster.suffix"
)
def unset(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key of the setting, such as defaults.mode.")],
) -> None:
    """Remove a setting from the config file.

    Removing a setting that is not set is not an error. To remove a token, use mj auth logout.
    """
    from mjcli.settings import file, load, paths

    context: Context = ctx.obj
    _refuse_not_in_file(key)
    _refuse_of_a_profile(context, key)
    profile = load.profile_in_use(context.environ, profile=context.flags.profile)
    path = paths.config_file(context.environ)
    output = context.output
    if not _in_the_sandbox(context):
        file.require_profile(path, profile)
    removed = file.unset_value(path, key, profile=profile.value)
    state = f"removed from {path}" if removed else f"not set in {path}"
    _note_that_it_is_shared(context)
    output.answer({"key": key, "removed": removed, "config_file": str(path)}, [(key, state)], [])


def _shown(key: str, setting: Setting) -> tuple[dict[str, Any], list[tuple[str, str]], list[str]]:
    document = _document(key, setting)
    if setting.value is None:
        return document, [(key, "not set" if setting.source == "default" else f"({setting.source})")], []
    value = _text(document["value"])
    return document, [(key, f"{value} ({setting.source})")], [f"{key}={value}"]


def _document(key: str, setting: Setting) -> dict[str, Any]:
    from mjcli.settings.schema import SECRETS

    value = setting.value
    if key in SECRETS:
        value = MASK if value else None
    elif not isinstance(value, bool | float | None):
        value = str(value)
    return {"key": key, "value": value, "source": setting.source}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_the_sandbox(context: Context) -> bool:
    from mjcli.settings.load import sandbox_in_use

    return bool(sandbox_in_use(context.environ, option=context.flags.sandbox).value)


def _refuse_of_a_profile(context: Context, key: str) -> None:
    """Refuse to change a profile from within the sandbox, which uses defaults and presets alone."""
    from mjcli.settings.schema import DEFAULT_PROFILE, locate

    if _in_the_sandbox(context) and locate(key, profile=DEFAULT_PROFILE)[0] == "profiles":
        raise UsageError(
            f"{key} belongs to a profile, which the sandbox does not use; omit --sandbox and unset MJ_SANDBOX."
        )


def _note_that_it_is_shared(context: Context) -> None:
    if _in_the_sandbox(context):
        context.output.notice("Defaults and presets are the same with and without the sandbox.")


def _refuse_not_in_file(key: str) -> None:
    if key in _NOT_IN_FILE:
        raise UsageError(f"{key} is not stored in the config file; use {_NOT_IN_FILE[key]}.")
