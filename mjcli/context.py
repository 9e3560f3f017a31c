"""The world as one run of `mj` sees it: streams, environment, settings; client, ledger and output on first use."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TextIO, TypeVar

from mjcli.errors import ConfigError, DownloadError, ExitCode, MjError, NoTokenError
from mjcli.render.output import Lines, Mode, Output, terminal_width
from mjcli.render.text import visible
from mjcli.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any, Literal

    from mjcli.api import Client, FileStore, TaskRecord
    from mjcli.config import Settings
    from mjcli.jobs import Runner
    from mjcli.ledger import Job, Ledger
    from mjcli.reference.help import HelpLayout
    from mjcli.sandbox import Sandbox


T = TypeVar("T")


class Flags:
    """The global options, as given before or after the subcommand."""

    def __init__(self) -> None:
        self.json = False
        self.field: str | None = None
        self.quiet = False
        self.verbose = False
        self.profile: str | None = None
        self.sandbox = False
        self.no_color = False


class Runtime:
    """What a command needs of the world. `status` is the exit status the run ends with."""

    def __init__(self, environ: Mapping[str, str], stdin: TextIO, stdout: TextIO, stderr: TextIO) -> None:
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.flags = Flags()
        self.status: int = ExitCode.OK
        #: Whether the command takes up what was sent before, so that an interruption says nothing of the money.
        self.taking_up = False
        self._open = contextlib.ExitStack()
        self._in_haste = False

    @classmethod
    def of_process(cls) -> Runtime:
        """The runtime of this very process."""

        # A stream that was closed before we began is None; what would go there goes nowhere.
        def opened(stream: TextIO | None, mode: Literal["r", "w"]) -> TextIO:
            return stream if stream is not None else open(os.devnull, mode)  # noqa: PTH123

        return cls(os.environ, opened(sys.stdin, "r"), opened(sys.stdout, "w"), opened(sys.stderr, "w"))

    @cached_property
    def output(self) -> Output:
        """Where the answer and the notices go. Raises `UsageError` for a bad --field."""
        flags = self.flags
        mode = Mode(flags.json, flags.field, flags.quiet, flags.verbose, flags.no_color)
        return Output(self.stdout, self.stderr, self.environ, mode, again=self.again)

    @cached_property
    def settings(self) -> Settings:
        """Option, environment, profile, default; the config file's warnings are shown once. Raises `ConfigError`."""
        return self.load_settings()

    def load_settings(self, *, new_profile: bool = False) -> Settings:
        """The settings read anew; `new_profile` allows a profile that the config file does not have yet."""
        from mjcli.config import load_settings

        settings = load_settings(
            self.environ, profile=self.flags.profile, sandbox=self.flags.sandbox, new_profile=new_profile
        )
        for warning in settings.warnings:
            self.output.warning(warning)
        return settings

    @cached_property
    def data_dir(self) -> Path:
        """The directory of the ledger and of the sandbox's state."""
        path: Path = self.settings.data_dir.value
        return path

    @cached_property
    def sandbox(self) -> Sandbox:
        """The embedded stand-in of the service, started on first use and stopped at the end of the run."""
        from mjcli.sandbox import Sandbox, SandboxOptions

        try:
            server = Sandbox(self.data_dir / "sandbox.db", SandboxOptions())
        except OSError as error:
            raise ConfigError(
                f"The sandbox cannot be started in {self.data_dir}: {error.strerror or error}.",
                hint="set MJ_DATA_DIR to a directory you can write to",
            ) from error
        server.start()
        self._open.callback(lambda: server.close(finish_callbacks=not self._in_haste))
        return server

    @property
    def base_url(self) -> str:
        """The address that requests go to."""
        return self.sandbox.base_url if self.settings.sandbox.value else str(self.settings.base_url.value)

    @property
    def token(self) -> str:
        """The API's token for the profile in use. Raises `NoTokenError`."""
        settings = self.settings
        if not settings.token.value:
            raise NoTokenError(
                f"There is no token for the profile {settings.profile.value}.",
                hint='mj auth login  # or set MJ_TOKEN\nmj --sandbox imagine "a cat"  # tries it without an account',
            )
        return str(settings.token.value)

    @cached_property
    def _secret(self) -> Secret:
        return Secret(self.settings.token.value, self.settings.files_token.value)

    @cached_property
    def client(self) -> Client:
        """The service's client for the profile in use. Raises `NoTokenError`, `ConfigError`."""
        from mjcli.api import Client

        token = self.token
        self.output.secret = self._secret
        client = Client(
            token,
            base_url=self.base_url,
            token_in=self.settings.token_in.value,
            # What is on this machine is not asked through a proxy, which would see the token.
            use_environment=not self.on_this_machine,
        )
        self._open.callback(client.close)
        return client

    @property
    def files_url(self) -> str:
        """The address that files are uploaded to."""
        from mjcli.config import FILES_PATH

        if self.settings.sandbox.value:
            return self.sandbox.base_url + FILES_PATH
        return str(self.settings.files_url.value)

    @property
    def files_on_this_machine(self) -> bool:
        """Whether files are uploaded to the loopback interface, so that their links may lead there too."""
        from mjcli.config import is_loopback

        return is_loopback(self.files_url)

    @cached_property
    def files(self) -> FileStore:
        """The file endpoint for the profile in use, with the token that may go there, if any. Raises `ConfigError`."""
        from mjcli.api import FileStore

        self.output.secret = self._secret
        store = FileStore(
            self.files_url,
            self.settings.token_for_files.value,
            use_environment=not self.files_on_this_machine,
        )
        self._open.callback(store.close)
        return store

    @cached_property
    def ledger(self) -> Ledger:
        """The record of every job. Raises `ConfigError` when it cannot be written."""
        from mjcli.ledger import Ledger

        ledger = Ledger.open(self.data_dir / "ledger.db", notice=self.output.alarm)
        ledger.secret = self._secret
        self._open.callback(ledger.close)
        return ledger

    @property
    def profile(self) -> str:
        """The name of the profile in use."""
        return str(self.settings.profile.value)

    @property
    def host(self) -> str:
        """Where tasks live, for the ledger; the sandbox's port changes from run to run, its tasks stay."""
        return "sandbox" if self.settings.sandbox.value else self.base_url

    @property
    def on_this_machine(self) -> bool:
        """Whether the API itself is on the loopback interface, so that its links may lead there too."""
        from mjcli.config import is_loopback

        return is_loopback(self.base_url)

    def runner(self, *, ledger: bool) -> Runner:
        """What runs jobs for the profile in use; without `ledger` no record is kept."""
        from mjcli.jobs import Runner

        return Runner(self.client, self.ledger if ledger else None, profile=self.profile, host=self.host)

    def named(self, name: str, *, at_most: int) -> list[Job]:
        """The jobs whose task, image or uuid begins so, if there is a ledger; one that is it wholly, alone."""
        return self._asking_ledger(lambda ledger: ledger.named(self.profile, name, at_most=at_most)) or []

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to be asked a question."""
        return self.stdin.isatty() and self.stderr.isatty()

    def ask(self, question: str) -> bool:
        """Put a question to who sits at the terminal; anything but a yes is a no."""
        self.stderr.write(f"{visible(question)} [y/N] ")
        self.stderr.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")

    def adopt(self, job: Job, record: TaskRecord) -> bool:
        """Give a job this task; False when the task is for another request or belongs to another job."""
        from mjcli.recovery import is_for

        return is_for(record, job.path, job.request) and self.ledger.adopt(
            job.uuid, self.host, str(record.id)
        )

    def note_task(self, record: TaskRecord, files: Sequence[str]) -> None:
        """Tell the ledger, if there is one, what a look at a task showed."""
        from mjcli.jobs import note_task

        self._asking_ledger(lambda ledger: note_task(ledger, self.host, record, files))

    @property
    def kept(self) -> Ledger | None:
        """The ledger if there is one already, for what only reads it; one that cannot be written is read as it is."""
        path = self.data_dir / "ledger.db"
        try:
            there = path.exists()
        except OSError:
            there = True  # in a directory that may not be looked into: opening it says so
        if not there:
            return None
        try:
            return self.ledger
        except ConfigError:
            if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
                raise
            return self._ledger_to_read

    @cached_property
    def _ledger_to_read(self) -> Ledger:
        from mjcli.ledger import Ledger

        ledger = Ledger.open_to_read(self.data_dir / "ledger.db")
        self._open.callback(ledger.close)
        return ledger

    def find_again(self, job: Job) -> str:
        """The task of a job whose answer was lost. Raises `LostAnswer` when it cannot be told."""
        from mjcli.jobs import find_again

        return find_again(self.client, self.ledger, self.host, job)

    def _asking_ledger(self, ask: Callable[[Ledger], T]) -> T | None:
        """What `ask` gets from a ledger that is there already; None where there is none or it cannot be used.

        This is for what only helps: a job that needs the ledger says what is wrong with it.
        """
        try:
            ledger = self.kept
            return ask(ledger) if ledger is not None else None
        except ConfigError:
            return None

    def again(self, command: str) -> str:
        """A command to type next, for the same sandbox or profile; what is no `mj` command is left alone."""
        if not command.startswith("mj ") or " --profile " in command:
            return command
        import shlex

        from mjcli.config import sandbox_in_use

        try:
            # Said aloud also where the environment says it: it may have been set for one command alone.
            sandbox = sandbox_in_use(self.environ, option=self.flags.sandbox).value
        except ConfigError:
            sandbox = False
        if sandbox:
            return f"mj --sandbox {command[3:]}"
        profile = self.flags.profile
        return f"mj --profile {shlex.quote(profile)} {command[3:]}" if profile else command

    def answer(
        self, document: Mapping[str, Any], people: Lines, quiet: Sequence[str], problem: MjError | None
    ) -> None:
        """Answer one thing asked; with a problem, what is known all the same and then the failure."""
        if problem is None or not self.output.json:
            self.output.answer(document, people, quiet)
        if problem is not None:
            self.output.failure(problem, document)
            self.fail(problem.exit_code)

    def help_layout(self) -> HelpLayout:
        """Width and colour for the help."""
        from mjcli.reference.help import HelpLayout

        return HelpLayout(terminal_width(self.stdout, self.environ), self.output.colours(self.stdout))

    def fail(self, status: int) -> None:
        """Remember a failure that does not stop the rest; the first one is the exit status."""
        if self.status == ExitCode.OK:
            self.status = status

    def report(self, error: MjError) -> None:
        """Show a failure; when it lies in the output options themselves, without them."""
        try:
            output = self.output
        except MjError:
            output = Output(self.stdout, self.stderr, self.environ, Mode(json=self.flags.json))
        try:
            output.failure(error)
        except DownloadError:
            pass  # standard output is full; people were told on the other one what is wrong

    def close(self, *, in_haste: bool = False) -> None:
        """End what was started (client, ledger, sandbox); `in_haste` waits for nothing."""
        self._in_haste = in_haste
        self._open.close()
