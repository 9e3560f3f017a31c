"""`--split`: cut a downloaded grid into its four images."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest

from tests.support.program import Mj
from tests.support.service import Service, fixture

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]
NAME = "a-cat_1234197197067915365"


@pytest.fixture
def grid_service(service: Service) -> Service:
    """A service whose image is a grid of four colours."""
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
        with PIL.Image.open(path) as image:
            assert image.size == (20, 20)
            found.append(image.getpixel((5, 5)))
    return found


def test_the_grid_is_kept_beside_its_four_images(online: Mj, grid_service: Service) -> None:
    files = online("imagine", "a cat", "--split", "--json").answer["files"]
    assert [Path(each).name for each in files] == [f"{NAME}.png", *(f"{NAME}_{n}.png" for n in (1, 2, 3, 4))]
    assert colours(files[1:]) == COLOURS
    assert len(grid_service.gets()) == 1
    assert online("history", "show", "@last", "--json").answer["files"] == files


def test_an_earlier_grid_can_be_split(online: Mj, grid_service: Service) -> None:
    online("imagine", "a cat")
    files = online("download", "@last", "--split", "--json").answer["files"]
    assert colours(files[1:]) == COLOURS
    assert len(grid_service.posts()) == 1


def test_resume_splits_a_grid_as_requested(online: Mj, grid_service: Service) -> None:
    grid = grid_service.files.pop("/files/cat.png")
    online("imagine", "a cat", "--split", check=8)
    grid_service.files["/files/cat.png"] = grid
    assert colours(online("resume", "--json").answer["files"][1:]) == COLOURS


def test_a_single_image_is_not_split(online: Mj, grid_service: Service) -> None:
    grid_service.answer({**grid_service.result(), "actions": fixture("upscale4.json")["actions"]})
    result = online("imagine", "a cat", "--split", "--json")
    assert len(result.answer["files"]) == 1
    assert "is a single image, so it is not split" in result.err


def test_a_grid_that_cannot_be_split_is_a_missing_file(online: Mj, grid_service: Service) -> None:
    data = grid_service.files["/files/cat.png"]
    assert isinstance(data, bytes)
    chunk = data.index(b"IDAT")
    grid_service.files["/files/cat.png"] = data[: chunk + 8] + b"\0" * 8 + data[chunk + 16 :]
    result = online("imagine", "a cat", "--split", "--json", check=8)
    assert len(result.answer["files"]) == 1
    assert "cannot be split" in result.err


@pytest.mark.slow
def test_without_pillow_nothing_is_sent_and_the_error_says_how_to_install_it(
    online: Mj, grid_service: Service
) -> None:
    absent = online.home / "absent"
    (absent / "PIL").mkdir(parents=True)
    (absent / "PIL" / "__init__.py").write_text("raise ImportError('there is no PIL')\n")
    path = f"{absent}:{online.env['PYTHONPATH']}"
    result = online("imagine", "a cat", "--split", env={"PYTHONPATH": path}, check=2)
    assert 'pip install "mjcli[images]"' in result.err
    assert not grid_service.posts()
    online("imagine", "a cat", "--download", env={"PYTHONPATH": path})


def test_split_needs_a_download(online: Mj, grid_service: Service) -> None:
    online("imagine", "a cat", "--split", "--no-download", check=2)
    assert not grid_service.posts()
