"""A config file that is damaged, readable by others, or has an invalid token."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.program import Mj
from tests.support.service import Service

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals and file modes of Unix")


def config_file(mj: Mj, content: str | bytes, mode: int = 0o600) -> Path:
    path = Path(mj.env["MJ_CONFIG"])
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'[profiles.default]\ntoken = "secret-tok', id="truncated in a value"),
        pytest.param(b"[profiles.default]\ntoken =", id="truncated behind a key"),
        pytest.param(b"[profiles.def", id="truncated in a header"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", id="binary"),
        pytest.param(b"\x00" * 4096, id="zeros"),
        pytest.param(bytes(range(128, 256)) * 8, id="no UTF-8"),
    ],
)
def test_an_unreadable_config_file_is_reported_and_nothing_is_sent(
    online: Mj, service: Service, content: bytes
) -> None:
    path = config_file(online, content)
    result = online("imagine", "a cat", "--json", check=2)
    assert result.answer["error"]["code"] == "config"
    assert str(path) in result.err
    assert "secret-tok" not in result.out + result.err
    assert service.received == []
    assert path.read_bytes() == content
    assert not (online.home / "data").exists()


def test_a_truncated_file_that_is_valid_toml_lacks_a_token(online: Mj, service: Service) -> None:
    config_file(online, "[profiles.default]\n")
    result = online("imagine", "a cat", "--json", env={"MJ_TOKEN": None}, check=3)
    assert result.answer["error"]["code"] == "no_token"
    assert service.received == []


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o666])
def test_a_config_file_that_others_can_read_causes_one_warning_and_is_used(
    online: Mj, service: Service, mode: int
) -> None:
    path = config_file(online, '[profiles.default]\ntoken = "secret-token"\n', mode)
    service.answer(service.result())
    result = online("imagine", "a cat", env={"MJ_TOKEN": None})
    assert result.err.count("warning:") == 1
    assert f"chmod 600 {path}" in result.err
    assert service.posts()[0].headers["authorization"] == "Bearer secret-token"


BAD_TOKENS = {
    "a newline": "hidden\nsecret",
    "a line before it": "hidden\nsecret\n",
    "a header": "hidden\r\nx-evil: secret",
    "non-ASCII": "hidden-sécret",
    "other digits": "hidden-secret\uff11",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
@pytest.mark.parametrize("place", ["MJ_TOKEN", "ACEDATACLOUD_API_TOKEN", "the config file"])
def test_an_invalid_token_is_refused_and_not_echoed(
    online: Mj, service: Service, place: str, name: str
) -> None:
    token = BAD_TOKENS[name]
    env: dict[str, str | None] = {"MJ_TOKEN": None}
    if place == "the config file":
        config_file(online, f"[profiles.default]\ntoken = {json.dumps(token, ensure_ascii=False)}\n")
        name_shown = "profiles.default.token"
    else:
        env[place] = token
        name_shown = place
    for options in ([], ["-v"], ["--json"]):
        result = online("imagine", "a cat", *options, env=env, check=2)
        assert name_shown in result.err
        for part in ("hidden", "secret", "sécret", "x-evil"):
            assert part not in result.out + result.err
    assert service.received == []
