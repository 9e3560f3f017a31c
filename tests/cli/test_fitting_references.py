"""What `@last`, saved files and ids of a stream mean: the job that fits, or a sentence that says why none does."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from mjcli.jobs.ledger import Ledger
from tests.support.history import add_jobs
from tests.support.images import WHOLE, box, png
from tests.support.ledger import change, ledger_of, rows
from tests.support.program import Mj
from tests.support.service import Service, fixture, task_record

SEED, DESCRIBE, TRANSLATE = "/midjourney/seed", "/midjourney/describe", "/midjourney/translate"
VIDEOS, EDITS = "/midjourney/videos", "/midjourney/edits"
GRID, SINGLE = ["upscale1", "upscale2", "reroll"], ["upscale_2x", "pan_left"]


@pytest.fixture
def texts(service: Service) -> Service:
    """A service whose text endpoints respond."""
    answers = {
        SEED: {"seed": "42", "success": True, "task_id": "task-seed"},
        DESCRIBE: fixture("describe.json"),
        TRANSLATE: {"content": "a cat", "task_id": "task-translate"},
    }
    for path, document in answers.items():
        service.scripts[path] = lambda _request, reply, document=document: reply.json(document)
    return service


def make(online: Mj, service: Service, name: str, *command: str, **fields: object) -> None:
    """Run a job whose image has this name."""
    service.answer(service.result(image_id=f"image-{name}", task_id=f"task-{name}", **fields))
    online(*(command or ("imagine", f"a {name}")))


def running(mj: Mj, service: Service, task: str, **fields: object) -> None:
    """A job that the ledger lists as running."""
    add_jobs(mj, {"state": "running", "task_id": task, "host": service.base_url, **fields})


def mp4(number: int) -> bytes:
    """A video that differs from the others."""
    return WHOLE["mp4"] + box(b"free", bytes([number]))


# -- @last ---------------------------------------------------------------------------------------------


def test_after_jobs_without_an_image_last_is_still_the_image(online: Mj, texts: Service) -> None:
    make(online, texts, "a")
    online("seed", "@last")
    online("translate", "eine Katze")
    make(online, texts, "new", "action", "upscale1", "@last")
    assert texts.posts()[-1].body["image_id"] == "image-a"


@pytest.mark.slow
def test_the_seed_of_the_last_image_can_follow_a_translation(online: Mj, texts: Service) -> None:
    make(online, texts, "a")
    words = online("translate", "-q", "eine Katze").out.strip()
    seed = online("seed", "@last", "-q").out.strip()
    online("imagine", words, "--seed", seed)
    assert texts.posts()[-1].body["prompt"] == "a cat --seed 42"


def test_a_numbered_reference_is_that_row_whatever_it_is(online: Mj, texts: Service) -> None:
    make(online, texts, "a")
    online("seed", "@last")
    before = len(texts.posts())
    result = online("action", "upscale1", "@1", check=2)
    assert '@1 has no image: "seed" jobs make none.' in result.err
    assert len(texts.posts()) == before


def test_last_names_the_newest_video_for_a_video_command(online: Mj, texts: Service) -> None:
    texts.scripts[VIDEOS] = lambda _request, reply: reply.json(fixture("videos.json"))
    online("video", "it moves", "--image", "http://127.0.0.1:9/cat.png")
    make(online, texts, "a")
    online("extend-video", "@last", "on")
    body = texts.posts(VIDEOS)[-1].body
    assert body["video_id"] == fixture("videos.json")["video_id"]


@pytest.mark.parametrize(
    "command",
    [
        ("action", "upscale1", "@last"),
        ("seed", "@last"),
        ("imagine", "x", "--image", "@last"),
        ("imagine", "x", "--sref", "@last"),
        ("blend", "@last", "@2"),
        ("edit", "@last", "x"),
        ("describe", "@last"),
        ("video", "x", "--image", "@last"),
    ],
)
def test_a_newer_job_that_may_fit_and_is_running_is_named(
    online: Mj, texts: Service, command: tuple[str, ...]
) -> None:
    make(online, texts, "a")
    running(online, texts, "task-b")
    texts.received.clear()
    result = online(*command, check=7)
    assert "task-b" in result.err
    assert "next: mj resume task-b" in result.err
    assert not texts.received


def test_a_running_job_of_another_kind_does_not_matter(online: Mj, texts: Service) -> None:
    make(online, texts, "a")
    running(online, texts, "task-v", kind="video", path=VIDEOS)
    make(online, texts, "new", "action", "upscale1", "@last")
    assert texts.posts()[-1].body["image_id"] == "image-a"


def test_two_references_to_one_image_are_not_blended_by_accident(online: Mj, texts: Service) -> None:
    make(online, texts, "a")
    make(online, texts, "b")
    online("seed", "@last")
    before = len(texts.posts())
    assert '"@last" and "@2" are the same image' in online("blend", "@last", "@2", check=2).err
    assert len(texts.posts()) == before


@pytest.mark.slow
def test_last_is_found_at_once_among_many_jobs(online: Mj, texts: Service) -> None:
    make(online, texts, "a")
    add_jobs(online, *[{"kind": "translate", "path": TRANSLATE}] * 20_000)
    begin = time.monotonic()
    ledger = Ledger.open(ledger_of(online), notice=pytest.fail)
    job = ledger.newest_fitting("default", "image")
    ledger.close()
    assert job is not None
    assert job.image_id == "image-a"
    assert time.monotonic() - begin < 1


# -- the words of an image -----------------------------------------------------------------------------


@pytest.mark.slow
def test_an_action_has_the_words_of_the_image_that_it_began_with(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    make(online, service, "grid", "imagine", "a cat", actions=GRID)
    make(online, service, "one", "action", "upscale1", "@last", actions=SINGLE)
    make(online, service, "pan", "action", "pan_left", "@last", "-d", actions=SINGLE)
    assert [each["prompt"] for each in online("history", "--json").json] == ["a cat"] * 3
    assert len(online("history", "--json", "--search", "a cat").json) == 3
    (file,) = online.cwd.iterdir()
    assert file.name.startswith("a")
    assert file.name.endswith("_image-pan.png")


def test_a_job_that_was_recorded_without_words_inherits_them(online: Mj, service: Service) -> None:
    make(online, service, "grid", "imagine", "a cat")
    request = {"action": "upscale1", "image_id": "image-grid"}
    response = {"image_id": "image-one", "task_id": "t", "raw_image_url": f"{service.base_url}/files/cat.png"}
    add_jobs(
        online,
        {"kind": "imagine", "request": request, "image_id": "image-one", "task_id": "t", "result": None},
        {"kind": "action", "request": {"action": "pan_left", "image_id": "image-one"}},
        {
            "kind": "action",
            "request": {"action": "reroll", "image_id": "x"},
            "image_id": "x",
        },  # its own parent
    )
    prompts = [each["prompt"] for each in online("history", "--json").json]
    assert prompts == ["", "a cat", "a cat", "a cat"]
    service.files["/files/cat.png"] = png()
    service.tasks["elsewhere"] = task_record("elsewhere", request, response)
    online("download", "elsewhere")
    assert [each.name for each in online.cwd.iterdir() if each.name.startswith("a")]


# -- actions -------------------------------------------------------------------------------------------


def test_an_action_on_an_edit_is_refused_with_what_to_do(online: Mj, service: Service) -> None:
    make(online, service, "a", actions=GRID)
    service.scripts[EDITS] = lambda _request, reply: reply.json(
        {**service.result(image_id="image-edit", task_id="task-edit"), "actions": None}
    )
    online("edit", "@last", "a hat", "--no-check")
    before = len(service.posts())
    result = online("action", "upscale1", "@last", check=2)
    assert 'Image image-edit does not offer "upscale1"; it offers no actions.' in result.err
    assert "mj edit image-edit" in result.err
    assert "mj upscale 1 @" in result.err
    assert len(service.posts()) == before


# -- images of a stream --------------------------------------------------------------------------------


def streamed(service: Service, *, end: bool = True) -> None:
    steps = [
        {"progress": n, "image_id": f"{n}77000111222333", "task_id": "t", "success": True} for n in (10, 50)
    ]
    last = [service.result(task_id="t", image_id="99988877766655544")] if end else []
    service.stream([*steps, *last])


@pytest.mark.parametrize("name", ["1077000111222333", "5077000111222333", "10770001"])
def test_an_intermediate_image_is_refused_with_the_final_one(online: Mj, service: Service, name: str) -> None:
    streamed(service)
    online("imagine", "a cat")
    service.received.clear()
    for command in (("action", "upscale1", name), ("seed", name), ("edit", name, "x")):
        result = online(*command, check=2)
        assert "its final image is 99988877766655544" in result.err
    assert not service.received
    assert online("history", "show", name, "--json").answer["image_id"] == "99988877766655544"


@pytest.mark.slow
def test_an_intermediate_image_of_a_running_job_is_not_sent(online: Mj, service: Service) -> None:
    streamed(service, end=False)
    service.tasks["t"] = task_record("t", {}, None)
    online("imagine", "a cat", "--timeout", "1", check=7)
    service.received.clear()
    assert "task" in online("action", "upscale1", "5077000111222333", check=7).err
    assert not service.received


# -- saved files ---------------------------------------------------------------------------------------


def saved(online: Mj, service: Service) -> Path:
    """The file of a job."""
    service.files["/files/cat.png"] = png()
    make(online, service, "a", "imagine", "a cat", "-d")
    (file,) = online.cwd.iterdir()
    return file


@pytest.mark.slow
@pytest.mark.parametrize("moved", ["", "other name.png", "without-suffix"])
def test_a_saved_file_is_the_image_of_its_job(online: Mj, service: Service, moved: str) -> None:
    file = saved(online, service)
    name = moved or file.name
    if moved:
        file.rename(online.cwd / moved)
    make(online, service, "new", "action", "upscale1", name)
    assert service.posts()[-1].body["image_id"] == "image-a"
    online("imagine", "x", "--image", name)
    assert service.posts()[-1].body["prompt"] == f"{service.base_url}/files/cat.png x"
    assert online("history", "show", name, "--json").answer["image_id"] == "image-a"
    assert online("open", name, "--json").answer["image_id"] == "image-a"


def test_a_file_that_has_changed_is_no_longer_the_image(online: Mj, service: Service) -> None:
    file = saved(online, service)
    file.write_bytes(png(3))
    before = len(service.posts())
    result = online("action", "upscale1", file, check=2)
    assert 'is not a file that a job in profile "default" saved' in result.err
    assert len(service.posts()) == before


def test_a_missing_file_is_not_sent_as_an_id(online: Mj, service: Service) -> None:
    assert '"cat.png" does not exist' in online("action", "upscale1", "cat.png", check=2).err
    assert not service.received


@pytest.mark.slow
def test_files_of_an_older_ledger_are_found(online: Mj, service: Service) -> None:
    file = saved(online, service)
    change(online, "UPDATE jobs SET files_sha256 = NULL")
    make(online, service, "new", "action", "upscale1", str(file))
    assert service.posts()[-1].body["image_id"] == "image-a"
    copy = shutil.copy(file, online.cwd / "copy.png")
    online("action", "upscale1", copy, check=2)  # nothing tells that it is the same


def test_saved_files_are_found_by_an_index(online: Mj, service: Service) -> None:
    saved(online, service)
    connection = sqlite3.connect(ledger_of(online))
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT job FROM saved_files WHERE sha256 = 'x'").fetchall()
    connection.close()
    assert "USING INDEX saved_files_sha256" in str(plan)


@pytest.mark.slow
def test_a_saved_video_is_the_one_that_is_extended(online: Mj, service: Service) -> None:
    urls = [f"{service.base_url}/files/{n}.mp4" for n in range(4)]
    result = {**fixture("videos.json"), "video_urls": urls, "image_url": f"{service.base_url}/files/cat.png"}
    service.files |= {"/files/cat.png": png(), **{f"/files/{n}.mp4": mp4(n) for n in range(4)}}
    service.scripts[VIDEOS] = lambda _request, reply: reply.json(result)
    online("video", "it moves", "--image", "http://127.0.0.1:9/cat.png", "-d")
    names = online("history", "show", "@1", "--json").answer["files"]
    third = next(each for each in names if Path(each).read_bytes() == mp4(2))
    online("extend-video", third, "on")
    online("extend-video", third, "on", "--index", "1")
    online("extend-video", "@last", "on")
    bodies = [each.body for each in service.posts(VIDEOS)[1:]]
    assert [each["video_index"] for each in bodies] == [2, 1, 0]
    assert {each["video_id"] for each in bodies} == {result["video_id"]}


# -- open and download ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["open", "download"])
def test_a_job_that_was_running_is_looked_up_first(online: Mj, service: Service, command: str) -> None:
    service.files["/files/cat.png"] = png()
    running(online, service, "task-b")
    service.tasks["task-b"] = task_record("task-b", {}, service.result(task_id="task-b"))
    online(command, "@last")
    assert rows(online) == [("done", "task-b")]
    assert len(service.posts(Service.TASKS)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["open", "download"])
def test_a_job_that_is_still_running_exits_with_7(online: Mj, service: Service, command: str) -> None:
    running(online, service, "task-b")
    service.tasks["task-b"] = task_record("task-b", {}, None)
    assert "next: mj resume task-b" in online(command, "@last", check=7).err
    assert len(service.posts(Service.TASKS)) == 1
    service.scripts[Service.TASKS] = lambda _request, reply: reply.json({"error": {"code": "api_error"}}, 500)
    assert "next: mj resume task-b" in online(command, "task-b", check=7).err


def test_a_job_that_has_failed_meanwhile_is_recorded(online: Mj, service: Service) -> None:
    running(online, service, "task-b")
    failure = {"success": False, "error": {"code": "forbidden", "message": "no"}}
    service.tasks["task-b"] = task_record("task-b", {}, failure)
    online("open", "@last", check=4)
    assert rows(online) == [("failed", "task-b")]


# -- descriptions --------------------------------------------------------------------------------------

LINK = "http://127.0.0.1:9/cat.png"


@pytest.mark.slow
@pytest.mark.parametrize("names", [(LINK, LINK), (f"{LINK}?ex=6f&is=1&hm=a", f"{LINK}?ex=7f&is=2&hm=b")])
def test_the_same_link_is_described_once(online: Mj, texts: Service, names: tuple[str, str]) -> None:
    first, second = names
    texts.answer(texts.result())
    online("describe", first)
    before = online("describe", second, "-q").out
    assert before.splitlines() == fixture("describe.json")["descriptions"]
    texts.scripts[DESCRIBE] = lambda _request, reply: reply.json({"descriptions": ["other"] * 4})
    online("describe", second, "--use", "2")
    assert texts.posts()[-1].body["prompt"] == fixture("describe.json")["descriptions"][1]
    assert len(texts.posts(DESCRIBE)) == 1
    online("describe", f"{LINK}?page=2")
    online("describe", LINK, "--no-ledger")
    assert len(texts.posts(DESCRIBE)) == 3


@pytest.mark.slow
def test_an_image_is_described_once_by_whatever_name(online: Mj, texts: Service) -> None:
    file = saved(online, texts)
    for name in ("@last", "image-a", "task-a", file, texts.result()["raw_image_url"]):
        online("describe", name)
    assert len(texts.posts(DESCRIBE)) == 1


def test_another_account_describes_for_itself(online: Mj, texts: Service) -> None:
    online("describe", LINK)
    online("describe", LINK, env={"MJ_BASE_URL": texts.base_url.replace("127.0.0.1", "localhost")})
    assert len(texts.posts(DESCRIBE)) == 2


@pytest.mark.slow
def test_a_file_is_described_once_wherever_it_is(mj: Mj) -> None:
    (mj.cwd / "photo.png").write_bytes(png())
    first = mj("--sandbox", "describe", "photo.png", "-q").out
    (mj.cwd / "photo.png").rename(mj.cwd / "renamed.png")
    assert mj("--sandbox", "describe", "renamed.png", "-q").out == first
    assert len(mj("--sandbox", "history", "--json").json) == 1
