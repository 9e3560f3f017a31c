"""The picture that a job starts from, as people name it: whose it is, what to call it, and how large."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from mjcli.prompt.parse import is_link
from mjcli.prompts import is_file
from mjcli.references import Image, image_of

if TYPE_CHECKING:
    from mjcli.context import Runtime


class Source(NamedTuple):
    """A picture given as a link, a file, a reference, or an id (`image` then says which)."""

    name: str
    image: Image | None = None

    @property
    def parent(self) -> str | None:
        """The id of the image, where it is one of the service's."""
        return self.image.id if self.image is not None else None

    @property
    def words(self) -> str:
        """What to call it: the words that it was made from, else its file's name."""
        if self.image is not None:
            return self.image.job.words if self.image.job is not None else self.image.id
        path = unquote(urlsplit(self.name).path) if is_link(self.name) else self.name
        return Path(path).name or self.name

    @property
    def known_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as far as the ledger or the file itself tells."""
        if self.image is not None:
            return self.image.size
        if is_link(self.name):
            return None
        from mjcli.filetypes import size_of
        from mjcli.uploads import read_picture

        return size_of(read_picture(Path(self.name)))

    def size(self, runtime: Runtime) -> tuple[int, int] | None:
        """The same; a link is looked at for it."""
        if not is_link(self.name):
            return self.known_size
        from mjcli.links import measure

        return measure(
            self.name,
            allow_private=runtime.on_this_machine,
            use_environment=not runtime.settings.sandbox.value,
        )


def source_of(runtime: Runtime, name: str) -> Source:
    """The picture that is meant. Raises `UsageError` for an unknown reference, or one to a job without an image."""
    named = not (is_link(name) or is_file(name))
    return Source(name, image_of(runtime, name) if named else None)
