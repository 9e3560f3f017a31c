"""`--keep-steps` and `--timelapse`: the intermediate images of a job as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.support.pictures import COLOURS, plain
from tests.support.program import Mj
from tests.support.service import Received, Reply, Service

NAME = "a-cat_1234197197067915365"
FINAL = plain(COLOURS[3], 64)


def events(service: Service, count: int = 3) -> list[dict[str, Any]]:
    """Events of a job, each with an image of its own, which the service has until the job ends."""
    found = []
    for number in range(count):
        service.files[f"/files/step{number}.webp"] = plain(COLOURS[number], 32, "WEBP")
        url = f"{service.base_url}/files/step{number}.webp"
        found.append(
            {
                **{"image_url": f"{url}?thumb", "raw_image_url": url, "image_id": f"id-{number}"},
                **{"progress": 10 + 20 * number, "actions": [], "task_id": "task-1", "success": True},
            }
        )
    return found


@pytest.fixture
def running(service: Service) -> Service:
    """A service whose job shows three images before its result."""
    service.files["/files/cat.png"] = FINAL
    service.stream([*events(service), service.result(task_id="task-1")])
    return service


def saved(mj: Mj) -> list[str]:
    return sorted(path.name for path in mj.cwd.iterdir())


def colour_of(path: Path) -> Any:
    with PIL.Image.open(path) as image:
        return image.convert("RGB").getpixel((5, 5))


def test_steps_are_saved_beside_the_final_image_under_its_name(online: Mj, running: Service) -> None:
    answer = online("imagine", "a cat", "--keep-steps", "--json").answer
    names = [f"{NAME}-step{n}.webp" for n in (1, 2, 3)]
    assert saved(online) == sorted([f"{NAME}.png", *names])
    assert answer["files"] == [str(online.cwd / f"{NAME}.png")]
    assert answer["steps"] == [str(online.cwd / each) for each in names]
    for name, colour in zip(names, COLOURS, strict=False):
        assert all(abs(a - b) < 12 for a, b in zip(colour_of(online.cwd / name), colour, strict=True))
    # The best there is, not the thumbnail.
    assert not [each for each in running.gets() if "thumb" in each.query]


@pytest.mark.slow
def test_the_ledger_lists_steps_apart_from_the_files(online: Mj, running: Service) -> None:
    online("imagine", "a cat", "--keep-steps")
    job = online("history", "show", "@last", "--json").answer
    assert [Path(each).name for each in job["files"]] == [f"{NAME}.png"]
    assert [Path(each).name for each in job["steps"]] == [f"{NAME}-step{n}.webp" for n in (1, 2, 3)]
    assert job["files_due"] == 0
    step = f"{NAME}-step1.webp"
    assert "not a file that a job" in online("upscale", "1", step, check=2).err
    online("resume")
    online("download", "@last")
    assert len(saved(online)) == 4


def test_a_step_replaces_no_file(online: Mj, running: Service) -> None:
    (online.cwd / "cat-step2.webp").write_text("mine")
    online("imagine", "a cat", "--keep-steps", "-o", "cat.png", "--force")
    assert (online.cwd / "cat-step2.webp").read_text() == "mine"
    assert saved(online) == [
        "cat-step1.webp",
        "cat-step2-2.webp",
        "cat-step2.webp",
        "cat-step3.webp",
        "cat.png",
    ]


def test_steps_that_are_gone_are_left_out(online: Mj, running: Service) -> None:
    del running.files["/files/step1.webp"]
    result = online("imagine", "a cat", "--keep-steps", "--verbose")
    assert saved(online) == [f"{NAME}-step1.webp", f"{NAME}-step2.webp", f"{NAME}.png"]
    assert "could not be fetched (HTTP 404)" in result.err
    assert "404" not in online("imagine", "a cat", "--keep-steps").err


def test_a_job_without_intermediate_images_says_so(online: Mj, running: Service) -> None:
    running.stream([running.result(task_id="task-1")])
    result = online("imagine", "a cat", "--keep-steps", "--json")
    assert result.answer["steps"] == []
    assert "showed no intermediate" in result.err


def test_steps_arrive_before_the_job_ends(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = FINAL
    lines = events(service, 1)

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        import json

        reply.send(json.dumps(lines[0]).encode() + b"\r\n")
        while not (online.cwd / "a-cat_task-1-step1.webp").exists() and not service.over.wait(0.02):
            pass
        reply.send(json.dumps(service.result(task_id="task-1")).encode() + b"\r\n")
        reply.end()

    service.imagine(script)
    online("imagine", "a cat", "--keep-steps")
    assert saved(online) == [f"{NAME}-step1.webp", f"{NAME}.png"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_a_time_lapse_ends_with_the_final_image(online: Mj, running: Service, kind: str) -> None:
    answer = online("imagine", "a cat", "--timelapse", kind, "--json").answer
    assert saved(online) == sorted([f"{NAME}-timelapse.{kind}", f"{NAME}.png"])
    assert answer["timelapse"] == str(online.cwd / f"{NAME}-timelapse.{kind}")
    with PIL.Image.open(answer["timelapse"]) as image:
        assert (getattr(image, "n_frames", 1), image.size) == (4, (64, 64))


def test_several_jobs_keep_their_own_steps(online: Mj, running: Service) -> None:
    online("imagine", "a {red,green} bird", "--permute", "--yes", "--keep-steps", "-o", "{prompt}.{ext}")
    names = [f"a-{colour}-bird" for colour in ("green", "red")]
    assert saved(online) == [
        f"{name}{end}" for name in names for end in ("-step1.webp", "-step2.webp", "-step3.webp", ".png")
    ]


@pytest.mark.parametrize(
    "options",
    [
        ["--keep-steps", "--no-stream"],
        ["--keep-steps", "--no-wait"],
        ["--keep-steps", "--no-download"],
        ["--keep-steps", "-o", "-"],
        ["--timelapse", "gif", "--callback-url", "https://example.com/"],
        ["--timelapse", "gif", "--listen"],
    ],
)
def test_what_brings_no_steps_is_refused(online: Mj, running: Service, options: list[str]) -> None:
    assert options[0] in online("imagine", "a cat", *options, check=2).err
    assert not running.posts()


@pytest.mark.slow
def test_without_pillow_a_time_lapse_is_refused_before_the_job(online: Mj, running: Service) -> None:
    absent = online.home / "absent"
    (absent / "PIL").mkdir(parents=True)
    (absent / "PIL" / "__init__.py").write_text("raise ImportError('there is no PIL')\n")
    env: dict[str, str | None] = {"PYTHONPATH": f"{absent}:{online.env['PYTHONPATH']}"}
    result = online("imagine", "a cat", "--timelapse", "gif", env=env, check=2)
    assert 'pip install "mjcli[images]"' in result.err
    assert not running.posts()
    online("imagine", "a cat", "--keep-steps", env=env)
    assert len(saved(online)) == 4
