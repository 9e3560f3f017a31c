"""Reading image files of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mjcli.errors import UsageError
from mjcli.media.local import MAX_BYTES, format_size, read_image
from tests.support.images import JPEG, WHOLE, box, png


@pytest.mark.parametrize(
    "data",
    [
        png(),
        png() + b"trailer" * 99,
        JPEG,
        JPEG + b"a video after the image" * 99,
        WHOLE["webp"],
        WHOLE["webp"] + b"\0",
        WHOLE["gif"],
        WHOLE["gif"] + b"\0\0",
    ],
)
def test_a_complete_image_is_read_byte_for_byte(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert read_image(path) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello", "not an image"),
        (b"<!doctype html><p>", "a web page"),
        (b"<svg xmlns=''></svg>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF file"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 20, "a HEIC image"),
        (b"\0\0\0\x18ftypavif" + b"\0" * 20, "an AVIF image"),
        (box(b"ftyp", b"isom\0\0\2\0"), "a video"),
        (b"II*\0" + b"\0" * 20, "a TIFF image"),
        (b"BM" + b"\0" * 20, "a BMP image"),
        (png(500)[:-4], "an incomplete PNG image"),
        (JPEG[:-2], "an incomplete JPEG image"),
        (JPEG[:30], "an incomplete JPEG image"),
        (b"\xff\xd8\xff\xff\xff\xff", "an incomplete JPEG image"),
        (WHOLE["webp"][:-1], "an incomplete WebP image"),
        (WHOLE["gif"][:-1] + b"x", "an incomplete GIF image"),
    ],
)
def test_other_files_are_refused_by_their_format(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_image(path)
    assert str(path) in caught.value.message
    assert words in caught.value.message


def test_an_image_may_have_25_mb_and_no_byte_more(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png() + b"x" * (MAX_BYTES - len(png())))
    assert len(read_image(path)) == MAX_BYTES
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(UsageError, match="larger than 25 MB"):
        read_image(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_image(tmp_path / "none.png")
    with pytest.raises(UsageError, match="is a directory"):
        read_image(tmp_path)
    with pytest.raises(UsageError):
        read_image(Path("a\0b.png"))
    with pytest.raises(UsageError):
        read_image(tmp_path / ("n" * 5000))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(UsageError, match="not a regular file"):
            read_image(tmp_path / "pipe.png")
    (tmp_path / "cat.png").write_bytes(png())

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(UsageError, match="cannot be read: permission denied"):
        read_image(tmp_path / "cat.png")


def test_a_size_has_the_unit_that_fits() -> None:
    assert [format_size(each) for each in (5, 1023, 2048, 1536 * 1024, 20 << 20)] == [
        "5 bytes",
        "1023 bytes",
        "2 KB",
        "1.5 MB",
        "20 MB",
    ]
