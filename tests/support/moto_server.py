"""Moto's server with one request at a time: `PYTHON moto_server.py`, with the Python that has moto.

Moto's own command looks for an object and writes it in two steps, so that two creates at once may both succeed.
"""

import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

application = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):  # type: ignore[no-untyped-def]
    with turn:
        return list(application(environ, start_response))


if __name__ == "__main__":
    run_simple("127.0.0.1", 0, one_at_a_time, threaded=True)
