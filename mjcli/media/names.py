"""File names, from the user's template and the service's data, which is never trusted."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import re
import stat
import string
import time
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mjcli.errors import NameInUse, UsageError
from mjcli.media.formats import is_extension

PLACEHOLDERS = ("prompt", "image_id", "task_id", "action", "index", "date", "ext")
DEFAULT_TEMPLATE = "{prompt}_{image_id}.{ext}"
MAX_NAME = 119  # bytes
_ROOM = len("-9999_4")  # for the end of a numbered name
_MOST = 255  # bytes of a name that file systems allow
_LONGEST_SUFFIX = 16  # bytes, the dot included
MAX_SIZE = 2 * 1024**3  # bytes
_SIZE_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_FORBIDDEN = frozenset('/\\:*?"<>|')
# Windows opens devices under these names, whatever the extension.
_DEVICES = frozenset(
    [
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(p + n for p in ("com", "lpt") for n in "123456789¹²³"),
    ]
)


class Target(NamedTuple):
    """Where files are saved: a directory and a template for paths in it; with `split`, grids are also split.

    The components of the template are separated by `/`. `max_size` is the most that a file may have, in bytes.
    With `stdout`, the bytes of one image go to standard output, and `directory` has its temporary file. `metadata` says
    where the provenance of images is saved: `embed`, `sidecar` or `off`.
    """

    directory: Path
    template: str = DEFAULT_TEMPLATE
    split: bool = False
    max_size: int = MAX_SIZE
    stdout: bool = False
    metadata: str = "off"

    @property
    def fixed(self) -> Path | None:
        """The path of a template without placeholders; None for one with placeholders."""
        return None if "{" in self.template else self.directory / self.template


def parse_target(output: str | None, directory: Path) -> Target:
    """Parse an absolute `--output`: a directory, or a file name; without one, files go to `directory`.

    Every component may contain placeholders. Raises `UsageError` for one that is unknown, and for `..` after one.
    """
    if not output:
        return Target(directory)
    path = Path(output)
    names_file = "{" in path.name or bool(path.suffix)
    if output.endswith(("/", os.sep)) or os.path.isdir(path) or not names_file:  # noqa: PTH112 - never raises
        if "{" not in output:
            return Target(path)
        path = path / DEFAULT_TEMPLATE
    elif not path.suffix and "{ext}" not in path.name:
        path = path.with_name(f"{path.name}.{{ext}}")
    check_template(str(path))
    literal = list(itertools.takewhile(lambda part: "{" not in part, path.parts[:-1]))
    parts = path.parts[len(literal) :]
    if ".." in parts:
        raise UsageError('--output cannot contain ".." after a placeholder.')
    return Target(Path(*literal), "/".join(parts))


def check_template(template: str) -> None:
    """Refuse unknown placeholders and unmatched braces. Raises `UsageError`."""
    try:
        fields = [
            (name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(template)
        ]
    except ValueError:
        raise UsageError(
            f'The --output "{template}" has an unmatched brace; write {{{{ for a literal brace.'
        ) from None
    known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
    for name, spec, conversion in fields:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            raise UsageError(f'The --output placeholder "{{{name}}}" is unknown; use {known}.')


def check_for_several(target: Target) -> None:
    """Raise `UsageError` when the files of several jobs would get the same name."""
    if target.stdout:
        raise UsageError("--output - writes one image, but there are several jobs; give a directory instead.")
    if target.fixed is not None:
        raise UsageError(
            f'"{target.template}" is the name of one file, but there are several jobs; give a directory or a name '
            "with {image_id}."
        )


def parse_size(text: str) -> int:
    """Parse a number of bytes such as `500000`, `10M` or `2G`. Raises `UsageError`."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * _SIZE_UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise UsageError(f'"{text}" is not a size; write --max-size as bytes, or as 10M or 2G.')
    return size


def check_windows_names(target: Target) -> None:
    """Raise `UsageError` for a name that Windows does not allow, or would change."""
    names = [(name, name) for name in target.directory.parts[1:]]
    for part in target.template.split("/"):
        # Values of placeholders are always allowed.
        names.append((part, "".join(text for text, *_ in string.Formatter().parse(part))))
    for name, text in names:
        bad = next((c for c in text if c in _FORBIDDEN or c < " "), None)
        if bad is not None:
            reason = f'because of the character "{bad}"'
        elif name.endswith((".", " ")):
            reason = f'because of the "{name[-1]}" at its end'
        elif _is_device(name):
            reason = "where it is a device"
        else:
            continue
        raise UsageError(f'"{name}" cannot be a name on Windows, {reason}; choose another --output.')


def check_free(target: Target, fields: Mapping[str, str], *, count: int, extensions: Sequence[str]) -> None:
    """Raise `NameInUse` when a name that a new job's files would get is in use, as far as names are known.

    `fields` are the values that are known before the job is sent, `count` is the number of its files, and
    `extensions` are those that they may have.
    """
    names = _placeholders(target.template)
    if not names <= {*fields, "ext", "index"}:
        return
    for extension in extensions if "ext" in names else extensions[:1]:
        for index in range(1, count + 1):
            path = name_for(target, fields, ext=extension, index=index, count=count)
            parts = [part_of(path, number) for number in range(1, 5)] if target.split else []
            for each in (path, *parts):
                if in_use(each):
                    raise NameInUse(
                        f'"{each}" already exists. Nothing was sent.',
                        hint="choose another --output, or add --force to replace it",
                    )


def known_directory(target: Target, fields: Mapping[str, str]) -> Path:
    """The deepest directory of a job's files that is known from `fields`, the values known before it is sent."""
    known: list[str] = []
    for part in target.template.split("/")[:-1]:
        if not _placeholders(part) <= {*fields, "index"}:
            break
        known.append(part)
    first = target._replace(template="/".join([*known, "{ext}"]))
    return name_for(first, fields, ext="png", index=1, count=1).parent


def for_quadrant(target: Target, number: int) -> Target:
    """The target of an image that was taken out of a grid: its number is in the same place as that of `part_of`.

    A template that the user wrote has it only as {index}.
    """
    template = target.template
    if template == DEFAULT_TEMPLATE:
        stem, dot, suffix = template.rpartition(".")
        template = f"{stem}_{{index}}{dot}{suffix}"
    return target._replace(template=_with_index(template, number))


def for_quadrants(target: Target) -> Target:
    """The target of several images that are taken out of one grid, from the name of one file."""
    fixed = target.fixed
    if fixed is None:
        return target
    stem, dot, suffix = target.template.rpartition(".")
    return target._replace(template=f"{stem}_{{index}}{dot}{suffix}" if stem else f"{suffix}_{{index}}")


def _with_index(template: str, number: int) -> str:
    """A template in which {index} is replaced."""
    text = ""
    for literal, field, _, _ in string.Formatter().parse(template):
        text += literal.replace("{", "{{").replace("}", "}}")
        text += "" if field is None else str(number) if field == "index" else f"{{{field}}}"
    return text


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def in_use(path: Path) -> bool:
    """Whether a name belongs to anything but an empty file."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(status.st_mode) or status.st_size > 0


def numbered(path: Path, number: int) -> Path:
    """The name to use when the names with lower numbers are in use: `cat.png`, `cat-2.png`, `cat-3.png`."""
    return path if number == 1 else _with_end(path, f"-{number}")


def part_of(grid: Path, number: int) -> Path:
    """The name of one of the four images of a grid (1 is top left, 4 is bottom right)."""
    return _with_end(grid, f"_{number}")


def step_of(final: Path, number: int, extension: str) -> Path:
    """The name of an intermediate picture of a job (from 1), beside its final one."""
    return _with_end(_as(final, extension), f"-step{number}")


def timelapse_of(final: Path, extension: str) -> Path:
    """The name of the animation of a job's steps."""
    return _with_end(_as(final, extension), "-timelapse")


def _as(path: Path, extension: str) -> Path:
    """A name of an image with another extension."""
    return path.with_suffix(f".{extension}") if is_extension(path.suffix) else Path(f"{path}.{extension}")


def _with_end(path: Path, end: str) -> Path:
    end += path.suffix
    return path.with_name(cut(path.stem, _MOST - len(end.encode())) + end)


def is_variant(path: Path, name: Path) -> bool:
    """Whether a path is a name or one of its numbered forms, with any extension of an image or video."""
    if path.parent != name.parent:
        return False
    # The end of `x.{index}` is not an extension, and tells the files of a job apart.
    if path.suffix != name.suffix and not (is_extension(path.suffix) and is_extension(name.suffix)):
        return False
    if path.stem == name.stem:
        return True
    _stem, dash, number = path.stem.rpartition("-")
    return bool(dash) and number.isdecimal() and numbered(name, int(number)).stem == path.stem


def fields_of(
    *,
    prompt: str,
    image_id: str | None,
    task_id: str | None,
    action: str,
    created_at: float | None = None,
) -> dict[str, str]:
    """The values of the placeholders, each safe for use in one path component.

    `date` is the local day of `created_at` (Unix seconds, default now).
    """
    slug = slug_of(prompt) or safe(action)
    return {
        "prompt": slug or "image",
        "image_id": safe(image_id or task_id or "") or "image",
        "task_id": safe(task_id or "") or "task",
        "action": safe(action) or "image",
        "date": _day_of(created_at).isoformat(),
    }


def _day_of(created_at: float | None) -> datetime.date:
    """The local day of a moment; today for None, and for a moment outside the calendar.

    A clock that is outside it, too, counts as unset: the first day of Unix.
    """
    for moment in (created_at, time.time()):
        if moment is not None:
            with contextlib.suppress(OverflowError, ValueError, OSError):
                return datetime.date.fromtimestamp(moment)
    return datetime.date(1970, 1, 1)


def name_for(target: Target, fields: Mapping[str, str], *, ext: str, index: int, count: int) -> Path:
    """The path of file `index` (from 1) of `count`: always in the target's directory, whatever the fields are."""
    *parents, template = target.template.split("/")
    if count > 1 and "{index}" not in target.template:
        stem, dot, suffix = template.rpartition(".")
        template = f"{stem}_{{index}}{dot}{suffix}" if dot else f"{template}_{{index}}"
    values = {**fields, "ext": ext}
    limit = MAX_NAME if target.fixed is None else _MOST if count > 1 else None
    name = _fitted(template, values, limit and limit - _ROOM, index=index, count=count)
    directories = [
        _as_directory(_fitted(each, values, MAX_NAME - _ROOM, index=index, count=count, suffix=False))
        for each in parents
    ]
    return target.directory.joinpath(*directories, _avoid_device(name) if target.fixed is None else name)


def _as_directory(name: str) -> str:
    """The name of a directory, which neither leads elsewhere nor ends as Windows allows no name to end."""
    return _avoid_device(name.rstrip(". ") or "_")


class _Piece(NamedTuple):
    """A part of a name, from a placeholder (`field`) or from the literal text of the template (None)."""

    field: str | None
    text: str


def _fitted(
    template: str,
    values: Mapping[str, str],
    limit: int | None,
    *,
    index: int,
    count: int,
    suffix: bool = True,
) -> str:
    """The name of file `index` of `count`, of at most `limit` bytes; different files have different names.

    With `suffix`, it keeps its extension when it is cut.
    """
    name = template.format_map({**values, "index": str(index)})
    # The widest index and extension, so that all files of a job, and all forms of one, are cut alike.
    widest = {**values, "index": str(max(count, index)), "ext": values["ext"].ljust(4, "x")}
    excess = 0 if limit is None else len(template.format_map(widest).encode()) - limit
    if excess <= 0:
        return name
    stem, end = (template, "") if not suffix else _parted(template, widest)
    if suffix and not template.endswith(end):
        excess += len(end.format_map(widest))
    pieces = _cut_pieces(_pieces(stem, widest), excess)
    texts = [str(index) if each.field == "index" else each.text for each in pieces]
    return "".join(texts) + end.format_map({**values, "index": str(index)})


def _parted(template: str, values: Mapping[str, str]) -> tuple[str, str]:
    """The template of a name, and that of its extension with the dot, `.{ext}` if it has none."""
    stem, dot, suffix = template.rpartition(".")
    if not dot or len(f".{suffix.format_map(values)}".encode()) > _LONGEST_SUFFIX:
        return template, ".{ext}"
    return stem, f".{suffix}"


def _pieces(template: str, values: Mapping[str, str]) -> list[_Piece]:
    found = []
    for literal, field, _, _ in string.Formatter().parse(template):
        found += [_Piece(None, literal)] if literal else []
        found += [_Piece(field, values[field])] if field is not None else []
    return found


def _cut_pieces(pieces: list[_Piece], excess: int) -> list[_Piece]:
    """Shorten a name: the prompt first, then literal text, then ids, the longest first, but never the index."""
    pieces = list(pieces)
    order = sorted(
        (n for n, each in enumerate(pieces) if each.field != "index"),
        key=lambda n: (
            (pieces[n].field != "prompt") + (pieces[n].field not in ("prompt", None)),
            -len(pieces[n].text),
        ),
    )
    for n in order:
        if excess <= 0:
            break
        text = pieces[n].text
        shorter = cut(text, max(len(text.encode()) - excess, 1))
        excess -= len(text.encode()) - len(shorter.encode())
        pieces[n] = pieces[n]._replace(text=shorter)
    return pieces


def slug_of(prompt: str) -> str:
    """The words of a prompt, without its links and parameters, as `a-cat-on-a-table`."""
    words = []
    for word in prompt.split():
        if word.startswith(("--", "—", "–")):
            break
        if not word.lower().startswith(("http://", "https://")):
            words.append(word)
    letters = "".join(
        c if unicodedata.category(c)[0] in "LNM" and _storable(c) else " "
        for c in unicodedata.normalize("NFKC", " ".join(words))
    )
    return "-".join(letters.split()).lower()


def safe(text: str) -> str:
    """`text` as one path component: no separators, control or bidi characters, and not `.` or `..`."""
    name = "".join(
        "_" if c in _FORBIDDEN or unicodedata.category(c)[0] == "C" or not _storable(c) else c for c in text
    )
    name = cut(name, 64)
    return name.replace(".", "_") if name.strip(". ") == "" else name


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, never part of a character."""
    return text.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").rstrip("-_ ")


def _storable(character: str) -> bool:
    """Whether the file system's encoding can represent the character."""
    try:
        os.fsencode(character)
    except UnicodeEncodeError:
        return False
    return True


def _avoid_device(name: str) -> str:
    return f"_{name}" if _is_device(name) else name


def _is_device(name: str) -> bool:
    return name.partition(".")[0].rstrip(" ").lower() in _DEVICES
