"""A batch file that is wrong: all of it is reported with line numbers, before anything is sent."""

from __future__ import annotations

import pytest

from tests.support.batches import Batch, Midjourney
from tests.support.program import Mj

MEGABYTE = 1_000_000


@pytest.fixture
def batch(online: Mj, midjourney: Midjourney) -> Batch:
    return Batch(online)


@pytest.mark.parametrize(
    ("name", "content", "reasons"),
    [
        ("p.txt", b"a cat\n\na caf\xe9\n", ["p.txt:3: Byte 6 of the line (0xe9) is not UTF-8.", "UTF-8"]),
        ("p.txt", "a cat\na dog\n".encode("utf-16-le"), ["p.txt:1: The line contains a NUL byte."]),
        ("p.csv", b'prompt,ar\na cat,1:1\n"a dog,1:1\na fox,1:1\n', ["p.csv:3: ", "never closed"]),
        ("p.csv", b"prompt,colour,ar\na cat,red,1:1\n", ['p.csv:1: Unknown column "colour".']),
        ("p.csv", b"a cat\na dog\n", ["p.csv:1: The first line must name the columns"]),
        ("p.csv", b"prompt\na cat, sitting\n", ["p.csv:2: The row has 2 cells, but the header has 1"]),
        ("p.txt", b"", ['"p.txt" is empty.']),
        ("p.txt", b"\xef\xbb\xbf \r\n\r\n", ['"p.txt" is empty.']),
        ("p.csv", b"\xff\xfe", ['"p.csv" is empty.']),
        ("p.csv", "\u00a0\n\u2003".encode(), ['"p.csv" is empty.']),
        ("p.txt", b"# only\n# comments\n", ['"p.txt" contains no prompts.']),
        (
            "p.jsonl",
            b'{"prompt": "a", "key": "k"}\n{"prompt": "b"}\n{"prompt": "c", "key": "k"}\n',
            ['p.jsonl:3: The key "k" is that of line 1, too.'],
        ),
        (
            "p.jsonl",
            b'{"prompt": "a"}\n{"prompt": b}\n',
            ["p.jsonl:2: The line is not valid JSON (column 12)"],
        ),
        ("p.jsonl", b'{"prompt": "a", "callback_url": "http://x"}\n', ["p.jsonl:1: ", "cannot set"]),
        ("p.txt", b"a cat\n" + b"x" * MEGABYTE + b"\n", ["p.txt:2: The line has 1,000,000 bytes"]),
        ("p.csv", b"prompt\n" + b'"' + b"word\n" * 50_000, ["p.csv:2: ", "quote"]),
        ("p.txt", b"a cat\n" * 100_001, ['"p.txt" has 100,001 lines; the limit is 100,000.']),
        ("p.txt", b"a cat --ar 99\na dog --chaos 500\n", ["p.txt:1: ", "p.txt:2: ", "2 problems in p.txt"]),
        ("p.txt", b"prompt,ar\na cat,1:1\n", ['"p.txt" looks like CSV', "--format csv"]),
        ("p.txt", b'{"prompt": "a cat"}\n', ['"p.txt" looks like JSON Lines', "--format jsonl"]),
        ("p.xlsx", b"PK\x03\x04 and more", ["spreadsheet", "export the spreadsheet as CSV"]),
        (
            "p.csv",
            b"prompt,output\na cat,../../etc/cat.png\n",
            ['p.csv:2: "../../etc/cat.png" contains ".."'],
        ),
        ("p.csv", b"prompt,then\na cat,upscale:9\n", ["p.csv:2: ", "upscale:9"]),
    ],
)
def test_it_is_reported_and_nothing_is_sent(
    batch: Batch, midjourney: Midjourney, name: str, content: bytes, reasons: list[str]
) -> None:
    batch.name = name
    batch.path.write_bytes(content)
    result = batch("--yes", check=2)
    for reason in reasons:
        assert reason in result.err
    assert result.out == ""
    assert all(len(line) < 400 for line in result.err.splitlines())
    assert midjourney.service.received == []
    assert "othing was sent" in result.err or len(result.err.splitlines()) <= 2


def test_a_file_that_is_too_large_is_not_read_to_its_end(batch: Batch, midjourney: Midjourney) -> None:
    with batch.path.open("wb") as file:
        file.truncate(100 * MEGABYTE)
    assert "is larger than 50 MB" in batch(check=2).err
    assert midjourney.service.received == []


def test_a_directory_is_not_a_file(batch: Batch, midjourney: Midjourney) -> None:
    batch.path.mkdir()
    assert '"prompts.txt" is a directory' in batch(check=2).err


def test_standard_input_is_named_too(batch: Batch) -> None:
    batch.name = "-"
    assert "Standard input is empty." in batch(stdin="\n", check=2).err


def test_a_missing_file_is_named(batch: Batch) -> None:
    assert '"prompts.txt" does not exist.' in batch(check=2).err


def test_with_json_the_problems_are_one_object(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat --ar 99", "a dog --chaos 500")
    answer = batch("--json", check=2).answer
    assert answer["success"] is False
    assert answer["error"]["code"] == "usage"
    assert "prompts.txt:2:" in answer["error"]["message"]
    assert midjourney.service.received == []


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfprompt;ar\r\na cat;3:2\r\n",  # a spreadsheet in Europe
        b'\xef\xbb\xbfprompt,ar\r\n"a cat",3:2\r\n,\r\n',  # and one in America
        "prompt\tar\r\na cat\t3:2\r\n".encode("utf-16"),  # its "Unicode text"
        b"prompt,ar\ra cat,3:2\r",  # an old one
        b"sep=;\r\nprompt;ar\r\na cat;3:2\r\n",
    ],
)
def test_what_a_spreadsheet_exports_is_read(batch: Batch, midjourney: Midjourney, content: bytes) -> None:
    batch.name = "prompts.csv"
    batch.path.write_bytes(content)
    batch()
    assert midjourney.jobs == ["a cat --ar 3:2"]
