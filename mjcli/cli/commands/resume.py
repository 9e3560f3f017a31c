"""`mj resume`: finish jobs that were interrupted, or whose files are missing."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import command
from mjcli.cli.hints import resume as resume_command
from mjcli.cli.options import FileOptions, RetriesOption, SplitOption
from mjcli.cli.parser import MjCommand, new_app, takes
from mjcli.cli.pipe import STDOUT
from mjcli.cli.save import preload
from mjcli.cli.submit import title_of
from mjcli.errors import (
    ApiError,
    ExitCode,
    LostResponse,
    MjError,
    NetworkError,
    StillRunning,
    UnknownTask,
    UsageError,
)

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.media.names import Target

app = new_app()


@app.command(
    "resume",
    cls=MjCommand,
    epilog="""# After a lost connection, a crash, a closed laptop: everything unfinished
mj resume
# One job, by its task or id prefix
mj resume 7489df4c
# What is ready now, without waiting for the rest
mj resume --no-wait
# Send a job with an unknown outcome again, which may be billed twice
mj resume 1a2b3c4d --resubmit""",
)
@takes(files=FileOptions)
def resume(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JOB",
            help="Id, id prefix, @last or @2; - reads ids from standard input (default: every unfinished job).",
        ),
    ] = None,
    *,
    resubmit: Annotated[
        bool,
        typer.Option("--resubmit", help="Send jobs again if not found; they may be billed twice."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Stop searching for the named jobs; send nothing.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="TASK", help="Task to assign to the job when several match."),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Query once; do not wait for running jobs.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, max=604_800, metavar="SECONDS", help="Deadline for each job (default 900)."),
    ] = None,
    retries: RetriesOption = 3,
    split: SplitOption = False,
    files: FileOptions,
) -> None:
    """Resume unfinished jobs and save the requested files.

    A job with a task is followed; one whose response was lost is searched for among the recent tasks; one
    that was never sent is sent. Nothing is sent twice except with --resubmit. It is safe to run this any
    number of times, also at once.
    """
    from mjcli.cli.lookup import Lookup

    context: Context = ctx.obj
    context.resuming = True
    names = jobs or []
    _check(context, names, resubmit=resubmit, yes=yes, give_up=give_up, task=task)
    if files.output == STDOUT:
        raise UsageError(
            "mj resume does not write to standard output.", hint=command("download", "JOB", "-o", STDOUT)
        )
    lookup = Lookup.of(context)
    chosen = _named(context, lookup, names) if names else _unfinished(context, yes=yes)
    if give_up:
        for job in chosen:
            _give_up(context, job)
        return
    for job in chosen if names else ():
        lookup.check_host(job)
    if task is not None:
        _assign(context, chosen[0], task)
    elif names:
        chosen = [_replacement(context, job) for job in chosen]
    if not chosen:
        return
    targets = _Targets(context, files, split=split, several=len(chosen) > 1)
    context.client.retries = retries
    run = _Resume(context, lookup, targets, timeout=0.0 if no_wait else timeout)
    run.resubmit, run.yes = resubmit, yes
    run.resume_all(chosen)


class _Resume:
    """One run of `mj resume`."""

    def __init__(self, context: Context, lookup: Lookup, targets: _Targets, *, timeout: float | None) -> None:
        from mjcli.cli.submit import Submitter

        self._context, self._targets, self._timeout = context, targets, timeout
        self._submitter = Submitter.of(context, lookup)
        self.resubmit = self.yes = False

    def resume_all(self, jobs: list[Job]) -> None:
        """Resume jobs and print their results in this order."""
        import mjcli.cli.several
        import mjcli.media.place  # noqa: F401

        preload(files=True)
        unreachable = self._update(jobs)
        if unreachable is not None:
            jobs = self._without_tasks(jobs, unreachable)
        if len(jobs) < 2:
            for job in jobs:
                self._resume(job)
            return
        self._submitter.resume_all(
            jobs,
            self._targets.of,
            self._targets.force,
            timeout=self._timeout,
            failed=self._in_place_of,
            asks=self.resubmit and not self.yes,
        )

    def _update(self, jobs: list[Job]) -> NetworkError | None:
        """Query all known tasks in one request, and record those that have ended.

        Returns the error if the service cannot be reached: other queries would be in vain.
        """
        from mjcli.jobs.follow import query_deadline, record_task_result

        context = self._context
        deadline = query_deadline(None if self._timeout is None else time.monotonic() + self._timeout)
        tasks = [job.task_id for job in jobs if job.task_id is not None and job.state != "done"]
        try:
            for record in context.client.tasks(tasks, deadline=deadline) if tasks else ():
                # An odd record must not stop the others.
                with contextlib.suppress(ValueError, TypeError, LookupError, ArithmeticError):
                    record_task_result(context.ledger, context.settings.host, record)
        except NetworkError as error:
            return error
        except (ApiError, LostResponse) as error:
            if error.exit_code == ExitCode.AUTH:
                raise
            # The jobs are queried again then, with more patience.
        return None

    def _without_tasks(self, jobs: list[Job], unreachable: NetworkError) -> list[Job]:
        """Report the jobs whose tasks cannot be queried; return the others. Raises `StillRunning` for a single job."""
        rest = []
        for job in jobs:
            if job.task_id is None or job.state == "done":
                rest.append(job)
                continue
            error = StillRunning(
                f"{unreachable.message} The job continues at the service and is billed if it succeeds.",
                task_id=job.task_id,
                hint=resume_command(job.reference),
            )
            if len(jobs) == 1:
                raise error
            self._context.output.failure(error)
        return rest

    def _resume(self, job: Job) -> None:
        """Resume one job, or the one that was sent in its place."""
        try:
            self._run(job)
        except MjError as error:
            fresh = self._in_place_of(job, error)
            if fresh is None:
                raise
            self._run(fresh)

    def _run(self, job: Job) -> None:
        targets = self._targets
        self._submitter.resume(job, targets.of(job), force=targets.force(job), timeout=self._timeout)

    def _in_place_of(self, job: Job, error: MjError) -> Job | None:
        """The job that takes the place of one that failed: another mj, or the user, has sent it again."""
        if isinstance(error, LostResponse) and self.resubmit:
            return self._resubmitted(job, error)
        return self._context.ledger.replacement(job.uuid)

    def _resubmitted(self, job: Job, lost: LostResponse) -> Job | None:
        """The job that replaces one that stays unknown, if the user agrees."""
        context = self._context
        if not self.yes:
            context.output.notice(lost.message)
            if not context.output.ask(f"Send it again ({title_of(job)})? It may be billed twice."):
                return None
        fresh = context.ledger.resubmit(job.uuid, limits=context.costs.limits)
        if fresh is not None:
            return fresh
        fresh = _replacement(context, job)
        if fresh is job:
            raise UsageError(
                "The job changed in the meantime, so it was not sent again.",
                hint=resume_command(job.reference),
            )
        return fresh


def _check(
    context: Context, names: list[str], *, resubmit: bool, yes: bool, give_up: bool, task: str | None
) -> None:
    """Refuse combinations of options that make no sense. Raises `UsageError`."""
    if give_up and (resubmit or task is not None):
        raise UsageError("--give-up cannot be combined with --resubmit or --task.")
    if give_up and not names:
        raise UsageError(
            "--give-up needs at least one job.",
            hint=command("history", "--state", "unfinished", note="lists them"),
        )
    if task is not None and (len(names) != 1 or names == ["-"]):
        raise UsageError("--task needs exactly one job.", hint=command("resume", "JOB", "--task", "TASK"))
    if resubmit and not yes and not context.output.can_ask:
        raise UsageError(
            "--resubmit needs a terminal to ask for confirmation.",
            hint="--yes skips the question; the job may be billed twice",
        )


def _named(context: Context, lookup: Lookup, names: list[str]) -> list[Job]:
    from mjcli.cli.inputs import expand

    jobs = (lookup.job(each) for each in expand(context.streams.stdin, names, "job"))
    return list({job.uuid: job for job in jobs}.values())


def _replacement(context: Context, job: Job) -> Job:
    """The job, or the one that was sent in its place."""
    seen = {job.uuid}
    while (fresh := context.ledger.replacement(job.uuid)) is not None and fresh.uuid not in seen:
        context.output.notice(
            f"Job {job.reference} was sent again as {fresh.reference}; resuming the new job."
        )
        seen.add(fresh.uuid)
        job = fresh
    return job


def _unfinished(context: Context, *, yes: bool) -> list[Job]:
    """Every unfinished job of the profile; on a terminal the user is asked about those never sent."""
    output, settings, ledger = context.output, context.settings, context.existing_ledger
    profile, host = settings.profile.value, settings.host
    unfinished = ledger.unfinished(profile) if ledger is not None else []
    here = [job for job in unfinished if job.host == host]
    queued = [job for job in here if job.unsent and job.item is not None]
    if queued:  # its lines may have been changed since
        here = [job for job in here if job not in queued]
        jobs = "1 job of a batch was" if len(queued) == 1 else f"{len(queued)} jobs of batches were"
        output.notice(f"{jobs} never sent; the same mj batch command sends them.")
    _report_skipped(output, unfinished, host)
    elsewhere = ledger.unfinished_by_profile(exclude=profile) if ledger is not None else {}
    for name, count in elsewhere.items():
        if name != "sandbox":
            line = output.outside_sandbox(command("--profile", name, "resume"))
            how = f": {line}" if line else "."
            output.notice(f'Profile "{name}" has {count} unfinished job{"s" if count > 1 else ""}{how}')
    unsent = [job for job in here if job.unsent]
    if unsent and output.can_ask and not yes:
        titles = "; ".join(title_of(job) for job in unsent)
        if not output.ask(f"Not sent or billed yet: {titles}. Send now?"):
            here = [job for job in here if not job.unsent]
            output.notice(f"They stay queued; to drop one: {command('resume', 'JOB', '--give-up')}")
    if not unfinished:
        output.notice("Nothing to resume: all jobs have finished and their files are saved.")
    return here


def _report_skipped(output: Output, unfinished: list[Job], host: str) -> None:
    """Report the jobs that another service has, and how to resume them there."""
    from collections import Counter

    counts = Counter(job.host for job in unfinished if job.host != host)
    for other, count in sorted(counts.items()):
        jobs = "1 unfinished job" if count == 1 else f"{count} unfinished jobs"
        verb = "was" if count == 1 else "were"
        output.warning(
            f"{jobs} at {other} {verb} skipped, because the profile now uses {host}.",
            following=output.next_command(command("resume"), {"MJ_BASE_URL": other}),
        )


def _give_up(context: Context, job: Job) -> None:
    if not context.ledger.give_up(job.uuid):
        raise UsageError(f"Job {job.reference} is {job.state}; there is nothing to give up.")
    if job.sent_at is not None and job.state != "done":
        condition = "succeeds" if job.task_id is not None else "was accepted and succeeds"
        context.output.notice(
            f"{title_of(job)}: no longer followed, but not stopped at the service; it is billed if it {condition}."
        )
    context.output.answer(
        {"success": True, "given_up": job.uuid, "task_id": job.task_id},
        [("given up", job.reference)],
        [job.reference],
    )


def _assign(context: Context, job: Job, task_id: str) -> None:
    """Assign a task to a job whose response was lost. Raises `UsageError` when it cannot be this job's."""
    from mjcli.jobs.recover import matches_request

    if job.task_id is not None:
        raise UsageError(f"Job {job.reference} already has a task.")
    record = context.client.task(task_id)
    if record is None:
        raise UnknownTask(f'Task "{task_id}" was not found.', task_id=task_id)
    if not matches_request(record, job.path, job.request):
        why = "has a different request"
    elif not context.ledger.adopt(job.uuid, context.settings.host, str(record.id)):
        why = "belongs to another job in the ledger"
    else:
        return
    raise UsageError(f'Task "{task_id}" {why}.', hint=command("describe-task", task_id))


class _Targets:
    """Where the files of each job go: as this command says, else as the options of the job itself say."""

    def __init__(self, context: Context, files: FileOptions, *, split: bool, several: bool) -> None:
        from mjcli.cli.save import output_target
        from mjcli.media.names import check_for_several

        self._files, self._split = files, split
        self._given = output_target(context.output, context.settings, files, split=split)
        self._hide = context.output.secret.hide
        if several and files.output is not None:
            check_for_several(self._given)

    def of(self, job: Job) -> Target | None:
        """The target of a job, None when its files are not saved. Raises `ConfigError`."""
        from mjcli.cli.save import check_names, stored_target, with_options
        from mjcli.media.place import check_writable

        files = self._files
        if files.download is False:
            return None
        requested = files.download or self._split or files.wants_metadata
        if files.output is not None or (requested and job.files_asked is None):
            target = self._given
        else:
            stored = stored_target(job)
            if stored is None:
                return None
            target = with_options(stored, files)._replace(split=stored.split or self._split)
        if job.unsent:
            from mjcli.jobs.order import Order

            check_writable(target)
            split_images = bool(job.request.get("split_images"))
            check_names(Order.of(job), target, self._hide, force=self.force(job), split_images=split_images)
        return target

    def force(self, job: Job) -> bool:
        """Whether existing files are replaced."""
        stored = job.files_asked is not None and bool(job.files_asked.get("force"))
        return self._files.force or (stored and job.unfinished)
