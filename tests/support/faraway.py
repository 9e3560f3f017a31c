"""An API that does not appear to be on this machine, reached through a proxy over TLS."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest


def certificate_for(directory: Path, name: str) -> tuple[Path, Path]:
    """The files of a key and a self-signed certificate for `name` (`IP:127.0.0.1`, `DNS:host`)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    request = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    request += ["-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, capture_output=True)
    return key, certificate


class FarAway:
    """An API that appears to be on another machine: a proxy answers in its place.

    `env` is the environment that leads there, `received` the requests that came through the tunnel.
    """

    HOST = "api.example.invalid"

    def __init__(self, listener: socket.socket, context: ssl.SSLContext, certificate: Path) -> None:
        self._listener, self._context = listener, context
        self._body = b""
        self.received: list[bytes] = []
        self.env: dict[str, str | None] = {
            "MJ_BASE_URL": f"https://{self.HOST}",
            "HTTPS_PROXY": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "SSL_CERT_FILE": str(certificate),
        }
        threading.Thread(target=self._accept, daemon=True).start()

    def answer(self, document: Any) -> None:
        """Respond to every request with this JSON value."""
        self._body = json.dumps(document).encode()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        assert asked.startswith(f"CONNECT {self.HOST}:443 ".encode())
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with self._context.wrap_socket(connection, server_side=True) as secure:
            request = secure.recv(65536)
            while not request.endswith(b"}"):
                request += secure.recv(65536)
            self.received.append(request)
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
            secure.sendall(head % len(self._body) + self._body)
