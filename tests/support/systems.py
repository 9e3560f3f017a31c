"""Marks of tests that need what only some systems have."""

from __future__ import annotations

import os

import pytest

#: File modes, symlinks, signals, locks on directories, removing an open file.
posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX systems alone")
