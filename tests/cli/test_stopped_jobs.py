"""A job stopped by each signal at each moment: the ledger says what was sent, and the cursor is shown again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.ledger import job_row
from tests.support.program import SOON, Mj, files, running, wait_for_exit
from tests.support.scripts import hold, hold_after_the_task, hold_the_image
from tests.support.service import Service
from tests.support.terminal import Screen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the signals and file modes of Unix"),
]

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
    pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
    pytest.param(signal.SIGKILL, -9, id="SIGKILL"),
]
CAUGHT = SIGNALS[:3]


def stopped(process: subprocess.Popen[bytes], number: int, status: int) -> str:
    """Send the signal; returns standard error after the program exited with this status."""
    process.send_signal(number)
    code, _out, err = wait_for_exit(process)
    assert code == status
    return err


# -- each moment of a job ------------------------------------------------------------------------------


class Peer:
    """A server that accepts a connection, reads as its script says, and never responds."""

    def __init__(self, read: Callable[[socket.socket], bytes]) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._read = read
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.port: int = self._listener.getsockname()[1]
        self.received = b""  # complete after `rest`; until then, what the script read
        self.arrived = threading.Event()
        self._over = threading.Event()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self.received = self._read(connection)
            self.arrived.set()
            self._over.wait(60)
            try:
                while piece := connection.recv(1 << 20):
                    self.received += piece
            except OSError:
                pass  # a reset ends it too

    def rest(self) -> bytes:
        """Everything that was received, after the other side has closed the connection."""
        self._over.set()
        self._thread.join(SOON)
        assert not self._thread.is_alive()
        return self.received

    def close(self) -> None:
        self._over.set()
        self._listener.close()


@contextmanager
def peer(read: Callable[[socket.socket], bytes]) -> Iterator[Peer]:
    """A running `Peer`."""
    server = Peer(read)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_before_the_request_nothing_is_sent_and_the_ledger_says_so(
    online: Mj, number: int, status: int
) -> None:
    """The TLS handshake never completes, so nothing can be sent."""
    # After a signal during the handshake, Python's ssl module leaves its socket to the garbage collector.
    online.env["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    with peer(lambda connection: connection.recv(65536)) as server:
        online.env["MJ_BASE_URL"] = f"https://127.0.0.1:{server.port}"
        with running(online, "imagine", "a cat", "--download") as process:
            assert server.arrived.wait(SOON)
            err = stopped(process, number, status)
        assert server.rest()[:1] == b"\x16"  # the client's part of the handshake
    assert b"POST" not in server.received
    row = job_row(online)
    assert row["sent_at"] is None
    assert row["task_id"] is None
    assert row["request"] == {"action": "generate", "prompt": "a cat"}
    assert files(online) == []
    if number == signal.SIGINT:  # Ctrl-C cancels the job
        assert (row["state"], json.loads(row["error"])["code"]) == ("failed", "interrupted")
    else:
        assert row["state"] == "submitting"
    if number != signal.SIGKILL:
        assert "Nothing was sent" in err


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_between_retries_the_ledger_says_that_nothing_was_sent(
    online: Mj, service: Service, number: int, status: int
) -> None:
    refusal = {"error": {"code": "too_many_requests", "message": "slow down"}}
    service.answer(refusal, 429, {"retry-after": "50"})
    with running(online, "imagine", "a cat", "--download") as process:
        assert process.stderr is not None
        assert b"Retrying in" in process.stderr.readline()
        err = stopped(process, number, status)
    row = job_row(online)
    assert (row["sent_at"], row["task_id"]) == (None, None)
    assert row["state"] == ("failed" if number == signal.SIGINT else "submitting")
    assert len(service.posts()) == 1
    if number != signal.SIGKILL:
        assert "Nothing was sent" in err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_the_request_is_being_sent_it_may_have_been_accepted(
    online: Mj, number: int, status: int
) -> None:
    """The head has arrived, and the body is larger than the socket buffers."""
    prompt = "\x01" * 1_000_000  # each is six bytes in JSON

    def head(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(4096)
        return data

    with peer(head) as server:
        online.env["MJ_BASE_URL"] = f"http://127.0.0.1:{server.port}"
        (online.cwd / "prompt").write_text(prompt)
        with (
            (online.cwd / "prompt").open("rb") as stdin,
            running(online, "imagine", "--download", stdin=stdin) as process,
        ):
            assert server.arrived.wait(SOON)
            err = stopped(process, number, status)
        posted, _, body = server.rest().partition(b"\r\n\r\n")
    assert posted.count(b"POST /midjourney/imagine") == 1
    assert len(body) < 6_000_000  # the body was cut
    row = job_row(online)
    assert row["state"] in ("submitting", "unknown")
    assert row["sent_at"] is not None
    assert row["task_id"] is None
    assert row["request"] == {"action": "generate", "prompt": prompt}
    assert files(online) == ["prompt"]
    if number != signal.SIGKILL:
        assert "may have been accepted" in err


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_before_the_response_the_request_is_in_the_ledger(
    online: Mj, service: Service, number: int, status: int
) -> None:
    hold(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert service.arrived.wait(SOON)
        stopped(process, number, status)
    row = job_row(online)
    assert row["state"] in ("submitting", "unknown")
    assert row["sent_at"] is not None
    (post,) = service.posts()
    assert row["request"] == post.body
    assert files(online) == []


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_after_the_task_is_known_it_is_in_the_ledger(
    online: Mj, service: Service, number: int, status: int
) -> None:
    hold_after_the_task(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert process.stderr is not None
        assert b"task: task-1" in process.stderr.readline()
        stopped(process, number, status)
    row = job_row(online)
    assert (row["state"], row["task_id"]) == ("running", "task-1")
    assert json.loads(row["files_asked"])["directory"] == str(online.cwd)
    assert len(service.posts()) == 1
    assert files(online) == []


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_during_a_download_the_job_is_done_and_no_file_has_its_final_name(
    online: Mj, service: Service, number: int, status: int
) -> None:
    halfway = hold_the_image(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert halfway.wait(SOON)
        stopped(process, number, status)
    row = job_row(online)
    assert (row["state"], row["task_id"], row["files_due"]) == ("done", "task-1", 1)
    assert json.loads(row["result"]) == service.result(task_id="task-1")
    assert len(service.posts()) == 1
    left = files(online)
    assert all(name.startswith(".mj-") for name in left)
    assert number == signal.SIGKILL or not left


# -- the cursor ----------------------------------------------------------------------------------------


def restored(screen: Screen) -> None:
    """The cursor was hidden for a live bar and is shown again."""
    assert b"\x1b[?25l" in screen.shown
    assert screen.shown.rindex(b"\x1b[?25h") > screen.shown.rindex(b"\x1b[?25l")
    assert b"Traceback" not in screen.shown


@pytest.fixture
def screen(online: Mj) -> Iterator[Screen]:
    """A terminal that `mj` runs in."""
    online.env["TERM"] = "xterm"
    opened = Screen(80)
    yield opened
    opened.close()


MOMENTS: dict[str, tuple[Callable[[Service], object], bytes]] = {
    "while the answer is awaited": (hold, b"sent"),
    "after the task": (hold_after_the_task, b"10%"),
    "during a download": (hold_the_image, b" kB"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), CAUGHT)
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_cursor_is_shown_again(
    online: Mj, service: Service, screen: Screen, moment: str, number: int, status: int
) -> None:
    prepare, shown = MOMENTS[moment]
    prepare(service)
    terminal: dict[str, Any] = {"stdin": screen.theirs, "stdout": screen.theirs, "stderr": screen.theirs}
    with running(online, "imagine", "a cat", "--download", start_new_session=True, **terminal) as process:
        screen.read_until(process, shown)
        process.send_signal(number)
        screen.read_until(process, None)
        assert process.returncode == status
    restored(screen)
    assert len(service.posts()) == 1
    assert files(online) == []


def test_the_cursor_is_shown_again_after_a_second_interrupt(
    online: Mj, service: Service, screen: Screen
) -> None:
    """The clean-up after the first one hangs in writing the result to a full pipe."""
    hold_after_the_task(service)
    read, write = os.pipe()
    try:
        os.set_blocking(write, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(write, b"x" * 65536)
        os.set_blocking(write, True)
        terminal: dict[str, Any] = {"stdin": screen.theirs, "stdout": write, "stderr": screen.theirs}
        with running(online, "imagine", "a cat", "--json", start_new_session=True, **terminal) as process:
            screen.read_until(process, b"10%")
            process.send_signal(signal.SIGINT)
            screen.read_until(process, b"Interrupted")
            process.send_signal(signal.SIGINT)
            assert process.wait(SOON) == 130
            screen.read_until(process, None)
    finally:
        os.close(read)
        os.close(write)
    restored(screen)
    assert len(service.posts()) == 1
