"""Which files a finished job has, by the digests that the ledger has of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mjcli.api.models import Result
from mjcli.cli.finished import FinishedJob
from mjcli.jobs.job import digests_of
from tests.support.images import png


def job_with(paths: list[Path], digests: list[str | None] | None) -> Any:
    return SimpleNamespace(files=[str(each) for each in paths], files_sha256=digests, files_due=0)


def finished(job: Any) -> FinishedJob:
    return FinishedJob(Result({"raw_image_url": "http://x/cat.png", "progress": 100}), "t", job=job)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_whose_digest_is_the_same_is_saved_whatever_its_format(tmp_path: Path) -> None:
    path = tmp_path / "cat.bin"
    path.write_bytes(b"unknown")
    assert finished(job_with([path], [digest(b"unknown")])).is_saved


def test_a_complete_image_with_another_digest_is_not_the_jobs(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png(2))
    assert not finished(job_with([path], [digest(png(1))])).is_saved


def test_without_a_digest_the_end_of_the_image_decides(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png(2))
    assert finished(job_with([path], None)).is_saved
    path.write_bytes(png(2)[:-1])
    assert not finished(job_with([path], [None])).is_saved


def test_fewer_digests_than_files_do_no_harm() -> None:
    assert digests_of(job_with([Path("/a"), Path("/b")], ["1"])) == {"/a": "1", "/b": None}
