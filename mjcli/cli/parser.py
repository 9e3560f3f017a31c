"""The only module that touches Typer's internals: command classes, shared options, usage errors."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn, get_type_hints

import typer
from typer._click import exceptions as click_errors  # public as typer.exceptions only since 0.27
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from mjcli import __version__
from mjcli.cli.help import GLOBAL_PANEL
from mjcli.cli.hints import with_note
from mjcli.errors import UsageError
from mjcli.prompt.parameters import BY_SPELLING, PARAMETERS, Parameter

# Global options


def _remember(ctx: typer.Context, param: Any, value: Any) -> None:
    """Store a global option given before or after the subcommand; the later one wins."""
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
        _global("--json", help="Print JSON Lines: one object for each item requested."),
        _global("--field", flag=False, metavar="PATH", help="Print only this field of the JSON, like jq -r."),
        _global("--quiet", "-q", help="Print only file paths, else the link, else the task id."),
        _global("--verbose", "-v", help="Print more details to standard error, including tracebacks."),
        _global("--profile", flag=False, metavar="NAME", help="Profile to use from the config file."),
        _global("--sandbox", help="Use the built-in sandbox: no account, no cost."),
        _global("--no-color", help="Disable coloured output."),
    ]


def version_option() -> TyperOption:
    """`mj --version`; without other arguments, `__main__` answers it before this module is loaded."""

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
        help="Print the version and exit.",
        rich_help_panel=GLOBAL_PANEL,
    )


# Command classes


class _Shared:
    """What commands and groups have in common: the generated help, and errors that name their command."""

    def get_help(self, ctx: Any) -> str:
        from mjcli.cli.help.page import HelpLayout, render_help

        output = ctx.find_root().obj.output
        layout = HelpLayout(output.width(output.stdout), output.colours(output.stdout))
        ctx.color = True  # else Click removes colours that FORCE_COLOR asks for
        return render_help(tuple(ctx.command_path.split()[1:]), layout)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc, no-any-return]
        except click_errors.UsageError as error:
            error.ctx = error.ctx or ctx  # Click omits it for an option without its value
            raise


class MjCommand(_Shared, TyperCommand):
    """A command that takes the global options in addition to its own."""

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **settings: Any) -> None:
        super().__init__(
            name, params=[*(params or []), *self.attached_options(), *global_options()], **settings
        )
        for param in self.params:
            param.type = _plain_numbers(param.type)

    def attached_options(self) -> list[TyperOption]:
        """Options that come from a table instead of the signature of the command's function."""
        return []

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Click joins the surplus arguments into one text; here each one is quoted.
        ctx.allow_extra_args = True
        surplus = super().parse_args(ctx, args)
        if surplus:
            noun = "argument" if len(surplus) == 1 else "arguments"
            raise UsageError(
                f"Unexpected {noun} {_quoted_list(surplus, 'and')}.", hint=f"{ctx.command_path} --help"
            )
        return surplus

    def invoke(self, ctx: Any) -> Any:
        ctx.find_root().obj.output.check_field(ctx.command_path)
        return super().invoke(ctx)


_NUMBERS = {
    "int": r"[+-]?[0-9]{1,18}",
    "float": r"[+-]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?",
}


def _plain_numbers(kind: Any) -> Any:
    """A number type that takes only plain digits; Python also reads `1_0`, ` 1`, `inf` and other scripts."""
    pattern = _NUMBERS.get(kind.name.split(" ")[0])
    if pattern is None:
        return kind

    def convert(value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(pattern, value) is None:
            kind.fail(f"{value!r} is not a valid {kind.name}.", param, ctx)
        return type(kind).convert(plain, value, param, ctx)

    plain = copy.copy(kind)
    plain.convert = convert
    return plain


class MjGroup(_Shared, TyperGroup):
    """A command with subcommands; it takes the global options before them."""

    def __init__(self, *, params: list[Any] | None = None, **settings: Any) -> None:
        super().__init__(params=[*(params or []), *global_options()], **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not self.invoke_without_command:
            raise _missing_command(ctx)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            self.refuse_command(ctx, args[0])
        return super().resolve_command(ctx, args)

    def refuse_command(self, ctx: Any, word: str) -> NoReturn:
        """Raise the `UsageError` for an unknown subcommand, with the names closest to it."""
        near = _did_you_mean(word, self.list_commands(ctx))
        raise UsageError(f'Unknown command "{word}".{near}', hint=f"{ctx.command_path} --help")


def new_app(summary: str | None = None) -> typer.Typer:
    """A Typer application for one command (a single `command`) or a group of them (several).

    `summary` is the help of a group that does nothing by itself; otherwise the help comes from its `callback`.
    """
    app = typer.Typer(
        cls=MjGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=False,
    )
    if summary is not None:
        app.info.help = summary  # setting it, even to None, would hide the callback's help
    return app


def build_command(app: typer.Typer) -> Any:
    """The command (or group) that a Typer application defines."""
    return get_command(app)


# Prompt parameters as options


class PromptCommand(MjCommand):
    """A command that takes Midjourney's prompt parameters as options, built from their table."""

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


_OUR_LETTERS = {"-q": "--quiet", "-v": "--verbose"}


def _refuse_dash_slips(command: str, args: list[str]) -> None:
    """Refuse arguments that Click would read as our options: `"--ar 1:1 a cat"`, `-ar`, `-v 7`."""
    every = args[: args.index("--")] if "--" in args else args
    for before, arg, after in zip(["", *every], every, [*every[1:], ""], strict=False):
        name, _, words = arg.partition(" ")
        if words and arg.startswith("-") and "=" not in name and not before.startswith("-"):
            raise UsageError(
                f'The prompt begins with "{name}", which looks like an option.',
                hint=with_note(f'{command} "WORDS {name} …"', "puts the words first")
                + "\n"
                + with_note(f"{command} -- …", "if the hyphen is part of the prompt"),
            )
        meant = BY_SPELLING.get(arg[1:].lower()) if arg[:1] == "-" and arg[1:2] != "-" else None
        # -v and -q are ours unless a value of the prompt parameter follows.
        if meant is not None and (arg not in _OUR_LETTERS or after in meant.words):
            ours = f" ({arg} is {_OUR_LETTERS[arg]})" if arg in _OUR_LETTERS else ""
            raise UsageError(f'Prompt parameters take two hyphens: write -{arg}, not "{arg}"{ours}.')


_GIVEN = "mjcli.parameters"
_SPELLED = "mjcli.spellings"


def given_parameters(ctx: typer.Context) -> dict[str, list[str]]:
    """The prompt parameters given as options, as typed and in order: spelling -> values (a flag: one empty)."""
    given: dict[str, list[str]] = ctx.meta.setdefault(_GIVEN, {})
    return given


def _parameter_option(parameter: Parameter) -> TyperOption:
    def store(ctx: typer.Context, _param: Any, value: Any) -> None:
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
        callback=store,
        help=parameter.help,
        metavar=None if parameter.flag else parameter.metavar,
        rich_help_panel="Midjourney parameters",
    )


# Shared options


def takes(
    *, without: Collection[str] = (), **groups: type[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the fields of named tuples to a command's options.

    `@takes(job=JobOptions)` makes every field of `JobOptions` an option of the command and passes one
    `JobOptions` to the function as `job`. Fields in `without` are not options and have their defaults.
    """
    fields = {
        name: [field for field in kind._fields if field not in without] for name, kind in groups.items()
    }

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [
            p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name not in groups
        ]

        @functools.wraps(function)
        def command(**values: Any) -> None:
            options = {
                name: kind(**{field: values.pop(field) for field in fields[name]})
                for name, kind in groups.items()
            }
            function(**values, **options)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        for name, kind in groups.items():
            parameters += _as_parameters(kind, fields[name])
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _as_parameters(kind: type[Any], fields: list[str]) -> list[inspect.Parameter]:
    """Fields of a named tuple as parameters of a function."""
    hints = get_type_hints(kind, include_extras=True)
    defaults = kind._field_defaults
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hints[name]
        )
        for name in fields
    ]


# What the generator of the help reads from the tree


class ValueType(NamedTuple):
    """The values that an option or argument accepts."""

    kind: str
    """`text`, `file`, `dir` or `path` (a file or a directory)."""
    number: str
    """`whole number`, `number`, or empty for other values."""
    choices: list[str]
    """All accepted values; empty if there is no such list."""
    low: float | None
    high: float | None

    @property
    def bounds(self) -> str:
        """`1 to 4`, `at least 1`, `at most 4`, or empty."""
        if self.low is not None and self.high is not None:
            return f"{self.low:.12g} to {self.high:.12g}"
        if self.low is not None:
            return f"at least {self.low:.12g}"
        return f"at most {self.high:.12g}" if self.high is not None else ""


def value_type(param: Any) -> ValueType:
    """The type of a parameter's value."""
    kind = param.type
    choices = [str(getattr(value, "value", value)) for value in getattr(kind, "choices", None) or []]
    if hasattr(kind, "dir_okay"):
        place = "path" if kind.file_okay and kind.dir_okay else "dir" if kind.dir_okay else "file"
    else:
        place = "file" if getattr(kind, "name", "") == "filename" else "text"
    name = str(getattr(kind, "name", "")).split(" ")[0]
    number = {"int": "whole number", "integer": "whole number", "float": "number"}.get(name, "")
    return ValueType(place, number, choices, getattr(kind, "min", None), getattr(kind, "max", None))


def new_context(command: Any, name: str, parent: Any = None) -> Any:
    """A parser context for a command of the tree, for reading its parameters."""
    return command.context_class(command, info_name=name, parent=parent, **command.context_settings)


def help_flags(command: Any, context: Any) -> list[str]:
    """The spellings of the command's help option; empty if it has none."""
    if not command.add_help_option:
        return []
    available = command.get_help_option_names(context)
    return [name for name in context.help_option_names if name in available]


def subcommands(command: Any, context: Any) -> Iterator[tuple[str, Any]]:
    """The visible commands of a group, by name; none for a command that is not a group."""
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        sub = command.get_command(context, name)
        if sub is not None and not sub.hidden:
            yield name, sub


# Running, and usage errors


def run(root: MjGroup, arguments: Sequence[str], obj: Any) -> None:
    """Parse the arguments and run the command, with `obj` as its context object.

    Raises `UsageError` for whatever the parser refuses.
    """
    try:
        root.main(args=[_decoded(each) for each in arguments], prog_name="mj", standalone_mode=False, obj=obj)
    except click_errors.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "mj"
        example = _example(context) if isinstance(error, click_errors.MissingParameter) else None
        raise UsageError(_sentence(error), hint=example or f"{command} --help") from None


def _decoded(argument: str) -> str:
    """An argument as UTF-8 text: in a locale without UTF-8 its bytes arrive as surrogates."""
    try:
        return os.fsencode(argument).decode("utf-8") if not argument.isascii() else argument
    except UnicodeError:
        shown = argument.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f'The argument "{shown}" is not UTF-8 text. Nothing was sent.') from None


def _example(context: Any) -> str | None:
    """The first example of a command's help, which shows its arguments."""
    lines = inspect.cleandoc(getattr(getattr(context, "command", None), "epilog", None) or "").splitlines()
    return next((line for line in lines if line.startswith("mj ")), None)


def _sentence(error: click_errors.ClickException) -> str:
    if isinstance(error, click_errors.NoSuchOption):
        near = _did_you_mean(error.option_name, error.possibilities or ())
        return f'Unknown option "{error.option_name}".{near}'
    if isinstance(error, click_errors.BadOptionUsage):
        verb = "needs" if "require" in error.message else "does not take"
        return f"{error.option_name} {verb} a value."
    if isinstance(error, click_errors.MissingParameter) and error.param is not None:
        return f"Missing {error.param.param_type_name} {_name_of(error.param)}."
    if isinstance(error, click_errors.BadParameter) and error.param is not None:
        return _bad_value(error.param, error.message)
    if error.message == "Missing command." and getattr(error, "ctx", None) is not None:
        return _missing_command(error.ctx).message  # type: ignore[attr-defined]
    message = " ".join(error.format_message().split())
    return message if message.endswith((".", "?")) else f"{message}."


def _missing_command(ctx: Any) -> UsageError:
    names = _listed(ctx.command.list_commands(ctx), "or")
    return UsageError(f"{ctx.command_path} needs a command: {names}.", hint=f"{ctx.command_path} --help")


def _name_of(param: Any) -> str:
    """A parameter as the help shows it: the first long spelling of an option, the name of an argument."""
    if param.param_type_name == "argument":
        return argument_name(param)
    return next((flag for flag in param.opts if flag.startswith("--")), str(param.opts[0]))


def argument_name(param: Any) -> str:
    """The name of an argument in the help, without brackets and dots."""
    name = str(param.metavar or param.name.upper().replace("_", "-")).strip("[]")
    return name.removesuffix("...").removesuffix("…").strip("[]")


def _bad_value(param: Any, complaint: str) -> str:
    """A refused value as a sentence that says what it must be: `--use must be 1 to 4, not "7".`"""
    name, accepted, value = _name_of(param), value_type(param), _value_in(complaint)
    refused = "" if value is None else f', not "{value}"'
    if accepted.choices:
        return f"{name} must be {_listed(accepted.choices, 'or')}{refused}."
    if accepted.number:
        bounds = accepted.bounds
        if " is not in the range " in complaint:
            return f"{name} must be {bounds}{refused}."
        return f"{name} must be a {accepted.number}{f' ({bounds})' if bounds else ''}{refused}."
    if value is not None and accepted.kind != "text":
        noun, _, fault = complaint.partition(f" {value!r} ")
        return f'{noun} "{value}" for {name} {fault}'
    return f"{name} is not valid: {complaint}"


def _value_in(complaint: str) -> str | None:
    """The refused value, which Click has only in its message: as a literal, or as a number out of range."""
    import ast

    number = re.match(r"(\S+) is not in the range ", complaint)
    if number:
        return number[1].removesuffix(".0")
    literal = re.search(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") (?:is|does)\b""", complaint)
    return str(ast.literal_eval(literal[1])) if literal else None


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=2, cutoff=0.7)
    return f" Did you mean {_listed(near, 'or')}?" if near else ""


def _quoted_list(words: Sequence[str], conjunction: str) -> str:
    return _listed([f'"{word}"' for word in words], conjunction)


def _listed(words: Sequence[str], conjunction: str) -> str:
    """Words as a sentence lists them: `a`, `a or b`, `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} {conjunction} {last}" if others else last
