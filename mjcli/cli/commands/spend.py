"""`mj spend`: what the jobs cost, by day, kind, batch or prompt."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.cli.hints import command, log_in
from mjcli.cli.output.text import count_of_jobs
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.cost import Charges
    from mjcli.jobs.costs import Entry

app = new_app()

_DEFAULT_DAYS = 30
_DAY = 86_400  # seconds
_MARGIN = 3600.0  # seconds that a usage record may be away from its job
_OTHER = "other"  # usage without a job in the ledger
_FIELDS = ("by", "name", "jobs", "usd", "charged", "estimated", "unpriced")


class By(StrEnum):
    """What the rows are."""

    DAY = "day"
    KIND = "kind"
    BATCH = "batch"
    PROMPT = "prompt"


class _Row:
    """What the jobs of one row cost, in USD."""

    def __init__(self, by: By, name: str) -> None:
        self.by, self.name = by, name
        self.jobs = self.unpriced = 0
        self.charged = self.estimated = 0.0

    def add(self, entry: Entry) -> None:
        self.jobs += 1
        if entry.charge is not None:
            self.charged += entry.charge
            return
        self.unpriced += entry.at_least
        self.estimated += entry.usd or 0.0

    @property
    def usd(self) -> float:
        return self.charged + self.estimated

    def document(self) -> dict[str, Any]:
        amounts = (round(each, 6) for each in (self.usd, self.charged, self.estimated))
        values = (self.by.value, self.name, self.jobs, *amounts, self.unpriced)
        return dict(zip(_FIELDS, values, strict=True))


@app.command(
    "spend",
    cls=MjCommand,
    epilog="""mj spend
mj spend --by prompt --since 7d
# What each batch cost, for a spreadsheet
mj spend --by batch --csv > costs.csv
# In a script: the total in USD
mj spend --since 1d -q""",
)
def spend(
    ctx: typer.Context,
    *,
    by: Annotated[By, typer.Option(help="Rows: day, kind, batch or prompt.")] = By.DAY,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only jobs since WHEN: 2h, 3d, 1w, 2026-11-01, … (default 30 days)."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Only jobs before WHEN.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
) -> None:
    """Show what the jobs of the active profile cost, in USD.

    The jobs are those of the ledger. With a platform token, their charges are taken from the usage records of the
    account and stored in the ledger; Midjourney usage without a job there is the row "other". Without a token, or
    as long as there is no usage record of a job, its cost is estimated: what such jobs were charged before, else
    the list price. Jobs that failed, or were refused or moderated, cost nothing. Days are UTC.

    Elsewhere than on a terminal, each row is a line with tabs between its fields: name, jobs, USD, charged,
    estimated.
    """
    from mjcli.cli.inputs import moment

    context: Context = ctx.obj
    output = context.output
    output.check_field(ctx.command_path)
    if csv and output.json:
        raise UsageError("--csv cannot be combined with --json or --field.")
    today = time.time() // _DAY * _DAY
    start = today - (_DEFAULT_DAYS - 1) * _DAY if since is None else moment("--since", since)
    end = math.inf if until is None else moment("--until", until)
    if end <= start:
        raise UsageError("--until must be later than --since.")
    charges = _charges(context, start, end)
    settings, ledger = context.settings, context.existing_ledger
    entries = (
        list(ledger.costs.entries(settings.profile.value, settings.host, start, end))
        if ledger is not None
        else []
    )
    rows = _rows(by, entries)
    if charges is not None and charges.other:
        other = _Row(by, _OTHER)
        other.jobs = len(charges.other)
        other.charged = sum(each.deducted or 0.0 for each in charges.other) * charges.usd_per_credit
        rows.append(other)
    _show(context, rows, csv=csv)
    _explain(context, rows, entries, charges)


def _charges(context: Context, start: float, end: float) -> Charges | None:
    """What the usage records of the period say; None without a platform token, or if they cannot be stored."""
    from mjcli.cli.cost import fetch_charges

    platform = context.platform
    if platform is None:
        return None
    until = end + _MARGIN if math.isfinite(end) else None
    try:
        found = fetch_charges(
            context.existing_ledger, context.settings.host, platform, start - _MARGIN, until
        )
    except LedgerError as error:
        context.output.alarm(error)
        return None
    other = [
        each
        for each in found.other
        if (each.created_at is None or start <= each.created_at < end)
        and (each.api is None or "midjourney" in each.api.lower())
    ]
    return found._replace(other=other)


def _rows(by: By, entries: Iterable[Entry]) -> list[_Row]:
    """The rows: days in their order, anything else with the most expensive first."""
    rows: dict[str, _Row] = {}
    for entry in entries:
        name = _name(by, entry)
        rows.setdefault(name, _Row(by, name)).add(entry)
    if by is By.DAY:
        return [rows[name] for name in sorted(rows)]
    return sorted(rows.values(), key=lambda row: (-row.usd, row.name))


def _name(by: By, entry: Entry) -> str:
    if by is By.DAY:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(entry.sent_at, UTC).date().isoformat()
    if by is By.KIND:
        from mjcli.jobs.budget import kind_of

        return kind_of(entry.path, entry.body)
    return (entry.batch or "(no batch)") if by is By.BATCH else entry.words or "(no prompt)"


# -- output --------------------------------------------------------------------------------------------


def _show(context: Context, rows: list[_Row], *, csv: bool) -> None:
    from mjcli.cli.output.text import visible
    from mjcli.jobs.budget import digits

    output = context.output
    if csv:
        _write_csv(context, rows)
    elif output.json:
        for row in rows:
            output.answer(row.document(), [])
    elif output.mode.quiet:
        output.text(f"{digits(sum(row.usd for row in rows))}\n")
    elif output.stdout_is_terminal:
        _show_table(context, rows)
    else:
        for row in rows:
            amounts = map(digits, (row.usd, row.charged, row.estimated))
            output.text("\t".join([visible(row.name), str(row.jobs), *amounts]) + "\n")


def _write_csv(context: Context, rows: list[_Row]) -> None:
    import csv
    import io

    from mjcli.cli.output.text import visible

    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row.document(), "name": visible(row.name)} for row in rows)
    context.output.text(text.getvalue())


def _show_table(context: Context, rows: list[_Row]) -> None:
    from mjcli.cli.output.table import Column, Paper, table
    from mjcli.jobs.budget import digits

    if not rows:
        return
    output, title = context.output, rows[0].by.value.upper()
    columns = (
        Column(title),
        Column("JOBS", 8),
        Column("USD", 12),
        Column("CHARGED", 12, needs=50),
        Column("ESTIMATED", 12, needs=50),
    )
    lines = [[row.name, str(row.jobs), *map(digits, (row.usd, row.charged, row.estimated))] for row in rows]
    sums = (
        sum(values) for values in zip(*((row.usd, row.charged, row.estimated) for row in rows), strict=True)
    )
    lines.append(["total", str(sum(row.jobs for row in rows)), *map(digits, sums)])
    paper = Paper(output.width(output.stdout), output.stdout.encoding, output.colours(output.stdout))
    output.text(table(columns, lines, paper))


def _explain(
    context: Context, rows: Sequence[_Row], entries: Sequence[Entry], charges: Charges | None
) -> None:
    """Say what is estimated, and what to type for more."""
    from mjcli.cli.cost import sources

    output = context.output
    if not rows:
        output.notice("No jobs in this period.")
    estimated = [each.estimated for each in entries if not each.charged]
    origin = sources(estimated)
    how = f" ({origin})" if origin else ""
    if estimated and context.platform is None:
        line = output.next_command(log_in(platform=True))
        output.notice(f"Estimates only{how}. For what was charged, save a platform token: {line}")
    elif estimated:
        jobs = "1 job has" if len(estimated) == 1 else f"{len(estimated)} jobs have"
        output.notice(f"{jobs} no usage record yet; the cost is estimated{how}.")
    if charges is not None and charges.other and any(each.unfinished for each in entries):
        line = output.next_command(command("resume"))
        output.notice(f'"{_OTHER}" may include unfinished jobs; to link their charges: {line}')
    unpriced = sum(each.at_least for each in entries)
    if unpriced:
        output.notice(f"The exact price of {count_of_jobs(unpriced)} is not known; the cost may be higher.")
    if charges is not None and not charges.exact and (charges.other or any(row.charged for row in rows)):
        output.notice(
            f"Credits are counted as {charges.usd_per_credit:g} USD each, the last published price."
        )
