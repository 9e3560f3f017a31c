"""Settings: profiles, precedence, where each value comes from, and the file that keeps the secret.

Reading never changes anything; writing goes through `_edit`, which is the only way into the file.
No message, warning or `repr` made here holds a token or a part of one.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mjcli import paths
from mjcli.errors import ConfigError, MjError, UsageError

DEFAULT_BASE_URL = "https://api.acedata.cloud"
# Where files are uploaded to: beside the service's own API, and on any other host.
DEFAULT_FILES_URL = "https://platform.acedata.cloud/api/v1/files/"
FILES_PATH = "/api/v1/files/"
DEFAULT_PROFILE = "default"
SANDBOX = "sandbox"
MODES = ("fast", "relax", "turbo")
TOKEN_PLACES = ("header", "query")
# What wins over the file, first to last.
VARIABLES = {
    "token": ("MJ_TOKEN", "ACEDATACLOUD_API_TOKEN"),
    "base_url": ("MJ_BASE_URL",),
    "files_url": ("MJ_FILES_URL",),
    "files_token": ("MJ_FILES_TOKEN",),
    "defaults.output": ("MJ_OUTPUT_DIR",),
}

# What is kept secret, and the command that sets each of them.
SECRETS = {"token": "mj auth login", "files_token": "mj auth login --files"}

SETTABLE_KEYS = (
    "base_url",
    "token_in",
    "files_url",
    "defaults.mode",
    "defaults.output",
    "defaults.download",
    "defaults.suffix",
    "presets.NAME.suffix",
    "profiles.NAME.base_url",
    "profiles.NAME.token_in",
    "profiles.NAME.files_url",
)

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
_LARGEST_FILE = 1 << 20
_LOCK_PATIENCE = 30.0


class Setting(NamedTuple):
    """A value and where it comes from."""

    value: Any
    """The typed value, or None when nothing gives one."""
    source: str
    """`option --profile`, `environment MJ_TOKEN`, `profile work in FILE`, `defaults in FILE`, `default` or
    `sandbox`."""


class Settings(NamedTuple):
    """Every setting of one run, by precedence: option, environment, config file, default."""

    profile: Setting
    """str: the name of the profile in use; `sandbox` with the sandbox on."""
    token: Setting
    """str, or None when there is none."""
    base_url: Setting
    """str without a slash at its end; None with the sandbox on, whose address is known once it runs."""
    token_in: Setting
    """`header` or `query`."""
    files_url: Setting
    """str: where files are uploaded to; None with the sandbox on, as for `base_url`."""
    files_token: Setting
    """str, or None when there is none for the file endpoint alone; see `token_for_files`."""
    mode: Setting
    """`fast`, `relax`, `turbo` or None."""
    output: Setting
    """str, or None: where downloads go; a leading `~` is already expanded."""
    download: Setting
    """bool: whether pictures are saved without being asked to."""
    suffix: Setting
    """str or None: what is put behind every prompt, as a preset is behind some."""
    sandbox: Setting
    """bool: whether the embedded stand-in answers instead of the service."""
    config_file: Path
    """The config file, whether it exists or not."""
    data_dir: Setting
    """Path: the directory of the ledger and the sandbox's state."""
    warnings: tuple[str, ...] = ()
    """Sentences for people, about what is allowed but unwise."""
    presets: Mapping[str, Setting] = MappingProxyType({})
    """Preset name -> its suffix (str)."""

    def __repr__(self) -> str:
        """Without the token."""
        return f"Settings(profile={self.profile!r}, base_url={self.base_url!r}, …)"

    @property
    def token_for_files(self) -> Setting:
        """The token that uploads carry: one for the file endpoint alone, else the API's on its own host, else None.

        The API's token goes to no other host, nor to another port of it.
        """
        if self.files_token.value:
            return self.files_token
        if self.sandbox.value or _origin(self.files_url.value) == _origin(self.base_url.value):
            return self.token
        return Setting(None, "default")

    def items(self) -> Iterator[tuple[str, Setting]]:
        """Every setting under the key by which `config get` knows it; the tokens as they are, not hidden."""
        yield "profile", self.profile
        yield "token", self.token
        yield "base_url", self.base_url
        yield "token_in", self.token_in
        yield "files_url", self.files_url
        yield "files_token", self.files_token
        yield "defaults.mode", self.mode
        yield "defaults.output", self.output
        yield "defaults.download", self.download
        yield "defaults.suffix", self.suffix
        for name, setting in self.presets.items():
            yield f"presets.{name}.suffix", setting
        yield "sandbox", self.sandbox
        yield "data_dir", self.data_dir


# --- Checking single values. Each check returns the value to use or raises ValueError with the predicate of a
# --- sentence ("must be …"), whose subject the caller knows: an option, a variable, a key of a file.


def check_token(token: str) -> str:
    """Return `token` if it can stand in an HTTP header; ValueError with a predicate that does not show it."""
    if not token:
        raise ValueError("must not be empty")
    for character in token:
        if character in "\r\n":
            raise ValueError("must not hold a line break")
        if character.isspace():
            raise ValueError("must not hold a space")
        if not character.isascii():
            raise ValueError("must be plain ASCII")
        if not character.isprintable():
            raise ValueError("must not hold a control character")
    return token


def check_base_url(url: str) -> str:
    """Return `url` without a slash at its end; ValueError with a predicate that does not show it.

    Plain `http://` is for the loopback interface only: elsewhere anyone on the way could read the token.
    """
    form = re.match(r"(?i)(https?)://([^/?#\\]*)", url)
    if not form or not form[2]:
        raise ValueError("must be https:// (or http:// on this machine) and a host")
    if "@" in form[2]:
        raise ValueError("must not hold a user name or password")
    if "?" in url or "#" in url:
        raise ValueError("must end with a host or a path, without ? or #")
    if "\\" in url or not all("!" <= character <= "~" for character in url):
        raise ValueError("must be plain ASCII without spaces or backslashes")
    place = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", form[2])
    if not place or (place[2] is not None and not 0 < int(place[2]) < 65536):
        raise ValueError("must have a host, optionally with :PORT from 1 to 65535")
    host = place[1].lower()
    if host.startswith("[") and _address(host[1:-1]) is None:
        raise ValueError("must have a valid IPv6 address between the brackets")
    if form[1].lower() == "http" and not _on_loopback(host.strip("[]")):
        raise ValueError(
            "must start with https://: over plain http:// to another machine the token would travel readable"
        )
    return url.rstrip("/")


def check_files_url(url: str) -> str:
    """Return `url` as it is, since a slash at its end matters there; ValueError as `check_base_url`."""
    check_base_url(url)
    return url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, as they tell whether two addresses are of one server."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _address(host: str) -> Any:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _on_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    address = _address(host)
    if address is None:
        return False
    return bool(address.is_loopback) and (address.version == 4 or str(address) == "::1")


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine."""
    from urllib.parse import urlsplit

    return _on_loopback(urlsplit(url).hostname or "")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be {', '.join(allowed[:-1])} or {allowed[-1]}")
        return value

    return check


def _check_output(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError("must be a path")
    return value


def _check_suffix(value: str) -> str:
    return value


# What the file may hold: section -> key -> check of a string; `defaults.download` alone is no string.
_PROFILE_KEYS: dict[str, Callable[[str], str]] = {
    "token": check_token,
    "base_url": check_base_url,
    "token_in": _one_of(*TOKEN_PLACES),
    "files_url": check_files_url,
    "files_token": check_token,
}
_DEFAULTS_KEYS: dict[str, Callable[[str], str]] = {
    "mode": _one_of(*MODES),
    "output": _check_output,
    "suffix": _check_suffix,
}
_PRESET_KEYS: dict[str, Callable[[str], str]] = {"suffix": _check_suffix}
_NAMED_SECTIONS = {"profiles": _PROFILE_KEYS, "presets": _PRESET_KEYS}


# --- Reading.


def load_settings(
    environ: Mapping[str, str],
    *,
    profile: str | None = None,
    sandbox: bool = False,
    new_profile: bool = False,
) -> Settings:
    """Bring together the options given, the environment, the config file and the defaults.

    `profile` and `sandbox` are the global options; `new_profile` lets the profile be one that the file does
    not have yet. ConfigError for whatever cannot be used, with the name of the place that it comes from.
    """
    path = paths.config_file(environ)
    in_sandbox = sandbox_in_use(environ, option=sandbox)
    raw, mode = _read(path)
    document = _parse(raw, path)
    _check_document(document, path)
    if in_sandbox.value:
        chosen = Setting(SANDBOX, SANDBOX)
        token = Setting(SANDBOX, SANDBOX)
        base_url = Setting(None, SANDBOX)
        token_in = Setting("header", SANDBOX)
        files_url = files_token = Setting(None, SANDBOX)
    else:
        chosen = profile_in_use(environ, profile=profile)
        if not new_profile:
            _require_profile(chosen, document.get("profiles", {}), path)
        own = document.get("profiles", {}).get(chosen.value, {})
        place = f"profile {chosen.value} in {path}"
        token = _from_environment(environ, VARIABLES["token"], check_token) or _from_file(own, "token", place)
        address = _from_environment(environ, VARIABLES["base_url"], check_base_url)
        address = address or _from_file(own, "base_url", place, DEFAULT_BASE_URL)
        base_url = Setting(address.value.rstrip("/"), address.source)
        token_in = _from_file(own, "token_in", place, "header")
        files_url = _from_environment(environ, VARIABLES["files_url"], check_files_url) or _from_file(
            own, "files_url", place, _files_url_beside(base_url.value)
        )
        files_token = _from_environment(environ, VARIABLES["files_token"], check_token) or _from_file(
            own, "files_token", place
        )
    defaults = document.get("defaults", {})
    place = f"defaults in {path}"
    output = _from_environment(environ, VARIABLES["defaults.output"], _check_output)
    output = output or _from_file(defaults, "output", place)
    if output.value is not None:
        output = Setting(_expanded(output.value, output.source), output.source)
    return Settings(
        profile=chosen,
        token=token,
        base_url=base_url,
        token_in=token_in,
        files_url=files_url,
        files_token=files_token,
        mode=_from_file(defaults, "mode", place),
        output=output,
        download=_from_file(defaults, "download", place, False),
        suffix=_from_file(defaults, "suffix", place),
        sandbox=in_sandbox,
        config_file=path,
        data_dir=Setting(
            paths.data_dir(environ), "environment MJ_DATA_DIR" if environ.get("MJ_DATA_DIR") else "default"
        ),
        warnings=_warnings(document, path, mode),
        presets={
            name: Setting(preset["suffix"], f"presets in {path}")
            for name, preset in document.get("presets", {}).items()
            if "suffix" in preset
        },
    )


def _files_url_beside(base_url: str) -> str:
    """The file endpoint that goes with an API (api.md, "Endpoints", names the service's own)."""
    same = _origin(base_url) == _origin(DEFAULT_BASE_URL)
    return DEFAULT_FILES_URL if same else base_url + FILES_PATH


def profile_in_use(environ: Mapping[str, str], *, profile: str | None = None) -> Setting:
    """The name of the profile that the option, else `MJ_PROFILE`, chooses; the file is not looked at."""
    if profile is not None:
        chosen = Setting(profile, "option --profile")
    elif environ.get("MJ_PROFILE"):
        chosen = Setting(environ["MJ_PROFILE"], "environment MJ_PROFILE")
    else:
        return Setting(DEFAULT_PROFILE, "default")
    try:
        check_profile_name(chosen.value)
    except ValueError as error:
        raise ConfigError(f"The profile name from {chosen.source} {error}.") from None
    return chosen


def require_profile(path: Path, profile: Setting) -> None:
    """ConfigError, naming the known ones, when the file has no such profile; `default` needs none."""
    document = _parse(_read(path)[0], path)
    known = document.get("profiles", {})
    if isinstance(known, dict):  # if not, whatever reads or writes it will say so
        _require_profile(profile, known, path)


def overriding_variable(environ: Mapping[str, str], key: str) -> str | None:
    """The environment variable that wins over what the file has under `key`, if it is set."""
    return next((variable for variable in VARIABLES.get(key, ()) if environ.get(variable)), None)


def login_command(profile: str) -> str:
    """The command that gives the profile a token."""
    return "mj auth login" + ("" if profile == DEFAULT_PROFILE else f" --profile {_quoted(profile)}")


def check_profile_name(name: str) -> str:
    """Return `name` if a profile of the file may have it; ValueError with a predicate."""
    if not name or not name.isprintable() or name != name.strip():
        raise ValueError("must be a word without control characters")
    if name == SANDBOX:
        raise ValueError(f"must not be {SANDBOX}: that name belongs to --sandbox")
    return name


def file_value(path: Path, key: str) -> Any:
    """What the file itself holds under a dotted key such as `profiles.work.base_url`; None when nothing.

    UsageError for a key that the file cannot have, and for one that holds a token.
    """
    where = locate(key, profile=DEFAULT_PROFILE)
    if where[-1] in SECRETS:
        raise UsageError("The token is never shown.", hint="mj auth status")
    node: Any = _parse(_read(path)[0], path)
    _check_document(node, path)
    for name in where:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def locate(key: str, *, profile: str) -> tuple[str, ...]:
    """The way through the file to `key`, as `config set` takes it; UsageError names the nearest ones."""
    parts = key.split(".")
    if key in _PROFILE_KEYS:
        return ("profiles", profile, key)
    if len(parts) == 2 and parts[0] == "defaults" and parts[1] in (*_DEFAULTS_KEYS, "download"):
        return ("defaults", parts[1])
    # A name may hold dots itself; the section before it and the key after it do not.
    if len(parts) > 2 and parts[-1] in _NAMED_SECTIONS.get(parts[0], ()):
        name = ".".join(parts[1:-1])
        try:
            check_profile_name(name)
        except ValueError as error:
            raise UsageError(f"The name in {key} {error}.") from None
        return (parts[0], name, parts[-1])
    raise unknown_key(key)


def unknown_key(key: str) -> UsageError:
    """The error for a key that does not exist, naming those that may have been meant."""
    last = key.split(".")[-1]
    near = [known for known in SETTABLE_KEYS if last == known.split(".")[-1]] or _nearest(key, SETTABLE_KEYS)
    offer = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(SETTABLE_KEYS)}."
    return UsageError(f"There is no key {key}; {offer}")


def _nearest(word: str, known: tuple[str, ...]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word, known, n=2, cutoff=0.6)


def sandbox_in_use(environ: Mapping[str, str], *, option: bool = False) -> Setting:
    """Whether the option, else `MJ_SANDBOX`, turns the sandbox on. ConfigError for an unknown word."""
    if option:
        return Setting(True, "option --sandbox")
    said = environ.get("MJ_SANDBOX", "").strip().lower()
    if not said:
        return Setting(False, "default")
    if said not in _YES + _NO:
        raise ConfigError("MJ_SANDBOX must be 1, true, yes or on, or else 0, false, no or off.")
    return Setting(said in _YES, "environment MJ_SANDBOX")


def _from_environment(
    environ: Mapping[str, str], variables: tuple[str, ...], check: Callable[[str], str]
) -> Setting | None:
    for variable in variables:
        if value := environ.get(variable):
            try:
                return Setting(check(value), f"environment {variable}")
            except ValueError as error:
                raise ConfigError(f"The environment variable {variable} {error}.") from None
    return None


def _from_file(table: Mapping[str, Any], key: str, place: str, default: Any = None) -> Setting:
    value = table.get(key)
    # An empty token is a form not filled in yet.
    return Setting(default, "default") if value is None or value == "" else Setting(value, place)


def _expanded(value: str, source: str) -> str:
    if value != "~" and not value.startswith(("~/", "~" + os.sep)):
        return value
    try:
        return str(Path.home()) + value[1:]
    except RuntimeError:
        raise ConfigError(f"Your home directory is unknown, so the ~ from {source} has no meaning.") from None


def _require_profile(chosen: Setting, known: Mapping[str, Any], path: Path) -> None:
    if chosen.value in known or chosen.value == DEFAULT_PROFILE:
        return
    listed = f"it has {', '.join(known)}" if known else "it has no profiles"
    raise ConfigError(
        f"There is no profile {chosen.value} (from {chosen.source}) in {path}; {listed}.",
        hint=login_command(chosen.value),
    )


def _warnings(document: Mapping[str, Any], path: Path, mode: int | None) -> tuple[str, ...]:
    profiles = document.get("profiles", {}).values()
    holds_token = any(profile.get(key) for profile in profiles for key in SECRETS)
    if os.name != "posix" or mode is None or not holds_token or not mode & 0o077:
        return ()
    return (f"Others on this machine can read the token in {path}; type: chmod 600 {_quoted(str(path))}",)


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _read(path: Path) -> tuple[bytes, int | None]:
    """The bytes of the file and its mode; nothing and None when there is no such file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        return b"", None
    except IsADirectoryError:
        raise ConfigError(f"The config file {path} is a directory.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(f"The config file {path} cannot be read: {_reason(error)}.") from None
    if len(raw) > _LARGEST_FILE:
        raise ConfigError(f"The config file {path} is larger than 1 MiB, so it cannot be one of mj.")
    return raw, mode if stat.S_ISREG(mode) else None


def _text(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"The config file {path} is not UTF-8 text (line {line}).") from None


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    if not raw:
        return {}
    text = _text(raw, path)
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The config file {path} is not valid TOML: {error}.") from None
    except RecursionError:
        raise ConfigError(f"The config file {path} is not valid TOML: nested too deeply.") from None


def _check_document(document: Mapping[str, Any], path: Path) -> None:
    """ConfigError with the dotted name of the first thing in the file that is unknown or wrong."""
    for section, content in document.items():
        if section not in ("profiles", "defaults", "presets"):
            raise _unknown(path, (section,), ("profiles", "defaults", "presets"))
        _check_table(content, path, section)
        if section == "defaults":
            _check_keys(content, path, (section,), _DEFAULTS_KEYS)
            continue
        for name, table in content.items():
            _check_table(table, path, f"{section}.{name}")
            _check_keys(table, path, (section, name), _NAMED_SECTIONS[section])


def _check_table(content: object, path: Path, name: str) -> None:
    if not isinstance(content, dict):
        raise ConfigError(f"In {path}, {name} must be a table.")


def _check_keys(
    table: Mapping[str, Any], path: Path, where: tuple[str, ...], checks: Mapping[str, Callable[[str], str]]
) -> None:
    for key, value in table.items():
        dotted = ".".join((*where, key))
        if where == ("defaults",) and key == "download":
            if not isinstance(value, bool):
                raise ConfigError(f"In {path}, {dotted} must be true or false.")
        elif key not in checks:
            known = (*checks, "download") if where == ("defaults",) else tuple(checks)
            raise _unknown(path, (*where, key), known)
        elif not isinstance(value, str):
            raise ConfigError(f"In {path}, {dotted} must be a string.")
        elif value or key not in SECRETS:
            try:
                checks[key](value)
            except ValueError as error:
                raise ConfigError(f"In {path}, {dotted} {error}.") from None


def _unknown(path: Path, where: tuple[str, ...], known: tuple[str, ...]) -> ConfigError:
    near = _nearest(where[-1], known)
    offer = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}."
    return ConfigError(f"In {path}, {'.'.join(where)} is unknown; {offer}")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


# --- Writing.


def set_value(path: Path, key: str, value: str, *, profile: str) -> Any:
    """Set `key`, as `config set` takes it, from its text; returns the typed value.

    UsageError for an unknown key, a wrong value, or a token, which argument lists would make public.
    """
    where = locate(key, profile=profile)
    if where[-1] in SECRETS:
        raise UsageError(
            "A token does not belong on the command line, where others can read it.", hint=SECRETS[where[-1]]
        )
    typed: Any = value
    try:
        if where == ("defaults", "download"):
            typed = {"true": True, "false": False}[_one_of("true", "false")(value)]
        else:
            checks = _DEFAULTS_KEYS if where[0] == "defaults" else _NAMED_SECTIONS[where[0]]
            typed = checks[where[-1]](value)
            value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{key} must be text that UTF-8 can hold.") from None
    except ValueError as error:
        raise UsageError(f"{key} {error}.") from None
    _edit(path, [(where, typed)])
    return typed


def unset_value(path: Path, key: str, *, profile: str) -> bool:
    """Take `key` out of the file; False when it was not there. A token goes by `remove_token`."""
    where = locate(key, profile=profile)
    if where[-1] in SECRETS:
        hint = SECRETS[where[-1]].replace("login", "logout")
        raise UsageError("The token is taken out by logging out.", hint=hint)
    return _edit(path, [(where, None)])


def set_token(
    path: Path,
    token: str,
    *,
    profile: str,
    base_url: str | None = None,
    token_in: str | None = None,
    key: str = "token",
) -> None:
    """Keep `token`, and the other two where given, in the profile, which is made when it does not exist.

    `key` is one of `SECRETS`. All are taken as checked already; what is wrong is a ConfigError, and the file
    stays as it was.
    """
    given = {key: token, "base_url": base_url, "token_in": token_in}
    _edit(path, [(("profiles", profile, name), value) for name, value in given.items() if value is not None])


def remove_token(path: Path, *, profile: str, key: str = "token") -> bool:
    """Take a token (one of `SECRETS`) out of the profile, whose other keys stay; False when it had none."""
    return _edit(path, [(("profiles", profile, key), None)])


def _edit(path: Path, changes: list[tuple[tuple[str, ...], Any]]) -> bool:
    """Put each value at its place in the file (None takes it out), all or nothing; False if nothing changes.

    The whole read-change-write happens under a lock on the file's directory: the file itself is replaced,
    and a lock on it would be left behind on the old one.
    """
    removing = all(value is None for _, value in changes)
    try:
        target = Path(os.path.realpath(path))  # a symlink stays one: what it points to is written
        if removing and not path.exists():
            return False
        _make_private(target.parent)
        with _locked(target.parent):
            raw, mode = _read(path)
            if target.exists() and mode is None:
                raise ConfigError(f"The config file {path} is not a regular file, so it cannot be changed.")
            wanted = _parse(raw, path)
            if not _apply(wanted, changes, path):
                return False
            _check_document(wanted, path)
            content = _rewritten(_text(raw, path), changes, wanted, path)
            _replace(target, content)
    except MjError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"The config file {path} cannot be written: {_reason(error)}.") from None
    return True


def _apply(document: dict[str, Any], changes: list[tuple[tuple[str, ...], Any]], path: Path) -> bool:
    """Make the changes in plain dictionaries; False if they only take out what is not there."""
    touched = False
    for (*tables, key), value in changes:
        node = document
        for depth, name in enumerate(tables):
            node = node.setdefault(name, {})
            _check_table(node, path, ".".join(tables[: depth + 1]))
        if value is None:
            touched |= node.pop(key, None) is not None
            if tables[0] == "presets" and not node:
                del document["presets"][tables[1]]
        else:
            node[key] = value
            touched = True
    return touched


def _rewritten(
    text: str, changes: list[tuple[tuple[str, ...], Any]], wanted: dict[str, Any], path: Path
) -> bytes:
    """The text with the changes made and everything else, comments and order too, as it was."""
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError
    from tomlkit.items import InlineTable

    by_hand = ConfigError(f"mj cannot change the config file {path} the way it is laid out; edit it by hand.")
    try:
        document = tomlkit.parse(text if not text or text.endswith("\n") else text + "\n")
        for (*tables, key), value in changes:
            node: MutableMapping[str, Any] = document
            for depth, name in enumerate(tables):
                if name not in node:
                    inline = isinstance(node, InlineTable)
                    last = depth == len(tables) - 1
                    new = tomlkit.inline_table() if inline else tomlkit.table(is_super_table=not last)
                    behind = _take_tail(list(node.values())[-1]) if last and node and not inline else []
                    node[name] = new
                    new.value.body.extend(behind)
                node = node[name]
            if value is not None:
                _put(node, key, value)
                continue
            node.pop(key, None)
            if tables[0] == "presets" and not node:
                document["presets"].remove(tables[1])
        content = tomlkit.dumps(document)
        result = tomllib.loads(content)
        spaced = _spaced(content, text)
        if tomllib.loads(spaced) == result:
            content = spaced
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, KeyError, AttributeError):
        raise by_hand from None
    # What is about to replace the file must say what was wanted, whatever the library made of it.
    if _without_empty(result) != _without_empty(wanted):
        raise by_hand
    return content.encode()


def _put(table: MutableMapping[str, Any], key: str, value: Any) -> None:
    """Set a key; a new one goes behind the last key of its table, not behind a comment on what follows."""
    tail = [] if key in table else _take_tail(table)
    table[key] = value
    if tail:
        table.value.body.extend(tail)  # type: ignore[attr-defined]


def _take_tail(table: Any) -> list[Any]:
    """Take off the empty lines and comments at the end of a table: they belong to what follows it."""
    from tomlkit.items import Table, Whitespace

    if not isinstance(table, Table):
        return []
    body = table.value.body
    keys = [at for at, (name, _) in enumerate(body) if name is not None]
    blanks = [at for at, (_, item) in enumerate(body) if isinstance(item, Whitespace)]
    cut = keys[-1] + 1 if keys else (blanks or [len(body)])[0]
    tail, body[cut:] = body[cut:], []
    return list(tail)


def _spaced(content: str, before: str) -> str:
    """The text with an empty line around each table whose header is not in `before`."""
    known = set(before.splitlines())
    lines: list[str] = []
    behind_new = False
    for line in content.split("\n"):
        if line.startswith("["):
            new = line.rstrip("\r") not in known
            above = lines[-1].strip() if lines else ""
            if above and (new or (behind_new and not above.startswith("#"))):
                lines.append("")
            behind_new = new
        lines.append(line)
    return "\n".join(lines)


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in document.items() if table}


def _make_private(directory: Path) -> None:
    """Make the directory and those above it that are missing, for the owner's eyes only."""
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for new in reversed(missing):
        new.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory against other `mj` processes; where there are no such locks, go on without."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ConfigError(
                        f"Another program has kept {directory} locked for {_LOCK_PATIENCE:.0f} seconds."
                    ) from None
                time.sleep(0.01)
                continue
            except OSError:
                pass  # a file system without locks
            break
        yield
    finally:
        os.close(descriptor)


def _replace(target: Path, content: bytes) -> None:
    """Put `content` in the place of `target` in one step, for the owner only from the first byte on."""
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        directory = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        except OSError:
            pass  # some file systems do not flush directories; the file is whole all the same
        finally:
            os.close(directory)
