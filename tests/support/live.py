"""A running `mj gallery`, and requests to it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.program import SOON, Mj


@dataclass
class Live:
    """A server, the address that admits one browser, and the cookie after `enter`."""

    process: subprocess.Popen[bytes]
    address: str
    cookie: str = ""
    path: str = "/"
    own: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def request(
        self, method: str, path: str, body: Any = None, **headers: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body of a response; None leaves out a header."""
        given = {"host": urlsplit(self.address).netloc, "cookie": self.cookie, "origin": self.origin}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given["content-type"] = "application/json"
        for name, value in headers.items():
            given[name.replace("_", "-")] = value  # type: ignore[assignment]
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.address).port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in given.items():
                if value:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def enter(self) -> None:
        """Be admitted, as the browser is."""
        status, headers, body = self.request("POST", "/enter", self.address.partition("#")[2].encode())
        assert status == 200, body
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.path = json.loads(body)["path"]

    def get(self, name: str, **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        return self.request("GET", self.path + name, **headers)

    def post(self, name: str, body: Any, **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        return self.request("POST", self.path + name, body, **headers)

    @property
    def data(self) -> Any:
        """The data of the page."""
        _, _, body = self.get("")
        text = body.decode().partition('<script type="application/json" id="data">')[2]
        return json.loads(text.partition("</script>")[0])

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Stop the program; its exit status and standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=SOON)
        assert b"Traceback" not in err, err.decode()
        return self.process.returncode, err.decode()


@contextmanager
def gallery(mj: Mj, *arguments: object, **popen: Any) -> Iterator[Live]:
    """Serve the gallery until the end of the block."""
    process = mj.start("gallery", "--no-open", "--json", *arguments, **popen)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (process.communicate(timeout=SOON)[1] or b"").decode()
        yield Live(process, json.loads(line)["address"])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=SOON)
