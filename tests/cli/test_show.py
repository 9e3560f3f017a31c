"""`mj show` outside of a terminal, and how the parts of a grid are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.pictures import grid, plain
from tests.support.program import Mj
from tests.support.service import Service, fixture
from tests.support.systems import posix

NAME = "a-cat_1234197197067915365"


@pytest.fixture
def with_grid(service: Service) -> Service:
    service.files["/files/cat.png"] = grid()
    service.answer(service.result())
    return service


def test_a_saved_file_is_named(online: Mj, with_grid: Service) -> None:
    online("imagine", "a cat", "--download")
    path = str(online.cwd / f"{NAME}.png")
    assert online("show").out == f"file: {path}\n"
    assert online("show", "@last", "-q").out == f"{path}\n"
    answer = online("show", "@1", "--quadrant", "2", "--json").answer
    assert (answer["file"], answer["link"], answer["quadrant"]) == (path, None, 2)
    assert answer["image_id"] == "1234197197067915365"
    answer = online("show", path, "--json").answer
    assert (answer["file"], answer["image_id"]) == (path, "1234197197067915365")


def test_without_a_file_the_link_is_named_and_not_fetched(online: Mj, with_grid: Service) -> None:
    online("imagine", "a cat")
    assert online("show", "-q").out == f"{with_grid.base_url}/files/cat.png\n"
    assert not with_grid.gets()


def test_files_and_links_need_no_job(mj: Mj) -> None:
    (mj.cwd / "photo.png").write_bytes(plain((1, 2, 3)))
    result = mj("show", "photo.png", "https://example.com/a.png", "-q", env={"MJ_TOKEN": None})
    assert result.out == f"{mj.cwd / 'photo.png'}\nhttps://example.com/a.png\n"


def test_the_images_of_a_split_grid_are_its_quadrants(online: Mj, with_grid: Service) -> None:
    links = [f"{with_grid.base_url}/files/{n}.png" for n in range(4)]
    with_grid.answer({**with_grid.result(), "sub_image_urls": links})
    online("imagine", "a cat")
    assert online("show", "--quadrant", "3", "-q").out == f"{links[2]}\n"


def test_a_single_image_has_no_quadrants(online: Mj, with_grid: Service) -> None:
    with_grid.answer({**with_grid.result(), "actions": fixture("upscale4.json")["actions"]})
    online("imagine", "a cat", "--download")
    for name in ("@last", f"{NAME}.png"):
        assert "so it has no quadrants" in online("show", name, "--quadrant", "1", check=2).err


def test_a_part_of_a_grid_has_no_quadrants(online: Mj, with_grid: Service) -> None:
    online("imagine", "a cat", "--split")
    online("show", f"{NAME}.png", "--quadrant", "1")
    assert "so it has no quadrants" in online("show", f"{NAME}_1.png", "--quadrant", "1", check=2).err


def test_what_is_neither_is_refused(online: Mj, with_grid: Service) -> None:
    assert "does not exist" in online("show", "cat.png", check=2).err
    assert "does not exist" in online("show", f"{'a' * 300}.png", check=2).err
    (online.cwd / "cats.png").mkdir()
    assert '"cats.png" is a directory.' in online("show", "cats.png", check=2).err
    if os.name == "posix":
        os.mkfifo(online.cwd / "pipe.png")
        assert '"pipe.png" is not a regular file.' in online("show", "pipe.png", check=2).err
    assert "--quadrant" in online("show", "--quadrant", "5", check=2).err


@pytest.mark.parametrize("name", [".", "cats", "cats/", "./cats"])
def test_a_directory_is_refused_without_a_query(online: Mj, service: Service, name: str) -> None:
    (online.cwd / "cats").mkdir()
    assert f'"{name}" is a directory.\n' in online("show", name, check=2).err
    assert not service.received


def test_a_directory_is_no_image_of_an_action(online: Mj, service: Service) -> None:
    (online.cwd / "cats").mkdir()
    assert '"cats" is a directory.\n' in online("upscale", "1", "cats", check=2).err
    assert not service.received


@posix
def test_a_named_pipe_is_refused_without_a_query(online: Mj, service: Service) -> None:
    os.mkfifo(online.cwd / "pipe")
    assert '"pipe" is not a regular file.\n' in online("show", "pipe", check=2).err
    assert not service.received


@pytest.mark.parametrize("name", ["7489df4c-ef03-4de0-b598-e9a590793434", "1234197197067915365"])
def test_a_directory_that_is_named_after_a_job_does_not_hide_its_id(online: Mj, name: str) -> None:
    (online.cwd / name).mkdir()
    assert "was not found in the ledger or at the service" in online("show", name, check=4).err


# -- names of quadrants --------------------------------------------------------------------------------


@pytest.fixture
def upscaled(online: Mj, with_grid: Service) -> Service:
    """A service with a grid that was made, whose upscales have ids of their own."""
    online("imagine", "a cat")

    def script(request: object, reply: object) -> None:
        number = request.body["action"][-1]  # type: ignore[attr-defined]
        single = fixture("upscale4.json")["actions"]
        reply.json(  # type: ignore[attr-defined]
            with_grid.result(image_id=f"big{number}", task_id=f"task-{number}", actions=single)
        )

    with_grid.imagine(script)
    return with_grid


def files(mj: Mj) -> list[str]:
    return sorted(path.name for path in mj.cwd.iterdir())


def test_upscales_have_the_numbers_of_the_parts_of_a_grid(online: Mj, upscaled: Service) -> None:
    online("upscale", "all", "--yes", "--download")
    assert files(online) == [f"a-cat_big{n}_{n}.png" for n in (1, 2, 3, 4)]


@pytest.mark.slow
def test_upscales_and_the_parts_of_a_grid_take_the_same_names(online: Mj, upscaled: Service) -> None:
    online("upscale", "all", "--yes", "-o", "up/cat.png")
    online("download", "@5", "--split", "-o", "split/cat.png")
    parts = [f"cat_{n}.png" for n in (1, 2, 3, 4)]
    assert sorted(each.name for each in (online.cwd / "up").iterdir()) == parts
    assert sorted(each.name for each in (online.cwd / "split").iterdir()) == ["cat.png", *parts]


def test_the_index_in_a_template_is_the_quadrant(online: Mj, upscaled: Service) -> None:
    online("upscale", "2", "-o", "{index}-{prompt}.{ext}")
    online("upscale", "4", "@2", "-o", "{index}-{prompt}.{ext}")
    assert files(online) == ["2-a-cat.png", "4-a-cat.png"]


def test_the_name_of_one_file_is_taken_as_it_is(online: Mj, upscaled: Service) -> None:
    online("upscale", "3", "-o", "third.png")
    assert files(online) == ["third.png"]


def test_a_name_in_use_is_found_before_anything_is_sent(online: Mj, upscaled: Service) -> None:
    (online.cwd / "cat_3.png").write_bytes(b"mine")
    before = len(upscaled.posts())
    assert "cat_3.png" in online("upscale", "all", "--yes", "-o", "cat.png", check=2).err
    assert len(upscaled.posts()) == before


def test_a_resumed_upscale_gets_its_number(online: Mj, upscaled: Service) -> None:
    image = upscaled.files.pop("/files/cat.png")
    online("upscale", "2", "--download", check=8)
    upscaled.files["/files/cat.png"] = image
    answer = online("resume", "--json").answer
    assert [Path(each).name for each in answer["files"]] == ["a-cat_big2_2.png"]
