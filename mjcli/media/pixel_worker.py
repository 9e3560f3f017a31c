"""Decodes and scales pictures with Pillow, as a program of its own: see `mjcli.media.pixels`.

It imports nothing else of this package. A picture can be built to need much memory or time, or to crash a decoder;
here that ends only this process. Each request is a JSON object on one line of standard input, followed by the
picture unless it names a file; the answer on standard output is a JSON object on one line, then the bytes.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

MEMORY = 192 * 1024 * 1024  # bytes of data, the interpreter's own included
SECONDS = 1.5  # of CPU, for a picture
MAX_BYTES = 64 * 1024 * 1024  # of a file; Pillow reads a chunk of a PNG at once
MAX_PIXELS = 48_000_000  # of a large camera; the largest image of the service has 4096 x 4096
MAX_STORED = 4 * MAX_PIXELS  # of a JPEG, which is decoded in a smaller size
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")  # some of Pillow's others start programs
MAX_SCANNED = 400_000_000  # of all scans of a JPEG, each of which is a pass over all pixels
MAX_FRAMES = 60  # of an animation that is made here
MAX_ENLARGEMENT = 8
STRIP = 256  # rows that are converted at a time
EDGE = 1024  # pixels of the longer side of an animation
STEP_MS, LAST_MS = 700, 2500  # how long a step and the final picture are shown
_MAX_PROFILE = 64 * 1024  # bytes of a colour profile that is kept


class Refused(Exception):
    """Why a picture is not shown, as the end of a sentence about it."""


def main() -> None:
    """Answer requests until there are no more."""
    _limit_memory()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while line := stdin.readline():
        request = json.loads(line)
        picture = stdin.read(request.get("bytes", 0))
        _limit_time(request.get("seconds", SECONDS))
        header, data = _answer(request, picture)
        _limit_time(0)
        stdout.write(json.dumps({**header, "bytes": len(data)}).encode() + b"\n" + data)
        stdout.flush()


def _answer(request: dict[str, Any], picture: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the bytes that answer a request."""
    try:
        import PIL.Image
    except ImportError:
        return {"missing": True}, b""
    PIL.Image.MAX_IMAGE_PIXELS = MAX_STORED
    try:
        if request["as"] in ("webp", "gif"):
            return _animate(request)
        work = _thumbnail if request["as"] == "thumbnail" else _fit
        with open(request["file"], "rb") if "file" in request else io.BytesIO(picture) as file:  # noqa: PTH123 - pathlib takes time to import
            return work(file, request)
    except Refused as reason:
        return {"problem": str(reason)}, b""
    except MemoryError:
        return {"problem": "needs too much memory to show"}, b""
    except Exception as error:  # Pillow raises anything for a damaged picture
        return {
            "problem": "is damaged or incomplete" if isinstance(error, EOFError | OSError) else "is damaged"
        }, b""


def _limit_memory() -> None:
    """Bound the memory of this process, where the system can; elsewhere the limits on pixels have to do."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _limit_time(seconds: float) -> None:
    """End this process after so much CPU time, where the system can; 0 is without limit."""
    with suppress(ImportError, AttributeError):
        import signal

        signal.setitimer(signal.ITIMER_PROF, seconds)


# -- one picture -------------------------------------------------------------------------------------


def _fit(file: BinaryIO, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A picture, or a quadrant of it, scaled into a box, as PNG, RGB bytes, or numbers of a palette's colours."""
    image = opened(file)
    part = quadrant(image.size, request["quadrant"] or 0)
    most = MAX_ENLARGEMENT if request["enlarges"] else 1
    small = _scaled(image, part, (request["width"], request["height"]), most)
    header: dict[str, Any] = {"width": small.width, "height": small.height}
    if request["as"] == "png":
        written = io.BytesIO()
        small.save(written, "PNG", compress_level=1)
        return header, written.getvalue()
    flat = _flat(small, request["ground"])
    if request["as"] == "rgb":
        return header, flat.tobytes()
    return _with_palette(flat, request["colours"], header)


def _thumbnail(file: BinaryIO, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A small WebP file of a picture, with its colour profile."""
    image = opened(file)
    # A profile of other colours than those of the thumbnail would be wrong.
    profile = image.info.get("icc_profile") or b"" if image.mode in ("RGB", "RGBA") else b""
    whole = (0, 0, *image.size)
    small = _scaled(image, whole, (request["width"], request["height"]), 1, fast=True)
    written = io.BytesIO()
    # Method 0 takes a quarter of the default's time, for files that are up to a fifth larger.
    options = {"icc_profile": profile} if len(profile) <= _MAX_PROFILE else {}
    small.save(written, "WEBP", quality=request["quality"], method=0, **options)
    return {}, written.getvalue()


def opened(file: BinaryIO, most: int = MAX_PIXELS, most_stored: int = MAX_STORED) -> Image:
    """A picture of at most `most` pixels; of several frames, the first. Raises `Refused`.

    A JPEG may have `most_stored` if it is not progressive, since it can be decoded in a smaller size.
    """
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limits below are stricter
            image = PIL.Image.open(file, formats=FORMATS)
    except PIL.Image.DecompressionBombError:
        raise Refused(f"has too many pixels (more than {most_stored // 10**6} million)") from None
    except (PIL.UnidentifiedImageError, KeyError):  # KeyError: a Pillow that does not have one of the formats
        raise Refused("is not an image of a known format") from None
    pixels = image.width * image.height
    is_jpeg = image.format in ("JPEG", "MPO")
    limit = most_stored if is_jpeg and not image.info.get("progressive") else most
    if pixels > limit:
        size = f"{image.width} x {image.height}; at most {limit // 10**6} million"
        raise Refused(f"has too many pixels ({size})")
    if is_jpeg:
        at = file.tell()
        file.seek(0)
        scans = file.read(MAX_BYTES).count(b"\xff\xda")
        file.seek(at)
        if pixels * scans > MAX_SCANNED:
            raise Refused("has too many scans")
    return image


def quadrant(size: tuple[int, int], number: int) -> tuple[int, int, int, int]:
    """The box of one of the four images of a grid (1 is top left, 4 bottom right); 0 is the whole picture."""
    width, height = size
    if not number:
        return 0, 0, width, height
    if min(size) < 2:
        raise Refused("is too small to have quadrants")
    middle, centre = width // 2, height // 2
    left, right = ((0, middle), (middle, width))[(number - 1) % 2]
    top, bottom = ((0, centre), (centre, height))[(number - 1) // 2]
    return left, top, right, bottom


def _scaled(
    image: Image, part: tuple[int, int, int, int], box: tuple[int, int], most: float, *, fast: bool = False
) -> Image:
    """A part of a picture in the largest size that fits into the box, at most `most` times its own.

    `fast` is a little less sharp, for many pictures.
    """
    import PIL.Image
    import PIL.ImageOps

    orientation = image.getexif().get(0x0112, 1)
    if orientation >= 5:  # turned by a quarter
        box = box[1], box[0]
    width, height = part[2] - part[0], part[3] - part[1]
    scale = min(box[0] / width, box[1] / height, most)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if image.format == "JPEG" and part == (0, 0, *image.size):
        image.draft("RGB", size)
        part = (0, 0, *image.size)
    exif = image.getexif() if orientation > 1 else None
    how = PIL.Image.Resampling.HAMMING if fast else PIL.Image.Resampling.LANCZOS
    small = _reduced(image, part, size, 1 if fast else 2).resize(size, how)
    if exif is not None:
        small.getexif()[0x0112] = orientation
        small = PIL.ImageOps.exif_transpose(small)
    return small


def _reduced(image: Image, part: tuple[int, int, int, int], size: tuple[int, int], gap: int) -> Image:
    """A part of a picture in colours, reduced by a whole factor to at least `gap` times the size.

    What has to be converted is converted strip by strip: the whole would need its memory a second and a third time.
    """
    import PIL.Image

    left, top, right, bottom = part
    factor = max(min((right - left) // (gap * size[0]), (bottom - top) // (gap * size[1])), 1)
    if image.mode in ("RGB", "RGBA") and "transparency" not in image.info:
        image.load()
        return image.reduce(factor, part)
    step = max(STRIP // factor, 1) * factor
    whole = None
    for y in range(top, bottom, step):
        strip = _coloured(image.crop((left, y, right, min(y + step, bottom)))).reduce(factor)
        if whole is None:
            rows = -(-(bottom - top) // factor)
            whole = PIL.Image.new(strip.mode, (strip.width, rows))
        whole.paste(strip, (0, (y - top) // factor))
    assert whole is not None
    return whole


def _coloured(image: Image) -> Image:
    """A picture as RGB, or as RGBA if it may be transparent."""
    if image.mode.startswith(("I", "F")):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _flat(image: Image, ground: str = "black") -> Image:
    """A picture on a ground of one colour."""
    import PIL.Image

    if image.mode != "RGBA":
        return image
    below = PIL.Image.new("RGB", image.size, ground)
    below.paste(image, mask=image.getchannel("A"))
    return below


def _with_palette(image: Image, colours: int, header: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    import PIL.Image

    palette = image.quantize(colours, PIL.Image.Quantize.MEDIANCUT)
    indexed = image.quantize(palette=palette, dither=PIL.Image.Dither.FLOYDSTEINBERG)
    table = bytes(indexed.getpalette() or ())[: 3 * colours]
    return {**header, "palette": len(table)}, table + indexed.tobytes()


# -- an animation ------------------------------------------------------------------------------------


def _animate(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The files of the request, which are the steps of a picture and at last the picture, as an animation."""
    frames = list(_frames(request["files"][-MAX_FRAMES:]))
    if len(frames) < 2:
        raise Refused("has fewer than two steps")
    written = io.BytesIO()
    times = [STEP_MS] * (len(frames) - 1) + [LAST_MS]
    more: dict[str, Any] = {"quality": 85, "method": 2} if request["as"] == "webp" else {"optimize": False}
    frames[0].save(
        written,
        request["as"].upper(),
        save_all=True,
        append_images=frames[1:],
        duration=times,
        loop=0,
        **more,
    )
    return {"frames": len(frames)}, written.getvalue()


def _frames(paths: list[str]) -> Iterator[Image]:
    """The pictures, all in the size of the last one."""
    import PIL.Image

    with open(paths[-1], "rb") as file:  # noqa: PTH123 - pathlib takes time to import
        width, height = opened(file).size
    scale = min(EDGE / max(width, height), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    for path in paths:
        with open(path, "rb") as file:  # noqa: PTH123
            image = opened(file)
            frame = _flat(_scaled(image, (0, 0, *image.size), size, MAX_ENLARGEMENT))
        yield frame if frame.size == size else frame.resize(size, PIL.Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
