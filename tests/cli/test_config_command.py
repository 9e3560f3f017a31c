"""`mj config`: showing and changing settings."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Mj

SECRET = "sk-very-secret-0123456789"


def saved(mj: Mj) -> Any:
    return tomllib.loads(Path(mj.env["MJ_CONFIG"]).read_text(encoding="utf-8"))


def test_path_prints_the_path_even_of_a_missing_or_broken_file(mj: Mj) -> None:
    file = Path(mj.env["MJ_CONFIG"])
    assert mj("config", "path").out == f"{file}\n"
    assert mj("config", "path", "--json").answer == {"path": str(file)}
    file.parent.mkdir()
    file.write_text("[broken")
    assert mj("config", "path", "-q").out == f"{file}\n"


def test_path_defaults_to_the_platform_s_config_directory(mj: Mj) -> None:
    if sys.platform == "linux":
        env: dict[str, str | None] = {"MJ_CONFIG": None, "XDG_CONFIG_HOME": None}
        assert mj("config", "path", env=env).out == f"{mj.home}/.config/mj/config.toml\n"
        assert mj("config", "path", env=env | {"XDG_CONFIG_HOME": "/x"}).out == "/x/mj/config.toml\n"


def test_list_shows_each_value_with_its_source(mj: Mj) -> None:
    mj("auth", "login", "--no-check", "--profile", "work", stdin=SECRET)
    mj("config", "set", "defaults.mode", "relax")
    mj("config", "set", "presets.poster.suffix", "--ar 2:3")
    env: dict[str, str | None] = {"MJ_OUTPUT_DIR": "shots", "MJ_PROFILE": "work"}
    file = mj.env["MJ_CONFIG"]
    result = mj("config", "list", env=env)
    assert result.out.splitlines() == [
        "profile: work (environment MJ_PROFILE)",
        f"token: ******** (profile work in {file})",
        "base_url: https://api.acedata.cloud (default)",
        "token_in: header (default)",
        "files_url: https://api.acedata.cloud/files/upload (default)",
        "files_token: not set",
        "platform_url: https://platform.acedata.cloud/api/v1 (default)",
        "platform_token: not set",
        f"defaults.mode: relax (defaults in {file})",
        "defaults.output: shots (environment MJ_OUTPUT_DIR)",
        "defaults.download: false (default)",
        "defaults.suffix: not set",
        "defaults.preview: auto (default)",
        "defaults.max_cost_per_day: not set",
        "defaults.metadata: off (default)",
        f"presets.poster.suffix: --ar 2:3 (presets in {file})",
        "sandbox: false (default)",
        f"data_dir: {mj.env['MJ_DATA_DIR']} (environment MJ_DATA_DIR)",
    ]
    lines = mj("config", "list", "--json", env=env).json
    assert lines[0] == {"key": "profile", "value": "work", "source": "environment MJ_PROFILE"}
    assert lines[1] == {"key": "token", "value": "********", "source": f"profile work in {file}"}
    assert lines[10] == {"key": "defaults.download", "value": False, "source": "default"}
    assert "poster.suffix=--ar 2:3" in mj("config", "list", "-q").out


def test_list_shows_the_platform_and_hides_its_token(mj: Mj) -> None:
    env: dict[str, str | None] = {"MJ_PLATFORM_TOKEN": SECRET}
    result = mj("config", "list", env=env)
    assert "platform_token: ******** (environment MJ_PLATFORM_TOKEN)\n" in result.out
    assert SECRET not in result.out + mj("config", "list", "--json", env=env).out
    mj("config", "set", "platform_url", "https://p/api")
    place = f"profile default in {mj.env['MJ_CONFIG']}"
    assert f"platform_url: https://p/api ({place})\n" in mj("config", "list").out


@pytest.mark.parametrize(("text", "value"), [("5", 5.0), ("0.50", 0.5), ("0", 0.0)])
def test_the_daily_limit_is_stored_as_a_number(mj: Mj, text: str, value: float) -> None:
    mj("config", "set", "defaults.max_cost_per_day", text)
    stored = {each["key"]: each["value"] for each in mj("config", "list", "--json").json}
    assert stored["defaults.max_cost_per_day"] == value
    mj("config", "unset", "defaults.max_cost_per_day")
    assert "defaults.max_cost_per_day: not set" in mj("config", "list").out


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "5 USD", "1e3", "1_0", "", "٥"])
def test_a_daily_limit_that_is_no_amount_is_refused(mj: Mj, text: str) -> None:
    result = mj("config", "set", "--", "defaults.max_cost_per_day", text, check=2)
    assert "must be an amount in USD such as 5 or 0.50" in result.err


def test_list_shows_the_file_endpoint_and_hides_its_token(mj: Mj) -> None:
    env: dict[str, str | None] = {"MJ_FILES_TOKEN": SECRET, "MJ_BASE_URL": "https://h"}
    result = mj("config", "list", env=env)
    assert "files_url: https://h/files/upload (default)\n" in result.out
    assert "files_token: ******** (environment MJ_FILES_TOKEN)\n" in result.out
    assert SECRET not in result.out + mj("config", "list", "--json", env=env).out
    mj("config", "set", "files_url", "https://f/up/")
    assert (
        f"files_url: https://f/up/ (profile default in {mj.env['MJ_CONFIG']})\n" in mj("config", "list").out
    )
    assert mj("config", "get", "files_url").out == "https://f/up/\n"


def test_list_without_a_token_shows_null(mj: Mj) -> None:
    assert mj("config", "list", "--json").json[1] == {"key": "token", "value": None, "source": "default"}
    assert "token: not set\n" in mj("config", "list").out


def test_list_in_the_sandbox_shows_no_real_address(mj: Mj) -> None:
    env: dict[str, str | None] = {"MJ_TOKEN": SECRET, "MJ_BASE_URL": "https://real"}
    result = mj("config", "list", "--sandbox", env=env)
    assert "sandbox: true (option --sandbox)" in result.out
    assert "real" not in result.out


def test_get_prints_only_the_value_in_effect(mj: Mj) -> None:
    assert mj("config", "get", "base_url").out == "https://api.acedata.cloud\n"
    assert mj("config", "get", "base_url", env={"MJ_BASE_URL": "https://h/"}).out == "https://h\n"
    assert mj("config", "get", "defaults.download").out == "false\n"
    mj("config", "set", "profiles.work.base_url", "https://w")
    assert mj("config", "get", "profiles.work.base_url").out == "https://w\n"
    assert mj("config", "get", "base_url", "--profile", "work").out == "https://w\n"
    assert mj("config", "get", "defaults.download", "--json").answer == {
        "key": "defaults.download",
        "value": False,
        "source": "default",
    }


@pytest.mark.parametrize(
    "key",
    [
        *("token", "profiles.work.token", "files_token", "profiles.work.files_token"),
        *("platform_token", "profiles.work.platform_token"),
    ],
)
def test_get_never_prints_a_token(mj: Mj, key: str) -> None:
    result = mj(
        "config",
        "get",
        key,
        env={"MJ_TOKEN": SECRET, "MJ_FILES_TOKEN": SECRET, "MJ_PLATFORM_TOKEN": SECRET},
        check=2,
    )
    assert result.out == ""
    assert "Tokens are never shown." in result.err
    assert "next: mj auth status\n" in result.err


def test_get_reports_an_unset_or_unknown_key(mj: Mj) -> None:
    result = mj("config", "get", "defaults.mode", check=2)
    assert "defaults.mode is not set" in result.err
    assert "next: mj config set defaults.mode VALUE\n" in result.err
    assert "presets.x.suffix is not set" in mj("config", "get", "presets.x.suffix", check=2).err
    assert "did you mean defaults.mode?" in mj("config", "get", "mode", check=2).err


def test_set_changes_the_active_profile_or_the_table_in_a_dotted_key(mj: Mj) -> None:
    mj("config", "set", "base_url", "https://a/")
    mj("config", "set", "token_in", "query", "--profile", "work")
    mj("config", "set", "defaults.download", "true")
    assert saved(mj) == {
        "profiles": {"default": {"base_url": "https://a"}, "work": {"token_in": "query"}},
        "defaults": {"download": True},
    }


@pytest.mark.parametrize("suffix", ["--ar 2:3", "--raw", "--sref=1 --q 2", "bold, flat", "[bold] :cat:", ""])
def test_a_preset_s_suffix_may_look_like_an_option(mj: Mj, suffix: str) -> None:
    mj("config", "set", "presets.p.suffix", suffix)
    assert saved(mj) == {"presets": {"p": {"suffix": suffix}}}
    assert mj("config", "get", "presets.p.suffix").out == f"{suffix}\n"


def test_set_prints_what_it_saved(mj: Mj) -> None:
    result = mj("config", "set", "defaults.download", "true", "--json")
    assert result.answer == {"key": "defaults.download", "value": True, "config_file": mj.env["MJ_CONFIG"]}
    assert mj("config", "set", "defaults.mode", "fast").out == "defaults.mode: fast\n"
    assert mj("config", "set", "defaults.mode", "fast", "-q").out == ""


def test_set_warns_if_the_environment_overrides_the_value(mj: Mj) -> None:
    result = mj("config", "set", "defaults.output", "a", env={"MJ_OUTPUT_DIR": "b"})
    assert "MJ_OUTPUT_DIR in the environment overrides the saved defaults.output" in result.err


@pytest.mark.parametrize(
    ("key", "value", "reported"),
    [
        ("token", SECRET, "next: mj auth login\n"),
        ("profiles.work.token", SECRET, "mj auth login"),
        ("files_token", SECRET, "next: mj auth login --files\n"),
        ("platform_token", SECRET, "next: mj auth login --platform\n"),
        ("files_url", "http://example.com", "unencrypted"),
        ("mode", "fast", "did you mean defaults.mode?"),
        ("defaults.mode", "quick", 'defaults.mode must be fast, relax or turbo, not "quick"'),
        ("base_url", "http://example.com", "unencrypted"),
        ("profile", "work", "--profile or MJ_PROFILE"),
        ("sandbox", "1", "--sandbox or MJ_SANDBOX"),
        ("data_dir", "/x", "MJ_DATA_DIR"),
    ],
)
def test_set_names_the_key_that_it_refuses_and_writes_nothing(
    mj: Mj, key: str, value: str, reported: str
) -> None:
    result = mj("config", "set", key, value, check=2)
    assert reported in result.err
    assert SECRET not in result.out + result.err
    assert not Path(mj.env["MJ_CONFIG"]).exists()


def test_unset_removes_one_key_and_keeps_the_comments(mj: Mj) -> None:
    file = Path(mj.env["MJ_CONFIG"])
    file.parent.mkdir()
    file.write_text("# mine\n[defaults]\nmode = 'fast' # always\ndownload = true # too\n")
    assert "removed from" in mj("config", "unset", "defaults.mode").out
    assert file.read_text() == "# mine\n[defaults]\ndownload = true # too\n"
    assert mj("config", "unset", "defaults.mode", "--json").answer["removed"] is False
    assert "mj auth logout" in mj("config", "unset", "token", check=2).err
    assert "mj auth logout --files" in mj("config", "unset", "files_token", check=2).err
    assert "mj auth logout --platform" in mj("config", "unset", "platform_token", check=2).err


@pytest.mark.parametrize("key", ["base_url", "token_in", "profiles.work.base_url", "token"])
def test_the_sandbox_has_no_profile_to_change(mj: Mj, key: str) -> None:
    for arguments in (["set", key, "https://h"], ["unset", key]):
        assert "sandbox" in mj("--sandbox", "config", *arguments, check=2).err
    assert not Path(mj.env["MJ_CONFIG"]).exists()


@pytest.mark.slow
@pytest.mark.parametrize(("option", "env"), [(["--sandbox"], {}), ([], {"MJ_SANDBOX": "1"})])
def test_defaults_and_presets_are_learned_in_the_sandbox(
    mj: Mj, option: list[str], env: dict[str, str | None]
) -> None:
    result = mj("config", "set", "presets.poster.suffix", "--ar 2:3", *option, env=env)
    assert "the same with and without the sandbox" in result.err
    mj("config", "set", "defaults.suffix", "--chaos 5", *option, env=env)
    assert mj("config", "get", "presets.poster.suffix", *option, env=env).out == "--ar 2:3\n"
    assert "presets.poster.suffix: --ar 2:3" in mj("config", "list", *option, env=env).out
    assert mj("config", "path", *option, env=env).out.strip() == mj.env["MJ_CONFIG"]
    checked = mj("check", "a cat", "--preset", "poster", *option, env=env).out
    assert "a cat --chaos 5 --ar 2:3" in checked
    mj("config", "unset", "presets.poster.suffix", *option, env=env)
    mj("check", "a cat", "--preset", "poster", *option, env=env, check=2)


def test_an_unknown_key_is_named_in_the_sandbox_too(mj: Mj) -> None:
    assert "profile" not in mj("--sandbox", "config", "set", "defaults.modus", "x", check=2).err


@pytest.mark.parametrize(
    "raw", [b"[defaults]\nmode = 'fa", b"\x89PNG\r\n\x1a\n\x00", b"[defaults]\nmodus = 'x'\n"]
)
def test_a_broken_file_is_reported_with_exit_status_2(mj: Mj, raw: bytes) -> None:
    file = Path(mj.env["MJ_CONFIG"])
    file.parent.mkdir()
    file.write_bytes(raw)
    for arguments in (["list"], ["get", "base_url"], ["set", "defaults.download", "true"]):
        result = mj("config", *arguments, "--json", check=2)
        assert result.answer["error"]["code"] == "config"
        assert str(file) in result.err
    assert file.read_bytes() == raw


@pytest.mark.slow
def test_concurrent_programs_lose_nothing(mj: Mj) -> None:
    running = [mj.start("config", "set", f"presets.p{n}.suffix", str(n)) for n in range(8)]
    for process in running:
        process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0] * 8
    assert saved(mj) == {"presets": {f"p{n}": {"suffix": str(n)} for n in range(8)}}


def test_showing_settings_does_not_load_the_libraries_for_writing_or_the_network(mj: Mj) -> None:
    script = (
        "import sys; sys.argv = ['mj', 'config', 'list', '-q']\n"
        "from mjcli.__main__ import main; main()\n"
        "print(*sorted({'tomlkit', 'httpx', 'sqlite3', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, env=mj.environment(), cwd=mj.cwd, capture_output=True, text=True, check=True)
    assert done.stderr.split() == []
