"""Who may know whom: the import statements themselves are read, those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

import mjcli

ROOT = Path(mjcli.__file__).parent


class Import(NamedTuple):
    """One imported module, its name in full; `late` inside a function, `typing_only` never at run time."""

    name: str
    late: bool
    typing_only: bool
    line: int


def module_name(path: Path) -> str:
    parts = ["mjcli", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PATHS.items()}


def _is_typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(module: str) -> list[Import]:
    """Every import of a module; `from mjcli import x` is one of `mjcli.x` where that is a module."""
    found: list[Import] = []
    package = module.split(".") if PATHS[module].name == "__init__.py" else module.split(".")[:-1]

    def visit(node: ast.AST, late: bool, typing_only: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(each.name, late, typing_only, node.lineno) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for each in node.names:
                full = f"{origin}.{each.name}"
                name = full if full in PATHS else origin
                found.append(Import(name, late, typing_only, node.lineno))
        else:
            inside = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            for field, value in ast.iter_fields(node):
                only = typing_only or (
                    isinstance(node, ast.stmt) and _is_typing_only(node) and field == "body"
                )
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        visit(child, inside, only)

    visit(TREES[module], False, False)
    return found


def within(name: str, rooms: Iterable[str]) -> bool:
    """Whether a module is one of these, or below one of them."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def modules(*rooms: str) -> list[str]:
    found = [name for name in PATHS if within(name, rooms)]
    assert found, f"there is no {rooms}: the rule holds nothing"
    return found


def faults(names: Iterable[str], wrong: object) -> list[str]:
    assert callable(wrong)
    return [
        f"{name}:{each.line} imports {each.name}" for name in names for each in imports(name) if wrong(each)
    ]


def ours(each: Import) -> bool:
    return within(each.name, ["mjcli"])


#: Room -> the modules of ours that it may know at run time, beside itself and the version.
MAY_KNOW = {
    "mjcli.errors": [],
    "mjcli.paths": ["mjcli.errors"],
    "mjcli.filetypes": [],
    "mjcli.addresses": [],
    "mjcli.anonymous": ["mjcli.addresses"],
    "mjcli.actions": [],
    "mjcli.api": ["mjcli.errors"],
    "mjcli.config": ["mjcli.errors", "mjcli.paths", "mjcli.api"],
    "mjcli.claims": [],
    "mjcli.ledger": ["mjcli.errors", "mjcli.secret", "mjcli.paths", "mjcli.api", "mjcli.claims"],
    "mjcli.recovery": ["mjcli.api", "mjcli.ledger", "mjcli.errors"],
    "mjcli.filenames": ["mjcli.errors", "mjcli.filetypes"],
    "mjcli.downloads": [
        "mjcli.errors",
        "mjcli.paths",
        "mjcli.api",
        "mjcli.filenames",
        "mjcli.filetypes",
        "mjcli.addresses",
        "mjcli.anonymous",
    ],
    "mjcli.links": ["mjcli.addresses", "mjcli.anonymous", "mjcli.filetypes"],
    "mjcli.masks": ["mjcli.errors", "mjcli.filetypes"],
    "mjcli.grids": ["mjcli.errors", "mjcli.downloads", "mjcli.filenames", "mjcli.filetypes"],
    "mjcli.receiver": [],
    "mjcli.callbacks": [
        "mjcli.api",
        "mjcli.errors",
        "mjcli.jobs",
        "mjcli.ledger",
        "mjcli.receiver",
        "mjcli.recovery",
    ],
    "mjcli.uploads": ["mjcli.errors", "mjcli.filetypes", "mjcli.links", "mjcli.downloads"],
    "mjcli.jobs": ["mjcli.api", "mjcli.ledger", "mjcli.recovery", "mjcli.errors"],
    "mjcli.render": ["mjcli.api.models", "mjcli.errors", "mjcli.secret", "mjcli.signals"],
    "mjcli.signals": [],
    "mjcli.secret": [],
    "mjcli.sandbox": [],
}


@pytest.mark.parametrize("room", MAY_KNOW)
def test_a_room_knows_those_below_it_alone(room: str) -> None:
    allowed = [room, *MAY_KNOW[room]]
    wrong = faults(
        modules(room),
        lambda each: (
            ours(each) and each.name != "mjcli" and not each.typing_only and not within(each.name, allowed)
        ),
    )
    assert not wrong


@pytest.mark.parametrize("room", ["mjcli.errors", "mjcli.api", "mjcli.jobs", "mjcli.sandbox", "mjcli.ledger"])
def test_what_is_below_does_not_name_what_is_above_in_its_types_either(room: str) -> None:
    allowed = [room, *MAY_KNOW[room]]
    assert not faults(
        modules(room), lambda each: ours(each) and each.name != "mjcli" and not within(each.name, allowed)
    )


def test_the_package_itself_holds_the_version_and_nothing_else() -> None:
    tree = TREES["mjcli"]
    assert not imports("mjcli")
    names = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]  # type: ignore[attr-defined]
    assert names == ["__version__"]


def test_errors_import_nothing_of_ours() -> None:
    assert not faults(["mjcli.errors"], ours)


def test_paths_import_nothing_of_ours_but_the_errors() -> None:
    assert not faults(["mjcli.paths"], lambda each: ours(each) and each.name != "mjcli.errors")


def test_render_knows_no_network_no_database_and_no_parser() -> None:
    assert not faults(modules("mjcli.render"), lambda each: within(each.name, ["httpx", "sqlite3", "typer"]))


def test_the_progress_of_a_job_leaves_it_through_a_callback() -> None:
    assert not faults(
        modules("mjcli.jobs", "mjcli.downloads", "mjcli.ledger", "mjcli.links", "mjcli.callbacks"),
        lambda each: within(each.name, ["mjcli.render"]),
    )


def test_commands_know_neither_one_another_nor_what_lies_below_the_jobs() -> None:
    for name in modules("mjcli.commands"):
        wrong = faults(
            [name],
            lambda each, name=name: (
                within(each.name, ["httpx", "sqlite3", "rich"])
                or (within(each.name, ["mjcli.commands"]) and each.name not in (name, "mjcli.commands"))
            ),
        )
        assert not wrong


def test_the_context_alone_builds_the_client_and_the_ledger_and_inside_its_properties() -> None:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in ("Client", "FileStore", "Ledger.open", "api.Client", "api.FileStore"):
                assert name == "mjcli.context", f"{name}:{node.lineno} calls {called}"
    assert not faults(
        ["mjcli.context"],
        lambda each: (
            within(each.name, ["mjcli.api", "mjcli.ledger", "httpx"]) and not (each.late or each.typing_only)
        ),
    )


def test_the_sandbox_reads_the_api_by_itself() -> None:
    assert not faults(
        modules("mjcli.sandbox"),
        lambda each: ours(each) and each.name != "mjcli" and not within(each.name, ["mjcli.sandbox"]),
    )
    assert not faults(modules("mjcli.sandbox"), lambda each: within(each.name, ["httpx", "typer", "rich"]))


def test_the_network_is_known_to_the_api_the_downloads_and_the_links_alone() -> None:
    network = ["mjcli.api", "mjcli.anonymous", "mjcli.downloads", "mjcli.links"]
    others = [name for name in PATHS if not within(name, network)]
    assert not faults(
        others, lambda each: within(each.name, ["httpx", "httpcore", "requests", "urllib.request"])
    )


def test_the_database_is_known_to_the_ledger_and_the_sandbox_alone() -> None:
    others = [name for name in PATHS if not within(name, ["mjcli.ledger", "mjcli.sandbox"])]
    assert not faults(others, lambda each: within(each.name, ["sqlite3"]))


def test_rich_is_known_to_render_alone() -> None:
    others = [name for name in PATHS if not within(name, ["mjcli.render"])]
    assert not faults(others, lambda each: within(each.name, ["rich"]))


def test_the_parser_stays_at_the_door() -> None:
    door = ["mjcli.app", "mjcli.options", "mjcli.commands", "mjcli.gen", "mjcli.reference.tree"]
    others = [name for name in PATHS if not within(name, door)]
    wrong = faults(others, lambda each: not each.typing_only and within(each.name, ["typer", "click"]))
    late = [
        f"mjcli.__main__:{each.line} imports typer._click.exceptions"
        for each in imports("mjcli.__main__")
        if each.late
    ]
    assert not set(wrong) - set(late)
    assert not faults(PATHS, lambda each: within(each.name, ["click"]))


def test_only_the_main_module_and_the_generator_exit() -> None:
    wrong = []
    for name, tree in TREES.items():
        if name in ("mjcli.__main__", "mjcli.gen"):
            continue
        for node in ast.walk(tree):
            words = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
            if words in (
                "sys.exit",
                "os._exit",
                "SystemExit",
                "exit",
                "quit",
                "typer.Exit",
                "typer.Abort",
                "Exit",
            ):
                wrong.append(f"{name}:{node.lineno} {words}")
    assert not wrong


def test_nothing_prints() -> None:
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "typer.echo", "echo", "pprint")
    ]
    assert not wrong


def test_the_streams_of_the_process_are_known_at_the_door_alone() -> None:
    """Everything else is given its streams."""
    allowed = ("mjcli.__main__", "mjcli.context", "mjcli.gen")
    wrong = [
        f"{name}:{node.lineno} {ast.unparse(node)}"
        for name, tree in TREES.items()
        if name not in allowed
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("sys.stdout", "sys.stderr", "sys.stdin", "os.environ")
    ]
    assert not wrong


def test_no_module_is_longer_than_a_thousand_lines() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in PATHS.items()}
    assert not {name: length for name, length in lengths.items() if length > 1000}


def test_no_module_is_named_after_nothing() -> None:
    assert not [
        name for name in PATHS if name.rpartition(".")[2] in ("utils", "util", "helpers", "misc", "common")
    ]


def test_no_module_imports_in_a_circle() -> None:
    """At run time and outside functions."""
    edges = {
        name: {each.name for each in imports(name) if ours(each) and not each.late and not each.typing_only}
        for name in PATHS
    }
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name in done:
            return
        for other in edges.get(name, ()):
            if other != name:
                follow(other, (*way, name))
        done.add(name)

    for name in PATHS:
        follow(name, ())
