"""The links of a result: a missing one keeps its position."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api.models import Result


@pytest.mark.parametrize(
    ("document", "links"),
    [
        ({"sub_image_urls": ["a", None, "c"]}, ["a", None, "c"]),
        ({"video_urls": [None, "b"], "sub_image_urls": ["x"]}, [None, "b"]),
        ({"video_urls": ["", 7, {}, "d"]}, [None, None, None, "d"]),
        ({"video_urls": [None, None], "sub_image_urls": ["x", None]}, ["x", None]),
        ({"sub_image_urls": [None], "raw_image_url": "r"}, ["r"]),
        ({"sub_image_urls": "abc", "image_url": "i"}, ["i"]),
        ({"sub_image_urls": [None]}, []),
        ({}, []),
    ],
)
def test_a_missing_link_keeps_its_position(document: dict[str, Any], links: list[str | None]) -> None:
    result = Result(document)
    assert result.links == links
    assert result.file_urls == [each for each in links if each is not None]
