"""`mj blend`: one image from several."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import command
from mjcli.cli.options import (
    CheckOptions,
    FileOptions,
    ImageOptions,
    PromptOptions,
    SplitOption,
    SubmitOptions,
    Translation,
    WaitOptions,
)
from mjcli.cli.parser import PromptCommand, new_app, takes, typed_parameters
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup

app = new_app()


@app.command(
    "blend",
    cls=PromptCommand,
    epilog="""mj blend https://example.com/bear.png https://example.com/saw.png "the bear holds the saw" --iw 2
# Your two newest images
mj blend @last @2
# Files of this machine are uploaded first
mj blend sketch.png photo.jpg "in the style of a woodcut"
# Links from a file, one per line
mj blend - "a family" < links.txt""",
)
@takes(
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
    prompt=PromptOptions,
    check=CheckOptions,
)
def blend(
    ctx: typer.Context,
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE IMAGE PROMPT",
            help="Two to five images (link, file, @last, @2 or id; - reads standard input), then words.",
        ),
    ],
    *,
    translation: Translation = None,
    split: SplitOption = False,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
    prompt: PromptOptions,
    check: CheckOptions,
) -> None:
    """Blend two to five images, with optional words.

    The images come first; the rest is the prompt. A link must lead to the image itself, not to a page that
    shows it.
    """
    from mjcli.cli.keys import KeyedJob, check_permute, typed_prompt
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder, Words
    from mjcli.cli.submit import JobOptions, prepare
    from mjcli.jobs.order import Order
    from mjcli.prompt.check import MAX_IMAGES

    context: Context = ctx.obj
    lookup = Lookup.of(context)
    options = JobOptions(submit, wait, image_options)
    check_permute(options, prompt)
    every = _expanded(context, lookup, arguments)
    keyed = KeyedJob(
        context,
        lookup,
        options,
        "blend",
        **typed_prompt(context.settings, Words(" ".join(every), (), typed_parameters(ctx)), prompt),
        translation=translation,
    )
    if keyed.join(files, split=split) is not None:
        return
    target = prepare(context.output, context.settings, options, files, split=split)
    images = [
        each for _, each in takewhile(lambda each: _means_image(lookup, *each), enumerate(every, start=1))
    ]
    if not 2 <= len(images) <= MAX_IMAGES:
        raise UsageError(
            f"A blend takes two to five images, not {len(images)}.",
            hint=command("blend", "IMAGE", "IMAGE", "PROMPT")
            if len(images) != 1
            else command("imagine", "--image", "IMAGE", "PROMPT"),
        )
    _refuse_same(lookup, images)
    typed = Words(" ".join(every[len(images) :]), images, typed_parameters(ctx))
    builder = RequestBuilder.of(context, lookup, prompt, check, mode=image_options.mode, command="blend")
    requests = builder.requests(typed, submit, translation=translation)
    orders = [Order("blend", "imagine", each.body, each.subject or "blend") for each in requests]
    keyed.submit_all(orders, target, files, split=split)


def _expanded(context: Context, lookup: Lookup, arguments: list[str]) -> list[str]:
    """The arguments with `-` replaced by the lines of standard input; among the words it is a dash, except the last."""
    from mjcli.cli.inputs import expand

    numbered = enumerate(arguments, start=1)
    images = sum(1 for _ in takewhile(lambda each: each[1] == "-" or _means_image(lookup, *each), numbered))
    end = len(arguments) - (arguments[-1] == "-")
    dashes = arguments[images:end]
    stdin = context.streams.stdin
    return [
        *(expand(stdin, arguments[:images], "image") if images else ()),
        *dashes,
        *(expand(stdin, arguments[end:], "image") if images <= end < len(arguments) else ()),
    ]


def _refuse_same(lookup: Lookup, images: list[str]) -> None:
    """Refuse `@last` beside `@2` where that is the same image, since the newest job has none. Raises `UsageError`."""
    if "@last" not in images:
        return
    last = lookup.image("@last").id
    for each in images:
        if each.startswith("@") and each not in ("@last", "@1") and lookup.image(each).id == last:
            raise UsageError(
                f'"@last" and "{each}" are the same image. Nothing was sent.',
                hint=command("history", note="lists your jobs"),
            )


def _means_image(lookup: Lookup, position: int, argument: str) -> bool:
    """Whether the argument at this position (from 1) is an image rather than a word.

    The first two can only be images, so the shortest id prefix will do; after them "cafe" or "2026" is more
    likely a word.
    """
    from mjcli.cli.inputs import UNLIKE_A_WORD, is_regular_file, is_whole_id, names_image_file
    from mjcli.cli.meant import reference
    from mjcli.prompt.parse import is_link

    if is_link(argument) or argument.startswith("@") or names_image_file(argument) or is_whole_id(argument):
        return True
    if position <= 2 and (is_regular_file(argument) or reference(argument)):
        return True  # a misspelled reference is reported as one
    if position > 2 and (len(argument) < UNLIKE_A_WORD or not any(map(str.isdecimal, argument))):
        return False
    return lookup.has_prefix(argument)
