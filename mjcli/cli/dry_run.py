"""`--dry-run`: a request as a curl command, without the token."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mjcli.cli.output.sink import Output
    from mjcli.settings.load import Settings

SANDBOX_URL = "http://127.0.0.1:8765"  # where `mj sandbox` listens by default; a dry run starts no sandbox


def print_request(
    output: Output, settings: Settings, path: str, body: Mapping[str, Any], *, stream: bool
) -> None:
    """Print the POST of `body` to `path`; the token is left to the shell's MJ_TOKEN."""
    base = settings.base_url.value or SANDBOX_URL
    in_query = settings.token_in.value == "query"
    accept = "application/x-ndjson" if stream else "application/json"
    words = [
        "curl",
        *(["-N"] if stream else []),
        "-X",
        "POST",
        f'"{base}{path}?token=$MJ_TOKEN"' if in_query else shlex.quote(base + path),
        *([] if in_query else ["-H", '"authorization: Bearer $MJ_TOKEN"']),
        "-H",
        shlex.quote(f"accept: {accept}"),
        "-H",
        shlex.quote("content-type: application/json"),
        "--data-raw",
        shlex.quote(output.printable_json(body)),
    ]
    curl = " ".join(words)
    if not output.json:
        output.text(f"{curl}\n")
        return
    output.answer(
        {"curl": curl, "method": "POST", "url": base + path, "accept": accept, "body": dict(body)}, []
    )
