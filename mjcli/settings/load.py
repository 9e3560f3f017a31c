"""The settings of one run and their sources, by precedence: option, environment, config file, default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mjcli.errors import ConfigError, NoTokenError, Remedy, UnknownProfile
from mjcli.settings import paths
from mjcli.settings.file import check_profile_exists, parse, read
from mjcli.settings.schema import (
    DEFAULT_PROFILE,
    SANDBOX,
    SECRETS,
    Check,
    Setting,
    check_base_url,
    check_document,
    check_files_url,
    check_output,
    check_profile_name,
    check_token,
    is_loopback,
    origin,
)

DEFAULT_BASE_URL = "https://api.acedata.cloud"
FILES_PATH = "/files/upload"  # of the file endpoint, under the base URL; it takes the API token
# The service's other file endpoint, which takes tokens of its own.
PLATFORM_FILES_URL = "https://platform.acedata.cloud/api/v1/files/"
# The management API (prices, balance, usage), which takes platform tokens.
PLATFORM_URL = "https://platform.acedata.cloud/api/v1"
PLATFORM_PATH = "/api/v1"  # of the same, under a base URL on this machine
# The variables that override the file, by key; the first one that is set applies.
VARIABLES = {
    "token": ("MJ_TOKEN", "ACEDATACLOUD_API_TOKEN"),
    "base_url": ("MJ_BASE_URL",),
    "files_url": ("MJ_FILES_URL",),
    "files_token": ("MJ_FILES_TOKEN",),
    "platform_token": ("MJ_PLATFORM_TOKEN",),
    "defaults.output": ("MJ_OUTPUT_DIR",),
}

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class Settings(NamedTuple):
    """Every setting of one run."""

    profile: Setting
    """str: the name of the active profile; `sandbox` with the sandbox on."""
    token: Setting
    """str or None."""
    base_url: Setting
    """str without a trailing slash; None with the sandbox on, whose address is known once it runs."""
    token_in: Setting
    """`header` or `query`."""
    files_url: Setting
    """str: the address that files are uploaded to; None with the sandbox on, as for `base_url`."""
    files_token: Setting
    """str, or None if the file endpoint has no token of its own; see `token_for_files`."""
    platform_url: Setting
    """str: the address of the management API; None with the sandbox on, as for `base_url`."""
    platform_token: Setting
    """str or None; see `token_for_platform`."""
    mode: Setting
    """`fast`, `relax`, `turbo` or None."""
    output: Setting
    """str or None: where downloads are saved; a leading `~` is already expanded."""
    download: Setting
    """bool: whether images are saved without --download."""
    suffix: Setting
    """str or None: added to the end of every prompt, as a preset's suffix is to some."""
    preview: Setting
    """One of `schema.PREVIEWS`: how images are shown in the terminal."""
    max_cost_per_day: Setting
    """float or None: the most that the jobs of a UTC day may cost, in USD."""
    metadata: Setting
    """`embed`, `sidecar` or `off`: where the provenance of saved images is written."""
    sandbox: Setting
    """bool: whether the embedded stand-in is used in place of the service."""
    config_file: Path
    """The config file, whether it exists or not."""
    data_dir: Setting
    """Path: the directory of the ledger and the sandbox's state."""
    warnings: tuple[str, ...] = ()
    """Sentences for people about settings that are allowed but unsafe."""
    presets: Mapping[str, Setting] = MappingProxyType({})
    """Preset name -> its suffix (str)."""

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Settings(profile={self.profile!r}, base_url={self.base_url!r}, …)"

    @property
    def host(self) -> str:
        """The service that tasks belong to, for the ledger: `sandbox`, whose port changes, else the base URL."""
        return SANDBOX if self.sandbox.value else str(self.base_url.value)

    @property
    def api_is_local(self) -> bool:
        """Whether the API is on the loopback interface, so that its links may lead there too."""
        return bool(self.sandbox.value) or is_loopback(self.base_url.value)

    @property
    def files_are_local(self) -> bool:
        """Whether files are uploaded to the loopback interface, so that their links may lead there too."""
        return bool(self.sandbox.value) or is_loopback(self.files_url.value)

    @property
    def platform_is_local(self) -> bool:
        """Whether the management API is on the loopback interface."""
        return bool(self.sandbox.value) or is_loopback(self.platform_url.value)

    @property
    def token_for_platform(self) -> Setting:
        """The token for prices, balance and usage: the platform's own; else that of files of the same origin."""
        if self.platform_token.value or not self.files_token.value:
            return self.platform_token
        same = origin(self.files_url.value) == origin(self.platform_url.value)
        return self.files_token if same else self.platform_token

    @property
    def tokens(self) -> tuple[str | None, ...]:
        """Every token, to be masked."""
        return self.token.value, self.files_token.value, self.platform_token.value

    @property
    def token_for_files(self) -> Setting:
        """The token for uploads: the file endpoint's own; else the API token if both have one origin; else None.

        The API token is never sent to another host, or to another port of its own host.
        """
        if self.files_token.value:
            return self.files_token
        if self.sandbox.value or origin(self.files_url.value) == origin(self.base_url.value):
            return self.token
        return Setting(None, "default")

    def require_token(self) -> str:
        """The API token. Raises `NoTokenError` if there is none."""
        if not self.token.value:
            profile = str(self.profile.value)
            raise NoTokenError(f'No token for profile "{profile}".', remedy=Remedy.LOG_IN, profile=profile)
        return str(self.token.value)

    def items(self) -> Iterator[tuple[str, Setting]]:
        """Every setting by its key, as `config get` takes it. The tokens are included in plain text."""
        yield "profile", self.profile
        yield "token", self.token
        yield "base_url", self.base_url
        yield "token_in", self.token_in
        yield "files_url", self.files_url
        yield "files_token", self.files_token
        yield "platform_url", self.platform_url
        yield "platform_token", self.platform_token
        yield "defaults.mode", self.mode
        yield "defaults.output", self.output
        yield "defaults.download", self.download
        yield "defaults.suffix", self.suffix
        yield "defaults.preview", self.preview
        yield "defaults.max_cost_per_day", self.max_cost_per_day
        yield "defaults.metadata", self.metadata
        for name, setting in self.presets.items():
            yield f"presets.{name}.suffix", setting
        yield "sandbox", self.sandbox
        yield "data_dir", self.data_dir


def load_settings(
    environ: Mapping[str, str],
    *,
    profile: str | None = None,
    sandbox: bool = False,
    new_profile: bool = False,
) -> Settings:
    """Combine options, environment, config file and defaults. Changes nothing on disk.

    `profile` and `sandbox` are the global options; `new_profile` allows a profile that the file does not have
    yet. ConfigError, with the source, for a value that cannot be used.
    """
    path = paths.config_file(environ)
    in_sandbox = sandbox_in_use(environ, option=sandbox)
    raw, mode = read(path)
    document = parse(raw, path)
    check_document(document, path)
    if in_sandbox.value:
        account = _SANDBOX_ACCOUNT
    else:
        chosen = profile_in_use(environ, profile=profile)
        if not new_profile:
            check_profile_exists(chosen, document.get("profiles", {}), path)
        account = _account(environ, document, path, chosen)
    defaults = _Source(environ, document.get("defaults", {}), f"defaults in {path}")
    return Settings(
        profile=account.profile,
        token=account.token,
        base_url=account.base_url,
        token_in=account.token_in,
        files_url=account.files_url,
        files_token=account.files_token,
        platform_url=account.platform_url,
        platform_token=account.platform_token,
        mode=defaults.from_file("mode"),
        output=_output(defaults, path),
        download=defaults.from_file("download", False),
        suffix=defaults.from_file("suffix"),
        preview=defaults.from_file("preview", "auto"),
        max_cost_per_day=defaults.from_file("max_cost_per_day"),
        metadata=defaults.from_file("metadata", "off"),
        sandbox=in_sandbox,
        config_file=path,
        data_dir=_data_dir(environ),
        warnings=_warnings(document, path, mode),
        presets=_presets(document, path),
    )


def profile_in_use(environ: Mapping[str, str], *, profile: str | None = None) -> Setting:
    """The name of the profile that the option, else `MJ_PROFILE`, selects; it need not exist in the file."""
    if profile is not None:
        chosen = Setting(profile, "option --profile")
    elif environ.get("MJ_PROFILE"):
        chosen = Setting(environ["MJ_PROFILE"], "environment MJ_PROFILE")
    else:
        return Setting(DEFAULT_PROFILE, "default")
    try:
        check_profile_name(chosen.value)
    except ValueError as error:
        raise UnknownProfile(f"The profile name from {chosen.source} {error}.") from None
    return chosen


def sandbox_in_use(environ: Mapping[str, str], *, option: bool = False) -> Setting:
    """Whether the option, else `MJ_SANDBOX`, turns the sandbox on. ConfigError for an unknown word."""
    if option:
        return Setting(True, "option --sandbox")
    text = environ.get("MJ_SANDBOX", "").strip()
    if not text:
        return Setting(False, "default")
    if text.lower() not in _YES + _NO:
        raise ConfigError(f'MJ_SANDBOX must be 1, true, yes, on, 0, false, no or off, not "{text}".')
    return Setting(text.lower() in _YES, "environment MJ_SANDBOX")


def overriding_variable(environ: Mapping[str, str], key: str) -> str | None:
    """The environment variable that is set and overrides the value of `key` in the file."""
    return next((variable for variable in VARIABLES.get(key, ()) if environ.get(variable)), None)


def override_warning(environ: Mapping[str, str], key: str) -> str | None:
    """A sentence for people if an environment variable overrides the value of `key` that was just saved."""
    variable = overriding_variable(environ, key)
    return f"{variable} in the environment overrides the saved {key}." if variable else None


class _Account(NamedTuple):
    """The settings that belong to a profile."""

    profile: Setting
    token: Setting
    base_url: Setting
    token_in: Setting
    files_url: Setting
    files_token: Setting
    platform_url: Setting
    platform_token: Setting


# Nothing of the real profile, so that the sandbox never sees a real token.
_SANDBOX_ACCOUNT = _Account(
    profile=Setting(SANDBOX, SANDBOX),
    token=Setting(SANDBOX, SANDBOX),
    base_url=Setting(None, SANDBOX),
    token_in=Setting("header", SANDBOX),
    files_url=Setting(None, SANDBOX),
    files_token=Setting(None, SANDBOX),
    platform_url=Setting(None, SANDBOX),
    platform_token=Setting("platform-sandbox", SANDBOX),
)


def _account(
    environ: Mapping[str, str], document: Mapping[str, Any], path: Path, profile: Setting
) -> _Account:
    table = document.get("profiles", {}).get(profile.value, {})
    source = _Source(environ, table, f"profile {profile.value} in {path}")
    token = source.get("token", check_token)
    base_url = source.get("base_url", check_base_url, default=DEFAULT_BASE_URL)
    base_url = base_url._replace(value=base_url.value.rstrip("/"))
    files_token = source.get("files_token", check_token)
    of_platform = files_token.value and origin(base_url.value) == origin(DEFAULT_BASE_URL)
    files_url = PLATFORM_FILES_URL if of_platform else base_url.value + FILES_PATH
    platform_url = base_url.value + PLATFORM_PATH if is_loopback(base_url.value) else PLATFORM_URL
    return _Account(
        profile=profile,
        token=token,
        base_url=base_url,
        token_in=source.from_file("token_in", "header"),
        files_url=source.get("files_url", check_files_url, default=files_url),
        files_token=files_token,
        platform_url=source.get("platform_url", check_base_url, default=platform_url),
        platform_token=source.get("platform_token", check_token),
    )


class _Source(NamedTuple):
    """Where settings are looked up: the environment, then a table of the file."""

    environ: Mapping[str, str]
    table: Mapping[str, Any]
    """As checked by `check_document`."""
    place: str
    """The table, as `Setting.source` describes it."""

    def get(self, key: str, check: Check, dotted: str | None = None, default: Any = None) -> Setting:
        """The setting from the variables of its `dotted` key (by default `key`), else from the file."""
        variable = overriding_variable(self.environ, dotted or key)
        if variable is None:
            setting = self.from_file(key, default)
            # Checked before; what counts is the value that the check returns, such as a token without quotes.
            return setting if setting.source == "default" else setting._replace(value=check(setting.value))
        try:
            return Setting(check(self.environ[variable]), f"environment {variable}")
        except ValueError as error:
            raise ConfigError(f"The environment variable {variable} {error}.") from None

    def from_file(self, key: str, default: Any = None) -> Setting:
        """The setting from the table; an empty string is a placeholder and counts as unset."""
        value = self.table.get(key)
        return Setting(default, "default") if value is None or value == "" else Setting(value, self.place)


def _output(defaults: _Source, path: Path) -> Setting:
    setting = defaults.get("output", check_output, "defaults.output")
    if setting.value is None:
        return setting
    place = setting.source if setting.source != defaults.place else f"defaults.output in {path}"
    path = paths.usable(setting.value, place)
    return setting._replace(value=str(path)) if setting.value.startswith("~") else setting


def _data_dir(environ: Mapping[str, str]) -> Setting:
    return Setting(
        paths.data_dir(environ), "environment MJ_DATA_DIR" if environ.get("MJ_DATA_DIR") else "default"
    )


def _presets(document: Mapping[str, Any], path: Path) -> dict[str, Setting]:
    return {
        name: Setting(preset["suffix"], f"presets in {path}")
        for name, preset in document.get("presets", {}).items()
        if "suffix" in preset
    }


def _warnings(document: Mapping[str, Any], path: Path, mode: int | None) -> tuple[str, ...]:
    """`mode` is the `st_mode` of the file, None if there is no regular file."""
    profiles = document.get("profiles", {}).values()
    has_token = any(profile.get(key) for profile in profiles for key in SECRETS)
    if os.name != "posix" or mode is None or not has_token or not mode & 0o077:
        return ()
    import shlex

    return (f"Other users can read the token in {path}; run: chmod 600 {shlex.quote(str(path))}",)
