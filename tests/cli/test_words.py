"""`mj shorten`, `mj translate`, `mj seed`: answers in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.program import Mj
from tests.support.service import Received, Reply, Service, task_record

CASES: list[tuple[str, list[str], dict[str, str], dict[str, Any], str]] = [
    ("shorten", ["a", "very nice cat"], {"prompt": "a very nice cat"}, {"prompts": ["nice cat", "cat"]},
     '1: nice cat\n2: cat\nnext: mj imagine "nice cat"\n'),
    ("translate", ["eine", "Katze"], {"content": "eine Katze"}, {"content": "a cat"}, "content: a cat\n"),
    ("seed", ["1234197197067915365"], {"image_id": "1234197197067915365"}, {"seed": "2427805363"},
     "seed: 2427805363\n"),
]  # fmt: skip


def answers(service: Service, name: str, document: Any, status: int = 200) -> None:
    service.scripts[f"/midjourney/{name}"] = lambda _request, reply: reply.json(document, status)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words", "body", "answer", "people"), CASES)
def test_the_words_are_sent_and_the_result_is_printed(
    online: Mj, service: Service, name: str, words: list[str], body: Any, answer: Any, people: str
) -> None:
    answers(service, name, answer)
    assert online(name, *words).out == people
    assert online(name, *words, "--json").answer == {**answer, "files": []}
    (value,) = answer.values()
    assert online(name, *words, "-q").out.splitlines() == (value if isinstance(value, list) else [value])
    posts = service.posts(f"/midjourney/{name}")
    assert [post.body for post in posts] == [body] * 3
    assert posts[0].headers["accept"] == "application/json"
    job = online("history", "show", "@last", "--json").answer
    assert (job["kind"], job["state"], job["result"]) == (name, "done", answer)


@pytest.mark.parametrize(("name", "words", "body", "answer", "people"), CASES)
def test_standard_input_is_read(
    online: Mj, service: Service, name: str, words: list[str], body: Any, answer: Any, people: str
) -> None:
    answers(service, name, answer)
    online(name, "-", stdin=f"{' '.join(words)}\n")
    assert service.posts(f"/midjourney/{name}")[0].body == body


@pytest.mark.parametrize(("name", "words", "body", "answer", "people"), CASES)
def test_a_lost_response_is_found(
    online: Mj, service: Service, name: str, words: list[str], body: Any, answer: Any, people: str
) -> None:
    response = {**answer, "task_id": "t-1", "success": True}

    def script(_request: Received, reply: Reply) -> None:
        # A task with the same words at another endpoint does not match.
        service.tasks["t-0"] = task_record("t-0", body, service.result())
        service.tasks["t-1"] = task_record("t-1", body, response, type=name)
        reply.reset()

    service.scripts[f"/midjourney/{name}"] = script
    assert online(name, *words, "--json").answer == {**response, "files": []}
    assert len(service.posts(f"/midjourney/{name}")) == 1


@pytest.mark.parametrize(("name", "words", "body", "answer", "people"), CASES)
@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"error": {"code": "used_up", "message": "no"}}, 403, 5),
        ({"error": {"code": "invalid_token", "message": "no"}}, 401, 3),
        ({"success": False, "error": {"code": "bad_request", "message": "no"}}, 200, 4),
    ],
)
def test_a_refusal_has_its_status(
    online: Mj, service: Service, name: str, words: list[str], body: Any, answer: Any, people: str,
    document: Any, status: int, code: int,
) -> None:  # fmt: skip
    answers(service, name, document, status)
    online(name, *words, check=code, timeout=90)


@pytest.mark.slow
def test_a_response_without_a_result_counts_as_lost(online: Mj, service: Service) -> None:
    answers(service, "translate", {"content": ""})
    online("translate", "x", check=9, timeout=90)
    assert len(service.posts("/midjourney/translate")) == 1


@pytest.mark.parametrize("name", ["shorten", "translate"])
def test_words_are_required(online: Mj, service: Service, name: str) -> None:
    assert f"mj {name}" in online(name, stdin="", check=2).err


def test_a_prompt_to_be_shortened_is_checked(online: Mj, service: Service) -> None:
    answers(service, "shorten", {"prompts": ["cat"]})
    online("shorten", "a cat --stylise 3", check=2)
    online("shorten", "a cat --stylise 3", "--no-check")
    assert [post.body for post in service.posts("/midjourney/shorten")] == [{"prompt": "a cat --stylise 3"}]


def test_a_text_to_translate_can_be_anything(online: Mj, service: Service) -> None:
    answers(service, "translate", {"content": "two\nlines"})
    assert online("translate", "zwei --zeilen\n—", "-q").out == "two\\nlines\n"
    assert service.posts("/midjourney/translate")[0].body == {"content": "zwei --zeilen\n—"}


def test_a_seed_can_be_a_number(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a cat")
    answers(service, "seed", {"seed": 7, "image_id": service.result()["image_id"]})
    assert online("seed", "@last", "-q").out == "7\n"
    assert online("seed", "@last", "-q").out == "7\n"  # still the image, not the seed
    assert [each.body for each in service.posts("/midjourney/seed")] == [
        {"image_id": service.result()["image_id"]}
    ] * 2


def test_seeds_are_printed_in_order(online: Mj, service: Service) -> None:
    service.scripts["/midjourney/seed"] = lambda request, reply: reply.json(
        {"seed": request.body["image_id"][::-1]}
    )
    out = online("seed", "-", "--field", "seed", stdin="1234197197067915365\n2234197197067915365\n").out
    assert out.splitlines() == ["5635197607917914321", "5635197607917914322"]


def test_text_commands_do_not_take_image_options(online: Mj) -> None:
    for option in ("--mode=fast", "--download", "--stream", "--callback-url=http://x", "--listen"):
        assert f'Unknown option "{option.partition("=")[0]}"' in online("translate", "x", option, check=2).err


def test_a_dry_run_names_the_endpoint(online: Mj, service: Service) -> None:
    assert "/midjourney/translate" in online("translate", "x", "--dry-run").out
    assert not service.received


def test_the_mode_in_the_settings_is_not_sent(online: Mj, service: Service) -> None:
    online("config", "set", "defaults.mode", "relax")
    answers(service, "translate", {"content": "a cat"})
    online("translate", "x", "--timeout", "20")
    assert service.posts("/midjourney/translate")[0].body == {"content": "x"}
