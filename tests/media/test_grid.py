"""Splitting a grid into its four images."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from mjcli.errors import DownloadError
from mjcli.media.download import OwnFiles
from mjcli.media.grid import quadrants
from tests.support.pictures import scans, zeros

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]


def grid(path: Path, kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Path:
    """An image of four colours: top left, top right, bottom left, bottom right."""
    whole = PIL.Image.new("RGB", size)
    middle, centre = size[0] // 2, size[1] // 2
    for colour, box in zip(
        COLOURS,
        [
            (0, 0, middle, centre),
            (middle, 0, size[0], centre),
            (0, centre, middle, size[1]),
            (middle, centre, size[0], size[1]),
        ],
        strict=True,
    ):
        whole.paste(colour, box)
    whole.convert(mode).save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return path


@pytest.mark.parametrize(("kind", "name"), [("PNG", "cat.png"), ("WEBP", "cat.webp"), ("JPEG", "cat.jpg")])
def test_the_parts_have_the_same_format_and_are_in_reading_order(
    tmp_path: Path, kind: str, name: str
) -> None:
    path = grid(tmp_path / name, kind)
    parts = quadrants(path, force=False)
    assert [part.path.name for part in parts] == [f"cat_{n}{path.suffix}" for n in (1, 2, 3, 4)]
    for part, colour in zip(parts, COLOURS, strict=True):
        with PIL.Image.open(part.path) as image:
            assert (image.format, image.size) == (kind, (32, 24))
            shown = image.convert("RGB").getpixel((10, 10))
            assert all(abs(a - b) < 6 for a, b in zip(shown, colour, strict=True))  # type: ignore[arg-type]


def test_an_odd_size_loses_no_pixel(tmp_path: Path) -> None:
    parts = quadrants(grid(tmp_path / "odd.png", size=(65, 49)), force=False)
    sizes = []
    for part in parts:
        with PIL.Image.open(part.path) as image:
            sizes.append(image.size)
    assert sizes == [(32, 24), (33, 24), (32, 25), (33, 25)]


@pytest.mark.parametrize("mode", ["RGBA", "L", "P"])
def test_the_colour_mode_is_preserved(tmp_path: Path, mode: str) -> None:
    for part in quadrants(grid(tmp_path / "cat.png", mode=mode), force=False):
        with PIL.Image.open(part.path) as image:
            assert image.mode == mode


def test_the_colour_profile_is_preserved(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    PIL.Image.new("RGB", (8, 8)).save(path, icc_profile=b"a profile")
    for part in quadrants(path, force=False):
        with PIL.Image.open(part.path) as image:
            assert image.info["icc_profile"] == b"a profile"


def test_existing_parts_of_the_job_are_kept_unless_forced(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    mine = grid(tmp_path / "cat_2.png", size=(32, 24)).read_bytes()
    own = OwnFiles({str(tmp_path / "cat_2.png"): None})
    assert [part.kept for part in quadrants(path, force=False, own=own)] == [False, True, False, False]
    assert (tmp_path / "cat_2.png").read_bytes() == mine
    assert not any(part.kept for part in quadrants(path, force=True))
    assert (tmp_path / "cat_2.png").read_bytes() != mine


def test_parts_with_the_same_bytes_are_kept(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    first = quadrants(path, force=False)
    assert [(part.path, part.kept) for part in quadrants(path, force=False)] == [
        (part.path, True) for part in first
    ]


@pytest.mark.parametrize("size", [(4, 4), (32, 24)])
def test_another_image_is_neither_kept_as_a_part_nor_overwritten(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = grid(tmp_path / "cat.png")
    mine = grid(tmp_path / "cat_2.png", size=size).read_bytes()
    names = [part.path.name for part in quadrants(path, force=False)]
    assert names == ["cat_1.png", "cat_2-2.png", "cat_3.png", "cat_4.png"]
    assert (tmp_path / "cat_2.png").read_bytes() == mine


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_with_the_name_of_a_part_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cat_1.png")
    assert quadrants(grid(tmp_path / "cat.png"), force=False)[0].path.name == "cat_1-2.png"


@pytest.mark.parametrize("size", [(1, 1), (1, 40)])
def test_an_image_without_the_size_of_a_grid_is_not_split(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "cat.png"
    PIL.Image.new("RGB", size).save(path)
    with pytest.raises(DownloadError, match="size of a grid"):
        quadrants(path, force=False)


def test_a_bomb_is_not_split(tmp_path: Path) -> None:
    (tmp_path / "size.png").write_bytes(zeros(70_000, 2_000, b""))
    (tmp_path / "scans.jpg").write_bytes(scans(500, 1024, noise=0))
    for name, problem in (("size.png", "too many pixels"), ("scans.jpg", "too many scans")):
        with pytest.raises(DownloadError, match=problem):
            quadrants(tmp_path / name, force=False)


def test_a_file_that_is_not_an_image_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cat_1.png").write_text("my notes")
    assert quadrants(grid(tmp_path / "cat.png"), force=False)[0].path.name == "cat_1-2.png"
    assert (tmp_path / "cat_1.png").read_text() == "my notes"


def test_a_damaged_grid_is_an_error(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DownloadError, match="cannot be split"):
        quadrants(path, force=False)
    path.write_bytes(b"not an image")
    with pytest.raises(DownloadError, match="cannot be split"):
        quadrants(path, force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["cat.png"]


def test_a_long_name_is_cut_for_the_number(tmp_path: Path) -> None:
    path = grid(tmp_path / ("a" * 251 + ".png"))
    names = [part.path.name for part in quadrants(path, force=False)]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 255


def multi_picture(path: Path) -> None:
    """A JPEG as some cameras write it, with a second image behind the first."""
    first, second = (PIL.Image.new("RGB", (64, 48), colour) for colour in ("red", "blue"))
    first.save(path, "MPO", save_all=True, append_images=[second])


def two_headers(path: Path) -> None:
    """A PNG whose second header has another size."""
    data = grid(path).read_bytes()
    header = data[8:33]
    again = header[4:8] + struct.pack(">II", 50_000, 50_000) + header[16:21]
    again = header[:4] + again + struct.pack(">I", zlib.crc32(again))
    path.write_bytes(data[:33] + again + data[33:])


def truncated(path: Path) -> None:
    data = grid(path, "JPEG").read_bytes()
    path.write_bytes(data[: len(data) // 2])


def huge_text(path: Path) -> None:
    """A PNG with a text chunk that unpacks to more than Pillow allows."""
    data = grid(path).read_bytes()
    chunk = b"zTXtnote\0\0" + zlib.compress(b"x" * 100_000_000)
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:33] + chunk + data[33:])


def test_a_jpeg_with_more_images_is_split(tmp_path: Path) -> None:
    multi_picture(tmp_path / "cat.jpg")
    for part in quadrants(tmp_path / "cat.jpg", force=False):
        with PIL.Image.open(part.path) as image:
            assert (image.format, image.size) == ("JPEG", (32, 24))


@pytest.mark.slow
@pytest.mark.parametrize("odd", [two_headers, truncated, huge_text])
def test_an_odd_image_fails_in_one_sentence(tmp_path: Path, odd: Callable[[Path], None]) -> None:
    odd(tmp_path / "cat.png")
    with pytest.raises(DownloadError, match="cannot be split"):
        quadrants(tmp_path / "cat.png", force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["cat.png"]


@pytest.mark.parametrize(
    "problem", [MemoryError(), KeyError("MPO"), PIL.Image.DecompressionBombWarning("big")]
)
def test_whatever_pillow_raises_is_a_failed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def crop(*_: object) -> None:
        raise problem

    monkeypatch.setattr(PIL.Image.Image, "crop", crop)
    with pytest.raises(DownloadError, match="cannot be split"):
        quadrants(grid(tmp_path / "cat.png"), force=False)
