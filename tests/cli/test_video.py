"""`mj video` and `mj extend-video`."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Received, Reply, Script, Service, fixture, task_record

VIDEOS = "/midjourney/videos"
LINK = "http://127.0.0.1:9/cat.png"
VIDEO = fixture("videos.json")["video_id"]


def mp4(number: int) -> bytes:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    return box(b"ftyp", b"isom" + bytes(8)) + box(b"moov", bytes(8)) + box(b"mdat", bytes([number]) * 40)


def film(service: Service, **fields: Any) -> dict[str, Any]:
    urls = [f"{service.base_url}/files//video/{n}.mp4" for n in range(4)]
    return {**fixture("videos.json"), "video_urls": urls, "image_url": f"{service.base_url}/cover", **fields}


@pytest.fixture
def filmed(service: Service) -> Service:
    """A service that finishes each video at once."""
    service.scripts[VIDEOS] = lambda request, reply: reply.json(
        film(service, **({"video_id": "1751816807896399"} if request.body["action"] == "extend" else {}))
    )
    for number in range(4):
        service.files[f"/files//video/{number}.mp4"] = mp4(number)
    service.files["/cover"] = png(9)
    return service


def test_a_video_starts_from_an_image(online: Mj, filmed: Service) -> None:
    online("video", "it", "moves", "--image", LINK)
    (post,) = filmed.posts(VIDEOS)
    assert post.body == {"action": "generate", "image_url": LINK, "prompt": "it moves"}
    assert post.headers["accept"] == "application/x-ndjson"


def test_body_fields_are_options(online: Mj, filmed: Service) -> None:
    end = "http://127.0.0.1:9/end.png"
    options = ("--end-image", end, "--resolution", "720p", "--loop", "--mode", "turbo")
    online("video", "it moves", "--image", LINK, *options)
    assert filmed.posts(VIDEOS)[0].body == {
        "action": "generate",
        "image_url": LINK,
        "end_image_url": end,
        "prompt": "it moves",
        "resolution": "720p",
        "loop": True,
        "mode": "turbo",
    }


@pytest.mark.parametrize("option", [("--mode", "relax"), ("--resolution", "1080p"), ("--split-images",)])
def test_options_that_videos_lack_are_refused(online: Mj, filmed: Service, option: tuple[str, ...]) -> None:
    online("video", "it moves", "--image", LINK, *option, check=2)
    assert not filmed.posts(VIDEOS)


def test_relax_mode_in_the_settings_is_omitted(online: Mj, filmed: Service) -> None:
    online("config", "set", "defaults.mode", "relax")
    online("config", "set", "defaults.suffix", "--ar 1:2")
    assert "relax" in online("video", "it moves", "--image", LINK).err
    assert filmed.posts(VIDEOS)[0].body == {"action": "generate", "image_url": LINK, "prompt": "it moves"}


def test_unknown_parameters_of_videos_are_warnings(online: Mj, filmed: Service) -> None:
    assert "warning" in online("video", "it moves --motion high", "--image", LINK).err
    online("video", "it moves --ar wide", "--image", LINK, check=2)
    assert len(filmed.posts(VIDEOS)) == 1


def test_videos_and_cover_are_saved_with_the_suffix_of_their_format(online: Mj, filmed: Service) -> None:
    answer = online("video", "it moves", "--image", LINK, "--download", "--json").answer
    names = [Path(each).name for each in answer["files"]]
    assert names == [*(f"it-moves_{VIDEO}_{n}.mp4" for n in (1, 2, 3, 4)), f"it-moves_{VIDEO}.png"]
    assert [Path(each).read_bytes() for each in answer["files"]] == [*map(mp4, range(4)), png(9)]
    assert len(filmed.gets("/files//video/0.mp4")) == 1  # both slashes


def test_a_missing_cover_is_only_a_warning(online: Mj, filmed: Service) -> None:
    del filmed.files["/cover"]
    result = online("video", "it moves", "--image", LINK, "--download", "--json")
    assert len(result.answer["files"]) == 4
    assert "cover" in result.err


def test_a_missing_video_is_left_to_resume(online: Mj, filmed: Service) -> None:
    del filmed.files["/files//video/2.mp4"]
    online("video", "it moves", "--image", LINK, "--download", check=8)
    filmed.files["/files//video/2.mp4"] = mp4(2)
    filmed.tasks[film(filmed)["task_id"]] = task_record(film(filmed)["task_id"], {}, film(filmed))
    assert len(online("resume", "--json").answer["files"]) >= 4
    assert len(filmed.posts(VIDEOS)) == 1


def test_the_result_shows_the_videos_and_the_next_command(online: Mj, filmed: Service) -> None:
    out = online("video", "it moves", "--image", LINK).out
    assert out.count("\nvideo: ") == 3
    assert f"\ncover: {filmed.base_url}/cover\n" in out
    assert "size" not in out
    assert f'next: mj extend-video {VIDEO} "PROMPT" --index 0' in out
    assert online("video", "x", "--image", LINK, "-q").out.splitlines() == film(filmed)["video_urls"]


@pytest.mark.slow
def test_a_video_is_extended_by_id_or_reference(online: Mj, filmed: Service) -> None:
    online("video", "it moves", "--image", LINK)
    online("extend-video", "@last", "on", "it goes", "--index", "3", "--mode", "fast")
    online("extend-video", VIDEO, "on")
    bodies = [post.body for post in filmed.posts(VIDEOS)[1:]]
    extended = {"action": "extend", "video_id": VIDEO}
    assert bodies[0] == {**extended, "prompt": "on it goes", "video_index": 3, "mode": "fast"}
    assert bodies[1] == {**extended, "prompt": "on", "video_index": 0}
    assert online("history", "show", "@1", "--json").answer["parents"][0]["image_id"] == VIDEO


def test_images_from_a_pipe_are_each_animated(online: Mj, filmed: Service) -> None:
    online("video", "it moves", "--image", "-", stdin=f"{LINK}\n{LINK}?2\n")
    assert sorted(post.body["image_url"] for post in filmed.posts(VIDEOS)) == [LINK, f"{LINK}?2"]


def test_videos_from_a_pipe_are_each_extended(online: Mj, filmed: Service) -> None:
    online("extend-video", "-", "on", stdin="1751816807896311\n1751816807896312\n")
    extended = sorted(post.body["video_id"] for post in filmed.posts(VIDEOS))
    assert extended == ["1751816807896311", "1751816807896312"]


@pytest.mark.parametrize("index", ["4", "-1", "x"])
def test_the_index_must_be_0_to_3(online: Mj, filmed: Service, index: str) -> None:
    online("extend-video", VIDEO, "on", "--index", index, check=2)
    assert not filmed.posts(VIDEOS)


@pytest.mark.slow
def test_a_video_is_not_an_image_and_an_image_is_not_a_video(online: Mj, filmed: Service) -> None:
    filmed.answer(filmed.result())
    online("imagine", "a cat")
    assert "no video" in online("extend-video", "@last", "on", check=2).err
    online("video", "it moves", "--image", "@last")
    assert filmed.posts(VIDEOS)[0].body["image_url"] == filmed.result()["raw_image_url"]
    result = online("action", "upscale1", "@1", check=2)
    assert "no image" in result.err
    assert "@2" in result.err
    online("action", "upscale1", "@last")
    assert filmed.posts()[-1].body["image_id"] == filmed.result()["image_id"]


def test_a_final_object_without_videos_is_queried(online: Mj, service: Service) -> None:
    task_id = film(service)["task_id"]
    service.scripts[VIDEOS] = lambda _request, reply: reply.json(film(service, video_urls=[]))
    service.tasks[task_id] = task_record(task_id, {}, film(service), type="videos")
    assert len(online("video", "x", "--image", LINK, "-q").out.splitlines()) == 4


def test_the_progress_is_streamed(online: Mj, service: Service) -> None:
    steps = [{"progress": n, "task_id": "t", "video_id": "", "success": True} for n in (0, 50)]
    service.scripts[VIDEOS] = lambda _request, reply: reply.stream([*steps, film(service, task_id="t")])
    lines = online("video", "x", "--image", LINK, "--json", "--stream").json
    assert [line["progress"] for line in lines] == [0, 50, 100]


def test_a_prompt_and_an_image_are_needed(online: Mj, filmed: Service) -> None:
    online("video", "it moves", check=2)
    assert "mj video" in online("video", "--image", LINK, stdin="", check=2).err
    online("extend-video", VIDEO, stdin="", check=2)
    assert not filmed.posts(VIDEOS)


def missing(_request: Received, reply: Reply) -> None:
    reply.whole(b"", 404)


@pytest.mark.parametrize(
    ("cover", "output"),
    [
        (png(9), "{prompt}.mp4"),
        (png(9), "clip-{index}.mp4"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(80), "{prompt}.{ext}"),
        (b"\xff\x0a" + bytes(80), "{prompt}.{ext}"),
        (b"a format of the future" * 9 + b"\0", "{prompt}.{ext}"),
    ],
    ids=["same name", "same index", "HEIC", "JPEG XL", "unknown"],
)
def test_a_cover_is_not_taken_for_the_video(online: Mj, filmed: Service, cover: bytes, output: str) -> None:
    document = film(filmed)
    document["video_urls"] = document["video_urls"][:1]
    filmed.scripts[VIDEOS] = lambda _request, reply: reply.json(document)
    filmed.files |= {"/files//video/0.mp4": missing, "/cover": typed(cover)}
    filmed.tasks[document["task_id"]] = task_record(document["task_id"], {}, document)
    online("video", "it moves", "--image", LINK, "-o", output, check=8)
    filmed.files["/files//video/0.mp4"] = mp4(0)
    answer = online("resume", "--json").answer
    assert mp4(0) in [Path(each).read_bytes() for each in answer["files"]]


def typed(data: bytes) -> Script:
    return lambda _request, reply: reply.whole(data, headers={"content-type": "image/x-future"})


@pytest.mark.slow
def test_a_missing_video_stays_due_after_describe_task(online: Mj, filmed: Service) -> None:
    filmed.files["/files//video/2.mp4"] = missing
    online("video", "it moves", "--image", LINK, "-d", check=8)
    document = film(filmed)
    filmed.tasks[document["task_id"]] = task_record(document["task_id"], {}, document)
    online("describe-task", "@last", "-d", check=8)
    filmed.files["/files//video/2.mp4"] = mp4(2)
    answer = online("resume", "--json").answer
    assert mp4(2) in [Path(each).read_bytes() for each in answer["files"]]
