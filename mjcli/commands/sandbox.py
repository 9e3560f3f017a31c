"""`mj sandbox`: the stand-in of the service, for other programs."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import ConfigError
from mjcli.options import MjCommand, new_app

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()

DEFAULT_PORT = 8765


@app.command(
    "sandbox",
    cls=MjCommand,
    epilog="""mj sandbox
# In another terminal
MJ_BASE_URL=http://127.0.0.1:8765 MJ_TOKEN=sandbox mj imagine "a cat"
# A bad day of the service
mj sandbox --seconds 20 --failure-rate 0.2 --cut-rate 0.5 --rate-limit 10""",
)
def sandbox(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Listen on this port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    seconds: Annotated[float, typer.Option(min=0.0, metavar="S", help="How long a job takes.")] = 8.0,
    failure_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="0-1", help="Share of jobs that fail.")
    ] = 0,
    error_rate: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, metavar="0-1", help="Share of requests answered with a 500 error."),
    ] = 0,
    cut_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="0-1", help="Share of streams cut off in the middle.")
    ] = 0,
    rate_limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Jobs accepted in a minute; more are answered 429.")
    ] = None,
    require_token: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="Accept this made-up token only (the default accepts any)."),
    ] = None,
    random_seed: Annotated[int | None, typer.Option(metavar="N", help="Make the faults repeatable.")] = None,
) -> None:
    """Serve the embedded stand-in of the service on this machine.

    It speaks the service's HTTP: jobs, streams, callbacks, tasks, errors, pictures. Nothing leaves the
    machine, nothing is paid, and what it draws says that it is a sandbox's. Its tasks and pictures
    outlive it. It runs until Ctrl-C.
    """
    from mjcli.errors import Interrupted
    from mjcli.sandbox import Sandbox, SandboxOptions

    runtime: Runtime = ctx.obj
    options = SandboxOptions(
        seconds=seconds,
        failure_rate=failure_rate,
        error_rate=error_rate,
        cut_rate=cut_rate,
        rate_limit=rate_limit,
        token=require_token,
        seed=random_seed,
    )
    try:
        server = Sandbox(runtime.data_dir / "sandbox.db", options, port=port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"The port {port} is in use.", hint="mj sandbox --port 0") from error
        raise ConfigError(
            f"The sandbox cannot be served on port {port} from {runtime.data_dir}: {error.strerror or error}.",
            hint="set MJ_DATA_DIR to a directory you can write to, or choose another --port",
        ) from error
    token = require_token or "sandbox"
    following = f'MJ_BASE_URL={server.base_url} MJ_TOKEN={token} mj imagine "a cat"'
    runtime.output.answer(
        {"base_url": server.base_url, "token": token},
        [("address", server.base_url), ("token", token), ("next", following)],
        [server.base_url],
    )
    runtime.output.notice("The sandbox runs until Ctrl-C; nothing is paid here.")
    try:
        server.serve_forever()
    except Interrupted as stop:
        # Ctrl-C is how it is meant to be ended.
        if stop.signal_number != 2:
            raise
    finally:
        server.close()
