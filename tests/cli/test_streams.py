"""The stream, byte by byte: however it arrives, it gives one result from one POST."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from mjcli.jobs.budget import LIST_DATE
from tests.support.images import png
from tests.support.program import Mj, run_after
from tests.support.service import Received, Reply, Script, Service, fixture, fixture_lines, task_record

LINES = fixture_lines("stream.ndjson")
FINAL = json.loads(LINES[-1])
TASK = FINAL["task_id"]
REQUEST = {"action": "generate", "prompt": "a cat"}


def pieces(*parts: bytes, headers: dict[str, str] | None = None) -> Script:
    """A script that sends these chunks and ends the response properly."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson", **(headers or {})})
        for part in parts:
            reply.send(part)
        reply.end()

    return script


def with_text(text: str) -> list[bytes]:
    """The lines, with an unescaped text in each."""
    return [json.dumps({**json.loads(line), "text": text}, ensure_ascii=False).encode() for line in LINES]


ODD = with_text("森é🐈")
WHOLE = b"\r\n".join(ODD) + b"\r\n"
# Positions inside a multi-byte character.
INSIDE = [at for at, byte in enumerate(WHOLE) if byte & 0xC0 == 0x80]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([WHOLE[i : i + 1] for i in range(len(WHOLE))], id="one byte at a time"),
        pytest.param([WHOLE[i : i + 7] for i in range(0, len(WHOLE), 7)], id="seven bytes at a time"),
        pytest.param(
            [WHOLE[i:j] for i, j in zip([0, *INSIDE], [*INSIDE, None], strict=True)], id="inside characters"
        ),
        pytest.param([WHOLE], id="all in one piece"),
        pytest.param([WHOLE.replace(b"\r\n", b"\n")], id="line feeds"),
        pytest.param([WHOLE.replace(b"\r", b"\r" * 3)], id="several carriage returns"),
        pytest.param([b"\xef\xbb\xbf", WHOLE], id="a byte order mark"),
        pytest.param([b"\r\n\n  \r\n", WHOLE.replace(b"\r\n", b"\r\n\r\n\n")], id="blank lines"),
        pytest.param([WHOLE.removesuffix(b"\r\n")], id="no line end at the end"),
        pytest.param([WHOLE.removesuffix(b"\n")], id="half a line end at the end"),
        pytest.param([b" " + WHOLE.replace(b"\r\n", b" \t\r\n ")], id="white space around lines"),
    ],
)
def test_chunk_boundaries_do_not_matter(online: Mj, service: Service, parts: list[bytes]) -> None:
    service.imagine(pieces(*parts))
    result = online("imagine", "a cat", "--json", "--stream")
    assert [each["progress"] for each in result.json] == [35, 75, 100]
    assert result.json[-1] == {**FINAL, "text": "森é🐈", "files": []}
    assert result.err == f"task: {TASK}\nCost: about 0.025 USD (list prices of {LIST_DATE})\n"
    assert len(service.received) == 1


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_a_line_feed_ends_a_line(online: Mj, service: Service, separator: str) -> None:
    text = f"a{separator}b"
    escaped = text if separator >= "\x7f" else f"a\\u{ord(separator):04x}b"
    final = LINES[-1][:-1] + f', "text": "{escaped}"}}'.encode()
    service.imagine(pieces(LINES[0] + b"\n" + final + b"\n"))
    result = online("imagine", "a cat", "--json")
    assert result.answer["text"] == text
    assert len(result.out.splitlines()) == 1
    assert "skipped" not in result.err


@pytest.mark.parametrize("control", [b"\x0b", b"\x0c", b"\x1c", b"\x1e"])
def test_a_raw_control_character_invalidates_only_its_own_line(
    online: Mj, service: Service, control: bytes
) -> None:
    """JSON forbids it inside a string, but it is not a line ending: one line is skipped, not two."""
    spoiled = [line[:-1] + b', "text": "a' + control + b'b"}' for line in LINES]
    service.stream([LINES[0], spoiled[1], LINES[-1]])
    result = online("imagine", "a cat", "--json", "--stream")
    assert [each["progress"] for each in result.json] == [35, 100]
    assert result.err.count("warning:") == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_stream_is_read(online: Mj, service: Service, encoding: str) -> None:
    import zlib

    data = gzip.compress(WHOLE) if encoding == "gzip" else zlib.compress(WHOLE)
    service.imagine(pieces(data[:50], data[50:], headers={"content-encoding": encoding}))
    assert online("imagine", "a cat", "--json").answer["image_id"] == FINAL["image_id"]


@pytest.mark.parametrize("text", [json.dumps(FINAL), json.dumps(FINAL, indent=2)])
def test_a_plain_json_response_to_a_stream_request_is_the_result(
    online: Mj, service: Service, text: str
) -> None:
    service.imagine(lambda _, reply: reply.whole(text.encode(), headers={"content-type": "application/json"}))
    assert online("imagine", "a cat", "--json", "--stream").answer == {**FINAL, "files": []}


def test_a_stream_in_response_to_a_plain_request_is_read(online: Mj, service: Service) -> None:
    service.stream(LINES)
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    result = online("imagine", "a cat", "--json", "--no-stream")
    assert result.answer["task_id"] == TASK
    assert len(service.posts()) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"keep-alive",
        b"[1, 2]",
        b'"text"',
        b"17",
        b"null",
        b"{",
        b'{"progress": NaN}',
        b'{"progress": Infinity}',
        b'{"text": "\xff\xfe"}',
        b'{"text": "\xc3"}',
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
        b'{"a": 1} {"b": 2}',
        b"event: message",
        b"\x00\x00",
    ],
    ids=lambda line: repr(line[:20]),
)
@pytest.mark.parametrize("at", [0, 1])
def test_a_line_that_is_not_an_object_is_skipped_with_a_warning(
    online: Mj, service: Service, line: bytes, at: int
) -> None:
    service.stream([*LINES[:at], line, *LINES[at:]])
    result = online("imagine", "a cat", "--json", "--stream")
    assert [each.get("progress") for each in result.json] == [35, 75, 100]
    assert "warning:" in result.err
    assert len(service.received) == 1


UNREADABLE = {
    "no JSON": LINES[-1][:-1],
    "no object": b"[" + LINES[-1] + b"]",
    "NaN": LINES[-1][:-1] + b', "odd": NaN}',
    "invalid UTF-8": LINES[-1][:-1] + b', "odd": "\xff\xfe"}',
    "a raw vertical tab": LINES[-1][:-1] + b', "odd": "\x0b"}',
    "deep nesting": LINES[-1][:-1] + b', "odd": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nesting that can be parsed": LINES[-1][:-1] + b', "odd": ' + b"[" * 400 + b"]" * 400 + b"}",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_final_line_is_queried(online: Mj, service: Service, name: str) -> None:
    service.stream([LINES[0], UNREADABLE[name]])
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    result = online("imagine", "a cat", "--json")
    assert result.answer == {**FINAL, "files": []}
    assert "warning:" in result.err
    assert [each.body for each in service.posts(Service.TASKS)] == [{"action": "retrieve", "id": TASK}]
    assert len(service.posts()) == 1


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_plain_response_is_searched_for(online: Mj, service: Service, name: str) -> None:
    service.imagine(lambda _, reply: reply.whole(UNREADABLE[name]))
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    assert online("imagine", "a cat", "--json", "--no-stream").answer == {**FINAL, "files": []}
    assert len(service.posts()) == 1


@pytest.mark.parametrize("depth", [90, 98, 99, 500, 900, 960, 990])
def test_a_deeply_nested_result_is_not_an_internal_error(online: Mj, service: Service, depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    service.stream([LINES[0], LINES[-1][:-1] + b',"odd":' + nested + b"}"])
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    for options in (["--json"], ["--field", "odd"]):
        result = online("imagine", "a cat", *options)
        assert b"Internal error" not in result.stderr


@pytest.mark.slow
def test_a_line_of_ten_megabytes_is_read(online: Mj, service: Service) -> None:
    big = "x" * (10 << 20)
    service.stream([LINES[0], json.dumps({**FINAL, "text": big}).encode()])
    assert online("imagine", "a cat", "--field", "text").stdout == big.encode() + b"\n"


def test_an_endless_line_is_limited_and_the_job_is_not_lost(online: Mj, service: Service) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        piece = b"x" * (1 << 20)
        while not service.over.is_set():  # until mj stops reading
            reply.send(piece)

    service.imagine(script)
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    assert online("imagine", "a cat", "--json").answer["task_id"] == TASK
    assert len(service.posts()) == 1


# -- progress ------------------------------------------------------------------------------------------

MISSING = "missing"


def progressing(*values: Any) -> list[dict[str, Any]]:
    """An event for each value of `progress`; None omits it."""
    event = {"task_id": TASK, "success": True, "actions": []}
    return [event if value is MISSING else {**event, "progress": value} for value in values]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([10, 50, 30, 60], [10, 50, 60]),
        (["10%", "50%", "55.5%"], [10, 50, 55]),
        ([10, 150, 99], [10, 100]),
        ([10, 150.0, 99], [10, 100]),
        ([-5, 0, 20], [0, 20]),
        ([10, None, 20], [10, 20]),
        ([10, MISSING, 20], [10, 20]),
        ([True, "soon", [], {}, 20], [20]),
        ([10, 1e300, 20], [10, 100]),
        ([MISSING], []),
    ],
    ids=repr,
)
def test_progress_never_goes_back_and_stays_within_0_and_100(
    online: Mj, service: Service, values: list[Any], shown: list[int]
) -> None:
    service.stream([*progressing(*values), LINES[-1]])
    result = online("imagine", "a cat")
    assert [int(each) for each in re.findall(r"(-?\d+)%", result.err)] == shown
    assert "warning:" not in result.err
    assert f"id: {FINAL['image_id']}" in result.out
    assert len(service.posts()) == 1


def test_events_without_task_and_success_are_read(online: Mj, service: Service) -> None:
    lines = fixture_lines("stream_legacy.ndjson")
    service.stream(lines)
    result = online("imagine", "a cat", "--json", "--stream")
    assert len(result.json) == len(lines)
    assert result.json[-1] == {**json.loads(lines[-1]), "files": []}


def test_null_and_unknown_fields_are_printed_unchanged(online: Mj, service: Service) -> None:
    event = {"task_id": TASK, "progress": None, "actions": None, "image_url": None, "new": {"x": [1]}}
    service.stream([event, LINES[-1]])
    result = online("imagine", "a cat", "--json", "--stream")
    assert result.json[0] == event


def test_the_image_id_of_the_last_line_is_used(online: Mj, service: Service) -> None:
    service.stream(LINES)
    assert online("imagine", "a cat", "--field", "image_id").out == f"{FINAL['image_id']}\n"


def test_the_last_of_two_final_lines_is_used(online: Mj, service: Service) -> None:
    service.stream([*LINES, {**FINAL, "image_id": "second"}])
    result = online("imagine", "a cat", "--json", "--stream")
    assert [each["progress"] for each in result.json] == [35, 75, 100, 100]
    assert result.json[-1] == {**FINAL, "image_id": "second", "files": []}
    assert online("imagine", "a cat", "--json").answer["image_id"] == "second"


def test_a_changed_task_id_is_reported_and_the_first_is_used(online: Mj, service: Service) -> None:
    service.stream([LINES[0], {**FINAL, "task_id": "another"}])
    result = online("imagine", "a cat")
    assert "another" in result.err
    assert TASK in result.err
    with closing(sqlite3.connect(online.home / "data" / "ledger.db", isolation_level=None)) as ledger:
        assert ledger.execute("SELECT task_id FROM jobs").fetchall() == [(TASK,)]
    ledger.close()


def test_the_suggested_command_uses_the_first_task_id(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = b"<html>"
    service.stream([LINES[0], service.result(task_id="another")])
    result = online("imagine", "a cat", "--download", check=8)
    (command,) = [line.strip() for line in result.err.splitlines() if line.startswith("  next: mj resume")]
    assert command == f"next: mj resume {TASK}"
    service.files["/files/cat.png"] = png()
    online(*command.removeprefix("next: mj ").split())
    assert len(list(online.cwd.iterdir())) == 1
    assert len(service.posts()) == 1


def test_a_final_line_without_an_image_is_queried(online: Mj, service: Service) -> None:
    service.stream([*LINES[:2], {"task_id": TASK, "progress": 100, "success": True}])
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    assert online("imagine", "a cat", "--json").answer == {**FINAL, "files": []}
    assert service.posts(Service.TASKS)[0].body == {"action": "retrieve", "id": TASK}


@pytest.mark.slow
def test_a_stream_that_stays_open_after_the_final_line_does_not_block(online: Mj, service: Service) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for line in LINES:
            reply.send(line + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    assert online("imagine", "a cat", "--json", timeout=30).answer == {**FINAL, "files": []}


# Every timeout except the job's own deadline, so short that it would expire below.
IMPATIENT = """
import sys
import mjcli.api.connection, mjcli.api.http
from mjcli.__main__ import main
for module, name in (
    (mjcli.api.connection, "CONNECT_SECONDS"),
    (mjcli.api.connection, "WRITE_SECONDS"),
    (mjcli.api.http, "READ_SECONDS"),
):
    assert hasattr(module, name)
    setattr(module, name, 0.2)
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("accepted", [False, True], ids=["before the task id", "after the task id"])
@pytest.mark.parametrize("gap", [b"", b" "], ids=["silence", "a byte now and then"])
def test_a_silent_stream_does_not_time_out(online: Mj, service: Service, gap: bytes, accepted: bool) -> None:
    """The pauses last longer than any timeout except the deadline.

    The tests of the client show that only the deadline limits the real ones.
    """

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        if accepted:
            reply.send(LINES[0] + b"\r\n")
        for _ in range(3):
            service.over.wait(0.4)
            if gap:
                reply.send(gap)
        reply.send(LINES[-1] + b"\r\n")
        reply.end()

    service.imagine(script)
    result = run_after(online, IMPATIENT, "imagine", "a cat", "--json")
    assert result.status == 0, result.err
    assert result.answer == {**FINAL, "files": []}
    assert len(service.received) == 1


# -- ends ----------------------------------------------------------------------------------------------

ENDS: dict[str, Callable[[Reply], object]] = {
    "end": lambda reply: reply.end(),
    "reset": lambda reply: reply.reset(),
    "missing terminator": lambda reply: reply.close(),
    "half a line": lambda reply: (reply.send(b'{"task_id": "x'), reply.end()),
    "a broken chunk": lambda reply: (reply.raw(b"zz\r\n"), reply.close()),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("lines", [0, 1], ids=["before the task id", "after the task id"])
def test_a_broken_stream_continues_with_queries(online: Mj, service: Service, end: str, lines: int) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for line in LINES[:lines]:
            reply.send(line + b"\r\n")
        ENDS[end](reply)

    service.imagine(script)
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    result = online("imagine", "a cat", "--json")
    assert result.answer == {**FINAL, "files": []}
    assert len(service.posts()) == 1
    query = service.posts(Service.TASKS)[0].body
    assert query["action"] == ("retrieve" if lines else "retrieve_batch")
    assert not query.get("ids")


@pytest.mark.parametrize("end", ENDS)
def test_how_the_stream_ends_after_the_final_line_does_not_matter(
    online: Mj, service: Service, end: str
) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for line in LINES:
            reply.send(line + b"\r\n")
        ENDS[end](reply)

    service.imagine(script)
    assert online("imagine", "a cat", "--json").answer["image_id"] == FINAL["image_id"]
    assert len(service.posts()) == 1


def test_the_final_line_is_used_even_without_a_line_ending(online: Mj, service: Service) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n" + LINES[-1])
        reply.close()

    service.imagine(script)
    assert online("imagine", "a cat", "--json").answer == {**FINAL, "files": []}


def test_a_job_that_failed_after_the_stream_broke_exits_with_4(online: Mj, service: Service) -> None:
    service.stream(LINES[:1], end=False)
    service.tasks[TASK] = task_record(TASK, REQUEST, fixture("error.json"))
    result = online("imagine", "a cat", "--json", check=4)
    assert result.answer["task_id"] == TASK
    assert result.answer["error"]["code"] == "api_error"
    assert len(service.posts()) == 1


def test_a_timeout_at_the_end_of_the_stream_does_not_end_a_running_job(online: Mj, service: Service) -> None:
    service.stream([LINES[0], {"error": {"code": "timeout", "message": "upstream"}}])
    service.tasks[TASK] = task_record(TASK, REQUEST, FINAL)
    assert online("imagine", "a cat", "--json").answer["task_id"] == TASK
    assert len(service.posts()) == 1


def test_the_task_is_in_the_ledger_before_it_is_on_the_screen(online: Mj, service: Service) -> None:
    states: list[Any] = []

    def rows() -> list[Any]:
        ledger = sqlite3.connect(f"file:{online.home / 'data' / 'ledger.db'}?mode=ro", uri=True)
        try:
            return ledger.execute("SELECT state, task_id FROM jobs").fetchall()
        finally:
            ledger.close()

    def script(_request: Received, reply: Reply) -> None:
        states.append(rows())
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    with online.start("imagine", "a cat") as process:
        assert process.stderr is not None
        try:
            assert TASK.encode() in process.stderr.readline()
            assert rows() == [("running", TASK)]
        finally:
            process.kill()
    assert states == [[("submitting", None)]]
