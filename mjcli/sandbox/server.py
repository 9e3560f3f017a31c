"""The threads and connections of the sandbox's HTTP server."""

from __future__ import annotations

import http.server
import os
import socket
import socketserver
import threading
from typing import Any

from .callbacks import Callbacks
from .endpoints import Endpoints
from .faults import Faults
from .files import Files
from .options import SandboxOptions
from .platform import Platform

GRACE = 5.0  # seconds for what is in progress when the server closes


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread per connection, and what these threads share."""

    daemon_threads = True
    # Elsewhere this option would let two servers share a port.
    allow_reuse_address = os.name == "posix"
    request_queue_size = 128

    endpoints: Endpoints
    files: Files
    callbacks: Callbacks
    platform: Platform
    faults: Faults

    def __init__(
        self, host: str, port: int, handler: type[http.server.BaseHTTPRequestHandler], options: SandboxOptions
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.options = options
        self.stopping = threading.Event()
        self.server_id = os.urandom(8).hex()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        super().__init__((host, port), handler)
        name = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{name}:{self.server_address[1]}"
        #: Where links to images lead; another server of the same database may outlive this one.
        self.links_url = self.base_url

    def add_connection(self, connection: socket.socket) -> None:
        """Register a connection of the current thread, to be closed with the server."""
        with self._connections_lock:
            self._connections[connection] = threading.current_thread()

    def remove_connection(self, connection: socket.socket) -> None:
        """Forget a closed connection."""
        with self._connections_lock:
            self._connections.pop(connection, None)

    def end_connections(self) -> None:
        """Shut down the open connections and wait for their threads."""
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the client closed it first
        for thread in connections.values():
            thread.join(GRACE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: clients may disconnect at any time, and standard error belongs to the program."""
