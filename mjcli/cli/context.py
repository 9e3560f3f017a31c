"""What one run of `mj` works with: streams, environment, settings; client, ledger and output on first use."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from mjcli.cli.output.redact import Secret
from mjcli.cli.output.sink import Mode, Output, Streams
from mjcli.errors import ConfigError, LedgerError, NoTokenError, Remedy

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from mjcli.api import Client, FileStore, Platform
    from mjcli.cli.cost import CommandCosts
    from mjcli.jobs.ledger import Ledger
    from mjcli.media.download import Downloader
    from mjcli.sandbox import Sandbox
    from mjcli.settings.load import Settings

SANDBOX_SECONDS = 3.0  # duration of a job in the embedded sandbox


class Flags:
    """The global options, given before or after the subcommand."""

    def __init__(self) -> None:
        self.json = False
        self.field: str | None = None
        self.quiet = False
        self.verbose = False
        self.profile: str | None = None
        self.sandbox = False
        self.no_color = False


class Context:
    """The streams, environment and settings of a run, and what is built from them on first use.

    `resuming` is set by commands that work on jobs sent earlier, so that an interruption is worded for them.
    """

    def __init__(self, environ: Mapping[str, str], streams: Streams) -> None:
        self.environ = environ
        self.streams = streams
        self.flags = Flags()
        #: The words of the command line, without `mj`.
        self.arguments: Sequence[str] = ()
        self.resuming = False
        self._resources = contextlib.ExitStack()
        self._hurry = False

    @classmethod
    def of_process(cls) -> Context:
        """The context of this process."""

        # A stream that was closed before the start is None; its output goes nowhere.
        def opened(stream: TextIO | None, mode: Literal["r", "w"]) -> TextIO:
            return stream if stream is not None else open(os.devnull, mode)  # noqa: PTH123

        streams = Streams(opened(sys.stdin, "r"), opened(sys.stdout, "w"), opened(sys.stderr, "w"))
        return cls(os.environ, streams)

    @cached_property
    def output(self) -> Output:
        """Where results and messages go. Raises `UsageError` for a malformed --field."""
        flags = self.flags
        mode = Mode(flags.json, flags.field, flags.quiet, flags.verbose, flags.no_color)
        return Output(self.streams, self.environ, mode, global_options=self._global_options)

    @cached_property
    def settings(self) -> Settings:
        """Option, environment, profile, default; shows the config file's warnings once. Raises `ConfigError`."""
        from mjcli.settings.load import load_settings

        settings = load_settings(self.environ, profile=self.flags.profile, sandbox=self.flags.sandbox)
        if settings.sandbox.value and self.flags.profile not in (None, "sandbox"):
            self.output.notice("The sandbox has no profiles, so --profile is ignored.")
        self.output.secret = Secret(*self.output.secret.tokens, *settings.tokens)
        for warning in settings.warnings:
            self.output.warning(warning)
        return settings

    @cached_property
    def client(self) -> Client:
        """The API client of the active profile. Raises `NoTokenError`, `ConfigError`."""
        from mjcli.api import Client

        settings = self.settings
        if not settings.token.value:
            raise NoTokenError(
                f'No token for profile "{settings.profile.value}".',
                remedy=Remedy.NO_TOKEN,
                profile=settings.profile.value,
            )
        client = Client(
            settings.token.value,
            base_url=self._sandbox.base_url if settings.sandbox.value else settings.base_url.value,
            token_in=settings.token_in.value,
            # A proxy would see the token of an API on this machine.
            use_environment=not settings.api_is_local,
        )
        self._resources.callback(client.close)
        return client

    @cached_property
    def files(self) -> FileStore:
        """The file endpoint of the active profile, with the token that may go there. Raises `ConfigError`."""
        from mjcli.api import FileStore
        from mjcli.settings.load import FILES_PATH

        settings = self.settings
        store = FileStore(
            self._sandbox.base_url + FILES_PATH if settings.sandbox.value else settings.files_url.value,
            settings.token_for_files.value,
            token_in="header" if settings.files_token.value else settings.token_in.value,
            use_environment=not settings.files_are_local,
        )
        self._resources.callback(store.close)
        return store

    @cached_property
    def platform(self) -> Platform | None:
        """The management API of the active profile, None without a platform token. Raises `ConfigError`."""
        from mjcli.api.platform import Platform
        from mjcli.settings.load import PLATFORM_PATH

        settings = self.settings
        token = settings.token_for_platform.value
        if not token:
            return None
        platform = Platform(
            token,
            base_url=self._sandbox.base_url + PLATFORM_PATH
            if settings.sandbox.value
            else settings.platform_url.value,
            use_environment=not settings.platform_is_local,
        )
        self._resources.callback(platform.close)
        return platform

    @cached_property
    def costs(self) -> CommandCosts:
        """What the jobs of this run cost, and the limits on it."""
        from mjcli.cli.cost import CommandCosts

        return CommandCosts(
            self.output,
            self.settings,
            ledger=lambda: self.existing_ledger,
            platform=lambda: self.platform,
        )

    @cached_property
    def downloader(self) -> Downloader:
        """What downloads results, without a token."""
        from mjcli.media.download import Downloader

        settings = self.settings
        downloader = Downloader(
            allow_private=settings.api_is_local, use_environment=not settings.sandbox.value
        )
        self._resources.callback(downloader.close)
        return downloader

    @cached_property
    def ledger(self) -> Ledger:
        """The record of every job, created if need be. Raises `ConfigError` when it cannot be written."""
        from mjcli.jobs.ledger import Ledger

        return self._opened(
            Ledger.open(self._ledger_path, notice=self.output.alarm, hide=self.output.secret.hide)
        )

    @property
    def existing_ledger(self) -> Ledger | None:
        """The ledger for reading, None when there is none; one that cannot be written is opened read-only."""
        opened: Ledger | None = self.__dict__.get("_ledger_for_reading")
        if opened is not None:
            return opened
        path = self._ledger_path
        try:
            there = path.exists()
        except OSError:
            there = True  # in a directory that cannot be listed; opening it reports that
        if not there:
            return None
        try:
            return self.ledger
        except LedgerError as error:
            if not error.unwritable:
                raise
            return self._ledger_for_reading

    def for_profile(self, name: str) -> Context:
        """A context for another profile (or this one) that shares the output and the ledger with this one."""
        if name == self.settings.profile.value:
            return self
        other = Context(self.environ, self.streams)
        vars(other.flags).update(vars(self.flags), profile=name)
        other.__dict__["output"] = self.output
        if (ledger := self.existing_ledger) is not None:
            other.__dict__["ledger"] = other.__dict__["_ledger_for_reading"] = ledger
        self._resources.callback(other.close)
        return other

    @property
    def links_end(self) -> bool:
        """Whether links to images stop working when this command ends."""
        return bool(self.settings.sandbox.value) and self._links_url is None

    def report_costs(self) -> None:
        """Show what the jobs of this run cost, if there were any and that is wanted."""
        if "costs" in self.__dict__:
            self.costs.report()

    def close(self, *, hurry: bool = False) -> None:
        """Close the client, the ledger and the sandbox; with `hurry`, wait for nothing."""
        self._hurry = hurry
        self._resources.close()

    # -- parts -------------------------------------------------------------------------------------

    @cached_property
    def _ledger_for_reading(self) -> Ledger:
        from mjcli.jobs.ledger import Ledger

        return self._opened(Ledger.open_to_read(self._ledger_path, notice=self.output.alarm))

    def _opened(self, ledger: Ledger) -> Ledger:
        self._resources.callback(ledger.close)
        return ledger

    @property
    def _ledger_path(self) -> Path:
        directory: Path = self.settings.data_dir.value
        return directory / "ledger.db"

    @cached_property
    def _sandbox(self) -> Sandbox:
        """The embedded sandbox, started on first use and stopped at the end of the run."""
        from mjcli.sandbox import Sandbox, SandboxOptions

        directory, links = self.settings.data_dir.value, self._links_url
        try:
            server = Sandbox(
                directory / "sandbox.db", SandboxOptions(seconds=SANDBOX_SECONDS), links_url=links
            )
        except OSError as error:
            raise ConfigError(
                f"Cannot start the sandbox in {directory}: {error.strerror or error}.",
                hint="set MJ_DATA_DIR to a directory you can write to",
            ) from error
        server.start()
        self._resources.callback(lambda: server.close(finish_callbacks=not self._hurry))
        return server

    @cached_property
    def _links_url(self) -> str | None:
        """The address of a running `mj sandbox`, which serves the images of the embedded sandbox, too."""
        from mjcli.sandbox import serving_url

        return serving_url(self.settings.data_dir.value / "sandbox.db")

    def _global_options(self) -> list[str]:
        """The words that make a suggested command reach the same sandbox or profile."""
        from mjcli.settings.load import sandbox_in_use

        try:
            # Also where the environment says it: it may have been set for one command alone.
            if sandbox_in_use(self.environ, option=self.flags.sandbox).value:
                return ["--sandbox"]
        except ConfigError:
            pass
        return ["--profile", self.flags.profile] if self.flags.profile else []
