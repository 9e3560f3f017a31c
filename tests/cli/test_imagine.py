"""`mj imagine`: what is typed, and the request that comes of it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Mj
from tests.support.service import Service, fixture, fixture_lines, task_record

# Nothing listens there: a warning, which does not prevent the prompt from being sent.
A, B = "http://127.0.0.1:9/a.png", "http://127.0.0.1:9/b.png?ex=66&is=1&hm=f&"


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job at once."""
    service.answer(service.result())
    return service


def sent(service: Service) -> Any:
    """The body of the one paid request."""
    (post,) = service.posts()
    return post.body


def config(mj: Mj, text: str) -> None:
    file = Path(mj.env["MJ_CONFIG"])
    file.parent.mkdir(mode=0o700)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    tomllib.loads(text)


# -- the words -----------------------------------------------------------------------------------------


def test_words_become_the_prompt_of_one_generate_request(online: Mj, done: Service) -> None:
    online("imagine", "a", "cat", "on a table")
    assert sent(done) == {"action": "generate", "prompt": "a cat on a table"}
    (post,) = done.posts()
    assert post.headers["content-type"].startswith("application/json")
    assert post.headers["authorization"] == "Bearer secret-token"
    assert post.query == {}


@pytest.mark.parametrize("arguments", [["-"], []])
@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        ("a cat\n", "a cat"),
        ("une forêt 森 🐈\r\n", "une forêt 森 🐈"),
        ("\ufeffa cat", "a cat"),
    ],
)
def test_the_prompt_can_come_from_a_pipe(
    online: Mj, done: Service, arguments: list[str], data: str, prompt: str
) -> None:
    online("imagine", *arguments, stdin=data)
    assert sent(done)["prompt"] == prompt


def test_a_pipe_is_not_read_if_there_are_words(online: Mj, done: Service) -> None:
    online("imagine", "a cat", stdin="a dog")
    assert sent(done)["prompt"] == "a cat"


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat --ar 16:9 --s 50",
        "the bear holds the saw \u2014 and waits",
        "\u201cquoted\u201d words",
        f"{A} {B} the bear holds the saw --iw 2",
        "[bold]x[/bold] :smile: {a::b}",
        "a $(touch x) `y` \\ ' \" z",
        "ünïcödé 森 🐈",
    ],
)
def test_the_prompt_is_sent_unchanged(online: Mj, done: Service, prompt: str) -> None:
    online("imagine", prompt)
    assert sent(done) == {"action": "generate", "prompt": prompt}


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        ([], b""),
        (["-"], b""),
        ([], b" \n\t\r\n"),
        ([], b"\xef\xbb\xbf"),
        ([], b"caf\xe9"),
        (["-"], b"\xff\xfea\x00"),
        ([""], b"a dog"),
        (["  "], b"a dog"),
        ([], b"x" * (3 << 20)),
    ],
)
def test_a_missing_or_unreadable_prompt_is_a_usage_error(
    online: Mj, service: Service, arguments: list[str], stdin: bytes
) -> None:
    result = online("imagine", *arguments, "--json", stdin=stdin, check=2)
    assert result.answer["success"] is False
    assert result.answer["error"]["code"] == "usage"
    assert result.err.startswith("mj: ")
    assert service.received == []


def test_arguments_that_are_not_text_are_refused(online: Mj, service: Service) -> None:
    result = subprocess.run(
        [*online.command("imagine"), b"caf\xe9"],
        env=online.environment(),
        cwd=online.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert result.returncode == 2, result
    assert b"Traceback" not in result.stderr
    assert service.received == []


def test_words_after_two_dashes_are_words(online: Mj, done: Service) -> None:
    online("imagine", "--", "a cat", "--tile")
    assert sent(done)["prompt"] == "a cat --tile"


# -- image prompts -------------------------------------------------------------------------------------


def test_images_come_first_in_their_order(online: Mj, done: Service) -> None:
    online("imagine", "--image", A, "the bear", "--image", B, "holds the saw", "--iw", "2")
    assert sent(done)["prompt"] == f"{A} {B} the bear holds the saw --iw 2"


def test_an_image_alone_is_a_prompt(online: Mj, done: Service) -> None:
    online("imagine", "--image", A)
    assert sent(done)["prompt"] == A


def test_an_image_can_be_combined_with_words_from_a_pipe(online: Mj, done: Service) -> None:
    online("imagine", "--image", A, "-", stdin="a cat")
    assert sent(done)["prompt"] == f"{A} a cat"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--image", "not-a-link", "a cat"],
        ["--image", "/etc/hostname", "a cat"],
        ["--image", "file:///etc/hostname", "a cat"],
        ["--image", "ftp://example.com/a.png", "a cat"],
        ["--image", "https://example.com/a b.png", "a cat"],
        ["--image", "https://", "a cat"],
        ["--image", "", "a cat"],
        ["--image", "@last", "a cat"],
        [*["--image", A] * 6, "a cat"],
        [*["--image", A] * 3, f"{A} {A} {A} a cat"],
    ],
)
def test_an_invalid_image_or_a_sixth_one_is_refused(
    online: Mj, service: Service, arguments: list[str]
) -> None:
    online("imagine", *arguments, check=2)
    assert service.received == []


def test_five_images_are_accepted(online: Mj, done: Service) -> None:
    online("imagine", *["--image", A] * 5, "a cat")
    assert sent(done)["prompt"] == f"{' '.join([A] * 5)} a cat"


# -- body fields as options ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (["--mode", "fast"], {"mode": "fast"}),
        (["--mode", "relax"], {"mode": "relax"}),
        (["--mode", "turbo"], {"mode": "turbo"}),
        (["--translation"], {"translation": True}),
        (["--no-translation"], {"translation": False}),
        (["--split-images"], {"split_images": True}),
        (["--no-split-images"], {"split_images": False}),
        (["--style-reference"], {"style_reference": True}),
        (["--moodboard"], {"moodboard": True}),
        (["--timeout", "600"], {"timeout": 600}),
        ([], {}),
    ],
)
def test_body_fields_are_sent_only_if_their_option_is_given(
    online: Mj, done: Service, options: list[str], fields: dict[str, Any]
) -> None:
    online("imagine", "a cat", *options)
    assert sent(done) == {"action": "generate", "prompt": "a cat", **fields}


@pytest.mark.parametrize(
    "options",
    [
        ["--mode", "slow"],
        ["--mode"],
        ["--timeout", "0"],
        ["--timeout", "-5"],
        ["--timeout", "nan"],
        ["--timeout", "inf"],
        ["--timeout", "soon"],
        ["--callback-url", "example.com/hook"],
        ["--callback-url", "ftp://example.com/hook"],
        ["--callback-url", ""],
        ["--retries", "-1"],
        ["--no-such-option"],
        ["--token", "x"],
        ["--field", ""],
        ["--field", "a[x]"],
        ["--field", "a..b"],
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(
    online: Mj, service: Service, options: list[str]
) -> None:
    result = online("imagine", "a cat", "--json", *options, check=2)
    assert result.err.startswith("mj: ")
    assert service.received == []
    if "--field" not in options:
        assert result.answer["error"]["code"] == "usage"


# -- prompt parameters as options ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "tail", "fields"),
    [
        (["--ar", "16:9"], "--aspect 16:9", {}),
        (["--v", "7"], "--version 7", {"version": "7"}),
        (["--version", "8.2"], "--version 8.2", {"version": "8.2"}),
        (["--quality", "2"], "--quality 2", {"quality": "2"}),
        (["--q", ".5"], "--quality .5", {"quality": ".5"}),
        (["--hd"], "--hd", {"hd": True}),
        (["--no", "text, frames"], "--no text, frames", {}),
        (["--sref", A, "--sref", "123", "--sw", "50"], f"--sref {A} 123 --sw 50", {}),
        (["--raw", "--tile", "--draft"], "--raw --tile --draft", {}),
        (["--iw", "0.5", "--s", "1000", "--w", "0"], "--stylize 1000 --weird 0 --iw 0.5", {}),
    ],
)
def test_a_parameter_option_is_appended_to_the_prompt_and_sets_its_field(
    online: Mj, done: Service, options: list[str], tail: str, fields: dict[str, Any]
) -> None:
    online("imagine", *options, "a cat")
    body = sent(done)
    prompt = body.pop("prompt")
    words, expected = prompt.split(" --"), f"a cat {tail}".split(" --")
    short = {"ar": "aspect", "v": "version", "q": "quality", "s": "stylize", "w": "weird"}
    written = {" ".join([short.get(word.split()[0], word.split()[0]), *word.split()[1:]]) for word in words}
    assert words[0] == "a cat"
    assert written == set(expected)
    assert body == {"action": "generate", **fields}


def test_of_a_repeated_parameter_the_last_one_counts_with_a_notice(online: Mj, done: Service) -> None:
    result = online("imagine", "a cat --v 6 --tile", "--v", "7")
    assert sent(done) == {"action": "generate", "prompt": "a cat --tile --v 7", "version": "7"}
    assert '--v is repeated; using "--v 7".' in result.err


@pytest.mark.parametrize(
    "arguments", [["a cat --v 7 --hd --q 4"], ["a", "cat", "--v", "7", "--hd", "--q", "4"]]
)
def test_version_quality_and_hd_are_fields_too_wherever_they_were_typed(
    online: Mj, done: Service, arguments: list[str]
) -> None:
    online("imagine", *arguments)
    assert sent(done) == {
        "action": "generate",
        "prompt": "a cat --v 7 --hd --q 4",
        "version": "7",
        "hd": True,
        "quality": "4",
    }


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("a cat --no text, logo --ar 3:2 -q", "a cat --no text, logo --ar 3:2"),
        ("a cat --sref 123 456", "a cat --sref 123 456"),
        ("--tile -q a cat on a table", "a cat on a table --tile"),
        ("a cat --p --AR 16:9", "a cat --p --AR 16:9"),
    ],
)
def test_quotes_make_no_difference(online: Mj, done: Service, line: str, prompt: str) -> None:
    online("imagine", *line.split())
    online("imagine", prompt)
    assert [post.body["prompt"] for post in done.posts()] == [prompt, prompt]


def test_words_after_an_option_that_ends_no_are_refused(online: Mj, done: Service) -> None:
    assert '"logo" comes after' in online("imagine", *["a", "cat", "--no", "text", "-q", "logo"], check=2).err
    assert not done.received


def test_a_wrong_value_names_the_option_and_nothing_is_sent(online: Mj, service: Service) -> None:
    result = online("imagine", "a cat", "--chaos", "101", "--json", check=2)
    assert "--chaos" in result.answer["error"]["message"]
    assert "--chaos" in result.err
    assert service.received == []


def test_the_option_profile_is_not_the_parameter_p(online: Mj, done: Service) -> None:
    online("imagine", "a cat", "--p", "code1")
    assert sent(done)["prompt"] in ("a cat --profile code1", "a cat --p code1")


def test_all_personalization_codes_are_sent(online: Mj, done: Service) -> None:
    online("imagine", "a cat", "--p", "code1", "--p", "code2")
    assert sent(done)["prompt"].split()[-2:] == ["code1", "code2"]


# -- settings ------------------------------------------------------------------------------------------


def test_the_token_may_go_into_the_query(online: Mj, done: Service) -> None:
    config(online, '[profiles.default]\ntoken_in = "query"\n')
    result = online("imagine", "a cat", "-v")
    (post,) = done.posts()
    assert post.query == {"token": "secret-token"}
    assert "authorization" not in post.headers
    assert "secret-token" not in result.out + result.err


def test_the_path_of_a_base_url_is_a_prefix(online: Mj, service: Service) -> None:
    service.scripts["/proxy/v1/midjourney/imagine"] = lambda _, reply: reply.json(service.result())
    online("imagine", "a cat", env={"MJ_BASE_URL": f"{service.base_url}/proxy/v1/"})
    assert [each.path for each in service.received] == ["/proxy/v1/midjourney/imagine"]


@pytest.mark.slow
def test_the_environment_wins_over_the_profile_and_the_profile_over_the_default(
    online: Mj, done: Service
) -> None:
    config(
        online,
        f"""
[profiles.default]
token = "of-default"
base_url = "{done.base_url}"
[profiles.work]
token = "of-work"
base_url = "{done.base_url}"
token_in = "query"
""",
    )
    bare: dict[str, str | None] = {"MJ_TOKEN": None, "MJ_BASE_URL": None}
    online("imagine", "a cat", env=bare)
    online("imagine", "a cat", env={**bare, "MJ_PROFILE": "work"})
    online("imagine", "a cat", "--profile", "default", env={**bare, "MJ_PROFILE": "work"})
    online("--profile", "default", "imagine", "a cat", env={**bare, "ACEDATACLOUD_API_TOKEN": "of-vendor"})
    online(
        "imagine",
        "a cat",
        env={"MJ_TOKEN": "of-mj", "ACEDATACLOUD_API_TOKEN": "of-vendor"},
    )
    seen = [each.query.get("token") or each.headers["authorization"] for each in done.posts()]
    assert seen == ["Bearer of-default", "of-work", "Bearer of-default", "Bearer of-vendor", "Bearer of-mj"]


def test_the_mode_comes_from_the_option_then_from_the_config(online: Mj, done: Service) -> None:
    online("config", "set", "defaults.mode", "relax")
    online("imagine", "a cat")
    online("imagine", "a cat", "--mode", "turbo")
    assert [each.body["mode"] for each in done.posts()] == ["relax", "turbo"]


def test_without_a_token_nothing_is_sent(online: Mj, service: Service) -> None:
    result = online("imagine", "a cat", "--json", env={"MJ_TOKEN": None}, check=3)
    assert result.answer["error"]["code"] == "no_token"
    assert "mj auth login" in result.err
    assert service.received == []


# -- stream or plain -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "accept"),
    [
        ([], "application/x-ndjson"),
        (["--stream"], "application/x-ndjson"),
        (["--no-stream"], "application/json"),
    ],
)
def test_a_job_is_streamed_unless_no_stream_is_given(
    online: Mj, done: Service, options: list[str], accept: str
) -> None:
    online("imagine", "a cat", *options)
    assert done.posts()[0].headers["accept"] == accept


def test_stream_and_plain_response_give_the_same_result(online: Mj, service: Service) -> None:
    service.stream(fixture_lines("stream.ndjson"))
    streamed = online("imagine", "a cat", "--json").answer
    service.answer({key: value for key, value in streamed.items() if key != "files"})
    assert online("imagine", "a cat", "--json", "--no-stream").answer == streamed


# -- not waiting ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_wait_prints_the_task_immediately(online: Mj, service: Service) -> None:
    service.answer({"task_id": "t-1"})
    result = online("imagine", "a cat", "--no-wait")
    assert sent(service) == {"action": "generate", "prompt": "a cat", "async": True}
    assert "task: t-1\n" in result.out
    assert "mj resume t-1" in result.out
    assert service.posts(Service.TASKS) == []
    assert online("imagine", "a cat", "--no-wait", "-q").out == "t-1\n"
    assert online("imagine", "a cat", "--no-wait", "--json").answer["task_id"] == "t-1"
    assert online("imagine", "a cat", "--no-wait", "--field", "task_id").out == "t-1\n"


def test_a_callback_url_is_sent_and_the_task_printed_immediately(online: Mj, service: Service) -> None:
    service.answer({"task_id": "t-1"})
    result = online("imagine", "a cat", "--callback-url", "https://example.com/hook", "--json")
    assert sent(service)["callback_url"] == "https://example.com/hook"
    assert result.answer["task_id"] == "t-1"


def test_a_job_started_with_no_wait_is_the_last_one(online: Mj, service: Service) -> None:
    service.answer({"task_id": "t-1"})
    online("imagine", "a cat", "--no-wait")
    service.tasks["t-1"] = task_record("t-1", sent(service), service.result(task_id="t-1"))
    assert online("describe-task", "@last", "--field", "response.task_id").out == "t-1\n"


def test_a_refusal_with_no_wait_is_a_failure(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    online("imagine", "a cat", "--no-wait", check=6)


# -- dry run -------------------------------------------------------------------------------------------

PROMPTS = ["a cat", 'it\'s "a" $HOME `x` \\n !!', "two\nlines", "été 森 🐈", "tab\there \x1b[31m"]


def curl_of(online: Mj, *arguments: str, env: dict[str, str | None] | None = None) -> str:
    result = online("imagine", *arguments, "--dry-run", env=env)
    assert result.err == ""
    return result.out


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("token_in", ["header", "query"])
def test_the_dry_run_prints_a_curl_command_for_the_same_request(
    online: Mj, done: Service, prompt: str, token_in: str
) -> None:
    config(online, f'[profiles.default]\ntoken_in = "{token_in}"\n')
    arguments = [prompt, "--image", B, "--v", "7", "--split-images", "--timeout", "60", "--mode", "fast"]
    printed = curl_of(online, *arguments)
    assert done.received == []
    assert printed.startswith("curl ")
    online("imagine", *arguments)
    subprocess.run(
        ["sh", "-c", printed], env=online.environment(), check=True, capture_output=True, timeout=30
    )
    by_mj, by_curl = done.posts()
    assert by_curl.body == by_mj.body
    assert by_curl.query == by_mj.query
    for name in ("authorization", "accept", "content-type"):
        assert by_curl.headers.get(name) == by_mj.headers.get(name)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_printed_curl_command_is_the_same_in_an_ascii_locale(online: Mj, done: Service) -> None:
    env: dict[str, str | None] = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = online("imagine", "--dry-run", stdin="été 森", env=env)
    subprocess.run(
        ["sh", "-c", result.stdout], env=online.environment(), check=True, capture_output=True, timeout=30
    )
    assert sent(done)["prompt"] == "été 森"


def test_the_dry_run_omits_the_token_and_needs_none(online: Mj, service: Service) -> None:
    words = shlex.split(curl_of(online, "a cat", env={"MJ_TOKEN": None}))
    assert f"{service.base_url}/midjourney/imagine" in words
    assert "authorization: Bearer $MJ_TOKEN" in words
    assert service.received == []
    assert not (online.home / "data" / "ledger.db").exists()


def test_the_dry_run_under_json_is_one_object(online: Mj, service: Service) -> None:
    answer = online("imagine", "a cat", "--dry-run", "--json", "--no-stream").answer
    assert answer["body"] == {"action": "generate", "prompt": "a cat"}
    assert answer["curl"].startswith("curl ")
    assert service.received == []


@pytest.mark.parametrize("arguments", [["a cat", "--chaos", "500"], [""], ["--image", "x", "a cat"]])
def test_the_dry_run_checks_what_a_real_run_checks(online: Mj, arguments: list[str]) -> None:
    online("imagine", *arguments, "--dry-run", check=2)


def test_images_from_standard_input_come_first(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "--image", "-", "a bear", stdin=f"{A}\n{B}\n")
    online("imagine", "--image", "-", stdin=f"{A}\n")
    assert [each.body["prompt"] for each in service.posts()] == [f"{A} {B} a bear", A]


def test_standard_input_cannot_be_both_the_words_and_the_images(online: Mj, service: Service) -> None:
    assert "read only once" in online("imagine", "-", "--image", "-", stdin=A, check=2).err
    assert service.received == []
