"""`mj history` on a terminal: the table."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from rich.cells import cell_len

from tests.support.history import add_jobs, terminal_lines, without_colours
from tests.support.program import Mj
from tests.support.systems import posix
from tests.support.terminal import ASCII, EVIL, harmless


def widest_jobs(now: float) -> list[dict[str, Any]]:
    """Jobs with very wide and with hostile cells."""
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
    add_jobs(mj, *widest_jobs(time.time()))
    lines = terminal_lines(mj, "history", *([] if colour else ["--no-color"]), columns=columns)
    assert (lines != without_colours(lines)) == colour
    assert len(lines) == 1 + 6 + 1  # and the suggested command
    for line in without_colours(lines)[:-1]:
        assert cell_len(line) <= columns
        harmless(line)
    for number, line in enumerate(without_colours(lines)[1:-1], 1):
        assert line.startswith(f"@{number}" if columns > 1 else "…")
    assert without_colours(lines)[-1].split() == ["next", "mj", "resume"]


@pytest.mark.slow
@posix
def test_the_table_reads_as_expected(mj: Mj) -> None:
    now = time.time()
    add_jobs(
        mj,
        {"created_at": now - 3 * 86400 - 60, "subject": "a cat", "task_id": "7489df4c-ef03", "files": ["/a"]},
        {"created_at": now - 7260, "state": "failed", "uuid": "11112222-3333", "subject": "a dog"},
        {"created_at": now - 330, "subject": "two " * 20, "task_id": "7489df4d-ef03", "files_due": 2},
    )
    assert terminal_lines(mj, "history") == [
        "\x1b[2m@   AGE  STATE   ACTION    PROMPT                                ID        FILES\x1b[0m",
        "@1  5m   \x1b[32mdone\x1b[0m    generate  two two two two two two two two two…  7489df4d  2 due",
        "@2  2h   \x1b[31mfailed\x1b[0m  generate  a dog                                 11112222  -",
        "@3  3d   \x1b[32mdone\x1b[0m    generate  a cat                                 7489df4c  1",
        "\x1b[36mnext\x1b[0m  mj resume",
    ]
    assert terminal_lines(mj, "history", "--no-color", "--search", "dog", columns=40) == [
        "@   AGE  STATE   PROMPT",
        "@2  2h   failed  a dog",
    ]


@pytest.mark.slow
@posix
def test_a_dumb_terminal_and_no_color_have_no_colours(mj: Mj) -> None:
    add_jobs(mj, {})
    for env in ({"TERM": "dumb"}, {"NO_COLOR": "1"}):
        assert not any("\x1b" in line for line in terminal_lines(mj, "history", env=dict(env)))
    assert "\x1b" not in mj("history", env={"FORCE_COLOR": "1"}).out


@posix
def test_the_table_fits_an_ascii_terminal(mj: Mj) -> None:
    add_jobs(mj, {"subject": "森の中の猫" * 9}, {"subject": "été"})
    lines = terminal_lines(mj, "history", "--no-color", columns=60, env=ASCII)
    assert all(line.isascii() and len(line) <= 60 for line in lines)
    assert len(lines) == 3
    assert "\\xe9t\\xe9" in lines[1]
    assert "\\u68ee" in lines[2]


@pytest.mark.slow
@posix
def test_a_terminal_shows_the_newest_twenty_and_the_total(mj: Mj) -> None:
    add_jobs(mj, *({"kind": "blend" if n % 2 else "imagine"} for n in range(44)))
    lines = without_colours(terminal_lines(mj, "history"))
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "Showing 20 of 44 jobs; --all shows all."
    assert lines[-2].startswith("@20 ")
    lines = without_colours(terminal_lines(mj, "history", "--kind", "blend"))
    assert lines[-1] == "Showing 20 of 22 jobs; --all shows all."
    assert lines[-2].startswith("@39 ")
    assert len(terminal_lines(mj, "history", "--all")) == 1 + 44
    assert len(terminal_lines(mj, "history", "-n", "3")) == 1 + 3
    assert len(terminal_lines(mj, "history", "-n", "30")) == 1 + 30


@pytest.mark.slow
@posix
def test_script_output_is_complete_on_a_terminal(mj: Mj) -> None:
    add_jobs(mj, *({"uuid": f"uuid-{n}", "subject": "x" * 200} for n in range(25)))
    documents = [json.loads(line) for line in terminal_lines(mj, "history", "--json")]
    assert len(documents) == 25
    assert documents[0]["prompt"] == "x" * 200
    assert terminal_lines(mj, "history", "-q") == [f"uuid-{n}" for n in reversed(range(25))]
    assert terminal_lines(mj, "history", "--field", "ref", "-n", "2") == ["@1", "@2"]


@pytest.mark.slow
@posix
def test_the_ids_in_the_table_are_unique_prefixes(mj: Mj) -> None:
    add_jobs(
        mj,
        {"task_id": "7489df4c-aaaa-1"},
        {"task_id": "7489df4c-bbbb-1"},
        {"task_id": "7489df4c-bbbb-2"},  # its unique prefix is too long to type
        {"task_id": "short"},
        {"task_id": "shorter-than", "subject": "not unique"},
        {"uuid": "99990000-1111-2222", "state": "unknown"},
        {"image_id": "99990000-3333", "subject": "not unique"},
        {"task_id": "twice"},
        {"task_id": "twice"},
        {"task_id": "elsewhere-1"},
        {"task_id": "elsewhere-2", "profile": "other"},
    )
    lines = terminal_lines(mj, "history", "--no-color", "--search", "")[1:-1]
    names = {line.split()[0]: line.split()[-2] for line in lines}
    assert names["@10"] == "7489df4c-a"
    assert names["@7"] == "short"
    assert names["@5"] == "99990000-1"
    assert names["@1"] == "elsewher"
    assert all(len(name) <= 12 for name in names.values())
    assert len(set(names.values())) == 10
    for reference, name in names.items():
        assert mj("history", "show", name, "--field", "ref").out == f"{reference}\n"


@pytest.mark.slow
@posix
def test_the_suggested_command_keeps_the_profile(mj: Mj) -> None:
    mj("auth", "login", "--no-check", "--profile", "work", stdin="a-token-of-mine\n")
    add_jobs(mj, {"state": "unknown", "profile": "work"}, {"profile": "work"})
    lines = terminal_lines(mj, "history", "--profile", "work", "--no-color")
    assert lines[-1] == "next  mj --profile work resume"
    lines = terminal_lines(mj, "history", "--profile", "work", "--no-color", "-n", "1")
    assert lines[-1].startswith("@1")


@posix
def test_a_table_without_rows_has_no_header(mj: Mj) -> None:
    add_jobs(mj, {})
    assert terminal_lines(mj, "history", "--search", "dog") == ['No matching jobs in profile "default".']
