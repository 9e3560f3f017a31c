"""Tokens are masked in every encoding, in all that is printed, stored and passed on."""

from __future__ import annotations

import html
import json
import sys
import urllib.parse
from pathlib import Path

import pytest

from mjcli.cli.output.redact import MASK, Secret
from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service
from tests.support.systems import posix

TOKEN = "sk-\"a\\b/c+d'&e%41_<secret>"

ENCODED = {
    "plain": TOKEN,
    "in JSON": json.dumps(TOKEN)[1:-1],
    "in JSON in JSON": json.dumps(json.dumps(TOKEN)),
    "in JSON with escaped slashes": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "as Unicode escapes": "".join(f"\\u{ord(each):04X}" for each in TOKEN),
    "in part as Unicode escapes": TOKEN.replace("s", "\\u0073"),
    "percent-encoded": urllib.parse.quote(TOKEN, safe=""),
    "percent-encoded in lower case": "".join(f"%{ord(each):02x}" for each in TOKEN),
    "percent-encoded twice": urllib.parse.quote(urllib.parse.quote(TOKEN, safe=""), safe=""),
    "in a query": f"https://e/?token={urllib.parse.quote(TOKEN)}&x=1",
    "in HTML": html.escape(TOKEN),
    "in Python": repr(TOKEN),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_token_is_masked_in_text_and_in_json(name: str) -> None:
    secret, text = Secret(TOKEN), ENCODED[name]
    masked = secret.hide(f"x {text} y")
    assert masked.startswith("x ") and masked.endswith(" y")
    assert MASK in masked
    assert not any(each in masked for each in ENCODED.values())
    for stored in (json.dumps({text: [text, 1]}), json.dumps([text], ensure_ascii=False)):
        hidden = secret.hide(stored)
        json.loads(hidden)
        assert MASK in hidden
        assert json.dumps(text)[1:-1] not in hidden


def test_text_without_the_token_is_unchanged() -> None:
    for text in ("50% of \\u0041 &amp; \\n", '{"a": "\\u0041"}', "a\\"):
        assert Secret(TOKEN).hide(text) == text


def test_masking_does_not_cut_an_escape_of_json() -> None:
    assert json.loads(Secret("u0041bcdefgh").hide('{"a": "\\u0041bcdefgh"}')) == {"a": "Abcdefgh"}


def test_a_value_of_many_levels_is_masked_as_a_whole() -> None:
    deep: list[object] = [TOKEN]
    for _ in range(600):
        deep = [deep]
    assert "_<secret>" not in json.dumps(Secret(TOKEN).hide_in(deep))
    assert Secret("other-token").hide_in(deep) is deep


def test_a_token_of_digits_is_masked_as_a_number_of_json() -> None:
    assert json.loads(Secret("1234567890").hide('{"a": 1234567890}')) == {"a": MASK}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "in JSON", "percent-encoded"])
def test_a_token_that_the_service_repeats_is_neither_printed_nor_stored(
    mj: Mj, service: Service, name: str
) -> None:
    mj.env |= {"MJ_TOKEN": TOKEN, "MJ_BASE_URL": service.base_url}
    text = ENCODED[name]
    service.files["/files/cat.png"] = png()
    document = service.result(task_id=f"t{text}", image_id=f"i{text}", note=text, **{f"k{text}": [text]})
    escaped = "".join(f"\\u{ord(each):04x}" for each in f"t{text}")
    service.stream([b'{"task_id":"' + escaped.encode() + b'","progress":5}', document])
    typed = f"a cat {text}"
    runs = [
        mj("imagine", typed, "--no-check", "-v", "-d", "-o", "{image_id}_{task_id}_{prompt}.png"),
        mj("imagine", "a cat", "--json", "--stream"),
        mj("imagine", "a cat", "-q", "--field", "note"),
        mj("imagine", typed, "--no-check", "--dry-run"),
        mj("imagine", typed, "--no-check", "--dry-run", "--json"),
        mj("check", typed, check=None),
        mj("history"),
        mj("history", "--json"),
        mj("history", "show", "@2"),
        mj("download", typed, check=2),
    ]
    service.answer({"error": {"code": f"c{text}", "message": text}, "trace_id": text}, 400)
    runs += [mj("imagine", "a cat", *options, check=4) for options in ([], ["--json"])]
    forms = [*ENCODED.values(), "_secret"]
    for run in runs:
        assert not [each for each in forms if each in run.out + run.err]
    for path in mj.home.rglob("*"):
        assert "_secret" not in path.name
        assert not path.is_file() or not [each for each in forms if each.encode() in path.read_bytes()]
    assert all(run.json for run in (runs[1], runs[4], runs[7]))  # still valid JSON


@posix
def test_the_opener_does_not_get_the_tokens(online: Mj, service: Service) -> None:
    programs, seen = online.home / "bin", online.home / "seen"
    programs.mkdir()
    opener = programs / ("open" if sys.platform == "darwin" else "xdg-open")
    opener.write_text(f"#!/bin/sh\nenv > '{seen}.part'; mv '{seen}.part' '{seen}'\n")
    opener.chmod(0o755)
    service.answer(service.result())
    online("imagine", "a cat")
    online(
        "open",
        env={
            "PATH": f"{programs}:{online.env['PATH']}",
            "ACEDATACLOUD_API_TOKEN": "another-token",
            "MJ_FILES_TOKEN": "files-token",
            "MJ_PLATFORM_TOKEN": "platform-token",
            "COPY": "secret-token",
            "HEADER": "authorization: Bearer secret-token",
            "HARMLESS": "value",
        },
    )
    variables = seen.read_text()
    seen.unlink()
    assert "HARMLESS=value\n" in variables
    assert "-token" not in variables
    assert Path(online.env["MJ_DATA_DIR"]).exists()
