"""What a job starts from: an image or video of the service, a link, or a file of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from mjcli.prompt.parse import is_link

if TYPE_CHECKING:
    from mjcli.jobs.job import Job


class Image(NamedTuple):
    """An image or video, and the job that made it, None when the ledger does not know it."""

    id: str
    job: Job | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, if the ledger knows them."""
        from mjcli.api.models import Result

        return Result((self.job.result if self.job is not None else None) or {}).dimensions


class Source(NamedTuple):
    """The image that a job starts from: a link, a file, or an image of the service (`image`)."""

    name: str
    image: Image | None = None
    is_file: bool = False

    @property
    def sha256(self) -> str | None:
        """The digest of the file, if it is one. Raises `UsageError` if it cannot be read."""
        if not self.is_file:
            return None
        import hashlib

        from mjcli.media.local import read_image

        return hashlib.sha256(read_image(Path(self.name))).hexdigest()

    @property
    def parent(self) -> str | None:
        """The id of the image, if it is one of the service's."""
        return self.image.id if self.image is not None else None

    @property
    def words(self) -> str:
        """Its name in file names: the words of its prompt, else the name of its file."""
        if self.image is not None:
            return self.image.job.words if self.image.job is not None else self.image.id
        path = unquote(urlsplit(self.name).path) if is_link(self.name) else self.name
        return Path(path).name or self.name

    @property
    def known_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as far as the ledger or the file itself says."""
        if self.image is not None and not self.is_file:
            return self.image.size
        if is_link(self.name):
            return None
        from mjcli.media.formats import size_of
        from mjcli.media.local import read_image

        return size_of(read_image(Path(self.name)))
