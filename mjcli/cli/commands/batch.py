"""`mj batch`: many jobs from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mjcli.cli.options import (
    FILES_PANEL,
    WAIT_PANEL,
    CheckOptions,
    FileOptions,
    ImageOptions,
    Moodboard,
    PromptOptions,
    SplitOption,
    StyleReference,
    Translation,
)
from mjcli.cli.parser import MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()

_COST_PANEL = "Cost"
_AGAIN_PANEL = "Another run"
_MACHINES_PANEL = "Several machines"


@app.command(
    "batch",
    cls=MjCommand,
    epilog="""# One prompt a line; the images go to cats/
mj batch prompts.txt --output cats/
# Show what it would send and cost; send nothing
mj batch prompts.csv --dry-run
# Also upscale the four images of each grid, for at most 5 USD
mj batch prompts.txt -o cats/ --then upscale:all --max-cost 5
# Continue after an interruption, and retry what failed
mj batch prompts.txt -o cats/ --retry-failed
# Run a third of it on each of three machines that share a store
mj batch prompts.txt --shard 1/3 --output s3://bucket/cats
# From another program
generate-prompts | mj batch - --name tiles --yes --json""",
)
@takes(
    image_options=ImageOptions,
    files=FileOptions,
    prompt=PromptOptions,
    check=CheckOptions,
    without=("permute", "yes", "output"),
)
def batch(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="One prompt per line, CSV with a header, or JSON Lines; - reads standard input.",
        ),
    ],
    *,
    form: Annotated[
        Literal["text", "csv", "jsonl"] | None,
        typer.Option("--format", help="Format of the file (default: by its suffix)."),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(
            "--then",
            metavar="ACTION",
            help="Action to apply to each result, such as upscale:all (repeatable).",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Directory to save to, template with {prompt}, {image_id}, {task_id}, {action}, {index}, {date} and"
            " {ext}, or store such as s3://bucket/cats.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the batch (default: that of the file)."),
    ] = None,
    translation: Translation = None,
    style_reference: StyleReference = None,
    moodboard: Moodboard = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, saved and billed; send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    max_cost: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="USD",
            help="Most that the batch may cost, including earlier runs.",
            rich_help_panel=_COST_PANEL,
        ),
    ] = None,
    max_jobs: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Most jobs that the batch may start, including earlier runs.",
            rich_help_panel=_COST_PANEL,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            max=200,
            metavar="N",
            help="Jobs in flight (default 5, the service's limit).",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            min=0.01,
            max=1000,
            metavar="N",
            help="Submissions a second (default 1, the service's limit).",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None,
    profiles: Annotated[
        str | None,
        typer.Option(
            "--profiles",
            metavar="A,B",
            help="Profiles that share the jobs, each with its own --jobs and --rate.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Stream each job on its own connection instead of polling them together.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=604_800,
            metavar="SECONDS",
            help="Deadline for each job (default 900).",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None,
    fail_fast: Annotated[
        bool,
        typer.Option(
            "--fail-fast", help="Send nothing more once a job has failed.", rich_help_panel=WAIT_PANEL
        ),
    ] = False,
    notify: Annotated[
        bool,
        typer.Option(
            "--notify",
            help="Ring the terminal's bell, or notify, at the end.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Run finished lines again, as new jobs that are billed again.",
            rich_help_panel=_AGAIN_PANEL,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Retry jobs that failed; those were not billed.",
            rich_help_panel=_AGAIN_PANEL,
        ),
    ] = False,
    retry_unknown: Annotated[
        bool,
        typer.Option(
            "--retry-unknown",
            help="Resend jobs whose outcome is unknown; they may be billed twice.",
            rich_help_panel=_AGAIN_PANEL,
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            help="Only part K of N; auto in a Slurm array, auto/N in Kubernetes or GNU parallel.",
            rich_help_panel=_MACHINES_PANEL,
        ),
    ] = None,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            help="Show how far the batch is, on all machines if they share a store; send nothing.",
            rich_help_panel=_MACHINES_PANEL,
        ),
    ] = False,
    report: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Also add a row for each job of this run to a .csv or .jsonl file.",
        ),
    ] = None,
    split: SplitOption = False,
    image_options: ImageOptions,
    files: FileOptions,
    prompt: PromptOptions,
    check: CheckOptions,
) -> None:
    """Make images from a file of prompts, several at a time.

    In a text file, each line is a prompt. CSV (with a header) and JSON Lines also take prompt parameters by their
    names, and the fields action, image, key, output and then. All lines are checked before anything is sent.

    A line is identified by its key, else by its content. Run the same command again to continue: a line that was
    accepted before is not sent or billed again. One failed job does not stop the others. The first Ctrl-C stops
    sending and waits for the jobs in flight; the second one exits at once.
    """
    from mjcli.cli.batch.orders import LineDefaults
    from mjcli.cli.batch.start import Batch, BatchOptions

    context: Context = ctx.obj
    options = BatchOptions(
        file,
        then=tuple(then or ()),
        format=form,
        name=name,
        jobs=jobs,
        rate=rate,
        profiles=tuple(filter(None, map(str.strip, (profiles or "").split(",")))),
        again=again,
        retry_failed=retry_failed,
        retry_unknown=retry_unknown,
        fail_fast=fail_fast,
        stream=stream,
        timeout=timeout,
        max_cost=max_cost,
        max_jobs=max_jobs,
        report=report,
        yes=yes,
        dry_run=dry_run,
        split=split,
        shard=shard,
        status=status,
    )
    defaults = LineDefaults(prompt, check, image_options, translation, style_reference, moodboard)
    context.output.notifies = notify
    Batch(context, options, files._replace(output=output), defaults).run()
