"""Standard input may be the list of a shell's loop, so it is read only where that is certain to be meant."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service

LIST = [f"https://images.example/{number}.png" for number in (1, 2, 3)]


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job at once, whatever it is."""
    for path in ("imagine", "edits", "videos"):
        service.scripts[f"/midjourney/{path}"] = lambda _request, reply: reply.json(service.result())
    service.files["/a.png"] = png(1000)
    return service


def loop(mj: Mj, command: str) -> int:
    """Run a command for each line of the list, as shell scripts do; returns the number of lines left unread."""
    script = f'mj() {{ "{sys.executable}" -m mjcli "$@"; }}; read -r first; each=$first; {command}; cat'
    done = subprocess.run(
        ["sh", "-c", script],
        input="".join(f"{each}\n" for each in LIST).encode(),
        env=mj.environment(),
        cwd=mj.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    return sum(line in LIST for line in done.stdout.decode().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "endpoint", "jobs"),
    [
        ('mj imagine --image "$each" -q --no-check', "imagine", 1),
        ('mj imagine a cat --image "$each" --no-check', "imagine", 1),
        ('mj blend "$each" "$each" --no-check', "imagine", 1),
        ('mj edit "$each" --no-check', "edits", 0),
        ('mj video --image "$each" --no-check', "videos", 0),
        ("mj extend-video 1751816807896311", "videos", 0),
        ("mj action upscale1 1751816807896311", "imagine", 1),
        ("mj history", "imagine", 0),
        ("mj resume", "imagine", 0),
        ("mj", "imagine", 0),
    ],
)
def test_a_command_in_a_loop_leaves_the_list_alone(
    online: Mj, done: Service, command: str, endpoint: str, jobs: int
) -> None:
    assert loop(online, command) == len(LIST) - 1
    assert len(done.posts(f"/midjourney/{endpoint}")) == jobs
    assert not any(word in str(post.body) for post in done.posts() for word in LIST[1:])


@pytest.mark.parametrize("name", ["imagine", "check", "shorten", "translate"])
def test_several_piped_lines_are_refused_until_a_hyphen_joins_them(
    online: Mj, done: Service, name: str
) -> None:
    result = online(name, stdin="a cat\na dog\n", check=2)
    assert "Standard input has 2 lines" in result.err
    assert f"next: mj {name} - " in result.err
    assert not done.posts(f"/midjourney/{name}")


def test_a_hyphen_joins_several_lines_into_one_prompt(online: Mj, done: Service) -> None:
    online("imagine", "-", stdin="a cat\non a table\n")
    assert done.posts()[0].body["prompt"] == "a cat\non a table"


def test_one_piped_line_needs_no_hyphen(online: Mj, done: Service) -> None:
    online("imagine", stdin="a cat on a table\n")
    assert done.posts()[0].body["prompt"] == "a cat on a table"


def test_a_hyphen_beside_an_image_reads_the_words(online: Mj, done: Service) -> None:
    link = f"{done.base_url}/a.png"
    online("imagine", "-", "--image", link, stdin="a cat\n")
    assert done.posts()[0].body["prompt"] == f"{link} a cat"


def test_closed_standard_input_is_no_prompt(online: Mj, done: Service) -> None:
    script = f'"{sys.executable}" -m mjcli imagine <&-'
    closed = subprocess.run(
        ["sh", "-c", script], env=online.environment(), cwd=online.cwd, capture_output=True, timeout=60
    )
    assert closed.returncode == 2
    assert b"Traceback" not in closed.stderr
    assert not done.posts()


@pytest.mark.skipif(sys.platform == "win32", reason="the file descriptors of Unix")
@pytest.mark.parametrize("words", [(), ("-",)], ids=repr)
def test_standard_input_that_cannot_be_read_is_a_usage_error(
    online: Mj, done: Service, words: tuple[str, ...]
) -> None:
    with (online.home / "out").open("wb") as only_for_writing:
        process = online.start("imagine", *words, stdin=only_for_writing)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"standard input cannot be read" in err
    assert done.posts() == []
