"""`mj --complete`, which the completion scripts run: what it offers, and that it changes nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from mjcli.cli import complete
from mjcli.settings import paths
from mjcli.settings.load import profile_in_use
from mjcli.settings.schema import SETTABLE_KEYS
from tests.support.history import add_jobs
from tests.support.program import Mj
from tests.test_startup import run


def offered(mj: Mj, what: str, *line: str) -> dict[str, str]:
    """The words that are offered, with their descriptions."""
    result = mj("--complete", what, "mj", *line)
    assert (result.status, result.err) == (0, "")
    return dict(each.split("\t") for each in result.out.splitlines())


def files_in(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in directory.rglob("*")}


def configure(mj: Mj, text: str) -> None:
    path = Path(mj.env["MJ_CONFIG"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_references_and_ids_are_offered_with_their_prompts(mj: Mj) -> None:
    add_jobs(
        mj,
        {"image_id": "111", "task_id": "t1", "subject": "a cat"},
        {"image_id": "222", "task_id": "t2", "subject": "a dog", "kind": "action"},
    )
    about = {"cat": "a cat (imagine)", "dog": "a dog (action)"}
    assert offered(mj, "image=") == {
        "@last": about["dog"], "@2": about["cat"], "222": about["dog"], "111": about["cat"]
    }  # fmt: skip
    assert list(offered(mj, "image=@")) == ["@last", "@2"]
    assert list(offered(mj, "image=1")) == ["111"]
    assert list(offered(mj, "task=t")) == ["t2", "t1"]


def test_references_count_all_jobs_and_last_is_the_newest_that_fits(mj: Mj) -> None:
    add_jobs(
        mj,
        {"image_id": "111", "subject": "a cat"},
        {"image_id": "222", "subject": "waves", "kind": "video"},
        {"subject": "a picture", "kind": "describe", "task_id": "t3"},
    )
    assert offered(mj, "image=@") == {"@last": "a cat (imagine)", "@3": "a cat (imagine)"}
    assert offered(mj, "video=@") == {"@last": "waves (video)", "@2": "waves (video)"}
    assert list(offered(mj, "task=@")) == ["@last"]
    assert list(offered(mj, "job=@")) == ["@last", "@2", "@3"]


def test_last_may_be_a_job_that_is_still_running(mj: Mj) -> None:
    add_jobs(mj, {"image_id": "111", "subject": "a cat"}, {"state": "running", "subject": "a dog"})
    assert offered(mj, "image=@") == {"@last": "a dog (imagine)", "@2": "a cat (imagine)"}


def test_a_failed_job_offers_no_image(mj: Mj) -> None:
    add_jobs(mj, {"state": "failed", "subject": "a cat", "task_id": "t1"})
    assert offered(mj, "image=") == {}
    assert list(offered(mj, "job=")) == ["@last", "t1"]


@pytest.mark.parametrize(
    "line",
    [("--profile", "work", "action"), ("--profile=work", "action"), ("action", "x", "--profile", "work")],
)
def test_the_profile_on_the_line_is_the_one_whose_jobs_are_offered(mj: Mj, line: tuple[str, ...]) -> None:
    add_jobs(mj, {"image_id": "111"}, {"image_id": "222", "profile": "work"})
    assert "222" in offered(mj, "image=", *line)
    assert "111" not in offered(mj, "image=", *line)


def test_the_environment_selects_the_profile_and_the_sandbox(mj: Mj) -> None:
    add_jobs(mj, {"image_id": "222", "profile": "work"}, {"image_id": "333", "profile": "sandbox"})
    assert "333" in offered(mj, "image=", "--sandbox", "--profile", "work")
    mj.env["MJ_PROFILE"] = "work"
    assert "222" in offered(mj, "image=")
    mj.env["MJ_SANDBOX"] = "1"
    assert "333" in offered(mj, "image=")


def test_prompts_are_shown_on_one_line_without_control_characters(mj: Mj) -> None:
    add_jobs(mj, {"image_id": "111", "subject": "a\tcat\nred\x1b[31m \u202e$(touch x) `id` 'q' " + "x" * 500})
    (line,) = mj("--complete", "image=1", "mj").out.splitlines()
    word, description = line.split("\t")
    assert word == "111"
    assert description.startswith("a cat red [31m $(touch x) `id` 'q' xxx")
    assert len(description) <= 60


def test_an_id_that_a_shell_could_misread_is_not_offered(mj: Mj) -> None:
    add_jobs(mj, *({"image_id": bad} for bad in ("$(id)", "a b", "-x", "a\nb", "\x1b[2J")))
    assert [word for word in offered(mj, "image=") if not word.startswith("@")] == []


def test_the_number_of_words_is_limited(mj: Mj) -> None:
    add_jobs(mj, *({"image_id": f"9{number}"} for number in range(200)))
    assert len(offered(mj, "image=@")) == 30
    assert next(iter(offered(mj, "image=9"))) == "9199"
    assert list(offered(mj, "image=917")) == ["9179", "9178", "9177", "9176", "9175", "9174", "9173", "9172",
        "9171", "9170", "917"]  # fmt: skip


def test_nothing_is_created_by_asking(mj: Mj) -> None:
    before = files_in(mj.home)
    for kind in ("image", "video", "task", "job", "profile", "preset", "key", "nothing"):
        assert offered(mj, f"{kind}=") == {}
    assert mj("--complete").out == ""
    assert files_in(mj.home) == before


@pytest.mark.parametrize("index", ["with its index", "without its index"])
def test_jobs_that_are_only_in_the_log_are_offered_and_no_file_is_created(mj: Mj, index: str) -> None:
    add_jobs(mj, {"image_id": "111"})
    data = mj.home / "data"
    with_log = sqlite3.connect(data / "ledger.db")
    with_log.execute("SELECT 1 FROM jobs").fetchall()  # only the last connection copies the log back
    add_jobs(mj, {"image_id": "222"})
    if index == "without its index":
        # As after a crash: a log that was not copied back.
        for name in ("ledger.db", "ledger.db-wal"):
            (data / f"copy-{name}").write_bytes((data / name).read_bytes())
        with_log.close()
        for name in ("ledger.db", "ledger.db-wal"):
            (data / f"copy-{name}").rename(data / name)
    before = files_in(mj.home)
    assert before[data / "ledger.db-wal"] > 0
    assert list(offered(mj, "image=2")) == ["222"]
    assert files_in(mj.home) == before
    with_log.close()


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_ledger_offers_nothing(mj: Mj, content: bytes) -> None:
    (mj.home / "data").mkdir(exist_ok=True)
    (mj.home / "data" / "ledger.db").write_bytes(content)
    assert offered(mj, "image=") == {}


@pytest.mark.skipif(os.name != "posix", reason="FIFOs are of POSIX")
def test_a_ledger_or_config_that_is_a_fifo_is_not_waited_for(mj: Mj) -> None:
    (mj.home / "data").mkdir(exist_ok=True)
    Path(mj.env["MJ_CONFIG"]).parent.mkdir(exist_ok=True)
    os.mkfifo(mj.home / "data" / "ledger.db")
    os.mkfifo(mj.env["MJ_CONFIG"])
    assert offered(mj, "image=") == offered(mj, "profile=") == {}


def test_profiles_presets_keys_and_values_come_from_the_config_file(mj: Mj) -> None:
    configure(
        mj,
        '[profiles.work]\ntoken = "secret"\nbase_url = "https://api.example"\n[profiles."my $(id)"]\n'
        '[profiles."line\\nbreak"]\n[presets.poster]\nsuffix = "--ar 2:3"\n',
    )
    assert offered(mj, "profile=") == {"work": "https://api.example", "my $(id)": ""}
    assert offered(mj, "preset=p") == {"poster": "--ar 2:3"}
    assert offered(mj, "key=presets.") == {"presets.poster.suffix": "--ar 2:3"}
    assert list(offered(mj, "key=profiles.w")) == [
        *("profiles.work.base_url", "profiles.work.token_in"),
        *("profiles.work.files_url", "profiles.work.platform_url"),
    ]  # fmt: skip
    assert "secret" not in mj("--complete", "key=", "mj").out


def test_the_values_of_a_key_are_offered_after_it(mj: Mj) -> None:
    line = ("config", "set")
    assert list(offered(mj, "setting=", *line, "defaults.mode")) == ["fast", "relax", "turbo"]
    assert list(offered(mj, "setting=t", *line, "defaults.download")) == ["true"]
    assert list(offered(mj, "setting=", *line, "profiles.work.token_in")) == ["header", "query"]
    assert offered(mj, "setting=", *line, "defaults.suffix") == {}
    (mj.home / "pictures").mkdir()
    assert list(offered(mj, "setting=~/pic", *line, "defaults.output")) == ["~/pictures/"]


@pytest.mark.parametrize(
    "environ",
    [{}, {"XDG_DATA_HOME": "/a", "XDG_CONFIG_HOME": "/b"}, {"MJ_DATA_DIR": "~/x", "MJ_CONFIG": "~/y"}],
    ids=["home", "XDG", "variables"],
)
def test_the_files_are_the_ones_that_commands_use(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "MJ_DATA_DIR", "MJ_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert complete.data_dir(os.environ) == str(paths.data_dir(os.environ))
    assert complete.config_file(os.environ) == str(paths.config_file(os.environ))


def test_the_keys_are_the_ones_that_commands_accept() -> None:
    keys = [f"{section}.NAME.{key}" for section, keys in complete.NAMED_KEYS.items() for key in keys]
    assert keys == [key for key in SETTABLE_KEYS if "NAME" in key]


def test_the_profile_is_the_one_that_commands_use() -> None:
    for environ in ({}, {"MJ_PROFILE": ""}, {"MJ_PROFILE": "work"}):
        assert complete.profile_of(["mj"], environ) == profile_in_use(environ).value


def test_only_sqlite_is_loaded_for_references(tmp_path: Path) -> None:
    loaded = run(tmp_path, "--complete", "image=", "mj")
    assert loaded.status == 0
    assert not loaded.of(
        "typing", "pathlib", "re", "json", "tomllib", "typer", "httpx", "rich", "mjcli.errors"
    )


def test_no_parser_is_loaded_for_profiles(tmp_path: Path) -> None:
    loaded = run(tmp_path, "--complete", "profile=", "mj")
    assert loaded.status == 0
    assert not loaded.of("sqlite3", "typer", "httpx", "rich", "tomlkit", "platformdirs", "mjcli.errors")
