"""Files of jobs in an object store, which is a local directory here."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mjcli.errors import NameInUse, StoreError, UsageError
from mjcli.media import store_files
from mjcli.media.store import ObjectStore
from mjcli.media.store_files import StoreTarget, check_name

if sys.platform == "win32":
    # Its library needs what Wine does not have.
    pytest.importorskip("obstore", exc_type=ImportError)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "a store").as_uri())


@pytest.fixture
def target(store: ObjectStore) -> StoreTarget:
    return StoreTarget(store)


@pytest.fixture(params=["bytes", "file", "large file"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path | bytes:
    """The bytes of a picture, in each form in which they are saved."""
    if request.param == "bytes":
        return b"a cat"
    if request.param == "large file":
        monkeypatch.setattr(store_files, "_SINGLE", 2)
    (tmp_path / "cat.part").write_bytes(b"a cat")
    return tmp_path / "cat.part"


def test_a_file_is_saved_under_its_name(target: StoreTarget, tmp_path: Path, source: Path | bytes) -> None:
    saved = target.save("cats/a cat_1.png", source)
    path = tmp_path / "a store" / "cats" / "a cat_1.png"
    assert path.read_bytes() == b"a cat"
    assert (saved.key, saved.url, saved.kept) == ("cats/a cat_1.png", path.as_uri(), False)


def test_the_same_file_is_kept(target: StoreTarget, store: ObjectStore, source: Path | bytes) -> None:
    target.save("cat.png", source)
    again = target.save("cat.png", source)
    assert (again.key, again.kept, again.notices) == ("cat.png", True, ())
    assert list(store.list("")) == ["cat.png"]


@pytest.mark.parametrize("other", [b"a dog", b"", b"a larger animal"])
def test_a_name_in_use_is_numbered(
    target: StoreTarget, store: ObjectStore, source: Path | bytes, other: bytes
) -> None:
    store.put("cat.png", other)
    store.put("cat-2.png", other)
    saved = target.save("cat.png", source)
    assert (saved.key, saved.kept) == ("cat-3.png", False)
    assert saved.notices == (f'"{store.address("cat.png")}" already exists, so "cat-3.png" was used.',)
    assert (store.get("cat.png"), store.get("cat-3.png")) == (other, b"a cat")


def test_force_replaces_a_file(store: ObjectStore, source: Path | bytes) -> None:
    store.put("cat.png", b"a dog")
    assert StoreTarget(store, force=True).save("cat.png", source).key == "cat.png"
    assert store.get("cat.png") == b"a cat"


def test_files_that_are_saved_at_once_under_one_name_are_all_there(
    target: StoreTarget, store: ObjectStore
) -> None:
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda number: target.save("cat.png", b"%d" % number), range(8)))
    assert {store.get(each.key) for each in saved} == {b"%d" % number for number in range(8)}


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../cat.png", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb", "\x1b[31m", "x" * 1025],
)
def test_a_name_that_leaves_the_prefix_is_refused(target: StoreTarget, name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
    with pytest.raises(StoreError) as caught:
        target.save(name, b"")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", [".mj/results/batch/cat.json", ".mj-sandbox/x", ".MJ/x", ".mj"])
def test_no_file_goes_where_the_records_are(target: StoreTarget, name: str) -> None:
    with pytest.raises(UsageError, match="reserved"):
        target.check_free([name])


@pytest.mark.parametrize("name", ["foo..bar", ".x.png", "a cat #1 (ä)%41~{x}.png", "con.png"])
def test_odd_names_are_used_as_they_are(target: StoreTarget, store: ObjectStore, name: str) -> None:
    assert target.save(name, b"a cat").key == name
    assert list(store.list("")) == [name]


def test_a_name_in_use_is_known_before_anything_is_sent(target: StoreTarget, store: ObjectStore) -> None:
    store.put("dog.png", b"a dog")
    target.check_free(["cat.png", "cow.png"])
    with pytest.raises(NameInUse, match=r"dog\.png\" already exists"):
        target.check_free(["cat.png", "dog.png"])
    StoreTarget(store, force=True).check_free(["dog.png"])


def test_a_file_that_cannot_be_read_is_one_sentence(target: StoreTarget, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read") as caught:
        target.save("cat.png", tmp_path / "none")
    assert "\n" not in caught.value.message


def test_a_store_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    directory.mkdir()
    (directory / ".mj").write_bytes(b"")  # where a directory must be
    with pytest.raises(StoreError, match="cannot be written"):
        StoreTarget.open(directory.as_uri())


def test_a_target_leaves_nothing_in_its_store(store: ObjectStore) -> None:
    StoreTarget.open(store.url)
    assert list(store.list("")) == []


def test_without_obstore_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match="not installed") as caught:
        StoreTarget.open("s3://bucket/prefix")
    assert caught.value.exit_code == 2
