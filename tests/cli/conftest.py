"""Fixtures that run the real program in a home directory of its own."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pauses
from tests.support.faraway import FarAway, certificate_for
from tests.support.forkserver import ForkServer
from tests.support.program import Mj
from tests.support.service import Service


@pytest.fixture
def online(mj: Mj, service: Service) -> Iterator[Mj]:
    """The program with a token and the scripted service; only the config file may contain the token."""
    mj.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": service.base_url}
    yield mj
    leaked = [
        path
        for path in mj.home.rglob("*")
        if path != Path(mj.env["MJ_CONFIG"]) and path.is_file() and b"secret-token" in path.read_bytes()
    ]
    assert not leaked, f"the token is in {leaked}"


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    """An interpreter that has imported the program and forks for each run."""
    pauses.check()
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def mj(tmp_path: Path, forks: ForkServer) -> Mj:
    """The program, isolated in the directory of the test."""
    home = tmp_path / "home"
    home.mkdir()
    return Mj(home, forks)


@pytest.fixture
def far_away(tmp_path: Path) -> Iterator[FarAway]:
    """An API on another machine, behind a proxy."""
    key, certificate = certificate_for(tmp_path, f"DNS:{FarAway.HOST}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield FarAway(listener, context, certificate)
        with contextlib.suppress(OSError):  # wakes the accepting thread, where the system allows it
            listener.shutdown(socket.SHUT_RDWR)
