"""Image files of this machine, read in full and checked."""

from __future__ import annotations

from pathlib import Path

from mjcli.errors import UsageError, reason_of
from mjcli.media.formats import IMAGES, extension_of, format_name, is_whole_image

MAX_BYTES = 25 * 1024 * 1024


def read_image(path: Path) -> bytes:
    """The bytes of a complete PNG, JPEG, WebP or GIF image of at most `MAX_BYTES`.

    Raises `UsageError` for anything else, and for a file that cannot be read.
    """
    data = read_file(path)
    extension = extension_of(data[:16])
    if extension not in IMAGES:
        kind = format_name(data[:1024]) or "not an image of a known format"
        raise UsageError(f'"{path}" is {kind}; the service takes PNG, JPEG, WebP or GIF.')
    if not is_whole_image(data):
        raise UsageError(f'"{path}" is an incomplete {IMAGES[extension][0]} image; its end is missing.')
    return data


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most `MAX_BYTES`, whatever it is. Raises `UsageError`."""
    try:
        if path.is_dir():
            raise UsageError(f'"{path}" is a directory, not an image.')
        if path.exists() and not path.is_file():  # a pipe could block forever
            raise UsageError(f'"{path}" is not a regular file.')
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f'"{path}" does not exist.') from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f'"{path}" cannot be read: {reason_of(error)}.') from None
    if len(data) > MAX_BYTES:
        raise UsageError(f'"{path}" is larger than {format_size(MAX_BYTES)}, the limit for images.')
    return data


def format_size(count: int) -> str:
    """A number of bytes for people, such as `3 KB` or `1.5 MB`."""
    if count < 1024:
        return f"{count} bytes"
    if count < 1024 * 1024:
        return f"{count / 1024:.0f} KB"
    if count < 1024**3:
        return f"{count / 1024**2:.1f} MB".replace(".0 ", " ")
    return f"{count / 1024**3:.1f} GB".replace(".0 ", " ")
