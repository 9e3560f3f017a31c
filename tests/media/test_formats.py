"""File formats by their bytes, image sizes, and whether files are complete."""

from __future__ import annotations

import io
import struct
import tempfile
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjcli.media.formats import (
    EXTENSIONS,
    extension_for,
    extension_of,
    is_web_page,
    is_whole,
    not_a_result,
    size_of,
)
from mjcli.media.structure import has_structure
from tests.support.images import WHOLE, box, png


def test_every_format_that_is_saved_is_tested_here() -> None:
    assert set(WHOLE) == set(EXTENSIONS)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_format_is_recognized_by_the_first_bytes(kind: str) -> None:
    assert extension_of(WHOLE[kind][:16]) == kind


@pytest.mark.parametrize("data", [b"", b"\x89PN", b"RIFF\0\0\0\0WAVE", b"<html>", b"%PDF-1.7", b"\0" * 16])
def test_other_files_have_no_known_format(data: bytes) -> None:
    assert extension_of(data) is None


@pytest.mark.parametrize("kind", WHOLE)
def test_a_complete_file_is_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(WHOLE[kind])
    assert is_whole(path)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_not_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    data = WHOLE[kind]
    wrong = []
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if is_whole(path):
            wrong.append(length)
    assert not wrong


def test_a_video_without_its_index_or_its_data_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0"))
    assert not is_whole(path)
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0") + box(b"mdat", b"x" * 100))
    assert not is_whole(path)


def test_a_video_with_a_64_bit_length_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + b"x" * 50
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", b"y" * 9) + large)
    assert is_whole(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_whole(path)


def test_a_video_with_an_invalid_length_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0") + struct.pack(">I4s", 3, b"mdat") + b"x" * 50)
    assert not is_whole(path)


def test_a_directory_or_missing_file_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path)
    assert not is_whole(tmp_path / "nothing")


@pytest.mark.parametrize("start", [b"<!DOCTYPE html><p>", b"\xef\xbb\xbf\r\n <HTML>", b"<head>", b"<body>"])
def test_a_web_page_is_recognized(start: bytes) -> None:
    assert is_web_page(start)


@pytest.mark.parametrize("start", [b"", png(), b"<svg xmlns=", b"html"])
def test_other_files_are_not_web_pages(start: bytes) -> None:
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
def test_the_size_of_an_image_is_found_in_its_bytes(
    kind: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    written = io.BytesIO()
    PIL.Image.new("RGB", size).save(written, kind, **options)
    assert size_of(written.getvalue()) == size


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_an_image_cut_before_its_size_has_none(kind: str) -> None:
    written = io.BytesIO()
    PIL.Image.new("RGB", (300, 200)).save(written, kind)
    whole = written.getvalue()
    sizes = [size_of(whole[:length]) for length in range(len(whole) + 1)]
    assert set(sizes) == {None, (300, 200)}
    assert sizes == sorted(sizes, key=lambda size: size is not None)  # once found, it stays


def test_an_image_of_zero_pixels_has_no_size() -> None:
    assert size_of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 17) is None


@pytest.mark.slow
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP"]),
)
def test_no_bytes_raise_an_error(data: bytes, beginning: bytes) -> None:
    size_of(beginning + data)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_a_file_with_bytes_after_its_end_is_whole(tmp_path: Path, kind: str) -> None:
    written = io.BytesIO()
    PIL.Image.effect_noise((50, 50), 80).convert("RGB").save(written, kind)
    for more in (b"\0", b"trailing bytes " * 20, written.getvalue()[:9]):
        (tmp_path / "file").write_bytes(written.getvalue() + more)
        assert is_whole(tmp_path / "file")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_the_structure_of_a_real_image_is_complete_only_with_its_end(tmp_path: Path, kind: str) -> None:
    written = io.BytesIO()
    PIL.Image.effect_noise((40, 40), 80).convert("RGB").save(written, kind)
    data, path = written.getvalue(), tmp_path / "file"
    wrong = []
    for length in range(1, len(data) + 1):
        path.write_bytes(data[:length])
        with path.open("rb") as file:
            found = has_structure(extension_of(data[:16]), file, length)
        if found != (length == len(data)):
            wrong.append(length)
    assert not wrong


def test_the_size_of_an_avif_image_is_that_of_its_largest_part() -> None:
    tile = box(b"ispe", struct.pack(">III", 0, 16, 16))
    whole = box(b"ispe", struct.pack(">III", 0, 640, 480))
    assert size_of(box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", tile + whole)) == (640, 480)


@pytest.mark.slow
@given(
    st.sampled_from(["png", "jpg", "gif", "webp", "mp4", "avif", None]), st.binary(min_size=1, max_size=300)
)
def test_no_bytes_make_a_check_fail(kind: str | None, data: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        has_structure(kind, file, len(data))
        not_a_result(data, "text/plain")
        assert extension_for(data, "", "http://x/y")
