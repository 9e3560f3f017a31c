"""Man pages in roff: mj(1), and a page for each command of `mj`, from the data of the commands and the manual."""

from __future__ import annotations

from mjcli.cli.help import GLOBAL_PANEL
from mjcli.cli.help.data import Command, Option, Tree, explained, find, panels, spelled, usage
from mjcli.cli.help.facts import RELEASE_DATE
from mjcli.cli.help.manual import COMMAND_SECTIONS, SECTIONS, Items, Section

# The maximum width of the pages' source.
_WIDTH = 76
_CODE = {
    "\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq",
}  # fmt: skip


def page_name(path: tuple[str, ...]) -> str:
    """The name of the page of `mj PATH`, without its section: `mj-imagine`."""
    return "-".join(("mj", *path))


def render_man(path: tuple[str, ...], tree: Tree, version: str) -> str:
    """The page of `mj` (path `()`) or of one of its commands. Raises `LookupError` for an unknown path."""
    command = find(path, tree)
    if command is None:
        raise LookupError(f"Unknown command: mj {' '.join(path)}")
    page = _Page()
    name = page_name(path)
    page.macro(f'.TH {code(name.upper())} 1 "{RELEASE_DATE}" "mj {version}" "mj manual"')
    page.section("NAME")
    page.lines += _filled(f"{code(name)} \\- {prose(command['summary'].rstrip('.'))}")
    page.section("SYNOPSIS")
    page.synopsis(command)
    page.section("DESCRIPTION")
    page.description(command)
    page.arguments(command, ".SH ARGUMENTS")
    if command["commands"]:
        page.section("COMMANDS")
        if path:
            for sub in command["commands"]:
                page.subcommand(sub)
        else:
            for sub in command["commands"]:
                page.item(f"\\fB{code(page_name(tuple(sub['path'])))}\\fR(1)", sub["summary"])
    for panel, options in panels(command):
        page.options(options, f'.SH "{prose(panel.upper())}"')
    for section in COMMAND_SECTIONS.get(path[0], ()) if path else SECTIONS:
        page.prose_section(section)
    if path:
        page.section("EXIT STATUS")
        page.paragraph("mj(1) describes the exit statuses, the environment and the config file.")
    page.examples(command["examples"], ".SH EXAMPLES")
    page.section("SEE ALSO")
    page.see_also(path, tree)
    return "\n".join(page.lines) + "\n"


def code(text: str) -> str:
    """Text that readers copy: every character is shown exactly."""
    return _ascii("".join(_CODE.get(char, char) for char in text))


def prose(text: str) -> str:
    """Running text; words that begin with a hyphen are shown exactly."""
    return " ".join(
        code(word) if word.lstrip("(\"'[").startswith("-") else _ascii(word.replace("\\", "\\(rs"))
        for word in text.split(" ")
    )


def marked(text: str) -> str:
    """Running text of the manual: what is in backquotes is shown exactly, and bold."""
    return "".join(
        _exact(piece) if number % 2 else prose(piece) for number, piece in enumerate(text.split("`"))
    )


def _exact(text: str) -> str:
    r"""Words to type; `\%` keeps groff from hyphenating them."""
    return "\\fB" + " ".join("\\%" + code(word) for word in text.split(" ")) + "\\fR"


def _ascii(text: str) -> str:
    return "".join(char if char < "\x7f" else f"\\[u{ord(char):04X}]" for char in text)


def _filled(text: str) -> list[str]:
    """Escaped text in short lines: each sentence begins a new line, and no line looks like a macro."""
    lines: list[str] = []
    fresh = True
    for word in text.split():
        if fresh or len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append(word)
        else:
            lines[-1] += " " + word
        fresh = word.removesuffix("\\fR")[-1:] in (".", "!", "?") and len(word) > 2
    return ["\\&" + line if line[0] in ".'" else line for line in lines]


class _Page:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def macro(self, line: str) -> None:
        self.lines.append(line)

    def section(self, title: str) -> None:
        self.macro(f'.SH "{title}"' if " " in title else f".SH {title}")

    def _at_start(self) -> bool:
        """Whether the last line is a heading, which starts a paragraph by itself."""
        return self.lines[-1].startswith((".SH", ".SS"))

    def paragraph(self, text: str) -> None:
        self._paragraph(prose(text))

    def _paragraph(self, escaped: str) -> None:
        if not self._at_start():
            self.macro(".PP")
        self.lines += _filled(escaped)

    def item(self, label: str, text: str) -> None:
        self.lines += [".TP", label, *_filled(prose(text))]

    def prose_section(self, section: Section) -> None:
        """A section of the manual."""
        self.section(section.title)
        for block in section.blocks:
            if isinstance(block, str):
                self._paragraph(marked(block))
            elif isinstance(block, Items):
                for label, text in block.rows:
                    self.lines += [".TP", f"\\fB{code(label)}\\fR", *_filled(marked(text))]
            else:
                self.literal(list(block.lines))

    def synopsis(self, command: Command) -> None:
        name, _, rest = usage(command).partition(" [")
        self.lines += _filled(f"\\fB{code(name)}\\fR [{code(rest)}")

    def description(self, command: Command) -> None:
        for paragraph in command["description"] or [command["summary"]]:
            if paragraph.startswith("  "):
                self.literal([line.strip() for line in paragraph.split("\n")])
                continue
            for line in paragraph.split("\n"):
                if line.startswith("- "):
                    self.macro(".IP \\(bu 2")
                    self.lines += _filled(prose(line[2:]))
                else:
                    self.paragraph(line)

    def literal(self, lines: list[str]) -> None:
        self.lines += [".RS 4", ".EX"] if self._at_start() else [".PP", ".RS 4", ".EX"]
        escaped = [code(line) for line in lines]
        self.lines += ["\\&" + line if line[:1] in (".", "") else line for line in escaped]
        self.lines += [".EE", ".RE"]

    def arguments(self, command: Command, heading: str) -> None:
        if command["arguments"]:
            self.macro(heading)
        for argument in command["arguments"]:
            self.item(f"\\fI{code(spelled(argument))}\\fR", explained(argument))

    def options(self, options: list[Option], heading: str) -> None:
        if options:
            self.macro(heading)
        for option in options:
            label = ", ".join(f"\\fB{code(flag)}\\fR" for flag in option["flags"] + option["off"])
            self.item(
                label + (f" \\fI{code(option['metavar'])}\\fR" if option["metavar"] else ""),
                explained(option),
            )

    def subcommand(self, command: Command) -> None:
        """A subcommand on the page of its group; the global options are on the page only once."""
        self.macro(f'.SS "{code(" ".join(["mj", *command["path"]]))}"')
        self.synopsis(command)
        self.paragraph(command["summary"])
        if command["description"]:
            self.description(command)
        self.arguments(command, ".PP\nArguments:")
        for panel, options in panels(command):
            if panel != GLOBAL_PANEL:
                self.options(options, f".PP\n{prose(panel)}:")
        self.examples(command["examples"], ".PP\nExamples:")
        for sub in command["commands"]:
            self.subcommand(sub)

    def examples(self, examples: list[str], heading: str) -> None:
        if examples:
            self.macro(heading)
            self.literal(examples)

    def see_also(self, path: tuple[str, ...], tree: Tree) -> None:
        names = ["mj"] if path else []
        names += [page_name(tuple(c["path"])) for c in tree["commands"] if c["path"] != list(path)]
        self.lines += _filled(", ".join(f"\\fB{code(name)}\\fR(1)" for name in names))
