"""What reaches the screen: nothing from outside drives it, and it is left as it was found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.service import Received, Reply, Service, fixture_lines, png, task_record

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX terminals")
linux = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

ASCII: dict[str, str | None] = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
REQUEST = {"action": "generate", "prompt": "a cat"}
LINES = fixture_lines("stream.ndjson")
TASK = json.loads(LINES[-1])["task_id"]

EVIL = {
    "escape": "\x1b[2J\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;http://evil/\x1b\\x\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;AAAA\x07",
    "C1": "\x9b31m\x9d0;x\x9c\x85",
    "carriage return": "\rmj: all is well",
    "line feed": "\nlink: https://evil/",
    "backspace": "\x08\x08\x08\x7f",
    "null": "\x00",
    "bidi": "\u202egnp.\u202c\u2066\u2069\u200e\u200f\u061c",
    "separators": "\u2028\u2029\ufeff",
}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def harmless(text: str) -> None:
    assert not CONTROL.search(text), text


@pytest.mark.parametrize("name", EVIL)
def test_controls_in_an_error_are_made_visible(online: Mj, service: Service, name: str) -> None:
    evil = EVIL[name]
    service.answer({"error": {"code": f"bad{evil}", "message": f"no{evil}"}, "trace_id": f"t{evil}"}, 400)
    result = online("imagine", "a cat", check=4)
    harmless(result.err)
    assert "\nlink: https://evil/" not in result.err
    assert "\\" in result.err  # visible, not dropped
    result = online("imagine", "a cat", "--json", check=4)
    harmless(result.out + result.err)
    assert len(result.out.splitlines()) == 1
    assert result.answer["error"]["message"] == f"no{evil}"
    assert result.answer["trace_id"] == f"t{evil}"


@pytest.mark.parametrize("name", EVIL)
def test_controls_in_a_result_are_made_visible(online: Mj, service: Service, name: str) -> None:
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


@pytest.mark.parametrize("name", EVIL)
def test_controls_in_what_was_typed_or_recorded_are_made_visible(
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
        ["imagine", "x", "--chaos", f"5{typed}"],
        ["imagine", "x", "--image", f"https://e/{typed} "],
        ["imagine", "x", "--field", f"[{typed}"],
        ["imagine", "x", "--profile", f"x{typed}"],
    ):
        result = online(*arguments, check=2 if typed else None)
        harmless(result.out + result.err)


@pytest.mark.parametrize("name", EVIL)
def test_controls_in_a_prompt_are_made_visible_and_sent_as_they_are(
    online: Mj, service: Service, name: str
) -> None:
    prompt = f"p{EVIL[name]}q"
    service.stream([service.result()])
    for options in ([], ["-v"], ["--dry-run"], ["--json", "-v"]):
        result = online("imagine", "--no-check", *options, stdin=prompt)
        harmless(result.out + result.err)
        assert "\nlink: https://evil/" not in result.out + result.err
    assert {each.body["prompt"] for each in service.posts()} == {prompt}
    result = online("imagine", "--dry-run", "--no-check", "--json", stdin=prompt)
    harmless(result.out)
    assert result.answer["body"]["prompt"] == prompt
    for options in ([], ["--json"]):  # words, and what is wrong with them
        result = online("check", *options, stdin=f"{prompt} --{prompt} {prompt}", check=None)
        harmless(result.out + result.err)


@posix
@pytest.mark.parametrize("name", EVIL)
def test_controls_in_a_file_name_are_made_visible(online: Mj, service: Service, name: str) -> None:
    """A file system takes nearly any name; it is the user's own, and may come from a script."""
    output = f"x{EVIL[name]}y.png".replace("\x00", "")
    service.files["/files/cat.png"] = png()
    service.stream([service.result()])
    for options in ([], ["-q"], ["-v"]):
        result = online("imagine", "a cat", "-o", output, *options)
        harmless(result.out + result.err)
        assert "\nlink: https://evil/" not in result.out + result.err
    result = online("imagine", "a cat", "-o", output, "--json")
    harmless(result.out + result.err)
    assert len(result.out.splitlines()) == 1
    (saved,) = result.answer["files"]
    assert saved == str(online.cwd / output)
    assert Path(saved).read_bytes() == png()
    Path(saved).write_text("my notes")
    harmless(online("imagine", "a cat", "-o", output, check=2).err)


def test_controls_in_the_names_of_a_request_are_made_visible(online: Mj, service: Service) -> None:
    evil = "".join(EVIL.values())
    service.tasks["t"] = task_record("t", {**REQUEST, f"k{evil}": 1}, service.result())
    result = online("describe-task", "t")
    harmless(result.out)
    assert "\nlink: https://evil/" not in result.out


def test_a_redirect_and_an_action_word_do_not_drive_the_terminal(online: Mj, service: Service) -> None:
    service.imagine(
        lambda _, reply: (
            reply.raw(
                b"HTTP/1.1 302 Found\r\nlocation: http://e/\xc2\x9b31m\x1b[2J\r\ncontent-length: 0\r\n\r\n"
            ),
            None,
        )[1]
    )
    for name in ("one", "two"):
        service.tasks[name] = task_record(name, REQUEST, service.result())
    harmless(online("imagine", "a cat", check=9).err)


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold]", "[/x]", "[link=http://e]x[/link]", ":smile: [red]", "\\[x]"]
)
def test_markup_and_emoji_codes_are_literal(online: Mj, service: Service, text: str) -> None:
    service.answer({"error": {"code": "bad_request", "message": text}}, 400)
    assert text in online("imagine", text, check=4).err
    service.answer(service.result(image_id=text))
    assert f"id: {text}\n" in online("imagine", text).out
    assert json.loads(online("imagine", text, "--json").stdout)["image_id"] == text


# -- closed and full standard output -----------------------------------------------------------------


def closed_pipe(online: Mj, *arguments: str) -> tuple[int, str]:
    """Run with a standard output that nobody reads; status and standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with online.start(*arguments, stdout=writer) as process:
            _, err = process.communicate(timeout=60)
    finally:
        os.close(writer)
    assert b"Traceback" not in err
    assert b"Exception" not in err
    return process.returncode, err.decode()


@posix
@pytest.mark.parametrize(
    "options", [[], ["--json"], ["--field", "image_id"], ["--json", "--stream"], ["--no-stream"], ["-q"]]
)
def test_a_closed_output_is_141_and_the_task_is_said(
    online: Mj, service: Service, options: list[str]
) -> None:
    if "--no-stream" in options:
        service.answer(json.loads(LINES[-1]))
    else:
        service.stream(LINES)
    status, err = closed_pipe(online, "imagine", "a cat", *options)
    assert status == 141
    assert TASK in err
    assert len(service.posts()) == 1


@posix
def test_a_closed_output_of_a_failure_is_141(online: Mj, service: Service) -> None:
    service.answer({"error": {"code": "forbidden", "message": "no"}}, 403)
    assert closed_pipe(online, "imagine", "a cat", "--json")[0] == 141


@posix
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["imagine", "--help"], ["--version"], ["config", "list"], ["imagine", "x", "--dry-run"]],
)
def test_a_closed_output_of_anything_else_is_141(online: Mj, arguments: list[str]) -> None:
    status, err = closed_pipe(online, *arguments)
    assert status == 141
    assert err == ""


@linux
@pytest.mark.parametrize(
    "arguments",
    [
        ["imagine", "a cat"],
        ["imagine", "a cat", "--json"],
        ["imagine", "a cat", "--json", "--stream"],
        ["imagine", "a cat", "-q"],
        ["imagine", "a cat", "--field", "image_id"],
        ["imagine", "a cat", "--timeout", "1", "--json", "--mode", "slow"],
        ["imagine", "a cat", "--dry-run"],
        ["--help"],
        ["imagine", "--help"],
        ["--version"],
        ["--version", "--json"],
        ["config", "list"],
    ],
)
def test_a_full_output_is_a_sentence_and_a_failure(
    online: Mj, service: Service, arguments: list[str]
) -> None:
    service.stream(LINES)
    with Path("/dev/full").open("wb") as full, online.start(*arguments, stdout=full) as process:
        _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    assert b"Exception" not in err
    assert process.returncode not in (0, 141)
    assert b"mj: " in err


@posix
@pytest.mark.parametrize("stream", ["stdout", "stderr", "stdin"])
def test_a_stream_that_was_closed_before_the_start_is_no_fault(
    online: Mj, service: Service, stream: str
) -> None:
    service.stream(LINES)
    number = {"stdin": 0, "stdout": 1, "stderr": 2}[stream]
    shell = " ".join(
        ["exec", *map(repr, online.command("imagine", "a cat")), f"{number}{'<' if number == 0 else '>'}&-"]
    )
    done = subprocess.run(
        ["sh", "-c", shell], env=online.environment(), cwd=online.cwd, capture_output=True, timeout=60
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    assert len(service.posts()) == 1


@linux
def test_an_error_output_that_is_full_does_not_lose_the_answer(online: Mj, service: Service) -> None:
    service.stream(LINES)
    with (
        Path("/dev/full").open("wb") as full,
        online.start("imagine", "a cat", "--json", stderr=full) as process,
    ):
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["task_id"] == TASK


# -- an ASCII locale ---------------------------------------------------------------------------------


def test_json_is_utf8_in_an_ascii_locale(online: Mj, service: Service) -> None:
    service.answer(service.result(text="été 森 🐈", lone="\ud83d"))
    result = online("imagine", "a cat", "--json", env=ASCII)
    assert "été 森 🐈".encode() in result.stdout
    assert result.answer["text"] == "été 森 🐈"
    assert result.answer["lone"] == "\ud83d"
    assert online("imagine", "a cat", "--field", "text", env=ASCII).stdout == "été 森 🐈\n".encode()


def test_people_in_an_ascii_locale_see_escapes_and_no_fault(online: Mj, service: Service) -> None:
    service.answer({"error": {"code": "bad_request", "message": "été 森"}}, 400)
    result = online("imagine", "a cat", env=ASCII, check=4)
    result.stderr.decode("ascii")
    service.answer(service.result(image_id="été 森 🐈"))
    result = online("imagine", "a cat", env=ASCII)
    result.stdout.decode("ascii")
    assert "id: " in result.out


@pytest.mark.parametrize("arguments", [["imagine", "--", "été 森"], ["imagine"]])
def test_the_prompt_is_utf8_in_an_ascii_locale(online: Mj, service: Service, arguments: list[str]) -> None:
    service.answer(service.result())
    online(*arguments, env=ASCII, stdin="été 森")
    assert service.posts()[0].body["prompt"] == "été 森"


# -- a terminal --------------------------------------------------------------------------------------


class Screen:
    """A terminal that `mj` runs in, and all that it showed."""

    def __init__(self, columns: int) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = b""

    def read_until(self, process: subprocess.Popen[bytes], wanted: bytes | None) -> None:
        """Read until this was shown, or (None) until the program has ended."""
        import select

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            if select.select([self.ours], [], [], 0 if ended else 0.05)[0]:
                self.shown += os.read(self.ours, 65536)
            elif ended:
                return
            if wanted is not None and wanted in self.shown:
                return
        process.kill()
        raise AssertionError(f"{wanted!r} did not come: {self.shown!r}")

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


def on_screen(
    online: Mj,
    service: Service,
    *arguments: str,
    columns: int = 80,
    env: dict[str, str | None] | None = None,
    stdout: bool = True,
    lines: Sequence[bytes] = LINES,
) -> tuple[int, str, bytes]:
    """A job watched on a terminal: status, all that was shown, and standard output when it is no terminal."""
    screen = Screen(columns)

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(lines[0] + b"\r\n")
        service.over.wait(0.4)  # time for a frame or two of the bar
        for line in lines[1:]:
            reply.send(line + b"\r\n")
        reply.end()

    service.imagine(script)
    try:
        process = online.start(
            *(arguments or ("imagine", "a cat")),
            env={"TERM": "xterm-256color", **(env or {})},
            stdin=screen.theirs,
            stdout=screen.theirs if stdout else subprocess.PIPE,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, None)
            out = process.stdout.read() if process.stdout is not None else b""
        shown = screen.shown.decode()
        assert "Traceback" not in shown
        assert "secret-token" not in shown
        return process.returncode, shown, out
    finally:
        screen.close()


def plain(shown: str) -> str:
    """What was shown without the control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "")


@posix
@pytest.mark.parametrize("columns", [80, 20, 1, 300])
def test_a_live_bar_on_standard_error_and_then_the_result(online: Mj, service: Service, columns: int) -> None:
    status, shown, out = on_screen(online, service, columns=columns, stdout=False)
    assert status == 0
    assert "\x1b[?25l" in shown  # hidden while the bar is live
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # and given back
    if columns >= 20:
        assert "35%" in plain(shown)
        assert "100%" in plain(shown)
    assert f"id: {json.loads(LINES[-1])['image_id']}\n".encode() in out
    assert b"\x1b" not in out


@posix
@pytest.mark.parametrize("columns", [80, 20])
def test_the_bar_never_goes_back_and_stays_within_0_and_100(
    online: Mj, service: Service, columns: int
) -> None:
    event = {"task_id": TASK, "success": True, "actions": []}
    values = [-5, 10, "50%", 30, None, 60, 20, 150, 70]
    lines = [json.dumps({**event, "progress": value}).encode() for value in values]
    lines = [*lines[:4], json.dumps(event).encode(), *lines[4:], LINES[-1]]
    status, shown, _ = on_screen(online, service, columns=columns, stdout=False, lines=lines)
    assert status == 0
    drawn = [int(each) for each in re.findall(r"(-?\d+)%", plain(shown))]
    assert drawn == sorted(drawn)
    assert set(drawn) == {0, 10, 50, 60, 100}


@posix
def test_the_bar_leaves_room_for_what_the_terminal_echoes_of_ctrl_c(online: Mj, service: Service) -> None:
    """On a full line it would fall onto the next one, and the bar be drawn a second time below."""
    _, shown, _ = on_screen(online, service, columns=60, stdout=False)
    bars = [each for each in re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)) if "%" in each]
    assert bars
    assert max(map(len, bars)) <= 60 - len("^C")


@posix
def test_a_file_that_is_there_already_has_no_bar(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    arguments = ("imagine", "a cat", "-o", "cat.png")
    lines = [LINES[0], json.dumps(service.result()).encode()]
    _, shown, _ = on_screen(online, service, *arguments, stdout=False, lines=lines)
    assert "bytes" in shown
    _, shown, _ = on_screen(online, service, *arguments, stdout=False, lines=lines)
    assert "was kept" in shown
    assert "bytes" not in shown


@posix
def test_markup_and_emoji_codes_are_literal_above_the_bar_too(online: Mj, service: Service) -> None:
    odd = "[bold]x[/bold][/x][link=http://e]y[/link]:smile:[red]"
    lines = [LINES[0], json.dumps({"task_id": odd, "progress": 50}).encode(), LINES[-1]]
    status, shown, _ = on_screen(online, service, columns=300, lines=lines)
    assert status == 0
    assert "\x1b[?25l" in shown
    assert odd in plain(shown)


@posix
@pytest.mark.parametrize("columns", [80, 20])
def test_on_one_terminal_the_result_stands_below_the_bar(online: Mj, service: Service, columns: int) -> None:
    status, shown, _ = on_screen(online, service, columns=columns)
    assert status == 0
    image = json.loads(LINES[-1])["image_id"]
    assert shown.rindex("\x1b[?25h") < shown.rindex(image)
    assert "\x1b[?25l" not in shown[shown.rindex(image) :]
    assert json.loads(LINES[-1])["raw_image_url"] in plain(shown).replace("\n", "")


@posix
@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ([], {"TERM": "dumb"}),
        ([], {"TERM": ""}),
        (["-q"], {}),
    ],
)
def test_a_terminal_that_cannot_or_shall_not_has_nothing_animated(
    online: Mj, service: Service, arguments: list[str], env: dict[str, str]
) -> None:
    status, shown, _ = on_screen(online, service, "imagine", "a cat", *arguments, env=dict(env))
    assert status == 0
    assert "\x1b" not in shown
    assert json.loads(LINES[-1])["raw_image_url"] in shown


@posix
@pytest.mark.parametrize(("arguments", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_no_color_leaves_the_bar_and_takes_the_colours(
    online: Mj, service: Service, arguments: list[str], env: dict[str, str]
) -> None:
    status, shown, _ = on_screen(online, service, "imagine", "a cat", *arguments, env=dict(env))
    assert status == 0
    assert "35%" in plain(shown)
    colours = {code for each in re.findall(r"\x1b\[([0-9;]*)m", shown) for code in each.split(";")}
    assert not colours & {*(str(n) for n in range(30, 50)), *(str(n) for n in range(90, 108))}


@posix
def test_json_on_a_terminal_is_not_coloured_or_wrapped(online: Mj, service: Service) -> None:
    status, shown, _ = on_screen(online, service, "imagine", "a cat", "--json", columns=40)
    assert status == 0
    last = shown.replace("\r\n", "\n").rstrip("\n").split("\n")[-1]
    assert json.loads(last[last.index("{") :])["task_id"] == TASK


@posix
def test_an_ascii_terminal_gets_a_bar_too(online: Mj, service: Service) -> None:
    status, shown, _ = on_screen(online, service, env=ASCII)
    assert status == 0
    assert shown.isascii()
    assert "35%" in plain(shown)


@posix
def test_the_bar_is_cleared_away_before_an_error(online: Mj, service: Service) -> None:
    screen = Screen(80)
    evil = EVIL["escape"] + EVIL["title"]
    service.stream([LINES[0], b"odd", {"error": {"code": "api_error", "message": f"broke{evil}[red]"}}])
    try:
        with online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm", "NO_COLOR": "1"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, None)
        shown = screen.shown.decode()
    finally:
        screen.close()
    assert process.returncode == 4
    assert "[2J" not in shown.replace("\\x1b[2J", "")
    assert "\x1b]" not in shown
    assert "\\x1b]0;owned\\x07[red]" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert shown.rindex("broke") > shown.rindex("\x1b[?25h")
    assert "warning:" in shown


@posix
def test_the_cursor_comes_back_after_an_interrupt(online: Mj, service: Service) -> None:
    import signal

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    screen = Screen(80)
    try:
        with online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, b"35%")
            process.send_signal(signal.SIGINT)
            screen.read_until(process, None)
        shown = screen.shown.decode()
    finally:
        screen.close()
    assert process.returncode == 130
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert TASK in shown
    assert len(service.posts()) == 1


@posix
def test_a_terminal_at_standard_input_is_not_read_as_a_prompt(online: Mj, service: Service) -> None:
    status, shown, _ = on_screen(online, service, "imagine")
    assert status == 2
    assert "prompt" in shown
    assert service.received == []


@posix
def test_a_terminal_of_another_size_in_the_middle_is_no_fault(online: Mj, service: Service) -> None:
    import fcntl
    import signal
    import struct
    import termios

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        while not service.over.wait(0.05) and not resized:
            pass
        reply.send(LINES[-1] + b"\r\n")
        reply.end()

    resized: list[Any] = []
    service.imagine(script)
    screen = Screen(80)
    try:
        with online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm"},
            stdin=screen.theirs,
            stdout=subprocess.DEVNULL,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, b"35%")
            fcntl.ioctl(screen.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 15, 0, 0))
            process.send_signal(signal.SIGWINCH)
            resized.append(True)
            screen.read_until(process, None)
    finally:
        screen.close()
    assert process.returncode == 0
    assert screen.shown.rindex(b"\x1b[?25h") > screen.shown.rindex(b"\x1b[?25l")


@posix
def test_a_terminal_that_goes_away_does_not_lose_the_answer(online: Mj, service: Service) -> None:
    """The window was closed while the bar moved, and whoever started it had hangups ignored."""
    gone = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        gone.wait(60)
        for line in (LINES[1], b"a line to be warned of", LINES[-1]):
            reply.send(line + b"\r\n")
        reply.end()

    service.imagine(script)
    screen = Screen(80)
    try:
        process = online.start(
            "imagine",
            "a cat",
            "--json",
            env={"TERM": "xterm"},
            stdin=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        screen.read_until(process, b"35%")
    finally:
        screen.close()
    gone.set()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["task_id"] == TASK
