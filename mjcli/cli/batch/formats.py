"""The formats of a batch file: text, CSV with a header, and JSON Lines, as rows of named values.

In text, each line is a prompt; blank lines are skipped, and so are comments: `#` alone, or followed by a space.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mjcli.cli.batch.fields import READERS, Number, Pairs, meaning_of, name_of, problem_of_name
from mjcli.errors import UsageError
from mjcli.prompt.parameters import quoted

MAX_LINE = 64 * 1024  # bytes of UTF-8
_ONE_LINE_EACH = "put each object on a line of its own, as jq -c '.[]' does"
_DELIMITERS = (",", ";", "\t")

Fields = Iterable[tuple[str, Any]]  # by their names, in the order typed
Report = Callable[[int, str], None]  # takes the number of a line and a sentence


def refuse_other_format(text: str, name: str) -> None:
    """Refuse text that is CSV or JSON under another suffix: each line would be paid for as a prompt."""
    first = next((each for each in text.split("\n") if each.strip()), "")
    if len(first) > MAX_LINE:
        return
    names = _header(first)
    if first.lstrip().startswith("{") and _is_json(first):
        kind, shown = "jsonl", "JSON Lines"
    elif first.lstrip().startswith(("{", "[")) and _is_json(text):
        raise UsageError(f'"{name}" is JSON, not JSON Lines.', hint=_ONE_LINE_EACH)
    elif all(each in READERS for each in names) and {"prompt", "action"} & {*names}:
        kind, shown = "csv", "CSV with a header"
    else:
        return
    raise UsageError(
        f'"{name}" looks like {shown}.', hint=f"add --format {kind}, or --format text to send it as typed"
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_too_long(line: str, number: int, report: Report) -> bool:
    if len(line) * 4 <= MAX_LINE or (size := len(line.encode())) <= MAX_LINE:
        return False
    report(number, f"The line has {size:,} bytes; the limit is {MAX_LINE:,}.")
    return True


# -- formats ---------------------------------------------------------------------------------------


def text_rows(text: str, report: Report) -> Iterator[tuple[int, Fields]]:
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if bare and bare != "#" and not bare.startswith("# ") and not _is_too_long(line, number, report):
            yield number, [("prompt", bare)]


def json_rows(text: str, report: Report) -> Iterator[tuple[int, Fields]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or _is_too_long(line, number, report):
            continue
        try:
            document = json.loads(
                line,
                object_pairs_hook=Pairs,
                parse_int=Number,
                parse_float=Number,
                parse_constant=_refuse_constant,
            )
            _check_escapes(line, document)
        except RecursionError:
            report(number, "The line is nested too deeply.")
        except ValueError as error:
            if isinstance(error, json.JSONDecodeError) and _is_json(text):
                report(number, f"The file is JSON, not JSON Lines: {_ONE_LINE_EACH}.")
                return
            column = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            report(number, f"The line is not valid JSON{column}: {_reason(error)}.")
        else:
            if isinstance(document, Pairs):
                yield number, _named(number, document, report)
            else:
                report(number, 'The line is not a JSON object, such as {"prompt": "a cat"}.')


def _check_escapes(line: str, document: Any) -> None:
    """Refuse characters that only an escape can name and no prompt has. Raises `ValueError`."""
    if "\\u" not in line:
        return
    for text in _texts(document):
        if "\0" in text:
            raise ValueError("it contains a NUL character")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("it contains half of a surrogate pair") from None


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value of JSON, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):  # of an object, the pairs
        for each in value:
            yield from _texts(each)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"the number {text} is not allowed")


def _reason(error: ValueError) -> str:
    text = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _named(number: int, pairs: Pairs, report: Report) -> Fields:
    """The members of an object that have known names; each only once."""
    names = [name_of(name) for name, _ in pairs]
    typed = [name for name, _ in pairs]
    known = _check_names(number, names, typed, report, "field")
    return [(name, raw) for name, (_, raw), good in zip(names, pairs, known, strict=True) if good]


def _check_names(
    number: int, names: Sequence[str], typed: Sequence[str], report: Report, what: str
) -> list[bool]:
    """Report unknown and repeated names; returns which of the names can be used."""
    first: dict[str, str] = {}
    good = []
    for name, text in zip(names, typed, strict=True):
        problem = problem_of_name(name, text, what)
        before = first.get(meaning_of(name))
        if problem is None and before is not None:
            problem = (
                f"The {what} {quoted(text)} is given twice."
                if name_of(before) == name
                else f"The {what}s {quoted(before)} and {quoted(text)} are the same."
            )
        first.setdefault(meaning_of(name), text)
        if problem is not None:
            report(number, problem)
        good.append(problem is None)
    return good


# -- CSV -------------------------------------------------------------------------------------------


class _Broken(Exception):
    """A record whose end cannot be found."""


class _Records:
    """The records of CSV, each with the number of the line at which it begins; long ones are reported."""

    def __init__(self, lines: Sequence[str], delimiter: str, first: int, report: Report) -> None:
        self._lines, self._report = lines, report
        self._at, self._begin, self._size = first, first, 0
        self._reader = csv.reader(self._feed(), delimiter=delimiter, strict=True, skipinitialspace=True)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            self._begin, self._size = self._at, 0
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except (_Broken, csv.Error) as error:
                self._report(self._begin + 1, _csv_problem(error))
                return
            yield self._begin + 1, cells

    def _feed(self) -> Iterator[str]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if self._size == 0 and _is_too_long(line, self._at, self._report):
                self._begin = self._at
                continue
            self._size += len(line.encode()) + 1
            if self._size > MAX_LINE + 1:
                raise _Broken
            yield f"{line}\n"


def _csv_problem(error: Exception) -> str:
    if isinstance(error, _Broken):
        return f'The record is longer than {MAX_LINE:,} bytes; is the quote (") at the end of a cell missing?'
    if "unexpected end" in str(error):
        return 'A cell begins with a quote (") that is never closed.'
    return 'A quote (") inside a quoted cell must be doubled ("").'


def _header(line: str, delimiter: str | None = None) -> list[str]:
    """The names in the header of CSV; without a delimiter, it is the one that makes most of them known."""
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda each: _rank(_header(line, each)))
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return [name_of(each) for each in cells]


def _rank(names: Sequence[str]) -> tuple[int, int]:
    return sum(each in READERS for each in names), len(names)


def csv_rows(text: str, report: Report, delimiter: str | None) -> Iterator[tuple[int, Fields]]:
    lines = text.split("\n")
    at = next(n for n, each in enumerate(lines) if each.strip())
    # Excel writes and reads such a line before the header.
    if (declared := lines[at].strip().strip('"').lower()).startswith("sep=") and len(
        lines[at].strip('" ')
    ) == 5:
        delimiter, at = declared[4:], at + 1
    if at >= len(lines) or _is_too_long(lines[at], at + 1, report):
        return
    delimiter = delimiter or max(_DELIMITERS, key=lambda each: _rank(_header(lines[at], each)))
    records = iter(_Records(lines, delimiter, at, report))
    number, typed = next(records, (at + 1, []))
    names = [name_of(each) for each in typed]
    if not any(each in READERS for each in names):
        shown = quoted(" ".join(typed)) if any(names) else "empty"
        report(number, f"The first line must name the columns, such as prompt,ar; it is {shown}.")
        return
    known = [name != "" for name in names]
    named = [n for n, each in enumerate(known) if each]
    checked = _check_names(number, [names[n] for n in named], [typed[n] for n in named], report, "column")
    for n, good in zip(named, checked, strict=True):
        known[n] = good
    if "prompt" not in names and not {"action", "image"} <= {*names}:
        report(number, 'The file needs a column "prompt", or the columns "action" and "image".')
        return
    for number, cells in records:
        if any(each.strip() for each in cells):
            yield number, _row(number, names, known, cells, report)


def _row(
    number: int, names: Sequence[str], known: Sequence[bool], cells: Sequence[str], report: Report
) -> Fields:
    """The cells of known columns; surplus cells are reported unless they are empty."""
    if any(each.strip() for each in cells[len(names) :]):
        report(
            number,
            f"The row has {len(cells)} cells, but the header has {len(names)}: put quotes around a cell"
            " that contains the separator.",
        )
        return []
    fields = []
    for place, (name, good, cell) in enumerate(zip(names, known, cells, strict=False), start=1):
        if good:
            fields.append((name, cell))
        elif not name and cell.strip():
            report(number, f"Cell {place} is in a column without a name.")
    return fields
