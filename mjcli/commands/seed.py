"""`mj seed`: the number that an image was begun from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import BESIDE_WORDS, JobOptions, MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()


@app.command(
    "seed",
    cls=MjCommand,
    epilog="""mj seed @last
# Draw something else from the same noise
mj imagine "a dog on a table" --seed "$(mj seed @last -q)\"""",
)
@takes(job=JobOptions, without=BESIDE_WORDS)
def seed(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image id, @last, @2, or - for ids on standard input.")
    ],
    *,
    job: JobOptions,
) -> None:
    """Tell the seed of an image.

    With the same seed and the same prompt Midjourney draws nearly the same picture again.
    """
    from mjcli.delivery import Wanted, check_options, deliver_all
    from mjcli.references import expand, image_of

    runtime: Runtime = ctx.obj
    check_options(job)
    images = [image_of(runtime, each) for each in expand(runtime, [image], "image")]
    jobs = [
        Wanted(
            "seed",
            {"image_id": each.id},
            slug=each.job.words if each.job is not None else "",
            parent_image=each.id,
            endpoint="seed",
        )
        for each in images
    ]
    deliver_all(runtime, jobs, job, None)
