"""`--split`: a downloaded grid, cut into its four pictures on this machine."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest

from tests.cli.conftest import Mj
from tests.service import Service, fixture

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]
NAME = "a-cat_1234197197067915365"


@pytest.fixture
def gridded(service: Service) -> Service:
    """A service whose picture is a grid of four colours."""
    whole = PIL.Image.new("RGB", (2, 2))
    whole.putdata(COLOURS)
    written = io.BytesIO()
    whole.resize((40, 40), PIL.Image.Resampling.NEAREST).save(written, "PNG")
    service.files["/files/cat.png"] = written.getvalue()
    service.answer(service.result())
    return service


def colours(paths: list[str]) -> list[object]:
    found = []
    for path in paths:
        with PIL.Image.open(path) as picture:
            assert picture.size == (20, 20)
            found.append(picture.getpixel((5, 5)))
    return found


def test_the_grid_is_kept_and_its_four_pictures_stand_beside_it(online: Mj, gridded: Service) -> None:
    files = online("imagine", "a cat", "--split", "--json").answer["files"]
    assert [Path(each).name for each in files] == [f"{NAME}.png", *(f"{NAME}_{n}.png" for n in (1, 2, 3, 4))]
    assert colours(files[1:]) == COLOURS
    assert len(gridded.gets()) == 1
    assert online("history", "show", "@last", "--json").answer["files"] == files


def test_an_earlier_grid_is_cut_as_well(online: Mj, gridded: Service) -> None:
    online("imagine", "a cat")
    files = online("download", "@last", "--split", "--json").answer["files"]
    assert colours(files[1:]) == COLOURS
    assert len(gridded.posts()) == 1


def test_resume_cuts_what_was_asked_for(online: Mj, gridded: Service) -> None:
    kept = gridded.files.pop("/files/cat.png")
    online("imagine", "a cat", "--split", check=8)
    gridded.files["/files/cat.png"] = kept
    assert colours(online("resume", "--json").answer["files"][1:]) == COLOURS


def test_one_picture_is_not_cut(online: Mj, gridded: Service) -> None:
    gridded.answer({**gridded.result(), "actions": fixture("upscale4.json")["actions"]})
    result = online("imagine", "a cat", "--split", "--json")
    assert len(result.answer["files"]) == 1
    assert "no grid" in result.err


def test_a_grid_that_cannot_be_cut_is_a_missing_file(online: Mj, gridded: Service) -> None:
    data = gridded.files["/files/cat.png"]
    assert isinstance(data, bytes)
    end = data.index(b"IDAT")
    gridded.files["/files/cat.png"] = data[: end + 8] + b"\0" * 8 + data[end + 16 :]
    result = online("imagine", "a cat", "--split", "--json", check=8)
    assert len(result.answer["files"]) == 1
    assert "cannot be cut" in result.err


def test_without_pillow_nothing_is_sent_and_one_sentence_says_how_to_get_it(
    online: Mj, gridded: Service
) -> None:
    absent = online.home / "absent"
    (absent / "PIL").mkdir(parents=True)
    (absent / "PIL" / "__init__.py").write_text("raise ImportError('there is no PIL')\n")
    path = f"{absent}:{online.env['PYTHONPATH']}"
    result = online("imagine", "a cat", "--split", env={"PYTHONPATH": path}, check=2)
    assert 'pip install "mjcli[images]"' in result.err
    assert not gridded.posts()
    online("imagine", "a cat", "--download", env={"PYTHONPATH": path})


def test_nothing_is_cut_that_is_not_downloaded(online: Mj, gridded: Service) -> None:
    online("imagine", "a cat", "--split", "--no-download", check=2)
    assert not gridded.posts()
