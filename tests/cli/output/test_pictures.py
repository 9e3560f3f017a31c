"""What terminals get to show pictures, read back by decoders."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest

from mjcli.cli.output.pictures import blocks, iterm, kitty, sixel
from mjcli.cli.output.pictures.drawing import Room, draw
from mjcli.cli.output.pictures.support import Support, wrapped
from mjcli.media.pixels import Decoder, PillowMissing
from tests.support.pictures import COLOURS, grid, saved

PNG = grid(200)
ENVIRON = dict(os.environ)


def commands(text: str) -> list[tuple[dict[str, str], bytes]]:
    """The commands of Kitty's protocol in a text: keys and content."""
    found = re.findall(r"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\", text)
    return [(dict(key.split("=") for key in keys.split(",")), data.encode()) for keys, data in found]


def test_kitty_gets_the_file_in_pieces_and_no_reason_to_answer() -> None:
    data = os.urandom(10_000)
    sent = commands(kitty.show(data, 40, 20, 7))
    first = sent[0][0]
    assert {first[key] for key in "acrifCq"} == {"T", "40", "20", "7", "100", "1", "2"}
    assert [keys["m"] for keys, _ in sent] == ["1"] * (len(sent) - 1) + ["0"]
    assert all(keys["q"] == "2" for keys, _ in sent)
    assert all(len(piece) <= 4096 and len(piece) % 4 == 0 for _, piece in sent)
    assert base64.b64decode(b"".join(piece for _, piece in sent)) == data
    assert commands(kitty.erase(7)) == [({"a": "d", "d": "I", "i": "7", "q": "2"}, b"")]


def test_placeholders_are_rows_of_text_with_the_number_as_colour() -> None:
    rows = kitty.placeholders(5, 3, 0x010203)
    assert [row.count("\U0010eeee") for row in rows] == [5, 5, 5]
    assert all(row.startswith("\x1b[38;2;1;2;3m") for row in rows)
    marks = [row[row.index("\U0010eeee") + 1] for row in rows]
    assert marks == ["\u0305", "\u030d", "\u030e"]
    assert len(set(kitty.placeholders(1, kitty.MAX_ROWS, 1))) == kitty.MAX_ROWS


def test_tmux_passes_on_each_sequence_with_its_escapes_doubled() -> None:
    text = wrapped(kitty.load(PNG, 4, 2, 9))
    inner = re.findall(r"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", text)
    assert "".join(inner).replace("\x1b\x1b", "\x1b") == kitty.load(PNG, 4, 2, 9)


def test_iterm_gets_the_file_as_it_is() -> None:
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):(.*)\a", iterm.show(PNG, 40, 20))
    assert found
    assert dict(key.split("=") for key in found[1].split(";")) == {
        **{"inline": "1", "size": str(len(PNG)), "width": "40", "height": "20"},
        **{"preserveAspectRatio": "0", "doNotMoveCursor": "1"},
    }
    assert base64.b64decode(found[2]) == PNG


# -- Sixel ---------------------------------------------------------------------------------------------

DECODERS = {"libsixel": ["sixel2png"], "ImageMagick": ["convert", "sixel:-", "png:-"]}


@pytest.mark.parametrize(
    "decoder",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                shutil.which(words[0]) is None,
                reason=f"needs {words[0]}",
            ),
        )
        for name, words in DECODERS.items()
    ],
)
@pytest.mark.parametrize("size", [(40, 40), (41, 37), (1, 7), (130, 5)])
def test_a_sixel_picture_is_read_by_other_programs(decoder: str, size: tuple[int, int]) -> None:
    image = PIL.Image.new("P", size)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 51, 102, 255])
    image.putdata([(x // 3 + y) % 4 for y in range(size[1]) for x in range(size[0])])
    palette = bytes(image.getpalette() or ())[:12]
    text = sixel.show(*size, palette, image.tobytes())
    done = subprocess.run(DECODERS[decoder], input=text.encode(), capture_output=True, check=True)
    with PIL.Image.open(io.BytesIO(done.stdout)) as read:
        assert read.convert("RGB").crop((0, 0, *size)).tobytes() == image.convert("RGB").tobytes()


# -- half blocks ---------------------------------------------------------------------------------------


def test_a_cell_has_the_upper_pixel_as_foreground_and_the_lower_as_background() -> None:
    pixels = bytes([1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert blocks.rows(2, 2, pixels, true_colour=True) == [
        "\x1b[38;2;1;2;3;48;2;4;5;6m▀\x1b[48;2;7;8;9m▀\x1b[0m"
    ]


def test_below_an_odd_row_is_the_background_of_the_terminal() -> None:
    assert blocks.rows(1, 1, bytes(3), true_colour=True) == ["\x1b[38;2;0;0;0;49m▀\x1b[0m"]


@pytest.mark.parametrize(
    ("pixel", "number"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 231),
        ((255, 0, 0), 196),
        ((95, 135, 175), 67),
        ((128, 128, 128), 244),
    ],
)
def test_256_colours_are_the_nearest_of_the_cube_and_the_greys(
    pixel: tuple[int, int, int], number: int
) -> None:
    (row,) = blocks.rows(1, 1, bytes(pixel), true_colour=False)
    assert row == f"\x1b[38;5;{number};49m▀\x1b[0m"


# -- drawing -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(ENVIRON) as started:
        yield started


@pytest.mark.parametrize("method", ["kitty", "iterm", "sixel", "blocks"])
@pytest.mark.parametrize(
    ("size", "cells"), [((200, 200), (40, 20)), ((400, 100), (60, 8)), ((100, 400), (10, 20))]
)
def test_a_picture_takes_the_cells_of_its_proportions(
    decoder: Decoder, method: str, size: tuple[int, int], cells: tuple[int, int]
) -> None:
    picture = saved(PIL.Image.new("RGB", size, COLOURS[0]))
    drawn = draw(picture, Room(60, 20), Support(method), decoder)  # type: ignore[arg-type]
    assert abs(drawn.columns - cells[0]) <= 1
    assert abs(drawn.rows - cells[1]) <= 1


@pytest.mark.parametrize("method", ["kitty", "placeholders", "iterm", "sixel", "blocks"])
def test_nothing_but_its_protocol_reaches_the_terminal(decoder: Decoder, method: str) -> None:
    drawn = draw(PNG, Room(30, 10), Support(method), decoder)  # type: ignore[arg-type]
    rest = re.sub(r"\x1b(?:_G|\]1337;|P)[\x20-\x7e]*(?:\x1b\\|\a)", "", drawn.text)
    rest = re.sub(r"\x1b\[[0-9;]*[mBD]", "", rest)
    assert set(rest) <= {"▀", "\U0010eeee", *kitty._ROWS}


def without_pillow(directory: Path) -> dict[str, str]:
    (directory / "PIL").mkdir()
    (directory / "PIL" / "__init__.py").write_text("raise ImportError('there is no PIL')\n")
    return {**ENVIRON, "PYTHONPATH": str(directory)}


def test_without_pillow_png_files_are_shown_by_terminals_that_read_them(tmp_path: Path) -> None:
    with Decoder(without_pillow(tmp_path)) as decoder:
        drawn = draw(PNG, Room(60, 20), Support("kitty"), decoder)
        assert base64.b64decode(b"".join(data for _, data in commands(drawn.text))) == PNG
        assert (drawn.columns, drawn.rows) == (40, 20)
        assert base64.b64encode(PNG).decode() in draw(PNG, Room(60, 20), Support("iterm"), decoder).text
        for picture, method in ((grid(kind="WEBP"), "kitty"), (PNG, "sixel"), (PNG, "blocks")):
            with pytest.raises(PillowMissing):
                draw(picture, Room(60, 20), Support(method), decoder)  # type: ignore[arg-type]
        with pytest.raises(PillowMissing):
            draw(PNG, Room(60, 20), Support("kitty"), decoder, quadrant=2)
