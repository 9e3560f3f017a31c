"""An S3 that is not Amazon's: moto's server, over real HTTP."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engines import from_pypi


@dataclass
class Moto:
    """A running server."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which programs use it."""
        return s3_environment(self.address)

    def bucket(self, name: str) -> str:
        """Create a bucket, and return its address."""
        request = urllib.request.Request(f"{self.address}/{name}", method="PUT", data=b"")
        urllib.request.urlopen(request).close()
        return f"s3://{name}"


def s3_environment(address: str) -> dict[str, str]:
    """The variables that name an S3 at this address."""
    return {
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def started_moto(directory: Path) -> Iterator[Moto]:
    """Run a server on a free port of the loopback interface."""
    log = directory / "moto.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [from_pypi("python"), "-P", str(Path(__file__).with_name("moto_server.py"))],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        assert server.stderr is not None
        seen = ""
        for line in server.stderr:
            seen += line
            if found := re.search(r"Running on (http://127\.0\.0\.1:[0-9]+)", line):
                break
        else:
            raise AssertionError(f"moto did not start: {seen}")
        # Requests are logged to the pipe, which must not fill up.
        drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        yield Moto(found[1])
    finally:
        server.kill()
        server.wait()
    drain.wait()
    server.stderr.close()
