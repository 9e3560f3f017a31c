"""`mj download`: the images of earlier jobs: where they go, and which are downloaded."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

import pytest

from tests.support.earlier import (
    EXPIRED,
    IMAGE_DATA,
    IMAGE_ID,
    REQUEST,
    SAVED,
    TASK_ID,
    run_earlier_job,
    task_queries,
    valid_query,
)
from tests.support.images import png
from tests.support.ledger import change_ledger, in_ledger
from tests.support.program import UNPRIVILEGED, Mj, files, run_after
from tests.support.scripts import links
from tests.support.service import Service, fixture, task_record

# -- results -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["@last", "@1", IMAGE_ID, TASK_ID, TASK_ID[:8], IMAGE_ID[:6]])
def test_the_image_of_an_earlier_job_is_saved(online: Mj, service: Service, reference: str) -> None:
    run_earlier_job(online, service)
    online("download", reference)
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA
    assert files(online) == [SAVED]
    assert not service.posts()
    assert not task_queries(service)


def test_a_job_can_be_named_by_its_ledger_id(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    (uuid,) = in_ledger(online, "uuid")
    online("download", uuid[:8])
    assert files(online) == [SAVED]


def test_json_prints_the_result_with_its_files(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    query = valid_query()
    answer = online("download", "@last", "--json").answer
    expected = service.result(raw_image_url=answer["raw_image_url"])
    assert answer == {**expected, "files": [str(online.cwd / SAVED)]}
    assert answer["raw_image_url"].startswith(links(service, "cat.png")[0] + query[:9])


def test_quiet_and_field_print_only_the_files(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    result = online("download", "@last", "-q")
    assert (result.out, result.err) == (f"{online.cwd / SAVED}\n", "")
    assert online("download", "@last", "--field", "files.0").out == f"{online.cwd / SAVED}\n"


def test_the_result_is_printed_like_that_of_a_new_job(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    out = online("download", "@last").out
    assert f"file: {online.cwd / SAVED}\n" in out
    assert f"id: {IMAGE_ID}\n" in out
    assert f"next: mj upscale 1 {IMAGE_ID}\n" in out


def test_a_valid_link_needs_no_token_and_none_is_sent(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    online("download", "@last", env={"MJ_TOKEN": None})
    assert files(online) == [SAVED]
    online("download", "@last", "--force")
    for request in service.gets():
        assert not {"authorization", "cookie", "referer"} & set(request.headers)


def test_four_split_images_are_saved_in_order(online: Mj, service: Service) -> None:
    names = [f"{n}.png" for n in range(1, 5)]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(names)}
    run_earlier_job(online, service, sub_image_urls=links(service, *names))
    saved = online("download", "@last", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(n) for n in range(4)]
    assert files(online) == [f"a-cat_{IMAGE_ID}_{n}.png" for n in range(1, 5)]


def test_the_ledger_records_the_files(online: Mj, service: Service) -> None:
    run_earlier_job(online, service, "-o", "first/")
    online("download", "@last", "-o", "second/")
    recorded, due = in_ledger(online, "files, files_due")
    assert recorded == f'["{online.cwd / "first" / SAVED}", "{online.cwd / "second" / SAVED}"]'
    assert due == 0


# -- destinations --------------------------------------------------------------------------------------


def test_files_go_to_the_destination_of_the_job(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = b"<html>"
    service.stream([service.result()])
    online("imagine", "a cat", "-o", "cats/{action}-{image_id}.{ext}", check=8)
    service.files["/files/cat.png"] = IMAGE_DATA
    service.tasks[TASK_ID] = task_record(TASK_ID, REQUEST, service.result())
    online("download", "@last")
    assert files(online) == [f"cats/generate-{IMAGE_ID}.png"]
    assert in_ledger(online, "files_due") == (0,)


def test_files_of_a_job_without_a_destination_go_to_the_default_directory(
    online: Mj, service: Service
) -> None:
    run_earlier_job(online, service)
    online("download", "@last", env={"MJ_OUTPUT_DIR": str(online.home / "default")})
    assert (online.home / "default" / SAVED).read_bytes() == IMAGE_DATA


@pytest.mark.parametrize(
    ("output", "name"), [("cats/", f"cats/{SAVED}"), ("new/cats/", f"new/cats/{SAVED}"), ("x.png", "x.png")]
)
def test_output_overrides_the_destination(online: Mj, service: Service, output: str, name: str) -> None:
    run_earlier_job(online, service)
    online("download", "@last", "-o", output)
    assert files(online) == [name]


def test_the_date_in_a_name_is_the_day_of_the_job(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    change_ledger(online, "created_at = ?", datetime.datetime(2001, 2, 3, 12).timestamp())
    online("download", "@last", "-o", "{date}_{prompt}_{action}_{task_id}.{ext}")
    assert files(online) == [f"2001-02-03_a-cat_generate_{TASK_ID}.png"]


@pytest.mark.parametrize(
    "image_id", ["../../x", "/etc/x", "..", "a\\..\\b", "\x1b]0;x\x07", "CON", "x" * 300]
)
def test_a_hostile_image_id_stays_in_the_directory(online: Mj, service: Service, image_id: str) -> None:
    run_earlier_job(online, service, image_id=image_id)
    result = online("download", "@last", "-o", "images/{image_id}.{ext}")
    (name,) = files(online)
    assert name.startswith("images/")
    assert name.count("/") == 1
    assert b"\x1b" not in result.stdout + result.stderr
    assert not [path for path in online.home.rglob("*.png") if online.cwd not in path.parents]


def test_an_impossible_directory_is_refused_before_anything_is_downloaded(
    online: Mj, service: Service
) -> None:
    run_earlier_job(online, service)
    (online.cwd / "file").write_text("mine")
    result = online("download", "@last", "-o", "file/below/", "--json", check=2)
    assert result.answer["error"]["code"] == "config"
    assert not service.received


def test_a_read_only_directory_is_refused_before_anything_is_downloaded(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    (online.cwd / "locked").mkdir(mode=0o500)
    if os.geteuid() != 0:
        result = online("download", "@last", "-o", "locked/", check=2)
    else:
        if not sys.platform.startswith("linux"):
            pytest.skip("the superuser writes into every directory")
        result = run_after(online, UNPRIVILEGED, "download", "@last", "-o", "locked/")
        if result.err == "prctl\n":
            pytest.skip("the superuser's privileges cannot be dropped here")
    assert result.status == 2
    assert "locked" in result.err
    assert not service.received


def test_one_file_name_for_several_jobs_is_refused(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    assert "x.png" in online("download", "@last", "@last", "-o", "x.png", check=2).err
    assert not service.received
    online("download", "@last", "@last", "-o", "{image_id}.png")


# -- existing files ------------------------------------------------------------------------------------


def test_a_saved_job_is_reported_without_any_request(online: Mj, service: Service) -> None:
    run_earlier_job(online, service, "--download", query=EXPIRED)
    result = online("download", "@last", "--json", env={"MJ_TOKEN": None})
    assert result.answer["files"] == [str(online.cwd / SAVED)]
    assert f"{SAVED}, which already exists" in result.err
    assert not service.received


def test_files_saved_elsewhere_are_reported_without_any_request(online: Mj, service: Service) -> None:
    run_earlier_job(online, service, query=valid_query())
    online("download", "@last", "-o", "elsewhere/")
    service.received.clear()
    result = online("download", "@last", "-q")
    assert result.out == f"{online.cwd / 'elsewhere' / SAVED}\n"
    assert not service.received


@pytest.mark.parametrize("damage", ["missing", "incomplete"])
def test_a_missing_or_incomplete_file_is_downloaded_again(online: Mj, service: Service, damage: str) -> None:
    run_earlier_job(online, service, "--download")
    if damage == "missing":
        (online.cwd / SAVED).unlink()
    else:
        (online.cwd / SAVED).write_bytes(IMAGE_DATA[:1000])
    online("download", "@last")
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA
    assert files(online) == [SAVED]


def test_a_file_of_the_job_at_the_destination_is_kept_without_any_request(
    online: Mj, service: Service
) -> None:
    run_earlier_job(online, service, "--download", query=EXPIRED)
    result = online("download", "@last", "-o", "./")
    assert f"Kept {online.cwd / SAVED}" in result.err
    assert not service.received


def test_force_downloads_it_again(online: Mj, service: Service) -> None:
    run_earlier_job(online, service, "--download")
    (online.cwd / SAVED).write_bytes(png(7))
    online("download", "@last", "--force")
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA


def test_of_four_images_only_the_missing_one_is_downloaded(online: Mj, service: Service) -> None:
    names = [f"{n}.png" for n in range(1, 5)]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(names)}
    run_earlier_job(online, service, "--download", sub_image_urls=links(service, *names))
    (online.cwd / f"a-cat_{IMAGE_ID}_3.png").unlink()
    answer = online("download", "@last", "--json").answer
    assert len(answer["files"]) == 4
    assert [each.path for each in service.gets()] == ["/files/3.png"]


def test_failed_downloads_that_the_job_did_not_request_are_not_left_to_resume(
    online: Mj, service: Service
) -> None:
    run_earlier_job(online, service)
    service.files["/files/cat.png"] = b"<html>"
    result = online("download", "@last", "-o", "my cats/", check=8)
    assert "web page" in result.err
    assert f'next: mj download {TASK_ID} -o "my cats/"\n' in result.err
    assert in_ledger(online, "files, files_due") == ("[]", 0)


# -- several jobs --------------------------------------------------------------------------------------


def run_three_jobs(online: Mj, service: Service) -> None:
    """Run jobs 1, 2 and 3; 3 is the newest."""
    for n in (1, 2, 3):
        service.files[f"/files/{n}.png"] = png(n)
        url = links(service, f"{n}.png")[0] + valid_query()
        run_earlier_job(online, service, image_id=f"image-{n}", task_id=f"task-{n}", raw_image_url=url)


@pytest.mark.slow
def test_several_jobs_are_saved_in_the_given_order(online: Mj, service: Service) -> None:
    run_three_jobs(online, service)
    result = online("download", "@2", "task-1", "image-3", "--json")
    assert [each["image_id"] for each in result.json] == ["image-2", "image-1", "image-3"]
    assert [Path(each["files"][0]).read_bytes() for each in result.json] == [png(2), png(1), png(3)]


@pytest.mark.slow
def test_ids_can_come_from_standard_input(online: Mj, service: Service) -> None:
    run_three_jobs(online, service)
    result = online("download", "-", "-q", stdin="@2\n\nimage-1\n")
    assert result.out.splitlines() == [str(online.cwd / f"a-cat_image-{n}.png") for n in (2, 1)]


@pytest.mark.slow
def test_a_failure_does_not_stop_the_other_jobs(online: Mj, service: Service) -> None:
    run_three_jobs(online, service)
    service.files["/files/1.png"] = b"<html>"
    result = online("download", "unknown-id", "@3", "@9", "@2", "--json", check=4)
    assert [each.get("error", {}).get("code") for each in result.json] == [
        "bad_request",
        "download",
        "usage",
        None,
    ]
    assert files(online) == ["a-cat_image-2.png"]
    online("download", "@9", "unknown-id", "@2", check=2)
    online("download", "@3", "unknown-id", check=8)


@pytest.mark.slow
def test_without_a_token_only_those_that_need_one_fail(online: Mj, service: Service) -> None:
    run_three_jobs(online, service)
    result = online("download", "elsewhere", "@last", "--json", env={"MJ_TOKEN": None}, check=3)
    assert result.json[0]["error"]["code"] == "no_token"
    assert files(online) == ["a-cat_image-3.png"]


def test_the_same_job_twice_is_saved_once_and_printed_twice(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    result = online("download", "@last", TASK_ID, "-q")
    assert result.out == f"{online.cwd / SAVED}\n" * 2
    assert len(service.gets()) == 1


# -- jobs that the ledger does not know ----------------------------------------------------------------


def test_a_task_that_the_ledger_does_not_know_is_queried_and_saved(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = IMAGE_DATA
    request = {"action": "generate", "prompt": "a dog on a roof --ar 1:1"}
    when = datetime.datetime(2001, 2, 3, 12).timestamp()
    service.tasks["elsewhere"] = task_record("elsewhere", request, service.result(), created_at=when)
    answer = online("download", "elsewhere", "-o", "{date}_{prompt}_{action}.{ext}", "--json").answer
    assert answer == {
        **service.result(),
        "files": [str(online.cwd / "2001-02-03_a-dog-on-a-roof_generate.png")],
    }
    assert len(task_queries(service)) == 1
    assert not service.posts()


@pytest.mark.parametrize("when", [1e300, -1e300, 1.7e12, "yesterday", None])
def test_an_invalid_creation_time_is_harmless(online: Mj, service: Service, when: object) -> None:
    service.files["/files/cat.png"] = IMAGE_DATA
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, service.result(), created_at=when)
    online("download", "elsewhere", "-o", "{date}.{ext}")
    assert len(files(online)) == 1


def test_a_running_task_exits_7_and_suggests_to_wait(online: Mj, service: Service) -> None:
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, None, progress=10)
    result = online("download", "elsewhere", "-o", "my cats/", check=7)
    assert 'next: mj describe-task elsewhere --wait --download -o "my cats/"\n' in result.err
    assert online("download", "elsewhere", "-q", check=7).out == "elsewhere\n"
    answer = online("download", "elsewhere", "--json", check=7).answer
    assert (answer["error"]["code"], answer["task_id"]) == ("timeout", "elsewhere")


def test_a_failed_task_exits_4_with_its_own_error(online: Mj, service: Service) -> None:
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, fixture("error.json"))
    answer = online("download", "elsewhere", "--json", check=4).answer
    assert answer["error"] == fixture("error.json")["error"]


def test_an_unknown_id_exits_4_and_says_what_can_be_named(online: Mj, service: Service) -> None:
    result = online("download", "9999999999999999999", check=4)
    assert '"9999999999999999999" was not found in the ledger or at the service' in result.err
    assert "a job from another machine needs its task id" in result.err


@pytest.mark.parametrize("command", ["download", "open"])
def test_a_job_that_makes_no_files_is_refused_with_the_newest_job_that_has_some(
    online: Mj, service: Service, command: str
) -> None:
    run_earlier_job(online, service)
    service.scripts["/midjourney/translate"] = lambda _request, reply: reply.json(
        {"success": True, "task_id": "text-1", "content": "a cat"}
    )
    online("translate", "eine Katze")
    service.received.clear()
    result = online(command, "@1", check=2)
    assert '@1 has no image: "translate" jobs make none.\n' in result.err
    assert "hint: @2 is the newest job with an image" in result.err
    assert not service.received
    online(command, "@last")


def test_a_task_without_a_link_exits_8(online: Mj, service: Service) -> None:
    service.tasks["elsewhere"] = {"id": "elsewhere", "finished_at": 1.0, "response": {"success": True}}
    assert "no link" in online("download", "elsewhere", check=8).err


@pytest.mark.parametrize("arguments", [["@last"], ["@0"], [""], ["two words"], [], ["-"]])
def test_a_name_without_a_job_is_a_usage_error(online: Mj, service: Service, arguments: list[str]) -> None:
    online("download", *arguments, check=2, stdin="")
    assert not service.received


def test_an_ambiguous_prefix_is_a_usage_error(online: Mj, service: Service) -> None:
    run_three_jobs(online, service)
    assert "matches several ids" in online("download", "image-", check=2).err
    assert not service.received
