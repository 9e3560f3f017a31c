"""Wrong addresses, proxies, certificates and clocks: a clear error, and the token goes nowhere else."""

from __future__ import annotations

import importlib.util
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.faraway import FarAway, certificate_for
from tests.support.images import png
from tests.support.program import Mj, Result, run_after
from tests.support.service import Received, Reply, Service, serve, task_record

pytestmark = pytest.mark.slow

TOKEN = "secret-token"
NEVER = ("--retries", "0")

# A short connect timeout.
IMPATIENT = """
import sys
import mjcli.api.connection
from mjcli.__main__ import main

assert mjcli.api.connection.CONNECT_SECONDS
mjcli.api.connection.CONNECT_SECONDS = 0.3
sys.exit(main())
"""


@pytest.fixture
def proxy() -> Iterator[Service]:
    """A fake proxy: it records requests and forwards none."""
    yield from serve()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def sentence(result: Result) -> None:
    """One sentence for people, no traceback, no token."""
    assert "Traceback" not in result.err
    assert TOKEN not in result.out + result.err
    first = result.err.splitlines()[0]
    assert first.startswith(("mj: ", "warning: "))
    assert "fault in mj itself" not in result.err


# -- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.invalid",
        "http://198.51.100.7",
        "HTTP://198.51.100.7",
        "http://127.0.0.1.example.invalid",
        "http://localhost.example.invalid",
        "http://127.0.0.1@198.51.100.7",
        "http://[2001:db8::1]:8080",
        "http://0x7f000001.example.invalid",
    ],
)
def test_a_token_is_not_sent_over_plain_http_to_another_machine(mj: Mj, proxy: Service, url: str) -> None:
    """Anything that was sent would reach the proxy."""
    env = {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": url, "HTTP_PROXY": proxy.base_url, "http_proxy": proxy.base_url}
    result = mj("imagine", "a cat", *NEVER, env=env, check=2)
    sentence(result)
    assert "base" in result.err.lower()
    assert not proxy.received


@pytest.mark.parametrize(
    "command", [("describe-task", "task-1"), ("imagine", "x", "--no-wait", "--no-ledger")]
)
def test_no_command_sends_the_token_over_plain_http(mj: Mj, proxy: Service, command: tuple[str, ...]) -> None:
    env = {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": "http://api.example.invalid", "HTTP_PROXY": proxy.base_url}
    mj(*command, env=env, check=2)
    assert not proxy.received


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_plain_http_on_this_machine_is_allowed(mj: Mj, service: Service, host: str) -> None:
    service.answer(service.result())
    url = service.base_url.replace("127.0.0.1", host)
    mj("imagine", "a cat", env={"MJ_TOKEN": TOKEN, "MJ_BASE_URL": url})
    assert len(service.posts()) == 1


@pytest.mark.parametrize(
    "url", ["ftp://api.example", "api.example", "https://", "https://a b/", "file:///x", "https://x:port"]
)
def test_an_invalid_address_is_refused(mj: Mj, url: str) -> None:
    result = mj("imagine", "a cat", *NEVER, env={"MJ_TOKEN": TOKEN, "MJ_BASE_URL": url}, check=2)
    sentence(result)


# -- proxies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_service_on_this_machine_is_not_reached_through_a_proxy(
    online: Mj, service: Service, proxy: Service, variable: str
) -> None:
    """The proxy would see the token, and it is not the profile's API host."""
    service.answer(service.result())
    online("imagine", "a cat", *NEVER, env={variable: proxy.base_url}, check=None)
    assert not [each for each in proxy.received if TOKEN in repr(each)]


def test_an_unreachable_proxy_is_reported_and_nothing_is_sent(mj: Mj) -> None:
    env = {
        "MJ_TOKEN": TOKEN,
        "MJ_BASE_URL": "https://api.example.invalid",
        "HTTPS_PROXY": f"http://127.0.0.1:{closed_port()}",
    }
    sentence(mj("imagine", "a cat", *NEVER, env=env, check=6))


def test_a_refusing_proxy_is_reported_and_gets_no_token(mj: Mj, proxy: Service) -> None:
    """The proxy answers CONNECT with an error."""
    env = {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": "https://api.example.invalid", "HTTPS_PROXY": proxy.base_url}
    sentence(mj("imagine", "a cat", *NEVER, env=env, check=6))
    assert not [each for each in proxy.received if TOKEN in repr(each)]


def ledger_rows(mj: Mj, columns: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(mj.home / "data" / "ledger.db")
    try:
        return connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("options", [[], ["--no-stream"], ["--no-ledger"]], ids=repr)
def test_a_job_is_sent_through_a_proxy_once(
    online: Mj, service: Service, far_away: FarAway, options: list[str]
) -> None:
    far_away.answer(service.result(task_id="task-1"))
    result = online("imagine", "a cat", "--json", "-v", *options, env=far_away.env)
    assert result.answer["task_id"] == "task-1"
    assert "Searching" not in result.err
    assert result.err.count("The request was sent") == 1
    (request,) = far_away.received
    assert request.startswith(b"POST /midjourney/imagine HTTP/1.1\r\n")
    assert b"Bearer secret-token" in request
    if "--no-ledger" not in options:
        assert ledger_rows(online, "state, task_id") == [("done", "task-1")]


def no_answer(listener: socket.socket, over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        over.wait(60)


def disconnects(listener: socket.socket, _over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)


def refuses(listener: socket.socket, _over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize("way", [no_answer, disconnects, refuses])
def test_a_proxy_without_a_tunnel_does_not_receive_the_request(
    online: Mj, way: Callable[[socket.socket, threading.Event], None]
) -> None:
    """Whatever it does with CONNECT: nothing was sent, and a script may retry."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=way, args=(listener, over), daemon=True)
        thread.start()
        online.env |= {
            "MJ_BASE_URL": "https://api.example.invalid",
            "HTTPS_PROXY": f"http://127.0.0.1:{listener.getsockname()[1]}",
        }
        result = run_after(online, IMPATIENT, "imagine", "a cat", "--json", *NEVER)
        over.set()
        thread.join(10)
    sentence(result)
    assert result.status == 6, result.err
    assert result.answer["error"]["code"] == "network"
    assert "Nothing was sent" in result.err
    assert ledger_rows(online, "state, sent_at, task_id") == [("failed", None, None)]


@pytest.mark.parametrize("value", ["http://[::1", "nonsense://127.0.0.1:1", "http://127.0.0.1:port", "://"])
def test_an_invalid_proxy_setting_is_reported(mj: Mj, value: str) -> None:
    env = {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": "https://api.example.invalid", "HTTPS_PROXY": value}
    result = mj("imagine", "a cat", *NEVER, env=env, check=None)
    sentence(result)
    assert result.status in (2, 6)


def test_the_password_of_a_proxy_is_not_shown(mj: Mj) -> None:
    for port in (closed_port(), "port"):
        env = {
            "MJ_TOKEN": TOKEN,
            "MJ_BASE_URL": "https://api.example.invalid",
            "HTTPS_PROXY": f"http://user:hidden-password@127.0.0.1:{port}",
        }
        result = mj("imagine", "a cat", *NEVER, env=env, check=None)
        sentence(result)
        assert "hidden-password" not in result.out + result.err


@pytest.mark.skipif(
    importlib.util.find_spec("socksio") is not None, reason="the package for SOCKS is installed"
)
def test_a_socks_proxy_without_its_package_names_the_package(mj: Mj) -> None:
    env = {
        "MJ_TOKEN": TOKEN,
        "MJ_BASE_URL": "https://api.example.invalid",
        "ALL_PROXY": "socks5://127.0.0.1:9",
    }
    result = mj("imagine", "a cat", env=env, check=2)
    sentence(result)
    assert "SOCKS" in result.err
    assert "socksio" in result.err


@pytest.mark.skipif(
    importlib.util.find_spec("socksio") is not None, reason="the package for SOCKS is installed"
)
def test_a_socks_proxy_without_its_package_does_not_lose_a_finished_job(online: Mj, service: Service) -> None:
    """The service is on this machine; only an image elsewhere would go through the proxy."""
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    result = online("imagine", "a cat", "--download", env={"ALL_PROXY": "socks5://127.0.0.1:9"}, check=None)
    sentence(result) if result.status else None
    # Reported before anything is paid for, or irrelevant for an address on this machine.
    assert (result.status, len(service.posts())) in ((0, 1), (2, 0))


# -- certificates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_missing_or_invalid_certificate_file_is_reported(
    mj: Mj, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_bytes(content)
    env = {
        "MJ_TOKEN": TOKEN,
        "MJ_BASE_URL": f"https://127.0.0.1:{closed_port()}",
        "SSL_CERT_FILE": str(path),
    }
    result = mj("imagine", "a cat", *NEVER, env=env, check=None)
    sentence(result)
    assert result.status in (2, 6)
    if result.status == 2:
        assert "SSL_CERT_FILE" in result.err


def test_a_missing_certificate_file_does_not_affect_plain_http(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    online("imagine", "a cat", "--download", env={"SSL_CERT_FILE": "/nowhere/certificates.pem"})


def test_a_missing_certificate_file_is_a_failed_download_of_a_secure_link(
    online: Mj, service: Service
) -> None:
    service.answer(service.result(raw_image_url=f"https://127.0.0.1:{closed_port()}/cat.png"))
    env = {"SSL_CERT_FILE": "/nowhere/certificates.pem"}
    result = online("imagine", "a cat", "--download", "--json", env=env, check=8)
    assert result.answer["raw_image_url"]
    assert list(online.cwd.iterdir()) == []


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[tuple[str, list[bytes], Path]]:
    """An https server with an untrusted certificate: its address, the data received, its certificate."""
    key, certificate = certificate_for(tmp_path, "IP:127.0.0.1")
    came: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(str(self.headers).encode())
            self.rfile.read(int(self.headers["content-length"]))
            data = b'{"task_id": "t", "progress": 100, "raw_image_url": "https://x/", "success": true}'
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """The test is about clients that refuse the certificate."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", came, certificate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_untrusted_certificate_is_refused_before_anything_is_sent(
    mj: Mj, self_signed: tuple[str, list[bytes], Path]
) -> None:
    url, came, _ = self_signed
    result = mj("imagine", "a cat", "--json", env={"MJ_TOKEN": TOKEN, "MJ_BASE_URL": url}, check=6)
    sentence(result)
    assert "certificate" in result.err.lower()
    assert result.answer["error"]["code"] == "network"
    assert not came


def test_a_custom_certificate_file_is_used(mj: Mj, self_signed: tuple[str, list[bytes], Path]) -> None:
    url, came, certificate = self_signed
    env = {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": url, "SSL_CERT_FILE": str(certificate)}
    mj("imagine", "a cat", "--no-stream", env=env)
    assert len(came) == 1


# -- HOME and the clock --------------------------------------------------------------------------------


def test_without_a_home_directory_it_works_if_the_paths_are_set(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a cat", env={"HOME": None})
    assert (online.home / "data" / "ledger.db").exists()


@pytest.mark.skipif(not hasattr(os, "setuid") or os.name == "nt", reason="users as Unix has them")
def test_without_a_home_directory_the_error_names_what_to_set(mj: Mj) -> None:
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become somebody without a home")
    import pwd

    uid = next(n for n in range(54_321, 54_999) if n not in {each.pw_uid for each in pwd.getpwall()})
    become = (
        f"import os, sys; os.setgroups([]); os.setgid({uid}); os.setuid({uid}); os.chdir('/');"
        "os.execv(sys.executable, [sys.executable, '-m', 'mjcli', *sys.argv[1:]])"
    )
    env = mj.environment({"HOME": None, "MJ_CONFIG": None, "MJ_DATA_DIR": None, "MJ_TOKEN": TOKEN})
    probe = become.replace("'-m', 'mjcli', *sys.argv[1:]", "'-c', 'import mjcli, httpx'")
    if subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True).returncode:
        pytest.skip("another user cannot read the program here")
    done = subprocess.run(
        [sys.executable, "-c", become, "imagine", "a cat"],
        env={**env, "MJ_BASE_URL": "https://127.0.0.1:9"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    sentence(result)
    assert result.status == 2
    assert "HOME" in result.err


@pytest.mark.parametrize("ahead", [-7200, 7200], ids=["behind", "ahead"])
def test_a_lost_job_is_found_though_the_two_clocks_differ(online: Mj, service: Service, ahead: int) -> None:
    """Every response has the server's time in `Date`."""

    def lose(request: Received, reply: Reply) -> None:
        made = task_record("task-1", request.body, service.result(task_id="task-1"))
        service.tasks["task-1"] = {**made, "created_at": time.time() + ahead}
        reply.reset()

    def tasks(request: Received, reply: Reply) -> None:
        import json

        data = json.dumps(service._tasks(request.body)).encode()
        date = formatdate(time.time() + ahead, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {len(data)}\r\n\r\n"
        reply.raw(head.encode() + data)

    service.imagine(lose)
    service.scripts[Service.TASKS] = tasks
    answer = online("imagine", "a cat", "--json").answer
    assert answer["task_id"] == "task-1"
    assert len(service.posts()) == 1


def test_an_older_task_with_the_same_request_does_not_match_a_lost_job(online: Mj, service: Service) -> None:
    def lose(request: Received, reply: Reply) -> None:
        made = task_record("task-0", request.body, service.result(task_id="task-0"))
        service.tasks["task-0"] = {**made, "created_at": time.time() - 60}
        reply.reset()

    service.imagine(lose)
    online("imagine", "a cat", check=9)
    ledger = sqlite3.connect(online.home / "data" / "ledger.db")
    try:
        assert ledger.execute("SELECT state, task_id FROM jobs").fetchall() == [("unknown", None)]
    finally:
        ledger.close()


# -- addresses of something else -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        "404 Not Found",
        "405 Method Not Allowed\r\nallow: GET",
        "413 Content Too Large",
        "301 Moved\r\nlocation: https://www.example.com/",
        "302 Found",
        "307 Moved\r\nlocation: http://[::bad",
        "308 Moved\r\nlocation: https://a..b:99999/",
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"error": {"code": 7}}'], ids=repr)
def test_the_address_of_something_else_is_reported_although_its_response_does_not_end(
    online: Mj, service: Service, head: str, body: bytes
) -> None:
    service.imagine(
        lambda _, reply: reply.raw(f"HTTP/1.1 {head}\r\ncontent-length: 99999\r\n\r\n".encode() + body)
    )
    result = online("imagine", "a cat", check=6)
    assert "Nothing was accepted" in result.err
    assert "mj config set base_url" in result.err
    assert "may" not in result.err.split("next:")[0]
    assert len(service.received) == 1


def test_a_refused_certificate_names_the_variable_for_others(
    mj: Mj, self_signed: tuple[str, list[bytes], Path]
) -> None:
    result = mj("imagine", "a cat", env={"MJ_TOKEN": TOKEN, "MJ_BASE_URL": self_signed[0]}, check=6)
    assert "SSL_CERT_FILE" in result.err


@pytest.mark.parametrize("exceptions", ["fd07::/64", "::1/128,10.0.0.0/8", "bücher.example", "http://[ a..b"])
def test_no_entry_of_no_proxy_breaks_a_paid_command(
    online: Mj, service: Service, far_away: FarAway, exceptions: str
) -> None:
    far_away.answer(service.result(task_id="task-1"))
    result = online("imagine", "a cat", "--json", env={**far_away.env, "NO_PROXY": exceptions})
    assert result.answer["task_id"] == "task-1"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "http://user:hidden@["),
        ("ALL_PROXY", "socks4://127.0.0.1:9"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", "x" * 300),
        ("SSL_CERT_DIR", "/nowhere"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_before_anything_is_recorded(
    mj: Mj, variable: str, value: str
) -> None:
    env = {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": "https://api.example.invalid", variable: value}
    for options in ([], ["--no-stream"], ["--no-wait"]):
        result = mj("imagine", "a cat", *NEVER, *options, env=env, check=2)
        sentence(result)
        assert variable in result.err
        assert "hidden" not in result.err
        assert "--no-ledger" not in result.err
    assert not (mj.home / "data" / "ledger.db").exists() or ledger_rows(mj, "state") == []


def test_a_proxy_that_cannot_be_reached_is_named(mj: Mj) -> None:
    env = {
        "MJ_TOKEN": TOKEN,
        "MJ_BASE_URL": "https://api.example.invalid",
        "HTTPS_PROXY": f"127.0.0.1:{closed_port()}",
    }
    assert "through the proxy (HTTPS_PROXY)" in mj("imagine", "a cat", *NEVER, env=env, check=6).err
