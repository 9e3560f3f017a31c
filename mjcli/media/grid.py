"""Split a downloaded grid into its four images, with Pillow, which is an optional dependency."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.errors import DownloadError, UsageError, reason_of
from mjcli.media.formats import is_whole, size_of
from mjcli.media.names import MAX_NAME, cut
from mjcli.media.place import Saved, place

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = (
    64 * 1024 * 1024
)  # of a grid; larger ones are not from the service, and may be a decompression bomb
HEAD = 256 * 1024  # bytes, enough to find the size of an image

# Options that save with little or no loss, by Pillow's format name.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "GIF": {},
}


def check_pillow() -> None:
    """Raise `UsageError` when Pillow is not installed; call it before paying for a job that needs it."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise UsageError(
            "--split needs Pillow, which is not installed.",
            hint='pip install "mjcli[images]"  # installed with pipx: pipx inject mjcli pillow\n'
            "--split-images  # the service sends the four images instead",
        ) from None


def quadrants(grid: Path, *, force: bool) -> list[Saved]:
    """Write the four images of a grid next to it, as `NAME_1.EXT` (top left) to `NAME_4.EXT` (bottom right).

    Complete files that already exist are kept unless `force`. Raises `DownloadError`.
    """
    import PIL.Image

    try:
        width, height = _size(grid) or (0, 0)
        if not 2 <= min(width, height) <= width * height <= MAX_PIXELS:
            raise DownloadError(f'"{grid}" cannot be split: it does not have the size of a grid.')
        with PIL.Image.open(grid) as image:
            middle, centre = width // 2, height // 2
            boxes = [
                (left, top, right, bottom)
                for top, bottom in ((0, centre), (centre, height))
                for left, right in ((0, middle), (middle, width))
            ]
            names = [_name(grid, number) for number in range(1, 5)]
            if not force:
                for name, box in zip(names, boxes, strict=True):
                    _refuse_other_image(name, (box[2] - box[0], box[3] - box[1]))
            return [
                place(_part(image, box), name, force=force) for name, box in zip(names, boxes, strict=True)
            ]
    except (ValueError, SyntaxError, OSError) as error:
        raise DownloadError(f'"{grid}" cannot be split: {reason_of(error)}.') from error


def _size(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        return size_of(file.read(HEAD))


def _refuse_other_image(path: Path, size: tuple[int, int]) -> None:
    """Refuse to keep an image of another size as a part of the grid. Raises `DownloadError`."""
    if path.is_file() and is_whole(path) and _size(path) != size:
        raise DownloadError(
            f'"{path}" already exists and is a different image; choose another --output or use --force.'
        )


def _part(image: Image, box: tuple[int, int, int, int]) -> bytes:
    """A part of an image as a file of the same format."""
    kind = image.format or "PNG"
    written = io.BytesIO()
    profile = image.info.get("icc_profile")
    options = {**_SAVE_OPTIONS[kind], **({"icc_profile": profile} if profile and kind != "GIF" else {})}
    image.crop(box).save(written, kind, **options)
    return written.getvalue()


def _name(grid: Path, number: int) -> Path:
    end = f"_{number}{grid.suffix}"
    return grid.with_name(cut(grid.stem, MAX_NAME - len(end.encode())) + end)
