"""Everything the parser refuses is one sentence, with a hint that leads to the command's help."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple

import pytest
import typer

from mjcli.cli.parser import MjCommand, MjGroup, PromptCommand, build_command, new_app, run, takes
from mjcli.errors import UsageError

app = new_app("A group.")
calls: list[dict[str, Any]] = []


@app.command("draw", cls=MjCommand)
def draw(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT")],
    count: Annotated[int, typer.Option(min=1, max=4)] = 1,
    retries: Annotated[int, typer.Option(min=0)] = 3,
    share: Annotated[float, typer.Option("--share", max=0.5)] = 0.1,
    seconds: Annotated[float, typer.Option("-s", "--seconds")] = 1.0,
    number: Annotated[int, typer.Option()] = 1,
    mode: Annotated[Literal["fast", "relax", "turbo"], typer.Option()] = "fast",
    mask: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    directory: Annotated[Path | None, typer.Option(exists=True, file_okay=False)] = None,
) -> None:
    pass


@app.command("say", cls=PromptCommand)
def say(words: Annotated[list[str], typer.Argument(metavar="[WORDS]...")]) -> None:
    pass


@app.command("choose", cls=MjCommand)
def choose(colour: Annotated[Literal["red", "blue"], typer.Argument()]) -> None:
    pass


@app.command("set", cls=MjCommand)
def set_(key: Annotated[str, typer.Option("--key")], image_id: Annotated[str, typer.Argument()] = "") -> None:
    pass


class Size(NamedTuple):
    """Options of a size."""

    width: Annotated[int, typer.Option("--width")] = 1
    height: Annotated[int, typer.Option("--height")] = 1


@app.command("resize", cls=MjCommand)
@takes(size=Size)
def resize(name: Annotated[str, typer.Argument()], *, size: Size) -> None:
    calls.append({"name": name, "size": size})


@pytest.fixture
def root() -> MjGroup:
    group: MjGroup = build_command(app)
    return group


def refused(root: MjGroup, *arguments: str) -> UsageError:
    """The error that the arguments cause."""
    with pytest.raises(UsageError) as caught:
        run(root, arguments, SimpleNamespace(flags=SimpleNamespace()))
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--count", "7"), '--count must be 1 to 4, not "7".'),
        (("--count", "x"), '--count must be a whole number (1 to 4), not "x".'),
        (("--retries", "-1"), '--retries must be at least 0, not "-1".'),
        (("--share", "2"), '--share must be at most 0.5, not "2".'),
        (("--share", "0.75"), '--share must be at most 0.5, not "0.75".'),
        (("-s", "soon"), '--seconds must be a number, not "soon".'),
        (("--number", "1.5"), '--number must be a whole number, not "1.5".'),
        (("--number", 'it\'s "1"'), '--number must be a whole number, not "it\'s "1"".'),
        (("--number", ""), '--number must be a whole number, not "".'),
        (("--mode", "slow"), '--mode must be fast, relax or turbo, not "slow".'),
        (("--mask", "no such\nfile"), 'File "no such\nfile" for --mask does not exist.'),
        (("--mask", "/"), 'File "/" for --mask is a directory.'),
        (("--directory", __file__), f'Directory "{__file__}" for --directory is a file.'),
    ],
)
def test_a_bad_value_names_the_option_and_what_it_accepts(
    root: MjGroup, arguments: tuple[str, ...], message: str
) -> None:
    error = refused(root, "draw", "a cat", *arguments)
    assert error.message == message
    assert error.hint == "mj draw --help"


def test_a_bad_argument_is_named_as_in_the_help(root: MjGroup) -> None:
    assert refused(root, "choose", "green").message == 'COLOUR must be red or blue, not "green".'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("draw",), "Missing argument PROMPT."),
        (("say",), "Missing argument WORDS."),
        (("choose",), "Missing argument COLOUR."),
        (("set",), "Missing option --key."),
        (("draw", "x", "--count"), "--count needs a value."),
        (("draw", "x", "-s"), "-s needs a value."),
        (("draw", "x", "--json=1"), "--json does not take a value."),
        (("draw", "x", "y"), 'Unexpected argument "y".'),
        (("draw", "x", "y", "a b", "z"), 'Unexpected arguments "y", "a b" and "z".'),
        (("draw", "x", "--cuont", "1"), 'Unknown option "--cuont". Did you mean --count?'),
        (("draw", "x", "--zzzzz"), 'Unknown option "--zzzzz".'),
        (("draw", "x", "-Z"), 'Unknown option "-Z".'),
        (("say", "a", "-ar", "1:1"), 'Prompt parameters take two hyphens: write --ar, not "-ar".'),
        (
            ("say", "a", "-v", "7"),
            'Prompt parameters take two hyphens: write --v, not "-v" (-v is --verbose).',
        ),
    ],
)
def test_missing_unknown_and_surplus_arguments_are_named(
    root: MjGroup, arguments: tuple[str, ...], message: str
) -> None:
    error = refused(root, *arguments)
    assert error.message == message


@pytest.mark.parametrize(
    "arguments", [("draw",), ("draw", "x", "--count"), ("draw", "x", "y"), ("draw", "-Z")]
)
def test_the_hint_leads_to_the_help_of_the_command(root: MjGroup, arguments: tuple[str, ...]) -> None:
    assert refused(root, *arguments).hint == "mj draw --help"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("drwa",), 'Unknown command "drwa". Did you mean draw?'),
        (("nothing like it",), 'Unknown command "nothing like it".'),
        (("--drwa",), 'Unknown option "--drwa".'),
        ((), "mj needs a command: draw, say, choose, set or resize."),
        (("--json",), "mj needs a command: draw, say, choose, set or resize."),
    ],
)
def test_an_unknown_or_missing_command_leads_to_the_help_of_the_group(
    root: MjGroup, arguments: tuple[str, ...], message: str
) -> None:
    error = refused(root, *arguments)
    assert error.message == message
    assert error.hint == ("mj draw" if arguments == ("drwa",) else "mj --help")


def test_shared_options_reach_the_function_as_one_object(root: MjGroup) -> None:
    calls.clear()
    output = SimpleNamespace(check_field=lambda _command: None)
    run(root, ["resize", "x", "--height", "3"], SimpleNamespace(flags=SimpleNamespace(), output=output))
    assert calls == [{"name": "x", "size": Size(width=1, height=3)}]
