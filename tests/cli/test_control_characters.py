"""Control characters from outside are escaped and never reach the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service, fixture_lines, task_record
from tests.support.systems import posix
from tests.support.terminal import EVIL, harmless

REQUEST = {"action": "generate", "prompt": "a cat"}
LINES = fixture_lines("stream.ndjson")


@pytest.mark.parametrize("name", EVIL)
def test_control_characters_in_an_error_are_escaped(online: Mj, service: Service, name: str) -> None:
    evil = EVIL[name]
    service.answer({"error": {"code": f"bad{evil}", "message": f"no{evil}"}, "trace_id": f"t{evil}"}, 400)
    result = online("imagine", "a cat", check=4)
    harmless(result.err)
    assert "\nlink: https://evil/" not in result.err
    assert "\\" in result.err  # escaped, not removed
    result = online("imagine", "a cat", "--json", check=4)
    harmless(result.out + result.err)
    assert len(result.out.splitlines()) == 1
    assert result.answer["error"]["message"] == f"no{evil}"
    assert result.answer["trace_id"] == f"t{evil}"


@pytest.mark.slow
@pytest.mark.parametrize("name", EVIL)
def test_control_characters_in_a_result_are_escaped(online: Mj, service: Service, name: str) -> None:
    evil = EVIL[name]
    document = service.result(
        task_id=f"t{evil}",
        image_id=f"i{evil}",
        raw_image_url=f"https://e/{evil}",
        actions=[f"a{evil}"],
        note=evil,
    )
    service.stream([{"task_id": f"t{evil}", "progress": 1}, document])
    for options in ([], ["-q"], ["-v"]):
        result = online("imagine", "a cat", *options)
        harmless(result.out + result.err)
        assert "\nlink: https://evil/" not in result.out
    for options in (["--json"], ["--json", "--stream"]):
        result = online("imagine", "a cat", *options)
        harmless(result.out + result.err)
        assert result.json[-1] == {**document, "files": []}


@pytest.mark.slow
@pytest.mark.parametrize("name", EVIL)
def test_control_characters_in_arguments_and_records_are_escaped(
    online: Mj, service: Service, name: str
) -> None:
    evil = EVIL[name]
    typed = evil.replace("\x00", "")
    service.tasks["t"] = task_record("t", {**REQUEST, "prompt": f"p{evil}"}, service.result())
    harmless(online("describe-task", "t").out)
    for arguments in (
        ["action", f"x{typed}", "1"],
        ["action", "upscale1", f"x{typed}"],
        ["action", "upscale1", f"@{typed}"],
        [f"imagine{typed}"],
        ["imagine", "x", f"--option{typed}"],
        ["imagine", "x", "--chaos", f"x{typed}"],
        ["imagine", "x", "--image", f"https://e/{typed} "],
        ["imagine", "x", "--field", f"[{typed}"],
        ["imagine", "x", "--profile", f"x{typed}"],
    ):
        result = online(*arguments, check=2 if typed else None)
        harmless(result.out + result.err)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVIL)
def test_control_characters_in_a_prompt_are_escaped_and_sent_unchanged(
    online: Mj, service: Service, name: str
) -> None:
    prompt = f"p{EVIL[name]}q"
    service.stream([service.result()])
    for options in ([], ["-v"], ["--dry-run"], ["--json", "-v"]):
        result = online("imagine", "-", "--no-check", *options, stdin=prompt)
        harmless(result.out + result.err)
        assert "\nlink: https://evil/" not in result.out + result.err
    assert {each.body["prompt"] for each in service.posts()} == {prompt}
    result = online("imagine", "-", "--dry-run", "--no-check", "--json", stdin=prompt)
    harmless(result.out)
    assert result.answer["body"]["prompt"] == prompt
    for options in ([], ["--json"]):  # the prompt and its findings
        result = online("check", "-", *options, stdin=f"{prompt} --{prompt} {prompt}", check=None)
        harmless(result.out + result.err)


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", EVIL)
def test_control_characters_in_a_file_name_are_escaped(online: Mj, service: Service, name: str) -> None:
    """A file system accepts almost any name, and the name may come from a script."""
    output = f"x{EVIL[name]}y.png".replace("\x00", "")
    service.files["/files/cat.png"] = png()
    service.stream([service.result()])
    for options in ([], ["-q"], ["-v"]):
        result = online("imagine", "a cat", "-o", output, "--force", *options)
        harmless(result.out + result.err)
        assert "\nlink: https://evil/" not in result.out + result.err
    result = online("imagine", "a cat", "-o", output, "--force", "--json")
    harmless(result.out + result.err)
    assert len(result.out.splitlines()) == 1
    (saved,) = result.answer["files"]
    assert saved == str(online.cwd / output)
    assert Path(saved).read_bytes() == png()
    Path(saved).write_text("my notes")
    harmless(online("imagine", "a cat", "-o", output, check=2).err)


def test_control_characters_in_field_names_are_escaped(online: Mj, service: Service) -> None:
    evil = "".join(EVIL.values())
    service.tasks["t"] = task_record("t", {**REQUEST, f"k{evil}": 1}, service.result())
    result = online("describe-task", "t")
    harmless(result.out)
    assert "\nlink: https://evil/" not in result.out


def test_a_redirect_does_not_control_the_terminal(online: Mj, service: Service) -> None:
    service.imagine(
        lambda _, reply: (
            reply.raw(
                b"HTTP/1.1 302 Found\r\nlocation: http://e/\xc2\x9b31m\x1b[2J\r\ncontent-length: 0\r\n\r\n"
            ),
            None,
        )[1]
    )
    harmless(online("imagine", "a cat", check=6).err)


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold]", "[/x]", "[link=http://e]x[/link]", ":smile: [red]", "\\[x]"]
)
def test_markup_and_emoji_codes_are_literal(online: Mj, service: Service, text: str) -> None:
    service.answer({"error": {"code": "bad_request", "message": text}}, 400)
    assert text in online("imagine", text, check=4).err
    service.answer(service.result(image_id=text))
    assert f"id: {text}\n" in online("imagine", text).out
    assert json.loads(online("imagine", text, "--json").stdout)["image_id"] == text
