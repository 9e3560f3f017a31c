"""The report of a batch: a row for each job that ended, as CSV or JSON Lines, written while the batch runs."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mjcli.cli.output.sink import Output
from mjcli.cli.output.text import encode_json, json_line, visible
from mjcli.cli.output.times import utc_time
from mjcli.errors import UsageError, reason_of

COLUMNS = (
    "batch",
    "line",
    "key",
    "step",
    "status",
    "prompt",
    "task_id",
    "image_id",
    "files",
    "link",
    "cost",
    "error_code",
    "error_message",
    "trace_id",
    "ended_at",
)
_OURS = ("batch", "line", "step", "status", "ended_at")  # names in every row of JSON Lines
_LINES = (".jsonl", ".ndjson", ".json")
# A spreadsheet takes a cell that begins so for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_START = 1024 * 1024  # bytes of a file in which its first line must end
_BOM = b"\xef\xbb\xbf"  # added by spreadsheets


class Report:
    """The report file of this run, which may be written from any thread.

    Each row is appended and closed at once, so a run that is killed leaves complete rows. What goes wrong with
    it later is a warning: a job counts more than its row.
    """

    def __init__(
        self,
        output: Output,
        path: Path,
        *,
        batch: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._output, self._batch, self._now = output, batch, now
        self._csv = path.suffix.lower() == ".csv"
        self._lock = threading.Lock()
        self._missing = 0

    @classmethod
    def open(
        cls,
        output: Output,
        path: str | Path,
        *,
        batch: str = "",
        force: bool = False,
        now: Callable[[], float] = time.time,
    ) -> Report:
        """Open a report before anything is sent. An earlier one is continued, or with `force` replaced.

        Raises `UsageError` for a name without a known suffix, a file that is not a report, and one that cannot
        be written.
        """
        path = Path(path)
        if path.suffix.lower() not in (".csv", *_LINES):
            raise UsageError(
                f'--report "{path}" needs a name that ends in .csv or .jsonl.',
                hint="--report report.csv",
            )
        report = cls(output, path, batch=batch, now=now)
        try:
            if not force and not report._can_be_continued():
                raise UsageError(
                    f'--report "{path}" is not a report of mj with these columns.',
                    hint="choose another name, or replace the file with --force",
                )
            report._begin(replace=force)
        except (OSError, ValueError) as error:
            raise UsageError(
                f'--report "{path}" cannot be written: {reason_of(error)}.',
                hint="choose another file",
            ) from error
        return report

    def write(
        self,
        document: Mapping[str, Any],
        *,
        status: str,
        prompt: str = "",
        cost: float | None = None,
    ) -> None:
        """Add the row of a job that ended.

        `document` is its object under `--json`, `status` is "done", "failed", "unknown" or "running", `cost` is
        in USD.
        """
        row = {
            "batch": self._batch,
            "status": status,
            "prompt": prompt or document.get("prompt") or "",
            "cost": cost,
            "ended_at": utc_time(self._now()),
        }
        data = self._as_csv(document, row) if self._csv else self._as_json(document, row)
        with self._lock:
            try:
                self._append(data)
            except OSError as error:
                self._missing += 1
                if self._missing > 1:
                    return
                problem = error
            else:
                return
        self._output.warning(
            f'The report "{self.path}" cannot be written: {reason_of(problem)}. The batch continues.'
        )

    def close(self) -> None:
        """Say how many rows are missing, if any."""
        if self._missing:
            rows = "1 row is" if self._missing == 1 else f"{self._missing} rows are"
            self._output.warning(f'{rows} missing from the report "{self.path}".')

    # -- rows --------------------------------------------------------------------------------------

    def _as_json(self, document: Mapping[str, Any], row: Mapping[str, Any]) -> bytes:
        return encode_json(json_line(self._output.secret.hide_in({**document, **row})) + "\n")

    def _as_csv(self, document: Mapping[str, Any], row: Mapping[str, Any]) -> bytes:
        error = document.get("error")
        error = error if isinstance(error, dict) else {}
        files = document.get("files")
        values = {
            **document,
            **row,
            "image_id": document.get("image_id") or document.get("video_id"),
            "files": "; ".join(map(str, files)) if isinstance(files, list) else "",
            "link": document.get("raw_image_url") or document.get("image_url") or document.get("video_url"),
            "error_code": error.get("code"),
            "error_message": error.get("message"),
        }
        return _csv_line([self._cell(values.get(name)) for name in COLUMNS])

    def _cell(self, value: object) -> object:
        """A cell on one line, which no spreadsheet takes for a formula."""
        if value is None or isinstance(value, int | float):
            return value
        text = self._output.secret.hide(str(value))
        return visible(f"'{text}" if text.startswith(_FORMULA) else text)

    # -- the file ----------------------------------------------------------------------------------

    def _can_be_continued(self) -> bool:
        """Whether the file is new, empty, or a report of this form. Raises `OSError`."""
        try:
            with _open(self.path, os.O_RDONLY) as file:
                first = file.read(_START).partition(b"\n")[0].removeprefix(_BOM).rstrip(b"\r")
        except FileNotFoundError:
            return True
        if not first:
            return True
        if self._csv:
            return first == _csv_line(COLUMNS).rstrip(b"\n")
        try:
            found = json.loads(first)
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and all(name in found for name in _OURS)

    def _begin(self, *, replace: bool) -> None:
        """Create the file, or empty it. Raises `OSError`."""
        with _open(self.path, os.O_RDWR | os.O_CREAT) as file:
            if replace:
                file.truncate(0)
            elif not self._csv:
                _drop_torn_line(file)
        self._append(b"")

    def _append(self, data: bytes) -> None:
        """Append a row, whole or not at all. Raises `OSError`."""
        with _open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                data = (_csv_line(COLUMNS) if self._csv else b"") + data
            elif data and not _ends_line(file, size):
                data = b"\n" + data
            try:
                if data and file.write(data) != len(data):
                    raise OSError("not enough space left")
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise


def _open(path: Path, flags: int) -> BinaryIO:
    """Open a regular file without buffers, so that a row is one write. Raises `OSError`."""
    # Opening a pipe would wait for its reader.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "rb", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise


def _ends_line(file: BinaryIO, size: int) -> bool:
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _drop_torn_line(file: BinaryIO) -> None:
    """Remove the start of a row that a crash of the system left at the end."""
    end = file.seek(0, os.SEEK_END)
    if not end or _ends_line(file, end):
        return
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    try:
        json.loads(content[start:])
    except (ValueError, RecursionError):
        file.truncate(start)


def _csv_line(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")
