"""The server of `mj gallery`: whom it admits, what it serves, and how its actions are sent."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.support.gallery import family, job, open_ledger, small_png
from tests.support.history import add_jobs
from tests.support.live import Live, gallery
from tests.support.program import SOON, Mj
from tests.support.service import Received, Reply, Service

KEY = "gallery-12345678-1234-4123-8123-123456789abc"


@pytest.fixture
def live(online: Mj, service: Service) -> Iterator[Live]:
    """A gallery of four jobs of the scripted service, whose page was admitted."""
    family(online)
    with gallery_of(online, service) as server:
        server.enter()
        yield server


def gallery_of(mj: Mj, service: Service, *arguments: object) -> Any:
    import sqlite3

    connection = sqlite3.connect(mj.home / "data" / "ledger.db")
    with connection:
        connection.execute("UPDATE jobs SET host = ?", (service.base_url,))
    connection.close()
    return gallery(mj, *arguments)


def entry(live: Live, action: str) -> dict[str, Any]:
    return next(each for each in live.data["entries"] if each["action"] == action)


def until(condition: Callable[[], Any]) -> Any:
    """What the condition returns, once that is true."""
    deadline = time.monotonic() + SOON
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


# -- who is admitted -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_code_admits_once_and_is_not_in_the_arguments_of_a_program(mj: Mj) -> None:
    family(mj)
    with gallery(mj) as server:
        code = server.address.partition("#")[2]
        assert len(code) >= 32
        (redirect,) = (mj.home / "data").glob("gallery-*.html")
        if os.name == "posix":
            assert stat.S_IMODE(redirect.stat().st_mode) == 0o600
        assert server.address in redirect.read_text()
        server.enter()
        assert server.request("POST", "/enter", code.encode())[0] == 403
    assert not list((mj.home / "data").glob("gallery-*.html"))


@pytest.mark.slow
def test_the_browser_gets_a_file_not_the_address(mj: Mj, tmp_path: Path) -> None:
    family(mj)
    programs = tmp_path / "bin"
    programs.mkdir()
    opener = programs / "xdg-open"
    opener.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/opened.part\nmv {tmp_path}/opened.part {tmp_path}/opened\n'
    )
    opener.chmod(0o755)
    process = mj.start("gallery", env={"PATH": f"{programs}:{os.environ['PATH']}"})
    try:
        opened = until(
            lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").read_text().splitlines()
        )
        assert opened == [str(next((mj.home / "data").glob("gallery-*.html")))]
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON)
    assert process.returncode == 0
    assert out.startswith(b"address: http://127.0.0.1:")
    assert b"Traceback" not in err


def test_nothing_is_served_without_the_cookie(live: Live) -> None:
    names = ["", "gallery.js", "events", "images/1/0", "thumbs/1/0", "price?job=x&action=reroll"]
    for name in names:
        assert live.get(name, cookie=None)[0] == 403
        assert live.get(name, cookie="mj-gallery-1=x")[0] == 403
        assert live.get(name, sec_fetch_site="same-site")[0] == 403
        assert live.request("GET", f"/{name}")[0] == 403 or name in ("gallery.js",)
    assert live.get("")[0] == 200


def test_a_name_that_was_rebound_to_this_machine_is_refused(live: Live) -> None:
    for host in ("evil.example", f"evil.example:{urlsplit(live.address).port}", "127.0.0.1", ""):
        assert live.get("", host=host)[0] == 403
        assert live.request("GET", "/enter", host=host)[0] == 403


def test_a_change_needs_the_cookie_and_the_origin_of_the_page(live: Live, service: Service) -> None:
    uuid = entry(live, "generate")["id"]
    body = {"job": uuid, "action": "upscale1", "key": KEY, "price": 0.005, "on": True}
    for name in ("act", "star"):
        for wrong in (
            {"cookie": None},
            {"origin": None},
            {"origin": "null"},
            {"origin": "http://evil.example"},
        ):
            assert live.post(name, body, **wrong)[0] == 403
        assert live.post(name, json.dumps(body).encode(), content_type="text/plain")[0] == 415
        assert live.get(name)[0] == 404
    assert not service.received
    assert not any(each["star"] for each in live.data["entries"])


def test_only_get_head_and_post_are_answered_and_bodies_have_a_limit(live: Live) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE"):
        status, headers, body = live.request(method, live.path)
        assert (status, headers["content-type"]) == (501, "application/json")
        assert json.loads(body)["message"]
    assert live.request("HEAD", live.path)[2] == b""
    assert live.post("act", b"x" * 5000)[0] == 413
    assert live.post("act", [1])[0] == 400
    assert live.post("act", {"job": 3})[0] == 400


def test_each_response_forbids_scripts_of_others_frames_and_guessing(live: Live) -> None:
    for name in ("", "gallery.js", "images/1/0", "none"):
        _, headers, _ = live.get(name)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"


# -- what is served ------------------------------------------------------------------------------------


def test_pictures_and_thumbnails_of_the_jobs_are_served_and_no_other_file(live: Live, online: Mj) -> None:
    for each in live.data["entries"]:
        (media,) = each["media"]
        status, headers, body = live.get(media["src"])
        assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")
        status, headers, body = live.get(media["thumb"])
        assert (status, headers["content-type"], body[8:12]) == (200, "image/webp", b"WEBP")
    for name in (
        "images/1/9",
        "images/99/0",
        "images/../ledger.db",
        "images/%2e%2e/x",
        "thumbs/1/../../x",
        "../enter",
    ):
        assert live.get(name)[0] in (403, 404)
    path = Path(next(iter((online.home / "pictures").iterdir())))
    path.write_text("<script>alert(1)</script>")
    assert 404 in {live.get(f"images/{n}/0")[0] for n in range(1, 5)}


def test_a_part_of_a_file_is_served(live: Live) -> None:
    source = live.data["entries"][0]["media"][0]["src"]
    whole = live.get(source)[2]
    status, headers, part = live.get(source, range="bytes=10-19")
    assert (status, part, headers["content-range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    assert live.get(source, range="bytes=10-")[2] == whole[10:]
    for odd in ("bytes=99999999-", "bytes=5-2", "bytes=-5", "lines=1-2", "bytes=0-1,3-4"):
        assert live.get(source, range=odd)[2] == whole


@pytest.mark.slow
def test_new_jobs_arrive_as_events(live: Live, online: Mj) -> None:
    port = urlsplit(live.address).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    version = live.data["version"]
    headers = {"cookie": live.cookie, "host": f"127.0.0.1:{port}"}
    connection.request("GET", f"{live.path}events?since={version}", headers=headers)
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    add_jobs(online, job(online, "a new picture"))
    lines = []
    while not (lines and lines[-1].startswith(b"data: ") and b"a new picture" in lines[-1]):
        lines.append(response.fp.readline())
        assert lines[-1], "the stream ended"
    connection.close()


@pytest.mark.slow
def test_the_port_can_be_chosen_and_one_in_use_is_reported(mj: Mj) -> None:
    family(mj)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = mj("gallery", "--no-open", "--port", str(port), check=2)
    assert f"on port {port}" in result.err
    with gallery(mj, "--port", str(port)) as server:
        assert urlsplit(server.address).port == port


# -- actions -------------------------------------------------------------------------------------------


def act(live: Live, uuid: str, action: str, price: object = 0.005, key: str = KEY) -> tuple[int, Any]:
    status, _, body = live.post("act", {"job": uuid, "action": action, "key": key, "price": price})
    return status, json.loads(body)


def price(live: Live, uuid: str, action: str) -> tuple[int, Any]:
    status, _, body = live.get(f"price?job={quote(uuid)}&action={quote(action)}")
    return status, json.loads(body)


@pytest.mark.slow
def test_an_action_is_sent_once_under_its_key_and_its_picture_is_shown(
    live: Live, online: Mj, service: Service
) -> None:
    grid = entry(live, "generate")
    service.files["/files/cat.png"] = small_png()
    service.answer(service.result(image_id="image-new", task_id="task-new"))
    status, found = price(live, grid["id"], "upscale1")
    assert (status, found["price"], found["allowed"]) == (200, 0.005, True)
    assert found["text"].startswith("About 0.005 USD (list prices")
    assert act(live, grid["id"], "upscale1")[0] == 200
    assert act(live, grid["id"], "upscale1")[0] == 200  # repeated by the browser
    new = until(
        lambda: next((e for e in live.data["entries"] if e["image"] == "image-new" and e["media"]), None)
    )
    assert new["parents"] == [grid["n"]]
    (request,) = service.posts()
    assert (request.body["action"], request.body["image_id"]) == ("upscale1", grid["image"])
    ledger = open_ledger(online)
    saved = ledger.by_key("default", KEY)
    ledger.close()
    assert saved is not None
    assert saved.image_id == "image-new"


def test_what_the_picture_does_not_offer_is_not_sent(live: Live, service: Service) -> None:
    grid = entry(live, "generate")
    for action in ("upscale_2x", "variation_region", "--force", "", "<script>"):
        status, found = act(live, grid["id"], action)
        assert status == 409
        assert "does not offer" in found["message"]
        assert price(live, grid["id"], action)[0] == 409
    assert act(live, "unknown", "upscale1")[0] == 409
    assert act(live, grid["id"], "upscale1", key="--yes")[0] == 409
    assert not service.received


def test_a_price_that_was_not_confirmed_is_not_paid(live: Live, service: Service) -> None:
    grid = entry(live, "generate")
    for confirmed in (0.001, None, "0.025", True):
        status, found = act(live, grid["id"], "variation2", price=confirmed)
        assert status == 409
        assert "price has changed" in found["message"]
    assert not service.received


@pytest.mark.slow
def test_the_limit_of_the_day_applies(online: Mj, service: Service) -> None:
    family(online)
    online("config", "set", "defaults.max_cost_per_day", "0.001")
    with gallery_of(online, service) as server:
        server.enter()
        grid = entry(server, "generate")
        _, found = price(server, grid["id"], "upscale1")
        assert not found["allowed"]
        assert "would exceed this limit" in found["budget"]
        status, refusal = act(server, grid["id"], "upscale1")
        assert status == 409
        assert "limit of the day" in refusal["message"]
    assert not service.received


@pytest.mark.slow
def test_the_reason_of_a_refused_job_is_shown(live: Live, service: Service) -> None:
    service.answer({"error": {"code": "forbidden", "message": "moderated"}}, status=403)
    version = live.data["version"]
    assert act(live, entry(live, "generate")["id"], "reroll", price=0.025)[0] == 200
    port = urlsplit(live.address).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    headers = {"cookie": live.cookie, "host": f"127.0.0.1:{port}"}
    connection.request("GET", f"{live.path}events?since={version}", headers=headers)
    response = connection.getresponse()
    while True:
        line = response.fp.readline()
        assert line, "the stream ended"
        if b'"run"' in line:
            break
    connection.close()
    told = next(each for each in json.loads(line.partition(b": ")[2])["entries"] if "run" in each)
    assert told["failed"]
    assert "moderated" in told["message"]


def test_a_star_is_set_and_removed(live: Live) -> None:
    uuid = entry(live, "generate")["id"]
    assert live.post("star", {"job": uuid, "on": True})[0] == 200
    assert entry(live, "generate")["star"]
    assert live.post("star", {"job": uuid, "on": False})[0] == 200
    assert not entry(live, "generate")["star"]


@pytest.mark.slow
def test_a_job_in_flight_is_left_to_resume_when_the_gallery_ends(
    live: Live, online: Mj, service: Service
) -> None:

    def never_done(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(b'{"task_id": "task-slow", "progress": 10, "image_id": "step"}\r\n')
        service.over.wait()

    service.imagine(never_done)
    assert act(live, entry(live, "generate")["id"], "upscale1")[0] == 200

    def running() -> bool:
        return any(each["state"] == "running" for each in live.data["entries"])

    until(running)
    status, err = live.stop()
    assert status == 0
    assert "1 job continues" in err
    assert "mj resume" in err
    assert [row["state"] for row in online("history", "--json", "--state", "unfinished").json] == ["running"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_termination_is_reported_as_such(mj: Mj) -> None:
    family(mj)
    with gallery(mj) as server:
        status, _ = server.stop(signal.SIGTERM)
    assert status == 143
