"""From words and options to request bodies; uploads and link checks go to a loopback service."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli.cli.lookup import Lookup
from mjcli.cli.options import CheckOptions, PromptOptions, SubmitOptions
from mjcli.cli.request import MAX_JOBS, MAX_UNCONFIRMED, RequestBuilder, Words
from mjcli.errors import ConfigError, ExitCode, NoTokenError, PromptRefused, UsageError
from mjcli.jobs.budget import LIST_DATE
from mjcli.settings.load import FILES_PATH
from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Received, Reply, Service
from tests.support.world import Terminal, World, typed

SEND = SubmitOptions()
DRY_RUN = SubmitOptions(dry_run=True)
PAGE = {"content-type": "text/html"}
CONFIG = """
[defaults]
suffix = "--ar 2:3"

[presets.noir]
suffix = "film noir --chaos 5"

[presets.wild]
suffix = "--chaos 90"

[presets.bad]
suffix = "--chaos 101"
"""


class Case(World):
    """A run that builds requests."""

    def builder(
        self,
        prompt: PromptOptions = PromptOptions(),  # noqa: B008
        check: CheckOptions = CheckOptions(),  # noqa: B008
    ) -> RequestBuilder:
        return RequestBuilder.of(self.context, Lookup.of(self.context), prompt, check)

    def bodies(
        self, words: Words | str, submit: SubmitOptions = SEND, **options: Any
    ) -> list[dict[str, Any]]:
        """The bodies of the requests; `prompt` and `check` as for `builder`, the rest as for `requests`."""
        chosen = {name: options.pop(name) for name in ("prompt", "check") if name in options}
        found = Words(words) if isinstance(words, str) else words
        return [each.body for each in self.builder(**chosen).requests(found, submit, **options)]

    def prompts(self, words: Words | str, submit: SubmitOptions = SEND, **options: Any) -> list[str]:
        """The prompts of the requests."""
        return [each["prompt"] for each in self.bodies(words, submit, **options)]


Begin = Callable[..., Case]


@pytest.fixture
def begin(tmp_path: Path, service: Service) -> Iterator[Begin]:
    """Start a run; `config` is the content of its config file."""
    environ = {
        "MJ_CONFIG": str(tmp_path / "config.toml"),
        "MJ_DATA_DIR": str(tmp_path / "data"),
        "MJ_TOKEN": "api-token-0123456789",
        "MJ_BASE_URL": service.base_url,
    }
    with contextlib.ExitStack() as ends:

        def begin(config: str = "", stdin: Any = None, **env: str) -> Case:
            (tmp_path / "config.toml").write_text(config)
            (tmp_path / "config.toml").chmod(0o600)
            case = Case(environ | env, stdin)
            ends.callback(case.context.close)
            return case

        yield begin


@pytest.fixture
def cat(tmp_path: Path) -> str:
    """A file that is an image."""
    path = tmp_path / "my cat.png"
    path.write_bytes(png())
    return str(path)


@pytest.fixture
def uploads(service: Service) -> list[Received]:
    """The uploads received; each is served at /up/N.png."""
    received: list[Received] = []

    def take(request: Received, reply: Reply) -> None:
        received.append(request)
        path = f"/up/{len(received)}.png"
        service.files[path] = png()
        reply.json({"file_url": service.base_url + path})

    service.scripts[FILES_PATH] = take
    return received


# -- composition ---------------------------------------------------------------------------------------


def test_words_make_one_request_with_their_subject(begin: Begin, service: Service) -> None:
    (request,) = begin().builder().requests(Words("a cat"), SEND)
    assert request == ("a cat", {"action": "generate", "prompt": "a cat"})
    assert service.received == []


def test_image_prompts_come_first_and_parameters_last(begin: Begin, service: Service) -> None:
    service.files["/cat.png"] = png()
    link = f"{service.base_url}/cat.png"
    words = Words("a hat --chaos 5", [link], ["--ar", "16:9", "--no", "dogs"])
    assert begin().prompts(words) == [f"{link} a hat --chaos 5 --ar 16:9 --no dogs"]


def test_the_subject_is_what_was_typed(begin: Begin) -> None:
    case = begin(CONFIG)
    (request,) = case.builder().requests(Words("a cat", (), ["--ar", "16:9"]), SEND)
    assert request.subject == "a cat --ar 16:9"


def test_fields_that_are_none_are_left_out(begin: Begin) -> None:
    (body,) = begin().bodies("a cat", translation=True, split_images=None)
    assert body == {"action": "generate", "prompt": "a cat", "translation": True}


def test_image_fields_are_resolved_and_empty_ones_left_out(begin: Begin, service: Service) -> None:
    service.files["/cat.png"] = png()
    link = f"{service.base_url}/cat.png"
    (body,) = begin().bodies(
        "a hat", endpoint="edits", image_fields={"image_url": link, "end_image_url": None}
    )
    assert body == {"action": "generate", "prompt": "a hat", "image_url": link}


def test_words_that_stand_alone_are_repaired_and_checked(begin: Begin) -> None:
    case = begin()
    assert case.builder().check_words("a cat —ar 16:9") == "a cat --ar 16:9"
    assert "—ar" in case.err
    with pytest.raises(PromptRefused):
        case.builder().check_words("a cat --chaos 101")


# -- the check -----------------------------------------------------------------------------------------


def test_an_error_is_refused_with_its_position(begin: Begin, service: Service) -> None:
    with pytest.raises(PromptRefused) as caught:
        begin().bodies("a cat --chaos 101")
    (finding,) = caught.value.findings
    assert caught.value.prompt[finding.start : finding.end] == "101"
    assert caught.value.hint == "--no-check sends it anyway"
    assert caught.value.exit_code == ExitCode.USAGE
    assert service.received == []


def test_a_warning_is_shown_once_and_refused_with_strict(begin: Begin) -> None:
    case = begin()
    assert len(case.prompts("a {red,blue} cat --niji", prompt=PromptOptions(permute=True))) == 2
    assert case.err.count("warning:") == 1
    with pytest.raises(PromptRefused) as caught:
        begin().bodies("a cat --niji", check=CheckOptions(strict=True))
    assert caught.value.hint == "omit --strict to send it"


@pytest.mark.parametrize("words", ["a cat --chaos 101", "a cat —ar 16:9", "", "{a,b"])
def test_no_check_sends_the_words_unchanged(begin: Begin, words: str) -> None:
    case = begin()
    assert case.prompts(words, check=CheckOptions(no_check=True)) == [words]
    assert case.err == ""


def test_unknown_parameters_are_only_warnings_for_videos(begin: Begin) -> None:
    with pytest.raises(PromptRefused):
        begin().bodies("a cat --foo 1")
    case = begin()
    assert case.prompts("a cat --foo 1", endpoint="videos") == ["a cat --foo 1"]
    assert "warning:" in case.err


# -- defaults and presets ------------------------------------------------------------------------------


def test_defaults_and_presets_follow_the_words_and_later_ones_win(begin: Begin) -> None:
    assert begin(CONFIG).prompts("a cat") == ["a cat --ar 2:3"]
    noir = PromptOptions(preset=["noir", "wild"])
    (prompt,) = begin(CONFIG).prompts("a cat", prompt=noir)
    assert prompt == "a cat film noir --ar 2:3 --chaos 90"
    (prompt,) = begin(CONFIG).prompts(Words("a cat", (), ["--chaos", "1"]), prompt=noir)
    assert "--chaos 1" in prompt
    assert "--chaos 90" not in prompt


def test_defaults_do_not_apply_to_videos(begin: Begin) -> None:
    assert begin(CONFIG).prompts("a cat", endpoint="videos") == ["a cat"]


def test_an_unknown_preset_lists_the_defined_ones(begin: Begin) -> None:
    with pytest.raises(UsageError) as caught:
        begin(CONFIG).bodies("a cat", prompt=PromptOptions(preset=["nour"]))
    assert caught.value.message == 'Unknown preset "nour"; defined presets: noir, wild, bad.'
    with pytest.raises(UsageError, match="defined presets: none"):
        begin().bodies("a cat", prompt=PromptOptions(preset=["nour"]))


def test_an_error_in_a_preset_names_the_preset(begin: Begin) -> None:
    with pytest.raises(PromptRefused, match=r"\(from preset bad\)"):
        begin(CONFIG).bodies("a cat", prompt=PromptOptions(preset=["bad"]))


# -- permutations --------------------------------------------------------------------------------------

PERMUTE = PromptOptions(permute=True)


def test_each_permutation_is_a_request(begin: Begin) -> None:
    requests = begin().builder(PERMUTE).requests(Words("a {red, blue} cat"), SEND)
    assert [each.body["prompt"] for each in requests] == ["a red cat", "a blue cat"]
    assert [each.subject for each in requests] == ["a red cat", "a blue cat"]


def test_without_permute_the_braces_are_sent_with_a_notice(begin: Begin) -> None:
    case = begin()
    assert case.prompts("a {red, blue} cat") == ["a {red, blue} cat"]
    assert case.err == "Braces are sent as typed; --permute starts a job for each choice.\n"


@pytest.mark.parametrize(
    ("count", "yes", "allowed"),
    [
        (MAX_UNCONFIRMED, False, True),
        (MAX_UNCONFIRMED + 1, False, False),
        (MAX_UNCONFIRMED + 1, True, True),
        (MAX_JOBS + 1, True, False),
    ],
)
def test_the_number_of_jobs_is_limited(begin: Begin, count: int, yes: bool, allowed: bool) -> None:
    words = "{" + ",".join(f"c{n}" for n in range(count)) + "}"
    options = PromptOptions(permute=True, yes=yes)
    if allowed:
        assert len(begin().bodies(words, prompt=options)) == count
        return
    with pytest.raises(UsageError) as caught:
        begin().bodies(words, prompt=options)
    assert f"make {count} jobs" in caught.value.message
    assert "Nothing was sent." in caught.value.message
    assert caught.value.hint == (None if yes else "--yes starts them all; each is billed separately")


def test_unbalanced_braces_are_refused_at_their_position(begin: Begin) -> None:
    with pytest.raises(PromptRefused) as caught:
        begin().bodies("a {red cat", prompt=PERMUTE)
    (finding,) = caught.value.findings
    assert (finding.code, finding.start, finding.end) == ("braces", 2, 3)


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "n\n", "\n", ""])
def test_at_a_terminal_several_jobs_are_confirmed(begin: Begin, tmp_path: Path, answer: str) -> None:
    case = begin(stdin=typed(answer, terminal=True))
    file = tmp_path / "stderr"
    with file.open("wb") as stderr:
        case.context.streams = case.context.streams._replace(stderr=Terminal(stderr, "utf-8"))
        if answer.startswith("y"):
            assert len(case.bodies("a {red,blue} cat", prompt=PERMUTE)) == 2
        else:
            with pytest.raises(UsageError, match="Cancelled; nothing was sent"):
                case.bodies("a {red,blue} cat", prompt=PERMUTE)
        case.context.streams.stderr.detach()
    shown = file.read_text()
    assert "1. a red cat" in shown
    cost = f"about 0.05 USD (list prices of {LIST_DATE})"
    assert f"Start 2 jobs for {cost}?" in shown


@pytest.mark.parametrize(
    ("submit", "options"), [(SEND, PromptOptions(permute=True, yes=True)), (DRY_RUN, PERMUTE)]
)
def test_yes_and_a_dry_run_ask_nothing(begin: Begin, submit: SubmitOptions, options: PromptOptions) -> None:
    case = begin(stdin=typed(terminal=True))
    case.context.streams = case.context.streams._replace(stderr=Terminal(io.BytesIO(), "utf-8"))
    assert len(case.bodies("a {red,blue} cat", submit, prompt=options)) == 2


# -- links ---------------------------------------------------------------------------------------------


def not_an_image(service: Service) -> str:
    """The link of a web page."""
    service.files["/page"] = lambda _request, reply: reply.whole(b"<html>", headers=PAGE)
    return f"{service.base_url}/page"


def unreachable(service: Service) -> str:
    """A link that cannot be checked now."""
    service.files["/busy.png"] = lambda _request, reply: reply.whole(b"", 503)
    return f"{service.base_url}/busy.png"


@pytest.mark.parametrize("place", ["image", "words", "parameter"])
def test_a_link_to_a_page_is_refused_wherever_it_is(begin: Begin, service: Service, place: str) -> None:
    link = not_an_image(service)
    words = {
        "image": Words("a hat", [link]),
        "words": Words(f"{link} a hat"),
        "parameter": Words("a hat", (), ["--sref", link]),
    }[place]
    with pytest.raises(PromptRefused) as caught:
        begin().bodies(words)
    (finding,) = caught.value.findings
    assert (finding.code, finding.message) == (
        "image",
        "The link leads to a web page; the service needs the image itself.",
    )
    assert caught.value.prompt[finding.start : finding.end] == link


def test_a_link_that_cannot_be_checked_is_a_warning_and_refused_with_strict(
    begin: Begin, service: Service
) -> None:
    link, case = unreachable(service), begin()
    assert case.prompts(Words("a hat", [link])) == [f"{link} a hat"]
    assert "warning: The link could not be checked (HTTP 503)." in case.err
    with pytest.raises(PromptRefused):
        begin().bodies(Words("a hat", [link]), check=CheckOptions(strict=True))


@pytest.mark.parametrize("strict", [False, True])
def test_links_in_body_fields_are_checked_too(begin: Begin, service: Service, strict: bool) -> None:
    fields = {"image_url": unreachable(service)}
    case = begin()
    if strict:
        with pytest.raises(UsageError, match="Nothing was sent"):
            case.bodies("a hat", image_fields=fields, endpoint="edits", check=CheckOptions(strict=True))
    else:
        (body,) = case.bodies("a hat", image_fields=fields, endpoint="edits")
        assert body["image_url"] == fields["image_url"]
        assert f'warning: The image "{fields["image_url"]}" could not be checked (HTTP 503).' in case.err
    page = not_an_image(service)
    with pytest.raises(UsageError) as caught:
        begin().builder().image_request({"image_url": page}, SEND)
    assert caught.value.message == (
        f'The image "{page}" leads to a web page; the service needs the image itself. Nothing was sent.'
    )
    assert caught.value.hint == "--no-check sends it anyway"


def test_no_check_and_a_dry_run_check_no_link(begin: Begin, service: Service) -> None:
    link = not_an_image(service)
    begin().bodies(Words("a hat", [link]), check=CheckOptions(no_check=True))
    begin().bodies(Words("a hat", [link]), DRY_RUN)
    assert service.received == []


def test_each_link_is_checked_once(begin: Begin, service: Service) -> None:
    service.files["/cat.png"] = png()
    words = Words("a {red,blue} hat", [f"{service.base_url}/cat.png"])
    assert len(begin().bodies(words, prompt=PERMUTE)) == 2
    assert len(service.gets("/cat.png")) == 1


# -- uploads -------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_once_for_all_permutations(
    begin: Begin, service: Service, uploads: list[Received], cat: str
) -> None:
    prompts = begin().prompts(Words("a {red,blue} hat", [cat], ["--sref", cat]), prompt=PERMUTE)
    assert len({each.data for each in uploads}) == 1
    link = f"{service.base_url}/up/1.png"
    assert [each.startswith(f"{link} a ") for each in prompts] == [True, True]
    assert not any("upload.invalid" in each for each in prompts)


def test_a_file_in_a_body_field_is_uploaded(
    begin: Begin, service: Service, uploads: list[Received], cat: str
) -> None:
    body = begin().builder().image_request({"image_url": cat}, SEND)
    assert body == {"image_url": f"{service.base_url}/up/1.png"}
    assert len(uploads) == 1


def test_a_dry_run_uploads_nothing_and_names_the_placeholder(
    begin: Begin, uploads: list[Received], cat: str
) -> None:
    case = begin()
    (prompt,) = case.prompts(Words("a hat", [cat]), DRY_RUN)
    assert prompt == "https://upload.invalid/1/my%20cat.png a hat"
    assert "would be uploaded first; https://upload.invalid/1/my%20cat.png stands for its link." in case.err
    assert case.builder().image_request({"image_url": cat}, DRY_RUN)["image_url"].startswith("https://upload")
    assert uploads == []


@pytest.mark.parametrize("words", ["a {red, blue} hat --chaos 101", "a {red hat"])
def test_nothing_is_uploaded_for_a_refused_prompt(
    begin: Begin, uploads: list[Received], cat: str, words: str
) -> None:
    with pytest.raises(PromptRefused):
        begin().bodies(Words(words, [cat]), prompt=PERMUTE)
    assert uploads == []


def test_nothing_is_uploaded_without_a_token_or_a_usable_ledger(
    begin: Begin, uploads: list[Received], cat: str, tmp_path: Path
) -> None:
    with pytest.raises(NoTokenError):
        begin(MJ_TOKEN="").bodies(Words("a hat", [cat]))
    (tmp_path / "data").write_text("not a directory")
    with pytest.raises(ConfigError):
        begin().bodies(Words("a hat", [cat]))
    assert uploads == []
    assert begin().bodies(Words("a hat", [cat]), SubmitOptions(no_ledger=True))
    assert len(uploads) == 1


@pytest.mark.parametrize("data", [None, b"", b"my notes"])
def test_a_file_that_is_missing_or_not_an_image_is_refused(
    begin: Begin, uploads: list[Received], tmp_path: Path, data: bytes | None
) -> None:
    path = tmp_path / "notes.png"
    if data is not None:
        path.write_bytes(data)
    for submit in (SEND, DRY_RUN):
        with pytest.raises(UsageError):
            begin().bodies(Words("a hat", [str(path)]), submit)
    assert uploads == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a", "cat", "-o", "--dry-run"], "-o needs a value"),
        (["a", "cat", "--output", "--ar", "3:2"], "--output needs a value"),
        (["a", "cat", "--key", "-d"], "--key needs a value"),
        (["a", "cat", "--no", "red", "-old"], '"-old" may be a word or the option -o'),
        (["--no", "text,", "logo", "a", "cat"], "--no before the words takes one argument"),
        (["a", "cat", "-v7"], 'Type "--v 7" instead of "-v7"'),
        (["a cat -ar16:9"], 'Type "--ar 16:9" instead of "-ar16:9"'),
        (["--p", "a", "cat"], '"a" may be the code of --p or a word'),
        (["--p", "abc123", "m7458", "a", "cat"], '"m7458" may be another value of --p or a word'),
        (["--sref", "123", "456", "a", "cat"], '"456" may be another value of --sref or a word'),
        (["--sref", "https://e.com/a.png", "https://e.com/b.png", "a", "cat"], "--sref or an image"),
        (["a", "portrait", "--p", "in", "the", "rain"], "would take these words as codes"),
    ],
)
def test_an_argument_with_two_meanings_is_refused_before_anything_is_sent(
    online: Mj, service: Service, arguments: list[str], told: str
) -> None:
    assert told in online("imagine", *arguments, check=2).err
    assert service.posts() == []
