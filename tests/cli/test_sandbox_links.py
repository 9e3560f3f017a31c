"""Links to the images of the sandbox, which outlive a command while `mj sandbox` runs."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pauses import SHORT
from tests.support.program import Mj


@pytest.fixture
def quick(mj: Mj) -> Mj:
    """The program with short jobs in its sandbox."""
    mj.pauses = {**SHORT, "mjcli.cli.context:SANDBOX_SECONDS": 0.1}
    return mj


@contextlib.contextmanager
def serving(mj: Mj) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A running `mj sandbox`, with its address."""
    process = mj.start("sandbox", "--port", "0", "--json")
    with process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["base_url"], process
        finally:
            process.send_signal(signal.SIGINT)


def content(link: str) -> bytes:
    with urllib.request.urlopen(link, timeout=10) as response:
        return bytes(response.read())


@pytest.mark.slow
def test_a_link_works_after_the_command_while_the_sandbox_is_served(quick: Mj) -> None:
    with serving(quick) as (url, _):
        result = quick("--sandbox", "imagine", "a cat")
        link = quick("--sandbox", "open", "--print").out.removeprefix("link: ").strip()
        assert "stops working" not in result.err
        assert link.startswith(f"{url}/")
        assert link.partition("?")[0] in result.out  # the signature changes every second
        assert content(link).startswith(b"\x89PNG")
        saved = quick("--sandbox", "download", "@last", "-q").out.strip()
        assert Path(saved).read_bytes() == content(link)


def test_without_a_served_sandbox_the_notice_says_how_to_see_the_image(quick: Mj) -> None:
    result = quick("--sandbox", "imagine", "a cat")
    assert "The link stops working when this command ends, unless mj sandbox runs" in result.err
    assert "--download saves the image." in result.err


@pytest.mark.slow
def test_an_earlier_image_gets_a_working_link_once_the_sandbox_is_served(quick: Mj) -> None:
    quick("--sandbox", "imagine", "a cat")
    with serving(quick) as (url, _):
        link = quick("--sandbox", "open", "--print", "-q").out.strip()
        assert link.startswith(f"{url}/")
        assert content(link).startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_server_that_was_stopped_or_killed_is_not_used(quick: Mj) -> None:
    record = Path(quick.env["MJ_DATA_DIR"]) / "sandbox.url"
    with serving(quick):
        assert record.exists()
    assert not record.exists()
    with serving(quick) as (url, process):
        process.kill()
        process.wait()
        assert record.exists()
        result = quick("--sandbox", "imagine", "a cat")
        assert url not in result.out
        assert "stops working" in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"url": 1, "id": 2}', '{"url": "http://example.com", "id": "x"}']
)
def test_a_damaged_record_is_ignored(quick: Mj, text: str) -> None:
    quick("--sandbox", "imagine", "a cat")
    (Path(quick.env["MJ_DATA_DIR"]) / "sandbox.url").write_text(text)
    assert "stops working" in quick("--sandbox", "imagine", "a dog").err


@pytest.mark.slow
def test_the_server_that_was_started_last_serves_the_links(quick: Mj) -> None:
    with serving(quick) as (first, _):
        with serving(quick) as (second, _):
            assert second in quick("--sandbox", "imagine", "a cat").out
        assert first not in quick("--sandbox", "imagine", "a cat").out
