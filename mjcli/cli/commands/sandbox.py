"""`mj sandbox`: serve the stand-in for the service to other programs."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import command
from mjcli.cli.parser import MjCommand, new_app
from mjcli.cli.shell import can_be_typed, with_variables
from mjcli.errors import ConfigError

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()

DEFAULT_PORT = 8765


@app.command(
    "sandbox",
    cls=MjCommand,
    epilog="""mj sandbox
# In another terminal
MJ_BASE_URL=http://127.0.0.1:8765 MJ_TOKEN=sandbox mj imagine "a cat"
# Simulate faults of the service
mj sandbox --seconds 20 --failure-rate 0.2 --cut-rate 0.5 --rate-limit 10""",
)
def sandbox(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on; 0 picks a free one.")
    ] = DEFAULT_PORT,
    seconds: Annotated[float, typer.Option(min=0.0, metavar="S", help="Duration of a job in seconds.")] = 8.0,
    failure_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="0-1", help="Share of jobs that fail.")
    ] = 0,
    error_rate: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, metavar="0-1", help="Share of requests that get a 500 error."),
    ] = 0,
    cut_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="0-1", help="Share of streams that are cut off.")
    ] = 0,
    rate_limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Jobs accepted per minute; more get a 429 error.")
    ] = None,
    require_token: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="Token that requests must contain (default: any)."),
    ] = None,
    random_seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed for reproducible faults.")
    ] = None,
) -> None:
    """Run a local sandbox of the service until Ctrl-C.

    It has the service's HTTP interface: jobs, streams, callbacks, tasks, errors, images. Nothing leaves this
    machine, nothing is billed, and every image is marked as the sandbox's. Tasks and images are saved and
    available when it is started again.

    While it runs, it also serves the images of commands with --sandbox, so that their links keep working.
    """
    from mjcli.errors import Interrupted
    from mjcli.sandbox import Sandbox, SandboxOptions

    context: Context = ctx.obj
    options = SandboxOptions(
        seconds=seconds,
        failure_rate=failure_rate,
        error_rate=error_rate,
        cut_rate=cut_rate,
        rate_limit=rate_limit,
        token=require_token,
        seed=random_seed,
    )
    directory = context.settings.data_dir.value
    try:
        server = Sandbox(directory / "sandbox.db", options, port=port)
        server.announce()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"Port {port} is in use.", hint=command("sandbox", "--port", "0")) from error
        raise ConfigError(
            f'The sandbox cannot start on port {port} with data in "{directory}": {error.strerror or error}.',
            hint="set MJ_DATA_DIR to a writable directory, or choose another --port",
        ) from error
    try:
        _show_address(context, server.base_url, require_token or "sandbox")
        server.serve_forever()
    except Interrupted as stop:
        # Ctrl-C is the normal way to end it.
        if stop.signal_number != 2:
            stop.sentence = "The sandbox was stopped."
            raise
    finally:
        server.close()


def _show_address(context: Context, base_url: str, token: str) -> None:
    """Show how to reach the sandbox."""
    variables = {"MJ_BASE_URL": base_url, "MJ_TOKEN": token}
    following = with_variables(command("imagine", "a cat"), variables) if can_be_typed(token) else ""
    context.output.answer(
        {"base_url": base_url, "token": token},
        [("address", base_url), ("token", token), ("next", following)],
        [base_url],
    )
    context.output.notice("The sandbox runs until Ctrl-C; nothing is billed.")
