"""Writes what is made from the command tree, or checks that it is current: `python -m mjcli.gen [--check]`.

These are the reference data in the package, the scripts in `completions/`, the pages in `man/`, and the
parts of README.md that stand between `<!-- generated: NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mjcli import __version__
from mjcli.prompt.parameters import PARAMETERS, Parameter
from mjcli.reference import Tree, usage, walk
from mjcli.reference.completion import FILE_NAMES, SHELLS, render_completion
from mjcli.reference.facts import ENVIRONMENT, EXIT_STATUSES
from mjcli.reference.man import page_name, render_man

_ROOT = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None, *, root: Path = _ROOT, tree: Tree | None = None) -> int:
    """Write the generated files under `root`, or with `--check` only name the stale ones; the exit status.

    `tree` stands in for the command tree of `mj`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given not in ([], ["--check"]):
        _say("Usage: python -m mjcli.gen [--check]")
        return 2
    if not (root / "pyproject.toml").is_file():
        _say(f"{root} is no checkout of the repository, so there is nowhere to write completions/ and man/.")
        return 2
    check = bool(given)
    files = generated(_live_tree() if tree is None else tree, root)
    stale = [path for path, text in files.items() if _content(path) != text]
    surplus = [path for path in sorted((root / "man").glob("*.1")) if path not in files]
    for path in stale + surplus:
        deed = "stale" if check else "removed" if path in surplus else "written"
        if deed == "written":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path].encode())
        elif deed == "removed":
            path.unlink()
        _say(f"{deed}: {path.relative_to(root).as_posix()}")
    if check and stale + surplus:
        _say("Run python -m mjcli.gen to bring them up to date.")
        return 1
    return 0


def generated(tree: Tree, root: Path) -> dict[Path, str]:
    """Every generated file with the text that it should hold."""
    data = json.dumps(tree, ensure_ascii=False, indent=1) + "\n"
    files = {root / "mjcli" / "reference" / "commands.json": data}
    for shell in SHELLS:
        files[root / "completions" / FILE_NAMES[shell]] = render_completion(shell, tree)
    for path in [(), *(tuple(command["path"]) for command in tree["commands"])]:
        files[root / "man" / f"{page_name(path)}.1"] = render_man(path, tree, __version__)
    readme = _content(root / "README.md")
    if readme is not None:
        files[root / "README.md"] = _with_tables(readme, tree)
    return files


def _live_tree() -> Tree:
    from mjcli.app import root
    from mjcli.reference.tree import describe

    return describe(root())


def _with_tables(readme: str, tree: Tree) -> str:
    """The README with its generated parts made anew; parts of an unknown name stay."""
    tables: dict[str, Callable[[], str]] = {
        "exit-status": lambda: _table(("status", "meaning"), EXIT_STATUSES, code_first=False),
        "environment": lambda: _table(("variable", "meaning"), ENVIRONMENT, code_first=True),
        "parameters": lambda: _table(("parameter", "meaning"), _parameter_rows(), code_first=True),
        "commands": lambda: _table(("command", "what it does"), _command_rows(tree), code_first=True),
    }

    def replaced(part: re.Match[str]) -> str:
        make = tables.get(part[2])
        return part[0] if make is None else part[1] + make() + part[3]

    return _PART.sub(replaced, readme)


def _command_rows(tree: Tree) -> list[tuple[str, str]]:
    """Each command that does something by itself, without the word for its options."""
    commands = [command for command in walk(tree) if not command["needs_command"]]
    return [(usage(command).replace(" [OPTIONS]", ""), command["summary"]) for command in commands]


def _parameter_rows() -> list[tuple[str, str]]:
    """Each prompt parameter as it is written, and what is known of it."""
    return [
        (
            ", ".join(f"--{each}" for each in parameter.spellings)
            + ("" if parameter.flag else f" {parameter.metavar}"),
            " ".join([parameter.help, *_known_to(parameter)]),
        )
        for parameter in PARAMETERS
    ]


def _known_to(parameter: Parameter) -> list[str]:
    """Which versions know a parameter, where not all do."""
    known = []
    if parameter.since is not None and parameter.since not in ("5", "5.1"):  # older than any that is offered
        known.append(f"From version {parameter.since} on.")
    if parameter.only:
        known.append(f"Versions {' and '.join(parameter.only)} only.")
    if parameter.never:
        known.append(f"Not version {' and '.join(parameter.never)}.")
    return known


def _table(heads: tuple[str, str], rows: Sequence[tuple[str, str]], *, code_first: bool) -> str:
    lines = [f"| {heads[0]} | {heads[1]} |", "|---|---|"]
    for first, second in rows:
        parts = first.split(", ") if code_first else [first]
        shown = ", ".join(f"`{part}`" for part in parts) if code_first else first
        lines.append("| " + shown.replace("|", "\\|") + " | " + second.replace("|", "\\|") + " |")
    return "\n".join(lines) + "\n"


def _content(path: Path) -> str | None:
    """The file's text, its line ends as they are; None when there is no such file."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
