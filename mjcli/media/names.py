"""File names, from the user's template and the service's data, which is never trusted."""

from __future__ import annotations

import datetime
import os
import string
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mjcli.errors import ConfigError, UsageError

PLACEHOLDERS = ("prompt", "image_id", "task_id", "action", "index", "date", "ext")
DEFAULT_TEMPLATE = "{prompt}_{image_id}.{ext}"
MAX_NAME = 119  # bytes
_FORBIDDEN = frozenset('/\\:*?"<>|')
# Windows opens devices under these names, whatever the extension.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))]
)


class Target(NamedTuple):
    """Where files are saved: a directory and a template for names in it; with `split`, grids are also split."""

    directory: Path
    template: str = DEFAULT_TEMPLATE
    split: bool = False

    @property
    def fixed(self) -> Path | None:
        """The path of a template without placeholders; None for one with placeholders."""
        return None if "{" in self.template else self.directory / self.template


def parse_target(output: str | None, directory: str | Path) -> Target:
    """Parse `--output`: a directory, or a file name with placeholders; `directory` is the default directory.

    Raises `UsageError` for an unknown placeholder.
    """
    if not output:
        return Target(Path(directory).expanduser().absolute())
    path = Path(output).expanduser()
    if output.endswith(("/", os.sep)) or path.is_dir() or ("{" not in path.name and not path.suffix):
        if "{" not in output:
            return Target(path.absolute())
        path = path / DEFAULT_TEMPLATE
    _check_template(str(path))
    name = path.name if "{ext}" in path.name or path.suffix else f"{path.name}.{{ext}}"
    if "{" in str(path.parent):
        raise UsageError("--output takes placeholders in the file name, not in the directory.")
    return Target(path.parent.absolute(), name)


def _check_template(template: str) -> None:
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
    if target.fixed is not None:
        raise UsageError(
            f'"{target.template}" is the name of one file, but there are several jobs; give a directory or a name '
            "with {image_id}."
        )


def check_writable(target: Target, *, force: bool) -> None:
    """Raise `ConfigError` when files cannot be saved there; call it before paying for a job."""
    directory = target.directory
    while not os.path.lexists(directory):
        directory = directory.parent
    if not directory.is_dir():
        raise ConfigError(
            f'"{directory}" is not a directory, so no files can be saved there; choose another --output.'
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f'The directory "{directory}" cannot be written; choose another --output.')
    fixed = target.fixed
    if fixed is not None and fixed.is_dir():
        raise ConfigError(
            f'"{fixed}" is a directory; give a file name in it as --output, or end it with a slash.'
        )
    if fixed is not None and not force and not may_take(fixed):
        raise ConfigError(
            f'"{fixed}" already exists and is not an image; choose another --output or use --force.'
        )


def may_take(path: Path) -> bool:
    """Whether a path is free, or holds an image (complete or not) rather than some other file of the user."""
    from mjcli.media.formats import extension_of

    if not os.path.lexists(path):
        return True
    if not path.is_file():
        return False  # reading a pipe could block forever
    try:
        with path.open("rb") as file:
            head = file.read(16)
        return not head or extension_of(head) is not None
    except OSError:
        return False


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
    """The local day of a moment; today for None, and for a moment outside the calendar."""
    if created_at is not None:
        try:
            return datetime.date.fromtimestamp(created_at)
        except (OverflowError, ValueError, OSError):
            pass
    return datetime.date.fromtimestamp(time.time())


def name_for(target: Target, fields: Mapping[str, str], *, ext: str, index: int, count: int) -> Path:
    """The path of file `index` (from 1) of `count`: always in the target's directory, whatever the fields are."""
    template = target.template
    if count > 1 and "{index}" not in template:
        stem, dot, suffix = template.rpartition(".")
        template = f"{stem}_{{index}}{dot}{suffix}" if dot else f"{template}_{{index}}"
    values = {**fields, "ext": ext, "index": str(index)}
    name = template.format_map(values)
    excess = len(name.encode()) - MAX_NAME
    if excess > 0:
        values["prompt"] = cut(values["prompt"], max(len(values["prompt"].encode()) - excess, 1))
        name = template.format_map(values)
    if len(name.encode()) > MAX_NAME and target.fixed is None:
        name = cut(name, MAX_NAME - len(ext) - 1).rstrip(".") + f".{ext}"
    return target.directory / (_avoid_device(name) if target.fixed is None else name)


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
    return f"_{name}" if name.partition(".")[0].lower() in _DEVICES else name
