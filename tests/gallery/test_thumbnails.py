"""Thumbnails are made once for each picture, whatever its name, and never from what cannot be decoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mjcli.gallery.thumbnails import SIZE, Thumbnails
from mjcli.media.pixels import Decoder, Decoders, PictureError


def write(path: Path, size: tuple[int, int] = (1600, 1200), colour: str = "#205080") -> str:
    Image.new("RGB", size, colour).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Thumbnails]:
    decoders = Decoders(os.environ)
    yield Thumbnails(tmp_path / "cache", decoders)
    decoders.close()


def no_more(*_: object) -> bytes:
    raise AssertionError("decoded again")


def test_a_thumbnail_is_a_small_webp_file_named_after_the_digest(cache: Thumbnails, tmp_path: Path) -> None:
    digest = write(tmp_path / "cat.png")
    found = cache.of(tmp_path / "cat.png", digest)
    assert found is not None
    assert found.name == f"{digest}.webp"
    with Image.open(found) as image:
        assert image.format == "WEBP"
        assert image.width <= SIZE[0]
        assert image.height == SIZE[1]
        assert image.width * 3 == pytest.approx(image.height * 4, abs=4)


def test_it_is_made_once(cache: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = write(tmp_path / "cat.png")
    first = cache.of(tmp_path / "cat.png", digest)
    monkeypatch.setattr(Decoder, "thumbnail", no_more)
    assert cache.of(tmp_path / "cat.png", digest) == first
    (tmp_path / "cat.png").rename(tmp_path / "renamed.png")
    assert cache.of(tmp_path / "renamed.png", digest) == first
    assert cache.of(tmp_path / "renamed.png", None) == first


@pytest.mark.slow
def test_a_picture_that_was_replaced_gets_another_one(cache: Thumbnails, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    digest = write(path)
    first = cache.of(path, digest)
    changed = write(path, colour="#ff0000")
    assert first is not None
    os.utime(path, (first.stat().st_mtime + 10,) * 2)
    second = cache.of(path, digest)
    assert second is not None
    assert second.stem == changed


@pytest.mark.slow
def test_a_bomb_has_none_and_is_decoded_once(
    cache: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert cache.of(path, digest) is None
    monkeypatch.setattr(Decoder, "thumbnail", no_more)
    assert cache.of(path, digest) is None


def test_a_failure_that_may_pass_is_not_remembered(
    cache: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = write(tmp_path / "cat.png")

    class Passing(PictureError):
        lasts = False

    def fail(*_: object) -> bytes:
        raise Passing("takes too long to show")

    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "thumbnail", fail)
        assert cache.of(tmp_path / "cat.png", digest) is None
    assert cache.of(tmp_path / "cat.png", digest) is not None


def test_a_missing_file_a_directory_and_a_text_have_none(cache: Thumbnails, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    assert cache.of(tmp_path / "none.png", "ab" * 32) is None
    assert cache.of(tmp_path, None) is None
    assert cache.of(tmp_path / "text.png", None) is None


def test_a_digest_from_a_damaged_ledger_leaves_the_directory_alone(cache: Thumbnails, tmp_path: Path) -> None:
    write(tmp_path / "cat.png")
    assert cache.of(tmp_path / "cat.png", "../../escape") is None
    assert not (tmp_path / "escape.webp").exists()
