"""`mj history`: the list for scripts, its filters, and the command itself."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.history import FIELDS, add_jobs, refs, run_job
from tests.support.images import png
from tests.support.program import Mj, next_command
from tests.support.service import Service
from tests.support.terminal import harmless

# -- the list for scripts ------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_job_is_a_line_of_fields_newest_first(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    run_job(online, service, "cat", "imagine", "a\tcat", "--download", "-o", "cats/")
    run_job(online, service, "dog", "action", "upscale1", "@last")
    newest, oldest = (line.split("\t") for line in online("history").out.splitlines())
    assert newest[0] == "@1"
    assert newest[2:] == ["done", "upscale1", "a\\tcat", "image-dog", "task-dog", "", ""]
    (saved,) = (online.cwd / "cats").iterdir()
    assert oldest[0] == "@2"
    assert oldest[2:] == ["done", "generate", "a\\tcat", "image-cat", "task-cat", str(saved), ""]
    created = datetime.fromisoformat(oldest[1])
    assert oldest[1].endswith("Z")
    assert len(oldest[1]) == 20
    assert abs(created.timestamp() - time.time()) < 60


def test_json_has_every_field_of_each_job(online: Mj, service: Service) -> None:
    run_job(online, service, "cat")
    answer = online("history", "--json").answer
    assert tuple(answer) == FIELDS
    assert (answer["ref"], answer["state"], answer["kind"], answer["action"]) == (
        "@1", "done", "imagine", "generate",
    )  # fmt: skip
    assert (answer["prompt"], answer["task_id"], answer["image_id"]) == ("a cat", "task-cat", "image-cat")
    assert answer["request"] == {"action": "generate", "prompt": "a cat"}
    assert answer["result"]["raw_image_url"] == f"{service.base_url}/files/cat.png"
    assert (answer["profile"], answer["host"]) == ("default", service.base_url)
    moments = [datetime.fromisoformat(answer[f"{name}_at"]) for name in ("created", "sent", "ended")]
    assert moments == sorted(moments)
    assert (answer["error"], answer["files"], answer["files_due"], answer["parent_image"]) == (
        None, [], 0, None,
    )  # fmt: skip
    assert uuid.UUID(answer["id"]).version == 4


def test_an_unsent_job_has_only_its_creation_time(mj: Mj) -> None:
    add_jobs(mj, {"state": "submitting", "sent_at": None, "created_at": 1_800_000_000})
    answer = mj("history", "--json").answer
    assert answer["created_at"] == "2027-01-15T08:00:00Z"
    assert answer["sent_at"] is answer["accepted_at"] is answer["ended_at"] is answer["task_id"] is None


def test_field_prints_one_field_of_each_job(online: Mj, service: Service) -> None:
    run_job(online, service, "cat")
    run_job(online, service, "dog")
    assert online("history", "--field", "result.image_id").out == "image-dog\nimage-cat\n"


def test_quiet_prints_task_ids_else_ledger_ids(mj: Mj) -> None:
    add_jobs(mj, {"uuid": "the-uuid", "state": "unknown"}, {"task_id": "the-task"})
    assert mj("history", "-q").out == "the-task\nthe-uuid\n"


def test_quiet_ids_can_be_passed_to_show(mj: Mj) -> None:
    add_jobs(mj, {"state": "unknown"}, {"task_id": "the-task"})
    found = mj("history", "show", "-", "--field", "ref", stdin=mj("history", "-q").stdout)
    assert found.out == "@1\n@2\n"


def test_the_service_is_not_queried(online: Mj, service: Service) -> None:
    run_job(online, service, "cat")
    before = len(service.received)
    online("history")
    online("history", "show", "@last")
    assert len(service.received) == before


@pytest.mark.slow
def test_the_newest_job_is_printed_before_the_oldest_is_read(mj: Mj) -> None:
    # The oldest job cannot be parsed, so the newest is printed only if it is read first.
    add_jobs(mj, {"request": "{not JSON"}, *({"task_id": f"task-{n}"} for n in range(10_000)))
    with mj.start("history", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["task_id"] == "task-9999"
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_scripts_get_all_jobs(mj: Mj) -> None:
    add_jobs(mj, *({} for _ in range(30)))
    result = mj("history")
    assert len(result.out.splitlines()) == 30
    assert result.err == ""
    assert len(mj("history", "--json").json) == 30


# -- filters -------------------------------------------------------------------------------------------

VARIOUS_JOBS: tuple[dict[str, Any], ...] = (
    {"state": "done", "subject": "a Straße", "request": {"prompt": "a Straße --ar 16:9"}},
    {"state": "failed", "error": {"code": "forbidden", "message": "Banned word: Wolf"}, "subject": "a fox"},
    {"state": "unknown", "kind": "blend", "subject": "two cats"},
    {
        "state": "running",
        "kind": "action",
        "request": {"action": "upscale4", "image_id": "1"},
        "task_id": "t",
    },
    {"state": "submitting", "sent_at": None, "subject": "[bold] 100%"},
    {"state": "done", "files_asked": {}, "files_due": 2, "kind": "blend", "subject": "ÉTÉ"},
)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], "123456"),
        (["--state", "done"], "16"),
        (["--state", "failed"], "5"),
        (["--state", "unknown"], "4"),
        (["--state", "running"], "3"),
        (["--state", "submitting"], "2"),
        (["--state", "unfinished"], "1234"),
        (["--state", "failed", "--state", "unknown"], "45"),
        (["--state", "failed", "--state", "unfinished"], "12345"),
        (["--kind", "blend"], "14"),
        (["--kind", "blend", "--kind", "action"], "134"),
        (["--kind", "video"], ""),
        (["--search", "strasse"], "6"),
        (["--search", "16:9"], "6"),
        (["--search", "WOLF"], "5"),
        (["--search", "upscale"], "3"),
        (["--search", "été"], "1"),
        (["--search", "[BOLD] 100%"], "2"),
        (["--search", "cats"], "4"),
        (["--search", ".*"], ""),
        (["--search", ""], "123456"),
        (["--state", "done", "--kind", "blend", "--search", "t"], "1"),
        (["--limit", "2"], "12"),
        (["-n", "1", "--state", "done", "--search", ":"], "6"),
        (["-n", "9"], "123456"),
        (["--all"], "123456"),
    ],
)
def test_filters_exclude_jobs_and_keep_the_references(mj: Mj, options: list[str], found: str) -> None:
    add_jobs(mj, *VARIOUS_JOBS)
    assert refs(mj, *options) == [f"@{number}" for number in found]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--since", "90s"], "1"),
        (["--since", "30m"], "12"),
        (["--since", "2h"], "123"),
        (["--since", "3d"], "1234"),
        (["--since", "1w"], "12345"),
        (["--since", "999999999w"], "123456"),
        (["--before", "2h"], "456"),
        (["--since", "3d", "--before", "30m"], "34"),
        (["--since", "30m", "--before", "3d"], ""),
    ],
)
def test_durations_count_back_from_now(mj: Mj, options: list[str], found: str) -> None:
    now = time.time()
    ages = (30 * 86400, 6 * 86400, 86400, 3600, 600, 5)
    add_jobs(mj, *({"created_at": now - age} for age in ages))
    assert refs(mj, *options) == [f"@{number}" for number in found]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--since", "2026-11-02"], "1"),
        (["--since", "2026-11-01"], "123"),
        (["--before", "2026-11-01"], ""),
        (["--before", "2026-11-02"], "23"),
        (["--since", "2026-11-01T10:00"], "12"),
        (["--since", "2026-11-01T10:00:01"], "1"),
        (["--before", "2026-11-01T10:00"], "3"),
        (["--since", "2026-11-01T07:00Z"], "12"),
        (["--since", "2026-11-01T07:00:01Z"], "1"),
        (["--since", "2026-11-01T09:00+02:00"], "12"),
        (["--since", "2026-11-01T09:00:01+0200"], "1"),
    ],
)
def test_dates_are_local_unless_they_have_an_offset(mj: Mj, options: list[str], found: str) -> None:
    moments = ("2026-11-01T00:00+03:00", "2026-11-01T10:00+03:00", "2026-11-02T00:00+03:00")
    add_jobs(mj, *({"created_at": datetime.fromisoformat(each).timestamp()} for each in moments))
    # A process of its own: the interpreter reads the time zone once.
    process = mj.start("history", *options, env={"TZ": "Etc/GMT-3"})
    out, _ = process.communicate(timeout=60)
    assert [line.split("\t")[0] for line in out.decode().splitlines()] == [f"@{n}" for n in found]


@pytest.mark.parametrize("option", ["--since", "--before"])
@pytest.mark.parametrize(
    "when",
    [
        "", "yesterday", "2", "2 h", "-2h", "1.5h", "2H", "2y", "٢h", "1234567890s", "2026", "2026-11", "20261101",
        "2026-W45", "2026-13-01", "2026-02-30", "2026-11-01T25:00", "2026-11-01T10", "2026-11-01 10:00",
        "2026-11-01T10:00+25:00", "0000-01-01", "10:00", "2h\n", "\x1b[2J",
    ],
)  # fmt: skip
def test_an_invalid_time_is_refused_before_anything_is_printed(mj: Mj, option: str, when: str) -> None:
    add_jobs(mj, {})
    result = mj("history", option, when, check=2)
    assert result.out == ""
    assert result.err.startswith('mj: "')
    assert f'" is not a time for {option}.\n' in result.err
    assert len(result.err.splitlines()) == 2
    harmless(result.err)
    assert mj("history", option, when, "--json", check=2).answer["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "options", [["--all", "--limit", "3"], ["--limit", "0"], ["-n", "x"], ["--state", "over"]]
)
def test_invalid_options_are_refused(mj: Mj, options: list[str]) -> None:
    add_jobs(mj, {})
    result = mj("history", *options, check=2)
    assert result.out == ""
    assert len(result.err.splitlines()) <= 2


@pytest.mark.slow
def test_each_profile_has_its_own_list_and_references(online: Mj, service: Service) -> None:
    file = Path(online.env["MJ_CONFIG"])
    file.parent.mkdir(mode=0o700)
    file.write_text("[profiles.default]\n[profiles.work]\n")
    file.chmod(0o600)
    run_job(online, service, "cat")
    run_job(online, service, "dog", "imagine", "a dog", "--profile", "work")
    assert online("history", "--field", "task_id").out == "task-cat\n"
    work = online("history", "--json", "--profile", "work").answer
    assert (work["ref"], work["task_id"], work["profile"]) == ("@1", "task-dog", "work")
    online("history", "show", "task-dog", check=2)
    assert online("--profile", "work", "history", "show", "task-dog", "--field", "ref").out == "@1\n"


# -- nothing to list -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"], ["-q"], ["--state", "done"]])
def test_without_a_ledger_nothing_is_listed_and_none_is_created(mj: Mj, options: list[str]) -> None:
    result = mj("history", *options)
    assert result.out == ""
    assert ('mj imagine "a cat"' in result.err) == ("-q" not in options)
    assert not (mj.home / "data").exists()


def test_the_suggested_command_keeps_the_sandbox(mj: Mj) -> None:
    assert 'mj --sandbox imagine "a cat"' in mj("history", "--sandbox").err


@pytest.mark.parametrize("options", [[], ["--json"], ["--limit", "3"]])
def test_a_list_without_matches_is_reported(mj: Mj, options: list[str]) -> None:
    add_jobs(mj, {})
    result = mj("history", "--search", "dog", *options)
    assert result.out == ""
    assert result.err == 'No matching jobs in profile "default".\n'


# -- the command and its subcommand ----------------------------------------------------------------------


def test_the_help_has_the_options_and_the_subcommand(mj: Mj) -> None:
    out = mj("history", "--help").out
    assert "Usage: mj history [OPTIONS] [COMMAND]\n" in out
    assert "\nCommands:\n  show  " in out
    assert "--search TEXT" in out
    assert "Usage: mj history show [OPTIONS] JOB...\n" in mj("history", "show", "--help").out


def test_filters_cannot_be_combined_with_show(mj: Mj) -> None:
    add_jobs(mj, {})
    assert mj("history", "--state", "done", "show", "@1", check=2).out == ""
    assert mj("history", "--json", "show", "@1").answer["ref"] == "@1"


def test_a_job_without_the_subcommand_suggests_show(mj: Mj) -> None:
    add_jobs(mj, {})
    err = mj("history", "@1", check=2).err
    assert "  next: mj history show @1\n" in err
    assert '  next: mj history --search "a cat"\n' in mj("history", "a cat", check=2).err


def test_an_unknown_kind_is_refused_with_the_list_of_kinds(mj: Mj) -> None:
    add_jobs(mj, {})
    kinds = "imagine, action, blend, edit, describe, video, extend-video, shorten, translate or seed"
    assert f'mj: --kind must be {kinds}, not "foo".' in mj("history", "--kind", "foo", check=2).err


def test_a_job_must_be_named(mj: Mj) -> None:
    add_jobs(mj, {})
    assert next_command(mj("history", "show", check=2).err) == "mj history show @last"
