"""`mj history`: the list of the jobs, for people and for scripts, and one job in full."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from mjcli.ledger import Ledger
from tests.cli.conftest import Mj
from tests.cli.test_next_commands import next_of
from tests.cli.test_terminal import ASCII, EVIL, Screen, harmless, plain, posix
from tests.service import Service, png

FIELDS = (
    "ref", "id", "state", "kind", "action", "prompt", "task_id", "image_id", "profile", "host", "created_at",
    "sent_at", "accepted_at", "ended_at", "request", "result", "error", "files", "files_due", "parent_image",
)  # fmt: skip
JSON_COLUMNS = ("request", "result", "error", "files_asked", "files")


def write(mj: Mj, *rows: dict[str, Any]) -> None:
    """Jobs straight into the ledger, the last one the newest."""
    path = mj.home / "data" / "ledger.db"
    if not path.exists():
        Ledger.open(path, notice=lambda _: None).close()
    now = time.time()
    usual = {
        "profile": "default",
        "host": "https://api.example",
        "kind": "imagine",
        "path": "/midjourney/imagine",
        "request": {"action": "generate", "prompt": "a cat"},
        "state": "done",
        "created_at": now,
        "changed_at": now,
        "sent_at": now,
        "files": [],
    }
    whole = [{"uuid": str(uuid.uuid4()), **usual, **row} for row in rows]
    connection = sqlite3.connect(path)
    with connection:
        for row in whole:
            values = [
                json.dumps(value) if name in JSON_COLUMNS and not isinstance(value, str) else value
                for name, value in row.items()
            ]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})", values)
    connection.close()


def made(online: Mj, service: Service, name: str, *command: str) -> None:
    """A job done by the program itself."""
    service.answer(service.result(image_id=f"image-{name}", task_id=f"task-{name}"))
    online(*(command or ("imagine", f"a {name}")))


def refs(mj: Mj, *options: str) -> list[str]:
    """The references that a list has."""
    return [line.split("\t")[0] for line in mj("history", *options).out.splitlines()]


def watch(
    mj: Mj, *arguments: str, columns: int = 80, env: dict[str, str | None] | None = None, check: int = 0
) -> list[str]:
    """The lines that a terminal shows, standard error included, with their colours."""
    screen = Screen(columns)
    try:
        process = mj.start(
            *arguments,
            env={"TERM": "xterm-256color", **(env or {})},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, None)
    finally:
        screen.close()
    shown = screen.shown.decode().replace("\r\n", "\n")
    assert "Traceback" not in shown
    assert process.returncode == check, shown
    return shown.splitlines()


def bare(lines: Iterable[str]) -> list[str]:
    return [plain(line) for line in lines]


# -- the list for scripts ------------------------------------------------------------------------------


def test_each_job_is_a_line_of_fields_newest_first(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    made(online, service, "cat", "imagine", "a\tcat", "--download", "-o", "cats/")
    made(online, service, "dog", "action", "upscale1", "@last")
    newest, oldest = (line.split("\t") for line in online("history").out.splitlines())
    assert newest[0] == "@1"
    assert newest[2:] == ["done", "upscale1", "a\\tcat", "image-dog", "task-dog", ""]
    (saved,) = (online.cwd / "cats").iterdir()
    assert oldest[0] == "@2"
    assert oldest[2:] == ["done", "generate", "a\\tcat", "image-cat", "task-cat", str(saved)]
    asked = datetime.fromisoformat(oldest[1])
    assert oldest[1].endswith("Z")
    assert len(oldest[1]) == 20
    assert abs(asked.timestamp() - time.time()) < 60


def test_each_job_is_an_object_of_all_that_is_known(online: Mj, service: Service) -> None:
    made(online, service, "cat")
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


def test_a_job_that_never_left_has_no_times_but_that_of_asking(mj: Mj) -> None:
    write(mj, {"state": "submitting", "sent_at": None, "created_at": 1_800_000_000})
    answer = mj("history", "--json").answer
    assert answer["created_at"] == "2027-01-15T08:00:00Z"
    assert answer["sent_at"] is answer["accepted_at"] is answer["ended_at"] is answer["task_id"] is None


def test_a_field_may_be_asked_for(online: Mj, service: Service) -> None:
    made(online, service, "cat")
    made(online, service, "dog")
    assert online("history", "--field", "result.image_id").out == "image-dog\nimage-cat\n"


def test_quiet_gives_tasks_else_the_ledgers_own_ids(mj: Mj) -> None:
    write(mj, {"uuid": "the-uuid", "state": "unknown"}, {"task_id": "the-task"})
    assert mj("history", "-q").out == "the-task\nthe-uuid\n"


def test_quiet_ids_lead_back_to_the_jobs(mj: Mj) -> None:
    write(mj, {"state": "unknown"}, {"task_id": "the-task"})
    found = mj("history", "show", "-", "--field", "ref", stdin=mj("history", "-q").stdout)
    assert found.out == "@1\n@2\n"


def test_the_service_is_not_asked(online: Mj, service: Service) -> None:
    made(online, service, "cat")
    before = len(service.received)
    online("history")
    online("history", "show", "@last")
    assert len(service.received) == before


def test_the_first_of_very_many_comes_before_the_last_is_read(mj: Mj) -> None:
    # Nobody can read the oldest one, so whoever wanted to see it first would have nothing to show.
    write(mj, {"request": "{not JSON"}, *({"task_id": f"task-{n}"} for n in range(10_000)))
    with mj.start("history", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["task_id"] == "task-9999"
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_script_gets_all_of_them(mj: Mj) -> None:
    write(mj, *({} for _ in range(30)))
    result = mj("history")
    assert len(result.out.splitlines()) == 30
    assert result.err == ""
    assert len(mj("history", "--json").json) == 30


# -- filters -------------------------------------------------------------------------------------------

ZOO: tuple[dict[str, Any], ...] = (
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
def test_the_filters_leave_jobs_out_and_the_references_stay(mj: Mj, options: list[str], found: str) -> None:
    write(mj, *ZOO)
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
def test_spans_are_counted_back_from_now(mj: Mj, options: list[str], found: str) -> None:
    now = time.time()
    ages = (30 * 86400, 6 * 86400, 86400, 3600, 600, 5)
    write(mj, *({"created_at": now - age} for age in ages))
    assert refs(mj, *options) == [f"@{number}" for number in found]


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
def test_dates_are_local_unless_they_say_otherwise(mj: Mj, options: list[str], found: str) -> None:
    moments = ("2026-11-01T00:00+03:00", "2026-11-01T10:00+03:00", "2026-11-02T00:00+03:00")
    write(mj, *({"created_at": datetime.fromisoformat(each).timestamp()} for each in moments))
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
def test_any_other_time_is_refused_before_anything_is_shown(mj: Mj, option: str, when: str) -> None:
    write(mj, {})
    result = mj("history", option, when, check=2)
    assert result.out == ""
    assert result.err.startswith(f"mj: {option} ")
    assert len(result.err.splitlines()) == 1
    harmless(result.err)
    assert mj("history", option, when, "--json", check=2).answer["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "options", [["--all", "--limit", "3"], ["--limit", "0"], ["-n", "x"], ["--state", "over"]]
)
def test_options_that_mean_nothing_are_refused(mj: Mj, options: list[str]) -> None:
    write(mj, {})
    result = mj("history", *options, check=2)
    assert result.out == ""
    assert len(result.err.splitlines()) <= 2


def test_profiles_have_lists_and_numbers_of_their_own(online: Mj, service: Service) -> None:
    file = Path(online.env["MJ_CONFIG"])
    file.parent.mkdir(mode=0o700)
    file.write_text("[profiles.default]\n[profiles.work]\n")
    file.chmod(0o600)
    made(online, service, "cat")
    made(online, service, "dog", "imagine", "a dog", "--profile", "work")
    assert online("history", "--field", "task_id").out == "task-cat\n"
    work = online("history", "--json", "--profile", "work").answer
    assert (work["ref"], work["task_id"], work["profile"]) == ("@1", "task-dog", "work")
    online("history", "show", "task-dog", check=2)
    assert online("--profile", "work", "history", "show", "task-dog", "--field", "ref").out == "@1\n"


# -- nothing to list -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"], ["-q"], ["--state", "done"]])
def test_without_a_ledger_nothing_is_listed_and_none_is_made(mj: Mj, options: list[str]) -> None:
    result = mj("history", *options)
    assert result.out == ""
    assert ('mj imagine "a cat"' in result.err) == ("-q" not in options)
    assert not (mj.home / "data").exists()


def test_the_first_command_to_type_is_for_the_same_sandbox(mj: Mj) -> None:
    assert 'mj --sandbox imagine "a cat"' in mj("history", "--sandbox").err


@pytest.mark.parametrize("options", [[], ["--json"], ["--limit", "3"]])
def test_it_is_said_when_nothing_matches(mj: Mj, options: list[str]) -> None:
    write(mj, {})
    result = mj("history", "--search", "dog", *options)
    assert result.out == ""
    assert result.err == "No job of the profile default matches.\n"


@posix
def test_a_terminal_shows_no_header_over_nothing(mj: Mj) -> None:
    write(mj, {})
    assert watch(mj, "history", "--search", "dog") == ["No job of the profile default matches."]


# -- the table -----------------------------------------------------------------------------------------


def spectacle(now: float) -> list[dict[str, Any]]:
    """Jobs whose every cell is as wide as it gets, hostile ones among them."""
    wide = "森の中の猫、雨の日に傘をさして歩く 🐈🐈🐈 "
    evil = "".join(EVIL.values())
    return [
        {"state": "submitting", "sent_at": None, "subject": wide * 5, "created_at": now - 400 * 86400},
        {"state": "unknown", "subject": evil, "request": {"action": f"x{evil}", "prompt": "p"}},
        {"state": "running", "subject": "e\u0301" * 200, "task_id": f"task{evil}"},
        {"state": "failed", "request": {"action": "variation_region", "prompt": "x" * 5000}, "task_id": "f"},
        {"state": "done", "subject": "a cat", "files": ["/a", "/b", "/c"], "task_id": "7489df4c-ef03"},
        {"state": "done", "files_asked": {}, "files_due": 12, "created_at": now + 1e6},
    ]


@posix
@pytest.mark.parametrize(
    ("columns", "colour"),
    [
        (300, True),
        (80, True),
        (80, False),
        (59, True),
        (40, True),
        (20, True),
        (20, False),
        (8, True),
        (1, False),
    ],
)
def test_a_row_is_one_line_on_a_terminal_of_any_width(mj: Mj, columns: int, colour: bool) -> None:
    write(mj, *spectacle(time.time()))
    lines = watch(mj, "history", *([] if colour else ["--no-color"]), columns=columns)
    assert (lines != bare(lines)) == colour
    assert len(lines) == 1 + 6 + 1  # and what to type next
    for line in bare(lines)[:-1]:
        assert cell_len(line) <= columns
        harmless(line)
    for number, line in enumerate(bare(lines)[1:-1], 1):
        assert line.startswith(f"@{number}" if columns > 1 else "…")
    assert bare(lines)[-1].split() == ["next", "mj", "resume"]


@posix
def test_the_table_reads_as_expected(mj: Mj) -> None:
    now = time.time()
    write(
        mj,
        {"created_at": now - 3 * 86400 - 60, "subject": "a cat", "task_id": "7489df4c-ef03", "files": ["/a"]},
        {"created_at": now - 7260, "state": "failed", "uuid": "11112222-3333", "subject": "a dog"},
        {"created_at": now - 330, "subject": "two " * 20, "task_id": "7489df4d-ef03", "files_due": 2},
    )
    assert watch(mj, "history") == [
        "\x1b[2m@   AGE  STATE   ACTION    PROMPT                                ID        FILES\x1b[0m",
        "@1  5m   \x1b[32mdone\x1b[0m    generate  two two two two two two two two two…  7489df4d  2 due",
        "@2  2h   \x1b[31mfailed\x1b[0m  generate  a dog                                 11112222  -",
        "@3  3d   \x1b[32mdone\x1b[0m    generate  a cat                                 7489df4c  1",
        "\x1b[36mnext  \x1b[0mmj resume",
    ]
    assert watch(mj, "history", "--no-color", "--search", "dog", columns=40) == [
        "@   AGE  STATE   PROMPT",
        "@2  2h   failed  a dog",
    ]


@posix
def test_no_terminal_colours_where_there_shall_be_none(mj: Mj) -> None:
    write(mj, {})
    for env in ({"TERM": "dumb"}, {"NO_COLOR": "1"}):
        assert not any("\x1b" in line for line in watch(mj, "history", env=dict(env)))
    assert "\x1b" not in mj("history", env={"FORCE_COLOR": "1"}).out


@posix
def test_an_ascii_terminal_has_a_table_that_fits(mj: Mj) -> None:
    write(mj, {"subject": "森の中の猫" * 9}, {"subject": "été"})
    lines = watch(mj, "history", "--no-color", columns=60, env=ASCII)
    assert all(line.isascii() and len(line) <= 60 for line in lines)
    assert len(lines) == 3
    assert "\\xe9t\\xe9" in lines[1]
    assert "\\u68ee" in lines[2]


@posix
def test_a_terminal_shows_the_newest_twenty_and_says_so(mj: Mj) -> None:
    write(mj, *({"kind": "blend" if n % 2 else "imagine"} for n in range(44)))
    lines = bare(watch(mj, "history"))
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "20 of 44 jobs are shown; --all shows them all."
    assert lines[-2].startswith("@20 ")
    lines = bare(watch(mj, "history", "--kind", "blend"))
    assert lines[-1] == "20 of 22 jobs are shown; --all shows them all."
    assert lines[-2].startswith("@39 ")
    assert len(watch(mj, "history", "--all")) == 1 + 44
    assert len(watch(mj, "history", "-n", "3")) == 1 + 3
    assert len(watch(mj, "history", "-n", "30")) == 1 + 30


@posix
def test_what_scripts_ask_for_is_whole_on_a_terminal_too(mj: Mj) -> None:
    write(mj, *({"uuid": f"uuid-{n}", "subject": "x" * 200} for n in range(25)))
    documents = [json.loads(line) for line in watch(mj, "history", "--json")]
    assert len(documents) == 25
    assert documents[0]["prompt"] == "x" * 200
    assert watch(mj, "history", "-q") == [f"uuid-{n}" for n in reversed(range(25))]
    assert watch(mj, "history", "--field", "ref", "-n", "2") == ["@1", "@2"]


@posix
def test_the_ids_of_the_table_name_one_job_each(mj: Mj) -> None:
    write(
        mj,
        {"task_id": "7489df4c-aaaa-1"},
        {"task_id": "7489df4c-bbbb-1"},
        {"task_id": "7489df4c-bbbb-2"},  # a beginning that is too long to type
        {"task_id": "short"},
        {"task_id": "shorter-than", "subject": "left out"},
        {"uuid": "99990000-1111-2222", "state": "unknown"},
        {"image_id": "99990000-3333", "subject": "left out"},
        {"task_id": "twice"},
        {"task_id": "twice"},
        {"task_id": "elsewhere-1"},
        {"task_id": "elsewhere-2", "profile": "other"},
    )
    lines = watch(mj, "history", "--no-color", "--search", "")[1:-1]
    named = {line.split()[0]: line.split()[-2] for line in lines}
    assert named["@10"] == "7489df4c-a"
    assert named["@7"] == "short"
    assert named["@5"] == "99990000-1"
    assert named["@1"] == "elsewher"
    assert all(len(name) <= 12 for name in named.values())
    assert len(set(named.values())) == 10
    for reference, name in named.items():
        assert mj("history", "show", name, "--field", "ref").out == f"{reference}\n"


@posix
def test_what_to_type_next_is_for_the_same_profile(mj: Mj) -> None:
    mj("auth", "login", "--profile", "work", stdin="a-token-of-mine\n")
    write(mj, {"state": "unknown", "profile": "work"}, {"profile": "work"})
    lines = watch(mj, "history", "--profile", "work", "--no-color")
    assert lines[-1] == "next  mj --profile work resume"
    lines = watch(mj, "history", "--profile", "work", "--no-color", "-n", "1")
    assert lines[-1].startswith("@1")


# -- hostile text --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVIL)
def test_controls_are_made_visible(mj: Mj, name: str) -> None:
    evil = EVIL[name]
    write(
        mj,
        {
            "state": "failed",
            "subject": f"p{evil}",
            "request": {"action": f"a{evil}", f"k{evil}": f"v{evil}"},
            "error": {"code": f"c{evil}", "message": f"m{evil}"},
            "task_id": f"t{evil}",
            "image_id": f"i{evil}",
            "files": [f"/f{evil}"],
            "parent_image": f"o{evil}",
        },
    )
    line = mj("history").out
    harmless(line)
    assert len(line.splitlines()) == 1
    assert line.count("\t") == 7
    story = mj("history", "show", "@1").out
    harmless(story)
    assert "\nlink: https://evil/" not in story
    for arguments in (["history"], ["history", "show", "@1"]):
        result = mj(*arguments, "--json")
        harmless(result.out)
        assert result.answer["prompt"] == f"p{evil}"
        assert result.answer["error"]["message"] == f"m{evil}"
        harmless(mj(*arguments, "-q").out)


def test_markup_is_literal(mj: Mj) -> None:
    write(mj, {"subject": "[bold]x[/bold] :smile: %s {0}"})
    assert "[bold]x[/bold] :smile: %s {0}" in mj("history").out
    assert "prompt: [bold]x[/bold] :smile: %s {0}\n" in mj("history", "show", "@1").out


# -- one job -------------------------------------------------------------------------------------------


def story(mj: Mj, *arguments: str) -> dict[str, list[str]]:
    """Name -> values of what is told of a job."""
    told: dict[str, list[str]] = {}
    for line in mj("history", "show", *arguments).out.splitlines():
        name, _, value = line.partition(": ")
        told.setdefault(name, []).append(value)
    return told


def test_the_story_of_a_job_is_told_whole(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    made(online, service, "cat", "imagine", "a cat", "--ar", "16:9", "--download")
    (saved,) = online.cwd.iterdir()
    answer = online("history", "--json").answer
    told = story(online, "@last")
    assert list(told) == [
        "job", "ref", "state", "kind", "action", "prompt", "task", "id", "profile", "host", "asked", "sent",
        "accepted", "ended", "took", "request action", "request prompt", "link", "size", "actions", "file", "next",
    ]  # fmt: skip
    assert told["job"] == [answer["id"]]
    assert told["ref"] == ["@1"]
    assert told["state"] == ["done"]
    assert (told["kind"], told["action"], told["prompt"]) == (["imagine"], ["generate"], ["a cat"])
    assert (told["task"], told["id"]) == (["task-cat"], ["image-cat"])
    assert told["host"] == [service.base_url]
    assert told["request prompt"] == ["a cat --ar 16:9"]
    assert told["link"] == [f"{service.base_url}/files/cat.png"]
    assert told["size"] == ["2048x2048"]
    assert told["actions"][0].startswith("upscale1 upscale2 ")
    assert told["file"] == [str(saved)]
    assert told["next"] == ["mj action upscale1 image-cat"]
    asked = datetime.strptime(told["asked"][0], "%Y-%m-%d %H:%M:%S %z")
    assert asked == datetime.fromisoformat(answer["created_at"])
    saved.unlink()
    assert story(online, "@last")["file"] == [f"{saved} (missing)"]


def test_the_time_it_took_is_that_from_sending_to_the_end(mj: Mj) -> None:
    write(mj, {"sent_at": 1000.25, "ended_at": 1063.0}, {"sent_at": 2000, "ended_at": 1990})
    assert story(mj, "@2")["took"] == ["62.8 s"]
    assert "took" not in story(mj, "@1")  # the clock was set back


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"state": "submitting", "sent_at": None}, "submitting (not sent yet, nothing paid)"),
        ({"state": "submitting"}, "submitting (it may have been accepted, and is then billed)"),
        ({"state": "unknown"}, "unknown (it may have been accepted, and is then billed)"),
        ({"state": "running"}, "running (billed if it succeeds)"),
        ({"state": "failed"}, "failed (not billed)"),
        ({"state": "failed", "error": {"code": "given_up"}, "sent_at": None}, "failed (not billed)"),
        (
            {"state": "failed", "error": {"code": "given_up"}},
            "failed (given up; if it was accepted, it is billed when it succeeds)",
        ),
        (
            {"state": "failed", "error": {"code": "resubmitted"}},
            "failed (given up; if it was accepted, it is billed when it succeeds)",
        ),
        ({"state": "done"}, "done"),
        ({"state": "running", "host": "sandbox"}, "running"),
    ],
)
def test_the_state_says_what_it_means_for_the_money(mj: Mj, row: dict[str, Any], said: str) -> None:
    write(mj, row)
    assert story(mj, "@1")["state"] == [said]
    assert mj("history", "show", "@1", "--field", "state").out == f"{row['state']}\n"


def test_an_unfinished_job_names_how_to_take_it_up(mj: Mj) -> None:
    write(
        mj,
        {"state": "running", "task_id": "the-task"},
        {"state": "unknown", "uuid": "12345678-9"},
        {"files_due": 2, "task_id": "due", "result": {"image_id": "1", "actions": ["upscale1"]}},
        {"state": "failed", "error": {"code": "forbidden", "message": "No."}},
    )
    assert story(mj, "@4")["next"] == ["mj resume the-task"]
    assert story(mj, "@3")["next"] == ["mj resume 12345678"]
    assert story(mj, "@2")["next"] == ["mj resume due"]
    assert story(mj, "@2")["files due"] == ["2"]
    assert "next" not in story(mj, "@1")
    assert story(mj, "@1")["error"] == ["forbidden: No."]


def test_a_mask_is_shortened_for_people_and_whole_for_scripts(mj: Mj) -> None:
    write(mj, {"request": {"action": "variation_region", "mask": "A" * 9000, "image_id": "1"}})
    assert story(mj, "@1")["request mask"] == ["A" * 500 + "… (9000 characters)"]
    assert mj("history", "show", "@1", "--json").answer["request"]["mask"] == "A" * 9000


def test_several_jobs_are_told_in_the_order_asked(mj: Mj) -> None:
    write(mj, *({"task_id": f"task-{name}"} for name in "abc"))
    answers = mj("history", "show", "task-a", "-", "@last", "--json", stdin="@2\n\ntask-a\n").json
    assert [each["task_id"] for each in answers] == ["task-a", "task-b", "task-a", "task-c"]
    assert [each["ref"] for each in answers] == ["@3", "@2", "@3", "@1"]
    assert all(tuple(each) == (*FIELDS, "parents") for each in answers)


def test_quiet_tells_the_files_else_the_link_else_the_task(mj: Mj) -> None:
    link = {"raw_image_url": "https://e/x.png"}
    write(
        mj,
        {"files": ["/a.png", "/b.png"], "result": link},
        {"result": link, "task_id": "t1"},
        {"task_id": "t2", "state": "running"},
        {"uuid": "the-uuid", "state": "unknown"},
    )
    out = mj("history", "show", "-q", "@4", "@3", "@2", "@1").out
    assert out == "/a.png\n/b.png\nhttps://e/x.png\nt2\nthe-uuid\n"


@pytest.mark.parametrize("wrong", ["@4", "@0", "nothing-like-it", "task", "a b", ""])
def test_when_one_is_not_known_none_is_told(mj: Mj, wrong: str) -> None:
    write(mj, *({"task_id": f"task-{name}"} for name in "abc"))
    result = mj("history", "show", "@1", wrong, check=2)
    assert result.out == ""
    assert mj("history", "show", "@1", wrong, "--json", check=2).answer["error"]["code"] == "usage"


def test_a_beginning_of_several_names_them(mj: Mj) -> None:
    write(mj, {"task_id": "7489df4c-a", "subject": "a cat"}, {"task_id": "7489df4c-b", "subject": "a dog"})
    err = mj("history", "show", "7489df4c", check=2).err
    assert "7489df4c-a (a cat)" in err
    assert "7489df4c-b (a dog)" in err
    assert story(mj, "7489df4c-b")["prompt"] == ["a dog"]


# -- where an image comes from -------------------------------------------------------------------------


def test_three_generations_are_told_nearest_first(online: Mj, service: Service) -> None:
    made(online, service, "cat")
    made(online, service, "grid", "action", "variation1", "@last")
    made(online, service, "whole", "action", "upscale2", "@last")
    made(online, service, "other")
    assert story(online, "task-whole")["from"] == [
        "image-grid  variation1  a cat  (@3)",
        "image-cat  generate  a cat  (@4)",
    ]
    answer = online("history", "show", "task-whole", "--json").answer
    assert answer["parent_image"] == "image-grid"
    parents = answer["parents"]
    assert [each["image_id"] for each in parents] == ["image-grid", "image-cat"]
    assert [each["ref"] for each in parents] == ["@3", "@4"]
    assert all(tuple(each) == FIELDS for each in parents)
    assert "from" not in story(online, "task-cat")


def test_an_image_that_nobody_here_made_ends_the_chain(online: Mj, service: Service) -> None:
    made(online, service, "grid", "action", "variation1", "image-of-another")
    made(online, service, "whole", "action", "upscale2", "@last")
    assert story(online, "@1")["from"] == ["image-grid  variation1  (@2)", "image-of-another"]
    assert online("history", "show", "@2", "--json").answer["parents"] == [{"image_id": "image-of-another"}]


@pytest.mark.parametrize(
    ("rows", "chain"),
    [
        ([("a", "b"), ("b", "a")], ["a"]),
        ([("a", "a")], []),
        ([("a", "b"), ("b", "c"), ("c", "b")], ["b"]),
    ],
)
def test_a_circle_of_images_is_gone_round_once(mj: Mj, rows: list[tuple[str, str]], chain: list[str]) -> None:
    write(mj, *({"image_id": image, "parent_image": parent} for image, parent in rows))
    parents = mj("history", "show", "@1", "--json").answer["parents"]
    assert [each["image_id"] for each in parents] == chain


# -- the command and its subcommand ----------------------------------------------------------------------


def test_the_help_has_the_options_and_the_subcommand(mj: Mj) -> None:
    out = mj("history", "--help").out
    assert "Usage: mj history [OPTIONS] [COMMAND]\n" in out
    assert "\nCommands:\n  show  " in out
    assert "--search TEXT" in out
    assert "Usage: mj history show [OPTIONS] JOB...\n" in mj("history", "show", "--help").out


def test_a_filter_is_not_for_a_job_that_is_named(mj: Mj) -> None:
    write(mj, {})
    assert mj("history", "--state", "done", "show", "@1", check=2).out == ""
    assert mj("history", "--json", "show", "@1").answer["ref"] == "@1"


def test_a_job_named_without_the_subcommand_is_answered_with_it(mj: Mj) -> None:
    write(mj, {})
    err = mj("history", "@1", check=2).err
    assert "  next: mj history show @1\n" in err
    assert "  next: mj history --search 'a cat'\n" in mj("history", "a cat", check=2).err


def test_a_job_must_be_named(mj: Mj) -> None:
    write(mj, {})
    assert next_of(mj("history", "show", check=2).err) == "mj history show --help"
