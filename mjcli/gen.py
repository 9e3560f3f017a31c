"""Generates files from the command tree, or checks that they are current: `python -m mjcli.gen [--check]`.

They are the data of the commands in the package, the scripts in `completions/`, the pages in `man/`, and the
parts of README.md between `<!-- generated: NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mjcli import __version__
from mjcli.cli.help.compact import compact
from mjcli.cli.help.completion.scripts import FILE_NAMES, SHELLS, render_completion
from mjcli.cli.help.data import Tree, usage, walk
from mjcli.cli.help.facts import ENVIRONMENT, EXIT_STATUSES
from mjcli.cli.help.man import page_name, render_man
from mjcli.cli.help.manual import parameter_rows

_ROOT = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None, *, root: Path = _ROOT, tree: Tree | None = None) -> int:
    """Write the generated files below `root`, or list the stale ones with `--check`; returns the exit status.

    `tree` replaces the command tree of `mj`.
    """
    options = list(sys.argv[1:] if arguments is None else arguments)
    if options not in ([], ["--check"]):
        _report("Usage: python -m mjcli.gen [--check]")
        return 2
    if not (root / "pyproject.toml").is_file():
        _report(f'"{root}" is not a checkout of the repository: it has no pyproject.toml.')
        return 2
    check = bool(options)
    files = generated(_live_tree() if tree is None else tree, root)
    stale = [path for path, text in files.items() if _content(path) != text]
    surplus = [path for path in sorted((root / "man").glob("*.1")) if path not in files]
    for path in stale + surplus:
        status = "stale" if check else "removed" if path in surplus else "written"
        if status == "written":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path].encode())
        elif status == "removed":
            path.unlink()
        _report(f"{status}: {path.relative_to(root).as_posix()}")
    if check and stale + surplus:
        _report("Run python -m mjcli.gen to update them.")
        return 1
    return 0


def generated(tree: Tree, root: Path) -> dict[Path, str]:
    """The expected content of every generated file."""
    files = {root / "mjcli" / "cli" / "help" / "commands.json": compact(tree)}
    for shell in SHELLS:
        files[root / "completions" / FILE_NAMES[shell]] = render_completion(shell, tree)
    for path in [(), *(tuple(command["path"]) for command in tree["commands"])]:
        files[root / "man" / f"{page_name(path)}.1"] = render_man(path, tree, __version__)
    readme = _content(root / "README.md")
    if readme is not None:
        files[root / "README.md"] = _with_tables(readme, tree)
    return files


def _live_tree() -> Tree:
    from mjcli.cli.app import root
    from mjcli.cli.from_typer import describe

    return describe(root())


def _with_tables(readme: str, tree: Tree) -> str:
    """The README with its generated parts updated; parts with an unknown name are unchanged."""
    tables: dict[str, Callable[[], str]] = {
        "exit-status": lambda: _table(("status", "meaning"), EXIT_STATUSES, code_first=False),
        "environment": lambda: _table(("variable", "meaning"), ENVIRONMENT, code_first=True),
        "parameters": lambda: _table(("parameter", "meaning"), parameter_rows(), code_first=True),
        "commands": lambda: _table(("command", "description"), _command_rows(tree), code_first=True),
    }

    def replace(part: re.Match[str]) -> str:
        table = tables.get(part[2])
        return part[0] if table is None else part[1] + table() + part[3]

    return _PART.sub(replace, readme)


def _command_rows(tree: Tree) -> list[tuple[str, str]]:
    """Each command that runs by itself, with its arguments and summary."""
    commands = [command for command in walk(tree) if not command["needs_command"]]
    return [(usage(command).replace(" [OPTIONS]", ""), command["summary"]) for command in commands]


def _table(heads: tuple[str, str], rows: Sequence[tuple[str, str]], *, code_first: bool) -> str:
    lines = [f"| {heads[0]} | {heads[1]} |", "|---|---|"]
    for first, second in rows:
        parts = first.split(", ") if code_first else [first]
        shown = ", ".join(f"`{part}`" for part in parts) if code_first else first
        lines.append("| " + shown.replace("|", "\\|") + " | " + second.replace("|", "\\|") + " |")
    return "\n".join(lines) + "\n"


def _content(path: Path) -> str | None:
    """The text of a file, without newline conversion; None if it does not exist."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
