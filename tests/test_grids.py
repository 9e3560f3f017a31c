"""A grid, cut into its four pictures."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import PIL.Image
import pytest

from mjcli.errors import DownloadError
from mjcli.grids import quadrants

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]


def grid(path: Path, kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Path:
    """A picture of four colours: top left, top right, bottom left, bottom right."""
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
def test_the_parts_are_of_the_same_kind_and_in_reading_order(tmp_path: Path, kind: str, name: str) -> None:
    path = grid(tmp_path / name, kind)
    parts = quadrants(path, force=False)
    assert [part.path.name for part in parts] == [f"cat_{n}{path.suffix}" for n in (1, 2, 3, 4)]
    for part, colour in zip(parts, COLOURS, strict=True):
        with PIL.Image.open(part.path) as picture:
            assert (picture.format, picture.size) == (kind, (32, 24))
            shown = picture.convert("RGB").getpixel((10, 10))
            assert all(abs(a - b) < 6 for a, b in zip(shown, colour, strict=True))  # type: ignore[arg-type]


def test_no_pixel_is_lost_of_an_odd_size(tmp_path: Path) -> None:
    parts = quadrants(grid(tmp_path / "odd.png", size=(65, 49)), force=False)
    sizes = []
    for part in parts:
        with PIL.Image.open(part.path) as picture:
            sizes.append(picture.size)
    assert sizes == [(32, 24), (33, 24), (32, 25), (33, 25)]


@pytest.mark.parametrize("mode", ["RGBA", "L", "P"])
def test_the_kind_of_colour_stays(tmp_path: Path, mode: str) -> None:
    for part in quadrants(grid(tmp_path / "cat.png", mode=mode), force=False):
        with PIL.Image.open(part.path) as picture:
            assert picture.mode == mode


def test_the_colour_profile_stays(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    PIL.Image.new("RGB", (8, 8)).save(path, icc_profile=b"a profile")
    for part in quadrants(path, force=False):
        with PIL.Image.open(part.path) as picture:
            assert picture.info["icc_profile"] == b"a profile"


def test_parts_that_are_there_are_kept_unless_forced(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    mine = grid(tmp_path / "cat_2.png", size=(32, 24)).read_bytes()
    assert [part.kept for part in quadrants(path, force=False)] == [False, True, False, False]
    assert (tmp_path / "cat_2.png").read_bytes() == mine
    assert not any(part.kept for part in quadrants(path, force=True))
    assert (tmp_path / "cat_2.png").read_bytes() != mine


def test_a_picture_of_another_size_is_not_taken_for_a_part_nor_overwritten(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    mine = grid(tmp_path / "cat_2.png", size=(4, 4)).read_bytes()
    with pytest.raises(DownloadError, match="another picture"):
        quadrants(path, force=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cat.png", "cat_2.png"]
    assert (tmp_path / "cat_2.png").read_bytes() == mine


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_under_the_name_of_a_part_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cat_1.png")
    with pytest.raises(DownloadError, match="no picture"):
        quadrants(grid(tmp_path / "cat.png"), force=False)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (70_000, 2_000)])
def test_what_has_no_grids_size_is_not_cut(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "cat.png"
    data = bytearray(grid(path).read_bytes())
    data[16:24] = struct.pack(">II", *size)
    path.write_bytes(data)
    with pytest.raises(DownloadError, match="grid's size"):
        quadrants(path, force=False)


def test_what_is_no_picture_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cat_1.png").write_text("my notes")
    with pytest.raises(DownloadError, match="cat_1"):
        quadrants(grid(tmp_path / "cat.png"), force=False)
    assert (tmp_path / "cat_1.png").read_text() == "my notes"


def test_a_grid_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = grid(tmp_path / "cat.png")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DownloadError, match="cannot be cut"):
        quadrants(path, force=False)
    path.write_bytes(b"no picture")
    with pytest.raises(DownloadError, match="cannot be cut"):
        quadrants(path, force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["cat.png"]


def test_a_long_name_makes_room_for_the_number(tmp_path: Path) -> None:
    path = grid(tmp_path / ("a" * 114 + ".png"))
    names = [part.path.name for part in quadrants(path, force=False)]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 119
