"""Read the lines of a batch file.

Nothing is read or sent here; all that is wrong is reported at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from mjcli.cli.batch.chains import check_chain
from mjcli.cli.batch.fields import (
    PROMPT_ONLY,
    Digest,
    folded,
    identity_of,
    read_value,
)
from mjcli.cli.batch.files import LIMIT, MAX_BYTES, STDIN_NAME
from mjcli.cli.batch.formats import Fields, Report, csv_rows, json_rows, refuse_other_format, text_rows
from mjcli.cli.batch.steps import parse_steps, read_action
from mjcli.cli.batch.target import check_output, fixed_file, inside
from mjcli.errors import BatchRefused, LineProblem, UsageError
from mjcli.media.names import Target
from mjcli.prompt.parameters import quoted

FORMATS = ("text", "csv", "jsonl")
MAX_LINES = 100_000
_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_LONGEST_WORDS = 80  # characters
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """One job of a batch, with the jobs of its steps.

    `number` is that of the line at which it begins (from 1); `fields` are those of its request, by their names as
    typed; `words` is a short text for people. `identity` is the same in every run; `base` is that of all lines
    that are equal to it, and `content` is the one that it has without its key.
    """

    number: int
    fields: dict[str, Any]
    key: str | None
    output: str | None
    then: tuple[str, ...]
    words: str
    identity: str
    base: str
    content: str


def read_lines(
    data: bytes,
    name: str,
    format: str | None = None,  # noqa: A002
    *,
    digest: Digest | None = None,
) -> list[Line]:
    """The lines of a file with this name, in their order; `format` is one of `FORMATS`, by default the suffix decides.

    `digest` returns the SHA-256 of the file that an image is, None for other images. Raises `BatchRefused` for
    lines that cannot be used, and `UsageError` for a file that has none.
    """
    _check_whole(data, name)
    text = _decoded(data, name)
    chosen = format or format_of(name)
    problems: list[LineProblem] = []

    def report(number: int, message: str) -> None:
        problems.append(LineProblem(number, message))

    def is_refused(number: int) -> bool:
        return bool(problems) and problems[-1].line == number

    if chosen == "csv":
        rows = csv_rows(text, report, "\t" if name.lower().endswith(".tsv") else None)
    elif chosen == "jsonl":
        rows = json_rows(text, report)
    else:
        if format is None:
            refuse_other_format(text, name)
        rows = text_rows(text, report)
    reader = _Reader(report, is_refused, digest)
    lines = [line for number, fields in rows if (line := reader.line(number, fields)) is not None]
    if problems:
        raise BatchRefused(name, problems)
    if not lines:
        raise UsageError(f"{_subject(name)} contains no prompts.")
    return lines


def line_target(target: Target, line: Line) -> Target:
    """Where the files of a line go, for the target of the batch."""
    return target if line.output is None else inside(target, line.output)


def format_of(name: str) -> str:
    """The format of a file, by its suffix."""
    return _SUFFIXES.get(PurePath(name).suffix.lower(), "text")


def _subject(name: str) -> str:
    """The file with this name, at the beginning of a sentence."""
    return "Standard input" if name == STDIN_NAME else f'"{name}"'


# -- the whole file --------------------------------------------------------------------------------


def _check_whole(data: bytes, name: str) -> None:
    if len(data) > MAX_BYTES:
        raise UsageError(f"{_subject(name)} is larger than {LIMIT}, the limit for a batch; split it.")
    if data.startswith(b"PK\x03\x04"):
        raise UsageError(
            f"{_subject(name)} is a spreadsheet or an archive, not text.",
            hint="export the spreadsheet as CSV",
        )


def _decoded(data: bytes, name: str) -> str:
    """The text of UTF-8, or UTF-16 with a byte order mark, with plain line ends. Raises `BatchRefused`."""
    try:
        text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BatchRefused(
            name,
            _bad_bytes_of_utf16(data, error) if data.startswith(_UTF16) else list(_bad_bytes(data)),
            hint='save the file as UTF-8 ("CSV UTF-8" in a spreadsheet)',
        ) from None
    if not text.strip():
        raise UsageError(f"{_subject(name)} is empty.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    count = text.count("\n") + (not text.endswith("\n"))
    if count > MAX_LINES:
        raise UsageError(f"{_subject(name)} has {count:,} lines; the limit is {MAX_LINES:,}. Split it.")
    if "\0" in text:
        lines = enumerate(text.split("\n"), start=1)
        problems = [LineProblem(n, "The line contains a NUL byte.") for n, line in lines if "\0" in line]
        raise BatchRefused(name, problems, hint="save the file as UTF-8 text")
    return text


def _bad_bytes(data: bytes) -> Iterator[LineProblem]:
    """The first byte of each line that is not UTF-8."""
    for number, line in enumerate(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            byte = line[error.start]
            yield LineProblem(number, f"Byte {error.start + 1} of the line (0x{byte:02x}) is not UTF-8.")


def _bad_bytes_of_utf16(data: bytes, error: UnicodeDecodeError) -> list[LineProblem]:
    before = data[: error.start].decode("utf-16", "ignore").replace("\r\n", "\n")
    return [LineProblem(before.count("\n") + 1, f"Byte {error.start + 1} of the file is not UTF-16.")]


# -- lines -----------------------------------------------------------------------------------------


class _Reader:
    """Makes lines from fields; reports those that cannot be used."""

    def __init__(self, report: Report, is_refused: Callable[[int], bool], digest: Digest | None) -> None:
        self._report, self._is_refused, self._digest = report, is_refused, digest
        self._keys: dict[str, int] = {}
        self._files: dict[str, int] = {}
        self._counts: Counter[str] = Counter()

    def line(self, number: int, typed: Fields) -> Line | None:
        """The line with these fields; None if something is wrong with it."""
        fields: dict[str, Any] = {}
        for name, raw in typed:
            try:
                value = read_value(name, raw)
            except ValueError as error:
                self._report(number, str(error))
            else:
                if value is not None and value != ():
                    fields[name] = value
        if self._is_refused(number):
            return None
        key, output, then = (fields.pop(name, None) for name in ("key", "output", "then"))
        for each in (_problem(fields), self._repeated(number, key, output), _unusable(output, then)):
            if each is not None:
                self._report(number, each)
        if not self._is_refused(number) and (broken := _broken(then, fields.get("action"))):
            self._report(number, broken)
        if self._is_refused(number):
            return None
        return self._identified(number, fields, key, output, then or ())

    def _repeated(self, number: int, key: str | None, output: str | None) -> str | None:
        """Report a key or the name of a file that an earlier line has."""
        if key is not None and (first := self._keys.setdefault(key, number)) != number:
            return f"The key {quoted(key)} is that of line {first}, too."
        file = fixed_file(output) if output is not None else None
        if file is not None and (first := self._files.setdefault(file, number)) != number:
            return f'The output {quoted(file)} is that of line {first}, too; add "{{image_id}}" to the name.'
        return None

    def _identified(
        self, number: int, fields: dict[str, Any], key: str | None, output: str | None, then: tuple[str, ...]
    ) -> Line:
        content = identity_of(fields, self._digest)
        if key is not None:
            base = identity = f"key:{key.replace('>', '>>')}"  # a single one is before a step
        else:
            base = content
            self._counts[base] += 1
            # The first one has a number, too: otherwise a second one would change its identity.
            identity = f"{base}/{self._counts[base]}"
        return Line(number, fields, key, output, then, _words(fields), identity, base, content)


def _problem(fields: dict[str, Any]) -> str | None:
    """What is wrong with the fields of a line together."""
    if "action" not in fields:
        if "prompt" in fields:
            return None
        return "The prompt is missing." if "image" not in fields else "The image has no prompt and no action."
    images = fields.get("image", ())
    if len(images) != 1:
        return "An action needs an image." if not images else f"An action takes one image, not {len(images)}."
    if surplus := next((each for each in fields if each in PROMPT_ONLY), None):
        return f"{surplus} works only with a prompt, not with an action."
    try:
        actions = read_action(fields["action"])
    except UsageError as error:
        return error.message
    return (
        None
        if len(actions) == 1
        else f"{quoted(fields['action'])} is {len(actions)} actions: write a line each."
    )


def _unusable(output: str | None, then: Sequence[str] | None) -> str | None:
    """What is wrong with where the files go, or with the steps."""
    try:
        if output is not None:
            check_output(output)
        parse_steps(then or ())
    except UsageError as error:
        return error.message
    return None


def _broken(then: Sequence[str] | None, action: str | None) -> str | None:
    """What is wrong with the order of the steps."""
    try:
        check_chain(parse_steps(then or ()), action)
    except UsageError as error:
        return error.message
    return None


def _words(fields: dict[str, Any]) -> str:
    """What people recognise a line by."""
    words = [fields["action"], *fields["image"]] if "action" in fields else []
    text = folded(" ".join([*words, fields.get("prompt", "")]))
    return text if len(text) <= _LONGEST_WORDS else f"{text[: _LONGEST_WORDS - 1]}…"
