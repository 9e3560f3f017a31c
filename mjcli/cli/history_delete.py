"""`mj history delete`: delete jobs from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import Outside, command
from mjcli.cli.hints import resume as resume_command
from mjcli.cli.output.text import count_of_jobs
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.jobs.job import Job

EXAMPLES = """mj history delete @1
mj history delete 7489df4c @5 @6
# All failed jobs, without a question
mj history --state failed -q | mj history delete - --yes"""

_TITLES = 3  # jobs that the question names


def delete(
    ctx: typer.Context,
    jobs: Annotated[
        list[str],
        typer.Argument(metavar="JOB", help="Id, id prefix, @last or @2; - reads ids from standard input."),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also delete jobs that have not finished; they may be lost.")
    ] = False,
) -> None:
    """Delete jobs from the history.

    Their files stay, and nothing changes at the service: mj tasks --import lists their tasks again. Jobs that
    have not finished, whose outcome is unknown or whose files are missing are refused, since they may be billed
    and lost; --force deletes them. The key of a deleted job is free: the next command with it starts a new job.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup

    context: Context = ctx.obj
    lookup = Lookup.of(context)
    found = (lookup.job(each) for each in expand(context.streams.stdin, jobs, "job"))
    chosen = list({job.uuid: job for job in found}.values())
    for job in chosen:
        _check(context, job, force=force)
    if not yes and not _confirmed(context, chosen):
        context.output.notice("Nothing was deleted.")
        return
    for job in chosen:
        _delete(context, job)


def _check(context: Context, job: Job, *, force: bool) -> None:
    """Refuse a job that may be billed and lost. Raises `UsageError`."""
    name = job.reference
    if job.state == "submitting" and context.ledger.locks.is_locked(job.number):
        raise UsageError(f'Another mj process is sending job "{name}". Nothing was deleted.')
    if not job.unfinished or force:
        return
    if job.state == "done":
        why = "has files that are not saved yet"
    else:
        why = "was not sent yet" if job.unsent else f"is {job.state} and may be billed"
    raise UsageError(
        f'Job "{name}" {why}. Nothing was deleted.',
        hint=f"{resume_command(name)}\n"
        + command("history", "delete", Outside(name), "--force", note="deletes it all the same"),
    )


def _confirmed(context: Context, jobs: Sequence[Job]) -> bool:
    """Ask on the terminal. Raises `UsageError` without one."""
    if not context.output.can_ask:
        raise UsageError(
            "mj history delete needs a terminal to ask for confirmation. Nothing was deleted.",
            hint="--yes skips the question",
        )
    titles = "; ".join(job.words[:40] or f"{job.action} {job.reference}" for job in jobs[:_TITLES])
    titles += "; …" if len(jobs) > _TITLES else ""
    keys = " Commands with the same key will start new jobs." if any(job.key for job in jobs) else ""
    return context.output.ask(
        f"Delete {count_of_jobs(len(jobs))} from the history ({titles})? Files stay.{keys}"
    )


def _delete(context: Context, job: Job) -> None:
    """Delete one job and report it. Raises `UsageError` if it has changed meanwhile."""
    if not context.ledger.delete(job):
        raise UsageError(
            f'Job "{job.reference}" changed in the meantime and was not deleted.',
            hint=command("history", "show", Outside(job.reference)),
        )
    context.output.answer(
        {"success": True, "deleted": job.uuid, "task_id": job.task_id, "key": job.key, "files": job.files},
        [("deleted", job.reference)],
        [job.task_id or job.uuid],
    )
    if job.key is not None:
        context.output.notice(
            f'The key "{job.key}" is free: the next command with it starts a new, billed job.'
        )
