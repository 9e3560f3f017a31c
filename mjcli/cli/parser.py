"""The only module that touches Typer's internals: command classes, shared options, usage errors."""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, ClassVar, NoReturn, get_type_hints

import typer
from typer._click import exceptions as click_errors  # public as typer.exceptions only since 0.27
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from mjcli import __version__
from mjcli.cli.help import GLOBAL_PANEL, PARAMETERS_PANEL
from mjcli.cli.help.values import ValueType
from mjcli.cli.hints import log_in
from mjcli.cli.inputs import decoded
from mjcli.errors import UnknownProfile, UsageError
from mjcli.prompt.arguments import MissingValue, UnknownOption, check_values, split_typed
from mjcli.prompt.parameters import BY_SPELLING, PARAMETERS, Parameter, either

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
        _refuse_foreign_help(ctx, args)
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc, no-any-return]
        except click_errors.NoSuchOption as error:
            raise _unknown_option(ctx, error.option_name, args) from None
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
        try:
            check_values(args, _own_options(self, ctx))
        except MissingValue as error:
            error.hint = f"{ctx.command_path} --help"
            raise
        # Click joins the surplus arguments into one text; here each one is quoted.
        ctx.allow_extra_args = True
        surplus = super().parse_args(ctx, args)
        if surplus:
            noun = "argument" if len(surplus) == 1 else "arguments"
            if _path(ctx) == ["auth", "login"]:
                sentence = "The token is not an argument, because others can read those; mj asks for it."
                raise UsageError(sentence, hint=ctx.command_path)
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
            self.refuse_command(ctx, args)
        return super().resolve_command(ctx, args)

    def refuse_command(self, ctx: Any, args: Sequence[str]) -> NoReturn:
        """Raise the `UsageError` for an unknown subcommand: what people mean by it, or the names closest to it."""
        from mjcli.cli import meant

        path, exists = _path(ctx), functools.partial(_exists, ctx.find_root())
        found = meant.subcommand(path, args, exists)
        near = [] if found.hint else meant.typo(args[0], self.list_commands(ctx))
        prompt = "" if path or found.hint else meant.prompt_without_command(args, exists)
        if prompt and len(args) > 2 and near and not _may_precede(self.get_command(ctx, near[0]), args[1:]):
            near = []  # `mj man on a horse` is no misspelled `mj pan`
        question = f" Did you mean {either(near)}?" if near else ""
        corrected = meant.corrected([*path, *args], args[0], near)
        hint = found.hint or corrected or (prompt if not near else "") or f"{ctx.command_path} --help"
        raise UsageError(f'Unknown command "{" ".join([*path, args[0]])}".{question}', hint=hint)


def _may_precede(command: Any, arguments: Sequence[str]) -> bool:
    """Whether a command takes words, or these arguments are not words."""
    if hasattr(command, "list_commands") and arguments[0] in command.list_commands(None):
        return True
    takes_words = any("PROMPT" in (param.metavar or "") for param in command.params)
    return takes_words or any(each[:1] in ("@", "-") for each in arguments)


def _path(ctx: Any) -> list[str]:
    """The words after `mj` that name the command of a context."""
    return ctx.command_path.split()[1:]  # type: ignore[no-any-return]


def _exists(root: Any, words: Sequence[str]) -> bool:
    """Whether words after `mj` begin with a command."""
    context = root
    for number, word in enumerate(words):
        if not hasattr(context.command, "get_command"):
            return True
        command = context.command.get_command(context, word)
        if command is None:
            return number > 0 and word.startswith("-")
        context = new_context(command, word, context)
    return True


def _refuse_foreign_help(ctx: Any, args: Sequence[str]) -> None:
    """Refuse `-help`, `/?` and the like: `-h` with surplus letters for some commands, a prompt for others."""
    from mjcli.cli import meant

    every = args[: args.index("--")] if "--" in args else args
    own = help_flags(ctx.command, ctx)
    commands = ctx.command.list_commands(ctx) if hasattr(ctx.command, "list_commands") else ()
    for each in every:
        if each in commands:
            return  # the rest is that command's
        if each not in own and meant.asks_for_help(each) and (each[0] == "-" or len(every) == 1):
            raise UsageError(f'Unknown option "{each}".', hint=f"{ctx.command_path} --help")


def _unknown_option(ctx: Any, name: str, args: Sequence[str] = ()) -> UsageError:
    """The error for an unknown option: what people mean by it, or the options closest to it."""
    from mjcli.cli import meant

    exists = functools.partial(_exists, ctx.find_root())
    found = meant.Meant()
    if not _path(ctx):
        names = [word for word in args if word in ctx.command.list_commands(ctx)]
        if names and name in _spellings(ctx.command.get_command(ctx, names[0])):
            found = meant.Meant(hint=f"{name} comes after the command: mj {names[0]} … {name}")
        elif ctx.command.get_command(ctx, name.lstrip("-")) is not None:
            found = meant.Meant(hint=f"mj {name.lstrip('-')}")
        else:
            found = meant.subcommand((), [name.lstrip("-") or name], exists)
    if not found.hint:
        found = meant.option(
            name, ctx.command_path, [*_spellings(ctx.command), *help_flags(ctx.command, ctx)], exists
        )
    return UsageError(f'Unknown option "{name}".{found.question}', hint=found.hint)


def _spellings(command: Any) -> list[str]:
    """All spellings of a command's options."""
    return [
        each
        for param in command.params
        if param.param_type_name == "option"
        for each in (*param.opts, *param.secondary_opts)
    ]


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


# Values to suggest for parameters that accept others, too.
_SUGGESTIONS = {
    "REF": ("random",),
    "W:H": ("1:1", "3:2", "2:3", "4:3", "3:4", "4:5", "5:4", "16:9", "9:16", "21:9", "2:1", "1:2"),
}


class PromptCommand(MjCommand):
    """A command that takes Midjourney's prompt parameters as options, built from their table."""

    only_fields: ClassVar[bool] = False
    """Whether the help offers only the parameters that are body fields, too."""

    def attached_options(self) -> list[TyperOption]:
        return [_parameter_option(each) for each in PARAMETERS if each.body or not self.only_fields]

    completion_words: ClassVar[dict[str, list[str]]] = {
        f"parameter_{each.name}": list(each.words or _SUGGESTIONS.get(each.form, ())) for each in PARAMETERS
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _refuse_foreign_help(ctx, args)
        if list(args) == ["--version"]:
            raise UsageError("--version needs a value: it is the version of the model.", hint="mj --version")
        own = _own_options(self, ctx)
        self._refuse_letters(ctx, args, own)
        _refuse_dash_slips(args)
        try:
            typed = split_typed(args, own)
        except MissingValue as error:
            error.hint = _OWN_PROFILE if error.option == "--profile" else f"{ctx.command_path} --help"
            raise
        except UnknownOption as error:
            raise _unknown_option(ctx, error.option) from None
        ctx.meta[_PARAMETERS] = typed.parameters
        return super().parse_args(ctx, [*typed.options, "--", *typed.words])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UnknownProfile as error:
            if ctx.find_root().obj.flags.profile is not None:
                login = f"\n{log_in(error.profile)}" if error.profile is not None else ""
                error.hint = f"{_OWN_PROFILE}{login}"
            raise

    def _refuse_letters(self, ctx: Any, args: Sequence[str], own: Collection[str]) -> None:
        """Refuse options of one letter that other programs have, such as `-n 4`."""
        from mjcli.cli import meant

        every = args[: args.index("--")] if "--" in args else args
        if "--no-check" not in every:
            for each in every:
                if meant.is_foreign_letter(each, own):
                    raise _unknown_option(ctx, each)


_OWN_PROFILE = "for Midjourney's own --profile, type --p CODE, or --p alone"
_OUR_LETTERS = {"-q": "--quiet", "-v": "--verbose"}


def _refuse_dash_slips(args: list[str]) -> None:
    """Refuse prompt parameters with one dash, which Click would read as our options: `-ar`, `-v 7`."""
    every = args[: args.index("--")] if "--" in args else args
    for arg, after in zip(every, [*every[1:], ""], strict=False):
        meant = BY_SPELLING.get(arg[1:].lower()) if arg[:1] == "-" and arg[1:2] != "-" else None
        # -v and -q are ours unless a value of the prompt parameter follows.
        if meant is not None and (arg not in _OUR_LETTERS or after in meant.words):
            ours = f" ({arg} is {_OUR_LETTERS[arg]})" if arg in _OUR_LETTERS else ""
            raise UsageError(f'Prompt parameters take two hyphens: write -{arg}, not "{arg}"{ours}.')


_PARAMETERS = "mjcli.parameters"


def typed_parameters(ctx: typer.Context) -> list[str]:
    """The arguments from the first prompt parameter on, in the order typed; joined, they end the prompt."""
    arguments: list[str] = ctx.meta.get(_PARAMETERS, [])
    return arguments


def add_parameters(ctx: typer.Context, parameters: Sequence[str]) -> None:
    """Add arguments to those of `typed_parameters`."""
    ctx.meta[_PARAMETERS] = [*typed_parameters(ctx), *parameters]


def _own_options(command: Any, ctx: Any) -> dict[str, bool]:
    """The spellings of the command's options, without the prompt parameters, and whether each takes a value."""
    found = dict.fromkeys(help_flags(command, ctx), False)
    for param in command.params:
        if param.param_type_name == "option" and not _is_prompt_parameter(param):
            found |= dict.fromkeys((*param.opts, *param.secondary_opts), not param.is_flag)
    return found


def is_image_parameter(param: Any) -> bool:
    """Whether the values of an option are the images of a prompt parameter: --sref, --cref, --oref."""
    from mjcli.cli.images import takes_images

    return takes_images(BY_SPELLING.get(param.opts[0][2:])) if _is_prompt_parameter(param) else False


def _is_prompt_parameter(param: Any) -> bool:
    return str(param.name).startswith("parameter_")


def _parameter_option(parameter: Parameter) -> TyperOption:
    """An option for the help and completion; `split_typed` takes its argument out before Click sees it."""
    spellings = [f"--{name}" for name in dict.fromkeys((parameter.option, *parameter.spellings[1:]))]
    return TyperOption(
        param_decls=[f"parameter_{parameter.name}", *spellings],
        is_flag=parameter.flag,
        multiple=not parameter.flag,
        default=False if parameter.flag else None,
        type=None if parameter.flag else str,
        expose_value=False,
        help=parameter.help,
        metavar=None if parameter.flag else parameter.metavar,
        rich_help_panel=PARAMETERS_PANEL,
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
        root.main(args=[decoded(each) for each in arguments], prog_name="mj", standalone_mode=False, obj=obj)
    except click_errors.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "mj"
        example = _example(context) if isinstance(error, click_errors.MissingParameter) else None
        hint = example or _in_seconds(error) or f"{command} --help"
        raise UsageError(_sentence(error), hint=hint) from None


def _in_seconds(error: click_errors.ClickException) -> str | None:
    """What to type instead of a number of seconds with a unit, such as `--timeout 5m`."""
    if not isinstance(error, click_errors.BadParameter) or getattr(error.param, "metavar", None) != "SECONDS":
        return None
    from mjcli.cli import meant

    number = meant.seconds(_value_in(error.message) or "")
    return f"{_name_of(error.param)} {number}" if number else None


def _example(context: Any) -> str | None:
    """The first example of a command's help, which shows its arguments."""
    lines = inspect.cleandoc(getattr(getattr(context, "command", None), "epilog", None) or "").splitlines()
    return next((line for line in lines if line.startswith("mj ") and not {"|", ">"} & {*line.split()}), None)


def _sentence(error: click_errors.ClickException) -> str:
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
    names = either(ctx.command.list_commands(ctx))
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
        return f"{name} must be {either(accepted.choices)}{refused}."
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


def _quoted_list(words: Sequence[str], conjunction: str) -> str:
    *others, last = [f'"{word}"' for word in words]
    return f"{', '.join(others)} {conjunction} {last}" if others else last
