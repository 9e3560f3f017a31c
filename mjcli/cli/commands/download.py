"""`mj download`: save the images of earlier jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import Outside, command
from mjcli.cli.options import (
    FileOptions,
    ForceOption,
    MaxSizeOption,
    MetadataOption,
    OutputOption,
    SplitOption,
)
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import Interrupted, MjError, UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.media.names import Target
    from mjcli.settings.load import Settings

app = new_app()


@app.command(
    "download",
    cls=MjCommand,
    epilog="""# The images of the newest job
mj download @last
# Several, into one directory
mj download @1 @2 7489df4c -o cats/
# A job of another machine, by its task id
mj download 7489df4c-ef03-4de0-b598-e9a590793434
# Many, for a script
mj download - --quiet < jobs.txt""",
)
def download(
    ctx: typer.Context,
    jobs: Annotated[
        list[str],
        typer.Argument(metavar="JOB", help="Id, id prefix, @last or @2; - reads ids from standard input."),
    ],
    output: OutputOption = None,
    split: SplitOption = False,
    force: ForceOption = False,
    max_size: MaxSizeOption = None,
    metadata: MetadataOption = None,
) -> None:
    """Save the images of earlier jobs.

    Files go where the job requested, or else to the default directory. Files that the job already has are
    kept. An expired link is refreshed, which is free; no job is ever started again.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup

    context: Context = ctx.obj
    lookup = Lookup.of(context)
    # All are looked up first: a reference counts from the newest job, and other processes start new ones.
    found = [_job(lookup, each) for each in expand(context.streams.stdin, jobs, "job")]
    files = FileOptions(output=output, force=force, max_size=max_size, metadata=metadata)
    run = _Download(context, lookup, files, split=split, several=len(found) > 1)
    for each in found:
        try:
            run.save(each)
        except MjError as error:
            if len(found) == 1:
                raise
            context.output.failure(error)


def _job(lookup: Lookup, text: str) -> Job | str | UsageError:
    """The job of this name, its id if the ledger does not know it, or an error to raise in its turn."""
    try:
        return lookup.with_files(text)
    except UsageError as error:
        return error


class _Download:
    """One run of `mj download`. Raises `UsageError`, `ConfigError` for an --output that cannot be used."""

    def __init__(
        self, context: Context, lookup: Lookup, files: FileOptions, *, split: bool, several: bool
    ) -> None:
        from mjcli.cli.save import Saver

        self._lookup, self._files, self._split = lookup, files, split
        self._settings, self._output = context.settings, context.output
        self._saver = Saver.of(context, lookup)
        self._target = _target(context.output, context.settings, files, split=split, several=several)

    def save(self, which: Job | str | UsageError) -> None:
        """Save the images of one job, and print the result."""
        from mjcli.cli.output.result import print_result
        from mjcli.cli.pipe import check_one_image

        if isinstance(which, UsageError):
            raise which
        files = self._files
        job = self._lookup.finished(which, files.output)
        again = files.force or self._split or files.wants_metadata
        if self._target is None and not again and job.is_saved:
            self._saver.report_kept(job.files)
            print_result(self._output, job.result, job.files)
            return
        options = ["-o", files.output] if files.output else []
        retry = command("download", Outside(job.reference), *options)
        target = self._target or self._own_target(job)
        check_one_image(target, several=len(job.result.file_urls) != 1)
        try:
            # Files that the job was not to save are not left to `mj resume` when they fail.
            self._saver.finish(job, target, force=files.force, retry=retry, requested=False)
        except Interrupted as stop:
            stop.finished, stop.task_id, stop.hint = True, job.task_id, retry
            raise

    def _own_target(self, job: FinishedJob) -> Target:
        """Where the files of a job go without --output. Raises `ConfigError`."""
        from mjcli.cli.save import output_target, stored_target, with_options
        from mjcli.media.place import check_writable

        stored = stored_target(job.job) if job.job is not None else None
        target = with_options(
            stored or output_target(self._output, self._settings, FileOptions()), self._files
        )
        check_writable(target)
        return target._replace(split=target.split or self._split)


def _target(
    output: Output, settings: Settings, files: FileOptions, *, split: bool, several: bool
) -> Target | None:
    """The target of --output, None without it."""
    from mjcli.cli.save import output_target
    from mjcli.media.names import check_for_several
    from mjcli.media.place import check_writable

    target = output_target(output, settings, files, split=split)
    if files.output is None:
        return None
    if several:
        check_for_several(target)
    check_writable(target)
    return target
