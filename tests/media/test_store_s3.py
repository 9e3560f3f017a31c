"""The object store with a real S3 server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mjcli.errors import NameInUse, StoreError
from mjcli.jobs.claims import Claim, Claims, Counts, count
from mjcli.media.store import ObjectStore, check_exclusive
from mjcli.media.store_files import StoreTarget
from tests.jobs.claims_world import World, request_of
from tests.support.moto import Moto, started_moto

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with started_moto(tmp_path_factory.mktemp("moto")) as found:
        yield found


@pytest.fixture
def store(moto: Moto, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A prefix in a bucket of its own."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")
    return ObjectStore(f"{moto.bucket(name)}/a prefix/of mine/")


def test_objects_are_written_read_and_listed(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(bytes(12_000_000))
    store.put_file("files/a cat #1 (ä).png", tmp_path / "cat.png")
    store.put("results/a.json", b"{}")
    assert store.get("results/a.json") == b"{}"
    assert store.get("results/b.json") is None
    assert store.get("files/a cat #1 (ä).png") == bytes(12_000_000)
    assert sorted(store.list("")) == ["files/a cat #1 (ä).png", "results/a.json"]


def test_more_objects_than_a_page_are_listed(store: ObjectStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: store.put(f"claims/{n}.json", b""), range(1100)))
    assert len(set(store.list("claims/"))) == 1100


def test_only_one_create_succeeds(store: ObjectStore) -> None:
    check_exclusive(store)
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: store.create("claims/a.json", b"%d" % n), range(8)))
    assert created.count(True) == 1
    assert store.get("claims/a.json") == b"%d" % created.index(True)


@pytest.mark.parametrize("size", [100, 70_000_000])
def test_a_file_is_saved_once_under_its_name(store: ObjectStore, tmp_path: Path, size: int) -> None:
    target = StoreTarget(store)
    (tmp_path / "part").write_bytes(bytes(size))
    first = target.save("cats/a cat.png", tmp_path / "part")
    assert first.url == f"{store.url}cats/a cat.png"
    assert target.save("cats/a cat.png", tmp_path / "part").kept
    assert target.save("cats/a cat.png", b"a dog").key == "cats/a cat-2.png"
    assert target.save("cats/a cat.png", bytes(size)[:-1]).key == "cats/a cat-3.png"
    assert StoreTarget(store, force=True).save("cats/a cat.png", b"a cow").key == "cats/a cat.png"
    assert store.get("cats/a cat.png") == b"a cow"
    with pytest.raises(NameInUse):
        target.check_free(["cats/a cat-2.png"])


def test_the_items_of_all_machines_are_counted(store: ObjectStore) -> None:
    world = World()
    for number in range(3):
        claims = Claims(store, "prompts.txt", [world.account()])
        done, lost = f"a cat {number}", f"a dog {number}"
        claim = claims.acquire(done, request_of(done))
        assert isinstance(claim, Claim)
        claim.finish("done", files=[f"{number}.png"])
        assert isinstance(claims.acquire(lost, request_of(lost)), Claim)
    assert count(store, "prompts.txt") == Counts(done=3, failed=0, running=0, waiting=3, unknown=0)


def test_of_many_machines_one_gets_each_item(store: ObjectStore) -> None:
    machines = [Claims(store, "prompts.txt", [World().account()]) for _ in range(8)]
    for number in range(5):
        item = f"a cat {number}"
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda each, item=item: each.acquire(item, request_of(item)), machines))  # type: ignore[misc]
        assert [type(each) for each in found].count(Claim) == 1


def test_a_missing_bucket_is_named_before_anything_is_sent(store: ObjectStore) -> None:
    with pytest.raises(StoreError, match="the bucket does not exist"):
        check_exclusive(ObjectStore("s3://no-such-bucket/prefix"))
