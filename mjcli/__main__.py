"""The way in and the way out: the one place where an exception becomes a message and an exit status."""

from __future__ import annotations

import sys

from mjcli import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer._click.exceptions import ClickException

    from mjcli.context import Runtime
    from mjcli.errors import Interrupted

# Only what `--version` needs stands above: every other import is made by the way that needs it.


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mj` with these arguments (default: the process's own) and give the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments == ["--version"] and _said(f"mj {__version__}\n"):
            return 0
        return _run(arguments)
    except KeyboardInterrupt:  # before the program was there to catch it
        return 130


def _said(text: str) -> bool:
    """Write to standard output; False when that fails, which the whole program knows how to tell."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, AttributeError):
        return False
    return True


def _run(arguments: list[str]) -> int:
    """Do what the arguments ask; every way in which it ends becomes a message and a status here."""
    import gc

    # What the imports make lives until the end; looking through it again and again costs a twentieth of the start.
    gc.set_threshold(100_000, 50, 50)
    from mjcli.context import Runtime
    from mjcli.errors import ExitCode, Interrupted, MjError

    runtime = Runtime.of_process()
    _catch_signals(runtime)
    # A mistake can stand before the flag that says how to report it, and a script still wants its JSON.
    asked = arguments[: arguments.index("--")] if "--" in arguments else arguments
    runtime.flags.json = "--json" in asked
    try:
        try:
            if not _show_help(runtime, arguments):
                _invoke(runtime, arguments)
        except MjError as error:
            runtime.fail(error.exit_code)
            runtime.report(error)
        except Exception as error:
            runtime.fail(ExitCode.INTERNAL)
            _report_fault(runtime, error)
        runtime.close()
    except Interrupted as stop:
        return _interrupted(runtime, stop)
    return runtime.status


def _show_help(runtime: Runtime, arguments: list[str]) -> bool:
    """Answer `mj`, `mj --help` and `mj PATH --help` from the generated reference, without loading the parser."""
    if arguments and arguments[-1] not in ("--help", "-h"):
        return False
    from mjcli import reference

    path = tuple(arguments[:-1])
    if not reference.known_path(path):
        return False
    from mjcli.reference.help import render_help

    runtime.output.text(render_help(path, runtime.help_layout()))
    return True


def _invoke(runtime: Runtime, arguments: list[str]) -> None:
    """Parse and run; the parser's own complaints become `UsageError`."""
    # Typer's own copy of Click; its public name for this class came with 0.27 only.
    from typer._click.exceptions import ClickException

    from mjcli.app import root
    from mjcli.errors import UsageError
    from mjcli.signals import stay_wakeable

    stay_wakeable()
    try:
        root().main(args=arguments, prog_name="mj", standalone_mode=False, obj=runtime)
    except ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else _command_of(arguments)
        raise UsageError(_complaint(error), hint=f"{command} --help") from None


def _command_of(arguments: list[str]) -> str:
    """The command that was meant, for a mistake that the parser places nowhere."""
    from mjcli.app import COMMANDS

    return next((f"mj {word}" for word in arguments if word in COMMANDS), "mj")


def _complaint(error: ClickException) -> str:
    """What the parser found wrong, as one sentence."""
    option = getattr(error, "option_name", None)
    if option and hasattr(error, "possibilities"):
        near = sorted(error.possibilities or ())
        return f"There is no option {option}." + (f" Did you mean {' or '.join(near)}?" if near else "")
    message = " ".join(error.format_message().split())
    if message == "Missing command.":
        return "A command is missing."
    for parlance, plain in (("a valid float range", "a number"), ("a valid int range", "a whole number")):
        message = message.replace(parlance, plain)
    return message if message.endswith((".", "?")) else f"{message}."


def _report_fault(runtime: Runtime, error: Exception) -> None:
    """An exception that nobody foresaw: one sentence, and the traceback for whoever asks."""
    from mjcli.errors import MjError

    if runtime.flags.verbose:
        import traceback

        runtime.output.traceback("".join(traceback.format_exception(error)))
    hint = "report it with what --verbose shows; a job that was sent stands in the ledger"
    runtime.report(MjError(f"A fault in mj itself: {type(error).__name__}: {error}", hint=hint))


def _catch_signals(runtime: Runtime) -> None:
    """The first signal unwinds the program in order; a second one ends it at once."""
    import signal

    from mjcli.errors import Interrupted

    def first(number: int, _frame: object) -> None:
        for each in caught:
            signal.signal(each, at_once)
        raise Interrupted(number)

    def at_once(number: int, _frame: object) -> None:
        import os

        runtime.output.restore_terminal()
        os._exit(128 + number)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # A signal that our parent had us ignore (nohup, a background job) stays ignored.
    caught = [each for each in known if signal.getsignal(each) is not signal.SIG_IGN]
    for each in caught:
        signal.signal(each, first)


def _interrupted(runtime: Runtime, stop: Interrupted) -> int:
    """A signal or a closed output pipe: say what is known of the job, then end with 128 + signal."""
    from mjcli.errors import DownloadError, Interrupted

    runtime.close(in_haste=True)
    try:
        runtime.output.interrupted(stop, earlier=runtime.taking_up)
    except (Interrupted, DownloadError):
        pass  # standard output is gone as well; the signal came first
    return 128 + stop.signal_number


if __name__ == "__main__":
    sys.exit(main())
