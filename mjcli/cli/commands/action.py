"""`mj action`: apply an action to an earlier image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from mjcli.api.actions import ACTIONS, modern, nearest, spelling
from mjcli.cli.hints import Outside, command
from mjcli.cli.options import (
    FileOptions,
    ImageOptions,
    MaskOptions,
    SplitOption,
    SubmitOptions,
    WaitOptions,
)
from mjcli.cli.parser import MjCommand, new_app, takes
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Image

app = new_app()

REGION_ACTION = "variation_region"


class ActionCommand(MjCommand):
    """Completes the names of the known actions; the service may offer others."""

    completion_words: ClassVar[dict[str, list[str]]] = {"action": list(ACTIONS)}


@app.command(
    "action",
    cls=ActionCommand,
    epilog="""# The bottom right image of the newest grid
mj action upscale4 @last --download
mj action variation2 1234197197067915365
# Redraw what is white in a mask
mj action variation_region @last --mask mask.png --prompt "a red door"
# Redraw a rectangle: left, top, width, height
mj action variation_region @last --region 25%,0,50%,50% --prompt "a red door"
# For many images
mj action upscale1 - < ids.txt""",
)
@takes(
    area=MaskOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def action(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="upscale1, variation2, reroll, zoom_out_2x, …")
    ],
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="Image id, @last or @2; - reads ids from standard input.")
    ],
    *,
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="Prompt for variation_region.")] = None,
    split: SplitOption = False,
    area: MaskOptions,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
) -> None:
    """Upscale, vary, zoom, pan or reroll an earlier image.

    Each result lists the actions that its image offers. An unknown action, or one that the image does not
    offer, is refused before anything is sent; --force sends it anyway (and replaces existing files). --mask
    and --region work only with variation_region.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.keys import KeyedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder
    from mjcli.cli.submit import JobOptions, prepare
    from mjcli.jobs.order import Order

    context: Context = ctx.obj
    if not files.force:
        _check_order(action, image)
    lookup = Lookup.of(context)
    options = JobOptions(submit, wait, image_options)
    names = expand(context.streams.stdin, [image], "image")
    keyed = KeyedJob(
        context,
        lookup,
        options,
        "action",
        action=action,
        image=names,
        prompt=prompt,
        mask=area.mask,
        region=area.region or None,
    )
    if keyed.join(files, split=split) is not None:
        return
    target = prepare(context.output, context.settings, options, files, split=split)
    if modern(action) not in ACTIONS and not files.force:
        raise _unknown(action)
    extra: dict[str, Any] = {}
    if prompt is not None:
        checked = not files.force
        extra["prompt"] = RequestBuilder.of(context, lookup).check_words(prompt) if checked else prompt
    if not files.force:
        _check_region(action, area, prompt)
    images = [lookup.image(each) for each in names]
    if not files.force:
        for each in images:
            _check_offered(action, each)
    orders = [
        Order(
            "action",
            "imagine",
            {"action": _name(action, each), "image_id": each.id, **_mask(area, each), **extra},
            prompt or (each.job.prompt if each.job is not None else ""),
            each.id,
        )
        for each in images
    ]
    keyed.submit_all(orders, target, files, split=split)


def _check_order(action: str, image: str) -> None:
    """Refuse an image before its action. Raises `UsageError`."""
    if modern(action) not in ACTIONS and modern(image) in ACTIONS:
        raise UsageError("The action comes first.", hint=command("action", image, action))


def _offered(image: Image) -> list[str] | None:
    """The actions that an image offers, None where the ledger does not know."""
    from mjcli.api.models import Result

    result = (image.job.result if image.job is not None else None) or {}
    return Result(result).actions if isinstance(result.get("actions"), list) else None


def _name(action: str, image: Image) -> str:
    return spelling(action, _offered(image) or [])


def _check_offered(action: str, image: Image) -> None:
    """Refuse an action that the image, as far as it is known, does not offer. Raises `UsageError`."""
    offered = _offered(image)
    if offered is None or modern(action) in map(modern, offered):
        return
    those = f"it offers {', '.join(offered)}" if offered else "it offers no actions"
    raise UsageError(
        f'Image {image.id} does not offer "{action}"; {those}. Nothing was sent.',
        hint="\n".join(
            [
                *(command("action", Outside(each), Outside(image.id)) for each in offered[:1]),
                "--force sends it anyway",
            ]
        ),
    )


def _unknown(action: str) -> UsageError:
    near = nearest(action)
    names = ", ".join(near or ["upscale1-4", "variation1-4", "reroll", "zoom_out_2x", "pan_left"])
    meant = f"Did you mean {names}?" if near else f"Known actions include {names}."
    return UsageError(
        f'Unknown action "{action}". {meant}',
        hint="results list the actions that an image offers; --force sends any action",
    )


def _check_region(action: str, area: MaskOptions, prompt: str | None) -> None:
    """Refuse options of variation_region for another action, and that action without them."""
    options = {"--mask": area.mask, "--region": area.region, "--prompt": prompt}
    if action != REGION_ACTION:
        for name, value in options.items():
            if value:
                raise UsageError(f"{name} works only with {REGION_ACTION}, not with {action}.")
    elif area.mask is None and not area.region:
        raise UsageError(
            f"{REGION_ACTION} needs --mask FILE (greyscale, white where to redraw) or --region X,Y,W,H."
        )


def _mask(area: MaskOptions, image: Image) -> dict[str, str]:
    """The body field that says what is redrawn. Raises `UsageError`."""
    if area.mask is None and not area.region:
        return {}
    from mjcli.media.mask import mask_of

    mask = mask_of(area.mask, area.region or (), image.size)
    return {} if mask is None else {"mask": mask}
