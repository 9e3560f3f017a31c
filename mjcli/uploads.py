"""A picture on this machine as a link that the service can fetch: uploaded once, and remembered by its content."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from mjcli.errors import ConfigError, UsageError
from mjcli.filetypes import PICTURES, extension_of, is_whole_picture, name_of_other

if TYPE_CHECKING:
    from mjcli.context import Runtime

LARGEST = 20 * 1024 * 1024  # bytes

_SUFFIXES = {"jpg": (".jpg", ".jpeg")}  # where a file of a kind may have other ones than its own


def link_of_file(runtime: Runtime, path: Path, *, keep: bool = True) -> str:
    """The link of a picture on this machine, which is uploaded unless the same content was before.

    Without `keep` the ledger neither tells nor learns of it. Raises `UsageError` for what is no picture,
    `NoTokenError` when the job could not be sent either, `ConfigError` for a ledger that cannot be used, and
    as `FileStore.upload` does.
    """
    data = read_picture(path)
    runtime.token  # noqa: B018 - nothing is given away for a job that cannot be sent
    # A sandbox answers on another port each time.
    keep = keep and not runtime.settings.sandbox.value
    endpoint = runtime.files_url
    digest = ""
    if keep:
        digest = _digest(data)
        remembered = _remembered(runtime, digest, endpoint)
        if remembered is not None:
            runtime.output.notice(f"{path.name} was uploaded before; its link is used again.")
            return remembered
    once = "; the same file is not sent twice" if keep else ""
    runtime.output.notice(f"Uploading {path.name} ({_size(len(data))}) to {_host(endpoint)}{once}.")
    link = runtime.files.upload(_name(path, data), data)
    runtime.output.detail(f"The link of {path.name} is {link}")
    if keep:
        with contextlib.suppress(ConfigError):  # the link is good, whatever becomes of the record
            runtime.ledger.remember_upload(digest, endpoint, link)
    return link


def read_picture(path: Path) -> bytes:
    """The bytes of a picture that the service takes, whole. Raises `UsageError` for anything else."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory, not a picture.")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no ordinary file, so it is not read.")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}.") from None
    if len(data) > LARGEST:
        raise UsageError(f"{path} is larger than {_size(LARGEST)}, the most that is uploaded.")
    kind = extension_of(data[:16])
    if kind not in PICTURES:
        what = name_of_other(data[:1024]) or "no picture of a known kind"
        raise UsageError(f"{path} is {what}; the service takes PNG, JPEG, WebP or GIF.")
    if not is_whole_picture(data):
        raise UsageError(
            f"{path} is only the beginning of a {PICTURES[kind][0]} picture; its end is missing."
        )
    return data


def _remembered(runtime: Runtime, digest: str, endpoint: str) -> str | None:
    """The link of an earlier upload, unless it is certain that it leads to no picture any more."""
    link = runtime.ledger.uploaded(digest, endpoint)
    if link is None:
        return None
    import time

    from mjcli.downloads import expired
    from mjcli.links import look_at

    if not expired(link, time.time()):
        local = runtime.files_on_this_machine
        (look,) = look_at([link], allow_private=local, use_environment=not local)
        if look.verdict != "refused":
            return link
    runtime.ledger.forget_upload(digest, endpoint)
    return None


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _name(path: Path, data: bytes) -> str:
    """The file's name, with an extension that says what it is: the endpoint may go by it."""
    kind = extension_of(data[:16]) or ""
    fits = path.suffix.lower() in _SUFFIXES.get(kind, (f".{kind}",))
    return path.name if fits else f"{path.name}.{kind}"


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).netloc


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    if count < 1024 * 1024:
        return f"{count / 1024:.0f} KB"
    return f"{count / 1024 / 1024:.1f} MB".replace(".0 ", " ")
