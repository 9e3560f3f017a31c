"""`mj action`: something done to an earlier image."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service, fixture, fixture_lines

PNG = png()


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job at once."""
    service.answer(service.result())
    return service


@pytest.fixture
def mask(online: Mj) -> Path:
    file = online.cwd / "mask.png"
    file.write_bytes(PNG)
    return file


def bodies(service: Service) -> list[Any]:
    return [each.body for each in service.posts()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "action",
    [
        *(f"upscale{n}" for n in range(1, 5)),
        *(f"variation{n}" for n in range(1, 5)),
        "reroll",
        "upscale_2x",
        "upscale_4x",
        "variation_subtle",
        "variation_strong",
        "zoom_out_2x",
        "zoom_out_1_5x",
        "pan_left",
        "pan_right",
        "pan_up",
        "pan_down",
        "upscale_subtle",
        "upscale_creative",
        "square",
    ],
)
def test_every_action_of_the_service_is_sent_with_its_image(online: Mj, done: Service, action: str) -> None:
    online("action", action, "1234")
    assert bodies(done) == [{"action": action, "image_id": "1234"}]


@pytest.mark.slow
def test_for_an_unknown_image_the_old_name_of_upscale_is_sent_as_typed(online: Mj, done: Service) -> None:
    online("action", "upsample1", "1234")
    assert bodies(done) == [{"action": "upsample1", "image_id": "1234"}]


def test_an_image_that_offers_the_old_name_gets_the_old_name(online: Mj, service: Service) -> None:
    service.stream(fixture_lines("stream_legacy.ndjson"))
    online("imagine", "a cat")
    service.answer(service.result())
    online("action", "upscale2", "@last")
    assert bodies(service)[-1] == {"action": "upsample2", "image_id": "1112780319758766080"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("upscal1", "upscale1"),
        ("varation2", "variation2"),
        ("upscale5", "upscale4"),
        ("panleft", "pan_left"),
    ],
)
def test_a_misspelled_action_is_refused_with_a_suggestion(
    online: Mj, service: Service, typed: str, meant: str
) -> None:
    result = online("action", typed, "1234", "--json", check=2)
    assert result.answer["error"]["code"] == "usage"
    assert meant in result.err
    assert service.received == []


def test_an_action_without_a_similar_name_is_refused_too(online: Mj, service: Service) -> None:
    assert "upscale" in online("action", "frobnicate", "1234", check=2).err
    assert service.received == []


def test_force_sends_an_action_that_mj_does_not_know(online: Mj, done: Service) -> None:
    online("action", "brand_new_thing", "1234", "--force")
    assert bodies(done) == [{"action": "brand_new_thing", "image_id": "1234"}]


@pytest.mark.parametrize("options", [["--mode", "relax"], ["--split-images"], ["--timeout", "60"]])
def test_an_action_takes_the_options_of_a_job(online: Mj, done: Service, options: list[str]) -> None:
    online("action", "upscale1", "1234", *options)
    (body,) = bodies(done)
    assert len(body) == 3


def test_an_action_takes_no_prompt_parameters(online: Mj, service: Service) -> None:
    online("action", "upscale1", "1234", "--ar", "16:9", check=2)
    assert service.received == []


@pytest.mark.parametrize("arguments", [["upscale1"], [], ["upscale1", "1", "2"], ["upscale1", ""]])
def test_an_action_needs_one_name_and_one_image(online: Mj, service: Service, arguments: list[str]) -> None:
    online("action", *arguments, check=2)
    assert service.received == []


@pytest.mark.parametrize("image", ["https://example.com/a.png", "two words", "x\x1b[31m", "x" * 300])
def test_a_malformed_image_id_is_refused(online: Mj, service: Service, image: str) -> None:
    result = online("action", "upscale1", image, check=2)
    assert "\x1b" not in result.err
    assert service.received == []


def test_a_region_is_sent_with_its_mask_and_words(online: Mj, done: Service, mask: Path) -> None:
    online("action", "variation_region", "1234", "--mask", mask, "--prompt", "a red door")
    (body,) = bodies(done)
    assert b64decode(body.pop("mask"), validate=True) == PNG
    assert body == {"action": "variation_region", "image_id": "1234", "prompt": "a red door"}


def test_a_region_needs_no_words(online: Mj, done: Service, mask: Path) -> None:
    online("action", "variation_region", "1234", "--mask", mask)
    assert set(bodies(done)[0]) == {"action", "image_id", "mask"}


def test_a_region_without_a_mask_is_refused(online: Mj, service: Service) -> None:
    assert "--mask" in online("action", "variation_region", "1234", check=2).err
    assert service.received == []


def test_only_a_region_takes_a_mask_and_a_prompt(online: Mj, service: Service, mask: Path) -> None:
    online("action", "upscale1", "1234", "--mask", mask, check=2)
    online("action", "upscale1", "1234", "--prompt", "a door", check=2)
    assert service.received == []


@pytest.mark.parametrize("content", [None, b"", b"not an image", b"<svg/>", "directory"])
def test_a_mask_that_is_not_an_image_is_refused(
    online: Mj, service: Service, content: bytes | str | None
) -> None:
    file = online.cwd / "mask.png"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        file.mkdir()
    online("action", "variation_region", "1234", "--mask", file, check=2)
    assert service.received == []


def test_ids_from_standard_input_are_answered_in_order_and_sent_over_separate_connections(
    online: Mj, service: Service
) -> None:
    service.imagine(
        lambda request, reply: reply.json(service.result(image_id=f"of-{request.body['image_id']}"))
    )
    result = online("action", "upscale1", "-", "--json", stdin="1111\r\n\n 2222 \n3333")
    assert [each["image_id"] for each in result.json] == ["of-1111", "of-2222", "of-3333"]
    assert {each["image_id"] for each in bodies(service)} == {"1111", "2222", "3333"}
    assert len({each.port for each in service.posts()}) == 3


def test_a_failed_job_does_not_stop_the_others(online: Mj, service: Service) -> None:
    failure = {"success": False, "error": {"code": "api_error", "message": "fetch failed"}, "trace_id": "t"}
    service.imagine(
        lambda request, reply: reply.json(failure if request.body["image_id"] == "2222" else service.result())
    )
    result = online("action", "upscale1", "-", "--json", stdin="1111\n2222\n3333", check=4)
    assert [each["success"] for each in result.json] == [True, False, True]
    assert result.err.count("fetch failed") == 1


@pytest.mark.parametrize(("code", "http", "status"), [("used_up", 403, 5), ("invalid_token", 401, 3)])
def test_a_failure_that_affects_all_jobs_stops_them_but_each_prints_an_object(
    online: Mj, service: Service, code: str, http: int, status: int
) -> None:
    service.answer({"error": {"code": code, "message": "no"}}, http)
    result = online("action", "upscale1", "-", "--json", stdin="1111\n2222\n3333", check=status)
    assert [each["success"] for each in result.json] == [False, False, False]


@pytest.mark.parametrize("stdin", ["", "\n \n", "1111\n@last\n", "1111\nhttps://example.com/a.png\n"])
def test_a_list_with_an_invalid_id_sends_nothing(online: Mj, service: Service, stdin: str) -> None:
    online("action", "upscale1", "-", stdin=stdin, check=2)
    assert service.received == []


def test_the_result_suggests_the_next_command(online: Mj, service: Service) -> None:
    service.answer(fixture("upscale4.json"))
    result = online("action", "upscale4", "1234")
    assert "next: mj upscale 2x 1234202545208033400\n" in result.out
    assert "actions: upscale_2x upscale_4x variation_subtle" in result.out


def test_the_dry_run_of_several_prints_a_command_for_each(online: Mj, service: Service) -> None:
    result = online("action", "upscale1", "-", "--dry-run", stdin="1111\n2222")
    assert [line.startswith("curl ") for line in result.out.splitlines()] == [True, True]
    assert service.received == []


def test_one_file_name_for_several_actions_is_refused_before_anything_is_sent(
    online: Mj, service: Service
) -> None:
    result = online("action", "upscale1", "-", "-o", "cat.png", stdin="1234\n5678\n", check=2)
    assert "there are several jobs" in result.err
    assert service.received == []
