"""The links of uploaded files, in the ledger, so that the same content is uploaded once while its link lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mjcli.jobs.clock import Clock

MARGIN_SECONDS = 3600.0  # a job may wait in the service's queue before its image is fetched

_Values = tuple[object, ...]


class Uploads:
    """The remembered links, each of one content and one account.

    `account` is any text that tells accounts apart: a link serves only the account that uploaded the file.
    Methods raise `ConfigError` if the ledger cannot be used.
    """

    def __init__(
        self,
        query: Callable[[str, _Values], list[tuple[Any, ...]]],
        execute: Callable[[str, _Values], object],
        clock: Clock,
    ) -> None:
        self._query, self._execute, self._clock = query, execute, clock

    def find(self, sha256: str, account: str) -> str | None:
        """Return the link of this content, if it lives for at least `MARGIN_SECONDS` more."""
        now = self._clock.time()
        rows = self._query(
            # A time of upload in the future means that the clock was set back: the age is not known.
            "SELECT url FROM uploads WHERE sha256 = ? AND account = ? AND uploaded_at <= ? AND expires_at > ?",
            (sha256, account, now, now + MARGIN_SECONDS),
        )
        return rows[0][0] if rows and isinstance(rows[0][0], str) else None

    def remember(self, sha256: str, account: str, url: str, *, lifetime: float) -> None:
        """Store the link of this content, which lives for `lifetime` seconds; it replaces an older one."""
        now = self._clock.time()
        self._execute(
            "INSERT OR REPLACE INTO uploads (sha256, account, url, uploaded_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (sha256, account, url, now, now + lifetime),
        )

    def forget(self, sha256: str, account: str) -> None:
        """Delete a link that no longer works."""
        self._execute("DELETE FROM uploads WHERE sha256 = ? AND account = ?", (sha256, account))
