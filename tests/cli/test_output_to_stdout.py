"""`--output -` writes the bytes of one image to standard output, whole or not at all, and nothing else."""

from __future__ import annotations

import os
import pty
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.images import png
from tests.support.program import Mj, files
from tests.support.scripts import links
from tests.support.service import Received, Reply, Service, task_record

IMAGE = png(50_000)
CAT = ("imagine", "a cat", "-o", "-")
IMAGE_ID = "1234197197067915365"


@pytest.fixture
def cat(service: Service) -> Service:
    """A service whose jobs all make the same image."""
    service.files["/files/cat.png"] = IMAGE
    service.stream([service.result()])
    return service


def test_the_bytes_of_the_image_are_all_that_is_printed(online: Mj, cat: Service) -> None:
    result = online(*CAT)
    assert result.stdout == IMAGE
    assert files(online) == []


@pytest.mark.parametrize("options", [("-q",), ("-v",), ("--force",), ("--no-ledger",)])
def test_other_options_change_nothing_of_it(online: Mj, cat: Service, options: tuple[str, ...]) -> None:
    assert online(*CAT, *options).stdout == IMAGE


def test_an_image_of_the_ledger_is_written_too(online: Mj, cat: Service) -> None:
    online("imagine", "a cat")
    assert online("download", "@last", "-o", "-").stdout == IMAGE
    assert len(cat.posts()) == 1


def test_a_saved_file_is_used_when_its_link_is_dead(online: Mj, cat: Service) -> None:
    online("imagine", "a cat", "-d")
    cat.files.clear()
    assert online("download", "@last", "-o", "-").stdout == IMAGE


def test_the_image_of_a_task_is_written_too(online: Mj, cat: Service) -> None:
    cat.tasks["t"] = task_record("t", {"prompt": "a cat"}, cat.result())
    assert online("describe-task", "t", "-d", "-o", "-").stdout == IMAGE


def test_the_same_key_writes_the_same_image_again(online: Mj, cat: Service) -> None:
    assert online(*CAT, "--key", "k").stdout == online(*CAT, "--key", "k").stdout == IMAGE
    assert len(cat.posts()) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((*CAT, "--json"), "--json"),
        ((*CAT, "--field", "image_id"), "--field"),
        ((*CAT, "--split"), "--split"),
        ((*CAT, "--split-images"), "several files"),
        ((*CAT, "--no-wait"), "--no-wait"),
        ((*CAT, "--callback-url", "https://hooks.example/x"), "--callback-url"),
        (("imagine", "a {red, green} cat", "--permute", "-o", "-"), "several jobs"),
        (("video", "it moves", "--image", "http://127.0.0.1:9/a.png", "-o", "-"), "several files"),
        (("describe-task", "a", "b", "-d", "-o", "-"), "several files"),
        (("resume", "-o", "-"), "standard output"),
        (("listen", "-o", "-"), "several jobs"),
    ],
)
def test_what_cannot_be_one_image_is_refused_before_anything_is_sent(
    online: Mj, cat: Service, arguments: tuple[str, ...], reason: str
) -> None:
    result = online(*arguments, check=2)
    assert reason in result.err
    assert not [each for each in cat.received if each.method == "POST"]


def test_a_terminal_gets_no_bytes(online: Mj, cat: Service) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        online.command(*CAT),
        env=online.environment(),
        cwd=online.cwd,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(follower)
        _, err = process.communicate(timeout=60)
    os.close(leader)
    assert process.returncode == 2
    assert b"a terminal cannot show" in err
    assert not cat.posts()


def test_several_files_of_an_earlier_job_are_refused(online: Mj, service: Service) -> None:
    service.files |= {f"/files/{name}": IMAGE for name in "abcd"}
    service.answer(service.result(sub_image_urls=links(service, *"abcd")))
    online("imagine", "a cat", "--split-images")
    assert "several files" in online("download", "@last", "-o", "-", check=2).err


def test_an_image_that_cannot_be_fetched_leaves_standard_output_empty(online: Mj, cat: Service) -> None:
    def cut(_request: Received, reply: Reply) -> None:
        reply.whole(IMAGE[:1000], headers={"content-type": "image/png", "content-length": str(len(IMAGE))})
        reply.close()

    cat.files["/files/cat.png"] = cut
    result = online(*CAT, check=8)
    assert result.stdout == b""
    assert re.search(r"next: mj download \S+ -o -$", result.err, re.MULTILINE)


@pytest.mark.slow
def test_nothing_but_the_image_is_printed_when_the_wait_ends_early(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, reply: reply.stream([{"task_id": "t", "progress": 1}], end=False))
    service.tasks["t"] = task_record("t", {"prompt": "a cat"}, None)
    result = online(*CAT, "--timeout", "1", check=7)
    assert result.stdout == b""
    assert "task: t" in result.err


@pytest.mark.slow
def test_a_closed_pipe_ends_it_with_the_status_of_a_closed_pipe(online: Mj, cat: Service) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = online.start(*CAT, stdout=writer)
    os.close(writer)
    process.communicate(timeout=60)
    assert process.returncode == 141


def test_resume_saves_no_file_for_it(online: Mj, cat: Service) -> None:
    online(*CAT)
    with closing(
        sqlite3.connect(Path(online.env["MJ_DATA_DIR"], "ledger.db"), isolation_level=None)
    ) as ledger:
        (row,) = ledger.execute("SELECT files_due FROM jobs").fetchall()
    ledger.close()
    assert row == (0,)
    assert online("resume").stdout == b""
    assert files(online) == []


@pytest.mark.parametrize("redirection", [">&-", "1</dev/null"])
def test_standard_output_that_cannot_take_the_image_is_refused_before_anything_is_sent(
    online: Mj, cat: Service, redirection: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *online.command(*CAT)],
        env=online.environment(),
        cwd=online.cwd,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"standard output is not open for writing" in done.stderr
    assert cat.posts() == []
