"""The link of a local image: what is uploaded where, and what is remembered."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mjcli.__main__ import _report
from mjcli.cli.images import Uploader
from mjcli.errors import ConfigError, ExitCode, MjError, NoTokenError, UsageError
from tests.support.images import JPEG, png
from tests.support.service import Received, Reply, Service
from tests.support.world import World

FILES = "/files/upload"
TOKEN = "api-token-0123456789"
OTHER = "files-token-0123456789"


class Run(World):
    """A run that uploads files."""

    def upload(self, path: Path, *, remember: bool = True) -> str:
        return Uploader.of(self.context).upload(path, remember=remember)


@pytest.fixture
def environ(tmp_path: Path, service: Service) -> dict[str, str]:
    return {
        "MJ_CONFIG": str(tmp_path / "config.toml"),
        "MJ_DATA_DIR": str(tmp_path / "data"),
        "MJ_TOKEN": TOKEN,
        "MJ_BASE_URL": service.base_url,
    }


@pytest.fixture
def begin(environ: dict[str, str]) -> Iterator[Callable[..., Run]]:
    """Start runs with this environment, each with its own connection to the ledger."""
    with contextlib.ExitStack() as ends:

        def begin(**env: str) -> Run:
            run = Run(environ | env)
            ends.callback(run.context.close)
            return run

        yield begin


@pytest.fixture
def sent(service: Service) -> list[Received]:
    """The uploads that the file endpoint received; it serves each of them."""
    received: list[Received] = []

    def take(request: Received, reply: Reply) -> None:
        received.append(request)
        path = f"/up/{len(received)}.png"
        service.files[path] = png()
        reply.json({"success": True, "url": service.base_url + path})

    service.scripts[FILES] = take
    return received


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
        return connection.execute("SELECT url FROM uploads").fetchall()


# -- what is sent --------------------------------------------------------------------------------------


def test_an_upload_is_announced(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path
) -> None:
    run = begin()
    assert run.upload(cat) == f"{service.base_url}/up/1.png"
    (post,) = sent
    assert png(3000) in post.data
    assert b'filename="cat.png"' in post.data
    assert str(cat.parent).encode() not in post.data
    host = service.base_url.removeprefix("http://")
    assert run.err == f"Uploading cat.png, 3 KB, to {host} (once; later jobs reuse the link).\n"


@pytest.mark.parametrize(
    ("name", "sent_as"),
    [("scan", "scan.jpg"), ("a.JPEG", "a.JPEG"), ("b.png", "b.png.jpg"), ("c.jpg", "c.jpg")],
)
def test_the_name_sent_has_the_extension_of_the_format(
    begin: Callable[..., Run], sent: list[Received], tmp_path: Path, name: str, sent_as: str
) -> None:
    (tmp_path / name).write_bytes(JPEG)
    begin().upload(tmp_path / name)
    assert f'filename="{sent_as}"'.encode() in sent[0].data
    assert b"image/jpeg" in sent[0].data


def test_the_api_token_is_sent_to_its_own_host(
    begin: Callable[..., Run], sent: list[Received], cat: Path
) -> None:
    begin().upload(cat)
    assert sent[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_api_token_is_sent_to_no_other_host_or_port(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path
) -> None:
    elsewhere = {"MJ_FILES_URL": service.base_url + FILES, "MJ_BASE_URL": "https://api.example"}
    begin(**elsewhere).upload(cat, remember=False)
    begin(**elsewhere, MJ_FILES_TOKEN=OTHER).upload(cat, remember=False)
    same_host = {"MJ_FILES_URL": service.base_url + FILES, "MJ_BASE_URL": "http://127.0.0.1:9"}
    begin(**same_host).upload(cat, remember=False)
    assert [each.headers.get("authorization") for each in sent] == [None, f"Bearer {OTHER}", None]
    assert TOKEN not in repr(sent)


def test_a_refusal_shows_no_token_and_suggests_a_command(
    begin: Callable[..., Run], service: Service, cat: Path
) -> None:
    message = f"the token {OTHER} is none of mine, nor is {TOKEN}"
    service.scripts[FILES] = lambda _request, reply: reply.json(
        {"error": {"code": "invalid_token", "message": message}}, 401
    )
    run = begin(MJ_FILES_TOKEN=OTHER)
    with pytest.raises(MjError) as caught:
        run.upload(cat)
    assert caught.value.exit_code == ExitCode.AUTH
    _report(run.context, caught.value)
    assert "next: mj auth login --files\n" in run.err
    assert "No job was sent." in run.err
    assert TOKEN not in run.err
    assert OTHER not in run.err


def test_a_refusal_of_the_api_token_suggests_another_api_token(
    begin: Callable[..., Run], service: Service, cat: Path
) -> None:
    service.scripts[FILES] = lambda _request, reply: reply.json(
        {"error": {"code": "invalid_token", "message": "no"}}, 401
    )
    run = begin()
    with pytest.raises(MjError) as caught:
        run.upload(cat)
    _report(run.context, caught.value)
    assert "next: mj auth status\n" in run.err
    assert "next: mj auth login\n" in run.err
    assert "--files" not in run.err


def test_nothing_is_uploaded_for_a_job_without_a_token(
    begin: Callable[..., Run], sent: list[Received], cat: Path
) -> None:
    with pytest.raises(NoTokenError):
        begin(MJ_TOKEN="", MJ_FILES_TOKEN=OTHER).upload(cat)
    assert not sent


def test_a_file_that_is_not_an_image_is_not_sent(
    begin: Callable[..., Run], sent: list[Received], tmp_path: Path
) -> None:
    (tmp_path / "notes.png").write_text("my notes")
    with pytest.raises(UsageError):
        begin().upload(tmp_path / "notes.png")
    assert not sent


# -- remembered uploads --------------------------------------------------------------------------------


def test_the_same_content_is_uploaded_once_whatever_its_name(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path, tmp_path: Path
) -> None:
    first = begin().upload(cat)
    copy = tmp_path / "copy.png"
    copy.write_bytes(cat.read_bytes())
    run = begin()
    assert run.upload(copy) == first
    assert run.err == "copy.png was uploaded before; reusing its link.\n"
    assert len(sent) == 1
    assert remembered(tmp_path) == [(first,)]


def test_other_content_is_uploaded_separately(
    begin: Callable[..., Run], sent: list[Received], cat: Path
) -> None:
    first = begin().upload(cat)
    cat.write_bytes(png(3001))
    assert begin().upload(cat) != first
    assert len(sent) == 2


def test_another_endpoint_gets_its_own_upload(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path
) -> None:
    begin().upload(cat)
    service.scripts["/other/"] = service.scripts[FILES]
    begin(MJ_FILES_URL=f"{service.base_url}/other/").upload(cat)
    assert [each.path for each in sent] == [FILES, "/other/"]


@pytest.mark.parametrize(
    "changed",
    [
        {"MJ_TOKEN": "another-token-0123456789"},
        {"MJ_PROFILE": "work"},
        {"MJ_FILES_TOKEN": OTHER},
        {"MJ_BASE_URL": "https://api.example"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_link_is_not_reused_for_another_account(
    begin: Callable[..., Run],
    sent: list[Received],
    service: Service,
    cat: Path,
    environ: dict[str, str],
    changed: dict[str, str],
) -> None:
    """The token that changed is another account, whatever the profile is called."""
    Path(environ["MJ_CONFIG"]).write_text("[profiles.work]\n")
    same_endpoint = {"MJ_FILES_URL": service.base_url + FILES}
    first = begin(**same_endpoint).upload(cat)
    assert begin(**(same_endpoint | changed)).upload(cat) != first
    assert begin(**same_endpoint).upload(cat) == first
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("minutes", "uploads"),
    [(30, 2), (90, 1), (-30, 1), (60 * 24 * 6, 1)],
    ids=["soon", "later", "past", "days"],
)
def test_a_link_that_expires_soon_is_replaced(
    begin: Callable[..., Run], service: Service, cat: Path, minutes: int, uploads: int
) -> None:
    """A time in the past is nonsense, so the usual seven days apply."""
    expires_at = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    link = f"{service.base_url}/up/1.png"
    service.scripts[FILES] = lambda _request, reply: reply.json(
        {"success": True, "url": link, "expires_at": expires_at}
    )
    service.files["/up/1.png"] = png()
    for _ in range(2):
        assert begin().upload(cat) == link
    assert len(service.posts(FILES)) == uploads


def test_the_same_content_is_uploaded_once_in_one_run_whatever_is_remembered(
    begin: Callable[..., Run], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(cat.read_bytes())
    uploader = Uploader.of(begin().context)
    links = {uploader.upload(each, remember=False) for each in (cat, copy, cat)}
    assert len(links) == len(sent) == 1


def test_a_token_in_the_query_is_used_for_uploads_too(
    begin: Callable[..., Run], sent: list[Received], environ: dict[str, str], cat: Path
) -> None:
    Path(environ["MJ_CONFIG"]).write_text('[profiles.default]\ntoken_in = "query"\n')
    begin().upload(cat)
    begin(MJ_FILES_TOKEN=OTHER).upload(cat)
    assert [each.query for each in sent] == [{"token": TOKEN}, {}]
    assert [each.headers.get("authorization") for each in sent] == [None, f"Bearer {OTHER}"]


@pytest.mark.parametrize(
    ("status", "document"),
    [(400, {"error": {"code": "bad_request", "message": "no"}}), (403, {"detail": "no"}), (413, {})],
)
def test_a_refusal_of_the_file_suggests_to_host_it(
    begin: Callable[..., Run], service: Service, cat: Path, status: int, document: dict[str, Any]
) -> None:
    service.scripts[FILES] = lambda _request, reply: reply.json(document, status)
    run = begin()
    with pytest.raises(MjError) as caught:
        run.upload(cat)
    _report(run.context, caught.value)
    assert run.err.endswith("\n  hint: host the image yourself and pass its link\n")


def test_a_dead_link_is_replaced(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path, tmp_path: Path
) -> None:
    begin().upload(cat)
    del service.files["/up/1.png"]
    second = begin().upload(cat)
    assert second == f"{service.base_url}/up/2.png"
    assert remembered(tmp_path) == [(second,)]


def test_a_dead_link_is_forgotten_even_if_the_next_upload_fails(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path, tmp_path: Path
) -> None:
    begin().upload(cat)
    del service.files["/up/1.png"]
    service.scripts[FILES] = lambda _request, reply: reply.json({"error": "no"}, 400)
    with pytest.raises(MjError):
        begin().upload(cat)
    assert remembered(tmp_path) == []


def test_an_expired_link_is_replaced(begin: Callable[..., Run], service: Service, cat: Path) -> None:
    def take(_request: Received, reply: Reply) -> None:
        reply.json({"file_url": f"{service.base_url}/up/1.png?ex=5f000000"})

    service.scripts[FILES] = take
    service.files["/up/1.png"] = png()
    begin().upload(cat)
    begin().upload(cat)
    assert len(service.posts(FILES)) == 2
    assert not service.gets()


def test_a_link_that_cannot_be_checked_is_reused(
    begin: Callable[..., Run], sent: list[Received], service: Service, cat: Path
) -> None:
    first = begin().upload(cat)
    service.files["/up/1.png"] = lambda _request, reply: reply.whole(b"", 503)
    assert begin().upload(cat) == first
    assert len(sent) == 1


def test_without_a_ledger_nothing_is_remembered_or_promised(
    begin: Callable[..., Run], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        run = begin()
        run.upload(cat, remember=False)
        assert "once" not in run.err
    assert len(sent) == 2
    assert not (tmp_path / "data").exists()


def test_an_unusable_ledger_is_reported_before_anything_is_sent(
    begin: Callable[..., Run], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigError):
        begin().upload(cat)
    assert not sent


def test_a_full_disk_does_not_lose_the_link(
    begin: Callable[..., Run],
    sent: list[Received],
    service: Service,
    cat: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ConfigError("The disk is full.")

    run = begin()
    monkeypatch.setattr(run.context.ledger.uploads, "remember", full)
    assert run.upload(cat) == f"{service.base_url}/up/1.png"


def test_the_ledger_contains_no_token(
    begin: Callable[..., Run], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    begin(MJ_FILES_TOKEN=OTHER).upload(cat)
    for path in (tmp_path / "data").iterdir():
        assert OTHER.encode() not in path.read_bytes()
        assert TOKEN.encode() not in path.read_bytes()


# -- the sandbox ---------------------------------------------------------------------------------------


def test_in_the_sandbox_uploads_stay_there_and_are_not_remembered(
    begin: Callable[..., Run], sent: list[Received], cat: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        run = begin(MJ_SANDBOX="1", MJ_FILES_TOKEN=OTHER)
        link = run.upload(cat)
        assert link.startswith(run.context.client.base_url)
        (found,) = check(link)
        assert found.verdict == "good"
        assert "once" not in run.err
    assert not sent
    assert remembered(tmp_path) == []


def check(link: str) -> Any:
    from mjcli.media.probe import check_links

    return check_links([link], allow_private=True, use_environment=False)
