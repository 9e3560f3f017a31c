"""Jobs at the same time whose output appears in the order requested."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from mjcli.cli.output.sink import Mode, Output
from mjcli.cli.output.turns import Turns
from mjcli.errors import ApiError, ExitCode, Interrupted, MjError, StillRunning
from tests.support.sinks import MemoryOutput


def answer(output: Output, name: str) -> None:
    output.notice(f"notice of {name}")
    output.answer({"id": name}, [("id", name)], [name])


def test_jobs_that_end_in_any_order_are_printed_in_the_order_requested() -> None:
    sink = MemoryOutput(Mode(json=True))
    with Turns(sink) as turns:
        for number in (3, 1, 4, 2):
            with turns.turn(number) as output:
                answer(output, str(number))
    assert [json.loads(line)["id"] for line in sink.out.text.splitlines()] == ["1", "2", "3", "4"]
    assert sink.err.text.splitlines() == [f"notice of {n}" for n in (1, 2, 3, 4)]


def test_the_job_whose_turn_it_is_prints_at_once() -> None:
    sink = MemoryOutput()
    with Turns(sink) as turns:
        first, second = turns.turn(1), turns.turn(2)
        second.notice("second")
        assert sink.err.text == ""
        first.notice("first")
        assert sink.err.text == "first\n"
        with first:
            pass
        assert sink.err.text == "first\nsecond\n"
        second.notice("live")
        assert sink.err.text == "first\nsecond\nlive\n"


def test_events_of_a_stream_wait_for_their_turn() -> None:
    sink = MemoryOutput(Mode(json=True))
    with Turns(sink) as turns:
        with turns.turn(2) as output:
            output.event(b'{"progress":50}', {"progress": 50})
            output.flush()
        with turns.turn(1) as output:
            output.event(b'{"progress":1}', {"progress": 1})
    assert sink.out.text == '{"progress":1}\n{"progress":50}\n'


def test_the_first_failure_in_the_order_of_the_jobs_decides_the_exit_status() -> None:
    sink = MemoryOutput(Mode(json=True))
    with Turns(sink) as turns:
        with turns.turn(2) as output:
            output.failure(StillRunning("It still runs.", task_id="task-2"))
            assert output.status == ExitCode.RUNNING
            assert sink.status == ExitCode.OK
        with turns.turn(1) as output:
            output.failure(ApiError("Banned.", code="bad_request"))
    assert sink.status == ExitCode.REFUSED
    assert [json.loads(line)["error"]["code"] for line in sink.out.text.splitlines()] == [
        "bad_request",
        "timeout",
    ]


def test_tokens_are_masked_and_a_field_is_selected_as_in_the_output_of_the_command() -> None:
    sink = MemoryOutput(Mode(field="id"), {"MJ_TOKEN": "secret-token"})
    with Turns(sink) as turns, turns.turn(1) as output:
        answer(output, "secret-token")
    assert sink.out.text == "********\n"
    assert sink.err.text == "notice of ********\n"


def test_an_interrupted_run_prints_the_jobs_that_ended() -> None:
    sink = MemoryOutput()
    turns = Turns(sink)
    with pytest.raises(Interrupted), turns:
        for number in (4, 2):
            with turns.turn(number) as output:
                answer(output, str(number))
        turns.turn(3).notice("not complete")
        with turns.turn(1) as output:
            output.notice("first")
            raise Interrupted(2)
    assert sink.out.text == "id: 2\nid: 4\n"
    assert sink.err.text == "first\nnotice of 2\nnotice of 4\n"


def test_a_job_that_fails_unexpectedly_does_not_hold_up_the_others() -> None:
    sink = MemoryOutput()
    with Turns(sink) as turns:
        with turns.turn(2) as output:
            output.notice("second")
        with pytest.raises(MjError), turns.turn(1):
            raise MjError("An error.")
        assert sink.err.text == "second\n"


@pytest.mark.slow
def test_jobs_in_many_threads_are_printed_whole_and_in_order() -> None:
    sink = MemoryOutput(Mode(json=True))
    start = threading.Barrier(20)

    def run(turns: Turns, number: int) -> None:
        start.wait()
        with turns.turn(number) as output:
            for part in range(50):
                output.answer({"job": number, "part": part}, [])

    with Turns(sink) as turns:
        threads = [threading.Thread(target=run, args=(turns, number)) for number in range(1, 21)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [tuple(json.loads(line).values()) for line in sink.out.text.splitlines()]
    assert found == [(job, part) for job in range(1, 21) for part in range(50)]


class Failing(MemoryOutput):
    """Its standard output fails; `reader` decides how."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(Mode(json=True))
        self.error = error
        write: Any = self._fail
        self.out.bytes.write = write  # type: ignore[method-assign]

    def _fail(self, _data: bytes) -> int:
        raise self.error


def test_a_slow_reader_holds_up_only_the_thread_that_prints() -> None:
    waits, go_on = threading.Event(), threading.Event()

    class Slow(MemoryOutput):
        def _put(self, data: bytes, *, flush: bool = True) -> None:
            waits.set()
            assert go_on.wait(60)
            super()._put(data, flush=flush)

    sink = Slow(Mode(json=True))
    with Turns(sink) as turns:
        first = turns.turn(1)
        thread = threading.Thread(target=answer, args=(first, "1"))
        thread.start()
        assert waits.wait(60)
        with turns.turn(2) as output:
            answer(output, "2")
        answer(first, "1b")
        go_on.set()
        thread.join()
        with first:
            pass
    assert [json.loads(line)["id"] for line in sink.out.text.splitlines()] == ["1", "1b", "2"]
