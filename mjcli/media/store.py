"""Object stores as the place of a batch's results: S3, Google Cloud Storage, Azure and a local directory.

Needs obstore, which is an optional dependency. Credentials come from the environment, as obstore reads it.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from mjcli.errors import StoreError, UsageError, reason_of, without_stop

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

SCHEMES = ("s3", "gs", "az", "file")
_EXAMPLES = "use s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///DIRECTORY"
_PROBES = 4  # processes that a probe pretends to be
_CONFLICT_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0)  # seconds before each attempt to create an object
_PART = 5 * 1024 * 1024  # bytes of a file that are sent at a time; the smallest that S3 accepts
_PARTS = 4  # of one file at a time

_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".json": "application/json",
}


class Limits(NamedTuple):
    """How long an operation may take: seconds for one attempt and for all, and the number of retries."""

    attempt: float
    total: float
    retries: int


_CONNECT_SECONDS = 5.0
# Claims are only good for seconds, files may be large.
OBJECT_LIMITS = Limits(8.0, 20.0, 3)
FILE_LIMITS = Limits(300.0, 900.0, 5)


def is_store(text: str) -> bool:
    """Whether an output is an object store, and not a directory or file name."""
    scheme, colon, _ = text.partition("://")
    return bool(colon) and scheme.lower() in SCHEMES


def check_obstore() -> None:
    """Raise `UsageError` when obstore is not installed."""
    try:
        import obstore.exceptions
        import obstore.store  # noqa: F401
    except ImportError:
        raise UsageError(
            "An object store needs obstore, which is not installed.",
            hint='pip install "mjcli[store]"\nif it was installed with pipx: pipx inject mjcli obstore',
        ) from None


class ObjectStore:
    """The objects below one address. All methods may be called in any thread, and raise `StoreError`."""

    def __init__(
        self, url: str, *, limits: Limits = OBJECT_LIMITS, file_limits: Limits = FILE_LIMITS
    ) -> None:
        """Prepare an address such as `s3://bucket/prefix`; nothing is sent. Raises `UsageError`."""
        parts = _split(url)
        check_obstore()
        self.url = url
        self._directory = _directory_of(parts)
        self._objects = self._client(limits)
        self._files = self._client(file_limits)

    def _client(self, limits: Limits) -> Client:
        from obstore.store import LocalStore, from_url

        try:
            if self._directory is not None:
                self._directory.mkdir(parents=True, exist_ok=True)
                return LocalStore(self._directory)
            return from_url(self.url, client_options=_options(limits), retry_config=_retries(limits))
        except Exception as error:
            raise UsageError(f'"{self.url}" cannot be used: {_reason(error)}.', hint=_EXAMPLES) from error

    def put(self, key: str, data: bytes) -> None:
        """Write an object, or replace it."""
        import obstore

        with self._errors("written", key):
            obstore.put(self._objects, key, data, use_multipart=False, attributes=self._attributes(key))
        self._flush(key)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object that does not exist yet; return False if it does.

        After an error, and after False when an attempt was repeated, the object may be this one.
        """
        for pause in _CONFLICT_PAUSES:
            time.sleep(pause)
            if self._create(key, data):
                self._flush(key)
                return True
            # A conflict with a request that is still in progress looks the same, and that one may fail.
            if self.size(key) is not None:
                return False
        raise StoreError(f'"{self.address(key)}" cannot be written: another process is writing it.')

    def _create(self, key: str, data: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._errors("written", key):
            try:
                # Only a single request carries the condition.
                obstore.put(
                    self._objects,
                    key,
                    data,
                    mode="create",
                    use_multipart=False,
                    attributes=self._attributes(key),
                )
            except AlreadyExistsError:
                return False
        return True

    def get(self, key: str) -> bytes | None:
        """Return the content of an object, None if it does not exist."""
        import obstore

        with self._errors("read", key):
            try:
                return obstore.get(self._objects, key).bytes().to_bytes()
            except FileNotFoundError as error:
                if _NO_BUCKET in str(error):
                    raise
                return None

    def size(self, key: str) -> int | None:
        """Return the bytes of an object, None if it does not exist."""
        import obstore

        with self._errors("read", key):
            try:
                return obstore.head(self._objects, key)["size"]
            except FileNotFoundError as error:
                if _NO_BUCKET in str(error):
                    raise
                return None

    def blocks(self, key: str) -> Iterator[bytes]:
        """Return the content of an object in pieces."""
        import obstore

        with self._errors("read", key):
            for block in obstore.get(self._files, key).stream(min_chunk_size=_PART):
                yield bytes(block)

    def address(self, key: str) -> str:
        """Return the whole address of an object, which for a local one is a valid URL."""
        if self._directory is not None:
            return (self._directory / key).absolute().as_uri()
        return f"{self.url.rstrip('/')}/{key}"

    def list(self, prefix: str) -> Iterator[str]:
        """Return the keys of all objects below a prefix, which ends at a `/`, in any order."""
        import obstore

        with self._errors("listed", prefix):
            for chunk in obstore.list(self._objects, prefix.rstrip("/") or None, chunk_size=1000):
                yield from (each["path"] for each in chunk)

    def put_file(self, key: str, path: Path) -> None:
        """Write a file as an object, or replace it."""
        import obstore

        with self._errors("written", key):
            obstore.put(
                self._files,
                key,
                path,
                attributes=self._attributes(key),
                chunk_size=_PART,
                max_concurrency=_PARTS,
            )
        self._flush(key)

    def delete(self, key: str) -> None:
        """Delete an object, if it exists."""
        import obstore

        with self._errors("deleted", key), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._objects, key)

    def _attributes(self, key: str) -> Any:
        """The type of an object, by its name; a directory stores none."""
        kind = _TYPES.get(Path(key).suffix.lower())
        return {"Content-Type": kind} if kind and self._directory is None else None

    def _flush(self, key: str) -> None:
        """Write a local object to the disk: a claim that is lost with the power would be sent again."""
        if self._directory is None:
            return
        path = self._directory / key
        with self._errors("written", key):
            for each in (path, *path.parents):
                _flush(each)
                if each == self._directory:
                    break

    @contextlib.contextmanager
    def _errors(self, done: str, key: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise StoreError(
                f'"{self.address(key)}" cannot be {done}: {_reason(error)}.', hint=_advice(error)
            ) from error


def check_exclusive(store: ObjectStore) -> None:
    """Prove that only one of several processes can create an object. Raises `UsageError` if all can."""
    key = f".mj/probe-{uuid.uuid4().hex}.json"

    def attempt(number: int) -> bool | StoreError:
        try:
            return store.create(key, b'{"probe": %d}' % number)
        except StoreError as error:
            return error

    with ThreadPoolExecutor(_PROBES) as pool:
        results = list(pool.map(attempt, range(_PROBES)))
    results.append(attempt(_PROBES))
    failures = [each for each in results if isinstance(each, StoreError)]
    created = results.count(True)
    if created == 0 and failures:
        raise failures[0]
    if failures and store.get(key) is None:
        raise failures[0]
    winner = results.index(True) if created == 1 else None
    exclusive = winner is not None and store.get(key) == b'{"probe": %d}' % winner
    with contextlib.suppress(StoreError):  # some users may not delete
        store.delete(key)
    if not exclusive:
        raise UsageError(
            f'"{store.url}" lets several processes create the same object, so jobs could be sent twice.',
            hint="use a store with conditional writes, such as S3, or run one process with a local directory",
        )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        odd = parts.query or parts.fragment or "@" in parts.netloc or not url.isprintable()
    except ValueError:
        odd = True
    if odd or not is_store(url):
        shown = "…@" + url.rpartition("@")[2] if "@" in url else url  # a password may be before it
        raise UsageError(f'"{shown[:200]}" is not the address of an object store.', hint=_EXAMPLES)
    local = parts.scheme == "file"
    if (local and (parts.netloc or not parts.path.strip("/"))) or not (local or parts.netloc):
        raise UsageError(f'"{url[:200]}" is not a complete address.', hint=_EXAMPLES)
    if ".." in parts.path.split("/"):
        raise UsageError(f'"{url[:200]}" has ".." in its path.', hint=_EXAMPLES)
    return parts


def _directory_of(parts: SplitResult) -> Path | None:
    if parts.scheme != "file":
        return None
    from urllib.request import url2pathname

    return Path(url2pathname(parts.path))


def _options(limits: Limits) -> Any:
    return {
        "timeout": timedelta(seconds=limits.attempt),
        "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "allow_http": _allows_http(),
    }


def _retries(limits: Limits) -> Any:
    return {
        "max_retries": limits.retries,
        "retry_timeout": timedelta(seconds=limits.total),
        "backoff": {
            "init_backoff": timedelta(seconds=0.2),
            "max_backoff": timedelta(seconds=5),
            "base": 2,
        },
    }


def _allows_http() -> bool:
    """Whether the environment names an endpoint without TLS, as that of a test or a local store."""
    chosen = {"AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP"}
    return any(
        (name in chosen and value.lower() in ("1", "true", "yes"))
        or ("ENDPOINT" in name and name.startswith(("AWS_", "AZURE_")) and value.startswith("http://"))
        for name, value in os.environ.items()
    )


def _flush(path: Path) -> None:
    """Flush a file or directory to the disk, where the system can."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_NO_BUCKET = "<Code>NoSuchBucket</Code>"
# What obstore's errors mean, by the names of their types.
_REASONS = {
    "PermissionDeniedError": "access was denied",
    "UnauthenticatedError": "the store refused the credentials",
    "NotSupportedError": "the store does not support this",
    "InvalidPathError": "the name is not valid there",
}


def _reason(error: BaseException) -> str:
    """Why an operation failed: words without a full stop, of obstore's several lines."""
    name = type(error).__name__
    if name in _REASONS:
        return _REASONS[name]
    text = str(error).partition("Debug source")[0].strip()
    if _NO_BUCKET in text:
        return "the bucket does not exist"
    # "Generic S3 error: Error performing PUT URL in 3ms, after 2 retries - HTTP error: what happened"
    text = text.rpartition(" - ")[2].partition("\n")[0].partition(": <?xml")[0]
    text = text.removeprefix("HTTP error: ").removeprefix("Server returned non-2xx status code: ")
    if text.startswith("Generic ") and ": " in text:
        text = text.partition(": ")[2]
    if text == "error sending request":
        return "no connection, or no response in time"
    shown = "".join(each for each in text[:200] if each.isprintable())
    return without_stop(shown[:1].lower() + shown[1:] if shown[1:2].islower() else shown) or reason_of(error)


def _advice(error: BaseException) -> str | None:
    name, text = type(error).__name__, str(error)
    if name in ("PermissionDeniedError", "UnauthenticatedError") or "169.254.169.254" in text:
        return "set the credentials of the store, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if _NO_BUCKET in text:
        return "create the bucket first, or set AWS_REGION and AWS_ENDPOINT_URL"
    return None
