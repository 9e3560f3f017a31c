"""The provenance of an image in its file (XMP and PNG text) or beside it (JSON), and read from a file again.

The pixels are never encoded again, and a file with a C2PA manifest is never changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mjcli.errors import DownloadError, reason_of
from mjcli.media.carriers import CannotCarry, has_manifest, packet_in, with_packet
from mjcli.media.place import PartialFile, Put, Saved, partial_file, place, replace_same
from mjcli.media.xmp import BadPacket, Property, build, extend, parse

How = Literal["embed", "sidecar", "off"]

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MOST_BYTES = 128 * 1024 * 1024  # of a file into which metadata is written, or from which it is read
_MOST_PACKET = 60_000  # bytes of what is added, so that it fits a segment of a JPEG
_MOST_TEXT = 8_000  # characters of a prompt; shorter where many of them take several bytes
_MOST_NAME = 500  # characters of other texts
_MOST_PARENTS = 50
_MOST_BESIDE = 1024 * 1024  # bytes of a file beside an image; one of ours has fewer
_LONGEST_ID = 200  # characters of an id that is read
_MANIFEST = "carries a C2PA manifest, which a change would make invalid"


class Provenance(NamedTuple):
    """Where an image comes from. `created_at` is in Unix seconds; the nearest of the `parents` is the first."""

    prompt: str = ""
    parameters: str = ""
    action: str = ""
    service: str = ""
    host: str = ""
    version: str | None = None
    seed: str | None = None
    job: str | None = None
    task_id: str | None = None
    image_id: str | None = None
    parents: tuple[str, ...] = ()
    created_at: float | None = None
    software: str = ""

    @property
    def date(self) -> str | None:
        """The time of creation in UTC, as `2026-11-26T08:30:00Z`."""
        if self.created_at is None:
            return None
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.created_at))

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        fields = self._asdict()
        fields["created_at"] = self.date
        return {**fields, "parents": list(self.parents), "digital_source_type": SOURCE_TYPE}


class Embedded(NamedTuple):
    """What the metadata of a file says about its job; anyone can have written it."""

    host: str
    task_id: str | None
    image_id: str | None


class Metadata(NamedTuple):
    """How the provenance of a job's images is saved: in their files, or beside them.

    `force` replaces other files that have the name of the one beside an image; without `beside`, none is written.
    """

    how: How
    provenance: Provenance
    force: bool = False
    beside: bool = True

    def save(self, part: PartialFile, put: Put) -> Saved:
        """Put a complete file in its place with `put`. Raises what that raises, `OSError`."""
        if self.how != "embed":
            return self._sidecar(put(part))
        try:
            data = embed(_checked_size(part.head(MOST_BYTES + 1)), self.provenance)
        except Exception as error:  # an image that was paid for is saved whatever happens
            problem = _problem(error)
        else:
            try:
                with partial_file(part.path.parent) as changed:
                    changed.write(data)
                    return put(changed)._replace(received_sha256=part.sha256)
            except OSError as error:  # there may be room for one file, but not for two
                problem = _problem(error)
        return self._instead(put(part), problem)

    def keep(self, saved: Saved) -> Saved:
        """Put the metadata of a file that was saved before where it belongs, unless it is there."""
        if self.how != "embed":
            return self._sidecar(saved)
        try:
            return self._embed_later(saved)
        except Exception as error:  # the file is still there, and so may be others of the job
            return self._instead(saved, _problem(error))

    def _embed_later(self, saved: Saved) -> Saved:
        """Replace a saved file by one with metadata. Raises `CannotCarry`, `OSError`."""
        path = saved.path
        if path.is_symlink():
            raise CannotCarry("is a symbolic link")
        if not saved.sha256:  # it may have been edited since
            raise CannotCarry("has no digest in the ledger")
        with path.open("rb") as file:
            data = _checked_size(file.read(MOST_BYTES + 1))
        changed = embed(data, self.provenance)
        if changed == data:
            return saved
        with partial_file(path.parent) as part:
            part.write(changed)
            part.sync()
            if not replace_same(part, path, saved.sha256):
                raise CannotCarry("was changed meanwhile")
            notice = f'The metadata was embedded in "{path.name}", which already existed.'
            return Saved(path, False, part.sha256, (*saved.notices, notice), received_sha256=saved.sha256)

    def _instead(self, saved: Saved, problem: str) -> Saved:
        """Write the metadata of a file that cannot carry it beside it, and say why."""
        where = "so its metadata was saved beside it" if self.beside else "so its metadata was not saved"
        saved = saved._replace(notices=(*saved.notices, f'"{saved.path.name}" {problem}, {where}.'))
        return self._written_beside(saved) if self.beside else saved

    def _sidecar(self, saved: Saved) -> Saved:
        return self._written_beside(saved) if self.how == "sidecar" and self.beside else saved

    def _written_beside(self, saved: Saved) -> Saved:
        notice = _write_beside(saved.path, self.provenance.document(), force=self.force)
        return saved if notice is None else saved._replace(notices=(*saved.notices, notice))


def _problem(error: Exception) -> str:
    """Why a file has no metadata in it, for a sentence that begins with its name."""
    if isinstance(error, CannotCarry):
        return str(error)
    why = reason_of(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return f"could not be changed ({why})"


def embed(data: bytes, provenance: Provenance) -> bytes:
    """Return an image file with its provenance in it; the image itself is the same. Raises `CannotCarry`."""
    if has_manifest(data):
        raise CannotCarry(_MANIFEST)
    existing = packet_in(data)
    expected = _embedded(provenance.host, provenance.task_id, provenance.image_id)
    try:
        if existing is not None:
            found = parse(existing)
            if "dcterms:provenance" in found.properties:
                raise CannotCarry(_MANIFEST)
            if any(name.startswith("mj:") for name in found.properties):
                if read(data) == expected:
                    return data  # Pillow copies the metadata of a grid into its parts
                raise CannotCarry("already carries the metadata of another job")
        packet = _packet(provenance, existing)
    except BadPacket as error:
        raise CannotCarry(f"carries a description to which nothing can be added ({error})") from None
    changed = with_packet(data, packet, _png_texts(provenance))
    if read(changed) != expected:
        raise CannotCarry("carries a description that contradicts its metadata")
    return changed


def read(data: bytes) -> Embedded | None:
    """Return what the metadata in an image file says about its job, None if it has none of ours."""
    try:
        packet = packet_in(data)
        found = parse(packet) if packet is not None else None
    except (CannotCarry, BadPacket):
        return None
    return _embedded(*map(found.first, ("mj:Host", "mj:TaskID", "mj:ImageID"))) if found is not None else None


def read_file(path: Path) -> Embedded | None:
    """The same of a file; None also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return read(_checked_size(file.read(MOST_BYTES + 1)))
    except (CannotCarry, OSError):
        return None


def sidecar_of(path: Path) -> Path:
    """The file that has the metadata of an image beside it."""
    return path.with_name(f"{path.name}.json")


# -- in the file -----------------------------------------------------------------------------------


def _checked_size(data: bytes) -> bytes:
    """The bytes of a file, unless they are too many. Raises `CannotCarry`."""
    if len(data) > MOST_BYTES:
        raise CannotCarry("is too large")
    return data


def _packet(provenance: Provenance, existing: bytes | None) -> bytes:
    """The packet with the provenance, with shorter texts if it is too long. Raises `BadPacket`."""
    most, room = _MOST_TEXT, _MOST_PACKET + (len(existing) if existing is not None else 0)
    while True:
        properties = list(_properties(provenance, most))
        packet = build(properties) if existing is None else extend(existing, properties)
        if len(packet) <= room or most < 100:
            return packet
        most //= 2


def _properties(it: Provenance, most: int) -> list[Property]:
    prompt = _cut(it.prompt, most)

    def name(text: str | None) -> str:
        return _cut(text or "", min(most, _MOST_NAME))

    found = [
        Property("dc:description", prompt, "alt"),
        Property("dc:identifier", name(it.image_id)),
        Property("dc:type", ["Image"], "bag"),
        Property("dc:date", [it.date] if it.date else ()),
        Property("xmp:CreateDate", it.date or ""),
        Property("xmp:CreatorTool", name(it.software)),
        Property("photoshop:Credit", name(it.service)),
        Property("Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE),
        Property("Iptc4xmpExt:AISystemUsed", name(it.service)),
        Property("Iptc4xmpExt:AISystemVersionUsed", name(it.version)),
        Property("Iptc4xmpExt:AIPromptInformation", prompt),
        Property("mj:Host", it.host),
        Property("mj:Job", name(it.job)),
        Property("mj:TaskID", _usable(it.task_id) or ""),
        Property("mj:ImageID", _usable(it.image_id) or ""),
        Property("mj:Parents", [name(each) for each in it.parents[:_MOST_PARENTS]], "seq"),
        Property("mj:Action", name(it.action)),
        Property("mj:Parameters", _cut(it.parameters, most)),
        Property("mj:Seed", name(it.seed)),
    ]
    return [each for each in found if each.value]


def _png_texts(it: Provenance) -> dict[str, str]:
    """The texts of a PNG, by the keywords of its specification."""
    texts = {
        "Description": _cut(it.prompt, _MOST_TEXT),
        "Software": _cut(it.software, _MOST_NAME),
        "Source": _cut(it.service, _MOST_NAME),
    }
    return {keyword: text for keyword, text in texts.items() if text}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _embedded(host: str | None, task_id: str | None, image_id: str | None) -> Embedded | None:
    """What a file says, without texts that are no ids; None without a host."""
    host = _usable(host)
    return Embedded(host, _usable(task_id), _usable(image_id)) if host is not None else None


def _usable(text: str | None) -> str | None:
    usable = text is not None and 0 < len(text) <= _LONGEST_ID and text.isprintable() and " " not in text
    return text if usable else None


# -- beside the file -------------------------------------------------------------------------------


def _write_beside(path: Path, document: Mapping[str, Any], *, force: bool) -> str | None:
    """Write the metadata of a file beside it; returns what is wrong, as a sentence."""
    name = sidecar_of(path)
    data = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
    try:
        existing = _read_beside(name)
        if existing == data:
            return None
        replace = force or (existing is not None and _same_job(existing, document))
        if existing is not None and not replace:
            return f'"{name.name}" already exists, so the metadata of "{path.name}" was not saved.'
        place(data, name, force=replace)
    except (DownloadError, OSError) as error:
        return f'The metadata of "{path.name}" was not saved: {reason_of(error)}.'
    return None


def _read_beside(name: Path) -> bytes | None:
    """What a file beside an image has, None if there is none. Raises `OSError`."""
    if not name.exists():
        return None
    if not name.is_file():
        return b""
    with name.open("rb") as file:
        return file.read(_MOST_BESIDE)


def _same_job(existing: bytes, document: Mapping[str, Any]) -> bool:
    try:
        known = json.loads(existing)
    except (ValueError, RecursionError):
        return False
    same = ("host", "task_id", "image_id", "digital_source_type")
    return isinstance(known, dict) and all(known.get(each) == document[each] for each in same)
