"""The config file: errors in it are reported, and edits never damage it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mjcli.errors import ConfigError, MjError, Remedy, UsageError
from mjcli.settings import file as file_module
from mjcli.settings.file import file_value, remove_token, set_token, set_value, unset_value
from mjcli.settings.load import load_settings
from tests.support.settings import (
    SECRET,
    content,
    mode,
    not_root,
    private_directory,
    without_privileges,
    write,
)
from tests.support.systems import posix

# --- Reading.


def test_a_binary_file_is_refused(environ: dict[str, str], file: Path) -> None:
    write(file, b"[defaults]\n# \xff\xfe\x00\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(line 2\)"):
        load_settings(environ)


def test_a_huge_file_is_refused(environ: dict[str, str], file: Path) -> None:
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
def test_a_symlink_to_itself_is_refused(environ: dict[str, str], file: Path) -> None:
    file.parent.mkdir()
    file.symlink_to(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(environ)
    with pytest.raises(ConfigError):
        set_value(file, "defaults.mode", "fast", profile="default")


def test_a_byte_order_mark_and_windows_line_endings_are_accepted(environ: dict[str, str], file: Path) -> None:
    write(file, "\ufeff[defaults]\r\nmode = 'fast'\r\n")
    assert load_settings(environ).mode.value == "fast"
    set_value(file, "defaults.mode", "relax", profile="default")
    assert load_settings(environ).mode.value == "relax"


# --- Writing.


@posix
def test_a_new_file_is_accessible_to_its_owner_only(tmp_path: Path) -> None:
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
def test_writing_restricts_the_mode_of_an_existing_file(file: Path) -> None:
    write(file, "")
    file.chmod(0o666)
    set_token(file, SECRET, profile="default")
    assert mode(file) == 0o600


def test_comments_and_order_are_preserved(file: Path) -> None:
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
def test_a_token_can_be_saved_in_and_removed_from_any_layout(
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


def test_a_layout_that_cannot_be_edited_safely_is_not_changed(file: Path) -> None:
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
    assert file_value(file, f"profiles.work.{key}" if "." not in key else key) == typed
    assert unset_value(file, key, profile="work")
    assert not unset_value(file, key, profile="work")


def test_a_preset_is_removed_with_its_suffix(file: Path) -> None:
    set_value(file, "presets.a.suffix", "x", profile="default")
    set_value(file, "presets.b.suffix", "x", profile="default")
    unset_value(file, "presets.a.suffix", profile="default")
    assert content(file) == {"presets": {"b": {"suffix": "x"}}}


def test_a_profile_remains_after_its_token_is_removed(environ: dict[str, str], file: Path) -> None:
    set_token(file, "x", profile="work")
    assert remove_token(file, profile="work")
    assert not remove_token(file, profile="work")
    assert load_settings(environ, profile="work").token.value is None


@pytest.mark.parametrize(
    ("key", "remedies"),
    [
        ("token", (Remedy.LOG_IN, Remedy.LOG_OUT)),
        ("profiles.work.token", (Remedy.LOG_IN, Remedy.LOG_OUT)),
        ("files_token", (Remedy.LOG_IN_FILES, Remedy.LOG_OUT_FILES)),
        ("profiles.work.files_token", (Remedy.LOG_IN_FILES, Remedy.LOG_OUT_FILES)),
        ("platform_token", (Remedy.LOG_IN_PLATFORM, Remedy.LOG_OUT_PLATFORM)),
        ("profiles.work.platform_token", (Remedy.LOG_IN_PLATFORM, Remedy.LOG_OUT_PLATFORM)),
    ],
)
def test_a_token_is_not_accepted_as_an_argument_and_never_shown(
    file: Path, key: str, remedies: tuple[Remedy, Remedy]
) -> None:
    with pytest.raises(UsageError) as caught:
        set_value(file, key, SECRET, profile="default")
    assert caught.value.remedy == remedies[0]
    assert SECRET not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        file_value(file, key)
    assert caught.value.remedy == Remedy.TOKEN_STATUS
    with pytest.raises(UsageError) as caught:
        unset_value(file, key, profile="default")
    assert caught.value.remedy == remedies[1]


def test_an_invalid_value_in_the_file_can_be_replaced(environ: dict[str, str], file: Path) -> None:
    write(file, "[defaults]\nmode = 'quick'\n")
    set_value(file, "defaults.mode", "fast", profile="default")
    assert load_settings(environ).mode.value == "fast"


@pytest.mark.parametrize("text", ["[defaults\n", "[defaults]\nmod = 'x'\n", "\udcff", "profiles = 3\n"])
def test_a_broken_file_is_not_changed(file: Path, text: str) -> None:
    raw = text.encode(errors="surrogateescape")
    write(file, raw)
    with pytest.raises(ConfigError):
        set_token(file, SECRET, profile="default")
    assert file.read_bytes() == raw
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_removing_nothing_creates_no_file(file: Path) -> None:
    assert not remove_token(file, profile="default")
    assert not unset_value(file, "defaults.mode", profile="default")
    assert not file.parent.exists()


@posix
def test_a_symlink_is_kept_and_its_target_is_written(tmp_path: Path, file: Path) -> None:
    target = tmp_path / "dotfiles" / "mj.toml"
    file.parent.mkdir()
    file.symlink_to("../dotfiles/mj.toml")
    set_token(file, "a", profile="default")
    set_token(file, "b", profile="default")
    assert file.is_symlink()
    assert content(target) == {"profiles": {"default": {"token": "b"}}}
    assert mode(target) == 0o600


@posix
def test_in_a_read_only_directory_the_file_is_written_in_place() -> None:
    with private_directory() as directory:
        file = directory / "config.toml"
        write(file, "# old\n")
        directory.chmod(0o500)
        with without_privileges(directory, file):
            set_token(file, SECRET, profile="default")
            assert file.read_text().startswith("# old\n")
            assert mode(file) == 0o600


@posix
def test_a_read_only_directory_without_the_file_is_reported_in_one_sentence() -> None:
    with private_directory() as directory:
        directory.chmod(0o500)
        with (
            without_privileges(directory),
            pytest.raises(ConfigError, match=r"cannot be written: Permission denied"),
        ):
            set_token(directory / "config.toml", SECRET, profile="default")


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_intact(
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


@pytest.mark.slow
@posix
def test_concurrent_writers_lose_nothing(file: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mjcli.settings.file import set_value\n"
        "for n in range(5):\n"
        "    set_value(Path(sys.argv[1]), f'presets.p{sys.argv[2]}-{n}.suffix', 'x', profile='default')"
    )
    root = str(Path(__file__).parents[2])
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
def test_waiting_for_a_locked_directory_ends_with_an_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(file_module, "_LOCK_SECONDS", 0.05)
    write(file, "# old\n")
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="still locked by another process"):
            set_value(file, "defaults.mode", "fast", profile="default")
    finally:
        os.close(descriptor)
    assert file.read_text() == "# old\n"


def test_writing_works_without_file_locks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    set_value(file, "defaults.mode", "fast", profile="default")
    assert content(file) == {"defaults": {"mode": "fast"}}


def test_the_two_tokens_of_a_profile_are_removed_separately(environ: dict[str, str], file: Path) -> None:
    set_token(file, "one", profile="work")
    set_token(file, "two", profile="work", key="files_token")
    settings = load_settings(environ, profile="work")
    assert (settings.token.value, settings.files_token.value) == ("one", "two")
    assert remove_token(file, profile="work", key="files_token")
    assert not remove_token(file, profile="work", key="files_token")
    settings = load_settings(environ, profile="work")
    assert (settings.token.value, settings.files_token.value) == ("one", None)


@posix
@pytest.mark.parametrize("kind", ["fifo", "socket", "directory", "device"])
def test_a_config_that_is_not_a_regular_file_is_refused_at_once(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    path = tmp_path / "config"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            listener.bind("config")
        elif kind == "directory":
            path.mkdir()
        else:
            path = Path("/dev/zero")
        for use in (
            lambda: load_settings({"MJ_CONFIG": str(path), "MJ_DATA_DIR": "/x"}),
            lambda: set_value(path, "defaults.mode", "fast", profile="default"),
        ):
            with pytest.raises(ConfigError, match=r"regular file|directory"):
                use()


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "1" * 5000,
        "a = " + "1_" * 50_000 + "1",
        "a = " + "[" * 50_000,
        "a = " + "{b=" * 50_000,
        "a." * 100_000 + "a = 1",
        "[" + "a." * 100_000 + "a]",
        '["a b".' + '"a b".' * 20_000 + "a]",
        "a = [" + "{" + "a . " * 20_000 + "a = 1}]",
        "a = 1e999999",
        "a = 2024-13-45T99:99:99Z",
        "a = 0000-00-00",
        "a" * 500_000 + " = 1",
        "[profiles." + "a" * 500_000 + "]",
        "[profiles.default]\n" + "a" * 500_000 + " = 1",
        "[defaults]\n" + "a" * 500_000 + ".b = 1",
        "x" * (1 << 20) + "x",
    ],
    ids=lambda text: text[:20],
)
def test_a_config_with_extreme_content_is_refused_in_a_short_sentence(file: Path, text: str) -> None:
    write(file, text)
    for use in (
        lambda: load_settings({"MJ_CONFIG": str(file), "MJ_DATA_DIR": "/x"}),
        lambda: set_value(file, "defaults.mode", "fast", profile="default"),
    ):
        with pytest.raises(ConfigError) as refused:
            use()
        assert len(refused.value.message) < 1000


def test_dots_in_strings_and_comments_are_not_nesting(file: Path) -> None:
    dots = "a." * 500
    write(file, f'# {dots}\n[defaults]\nsuffix = "{dots}" # {dots}\n[presets.x]\nsuffix = """\n{dots}\n"""\n')
    assert load_settings({"MJ_CONFIG": str(file), "MJ_DATA_DIR": "/x"}).suffix.value == dots


def test_a_name_that_is_too_long_is_refused_before_the_file_is_changed(file: Path) -> None:
    with pytest.raises(UsageError) as refused:
        set_value(file, f"presets.{'x' * 100_000}.suffix", "y", profile="default")
    assert len(refused.value.message) < 1000
    assert not file.exists()
