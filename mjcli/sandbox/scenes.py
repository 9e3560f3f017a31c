"""Small landscapes, each drawn from a seed at any size.

A scene is a function of the plane, sampled at points: a panel at half the size is every second pixel of it,
so that a thumbnail, a quadrant and its upscale show exactly the same thing. To be fast without a library, an
image is built column by column from slices of gradients and then transposed by striding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

# Sky at the top, in the middle, at the horizon; sun; farthest and nearest land.
_PALETTES = (
    ("2b1b4d", "8a3f78", "f7a072", "ffe3b0", "a8557c", "1d1233"),
    ("3a5a98", "9fb8d9", "fde2c4", "fff6e0", "8fa3c4", "22304f"),
    ("0b3c49", "2f7f86", "bfe3c8", "fdf6d0", "4f9a94", "06262e"),
    ("3d0c11", "a8321e", "f6a440", "fff0b5", "a43d24", "1f0709"),
    ("51355a", "b5607f", "f9c9c2", "fff1e6", "b8718d", "2b1a33"),
    ("050a24", "14245c", "5a6fae", "f2f0d8", "30427f", "040716"),
    ("2a6f6b", "86c9a9", "f5f3c6", "fffbe0", "69ac93", "123c39"),
    ("4f86ad", "b4d0d6", "f8e3b4", "fffbe6", "e0ac6c", "6b3f22"),
    ("26323f", "5e7385", "d3d9d4", "ffffff", "7a8d99", "10171f"),
    ("3b2f8f", "c05bb4", "ffb3a7", "fff4c9", "a868bd", "231a5e"),
    ("1f4f4a", "6fa37a", "ebe9b4", "fffde0", "5f9a72", "0b2621"),
    ("041a2f", "0f5c63", "7fe0a5", "eafff0", "1c6a70", "020d18"),
)

# The first index of each kind of colour among the 256 of a panel.
_SKY, _HALO, _SUN, _LAND, _SPARK = 0, 96, 160, 176, 248
_SKY_SHADES, _HALO_SHADES, _SUN_SHADES, _LAND_SHADES, _LANDS = 96, 32, 16, 12, 6

Colour = tuple[int, int, int]
Ridge = Callable[[float], float]


@dataclass(frozen=True)
class Panel:
    """One of the four images of a grid, or a single image."""

    key: str
    """Seeds the shapes."""
    palette: int
    """Index of the palette, modulo their number."""
    scene: int
    """Index of the landscape, modulo their number."""
    drift_key: str = ""
    drift: float = 0.0
    """How far `drift_key` moves the shapes, 0-1; it distinguishes the variations of an image."""
    view: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Left, top, width and height of the visible part of the plane; originally the unit square."""


class _Dice:
    """Random numbers from the key of the panel, shifted a little by its drift."""

    def __init__(self, panel: Panel) -> None:
        self._base, self._moved, self._drift = Random(panel.key), Random(panel.drift_key), panel.drift

    def __call__(self, low: float, high: float) -> float:
        at = self._base.random() + self._drift * (self._moved.random() - 0.5)
        return low + (high - low) * min(max(at, 0.0), 1.0)


class _Canvas:
    """The layers of a scene: sky, discs, lands from far to near, sparkles."""

    def __init__(self, panel: Panel, width: int, height: int, aspect: float) -> None:
        left, top, across, down = panel.view
        self.width, self.height, self.top, self.down = width, height, top, down
        # A wide image shows more at the sides; in a tall one, discs are flatter on the plane.
        wide, self.flat = max(aspect, 1.0), min(aspect, 1.0)
        self.left, self.across = 0.5 + (left - 0.5) * wide, across * wide
        self.us = [self.left + self.across * x / width for x in range(width)]
        self.vs = [top + down * y / height for y in range(height)]
        self.sky = self.column(_SKY, _SKY_SHADES, 0.0, 0.62)
        self.halo = self.column(_HALO, _HALO_SHADES, 0.0, 0.62)
        self.discs: dict[int, list[tuple[int, int, bytes]]] = {}
        self.lands: list[tuple[list[int], list[bytes]]] = []
        self.sparkle: Callable[[float], list[tuple[float, float]]] | None = None

    def column(self, first: int, shades: int, low: float, high: float) -> bytes:
        """A column of `shades` colour indices from `first` on, spread between two heights."""
        span = max(high - low, 1e-6)
        return bytes(first + min(max(int((v - low) / span * shades), 0), shades - 1) for v in self.vs)

    def col(self, u: float) -> int:
        """The first column of pixels at `u` or to the right of it."""
        return min(max(math.ceil((u - self.left) / self.across * self.width - 1e-9), 0), self.width)

    def row(self, v: float) -> int:
        """The first row of pixels at height `v` or below."""
        return min(max(math.ceil((v - self.top) / self.down * self.height - 1e-9), 0), self.height)

    def disc(self, u: float, v: float, radius: float, fill: bytes) -> None:
        """Add a disc that shows the column `fill`."""
        for x in range(self.col(u - radius), self.col(u + radius)):
            half = math.sqrt(max(radius * radius - (self.us[x] - u) ** 2, 0.0)) * self.flat
            start, end = self.row(v - half), self.row(v + half)
            if start < end:
                self.discs.setdefault(x, []).append((start, end, fill))

    def sun(self, u: float, v: float, radius: float) -> None:
        """Add a sun with a halo."""
        self.disc(u, v, radius * 1.75, self.halo)
        high = radius * self.flat
        self.disc(u, v, radius, self.column(_SUN, _SUN_SHADES, v - high, v + high))

    def stars(self, dice: _Dice, count: int) -> None:
        """Add stars in random places."""
        for _ in range(count):
            self.disc(dice(-0.5, 1.5), dice(-0.4, 0.5), dice(0.0011, 0.0032), bytes([_SPARK]) * self.height)

    def land(self, slot: int, ridge: Ridge, low: float, high: float) -> None:
        """Add land below `ridge`, in the colours of `slot` (0 far to 5 near) between two heights."""
        fill = self.column(_LAND + slot * _LAND_SHADES, _LAND_SHADES, low, high)
        self.lands.append(([self.row(ridge(u)) for u in self.us], [fill] * self.width))

    def finish(self) -> list[bytes]:
        """The finished image as rows of colour indices."""
        height, columns = self.height, []
        lands = self.lands[::-1]
        for x in range(self.width):
            bottom, parts = height, []
            for tops, fills in lands:
                top = tops[x]
                if top < bottom:
                    parts.append(fills[x][top:bottom])
                    bottom = top
            sky = self.sky[:bottom]
            for start, end, fill in self.discs.get(x, ()):
                if start < bottom:
                    sky = sky[:start] + fill[start : min(end, bottom)] + sky[end:]
            parts.append(sky)
            columns.append(b"".join(reversed(parts)))
        whole = b"".join(columns)
        rows = [whole[y::height] for y in range(height)]
        return self._sparkled(rows) if self.sparkle else rows

    def _sparkled(self, rows: list[bytes]) -> list[bytes]:
        assert self.sparkle is not None
        for y, v in enumerate(self.vs):
            for begin, end in self.sparkle(v):
                first, last = self.col(begin), self.col(end)
                if first < last:
                    # Only water sparkles, not the land in front of it.
                    piece = rows[y][first:last].translate(_GLITTER)
                    rows[y] = rows[y][:first] + piece + rows[y][last:]
        return rows


_WATER = _LAND + 3 * _LAND_SHADES
_GLITTER = bytes(_SPARK + 1 if _WATER <= i < _WATER + _LAND_SHADES else i for i in range(256))


def _waves(dice: _Dice, octaves: int, first: float, *, sharp: bool = False) -> Ridge:
    """A sum of waves between about -1 and 1; `sharp` ones have crests like mountains."""
    terms = []
    for octave in range(octaves):
        strength = 0.55**octave
        terms.append((strength, first * 2.1**octave * dice(0.8, 1.2) * math.tau, dice(0.0, math.tau)))
    total = sum(strength for strength, _, _ in terms)
    if sharp:
        return lambda u: sum(s * (1 - 2 * abs(math.sin(u * f / 2 + p))) for s, f, p in terms) / total
    return lambda u: sum(s * math.sin(u * f + p) for s, f, p in terms) / total


def _mountains(canvas: _Canvas, dice: _Dice) -> None:
    canvas.sun(dice(0.22, 0.78), dice(0.2, 0.36), dice(0.07, 0.11))
    for slot in range(_LANDS):
        height, swing = 0.46 + 0.088 * slot, 0.15 - 0.016 * slot
        wave = _waves(dice, 7, 1.1 + 0.3 * slot, sharp=True)
        canvas.land(slot, lambda u, h=height, s=swing, w=wave: h - s * w(u), height - swing, height + 0.17)  # type: ignore[misc]


def _dunes(canvas: _Canvas, dice: _Dice) -> None:
    canvas.sun(dice(0.25, 0.75), dice(0.16, 0.3), dice(0.09, 0.13))
    for pair in range(3):
        height, swing = 0.5 + 0.15 * pair, 0.09 + 0.015 * pair
        wave, tilt = _waves(dice, 2, 0.7 + 0.15 * pair), dice(-0.1, 0.1)
        fold, lean = _waves(dice, 2, 0.9), dice(0.12, 0.3)

        def crest(u: float, h: float = height, s: float = swing, w: Ridge = wave, t: float = tilt) -> float:
            return h - s * w(u) + t * (u - 0.5)

        # The shaded side reaches from the crest down to a curve below it.
        def foot(u: float, c: Ridge = crest, f: Ridge = fold, lean: float = lean) -> float:
            return c(u) + max(0.0, f(u)) * lean

        canvas.land(2 * pair + 1, crest, height - swing, height + 0.3)
        canvas.land(2 * pair, foot, height - swing, height + 0.3)


def _forest(canvas: _Canvas, dice: _Dice) -> None:
    canvas.sun(dice(0.25, 0.75), dice(0.2, 0.32), dice(0.08, 0.12))
    for slot in range(_LANDS):
        height, wave = 0.5 + 0.1 * slot, _waves(dice, 3, 0.8 + 0.2 * slot)
        pitch, tall, salt = 30.0 - 3.4 * slot, 0.035 + 0.026 * slot, int(dice(1, 9999))

        def ridge(
            u: float, h: float = height, w: Ridge = wave, p: float = pitch, t: float = tall, s: int = salt
        ) -> float:
            best = 0.0
            for tree in (math.floor(u * p), math.floor(u * p) - 1, math.floor(u * p) + 1):
                mixed = ((tree * 73856093) ^ (s * 19349663)) & 0xFFFF
                mixed = (mixed * 40503 + 12345) & 0xFFFF
                aside = abs(u * p - tree - 0.2 - 0.6 * (mixed % 97) / 97) / (0.46 + 0.2 * (mixed % 13) / 13)
                size = t * (0.5 + 0.5 * (mixed % 31) / 31)
                if aside < 1:  # branches: six steps, each cut back towards the trunk
                    best = max(best, size * (1 - aside - 0.09 * ((aside * 6) % 1)))
            return h - 0.05 * w(u) - best

        canvas.land(slot, ridge, height - tall, height + 0.13)


def _sea(canvas: _Canvas, dice: _Dice) -> None:
    horizon, u, radius = 0.56, dice(0.3, 0.7), dice(0.1, 0.14)
    canvas.sun(u, horizon - dice(0.0, 0.1), radius)
    for slot in (1, 2):
        island, side = _waves(dice, 6, 1.3, sharp=True), dice(0.0, 1.0)
        reach = dice(0.25, 0.4)

        def coast(x: float, i: Ridge = island, at: float = side, r: float = reach, slot: int = slot) -> float:
            near = max(0.0, 1 - ((x - at) / r) ** 2)
            return horizon + 0.01 - near * (0.05 + 0.03 * slot) * (1.1 + 0.5 * i(x))

        canvas.land(slot, coast, horizon - 0.16, horizon + 0.02)
    canvas.land(3, lambda x: horizon, horizon, 0.98)
    head, turn = _waves(dice, 6, 1.7, sharp=True), 1 if dice(0, 1) < 0.5 else -1
    canvas.land(5, lambda x: 0.95 - 0.09 * head(x) - 0.34 * turn * (x - 0.5), 0.6, 1.1)
    bands = Random(repr(radius))
    strokes = [
        (bands.uniform(0.25, 1.0), bands.uniform(-0.05, 0.05), bands.random() < 0.72) for _ in range(256)
    ]

    def sparkle(v: float) -> list[tuple[float, float]]:
        if not horizon + 0.004 < v:
            return []
        deep = v - horizon
        width, aside, lit = strokes[int(v * 170) & 255]
        far = strokes[int(v * 170) + 91 & 255]
        half = radius * (0.85 * width + deep * 0.5)
        out = [(u + aside * deep * 4 - half, u + aside * deep * 4 + half)] if lit else []
        start = u + (far[1] * 14)
        return out + ([(start, start + 0.05 * far[0])] if far[2] and int(v * 170) % 3 == 0 else [])

    canvas.sparkle = sparkle


def _city(canvas: _Canvas, dice: _Dice) -> None:
    canvas.stars(dice, 46)
    canvas.sun(dice(0.2, 0.8), dice(0.16, 0.3), dice(0.06, 0.1))
    for depth, slot in enumerate((1, 3, 5)):
        floor, tall = 0.6 + 0.13 * depth, 0.34 - 0.02 * depth
        pitch, salt = 15.0 - 3.0 * depth, int(dice(1, 9999))
        fill = canvas.column(_LAND + slot * _LAND_SHADES, _LAND_SHADES, floor - tall, floor + 0.25)
        tops, fills, made = [], [], dict[tuple[int, int], bytes]()
        houses: dict[int, tuple[float, float, float, bool]] = {}
        for u in canvas.us:
            block, inside = math.floor(u * pitch), (u * pitch) % 1
            if block not in houses:
                houses[block] = _house(Random(block * 10007 + salt), tall)
            height, gap, step, mast = houses[block]
            from_middle = abs(inside - 0.5)
            if mast and from_middle < 0.02:
                height += 0.07
            elif from_middle > 0.5 - gap:
                height = -0.1
            elif from_middle > step:
                height *= 0.86
            tops.append(canvas.row(floor - height))
            pane = int(inside * 9)
            lit = depth > 0 and 0.3 < inside * 9 - pane < 0.78 and not (mast and from_middle < 0.02)
            at = (block, pane if lit else -1)
            if at not in made:
                made[at] = _windows(canvas, fill, f"{block} {pane} {salt}", pitch, floor) if lit else fill
            fills.append(made[at])
        canvas.lands.append((tops, fills))


def _house(chance: Random, tall: float) -> tuple[float, float, float, bool]:
    """Height, gap to the neighbours, half width of the upper floors (in plots), and whether it has a mast."""
    height = tall * chance.uniform(0.12, 1.0) * (1 if chance.random() < 0.75 else 1.25)
    return height, chance.uniform(0, 0.12), chance.uniform(0.2, 0.4), chance.random() < 0.3


def _windows(canvas: _Canvas, fill: bytes, key: str, pitch: float, floor: float) -> bytes:
    """`fill` with a column of windows, some of them lit."""
    lamps = Random(key)
    lights = [lamps.random() < 0.42 for _ in range(128)]
    column, rate, glow = bytearray(fill), pitch * 6.5, _SPARK + 1 + (lamps.random() < 0.5)
    for y, v in enumerate(canvas.vs):
        at = (v - floor + 0.5) * rate
        if 0.3 < at % 1 < 0.8 and lights[int(at) & 127]:
            column[y] = glow
    return bytes(column)


def _planet(canvas: _Canvas, dice: _Dice) -> None:
    canvas.stars(dice, 90)
    u, v, radius = dice(0.3, 0.7), dice(0.3, 0.42), dice(0.19, 0.26)
    canvas.disc(u, v, radius * 1.12, canvas.halo)
    bands, high = _waves(dice, 4, 1.6), radius * canvas.flat
    fill = bytes(
        _SUN + min(max(int(_SUN_SHADES * (0.5 + 0.62 * bands((y - v) / high))), 0), _SUN_SHADES - 1)
        for y in canvas.vs
    )
    canvas.disc(u, v, radius, fill)
    moon = canvas.column(_SUN, _SUN_SHADES, v - radius, v)
    canvas.disc(u + radius * 1.5, v - radius * 0.7, radius * 0.2, moon)
    for slot in (1, 3, 5):
        height, wave = 0.62 + 0.065 * slot, _waves(dice, 6, 0.9 + 0.35 * slot, sharp=slot < 5)
        canvas.land(slot, lambda x, h=height, w=wave: h - 0.07 * w(x), height - 0.07, height + 0.2)  # type: ignore[misc]


_SCENES = (_mountains, _sea, _dunes, _city, _forest, _planet)

SCENES, PALETTES = len(_SCENES), len(_PALETTES)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    a, b, c = (round(x + (y - x) * share) for x, y in zip(one, other, strict=True))
    return a, b, c


def _colours(palette: int) -> list[Colour]:
    high, middle, low, sun, far, near = (
        (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in _PALETTES[palette % PALETTES]
    )

    def sky(at: float) -> Colour:
        return _mix(high, middle, at * 2) if at < 0.5 else _mix(middle, low, at * 2 - 1)

    colours = [sky(i / (_SKY_SHADES - 1)) for i in range(_SKY_SHADES)]
    colours += [_mix(sky(i / (_HALO_SHADES - 1)), sun, 0.22) for i in range(_HALO_SHADES)]
    colours += [colours[-1]] * (_SUN - len(colours))
    colours += [_mix(sun, low, 0.75 * i / (_SUN_SHADES - 1)) for i in range(_SUN_SHADES)]
    for slot in range(_LANDS):
        base = _mix(far, near, slot / (_LANDS - 1))
        mist = _mix(base, low, 0.42 - 0.06 * slot)
        colours += [_mix(base, mist, i / (_LAND_SHADES - 1)) for i in range(_LAND_SHADES)]
    lamp = _mix(sun, (255, 214, 130), 0.45)
    colours += [sun, lamp, _mix(lamp, low, 0.4)]
    return colours + [sun] * (256 - len(colours))


def paint(panel: Panel, width: int, height: int, aspect: float) -> tuple[list[bytes], list[bytes]]:
    """The panel in `width` by `height` pixels; `aspect` is the width of the whole panel divided by its height.

    Returns `height` rows of colour indices, and three tables that map an index to red, green and blue.
    """
    canvas = _Canvas(panel, width, height, aspect)
    _SCENES[panel.scene % SCENES](canvas, _Dice(panel))
    tables = [bytes(channel) for channel in zip(*_colours(panel.palette), strict=True)]
    return canvas.finish(), tables
