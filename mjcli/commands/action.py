"""`mj action`: do something to an earlier image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from mjcli.actions import ACTIONS, modern, nearest, spelling
from mjcli.errors import UsageError
from mjcli.options import FileOptions, JobOptions, MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.references import Image

app = new_app()

MASK_LIMIT = 20 * 1024 * 1024  # bytes


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
# The same for many
mj action upscale1 - < ids.txt""",
)
@takes(job=JobOptions, files=FileOptions)
def action(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="upscale1, variation2, reroll, zoom_out_2x, …")
    ],
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image id, @last, @2, or - for ids on standard input.")
    ],
    *,
    mask: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For variation_region: a grey picture, white where to redraw."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="For variation_region: what to draw there.")
    ] = None,
    job: JobOptions,
    files: FileOptions,
) -> None:
    """Upscale, vary, zoom, pan or reroll an earlier image.

    The answer of a job lists the actions that its image offers. An action that mj does not know, or that
    the image did not offer as far as the ledger knows, is refused before anything is sent; --force sends
    it all the same (and replaces files that are there already).
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
    if mask is not None:
        extra["mask"] = _mask(mask)
    if prompt is not None:
        extra["prompt"] = words_of([prompt]) if files.force else checked(runtime, words_of([prompt]))
    _check_region(action, mask, prompt, force=files.force)
    images = [image_of(runtime, each) for each in expand(runtime, [image], "image")]
    if not files.force:
        for each in images:
            _check_offered(action, each)
    jobs = [
        Wanted(
            "action",
            {"action": _name(action, each), "image_id": each.id, **extra},
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


def _check_region(action: str, mask: Path | None, prompt: str | None, *, force: bool) -> None:
    if force:
        return
    if action != "variation_region":
        given = "--mask" if mask is not None else "--prompt" if prompt is not None else None
        if given:
            raise UsageError(f"{given} is for variation_region, not for {action}.")
    elif mask is None:
        raise UsageError("variation_region needs --mask FILE: a grey picture, white where to redraw.")


def _mask(path: Path) -> str:
    """The file as bare Base64. Raises `UsageError` when it is no picture."""
    from base64 import b64encode

    from mjcli.filetypes import extension_of

    try:
        with path.open("rb") as file:
            data = file.read(MASK_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"The mask {path} cannot be read: {error.strerror}.") from None
    if len(data) > MASK_LIMIT:
        raise UsageError(f"The mask {path} is larger than 20 MB.")
    if extension_of(data[:16]) not in ("png", "jpg", "webp"):
        raise UsageError(f"The mask {path} is no PNG, JPEG or WebP picture.")
    return b64encode(data).decode()
