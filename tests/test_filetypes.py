"""What a file is, told from its bytes, and whether it is whole."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjcli.filetypes import EXTENSIONS, extension_of, is_web_page, is_whole, size_of
from tests.service import png


def box(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


WHOLE = {
    "png": png(),
    "jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\x01" * 40 + b"\xff\xd9",
    "webp": b"RIFF" + struct.pack("<I", 24) + b"WEBPVP8L" + b"\0" * 16,
    "gif": b"GIF89a" + b"\0" * 20 + b"\x3b",
    "mp4": box(b"ftyp", b"isom\0\0\2\0") + box(b"mdat", b"x" * 100) + box(b"moov", b"y" * 30),
}


def test_every_kind_that_is_saved_is_tested_here() -> None:
    assert set(WHOLE) == set(EXTENSIONS)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_kind_is_told_from_the_first_bytes(kind: str) -> None:
    assert extension_of(WHOLE[kind][:16]) == kind


@pytest.mark.parametrize("data", [b"", b"\x89PN", b"RIFF\0\0\0\0WAVE", b"<html>", b"%PDF-1.7", b"\0" * 16])
def test_anything_else_is_of_no_known_kind(data: bytes) -> None:
    assert extension_of(data) is None


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_is_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(WHOLE[kind])
    assert is_whole(path)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_not_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    data = WHOLE[kind]
    taken_for_whole = []
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if is_whole(path):
            taken_for_whole.append(length)
    assert not taken_for_whole


def test_a_video_without_its_index_or_its_data_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0"))
    assert not is_whole(path)
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0") + box(b"mdat", b"x" * 100))
    assert not is_whole(path)


def test_a_video_with_a_64_bit_length_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "file"
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + b"x" * 50
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", b"y" * 9) + large)
    assert is_whole(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_whole(path)


def test_a_video_with_a_senseless_length_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0") + struct.pack(">I4s", 3, b"mdat") + b"x" * 50)
    assert not is_whole(path)


def test_a_directory_or_nothing_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path)
    assert not is_whole(tmp_path / "nothing")


@pytest.mark.parametrize("start", [b"<!DOCTYPE html><p>", b"\xef\xbb\xbf\r\n <HTML>", b"<head>", b"<body>"])
def test_a_web_page_is_known_as_one(start: bytes) -> None:
    assert is_web_page(start)


@pytest.mark.parametrize("start", [b"", png(), b"<svg xmlns=", b"html"])
def test_other_things_are_no_web_page(start: bytes) -> None:
    assert not is_web_page(start)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + b"\0" * 60_000}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0" + b"\0" * 100}),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (300, 200), (1023, 4097)])
def test_the_size_of_a_picture_is_told_from_its_bytes(
    kind: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    written = io.BytesIO()
    PIL.Image.new("RGB", size).save(written, kind, **options)
    assert size_of(written.getvalue()) == size


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_a_picture_that_is_cut_before_its_size_has_none(kind: str) -> None:
    written = io.BytesIO()
    PIL.Image.new("RGB", (300, 200)).save(written, kind)
    whole = written.getvalue()
    told = [size_of(whole[:length]) for length in range(len(whole) + 1)]
    assert set(told) == {None, (300, 200)}
    assert told == sorted(told, key=lambda size: size is not None)  # once told, it stays


def test_a_picture_without_extent_has_no_size() -> None:
    assert size_of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 17) is None


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP"]),
)
def test_no_bytes_are_a_fault(data: bytes, beginning: bytes) -> None:
    size_of(beginning + data)
