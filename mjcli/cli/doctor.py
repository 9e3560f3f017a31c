"""The checks of `mj doctor`. They change nothing, send nothing that is paid, and never show a token."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mjcli.cli import doctor_machine as machine
from mjcli.cli.doctor_machine import OK, PROBLEM, WARNING, Finding
from mjcli.cli.hints import command, for_error, log_in, split_note
from mjcli.cli.output.redact import Secret
from mjcli.cli.token_check import TokenCheck, check_platform_token, check_token
from mjcli.errors import ConfigError, ExitCode, LedgerError, MjError, reason_of, without_stop
from mjcli.files import existing_parent

if TYPE_CHECKING:
    from mjcli.api import Client
    from mjcli.cli.context import Context
    from mjcli.settings.load import Settings

MOST_OFFSET = 60.0  # seconds of difference between the clocks that matter for nothing
LEAST_SPACE = 100 * 10**6  # bytes on a disk, below which a few images fill it
_NO_ACCOUNT = "none"  # sent in place of a token, to see whether the service answers


class Doctor:
    """The checks of one run, in the order in which they depend on each other."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: Settings | None = None
        self.probe: TokenCheck | None = None
        """What a query to the service found; None if none could be sent."""
        self.with_token = False
        """Whether that query carried the token."""

    def findings(self) -> Iterator[Finding]:
        """Run every check; none prevents the next one."""
        checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
            ("version", machine.version),
            ("config", self._config),
            ("proxy", self._proxy),
            ("certificates", self._certificates),
            ("network", self._network),
            ("token", self._token),
            ("platform", self._platform),
            ("clock", self._clock),
            ("ledger", self._ledger),
            ("output", self._output),
            ("terminal", lambda: machine.terminal(self.context.output, self._preview)),
            ("completion", lambda: machine.completion(self.context.environ)),
            ("pillow", machine.pillow),
        )
        for name, check in checks:
            try:
                yield check()
            except MjError as error:
                yield of_error(name, error)
            except OSError as error:
                yield Finding(
                    name, PROBLEM, f"The check failed: {reason_of(error)}.", exit_status=ExitCode.USAGE
                )

    @property
    def _preview(self) -> str:
        """The setting for images, as far as the settings can be used."""
        return "auto" if self.settings is None else str(self.settings.preview.value)

    # -- settings ----------------------------------------------------------------------------------

    def _config(self) -> Finding:
        from mjcli.settings.load import load_settings

        flags, context = self.context.flags, self.context
        settings = load_settings(context.environ, profile=flags.profile, sandbox=flags.sandbox)
        # Its warnings are findings here.
        self.settings = context.settings = settings
        output = context.output
        output.secret = Secret(*output.secret.tokens, *settings.tokens)
        if settings.warnings:
            sentence, _, line = settings.warnings[0].partition("; run: ")
            return Finding("config", WARNING, f"{sentence}.", (line,) if line else ())
        where = str(settings.config_file)
        if not settings.config_file.exists():
            where = f"no file at {where}, so the defaults apply"
        return Finding("config", OK, f'profile "{settings.profile.value}"; {where}')

    @property
    def _base_url(self) -> str:
        """The address of the service. With a broken config file, that of the environment, else the default."""
        if self.settings is not None:
            return str(self.settings.base_url.value or "")
        from mjcli.settings.load import load_settings

        environ = {**self.context.environ, "MJ_CONFIG": os.devnull, "MJ_PROFILE": ""}
        return str(load_settings(environ).base_url.value)

    @property
    def _is_local(self) -> bool:
        return self.settings is not None and self.settings.api_is_local

    # -- the service -------------------------------------------------------------------------------

    def _proxy(self) -> Finding:
        from mjcli.network import Proxies

        if self._is_local:
            return Finding("proxy", OK, "not used: the service is on this machine")
        url, proxies = self._base_url, Proxies.of_environment()
        address = proxies.for_url(url)
        if address is None:
            return Finding("proxy", OK, "none")
        # Without the user name and the password.
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
        return Finding("proxy", OK, f"{parts.scheme}://{parts.hostname}{port} ({proxies.variable_for(url)})")

    def _certificates(self) -> Finding:
        import ssl

        from mjcli.network import certificates

        if self._is_local:
            return Finding("certificates", OK, "not used: the service is on this machine")
        certificates(ssl.create_default_context)
        variable = next((each for each in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(each)), None)
        return Finding("certificates", OK, f"{os.environ[variable]} ({variable})" if variable else "bundled")

    def _client(self) -> Client:
        """A client with the token, or without any if there is none or the profile is unknown."""
        settings = self.settings
        if settings is not None and settings.token.value:
            self.with_token = True
            return self.context.client
        from mjcli.api import Client

        return Client(_NO_ACCOUNT, base_url=self._base_url, use_environment=not self._is_local)

    def _network(self) -> Finding:
        client = self._client()
        try:
            start = time.monotonic()
            probe = check_token(client)
            elapsed = time.monotonic() - start
        finally:
            client.close()
        name = "the sandbox" if self.settings is not None and self.settings.sandbox.value else client.base_url
        if probe.reached:
            self.probe = probe
            return Finding("network", OK, f"{name} answered within {max(elapsed, 0.01):.2f} s")
        assert probe.error is not None
        if isinstance(probe.error, ConfigError):
            return Finding(
                "network", WARNING, "not checked, because the proxy or the certificates cannot be used"
            )
        found = of_error("network", probe.error)
        if not (found.commands or found.hints):
            hint = "check the network connection of this machine, and the address of the service (base_url)"
            found = found._replace(commands=(command("config", "list"),), hints=(hint,))
        return found._replace(exit_status=ExitCode.UNAVAILABLE)

    def _token(self) -> Finding:
        settings, probe = self.settings, self.probe
        if settings is None:
            return Finding("token", WARNING, "not checked, because the settings cannot be used")
        profile = str(settings.profile.value)
        if not settings.token.value:
            text = f'No token for profile "{profile}".'
            sandbox = command("--sandbox", "imagine", "a cat")
            return Finding("token", PROBLEM, text, (log_in(profile), sandbox), exit_status=ExitCode.AUTH)
        source = settings.token.source
        if settings.sandbox.value:
            return Finding("token", OK, "the sandbox needs none")
        if probe is None or not self.with_token:
            return Finding("token", WARNING, f"set ({source}), but not checked: the service did not answer")
        if probe.without_balance:
            from mjcli.cli.help.facts import CONSOLE_URL

            text = f"accepted ({source}), but the account has no balance left"
            hint = f"top up the balance at {CONSOLE_URL}"
            return Finding("token", PROBLEM, text, (), (hint,), ExitCode.BALANCE)
        if probe.accepted:
            return Finding("token", OK, f"accepted by the service ({source})")
        assert probe.error is not None
        reason = f"{without_stop(probe.error.message)} ({probe.error.code})"
        if probe.refused:
            text = f"refused by the service: {reason}; it comes from {source}."
            variable = source.removeprefix("environment ")
            if variable != source:  # a saved token would not be used
                hint = f"set {variable} to a valid token, or unset it and save one with mj auth login"
                return Finding("token", PROBLEM, text, (), (hint,), ExitCode.AUTH)
            return Finding("token", PROBLEM, text, (log_in(profile),), exit_status=ExitCode.AUTH)
        return Finding("token", WARNING, f"set ({source}), but not checked: {reason}")

    def _platform(self) -> Finding:
        """Without this token, only the costs are not known, so nothing here is a problem."""
        settings = self.settings
        if settings is None:
            return Finding("platform", WARNING, "not checked, because the settings cannot be used")
        if settings.sandbox.value:
            return Finding("platform", OK, "the sandbox needs no platform token")
        token = settings.token_for_platform
        if not token.value:
            return Finding("platform", OK, "no platform token, so mj spend shows estimates only")
        try:
            platform = self.context.platform
            assert platform is not None
            error = check_platform_token(platform).error
        except MjError as problem:
            error = problem
        if error is None:
            return Finding("platform", OK, f"token accepted ({token.source})")
        reason = f"{without_stop(error.message)} ({error.code})"
        if error.exit_code == ExitCode.AUTH:
            text = f"token refused: {reason}; it comes from {token.source}"
            return Finding("platform", WARNING, text, (log_in(str(settings.profile.value), platform=True),))
        return Finding("platform", WARNING, f"token set ({token.source}), but not checked: {reason}")

    def _clock(self) -> Finding:
        offset = None if self.probe is None else self.probe.clock_offset
        if offset is None:
            return Finding("clock", WARNING, "not checked: the service did not send the time")
        difference = f"{abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} the service's"
        if abs(offset) <= MOST_OFFSET:
            return Finding("clock", OK, "agrees with the service's" if abs(offset) < 2 else difference)
        hint = "set the time of this machine automatically; mj finds lost jobs by their time"
        return Finding("clock", WARNING, difference, hints=(hint,))

    # -- files -------------------------------------------------------------------------------------

    def _ledger(self) -> Finding:
        from mjcli.settings import paths

        directory = paths.data_dir(self.context.environ)
        path = directory / "ledger.db"
        there = path.exists()
        contents = "no jobs yet"
        commands: tuple[str, ...] = ()
        if there:
            from mjcli.jobs.health import inspect

            profile = "default" if self.settings is None else str(self.settings.profile.value)
            health = inspect(path, profile)
            contents = f'sound, {health.jobs} {"job" if health.jobs == 1 else "jobs"} in profile "{profile}"'
            if health.unfinished:
                contents += f", {health.unfinished} unfinished"
                commands = (command("resume"),)
        fault = _not_writable(directory)
        if fault is None and there and not os.access(path, os.W_OK):
            fault = "it is read-only"
        if fault is not None:
            raise LedgerError(
                f'The ledger "{path}" cannot be written: {fault}.',
                hint="set MJ_DATA_DIR to a directory you can write to",
            )
        return _with_space("ledger", f"{path} ({contents})", directory, commands)

    def _output(self) -> Finding:
        chosen = None if self.settings is None else self.settings.output.value
        directory = Path(chosen or ".").absolute()
        fault = _not_writable(directory)
        if fault is not None:
            raise ConfigError(
                f'Images cannot be saved in "{directory}": {fault}.',
                hint=command("config", "set", "defaults.output", "~/Pictures/mj"),
            )
        source = "current directory" if not chosen or self.settings is None else self.settings.output.source
        return _with_space("output", f"{directory} ({source})", directory)


def of_error(check: str, error: MjError) -> Finding:
    """The problem that an error is."""
    lines = [split_note(line)[1] for line in for_error(error)]
    commands = tuple(line for line in lines if line.startswith("mj "))
    hints = tuple(line for line in lines if line not in commands)
    return Finding(check, PROBLEM, error.message, commands, hints, error.exit_code)


def _not_writable(directory: Path) -> str | None:
    """Why files cannot be created in a directory, or in the nearest parent that exists; None if they can."""
    existing = existing_parent(directory)
    if existing is None:
        return "its drive does not exist"
    if not existing.is_dir():
        return f"{existing} is not a directory"
    try:
        with tempfile.TemporaryFile(dir=existing, prefix=".mj-"):
            return None
    except OSError as error:
        return reason_of(error)


def _with_space(check: str, text: str, directory: Path, commands: tuple[str, ...] = ()) -> Finding:
    """A sound directory, with a warning if its disk is almost full."""
    free = shutil.disk_usage(existing_parent(directory) or directory).free
    if free < LEAST_SPACE:
        hint = "free some space"
        return Finding(check, WARNING, f"{text}: only {free // 10**6} MB free", commands, (hint,))
    return Finding(check, OK, f"{text}, {free / 10**9:.1f} GB free", commands)
