"""Where the config file and the data are. Environment variables override the platform's directories."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mjcli.errors import ConfigError, reason_of
from mjcli.settings.schema import shortened


def expanded(text: str) -> Path:
    """`text` as an absolute path, its leading `~` or `~USER` replaced by that home directory.

    ValueError with a predicate ("starts with ...") for a subject that the caller knows.
    """
    if not text or "\0" in text:
        raise ValueError("must be a path")
    try:
        return Path(_with_home(text)).absolute()
    except FileNotFoundError:
        raise ValueError(f'is "{text}", which is relative, but the working directory was deleted') from None


def _with_home(text: str) -> str:
    if not text.startswith("~"):
        return text
    tilde = text.partition("/")[0].partition(os.sep)[0]
    home = _home(tilde)
    if home is None:
        unknown = "your home directory is unknown" if tilde == "~" else "there is no such user"
        raise ValueError(f'starts with "{tilde}", but {unknown}')
    if not home.is_absolute():
        raise ValueError(f'starts with "{tilde}", but HOME is "{home}", which is not an absolute path')
    return f"{home}{text[len(tilde) :]}"


def _home(tilde: str) -> Path | None:
    """The home directory that `~` or `~USER` stands for; None if it is unknown."""
    if tilde == "~" and _home_is_empty():
        return None
    try:
        return Path(tilde).expanduser()
    except (RuntimeError, ValueError):
        return None


def _home_is_empty() -> bool:
    """Whether HOME is set to nothing, which would make `~` the root directory."""
    return os.name == "posix" and os.environ.get("HOME") == ""


def usable(text: str, source: str) -> Path:
    """As `expanded`, for a setting from `source`. ConfigError if no file can have this path."""
    try:
        path = expanded(text)
        path.lstat()
    except ValueError as error:
        raise ConfigError(f"The path from {source} {error}.") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise ConfigError(
                f'The path from {source} cannot be used ("{shortened(text)}"): {reason_of(error)}.'
            ) from None
    return path


def config_file(environ: Mapping[str, str]) -> Path:
    """The config file: `MJ_CONFIG`, else `config.toml` in the user's config directory for `mj`."""
    chosen = environ.get("MJ_CONFIG")
    if chosen:
        return usable(chosen, "environment MJ_CONFIG")
    import platformdirs

    return _user_path(platformdirs.user_config_path, "XDG_CONFIG_HOME", "MJ_CONFIG") / "config.toml"


def data_dir(environ: Mapping[str, str]) -> Path:
    """The directory of the ledger and the sandbox's state: `MJ_DATA_DIR`, else the user's data directory."""
    chosen = environ.get("MJ_DATA_DIR")
    if chosen:
        return usable(chosen, "environment MJ_DATA_DIR")
    import platformdirs

    return _user_path(platformdirs.user_data_path, "XDG_DATA_HOME", "MJ_DATA_DIR")


def _user_path(platform_path: Callable[..., Path], base: str, variable: str) -> Path:
    """The platform's directory for `mj`, below that of the variable `base` or below HOME.

    ConfigError if there is neither HOME nor a passwd entry, or if one of them is not an absolute path.
    """
    try:
        path = platform_path("mj", appauthor=False)
    except RuntimeError:  # raised by newer versions of platformdirs; older ones return a path with a tilde
        path = Path("~")
    chosen = os.environ.get(base, "").strip()
    if str(path).startswith("~") or (_home_is_empty() and not chosen):
        raise ConfigError(f"Your home directory is unknown; set HOME, or set {variable} to a path.")
    if path.is_absolute():
        return path
    name = base if chosen else "HOME"
    raise ConfigError(f'{name} is "{shortened(os.environ.get(name, ""))}", which is not an absolute path.')
