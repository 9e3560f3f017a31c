"""`mj check`, and what `mj imagine` refuses, puts right, permutes and takes from presets before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Mj
from tests.cli.test_resume import at_a_terminal, posix
from tests.service import Service, png


@pytest.fixture
def done(service: Service) -> Service:
    """A service that finishes every job at once."""
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
            {"text": "--tile", "from": "option --tile"},
        ],
        "findings": [],
    }
    assert result.err == ""
    assert mj("check", "a cat", "-q").out == "a cat\n"


def test_people_see_the_prompt_and_the_origin_of_each_part(mj: Mj) -> None:
    configured(mj, '[defaults]\nsuffix = "--chaos 5"\n[presets.poster]\nsuffix = "--ar 2:3 --style raw"\n')
    assert mj("check", "a cat", "--preset", "poster", "--s", "50").out == (
        "prompt: a cat --chaos 5 --ar 2:3 --style raw --s 50\n"
        "prompt: a cat\n"
        "defaults: --chaos 5\n"
        "preset poster: --ar 2:3\n"
        "preset poster: --style raw\n"
        "option --s: --s 50\n"
    )


@pytest.mark.parametrize(
    ("prompt", "code", "marked", "said"),
    [
        ("a cat --stylise 250", "unknown_parameter", "--stylise", "Did you mean --stylize (--s)?"),
        ("a cat -ar 16:9", "single_dash", "-ar", "write --ar"),
        ("a cat --ar16:9", "unknown_parameter", "--ar16:9", "write --ar 16:9"),
        ("a cat --ar wide", "bad_value", "wide", "--ar takes width:height"),
        ("a cat --ar", "missing_value", "--ar", "--ar needs a value"),
        ("--ar 16:9 a cat", "words_behind", "a cat", "all words come before"),
        ("a cat --hd --sd", "conflict", "--sd", "--hd and --sd exclude one another"),
        ("a cat --sw 50", "missing_companion", "--sw", "--sref, which is not given"),
        ("a cat --v 6 --oref https://e/a.png", "version", "--oref", "Version 6 does not know --oref"),
        ("a cat https://e/a.png", "image_behind", "https://e/a.png", "images come first"),
        ("森の猫 --chaos 101", "bad_value", "101", "from 0 to 100"),
    ],
)
def test_a_mistake_is_refused_and_its_place_is_marked(
    mj: Mj, prompt: str, code: str, marked: str, said: str
) -> None:
    result = mj("check", "--json", "--", prompt, check=2)
    (finding,) = result.answer["findings"]
    assert result.answer["success"] is False
    assert result.answer["error"]["code"] == "usage"
    assert said in result.answer["error"]["message"]
    assert (finding["severity"], finding["code"]) == ("error", code)
    assert prompt[finding["start"] : finding["end"]] == marked
    assert said in result.err
    assert "nothing is paid" in result.err
    assert f"    {prompt}\n" in result.err
    assert "^" + "~" * (len(marked) - 1) + "\n" in result.err


@pytest.mark.parametrize("prompt", ["--ar 16:9 a cat", "-5 degrees, a cat"])
def test_a_quoted_prompt_that_begins_with_a_dash_is_told_of(mj: Mj, prompt: str) -> None:
    result = mj("imagine", prompt, check=2)
    assert f"begins with {prompt.split()[0]}" in result.err
    mj("check", "--no", "-x y", "a cat", check=2)  # a value is none


@pytest.mark.parametrize(
    "slip", [("-ar", "16:9"), ("-s", "50"), ("-v", "7"), ("-q", "2"), ("-oref", "x"), ("-tile",)]
)
def test_one_hyphen_too_few_is_told_of_before_it_is_taken_for_something_else(
    online: Mj, service: Service, slip: tuple[str, ...]
) -> None:
    assert f"write -{slip[0]}" in online("imagine", "a", "cat", *slip, check=2).err
    assert service.received == []


def test_the_letters_of_our_own_options_still_work(mj: Mj) -> None:
    assert mj("check", "a", "cat", "-q", "-v").out == "a cat\n"


def test_the_place_fits_a_narrow_terminal(mj: Mj) -> None:
    result = mj("check", "word " * 100 + "--stylise 3", env={"COLUMNS": "30"}, check=2)
    excerpt, carets = result.err.splitlines()[2:4]
    assert len(excerpt) <= 30
    assert excerpt[carets.index("^") : carets.rindex("~") + 1] == "--stylise"


@pytest.mark.parametrize("prompt", ["a cat --q 4 --v 6.1", "a cat --niji", "a cat --repeat 3"])
def test_what_is_doubtful_is_told_and_strict_refuses_it(mj: Mj, prompt: str) -> None:
    result = mj("check", prompt)
    assert result.err.startswith("warning: ")
    assert "^" in result.err
    strict = mj("check", prompt, "--strict", "--json", check=2)
    assert strict.answer["findings"][0]["severity"] == "warning"
    assert "without --strict it is sent" in strict.err


def test_words_may_come_from_standard_input(mj: Mj) -> None:
    assert mj("check", "-q", stdin="a cat\n").out == "a cat\n"
    mj("check", stdin="", check=2)


# -- before a job --------------------------------------------------------------------------------------


def test_a_prompt_that_is_refused_is_not_sent(online: Mj, service: Service) -> None:
    result = online("imagine", "a cat --stylise 3", "--json", check=2)
    assert result.answer["error"]["code"] == "usage"
    assert "--no-check sends it as it is" in result.err
    online("blend", "http://127.0.0.1:9/a.png", "http://127.0.0.1:9/b.png", "x --foo", check=2)
    assert service.received == []


def test_without_a_check_the_prompt_is_sent_as_it_is(online: Mj, done: Service) -> None:
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
def test_what_software_made_of_a_parameter_is_put_right_with_a_notice(
    online: Mj, done: Service, typed: str, sent: str
) -> None:
    result = online("imagine", typed)
    assert prompts(done) == [sent]
    assert "put right" in result.err or "were made" in result.err


# -- permutations --------------------------------------------------------------------------------------


def test_braces_make_a_job_of_each_choice(online: Mj, done: Service) -> None:
    answers = online("imagine", "a {red, green} bird --ar {1:1, 16:9}", "--permute", "--json").json
    assert len(answers) == 4
    assert prompts(done) == [
        "a red bird --ar 1:1",
        "a red bird --ar 16:9",
        "a green bird --ar 1:1",
        "a green bird --ar 16:9",
    ]


def test_each_permutation_names_its_own_files(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    online("imagine", "a {red, green} bird", "--permute", "--image", "http://127.0.0.1:9/a.png", "-d", "-q")
    assert sorted(each.name.partition("_")[0] for each in online.cwd.iterdir()) == [
        "a-green-bird",
        "a-red-bird",
    ]


def test_without_the_option_braces_are_sent_with_a_notice(online: Mj, done: Service) -> None:
    result = online("imagine", "a {red, green} bird")
    assert prompts(done) == ["a {red, green} bird"]
    assert "--permute" in result.err


def test_a_mistake_in_one_permutation_keeps_all_from_being_sent(online: Mj, service: Service) -> None:
    online("imagine", "a bird --ar {1:1, wide}", "--permute", check=2)
    assert service.received == []


def test_many_jobs_at_once_must_be_agreed_to(online: Mj, done: Service) -> None:
    many = "{" + ",".join("abcdefg") + "}" + "{" + ",".join("123456") + "}"
    result = online("imagine", many, "--permute", check=2)
    assert "42 jobs" in result.err
    assert done.received == []
    online("imagine", many, "--permute", "--yes", "-q")
    assert len(prompts(done)) == 42


@pytest.mark.parametrize("text", ["a {red, green bird", "a red} bird"])
def test_braces_that_do_not_match_are_refused_at_their_place(online: Mj, service: Service, text: str) -> None:
    result = online("imagine", text, "--permute", "--json", check=2)
    (finding,) = result.answer["findings"]
    assert text[finding["start"] : finding["end"]] in "{}"
    assert service.received == []


@posix
@pytest.mark.parametrize(("answer", "sent"), [(b"y\n", 2), (b"n\n", 0)])
def test_at_a_terminal_the_prompts_are_shown_and_agreed_to(
    online: Mj, done: Service, answer: bytes, sent: int
) -> None:
    code, shown = at_a_terminal(online, answer, "imagine", "a {red, green} bird", "--permute")
    assert "1. a red bird" in shown
    assert "2. a green bird" in shown
    assert code == (0 if sent else 2)
    assert len(prompts(done)) == sent


# -- presets -------------------------------------------------------------------------------------------


def test_a_preset_stands_behind_the_words_and_gives_way(online: Mj, done: Service) -> None:
    online("config", "set", "presets.poster.suffix", "--ar 2:3 --style raw")
    online("config", "set", "defaults.suffix", "--chaos 5")
    online("imagine", "a cat --chaos 9", "--preset", "poster", "--ar", "1:1")
    assert prompts(done) == ["a cat --chaos 9 --style raw --ar 1:1"]


def test_a_preset_that_is_not_there_is_refused_with_those_that_are(online: Mj, service: Service) -> None:
    online("config", "set", "presets.poster.suffix", "--ar 2:3")
    assert "poster" in online("imagine", "a cat", "--preset", "postre", check=2).err
    assert service.received == []


def test_a_mistake_in_a_preset_is_said_to_come_from_there(online: Mj, service: Service) -> None:
    online("config", "set", "presets.bad.suffix", "--foo")
    assert "preset bad" in online("imagine", "a cat", "--preset", "bad", check=2).err
    assert service.received == []


# -- images --------------------------------------------------------------------------------------------


def test_a_link_to_a_page_or_to_nothing_is_refused(online: Mj, service: Service) -> None:
    service.files["/files/page"] = b"<!doctype html><title>a cat</title>"
    for name in ("page", "missing.png"):
        result = online("imagine", "--image", f"{service.base_url}/files/{name}", "x", "--json", check=2)
        assert result.answer["findings"][0]["code"] == "image"
    result = online("imagine", "x", "--sref", f"{service.base_url}/files/page", check=2)
    assert "page" in result.err
    assert service.posts() == []


def test_a_link_that_cannot_be_reached_is_only_a_doubt(online: Mj, done: Service) -> None:
    link = "http://127.0.0.1:9/a.png"
    assert "warning" in online("imagine", "--image", link, "x").err
    assert prompts(done) == [f"{link} x"]
    online("imagine", "--image", link, "x", "--strict", check=2)
    assert online("imagine", "--image", link, "x", "--no-check").err.count("warning") == 0


def upload_server(service: Service) -> list[bytes]:
    """The service takes files as well; gives what was uploaded."""
    uploaded: list[bytes] = []

    def take(request: object, reply: object) -> None:
        uploaded.append(request.data)  # type: ignore[attr-defined]
        service.files["/files/up.png"] = png()
        reply.json({"file_url": f"{service.base_url}/files/up.png"})  # type: ignore[attr-defined]

    service.scripts["/api/v1/files/"] = take  # type: ignore[assignment]
    return uploaded


def test_a_file_is_uploaded_first_and_but_once(online: Mj, done: Service) -> None:
    uploaded = upload_server(done)
    (online.cwd / "a.png").write_bytes(png())
    (online.cwd / "b.png").write_bytes(png())
    (online.cwd / "c.png").write_bytes(png(9))
    link = f"{done.base_url}/files/up.png"
    online("blend", "a.png", "b.png", "both")
    online("imagine", "x", "--image", "a.png", "--sref", "./c.png")
    assert prompts(done) == [f"{link} {link} both", f"{link} x --sref {link}"]
    assert len(uploaded) == 2


def test_what_is_no_picture_is_not_uploaded(online: Mj, service: Service) -> None:
    uploaded = upload_server(service)
    (online.cwd / "a.png").write_text("no picture")
    assert "a.png" in online("imagine", "x", "--image", "a.png", check=2).err
    assert "There is no file b.png" in online("blend", "b.png", "a.png", check=2).err
    assert uploaded == []
    assert service.posts() == []


def test_a_place_that_cannot_be_written_costs_no_upload(online: Mj, service: Service) -> None:
    uploaded = upload_server(service)
    (online.cwd / "a.png").write_bytes(png())
    (online.cwd / "file").write_text("mine")
    online("imagine", "x", "--image", "a.png", "-o", "file/in/it/", check=2)
    assert uploaded == []
    assert service.received == []


def test_a_prompt_that_is_refused_costs_no_upload_and_neither_does_a_dry_run(
    online: Mj, service: Service
) -> None:
    uploaded = upload_server(service)
    (online.cwd / "a.png").write_bytes(png())
    online("imagine", "x --foo", "--image", "a.png", check=2)
    result = online("imagine", "x", "--image", "a.png", "--dry-run", "--json")
    assert "would be uploaded first" in result.err
    assert json.dumps(result.answer["body"]["prompt"]).startswith('"https://upload.invalid/1/a.png')
    assert uploaded == []
    assert service.received == []
