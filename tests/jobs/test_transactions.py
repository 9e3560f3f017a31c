"""Changes of several threads that share a transaction: each is whole, on disk when it returns, and fails alone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mjcli.jobs.clock import SYSTEM_CLOCK
from mjcli.jobs.transactions import Transactions

THREADS = 16


class Held:
    """A connection whose first COMMIT waits, so that other threads meet an open transaction."""

    def __init__(self, connection: sqlite3.Connection, fault: str = "") -> None:
        self._connection, self._fault = connection, fault
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.commits = 0

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            self.commits += 1
            self.reached.set()
            assert self.go_on.wait(30)
            if self._fault and self.commits == 2:
                raise sqlite3.OperationalError(self._fault)
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        yield opened


def seen(path: Path) -> set[int]:
    """The numbers as another process sees them."""
    with closing(sqlite3.connect(path)) as other:
        return {number for (number,) in other.execute("SELECT number FROM numbers")}


def together(count: int, do: Callable[[int], None]) -> dict[int, Exception]:
    """Call `do` in as many threads; returns what each raised."""
    raised: dict[int, Exception] = {}

    def run(number: int) -> None:
        try:
            do(number)
        except Exception as error:
            raised[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def held(connection: sqlite3.Connection, fault: str = "") -> tuple[Any, Transactions]:
    """Transactions whose first commit is held until all other threads are waiting."""
    slow: Any = Held(connection, fault)
    transactions = Transactions(slow, SYSTEM_CLOCK)
    return slow, transactions


def in_one_commit(
    slow: Any, transactions: Transactions, change: Callable[[int], None]
) -> dict[int, Exception]:
    """Make changes 1… while the commit of change 0 is under way."""
    first = threading.Thread(target=change, args=(0,))
    first.start()
    assert slow.reached.wait(30)

    def release() -> None:
        while transactions._arriving < THREADS:
            pass
        slow.go_on.set()

    opener = threading.Thread(target=release)
    opener.start()
    raised = together(THREADS, lambda number: change(number + 1))
    opener.join(60)
    first.join(60)
    return raised


def test_each_change_is_visible_to_other_processes_when_it_returns(
    connection: sqlite3.Connection, path: Path
) -> None:
    transactions = Transactions(connection, SYSTEM_CLOCK)

    def change(number: int) -> None:
        for each in range(number * 100, number * 100 + 20):
            with transactions.change(durable=each % 2 == 0):
                connection.execute("INSERT INTO numbers VALUES (?)", (each,))
            assert each in seen(path)

    assert together(8, change) == {}
    assert len(seen(path)) == 160


def test_changes_that_arrive_during_a_commit_share_the_next_one(
    connection: sqlite3.Connection, path: Path
) -> None:
    slow, transactions = held(connection)

    def change(number: int) -> None:
        with transactions.change():
            slow.execute("INSERT INTO numbers VALUES (?)", (number,))

    assert in_one_commit(slow, transactions, change) == {}
    assert len(seen(path)) == THREADS + 1
    assert slow.commits < THREADS / 2


def test_a_change_that_fails_does_not_undo_those_it_shares_a_transaction_with(
    connection: sqlite3.Connection, path: Path
) -> None:
    slow, transactions = held(connection)

    def change(number: int) -> None:
        with transactions.change():
            slow.execute("INSERT INTO numbers VALUES (?)", (number,))
            if number % 3 == 1:
                raise ValueError(number)

    raised = in_one_commit(slow, transactions, change)
    failed = {number + 1 for number in raised}
    assert failed == {number for number in range(1, THREADS + 1) if number % 3 == 1}
    assert seen(path) == set(range(THREADS + 1)) - failed


def test_a_commit_that_fails_fails_every_change_in_it_and_no_other(
    connection: sqlite3.Connection, path: Path
) -> None:
    slow, transactions = held(connection, fault="disk I/O error")

    def change(number: int) -> None:
        with transactions.change():
            slow.execute("INSERT INTO numbers VALUES (?)", (number,))

    raised = in_one_commit(slow, transactions, change)
    assert raised
    assert {type(error) for error in raised.values()} == {sqlite3.OperationalError}
    assert seen(path) == set(range(THREADS + 1)) - {number + 1 for number in raised}
    change(99)
    assert 99 in seen(path)
