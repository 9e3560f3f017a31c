"""Settings: precedence and provenance, what is refused, and a file that is never damaged."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mjcli import config
from mjcli.config import (
    DEFAULT_BASE_URL,
    Setting,
    check_base_url,
    load_settings,
    remove_token,
    set_token,
    set_value,
    unset_value,
)
from mjcli.errors import ConfigError, MjError, UsageError

SECRET = "sk-very-secret-0123456789"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes and links")
not_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "config.toml"


@pytest.fixture
def environ(file: Path, tmp_path: Path) -> dict[str, str]:
    return {"MJ_CONFIG": str(file), "MJ_DATA_DIR": str(tmp_path / "data")}


def write(file: Path, text: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    file.chmod(0o600)


def content(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- Precedence and provenance.


def test_without_file_and_environment_everything_is_the_default(environ: dict[str, str], file: Path) -> None:
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


def test_the_file_gives_what_it_has_and_says_so(environ: dict[str, str], file: Path) -> None:
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


def test_the_environment_wins_over_the_file(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.default]\ntoken="a"\nbase_url="https://a"\n[defaults]\noutput="a"\n')
    environ |= {"MJ_TOKEN": "b", "MJ_BASE_URL": "https://b/", "MJ_OUTPUT_DIR": "b"}
    settings = load_settings(environ)
    assert settings.token == Setting("b", "environment MJ_TOKEN")
    assert settings.base_url == Setting("https://b", "environment MJ_BASE_URL")
    assert settings.output == Setting("b", "environment MJ_OUTPUT_DIR")


def test_mj_token_wins_over_the_service_s_own_variable(environ: dict[str, str]) -> None:
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


def test_an_empty_token_in_the_file_is_none(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.default]\ntoken = ""\n')
    assert load_settings(environ).token == Setting(None, "default")


def test_the_profile_option_wins_over_mj_profile(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.a]\ntoken="ta"\n[profiles.b]\ntoken="tb"\n')
    environ["MJ_PROFILE"] = "a"
    assert load_settings(environ).profile == Setting("a", "environment MJ_PROFILE")
    assert load_settings(environ, profile="b").token.value == "tb"


def test_an_unknown_profile_is_refused_with_the_known_ones(environ: dict[str, str], file: Path) -> None:
    write(file, '[profiles.a]\ntoken="ta"\n[profiles.b]\ntoken="tb"\n')
    with pytest.raises(ConfigError, match=r"no profile c .*it has a, b") as caught:
        load_settings(environ, profile="c")
    assert caught.value.hint == "mj auth login --profile c"
    assert load_settings(environ, profile="c", new_profile=True).token.value is None


@pytest.mark.parametrize("name", ["", " a", "a\nb", "\x1b[31m", "sandbox"])
def test_a_profile_name_that_cannot_be_is_refused(environ: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError, match="option --profile"):
        load_settings(environ, profile=name, new_profile=True)


def test_a_tilde_in_the_output_is_the_home_directory(
    environ: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    write(file, '[defaults]\noutput = "~/shots"\n')
    assert load_settings(environ).output.value == "/home/somebody/shots"
    assert load_settings(environ | {"MJ_OUTPUT_DIR": "~x/y"}).output.value == "~x/y"


def test_a_tilde_without_a_home_is_an_error(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(ConfigError, match="home directory is unknown"):
        load_settings(environ | {"MJ_OUTPUT_DIR": "~/x"})


# --- Sandbox.


def test_the_sandbox_never_learns_the_real_token(environ: dict[str, str], file: Path) -> None:
    write(file, f'[profiles.default]\ntoken="{SECRET}"\nbase_url="https://real"\n[defaults]\nmode="turbo"\n')
    settings = load_settings(environ | {"MJ_TOKEN": SECRET, "MJ_PROFILE": "none such"}, sandbox=True)
    assert settings.sandbox == Setting(True, "option --sandbox")
    assert settings.profile == settings.token == Setting("sandbox", "sandbox")
    assert settings.base_url == Setting(None, "sandbox")
    assert settings.mode.value == "turbo"
    assert SECRET not in repr(list(settings.items()))


@pytest.mark.parametrize(
    ("said", "meant"),
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
def test_mj_sandbox_is_yes_or_no(environ: dict[str, str], said: str, meant: bool) -> None:
    assert load_settings(environ | {"MJ_SANDBOX": said}).sandbox.value is meant


def test_mj_sandbox_is_never_guessed(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="MJ_SANDBOX must be"):
        load_settings(environ | {"MJ_SANDBOX": "maybe"})


# --- Tokens.


BAD_TOKENS = [
    f"{SECRET}\n",
    f"{SECRET}\r\nX-Evil: 1",
    f"{SECRET} x",
    f"\t{SECRET}",
    f"{SECRET}é",
    f"\x7f{SECRET}",
]
BAD_TOKENS += [f"{SECRET}\x1b[0m", f"{SECRET}\x00", f"{SECRET}\u2028", f"{SECRET}\udcff"]


@pytest.mark.parametrize("token", BAD_TOKENS)
@pytest.mark.parametrize("variable", ["MJ_TOKEN", "ACEDATACLOUD_API_TOKEN"])
def test_a_malformed_token_of_the_environment_is_refused_and_not_echoed(
    environ: dict[str, str], variable: str, token: str
) -> None:
    with pytest.raises(ConfigError, match=variable) as caught:
        load_settings(environ | {variable: token})
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("token", ["a\\nsecret", "a secret", "secreté", "secret\\u0007"])
def test_a_malformed_token_of_the_file_is_refused_and_not_echoed(
    environ: dict[str, str], file: Path, token: str
) -> None:
    write(file, f'[profiles.work]\ntoken = "{token}"\n')
    with pytest.raises(ConfigError, match=r"profiles\.work\.token") as caught:
        load_settings(environ)
    assert str(file) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_token_is_not_in_the_repr_of_the_settings(environ: dict[str, str]) -> None:
    assert SECRET not in repr(load_settings(environ | {"MJ_TOKEN": SECRET}))


# --- Base URLs.


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.acedata.cloud", "https://api.acedata.cloud"),
        ("https://api.acedata.cloud/", "https://api.acedata.cloud"),
        ("HTTPS://h:8443/a/b//", "HTTPS://h:8443/a/b"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("https://h/@x:y", "https://h/@x:y"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LocalHost", "http://LocalHost"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.255.3.4", "http://127.255.3.4"),
        ("http://[::1]:9/x/", "http://[::1]:9/x"),
    ],
)
def test_a_base_url_is_kept_without_its_last_slash(url: str, kept: str) -> None:
    assert check_base_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.acedata.cloud",
        "ftp://h",
        "https://",
        "https:///x",
        "https://h:0",
        "https://h:65536",
        "https://h:",
        "https://h:x",
        "https://u@h",
        "https://u:secret@h",
        "https://h?x",
        "https://h/?x=1",
        "https://h/#f",
        "https://h#",
        "https://h/a b",
        "https://h\n",
        "https://hé",
        "https://h\\@evil",
        "https://[::1",
        "https://[:::]",
        "https://h/\\x",
        " https://h",
        "file:///etc/passwd",
    ],
)
def test_a_base_url_that_is_none_is_refused_and_not_echoed(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        check_base_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "0.0.0.0",
        "10.0.0.1",
        "[2001:db8::1]",
        "128.0.0.1",
        "127.1",
        "127.0.0.01",
        "[::ffff:10.0.0.1]",
        "localhost@example.com",
        "xlocalhost",
    ],
)
def test_plain_http_to_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"travel readable|user name"):
        check_base_url(f"http://{host}")


def test_a_bad_base_url_is_named_by_where_it_stands(environ: dict[str, str], file: Path) -> None:
    with pytest.raises(ConfigError, match="MJ_BASE_URL must start with https"):
        load_settings(environ | {"MJ_BASE_URL": "http://example.com"})
    write(file, '[profiles.a]\nbase_url = "http://example.com"\n')
    with pytest.raises(ConfigError, match=r"profiles\.a\.base_url must start with https"):
        load_settings(environ)


# --- The file endpoint.


@pytest.mark.parametrize(
    ("base_url", "files_url"),
    [
        ("https://api.acedata.cloud", "https://platform.acedata.cloud/api/v1/files/"),
        ("HTTPS://API.acedata.cloud:443/", "https://platform.acedata.cloud/api/v1/files/"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/api/v1/files/"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765/api/v1/files/"),
    ],
)
def test_the_file_endpoint_goes_with_the_api(environ: dict[str, str], base_url: str, files_url: str) -> None:
    settings = load_settings(environ | {"MJ_BASE_URL": base_url})
    assert settings.files_url == Setting(files_url, "default")
    assert settings.files_token == Setting(None, "default")


def test_the_file_endpoint_and_its_token_come_from_the_environment_else_the_file(
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
    ("base_url", "files_url", "goes"),
    [
        ("https://api.acedata.cloud", "", False),
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
def test_the_token_of_the_api_is_for_uploads_to_its_own_host_and_port_alone(
    environ: dict[str, str], base_url: str, files_url: str, goes: bool
) -> None:
    environ |= {"MJ_TOKEN": SECRET, "MJ_BASE_URL": base_url, "MJ_FILES_URL": files_url}
    settings = load_settings(environ)
    assert settings.token_for_files.value == (SECRET if goes else None)
    environ["MJ_FILES_TOKEN"] = "other-secret"
    assert load_settings(environ).token_for_files.value == "other-secret"


def test_the_file_endpoint_over_plain_http_is_on_this_machine_alone(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="MJ_FILES_URL must start with https"):
        load_settings(environ | {"MJ_FILES_URL": "http://example.com/files/"})


def test_a_malformed_token_of_the_file_endpoint_is_refused_and_not_echoed(
    environ: dict[str, str], file: Path
) -> None:
    with pytest.raises(ConfigError, match="MJ_FILES_TOKEN must not hold a line break") as caught:
        load_settings(environ | {"MJ_FILES_TOKEN": f"{SECRET}\nX: y"})
    assert "secret" not in str(caught.value)
    write(file, '[profiles.a]\nfiles_token = "two secrets"\n')
    with pytest.raises(ConfigError, match=r"profiles\.a\.files_token must not hold a space") as caught:
        load_settings(environ)
    assert "secrets" not in str(caught.value)


def test_the_sandbox_learns_nothing_of_the_real_file_endpoint(environ: dict[str, str], file: Path) -> None:
    write(file, f'[profiles.default]\nfiles_token="{SECRET}"\nfiles_url="https://real"\n')
    settings = load_settings(environ | {"MJ_FILES_TOKEN": SECRET}, sandbox=True)
    assert settings.files_url == settings.files_token == Setting(None, "sandbox")
    assert settings.token_for_files == settings.token


def test_each_of_two_tokens_is_taken_out_alone(environ: dict[str, str], file: Path) -> None:
    set_token(file, "one", profile="work")
    set_token(file, "two", profile="work", key="files_token")
    settings = load_settings(environ, profile="work")
    assert (settings.token.value, settings.files_token.value) == ("one", "two")
    assert remove_token(file, profile="work", key="files_token")
    assert not remove_token(file, profile="work", key="files_token")
    settings = load_settings(environ, profile="work")
    assert (settings.token.value, settings.files_token.value) == ("one", None)


# --- Files that cannot be used.


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[profile.a]\n", "profile is unknown; did you mean profiles"),
        ("token = 'x'\n", "token is unknown"),
        ("[profiles.a]\ntokn = 'x'\n", r"profiles\.a\.tokn is unknown; did you mean token"),
        ("[profiles.a]\ntoken = 3\n", r"profiles\.a\.token must be a string"),
        ("[profiles.a]\ntoken_in = 'body'\n", r"profiles\.a\.token_in must be header or query"),
        ("[profiles]\na = 'x'\n", r"profiles\.a must be a table"),
        ("profiles = []\n", "profiles must be a table"),
        ("[defaults]\nmode = 'quick'\n", r"defaults\.mode must be fast, relax or turbo"),
        ("[defaults]\ndownload = 'yes'\n", r"defaults\.download must be true or false"),
        ("[defaults]\ndownload = 1\n", r"defaults\.download must be true or false"),
        ("[defaults]\noutput = ''\n", r"defaults\.output must be a path"),
        ("[defaults]\ndownlod = true\n", r"defaults\.downlod is unknown; did you mean download"),
        ("[presets.p]\nsuffix = 1\n", r"presets\.p\.suffix must be a string"),
        ("[presets.p]\nprefix = ''\n", r"presets\.p\.prefix is unknown"),
        ("[presets]\np = '--ar 1:1'\n", r"presets\.p must be a table"),
        ("[defaults]\nmode = 'fast'\nmode = 'fast'\n", "not valid TOML.*line 3"),
        ("[defaults]\nmode =\n", "not valid TOML.*line 2"),
        ("[defaults]\nmode = 'fa", "not valid TOML"),
        ("x = " + "[" * 100_000, "not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_refused_by_name(
    environ: dict[str, str], file: Path, text: str, named: str
) -> None:
    write(file, text)
    with pytest.raises(ConfigError, match=named) as caught:
        load_settings(environ)
    assert str(file) in str(caught.value)


def test_a_binary_file_is_refused(environ: dict[str, str], file: Path) -> None:
    write(file, b"[defaults]\n# \xff\xfe\x00\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(line 2\)"):
        load_settings(environ)


def test_an_endless_file_is_refused(environ: dict[str, str], file: Path) -> None:
    write(file, b"#" * (1 << 20) + b"#")
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_settings(environ)


def test_a_directory_in_place_of_the_file_is_refused(environ: dict[str, str], file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"directory|cannot be read"):
        load_settings(environ)
    with pytest.raises(ConfigError):
        set_value(file, "defaults.mode", "fast", profile="default")


def test_a_file_in_place_of_the_directory_is_refused(environ: dict[str, str], file: Path) -> None:
    file.parent.write_text("")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(environ)
    with pytest.raises(ConfigError, match="cannot be"):
        set_value(file, "defaults.mode", "fast", profile="default")


@posix
@not_root
def test_an_unreadable_file_is_refused(environ: dict[str, str], file: Path) -> None:
    write(file, "")
    file.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load_settings(environ)


@posix
def test_a_link_that_leads_to_itself_is_refused(environ: dict[str, str], file: Path) -> None:
    file.parent.mkdir()
    file.symlink_to(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(environ)
    with pytest.raises(ConfigError):
        set_value(file, "defaults.mode", "fast", profile="default")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(environ: dict[str, str], file: Path) -> None:
    write(file, "\ufeff[defaults]\r\nmode = 'fast'\r\n")
    assert load_settings(environ).mode.value == "fast"
    set_value(file, "defaults.mode", "relax", profile="default")
    assert load_settings(environ).mode.value == "relax"


@posix
@pytest.mark.parametrize("key", ["token", "files_token"])
@pytest.mark.parametrize("bits", [0o644, 0o640, 0o602])
def test_a_token_that_others_can_reach_is_warned_of(
    environ: dict[str, str], file: Path, bits: int, key: str
) -> None:
    write(file, f'[profiles.a]\n{key} = "{SECRET}"\n')
    assert load_settings(environ).warnings == ()
    file.chmod(bits)
    (warning,) = load_settings(environ).warnings
    assert warning.endswith(f"chmod 600 {file}")
    assert SECRET not in warning


@posix
def test_an_open_file_without_a_token_is_no_matter(environ: dict[str, str], file: Path) -> None:
    write(file, "[defaults]\nmode = 'fast'\n")
    file.chmod(0o644)
    assert load_settings(environ).warnings == ()


# --- Writing.


@posix
def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "new" / "deep" / "config.toml"
    before = os.umask(0)
    try:
        set_token(file, SECRET, profile="default")
    finally:
        os.umask(before)
    assert mode(file) == 0o600
    assert mode(file.parent) == mode(file.parent.parent) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@posix
def test_writing_tightens_an_open_file(file: Path) -> None:
    write(file, "")
    file.chmod(0o666)
    set_token(file, SECRET, profile="default")
    assert mode(file) == 0o600


def test_comments_and_order_stay(file: Path) -> None:
    write(
        file,
        "# mine\n\n[profiles.work] # the firm's\ntoken = 'a' # old\n\n"
        "# how it should be\n[defaults]\nmode = 'fast'\n",
    )
    set_token(file, "b", profile="work", token_in="query")
    set_token(file, "c", profile="home")
    set_value(file, "defaults.download", "true", profile="work")
    assert file.read_text() == (
        '# mine\n\n[profiles.work] # the firm\'s\ntoken = "b" # old\ntoken_in = "query"\n\n'
        '[profiles.home]\ntoken = "c"\n\n'
        "# how it should be\n[defaults]\nmode = 'fast'\ndownload = true\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet",
        "[profiles]\n",
        "[profiles.work]\n",
        "[profiles.work]\n# base_url = 'https://x'\n",
        "[profiles.work]\ntoken = 'x'",
        "profiles = {work = {token = 'x'}}\n",
        "profiles = {}\n",
        "[profiles]\nwork.token = 'x'\n",
        "[profiles]\nwork = {token = 'x'}\n",
        "[profiles.a]\ntoken = 'x'\n[presets.p]\nsuffix = ''\n[profiles.work]\ntoken_in = 'header'\n",
        "[defaults]\nmode = 'fast'\n\n\n# end\n",
        '["profiles"."work"]\n"token" = "x"\n',
    ],
)
def test_a_token_is_put_into_any_layout_and_taken_out_again(
    environ: dict[str, str], file: Path, text: str
) -> None:
    write(file, text)
    before = content(file)
    set_token(file, SECRET, profile="work", base_url="https://h")
    settings = load_settings(environ, profile="work")
    assert (settings.token.value, settings.base_url.value) == (SECRET, "https://h")
    assert remove_token(file, profile="work")
    assert SECRET not in file.read_text()
    settings = load_settings(environ, profile="work")
    assert (settings.token.value, settings.base_url.value) == (None, "https://h")
    after = content(file)
    assert {key: after[key] for key in before if key != "profiles"} == {
        key: before[key] for key in before if key != "profiles"
    }
    for line in text.splitlines():
        assert not line.startswith("#") or line in file.read_text()


def test_a_layout_that_cannot_be_changed_safely_is_left_alone(file: Path) -> None:
    text = "profiles.work.token = 'q'\n"
    write(file, text)
    try:
        set_token(file, "b", profile="home")
    except ConfigError as error:
        assert "edit it by hand" in str(error)
        assert file.read_text() == text
    else:
        assert content(file) == {"profiles": {"work": {"token": "q"}, "home": {"token": "b"}}}


@pytest.mark.parametrize(
    ("key", "value", "place", "typed"),
    [
        ("base_url", "https://h/", ("profiles", "work", "base_url"), "https://h"),
        ("files_url", "https://h/up/", ("profiles", "work", "files_url"), "https://h/up/"),
        ("token_in", "query", ("profiles", "work", "token_in"), "query"),
        ("defaults.mode", "turbo", ("defaults", "mode"), "turbo"),
        ("defaults.output", "~/Bilder/ü", ("defaults", "output"), "~/Bilder/ü"),
        ("defaults.download", "true", ("defaults", "download"), True),
        ("defaults.download", "false", ("defaults", "download"), False),
        (
            "presets.poster.suffix",
            '--ar 2:3 "\\\n\x07',
            ("presets", "poster", "suffix"),
            '--ar 2:3 "\\\n\x07',
        ),
        ("presets.v6.1.suffix", "", ("presets", "v6.1", "suffix"), ""),
        ("profiles.a.b.token_in", "header", ("profiles", "a.b", "token_in"), "header"),
    ],
)
def test_each_key_is_set_and_unset(
    file: Path, key: str, value: str, place: tuple[str, ...], typed: object
) -> None:
    assert set_value(file, key, value, profile="work") == typed
    node: object = content(file)
    for name in place:
        assert isinstance(node, dict)
        node = node[name]
    assert node == typed
    assert config.file_value(file, f"profiles.work.{key}" if "." not in key else key) == typed
    assert unset_value(file, key, profile="work")
    assert not unset_value(file, key, profile="work")


def test_an_empty_preset_goes_with_its_suffix(file: Path) -> None:
    set_value(file, "presets.a.suffix", "x", profile="default")
    set_value(file, "presets.b.suffix", "x", profile="default")
    unset_value(file, "presets.a.suffix", profile="default")
    assert content(file) == {"presets": {"b": {"suffix": "x"}}}


def test_a_profile_outlives_its_token(environ: dict[str, str], file: Path) -> None:
    set_token(file, "x", profile="work")
    assert remove_token(file, profile="work")
    assert not remove_token(file, profile="work")
    assert load_settings(environ, profile="work").token.value is None


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("mode", "did you mean defaults.mode"),
        ("suffix", "did you mean defaults.suffix or presets.NAME.suffix"),
        ("defaults.mod", "did you mean defaults.mode"),
        ("base-url", "did you mean base_url"),
        ("zzz", "known are base_url, token_in"),
        ("defaults", "did you mean|known are"),
        ("presets..suffix", "The name in"),
        ("profiles.sandbox.base_url", "The name in"),
        ("", "known are"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known(file: Path, key: str, near: str) -> None:
    with pytest.raises(UsageError, match=near):
        set_value(file, key, "x", profile="default")
    with pytest.raises(UsageError, match=near):
        unset_value(file, key, profile="default")
    with pytest.raises(UsageError, match=near):
        config.file_value(file, key)
    assert not file.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("defaults.mode", "quick"),
        ("defaults.download", "yes"),
        ("defaults.output", ""),
        ("token_in", "body"),
        ("base_url", "http://example.com"),
        ("files_url", "http://example.com/files/"),
        ("presets.p.suffix", "\udcff"),
        ("defaults.output", "a\0b"),
    ],
)
def test_a_wrong_value_is_refused_by_the_key_s_name(file: Path, key: str, value: str) -> None:
    with pytest.raises(UsageError, match=key):
        set_value(file, key, value, profile="default")
    assert not file.exists()


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("token", "mj auth login"),
        ("profiles.work.token", "mj auth login"),
        ("files_token", "mj auth login --files"),
        ("profiles.work.files_token", "mj auth login --files"),
    ],
)
def test_a_token_is_not_taken_from_an_argument_nor_shown(file: Path, key: str, command: str) -> None:
    with pytest.raises(UsageError) as caught:
        set_value(file, key, SECRET, profile="default")
    assert caught.value.hint == command
    assert SECRET not in str(caught.value)
    with pytest.raises(UsageError):
        config.file_value(file, key)
    with pytest.raises(UsageError):
        unset_value(file, key, profile="default")


def test_a_value_that_is_wrong_in_the_file_can_be_repaired(environ: dict[str, str], file: Path) -> None:
    write(file, "[defaults]\nmode = 'quick'\n")
    set_value(file, "defaults.mode", "fast", profile="default")
    assert load_settings(environ).mode.value == "fast"


@pytest.mark.parametrize("text", ["[defaults\n", "[defaults]\nmod = 'x'\n", "\udcff", "profiles = 3\n"])
def test_a_broken_file_is_left_as_it_is(file: Path, text: str) -> None:
    raw = text.encode(errors="surrogateescape")
    write(file, raw)
    with pytest.raises(ConfigError):
        set_token(file, SECRET, profile="default")
    assert file.read_bytes() == raw
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_nothing_to_remove_makes_no_file(file: Path) -> None:
    assert not remove_token(file, profile="default")
    assert not unset_value(file, "defaults.mode", profile="default")
    assert not file.parent.exists()


@posix
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path, file: Path) -> None:
    target = tmp_path / "dotfiles" / "mj.toml"
    file.parent.mkdir()
    file.symlink_to("../dotfiles/mj.toml")
    set_token(file, "a", profile="default")
    set_token(file, "b", profile="default")
    assert file.is_symlink()
    assert content(target) == {"profiles": {"default": {"token": "b"}}}
    assert mode(target) == 0o600


@posix
@not_root
def test_a_read_only_directory_is_one_sentence(file: Path) -> None:
    write(file, "# old\n")
    file.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written: Permission denied"):
            set_token(file, SECRET, profile="default")
        assert file.read_text() == "# old\n"
    finally:
        file.parent.chmod(0o700)


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write(file, "# old\n")
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync", fails) if broken == "fsync" else (Path, "replace", fails)))
        with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
            set_token(file, SECRET, profile="default")
    assert file.read_text() == "# old\n"
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@posix
def test_a_device_is_not_replaced() -> None:
    assert load_settings({"MJ_CONFIG": os.devnull, "MJ_DATA_DIR": "/x"}).token.value is None
    with pytest.raises(MjError):
        set_value(Path("/dev/null"), "defaults.mode", "fast", profile="default")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@posix
def test_several_writers_at_once_lose_nothing(file: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mjcli.config import set_value\n"
        "for n in range(5):\n"
        "    set_value(Path(sys.argv[1]), f'presets.p{sys.argv[2]}-{n}.suffix', 'x', profile='default')"
    )
    root = str(Path(__file__).parents[1])
    writers = [
        subprocess.Popen([sys.executable, "-c", script, file, str(n)], env={**os.environ, "PYTHONPATH": root})
        for n in range(8)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 8
    presets = content(file)["presets"]
    assert isinstance(presets, dict)
    assert set(presets) == {f"p{writer}-{n}" for writer in range(8) for n in range(5)}
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@posix
def test_a_directory_that_stays_locked_is_given_up_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(config, "_LOCK_PATIENCE", 0.05)
    write(file, "# old\n")
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="locked"):
            set_value(file, "defaults.mode", "fast", profile="default")
    finally:
        os.close(descriptor)
    assert file.read_text() == "# old\n"


def test_without_file_locks_writing_still_works(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    set_value(file, "defaults.mode", "fast", profile="default")
    assert content(file) == {"defaults": {"mode": "fast"}}


# --- Costs.


def test_reading_loads_no_library_for_writing(tmp_path: Path) -> None:
    script = (
        "import sys; from mjcli.config import load_settings\n"
        "load_settings({'MJ_CONFIG': sys.argv[1], 'MJ_DATA_DIR': sys.argv[1]})\n"
        "watched = {'tomlkit', 'tomllib', 'platformdirs', 'difflib', 'shlex', 'typer'}\n"
        "print(*sorted(watched & set(sys.modules)))"
    )
    file = tmp_path / "config.toml"
    run = [sys.executable, "-c", script, str(file)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    assert subprocess.check_output(run, env=env, text=True).split() == []
    write(file, "[profiles.default]\ntoken = 'x'\nbase_url = 'https://h'\n")
    assert subprocess.check_output(run, env=env, text=True).split() == ["tomllib"]
