"""Where the config file and the data are. Environment variables override the platform's directories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mjcli.errors import ConfigError


def config_file(environ: Mapping[str, str]) -> Path:
    """The config file: `MJ_CONFIG`, else `config.toml` in the user's config directory for `mj`."""
    chosen = environ.get("MJ_CONFIG")
    if chosen:
        return Path(chosen).absolute()
    import platformdirs

    return _user_path(platformdirs.user_config_path, "MJ_CONFIG") / "config.toml"


def data_dir(environ: Mapping[str, str]) -> Path:
    """The directory of the ledger and the sandbox's state: `MJ_DATA_DIR`, else the user's data directory."""
    chosen = environ.get("MJ_DATA_DIR")
    if chosen:
        return Path(chosen).absolute()
    import platformdirs

    return _user_path(platformdirs.user_data_path, "MJ_DATA_DIR")


def _user_path(platform_path: Callable[..., Path], variable: str) -> Path:
    """The platform's directory for `mj`; ConfigError if there is neither HOME nor a passwd entry."""
    try:
        path = platform_path("mj", appauthor=False)
    except RuntimeError:  # raised by newer versions of platformdirs; older ones return a path with a tilde
        path = Path("~")
    if str(path).startswith("~"):
        raise ConfigError(f"Your home directory is unknown; set HOME, or set {variable} to a path.")
    return path
