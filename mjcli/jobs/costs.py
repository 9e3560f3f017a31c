"""What the jobs in the ledger cost: the limits that hold before a job is sent, and what was charged for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from mjcli.errors import LimitReached, Remedy
from mjcli.jobs.budget import (
    Charge,
    Estimate,
    Limits,
    PriceClass,
    amount,
    estimate_request,
    history_of,
    repeats,
)
from mjcli.jobs.clock import Clock
from mjcli.jobs.database import in_batches
from mjcli.jobs.job import GIVEN_UP, RESUBMITTED
from mjcli.jobs.names import UNFINISHED
from mjcli.jobs.queries import object_of

_Values = tuple[object, ...]

DAY = 86_400  # seconds
_MOST_CHARGES = 500  # rows that an estimate considers
TOLERANCE = 1e-9  # USD; sums of decimal amounts are not exact
_NOT_SENT = "It was not sent."

# A failed job is not billed, unless the user stopped following it: the service may have finished it.
_MAY_BE_BILLED = (
    "(state <> 'failed' OR sent_at IS NOT NULL AND"
    f' (instr(error, \'"code": "{GIVEN_UP}"\') OR instr(error, \'"code": "{RESUBMITTED}"\')))'
)
# As the index `jobs_cost` has them, so that only its rows are read.
_SANDBOX = "(host = 'sandbox') = ?"
_MOMENT = "coalesce(sent_at, created_at)"
_COST = f"coalesce(sum(CASE WHEN charged IS NOT NULL THEN charged WHEN {_MAY_BE_BILLED} THEN estimate ELSE 0 END), 0)"


class Entry(NamedTuple):
    """What one job costs: what the service charged, else an estimate."""

    sent_at: float
    path: str
    body: Mapping[str, Any]
    words: str
    batch: str | None
    unfinished: bool
    charge: float | None
    estimated: Estimate

    @property
    def charged(self) -> bool:
        """Whether the cost is known from the usage records."""
        return self.charge is not None

    @property
    def usd(self) -> float | None:
        """The cost, at least what is known of it; None if nothing is."""
        return self.charge if self.charge is not None else self.estimated.lowest

    @property
    def at_least(self) -> bool:
        """Whether the job may cost more."""
        return self.charge is None and self.estimated.usd is None


class Costs:
    """The costs in a ledger. Methods raise `ConfigError` if the ledger cannot be used."""

    def __init__(
        self,
        query: Callable[[str, _Values], list[tuple[Any, ...]]],
        execute: Callable[[str, _Values], Any],
        transaction: Callable[[], AbstractContextManager[None]],
        clock: Clock,
    ) -> None:
        self._query, self._execute, self._transaction, self._clock = query, execute, transaction, clock
        self._histories: dict[tuple[str, str], dict[PriceClass, float]] = {}

    # -- estimates and limits ----------------------------------------------------------------------

    def history(self, profile: str, host: str) -> dict[PriceClass, float]:
        """Return what jobs of each class were charged on an account lately."""
        account = (profile, host)
        if account not in self._histories:
            rows = self._query(
                "SELECT path, request, charged FROM jobs"
                " WHERE profile = ? AND host = ? AND charged IS NOT NULL ORDER BY number DESC LIMIT ?",
                (*account, _MOST_CHARGES),
            )
            self._histories[account] = history_of(
                Charge(path, object_of(body), usd) for path, body, usd in rows
            )
        return self._histories[account]

    def spent_today(self, *, sandbox: bool, exclude: int = 0) -> float:
        """Return what the jobs of this UTC day cost or may cost, without the one of this number."""
        start = self._clock.time() // DAY * DAY
        today = f"FROM jobs WHERE {_SANDBOX} AND {_MOMENT} >= ? AND listed_after IS NULL AND number <> ?"
        values = (sandbox, start, exclude)
        ((total,),) = self._query(f"SELECT {_COST} {today}", values)
        # Jobs that were sent without a limit, and whose price is not known, cost at least something.
        unpriced = self._query(
            f"SELECT path, request {today} AND estimate IS NULL AND charged IS NULL AND {_MAY_BE_BILLED}",
            values,
        )
        least = (estimate_request(path, object_of(body), {}).lowest for path, body in unpriced)
        return float(total) + sum(usd or 0.0 for usd in least)

    def batch_totals(self, batch: str, *, sandbox: bool, exclude: int = 0) -> tuple[float, int]:
        """Return what the jobs of a batch cost or may cost, and how many they are, without the one of this number.

        Jobs that were replaced by later runs count if they were billed.
        """
        ((total, count),) = self._query(
            f"SELECT {_COST}, count(CASE WHEN item IS NOT NULL OR {_MAY_BE_BILLED} THEN 1 END) FROM jobs"  # noqa: S608
            f" WHERE batch = ? AND {_SANDBOX} AND number <> ?",
            (batch, sandbox, exclude),
        )
        return float(total), int(count)

    def check(
        self,
        limits: Limits,
        usd: float | None,
        *,
        sandbox: bool,
        jobs: int = 1,
        batch: str | None = None,
        exclude: int = 0,
    ) -> None:
        """Refuse a job that would exceed a limit, or whose price is not known although cost is limited.

        It costs `usd` and counts as `jobs`; the row numbered `exclude` is its own. Call it in the transaction that
        makes the job sendable. Raises `LimitReached`.
        """
        if limits.on_cost and usd is None:
            raise unknown_price("defaults.max_cost_per_day" if limits.per_day is not None else "--max-cost")
        if limits.per_day is not None and usd is not None:
            spent = self.spent_today(sandbox=sandbox, exclude=exclude)
            if spent + usd > limits.per_day + TOLERANCE:
                raise day_limit_reached(
                    limits.per_day, spent, f"the job costs about {amount(usd)}. {_NOT_SENT}"
                )
        if batch is not None and (limits.batch_cost is not None or limits.batch_jobs is not None):
            self._check_batch(limits, usd or 0.0, batch, sandbox=sandbox, jobs=jobs, exclude=exclude)

    def _check_batch(
        self, limits: Limits, usd: float, batch: str, *, sandbox: bool, jobs: int, exclude: int
    ) -> None:
        spent, count = self.batch_totals(batch, sandbox=sandbox, exclude=exclude)
        if limits.batch_cost is not None and spent + usd > limits.batch_cost + TOLERANCE:
            raise LimitReached(
                f'--max-cost is {amount(limits.batch_cost)}: {amount(spent)} is used by the batch "{batch}",'
                f" and the next job costs about {amount(usd)}."
            )
        if limits.batch_jobs is not None and count + jobs > limits.batch_jobs:
            raise LimitReached(
                f'--max-jobs is {limits.batch_jobs}: the batch "{batch}" has {count} jobs already.'
            )

    def reserve(self, uuid: str, limits: Limits) -> None:
        """Check a row that becomes sendable again, and store its estimate. Raises `LimitReached`."""
        if not limits.any:
            return
        ((number, profile, host, path, request, usd, batch, item),) = self._query(
            "SELECT number, profile, host, path, request, estimate, batch, item FROM jobs WHERE uuid = ?",
            (uuid,),
        )
        body = object_of(request)
        if usd is None:
            usd = estimate_request(path, body, self.history(profile, host)).usd
            self._execute("UPDATE jobs SET estimate = ? WHERE uuid = ?", (usd, uuid))
        self.check(
            limits,
            usd,
            sandbox=host == "sandbox",
            jobs=repeats(body),
            batch=batch if item is not None else None,
            exclude=number,
        )

    # -- charges -----------------------------------------------------------------------------------

    def store_charges(self, host: str, charges: Mapping[str, float]) -> set[str]:
        """Store what jobs of a host were charged, in USD by their trace ids; return those that have a job."""
        known: set[str] = set()
        for traces in in_batches(charges):
            marks = ",".join("?" * len(traces))
            rows = self._query(
                f"SELECT uuid, trace_id, state, charged FROM jobs WHERE host = ? AND trace_id IN ({marks})",  # noqa: S608
                (host, *traces),
            )
            known.update(trace for _, trace, _, _ in rows)
            new = [
                (uuid, charges[trace])
                for uuid, trace, state, before in rows
                # A job that still runs is not free because nothing was charged yet.
                if before != charges[trace] and (charges[trace] or state in ("done", "failed"))
            ]
            if not new:
                continue
            with self._transaction():
                for uuid, usd in new:
                    self._execute(
                        "UPDATE jobs SET charged = ?1, estimate = coalesce(estimate, ?1) WHERE uuid = ?2",
                        (usd, uuid),
                    )
            self._histories.clear()
        return known

    def entries(self, profile: str, host: str, since: float, until: float) -> Iterator[Entry]:
        """Yield what each job of an account cost that was sent in a period, oldest first.

        Failed jobs are left out, because they are not billed.
        """
        where = "profile = ? AND host = ? AND sent_at >= ? AND sent_at < ? ORDER BY sent_at, number"
        return self._entries(where, (profile, host, since, until))

    def sent_by(self, pid: int, since: float, *, sandbox: bool) -> Iterator[Entry]:
        """Yield the same of the jobs that a process has sent since this Unix time."""
        where = f"{_SANDBOX} AND {_MOMENT} >= ? AND listed_after IS NULL AND pid = ? AND sent_at IS NOT NULL"
        return self._entries(f"{where} ORDER BY number", (sandbox, since, pid))

    def _entries(self, where: str, values: _Values) -> Iterator[Entry]:
        rows = self._query(
            "SELECT profile, host, sent_at, path, request, subject, batch, state, charged FROM jobs"  # noqa: S608
            f" WHERE (coalesce(charged, 0) > 0 OR {_MAY_BE_BILLED}) AND {where}",
            values,
        )
        for profile, host, sent_at, path, request, subject, batch, state, charge in rows:
            body = object_of(request)
            found = estimate_request(path, body, self.history(profile, host))
            words = str(subject or body.get("prompt") or body.get("content") or "")
            yield Entry(sent_at, path, body, words, batch, state in UNFINISHED, charge, found)


def day_limit_reached(limit: float, spent: float, cost: str) -> LimitReached:
    """The refusal by the limit of the day; `cost` says what would be too much."""
    return LimitReached(
        f"defaults.max_cost_per_day is {amount(limit)}: {amount(spent)} is used today (UTC), and {cost}",
        remedy=Remedy.DAY_LIMIT,
    )


def unknown_price(limit: str) -> LimitReached:
    """The refusal of a job whose price is not known, because of this setting or option."""
    return LimitReached(
        f"The price of this job is not known, so it cannot be checked against {limit}. {_NOT_SENT}",
        remedy=Remedy.DAY_LIMIT if limit.startswith("defaults.") else None,
    )
