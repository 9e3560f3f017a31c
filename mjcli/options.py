"""The options that commands share, each declared once, and the command classes that carry them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from mjcli import __version__
from mjcli.errors import UsageError
from mjcli.prompt.parameters import BY_SPELLING, PARAMETERS, Parameter

GLOBAL_PANEL = "Options for every command"


def _remember(ctx: typer.Context, param: Any, value: Any) -> None:
    """Keep a global option given before or after the subcommand; the later one wins."""
    if value not in (None, False):
        setattr(ctx.find_root().obj.flags, param.name, value)


def _global(*declarations: str, help: str, flag: bool = True, metavar: str | None = None) -> TyperOption:  # noqa: A002
    return TyperOption(
        param_decls=list(declarations),
        is_flag=flag,
        default=False if flag else None,
        type=None if flag else str,
        expose_value=False,
        callback=_remember,
        help=help,
        metavar=metavar,
        rich_help_panel=GLOBAL_PANEL,
    )


def global_options() -> list[TyperOption]:
    """New instances of the options that every command takes."""
    return [
        _global("--json", help="Answer in JSON Lines, one object for each thing asked."),
        _global(
            "--field",
            flag=False,
            metavar="PATH",
            help="Print only this field of the JSON, as jq -r prints it.",
        ),
        _global("--quiet", "-q", help="Print the saved files, else the link, else the task id; no notices."),
        _global("--verbose", "-v", help="Say more on standard error, with tracebacks."),
        _global("--profile", flag=False, metavar="NAME", help="Use this profile of the config file."),
        _global("--sandbox", help="Use the embedded stand-in of the service: no account, nothing paid."),
        _global("--no-color", help="Do not colour the output."),
    ]


def version_option() -> TyperOption:
    """`mj --version`; the lone form is answered before this module is loaded."""

    def show(ctx: typer.Context, _param: Any, value: Any) -> None:
        if value:
            ctx.find_root().obj.output.text(f"mj {__version__}\n")
            ctx.exit()

    return TyperOption(
        param_decls=["--version"],
        is_flag=True,
        default=False,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="Print the version.",
    )


class _Documented:
    """The one way in which every command shows its help: the generated reference, not Click's formatter."""

    def get_help(self, ctx: Any) -> str:
        from mjcli.reference.help import render_help

        return render_help(tuple(ctx.command_path.split()[1:]), ctx.find_root().obj.help_layout())


class MjCommand(_Documented, TyperCommand):
    """A command that takes the global options beside its own."""

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **settings: Any) -> None:
        super().__init__(
            name, params=[*(params or []), *self.attached_options(), *global_options()], **settings
        )

    def attached_options(self) -> list[TyperOption]:
        """Options of the command that come from a table rather than from its function's signature."""
        return []


class MjGroup(_Documented, TyperGroup):
    """A command with subcommands, which takes the global options before them."""

    def __init__(self, *, params: list[Any] | None = None, **settings: Any) -> None:
        super().__init__(params=[*(params or []), *global_options()], **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not self.invoke_without_command:
            names = ", ".join(self.list_commands(ctx))
            raise UsageError(
                f"{ctx.command_path} needs a command: {names}.", hint=f"{ctx.command_path} --help"
            )
        return super().parse_args(ctx, args)


def new_app(summary: str | None = None) -> typer.Typer:
    """A Typer application for one command (one `command`) or a group of them (several).

    `summary` is for a group that does nothing by itself; one that does has a `callback`, which tells it.
    """
    app = typer.Typer(
        cls=MjGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=False,
    )
    if summary is not None:
        app.info.help = summary  # any other help, even None, would hide the callback's
    return app


Mode = Literal["fast", "relax", "turbo"]
FILES_PANEL = "Files"
WAIT_PANEL = "Waiting"


OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, "
        "{action}, {index}, {date}, {ext}.",
        rich_help_panel=FILES_PANEL,
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Replace files that are there already.", rich_help_panel=FILES_PANEL),
]


SplitOption = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download.",
        rich_help_panel=FILES_PANEL,
    ),
]


RetriesOption = Annotated[
    int,
    typer.Option(
        min=0, max=20, metavar="N", help="Send again at most so often what was certainly not accepted."
    ),
]


class FileOptions(NamedTuple):
    """Whether and where files are saved."""

    download: Annotated[
        bool | None,
        typer.Option(
            "--download/--no-download",
            "-d",
            help="Save the pictures; --output implies it.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None
    output: OutputOption = None
    split: SplitOption = False
    force: ForceOption = False


# The options of a job that mean nothing to the endpoints which answer in words.
BESIDE_WORDS = (
    "mode", "split_images", "stream", "no_wait", "callback_url", "listen", "host", "port", "public_url"
)  # fmt: skip
# Those of prompts and jobs that videos do not know, or know otherwise.
BESIDE_VIDEOS = ("mode", "split_images", "split", "preset", "permute", "yes")


HostOption = Annotated[
    str,
    typer.Option(
        "--host", metavar="ADDRESS", help="Receive callbacks at this address.", rich_help_panel=WAIT_PANEL
    ),
]
PortOption = Annotated[
    int,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        metavar="N",
        help="Receive callbacks on this port; 0 takes a free one.",
        rich_help_panel=WAIT_PANEL,
    ),
]
PublicUrlOption = Annotated[
    str | None,
    typer.Option(
        "--public-url",
        metavar="URL",
        help="The address under which a tunnel or proxy makes that known to the service.",
        rich_help_panel=WAIT_PANEL,
    ),
]


class JobOptions(NamedTuple):
    """What every command that makes a job takes."""

    mode: Annotated[Mode | None, typer.Option(help="How fast, and how dear, the job is.")] = None
    split_images: Annotated[
        bool | None,
        typer.Option(
            "--split-images/--no-split-images", help="Have the four pictures of a grid one by one, too."
        ),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request as a curl command; send nothing.")
    ] = False
    retries: RetriesOption = 3
    no_ledger: Annotated[
        bool, typer.Option("--no-ledger", help="Keep no record of the job (it cannot be found again by mj).")
    ] = False
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Wait by the stream (default; said aloud, --json prints every event) or by one plain answer.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Give up waiting after so long (default 900); also sent as the job's own time-out.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Answer the task id at once.", rich_help_panel=WAIT_PANEL),
    ] = False
    callback_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Have the service send the result there; answer the task id at once.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None
    listen: Annotated[
        bool,
        typer.Option(
            "--listen",
            help="Wait by a callback, received here, where the service can reach this machine.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = False
    host: HostOption = "127.0.0.1"
    port: PortOption = 0
    public_url: PublicUrlOption = None


class MaskOptions(NamedTuple):
    """Which part of a picture is redrawn."""

    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask", metavar="FILE", help="A grey picture, white where to redraw: PNG, JPEG or WebP."
        ),
    ] = None
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="X,Y,W,H",
            help="Redraw this rectangle, in pixels or percent from the top left corner (repeatable).",
        ),
    ] = None


VideoMode = Annotated[
    Literal["fast", "turbo"] | None, typer.Option("--mode", help="How fast, and how dear, the job is.")
]


class VideoOptions(NamedTuple):
    """What every command that makes a video takes."""

    end_image: Annotated[
        str | None,
        typer.Option("--end-image", metavar="IMAGE", help="The picture that the video ends with."),
    ] = None
    resolution: Annotated[
        Literal["480p", "720p"] | None, typer.Option(help="Height of the video in lines.")
    ] = None
    loop: Annotated[
        bool | None, typer.Option("--loop/--no-loop", help="Make the end run into the beginning.")
    ] = None


PROMPT_PANEL = "Prompt"

ImageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        metavar="IMAGE",
        help="Put this image in front: a link, a file, @last, an id, - for standard input (up to five times).",
    ),
]


class PromptOptions(NamedTuple):
    """How the prompt is put together and checked."""

    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Put this preset of the config file behind the words (repeatable; later ones win).",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = None
    permute: Annotated[
        bool,
        typer.Option(
            "--permute",
            help="Make a job of each choice from {braces}; a backslash before a brace or comma keeps it.",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = False
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Agree beforehand to as many jobs as --permute makes.",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = False
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse what is only doubtful, too.", rich_help_panel=PROMPT_PANEL),
    ] = False
    no_check: Annotated[
        bool,
        typer.Option(
            "--no-check",
            help="Send the prompt as it is; look at neither it nor its images.",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = False


Translation = Annotated[
    bool | None,
    typer.Option(
        "--translation/--no-translation", help="Have the service translate the prompt into English."
    ),
]


class PromptCommand(MjCommand):
    """A command that takes Midjourney's prompt parameters as options, straight from their table."""

    def attached_options(self) -> list[TyperOption]:
        return [_parameter_option(parameter) for parameter in PARAMETERS]

    completion_words: ClassVar[dict[str, list[str]]] = {
        f"parameter_{each.name}": ["random"] if each.form == "REF" else list(each.words)
        for each in PARAMETERS
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _refuse_dash_slips(ctx.command_path, args)
        words = [arg.partition("=")[0][2:] for arg in args if arg.startswith("--")]
        ctx.meta[_SPELLED] = {BY_SPELLING[word].name: word for word in words if word in BY_SPELLING}
        return super().parse_args(ctx, args)


def _refuse_dash_slips(command: str, args: list[str]) -> None:
    """Tell of what would be taken for options of ours: a quoted prompt with a dash in front, `-ar`, `-v 7`."""
    every = args[: args.index("--")] if "--" in args else args
    for before, arg, behind in zip(["", *every], every, [*every[1:], ""], strict=False):
        name, _, words = arg.partition(" ")
        if words and arg.startswith("-") and "=" not in name and not before.startswith("-"):
            raise UsageError(
                f"The prompt begins with {name}, so it is read as an option; words come before parameters.",
                hint=f'{command} "WORDS {name} …"\n{command} -- …  # where the dash is meant as a part of the words',
            )
        meant = BY_SPELLING.get(arg[1:].lower()) if arg[:1] == "-" and arg[1:2] != "-" else None
        # Our own -v and -q are meant unless a value of Midjourney's follows.
        if meant is not None and (arg not in _OUR_LETTERS or behind in meant.words):
            ours = f"; {arg} is {_OUR_LETTERS[arg]}" if arg in _OUR_LETTERS else ""
            raise UsageError(f"Midjourney's parameters begin with two hyphens: write -{arg}{ours}.")


_OUR_LETTERS = {"-q": "--quiet", "-v": "--verbose"}


def given_parameters(ctx: typer.Context) -> dict[str, list[str]]:
    """The prompt parameters given as options, as typed and in that order: spelling -> values (a flag: one empty)."""
    given: dict[str, list[str]] = ctx.meta.setdefault(_GIVEN, {})
    return given


_GIVEN = "mjcli.parameters"
_SPELLED = "mjcli.spellings"


def _parameter_option(parameter: Parameter) -> TyperOption:
    def keep(ctx: typer.Context, _param: Any, value: Any) -> None:
        if value:
            spelling = ctx.meta[_SPELLED].get(parameter.name, parameter.option)
            given_parameters(ctx)[spelling] = [""] if parameter.flag else list(value)

    spellings = [f"--{name}" for name in dict.fromkeys((parameter.option, *parameter.spellings[1:]))]
    return TyperOption(
        param_decls=[f"parameter_{parameter.name}", *spellings],
        is_flag=parameter.flag,
        multiple=not parameter.flag,
        default=False if parameter.flag else None,
        type=None if parameter.flag else str,
        expose_value=False,
        callback=keep,
        help=parameter.help,
        metavar=None if parameter.flag else parameter.metavar,
        rich_help_panel="Midjourney parameters",
    )


def takes(
    *, without: Collection[str] = (), **groups: type[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Expand named tuples of options into a command's signature.

    `@takes(job=JobOptions)` gives the command every field of `JobOptions` as an option of its own and
    hands the function one `JobOptions` in the parameter `job`. The fields in `without` keep their defaults:
    they are no options of this command.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [
            p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name not in groups
        ]
        every = [field for kind in groups.values() for field in _parameters(kind)]
        fields = [field for field in every if field.name not in without]

        @functools.wraps(function)
        def command(**values: Any) -> None:
            given = {
                name: kind(**{field: values.pop(field) for field in kind._fields if field not in without})
                for name, kind in groups.items()
            }
            function(**values, **given)

        parameters = [*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *fields]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _parameters(kind: type[Any]) -> list[inspect.Parameter]:
    """The fields of a named tuple as parameters of a function."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=kind._field_defaults[name], annotation=hints[name]
        )
        for name in kind._fields
    ]
