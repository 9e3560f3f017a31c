"""The accounts that run a batch: one for each profile, with its client, its limits and what makes its orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mjcli.api.retries import ENDLESS
from mjcli.cli.save import PlacedFiles, Saver
from mjcli.errors import ConfigError, MjError, UsageError
from mjcli.jobs.batch import Account
from mjcli.jobs.poller import Poller
from mjcli.jobs.runner import Runner

if TYPE_CHECKING:
    from mjcli.cli.batch.keep import SharedKeep
    from mjcli.cli.batch.orders import LineDefaults, LineOrders
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.jobs.order import Gate
    from mjcli.jobs.pace import Pace

OUTAGE_SECONDS = 600.0  # how long the service may be out of reach: many jobs outlive a closed lid


class Worker(NamedTuple):
    """An account with what composes and saves its jobs."""

    context: Context
    account: Account
    lookup: Lookup
    orders: LineOrders
    saver: Saver

    @property
    def host(self) -> str:
        """Where its tasks are."""
        return self.account.runner.host


class Limits(NamedTuple):
    """How much one account may do at a time: jobs in flight, and submissions a second."""

    jobs: int | None
    rate: float | None


class Workers:
    """The accounts of a batch by the names of their profiles."""

    def __init__(
        self,
        context: Context,
        profiles: Iterable[str],
        limits: Limits,
        defaults: LineDefaults,
        directory: Path,
        shared: SharedKeep | None = None,
    ) -> None:
        self._context, self._limits, self._defaults, self._directory = context, limits, defaults, directory
        self._shared = shared
        self._placed = PlacedFiles()
        own = context.settings.profile.value
        names = list(dict.fromkeys(profiles)) or [own]
        if context.settings.sandbox.value and names != [own]:
            context.output.notice("The sandbox has no profiles, so --profiles is ignored.")
            names = [own]
        #: The accounts that new jobs are sent with.
        self.chosen = tuple(names)
        self._by_name: dict[str, Worker] = {}
        #: What the engine runs jobs with; `admit` adds to it.
        self.accounts: list[Account] = []
        for name in names:
            self._include(name)
        self._refuse_same_tokens()

    def __getitem__(self, name: str) -> Worker:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def first(self) -> Worker:
        """The account that checks the lines."""
        return self._by_name[self.chosen[0]]

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._by_name.values())

    def admit(self, name: str, host: str | None = None) -> bool:
        """Include the account that has a job of an earlier run; return False if this machine cannot reach it."""
        if name not in self._by_name:
            try:
                self._include(name)
            except (MjError, ConfigError):
                return False
        return host is None or self._by_name[name].host == host

    def _include(self, name: str) -> None:
        """Raises `NoTokenError`, `ConfigError`."""
        worker = self._by_name[name] = self._worker(name)
        self.accounts.append(worker.account)

    def prepare(self) -> None:
        """Load certificates and connect to nothing yet, before the ledger has a row. Raises `ConfigError`."""
        for each in self._by_name.values():
            each.context.client.prepare()

    def _worker(self, name: str) -> Worker:
        """Raises `NoTokenError`, `ConfigError`."""
        from mjcli.cli.batch.orders import LineOrders
        from mjcli.cli.lookup import Lookup

        context = self._context.for_profile(name)
        settings, ledger = context.settings, self._context.existing_ledger
        client = context.client
        client.retries = ENDLESS

        gate = self._gate(name, context)

        def runner(poller: Poller, pace: Pace) -> Runner:
            return Runner(
                client, ledger, profile=name, host=settings.host, follow=poller.follow, pace=pace, gate=gate
            )

        lookup = Lookup.of(context)
        return Worker(
            context,
            Account(
                name,
                runner,
                Poller(client, outage=OUTAGE_SECONDS),
                jobs=self._limits.jobs,
                rate=self._limits.rate,
                takes_any=name in self.chosen,
            ),
            lookup,
            LineOrders.of(context, lookup, self._defaults, self._directory),
            Saver.of(context, lookup, self._placed),
        )

    def _gate(self, name: str, context: Context) -> Gate | None:
        """What decides, with other machines, which jobs an account sends."""
        if self._shared is None:
            return None
        from mjcli.jobs import account_tasks

        settings, ledger = context.settings, self._context.existing_ledger

        def known(ids: Collection[str]) -> set[str]:
            return ledger.known_tasks(settings.host, ids, imported=False) if ledger is not None else set()

        # The sandbox has another port each time.
        address = "sandbox" if settings.sandbox.value else settings.base_url.value
        fingerprint = account_tasks.account_fingerprint(address, str(settings.token.value))
        return self._shared.gate(name, account_tasks.Account(context.client, fingerprint, known=known))

    def _refuse_same_tokens(self) -> None:
        """Refuse two names of one account, whose limits would be exceeded. Raises `UsageError`."""
        known: dict[tuple[str, str], str] = {}
        for name in self.chosen:
            settings = self._by_name[name].context.settings
            other = known.setdefault((settings.host, str(settings.token.value)), name)
            if other != name:
                raise UsageError(
                    f'Profiles "{other}" and "{name}" have the same token, so they are one account.'
                )
