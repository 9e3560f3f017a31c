"""A downloaded grid, cut into its four pictures: free of charge, with Pillow, which is an optional extra."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.downloads import Saved, place
from mjcli.errors import DownloadError, UsageError, full_stop
from mjcli.filenames import MAX_NAME, cut
from mjcli.filetypes import is_whole, size_of

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64 * 1024 * 1024  # of a grid; more is none of the service's, and Pillow warns of a bomb
HEAD = 256 * 1024  # bytes, within which a picture has told its size

# How the parts are written, so that little or nothing is lost: Pillow's name of a format -> its options.
_SAVING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
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
        width, height = _size(grid) or (0, 0)
        if not 2 <= min(width, height) <= width * height <= MOST_PIXELS:
            raise DownloadError(f"{grid} cannot be cut: it is no picture of a grid's size.")
        with PIL.Image.open(grid) as picture:
            middle, centre = width // 2, height // 2
            boxes = [
                (left, top, right, bottom)
                for top, bottom in ((0, centre), (centre, height))
                for left, right in ((0, middle), (middle, width))
            ]
            names = [_name(grid, number) for number in range(1, 5)]
            if not force:
                for name, box in zip(names, boxes, strict=True):
                    _refuse_another(name, (box[2] - box[0], box[3] - box[1]))
            return [
                place(_part(picture, box), name, force=force) for name, box in zip(names, boxes, strict=True)
            ]
    except (ValueError, SyntaxError) as error:
        raise DownloadError(f"{grid} cannot be cut: {full_stop(str(error))}") from error
    except OSError as error:
        raise DownloadError(f"{grid} cannot be cut: {full_stop(error.strerror or str(error))}") from error


def _size(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        return size_of(file.read(HEAD))


def _refuse_another(path: Path, size: tuple[int, int]) -> None:
    """A picture of another size under the name of a part is not that part. Raises `DownloadError`."""
    if path.is_file() and is_whole(path) and _size(path) != size:
        raise DownloadError(
            f"{path} is there already and is another picture; choose another --output, or --force."
        )


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
