"""`mj open`: a picture is shown by the system's own program, and where it is is told in any case."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.cli.test_download_command import (
    IMAGE,
    PAST,
    PICTURE,
    REQUEST,
    SAVED,
    TASK,
    asked,
    change_ledger,
    future,
    in_ledger,
    made,
    renewed,
)
from tests.cli.test_downloads import links
from tests.service import Service, fixture, png, task_record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the system itself is asked")

OPENER = """#!/bin/sh
echo "noise of the viewer"
echo "more of it" >&2
for word in "$@"; do echo "$word"; done > {told}.new && mv {told}.new {told}
{then}
"""


@dataclass
class Viewer:
    """A stand-in of the system's opener, which writes down what it was asked to show."""

    bin: Path
    told: Path

    def does(self, then: str) -> None:
        """What the opener does after it has written its arguments down."""
        for name in ("xdg-open", "open"):
            (self.bin / name).write_text(OPENER.format(told=self.told, then=then))
            (self.bin / name).chmod(0o755)

    def missing(self) -> None:
        """There is no opener."""
        for path in self.bin.iterdir():
            path.unlink()

    @property
    def idle(self) -> bool:
        """Whether the opener was never begun."""
        return not self.told.exists()

    @property
    def shown(self) -> list[str]:
        """The arguments of the opener, which nobody waits for and which may come a little later."""
        pause = threading.Event()
        for _ in range(500):
            if not self.idle:
                break
            pause.wait(0.02)
        return self.told.read_text().splitlines()


@pytest.fixture
def viewer(online: Mj, tmp_path: Path) -> Iterator[Viewer]:
    """An opener at the front of the path."""
    viewer = Viewer(tmp_path / "bin", tmp_path / "told")
    viewer.bin.mkdir()
    viewer.does("exit 0")
    online.env |= {"PATH": f"{viewer.bin}:/usr/bin:/bin"}
    yield viewer


# -- what is told --------------------------------------------------------------------------------------


def test_the_saved_file_is_shown_and_told(online: Mj, service: Service, viewer: Viewer) -> None:
    made(online, service, "--download")
    result = online("open", "@last")
    assert result.out == f"file: {online.cwd / SAVED}\n"
    assert result.err == ""
    assert viewer.shown == [str(online.cwd / SAVED)]
    assert not service.received


def test_the_newest_job_is_meant_when_none_is_named(online: Mj, service: Service, viewer: Viewer) -> None:
    made(online, service, "--download")
    online("open")
    assert viewer.shown == [str(online.cwd / SAVED)]


@pytest.mark.parametrize("reference", ["@1", TASK, IMAGE[:6], "-"])
def test_a_job_is_named_as_everywhere(online: Mj, service: Service, viewer: Viewer, reference: str) -> None:
    made(online, service, "--download")
    online("open", reference, stdin=f"{TASK}\n")
    assert viewer.shown == [str(online.cwd / SAVED)]


def test_without_a_file_the_link_is_shown_and_told(online: Mj, service: Service, viewer: Viewer) -> None:
    made(online, service)
    result = online("open")
    (link,) = viewer.shown
    assert link.startswith(links(service, "cat.png")[0] + "?ex=")
    assert result.out == f"link: {link}\n"
    assert not service.received


def test_a_file_that_is_gone_is_not_told(online: Mj, service: Service, viewer: Viewer) -> None:
    made(online, service, "--download")
    (online.cwd / SAVED).unlink()
    assert online("open", "-q").out.startswith(links(service, "cat.png")[0])


def test_of_several_files_all_are_told_and_the_first_is_shown(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    names = ["1.png", "2.png"]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(names)}
    made(online, service, "--download", sub_image_urls=links(service, *names))
    saved = [str(online.cwd / f"a-cat_{IMAGE}_{n}.png") for n in (1, 2)]
    assert online("open").out == "".join(f"file: {each}\n" for each in saved)
    assert viewer.shown == saved[:1]
    Path(saved[0]).unlink()
    assert online("open", "--json").answer["files"] == saved[1:]


def test_scripts_are_only_told(online: Mj, service: Service, viewer: Viewer) -> None:
    made(online, service, "--download", query=(query := future()))
    file, link = str(online.cwd / SAVED), links(service, "cat.png")[0] + query
    assert online("open", "--json").answer == {
        "file": file,
        "files": [file],
        "link": link,
        "task_id": TASK,
        "image_id": IMAGE,
    }
    assert online("open", "-q").out == f"{file}\n"
    assert online("open", "--field", "link").out == f"{link}\n"
    Path(file).unlink()
    assert online("open", "--json").answer["file"] is None
    assert online("open", "--json").answer["files"] == []
    assert online("open", "-q").out == f"{link}\n"
    assert viewer.idle


@pytest.mark.parametrize("option", ["--print", "-p"])
def test_print_only_tells(online: Mj, service: Service, viewer: Viewer, option: str) -> None:
    made(online, service, "--download")
    assert online("open", option).out == f"file: {online.cwd / SAVED}\n"
    assert viewer.idle


def test_of_a_video_the_video_is_meant_and_not_its_still(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    urls = links(service, "1.mp4", "2.mp4")
    made(online, service, video_urls=urls)
    assert online("open", "-q").out == f"{urls[0]}\n"


# -- links that have expired ---------------------------------------------------------------------------


def test_a_link_that_says_so_is_renewed_first_and_the_ledger_told(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    made(online, service, query=PAST)
    renewed(service, "fresh.png")
    fresh = service.tasks[TASK]["response"]["raw_image_url"]
    assert online("open").out == f"link: {fresh}\n"
    assert viewer.shown == [fresh]
    assert len(asked(service)) == 1
    assert fresh in in_ledger(online, "result")[0]
    online("open", "-q")
    assert len(asked(service)) == 1


@pytest.mark.parametrize("trouble", ["no token", "unknown"])
def test_without_a_fresh_link_the_old_one_is_told_with_a_warning(
    online: Mj, service: Service, viewer: Viewer, trouble: str
) -> None:
    made(online, service, query=PAST)
    result = online("open", env={"MJ_TOKEN": None} if trouble == "no token" else {})
    old = links(service, "cat.png")[0] + PAST
    assert result.out == f"link: {old}\n"
    assert "has expired" in result.err
    assert viewer.shown == [old]


def test_beside_a_file_the_link_is_not_asked_for_anew(online: Mj, service: Service, viewer: Viewer) -> None:
    made(online, service, "--download", query=PAST)
    online("open", "--json")
    assert not service.received


# -- showing it ----------------------------------------------------------------------------------------


def test_the_viewer_is_not_waited_for(online: Mj, service: Service, viewer: Viewer) -> None:
    viewer.does("sleep 30")
    made(online, service, "--download")
    begun = time.monotonic()
    result = online("open")
    assert time.monotonic() - begun < 15
    assert result.err == ""
    assert viewer.shown == [str(online.cwd / SAVED)]


def test_the_streams_are_closed_to_whoever_reads_them_while_the_viewer_lives(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    viewer.does("sleep 30")
    made(online, service, "--download")
    process = online.start("open")
    begun = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - begun < 15
    assert out.decode() == f"file: {online.cwd / SAVED}\n"
    assert err == b""


@pytest.mark.parametrize("lacking", ["opener", "means"])
def test_where_nothing_can_show_it_that_is_said_and_no_failure(
    online: Mj, service: Service, viewer: Viewer, lacking: str
) -> None:
    if lacking == "opener":
        viewer.missing()
        online.env["PATH"] = str(viewer.bin)
    elif lacking == "means":
        viewer.does("exit 3")
    made(online, service, "--download")
    result = online("open")
    assert result.out == f"file: {online.cwd / SAVED}\n"
    assert "No program to show it was found" in result.err
    assert viewer.idle or lacking == "means"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "--version",
        "/etc/passwd",
        "http://x/ a",
        "http://x/\x1b[2J",
        "http://x/\n--version",
    ],
)
def test_only_a_link_of_the_web_is_ever_handed_over(
    online: Mj, service: Service, viewer: Viewer, url: str
) -> None:
    made(online, service, raw_image_url=url)
    result = online("open")
    assert viewer.idle
    assert "not opened" in result.err
    assert b"\x1b" not in result.stdout + result.stderr


def test_a_link_is_one_argument_whatever_stands_in_it(online: Mj, service: Service, viewer: Viewer) -> None:
    url = links(service, "a;b$(id)`id`'\"&|<>.png")[0]
    made(online, service, raw_image_url=url)
    online("open")
    assert viewer.shown == [url]


def test_the_link_of_a_sandbox_ends_with_it_and_is_not_shown(mj: Mj, tmp_path: Path) -> None:
    viewer = Viewer(tmp_path / "bin", tmp_path / "told")
    viewer.bin.mkdir()
    viewer.does("exit 0")
    mj.env |= {"PATH": f"{viewer.bin}:{os.environ['PATH']}"}
    mj("--sandbox", "imagine", "a cat")
    result = mj("--sandbox", "open")
    assert "mj --sandbox download " in result.err
    assert viewer.idle
    saved = mj("--sandbox", "download", "@last", "-q").out
    mj("--sandbox", "open")
    assert viewer.shown == [saved.strip()]


# -- what cannot be shown ------------------------------------------------------------------------------


def test_a_task_made_elsewhere_is_asked_about(online: Mj, service: Service, viewer: Viewer) -> None:
    service.files["/files/cat.png"] = PICTURE
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, service.result())
    online("open", "elsewhere")
    assert viewer.shown == links(service, "cat.png")
    assert len(asked(service)) == 1


@pytest.mark.parametrize("state", ["running", "submitting", "unknown"])
def test_a_job_that_is_not_done_is_7(online: Mj, service: Service, viewer: Viewer, state: str) -> None:
    made(online, service)
    change_ledger(online, "state = ?, result = NULL", state)
    result = online("open", check=7)
    assert "no picture yet" in result.err
    assert f"mj resume {TASK}" in result.err
    assert viewer.idle


def test_a_failed_job_is_4(online: Mj, service: Service, viewer: Viewer) -> None:
    service.answer(fixture("error.json"))
    online("imagine", "a cat", check=4)
    assert "There is no picture" in online("open", check=4).err
    assert viewer.idle


@pytest.mark.parametrize(
    ("arguments", "stdin"), [(["@last"], ""), ([], ""), (["@0"], ""), (["a", "b"], ""), (["-"], "@1\n@2\n")]
)
def test_what_names_no_one_job_is_a_usage_error(
    online: Mj, service: Service, viewer: Viewer, arguments: list[Any], stdin: str
) -> None:
    online("open", *arguments, check=2, stdin=stdin)
    assert not service.received
    assert viewer.idle


def test_an_id_that_nobody_knows_is_4(online: Mj, service: Service, viewer: Viewer) -> None:
    assert "Neither the ledger nor the service" in online("open", "nobody-knows", check=4).err
