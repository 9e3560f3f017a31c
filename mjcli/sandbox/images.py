"""Images as data: the scenes on them, and how each action changes them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import scenes
from .scenes import Panel

_AREA = 512 * 512  # pixels of a grid's panel
_MAX_ASPECT = 6.0
_MAX_SCALE = 8


@dataclass(frozen=True)
class Image:
    """The content of an image: four panels for a grid, one for a single image."""

    base: tuple[int, int]
    """Width and height in pixels of one panel of the original grid."""
    scale: int
    """Factor between the size of a panel and `base`."""
    panels: tuple[Panel, ...]
    label: str
    """Text written on each panel."""

    @property
    def is_grid(self) -> bool:
        """Whether it has four panels."""
        return len(self.panels) == 4

    @property
    def raw_size(self) -> tuple[int, int]:
        """Width and height of the full image in pixels."""
        factor = self.scale * (2 if self.is_grid else 1)
        return self.base[0] * factor, self.base[1] * factor

    @property
    def thumbnail_size(self) -> tuple[int, int]:
        """Width and height of the small image in pixels."""
        return self.base

    @property
    def unfinished_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Full and small size in pixels while the job runs."""
        return self.base, (self.base[0] // 2, self.base[1] // 2)

    def dump(self) -> dict[str, Any]:
        """The image as JSON values, for `load`."""
        return asdict(self)

    @classmethod
    def load(cls, values: dict[str, Any]) -> Image:
        """The image that `dump` turned into JSON values."""
        panels = tuple(Panel(**{**panel, "view": tuple(panel["view"])}) for panel in values["panels"])
        width, height = values["base"]
        return cls((width, height), values["scale"], panels, values["label"])


def base_size(aspect: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a grid's panel: about 512 by 512 pixels in the aspect ratio, divisible by 8."""
    ratio = min(max(aspect[0] / aspect[1], 1 / _MAX_ASPECT), _MAX_ASPECT) if aspect else 1.0
    width = math.sqrt(_AREA * ratio)
    return max(round(width / 8) * 8, 8), max(round(width / ratio / 8) * 8, 8)


def _digest(*parts: object) -> str:
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def new_grid(text: str, seed: int, aspect: tuple[int, int] | None) -> Image:
    """A grid for a prompt; the same text and seed give the same grid."""
    start = int(_digest(text, seed), 16)
    # Neighbours in both lists differ most, so each quadrant has its own index.
    panels = tuple(
        Panel(
            key=_digest(text, seed, quadrant)[:24],
            palette=(start + quadrant * 5) % scenes.PALETTES,
            scene=(start // 97 + quadrant) % scenes.SCENES,
        )
        for quadrant in range(4)
    )
    return Image(base_size(aspect), 1, panels, text)


def upscaled(image: Image, quadrant: int) -> Image:
    """Quadrant 1-4 of a grid as a single image, twice as large."""
    return replace(image, scale=2, panels=(image.panels[quadrant - 1],))


def enlarged(image: Image, factor: int) -> Image:
    """A single image with sides `factor` times as long, up to 8 times those of a grid's panel."""
    return replace(image, scale=min(image.scale * factor, _MAX_SCALE))


def varied(image: Image, quadrant: int, seed: int, strength: float, label: str | None = None) -> Image:
    """A grid of four variations of one panel; from `strength` 1 on, with new shapes in the same colours."""
    panel = image.panels[quadrant - 1]
    label = label if label is not None else image.label
    panels = []
    for new in range(4):
        drift_key = _digest(panel.key, panel.drift_key, seed, new, label)[:24]
        if strength >= 1:
            panels.append(replace(panel, key=drift_key, drift_key="", drift=0.0))
        else:
            panels.append(replace(panel, drift_key=drift_key, drift=strength))
    return Image(image.base, 1, tuple(panels), label)


def reframed(image: Image, seed: int, *, zoom: float = 1.0, right: float = 0.0, down: float = 0.0) -> Image:
    """A grid of the single image zoomed out by `zoom`, or moved by a share of its size."""
    left, top, across, tall = image.panels[0].view
    view = (
        left + across * (right + (1 - zoom) / 2),
        top + tall * (down + (1 - zoom) / 2),
        min(across * zoom, 1e6),
        min(tall * zoom, 1e6),
    )
    return varied(replace(image, panels=(replace(image.panels[0], view=view),)), 1, seed, 0.04)


def sub_image(image: Image, quadrant: int) -> Image:
    """Quadrant 1-4 of a grid as an image of its own, in the same size."""
    return replace(image, scale=1, panels=(image.panels[quadrant - 1],))
