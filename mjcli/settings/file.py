"""The config file: read, check, edit and replace it."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from mjcli.errors import ConfigError, MjError, Remedy, UnknownProfile, UsageError, without_stop
from mjcli.files import exclusive, rename
from mjcli.settings.schema import (
    DEFAULT_PROFILE,
    SECRETS,
    Setting,
    check_document,
    check_table,
    is_secret,
    locate,
    parse_value,
)

_MAX_BYTES = 1 << 20
_LOCK_SECONDS = 30.0
_MAX_DOTS = 100
_LOG_IN = {
    "token": Remedy.LOG_IN,
    "files_token": Remedy.LOG_IN_FILES,
    "platform_token": Remedy.LOG_IN_PLATFORM,
}
_LOG_OUT = {
    "token": Remedy.LOG_OUT,
    "files_token": Remedy.LOG_OUT_FILES,
    "platform_token": Remedy.LOG_OUT_PLATFORM,
}
# Why a file cannot be replaced although it may be writable: a mount point, a directory of others.
_NOT_REPLACEABLE = (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS)
_STRINGS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"""|\'\'\'(?:[^\']|\'(?!\'\'))*+\'\'\'|"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'|#[^\n]*+',
    re.DOTALL,
)


class _Change(NamedTuple):
    """A new value for a key, or None to remove it."""

    tables: tuple[str, ...]
    key: str
    value: str | bool | float | None


# --- Read.


def read(path: Path) -> tuple[bytes, int | None]:
    """The bytes of the file and its `st_mode`.

    The mode is None if there is no file, which reads as empty, or if it is not a regular file. ConfigError if
    it cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode) and str(path) != os.devnull:
                kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
                raise ConfigError(f"The config file {path} is {kind}.")
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        if path.parent.is_file():  # which Windows does not report as another error
            raise ConfigError(
                f"The config file {path} cannot be read: {path.parent} is not a directory."
            ) from None
        return b"", None
    except IsADirectoryError:
        raise ConfigError(f"The config file {path} is a directory.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError) and error.errno == errno.ENXIO:  # a socket
            raise ConfigError(f"The config file {path} is not a regular file.") from None
        raise ConfigError(f"The config file {path} cannot be read: {_reason(error)}.") from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"The config file {path} is larger than 1 MiB.")
    return raw, mode if stat.S_ISREG(mode) else None


def parse(raw: bytes, path: Path) -> dict[str, Any]:
    """The TOML document in `raw`, with its keys and values unchecked; ConfigError if it is not TOML."""
    if not raw:
        return {}
    text = _decode(raw, path)
    import tomllib

    try:
        _refuse_long_keys(text)
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, _TooDeep) as error:
        raise ConfigError(f"The config file {path} is not valid TOML: {without_stop(str(error))}.") from None
    except RecursionError:
        raise ConfigError(f"The config file {path} is not valid TOML: nested too deeply.") from None
    except ValueError:  # more digits than Python converts
        raise ConfigError(f"The config file {path} has a number that is too long.") from None


class _TooDeep(ValueError):
    pass


def _refuse_long_keys(text: str) -> None:
    """`_TooDeep` for a dotted key of more than `_MAX_DOTS` parts: their cost grows with the square."""
    if text.count(".") <= _MAX_DOTS:
        return
    for number, line in enumerate(_STRINGS.sub(_newlines, text).split("\n"), start=1):
        if line.count(".") > _MAX_DOTS:
            raise _TooDeep(f"nested too deeply (line {number})")


def _newlines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def file_value(path: Path, key: str) -> Any:
    """The value in the file under a dotted key such as `profiles.work.base_url`, or None.

    UsageError for a key that the file cannot have, and for a token.
    """
    where = locate(key, profile=DEFAULT_PROFILE)
    refuse_secret(key)
    node: Any = parse(read(path)[0], path)
    check_document(node, path)
    for name in where:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def refuse_secret(key: str) -> None:
    """UsageError if `key` names a token."""
    if is_secret(key):
        raise UsageError("Tokens are never shown.", remedy=Remedy.TOKEN_STATUS)


def require_profile(path: Path, profile: Setting) -> None:
    """ConfigError, listing the profiles of the file, if `profile` is not one of them; `default` need not exist."""
    profiles = parse(read(path)[0], path).get("profiles", {})
    if isinstance(profiles, dict):  # otherwise the edit that follows reports it
        check_profile_exists(profile, profiles, path)


def check_profile_exists(profile: Setting, profiles: Mapping[str, Any], path: Path) -> None:
    """As `require_profile`, for the `profiles` table of a file that was read already."""
    if profile.value in profiles or profile.value == DEFAULT_PROFILE:
        return
    known = ", ".join(profiles) or "no profiles"
    raise UnknownProfile(
        f'Profile "{profile.value}" ({profile.source}) is not in {path}; it has {known}.',
        remedy=Remedy.LOG_IN,
        profile=profile.value,
    )


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"The config file {path} is not UTF-8 text (line {line}).") from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


# --- Change. Each function raises ConfigError if the file cannot be changed, and then leaves it as it was.


def set_value(path: Path, key: str, value: str, *, profile: str) -> str | bool | float:
    """Set `key`, as `config set` takes it, from text; returns the typed value.

    UsageError for an unknown key, an invalid value, or a token, because argument lists are public.
    """
    where = locate(key, profile=profile)
    if where[-1] in SECRETS:
        raise UsageError(
            "Tokens cannot be passed as arguments, which other users can read.",
            remedy=_LOG_IN[where[-1]],
        )
    try:
        typed = parse_value(where, value)
    except ValueError as error:
        raise UsageError(f"{key} {error}.") from None
    _edit(path, [_Change(where[:-1], where[-1], typed)])
    return typed


def unset_value(path: Path, key: str, *, profile: str) -> bool:
    """Remove `key` from the file; False if it was not there. UsageError for a token: see `remove_token`."""
    where = locate(key, profile=profile)
    if where[-1] in SECRETS:
        raise UsageError("Tokens cannot be removed with mj config unset.", remedy=_LOG_OUT[where[-1]])
    return _edit(path, [_Change(where[:-1], where[-1], None)])


def set_token(
    path: Path,
    token: str,
    *,
    profile: str,
    base_url: str | None = None,
    token_in: str | None = None,
    key: str = "token",
) -> None:
    """Save `token`, and `base_url` and `token_in` if given, in the profile, which is created if necessary.

    `key` is one of `SECRETS`. The caller has checked the values.
    """
    values = {key: token, "base_url": base_url, "token_in": token_in}
    tables = ("profiles", profile)
    _edit(path, [_Change(tables, name, value) for name, value in values.items() if value is not None])


def remove_token(path: Path, *, profile: str, key: str = "token") -> bool:
    """Remove a token (one of `SECRETS`) from the profile, whose other keys stay; False if it had none."""
    return _edit(path, [_Change(("profiles", profile), key, None)])


def _edit(path: Path, changes: Sequence[_Change]) -> bool:
    """Make all the changes in the file or none; False if there is nothing to change.

    The lock is on the directory, because the file is replaced and a lock on it would stay with the old one.
    """
    try:
        target = Path(os.path.realpath(path))  # a symlink is kept: its target is written
        if all(change.value is None for change in changes) and not path.exists():
            return False
        _create_private(target.parent)
        with exclusive(target.parent, _LOCK_SECONDS):
            raw, mode = read(path)
            if target.exists() and mode is None:
                raise ConfigError(f"The config file {path} is not a regular file, so it cannot be changed.")
            expected = parse(raw, path)
            if not _apply(expected, changes, path):
                return False
            check_document(expected, path)
            _replace(target, _edited(_decode(raw, path), changes, expected, path))
    except MjError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"The config file {path} cannot be written: {_reason(error)}.") from None
    return True


def _apply(document: dict[str, Any], changes: Sequence[_Change], path: Path) -> bool:
    """Make the changes in plain dictionaries; False if they only remove keys that are not there."""
    changed = False
    for tables, key, value in changes:
        node = document
        for depth, name in enumerate(tables):
            node = node.setdefault(name, {})
            check_table(node, path, ".".join(tables[: depth + 1]))
        if value is None:
            changed |= node.pop(key, None) is not None
            if tables[0] == "presets" and not node:
                del document["presets"][tables[1]]
        else:
            node[key] = value
            changed = True
    return changed


# --- Edit the text, keeping comments and order. tomlkit is imported late: most commands only read.


def _edited(text: str, changes: Sequence[_Change], expected: dict[str, Any], path: Path) -> bytes:
    """The text with the changes made and everything else unchanged.

    ConfigError unless the new text reads as `expected`, whatever the library makes of an unusual layout.
    """
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    by_hand = ConfigError(f"The config file {path} has a layout that mj cannot edit; edit it by hand.")
    try:
        document = tomlkit.parse(text if not text or text.endswith("\n") else text + "\n")
        for change in changes:
            _edit_document(document, change)
        content = tomlkit.dumps(document)
        result = tomllib.loads(content)
        spaced = _spaced(content, text)
        if tomllib.loads(spaced) == result:
            content = spaced
    except (TOMLKitError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise by_hand from None
    if _without_empty(result) != _without_empty(expected):
        raise by_hand
    return content.encode()


def _edit_document(document: MutableMapping[str, Any], change: _Change) -> None:
    table = document
    for depth, name in enumerate(change.tables, start=1):
        if name not in table:
            _add_table(table, name, is_last=depth == len(change.tables))
        table = table[name]
    if change.value is not None:
        _put(table, change.key, change.value)
        return
    table.pop(change.key, None)
    if change.tables[0] == "presets" and not table:
        document["presets"].remove(change.tables[1])


def _add_table(parent: MutableMapping[str, Any], name: str, *, is_last: bool) -> None:
    """Add an empty table; the last one of a path gets a header of its own."""
    import tomlkit
    from tomlkit.items import InlineTable

    inline = isinstance(parent, InlineTable)
    new = tomlkit.inline_table() if inline else tomlkit.table(is_super_table=not is_last)
    tail = _cut_tail(list(parent.values())[-1]) if is_last and parent and not inline else []
    parent[name] = new
    new.value.body.extend(tail)


def _put(table: MutableMapping[str, Any], key: str, value: str | bool | float) -> None:
    """Set a key; a new one goes after the last key of its table, before comments on the next table."""
    tail = [] if key in table else _cut_tail(table)
    table[key] = value
    if tail:
        table.value.body.extend(tail)  # type: ignore[attr-defined]


def _cut_tail(table: Any) -> list[Any]:
    """Cut off the blank lines and comments at the end of a table: they belong to what follows it."""
    from tomlkit.items import Table, Whitespace

    if not isinstance(table, Table):
        return []
    body = table.value.body
    keys = [at for at, (name, _) in enumerate(body) if name is not None]
    blanks = [at for at, (_, item) in enumerate(body) if isinstance(item, Whitespace)]
    cut = keys[-1] + 1 if keys else (blanks or [len(body)])[0]
    tail, body[cut:] = body[cut:], []
    return list(tail)


def _spaced(content: str, before: str) -> str:
    """The text with a blank line around each table whose header is not in `before`."""
    old_lines = set(before.splitlines())
    lines: list[str] = []
    after_new = False
    for line in content.split("\n"):
        if line.startswith("["):
            new = line.rstrip("\r") not in old_lines
            above = lines[-1].strip() if lines else ""
            if above and (new or (after_new and not above.startswith("#"))):
                lines.append("")
            after_new = new
        lines.append(line)
    return "\n".join(lines)


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in document.items() if table}


# --- Replace.


def _create_private(directory: Path) -> None:
    """Create the directory and its missing parents, accessible to their owner only."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for new in reversed(missing):
        new.mkdir(mode=0o700, exist_ok=True)


def _replace(target: Path, content: bytes) -> None:
    """Replace the file in one step; one that has to stay (a bind mount, a hard link) is overwritten.

    Only its owner can read the file, unless that is another user, whose file keeps its owner and mode.
    """
    before = target.stat() if target.exists() else None
    if before is None:
        _rename_over(target, content, None)
    elif before.st_nlink > 1:
        _overwrite(target, content)
    else:
        try:
            _rename_over(target, content, before)
        except OSError as error:
            if error.errno not in _NOT_REPLACEABLE:
                raise
            _overwrite(target, content)
    _flush_directory(target.parent)


def _rename_over(target: Path, content: bytes, before: os.stat_result | None) -> None:
    temporary = _write_beside(target, content, before)
    try:
        rename(temporary, target, replace=True)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_beside(target: Path, content: bytes, before: os.stat_result | None = None) -> Path:
    """A new hidden file in the directory of `target`, complete on the disk, with the owner that `before` has."""
    temporary = target.with_name(f".{target.name[:100]}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if before is not None and os.name == "posix":
                _keep_owner(descriptor, before)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _keep_owner(descriptor: int, before: os.stat_result) -> None:
    """Give a new file the owner of the old one, and another user's file its mode. OSError if that is refused."""
    new = os.fstat(descriptor)
    if before.st_uid != new.st_uid:
        os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
    elif before.st_gid != new.st_gid:
        with suppress(OSError):
            os.fchown(descriptor, -1, before.st_gid)


def _overwrite(target: Path, content: bytes) -> None:
    """Write a file in place. What it had is restored if that fails, and is beside it if the process is killed."""
    with target.open("r+b", buffering=0) as file:
        old = file.read()
        backup = None
        with suppress(OSError):  # a read-only directory
            backup = _write_beside(target, old)
        try:
            _write_whole(file, content)
        except BaseException:
            _write_whole(file, old)
            raise
        finally:
            # Kept if restoring failed.
            if backup is not None and target.read_bytes() in (old, content):
                backup.unlink()
        if os.name == "posix" and os.fstat(file.fileno()).st_uid == os.geteuid():
            with suppress(OSError):
                os.fchmod(file.fileno(), 0o600)


def _write_whole(file: FileIO, content: bytes) -> None:
    file.seek(0)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    file.truncate()
    os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    if os.name != "posix":
        return
    directory = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    except OSError:
        pass  # some file systems cannot flush directories; the file itself is complete
    finally:
        os.close(directory)
