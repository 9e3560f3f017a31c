"""Whatever an option gets, the command works, or ends with one sentence before anything is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli.cli.app import root
from mjcli.cli.parser import new_context, subcommands, value_type
from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service

LINK = "http://127.0.0.1:9/a.png"
#: The arguments that make each command send a request.
COMMANDS: dict[str, list[str]] = {
    "imagine": ["a cat", "--no-check"],
    "blend": [LINK, LINK, "a cat", "--no-check"],
    "edit": [LINK, "a hat", "--no-check"],
    "video": ["it moves", "--image", LINK, "--no-check"],
    "extend-video": ["1751816807896311", "it moves"],
    "action": ["upscale1", "1234567"],
    "describe": [LINK, "--no-check"],
    "shorten": ["a very long prompt"],
    "translate": ["eine Katze"],
    "seed": ["1234567"],
    "describe-task": ["7489df4c"],
    "history": [],
    "download": ["@last"],
    "open": ["@last"],
    "resume": [],
    "check": ["a cat"],
}
#: An image that is sent, and a time that is waited, whatever their values.
HARMLESS = {"--help", "--yes", "--verbose", "--quiet", "--json", "--sandbox", "--watch"}
VALUES = [
    b"caf\xe9",
    b"caf\xe9/x.png",
    "",
    " ",
    "x" * 300,
    "x/" * 3000,
    "~nobody-here/x.png",
    "1e10",
    "1_0",
    "\u0661",
    "nan",
    "-1",
    "9" * 5000,
    "@" + "9" * 5000,
    "http://[",
    "http://a..b/x.png",
    "https://\u00e9.example:99999/",
    "{",
    "{prompt}/../x",
    "\x1b]0;x\x07",
    "../" * 20 + "dev/null/x.png",
    "/proc/self/x.png",
    "\u202egnp.exe",
]


def options() -> Iterator[tuple[str, str]]:
    """Every option of the job commands that takes a value."""
    tree: Any = root()
    for name, command in subcommands(tree, new_context(tree, "mj")):
        for param in command.params if name in COMMANDS else ():
            if param.param_type_name == "option" and not param.is_flag and not value_type(param).choices:
                yield name, next(each for each in param.opts if each.startswith("--"))


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job, whatever it is."""
    video = {
        "success": True,
        "task_id": "t",
        "video_id": "v",
        "video_urls": [f"{service.base_url}/files/v.mp4"],
    }
    documents = {
        "imagine": service.result(),
        "edits": service.result(),
        "videos": video,
        "describe": {"descriptions": ["a cat"] * 4},
        "shorten": {"prompts": ["a cat"]},
        "translate": {"content": "a cat"},
        "seed": {"seed": "1"},
    }
    for path, document in documents.items():
        service.scripts[f"/midjourney/{path}"] = lambda _request, reply, document=document: reply.json(
            document
        )
    service.files["/files/cat.png"] = png(1000)
    return service


def check(mj: Mj, service: Service, arguments: list[str | bytes]) -> None:
    """Run a command; whatever was wrong with it was found before its request."""
    result = mj(*arguments, check=None)
    posts = [each for each in service.received if each.method == "POST" and "tasks" not in each.path]
    assert result.status != 1, result.err
    assert "internal" not in result.err, result.err
    if result.status in (2, 3):
        assert not posts, f"{result.err}\n{posts}"
        assert result.err.count("mj: ") == 1, result.err
    elif posts:
        assert result.status in (0, 4, 8), result.err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option"), list(options()))
def test_no_value_of_an_option_costs_a_job(online: Mj, done: Service, name: str, option: str) -> None:
    for value in VALUES:
        done.received.clear()
        check(online, done, [name, *COMMANDS[name], option, value])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COMMANDS))
def test_no_argument_costs_a_job(online: Mj, done: Service, name: str) -> None:
    for value in VALUES:
        done.received.clear()
        check(online, done, [name, *COMMANDS[name][1:], "--", value])


@pytest.mark.parametrize(
    "arguments",
    [
        ["imagine", b"caf\xe9"],
        ["imagine", "a cat", "-o", b"caf\xe9.png"],
        ["imagine", "a cat", "--no", b"caf\xe9"],
        ["imagine", "a cat", "--callback-url", b"http://h/caf\xe9"],
        ["imagine", "a cat", "--key", b"caf\xe9"],
        ["edit", b"caf\xe9.png", "a hat"],
        ["imagine", "a cat", "--image", b"caf\xe9.png"],
    ],
)
def test_bytes_that_are_not_utf8_are_refused_in_every_argument(
    online: Mj, done: Service, arguments: list[str | bytes]
) -> None:
    result = online(*arguments, check=2)
    assert "is not UTF-8 text. Nothing was sent." in result.err
    assert not done.received


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("x" * 300 + ".png", "is too long"),
        ("x" * 300 + "/", "is too long"),
        ("x/" * 3000, "is too long"),
        ("~nobody-here/x.png", "there is no such user"),
        ("/proc/self/x.png", "cannot be written"),
        ("/dev/null/x.png", "is not a directory"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_sent(
    online: Mj, done: Service, output: str, reason: str
) -> None:
    assert reason in online("imagine", "a cat", "-o", output, check=2).err
    assert not done.received


DELETED = """
import os, sys
os.rmdir(os.getcwd())
os.execv(sys.executable, [sys.executable, "-P", "-m", "mjcli", *sys.argv[1:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["imagine", "a cat", "-d"], 2),
        (["imagine", "a cat", "-o", "x.png"], 2),
        (["edit", "cat.png", "a hat"], 2),
        (["imagine", "a cat"], 0),
        (["history"], 0),
        (["--version"], 0),
        (["imagine", "a cat", "-o", "HOME/saved/"], 0),
    ],
)
def test_a_deleted_working_directory_matters_only_where_it_is_used(
    online: Mj, done: Service, arguments: list[str], status: int
) -> None:
    gone = online.home / "gone"
    gone.mkdir()
    words = [each.replace("HOME", str(online.home)) for each in arguments]
    result = subprocess.run(
        [sys.executable, "-c", DELETED, *words],
        env=online.environment(),
        cwd=gone,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert result.returncode == status, result.stderr
    assert b"Traceback" not in result.stderr
    if status:
        assert not done.posts()


@pytest.mark.slow
def test_a_working_directory_whose_name_is_not_utf8_takes_no_files(online: Mj, done: Service) -> None:
    name = os.fsdecode(os.fsencode(online.home) + b"/caf\xe9")
    Path(name).mkdir()
    for arguments, status in ((["-d"], 2), ([], 0)):
        done.received.clear()
        result = subprocess.run(
            [sys.executable, "-m", "mjcli", "imagine", "a cat", *arguments],
            env=online.environment(),
            cwd=name,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        assert result.returncode == status, result.stderr
        assert len(done.posts()) == (status == 0)


@pytest.mark.parametrize("value", ["1_0", " 10", "\u0661\u0660", "nan", "inf", "1e10", "0x10", ""])
def test_only_plain_digits_are_a_number(online: Mj, done: Service, value: str) -> None:
    assert "--timeout must be" in online("imagine", "a cat", "--timeout", value, check=2).err
    assert not done.received
