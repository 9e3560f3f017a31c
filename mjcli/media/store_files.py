"""Pictures and videos in an object store: names inside its prefix, each written once."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mjcli.errors import NameInUse, StoreError, UsageError, reason_of
from mjcli.media.names import numbered
from mjcli.media.place import MOST_NAMES
from mjcli.media.store import ObjectStore, check_exclusive

_RESERVED = ".mj"  # what begins like this belongs to the claims
_SINGLE = (
    64 * 1024 * 1024
)  # bytes up to which a file is sent in one request, which alone can carry a condition
_MOST_BYTES = 1024  # of a key, as S3 has it
_READERS = 16  # names that are looked up at a time


class StoredFile(NamedTuple):
    """A file in a store; `kept` if it was there already, with the same bytes. `notices` are sentences."""

    key: str
    url: str
    kept: bool
    notices: tuple[str, ...] = ()


class StoreTarget:
    """Where the files of jobs are saved in a store. All methods may be called in any thread."""

    def __init__(self, store: ObjectStore, *, force: bool = False) -> None:
        self.store = store
        self._force = force

    @classmethod
    def open(cls, url: str, *, force: bool = False) -> StoreTarget:
        """Return the target of an address such as `s3://bucket/prefix` after a check that claims work there.

        Call it before anything is sent. Raises `UsageError` without obstore, for an address that cannot be used, and
        for a store that lets a second create succeed, and `StoreError` if it cannot be written.
        """
        store = ObjectStore(url)
        check_exclusive(store)
        return cls(store, force=force)

    def check_free(self, names: Iterable[str]) -> None:
        """Refuse names that cannot be used, or are in use without `force`.

        Raises `UsageError`, `NameInUse`, `StoreError`.
        """
        names = list(names)
        for name in names:
            check_name(name)
        if self._force:
            return
        with ThreadPoolExecutor(_READERS) as pool:
            for name, size in zip(names, pool.map(self.store.size, names), strict=True):
                if size:
                    raise NameInUse(
                        f'"{self.store.address(name)}" already exists. Nothing was sent.',
                        hint="choose another output, or add --force to replace it",
                    )

    def save(self, name: str, source: Path | bytes) -> StoredFile:
        """Write a file under a name inside the prefix, such as `cats/cat_1234.png`; raises `StoreError`.

        A name in use is replaced with `force`; otherwise the file gets a numbered one (`cat-2.png`), but an object with
        the same bytes is kept. Saving a file again after an error or a crash is thus safe.
        """
        try:
            check_name(name)
        except UsageError as error:
            raise StoreError(error.message, hint=error.hint) from None
        if self._force:
            self._write(name, source)
            return StoredFile(name, self.store.address(name), False)
        for number in itertools.islice(itertools.count(1), MOST_NAMES):
            key = numbered(Path(name), number).as_posix()
            kept = self._create(key, source)
            if kept is not None:
                address = self.store.address(key)
                notice = (
                    f'"{self.store.address(name)}" already exists, so "{PurePosixPath(key).name}" was used.'
                )
                return StoredFile(key, address, kept, () if number == 1 else (notice,))
        raise StoreError(
            f'"{self.store.address(name)}" already exists, and so do {MOST_NAMES} numbered names.'
        )

    def _write(self, key: str, source: Path | bytes) -> None:
        if isinstance(source, bytes):
            self.store.put(key, source)
        else:
            self.store.put_file(key, source)

    def _create(self, key: str, source: Path | bytes) -> bool | None:
        """Write a file if its name is free; return whether it was there already, None if something else is."""
        size = len(source) if isinstance(source, bytes) else _size_of(source)
        if size <= _SINGLE:
            if self.store.create(key, source if isinstance(source, bytes) else _read(source)):
                return False
        elif self.store.size(key) is None:
            self._write(key, source)
            return False
        return True if self.store.size(key) == size and self._is_same(key, source) else None

    def _is_same(self, key: str, source: Path | bytes) -> bool:
        digest = hashlib.sha256()
        for block in self.store.blocks(key):
            digest.update(block)
        if isinstance(source, bytes):
            return hashlib.sha256(source).digest() == digest.digest()
        try:
            with source.open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest() == digest.digest()
        except OSError as error:
            raise _unreadable(source, error) from error


def check_name(name: str) -> None:
    """Refuse a name that leads out of the prefix, or into what belongs to `mj`. Raises `UsageError`."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable():
        raise UsageError(f'"{_shown(name)}" is not a name inside the store.')
    if parts[0].lower().startswith(_RESERVED):
        raise UsageError(f'"{_shown(name)}" is reserved: "{_RESERVED}" has the records of batches.')
    if len(name.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        raise UsageError(f'"{_shown(name)}" is longer than {_MOST_BYTES} bytes.')


def _shown(name: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in name[:80])


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(f'"{path}" cannot be read: {reason_of(error)}.')
