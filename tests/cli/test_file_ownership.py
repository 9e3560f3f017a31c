"""A file belongs to a job: a name in use is refused before a request or numbered, and files are never shared."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.support.images import WHOLE, png
from tests.support.program import Mj, Result, files
from tests.support.service import Received, Reply, Service, fixture, task_record

CAT = ("imagine", "a cat")


def final(service: Service, number: int, **fields: Any) -> dict[str, Any]:
    """The result of job `number`, whose image differs from all others."""
    service.files.setdefault(f"/files/{number}.png", png(number))
    url = f"{service.base_url}/files/{number}.png"
    ids = {"task_id": f"task-{number}", "image_id": f"image-{number}"}
    return {**service.result(raw_image_url=url), **ids, **fields}


@pytest.fixture
def jobs(service: Service) -> Service:
    """A service whose jobs make images of their own."""
    numbers = itertools.count(1)

    def answer(_request: Received, reply: Reply) -> None:
        reply.json(final(service, next(numbers)))

    for endpoint in ("imagine", "edits"):
        service.scripts[f"/midjourney/{endpoint}"] = answer
    return service


def contents(paths: Sequence[str]) -> list[bytes]:
    return [Path(each).read_bytes() for each in paths]


def by_task(result: Result) -> list[Any]:
    """The answers of jobs that ran at the same time, by the number of the task."""
    return sorted(result.json, key=lambda each: str(each["task_id"]))


def in_history(online: Mj, reference: str) -> list[str]:
    found: list[str] = online("history", "show", reference, "--json").answer["files"]
    return found


# -- refused before anything is sent -----------------------------------------------------------------------


def refused(online: Mj, service: Service, *arguments: object) -> None:
    before, posts = files(online), len(service.received)
    result = online(*arguments, check=2)
    assert "already exists" in result.err
    assert "--force" in result.err
    assert len(service.received) == posts
    assert files(online) == before


def test_the_name_of_another_jobs_image_is_refused(online: Mj, jobs: Service) -> None:
    online("imagine", "a dog", "-o", "pic.png")
    refused(online, jobs, "imagine", "a horse", "-o", "pic.png")
    refused(online, jobs, "imagine", "a horse", "-o", "pic.png", "--split-images", "--split")
    answer = online("imagine", "a horse", "-o", "pic.png", "--force", "--json").answer
    assert contents(answer["files"]) == [png(2)]
    assert files(online) == ["pic.png"]


@pytest.mark.parametrize("existing", ["a-cat.png", "a-cat.jpg", "a-cat.webp", "a-cat.gif", "a-cat.avif"])
def test_a_template_that_is_known_beforehand_is_checked_with_every_extension(
    online: Mj, jobs: Service, existing: str
) -> None:
    (online.cwd / existing).write_bytes(png(50))
    refused(online, jobs, *CAT, "-o", "{prompt}.{ext}")
    online("imagine", "a dog", "-o", "{prompt}.{ext}")


@pytest.mark.slow
def test_action_and_date_are_known_beforehand(online: Mj, jobs: Service) -> None:
    for _ in range(2):
        online("imagine", "a cat", "-o", "{action}_{date}_{image_id}.{ext}")
    online("imagine", "a cat", "-o", "{action}_{date}.png")
    refused(online, jobs, "imagine", "a cat", "-o", "{action}_{date}.png")


def test_the_image_to_edit_is_not_the_name_of_the_result(online: Mj, jobs: Service) -> None:
    (online.cwd / "photo.png").write_bytes(png(70))
    refused(online, jobs, "edit", "photo.png", "a red hat", "-o", "photo.png")
    assert (online.cwd / "photo.png").read_bytes() == png(70)


@pytest.mark.parametrize("existing", ["cat_3.png", "cat_1.png"])
def test_the_names_of_four_images_are_checked(online: Mj, jobs: Service, existing: str) -> None:
    (online.cwd / existing).write_bytes(png(50))
    refused(online, jobs, *CAT, "-o", "cat.png", "--split-images")
    refused(online, jobs, *CAT, "-o", "cat.png", "--split")
    online(*CAT, "-o", "cat.png")


def test_the_names_of_videos_are_checked(online: Mj, service: Service) -> None:
    (online.cwd / "cat_2.mp4").write_bytes(WHOLE["mp4"])
    refused(online, service, "video", "it moves", "--image", "http://127.0.0.1:9/x.png", "-o", "cat.{ext}")
    refused(online, service, "video", "it moves", "--image", "http://127.0.0.1:9/x.png", "-o", "cat.mp4")


@pytest.mark.parametrize("kind", ["text", "directory", "dangling"])
def test_a_name_that_anything_else_has_is_refused(online: Mj, jobs: Service, kind: str) -> None:
    path = online.cwd / "a-cat.png"
    if kind == "text":
        path.write_text("my notes")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    refused(online, jobs, *CAT, "-o", "{prompt}.png")


def test_an_empty_file_is_filled(online: Mj, jobs: Service) -> None:
    (online.cwd / "cat.png").touch()  # as mktemp makes it
    online(*CAT, "-o", "cat.png")
    assert (online.cwd / "cat.png").read_bytes() == png(1)
    assert files(online) == ["cat.png"]


def test_one_of_several_prompts_with_a_name_in_use_stops_all(online: Mj, jobs: Service) -> None:
    (online.cwd / "a-red-cat.png").write_bytes(png(50))
    refused(online, jobs, "imagine", "a {blue,red} cat", "--permute", "--yes", "-o", "{prompt}.{ext}")


# -- numbered ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_permutations_with_the_same_name_are_numbered(online: Mj, jobs: Service) -> None:
    arguments = ("imagine", "a cat --ar {1:1,2:1,3:1}", "--permute", "--yes", "-o", "{prompt}.{ext}")
    answers = by_task(online(*arguments, "--json"))
    assert [contents(each["files"]) for each in answers] == [[png(1)], [png(2)], [png(3)]]
    assert files(online) == ["a-cat-2.png", "a-cat-3.png", "a-cat.png"]
    assert [contents(in_history(online, f"task-{n}")) for n in (1, 2, 3)] == [[png(1)], [png(2)], [png(3)]]


def test_force_does_not_let_the_jobs_of_one_command_replace_each_other(online: Mj, jobs: Service) -> None:
    (online.cwd / "a-cat.png").write_bytes(png(50))
    arguments = ("imagine", "a cat --ar {1:1,2:1}", "--permute", "--yes", "-o", "{prompt}.{ext}", "--force")
    answers = by_task(online(*arguments, "--json"))
    assert [contents(each["files"]) for each in answers] == [[png(1)], [png(2)]]


@pytest.mark.slow
def test_images_of_several_actions_are_numbered(online: Mj, jobs: Service) -> None:
    ids = "\n".join(online("imagine", "a cat", "--json").answer["image_id"] for _ in range(2))
    answers = by_task(online("action", "upscale1", "-", "-o", "{action}.{ext}", "--json", stdin=ids))
    assert [contents(each["files"]) for each in answers] == [[png(3)], [png(4)]]
    assert files(online) == ["upscale1-2.png", "upscale1.png"]


@pytest.mark.slow
def test_downloads_with_the_same_name_are_numbered_and_stay_so(online: Mj, jobs: Service) -> None:
    for _ in range(2):
        online(*CAT)
    for _ in range(2):
        answers = online("download", "@1", "@2", "-o", "all/{prompt}.{ext}", "--json").json
        assert [contents(each["files"]) for each in answers] == [[png(2)], [png(1)]]
        assert files(online) == ["all/a-cat-2.png", "all/a-cat.png"]
    assert len(jobs.gets()) == 2
    assert contents(in_history(online, "@1")) == [png(2)]
    assert contents(in_history(online, "@2")) == [png(1)]


@pytest.mark.slow
def test_a_task_that_the_ledger_does_not_know_keeps_only_the_same_bytes(online: Mj, service: Service) -> None:
    for number in (1, 2):
        service.tasks[f"task-{number}"] = task_record(f"task-{number}", {}, final(service, number))
    for command in (("download",), ("describe-task",)):
        for number in (1, 2, 1):
            (saved,) = online(*command, f"task-{number}", "-o", "x.png", "--json").answer["files"]
            assert Path(saved).read_bytes() == png(number)
    assert files(online) == ["x-2.png", "x.png"]


@pytest.mark.slow
def test_a_resumed_job_does_not_take_the_file_of_another(online: Mj, jobs: Service) -> None:
    kept, jobs.files["/files/1.png"] = png(1), lambda _r, reply: reply.whole(b"", 404)
    online("imagine", "a dog", "-o", "pic.png", check=8)
    online("imagine", "a horse", "-o", "pic.png")
    jobs.files["/files/1.png"] = kept
    (saved,) = online("resume", "--json").answer["files"]
    assert Path(saved).name == "pic-2.png"
    assert Path(saved).read_bytes() == png(1)
    assert in_history(online, "task-1") == [saved]
    assert contents(in_history(online, "task-2")) == [png(2)]
    assert online("download", "task-1", "-q").out == f"{saved}\n"


@pytest.mark.slow
def test_a_resumed_job_with_force_replaces_only_what_was_there_when_it_began(
    online: Mj, jobs: Service
) -> None:
    (online.cwd / "pic.png").write_bytes(png(50))
    jobs.files["/files/1.png"] = lambda _r, reply: reply.whole(b"", 404)
    online("imagine", "a dog", "-o", "pic.png", "--force", check=8)
    online("imagine", "a horse", "-o", "pic.png", "--force")
    jobs.files["/files/1.png"] = png(1)
    assert contents(online("resume", "--json").answer["files"]) == [png(1)]
    assert contents(in_history(online, "task-2")) == [png(2)]


def test_jobs_that_are_saved_later_are_numbered(online: Mj, service: Service) -> None:
    service.scripts[Service.IMAGINE] = lambda request, reply: reply.json(
        {"task_id": "task-1" if "dog" in request.body["prompt"] else "task-2"}
    )
    for prompt in ("a dog", "a horse"):
        online("imagine", prompt, "-o", "pic.png", "--no-wait")
    for n in (1, 2):
        service.tasks[f"task-{n}"] = task_record(f"task-{n}", {}, final(service, n))
    found = {each["task_id"]: contents(each["files"]) for each in online("resume", "--json").json}
    assert found == {"task-1": [png(1)], "task-2": [png(2)]}
    assert files(online) == ["pic-2.png", "pic.png"]


@pytest.mark.slow
def test_results_of_callbacks_are_numbered(online: Mj, service: Service) -> None:
    service.scripts[Service.IMAGINE] = lambda _r, reply: reply.json({"task_id": "task-1"})
    for n in (1, 2):
        online("imagine", "a cat", "--no-wait")
        service.scripts[Service.IMAGINE] = lambda _r, reply: reply.json({"task_id": "task-2"})
        service.tasks[f"task-{n}"] = task_record(f"task-{n}", {}, final(service, n))
    for n in (1, 2):
        result = online("listen", "--once", f"task-{n}", "-o", "{prompt}.{ext}", "--json")
        assert contents(result.json[-1]["files"]) == [png(n)]
    assert files(online) == ["a-cat-2.png", "a-cat.png"]


def test_the_file_of_a_job_that_was_killed_before_its_record_is_recognized(online: Mj, jobs: Service) -> None:
    jobs.files["/files/1.png"] = lambda _r, reply: reply.whole(b"", 404)
    online("imagine", "a dog", "-o", "pic.png", check=8)
    (online.cwd / "pic.png").write_bytes(png(1))
    jobs.files["/files/1.png"] = png(1)
    assert online("resume", "--json").answer["files"] == [str(online.cwd / "pic.png")]
    assert files(online) == ["pic.png"]


def test_a_name_known_to_a_job_that_was_never_sent_is_refused_by_resume(online: Mj, jobs: Service) -> None:
    from tests.support.ledger import change_ledger

    online("imagine", "a dog", "-o", "pic.png")
    change_ledger(
        online,
        "state = 'submitting', sent_at = NULL, accepted_at = NULL, ended_at = NULL, task_id = NULL,"
        " image_id = NULL, result = NULL, files = '[]'",
    )
    posts = len(jobs.posts())
    assert "already exists" in online("resume", check=2).err
    assert len(jobs.posts()) == posts
    jobs.scripts[Service.IMAGINE] = lambda _r, reply: reply.json({"task_id": "task-2"})
    online("imagine", "a horse", "-o", "horse.png", "--no-wait")
    jobs.tasks["task-2"] = task_record("task-2", {}, final(jobs, 2))
    online("resume", check=2)  # the refused job does not stop the next
    assert files(online) == ["horse.png", "pic.png"]
    online("resume", "@2", "--give-up")


@pytest.mark.slow
def test_two_commands_at_once_do_not_replace_each_others_images(online: Mj, service: Service) -> None:
    both = threading.Barrier(2)

    def answer(request: Received, reply: Reply) -> None:
        both.wait(30)
        reply.json(final(service, 1 if "dog" in request.body["prompt"] else 2))

    service.scripts[Service.IMAGINE] = answer
    running = [online.start("imagine", each, "-o", "pic.png", "--json") for each in ("a dog", "a horse")]
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert files(online) == ["pic-2.png", "pic.png"]
    assert {path.read_bytes() for path in online.cwd.iterdir()} == {png(1), png(2)}
    assert [contents(in_history(online, f"task-{n}")) for n in (1, 2)] == [[png(1)], [png(2)]]


def test_the_cover_of_a_video_is_not_taken_for_the_video(online: Mj, service: Service) -> None:
    answer = {
        **fixture("videos.json"),
        "video_urls": [f"{service.base_url}/files/1.mp4"],
        "image_url": f"{service.base_url}/files/1.png",
    }
    service.scripts["/midjourney/videos"] = lambda _r, reply: reply.json(answer)
    service.files["/files/1.png"] = png(9)
    arguments = ("video", "it moves", "--image", "http://127.0.0.1:9/x.png", "-o", "v.{ext}")
    online(*arguments, "--no-check", check=8)
    assert files(online) == ["v.png"]
    service.files["/files/1.mp4"] = WHOLE["mp4"]
    service.tasks[answer["task_id"]] = task_record(answer["task_id"], {}, answer)
    saved = online("resume", "--json").answer["files"]
    assert sorted(contents(saved)) == sorted([WHOLE["mp4"], png(9)])
    assert files(online) == ["v.mp4", "v.png"]
    online("download", "@last", "-o", "v.{ext}")
    assert files(online) == ["v.mp4", "v.png"]


def grid(colour: str) -> bytes:
    written = io.BytesIO()
    PIL.Image.new("RGB", (40, 40), colour).save(written, "PNG")
    return written.getvalue()


@pytest.mark.slow
def test_the_parts_of_a_grid_are_not_those_of_another(online: Mj, jobs: Service) -> None:
    jobs.files |= {"/files/1.png": grid("red"), "/files/2.png": grid("blue")}
    for _ in range(2):
        online(*CAT)
    for _ in range(2):
        for reference, colour in (("@1", (0, 0, 255)), ("@2", (255, 0, 0))):
            arguments = ("download", reference, "-o", "{prompt}.png", "--split", "--json")
            saved = online(*arguments).answer["files"]
            assert len(saved) == 5
            for path in saved:
                with PIL.Image.open(path) as image:
                    assert image.getpixel((3, 3)) == colour
    assert len(files(online)) == 10


# -- positions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["sub_image_urls", "video_urls"])
@pytest.mark.parametrize("gap", [None, "", 0])
def test_a_missing_link_is_reported_and_the_others_keep_their_numbers(
    online: Mj, service: Service, field: str, gap: object
) -> None:
    for n in (1, 3, 4):
        service.files[f"/files/{n}.png"] = png(n)
    urls: list[object] = [f"{service.base_url}/files/{n}.png" for n in range(1, 5)]
    service.stream([service.result(**{field: [urls[0], gap, *urls[2:]], "raw_image_url": None})])
    result = online("imagine", "a cat", "-o", "cat-{index}.{ext}", "--json", check=8)
    assert "no link for file 2 of 4" in result.answer["error"]["message"]
    assert [Path(each).name for each in result.answer["files"]] == ["cat-1.png", "cat-3.png", "cat-4.png"]
    assert contents(result.answer["files"]) == [png(n) for n in (1, 3, 4)]


# -- --max-size ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_max_size_limits_a_file_and_is_kept_for_resume(online: Mj, jobs: Service) -> None:
    jobs.files["/files/1.png"] = png(5000)
    result = online(*CAT, "-d", "--max-size", "1K", "--json", check=8)
    assert "larger than 1 KB" in result.answer["error"]["message"]
    result = online("resume", check=8)
    assert "  next: mj resume task-1 --max-size SIZE\n        (a larger limit, such as 4G)\n" in result.err
    assert "  next: mj resume task-1 --give-up\n        (leaves the file)\n" in result.err
    online("resume", "--max-size", "10K")
    assert contents(in_history(online, "@last")) == [png(5000)]


@pytest.mark.slow
def test_max_size_is_checked_before_anything_is_sent(online: Mj, jobs: Service) -> None:
    online(*CAT)
    jobs.received.clear()
    for arguments in (("imagine", "a cat", "-d"), ("download", "@last"), ("describe-task", "@last", "-d")):
        assert "is not a size" in online(*arguments, "--max-size", "much", check=2).err
    assert not jobs.received
    result = online("download", "@last", "--max-size", "10", check=8)
    assert "larger than 10 bytes" in result.err
    assert "next: mj download task-1 --max-size SIZE\n" in result.err
    assert "--give-up" not in result.err
    jobs.tasks["task-1"] = task_record("task-1", {}, final(jobs, 1))
    assert "larger" in online("describe-task", "@last", "-d", "--max-size", "10", check=8).err


def test_the_check_of_names_repeats_no_notice(online: Mj, service: Service) -> None:
    online("config", "set", "defaults.mode", "relax")
    arguments = ("video", "it moves", "--image", "http://127.0.0.1:9/x.png", "-o", "v.{ext}", "--no-check")
    assert online(*arguments, "--dry-run").err.count("relax") == 1


# -- later uses of a file name --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--force"]])
def test_a_file_that_another_job_replaced_is_no_longer_the_jobs(
    online: Mj, jobs: Service, options: list[str]
) -> None:
    online("imagine", "a dog", "-o", "pic.png")
    if not options:
        (online.cwd / "pic.png").unlink()
    online("imagine", "a horse", "-o", "pic.png", *options)
    assert (in_history(online, "task-1"), len(in_history(online, "task-2"))) == ([], 1)
    assert online("open", "task-1", "--json").answer["files"] == []


def test_the_same_image_under_one_name_belongs_to_both_jobs(online: Mj, jobs: Service) -> None:
    jobs.files |= {"/files/1.png": png(1), "/files/2.png": png(1)}
    online("imagine", "a dog", "-o", "pic.png")
    online("imagine", "a dog", "-o", "pic.png", "--force")
    assert in_history(online, "task-1") == in_history(online, "task-2") == [str(online.cwd / "pic.png")]


@pytest.mark.parametrize("again", [("download", "task-1"), ("describe-task", "task-1")])
def test_a_file_that_describe_task_saved_is_known_by_its_digest(
    online: Mj, jobs: Service, again: tuple[str, ...]
) -> None:
    online("imagine", "a dog")
    jobs.tasks["task-1"] = task_record("task-1", {}, final(jobs, 1))
    online("describe-task", "task-1", "-o", "x.png")
    (online.cwd / "x.png").write_bytes(png(99))
    answer = online(*again, "-o", "x.png", "--json").answer
    assert contents(answer["files"]) == [png(1)]
    assert (online.cwd / "x.png").read_bytes() == png(99)


@pytest.mark.parametrize(
    "template", ["{prompt}/x.png", "{action}/{image_id}.{ext}", "{prompt}/{date}/{index}"]
)
@pytest.mark.parametrize("options", [(), ("--force",)], ids=repr)
def test_a_directory_of_a_template_that_cannot_be_one_is_refused_before_the_request(
    online: Mj, jobs: Service, template: str, options: tuple[str, ...]
) -> None:
    for name in ("a-cat", "generate"):
        (online.cwd / name).write_bytes(b"a file")
    result = online(*CAT, "-o", template, *options, check=2)
    assert "is not a directory" in result.err
    assert jobs.posts() == []


def test_a_directory_of_a_template_is_created_only_for_the_file(online: Mj, jobs: Service) -> None:
    online(*CAT, "-o", "{prompt}/{image_id}/x.png")
    assert files(online) == ["a-cat/image-1/x.png"]


@pytest.mark.parametrize(
    "options",
    [
        ("--max-size", "nan"),
        ("--max-size", "0", "--no-download"),
        ("-o", "{", "--no-download"),
        ("-o", "~no-such-user/x.png", "--no-download"),
        ("-o", "-", "--no-download"),
    ],
    ids=repr,
)
def test_file_options_are_checked_even_if_nothing_is_saved(
    online: Mj, jobs: Service, options: tuple[str, ...]
) -> None:
    online(*CAT, *options, check=2)
    assert jobs.posts() == []


@pytest.mark.parametrize("output", ["s3://bucket/cats/", "https://a.example/cat.png", "file:///tmp/cat.png"])
def test_a_url_as_output_is_refused_before_the_request(online: Mj, jobs: Service, output: str) -> None:
    result = online(*CAT, "-o", output, check=2)
    assert f'--output "{output}" is a URL' in result.err
    assert jobs.posts() == []
