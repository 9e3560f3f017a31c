"""The output of `--help`, rendered from the data of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mjcli.cli.help import GLOBAL_PANEL, PARAMETERS_PANEL
from mjcli.cli.help.data import (
    Argument,
    Command,
    Option,
    Tree,
    explained,
    find,
    load,
    panels,
    spelled,
    usage,
)
from mjcli.cli.help.facts import (
    COMMON_OPTIONS,
    CONSOLE_URL,
    PARAMETER_WORDS,
    START_COMMANDS,
    START_LOGIN,
    START_SANDBOX,
)

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output

_NARROWEST, _WIDEST = 40, 100
_ONE_COLUMN_BELOW = 60
_WIDEST_LABEL = 30
_MANY_OPTIONS = 15  # of which the common ones are shown first


class HelpLayout(NamedTuple):
    """The layout of the help: terminal width in columns, and whether headings and flags are coloured."""

    width: int
    colour: bool


class _Row(NamedTuple):
    """An entry of a section: a label, as pieces of text and style, and its explanation."""

    label: list[tuple[str, str]]
    text: str


def render_help(path: tuple[str, ...], layout: HelpLayout, tree: Tree | None = None) -> str:
    """The help of `mj PATH`, with a newline at the end. Raises `LookupError` for an unknown path."""
    command = find(path, load() if tree is None else tree)
    if command is None:
        raise LookupError(f"Unknown command: mj {' '.join(path)}")
    return _Page(command, layout).render()


def render_start(layout: HelpLayout) -> str:
    """What `mj` alone prints: how to begin, in at most 20 lines."""
    return _Page(load(), layout).render_start()


def print_help(path: tuple[str, ...], output: Output, *, start: bool = False) -> None:
    """Print the help of `mj PATH`, or how to begin, laid out for the terminal."""
    stdout = output.stdout
    layout = HelpLayout(output.width(stdout), output.colours(stdout))
    output.text(render_start(layout) if start else render_help(path, layout))


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns; longer words are split."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
            continue
        while len(word) > width:
            lines.append(word[:width])
            word = word[width:]
        lines.append(word)
    return [line for line in lines if line]


def wrap_command(text: str, width: int) -> list[str]:
    """A shell command in lines of at most `width` columns, continued with backslashes."""
    if len(text) <= width:
        return [text]
    words = [""]
    quote = ""
    for char in text:
        if char == " " and not quote:
            words.append("")
            continue
        if char in "\"'" and quote in ("", char):
            quote = "" if quote else char
        words[-1] += char
    for number in range(len(words) - 2, 0, -1):
        # An option stays with its value.
        if words[number].startswith("--") and not words[number + 1].startswith("-"):
            words[number : number + 2] = [" ".join(words[number : number + 2])]
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) + 2 <= width:
            lines[-1] += " " + word
        else:
            lines.append("  " + word)
    cut = [f"{line} \\" for line in lines[:-1]] + lines[-1:]
    return [piece for line in cut for piece in _pieces(line, width)]


def _pieces(line: str, width: int) -> list[str]:
    """A line that is still too long, wrapped at its spaces."""
    return [line] if len(line) <= width else ["  " + piece for piece in wrap(line, width - 2)]


def option_label(option: Option, *, padded: bool = False) -> list[tuple[str, str]]:
    """The spellings of an option as pieces of text and style; `padded` aligns long ones below short ones."""
    flags = option["flags"]
    pieces = [("    ", "")] if padded and flags[0].startswith("--") else []
    for number, flag in enumerate(flags):
        pieces += [(", ", "")] if number else []
        pieces.append((flag, "flag"))
    for flag in option["off"]:
        pieces += [("/", ""), (flag, "flag")]
    if option["metavar"]:
        pieces.append((" " + option["metavar"], ""))
    return pieces


class _Page:
    def __init__(self, command: Command, layout: HelpLayout) -> None:
        self.command = command
        self.width = max(_NARROWEST, min(layout.width, _WIDEST))
        self.colour = layout.colour
        self.lines: list[str] = []

    def render(self) -> str:
        command = self.command
        self.lines += wrap(command["summary"], self.width)
        self._usage()
        if command["path"]:
            self._examples()
        for paragraph in command["description"]:
            self.lines += ["", *self._paragraph(paragraph)]
        self._section(
            "Commands", [_Row([(c["path"][-1], "flag")], c["summary"]) for c in command["commands"]]
        )
        self._section("Arguments", [_argument_row(argument) for argument in command["arguments"]])
        for panel, options in _common_first(panels(command)):
            if panel == PARAMETERS_PANEL:
                self._parameters(panel, options)
                continue
            padded = any(not option["flags"][0].startswith("--") for option in options)
            self._section(
                panel, [_Row(option_label(option, padded=padded), explained(option)) for option in options]
            )
        if not command["path"]:
            self._examples()
        self._more()
        return "\n".join(self.lines) + "\n"

    def render_start(self) -> str:
        self.lines += wrap(self.command["summary"], self.width)
        self._steps("Try it without an account, for free:", START_SANDBOX)
        self._steps(f"Log in with a token from {CONSOLE_URL}:", START_LOGIN)
        self.lines += ["", self._styled("Then:", "heading")]
        column = max(len(line) for line, _ in START_COMMANDS) + 4
        fits = column + max(len(text) for _, text in START_COMMANDS) <= self.width
        for line, text in START_COMMANDS:
            after = " " * (column - 2 - len(line)) + text if fits else ""
            self.lines.append("  " + self._styled(line, "flag") + after)
        self.lines += ["", *wrap("Help: mj COMMAND --help, mj --help (all commands), man mj", self.width)]
        return "\n".join(self.lines) + "\n"

    def _steps(self, heading: str, line: str) -> None:
        self.lines += ["", *(self._styled(part, "heading") for part in wrap(heading, self.width))]
        self.lines += ["  " + self._styled(part, "flag") for part in wrap_command(line, self.width - 2)]

    def _parameters(self, heading: str, options: list[Option]) -> None:
        """A table of the prompt parameters in as many columns as fit, to be read down each column."""
        cells = [_parameter_cell(option) for option in options]
        label = max(len(label) for label, _ in cells) + 2
        cell = label + max(len(text) for _, text in cells)
        if 2 + cell > self.width:  # too narrow for the meanings beside the names
            self._section(heading, [_Row([(label, "flag")], text) for label, text in cells])
            return
        columns = max(self.width // (cell + 2), 1)
        rows = -(-len(cells) // columns)
        self.lines += ["", self._styled(heading + ":", "heading")]
        for row in range(rows):
            line = " "
            width = 1
            for column, (name, text) in enumerate(cells[row::rows]):
                start = 2 + column * (cell + 2)
                line += " " * (start - width) + self._styled(name, "flag") + " " * (label - len(name)) + text
                width = start + label + len(text)
            self.lines.append(line)
        self.lines += ["", *wrap("Their values and versions: man mj", self.width)]

    def _styled(self, text: str, style: str) -> str:
        if not self.colour or not style:
            return text
        return f"\x1b[{'1' if style == 'heading' else '36'}m{text}\x1b[0m"

    def _usage(self) -> None:
        head = "Usage: "
        first, *rest = wrap(usage(self.command), self.width - len(head))
        self.lines += ["", self._styled("Usage:", "heading") + " " + first]
        self.lines += [" " * len(head) + line for line in rest]

    def _paragraph(self, paragraph: str) -> list[str]:
        cut: list[str] = []
        for line in paragraph.split("\n"):
            if paragraph.startswith("  "):
                deep = len(line) - len(line.lstrip())
                cut += [" " * deep + piece for piece in wrap_command(line.strip(), self.width - deep)]
            elif line.startswith("- "):
                first, *rest = wrap(line[2:], self.width - 2)
                cut += ["- " + first, *("  " + piece for piece in rest)]
            else:
                cut += wrap(line, self.width)
        return cut

    def _section(self, heading: str, rows: list[_Row]) -> None:
        if not rows:
            return
        self.lines += ["", self._styled(heading + ":", "heading")]
        if self.width < _ONE_COLUMN_BELOW:
            for row in rows:
                label = [(row.label[0][0].lstrip(), row.label[0][1]), *row.label[1:]]
                self.lines += self._label(label)
                self.lines += ["      " + line for line in wrap(row.text, self.width - 6)]
            return
        widths = [sum(len(text) for text, _ in row.label) for row in rows]
        column = 2 + max((width for width in widths if width <= _WIDEST_LABEL), default=_WIDEST_LABEL) + 2
        for row, width in zip(rows, widths, strict=True):
            text = wrap(row.text, self.width - column)
            shown = self._label(row.label)
            if width <= column - 4 and text:
                shown = [shown[0] + " " * (column - 2 - width) + text.pop(0)]
            self.lines += shown
            self.lines += [" " * column + line for line in text]

    def _label(self, pieces: list[tuple[str, str]]) -> list[str]:
        """A label, indented by two columns; a label wider than the page continues on the next line."""
        lines, used = ["  "], 2
        for text, style in pieces:
            while used + len(text) > self.width:
                room = 0 if used > 2 and len(text) + 6 <= self.width else self.width - used
                if room:
                    lines[-1] += self._styled(text[:room], style)
                text = text[room:]
                lines.append("      ")
                used = 6
            lines[-1] += self._styled(text, style)
            used += len(text)
        return [line.rstrip() for line in lines]

    def _examples(self) -> None:
        if not self.command["examples"]:
            return
        self.lines += ["", self._styled("Examples:", "heading")]
        for line in self.command["examples"]:
            comment = line.startswith("# ")
            cut = ["# " + part for part in wrap(line[2:], self.width - 4)] if comment else None
            self.lines += ["  " + part if part else "" for part in cut or wrap_command(line, self.width - 2)]

    def _more(self) -> None:
        if not self.command["commands"]:
            return
        name = " ".join(["mj", *self.command["path"]])
        manual = "-".join(["mj", *self.command["path"]])
        self.lines += ["", *wrap(f"Read more: {name} COMMAND --help, man {manual}", self.width)]


def _common_first(sections: list[tuple[str, list[Option]]]) -> list[tuple[str, list[Option]]]:
    """The sections of the options, with those that most people use in front if there are many."""
    own = [option for panel, options in sections for option in options if panel != GLOBAL_PANEL]
    if len(own) < _MANY_OPTIONS:
        return sections
    common = [option for flag in COMMON_OPTIONS for option in own if flag in option["flags"]]
    others = [
        ("Other options" if panel == "Options" else panel, [each for each in options if each not in common])
        for panel, options in sections
    ]
    # The parameters are in the middle: they are used more often than the rest.
    others.sort(key=lambda section: section[0] != PARAMETERS_PANEL)
    return [("Common options", common), *((panel, options) for panel, options in others if options)]


def _parameter_cell(option: Option) -> tuple[str, str]:
    """The spellings of a parameter with its value, and its meaning in a few words."""
    value, text = PARAMETER_WORDS.get(option["flags"][0], ("", option["help"]))
    value = value or option["metavar"]
    flags = option["flags"]
    names = ", ".join(flags) if len(flags[0]) > 3 else flags[0]  # a short name needs no longer one beside it
    return names + (f" {value}" if value else ""), text


def _argument_row(argument: Argument) -> _Row:
    return _Row([(spelled(argument), "flag")], explained(argument))
