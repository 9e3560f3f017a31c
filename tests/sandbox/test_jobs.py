"""Jobs: what each endpoint and each mode returns, and when."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.sandbox import NDJSON, Client, Receiver

Run = Callable[..., Client]


def test_a_plain_request_waits_for_the_job_and_returns_one_object(run: Run) -> None:
    client = run(seconds=0.2)
    began = time.monotonic()
    response = client.post("imagine", {"prompt": "a cat"})
    assert time.monotonic() - began >= 0.19
    assert response.status == 200
    assert response.headers["server"].startswith("mj-sandbox/")
    result = response.json
    assert (result["progress"], result["success"], result["sandbox"]) == (100, True, True)
    assert result["actions"] == [
        *(f"upscale{n}" for n in range(1, 5)),
        "reroll",
        *(f"variation{n}" for n in range(1, 5)),
    ]
    assert (result["raw_image_width"], result["image_width"]) == (1024, 512)
    query = r"\?ex=[0-9a-f]+&is=[0-9a-f]+&hm=[0-9a-f]{64}&"
    assert re.search(query + "$", result["raw_image_url"])
    assert re.search(query + "width=512&height=512$", result["image_url"])
    expires = int(re.findall(r"ex=([0-9a-f]+)", result["raw_image_url"])[0], 16)
    assert 86000 < expires - time.time() < 86500


@pytest.mark.parametrize("name", ["imagine", "edits", "videos"])
def test_a_stream_shows_the_progress_and_ends_with_the_result(client: Client, name: str) -> None:
    body = {"prompt": "a cat", "image_url": "http://a.test/1.png"}
    response = client.post(name, body, NDJSON)
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["transfer-encoding"] == "chunked"
    *running, last = response.lines
    assert [line["progress"] for line in running] == [0, 15, 31, 46, 62, 78, 93]
    assert all(line["actions"] == [] and line["success"] is True for line in running)
    ids = [line["image_id"] for line in running] + [last.get("image_id", last.get("video_id"))]
    assert len(set(ids)) == 8
    assert {line["task_id"] for line in [*running, last]} == {last["task_id"]}
    assert last["progress"] == 100
    assert last == {**client.task(last["task_id"])["response"], **_urls(last)}


def _urls(result: dict[str, Any]) -> dict[str, Any]:
    # The query of a link contains the time when it was issued.
    return {key: value for key, value in result.items() if key in ("image_url", "raw_image_url")}


def test_lines_of_a_stream_arrive_while_the_job_runs(run: Run) -> None:
    client = run(seconds=30)
    connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=5)
    connection.request("POST", "/midjourney/imagine", json.dumps({"prompt": "a cat"}), NDJSON)
    first = json.loads(connection.getresponse().readline())
    assert first["progress"] == 0
    assert "finished_at" not in client.task(first["task_id"])
    connection.close()


def test_closing_ends_waiting_requests_immediately(run: Run) -> None:
    client = run(seconds=60)
    connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=10)
    connection.request("POST", "/midjourney/imagine", json.dumps({"prompt": "a cat"}), NDJSON)
    response = connection.getresponse()
    response.readline()
    began = time.monotonic()
    client.sandbox.close()
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        response.read()
    assert time.monotonic() - began < 3
    connection.close()


def test_async_returns_the_task_id_immediately_and_the_task_shows_progress(
    run: Run, let_pass: Callable[[float], None]
) -> None:
    client = run(seconds=60)
    response = client.post("imagine", {"prompt": "a cat", "async": True})
    assert list(response.json) == ["task_id"]
    record = client.task(response.json["task_id"])
    assert "response" not in record
    assert "finished_at" not in record
    assert record["progress"] == 0
    let_pass(30)
    assert client.task(record["id"])["progress"] == 46
    assert record["request"] == {"mode": "fast", "action": "generate", "prompt": "a cat", "async": True}
    let_pass(30)
    done = client.task(record["id"])
    assert done["response"]["success"] is True
    assert done["type"] == "imagine"
    assert done["finished_at"] - done["created_at"] == pytest.approx(done["duration"], abs=0.01)


def test_a_callback_delivers_the_result(client: Client, receiver: Receiver) -> None:
    response = client.post("imagine", {"prompt": "a cat", "callback_url": receiver.url})
    assert list(response.json) == ["task_id"]
    (result,) = receiver.wait_for(1)
    assert result["task_id"] == response.json["task_id"]
    assert result["progress"] == 100
    assert client.get(result["raw_image_url"]).status == 200


def test_a_callback_with_a_stream_delivers_every_step_in_order(client: Client, receiver: Receiver) -> None:
    client.post("imagine", {"prompt": "a cat", "callback_url": receiver.url}, NDJSON)
    received = receiver.wait_for(8)
    assert [event["progress"] for event in received] == [0, 15, 31, 46, 62, 78, 93, 100]


def test_a_callback_delivers_failures_too(client: Client, receiver: Receiver) -> None:
    response = client.post("imagine", {"prompt": "a cat -c x", "callback_url": receiver.url})
    (result,) = receiver.wait_for(1)
    assert result["success"] is False
    assert result["task_id"] == response.json["task_id"]
    assert result["error"] == {"code": "bad_request", "message": "Unrecognized argument(s): `-c`, `x`"}


@pytest.mark.slow
def test_closing_can_wait_for_callbacks(run: Run, receiver: Receiver) -> None:
    client = run(seconds=0.3)
    client.post("imagine", {"prompt": "a cat", "callback_url": receiver.url})
    assert receiver.received == []
    client.sandbox.close(finish_callbacks=True)
    assert len(receiver.received) == 1


def test_an_unreachable_receiver_has_no_effect(run: Run) -> None:
    client = run()
    client.post("imagine", {"prompt": "a cat", "callback_url": "http://127.0.0.1:9/"})
    client.sandbox.close(finish_callbacks=True)


@pytest.mark.slow
def test_each_action_makes_an_image_that_offers_further_actions(client: Client) -> None:
    grid = client.imagine("a cat --ar 16:9")
    assert grid["raw_image_width"] / grid["raw_image_height"] == pytest.approx(16 / 9, rel=0.02)
    single = client.action("upscale2", grid["image_id"])
    assert {"upscale_2x", "variation_region", "pan_left"} < set(single["actions"])
    assert (single["raw_image_width"], single["image_width"]) == (1360, 680)
    bigger = client.action("upscale_2x", single["image_id"])
    assert bigger["raw_image_width"] == 2720
    assert "upscale_2x" not in bigger["actions"]
    for action in bigger["actions"]:
        fields = {"mask": base64.b64encode(b"x").decode()} if action == "variation_region" else {}
        again = client.action(action, bigger["image_id"], **fields)
        assert "upscale1" in again["actions"]
        assert client.get(again["image_url"]).status == 200
    assert "reroll" in client.action("variation3", grid["image_id"])["actions"]
    assert "reroll" in client.action("reroll", grid["image_id"])["actions"]
    assert "upscale_2x" in client.action("upsample1", grid["image_id"])["actions"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "upscale1", "image_id": "123"}, "unknown image_id `123`"),
        ({"action": "upscale1", "image_id": "\ud800"}, "unknown image_id"),
        ({"action": "upscale1", "image_id": "9999999999999999999"}, "unknown image_id"),
        ({"action": "upscale1"}, "image_id is required"),
        ({"action": "explode", "image_id": "GRID"}, "unknown action `explode`"),
        ({"action": "upscale_2x", "image_id": "GRID"}, "is not offered"),
        ({"prompt": "  "}, "prompt is required"),
        ({}, "prompt is required"),
        ({"prompt": 5}, "prompt must be a string"),
        ({"prompt": "a", "mode": "slow"}, "mode must be one of"),
        ({"prompt": "a", "async": "yes"}, "async must be true or false"),
        ({"prompt": "a", "timeout": -1}, "timeout must be a number above 0"),
        ({"prompt": "a", "callback_url": "ftp://a/"}, "callback_url must be an http"),
        ({"prompt": " ".join(f"http://a/{n}.png" for n in range(6))}, "image addresses"),
    ],
)
def test_a_wrong_field_is_named_in_the_error(client: Client, fields: dict[str, Any], message: str) -> None:
    if fields.get("image_id") == "GRID":
        fields = {**fields, "image_id": client.imagine()["image_id"]}
    response = client.post("imagine", fields)
    assert response.status == 400
    error = response.json
    assert error["error"]["code"] == "bad_request"
    assert message in error["error"]["message"]
    assert error["trace_id"]
    assert error["sandbox"] is True


def test_a_mask_must_be_base64(client: Client) -> None:
    single = client.action("upscale1", client.imagine()["image_id"])
    for mask in (None, "", "not base64!"):
        body = {"action": "variation_region", "image_id": single["image_id"], "mask": mask}
        response = client.post("imagine", body)
        assert response.status == 400
        assert "mask" in response.json["error"]["message"]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a cat -c x", "Unrecognized argument(s): `-c`, `x`"),
        ("a cat --ar 1:1 --nonsense", "Unrecognized argument(s): `--nonsense`"),
        ("a cat --ar wide", "Invalid value for --ar: `wide`, expected W:H"),
    ],
)
def test_a_prompt_with_a_mistake_is_a_failed_job(client: Client, prompt: str, message: str) -> None:
    response = client.post("imagine", {"prompt": prompt})
    assert response.status == 400
    assert response.json["error"] == {"code": "bad_request", "message": message}
    assert client.task(response.json["task_id"])["response"]["error"]["message"] == message
    assert client.post("imagine", {"prompt": prompt}, NDJSON).lines[-1]["error"]["message"] == message


def test_words_with_dashes_are_accepted(client: Client) -> None:
    assert (
        client.imagine("a well-known cat - at -5 degrees, half -hearted --no dogs, mice")["success"] is True
    )


def test_a_moderated_prompt_is_forbidden_and_creates_no_task(client: Client) -> None:
    response = client.post("imagine", {"prompt": "something Moderated"})
    assert (response.status, response.json["error"]["code"]) == (403, "forbidden")
    assert client.post("tasks", {"action": "retrieve_batch"}).json == {"items": [], "count": 0}


def test_a_prompt_can_make_its_job_fail_midway(client: Client) -> None:
    *running, last = client.post("imagine", {"prompt": "please-fail"}, NDJSON).lines
    assert [line["progress"] for line in running] == [0, 15, 31, 46]
    assert last["success"] is False
    assert last["error"]["code"] == "api_error"
    record = client.task(last["task_id"])
    assert record["response"]["success"] is False
    assert record["response"]["error"] == last["error"]
    response = client.post("imagine", {"prompt": "please-fail"})
    assert (response.status, response.json["success"]) == (200, False)


@pytest.mark.slow
def test_split_images_returns_the_four_images(client: Client) -> None:
    result = client.imagine(split_images=True)
    assert len(set(result["sub_image_urls"])) == 4
    for url in result["sub_image_urls"]:
        assert client.get(url).headers["content-type"] == "image/png"


def test_edits_have_images_but_no_actions(client: Client) -> None:
    response = client.post("edits", {"prompt": "with a hat", "image_url": client.imagine()["raw_image_url"]})
    assert "actions" not in response.json
    assert len(response.json["sub_image_urls"]) == 4
    assert client.post("edits", {"prompt": "with a hat"}).status == 400


@pytest.mark.slow
def test_videos_are_four_well_formed_mp4_files(client: Client) -> None:
    video = client.post("videos", {"image_url": client.imagine()["raw_image_url"]}).json
    assert len(video["video_urls"]) == 4
    for url in video["video_urls"]:
        assert url.startswith(f"{client.sandbox.base_url}//video/")
        file = client.get(url)
        assert file.headers["content-type"] == "video/mp4"
        kinds, at = [], 0
        while at < len(file.body):
            kinds.append(file.body[at + 4 : at + 8])
            at += int.from_bytes(file.body[at : at + 4])
        assert at == len(file.body)
        assert kinds == [b"ftyp", b"moov", b"free", b"mdat"]
        assert client.get(url.replace("//video", "/video")).status == 404
    assert client.get(video["image_url"]).headers["content-type"] == "image/png"
    longer = client.post("videos", {"action": "extend", "video_id": video["video_id"], "video_index": 3})
    assert longer.json["video_id"] != video["video_id"]
    for wrong in ({"video_id": "5"}, {"video_id": video["video_id"], "video_index": 4}):
        assert client.post("videos", {"action": "extend", **wrong}).status == 400
    assert client.post("videos", {"prompt": "a cat"}).status == 400


def test_describe_shorten_translate_and_seed_return_text(client: Client) -> None:
    grid = client.imagine("a very small cat on the table --seed 42")
    described = client.post("describe", {"image_url": grid["raw_image_url"]}).json
    assert len(set(described["descriptions"])) == 4
    assert all("small cat" in text for text in described["descriptions"])
    shortened = client.post("shorten", {"prompt": "a very small cat on the old table"}).json
    assert shortened["prompts"][0] == "small cat old table"
    assert 1 < len(shortened["prompts"]) <= 5
    assert client.post("translate", {"content": "a cat"}).json["content"] == "a cat"
    assert "猫" in client.post("translate", {"content": "猫"}).json["content"]
    assert client.post("seed", {"image_id": grid["image_id"]}).json["seed"] == "42"
    for name in ("describe", "shorten", "translate", "seed"):
        assert client.post(name, {}).status == 400


def test_tasks_are_found_by_id_and_trace_id_and_listed_newest_first(client: Client) -> None:
    ids = [client.imagine(f"cat {n}")["task_id"] for n in range(3)]
    record = client.task(ids[1])
    assert record["id"] == ids[1]
    assert client.post("tasks", {"trace_id": record["trace_id"]}).json["id"] == ids[1]
    assert client.task("no-such-task") == {}
    assert client.post("tasks", {"action": "retrieve"}).status == 400

    def batch(**fields: Any) -> Any:
        found = client.post("tasks", {"action": "retrieve_batch", **fields}).json
        return [item["id"] for item in found["items"]], found["count"]

    assert batch() == (ids[::-1], 3)
    assert batch(offset=1, limit=1) == ([ids[1]], 3)
    assert batch(ids=[ids[0], "no-such-task", ids[2]]) == ([ids[2], ids[0]], 2)
    assert batch(trace_ids=[record["trace_id"]]) == ([ids[1]], 1)
    assert batch(ids=[]) == ([], 0)


def test_tasks_are_filtered_by_type_and_time(client: Client) -> None:
    ids = [client.imagine(f"cat {n}")["task_id"] for n in range(3)]
    client.post("shorten", {"prompt": "a cat"})
    middle = client.task(ids[1])["created_at"]

    def batch(**fields: Any) -> list[str]:
        found = client.post("tasks", {"action": "retrieve_batch", **fields}).json
        assert found["count"] == len(found["items"])
        return [item["id"] for item in found["items"]]

    assert batch(type="imagine") == ids[::-1]
    assert batch(type="imagine", created_at_min=middle - 0.001) == ids[:0:-1]
    assert batch(type="imagine", created_at_max=middle + 0.001) == ids[1::-1]
    assert len(batch(type="shorten")) == 1
    for wrong in ({"type": 1}, {"created_at_min": "x"}, {"created_at_max": True}):
        assert client.post("tasks", {"action": "retrieve_batch", **wrong}).status == 400


def test_a_list_of_tasks_has_twelve_by_default(client: Client) -> None:
    for n in range(14):
        client.post("imagine", {"prompt": f"cat {n}", "async": True})
    found = client.post("tasks", {"action": "retrieve_batch"}).json
    assert (len(found["items"]), found["count"]) == (12, 14)


def test_any_text_is_returned_unchanged(client: Client) -> None:
    prompt = "\ud800 \x1b[31m\u2028 猫 \x00 'quoted\" 🐈"
    result = client.imagine(prompt)
    assert client.task(result["task_id"])["request"]["prompt"] == prompt
    assert client.get(result["image_url"]).status == 200
