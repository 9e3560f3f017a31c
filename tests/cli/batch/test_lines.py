"""The lines of a batch file, from bytes as spreadsheets, editors and scripts write them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from mjcli.cli.batch.files import MAX_BYTES, FileDigests, read_file
from mjcli.cli.batch.formats import MAX_LINE
from mjcli.cli.batch.lines import MAX_LINES, Line, read_lines
from mjcli.errors import BatchRefused, ExitCode, LineProblem, UsageError
from tests.support.images import png
from tests.support.world import typed

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")

# As LibreOffice and Excel write them in a locale with decimal commas.
EXPORT = (
    "\ufeffprompt;ar;no;hd\r\n"
    '"a cat\nin the snow —chaos 5";16:9;"text, logo";WAHR\r\n'
    "a “quiet” street — at night;3:2;;\r\n"
    '"say ""hello""; wave";;;\r\n'
    ";;;\r\n"
)


def refused(text: str | bytes, name: str = "jobs.csv", format: str | None = None) -> list[LineProblem]:  # noqa: A002
    """The problems of a file."""
    with pytest.raises(BatchRefused) as caught:
        read_lines(text.encode() if isinstance(text, str) else text, name, format)
    return caught.value.problems


def lines(text: str | bytes, name: str = "jobs.csv", format: str | None = None) -> list[Line]:  # noqa: A002
    return read_lines(text.encode() if isinstance(text, str) else text, name, format)


def message(text: str | bytes, name: str = "jobs.csv") -> str:
    """The problem of a file that has one; at its first line, unless it says another."""
    with pytest.raises(UsageError) as caught:
        lines(text, name)
    return caught.value.message


# -- formats -------------------------------------------------------------------------------------------


def test_text_has_a_prompt_on_each_line_and_comments() -> None:
    found = lines("# a comment\n\n  a cat --ar 3:2  \r\n#\n#cyberpunk street\n", "jobs.txt")
    assert [(each.number, each.fields) for each in found] == [
        (3, {"prompt": "a cat --ar 3:2"}),
        (5, {"prompt": "#cyberpunk street"}),
    ]


def test_an_export_of_a_spreadsheet_is_read_as_it_is() -> None:
    found = lines(EXPORT.replace("WAHR", "TRUE"))
    assert [(each.number, each.fields) for each in found] == [
        (2, {"prompt": "a cat\nin the snow —chaos 5", "ar": "16:9", "no": "text, logo", "hd": True}),
        (4, {"prompt": "a “quiet” street — at night", "ar": "3:2"}),
        (5, {"prompt": 'say "hello"; wave'}),
    ]


def test_a_word_for_true_in_another_language_is_refused_with_its_line() -> None:
    assert refused(EXPORT) == [(2, 'hd takes true or false, not "WAHR".')]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_line_ends_and_delimiters_make_no_difference(
    encoding: str, end: str, delimiter: str
) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    text = mark + end.join([delimiter.join(["prompt", "ar"]), delimiter.join(["ein Käse", "1:1"]), ""])
    assert lines(text.encode(encoding)) == lines('prompt,ar\n"ein Käse",1:1\n')


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"'])
def test_the_delimiter_may_be_declared_as_excel_does(first: str) -> None:
    (line,) = lines(f"{first}\r\nprompt;ar\r\na, b;1:1\r\n")
    assert (line.number, line.fields) == (3, {"prompt": "a, b", "ar": "1:1"})


def test_the_suffix_or_the_format_decides() -> None:
    csv, json = "prompt\na cat\n", '{"prompt": "a cat"}\n'
    for name in ("x.csv", "x.TSV"):
        assert lines(csv, name)[0].fields == {"prompt": "a cat"}
    for name in ("x.jsonl", "dir.csv/x.ndjson"):
        assert lines(json, name)[0].fields == {"prompt": "a cat"}
    assert lines(json, "x.csv", "jsonl")[0].fields == {"prompt": "a cat"}
    assert len(lines(csv, "x.csv", "text")) == 2


@pytest.mark.parametrize("name", ["jobs.txt", "jobs", "standard input"])
@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("prompt,ar\na,1:1\n", "--format csv"),
        ("Prompt\nA cat\n", "--format csv"),
        ('{"prompt": "a"}\n{"prompt": "b"}\n', "--format jsonl"),
        ('[\n{"prompt": "a"}\n]\n', "jq"),
        ('{\n"prompt": "a"\n}\n', "jq"),
    ],
)
def test_data_that_would_be_paid_for_as_prompts_is_refused(name: str, text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        lines(text, name)
    assert hint in (caught.value.hint or "")
    assert lines(text, name, "text")


def test_names_of_columns_are_read_as_people_write_them() -> None:
    (line,) = lines("Prompt,--AR,Split Images,style-reference\na,1:1,yes,FALSE\n")
    assert line.fields == {"prompt": "a", "ar": "1:1", "split_images": True, "style_reference": False}


def test_fields_have_types() -> None:
    (line,) = lines(
        '{"prompt": "a", "stylize": 250, "iw": 0.50, "tile": true, "hd": false, "niji": true, "p": null,'
        ' "image": ["my cat.png", "https://e/a.png"], "sref": "123 https://e/b.png", "no": ["x", "y z"],'
        ' "key": 7, "output": "cats/{image_id}.png", "then": ["upscale:all", "upscale_2x"], "mode": "FAST"}',
        "x.jsonl",
    )
    assert line.fields == {
        "prompt": "a",
        "stylize": "250",
        "iw": "0.50",
        "tile": True,
        "niji": True,
        "image": ("my cat.png", "https://e/a.png"),
        "sref": ("123", "https://e/b.png"),
        "no": "x, y z",
        "mode": "fast",
    }
    assert (line.key, line.output) == ("7", "cats/{image_id}.png")
    assert line.then == ("upscale:all", "upscale_2x")


def test_cells_hold_lists_with_spaces_and_semicolons() -> None:
    (line,) = lines('prompt,image,then\na,"a.png ""my cat.png""",vary:2; upscale:1\n')
    assert line.fields["image"] == ("a.png", "my cat.png")
    assert line.then == ("vary:2", "upscale:1")


def test_empty_cells_are_not_given_and_unnamed_empty_columns_are_ignored() -> None:
    found = lines(",prompt,ar,key,\n,a,,,\n,b\n\n")
    assert [each.fields for each in found] == [{"prompt": "a"}, {"prompt": "b"}]


def test_a_line_has_words_for_people() -> None:
    found = lines(f"prompt,action,image\na  cat,,\n,U1,123\n{'x' * 100},,\n")
    assert [each.words for each in found] == ["a cat", "U1 123", f"{'x' * 79}…"]


# -- what is refused -----------------------------------------------------------------------------------


def test_bytes_that_are_not_utf_8_are_reported_with_line_and_byte() -> None:
    assert refused("prompt\na\nKäse\nb\nÄ\n".encode("cp1252")) == [
        (3, "Byte 2 of the line (0xe4) is not UTF-8."),
        (5, "Byte 1 of the line (0xc4) is not UTF-8."),
    ]


def test_broken_utf_16_is_reported_with_its_line() -> None:
    assert refused("prompt\na\n".encode("utf-16") + b"\x00\xd8\n\x00")[0].line == 3


def test_nul_bytes_are_reported_with_their_lines() -> None:
    assert [each.line for each in refused("prompt\na\0\nb\nc\0\n")] == [2, 4]
    assert [each.line for each in refused("prompt\na\n".encode("utf-16-le"))] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ('prompt,ar\na,1:1\n"b,1:1\nc,1:1\n', 3, "never closed"),
        ('prompt,ar\n"a,1:1\n"b",1:1\n', 2, "must be doubled"),
        ('prompt\n"a\n' + "b\n" * MAX_LINE + '"\n', 2, "at the end of a cell missing"),
        ("prompt,prompt\na,b\n", 1, "given twice"),
        ("prompt,ar,aspect\na,1:1,1:1\n", 1, 'The columns "ar" and "aspect" are the same.'),
        ("prompt,stylise\na,5\n", 1, 'Unknown column "stylise". Did you mean "stylize"?'),
        ("prompt,callback_url\na,\n", 1, 'cannot set "callback_url"'),
        ("prompt,no_ledger\na,\n", 1, 'cannot set "no_ledger"'),
        ("prompt,profile\na,\n", 1, 'name it "p"'),
        (
            "a cat on a table\na dog\n",
            1,
            'must name the columns, such as prompt,ar; it is "a cat on a table"',
        ),
        ("ar,image\n1:1,x.png\n", 1, 'needs a column "prompt"'),
        ("prompt,ar\na cat, sitting,1:1\n", 2, "3 cells, but the header has 2"),
        ("prompt,\na,b\n", 2, "Cell 2 is in a column without a name."),
        ("prompt,ar\n,1:1\n", 2, "The prompt is missing."),
        ("prompt,image\n,x.png\n", 2, "no prompt and no action"),
        ("prompt,ar\na,16:09:00\n", 2, '"16:09:00" is not an aspect ratio: ar takes W:H'),
        ("prompt,ar\na,1:1 --hd\n", 2, "is not an aspect ratio"),
        ("prompt,no\na,dogs --hd\n", 2, '"--hd" cannot be part of no'),
        ("prompt,no\na,--hd\n", 2, "looks like an option"),
        ("prompt,sref\na,random --hd\n", 2, "is not a style reference"),
        ("prompt,sref\na,@last\n", 2, '"@last" changes with every job'),
        ("prompt,image\na,@2\n", 2, '"@2" changes with every job'),
        ("prompt,image\na,-\n", 2, '"-" is not an image'),
        ("prompt,oref\na,a.png b.png\n", 2, "oref takes one value, not 2."),
        ("prompt,chaos\na,101\n", 2, '"101" is out of range: chaos takes 0 to 100.'),
        ("prompt,mode\na,quick\n", 2, '"quick" is not valid: mode takes fast, relax or turbo.'),
        ("prompt,tile\na,maybe\n", 2, 'tile takes true or false, not "maybe".'),
        ("action,image\nupscale1,\n", 2, "An action needs an image."),
        ("action,image\nupscale1,1 2\n", 2, "An action takes one image, not 2."),
        ("action,image\nupscale:all,1\n", 2, '"upscale:all" is 4 actions: write a line each.'),
        ("action,image\nupscal,1\n", 2, '"upscal" is not an action. Did you mean upscale'),
        ("action,image\nvary region,1\n", 2, "needs a mask"),
        ("action,image,moodboard\nupscale1,1,yes\n", 2, "moodboard works only with a prompt"),
        ("prompt,then\na,upscale:5\n", 2, "upscale takes 1, 2, 3, 4, 2x"),
        (f"prompt,key\na,{'k' * 201}\n", 2, "1 to 200 printable characters"),
        ("prompt,output\na,../b.png\n", 2, '"../b.png" contains ".."'),
    ],
)
def test_csv_that_cannot_be_used_is_refused_with_its_line(text: str, number: int, said: str) -> None:
    (problem,) = refused(text)
    assert problem.line == number
    assert said in problem.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a cat", "not valid JSON (column 1)"),
        ('["a cat"]', "not a JSON object"),
        ('"a cat"', "not a JSON object"),
        ('{"prompt": "a"', "not valid JSON"),
        ('{"prompt": "a", "prompt": "b"}', "given twice"),
        ('{"promt": "a"}', 'Did you mean "prompt"?'),
        ('{"prompt": 5}', "prompt takes text, not 5."),
        ('{"prompt": {"a": 1}}', "prompt cannot be an object."),
        ('{"prompt": "a", "ar": ["1:1"]}', "ar takes one value, not a list."),
        ('{"prompt": "a", "sref": {"a": 1}}', "sref cannot be an object."),
        ('{"prompt": "a", "stylize": true}', "stylize takes 0 to 1000, not true."),
        ('{"prompt": "a", "tile": 2}', "tile takes true or false, not 2."),
        ('{"prompt": "a", "then": [1, {}]}', "then takes steps"),
        ('{"prompt": "a", "seed": NaN}', "the number NaN is not allowed"),
        ('{"prompt": "\\ud800"}', "half of a surrogate pair"),
        ('{"prompt": "a\\u0000"}', "a NUL character"),
        ("{}", "The prompt is missing."),
        ("[" * 60_000, "nested too deeply"),
    ],
)
def test_json_that_cannot_be_used_is_refused_with_its_line(text: str, said: str) -> None:
    problem, other = refused(f'{{"prompt": "fine"}}\n\n{text}\nnope\n', "x.jsonl")
    assert problem.line == 3
    assert said in problem.message
    assert other.line == 4


def test_json_over_several_lines_is_one_problem() -> None:
    (problem,) = refused('[\n{"prompt": "a"},\n{"prompt": "b"}\n]\n', "x.jsonl")
    assert "put each object on a line of its own" in problem.message


@pytest.mark.parametrize(("name", "number"), [("x.txt", 2), ("x.csv", 2), ("x.jsonl", 2)])
def test_a_line_of_1_mb_is_refused_and_the_rest_is_read(name: str, number: int) -> None:
    first = {"x.csv": "prompt", "x.txt": "fine", "x.jsonl": '{"prompt": "a"}'}[name]
    text = f"{first}\n{'a' * 1_000_000}\n{first if name != 'x.csv' else 'b'}\n"
    (problem,) = refused(text, name)
    assert problem == (number, "The line has 1,000,000 bytes; the limit is 65,536.")
    assert lines(f"{first}\n{'a' * 65_000 if name != 'x.jsonl' else first}\n", name)


def test_duplicate_keys_name_both_lines() -> None:
    assert refused("prompt,key\na,k\nb,x\nc, k\n") == [(4, 'The key "k" is that of line 2, too.')]


def test_two_lines_cannot_have_the_same_file() -> None:
    text = "prompt,output\na,cats/a.png\nb,cats/\nc,cats/\nd,{prompt}.png\ne,./cats//a.png\n"
    (problem,) = refused(text)
    assert (problem.line, "line 2" in problem.message) == (6, True)


def test_all_problems_are_reported_at_once_and_equal_ones_together() -> None:
    rows = [f"a{n},{n}" for n in range(101, 126)]
    with pytest.raises(BatchRefused) as caught:
        lines("prompt,chaos\n" + "\n".join([",1", *rows, ",1", ",1"]))
    error = caught.value
    shown = error.message.split("\n")
    assert error.sentence == "28 problems in jobs.csv; nothing was sent."
    assert shown[0] == "jobs.csv:2: The prompt is missing. (and 2 more lines)"
    assert shown[1] == 'jobs.csv:3: "101" is out of range: chaos takes 0 to 100.'
    assert (len(shown), shown[-1]) == (21, "… and 6 more")
    assert [each.line for each in error.problems] == [*range(2, 30)]
    assert error.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("text", ["", "\n \r\n", "\ufeff"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert message(text) == '"jobs.csv" is empty.'


@pytest.mark.parametrize(("text", "name"), [("prompt\n\n", "x.csv"), ("# x\n", "x.txt")])
def test_a_file_without_prompts_is_refused(text: str, name: str) -> None:
    assert message(text, name) == f'"{name}" contains no prompts.'


def test_a_spreadsheet_itself_is_refused() -> None:
    assert "is a spreadsheet" in message(b"PK\x03\x04....", "jobs.xlsx")


def test_files_have_limits() -> None:
    assert message("a\n" * (MAX_LINES + 1)) == '"jobs.csv" has 100,001 lines; the limit is 100,000. Split it.'
    assert "larger than 50 MB" in message(bytes(MAX_BYTES + 1))


# -- reading the file ----------------------------------------------------------------------------------


def test_a_file_and_standard_input_are_read_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "jobs.txt"
    path.write_bytes(b"a cat\n")
    assert read_file(str(path), typed()) == (b"a cat\n", str(path))
    assert read_file("-", typed("a dog\n")) == (b"a dog\n", "standard input")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, said in [
        (str(tmp_path), "is a directory"),
        (str(tmp_path / "missing"), "does not exist"),
        ("a\0b", "cannot be read"),
    ]:
        with pytest.raises(UsageError, match=said):
            read_file(path, typed())
    with pytest.raises(UsageError, match="is a terminal"):
        read_file("-", typed(terminal=True))


def test_a_file_of_100_mb_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "jobs.txt"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(UsageError, match="larger than 50 MB"):
        read_file(str(path), typed())
    with path.open("rb") as file:
        stdin = io.TextIOWrapper(file)
        with pytest.raises(UsageError, match="larger than 50 MB"):
            read_file("-", stdin)
        stdin.detach()


@posix
def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is not a regular file") as caught:
        read_file(str(pipe), typed())
    assert caught.value.hint == "mj batch - < FILE reads a pipe"


# -- identity ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "identity"),
    [
        ("a cat\n", "x.txt", "6c2ed3bea0cbbaec773071995caf22fb/1"),
        ("prompt;ar;hd\na  cat;16:9;TRUE\n", "x.csv", "a4be4377c6da33367566ee29f7fe71f6/1"),
        (
            '{"prompt": "caf\\u0065\\u0301", "no": ["text", "logo"], "stylize": 250}\n',
            "x.jsonl",
            "8135d66aee3217f292007fff768bbaa0/1",
        ),
        ("action,image\nU1,1234197197067915365\n", "x.csv", "b38f47863c89a56ac86ca0bee3baf14e/1"),
        ('prompt,image,sref\na,"b.png ""my c.png""",random\n', "x.csv", "42a8de462d3fba6648e56a610909be5a/1"),
        ("prompt,key\na,  my   key \n", "x.csv", "key:my key"),
        ("prompt,key\na,k>1.upscale1\n", "x.csv", "key:k>>1.upscale1"),
    ],
)
def test_identities_stay_the_same_in_every_version(text: str, name: str, identity: str) -> None:
    # Never change these: a line with another identity is paid for again.
    assert lines(text, name)[0].identity == identity


def test_a_row_and_a_line_with_only_that_prompt_are_the_same() -> None:
    wanted = lines("a cat --ar 3:2\n", "x.txt")[0].identity
    assert lines('ar,prompt,then,output,tile\n,"a cat\n--ar 3:2 ",reroll,a.png,FALSE\n')[0].identity == wanted
    assert lines('{"prompt": "a cat  --ar 3:2", "seed": null}', "x.jsonl")[0].identity == wanted


def test_what_was_typed_differs_even_if_it_means_the_same() -> None:
    texts = ["prompt,ar\na,1:1\n", "prompt,aspect\na,1:1\n", "prompt\na --ar 1:1\n", "prompt,ar\na,01:1\n"]
    assert len({lines(each)[0].identity for each in texts}) == len(texts)


def test_equal_lines_are_numbered_in_their_order() -> None:
    first, other, second, keyed = lines("prompt,key\na,\nb,\n a,\na,k\n")
    assert [first.identity, second.identity] == [f"{first.base}/1", f"{first.base}/2"]
    assert first.base == second.base == first.content != other.base
    assert (keyed.identity, keyed.base, keyed.content) == ("key:k", "key:k", first.content)


def test_files_count_by_content_and_other_images_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png())
    (tmp_path / "c.png").write_bytes(png(10))
    digests = FileDigests(tmp_path)
    rows = [
        "a.png,",
        "b.png,",
        f"{tmp_path / 'a.png'},",
        "c.png,",
        "missing.png,",
        "https://e/a.png,",
        "1234,",
    ]
    data = "\n".join(["image,sref,prompt", *(f"{each},x" for each in [*rows[:0], *rows])]).encode()
    found = [each.base for each in read_lines(data, "x.csv", digest=digests)]
    assert found[0] == found[1] == found[2]
    assert len(set(found)) == 5
    assert found[5:] == [each.base for each in read_lines(data, "x.csv")][5:]


def test_the_number_of_a_line_does_not_count() -> None:
    assert lines("a\nb\n", "x.txt")[1].identity == lines("\n# c\nb\n\na\n", "x.txt")[0].identity
