"""`mj resume`: take up the jobs that have not come to their end, or whose files are not there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import (
    ApiError,
    ExitCode,
    LostAnswer,
    MjError,
    NetworkError,
    StillRunning,
    UnknownTask,
    UsageError,
)
from mjcli.errors import resume as resume_hint
from mjcli.options import FileOptions, MjCommand, RetriesOption, new_app, takes

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.filenames import Target
    from mjcli.ledger import Job

app = new_app()


@app.command(
    "resume",
    cls=MjCommand,
    epilog="""# After a lost connection, a crash, a closed laptop: everything that is left
mj resume
# One job, by its task or the beginning of its id
mj resume 7489df4c
# What is ready now, without waiting for the rest
mj resume --no-wait
# A job whose outcome stays unknown: send it again, knowing that it may cost a second time
mj resume 1a2b3c4d --resubmit""",
)
@takes(files=FileOptions)
def resume(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JOB",
            help="An id or its beginning, @last, @2, or - for standard input; none: every unfinished job.",
        ),
    ] = None,
    *,
    resubmit: Annotated[
        bool,
        typer.Option(
            "--resubmit", help="Ask, then send again what stays unknown; it may cost a second time."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Agree beforehand to what would be asked.")
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Look for the named jobs no more. Nothing is sent.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="TASK", help="Say which task the one named job is, when several may be it."
        ),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Look once; do not wait for what still runs.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="SECONDS", help="Give up waiting for a job after so long (default 900)."
        ),
    ] = None,
    retries: RetriesOption = 3,
    files: FileOptions,
) -> None:
    """Take up unfinished jobs: follow them to their end and save the files that were asked for.

    A job whose task is known is followed; one whose answer was lost is looked for among the recent tasks;
    one that never left this machine is sent. Nothing is ever sent a second time but with --resubmit. May
    be run any number of times, also at once.
    """
    runtime: Runtime = ctx.obj
    runtime.taking_up = True
    _check(runtime, jobs or [], resubmit=resubmit, yes=yes, give_up=give_up, task=task)
    chosen = _named(runtime, jobs) if jobs else _all(runtime, yes=yes)
    if give_up:
        for job in chosen:
            _give_up(runtime, job)
        return
    if task is not None:
        _assign(runtime, chosen[0], task)
    elif jobs:
        chosen = [_newest(runtime, job) for job in chosen]
    if not chosen:
        return
    target = _Target(runtime, files, several=len(chosen) > 1)
    runtime.client.retries = retries
    unreachable = _look(runtime, chosen)
    from mjcli.delivery import one_after_another, take_up_job

    seconds = 0.0 if no_wait else timeout

    def take_up(job: Job) -> None:
        if len(chosen) > 1:
            runtime.output.notice(f"{chosen.index(job) + 1}/{len(chosen)}: {_called(job)}")
        if unreachable is not None and job.task_id is not None and job.state != "done":
            raise StillRunning(unreachable, task_id=job.task_id, hint=resume_hint(job.reference))
        try:
            take_up_job(runtime, job, target.of(job), force=target.force(job), timeout=seconds)
        except MjError as error:
            if isinstance(error, LostAnswer) and resubmit:
                fresh = _resubmitted(runtime, job, error, yes=yes)
            else:  # another mj may have sent it again while this one looked
                fresh = runtime.ledger.replacement(job.uuid)
            if fresh is None:
                raise
            take_up_job(runtime, fresh, target.of(fresh), force=target.force(fresh), timeout=seconds)

    one_after_another(runtime, chosen, take_up, left="taken up; they stay in the ledger")


def _check(
    runtime: Runtime, names: list[str], *, resubmit: bool, yes: bool, give_up: bool, task: str | None
) -> None:
    """Refuse what cannot be meant. Raises `UsageError`."""
    if give_up and (resubmit or task is not None):
        raise UsageError("--give-up contradicts --resubmit and --task.")
    if give_up and not names:
        raise UsageError(
            "--give-up needs the jobs that are meant.", hint="mj history --state unfinished  # lists them"
        )
    if task is not None and (len(names) != 1 or names == ["-"]):
        raise UsageError("--task is for one job, which must be named.", hint="mj resume JOB --task TASK")
    if resubmit and not yes and not runtime.can_ask:
        raise UsageError(
            "--resubmit asks first, since it may cost a second time, and nobody can be asked here.",
            hint="add --yes to agree beforehand",
        )


def _named(runtime: Runtime, names: list[str]) -> list[Job]:
    from mjcli.references import check_host, expand, job_of

    found = {job.uuid: job for job in (job_of(runtime, each) for each in expand(runtime, names, "job"))}
    for job in found.values():
        check_host(runtime, job)
    return list(found.values())


def _newest(runtime: Runtime, job: Job) -> Job:
    """The job, or the one that was sent in its place."""
    fresh = runtime.ledger.replacement(job.uuid)
    if fresh is None:
        return job
    runtime.output.notice(f"The job {job.reference} was sent again as {fresh.reference}, which is taken up.")
    return _newest(runtime, fresh)


def _all(runtime: Runtime, *, yes: bool) -> list[Job]:
    """Every unfinished job of the profile; whoever sits at a terminal is asked about those never sent."""
    ledger = runtime.kept
    unfinished = ledger.unfinished(runtime.profile) if ledger is not None else []
    here = [job for job in unfinished if job.host == runtime.host]
    for host in sorted({job.host for job in unfinished} - {runtime.host}):
        runtime.output.warning(f"Jobs at {host} are left alone: the profile's address is now {runtime.host}.")
    elsewhere = ledger.unfinished_elsewhere(runtime.profile) if ledger is not None else {}
    for profile, count in elsewhere.items():
        if profile != "sandbox":
            runtime.output.notice(
                f"The profile {profile} has {count} unfinished: mj --profile {profile} resume"
            )
    unsent = [job for job in here if job.unsent]
    if unsent and runtime.can_ask and not yes:
        prompts = "; ".join(_called(job) for job in unsent)
        if not runtime.ask(f"Never sent, so not paid yet: {prompts}. Send now?"):
            here = [job for job in here if not job.unsent]
            runtime.output.notice("They wait: mj resume sends them, mj resume JOB --give-up drops them.")
    if not unfinished:
        runtime.output.notice("Nothing to take up: every job has come to its end and has its files.")
    return here


def _give_up(runtime: Runtime, job: Job) -> None:
    if not runtime.ledger.given_up(job.uuid):
        raise UsageError(f"The job {job.reference} is {job.state}; there is nothing to give up.")
    if job.sent_at is not None and job.state != "done":
        condition = "succeeds" if job.task_id is not None else "was accepted"
        runtime.output.notice(
            f"{_called(job)}: given up, which stops nothing at the service. If it {condition}, it is billed."
        )
    runtime.output.answer(
        {"success": True, "given_up": job.uuid, "task_id": job.task_id},
        [("given up", job.reference)],
        [job.reference],
    )


def _assign(runtime: Runtime, job: Job, task_id: str) -> None:
    """The job is said to be this task. Raises `UsageError` when that cannot be."""
    if job.task_id is not None:
        raise UsageError(f"The job {job.reference} has its task already.")
    record = runtime.client.task(task_id)
    if record is None:
        raise UnknownTask(f"The service does not know the task {task_id}.", task_id=task_id)
    if not runtime.adopt(job, record):
        raise UsageError(
            f"The task {task_id} is for another request, or another job of the ledger has it.",
            hint=f"mj describe-task {task_id}",
        )


def _look(runtime: Runtime, jobs: list[Job]) -> str | None:
    """Ask for all known tasks in one request; what has ended stands in the ledger then.

    Gives a sentence when the service is out of reach, so that asking for one after the other is in vain.
    """
    tasks = [job.task_id for job in jobs if job.task_id is not None and job.state != "done"]
    try:
        for record in runtime.client.tasks(tasks) if tasks else ():
            runtime.note_task(record, [])
    except NetworkError as error:
        return f"{error.message} The job goes on at the service and is billed if it succeeds."
    except (ApiError, LostAnswer) as error:
        if error.exit_code == ExitCode.AUTH:
            raise
        # Each job is asked for by itself then, with more patience.
    return None


def _resubmitted(runtime: Runtime, job: Job, lost: LostAnswer, *, yes: bool) -> Job | None:
    """The job that takes the place of one that stays unknown, if that is agreed to."""
    if not yes:
        runtime.output.notice(lost.message)
        if not runtime.ask(f"Send it again ({_called(job)})? It may cost a second time."):
            return None
    fresh = runtime.ledger.resubmitted(job.uuid)
    if fresh is not None:
        return fresh
    fresh = _newest(runtime, job)
    if fresh is job:
        raise UsageError(
            "The job has changed in the meantime, so it was not sent again.", hint=resume_hint(job.reference)
        )
    return fresh


def _called(job: Job) -> str:
    """A job as people know it."""
    words = job.words or f"{job.action} {job.reference}"
    return words if len(words) <= 60 else f"{words[:59]}…"


class _Target:
    """Where the files of each job go: as this command says, else as the job itself did."""

    def __init__(self, runtime: Runtime, files: FileOptions, *, several: bool) -> None:
        from mjcli.filenames import check_for_several, parse_target
        from mjcli.saving import cut_too

        self._files = files
        self._given = cut_too(parse_target(files.output, runtime.settings.output.value or "."), files.split)
        if several and files.output is not None:
            check_for_several(self._given)

    def of(self, job: Job) -> Target | None:
        from mjcli.filenames import check_writable
        from mjcli.saving import target_asked

        files = self._files
        if files.download is False:
            return None
        wanted = files.download or files.split
        if files.output is not None or (wanted and job.files_asked is None):
            target = self._given
        else:
            asked = target_asked(job)
            if asked is None:
                return None
            target = asked._replace(split=asked.split or files.split)
        if job.unsent:
            check_writable(target, force=self.force(job))
        return target

    def force(self, job: Job) -> bool:
        asked = job.files_asked is not None and bool(job.files_asked.get("force"))
        return self._files.force or (asked and job.unfinished)
