"""Pictures as pixels, decoded in processes of their own, which end instead of the program."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from mjcli.errors import UsageError
from mjcli.media import pixel_worker
from mjcli.media.pixels import Decoder, Decoders, PictureError, PillowMissing, check_pillow
from tests.support.pictures import COLOURS, chunk, grid, plain, saved, scans, zeros
from tests.support.systems import posix

ENVIRON = dict(os.environ)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(ENVIRON) as started:
        yield started


def rgb(
    decoder: Decoder, picture: bytes | Path, box: tuple[int, int] = (8, 8), **options: Any
) -> PIL.Image.Image:
    pixels = decoder.scaled(picture, box, "rgb", **options)
    return PIL.Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_scaled_into_the_box(decoder: Decoder, kind: str) -> None:
    image = rgb(decoder, grid(400, kind=kind), (40, 20))
    assert image.size == (20, 20)
    for place, colour in zip([(4, 4), (15, 4), (4, 15), (15, 15)], COLOURS, strict=True):
        found = image.getpixel(place)
        assert isinstance(found, tuple)
        assert all(abs(a - b) < 12 for a, b in zip(found, colour, strict=True))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_quadrant_is_numbered_as_the_actions_are(decoder: Decoder, number: int) -> None:
    image = rgb(decoder, grid(), quadrant=number)
    assert {image.getpixel((x, y)) for x in range(8) for y in range(8)} == {COLOURS[number - 1]}


def test_a_picture_comes_as_png_or_with_a_palette(decoder: Decoder) -> None:
    png = decoder.scaled(grid(), (20, 20), "png")
    with PIL.Image.open(io.BytesIO(png.data)) as image:
        assert image.size == (png.width, png.height) == (20, 20)
        assert image.getpixel((2, 2)) == COLOURS[0]
    pixels = decoder.scaled(grid(), (20, 20), "palette", colours=16)
    number = pixels.data[2 * 20 + 2]
    assert tuple(pixels.palette[3 * number : 3 * number + 3]) == COLOURS[0]
    assert len(pixels.data) == 400


def test_a_photo_is_turned_as_its_camera_says(decoder: Decoder) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image = PIL.Image.new("RGB", (40, 20), (200, 0, 0))
    image.paste((0, 0, 200), (0, 0, 20, 20))
    turned = rgb(decoder, saved(image, "PNG", exif=exif), (20, 40))
    assert turned.size == (20, 40)
    assert turned.getpixel((10, 5)) == (0, 0, 200)
    assert turned.getpixel((10, 35)) == (200, 0, 0)


def test_what_is_transparent_has_the_colour_of_the_ground(decoder: Decoder) -> None:
    palette = PIL.Image.new("P", (8, 8))
    for data in (
        saved(PIL.Image.new("RGBA", (8, 8), (255, 255, 255, 0))),
        saved(palette, "GIF", transparency=0),
    ):
        assert rgb(decoder, data).getpixel((3, 3)) == (0, 0, 0)
        assert rgb(decoder, data, ground="#102030").getpixel((3, 3)) == (16, 32, 48)


def test_a_small_picture_is_enlarged_only_on_request(decoder: Decoder) -> None:
    assert rgb(decoder, grid(40), (100, 100)).size == (100, 100)
    assert rgb(decoder, grid(40), (100, 100), enlarges=False).size == (40, 40)


def test_a_thumbnail_is_a_webp_file_with_the_colour_profile_and_is_not_enlarged(
    decoder: Decoder, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    for side, expected in ((40, 20), (10, 10)):
        path.write_bytes(grid(side, icc_profile=b"a profile"))
        with PIL.Image.open(io.BytesIO(decoder.thumbnail(path, (60, 20), 80))) as image:
            assert (image.format, image.size) == ("WEBP", (expected, expected))
            assert image.info["icc_profile"] == b"a profile"


def test_a_grey_picture_of_16_bits_keeps_its_brightness(decoder: Decoder) -> None:
    found = rgb(decoder, saved(PIL.Image.new("I;16", (8, 8), 0x8000))).getpixel((3, 3))
    assert found == (128, 128, 128)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not an image"),
        (b"<html>", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
        (grid(400)[:200], "is damaged or incomplete"),
    ],
    ids=["empty", "page", "program", "cut"],
)
def test_what_is_no_picture_ends_in_one_sentence(decoder: Decoder, data: bytes, problem: str) -> None:
    with pytest.raises(PictureError, match=problem) as caught:
        rgb(decoder, data)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_not_read(decoder: Decoder, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.png"):
        with pytest.raises(PictureError, match="is not a regular file"):
            rgb(decoder, path)


def with_own_pillow(directory: Path, source: str) -> dict[str, str]:
    """The environment with another Pillow."""
    (directory / "PIL").mkdir()
    (directory / "PIL" / "__init__.py").write_text(source)
    return {**ENVIRON, "PYTHONPATH": str(directory)}


def test_without_pillow_the_error_says_what_to_install(tmp_path: Path) -> None:
    environ = with_own_pillow(tmp_path, "raise ImportError('there is no PIL')")
    with Decoder(environ) as decoder, pytest.raises(PillowMissing, match=r'pip install "mjcli\[images\]"'):
        rgb(decoder, grid())


def test_a_command_that_needs_pillow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_pillow("mj gallery")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(UsageError, match=r"mj gallery needs Pillow") as error:
        check_pillow("mj gallery")
    assert "mjcli[images]" in (error.value.hint or "")


# -- the process ---------------------------------------------------------------------------------------


def process_of(decoder: Decoder) -> int:
    assert decoder._process is not None
    return decoder._process.pid


def test_one_process_decodes_many_pictures_also_after_one_that_it_cannot() -> None:
    with Decoder(ENVIRON) as decoder:
        rgb(decoder, grid())
        first = process_of(decoder)
        with pytest.raises(PictureError):
            rgb(decoder, b"not a picture")
        assert rgb(decoder, plain(COLOURS[2])).getpixel((3, 3)) == COLOURS[2]
        assert process_of(decoder) == first
    assert decoder._process is None


def test_a_process_that_was_killed_is_started_again() -> None:
    with Decoder(ENVIRON) as decoder:
        rgb(decoder, grid())
        assert decoder._process is not None
        decoder._process.kill()
        decoder._process.wait()
        assert rgb(decoder, grid()).size == (8, 8)


@posix
@pytest.mark.slow
def test_a_picture_that_takes_too_much_time_is_given_up_for_good(tmp_path: Path) -> None:
    with Decoder(with_own_pillow(tmp_path, "while True: pass")) as decoder:
        with pytest.raises(PictureError, match="takes too much time") as caught:
            rgb(decoder, grid())
        assert caught.value.lasts


@posix
def test_a_process_that_ends_for_another_reason_is_not_the_fault_of_the_picture(tmp_path: Path) -> None:
    with Decoder(with_own_pillow(tmp_path, "import os\nos.kill(os.getpid(), 9)")) as decoder:
        with pytest.raises(PictureError, match="too much time or memory") as caught:
            rgb(decoder, grid())
        assert not caught.value.lasts


def test_a_decoder_that_another_thread_uses_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    decoders = Decoders(ENVIRON)
    order = []

    def other() -> None:
        with decoders.one():
            order.append("other")

    with decoders.one():
        thread = threading.Thread(target=other)
        thread.start()
        order.append("first")
    thread.join()
    decoders.close()
    assert order == ["first", "other"]


# -- bombs ---------------------------------------------------------------------------------------------

LIMIT = 200 * 1024  # kB
COST = """
import os, resource, sys
from pathlib import Path
from mjcli.media.pixels import Decoder, PictureError
with Decoder(os.environ) as decoder:
    try:
        pixels = decoder.scaled(Path(sys.argv[1]), (800, 800), "png")
        print(pixels.width, "pixels wide")
    except PictureError as error:
        print(error)
    try:
        print(len(decoder.thumbnail(Path(sys.argv[1]), (1024, 512), 80)) > 100)
    except PictureError as error:
        print(error)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
PACKED = zlib.compress(b"x" * 100_000_000)


def turned() -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    return exif


BOMBS = {
    "size": (lambda: zeros(60_000, 60_000, b""), "has too many pixels"),
    "largest": (lambda: zeros(4472, 4472), "800 pixels wide"),
    "longest row": (lambda: zeros(4_000_000, 5), ""),
    "content": (lambda: zeros(16, 16, zlib.compress(bytes(400_000_000), 1)), "128 pixels wide"),
    "frames": (
        lambda: saved(
            PIL.Image.new("RGB", (64, 64)),
            "GIF",
            save_all=True,
            append_images=[PIL.Image.new("RGB", (64, 64), (n % 256, n // 256, 9)) for n in range(3000)],
        ),
        "512 pixels wide",
    ),
    "scans": (lambda: scans(500, 1024, noise=0), "has too many scans"),
    "alpha": (
        lambda: saved(PIL.Image.new("RGBA", (4472, 4472), "#1234"), compress_level=1),
        "800 pixels wide",
    ),
    "turned": (
        lambda: saved(PIL.Image.new("RGB", (4472, 4472)), compress_level=1, exif=turned()),
        "800 pixels wide",
    ),
    "progressive": (
        lambda: saved(PIL.Image.new("RGB", (4096, 4096)), "JPEG", progressive=True, subsampling=0),
        "800 pixels wide",
    ),
    "webp": (lambda: saved(PIL.Image.new("RGB", (3072, 3072)), "WEBP", method=0), "800 pixels wide"),
    "text": (lambda: zeros(16, 16, before=chunk(b"zTXt", b"a\0\0" + PACKED)), "is damaged"),
    "profile": (lambda: zeros(16, 16, before=chunk(b"iCCP", b"a\0\0" + PACKED)), ""),
}


@posix
@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_memory_and_ends_in_one_sentence(tmp_path: Path, name: str) -> None:
    """The decoder's processor time is limited by the system, and the rest by the size of the picture."""
    make, expected = BOMBS[name]
    bomb = tmp_path / "bomb"
    bomb.write_bytes(make())
    # In a process of its own, whose children have done nothing else.
    done = subprocess.run(
        [sys.executable, "-c", COST, str(bomb)], capture_output=True, text=True, check=True, env=ENVIRON
    )
    sentence, _thumbnail, memory = done.stdout.splitlines()
    assert expected in sentence
    assert int(memory) < LIMIT


# -- animations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_steps_and_the_final_picture_become_an_animation(decoder: Decoder, tmp_path: Path, kind: str) -> None:
    files = []
    for number, (colour, side) in enumerate(zip(COLOURS, (16, 32, 64, 128), strict=True)):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(plain(colour, side))
    data = decoder.animation(files, "webp" if kind == "webp" else "gif")
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == (kind.upper(), (128, 128))
        assert getattr(image, "n_frames", 1) == 4
        for number, colour in enumerate(COLOURS):
            image.seek(number)
            found = image.convert("RGB").getpixel((60, 60))
            assert isinstance(found, tuple)
            assert all(abs(a - b) < 12 for a, b in zip(found, colour, strict=True))


def test_one_picture_is_no_animation(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(plain(COLOURS[0]))
    with pytest.raises(PictureError, match="fewer than two steps"):
        decoder.animation([tmp_path / "a.png"], "gif")


@pytest.mark.slow
def test_a_photo_of_a_large_camera_is_shown(decoder: Decoder, tmp_path: Path) -> None:
    photo = PIL.Image.new("RGB", (9504, 6336), COLOURS[0])
    (tmp_path / "photo.jpg").write_bytes(saved(photo, "JPEG"))
    (tmp_path / "photo.png").write_bytes(saved(photo.resize((6000, 4000)), compress_level=1))
    for name in ("photo.jpg", "photo.png"):
        assert rgb(decoder, tmp_path / name, (96, 96)).size == (96, 64)


def test_the_limits_leave_room_for_the_largest_pictures_of_the_service() -> None:
    assert pixel_worker.MAX_PIXELS >= 4096 * 4096
