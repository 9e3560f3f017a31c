"""`mj describe`: a picture in words, and a picture from these words."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Mj
from tests.service import Service, fixture, png, task_record

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


def test_a_script_gets_the_object_or_the_bare_texts(online: Mj, described: Service) -> None:
    assert online("describe", LINK, "--json").answer == {"descriptions": TEXTS, "files": []}
    assert online("describe", LINK, "-q").out.splitlines() == TEXTS
    assert online("describe", LINK, "--field", "descriptions[1]").out == f"{TEXTS[1]}\n"


def test_it_stands_in_the_ledger_with_its_words(online: Mj, described: Service) -> None:
    online("describe", LINK)
    job = online("history", "show", "@last", "--json").answer
    assert (job["kind"], job["state"], job["action"]) == ("describe", "done", "describe")
    assert job["result"] == fixture("describe.json")
    assert f"1: {TEXTS[0]}" in online("history", "show", "@last").out
    assert "cat.png" in online("history").out


def test_one_of_them_becomes_the_prompt_of_a_picture(online: Mj, described: Service) -> None:
    result = online("describe", LINK, "--use", "2", "--json")
    first, last = result.json
    assert first["descriptions"] == TEXTS
    assert last["raw_image_url"] == described.result()["raw_image_url"]
    (post,) = described.posts()
    assert post.body == {"action": "generate", "prompt": TEXTS[1]}


def test_quiet_prints_the_picture_alone(online: Mj, described: Service) -> None:
    link = described.result()["raw_image_url"]
    assert online("describe", LINK, "--use", "1", "-q").out == f"{link}\n"
    assert online("describe", LINK, "--use", "1", "--field", "raw_image_url").out == f"{link}\n"


def test_the_options_of_imagine_hold_for_that_picture(online: Mj, described: Service) -> None:
    described.files["/files/cat.png"] = png()
    options = ("--ar", "1:2", "--mode", "turbo", "--download", "-o", "out.png")
    online("describe", LINK, "--use", "1", *options)
    body = described.posts()[0].body
    assert body["prompt"].endswith("--ar 1:2")
    assert body["mode"] == "turbo"
    assert described.posts(DESCRIBE)[0].body == {"image_url": LINK}
    assert (online.cwd / "out.png").read_bytes() == png()


def test_an_earlier_describe_is_used_again_and_not_paid_for_again(online: Mj, described: Service) -> None:
    online("describe", LINK)
    assert online("describe", "@last", "--json").answer["descriptions"] == TEXTS
    online("describe", "@last", "--use", "4")
    assert described.posts()[0].body["prompt"] == TEXTS[3]
    assert len(described.posts(DESCRIBE)) == 1


def test_a_picture_of_ones_own_may_be_named(online: Mj, described: Service) -> None:
    online("imagine", "a cat")
    online("describe", "@last")
    assert described.posts(DESCRIBE)[0].body == {"image_url": described.result()["raw_image_url"]}


@pytest.mark.parametrize(
    "option", [["--download"], ["--ar", "1:2"], ["--mode", "fast"], ["--no-wait"], ["--permute"]]
)
def test_an_option_for_the_picture_needs_one(online: Mj, described: Service, option: list[str]) -> None:
    assert "--use" in online("describe", LINK, *option, check=2).err
    assert not described.posts(DESCRIBE)


@pytest.mark.parametrize("number", ["0", "5", "x"])
def test_there_are_four_to_choose_from(online: Mj, described: Service, number: str) -> None:
    online("describe", LINK, "--use", number, check=2)
    assert not described.posts(DESCRIBE)


def test_fewer_than_were_promised_are_said_so(online: Mj, described: Service) -> None:
    described.scripts[DESCRIBE] = lambda _request, reply: reply.json({"descriptions": ["one"]})
    assert "only 1" in online("describe", LINK, "--use", "3", check=2).err
    assert not described.posts()


def test_a_slip_in_an_option_is_found_before_the_description_is_paid_for(
    online: Mj, described: Service
) -> None:
    online("describe", LINK, "--use", "1", "--ar", "wide", check=2)
    online("describe", LINK, "--use", "1", "--preset", "none", check=2)
    assert not described.posts(DESCRIBE)


def test_an_answer_without_descriptions_is_looked_for_and_found(online: Mj, described: Service) -> None:
    request = {"image_url": LINK}
    response = {**fixture("describe.json"), "task_id": "t-1", "success": True}

    def script(_request: object, reply: object) -> None:
        described.tasks["t-1"] = task_record("t-1", request, response, type="describe")
        reply.close()  # type: ignore[attr-defined]

    described.scripts[DESCRIBE] = script
    assert online("describe", LINK, "--json").answer["descriptions"] == TEXTS
    assert len(described.posts(DESCRIBE)) == 1


def test_a_refusal_is_the_services_own(online: Mj, described: Service) -> None:
    error = {"error": {"code": "used_up", "message": "no balance"}, "trace_id": "t"}
    described.scripts[DESCRIBE] = lambda _request, reply: reply.json(error, 403)
    online("describe", LINK, "--use", "1", check=5)
    assert not described.posts()


def test_the_dry_run_shows_the_first_request_alone(online: Mj, described: Service) -> None:
    answer = online("describe", LINK, "--use", "1", "--dry-run", "--json").answer
    assert answer["body"] == {"image_url": LINK}
    assert not described.posts(DESCRIBE) + described.posts()
