"""Pasted prompts, unusual versions, other languages and contradicting modes, as they reach the service."""

from __future__ import annotations

import pytest

from tests.support.program import Mj
from tests.support.service import Service

HINT = "The service understands English best"


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job immediately."""
    service.answer(service.result())
    return service


def test_a_prompt_from_discord_is_sent_bare_with_one_notice(online: Mj, done: Service) -> None:
    pasted = "/imagine prompt: **a {red, green} cat —ar16:9** - Image #2 <@123> (fast)"
    result = online("imagine", pasted, "--permute")
    assert {each.body["prompt"] for each in done.posts()} == {"a red cat --ar 16:9", "a green cat --ar 16:9"}
    assert len(done.posts()) == 2
    assert result.err.count("Fixed: ") == 1
    assert "(fast)" in result.err
    assert "—ar16:9 → " in result.err


def test_no_check_sends_a_pasted_prompt_unchanged(online: Mj, done: Service) -> None:
    pasted = "/imagine prompt: **a cat** - <@123> (fast)"
    assert "Fixed" not in online("imagine", pasted, "--no-check").err
    assert done.posts()[0].body["prompt"] == pasted


@pytest.mark.parametrize("version", ["1", "5.1", "8.5", "9"])
def test_a_version_outside_the_table_is_sent_in_the_prompt_and_the_body(
    online: Mj, done: Service, version: str
) -> None:
    result = online("imagine", f"a cat --v {version}")
    body = done.posts()[0].body
    assert (body["prompt"], body["version"]) == (f"a cat --v {version}", version)
    assert "warning: " in result.err


def test_a_prompt_in_another_language_has_a_hint_unless_it_is_translated(online: Mj, done: Service) -> None:
    assert HINT in online("imagine", "一只猫").err
    assert HINT in online("check", "一只猫").err
    assert HINT not in online("imagine", "一只猫", "--translation").err
    assert HINT not in online("imagine", "Café Łódź").err
    assert HINT not in online("translate", "一只猫", "--dry-run").err


@pytest.mark.parametrize(
    "arguments", [["a cat", "--mode", "relax", "--turbo"], ["a cat --turbo", "--mode", "relax"]]
)
def test_a_mode_that_contradicts_the_prompt_is_refused(
    online: Mj, service: Service, arguments: list[str]
) -> None:
    assert "--mode relax and --turbo" in online("imagine", *arguments, check=2).err
    assert service.received == []


def test_the_mode_of_the_prompt_overrides_that_of_the_settings_with_a_notice(
    online: Mj, done: Service
) -> None:
    online("config", "set", "defaults.mode", "relax")
    assert '--turbo in the prompt overrides defaults.mode "relax".' in online("imagine", "a cat --turbo").err
    assert "overrides" not in online("imagine", "a cat --relax").err
    assert [each.body["mode"] for each in done.posts()] == ["turbo", "relax"]


def test_a_typed_mode_overrides_that_of_a_suffix(online: Mj, done: Service) -> None:
    online("config", "set", "defaults.suffix", "--turbo --chaos 5")
    online("imagine", "a cat", "--mode", "relax")
    body = done.posts()[0].body
    assert (body["prompt"], body["mode"]) == ("a cat --chaos 5", "relax")
