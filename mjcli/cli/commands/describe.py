"""`mj describe`: prompts that would make an image like a given one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.cli.hints import command, resume
from mjcli.cli.options import (
    CheckOptions,
    FileOptions,
    ImageOptions,
    PromptOptions,
    SplitOption,
    SubmitOptions,
    WaitOptions,
)
from mjcli.cli.parser import PromptCommand, new_app, takes, typed_parameters
from mjcli.errors import StillRunning, UsageError

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.context import Context
    from mjcli.cli.keys import KeyedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder
    from mjcli.cli.submit import JobOptions
    from mjcli.jobs.job import Job
    from mjcli.jobs.order import Order

app = new_app()

DESCRIPTIONS = 4  # that the service returns for an image


@app.command(
    "describe",
    cls=PromptCommand,
    epilog="""mj describe photo.jpg
# Make an image from the second description
mj describe photo.jpg --use 2 --download
# The same later: the descriptions are in the ledger and not billed again
mj describe @last --use 3
# The descriptions alone, one per line
mj describe https://example.com/cat.png -q""",
)
@takes(
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
    prompt=PromptOptions,
    check=CheckOptions,
)
def describe(
    ctx: typer.Context,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="Image (link, file, @last or id) or earlier describe job; - reads standard input.",
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
            help="Make an image from the Nth description.",
        ),
    ] = None,
    split: SplitOption = False,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
    prompt: PromptOptions,
    check: CheckOptions,
) -> None:
    """Describe an image with four prompts.

    --use makes a new image from one of the descriptions; most options need it.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.submit import JobOptions

    context: Context = ctx.obj
    names = expand(context.streams.stdin, [image], "image")
    options = JobOptions(submit, wait, image_options)
    command_run = _Describe(context, options, prompt, check)
    if use is None:
        _refuse_image_options(typed_parameters(ctx), split, (image_options, wait, files, prompt))
        command_run.describe_all(names)
        return
    if len(names) > 1:
        raise UsageError(f"--use takes one image, but standard input contains {len(names)}.")
    command_run.use(names[0], use, typed_parameters(ctx), files, split=split)


def _refuse_image_options(parameters: list[str], split: bool, groups: tuple[Any, ...]) -> None:
    """Refuse options for the image of --use where there is no --use. Raises `UsageError`."""
    found = parameters[:1] + (["--split"] if split else [])
    for group in groups:
        for name, default in group._field_defaults.items():
            if getattr(group, name) != default:
                found.append("--" + name.replace("_", "-"))
    if found:
        raise UsageError(
            f"{found[0]} needs --use.",
            hint=command("describe", "IMAGE", "--use", "1", found[0]),
        )


class _Describe:
    """One run of `mj describe`."""

    def __init__(
        self, context: Context, options: JobOptions, prompt: PromptOptions, check: CheckOptions
    ) -> None:
        from mjcli.cli.lookup import Lookup
        from mjcli.cli.request import RequestBuilder

        self._context, self._output, self._settings = context, context.output, context.settings
        self._options, self._prompt = options, prompt
        self._lookup: Lookup = Lookup.of(context)
        self._builder: RequestBuilder = RequestBuilder.of(
            context, self._lookup, prompt, check, options.image.mode
        )
        self._plain: RequestBuilder = RequestBuilder.of(
            context, self._lookup, prompt._replace(permute=False), check, options.image.mode
        )

    def describe_all(self, names: list[str]) -> None:
        """Describe each image; earlier descriptions come from the ledger."""
        keyed = self._keyed(names, self._options)
        if keyed.join() is not None:
            return
        earlier = [self._earlier(each) for each in names]
        for each in filter(None, earlier):
            self._print_again(each)
        new = [name for name, each in zip(names, earlier, strict=True) if each is None]
        if new:
            keyed.submit_all([self._order(each) for each in new])

    def _keyed(self, names: list[str], options: JobOptions) -> KeyedJob:
        """The job that describes these images."""
        from mjcli.cli.keys import KeyedJob

        return KeyedJob(self._context, self._lookup, options, "describe", image=names)

    def use(self, name: str, number: int, parameters: list[str], files: FileOptions, *, split: bool) -> None:
        """Make an image from one of the descriptions."""
        from mjcli.cli.keys import KeyedJob, check_permute, typed_prompt
        from mjcli.cli.request import Words
        from mjcli.cli.submit import prepare
        from mjcli.jobs.order import Order

        check_permute(self._options, self._prompt)
        typed = typed_prompt(self._settings, Words("", parameters=parameters), self._prompt)
        keyed = KeyedJob(
            self._context, self._lookup, self._options, "describe", image=[name], use=number, **typed
        )
        if keyed.join(files, split=split) is not None:
            return
        target = prepare(self._context.output, self._settings, self._options, files, split=split)
        if parameters or self._prompt.preset:  # their errors are found before the description is paid for
            images = self._builder.image_links(refresh=False)
            words = Words("an image", parameters=images.in_arguments(parameters))
            self._plain.compose(images.in_prompt(words.prompt))
        described = self._described(name, keyed.derived("describe"))
        if described is None:
            self._output.notice("The image request is not shown, because it depends on this response.")
            return
        texts = described.texts
        if number > len(texts):
            raise UsageError(f"There are only {len(texts)} descriptions, so --use {number} is not possible.")
        words = Words(texts[number - 1], parameters=parameters)
        requests = self._builder.requests(words, self._options.submit)
        orders = [Order("imagine", "imagine", each.body, each.subject) for each in requests]
        keyed.submit_all(orders, target, files, split=split)

    def _described(self, name: str, options: JobOptions) -> Result | None:
        """The descriptions, printed too unless a script wants the image alone; None for a dry run."""
        from mjcli.api.models import Result
        from mjcli.cli.submit import JobOptions

        mode = self._output.mode
        show = not (mode.quiet or mode.field)
        keyed = self._keyed([name], JobOptions(options.submit)).without_suggestions()
        if (outcome := keyed.join(show=show)) is not None:
            return outcome.result
        earlier = self._earlier(name)
        if earlier is not None:
            return Result(earlier.result or {})
        outcome = keyed.submit(self._order(name), show=show)
        return outcome.result if outcome is not None else None

    def _earlier(self, name: str) -> Job | None:
        """The earlier describe job of this name or of the same picture, None if there is none.

        Raises `UsageError` for a job that is not done, `StillRunning` if `@last` is one.
        """
        from mjcli.cli.inputs import is_file

        named = "://" in name or is_file(name)
        job = None if named else self._lookup.known_job(name, "image", need="description")
        if job is None or job.kind != "describe":
            return self._of_picture(name)
        if job.state == "done":
            return job
        message = f"{name} has no descriptions: its state is {job.state}."
        if name == "@last" and job.unfinished:
            raise StillRunning(message, task_id=job.task_id, hint=resume(job.reference))
        raise UsageError(message, hint=resume(job.reference) if job.unfinished else None)

    def _of_picture(self, name: str) -> Job | None:
        """The newest description of the same picture for the same account: by link, image or file."""
        from mjcli.api.models import Result
        from mjcli.media.links import without_signature
        from mjcli.prompt.parse import is_link

        ledger = None if self._options.submit.no_ledger else self._context.existing_ledger
        if ledger is None:
            return None
        source = self._lookup.source(name)
        made_by = source.image.job if source.image is not None else None
        link = name if is_link(name) else Result((made_by.result if made_by else None) or {}).image_link
        link, digest = without_signature(link or ""), source.sha256
        for job in ledger.descriptions(self._lookup.profile, self._settings.host):
            if (
                (source.parent is not None and source.parent == job.parent_image)
                or (digest is not None and digest == job.source_sha256)
                or (link and link == without_signature(str(job.request.get("image_url") or "")))
            ):
                self._output.notice(
                    f"Described before, by job {job.reference}; --no-ledger describes it again."
                )
                return job
        return None

    def _print_again(self, job: Job) -> None:
        from mjcli.api.models import Result
        from mjcli.cli.output.result import print_result

        line = self._output.next_command(command("describe", job.reference, "--use", "1"))
        print_result(self._output, Result(job.result or {}), [], None, [("next", line)])

    def _order(self, name: str) -> Order:
        from mjcli.jobs.order import Order

        source = self._lookup.source(name)
        body = self._builder.image_request({"image_url": name}, self._options.submit)
        return Order("describe", "describe", body, source.words, source.parent, source_sha256=source.sha256)
