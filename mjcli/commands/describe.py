"""`mj describe`: what a picture shows, in words that would make one like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.errors import UsageError, resume
from mjcli.options import (
    BESIDE_WORDS,
    FileOptions,
    JobOptions,
    PromptCommand,
    PromptOptions,
    given_parameters,
    new_app,
    takes,
)

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.context import Runtime
    from mjcli.delivery import Wanted
    from mjcli.ledger import Job

app = new_app()

DESCRIPTIONS = 4  # that the service gives of a picture (api.md, "Endpoints")


@app.command(
    "describe",
    cls=PromptCommand,
    epilog="""mj describe photo.jpg
# Make a picture from the second description
mj describe photo.jpg --use 2 --download
# The same later: the descriptions of the newest job are in the ledger, and not paid for again
mj describe @last --use 3
# The descriptions alone, one a line
mj describe https://example.com/cat.png -q""",
)
@takes(job=JobOptions, files=FileOptions, checks=PromptOptions)
def describe(
    ctx: typer.Context,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="A link, a file, @last, an id, - for standard input; or an earlier describe.",
        ),
    ],
    *,
    use: Annotated[
        int | None,
        typer.Option(
            "--use",
            min=1,
            max=DESCRIPTIONS,
            metavar="N",
            help="Make a picture from the Nth description, as mj imagine does.",
        ),
    ] = None,
    job: JobOptions,
    files: FileOptions,
    checks: PromptOptions,
) -> None:
    """Describe a picture in words, in four ways.

    With --use one of them becomes the prompt of a new picture; most of the options are for that.
    """
    from mjcli.delivery import check_options, deliver_all
    from mjcli.references import expand

    runtime: Runtime = ctx.obj
    names = expand(runtime, [image], "image")
    if use is None:
        _refuse_what_is_for_pictures(ctx, (job, files, checks))
        check_options(job)
        earlier = [_earlier(runtime, each) for each in names]
        for each in filter(None, earlier):
            _answer_again(runtime, each)
        fresh = [name for name, each in zip(names, earlier, strict=True) if each is None]
        deliver_all(runtime, [_wanted(runtime, each, job, checks) for each in fresh], job, None)
        return
    if len(names) > 1:
        raise UsageError(f"--use is for one image, and standard input names {len(names)}.")
    _make(runtime, names[0], use, given_parameters(ctx), job, files, checks)


def _refuse_what_is_for_pictures(ctx: typer.Context, groups: tuple[Any, ...]) -> None:
    """Without --use no picture is made. Raises `UsageError`."""
    given = [f"--{name}" for name in given_parameters(ctx)]
    for group in groups:
        for name, default in group._field_defaults.items():
            own = name in ("dry_run", "retries", "no_ledger", "timeout", "no_check", "strict")
            if not own and getattr(group, name) != default:
                given.append("--" + name.replace("_", "-"))
    if given:
        raise UsageError(
            f"{given[0]} is for the picture that --use makes of a description.",
            hint="mj describe IMAGE --use 1 …",
        )


def _earlier(runtime: Runtime, name: str) -> Job | None:
    """The earlier describe that is named, if it is one. Raises `UsageError` for one that has no answer."""
    from mjcli.prompt.parse import is_link
    from mjcli.prompts import is_file
    from mjcli.references import known_job

    job = None if is_link(name) or is_file(name) else known_job(runtime, name, "image")
    if job is None or job.kind != "describe":
        return None
    if job.state != "done":
        raise UsageError(
            f"{name} has no descriptions: its state is {job.state}.",
            hint=resume(job.reference) if job.unfinished else None,
        )
    return job


def _answer_again(runtime: Runtime, job: Job) -> None:
    from mjcli.api.models import Result
    from mjcli.delivery import answer_result

    again = runtime.again(f"mj describe {job.reference} --use 1")
    answer_result(runtime, Result(job.result or {}), [], None, [("next", again)])


def _wanted(runtime: Runtime, name: str, job: JobOptions, checks: PromptOptions) -> Wanted:
    from mjcli.delivery import Wanted
    from mjcli.prompts import linked
    from mjcli.sources import source_of

    source = source_of(runtime, name)
    body = linked(runtime, {"image_url": name}, checks, job)
    return Wanted("describe", body, source.words, source.parent, "describe")


def _make(
    runtime: Runtime,
    name: str,
    use: int,
    given: dict[str, list[str]],
    job: JobOptions,
    files: FileOptions,
    checks: PromptOptions,
) -> None:
    """A picture from one of the descriptions, those of an earlier describe where one is named."""
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompts import Images, composed, orders

    target = prepared(runtime, job, files)
    if given or checks.preset:  # a slip in them is found before the description is paid for
        given_links = Images(runtime, ask=False).linked(given)
        composed(runtime, [], "a picture", given_links, checks._replace(permute=False))
    described = _described(runtime, name, job, checks)
    if described is None:
        runtime.output.notice("The request for the picture depends on the answer to this one.")
        return
    texts = described.texts
    if use > len(texts):
        raise UsageError(f"There are only {len(texts)} descriptions, so there is none with the number {use}.")
    made = orders(runtime, [], texts[use - 1], given, checks, job)
    jobs = [Wanted("imagine", body, slug=typed) for typed, body in made]
    deliver_all(runtime, jobs, job, files, target)


def _described(runtime: Runtime, name: str, job: JobOptions, checks: PromptOptions) -> Result | None:
    """The descriptions, told as well unless a script wants the picture alone; None for a dry run."""
    from mjcli.api.models import Result
    from mjcli.delivery import deliver

    earlier = _earlier(runtime, name)
    if earlier is not None:
        return Result(earlier.result or {})
    mode = runtime.output.mode
    plain = job._replace(**{each: JobOptions._field_defaults[each] for each in BESIDE_WORDS})
    wanted = _wanted(runtime, name, job, checks)
    told = not (mode.quiet or mode.field)
    outcome = deliver(runtime, wanted, plain, None, told=told)
    return outcome.result if outcome is not None else None
