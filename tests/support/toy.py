"""A small command tree with an example of everything that a description can contain."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

import typer

from mjcli.cli.app import Root
from mjcli.cli.from_typer import describe
from mjcli.cli.help.data import Tree
from mjcli.cli.parser import MjCommand, MjGroup, build_command, new_app


class ToyAction(MjCommand):
    completion_words = {"action": ["upscale1", "upscale4", "zoom:out"], "target": ["@last", "@2"]}  # noqa: RUF012


draw = new_app()


@draw.command(
    "draw",
    cls=MjCommand,
    epilog="""# Draw a cat
mj draw "a cat" --download
# Nothing but words, and very many of them
mj draw 'a picture that needs a great many words to be told' --image https://example.org/a.png --mode fast""",
)
def draw_(
    prompt: Annotated[list[str] | None, typer.Argument(help="What it's to show.", show_default=False)] = None,
    mode: Annotated[
        Literal["fast", "turbo", "relax"], typer.Option(help="How `soon` [it] is done: now.")
    ] = "fast",
    image: Annotated[list[str] | None, typer.Option(metavar="URL", help="A picture; see -o.")] = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Follow it.")] = True,
    download: Annotated[bool, typer.Option("--download", "-d", help="Save it.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help='Where "it" goes.')] = None,
    into: Annotated[Path | None, typer.Option("--into", file_okay=False, help="The directory.")] = None,
    ratio: Annotated[
        str, typer.Option("--ar", metavar="W:H", help="Costs $5 \\ is 100% wide.", rich_help_panel="Words")
    ] = "",
    weight: Annotated[int, typer.Option("--iw", min=0, max=3, rich_help_panel="Words", help="Weight.")] = 1,
    secret: Annotated[bool, typer.Option("--secret", hidden=True)] = False,
) -> None:
    """Draw something.

    The first paragraph
    goes on here. Use --mode for more.

    - an item that is long enough to be wrapped when the terminal is a narrow one
    - another

      mj draw  "as it is"
      .indented

    'Quoted' at the start.
    """


act = new_app()


@act.command("act", cls=ToyAction)
def act_(
    action: Annotated[str, typer.Argument(help="What to do.")],
    target: Annotated[str, typer.Argument(help="To what.")],
    mode: Annotated[Literal["fast", "relax"] | None, typer.Option(help="How soon.")] = None,
) -> None:
    """Do something to it."""


door = new_app("Open and close it.")


@door.command("open", cls=MjCommand)
def open_(wide: Annotated[bool, typer.Option("--wide", help="All the way.")] = False) -> None:
    """Open it."""


@door.command("close", cls=MjCommand, epilog="mj door close")
def close_(file: Annotated[Path, typer.Argument(help="What to put there.")]) -> None:
    """Close it."""


@door.command("break", cls=MjCommand, hidden=True)
def break_() -> None:
    """Not told to anybody."""


class ToyRoot(Root):
    def list_commands(self, ctx: typer.Context) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> MjGroup | MjCommand | None:
        return self.commands.get(cmd_name)


@functools.cache
def tree() -> Tree:
    """The data of the toy."""
    commands = {name: build_command(app) for name, app in (("draw", draw), ("act", act), ("door", door))}
    return describe(
        ToyRoot(
            name="mj",
            help="A toy.",
            commands=commands,
            context_settings={"help_option_names": ["--help", "-h"]},
        )
    )
