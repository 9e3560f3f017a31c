"""`mj download`: the pictures of earlier jobs, with links that may have expired in the meantime."""

from __future__ import annotations

import datetime
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.cli.test_downloads import SMALL_DISK, UNPRIVILEGED, begun_by, files, links
from tests.service import Received, Reply, Service, fixture, png, task_record

PICTURE = png(50_000)
IMAGE = "1234197197067915365"
TASK = "1bae3bec-3ac4-4180-a148-74ee6cb68b98"
SAVED = f"a-cat_{IMAGE}.png"
REQUEST = {"action": "generate", "prompt": "a cat"}

PAST = "?ex=662fdb36&is=662e89b6&hm=ca9be5&"


def future() -> str:
    """The query of a link that is good for an hour."""
    return f"?ex={int(time.time()) + 3600:x}&is=662e89b6&hm=ca9be5&"


def made(online: Mj, service: Service, *options: object, query: str | None = None, **fields: Any) -> None:
    """A job that an earlier run has seen to its end; its picture is at /files/cat.png."""
    service.files.setdefault("/files/cat.png", PICTURE)
    if "raw_image_url" not in fields:
        fields["raw_image_url"] = links(service, "cat.png")[0] + (future() if query is None else query)
    service.stream([service.result(**fields)])
    online("imagine", "a cat", *options)
    service.received.clear()


def renewed(service: Service, *names: str, task_id: str = TASK, **fields: Any) -> None:
    """The service has fresh links of the task: one picture, or the four of a split."""
    urls = [each + future() for each in links(service, *names)]
    found = {"sub_image_urls": urls} if len(urls) > 1 else {"raw_image_url": urls[0]}
    service.tasks[task_id] = task_record(task_id, REQUEST, {**service.result(), **found, **fields})


def asked(service: Service) -> list[Any]:
    """What the tasks endpoint was asked."""
    return [each.body for each in service.posts(Service.TASKS)]


def in_ledger(mj: Mj, columns: str) -> Any:
    """These columns of the only job."""
    connection = sqlite3.connect(mj.home / "data" / "ledger.db")
    try:
        (row,) = connection.execute(f"SELECT {columns} FROM jobs").fetchall()
    finally:
        connection.close()
    return row


def change_ledger(mj: Mj, statement: str, *values: object) -> None:
    """Something that happened to the only job, or long ago."""
    connection = sqlite3.connect(mj.home / "data" / "ledger.db")
    with connection:
        connection.execute(f"UPDATE jobs SET {statement}", values)
    connection.close()


# -- what is saved, and how it is told -----------------------------------------------------------------


@pytest.mark.parametrize("reference", ["@last", "@1", IMAGE, TASK, TASK[:8], IMAGE[:6]])
def test_the_picture_of_an_earlier_job_is_saved(online: Mj, service: Service, reference: str) -> None:
    made(online, service)
    online("download", reference)
    assert (online.cwd / SAVED).read_bytes() == PICTURE
    assert files(online) == [SAVED]
    assert not service.posts()
    assert not asked(service)


def test_a_job_may_be_named_by_its_place_in_the_ledger(online: Mj, service: Service) -> None:
    made(online, service)
    (uuid,) = in_ledger(online, "uuid")
    online("download", uuid[:8])
    assert files(online) == [SAVED]


def test_under_json_it_is_the_final_object_with_its_files(online: Mj, service: Service) -> None:
    made(online, service)
    query = future()
    answer = online("download", "@last", "--json").answer
    wanted = service.result(raw_image_url=answer["raw_image_url"])
    assert answer == {**wanted, "files": [str(online.cwd / SAVED)]}
    assert answer["raw_image_url"].startswith(links(service, "cat.png")[0] + query[:9])


def test_quiet_and_field_print_the_files_alone(online: Mj, service: Service) -> None:
    made(online, service)
    result = online("download", "@last", "-q")
    assert (result.out, result.err) == (f"{online.cwd / SAVED}\n", "")
    assert online("download", "@last", "--field", "files.0").out == f"{online.cwd / SAVED}\n"


def test_people_are_told_as_after_a_job(online: Mj, service: Service) -> None:
    made(online, service)
    out = online("download", "@last").out
    assert f"file: {online.cwd / SAVED}\n" in out
    assert f"id: {IMAGE}\n" in out
    assert f"next: mj action upscale1 {IMAGE}\n" in out


def test_no_token_is_needed_while_the_link_is_good_and_none_is_sent(online: Mj, service: Service) -> None:
    made(online, service)
    online("download", "@last", env={"MJ_TOKEN": None})
    assert files(online) == [SAVED]
    online("download", "@last", "--force")
    for request in service.gets():
        assert not {"authorization", "cookie", "referer"} & set(request.headers)


def test_the_four_of_a_split_are_saved_in_order(online: Mj, service: Service) -> None:
    names = [f"{n}.png" for n in range(1, 5)]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(names)}
    made(online, service, sub_image_urls=links(service, *names))
    saved = online("download", "@last", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(n) for n in range(4)]
    assert files(online) == [f"a-cat_{IMAGE}_{n}.png" for n in range(1, 5)]


def test_the_ledger_learns_of_the_files(online: Mj, service: Service) -> None:
    made(online, service, "-o", "first/")
    online("download", "@last", "-o", "second/")
    told, due = in_ledger(online, "files, files_due")
    assert told == f'["{online.cwd / "first" / SAVED}", "{online.cwd / "second" / SAVED}"]'
    assert due == 0


# -- where to ------------------------------------------------------------------------------------------


def test_files_go_where_the_job_was_asked_to_save_them(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = b"<html>"
    service.stream([service.result()])
    online("imagine", "a cat", "-o", "cats/{action}-{image_id}.{ext}", check=8)
    service.files["/files/cat.png"] = PICTURE
    service.tasks[TASK] = task_record(TASK, REQUEST, service.result())
    online("download", "@last")
    assert files(online) == [f"cats/generate-{IMAGE}.png"]
    assert in_ledger(online, "files_due") == (0,)


def test_files_go_into_the_default_directory_where_the_job_asked_for_none(
    online: Mj, service: Service
) -> None:
    made(online, service)
    online("download", "@last", env={"MJ_OUTPUT_DIR": str(online.home / "kept")})
    assert (online.home / "kept" / SAVED).read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("output", "name"), [("cats/", f"cats/{SAVED}"), ("new/cats/", f"new/cats/{SAVED}"), ("x.png", "x.png")]
)
def test_output_says_where_to(online: Mj, service: Service, output: str, name: str) -> None:
    made(online, service)
    online("download", "@last", "-o", output)
    assert files(online) == [name]


def test_the_date_in_a_name_is_the_day_of_the_job(online: Mj, service: Service) -> None:
    made(online, service)
    change_ledger(online, "created_at = ?", datetime.datetime(2001, 2, 3, 12).timestamp())
    online("download", "@last", "-o", "{date}_{prompt}_{action}_{task_id}.{ext}")
    assert files(online) == [f"2001-02-03_a-cat_generate_{TASK}.png"]


@pytest.mark.parametrize(
    "image_id", ["../../x", "/etc/x", "..", "a\\..\\b", "\x1b]0;x\x07", "CON", "x" * 300]
)
def test_a_hostile_image_id_stays_in_the_directory(online: Mj, service: Service, image_id: str) -> None:
    made(online, service, image_id=image_id)
    result = online("download", "@last", "-o", "pictures/{image_id}.{ext}")
    (name,) = files(online)
    assert name.startswith("pictures/")
    assert name.count("/") == 1
    assert b"\x1b" not in result.stdout + result.stderr
    assert not [path for path in online.home.rglob("*.png") if online.cwd not in path.parents]


def test_a_directory_that_cannot_be_is_found_before_anything_is_fetched(online: Mj, service: Service) -> None:
    made(online, service)
    (online.cwd / "file").write_text("mine")
    result = online("download", "@last", "-o", "file/below/", "--json", check=2)
    assert result.answer["error"]["code"] == "config"
    assert not service.received


def test_a_read_only_directory_is_found_before_anything_is_fetched(online: Mj, service: Service) -> None:
    made(online, service)
    (online.cwd / "kept").mkdir(mode=0o500)
    if os.geteuid() != 0:
        result = online("download", "@last", "-o", "kept/", check=2)
    else:
        if not sys.platform.startswith("linux"):
            pytest.skip("the superuser writes into every directory")
        result = begun_by(online, UNPRIVILEGED, "download", "@last", "-o", "kept/")
        if result.err == "prctl\n":
            pytest.skip("the superuser's privileges cannot be dropped here")
    assert result.status == 2
    assert "kept" in result.err
    assert not service.received


def test_one_file_name_for_several_jobs_is_refused(online: Mj, service: Service) -> None:
    made(online, service)
    assert "x.png" in online("download", "@last", "@last", "-o", "x.png", check=2).err
    assert not service.received
    online("download", "@last", "@last", "-o", "{image_id}.png")


# -- what is there already -----------------------------------------------------------------------------


def test_a_saved_job_is_reported_without_any_request(online: Mj, service: Service) -> None:
    made(online, service, "--download", query=PAST)
    result = online("download", "@last", "--json", env={"MJ_TOKEN": None})
    assert result.answer["files"] == [str(online.cwd / SAVED)]
    assert f"{SAVED} was there already" in result.err
    assert not service.received


def test_files_saved_elsewhere_before_are_reported_without_any_request(online: Mj, service: Service) -> None:
    made(online, service, query=future())
    online("download", "@last", "-o", "elsewhere/")
    service.received.clear()
    result = online("download", "@last", "-q")
    assert result.out == f"{online.cwd / 'elsewhere' / SAVED}\n"
    assert not service.received


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_file_that_is_gone_or_cut_is_fetched_again(online: Mj, service: Service, damage: str) -> None:
    made(online, service, "--download")
    if damage == "gone":
        (online.cwd / SAVED).unlink()
    else:
        (online.cwd / SAVED).write_bytes(PICTURE[:1000])
    online("download", "@last")
    assert (online.cwd / SAVED).read_bytes() == PICTURE
    assert files(online) == [SAVED]


def test_a_whole_file_at_the_place_asked_for_is_kept_without_any_request(
    online: Mj, service: Service
) -> None:
    made(online, service, query=PAST)
    (online.cwd / SAVED).write_bytes(png(7))
    result = online("download", "@last", "-o", "./")
    assert "was kept" in result.err
    assert (online.cwd / SAVED).read_bytes() == png(7)
    assert not service.received


def test_force_fetches_it_again(online: Mj, service: Service) -> None:
    made(online, service, "--download")
    (online.cwd / SAVED).write_bytes(png(7))
    online("download", "@last", "--force")
    assert (online.cwd / SAVED).read_bytes() == PICTURE


def test_of_four_pictures_only_the_missing_one_is_fetched(online: Mj, service: Service) -> None:
    names = [f"{n}.png" for n in range(1, 5)]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(names)}
    made(online, service, "--download", sub_image_urls=links(service, *names))
    (online.cwd / f"a-cat_{IMAGE}_3.png").unlink()
    answer = online("download", "@last", "--json").answer
    assert len(answer["files"]) == 4
    assert [each.path for each in service.gets()] == ["/files/3.png"]


def test_files_that_failed_without_being_asked_for_are_left_to_this_command(
    online: Mj, service: Service
) -> None:
    made(online, service)
    service.files["/files/cat.png"] = b"<html>"
    result = online("download", "@last", "-o", "my cats/", check=8)
    assert "web page" in result.err
    assert f"next: mj download {TASK} -o 'my cats/'\n" in result.err
    assert in_ledger(online, "files, files_due") == ("[]", 0)


# -- links that say that they have expired -------------------------------------------------------------


def test_a_link_that_says_so_is_renewed_before_it_is_tried(online: Mj, service: Service) -> None:
    made(online, service, query=PAST)
    service.files["/files/fresh.png"] = png(9)
    renewed(service, "fresh.png")
    answer = online("download", "@last", "--json").answer
    assert (online.cwd / SAVED).read_bytes() == png(9)
    assert asked(service) == [{"action": "retrieve", "id": TASK}]
    assert not service.posts()
    assert [each.path for each in service.gets()] == ["/files/fresh.png"]
    assert answer["raw_image_url"].startswith(links(service, "fresh.png")[0])


def test_the_ledger_keeps_the_fresh_link_so_that_the_next_time_needs_no_question(
    online: Mj, service: Service
) -> None:
    made(online, service, query=PAST)
    service.files["/files/fresh.png"] = png(9)
    renewed(service, "fresh.png")
    online("download", "@last")
    service.received.clear()
    online("download", "@last", "-o", "again/", env={"MJ_TOKEN": None})
    assert not asked(service)
    assert [each.path for each in service.gets()] == ["/files/fresh.png"]


def test_four_links_that_have_expired_are_asked_for_once(online: Mj, service: Service) -> None:
    names = [f"{n}.png" for n in range(1, 5)]
    fresh = [f"fresh{n}.png" for n in range(1, 5)]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(fresh)}
    made(online, service, sub_image_urls=[each + PAST for each in links(service, *names)])
    renewed(service, *fresh)
    saved = online("download", "@last", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(n) for n in range(4)]
    assert len(asked(service)) == 1
    assert sorted(each.path for each in service.gets()) == [f"/files/{each}" for each in fresh]


def no_token(_service: Service) -> dict[str, str | None]:
    return {"MJ_TOKEN": None}


def nobody_there(_service: Service) -> dict[str, str | None]:
    return {"MJ_BASE_URL": "http://127.0.0.1:9"}


def refusing(service: Service) -> dict[str, str | None]:
    service.scripts[Service.TASKS] = lambda _r, reply: reply.json({"error": {"code": "no_api"}}, 404)
    return {}


def forgetful(_service: Service) -> dict[str, str | None]:
    return {}


@pytest.mark.parametrize("trouble", [no_token, nobody_there, refusing, forgetful])
def test_without_a_fresh_link_the_old_one_is_tried_since_our_clock_may_be_wrong(
    online: Mj, service: Service, trouble: Any
) -> None:
    made(online, service, query=PAST)
    online("download", "@last", env=trouble(service))
    assert (online.cwd / SAVED).read_bytes() == PICTURE
    assert not service.posts()
    assert service.gets()[0].query["ex"] == "662fdb36"


def test_a_link_that_is_refused_is_renewed_too(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    made(online, service)
    service.files["/files/fresh.png"] = png(9)
    renewed(service, "fresh.png")
    online("download", "@last")
    assert (online.cwd / SAVED).read_bytes() == png(9)
    assert len(asked(service)) == 1
    assert not service.posts()
    assert "fresh.png" in in_ledger(online, "result")[0]


def test_a_link_that_stays_expired_is_asked_for_once_and_exits_8(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    made(online, service, query=PAST)
    answer = online("download", "@last", "--json", check=8).answer
    assert answer["error"]["code"] == "download"
    assert "billed, once" in answer["error"]["message"]
    assert (
        "A fresh link could not be had: The service does not know it any more." in answer["error"]["message"]
    )
    assert answer["task_id"] == TASK
    assert answer["files"] == []
    assert len(asked(service)) == 1
    assert files(online) == []


@pytest.mark.parametrize("page", [b"<!doctype html><title>gone</title>", b""])
def test_a_link_that_leads_to_a_page_in_place_of_the_picture_is_renewed_too(
    online: Mj, service: Service, page: bytes
) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(page)
    made(online, service)
    service.files["/files/fresh.png"] = png(9)
    renewed(service, "fresh.png")
    online("download", "@last")
    assert (online.cwd / SAVED).read_bytes() == png(9)


def test_fresh_links_of_another_number_are_not_mixed_up(online: Mj, service: Service) -> None:
    names = ["1.png", "2.png"]
    service.files |= {"/files/1.png": png(1), "/files/2.png": png(2), "/files/fresh.png": png(9)}
    made(online, service, sub_image_urls=[each + PAST for each in links(service, *names)])
    renewed(service, "fresh.png")
    saved = online("download", "@last", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(1), png(2)]


def test_a_job_that_has_just_finished_does_not_ask(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = PICTURE
    service.stream([service.result(raw_image_url=links(service, "cat.png")[0] + PAST)])
    online("imagine", "a cat", "--download")
    assert files(online) == [SAVED]
    assert not asked(service)


def test_a_job_whose_answer_did_not_tell_its_task_is_asked_about_all_the_same(
    online: Mj, service: Service
) -> None:
    service.files["/files/fresh.png"] = png(9)
    final = service.result(raw_image_url=links(service, "cat.png")[0] + PAST)
    del final["task_id"]
    service.stream([{"task_id": TASK, "progress": 10}, final])
    online("imagine", "a cat")
    renewed(service, "fresh.png")
    online("download", "@last")
    assert len(asked(service)) == 1
    assert len(files(online)) == 1


def test_the_sandbox_of_an_earlier_run_is_asked_for_links_that_lead_somewhere(mj: Mj) -> None:
    made_by = mj("--sandbox", "imagine", "a cat", "--json").answer
    answer = mj("--sandbox", "download", "@last", "--json").answer
    assert Path(answer["files"][0]).read_bytes().startswith(b"\x89PNG")
    assert answer["image_id"] == made_by["image_id"]


# -- several -------------------------------------------------------------------------------------------


def three(online: Mj, service: Service) -> None:
    """Jobs 1, 2 and 3, the last one the newest."""
    for n in (1, 2, 3):
        service.files[f"/files/{n}.png"] = png(n)
        url = links(service, f"{n}.png")[0] + future()
        made(online, service, image_id=f"image-{n}", task_id=f"task-{n}", raw_image_url=url)


def test_several_are_answered_in_the_order_asked(online: Mj, service: Service) -> None:
    three(online, service)
    result = online("download", "@2", "task-1", "image-3", "--json")
    assert [each["image_id"] for each in result.json] == ["image-2", "image-1", "image-3"]
    assert [Path(each["files"][0]).read_bytes() for each in result.json] == [png(2), png(1), png(3)]


def test_ids_may_stand_on_standard_input(online: Mj, service: Service) -> None:
    three(online, service)
    result = online("download", "-", "-q", stdin="@2\n\nimage-1\n")
    assert result.out.splitlines() == [str(online.cwd / f"a-cat_image-{n}.png") for n in (2, 1)]


def test_one_that_fails_does_not_stop_the_others(online: Mj, service: Service) -> None:
    three(online, service)
    service.files["/files/1.png"] = b"<html>"
    result = online("download", "nobody-knows", "@3", "@9", "@2", "--json", check=4)
    assert [each.get("error", {}).get("code") for each in result.json] == [
        "bad_request",
        "download",
        "usage",
        None,
    ]
    assert files(online) == ["a-cat_image-2.png"]
    online("download", "@9", "nobody-knows", "@2", check=2)
    online("download", "@3", "nobody-knows", check=8)


def test_without_a_token_only_those_that_need_one_fail(online: Mj, service: Service) -> None:
    three(online, service)
    result = online("download", "elsewhere", "@last", "--json", env={"MJ_TOKEN": None}, check=3)
    assert result.json[0]["error"]["code"] == "no_token"
    assert files(online) == ["a-cat_image-3.png"]


def test_the_same_job_twice_is_saved_once_and_told_twice(online: Mj, service: Service) -> None:
    made(online, service)
    result = online("download", "@last", TASK, "-q")
    assert result.out == f"{online.cwd / SAVED}\n" * 2
    assert len(service.gets()) == 1


# -- jobs that the ledger does not know ----------------------------------------------------------------


def test_a_task_made_elsewhere_is_asked_about_and_saved(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = PICTURE
    request = {"action": "generate", "prompt": "a dog on a roof --ar 1:1"}
    when = datetime.datetime(2001, 2, 3, 12).timestamp()
    service.tasks["elsewhere"] = task_record("elsewhere", request, service.result(), created_at=when)
    answer = online("download", "elsewhere", "-o", "{date}_{prompt}_{action}.{ext}", "--json").answer
    assert answer == {
        **service.result(),
        "files": [str(online.cwd / "2001-02-03_a-dog-on-a-roof_generate.png")],
    }
    assert len(asked(service)) == 1
    assert not service.posts()


@pytest.mark.parametrize("when", [1e300, -1e300, 1.7e12, "yesterday", None])
def test_a_moment_that_no_calendar_has_does_no_harm(online: Mj, service: Service, when: object) -> None:
    service.files["/files/cat.png"] = PICTURE
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, service.result(), created_at=when)
    online("download", "elsewhere", "-o", "{date}.{ext}")
    assert len(files(online)) == 1


def test_a_task_that_still_runs_is_7_and_the_way_on_is_told(online: Mj, service: Service) -> None:
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, None, progress=10)
    result = online("download", "elsewhere", "-o", "my cats/", check=7)
    assert "next: mj describe-task elsewhere --wait --download -o 'my cats/'\n" in result.err
    assert online("download", "elsewhere", "-q", check=7).out == "elsewhere\n"
    answer = online("download", "elsewhere", "--json", check=7).answer
    assert (answer["error"]["code"], answer["task_id"]) == ("timeout", "elsewhere")


def test_a_task_that_failed_is_4_with_its_own_error(online: Mj, service: Service) -> None:
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, fixture("error.json"))
    answer = online("download", "elsewhere", "--json", check=4).answer
    assert answer["error"] == fixture("error.json")["error"]


def test_an_id_that_nobody_knows_is_4_and_what_could_be_named_is_said(online: Mj, service: Service) -> None:
    result = online("download", "9999999999999999999", check=4)
    assert "Neither the ledger nor the service" in result.err
    assert "by the id of its task only" in result.err


def test_a_task_without_a_link_is_8(online: Mj, service: Service) -> None:
    service.tasks["elsewhere"] = {"id": "elsewhere", "finished_at": 1.0, "response": {"success": True}}
    assert "no link" in online("download", "elsewhere", check=8).err


@pytest.mark.parametrize("arguments", [["@last"], ["@0"], [""], ["two words"], [], ["-"]])
def test_what_names_no_job_is_a_usage_error(online: Mj, service: Service, arguments: list[str]) -> None:
    online("download", *arguments, check=2, stdin="")
    assert not service.received


def test_the_beginning_of_more_than_one_id_is_a_usage_error(online: Mj, service: Service) -> None:
    three(online, service)
    assert "more than one" in online("download", "image-", check=2).err
    assert not service.received


# -- jobs that are not done ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["running", "submitting", "unknown"])
def test_a_job_that_is_not_done_is_7_and_the_way_on_is_told(online: Mj, service: Service, state: str) -> None:
    made(online, service)
    change_ledger(online, "state = ?, result = NULL", state)
    result = online("download", "@last", check=7)
    assert "no picture yet" in result.err
    assert state in result.err
    assert f"next: mj resume {TASK}\n" in result.err
    assert online("download", "@last", "--json", check=7).answer["success"] is False
    assert not service.received


def test_a_failed_job_is_4_and_not_billed(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"))
    online("imagine", "a cat", check=4)
    result = online("download", "@last", check=4)
    assert "There is no picture. The service refused this" in result.err
    assert "nothing is paid" in result.err
    code = fixture("error.json")["error"]["code"]
    assert online("download", "@last", "--json", check=4).answer["error"]["code"] == code


@pytest.mark.parametrize("code", ["used_up", "invalid_token", "network"])
def test_a_job_that_failed_in_whatever_way_is_4(online: Mj, service: Service, code: str) -> None:
    made(online, service)
    change_ledger(online, "state = 'failed', error = ?", f'{{"code": "{code}", "message": "no"}}')
    online("download", "@last", check=4)


def test_of_a_job_that_was_given_up_nobody_says_that_it_is_not_billed(online: Mj, service: Service) -> None:
    made(online, service)
    change_ledger(
        online, "state = 'failed', error = ?", '{"code": "given_up", "message": "Given up by the user."}'
    )
    err = online("download", "@last", check=4).err
    assert "Given up by the user" in err
    assert "billed" not in err


def test_a_job_without_a_link_is_8(online: Mj, service: Service) -> None:
    made(online, service)
    change_ledger(online, "result = ?", '{"success": true, "progress": 100, "task_id": "t"}')
    result = online("download", "@last", check=8)
    assert "no link" in result.err
    assert not service.received


# -- faults --------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_torso(online: Mj, service: Service) -> None:
    pytest.importorskip("resource")
    service.files["/files/cat.png"] = png(1_000_000)
    made(online, service)
    result = begun_by(online, SMALL_DISK, "download", "@last", "--json")
    assert result.status == 8, result.err
    assert result.answer["error"]["code"] == "download"
    assert "cannot be written" in result.err
    assert files(online) == []


def test_a_ledger_that_cannot_be_written_does_not_cost_the_file(online: Mj, service: Service) -> None:
    made(online, service)
    connection = sqlite3.connect(online.home / "data" / "ledger.db")
    connection.execute("CREATE TRIGGER no BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.commit()
    connection.close()
    assert online("download", "@last", "-q").out == f"{online.cwd / SAVED}\n"


def stalling(service: Service) -> tuple[threading.Event, threading.Event]:
    """The picture comes to a half until the second event is set; the first one tells that it has been asked for."""
    begun, go_on = threading.Event(), threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, length=len(PICTURE))
        reply.send(PICTURE[:1000])
        begun.set()
        go_on.wait(60)
        reply.send(PICTURE[1000:])

    service.files["/files/cat.png"] = script
    return begun, go_on


@pytest.mark.parametrize("command", [("download", "@last"), ("describe-task", TASK, "--download")])
def test_what_a_killed_mj_left_there_is_swept_away_but_not_what_is_being_written(
    online: Mj, service: Service, command: tuple[str, ...]
) -> None:
    begun, go_on = stalling(service)
    made(online, service)
    service.tasks[TASK] = task_record(TASK, REQUEST, service.result())
    killed = online.start(*command)
    assert begun.wait(30)
    killed.kill()
    killed.communicate()
    (torso,) = files(online)
    assert torso.startswith(f".mj-{killed.pid}-")
    begun.clear()
    living = online.start("download", "@last")
    try:
        assert begun.wait(30)
        (part,) = files(online)
        assert part.startswith(f".mj-{living.pid}-")
        service.files["/files/cat.png"] = PICTURE
        online(*command, "-o", "other.png")
        assert set(files(online)) == {part, "other.png"}
    finally:
        go_on.set()
        living.communicate(timeout=30)
    assert living.returncode == 0
    assert files(online) == [SAVED, "other.png"]


def test_interrupted_it_leaves_nothing_and_says_how_to_go_on(online: Mj, service: Service) -> None:
    begun, _go_on = stalling(service)
    made(online, service)
    process = online.start("download", "@last", "-o", "cats/", "--json")
    assert begun.wait(30)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"next: mj download {TASK} -o cats/\n" in err.decode()
    assert "nothing was sent" not in err.decode()
    assert files(online) == []
