"""Split a downloaded grid into its four images, with Pillow, which is an optional dependency."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.errors import DownloadError, reason_of
from mjcli.media.download import OwnFiles
from mjcli.media.names import part_of
from mjcli.media.pixel_worker import Refused, opened, quadrant
from mjcli.media.pixels import check_pillow
from mjcli.media.place import Saved, place

if TYPE_CHECKING:
    from PIL.Image import Image

    from mjcli.media.metadata import Metadata

MAX_PIXELS = 20_000_000  # above 4096 x 4096, the largest of the service

# Options that save with little or no loss, by Pillow's format name.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "GIF": {},
    "AVIF": {"quality": 95},
}
_SAVED_AS = {"MPO": "JPEG"}  # a JPEG with more images behind the first


def check_split() -> None:
    """Raise `UsageError` when Pillow is not installed; call it before paying for a job that needs it."""
    check_pillow("--split", or_else="--split-images makes the service send the four images instead")


def quadrants(
    grid: Path, *, force: bool, own: OwnFiles | None = None, metadata: Metadata | None = None
) -> list[Saved]:
    """Write the four images of a grid next to it, as `NAME_1.EXT` (top left) to `NAME_4.EXT` (bottom right).

    Complete files that are already the job's `own` are kept, unless `force`. With `metadata`, it is saved in the
    files or beside them. Raises `DownloadError`.
    """
    own = own or OwnFiles()
    options: dict[str, Any] = {"force": force, "spare": own.spares}
    if metadata is not None:
        options["save"] = metadata.save
    kept = [None if force else own.claim(part_of(grid, number)) for number in range(1, 5)]
    if metadata is not None:
        kept = [each and metadata.keep(each) for each in kept]
    try:
        with grid.open("rb") as file:
            image = opened(file, MAX_PIXELS, MAX_PIXELS)
            if min(image.size) < 2:
                raise DownloadError(f'"{grid}" cannot be split: it does not have the size of a grid.')
            return [
                saved or place(_part(image, number), part_of(grid, number), **options)
                for number, saved in enumerate(kept, start=1)
            ]
    except DownloadError:
        raise
    except Refused as reason:
        raise DownloadError(f'"{grid}" cannot be split: it {reason}.') from reason
    except Exception as error:  # Pillow raises anything for a damaged image, even a warning
        raise DownloadError(f'"{grid}" cannot be split: {reason_of(error)}.') from error


def _part(image: Image, number: int) -> bytes:
    """A quadrant of an image as a file of the same format."""
    kind = _SAVED_AS.get(image.format or "", image.format or "PNG")
    if kind not in _SAVE_OPTIONS:
        raise DownloadError(f"Images of the format {kind} cannot be split.")
    written = io.BytesIO()
    profile = image.info.get("icc_profile")
    options = {**_SAVE_OPTIONS[kind], **({"icc_profile": profile} if profile and kind != "GIF" else {})}
    image.crop(quadrant(image.size, number)).save(written, kind, **options)
    return written.getvalue()
