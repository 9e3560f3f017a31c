"""What a batch may cost: the forecast before it starts, and the limits that every one of its jobs is held to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mjcli.cli.batch.steps import Step
from mjcli.cli.batch.work import Piece, Survey
from mjcli.cli.cost import check_amount, sources
from mjcli.errors import LimitReached, MjError, Remedy
from mjcli.jobs.budget import LIST_PRICES, Estimate, Limits, amount, estimate, repeats
from mjcli.jobs.costs import TOLERANCE
from mjcli.jobs.order import Order

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.jobs.claims import Taken
    from mjcli.jobs.queries import ItemRow


_NOTHING_SENT = "Nothing was sent."
ASK_SECONDS = 60.0  # between two questions for the charges


class Forecast(NamedTuple):
    """What is sent at most. `usd` is what is known of its cost, and `at_least` says that some prices are not."""

    jobs: int
    usd: float
    at_least: bool
    sources: str

    @property
    def cost(self) -> str:
        """The cost for people."""
        if self.at_least:
            return f"at least {amount(self.usd)} (the price of some jobs is not known)"
        return f"about {amount(self.usd)} ({self.sources})" if self.jobs else amount(0)


class BatchCosts:
    """The estimates and limits of the batch `name`. Raises `UsageError` for a limit that is no amount."""

    def __init__(self, context: Context, name: str, *, max_cost: float | None, max_jobs: int | None) -> None:
        check_amount(max_cost)
        self._context, self._name = context, name
        self._max_cost, self._max_jobs = max_cost, max_jobs
        self._elsewhere = 0.0, 0  # what other machines have spent and sent
        self.limits: Limits = context.costs.limits._replace(batch_cost=max_cost, batch_jobs=max_jobs)

    def count_elsewhere(self, taken: Iterable[Taken]) -> None:
        """Let the limits also cover what other machines have sent until now, as far as the store says it."""
        sent = [each for each in taken if each.state != "failed"]
        known = [each.result.cost if each.result is not None else None for each in sent]
        cost = sum(LIST_PRICES["image"] if each is None else each for each in known)
        self._elsewhere = cost, len(sent)
        limits = self.limits
        self.limits = limits._replace(
            batch_cost=None if limits.batch_cost is None else limits.batch_cost - cost,
            batch_jobs=None if limits.batch_jobs is None else limits.batch_jobs - len(sent),
        )

    def estimate(self, order: Order) -> Estimate:
        """What a job is expected to cost."""
        return estimate(order, self._context.costs.history)

    def forecast(
        self, pieces: Iterable[tuple[Piece, Order]], followed: Iterable[tuple[Piece, Order]] = ()
    ) -> Forecast:
        """What pieces and their steps cost at most; each comes with its order or a draft of it.

        Of those that are `followed`, only the steps are still to be sent.
        """
        pieces = list(pieces)
        jobs = sum(repeats(order.body) for _, order in pieces)
        found = [(self.estimate(order), 1) for _, order in pieces]
        for piece, order in [*pieces, *followed]:
            for steps, count in self._steps(piece.steps, order):
                jobs += count * len(steps)
                found += [(each, count) for each in steps]
        usd = sum((each.lowest or 0.0) * count for each, count in found)
        unknown = any(each.usd is None for each, _ in found)
        return Forecast(jobs, usd, unknown, sources(each for each, _ in found))

    def _steps(self, steps: Sequence[Step], order: Order) -> Iterable[tuple[list[Estimate], int]]:
        """The estimates of each step, and how often it is made."""
        count = 1
        inherited = {name: order.body[name] for name in ("mode",) if name in order.body}
        for step in steps:
            orders = [Order("action", "imagine", {"action": each, **inherited}) for each in step.actions]
            yield [self.estimate(each) for each in orders], count
            count *= len(orders)

    def check(self, forecast: Forecast, survey: Survey) -> None:
        """Refuse a batch that would exceed a limit, together with its earlier runs. Raises `LimitReached`."""
        if not self.limits.any or not forecast.jobs:
            return
        if self.limits.on_cost and forecast.at_least:
            option = "--max-cost" if self.limits.batch_cost is not None else "defaults.max_cost_per_day"
            raise LimitReached(
                f"The price of some jobs is not known, such as turbo or HD, so {option} cannot be checked."
                f" {_NOTHING_SENT}",
                hint="--max-jobs limits the number of jobs" if self.limits.per_day is None else None,
                remedy=Remedy.DAY_LIMIT if self.limits.per_day is not None else None,
            )
        replaced = (row for rows in survey.replaced.values() for row in rows)
        failed = (row for row in replaced if row.state == "failed")
        spent, sent = self._before([*failed, *(row for _, row in survey.unsent)])
        jobs, usd = sent + forecast.jobs, spent + forecast.usd
        before = f", {sent} of them before" if sent else ""
        most = self._max_jobs
        if most is not None and jobs > most:
            raise LimitReached(
                f"--max-jobs is {most}, and the batch has {jobs} jobs{before}. {_NOTHING_SENT}"
            )
        limit = self._max_cost
        if limit is not None and usd > limit + TOLERANCE:
            raise LimitReached(
                f"--max-cost is {amount(limit)}, and the batch costs about {amount(usd)}"
                f" ({jobs} jobs{before}; {forecast.sources}). {_NOTHING_SENT}"
            )
        self._context.costs.check_day(forecast.usd, forecast.jobs)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block, ask now and then what was charged, so that the limits hold for the real cost."""
        costs = self._context.costs
        costs.prepare_report()
        over = threading.Event()

        def ask() -> None:
            while not over.wait(ASK_SECONDS):
                # The limits hold for the estimates anyway.
                with contextlib.suppress(MjError):
                    costs.refresh()

        if self.limits.on_cost and self._context.platform is not None:
            threading.Thread(target=ask, name="charges", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def spent(self) -> tuple[float | None, bool]:
        """What this run cost in USD, if anything is known, and whether that is an estimate."""
        return self._context.costs.take_total()

    def _before(self, sent_now: Iterable[ItemRow]) -> tuple[float, int]:
        """What the jobs of earlier runs cost, and how many they are, without those that are sent now."""
        ledger = self._context.existing_ledger
        cost, count = self._elsewhere
        if ledger is None:
            return cost, count
        sandbox = self._context.settings.host == "sandbox"
        spent, sent = ledger.costs.batch_totals(self._name, sandbox=sandbox)
        rows = list(sent_now)
        return cost + max(0.0, spent - sum(each.cost for each in rows)), count + sent - len(rows)
