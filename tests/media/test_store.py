"""Object stores: a local directory, and an S3 with faults on the loopback interface."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mjcli.errors import StoreError, UsageError
from mjcli.media import store as store_module
from mjcli.media.store import Limits, ObjectStore, check_exclusive, is_store
from tests.support.moto import s3_environment

QUICK = Limits(0.3, 1.0, 1)

if sys.platform == "win32":
    # Its library needs what Wine does not have.
    pytest.importorskip("obstore", exc_type=ImportError)


class FakeS3:
    """Stores objects as S3 does, with the faults that a test sets."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.conditional = True
        self.status: int | None = None
        self.body = b"<Error><Code>Other</Code></Error>"
        self.conflicts = 0  # requests that are refused because of another one in progress
        self.lost = 0  # responses that are not sent although the object was written
        self.silent = threading.Event()
        self.over = threading.Event()
        self.requests: list[str] = []
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def _send(self, status: int, data: bytes = b"") -> None:
                self.send_response(status)
                for name, value in (("etag", '"1"'), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")):
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length", "0")))
                outer.requests.append(f"PUT {self.path}")
                if outer.silent.is_set():
                    outer.over.wait(60)
                    return None
                if outer.status:
                    return self._send(outer.status, outer.body)
                if outer.conflicts:
                    outer.conflicts -= 1
                    return self._send(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
                with outer.lock:
                    taken = self.path in outer.objects and outer.conditional
                    if taken and self.headers.get("if-none-match") == "*":
                        return self._send(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                    outer.objects[self.path] = data
                    lost = outer.lost
                    outer.lost -= 1 if lost else 0
                return self._send(500, b"<Error/>") if lost else self._send(200)

            def do_HEAD(self) -> None:
                self._send(200 if self.path in outer.objects else 404)

            def do_GET(self) -> None:
                outer.requests.append(f"GET {self.path}")
                if outer.status:
                    return self._send(outer.status, outer.body)
                data = outer.objects.get(self.path)
                return (
                    self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
                    if data is None
                    else self._send(200, data)
                )

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    found = FakeS3()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for name, value in s3_environment(found.address).items():
        monkeypatch.setenv(name, value)
    yield found
    found.over.set()
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def store(fake: FakeS3) -> ObjectStore:
    return ObjectStore("s3://bucket/some/prefix", limits=QUICK)


@pytest.fixture
def local(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "a directory" / "objects").as_uri())


# -- addresses ---------------------------------------------------------------------------------------------


def test_an_object_store_is_recognised_by_its_scheme() -> None:
    assert all(is_store(each) for each in ("s3://b", "gs://b/p", "az://b/p", "file:///tmp", "S3://b"))
    assert not any(
        is_store(each) for each in ("pictures", "s3:/b", "https://b/p", "C://x", "{date}/{prompt}")
    )


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "file://",
        "file:///",
        "file://~/pictures",
        "ftp://host/x",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?y=1",
        "s3://bucket/x#y",
        "s3://bucket/../x",
        "s3://bucket/a\nb",
        "s3://[bucket/x",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_examples(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ObjectStore(url)
    assert "s3://BUCKET/PREFIX" in str(caught.value.hint)
    assert "secret" not in caught.value.message


def test_azure_without_an_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="account must be specified"):
        ObjectStore("az://container/prefix")


def test_without_obstore_the_command_to_install_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(UsageError, match="not installed") as caught:
        ObjectStore("s3://bucket/prefix")
    assert 'pip install "mjcli[store]"' in str(caught.value.hint)


def test_obstore_is_imported_only_when_a_store_is_opened() -> None:
    code = "import sys, mjcli.media.store; print([m for m in sys.modules if m.startswith('obstore')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


# -- a local directory -------------------------------------------------------------------------------------


def test_a_local_store_keeps_objects_as_files(local: ObjectStore, tmp_path: Path) -> None:
    local.put("batch/results/a.json", b"{}")
    local.put("batch/results/a.json", b"{1}")
    assert (tmp_path / "a directory/objects/batch/results/a.json").read_bytes() == b"{1}"
    assert local.get("batch/results/a.json") == b"{1}"
    assert local.get("batch/results/b.json") is None


def test_only_one_of_many_threads_creates_an_object(local: ObjectStore) -> None:
    for key in ("one", "two", "three"):
        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(lambda n, key=key: local.create(key, b"%d" % n), range(8)))  # type: ignore[misc]
        assert created.count(True) == 1
        assert local.get(key) == b"%d" % created.index(True)


def test_objects_are_listed_below_a_prefix(local: ObjectStore) -> None:
    for key in ("claims/a.json", "claims/a/b.json", "claims-of-others/c.json", "results/a.json"):
        local.put(key, b"")
    assert sorted(local.list("claims/")) == ["claims/a.json", "claims/a/b.json"]
    assert list(local.list("none")) == []


def test_a_file_is_written_as_an_object(local: ObjectStore, tmp_path: Path) -> None:
    data = bytes(range(256)) * 30_000  # more than one part
    (tmp_path / "cat.png").write_bytes(data)
    local.put_file("files/a cat #1 (ä).png", tmp_path / "cat.png")
    assert local.get("files/a cat #1 (ä).png") == data


def test_a_file_that_is_missing_is_one_sentence(local: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written") as caught:
        local.put_file("files/cat.png", tmp_path / "none.png")
    assert "\n" not in caught.value.message


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be used"):
        ObjectStore((tmp_path / "file" / "below").as_uri())


def test_a_local_store_is_exclusive(local: ObjectStore) -> None:
    check_exclusive(local)
    assert list(local.list("")) == []


# -- S3 with faults ----------------------------------------------------------------------------------------


def test_a_store_that_ignores_the_condition_is_refused(fake: FakeS3, store: ObjectStore) -> None:
    fake.conditional = False
    with pytest.raises(UsageError, match="several processes create the same object"):
        check_exclusive(store)


@pytest.mark.slow
def test_a_store_that_respects_the_condition_is_accepted(fake: FakeS3, store: ObjectStore) -> None:
    check_exclusive(store)
    assert all("/bucket/some/prefix/.mj/probe-" in each for each in fake.requests)


@pytest.mark.slow
def test_an_object_whose_response_was_lost_counts_as_taken(fake: FakeS3, store: ObjectStore) -> None:
    fake.lost = 1
    assert store.create("claims/a.json", b"mine") is False  # the second attempt finds the first
    assert store.get("claims/a.json") == b"mine"


@pytest.mark.slow
def test_a_conflict_with_a_request_that_failed_is_tried_again(fake: FakeS3, store: ObjectStore) -> None:
    fake.conflicts = 2
    assert store.create("claims/a.json", b"mine") is True
    assert store.get("claims/a.json") == b"mine"


def test_conflicts_without_end_are_an_error(
    fake: FakeS3, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_CONFLICT_PAUSES", (0.0, 0.01))
    fake.conflicts = 1000
    with pytest.raises(StoreError, match="another process is writing it"):
        store.create("claims/a.json", b"mine")
    assert fake.objects == {}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b"<Error><Code>AccessDenied</Code></Error>", "access was denied"),
        (401, b"", "refused the credentials"),
        (404, b"<Error><Code>NoSuchBucket</Code></Error>", "the bucket does not exist"),
        (400, b"<Error>\x1b[31m</Error>", "400 Bad Request"),
        (503, b"", "503 Service Unavailable"),
    ],
)
def test_a_refusal_is_one_sentence(
    fake: FakeS3, store: ObjectStore, status: int, body: bytes, reason: str
) -> None:
    fake.status, fake.body = status, body
    with pytest.raises(StoreError, match=reason) as caught:
        store.put("results/a.json", b"{}")
    assert caught.value.message.startswith('"s3://bucket/some/prefix/results/a.json" cannot be written: ')
    assert caught.value.message.isprintable()
    assert caught.value.exit_code == 2


@pytest.mark.slow
def test_an_object_is_not_missing_when_the_bucket_cannot_be_read(fake: FakeS3, store: ObjectStore) -> None:
    for fake.status, fake.body in (
        (403, b""),
        (500, b""),
        (404, b"<Error><Code>NoSuchBucket</Code></Error>"),
    ):
        with pytest.raises(StoreError, match="cannot be read"):
            store.get("claims/a.json")


@pytest.mark.slow
def test_a_store_that_does_not_respond_has_a_time_limit(fake: FakeS3, store: ObjectStore) -> None:
    fake.silent.set()
    with pytest.raises(StoreError, match="no connection, or no response in time"):
        store.create("claims/a.json", b"{}")
    assert 1 <= len(fake.requests) <= 2


@pytest.mark.slow
def test_a_store_without_a_server_is_one_sentence(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="no connection, or no response in time"):
        check_exclusive(ObjectStore("s3://bucket/prefix", limits=QUICK))
