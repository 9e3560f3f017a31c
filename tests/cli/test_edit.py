"""`mj edit`: an image changed by a prompt, all of it or the part in a mask."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

import PIL.Image
import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service, fixture, task_record

EDITS = "/midjourney/edits"
LINK = "http://127.0.0.1:9/cat.png"


@pytest.fixture
def edited(service: Service) -> Service:
    """A service that finishes every edit at once."""
    service.scripts[EDITS] = lambda _request, reply: reply.json(
        {**fixture("edits.json"), "sub_image_urls": [f"{service.base_url}/files/{n}.png" for n in range(4)]}
    )
    return service


def made(width: int, height: int) -> bytes:
    written = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(written, "PNG")
    return written.getvalue()


def mask_in(service: Service) -> PIL.Image.Image:
    (post,) = service.posts(EDITS)
    return PIL.Image.open(io.BytesIO(b64decode(post.body["mask"], validate=True)))


def image_known(online: Mj, service: Service, **fields: object) -> str:
    """The id of an image in the ledger."""
    service.answer(service.result(**fields))
    online("imagine", "a cat")
    return str(service.result(**fields)["image_id"])


def test_an_edit_sends_a_link_and_the_words(online: Mj, edited: Service) -> None:
    answer = online("edit", LINK, "a", "red", "hat", "--json").answer
    assert answer["task_id"] == fixture("edits.json")["task_id"]
    (post,) = edited.posts(EDITS)
    assert post.body == {"action": "generate", "image_url": LINK, "prompt": "a red hat"}
    assert post.headers["accept"] == "application/x-ndjson"
    (job,) = online("history", "--json").out.splitlines()
    assert '"kind":"edit"' in job
    assert '"action":"edit"' in job


def test_body_fields_are_options(online: Mj, edited: Service) -> None:
    online("edit", LINK, "a hat", "--mode", "relax", "--split-images", "--timeout", "30", "--no-stream")
    (post,) = edited.posts(EDITS)
    assert post.body == {
        "action": "generate",
        "image_url": LINK,
        "prompt": "a hat",
        "mode": "relax",
        "split_images": True,
        "timeout": 30,
    }
    assert post.headers["accept"] == "application/json"


def test_parameters_are_appended_to_the_prompt_and_set_no_fields(online: Mj, edited: Service) -> None:
    online("edit", LINK, "a hat", "--ar", "1:2", "--v", "7")
    assert edited.posts(EDITS)[0].body["prompt"] == "a hat --ar 1:2 --v 7"
    assert "version" not in edited.posts(EDITS)[0].body


def test_a_mistake_in_the_prompt_is_refused_before_anything_is_sent(online: Mj, edited: Service) -> None:
    online("edit", LINK, "a hat --stylise 5", check=2)
    online("edit", LINK, check=2, stdin="")
    assert not edited.posts(EDITS)


def test_words_can_come_from_a_pipe(online: Mj, edited: Service) -> None:
    online("edit", LINK, "-", stdin="a hat\n")
    assert edited.posts(EDITS)[0].body["prompt"] == "a hat"


def test_images_can_come_from_a_pipe(online: Mj, edited: Service) -> None:
    online("edit", "-", "a hat", stdin=f"{LINK}\nhttp://127.0.0.1:9/dog.png\n")
    sent = sorted(post.body["image_url"] for post in edited.posts(EDITS))
    assert sent == [LINK, "http://127.0.0.1:9/dog.png"]
    online("edit", "-", check=2, stdin=LINK)


@pytest.mark.slow
def test_an_image_in_the_ledger_is_named_by_reference_or_id(online: Mj, edited: Service) -> None:
    image_id = image_known(online, edited)
    online("edit", "@last", "a hat")
    online("edit", image_id, "a hat")
    link = edited.result()["raw_image_url"]
    assert [post.body["image_url"] for post in edited.posts(EDITS)] == [link, link]
    assert online("history", "show", "@last", "--json").answer["parents"][0]["image_id"] == image_id


def test_a_file_is_uploaded_first(online: Mj, edited: Service) -> None:
    path = online.cwd / "my cat.png"
    path.write_bytes(png())
    edited.scripts["/files/upload"] = lambda _request, reply: reply.json({"url": LINK})
    online("edit", "my cat.png", "a hat")
    assert edited.posts(EDITS)[0].body["image_url"] == LINK
    assert len(edited.posts("/files/upload")) == 1


def test_a_dead_link_is_refused(online: Mj, edited: Service) -> None:
    result = online("edit", f"{edited.base_url}/files/none.png", "a hat", check=2)
    assert "Nothing was sent." in result.err
    online("edit", f"{edited.base_url}/files/none.png", "a hat", "--no-check")
    assert len(edited.posts(EDITS)) == 1


def test_the_four_images_are_saved(online: Mj, edited: Service) -> None:
    for n in range(4):
        edited.files[f"/files/{n}.png"] = png(n)
    files = online("edit", LINK, "a hat", "--download", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in files] == [png(n) for n in range(4)]
    assert Path(files[0]).name.startswith("a-hat_1391372193836826624_1")


def test_a_mask_is_sent_as_bare_base64(online: Mj, edited: Service) -> None:
    (online.cwd / "mask.png").write_bytes(png())
    online("edit", LINK, "a hat", "--mask", "mask.png")
    assert b64decode(edited.posts(EDITS)[0].body["mask"], validate=True) == png()


@pytest.mark.slow
def test_a_mask_must_have_the_proportions_of_a_known_image(online: Mj, edited: Service) -> None:
    image_known(online, edited)  # 2048 x 2048
    (online.cwd / "mask.png").write_bytes(made(200, 100))
    assert "200 x 100" in online("edit", "@last", "a hat", "--mask", "mask.png", check=2).err
    (online.cwd / "mask.png").write_bytes(made(100, 100))
    online("edit", "@last", "a hat", "--mask", "mask.png")


@pytest.mark.slow
def test_a_region_of_a_known_image_becomes_a_mask_of_its_size(online: Mj, edited: Service) -> None:
    image_known(online, edited)
    online("edit", "@last", "a hat", "--region", "50%,0,25%,10%", "--region", "0,2000,8,48")
    mask = mask_in(edited)
    assert (mask.mode, mask.size) == ("L", (2048, 2048))
    assert mask.getpixel((1024, 0)) == mask.getpixel((0, 2000)) == 255
    assert mask.getpixel((1023, 0)) == mask.getpixel((9, 2000)) == 0


def test_a_region_of_a_file_becomes_a_mask_of_its_size(online: Mj, edited: Service) -> None:
    (online.cwd / "cat.png").write_bytes(made(30, 20))
    edited.scripts["/files/upload"] = lambda _request, reply: reply.json({"url": LINK})
    online("edit", "cat.png", "a hat", "--region", "0,0,50%,50%")
    assert mask_in(edited).getbbox() == (0, 0, 15, 10)


def test_a_region_of_a_link_becomes_a_mask_of_the_size_of_its_image(online: Mj, edited: Service) -> None:
    edited.files["/files/cat.png"] = made(60, 40)
    online("edit", f"{edited.base_url}/files/cat.png", "a hat", "--region", "10,10,20,20")
    assert mask_in(edited).size == (60, 40)
    assert mask_in(edited).getbbox() == (10, 10, 30, 30)


@pytest.mark.parametrize("region", ["1,2,3", "0,0,9999,10", "x"])
def test_an_invalid_region_is_refused(online: Mj, edited: Service, region: str) -> None:
    image_known(online, edited)
    online("edit", "@last", "a hat", "--region", region, check=2)
    online("edit", LINK, "a hat", "--region", "0,0,1,1", check=2)  # its size is unknown
    assert not edited.posts(EDITS)


@pytest.mark.slow
def test_a_lost_response_is_found_among_the_tasks_of_the_same_endpoint(online: Mj, edited: Service) -> None:
    request = {"action": "generate", "image_url": LINK, "prompt": "a hat"}
    other = task_record("imagine-task", request, edited.result())
    edited.tasks["imagine-task"] = other
    edited.scripts[EDITS] = lambda _request, reply: reply.close()
    online("edit", LINK, "a hat", check=9, timeout=90)
    ours = {**fixture("edits.json"), "task_id": "edit-task"}
    edited.tasks["edit-task"] = task_record("edit-task", request, ours, type="edits")
    assert online("resume", "--json").answer["task_id"] == "edit-task"
    assert len(edited.posts(EDITS)) == 1


def test_the_dry_run_shows_the_request(online: Mj, edited: Service) -> None:
    answer = online("edit", LINK, "a hat", "--dry-run", "--json").answer
    assert answer["url"] == edited.base_url + EDITS
    assert answer["body"] == {"action": "generate", "image_url": LINK, "prompt": "a hat"}
    assert not edited.posts(EDITS)
