"""Renaming into place: existing files, and partial files of this and other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mjcli.media import place as place_module
from mjcli.media import web
from mjcli.media.download import Downloader
from mjcli.media.place import partial_file, replace_same, sweep
from tests.support.downloads import IMAGE, NAME, digest, get, link, nothing_left, scripted
from tests.support.service import Received, Reply, Service
from tests.support.systems import posix

# -- partial files of killed processes --------------------------------------------------------------------

LEFT = ".mj-4711-0123456789ab.part"


def test_a_partial_file_without_a_writer_is_removed(place: Path) -> None:
    place.mkdir()
    (place / LEFT).write_bytes(b"x")
    os.utime(place / LEFT, (1, 1))
    sweep(place)
    assert nothing_left(place)


@pytest.mark.parametrize(
    "name",
    ["cat.png", ".mj-notes.part", ".mj-1-0123456789ab.part.png", "mj-1-0123456789ab.part", ".mj-1-x.part"],
)
def test_no_other_file_is_removed(place: Path, name: str) -> None:
    place.mkdir()
    (place / name).write_bytes(b"x")
    sweep(place)
    assert (place / name).exists()


def test_a_partial_file_that_is_being_written_is_not_removed(
    service: Service, fetch: Downloader, place: Path
) -> None:
    seen: list[list[Path]] = []

    def meanwhile(_request: Received, reply: Reply) -> None:
        sweep(place)
        seen.append(list(place.iterdir()))
        reply.whole(IMAGE)

    get(fetch, scripted(service, meanwhile), place)
    ((part,),) = seen
    assert part.name.startswith(".mj-")
    assert [path.name for path in place.iterdir()] == [NAME]


@posix
def test_the_partial_file_of_another_process_is_removed_only_after_its_death(place: Path) -> None:
    place.mkdir()
    script = (
        "import sys, pathlib; from mjcli.media.place import partial_file\n"
        "with partial_file(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(place)],
        cwd=Path(web.__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        sweep(place)
        assert len(list(place.iterdir())) == 1
        writer.kill()
        writer.wait(30)
    assert len(list(place.iterdir())) == 1
    sweep(place)
    assert nothing_left(place)


@posix
def test_a_partial_file_removed_before_it_was_locked_is_created_again(
    service: Service, fetch: Downloader, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first = place_module._lock, iter([True])

    def late(path: Path, file: Any) -> bool:
        if next(first, False):
            sweep(place)
            assert nothing_left(place)
        return real(path, file)

    monkeypatch.setattr(place_module, "_lock", late)
    service.files["/files/cat.png"] = IMAGE
    get(fetch, link(service), place)
    assert (place / NAME).read_bytes() == IMAGE
    assert [path.name for path in place.iterdir()] == [NAME]


def test_a_file_system_without_locks_is_never_swept(
    service: Service, fetch: Downloader, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    service.files["/files/cat.png"] = IMAGE
    get(fetch, link(service), place)
    (place / LEFT).write_bytes(b"x")
    sweep(place)
    assert {path.name for path in place.iterdir()} == {NAME, LEFT}


def test_sweep_ignores_symlinks_pipes_and_missing_directories(tmp_path: Path) -> None:
    sweep(tmp_path / "nowhere")
    (tmp_path / "notes").write_text("mine")
    (tmp_path / LEFT).symlink_to(tmp_path / "notes")
    (tmp_path / LEFT.replace("4711", "4712")).mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / LEFT.replace("4711", "4713"))
    sweep(tmp_path)
    sweep(tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"


# -- replacing a file that is known ------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "after"), [(b"known", b"new"), (b"edited", b"edited")])
def test_a_file_is_replaced_only_while_it_is_the_known_one(tmp_path: Path, now: bytes, after: bytes) -> None:
    file = tmp_path / NAME
    file.write_bytes(now)
    with partial_file(tmp_path) as part:
        part.write(b"new")
        part.sync()
        assert replace_same(part, file, digest(b"known")) is (now == b"known")
    assert file.read_bytes() == after
    assert list(tmp_path.iterdir()) == [file]
