"""The program as one process among others: killed at each moment, many at a time, in a world that is not in order."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.cli.test_downloads import begun_by
from tests.cli.test_lost_answers import SET_CLOCK
from tests.cli.test_signals import (
    FIRST,
    SOON,
    ended,
    files,
    hold,
    hold_after_the_task,
    hold_the_picture,
    running,
)
from tests.cli.test_terminal import Screen
from tests.service import Received, Reply, Service, png, task_record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals and file modes of Unix")

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
    pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
    pytest.param(signal.SIGKILL, -9, id="SIGKILL"),
]
CAUGHT = SIGNALS[:3]


def job_row(mj: Mj) -> dict[str, Any]:
    """The one job of the ledger, its request read."""
    ledger = sqlite3.connect(mj.home / "data" / "ledger.db")
    ledger.row_factory = sqlite3.Row
    try:
        (row,) = ledger.execute("SELECT * FROM jobs").fetchall()
    finally:
        ledger.close()
    return {**row, "request": json.loads(row["request"])}


def stopped(process: subprocess.Popen[bytes], number: int, status: int) -> str:
    """Send the signal; what standard error said when the program had ended as it must."""
    process.send_signal(number)
    code, _out, err = ended(process)
    assert code == status
    return err


# -- told to stop, moment by moment --------------------------------------------------------------------


class Peer:
    """A server that takes a connection, reads what its script wants, and never answers."""

    def __init__(self, read: Callable[[socket.socket], bytes]) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._read = read
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""  # by the time that `arrived` is set; all there was, after `rest`
        self.arrived = threading.Event()
        self._over = threading.Event()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self.heard = self._read(connection)
            self.arrived.set()
            self._over.wait(60)
            try:
                while piece := connection.recv(1 << 20):
                    self.heard += piece
            except OSError:
                pass  # a reset is an end, too

    def rest(self) -> bytes:
        """Everything that came, once the other side has gone away."""
        self._over.set()
        self._thread.join(SOON)
        assert not self._thread.is_alive()
        return self.heard

    def close(self) -> None:
        self._over.set()
        self._listener.close()


@contextmanager
def peer(read: Callable[[socket.socket], bytes]) -> Iterator[Peer]:
    """Such a server; closed in the end."""
    server = Peer(read)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_before_the_post_nothing_has_left_and_the_row_says_so(online: Mj, number: int, status: int) -> None:
    """The connection is there and the TLS handshake is never answered, so that nothing can be sent."""
    # A signal in the handshake makes Python's own ssl module leave its socket to the garbage collector.
    online.env["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    with peer(lambda connection: connection.recv(65536)) as server:
        online.env["MJ_BASE_URL"] = f"https://127.0.0.1:{server.port}"
        with running(online, "imagine", "a cat", "--download") as process:
            assert server.arrived.wait(SOON)
            err = stopped(process, number, status)
        assert server.rest()[:1] == b"\x16"  # the client's part of the handshake
    assert b"POST" not in server.heard
    row = job_row(online)
    assert row["sent_at"] is None
    assert row["task_id"] is None
    assert row["request"] == {"action": "generate", "prompt": "a cat"}
    assert files(online) == []
    if number == signal.SIGINT:  # whoever presses Ctrl-C does not want the job any more
        assert (row["state"], json.loads(row["error"])["code"]) == ("failed", "interrupted")
    else:
        assert row["state"] == "submitting"
    if number != signal.SIGKILL:
        assert "nothing was sent" in err


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_between_two_tries_the_row_says_that_what_left_came_back(
    online: Mj, service: Service, number: int, status: int
) -> None:
    refusal = {"error": {"code": "too_many_requests", "message": "slow down"}}
    service.answer(refusal, 429, {"retry-after": "50"})
    with running(online, "imagine", "a cat", "--download") as process:
        assert process.stderr is not None
        assert b"Trying again" in process.stderr.readline()
        err = stopped(process, number, status)
    row = job_row(online)
    assert (row["sent_at"], row["task_id"]) == (None, None)
    assert row["state"] == ("failed" if number == signal.SIGINT else "submitting")
    assert len(service.posts()) == 1
    if number != signal.SIGKILL:
        assert "nothing was sent" in err


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_the_post_is_sent_it_may_have_been_accepted(online: Mj, number: int, status: int) -> None:
    """The head has arrived, and the body is more than the buffers between the two take."""
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
    assert len(body) < 6_000_000  # it was stopped in the middle
    row = job_row(online)
    assert row["state"] in ("submitting", "unknown")
    assert row["sent_at"] is not None
    assert row["task_id"] is None
    assert row["request"] == {"action": "generate", "prompt": prompt}
    assert files(online) == ["prompt"]
    if number != signal.SIGKILL:
        assert "may have been accepted" in err


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_the_answer_is_awaited_the_request_stands_in_the_ledger(
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
def test_after_the_task_is_known_it_stands_in_the_ledger(
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
    begun = hold_the_picture(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert begun.wait(SOON)
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
    """The cursor was taken away for a live bar and given back."""
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
    "during a download": (hold_the_picture, b" kB"),
}


@pytest.mark.parametrize(("number", "status"), CAUGHT)
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_cursor_is_given_back(
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


def test_the_cursor_is_back_also_when_a_second_interrupt_ends_it_at_once(
    online: Mj, service: Service, screen: Screen
) -> None:
    """The first one's clean-up hangs in writing the answer to a pipe that is full."""
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


# -- several at a time ---------------------------------------------------------------------------------


def test_jobs_and_changes_of_the_settings_at_the_same_time_do_not_disturb_one_another(
    online: Mj, service: Service
) -> None:
    """Six of each: every job reads the settings whole, and every change of them is kept."""

    def script(request: Received, reply: Reply) -> None:
        reply.stream([service.result(task_id=f"task-{request.body['prompt']}")])

    service.imagine(script)
    online("config", "set", "defaults.mode", "relax")
    processes = [
        online.start(*arguments)
        for n in range(6)
        for arguments in (
            ("imagine", f"cat{n}", "-q"),
            ("config", "set", f"presets.p{n}.suffix", f"--chaos {n}"),
        )
    ]
    try:
        ends = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [(process.returncode, err) for process, (_, err) in zip(processes, ends, strict=True)] == [
        (0, b"")
    ] * 12
    assert {each.body["mode"] for each in service.posts()} == {"relax"}
    assert len(service.posts()) == 6
    ledger = sqlite3.connect(online.home / "data" / "ledger.db")
    rows = ledger.execute("SELECT state, task_id FROM jobs").fetchall()
    ledger.close()
    assert sorted(rows) == [("done", f"task-cat{n}") for n in range(6)]
    for n in range(6):
        assert online("config", "get", f"presets.p{n}.suffix").out == f"--chaos {n}\n"


# -- a ledger that stays locked ------------------------------------------------------------------------

# Patience of a fifth of a second; with "leaving", the lock falls just before the first byte would leave.
LOCKED = """
import os, sqlite3, sys
import mjcli.ledger
from mjcli.__main__ import main
assert mjcli.ledger.BUSY_SECONDS
mjcli.ledger.BUSY_SECONDS = 0.2
real = mjcli.ledger.Ledger.leaving
held = []

def leaving(self, identity):
    held.append(sqlite3.connect(self.path, isolation_level=None))
    held[0].execute("BEGIN IMMEDIATE")
    try:
        return real(self, identity)
    finally:
        held[0].close()

if os.environ["LOCKED"] == "leaving":
    mjcli.ledger.Ledger.leaving = leaving
sys.exit(main())
"""


@pytest.mark.parametrize("moment", ["from the start", "leaving"])
def test_a_ledger_that_stays_locked_sends_nothing(online: Mj, service: Service, moment: str) -> None:
    """Scaled: it is waited for, but not for half a minute."""
    service.answer(service.result())
    online("imagine", "a dog")
    service.received.clear()
    online.env["LOCKED"] = moment
    other = sqlite3.connect(online.home / "data" / "ledger.db", isolation_level=None)
    try:
        if moment == "from the start":
            other.execute("BEGIN IMMEDIATE")
        result = begun_by(online, LOCKED, "imagine", "a cat", "--json")
    finally:
        other.close()
    assert result.status == 2, result.err
    assert result.answer["error"]["code"] == "config"
    assert "locked" in result.err
    assert "--no-ledger" in result.err
    assert service.received == []


@pytest.mark.skipif(sys.platform == "win32", reason="the signals of Unix")
def test_the_wait_for_a_ledger_can_be_interrupted(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a dog")
    service.received.clear()
    other = sqlite3.connect(online.home / "data" / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with running(online, "imagine", "a cat", "--verbose", stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert any(b"The ledger is" in line for line in process.stderr)
            process.send_signal(signal.SIGINT)
            code, _, err = ended(process)  # far sooner than the half minute of the wait
    finally:
        other.close()
    assert code == 130
    assert "nothing was sent" in err
    assert service.received == []


# -- a config file that is not in order ----------------------------------------------------------------


def config_file(mj: Mj, content: str | bytes, mode: int = 0o600) -> Path:
    path = Path(mj.env["MJ_CONFIG"])
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'[profiles.default]\ntoken = "secret-tok', id="truncated in a value"),
        pytest.param(b"[profiles.default]\ntoken =", id="truncated behind a key"),
        pytest.param(b"[profiles.def", id="truncated in a header"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", id="binary"),
        pytest.param(b"\x00" * 4096, id="zeros"),
        pytest.param(bytes(range(128, 256)) * 8, id="no UTF-8"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_a_sentence_and_sends_nothing(
    online: Mj, service: Service, content: bytes
) -> None:
    path = config_file(online, content)
    result = online("imagine", "a cat", "--json", check=2)
    assert result.answer["error"]["code"] == "config"
    assert str(path) in result.err
    assert "secret-tok" not in result.out + result.err
    assert service.received == []
    assert path.read_bytes() == content
    assert not (online.home / "data").exists()


def test_a_truncated_file_that_is_still_toml_asks_for_the_token_it_lacks(
    online: Mj, service: Service
) -> None:
    config_file(online, "[profiles.default]\n")
    result = online("imagine", "a cat", "--json", env={"MJ_TOKEN": None}, check=3)
    assert result.answer["error"]["code"] == "no_token"
    assert service.received == []


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o666])
def test_a_config_file_that_others_may_read_is_warned_of_once_and_used(
    online: Mj, service: Service, mode: int
) -> None:
    path = config_file(online, '[profiles.default]\ntoken = "secret-token"\n', mode)
    service.answer(service.result())
    result = online("imagine", "a cat", env={"MJ_TOKEN": None})
    assert result.err.count("warning:") == 1
    assert f"chmod 600 {path}" in result.err
    assert service.posts()[0].headers["authorization"] == "Bearer secret-token"


BAD_TOKENS = {
    "a newline": "hidden\nsecret",
    "a newline at its end": "hidden-secret\n",
    "a header": "hidden\r\nx-evil: secret",
    "non-ASCII": "hidden-sécret",
    "other digits": "hidden-secret\uff11",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
@pytest.mark.parametrize("place", ["MJ_TOKEN", "ACEDATACLOUD_API_TOKEN", "the config file"])
def test_a_token_that_can_be_none_is_refused_and_not_echoed(
    online: Mj, service: Service, place: str, name: str
) -> None:
    token = BAD_TOKENS[name]
    env: dict[str, str | None] = {"MJ_TOKEN": None}
    if place == "the config file":
        config_file(online, f"[profiles.default]\ntoken = {json.dumps(token, ensure_ascii=False)}\n")
        said = "profiles.default.token"
    else:
        env[place] = token
        said = place
    for options in ([], ["-v"], ["--json"]):
        result = online("imagine", "a cat", *options, env=env, check=2)
        assert said in result.err
        for part in ("hidden", "secret", "sécret", "x-evil"):
            assert part not in result.out + result.err
    assert service.received == []


# -- no home, and a clock that is set ------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="the directories of XDG")
def test_without_home_the_directories_of_the_platform_serve(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    places: dict[str, str | None] = {
        "HOME": None,
        "MJ_CONFIG": None,
        "MJ_DATA_DIR": None,
        "XDG_CONFIG_HOME": str(online.home / "xdg-config"),
        "XDG_DATA_HOME": str(online.home / "xdg-data"),
    }
    online("config", "set", "defaults.mode", "fast", env=places)
    online("imagine", "a cat", "--download", env=places)
    assert service.posts()[0].body["mode"] == "fast"
    assert (online.home / "xdg-config" / "mj" / "config.toml").exists()
    assert (online.home / "xdg-data" / "mj" / "ledger.db").exists()
    assert len(files(online)) == 1


# The user has no entry in the system's list of users either, as in many a container.
NOBODY = """
import pwd, sys
from mjcli.__main__ import main

def unknown(*_):
    raise KeyError("no such user")

pwd.getpwuid = pwd.getpwnam = unknown
sys.exit(main())
"""


@pytest.mark.parametrize("named", [(), ("MJ_CONFIG",), ("MJ_DATA_DIR",)], ids=repr)
def test_without_any_home_it_is_said_what_to_set(
    online: Mj, service: Service, named: tuple[str, ...]
) -> None:
    del online.env["HOME"]
    online.env |= dict.fromkeys({"MJ_CONFIG", "MJ_DATA_DIR"} - set(named), "")  # as if unset
    for command in (("imagine", "a cat"), ("config", "list")):
        result = begun_by(online, NOBODY, *command, "--json")
        assert result.status == 2, result.err
        assert result.answer["error"]["code"] == "config"
        assert "HOME" in result.err
        assert "MJ_DATA_DIR" in result.err or "MJ_CONFIG" in result.err
    assert service.received == []
    assert files(online) == []


def test_without_any_home_a_job_runs_where_its_files_are_named(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    del online.env["HOME"]
    result = begun_by(online, NOBODY, "imagine", "a cat", "--download", "--json")
    assert result.status == 0, result.err
    assert len(files(online)) == 1


@pytest.mark.parametrize("change", [-7200, 7200], ids=["back", "forward"])
def test_a_clock_that_is_set_while_a_job_runs_changes_nothing_for_it(
    online: Mj, service: Service, change: int
) -> None:
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}
    service.files["/files/cat.png"] = png()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        mark.touch()
        reply.send(json.dumps(service.result(task_id="task-1")).encode() + b"\r\n")
        reply.end()

    service.imagine(script)
    result = begun_by(online, SET_CLOCK, "imagine", "a cat", "--download", "--timeout", "60", "--json")
    assert result.status == 0, result.err
    assert len(result.answer["files"]) == len(files(online)) == 1
    assert job_row(online)["state"] == "done"
    assert len(service.received) == 2  # the job and its picture


@pytest.mark.parametrize("change", [-7200, 7200], ids=["back", "forward"])
def test_a_clock_that_is_set_does_not_move_the_end_of_a_wait(
    online: Mj, service: Service, change: int
) -> None:
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        mark.touch()
        service.over.wait(60)

    service.imagine(script)
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, None)
    result = begun_by(online, SET_CLOCK, "imagine", "a cat", "--timeout", "1", "--json")
    assert result.status == 7, result.err
    assert result.answer["task_id"] == "task-1"


def test_the_newest_job_is_the_one_asked_last_also_when_the_clock_was_set_back(
    online: Mj, service: Service
) -> None:
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": "-7200", "CLOCK_MARK": str(mark)}
    for name in ("one", "two"):
        service.answer(service.result(task_id=name))
        service.tasks[name] = task_record(name, {"prompt": "a cat"}, service.result(task_id=name))
        assert begun_by(online, SET_CLOCK, "imagine", "a cat", "-q").status == 0
        mark.touch()
    assert online("describe-task", "@last", "--field", "id").out == "two\n"
    assert online("describe-task", "@2", "--field", "id").out == "one\n"


# -- a full disk ---------------------------------------------------------------------------------------

# No file may grow beyond this, as on a full disk; the ledger's write-ahead log is the first to meet it.
FULL = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[2:]])
"""


@pytest.mark.parametrize("kilobytes", range(32, 68, 4))
def test_a_disk_that_is_full_at_any_moment_of_a_job_costs_no_picture_and_no_second_payment(
    online: Mj, service: Service, kilobytes: int
) -> None:
    """Depending on how much room there is, it is the row that fails, its changes, or the picture."""
    service.files["/files/cat.png"] = png(40_000)

    def imagine(request: Received, reply: Reply) -> None:
        result = service.result(task_id="task-1")
        service.tasks["task-1"] = task_record("task-1", request.body, result)
        reply.stream([FIRST, result])

    service.imagine(imagine)
    result = begun_by(online, FULL, kilobytes * 1024, "imagine", "a cat", "--download")
    assert result.status in (0, 2, 8), result.err
    assert len(service.posts()) == (0 if result.status == 2 else 1)
    assert all(not name.endswith(".part") for name in files(online))
    online("resume")
    if result.status != 2:
        assert job_row(online)["state"] == "done"
        assert len(files(online)) == 1
    assert len(service.posts()) <= 1


def test_a_disk_without_room_for_a_ledger_is_told_as_that(online: Mj, service: Service) -> None:
    result = begun_by(online, FULL, 4096, "imagine", "a cat")
    assert result.status == 2
    assert "rollback" not in result.err
    assert "Nothing was sent, so nothing is paid" in result.err
    assert service.received == []
