"""`mj download`: save the pictures of earlier jobs."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import ConfigError, DownloadError, Interrupted, MjError, UsageError
from mjcli.options import FileOptions, MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.context import Runtime
    from mjcli.filenames import Target
    from mjcli.ledger import Job
    from mjcli.pictures import Made

app = new_app()


@app.command(
    "download",
    cls=MjCommand,
    epilog="""# The pictures of the newest job
mj download @last
# Several, into a directory of their own
mj download @1 @2 7489df4c -o cats/
# A task of another machine, named by its task id
mj download 7489df4c-ef03-4de0-b598-e9a590793434
# Many, for a script
mj download - --quiet < jobs.txt""",
)
@takes(files=FileOptions, without=("download",))
def download(
    ctx: typer.Context,
    jobs: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB", help="An id or its beginning, @last, @2, or - for ids on standard input."
        ),
    ],
    *,
    files: FileOptions,
) -> None:
    """Save the pictures of earlier jobs.

    They go where the job itself was asked to save them, else into the default directory. A file that is
    there already is kept. A link that has expired is asked for anew, which costs nothing; no job is ever
    made again for it.
    """
    from mjcli.references import expand

    runtime: Runtime = ctx.obj
    # Looked up before the first is fetched: a reference counts from the newest job, and others make new ones.
    found = [_meant(runtime, each) for each in expand(runtime, jobs, "job")]
    target = _target(runtime, files, several=len(found) > 1)
    for each in found:
        try:
            _download(runtime, each, target, files)
        except MjError as error:
            if len(found) == 1:
                raise
            runtime.output.failure(error)
            runtime.fail(error.exit_code)


def _meant(runtime: Runtime, text: str) -> Job | str | UsageError:
    """The job that is meant, or why there is none, to be told in its turn."""
    from mjcli.references import known_job

    try:
        return known_job(runtime, text) or text
    except UsageError as error:
        return error


def _target(runtime: Runtime, files: FileOptions, *, several: bool) -> Target | None:
    """Where --output says that the files go, None without it. Raises `UsageError`, `ConfigError`."""
    from mjcli.filenames import check_for_several, check_writable, parse_target
    from mjcli.saving import cut_too

    target = cut_too(parse_target(files.output, runtime.settings.output.value or "."), files.split)
    if files.output is None:
        return None
    if several:
        check_for_several(target)
    check_writable(target, force=files.force)
    return target


def _target_of(runtime: Runtime, made: Made, files: FileOptions) -> Target:
    """Where the files of a job go when it is not said. Raises `ConfigError`."""
    from mjcli.filenames import check_writable, parse_target
    from mjcli.saving import target_asked

    asked = target_asked(made.job) if made.job is not None else None
    target = asked or parse_target(None, runtime.settings.output.value or ".")
    check_writable(target, force=files.force)
    return target._replace(split=target.split or files.split)


def _download(
    runtime: Runtime, which: Job | str | UsageError, target: Target | None, files: FileOptions
) -> None:
    """Save the pictures of one job, and answer."""
    from mjcli.delivery import answer_result
    from mjcli.pictures import made, say_kept
    from mjcli.saving import files_missing, save_files

    if isinstance(which, UsageError):
        raise which
    force, output = files.force, files.output
    found = made(runtime, which, output)
    if target is None and not (force or files.split) and found.whole:
        say_kept(runtime, found.files)
        answer_result(runtime, found.result, found.files)
        return
    again = f"mj download {found.reference}" + (f" -o {shlex.quote(output)}" if output else "")
    place = _target_of(runtime, found, files) if target is None else target
    try:
        saved, failures = save_files(
            runtime,
            found.result,
            place,
            found.fields,
            force=force,
            earlier=found.job is not None,
            task_id=found.task_id,
        )
        result = _noted(runtime, found, saved, failures)
        problem = files_missing(failures, found.task_id, again) if failures else None
        answer_result(runtime, result, saved, problem)
    except Interrupted as stop:
        stop.finished, stop.task_id, stop.hint = True, found.task_id, again
        raise


def _noted(runtime: Runtime, found: Made, saved: list[str], failures: list[DownloadError]) -> Result:
    """Tell the ledger of the files; the result as it stands there now, perhaps with fresh links."""
    job = found.job
    if job is None:
        if found.record is not None:
            runtime.note_task(found.record, saved)
        return found.result
    from mjcli.api.models import Result

    with contextlib.suppress(ConfigError):  # the files are there, whatever the ledger knows of them
        # Files that nobody asked for before are not `mj resume`'s business when they fail.
        due = min(job.files_due, len(failures))
        runtime.ledger.saved(job.uuid, list(dict.fromkeys((*job.files, *saved))), files_due=due)
        now = runtime.ledger.get(job.uuid)
        return Result((now.result if now is not None else None) or found.result.document)
    return found.result
