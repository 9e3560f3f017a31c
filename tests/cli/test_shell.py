"""Suggested commands as real shells read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mjcli.cli.shell import Shell, can_be_typed, detect, quoted, with_variables
from tests.support.program import Mj
from tests.support.service import Service, task_record
from tests.support.systems import posix
from tests.support.terminal import EVIL

WORDS = [
    "cat",
    "a cat",
    "it's",
    "",
    'say "hi"',
    "$HOME $(id) `id`",
    "wow!",
    "a\\b\\",
    "a;b&c|d>e<f",
    "=ls",
    "~root",
    "*?[a]{b,c}",
    "#x",
    "-n",
    "%PATH%",
    "森",
    "it's!",
]
HOSTILE = [
    *EVIL.values(),
    "$(touch pwned)",
    "`touch pwned`",
    "a'b",
    'a"b',
    "a!b",
    "a;touch pwned",
    "@2",
]


@posix
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_a_shell_reads_each_word_back(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell}")
    words = [word for word in WORDS if shell != "fish" or "\\" not in word]
    assert all(can_be_typed(word, Shell.SH) for word in words)
    line = " ".join(["printf", "'%s\\n'", *(quoted(word, Shell.SH) for word in words)])
    printed = subprocess.run(
        [program, "-c", line], cwd=tmp_path, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    ).stdout.decode()
    assert printed.split("\n")[:-1] == words


@pytest.mark.parametrize("name", EVIL)
def test_a_word_with_control_characters_cannot_be_typed(name: str) -> None:
    assert not any(can_be_typed(f"a{EVIL[name]}", shell) for shell in Shell)


@pytest.mark.parametrize(
    ("environ", "system", "shell"),
    [
        ({"PROMPT": "$P$G", "PSModulePath": "x"}, "posix", Shell.SH),
        ({"PROMPT": "$P$G", "PSModulePath": "x"}, "nt", Shell.CMD),
        ({"PSModulePath": "x"}, "nt", Shell.POWERSHELL),
        ({"PSModulePath": "x", "MSYSTEM": "MINGW64"}, "nt", Shell.SH),
        ({}, "nt", Shell.CMD),
    ],
)
def test_the_shell_is_known_from_the_environment(environ: dict[str, str], system: str, shell: Shell) -> None:
    assert detect(environ, system) is shell


@pytest.mark.parametrize(
    ("word", "cmd", "powershell"),
    [
        ("a-1_b", "a-1_b", "a-1_b"),
        ("--wait", "--wait", "--wait"),
        ("a cat", '"a cat"', "'a cat'"),
        ("it's", '"it\'s"', "'it''s'"),
        ("it\u2019s", '"it\u2019s"', "'it\u2019\u2019s'"),
        ("@last", '"@last"', "'@last'"),
        ("-x.png", '"-x.png"', "'-x.png'"),
        ("a&b", '"a&b"', "'a&b'"),
        ("50%", '^"50^%^"', "'50%'"),
        ('a"b', '^"a\\^"b^"', None),
        ("my cats\\", '"my cats\\\\"', None),
        ("", '""', None),
        ("$HOME", '"$HOME"', "'$HOME'"),
    ],
)
def test_words_are_quoted_for_the_shells_of_windows(word: str, cmd: str, powershell: str | None) -> None:
    assert quoted(word, Shell.CMD) == cmd
    assert can_be_typed(word, Shell.POWERSHELL) is (powershell is not None)
    if powershell is not None:
        assert quoted(word, Shell.POWERSHELL) == powershell


def test_variables_are_written_as_each_shell_does() -> None:
    variables = {"A": "b c"}
    assert with_variables("mj x", variables, Shell.SH) == 'A="b c" mj x'
    assert with_variables("mj x", variables, Shell.CMD) == 'set "A=b c" && mj x'
    assert with_variables("mj x", variables, Shell.POWERSHELL) == "$env:A = 'b c'; mj x"


def _suggested(text: str) -> list[str]:
    """The commands in the output of a run."""
    return [
        line.partition("mj ")[2] for line in text.split("\n") if "mj " in line and not line.startswith("mj:")
    ]


@pytest.mark.slow
@posix
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_the_service_reaches_a_suggested_command(
    online: Mj, service: Service, hostile: str
) -> None:
    image = service.result(image_id=f"i{hostile}", task_id=f"t{hostile}", actions=[f"a{hostile}"])
    video = {
        "task_id": f"t{hostile}",
        "video_id": f"v{hostile}",
        "video_urls": ["https://e/v.mp4"],
        "progress": 100,
        "success": True,
    }
    accepted = {"task_id": f"t{hostile}"}
    service.imagine(lambda request, reply: reply.json(accepted if request.body.get("async") else image))
    service.scripts["/midjourney/videos"] = lambda _, reply: reply.json(video)
    service.scripts["/midjourney/shorten"] = lambda _, reply: reply.json({"prompts": [f"p{hostile} q"]})
    task = f"t{hostile}".replace("\x00", "")
    service.tasks[task] = task_record(task, {"action": "generate", "prompt": "x"}, None)
    runs = [
        online("imagine", "a cat"),
        online("imagine", "a cat", "--no-ledger"),
        online("imagine", "a cat", "-d", "--no-ledger", check=8),
        online("video", "it turns", "--image", "https://e/x.png", "--no-check"),
        online("shorten", "a cat"),
        online("history", "show", "@3"),
        online("describe-task", "--", task, check=None),
        online("history"),
        online("resume", "--no-wait", check=None),
        online("open", check=None),
        online("imagine", "a cat", "--no-wait", "--no-ledger"),
        online("imagine", "a cat", "--no-wait"),
    ]
    lines = [line for run in runs for line in _suggested(run.out + run.err)]
    assert lines
    for line in lines:
        printed = subprocess.run(
            ["/bin/sh", "-c", f"printf '%s\\n' {line}"], cwd=online.cwd, capture_output=True, check=True
        ).stdout.decode()
        assert hostile not in printed, line
        assert all(word.isprintable() for word in printed.split("\n"))
    assert not (online.cwd / "pwned").exists()
