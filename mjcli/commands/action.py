"""`mj action`: do something to an earlier image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from mjcli.actions import ACTIONS, modern, nearest, spelling
from mjcli.errors import UsageError
from mjcli.options import FileOptions, JobOptions, MaskOptions, MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.references import Image

app = new_app()


class ActionCommand(MjCommand):
    """Completes the names of the actions, though the list is open."""

    completion_words: ClassVar[dict[str, list[str]]] = {"action": list(ACTIONS)}


@app.command(
    "action",
    cls=ActionCommand,
    epilog="""# The bottom right picture of the newest grid, alone
mj action upscale4 @last --download
mj action variation2 1234197197067915365
# Redraw what is white in the mask
mj action variation_region @last --mask mask.png --prompt "a red door"
# Or what is in a rectangle: its corner, width and height, in pixels or percent
mj action variation_region @last --region 25%,0,50%,50% --prompt "a red door"
# The same for many
mj action upscale1 - < ids.txt""",
)
@takes(area=MaskOptions, job=JobOptions, files=FileOptions)
def action(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="upscale1, variation2, reroll, zoom_out_2x, …")
    ],
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image id, @last, @2, or - for ids on standard input.")
    ],
    *,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="For variation_region: what to draw there.")
    ] = None,
    area: MaskOptions,
    job: JobOptions,
    files: FileOptions,
) -> None:
    """Upscale, vary, zoom, pan or reroll an earlier image.

    The answer of a job lists the actions that its image offers. An action that mj does not know, or that
    the image did not offer as far as the ledger knows, is refused before anything is sent; --force sends
    it all the same (and replaces files that are there already). --mask and --region are for
    variation_region.
    """
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompt.compose import words_of
    from mjcli.prompts import checked
    from mjcli.references import expand, image_of

    runtime: Runtime = ctx.obj
    target = prepared(runtime, job, files)
    if modern(action) not in ACTIONS and not files.force:
        raise _unknown(action)
    extra: dict[str, Any] = {}
    if prompt is not None:
        extra["prompt"] = words_of([prompt]) if files.force else checked(runtime, words_of([prompt]))
    _check_region(action, area, prompt, force=files.force)
    images = [image_of(runtime, each) for each in expand(runtime, [image], "image")]
    if not files.force:
        for each in images:
            _check_offered(action, each)
    jobs = [
        Wanted(
            "action",
            {"action": _name(action, each), "image_id": each.id, **_mask(area, each), **extra},
            slug=prompt or (each.job.prompt if each.job is not None else ""),
            parent_image=each.id,
        )
        for each in images
    ]
    deliver_all(runtime, jobs, job, files, target)


def _offered(image: Image) -> list[str] | None:
    """The actions that an image offered, None where that is not known."""
    from mjcli.api.models import Result

    result = (image.job.result if image.job is not None else None) or {}
    return Result(result).actions if isinstance(result.get("actions"), list) else None


def _name(action: str, image: Image) -> str:
    return spelling(action, _offered(image) or [])


def _check_offered(action: str, image: Image) -> None:
    """Refuse what the image, as far as it is known, does not offer. Raises `UsageError`."""
    offered = _offered(image)
    if offered is None or modern(action) in map(modern, offered):
        return
    those = f"it offers {', '.join(offered)}" if offered else "it offers none"
    raise UsageError(
        f"The image {image.id} does not offer {action}; {those}. Nothing was sent.",
        hint="\n".join(
            [*(f"mj action {each} {image.id}" for each in offered[:1]), "--force sends it all the same"]
        ),
    )


def _unknown(action: str) -> UsageError:
    near = nearest(action)
    names = ", ".join(near or ["upscale1-4", "variation1-4", "reroll", "zoom_out_2x", "pan_left"])
    meant = f" Did you mean {names}?" if near else f" Known are, for example, {names}."
    return UsageError(
        f"There is no action {action!r} that mj knows.{meant}",
        hint="the answer of a job lists what its image offers; --force sends an action that mj does not know",
    )


def _check_region(action: str, area: MaskOptions, prompt: str | None, *, force: bool) -> None:
    if force:
        return
    options = {"--mask": area.mask, "--region": area.region, "--prompt": prompt}
    if action != "variation_region":
        for name, given in options.items():
            if given:
                raise UsageError(f"{name} is for variation_region, not for {action}.")
    elif area.mask is None and not area.region:
        raise UsageError(
            "variation_region needs --mask FILE (a grey picture, white where to redraw) or --region X,Y,W,H."
        )


def _mask(area: MaskOptions, image: Image) -> dict[str, str]:
    """The field of the body that says what is redrawn. Raises `UsageError`."""
    if area.mask is None and not area.region:
        return {}
    from mjcli.masks import mask_of

    mask = mask_of(area.mask, area.region or (), image.size)
    return {} if mask is None else {"mask": mask}
