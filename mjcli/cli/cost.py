"""What the jobs of one command cost: the limits, checked before anything is sent, and the total afterwards."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.cli.output.text import count_of_jobs
from mjcli.errors import Interrupted, LimitReached, MjError, UsageError
from mjcli.jobs.budget import (
    NO_LIMITS,
    UNKNOWN,
    USD_PER_CREDIT,
    Estimate,
    Limits,
    PriceClass,
    amount,
    estimate,
    repeats,
)
from mjcli.jobs.costs import TOLERANCE, day_limit_reached, unknown_price

if TYPE_CHECKING:
    from mjcli.api.platform import Application, Platform, UsageRecord
    from mjcli.cli.options import SubmitOptions
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.costs import Entry
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order
    from mjcli.settings.load import Settings

_REPORT_SECONDS = 5.0  # for the queries of the total after a command
_CLOCK_MARGIN = 600.0  # seconds by which the platform's clock may differ from ours


class CommandCosts:
    """The costs of one run: every job that it sends passes through `plan` first.

    `ledger` and `platform` return None where there is no ledger or no platform token.
    """

    def __init__(
        self,
        output: Output,
        settings: Settings,
        *,
        ledger: Callable[[], Ledger | None],
        platform: Callable[[], Platform | None],
    ) -> None:
        self._output, self._settings = output, settings
        self._ledger, self._platform = ledger, platform
        self._jobs = 0
        self._usd = 0.0
        self._by_key: dict[str, tuple[int, float]] = {}  # what was planned for a key
        self._since: float | None = None  # Unix time; jobs sent since are those of this run

    @property
    def limits(self) -> Limits:
        """The limits of the settings, which concern every job."""
        most = self._settings.max_cost_per_day.value
        return NO_LIMITS if most is None else Limits(per_day=float(most))

    @property
    def history(self) -> Mapping[PriceClass, float]:
        """What the active account was charged before, as `estimate` takes it."""
        settings, ledger = self._settings, self._ledger()
        return ledger.costs.history(settings.profile.value, settings.host) if ledger is not None else {}

    def plan(self, orders: Sequence[Order], submit: SubmitOptions) -> list[Order]:
        """The orders with their estimates and limits.

        Raises `LimitReached` if they exceed --max-jobs or --max-cost together with the earlier ones of this run, and
        `UsageError` if a limit cannot be enforced.
        """
        limits = self.limits
        if submit.no_ledger and limits.any:
            raise UsageError(
                "defaults.max_cost_per_day needs the ledger, so it cannot be combined with --no-ledger."
            )
        estimates = self._estimates(orders, submit)
        self._check(orders, estimates, submit)
        if len(orders) > 1:
            self._check_day(estimates)
        if estimates:
            self._output.detail(f"Estimate: {_sum_of(estimates) or 'not known'}")
        if not submit.no_ledger:
            self.prepare_report()
        return [
            order._replace(estimate=each.usd, limits=limits)
            for order, each in zip(orders, estimates, strict=True)
        ]

    def check_day(self, usd: float, jobs: int) -> None:
        """Refuse jobs that together exceed `defaults.max_cost_per_day`. Raises `LimitReached`."""
        ledger, most = self._ledger(), self.limits.per_day
        if most is None:
            return
        sandbox = bool(self._settings.sandbox.value)
        spent = ledger.costs.spent_today(sandbox=sandbox) if ledger is not None else 0.0
        if spent + usd > most + TOLERANCE:
            cost = f"{count_of_jobs(jobs)} cost about {amount(usd)}. Nothing was sent."
            raise day_limit_reached(most, spent, cost)

    def expected(self, bodies: Sequence[Mapping[str, Any]], submit: SubmitOptions, mode: str | None) -> str:
        """What images are expected to cost, and where that comes from; `mode` is that of the option."""
        from mjcli.jobs.order import Order

        shared = {"mode": mode or self._settings.mode.value}
        return _sum_of(self._estimates([Order("", "imagine", {**shared, **body}) for body in bodies], submit))

    def _estimates(self, orders: Sequence[Order], submit: SubmitOptions) -> list[Estimate]:
        history = {} if submit.no_ledger else self.history
        return [estimate(order, history) for order in orders]

    def _check(self, orders: Sequence[Order], estimates: Sequence[Estimate], submit: SubmitOptions) -> None:
        keys = [order.key for order in orders if order.key is not None]
        again = [self._by_key[key] for key in keys if key in self._by_key]
        earlier = self._jobs - sum(jobs for jobs, _ in again)
        new, new_usd = (
            sum(repeats(order.body) for order in orders),
            sum(each.usd or 0.0 for each in estimates),
        )
        jobs, usd = earlier + new, self._usd - sum(usd for _, usd in again) + new_usd
        nothing = "" if earlier else " Nothing was sent."
        if submit.max_jobs is not None and jobs > submit.max_jobs:
            raise LimitReached(
                f"--max-jobs is {submit.max_jobs}, and this starts {count_of_jobs(jobs)}.{nothing}"
            )
        if submit.max_cost is not None:
            check_amount(submit.max_cost)
            if any(each.usd is None for each in estimates):
                raise unknown_price("--max-cost")
            if usd > submit.max_cost + TOLERANCE:
                cost = f"{count_of_jobs(jobs)} cost{'s' if jobs == 1 else ''}"
                raise LimitReached(
                    f"--max-cost is {amount(submit.max_cost)}, and {cost} about {amount(usd)}"
                    f" ({sources(estimates)}).{nothing}"
                )
        self._jobs, self._usd = jobs, usd
        self._by_key |= dict.fromkeys(keys, (new, new_usd))  # a job with a key is alone

    def _check_day(self, estimates: Sequence[Estimate]) -> None:
        """Refuse several jobs that would exceed the limit of the day together; each is checked again as it is sent."""
        if self.limits.per_day is None:
            return
        if any(each.usd is None for each in estimates):
            raise unknown_price("defaults.max_cost_per_day")
        self.check_day(sum(each.usd or 0.0 for each in estimates), len(estimates))

    # -- the total ---------------------------------------------------------------------------------

    def prepare_report(self) -> None:
        """Load what the report needs, before a job is sent; jobs that are sent from now on are reported."""
        if self._since is None:
            self._since = time.time()
            if self._settings.token_for_platform.value:
                import mjcli.api.platform  # noqa: F401

    def refresh(self, *, seconds: float = _REPORT_SECONDS) -> None:
        """Store what the jobs of this run were charged so far, if there is a platform token. Raises `MjError`."""
        ledger, platform = self._ledger(), self._platform()
        if ledger is not None and platform is not None and self._since is not None:
            since = self._since - _CLOCK_MARGIN
            fetch_charges(ledger, self._settings.host, platform, since, None, seconds=seconds)

    def take_total(self) -> tuple[float | None, bool]:
        """What the jobs of this run cost in USD, if anything is known, and whether that is an estimate.

        `report` shows nothing then.
        """
        since, self._since = self._since, None
        try:
            entries = self._entries(since) if since is not None else []
        except MjError:
            entries = []
        known = [each.usd for each in entries if each.usd is not None]
        return (sum(known) if known else None), not all(each.charged for each in entries)

    def report(self) -> None:
        """Show what the jobs of this run cost; never fails."""
        if self._since is None or self._output.mode.quiet:
            return
        try:
            self._report(self._since)
        except Interrupted as stop:
            stop.sentence = "Interrupted while the cost was looked up."
            raise
        except Exception as error:  # the jobs and their results do not depend on it
            self._output.detail(f"The total is not known: {error}")

    def _report(self, since: float) -> None:
        if total := total_of(self._entries(since)):
            self._output.notice(f"Cost: {total}")

    def _entries(self, since: float) -> list[Entry]:
        """What each job of this run cost, as far as the platform knows it now."""
        ledger, sandbox = self._ledger(), bool(self._settings.sandbox.value)
        if ledger is None:
            return []
        entries = list(ledger.costs.sent_by(os.getpid(), since, sandbox=sandbox))
        if self._settings.token_for_platform.value and any(not each.charged for each in entries):
            try:
                self.refresh()
            except MjError as error:
                self._output.detail(f"The charges are not known: {error.message}")
            entries = list(ledger.costs.sent_by(os.getpid(), since, sandbox=sandbox))
        return entries


def check_amount(max_cost: float | None) -> None:
    """Refuse a --max-cost that is infinite or not a number. Raises `UsageError`."""
    if max_cost is not None and not math.isfinite(max_cost):
        raise UsageError("--max-cost must be an amount in USD such as 5 or 0.50.")


class Charges(NamedTuple):
    """What the usage records of a period say. `other` are those without a job in the ledger."""

    other: list[UsageRecord]
    usd_per_credit: float
    exact: bool
    """Whether the platform said what a credit costs."""


def fetch_charges(
    ledger: Ledger | None,
    host: str,
    platform: Platform,
    since: float,
    until: float | None,
    *,
    seconds: float | None = None,
) -> Charges:
    """Store in the ledger what the jobs of a host were charged, according to the usage records of a period."""
    rate = usd_per_credit(platform.applications(seconds=seconds))
    price = rate or USD_PER_CREDIT
    records = list(platform.usage(since, until, seconds=seconds))
    by_trace: dict[str, float] = {}
    for record in records:
        if record.trace_id is not None and record.deducted is not None:
            usd = round(record.deducted * price, 9)
            by_trace[record.trace_id] = by_trace.get(record.trace_id, 0.0) + usd
    known = ledger.costs.store_charges(host, by_trace) if ledger is not None else set()
    other = [each for each in records if each.deducted and each.trace_id not in known]
    return Charges(other, price, rate is not None)


def usd_per_credit(applications: Iterable[Application]) -> float | None:
    """What a credit costs, None if no quota says it."""
    return next((each.usd_per_credit for each in applications if each.usd_per_credit), None)


def total_of(entries: Sequence[Entry]) -> str:
    """What jobs cost together, and where that comes from; empty if nothing is known."""
    charged = [each.charge for each in entries if each.charge is not None]
    return _sum_of([each.estimated for each in entries if each.charge is None], charged)


def _sum_of(estimates: Sequence[Estimate], charged: Sequence[float] = ()) -> str:
    """The sum of what is expected and what was charged, and where that comes from; empty if nothing is known."""
    known = [each.lowest for each in estimates if each.lowest is not None]
    if not (known or charged):
        return ""
    total = amount(sum(known) + sum(charged))
    if not estimates:
        return total
    if any(each.usd is None for each in estimates):
        return f"at least {total} ({'; '.join(filter(None, [sources(estimates), 'the exact price is not known']))})"
    return f"about {total} ({sources(estimates)})"


def sources(estimates: Iterable[Estimate]) -> str:
    """Where estimates come from."""
    return ", ".join(dict.fromkeys(each.source for each in estimates if each.source != UNKNOWN))
