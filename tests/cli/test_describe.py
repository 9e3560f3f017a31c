"""`mj describe`: prompts for an image, and an image from one of them."""

from __future__ import annotations

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service, fixture, task_record

DESCRIBE = "/midjourney/describe"
LINK = "http://127.0.0.1:9/cat.png"
TEXTS = fixture("describe.json")["descriptions"]


@pytest.fixture
def described(service: Service) -> Service:
    """A service that describes at once."""
    service.scripts[DESCRIBE] = lambda _request, reply: reply.json(fixture("describe.json"))
    service.answer(service.result())
    return service


def test_the_four_descriptions_are_numbered(online: Mj, described: Service) -> None:
    lines = online("describe", LINK).out.splitlines()
    assert lines[:4] == [f"{number}: {text}" for number, text in enumerate(TEXTS, start=1)]
    assert lines[4].startswith("next: mj describe ")
    (post,) = described.posts(DESCRIBE)
    assert post.body == {"image_url": LINK}
    assert post.headers["accept"] == "application/json"


def test_scripts_get_the_object_or_only_the_texts(online: Mj, described: Service) -> None:
    assert online("describe", LINK, "--json").answer == {"descriptions": TEXTS, "files": []}
    assert online("describe", LINK, "-q").out.splitlines() == TEXTS
    assert online("describe", LINK, "--field", "descriptions[1]").out == f"{TEXTS[1]}\n"


def test_a_description_is_recorded_in_the_ledger(online: Mj, described: Service) -> None:
    online("describe", LINK)
    job = online("history", "show", "@last", "--json").answer
    assert (job["kind"], job["state"], job["action"]) == ("describe", "done", "describe")
    assert job["result"] == fixture("describe.json")
    assert f"1: {TEXTS[0]}" in online("history", "show", "@last").out
    assert "cat.png" in online("history").out


def test_use_makes_an_image_from_one_description(online: Mj, described: Service) -> None:
    result = online("describe", LINK, "--use", "2", "--json")
    first, last = result.json
    assert first["descriptions"] == TEXTS
    assert last["raw_image_url"] == described.result()["raw_image_url"]
    (post,) = described.posts()
    assert post.body == {"action": "generate", "prompt": TEXTS[1]}


def test_quiet_prints_only_the_image(online: Mj, described: Service) -> None:
    link = described.result()["raw_image_url"]
    assert online("describe", LINK, "--use", "1", "-q").out == f"{link}\n"
    assert online("describe", LINK, "--use", "1", "--field", "raw_image_url").out == f"{link}\n"


def test_image_options_apply_to_that_image(online: Mj, described: Service) -> None:
    described.files["/files/cat.png"] = png()
    options = ("--ar", "1:2", "--mode", "turbo", "--download", "-o", "out.png")
    online("describe", LINK, "--use", "1", *options)
    body = described.posts()[0].body
    assert body["prompt"].endswith("--ar 1:2")
    assert body["mode"] == "turbo"
    assert described.posts(DESCRIBE)[0].body == {"image_url": LINK}
    assert (online.cwd / "out.png").read_bytes() == png()


def test_an_earlier_description_is_reused_without_paying_again(online: Mj, described: Service) -> None:
    online("describe", LINK)
    assert online("describe", "@last", "--json").answer["descriptions"] == TEXTS
    online("describe", "@last", "--use", "4")
    assert described.posts()[0].body["prompt"] == TEXTS[3]
    assert len(described.posts(DESCRIBE)) == 1


def test_an_image_in_the_ledger_can_be_described(online: Mj, described: Service) -> None:
    online("imagine", "a cat")
    online("describe", "@last")
    assert described.posts(DESCRIBE)[0].body == {"image_url": described.result()["raw_image_url"]}


@pytest.mark.parametrize(
    "option", [["--download"], ["--ar", "1:2"], ["--mode", "fast"], ["--no-wait"], ["--permute"]]
)
def test_image_options_require_use(online: Mj, described: Service, option: list[str]) -> None:
    assert "--use" in online("describe", LINK, *option, check=2).err
    assert not described.posts(DESCRIBE)


@pytest.mark.parametrize("number", ["0", "5", "x"])
def test_use_must_be_1_to_4(online: Mj, described: Service, number: str) -> None:
    online("describe", LINK, "--use", number, check=2)
    assert not described.posts(DESCRIBE)


def test_fewer_descriptions_than_expected_are_reported(online: Mj, described: Service) -> None:
    described.scripts[DESCRIBE] = lambda _request, reply: reply.json({"descriptions": ["one"]})
    assert "only 1" in online("describe", LINK, "--use", "3", check=2).err
    assert not described.posts()


def test_a_wrong_option_is_refused_before_the_description_is_paid_for(online: Mj, described: Service) -> None:
    online("describe", LINK, "--use", "1", "--ar", "wide", check=2)
    online("describe", LINK, "--use", "1", "--preset", "none", check=2)
    assert not described.posts(DESCRIBE)


def test_a_response_without_descriptions_is_recovered_from_the_tasks(online: Mj, described: Service) -> None:
    request = {"image_url": LINK}
    response = {**fixture("describe.json"), "task_id": "t-1", "success": True}

    def script(_request: object, reply: object) -> None:
        described.tasks["t-1"] = task_record("t-1", request, response, type="describe")
        reply.close()  # type: ignore[attr-defined]

    described.scripts[DESCRIBE] = script
    assert online("describe", LINK, "--json").answer["descriptions"] == TEXTS
    assert len(described.posts(DESCRIBE)) == 1


def test_a_refusal_shows_the_message_of_the_service(online: Mj, described: Service) -> None:
    error = {"error": {"code": "used_up", "message": "no balance"}, "trace_id": "t"}
    described.scripts[DESCRIBE] = lambda _request, reply: reply.json(error, 403)
    online("describe", LINK, "--use", "1", check=5)
    assert not described.posts()


def test_a_dry_run_shows_only_the_first_request(online: Mj, described: Service) -> None:
    answer = online("describe", LINK, "--use", "1", "--dry-run", "--json").answer
    assert answer["body"] == {"image_url": LINK}
    assert not described.posts(DESCRIBE) + described.posts()


def test_use_suggests_nothing_between_its_two_jobs(online: Mj, described: Service) -> None:
    result = online("describe", LINK, "--use", "2")
    assert "--use 1" not in result.out + result.err
