"""Split a downloaded grid into its four images, with Pillow, which is an optional dependency."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.errors import DownloadError, UsageError, reason_of
from mjcli.media.download import OwnFiles
from mjcli.media.formats import size_of
from mjcli.media.names import part_of
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
    "AVIF": {"quality": 95},
}
_SAVED_AS = {"MPO": "JPEG"}  # a JPEG with more images behind the first


def check_pillow() -> None:
    """Raise `UsageError` when Pillow is not installed; call it before paying for a job that needs it."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise UsageError(
            "--split needs Pillow, which is not installed.",
            hint='pip install "mjcli[images]"\n'
            "if it was installed with pipx: pipx inject mjcli pillow\n"
            "--split-images makes the service send the four images instead",
        ) from None


def quadrants(grid: Path, *, force: bool, own: OwnFiles | None = None) -> list[Saved]:
    """Write the four images of a grid next to it, as `NAME_1.EXT` (top left) to `NAME_4.EXT` (bottom right).

    Complete files that are already the job's `own` are kept, unless `force`. Raises `DownloadError`.
    """
    import PIL.Image

    own = own or OwnFiles()
    kept = [None if force else own.claim(part_of(grid, number)) for number in range(1, 5)]
    try:
        size = _size(grid) or (0, 0)
        if not 2 <= min(size) <= size[0] * size[1] <= MAX_PIXELS:
            raise DownloadError(f'"{grid}" cannot be split: it does not have the size of a grid.')
        with PIL.Image.open(grid) as image:
            if image.size != size:
                raise DownloadError(f'"{grid}" cannot be split: it contains more than one size.')
            return [
                saved or place(_part(image, box), part_of(grid, number), force=force, spare=own.spares)
                for number, (saved, box) in enumerate(zip(kept, _boxes(*size), strict=True), start=1)
            ]
    except DownloadError:
        raise
    except Exception as error:  # Pillow raises anything for a damaged image, even a warning
        raise DownloadError(f'"{grid}" cannot be split: {reason_of(error)}.') from error


def _boxes(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of the four images, in reading order."""
    middle, centre = width // 2, height // 2
    return [
        (left, top, right, bottom)
        for top, bottom in ((0, centre), (centre, height))
        for left, right in ((0, middle), (middle, width))
    ]


def _size(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        return size_of(file.read(HEAD))


def _part(image: Image, box: tuple[int, int, int, int]) -> bytes:
    """A part of an image as a file of the same format."""
    kind = _SAVED_AS.get(image.format or "", image.format or "PNG")
    if kind not in _SAVE_OPTIONS:
        raise DownloadError(f"Images of the format {kind} cannot be split.")
    written = io.BytesIO()
    profile = image.info.get("icc_profile")
    options = {**_SAVE_OPTIONS[kind], **({"icc_profile": profile} if profile and kind != "GIF" else {})}
    image.crop(box).save(written, kind, **options)
    return written.getvalue()
