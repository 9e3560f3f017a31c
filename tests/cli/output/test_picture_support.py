"""Which way of showing pictures a terminal supports."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from mjcli.cli.output.pictures.query import ask
from mjcli.cli.output.pictures.support import Answer, Support, support
from tests.support.systems import posix

XTERM = {"TERM": "xterm-256color"}


def unasked() -> Answer | None:
    raise AssertionError("the terminal was asked")


@pytest.mark.parametrize(
    ("environ", "method"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({**XTERM, "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({**XTERM, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.0"}, "iterm"),
        ({**XTERM, "LC_TERMINAL": "iTerm2", "SSH_TTY": "/dev/pts/1"}, "iterm"),
        ({**XTERM, "TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20240203-110809"}, "iterm"),
        ({**XTERM, "KONSOLE_VERSION": "230800"}, "sixel"),
        ({**XTERM, "KONSOLE_VERSION": "210400"}, "blocks"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"),
        ({**XTERM, "TERM_PROGRAM": "Apple_Terminal"}, "blocks"),
        ({**XTERM, "TERM_PROGRAM": "vscode"}, "blocks"),
        ({**XTERM, "VTE_VERSION": "7200"}, "blocks"),
        ({"TERM": "alacritty"}, "blocks"),
        ({"TERM": "linux"}, "blocks"),
        ({"TERM": "screen-256color", "STY": "1.x", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({**XTERM, "ZELLIJ": "0", "KITTY_WINDOW_ID": "1"}, "blocks"),
    ],
)
def test_a_terminal_that_says_what_it_is_is_not_asked(environ: dict[str, str], method: str) -> None:
    found = support("auto", environ, colour=True, unicode=True, query=unasked)
    assert found.method == method


@pytest.mark.parametrize("environ", [XTERM, {**XTERM, "WT_SESSION": "1"}, {**XTERM, "XTERM_VERSION": "X"}])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, ("blocks", 256)),
        (Answer(kitty=False, sixel=False), ("blocks", 256)),
        (Answer(kitty=True, sixel=True), ("kitty", 256)),
        (Answer(kitty=False, sixel=True, colours=16), ("sixel", 16)),
        (Answer(kitty=False, sixel=True, colours=65536), ("sixel", 256)),
    ],
)
def test_one_that_does_not_say_it_is_asked(
    environ: dict[str, str], answer: Answer | None, expected: tuple[str, int]
) -> None:
    found = support("auto", environ, colour=True, unicode=True, query=lambda: answer)
    assert (found.method, found.colours) == expected


def test_xterm_started_from_kitty_is_asked() -> None:
    environ = {**XTERM, "XTERM_VERSION": "XTerm(379)", "KITTY_WINDOW_ID": "1"}
    assert support("auto", environ, colour=True, unicode=True).method == "blocks"


@pytest.mark.parametrize("choice", ["kitty", "iterm", "sixel", "blocks", "off"])
def test_a_choice_counts_more_than_what_the_terminal_is(choice: str) -> None:
    assert support(choice, XTERM, colour=False, unicode=True).method == choice


def test_half_blocks_need_colours_and_unicode() -> None:
    assert support("auto", XTERM, colour=False, unicode=True).method == "off"
    assert support("auto", XTERM, colour=True, unicode=False).method == "off"
    assert support("blocks", XTERM, colour=True, unicode=False).method == "off"


@pytest.mark.parametrize(
    ("environ", "true_colour"),
    [(XTERM, False), ({**XTERM, "COLORTERM": "truecolor"}, True), ({"TERM": "xterm-direct"}, True)],
)
def test_colours_are_those_of_the_terminal(environ: dict[str, str], true_colour: bool) -> None:
    assert support("blocks", environ, colour=True, unicode=True).true_colour is true_colour


# -- tmux ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("on xterm-kitty 256,RGB", Support("placeholders", False, 256, True)),
        ("all xterm-ghostty RGB", Support("placeholders", False, 256, True)),
        ("1 xterm-kitty RGB kitty(0.35.2)", Support("placeholders", False, 256, True)),
        ("1 xterm-kitty RGB kitty(0.26.5)", Support("blocks", False)),
        ("off xterm-kitty RGB", Support("blocks", False)),
        ("on xterm-256color 256,sixel,title", Support("sixel", False)),
        ("on xterm-256color 256", Support("blocks", False)),
        ("", Support("blocks", False)),
    ],
)
@posix
def test_in_tmux_the_terminal_around_it_counts(tmp_path: Path, answer: str, expected: Support) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text(f"#!/bin/sh\necho '{answer}'\n")
    tmux.chmod(0o755)
    environ = {"TERM": "tmux-256color", "TMUX": "/tmp/x,1,0", "TMUX_PANE": "%1", "PATH": f"{tmp_path}:/bin"}
    assert support("auto", environ, colour=True, unicode=True, query=unasked) == expected


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_the_real_tmux_is_understood(tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    command = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d"], check=True)
    try:
        environ = {**os.environ, "TERM": "tmux-256color", "TMUX": f"{socket},1,0"}
        assert support("auto", environ, colour=True, unicode=True, query=unasked).method == "blocks"
    finally:
        subprocess.run([*command, "kill-server"], check=True)


# -- questions -----------------------------------------------------------------------------------------


class Terminal:
    """A terminal that answers a question; `asked` is what it received."""

    def __init__(self, answer: bytes) -> None:
        import pty

        self.ours, theirs = pty.openpty()
        self.stream = open(theirs, "r+b", buffering=0)  # noqa: PTH123, SIM115
        self.asked = b""
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while b"\x1b[c" not in self.asked:
                self.asked += os.read(self.ours, 4096)
            os.write(self.ours, self._answer)

    def __enter__(self) -> Terminal:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        os.close(self.ours)
        self._thread.join()

    def ask(self, environ: dict[str, str] | None = None) -> Answer | None:
        import io

        stream = io.TextIOWrapper(open(os.dup(self.stream.fileno()), "r+b", buffering=0))  # type: ignore[arg-type]  # noqa: PTH123, SIM115
        with stream:
            return ask(stream, stream, environ or {})

    @property
    def echoes(self) -> bool:
        import termios

        return bool(termios.tcgetattr(self.stream.fileno())[3] & termios.ECHO)


@posix
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"\x1b[?62;4;22c", Answer(kitty=False, sixel=True)),
        (b"\x1b[?1;0;16S\x1b[?63;1;2;4;6c", Answer(kitty=False, sixel=True, colours=16)),
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?1;3;0S\x1b[?62c", Answer(kitty=True, sixel=False)),
        (b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?64;44c", Answer(kitty=False, sixel=False)),
    ],
)
def test_an_answer_says_what_the_terminal_can_show(answer: bytes, expected: Answer) -> None:
    with Terminal(answer) as terminal:
        assert terminal.ask() == expected
        assert terminal.echoes


@pytest.mark.slow
@posix
def test_a_terminal_that_does_not_answer_is_left_as_it_was() -> None:
    with Terminal(b"") as terminal:
        assert terminal.ask() is None
        assert b"\x1b[c" in terminal.asked
        assert terminal.echoes


@posix
@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
def test_nothing_is_asked_over_ssh(name: str) -> None:
    with Terminal(b"\x1b[?62;4c") as terminal:
        assert terminal.ask({name: "x"}) is None
        assert terminal.asked == b""
        os.write(terminal.stream.fileno(), b"\x1b[c")  # ends its thread


@posix
def test_nothing_is_asked_while_something_typed_waits() -> None:
    with Terminal(b"\x1b[?62;4c") as terminal:
        os.write(terminal.ours, b"ls\n")
        while not _waits(terminal):
            pass
        assert terminal.ask() is None
        assert b"\x1b[c" not in terminal.asked
        os.write(terminal.stream.fileno(), b"\x1b[c")


def _waits(terminal: Terminal) -> bool:
    import select

    return bool(select.select([terminal.stream.fileno()], [], [], 0.05)[0])
