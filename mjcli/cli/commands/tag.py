"""`mj tag`: tag jobs, and list the tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import command
from mjcli.cli.history_filter import typed_tag
from mjcli.cli.marks import JOB_HELP, mark
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "tag",
    cls=MjCommand,
    epilog="""mj tag client @last
mj tag client @2 7489df4c cat_1234.png
mj tag --remove client @2
# Tag everything that a search finds
mj history --search poster -q | mj tag poster -
# The tags in use
mj tag
mj history --tag client""",
)
def tag(
    ctx: typer.Context,
    word: Annotated[
        str | None, typer.Argument(metavar="TAG", help="One word; letter case does not matter.")
    ] = None,
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB", help=JOB_HELP)] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag away.")] = False,
) -> None:
    """Tag jobs, for history, search and gallery.

    Without arguments, it lists the tags of the profile and how many jobs have each.
    """
    context: Context = ctx.obj
    if word is None:
        if remove:
            raise UsageError("Missing tag.", hint=command("tag", "--remove", "client", "@last"))
        _list(context)
        return
    if word.startswith("@") or not jobs:
        reference = word if word.startswith("@") else "@last"
        known = next((each for each in (*(jobs or ()), word) if not each.startswith(("@", "-"))), "client")
        options = ["--remove"] if remove else []
        raise UsageError(
            "Missing job." if not jobs else f'"{word}" is a reference, not a tag: the tag comes first.',
            hint=command("tag", *options, known, reference),
        )
    mark(context, typed_tag(word), jobs, remove=remove, verbs=("tagged", "no longer tagged"))


def _list(context: Context) -> None:
    from mjcli.jobs.tags import STAR

    profile, ledger = context.settings.profile.value, context.existing_ledger
    counts = ledger.tags.counts(profile) if ledger is not None else {}
    counts.pop(STAR, None)
    for name, count in counts.items():
        context.output.answer({"tag": name, "jobs": count}, [(name, str(count))], [name])
    if not counts:
        context.output.notice(f'No tags in profile "{profile}".')
