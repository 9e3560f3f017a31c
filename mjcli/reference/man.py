"""Manual pages in roff, rendered from the reference data: `mj.1`, and one page for each command of `mj`."""

from __future__ import annotations

from mjcli.reference import GLOBAL_PANEL, Command, Option, Tree, explained, find, panels, spelled, usage
from mjcli.reference.facts import ENVIRONMENT, EXIT_STATUSES, FILES, RELEASE_DATE

# Lines of a page's source are kept shorter than this.
_WIDTH = 76
_CODE = {
    "\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq",
}  # fmt: skip


def page_name(path: tuple[str, ...]) -> str:
    """The name of the page about `mj PATH`, without its section: `mj-imagine`."""
    return "-".join(("mj", *path))


def render_man(path: tuple[str, ...], tree: Tree, version: str) -> str:
    """The page about `mj` (path `()`) or one of its commands. Raises `LookupError` for an unknown path."""
    command = find(path, tree)
    if command is None:
        raise LookupError(f"There is no command mj {' '.join(path)}.")
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
    if path:
        page.section("EXIT STATUS")
        page.paragraph("The exit statuses and the environment are described in mj(1).")
    else:
        page.table("EXIT STATUS", EXIT_STATUSES)
        page.table("ENVIRONMENT", ENVIRONMENT)
        page.table("FILES", FILES)
    page.examples(command["examples"], ".SH EXAMPLES")
    page.section("SEE ALSO")
    page.see_also(path, tree)
    return "\n".join(page.lines) + "\n"


def code(text: str) -> str:
    """Text to be shown exactly, and to be copied: no sign is made prettier."""
    return _ascii("".join(_CODE.get(char, char) for char in text))


def prose(text: str) -> str:
    """Running text; words that are options keep their hyphens."""
    return " ".join(
        code(word) if word.lstrip("(\"'[").startswith("-") else _ascii(word.replace("\\", "\\(rs"))
        for word in text.split(" ")
    )


def _ascii(text: str) -> str:
    return "".join(char if char < "\x7f" else f"\\[u{ord(char):04X}]" for char in text)


def _filled(text: str) -> list[str]:
    """Escaped text in short lines, each sentence on a line of its own, none taken for a macro."""
    lines: list[str] = []
    fresh = True
    for word in text.split():
        if fresh or len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append(word)
        else:
            lines[-1] += " " + word
        fresh = word[-1] in ".!?" and len(word) > 2
    return ["\\&" + line if line[0] in ".'" else line for line in lines]


class _Page:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def macro(self, line: str) -> None:
        self.lines.append(line)

    def section(self, title: str) -> None:
        self.macro(f'.SH "{title}"' if " " in title else f".SH {title}")

    def _at_start(self) -> bool:
        """Whether a heading has just been set, after which no paragraph needs to be opened."""
        return self.lines[-1].startswith((".SH", ".SS"))

    def paragraph(self, text: str) -> None:
        if not self._at_start():
            self.macro(".PP")
        self.lines += _filled(prose(text))

    def item(self, label: str, text: str) -> None:
        self.lines += [".TP", label, *_filled(prose(text))]

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
        """A command of a group, on the group's page, which tells the options of every command once."""
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

    def table(self, title: str, rows: tuple[tuple[str, str], ...]) -> None:
        self.section(title)
        for name, meaning in rows:
            self.item(f"\\fB{code(name)}\\fR", meaning)

    def see_also(self, path: tuple[str, ...], tree: Tree) -> None:
        names = ["mj"] if path else []
        names += [page_name(tuple(c["path"])) for c in tree["commands"] if c["path"] != list(path)]
        self.lines += _filled(", ".join(f"\\fB{code(name)}\\fR(1)" for name in names))
