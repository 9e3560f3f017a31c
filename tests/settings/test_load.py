"""The settings of one run: precedence, sources, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mjcli.errors import ConfigError, NoTokenError, Remedy
from mjcli.settings.load import DEFAULT_BASE_URL, load_settings
from mjcli.settings.schema import Setting
from tests.support.settings import SECRET, write
from tests.support.systems import posix

# --- Precedence and sources.


def test_without_a_file_or_environment_every_setting_is_the_default(
    environ: dict[str, str], file: Path
) -> None:
    settings = load_settings(environ)
    assert settings.profile == Setting("default", "default")
    assert settings.token == Setting(None, "default")
    assert settings.base_url == Setting(DEFAULT_BASE_URL, "default")
    assert settings.token_in == Setting("header", "default")
    assert settings.mode == settings.output == Setting(None, "default")
    assert settings.download == settings.sandbox == Setting(False, "default")
    assert settings.config_file == file
    assert settings.warnings == ()
    assert not file.parent.exists()


def test_settings_from_the_file_have_the_file_as_their_source(environ: dict[str, str], file: Path) -> None:
    write(
        file,
        f"""
        [profiles.work]
        token = "{SECRET}"
        base_url = "https://api.example.com/v1/"
        token_in = "query"
        [defaults]
        mode = "relax"
        output = "shots"
        download = true
        [presets.poster]
        suffix = "--ar 2:3"
        """,
    )
    settings = load_settings(environ, profile="work")
    place = f"profile work in {file}"
    assert settings.profile == Setting("work", "option --profile")
    assert settings.token == Setting(SECRET, place)
    assert settings.base_url == Setting("https://api.example.com/v1", place)
    assert settings.token_in == Setting("query", place)
    assert settings.mode == Setting("relax", f"defaults in {file}")
    assert settings.output == Setting("shots", f"defaults in {file}")
    assert settings.download == Setting(True, f"defaults in {file}")
    assert dict(settings.items())["presets.poster.suffix"] == Setting("--ar 2:3", f"presets in {file}")


def test_the_environment_overrides_the_file(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.default]\ntoken="a"\nbase_url="https://a"\n[defaults]\noutput="a"\n')
    environ |= {"MJ_TOKEN": "b", "MJ_BASE_URL": "https://b/", "MJ_OUTPUT_DIR": "b"}
    settings = load_settings(environ)
    assert settings.token == Setting("b", "environment MJ_TOKEN")
    assert settings.base_url == Setting("https://b", "environment MJ_BASE_URL")
    assert settings.output == Setting("b", "environment MJ_OUTPUT_DIR")


def test_mj_token_overrides_the_service_s_own_variable(environ: dict[str, str]) -> None:
    environ["ACEDATACLOUD_API_TOKEN"] = "a"
    assert load_settings(environ).token == Setting("a", "environment ACEDATACLOUD_API_TOKEN")
    environ["MJ_TOKEN"] = "b"
    assert load_settings(environ).token == Setting("b", "environment MJ_TOKEN")


def test_empty_variables_count_as_unset(environ: dict[str, str]) -> None:
    for name in (
        "MJ_TOKEN",
        "ACEDATACLOUD_API_TOKEN",
        "MJ_BASE_URL",
        "MJ_PROFILE",
        "MJ_OUTPUT_DIR",
        "MJ_SANDBOX",
    ):
        environ[name] = ""
    assert {setting.source for key, setting in load_settings(environ).items() if key != "data_dir"} == {
        "default"
    }


def test_an_empty_token_in_the_file_counts_as_unset(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.default]\ntoken = ""\n')
    assert load_settings(environ).token == Setting(None, "default")


def test_the_profile_option_overrides_mj_profile(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.a]\ntoken="ta"\n[profiles.b]\ntoken="tb"\n')
    environ["MJ_PROFILE"] = "a"
    assert load_settings(environ).profile == Setting("a", "environment MJ_PROFILE")
    assert load_settings(environ, profile="b").token.value == "tb"


def test_an_unknown_profile_is_refused_and_the_existing_ones_are_listed(
    environ: dict[str, str], file: Path
) -> None:
    write(file, '[profiles.a]\ntoken="ta"\n[profiles.b]\ntoken="tb"\n')
    with pytest.raises(
        ConfigError, match=r'Profile "c" \(option --profile\) is not in .*it has a, b'
    ) as caught:
        load_settings(environ, profile="c")
    assert caught.value.remedy == Remedy.LOG_IN
    assert caught.value.profile == "c"
    assert load_settings(environ, profile="c", new_profile=True).token.value is None


@pytest.mark.parametrize("name", ["", " a", "a\nb", "\x1b[31m", "sandbox"])
def test_an_invalid_profile_name_is_refused(environ: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError, match="option --profile"):
        load_settings(environ, profile=name, new_profile=True)


@posix
def test_a_tilde_in_the_output_is_expanded_to_the_home_directory(
    environ: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    write(file, '[defaults]\noutput = "~/shots"\n')
    assert load_settings(environ).output.value == f"{Path('/home/somebody')}/shots"


@posix
def test_a_tilde_without_a_home_directory_is_an_error(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "")
    with pytest.raises(ConfigError, match=r"MJ_OUTPUT_DIR .*home directory is unknown"):
        load_settings(environ | {"MJ_OUTPUT_DIR": "~/x"})


@posix
@pytest.mark.parametrize("variable", ["MJ_OUTPUT_DIR", "MJ_DATA_DIR", "MJ_CONFIG"])
@pytest.mark.parametrize("value", ["~no-such-user/x", "a\0b", "x" * 5000, "/tmp/" + "x" * 300])
def test_a_path_that_no_file_can_have_is_refused_by_its_variable(
    environ: dict[str, str], variable: str, value: str
) -> None:
    with pytest.raises(ConfigError, match=variable) as refused:
        load_settings(environ | {variable: value})
    assert len(refused.value.message) < 600


@posix
def test_an_output_in_the_file_for_an_unknown_user_is_refused_by_its_key(
    environ: dict[str, str], file: Path
) -> None:
    write(file, '[defaults]\noutput = "~no-such-user/x"\n')
    with pytest.raises(ConfigError, match=r"defaults\.output in .*no-such-user"):
        load_settings(environ)


@posix
def test_a_relative_path_in_a_deleted_directory_is_refused_by_its_variable(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load_settings(environ).data_dir.value == tmp_path / "data"
    for variable in ("MJ_OUTPUT_DIR", "MJ_DATA_DIR", "MJ_CONFIG"):
        with pytest.raises(ConfigError, match=f"{variable} .*working directory was deleted"):
            load_settings(environ | {variable: "x"})


@posix
def test_a_tilde_in_every_path_is_expanded(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    paths = {"MJ_DATA_DIR": "~/d", "MJ_CONFIG": "~/c.toml", "MJ_OUTPUT_DIR": "~"}
    settings = load_settings(environ | paths)
    assert settings.data_dir.value == Path("/home/somebody/d")
    assert settings.config_file == Path("/home/somebody/c.toml")
    assert settings.output.value == "/home/somebody"


# --- Sandbox.


def test_the_sandbox_never_receives_the_real_token(environ: dict[str, str], file: Path) -> None:
    write(file, f'[profiles.default]\ntoken="{SECRET}"\nbase_url="https://real"\n[defaults]\nmode="turbo"\n')
    settings = load_settings(environ | {"MJ_TOKEN": SECRET, "MJ_PROFILE": "none such"}, sandbox=True)
    assert settings.sandbox == Setting(True, "option --sandbox")
    assert settings.profile == settings.token == Setting("sandbox", "sandbox")
    assert settings.base_url == Setting(None, "sandbox")
    assert settings.mode.value == "turbo"
    assert SECRET not in repr(list(settings.items()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on", True),
        ("0", False),
        ("false", False),
        ("No", False),
        ("off", False),
        ("", False),
        (" ", False),
    ],
)
def test_mj_sandbox_accepts_the_usual_words_for_true_and_false(
    environ: dict[str, str], text: str, expected: bool
) -> None:
    assert load_settings(environ | {"MJ_SANDBOX": text}).sandbox.value is expected


def test_any_other_value_of_mj_sandbox_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r'MJ_SANDBOX must be .*not "maybe"'):
        load_settings(environ | {"MJ_SANDBOX": "maybe"})


def test_the_sandbox_is_a_local_host_whose_name_is_the_same_in_every_run(environ: dict[str, str]) -> None:
    settings = load_settings(environ | {"MJ_BASE_URL": "https://h"}, sandbox=True)
    assert settings.host == "sandbox"
    assert settings.api_is_local
    assert settings.files_are_local


# --- Tokens.


BAD_TOKENS = [
    f"{SECRET}\r\nX-Evil: 1",
    f"{SECRET} x",
    f"Bearer {SECRET} {SECRET}",
    f"{SECRET}é",
    f"\x7f{SECRET}",
]
BAD_TOKENS += [f"{SECRET}\x1b[0m", f"{SECRET}\x00", f"{SECRET}\u2028x", f"{SECRET}\udcff"]


@pytest.mark.parametrize("token", BAD_TOKENS)
@pytest.mark.parametrize("variable", ["MJ_TOKEN", "ACEDATACLOUD_API_TOKEN"])
def test_a_malformed_token_in_the_environment_is_refused_and_not_echoed(
    environ: dict[str, str], variable: str, token: str
) -> None:
    with pytest.raises(ConfigError, match=variable) as caught:
        load_settings(environ | {variable: token})
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRET}\n",
        f"\t{SECRET}\r\n",
        f'"{SECRET}"',
        f"'{SECRET}'",
        f"\u201c{SECRET}\u201d",
        f"`{SECRET}`",
        f"\ufeff{SECRET}",
        f"{SECRET}\u200b",
        f"Bearer {SECRET}",
        f"bearer   {SECRET} ",
        f'"BEARER {SECRET}"\r\n',
        f'Bearer "{SECRET}"',
        f"Authorization: Bearer {SECRET}",
        f"\u00a0{SECRET}\u2028",
    ],
)
def test_a_token_is_taken_from_the_text_it_was_pasted_with(
    environ: dict[str, str], file: Path, text: str
) -> None:
    for variable in ("MJ_TOKEN", "ACEDATACLOUD_API_TOKEN", "MJ_FILES_TOKEN", "MJ_PLATFORM_TOKEN"):
        settings = load_settings(environ | {variable: text})
        tokens = (settings.token, settings.files_token, settings.platform_token)
        assert [each.value for each in tokens if each.value] == [SECRET]
    write(file, f"[profiles.default]\ntoken = {json.dumps(text, ensure_ascii=False)}\n")
    assert load_settings(environ).token.value == SECRET


@pytest.mark.parametrize("token", ["a\\nsecret", "a secret", "secreté", "secret\\u0007"])
def test_a_malformed_token_in_the_file_is_refused_and_not_echoed(
    environ: dict[str, str], file: Path, token: str
) -> None:
    write(file, f'[profiles.work]\ntoken = "{token}"\n')
    with pytest.raises(ConfigError, match=r"profiles\.work\.token") as caught:
        load_settings(environ)
    assert str(file) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_token_is_an_error_that_names_the_profile(environ: dict[str, str], file: Path) -> None:
    write(file, f'[profiles.work]\ntoken = "{SECRET}"\n')
    assert load_settings(environ, profile="work").require_token() == SECRET
    with pytest.raises(NoTokenError, match='No token for profile "default"') as caught:
        load_settings(environ).require_token()
    assert caught.value.remedy == Remedy.LOG_IN
    assert caught.value.profile == "default"


def test_a_token_is_not_in_the_repr_of_the_settings(environ: dict[str, str]) -> None:
    assert SECRET not in repr(load_settings(environ | {"MJ_TOKEN": SECRET}))


@posix
@pytest.mark.parametrize("key", ["token", "files_token"])
@pytest.mark.parametrize("bits", [0o644, 0o640, 0o602])
def test_a_token_that_other_users_can_read_causes_a_warning(
    environ: dict[str, str], file: Path, bits: int, key: str
) -> None:
    write(file, f'[profiles.a]\n{key} = "{SECRET}"\n')
    assert load_settings(environ).warnings == ()
    file.chmod(bits)
    (warning,) = load_settings(environ).warnings
    assert warning.endswith(f"chmod 600 {file}")
    assert SECRET not in warning


@posix
def test_a_readable_file_without_a_token_causes_no_warning(environ: dict[str, str], file: Path) -> None:
    write(file, "[defaults]\nmode = 'fast'\n")
    file.chmod(0o644)
    assert load_settings(environ).warnings == ()


# --- Addresses.


def test_an_invalid_base_url_is_reported_with_its_source(environ: dict[str, str], file: Path) -> None:
    with pytest.raises(ConfigError, match="MJ_BASE_URL must start with https"):
        load_settings(environ | {"MJ_BASE_URL": "http://example.com"})
    write(file, '[profiles.a]\nbase_url = "http://example.com"\n')
    with pytest.raises(ConfigError, match=r"profiles\.a\.base_url must start with https"):
        load_settings(environ)


@pytest.mark.parametrize(
    ("base_url", "files_url"),
    [
        ("https://api.acedata.cloud", "https://api.acedata.cloud/files/upload"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/files/upload"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765/files/upload"),
    ],
)
def test_the_default_file_endpoint_is_under_the_base_url(
    environ: dict[str, str], base_url: str, files_url: str
) -> None:
    settings = load_settings(environ | {"MJ_BASE_URL": base_url})
    assert settings.files_url == Setting(files_url, "default")
    assert settings.files_token == Setting(None, "default")


@pytest.mark.parametrize(
    ("base_url", "files_url"),
    [
        ("HTTPS://API.acedata.cloud:443/", "https://platform.acedata.cloud/api/v1/files/"),
        ("https://api.example.com", "https://api.example.com/files/upload"),
    ],
)
def test_a_token_for_files_alone_is_one_of_the_platform(
    environ: dict[str, str], file: Path, base_url: str, files_url: str
) -> None:
    """Config files from before the API itself took uploads keep working."""
    write(file, f'[profiles.default]\nfiles_token = "{SECRET}"\nbase_url = "{base_url}"\n')
    assert load_settings(environ).files_url == Setting(files_url, "default")


def test_the_file_endpoint_and_its_token_come_from_the_environment_or_the_file(
    environ: dict[str, str], file: Path
) -> None:
    write(file, f'[profiles.work]\nfiles_url = "https://f/up/"\nfiles_token = "{SECRET}"\n')
    settings = load_settings(environ, profile="work")
    place = f"profile work in {file}"
    assert settings.files_url == Setting("https://f/up/", place)
    assert settings.files_token == settings.token_for_files == Setting(SECRET, place)
    environ |= {"MJ_FILES_URL": "https://e", "MJ_FILES_TOKEN": "other-secret"}
    settings = load_settings(environ, profile="work")
    assert settings.files_url == Setting("https://e", "environment MJ_FILES_URL")
    assert settings.files_token == Setting("other-secret", "environment MJ_FILES_TOKEN")
    assert SECRET not in repr(settings)
    assert "other-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("base_url", "files_url", "sent"),
    [
        ("https://api.acedata.cloud", "", True),
        ("https://api.acedata.cloud", "https://platform.acedata.cloud/api/v1/files/", False),
        ("https://h", "", True),
        ("https://h", "https://h:443/files", True),
        ("https://H", "https://h/files", True),
        ("https://h", "https://h:8443/files", False),
        ("https://h", "https://files.h/", False),
        ("https://h", "https://h.example/", False),
        ("https://127.0.0.1", "http://127.0.0.1:443/", False),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/", False),
        ("http://127.0.0.1:1", "http://localhost:1/", False),
    ],
)
def test_the_api_token_is_used_for_uploads_to_the_api_s_own_host_and_port_only(
    environ: dict[str, str], base_url: str, files_url: str, sent: bool
) -> None:
    environ |= {"MJ_TOKEN": SECRET, "MJ_BASE_URL": base_url, "MJ_FILES_URL": files_url}
    settings = load_settings(environ)
    assert settings.token_for_files.value == (SECRET if sent else None)
    environ["MJ_FILES_TOKEN"] = "other-secret"
    assert load_settings(environ).token_for_files.value == "other-secret"


@pytest.mark.parametrize(
    ("base_url", "platform_url"),
    [
        (None, "https://platform.acedata.cloud/api/v1"),
        ("https://other.example", "https://platform.acedata.cloud/api/v1"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765/api/v1"),
    ],
)
def test_the_platform_is_the_service_s_or_that_of_a_service_on_this_machine(
    environ: dict[str, str], base_url: str | None, platform_url: str
) -> None:
    settings = load_settings(environ | ({"MJ_BASE_URL": base_url} if base_url else {}))
    assert settings.platform_url == Setting(platform_url, "default")
    assert settings.platform_token == Setting(None, "default")


def test_the_platform_token_comes_from_the_environment_or_the_file(
    environ: dict[str, str], file: Path
) -> None:
    write(file, f'[profiles.work]\nplatform_url = "https://p"\nplatform_token = "{SECRET}"\n')
    settings = load_settings(environ, profile="work")
    assert settings.token_for_platform == Setting(SECRET, f"profile work in {file}")
    assert settings.platform_url.value == "https://p"
    settings = load_settings(environ | {"MJ_PLATFORM_TOKEN": "other-secret"}, profile="work")
    assert settings.token_for_platform == Setting("other-secret", "environment MJ_PLATFORM_TOKEN")
    assert "other-secret" in settings.tokens
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("files_url", "used"),
    [
        ("https://platform.acedata.cloud/api/v1/files/", True),
        ("https://api.acedata.cloud/files/upload", False),
        ("https://platform.acedata.cloud.example/", False),
    ],
)
def test_the_token_for_files_is_used_for_the_platform_at_its_own_host_only(
    environ: dict[str, str], files_url: str, used: bool
) -> None:
    environ |= {"MJ_TOKEN": "api-token", "MJ_FILES_TOKEN": SECRET, "MJ_FILES_URL": files_url}
    assert load_settings(environ).token_for_platform.value == (SECRET if used else None)
    environ["MJ_PLATFORM_TOKEN"] = "other-secret"
    assert load_settings(environ).token_for_platform.value == "other-secret"


def test_the_sandbox_never_receives_the_real_platform_token(environ: dict[str, str], file: Path) -> None:
    write(file, f'[profiles.default]\nplatform_token = "{SECRET}"\n')
    settings = load_settings(environ | {"MJ_PLATFORM_TOKEN": SECRET}, sandbox=True)
    assert SECRET not in settings.tokens
    assert settings.token_for_platform.value != SECRET


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "true", '"5"', "1e12", "[]"])
def test_a_daily_limit_that_is_no_amount_is_refused(environ: dict[str, str], file: Path, value: str) -> None:
    write(file, f"[defaults]\nmax_cost_per_day = {value}\n")
    with pytest.raises(ConfigError, match=r"defaults\.max_cost_per_day"):
        load_settings(environ)


@pytest.mark.parametrize("value", ["0", "5", "0.5"])
def test_the_daily_limit_applies_to_the_sandbox_too(environ: dict[str, str], file: Path, value: str) -> None:
    write(file, f"[defaults]\nmax_cost_per_day = {value}\n")
    for sandbox in (False, True):
        assert load_settings(environ, sandbox=sandbox).max_cost_per_day.value == float(value)


def test_a_file_endpoint_over_plain_http_on_another_machine_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="MJ_FILES_URL must start with https"):
        load_settings(environ | {"MJ_FILES_URL": "http://example.com/files/"})


def test_a_malformed_token_for_the_file_endpoint_is_refused_and_not_echoed(
    environ: dict[str, str], file: Path
) -> None:
    with pytest.raises(ConfigError, match="MJ_FILES_TOKEN must not contain a line break") as caught:
        load_settings(environ | {"MJ_FILES_TOKEN": f"{SECRET}\nX: y"})
    assert "secret" not in str(caught.value)
    write(file, '[profiles.a]\nfiles_token = "two secrets"\n')
    with pytest.raises(ConfigError, match=r"profiles\.a\.files_token must not contain a space") as caught:
        load_settings(environ)
    assert "secrets" not in str(caught.value)


def test_the_sandbox_never_receives_the_real_file_endpoint_or_its_token(
    environ: dict[str, str], file: Path
) -> None:
    write(file, f'[profiles.default]\nfiles_token="{SECRET}"\nfiles_url="https://real"\n')
    settings = load_settings(environ | {"MJ_FILES_TOKEN": SECRET}, sandbox=True)
    assert settings.files_url == settings.files_token == Setting(None, "sandbox")
    assert settings.token_for_files == settings.token


@pytest.mark.parametrize(
    ("base_url", "files_url", "api_is_local", "files_are_local"),
    [
        ("", "", False, False),
        ("http://127.0.0.1:1", "", True, True),
        ("https://localhost", "https://h/files", True, False),
        ("https://h", "http://[::1]:2/files", False, True),
    ],
)
def test_the_api_and_the_file_endpoint_are_local_on_a_loopback_address(
    environ: dict[str, str], base_url: str, files_url: str, api_is_local: bool, files_are_local: bool
) -> None:
    settings = load_settings(environ | {"MJ_BASE_URL": base_url, "MJ_FILES_URL": files_url})
    assert settings.host == (base_url or DEFAULT_BASE_URL)
    assert (settings.api_is_local, settings.files_are_local) == (api_is_local, files_are_local)


# --- Start-up time.


def test_reading_does_not_load_the_libraries_for_writing(tmp_path: Path) -> None:
    script = (
        "import sys; from mjcli.settings.load import load_settings\n"
        "load_settings({'MJ_CONFIG': sys.argv[1], 'MJ_DATA_DIR': sys.argv[1]})\n"
        "watched = {'tomlkit', 'tomllib', 'platformdirs', 'difflib', 'shlex', 'typer'}\n"
        "print(*sorted(watched & set(sys.modules)))"
    )
    file = tmp_path / "config.toml"
    run = [sys.executable, "-c", script, str(file)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.check_output(run, env=env, text=True).split() == []
    write(file, "[profiles.default]\ntoken = 'x'\nbase_url = 'https://h'\n")
    assert subprocess.check_output(run, env=env, text=True).split() == ["tomllib"]
