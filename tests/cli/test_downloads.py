"""`--download` of a new job: where files go, what other hosts receive, and how each failure ends."""

from __future__ import annotations

import ctypes
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.faraway import FarAway
from tests.support.images import png
from tests.support.program import SMALL_DISK, UNPRIVILEGED, Mj, files, run_after
from tests.support.scripts import links
from tests.support.service import Received, Reply, Service, task_record

IMAGE_DATA = png(50_000)
SAVED = "a-cat_1234197197067915365.png"
CAT = ("imagine", "a cat", "--download")


@pytest.fixture
def cat(service: Service) -> Service:
    """A service whose jobs all make the same image."""
    service.files["/files/cat.png"] = IMAGE_DATA
    service.stream([service.result()])
    return service


# -- results -------------------------------------------------------------------------------------------


def test_the_raw_image_is_saved_under_slug_and_image_id(online: Mj, cat: Service) -> None:
    answer = online(*CAT, "--json").answer
    assert answer["files"] == [str(online.cwd / SAVED)]
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA
    assert files(online) == [SAVED]
    assert len(cat.gets()) == 1


def test_quiet_prints_only_the_saved_file(online: Mj, cat: Service) -> None:
    result = online(*CAT, "-q")
    assert result.out == f"{online.cwd / SAVED}\n"
    assert result.err == ""


def test_the_saved_file_is_printed(online: Mj, cat: Service) -> None:
    assert f"file: {online.cwd / SAVED}\n" in online(*CAT).out


def test_without_download_nothing_is_downloaded(online: Mj, cat: Service) -> None:
    assert online("imagine", "a cat", "--json").answer["files"] == []
    assert not cat.gets()
    assert files(online) == []


@pytest.mark.parametrize("field", ["sub_image_urls", "video_urls"])
def test_four_images_or_videos_are_saved_in_order(online: Mj, service: Service, field: str) -> None:
    urls = links(service, *(f"{n}//part.png" for n in range(1, 5)))
    for n in range(1, 5):
        service.files[f"/files/{n}//part.png"] = png(n)
    service.stream([service.result(**{field: urls})])
    saved = online(*CAT, "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(n) for n in range(1, 5)]
    assert files(online) == [f"a-cat_1234197197067915365_{n}.png" for n in range(1, 5)]


def test_the_extension_follows_from_the_bytes(online: Mj, cat: Service) -> None:
    import struct

    webp = b"RIFF" + struct.pack("<I", 24) + b"WEBPVP8L" + b"\0" * 16
    cat.files["/files/cat.png"] = webp
    online(*CAT)
    assert files(online) == [SAVED.replace(".png", ".webp")]


def test_a_name_stays_under_120_bytes_and_keeps_its_image_id(online: Mj, cat: Service) -> None:
    online("imagine", "猫 " * 150, "--download")
    (name,) = files(online)
    assert len(name.encode()) < 120
    assert name.endswith("_1234197197067915365.png")


@pytest.mark.parametrize(
    "image_id",
    [
        "../",
        "../../x",
        "%2e%2e%2f",
        "%2e%2e%2fx",
        "/etc/x",
        "..",
        ".",
        "a\\b",
        "a\\..\\b",
        "..\\x",
        "C:\\x",
        "a\0b",
        "\x1b]0;x\x07",
        "a\nb\rc",
        "\x9b31m",
        "\u202egnp",
        "\u2066gnp\u2069",
        "CON",
        "CON.png",
        "nul.tar",
        "a:b",
        "x" * 300,
        "é" * 150,
    ],
    ids=lambda image_id: repr(image_id[:12]),
)
def test_a_hostile_image_id_stays_in_the_directory(online: Mj, cat: Service, image_id: str) -> None:
    cat.stream([cat.result(image_id=image_id)])
    result = online(*CAT, "-o", "images/{image_id}.{ext}")
    (name,) = files(online)
    assert name.startswith("images/")
    assert name.count("/") == 1
    assert len(Path(name).name.encode()) < 120
    assert Path(name).name.isprintable()
    assert not set(Path(name).name) & set('/\\:*?"<>|')
    assert Path(name).name.partition(".")[0].upper() not in ("CON", "NUL")
    assert b"\x1b" not in result.stdout + result.stderr
    assert (online.cwd / name).read_bytes() == IMAGE_DATA
    outside = [path for path in online.home.rglob("*.png") if online.cwd not in path.parents]
    assert not outside


@pytest.mark.parametrize("image_id", ["foo..bar", ".x.png", "a-b_c", "été猫"])
def test_a_harmless_image_id_is_unchanged(online: Mj, cat: Service, image_id: str) -> None:
    cat.stream([cat.result(image_id=image_id)])
    online(*CAT, "-o", "{image_id}.{ext}")
    assert files(online) == [f"{image_id}.png"]
    online(*CAT)
    assert files(online) == sorted([f"{image_id}.png", f"a-cat_{image_id}.png"])


def test_ids_that_differ_only_in_case_lose_no_image(online: Mj, service: Service) -> None:
    for image_id, data in (("Ab", png(1)), ("aB", png(2))):
        service.files["/files/cat.png"] = data
        service.stream([service.result(image_id=image_id, task_id=image_id)])
        (saved,) = online(*CAT, "--json").answer["files"]
        assert Path(saved).read_bytes() == data
    assert {path.read_bytes() for path in online.cwd.iterdir()} == {png(1), png(2)}


@pytest.mark.parametrize(
    "path", ["/files/..%2f..%2fx.png", "/files/%2e%2e%2fx.png", "/files/CON.png", "/files/a:b.png"]
)
def test_the_name_in_a_link_does_not_name_the_file(online: Mj, cat: Service, path: str) -> None:
    cat.files[path] = IMAGE_DATA
    cat.stream([cat.result(raw_image_url=cat.base_url + path)])
    online(*CAT)
    assert files(online) == [SAVED]


def test_the_prompt_cannot_lead_to_another_directory(online: Mj, cat: Service) -> None:
    online("imagine", "../../etc/passwd", "-o", "{prompt}.{ext}")
    assert files(online) == ["etc-passwd.png"]


# -- --output ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["cats/", "cats", "cats/new/"])
def test_output_accepts_a_directory(online: Mj, cat: Service, output: str) -> None:
    online("imagine", "a cat", "-o", output)
    assert files(online) == [f"{output.rstrip('/')}/{SAVED}"]


def test_output_accepts_a_file_name(online: Mj, cat: Service) -> None:
    online("imagine", "a cat", "-o", "cat.png")
    assert files(online) == ["cat.png"]


def test_output_accepts_every_placeholder(online: Mj, cat: Service) -> None:
    import datetime

    online("imagine", "a cat", "-o", "{prompt},{image_id},{task_id},{action},{index},{date}.{ext}")
    today = datetime.date.today().isoformat()
    task_id = cat.result()["task_id"]
    assert files(online) == [f"a-cat,1234197197067915365,{task_id},generate,1,{today}.png"]


def test_the_output_directory_of_the_settings_is_used(online: Mj, cat: Service) -> None:
    online(*CAT, env={"MJ_OUTPUT_DIR": str(online.home / "default")})
    assert (online.home / "default" / SAVED).read_bytes() == IMAGE_DATA
    assert files(online) == []


def test_an_unknown_placeholder_is_refused_before_anything_is_sent(online: Mj, cat: Service) -> None:
    result = online("imagine", "a cat", "-o", "{nope}.png", check=2)
    assert "{nope}" in result.err
    assert not cat.received


# -- existing files ------------------------------------------------------------------------------------


def test_a_file_with_the_same_bytes_is_kept_and_reported(online: Mj, cat: Service) -> None:
    (online.cwd / SAVED).write_bytes(IMAGE_DATA)
    result = online(*CAT, "--json")
    assert result.answer["files"] == [str(online.cwd / SAVED)]
    assert f"Kept {online.cwd / SAVED}" in result.err
    assert files(online) == [SAVED]


def test_force_downloads_a_complete_file_again(online: Mj, cat: Service) -> None:
    (online.cwd / SAVED).write_bytes(png(7))
    online(*CAT, "--force")
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA


def test_a_part_of_the_image_that_is_not_the_jobs_is_left_alone(online: Mj, cat: Service) -> None:
    (online.cwd / SAVED).write_bytes(IMAGE_DATA[:500])
    (saved,) = online(*CAT, "--json").answer["files"]
    assert (Path(saved).name, Path(saved).read_bytes()) == (SAVED.replace(".png", "-2.png"), IMAGE_DATA)
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA[:500]


def test_another_file_under_a_fixed_name_is_refused_before_any_payment(online: Mj, cat: Service) -> None:
    (online.cwd / "cat.png").write_text("my notes")
    online("imagine", "a cat", "-o", "cat.png", check=2)
    assert not cat.received
    assert (online.cwd / "cat.png").read_text() == "my notes"


def test_another_file_under_the_default_name_is_kept(online: Mj, cat: Service) -> None:
    (online.cwd / SAVED).write_text("my notes")
    answer = online(*CAT, "--json").answer
    assert (online.cwd / SAVED).read_text() == "my notes"
    assert files(online) == [SAVED.replace(".png", "-2.png"), SAVED]
    assert Path(answer["files"][0]).read_bytes() == IMAGE_DATA


def test_a_directory_under_the_default_name_is_kept(online: Mj, cat: Service) -> None:
    (online.cwd / SAVED).mkdir()
    online(*CAT)
    assert (online.cwd / SAVED).is_dir()
    assert files(online) == [SAVED.replace(".png", "-2.png")]


def test_nothing_is_written_through_a_symlink(online: Mj, cat: Service) -> None:
    outside = online.home / "outside"
    outside.write_text("my notes")
    (online.cwd / SAVED).symlink_to(outside)
    online(*CAT, check=None)
    assert outside.read_text() == "my notes"


# -- refused before any payment ------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["file/", "file/below/"])
def test_a_file_in_place_of_the_directory_is_refused_before_the_request(
    online: Mj, cat: Service, output: str
) -> None:
    (online.cwd / "file").write_text("mine")
    result = online("imagine", "a cat", "-o", output, "--json", check=2)
    assert result.answer["error"]["code"] == "config"
    assert not cat.received


def test_a_read_only_directory_is_refused_before_the_request(online: Mj, cat: Service) -> None:
    (online.cwd / "locked").mkdir(mode=0o500)
    if os.geteuid() != 0:
        result = online("imagine", "a cat", "-o", "locked/", check=2)
    else:
        if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "prctl"):
            pytest.skip("the superuser writes into every directory")
        result = run_after(online, UNPRIVILEGED, "imagine", "a cat", "-o", "locked/")
        if result.err == "prctl\n":
            pytest.skip("the superuser's privileges cannot be dropped here")
    assert result.status == 2
    assert "locked" in result.err
    assert not cat.received


# -- what other hosts receive --------------------------------------------------------------------------


@pytest.mark.parametrize("token_in", ["header", "query"])
def test_another_host_gets_no_token_no_cookie_and_no_referer(online: Mj, cat: Service, token_in: str) -> None:
    online("config", "set", "token_in", token_in)
    final = cat.result(raw_image_url=links(cat, "cat.png")[0].replace("127.0.0.1", "localhost"))

    def with_cookie(_request: Received, reply: Reply) -> None:
        reply.json(final, headers={"set-cookie": "session=abc; Path=/"})

    cat.imagine(with_cookie)
    online(*CAT, "--no-stream")
    (request,) = cat.gets()
    assert request.headers["host"].startswith("localhost")
    assert not {"authorization", "cookie", "referer"} & set(request.headers)
    assert "secret-token" not in repr(request)
    (post,) = cat.posts()
    assert "secret-token" in repr(post)


def test_a_redirect_of_an_image_sends_no_credentials(online: Mj, cat: Service) -> None:
    there = links(cat, "there.png")[0].replace("127.0.0.1", "localhost")
    cat.files["/files/there.png"] = IMAGE_DATA
    cat.files["/files/cat.png"] = lambda _r, reply: reply.whole(
        b"", 302, {"location": there, "set-cookie": "a=b; Path=/"}
    )
    online(*CAT)
    for request in cat.gets():
        assert not {"authorization", "cookie", "referer"} & set(request.headers)
        assert "secret-token" not in repr(request)


def test_a_netrc_is_not_used_for_an_image(online: Mj, cat: Service) -> None:
    (online.home / ".netrc").write_text("default login somebody password secret-password\n")
    (online.home / ".netrc").chmod(0o600)
    online(*CAT)
    assert "authorization" not in cat.gets()[0].headers


def test_a_link_to_a_private_address_is_refused_for_a_public_api(
    online: Mj, cat: Service, far_away: FarAway
) -> None:
    """For an API on the loopback interface, as in every other test here, such links are fetched."""
    port = cat.base_url.rpartition(":")[2]
    hosts = ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"]
    urls = [f"http://{host}:{port}/files/cat.png" for host in hosts]
    urls += ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/x.png", "http://192.168.1.1/x.png"]
    far_away.answer(cat.result(sub_image_urls=urls))
    result = online(*CAT, "--json", env=far_away.env, check=8)
    assert result.answer["error"]["code"] == "download"
    assert result.answer["files"] == []
    for url in urls:
        assert f'The link "{url}" leads to the private address' in result.err
    assert not cat.received
    assert files(online) == []


# -- failures: exit status 8, the link is printed, nothing is left behind ------------------------------


def failed_download(online: Mj, service: Service, *arguments: object) -> dict[str, Any]:
    """Run a job whose file cannot be saved; check and return its result."""
    before = files(online)
    result = online(*(arguments or CAT), "--json", check=8)
    answer: dict[str, Any] = result.answer
    assert answer["success"] is False
    assert answer["error"]["code"] == "download"
    assert answer["error"]["message"]
    assert answer["task_id"] == service.result()["task_id"]
    assert answer["raw_image_url"]
    assert answer["image_id"] == service.result()["image_id"]
    assert len(service.posts()) == 1
    assert result.err
    assert files(online) == before
    return answer


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "data:image/png;base64,iVBORw0KGgo=",
        "ftp://127.0.0.1/cat.png",
        "cat.png",
        "http://[x",
    ],
)
def test_a_link_that_is_not_an_http_address_is_refused(online: Mj, cat: Service, url: str) -> None:
    cat.stream([cat.result(raw_image_url=url)])
    answer = failed_download(online, cat)
    assert answer["raw_image_url"] == url
    assert answer["files"] == []


@pytest.mark.parametrize(
    "data", [b"", b"<!DOCTYPE html><title>Sign in</title>", b'{"error": "x"}'], ids=["empty", "page", "json"]
)
def test_a_file_that_is_not_an_image_is_not_saved(online: Mj, cat: Service, data: bytes) -> None:
    cat.files["/files/cat.png"] = data
    failed_download(online, cat)


def test_an_image_that_is_always_cut_off_is_not_saved(online: Mj, cat: Service) -> None:
    def cut(_request: Received, reply: Reply) -> None:
        reply.head(200, length=len(IMAGE_DATA))
        reply.send(IMAGE_DATA[:1000])
        reply.close()

    cat.files["/files/cat.png"] = cut
    failed_download(online, cat)


@pytest.mark.parametrize(
    "location", ["data:image/png;base64,iVBORw0KGgo=", "http://[x", "file:///etc/passwd", None]
)
def test_an_invalid_redirect_is_a_failed_download(online: Mj, cat: Service, location: str | None) -> None:
    headers = {} if location is None else {"location": location}
    cat.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"", 302, headers)
    failed_download(online, cat)


@pytest.mark.slow
def test_a_full_disk_leaves_no_partial_file(online: Mj, cat: Service) -> None:
    pytest.importorskip("resource")
    cat.files["/files/cat.png"] = png(1_000_000)
    result = run_after(online, SMALL_DISK, *CAT, "--json")
    assert result.status == 8, result.err
    assert result.answer["error"]["code"] == "download"
    assert result.answer["raw_image_url"] == links(cat, "cat.png")[0]
    assert files(online) == []
    assert len(cat.posts()) == 1


def test_the_link_of_an_unsaved_image_is_printed(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = b"<html>"
    result = online(*CAT, check=8)
    assert links(cat, "cat.png")[0] in result.out
    assert "web page" in result.err


def test_quiet_prints_the_link_of_an_unsaved_image(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = b"<html>"
    assert online(*CAT, "-q", check=8).out == links(cat, "cat.png")[0] + "\n"


def test_one_failed_image_of_four_does_not_affect_the_others(online: Mj, service: Service) -> None:
    for n in (1, 3, 4):
        service.files[f"/files/{n}.png"] = png(n)
    service.files["/files/2.png"] = b"<html>"
    service.stream([service.result(sub_image_urls=links(service, *(f"{n}.png" for n in range(1, 5))))])
    answer = online(*CAT, "--json", check=8).answer
    assert answer["files"] == [str(online.cwd / f"a-cat_1234197197067915365_{n}.png") for n in (1, 3, 4)]
    assert len(answer["sub_image_urls"]) == 4
    assert len(files(online)) == 3


def test_the_job_is_done_when_only_the_file_failed(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = b"<html>"
    online(*CAT, check=8)
    with closing(sqlite3.connect(online.home / "data" / "ledger.db", isolation_level=None)) as ledger:
        rows = ledger.execute("SELECT state, files FROM jobs").fetchall()
    ledger.close()
    assert rows == [("done", "[]")]


# -- expired links -------------------------------------------------------------------------------------


def expired(service: Service, *fresh: str) -> str:
    """Let the link of the result expire; a task query returns the fresh one, if given."""
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    final = service.result()
    if fresh:
        service.tasks[final["task_id"]] = task_record(
            final["task_id"], {"prompt": "a cat"}, {**final, "raw_image_url": fresh[0]}
        )
    return str(final["task_id"])


def test_an_expired_link_is_refreshed_from_the_task_and_never_by_a_new_job(online: Mj, cat: Service) -> None:
    cat.files["/files/fresh.png"] = IMAGE_DATA
    task_id = expired(cat, links(cat, "fresh.png")[0])
    answer = online(*CAT, "--json").answer
    assert Path(answer["files"][0]).read_bytes() == IMAGE_DATA
    assert len(cat.posts()) == 1
    assert [each.body for each in cat.posts(Service.TASKS)] == [{"action": "retrieve", "id": task_id}]


def test_a_link_that_stays_expired_is_a_failed_download(online: Mj, cat: Service) -> None:
    expired(cat, links(cat, "cat.png")[0])
    failed_download(online, cat)


def test_an_expired_link_of_an_unknown_task_is_a_failed_download(online: Mj, cat: Service) -> None:
    expired(cat)
    failed_download(online, cat)


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_failed_task_query_is_a_failed_download_and_not_a_failed_job(
    online: Mj, cat: Service, status: int
) -> None:
    expired(cat)
    cat.scripts[Service.TASKS] = lambda _r, reply: reply.json({"error": {"code": "api_error"}}, status)
    failed_download(online, cat)


# -- describe-task -------------------------------------------------------------------------------------


def test_the_image_of_a_task_is_saved_later(online: Mj, cat: Service) -> None:
    final = cat.result()
    cat.tasks[final["task_id"]] = task_record(final["task_id"], {"prompt": "a cat"}, final)
    answer = online("describe-task", final["task_id"], "--download", "--json").answer
    assert answer["files"] == [str(online.cwd / SAVED)]
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA
    assert not cat.posts()


def test_a_task_whose_file_fails_exits_8_and_prints_the_record(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = b"<html>"
    final = cat.result()
    cat.tasks[final["task_id"]] = task_record(final["task_id"], {"prompt": "a cat"}, final)
    answer = online("describe-task", final["task_id"], "--download", "--json", check=8).answer
    assert answer["error"]["code"] == "download"
    assert answer["response"]["raw_image_url"] == final["raw_image_url"]
    assert files(online) == []


def test_an_expired_link_of_a_task_is_refreshed(online: Mj, cat: Service) -> None:
    cat.files["/files/fresh.png"] = IMAGE_DATA
    final = cat.result()
    task_id = final["task_id"]
    old = task_record(task_id, {"prompt": "a cat"}, final)
    fresh = task_record(task_id, {"prompt": "a cat"}, {**final, "raw_image_url": links(cat, "fresh.png")[0]})
    cat.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    cat.scripts[Service.TASKS] = [
        lambda _r, reply: reply.json(old),
        lambda _r, reply: reply.json(fresh),
    ]
    answer = json.loads(online("describe-task", task_id, "--download", "--json").stdout)
    assert Path(answer["files"][0]).read_bytes() == IMAGE_DATA
    assert not cat.posts()


def test_a_default_directory_may_contain_placeholders(online: Mj, cat: Service) -> None:
    online(*CAT, env={"MJ_OUTPUT_DIR": f"{online.cwd}/{{action}}"})
    assert files(online) == [f"generate/{SAVED}"]
    assert "{foo}" in online(*CAT, env={"MJ_OUTPUT_DIR": f"{online.cwd}/{{foo}}"}, check=2).err
    assert len(cat.posts()) == 1


def test_a_wrong_size_limit_is_refused_even_where_nothing_is_saved(online: Mj, cat: Service) -> None:
    assert "is not a size" in online("imagine", "a cat", "--max-size", "10Q", check=2).err
    assert not cat.posts()
