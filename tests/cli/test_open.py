"""`mj open`: an image is opened with the system's viewer, and its place is printed."""

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

from tests.support.earlier import (
    EXPIRED,
    IMAGE_DATA,
    IMAGE_ID,
    REQUEST,
    SAVED,
    TASK_ID,
    give_fresh_links,
    run_earlier_job,
    task_queries,
    valid_query,
)
from tests.support.images import png
from tests.support.ledger import change_ledger, in_ledger
from tests.support.pauses import SHORT
from tests.support.program import Mj
from tests.support.scripts import links
from tests.support.service import Service, fixture, task_record

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows opens files without a program of its own"
)

OPENER = """#!/bin/sh
echo "noise of the viewer"
echo "more of it" >&2
for word in "$@"; do echo "$word"; done > {log}.new && mv {log}.new {log}
{then}
"""


@dataclass
class Viewer:
    """A stand-in for the system's opener, which logs its arguments."""

    bin: Path
    log: Path

    def runs(self, then: str) -> None:
        """Set what the opener does after it has logged its arguments."""
        for name in ("xdg-open", "open"):
            (self.bin / name).write_text(OPENER.format(log=self.log, then=then))
            (self.bin / name).chmod(0o755)

    def remove(self) -> None:
        """Remove the opener."""
        for path in self.bin.iterdir():
            path.unlink()

    @property
    def idle(self) -> bool:
        """Whether the opener never ran."""
        return not self.log.exists()

    @property
    def opened(self) -> list[str]:
        """The arguments of the opener, which may run a little later than `mj`."""
        pause = threading.Event()
        for _ in range(500):
            if not self.idle:
                break
            pause.wait(0.02)
        return self.log.read_text().splitlines()


@pytest.fixture
def viewer(online: Mj, tmp_path: Path) -> Iterator[Viewer]:
    """An opener first in PATH."""
    viewer = Viewer(tmp_path / "bin", tmp_path / "log")
    viewer.bin.mkdir()
    viewer.runs("exit 0")
    online.env |= {"PATH": f"{viewer.bin}:/usr/bin:/bin"}
    yield viewer


# -- what is printed --------------------------------------------------------------------------------------


def test_the_saved_file_is_opened_and_printed(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service, "--download")
    result = online("open", "@last")
    assert result.out == f"file: {online.cwd / SAVED}\n"
    assert result.err == ""
    assert viewer.opened == [str(online.cwd / SAVED)]
    assert not service.received


def test_the_newest_job_is_the_default(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service, "--download")
    online("open")
    assert viewer.opened == [str(online.cwd / SAVED)]


@pytest.mark.parametrize("reference", ["@1", TASK_ID, IMAGE_ID[:6], "-"])
def test_a_job_is_named_as_in_other_commands(
    online: Mj, service: Service, viewer: Viewer, reference: str
) -> None:
    run_earlier_job(online, service, "--download")
    online("open", reference, stdin=f"{TASK_ID}\n")
    assert viewer.opened == [str(online.cwd / SAVED)]


def test_without_a_file_the_link_is_opened_and_printed(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service)
    result = online("open")
    (link,) = viewer.opened
    assert link.startswith(links(service, "cat.png")[0] + "?ex=")
    assert result.out == f"link: {link}\n"
    assert not service.received


def test_a_missing_file_is_not_printed(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service, "--download")
    (online.cwd / SAVED).unlink()
    assert online("open", "-q").out.startswith(links(service, "cat.png")[0])


def test_of_several_files_all_are_printed_and_the_first_is_opened(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    names = ["1.png", "2.png"]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(names)}
    run_earlier_job(online, service, "--download", sub_image_urls=links(service, *names))
    saved = [str(online.cwd / f"a-cat_{IMAGE_ID}_{n}.png") for n in (1, 2)]
    assert online("open").out == "".join(f"file: {each}\n" for each in saved)
    assert viewer.opened == saved[:1]
    Path(saved[0]).unlink()
    assert online("open", "--json").answer["files"] == saved[1:]


@pytest.mark.slow
def test_script_output_opens_nothing(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service, "--download", query=(query := valid_query()))
    file, link = str(online.cwd / SAVED), links(service, "cat.png")[0] + query
    assert online("open", "--json").answer == {
        "file": file,
        "files": [file],
        "link": link,
        "task_id": TASK_ID,
        "image_id": IMAGE_ID,
    }
    assert online("open", "-q").out == f"{file}\n"
    assert online("open", "--field", "link").out == f"{link}\n"
    Path(file).unlink()
    assert online("open", "--json").answer["file"] is None
    assert online("open", "--json").answer["files"] == []
    assert online("open", "-q").out == f"{link}\n"
    assert viewer.idle


@pytest.mark.parametrize("option", ["--print", "-p"])
def test_print_opens_nothing(online: Mj, service: Service, viewer: Viewer, option: str) -> None:
    run_earlier_job(online, service, "--download")
    assert online("open", option).out == f"file: {online.cwd / SAVED}\n"
    assert viewer.idle


def test_a_video_is_preferred_to_its_cover(online: Mj, service: Service, viewer: Viewer) -> None:
    urls = links(service, "1.mp4", "2.mp4")
    run_earlier_job(online, service, video_urls=urls)
    assert online("open", "-q").out == f"{urls[0]}\n"


# -- expired links ---------------------------------------------------------------------------


def test_a_stale_link_is_refreshed_and_recorded(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service, query=EXPIRED)
    give_fresh_links(service, "fresh.png")
    fresh = service.tasks[TASK_ID]["response"]["raw_image_url"]
    assert online("open").out == f"link: {fresh}\n"
    assert viewer.opened == [fresh]
    assert len(task_queries(service)) == 1
    assert fresh in in_ledger(online, "result")[0]
    online("open", "-q")
    assert len(task_queries(service)) == 1


@pytest.mark.parametrize("trouble", ["no token", "unknown"])
def test_without_a_fresh_link_the_stale_one_is_used_with_a_warning(
    online: Mj, service: Service, viewer: Viewer, trouble: str
) -> None:
    run_earlier_job(online, service, query=EXPIRED)
    result = online("open", env={"MJ_TOKEN": None} if trouble == "no token" else {})
    old = links(service, "cat.png")[0] + EXPIRED
    assert result.out == f"link: {old}\n"
    assert "has expired" in result.err
    assert viewer.opened == [old]


def test_the_link_of_a_saved_file_is_not_refreshed(online: Mj, service: Service, viewer: Viewer) -> None:
    run_earlier_job(online, service, "--download", query=EXPIRED)
    online("open", "--json")
    assert not service.received


# -- opening ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_viewer_is_not_waited_for(online: Mj, service: Service, viewer: Viewer) -> None:
    viewer.runs("sleep 30")
    online.pauses = {**SHORT, "mjcli.cli.opener:OPENER_SECONDS": 0.1}
    run_earlier_job(online, service, "--download")
    started = time.monotonic()
    result = online("open")
    assert time.monotonic() - started < 15
    assert result.err == ""
    assert viewer.opened == [str(online.cwd / SAVED)]


@pytest.mark.slow
def test_the_viewer_does_not_keep_the_output_streams_open(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    viewer.runs("sleep 30")
    online.pauses = {**SHORT, "mjcli.cli.opener:OPENER_SECONDS": 0.1}
    run_earlier_job(online, service, "--download")
    process = online.start("open")
    started = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 15
    assert out.decode() == f"file: {online.cwd / SAVED}\n"
    assert err == b""


@pytest.mark.parametrize("fault", ["missing", "failing"])
def test_a_missing_or_failing_opener_is_reported_and_is_not_an_error(
    online: Mj, service: Service, viewer: Viewer, fault: str
) -> None:
    if fault == "missing":
        viewer.remove()
        online.env["PATH"] = str(viewer.bin)
    elif fault == "failing":
        viewer.runs("exit 3")
    run_earlier_job(online, service, "--download")
    result = online("open")
    assert result.out == f"file: {online.cwd / SAVED}\n"
    assert "No program was found to open it" in result.err
    assert viewer.idle or fault == "failing"


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
def test_only_http_links_are_opened(online: Mj, service: Service, viewer: Viewer, url: str) -> None:
    run_earlier_job(online, service, raw_image_url=url)
    result = online("open")
    assert viewer.idle
    assert "not opened" in result.err
    assert b"\x1b" not in result.stdout + result.stderr


def test_a_link_is_always_one_argument(online: Mj, service: Service, viewer: Viewer) -> None:
    url = links(service, "a;b$(id)`id`'\"&|<>.png")[0]
    run_earlier_job(online, service, raw_image_url=url)
    online("open")
    assert viewer.opened == [url]


@pytest.mark.slow
def test_the_link_of_a_sandbox_is_not_opened(mj: Mj, tmp_path: Path) -> None:
    mj.pauses = {**SHORT, "mjcli.cli.context:SANDBOX_SECONDS": 0.1}
    viewer = Viewer(tmp_path / "bin", tmp_path / "log")
    viewer.bin.mkdir()
    viewer.runs("exit 0")
    mj.env |= {"PATH": f"{viewer.bin}:{os.environ['PATH']}"}
    mj("--sandbox", "imagine", "a cat")
    result = mj("--sandbox", "open")
    assert "mj --sandbox download " in result.err
    assert viewer.idle
    saved = mj("--sandbox", "download", "@last", "-q").out
    mj("--sandbox", "open")
    assert viewer.opened == [saved.strip()]


# -- nothing to open ------------------------------------------------------------------------------


def test_a_task_that_the_ledger_does_not_know_is_queried(
    online: Mj, service: Service, viewer: Viewer
) -> None:
    service.files["/files/cat.png"] = IMAGE_DATA
    service.tasks["elsewhere"] = task_record("elsewhere", REQUEST, service.result())
    online("open", "elsewhere")
    assert viewer.opened == links(service, "cat.png")
    assert len(task_queries(service)) == 1


@pytest.mark.parametrize("state", ["running", "submitting", "unknown"])
def test_an_unfinished_job_exits_7(online: Mj, service: Service, viewer: Viewer, state: str) -> None:
    run_earlier_job(online, service)
    change_ledger(online, "state = ?, result = NULL", state)
    result = online("open", check=7)
    assert "no image yet" in result.err
    assert f"mj resume {TASK_ID}" in result.err
    assert viewer.idle


def test_a_failed_job_exits_4(online: Mj, service: Service, viewer: Viewer) -> None:
    service.answer(fixture("error.json"))
    online("imagine", "a cat", check=4)
    assert "The job has no image" in online("open", check=4).err
    assert viewer.idle


@pytest.mark.parametrize(
    ("arguments", "stdin"), [(["@last"], ""), ([], ""), (["@0"], ""), (["a", "b"], ""), (["-"], "@1\n@2\n")]
)
def test_anything_but_one_job_is_a_usage_error(
    online: Mj, service: Service, viewer: Viewer, arguments: list[Any], stdin: str
) -> None:
    online("open", *arguments, check=2, stdin=stdin)
    assert not service.received
    assert viewer.idle


def test_an_unknown_id_exits_4(online: Mj, service: Service, viewer: Viewer) -> None:
    assert (
        '"unknown-id" was not found in the ledger or at the service'
        in online("open", "unknown-id", check=4).err
    )
