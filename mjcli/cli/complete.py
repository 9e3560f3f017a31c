"""`mj --complete KIND=PREFIX WORD…`: the words of the ledger or the config file, for the completion scripts.

It prints a line for each word, with a tab and a description after it. Whatever fails, it prints nothing: the
person is typing. It loads only what it needs, because it runs at every Tab.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    Words = Iterable[tuple[str, str]]

# Neither typing nor pathlib is imported: either would take a tenth of the time that a Tab may take.

_XDG = ("linux",)  # platforms whose directories are known without loading platformdirs
# Those of `mjcli.settings.schema`, which loads more.
NAMED_KEYS = {"presets": ("suffix",), "profiles": ("base_url", "token_in", "files_url", "platform_url")}
_LONGEST = 60  # characters of a description
_MOST = 100  # words
_LONGEST_FILE = 1 << 20  # bytes of a config file


def complete(arguments: Sequence[str]) -> int:
    """Print the words of a kind that begin with a prefix; returns the exit status, which is always 0.

    The arguments are `KIND=PREFIX` and the words of the line before the cursor, which name the profile.
    """
    try:
        kind, _, prefix = arguments[0].partition("=")
        lines = list(_lines(words_of(kind, prefix, arguments[1:], os.environ), prefix))
        sys.stdout.buffer.write("".join(lines[:_MOST]).encode(errors="surrogateescape"))
        sys.stdout.flush()
    except Exception:
        # Also for what is left in the buffer of a closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _lines(words: Words, prefix: str) -> Iterator[str]:
    for word, description in words:
        # No shell can take a word with a line break or an escape sequence.
        if word.startswith(prefix) and word.isprintable():
            yield f"{word}\t{_plain(description)}\n"


def _plain(text: str) -> str:
    """The beginning of a text on one line, without characters that control a terminal."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 4 * _LONGEST])
    shown = " ".join(shown.split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def words_of(kind: str, prefix: str, line: Sequence[str], environ: Mapping[str, str]) -> Words:
    """The words of a kind and their descriptions: `image`, `video`, `task`, `job`, `tag`, `profile`, `preset`,
    `key` or `setting`. Raises whatever makes the ledger or the config file unreadable.
    """
    if kind in ("image", "video", "task", "job"):
        return _jobs(kind, prefix, line, environ)
    if kind == "tag":
        from mjcli.jobs.completion import tags_to_offer

        return tags_to_offer(_ledger(environ), profile_of(line, environ))
    if kind == "setting":
        return _values(line[-1], prefix)
    document = _document(environ)
    if kind == "profile":
        return [(name, str(table.get("base_url", ""))) for name, table in _tables(document, "profiles")]
    if kind == "preset":
        return [(name, str(table.get("suffix", ""))) for name, table in _tables(document, "presets")]
    return _keys(document) if kind == "key" else ()


# --- The ledger.


def _jobs(wanted: str, prefix: str, line: Sequence[str], environ: Mapping[str, str]) -> Words:
    from mjcli.jobs.completion import jobs_to_offer

    is_reference = prefix.startswith("@")
    jobs = jobs_to_offer(_ledger(environ), profile_of(line, environ), wanted, "" if is_reference else prefix)
    found = []
    if jobs and (is_reference or not prefix):
        found.append(("@last", jobs[0].about))
        found += [(f"@{job.number}", job.about) for job in jobs if job.id and job.number > 1]
    if not is_reference:
        found += [(job.id, job.about) for job in jobs if job.id]
    return found


def _ledger(environ: Mapping[str, str]) -> str:
    return os.path.join(data_dir(environ), "ledger.db")  # noqa: PTH118


def profile_of(line: Sequence[str], environ: Mapping[str, str]) -> str:
    """The profile that the words of the line, else the environment, select; it need not exist."""
    if "--sandbox" in line or environ.get("MJ_SANDBOX", "").strip().lower() in ("1", "true", "yes", "on"):
        return "sandbox"
    chosen = environ.get("MJ_PROFILE") or "default"
    for number, word in enumerate(line[1:], start=1):
        if line[number - 1] == "--profile":
            chosen = word
        elif word.startswith("--profile="):
            chosen = word.partition("=")[2]
    return chosen


def data_dir(environ: Mapping[str, str]) -> str:
    """As `mjcli.settings.paths.data_dir`, which loads more."""
    return _place(environ, "MJ_DATA_DIR", "XDG_DATA_HOME", ".local/share")


def config_file(environ: Mapping[str, str]) -> str:
    """As `mjcli.settings.paths.config_file`, which loads more."""
    if environ.get("MJ_CONFIG"):
        return os.path.expanduser(environ["MJ_CONFIG"])  # noqa: PTH111
    return os.path.join(_place(environ, "", "XDG_CONFIG_HOME", ".config"), "config.toml")  # noqa: PTH118


def _place(environ: Mapping[str, str], variable: str, base: str, default: str) -> str:
    """The directory of a variable, else the one for `mj` below `base` or below HOME."""
    if environ.get(variable):
        return os.path.expanduser(environ[variable])  # noqa: PTH111
    if sys.platform in _XDG:
        parent = environ.get(base, "").strip() or os.path.expanduser(f"~/{default}")  # noqa: PTH111
        return os.path.join(parent, "mj")  # noqa: PTH118
    from mjcli.settings import paths

    return str(paths.data_dir(environ) if variable else paths.config_file(environ).parent)


# --- The config file.


def _document(environ: Mapping[str, str]) -> dict[str, Any]:
    path = config_file(environ)
    if not os.path.isfile(path) or os.path.getsize(path) > _LONGEST_FILE:  # noqa: PTH113, PTH202
        return {}
    import tomllib

    with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123
        return tomllib.loads(file.read())


def _tables(document: Mapping[str, Any], section: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The names in a section of the file, with their tables."""
    return [(name, table) for name, table in document.get(section, {}).items() if isinstance(table, dict)]


def _keys(document: Mapping[str, Any]) -> Words:
    """The keys of the profiles and presets in the file; those with fixed names are in the scripts."""
    for section, keys in NAMED_KEYS.items():
        for name, table in _tables(document, section):
            for key in keys:
                yield f"{section}.{name}.{key}", str(table.get(key, ""))


def _values(key: str, prefix: str) -> Words:
    """The values that a key of `mj config set` can have."""
    from mjcli.settings.schema import METADATA, MODES, TOKEN_PLACES

    last = key.rpartition(".")[2]
    known = {
        "defaults.mode": MODES,
        "defaults.download": ("true", "false"),
        "defaults.metadata": METADATA,
    }
    values: Iterable[str] = TOKEN_PLACES if last == "token_in" else known.get(key, ())
    if key == "defaults.output":
        values = _directories(prefix)
    return [(value, "") for value in values]


def _directories(prefix: str) -> Iterator[str]:
    """The directories whose path begins with a prefix, which may begin with `~`."""
    parent, slash, name = prefix.rpartition("/")
    with os.scandir(os.path.expanduser(parent + slash) or ".") as entries:  # noqa: PTH111
        for entry in sorted(entries, key=lambda entry: entry.name):
            hidden = entry.name.startswith(".") and not name
            if entry.name.startswith(name) and not hidden and entry.is_dir():
                yield f"{parent}{slash}{entry.name}/"
