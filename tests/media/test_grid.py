"""Splitting a grid into its four images."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import PIL.Image
import pytest

from mjcli.errors import DownloadError
from mjcli.media.grid import quadrants

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


def test_existing_parts_are_kept_unless_forced(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    mine = grid(tmp_path / "cat_2.png", size=(32, 24)).read_bytes()
    assert [part.kept for part in quadrants(path, force=False)] == [False, True, False, False]
    assert (tmp_path / "cat_2.png").read_bytes() == mine
    assert not any(part.kept for part in quadrants(path, force=True))
    assert (tmp_path / "cat_2.png").read_bytes() != mine


def test_an_image_of_another_size_is_neither_kept_as_a_part_nor_overwritten(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    mine = grid(tmp_path / "cat_2.png", size=(4, 4)).read_bytes()
    with pytest.raises(DownloadError, match="different image"):
        quadrants(path, force=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cat.png", "cat_2.png"]
    assert (tmp_path / "cat_2.png").read_bytes() == mine


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_with_the_name_of_a_part_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cat_1.png")
    with pytest.raises(DownloadError, match="not an image"):
        quadrants(grid(tmp_path / "cat.png"), force=False)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (70_000, 2_000)])
def test_an_image_without_the_size_of_a_grid_is_not_split(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "cat.png"
    data = bytearray(grid(path).read_bytes())
    data[16:24] = struct.pack(">II", *size)
    path.write_bytes(data)
    with pytest.raises(DownloadError, match="size of a grid"):
        quadrants(path, force=False)


def test_a_file_that_is_not_an_image_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cat_1.png").write_text("my notes")
    with pytest.raises(DownloadError, match="cat_1"):
        quadrants(grid(tmp_path / "cat.png"), force=False)
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
    path = grid(tmp_path / ("a" * 114 + ".png"))
    names = [part.path.name for part in quadrants(path, force=False)]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 119
