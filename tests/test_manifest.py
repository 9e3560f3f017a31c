"""The manifest for Kubernetes in the README is valid, and its numbers agree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.engines import from_pypi

README = Path(__file__).parents[1] / "README.md"
(MANIFEST,) = re.findall(
    r"^```yaml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


def is_valid(text: str, path: Path) -> bool:
    path.write_text(text)
    command = [from_pypi("kubernetes-validate"), "--strict", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # An unknown kind or version is only mentioned.
    return done.returncode == 0 and "passed" in done.stdout


@pytest.mark.slow
def test_the_manifest_is_valid(tmp_path: Path) -> None:
    assert is_valid(MANIFEST, tmp_path / "job.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("completionMode", "completionmode"),
        ("completions: 3", "completions: three"),
        ("batch/v1", "batch/v0"),
    ],
)
def test_the_check_finds_a_wrong_field(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in MANIFEST
    assert not is_valid(MANIFEST.replace(right, wrong), tmp_path / "job.yaml")


def test_there_is_a_pod_for_each_shard() -> None:
    assert "completionMode: Indexed" in MANIFEST
    (completions,) = re.findall(r"completions: ([0-9]+)", MANIFEST)
    (shards,) = re.findall(r"auto/([0-9]+)", MANIFEST)
    assert completions == shards
