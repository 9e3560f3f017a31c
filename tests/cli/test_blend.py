"""`mj blend`: one image from two to five."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.program import Mj
from tests.support.service import Service, fixture

A, B, C = (f"http://127.0.0.1:9/{name}.png" for name in "abc")


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job at once."""
    service.answer(fixture("blend.json"))
    return service


def sent(service: Service) -> Any:
    (post,) = service.posts()
    return post.body


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        ([A, B], f"{A} {B}"),
        ([A, B, "the bear holds the saw"], f"{A} {B} the bear holds the saw"),
        ([A, B, "the", "bear", "--iw", "2"], f"{A} {B} the bear --iw 2"),
        ([A, B, f"a bear --sref {C}"], f"{A} {B} a bear --sref {C}"),
        ([A, B, "a", "bear", "-", "a", "saw"], f"{A} {B} a bear - a saw"),
        ([A, B, C, A, B], f"{A} {B} {C} {A} {B}"),
        ([A, f"{B}?ex=66&is=2&hm=f&"], f"{A} {B}?ex=66&is=2&hm=f&"),
        (["HTTP://127.0.0.1:9/A.png", B], f"HTTP://127.0.0.1:9/A.png {B}"),
    ],
)
def test_images_come_first_and_words_last(
    online: Mj, done: Service, arguments: list[str], prompt: str
) -> None:
    online("blend", *arguments)
    assert sent(done) == {"action": "generate", "prompt": prompt}


def test_a_blend_has_options_for_the_body_fields(online: Mj, done: Service) -> None:
    online("blend", A, B, "--mode", "relax", "--split-images", "--translation", "--v", "7", "--hd")
    body = sent(done)
    assert body.pop("prompt").startswith(f"{A} {B} --")
    assert body == {
        "action": "generate",
        "mode": "relax",
        "split_images": True,
        "translation": True,
        "version": "7",
        "hd": True,
    }


def test_links_may_come_from_standard_input(online: Mj, done: Service) -> None:
    online("blend", "-", "a family", stdin=f"{A}\r\n{B}\n\n{C}\n")
    assert sent(done)["prompt"] == f"{A} {B} {C} a family"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [A],
        [A, "words"],
        ["words"],
        ["words", A, B],
        [A, B, "words", C],
        [A, B, C, A, B, C],
        [A, "@last"],
        [A, "/etc/hostname"],
        [A, "ftp://example.com/b.png"],
        [A, "12341971970679153650"],
        [A, "https://example.com/two words.png"],
        [A, B, "words", "--ar", "wide"],
        [A, B, f"{C} {A} {B} {C} words"],
    ],
)
def test_fewer_than_two_more_than_five_or_no_images_are_refused(
    online: Mj, service: Service, arguments: list[str]
) -> None:
    result = online("blend", *arguments, "--json", check=2)
    assert result.answer["error"]["code"] == "usage"
    assert service.received == []


def test_images_to_blend_can_be_references(online: Mj, service: Service) -> None:
    for name in ("one", "two"):
        service.answer(service.result(raw_image_url=f"https://example.com/{name}.png", image_id=name))
        online("imagine", name)
    online("blend", "@2", "@last", "both")
    assert service.posts()[-1].body["prompt"] == (
        "https://example.com/one.png https://example.com/two.png both"
    )


def test_an_id_in_the_ledger_names_an_image(online: Mj, service: Service) -> None:
    service.answer(service.result(image_id="1234197197067915365"))
    online("imagine", "one")
    online("blend", "1234197197067915365", A)
    assert service.posts()[-1].body["prompt"] == f"{service.base_url}/files/cat.png {A}"


IMAGE, TASK = "1234197197067915365", "1bae3bec-3ac4-4180-a148-74ee6cb68b98"


@pytest.mark.slow
@pytest.mark.parametrize("name", [IMAGE[:4], IMAGE[:9], TASK[:4], TASK])
def test_an_id_prefix_names_an_image_where_only_images_are_expected(
    online: Mj, service: Service, name: str
) -> None:
    service.answer(service.result(image_id=IMAGE, task_id=TASK))
    online("imagine", "one")
    online("blend", name, A, "both")
    online("blend", A, name, "both")
    link = f"{service.base_url}/files/cat.png"
    assert [each.body["prompt"] for each in service.posts()[1:]] == [f"{link} {A} both", f"{A} {link} both"]


@pytest.mark.parametrize(("name", "is_image"), [(IMAGE[:4], False), (IMAGE[:9], True), (TASK[:8], True)])
def test_a_word_after_two_images_stays_a_word(
    online: Mj, service: Service, name: str, *, is_image: bool
) -> None:
    service.answer(service.result(image_id=IMAGE, task_id=TASK))
    online("imagine", "one")
    online("blend", A, B, name, "words")
    third = f"{service.base_url}/files/cat.png" if is_image else name
    assert service.posts()[-1].body["prompt"] == f"{A} {B} {third} words"
