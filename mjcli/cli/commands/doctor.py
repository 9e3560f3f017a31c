"""`mj doctor`: check what works on this machine and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mjcli.cli.parser import MjCommand, new_app

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.doctor_machine import Finding

app = new_app()


@app.command(
    "doctor",
    cls=MjCommand,
    epilog="""mj doctor
# Another profile
mj doctor --profile work
# In a script: the names of the checks that failed
mj doctor --json | jq -r 'select(.status == "problem").check'""",
)
def doctor(ctx: typer.Context) -> None:
    """Check what works on this machine and what does not.

    The checks are: version, config, proxy, certificates, network, token, platform, clock, ledger, output,
    terminal, completion and pillow. Each is ok, a warning or a problem, with what to type next. One free query is
    sent to the service, and one with a platform token if there is one; nothing is changed, and no token is shown.

    The exit status is 0 if there is no problem, else that of the first one: 2 for settings and files, 3 for the
    token, 5 for the balance, 6 for the network. With --quiet, only problems are printed.
    """
    from mjcli.cli.doctor import Doctor
    from mjcli.cli.doctor_machine import PROBLEM

    context: Context = ctx.obj
    output = context.output
    for finding in Doctor(context).findings():
        if finding.status == PROBLEM:
            output.fail(finding.exit_status)
        if output.json:
            output.answer(_document(context, finding), [])
        elif finding.status == PROBLEM or not output.mode.quiet:
            output.text(_lines(context, finding))


def _commands(context: Context, finding: Finding) -> list[str]:
    """What to type next, with the options that reach the same profile or sandbox."""
    return [each for each in map(context.output.next_command, finding.commands) if each]


def _document(context: Context, finding: Finding) -> dict[str, object]:
    return {
        "check": finding.check,
        "status": finding.status,
        "message": finding.message,
        "next": _commands(context, finding),
        "hints": list(finding.hints),
    }


def _lines(context: Context, finding: Finding) -> str:
    """A finding for people: its line, and a line for each command to type next."""
    from mjcli.cli.doctor_machine import OK, WARNING
    from mjcli.cli.output.terminal import folded
    from mjcli.cli.output.text import visible

    output = context.output
    style = {OK: "32", WARNING: "33"}.get(finding.status, "1;31")
    status = finding.status.ljust(9)
    if output.colours(output.stdout):
        status = f"\x1b[{style}m{finding.status}\x1b[0m" + " " * (9 - len(finding.status))
    body = visible(f"{finding.check}: {finding.message}")
    if output.stdout_is_terminal:
        body = folded(body, output.width(output.stdout), 9)
    # A command is for copying, so it stays on one line.
    lines = [f"         next: {visible(line)}" for line in _commands(context, finding)]
    lines += [f"         hint: {visible(line)}" for line in finding.hints]
    return "\n".join([status + body, *lines]) + "\n"
