"""`mj history show`: everything about one job, and its parent images; hostile text is harmless."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support.history import FIELDS, add_jobs, run_job, show_fields
from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service
from tests.support.terminal import EVIL, harmless

# -- one job -------------------------------------------------------------------------------------------


def test_show_prints_everything_about_a_job(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    run_job(online, service, "cat", "imagine", "a cat", "--ar", "16:9", "--download")
    (saved,) = online.cwd.iterdir()
    answer = online("history", "--json").answer
    fields = show_fields(online, "@last")
    assert list(fields) == [
        "job", "ref", "state", "kind", "action", "prompt", "task", "id", "profile", "host", "created", "sent",
        "accepted", "ended", "took", "request action", "request prompt", "link", "size", "actions", "file", "next",
    ]  # fmt: skip
    assert fields["job"] == [answer["id"]]
    assert fields["ref"] == ["@1"]
    assert fields["state"] == ["done"]
    assert (fields["kind"], fields["action"], fields["prompt"]) == (
        ["imagine"],
        ["generate"],
        ["a cat --ar 16:9"],
    )
    assert (fields["task"], fields["id"]) == (["task-cat"], ["image-cat"])
    assert fields["host"] == [service.base_url]
    assert fields["request prompt"] == ["a cat --ar 16:9"]
    assert fields["link"] == [f"{service.base_url}/files/cat.png"]
    assert fields["size"] == ["2048x2048"]
    assert fields["actions"][0].startswith("upscale1 upscale2 ")
    assert fields["file"] == [str(saved)]
    assert fields["next"] == ["mj upscale 1 image-cat"]
    created = datetime.strptime(fields["created"][0], "%Y-%m-%d %H:%M:%S %z")
    assert created == datetime.fromisoformat(answer["created_at"])
    saved.unlink()
    assert show_fields(online, "@last")["file"] == [f"{saved} (missing)"]


def test_the_duration_is_from_sending_to_the_end(mj: Mj) -> None:
    add_jobs(mj, {"sent_at": 1000.25, "ended_at": 1063.0}, {"sent_at": 2000, "ended_at": 1990})
    assert show_fields(mj, "@2")["took"] == ["62.8 s"]
    assert "took" not in show_fields(mj, "@1")  # the clock was set back


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"state": "submitting", "sent_at": None}, "submitting (not sent)"),
        ({"state": "submitting"}, "submitting (may have been accepted and billed)"),
        ({"state": "unknown"}, "unknown (may have been accepted and billed)"),
        ({"state": "running"}, "running (billed if it succeeds)"),
        ({"state": "failed"}, "failed (not billed)"),
        ({"state": "failed", "error": {"code": "given_up"}, "sent_at": None}, "failed (not billed)"),
        (
            {"state": "failed", "error": {"code": "given_up"}},
            "failed (given up; billed if it was accepted and succeeds)",
        ),
        (
            {"state": "failed", "error": {"code": "resubmitted"}},
            "failed (given up; billed if it was accepted and succeeds)",
        ),
        ({"state": "done"}, "done"),
        ({"state": "running", "host": "sandbox"}, "running"),
    ],
)
def test_the_state_explains_the_bill(mj: Mj, row: dict[str, Any], state: str) -> None:
    add_jobs(mj, row)
    assert show_fields(mj, "@1")["state"] == [state]
    assert mj("history", "show", "@1", "--field", "state").out == f"{row['state']}\n"


def test_an_unfinished_job_suggests_resume(mj: Mj) -> None:
    add_jobs(
        mj,
        {"state": "running", "task_id": "the-task"},
        {"state": "unknown", "uuid": "12345678-9"},
        {"files_due": 2, "task_id": "due", "result": {"image_id": "1", "actions": ["upscale1"]}},
        {"state": "failed", "error": {"code": "forbidden", "message": "No."}},
    )
    assert show_fields(mj, "@4")["next"] == ["mj resume the-task"]
    assert show_fields(mj, "@3")["next"] == ["mj resume 12345678"]
    assert show_fields(mj, "@2")["next"] == ["mj resume due"]
    assert show_fields(mj, "@2")["files due"] == ["2"]
    assert "next" not in show_fields(mj, "@1")
    assert show_fields(mj, "@1")["error"] == ["forbidden: No."]


def test_a_mask_is_shortened_except_in_json(mj: Mj) -> None:
    add_jobs(mj, {"request": {"action": "variation_region", "mask": "A" * 9000, "image_id": "1"}})
    assert show_fields(mj, "@1")["request mask"] == ["A" * 500 + "… (9000 characters)"]
    assert mj("history", "show", "@1", "--json").answer["request"]["mask"] == "A" * 9000


def test_several_jobs_are_printed_in_the_given_order(mj: Mj) -> None:
    add_jobs(mj, *({"task_id": f"task-{name}"} for name in "abc"))
    answers = mj("history", "show", "task-a", "-", "@last", "--json", stdin="@2\n\ntask-a\n").json
    assert [each["task_id"] for each in answers] == ["task-a", "task-b", "task-a", "task-c"]
    assert [each["ref"] for each in answers] == ["@3", "@2", "@3", "@1"]
    assert all(tuple(each) == (*FIELDS, "parents") for each in answers)


def test_quiet_prints_the_files_else_the_link_else_the_task(mj: Mj) -> None:
    link = {"raw_image_url": "https://e/x.png"}
    add_jobs(
        mj,
        {"files": ["/a.png", "/b.png"], "result": link},
        {"result": link, "task_id": "t1"},
        {"task_id": "t2", "state": "running"},
        {"uuid": "the-uuid", "state": "unknown"},
    )
    out = mj("history", "show", "-q", "@4", "@3", "@2", "@1").out
    assert out == "/a.png\n/b.png\nhttps://e/x.png\nt2\nthe-uuid\n"


@pytest.mark.parametrize("wrong", ["@4", "@0", "nothing-like-it", "task", "a b", ""])
def test_nothing_is_printed_if_one_of_the_jobs_is_unknown(mj: Mj, wrong: str) -> None:
    add_jobs(mj, *({"task_id": f"task-{name}"} for name in "abc"))
    result = mj("history", "show", "@1", wrong, check=2)
    assert result.out == ""
    assert mj("history", "show", "@1", wrong, "--json", check=2).answer["error"]["code"] == "usage"


def test_an_ambiguous_prefix_lists_the_jobs(mj: Mj) -> None:
    add_jobs(mj, {"task_id": "7489df4c-a", "subject": "a cat"}, {"task_id": "7489df4c-b", "subject": "a dog"})
    err = mj("history", "show", "7489df4c", check=2).err
    assert "7489df4c-a (a cat)" in err
    assert "7489df4c-b (a dog)" in err
    assert show_fields(mj, "7489df4c-b")["prompt"] == ["a dog"]


# -- parent images --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_parents_are_printed_nearest_first(online: Mj, service: Service) -> None:
    run_job(online, service, "cat")
    run_job(online, service, "grid", "action", "variation1", "@last")
    run_job(online, service, "whole", "action", "upscale2", "@last")
    run_job(online, service, "other")
    assert show_fields(online, "task-whole")["from"] == [
        "image-grid  variation1  a cat  (@3)",
        "image-cat  generate  a cat  (@4)",
    ]
    answer = online("history", "show", "task-whole", "--json").answer
    assert answer["parent_image"] == "image-grid"
    parents = answer["parents"]
    assert [each["image_id"] for each in parents] == ["image-grid", "image-cat"]
    assert [each["ref"] for each in parents] == ["@3", "@4"]
    assert all(tuple(each) == FIELDS for each in parents)
    assert "from" not in show_fields(online, "task-cat")


@pytest.mark.slow
def test_an_image_that_the_ledger_does_not_know_ends_the_chain(online: Mj, service: Service) -> None:
    run_job(online, service, "grid", "action", "variation1", "image-elsewhere")
    run_job(online, service, "whole", "action", "upscale2", "@last")
    assert show_fields(online, "@1")["from"] == ["image-grid  variation1  (@2)", "image-elsewhere"]
    assert online("history", "show", "@2", "--json").answer["parents"] == [{"image_id": "image-elsewhere"}]


@pytest.mark.parametrize(
    ("rows", "chain"),
    [
        ([("a", "b"), ("b", "a")], ["a"]),
        ([("a", "a")], []),
        ([("a", "b"), ("b", "c"), ("c", "b")], ["b"]),
    ],
)
def test_a_cycle_of_parents_ends(mj: Mj, rows: list[tuple[str, str]], chain: list[str]) -> None:
    add_jobs(mj, *({"image_id": image, "parent_image": parent} for image, parent in rows))
    parents = mj("history", "show", "@1", "--json").answer["parents"]
    assert [each["image_id"] for each in parents] == chain


# -- hostile text --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", EVIL)
def test_control_characters_are_made_visible(mj: Mj, name: str) -> None:
    evil = EVIL[name]
    add_jobs(
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
    assert line.count("\t") == 8
    shown = mj("history", "show", "@1").out
    harmless(shown)
    assert "\nlink: https://evil/" not in shown
    for arguments in (["history"], ["history", "show", "@1"]):
        result = mj(*arguments, "--json")
        harmless(result.out)
        assert result.answer["prompt"] == f"p{evil}"
        assert result.answer["error"]["message"] == f"m{evil}"
        harmless(mj(*arguments, "-q").out)


def test_markup_is_literal(mj: Mj) -> None:
    add_jobs(mj, {"subject": "[bold]x[/bold] :smile: %s {0}"})
    assert "[bold]x[/bold] :smile: %s {0}" in mj("history").out
    assert "prompt: [bold]x[/bold] :smile: %s {0}\n" in mj("history", "show", "@1").out
