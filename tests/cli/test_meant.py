"""What people type and what they mean: the error names the command, option or reference that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from mjcli.cli import meant
from mjcli.cli.help import data
from tests.support.program import Mj
from tests.support.service import Service

pytestmark = pytest.mark.slow


def lines(result_err: str) -> list[str]:
    """The suggested lines of an error, without their labels."""
    return [
        line.strip().partition(": ")[2]
        for line in result_err.splitlines()
        if line.startswith(("  next: ", "  hint: "))
    ]


# -- commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("login", ["mj auth login"]),
        ("logout", ["mj auth logout"]),
        ("ls", ["mj history"]),
        ("list", ["mj history"]),
        ("status abcd", ["mj describe-task abcd"]),
        ("status", ["mj history", "mj auth status"]),
        ("queue", ["mj history --state running"]),
        ("watch abcd", ["mj describe-task abcd --wait"]),
        ("wait", ["mj resume"]),
        ("version", ["mj --version"]),
        ("help", ["mj --help"]),
        ("help imagine", ["mj imagine --help"]),
        ("help auth login", ["mj auth login --help"]),
        ("help imagine a cat", ["mj imagine --help"]),
        ("-help", ["mj --help"]),
        ("/?", ["mj --help"]),
        ("imagine -help", ["mj imagine --help"]),
        ("imagine --HELP", ["mj imagine --help"]),
        ("imagine /?", ["mj imagine --help"]),
        ("history -help", ["mj history --help"]),
        ("history show -help", ["mj history show --help"]),
        ("config help set", ["mj config set --help"]),
        ("generate a cat --ar 3:2", ["mj imagine a cat --ar 3:2"]),
        ("create", ["mj imagine PROMPT"]),
        ("/imagine prompt: a cat", ["mj imagine a cat"]),
        ("IMAGINE a cat", ["mj imagine a cat"]),
        ("save @2", ["mj download @2"]),
        ("caption cat.png", ["mj describe cat.png"]),
        ("animate", ["mj video --image @last PROMPT"]),
        ("token secret", ["mj auth login", "mj auth status"]),
        ("config show", ["mj config list"]),
        ("config token", ["mj auth login"]),
        ("auth signin", ["mj auth login"]),
        ("history abcd", ["mj history show abcd", "mj history --search abcd"]),
        ("history list", ["mj history"]),
        ("a cat on a table", ["mj imagine a cat on a table"]),
        ("man on a horse", ["mj imagine man on a horse"]),
        ("https://e.com/a.png", ["mj describe https://e.com/a.png", "mj imagine --image https://e.com/a.png PROMPT"]),
        ("cat.png a hat", ["mj imagine --image cat.png a hat"]),
        ("@last", ["mj open @last", "mj history show @last"]),
        ("latest", ["mj open @last", "mj history show @last"]),
        ("--login", ["mj auth login"]),
        ("--history", ["mj history"]),
        ("--download imagine a", ["--download comes after the command: mj imagine … --download"]),
        ("--ar 3:2 imagine a", ["--ar comes after the command: mj imagine … --ar"]),
        ("frobnicate", ["mj --help"]),
    ],
)  # fmt: skip
def test_an_unknown_command_leads_to_the_one_that_was_meant(mj: Mj, typed: str, expected: list[str]) -> None:
    result = mj(*typed.split(), check=2)
    assert lines(result.err) == expected
    assert "Did you mean" not in result.err
    assert result.err.startswith("mj: Unknown ")


def test_words_in_quotes_are_a_prompt_quoted_for_the_shell(mj: Mj) -> None:
    assert lines(mj("a cat on a table", check=2).err) == ['mj imagine "a cat on a table"']
    assert lines(mj("it's a cat; rm -rf /", check=2).err) == ['mj imagine "it\'s a cat; rm -rf /"']


def test_a_text_file_alone_is_a_batch_or_the_prompt_of_imagine(mj: Mj) -> None:
    (mj.cwd / "my prompt.txt").write_text("a cat")
    assert lines(mj("my prompt.txt", check=2).err) == [
        'mj batch "my prompt.txt"',
        'mj imagine - < "my prompt.txt"',
    ]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("imagin", "imagine"),
        ("imagien", "imagine"),
        ("imag", "imagine"),
        ("histroy", "history"),
        ("histroy show @last", "history"),
        ("imagin a cat on a table", "imagine"),
        ("donwlaod", "download"),
    ],
)
def test_a_misspelled_command_is_recognised(mj: Mj, typed: str, name: str) -> None:
    assert f"Did you mean {name}?" in mj(*typed.split(), check=2).err


@pytest.mark.parametrize("word", ["actor", "lists", "tables", "sing", "x"])
def test_an_implausible_command_is_not_suggested(mj: Mj, word: str) -> None:
    assert "Did you mean" not in mj(word, check=2).err


def test_every_suggested_command_exists() -> None:
    tree = data.load()

    def exists(words: list[str]) -> bool:
        command = tree
        for number, word in enumerate(words):
            if not command["commands"]:
                return True
            found = data.find([word], command)
            if found is None:
                return number > 0 and word.startswith("-")
            command = found
        return True

    for names in meant._COMMANDS:
        for name in names.split():
            hint = meant.subcommand((), [name], exists).hint  # type: ignore[arg-type]
            for line in hint.splitlines():
                words = line.rpartition("mj ")[2].split()
                if "mj " in line and not words[0].startswith("-") and " with " not in line:
                    assert exists(words), line


def test_a_token_among_the_arguments_is_not_repeated(mj: Mj) -> None:
    for typed in (
        ["generate", "a", "--token", "s3cret"],
        ["login", "s3cret"],
        ["imagine", "a", "--api-key=s3cret"],
    ):
        assert "s3cret" not in mj(*typed, check=2).err


# -- options -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("imagine a --wait", "waiting is the default; --no-wait turns it off"),
        ("imagine a --async", "Did you mean --no-wait?"),
        ("imagine a --model 7", "Did you mean --v?"),
        ("imagine a --count 4", "--repeat N starts N jobs, each billed separately"),
        ("imagine a -n 4", "--repeat N starts N jobs, each billed separately"),
        ("history --count 4", "Did you mean --limit?"),
        ("imagine a --size 512x512", "--ar W:H sets the proportions"),
        ("video a --image x.png --size 1", "Did you mean --resolution?"),
        ("imagine a --width=512", "--ar W:H sets the proportions"),
        ("imagine a --negative text", "Did you mean --no?"),
        ("imagine a --aspect-ratio 3:2", "Did you mean --ar?"),
        ("imagine a --out x", "Did you mean --output?"),
        ("download @last --dir x", "Did you mean --output?"),
        ("imagine a --save", "Did you mean --download?"),
        ("imagine a --token x", "set MJ_TOKEN, or log in"),
        ("auth login --token x", "set MJ_TOKEN, or log in"),
        ("imagine a --url x", "Did you mean --image?"),
        ("imagine a --proxy x", "HTTPS_PROXY"),
        ("imagine a --debug", "Did you mean --verbose?"),
        ("history --silent", "Did you mean --quiet?"),
        ("imagine a --verbose=2", "--verbose does not take a value."),
        ("history --format json", "Did you mean --json?"),
        ("imagine a --timeout=5m", "hint: --timeout 300"),
        ("imagine a --timeout 2h", "hint: --timeout 7200"),
        ("imagine a --upscale", "mj upscale 1 @last"),
        ("imagine a --v7", 'Separate --v and "7" with a space.'),
        ("imagine a --prompt b", "the words of the prompt need no option"),
        ("imagine --version", "mj --version"),
        ("history --version", "mj --version"),
        ("imagine a --stylise 5", "Did you mean --stylize?"),
        ("imagine a --dowload", "Did you mean --download?"),
        ("imagine a --no-dowload", "Did you mean --no-download?"),
    ],
)
def test_an_option_of_other_programs_leads_to_ours(
    online: Mj, service: Service, typed: str, expected: str
) -> None:
    assert expected in online(*typed.split(), check=2).err
    assert service.received == []


def test_an_option_without_its_value_is_refused_after_a_prompt(online: Mj, service: Service) -> None:
    for typed in ("--output", "-o", "-do", "--mode", "--key"):
        assert "needs a value" in online("imagine", "a", "cat", typed, check=2).err
    assert service.received == []


def test_an_opposite_is_not_suggested(mj: Mj) -> None:
    assert "--no-wait" not in mj("history", "--wait", check=2).err
    assert "Did you mean" not in mj("imagine", "a", "--frobnicate", check=2).err


# -- --profile -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", [["--profile", "abc123"], ["--profile"], ["--profile", "--ar", "3:2"], ["--profile=a/b"]]
)
def test_a_profile_that_cannot_be_ours_leads_to_the_parameter(
    online: Mj, service: Service, typed: list[str]
) -> None:
    result = online("imagine", "a", "cat", *typed, check=2)
    assert "hint: for Midjourney's own --profile, type --p CODE, or --p alone" in result.err
    assert service.received == []


def test_a_profile_is_still_created_by_logging_in(mj: Mj) -> None:
    mj("auth", "login", "--profile", "new", stdin="secret\n")
    assert "--p CODE" not in mj("history", "--profile", "other", check=2).err
    assert mj("history", "--profile", "new").status == 0


# -- references ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("last", "@last"),
        ("latest", "@last"),
        ("Latest", "@last"),
        ("@latest", "@last"),
        ("@LAST", "@last"),
        ("1", "@1"),
        ("2", "@2"),
        ("@0", "@last"),
        ("@-1", "@last"),
        ("@-2", "@2"),
        ("#2", "@2"),
        ("last@", "@last"),
        ('"@last"', "@last"),
        ("'abcd-1'", "abcd-1"),
        ("<abcd>", "abcd"),
        ("abcd,", "abcd"),
        (" abcd", "abcd"),
        ("task: abcd", "abcd"),
        ("id=abcd", "abcd"),
    ],
)
@pytest.mark.parametrize("command", ["action upscale1", "seed", "describe-task", "download", "open", "edit"])
def test_a_misspelled_reference_is_reported_with_the_right_one(
    online: Mj, service: Service, command: str, typed: str, right: str
) -> None:
    words = ["a hat"] if command == "edit" else []
    assert f"Did you mean {right}?" in online(*command.split(), typed, *words, check=2).err
    assert service.received == []


@pytest.mark.parametrize(
    "typed", ["note.txt", "cat.png", "https://discord.com/channels/1/2/3", "a/b", "a b", "", "{id}", "<>"]
)
@pytest.mark.parametrize("command", ["action upscale1", "seed", "describe-task", "download", "open"])
def test_what_cannot_be_an_id_is_not_sent(online: Mj, service: Service, command: str, typed: str) -> None:
    (online.cwd / "note.txt").write_text("x")
    assert lines(online(*command.split(), typed, check=2).err) == ["mj history"]
    assert service.received == []


def test_the_id_in_the_address_of_a_page_is_suggested_if_it_is_known(online: Mj, service: Service) -> None:
    task = "01234567-89ab-cdef-0123-456789abcdef"
    service.answer(service.result(task_id=task))
    online("imagine", "a")
    result = online("describe-task", f"https://www.midjourney.com/jobs/{task}?index=0", check=2)
    assert f"Did you mean {task}?" in result.err
    assert len(service.posts(Service.TASKS)) == 0


def test_a_number_is_an_id_if_the_ledger_has_it(online: Mj, service: Service) -> None:
    service.answer(service.result(task_id="7", image_id="70"))
    online("imagine", "a")
    assert online("history", "show", "7", "--json").answer["task_id"] == "7"


@pytest.mark.parametrize(
    "link",
    [
        "https://www.midjourney.com/jobs/01234567-89ab-cdef-0123-456789abcdef?index=0",
        "https://discord.com/channels/1/2/3",
    ],
)
def test_a_page_is_not_sent_where_an_image_is_expected(online: Mj, service: Service, link: str) -> None:
    for typed in (["describe", link], ["edit", link, "a"], ["imagine", "a", "--image", link]):
        assert "is a page that shows images, not an image" in online(*typed, check=2).err
    assert service.received == []


# -- among the words -----------------------------------------------------------------------------------


@pytest.fixture
def files(online: Mj) -> Mj:
    """The program in a directory with files of ordinary names and a directory."""
    for name in ("cat", "s.sh", "b.png", "my.txt"):
        (online.cwd / name).write_text("x")
    (online.cwd / "cats").mkdir()
    (online.home / "a.png").write_text("x")
    return online


@pytest.mark.parametrize(
    ("typed", "use"),
    [
        ("imagine a s.sh", '"s.sh" is a file: mj imagine - < s.sh reads its text.'),
        ("imagine ./my.txt", '"./my.txt" is a file: mj imagine - < ./my.txt reads its text.'),
        ("imagine cat", '"cat" is a file: mj imagine - < cat reads its text.'),
        ("imagine b.png in oil", '"b.png" is a file: --image b.png makes it an image prompt.'),
        ("imagine in oil b.png::2", '"b.png::2" is a file: --image b.png makes it an image prompt.'),
        ("imagine b.png, in oil", '"b.png," is a file: --image b.png makes it an image prompt.'),
        ("imagine (./b.png) in oil", '"(./b.png)" is a file: --image ./b.png makes it an image prompt.'),
        ("imagine ~/a.png", '"~/a.png" is a file: --image'),
        ("imagine @last in oil", '"@last" is a reference: --image @last makes it an image prompt.'),
        ("imagine a @2 b --ar 3:2", '"@2" is a reference: --image @2 makes it an image prompt.'),
        ("imagine a @latest", '"@latest" is a reference: --image @last makes it an image prompt.'),
        ("check a @last", '"@last" is a reference: --image @last'),
        ("blend https://e.com/1.png https://e.com/2.png as @3", '"@3" is a reference: put @3 before the words.'),
        ("edit https://e.com/1.png like @2", '"@2" is a reference: mj edit takes one image, before the words.'),
        ("video --image https://e.com/1.png to @2", '"@2" is a reference: --image @2 makes it the first frame'),
        ("video --image https://e.com/1.png s.sh", "mj video --image IMAGE - < s.sh reads its text."),
    ],
)  # fmt: skip
def test_files_and_references_among_the_words_are_refused(
    files: Mj, service: Service, typed: str, use: str
) -> None:
    result = files(*typed.split(), check=2)
    assert use in result.err
    assert service.received == []


def test_quotes_make_no_difference_to_a_file_among_the_words(files: Mj, service: Service) -> None:
    assert '"s.sh" is a file' in files("imagine", "a portrait of s.sh --ar 3:2", check=2).err
    assert '"cat" is a file' in files("imagine", "-", stdin="a cat\n", check=2).err
    assert service.received == []


@pytest.mark.parametrize("word", ["@last", "s.sh", "cat"])
def test_without_the_check_they_are_sent_as_they_are(files: Mj, service: Service, word: str) -> None:
    service.answer(service.result())
    files("imagine", "a", word, "--no-check")
    assert service.posts()[0].body["prompt"] == f"a {word}"


@pytest.mark.parametrize(
    "words",
    ["cats", "a cat,", "cat's eye", "concat", "@midjourney", "a.b", "and/or", "a --no cat", "2 dogs", "last"],
)
def test_ordinary_words_are_sent_without_a_warning(files: Mj, service: Service, words: str) -> None:
    service.answer(service.result())
    result = files("imagine", *words.split())
    assert service.posts()[0].body["prompt"] == words
    assert "warning" not in result.err.lower()


@pytest.mark.parametrize(
    ("word", "use"),
    [
        ("dog.png", '"dog.png" looks like a file: --image dog.png makes it an image prompt.'),
        ("example.com/cat.png", '"example.com/cat.png" has no https://: --image https://example.com/cat.png makes'),
        ("s.mj.run/abc", '"s.mj.run/abc" has no https://: --image https://s.mj.run/abc makes'),
    ],
)  # fmt: skip
def test_what_looks_like_an_image_is_sent_with_a_warning(
    files: Mj, service: Service, word: str, use: str
) -> None:
    service.answer(service.result())
    result = files("imagine", "a", word)
    assert " ".join(use.split()) in " ".join(result.err.split())
    assert service.posts()[0].body["prompt"] == f"a {word}"
    codes = [each["code"] for each in files("check", "a", word, "--json").answer["findings"]]
    assert codes in (["file"], ["no_scheme"])
    files("imagine", "a", word, "--strict", check=2)


def test_the_words_of_a_preset_may_be_file_names(files: Mj, service: Service) -> None:
    config = Path(files.env["MJ_CONFIG"])
    files("config", "set", "presets.pet.suffix", "cat")
    assert config.exists()
    service.answer(service.result())
    files("imagine", "a", "--preset", "pet")
    assert service.posts()[0].body["prompt"] == "a cat"
