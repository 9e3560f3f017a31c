"""Where the config file and the data directory are."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest

from mjcli.errors import ConfigError
from mjcli.settings import paths

BOTH = pytest.mark.parametrize(
    ("find", "variable", "platform_path"),
    [
        (paths.config_file, "MJ_CONFIG", "user_config_path"),
        (paths.data_dir, "MJ_DATA_DIR", "user_data_path"),
    ],
)


@BOTH
def test_the_variable_overrides_the_platform_and_becomes_absolute(
    find: object, variable: str, platform_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(find)
    monkeypatch.chdir(tmp_path)
    assert find({variable: "/x/y"}) == Path("/x/y").absolute()
    assert find({variable: "x"}) == tmp_path / "x"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG directories")
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    assert paths.config_file({"MJ_CONFIG": ""}) == Path("/c/mj/config.toml")
    assert paths.data_dir({"MJ_DATA_DIR": ""}) == Path("/d/mj")


@BOTH
@pytest.mark.parametrize("raises", [True, False])
def test_an_unknown_home_directory_is_an_error_that_names_the_variable(
    find: object, variable: str, platform_path: str, raises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_home(*_: object, **__: object) -> Path:
        if raises:
            raise RuntimeError("no home")
        return Path("~/.config/mj")

    assert callable(find)
    monkeypatch.setattr(platformdirs, platform_path, without_home)
    with pytest.raises(ConfigError, match=f"home directory is unknown; .*{variable}"):
        find({})
