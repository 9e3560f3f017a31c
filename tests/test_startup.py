"""Modules that commands must not import, since imports dominate the start-up time. Times are measured in benchmarks."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Received, Reply, Service

# Runs `main` in a fresh interpreter and prints the imported modules on the last line of standard error.
PROBE = """
import sys
sys.modules["click"] = None  # httpx imports it where a development tool has installed it
before = set(sys.modules)
from mjcli.__main__ import main
watched, contexts = {watched!r}, []
if watched:
    import ssl
    contexts.append(0)
    def counted(function):
        def call(*arguments, **more):
            contexts[0] += 1
            return function(*arguments, **more)
        return call
    for name in ("load_verify_locations", "load_default_certs"):
        setattr(ssl.SSLContext, name, counted(getattr(ssl.SSLContext, name)))
status = main({arguments!r})
loaded = sorted(set(sys.modules) - before)
import json
sys.stderr.write("\\n" + json.dumps([status, loaded, contexts]) + "\\n")
"""


class Loaded:
    """The exit status, imported modules and output of a run."""

    def __init__(self, status: int, modules: list[str], contexts: list[int], out: str) -> None:
        self.status, self.modules, self.contexts, self.out = status, modules, contexts, out

    def of(self, *packages: str) -> list[str]:
        """Which of these packages were imported."""
        return [package for package in packages if package in self.modules]


def run(
    home: Path, *arguments: str, watched: bool = False, flags: tuple[str, ...] = (), **env: str
) -> Loaded:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MJ_CONFIG": str(home / "config.toml"),
        "MJ_DATA_DIR": str(home / "data"),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        **env,
    }
    done = subprocess.run(
        [sys.executable, *flags, "-c", PROBE.format(arguments=list(arguments), watched=watched)],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    status, modules, contexts = json.loads(done.stderr.splitlines()[-1])
    return Loaded(status, modules, contexts, done.stdout)


def test_the_version_needs_the_package_and_its_main_module_alone(tmp_path: Path) -> None:
    loaded = run(tmp_path, "--version")
    assert loaded.status == 0
    assert loaded.out.startswith("mj ")
    assert set(loaded.modules) <= {"__future__", "mjcli", "mjcli.__main__"}


@pytest.mark.parametrize("path", [(), ("imagine",), ("config",), ("config", "set"), ("describe-task",)])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_needs_no_parser_and_no_network(tmp_path: Path, path: tuple[str, ...], flag: str) -> None:
    loaded = run(tmp_path, *path, flag)
    assert loaded.status == 0
    assert loaded.out
    assert not loaded.of(
        "typer", "click", "rich", "httpx", "sqlite3", "inspect", "dataclasses", "asyncio", "tomllib", "tomlkit",
        "platformdirs", "importlib.metadata", "threading", "socket", "ssl", "mjcli.cli.app", "mjcli.cli.options",
    )  # fmt: skip


@pytest.mark.slow
def test_a_job_without_metadata_loads_nothing_for_it(tmp_path: Path) -> None:
    for arguments in (
        ("imagine", "a cat", "--sandbox", "--dry-run"),
        ("imagine", "a cat", "--sandbox", "--dry-run", "-d"),
    ):
        assert not run(tmp_path, *arguments).of(
            "mjcli.media.metadata", "mjcli.media.xmp", "xml", "pyexpat", "PIL"
        )


def test_no_arguments_show_the_help_without_the_parser(tmp_path: Path) -> None:
    loaded = run(tmp_path)
    assert loaded.out
    assert not loaded.of("typer", "click", "rich", "httpx", "sqlite3", "inspect", "dataclasses")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_completion_script_needs_no_network_and_no_ledger(tmp_path: Path, shell: str) -> None:
    loaded = run(tmp_path, "completion", shell)
    assert loaded.status == 0
    assert loaded.out
    assert not loaded.of("httpx", "rich", "sqlite3", "tomlkit", "asyncio", "click", "pydantic", "ssl")


@pytest.mark.parametrize("command", [("config", "list"), ("config", "path"), ("config", "get", "base_url")])
def test_settings_are_read_without_network_ledger_or_the_writer(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    loaded = run(tmp_path, *command)
    assert loaded.status == 0
    assert not loaded.of("httpx", "rich", "sqlite3", "tomlkit", "asyncio", "click", "pydantic", "ssl")


@pytest.mark.slow
def test_the_history_is_read_without_network(tmp_path: Path, service: Service) -> None:
    service.answer(service.result())
    run(tmp_path, "imagine", "a cat", MJ_TOKEN="t", MJ_BASE_URL=service.base_url)
    for output in ((), ("--json",)):
        loaded = run(tmp_path, "history", *output)
        assert loaded.status == 0
        assert loaded.out
        assert not loaded.of("httpx", "rich", "tomlkit", "asyncio", "click", "pydantic", "ssl")


@pytest.mark.parametrize(
    ("prompt", "status"), [("a cat --ar 16:9", 0), ("a cat —ar 16:9", 0), ("a cat --foo", 2)]
)
def test_a_prompt_is_checked_without_network_or_ledger(tmp_path: Path, prompt: str, status: int) -> None:
    loaded = run(tmp_path, "check", prompt)
    assert loaded.status == status
    assert not loaded.of("httpx", "rich", "sqlite3", "tomlkit", "asyncio", "click", "pydantic", "ssl")


def test_a_usage_error_is_found_without_network_or_ledger(tmp_path: Path) -> None:
    loaded = run(tmp_path, "imagine", "a cat", "--nope")
    assert loaded.status == 2
    assert not loaded.of("httpx", "sqlite3", "rich", "asyncio", "tomlkit")


HEAVY = (
    "rich", "click", "asyncio", "tomlkit", "importlib.metadata", "pydantic", "markdown_it", "pygments",
    "mjcli.sandbox", "mjcli.media.download", "mjcli.cli.help.data", "mjcli.gen", "mjcli.media.probe",
    "mjcli.cli.uploads",
    "mjcli.media.web", "mjcli.media.formats", "mjcli.api.uploads", "mjcli.api.fields", "mjcli.jobs.callbacks",
    "mjcli.jobs.receiver", "mjcli.media.mask", "mjcli.media.grid", "mjcli.cli.sources", "waitress", "PIL",
    "mjcli.media.pixels", "mjcli.media.fetch", "mjcli.cli.steps", "mjcli.cli.output.pictures",
    "mjcli.cli.output.live",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("output", [(), ("--json",), ("-q",)])
def test_a_job_without_a_terminal_imports_nothing_heavy(
    tmp_path: Path, service: Service, output: tuple[str, ...]
) -> None:
    service.answer(service.result())
    loaded = run(
        tmp_path, "imagine", "a cat", *output, watched=True, MJ_TOKEN="t", MJ_BASE_URL=service.base_url
    )
    assert loaded.status == 0
    assert not loaded.of(*HEAVY)
    assert len(service.posts()) == 1
    # Plain http needs no certificates.
    assert loaded.contexts == [0]


@pytest.mark.slow
def test_nothing_heavy_is_imported_before_the_request_is_sent(tmp_path: Path, service: Service) -> None:
    """The list is read when the request arrives; later imports do not delay it."""
    logs: list[str] = []

    def script(_request: Received, reply: Reply) -> None:
        logs.append((tmp_path / "imports").read_text(encoding="utf-8", errors="replace"))
        reply.json(service.result())

    service.imagine(script)
    with (tmp_path / "imports").open("wb") as imports:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "mjcli", "imagine", "a cat"],
            env=_environment(tmp_path, service),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=imports,
            timeout=60,
        )
    assert done.returncode == 0
    (text,) = logs
    names = {line.rpartition("|")[2].strip() for line in text.splitlines() if line.startswith("import time:")}
    assert "httpx" in names
    # The interpreter also lists modules that it searched for and did not find.
    heavy = {name for name in names & set(HEAVY) if importlib.util.find_spec(name.partition(".")[0])}
    assert not heavy


def _environment(home: Path, service: Service) -> dict[str, Any]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MJ_CONFIG": str(home / "config.toml"),
        "MJ_DATA_DIR": str(home / "data"),
        "MJ_TOKEN": "t",
        "MJ_BASE_URL": service.base_url,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
