"""`mj check`, and the checks, fixes, permutations and presets that precede every job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Service
from tests.support.systems import posix
from tests.support.terminal import at_a_terminal


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job immediately."""
    service.answer(service.result())
    return service


def configured(mj: Mj, text: str) -> None:
    file = Path(mj.env["MJ_CONFIG"])
    file.parent.mkdir(mode=0o700)
    file.write_text(text)
    file.chmod(0o600)


def prompts(service: Service) -> list[str]:
    return [each.body["prompt"] for each in service.posts()]


# -- mj check ------------------------------------------------------------------------------------------


def test_a_good_prompt_is_shown_as_it_would_be_sent_and_needs_no_token(mj: Mj) -> None:
    result = mj("check", "a  cat   --ar 16:9", "--tile", "--json")
    assert result.answer == {
        "success": True,
        "prompt": "a  cat --ar 16:9 --tile",
        "parts": [
            {"text": "a  cat", "from": "prompt"},
            {"text": "--ar 16:9", "from": "prompt"},
            {"text": "--tile", "from": "prompt"},
        ],
        "findings": [],
    }
    assert result.err == ""
    assert mj("check", "a cat", "-q").out == "a cat\n"


def test_plain_output_shows_the_prompt_and_the_origin_of_each_part(mj: Mj) -> None:
    configured(mj, '[defaults]\nsuffix = "--chaos 5"\n[presets.poster]\nsuffix = "--ar 2:3 --style raw"\n')
    assert mj("check", "a cat", "--preset", "poster", "--s", "50").out == (
        "prompt: a cat --s 50 --chaos 5 --ar 2:3 --style raw\n"
        "prompt: a cat\n"
        "prompt: --s 50\n"
        "defaults: --chaos 5\n"
        "preset poster: --ar 2:3\n"
        "preset poster: --style raw\n"
    )


@pytest.mark.parametrize(
    ("prompt", "code", "marked", "message"),
    [
        ("a cat --stylise 250", "unknown_parameter", "--stylise", "Did you mean --stylize (--s)?"),
        ("a cat -ar 16:9", "single_dash", "-ar", 'Type "--ar" instead of "-ar".'),
        ("a cat --ar16:9", "unknown_parameter", "--ar16:9", 'Separate --ar and "16:9" with a space.'),
        ("a cat --ar wide", "bad_value", "wide", '"wide" is not an aspect ratio: --ar takes W:H'),
        ("a cat --ar", "missing_value", "--ar", "--ar needs a value"),
        ("--ar 16:9 a cat", "words_behind", "a cat", "Put all words before the first parameter."),
        ("a cat --hd --sd", "conflict", "--sd", "--hd and --sd cannot be combined."),
        ("a cat --sw 50", "missing_companion", "--sw", "--sw needs --sref."),
        (
            "a cat --v 6 --oref https://e/a.png",
            "version",
            "--oref",
            "--oref needs version 7 or later, not 6.",
        ),
        ("a cat https://e/a.png", "image_behind", "https://e/a.png", "before all words"),
        ("森の猫 --chaos 101", "bad_value", "101", '"101" is out of range: --chaos takes 0 to 100.'),
    ],
)
def test_a_mistake_is_refused_and_its_position_is_marked(
    mj: Mj, prompt: str, code: str, marked: str, message: str
) -> None:
    result = mj("check", "--json", "--", prompt, check=2)
    (finding,) = result.answer["findings"]
    assert result.answer["success"] is False
    assert result.answer["error"]["code"] == "usage"
    assert message in result.answer["error"]["message"]
    assert (finding["severity"], finding["code"]) == ("error", code)
    assert prompt[finding["start"] : finding["end"]] == marked
    assert message in result.err
    assert "Prompt error; nothing was sent." in result.err
    assert f"    {prompt}\n" in result.err
    assert "^" + "~" * (len(marked) - 1) + "\n" in result.err


def test_a_quoted_prompt_may_begin_with_a_dash(mj: Mj) -> None:
    assert "Put all words before the first parameter." in mj("check", "--ar 16:9 a cat", check=2).err
    assert mj("check", "-5 degrees, a cat", "-q").out == "-5 degrees, a cat\n"
    assert mj("check", "a cat", "--ar 16:9", "-q").out == "a cat --ar 16:9\n"


@pytest.mark.parametrize(
    "typo", [("-ar", "16:9"), ("-s", "50"), ("-v", "7"), ("-q", "2"), ("-oref", "x"), ("-tile",)]
)
def test_a_parameter_with_one_hyphen_is_refused_before_it_is_read_as_an_option(
    online: Mj, service: Service, typo: tuple[str, ...]
) -> None:
    assert f"write -{typo[0]}" in online("imagine", "a", "cat", *typo, check=2).err
    assert service.received == []


def test_one_letter_options_of_mj_still_work(mj: Mj) -> None:
    assert mj("check", "a", "cat", "-q", "-v").out == "a cat\n"


def test_the_excerpt_fits_a_narrow_terminal(mj: Mj) -> None:
    result = mj("check", "word " * 100 + "--stylise 3", env={"COLUMNS": "30"}, check=2)
    excerpt, carets = result.err.splitlines()[2:4]
    assert len(excerpt) <= 30
    assert excerpt[carets.index("^") : carets.rindex("~") + 1] == "--stylise"


@pytest.mark.parametrize("prompt", ["a cat --q 4 --v 6.1", "a cat --niji", "a cat --repeat 3"])
def test_a_warning_is_shown_and_refused_with_strict(mj: Mj, prompt: str) -> None:
    result = mj("check", prompt)
    assert result.err.startswith("warning: ")
    assert "^" in result.err
    strict = mj("check", prompt, "--strict", "--json", check=2)
    assert strict.answer["findings"][0]["severity"] == "warning"
    assert "omit --strict to send it" in strict.err


def test_the_prompt_may_come_from_standard_input(mj: Mj) -> None:
    assert mj("check", "-q", stdin="a cat\n").out == "a cat\n"
    mj("check", stdin="", check=2)


# -- before a job --------------------------------------------------------------------------------------


def test_a_prompt_with_a_mistake_is_not_sent(online: Mj, service: Service) -> None:
    result = online("imagine", "a cat --stylise 3", "--json", check=2)
    assert result.answer["error"]["code"] == "usage"
    assert "--no-check sends it anyway" in result.err
    online("blend", "http://127.0.0.1:9/a.png", "http://127.0.0.1:9/b.png", "x --foo", check=2)
    assert service.received == []


def test_no_check_sends_the_prompt_unchanged(online: Mj, done: Service) -> None:
    prompt = "a cat   —ar  16:9 --foo -c x"
    assert online("imagine", prompt, "--no-check").err.count("warning") == 0
    assert prompts(done) == [prompt]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("a cat —ar 16:9", "a cat --ar 16:9"),
        ("a cat –v 7", "a cat --v 7"),
        ("猫　－－ａｒ　１６：９", "猫 --ar 16:9"),
        ("a cat\u00a0--ar\u00a016:9", "a cat --ar 16:9"),
        ("a “cat” --no “text”", 'a “cat” --no "text"'),
    ],
)
def test_a_mangled_parameter_is_fixed_with_a_notice(online: Mj, done: Service, typed: str, sent: str) -> None:
    result = online("imagine", typed)
    assert prompts(done) == [sent]
    assert "Fixed: " in result.err


# -- permutations --------------------------------------------------------------------------------------


def test_permute_starts_a_job_for_each_combination(online: Mj, done: Service) -> None:
    answers = online("imagine", "a {red, green} bird --ar {1:1, 16:9}", "--permute", "--json").json
    assert len(answers) == 4
    assert sorted(prompts(done)) == [
        "a green bird --ar 16:9",
        "a green bird --ar 1:1",
        "a red bird --ar 16:9",
        "a red bird --ar 1:1",
    ]


def test_files_are_named_after_each_permutation(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    online("imagine", "a {red, green} bird", "--permute", "--image", "http://127.0.0.1:9/a.png", "-d", "-q")
    assert sorted(each.name.partition("_")[0] for each in online.cwd.iterdir()) == [
        "a-green-bird",
        "a-red-bird",
    ]


def test_braces_are_sent_unchanged_without_permute(online: Mj, done: Service) -> None:
    result = online("imagine", "a {red, green} bird")
    assert prompts(done) == ["a {red, green} bird"]
    assert "--permute" in result.err


def test_a_mistake_in_one_permutation_stops_them_all(online: Mj, service: Service) -> None:
    online("imagine", "a bird --ar {1:1, wide}", "--permute", check=2)
    assert service.received == []


@pytest.mark.slow
def test_many_jobs_at_once_need_yes(online: Mj, done: Service) -> None:
    many = "{" + ",".join("abcdefg") + "}" + "{" + ",".join("123456") + "}"
    result = online("imagine", many, "--permute", check=2)
    assert "42 jobs" in result.err
    assert done.received == []
    online("imagine", many, "--permute", "--yes", "-q")
    assert len(prompts(done)) == 42


@pytest.mark.parametrize("text", ["a {red, green bird", "a red} bird"])
def test_unbalanced_braces_are_refused_with_their_position(online: Mj, service: Service, text: str) -> None:
    result = online("imagine", text, "--permute", "--json", check=2)
    (finding,) = result.answer["findings"]
    assert text[finding["start"] : finding["end"]] in "{}"
    assert service.received == []


@pytest.mark.slow
@posix
@pytest.mark.parametrize(("answer", "sent"), [(b"y\n", 2), (b"n\n", 0)])
def test_a_terminal_shows_the_prompts_and_asks_for_confirmation(
    online: Mj, done: Service, answer: bytes, sent: int
) -> None:
    code, shown = at_a_terminal(online, answer, "imagine", "a {red, green} bird", "--permute")
    assert "1. a red bird" in shown
    assert "2. a green bird" in shown
    assert code == (0 if sent else 2)
    assert len(prompts(done)) == sent


# -- presets -------------------------------------------------------------------------------------------


def test_a_preset_follows_the_words_and_can_be_overridden(online: Mj, done: Service) -> None:
    online("config", "set", "presets.poster.suffix", "--ar 2:3 --style raw")
    online("config", "set", "defaults.suffix", "--chaos 5")
    online("imagine", "a cat --chaos 9", "--preset", "poster", "--ar", "1:1")
    assert prompts(done) == ["a cat --chaos 9 --ar 1:1 --style raw"]


def test_an_unknown_preset_is_refused_with_the_known_names(online: Mj, service: Service) -> None:
    online("config", "set", "presets.poster.suffix", "--ar 2:3")
    assert "poster" in online("imagine", "a cat", "--preset", "postre", check=2).err
    assert service.received == []


def test_a_mistake_in_a_preset_names_the_preset(online: Mj, service: Service) -> None:
    online("config", "set", "presets.bad.suffix", "--foo")
    assert "preset bad" in online("imagine", "a cat", "--preset", "bad", check=2).err
    assert service.received == []


# -- images --------------------------------------------------------------------------------------------


def test_a_link_to_a_page_or_a_missing_image_is_refused(online: Mj, service: Service) -> None:
    service.files["/files/page"] = b"<!doctype html><title>a cat</title>"
    for name in ("page", "missing.png"):
        result = online("imagine", "--image", f"{service.base_url}/files/{name}", "x", "--json", check=2)
        assert result.answer["findings"][0]["code"] == "image"
    result = online("imagine", "x", "--sref", f"{service.base_url}/files/page", check=2)
    assert "page" in result.err
    assert service.posts() == []


def test_a_link_that_cannot_be_reached_is_a_warning(online: Mj, done: Service) -> None:
    link = "http://127.0.0.1:9/a.png"
    assert "warning" in online("imagine", "--image", link, "x").err
    assert prompts(done) == [f"{link} x"]
    online("imagine", "--image", link, "x", "--strict", check=2)
    assert online("imagine", "--image", link, "x", "--no-check").err.count("warning") == 0


def upload_server(service: Service) -> list[bytes]:
    """Accept uploads; returns the list that they are added to."""
    uploaded: list[bytes] = []

    def accept(request: object, reply: object) -> None:
        uploaded.append(request.data)  # type: ignore[attr-defined]
        service.files["/files/up.png"] = png()
        reply.json({"file_url": f"{service.base_url}/files/up.png"})  # type: ignore[attr-defined]

    service.scripts["/files/upload"] = accept  # type: ignore[assignment]
    return uploaded


def test_a_file_is_uploaded_first_and_only_once(online: Mj, done: Service) -> None:
    uploaded = upload_server(done)
    (online.cwd / "a.png").write_bytes(png())
    (online.cwd / "b.png").write_bytes(png())
    (online.cwd / "c.png").write_bytes(png(9))
    link = f"{done.base_url}/files/up.png"
    online("blend", "a.png", "b.png", "both")
    online("imagine", "x", "--image", "a.png", "--sref", "./c.png")
    assert prompts(done) == [f"{link} {link} both", f"{link} x --sref {link}"]
    assert len(uploaded) == 2


def test_a_file_that_is_not_an_image_is_not_uploaded(online: Mj, service: Service) -> None:
    uploaded = upload_server(service)
    (online.cwd / "a.png").write_text("not an image")
    assert "a.png" in online("imagine", "x", "--image", "a.png", check=2).err
    assert '"b.png" does not exist' in online("blend", "b.png", "a.png", check=2).err
    assert uploaded == []
    assert service.posts() == []


def test_nothing_is_uploaded_when_the_output_cannot_be_written(online: Mj, service: Service) -> None:
    uploaded = upload_server(service)
    (online.cwd / "a.png").write_bytes(png())
    (online.cwd / "file").write_text("mine")
    online("imagine", "x", "--image", "a.png", "-o", "file/in/it/", check=2)
    assert uploaded == []
    assert service.received == []


def test_nothing_is_uploaded_for_a_refused_prompt_or_a_dry_run(online: Mj, service: Service) -> None:
    uploaded = upload_server(service)
    (online.cwd / "a.png").write_bytes(png())
    online("imagine", "x --foo", "--image", "a.png", check=2)
    result = online("imagine", "x", "--image", "a.png", "--dry-run", "--json")
    assert "would be uploaded first" in result.err
    assert json.dumps(result.answer["body"]["prompt"]).startswith('"https://upload.invalid/1/a.png')
    assert uploaded == []
    assert service.received == []
