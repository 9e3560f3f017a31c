"""Start a batch: read its file, check its lines, say what it may cost, and ask; then run it, or only describe it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mjcli.cli.batch.accounts import Limits, Workers
from mjcli.cli.batch.chains import check_chain
from mjcli.cli.batch.cost import BatchCosts, Forecast
from mjcli.cli.batch.fields import folded
from mjcli.cli.batch.files import STDIN, FileDigests, read_file
from mjcli.cli.batch.keep import Keep, LocalKeep, SharedKeep
from mjcli.cli.batch.lines import Line, read_lines
from mjcli.cli.batch.orders import LineDefaults
from mjcli.cli.batch.run import BatchRun, Manner
from mjcli.cli.batch.steps import Step, parse_steps
from mjcli.cli.batch.work import Options, Piece, Survey
from mjcli.cli.confirm import MAX_UNCONFIRMED
from mjcli.cli.hints import command, without_globals
from mjcli.cli.output.batch import short_path
from mjcli.cli.output.text import count_of_jobs
from mjcli.cli.output.times import local_time
from mjcli.cli.save import file_target, preload
from mjcli.errors import BatchRefused, ConfigError, Interrupted, LineProblem, UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.options import FileOptions
    from mjcli.cli.output.batch import Summary
    from mjcli.cli.output.report import Report
    from mjcli.jobs.order import Order
    from mjcli.jobs.queries import ItemRow

LONGEST_NAME = 200  # characters
_NAMES_SHOWN = 3  # file names before the question
_LINES_SHOWN = 5  # numbers of lines in a message


class BatchOptions(NamedTuple):
    """What a batch is asked to do; `again`, `retry_failed` and `retry_unknown` say what is made anew."""

    file: str
    then: tuple[str, ...] = ()
    format: str | None = None
    name: str | None = None
    jobs: int | None = None
    rate: float | None = None
    profiles: tuple[str, ...] = ()
    again: bool = False
    retry_failed: bool = False
    retry_unknown: bool = False
    fail_fast: bool = False
    stream: bool = False
    timeout: float | None = None
    max_cost: float | None = None
    max_jobs: int | None = None
    report: str | None = None
    yes: bool = False
    dry_run: bool = False
    split: bool = False
    shard: str | None = None
    status: bool = False


class Plan(NamedTuple):
    """What is sent: each piece with a draft of its order, and what they cost together."""

    drafts: list[tuple[Piece, Order]]
    forecast: Forecast


class Batch:
    """A batch of this run: its lines, and how far it is. Raises `UsageError`, `ConfigError` before anything is sent."""

    def __init__(
        self, context: Context, options: BatchOptions, files: FileOptions, defaults: LineDefaults
    ) -> None:
        self._context, self._options, self._files = context, options, files
        self._output = context.output
        self._steps = parse_steps(options.then)  # before the file, which may have to be typed
        data, self._file = read_file(options.file, context.streams.stdin)
        directory = Path() if options.file == STDIN else Path(options.file).parent
        digest = FileDigests(directory)
        self._lines: list[Line] = read_lines(data, self._file, options.format, digest=digest)
        self._name = self._named()
        if options.status:
            return
        self._check_chains()
        self._contents = {line.identity: line.content for line in self._lines}  # of all shards
        self._lines = self._of_this_shard()
        shared = self._opened_store()
        self._keep: Keep = shared or self._local()
        limits = Limits(options.jobs, options.rate)
        self._costs = BatchCosts(context, self._name, max_cost=options.max_cost, max_jobs=options.max_jobs)
        if not options.dry_run:
            context.ledger  # noqa: B018 - created before the accounts that share it
        self._workers = Workers(context, options.profiles, limits, defaults, directory, shared)
        if shared is not None:
            shared.read()
        self._survey = self._surveyed()

    def run(self) -> None:
        """Carry the batch out, or describe it with --dry-run or --status."""
        if self._options.status:
            self._print_status()
            return
        if not self._agreed():
            return
        report = self._opened_report()
        preload(files=self._keep.place is not None)
        for profile in self._survey.profiles:
            self._workers.admit(profile)
        if self._keep.place is not None:
            for worker in self._workers:
                worker.context.downloader  # noqa: B018 - before threads need it
        self._workers.prepare()
        self._carry_out(report)

    def _agreed(self) -> bool:
        """Check everything, and ask; False after a dry run. The drafts of the orders are not kept."""
        plan = self._planned()
        self._costs.check(plan.forecast, self._survey)
        self._say_where_it_is()
        if self._options.dry_run:
            from mjcli.cli.batch.preview import print_preview

            print_preview(
                self._output, self._name, self._survey, plan.drafts, plan.forecast, self._keep.target
            )
            return False
        self._confirm(plan)
        return True

    # -- what there is -----------------------------------------------------------------------------

    def _named(self) -> str:
        """The name of the batch: that of its file, unless another is given."""
        name = self._options.name
        if name is None and self._options.file == STDIN:
            name = f"stdin-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
            self._output.notice(f'This is a new batch, "{name}"; --name continues an earlier one.')
        elif name is None:
            name = Path(self._options.file).name
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise UsageError(f"--name must be 1 to {LONGEST_NAME} printable characters.")
        return name

    def _check_chains(self) -> None:
        """Refuse --then after lines whose results never offer it. Raises `UsageError`, `BatchRefused`."""
        numbers: dict[str | None, list[int]] = {}
        for line in self._lines:
            if not line.then:
                numbers.setdefault(line.fields.get("action"), []).append(line.number)
        problems = []
        for action, lines in numbers.items():
            try:
                check_chain(self._steps, action)
            except UsageError as error:
                if action is None:
                    raise
                problems += [LineProblem(number, error.message) for number in lines]
        if problems:
            raise BatchRefused(self._file, problems)

    def _of_this_shard(self) -> list[Line]:
        """The lines that this process takes."""
        if self._options.shard is None:
            return self._lines
        from mjcli.cli.batch.shard import parse_shard

        shard = parse_shard(self._options.shard, self._context.environ)
        lines = [line for line in self._lines if shard.holds(line.base)]
        self._output.notice(f"Shard {shard}: {len(lines)} of {len(self._lines)} lines.")
        return lines

    def _store_address(self) -> str | None:
        """The address of --output, if that is a store."""
        from mjcli.media.store import is_store

        output = self._files.output
        if output is None or not is_store(output):
            return None
        if self._files.download is False:
            raise UsageError("--output saves the images, so it cannot be combined with --no-download.")
        return output

    def _opened_store(self) -> SharedKeep | None:
        """The store of --output, if it names one. Raises `UsageError`, `StoreError`."""
        address = self._store_address()
        if address is None:
            return None
        from mjcli.cli.save import output_target
        from mjcli.media.store_files import StoreTarget

        context, options = self._context, self._options
        store = StoreTarget.open(address, force=self._files.force)
        files = self._files._replace(output=None)
        template = output_target(self._output, context.settings, files, split=options.split)
        wanted = (
            ("done", options.again),
            ("failed", options.retry_failed),
            ("unknown", options.retry_unknown),
        )
        retry = [state for state, chosen in wanted if chosen]
        sandbox = context.settings.host == "sandbox"
        return SharedKeep(store, template, self._output, self._name, sandbox=sandbox, retry=retry)

    def _local(self) -> LocalKeep:
        """The directory where files go; a line with an output of its own wants to be saved."""
        files = self._files
        if files.download is None and any(line.output is not None for line in self._lines):
            files = files._replace(download=True)
        target = file_target(self._output, self._context.settings, files, split=self._options.split)
        if target is not None and (len(self._lines) > 1 or target.stdout):
            from mjcli.media.names import check_for_several

            check_for_several(target)
        return LocalKeep(target, self._output.secret.hide, force=files.force)

    def _rows(self) -> dict[str, ItemRow]:
        """The jobs of the batch in the ledger, by their items."""
        ledger = self._context.existing_ledger
        sandbox = self._context.settings.host == "sandbox"
        return {} if ledger is None else ledger.items_of(self._name, sandbox=sandbox)

    def _surveyed(self) -> Survey:
        """What is left to do of the lines."""
        options = self._options
        made = Options(options.again, options.retry_failed, options.retry_unknown)
        rows = self._rows()
        others = [taken for item, taken in self._keep.elsewhere.items() if item not in rows]
        self._costs.count_elsewhere(others)
        survey = Survey(self._context.existing_ledger, rows, made, self._keep)
        survey.add(
            Piece(line, line.identity, self._steps_of(line), profile=self._owner(line))
            for line in self._lines
        )
        return survey

    def _steps_of(self, line: Line) -> tuple[Step, ...]:
        """The steps that follow a line: its own, else those of --then."""
        return parse_steps(line.then) if line.then else self._steps

    def _print_status(self) -> None:
        """Print how far the batch is: in this ledger, or in the store for all machines."""
        from mjcli.cli.batch.status import print_status

        address = self._store_address()
        pieces = (Piece(line, line.identity, self._steps_of(line)) for line in self._lines)
        print_status(self._context, self._name, pieces, self._rows(), address)

    def _owner(self, line: Line) -> str | None:
        """The account whose image a line works on; None if any may run it."""
        ledger = self._context.existing_ledger
        if "action" not in line.fields or len(self._workers.chosen) == 1 or ledger is None:
            return None
        image = str(line.fields["image"][0])
        known = (name for name in self._workers.chosen if ledger.by_image(name, image) is not None)
        return next(known, None)

    # -- before anything is sent -------------------------------------------------------------------

    def _planned(self) -> Plan:
        """Check the lines that are sent. Raises `BatchRefused` with all that is wrong."""
        drafts = self._drafts([piece for piece in self._survey.to_send if piece.order is None])
        pieces = [(piece, piece.order or drafts[piece.item]) for piece in self._survey.to_send]
        self._check_names(pieces)
        pieces += self._orders_of(self._survey.unsent)
        unsent = {row.uuid for _, row in self._survey.unsent}
        with_steps = [each for each in self._survey.to_follow if each[0].steps and each[1].uuid not in unsent]
        return Plan(pieces, self._costs.forecast(pieces, self._orders_of(with_steps)))

    def _drafts(self, pieces: list[Piece]) -> dict[str, Order]:
        """Drafts of the orders of lines by their items, each checked by the account that owns its image."""
        by_account: dict[str, list[Piece]] = {}
        for piece in pieces:
            by_account.setdefault(piece.profile or self._workers.chosen[0], []).append(piece)
        drafts: dict[str, Order] = {}
        problems: list[LineProblem] = []
        for account, group in by_account.items():
            try:
                found = self._workers[account].orders.check_all((each.line for each in group), self._file)
            except BatchRefused as error:
                problems += error.problems
            else:
                drafts.update(zip((each.item for each in group), found, strict=True))
        if problems:
            raise BatchRefused(self._file, problems)
        return drafts

    def _orders_of(self, followed: Iterable[tuple[Piece, ItemRow]]) -> list[tuple[Piece, Order]]:
        """The orders of jobs in the ledger, with their pieces."""
        from mjcli.jobs.order import Order

        ledger = self._context.existing_ledger
        if ledger is None:
            return []
        jobs = ((piece, ledger.get(row.uuid)) for piece, row in followed)
        return [(piece, Order.of(job)) for piece, job in jobs if job is not None]

    def _check_names(self, pieces: list[tuple[Piece, Order]]) -> None:
        """Refuse lines whose files have names that are in use. Raises `BatchRefused`."""
        problems = []
        for piece, order in pieces:
            try:
                self._keep.check(order, piece)
            except (UsageError, ConfigError) as error:
                problems.append(
                    LineProblem(piece.line.number, error.message.removesuffix(" Nothing was sent."))
                )
        if problems:
            hint = "choose another output; --force replaces files that exist"
            raise BatchRefused(self._file, problems, hint=hint)

    def _say_where_it_is(self) -> None:
        """Say what earlier runs have done, and what is left alone."""
        survey, output = self._survey, self._output
        if survey.before:
            when = local_time(survey.before_at)
            last = f", the last at {when}" if when else ""
            output.notice(
                f"{survey.before} of {count_of_jobs(survey.total)} done before{last}; --again runs them again."
            )
        if survey.changed:
            where = _lines([piece.line.number for piece in survey.changed])
            output.warning(
                f"{where} changed since the job with the same key was done, which stays as it is; another key makes"
                " a new job."
            )
        equal = [each.line.number for each in survey.to_send if each.step is None and _repeats(each.line)]
        if equal:
            repeat = "repeats an earlier line; it" if len(equal) == 1 else "repeat earlier lines; each"
            output.notice(f"{_lines(equal)} {repeat} is a job of its own.")
        self._say_what_was_sent_before()
        if survey.failed:
            them = "it" if len(survey.failed) == 1 else "them"
            output.notice(
                f"{count_of_jobs(len(survey.failed))} failed before; --retry-failed retries {them}."
            )

    def _say_what_was_sent_before(self) -> None:
        """Say which lines are sent again although equal ones were sent before."""
        new = [
            piece
            for piece in self._survey.to_send
            if piece.step is None and piece.item not in self._survey.replaced
        ]
        left_over = self._survey.left_over(self._contents)
        renamed = [piece.line.number for piece in new if piece.line.content in left_over]
        if renamed:
            were, they_are = ("was", "it is") if len(renamed) == 1 else ("were", "they are")
            self._output.notice(
                f"{_lines(renamed)} {were} sent before in this batch, under another key or none; {they_are} sent"
                " again and billed again."
            )
        self._say_what_is_in_the_history([piece for piece in new if piece.line.content not in left_over])

    def _say_what_is_in_the_history(self, new: list[Piece]) -> None:
        """Say which prompts of a new batch were sent before outside of it: the ledger may have been lost."""
        ledger = self._context.existing_ledger
        new = [piece for piece in new if "prompt" in piece.line.fields]
        if ledger is None or not new:
            return
        known = ledger.subjects_outside(self._name, {folded(piece.line.fields["prompt"]) for piece in new})
        found = [piece.line.number for piece in new if folded(piece.line.fields["prompt"]) in known]
        if found:
            self._output.notice(
                f"The prompts of {_lines(found).lower()} are in the history already, outside of this batch; they are"
                " sent again."
            )

    def _confirm(self, plan: Plan) -> None:
        """Ask on a terminal; elsewhere many jobs need an option. Raises `UsageError`."""
        forecast, options, output = plan.forecast, self._options, self._output
        if options.yes or not forecast.jobs:
            return
        if output.can_ask:
            for line in self._file_names(plan):
                output.notice(line)
            done = sum(rows[0].state == "done" for rows in self._survey.replaced.values())
            if done:
                output.notice(
                    f"{count_of_jobs(done)} of them done and billed before; --again bills them again."
                )
            if not output.ask(f"Start {count_of_jobs(forecast.jobs)} for {forecast.cost}?"):
                raise UsageError("Cancelled; nothing was sent.")
            return
        limited = options.max_cost is not None or options.max_jobs is not None
        if forecast.jobs > MAX_UNCONFIRMED and not limited:
            raise UsageError(
                f"This would start {forecast.jobs} jobs for {forecast.cost}; more than {MAX_UNCONFIRMED} need"
                " --yes, --max-cost or --max-jobs. Nothing was sent.",
                hint="--dry-run shows the jobs",
            )

    def _file_names(self, plan: Plan) -> list[str]:
        """Where the first files go, as far as their names are known."""
        if self._keep.place is None:
            return ["The images are not saved; --output DIR saves them."]
        from mjcli.cli.batch.preview import file_of

        shown = []
        for piece, order in plan.drafts[:_NAMES_SHOWN]:
            target = self._keep.target(piece)
            if target is not None:
                file = file_of(order, target, self._output.secret.hide)
                shown.append(f"line {piece.line.number}: {short_path(file)}")
        left = len(plan.drafts) - len(shown)
        return [*shown, *([f"… and {left} more"] if left > 0 else [])]

    # -- the run -----------------------------------------------------------------------------------

    def _opened_report(self) -> Report | None:
        if self._options.report is None:
            return None
        from mjcli.cli.output.report import Report

        return Report.open(self._output, self._options.report, batch=self._name, force=self._files.force)

    def _carry_out(self, report: Report | None) -> None:
        context, options = self._context, self._options
        manner = Manner(self._name, options.stream, options.timeout, options.fail_fast)
        run = BatchRun(
            self._output,
            context.ledger,
            self._workers,
            self._survey,
            self._costs,
            self._keep,
            manner,
            report,
        )
        try:
            summary = run.run()
        except Interrupted as stop:
            if not stop.closed_pipe and stop.sent:
                stop.sentence = (
                    "Interrupted. Jobs in flight continue at the service and are billed if they succeed."
                )
                stop.hint = self._continuing()
            raise
        finally:
            if report is not None:
                report.close()
        run.print(
            summary._replace(
                directory=self._keep.place,
                report=options.report,
                next=self._output.next_command(self._next(summary, run.not_offered))
                if summary.exit_status
                else "",
            ),
        )

    def _next(self, summary: Summary, not_offered: int) -> str:
        """The command that does what is left, which may be to send failed jobs again; empty if none can."""
        counts = summary.counts
        only_failed = counts.failed and not (counts.left or counts.running or counts.unknown)
        if only_failed and counts.failed == not_offered:
            return self._continuing() if summary.unsaved else ""
        if only_failed and not self._options.retry_failed:
            return self._continuing("--retry-failed")
        return self._continuing()

    def _continuing(self, *more: str) -> str:
        """The command that continues the batch: the same one, under the same name."""
        words = without_globals(self._context.arguments)
        words = [each for each in words if each not in ("--again", "--retry-unknown")]
        if self._options.file == STDIN and self._options.name is None:
            words += ["--name", self._name]
        return command(*words, *more)


def _repeats(line: Line) -> bool:
    """Whether an earlier line is equal to this one."""
    return line.key is None and not line.identity.endswith("/1")


def _lines(numbers: Sequence[int]) -> str:
    """Lines for people: `Line 3`, `Lines 3 and 4`, `Lines 3, 4, 7, 8, 9 and 12 more`."""
    shown, left = list(map(str, numbers[:_LINES_SHOWN])), len(numbers) - _LINES_SHOWN
    last = f"{left} more" if left > 0 else shown.pop()
    text = f"{', '.join(shown)} and {last}" if shown else last
    return f"Line{'s' if len(numbers) > 1 else ''} {text}"
