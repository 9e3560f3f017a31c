"""A local picture as a link: what is read, what is sent where, and what is remembered."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli import uploads
from mjcli.context import Runtime
from mjcli.errors import ConfigError, ExitCode, MjError, NoTokenError, UsageError
from mjcli.uploads import LARGEST, link_of_file, read_picture
from tests.service import Received, Reply, Service, png
from tests.test_filetypes import WHOLE, box

FILES = "/api/v1/files/"
TOKEN = "api-token-0123456789"
OTHER = "files-token-0123456789"
# A whole JPEG: a preview in a segment, with an end marker of its own, then the picture.
PREVIEW = b"\xff\xd8\xff\xd9"
JPEG = (
    b"\xff\xd8\xff\xe1"
    + struct.pack(">H", 2 + len(PREVIEW))
    + PREVIEW
    + b"\xff\xda\x00\x02"
    + b"picture" * 40
    + b"\xff\xd9"
)


class World:
    """One run of the program inside the test's own process."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._err = io.BytesIO()
        streams = [io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2)]
        self.runtime = Runtime(environ, *streams, io.TextIOWrapper(self._err, "utf-8"))

    @property
    def told(self) -> str:
        return self._err.getvalue().decode()


@pytest.fixture
def environ(tmp_path: Path, service: Service) -> dict[str, str]:
    return {
        "MJ_CONFIG": str(tmp_path / "config.toml"),
        "MJ_DATA_DIR": str(tmp_path / "data"),
        "MJ_TOKEN": TOKEN,
        "MJ_BASE_URL": service.base_url,
    }


@pytest.fixture
def begin(environ: dict[str, str]) -> Iterator[Callable[..., World]]:
    """Starts runs with this environment, each a process of its own to the ledger."""
    with contextlib.ExitStack() as ends:

        def begin(**env: str) -> World:
            world = World(environ | env)
            ends.callback(world.runtime.close)
            return world

        yield begin


@pytest.fixture
def sent(service: Service) -> list[Received]:
    """The uploads that came to the file endpoint, which keeps and serves each."""
    taken: list[Received] = []

    def take(request: Received, reply: Reply) -> None:
        taken.append(request)
        path = f"/kept/{len(taken)}.png"
        service.files[path] = png()
        reply.json({"file_url": service.base_url + path})

    service.scripts[FILES] = take
    return taken


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(png(3000))
    return path


def remembered(tmp_path: Path) -> list[tuple[Any, ...]]:
    database = tmp_path / "data" / "ledger.db"
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT endpoint, url FROM uploads").fetchall()


# -- what is read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        png(),
        png() + b"trailer" * 99,
        JPEG,
        JPEG + b"a film behind the picture" * 99,
        WHOLE["webp"],
        WHOLE["webp"] + b"\0",
        WHOLE["gif"],
        WHOLE["gif"] + b"\0\0",
    ],
)
def test_a_whole_picture_is_read_byte_for_byte(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert read_picture(path) == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello", "no picture"),
        (b"<!doctype html><p>", "a web page"),
        (b"<svg xmlns=''></svg>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF file"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 20, "a HEIC picture"),
        (b"\0\0\0\x18ftypavif" + b"\0" * 20, "an AVIF picture"),
        (box(b"ftyp", b"isom\0\0\2\0"), "a video"),
        (b"II*\0" + b"\0" * 20, "a TIFF picture"),
        (b"BM" + b"\0" * 20, "a BMP picture"),
        (png(500)[:-4], "only the beginning of a PNG"),
        (JPEG[:-2], "only the beginning of a JPEG"),
        (JPEG[:30], "only the beginning of a JPEG"),
        (b"\xff\xd8\xff\xff\xff\xff", "only the beginning of a JPEG"),
        (WHOLE["webp"][:-1], "only the beginning of a WebP"),
        (WHOLE["gif"][:-1] + b"x", "only the beginning of a GIF"),
    ],
)
def test_what_is_no_whole_picture_is_refused_by_what_it_is(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_picture(path)
    assert str(path) in caught.value.message
    assert said in caught.value.message


def test_a_picture_may_have_20_mb_and_no_byte_more(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png() + b"x" * (LARGEST - len(png())))
    assert len(read_picture(path)) == LARGEST
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(UsageError, match="larger than 20 MB"):
        read_picture(path)


def test_what_is_not_there_or_cannot_be_read_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(UsageError, match="is a directory"):
        read_picture(tmp_path)
    with pytest.raises(UsageError):
        read_picture(Path("a\0b.png"))
    with pytest.raises(UsageError):
        read_picture(tmp_path / ("n" * 5000))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(UsageError, match="no ordinary file"):
            read_picture(tmp_path / "pipe.png")
    (tmp_path / "cat.png").write_bytes(png())

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        read_picture(tmp_path / "cat.png")


# -- what is sent --------------------------------------------------------------------------------------


def test_a_file_is_uploaded_with_a_word_about_it(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path
) -> None:
    world = begin()
    assert link_of_file(world.runtime, cat) == f"{service.base_url}/kept/1.png"
    (post,) = sent
    assert png(3000) in post.data
    assert b'filename="cat.png"' in post.data
    assert str(cat.parent).encode() not in post.data
    host = service.base_url.removeprefix("http://")
    assert world.told == f"Uploading cat.png (3 KB) to {host}; the same file is not sent twice.\n"


@pytest.mark.parametrize(
    ("name", "sent_as"),
    [("scan", "scan.jpg"), ("a.JPEG", "a.JPEG"), ("b.png", "b.png.jpg"), ("c.jpg", "c.jpg")],
)
def test_the_name_that_is_sent_says_what_the_bytes_are(
    begin: Callable[..., World], sent: list[Received], tmp_path: Path, name: str, sent_as: str
) -> None:
    (tmp_path / name).write_bytes(JPEG)
    link_of_file(begin().runtime, tmp_path / name)
    assert f'filename="{sent_as}"'.encode() in sent[0].data
    assert b"image/jpeg" in sent[0].data


def test_the_token_of_the_api_goes_to_its_own_host(
    begin: Callable[..., World], sent: list[Received], cat: Path
) -> None:
    link_of_file(begin().runtime, cat)
    assert sent[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_token_of_the_api_goes_to_no_other_host_nor_port(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path
) -> None:
    elsewhere = {"MJ_FILES_URL": service.base_url + FILES, "MJ_BASE_URL": "https://api.example"}
    link_of_file(begin(**elsewhere).runtime, cat, keep=False)
    link_of_file(begin(**elsewhere, MJ_FILES_TOKEN=OTHER).runtime, cat, keep=False)
    same_host = {"MJ_FILES_URL": service.base_url + FILES, "MJ_BASE_URL": "http://127.0.0.1:9"}
    link_of_file(begin(**same_host).runtime, cat, keep=False)
    assert [each.headers.get("authorization") for each in sent] == [None, f"Bearer {OTHER}", None]
    assert TOKEN not in repr(sent)


def test_a_refusal_shows_neither_token_and_says_what_to_do(
    begin: Callable[..., World], service: Service, cat: Path
) -> None:
    message = f"the token {OTHER} is none of mine, nor is {TOKEN}"
    service.scripts[FILES] = lambda _request, reply: reply.json(
        {"error": {"code": "invalid_token", "message": message}}, 401
    )
    world = begin(MJ_FILES_TOKEN=OTHER)
    with pytest.raises(MjError) as caught:
        link_of_file(world.runtime, cat)
    assert caught.value.exit_code == ExitCode.AUTH
    world.runtime.report(caught.value)
    assert "next: mj auth login --files" in world.told
    assert "nothing is paid" in world.told
    assert TOKEN not in world.told
    assert OTHER not in world.told


def test_nothing_is_uploaded_for_a_job_that_has_no_token(
    begin: Callable[..., World], sent: list[Received], cat: Path
) -> None:
    with pytest.raises(NoTokenError):
        link_of_file(begin(MJ_TOKEN="", MJ_FILES_TOKEN=OTHER).runtime, cat)
    assert not sent


def test_what_is_no_picture_is_not_sent(
    begin: Callable[..., World], sent: list[Received], tmp_path: Path
) -> None:
    (tmp_path / "notes.png").write_text("my notes")
    with pytest.raises(UsageError):
        link_of_file(begin().runtime, tmp_path / "notes.png")
    assert not sent


# -- what is remembered --------------------------------------------------------------------------------


def test_the_same_content_is_sent_once_whatever_its_name(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path, tmp_path: Path
) -> None:
    first = link_of_file(begin().runtime, cat)
    copy = tmp_path / "copy.png"
    copy.write_bytes(cat.read_bytes())
    world = begin()
    assert link_of_file(world.runtime, copy) == first
    assert world.told == "copy.png was uploaded before; its link is used again.\n"
    assert len(sent) == 1
    assert remembered(tmp_path) == [(service.base_url + FILES, first)]


def test_other_content_is_sent_by_itself(
    begin: Callable[..., World], sent: list[Received], cat: Path
) -> None:
    first = link_of_file(begin().runtime, cat)
    cat.write_bytes(png(3001))
    assert link_of_file(begin().runtime, cat) != first
    assert len(sent) == 2


def test_another_endpoint_has_not_got_it(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path
) -> None:
    link_of_file(begin().runtime, cat)
    service.scripts["/other/"] = service.scripts[FILES]
    link_of_file(begin(MJ_FILES_URL=f"{service.base_url}/other/").runtime, cat)
    assert [each.path for each in sent] == [FILES, "/other/"]


def test_a_link_that_leads_to_nothing_any_more_is_replaced(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path, tmp_path: Path
) -> None:
    link_of_file(begin().runtime, cat)
    del service.files["/kept/1.png"]
    second = link_of_file(begin().runtime, cat)
    assert second == f"{service.base_url}/kept/2.png"
    assert remembered(tmp_path) == [(service.base_url + FILES, second)]


def test_a_link_that_leads_to_nothing_any_more_is_forgotten_though_the_next_upload_fails(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path, tmp_path: Path
) -> None:
    link_of_file(begin().runtime, cat)
    del service.files["/kept/1.png"]
    service.scripts[FILES] = lambda _request, reply: reply.json({"error": "no"}, 400)
    with pytest.raises(MjError):
        link_of_file(begin().runtime, cat)
    assert remembered(tmp_path) == []


def test_a_link_that_says_itself_that_it_has_expired_is_replaced(
    begin: Callable[..., World], service: Service, cat: Path
) -> None:
    def take(_request: Received, reply: Reply) -> None:
        reply.json({"file_url": f"{service.base_url}/kept/1.png?ex=5f000000"})

    service.scripts[FILES] = take
    service.files["/kept/1.png"] = png()
    link_of_file(begin().runtime, cat)
    link_of_file(begin().runtime, cat)
    assert len(service.posts(FILES)) == 2
    assert not service.gets()


def test_a_link_that_is_only_doubtful_is_used_again(
    begin: Callable[..., World], sent: list[Received], service: Service, cat: Path
) -> None:
    first = link_of_file(begin().runtime, cat)
    service.files["/kept/1.png"] = lambda _request, reply: reply.whole(b"", 503)
    assert link_of_file(begin().runtime, cat) == first
    assert len(sent) == 1


def test_without_a_ledger_nothing_is_remembered_and_nothing_is_promised(
    begin: Callable[..., World], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        world = begin()
        link_of_file(world.runtime, cat, keep=False)
        assert "twice" not in world.told
    assert len(sent) == 2
    assert not (tmp_path / "data").exists()


def test_a_ledger_that_cannot_be_used_is_said_before_anything_is_sent(
    begin: Callable[..., World], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigError):
        link_of_file(begin().runtime, cat)
    assert not sent


def test_a_record_that_finds_no_room_costs_no_upload(
    begin: Callable[..., World],
    sent: list[Received],
    service: Service,
    cat: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise ConfigError("The disk is full.")

    world = begin()
    monkeypatch.setattr(world.runtime.ledger, "remember_upload", full)
    assert link_of_file(world.runtime, cat) == f"{service.base_url}/kept/1.png"


def test_the_ledger_learns_neither_token(
    begin: Callable[..., World], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    link_of_file(begin(MJ_FILES_TOKEN=OTHER).runtime, cat)
    for path in (tmp_path / "data").iterdir():
        assert OTHER.encode() not in path.read_bytes()
        assert TOKEN.encode() not in path.read_bytes()


# -- the sandbox ---------------------------------------------------------------------------------------


def test_in_the_sandbox_files_go_to_the_sandbox_and_are_not_remembered(
    begin: Callable[..., World], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        world = begin(MJ_SANDBOX="1", MJ_FILES_TOKEN=OTHER)
        link = link_of_file(world.runtime, cat)
        assert link.startswith(world.runtime.sandbox.base_url)
        (look,) = uploads_look(link)
        assert look.verdict == "good"
        assert "twice" not in world.told
    assert not sent
    assert remembered(tmp_path) == []


def uploads_look(link: str) -> Any:
    from mjcli.links import look_at

    return look_at([link], allow_private=True, use_environment=False)


def test_a_size_is_told_in_the_unit_that_fits() -> None:
    assert [uploads._size(each) for each in (5, 1023, 2048, 1536 * 1024, 20 << 20)] == [
        "5 bytes",
        "1023 bytes",
        "2 KB",
        "1.5 MB",
        "20 MB",
    ]
