"""What is read from the arguments and from standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from mjcli.cli.inputs import (
    STDIN_LIMIT,
    expand,
    is_file,
    names_image_file,
    read_stdin,
    refuse_bad_link,
    words_or_stdin,
)
from mjcli.errors import UsageError
from tests.support.world import typed

# -- read_stdin ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"a cat\n", "a cat\n"),
        ("é 森 🐈".encode(), "é 森 🐈"),
        (b"\xef\xbb\xbfa cat", "a cat"),  # a byte order mark, as Windows editors write it
        (b"x" * STDIN_LIMIT, "x" * STDIN_LIMIT),
    ],
    ids=["empty", "a line", "not ASCII", "byte order mark", "the limit"],
)
def test_standard_input_is_read_as_utf8(data: bytes, text: str) -> None:
    assert read_stdin(typed(data), "the prompt") == text


@pytest.mark.parametrize("data", [b"\xff\xfe", "é".encode("latin-1"), b"a \xf0\x9f"])
def test_input_that_is_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="Cannot read the prompt: standard input is not UTF-8 text"):
        read_stdin(typed(data), "the prompt")


def test_input_beyond_the_limit_is_refused() -> None:
    with pytest.raises(UsageError, match=f"larger than {STDIN_LIMIT} bytes, the limit for the prompt"):
        read_stdin(typed(b"x" * (STDIN_LIMIT + 1)), "the prompt")


def test_a_terminal_is_not_read() -> None:
    with pytest.raises(UsageError, match="is a terminal; pass the prompt as an argument"):
        read_stdin(typed("a cat", terminal=True), "the prompt")


# -- expand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "data", "expected"),
    [
        (["one", "two"], "three\n", ["one", "two"]),
        (["-"], "one\ntwo\n", ["one", "two"]),
        (["-"], "\r\n  one \r\n\r\ntwo", ["one", "two"]),
        (["zero", "-", "three"], "one\ntwo\n", ["zero", "one", "two", "three"]),
        (["-", "-"], "one\n", ["one"]),  # there is nothing left for the second
    ],
)
def test_a_hyphen_is_replaced_by_the_lines_of_standard_input(
    arguments: list[str], data: str, expected: list[str]
) -> None:
    assert expand(typed(data), arguments, "ids") == expected


def test_arguments_without_a_hyphen_do_not_read_standard_input() -> None:
    assert expand(typed(terminal=True), ["one"], "ids") == ["one"]


@pytest.mark.parametrize("data", ["", "\n", " \n\t\n"])
def test_standard_input_without_a_line_is_refused(data: str) -> None:
    with pytest.raises(UsageError, match=r"^Standard input contains no ids\.$"):
        expand(typed(data), ["-"], "ids")


# -- words_or_stdin ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "data", "expected"),
    [
        (["a cat"], "a dog", "a cat"),
        (["a", "cat"], "a dog", "a cat"),
        ([], "  a dog\n", "a dog"),
        (["-"], "a dog\non a table\n", "a dog\non a table"),
        (["a", "-", "cat"], "a dog", "a - cat"),
        (["a cat and", "-"], "a dog\n", "a cat and a dog"),
        (["-", "in oil"], "a dog\n", "a dog in oil"),
    ],
)
def test_words_come_from_the_arguments_or_else_from_standard_input(
    words: list[str], data: str, expected: str
) -> None:
    assert words_or_stdin(typed(data), words) == expected


@pytest.mark.parametrize("images", [["https://e/a.png"], ["-"]])
def test_with_images_standard_input_is_left_alone(images: list[str]) -> None:
    stdin = typed("the list of a loop")
    assert words_or_stdin(stdin, [], images, optional=True) == ""
    with pytest.raises(UsageError, match=r"^Missing prompt\.$"):
        words_or_stdin(stdin, [], images)
    assert stdin.buffer.read() == b"the list of a loop"


@pytest.mark.parametrize("data", ["a cat\na dog", "a cat\r\n\r\na dog\n"])
def test_several_lines_are_a_prompt_only_on_request(data: str) -> None:
    with pytest.raises(UsageError) as caught:
        words_or_stdin(typed(data), [])
    assert "lines, but a prompt is one line." in caught.value.message
    assert caught.value.hint == "mj imagine - reads them all as one prompt"
    assert words_or_stdin(typed(data), ["-"]) == data.strip()


def test_words_and_images_cannot_both_come_from_standard_input() -> None:
    with pytest.raises(UsageError, match="use - for the words or the images, not both"):
        words_or_stdin(typed("a dog"), ["-"], ["-"])


def test_without_words_at_a_terminal_the_hint_shows_both_ways() -> None:
    with pytest.raises(UsageError) as caught:
        words_or_stdin(typed(terminal=True), [], example=("edit", "cat.png"), what="instruction")
    assert caught.value.message == "Missing instruction."
    assert caught.value.hint == 'mj edit cat.png "a cat on a table"\nmj edit cat.png - < prompt.txt'


@pytest.mark.parametrize(("words", "images"), [([], []), (["-"], []), (["-"], ["https://e/a.png"])])
def test_empty_standard_input_is_not_a_prompt(words: list[str], images: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        words_or_stdin(typed(" \n"), words, images)
    assert caught.value.message == "The prompt is empty: standard input has no text."
    assert caught.value.hint == 'mj imagine "a cat on a table"'


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cat.png", "CAT.JPEG", "my cats/a.webp", "./b.gif", "~/c.jpg"])
def test_a_name_with_the_suffix_of_an_image_is_a_file_even_if_it_does_not_exist(name: str) -> None:
    assert names_image_file(name)
    assert is_file(name)


@pytest.mark.parametrize(
    "text", ["https://e/cat.png", "HTTP://e/cat.png", "@last", "@2.png", "cat", "", "cat.txt", "1234-5678"]
)
def test_links_references_and_other_words_are_not_files(text: str) -> None:
    assert not names_image_file(text)
    assert not is_file(text)


def test_a_file_that_exists_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(b"")
    assert is_file(str(tmp_path / "scan"))
    assert not names_image_file(str(tmp_path / "scan"))
    assert not is_file(str(tmp_path))


# -- links ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["htp://example.com/a.png", "ftp://h/a.png", "file:///a.png", "s3://b/a"])
def test_an_address_with_another_scheme_is_no_link(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_bad_link(text)
    assert caught.value.message == f'"{text}" is not a link: it must start with http:// or https://.'


@pytest.mark.parametrize(
    "text", ["http://[bad", "http://", "https:///a.png", "http://h:99999/a", "HTTP://h:x/"]
)
def test_a_link_that_can_never_be_valid_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_bad_link(text)
    assert caught.value.message == f'"{text}" is not a valid link. Nothing was sent.'


@pytest.mark.parametrize(
    "text", ["https://h/a.png", "HTTP://[::1]:8080/a", "a.png", "@last", "C://a.png", "dir/a.png", "a://b c"]
)
def test_other_names_of_images_are_not_refused_as_links(text: str) -> None:
    refuse_bad_link(text)
