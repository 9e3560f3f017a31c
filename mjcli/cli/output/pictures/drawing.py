"""A picture as what a terminal needs to draw it in so many cells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, TextIO

from mjcli.cli.output.pictures import blocks, iterm, kitty, sixel
from mjcli.cli.output.pictures.support import Support, wrapped
from mjcli.media.formats import HEAD, extension_of, size_of
from mjcli.media.pixels import Decoder, PictureError, PillowMissing

_CELL = 10, 20  # pixels of a cell where the terminal does not say; those of a VT340, and of Windows Terminal
_MOST = 1600  # pixels of a side that a terminal gets
_MOST_UNSCALED = 8 * 1024 * 1024  # bytes of a PNG file that a terminal scales itself
MARGIN = 2  # columns left free
MIN_COLUMNS, MIN_ROWS = 8, 4


class Room(NamedTuple):
    """Cells that a picture may take, and the pixels of a cell."""

    columns: int
    rows: int
    cell: tuple[int, int] = _CELL

    @property
    def is_enough(self) -> bool:
        """Whether a picture can be recognised in it."""
        return self.columns >= MIN_COLUMNS and self.rows >= MIN_ROWS

    def cells_of(self, width: int, height: int) -> tuple[int, int]:
        """The columns and rows of the largest picture with these proportions."""
        across, down = self.columns * self.cell[0] / width, self.rows * self.cell[1] / height
        scale = min(across, down)
        columns, rows = (round(width * scale / self.cell[0]), round(height * scale / self.cell[1]))
        return min(max(columns, 1), self.columns), min(max(rows, 1), self.rows)


class Drawn(NamedTuple):
    """A picture for a terminal.

    `text` draws it from the cursor on, in cells that are free, and leaves the cursor anywhere. `erase` removes it
    where erasing its cells is not enough.
    """

    columns: int
    rows: int
    text: str
    erase: str = ""

    @property
    def placed(self) -> str:
        """What draws it in new lines at the cursor, which is then at the beginning of its last line."""
        up = f"\x1b[{self.rows}A"
        down = f"\x1b[{self.rows - 1}B" if self.rows > 1 else ""
        # A line below is kept free, where some terminals put the cursor after a picture.
        return f"\r{self.rows * chr(10)}{up}\x1b7\x1b[?7l{self.text}\x1b[?7h\x1b8{down}"


def room_for(columns: int, lines: int, stream: TextIO, *, reserved: int) -> Room:
    """The room for a picture on a terminal of this size, of which some lines are reserved."""
    return Room(columns - MARGIN, min(lines - reserved, max(20, lines // 2), kitty.MAX_ROWS), _cell(stream))


def _cell(stream: TextIO) -> tuple[int, int]:
    """The pixels of a cell."""
    try:
        import fcntl
        import struct
        import termios

        answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("HHHH", answer)
    except (ImportError, OSError, ValueError):
        return _CELL
    cell = (width // columns, height // rows) if rows and columns else (0, 0)
    return cell if min(cell) >= 2 else _CELL


def draw(
    picture: bytes | Path,
    room: Room,
    how: Support,
    decoder: Decoder,
    *,
    quadrant: int | None = None,
) -> Drawn:
    """A picture as large as the room. Raises `PictureError`."""
    if how.method in ("kitty", "placeholders", "iterm"):
        return _as_file(picture, room, how, decoder, quadrant)
    if how.method == "sixel":
        box = _box(room)
        colours = max(how.colours, 2)
        pixels = decoder.scaled(picture, box, "palette", quadrant=quadrant, colours=colours)
        columns, rows = -(-pixels.width // room.cell[0]), -(-pixels.height // room.cell[1])
        return Drawn(columns, rows, sixel.show(pixels.width, pixels.height, pixels.palette, pixels.data))
    pixels = decoder.scaled(picture, (room.columns, 2 * room.rows), "rgb", quadrant=quadrant)
    lines = blocks.rows(pixels.width, pixels.height, pixels.data, true_colour=how.true_colour)
    return Drawn(pixels.width, len(lines), _below_each_other(lines, pixels.width))


def _below_each_other(rows: list[str], columns: int) -> str:
    """Rows of text, each below the other wherever the first one begins."""
    return f"\x1b[B\x1b[{columns}D".join(rows)


def _box(room: Room) -> tuple[int, int]:
    """The pixels of the room; Sixel sends six rows at a time, and the last six must not reach beyond it."""
    width, height = room.columns * room.cell[0], room.rows * room.cell[1]
    return min(width, _MOST), max(min(height, _MOST) // 6 * 6, 6)


def _as_file(
    picture: bytes | Path, room: Room, how: Support, decoder: Decoder, quadrant: int | None
) -> Drawn:
    """A picture for a terminal that scales PNG files itself. Raises `PictureError`."""
    box = min(room.columns * room.cell[0], _MOST), min(room.rows * room.cell[1], _MOST)
    try:
        pixels = decoder.scaled(picture, box, "png", quadrant=quadrant)
        png, size = pixels.data, (pixels.width, pixels.height)
    except PillowMissing:
        png, size = _unscaled(picture, quadrant)
    columns, rows = room.cells_of(*size)
    if how.method == "iterm":
        text = iterm.show(png, columns, rows)
        return Drawn(columns, rows, wrapped(text) if how.through_tmux else text)
    number = int.from_bytes(os.urandom(3), "big") or 1
    if how.method == "kitty":
        return Drawn(columns, rows, kitty.show(png, columns, rows, number), kitty.erase(number))
    cells = _below_each_other(kitty.placeholders(columns, rows, number), columns)
    load, erase = kitty.load(png, columns, rows, number), kitty.erase(number)
    if how.through_tmux:
        load, erase = wrapped(load), wrapped(erase)
    return Drawn(columns, rows, load + cells, erase)


def _unscaled(picture: bytes | Path, quadrant: int | None) -> tuple[bytes, tuple[int, int]]:
    """A PNG file as it is, and its size. Raises `PictureError`, `PillowMissing` for anything else."""
    try:
        data = picture if isinstance(picture, bytes) else _start(picture)
    except OSError as error:
        raise PictureError("cannot be read") from error
    size = size_of(data[:HEAD])
    if extension_of(data[:HEAD]) != "png" or size is None or quadrant or len(data) > _MOST_UNSCALED:
        raise PillowMissing
    return data, size


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_UNSCALED + 1)
