"""The output of `--help`, rendered from the data of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output

_NARROWEST, _WIDEST = 40, 100
_ONE_COLUMN_BELOW = 60
_WIDEST_LABEL = 30


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


def print_help(path: tuple[str, ...], output: Output) -> None:
    """Print the help of `mj PATH`, laid out for the terminal."""
    stdout = output.stdout
    output.text(render_help(path, HelpLayout(output.width(stdout), output.colours(stdout))))


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
        for paragraph in command["description"]:
            self.lines += ["", *self._paragraph(paragraph)]
        self._section(
            "Commands", [_Row([(c["path"][-1], "flag")], c["summary"]) for c in command["commands"]]
        )
        self._section("Arguments", [_argument_row(argument) for argument in command["arguments"]])
        for panel, options in panels(command):
            padded = any(not option["flags"][0].startswith("--") for option in options)
            self._section(
                panel, [_Row(option_label(option, padded=padded), explained(option)) for option in options]
            )
        self._examples()
        self._more()
        return "\n".join(self.lines) + "\n"

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


def _argument_row(argument: Argument) -> _Row:
    return _Row([(spelled(argument), "flag")], explained(argument))
