"""Output modes: lines for people, --quiet, --json and --field, for results and failures."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Mj
from tests.support.service import Received, Reply, Service, fixture, fixture_lines

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\2\0\1H\xaf\xa4q"
    b"\0\0\0\0IEND\xaeB`\x82"
)


# -- for people ----------------------------------------------------------------------------------------


def test_without_a_terminal_the_result_is_name_value_lines(online: Mj, service: Service) -> None:
    document = fixture("imagine.json")
    service.answer(document)
    result = online("imagine", "a cat")
    lines = result.out.splitlines()
    assert f"link: {document['raw_image_url']}" in lines
    assert f"id: {document['image_id']}" in lines
    assert "size: 2048x2048" in lines
    assert f"actions: {' '.join(document['actions'])}" in lines
    assert f"next: mj upscale 1 {document['image_id']}" in lines
    assert all(": " in line for line in lines)
    assert "\x1b" not in result.out + result.err


def test_long_lines_are_not_wrapped(online: Mj, service: Service) -> None:
    url = "https://example.com/" + "x" * 5000
    service.answer(service.result(raw_image_url=url))
    assert f"link: {url}\n" in online("imagine", "a cat", env={"COLUMNS": "20"}).out


def test_progress_goes_only_to_standard_error(online: Mj, service: Service) -> None:
    service.stream(fixture_lines("stream.ndjson"))
    result = online("imagine", "a cat")
    assert "35%" in result.err
    assert "75%" in result.err
    assert "49589d2c-b6b3-4fbf-9f82-93068509c76f" in result.err
    assert "progress" not in result.out


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_nothing_is_coloured_without_a_terminal(online: Mj, service: Service, env: dict[str, str]) -> None:
    service.answer(fixture("error.json"), 500)
    assert "\x1b" not in online("imagine", "a cat", env=dict(env), check=6).err


def test_force_color_colours_the_result_but_never_json(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    env: dict[str, str | None] = {"FORCE_COLOR": "1"}
    assert "\x1b[" in online("imagine", "a cat", env=env, check=6).err
    assert "\x1b" not in online("imagine", "a cat", "--no-color", env=env, check=6).err
    assert b"\x1b" not in online("imagine", "a cat", "--json", env=env, check=6).stdout


# -- quiet ---------------------------------------------------------------------------------------------


def test_quiet_prints_only_the_link_of_the_full_size_image(online: Mj, service: Service) -> None:
    service.stream(fixture_lines("stream.ndjson"))
    result = online("imagine", "a cat", "-q")
    assert result.out == json.loads(fixture_lines("stream.ndjson")[-1])["raw_image_url"] + "\n"
    assert result.err == ""


def test_quiet_prints_the_saved_files_when_there_are_some(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = PNG
    service.answer(service.result())
    result = online("imagine", "a cat", "-q", "-d")
    path = Path(result.out.removesuffix("\n"))
    assert path.is_absolute()
    assert path.read_bytes() == PNG
    assert result.err == ""


def test_quiet_falls_back_to_the_thumbnail(online: Mj, service: Service) -> None:
    service.stream(fixture_lines("stream_legacy.ndjson"))
    assert online("imagine", "a cat", "-q").out.startswith("https://midjourney.cdn.zhishuyun.com/")


def test_quiet_still_prints_errors(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    result = online("imagine", "a cat", "-q", check=6)
    assert result.out == ""
    assert "fetch failed" in result.err


def test_quiet_hides_warnings_and_notices(online: Mj, service: Service) -> None:
    service.stream([b"no json", *fixture_lines("stream.ndjson")])
    assert online("imagine", "a cat", "-q").err == ""


# -- json ----------------------------------------------------------------------------------------------


def test_json_is_the_final_object_unchanged_with_the_files(online: Mj, service: Service) -> None:
    document = {
        **fixture("imagine.json"),
        "unknown": {"nested": [1, None, 2.5, "é森🐈"]},
        "raw_image_width": "2048",
        "image_height": None,
        "big": 12345678901234567890123,
    }
    service.stream([*fixture_lines("stream.ndjson")[:2], document])
    result = online("imagine", "a cat", "--json")
    assert result.answer == {**document, "files": []}
    assert result.stdout.count(b"\n") == 1
    assert "é森🐈".encode() in result.stdout


def test_json_names_the_saved_files_by_absolute_path(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = PNG
    service.answer(service.result())
    (path,) = online("imagine", "a cat", "--json", "-d").answer["files"]
    assert Path(path).is_absolute()
    assert Path(path).read_bytes() == PNG


def test_a_field_files_of_the_service_is_replaced_by_the_saved_files(online: Mj, service: Service) -> None:
    service.answer(service.result(files=["/etc/passwd"]))
    assert online("imagine", "a cat", "--json").answer["files"] == []
    assert "passwd" not in online("imagine", "a cat", "-q").out


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "0.1", "1.10", "1e3", "123456789012345678901234567890"]
)
def test_json_is_valid_whatever_numbers_the_service_sends(online: Mj, service: Service, number: str) -> None:
    service.imagine(
        lambda _, reply: reply.stream(
            [json.dumps(service.result()).encode()[:-1] + f', "odd": {number}}}'.encode()]
        )
    )
    result = online("imagine", "a cat", "--json", "--timeout", "2", check=None)

    def refused(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    (line,) = result.stdout.splitlines()
    assert isinstance(json.loads(line, parse_constant=refused, parse_int=float), dict)


def test_json_with_stream_prints_every_event_unchanged_and_the_final_object_last(
    online: Mj, service: Service
) -> None:
    lines = fixture_lines("stream.ndjson")
    service.stream(lines)
    result = online("imagine", "a cat", "--json", "--stream")
    printed = result.stdout.splitlines()
    assert [json.loads(line) for line in printed[:2]] == [json.loads(line) for line in lines[:2]]
    assert json.loads(printed[-1]) == {**json.loads(lines[-1]), "files": []}
    assert len(printed) == 3
    assert b"\r" not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--json", "--stream"], ["--stream", "--field", "progress"]])
def test_each_event_is_flushed_as_it_arrives(online: Mj, service: Service, options: list[str]) -> None:
    lines, seen = fixture_lines("stream.ndjson"), threading.Semaphore(0)

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for line in lines:
            reply.send(line + b"\r\n")
            if line is not lines[-1] and not seen.acquire(timeout=30):
                return reply.reset()
        return reply.end()

    service.imagine(script)
    with online.start("imagine", "a cat", *options) as process:
        assert process.stdout is not None
        printed = []
        for _ in lines:
            printed.append(process.stdout.readline())
            seen.release()
        assert process.stdout.read() == b""
    assert process.returncode == 0
    if "--json" in options:
        assert [json.loads(line)["progress"] for line in printed] == [35, 75, 100]
    else:
        assert printed == [b"35\n", b"75\n", b"100\n"]


def test_json_without_an_explicit_stream_is_one_line(online: Mj, service: Service) -> None:
    service.stream(fixture_lines("stream.ndjson"))
    assert online("imagine", "a cat", "--json").answer["progress"] == 100


def test_a_failure_at_the_end_of_a_printed_stream_is_the_last_line(online: Mj, service: Service) -> None:
    service.stream([*fixture_lines("stream.ndjson")[:1], fixture("error.json")])
    result = online("imagine", "a cat", "--json", "--stream", check=4)
    first, last = result.json
    assert first["progress"] == 35
    assert last["error"] == {"code": "api_error", "message": "fetch failed"}
    assert last["success"] is False
    assert last["trace_id"] == fixture("error.json")["trace_id"]
    assert last["task_id"] == "49589d2c-b6b3-4fbf-9f82-93068509c76f"


# -- field ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("image_id", "1234558483408490566"),
        (".image_id", "1234558483408490566"),
        ("progress", "100"),
        ("success", "true"),
        ("actions[0]", "upscale1"),
        ("actions.1", "upscale2"),
        ("actions[-1]", "variation4"),
        ("files", "[]"),
        ("files[0]", "null"),
        ("nowhere.at.all", "null"),
    ],
)
def test_field_prints_one_field_raw(online: Mj, service: Service, path: str, printed: str) -> None:
    service.stream(fixture_lines("stream.ndjson"))
    assert online("imagine", "a cat", "--field", path).out == f"{printed}\n"


def test_field_prints_text_as_jq_does(online: Mj, service: Service) -> None:
    service.answer(service.result(text="é \u201cx\u201d [b] :smile:", list=["é", {"a": 1}]))
    assert online("imagine", "a cat", "--field", "text").out == "é \u201cx\u201d [b] :smile:\n"
    assert online("imagine", "a cat", "--field", "list").out == '[\n  "é",\n  {\n    "a": 1\n  }\n]\n'


def test_field_prints_a_field_of_a_failure(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    assert online("imagine", "a cat", "--field", "error.code", check=6).out == "api_error\n"
    assert online("imagine", "a cat", "--chaos", "500", "--field", "error.code", check=2).out == "usage\n"


# -- position of global options ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "imagine", "a cat"],
        ["imagine", "--json", "a cat"],
        ["imagine", "a cat", "--json"],
        ["-q", "imagine", "a cat", "--json", "-v", "--no-color"],
    ],
)
def test_global_options_can_come_before_or_after_the_command(
    online: Mj, service: Service, arguments: list[str]
) -> None:
    service.answer(service.result())
    assert online(*arguments).answer["success"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ["-q", "imagine", "a cat"],
        ["imagine", "a cat", "--quiet"],
        ["imagine", "-qd", "--no-download", "a cat"],
    ],
)
def test_quiet_works_on_either_side_too(online: Mj, service: Service, arguments: list[str]) -> None:
    service.answer(service.result())
    result = online(*arguments)
    assert (result.out, result.err) == (f"{service.base_url}/files/cat.png\n", "")


def test_the_later_field_wins(online: Mj, service: Service) -> None:
    service.answer(service.result())
    assert online("--field", "success", "imagine", "a cat", "--field", "progress").out == "100\n"


def test_verbose_shows_no_traceback_for_an_expected_failure_and_no_token(
    online: Mj, service: Service
) -> None:
    service.answer({"error": {"code": "invalid_token", "message": "no"}}, 401)
    online("imagine", "a cat", "-v", check=3)


# -- failure objects -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "env", "code", "status"),
    [
        (["imagine"], {}, "usage", 2),
        (["imagin", "x"], {}, "usage", 2),
        (["imagine", "x", "--nonsense"], {}, "usage", 2),
        (["action", "upscale1", "@last"], {}, "usage", 2),
        (["imagine", "x"], {"MJ_TOKEN": None}, "no_token", 3),
        (["imagine", "x"], {"MJ_TOKEN": ""}, "no_token", 3),
        (["imagine", "x", "--retries", "0"], {"MJ_BASE_URL": "http://127.0.0.1:1"}, "network", 6),
        (["imagine", "x"], {"MJ_BASE_URL": "http://example.com"}, "config", 2),
        (["imagine", "x"], {"MJ_TOKEN": "two words"}, "config", 2),
        (["imagine", "x", "--profile", "nobody"], {}, "config", 2),
        (["imagine", "x"], {"MJ_DATA_DIR": "/dev/null/x"}, "config", 2),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_failure_with_json_is_one_object_and_a_sentence(
    online: Mj,
    service: Service,
    arguments: list[str],
    env: dict[str, str | None],
    code: str,
    status: int,
    place: str,
) -> None:
    line = ["--json", *arguments] if place == "before" else [*arguments, "--json"]
    result = online(*line, env=env, check=status)
    answer = result.answer
    assert set(answer) <= {"success", "error", "task_id", "trace_id"}
    assert answer["success"] is False
    assert set(answer["error"]) == {"code", "message"}
    assert answer["error"]["code"] in ((code, "usage") if code == "config" else (code,))
    assert answer["error"]["message"] in result.err
    assert service.received == []


def test_the_error_message_includes_the_trace_id(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    result = online("imagine", "a cat", check=6)
    assert fixture("error.json")["trace_id"] in result.err
    assert "fetch failed" in result.err
    assert result.out == ""
