"""Bytes in, lines and objects out."""

from __future__ import annotations

import json

import pytest

from mjcli.api.ndjson import MAX_DEPTH, LineDecoder, LineTooLong, parse_json, parse_object

TEXT = '{"a": "森é🐈"}\r\n\r\n{"b": "x\u2028y\u0085z"}\n  {"c": 3} \t\r\n{"d": 4}'.encode()
LINES = ['{"a": "森é🐈"}'.encode(), '{"b": "x\u2028y\u0085z"}'.encode(), b'{"c": 3}', b'{"d": 4}']


def decoded(*pieces: bytes, limit: int = 1 << 20) -> list[bytes]:
    decoder = LineDecoder(limit)
    return [line for piece in pieces for line in decoder.feed(piece)] + decoder.end()


@pytest.mark.parametrize("size", range(1, len(TEXT) + 1))
def test_lines_do_not_depend_on_the_pieces(size: int) -> None:
    assert decoded(*(TEXT[i : i + size] for i in range(0, len(TEXT), size))) == LINES


def test_empty_pieces_are_ignored() -> None:
    assert decoded(b"", b"{}", b"", b"\n", b"") == [b"{}"]


@pytest.mark.parametrize(
    "pieces", [(b"\xef\xbb\xbf{}",), (b"\xef", b"\xbb", b"\xbf", b"{}\n"), (b"\xef\xbb\xbf\n{}",)]
)
def test_a_byte_order_mark_at_the_start_is_dropped(pieces: tuple[bytes, ...]) -> None:
    assert decoded(*pieces) == [b"{}"]


def test_a_later_byte_order_mark_is_not_dropped() -> None:
    assert decoded(b"{}\n\xef\xbb\xbf{}\n")[1] == b"\xef\xbb\xbf{}"


def test_each_line_is_returned_as_soon_as_it_is_complete() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b'{"a"') == []
    assert decoder.feed(b": 1}\r\n{") == [b'{"a": 1}']
    assert decoder.feed(b"}\n") == [b"{}"]
    assert decoder.end() == []


@pytest.mark.parametrize(
    "pieces", [(b"x" * 101,), (b"x" * 50, b"x" * 51), (b"{}\n" + b"x" * 101,), (b"x",) * 101]
)
def test_a_line_beyond_the_limit_is_refused(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(LineTooLong):
        decoded(*pieces, limit=100)


def test_the_limit_applies_to_each_line_alone() -> None:
    assert len(decoded(b"{}\n" * 1000, limit=100)) == 1000


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b"null",
        b'"a"',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1',
        b"{} {}",
        b"{'a': 1}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "raw\ttab"}',
        b'{"a": ' * 100_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_anything_but_an_object_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_object(line)


def test_an_object_is_parsed_with_every_field() -> None:
    line = '{"a": null, "b": [1, 2.5, true], "ü": {"c": "\\u2028"}, "id": 12345678901234567890}'.encode()
    assert parse_object(line) == {
        "a": None,
        "b": [1, 2.5, True],
        "ü": {"c": "\u2028"},
        "id": 12345678901234567890,
    }


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_too_large_does_not_become_infinity(number: str) -> None:
    """Infinity is not JSON, so the object could not be passed on."""
    try:
        document = parse_object(b'{"a": %s}' % number.encode())
    except ValueError:
        return
    assert document["a"] not in (float("inf"), float("-inf"))


def nested(depth: int) -> str:
    """An object with this many levels."""
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 500, 985, 1000, 5000, 100_000])
@pytest.mark.parametrize("lenient", [False, True])
def test_a_value_nested_too_deeply_is_refused(depth: int, lenient: bool) -> None:
    """It could be parsed, but not written again."""
    for text in (nested(depth), "[" * depth + "]" * depth):
        with pytest.raises(ValueError, match="nested too deeply"):
            parse_json(text, lenient=lenient)


def test_many_values_side_by_side_are_not_nested() -> None:
    wide = [{"a": [1]}] * 5000
    assert parse_json(json.dumps(wide)) == wide
    assert parse_json(json.dumps("[" * 5000)) == "[" * 5000
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
