"""The paths of --field that are refused before anything is done, and those that a result lacks."""

from __future__ import annotations

import pytest

from tests.support.program import Mj
from tests.support.service import Service


@pytest.mark.parametrize(
    "path",
    [
        "id,state",
        "id state",
        "",
        ".",
        "a..b",
        "a.",
        "a[",
        "a[]",
        "a[x]",
        "a]b",
        "a[0]b",
        "--5",
        " id",
        "id|x",
        "'id'",
    ],
)
def test_a_malformed_path_is_refused_before_a_job_is_sent(online: Mj, service: Service, path: str) -> None:
    for command in (["imagine", "a cat"], ["history"], ["config", "list"]):
        result = online(*command, f"--field={path}", check=2)
        assert f'mj: "{path}" is not a path for --field' in result.err
        assert result.out == ""
    assert not service.received


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("image_ur1", "image_url"),
        ("imageurl", "image_url"),
        ("raw-image-url", "raw_image_url"),
        ("Image_Id", "image_id"),
        ("file", "files"),
        ("eror.code", "error"),
        ("action[0]", "actions"),
    ],
)
def test_a_slip_of_a_known_field_is_refused_before_a_job_is_sent(
    online: Mj, service: Service, typed: str, meant: str
) -> None:
    result = online("imagine", "a cat", "--field", typed, check=2)
    assert f'did you mean "{meant}"?' in result.err
    assert result.out == ""
    assert not service.received


def test_a_field_that_the_result_lacks_is_null_with_a_warning_and_the_job_is_not_lost(
    online: Mj, service: Service
) -> None:
    service.answer(service.result())
    result = online("imagine", "a cat", "--field", "nowhere.at.all")
    assert result.out == "null\n"
    assert 'warning: The result has no field "nowhere"; it has ' in result.err
    assert "raw_image_url" in result.err
    assert online("history", "--field", "state").out == "done\n"


@pytest.mark.parametrize(
    "command",
    [
        ["history"],
        ["history", "show", "@last"],
        ["check", "a cat"],
        ["open", "--print"],
        ["config", "path"],
        ["config", "list"],
        ["config", "get", "base_url"],
        ["config", "set", "defaults.mode", "fast"],
        ["config", "unset", "defaults.mode"],
        ["auth", "status"],
        ["auth", "logout"],
    ],
)
def test_a_command_with_its_own_fields_has_exactly_those_it_lists(
    online: Mj, service: Service, command: list[str]
) -> None:
    service.answer(service.result())
    online("imagine", "a cat")
    result = online(*command, "--field", "nonsense", check=2)
    assert result.out == ""
    listed = result.err.splitlines()[0].partition("the fields are ")[2].removesuffix(".").split(", ")
    assert listed == list(online(*command, "--json").json[0])


def test_an_unknown_field_of_an_empty_history_is_refused(mj: Mj) -> None:
    assert 'There is no field "nonsense"' in mj("history", "--field", "nonsense", check=2).err
