"""Changes that several threads make through one connection, committed together: one flush to disk serves all."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator

from mjcli.jobs.clock import Clock
from mjcli.jobs.database import retry_while_busy

GATHER_SECONDS = 0.005  # how long a commit waits for changes that are about to join it


class Transactions:
    """The transactions of one connection. A change is on disk when its block has been left.

    Threads that make changes at the same time share a transaction: while one flushes to disk, the others add
    their changes to the next. Methods raise `sqlite3.Error`, and a failed commit fails all changes in it.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        #: One thread at a time uses the connection.
        self.mutex = threading.RLock()
        self._complete = threading.Condition(self.mutex)
        self._turn = threading.Lock()  # one thread at a time commits
        self._count = threading.Lock()
        self._arriving = 0  # threads that wait for the mutex to make a change
        self._inside = False  # whether the thread that holds the mutex is making a change
        self._number = 0  # of the transaction that is open, or comes next
        self._members = 0  # changes in the open transaction
        self._failures: dict[int, sqlite3.Error] = {}  # by the number of the transaction

    @contextlib.contextmanager
    def change(self, *, durable: bool = True) -> Iterator[None]:
        """Make the statements of the block one change, all or nothing; inside another one, a part of it.

        Without `durable` the change survives the end of this process, but perhaps not a power failure.
        """
        self._arrive(1)
        with self.mutex:
            self._arrive(-1)
            if self._inside:
                yield
                return
            alone = self._members == 0
            self._inside = True
            try:
                with self._flushing(durable or not alone), self._kept(alone):
                    yield
                    if alone and not durable:
                        self._commit()
                number = self._number
            finally:
                self._inside = False
                self._complete.notify()
            if alone and not durable:
                self._check(number - 1)
                return
        self._await_commit(number)

    @contextlib.contextmanager
    def _flushing(self, durable: bool) -> Iterator[None]:
        """Flush each commit to disk, or not; this can be set only outside a transaction."""
        if durable:
            yield
            return
        self._execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._execute("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def _kept(self, alone: bool) -> Iterator[None]:
        """Keep what the block does in the open transaction, or undo it alone if the block fails."""
        number, members = self._number, self._members
        try:
            # Inside, because a signal may arrive just after it.
            self._execute("BEGIN IMMEDIATE" if alone else "SAVEPOINT change")
            self._members += 1
            yield
            if not alone:
                self._execute("RELEASE change")
        except BaseException as error:
            if self._number == number:
                self._members = members
                self._undo(alone, error)
            raise

    def _undo(self, alone: bool, error: BaseException) -> None:
        """Undo one change. Some errors of SQLite have undone the whole transaction already."""
        if self._connection.in_transaction and not alone:
            with contextlib.suppress(sqlite3.OperationalError):  # interrupted before the savepoint
                self._connection.execute("ROLLBACK TO change")
                self._connection.execute("RELEASE change")
            return
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._end(error if isinstance(error, sqlite3.Error) else None)

    def _await_commit(self, number: int) -> None:
        """Commit the transaction, unless another thread does. Raises the error of the commit."""
        try:
            with self._turn, self.mutex:
                if self._number == number and self._arriving:
                    self._complete.wait_for(lambda: self._arriving == 0, GATHER_SECONDS)
                if self._number == number:
                    self._commit()
        finally:  # after a signal, too, the transaction must not stay open
            with self.mutex:
                if self._number == number:
                    self._commit()
        self._check(number)

    def _commit(self) -> None:
        error: sqlite3.Error | None = None
        try:
            self._execute("COMMIT")
        except sqlite3.Error as failure:
            error = failure
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        finally:
            if not self._connection.in_transaction:
                self._end(error)

    def _end(self, error: sqlite3.Error | None) -> None:
        if error is not None:
            self._failures[self._number] = error
        self._number, self._members = self._number + 1, 0

    def _check(self, number: int) -> None:
        if number in self._failures:
            raise self._failures[number]

    def _arrive(self, change: int) -> None:
        with self._count:
            self._arriving += change

    def _execute(self, statement: str) -> None:
        retry_while_busy(lambda: self._connection.execute(statement), clock=self._clock)
