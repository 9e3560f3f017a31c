"""`mj seed`: the seed of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import SubmitOptions
from mjcli.cli.parser import MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "seed",
    cls=MjCommand,
    epilog="""mj seed @last
# Start another prompt from the same seed
mj imagine "a dog on a table" --seed "$(mj seed @last -q)\"""",
)
@takes(submit=SubmitOptions)
def seed(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="Image id, @last or @2; - reads ids from standard input.")
    ],
    *,
    submit: SubmitOptions,
) -> None:
    """Show the seed of an image.

    The same seed and prompt produce nearly the same image.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.keys import KeyedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.submit import JobOptions
    from mjcli.jobs.order import Order

    context: Context = ctx.obj
    lookup = Lookup.of(context)
    options = JobOptions(submit)
    names = expand(context.streams.stdin, [image], "image")
    keyed = KeyedJob(context, lookup, options, "seed", image=names)
    if keyed.join() is not None:
        return
    images = [lookup.image(each) for each in names]
    orders = [
        Order("seed", "seed", {"image_id": each.id}, each.job.words if each.job is not None else "", each.id)
        for each in images
    ]
    keyed.submit_all(orders)
