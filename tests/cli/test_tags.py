"""`mj tag` and `mj star`, and what `mj history` does with them."""

from __future__ import annotations

import pytest

from tests.support.history import add_jobs, refs, show_fields, terminal_lines, without_colours
from tests.support.images import png
from tests.support.program import Mj, next_command
from tests.support.service import Service
from tests.support.systems import posix

JOBS = tuple(
    {"task_id": f"task-{n}", "subject": words} for n, words in enumerate(("a cat", "a dog", "a fox"))
)


@pytest.mark.slow
def test_tags_and_stars_are_shown_by_history(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    assert mj("tag", "Client", "@2", "task-0").out == "tagged: task-1  a dog\ntagged: task-0  a cat\n"
    assert mj("tag", "art", "@2").out == "tagged: task-1  a dog\n"
    assert mj("star", "@2").out == "starred: task-1  a dog\n"
    assert [line.split("\t")[8] for line in mj("history").out.splitlines()] == [
        "",
        "*, art, client",
        "client",
    ]
    assert [(each["tags"], each["starred"]) for each in mj("history", "--json").json] == [
        ([], False), (["art", "client"], True), (["client"], False),
    ]  # fmt: skip
    assert mj("history", "show", "@2", "--json").answer["tags"] == ["art", "client"]
    fields = show_fields(mj, "@2")
    assert (fields["tags"], fields["starred"]) == (["art, client"], ["yes"])
    assert "tags" not in show_fields(mj, "@1")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--tag", "client"], "23"),
        (["--tag", "CLIENT", "--tag", "art"], "2"),
        (["--starred"], "1"),
        (["--starred", "--tag", "client"], ""),
        (["--tag", "cli"], ""),
        (["--search", "clien"], "23"),
        (["--search", "ART"], "2"),
        (["--tag", "client", "--search", "dog"], "2"),
    ],
)
def test_history_filters_by_them(mj: Mj, options: list[str], found: str) -> None:
    add_jobs(mj, *JOBS)
    mj("tag", "client", "@2", "@3")
    mj("tag", "art", "@2")
    mj("star", "@1")
    assert refs(mj, *options) == [f"@{number}" for number in found]


@pytest.mark.slow
def test_they_are_removed_again(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    mj("tag", "client", "@1")
    mj("star", "@1")
    result = mj("tag", "--remove", "client", "@1", "@2")
    assert result.out == "no longer tagged: task-2  a fox\n"
    assert result.err == "Job task-1 did not have this tag.\n"
    assert mj("star", "@1", "--remove", "--json").answer == {
        "success": True, "id": mj("history", "--field", "id", "-n", "1").out.strip(), "task_id": "task-2",
        "tags": [], "starred": False,
    }  # fmt: skip
    assert refs(mj, "--tag", "client") == refs(mj, "--starred") == []


def test_a_star_without_a_job_says_how_to_list_them(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    assert "mj history --starred" in mj("star", check=2).err


def test_without_arguments_the_tags_are_listed(mj: Mj) -> None:
    assert mj("tag").err == 'No tags in profile "default".\n'
    add_jobs(mj, *JOBS)
    mj("tag", "client", "@1", "@2")
    mj("tag", "art", "@1")
    mj("star", "@1")
    assert mj("tag").out == "art: 1\nclient: 2\n"
    assert mj("tag", "--json").json == [{"tag": "art", "jobs": 1}, {"tag": "client", "jobs": 2}]
    assert mj("tag", "-q").out == "art\nclient\n"


def test_jobs_come_from_standard_input_and_each_is_marked_once(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    listed = mj("history", "-q").stdout
    assert mj("tag", "all", "-", "@1", "-q", stdin=listed).out == "task-2\ntask-1\ntask-0\n"


def test_a_saved_file_is_its_job(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result(task_id="task-1"))
    (saved,) = online("imagine", "a cat", "--download", "--json").answer["files"]
    assert online("star", saved, "--field", "task_id").out == "task-1\n"


def test_nothing_changes_if_one_name_is_unknown(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    assert mj("tag", "client", "@1", "@9", check=2).out == ""
    assert refs(mj, "--tag", "client") == []


@pytest.mark.parametrize("word", ["a b", "a,b", "*", "<b>", "\x1b[2J"])
def test_what_cannot_be_a_tag_is_refused(mj: Mj, word: str) -> None:
    add_jobs(mj, *JOBS)
    err = mj("tag", word, "@1", check=2).err
    assert '" is not a tag: it ' in err
    assert "\x1b" not in err
    assert '" is not a tag: it ' in mj("history", "--tag", word, check=2).err


def test_a_missing_or_misplaced_word_is_explained(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    assert next_command(mj("tag", "client", check=2).err) == "mj tag client @last"
    assert next_command(mj("tag", "@2", "client", check=2).err) == "mj tag client @2"
    assert next_command(mj("tag", "--remove", check=2).err) == "mj tag --remove client @last"
    assert "mj star" in mj("star", check=2).err


def test_marks_go_with_the_deleted_job(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    mj("tag", "client", "@1", "@2")
    mj("history", "delete", "@1", "--yes")
    assert mj("tag").out == "client: 1\n"


@pytest.mark.slow
def test_known_tags_are_completed(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    mj("tag", "client", "@1", "@2")
    mj("tag", "art", "@1")
    mj("star", "@1")
    assert mj("--complete", "tag=", "mj", "tag").out == "art\t1 job\nclient\t2 jobs\n"
    assert mj("--complete", "tag=cl", "mj", "history", "--tag").out == "client\t2 jobs\n"
    assert mj("--complete", "tag=", "mj", "--sandbox", "tag").out == ""


@pytest.mark.slow
@posix
def test_the_table_has_the_columns_only_if_a_job_has_marks(mj: Mj) -> None:
    add_jobs(mj, *JOBS)
    assert "TAGS" not in without_colours(terminal_lines(mj, "history", columns=100))[0]
    mj("tag", "client", "@1")
    mj("star", "@2")
    header, *rows = without_colours(terminal_lines(mj, "history", columns=100))
    assert header.split()[:3] == ["@", "*", "AGE"]
    assert header.endswith("  TAGS")
    assert rows[0].endswith("  client")
    assert rows[1].startswith("@2  *  ")
    assert "TAGS" not in without_colours(terminal_lines(mj, "history", columns=80))[0]
