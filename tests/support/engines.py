"""Programs that tests start: where they are, and when a test may be skipped because one is missing.

MJ_ENGINES is a directory with those that come from PyPI, the extra `engines`; `.ci/run` makes one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

VARIABLE = "MJ_ENGINES"


def missing(what: str) -> NoReturn:
    """Skip the test and say why, but fail it on a CI machine, which has all engines."""
    if os.environ.get("CI") or os.environ.get(VARIABLE):
        pytest.fail(f"{what} is not installed", pytrace=False)
    pytest.skip(f"{what} is not installed")


def installed(name: str) -> str:
    """The path of an engine of the system."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin") or missing(name)


def from_pypi(name: str) -> str:
    """The path of an engine of the extra `engines`."""
    directory = os.environ.get(VARIABLE)
    if not directory:
        missing(f"{name} ({VARIABLE} is not set)")
    path = Path(directory) / name
    return str(path) if path.is_file() else missing(str(path))
