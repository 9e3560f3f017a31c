"""Text on contact sheets, in any script for which this machine has a font."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# Fonts with scripts that Pillow's own font does not have, where systems install them; the first that exist are used.
_PLACES = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/segoeui.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
)
_MISSING = "\U0010ffff"  # in no font, so that its glyph is the one for missing characters
_BLANK = "\N{WHITE SQUARE}"


class Lettering:
    """Draws text in one size; a character comes from the first font that has it."""

    def __init__(self, size: int) -> None:
        from PIL import ImageFont

        own = ImageFont.load_default(size)
        found = [each for each in (_font(path, size) for path in _PLACES) if each is not None]
        self._fonts: list[FreeTypeFont] = [
            *([own] if isinstance(own, ImageFont.FreeTypeFont) else []),
            *found,
        ]
        self._missing = [bytes(each.getmask(_MISSING)) for each in self._fonts]
        self._font_of = lru_cache(maxsize=4096)(self._find)
        self.size = size

    def width(self, text: str) -> float:
        """Pixels that the text takes."""
        return sum(font.getlength(part) for part, font in self._runs(text))

    def draw(self, draw: ImageDraw, at: tuple[float, float], text: str, colour: str) -> None:
        """Draw one line with its baseline at `at`."""
        left, base = at
        for part, font in self._runs(text):
            draw.text((left, base), part, font=font, fill=colour, anchor="ls")
            left += font.getlength(part)

    def lines(self, text: str, width: float, most: int) -> list[str]:
        """The text in at most so many lines, broken at spaces if possible; the last one may end in an ellipsis."""
        lines: list[str] = []
        rest = " ".join(text.split())[:500]
        while rest and len(lines) < most:
            line = self._fitting(rest, width)
            rest = rest[len(line) :].lstrip()
            lines.append(line.rstrip())
        if rest and lines:
            while lines[-1] and self.width(f"{lines[-1]}…") > width:
                lines[-1] = lines[-1][:-1]
            lines[-1] += "…"
        return lines

    def _fitting(self, text: str, width: float) -> str:
        end = 1
        while end < len(text) and self.width(text[: end + 1]) <= width:
            end += 1
        if end == len(text):
            return text
        space = text.rfind(" ", 0, end + 1)
        return text[:space] if space > 0 else text[:end]

    def _runs(self, text: str) -> list[tuple[str, FreeTypeFont]]:
        """The text in parts with one font each."""
        runs: list[tuple[str, FreeTypeFont]] = []
        for character in text:
            shown, font = self._font_of(character)
            if runs and runs[-1][1] is font:
                runs[-1] = (runs[-1][0] + shown, font)
            else:
                runs.append((shown, font))
        return runs

    def _find(self, character: str) -> tuple[str, FreeTypeFont]:
        """A font that has the character, else a sign for it."""
        if not character.isprintable():
            character = _BLANK
        for font, missing in zip(self._fonts, self._missing, strict=True):
            if character == " " or bytes(font.getmask(character)) != missing:
                return character, font
        return "?", self._fonts[0]


def _font(path: str, size: int) -> FreeTypeFont | None:
    from PIL import ImageFont

    if not Path(path).is_file():
        return None
    try:
        return ImageFont.truetype(path, size)
    except (OSError, ValueError):
        return None
