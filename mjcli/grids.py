"""A downloaded grid, cut into its four pictures: free of charge, with Pillow, which is an optional extra."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.downloads import Saved, place
from mjcli.errors import DownloadError, UsageError
from mjcli.filenames import MAX_NAME, cut

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 16384 * 16384  # of a grid; more is no picture of the service's

# How the parts are written, so that little or nothing is lost: Pillow's name of a format -> its options.
_SAVING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "GIF": {},
}


def check_pillow() -> None:
    """Raises `UsageError` when Pillow is not there, before anything is paid for that needs it."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise UsageError(
            "--split needs Pillow, which is not installed.",
            hint='pip install "mjcli[images]"  # or, where mj came by pipx: pipx inject mjcli pillow\n'
            "--split-images  # has the service send the four pictures instead",
        ) from None


def quadrants(grid: Path, *, force: bool) -> list[Saved]:
    """Write the four pictures of a grid beside it, as `NAME_1.EXT` (top left) to `NAME_4.EXT` (bottom right).

    Whole files that are there already are kept unless `force`. Raises `DownloadError`.
    """
    import PIL.Image

    try:
        with PIL.Image.open(grid) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS or picture.format not in _SAVING:
                raise DownloadError(f"{grid} is no grid that can be cut.")
            middle, centre = width // 2, height // 2
            boxes = [
                (left, top, right, bottom)
                for top, bottom in ((0, centre), (centre, height))
                for left, right in ((0, middle), (middle, width))
            ]
            return [
                place(_part(picture, box), _name(grid, number), force=force)
                for number, box in enumerate(boxes, start=1)
            ]
    except (ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DownloadError(f"{grid} cannot be cut: {error}.") from error
    except OSError as error:
        raise DownloadError(f"{grid} cannot be cut: {error.strerror or error}.") from error


def _part(picture: Image, box: tuple[int, int, int, int]) -> bytes:
    """A part of a picture as a file of the same kind."""
    kind = picture.format or "PNG"
    written = io.BytesIO()
    profile = picture.info.get("icc_profile")
    options = {**_SAVING[kind], **({"icc_profile": profile} if profile and kind != "GIF" else {})}
    picture.crop(box).save(written, kind, **options)
    return written.getvalue()


def _name(grid: Path, number: int) -> Path:
    end = f"_{number}{grid.suffix}"
    return grid.with_name(cut(grid.stem, MAX_NAME - len(end.encode())) + end)
