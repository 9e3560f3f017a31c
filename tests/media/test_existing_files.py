"""Files that exist already: whose they are, and what is kept, numbered or replaced."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mjcli.errors import DownloadError
from mjcli.media.download import Downloader, OwnFiles
from mjcli.media.names import Target, fields_of
from mjcli.media.place import Saved, partial_file, place_part
from tests.support.downloads import FIELDS, IMAGE, NAME, digest, get, link, scripted
from tests.support.images import WHOLE, png
from tests.support.service import Received, Reply, Service
from tests.support.systems import posix


@pytest.mark.parametrize("name", [NAME, "a-cat_1.webp", "a-cat_1-2.png"])
@pytest.mark.parametrize("known", [True, False])
def test_a_complete_file_of_the_job_is_kept_and_nothing_is_downloaded(
    service: Service, fetch: Downloader, place: Path, name: str, known: bool
) -> None:
    place.mkdir()
    (place / name).write_bytes(png(5))
    service.files["/files/cat.png"] = IMAGE
    own = OwnFiles({str(place / name): digest(png(5)) if known else None})
    assert get(fetch, link(service), place, own=own)[:2] == (place / name, True)
    assert (place / name).read_bytes() == png(5)
    assert not service.received


def test_a_file_of_the_job_with_another_digest_is_not_kept(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))  # complete, but edited or replaced since
    service.files["/files/cat.png"] = IMAGE
    saved = get(fetch, link(service), place, own=OwnFiles({str(place / NAME): digest(png(6))}))
    assert saved.path.name == "a-cat_1-2.png"
    assert (place / NAME).read_bytes() == png(5)


def test_two_links_of_a_job_do_not_claim_the_same_file(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / "cat.mp4").write_bytes(WHOLE["mp4"])
    own = OwnFiles({str(place / "cat.mp4"): None})
    target = Target(place, "cat.{ext}")
    (video,), _ = fetch.save_all([link(service)], target, FIELDS, own=own, video=True)
    assert video.kept
    service.files["/files/cat.png"] = IMAGE
    (cover,), _ = fetch.save_all([link(service)], target, FIELDS, own=own)
    assert cover.path == place / "cat.png"


def test_the_image_of_another_job_is_not_kept(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = IMAGE
    saved = get(fetch, link(service), place)
    assert saved[:2] == (place / "a-cat_1-2.png", False)
    assert "already exists" in saved.notices[0]
    assert (place / NAME).read_bytes() == png(5)
    assert saved.path.read_bytes() == IMAGE
    assert get(fetch, link(service), place)[:2] == (saved.path, True)


def test_a_file_with_the_same_bytes_is_kept(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).write_bytes(IMAGE)
    service.files["/files/cat.png"] = IMAGE
    assert get(fetch, link(service), place) == Saved(place / NAME, kept=True, sha256=digest(IMAGE))
    assert [path.name for path in place.iterdir()] == [NAME]


def test_force_does_not_replace_what_another_job_of_this_run_has_saved(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = IMAGE
    saved = get(fetch, link(service), place, force=True, own=OwnFiles(busy=[place / NAME]))
    assert saved.path.name == "a-cat_1-2.png"


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_many_downloads_at_once_lose_no_image(
    service: Service, fetch: Downloader, place: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr(os, "link", unsupported)
    urls = []
    for n in range(24):
        service.files[f"/files/{n}.png"] = png(n)
        urls.append(link(service, f"{n}.png"))
    place.mkdir()
    (place / "cat.png").touch()  # an empty file is free, but only once
    with ThreadPoolExecutor(12) as pool:
        target = Target(place, "cat.png")
        list(pool.map(lambda url: fetch.save_all([url], target, FIELDS), urls))
    assert {path.read_bytes() for path in place.iterdir()} == {png(n) for n in range(24)}
    assert {path.name for path in place.iterdir()} == {"cat.png", *(f"cat-{n}.png" for n in range(2, 25))}


def test_force_downloads_an_existing_file_again(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = IMAGE
    assert get(fetch, link(service), place, force=True)[:2] == (place / NAME, False)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_failed_forced_download_leaves_the_old_file(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = b"<html>"
    with pytest.raises(DownloadError):
        get(fetch, link(service), place, force=True)
    assert (place / NAME).read_bytes() == png(5)
    assert [path.name for path in place.iterdir()] == [NAME]


def test_an_empty_file_is_replaced(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).touch()
    service.files["/files/cat.png"] = IMAGE
    get(fetch, link(service), place)
    assert [path.name for path in place.iterdir()] == [NAME]
    assert (place / NAME).read_bytes() == IMAGE


@pytest.mark.parametrize("own", [True, False], ids=["own", "other"])
def test_an_incomplete_file_is_replaced_only_if_it_is_the_job_s(tmp_path: Path, own: bool) -> None:
    (tmp_path / NAME).write_bytes(IMAGE[:1000])
    with partial_file(tmp_path) as part:
        part.write(IMAGE)
        part.sync()
        saved = place_part(part, tmp_path / NAME, force=False, own=lambda path: own and path.name == NAME)
    assert saved.path.name == (NAME if own else "a-cat_1-2.png")
    assert saved.path.read_bytes() == IMAGE
    assert own or (tmp_path / NAME).read_bytes() == IMAGE[:1000]


@pytest.mark.parametrize("data", [IMAGE, b"\0new format" * 900], ids=["PNG", "unknown"])
def test_a_file_of_the_user_with_the_same_first_bytes_is_not_touched(
    service: Service, fetch: Downloader, place: Path, data: bytes
) -> None:
    place.mkdir()
    name = Path(NAME).with_suffix(".png" if data is IMAGE else ".bin").name
    (place / name).write_bytes(data[:8])
    service.files["/files/cat"] = lambda _request, reply: reply.whole(data)
    assert get(fetch, link(service, "cat"), place).path.read_bytes() == data
    assert (place / name).read_bytes() == data[:8]


def test_another_file_with_the_name_is_not_touched(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).write_text("my notes")
    service.files["/files/cat.png"] = IMAGE
    assert get(fetch, link(service), place).path.read_bytes() == IMAGE
    assert (place / NAME).read_text() == "my notes"
    assert sorted(path.name for path in place.iterdir()) == ["a-cat_1-2.png", NAME]


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_with_the_name_is_not_touched(
    service: Service, fetch: Downloader, place: Path, force: bool
) -> None:
    (place / NAME).mkdir(parents=True)
    service.files["/files/cat.png"] = IMAGE
    assert get(fetch, link(service), place, force=force).path.read_bytes() == IMAGE
    assert (place / NAME).is_dir()
    assert sorted(path.name for path in place.iterdir()) == ["a-cat_1-2.png", NAME]


@posix
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("behind", ["notes", "remains", "whole", "nothing"])
def test_nothing_is_written_through_a_symlink(
    service: Service, fetch: Downloader, place: Path, behind: str, force: bool
) -> None:
    place.mkdir()
    outside = place.parent / "outside"
    content = {"notes": b"my notes", "remains": IMAGE[:99], "whole": png(5), "nothing": None}[behind]
    if content is not None:
        outside.write_bytes(content)
    (place / NAME).symlink_to(outside)
    service.files["/files/cat.png"] = IMAGE
    saved = get(fetch, link(service), place, force=force)
    assert saved.path.read_bytes() == IMAGE
    assert not saved.path.is_symlink()
    assert (outside.read_bytes() if outside.exists() else None) == content
    assert (place / NAME).is_symlink() == (not force)


def test_a_file_that_is_created_meanwhile_is_not_replaced(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def meanwhile(_request: Received, reply: Reply) -> None:
        (place / NAME).write_bytes(png(5))
        reply.whole(IMAGE)

    assert get(fetch, scripted(service, meanwhile), place).path.read_bytes() == IMAGE
    assert (place / NAME).read_bytes() == png(5)


def test_names_that_differ_only_in_case_lose_no_image(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/one.png"], service.files["/files/two.png"] = png(1), png(2)
    for image_id, name in (("Ab", "one.png"), ("aB", "two.png")):
        fields = fields_of(prompt="a cat", image_id=image_id, task_id="t", action="generate")
        fetch.save_all([link(service, name)], Target(place), fields)
    assert {path.read_bytes() for path in place.iterdir()} == {png(1), png(2)}
