"""The entry point: the one place where an exception becomes a message and an exit status."""

from __future__ import annotations

import sys

from mjcli import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from mjcli.cli.context import Context
    from mjcli.errors import Interrupted, MjError

# Only what `--version` needs is imported above.


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mj` with these arguments (default: those of the process) and return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments == ["--version"] and _print(f"mj {__version__}\n"):
            return 0
        if arguments[:1] == ["--complete"]:
            from mjcli.cli.complete import complete

            return complete(arguments[1:])
        return _run(arguments)
    except KeyboardInterrupt:  # before the signal handlers were set
        return 130


def _print(text: str) -> bool:
    """Write to standard output; False when that fails, which `_run` then reports."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, AttributeError):
        return False
    return True


def _run(arguments: list[str]) -> int:
    """Run the command; however it ends, the end becomes a message and a status here."""
    import gc

    # What the imports allocate lives until the end; scanning it again and again costs 5 % of the start.
    gc.set_threshold(100_000, 50, 50)
    from mjcli.cli.context import Context
    from mjcli.errors import Interrupted, MjError, stops_shown

    context = Context.of_process()
    context.arguments = arguments
    _catch_signals(context)
    # An error or --help can precede the flag that says how to show it, and a script still wants its JSON.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    context.flags.json, context.flags.no_color = "--json" in options, "--no-color" in options
    try:
        try:
            with stops_shown():
                if not _show_help(context, arguments):
                    _invoke(context, arguments)
        except MjError as error:
            _report(context, error)
        except Exception as error:
            _report_bug(context, error)
        context.report_costs()
        context.close()
        context.output.ring()
    except Interrupted as stop:
        return _interrupted(context, stop)
    return context.output.status


def _show_help(context: Context, arguments: list[str]) -> bool:
    """Print `mj`, `mj --help` and `mj COMMAND --help` from the generated data, without loading the parser."""
    if arguments and arguments[-1] not in ("--help", "-h"):
        return False
    from mjcli.cli.help import data

    path = tuple(arguments[:-1])
    if not data.known_path(path):
        return False
    from mjcli.cli.help.page import print_help

    print_help(path, context.output, start=not arguments)
    return True


def _invoke(context: Context, arguments: list[str]) -> None:
    """Parse the arguments and run the command."""
    from mjcli.cli.app import root
    from mjcli.cli.parser import run
    from mjcli.cli.signals import leave_terminal_when_stopped, stay_wakeable

    stay_wakeable()
    leave_terminal_when_stopped()
    run(root(), arguments, context)


def _report(context: Context, error: MjError) -> None:
    """Show a failure; one in the output options themselves is shown without them."""
    from mjcli.cli.output.sink import Mode, Output
    from mjcli.errors import DownloadError, MjError

    try:
        output = context.output
    except MjError:
        context.flags.field = None
        output = Output(context.streams, context.environ, Mode(json=context.flags.json))
        context.__dict__["output"] = output
    try:
        output.failure(error)
    except DownloadError:
        pass  # standard output is full; standard error has the message


def _report_bug(context: Context, error: Exception) -> None:
    """Show an unexpected exception: one sentence, and the traceback with --verbose."""
    from mjcli.errors import unexpected

    if context.flags.verbose:
        context.output.traceback(error)
    _report(context, unexpected(error))


def _catch_signals(context: Context) -> None:
    """Make the first signal unwind the program in order, and a second one end it at once."""
    import signal

    from mjcli.errors import Interrupted

    def first(number: int, _frame: object) -> None:
        for each in caught:
            signal.signal(each, at_once)
        # Ctrl-Break, or a console that is closed, ends a session on Windows as SIGTERM does elsewhere.
        raise Interrupted(signal.SIGTERM if number == getattr(signal, "SIGBREAK", None) else number)

    def at_once(number: int, _frame: object) -> None:
        import os

        from mjcli.cli.signals import release_terminal

        release_terminal()
        os._exit(128 + number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # A signal that the parent process ignores for us (nohup, a background job) stays ignored.
    caught = [each for each in known if signal.getsignal(each) is not signal.SIG_IGN]
    for each in caught:
        signal.signal(each, first)


def _interrupted(context: Context, stop: Interrupted) -> int:
    """Report a signal or a closed output pipe; the exit status is 128 + signal."""
    from mjcli.errors import DownloadError, Interrupted

    if not stop.threads_run:
        context.close(hurry=True)
    try:
        context.output.interrupted(stop, resuming=context.resuming)
    except (Interrupted, DownloadError):
        pass  # standard output is gone as well
    if stop.threads_run:  # a descriptor that they use must not be closed: it could become another file's
        _end_at_once(128 + stop.signal_number)
    return 128 + stop.signal_number


def _end_at_once(status: int) -> NoReturn:
    """End the process, before its threads do anything more."""
    import contextlib
    import os

    for each in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            each.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
