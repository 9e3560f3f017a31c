"""Where the sandbox of a database is served beyond one command, so that links can lead there.

`mj sandbox` writes its address beside the database; a command that starts a sandbox of its own reads it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

PRODUCT = "mj-sandbox"
_SECONDS = 1.0  # for a response from this machine
_MAX_BYTES = 4096


def announce(database: Path, url: str, server_id: str) -> None:
    """Record that the server `server_id` serves `database` at `url`. Raises `OSError`."""
    place = _place(database)
    temporary = place.with_name(f".{place.name}.{server_id}")
    try:
        temporary.write_text(json.dumps({"url": url, "id": server_id}), encoding="utf-8")
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def withdraw(database: Path, server_id: str) -> None:
    """Remove the record of a server, unless another server has replaced it."""
    with contextlib.suppress(OSError):
        if _recorded(database)[1] == server_id:
            _place(database).unlink()


def serving_url(database: Path) -> str | None:
    """The address of a running server for `database`; None if there is none."""
    url, server_id = _recorded(database)
    return url if url and server_id and _is_served(url, server_id) else None


def server_header(server_id: str) -> str:
    """What a server calls itself in its responses."""
    return f"{PRODUCT}/{server_id}"


def _place(database: Path) -> Path:
    return database.with_suffix(".url")


def _recorded(database: Path) -> tuple[str, str]:
    """The address and the id of the server that was recorded last; empty if there is none."""
    place = _place(database)
    try:
        if not place.is_file() or os.path.getsize(place) > _MAX_BYTES:  # noqa: PTH202
            return "", ""
        document = json.loads(place.read_bytes())
        return str(document["url"]), str(document["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _is_served(url: str, server_id: str) -> bool:
    """Whether that server still runs: a crash leaves the record, and another program may have the port."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1") or parts.path:
            return False
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
        with contextlib.closing(connection):
            connection.request("HEAD", "/")
            return connection.getresponse().getheader("server") == server_header(server_id)
    except (OSError, ValueError, http.client.HTTPException):
        return False
