"""Names for files: from the user's template and from what the service says, which is never trusted."""

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
    """Where files go: a directory and a template for the names in it; with `split`, grids are cut as well."""

    directory: Path
    template: str = DEFAULT_TEMPLATE
    split: bool = False

    @property
    def fixed(self) -> Path | None:
        """The one path that the template means whatever is downloaded, if it is such a one."""
        return None if "{" in self.template else self.directory / self.template


def parse_target(output: str | None, directory: str | Path) -> Target:
    """Read `--output`: a directory, or a file name with placeholders; `directory` is the default one.

    Raises `UsageError` for a placeholder that is not known.
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
        raise UsageError("--output takes placeholders in the file's name, not in its directory.")
    return Target(path.parent.absolute(), name)


def _check_template(template: str) -> None:
    try:
        fields = [
            (name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(template)
        ]
    except ValueError:
        raise UsageError(
            f"--output {template} has a brace that is never closed or opened; write {{{{ for a brace."
        ) from None
    for name, spec, conversion in fields:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            raise UsageError(
                f"--output does not know {{{name}}}; known are {', '.join(f'{{{each}}}' for each in PLACEHOLDERS)}."
            )


def check_for_several(target: Target) -> None:
    """Refuse one name for the files of several jobs. Raises `UsageError`."""
    if target.fixed is not None:
        raise UsageError(
            f"{target.template} is the name of one file, and several jobs are meant; give a directory, or a name "
            "with {image_id}."
        )


def check_writable(target: Target, *, force: bool) -> None:
    """Find out before anything is paid for that files cannot be put there. Raises `ConfigError`."""
    directory = target.directory
    while not os.path.lexists(directory):
        directory = directory.parent
    if not directory.is_dir():
        raise ConfigError(
            f"{directory} is no directory, so no files can be saved there; choose another --output."
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"The directory {directory} cannot be written; choose another with --output.")
    fixed = target.fixed
    if fixed is not None and fixed.is_dir():
        raise ConfigError(
            f"{fixed} is a directory; --output needs a file name there, or end it with a slash."
        )
    if fixed is not None and not force and not may_take(fixed):
        raise ConfigError(f"{fixed} is there already and is no picture; choose another --output, or --force.")


def may_take(path: Path) -> bool:
    """Whether a path is free, or holds a picture, whole or not, rather than something of the user's."""
    from mjcli.filetypes import extension_of

    if not os.path.lexists(path):
        return True
    if not path.is_file():
        return False  # a pipe, say, of which nobody knows when there will be something to read
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
    asked_at: float | None = None,
) -> dict[str, str]:
    """What the placeholders stand for, each made safe to stand in one path component.

    `asked_at` (Unix seconds, default now) is the moment whose date is meant.
    """
    slug = slug_of(prompt) or safe(action)
    return {
        "prompt": slug or "image",
        "image_id": safe(image_id or task_id or "") or "image",
        "task_id": safe(task_id or "") or "task",
        "action": safe(action) or "image",
        "date": _day_of(asked_at).isoformat(),
    }


def _day_of(asked_at: float | None) -> datetime.date:
    """The local day of a moment; today for none, and for one that no calendar has."""
    if asked_at is not None:
        try:
            return datetime.date.fromtimestamp(asked_at)
        except (OverflowError, ValueError, OSError):
            pass
    return datetime.date.fromtimestamp(time.time())


def name_for(target: Target, fields: Mapping[str, str], *, ext: str, index: int, count: int) -> Path:
    """The path of file `index` (from 1) of `count`; it lies in the target's directory whatever the fields say."""
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
    return target.directory / (_undevice(name) if target.fixed is None else name)


def slug_of(prompt: str) -> str:
    """The words of a prompt, without its links and parameters, as `a-cat-on-a-table`."""
    words = []
    for word in prompt.split():
        if word.startswith(("--", "—", "–")):
            break
        if not word.lower().startswith(("http://", "https://")):
            words.append(word)
    kept = "".join(
        c if unicodedata.category(c)[0] in "LNM" and _storable(c) else " "
        for c in unicodedata.normalize("NFKC", " ".join(words))
    )
    return "-".join(kept.split()).lower()


def safe(text: str) -> str:
    """`text` as one path component: no separators, controls or marks that reorder, and not `.` or `..`."""
    kept = "".join(
        "_" if c in _FORBIDDEN or unicodedata.category(c)[0] == "C" or not _storable(c) else c for c in text
    )
    kept = cut(kept, 64)
    return kept.replace(".", "_") if kept.strip(". ") == "" else kept


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").rstrip("-_ ")


def _storable(character: str) -> bool:
    """Whether the file system's encoding has the character; outside UTF-8 it may not."""
    try:
        os.fsencode(character)
    except UnicodeEncodeError:
        return False
    return True


def _undevice(name: str) -> str:
    return f"_{name}" if name.partition(".")[0].lower() in _DEVICES else name
