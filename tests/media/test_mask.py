"""Masks from files and from rectangles."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjcli.errors import UsageError
from mjcli.media.mask import mask_of, parse_region, region_mask


def image(path: Path, size: tuple[int, int], kind: str = "PNG") -> Path:
    PIL.Image.new("L", size, 128).save(path, kind)
    return path


def decoded(mask: str | None) -> PIL.Image.Image:
    assert mask is not None
    return PIL.Image.open(io.BytesIO(b64decode(mask, validate=True)))


def white(mask: PIL.Image.Image) -> tuple[int, int, int, int] | None:
    """The bounding box of everything that is not black."""
    return mask.getbbox()


def test_without_either_option_there_is_no_mask() -> None:
    assert mask_of(None, [], (10, 10)) is None


@pytest.mark.parametrize(("kind", "name"), [("PNG", "a.png"), ("JPEG", "a.jpg"), ("WEBP", "a.webp")])
def test_a_file_is_encoded_as_bare_base64(tmp_path: Path, kind: str, name: str) -> None:
    path = image(tmp_path / name, (20, 10), kind)
    mask = mask_of(path, [], None)
    assert mask is not None
    assert b64decode(mask, validate=True) == path.read_bytes()


def test_a_mask_may_be_smaller_than_the_image_in_the_same_proportions(tmp_path: Path) -> None:
    path = image(tmp_path / "a.png", (101, 50))
    assert mask_of(path, [], (2020, 1000))
    with pytest.raises(UsageError, match=r"101 x 50 pixels and the image 1000 x 1000"):
        mask_of(path, [], (1000, 1000))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a PNG, JPEG or WebP"),
        (b"GIF89a" + b"\0" * 20, "not a PNG, JPEG or WebP"),
        (b"%PDF-1.7 " + b"\0" * 20, "not a PNG, JPEG or WebP"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "incomplete or damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (25 * 1024 * 1024), "larger than 25 MB"),
    ],
)
def test_a_file_that_is_not_a_complete_image_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=why):
        mask_of(path, [], None)


def test_an_incomplete_image_is_refused(tmp_path: Path) -> None:
    path = image(tmp_path / "mask.png", (50, 50))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UsageError, match="damaged"):
        mask_of(path, [], None)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        mask_of(tmp_path / "none.png", [], None)
    with pytest.raises(UsageError, match="is a directory"):
        mask_of(tmp_path, [], None)


def test_both_options_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="together"):
        mask_of(tmp_path / "mask.png", ["0,0,1,1"], (10, 10))


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("100,50,400,300", (100, 50, 500, 350)),
        (" 100 , 50 , 400 , 300 ", (100, 50, 500, 350)),
        ("0%,0%,50%,50%", (0, 0, 500, 400)),
        ("10%,0,33.3%,100%", (100, 0, 433, 800)),
        ("0,0,100%,100%", (0, 0, 1000, 800)),
        ("999,799,1,1", (999, 799, 1000, 800)),
        ("33.333333%,0,66.666667%,1", (333, 0, 1000, 1)),
    ],
)
def test_a_region_is_white_in_a_grey_image_of_the_same_size(
    text: str, box: tuple[int, int, int, int]
) -> None:
    mask = decoded(mask_of(None, [text], (1000, 800)))
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (1000, 800))
    assert white(mask) == box
    assert set(mask.crop(box).tobytes()) == {255}


def test_several_regions_are_all_white() -> None:
    mask = decoded(mask_of(None, ["0,0,10,10", "5,5,10,10", "50,50,1,1"], (60, 60)))
    lit = {(x, y) for x in range(60) for y in range(60) if mask.getpixel((x, y)) == 255}
    expected = {(x, y) for x in range(10) for y in range(10)}
    expected |= {(x, y) for x in range(5, 15) for y in range(5, 15)} | {(50, 50)}
    assert lit == expected


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,5,5", "0,0,nan,5", "0,0,inf,5", "1.5,0,5,5", "0,0,5px,5",
     "0,0,0,5", "0,0,5,0%", "0,0,101%,5", "1e3,0,5,5", "٣,0,5,5"],
)  # fmt: skip
def test_a_malformed_region_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--region"):
        parse_region(text)


@pytest.mark.parametrize("text", ["0,0,101,5", "50%,0,51%,5", "95,0,10,5", "0,99,5,2"])
def test_a_region_beyond_the_image_is_refused_with_the_size(text: str) -> None:
    with pytest.raises(UsageError, match="100 x 100"):
        mask_of(None, [text], (100, 100))


def test_a_region_needs_the_size_of_the_image() -> None:
    with pytest.raises(UsageError, match="size of the image"):
        mask_of(None, ["0,0,5,5"], None)


def test_an_image_that_claims_to_be_huge_gets_no_mask() -> None:
    with pytest.raises(UsageError, match="too many"):
        mask_of(None, ["0,0,5,5"], (4_000_000_000, 10))


@pytest.mark.slow
def test_the_mask_of_the_largest_image_is_small() -> None:
    assert len(region_mask([parse_region("10%,10%,50%,50%")], (8192, 8192))) < 500_000


lengths = st.floats(0, 100, allow_nan=False).map(lambda number: round(number, 3))


@pytest.mark.slow
@given(x=lengths, y=lengths, width=lengths, height=lengths, size=st.tuples(*[st.integers(1, 60)] * 2))
def test_a_region_in_percent_is_covered_entirely_or_refused(
    x: float, y: float, width: float, height: float, size: tuple[int, int]
) -> None:
    try:
        region = parse_region(f"{x:.3f}%,{y:.3f}%,{width:.3f}%,{height:.3f}%")
        left, _, right, bottom = region.box(size)
    except UsageError:
        assert x + width > 100 or y + height > 100 or width == 0 or height == 0
        return
    assert 0 <= left <= x * size[0] / 100 + 0.02
    assert right >= (x + width) * size[0] / 100 - 0.02
    assert bottom >= (y + height) * size[1] / 100 - 0.02
    assert right <= size[0]
    assert bottom <= size[1]
    region_mask([region], size)
