"""Give tags and stars to jobs, and take them away: `mj tag`, `mj star`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.jobs.job import Job

JOB_HELP = "Id, id prefix, @last, @2 or a saved file; - reads standard input."


def mark(context: Context, tag: str, names: Sequence[str], *, remove: bool, verbs: tuple[str, str]) -> None:
    """Add a tag (or `STAR`) to the jobs of these names, or remove it, and print each of them.

    `verbs` are the participles for both. Raises `UsageError` for an unknown name, before anything is changed.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup
    from mjcli.jobs.tags import STAR

    lookup = Lookup.of(context)
    found = (lookup.job(each) for each in expand(context.streams.stdin, names, "job"))
    jobs = list({job.uuid: job for job in found}.values())
    if not remove:
        context.ledger.tags.add(tag, jobs)
        had = {job.uuid for job in jobs}
    else:
        had = context.ledger.tags.remove(tag, jobs)
    for job in jobs:
        if job.uuid in had:
            _show(context, job, verbs[remove])
        else:
            context.output.notice(
                f"Job {job.reference} did not have {'a star' if tag == STAR else 'this tag'}."
            )


def _show(context: Context, job: Job, verb: str) -> None:
    marks = context.ledger.tags.of(job)
    document = {
        "success": True,
        "id": job.uuid,
        "task_id": job.task_id,
        "tags": list(marks.tags),
        "starred": marks.starred,
    }
    title = f"{job.reference}  {job.words}" if job.words else job.reference
    context.output.answer(document, [(verb, title)], [job.task_id or job.uuid])
